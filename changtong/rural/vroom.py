"""VROOM JSON in and out: problems written and read, solutions read, files whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem
from changtong.rural.county import County
from changtong.rural.vroom_document import read_document
from changtong.rural.vroom_export import VroomProblem, vroom_problem
from changtong.rural.vroom_import import county_of_vroom
from changtong.rural.vroom_solution import VroomRoutes, routes_of_vroom
from changtong.written_files import write_beside

__all__ = [
    "VroomProblem",
    "VroomRoutes",
    "county_of_vroom",
    "read_vroom",
    "read_vroom_solution",
    "routes_of_vroom",
    "vroom_problem",
    "write_vroom",
]


def write_vroom(county: County, path: str | os.PathLike[str], **options: Any) -> VroomProblem:
    """Write one day of a county's local level as a VROOM problem.

    Parameters
    ----------
    county : County
    path : path
        A JSON file, written beside and renamed.
    **options
        As of `vroom_problem`: ``plan``, ``weekday``, ``firm``, ``form``, ``matrices``, ``detour_factor``.

    Returns
    -------
    VroomProblem
        With the notes on what VROOM is not told.
    """
    made = vroom_problem(county, **options)
    write_beside(Path(path), say_document(made.document))
    return made


def say_document(document: dict[str, Any]) -> str:
    """Return a document as text: a line for each vehicle, job, shipment and row of a matrix.

    Parameters
    ----------
    document : dict
    """

    def plain(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def lines(values: list[Any]) -> str:
        return "[\n" + ",\n".join(plain(value) for value in values) + "\n]"

    parts = []
    for key, value in document.items():
        if isinstance(value, list):
            said = lines(value)
        elif key == "matrices":
            profiles = [
                f"{plain(name)}: {{"
                + ", ".join(f"{plain(kind)}: {lines(rows)}" for kind, rows in held.items())
                + "}"
                for name, held in value.items()
            ]
            said = "{" + ",\n".join(profiles) + "}"
        else:
            said = plain(value)
        parts.append(f"{plain(key)}: {said}")
    return "{" + ",\n".join(parts) + "}\n"


def read_vroom(path: str | os.PathLike[str], *, second_amount: str | None = None) -> County:
    """Read a VROOM problem as a county.

    Parameters
    ----------
    path : path
        A JSON file.
    second_amount : {None, "cold"}
        What the second number of amounts is, where the file does not say it.

    Raises
    ------
    InputError
        Every problem with its path in the document.
    """
    file = Path(path)
    document = read_document(file)
    return county_of_vroom(document, name=file.stem, file=file.name, second_amount=second_amount)


def read_vroom_solution(
    path: str | os.PathLike[str],
    problem: str | os.PathLike[str],
    county: County,
    *,
    weekdays: str = "1234567",
) -> VroomRoutes:
    """Read VROOM's answer to a problem that `write_vroom` wrote.

    Parameters
    ----------
    path, problem : path
        JSON files.
    county : County
        The one the problem was made from.
    weekdays : str
        Days on which the routes are driven.

    Raises
    ------
    InputError
        Every problem with its path in the document.
    """
    asked = read_document(Path(problem))
    if not isinstance(asked, dict):
        said = "the file holds no JSON object."
        raise InputError([Problem("wrong-type", said, Path(problem).name, None, "$", expected="an object")])
    answer = read_document(Path(path))
    return routes_of_vroom(answer, asked, county, weekdays=weekdays, file=Path(path).name)
