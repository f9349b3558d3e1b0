"""The database behind the registers: SQLite in WAL mode by a path, PostgreSQL by a URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from changtong.errors import ChangtongError, InputError, Problem, UsageError

WAIT_S = 60.0
"""Seconds to wait for others that write."""

MOST_CONNECTIONS = 20

_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_BUSY_STATES = ("40001", "40P01", "55P03", "53300", "57P03")


def is_url(place: str | os.PathLike[str]) -> bool:
    """Return whether a place is PostgreSQL's and not a file."""
    return str(place).startswith(("postgresql:", "postgres:", "postgresql+psycopg:"))


def shown_place(place: str | os.PathLike[str]) -> str:
    """Return a place for messages: without the password."""
    return _url(str(place)).render_as_string(hide_password=True) if is_url(place) else str(place)


def _url(place: str) -> sa.URL:
    try:
        return sa.make_url(place).set(drivername="postgresql+psycopg")
    except (SQLAlchemyError, ValueError):
        # the cause is left out: it quotes the whole URL, and a URL may hold a password
        raise UsageError("The URL of the database cannot be read.", "no-registers") from None


def driver_url(place: str) -> str:
    """Return the URL of a database with the driver that is used, for libraries that connect themselves."""
    return _url(place).render_as_string(hide_password=False)


def make_engine(place: str | os.PathLike[str]) -> sa.Engine:
    """Return the engine of a place; nothing is opened yet.

    Parameters
    ----------
    place : path or str
        A file, or ``postgresql://user@host/name``.
    """
    if is_url(place):
        return sa.create_engine(
            _url(str(place)),
            pool_size=MOST_CONNECTIONS,
            max_overflow=0,
            pool_timeout=WAIT_S,
            hide_parameters=True,
            connect_args={"connect_timeout": 10, "application_name": "changtong"},
        )
    path = Path(place).resolve()
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=f"{path.as_uri()}?mode=rw", query={"uri": "true"}),
        pool_size=MOST_CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT_S,
        hide_parameters=True,
        connect_args={"timeout": WAIT_S, "isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(db: Any, _record: object) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # what was told to be written survives a loss of power
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")  # what is deleted, or changed to something shorter, is zeroed
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cache_size = -16384")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin; who will write takes the writer's one place at once: nobody has to give up later."""
    writes = connection.get_execution_options().get("changtong_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: sa.Engine, *, snapshot: bool = True) -> Iterator[sa.Connection]:
    """Give a connection that sees one state of the database throughout.

    Without ``snapshot`` PostgreSQL gives each statement the state of its own instant, which is enough for one
    page, and spares it the begin and the end of a transaction.
    """
    with explained(), engine.connect() as connection:
        if engine.dialect.name == "postgresql" and not snapshot:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        elif engine.dialect.name == "postgresql":
            connection = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection
        connection.rollback()


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection whose changes are all written at the end, or none."""
    with explained(), engine.connect() as connection:
        connection = connection.execution_options(changtong_writes=True)
        with connection.begin():
            yield connection


@contextmanager
def explained() -> Iterator[None]:
    """Tell what goes wrong in the database as an error of ours, without values.

    Raises
    ------
    UsageError
        ``registers-busy``, ``no-registers``.
    InputError
        ``damaged-registers``, ``cannot-write``.
    """
    try:
        yield
    except ChangtongError:
        raise
    except DBAPIError as error:
        raise _explain(error.orig, error.connection_invalidated) from None
    except SQLAlchemyError as error:
        if "QueuePool limit" in str(error):
            raise UsageError("All connections are in use: try again later.", "registers-busy") from None
        raise


def _explain(error: BaseException | None, lost: bool) -> ChangtongError:
    name = str(getattr(error, "sqlite_errorname", ""))
    state = str(getattr(error, "sqlstate", "") or "")
    if name.startswith(_BUSY) or state in _BUSY_STATES:
        return UsageError(
            "Others have been writing to the registers for too long: try again.", "registers-busy"
        )
    if name.startswith("SQLITE_CANTOPEN") or state in ("3D000", "28P01", "28000", "42501"):
        return UsageError("The registers cannot be opened: no such place, or no right to it.", "no-registers")
    if name.startswith(("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR")) or state.startswith("53"):
        return InputError(
            [Problem("cannot-write", f"The registers cannot be read or written ({name or state}).")]
        )
    if name in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY") or state == "23505":
        problem = Problem(
            "duplicate-record", "Somebody has just added one with this id or name.", column="id"
        )
        return InputError([problem])
    if name.startswith("SQLITE_CONSTRAINT") or state.startswith("23"):
        return InputError(
            [Problem("bad-value", "The database refuses the values: a key is there already, or missing.")]
        )
    if lost or (not name and not state):
        text = "The database does not answer: does it run, and are host, port and name in its URL right?"
        return UsageError(text, "no-registers")
    return InputError(
        [Problem("damaged-registers", f"The database holds no registers as expected ({name or state}).")]
    )
