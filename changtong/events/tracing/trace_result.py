"""A trace as a result: items, ties, and where they are now."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.events.columns import Ints, Longs
from changtong.events.tracing.contact_steps import NEVER, exposed_places
from changtong.events.tracing.contacts import ContactIndex, on_cores, places_of, shares_of
from changtong.events.tracing.visit_steps import KINDS, STATES, UNDER_WAY
from changtong.network.io import write_whole_folder

TABLES = ("items", "ties", "receiving", "sites", "receptacles", "vehicles")
SHOWN_SITES = 8
CSV_UP_TO = 200_000
"""Rows up to which a table is written as CSV; a longer one is written as Parquet."""

OWN_FILES = {"trace.json", *(f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet"))}
TRACE_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "trace.json").is_file(),
    "what": "trace folder (it has no trace.json)",
    "code": "not-a-trace",
}


@dataclass(frozen=True)
class Spread:
    """Exposures as arrays: times are reversed (negative) in a backward trace.

    Attributes
    ----------
    exposed : array of int64, (items,)
    step : array of int16, (items,)
    layers : list
        For each step: items, exposure, from whom, at which place (-1 in step 0), contact in ms.
    """

    exposed: Longs
    step: NDArray[np.int16]
    layers: list[tuple[Ints, Longs, Ints, Ints, Longs]]


@dataclass(frozen=True)
class Trace:
    """Everything a source may have exposed, or that may have exposed it.

    Attributes
    ----------
    source, key, from_ms, to_ms
        What it began with.
    backward : bool
    steps : int
    through : tuple of str
    linger_h : float
    items : polars.DataFrame
        One row an item: ``item`` (key), ``step``, ``exposed_ms`` (earliest; backward: latest time at which it
        could have been exposed to matter), ``tied_to`` (the item before it; null in step 0), ``via`` (kind of
        place), ``site_id``, ``container`` (key of receptacle or vehicle), ``overlap_s``, ``last_site_id``,
        ``last_ms``, ``state`` (under way, delivered, cancelled). By step, exposure and key.
    ties : polars.DataFrame
        One row for each step that made an item's exposure earlier, the last of which is the item's own:
        the chain from an item of step n goes on with the row of ``tied_to`` of the highest step below n.
    receiving : polars.DataFrame
        One row a site where found items are or were seen last: ``site_id``, ``items``,
        ``not_delivered``, ``first_exposed_ms``, ``last_seen_ms``.
    sites, receptacles, vehicles : polars.DataFrame
        Places where found items were while exposed: ``from_ms``, ``to_ms`` (null: an item is still there),
        ``stays``.
    zone : str
    runtime_s : float
    """

    source: str
    key: str | int
    from_ms: int | None
    to_ms: int | None
    backward: bool
    steps: int
    through: tuple[str, ...]
    linger_h: float
    items: pl.DataFrame
    ties: pl.DataFrame
    receiving: pl.DataFrame
    sites: pl.DataFrame
    receptacles: pl.DataFrame
    vehicles: pl.DataFrame
    zone: str
    runtime_s: float

    def received_by(self, site_id: str) -> pl.DataFrame:
        """Return the found items that are at a site now, or were seen there last."""
        return self.items.filter(pl.col("last_site_id").cast(pl.String) == site_id)

    @property
    def not_delivered(self) -> pl.DataFrame:
        """The found items whose way has not ended."""
        return self.items.filter(pl.col("state") == STATES[UNDER_WAY])

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        by_step = dict(self.items.group_by("step").len().sort("step").iter_rows())
        return {
            "source": self.source,
            "key": self.key,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "backward": self.backward,
            "steps": self.steps,
            "through": list(self.through),
            "linger_h": self.linger_h,
            "items": self.items.height,
            "items_by_step": {str(step): count for step, count in by_step.items()},
            "not_delivered": self.not_delivered.height,
            "receiving_sites": self.receiving["site_id"].drop_nulls().len(),
            "sites": self.sites.height,
            "receptacles": self.receptacles.height,
            "vehicles": self.vehicles.height,
            "runtime_s": self.runtime_s,
        }

    def to_json(self) -> str:
        """Return the summary and the list of receiving sites as one JSON object."""
        facts = self.summary() | {"receiving": self.receiving.to_dicts()}
        return json.dumps(facts, ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        window = ""
        if self.from_ms is not None or self.to_ms is not None:
            window = f", {self._shown(self.from_ms)} to {self._shown(self.to_ms)}"
        way = "back" if self.backward else "onward"
        named = f" {self.key}" if self.source == "site" else ""
        by_step = ", ".join(f"step {step}: {count:,}" for step, count in s["items_by_step"].items())
        lines = [
            f"Trace {way} from {self.source}{named}{window}: {self.steps} steps through "
            + f"{', '.join(self.through)} in {self.runtime_s:.2f} s",
            f"  items {s['items']:,} ({by_step or 'none'}); not yet delivered {s['not_delivered']:,}",
            f"  they were at {s['sites']:,} sites, in {s['receptacles']:,} receptacles, "
            + f"on {s['vehicles']:,} vehicles",
            "  seen last at           items  not delivered   last seen",
        ]
        shown = self.receiving.head(SHOWN_SITES)
        for row in shown.to_dicts():
            site = row["site_id"] or "(no site known)"
            counts = f"{row['items']:>10,}{row['not_delivered']:>15,}"
            lines.append(f"    {site:<16}{counts}   {self._shown(row['last_seen_ms'])}")
        if self.receiving.height > shown.height:
            lines.append(f"    … and {self.receiving.height - shown.height:,} more sites")
        return "\n".join(lines)

    def _shown(self, at_ms: int | None) -> str:
        """Return an instant in the log's zone, as a person reads it."""
        if at_ms is None:
            return "…"
        return (
            datetime.fromtimestamp(at_ms / 1000, UTC)
            .astimezone(ZoneInfo(self.zone))
            .strftime("%Y-%m-%d %H:%M")
        )

    def save(self, folder: str | Path) -> Path:
        """Write the tables and ``trace.json`` to a folder, whole or not at all.

        Tables are CSV; those of more than 200,000 rows are Parquet.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """

        def fill(beside: Path) -> None:
            for name in TABLES:
                table: pl.DataFrame = getattr(self, name)
                if table.height > CSV_UP_TO:
                    table.write_parquet(beside / f"{name}.parquet")
                else:
                    table.write_csv(beside / f"{name}.csv", include_bom=True)
            (beside / "trace.json").write_text(self.to_json(), "utf-8")

        return write_whole_folder(Path(folder), fill, own_files=OWN_FILES, **TRACE_FOLDER)


