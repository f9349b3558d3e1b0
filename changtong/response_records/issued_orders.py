"""Orders of an issued plan by site: read by those concerned, acknowledged, or refused with a reason.

People of the site's organisation answer for it; a duty officer in scope answers for others, and says who at
the site said so. A site that is in no register has nobody of its own here: it is answered for. After a plan
was withdrawn, and not replaced, what is acknowledged is that this was read; what had been answered stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from changtong.errors import ConflictError, InputError, NotFoundError, Problem, UsageError
from changtong.response_records.issued_plans import IN_FORCE, Check
from changtong.response_records.order_lines import Sheet, sheet_of, told
from changtong.response_records.plan_log import PlanLog
from changtong.response_records.plan_rows import (
    ANSWERS,
    STOPS,
    Row,
    clocked,
    names_of,
    order_id,
    orders,
    plan_row,
    said_at,
    seen_orders,
    told_who,
)
from changtong.response_records.sent_orders import proposed_sheets
from changtong.rights.decide import Grant, Role
from changtong.rights.scope import Scope
from changtong.storage.definitions import register_columns
from changtong.storage.pages import MOST_ROWS
from changtong.storage.records import change_record, record_of, rows_to_decide
from changtong.storage.store import Desk
from changtong.storage.work import Work, check_reason, target_of

MOST_WORDS = 1000
ORDER_STATES = ("proposed", *ANSWERS)
CHOICES = (*ORDER_STATES, "overdue", *STOPS)
"""What orders are listed by."""

HEADS = (
    "id", "plan", "site", "site_name", "registered_site", "state", "version", "counts", "told", "digest",
    "sent_at", "due_at", "answered_at", "answered_by", "said_by", "words", "withdrawn_at",
    "stop_due_at", "stop_seen_at", "stop_seen_by", "stop_said_by", "stop_words",
)  # fmt: skip


BY = ("answered_by", "stop_seen_by")


@dataclass(frozen=True)
class Answer:
    """What is said of a site's orders.

    Attributes
    ----------
    words : str
        Why it cannot be done, or a remark; no names of persons.
    said_by : str
        Who at the site said so, where somebody else writes it down; personal.
    """

    words: str = ""
    said_by: str = ""


def list_orders(
    desk: Desk, plan: str, *, state: str = "", limit: int = 100, after: str = ""
) -> tuple[list[dict[str, Any]], str]:
    """Return the orders of a plan by site, without their rows, in order of the sites' ids.

    Before a plan is issued they are ``proposed``, and shown only to those who may see the plan whole.

    Parameters
    ----------
    desk : Desk
    plan : str
    state : str
        One of `CHOICES`: a state, ``overdue``, or of withdrawn orders ``stop_waits``, ``stop_seen`` or
        ``stop_overdue``; empty: all.
    limit : int
        1 to 500.
    after : str
        Site that the page before ended with.

    Returns
    -------
    list of dict, str
        Orders, and where the next page begins; empty: there is none.

    Raises
    ------
    UsageError
    NotFoundError
    """
    if state and state not in CHOICES:
        raise UsageError(f"There is no state {state[:40]!r}; there are {', '.join(CHOICES)}.")
    if not 1 <= limit <= MOST_ROWS:
        raise UsageError(f"A page has 1 to {MOST_ROWS} rows.")
    with desk.work(writes=False, snapshot=True) as work:
        row = plan_row(work, plan, whole=False)
        if row["issued_at"] is None:
            sheets = [] if state not in ("", "proposed") else _proposed(work, row)
            there = [_proposed_head(row, one) for one in sheets if one.site > after]
            shown = there[:limit]
            return shown, shown[-1]["site"] if len(there) > limit else ""
        columns = [orders.c[name] for name in ("organisation", "path", "admin_code", *HEADS)]
        chosen = sa.select(*columns).where(orders.c.plan == plan, orders.c.site > after, seen_orders(work))
        if state:
            chosen = chosen.where(clocked(work.at).get(state, orders.c.state == state))
        rows = work.connection.execute(chosen.order_by(orders.c.site).limit(limit + 1)).mappings().all()
        names = names_of(work, (one[by] for one in rows for by in BY))
        made = [_head(work, one, names) for one in rows[:limit]]
        return made, made[-1]["site"] if len(rows) > limit else ""


def _proposed(work: Work, row: Row) -> list[Sheet]:
    """Return a plan's orders before it is issued: nothing to those who see only orders of their sites."""
    if not work.may_see("issued_plan", row):
        return []
    return sorted(proposed_sheets(work, row["id"]), key=lambda one: one.site)


