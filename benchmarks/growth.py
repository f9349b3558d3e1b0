"""Logs of growing size for ``scan_queries.py growth``, and the drawing of what they took.

``python benchmarks/growth.py FOLDER EVENTS`` makes the CSV file and the log of one size where they are not there yet;
a process of its own, because what is measured afterwards begins with the peak memory of its parent.
"""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from changtong.events.generator.generate import generate_scans
from changtong.events.generator.settings import Damage, ScanSettings
from changtong.events.ingest import ingest
from changtong.events.log import create_log
from changtong.events.mapping import read_mapping
from changtong.network.reference import reference_network

MAPPING = Path(__file__).parent.parent / "examples" / "scan-log" / "mapping.toml"
DAYS = 7
SERIES = (
    ("ingest", "ours", "ingest", "#0072b2", ""),
    ("ingest", "duckdb snappy", "DuckDB copies the CSV", "#0072b2", "6 4"),
    ("ingest", "polars", "Polars copies the CSV", "#0072b2", "1 4"),
    ("indicators", "ours", "all indicators of a day", "#d55e00", ""),
    ("indicators", "written by hand", "one query each, by hand", "#d55e00", "6 4"),
)
"""Benchmark, part, what it is called, colour, dashes: told apart without colours as well."""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 420, 70, 230, 40, 50


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
        ingest([file], create_log(log), read_mapping(MAPPING))
        shutil.copy(file.parent / "sites.parquet", log / "sites.parquet")


def draw(table: list[dict[str, Any]], file: Path) -> None:
    """Draw seconds over events, both by powers of ten."""
    points = {
        name: [(row["events"], row[what][part]["seconds"]) for row in table if part in row[what]]
        for what, part, name, _, _ in SERIES
    }
    every = [value for line in points.values() for value in line]
    x_low, x_high = floor(log10(min(x for x, _ in every))), ceil(log10(max(x for x, _ in every)))
    y_low, y_high = floor(log10(min(y for _, y in every))), ceil(log10(max(y for _, y in every)))

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (log10(x) - x_low) / max(1, x_high - x_low) * (WIDTH - LEFT - RIGHT)
        down = TOP + (y_high - log10(y)) / max(1, y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22">Seconds by number of scans in seven days, 2 cores</text>',
    ]
    for power in range(x_low, x_high + 1):
        x, bottom = at(10**power, 10**y_low)
        parts.append(f'<path d="M{x} {TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{10**power:,}</text>')
    for power in range(y_low, y_high + 1):
        x, y = at(10**x_low, 10.0**power)
        parts.append(f'<path d="M{x} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g} s</text>')
    ends = []
    for _, _, name, colour, dashes in SERIES:
        line = [at(*point) for point in points[name]]
        if not line:
            continue
        path = "M" + "L".join(f"{x} {y}" for x, y in line)
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'
        )
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in line]
        ends.append((line[-1][1], line[-1][0], name, colour))
    below = 0.0
    for y, x, name, colour in sorted(ends):  # names one below the other where lines end close together
        below = max(y + 4, below + 17)
        parts.append(f'<text x="{x + 10}" y="{below}" fill="{colour}">{name}</text>')
    file.write_text("\n".join([*parts, "</svg>", ""]), "utf-8")


if __name__ == "__main__":
    make_log(Path(sys.argv[1]), int(float(sys.argv[2])))
