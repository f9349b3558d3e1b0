"""The doorway to the registers: `Store` lets users in, and a `Desk` is where one of them works."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.errors import DeniedError, UsageError
from changtong.rights.decide import Target, scopes
from changtong.rights.scope import Scope
from changtong.storage import attachments, audit, holding, moving, people, records, whole_registers
from changtong.storage.definitions import COMMANDS, HANDLERS
from changtong.storage.engine import explained, is_url, make_engine, reading, shown_place, writing
from changtong.storage.loading import Loaded, load_file, try_file
from changtong.storage.migrate import check_version, upgrade, version_of
from changtong.storage.pages import Query
from changtong.storage.people import NewOrganisation, User
from changtong.storage.record_check import check_records
from changtong.storage.records import Page, Record
from changtong.storage.rows import digest_of, new_id, now
from changtong.storage.schema import grants, organisations, to_ms, users
from changtong.storage.sign_in import Session, sign_in
from changtong.storage.work import Work, check_reason, second_of, work_of


class _TriedError(Exception):
    """Ends a transaction in which something was only tried."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.loaded = loaded


class Store:
    """Open registers; close them, or use them in a ``with``.

    Attributes
    ----------
    engine : sqlalchemy.Engine
    folder : Path or None
        Where files of attachments lie.
    place : str
        Where the registers are, without a password.
    """

    def __init__(self, engine: sa.Engine, folder: Path | None, place: str) -> None:
        self.engine, self.folder, self.place = engine, folder, place

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.place!r})"

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def sign_in(self, name: str, password: str, code: str = "") -> Session:
        """Sign a user in; see `sign_in.sign_in`."""
        return sign_in(self.engine, name, password, code)

    def desk(self, token: str) -> Desk:
        """Return the place where the holder of a session or token works; every use of it is checked anew.

        Raises
        ------
        DeniedError
            ``session-over``.
        """
        made = Desk(self.engine, token, self.folder)
        made.check()
        return made