def make_trace(
    index: ContactIndex,
    found: Spread,
    *,
    source: str,
    key: str | int,
    window: tuple[int | None, int | None],
    backward: bool,
    steps: int,
    through: tuple[str, ...],
    linger_h: float,
    began: float,
    threads: int,
) -> Trace:
    """Return exposures as a result; ``began`` is when the work did, by the process's clock."""
    ties = _ties(index, found, backward)
    items = _items(index, found, backward)
    sites, receptacles, vehicles = _places(index, found, backward, threads)
    return Trace(
        source=source,
        key=key,
        from_ms=window[0],
        to_ms=window[1],
        backward=backward,
        steps=steps,
        through=through,
        linger_h=linger_h,
        items=items,
        ties=ties,
        receiving=_receiving(items),
        sites=sites,
        receptacles=receptacles,
        vehicles=vehicles,
        zone=index.zone,
        runtime_s=time.perf_counter() - began,
    )


def _named(numbers: Sequence[int] | NDArray[Any], names: Sequence[str]) -> pl.Series:
    """Return numbers as the names they stand for; null for what is below 0."""
    values = pl.Series(np.asarray(numbers, np.int64))
    return pl.Series(list(names), dtype=pl.Enum(list(names))).gather(values.set(values < 0, None))


def _items(index: ContactIndex, found: Spread, backward: bool) -> pl.DataFrame:
    """Return each found item with its own tie: that of the step its exposure is from."""
    own = []
    for number, (x, at, by, place, contact) in enumerate(found.layers):
        last = found.step[x] == number
        own.append(
            _tie_columns(index, number, (x[last], at[last], by[last], place[last], contact[last]), backward)
        )
    frame = pl.concat(own)
    x = np.concatenate([layer[0][found.step[layer[0]] == k] for k, layer in enumerate(found.layers)])
    return frame.with_columns(
        _named(index.last_site[x], index.site_ids).alias("last_site_id"),
        pl.Series("last_ms", index.last_ms[x]),
        _named(index.state[x], STATES).alias("state"),
    )


