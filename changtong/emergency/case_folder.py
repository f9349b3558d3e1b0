"""The folder of a case: a log that is written whole or not at all, one writer at a time."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from changtong.emergency.case import Case, after, fold
from changtong.emergency.case_log import (
    CaseEntry,
    LogCheck,
    begin_of,
    canonical,
    entry_of,
    head_of,
    sealed,
    verify,
    whole_ms,
)
from changtong.emergency.case_rules import check_entry
from changtong.emergency.plan_file import plan_of
from changtong.errors import ConflictError, InputError, Problem, UsageError
from changtong.file_locks import lock_file
from changtong.written_files import sync, write_beside

KIND, VERSION = "emergency-case", 1
MARK, LOG, HEAD, LOCK = "case.json", "log.jsonl", "head", "lock"
COMPUTED = ("proposed", "number", "conditions")
"""What an entry holds that the case itself adds."""

WAIT_S = 20.0
"""How long a writer waits for another one."""

Make = Callable[[Case], tuple[str, Mapping[str, Any]]]
"""Action and data of an entry, from the case as it is when its turn has come."""


@dataclass(frozen=True)
class Written:
    """A case after something was written to it; ``is_new`` is False where the entry was known already."""

    case: Case
    entry: CaseEntry
    is_new: bool


def is_case(folder: Path) -> bool:
    """Return whether a folder is one of a case."""
    return bool(_mark(folder))


def _mark(folder: Path) -> dict[str, Any]:
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
        right = mark["changtong"]["kind"] == KIND and isinstance(mark["case_id"], str)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return mark if right else {}


def _checked_mark(folder: Path) -> dict[str, Any]:
    mark = _mark(folder)
    if not mark:
        raise UsageError(f"{folder} is no case: `emergency open` makes one.", "not-a-case")
    return mark


def first_entry(
    data: Mapping[str, Any], *, at: datetime, by: str, now: datetime, entry_id: str = ""
) -> CaseEntry:
    """Return the entry that opens a case, sealed.

    Parameters
    ----------
    data : mapping
        As `case_rules.opening` gives it.
    at, now : datetime
    by, entry_id : str
    """
    first = CaseEntry(1, entry_id or uuid4().hex, whole_ms(at), whole_ms(now), by, "open", data)
    return sealed(first, begin_of(data["case_id"]))


def make_case_folder(
    folder: str | os.PathLike[str], entries: Sequence[CaseEntry], extra: Mapping[str, bytes] | None = None
) -> Case:
    """Make the folder of a new case, whole or not at all; it may not be there yet.

    Parameters
    ----------
    folder : path
    entries : sequence of CaseEntry
        The first opens it.
    extra : mapping, optional
        More files: name -> content.

    Raises
    ------
    UsageError
        ``case-exists``: a case, or something else, is there; ``cannot-write``.
    """
    place = Path(folder)
    data = entries[0].data
    case = case_of_entries(list(entries), data["case_id"])
    beside = place.parent / f".{place.name}.{uuid4().hex[:12]}.part"
    mark = {
        "changtong": {"kind": KIND, "version": VERSION},
        "case_id": data["case_id"],
        "is_drill": data["is_drill"],
    }
    try:
        beside.mkdir(parents=True, mode=0o700)
        try:
            files = {
                MARK: json.dumps(mark, ensure_ascii=False, indent=1).encode(),
                LOG: log_text(case).encode(),
                HEAD: head_of(entries).encode(), **(extra or {}),
            }  # fmt: skip
            for name, content in files.items():
                write_beside(beside / name, content, make_folder=False, mode=0o600)
            sync(beside)
            if place.exists() and any(place.iterdir()):
                raise UsageError(f"{place} is there already: a case is never replaced.", "case-exists")
            os.rename(beside, place)  # fails where somebody else has made it meanwhile
            sync(place.parent)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        if place.exists():
            raise UsageError(f"{place} is there already: a case is never replaced.", "case-exists") from error
        raise UsageError(f"{place} cannot be written: {error.strerror}.", "cannot-write") from error
    return case


def _lines(folder: Path) -> list[str]:
    try:
        text = (folder / LOG).read_bytes().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.split("\n") if line]


def _head(folder: Path) -> str:
    try:
        return (folder / HEAD).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def verify_folder(folder: str | os.PathLike[str], head: str = "") -> LogCheck:
    """Go through the log of a case and name whatever is wrong with it.

    Parameters
    ----------
    folder : path
    head : str
        One that was noted elsewhere: ``number:seal``.

    Raises
    ------
    UsageError
        ``not-a-case``, ``bad-head``.
    """
    place = Path(folder)
    mark = _checked_mark(place)
    return verify(mark["case_id"], _lines(place), _head(place), head)


def read_case(folder: str | os.PathLike[str]) -> Case:
    """Read a case from its folder.

    Parameters
    ----------
    folder : path

    Raises
    ------
    UsageError
        ``not-a-case``.
    InputError
        ``case-altered``: the log is not as it was written; nothing is told from it.
    """
    place = Path(folder)
    mark = _checked_mark(place)
    lines = _lines(place)
    check = verify(mark["case_id"], lines, _head(place))
    if not check.whole:
        expected = "the log as it was written: take a copy, and see `emergency verify`"
        raise InputError(
            Problem("case-altered", f"{one}.", str(place / LOG), one.n, None, expected)
            for one in check.findings
        )
    case = case_of_entries([entry_of(json.loads(line)) for line in lines], mark["case_id"])
    if case.case_id != mark["case_id"] or case.is_drill != mark.get("is_drill"):
        text = "the log is of another case, or of a drill, than case.json says."
        raise InputError([Problem("case-altered", text, str(place / MARK))])
    return case


def case_of_entries(entries: list[CaseEntry], case_id: str) -> Case:
    """Return the case of whole entries: what was written by another program is told, not guessed at."""
    try:
        return fold(entries, plan_of(entries[0].data["plan"], f"plan of {case_id}"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        text = f"an entry is none of this program's ({type(error).__name__}: {error})."
        raise InputError([Problem("case-altered", text, case_id, None, LOG)]) from error


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Be the only writer; wait for another one a while."""
    until = time.monotonic() + WAIT_S
    while (handle := lock_file(place / LOCK)) is None:
        if time.monotonic() > until:
            raise UsageError(f"Others write to {place} without an end: try again.", "case-busy")
        time.sleep(0.02)
    try:
        for left in place.glob(".*.part"):  # of one that was killed while it wrote
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


