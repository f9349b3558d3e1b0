"""A gap: a finding, or an indicator of a subject that lacks points; named so that it can be closed."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from changtong.assessment.scorecard import Scorecard, split_list
from changtong.errors import NotFoundError, UsageError
from changtong.network.findings import NearestNames


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap; either a finding, or an indicator of a subject.

    Attributes
    ----------
    fact_id : str or None
        A finding: closing it takes all its hits away, at all subjects it concerns.
    subject_id, indicator_id : str or None
        An indicator: closing it brings its full points.
    """

    fact_id: str | None = None
    subject_id: str | None = None
    indicator_id: str | None = None

    def __str__(self) -> str:
        if self.fact_id is not None:
            return f"fact:{self.fact_id}"
        return f"indicator:{self.subject_id}:{self.indicator_id}"


def meant_gap(card: Scorecard, gap: Gap | str) -> Gap:
    """Return the gap that is meant, checked against the card.

    Parameters
    ----------
    card : Scorecard
    gap : Gap or str
        ``fact:ID`` or ``indicator:SUBJECT:ID``.

    Raises
    ------
    NotFoundError
        No such finding, subject or indicator; the indicator is not for that subject.
    UsageError
        The text can be read in several ways: give a `Gap`.
    """
    if isinstance(gap, str):
        gap = _read(card, gap)
    if gap.fact_id is not None:
        if gap.fact_id not in card.facts["fact_id"]:
            hint = NearestNames(card.facts["fact_id"].unique()).hint(gap.fact_id)
            raise NotFoundError(f"No finding {gap.fact_id!r}. {hint}".strip())
        return gap
    level = card.subjects.filter(pl.col("subject_id").cast(pl.String) == gap.subject_id)["level"]
    found = card.indicators.filter(pl.col("indicator_id").cast(pl.String) == gap.indicator_id)
    if not len(level) or not found.height:
        raise NotFoundError(f"No indicator {gap.indicator_id!r} of {gap.subject_id!r}.")
    if found["scoring"][0] == "marks" and card.waiting_for:
        raise UsageError(f"The marks of {gap.indicator_id!r} are blind until all have handed in.")
    levels = split_list(found["levels"][0])
    if levels and level[0] not in levels:
        raise NotFoundError(f"The indicator {gap.indicator_id!r} is not for {gap.subject_id!r}.")
    return gap


def _read(card: Scorecard, text: str) -> Gap:
    kind, _, rest = text.partition(":")
    if kind == "fact" and rest:
        return Gap(fact_id=rest)
    if kind != "indicator" or ":" not in rest:
        raise NotFoundError(f"No gap {text!r}; there is fact:ID and indicator:SUBJECT:ID.")
    subjects = set(card.subjects["subject_id"].cast(pl.String))
    indicators = set(card.indicators["indicator_id"].cast(pl.String))
    parts = rest.split(":")
    ways = [(":".join(parts[:cut]), ":".join(parts[cut:])) for cut in range(1, len(parts))]
    fits = [way for way in ways if way[0] in subjects and way[1] in indicators]
    if len(fits) > 1:
        raise UsageError(f"{text!r} can be read in several ways: ids hold colons.")
    subject, indicator = fits[0] if fits else ways[0]
    return Gap(subject_id=subject, indicator_id=indicator)
