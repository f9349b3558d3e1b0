"""What a daily report is made of: sections of lines and tables, and the tables beside other days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from changtong.events.indicator_result import Indicators
from changtong.report.daily_words import amount, change
from changtong.report.texts import Both, Language, named, text, whole

TOP = 10
COMPARED = (
    "daily.the_day", "daily.day_before", "daily.change_day", "daily.year_before", "daily.change_year",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column: its name, and whether it holds numbers."""

    name: Both
    number: bool = True


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it."""

    key: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Both, ...], ...]
    title: Both | None = None
    note: Both | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report: a heading, lines of text, tables."""

    key: str
    heading: Both
    lines: tuple[Both, ...] = ()
    tables: tuple[Table, ...] = ()


def compared(
    found: Indicators,
    key: str,
    indicators: Sequence[str],
    note: Both,
    *,
    of_pieces: bool = False,
) -> Table:
    """Return indicators beside those of the day before and the year before."""
    rows = {row["indicator"]: row for row in found.totals.iter_rows(named=True)}
    made = []
    for name in indicators:
        row: dict[str, Any] = rows.get(name, {})
        said = named("daily_name", name)
        if of_pieces and row.get("pieces") is not None:
            said = text("daily.of_pieces", name=said, pieces=whole(row["pieces"]))
        cells = [said, amount(row.get("value"), name)]
        for other in ("day_before", "year_before"):
            cells += [amount(row.get(other), name), change(row.get("value"), row.get(other), name)]
        made.append(tuple(cells))
    return Table(key, columns(["daily.indicator"], COMPARED), tuple(made), note=note)


def columns(words: Sequence[str], numbers: Sequence[str]) -> tuple[Column, ...]:
    """Return columns by the keys of their names: first those of words, then those of numbers."""
    made = [Column(text(key), number=False) for key in words]
    return (*made, *(Column(text(key)) for key in numbers))


def widths(table: Table, language: Language) -> list[int]:
    """Return the signs in the longest cell of each column; a Chinese sign takes the room of two."""
    cells = [[one.name for one in table.columns], *table.rows]
    said = [[cell.said_in(language) for cell in row] for row in cells]
    return [
        max(sum(1 + (sign > "\u2e7f") for sign in cell) for cell in one) for one in zip(*said, strict=True)
    ]


def widest_words(table: Table, language: Language) -> int:
    """Return the column of words that needs most room."""
    room = widths(table, language)
    return max((k for k, one in enumerate(table.columns) if not one.number), key=lambda k: room[k])


def say_shown(shown: int, total: int) -> Both | None:
    """Say how many rows a table shows, where some are left out."""
    return text("daily.shown", shown=whole(shown), total=whole(total)) if shown < total else None
