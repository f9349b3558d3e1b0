"""What the commands of the duty room share: the two places it may be in, and who acts there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import read_instant
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.duty.room_log import OpenRoom

duty = typer.Typer(
    help="Duty: rosters, check-in, hand-over, calls.", no_args_is_help=True, rich_markup_mode=None
)

RosterFolder = Annotated[Path, typer.Argument(metavar="ROSTER/", help="A roster, as duty roster wrote it.")]
RosterInForce = Annotated[
    Path | None,
    typer.Argument(metavar="[ROSTER/]", help="A roster; with --registers the one in force is taken."),
]
Room = Annotated[
    str,
    typer.Option("--room", metavar="ROOM", help="The folder of the room's entries; with --registers its id."),
]
At = Annotated[
    str | None, typer.Option("--at", metavar="INSTANT", help="As 2026-03-02T09:00+08:00; now by default.")
]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="PERSON", help="Who does it; in registers it is who holds the token."),
]


def instant_of(text: str | None) -> datetime:
    """Return an instant given, or now."""
    return read_instant(text) or datetime.now(UTC).replace(microsecond=0)


@contextmanager
def opened_room(
    room: str, registers: str | None, token: Path | None, *, roster: Path | None = None,
    by: str | None = None, writes: bool = False, needs_roster: bool = True, number: int | None = None,
) -> Iterator[OpenRoom]:  # fmt: skip
    """Open a duty room in its folder or in the registers.

    Parameters
    ----------
    room : str
    registers : str or None
    token, roster : Path or None
    by : str or None
    writes : bool
    needs_roster : bool
    number : int or None
        Of a version of the roster, in the registers.

    Raises
    ------
    UsageError
        ``usage``: what the place does not take, all of it at once.
    """
    wrong = []
    if registers is None:
        if token is not None:
            wrong.append("--token is for --registers")
        if needs_roster and roster is None:
            wrong.append("ROSTER/ is missing: a room in a folder is read with a roster")
        if writes and (by is None or not by.strip()):
            wrong.append("--by PERSON: say who does it")
        if number is not None:
            wrong.append("--number is for --registers")
    else:
        if roster is not None:
            wrong.append("ROSTER/ cannot be used with --registers: the one in force is taken")
        if by is not None:
            wrong.append("--by cannot be used with --registers: everybody acts under their own name")
    if wrong:
        raise UsageError("; ".join(wrong) + ".")
    if registers is None:
        from changtong.duty.room_log import open_folder_room

        yield open_folder_room(Path(room), by or "", roster)
        return
    from changtong.registers_options import desk_of
    from changtong.workforce_records.room_register import open_register_room

    with (
        desk_of(registers, token) as desk,
        open_register_room(desk, room, writes=writes, needs_roster=needs_roster, number=number) as opened,
    ):
        yield opened
