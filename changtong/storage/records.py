"""Records of the registers: added, changed, shown and looked into, by a person within their rights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError, Problem, UsageError
from changtong.privacy.masks import mask
from changtong.rights.decide import Target
from changtong.storage.blind_marks import blind_rules
from changtong.storage.definitions import (
    COMMANDS,
    OWN_WAYS,
    REGISTERS,
    Column,
    personal_columns,
    register_columns,
    state_changes,
)
from changtong.storage.held_rows import HeldRows, select_rows
from changtong.storage.pages import Query, mark_of, page_statement
from changtong.storage.rows import (
    check_admin_code,
    check_id,
    check_values,
    digest_of,
    new_id,
    new_salt,
    place_of,
)
from changtong.storage.schema import canonical, organisations, registers, to_ms, users
from changtong.storage.seen_parts import seen_parts
from changtong.storage.work import Work, check_reason, target_of

DECIDED = ("state", "recheck_at", "recheck_result", "deadline", "result")
"""Columns that who decides on a record may set with its state; the rest is for those who keep it."""

OF_THEIR_SITE = ("hazard", "rectification", "find")
"""Registers whose records belong to the organisation of their site."""


@dataclass(frozen=True)
class Record:
    """A record as a person sees it.

    Attributes
    ----------
    kind, id : str
    organisation, path, admin_code : str
        Whose it is, and where.
    version : int
        Give it back with a change.
    created_at, updated_at : datetime
    created_by, updated_by : str
    values : mapping
        Column -> value. Those of columns with personal data are masked unless they were asked for.
    hidden : tuple of str
        Columns whose values are masked.
    """

    kind: str
    id: str
    organisation: str
    path: str
    admin_code: str
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    values: Mapping[str, Any]
    hidden: tuple[str, ...] = ()

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def __repr__(self) -> str:
        return f"Record({self.kind} {self.id}, version {self.version})"

    @property
    def target(self) -> Target:
        """What rights are decided by."""
        return Target(self.kind, self.path, self.admin_code)


@dataclass(frozen=True)
class Page:
    """A part of a ledger; ``next`` is where the page after begins, empty at the end."""

    records: tuple[Record, ...]
    next: str


def check_kind(kind: str) -> str:
    """Return a register's name that was given.

    Raises
    ------
    UsageError
        ``unknown-register``.
    """
    if kind not in REGISTERS:
        raise UsageError(
            f"There is no register {kind!r}; there are {', '.join(REGISTERS)}.", "unknown-register"
        )
    return kind


def record_of(kind: str, row: Mapping[Any, Any], *, reveal: Collection[str] = ()) -> Record:
    """Return a stored row as a record: the one place where personal data are masked.

    Parameters
    ----------
    kind : str
    row : mapping
    reveal : collection of str
        Columns with personal data whose values are given as they are.
    """
    hide = tuple(name for name in personal_columns(kind) if name not in reveal and row[name] is not None)
    values = {
        name: _masked(column, row[name]) if name in hide else row[name]
        for name, column in register_columns(kind).items()
    }
    return Record(
        kind=kind, id=row["id"], organisation=row["organisation"], path=row["path"],
        admin_code=row["admin_code"],
        version=row["version"], created_at=row["created_at"], created_by=row["created_by"],
        updated_at=row["updated_at"], updated_by=row["updated_by"],
        values=MappingProxyType(values), hidden=hide,
    )  # fmt: skip


def _masked(column: Column, value: Any) -> str:
    return mask(column.mask, value if isinstance(value, str) else canonical(value))


def _given_anew(kind: str, row: Mapping[Any, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without those that came back masked, as they were shown: they are no change."""
    return {
        name: value
        for name, value in stored.items()
        if not (
            (column := register_columns(kind)[name]).mask
            and row[name] is not None
            and value == _masked(column, row[name])
        )
    }


