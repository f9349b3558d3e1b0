"""The way of a request of a person about their own data, and the clocks it runs against.

::

    received ──ask──► waiting ──┐
        │identify               │identify
        ▼                       ▼
    verified, reopened ──decide──► decided ──answer──► answered ──reopen──► reopened

``step`` tells what was carried out and leaves a request in its state; ``withdraw`` ends one that is not
answered. A refusal for want of an identity is decided without one. A request is what was said at first and
the events since; its state is made of these each time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from changtong.data_requests.rules import RequestClock, RequestRules
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames

ACTIONS: dict[str, dict[str, str]] = {
    "ask": dict.fromkeys(("received", "waiting"), "waiting"),
    "identify": dict.fromkeys(("received", "waiting"), "verified"),
    "step": {one: one for one in ("verified", "reopened", "decided")},
    "decide": dict.fromkeys(("received", "waiting", "verified", "reopened"), "decided"),
    "answer": {"decided": "answered"},
    "reopen": {"answered": "reopened"},
    "withdraw": dict.fromkeys(("received", "waiting", "verified", "reopened", "decided"), "withdrawn"),
}
"""Action -> state before -> state after."""

OPEN = ("received", "waiting", "verified", "decided", "reopened")
"""States in which something is still to be done."""

CHANNELS = ("app", "phone", "counter", "letter", "email")
ON_BEHALF = ("self", "guardian", "authorised", "relative")
"""Who asks; ``relative``: of somebody who has died (PIPL, article 49)."""

METHODS = ("in_person", "account", "phone_back", "document", "authorisation", "relationship")
"""How an identity was established; of a document that was looked at no copy is kept."""

DECISIONS = ("grant", "partly", "refuse")
WAYS = ("in_person", "account", "letter", "email", "phone")
"""How an answer went out."""

WANT_TEXT = ("ask", "step", "reopen", "withdraw")
MOST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """Something done with a request.

    Attributes
    ----------
    at : datetime
    action, by : str
    text : str
        Reason, or what was done; personal.
    method : str
        Of ``identify``: one of `METHODS`.
    decision, ground : str
        Of ``decide``: one of `DECISIONS`; of what is not granted as a whole a ground of the rules.
    way : str
        Of ``answer``: one of `WAYS`.
    """

    at: datetime
    action: str
    by: str
    text: str = ""
    method: str = ""
    decision: str = ""
    ground: str = ""
    way: str = ""


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A request.

    Attributes
    ----------
    id, kind : str
    received_at : datetime
    by : str
        Who wrote it down.
    channel, on_behalf : str
    name, contact, text : str
        Of the person; personal, and shown masked.
    events : tuple of RequestEvent
    """

    id: str
    kind: str
    received_at: datetime
    by: str
    channel: str = "counter"
    on_behalf: str = "self"
    name: str = ""
    contact: str = ""
    text: str = ""
    events: tuple[RequestEvent, ...] = ()

    @property
    def state(self) -> str:
        """The state after all events."""
        return self.states()[-1][0]

    def states(self) -> list[tuple[str, datetime]]:
        """Return the states the request went through, and since when."""
        made = [("received", self.received_at)]
        for event in self.events:
            after = ACTIONS[event.action][made[-1][0]]
            if after != made[-1][0]:
                made.append((after, event.at))
        return made

    def last(self, action: str) -> RequestEvent | None:
        """Return what was done by this action last."""
        return next((one for one in reversed(self.events) if one.action == action), None)

    @property
    def was_identified(self) -> bool:
        """Whether the identity has been established."""
        return self.last("identify") is not None

    @property
    def last_at(self) -> datetime:
        """When something was done with it last."""
        return self.events[-1].at if self.events else self.received_at

    def next(self) -> list[str]:
        """Return what may be done with it now."""
        return [name for name, ways in ACTIONS.items() if self.state in ways]


def check_request(request: DataRequest, rules: RequestRules) -> None:
    """Check what is said of a new request.

    Parameters
    ----------
    request : DataRequest
    rules : RequestRules

    Raises
    ------
    InputError
        ``bad-data-request``, with every problem.
    """
    problems: list[Problem] = []

    def add(message: str, where: str, expected: str = "", hint: str = "") -> None:
        problems.append(Problem("bad-data-request", message, None, None, where, expected, hint))

    for where, known in (("kind", tuple(rules.kinds)), ("channel", CHANNELS), ("on_behalf", ON_BEHALF)):
        value = getattr(request, where)
        if value not in known:
            add(
                f"{value!r} is unknown.", where, "one of " + ", ".join(known), NearestNames(known).hint(value)
            )
    if not request.name.strip():
        add("nobody is named.", "name", "the name of the person whose data it is about")
    if not request.contact.strip():
        add("there is no way to answer.", "contact", "a phone number or an address")
    for where in ("name", "contact", "text"):
        if len(getattr(request, where)) > MOST_TEXT:
            add("the text is too long.", where, f"at most {MOST_TEXT} signs")
    if request.received_at.tzinfo is None:
        add("the time has no zone.", "received_at", "as 2026-03-01T09:00+08:00")
    if problems:
        raise InputError(problems)


