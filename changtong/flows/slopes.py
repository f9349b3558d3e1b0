"""Each capacity row's own slope: steep where an overload persists, flat elsewhere.

A cut that must leave pieces unserved needs its price raised to the penalty: at the flat
slope that takes hundreds of rounds. Steep slopes on every row get there fast, but then a
load 1 % off moves every price, and the bound drowns in noise. So a row's slope grows
while its overload lasts (as in Rprop: Riedmiller and Braun 1993), grows slowly while a
price is still too high, and shrinks when the row crosses its capacity or is free.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.flows.volumes import Rows

GROW = 2.5
"""Factor on the slope of a row whose overload lasts."""

EASE = 1.7
"""Factor while a priced row stays below its capacity: slower than up, faster starts a swing."""

CROSS = 0.35
"""Factor when a load crosses the capacity: the price was about right."""

FREE = 0.7
"""Factor for rows without a price, and where an overload is already going down."""

LASTS = 0.5
"""An overload lasts when it is more than this share of the one a round before."""

STEEPEST = 1000.0
"""Most a slope may grow, in flat slopes."""


class Slopes:
    """Multiplier updates, with the slopes they go by.

    Parameters
    ----------
    rows : Rows
        Rows whose slopes are now the flat ones.
    """

    def __init__(self, rows: Rows) -> None:
        self._flat = rows.slope.copy()
        self._last = np.zeros(len(self._flat))

    def update(self, rows: Rows, top: float, lowest: float) -> None:
        """Move the multipliers (0 … ``top``) by the overloads, then adapt the slopes.

        ``lowest`` is the penalty of the lowest class: prices above it are on their way to the
        next penalty, ten times as far, and may go in steps as much larger.
        """
        over: NDArray[np.float64] = rows.load - rows.capacity
        rows.price[:] = np.clip(rows.price + rows.slope * over, 0.0, top)
        last = self._last
        factor = np.full(len(over), FREE)
        factor[(over < 0.0) & (last <= 0.0) & (rows.price > 0.0)] = EASE
        factor[(over > 0.0) & (last > 0.0) & (over > LASTS * last)] = GROW
        factor[over * last < 0.0] = CROSS
        steepest = STEEPEST * np.maximum(1.0, rows.price / max(lowest, 1e-12))
        np.clip(factor * rows.slope, self._flat, steepest * self._flat, out=rows.slope)
        self._last = over