def add_record(
    work: Work,
    kind: str,
    values: Mapping[str, Any],
    *,
    organisation: str | None = None,
    admin_code: str | None = None,
    record_id: str | None = None,
    reason: str = "",
    right: tuple[str, Target] | None = None,
    by_ledger: bool = False,
) -> Record:
    """Add a record.

    Parameters
    ----------
    work : Work
    kind : str
    values : mapping
    organisation : str, optional
        Whose it is. A hazard's, rectification's or find's is the site's; else the person's own.
    admin_code : str, optional
        Where; the site's, or the organisation's.
    record_id : str, optional
        Made elsewhere, for example on a phone without a network.
    reason : str
    right : tuple of (action, target), optional
        What is asked for where it is not to add a record of this kind.
    by_ledger : bool
        Whether a ledger adds it: only that writes the columns of ledgers.

    Raises
    ------
    InputError
        ``unknown-attribute``, ``missing-value``, ``bad-value``, ``unknown-reference``, ``duplicate-record``,
        ``kept-by-ledger``.
    UsageError
        ``own-way``: records of this kind are made another way.
    """
    table = registers[_check_way_in(kind, right is not None or by_ledger)]
    stored = check_values(kind, values, new=True)
    if not by_ledger:
        _leave_to_ledger(kind, stored, {})
    about = _referred(work, kind, stored)
    if organisation is None and about is not None and kind in OF_THEIR_SITE:
        organisation = about["organisation"]
    owner = _organisation(work, organisation or work.organisation)
    code = admin_code or (about["admin_code"] if about is not None else owner["admin_code"])
    new = record_id if record_id is not None else new_id(to_ms(work.at))
    row = {
        "id": check_id(new), "organisation": owner["id"],
        **place_of(owner["path"], check_admin_code(code)), **stored,
        "version": 1, "created_at": work.at, "created_by": work.person.user_id,
        "updated_at": work.at, "updated_by": work.person.user_id, "salt": new_salt(),
    }  # fmt: skip
    target = Target(kind, owner["path"], row["admin_code"])
    action, allowed_for = right or ("add", target)
    work.allow(action, allowed_for, row["id"], kind=kind)
    if same := _same(work, kind, row):
        raise InputError([_there_already(kind, same)])
    if held := _held(work, kind):
        held.add(kind, row)
    else:
        work.connection.execute(table.insert(), row)
    detail = {"version": 1, "digest": digest_of(row), **_shown_changes(kind, {}, row)}
    work.note("add", target, row["id"], detail, reason)
    return record_of(kind, row)


def problems_of_new(
    work: Work, kind: str, values: Mapping[str, Any], own: Mapping[str, str], unread: Collection[str] = ()
) -> list[Problem]:
    """Return all that stands against adding a record, each looked for whatever else is wrong.

    Parameters
    ----------
    work : Work
    kind : str
    values : mapping
    own : mapping
        ``id``, ``organisation`` and ``admin_code`` where they are given.
    unread : collection of str
        Columns whose values could not be read: they are not missing.
    """
    problems: list[Problem] = []

    def tried(check: Callable[[], Any]) -> Any:
        try:
            return check()
        except InputError as error:
            known = {"missing-value": unread}
            problems.extend(one for one in error.problems if one.column not in known.get(one.code, ()))
        except DeniedError as error:
            problems.append(Problem(error.code, str(error), column="organisation"))
        return None

    tried(lambda: check_values(kind, values, new=True))
    known = {name: value for name, value in values.items() if name in register_columns(kind)}
    tried(lambda: _leave_to_ledger(kind, known, {}))
    about = None
    for name, column in register_columns(kind).items():
        if column.references and values.get(name) and isinstance(values[name], str):
            row = tried(partial(_referred, work, kind, {name: values[name]}))
            about = about if about is not None or column.references == "user" else row
    organisation = own.get("organisation")
    if organisation is None and kind in OF_THEIR_SITE and values.get("site") and about is None:
        return problems  # whose it would be is not known
    if organisation is None and about is not None and kind in OF_THEIR_SITE:
        organisation = about["organisation"]
    owner = tried(lambda: _organisation(work, organisation or work.organisation))
    record_id = own.get("id") or new_id(to_ms(work.at))
    known_id = tried(lambda: check_id(record_id))
    place = about if about is not None else owner
    code = own.get("admin_code") or (place["admin_code"] if place is not None else None)
    known_code = code is not None and tried(lambda: check_admin_code(code))
    if owner is not None and known_code:
        tried(lambda: work.allow("add", Target(kind, owner["path"], known_code), record_id))
    site_id = values.get("site_id")
    named = {"site_id": site_id if isinstance(site_id, str) else None, "id": record_id}
    same = _same(work, kind, named) if known_id else ""
    return problems + ([_there_already(kind, same)] if same else [])


