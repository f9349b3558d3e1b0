"""A scorecard's values and findings from what the system knows, each with what it was made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.card_folder import build_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.assessment.scorecard import Scorecard, split_list
from changtong.assessment.value_sources import ValueSource, value_sources
from changtong.errors import UsageError
from changtong.events.period_counts import Watch
from changtong.scorecards.card_records import rows_of_table, table_of_rows
from changtong.scorecards.counted import Counted, kept_items
from changtong.scorecards.known_counts import Inputs, Known, check_inputs, count_all

STAGE = "review"
"""Stage of a computed value: it takes the place of what was reported, and a decision that of it."""


@dataclass(frozen=True)
class Filled:
    """A card with what could be computed.

    Attributes
    ----------
    card : Scorecard
    notes : tuple of str
        What a reader must know.
    inputs : mapping
        Source -> what it was counted from, and its SHA-256; absent where nothing was given for it.
    """

    card: Scorecard
    notes: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def missing(self) -> pl.DataFrame:
        """What could not be computed: ``subject_id``, ``indicator_id``, ``source``, ``why_not``, ``note``."""
        rows = self.card.computed.filter(pl.col("value").is_null())
        return rows.select("subject_id", "indicator_id", "source", "why_not", "note")

    def summary(self) -> dict[str, Any]:
        """Return what was filled and what was not, as plain values."""
        computed = self.card.computed
        sources = set(self.card.rules["source"].drop_nulls())
        facts = self.card.facts.filter(pl.col("given_by").is_in(sorted(sources)))
        missing = self.missing.with_columns(pl.col(pl.Enum).cast(pl.String))
        return {
            "card": self.card.head.card_id,
            "begin": str(self.card.head.period[0]),
            "end": str(self.card.head.period[1]),
            "computed": int(computed["value"].count()),
            "missing": missing.to_dicts(),
            "findings": facts.height,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        facts = self.summary()
        lines = [
            f"{self.card.head.name_zh}, {facts['begin']} … {facts['end']}: "
            f"{facts['computed']} values computed, {len(facts['missing'])} missing, "
            f"{facts['findings']} findings"
        ]
        shown = facts["missing"][:15]
        lines += [
            f"  missing: {row['subject_id']} {row['indicator_id']} ({row['source']}): {row['why_not']}"
            f"{', ' + row['note'] if row['note'] else ''}"
            for row in shown
        ]
        if len(facts["missing"]) > len(shown):
            lines.append(f"  … and {len(facts['missing']) - len(shown)} more")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the card to a folder, whole or not at all; see `card_writer.write_scorecard`."""
        return write_scorecard(self.card, folder)


def fill_scorecard(
    card: Scorecard,
    inputs: Inputs,
    *,
    at: datetime | None = None,
    watch: Watch | None = None,
) -> Filled:
    """Compute the values and findings whose ``source`` the card names.

    What cannot be computed is left missing, never 0, and told with the reason for each subject.

    Parameters
    ----------
    card : Scorecard
        What was computed before is computed anew; values of later stages stay and count.
    inputs : Inputs
        What the system knows.
    at : datetime, optional
        When; now without it.
    watch : callable, optional
        Told how far it is.

    Returns
    -------
    Filled

    Raises
    ------
    UsageError
        ``nothing-to-fill``: no indicator and no rule of the card names a source.
    InputError
        What is wrong with an input.

    Examples
    --------
    >>> from changtong.assessment.card_folder import read_scorecard
    >>> card = read_scorecard("examples/assessment/filled-card")  # doctest: +SKIP
    >>> print(fill_scorecard(card, Inputs(counts=(Path("counts.csv"),))))  # doctest: +SKIP
    """
    wanted = [one for table in (card.indicators, card.rules) for one in table["source"].drop_nulls()]
    if not wanted:
        text = (
            "No indicator and no rule of the card names a source: `changtong scorecard sources` lists them."
        )
        raise UsageError(text, "nothing-to-fill")
    check_inputs(card, inputs)
    known = count_all(card, inputs, tuple(dict.fromkeys(wanted)), watch)
    stamp = (at or datetime.now(UTC)).isoformat(timespec="seconds")
    made = _Making(card, known, stamp)
    for one in card.indicators.iter_rows(named=True):
        if one["source"] is not None:
            made.indicator(one)
    for one in card.rules.iter_rows(named=True):
        if one["source"] is not None:
            made.rule(one)
    inputs_read = {source: (one.input, one.digest) for source, one in known.counted.items()}
    return Filled(made.card(), (*known.notes, *made.notes), inputs_read)


