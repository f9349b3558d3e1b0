"""Gaps: what each finding and each indicator costs, what closing it alone would bring, and who closes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.counted_card import CountedCard
from changtong.assessment.counted_facts import DEDUCT, VETO, summed
from changtong.assessment.exact import Units, rounded, times_over, to_points, unit
from changtong.assessment.indicator_points import mean_of_marks
from changtong.assessment.scoring import section_percent

SCHEMA = {
    "subject_id": pl.String(),
    "cause": pl.String(),
    "section_id": pl.String(),
    "ref": pl.String(),
    "lost": pl.Float64(),
    "gain": pl.Float64(),
    "best": pl.Float64(),
    "evidence": pl.String(),
}
"""``cause`` is fact:ID or indicator:ID; ``ref`` the rule or indicator; ``lost`` the points it takes or
lacks by itself; ``gain`` what closing it alone brings the subject's score; ``best`` the most points any
peer has."""

RECTIFICATION_DAYS = 30


@dataclass(frozen=True)
class _Change:
    """Gaps of one kind: who has them, in which section, what closing changes there."""

    who: NDArray[np.int64]
    section: NDArray[np.int64]
    lost: Units
    less: Units
    more: Units


def gaps(result: CountedCard, subjects: NDArray[np.int64] | None = None) -> pl.DataFrame:
    """Return the gaps of subjects, those that bring most first.

    ``gain`` is exact: it is what `what_if` with this gap alone gives the subject itself.

    Parameters
    ----------
    result : CountedCard
    subjects : array of int, optional
        Rows of the subjects looked at; all without it.
    """
    return _in_words(result, best_gaps(result, _wanted(result, subjects)))


def _wanted(result: CountedCard, subjects: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    wanted = np.full(result.card.subjects.height, subjects is None)
    if subjects is not None:
        wanted[subjects] = True
    return wanted


def _gains_of(result: CountedCard, kept: pl.DataFrame) -> pl.DataFrame:
    """Return what the gaps of kept rectifications bring."""
    ids = result.card.subjects["subject_id"].cast(pl.String)
    rows = np.flatnonzero(ids.is_in(kept["subject_id"].implode()).to_numpy())
    return gaps(result, rows).select("subject_id", "cause", "gain")


def best_gaps(
    result: CountedCard, wanted: NDArray[np.bool_], *, most: int | None = None, least_gain: int | None = None
) -> pl.DataFrame:
    """Return gaps as numbers: ``entry``, ``kind`` (0 finding, 1 indicator), ``row``, ``lost``, ``gain``.

    Parameters
    ----------
    result : CountedCard
    wanted : array of bool
        Subjects looked at.
    most : int, optional
        For one subject at most, those that bring most.
    least_gain : int, optional
        Only gaps that bring more, in millionths.
    """
    found = [*_fact_gaps(result, wanted), *_indicator_gaps(result, wanted)]
    if least_gain is not None:
        found = [part.filter(pl.col("gain") > least_gain) for part in found]
    frame = pl.concat(found) if found else pl.DataFrame(schema=NUMBERS)
    if most is not None:
        frame = _first_of_each(frame, most)
    # of equal ones the finding first, and then as they stand on the card
    return frame.sort("entry", "gain", "lost", "kind", "row", descending=[False, True, True, False, False])


def _first_of_each(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """Keep the gaps of each subject that bring most; sorting numbers alone is quick with millions of them."""
    entry, gain = frame["entry"].to_numpy(), frame["gain"].to_numpy()
    order = np.lexsort((-gain, entry))
    ordered = entry[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return frame[order[place < most]]


NUMBERS = {
    "entry": pl.Int64(),
    "kind": pl.Int8(),
    "row": pl.Int64(),
    "lost": pl.Int64(),
    "gain": pl.Int64(),
}


def _in_words(result: CountedCard, found: pl.DataFrame) -> pl.DataFrame:
    """Return gaps with their names and evidence."""
    card, numbers = result.card, result.numbers
    entry, row = found["entry"], found["row"]
    fact = found["kind"] == 0
    at = pl.select(pl.when(fact).then(row).otherwise(0)).to_series()
    column = pl.select(pl.when(fact).then(0).otherwise(row)).to_series()
    subject = card.subjects["subject_id"].cast(pl.String).gather(entry)
    facts = card.facts.select("fact_id", pl.col("rule_id").cast(pl.String), "evidence")
    facts = (facts if facts.height else _blank(facts))[at.to_numpy()]
    ids = card.indicators["indicator_id"].cast(pl.String)
    ids = (ids if len(ids) else pl.Series([None], dtype=pl.String)).gather(column)
    value = np.full(found.height, -1)
    if card.indicators.height:
        value = np.where(fact.to_numpy(), -1, result.points.rows[entry.to_numpy(), column.to_numpy()])
    known = card.values["evidence"] if card.values.height else pl.Series([None], dtype=pl.String)
    rule_section = numbers.rule_section[result.hits.rule] if len(result.hits.rule) else np.zeros(1, np.int64)
    of_indicator = numbers.indicator_section if card.indicators.height else np.zeros(1, np.int64)
    section = np.where(fact.to_numpy(), rule_section[at.to_numpy()], of_indicator[column.to_numpy()])
    best = _best_of_peers(result)[result.peer_codes[entry.to_numpy()], column.to_numpy()]
    frame = pl.DataFrame(
        {
            "subject_id": subject,
            "fact": fact,
            "fact_id": facts["fact_id"],
            "rule_id": facts["rule_id"],
            "indicator_id": ids,
            "section_id": card.sections["section_id"].cast(pl.String).gather(section),
            "lost": to_points(found["lost"].to_numpy()),
            "gain": to_points(found["gain"].to_numpy()),
            "best": to_points(best),
            "of_fact": facts["evidence"],
            "of_value": known.gather(np.maximum(value, 0)),
            "given": value >= 0,
        }
    )
    words = frame.select(
        "subject_id",
        pl.when("fact")
        .then(pl.format("fact:{}", "fact_id"))
        .otherwise(pl.format("indicator:{}", "indicator_id"))
        .alias("cause"),
        "section_id",
        pl.when("fact").then("rule_id").otherwise("indicator_id").alias("ref"),
        "lost",
        "gain",
        pl.when(~pl.col("fact")).then("best"),
        pl.when("fact").then("of_fact").otherwise(pl.when("given").then("of_value")).alias("evidence"),
    )
    return words.cast(SCHEMA)  # type: ignore[arg-type]


def _blank(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row without values."""
    return frame.clear(1)


