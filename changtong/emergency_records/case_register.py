"""Cases in the registers: opened, written to and read by people within their rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from changtong.emergency.case import Case, after
from changtong.emergency.case_folder import (
    Make,
    Written,
    case_of_entries,
    check_seen,
    first_entry,
    known_entry,
    next_entry,
)
from changtong.emergency.case_log import CaseEntry, LogCheck, canonical, head_of, verify
from changtong.emergency.case_moves import moves
from changtong.emergency.case_status import status
from changtong.emergency.opening import Opened, open_with
from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.rights.decide import Target
from changtong.storage.pages import Query
from changtong.storage.records import add_record, change_record, rows_to_decide
from changtong.storage.store import Desk
from changtong.storage.user_names import users_by_id
from changtong.storage.work import Work

RIGHTS: Mapping[str, str] = {
    "level": "decide", "suspend": "decide", "resume": "decide", "end": "decide", "close": "decide",
}  # fmt: skip
"""Action -> right to the case; every other one needs ``change``."""

Row = Mapping[Any, Any]


def open_register_case(desk: Desk, told: Opened, *, organisation: str | None = None) -> Case:
    """Open a case in the registers.

    Parameters
    ----------
    desk : Desk
        Of who does it: everybody acts under their own name.
    told : Opened
        Never a drill: drills are folders of their own.
    organisation : str, optional
        Whose case it is; the person's own where not given.

    Raises
    ------
    InputError
        ``bad-case-action``, ``duplicate-record``, ``bad-value``.
    DeniedError
        ``not-allowed``.
    """
    if told.is_drill:
        raise UsageError("Drills are folders of their own and never in registers.")
    with desk.work(writes=True) as work:
        by = work.person.user_id
        data, at = open_with(told, by=by, now=work.at)
        entry = first_entry(data, at=at, by=by, now=work.at)
        case = case_of_entries([entry], data["case_id"])
        head = {"title": case.title, "plan": case.plan.id, "plan_version": case.plan.version}
        values = head | {"known_at": case.known_at, "opened_at": case.opened_at, **_progress(case)}
        record = add_record(
            work, "case", values, organisation=organisation, record_id=case.case_id, by_ledger=True
        )
        _add_entry(work, case, entry, record.organisation, record.target)
        return _shown(work, case)


def _progress(case: Case) -> dict[str, Any]:
    """Return what the register of cases keeps of a case's state."""
    return {
        "state": case.state, "level": case.level, "ended_at": case.ended_at, "closed_at": case.closed_at,
        "entries": len(case.entries), "head": head_of(case.entries),
    }  # fmt: skip


def _add_entry(work: Work, case: Case, entry: CaseEntry, organisation: str, target: Target) -> None:
    values = {
        "case_id": case.case_id, "n": entry.n, "entry_id": entry.id, "at": entry.at,
        "recorded_at": entry.recorded_at, "by_user": entry.by, "action": entry.action,
        "content": dict(entry.data), "before": entry.before, "seal": entry.seal,
    }  # fmt: skip
    add_record(
        work, "case_entry", values, organisation=organisation, record_id=f"{case.case_id}.{entry.n:06d}",
        by_ledger=True, right=(RIGHTS.get(entry.action, "add" if entry.n == 1 else "change"), target),
    )  # fmt: skip


def _entry_of(row: Row) -> CaseEntry:
    return CaseEntry(
        row["n"], row["entry_id"], row["at"], row["recorded_at"], row["by_user"], row["action"],
        row["content"], row["before"], row["seal"],
    )  # fmt: skip


def _case_row(work: Work, case_id: str, *, lock: bool = False) -> Row:
    rows = rows_to_decide(work, "case", "id", [case_id], lock=lock)
    if not rows or not work.may_see("case", rows[0]):
        raise NotFoundError(f"There is no case {case_id!r} that you may see.")
    return rows[0]


def _entries(work: Work, case_id: str) -> list[CaseEntry]:
    rows = rows_to_decide(work, "case_entry", "case_id", [case_id])
    return sorted((_entry_of(row) for row in rows), key=lambda one: one.n)


def _whole_case(work: Work, row: Row) -> Case:
    """Return a case whose log is as it was written.

    Raises
    ------
    InputError
        ``case-altered``.
    """
    entries = _entries(work, row["id"])
    check = _check(row, entries)
    if not check.whole:
        expected = "the log as it was written: see `emergency verify` and `audit verify`"
        raise InputError(
            Problem("case-altered", f"{one}.", row["id"], one.n, None, expected) for one in check.findings
        )
    return case_of_entries(entries, row["id"])


def _check(row: Row, entries: Sequence[CaseEntry], head: str = "") -> LogCheck:
    return verify(row["id"], [canonical(one.to_json()) for one in entries], row["head"], head)


