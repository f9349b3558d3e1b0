"""Stays, contact index and traces on a synthetic scan log: seconds and memory.

``python benchmarks/tracing.py --events 10000000`` makes a log in memory: items with about ten scans over
two weeks, from one of 2,000 offices over one of 80 hubs, in bags (an office, a group of hubs, a day) and
on vehicles (25 offices, two hours; then a hub, 25 offices, a day), then measures each part: seconds by the
clock, and by the processor where other work shares the machine. Kernels are compiled on a small log first.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from changtong.events.columns import CODE_NUMBER, ScanColumns
from changtong.events.tracing.contacts import index_contacts
from changtong.events.tracing.trace import Source, Trace, spread_exposure, trace
from changtong.events.tracing.visits import stays_of

OFFICES, HUBS = 2_000, 80
H_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 1_767_225_600_000
DAYS = 14
WAY = (
    ("accept", 0, 0.0), ("pack", 0, 2.0), ("load", 0, 3.0), ("depart", 0, 4.0), ("unload", 1, 9.0),
    ("sort", 1, 11.0), ("load", 1, 14.0), ("unload", 2, 24.0), ("sort", 2, 26.0), ("deliver", 2, 34.0),
)  # fmt: skip
"""Code, which site of the way, hours after acceptance."""


def make_log(events: int, seed: int = 1) -> ScanColumns:
    """Return a log in order of time."""
    rng = np.random.default_rng(seed)
    items = events // len(WAY)
    key = rng.integers(1, 2**62, items)
    begin = START_MS + rng.integers(0, DAYS * DAY_MS, items)
    origin, hub, dest = (
        rng.integers(0, OFFICES, items),
        rng.integers(0, HUBS, items),
        rng.integers(0, OFFICES, items),
    )
    day, slot = begin // DAY_MS, begin // (2 * H_MS)
    bag = _key_of(origin * 1000 + hub // 10, day)
    cars = _key_of(origin // 25, slot + (1 << 20)), _key_of(hub * 3000 + dest // 25, day + (1 << 30))
    columns: dict[str, list[Any]] = {name: [] for name in ("at", "item", "bag", "car", "site", "code")}
    lost = rng.random(items) < 0.02
    zero = np.zeros(items, np.int64)
    for code, where, after in WAY:
        keep = ~lost if code == "deliver" else np.ones(items, np.bool_)
        jitter = rng.integers(0, H_MS // 2, items)
        columns["at"].append((begin + int(after * H_MS) + jitter)[keep])
        columns["item"].append(key[keep])
        in_bag = code in ("pack", "load", "depart", "unload") and where < 2 and after < 10
        columns["bag"].append((bag if in_bag else zero)[keep])
        on_car = code in ("load", "depart", "unload")
        columns["car"].append((cars[0 if after < 10 else 1] if on_car else zero)[keep])
        columns["site"].append(((origin, OFFICES + hub, dest)[where])[keep].astype(np.int32))
        columns["code"].append(np.full(keep.sum(), CODE_NUMBER[code], np.int8))
    at = np.concatenate(columns["at"])
    order = np.argsort(at, kind="stable")
    return ScanColumns(
        at_ms=at[order],
        item=np.concatenate(columns["item"])[order],
        receptacle=np.concatenate(columns["bag"])[order],
        vehicle=np.concatenate(columns["car"])[order],
        site=np.concatenate(columns["site"])[order],
        code=np.concatenate(columns["code"])[order],
        site_ids=tuple(f"S{k:05d}" for k in range(OFFICES + HUBS)),
    )


def _key_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a key that two numbers together always have."""
    with np.errstate(over="ignore"):
        x = (a.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ (
            b.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
        )
        x ^= x >> np.uint64(31)
        x *= np.uint64(0xD6E8FEB86659FD93)
    return (x >> np.uint64(1)).astype(np.int64) | 1


def tables(made: Trace) -> tuple[pl.DataFrame, ...]:
    """Return the tables of a trace, which are made when they are asked for."""
    return made.items, made.ties, made.sites


def measure(events: int, runs: int) -> dict[str, Any]:
    """Return seconds of each part, the median of some runs."""
    out: dict[str, Any] = {"events": events, "threads": 2}

    def clock(name: str, work: Callable[[], Any]) -> Any:
        seconds, processor, made = [], [], None
        for _ in range(runs):
            begin, cpu = time.perf_counter(), time.process_time()
            made = work()
            processor.append(time.process_time() - cpu)
            seconds.append(time.perf_counter() - begin)
        out[name] = round(float(np.median(seconds)), 3)
        out[f"{name}_processor"] = round(float(np.median(processor)), 3)
        print(f"{name:<44}{out[name]:>10.3f}{out[name + '_processor']:>10.3f}", flush=True)
        return made

    log = make_log(events)
    out["log_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    stays = clock("stays_s", lambda: stays_of(log))
    index = clock("index_from_stays_s", lambda: index_contacts(stays))
    out |= {"items": index.items, "stays": index.stays, "index_mib": index.nbytes >> 20}
    hub, office = log.site_ids[OFFICES + 3], log.site_ids[7]
    for day in (2, DAYS // 2):
        window = START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS
        for site, what in ((hub, "hub"), (office, "office")):
            source = Source("site", site, *window)
            for backward in (False, True):
                name = f"{what}_day_{day}_{'back' if backward else 'onward'}"
                made = clock(f"{name}_s", lambda s=source, b=backward: trace(index, s, backward=b))
                out[f"{name}_items"] = made.summary()["items"]
                clock(
                    f"{name}_with_tables_s", lambda s=source, b=backward: tables(trace(index, s, backward=b))
                )
            clock(
                f"{what}_day_{day}_exposure_alone_s",
                lambda s=source: spread_exposure(
                    index, s, backward=False, steps=2, through=("site", "receptacle", "vehicle"), linger_ms=0
                ),
            )
            through = ("receptacle", "vehicle")
            made = clock(
                f"{what}_day_{day}_bags_vehicles_s", lambda s=source, t=through: trace(index, s, through=t)
            )
            out[f"{what}_day_{day}_bags_vehicles_items"] = made.summary()["items"]
    item = Source("item", int(index.table.keys[index.items // 2]))
    made = clock(
        "item_through_bags_and_vehicles_s", lambda: trace(index, item, through=("receptacle", "vehicle"))
    )
    out["item_items"] = made.summary()["items"]
    out["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    measure(100_000, 1)
    print("compiled", flush=True)
    print(json.dumps(measure(arguments.events, arguments.runs), indent=1))


if __name__ == "__main__":
    main()
