"""Plans proposed, approved by another person, issued as orders to sites, withdrawn and replaced.

The row of a plan is locked by whoever changes it or answers one of its orders: of two who do the same at
once one has done it, and the other is told who.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from changtong.emergency.case_log import LogCheck
from changtong.errors import DeniedError, InputError, Problem, UsageError
from changtong.response_records.order_lines import counted
from changtong.response_records.plan_log import ORDERS, PlanLog, check_log, entries_after
from changtong.response_records.plan_rows import (
    Row,
    names_of,
    orders,
    plan_facts,
    plan_row,
    plans,
    said_at,
    seen_orders,
    seen_plans,
    told_who,
)
from changtong.response_records.sent_orders import send_orders
from changtong.rights.decide import Target
from changtong.storage.pages import MOST_ROWS
from changtong.storage.records import add_record, change_record, rows_to_decide
from changtong.storage.rows import new_id
from changtong.storage.schema import canonical, to_ms
from changtong.storage.store import Desk
from changtong.storage.work import Work, check_reason, target_of

if TYPE_CHECKING:
    from changtong.response_records.plan_files import PlanFolder

MOST_TITLE = 200
MOST_WITHIN_MIN = 10_080
PART_SIGNS = 500_000
"""Orders are kept in entries of the log of about so many signs: one may have a million at most."""

IN_FORCE = ("issued", "completed")
STATES = ("proposed", "approved", "issued", "completed", "withdrawn")

Check = Callable[[Row], None]
"""Refuses to go on where a plan is not as whoever asks has read it."""


@dataclass(frozen=True)
class Proposal:
    """What is said of a plan that is proposed.

    Attributes
    ----------
    title : str
        What it is for; no names of persons.
    valid_from : datetime
        From when its orders count.
    within_min : int
        Minutes within which sites are to answer.
    replaces : str
        Id of a plan that it withdraws when it is issued; empty: none.
    run_id : str
        Of the run that made it; empty: a folder was given.
    key : str
        What was proposed twice by one person with one key counts once.
    record_id : str
        An id of one's own for the issued plan; made where it is empty.
    """

    title: str
    valid_from: datetime
    within_min: int = 60
    replaces: str = ""
    run_id: str = ""
    key: str = ""
    record_id: str = ""


def propose_plan(desk: Desk, plan: PlanFolder, said: Proposal) -> tuple[dict[str, Any], bool]:
    """Propose a plan: it is kept with all its orders, as they were read, for another person to approve.

    Parameters
    ----------
    desk : Desk
    plan : PlanFolder
    said : Proposal

    Returns
    -------
    dict, bool
        The plan as it is told, and whether it is new.

    Raises
    ------
    InputError
        ``missing-value``, ``out-of-range``, ``bad-instant``: all at once; ``duplicate-record``: there is an
        issued plan with this id.
    UsageError
        ``key-reused``: the key was used for another plan.
    ConflictError
        What it replaces was withdrawn or replaced already.
    NotFoundError
        What it replaces is not there.
    DeniedError
    """
    _check_proposal(said)
    with desk.work(writes=True) as work:
        target = Target("issued_plan", work.person.path, work.person.admin_code)
        work.allow("add", target)
        record_id = said.record_id or _id_of(work, said.key)
        if said.key and (known := rows_to_decide(work, "issued_plan", "id", [record_id])):
            _check_same(known[0], plan, said)
            return plan_facts(work, known)[0], False
        if said.replaces:
            former = plan_row(work, said.replaces)
            if former["state"] == "withdrawn":
                raise told_who(
                    work, "It was withdrawn", former["withdrawn_by"], former["withdrawn_at"], former
                )
        head = {
            "id": record_id, "organisation": work.organisation, "path": work.person.path,
            "admin_code": work.person.admin_code,
        }  # fmt: skip
        log = PlanLog(work, head, "", ("add", target))
        parts = _parts(plan)
        values = {
            "proposed_at": work.at, "proposed_by": work.person.user_id, "run_id": said.run_id or None,
            "plan_id": plan.plan_id, "plan_digest": plan.digest, "network": plan.network,
            "title": said.title.strip(), "outages": list(plan.outages), "numbers": dict(plan.numbers),
            "counts": counted(plan.sheets), "sites": len(plan.sheets), "state": "proposed",
            "valid_from": said.valid_from, "acknowledge_within_min": said.within_min,
            "replaces": said.replaces or None, "entries": 1, "head": "-",
        }  # fmt: skip
        with work.part(), work.holding():
            add_record(work, "issued_plan", values, record_id=record_id, by_ledger=True)
            log.add("proposed", _first(plan, said))
            for part in parts:
                log.add(ORDERS, {"sheets": part})
            change_record(work, "issued_plan", record_id, 1, log.values, right="add")
        return _told(work, record_id), True


def _check_proposal(said: Proposal) -> None:
    problems = []
    if not 1 <= len(said.title.strip()) <= MOST_TITLE:
        expected = f"1 to {MOST_TITLE} signs"
        problems.append(Problem("missing-value", "It has no title.", column="title", expected=expected))
    if not 1 <= said.within_min <= MOST_WITHIN_MIN:
        expected = f"1 to {MOST_WITHIN_MIN} minutes"
        problems.append(
            Problem("out-of-range", f"{said.within_min}.", column="acknowledge_within_min", expected=expected)
        )
    if said.valid_from.tzinfo is None:
        expected = "an instant with its offset, as 2026-06-01T08:00+08:00"
        problems.append(Problem("bad-instant", "It has no zone.", column="valid_from", expected=expected))
    if problems:
        raise InputError(problems)


def _id_of(work: Work, key: str) -> str:
    """Return the id of a new plan: of one key of one person always the same."""
    if not key:
        return new_id(to_ms(work.at))
    return hashlib.sha256(f"{work.person.user_id}\n{key}".encode()).hexdigest()[:26]


def _first(plan: PlanFolder, said: Proposal) -> dict[str, Any]:
    return {
        "title": said.title.strip(), "plan_id": plan.plan_id, "plan_digest": plan.digest,
        "network": plan.network, "valid_from": said_at(said.valid_from), "replaces": said.replaces or None,
        "acknowledge_within_min": said.within_min, "sites": len(plan.sheets), "orders": plan.orders,
    }  # fmt: skip


def _check_same(known: Row, plan: PlanFolder, said: Proposal) -> None:
    asked = {
        "plan_digest": plan.digest, "run_id": said.run_id or None, "title": said.title.strip(),
        "acknowledge_within_min": said.within_min, "replaces": said.replaces or None,
    }  # fmt: skip
    same = all(known[name] == value for name, value in asked.items())
    if not same or to_ms(known["valid_from"]) != to_ms(said.valid_from):
        raise UsageError("This Idempotency-Key was used for another request.", "key-reused")


def _parts(plan: PlanFolder) -> list[list[dict[str, Any]]]:
    """Return the sheets of a plan in parts that an entry can hold."""
    parts: list[list[dict[str, Any]]] = []
    size = PART_SIGNS + 1
    for sheet in plan.sheets:
        kept = sheet.to_json()
        signs = len(canonical(kept))
        if size + signs > PART_SIGNS:
            parts.append([])
            size = 0
        parts[-1].append(kept)
        size += signs
    return parts


def approve_plan(desk: Desk, plan: str, *, check: Check | None = None) -> dict[str, Any]:
    """Approve a plan that another person has proposed.

    Parameters
    ----------
    desk : Desk
    plan : str
    check : callable, optional

    Raises
    ------
    DeniedError
        ``second-person-needed``: it is who proposed it; ``not-allowed``.
    ConflictError
        Somebody else has approved or withdrawn it: it says who. Who has done it already is not refused.
    NotFoundError
    """
    with desk.work(writes=True) as work:
        row = _begun(work, plan, "approve", check)
        if row["approved_by"] == work.person.user_id and row["state"] != "withdrawn":
            return _told(work, plan)
        _check_not_over(work, row)
        if row["approved_by"]:
            raise told_who(work, "This plan was approved", row["approved_by"], row["approved_at"], row)
        if row["proposed_by"] == work.person.user_id:
            raise DeniedError("Another person than who proposed a plan approves it.", "second-person-needed")
        log = _log(work, row, "approve")
        log.add("approved", {"plan_digest": row["plan_digest"]})
        values = {"state": "approved", "approved_by": work.person.user_id, "approved_at": work.at}
        _change(work, row, values | log.values, "approve")
        return _told(work, plan)


def _begun(work: Work, plan: str, action: str, check: Check | None) -> Row:
    """Return a plan's row, locked, where the person may do this with it."""
    row = plan_row(work, plan, lock=True)
    work.allow(action, target_of("issued_plan", row), plan)
    if check is not None:
        check(row)
    return row