def add_case_entry(
    desk: Desk,
    case_id: str,
    make: Make,
    *,
    at: datetime | None = None,
    entry_id: str = "",
    seen: int | None = None,
) -> Written:
    """Write the next entry of a case: right, log, case and audit in one transaction.

    Parameters
    ----------
    desk : Desk
    case_id : str
    make : callable
        Of the case as it is then, the action and its data.
    at : datetime, optional
        When it happened; now where it is not given.
    entry_id : str
        What was sent twice with one id counts once.
    seen : int, optional
        Number of the newest entry that it is written upon; without it, upon whatever is there.

    Raises
    ------
    NotFoundError, DeniedError, InputError
    ConflictError
        Another entry has this id; the log has gone on since ``seen``.
    """
    with desk.work(writes=True) as work:
        row = _case_row(work, case_id, lock=True)
        target = _target(row)
        case = _whole_case(work, row)
        action, data = make(case)
        right = RIGHTS.get(action, "change")
        work.allow(right, target, case_id)
        known = known_entry(case, entry_id, action, data)
        if known is not None:
            return Written(_shown(work, case), known, False)
        check_seen(case, seen)
        by = work.person.user_id
        entry = next_entry(case, action, data, by=by, at=at or work.at, now=work.at, entry_id=entry_id)
        case = after(case, entry)
        _add_entry(work, case, entry, row["organisation"], target)
        change_record(work, "case", case_id, row["version"], _progress(case), right=right)
        return Written(_shown(work, case), entry, True)


def _shown(work: Work, case: Case) -> Case:
    """Return a case with people by their names, where one may see who they are."""
    names = {
        user: one.name
        for user, one in users_by_id(work, {entry.by for entry in case.entries}).items()
        if one.is_shown
    }
    entries = [replace(entry, by=names.get(entry.by, entry.by)) for entry in case.entries]
    return case_of_entries(entries, case.case_id)


def read_register_case(desk: Desk, case_id: str) -> Case:
    """Read a case, people by their names where one may see who they are.

    Parameters
    ----------
    desk : Desk
    case_id : str

    Raises
    ------
    NotFoundError
    DeniedError
        One may see that there is a case, but not its entries.
    """
    return read_case_and_moves(desk, case_id)[0]


def read_case_and_moves(desk: Desk, case_id: str) -> tuple[Case, tuple[str, ...]]:
    """Read a case and which actions the person may take in the state that it is in.

    Parameters
    ----------
    desk : Desk
    case_id : str

    Raises
    ------
    NotFoundError
    DeniedError
        As `read_register_case`.
    """
    with desk.work(writes=False, snapshot=True) as work:
        row = _case_row(work, case_id)
        _allow_entries(work, row)
        case = _whole_case(work, row)
        target = _target(row)
        may = tuple(one for one in moves(case) if work.may(RIGHTS.get(one, "change"), target))
        return _shown(work, case), may


def _target(row: Row, kind: str = "case") -> Target:
    return Target(kind, row["path"], row["admin_code"])


def _allow_entries(work: Work, row: Row) -> None:
    work.allow("view", _target(row, "case_entry"), row["id"])


def verify_register_case(desk: Desk, case_id: str, head: str = "") -> LogCheck:
    """Go through the log of a case and name whatever is wrong with it.

    Parameters
    ----------
    desk : Desk
    case_id, head : str
    """
    with desk.work(writes=False, snapshot=True) as work:
        row = _case_row(work, case_id)
        _allow_entries(work, row)
        return _check(row, _entries(work, case_id), head)


def list_register_cases(desk: Desk, *, all_of_them: bool = False) -> list[dict[str, Any]]:
    """Return the heads of cases that one may see, the oldest first; closed ones only where asked for.

    With them goes what is open and overdue by now: None where a case is closed, one may not see its entries,
    or its log is not as it was written.

    Parameters
    ----------
    desk : Desk
    all_of_them : bool
    """
    found = []
    for record in desk.every("case", Query(limit=500, newest_first=False)):
        if not all_of_them and record["state"] == "closed":
            continue
        facts = {name: record[name] for name in ("title", "plan", "state", "level", "entries")}
        times = {name: record[name] for name in ("opened_at", "known_at", "ended_at", "closed_at")}
        shown = {
            name: None if at is None else at.isoformat(timespec="milliseconds") for name, at in times.items()
        }
        found.append(
            {"case_id": record.id, "is_drill": False, "organisation": record.organisation, **facts, **shown}
        )
    counts = _counts(desk, [one["case_id"] for one in found if one["state"] != "closed"])
    unknown = dict.fromkeys(("open_tasks", "overdue", "level_to_confirm"))
    return [one | counts.get(one["case_id"], unknown) for one in found]


def _counts(desk: Desk, case_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what is open and overdue by now in cases whose entries one may see."""
    with desk.work(writes=False, snapshot=True) as work:
        rows = [
            row
            for row in rows_to_decide(work, "case", "id", case_ids)
            if work.may("view", _target(row, "case_entry"))
        ]
        by_case: dict[str, list[CaseEntry]] = {row["id"]: [] for row in rows}
        for row in rows_to_decide(work, "case_entry", "case_id", list(by_case)):
            by_case[row["case_id"]].append(_entry_of(row))
        made = {}
        for row in rows:
            entries = sorted(by_case[row["id"]], key=lambda one: one.n)
            if _check(row, entries).whole:
                case = case_of_entries(entries, row["id"])
                made[row["id"]] = status(case, max(work.at, *(one.at for one in entries))).counts()
        return made
