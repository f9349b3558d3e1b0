"""What one solve has so far: bounds, the best plan, and when it is worth cutting another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from changtong.flows.cutting import Cut

Floats = NDArray[np.float64]

CLOSE = 0.9
"""A plan is cut when the gap expected is at most this share of the gap asked for …"""

FITS = 0.002
"""… and what is above capacity at most this share of all loads …"""

AGAIN = 16
"""Rounds, times the cuts so far, after which a cut is tried although the last one lost too much."""

NEXT_TRY = 8
"""Rounds, in those of the try before, after which it is tried anyway whether a plan will do."""

NEARLY = 2.0
"""A hasty plan within this many times enough is cut again with care; else rounds come first."""


@dataclass(frozen=True)
class Enough:
    """When a plan will do: a solve then ends with the first such plan, whatever its gap.

    Attributes
    ----------
    figure : callable
        What a plan is judged by: from its cost, and what each pair lacks, pairs no way joins included.
    most : float
        A plan will do when its figure is no more than this.
    hopeless : callable
        Whether the least cost proved, or row prices, say that no plan will do: then none is tried any more.
    in_order : bool
        Whether plans cut to see this are put in order of classes.
    """

    figure: Callable[[float, NDArray[np.float32]], float]
    most: float
    hopeless: Callable[[float, Floats], bool]
    in_order: bool = False


@dataclass
class Search:
    """What one solve has so far."""

    begin: float
    price: Floats
    lower: float = -np.inf
    best_price: Floats = field(default_factory=lambda: np.empty(0))
    upper: float = np.inf
    best: Cut | None = None
    estimate: float = np.inf
    gap: float = 0.1
    over_share: float = 1.0
    over_cost: float = 0.0
    cut_loss: float = 0.0
    cut_at_round: int = -1
    cuts: int = 0
    waited: int = 0
    rounds: int = 0
    bounds: list[float] = field(default_factory=list)
    enough: Enough | None = None
    tried_at_round: int = 0
    tries: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])
    """What was above the capacities, as a cost, and the figure of the plan cut, of each try."""

    def bound(self, value: float, price: Floats) -> None:
        if value > self.lower:
            self.lower, self.best_price = value, price.copy()

    def keep(self, cost: float, plan: Cut) -> None:
        if cost < self.upper:
            self.upper, self.best = cost, plan

    def proved(self, gap_share: float) -> bool:
        return self.best is not None and self.upper - self.lower <= gap_share * abs(self.upper)

    def worth_a_cut(self, gap_share: float) -> bool:
        """Return whether a plan cut now is likely to be within the gap, by what the last one lost."""
        if self.over_share > FITS:
            return False
        waited = self.rounds - self.cut_at_round >= AGAIN * self.cuts
        loss = 0.0 if self.cuts and waited else self.cut_loss * self.over_cost
        return self.estimate + loss - self.lower <= CLOSE * gap_share * abs(self.estimate + loss)

    def worth_a_try(self) -> bool:
        """Return whether a plan cut now is likely to be enough, or a try is due.

        Plans get better as less is above the capacities: about in a line through the last two.
        """
        if self.enough is None:
            return False
        if len(self.tries) < 2 or self.rounds >= NEXT_TRY * max(1, self.tried_at_round):
            return True
        (over, figure), (last_over, last_figure) = self.tries[-2:]
        if self.over_cost >= last_over or over == last_over:
            return False
        steep = (last_figure - figure) / (last_over - over)
        return last_figure - steep * (last_over - self.over_cost) <= self.enough.most

    def worth_care(self) -> bool:
        """Return whether a hasty plan was nearly enough; it is then forgotten: the next one counts."""
        if self.enough is None or self.tries[-1][1] > NEARLY * self.enough.most:
            return False
        del self.tries[1:]
        return True

    def elapsed(self) -> float:
        return time.perf_counter() - self.begin
