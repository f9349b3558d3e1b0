"""Requests of persons about their own data: their way, their clocks, what is refused; no registers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from changtong.data_requests.requests import (
    ACTIONS,
    OPEN,
    DataRequest,
    RequestEvent,
    check_request,
    move_request,
    running_clocks,
)
from changtong.data_requests.rules import request_rules
from changtong.errors import InputError
from changtong.storage.definitions import HOLDING_STATES, register_columns
from changtong.workforce.rights_ticket_rules import PROVENANCES

RULES = request_rules()
RECEIVED = datetime(2026, 3, 2, 10, 0, tzinfo=RULES.zone)


def said(**more: Any) -> DataRequest:
    given: dict[str, Any] = {
        "id": "R1", "kind": "access", "received_at": RECEIVED, "by": "li", "name": "赵小明",
        "contact": "13812345678",
    }  # fmt: skip
    return DataRequest(**(given | more))


def moved(request: DataRequest, *steps: tuple[str, dict[str, str]]) -> DataRequest:
    for number, (action, words) in enumerate(steps, 1):
        at = request.last_at + timedelta(hours=number)
        request = move_request(request, RequestEvent(at, action, "li", **words), RULES)
    return request


IDENTIFY = ("identify", {"method": "document"})
GRANT = ("decide", {"decision": "grant"})
STEP = ("step", {"text": "the copy was made"})
ANSWER = ("answer", {"way": "letter"})


def codes(request: DataRequest, action: str, **words: str) -> set[tuple[str, str | None]]:
    with pytest.raises(InputError) as found:
        move_request(request, RequestEvent(request.last_at, action, "li", **words), RULES)
    return {(one.code, one.column) for one in found.value.problems}


def test_a_request_goes_from_its_receipt_to_its_answer_and_is_looked_at_again() -> None:
    request = moved(said(), ("ask", {"text": "a photo of the form"}), IDENTIFY, GRANT, STEP, ANSWER)
    assert [one for one, _ in request.states()] == ["received", "waiting", "verified", "decided", "answered"]
    again = moved(request, ("reopen", {"text": "one page is missing"}), GRANT)
    assert again.state == "decided"
    # what was carried out before the person objected does not count for the new decision
    assert codes(again, "answer", way="letter") == {("bad-action", "action")}
    assert moved(again, STEP, ANSWER).state == "answered"
    assert moved(said(), ("withdraw", {"text": "settled by phone"})).next() == []


def test_nothing_is_granted_to_somebody_unknown_and_nothing_refused_without_a_ground() -> None:
    assert codes(said(), "decide", decision="grant") == {("bad-action", "decision")}
    assert codes(said(), "decide", decision="refuse") == {
        ("bad-action", "ground"), ("bad-action", "text"), ("bad-action", "decision"),
    }  # fmt: skip
    # no data are told to somebody unknown, not even that there are none
    assert codes(said(), "decide", decision="refuse", ground="none_held", text="x") == {
        ("bad-action", "decision")
    }
    words = {"decision": "refuse", "ground": "identity", "text": "no proof after two letters"}
    assert moved(said(), ("decide", words), ANSWER).state == "answered"
    known = moved(said(), IDENTIFY)
    assert codes(known, "decide", decision="grant", ground="secret") == {("bad-action", "ground")}
    assert codes(known, "decide", decision="perhaps", ground="law") == {
        ("bad-action", "decision"), ("bad-action", "ground"), ("bad-action", "text"),
    }  # fmt: skip
    assert codes(known, "answer", way="letter") == {("wrong-state", "action")}
    assert codes(known, "step") == {("bad-action", "text")}
    assert codes(known, "step", text="x", method="account", ground="secret") == {
        ("bad-action", "method"), ("bad-action", "ground"),
    }  # fmt: skip
    assert codes(known, "erase") == {("bad-action", "action")}


def test_who_asks_for_another_shows_that_they_may() -> None:
    for who in ("guardian", "authorised", "relative"):
        one = said(on_behalf=who)
        assert codes(one, "identify", method="document") == {("bad-action", "method")}
        assert moved(one, ("identify", {"method": "relationship"})).state == "verified"


def test_clocks_run_to_the_days_of_the_rules_and_end_with_the_answer() -> None:
    def at(request: DataRequest, day: datetime) -> list[tuple[str, str, str, int]]:
        found = running_clocks(request, RULES, day)
        return [(one.clock.id, str(one.last_day), one.stage, one.days_left) for one in found]

    # 2 March and 5 days, 30 days; 15 working days of March 2026, which has no holidays: 23 March
    assert at(said(kind="correction", channel="app"), RECEIVED) == [
        ("identity", "2026-03-07", "running", 5),
        ("app", "2026-03-23", "running", 21),
        ("answer", "2026-04-01", "running", 30),
    ]
    end = datetime(2026, 4, 2, tzinfo=RULES.zone)
    known = moved(said(), IDENTIFY)
    assert at(known, end - timedelta(milliseconds=1)) == [("answer", "2026-04-01", "remind", 0)]
    assert at(known, end) == [("answer", "2026-04-01", "overdue", -1)]
    assert at(moved(known, GRANT, STEP), end)[0][2] == "overdue"  # a decision is no answer
    answered = moved(known, GRANT, STEP, ANSWER)
    assert at(answered, end) == []
    again = moved(answered, ("reopen", {"text": "incomplete"}))
    assert at(again, RECEIVED + timedelta(days=1))[0][0] == "again"


def test_all_that_is_wrong_with_a_new_request_is_told_at_once() -> None:
    with pytest.raises(InputError) as found:
        check_request(said(kind="acess", channel="fax", on_behalf="friend", name=" ", contact=""), RULES)
    told = found.value.problems
    assert [one.column for one in told] == ["kind", "channel", "on_behalf", "name", "contact"]
    assert "access" in told[0].hint
    check_request(said(), RULES)


def test_rules_name_states_that_there_are_and_where_they_come_from() -> None:
    states = {state for ways in ACTIONS.values() for pair in ways.items() for state in pair}
    columns = register_columns("data_request")
    assert states == set(columns["state"].choices)
    assert set(OPEN) == set(HOLDING_STATES["data_request"]) == states - {"answered", "withdrawn"}
    assert tuple(RULES.kinds) == columns["kind"].choices
    for one in RULES.clocks:
        assert one.begins in states
        assert set(one.ends) <= states
        assert one.provenance in PROVENANCES
        assert set(one.kinds) <= set(RULES.kinds)
        assert set(one.channels) <= set(columns["channel"].choices)
        assert bool(one.basis) == (one.provenance != "example")
    for named in (*RULES.kinds.values(), *RULES.grounds.values()):
        assert named.zh
        assert named.en
        assert bool(named.basis) == (named.provenance != "example")
