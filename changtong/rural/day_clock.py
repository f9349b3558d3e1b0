"""Times of a day as text and as seconds.

The checker of county plans reads times by code of its own (docs/county.md).
"""

from __future__ import annotations


def clock_s(time: str | None, missing: int) -> int:
    """Return a time of the day, HH:MM or HH:MM:SS, in seconds.

    Parameters
    ----------
    time : str or None
    missing : int
        Where there is none.
    """
    if not time:
        return missing
    parts = [int(part) for part in time.split(":")]
    return sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))


def say_time(seconds: int) -> str:
    """Return seconds of the day as HH:MM:SS.

    Parameters
    ----------
    seconds : int
    """
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
