"""Logs of growing size for ``scan_queries.py growth``, and the drawing of what they took.

``python benchmarks/growth.py FOLDER EVENTS`` makes the CSV file and the log of one size where they are not there yet;
a process of its own, because what is measured afterwards begins with the peak memory of its parent.
"""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import chart
from chart import Line

from changtong.events.generator.generate import generate_scans
from changtong.events.generator.settings import Damage, ScanSettings
from changtong.events.ingest import ingest
from changtong.events.log import create_log
from changtong.events.mapping import read_mapping
from changtong.network.reference import reference_network

DAYS = 7
SERIES = (
    ("ingest", "ours", "ingest", "#0072b2", ""),
    ("ingest", "duckdb snappy", "DuckDB copies the CSV", "#0072b2", "6 4"),
    ("ingest", "polars", "Polars copies the CSV", "#0072b2", "1 4"),
    ("indicators", "ours", "all indicators of a day", "#d55e00", ""),
    ("indicators", "written by hand", "one query each, by hand", "#d55e00", "6 4"),
)
"""Benchmark, part, what it is called, colour, dashes: told apart without colours as well."""

DAY = ScanSettings().first_day + timedelta(days=DAYS - 2)
"""The day whose indicators are asked for."""


def paths(folder: Path, events: int) -> tuple[Path, Path]:
    """Return the CSV file of a size, and its log."""
    return folder / f"scans-{events}" / "scans.csv", folder / f"log-{events}"


def make_log(folder: Path, events: int) -> None:
    """Write about so many scans of seven days, and bring them into a log."""
    file, log = paths(folder, events)
    settings = ScanSettings(
        events=events, days=DAYS, by_day=False, damage=Damage(0.005, 0.005, 0.01, 0.01, 0.0, 0.0005, 0.0, 0.0)
    )
    if not file.exists():
        generate_scans(reference_network(level="county"), file.parent, settings=settings)
    if not log.exists():
        ingest([file], create_log(log), read_mapping(file.with_name("mapping.toml")))
        shutil.copy(file.parent / "sites.parquet", log / "sites.parquet")


def draw(table: list[dict[str, Any]], file: Path) -> None:
    """Draw seconds over events, both by powers of ten."""
    lines = [
        Line(
            name,
            [(row["events"], row[what][part]["seconds"]) for row in table if part in row[what]],
            colour,
            dashes,
        )
        for what, part, name, colour, dashes in SERIES
    ]
    title = "Seconds by number of scans in seven days, 2 cores"
    chart.draw(lines, file, title, say_x=lambda x: f"{x:,.0f}", say_y=lambda y: f"{y:g} s")


if __name__ == "__main__":
    make_log(Path(sys.argv[1]), int(float(sys.argv[2])))
