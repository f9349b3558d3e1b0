"""The roster folder: tables, calendars; and a roster read back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.duty.cells import Column, raise_all, read_rows
from changtong.duty.icalendar import roster_calendar
from changtong.duty.read_duty import ASSIGNMENT, TABLES, read_duty
from changtong.duty.roster import Roster
from changtong.duty.roster_views import roster_matrix, write_duty_workbook
from changtong.duty.staff import KINDS, Assignment, DutyFolder, hours_of
from changtong.errors import InputError, Problem
from changtong.network.io import write_whole_folder
from changtong.spreadsheets import without_formulas
from changtong.workbook_sheets import ENDING, read_sheet

MARK = "roster.json"
WORKBOOK = "roster.xlsx"
DUTY = "duty"
"""Folder within a roster's folder: the duty folder it was made from."""


def is_roster_folder(path: Path) -> bool:
    """Tell whether a folder is a roster's.

    Parameters
    ----------
    path : Path
    """
    try:
        return bool(json.loads((path / MARK).read_text("utf-8"))["changtong"]["kind"] == "duty roster")
    except (OSError, ValueError, KeyError, TypeError):
        return False


ROSTER_FOLDER: dict[str, Any] = {
    "is_ours": is_roster_folder,
    "what": "roster folder (it has no roster.json)",
    "code": "not-a-roster-folder",
}


def roster_table(folder: DutyFolder, rows: tuple[Assignment, ...]) -> pl.DataFrame:
    """Return a roster as a table, with begin and end of each duty by the clock of the duty room.

    Parameters
    ----------
    folder : DutyFolder
    rows : tuple of Assignment
    """
    names = {one.person_id: one.name for one in folder.people}
    spans = [hours_of(folder.shift(row.shift_id), row.day, folder.zone) for row in rows]
    return pl.DataFrame(
        {
            "day": [str(row.day) for row in rows],
            "shift_id": [row.shift_id for row in rows],
            "post_id": [row.post_id for row in rows],
            "person_id": [row.person_id for row in rows],
            "name": [names.get(row.person_id, "") for row in rows],
            "begins_at": [begin.isoformat(timespec="minutes") for begin, _ in spans],
            "ends_at": [end.isoformat(timespec="minutes") for _, end in spans],
        },
        schema_overrides=dict.fromkeys(("day", "shift_id", "post_id", "person_id", "name"), pl.String()),
    )


def fairness_table(roster: Roster) -> pl.DataFrame:
    """Return what each person has of each kind of duty, beside their fair share.

    Parameters
    ----------
    roster : Roster
    """
    rows = []
    for one in roster.served:
        row: dict[str, Any] = {"person_id": one.person_id, "name": one.name, "group": one.group,
                               "weight": round(one.weight, 4)}  # fmt: skip
        for k, kind in enumerate(KINDS):
            row |= {kind: one.counts[k], f"{kind}_fair": round(one.fair[k], 3),
                    f"{kind}_carried": round(one.carried[k], 3)}  # fmt: skip
        rows.append(row)
    return pl.DataFrame(rows)


def carried_table(roster: Roster) -> pl.DataFrame:
    """Return ``carried.csv`` of the next period: what was carried over and what has come to it.

    Parameters
    ----------
    roster : Roster
    """
    return pl.DataFrame(
        [
            {"person_id": one.person_id}
            | {kind: round(one.carried[k] + one.counts[k], 3) for k, kind in enumerate(KINDS)}
            for one in roster.served
        ]
    )


def save_roster(
    roster: Roster, path: str | os.PathLike[str], source: str | os.PathLike[str],
    *, made_at: datetime, page: Callable[[Path], object] | None = None,
) -> Path:  # fmt: skip
    """Write a roster's folder, whole or not at all.

    Parameters
    ----------
    roster : Roster
        One that was found.
    path : path
    source : path
        The duty folder; its files are kept with the roster, so that it can be checked later.
    made_at : datetime
    page : callable, optional
        Writes a page into the folder.
    """
    tables = {
        "roster": roster_table(roster.folder, roster.assignments),
        "fairness": fairness_table(roster),
        "carried": carried_table(roster),
        "days": pl.DataFrame(
            [{"day": str(day.day), "kind": day.kind, "name": day.name} for day in roster.period.days]
        ),
    }

    def write(into: Path) -> None:
        mark = {"changtong": {"kind": "duty roster", "version": 1}, **roster.to_json()}
        (into / MARK).write_text(json.dumps(mark, ensure_ascii=False, indent=1) + "\n", "utf-8")
        for name, frame in tables.items():
            without_formulas(frame).write_csv(into / f"{name}.csv", include_bom=True)
        for name, person in (
            ("roster.ics", None),
            *((f"{p.person_id}.ics", p.person_id) for p in roster.folder.people),
        ):
            place = into / name if person is None else into / "calendars" / name
            place.parent.mkdir(exist_ok=True)
            text = roster_calendar(roster.folder, roster.assignments, made_at=made_at, person_id=person)
            place.write_bytes(text.encode())
        first, last = roster.period.days[0].day, roster.period.days[-1].day
        people = roster_matrix(roster.folder, roster.assignments, first, last)
        write_duty_workbook(people, first, last, into / WORKBOOK)
        (into / DUTY).mkdir()
        for file in sorted(Path(source).iterdir()):
            if file.suffix in (".csv", ".toml") and file.is_file():
                shutil.copyfile(file, into / DUTY / file.name)
            elif file.suffix == ENDING and f"{file.stem}.csv" in TABLES:
                text = read_sheet(file, file.stem).as_csv()  # a roster is kept as text, also in registers
                (into / DUTY / f"{file.stem}.csv").write_text(text, "utf-8")
        if page is not None:
            page(into)

    own = {
        MARK,
        "roster.ics",
        "index.html",
        WORKBOOK,
        "calendars",
        DUTY,
        *(f"{name}.csv" for name in tables),
    }
    return write_whole_folder(Path(path), write, own_files=own, **ROSTER_FOLDER)


def read_roster(path: str | os.PathLike[str]) -> tuple[Assignment, ...]:
    """Read the assignments of a roster's folder, or of a CSV file in its form.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError
    """
    place = Path(path)
    file = place / "roster.csv" if place.is_dir() else place
    columns = {**ASSIGNMENT, **dict.fromkeys(("name", "begins_at", "ends_at"), Column("text"))}
    table = read_rows(file.parent, file.name, columns, needed=True, in_books=False)
    raise_all([table])
    return tuple(Assignment(*(row[name] for name in ASSIGNMENT)) for row in table.rows)


def read_roster_folder(path: str | os.PathLike[str]) -> tuple[DutyFolder, tuple[Assignment, ...], date, date]:
    """Read a roster with the duty folder it was made from, and its first and last day.

    Parameters
    ----------
    path : path

    Raises
    ------
    InputError
    """
    place = Path(path)
    if not is_roster_folder(place):
        problem = Problem(
            "not-a-roster-folder", "this is no roster folder.", str(path), expected="as duty roster wrote it"
        )
        raise InputError([problem])
    try:
        mark = json.loads((place / MARK).read_text("utf-8"))
        first, last = date.fromisoformat(mark["from"]), date.fromisoformat(mark["to"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            [Problem("bad-duty", "its period is missing or wrong.", MARK, expected="from and to")]
        ) from error
    return read_duty(place / DUTY), read_roster(place), first, last
