"""Organisations under another parent, and records handed over: whose a record is decides who sees it.

A record holds the path of its organisation, and so does a scope; both follow in the same transaction, each
record with an entry of its own in the audit, so that `record_check` finds it as it was left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.rights.decide import Target
from changtong.rights.organisations import MOST_LEVELS, may_hold, may_stand_below
from changtong.rights.scope import Scope
from changtong.storage.definitions import OWN_WAYS, register_columns
from changtong.storage.people import lock_hierarchy, organisation_of
from changtong.storage.records import OF_THEIR_SITE, check_kind
from changtong.storage.rows import digest_of, place_of
from changtong.storage.schema import grants, organisations, registers, users
from changtong.storage.work import Work, check_reason

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Moved:
    """What has moved.

    Attributes
    ----------
    organisations, records : int
    scopes : int
        Scopes of roles that followed.
    taken_back : int
        Roles that reach beyond what their holder's organisation may have now: they ended.
    kinds : mapping of str to int
        Register -> records handed over.
    """

    organisations: int
    records: int
    scopes: int = 0
    taken_back: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints."""
        facts = asdict(self)
        return facts if self.kinds else {name: facts[name] for name in facts if name != "kinds"}

    def __str__(self) -> str:
        text = f"{self.organisations:,} organisations and {self.records:,} records moved"
        return f"{text}; {self.scopes:,} scopes followed, {self.taken_back:,} roles ended"


