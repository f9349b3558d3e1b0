"""One day of leg volumes: silent sites, collapsed legs, a low network, drifting sites.

Only what is known by the day counts. A leg or site without a row on a day on which others have
rows moved nothing; a day without any row is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from changtong.events.alerts import wording
from changtong.events.alerts.drift import WEEKS, least_score, trends, weekly_medians
from changtong.events.alerts.levels import LEVEL_DAYS, WINDOW_DAYS, levels, network_factors, row_medians
from changtong.events.alerts.life import DAY_MS, Alert, Signal, Subject, advance
from changtong.events.alerts.state import WatchState, Window, empty_window, freeze, with_step
from changtong.events.alerts.thresholds import Thresholds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

OWN_LOW_DAYS = 2
"""A site as low as this on more days of its window is so now and then: attention at most."""


@dataclass(frozen=True)
class SiteDay:
    """What sites moved on one day, beside what is normal.

    Attributes
    ----------
    seen, level, expected : array
        Pieces; the level is that of the weekday, expected also has the network's day in it.
    factors : array
        The other sites' day.
    network_factor : float
        The day of all.
    """

    seen: Floats
    level: Floats
    expected: Floats
    factors: Floats
    network_factor: float


def new_windows() -> dict[str, Window]:
    """Return the windows of a watch that has seen nothing."""
    return {
        "sites": empty_window({"freed": WINDOW_DAYS, "sent": LEVEL_DAYS, "held": 1}),
        "legs": empty_window({"freed": LEVEL_DAYS, "held": 1}),
    }


def step_volumes(
    state: WatchState, at_ms: int, day: Mapping[Subject, float], marked: bool, thresholds: Thresholds
) -> tuple[WatchState, tuple[Alert, ...]]:
    """Take one day.

    Parameters
    ----------
    state : WatchState
    at_ms : int
        Beginning of the day.
    day : mapping of (from_site, to_site) to float
        Pieces; empty where the day is unknown.
    marked : bool
        A holiday or promotion.
    thresholds : Thresholds

    Returns
    -------
    tuple
        The state after the day, and the alerts that ended on it.
    """
    sites, legs = state.windows["sites"], state.windows["legs"]
    if not day:
        unknown = {"sites": _unknown(sites), "legs": _unknown(legs)}
        return with_step(state, at_ms, unknown, state.open_alerts), ()
    moved, sent = _by_site(day)
    sites = sites.widen([key for key, pieces in moved.items() if pieces > 0])
    legs = legs.widen([key for key, pieces in day.items() if pieces > 0])
    when = wording.day_words(at_ms, state.zone)

    before = {(alert.rule, alert.subject): alert for alert in state.open_alerts}
    facts = weigh_sites(sites, moved, thresholds.of("site-silent", "watched_expected"))
    signals = [network_signal(facts.network_factor, marked, when, thresholds)]
    if signals[0].tier < 2:
        signals += silent_signals(sites, facts, before, marked, when, "pieces", thresholds)
    signals += drift_of_volumes(state, sites, at_ms, when, thresholds)
    of_legs = tuple(a for a in state.open_alerts if a.rule == "leg-collapse")
    others = tuple(a for a in state.open_alerts if a.rule != "leg-collapse")
    others, ended = advance(others, signals, at_ms, thresholds)
    shut = {a.subject[0]: a.alert_id for a in others if a.rule == "site-silent" and a.tier >= 2}
    origins = _origins(sites, facts, sent)
    judged = thresholds.of("leg-collapse", "judged_days") * DAY_MS
    young = {alert.subject: at_ms - alert.found_ms < judged for alert in of_legs}
    more, leg_levels = leg_signals(legs, day, origins, facts.network_factor, young, shut, when, thresholds)
    if signals[0].tier >= 2:
        more = []  # the whole network is low: no leg of its own
    of_legs, legs_ended = advance(of_legs, more, at_ms, thresholds)
    open_alerts = (*others, *(covered(alert, shut) for alert in of_legs))
    ended = (*ended, *(covered(alert, shut) for alert in legs_ended))
    windows = {
        "sites": remember_sites(sites, facts, at_ms, open_alerts, ended, sent),
        "legs": _remember_legs(legs, day, facts.network_factor, leg_levels, open_alerts, ended, shut),
    }
    return with_step(state, at_ms, windows, open_alerts), ended


def _by_site(day: Mapping[Subject, float]) -> tuple[dict[Subject, float], dict[str, float]]:
    """Return what each site moved, in and out, and what it sent."""
    moved: dict[Subject, float] = {}
    sent: dict[str, float] = {}
    for (a, b), pieces in day.items():
        moved[(a,)] = moved.get((a,), 0.0) + pieces
        moved[(b,)] = moved.get((b,), 0.0) + pieces
        sent[a] = sent.get(a, 0.0) + pieces
    return moved, sent


def _origins(sites: Window, facts: SiteDay, sent: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return what each site sends and should send."""
    usual = levels(sites.arrays["sent"]) * facts.factors
    return {
        key[0]: (sent.get(key[0], 0.0), float(normal)) for key, normal in zip(sites.keys, usual, strict=True)
    }


