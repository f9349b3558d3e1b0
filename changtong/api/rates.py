"""How often somebody may ask: a bucket for each address or person that fills again with time."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from changtong.api.problems import TooManyRequestsError

MOST_BUCKETS = 20_000


class Rate:
    """So many at once, and so many a second after that; by process.

    Parameters
    ----------
    at_once : int
    per_s : float
    clock : callable
        Seconds, never backwards.
    """

    def __init__(self, at_once: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.at_once, self.per_s, self.clock = at_once, per_s, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def take(self, whose: str) -> None:
        """Take one.

        Raises
        ------
        TooManyRequestsError
            ``too-many-requests``, with the seconds to wait.
        """
        with self._one_at_a_time:
            at = self.clock()
            left, before = self._left.pop(whose, (float(self.at_once), at))
            left = min(float(self.at_once), left + (at - before) * self.per_s)
            enough = left >= 1.0
            self._left[whose] = (left - 1.0 if enough else left, at)
            while len(self._left) > MOST_BUCKETS:  # the one not seen for longest is full again, or nearly
                self._left.popitem(last=False)
        if not enough:
            raise TooManyRequestsError(max(1, math.ceil((1.0 - left) / self.per_s)))
