"""Speed and memory of generated scan logs, and the hours their items take.

``python benchmarks/scan_logs.py --events 1e7 --json`` writes a log of the national network in each
format to a folder that is thrown away and prints rows a second, processor seconds and peak memory.
Kernels are compiled before the clock starts. Each log is written in a process of its own, so that
its peak is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from changtong.events.generator.generate import generate_scans
from changtong.events.generator.settings import Damage, ScanSettings
from changtong.network.reference import reference_network

DAMAGE = Damage(0.005, 0.01, 0.01, 0.01, 0.001, 0.001, 0.01, 0.05)


def one(level: str, events: int, days: int, kind: str, damaged: bool) -> dict[str, Any]:
    """Write one log and measure it."""
    network = reference_network(level=level)
    with tempfile.TemporaryDirectory() as name:
        generate_scans(network, Path(name) / "first", settings=ScanSettings(events=1_000, format=kind))
        before = resource.getrusage(resource.RUSAGE_SELF)
        begin = time.perf_counter()
        settings = ScanSettings(events=events, days=days, format=kind, damage=DAMAGE if damaged else Damage())
        log = generate_scans(network, Path(name) / "log", settings=settings)
        seconds = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_SELF)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        size = sum(path.stat().st_size for path in log.files)
    return {
        "level": level, "format": kind, "damaged": damaged, "rows": log.rows, "items": log.items, "days": days,
        "seconds": seconds, "rows_per_s": log.rows / seconds, "cpu_s": used, "rows_per_cpu_s": log.rows / used,
        "size_error_share": log.rows / events - 1.0, "mib": size / 2**20, "peak_mib": after.ru_maxrss / 1024,
        "before_mib": before.ru_maxrss / 1024, "spilled_mib": log.spilled_bytes / 2**20,
    }  # fmt: skip


def hours(level: str) -> dict[str, Any]:
    """Return what items of a whole log go through: hours, scans, legs."""
    settings = ScanSettings(events=1_000_000, days=3, header="en", until_delivered=True)
    with tempfile.TemporaryDirectory() as name:
        log = generate_scans(reference_network(level=level), Path(name) / "log", settings=settings)
        columns = ["waybill_no", "scan_type", "scan_time"]
        frame = pl.concat([pl.read_csv(path, columns=columns, infer_schema=False) for path in log.files])
    ends = frame.filter(pl.col("scan_type").is_in(["accept", "deliver"])).with_columns(
        pl.col("scan_time").str.to_datetime("%Y-%m-%d %H:%M:%S")
    )
    whole = ends.group_by("waybill_no").agg(
        h=(pl.col("scan_time").max() - pl.col("scan_time").min()).dt.total_seconds() / 3600, n=pl.len()
    )
    took = whole.filter(pl.col("n") == 2)["h"]
    return {
        "level": level, "scans_per_item": log.rows / log.items, "legs_per_item": log.codes["depart"] / log.items,
        "mean_h": took.mean(), "median_h": took.median(), "within_72_h_share": (took <= 72.0).mean(),
    }  # fmt: skip


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=float, default=1e7)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--level", default="city")
    parser.add_argument("--only", choices=["csv", "parquet", "hours"])
    parser.add_argument("--damaged", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.one == "hours":
        print(json.dumps(hours(given.level)))
        return
    if given.one:
        print(json.dumps(one(given.level, int(given.events), given.days, given.one, given.damaged)))
        return
    found = []
    for part in [given.only] if given.only else ["csv", "parquet", "hours"]:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", part]
        made = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(made.stdout.splitlines()[-1]))
    load = os.getloadavg()[0]
    free_gib = shutil.disk_usage(tempfile.gettempdir()).free / 2**30
    result = {"logs": found, "load": load, "cores": os.cpu_count(), "free_gib": free_gib}
    if given.json:
        print(json.dumps(result, indent=2))
        return
    for log in found:
        print(
            "  ".join(
                f"{name} {value:,.3g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in log.items()
            )
        )


if __name__ == "__main__":
    main()
