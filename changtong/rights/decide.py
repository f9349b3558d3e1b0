"""The one place that decides whether a person may do something: deny by default.

What a role may do is data (``rights.csv``): a row for each kind of record and action, a column for each
role, and in the cell how far the right reaches:

==========  =========================================================================
empty       not at all
scope       wherever a grant of this role holds
own         there too, but only for records of the person's own organisation
not_own     there too, but never for records of the person's own organisation
==========  =========================================================================
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from changtong.rights.scope import Scope


class Role(StrEnum):
    """What a person is here for."""

    viewer = "viewer"
    duty_officer = "duty_officer"
    planner = "planner"
    inspector = "inspector"
    assessor = "assessor"
    administrator = "administrator"


class Reach(StrEnum):
    """How far a role's right reaches within its scope."""

    scope = "scope"
    own = "own"
    not_own = "not_own"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, where it holds, and until when (None: until taken back)."""

    role: Role
    scope: Scope
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Return whether it holds at an instant."""
        return self.until is None or at < self.until


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks.

    Attributes
    ----------
    user_id : str
    path : str
        Path of the person's own organisation.
    grants : tuple of Grant
    """

    user_id: str
    path: str
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What it is about: a kind of record, its organisation's path, and its administrative code."""

    kind: str
    path: str
    admin_code: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and by which grant; ``why_not`` is a word for the record, empty where allowed.

    ``why_not`` is ``no-grant`` (no role of the person may do this anywhere), ``outside`` (not here), or
    ``own-organisation`` (here, but not for one's own or only for one's own organisation).
    """

    allowed: bool
    grant: Grant | None = None
    why_not: str = ""


@cache
def rights_table() -> Mapping[tuple[str, str, Role], Reach]:
    """Return how far each role's right reaches, by kind, action and role; what is absent is denied."""
    text = files("changtong.rights").joinpath("rights.csv").read_text("utf-8")
    table = {
        (row["kind"], row["action"], role): Reach(row[role])
        for row in csv.DictReader(text.splitlines())
        for role in Role
        if row[role]
    }
    return MappingProxyType(table)


@cache
def kinds_and_actions() -> tuple[tuple[str, str], ...]:
    """Return every pair of kind and action there is, in order of the table."""
    text = files("changtong.rights").joinpath("rights.csv").read_text("utf-8")
    return tuple((row["kind"], row["action"]) for row in csv.DictReader(text.splitlines()))


def decide(person: Person, action: str, target: Target, at: datetime) -> Decision:
    """Decide whether a person may do something to a record, at an instant.

    Parameters
    ----------
    person : Person
    action : str
        view, add, add_unseen, change, remove, decide, reveal, hand_over, report, assess, verify, backup,
        export, search, erase, sweep.
    target : Target
    at : datetime
        With a zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> now = datetime(2026, 6, 1, tzinfo=UTC)
    >>> li = Person("li", "/post/gd/", (Grant(Role.inspector, Scope(region="440000")),))
    >>> decide(li, "change", Target("hazard", "/firm/outlet/", "440304"), now).allowed
    True
    >>> decide(li, "change", Target("hazard", "/firm/outlet/", "310101"), now).why_not
    'outside'
    """
    table = rights_table()
    why_not = "no-grant"
    for grant in person.grants:
        reach = table.get((target.kind, action, grant.role))
        if reach is None or not grant.holds(at):
            continue
        if not grant.scope.covers(target.path, target.admin_code):
            why_not = "outside" if why_not == "no-grant" else why_not
        elif not _fits(reach, person.path, target.path):
            why_not = "own-organisation"
        else:
            return Decision(True, grant)
    return Decision(False, None, why_not)


def _fits(reach: Reach, own: str, path: str) -> bool:
    if reach is Reach.scope:
        return True
    return (path == own) == (reach is Reach.own)


def scopes(person: Person, action: str, kind: str, at: datetime) -> tuple[Scope, ...]:
    """Return where a person may do something to records of a kind: what a list is filtered by.

    Only for actions that reach all of a scope, as viewing does. Scopes within another are left out.

    Raises
    ------
    ValueError
        The action reaches only the own, or only other organisations.
    """
    found: list[Scope] = []
    for grant in person.grants:
        reach = rights_table().get((kind, action, grant.role))
        if reach is None or not grant.holds(at):
            continue
        if reach is not Reach.scope:
            raise ValueError(f"{action} of {kind} is no right that a list can be filtered by.")
        found.append(grant.scope)
    return _widest(found)


def _widest(found: Iterable[Scope]) -> tuple[Scope, ...]:
    kept: list[Scope] = []
    for scope in sorted(set(found), key=lambda s: (len(s.path) + len(s.prefix), s.path, s.region)):
        if not any(wider.includes(scope) for wider in kept):
            kept.append(scope)
    return tuple(kept)
