"""What a person may see of a register, as conditions on its rows: within scopes, and on cards that name them.

The same as `Work.may_see` decides row by row.
"""

from __future__ import annotations

import sqlalchemy as sa

from changtong.rights.decide import Target, is_party, named_within, scopes
from changtong.storage.card_departments import OF_A_CARD, naming_cards
from changtong.storage.definitions import HANDLERS, PARTIES
from changtong.storage.pages import Rules, scope_rules
from changtong.storage.schema import registers
from changtong.storage.work import Work


def seen_parts(work: Work, kind: str) -> list[Rules]:
    """Return parts of a register that a person may see together: a row of any of them may be seen.

    Parameters
    ----------
    work : Work
    kind : str

    Returns
    -------
    list of sequences of conditions
        At least one.

    Raises
    ------
    DeniedError
        ``not-allowed``: none of it.
    """
    table = registers[kind]
    parts: list[Rules] = [scope_rules(table, one) for one in scopes(work.person, "view", kind, work.at)]
    within = named_within(work.person, "view", kind, work.at)
    if within is not None:
        column = table.c.scorecard if kind in OF_A_CARD else table.c.id
        cards = naming_cards(work.connection, work.organisation)
        if cards:
            parts.append([column.in_(cards), *scope_rules(table, within)])
    if kind in PARTIES and is_party(work.person, "view", kind, work.at):
        parts += [[table.c[name] == work.person.user_id] for name in PARTIES[kind]]
        handler, firm = HANDLERS[kind]
        own = table.c[firm].in_(work.person.organisations)
        parts.append([table.c[handler] == work.person.user_id, own])
    if kind == "attachment":
        parts = [[*part, table.c.about_kind.not_in(PARTIES)] for part in parts]
    if not parts:
        work.allow("view", Target(kind, work.person.path, ""))
        parts.append([sa.false()])
    return parts
