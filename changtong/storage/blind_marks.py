"""Marks of departments are blind until every department with weight has handed in: the one rule of it."""

from __future__ import annotations

import sqlalchemy as sa

from changtong.storage.schema import registers, table_name


def blind_rules(kind: str, organisation: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what rows of a register must fulfil to be seen by an organisation's people at all.

    A mark that is blind is as if it were not there: also for administrators and in exports.

    Parameters
    ----------
    kind : str
    organisation : str or None
        Whose people look; None: nobody's, as in an export.

    Returns
    -------
    tuple of conditions
        None for every register but that of the marks.
    """
    if kind != "mark":
        return ()
    marks, cards = registers["mark"], registers["scorecard"]
    shown = sa.exists().where(cards.c.id == marks.c.scorecard, cards.c.marks_shown_at.is_not(None))
    return (shown if organisation is None else sa.or_(shown, marks.c.organisation == organisation),)


def blind_rows(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what rows of a table must fulfil to be read by who sees no department's blind marks.

    Parameters
    ----------
    table : Table
        Of a register, or another one: none is blind then.
    """
    kinds = {table_name(kind): kind for kind in registers}
    return blind_rules(kinds[table.name], None) if table.name in kinds else ()
