"""Ingest and indicators of the scan log beside DuckDB, Polars and Spark, and how they grow.

``python benchmarks/scan_queries.py ingest FILE.csv`` brings a CSV file of scans into a log and has DuckDB (snappy and
zstd) and Polars copy the same file to Parquet. ``indicators LOG/ DATE`` computes all indicators of a day, by kernels
and by queries, and runs one query for each indicator as written by hand (``hand_queries.py``) on raw DuckDB, and a
part of them in Polars. ``spark LOG/ DATE`` gives Spark's seconds beside DuckDB's on the same queries. ``growth FOLDER``
makes logs of 10⁶ … 10⁸ scans there, measures both and draws them. Every part runs in a process of its own, so
that its peak memory is its own; a figure is the median of ``--runs``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
from hand_queries import HAND_WRITTEN
from part_clock import watch

from changtong.events.engine import DuckDBEngine, open_duckdb, open_spark
from changtong.events.indicators import indicators
from changtong.events.ingest import ingest
from changtong.events.log import create_log, open_log
from changtong.events.mapping import read_mapping

LOOK_BACK_DAYS = 30
WRITTEN = "SELECT * FROM read_csv(?, all_varchar = true)"


def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.execute("SET memory_limit = '4GiB'")
    connection.execute("SET preserve_insertion_order = false")
    return connection


def ours(file: Path, folder: Path) -> dict[str, Any]:
    """Bring the file into a log."""
    made = ingest([file], create_log(folder / "log"), read_mapping(file.with_name("mapping.toml")))
    return {name: made.total(name) for name in ("rows_read", "rows_added", "duplicates", "quarantined")}


def duckdb_copy(file: Path, folder: Path, compression: str) -> dict[str, Any]:
    """Have DuckDB copy the file to Parquet, all columns as text."""
    _duckdb().execute(
        f"COPY ({WRITTEN}) TO '{folder / 'copy.parquet'}' (COMPRESSION {compression})", [str(file)]
    )
    return {"bytes": (folder / "copy.parquet").stat().st_size}


def polars_copy(file: Path, folder: Path) -> dict[str, Any]:
    """Have Polars copy the file to Parquet, all columns as text."""
    pl.scan_csv(file, infer_schema=False).sink_parquet(folder / "copy.parquet", compression="snappy")
    return {"bytes": (folder / "copy.parquet").stat().st_size}


def whole(log_folder: Path, day: date, by_query: bool) -> dict[str, Any]:
    """Compute all indicators of a day beside the day before."""
    log = open_log(log_folder)
    engine = open_duckdb(log.files(day - timedelta(days=LOOK_BACK_DAYS + 1), day), log.sites)
    source = DuckDBEngine(engine.connection) if by_query else engine
    seconds = watch(source)
    found = indicators(source, day, zone=log.zone, look_back_days=LOOK_BACK_DAYS, year_before=False)
    return {"rows": found.values.height, "by_query_s": {k: round(v, 2) for k, v in seconds.items()}}


def limits(day: date, zone: str) -> tuple[int, int]:
    """Return the first instant of a day, and of the day after."""
    begin, end = (
        datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)) for d in (day, day + timedelta(days=1))
    )
    return round(begin.timestamp() * 1000), round(end.timestamp() * 1000)


def by_hand(log_folder: Path, day: date) -> dict[str, Any]:
    """Run each query written by hand."""
    log = open_log(log_folder)
    begin, end = limits(day, log.zone)
    base = begin - LOOK_BACK_DAYS * 86_400_000
    connection = _duckdb()
    connection.from_arrow(log.sites.to_arrow()).create("sites")
    files = [str(file) for file in log.files(day - timedelta(days=LOOK_BACK_DAYS + 1), day)]
    connection.from_parquet(files, hive_partitioning=False).create_view("raw")
    connection.execute(f"CREATE VIEW ev AS SELECT * FROM raw WHERE at_ms >= {base} AND at_ms < {end}")
    seconds = {}
    for name, query in HAND_WRITTEN.items():
        zero = time.perf_counter()
        connection.execute(query.format(begin=begin, end=end, base=base)).to_arrow_table()
        seconds[name] = round(time.perf_counter() - zero, 3)
    return {"by_query_s": seconds}


def in_polars(log_folder: Path, day: date) -> dict[str, Any]:
    """Count accepted, delivered and waiting items by site in Polars: a part of what the indicators give."""
    log = open_log(log_folder)
    begin, end = limits(day, log.zone)
    files = log.files(day - timedelta(days=LOOK_BACK_DAYS + 1), day)
    scans = (
        pl.scan_parquet(files, hive_partitioning=False)
        .filter(pl.col("item").is_not_null() & (pl.col("at_ms") < end))
        .select("item", "at_ms", pl.col("code").cast(pl.String), pl.col("site_id").cast(pl.String))
    )
    seconds = {}
    gone = ("depart", "out_for_delivery", "deliver", "cancel")
    dwell = pl.col("at_ms") - pl.col("at_ms").shift(1).over("item", order_by="at_ms")
    queries = {
        "accepted": scans.filter(pl.col("code") == "accept").group_by("item").agg(
            pl.col("at_ms").min(), pl.col("site_id").sort_by("at_ms").first()
        ).filter(pl.col("at_ms") >= begin).group_by("site_id").len(),
        "backlog": scans.group_by("item").agg(pl.col("code", "site_id").sort_by("at_ms").last()).filter(
            ~pl.col("code").is_in(gone)
        ).group_by("site_id").len(),
        "dwell": scans.with_columns(dwell.alias("dwell_ms")).filter(pl.col("at_ms") >= begin).group_by(
            "site_id"
        ).agg(pl.col("dwell_ms").median()),
    }  # fmt: skip
    for name, query in queries.items():
        zero = time.perf_counter()
        query.collect(engine="streaming")
        seconds[name] = round(time.perf_counter() - zero, 3)
    return {"by_query_s": seconds}


def spark(log_folder: Path, day: date) -> dict[str, Any]:
    """Run the same queries on a local Spark of two cores."""
    log = open_log(log_folder)
    files = log.files(day - timedelta(days=LOOK_BACK_DAYS + 1), day)
    source = open_spark(files, log.sites, master="local[2]")
    zero = time.perf_counter()
    found = indicators(source, day, zone=log.zone, look_back_days=LOOK_BACK_DAYS, year_before=False)
    return {"rows": found.values.height, "without_start_s": round(time.perf_counter() - zero, 1)}


def _parts(given: argparse.Namespace) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Return what there is to run, each given a folder of its own."""
    path = Path(given.path)
    if given.what == "ingest":
        return {
            "ours": lambda folder: ours(path, folder),
            "duckdb snappy": lambda folder: duckdb_copy(path, folder, "snappy"),
            "duckdb zstd": lambda folder: duckdb_copy(path, folder, "zstd"),
            "polars": lambda folder: polars_copy(path, folder),
        }
    day = date.fromisoformat(given.day)
    if given.what == "spark":
        return {"spark": lambda _: spark(path, day), "ours by query": lambda _: whole(path, day, True)}
    return {
        "ours": lambda _: whole(path, day, False),
        "ours by query": lambda _: whole(path, day, True),
        "written by hand": lambda _: by_hand(path, day),
        "polars, three of them": lambda _: in_polars(path, day),
    }


