"""Issued plans and their orders as one person sees them: in scope, or because a site of theirs has orders.

Whoever may see a plan sees it whole. Whose site has orders under a plan of somebody else sees that there is
this plan, and their own orders; every count is of the orders that the person may see.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.errors import ConflictError, NotFoundError
from changtong.storage.records import rows_to_decide
from changtong.storage.schema import registers
from changtong.storage.seen_parts import seen_parts
from changtong.storage.user_names import users_by_id
from changtong.storage.work import Work, target_of

Row = Mapping[Any, Any]

plans, orders = registers["issued_plan"], registers["issued_order"]

HIDDEN_FROM_SITES = ("run_id", "plan_digest", "numbers", "counts", "sites", "withdrawn_reason")
"""What of a plan is told only to those who may see it whole."""

ANSWERS = ("sent", "acknowledged", "cannot", "withdrawn")
STOPS = ("stop_waits", "stop_seen", "stop_overdue")
"""How far withdrawn orders are whose withdrawal is to be acknowledged; overdue ones wait, too."""


STEPS = {
    "proposed": ("approve", "withdraw"), "approved": ("issue", "withdraw"),
    "issued": ("withdraw",), "completed": ("withdraw",),
}  # fmt: skip
"""What can be done with a plan in each state."""


def order_id(plan: str, site: str) -> str:
    """Return the id of a site's orders under a plan: one, whatever signs the site's id has.

    Examples
    --------
    >>> order_id("p", "甲") == order_id("p", "甲") != order_id("p", "乙")
    True
    """
    return hashlib.sha256(f"{plan}\n{site}".encode()).hexdigest()[:48]


def seen_orders(work: Work) -> sa.ColumnElement[bool]:
    """Return what orders fulfil that a person may see.

    Raises
    ------
    DeniedError
        ``not-allowed``: none anywhere.
    """
    return sa.or_(*(sa.and_(*part) if part else sa.true() for part in seen_parts(work, "issued_order")))


def clocked(at: datetime) -> dict[str, sa.ColumnElement[bool]]:
    """Return what orders fulfil that are counted beside their state, most of them by the clock.

    ``late`` were answered after they were due, ``overdue`` are due and not answered yet; of withdrawn ones
    ``stop_waits``: the withdrawal is to be acknowledged, ``stop_overdue``: and that is due, ``stop_seen``: it
    was acknowledged.

    Parameters
    ----------
    at : datetime
        Now.
    """
    waits = sa.and_(orders.c.stop_due_at.is_not(None), orders.c.stop_seen_at.is_(None))
    return {
        "late": orders.c.answered_at > orders.c.due_at,
        "overdue": sa.and_(orders.c.state == "sent", orders.c.due_at < at),
        "stop_waits": waits,
        "stop_seen": orders.c.stop_seen_at.is_not(None),
        "stop_overdue": sa.and_(waits, orders.c.stop_due_at < at),
    }


def seen_plans(work: Work) -> sa.ColumnElement[bool]:
    """Return what plans fulfil that a person may see, whole or for their orders."""
    whole = (sa.and_(*part) if part else sa.true() for part in seen_parts(work, "issued_plan"))
    return sa.or_(*whole, plans.c.id.in_(sa.select(orders.c.plan).where(seen_orders(work))))


def plan_row(work: Work, plan: str, *, lock: bool = False, whole: bool = True) -> Row:
    """Return the row of a plan that the person may see.

    Parameters
    ----------
    work : Work
    plan : str
    lock : bool
    whole : bool
        Whether having orders under it is not enough.

    Raises
    ------
    NotFoundError
    """
    rows = rows_to_decide(work, "issued_plan", "id", [plan], lock=lock)
    if rows and (work.may_see("issued_plan", rows[0]) or (not whole and _has_orders(work, plan))):
        return rows[0]
    raise NotFoundError("There is no issued plan of this id that you may see.")


def _has_orders(work: Work, plan: str) -> bool:
    chosen = sa.select(orders.c.id).where(orders.c.plan == plan, seen_orders(work)).limit(1)
    return work.connection.execute(chosen).first() is not None


def names_of(work: Work, ids: Iterable[str | None]) -> dict[str, str]:
    """Return names of users where the person may see who they are, their ids elsewhere."""
    wanted = {one for one in ids if one}
    found = {one: user.name for one, user in users_by_id(work, wanted).items() if user.is_shown}
    return {one: found.get(one, one) for one in wanted}


def said_at(at: datetime | None) -> str | None:
    """Return an instant as it is told."""
    return None if at is None else at.isoformat(timespec="milliseconds")


def plan_facts(work: Work, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return plans as they are told.

    Parameters
    ----------
    work : Work
    rows : iterable of mapping
    """
    rows = list(rows)
    people = ("proposed_by", "approved_by", "issued_by", "withdrawn_by")
    names = names_of(work, (row[one] for row in rows for one in people))
    answers = _answers(work, [row["id"] for row in rows])
    return [_facts(work, row, people, names, answers[row["id"]]) for row in rows]


