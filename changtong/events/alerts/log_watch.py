"""Alerts from the scan log itself: its series by site and its moves by leg, day after day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from changtong.errors import UsageError
from changtong.events.alerts.leg_day_moves import LegDayMoves, check_use, moves_of, notes_of
from changtong.events.alerts.leg_watch import NO_HOLIDAYS, day_ms, watch, watch_volumes
from changtong.events.alerts.life import TIERS, Alert
from changtong.events.alerts.log_series import LOOK_BACK_DAYS, PROMISE_H, SERIES_COLUMNS, series_of
from changtong.events.alerts.log_state import LogAlerts, LogState
from changtong.events.alerts.result import Alerts, alerts_frame, merge_alerts
from changtong.events.alerts.series_watch import new_series_windows
from changtong.events.alerts.state import WatchState
from changtong.events.alerts.thresholds import Thresholds, read_thresholds
from changtong.events.alerts.volume_watch import new_windows, step_volumes
from changtong.events.engine import MEMORY_GIB, THREADS
from changtong.events.leg_days import leg_days as given_leg_days
from changtong.events.log import EventLog

FIRST_DAYS = 56
"""Days fed where there is no state: the eight weeks that a watch remembers."""

DAYS_AT_ONCE = 90
WATCHED_FROM_DAYS = 14
_DAY = timedelta(days=1)
_SAME = {
    "site-silent": ("site-silent", "hour-silent"),
    "network-low": ("network-low",),
    "drift-scans": ("drift-scans",),
}


def watch_log(
    log: EventLog,
    state: LogState | None = None,
    *,
    until: date,
    days: int = FIRST_DAYS,
    hours: int = 24,
    look_back_days: int = LOOK_BACK_DAYS,
    promise_h: float = PROMISE_H,
    leg_days: str = "fill",
    thresholds: Thresholds | None = None,
    memory_gib: float = MEMORY_GIB,
    threads: int = THREADS,
) -> LogAlerts:
    """Watch a scan log: what :func:`watch` sees in its sites, and :func:`watch_volumes` in its legs.

    Fed day by day with the state of the day before, the alerts are the same as fed at once, as long as the
    log got no rows for days fed already.

    Parameters
    ----------
    log : EventLog
    state : LogState, optional
        From the watch before; the days after its last one are fed.
    until : date
        First day that does not count: one that is not over, or not whole in the log, would look silent.
    days : int
        Days to begin with where there is no state.
    hours : int
        Length of a period of the series by site: 24 or 1.
    look_back_days, promise_h : int, float
        As in :func:`changtong.events.alerts.log_series.series_of`.
    leg_days : {"fill", "scans", "given"}
        Given leg-day volumes of the log: taken for legs and days without a scan, left out, or taken alone.
    thresholds : Thresholds, optional
    memory_gib, threads : float, int
        Limits of the reading.

    Returns
    -------
    LogAlerts

    Raises
    ------
    UsageError
        The state is of another watch; options that cannot be meant.
    InputError
        A file of the log cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from changtong.events.log import create_log
    >>> log = create_log(Path(tempfile.mkdtemp()) / "LOG")
    >>> watch_log(log, until=date(2022, 5, 8)).notes
    ('The log has no scan before 2022-05-08.',)
    """
    if days < 1:
        raise UsageError(f"days {days}: at least one day is needed to begin with.")
    if hours not in (1, 24):
        raise UsageError(f"A period has 1 or 24 hours, not {hours}.", "bad-period")
    check_use(leg_days)
    if leg_days == "given" and not log.volume_days:
        raise UsageError("The log has no leg-day volumes.")
    thresholds = thresholds or read_thresholds()
    kind = "days" if hours == 24 else "hours"
    if state is None:
        state = _new_state(log, kind, hours, thresholds, look_back_days, promise_h, leg_days)
    state.series.check(kind, log.zone, thresholds.digest)
    state.moves.check("volumes", log.zone, thresholds.digest)
    state.check(look_back_days, promise_h, leg_days)
    begin = _begin(log, state, until, days, leg_days)
    notes = _notes(log, state, begin, until)
    frame = _open_alerts(log, state)
    periods = unknown = unlisted = 0
    taken: list[LegDayMoves] = []
    first = begin
    while first < until:
        last = min(until, first + timedelta(days=DAYS_AT_ONCE)) - _DAY
        made = series_of(
            log, first, last, hours=hours, look_back_days=look_back_days, promise_h=promise_h,
            memory_gib=memory_gib, threads=threads,
        )  # fmt: skip
        unlisted = max(unlisted, made.unlisted_sites or 0)
        taken.append(moves_of(made.volumes, given_leg_days(log, first, last), leg_days))
        series, moves = _by_day(made.series, log.zone), taken[-1].moves.partition_by("date", as_dict=True)
        for k in range((last - first).days + 1):
            day = first + timedelta(days=k)
            found = _feed(state, day, series.get(day), moves.get((day,)), hours, thresholds)
            assert found.log_state is not None
            state = found.log_state
            frame = merge_alerts(frame, found.frame)
            periods += found.periods
            unknown += found.unknown_periods
            notes += [note for note in found.notes if note == NO_HOLIDAYS and note not in notes]
        first = last + _DAY
    notes += notes_of(taken, leg_days)
    if unknown:
        notes.append(f"{unknown} days or hours without any scan: unknown, no site is called silent for them.")
    if unlisted:
        notes.append(f"{unlisted} sites with scans are not in the log's register of sites: misread, or new.")
    return LogAlerts(frame, state.series, tuple(notes), periods, unknown, 0, state)


def _new_state(
    log: EventLog, kind: str, hours: int, thresholds: Thresholds, look_back_days: int, promise_h: float,
    leg_days: str,
) -> LogState:  # fmt: skip
    return LogState(
        WatchState(kind, log.zone, thresholds.digest, windows=new_series_windows(hours)),
        WatchState("volumes", log.zone, thresholds.digest, windows=new_windows()),
        look_back_days,
        promise_h,
        leg_days,
    )


def _open_alerts(log: EventLog, state: LogState) -> pl.DataFrame:
    """Return the alerts that were open when the days before had been fed."""
    moved = _moved(alerts_frame(state.moves.open_alerts, log.zone))
    return pl.concat([alerts_frame(state.series.open_alerts, log.zone), moved])


def _begin(log: EventLog, state: LogState, until: date, days: int, leg_days: str) -> date:
    """Return the first day to feed."""
    if state.last_day is not None:
        return state.last_day + _DAY
    known = {*log.days, *(() if leg_days == "scans" else log.volume_days)}
    here = sorted(day for day in known if day < until)
    return max(until - timedelta(days=days), here[0]) if here else until


def _notes(log: EventLog, state: LogState, begin: date, until: date) -> list[str]:
    if state.last_day is not None:
        if begin >= until:
            return [f"The state knows the days up to {state.last_day} already: nothing was fed."]
        return []
    if begin >= until:
        return [f"The log has no scan before {until}."]
    if (until - begin).days <= WATCHED_FROM_DAYS:
        return [
            f"Only {(until - begin).days} days were fed: a site is watched from its fifteenth day on, "
            "before that nothing is normal yet."
        ]
    return []


def _by_day(series: pl.DataFrame, zone: str) -> dict[date, pl.DataFrame]:
    local = pl.from_epoch("begin_ms", "ms").dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.date()
    parts = series.with_columns(local.alias("day")).partition_by("day", as_dict=True, include_key=False)
    return {key[0]: part for key, part in parts.items()}


def _feed(
    state: LogState,
    day: date,
    series: pl.DataFrame | None,
    moves: pl.DataFrame | None,
    hours: int,
    thresholds: Thresholds,
) -> LogAlerts:
    """Take one day of both; without rows it is unknown."""
    zone = state.series.zone
    clock = ZoneInfo(zone)
    after = day + _DAY
    end = datetime(after.year, after.month, after.day, tzinfo=clock)
    rows = pl.DataFrame(schema=SERIES_COLUMNS) if series is None else series
    by_site = watch(rows, state.series, end, hours=hours, zone=zone, thresholds=thresholds)
    by_leg = _feed_moves(state.moves, day, moves, zone, thresholds)
    alerts = _covered(by_leg, by_site.frame)
    frame = pl.concat([by_site.frame, _moved(alerts.frame)])
    both = replace(state, series=by_site.state, moves=alerts.state)
    counted = by_site if by_site.periods else alerts  # a log of leg-day volumes alone has no series
    return LogAlerts(frame, by_site.state, by_site.notes, counted.periods, counted.unknown_periods, 0, both)


def _feed_moves(
    state: WatchState, day: date, moves: pl.DataFrame | None, zone: str, thresholds: Thresholds
) -> Alerts:
    if moves is not None:
        return watch_volumes(moves, state, day + _DAY, zone=zone, thresholds=thresholds)
    if state.last_ms is not None:
        state, _ = step_volumes(state, day_ms(day, ZoneInfo(zone)), {}, False, thresholds)
    return Alerts(alerts_frame(state.open_alerts, zone), state)


def _covered(by_leg: Alerts, by_site: pl.DataFrame) -> Alerts:
    """Mark alerts from moves that say what one from scans says at no lower a tier."""
    told = {
        (rule, site): (TIERS.index(tier) + 1, alert_id)
        for rule, site, tier, alert_id in by_site.select("rule", "site_id", "tier", "alert_id").iter_rows()
    }

    def cover(rule: str, site: str | None, tier: int, before: str | None) -> str | None:
        same = [told[of, site] for of in _SAME.get(rule, ()) if (of, site) in told]
        if not same:
            return before
        worst, alert_id = max(same)
        return alert_id if worst >= tier else None

    def kept(alert: Alert) -> Alert:
        if alert.rule not in _SAME:
            return alert
        site = alert.subject[0] if alert.subject else None
        return replace(alert, covered_by=cover(alert.rule, site, alert.tier, alert.covered_by))

    covered = [
        cover(rule, site, TIERS.index(tier) + 1, before) if rule in _SAME else before
        for rule, site, tier, before in by_leg.frame.select(
            "rule", "site_id", "tier", "covered_by"
        ).iter_rows()
    ]
    frame = by_leg.frame.with_columns(pl.Series("covered_by", covered, dtype=pl.String))
    state = replace(by_leg.state, open_alerts=tuple(kept(alert) for alert in by_leg.state.open_alerts))
    return replace(by_leg, frame=frame, state=state)


def _moved(frame: pl.DataFrame) -> pl.DataFrame:
    """Give alerts from moves ids of their own; a leg is covered by one of them, a site by one from scans."""
    leg = pl.col("from_site_id").is_not_null()
    return frame.with_columns(
        pl.format("moved:{}", "alert_id").alias("alert_id"),
        pl.when(leg & pl.col("covered_by").is_not_null())
        .then(pl.format("moved:{}", "covered_by"))
        .otherwise("covered_by")
        .alias("covered_by"),
    )
