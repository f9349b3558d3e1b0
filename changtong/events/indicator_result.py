"""The indicators of a day as a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.network.io import write_whole_folder

VALUE_COLUMNS: dict[str, Any] = {
    "indicator": pl.String, "dimension": pl.String, "member": pl.String, "hour": pl.Int64,
    "value": pl.Float64, "pieces": pl.Int64,
}  # fmt: skip
FLOW_COLUMNS: dict[str, Any] = {
    "indicator": pl.String, "from_region": pl.String, "to_region": pl.String, "value": pl.Float64,
}  # fmt: skip
CLOSED_COLUMNS: dict[str, Any] = {
    "site_id": pl.String, "name": pl.String, "kind": pl.String, "region": pl.String, "operator": pl.String,
    "last_scan_ms": pl.Int64, "silent_h": pl.Float64, "usual_scans": pl.Float64,
}  # fmt: skip

SHOWN = (
    ("accepted", "accepted_pieces"), ("delivered", "delivered_pieces"), ("in transit", "in_transit_pieces"),
    ("at sites", "backlog_pieces"), ("  over 24 h", "backlog_over_24h_pieces"),
    ("  over 72 h", "backlog_over_72h_pieces"), ("backlog age, median", "backlog_age_p50_h"),
    ("dwell, median", "dwell_p50_h"), ("dwell, 95 %", "dwell_p95_h"),
    ("origin handling, mean", "origin_handling_mean_h"), ("transport, mean", "transport_mean_h"),
    ("destination handling, mean", "destination_handling_mean_h"), ("delivery, mean", "delivery_mean_h"),
    ("on time, 72 h", "on_time_72h_share"), ("on time, promise", "on_time_promise_share"),
    ("closed sites", "closed_sites"), ("closed share", "closed_share"), ("registered", "registered_share"),
    ("inspected", "inspected_share"), ("screened", "screened_share_of_delivered"),
)  # fmt: skip
SHOWN_SITES = 5
OWN_FILES = {"indicators.json", "values.parquet", "values.csv", "flows.csv", "closed_sites.csv"}
INDICATOR_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "indicators.json").is_file(),
    "what": "folder of indicators (it has no indicators.json)",
    "code": "not-indicators",
}


@dataclass(frozen=True)
class Indicators:
    """Indicators of one day.

    Attributes
    ----------
    day : date
    zone : str
        Of days and hours.
    as_of : datetime
        What was scanned later is left out.
    has_scans : bool
        Whether the log has a scan on the day.
    look_back_days : int
    engine : str
        ``duckdb`` or ``spark``.
    values : polars.DataFrame
        ``indicator``, ``dimension`` (all, site, region, operator, service_class, kind), ``member`` (of the
        dimension; empty for all and where it is not known), ``hour`` (of the day from 0; null: the whole
        day), ``value``, ``pieces`` (how many items or sites it rests on), ``day_before``, ``year_before``
        (null where not known), ``data_age_h``, ``confidence``. The unit is the ending of
        the indicator's name.
    flows : polars.DataFrame
        ``indicator``, ``from_region``, ``to_region``, ``value``, ``day_before``, ``year_before``.
    closed_sites : polars.DataFrame
        ``site_id``, ``name``, ``kind``, ``region``, ``operator``, ``last_scan_ms``, ``silent_h``,
        ``usual_scans`` (a day), the largest first.
    notes : tuple of str
        What a reader must know: what is missing and what cannot be compared.
    runtime_s : float
    """

    day: date
    zone: str
    as_of: datetime
    has_scans: bool
    look_back_days: int
    engine: str
    values: pl.DataFrame
    flows: pl.DataFrame
    closed_sites: pl.DataFrame
    notes: tuple[str, ...]
    runtime_s: float

    @property
    def totals(self) -> pl.DataFrame:
        """The values of all items and sites over the whole day."""
        rows = self.values.filter((pl.col("dimension") == "all") & pl.col("hour").is_null())
        return rows.drop("dimension", "member", "hour")

    def by(self, dimension: str, indicator: str) -> pl.DataFrame:
        """Return one indicator over the whole day by site, region, operator, service_class or kind."""
        here = (pl.col("dimension") == dimension) & (pl.col("indicator") == indicator)
        return self.values.filter(here & pl.col("hour").is_null()).drop("indicator", "dimension", "hour")

    def hours(self, indicator: str) -> pl.DataFrame:
        """Return one indicator of all items by hour of the day."""
        here = (pl.col("dimension") == "all") & (pl.col("indicator") == indicator)
        return self.values.filter(here & pl.col("hour").is_not_null()).drop(
            "indicator", "dimension", "member"
        )

    def value(self, indicator: str, dimension: str = "all", member: str = "") -> float | None:
        """Return one value of the whole day; None where it is not known."""
        rows = self.by(dimension, indicator).filter(pl.col("member") == member)["value"]
        return rows[0] if len(rows) else None

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        totals = {
            row["indicator"]: {name: row[name] for name in ("value", "pieces", "day_before", "year_before")}
            for row in self.totals.to_dicts()
        }
        return {
            "day": self.day.isoformat(),
            "zone": self.zone,
            "as_of": self.as_of.isoformat(),
            "has_scans": self.has_scans,
            "look_back_days": self.look_back_days,
            "engine": self.engine,
            "data_age_h": self.value("data_age_h"),
            "confidence": self.value("confidence"),
            "totals": totals,
            "closed_sites": self.closed_sites.to_dicts(),
            "notes": list(self.notes),
            "runtime_s": self.runtime_s,
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        age, confidence = self.value("data_age_h"), self.value("confidence")
        lines = [
            f"Indicators of {self.day} ({self.zone}), as of {self.as_of:%Y-%m-%d %H:%M}",
            f"  newest scan {_shown(age, 'x_h')} before; confidence {_shown(confidence, 'x_share')}",
            f"  {'':<28}{'the day':>15}{'day before':>15}{'year before':>15}",
        ]
        rows = {row["indicator"]: row for row in self.totals.to_dicts()}
        for words, indicator in SHOWN:
            if indicator not in rows:
                continue
            row = rows[indicator]
            here = row["value"]
            cells = [_shown(here, indicator)]
            cells += [_compared(here, row[other], indicator) for other in ("day_before", "year_before")]
            lines.append(f"  {words:<28}" + "".join(f"{cell:>15}" for cell in cells))
        closed = self.closed_sites
        if closed.height:
            names = [f"{row['name'] or row['site_id']}" for row in closed.head(SHOWN_SITES).to_dicts()]
            more = f" and {closed.height - len(names)} more" if closed.height > len(names) else ""
            lines.append(f"  closed: {', '.join(names)}{more}")
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def save(self, folder: str | Path, extra: Callable[[Path], object] | None = None) -> Path:
        """Write the frames and ``indicators.json`` to a folder, whole or not at all.

        ``values.parquet`` holds every row, ``values.csv`` those of the whole day.

        Parameters
        ----------
        folder : path
        extra : callable, optional
            Writes more into the folder before it takes its place.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """

        def fill(beside: Path) -> None:
            self.values.write_parquet(beside / "values.parquet")
            whole_day = self.values.filter(pl.col("hour").is_null()).drop("hour")
            whole_day.write_csv(beside / "values.csv", include_bom=True)
            self.flows.write_csv(beside / "flows.csv", include_bom=True)
            self.closed_sites.write_csv(beside / "closed_sites.csv", include_bom=True)
            text = json.dumps(self.summary(), ensure_ascii=False, indent=1, allow_nan=False)
            (beside / "indicators.json").write_text(text, "utf-8")
            if extra is not None:
                extra(beside)

        return write_whole_folder(Path(folder), fill, own_files=OWN_FILES, **INDICATOR_FOLDER)


def _shown(value: float | None, indicator: str) -> str:
    """Return a value with its unit, which is the ending of the indicator's name."""
    if value is None:
        return "not known"
    if "_share" in indicator:
        return f"{value:.1%}"
    if indicator.endswith("_h"):
        return f"{value:,.1f} h"
    return f"{value:,.0f}"


def _compared(here: float | None, other: float | None, indicator: str) -> str:
    """Return how the day differs from another one."""
    if here is None or other is None:
        return "-"
    if "_share" in indicator:
        return f"{100 * (here - other):+.1f} points"
    if indicator.endswith("_h"):
        return f"{here - other:+,.1f} h"
    if other == 0:
        return f"{here - other:+,.0f}"
    return f"{here / other - 1:+.1%}"
