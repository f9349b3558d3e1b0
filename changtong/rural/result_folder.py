"""Reading the folder of a county's three answers, with every problem told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from changtong.errors import InputError, NotFoundError, Problem
from changtong.network.findings import Findings
from changtong.rural.county import County
from changtong.rural.county_folder import read_county
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.plan_schemas import SPLIT_SCHEMA
from changtong.rural.plan_tables import read_object, read_plan, read_table
from changtong.rural.result_write import (
    ALONE,
    COUNTY_FOLDER,
    KIND,
    MAIN_FILE,
    SHARED,
    SPLIT_FILE,
    VERSION,
    WITH_BUSES,
)


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
    county = _read_county(path / COUNTY_FOLDER, findings)
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
        coalitions_without_plan=int(facts.get("coalitions_without_plan", 0)),
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


def _check_facts(facts: Mapping[str, Any], findings: Findings) -> tuple[dict[str, str], bool]:
    """Return firm -> folder, and whether there is an answer with buses."""

    def wrong(key: str, expected: str) -> None:
        message = f"{key} is {facts.get(key)!r}."
        findings.add(Problem("wrong-type", message, MAIN_FILE, None, key, expected=expected))

    mark = facts.get("changtong")
    if not isinstance(mark, dict) or (mark.get("kind"), mark.get("version")) != (KIND, VERSION):
        wrong("changtong", f'{{"kind": "{KIND}", "version": {VERSION}}}')
    for key, value in (
        ("seed", facts.get("seed")),
        ("seconds", facts.get("seconds")),
        ("coalitions_without_plan", facts.get("coalitions_without_plan", 0)),
    ):
        if not isinstance(value, int | float) or isinstance(value, bool):
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


def _read_county(folder: Path, findings: Findings) -> County | None:
    try:
        return read_county(folder)
    except InputError as error:
        for problem in error.problems:
            findings.add(replace(problem, file=f"{folder.name}/{problem.file}"))
        return None