class _Making:
    """Rows of a card while they are made."""

    def __init__(self, card: Scorecard, known: Known, stamp: str) -> None:
        self.old, self.known, self.stamp = card, known, stamp
        sources = value_sources()
        self.values = [
            row for row in rows_of_table(card.values)
            if not (row.get("source") in sources and row["stage"] == STAGE)
        ]  # fmt: skip
        self.facts = [row for row in rows_of_table(card.facts) if row.get("given_by") not in sources]
        self.computed: list[dict[str, Any]] = []
        self.items: list[pl.DataFrame] = []
        self.notes: list[str] = []
        self.by_hand = {
            (row["subject_id"], row["indicator_id"]) for row in self.values if row["stage"] == STAGE
        }
        self.above = dict(card.subjects.select(pl.col("subject_id", "parent_id").cast(pl.String)).iter_rows())

    def asked(self, levels: str | None) -> list[str]:
        """Return the subjects that an indicator or rule is for."""
        frame = self.old.subjects
        if levels:
            frame = frame.filter(pl.col("level").is_in(split_list(levels)))
        return [str(name) for name in frame["subject_id"]]

    def of_subjects(self, counted: Counted) -> pl.DataFrame:
        """Return what was counted with the subject it belongs to."""
        if counted.by == "subject":
            return counted.items.rename({"key": "subject_id"})
        return self.known.sites.pairs.join(
            counted.items, left_on="site_id", right_on="key", how="inner", maintain_order="left_right"
        )

    def indicator(self, one: Mapping[str, Any]) -> None:
        """Compute the values of an indicator for each subject it is for."""
        source, indicator = value_sources()[one["source"]], str(one["indicator_id"])
        counted = self.known.counted.get(source.source)
        asked = self.asked(one["levels"])
        if counted is None:
            for subject in asked:
                self._value(subject, indicator, source, None, (0, 0, 0))
            return
        found = self.of_subjects(counted).filter(pl.col("subject_id").is_in(asked))
        sums = found.group_by("subject_id").agg(
            pl.col("numerator").sum(), pl.col("denominator").sum(), items=pl.len()
        )
        of_subject = {subject: (part, whole, items) for subject, part, whole, items in sums.iter_rows()}
        told = [
            subject
            for subject in asked
            if self._value(subject, indicator, source, counted, of_subject.get(subject, (0, 0, 0)))
        ]
        self.items.append(kept_items(found, told, indicator))

    def _value(
        self,
        subject: str,
        indicator: str,
        source: ValueSource,
        counted: Counted | None,
        sums: tuple[int, int, int],
    ) -> bool:
        """Write down a value, or why there is none; return whether there is one."""
        begin, end = self.old.head.period
        row: dict[str, Any] = {
            "subject_id": subject, "indicator_id": indicator, "source": source.source, "begin": str(begin),
            "end": str(end), "computed_at": self.stamp,
        }  # fmt: skip
        self.computed.append(row)
        if counted is None:
            row |= {"why_not": "no_input", "note": self.known.why_no_input.get(source.source, "")}
            return False
        row |= {"input": counted.input, "digest": counted.digest, "note": counted.note}
        without = self.known.sites.why_none.get(subject) if counted.by == "site" else None
        if without is not None:
            row |= {"why_not": "no_sites", "note": without}
            return False
        part, whole, items = sums
        empty = whole == 0 if source.counts == "ratio" else not items and not counted.none_is_zero
        row["items"] = items
        if empty and source.needs == "county":
            row |= {"why_not": "no_input", "note": f"give --county {subject}=COUNTY/", "input": None}
            return False
        if empty:
            row["why_not"] = "no_data"
            return False
        row["numerator"] = float(part)
        if source.counts == "ratio":
            row["denominator"] = float(whole)
        row["value"] = _value_of(part, whole if source.counts == "ratio" else None)
        if (subject, indicator) in self.by_hand:
            self.notes.append(f"{subject} {indicator}: a value given by hand at the review stands")
            return True
        said = f"{part}/{whole}" if source.counts == "ratio" else str(part)
        self.values.append(
            {"subject_id": subject, "indicator_id": indicator, "stage": STAGE, "value": row["value"],
             "evidence": f"{said}, {counted.input} sha256:{counted.digest[:12]}", "source": source.source,
             "given_at": self.stamp[:10]}
        )  # fmt: skip
        return True

    def rule(self, one: Mapping[str, Any]) -> None:
        """Write down the findings of a rule, each at the lowest subject it concerns."""
        source = value_sources()[one["source"]]
        counted = self.known.counted.get(source.source)
        rule = str(one["rule_id"])
        if counted is None:
            why = self.known.why_no_input.get(source.source, "no input")
            self.notes.append(f"findings of {rule} ({source.source}) could not be looked for: {why}")
            return
        asked = set(self.asked(one["levels"]))
        found = self.of_subjects(counted).filter(pl.col("subject_id").is_in(sorted(asked)))
        there = {(row["fact_id"], row["subject_id"], row["rule_id"]) for row in self.facts}
        of_fact: dict[str, dict[str, dict[str, Any]]] = {}
        for row in found.iter_rows(named=True):
            of_fact.setdefault(row["fact_id"], {}).setdefault(row["subject_id"], row)
        for fact, rows in of_fact.items():
            above = {up for subject in rows for up in self._chain(subject)}
            for subject, row in rows.items():
                if subject in above or (fact, subject, rule) in there:
                    continue
                self.facts.append(
                    {"fact_id": str(fact), "subject_id": subject, "rule_id": rule, "date": row["date"],
                     "count": 1, "state": "confirmed", "given_by": source.source, "given_at": self.stamp[:10],
                     "evidence": f"{row['evidence']}, sha256:{counted.digest[:12]}"}
                )  # fmt: skip

    def _chain(self, subject: str) -> set[str]:
        found: set[str] = set()
        up = self.above.get(subject)
        while up is not None and up not in found:
            found.add(up)
            up = self.above.get(up)
        return found

    def card(self) -> Scorecard:
        """Return the card with what was made, checked anew."""
        tables = {name: frame for name, frame in self.old.tables().items() if frame.height}
        tables = {name: table_of_rows(name, rows_of_table(frame)) for name, frame in tables.items()}
        tables["values"] = table_of_rows("values", self.values)
        tables["facts"] = table_of_rows("facts", self.facts)
        tables["computed"] = table_of_rows("computed", self.computed)
        empty = table_of_rows("computed_from", [])
        tables["computed_from"] = pl.concat([empty, *self.items])
        return build_scorecard(self.old.head, tables, self.old.last_year, to_fill=True)


def _value_of(part: int, whole: int | None) -> float:
    """Return a value to the millionth, halves away from zero: as it is counted."""
    exact = Decimal(part) if whole is None else Decimal(part) / Decimal(whole)
    return float(exact.quantize(Decimal("0.000001"), ROUND_HALF_UP))
