"""The assessment: every score of a card, exact, with what it is made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.closing import Gap, meant_gap
from changtong.assessment.counted_facts import VETO, CountedFacts, counted_facts
from changtong.assessment.exact import to_points, to_units
from changtong.assessment.indicator_points import IndicatorPoints, indicator_points
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import STAGES, Scorecard
from changtong.assessment.scoring import Parts, card_numbers, score_parts

NO_GROUP = ""


def assess(
    card: Scorecard | str | os.PathLike[str],
    *,
    closing: Sequence[Gap | str] = (),
    on: date | None = None,
) -> Assessment:
    """Score everybody on a card.

    Parameters
    ----------
    card : Scorecard or path
        A scorecard, or its folder.
    closing : sequence of Gap or str
        Gaps taken as closed: ``fact:ID`` and ``indicator:SUBJECT:ID``.
    on : date, optional
        Day at which rectifications are looked at; without it the last day of the card's year.

    Returns
    -------
    Assessment

    Raises
    ------
    InputError
        With every problem of the folder.
    NotFoundError
        A gap that is not there.

    Examples
    --------
    >>> print(assess("examples/assessment/firm-credit"))  # doctest: +SKIP
    """
    known = card if isinstance(card, Scorecard) else read_scorecard(Path(card))
    gaps = tuple(meant_gap(known, gap) for gap in closing)
    numbers = card_numbers(known)
    kept = _without(known, gaps)
    got, hits = _filled(known, indicator_points(known), gaps), counted_facts(kept)
    parts = score_parts(kept, numbers, got, hits)
    return Assessment(
        card=kept,
        numbers=numbers,
        points=got,
        hits=hits,
        parts=parts,
        scores=score_table(kept, parts, hits),
        closed=gaps,
        on=on or date(known.head.year, 12, 31),
    )


def _without(card: Scorecard, gaps: Sequence[Gap]) -> Scorecard:
    """Return the card without the findings that are closed."""
    closed = [gap.fact_id for gap in gaps if gap.fact_id is not None]
    if not closed:
        return card
    return card.with_tables(facts=card.facts.filter(~pl.col("fact_id").is_in(closed)))


def _filled(card: Scorecard, got: IndicatorPoints, gaps: Sequence[Gap]) -> IndicatorPoints:
    """Return the points with full ones for the indicators that are closed."""
    points = got.points
    for gap in gaps:
        if gap.indicator_id is not None:
            points = points.copy() if points is got.points else points
            row = card.subjects["subject_id"].cast(pl.String).index_of(gap.subject_id)
            column = card.indicators["indicator_id"].cast(pl.String).index_of(gap.indicator_id)
            points[row, column] = got.most[column]
    return replace(got, points=points)


def score_table(card: Scorecard, parts: Parts, hits: CountedFacts) -> pl.DataFrame:
    """Return one row a subject: score, rank among its peers, band, gaps; best first in each group.

    Parameters
    ----------
    card : Scorecard
    parts : Parts
    hits : CountedFacts
    """
    frame = card.subjects.select(
        pl.col("subject_id").cast(pl.String),
        "name",
        "level",
        pl.col("peer_group").fill_null(NO_GROUP),
        pl.col("parent_id").cast(pl.String),
    ).with_columns(
        earned=to_points(parts.earned.sum(axis=1)),
        deducted=to_points(parts.charged[:, 0]),
        bonus=to_points(parts.charged[:, 1]),
        taken_deduction=to_points(parts.taken[:, 0]),
        taken_bonus=to_points(parts.taken[:, 1]),
        units=parts.score,
        vetoed=np.isin(np.arange(card.subjects.height), hits.who[hits.counting(VETO)]),
        entry=np.arange(card.subjects.height),
    )
    group = ("level", "peer_group")
    frame = frame.with_columns(
        score=pl.Series(to_points(parts.score)),
        rank=pl.col("units").rank("min", descending=True).over(group).cast(pl.Int64),
        peers=pl.len().over(group).cast(pl.Int64),
        tied=pl.len().over(*group, "units") > 1,
        gap_to_best=(pl.col("units").max().over(group) - pl.col("units")) / 1_000_000,
        band=pl.Series(_bands(card, parts, hits), dtype=pl.String),
    )
    frame = _with_last_year(card, frame)
    order = {level: number for number, level in enumerate(card.subjects["level"].unique(maintain_order=True))}
    frame = frame.with_columns(
        stage=_stage(card, frame["subject_id"]),
        level_order=pl.col("level").replace_strict(order, return_dtype=pl.Int64),
    )
    frame = frame.sort("level_order", "peer_group", "rank", "subject_id")
    return frame.select(
        *("subject_id", "name", "level", "peer_group", "parent_id", "score", "rank", "peers", "tied", "band"),
        *("vetoed", "earned", "deducted", "bonus", "taken_deduction", "taken_bonus", "gap_to_best"),
        *("last_score", "last_rank", "change", "stage", "entry"),
    )


def _bands(card: Scorecard, parts: Parts, hits: CountedFacts) -> list[str | None]:
    """Return the band of each subject; vetoes leave at most the band they name."""
    bands = card.bands.sort("from_points")
    names: list[str | None] = [None, *bands["band_id"].cast(pl.String)]
    found = np.searchsorted(to_units(bands["from_points"]), parts.score, side="right")
    place = {name: number for number, name in enumerate(names)}
    most = np.array(
        [
            place.get(name, len(names)) if name is not None else len(names)
            for name in card.rules["band_at_most"]
        ]
    )
    rows = hits.counting(VETO)
    if len(rows):
        np.minimum.at(found, hits.who[rows], most[hits.rule[rows]])
    return [names[number] for number in found]


def _with_last_year(card: Scorecard, frame: pl.DataFrame) -> pl.DataFrame:
    if card.last_year is None:
        none = pl.lit(None, pl.Float64)
        return frame.with_columns(last_score=none, last_rank=pl.lit(None, pl.Int64), change=none)
    last = card.last_year.select("subject_id", last_score="score", last_rank="rank")
    joined = frame.join(last, on="subject_id", how="left", maintain_order="left")
    before = to_units(joined["last_score"])
    change = pl.Series(to_points(joined["units"].to_numpy() - before))
    return joined.with_columns(change=pl.when(pl.col("last_score").is_not_null()).then(change))


def _stage(card: Scorecard, subjects: pl.Series) -> pl.Series:
    """Return the latest stage each subject has reached."""
    order = {stage: number for number, stage in enumerate(STAGES)}
    reached = card.stages.select(
        pl.col("subject_id").cast(pl.String),
        at=pl.col("stage").replace_strict(order, return_dtype=pl.Int64),
    )
    latest = dict(reached.group_by("subject_id").agg(pl.col("at").max()).iter_rows())
    if not latest:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(subjects))
    return pl.Series([STAGES[latest[one]] if one in latest else None for one in subjects], dtype=pl.String)


def what_if(result: Assessment, closing: Sequence[Gap | str]) -> pl.DataFrame:
    """Tell what closing some gaps would bring, by scoring everything anew.

    Parameters
    ----------
    result : Assessment
    closing : sequence of Gap or str
        ``fact:ID`` and ``indicator:SUBJECT:ID``; together, not one by one.

    Returns
    -------
    polars.DataFrame
        ``subject_id``, ``name``, ``score``, ``new_score``, ``gain``, ``rank``, ``new_rank``, ``band``,
        ``new_band`` of those whose score, rank or band changes, the largest gain first.

    Raises
    ------
    NotFoundError
        A gap that is not there.
    """
    again = tuple(gap for gap in result.closed if gap.fact_id is None)  # findings closed are gone already
    after = assess(result.card, closing=(*again, *closing), on=result.on).scores
    before = result.scores.select("subject_id", "name", "score", "rank", "band")
    other = after.select("subject_id", new_score="score", new_rank="rank", new_band="band")
    both = before.join(other, on="subject_id", maintain_order="left")
    gain = to_points(to_units(both["new_score"]) - to_units(both["score"]))
    both = both.with_columns(gain=pl.Series(gain))
    moved = (pl.col("rank") != pl.col("new_rank")) | pl.col("band").ne_missing(pl.col("new_band"))
    columns = ["subject_id", "name", "score", "new_score", "gain", "rank", "new_rank", "band", "new_band"]
    return (
        both.filter((pl.col("gain") != 0) | moved)
        .select(columns)
        .sort("gain", "subject_id", descending=[True, False])
    )
