"""Writing the folder of a county's three answers: whole or not at all.

``county.json`` says what is there; ``county/`` is the county folder, ``alone-FIRM/``, ``shared/`` and
``with_buses/`` are one plan each, ``split.csv`` who gains what.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import UsageError
from changtong.network.io import write_whole_folder
from changtong.rural.county_folder import write_county
from changtong.rural.plan_schemas import PLAN_TABLES, SPLIT_SCHEMA
from changtong.written_files import sync

KIND, VERSION = "county-result", 1
MAIN_FILE, SPLIT_FILE, COUNTY_FOLDER = "county.json", "split.csv", "county"
SHARED, WITH_BUSES, ALONE = "shared", "with_buses", "alone-"
TOTALS = ("cost_cny", "distance_km", "hours", "kgco2e", "pieces")


def save_result(
    result: Any, folder: str | os.PathLike[str], *, extra: Callable[[Path], None] | None = None
) -> Path:
    """Write the three answers to a folder, whole or not at all.

    Parameters
    ----------
    result : CountyResult
    folder : path
        To make, or to replace where it holds such a result; files of others in it are kept.
    extra : callable, optional
        Writes more into the folder (a report) before it takes its place.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        ``not-a-county-result``: the folder holds something else. ``cannot-write``.
    """
    alone = _alone_folders(tuple(result.alone))
    plans = {alone[firm]: plan for firm, plan in result.alone.items()} | {SHARED: result.shared}
    if result.with_buses is not None:
        plans[WITH_BUSES] = result.with_buses

    def write(into: Path) -> None:
        write_county(result.county, into / COUNTY_FOLDER)
        for name, plan in plans.items():
            _write_plan(plan, into / name)
        _write_csv(result.split.select(list(SPLIT_SCHEMA)), into / SPLIT_FILE)
        _write_json(_facts(result, alone), into / MAIN_FILE)
        if extra is not None:
            extra(into)

    # an older result's answers of other firms must not stay beside the new ones
    older = _older_folders(Path(folder))
    own = {MAIN_FILE, SPLIT_FILE, COUNTY_FOLDER, *(name.lower() for name in (*plans, *older, WITH_BUSES))}
    return write_whole_folder(Path(folder), write, own_files=own, **RESULT_FOLDER)


def is_result_folder(path: Path) -> bool:
    """Tell whether a folder holds a county's answers.

    Parameters
    ----------
    path : Path
    """
    try:
        content = json.loads((path / MAIN_FILE).read_text(encoding="utf-8-sig"))
        return bool(content["changtong"]["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


RESULT_FOLDER: dict[str, Any] = {
    "is_ours": is_result_folder,
    "what": f"result of a county's planning (it has no {MAIN_FILE} of ours)",
    "code": "not-a-county-result",
}
"""What `check_replaceable` and `write_whole_folder` need to know of these folders."""


def _facts(result: Any, alone: Mapping[str, str]) -> dict[str, Any]:
    return {
        "changtong": {"kind": KIND, "version": VERSION},
        "name": result.county.name,
        "alone": [{"firm": firm, "folder": name} for firm, name in alone.items()],
        "with_buses": result.with_buses is not None,
        "seed": result.seed,
        "seconds": result.seconds,
        "settings": dict(result.settings),
        "coalitions_without_plan": result.coalitions_without_plan,
    }


def _alone_folders(firms: tuple[str, ...]) -> dict[str, str]:
    """Return firm -> folder name, with what a file system may not hold written as %XX; no two alike."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for firm in firms:
        name = ALONE + "".join(
            letter
            if letter.isalnum() or letter in "-_"
            else "".join(f"%{byte:02X}" for byte in letter.encode())
            for letter in firm
        )
        plain, number = name, 1
        while name.lower() in taken:  # systems that take SF and sf for one
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        folders[firm] = name
    return folders


def _older_folders(path: Path) -> list[str]:
    if not is_result_folder(path):
        return []
    return [entry.name for entry in path.iterdir() if entry.is_dir() and entry.name.startswith(ALONE)]


def _write_plan(plan: Any, folder: Path) -> None:
    folder.mkdir()
    for name, schema in PLAN_TABLES.items():
        _write_csv(getattr(plan, name).select(list(schema)), folder / f"{name}.csv")
    _write_json({"name": plan.name} | {key: getattr(plan, key) for key in TOTALS}, folder / "summary.json")


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.write_csv(path)
    sync(path)


def _write_json(facts: Mapping[str, Any], path: Path) -> None:
    try:
        text = json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False)
    except ValueError as error:
        raise UsageError(f"{path.name}: a figure of the result is not finite.", "not-finite") from error
    path.write_text(text + "\n", encoding="utf-8")
    sync(path)