def _there_already(kind: str, column: str) -> Problem:
    return Problem("duplicate-record", f"There is a {kind} with this {column} already.", column=column)


def _same(work: Work, kind: str, row: Mapping[str, Any]) -> str:
    """Return the column by which such a record is there already, id or site_id; "" where there is none."""
    names = ("id", "site_id") if kind == "site" else ("id",)
    if held := _held(work, kind):
        return next((name for name in names if held.find(kind, name, [row[name]])), "")
    columns = [registers[kind].c[name] for name in names]
    same = sa.or_(*(column == row[column.name] for column in columns))
    there = work.connection.execute(sa.select(*columns).where(same)).mappings().first()
    return "" if there is None else next(name for name in names if there[name] == row[name])


def _check_way_in(kind: str, is_its_way: bool) -> str:
    """Refuse to add what is made another way, by the right of that way."""
    if check_kind(kind) in OWN_WAYS and not is_its_way:
        command = COMMANDS.get(kind, "scorecard")
        raise UsageError(f"A {kind} is not added as such: `changtong {command}` has the ways.", "own-way")
    return kind


def change_record(
    work: Work, kind: str, record_id: str, version: int, values: Mapping[str, Any], reason: str = "",
    right: str | tuple[str, Target] = "",
) -> Record:  # fmt: skip
    """Change a record that is as it was when it was read.

    Parameters
    ----------
    work : Work
    kind, record_id : str
    version : int
        The version that was read.
    values : mapping
        Columns to change. What comes back masked, as it was shown, stays what it is.
    reason : str
    right : str or tuple of (action, target)
        The right it needs, of this record or of a target, where a ledger or a way of its own has decided that
        it may be made. Else the states of this kind say which.

    Raises
    ------
    ConflictError
        Someone else has changed it since: nothing is written, and both are in the error.
    InputError
        ``bad-state``: its state does not allow this; ``kept-by-ledger``; and as `add_record`.
    """
    table = registers[check_kind(kind)]
    row = _row(work, kind, record_id, lock=True)
    stored = _given_anew(kind, row, check_values(kind, values, new=False))
    target = Target(kind, row["path"], row["admin_code"])
    if row["version"] != version:
        text = f"This {kind} is at version {row['version']} now: it was changed since you read {version}."
        raise ConflictError(text, wanted=dict(values), current=record_of(kind, row))
    if not right:
        _leave_to_ledger(kind, stored, row)
    needed = right or _right_for(kind, row, stored)
    work.allow(*((needed, target) if isinstance(needed, str) else needed), record_id, kind=kind)
    changed = {name: value for name, value in stored.items() if value != row[name]}
    if not changed:
        return record_of(kind, row)
    _referred(work, kind, changed)
    after = {
        **row,
        **changed,
        "version": version + 1,
        "updated_at": work.at,
        "updated_by": work.person.user_id,
    }
    names = (*changed, "version", "updated_at", "updated_by")
    if held := _held(work, kind):
        held.change(kind, after, names)
    else:
        same = (table.c.id == record_id, table.c.version == version)
        written = {name: after[name] for name in names}
        if work.connection.execute(table.update().where(*same).values(**written)).rowcount != 1:
            raise ConflictError(
                f"This {kind} was changed by someone else just now.", dict(values), record_of(kind, row)
            )
    detail = {
        "version": version + 1, "digest": digest_of(after), "before": digest_of(row),
        **_shown_changes(kind, row, changed),
    }  # fmt: skip
    work.note("change", target, record_id, detail, reason)
    return record_of(kind, after)


