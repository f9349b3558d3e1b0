"""The log of an issued plan: entries in a SHA-256 chain, added in the transaction of what they tell of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from changtong.emergency.case_log import (
    CaseEntry,
    LogCheck,
    begin_of,
    canonical,
    read_head,
    sealed,
    verify,
)
from changtong.rights.decide import Target
from changtong.storage.records import add_record, rows_to_decide
from changtong.storage.schema import registers
from changtong.storage.work import Work

Row = Mapping[Any, Any]

ORDERS = "orders"
"""Action of entries that hold a part of the plan's orders, as they were proposed."""


@dataclass(frozen=True)
class PlanEntry:
    """What was done with a plan.

    Attributes
    ----------
    n : int
    at : datetime
    by : str
        Id of a user.
    action : str
        proposed, approved, issued, acknowledged, cannot, completed, withdrawn, stop_acknowledged.
    content : mapping
    """

    n: int
    at: datetime
    by: str
    action: str
    content: Mapping[str, Any]


class PlanLog:
    """The log of one plan, within a piece of work that writes; the plan's row is locked, or new.

    Parameters
    ----------
    work : Work
    plan : mapping
        ``id``, ``organisation``, ``path``, ``admin_code``.
    head : str
        Of the newest entry; empty where there is none.
    right : tuple of (action, Target)
        By which its entries are added.
    """

    def __init__(self, work: Work, plan: Row, head: str, right: tuple[str, Target]) -> None:
        self._work, self._plan, self._right = work, plan, right
        self.n, self._seal = read_head(head) if head else (0, begin_of(plan["id"]))

    @property
    def values(self) -> dict[str, Any]:
        """What the plan keeps of its log."""
        return {"entries": self.n, "head": f"{self.n}:{self._seal}"}

    def add(self, action: str, content: Mapping[str, Any]) -> None:
        """Add the next entry.

        Parameters
        ----------
        action : str
        content : mapping
            Without names of persons.
        """
        at, by = self._work.at, self._work.person.user_id
        plan, n = self._plan["id"], self.n + 1
        entry = sealed(CaseEntry(n, _entry_id(plan, n), at, at, by, action, content), self._seal)
        values = {
            "recorded_at": at, "plan": plan, "n": entry.n, "by_user": by, "action": action,
            "content": dict(content), "before": entry.before, "seal": entry.seal,
        }  # fmt: skip
        add_record(
            self._work, "issued_entry", values, organisation=self._plan["organisation"],
            admin_code=self._plan["admin_code"], record_id=entry.id, by_ledger=True, right=self._right,
        )  # fmt: skip
        self.n, self._seal = entry.n, entry.seal


def _entry_id(plan: str, n: int) -> str:
    return f"{plan}.{n:06d}"


def entries_after(work: Work, plan: str, after: int) -> list[PlanEntry]:
    """Return what was done with a plan after an entry, without the orders as they were proposed.

    Parameters
    ----------
    work : Work
    plan : str
    after : int
        Number of the last entry that is known.
    """
    table = registers["issued_entry"]
    chosen = (
        sa.select(table.c.n, table.c.recorded_at, table.c.by_user, table.c.action, table.c.content)
        .where(table.c.plan == plan, table.c.n > after, table.c.action != ORDERS)
        .order_by(table.c.n)
    )
    return [PlanEntry(*row) for row in work.connection.execute(chosen)]


def proposed_parts(work: Work, plan: str) -> list[Mapping[str, Any]]:
    """Return the parts of a plan's orders as they were proposed, in their order.

    Parameters
    ----------
    work : Work
    plan : str
    """
    table = registers["issued_entry"]
    chosen = sa.select(table.c.content).where(table.c.plan == plan, table.c.action == ORDERS)
    return list(work.connection.execute(chosen.order_by(table.c.n)).scalars())


def check_log(work: Work, plan: Row, head: str = "") -> LogCheck:
    """Go through the log of a plan and name whatever is wrong with it.

    Parameters
    ----------
    work : Work
    plan : mapping
        Its row.
    head : str
        One that was noted elsewhere.
    """
    rows = sorted(rows_to_decide(work, "issued_entry", "plan", [plan["id"]]), key=lambda row: row["n"])
    return verify(plan["id"], _lines(rows), plan["head"], head)


def _lines(rows: Sequence[Row]) -> list[str]:
    made = []
    for row in rows:
        at: datetime = row["recorded_at"]
        entry = CaseEntry(
            row["n"], row["id"], at, at, row["by_user"], row["action"], row["content"], row["before"],
            row["seal"],
        )  # fmt: skip
        made.append(canonical(entry.to_json()))
    return made