def move_request(request: DataRequest, event: RequestEvent, rules: RequestRules) -> DataRequest:
    """Return a request after something was done with it.

    Parameters
    ----------
    request : DataRequest
    event : RequestEvent
    rules : RequestRules

    Raises
    ------
    InputError
        ``wrong-state``, ``bad-action``; every problem of the event.
    """
    problems: list[Problem] = []

    def add(message: str, where: str, expected: str = "", code: str = "bad-action") -> None:
        problems.append(Problem(code, message, None, None, where, expected))

    if event.action not in ACTIONS:
        add(f"{event.action!r} is unknown.", "action", "one of " + ", ".join(ACTIONS))
    elif request.state not in ACTIONS[event.action]:
        add(f"{event.action}: the request is {request.state}.", "action",
            "one of " + (", ".join(request.next()) or "nothing"), "wrong-state")  # fmt: skip
    if event.action in WANT_TEXT and not event.text.strip():
        add(f"{event.action} needs words.", "text", "what was done, or why; no names")
    if len(event.text) > MOST_TEXT:
        add("the text is too long.", "text", f"at most {MOST_TEXT} signs")
    if event.at.tzinfo is None:
        add("the time has no zone.", "at", "as 2026-03-01T09:00+08:00")
    elif event.at < request.last_at:
        add("it is before what was done last.", "at", f"{request.last_at.isoformat()} or later")
    _check_words(request, event, rules, add)
    if problems:
        raise InputError(problems)
    return replace(request, events=(*request.events, event))


def _check_words(request: DataRequest, event: RequestEvent, rules: RequestRules, add: Any) -> None:
    """Look whether an action has the words that it needs, and no others."""
    for where, action, known in (
        ("method", "identify", METHODS), ("decision", "decide", DECISIONS), ("way", "answer", WAYS),
    ):  # fmt: skip
        value = getattr(event, where)
        if event.action == action and value not in known:
            add(f"{value!r} is unknown." if value else "it is missing.", where, "one of " + ", ".join(known))
        elif event.action != action and value:
            add(f"{event.action} has no {where}.", where, "nothing")
    if event.ground and event.ground not in rules.grounds:
        add(f"{event.ground!r} is unknown.", "ground", "one of " + ", ".join(rules.grounds))
    match event.action:
        case "identify" if request.on_behalf != "self" and event.method not in ("", *METHODS[-2:]):
            add(f"a request by {request.on_behalf} needs the power to act for the person.", "method",
                "authorisation or relationship")  # fmt: skip
        case "decide":
            _check_decision(request, event, rules, add)
        case "answer":
            _check_carried_out(request, add)
        case _ if event.ground:
            add(f"{event.action} has no ground.", "ground", "nothing")


def _check_decision(request: DataRequest, event: RequestEvent, rules: RequestRules, add: Any) -> None:
    is_whole = event.decision == "grant"
    if not is_whole and event.decision in DECISIONS and not event.ground:
        add("what is refused needs a ground.", "ground", "one of " + ", ".join(rules.grounds))
    if not is_whole and not event.text.strip():
        add("what is refused needs a reason: the person is told it.", "text", "why")
    if is_whole and event.ground:
        add("what is granted has no ground.", "ground", "nothing")
    ground = rules.grounds.get(event.ground)
    may_be_unknown = event.decision == "refuse" and ground is not None and ground.before_identity
    if not request.was_identified and not may_be_unknown:
        expected = "identify first, or refuse on the ground identity"
        add("the identity of the person has not been established.", "decision", expected)


def _check_carried_out(request: DataRequest, add: Any) -> None:
    decided = request.last("decide")
    if decided is None or decided.decision == "refuse" or request.state != "decided":
        return
    done = [one.action for one in request.events]
    since = len(done) - done[::-1].index("reopen") if "reopen" in done else 0
    if "step" not in done[since:]:
        add("it was granted, and nothing says that it was carried out.", "action", "a step first")


@dataclass(frozen=True, slots=True)
class Running:
    """A clock of a request at an instant.

    Attributes
    ----------
    request_id : str
    clock : RequestClock
    last_day : date
    due : datetime
        It is late from this instant on.
    stage : {"running", "remind", "overdue"}
    days_left : int
        Below 0: days overdue.
    is_provisional : bool
        Working days of a year whose moved days are not announced.
    """

    request_id: str
    clock: RequestClock
    last_day: date
    due: datetime
    stage: str
    days_left: int
    is_provisional: bool


def running_clocks(request: DataRequest, rules: RequestRules, at: datetime) -> list[Running]:
    """Return the clocks that run at an instant, the next one due first.

    Parameters
    ----------
    request : DataRequest
    rules : RequestRules
    at : datetime
        With a zone; what was done after it does not count.

    Notes
    -----
    A clock runs on while the person is asked for more: the law lets none stand still.
    """
    states = [one for one in request.states() if one[1] <= at]
    made = []
    for clock in rules.clocks:
        if (clock.kinds and request.kind not in clock.kinds) or (
            clock.channels and request.channel not in clock.channels
        ):
            continue
        entered = [place for place, (state, _) in enumerate(states) if state == clock.begins]
        if not entered or any(state in clock.ends for state, _ in states[entered[-1] + 1 :]):
            continue
        last = clock.last_day(rules.day_of(states[entered[-1]][1]))
        due, left = rules.end_of(last), (last - rules.day_of(at)).days
        stage = "overdue" if at >= due else "remind" if left <= clock.remind_days else "running"
        made.append(Running(request.id, clock, last, due, stage, left, clock.is_provisional(last)))
    return sorted(made, key=lambda one: (one.due, one.clock.id))