def _check_not_over(work: Work, row: Row) -> None:
    if row["state"] == "withdrawn":
        what = (
            f"This plan was replaced ({row['replaced_by']})"
            if row["replaced_by"]
            else "This plan was withdrawn"
        )
        raise told_who(work, what, row["withdrawn_by"], row["withdrawn_at"], row)


def _log(work: Work, row: Row, action: str) -> PlanLog:
    return PlanLog(work, row, row["head"], (action, target_of("issued_plan", row)))


def _change(work: Work, row: Row, values: Mapping[str, Any], action: str, reason: str = "") -> None:
    change_record(work, "issued_plan", row["id"], row["version"], values, reason, right=action)


def _told(work: Work, plan: str) -> dict[str, Any]:
    return plan_facts(work, rows_to_decide(work, "issued_plan", "id", [plan]))[0]


def issue_plan(desk: Desk, plan: str, *, check: Check | None = None) -> dict[str, Any]:
    """Issue a plan that was approved: all its orders go out at once, or none.

    What it replaces is withdrawn in the same transaction. A site that had acknowledged orders of the former
    plan and has the same to do has nothing to answer; one that has nothing to do any more is told so.

    Parameters
    ----------
    desk : Desk
    plan : str
    check : callable, optional

    Raises
    ------
    InputError
        ``bad-state``: nobody has approved it.
    ConflictError
        Somebody else has issued or withdrawn it, or what it replaces: it says who.
    NotFoundError, DeniedError
    """
    with desk.work(writes=True) as work:
        row = _begun(work, plan, "issue", check)
        if row["issued_by"] == work.person.user_id and row["state"] in IN_FORCE:
            return _told(work, plan)
        _check_not_over(work, row)
        if row["issued_by"]:
            raise told_who(work, "This plan was issued", row["issued_by"], row["issued_at"], row)
        if row["state"] != "approved":
            text, expected = (
                "This plan is not approved.",
                "the approval of a second person",
            )
            raise InputError([Problem("bad-state", text, column="state", expected=expected)])
        former = _former(work, row)
        due = work.at + timedelta(minutes=row["acknowledge_within_min"])
        with work.part(), work.holding():
            before = {} if former is None else _replaced(work, former, row)
            states = send_orders(work, row, former, before, due)
            log = _log(work, row, "issue")
            log.add("issued", {"sites": len(states), "replaces": row["replaces"]})
            values = {
                "issued_by": work.person.user_id,
                "issued_at": work.at,
                "due_at": due,
                "state": "issued",
            }
            if all(state == "acknowledged" for state in states):
                log.add("completed", {})
                values |= {"state": "completed", "completed_at": work.at}
            _change(work, row, values | log.values, "issue")
        return _told(work, plan)


