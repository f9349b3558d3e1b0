"""When an outlet has stopped: closed, suspended, without pieces, or far below what is usual for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.outlets.index_rules import StopRule
from changtong.outlets.outlet_months import STATES, OutletMonths
from changtong.outlets.peers import trailing_mean

LEAST_USUAL = 3


@dataclass(frozen=True)
class Stoppages:
    """Which outlets stood and which stopped, month by month (outlets x months).

    Attributes
    ----------
    known : array of bool
        Whether it is known if the outlet stood.
    stopped : array of bool
        It does not stand; False where that is not known.
    begins : array of bool
        It has stopped in this month: it stood in the last month that is known before.
    """

    known: NDArray[np.bool_]
    stopped: NDArray[np.bool_]
    begins: NDArray[np.bool_]

    @property
    def stands(self) -> NDArray[np.bool_]:
        """Whether the outlet stands, for sure."""
        return self.known & ~self.stopped


def find_stoppages(months: OutletMonths, rule: StopRule) -> Stoppages:
    """Find out when outlets stopped. Each month is judged by itself and those before it only.

    Parameters
    ----------
    months : OutletMonths
    rule : StopRule

    Notes
    -----
    A state of suspended or closed, no pieces, or fewer a day than ``share_of_usual`` of the mean of the
    months before (3 known ones at least). A state of open does not undo these: an outlet that is open on
    paper and handles nothing has stopped. An outlet that was never seen standing does not begin to stop.
    """
    daily = months.daily
    has_pieces, has_state = np.isfinite(daily), months.state >= 0
    usual = trailing_mean(daily, rule.usual_months, before=1, least=LEAST_USUAL)
    with np.errstate(invalid="ignore"):
        low = has_pieces & ((daily <= 0) | (daily < rule.share_of_usual * usual))
    stopped = low | (months.state > STATES.index("open"))
    known = has_pieces | has_state
    if rule.absent == "stopped":
        gone = ~months.present & (np.cumsum(months.present, axis=1) > 0)
        stopped, known = stopped | gone, known | gone
    begins = np.zeros_like(stopped)
    stood = np.zeros(stopped.shape[0], dtype=bool)
    for month in range(stopped.shape[1]):
        now = known[:, month]
        begins[:, month] = now & stopped[:, month] & stood
        stood = np.where(now, ~stopped[:, month], stood)
    return Stoppages(known, stopped & known, begins)
