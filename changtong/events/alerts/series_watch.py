"""One day or one hour of series by site from the scan log: silence, backlog, dwell, lateness, drifts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from changtong.events.alerts import wording
from changtong.events.alerts.drift import WEEKS, weekly_medians
from changtong.events.alerts.levels import LEVEL_DAYS, WINDOW_DAYS, robust_distance, row_medians
from changtong.events.alerts.life import Alert, Signal, Subject, advance
from changtong.events.alerts.state import WatchState, Window, empty_window, freeze, with_step
from changtong.events.alerts.thresholds import Thresholds
from changtong.events.alerts.volume_watch import (
    drift_signals,
    network_signal,
    remember_sites,
    silent_signals,
    weigh_sites,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HOUR_MS = 3_600_000
WINDOW_HOURS = 24 * LEVEL_DAYS
MEASURES = ("scans", "handled_pieces", "backlog_pieces", "dwell_median_h", "late_share")
RULES = {"backlog-rising": "backlog_pieces", "dwell-high": "dwell_median_h", "late-high": "late_share"}
DRIFTS = {
    "drift-scans": "scans",
    "drift-backlog": "backlog_pieces",
    "drift-dwell": "dwell_median_h",
    "drift-late": "late_share",
}
LEAST_SAME_WEEKDAY = 4
LEAST_SAME_HOUR = 6

Rows = Mapping[str, tuple[float, ...]]
"""Values of :data:`MEASURES` by site; NaN where not known."""


def new_series_windows(hours: int) -> dict[str, Window]:
    """Return the windows of a watch of days (24) or hours (1) that has seen nothing."""
    days = dict.fromkeys(MEASURES, WINDOW_DAYS)
    if hours == 24:
        return {"sites": empty_window(days | {"freed": WINDOW_DAYS, "held": 1})}
    by_hour = dict.fromkeys((*MEASURES, "missed"), WINDOW_HOURS)
    return {"sites": empty_window(days), "hours": empty_window(by_hour | {"owed": 1, "run_h": 1})}


def step_days(
    state: WatchState, at_ms: int, rows: Rows, marked: bool, thresholds: Thresholds
) -> tuple[WatchState, tuple[Alert, ...]]:
    """Take one day; without any row the data are late and the day is unknown.

    Parameters
    ----------
    state : WatchState
    at_ms : int
        Beginning of the day.
    rows : mapping of site to its values
    marked : bool
        A holiday or promotion.
    thresholds : Thresholds

    Returns
    -------
    tuple
        The state after the day, and the alerts that ended on it.
    """
    sites = state.windows["sites"].widen([(site,) for site in rows])
    when = wording.day_words(at_ms, state.zone)
    before = {(alert.rule, alert.subject): alert for alert in state.open_alerts}
    late = feed_signal(0 if rows else len(sites.keys), len(sites.keys), before, when, thresholds)
    if not rows:
        open_alerts, ended = advance(state.open_alerts, [late], at_ms, thresholds)
        nothing = np.full(len(sites.keys), np.nan)
        sites = sites.push({name: nothing for name in sites.arrays if name != "held"})
        return with_step(state, at_ms, {"sites": sites}, open_alerts), ended
    now = _now(sites, rows)
    scans = {key: float(value) for key, value in zip(sites.keys, now["scans"], strict=True)}
    facts = weigh_sites(sites, scans, thresholds.of("site-silent", "watched_expected"))
    signals = [late, network_signal(facts.network_factor, marked, when, thresholds)]
    if signals[1].tier < 2:
        signals += silent_signals(sites, facts, before, marked, when, "scans", thresholds)
    handled, _ = row_medians(sites.arrays["handled_pieces"][:, -LEVEL_DAYS:])
    past = {
        name: (_same_weekday(sites.arrays[name]), sites.arrays[name][:, -LEVEL_DAYS:])
        for name in RULES.values()
    }
    signals += _measure_signals(sites, now, past, handled, before, when, thresholds)
    signals += _drifts(state, sites, at_ms, sites.arrays["freed"], before, when, thresholds)
    open_alerts, ended = advance(state.open_alerts, signals, at_ms, thresholds)
    sites = _forget_settled(sites, ended)
    sites = sites.push(_unlearned(sites, now, open_alerts))
    return with_step(
        state, at_ms, {"sites": remember_sites(sites, facts, at_ms, open_alerts, ended)}, open_alerts
    ), ended


def step_hours(
    state: WatchState, at_ms: int, rows: Rows, rest_days: Collection[date], thresholds: Thresholds
) -> tuple[WatchState, tuple[Alert, ...]]:
    """Take one hour; where most sites that should be scanning are silent at once, it is unknown.

    Parameters
    ----------
    state : WatchState
    at_ms : int
        Beginning of the hour.
    rows : mapping of site to its values
    rest_days : collection of date
        Weekends and holidays without make-up days, of this day and the 28 before.
    thresholds : Thresholds

    Returns
    -------
    tuple
        The state after the hour, and the alerts that ended in it.
    """
    clock = ZoneInfo(state.zone)
    local = datetime.fromtimestamp(at_ms / 1000, clock)
    keys = [(site,) for site in rows]
    hours, sites = state.windows["hours"].widen(keys), state.windows["sites"].widen(keys)
    when = wording.hour_words(at_ms + HOUR_MS, state.zone)
    before = {(alert.rule, alert.subject): alert for alert in state.open_alerts}
    slots = _same_hours(local.date(), rest_days)
    usual, _ = row_medians(_enough(hours.arrays["scans"][:, slots]))
    now = _now(hours, rows)
    active = np.nan_to_num(usual) >= 1.0
    silent = int(np.count_nonzero(active & (now["scans"] == 0.0)))
    late = feed_signal(silent, int(np.count_nonzero(active)), before, when, thresholds)
    drifts: list[Signal] = []
    if local.weekday() == 0 and local.hour == 0:
        drifts = _drifts(state, sites, at_ms, sites.arrays["scans"], before, when, thresholds)
    if late.tier > 0:
        open_alerts, ended = advance(state.open_alerts, [late, *drifts], at_ms, thresholds)
        nothing = np.full(len(hours.keys), np.nan)
        hours = hours.push(dict.fromkeys((*MEASURES, "missed"), nothing))
    else:
        run_h = np.where(now["scans"] == 0.0, np.nan_to_num(hours.arrays["run_h"][:, 0]) + 1.0, 0.0)
        owed = np.nan_to_num(hours.arrays["owed"][:, 0]) + np.nan_to_num(usual)
        owed = np.where(now["scans"] == 0.0, owed, 0.0)
        signals = [late, *drifts, *_pauses(hours, run_h, owed, before, at_ms, when, thresholds)]
        handled = np.nansum(hours.arrays["handled_pieces"][:, -168:], axis=1) / 7.0
        past = {
            name: (_enough(hours.arrays[name][:, slots]), hours.arrays[name][:, ::24])
            for name in RULES.values()
        }
        signals += _measure_signals(hours, now, past, handled, before, when, thresholds)
        open_alerts, ended = advance(state.open_alerts, signals, at_ms, thresholds)
        hours = _forget_settled(hours, ended)
        columns = _unlearned(hours, now, open_alerts) | {"run_h": run_h, "owed": owed}
        # a silence of more than a day is no pause to learn from
        columns["scans"] = np.where(run_h > 24, np.nan, columns["scans"])
        columns["missed"] = np.where(run_h > 24, np.nan, owed)
        hours = hours.push(columns)
    if datetime.fromtimestamp((at_ms + HOUR_MS) / 1000, clock).date() != local.date():
        sites = sites.push(_day_of(hours))
    return with_step(state, at_ms, {"sites": sites, "hours": hours}, open_alerts), ended


def feed_signal(
    silent: int, should: int, before: Mapping[tuple[str, Subject], Alert], when: str, thresholds: Thresholds
) -> Signal:
    """Say whether so many sites are silent at once that the data are late rather than the sites."""
    rule = "feed-silent"
    late = (
        should >= thresholds.of(rule, "least_sites")
        and silent >= thresholds.of(rule, "silent_share") * should
    )
    opened = before.get((rule, ()))
    tier = 0
    if late:
        tier = 2 if opened and opened.bad_periods + 1 >= thresholds.of(rule, "confirm_after") else 1
    return Signal(rule, (), tier, not late, float(silent), float(should), wording.feed(when, silent, should))


def _pauses(
    hours: Window,
    run_h: Floats,
    owed: Floats,
    before: Mapping[tuple[str, Subject], Alert],
    at_ms: int,
    when: str,
    thresholds: Thresholds,
) -> list[Signal]:
    """Return sites without a scan for hours in which they should have many, by their own hours and pauses."""
    rule = "hour-silent"
    names = ("attention", "warning", "severe")
    least = [thresholds.of(rule, f"{name}_missed") for name in names]
    parts = [thresholds.of(rule, f"{name}_day_share") for name in names]
    a_day = np.nansum(hours.arrays["scans"][:, -168:], axis=1) / 7.0
    found = []
    for k, key in enumerate(hours.keys):
        opened = (rule, key) in before
        run = int(run_h[k])
        paused = run >= thresholds.of(rule, "least_hours") and owed[k] >= max(least[0], parts[0] * a_day[k])
        if not (opened or paused):
            continue
        longest = _usual_pause(hours.arrays["missed"][k, : WINDOW_HOURS - max(0, run - 1)])
        tier = 0
        if paused and (opened or owed[k] > thresholds.of(rule, "own_factor") * longest):
            tier = sum(
                bool(owed[k] >= max(scans, part * a_day[k])) for scans, part in zip(least, parts, strict=True)
            )
        words = wording.hours(key[0], when, run, float(owed[k]), longest)
        began = at_ms - max(0, run - 1) * HOUR_MS
        found.append(Signal(rule, key, tier, run == 0, 0.0, float(owed[k]), words, began))
    return found


def _usual_pause(missed: Floats) -> float:
    """Return the scans missed in the second worst day before: the worst may have been an outage."""
    days = np.zeros(LEVEL_DAYS * 24)
    if len(missed):
        days[-len(missed) :] = np.nan_to_num(missed)
    return float(np.sort(days.reshape(LEVEL_DAYS, 24).max(axis=1))[-2])


def _measure_signals(
    sites: Window,
    now: Mapping[str, Floats],
    past: Mapping[str, tuple[Floats, Floats]],
    handled_a_day: Floats,
    before: Mapping[tuple[str, Subject], Alert],
    when: str,
    thresholds: Thresholds,
) -> list[Signal]:
    """Return backlog, dwell and lateness above their own normal."""
    found = []
    for rule, name in RULES.items():
        value = now[name]
        least = 1.0 if name == "backlog_pieces" else thresholds.of(rule, "least_deviation")
        distance, normal = robust_distance(value, *past[name], least)
        far = thresholds.of(rule, "distance")
        rises = _rises(sites.arrays[name], value, int(thresholds.of("backlog-rising", "rising_periods")))
        for k in np.flatnonzero(~np.isnan(distance)):
            key = sites.keys[k]
            opened = before.get((rule, key))
            if distance[k] < far and not opened:
                continue
            tier, more = 0, 0.0
            if distance[k] >= far:
                tier, more = _size(rule, value[k], normal[k], handled_a_day[k], thresholds)
            if name == "backlog_pieces" and opened is None and not rises[k]:
                tier = 0
            if tier == 0 and not opened:
                continue
            if opened is None or opened.bad_periods == 0:
                tier = min(tier, 1)  # one value of many may be chance: attention until the next says the same
            words = wording.high(name.split("_")[0], key[0], when, value[k], normal[k], distance[k], more)
            calm = bool(distance[k] < far / 2.0)
            found.append(Signal(rule, key, tier, calm, float(value[k]), float(normal[k]), words))
    return found


def _size(
    rule: str, value: float, normal: float, handled: float, thresholds: Thresholds
) -> tuple[int, float]:
    """Return the tier of a value out of its normal by how much it is, and that."""
    names = ("attention", "warning", "severe")
    if rule == "backlog-rising":
        if value < (1.0 + thresholds.of(rule, "least_rise")) * normal:
            return 0, 0.0
        if not handled > 0.0:
            return 1, float("nan")  # how much work it is is not known
        more = (value - normal) / handled
        return int(sum(more >= thresholds.of(rule, f"{name}_days") for name in names)), float(more)
    more = value - normal
    if rule == "dwell-high":
        more = more / max(normal, thresholds.of(rule, "least_deviation"))
    return int(sum(more >= thresholds.of(rule, f"{name}_rise") for name in names)), float(more)


def _rises(past: Floats, value: Floats, periods: int) -> Bools:
    """Say where the last values each lie above the one before."""
    run = np.column_stack([past[:, -periods:], value])
    return np.asarray((np.diff(run, axis=1) > 0).all(axis=1))


def _drifts(
    state: WatchState,
    sites: Window,
    at_ms: int,
    scans: Floats,
    before: Mapping[tuple[str, Subject], Alert],
    when: str,
    thresholds: Thresholds,
) -> list[Signal]:
    """Return drifts of scans, backlog, dwell and lateness, on Mondays."""
    if datetime.fromtimestamp(at_ms / 1000, ZoneInfo(state.zone)).weekday() != 0:
        return []
    size, _ = row_medians(weekly_medians(scans)[:, : WEEKS // 2])
    large = np.nan_to_num(size) >= thresholds.of("drift", "least_expected")
    found = []
    for rule, name in DRIFTS.items():
        is_open = {subject for of, subject in before if of == rule}
        weeks = weekly_medians(scans if name == "scans" else sites.arrays[name])
        found += drift_signals(rule, sites, weeks, large, is_open, when, thresholds)
    return found


def _now(sites: Window, rows: Rows) -> dict[str, Floats]:
    """Return this period's values; a site without a row has no scans, and nothing else is known of it."""
    none = (0.0, 0.0, *(float("nan"),) * (len(MEASURES) - 2))
    table = np.array([rows.get(key[0], none) for key in sites.keys]).reshape(-1, len(MEASURES))
    now = {name: table[:, k].copy() for k, name in enumerate(MEASURES)}
    now["scans"] = np.nan_to_num(now["scans"])
    return now


