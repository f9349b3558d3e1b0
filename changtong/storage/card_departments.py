"""Which organisations a scorecard names as its departments: what lets their assessors onto the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from changtong.storage.schema import registers

OF_A_CARD = ("assessment", "mark", "hand_in")
"""Registers whose records say by ``scorecard`` which card they are of, besides the cards themselves."""


def named_on(departments: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of the organisations that mark on a card.

    Parameters
    ----------
    departments : mapping
        Column ``departments`` of the card.

    Examples
    --------
    >>> named_on({"market": {"organisation": "scjg-sz", "waited": True}})
    frozenset({'scjg-sz'})
    """
    return frozenset(str(one["organisation"]) for one in departments.values())


def named_for(connection: sa.Connection, kind: str, row: Mapping[Any, Any]) -> frozenset[str]:
    """Return the ids of the organisations that mark on the card of a stored record; none without a card.

    Parameters
    ----------
    connection : Connection
    kind : str
    row : mapping
    """
    if kind == "scorecard":
        return named_on(row["departments"])
    if kind not in OF_A_CARD:
        return frozenset()
    cards = registers["scorecard"]
    chosen = sa.select(cards.c.departments).where(cards.c.id == row["scorecard"])
    found = connection.execute(chosen).scalar()
    return frozenset() if found is None else named_on(found)


def naming_cards(connection: sa.Connection, organisation: str) -> list[str]:
    """Return the ids of the cards on which an organisation marks.

    Parameters
    ----------
    connection : Connection
    organisation : str
        Its id.
    """
    cards = registers["scorecard"]
    # the text narrows it down, whatever its case on SQLite; what it says decides
    near = sa.type_coerce(cards.c.departments, sa.Text).contains(f'"{organisation}"', autoescape=True)
    rows = connection.execute(sa.select(cards.c.id, cards.c.departments).where(near).order_by(cards.c.id))
    return [row.id for row in rows if organisation in named_on(row.departments)]
