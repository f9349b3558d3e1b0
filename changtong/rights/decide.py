"""The one place that decides whether a person may do something: deny by default.

What a role may do is data (``rights.csv``): a row for each kind of record and action, a column for each
role, and in the cell how far the right reaches; where it holds several, one that fits is enough:

=============  ======================================================================
empty          not at all
scope          wherever a grant of this role holds
own            there too, but only for records of the person's own organisation
not_own        there too, but never for records of the person's own organisation
named          on a scorecard that names the person's own organisation as a department
named_not_own  there too, but never for records of the person's own organisation
party          on a record that names the person: whose complaint it is, or who deals with it
handler        on a record that names the person as who deals with it for the firm it is about
=============  ======================================================================

``named`` reaches beyond the scope: a city's department marks on a province's card. The role must hold for the
record or for the person's own organisation, and a firm's people never get beyond their firm. ``party`` and
``handler`` are for single records, wherever they are: whom the record names. Who deals with one for a firm
does so only as long as their organisation is this firm or below it.
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
    """How far a role's right reaches, within its scope or on cards that name the person's organisation."""

    scope = "scope"
    own = "own"
    not_own = "not_own"
    named = "named"
    named_not_own = "named_not_own"
    party = "party"
    handler = "handler"


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
    admin_code : str
        Of the person's own organisation.
    is_authority : bool
        Whether that is an authority, and no firm.
    """

    user_id: str
    path: str
    grants: tuple[Grant, ...] = ()
    admin_code: str = ""
    is_authority: bool = False

    @property
    def organisation(self) -> str:
        """Id of the person's own organisation."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def organisations(self) -> tuple[str, ...]:
        """Ids of the person's own organisation and of those above it, the topmost first."""
        return tuple(self.path.strip("/").split("/"))

    @property
    def farthest(self) -> Scope:
        """Where a card that names their organisation can let the person in: firms stay among themselves."""
        return Scope() if self.is_authority else Scope(f"/{self.path.split('/')[1]}/")


