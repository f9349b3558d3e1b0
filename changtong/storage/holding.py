"""Legal holds: what somebody has asked to keep is not erased until the hold is lifted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from changtong.errors import NotFoundError
from changtong.rights.decide import Target
from changtong.storage.attachments import lock_erasing
from changtong.storage.blind_marks import blind_rules
from changtong.storage.records import check_kind, get_record
from changtong.storage.rows import new_id
from changtong.storage.schema import holds, registers, to_ms
from changtong.storage.work import Work, check_reason


def put_hold(work: Work, kind: str, record_id: str, reason: str) -> str:
    """Put a hold on a record; return the hold's id.

    Who has the right may hold a record that they may not view, by its id alone: nothing of it is shown. Where
    the right does not reach it is as if there were no such record, and so it is with marks that are blind.

    Parameters
    ----------
    work : Work
    kind, record_id : str
    reason : str
        Kept with the hold and in the audit; without names of persons.

    Raises
    ------
    UsageError
        ``reason-missing``.
    NotFoundError
        There is none that the person may see, or may hold without seeing it.
    """
    check_reason(reason, "the record is held")
    lock_erasing(work.connection, alone=False)
    target, unseen = _to_be_held(work, check_kind(kind), record_id)
    work.allow("add_unseen" if unseen else "add", target, record_id)
    made = new_id(to_ms(work.at))
    row = {
        "id": made, "kind": kind, "record": record_id, "reason": reason.strip(), "set_at": work.at,
        "set_by": work.person.user_id,
    }  # fmt: skip
    work.connection.execute(holds.insert(), row)
    work.note("add", target, made, {"kind": kind, "record": record_id, "unseen": unseen}, reason)
    return made


def _to_be_held(work: Work, kind: str, record_id: str) -> tuple[Target, bool]:
    """Return where a record is for the right to hold it, and whether the person may not view it."""
    try:
        found = get_record(work, kind, record_id)
        return Target("hold", found.path, found.admin_code), False
    except NotFoundError:
        table = registers[kind]
        rules = (table.c.id == record_id, *blind_rules(kind, work.organisation))
        row = work.connection.execute(sa.select(table.c.path, table.c.admin_code).where(*rules)).first()
        target = None if row is None else Target("hold", row.path, row.admin_code)
        if target is None or not work.may("add_unseen", target):
            raise
        return target, True


def lift_hold(work: Work, hold_id: str, reason: str) -> None:
    """Lift a hold.

    Raises
    ------
    NotFoundError
        There is none in force with this id that the person may see.
    """
    check_reason(reason, "the hold is lifted")
    found = next((row for row in _in_force(work) if row["id"] == hold_id), None)
    if found is None:
        raise NotFoundError("There is no hold in force with this id that you may see.")
    target = Target("hold", found["path"], found["admin_code"])
    work.allow("remove", target, hold_id)
    values = {"lifted_at": work.at, "lifted_by": work.person.user_id}
    work.connection.execute(holds.update().where(holds.c.id == hold_id).values(**values))
    work.note("remove", target, hold_id, {"kind": found["kind"], "record": found["record"]}, reason)


def list_holds(work: Work) -> list[dict[str, Any]]:
    """Return the holds in force on records the person may see holds of, oldest first."""
    shown = ("id", "kind", "record", "reason", "set_at", "set_by")
    return [{name: row[name] for name in shown} for row in _in_force(work)]


def _in_force(work: Work) -> list[dict[str, Any]]:
    """Return the holds in force with the place of their records, within the person's right to see them."""
    found: list[dict[str, Any]] = []
    for kind, table in registers.items():
        chosen = (
            sa.select(holds, table.c.path, table.c.admin_code)
            .join(table, table.c.id == holds.c.record)
            .where(holds.c.kind == kind, holds.c.lifted_at.is_(None))
        )
        found += [
            dict(row)
            for row in work.connection.execute(chosen).mappings()
            if work.may("view", Target("hold", row["path"], row["admin_code"]))
        ]
    return sorted(found, key=lambda row: str(row["id"]))