def _same_weekday(past: Floats) -> Floats:
    """Return values of the same weekday, or, where there are too few, of the last four weeks."""
    same = past[:, -7::-7]
    enough = np.count_nonzero(~np.isnan(same), axis=1) >= LEAST_SAME_WEEKDAY
    recent = past[:, -LEVEL_DAYS:]
    few = np.count_nonzero(~np.isnan(recent), axis=1) < LEVEL_DAYS // 2
    chosen = np.where(few[:, None], np.nan, recent)
    padded = np.full_like(recent, np.nan)
    padded[:, : same.shape[1]] = same
    return np.where(enough[:, None], padded, chosen)


def _same_hours(day: date, rest_days: Collection[date]) -> list[int]:
    """Return the columns of this hour on earlier days of the same kind, working or rest."""
    kind = day in rest_days
    return [-24 * k for k in range(1, LEVEL_DAYS + 1) if (day - timedelta(days=k) in rest_days) == kind]


def _enough(past: Floats) -> Floats:
    """Return the values of rows that have enough of them to tell what is usual."""
    few = np.count_nonzero(~np.isnan(past), axis=1) < LEAST_SAME_HOUR
    return np.where(few[:, None], np.nan, past)


def _unlearned(sites: Window, now: Mapping[str, Floats], open_alerts: Collection[Alert]) -> dict[str, Floats]:
    """Return this period's values as they are remembered: those of a warning are no normal."""
    columns = dict(now)
    for rule, name in RULES.items():
        out = {a.subject for a in open_alerts if a.rule == rule and a.tier >= 2}
        columns[name] = np.where([key in out for key in sites.keys], np.nan, now[name])
    return columns


def _forget_settled(sites: Window, ended: Collection[Alert]) -> Window:
    """Learn the normal of a measure anew where an alert was settled."""
    arrays = dict(sites.arrays)
    for rule, name in RULES.items():
        anew = {a.subject for a in ended if a.rule == rule and a.state == "settled"}
        if anew:
            rows = np.array([key in anew for key in sites.keys])
            arrays[name] = np.where(rows[:, None], np.nan, arrays[name])
    return Window(sites.keys, freeze(arrays))


def _day_of(hours: Window) -> dict[str, Floats]:
    """Return the day that ends: sums, the last backlog, medians; NaN where no hour is known."""
    last = {name: hours.arrays[name][:, -24:] for name in MEASURES}
    day = {}
    for name in ("scans", "handled_pieces"):
        known = (~np.isnan(last[name])).any(axis=1)
        day[name] = np.where(known, np.nansum(last[name], axis=1), np.nan)
    day["backlog_pieces"], _ = row_medians(last["backlog_pieces"][:, -3:])
    for name in ("dwell_median_h", "late_share"):
        day[name], _ = row_medians(last[name])
    return day
