"""How long clocks of rights tickets took beside their limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from changtong.workforce.rights_ticket_rules import DATES, Clock, TicketRules, is_working_day
from changtong.workforce.rights_tickets import RightsTicket, running_clocks

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class EndedClock:
    """A clock that a ticket has ended.

    Attributes
    ----------
    ticket_id : str
    clock : Clock
    begin, ended_on, last_day : date
    taken, limit : int
        Days; working days where the clock counts these.
    is_late : bool
    """

    ticket_id: str
    clock: Clock
    begin: date
    ended_on: date
    last_day: date
    taken: int
    limit: int
    is_late: bool


@dataclass(frozen=True, slots=True)
class ClockTimes:
    """What a clock took, over all tickets.

    Attributes
    ----------
    clock : Clock
    ended, late : int
        How often it was ended, and how often of those after its last day.
    middle, longest : float or None
        Days, or working days, from its begin to its end: median and most; None where none has ended.
    limit : int or None
        In the same days; None where none has ended or runs.
    running, overdue : int
        Not ended, and of those overdue.
    """

    clock: Clock
    ended: int
    late: int
    middle: float | None
    longest: float | None
    limit: int | None
    running: int
    overdue: int


def ended_clocks(ticket: RightsTicket, rules: TicketRules, at: datetime) -> list[EndedClock]:
    """Return the clocks that a ticket has ended by an instant.

    Parameters
    ----------
    ticket : RightsTicket
    rules : TicketRules
    at : datetime
        With a zone; what was done after it does not count.

    Notes
    -----
    A clock that begins with a state counts once for each time it was ended; one that begins with a date
    once, when the ticket came into the state it is in now, where that ends it.
    """
    states = [one for one in ticket.states() if one[1] <= at]
    made = []
    for clock in rules.clocks:
        if clock.kinds and ticket.kind not in clock.kinds:
            continue
        for begin, end in _spans(ticket, clock, states, rules):
            last_day, ended_on = rules.last_day(clock, begin), rules.day_of(end)
            counted = clock.unit == "working_days"
            made.append(
                EndedClock(
                    ticket.id, clock, begin, ended_on, last_day, _days(begin, ended_on, working=counted),
                    _days(begin, last_day, working=counted), end >= rules.end_of(last_day),
                )
            )  # fmt: skip
    return made


def _spans(
    ticket: RightsTicket, clock: Clock, states: list[tuple[str, datetime]], rules: TicketRules
) -> list[tuple[date, datetime]]:
    """Return the days a clock began on and the instants that ended it."""
    if clock.begins in DATES:
        day: date | None = getattr(ticket, clock.begins)
        end: datetime | None = None
        for state, since in states:
            end = (end or since) if state in clock.ends else None
        return [] if day is None or end is None else [(day, end)]
    made, since_day = [], None
    for state, since in states:
        if since_day is not None and state in clock.ends:
            made.append((since_day, since))
            since_day = None
        if state == clock.begins:
            since_day = rules.day_of(since)
    return made


def _days(begin: date, end: date, *, working: bool) -> int:
    """Count the days after ``begin`` up to ``end``; below 0 where that lies before it."""
    days = (end - begin).days
    return sum(is_working_day(begin + k * DAY) for k in range(1, days + 1)) if working else days


def clock_times(tickets: Iterable[RightsTicket], rules: TicketRules, at: datetime) -> list[ClockTimes]:
    """Return what each clock of the rules took, in the order of the rules.

    Parameters
    ----------
    tickets : iterable of RightsTicket
    rules : TicketRules
    at : datetime
        With a zone.
    """
    known = list(tickets)
    ended = [one for ticket in known for one in ended_clocks(ticket, rules, at)]
    running = [one for ticket in known for one in running_clocks(ticket, rules, at)]
    made = []
    for clock in rules.clocks:
        mine = [one for one in ended if one.clock == clock]
        open_ones = [one for one in running if one.clock == clock]
        taken = [one.taken for one in mine]
        limit = clock.amount if clock.unit != "years" else max((one.limit for one in mine), default=None)
        made.append(
            ClockTimes(
                clock, len(mine), sum(one.is_late for one in mine), median(taken) if taken else None,
                max(taken, default=None), limit, len(open_ones),
                sum(one.stage == "overdue" for one in open_ones),
            )
        )  # fmt: skip
    return made
