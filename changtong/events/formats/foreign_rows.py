"""What a reader of a foreign format returns: rows of the log before pseudonymising, and problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

ROW_SCHEMA: Mapping[str, pl.DataType] = {
    "row": pl.UInt32(),
    "event_id": pl.String(),
    "item_id": pl.String(),
    "receptacle_id": pl.String(),
    "vehicle_id": pl.String(),
    "code": pl.String(),
    "site_id": pl.String(),
    "next_site_id": pl.String(),
    "at_ms": pl.Int64(),
    "recorded_ms": pl.Int64(),
    "service_class": pl.String(),
    "attributes": pl.String(),
}
"""Columns of the rows. ``row`` is the row or event of the file they come from, counted from 1."""

PROBLEM_SCHEMA: Mapping[str, pl.DataType] = {
    "row": pl.UInt32(),
    "column": pl.String(),
    "code": pl.String(),
    "reason": pl.String(),
}

REASONS: Mapping[str, str] = {
    "ambiguous-time": "The local time stands twice, when clocks are put back; the first is taken.",
    "bad-event": "The event is no JSON object of a known event type.",
    "bad-id": "An identifier is missing, is no text, or holds control characters.",
    "bad-row": "The row has too many or too few cells, or an open quotation mark.",
    "bad-text": "The text holds characters that no file can hold (NUL or half a surrogate pair).",
    "bad-time": "The time cannot be read, has no zone, does not exist, or lies outside 1990 to 2099.",
    "bad-value": "The value is not of the kind the format asks for and is left out.",
    "damaged-text": "Letters were lost before the file came here; the name is kept as it is.",
    "duplicate-row": "The row stands in the file before, letter for letter; both are kept.",
    "no-code": "No event code or business step is given.",
    "no-event-id": "An event is declared wrong without an identifier, so that it cannot be told which.",
    "no-object": "Neither an item nor a receptacle is named.",
    "no-reason": "A failed delivery or a customs hold is given without its reason.",
    "no-site": "No place is given.",
    "other-encoding": "The line is not UTF-8 and was read in the other encoding (Windows-1252 unless told).",
    "s10-check-digit": "The check digit of the item identifier is wrong.",
    "s10-form": "The item identifier has not the form of S10 (13 characters).",
    "s9-form": "The receptacle identifier has not the form of S9 (29 characters).",
    "several-destinations": "More than one destination is named; none is taken as the next site.",
    "site-from-receptacle": "No office is given; the receptacle's office of origin is taken.",
    "twice-named": "A field stands twice in the event; the last is taken.",
    "two-receptacles": "The item is in another receptacle at the same time.",
    "unknown-code": "The event code or business step is not known.",
}
"""Code of a problem -> what it says. No reason quotes an identifier or a name."""


@dataclass(frozen=True)
class ForeignRows:
    """Rows read from a foreign format.

    Every row or event of the input ends in rows, in problems, or in both: those with rows are
    good, those without are bad and have a problem that says why.

    Attributes
    ----------
    rows : polars.DataFrame
        Columns of ``ROW_SCHEMA``; one row for each event and item.
    problems : polars.DataFrame
        ``row``, ``column``, ``code``, ``reason``.
    read_count : int
        Rows or events in the input.
    dropped : tuple of str
        Columns or fields left out because nobody asked for them (they may be personal).
    """

    rows: pl.DataFrame
    problems: pl.DataFrame
    read_count: int
    dropped: tuple[str, ...] = ()

    @property
    def good_count(self) -> int:
        """Rows or events of the input that gave rows."""
        return self.rows["row"].n_unique()

    @property
    def bad_count(self) -> int:
        """Rows or events of the input that gave none."""
        return self.read_count - self.good_count

    def problem_counts(self) -> dict[str, int]:
        """Return how often each problem was found, the commonest first."""
        return dict(Counter(self.problems["code"].to_list()).most_common())

    def __str__(self) -> str:
        good = f"{self.good_count:,} good ({self.rows.height:,} rows)"
        lines = [f"{self.read_count:,} read: {good}, {self.bad_count:,} bad"]
        lines += [f"  {code}: {count:,}" for code, count in self.problem_counts().items()]
        if self.dropped:
            lines.append(f"  left out: {', '.join(self.dropped[:10])}{' …' if self.dropped[10:] else ''}")
        return "\n".join(lines)


@dataclass
class ProblemList:
    """Problems in the order found, kept column by column."""

    numbers: list[int] = field(default_factory=list)
    columns: list[str | None] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def add(self, row: int, column: str | None, code: str) -> None:
        """Add one problem of one row."""
        self.numbers.append(row)
        self.columns.append(column)
        self.codes.append(code)

    def add_rows(self, rows: Iterable[int], column: str | None, code: str) -> None:
        """Add the same problem for several rows."""
        numbers = list(rows)
        self.numbers += numbers
        self.columns += [column] * len(numbers)
        self.codes += [code] * len(numbers)

    def frame(self) -> pl.DataFrame:
        """Return the problems by row."""
        reasons = [REASONS[code] for code in self.codes]
        data = [self.numbers, self.columns, self.codes, reasons]
        frame = pl.DataFrame(data, schema=dict(PROBLEM_SCHEMA), orient="col")
        return frame.sort("row", maintain_order=True)


def frame_of(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    """Return rows, in the order of ``ROW_SCHEMA``, as a frame."""
    return pl.DataFrame(rows, schema=dict(ROW_SCHEMA), orient="row")
