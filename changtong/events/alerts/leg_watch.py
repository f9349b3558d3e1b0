"""Alerts from leg volumes and from series of the scan log, fed at once or day by day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from changtong.errors import UsageError
from changtong.events.alerts.life import Alert, Subject
from changtong.events.alerts.result import Alerts, alerts_frame
from changtong.events.alerts.series_reading import read_series
from changtong.events.alerts.series_watch import HOUR_MS, MEASURES, new_series_windows, step_days, step_hours
from changtong.events.alerts.state import WatchState
from changtong.events.alerts.thresholds import Thresholds, read_thresholds
from changtong.events.alerts.volume_watch import new_windows, step_volumes
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
    ended: list[Alert] = []
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


def watch(
    series: pl.DataFrame,
    state: WatchState | None = None,
    now: datetime | None = None,
    *,
    hours: int = 24,
    zone: str = DEFAULT_ZONE,
    thresholds: Thresholds | None = None,
) -> Alerts:
    """Watch series by site from the scan log: silence, backlog, dwell, lateness, drifts.

    Each period is judged by those up to it alone; fed one by one with the state before, the alerts are the
    same as fed at once.

    Parameters
    ----------
    series : polars.DataFrame
        site_id, begin_ms, scans and, where known, handled_pieces, backlog_pieces, dwell_median_h,
        late_share (:mod:`changtong.events.alerts.series_reading`).
    state : WatchState, optional
        From the watch before; its periods are not read again.
    now : datetime, optional
        With a time zone. Periods that have ended by then count, with or without rows; by default those
        up to the last row.
    hours : int
        Length of a period: 24 (local days) or 1.
    zone : str
        Time zone of the days.
    thresholds : Thresholds, optional

    Returns
    -------
    Alerts

    Raises
    ------
    InputError
        The series cannot be read.
    UsageError
        Another length, a ``now`` without a time zone, a state of another watch.

    Examples
    --------
    >>> day = datetime(2022, 3, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    >>> begins = [int((day + timedelta(days=k)).timestamp() * 1000) for k in range(20)]
    >>> rows = {"site_id": ["A"] * 20, "begin_ms": begins, "scans": [5000.0] * 19 + [12.0]}
    >>> watch(pl.DataFrame(rows)).frame.select("rule", "tier", "state").row(0)
    ('site-silent', 'warning', 'potential')
    """
    if hours not in (1, 24):
        raise UsageError(f"A period has 1 or 24 hours, not {hours}.", "bad-period")
    if now is not None and now.tzinfo is None:
        raise UsageError("now needs a time zone.", "naive-time")
    kind = "days" if hours == 24 else "hours"
    thresholds = thresholds or read_thresholds()
    clock = _zone(zone)
    frame = read_series(series, hours, zone)
    if state is None:
        state = WatchState(kind, zone, thresholds.digest, windows=new_series_windows(hours))
    state.check(kind, zone, thresholds.digest)
    begins = _begins(frame, state.last_ms, now, hours, clock)
    wanted = frame.filter(pl.col("begin_ms").is_in(begins))
    rows = _by_period(wanted)
    first, last = (_date(begins[k], clock) for k in (0, -1)) if begins else (date.max, date.min)
    marks, notes = _marks(first, last)
    rest = _rest_days(first - timedelta(days=29), last) if begins and hours == 1 else frozenset()
    ended: list[Alert] = []
    for at_ms in begins:
        values = rows.get(at_ms, {})
        if hours == 24:
            marked = marks.get(_date(at_ms, clock), False)
            state, over = step_days(state, at_ms, values, marked, thresholds)
        else:
            state, over = step_hours(state, at_ms, values, rest, thresholds)
        ended += over
    unknown = sum(at_ms not in rows for at_ms in begins)
    if unknown:
        notes.append(f"{unknown} days or hours without any row")
    found = alerts_frame([*ended, *state.open_alerts], zone)
    return Alerts(found, state, tuple(notes), len(begins), unknown, frame.height - wanted.height)


def _begins(
    frame: pl.DataFrame, last_ms: int | None, now: datetime | None, hours: int, clock: ZoneInfo
) -> list[int]:
    """Return the beginnings of the periods to take, in order and without gaps."""
    if frame.height == 0 and (last_ms is None or now is None):  # nothing says from when, or until when
        return []
    seen = frame["begin_ms"].to_list()
    at_ms = _next(last_ms, hours, clock) if last_ms is not None else seen[0]
    end = _next(seen[-1], hours, clock) if now is None else int(now.timestamp() * 1000)
    begins = []
    while (after := _next(at_ms, hours, clock)) <= end:
        begins.append(at_ms)
        at_ms = after
    return begins


def _next(at_ms: int, hours: int, clock: ZoneInfo) -> int:
    if hours == 1:
        return at_ms + HOUR_MS
    return day_ms(_date(at_ms, clock) + timedelta(days=1), clock)


def _date(at_ms: int, clock: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms / 1000, clock).date()


def _by_period(frame: pl.DataFrame) -> dict[int, dict[str, tuple[float, ...]]]:
    periods: dict[int, dict[str, tuple[float, ...]]] = {}
    columns = frame.select("begin_ms", "site_id", pl.col(MEASURES).fill_null(float("nan")))
    for at_ms, site, *values in columns.iter_rows():
        periods.setdefault(at_ms, {})[site] = tuple(values)
    return periods


def _rest_days(first: date, last: date) -> frozenset[date]:
    """Return weekends and holidays without make-up days; weekends alone where holidays are not known."""
    days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    try:
        marks = _calendar(first.year, last.year).marks(days)
    except ImportError:
        marks = [None] * len(days)
    rest = set()
    for day, mark in zip(days, marks, strict=True):
        holiday = mark is not None and (
            mark.event in ("rest-long", "rest-short") or (mark.event == "spring" and -1 <= mark.offset <= 5)
        )
        if holiday or (day.weekday() >= 5 and (mark is None or mark.event != "make-up")):
            rest.add(day)
    return frozenset(rest)


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


@cache
def _calendar(first_year: int, last_year: int) -> Calendar:
    """Return marks of whole years; a watch that is fed day by day needs the same ones again and again."""
    return Calendar(date(first_year, 1, 1), date(last_year, 12, 31))


def _marks(first: date, last: date) -> tuple[dict[date, bool], list[str]]:
    """Return which days are marked, and what a reader must know of them."""
    if last < first:
        return {}, []
    try:
        calendar = _calendar(first.year, last.year)
    except UsageError:  # the extra that knows them is not installed
        return {}, [NO_HOLIDAYS]
    days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    marks = calendar.marks(days)
    # a make-up day is a working day, and the days around a promotion are no reason to move little
    return {
        day: mark is not None and mark.event != "make-up" for day, mark in zip(days, marks, strict=True)
    }, []
