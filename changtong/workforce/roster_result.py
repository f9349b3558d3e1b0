"""Rosters as a result: tables, a summary, a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.io import check_replaceable, write_whole_folder
from changtong.safety.supervision import read_table
from changtong.spreadsheets import without_formulas
from changtong.workforce.roster_rules import RosterRules
from changtong.workforce.roster_tables import SCHEMAS

MARK = "workforce-roster.json"
OWN_FILES = {MARK, "study.json", "report.html", "roster.xlsx", *(f"{name}.csv" for name in SCHEMAS)}


def is_roster_folder(path: Path) -> bool:
    """Tell whether a folder holds rosters: only such a one is ever replaced."""
    return (path / MARK).is_file()


ROSTER_FOLDER: dict[str, Any] = {
    "is_ours": is_roster_folder,
    "what": f"folder of rosters (it has no {MARK})",
    "code": "not-a-roster-folder",
}


@dataclass(frozen=True)
class Roster:
    """Rosters of centres.

    Attributes
    ----------
    name : str
    begin, end : date
        First and last day.
    rules : RosterRules
    tables : mapping
        As `SCHEMAS` of :mod:`changtong.workforce.roster_tables`.
    notes : tuple of str
        What a reader must know: what was forecast, what was assumed.
    quantile : float
        Of the forecast that was staffed for.
    runtime_s : float
    """

    name: str
    begin: date
    end: date
    rules: RosterRules
    tables: Mapping[str, pl.DataFrame]
    notes: tuple[str, ...]
    quantile: float
    runtime_s: float

    @property
    def centres(self) -> pl.DataFrame:
        """A row a centre: status, value, bound, gap, people."""
        return self.tables["centres"]

    @property
    def complete(self) -> bool:
        """Whether all pieces are sorted in time everywhere."""
        return not (self.centres["status"] == "lacking").any()

    def summary(self) -> dict[str, Any]:
        """Return the figures a person decides by, as plain values."""
        c = self.centres
        value, bound = float(c["objective"].sum()), float(c["bound"].sum())
        worst = self.tables["hours"].filter(pl.col("lacking_pieces") > 0)
        worst = worst.sort("lacking_pieces", "site", "date", "hour", descending=[True, False, False, False])
        return {
            "name": self.name,
            "begin": str(self.begin),
            "end": str(self.end),
            "centres": c.height,
            "statuses": dict(sorted(c["status"].value_counts().iter_rows())),
            "terminations": dict(sorted(c["termination"].value_counts().iter_rows())),
            "first": self.rules.first,
            "objective": value,
            "bound": bound,
            "gap": max(0.0, value - bound) / value if value > 0 else 0.0,
            "worst_gap": float(c["gap"].max() or 0.0),  # type: ignore[arg-type]
            "person_days": int(c["person_days"].sum()),
            "regular_days": int(c["regular_days"].sum()),
            "temporary_days": int(c["temporary_days"].sum()),
            "cost_cny": float(c["cost_cny"].sum()),
            "pieces": float(c["pieces"].sum()),
            "people": int(c["people"].sum()),
            "spread_days": int((c["most_days"] - c["least_days"]).max() or 0),  # type: ignore[arg-type]
            "replaced": int(c["replaced"].sum()),
            "lacking_pieces": float(c["lacking_pieces"].sum()),
            "lacking_hours": worst.height,
            "lacking_worst": [
                {
                    "site": row["site"], "date": str(row["date"]), "hour": row["hour"],
                    "pieces": round(row["lacking_pieces"], 2),
                }
                for row in worst.head(20).iter_rows(named=True)
            ],
            "quantile": self.quantile,
            "notes": list(self.notes),
            "rules": {key: getattr(self.rules, key) for key in ("id", "version", "provenance", "source")},
            "runtime_s": self.runtime_s,
        }  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the summary and a row a centre as one JSON object."""
        return self.summary() | {"by_centre": self.centres.to_dicts()}

    def save(self, folder: str | os.PathLike[str], extra: Callable[[Path], object] | None = None) -> Path:
        """Write tables, the mark with the rules, and what ``extra`` adds, whole or not at all.

        Parameters
        ----------
        folder : path
        extra : callable, optional
        """

        def write(into: Path) -> None:
            mark = self.summary() | {"rules_used": self.rules.to_dict()}
            (into / MARK).write_text(json.dumps(mark, ensure_ascii=False, indent=1), "utf-8")
            for name, frame in self.tables.items():
                without_formulas(frame).write_csv(into / f"{name}.csv", include_bom=True)
            if extra is not None:
                extra(into)

        return write_whole_folder(Path(folder), write, own_files=OWN_FILES, **ROSTER_FOLDER)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{s['name']}, {s['begin']} to {s['end']}: {s['centres']} centres, {s['pieces']:,.0f} pieces,"
            f" {s['person_days']:,} person-days"
            f" ({s['regular_days']:,} regular, {s['temporary_days']:,} temporary)",
            f"  {s['first']}: {s['objective']:,.0f}, at least {s['bound']:,.0f} (gap {s['gap']:.2%},"
            f" worst centre {s['worst_gap']:.2%}); {', '.join(f'{k} {v}' for k, v in s['statuses'].items())};"
            f" ended: {', '.join(f'{k} {v}' for k, v in s['terminations'].items())}",
            f"  days of people of one centre differ by at most {s['spread_days']};"
            f" cost {s['cost_cny']:,.0f} CNY;"
            f" {s['replaced']:,} duties for temporary staff for want of rest or people present",
        ]
        for row in self.centres.filter(pl.col("status") == "lacking").head(10).iter_rows(named=True):
            lines.append(
                f"  {row['site']}: {row['lacking_pieces']:,.0f} pieces cannot be sorted in time"
                f" (at least {row['lacking_bound']:,.0f} whatever is done)"
            )
        for one in s["lacking_worst"][:10]:
            lines.append(
                f"    {one['site']} {one['date']} {one['hour']:02d} h lacks {one['pieces']:,.0f} pieces"
            )
        lines += [f"  note: {note}" for note in self.notes]
        lines.append(
            f"  rules {self.rules.id} {self.rules.version} ({self.rules.provenance}); {s['runtime_s']:.1f} s"
        )
        return "\n".join(lines)


