"""Pieces that begin and end at one site: which of them wait where the site is slowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def held_at_home(local: Floats, through: Floats, capacity: Floats) -> Floats:
    """Return the pieces a day that must wait at their site, by class, (sites, classes).

    A site's capacity goes to the classes in order of rank, within each to the pieces that begin and
    end there first: they take it once, all others take other sites' and legs' too.

    Parameters
    ----------
    local : array, (sites, classes)
        Pieces a day that begin and end at the site, the highest class first.
    through : array, (sites, classes)
        Other pieces a day the site sorts when nothing is shut.
    capacity : array, (sites,)
        Pieces a day; 0 where closed, infinite where not limited.

    Examples
    --------
    >>> import numpy as np
    >>> held_at_home(np.array([[2.0, 8.0]]), np.array([[3.0, 12.0]]), np.array([9.0]))
    array([[0., 4.]])
    """
    held = np.zeros_like(local)
    left = np.asarray(capacity, np.float64).copy()
    for k in range(local.shape[1]):
        served = np.minimum(local[:, k], left)
        held[:, k] = local[:, k] - served
        left = np.maximum(0.0, left - served - through[:, k])
    return held


def sent_after_all(held: Floats, spare: Floats) -> Floats:
    """Return what still waits when the plan leaves ``spare`` pieces a day at each site, highest class first.

    Examples
    --------
    >>> import numpy as np
    >>> sent_after_all(np.array([[1.0, 4.0]]), np.array([3.0]))
    array([[0., 2.]])
    """
    before = np.cumsum(held, axis=1) - held
    room = np.clip(np.maximum(0.0, spare)[:, None] - before, 0.0, None)
    return np.asarray(held - np.minimum(held, room), np.float64)
