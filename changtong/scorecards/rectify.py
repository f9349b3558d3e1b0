"""Rectifications of a card's gaps, put into their register and followed there to their end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import polars as pl

from changtong.assessment.assess import assess
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import Scorecard
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.scorecards.card_records import ZONE, card_of
from changtong.storage import scorecards as kept
from changtong.storage.records import Record
from changtong.storage.store import Desk

MOST_NAMED = 100_000
"""Gaps looked through for those that are named."""


def rectify(
    desk: Desk,
    card_id: str,
    *,
    subjects: Sequence[str] = (),
    causes: Sequence[str] = (),
    on: date | None = None,
    days: int = 30,
    least_gain: float = 0.0,
    most: int = 20,
    reason: str = "",
) -> tuple[Record, ...]:
    """Put rectifications made from the gaps of a card into their register, each once.

    Where they are done and accepted there, the card shows it: ``assess`` on the registers reads them again.

    Parameters
    ----------
    desk : Desk
    card_id : str
    subjects : sequence of str
        Only of these; of all where none is named.
    causes : sequence of str
        Only gaps of these causes, as ``indicator:real-name``; of all where none is named.
    on : date, optional
        Day of the assessment; without it the last day of the card's year.
    days : int
        Until the deadline.
    least_gain : float
        Gaps that bring no more than this are left out.
    most : int
        For one subject at most, those that bring most.
    reason : str
        For the audit.

    Returns
    -------
    tuple of Record
        Those that are new.

    Raises
    ------
    InputError
        ``unknown-gap``.
    """
    card = card_of(kept.read_card(desk, card_id))
    result = assess(card, on=on)
    if causes:
        _check_causes(result, subjects, causes)
        least_gain, most = -1.0, MOST_NAMED  # those that are named, however little they bring
    found = result.rectifications(subjects=subjects, days=days, least_gain=least_gain, most=most)
    known = {(str(one["subject_id"]), one["cause"]) for one in card.rectifications.iter_rows(named=True)}
    rows = [
        {
            "subject_id": one["subject_id"],
            "cause": one["cause"],
            "title": _title(card, one["cause"]),
            "deadline": datetime.combine(date.fromisoformat(one["deadline"]), time(), ZONE),
        }
        for one in found.iter_rows(named=True)
        if (one["subject_id"], one["cause"]) not in known and (not causes or one["cause"] in causes)
    ]
    return kept.rectify(desk, card_id, rows, reason)


def _check_causes(result: Assessment, subjects: Sequence[str], causes: Sequence[str]) -> None:
    known = sorted(set(result.gaps(*subjects)["cause"]))
    nearest = NearestNames(known)
    problems = [
        Problem("unknown-gap", f'no gap "{one}".', column="causes",
                expected=", ".join(known[:20]) or "there are no gaps", hint=nearest.hint(one))
        for one in causes
        if one not in known
    ]  # fmt: skip
    if problems:
        raise InputError(problems)


def _title(card: Scorecard, cause: str) -> str:
    """Return what is put right, in the card's words."""
    kind, _, name = cause.partition(":")
    if kind == "indicator":
        return f"{card.head.name_zh}：{card.names_of('indicators').get(name, name)}"
    rows: dict[str, Any] = dict(
        card.facts.filter(pl.col("fact_id").cast(pl.String) == name)
        .select(pl.col("fact_id").cast(pl.String), pl.col("rule_id").cast(pl.String))
        .iter_rows()
    )
    rule = card.names_of("rules").get(rows.get(name, ""), name)
    return f"{card.head.name_zh}：{rule}（{name}）"
