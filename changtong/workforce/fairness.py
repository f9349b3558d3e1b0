"""How evenly a load is shared: Gini and Jain."""

from __future__ import annotations

import numpy as np


def gini(values: np.ndarray) -> float:
    """Return the Gini coefficient of loads: 0 where all have alike.

    Examples
    --------
    >>> gini(np.array([1.0, 1.0, 1.0])), gini(np.array([0.0, 0.0, 3.0])).__round__(4)
    (0.0, 0.6667)
    """
    x = np.sort(values)
    n, total = len(x), float(x.sum())
    if n == 0 or total <= 0:
        return 0.0
    return max(0.0, float((2 * np.arange(1, n + 1) - n - 1) @ x) / (n * total))


def jain(values: np.ndarray) -> float:
    """Return Jain's index of loads: 1 where all have alike, 1/n where one has all.

    Examples
    --------
    >>> jain(np.array([2.0, 2.0])), jain(np.array([0.0, 4.0]))
    (1.0, 0.5)
    """
    squares = float((values**2).sum())
    return float(values.sum()) ** 2 / (len(values) * squares) if squares > 0 else 1.0
