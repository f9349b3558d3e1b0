"""Users by name and names of users: what ledgers say who did something by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from changtong.rights.decide import Target
from changtong.storage.held_rows import MOST_OF_A_QUESTION
from changtong.storage.schema import organisations, users
from changtong.storage.work import Work


@dataclass(frozen=True, slots=True)
class Named:
    """A user as a ledger names them.

    Attributes
    ----------
    id, name : str
    organisation : str
        Its id.
    is_shown : bool
        Whether the person who works may see this user.
    """

    id: str
    name: str
    organisation: str
    is_shown: bool


def users_by_name(work: Work, names: Iterable[str]) -> dict[str, Named]:
    """Return the users of these names; names of nobody are left out.

    Parameters
    ----------
    work : Work
    names : iterable of str
    """
    return {one.name: one for one in _users(work, users.c.name, names)}


def users_by_id(work: Work, ids: Iterable[str]) -> dict[str, Named]:
    """Return the users of these ids.

    Parameters
    ----------
    work : Work
    ids : iterable of str
    """
    return {one.id: one for one in _users(work, users.c.id, ids)}


def _users(work: Work, column: sa.Column[str], wanted: Iterable[str]) -> list[Named]:
    known = {} if work.held is None else work.held.remembered[f"users by {column.name}"]
    listed = sorted({one for one in wanted if one})
    missing = [one for one in listed if one not in known]
    for begin in range(0, len(missing), MOST_OF_A_QUESTION):
        some = missing[begin : begin + MOST_OF_A_QUESTION]
        known.update(dict.fromkeys(some))  # nobody, until found
        statement = (
            sa.select(
                users.c.id, users.c.name, organisations.c.id, organisations.c.path, organisations.c.admin_code
            )
            .join(organisations, organisations.c.id == users.c.organisation)
            .where(column.in_(some))
        )
        for user, name, organisation, path, code in work.connection.execute(statement):
            shown = user == work.person.user_id or work.may("view", Target("user", path, code))
            made = Named(user, name, organisation, shown)
            known[user if column.name == "id" else name] = made
    return [known[one] for one in listed if known[one] is not None]


def own_name(work: Work) -> str:
    """Return the name of the person who works.

    Parameters
    ----------
    work : Work
    """
    return users_by_id(work, [work.person.user_id])[work.person.user_id].name


def organisations_there(work: Work, ids: Iterable[str]) -> set[str]:
    """Return which of these organisations there are and the person may see.

    Parameters
    ----------
    work : Work
    ids : iterable of str
    """
    wanted = sorted(set(ids))
    chosen = sa.select(organisations.c.id, organisations.c.path, organisations.c.admin_code)
    rows = work.connection.execute(chosen.where(organisations.c.id.in_(wanted)))
    return {one for one, path, code in rows if work.may("view", Target("organisation", path, code))}