def run_one(given: argparse.Namespace) -> dict[str, Any]:
    """Run one part and measure it."""
    folder = Path(mkdtemp(dir=given.folder))
    try:
        zero, cpu = time.perf_counter(), _cpu()
        told = _parts(given)[given.one](folder)
        seconds, cpu_s = time.perf_counter() - zero, _cpu() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": seconds, "cpu_s": cpu_s, "peak_mib": peak, **told}
    finally:
        shutil.rmtree(folder)


def _cpu() -> float:
    who = resource.getrusage(resource.RUSAGE_SELF)
    return who.ru_utime + who.ru_stime


def measure(arguments: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """Run every part some times, one after another so that a busy minute hits all; return the medians."""
    found: dict[str, list[dict[str, Any]]] = {}
    if given.what == "ingest":  # into the system's cache: else the first part pays for the disk
        with Path(given.path).open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
    for _ in range(given.runs):
        for name in given.only or _parts(given):
            command = [sys.executable, __file__, *arguments, "--one", name]
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode:
                print(name, made.stderr[-2000:], file=sys.stderr)
                continue
            found.setdefault(name, []).append(json.loads(made.stdout.splitlines()[-1]))
            print(name, {k: v for k, v in found[name][-1].items() if k != "by_query_s"}, file=sys.stderr)
    middle = {
        name: {
            **rows[-1],
            **{
                k: round(statistics.median(row[k] for row in rows), 2)
                for k in ("seconds", "cpu_s", "peak_mib")
            },
        }
        for name, rows in found.items()
    }
    return {"load": os.getloadavg()[0], "cores": os.cpu_count(), "runs": given.runs, **middle}


def grow(given: argparse.Namespace) -> dict[str, Any]:
    """Measure logs of growing size and draw them."""
    import growth

    folder, table = Path(given.path), []
    for size in (int(float(size)) for size in given.sizes.split(",")):
        subprocess.run([sys.executable, growth.__file__, str(folder), str(size)], check=True)
        file, log = growth.paths(folder, size)
        common = ["--runs", str(given.runs), "--folder", str(given.folder or folder)]
        args = argparse.Namespace(**{**vars(given), "what": "ingest", "path": str(file)})
        brought = measure(["ingest", str(file), *common], args)
        day = str(growth.DAY)
        args = argparse.Namespace(**{**vars(given), "what": "indicators", "path": str(log), "day": day})
        asked = measure(["indicators", str(log), day, *common], args)
        table.append({"events": size, "ingest": brought, "indicators": asked})
        print(json.dumps(table[-1]), flush=True)
    growth.draw(table, folder / "growth.svg")
    return {"growth": table}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["ingest", "indicators", "spark", "growth"])
    parser.add_argument("path")
    parser.add_argument("day", nargs="?", default="")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", action="append", help="A part alone; may be given again.")
    parser.add_argument("--folder", help="Where what is written goes for the moment.")
    parser.add_argument("--sizes", default="1e6,1e7,1e8")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(run_one(given)))
        return
    arguments = [argument for argument in sys.argv[1:] if argument != given.one]
    found = grow(given) if given.what == "growth" else measure(arguments, given)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
