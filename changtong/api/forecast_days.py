"""Forecasts day by day as the map takes them, those last looked at kept at hand."""

from __future__ import annotations

import gzip
import json
import threading
from collections import OrderedDict
from pathlib import Path

import polars as pl

KEPT = 6
"""Forecasts at hand: one of 20,000 legs and a month takes some ten megabytes."""


class ForecastDays:
    """A forecast, day by day, as the map takes it; packed."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.sites = frozenset(frame.filter(pl.col("kind") == "site")["site"])
        self.parts = {
            str(day): _packed(str(day), rows)
            for (day,), rows in sorted(frame.partition_by("date", as_dict=True).items())
        }


class ForecastShelf:
    """Forecasts of runs at hand: a result does not change."""

    def __init__(self) -> None:
        self._read: OrderedDict[str, ForecastDays] = OrderedDict()
        self._lock = threading.Lock()

    def days(self, run_id: str, file: Path) -> ForecastDays:
        """Return the days of a run's forecast, from its table ``forecast.csv``; read once."""
        with self._lock:
            if (known := self._read.get(run_id)) is not None:
                self._read.move_to_end(run_id)
                return known
            texts = dict.fromkeys(("kind", "from_site", "to_site", "site", "date"), pl.String)
            made = self._read[run_id] = ForecastDays(pl.read_csv(file, schema_overrides=texts))
            if len(self._read) > KEPT:
                self._read.popitem(last=False)
        return made


def _packed(day: str, rows: pl.DataFrame) -> bytes:
    """Return a day as columns: a site has what comes in; legs name their sites by place in ``sites.id``."""
    of_sites = rows.filter(pl.col("kind") == "site", pl.col("to_site").is_not_null())
    legs, total = rows.filter(pl.col("kind") == "leg"), rows.filter(pl.col("kind") == "total")
    names = sorted({*of_sites["site"], *legs["from_site"], *legs["to_site"]})
    place = {name: k for k, name in enumerate(names)}
    at = pl.DataFrame({"site": names}, schema={"site": pl.String}).join(
        of_sites, on="site", how="left", maintain_order="left"
    )
    told = {
        "day": day,
        "sites": {"id": names} | _interval(at),
        "legs": {
            "from": [place[name] for name in legs["from_site"]],
            "to": [place[name] for name in legs["to_site"]],
        }
        | _interval(legs),
        "total": {name: values[0] if values else None for name, values in _interval(total).items()},
    }
    return gzip.compress(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(), 5, mtime=0)


def _interval(rows: pl.DataFrame) -> dict[str, list[float | None]]:
    names = {"pieces": "pieces", "low": "low_pieces", "high": "high_pieces"}
    return {name: rows[column].cast(pl.Float64).round(1).to_list() for name, column in names.items()}
