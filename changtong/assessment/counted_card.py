"""A card counted through, and the rows of it that belong to one subject."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.assessment.counted_facts import CountedFacts
from changtong.assessment.data_checks import parents_of
from changtong.assessment.exact import Units, to_units
from changtong.assessment.indicator_points import IndicatorPoints
from changtong.assessment.scorecard import Scorecard
from changtong.assessment.scoring import NO_LIMIT, CardNumbers, Parts, section_percent
from changtong.errors import NotFoundError
from changtong.network.findings import NearestNames


@dataclass(frozen=True)
class CountedCard:
    """A card with everything that was counted on it.

    Attributes
    ----------
    card : Scorecard
    numbers : CardNumbers
    points : IndicatorPoints
    hits : CountedFacts
    parts : Parts
    """

    card: Scorecard
    numbers: CardNumbers
    points: IndicatorPoints
    hits: CountedFacts
    parts: Parts

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {str(name): row for row, name in enumerate(self.card.subjects["subject_id"])}

    @cached_property
    def _hits_by_subject(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.hits.who, kind="stable")
        return order, np.searchsorted(self.hits.who[order], np.arange(self.card.subjects.height + 1))

    @cached_property
    def _children(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        parents = parents_of(self.card.subjects)
        order = np.argsort(parents, kind="stable")
        return order, np.searchsorted(parents[order], np.arange(self.card.subjects.height + 1))

    @cached_property
    def peer_codes(self) -> NDArray[np.int64]:
        """A number for the peers of each subject: those of its level and its group."""
        peers = self.card.subjects.select(
            pl.struct("level", pl.col("peer_group").fill_null("")).rank("dense")
        )
        found: NDArray[np.int64] = peers.to_series().to_numpy().astype(np.int64) - 1
        return found

    @cached_property
    def veto_left(self) -> Units:
        """The highest score each rule leaves as a veto."""
        left = self.card.rules["score_at_most"]
        return np.where(left.is_null().to_numpy(), NO_LIMIT, to_units(left))

    @cached_property
    def section_sums(self) -> tuple[Units, Units, Units]:
        """Points, deductions and bonus of all sections together."""
        parts = self.parts
        return parts.earned.sum(axis=1), parts.deducted.sum(axis=1), parts.bonus.sum(axis=1)

    @cached_property
    def weighted_sections(self) -> tuple[Units, Units, Units]:
        """Sections in per cent, their weighted sum, and the sum of the weights that count."""
        parts, weights = self.parts, self.numbers.weights
        assert weights is not None
        start = np.broadcast_to(self.numbers.start, parts.earned.shape)
        percent = section_percent(start, parts.earned, parts.deducted, parts.bonus, parts.full)
        used = weights * (parts.full > 0)
        return percent, (percent * used).sum(axis=1), used.sum(axis=1)

    def row_of(self, subject_id: str) -> int:
        """Return the row of a subject.

        Raises
        ------
        NotFoundError
            No such subject.
        """
        if subject_id not in self._rows:
            raise NotFoundError(
                f"No subject {subject_id!r}. {NearestNames(self._rows).hint(subject_id)}".strip()
            )
        return self._rows[subject_id]

    def hits_of(self, row: int) -> NDArray[np.int64]:
        """Return the rows of ``facts`` of one subject."""
        order, starts = self._hits_by_subject
        return order[starts[row] : starts[row + 1]]

    def children_of(self, row: int) -> NDArray[np.int64]:
        """Return the rows of the subjects directly below one."""
        order, starts = self._children
        return order[starts[row] : starts[row + 1]]