def _former(work: Work, row: Row) -> Row | None:
    """Return the plan that one replaces, locked; None where none, or its orders count no longer."""
    if not row["replaces"]:
        return None
    former = plan_row(work, row["replaces"], lock=True)
    if former["replaced_by"]:
        raise told_who(
            work, f"What it replaces was replaced already ({former['replaced_by']})", former["withdrawn_by"],
            former["withdrawn_at"], former,
        )  # fmt: skip
    if former["state"] == "withdrawn":
        return None  # its sites know: all orders are new to them
    work.allow("withdraw", target_of("issued_plan", former), former["id"])
    return former


def _replaced(work: Work, former: Row, row: Row) -> dict[str, Row]:
    """Withdraw the former plan; return its orders by site as they were."""
    had = rows_to_decide(work, "issued_order", "plan", [former["id"]], lock=True)
    _withdraw(work, former, had, replaced_by=row["id"], reason="")
    return {one["site"]: one for one in had}


def withdraw_plan(desk: Desk, plan: str, reason: str, *, check: Check | None = None) -> dict[str, Any]:
    """Withdraw a plan: its orders count no longer, and each site that had any is to acknowledge that.

    Parameters
    ----------
    desk : Desk
    plan, reason : str
        Why; no names of persons.
    check : callable, optional

    Raises
    ------
    UsageError
        ``reason-missing``.
    ConflictError
        Somebody has withdrawn or replaced it already: it says who.
    NotFoundError, DeniedError
    """
    check_reason(reason, "the plan is withdrawn")
    with desk.work(writes=True) as work:
        row = _begun(work, plan, "withdraw", check)
        if row["withdrawn_by"] == work.person.user_id and not row["replaced_by"]:
            return _told(work, plan)
        _check_not_over(work, row)
        with work.part(), work.holding():
            _withdraw(
                work,
                row,
                rows_to_decide(work, "issued_order", "plan", [plan], lock=True),
                reason=reason.strip(),
            )
        return _told(work, plan)