class Desk:
    """Where one user works: every call decides the right, does the work and writes the audit, at once.

    Parameters
    ----------
    engine : Engine
    token : str
    folder : Path or None
    """

    def __init__(self, engine: sa.Engine, token: str, folder: Path | None) -> None:
        self._engine, self._token, self._folder = engine, token, folder

    def __repr__(self) -> str:
        return f"Desk({self._engine.url.get_backend_name()})"

    @contextmanager
    def work(self, *, writes: bool, any_password: bool = False, snapshot: bool = False) -> Iterator[Work]:
        """Begin a transaction of this user; see `work.work_of`."""
        with work_of(
            self._engine, self._token, writes=writes, any_password=any_password, snapshot=snapshot
        ) as work:
            yield work

    def agree(self, work: Work, action: str, target: Target) -> str:
        """Agree, as a second person, to what another does in a transaction; return this user's id."""
        second = second_of(work, self._token)
        try:
            second.allow(action, target)
        except DeniedError:
            work.refused = second.refused
            raise
        return second.person.user_id

    def check(self) -> str:
        """Return the user's id, if the session still holds."""
        with self.work(writes=False, any_password=True) as work:
            return work.person.user_id

    # records

    def add(
        self,
        kind: str,
        values: Mapping[str, Any],
        *,
        organisation: str | None = None,
        admin_code: str | None = None,
        record_id: str | None = None,
        reason: str = "",
    ) -> Record:
        """Add a record; see `records.add_record`."""
        if kind == "attachment":
            raise UsageError("Files are added with attach().")
        with self.work(writes=True) as work:
            return records.add_record(
                work, kind, values, organisation=organisation, admin_code=admin_code, record_id=record_id,
                reason=reason,
            )  # fmt: skip

    def change(
        self, kind: str, record_id: str, version: int, values: Mapping[str, Any], reason: str = ""
    ) -> Record:
        """Change a record that is as it was when it was read; see `records.change_record`."""
        with self.work(writes=True) as work:
            return records.change_record(work, kind, record_id, version, values, reason)

    def get(self, kind: str, record_id: str) -> Record:
        """Return a record, its personal data masked."""
        with self.work(writes=False) as work:
            return records.get_record(work, kind, record_id)

    def reveal(
        self, kind: str, record_id: str, reason: str, columns: Collection[str] | None = None
    ) -> Record:
        """Return a record with its personal data; who, when and why go on record first."""
        with self.work(writes=True) as work:
            return records.reveal_record(work, kind, record_id, reason, columns)

    def page(self, kind: str, query: Query | None = None) -> Page:
        """Return a part of a register; see `pages.Query`."""
        with self.work(writes=False) as work:
            return records.read_page(work, kind, query or Query())

    def every(self, kind: str, query: Query | None = None) -> Iterator[Record]:
        """Return all records of a register that this user may see, page by page."""
        query = query or Query(limit=500)
        while True:
            page = self.page(kind, query)
            yield from page.records
            if not page.next:
                return
            query = replace(query, after=page.next)

    def columns(self, kind: str, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Return some columns of all records that this user may see, as of one instant.

        Take all rows at once: the transaction ends with the last one. See `whole_registers.read_columns`.
        """
        with self.work(writes=False, snapshot=True) as work:
            yield from whole_registers.read_columns(work, kind, names)

    def load(self, kind: str, path: str | Path, reason: str = "") -> int:
        """Add the records of a CSV or XLSX file, all or none; return how many. See `loading.load_file`."""
        return self.load_table(kind, path, reason).new

    def load_table(
        self, kind: str, path: str | Path, reason: str = "", *, changes: bool = False, seen: str = ""
    ) -> Loaded:
        """Add the records of a file, and change those that are there; see `loading.load_file`."""
        with self.work(writes=True) as work:
            return load_file(work, kind, Path(path), reason, changes=changes, seen=seen)

    def try_table(self, kind: str, path: str | Path, reason: str = "", *, changes: bool = False) -> Loaded:
        """Return what `load_table` would do, with all problems; nothing stays written."""
        try:
            with self.work(writes=True) as work:
                raise _TriedError(try_file(work, kind, Path(path), reason, changes=changes))
        except _TriedError as tried:
            return tried.loaded

    # files

    def attach(self, kind: str, record_id: str, name: str, content: bytes) -> Record:
        """Keep a file with a record, in one transaction; equal contents are kept once."""
        with self.work(writes=True) as work:
            attachments.lock_erasing(work.connection, alone=False)
            about = records.get_record(work, kind, record_id)
            work.allow("add", replace(about.target, kind="attachment"), record_id)
            if kind in HANDLERS:  # evidence is part of an answer, with the answer's right
                text = f"Files of a {kind} are not added as such: `changtong {COMMANDS[kind]}` has the ways."
                raise UsageError(text, "own-way")
            values = {
                "about_kind": kind, "about": record_id, "name": Path(name).name or "file",
                "media_type": attachments.media_type(content), "size_bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }  # fmt: skip
            made = records.add_record(
                work, "attachment", values, organisation=about.organisation, admin_code=about.admin_code
            )
            attachments.keep(self._folder, content)
            return made

    def keep_file(self, content: bytes) -> str:
        """Keep the file of an attachment; return its digest.

        The attachment is added in the same piece of work, which began with `attachments.lock_erasing`.
        """
        return attachments.keep(self._folder, content)

    def read_file(self, digest: str) -> bytes:
        """Return the file of an attachment, whose right was asked for and is on record."""
        return attachments.read_kept(self._folder, digest)

    def content(self, attachment_id: str, reason: str) -> bytes:
        """Return the content of an attachment; pictures may show persons: a right of its own, on record."""
        check_reason(reason, "the file is needed")
        with self.work(writes=True) as work:
            found = records.get_record(work, "attachment", attachment_id)
            work.allow("reveal", found.target, attachment_id)
            work.note("reveal", found.target, attachment_id, {"columns": ["content"]}, reason)
        return self.read_file(found["sha256"])

    def sweep(self) -> int:
        """Remove the files that a crash has left without an attachment; return how many."""
        with self.work(writes=True) as work:
            target = Target("registers", "/", "")
            work.allow("sweep", target)
            count = attachments.sweep_files(work.connection, self._folder)
            work.note("sweep", target, "", {"files": count})
            return count

    # holds

    def hold(self, kind: str, record_id: str, reason: str) -> str:
        """Put a legal hold on a record: it is not erased until the hold is lifted; return the hold's id."""
        with self.work(writes=True) as work:
            return holding.put_hold(work, kind, record_id, reason)

    def lift(self, hold_id: str, reason: str) -> None:
        """Lift a legal hold."""
        with self.work(writes=True) as work:
            holding.lift_hold(work, hold_id, reason)

    def holds(self) -> list[dict[str, Any]]:
        """Return the holds in force on records that this user may see."""
        with self.work(writes=False) as work:
            return holding.list_holds(work)

    # people

    def add_organisation(self, new: NewOrganisation) -> str:
        """Add an organisation; return its id."""
        with self.work(writes=True) as work:
            return people.add_organisation(work, new)

    def add_user(self, name: str, password: str, organisation: str) -> User:
        """Add a user, who changes the password at the first sign-in."""
        with self.work(writes=True) as work:
            return people.add_user(work, name, password, organisation)

    def users(self) -> tuple[User, ...]:
        """Return the users that this user may see."""
        with self.work(writes=False) as work:
            return people.list_users(work)

    def change_user(
        self, name: str, version: int, *, is_active: bool | None = None, password: str | None = None,
        clear_second_factor: bool = False,
    ) -> User:  # fmt: skip
        """Shut a user out or in, set a password, take the second factor off."""
        with self.work(writes=True) as work:
            return people.change_user(
                work,
                name,
                version,
                is_active=is_active,
                password=password,
                clear_second_factor=clear_second_factor,
            )

    def give(
        self, name: str, role: str, scope: Scope, until: datetime | None = None, reason: str = ""
    ) -> str:
        """Give a role with a scope; return the grant's id."""
        with self.work(writes=True) as work:
            return people.give(work, name, role, scope, until, reason)

    def take_back(self, grant_id: str, reason: str = "") -> None:
        """Take a role back."""
        with self.work(writes=True) as work:
            people.take_back(work, grant_id, reason)

    def grants(self, name: str) -> list[dict[str, Any]]:
        """Return a user's roles."""
        with self.work(writes=False) as work:
            return people.list_grants(work, name)

    def organisations(self, parent: str | None = None) -> list[dict[str, Any]]:
        """Return the organisations directly below one, or the topmost."""
        with self.work(writes=False) as work:
            return people.list_organisations(work, parent)

    def organisation_path(self, organisation: str) -> str:
        """Return the path of an organisation: what a scope begins with."""
        with self.work(writes=False) as work:
            return str(people.organisation_of(work, organisation)["path"])

    def move_organisation(self, organisation: str, parent: str, reason: str) -> moving.Moved:
        """Put an organisation, with all below it, under another parent."""
        with self.work(writes=True) as work:
            return moving.move_organisation(work, organisation, parent, reason)

    def hand_over(
        self, kind: str, record_id: str, to: str, reason: str, *, dry_run: bool = False
    ) -> moving.Moved:
        """Hand a record over to another organisation, with what belongs to it."""
        with self.work(writes=True) as work:
            return moving.hand_over(work, kind, record_id, to, reason, dry_run=dry_run)

    def hand_over_all(
        self, organisation: str, to: str, reason: str, *, dry_run: bool = False
    ) -> moving.Moved:
        """Hand all records of an organisation over to another one."""
        with self.work(writes=True) as work:
            return moving.hand_over_all(work, organisation, to, reason, dry_run=dry_run)

    # oneself

    def change_password(self, old: str, new: str) -> None:
        """Change one's own password; all other sessions and tokens end."""
        with self.work(writes=True, any_password=True) as work:
            people.change_own_password(work, old, new)

    def check_password(self, password: str) -> None:
        """Go on only if this is the user's own password: what opens a way in asks for it again."""
        with self.work(writes=False) as work:
            people.check_own_password(work, password)

    def make_token(self, label: str, lasts: timedelta) -> Session:
        """Make a token for a program that works as this user."""
        with self.work(writes=True) as work:
            return people.make_token(work, label, lasts)

    def sign_out(self, token: str | None = None) -> None:
        """End this session, or another of one's own."""
        with self.work(writes=True, any_password=True) as work:
            people.end_pass(work, token or self._token)

    def begin_second_factor(self) -> people.SecondFactor:
        """Make the secret of a second factor."""
        with self.work(writes=True) as work:
            return people.begin_second_factor(work)

    def confirm_second_factor(self, code: str) -> None:
        """Turn the second factor on."""
        with self.work(writes=True) as work:
            people.confirm_second_factor(work, code)

    # the registers

    def idle_minutes(self, minutes: int | None = None) -> int:
        """Return after how long a session that nobody uses is over; with ``minutes``, set it."""
        with self.work(writes=minutes is not None) as work:
            return people.idle_minutes(work, minutes)

    # the audit

    def verify_audit(self, head: str | None = None, *, with_records: bool = False) -> audit.AuditCheck:
        """Go through the audit from its begin; with the records, each against its last entry.

        Needs the right for the whole of the registers: a part of a chain cannot be verified.
        """
        with self.work(writes=False, snapshot=True) as work:
            work.allow("verify", Target("audit", "/", ""))
            found = audit.verify(work.connection, head)
            return check_records(work.connection, found) if with_records else found

    def audit_entries(self, kind: str, record_id: str) -> list[dict[str, Any]]:
        """Return the entries of a record that lie within this user's right to see them."""
        with self.work(writes=False) as work:
            where = scopes(work.person, "view", "audit", work.at)
            if not where:
                work.allow("view", Target("audit", work.person.path, ""))
            return [
                entry
                for entry in audit.entries_of(work.connection, kind, record_id)
                if any(scope.covers(entry["path"], entry["admin_code"]) for scope in where)
            ]


def folder_of(place: str | os.PathLike[str], files: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder for files: the one given, or for SQLite the one beside the file."""
    if files is not None:
        return Path(files)
    return None if is_url(place) else Path(f"{os.fspath(place)}.files")


def open_store(place: str | os.PathLike[str], *, files: str | os.PathLike[str] | None = None) -> Store:
    """Open registers.

    Parameters
    ----------
    place : path or str
        A file, or ``postgresql://user@host/name``.
    files : path, optional
        Folder for attachments; beside the file where it is not given.

    Raises
    ------
    UsageError
        ``no-registers``, ``registers-old``, ``registers-newer``, ``registers-busy``.
    InputError
        ``damaged-registers``.
    """
    if not is_url(place) and not Path(place).is_file():
        raise UsageError(f"There are no registers {place}: `registers create` makes them.", "no-registers")
    engine = make_engine(place)
    try:
        with reading(engine) as connection:
            check_version(connection)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, folder_of(place, files), shown_place(place))


def create_store(
    place: str | os.PathLike[str],
    administrator: str,
    password: str,
    organisation: NewOrganisation,
    *,
    files: str | os.PathLike[str] | None = None,
    must_change: bool = False,
    roles: Sequence[str] = (),
) -> Store:
    """Make empty registers with their first organisation and its administrator.

    Parameters
    ----------
    place : path or str
        A file that is not there yet, or an empty PostgreSQL database.
    administrator : str
        Name; the user is given the role administrator, everywhere.
    password : str
    organisation : NewOrganisation
        The topmost.
    files : path, optional
    must_change : bool
        Whether the password is a first one that somebody else has set.
    roles : sequence of str
        Beside administrator, within the organisation.

    Raises
    ------
    UsageError
        ``registers-exist``.
    InputError
        ``weak-password``, ``bad-organisation``, ``bad-value``.
    """
    at = now()
    top = people.organisation_row(organisation, None, at, "set-up")
    user = people.user_row(administrator, password, top["id"], at, "set-up", must_change=must_change)

    def fill(connection: sa.Connection) -> None:
        connection.execute(organisations.insert(), top)
        connection.execute(users.insert(), user)
        for role, path in (("administrator", "/"), *((role, top["path"]) for role in roles)):
            grant = {
                "id": new_id(to_ms(at)), "user": user["id"], "role": role, "path": path, "region": "",
                "given_at": at, "given_by": "set-up",
            }  # fmt: skip
            connection.execute(grants.insert(), grant)
        facts = {"organisation": top["id"], "digest": digest_of(top), "administrator": user["id"]}
        facts |= {"roles": list(roles)} if roles else {}
        audit.append(
            connection,
            audit.Entry(at, "set-up", "create", "registers", "", top["path"], top["admin_code"], facts),
        )

    make_registers(place, fill)
    return open_store(place, files=files)


def make_registers(place: str | os.PathLike[str], fill: Any) -> None:
    """Make registers whole or not at all; ``fill`` puts in what they begin with.

    Raises
    ------
    UsageError
        ``registers-exist``.
    """
    if is_url(place):
        engine = make_engine(place)
        try:
            with writing(engine) as connection:
                if version_of(connection) is not None or sa.inspect(connection).get_table_names():
                    raise UsageError("The database is not empty.", "registers-exist")
                upgrade(connection)
                fill(connection)
        finally:
            engine.dispose()
        return
    path = Path(place)
    if path.exists():
        raise UsageError(f"{path} is there already: it was left as it is.", "registers-exist")
    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        engine = make_engine(beside)
        try:
            with writing(engine) as connection:
                upgrade(connection)
                fill(connection)
            with explained(), engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            engine.dispose()
        os.link(beside, path)  # unlike a rename it never replaces what another has made meanwhile
    except FileExistsError:
        raise UsageError(f"{path} is there already: it was left as it is.", "registers-exist") from None
    finally:
        for ending in ("", "-wal", "-shm"):
            Path(f"{beside}{ending}").unlink(missing_ok=True)


def upgrade_store(place: str | os.PathLike[str]) -> tuple[str, ...]:
    """Bring registers to the newest version, with all data in place; return the versions gone through.

    Raises
    ------
    UsageError
        ``no-registers``, ``registers-newer``.
    """
    if not is_url(place) and not Path(place).is_file():
        raise UsageError(f"There are no registers {place}.", "no-registers")
    engine = make_engine(place)
    try:
        with writing(engine) as connection:
            before = version_of(connection)
            if before is None:
                raise UsageError("There are no registers here.", "no-registers")
            gone = upgrade(connection)
            if gone:
                detail = {"from": before, "to": gone[-1]}
                audit.append(
                    connection, audit.Entry(now(), "operator", "upgrade", "registers", "", detail=detail)
                )
        return gone
    finally:
        engine.dispose()