def add_entry(
    folder: str | os.PathLike[str],
    make: Make,
    *,
    by: str,
    at: datetime | None = None,
    entry_id: str = "",
    seen: int | None = None,
) -> Written:
    """Write the next entry of a case: exactly once, after a look at what it may be.

    Parameters
    ----------
    folder : path
    make : callable
        Of the case as it is then, the action and its data.
    by : str
    at : datetime, optional
        When it happened; now where it is not given. In a drill the time by the drill's clock.
    entry_id : str
        An entry with an id that the log has is not written again: what was sent twice counts once.
    seen : int, optional
        Number of the newest entry that it is written upon; without it, upon whatever is there.

    Raises
    ------
    InputError
        ``bad-case-action``, ``case-altered``.
    ConflictError
        Another entry has this id; the log has gone on since ``seen``.
    UsageError
        ``not-a-case``, ``case-busy``, ``cannot-write``.
    """
    place = Path(folder)
    _checked_mark(place)
    with _writing(place):
        case = read_case(place)
        now = whole_ms(datetime.now(UTC))
        action, data = make(case)
        known = known_entry(case, entry_id, action, data)
        if known is not None:
            return Written(case, known, False)
        check_seen(case, seen)
        entry = next_entry(case, action, data, by=by, at=at or now, now=now, entry_id=entry_id)
        after_it = after(case, entry)
        write_log(place, after_it)
    return Written(after_it, entry, True)


def known_entry(case: Case, entry_id: str, action: str, data: Mapping[str, Any]) -> CaseEntry | None:
    """Return the entry of a case that has this id, None where there is none.

    Raises
    ------
    ConflictError
        The entry with this id is another one.
    """
    found = next((one for one in case.entries if entry_id and one.id == entry_id), None)
    if found is not None and (found.action, _given(found.data)) != (action, _given(data)):
        text = f"Entry {entry_id!r} of {case.case_id} is another one ({found.action}): nothing was written."
        raise ConflictError(text, wanted=action, current=found)
    return found


def check_seen(case: Case, seen: int | None) -> None:
    """Go on only where a case is as it was read: who decides knows what was written last.

    Parameters
    ----------
    case : Case
    seen : int or None
        Number of the newest entry that was read.

    Raises
    ------
    ConflictError
        The log has gone on since.
    """
    newest = case.entries[-1]
    if seen is not None and seen != newest.n:
        text = (
            f"{case.case_id} has {newest.n} entries, the newest is {newest.action} by {newest.by};"
            f" {seen} were read: nothing was written. Read it again."
        )
        raise ConflictError(text, wanted=seen, current=newest)


def _given(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was said, without what the case itself added."""
    return {key: value for key, value in data.items() if key not in COMPUTED}


def next_entry(
    case: Case,
    action: str,
    data: Mapping[str, Any],
    *,
    by: str,
    at: datetime,
    now: datetime,
    entry_id: str = "",
) -> CaseEntry:
    """Return the next entry of a case, sealed, after a look at whether it may happen.

    Parameters
    ----------
    case : Case
    action : str
    data : mapping
    by : str
    at, now : datetime
    entry_id : str

    Raises
    ------
    InputError
        ``bad-case-action``.
    """
    last = case.entries[-1]
    entry = CaseEntry(last.n + 1, entry_id or uuid4().hex, whole_ms(at), whole_ms(now), by, action, data)
    check_entry(case, entry, now=None if case.is_drill else now)
    return sealed(entry, last.seal)


def log_text(case: Case) -> str:
    """Return the log of a case as its file has it."""
    return "".join(canonical(one.to_json()) + "\n" for one in case.entries)


def write_log(place: Path, case: Case) -> None:
    """Write the log of a case whole, then its head: one that lags behind is no fault, one ahead is."""
    write_beside(place / LOG, log_text(case), make_folder=False, mode=0o600)
    sync(place)
    write_beside(place / HEAD, head_of(case.entries), make_folder=False, mode=0o600)