def check_roster_folder(folder: Path) -> None:
    """Refuse a folder that may not be made or replaced.

    Parameters
    ----------
    folder : Path
    """
    check_replaceable(folder, **ROSTER_FOLDER)


def read_roster(folder: str | os.PathLike[str]) -> tuple[dict[str, pl.DataFrame], RosterRules]:
    """Read the tables and rules of a roster folder.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        ``missing-file``, ``unreadable-file``, and what is wrong in the tables: all at once.
    """
    where = Path(folder)
    problems: list[Problem] = []
    tables: dict[str, pl.DataFrame] = {}
    rules: RosterRules | None = None
    try:
        rules = RosterRules.from_dict(json.loads((where / MARK).read_text("utf-8"))["rules_used"])
    except OSError:
        expected = "a folder of workforce roster"
        problems.append(Problem("missing-file", f"{where} holds no rosters.", MARK, expected=expected))
    except (ValueError, KeyError, TypeError) as error:
        problems.append(Problem("unreadable-file", f"it cannot be read ({error}).", MARK))
    if rules is None:
        raise InputError(problems)
    for name, schema in SCHEMAS.items():
        types = {column: dtype() for column, dtype in schema.items()}
        needed = tuple(column for column in types if column not in ("use_share",))
        try:
            tables[name] = read_table(where / f"{name}.csv", types, needed)
        except InputError as error:
            problems += error.problems
    if problems or rules is None:
        raise InputError(problems)
    return tables, rules
