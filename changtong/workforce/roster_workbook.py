"""Rosters as an XLSX workbook: who works what on which day, and people by shift."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal

import polars as pl

from changtong.workbooks import Cell, write_workbook
from changtong.workforce.roster_result import Roster

HEADS = {
    "zh": {"roster": "排班表", "shifts": "班次人数", "site": "分拣中心", "person": "人员", "days": "天数",
           "hours": "小时", "date": "日期", "shift": "班次", "begin": "开始", "end": "结束",
           "regular": "正式工", "temporary": "临时工"},
    "en": {"roster": "Roster", "shifts": "Shifts", "site": "Centre", "person": "Person", "days": "Days",
           "hours": "Hours", "date": "Date", "shift": "Shift", "begin": "Begins", "end": "Ends",
           "regular": "Regular", "temporary": "Temporary"},
}  # fmt: skip


def write_roster_workbook(roster: Roster, path: Path, *, language: Literal["zh", "en"] = "zh") -> Path:
    """Write the workbook.

    Parameters
    ----------
    roster : Roster
    path : Path
    language : {"zh", "en"}
        Of the headings.
    """
    said = HEADS[language]
    sheets = [(said["roster"], _matrix(roster, said)), (said["shifts"], _shifts(roster, said))]
    return write_workbook(path, sheets)


def _matrix(roster: Roster, said: dict[str, str]) -> Iterable[list[Cell]]:
    work = roster.tables["roster"]
    days: list[date] = sorted({*work["date"], *roster.tables["hours"].filter(pl.col("hour") == 23)["date"]})
    yield [said["site"], said["person"], said["days"], said["hours"], *(str(day) for day in days)]
    duties = {(p, d): duty for p, d, duty in work.select("person_id", "date", "duty").iter_rows()}
    for row in roster.tables["people"].iter_rows(named=True):
        person = row["person_id"]
        yield [row["site"], person, row["days"], row["hours"], *(duties.get((person, day)) for day in days)]


def _shifts(roster: Roster, said: dict[str, str]) -> Iterable[list[Cell]]:
    names = ("site", "date", "shift", "begin", "end", "regular", "temporary")
    yield [said[name] for name in names]
    for row in roster.tables["shifts"].select(names).iter_rows():
        yield [value if isinstance(value, int) else str(value) for value in row]
