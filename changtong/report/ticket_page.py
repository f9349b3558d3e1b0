"""The page of rights tickets: open ones by time left, counts by month and kind, times beside limits.

Nothing personal is on it: no names, phones, texts, reasons or officials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from changtong.report.charts import draw_bar
from changtong.report.figures_page import figures_page
from changtong.report.texts import Both, Language, joined, named, same, text, whole
from changtong.workforce.rights_ticket_rules import WHOSE, Clock, TicketRules
from changtong.workforce.rights_ticket_times import ClockTimes, clock_times
from changtong.workforce.rights_tickets import RightsTicket, RunningClock, running_clocks

MOST_OPEN = 100
MOST_MONTHS = 12
LEAST_SPAN, MOST_SPAN = 30, 180
"""Days that bars of days left or overdue reach at least, and at most."""

EDGE = 1.5
"""Times its limit that a bar draws at most."""

RESOLVED = ("settled", "closed")
DONE = (*RESOLVED, "rejected")
Clocks = dict[str, list[RunningClock]]


def ticket_page(
    tickets: Sequence[RightsTicket], rules: TicketRules, at: datetime, *, language: Language = "zh"
) -> str:
    """Return the page as text: one file that loads nothing.

    Parameters
    ----------
    tickets : sequence of RightsTicket
        What was received or done after the instant does not count.
    rules : TicketRules
    at : datetime
        With a zone.
    language : {"zh", "en"}
        The language it opens in; both are in it.
    """
    known = [one for one in tickets if one.received_at <= at]
    clocks = {one.id: running_clocks(one, rules, at) for one in known}
    open_ones = [one for one in known if _state(one, at) not in DONE]
    parts = [_kinds(known, clocks, rules, at), _open(open_ones, clocks, rules, at)]
    parts += [_times(clock_times(known, rules, at)), _months(known, rules, at)]
    notes = [text("ticket.how_days"), text("ticket.how_resolved"), text("ticket.how_not")]
    local = at.astimezone(ZoneInfo(rules.zone))
    return figures_page(
        language,
        text("ticket.title"),
        f"{local:%Y-%m-%d %H:%M}",
        _headline(known, open_ones, clocks, rules, f"{local:%Y-%m-%d %H:%M}"),
        [part for part in parts if part["rows"]],
        text("ticket.how"),
        notes,
    )


def _state(ticket: RightsTicket, at: datetime) -> str:
    return [state for state, since in ticket.states() if since <= at][-1]


def _headline(
    known: Sequence[RightsTicket],
    open_ones: Sequence[RightsTicket],
    clocks: Clocks,
    rules: TicketRules,
    at: str,
) -> list[Both]:
    def staged(stage: str, whose: Sequence[str]) -> set[str]:
        mine = (one for ticket in open_ones for one in clocks[ticket.id])
        return {one.ticket_id for one in mine if one.stage == stage and one.clock.whose in whose}

    late, soon = staged("overdue", ("office",)), staged("remind", WHOSE)
    lines = [
        text(
            "ticket.head", at=at, all=whole(len(known)), open=whole(len(open_ones)), late=whole(len(late)),
            soon=whole(len(soon - late)),
        )
    ]  # fmt: skip
    if lapsed := staged("overdue", [one for one in WHOSE if one != "office"]):
        lines.append(text("ticket.lapsed", count=whole(len(lapsed))))
    if not open_ones:
        lines.append(text("ticket.none_open"))
    checked = any(one.provenance == "official" for one in rules.clocks)
    lines.append(
        text("ticket.rules_checked" if checked else "ticket.rules", id=rules.id, version=rules.version)
    )
    return [*lines, text("ticket.private")]


def _open(
    open_ones: Sequence[RightsTicket], clocks: Clocks, rules: TicketRules, at: datetime
) -> dict[str, Any]:
    kinds = {one.id: Both(one.zh, one.en) for one in rules.kinds}
    urgent = {one.id: sorted(clocks[one.id], key=_urgency) for one in open_ones}
    ordered = sorted(
        open_ones, key=lambda one: (not urgent[one.id], [_urgency(clock) for clock in urgent[one.id][:1]])
    )
    first = [clock.days_left for one in ordered[:MOST_OPEN] for clock in urgent[one.id][:1]]
    span = min(MOST_SPAN, max([LEAST_SPAN, *map(abs, first)]))
    rows: list[list[Any]] = []
    for one in ordered[:MOST_OPEN]:
        about = [one.id, kinds.get(one.kind, same(one.kind)), one.firm_id]
        about.append(named("ticket_state", _state(one, at)))
        rows.append(about + _nearest(urgent[one.id], span))
    note = text("ticket.open_note", days=span)
    if len(ordered) > MOST_OPEN:
        note = note + " " + text("ticket.open_more", shown=MOST_OPEN, total=whole(len(ordered)))
    heads = [
        text("ticket.ticket"), text("ticket.kind"), text("ticket.firm"), text("ticket.state"),
        text("ticket.clock"), text("ticket.last_day"), text("ticket.left"), text("ticket.told"),
        text("ticket.basis"),
    ]  # fmt: skip
    return {
        "title": text("ticket.open"), "heads": heads, "rows": rows, "note": note, "kind": "stacked",
        "words": list(range(1, len(heads))),
    }  # fmt: skip


def _urgency(one: RunningClock) -> tuple[int, datetime, str]:
    """Rank clocks: overdue ones of the office, those that still run, then limits others have let pass."""
    passed = one.stage == "overdue"
    return (0 if passed and one.clock.whose == "office" else 2 if passed else 1, one.due, one.clock.id)


def _nearest(running: Sequence[RunningClock], span: int) -> list[Any]:
    """Return the cells of the most urgent clock of a ticket, the others in small print."""
    if not running:
        return [text("ticket.no_clock"), "–", "–", "–", "–"]
    one = running[0]
    others = (
        Markup("<small>{}</small>").format(
            escape(text("ticket.other", clock=_called(other.clock), left=_left(other)))
        )
        for other in running[1:]
    )
    day = one.last_day.isoformat()
    left = Markup('<b class="worse">{}</b>' if one.days_left < 0 else "{}").format(escape(_left(one)))
    return [
        escape(_called(one.clock)) + Markup("").join(others),
        text("ticket.provisional", day=day) if one.is_provisional else day,
        left + draw_left(one.days_left, one.stage, span),
        joined([Both(step.zh, step.en) for step in one.told]) if one.told else "–",
        _basis(one.clock),
    ]


def _called(clock: Clock) -> Both:
    whose = named("ticket_whose", clock.whose)
    return text("ticket.called", clock=Both(clock.zh, clock.en), whose=whose)


def _left(one: RunningClock) -> Both:
    if one.days_left >= 0:
        return text("ticket.days_left", days=one.days_left)
    return text("ticket.days_late", days=-one.days_left)


def draw_left(days: int, stage: str, span: int) -> Markup:
    """Draw the days left to the right of a line that is today, overdue ones to its left.

    Parameters
    ----------
    days : int
        Below 0: overdue.
    stage : str
        ``running``, ``remind`` or ``overdue``.
    span : int
        Days that it draws at most.
    """
    width = max(1.0, 50.0 * min(abs(days), span) / span)
    cls = {"overdue": "late", "remind": "soon"}.get(stage, "left")
    x = 50.0 - width if days < 0 else 50.0
    return Markup(
        '<svg class="clock" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="back" width="100" height="8"/>'
        f'<rect class="{cls}" x="{x:.1f}" width="{width:.1f}" height="8"/>'
        '<line class="now" x1="50" x2="50" y1="0" y2="8"/></svg>'
    )


def _basis(clock: Clock) -> Both:
    sure = named("workforce_provenance", clock.provenance)
    basis = Both(clock.basis, clock.basis_en or clock.basis) if clock.basis else text("ticket.no_basis")
    return Both(f"{basis.zh}（{sure.zh}）", f"{basis.en} ({sure.en})")


def _months(known: Sequence[RightsTicket], rules: TicketRules, at: datetime) -> dict[str, Any]:
    last = rules.day_of(at)
    months = [_month(last, k) for k in range(MOST_MONTHS)]
    counts = Counter((f"{rules.day_of(one.received_at):%Y-%m}", one.kind) for one in known)
    kinds = [one for one in rules.kinds if any(counts[month, one.id] for month, _ in counts)]
    sums = {month: sum(counts[month, one.id] for one in kinds) for month in {month for month, _ in counts}}
    earlier = [month for month in sums if month < months[-1]]
    first = min([month for month in sums if month >= months[-1]], default=months[0])
    most = max([*sums.values(), 1])
    rows: list[list[Any]] = [
        [month, *(whole(counts[month, one.id]) for one in kinds), whole(sums.get(month, 0)),
         draw_bar(sums.get(month, 0) / most)]
        for month in months if month >= first
    ]  # fmt: skip
    if earlier:
        of_kinds = [sum(counts[month, one.id] for month in earlier) for one in kinds]
        rows.append([text("ticket.earlier"), *map(whole, of_kinds), whole(sum(of_kinds)), ""])
    heads = [
        text("ticket.month"), *(Both(one.zh, one.en) for one in kinds), text("ticket.sum"),
        text("ticket.bar"),
    ]  # fmt: skip
    return {
        "title": text("ticket.months"), "heads": heads, "rows": rows if known else [],
        "note": text("ticket.months_note", count=MOST_MONTHS),
    }  # fmt: skip


def _month(last: date, back: int) -> str:
    year, month = divmod(12 * last.year + last.month - 1 - back, 12)
    return f"{year}-{month + 1:02d}"


def _kinds(known: Sequence[RightsTicket], clocks: Clocks, rules: TicketRules, at: datetime) -> dict[str, Any]:
    rows = []
    for kind in rules.kinds:
        mine = [one for one in known if one.kind == kind.id]
        if not mine:
            continue
        states = Counter(_state(one, at) for one in mine)
        late = sum(
            any(clock.stage == "overdue" for clock in clocks[one.id])
            for one in mine if _state(one, at) not in DONE
        )  # fmt: skip
        days = [day for one in mine if (day := _days_to_resolve(one, rules, at)) is not None]
        done = sum(states[name] for name in DONE)
        rows.append(
            [
                Both(kind.zh, kind.en), whole(len(mine)), whole(len(mine) - done), whole(late),
                whole(sum(states[name] for name in RESOLVED)), whole(states["rejected"]),
                f"{median(days):g}" if days else "–", whole(max(days)) if days else "–",
            ]
        )  # fmt: skip
    heads = [
        text("ticket.kind"), text("ticket.received"), text("ticket.open_count"), text("ticket.late_count"),
        text("ticket.resolved"), text("ticket.rejected"), text("ticket.middle_days"),
        text("ticket.most_days"),
    ]  # fmt: skip
    return {"title": text("ticket.kinds"), "heads": heads, "rows": rows, "kind": "stacked"}


def _days_to_resolve(ticket: RightsTicket, rules: TicketRules, at: datetime) -> int | None:
    """Return the days from a ticket's first to its last end; None where it is not resolved."""
    end: datetime | None = None
    for state, since in ticket.states():
        if since <= at:
            end = (end or since) if state in RESOLVED else None
    return None if end is None else (rules.day_of(end) - rules.day_of(ticket.received_at)).days