def rows_to_decide(
    work: Work, kind: str, column: str, values: Iterable[str], *, lock: bool = False
) -> list[Mapping[Any, Any]]:
    """Return whole rows, for a ledger to decide by what they hold; it shows nothing that is hidden.

    Parameters
    ----------
    work : Work
    kind, column : str
    values : iterable of str
        Of the column.
    lock : bool
        Whether others that would lock them, too, wait until this transaction ends.
    """
    if held := _held(work, kind):
        return held.find(kind, column, values, lock=lock)
    return select_rows(work.connection, kind, column, values, lock=lock)


def _leave_to_ledger(kind: str, stored: Mapping[str, Any], row: Mapping[Any, Any]) -> None:
    """Refuse what only a ledger writes: all of it at once."""
    columns = register_columns(kind)
    kept = any(column.ledger == "mark" and row.get(name) is not None for name, column in columns.items())
    closed = ("mark", "only", "with") if kept else ("mark", "only")
    names = [
        name for name, value in stored.items() if columns[name].ledger in closed and value != row.get(name)
    ]
    if names:
        expected = "an action: see `safety hazards`, `safety tasks`, `safety collect`, `emergency`, `duty`"
        raise InputError(
            Problem(
                "kept-by-ledger", f"{name} of a {kind} is kept by its ledger.", column=name, expected=expected
            )
            for name in names
        )


def get_record(work: Work, kind: str, record_id: str) -> Record:
    """Return a record, its personal data masked.

    Raises
    ------
    NotFoundError
        There is none that the person may see.
    """
    return record_of(check_kind(kind), _row(work, kind, record_id))


def reveal_record(
    work: Work, kind: str, record_id: str, reason: str, columns: Collection[str] | None = None
) -> Record:
    """Return a record with its personal data; the look goes on record before it is given.

    Parameters
    ----------
    work : Work
    kind, record_id, reason : str
    columns : collection of str, optional
        Only these; the others stay masked. All that the record has where it is not given.

    Raises
    ------
    UsageError
        ``reason-missing``, ``no-personal-column``.
    """
    known = personal_columns(check_kind(kind))
    check_reason(reason, "the personal data are needed")
    wrong = [name for name in columns or () if name not in known]
    if wrong:
        text = f"{kind} has no personal column {', '.join(wrong)}; there is {', '.join(known) or 'none'}."
        raise UsageError(text, "no-personal-column")
    row = _row(work, kind, record_id)
    target = target_of(kind, row)
    work.allow("reveal", target, record_id)
    shown = [name for name in known if row[name] is not None and (columns is None or name in columns)]
    work.note("reveal", target, record_id, {"columns": shown}, reason)
    return record_of(kind, row, reveal=shown)


def read_page(work: Work, kind: str, query: Query) -> Page:
    """Return a part of a register, with only what the person may see."""
    parts = seen_parts(work, check_kind(kind))
    statement = page_statement(kind, parts, query, blind_rules(kind, work.organisation))
    rows = work.connection.execute(statement).mappings().all()
    shown = rows[: query.limit]
    mark = mark_of(kind, shown[-1]) if len(rows) > query.limit else ""
    return Page(tuple(record_of(kind, row) for row in shown), mark)


def _held(work: Work, kind: str) -> HeldRows | None:
    """Return where rows are held, if they are; never blind ones, which others must not see in any state."""
    return None if blind_rules(kind, work.organisation) else work.held