def weigh_sites(sites: Window, moved: Mapping[Subject, float], least_level: float) -> SiteDay:
    """Return what sites moved beside what is normal; levels of sites in an alert are those before it."""
    seen = np.array([moved.get(key, 0.0) for key in sites.keys])
    level = levels(sites.arrays["freed"])
    held = sites.arrays["held"][:, 0]
    in_alert = ~np.isnan(held)
    level = np.where(in_alert, held, level)
    use = (np.nan_to_num(level) >= least_level) & ~in_alert
    factors, network_factor = network_factors(seen, level, use)
    return SiteDay(seen, level, level * factors, factors, network_factor)


def network_signal(factor: float, marked: bool, when: str, thresholds: Thresholds) -> Signal:
    """Return what the network as a whole shows; a holiday's dip is none as long as it is no collapse."""
    rule = "network-low"
    tier = 0
    if factor < thresholds.of(rule, "severe_share"):
        tier = 3
    elif not marked:
        names = ("attention_share", "warning_share")
        tier = int(sum(factor < thresholds.of(rule, name) for name in names))
    calm = factor >= thresholds.of(rule, "calm_share")
    return Signal(rule, (), tier, calm, factor, 1.0, wording.network(when, factor, marked))


def silent_signals(
    sites: Window,
    facts: SiteDay,
    before: Mapping[tuple[str, Subject], Alert],
    marked: bool,
    when: str,
    unit: str,
    thresholds: Thresholds,
) -> list[Signal]:
    """Return a signal for every site below its own normal, and for those with an open alert."""
    rule = "site-silent"
    low, silent = thresholds.of(rule, "attention_share"), thresholds.of(rule, "warning_share")
    twice = thresholds.of(rule, "twice_share")
    least, freed = thresholds.of(rule, "least_expected"), sites.arrays["freed"]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = facts.seen / facts.expected
        watched = facts.level >= thresholds.of(rule, "watched_expected")
        # a day that is not quite silent, after another such day
        again = (share < twice) & (freed[:, -1] < twice * facts.level)
        # days before a site first came near its level were its beginning, not its habit
        grown = np.maximum.accumulate(freed >= 0.5 * facts.level[:, None], axis=1)
        often_low = (grown & (freed < low * facts.level[:, None])).sum(axis=1) > OWN_LOW_DAYS
        often_silent = (grown & (freed < silent * facts.level[:, None])).sum(axis=1) > OWN_LOW_DAYS
    found = []
    for k, key in enumerate(sites.keys):
        alert = before.get((rule, key))
        tier = 0
        if watched[k] and (share[k] < silent or again[k]):
            tier = 1 if facts.level[k] < least or often_silent[k] else 2
            large = facts.level[k] >= thresholds.of(rule, "severe_expected")
            if tier == 2 and large and alert is not None and alert.warned_ms is not None:
                tier = 3
        elif watched[k] and share[k] < low and facts.level[k] >= least:
            tier = 0 if marked or often_low[k] else 1
        if tier == 0 and alert is None:
            continue
        if np.isnan(facts.expected[k]):
            continue  # nothing can be said today
        calm = bool(facts.seen[k] >= thresholds.of(rule, "calm_share") * facts.expected[k])
        words = wording.silent(
            key[0], when, facts.seen[k], facts.expected[k], facts.level[k], facts.factors[k], unit
        )
        found.append(Signal(rule, key, tier, calm, float(facts.seen[k]), float(facts.expected[k]), words))
    return found