def below(column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[bool]:
    """Return what paths of an organisation and of all below it fulfil."""
    return sa.and_(column >= path, column < f"{path[:-1]}0")  # 0 follows /


def move_organisation(work: Work, organisation: str, parent: str, reason: str) -> Moved:
    """Put an organisation, with all below it, under another parent.

    Parameters
    ----------
    work : Work
    organisation, parent : str
        Ids.
    reason : str

    Raises
    ------
    InputError
        ``bad-organisation``: it cannot stand there.
    DeniedError
        ``not-allowed``: it needs the right to change the organisation, the one above it and the new parent.
    """
    check_reason(reason, "the organisation moves")
    lock_hierarchy(work.connection)
    row, above = organisation_of(work, organisation), organisation_of(work, parent)
    before = None if row["parent"] is None else organisation_of(work, row["parent"])
    for one in (row, above, before):
        target = Target("organisation", "/", "") if one is None else _target(one)
        work.allow("change", target, organisation)
    old, new = row["path"], f"{above['path']}{organisation}/"
    tree = work.connection.execute(
        sa.select(organisations).where(below(organisations.c.path, old)).order_by(organisations.c.path)
    )
    members = tree.mappings().all()
    _check_place(row, above, max(one["path"].count("/") for one in members) - old.count("/"))
    held = _grants_about(work, old)
    for one in members:
        changed = {"path": new + one["path"].removeprefix(old)}
        if one["id"] == organisation:
            changed["parent"] = parent
        _change(work, organisations, "organisation", "move", one, changed, reason)
    count = 0
    for kind, table in registers.items():
        rows = work.connection.execute(sa.select(table).where(below(table.c.path, old))).mappings().all()
        for one in rows:
            changed = place_of(new + one["path"].removeprefix(old), one["admin_code"])
            _change(work, table, kind, "move", one, changed, reason)
        count += len(rows)
    scopes, ended = _follow(work, held, old, new)
    return Moved(len(members), count, scopes, ended)


def _check_place(row: Row, above: Row, levels: int) -> None:
    if above["path"].startswith(row["path"]):
        raise _bad("An organisation cannot stand below itself.", "one outside of it")
    if row["parent"] == above["id"]:
        raise _bad("The organisation stands there already.", "another parent")
    if not may_stand_below(row["kind"], above["kind"]):
        raise _bad(f"A {row['kind']} cannot stand below a {above['kind']}.", "a kind that may stand above it")
    if above["path"].count("/") + levels > MOST_LEVELS:
        raise _bad("The hierarchy would be too deep.", f"{MOST_LEVELS} levels at most")


def _bad(text: str, expected: str) -> InputError:
    return InputError([Problem("bad-organisation", text, column="parent", expected=expected)])


def _target(row: Row) -> Target:
    return Target("organisation", row["path"], row["admin_code"])


def _grants_about(work: Work, path: str) -> list[Row]:
    """Return the roles in force whose scope or whose holder lies within a tree, as they are."""
    chosen = (
        sa.select(
            grants, organisations.c.kind.label("of_kind"), organisations.c.path.label("of_path"),
            organisations.c.admin_code,
        )
        .join(users, users.c.id == grants.c.user)
        .join(organisations, organisations.c.id == users.c.organisation)
        .where(grants.c.removed_at.is_(None))
        .where(sa.or_(below(grants.c.path, path), below(organisations.c.path, path)))
    )  # fmt: skip
    return list(work.connection.execute(chosen).mappings().all())


def _follow(work: Work, held: Iterable[Row], old: str, new: str) -> tuple[int, int]:
    """Let scopes follow a tree; end roles that a holder's organisation may not have any more."""
    followed = ended = 0
    for grant in held:
        of_path = _moved(grant["of_path"], old, new)
        scope = Scope(_moved(grant["path"], old, new), grant["region"])
        could = may_hold(
            grant["of_kind"], grant["of_path"], grant["admin_code"], Scope(grant["path"], grant["region"])
        )
        one = grants.c.id == grant["id"]
        target = Target("grant", of_path, grant["admin_code"])
        detail = {"user": grant["user"], "role": grant["role"]}
        if could and not may_hold(grant["of_kind"], of_path, grant["admin_code"], scope):
            values = {"removed_at": work.at, "removed_by": work.person.user_id}
            work.connection.execute(grants.update().where(one).values(**values))
            work.note("remove", target, grant["id"], {**detail, "why": "moved"})
            ended += 1
        elif scope.path != grant["path"]:
            work.connection.execute(grants.update().where(one).values(path=scope.path))
            work.note("move", target, grant["id"], {**detail, "path": [grant["path"], scope.path]})
            followed += 1
    return followed, ended


def _moved(path: str, old: str, new: str) -> str:
    return new + path.removeprefix(old) if path.startswith(old) else path


def _change(
    work: Work, table: sa.Table, kind: str, action: str, row: Row, changed: Mapping[str, Any], reason: str
) -> None:
    """Change whose a row is; it goes on record with its digests."""
    stamps = {"version": row["version"] + 1, "updated_at": work.at, "updated_by": work.person.user_id}
    after = {**row, **changed, **stamps}
    work.connection.execute(table.update().where(table.c.id == row["id"]).values(**changed, **stamps))
    shown = [name for name in ("organisation", "parent", "path") if name in changed]
    detail = {
        "version": after["version"], "digest": digest_of(after), "before": digest_of(row),
        "values": {name: [row[name], after[name]] for name in shown},
    }  # fmt: skip
    work.note(action, Target(kind, after["path"], after["admin_code"]), row["id"], detail, reason)


def hand_over(work: Work, kind: str, record_id: str, to: str, reason: str, *, dry_run: bool = False) -> Moved:
    """Hand a record over to another organisation, with what belongs to it.

    With a site go its hazards, rectifications and finds that are of the same organisation; with each record
    its attachments. Where it is (``admin_code``) stays.

    Parameters
    ----------
    work : Work
    kind, record_id : str
    to : str
        Id of the organisation.
    reason : str
    dry_run : bool
        Only tell what would be handed over; no reason is needed.

    Raises
    ------
    InputError
        ``bad-organisation``: it is theirs already.
    UsageError
        ``own-way``: a scorecard, or what is said and marked about one; a case.
    DeniedError
        ``not-allowed``: it needs the right at both organisations.
    """
    table = registers[check_kind(kind)]
    if kind in OWN_WAYS:
        raise UsageError(f"A {kind} stays whose it is: marks are blind, and logs are sealed.", "own-way")
    if not dry_run:
        check_reason(reason, "the record is handed over")
    lock_hierarchy(work.connection)
    row = work.connection.execute(sa.select(table).where(table.c.id == record_id)).mappings().first()
    if row is None or not any(
        work.may(action, Target(of, row["path"], row["admin_code"]))
        for action, of in (("view", kind), ("hand_over", "organisation"))
    ):
        raise NotFoundError(f"There is no {kind} with this id that you may see.")
    return _hand_over(work, row["organisation"], to, _with_its_own(work, kind, row), reason, dry_run)


def hand_over_all(work: Work, organisation: str, to: str, reason: str, *, dry_run: bool = False) -> Moved:
    """Hand all records of an organisation (not of those below it) over to another one; see `hand_over`.

    Scorecards and all that is said and marked about them stay.
    """
    if not dry_run:
        check_reason(reason, "the records are handed over")
    lock_hierarchy(work.connection)
    rows = [
        (kind, row)
        for kind, table in registers.items()
        if kind not in OWN_WAYS
        for row in work.connection.execute(
            sa.select(table).where(table.c.organisation == organisation)
        ).mappings()
    ]
    return _hand_over(work, organisation, to, rows, reason, dry_run)


def _hand_over(
    work: Work, organisation: str, to: str, rows: Iterable[tuple[str, Row]], reason: str, dry_run: bool
) -> Moved:
    giving, taking = organisation_of(work, organisation), organisation_of(work, to)
    for one in (giving, taking):
        work.allow("hand_over", _target(one), organisation)
    if organisation == to:
        raise _bad("The records are of this organisation already.", "another organisation")
    kinds: Counter[str] = Counter()
    for kind, row in rows:
        changed = {"organisation": to, **place_of(taking["path"], row["admin_code"])}
        if not dry_run:
            _change(work, registers[kind], kind, "hand-over", row, changed, reason)
        kinds[kind] += 1
    return Moved(0, kinds.total(), kinds=dict(kinds))


def _with_its_own(work: Work, kind: str, row: Row) -> list[tuple[str, Row]]:
    """Return a record and all that belongs to it, each once."""
    found: dict[tuple[str, str], tuple[str, Row]] = {}
    waiting = [(kind, row)]
    while waiting:
        of, one = waiting.pop()
        if (of, one["id"]) in found:
            continue
        found[of, one["id"]] = (of, one)
        waiting += _belonging(work, of, one)
    return list(found.values())


def _belonging(work: Work, kind: str, row: Row) -> list[tuple[str, Row]]:
    made: list[tuple[str, Row]] = []
    about = registers["attachment"].c
    chosen = [("attachment", sa.and_(about.about_kind == kind, about.about == row["id"]))]
    chosen += [
        (of, registers[of].c[name] == row["id"])
        for of in OF_THEIR_SITE
        for name, column in register_columns(of).items()
        if column.references == kind
    ]
    for of, rule in chosen:
        table = registers[of]
        same = table.c.organisation == row["organisation"]
        made += [
            (of, one) for one in work.connection.execute(sa.select(table).where(rule, same)).mappings().all()
        ]
    return made
