"""Records from a CSV or XLSX file: all of them or none, with every problem of the file told at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from changtong.errors import ChangtongError, DeniedError, InputError, Problem, UsageError
from changtong.storage.definitions import Column, register_columns
from changtong.storage.records import Record, add_record, check_kind, problems_of_new
from changtong.storage.work import Work
from changtong.workbook_sheets import ENDING, label_of, read_sheet

OWN = ("id", "organisation", "admin_code")
MOST_PROBLEMS = 1000


@dataclass(frozen=True)
class NewRow:
    """A record to be added beside others.

    Attributes
    ----------
    values : mapping
        Column -> value.
    own : mapping
        ``id``, ``organisation`` and ``admin_code`` where they are given.
    """

    values: Mapping[str, Any]
    own: Mapping[str, str] = field(default_factory=dict)


def add_rows(work: Work, kind: str, rows: Sequence[NewRow], reason: str = "") -> tuple[Record, ...]:
    """Add records, all or none; return them.

    Parameters
    ----------
    work : Work
    kind : str
    rows : sequence of NewRow
    reason : str

    Raises
    ------
    InputError
        Every problem of every row, with its row and column, as `load_file` tells them.
    DeniedError
        The person may add none of this kind anywhere.
    UsageError
        ``own-way``: records of this kind are made another way.
    """
    if check_kind(kind) == "attachment":
        raise UsageError("Files are added with the record they are about.", "own-way")
    made: list[Record] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    refused = None
    for number, row in enumerate(rows, 1):
        wrong: list[Problem] = []
        try:
            made.append(
                add_record(
                    work,
                    kind,
                    row.values,
                    organisation=row.own.get("organisation"),
                    admin_code=row.own.get("admin_code"),
                    record_id=row.own.get("id"),
                    reason=reason,
                )  # fmt: skip
            )
        except (InputError, DeniedError):
            wrong = problems_of_new(work, kind, row.values, row.own)
        if work.refused is not None and work.refused.detail == {"why": "no-grant"}:
            raise DeniedError(wrong[-1].message)  # no row could be added by this person
        refused = refused or work.refused
        keys = {"id": row.own.get("id", ""), "site_id": str(row.values.get("site_id") or "")}
        wrong += _again(keys, number, seen, wrong)
        problems += [replace(problem, row=number) for problem in wrong]
    if problems:
        work.refused = refused
        raise InputError(problems)
    return tuple(made)


def load_file(work: Work, kind: str, path: Path, reason: str = "") -> int:
    """Add the records of a file; return how many.

    Parameters
    ----------
    work : Work
    kind : str
    path : Path
        CSV, or XLSX (the sheet named as the register, else the first). A column for each attribute; ``id``,
        ``organisation`` and ``admin_code`` may be there too.
    reason : str

    Raises
    ------
    InputError
        Every problem of every row, with its row and column: cells, references, organisation, place, keys,
        and ``not-allowed`` where the person has no right to add it there.
    DeniedError
        The person may add none of this kind anywhere.
    """
    check_kind(kind)
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    refused = None
    count, label = 0, label_of(path, kind)
    for number, row in _rows(kind, path):
        wrong = _added(work, kind, row, reason)
        if work.refused is not None and work.refused.detail == {"why": "no-grant"}:
            raise DeniedError(wrong[-1].message)  # no row could be added by this person
        refused = refused or work.refused
        wrong += _again(row, number, seen, wrong)
        count += not wrong
        problems += [replace(problem, file=label, row=number) for problem in wrong]
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        work.refused = refused
        raise InputError(problems)
    return count


def _added(work: Work, kind: str, row: dict[str, str], reason: str) -> list[Problem]:
    """Add the record of a row, or return all that stands against it."""
    if "" in row:
        return [Problem("unreadable-file", "The row has too many cells.")]
    values, wrong = _values(kind, row)
    own = {name: row[name].strip() for name in OWN if row.get(name, "").strip()}
    if not wrong:
        try:
            add_record(
                work, kind, values, organisation=own.get("organisation"), admin_code=own.get("admin_code"),
                record_id=own.get("id"), reason=reason,
            )  # fmt: skip
        except (InputError, DeniedError):
            return problems_of_new(work, kind, values, own)
        return []
    return wrong + problems_of_new(work, kind, values, own, [str(problem.column) for problem in wrong])


def _again(
    row: Mapping[str, str], number: int, seen: dict[tuple[str, str], int], wrong: list[Problem]
) -> list[Problem]:
    """Return that a key is there in a row before, which is not added itself where it is wrong, too."""
    told = [one.column for one in wrong if one.code == "duplicate-record"]
    made = []
    for name in ("id", "site_id"):
        value = row.get(name, "").strip()
        first = seen.setdefault((name, value), number) if value else number
        if first != number and name not in told:
            text = f"Row {first} has this {name}, too."
            made.append(Problem("duplicate-record", text, column=name))
    return made


def _rows(kind: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    known = {*OWN, *register_columns(kind)}
    try:
        with _text_of(kind, path) as file:
            reader = csv.DictReader(file, restkey="", restval="")
            names = reader.fieldnames or []
            unknown = [name for name in names if name not in known]
            if unknown or len(set(names)) != len(names):
                text = f"Columns that {kind} has not, or twice: {', '.join(unknown) or 'twice'}."
                label = label_of(path, kind)
                raise InputError([Problem("unknown-attribute", text, label, 0, expected=", ".join(known))])
            yield from enumerate(reader, 1)
    except ChangtongError:
        raise
    except FileNotFoundError:
        raise InputError([Problem("missing-file", "The file is not there.", path.name)]) from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError([Problem("unreadable-file", "The file is no CSV in UTF-8.", path.name)]) from None


def _text_of(kind: str, path: Path) -> IO[str]:
    if path.suffix.lower() == ENDING and path.is_file():
        return io.StringIO(read_sheet(path, kind).as_csv(), newline="")
    return path.open(encoding="utf-8-sig", newline="")


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