def _proposed_head(row: Row, sheet: Sheet) -> dict[str, Any]:
    facts = dict.fromkeys(HEADS) | {
        "plan": row["id"], "site": sheet.site, "site_name": sheet.name or None, "state": "proposed",
        "counts": sheet.counts(), "digest": sheet.digest(),
    }  # fmt: skip
    place = {"organisation": row["organisation"], "admin_code": row["admin_code"]}
    return place | facts | {"overdue": False, "stop_overdue": False, "may": []}


def _head(work: Work, row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a site's orders as they are told, without their rows, personal data masked."""
    empty = dict.fromkeys(("path", "created_at", "created_by", "updated_at", "updated_by"))
    filled = dict.fromkeys(register_columns("issued_order")) | empty | dict(row)
    shown = record_of("issued_order", filled)
    facts: dict[str, Any] = {"organisation": row["organisation"], "admin_code": row["admin_code"]}
    facts |= {name: shown.values.get(name, row[name]) for name in HEADS}
    facts |= {name: said_at(row[name]) for name in HEADS if name.endswith("_at")}
    facts |= {name: names.get(row[name]) if row[name] else None for name in BY}
    is_late = _stop_waits(row) and row["stop_due_at"] < work.at
    facts |= {"overdue": row["state"] == "sent" and row["due_at"] < work.at, "stop_overdue": is_late}
    return facts | {"may": _may(work, row)}


def _stop_waits(order: Row) -> bool:
    """Return whether it was withdrawn, and nobody has said yet that this was read."""
    return order["stop_due_at"] is not None and order["stop_seen_at"] is None


def _may(work: Work, order: Row) -> list[str]:
    """Return what the person may answer to an order as it is."""
    ways = {"sent": ["acknowledge", "cannot"], "cannot": ["acknowledge"]}.get(order["state"], [])
    if _stop_waits(order):
        ways = ["acknowledge"]
    return ways if work.may(_needed(work, order), target_of("issued_order", order)) else []


def read_order(desk: Desk, plan: str, site: str, *, whole: bool = False) -> dict[str, Any]:
    """Return the orders of one site with their rows, in words of both languages.

    A site that has acknowledged orders of a plan that this one replaces is told what differs: what is new
    (``told`` is new), and what counts no longer (withdrawn).

    Parameters
    ----------
    desk : Desk
    plan, site : str
    whole : bool
        With the rows that stay as they were (same), too.

    Raises
    ------
    NotFoundError
    """
    with desk.work(writes=False, snapshot=True) as work:
        row = plan_row(work, plan, whole=False)
        if row["issued_at"] is None:
            sheet = next((one for one in _proposed(work, row) if one.site == site), None)
            if sheet is None:
                raise _not_there()
            rows = [told(one, sheet.names, "new") for one in sheet.rows()]
            return _proposed_head(row, sheet) | {"valid_from": said_at(row["valid_from"]), "rows": rows}
        order = _order_row(work, plan, site)
        names = names_of(work, (order[by] for by in BY))
        facts = _head(work, order, names) | {"valid_from": said_at(row["valid_from"])}
        return facts | {"rows": list(_rows(order, whole=whole))}


def _not_there() -> NotFoundError:
    return NotFoundError("This site has no orders under this plan that you may see.")


def _order_row(work: Work, plan: str, site: str, *, lock: bool = False) -> Row:
    rows = rows_to_decide(work, "issued_order", "id", [order_id(plan, site)], lock=lock)
    if not rows or not work.may_see("issued_order", rows[0]):
        raise _not_there()
    return rows[0]


def _rows(order: Row, *, whole: bool) -> Iterator[dict[str, Any]]:
    """Return the rows of an order as they are told; all are withdrawn where the order is."""
    sheet, differs = sheet_of(order["sheet"]), order["differs"]
    is_over = order["state"] == "withdrawn"
    names = dict(differs["names"]) | dict(sheet.names)
    for row, is_new in zip(sheet.rows(), differs["new"], strict=True):
        if is_new or whole or is_over:
            yield told(row, names, "withdrawn" if is_over else "new" if is_new else "same")
    for row in differs["over"]:
        yield told(row, names, "withdrawn")


def every_row(desk: Desk, plan: str) -> Iterator[dict[str, Any]]:
    """Return all orders of a plan that one may see, one row each, site by site, with the site's answer.

    Parameters
    ----------
    desk : Desk
    plan : str

    Raises
    ------
    NotFoundError
    """
    with desk.work(writes=False, snapshot=True) as work:
        row = plan_row(work, plan, whole=False)
        if row["issued_at"] is None:
            for sheet in _proposed(work, row):
                waits = {"site": sheet.site, "site_name": sheet.name, "state": "proposed"}
                yield from (waits | told(one, sheet.names, "new") for one in sheet.rows())
            return
        chosen = sa.select(orders).where(orders.c.plan == plan, seen_orders(work)).order_by(orders.c.site)
        for order in work.connection.execution_options(yield_per=200).execute(chosen).mappings():
            head = {name: order[name] for name in ("site", "site_name", "state")}
            head |= {"answer": order["words"]}
            head |= {name: said_at(order[name]) for name in ("answered_at", "stop_seen_at")}
            yield from (head | one for one in _rows(order, whole=True))


def acknowledge_order(
    desk: Desk,
    plan: str,
    site: str,
    answer: Answer | None = None,
    *,
    withdrawal: bool = False,
    check: Check | None = None,
) -> dict[str, Any]:
    """Acknowledge the orders of a site: they were read and will be done. The last one completes the plan.

    Parameters
    ----------
    desk : Desk
    plan, site : str
    answer : Answer, optional
    withdrawal : bool
        It was read that the orders were withdrawn. Told apart, as orders may be withdrawn while somebody
        acknowledges them: one who has not read that is not to count as one who has.
    check : callable, optional
        Refuses to go on where the orders are not as whoever asks has read them.

    Raises
    ------
    NotFoundError
    DeniedError
        ``not-allowed``.
    InputError
        ``said-by-missing``: it is another's site, and nobody is named who said so; ``out-of-range``.
    ConflictError
        Somebody else has answered, or the orders were withdrawn or replaced: it says who; or they were not
        withdrawn.
    """
    state = "stop_seen" if withdrawal else "acknowledged"
    return _answer(desk, plan, site, state, answer or Answer(), check)


def refuse_order(
    desk: Desk, plan: str, site: str, answer: Answer, *, check: Check | None = None
) -> dict[str, Any]:
    """Say that a site cannot do what it was ordered, and why; it may acknowledge later all the same.

    Parameters
    ----------
    desk : Desk
    plan, site : str
    answer : Answer
        Its words say why.
    check : callable, optional

    Raises
    ------
    UsageError
        ``reason-missing``.
    NotFoundError, DeniedError, InputError, ConflictError
        As `acknowledge_order`.
    """
    check_reason(answer.words, "it cannot be done")
    return _answer(desk, plan, site, "cannot", answer, check)


def _answer(
    desk: Desk, plan: str, site: str, state: str, answer: Answer, check: Check | None
) -> dict[str, Any]:
    _check_lengths(answer)
    with desk.work(writes=True) as work:
        row = plan_row(work, plan, lock=True, whole=False)
        order = _order_row(work, plan, site, lock=True)
        right = _right(work, order, answer)
        if check is not None:
            check(order)
        if not _is_repeated(work, order, state, answer):
            _check_open(work, row, order, state)
            _write(work, row, order, state, answer, right)
        (made,) = rows_to_decide(work, "issued_order", "id", [order["id"]])
        return _head(work, made, names_of(work, (made[by] for by in BY)))


def _check_lengths(answer: Answer) -> None:
    problems = [
        Problem("out-of-range", "The text is too long.", column=name, expected=f"{MOST_WORDS} signs at most")
        for name, text in (("words", answer.words), ("said_by", answer.said_by))
        if len(text) > MOST_WORDS
    ]
    if problems:
        raise InputError(problems)


def _right(work: Work, order: Row, answer: Answer) -> str:
    """Return the right that the answer needs, which the person has: for their own site, or for another's."""
    right = _needed(work, order)
    work.allow(right, target_of("issued_order", order), order["id"])
    if right != "acknowledge" and not answer.said_by.strip():
        text, expected = "It is not your site: say who there said so.", "a name, a post, a telephone"
        raise InputError([Problem("said-by-missing", text, column="said_by", expected=expected)])
    return right


def _needed(work: Work, order: Row) -> str:
    is_own = order["registered_site"] is not None and order["path"] == work.person.path
    return "acknowledge" if is_own else "acknowledge_for"


def _is_repeated(work: Work, order: Row, state: str, answer: Answer) -> bool:
    """Return whether the same person has said the same already: it counts once."""
    if state == "stop_seen":
        return bool(order["stop_seen_by"] == work.person.user_id)
    same = order["answered_by"] == work.person.user_id and order["state"] == state
    return same and (state == "acknowledged" or order["words"] == answer.words.strip())


def _check_open(work: Work, row: Row, order: Row, state: str) -> None:
    """Refuse an answer that comes second, or too late, and say who was before."""
    if state == "stop_seen":
        _check_stop(work, order)
        if _stop_waits(order):
            return
    if order["state"] == "withdrawn":
        raise told_who(work, "These orders were withdrawn", row["withdrawn_by"], row["withdrawn_at"], order)
    if order["state"] == "sent" or (order["state"] == "cannot" and state == "acknowledged"):
        return
    what = "acknowledged" if order["state"] == "acknowledged" else "answered that they cannot be done"
    raise told_who(work, f"These orders were {what}", order["answered_by"], order["answered_at"], order)


def _check_stop(work: Work, order: Row) -> None:
    """Refuse to acknowledge a withdrawal a second time, or one that there is not."""
    if order["stop_seen_at"] is not None:
        what = "The withdrawal of these orders was acknowledged"
        raise told_who(work, what, order["stop_seen_by"], order["stop_seen_at"], order)
    if order["state"] != "withdrawn":
        now = {name: order[name] for name in ("id", "state", "version")}
        raise ConflictError("These orders were not withdrawn.", current=now)


def _write(work: Work, row: Row, order: Row, state: str, answer: Answer, right: str) -> None:
    """Write an answer, its entry in the plan's log, and whether the plan is completed by it."""
    inside, allowed = _inside(work, row), (right, target_of("issued_order", order))
    values: dict[str, Any] = {
        "words": answer.words.strip() or None,
        "said_by": answer.said_by.strip() or None,
    }
    if state == "stop_seen":  # what had been answered to the orders stays
        action, values = "stop_acknowledged", {f"stop_{name}": text for name, text in values.items()}
        values |= {"stop_seen_at": work.at, "stop_seen_by": work.person.user_id}
    else:
        action = state
        values |= {"state": state, "answered_at": work.at, "answered_by": work.person.user_id}
    change_record(work, "issued_order", order["id"], order["version"], values, right=allowed)
    log = PlanLog(inside, row, row["head"], allowed)
    content = {"site": order["site"], "words": answer.words.strip(), "on_behalf": right != "acknowledge"}
    log.add(action, content)
    changed: dict[str, Any] = {}
    left = sa.select(orders.c.id).where(orders.c.plan == row["id"], orders.c.state != "acknowledged")
    if row["state"] in IN_FORCE and work.connection.execute(left.limit(1)).first() is None:
        log.add("completed", {})
        changed = {"state": "completed", "completed_at": work.at}
    change_record(inside, "issued_plan", row["id"], row["version"], changed | log.values, right=allowed)


def _inside(work: Work, row: Row) -> Work:
    """Return the work as of one who sees the plan: an answer is written into the log of a plan of others.

    Nothing that is read this way is told.
    """
    sees = Grant(Role.viewer, Scope(row["path"]))
    person = replace(work.person, grants=(*work.person.grants, sees))
    return replace(work, holds=replace(work.holds, person=person))
