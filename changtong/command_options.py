"""Options that several commands share."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from changtong.errors import InputError, Problem, UsageError


class Language(StrEnum):
    """Language of pages."""

    zh = "zh"
    en = "en"


Folder = Annotated[Path, typer.Argument(metavar="NET/", help="A network folder.")]
Out = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; an older result is replaced."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, nothing else, on standard output.")
]
Gap = Annotated[
    float, typer.Option("--gap", min=0.0, max=1.0, help="Proved gap at which to stop (0.001 = 0.1 %).")
]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Time limit for the flow.")]
Within = Annotated[
    float | None,
    typer.Option(
        "--within",
        min=1.0,
        metavar="SECONDS",
        help="Time aimed at for the whole plan of a large network, its sort plan included.",
    ),
]
ExecutorName = Annotated[
    str,
    typer.Option("--executor", help="local:N processes, here, dask:ADDRESS, ray[:ADDRESS], spark[:MASTER]."),
]
PageLanguage = Annotated[Language, typer.Option("--language", help="Language pages open in.")]


def parse_day(text: str, option: str = "") -> date:
    """Read a date; one that is none is told, with the option it was given for.

    Raises
    ------
    UsageError
        The text is no date, or one outside 1900 to 2199.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no date; expected YYYY-MM-DD.".lstrip()) from error
    if not 1900 <= day.year < 2200:  # at the ends of the calendar nothing can be added or taken away
        raise UsageError(f"{option} {text!r}: expected a day of 1900 to 2199.".lstrip())
    return day


def read_instant(text: str | None, option: str = "--at") -> datetime | None:
    """Return an instant that was given; None where none was.

    Parameters
    ----------
    text : str or None
    option : str
        For the error.

    Raises
    ------
    UsageError
        ``bad-instant``: it is none, or has no zone.
    """
    if text is None:
        return None
    try:
        made = datetime.fromisoformat(text.strip())
        if made.tzinfo is not None:
            made.astimezone(UTC) + timedelta(days=400)  # near the end of years nothing can be added
            return made
    except (ValueError, OverflowError):
        pass
    raise UsageError(
        f"{option} {text!r} is no instant with its zone; expected as 2026-07-20T03:00+08:00.", "bad-instant"
    )


def read_person(file: Path, names: tuple[str, ...], code: str) -> dict[str, str]:
    """Read a file about a person: a JSON object of texts. No value of it is told in a problem.

    Parameters
    ----------
    file : Path
    names : tuple of str
        Those that it may have.
    code : str
        For the error.

    Raises
    ------
    InputError
        It cannot be read, or holds something else.
    """
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        text = f"it cannot be read ({type(error).__name__})."
        raise InputError([Problem(code, text, file.name, expected="a JSON object")]) from error
    fits = isinstance(content, dict) and all(
        key in names and isinstance(value, str) for key, value in content.items()
    )
    if not fits:
        expected = "an object of " + ", ".join(names) + ", each a text"
        raise InputError([Problem(code, "it is not as expected.", file.name, expected=expected)])
    return dict(content)


def check_page_file(file: Path) -> None:
    """Refuse a file for a page whose name does not end in ``.html``.

    Parameters
    ----------
    file : Path

    Raises
    ------
    UsageError
    """
    if file.suffix.lower() != ".html":
        raise UsageError(f"{file} does not end in .html.")
