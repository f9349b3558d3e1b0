"""Which records hold the data of the person of a request: looked for by name and contact, on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from changtong.data_requests.request_register import KIND, reveal_data_request
from changtong.rights.decide import scopes
from changtong.rights.scope import Scope
from changtong.storage.blind_marks import blind_rules
from changtong.storage.definitions import REGISTERS, register_columns
from changtong.storage.pages import scope_rules
from changtong.storage.schema import registers
from changtong.storage.store import Desk
from changtong.storage.work import Work

LEAST_SIGNS = 2
MOST_RECORDS = 500


def find_person(desk: Desk, request_id: str, reason: str) -> dict[str, Any]:
    """Find the records whose columns of personal data hold the name or the contact of a request's person.

    Whole values are compared, without spaces at their ends: a name within a text is not found (`registers
    find-personal-data` looks there). Only records whose personal data one may see are looked at; the look at
    the request is on record before. Two people can have one name: look at each record.

    Parameters
    ----------
    desk : Desk
    request_id, reason : str

    Returns
    -------
    dict
        ``records``: kind, record, columns and ``by`` (name, contact), no values; ``whole``: whether these are
        all; ``looked_at``: the registers.

    Raises
    ------
    UsageError
        ``reason-missing``.
    NotFoundError, DeniedError
    """
    request = reveal_data_request(desk, request_id, reason).request
    wanted = {
        value.strip(): by
        for by, value in (("name", request.name), ("contact", request.contact))
        if len(value.strip()) >= LEAST_SIGNS
    }
    found: list[dict[str, Any]] = []
    looked_at: list[str] = []
    with desk.work(writes=False, snapshot=True) as work:
        for kind in REGISTERS:
            names = _columns(kind)
            where = scopes(work.person, "reveal", kind, work.at) if names else ()
            if where:
                looked_at.append(kind)
                found += _found_in(work, kind, names, where, wanted)
    return {
        "records": found[:MOST_RECORDS], "whole": len(found) <= MOST_RECORDS, "looked_at": looked_at,
    }  # fmt: skip


def _columns(kind: str) -> list[str]:
    """Return the columns of a register that may hold a name or a contact; none of the requests themselves."""
    if kind == KIND:
        return []
    columns = register_columns(kind).items()
    return [name for name, column in columns if column.personal and column.type == "text"]


def _found_in(
    work: Work, kind: str, names: Sequence[str], where: Sequence[Scope], wanted: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    table = registers[kind]
    within = sa.or_(*(sa.and_(sa.true(), *scope_rules(table, one)) for one in where))
    same = sa.or_(*(sa.func.trim(table.c[name]).in_(list(wanted)) for name in names))
    chosen = sa.select(table.c.id, *(table.c[name] for name in names))
    chosen = chosen.where(within, same, *blind_rules(kind, work.organisation)).order_by(table.c.id)
    for row in work.connection.execute(chosen.limit(MOST_RECORDS + 1)).mappings():
        hits = {name: wanted[text] for name in names if (text := (row[name] or "").strip()) in wanted}
        yield {
            "kind": kind, "record": row["id"], "columns": list(hits), "by": sorted(set(hits.values())),
        }  # fmt: skip