def _best_of_peers(result: CountedCard) -> Units:
    """Return the most points any peer has, by group and indicator."""
    group = result.peer_codes
    best = np.zeros((int(group.max(initial=0)) + 1, max(1, result.card.indicators.height)), np.int64)
    for column in range(result.card.indicators.height):
        np.maximum.at(best[:, column], group, result.points.points[:, column])
    return best


def _fact_gaps(result: CountedCard, wanted: NDArray[np.bool_]) -> Iterator[pl.DataFrame]:
    hits, numbers, card = result.hits, result.numbers, result.card
    rows = np.concatenate([hits.counting(DEDUCT), hits.counting(VETO)])
    rows = rows[wanted[hits.who[rows]]]
    if not len(rows):
        return
    deducting = hits.effect[rows] == DEDUCT
    rules = len(numbers.rule_section)
    keys = hits.who * rules + hits.rule
    counting = hits.counting(DEDUCT)
    known, sums = summed(keys[counting], hits.points[counting])
    section = numbers.rule_section[hits.rule[rows]]
    before = after = np.zeros(len(rows), np.int64)
    if len(known):
        total = np.where(deducting, sums[np.searchsorted(known, keys[rows]).clip(max=len(known) - 1)], 0)
        cap = numbers.rule_max[hits.rule[rows]]
        before = np.minimum(total, cap)
        after = np.minimum(total - np.where(deducting, hits.points[rows], 0), cap)
    raw = result.parts.raw[DEDUCT][hits.who[rows], section]
    most = numbers.section_max[DEDUCT][section]
    less = np.where(deducting, np.minimum(raw, most) - np.minimum(raw - (before - after), most), 0)
    lost = np.where(deducting, hits.points[rows], 0)
    change = _Change(hits.who[rows], section, lost, less, np.zeros_like(less))
    gain = _gains(result, change, _limits_without(result, rows))
    frame = pl.DataFrame(
        {"entry": change.who, "kind": np.zeros(len(rows), np.int8), "row": rows, "lost": lost, "gain": gain}
    )
    # one finding can deduct and veto: it is closed once
    vetoing = card.facts["fact_id"].gather(rows[~deducting])
    if len(vetoing):
        frame = frame.with_columns(fact=card.facts["fact_id"].gather(rows))
        frame = frame.sort("gain", "lost", descending=True, maintain_order=True)
        twice = pl.col("fact").is_in(vetoing.implode()) & ~pl.struct("entry", "fact").is_first_distinct()
        frame = frame.filter(~twice).drop("fact")
    yield frame


