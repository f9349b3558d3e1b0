"""What the commands of emergency cases share: the case, who, when, and the two places it may lie in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import read_instant
from changtong.console import print_result
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.emergency.case import Case
    from changtong.emergency.case_folder import Make

emergency = typer.Typer(
    help="Emergency plans, cases and drills: levels, clocks, tasks, situation reports.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ZONE = "Asia/Shanghai"
CaseName = Annotated[
    str, typer.Argument(metavar="CASE", help="The folder of a case; with --registers its id.")
]
PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="A plan's id, or a TOML file.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="When it happened, as 2026-07-20T03:00+08:00; now by default."),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="As of this instant, as 2026-07-20T03:00+08:00; now by default."
    ),
]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who; in registers it is who holds the token.")
]
Text = Annotated[
    str, typer.Option("--text", metavar="TEXT", help="What is to be said of it; no names of persons.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
EntryId = Annotated[
    str,
    typer.Option("--entry", metavar="ID", help="Of this entry: what is sent twice with one id counts once."),
]
Seen = Annotated[
    int | None,
    typer.Option(
        "--seen", metavar="N", min=1, help="Newest entry that was read: refused where others came since."
    ),
]
Document = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="Ends in .html or .docx; replaced.")
]


def read_pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """Return NAME=VALUE options by name.

    Parameters
    ----------
    given : iterable of str
    option : str
        For the error.

    Raises
    ------
    UsageError
        One is no pair, or a name is there twice: all of them at once.
    """
    made: dict[str, str] = {}
    wrong = []
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            wrong.append(f"{text!r} is not NAME=VALUE")
        elif name.strip() in made:
            wrong.append(f"{name.strip()} is given twice")
        else:
            made[name.strip()] = value.strip()
    if wrong:
        raise UsageError(f"{option}: {'; '.join(wrong)}.")
    return made


def who(by: str | None, registers: str | None) -> str:
    """Return who does something, for folders.

    Parameters
    ----------
    by, registers : str or None

    Raises
    ------
    UsageError
        Nobody is named, or somebody is beside the holder of a token.
    """
    if registers is not None:
        if by is not None:
            raise UsageError("--by cannot be used with --registers: everybody acts under their own name.")
        return ""
    if by is None or not by.strip():
        raise UsageError("--by NAME: say who does it; it is part of the log.")
    return by


def write_entry(
    case: str, make: Make, by: str | None, at: str | None, entry: str, registers: str | None,
    token: Path | None, *, seen: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Write an entry into the case's folder or into the registers, and show the case after it.

    Parameters
    ----------
    case : str
    make : callable
    by, at : str or None
    entry : str
    registers : str or None
    token : Path or None
    seen : int or None
    as_json : bool
    """
    from changtong.emergency.case_folder import add_entry
    from changtong.emergency.drill import release

    name, happened = who(by, registers), read_instant(at)
    if registers is not None:
        from changtong.emergency_records.case_register import add_case_entry
        from changtong.registers_options import desk_of

        with desk_of(registers, token) as desk:
            written = add_case_entry(desk, case, make, at=happened, entry_id=entry, seen=seen)
    else:
        release(case, happened)
        written = add_entry(case, make, by=name, at=happened, entry_id=entry, seen=seen)
    show_case(
        written.case,
        written.entry.at,
        as_json=as_json,
        more={"entry": written.entry.n, "is_new": written.is_new},
    )


def show_case(case: Case, at: datetime, *, as_json: bool, more: dict[str, Any]) -> None:
    """Show a case as of an instant, not before its newest entry."""
    from changtong.emergency.case_status import status

    made = status(case, max([at, *(one.at for one in case.entries)]))
    print_result(made.to_json() | more, str(made), as_json=as_json)


def case_named(case: str, registers: str | None, token: Path | None, *, at: datetime | None = None) -> Case:
    """Return a case from its folder or from the registers; a drill's injects up to the instant are released.

    Parameters
    ----------
    case : str
    registers : str or None
    token : Path or None
    at : datetime or None
    """
    from changtong.emergency.case_folder import read_case
    from changtong.emergency.drill import release

    if registers is not None:
        from changtong.emergency_records.case_register import read_register_case
        from changtong.registers_options import desk_of

        with desk_of(registers, token) as desk:
            return read_register_case(desk, case)
    release(case, at)
    return read_case(case)