def _ties(index: ContactIndex, found: Spread, backward: bool) -> pl.DataFrame:
    frames = [_tie_columns(index, step, layer, backward) for step, layer in enumerate(found.layers) if step]
    if not frames:
        empty = np.zeros(0, np.int64)
        frames = [_tie_columns(index, 1, (empty, empty, empty, empty, empty), backward)]  # type: ignore[arg-type]
    return pl.concat(frames)


def _tie_columns(
    index: ContactIndex, step: int, layer: tuple[Ints, Longs, Ints, Ints, Longs], backward: bool
) -> pl.DataFrame:
    x, at, by, place, contact = layer
    key = index.table.item_key
    kind = np.searchsorted(index.kind_ptr, place, side="right") - 1
    tied = by >= 0
    frame = pl.DataFrame(
        {
            "item": key[x],
            "step": np.full(len(x), step, np.int16),
            "exposed_ms": -at if backward else at,
            "tied_to": key[np.maximum(by, 0)],
            "via": _named(np.where(tied, kind, -1), KINDS),
            "site_id": _named(np.where(tied & (kind == 0), place, -1), index.site_ids),
            "container": np.append(index.place_key, 0)[place],  # -1: the 0 behind them
            "overlap_s": contact / 1000,
        }
    )
    return frame.with_columns(
        pl.when(pl.col("via").is_not_null()).then("tied_to").alias("tied_to"),
        pl.when(pl.col("via").is_not_null()).then("overlap_s").alias("overlap_s"),
        pl.when(pl.col("via").is_not_null() & pl.col("site_id").is_null())
        .then("container")
        .alias("container"),
    )


def _receiving(items: pl.DataFrame) -> pl.DataFrame:
    return (
        items.group_by(pl.col("last_site_id").cast(pl.String).alias("site_id"))
        .agg(
            pl.len().cast(pl.Int64).alias("items"),
            (pl.col("state") == STATES[UNDER_WAY]).sum().cast(pl.Int64).alias("not_delivered"),
            pl.col("exposed_ms").min().alias("first_exposed_ms"),
            pl.col("last_ms").max().alias("last_seen_ms"),
        )
        .sort("items", "site_id", descending=[True, False])
    )


def _places(index: ContactIndex, found: Spread, backward: bool, threads: int) -> list[pl.DataFrame]:
    """Return the places where found items were while exposed, by kind."""
    count = len(index.place_key)
    begin, end, stays = np.full(count, NEVER), np.full(count, -NEVER), np.zeros(count, np.int64)
    still = np.zeros(count, np.bool_)
    items = np.concatenate([layer[0] for layer in found.layers])
    places = places_of(index, items.astype(np.int32))

    def work(low: int, high: int) -> None:
        exposed_places(
            index.table, index.still, places[low:high], found.exposed, backward, begin, end, stays, still
        )

    on_cores(work, shares_of(np.diff(index.table.ptr)[places], threads))
    frames = []
    for k, kind in enumerate(KINDS):
        p = int(index.kind_ptr[k]) + np.flatnonzero(stays[index.kind_ptr[k] : index.kind_ptr[k + 1]])
        name = _named(p, index.site_ids).alias("site_id") if k == 0 else pl.Series(kind, index.place_key[p])
        frame = pl.DataFrame([name, *_windows(p, begin, end, stays)]).with_columns(
            pl.when(~pl.Series(still[p])).then("to_ms").alias("to_ms")
        )
        frames.append(frame.sort("from_ms", name.name))
    return frames


def _windows(p: NDArray[np.int64], begin: Longs, end: Longs, stays: Longs) -> list[pl.Series]:
    return [pl.Series("from_ms", begin[p]), pl.Series("to_ms", end[p]), pl.Series("stays", stays[p])]
