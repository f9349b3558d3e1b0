"""Ways to write an instant, and time zones.

Three ways to write an instant: ISO 8601 (also with ``/`` and single digits, as spreadsheets
write it), an epoch in seconds or milliseconds, or a format of ``strptime`` directives made of
numbers. A local time that a zone has twice, or never, is told apart and never guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.events.clocks import (
    EMPTY,
    EPOCH_MS,
    EPOCH_S,
    ISO,
    NEVER,
    NO_ZONE,
    OUTSIDE,
    TWICE,
    UNREADABLE,
)

TIME_REASONS = {
    EMPTY: "no-time",
    UNREADABLE: "bad-time",
    TWICE: "ambiguous-time",
    NEVER: "skipped-time",
    NO_ZONE: "no-time-zone",
    OUTSIDE: "time-out-of-range",
}

_FORMS = {"iso": ISO, "epoch_s": EPOCH_S, "epoch_ms": EPOCH_MS}
_DIRECTIVES = {
    "Y": 1001,
    "m": 1002,
    "d": 1003,
    "H": 1004,
    "M": 1005,
    "S": 1006,
    "f": 1007,
    "z": 1008,
    "y": 1009,
}
WIDTH = np.array([0, 4, 2, 2, 2, 2, 2, 9, 0, 2], np.int64)
"""Most digits of each directive, by its number less 1001 … 1009."""


class Zone(NamedTuple):
    """The offsets of a zone: each holds from its begin, UTC milliseconds, to the next one's."""

    begin_ms: NDArray[np.int64]
    offset_ms: NDArray[np.int64]


@lru_cache(maxsize=64)  # 10 ms a zone: as long as all else of a hundred rows
def zone_of(name: str) -> Zone:
    """Return the offsets of an IANA zone or of ``UTC+08:00`` from 1970 to 2100.

    Raises
    ------
    InputError
        ``bad-time-zone``: there is no such zone.
    """
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        problem = Problem(
            "bad-time-zone", f"There is no time zone {name!r}.", expected="a name such as Asia/Shanghai"
        )
        raise InputError([problem]) from error

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    first = datetime(1970, 1, 1, tzinfo=UTC)
    begins, offsets = [np.iinfo(np.int64).min // 4], [offset(first)]
    low = first
    while low.year < 2100:
        high = low + timedelta(days=20)
        if offset(high) != offsets[-1]:
            before, after = low, high
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) // 2
                before, after = (middle, after) if offset(middle) == offsets[-1] else (before, middle)
            at = after.replace(microsecond=0)
            begins.append(int(at.timestamp() * 1000))
            offsets.append(offset(at))
        low = high
    return Zone(
        np.array(begins, np.int64), np.array([int(o.total_seconds() * 1000) for o in offsets], np.int64)
    )


def time_form(text: str) -> NDArray[np.int64]:
    """Return a way to write instants as numbers for :func:`read_times`.

    Raises
    ------
    InputError
        ``bad-time-format``: a directive that is not one of %Y %y %m %d %H %M %S %f %z.

    Examples
    --------
    >>> time_form("%d.%m.%Y").tolist()
    [1003, 46, 1002, 46, 1001]
    """
    if text in _FORMS:
        return np.array([_FORMS[text]], np.int64)
    out: list[int] = []
    letters = iter(text)
    for letter in letters:
        if letter != "%":
            out.extend(letter.encode())
            continue
        directive = next(letters, "")
        if directive == "%":
            out.append(37)
        elif directive in _DIRECTIVES:
            out.append(_DIRECTIVES[directive])
        else:
            raise InputError(
                [
                    Problem(
                        "bad-time-format",
                        f"The time format {text!r} has the directive %{directive}.",
                        expected="iso, epoch_s, epoch_ms, or %Y %y %m %d %H %M %S %f %z",
                    )
                ]
            )
    return np.array(out, np.int64)


def moment_ms(at: datetime | str, zone: str) -> int:
    """Return an instant as UTC milliseconds; without an offset it is in the zone given.

    Raises
    ------
    UsageError
        It is none, or ``ambiguous-time``: it is there twice in the zone, or never.

    Examples
    --------
    >>> moment_ms("1970-01-01T08:00", "Asia/Shanghai"), moment_ms("1970-01-01T00:00Z", "Asia/Shanghai")
    (0, 0)
    """
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError as error:
            raise UsageError(f"{at!r} is no time; expected YYYY-MM-DDTHH:MM.") from error
    if at.tzinfo is None:
        clock = ZoneInfo(zone)
        one, other = at.replace(tzinfo=clock, fold=0), at.replace(tzinfo=clock, fold=1)
        if one.utcoffset() != other.utcoffset():
            text = f"{at.isoformat()} is twice in {zone}, or never: give it with its offset."
            raise UsageError(text, "ambiguous-time")
        at = one
    return round(at.timestamp() * 1000)