def _times(times: Sequence[ClockTimes]) -> dict[str, Any]:
    rows = [
        [
            _called(one.clock), text(f"ticket.limit_{one.clock.unit}", count=one.clock.amount),
            whole(one.ended), "–" if one.middle is None else f"{one.middle:g}", whole(one.longest),
            draw_times(one), whole(one.late), whole(one.running), whole(one.overdue), _basis(one.clock),
        ]
        for one in times
        if one.ended or one.running
    ]  # fmt: skip
    heads = [
        text("ticket.clock"), text("ticket.limit"), text("ticket.ended"),
        text("ticket.middle"), text("ticket.longest"), text("ticket.bar"), text("ticket.ended_late"),
        text("ticket.running"), text("ticket.running_late"), text("ticket.basis"),
    ]  # fmt: skip
    return {
        "title": text("ticket.times"), "heads": heads, "rows": rows, "note": text("ticket.times_note"),
        "words": [1, 9], "kind": "stacked",
    }  # fmt: skip


def draw_times(one: ClockTimes) -> Markup:
    """Draw the median time a clock took, the longest, and its limit.

    Parameters
    ----------
    one : ClockTimes
    """
    if one.middle is None or one.longest is None or not one.limit:
        return Markup("")

    def x(days: float) -> float:
        return 100.0 * min(max(days, 0.0) / (one.limit or 1), EDGE) / EDGE

    cls = "late" if one.middle > one.limit else "left"
    return Markup(
        '<svg class="clock" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="back" width="100" height="8"/>'
        f'<rect class="{cls}" y="1.5" width="{x(one.middle):.1f}" height="5"/>'
        f'<line class="far" x1="{x(one.longest):.1f}" x2="{x(one.longest):.1f}" y1="2" y2="6"/>'
        f'<line class="now" x1="{x(one.limit):.1f}" x2="{x(one.limit):.1f}" y1="0" y2="8"/></svg>'
    )
