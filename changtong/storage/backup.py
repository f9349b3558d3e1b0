"""Backups of registers that are in use, and registers made from a backup."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from changtong.errors import InputError, Problem, UsageError
from changtong.rights.decide import Target
from changtong.storage import audit
from changtong.storage.audit import AuditCheck
from changtong.storage.engine import explained, make_engine, reading, writing
from changtong.storage.migrate import check_version, newest_version, upgrade, version_of
from changtong.storage.rows import now
from changtong.storage.store import Desk, Store, folder_of, make_registers, open_store
from changtong.storage.table_rows import all_tables, digest_of_file, put_rows, read_rows, rows_of, write_rows

FORMAT = 1
MANIFEST = "backup.json"
DATABASE = "registers.sqlite"


@dataclass(frozen=True)
class Backup:
    """A backup that was made, or read.

    Attributes
    ----------
    folder : Path
    version : str
        Of the schema.
    head : str
        Newest entry of the audit in it.
    made_at : str
    rows : dict
        Table -> rows.
    files : int
        Files of attachments.
    """

    folder: Path
    version: str
    head: str
    made_at: str
    rows: dict[str, int]
    files: int

    def to_json(self) -> dict[str, Any]:
        """Return what the command prints."""
        return {
            "folder": str(self.folder), "version": self.version, "head": self.head, "made_at": self.made_at,
            "rows": self.rows, "files": self.files,
        }  # fmt: skip

    def __str__(self) -> str:
        rows = sum(self.rows.values())
        return f"{rows:,} rows and {self.files:,} files → {self.folder}\nhead of the audit: {self.head}"


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside that becomes the one wanted when all of it is there.

    Raises
    ------
    UsageError
        Something is there already.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already: it was left as it is.", "registers-exist")
    folder.resolve().parent.mkdir(parents=True, exist_ok=True)
    beside = folder.resolve().with_name(f".{folder.name}.{os.getpid()}.new")
    beside.mkdir(mode=0o700)
    try:
        yield beside
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_backup(store: Store, desk: Desk, folder: str | Path) -> Backup:
    """Copy registers, whole and of one instant, while others go on working.

    SQLite is copied by its own online backup, PostgreSQL read in one snapshot. It holds personal data and
    hashes of passwords: keep it as the registers themselves.

    Parameters
    ----------
    store : Store
    desk : Desk
        Of an administrator of everything; the backup goes on record.
    folder : path
        Not there yet.
    """
    with desk.work(writes=True) as work:
        target = Target("registers", "/", "")
        work.allow("backup", target)
        work.note("backup", target, "")
    folder = Path(folder)
    with new_folder(folder) as beside:
        made = _copy_sqlite(store, beside) if store.engine.dialect.name == "sqlite" else _dump(store, beside)
        version, head, rows = made
        files = _copy_files(store.folder, beside / "files")
        digests = {
            str(path.relative_to(beside)): digest_of_file(path)
            for path in sorted(beside.rglob("*"))
            if path.is_file()
        }
        facts = {
            "format": FORMAT, "version": version, "head": head, "made_at": now().isoformat(), "rows": rows,
            "files": files, "digests": digests,
        }  # fmt: skip
        (beside / MANIFEST).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return _backup(folder, facts)


def note_backup_use(desk: Desk, what: str, name: str = "") -> None:
    """Go on only if the person may make backups; what is done with one goes on record.

    Parameters
    ----------
    desk : Desk
    what : str
        list, verify, download.
    name : str
        Of the backup.

    Raises
    ------
    DeniedError
    """
    with desk.work(writes=True) as work:
        target = Target("registers", "/", "")
        work.allow("backup", target)
        if what != "list":
            work.note("backup", target, "", {what: name})


def _backup(folder: Path, facts: dict[str, Any]) -> Backup:
    return Backup(folder, *[facts[name] for name in ("version", "head", "made_at", "rows", "files")])


def _copy_sqlite(store: Store, beside: Path) -> tuple[str, str, dict[str, int]]:
    place = beside / DATABASE
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with explained(), store.engine.connect() as connection, closing(sqlite3.connect(place)) as copy:
        raw: Any = connection.connection.dbapi_connection
        raw.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        if copy.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise InputError([Problem("damaged-registers", "The file of the registers is not whole.")])
    engine = make_engine(place)
    try:
        with reading(engine) as connection:
            rows = {table.name: _count(connection, table) for table in all_tables()}
            facts = (newest_version(), audit.head(connection), rows)
    finally:
        engine.dispose()
    # opening it has made it a WAL file again: back to one file
    with closing(sqlite3.connect(place)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")
    return facts


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _dump(store: Store, beside: Path) -> tuple[str, str, dict[str, int]]:
    (beside / "tables").mkdir()
    with reading(store.engine) as connection:
        check_version(connection)
        rows = {
            table.name: write_rows(beside / "tables" / f"{table.name}.jsonl.gz", rows_of(connection, table))
            for table in all_tables()
        }
        return newest_version(), audit.head(connection), rows


def _copy_files(folder: Path | None, into: Path) -> int:
    count = 0
    if folder is not None and folder.is_dir():
        for path in sorted(folder.glob("??/*")):
            if path.is_file() and not path.name.startswith("."):
                (into / path.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, into / path.parent.name / path.name)
                count += 1
    return count


def read_backup(folder: str | Path) -> Backup:
    """Read what a backup holds, after every file of it was compared with its digest.

    Raises
    ------
    UsageError
        ``not-a-backup``.
    InputError
        ``damaged-backup``: names every file that is missing or changed.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / MANIFEST).read_text("utf-8"))
        digests: dict[str, str] = facts["digests"]
        found = _backup(folder, facts)
        known = facts["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{folder} is no backup of registers.", "not-a-backup") from None
    if not known:
        raise UsageError(f"{folder} was made by another program version.", "not-a-backup")
    wrong = []
    for name, digest in digests.items():
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
        if not inside or not path.is_file() or digest_of_file(path) != digest:
            wrong.append(
                Problem("damaged-backup", "The file is missing or not as it was written.", file=name)
            )
    if wrong:
        raise InputError(wrong)
    return found