def _row(work: Work, kind: str, record_id: str, *, lock: bool = False) -> Mapping[Any, Any]:
    """Return a stored row that the person may see."""
    row: Mapping[Any, Any] | None
    if held := _held(work, kind):
        row = next(iter(held.find(kind, "id", [record_id], lock=lock)), None)
    else:
        table = registers[kind]
        statement = sa.select(table).where(table.c.id == record_id, *blind_rules(kind, work.organisation))
        row = work.connection.execute(statement.with_for_update() if lock else statement).mappings().first()
    if row is None or not work.may_see(kind, row):
        raise NotFoundError(f"There is no {kind} with this id that you may see.")
    return row


def _organisation(work: Work, organisation: str) -> Mapping[Any, Any]:
    # it must not move while a record with its path is being added
    known = {} if work.held is None else work.held.remembered["organisations"]
    if organisation not in known:
        chosen = sa.select(organisations).where(organisations.c.id == organisation)
        known[organisation] = work.connection.execute(chosen.with_for_update(read=True)).mappings().first()
    row: Mapping[Any, Any] | None = known[organisation]
    if row is None:
        raise _unknown("organisation")
    return row


def _is_user(work: Work, user: str) -> bool:
    known = {} if work.held is None else work.held.remembered["users"]
    if user not in known:
        there = work.connection.execute(sa.select(users.c.id).where(users.c.id == user)).first()
        known[user] = there is not None
    return bool(known[user])


def _referred(work: Work, kind: str, values: Mapping[str, Any]) -> Mapping[Any, Any] | None:
    """Check that what is referred to is there and may be seen; return the site, or what comes first."""
    first = None
    for name, column in register_columns(kind).items():
        value = values.get(name)
        if value is None or not column.references:
            continue
        if column.references == "user":
            if not _is_user(work, value):
                raise _unknown(name)
            continue
        try:
            row = _row(work, column.references, value)
        except NotFoundError:
            raise _unknown(name) from None
        first = first if first is not None else row
    if kind == "attachment" and "about" in values:
        try:
            return _row(work, values["about_kind"], values["about"])
        except NotFoundError:
            raise _unknown("about") from None
    return first


def _unknown(column: str) -> InputError:
    text = f"{column} names nothing that you may see."
    return InputError([Problem("unknown-reference", text, column=column)])


def _right_for(kind: str, row: Mapping[Any, Any], stored: Mapping[str, Any]) -> str:
    """Return the right a change needs.

    Raises
    ------
    InputError
        ``bad-state``: there is no way from the old state to the new one, or the old one is closed to changes.
    """
    ways = {(old, new): action for (of, old, new), action in state_changes().items() if of == kind}
    if not ways:
        return "change"
    old = row["state"]
    new = stored.get("state", old)
    onward = [to for (begin, to) in ways if begin == old]
    if new != old:
        if (old, new) not in ways:
            text = f"A {kind} cannot go from {old} to {new}."
            expected = ", ".join(onward) or "no other state"
            raise InputError([Problem("bad-state", text, column="state", expected=expected)])
        others = [name for name in stored if name not in DECIDED and stored[name] != row[name]]
        if ways[old, new] == "decide" and others:
            text = f"Who decides that a {kind} is {new} changes nothing else of it."
            raise InputError([Problem("bad-state", text, column=others[0], expected=", ".join(DECIDED))])
        return ways[old, new]
    if not any(ways[old, to] == "change" for to in onward):
        text = f"A {kind} that is {old} is no longer changed."
        raise InputError(
            [Problem("bad-state", text, column="state", expected=", ".join(onward) or "no change")]
        )
    return "change"


def _shown_changes(kind: str, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what the audit tells of a change: values that cannot hold personal data, names of the others."""
    values: dict[str, Any] = {}
    names: list[str] = []
    for name, column in register_columns(kind).items():
        if name not in after or after[name] == before.get(name):
            continue
        if column.personal or (column.type in ("text", "json") and not column.choices):
            names.append(name)
        else:
            values[name] = [_plain(before.get(name)), _plain(after[name])]
    return {"values": values, "texts": names}


def _plain(value: Any) -> Any:
    return to_ms(value) if isinstance(value, datetime) else value
