"""The forecast as a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from changtong.forecast.closures import Closure
from changtong.network.io import write_whole_folder

COLUMNS = (
    "kind", "from_site", "to_site", "site", "date", "pieces", "low_pieces", "high_pieces", "state", "method",
)  # fmt: skip
SHOWN_SITES = 8
OWN_FILES = {"forecast.json", "forecast.csv", "forecast.parquet", "errors.csv", "report.html"}
FORECAST_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "forecast.json").is_file(),
    "what": "forecast folder (it has no forecast.json)",
    "code": "not-a-forecast",
}


@dataclass(frozen=True)
class Forecast:
    """Volumes of every leg and site ahead, with intervals of 80 %.

    Attributes
    ----------
    name : str
        Of the volumes.
    until : date
        First day of the forecast; the history ends before it.
    days : int
        Days of the forecast.
    frame : polars.DataFrame
        ``kind`` (leg, site or total), ``from_site``, ``to_site``, ``site``, ``date``, ``pieces``,
        ``low_pieces``, ``high_pieces``, ``state`` (active, new, dead), ``method``. A row of kind
        site with a ``to_site`` is what comes in, one with a ``from_site`` what goes out: the sum of the legs.
        The row of kind total is the sum of all legs, with an interval of its own.
    notes : tuple of str
        What a reader must know: what could not be learned, what is assumed, what is silent.
    history_days : int
        Days from the first one of the history on.
    runtime_s : float
    history : polars.DataFrame
        The volumes it was made from: date, from_site, to_site, pieces.
    errors : polars.DataFrame
        Of the same method from earlier days: ``kind``, ``from_day`` and ``to_day`` (null: the last)
        ahead, ``wape`` and ``naive_wape`` (the same weekday of the week before).
    calendar : polars.DataFrame
        Marked days of history and forecast: date, event, part, offset, name.
    closures : tuple of Closure
        The known ones.
    """

    name: str
    until: date
    days: int
    frame: pl.DataFrame
    notes: tuple[str, ...]
    history_days: int
    runtime_s: float
    history: pl.DataFrame = field(default_factory=pl.DataFrame)
    errors: pl.DataFrame = field(default_factory=pl.DataFrame)
    calendar: pl.DataFrame = field(default_factory=pl.DataFrame)
    closures: tuple[Closure, ...] = ()

    @property
    def legs(self) -> pl.DataFrame:
        """The rows of legs."""
        return self.frame.filter(pl.col("kind") == "leg").drop("kind", "site")

    @property
    def sites(self) -> pl.DataFrame:
        """The rows of sites; ``direction`` is in or out."""
        direction = pl.when(pl.col("to_site").is_null()).then(pl.lit("out")).otherwise(pl.lit("in"))
        rows = self.frame.filter(pl.col("kind") == "site")
        return rows.select("site", direction.alias("direction"), *COLUMNS[4:])

    @property
    def total(self) -> pl.DataFrame:
        """The rows of the sum of all legs."""
        return self.frame.filter(pl.col("kind") == "total").select(COLUMNS[4:])

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        legs = self.legs
        by_state = dict(
            legs.select("from_site", "to_site", "state").unique().group_by("state").len().iter_rows()
        )
        daily = legs.group_by("date").agg(pl.col("pieces").sum()).sort("date")
        peak = daily.sort("pieces", "date", descending=[True, False]).row(0)
        return {
            "name": self.name,
            "until": self.until.isoformat(),
            "days": self.days,
            "history_days": self.history_days,
            "legs": sum(by_state.values()),
            "active_legs": by_state.get("active", 0),
            "new_legs": by_state.get("new", 0),
            "dead_legs": by_state.get("dead", 0),
            "sites": self.frame.filter(pl.col("kind") == "site")["site"].n_unique(),
            "pieces_per_day": float(daily["pieces"].mean()),  # type: ignore[arg-type]
            "peak_date": peak[0].isoformat(),
            "peak_pieces": float(peak[1]),
            "notes": list(self.notes),
            "runtime_s": self.runtime_s,
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{s['name']}: {s['days']} days from {s['until']}, from {s['history_days']} days of history",
            f"  legs {s['legs']:,}: active {s['active_legs']:,}, new {s['new_legs']:,}, "
            + f"dead {s['dead_legs']:,} (forecast 0); sites {s['sites']:,}",
            f"  pieces a day {s['pieces_per_day']:,.0f}; most on {s['peak_date']}: {s['peak_pieces']:,.0f}",
            "  busiest sites, largest day        pieces          80 % interval",
        ]
        by = ["pieces", "site", "direction", "date"]
        rows = self.sites.sort(by, descending=[True, False, False, False])
        for row in rows.unique(by[1:3], keep="first", maintain_order=True).head(SHOWN_SITES).to_dicts():
            lines.append(
                f"    {row['site']:<14}{row['direction']:<4}{row['date']}{row['pieces']:>13,.0f}"
                f"{row['low_pieces']:>14,.0f} to {row['high_pieces']:,.0f}"
            )
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def save(self, folder: str | Path, extra: Callable[[Path], object] | None = None) -> Path:
        """Write ``forecast.csv``, ``errors.csv`` and ``forecast.json`` to a folder, whole or not at all.

        Parameters
        ----------
        folder : path
        extra : callable, optional
            Writes more into the folder before it takes its place: the page.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """

        def fill(beside: Path) -> None:
            self.frame.write_csv(beside / "forecast.csv", include_bom=True, float_precision=3)
            self.errors.write_csv(beside / "errors.csv", include_bom=True)
            (beside / "forecast.json").write_text(
                json.dumps(self.summary(), ensure_ascii=False, indent=1), "utf-8"
            )
            if extra is not None:
                extra(beside)

        return write_whole_folder(Path(folder), fill, own_files=OWN_FILES, **FORECAST_FOLDER)
