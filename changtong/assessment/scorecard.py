"""A scorecard with everything that is known of a year: data, checked when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl

STAGES = ("self_report", "review", "appeal", "final")
"""In the order they are reached."""

STAGE_DAYS = ("report_by", "review_by", "appeal_by", "final_by")
"""Fields of a card's head: the last day of each of these stages."""


@dataclass(frozen=True)
class CardHead:
    """What a card says of itself, and its rules of counting.

    Attributes
    ----------
    card_id, name_zh, name_en, version : str
    year : int
        Findings must be of this year.
    provenance, source, note, note_en : str
        ``official``, ``example`` or ``synthetic``, where it comes from, and what is not from there, in
        Chinese and in English.
    base : float
        Points everybody starts with.
    least_points, most_points : float or None
        The score is never below or above.
    max_deduction, max_bonus : float or None
        Most that is deducted or added in all, what is passed up included; not with weighted sections.
    decimals : int
        Of a score; ranks and bands go by the rounded score.
    disagreement_above : float or None
        Marks of one thing that lie further apart, in points, are listed.
    pass_through_of : {"charged", "own"}
        Whether what a subject took over from below is passed on too.
    missing_marks : {"refuse", "others_count"}
        Where a department that handed in marks did not mark something.
    begin, end : str
        Days within the year that values are computed for; the whole year without them.
    report_by, review_by, appeal_by, final_by : str
        Last days for the stages; none without them.
    """

    card_id: str
    name_zh: str
    name_en: str
    version: str
    year: int
    provenance: str
    source: str
    note: str = ""
    note_en: str = ""
    base: float = 0.0
    least_points: float | None = None
    most_points: float | None = None
    max_deduction: float | None = None
    max_bonus: float | None = None
    decimals: int = 2
    disagreement_above: float | None = None
    pass_through_of: str = "charged"
    missing_marks: str = "refuse"
    begin: str = ""
    end: str = ""
    report_by: str = ""
    review_by: str = ""
    appeal_by: str = ""
    final_by: str = ""

    @property
    def period(self) -> tuple[date, date]:
        """First and last day that values are computed for."""
        first, last = date(self.year, 1, 1), date(self.year, 12, 31)
        return (
            date.fromisoformat(self.begin) if self.begin else first,
            date.fromisoformat(self.end) if self.end else last,
        )


@dataclass(frozen=True)
class Scorecard:
    """A card, who is assessed, and what was found, measured and marked.

    Attributes
    ----------
    head : CardHead
    sections, indicators, rules, bands, departments, pass_through : polars.DataFrame
        The card; ``docs/assessment-tables.md`` tells the columns.
    subjects, facts, values, marks, handed_in, stages, practices, rectifications : polars.DataFrame
        What is assessed by it.
    computed, computed_from : polars.DataFrame
        What values that come from the system were made of.
    provenance : polars.DataFrame
        Which empty cells were filled.
    steps : mapping
        Indicator -> its steps (value, points), rising points.
    last_year : polars.DataFrame or None
        ``subject_id``, ``score`` and ``rank`` of last year's result.
    """

    head: CardHead
    subjects: pl.DataFrame
    sections: pl.DataFrame
    indicators: pl.DataFrame
    rules: pl.DataFrame
    bands: pl.DataFrame
    departments: pl.DataFrame
    pass_through: pl.DataFrame
    facts: pl.DataFrame
    values: pl.DataFrame
    marks: pl.DataFrame
    handed_in: pl.DataFrame
    stages: pl.DataFrame
    practices: pl.DataFrame
    rectifications: pl.DataFrame
    computed: pl.DataFrame
    computed_from: pl.DataFrame
    provenance: pl.DataFrame
    steps: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    last_year: pl.DataFrame | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.head.name_zh

    @property
    def weighted(self) -> bool:
        """Whether sections have weights."""
        return self.sections["weight"].count() > 0

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Departments with weight that have not handed in; until none is left, marks stay blind."""
        marking = self.departments.filter((pl.col("weight") > 0) & ~pl.col("from_facts"))
        done = set(self.handed_in["department_id"].cast(pl.String))
        return tuple(one for one in marking["department_id"].cast(pl.String) if one not in done)

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return every table by name."""
        names = (
            "subjects sections indicators rules bands departments pass_through facts values marks handed_in"
            " stages practices rectifications computed computed_from provenance"
        )
        return {name: getattr(self, name) for name in names.split()}

    def with_tables(self, **tables: pl.DataFrame) -> Scorecard:
        """Return the scorecard with some tables exchanged, which are not checked again."""
        return replace(self, **tables)  # type: ignore[arg-type]

    def digest(self) -> str:
        """Return a SHA-256 over everything: equal inputs, equal digest."""
        total = hashlib.sha256(repr((self.head, sorted(self.steps.items()))).encode())
        tables: dict[str, pl.DataFrame] = self.tables()
        if self.last_year is not None:
            tables["last_year"] = self.last_year
        for name, table in tables.items():
            total.update(f"{name}\n".encode())
            total.update(table.write_csv().encode())
        return total.hexdigest()

    def names_of(self, table: str, language: str = "zh") -> dict[str, str]:
        """Return id -> name of the rows of a table of the card.

        Parameters
        ----------
        table : str
            ``sections``, ``indicators``, ``rules``, ``bands`` or ``departments``.
        language : {"zh", "en"}
            A missing English name is the Chinese one.
        """
        frame: pl.DataFrame = getattr(self, table)
        key = frame.columns[0]
        said = pl.col("name_zh") if language == "zh" else pl.coalesce("name_en", "name_zh")
        return dict(frame.select(pl.col(key).cast(pl.String), said.alias("said")).iter_rows())

    def facts_about(self) -> dict[str, Any]:
        """Return what a study says of it."""
        return {"scorecard": self.head.card_id, "version": self.head.version, "year": self.head.year}


def split_list(text: str | None) -> tuple[str, ...]:
    """Return the parts of a cell that lists things, separated by commas.

    Examples
    --------
    >>> split_list("city, county"), split_list(None)
    (('city', 'county'), ())
    """
    if text is None:
        return ()
    return tuple(
        part.strip() for part in text.replace("，", ",").replace("、", ",").split(",") if part.strip()
    )