def drift_of_volumes(
    state: WatchState, sites: Window, at_ms: int, when: str, thresholds: Thresholds
) -> list[Signal]:
    """Return, on Mondays, the sites whose volume has fallen week after week."""
    if datetime.fromtimestamp(at_ms / 1000, ZoneInfo(state.zone)).weekday() != 0:
        return []
    is_open = {alert.subject for alert in state.open_alerts if alert.rule == "drift-scans"}
    weeks = weekly_medians(sites.arrays["freed"])
    size, _ = row_medians(weeks[:, : WEEKS // 2])
    large = np.nan_to_num(size) >= thresholds.of("drift", "least_expected")
    return drift_signals("drift-scans", sites, weeks, large, is_open, when, thresholds)


def drift_signals(
    rule: str,
    sites: Window,
    weeks: Floats,
    watched: Bools,
    is_open: set[Subject],
    when: str,
    thresholds: Thresholds,
) -> list[Signal]:
    """Return signals of one measure; volumes drift down, backlog, dwell and lateness up."""
    way = -1 if rule == "drift-scans" else 1
    score, change = trends(weeks)
    least = least_score(weeks.shape[1], thresholds.of("drift", "alpha"))
    # against the first week of the trend line, not the first week alone, which may be an odd one
    middle, _ = row_medians(weeks)
    base = middle - change / 2.0
    if rule == "drift-late":
        base = np.maximum(base, thresholds.of("drift", "least_late_share"))
    found = []
    for k, key in enumerate(sites.keys):
        if np.isnan(weeks[k]).any() or not (watched[k] or key in is_open):
            continue
        share = float(change[k] / base[k]) if base[k] > 0 else 0.0
        tier = 0
        if way * score[k] >= least:
            names = ("attention_change", "warning_change", "severe_change")
            tier = int(sum(way * share >= thresholds.of("drift", name) for name in names))
            # one test of many may be chance: attention until the next week says the same
            tier = tier if key in is_open else min(tier, 1)
        if tier == 0 and key not in is_open:
            continue
        words = wording.drift(rule, key[0], when, weeks[k, 0], weeks[k, -1], share, int(score[k]))
        first, last = float(weeks[k, 0]), float(weeks[k, -1])
        found.append(Signal(rule, key, tier, way * score[k] < least, last, first, words))
    return found


def leg_signals(
    legs: Window,
    day: Mapping[Subject, float],
    origins: Mapping[str, tuple[float, float]],
    factor: float,
    is_open: Mapping[Subject, bool],
    shut: Mapping[str, str],
    when: str,
    thresholds: Thresholds,
) -> tuple[list[Signal], Floats]:
    """Return signals of legs, and the level of each leg.

    A leg whose origin sends its pieces another way is at attention: a re-routing. It is a warning where the
    origin sends less in the first days, and this leg explains most of that. A site's alert covers its legs.
    ``is_open`` says of each open alert whether it is still in its first days, ``origins`` what each origin
    sends and should send.
    """
    rule = "leg-collapse"
    freed, held = legs.arrays["freed"], legs.arrays["held"][:, 0]
    level = np.where(np.isnan(held), levels(freed), held)
    seen = np.array([day.get(key, 0.0) for key in legs.keys])
    expected = level * float(np.clip(factor, 0.3, 3.0))
    share = thresholds.of(rule, "bad_share")
    with np.errstate(invalid="ignore"):
        days = np.maximum(1, np.count_nonzero(~np.isnan(freed), axis=1))
        present = (freed >= share * level[:, None]).sum(axis=1) / days
        bad = (expected >= thresholds.of(rule, "least_expected")) & (seen < share * expected)
    steady = present >= thresholds.of(rule, "present_share")
    found = []
    for k, key in enumerate(legs.keys):
        opened = key in is_open
        if np.isnan(expected[k]) or not (opened or (bad[k] and steady[k])):
            continue
        if not opened and (key[0] in shut or key[1] in shut):
            continue
        out, out_expected = origins.get(key[0], (0.0, np.nan))
        tier = int(bool(bad[k]))
        short = out_expected - out  # NaN where the origin is too new: then no warning
        lost = out < thresholds.of(rule, "origin_share") * out_expected
        if (
            tier
            and is_open.get(key, False)
            and lost
            and expected[k] - seen[k] >= thresholds.of(rule, "own_part") * short
        ):
            tier = 3 if expected[k] >= thresholds.of(rule, "severe_expected") else 2
        calm = bool(seen[k] >= thresholds.of(rule, "calm_share") * expected[k])
        words = wording.leg(key, when, seen[k], expected[k], out, out_expected)
        found.append(Signal(rule, key, tier, calm, float(seen[k]), float(expected[k]), words))
    return found, level


def covered(alert: Alert, shut: Mapping[str, str]) -> Alert:
    """Say of a leg's alert which site's alert covers it, if one does."""
    if len(alert.subject) != 2 or alert.covered_by is not None:
        return alert
    by = next((shut[site] for site in alert.subject if site in shut), None)
    return alert if by is None else replace(alert, covered_by=by)


def remember_sites(
    sites: Window,
    facts: SiteDay,
    at_ms: int,
    open_alerts: Sequence[Alert],
    ended: Sequence[Alert],
    sent: Mapping[str, float] | None = None,
) -> Window:
    """Return the window with this day; days of a silent site say nothing of its level.

    A single silent day stays in it: where it comes again every week, it is the site's habit. Once the
    silence is confirmed, all its days are left out.
    """
    silent = {a.subject: a for a in open_alerts if a.rule == "site-silent" and a.tier >= 2}
    settled = {a.subject for a in ended if a.rule == "site-silent" and a.state == "settled"}
    held = np.array([key in silent for key in sites.keys], bool)
    anew = np.array([key in settled for key in sites.keys], bool)
    lasting = np.zeros(len(sites.keys), np.int64)
    for k, key in enumerate(sites.keys):
        if key in silent and silent[key].confirmed_ms is not None:
            lasting[k] = round((at_ms - silent[key].began_ms) / DAY_MS) + 1
    columns = {
        "freed": facts.seen / facts.factors,
        "held": np.where(held, facts.level, np.nan),
    }
    if sent is not None:
        columns["sent"] = np.array([sent.get(key[0], 0.0) for key in sites.keys]) / facts.factors
    after = sites.push(columns)
    arrays = dict(after.arrays)
    for name in columns.keys() - {"held"}:
        arrays[name] = _without(arrays[name], lasting)
    return _forget(Window(after.keys, freeze(arrays)), anew, held)


def _without(values: Floats, last: Ints) -> Floats:
    """Return the values with so many of the last ones of each row left out."""
    back = np.arange(values.shape[1], 0, -1)
    return np.where(back[None, :] <= last[:, None], np.nan, values)


def _remember_legs(
    legs: Window,
    day: Mapping[Subject, float],
    factor: float,
    level: Floats,
    open_alerts: Sequence[Alert],
    ended: Sequence[Alert],
    shut: Mapping[str, str],
) -> Window:
    low = {a.subject for a in open_alerts if a.rule == "leg-collapse"}
    settled = {a.subject for a in ended if a.rule == "leg-collapse" and a.state == "settled"}
    seen = np.array([day.get(key, 0.0) for key in legs.keys])
    held = np.array([key in low for key in legs.keys], bool)
    out = held | np.array([key[0] in shut or key[1] in shut for key in legs.keys], bool)
    anew = np.array([key in settled for key in legs.keys], bool)
    freed = seen / float(np.clip(factor, 0.3, 3.0))
    after = legs.push({"freed": np.where(out, np.nan, freed), "held": np.where(held, level, np.nan)})
    return _forget(after, anew, held)


def _forget(window: Window, anew: Bools, in_alert: Bools) -> Window:
    """Begin settled rows anew; drop rows that have not moved in the whole window."""
    if anew.any():
        arrays = {name: np.where(anew[:, None], np.nan, array) for name, array in window.arrays.items()}
        window = Window(window.keys, freeze(arrays))
    freed = window.arrays["freed"]
    with np.errstate(invalid="ignore"):
        return window.keep((freed > 0).any(axis=1) | in_alert)


def _unknown(window: Window) -> Window:
    """Return the window after a day of which nothing is known; what an alert holds stays."""
    nothing = np.full(len(window.keys), np.nan)
    return window.push({name: nothing for name in window.arrays if name != "held"})