def _withdraw(work: Work, row: Row, had: list[Row], *, reason: str, replaced_by: str = "") -> None:
    """Withdraw a plan and its orders, within a part of the work that holds rows.

    Where another plan replaces it, that one's orders tell the sites: the withdrawal is not asked about.
    """
    right = ("withdraw", target_of("issued_plan", row))
    stop_due = None if replaced_by else work.at + timedelta(minutes=row["acknowledge_within_min"])
    for order in had:
        change_record(
            work, "issued_order", order["id"], order["version"],
            {"state": "withdrawn", "withdrawn_at": work.at, "stop_due_at": stop_due}, right=right,
        )  # fmt: skip
    log = PlanLog(work, row, row["head"], right)
    log.add("withdrawn", {"reason": reason} | ({"replaced_by": replaced_by} if replaced_by else {}))
    values = {
        "state": "withdrawn", "withdrawn_by": work.person.user_id, "withdrawn_at": work.at,
        "withdrawn_reason": reason or None, "replaced_by": replaced_by or None,
    }  # fmt: skip
    _change(work, row, values | log.values, "withdraw", reason)


def list_plans(
    desk: Desk, *, state: str = "", limit: int = 50, after: str = ""
) -> tuple[list[dict[str, Any]], str]:
    """Return the newest plans that one may see, and where the next page begins; empty: there is none.

    Parameters
    ----------
    desk : Desk
    state : str
        One of `STATES`; empty: all.
    limit : int
        1 to 500.
    after : str
        Id of the last plan of the page before.

    Raises
    ------
    UsageError
    NotFoundError
        ``after`` names no plan that one may see.
    DeniedError
    """
    if state and state not in STATES:
        raise UsageError(f"There is no state {state[:40]!r}; there are {', '.join(STATES)}.")
    if not 1 <= limit <= MOST_ROWS:
        raise UsageError(f"A page has 1 to {MOST_ROWS} rows.")
    with desk.work(writes=False, snapshot=True) as work:
        chosen = sa.select(plans).where(seen_plans(work))
        if state:
            chosen = chosen.where(plans.c.state == state)
        if after:
            last = plan_row(work, after, whole=False)
            same = sa.and_(plans.c.proposed_at == last["proposed_at"], plans.c.id < last["id"])
            chosen = chosen.where(sa.or_(plans.c.proposed_at < last["proposed_at"], same))
        ordered = chosen.order_by(plans.c.proposed_at.desc(), plans.c.id.desc()).limit(limit + 1)
        rows = work.connection.execute(ordered).mappings().all()
        shown = rows[:limit]
        return plan_facts(work, shown), shown[-1]["id"] if len(rows) > limit else ""


def read_plan(desk: Desk, plan: str) -> dict[str, Any]:
    """Return a plan as it is told.

    Parameters
    ----------
    desk : Desk
    plan : str

    Raises
    ------
    NotFoundError
    """
    with desk.work(writes=False, snapshot=True) as work:
        return plan_facts(work, [plan_row(work, plan, whole=False)])[0]


def changes_of_plan(desk: Desk, plan: str, after: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a plan as it is told, with the number of its newest entry, and what was done after an entry.

    Who sees only their own orders is told of these, and of what was done with the whole.

    Parameters
    ----------
    desk : Desk
    plan : str
    after : int
        Below 0: nothing of what was done before.

    Raises
    ------
    NotFoundError, DeniedError
    """
    with desk.work(writes=False, snapshot=True) as work:
        row = plan_row(work, plan, whole=False)
        facts = plan_facts(work, [row])[0]
        newest = row["entries"]
        if after < 0 or after >= newest:
            return facts | {"newest": newest}, []
        is_whole = facts["seen"] == "whole" and work.may("view", target_of("issued_entry", row))
        entries = entries_after(work, plan, after)
        if not is_whole:
            mine = set(_sites_seen(work, plan))
            entries = [one for one in entries if one.content.get("site", "") in mine | {""}]
        names = names_of(work, (one.by for one in entries))
        told = ("site", "words", "reason", "replaced_by") if is_whole else ("site", "replaced_by")
        made = [
            {"n": one.n, "action": one.action, "at": said_at(one.at), "by": names[one.by]}
            | {name: one.content[name] for name in told if name in one.content}
            for one in entries
        ]
        return facts | {"newest": newest}, made


def _sites_seen(work: Work, plan: str) -> list[str]:
    chosen = sa.select(orders.c.site).where(orders.c.plan == plan, seen_orders(work))
    return list(work.connection.execute(chosen).scalars())


def verify_plan_log(desk: Desk, plan: str, head: str = "") -> LogCheck:
    """Go through the log of a plan and name whatever is wrong with it.

    Parameters
    ----------
    desk : Desk
    plan : str
    head : str
        One that was noted elsewhere.

    Raises
    ------
    NotFoundError, DeniedError
    """
    with desk.work(writes=False, snapshot=True) as work:
        row = plan_row(work, plan)
        work.allow("view", target_of("issued_entry", row), plan)
        return check_log(work, row, head)
