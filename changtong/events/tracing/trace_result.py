"""A trace as a result: items, ties, and where they are now."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.events.columns import Ints, Longs
from changtong.events.tracing.contact_steps import (
    NEVER,
    Found,
    exposed_places,
    held_places,
    last_seen,
)
from changtong.events.tracing.contacts import ContactIndex, on_cores, places_of, shares_of
from changtong.events.tracing.index_steps import order_found
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
    layers : list of Found
        What each step found; in step 0 from nobody, nowhere (-1).
    """

    exposed: Longs
    step: NDArray[np.int16]
    layers: list[Found]


@dataclass(frozen=True)
class Trace:
    """Everything a source may have exposed, or that may have exposed it.

    What the summary tells is counted at once; a table of millions of rows is made when it is first asked for.

    Attributes
    ----------
    source, key, from_ms, to_ms
        What it began with.
    backward : bool
    steps : int
    through : tuple of str
    linger_h : float
    items_by_step : dict
        Found items by the step their exposure is from.
    receiving : polars.DataFrame
        One row a site where found items are or were seen last: ``site_id``, ``items``,
        ``not_delivered``, ``first_exposed_ms``, ``last_seen_ms``.
    places_held : dict
        How many places of each kind held found items while exposed.
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
    items_by_step: dict[int, int]
    receiving: pl.DataFrame
    places_held: dict[str, int]
    zone: str
    runtime_s: float
    _index: ContactIndex = field(repr=False, compare=False)
    _found: Spread = field(repr=False, compare=False)
    _threads: int = field(repr=False, compare=False)

    @cached_property
    def items(self) -> pl.DataFrame:
        """One row an item, by step, exposure and key.

        ``item`` (key), ``step``, ``exposed_ms`` (earliest; backward: latest time at which it could have been
        exposed to matter), ``tied_to`` (the item before it; null in step 0), ``via`` (kind of place),
        ``site_id``, ``container`` (key of receptacle or vehicle), ``overlap_s``, ``last_site_id``,
        ``last_ms``, ``state`` (under way, delivered, cancelled).
        """
        return _items(self._index, self._found, self.backward)

    @cached_property
    def ties(self) -> pl.DataFrame:
        """One row for each step that made an item's exposure earlier, the last of which is the item's own.

        The chain from an item of step n goes on with the row of ``tied_to`` of the highest step below n.
        """
        return _ties(self._index, self._found, self.backward)

    @cached_property
    def _places(self) -> list[pl.DataFrame]:
        return _places(self._index, self._found, self.backward, self._threads)

    @property
    def sites(self) -> pl.DataFrame:
        """Sites where found items were while exposed: ``from_ms``, ``to_ms`` (null: still), ``stays``."""
        return self._places[0]

    @property
    def receptacles(self) -> pl.DataFrame:
        """Receptacles that held found items while exposed, as ``sites``."""
        return self._places[1]

    @property
    def vehicles(self) -> pl.DataFrame:
        """Vehicles that carried found items while exposed, as ``sites``."""
        return self._places[2]

    def with_tables(
        self, items: pl.DataFrame, ties: pl.DataFrame, receptacles: pl.DataFrame, vehicles: pl.DataFrame
    ) -> Trace:
        """Return the same trace with these tables in the place of its own."""
        made = replace(self)
        made.__dict__.update(items=items, ties=ties, _places=[self.sites, receptacles, vehicles])
        return made

    def received_by(self, site_id: str) -> pl.DataFrame:
        """Return the found items that are at a site now, or were seen there last."""
        return self.items.filter(pl.col("last_site_id").cast(pl.String) == site_id)

    @property
    def not_delivered(self) -> pl.DataFrame:
        """The found items whose way has not ended."""
        return self.items.filter(pl.col("state") == STATES[UNDER_WAY])

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        return {
            "source": self.source,
            "key": self.key,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "backward": self.backward,
            "steps": self.steps,
            "through": list(self.through),
            "linger_h": self.linger_h,
            "items": sum(self.items_by_step.values()),
            "items_by_step": {str(step): count for step, count in self.items_by_step.items()},
            "not_delivered": int(self.receiving["not_delivered"].sum()),
            "receiving_sites": self.receiving["site_id"].drop_nulls().len(),
            "sites": self.places_held["site"],
            "receptacles": self.places_held["receptacle"],
            "vehicles": self.places_held["vehicle"],
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
    counts = np.bincount(found.step + np.int16(1))[1:]  # step -1: not found
    receiving = _receiving(index, found, backward)
    held = _places_held(index, found, backward, threads)
    return Trace(
        source=source,
        key=key,
        from_ms=window[0],
        to_ms=window[1],
        backward=backward,
        steps=steps,
        through=through,
        linger_h=linger_h,
        items_by_step={step: int(count) for step, count in enumerate(counts) if count},
        receiving=receiving,
        places_held=held,
        zone=index.zone,
        runtime_s=time.perf_counter() - began,
        _index=index,
        _found=found,
        _threads=threads,
    )


def _named(numbers: Sequence[int] | NDArray[Any], names: Sequence[str]) -> pl.Series:
    """Return numbers as the names they stand for; null for what is below 0."""
    values = pl.Series(np.asarray(numbers, np.int64))
    return pl.Series(list(names), dtype=pl.Enum(list(names))).gather(values.set(values < 0, None))


def _items(index: ContactIndex, found: Spread, backward: bool) -> pl.DataFrame:
    """Return each found item with its own tie: that of the step its exposure is from."""
    own = []
    for number, layer in enumerate(found.layers):
        last = found.step[layer.item] == number
        own.append(_in_order(index, Found(*(column[last] for column in layer))))
    x = np.concatenate([layer.item for layer in own])
    return pl.concat(
        _tie_columns(index, number, layer, backward) for number, layer in enumerate(own)
    ).with_columns(
        _named(index.last_site[x], index.site_ids).alias("last_site_id"),
        pl.Series("last_ms", index.last_ms[x]),
        _named(index.state[x], STATES).alias("state"),
    )


def _ties(index: ContactIndex, found: Spread, backward: bool) -> pl.DataFrame:
    layers = [_in_order(index, layer) for layer in found.layers[1:]]
    if not layers:
        empty = np.zeros(0, np.int64)
        layers = [Found(empty.astype(np.int32), empty, empty.astype(np.int32), empty.astype(np.int32), empty)]
    return pl.concat(_tie_columns(index, step + 1, layer, backward) for step, layer in enumerate(layers))


def _in_order(index: ContactIndex, layer: Found) -> Found:
    """Return what a step found by exposure, then by key."""
    order = order_found(layer.at, index.table.item_rank[layer.item])
    return Found(*(column[order] for column in layer))


def _tie_columns(index: ContactIndex, step: int, layer: Found, backward: bool) -> pl.DataFrame:
    x, at, by, place, contact = layer
    key, rank = index.table.keys, index.table.item_rank
    kind = np.searchsorted(index.kind_ptr, place, side="right") - 1
    tied = by >= 0
    frame = pl.DataFrame(
        {
            "item": key[rank[x]],
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


def _receiving(index: ContactIndex, found: Spread, backward: bool) -> pl.DataFrame:
    """Return the sites where found items were seen last."""
    count = len(index.site_ids) + 1
    items, still = np.zeros(count, np.int64), np.zeros(count, np.int64)
    first, last = np.empty((2, count), np.int64), np.full(count, -NEVER)
    first[0], first[1] = NEVER, -NEVER
    last_seen(
        found.exposed, index.last_site, index.last_ms, index.state, UNDER_WAY, items, still, first, last
    )
    s = np.flatnonzero(items)
    return pl.DataFrame(
        {
            "site_id": _named(s - 1, index.site_ids).cast(pl.String),
            "items": items[s],
            "not_delivered": still[s],
            "first_exposed_ms": -first[1, s] if backward else first[0, s],
            "last_seen_ms": last[s],
        }
    ).sort("items", "site_id", descending=[True, False])


def _places_held(index: ContactIndex, found: Spread, backward: bool, threads: int) -> dict[str, int]:
    """Count the places where found items were while exposed, by kind."""
    held = np.zeros(len(index.place_key), np.bool_)
    places = _places_touched(index, found)
    weights = np.diff(index.table.ptr)[places]

    def work(low: int, high: int) -> None:
        held_places(index.table, places[low:high], found.exposed, found.step, backward, held)

    on_cores(work, shares_of(weights, threads))
    begins = index.kind_ptr.tolist()
    return {
        kind: int(np.count_nonzero(held[low:high]))
        for kind, (low, high) in zip(KINDS, pairwise(begins), strict=True)
    }


def _places_touched(index: ContactIndex, found: Spread) -> Ints:
    return places_of(index, np.concatenate([layer.item for layer in found.layers]))


def _places(index: ContactIndex, found: Spread, backward: bool, threads: int) -> list[pl.DataFrame]:
    """Return the places where found items were while exposed, by kind."""
    count = len(index.place_key)
    begin, end, stays = np.full(count, NEVER), np.full(count, -NEVER), np.zeros(count, np.int64)
    still = np.zeros(count, np.bool_)
    places = _places_touched(index, found)

    def work(low: int, high: int) -> None:
        exposed_places(
            index.table, index.still, places[low:high], found.exposed, backward, begin, end, stays, still
        )

    on_cores(work, shares_of(np.diff(index.table.ptr)[places], threads))
    frames, rank = [], index.table.place_rank
    for k, kind in enumerate(KINDS):
        p = int(index.kind_ptr[k]) + np.flatnonzero(stays[index.kind_ptr[k] : index.kind_ptr[k + 1]])
        key = index.place_key[rank[p]]
        name = _named(p, index.site_ids).alias("site_id") if k == 0 else pl.Series(kind, key)
        frame = pl.DataFrame([name, *_windows(p, begin, end, stays)]).with_columns(
            pl.when(~pl.Series(still[p])).then("to_ms").alias("to_ms")
        )
        frames.append(frame.sort("from_ms", name.name))
    return frames


def _windows(p: NDArray[np.int64], begin: Longs, end: Longs, stays: Longs) -> list[pl.Series]:
    return [pl.Series("from_ms", begin[p]), pl.Series("to_ms", end[p]), pl.Series("stays", stays[p])]
