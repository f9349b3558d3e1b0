"""The folder of a county's three answers: written whole or not at all, read with every problem told.

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

from changtong._tables import read_table_definition
from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.network.findings import Findings
from changtong.network.io import sync, write_whole_folder
from changtong.rural.county import COUNTY_TABLES, County
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.plan_tables import PLAN_TABLES, TOTALS, read_object, read_plan, read_table

KIND, VERSION = "county-result", 1
MAIN_FILE, SPLIT_FILE, COUNTY_FOLDER = "county.json", "split.csv", "county"
SHARED, WITH_BUSES, ALONE = "shared", "with_buses", "alone-"
SPLIT_SCHEMA: dict[str, pl.DataType] = {
    "firm": pl.String(),
    "alone_cny": pl.Float64(),
    "shared_cny": pl.Float64(),
    "saving_cny": pl.Float64(),
}


def save_result(
    result: CountyResult, folder: str | os.PathLike[str], *, extra: Callable[[Path], None] | None = None
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
        _write_county(result.county, into / COUNTY_FOLDER)
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


def read_result(folder: str | os.PathLike[str]) -> CountyResult:
    """Read a folder that `save_result` wrote.

    Parameters
    ----------
    folder : path

    Returns
    -------
    CountyResult

    Raises
    ------
    InputError
        With every problem of every file.
    """
    path = Path(folder)
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        expected = f"a folder with {MAIN_FILE}"
        raise InputError([Problem("missing-folder", f"{path} {what}.", str(path), expected=expected)])
    findings = Findings()
    facts = read_object(path / MAIN_FILE, findings)
    if findings.errors:
        raise InputError(findings.errors)
    alone, with_buses = _check_facts(facts, findings)
    if findings.errors:
        raise InputError(findings.errors)
    county = _read_county(path / COUNTY_FOLDER, str(facts.get("name", path.name)), findings)
    sites = county.sites["site_id"].to_list() if county is not None else []
    split = read_table(path / SPLIT_FILE, SPLIT_SCHEMA, findings)
    plans = {}
    if county is not None:
        wanted = [*alone.values(), SHARED, *([WITH_BUSES] if with_buses else [])]
        plans = {name: read_plan(path / name, sites, findings) for name in wanted}
    if findings.errors or county is None or split is None:
        raise InputError(findings.errors)
    made = {name: plan for name, plan in plans.items() if plan is not None}
    return CountyResult(
        county=county,
        alone={firm: made[name] for firm, name in alone.items()},
        shared=made[SHARED],
        with_buses=made.get(WITH_BUSES),
        split=split,
        seed=int(facts["seed"]),
        seconds=float(facts["seconds"]),
        settings=facts.get("settings", {}),
    )


def choose_plan(result: CountyResult, answer: str | None = None) -> CountyPlan:
    """Return one of the answers.

    Parameters
    ----------
    result : CountyResult
    answer : str, optional
        ``shared``, ``with_buses`` or the name of a firm; without it the delivery with buses where there is
        one, else the shared one.

    Raises
    ------
    NotFoundError
        There is no such answer.
    """
    plans: dict[str, CountyPlan] = dict(result.alone)
    plans[SHARED] = result.shared
    if result.with_buses is not None:
        plans[WITH_BUSES] = result.with_buses
    if answer is None:
        return result.shared if result.with_buses is None else result.with_buses
    if answer not in plans:
        raise NotFoundError(f"There is no answer {answer!r}; it is one of {', '.join(plans)}.")
    return plans[answer]


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


def _facts(result: CountyResult, alone: Mapping[str, str]) -> dict[str, Any]:
    return {
        "changtong": {"kind": KIND, "version": VERSION},
        "name": result.county.name,
        "alone": [{"firm": firm, "folder": name} for firm, name in alone.items()],
        "with_buses": result.with_buses is not None,
        "seed": result.seed,
        "seconds": result.seconds,
        "settings": dict(result.settings),
    }


def _check_facts(facts: Mapping[str, Any], findings: Findings) -> tuple[dict[str, str], bool]:
    """Return firm -> folder, and whether there is an answer with buses."""

    def wrong(key: str, expected: str) -> None:
        message = f"{key} is {facts.get(key)!r}."
        findings.add(Problem("wrong-type", message, MAIN_FILE, None, key, expected=expected))

    mark = facts.get("changtong")
    if not isinstance(mark, dict) or (mark.get("kind"), mark.get("version")) != (KIND, VERSION):
        wrong("changtong", f'{{"kind": "{KIND}", "version": {VERSION}}}')
    for key in ("seed", "seconds"):
        if not isinstance(facts.get(key), int | float) or isinstance(facts.get(key), bool):
            wrong(key, "a number")
    if not isinstance(facts.get("with_buses"), bool):
        wrong("with_buses", "true or false")
    if not isinstance(facts.get("settings", {}), dict):
        wrong("settings", "an object")
    listed = facts.get("alone")
    folders: dict[str, str] = {}
    for entry in listed if isinstance(listed, list) else [None]:
        firm, name = (entry.get("firm"), entry.get("folder")) if isinstance(entry, dict) else (None, None)
        if not isinstance(firm, str) or not isinstance(name, str) or not name.startswith(ALONE):
            wrong("alone", f"objects with firm and folder ({ALONE}…)")
        elif "/" in name or "\\" in name:
            message = f"the folder {name!r} leads out of the result."
            findings.add(Problem("path-outside", message, MAIN_FILE, None, "alone", expected="a name"))
        else:
            folders[firm] = name
    return folders, facts.get("with_buses") is True


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


def _write_plan(plan: CountyPlan, folder: Path) -> None:
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


PROVENANCE: dict[str, pl.DataType] = {
    name: pl.String() for name in ("table", "column", "kind", "source", "note")
}


def _county_schema(table: str) -> dict[str, pl.DataType]:
    return PROVENANCE if table == "provenance" else read_table_definition(f"county/{table}").schema()


def _write_county(county: County, folder: Path) -> None:
    """Write the county's frames as they are: defaults are filled in already."""
    folder.mkdir()
    for table in COUNTY_TABLES:
        _write_csv(getattr(county, table), folder / f"{table}.csv")


def _read_county(folder: Path, name: str, findings: Findings) -> County | None:
    frames = {
        table: read_table(folder / f"{table}.csv", _county_schema(table), findings) for table in COUNTY_TABLES
    }
    found = {table: frame for table, frame in frames.items() if frame is not None}
    if len(found) < len(frames):
        return None
    hubs = found["sites"].filter(pl.col("kind") == "county").height
    if hubs != 1:
        where = f"{folder.name}/sites.csv"
        message = f"{hubs} sites are of kind county."
        findings.add(Problem("no-hub", message, where, None, "kind", expected="exactly one, the hub"))
        return None
    return County(name=name, **found)