def restore(
    folder: str | Path, place: str | os.PathLike[str], *, files: str | os.PathLike[str] | None = None
) -> tuple[Backup, AuditCheck]:
    """Make registers from a backup, in either database; the audit's chain is verified before they are there.

    Parameters
    ----------
    folder : path
        The backup.
    place : path or str
        A file that is not there yet, or an empty PostgreSQL database.
    files : path, optional
        Folder for attachments.

    Raises
    ------
    InputError
        ``damaged-backup``, ``broken-audit``.
    UsageError
        ``not-a-backup``, ``registers-exist``.
    """
    found = read_backup(folder)
    source = Path(folder)
    checks: list[AuditCheck] = []

    def fill(connection: sa.Connection) -> None:
        # what a migration has put into new tables is in the backup as well
        for table in reversed(all_tables()):
            connection.execute(table.delete())
        with _rows_of_backup(source) as tables:
            for table in all_tables():
                rows = put_rows(connection, table, tables(table))
                if rows != found.rows.get(table.name, rows):
                    text = f"{table.name} has {rows:,} rows, and {found.rows[table.name]:,} were written."
                    raise InputError([Problem("damaged-backup", text)])
        check = audit.verify(connection, found.head or None)
        if not check.whole:
            raise InputError(
                [Problem("broken-audit", f"The audit of the backup is not whole: {check.findings[0]}.")]
            )
        checks.append(check)
        detail = {"head": found.head, "made_at": found.made_at}
        audit.append(connection, audit.Entry(now(), "operator", "restore", "registers", "", detail=detail))

    make_registers(place, fill)
    target = folder_of(place, files)
    if target is not None and found.files:
        _copy_files(source / "files", target)
    open_store(place).close()
    return found, checks[0]


@contextmanager
def _rows_of_backup(folder: Path) -> Iterator[Any]:
    """Give a function from a table to its rows; an older SQLite file is upgraded in a copy."""
    if (folder / "tables").is_dir():
        paths = {path.name.partition(".")[0]: path for path in (folder / "tables").iterdir()}
        # a backup of an older version has no file of a table that came later: nothing was in it
        yield lambda table: read_rows(paths[table.name], table) if table.name in paths else iter(())
        return
    copy = folder.resolve().with_name(f".{folder.name}.{os.getpid()}.restoring")
    try:
        shutil.copyfile(folder / DATABASE, copy)
        engine = make_engine(copy)
        try:
            with writing(engine) as connection:
                if version_of(connection) is None:
                    raise UsageError(f"{folder} is no backup of registers.", "not-a-backup")
                upgrade(connection)
            with reading(engine) as connection:
                yield lambda table: rows_of(connection, table)
        finally:
            engine.dispose()
    finally:
        for ending in ("", "-wal", "-shm"):
            Path(f"{copy}{ending}").unlink(missing_ok=True)
