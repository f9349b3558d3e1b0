"""By how much a trip may become later before a stop that is on it already is late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from changtong.rural.distances import Floats


def slack_h(begins: Floats, latest: Floats) -> Floats:
    """Return, for each place of a trip but its end, the hours all stops after it may be later.

    Parameters
    ----------
    begins : array
        When service begins at each stop.
    latest : array
        Latest begin at each.

    Examples
    --------
    >>> slack_h(np.array([9.0, 10.0]), np.array([9.5, 12.0])).tolist()
    [0.5, 2.0, inf]
    """
    spare = np.append(latest - begins, np.inf)
    found: Floats = np.minimum.accumulate(spare[::-1])[::-1]
    return found


def slack_back_h(begins: Floats, back: float, most: Floats) -> Floats:
    """Return, for each place of a trip but its end, the hours it may be back later for what was taken before.

    Parameters
    ----------
    begins : array
        When service begins at each stop.
    back : float
        When the trip is back.
    most : array
        Most hours from then until it is back, at each stop; infinite where nothing is in a hurry.

    Examples
    --------
    >>> slack_back_h(np.array([9.0, 10.0]), 11.0, np.array([2.5, 4.0])).tolist()
    [inf, 0.5, 0.5]
    """
    spare = np.append(np.inf, most - (back - begins))
    found: Floats = np.minimum.accumulate(spare)
    return found


def least_slack_h(trips: Iterable[tuple[Floats, Floats]]) -> float:
    """Return by how much whole trips may be later: the least of all stops, given as begins and latest."""
    return min((float((latest - begins).min(initial=np.inf)) for begins, latest in trips), default=np.inf)


def within(more_h: Floats, slacks: Sequence[Floats | float]) -> NDArray[np.bool_]:
    """Return which delays are within all slacks; a row a village, a column a place."""
    found = np.ones_like(more_h, dtype=bool)
    for slack in slacks:
        found &= more_h <= np.asarray(slack) + 1e-9
    return found
