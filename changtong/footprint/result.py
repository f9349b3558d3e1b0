"""The footprint as a result: legs, lanes, sites and total, with their statement of method."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.footprint.breakdown import BY
from changtong.footprint.factors import Factors
from changtong.footprint.names import names_of
from changtong.footprint.statement import statement
from changtong.network.io import write_whole_folder
from changtong.spreadsheets import without_formulas, write_rows

PARQUET_FROM_ROWS = 1_000_000
"""Lanes above so many are saved as Parquet instead of CSV."""

SAID = 5
"""Rows of a breakdown told in its line."""

TABLES = ("legs", "lanes", "sites", "total", "breakdown", "inputs", "packaging")
MARK = "carbon.json"
OWN_FILES = {
    MARK, "report.html", "study.json", "statement.zh.txt", "statement.en.txt", "factors",
    *(f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")),
}  # fmt: skip


def is_carbon_folder(path: Path) -> bool:
    """Tell whether a folder holds a footprint: only such a one is ever replaced."""
    return (path / MARK).is_file()


CARBON_FOLDER: dict[str, Any] = {
    "is_ours": is_carbon_folder,
    "what": f"folder of a footprint (it has no {MARK})",
    "code": "not-a-carbon-folder",
}


@dataclass(frozen=True)
class Footprint:
    """Greenhouse gases of a network's or a plan's day.

    Attributes
    ----------
    name : str
    facts : dict
        What was counted and how; see :meth:`summary`.
    legs, lanes, sites, total : polars.DataFrame
        Columns in docs/footprint.md; kg CO2e a day, well to wheel where not said otherwise, empty where
        not known.
    breakdown : polars.DataFrame
        The total by mode, by level of the network and by empty running: rows of each add up to it.
    inputs : polars.DataFrame
        What the range of the total comes from, input by input.
    factors : Factors
    packaging : polars.DataFrame or None
        Indicators beside their targets, where observed ones were given.
    """

    name: str
    facts: dict[str, Any]
    legs: pl.DataFrame
    lanes: pl.DataFrame
    sites: pl.DataFrame
    total: pl.DataFrame
    breakdown: pl.DataFrame
    inputs: pl.DataFrame
    factors: Factors
    packaging: pl.DataFrame | None = None

    @property
    def statement(self) -> dict[str, str]:
        """The statement of method, ``zh`` and ``en``."""
        return statement(self.summary(), names_of(self.factors))

    def summary(self) -> dict[str, Any]:
        """Return the figures a person decides by, as plain values."""
        rows = {row["part"]: row for row in self.total.to_dicts() if row["name"] == "all"}
        every = rows["total"]
        moved = self.facts["moved_pieces"]
        return {
            "name": self.name,
            "kgco2e": every["kgco2e"],
            "low_kgco2e": every["low_kgco2e"],
            "high_kgco2e": every["high_kgco2e"],
            "transport_kgco2e": rows["transport"]["kgco2e"],
            "ttw_kgco2e": rows["transport"]["ttw_kgco2e"],
            "wtt_kgco2e": rows["transport"]["wtt_kgco2e"],
            "hubs_kgco2e": rows["hubs"]["kgco2e"],
            "g_per_piece": every["kgco2e"] * 1000.0 / moved if moved > 0.0 else None,
            **self.facts,
            "factors_version": self.factors.version,
            "factors_digest": self.factors.digest,
            "own_tables": list(self.factors.own),
        }

    def to_json(self) -> str:
        """Return the summary, the parts and the statement as one JSON object."""
        return json.dumps(self._whole(), ensure_ascii=False, allow_nan=False)

    def _whole(self) -> dict[str, Any]:
        packaging = [] if self.packaging is None else self.packaging.to_dicts()
        return self.summary() | {
            "parts": self.total.to_dicts(), "breakdown": self.breakdown.to_dicts(),
            "inputs": self.inputs.to_dicts(), "packaging": packaging, "statement": self.statement,
        }  # fmt: skip

    def __str__(self) -> str:
        s = self.summary()
        grams = "-" if s["g_per_piece"] is None else f"{s['g_per_piece']:,.1f}"
        cost = "not known" if s["cost_cny"] is None else f"{s['cost_cny']:,.0f} CNY"
        hubs = "not known" if s["hubs_kgco2e"] is None else f"{s['hubs_kgco2e']:,.0f}"
        span = f"{s['low_kgco2e']:,.0f} to {s['high_kgco2e']:,.0f}"
        lines = [
            f"{s['name']}: {s['kgco2e']:,.0f} kg CO2e a day ({span}), {grams} g a piece delivered,"
            f" cost {cost}",
            f"  pieces delivered {s['moved_pieces']:,.0f}, {s['activity_tkm']:,.0f} tonne-km, load rule"
            f" {s['allocation']}, distance {s['distance']}",
            f"  not delivered, and not in the grams: {s['held_pieces']:,.0f} held, {s['lost_pieces']:,.0f}"
            " without a way",
            f"  tank to wheel {s['ttw_kgco2e']:,.0f}, well to tank {s['wtt_kgco2e']:,.0f}, hubs {hubs}"
            + (f" ({s['hubs_unknown']:,} sites without a factor: not counted)" if s["hubs_unknown"] else ""),
            *(self._said(by) for by in BY),
            "  part                                      kg CO2e            low           high   share",
        ]
        for row in self.total.filter(pl.col("name") != "all").to_dicts():
            lines.append(
                f"  {row['name_en']:<36}{row['kgco2e']:>13,.0f}{row['low_kgco2e']:>15,.0f}"
                f"{row['high_kgco2e']:>15,.0f}{row['share']:>8.1%}"
            )
        names = names_of(self.factors)
        lines.append(
            f"  assumed: {', '.join(names.input(one).en for one in s['assumed_inputs']) or 'nothing'}"
        )
        if s["inputs_without_interval"]:
            exact = ", ".join(names.input(one).en for one in s["inputs_without_interval"])
            lines.append(f"  taken as exact, no interval known: {exact}")
        if s["stated_kgco2e"] is not None:
            lines.append(f"  by the network's own kgco2e_per_piece: {s['stated_kgco2e']:,.0f}")
        if s["pieces_on_unknown_legs"] > 0.0:
            lines.append(
                f"  not counted: {s['pieces_on_unknown_legs']:,.0f} pieces on legs without distance or factor"
            )
        if self.packaging is not None:
            met = int((self.packaging["met"] == True).sum())  # noqa: E712  # null is not met
            lines.append(f"  packaging: {met} of {self.packaging.height} targets met")
        lines.append(f"  factors {s['factors_version']}")
        return "\n".join(lines)

    def _said(self, by: str) -> str:
        """Return one breakdown in a line, the most first."""
        rows = self.breakdown.filter(pl.col("by") == by).sort("share", descending=True, nulls_last=True)
        some = [
            f"{row['name_en']} " + ("not known" if row["share"] is None else f"{row['share']:.1%}")
            for row in rows.to_dicts()
        ]
        more = f", {len(some) - SAID} more" if len(some) > SAID else ""
        return f"  by {by.replace('_', ' ')}: {'; '.join(some[:SAID])}{more}"

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write tables, ``carbon.json``, the statements and the factors used, whole or not at all.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """
        return write_whole_folder(
            Path(folder), lambda into: self._fill(into, extra), own_files=OWN_FILES, **CARBON_FOLDER
        )

    def _fill(self, into: Path, extra: Callable[[Path], None] | None) -> None:
        for name in TABLES:
            frame: pl.DataFrame | None = getattr(self, name)
            if frame is not None:
                write_rows(frame, into / name, parquet_from_rows=PARQUET_FROM_ROWS, formulas=False)
        (into / MARK).write_text(
            json.dumps(self._whole(), ensure_ascii=False, indent=1, allow_nan=False), "utf-8"
        )
        for language, text in self.statement.items():
            (into / f"statement.{language}.txt").write_text(text, "utf-8")
        (into / "factors").mkdir()
        for name, frame in self.factors.tables().items():
            without_formulas(frame).write_csv(into / "factors" / f"{name}.csv", include_bom=True)
        if extra is not None:
            extra(into)