@dataclass(frozen=True, slots=True)
class Target:
    """What it is about: a kind of record, its organisation's path, and its administrative code.

    ``named`` are the ids of the organisations that mark on the card it belongs to; none where it belongs to
    no card. ``parties`` are the ids of the users whom the record names as those it is about, ``handlers`` of
    those who deal with it for the organisation ``firm``.
    """

    kind: str
    path: str
    admin_code: str
    named: frozenset[str] = frozenset()
    parties: frozenset[str] = frozenset()
    handlers: frozenset[str] = frozenset()
    firm: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and by which grant; ``why_not`` is a word for the record, empty where allowed.

    ``why_not`` is ``no-grant`` (no role of the person may do this anywhere), ``outside`` (not here, nor is
    the person's organisation named on the card where that would do), or ``own-organisation`` (here, but not
    for one's own or only for one's own organisation).
    """

    allowed: bool
    grant: Grant | None = None
    why_not: str = ""


@cache
def rights_table() -> Mapping[tuple[str, str, Role], tuple[Reach, ...]]:
    """Return how far each role's right reaches, by kind, action and role; what is absent is denied."""
    text = files("changtong.rights").joinpath("rights.csv").read_text("utf-8")
    table = {
        (row["kind"], row["action"], role): tuple(map(Reach, row[role].split()))
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
        view, add, add_unseen, change, remove, decide, reveal, hand_over, report, assess, conduct, mark,
        answer, approve, issue, withdraw, acknowledge, acknowledge_for, verify, backup, export, search, erase,
        sweep.
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
    >>> city = (Grant(Role.assessor, Scope(region="440300")),)
    >>> wu = Person("wu", "/market-sz/", city, "440300", is_authority=True)
    >>> decide(wu, "mark", Target("scorecard", "/post/gd/", "440000", frozenset({"market-sz"})), now).allowed
    True
    """
    table = rights_table()
    why_not = "no-grant"
    for grant in person.grants:
        reaches = table.get((target.kind, action, grant.role), ())
        if not reaches or not grant.holds(at):
            continue
        reasons = {_why_not(reach, grant.scope, person, target) for reach in reaches}
        if "" in reasons:
            return Decision(True, grant)
        if "own-organisation" in reasons or why_not == "no-grant":
            why_not = min(reasons, key=("own-organisation", "outside").index)  # the nearer one
    return Decision(False, None, why_not)


def _why_not(reach: Reach, scope: Scope, person: Person, target: Target) -> str:
    """Return why a right that reaches so far does not hold for a record, or nothing where it does."""
    if reach in (Reach.party, Reach.handler):
        handles = person.user_id in target.handlers and target.firm in person.organisations
        is_one = handles or (reach is Reach.party and person.user_id in target.parties)
        return "" if is_one else "outside"
    here = scope.covers(target.path, target.admin_code)
    if reach in (Reach.named, Reach.named_not_own):
        here = here or scope.covers(person.path, person.admin_code)
        here = here and person.organisation in target.named
        here = here and person.farthest.covers(target.path, target.admin_code)
    if not here:
        return "outside"
    own = person.path == target.path
    wrong = not own if reach is Reach.own else own and reach in (Reach.not_own, Reach.named_not_own)
    return "own-organisation" if wrong else ""


def scopes(person: Person, action: str, kind: str, at: datetime) -> tuple[Scope, ...]:
    """Return where a person may do something to records of a kind: what a list is filtered by.

    Only for actions that reach all of a scope, as viewing does. Scopes within another are left out. What a
    card that names the person's organisation opens beyond them, `named_within` tells.

    Raises
    ------
    ValueError
        The action reaches only the own, or only other organisations.
    """
    found: list[Scope] = []
    for grant in person.grants:
        reaches = rights_table().get((kind, action, grant.role), ())
        if not reaches or not grant.holds(at):
            continue
        if reaches == (Reach.party,):  # of single records: `is_party` tells
            continue
        if Reach.scope not in reaches:
            raise ValueError(f"{action} of {kind} is no right that a list can be filtered by.")
        found.append(grant.scope)
    return _widest(found)


def actions_anywhere(person: Person, kind: str, at: datetime) -> tuple[str, ...]:
    """Return what a person may do to records of a kind somewhere, in order of the table.

    Whether they may do it to one record, `decide` says.

    Examples
    --------
    >>> from datetime import UTC
    >>> li = Person("li", "/post/gd/", (Grant(Role.viewer, Scope()),))
    >>> actions_anywhere(li, "site", datetime(2026, 6, 1, tzinfo=UTC))
    ('view',)
    """
    roles = {grant.role for grant in person.grants if grant.holds(at)}
    return tuple(
        action
        for of, action in kinds_and_actions()
        if of == kind and any((kind, action, role) in rights_table() for role in roles)
    )


def named_within(person: Person, action: str, kind: str, at: datetime) -> Scope | None:
    """Return within what a person may do something to records of cards that name their organisation.

    Beyond `scopes`; None: nowhere.
    """
    for grant in person.grants:
        reaches = rights_table().get((kind, action, grant.role), ())
        if Reach.named in reaches and grant.holds(at) and grant.scope.covers(person.path, person.admin_code):
            return person.farthest
    return None


def is_party(person: Person, action: str, kind: str, at: datetime) -> bool:
    """Return whether a person may do something to records of a kind that name them; beyond `scopes`."""
    return any(
        Reach.party in rights_table().get((kind, action, grant.role), ()) and grant.holds(at)
        for grant in person.grants
    )


def _widest(found: Iterable[Scope]) -> tuple[Scope, ...]:
    kept: list[Scope] = []
    for scope in sorted(set(found), key=lambda s: (len(s.path) + len(s.prefix), s.path, s.region)):
        if not any(wider.includes(scope) for wider in kept):
            kept.append(scope)
    return tuple(kept)