def _limits_without(result: CountedCard, rows: NDArray[np.int64]) -> Units:
    """Return the highest score that vetoes leave where the finding of a row is closed."""
    hits, card = result.hits, result.card
    limit = result.parts.limit[hits.who[rows]]
    vetoed = np.flatnonzero(np.isin(hits.who[rows], hits.who[hits.counting(VETO)]))
    if not len(vetoed):
        return limit
    limit = limit.copy()
    left = result.veto_left
    vetoes = hits.counting(VETO)
    fact = card.facts["fact_id"]
    for place in vetoed.tolist():
        row = int(rows[place])
        mine = vetoes[hits.who[vetoes] == hits.who[row]]
        others = [left[hits.rule[one]] for one in mine.tolist() if fact[one] != fact[row]]
        limit[place] = min(others, default=np.iinfo(np.int64).max)
    return limit


def _indicator_gaps(result: CountedCard, wanted: NDArray[np.bool_]) -> Iterator[pl.DataFrame]:
    got, numbers = result.points, result.numbers
    for column, section in enumerate(numbers.indicator_section.tolist()):
        if got.waiting[column]:
            continue
        short = got.most[column] - got.points[:, column]
        who = np.flatnonzero(wanted & got.applies[:, column] & (short > 0))
        if not len(who):
            continue
        where = np.full(len(who), section)
        change = _Change(who, where, short[who], np.zeros(len(who), np.int64), short[who])
        yield pl.DataFrame(
            {
                "entry": who,
                "kind": np.ones(len(who), np.int8),
                "row": np.full(len(who), column, np.int64),
                "lost": change.lost,
                "gain": _gains(result, change, result.parts.limit[who]),
            }
        )


def _gains(result: CountedCard, change: _Change, limit: Units) -> Units:
    """Return what the scores gain where each gap is closed alone."""
    joined = _joined(result, change.who, _plain_after(result, change))
    new = np.minimum(rounded(joined, result.card.head.decimals), limit)
    found: Units = new - result.parts.score[change.who]
    return found


def _plain_after(result: CountedCard, change: _Change) -> Units:
    """Return scores before marks of the whole, vetoes and rounding; only the section that changes is new."""
    parts, numbers, who, section = result.parts, result.numbers, change.who, change.section
    taken = parts.taken[who]
    if numbers.weights is None:
        earned, deducted, bonus = result.section_sums
        less = np.minimum(deducted[who] - change.less + taken[:, 0], numbers.max_deduction)
        more = np.minimum(bonus[who] + taken[:, 1], numbers.max_bonus)
        total = numbers.base + int(numbers.start.sum()) + earned[who] + change.more - less + more
    else:
        percent, weighted, weights = result.weighted_sections
        full = parts.full[who, section]
        new = section_percent(
            numbers.start[section],
            parts.earned[who, section] + change.more,
            parts.deducted[who, section] - change.less,
            parts.bonus[who, section],
            full,
        )
        weight = numbers.weights[section] * (full > 0)
        moved = weighted[who] + weight * (new - percent[who, section])
        mean = times_over(moved, 1, np.maximum(weights[who], 1))
        total = numbers.base + mean - taken[:, 0] + taken[:, 1]
    found: Units = np.clip(total, numbers.least, numbers.most)
    return found


