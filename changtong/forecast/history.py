"""The days before the forecast, leg by leg: what is known, what is not, who still moves.

A leg without a row on a day on which the file has other rows carried nothing that day. A day
without any row is unknown, not zero. A weekday that never has a row, over four weeks or more,
is a day of rest. Days on which a leg was known to be shut say nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.forecast.closures import Closure, shut_days

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_DAYS = 1096
"""Days of history that count: three years."""

NEW_DAYS = 28
"""A leg that began at most so many days ago is new."""

SILENT_DAYS = 14
"""A leg without a piece for so many known days is dead."""

SILENT_DAYS_IRREGULAR = 28
"""The same for a leg that moved on fewer than half of the days before it fell silent."""

LEAST_WEEKS_REST = 4
LONGEST_OUTAGE_DAYS = 28
LEAST_DAYS_OUTAGE = 14
USUALLY_OPEN_SHARE = 0.8


@dataclass(frozen=True)
class History:
    """Volumes before the first day of the forecast.

    Attributes
    ----------
    begin : date
        Of the first column.
    from_sites, to_sites : tuple of str
        Of each leg.
    pieces : array, (legs, days)
        0 where a leg has no row.
    known : array, (days,)
        Days on which the file has rows.
    rest_weekdays : frozenset of int
        Weekdays (0 Monday) that never have rows.
    shut : array, (legs, days and more)
        Known closures, of the history and of the days ahead.
    """

    begin: date
    from_sites: tuple[str, ...]
    to_sites: tuple[str, ...]
    pieces: Floats
    known: Bools
    rest_weekdays: frozenset[int]
    shut: Bools

    @property
    def days(self) -> int:
        """Days from the first one on to the forecast."""
        return int(self.pieces.shape[1])

    @property
    def legs(self) -> list[tuple[str, str]]:
        """The ends of each leg."""
        return list(zip(self.from_sites, self.to_sites, strict=True))

    @property
    def was_shut(self) -> Bools:
        """Known closures on the days of the history, (legs, days)."""
        return self.shut[:, : self.days]

    def will_be_shut(self, ahead: int) -> Bools:
        """Return known closures on the days ahead, (legs, ahead)."""
        told = self.shut[:, self.days : self.days + ahead]
        return np.pad(told, ((0, 0), (0, ahead - told.shape[1])))

    def day(self, number: int) -> date:
        """Return the date of a column, or of a day after the last one."""
        return self.begin + timedelta(days=number)

    def weekdays(self, days: int) -> Ints:
        """Return the weekday of the first ``days`` days, 0 Monday."""
        return (np.arange(days) + self.begin.weekday()) % 7

    def before(self, day: int) -> History:
        """Return what was known before a day: legs seen by then, days before it."""
        keep = np.flatnonzero(self.pieces[:, :day].any(axis=1))
        return History(
            self.begin,
            tuple(self.from_sites[k] for k in keep),
            tuple(self.to_sites[k] for k in keep),
            self.pieces[keep, :day],
            self.known[:day],
            self.rest_weekdays,
            self.shut[keep],
        )

    def first_days(self) -> Ints:
        """Return the first day with pieces of each leg; the number of days where there is none."""
        moved = self.pieces > 0
        return np.where(moved.any(axis=1), moved.argmax(axis=1), self.days)


def build_history(
    frame: pl.DataFrame, until: date, closures: Sequence[Closure] = (), ahead: int = 0
) -> History:
    """Lay out volumes as legs by days.

    Parameters
    ----------
    frame : polars.DataFrame
        date, from_site, to_site, pieces, each leg once a day.
    until : date
        First day that does not count.
    closures : sequence of Closure
    ahead : int
        Days of the forecast, on which closures count as well.
    """
    begin: date = frame["date"].min()  # type: ignore[assignment]
    begin = max(begin, until - timedelta(days=MOST_DAYS))
    frame = frame.filter((pl.col("date") >= begin) & (pl.col("date") < until))
    legs = frame.select("from_site", "to_site").unique().sort("from_site", "to_site").with_row_index("leg")
    rows = frame.join(legs, on=["from_site", "to_site"])
    days = (until - begin).days
    column = (rows["date"] - begin).dt.total_days().to_numpy()
    pieces = np.zeros((legs.height, days))
    pieces[rows["leg"].to_numpy(), column] = rows["pieces"].to_numpy()
    known = np.zeros(days, bool)
    known[column] = True
    weekday = (np.arange(days) + begin.weekday()) % 7
    rest = frozenset(
        k
        for k in range(7)
        if np.count_nonzero(weekday == k) >= LEAST_WEEKS_REST and not known[weekday == k].any()
    )
    ends = list(legs.select("from_site", "to_site").iter_rows())
    shut = shut_days(closures, ends, begin, days + ahead)
    return History(begin, tuple(legs["from_site"]), tuple(legs["to_site"]), pieces, known, rest, shut)


def states(history: History) -> list[str]:
    """Return ``active``, ``new`` or ``dead`` for each leg.

    Dead: nothing for ``SILENT_DAYS`` known days, or ``SILENT_DAYS_IRREGULAR`` where the leg moved
    on fewer than half of the 28 known days before. New: it began at most ``NEW_DAYS`` before the forecast,
    and the file a week before the leg. Days on which a leg was shut do not count.
    """
    told = history.known & ~history.was_shut
    first = history.first_days()
    opened = int(np.argmax(history.known))
    found = []
    for leg, open_days in enumerate(told):
        row = history.pieces[leg, open_days] > 0
        at = np.flatnonzero(row)
        if len(at) == 0:
            found.append("dead")
            continue
        silent = len(row) - 1 - at[-1]
        usual = row[max(0, at[-1] - 27) : at[-1] + 1].mean()
        patience = SILENT_DAYS if usual >= 0.5 else SILENT_DAYS_IRREGULAR
        if silent >= patience:
            found.append("dead")
        elif history.days - first[leg] <= NEW_DAYS and first[leg] >= opened + 7:
            found.append("new")
        else:
            found.append("active")
    return found


def site_outages(history: History) -> Bools:
    """Return (legs, days): a site of the leg moved nothing, but did before and after.

    Such days say that the site was shut, not what the leg carries: they are left out of
    levels. A silence of more than ``LONGEST_OUTAGE_DAYS``, or one that lasts, counts as what it is.
    """
    out = np.zeros(history.pieces.shape, bool)
    touching: dict[str, list[int]] = {}
    for leg, ends in enumerate(zip(history.from_sites, history.to_sites, strict=True)):
        for place in ends:
            touching.setdefault(place, []).append(leg)
    for legs in touching.values():
        moved = np.flatnonzero((history.pieces[legs].sum(axis=0) > 0) & history.known)
        told = history.known & ~history.was_shut[legs].all(axis=0)
        usual_days = np.count_nonzero(told[moved[0] :]) if len(moved) else 0
        if len(moved) < LEAST_DAYS_OUTAGE or len(moved) < USUALLY_OPEN_SHARE * usual_days:
            continue  # a site that often rests tells nothing by resting
        for a, b in zip(moved[:-1], moved[1:], strict=True):
            if 1 < b - a <= LONGEST_OUTAGE_DAYS:
                out[np.ix_(legs, range(a + 1, b))] = True
    return out
