"""Rights tickets of couriers, followed to their end.

::

    received, reopened ──accept──► accepted ──mediate──► mediated
        │reject      │transfer        │settle               │settle
        ▼            ▼                ▼                     ▼
    rejected     transferred ──► settled ──close──► closed ──reopen──► reopened

The firm's ``reply``, ``evidence`` and ``propose`` (a settlement) leave a ticket in its state. A ticket is
what was said at first and the events since; its state is made of these each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.workforce.rights_ticket_rules import DATES, Clock, Escalation, TicketRules, is_announced

ACTIONS: dict[str, dict[str, str]] = {
    "accept": dict.fromkeys(("received", "transferred", "reopened"), "accepted"),
    "reject": dict.fromkeys(("received", "reopened"), "rejected"),
    "transfer": dict.fromkeys(("received", "accepted", "mediated", "reopened"), "transferred"),
    "mediate": {"accepted": "mediated"},
    "settle": dict.fromkeys(("accepted", "transferred", "mediated"), "settled"),
    "close": dict.fromkeys(("settled", "accepted", "transferred", "mediated"), "closed"),
    "reopen": dict.fromkeys(("settled", "closed", "rejected"), "reopened"),
    "reply": {one: one for one in ("received", "accepted", "transferred", "mediated", "reopened")},
    "evidence": {one: one for one in ("received", "accepted", "transferred", "mediated", "reopened")},
    "propose": {one: one for one in ("accepted", "transferred", "mediated")},
}
"""Action -> state before -> state after."""

FIRM_ACTIONS = ("reply", "evidence", "propose")
"""What the firm does with a ticket: a text, files with a text, a settlement that it offers."""

WANT_REASON = ("reject", "reopen", *FIRM_ACTIONS)
MOST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """Something done with a ticket; ``to`` of a transfer, ``files`` of evidence: ids of attachments."""

    at: datetime
    action: str
    by: str
    reason: str = ""
    to: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RightsTicket:
    """A ticket.

    Attributes
    ----------
    id, kind, firm_id : str
    received_at : datetime
    by : str
        Who wrote it down.
    region : str
        GB/T 2260 code, or empty.
    harmed_on, ended_on : date or None
        When the right was hurt, or the accident happened; when the employment ended.
    name, phone, text : str
        Of the courier; personal, and shown masked.
    events : tuple of TicketEvent
    """

    id: str
    kind: str
    firm_id: str
    received_at: datetime
    by: str
    region: str = ""
    harmed_on: date | None = None
    ended_on: date | None = None
    name: str = ""
    phone: str = ""
    text: str = ""
    events: tuple[TicketEvent, ...] = ()

    @property
    def state(self) -> str:
        """The state after all events."""
        return self.states()[-1][0]

    def states(self) -> list[tuple[str, datetime]]:
        """Return the states the ticket went through, and since when."""
        made = [("received", self.received_at)]
        for event in self.events:
            after = ACTIONS[event.action][made[-1][0]]
            if after != made[-1][0]:
                made.append((after, event.at))
        return made

    @property
    def last_at(self) -> datetime:
        """When something was done with it last."""
        return self.events[-1].at if self.events else self.received_at


@dataclass(frozen=True, slots=True)
class RunningClock:
    """A clock of a ticket at an instant.

    Attributes
    ----------
    ticket_id : str
    clock : Clock
    last_day : date
    due : datetime
        It is late from this instant on.
    stage : str
        ``running``, ``remind`` or ``overdue``.
    days_left : int
        Below 0: days overdue.
    told : tuple of Escalation
        Who must have been told; of clocks of the office only.
    is_provisional : bool
        Working days of a year whose moved days are not announced.
    """

    ticket_id: str
    clock: Clock
    last_day: date
    due: datetime
    stage: str
    days_left: int
    told: tuple[Escalation, ...]
    is_provisional: bool


def check_ticket(ticket: RightsTicket, rules: TicketRules) -> None:
    """Check what is said of a new ticket.

    Parameters
    ----------
    ticket : RightsTicket
    rules : TicketRules

    Raises
    ------
    InputError
        ``bad-ticket``, with every problem.
    """
    problems: list[Problem] = []

    def add(message: str, where: str, expected: str = "", hint: str = "") -> None:
        problems.append(Problem("bad-ticket", message, ticket.id, None, where, expected, hint))

    kinds = [one.id for one in rules.kinds]
    if ticket.kind not in kinds:
        hint = NearestNames(kinds).hint(ticket.kind)
        add(f"{ticket.kind!r} is no kind.", "kind", "one of " + ", ".join(kinds), hint)
    for where in ("firm_id", "by"):
        if not getattr(ticket, where).strip():
            add("it is empty.", where, "a text")
    if ticket.region and not (
        ticket.region.isascii() and ticket.region.isdigit() and len(ticket.region) == 6
    ):
        add(f"{ticket.region!r} is no code.", "region", "six digits (GB/T 2260)")
    if len(ticket.text) > MOST_TEXT:
        add(f"{len(ticket.text)} signs are too many.", "text", f"at most {MOST_TEXT}")
    if ticket.received_at.tzinfo is None:
        add("the time has no zone.", "at", "as 2024-03-01T09:00+08:00")
    else:
        for where in ("harmed_on", "ended_on"):
            day = getattr(ticket, where)
            if day is not None and day > rules.day_of(ticket.received_at):
                add(f"{day} is after the ticket was received.", where, "not later")
    if problems:
        raise InputError(problems)


def move_ticket(ticket: RightsTicket, event: TicketEvent) -> RightsTicket:
    """Return a ticket after something was done with it.

    Parameters
    ----------
    ticket : RightsTicket
    event : TicketEvent

    Raises
    ------
    InputError
        ``wrong-state``, ``bad-action``; every problem of the event.
    """
    problems: list[Problem] = []

    def add(code: str, message: str, where: str, expected: str = "", hint: str = "") -> None:
        problems.append(Problem(code, message, ticket.id, None, where, expected, hint))

    if event.action not in ACTIONS:
        expected = "one of " + ", ".join(ACTIONS)
        add(
            "bad-action",
            f"{event.action!r} is unknown.",
            "action",
            expected,
            NearestNames(ACTIONS).hint(event.action),
        )
    elif ticket.state not in ACTIONS[event.action]:
        possible = ", ".join(name for name, ways in ACTIONS.items() if ticket.state in ways)
        add("wrong-state", f"{event.action}: the ticket is {ticket.state}.", "action", f"one of {possible}")
    if not event.by.strip():
        add("bad-action", "nobody is named.", "by", "who does it")
    early = event.action == "close" and ticket.state != "settled"
    if (event.action in WANT_REASON or early) and not event.reason.strip():
        add("bad-action", f"{event.action} needs a reason.", "reason", "why, without names of persons")
    if len(event.reason) > MOST_TEXT:
        add("bad-action", f"{len(event.reason)} signs are too many.", "reason", f"at most {MOST_TEXT}")
    if event.action == "transfer" and not event.to.strip():
        add("bad-action", "transfer needs to whom.", "to", "an authority or a firm")
    if event.at.tzinfo is None:
        add("bad-action", "the time has no zone.", "at", "as 2024-03-01T09:00+08:00")
    elif event.at < ticket.last_at:
        add(
            "bad-action",
            "it is before what was done last.",
            "at",
            f"{ticket.last_at.isoformat()} or later",
        )
    if problems:
        raise InputError(problems)
    return replace(ticket, events=(*ticket.events, event))


def running_clocks(ticket: RightsTicket, rules: TicketRules, at: datetime) -> list[RunningClock]:
    """Return the clocks that run at an instant; what was done after it does not count.

    Parameters
    ----------
    ticket : RightsTicket
    rules : TicketRules
    at : datetime
        With a zone.

    Notes
    -----
    A clock that begins with a state is ended by any of its ``ends`` after that, until the state is entered
    again; one that begins with a date runs again where a ticket is reopened. Each is in time until the end
    of its last day, in the zone of the rules, and overdue from that instant on. One whose date is not known
    does not run: it cannot be told when it ends.
    """
    states = [one for one in ticket.states() if one[1] <= at]
    if not states:
        return []
    made = []
    for clock in rules.clocks:
        if clock.kinds and ticket.kind not in clock.kinds:
            continue
        begin = _begin(ticket, clock, states, rules)
        if begin is None:
            continue
        last_day = rules.last_day(clock, begin)
        due = rules.end_of(last_day)
        left = (last_day - rules.day_of(at)).days
        stage = "overdue" if at >= due else "remind" if left <= clock.remind_days else "running"
        told = rules.escalation if stage == "overdue" and clock.whose == "office" else ()
        made.append(
            RunningClock(
                ticket.id, clock, last_day, due, stage, left,
                tuple(one for one in told if one.days_overdue <= -left),
                clock.unit == "working_days" and not is_announced(last_day.year),
            )
        )  # fmt: skip
    return sorted(made, key=lambda one: (one.due, one.clock.id))


def _begin(
    ticket: RightsTicket, clock: Clock, states: list[tuple[str, datetime]], rules: TicketRules
) -> date | None:
    """Return the day a clock runs from; None where it does not run, or no longer."""
    if clock.begins in DATES:
        day: date | None = getattr(ticket, clock.begins)
        return None if states[-1][0] in clock.ends else day
    entered = [place for place, (state, _) in enumerate(states) if state == clock.begins]
    if not entered or any(state in clock.ends for state, _ in states[entered[-1] + 1 :]):
        return None
    return rules.day_of(states[entered[-1]][1])


def due_clocks(
    tickets: Iterable[RightsTicket], rules: TicketRules, at: datetime, *, all_running: bool = False
) -> list[RunningClock]:
    """Return what is overdue or soon due of all tickets, the most overdue first.

    Parameters
    ----------
    tickets : iterable of RightsTicket
    rules : TicketRules
    at : datetime
    all_running : bool
        Clocks that are far from their end, too.
    """
    made = [one for ticket in tickets for one in running_clocks(ticket, rules, at)]
    shown = [one for one in made if all_running or one.stage != "running"]
    return sorted(shown, key=lambda one: (one.due, one.ticket_id, one.clock.id))


def clock_facts(one: RunningClock) -> dict[str, Any]:
    """Return a running clock as plain values.

    Parameters
    ----------
    one : RunningClock
    """
    clock = one.clock
    return {
        "ticket_id": one.ticket_id, "clock": clock.id, "zh": clock.zh, "en": clock.en, "whose": clock.whose,
        "last_day": one.last_day.isoformat(), "due": one.due.isoformat(), "stage": one.stage,
        "days_left": one.days_left, "told_zh": [step.zh for step in one.told],
        "told_en": [step.en for step in one.told], "basis": clock.basis,
        "basis_en": clock.basis_en, "provenance": clock.provenance,
        "is_provisional": one.is_provisional,
    }  # fmt: skip
