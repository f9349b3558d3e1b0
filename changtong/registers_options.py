"""What the commands of the registers share: their groups, arguments, passwords and tokens."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.storage.records import Record
    from changtong.storage.store import Desk, Store

registers = typer.Typer(
    help="Registers: sites, inspections, hazards, tasks; who may do what.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

audit = typer.Typer(help="The audit of the registers.", no_args_is_help=True, rich_markup_mode=None)

Place = Annotated[
    str,
    typer.Argument(metavar="STORE", help="A file, or postgresql://user@host/name (password: PGPASSFILE)."),
]

Files = Annotated[
    Path | None,
    typer.Option("--files", metavar="FOLDER/", help="Files of attachments; beside a SQLite file."),
]

TokenFile = Annotated[
    Path, typer.Option("--token", metavar="FILE", help="The token of who does it, as `sign-in` wrote it.")
]

RegistersStore = Annotated[
    str, typer.Option("--registers", metavar="STORE", help="The registers: a file, or postgresql://…")
]

Registers = Annotated[
    str | None,
    typer.Option("--registers", metavar="STORE", help="Registers, instead of folders of files."),
]
Token = Annotated[
    Path | None,
    typer.Option("--token", metavar="FILE", help="With --registers: the token of who does it."),
]
"""Of commands that work on folders of files, or on registers."""

PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Read the password from a file, - for standard input."
    ),
]

NewFolder = Annotated[
    Path, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; it is not there yet.")
]

Kind = Annotated[str, typer.Argument(metavar="REGISTER", help="site, inspection, hazard, task …")]
RecordId = Annotated[str, typer.Argument(metavar="ID", help="Of the record.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]
KeysFile = Annotated[Path, typer.Option("--keys", metavar="KEYS", help="File of keys (docs/privacy.md).")]


@registers.callback()
def group() -> None:
    """Registers: sites, inspections, hazards, tasks; who may do what."""


@audit.callback()
def audit_group() -> None:
    """The audit of the registers."""


def read_password(source: str | None, what: str = "Password", *, twice: bool = False) -> str:
    """Return a password from a file, from standard input, or asked for; never from an option's value.

    Raises
    ------
    UsageError
        ``no-password``: nobody can be asked.
    """
    if source is not None:
        try:
            text = sys.stdin.readline() if source == "-" else Path(source).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{source}: the password cannot be read.", "no-password") from None
        return text.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody can be asked here: give --password-file FILE, or - for standard input.", "no-password"
        )
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))


def read_token(path: Path) -> str:
    """Return the token of a file.

    Raises
    ------
    UsageError
        ``no-token``.
    """
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"{path}: the token cannot be read; `registers sign-in` makes one.", "no-token"
        ) from None


def shown_record(record: Record) -> dict[str, Any]:
    """Return a record as the commands print it."""
    head = {
        "id": record.id, "organisation": record.organisation, "admin_code": record.admin_code,
        "version": record.version,
    }  # fmt: skip
    return head | {name: shown_value(value) for name, value in record.values.items()}


def shown_value(value: Any) -> Any:
    """Return a value as the commands print it: instants in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else value


def open_desk(place: str, token: Path, files: Path | None = None) -> tuple[Store, Desk]:
    """Open registers for the holder of a token."""
    from changtong.storage.store import open_store

    store = open_store(place, files=files)
    try:
        return store, store.desk(read_token(token))
    except BaseException:
        store.close()
        raise


@contextmanager
def desk_of(place: str, token: Path | None, files: Path | None = None) -> Iterator[Desk]:
    """Open registers for the holder of a token, and close them at the end.

    Parameters
    ----------
    place : str
    token, files : Path or None

    Raises
    ------
    UsageError
        ``no-token``.
    """
    if token is None:
        raise UsageError("--registers needs --token: everybody acts under their own name.", "no-token")
    store, desk = open_desk(place, token, files)
    with store:
        yield desk
