"""Coverage written as a folder of tables: villages with their places, the next steps, what is blocked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from changtong.network.io import write_whole_folder
from changtong.rural.county import County
from changtong.rural.coverage import Coverage
from changtong.rural.coverage_steps import NextSteps
from changtong.spreadsheets import without_formulas

MARK = "coverage.json"
TABLES = ("villages", "next_steps", "curve", "blocked")
COVERAGE_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / MARK).is_file(),
    "what": f"folder of coverage (it has no {MARK})",
    "code": "not-a-coverage-folder",
}


def coverage_tables(county: County, found: Coverage, steps: NextSteps | None) -> dict[str, pl.DataFrame]:
    """Return the tables of a coverage: ``villages`` with ``lon`` and ``lat``; with steps these, too.

    Parameters
    ----------
    county : County
        Has the places of the villages, in degrees.
    found : Coverage
    steps : NextSteps or None
    """
    places = county.sites.select("site_id", "lon", "lat")
    made = {"villages": found.villages.join(places, on="site_id", how="left", maintain_order="left")}
    if steps is not None:
        made |= {"next_steps": steps.steps, "curve": steps.points, "blocked": steps.blocked}
    return made


def write_coverage(county: County, found: Coverage, steps: NextSteps | None, folder: str | Path) -> Path:
    """Write the tables and ``coverage.json``, whole or not at all.

    Raises
    ------
    UsageError
        ``not-a-coverage-folder``, ``cannot-write``.
    """
    facts = found.summary() | ({} if steps is None else {"next_steps": steps.summary()})

    def fill(into: Path) -> None:
        for name, frame in coverage_tables(county, found, steps).items():
            without_formulas(frame).write_csv(into / f"{name}.csv", include_bom=True)
        (into / MARK).write_text(json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False), "utf-8")

    own = {MARK, "study.json", *(f"{name}.csv" for name in TABLES)}
    return write_whole_folder(Path(folder), fill, own_files=own, **COVERAGE_FOLDER)
