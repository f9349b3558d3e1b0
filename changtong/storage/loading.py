"""Records from a CSV file: all of them or none, with every problem of the file told at once."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from changtong.errors import ChangtongError, InputError, Problem
from changtong.storage.definitions import Column, register_columns
from changtong.storage.records import add_record, check_kind
from changtong.storage.work import Work

OWN = ("id", "organisation", "admin_code")
MOST_PROBLEMS = 1000


def load_file(work: Work, kind: str, path: Path, reason: str = "") -> int:
    """Add the records of a file; return how many.

    Parameters
    ----------
    work : Work
    kind : str
    path : Path
        A column for each attribute; ``id``, ``organisation`` and ``admin_code`` may be there too.
    reason : str

    Raises
    ------
    InputError
        Every problem, with its row and column.
    """
    check_kind(kind)
    problems: list[Problem] = []
    count = 0
    for number, row in _rows(kind, path):
        values, wrong = _values(kind, row)
        try:
            if not wrong:
                own = {name: row[name].strip() for name in OWN if row.get(name, "").strip()}
                add_record(
                    work, kind, values, organisation=own.get("organisation"),
                    admin_code=own.get("admin_code"), record_id=own.get("id"), reason=reason,
                )  # fmt: skip
                count += 1
        except InputError as error:
            wrong = list(error.problems)
        problems += [replace(problem, file=path.name, row=number) for problem in wrong]
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise InputError(problems)
    return count


def _rows(kind: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    known = {*OWN, *register_columns(kind)}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            names = reader.fieldnames or []
            unknown = [name for name in names if name not in known]
            if unknown or len(set(names)) != len(names):
                text = f"Columns that {kind} has not, or twice: {', '.join(unknown) or 'twice'}."
                raise InputError(
                    [Problem("unknown-attribute", text, path.name, 0, expected=", ".join(known))]
                )
            for number, row in enumerate(reader, 1):
                if "" in row:
                    raise InputError(
                        [Problem("unreadable-file", "The row has too many cells.", path.name, number)]
                    )
                yield number, row
    except ChangtongError:
        raise
    except FileNotFoundError:
        raise InputError([Problem("missing-file", "The file is not there.", path.name)]) from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError([Problem("unreadable-file", "The file is no CSV in UTF-8.", path.name)]) from None


def _values(kind: str, row: dict[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    wrong: list[Problem] = []
    for name, column in register_columns(kind).items():
        text = row.get(name, "").strip()
        if not text:
            continue
        try:
            values[name] = _value(column, text)
        except ValueError:
            wrong.append(
                Problem("bad-value", f"{kind}.{name} cannot be read.", column=name, expected=column.type)
            )
    return values, wrong


def values_of(kind: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that texts stand for, as a cell of a CSV would; an empty text is no value.

    Parameters
    ----------
    kind : str
    texts : mapping
        Column -> text.

    Raises
    ------
    InputError
        ``unknown-attribute``, ``bad-value``: all at once.

    Examples
    --------
    >>> values_of("site", {"lon": "114.1", "status_reason": ""})
    {'lon': 114.1, 'status_reason': None}
    """
    columns = register_columns(check_kind(kind))
    wrong = [
        Problem("unknown-attribute", f"{kind} has no {name!r}.", column=name, expected=", ".join(columns))
        for name in texts
        if name not in columns
    ]
    values, bad = _values(kind, dict(texts))
    if wrong or bad:
        raise InputError([*wrong, *bad])
    return {name: values.get(name) for name in texts}


def _value(column: Column, text: str) -> Any:
    match column.type:
        case "number":
            return float(text)
        case "integer":
            return int(text)
        case "boolean":
            return {"true": True, "false": False}.get(text.lower(), text)
        case "json":
            return json.loads(text)
        case _:
            return text