def _joined(result: CountedCard, who: NDArray[np.int64], plain: Units) -> Units:
    """Return scores with marks of the whole, each row on its own."""
    card = result.card
    whole = card.marks.filter(pl.col("indicator_id").is_null())
    if not whole.height or card.waiting_for:
        return plain
    names = tuple(card.departments["department_id"].cast(pl.String))
    found = plain.copy()
    marked = np.isin(who, whole["subject_id"].to_physical().to_numpy())
    rows = np.flatnonzero(marked)
    place = pl.DataFrame({"place": rows, "subject": who[rows]})
    again = place.join(
        whole.with_columns(subject=pl.col("subject_id").to_physical().cast(pl.Int64)),
        on="subject",
        how="inner",
    )
    stand_in = card.with_tables(subjects=pl.DataFrame({"subject_id": np.arange(len(who))}))
    marks = again.with_columns(subject_id=pl.col("place"))
    mean, given = mean_of_marks(stand_in, marks, names, own=plain)
    found[rows] = np.where(given, mean, plain)[rows]
    return found


def rectifications(
    result: CountedCard,
    *,
    on: date,
    days: int = RECTIFICATION_DAYS,
    least_gain: float = 0.0,
    most: int = 20,
    subjects: NDArray[np.int64] | None = None,
) -> pl.DataFrame:
    """Return rectifications: those kept by the card, with their state now, and new ones made from gaps.

    Parameters
    ----------
    result : CountedCard
    on : date
        The day of the assessment.
    days : int
        Until the deadline of a new one, counted from the day of the assessment.
    least_gain : float
        Gaps that bring no more than this make no rectification.
    most : int
        New ones for one subject at most, those that bring most.
    subjects : array of int, optional
        Rows of the subjects looked at; all without it.

    Returns
    -------
    polars.DataFrame
        The columns of ``rectifications`` in ``docs/assessment-tables.md``, and ``gain``, ``overdue``.
    """
    card, schema = result.card, {"gain": pl.Float64(), "overdue": pl.Boolean()}
    names = [name for name in card.rectifications.columns if name in COLUMNS]
    kept = card.rectifications.select(names).with_columns(pl.col("subject_id").cast(pl.String))
    if subjects is not None:
        names_of = card.subjects["subject_id"].cast(pl.String).gather(subjects)
        kept = kept.filter(pl.col("subject_id").is_in(names_of.implode()))
    wanted = _wanted(result, subjects)
    found = best_gaps(result, wanted, most=most + card.rectifications.height, least_gain=unit(least_gain))
    known = _in_words(result, found).select("subject_id", "cause", "gain")
    kept = kept.join(_gains_of(result, kept), on=["subject_id", "cause"], how="left", maintain_order="left")
    new = known.join(kept, on=["subject_id", "cause"], how="anti", maintain_order="left")
    new = new.filter(pl.int_range(pl.len()).over("subject_id") < most)
    owner = card.subjects.select(pl.col("subject_id").cast(pl.String), "owner")
    name = pl.col("cause").str.replace(":", "-")
    deadline = (on + timedelta(days=days)).isoformat()
    new = new.join(owner, on="subject_id", how="left", maintain_order="left").with_columns(
        rectification_id=pl.format("R{}-{}-{}", pl.lit(card.head.year), "subject_id", name),
        deadline=pl.lit(deadline),
        state=pl.lit("open"),
        evidence=pl.lit(None, pl.String),
        closed_at=pl.lit(None, pl.String),
    )
    both = pl.concat([kept.select(*COLUMNS, "gain"), new.select(*COLUMNS, "gain")], how="vertical_relaxed")
    late = (pl.col("deadline") < on.isoformat()) & (pl.col("state") != "closed")
    return both.with_columns(overdue=late.fill_null(False)).cast(schema)  # type: ignore[arg-type]


COLUMNS = ("rectification_id", "subject_id", "cause", "owner", "deadline", "state", "evidence", "closed_at")
