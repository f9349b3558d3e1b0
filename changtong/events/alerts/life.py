"""The life of an alert: potential, confirmed, restored or settled; one alert while it lasts.

A rule says for each period (a day, an hour, a week for drifts) what it sees of a subject, as a
:class:`Signal`. The first bad period opens a *potential* alert. The next ones in a row confirm it. Calm
periods in a row restore it, *restored* being the first of them. An alert that outlasts its
rule's ``settle_after`` is *settled*: what is seen counts as the new normal. A period that is unknown gives no
signal and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from changtong.events.alerts.thresholds import Thresholds

TIERS = ("attention", "warning", "severe")
TIERS_ZH = ("提示", "警告", "严重")
STATES = ("potential", "confirmed", "restored", "settled")
DAY_MS = 86_400_000

Subject = tuple[str, ...]
"""``(site,)``, ``(from_site, to_site)``, or ``()`` for the whole network."""


@dataclass(frozen=True)
class Words:
    """The same sentence in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True)
class Signal:
    """What a rule sees of one subject in one period.

    Attributes
    ----------
    rule : str
    subject : tuple of str
    tier : int
        0 where all is well; 1 attention, 2 warning, 3 severe.
    calm : bool
        Well enough to end an alert. A period may be neither bad nor calm.
    value, expected : float
    words : Words
        The evidence.
    first_bad_ms : int or None
        When it began, where a rule sees that only later; else the period itself.
    """

    rule: str
    subject: Subject
    tier: int
    calm: bool
    value: float
    expected: float
    words: Words
    first_bad_ms: int | None = None


@dataclass(frozen=True)
class Alert:
    """One alert. Instants are the beginning of the period that showed it, UTC epoch milliseconds."""

    alert_id: str
    rule: str
    tier: int
    state: str
    subject: Subject
    began_ms: int
    found_ms: int
    warned_ms: int | None
    confirmed_ms: int | None
    restored_ms: int | None
    value: float
    expected: float
    words: Words
    covered_by: str | None = None
    bad_periods: int = 1
    calm_periods: int = 0
    calm_from_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Potential or confirmed."""
        return self.state in ("potential", "confirmed")


def advance(
    open_alerts: Sequence[Alert], signals: Iterable[Signal], at_ms: int, thresholds: Thresholds
) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """Take one period's signals.

    Parameters
    ----------
    open_alerts : sequence of Alert
    signals : iterable of Signal
        At most one for a rule and subject; an open alert without one stays as it is until it is settled.
    at_ms : int
        Beginning of the period.
    thresholds : Thresholds

    Returns
    -------
    tuple
        Open alerts, and those that ended in this period.
    """
    told = {(signal.rule, signal.subject): signal for signal in signals}
    still: list[Alert] = []
    ended: list[Alert] = []
    for alert in open_alerts:
        signal = told.pop((alert.rule, alert.subject), None)
        after = _go_on(alert, signal, at_ms, thresholds)
        (still if after.is_open else ended).append(after)
    for signal in told.values():
        if signal.tier > 0:
            still.append(_begin(signal, at_ms))
    return tuple(still), tuple(ended)


def _begin(signal: Signal, at_ms: int) -> Alert:
    began = at_ms if signal.first_bad_ms is None else signal.first_bad_ms
    when = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%MZ")
    return Alert(
        alert_id=f"{signal.rule}:{'>'.join(signal.subject) or '*'}:{when}",
        rule=signal.rule,
        tier=signal.tier,
        state="potential",
        subject=signal.subject,
        began_ms=began,
        found_ms=at_ms,
        warned_ms=at_ms if signal.tier >= 2 else None,
        confirmed_ms=None,
        restored_ms=None,
        value=signal.value,
        expected=signal.expected,
        words=signal.words,
    )


def _go_on(alert: Alert, signal: Signal | None, at_ms: int, thresholds: Thresholds) -> Alert:
    """Return the alert after one more period."""
    rule = alert.rule
    old = at_ms - alert.began_ms >= thresholds.of(rule, "settle_after") * DAY_MS
    if old and (signal is None or not signal.calm):
        return replace(alert, state="settled", restored_ms=None, calm_periods=0, calm_from_ms=None)
    if signal is None:
        return alert
    if signal.tier == 0:
        if not signal.calm:
            return replace(alert, bad_periods=0, calm_periods=0, calm_from_ms=None)
        calm = alert.calm_periods + 1
        since = at_ms if alert.calm_from_ms is None else alert.calm_from_ms
        after = replace(alert, bad_periods=0, calm_periods=calm, calm_from_ms=since)
        # what was never confirmed needs no second calm period to be gone
        if alert.state == "potential" or calm >= thresholds.of(rule, "calm_after"):
            return replace(after, state="restored", restored_ms=since)
        return after
    bad = alert.bad_periods + 1
    confirmed = alert.confirmed_ms
    if confirmed is None and bad >= thresholds.of(rule, "confirm_after"):
        confirmed = at_ms
    tier = max(alert.tier, signal.tier)
    if (
        tier == 2
        and signal.tier == 2
        and confirmed is not None
        and bad >= thresholds.of(rule, "severe_after")
    ):
        tier = 3
    warned = at_ms if alert.warned_ms is None and tier >= 2 else alert.warned_ms
    state = "confirmed" if confirmed is not None else "potential"
    changed = tier != alert.tier or state != alert.state
    return replace(
        alert,
        tier=tier,
        state=state,
        warned_ms=warned,
        confirmed_ms=confirmed,
        # the evidence is that of the period that last changed something
        value=signal.value if changed else alert.value,
        expected=signal.expected if changed else alert.expected,
        words=signal.words if changed else alert.words,
        bad_periods=bad,
        calm_periods=0,
        calm_from_ms=None,
    )
