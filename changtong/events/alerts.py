"""Alerts from leg volumes and from series of the scan log, fed at once or day by day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from changtong.errors import UsageError
from changtong.events.alert_life import Subject
from changtong.events.alert_result import Alerts, alerts_frame
from changtong.events.alert_state import WatchState
from changtong.events.alert_thresholds import Thresholds, read_thresholds
from changtong.events.volume_watch import new_windows, step_volumes
from changtong.forecast.calendar import Calendar
from changtong.network.leg_volumes import read_volumes

DEFAULT_ZONE = "Asia/Shanghai"
NO_HOLIDAYS = "holidays are not known (extra: forecast): holidays and promotions count as ordinary days"


def watch_volumes(
    volumes: Any,
    state: WatchState | None = None,
    until: date | None = None,
    *,
    zone: str = DEFAULT_ZONE,
    thresholds: Thresholds | None = None,
) -> Alerts:
    """Watch leg-day volumes: silent sites, collapsed legs, a low network, sites that drift down.

    Each day is judged by the days up to it alone. Fed day by day with the state of the day before, the
    alerts are the same as fed at once (``merge_alerts`` puts them together).

    Parameters
    ----------
    volumes : frame or path
        date, from_site, to_site, pieces, each leg once a day.
    state : WatchState, optional
        From the watch before (``Alerts.state``); its days are not read again.
    until : date, optional
        First day that does not count; by default the day after the last one.
    zone : str
        Time zone of the days.
    thresholds : Thresholds, optional

    Returns
    -------
    Alerts

    Raises
    ------
    InputError
        The volumes cannot be read, or a leg stands twice on a day.
    UsageError
        The state is of another kind, zone or other thresholds.

    Examples
    --------
    >>> rows = [(f"2022-03-{d:02}", "A", "B", 2000 if d < 25 else 0) for d in range(1, 27)]
    >>> rows += [(f"2022-03-{d:02}", "C", "D", 2000) for d in range(1, 27)]
    >>> columns = ["date", "from_site", "to_site", "pieces"]
    >>> found = watch_volumes(pl.DataFrame(rows, schema=columns, orient="row"))
    >>> found.frame.filter(pl.col("site_id") == "A").select("rule", "tier", "state").row(0)
    ('site-silent', 'warning', 'confirmed')
    """
    thresholds = thresholds or read_thresholds()
    clock = _zone(zone)
    frame = read_volumes(volumes, unique=True)
    if state is None:
        state = WatchState("volumes", zone, thresholds.digest, windows=new_windows())
    state.check("volumes", zone, thresholds.digest)
    first: date = frame["date"].min()  # type: ignore[assignment]
    last: date = frame["date"].max()  # type: ignore[assignment]
    if state.last_ms is not None:
        first = datetime.fromtimestamp(state.last_ms / 1000, clock).date() + timedelta(days=1)
    last = last if until is None else until - timedelta(days=1)
    wanted = frame.filter(pl.col("date").is_between(first, last))
    days = _by_day(wanted)
    marks, notes = _marks(first, last)
    ended = []
    periods = unknown = 0
    day = first
    while day <= last:
        rows = days.get(day, {})
        state, over = step_volumes(state, day_ms(day, clock), rows, marks.get(day, False), thresholds)
        ended += over
        periods += 1
        unknown += not rows
        day += timedelta(days=1)
    if unknown:
        notes.append(f"{unknown} days without any row: unknown, no site is called silent for them")
    found = alerts_frame([*ended, *state.open_alerts], zone)
    return Alerts(found, state, tuple(notes), periods, unknown, frame.height - wanted.height)


def day_ms(day: date, clock: ZoneInfo) -> int:
    """Return when a local day begins, UTC epoch milliseconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=clock).timestamp() * 1000)


def _by_day(frame: pl.DataFrame) -> dict[date, dict[Subject, float]]:
    days: dict[date, dict[Subject, float]] = {}
    for day, a, b, pieces in frame.sort("date", "from_site", "to_site").iter_rows():
        days.setdefault(day, {})[(a, b)] = pieces
    return days


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f'No time zone "{name}".', "unknown-zone") from error


def _marks(first: date, last: date) -> tuple[dict[date, bool], list[str]]:
    """Return which days are marked, and what a reader must know of them."""
    if last < first:
        return {}, []
    try:
        calendar = Calendar(first, last)
    except ImportError:
        return {}, [NO_HOLIDAYS]
    days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    marks = calendar.marks(days)
    # a make-up day is a working day, and the days around a promotion are no reason to move little
    return {day: mark is not None and mark.event != "make-up" for day, mark in zip(days, marks, strict=True)}, []