def _facts(
    work: Work, row: Row, people: Iterable[str], names: Mapping[str, str], answers: Mapping[str, int]
) -> dict[str, Any]:
    is_whole = work.may_see("issued_plan", row)
    texts = (
        "id", "organisation", "admin_code", "version", "state", "title", "plan_id", "network", "outages",
        "run_id", "plan_digest", "numbers", "counts", "sites", "acknowledge_within_min", "replaces",
        "replaced_by", "withdrawn_reason",
    )  # fmt: skip
    times = (
        "valid_from", "proposed_at", "approved_at", "issued_at", "due_at", "completed_at", "withdrawn_at",
    )  # fmt: skip
    facts = {one: row[one] for one in texts} | {one: said_at(row[one]) for one in times}
    facts |= {one: names.get(row[one]) if row[one] else None for one in people}
    facts |= {"seen": "whole" if is_whole else "orders", "answers": dict(answers), "notes": []}
    facts["may"] = _may(work, row) if is_whole else []
    if not is_whole:
        return facts | dict.fromkeys(HIDDEN_FROM_SITES)
    left = float((row["numbers"] or {}).get("unserved_pieces") or 0.0)
    if left >= 0.5:
        facts["notes"] = [
            {
                "code": "leaves-unserved",
                "pieces": left,
                "says": f"{left:,.0f} pieces a day are left unserved.",
            }
        ]
    return facts


def _may(work: Work, row: Row) -> list[str]:
    """Return what the person may do with a plan as it is: who proposed it does not approve it."""
    target = target_of("issued_plan", row)
    is_own = row["proposed_by"] == work.person.user_id
    steps = (one for one in STEPS.get(row["state"], ()) if not (is_own and one == "approve"))
    return [one for one in steps if work.may(one, target)]


def _answers(work: Work, ids: list[str]) -> dict[str, dict[str, int]]:
    """Count the orders of plans that the person may see by their state, and as `clocked` says."""
    counted = clocked(work.at)
    sums = [sa.func.sum(sa.case((one, 1), else_=0)) for one in counted.values()]
    chosen = (
        sa.select(orders.c.plan, orders.c.state, sa.func.count(), *sums)
        .where(orders.c.plan.in_(ids), seen_orders(work))
        .group_by(orders.c.plan, orders.c.state)
    )
    found: dict[str, Counter[str]] = {one: Counter() for one in ids}
    for plan, state, count, *of_them in work.connection.execute(chosen):
        found[plan].update({state: count} | dict(zip(counted, map(int, of_them), strict=True)))
    return {one: {name: many[name] for name in (*ANSWERS, *counted)} for one, many in found.items()}


def told_who(work: Work, what: str, by: str | None, at: datetime | None, row: Row) -> ConflictError:
    """Return the error of who comes second: it tells who was first.

    Parameters
    ----------
    work : Work
    what : str
        As in "This plan was approved".
    by : str
        Id of a user.
    at : datetime
    row : mapping
        The record as it is now.
    """
    name = names_of(work, [by]).get(by or "", "somebody")
    current = {
        "id": row["id"],
        "state": row["state"],
        "version": row["version"],
        "by": name,
        "at": said_at(at),
    }
    return ConflictError(f"{what} by {name} at {said_at(at)}.", current=current)
