"""Records from a CSV or XLSX file: added or changed, all or none; every problem of the file at once."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from changtong.errors import (
    ChangtongError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    Problem,
    UsageError,
)
from changtong.storage.definitions import OWN_WAYS, Column, register_columns
from changtong.storage.pages import Query
from changtong.storage.records import (
    Record,
    add_record,
    change_record,
    check_kind,
    get_record,
    problems_of_new,
    read_page,
)
from changtong.storage.schema import canonical
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


@dataclass(frozen=True)
class Loaded:
    """What a file has brought, or would bring.

    Attributes
    ----------
    new, changed, unchanged : int
        Rows.
    refused : int
        Rows with a problem.
    problems : tuple of Problem
        All of them, with file, row and column; `MOST_PROBLEMS` and those of the row after that at most.
    seen : str
        Stands for the file and for the versions of the records that it meets: a load that is given it
        changes what was seen, or nothing.
    """

    new: int
    changed: int
    unchanged: int
    refused: int
    problems: tuple[Problem, ...]
    seen: str

    def to_json(self) -> dict[str, int]:
        """Return the counts; ``added`` is how many are new."""
        return {
            "added": self.new, "changed": self.changed, "unchanged": self.unchanged, "refused": self.refused,
        }  # fmt: skip

    def __str__(self) -> str:
        return (
            f"{self.new:,} new, {self.changed:,} changed, {self.unchanged:,} unchanged, "
            f"{self.refused:,} refused"
        )


def load_file(
    work: Work, kind: str, path: Path, reason: str = "", *, changes: bool = False, seen: str = ""
) -> Loaded:
    """Add the records of a file, all or none; with ``changes`` change those that are there.

    Parameters
    ----------
    work : Work
    kind : str
    path : Path
        CSV, or XLSX (the sheet named as the register, else the first). A column for each attribute; ``id``,
        ``organisation`` and ``admin_code`` may be there too, and with ``changes`` ``version``.
    reason : str
    changes : bool
        Whether a row whose ``id`` (of sites also ``site_id``) is there already changes that record; without
        it such a row is refused. It names the ``version`` that was read, or ``seen`` is given. An empty cell
        leaves what is there; what comes back masked is no change.
    seen : str
        As `try_file` gave it.

    Raises
    ------
    InputError
        Every problem of every row, with its row and column: cells, references, organisation, place, keys,
        and ``not-allowed`` where the person has no right to add it there.
    ConflictError
        What is there is not what was seen.
    DeniedError
        The person may add none of this kind anywhere.
    UsageError
        ``own-way``: records of this kind are made another way.
    """
    made = _loaded(work, kind, path, reason, changes=changes, must_name_version=not seen)
    if made.problems:
        raise InputError(made.problems)
    if seen and made.seen != seen:
        raise ConflictError("The file, or records that it changes, are not what was tried: try it again.")
    return made


def try_file(work: Work, kind: str, path: Path, reason: str = "", *, changes: bool = False) -> Loaded:
    """Return what `load_file` would do. The caller takes back all that was written.

    Parameters
    ----------
    work : Work
    kind : str
    path : Path
    reason : str
    changes : bool

    Raises
    ------
    InputError
        The file as a whole cannot be read.
    DeniedError, UsageError
    """
    return _loaded(work, kind, path, reason, changes=changes, must_name_version=False)


def _loaded(
    work: Work, kind: str, path: Path, reason: str, *, changes: bool, must_name_version: bool
) -> Loaded:
    if check_kind(kind) == "attachment" or (changes and kind in OWN_WAYS):
        raise UsageError(f"A {kind} is added and changed another way.", "own-way")
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    counts = dict.fromkeys(("new", "changed", "unchanged", "refused"), 0)
    refused, met = None, hashlib.sha256()
    label = label_of(path, kind)
    for number, row in _rows(kind, path, with_version=changes):
        met.update(canonical(row).encode())
        there = _there(work, kind, row) if changes else None
        if there is None:
            wrong, done = _added(work, kind, row, reason), "new"
        else:
            met.update(f"{there.id} {there.version}".encode())
            wrong, done = _changed(work, there, row, reason, must_name_version=must_name_version)
        if not changes and work.refused is not None and work.refused.detail == {"why": "no-grant"}:
            raise DeniedError(wrong[-1].message)  # no row could be added by this person
        refused = refused or work.refused
        wrong += _again(row, number, seen, wrong)
        counts["refused" if wrong else done] += 1
        problems += [replace(problem, file=label, row=number) for problem in wrong]
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        work.refused = refused
    return Loaded(**counts, problems=tuple(problems), seen=met.hexdigest())


def _there(work: Work, kind: str, row: Mapping[str, str]) -> Record | None:
    """Return the record that a row is about, of those that the person may see; None where it is new."""
    record_id, site_id = row.get("id", "").strip(), row.get("site_id", "").strip()
    if not record_id and kind == "site" and site_id:
        found = read_page(work, "site", Query({"site_id": site_id}, limit=1)).records
        return found[0] if found else None
    try:
        return get_record(work, kind, record_id) if record_id else None
    except NotFoundError:
        return None


def _changed(
    work: Work, there: Record, row: dict[str, str], reason: str, *, must_name_version: bool
) -> tuple[list[Problem], str]:
    """Change a record by its row; return all that stands against it, and what was done."""
    if "" in row:
        return [Problem("unreadable-file", "The row has too many cells.")], ""
    shown = {
        name: "" for name in there.hidden if row.get(name, "").strip() == there[name]
    }  # came back masked
    values, wrong = _values(there.kind, {**row, **shown})
    for name in ("organisation", "admin_code"):
        given = row.get(name, "").strip()
        if given and given != getattr(there, name):
            text = f"{name} of a record that is there is not changed by a file: hand it over."
            wrong.append(Problem("bad-value", text, column=name, expected=getattr(there, name)))
    version = row.get("version", "").strip()
    if version and version != str(there.version):
        text = f"It is at version {there.version} now: somebody has changed it since the file was made."
        wrong.append(Problem("conflict", text, column="version", expected=str(there.version)))
    if wrong:
        return wrong, ""
    try:
        made = change_record(work, there.kind, there.id, there.version, values, reason)
    except InputError as error:
        return list(error.problems), ""
    except DeniedError as error:
        return [Problem(error.code, str(error), column="id")], ""
    is_changed = made.version != there.version
    if is_changed and must_name_version and not version:
        text = "The row would change a record, and does not say which version was read."
        expected = "the version, as an export has it; or try the file first"
        return [Problem("missing-value", text, column="version", expected=expected)], ""
    return [], "changed" if is_changed else "unchanged"


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


def _rows(kind: str, path: Path, *, with_version: bool) -> Iterator[tuple[int, dict[str, str]]]:
    known = [*OWN, *(["version"] if with_version else []), *register_columns(kind)]
    is_csv = path.suffix.lower() != ENDING
    try:
        with _text_of(kind, path) as file:
            reader = csv.DictReader(file, restkey="", restval="")
            names = reader.fieldnames or []
            unknown = [name for name in names if name not in known]
            if unknown or len(set(names)) != len(names):
                text = f"Columns that {kind} has not, or twice: {', '.join(unknown) or 'twice'}."
                label = label_of(path, kind)
                raise InputError([Problem("unknown-attribute", text, label, 0, expected=", ".join(known))])
            for number, row in enumerate(reader, 1):
                yield number, {name: _as_it_was(text) for name, text in row.items()} if is_csv else row
    except ChangtongError:
        raise
    except FileNotFoundError:
        raise InputError([Problem("missing-file", "The file is not there.", path.name)]) from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError([Problem("unreadable-file", "The file is no CSV in UTF-8.", path.name)]) from None


def _as_it_was(text: Any) -> Any:
    """Return a cell without the apostrophe that keeps a spreadsheet from running it, as our exports have."""
    return re.sub(r"^'('*[=+\-@\t\r])", r"\1", text) if isinstance(text, str) else text


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
