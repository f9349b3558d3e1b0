"""How many processor cores work may be spread over."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return how many processor cores this process may use: fewer than there are where it is held to some.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
