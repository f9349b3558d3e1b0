"""Instants of foreign formats: text to epoch milliseconds and back.

An instant is inside 1990 to 2099 or it is a mistake: clocks that were never set show 1970 or
1980, and a year typed wrong is far off.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from changtong.errors import UsageError

FIRST_MS = 631_152_000_000  # 1990-01-01T00:00Z
END_MS = 4_102_444_800_000  # 2100-01-01T00:00Z
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)
MS_PER_MINUTE = 60_000

OFFSET = re.compile(r"([+-])(0[0-9]|1[0-3]):([0-5][0-9])|([+-])14:00")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,12}))?"
    r"(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)
LOCAL_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
)
"""Forms of local times. Days before months and two-digit years are ambiguous and not read."""


def check_day(day: date) -> None:
    """Refuse a day that no log can have.

    Parameters
    ----------
    day : date

    Raises
    ------
    UsageError
        It lies outside 1990 to 2099.

    Examples
    --------
    >>> check_day(date(2026, 5, 1))
    """
    if not FIRST_DAY <= day <= LAST_DAY:
        raise UsageError(f"{day.isoformat()}: no log has this day; expected one of 1990 to 2099.")


def instant_ms(text: str, offset: str | None = None) -> int | None:
    """Return the epoch milliseconds of an ISO 8601 instant, or None where it cannot be one.

    Parameters
    ----------
    text : str
        For example ``2022-06-17T08:00:00.250+08:00``; parts below a millisecond are cut off.
    offset : str, optional
        Zone where the text gives none.

    Examples
    --------
    >>> instant_ms("1995-01-01T08:00:00+08:00") == instant_ms("1995-01-01T00:00:00Z")
    True
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    minutes = _offset_minutes(zone or offset)
    if minutes is None:
        return None
    try:
        at = datetime.fromisoformat(f"{day}T{clock}+00:00")
    except ValueError:
        return None
    whole_ms = int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    at_ms = whole_ms + int((fraction or "0").ljust(3, "0")[:3]) - minutes * MS_PER_MINUTE
    return at_ms if FIRST_MS <= at_ms < END_MS else None


def instant_text(at_ms: int, offset: str = "+00:00") -> str:
    """Return an instant as ISO 8601 with milliseconds, in a fixed offset.

    Examples
    --------
    >>> instant_text(1_655_424_000_250, "+08:00")
    '2022-06-17T08:00:00.250+08:00'
    """
    minutes = _offset_minutes(offset) or 0
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    text = at.astimezone(timezone(timedelta(minutes=minutes))).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _offset_minutes(offset: str | None) -> int | None:
    if offset is None:
        return None
    if offset in ("Z", "z"):
        return 0
    text = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    if OFFSET.fullmatch(text) is None:
        return None
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def check_zone(zone: str) -> None:
    """Raise where a zone is not one of the time zone database, for example ``Asia/Shanghai``."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        raise UsageError(f"{zone!r} is no time zone; one is Asia/Shanghai.", "unknown-zone") from error


def instants_of(texts: pl.Series, zone: str) -> pl.DataFrame:
    """Return ``at_ms`` of a column of times, with or without a zone of their own.

    Parameters
    ----------
    texts : polars.Series
    zone : str
        Zone of the times that give none.

    Returns
    -------
    polars.DataFrame
        ``at_ms`` (null where it cannot be told) and ``is_ambiguous`` (a local time that stands
        twice, when clocks are put back: the first is taken).
    """
    text = pl.col("text")
    local = pl.coalesce(text.str.to_datetime(form, time_unit="ms", strict=False) for form in LOCAL_FORMATS)
    zoned = pl.col("local").dt.replace_time_zone
    frame = (
        pl.DataFrame({"text": texts.cast(pl.String).str.strip_chars()})
        .with_columns(local=pl.when(text.str.contains(r"^\d{4}\D\d{2}\D\d{2}\D")).then(local))
        .with_columns(
            first=zoned(zone, ambiguous="earliest", non_existent="null").dt.epoch("ms"),
            last=zoned(zone, ambiguous="latest", non_existent="null").dt.epoch("ms"),
        )
    )
    with_zone = texts.cast(pl.String).str.strip_chars().str.contains(r"(?:[Zz]|[+-]\d{2}:?\d{2})$")
    own = [
        instant_ms(one) if has and one is not None else None
        for one, has in zip(frame["text"], with_zone, strict=True)
    ]
    at = (
        pl.when(pl.Series("has", with_zone).fill_null(False))
        .then(pl.Series("own", own, pl.Int64))
        .otherwise("first")
    )
    inside = pl.col("at_ms").is_between(FIRST_MS, END_MS, closed="left")
    return (
        frame.with_columns(at_ms=at, has=with_zone.fill_null(False))
        .with_columns(at_ms=pl.when(inside).then("at_ms"))
        .select(
            "at_ms",
            is_ambiguous=((pl.col("first") != pl.col("last")) & ~pl.col("has") & inside).fill_null(False),
        )
    )
