"""Rights tickets as a page: times beside limits by hand, what is open, and nothing personal."""

from __future__ import annotations

import json
import stat
from datetime import date, datetime
from pathlib import Path

import pytest

from changtong.cli import main
from changtong.report.ticket_page import ticket_page
from changtong.workforce.rights_ticket_rules import read_ticket_rules
from changtong.workforce.rights_ticket_times import clock_times, ended_clocks
from changtong.workforce.rights_tickets import RightsTicket, TicketEvent, move_ticket
from tests.pages import Page

RULES = read_ticket_rules()


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def ticket(ticket_id: str, /, *steps: tuple[str, str], **other: object) -> RightsTicket:
    """Return a ticket of Monday, 4 March 2024, and what was done with it."""
    made = RightsTicket(ticket_id, "hours", "F", at("2024-03-04T10:00"), "desk", **other)  # type: ignore[arg-type]
    for when, action in steps:
        made = move_ticket(made, TicketEvent(at(when), action, "li", "why so", "the union"))
    return made


def taken(one: RightsTicket, when: str = "2024-12-31T00:00") -> dict[str, tuple[int, int, bool]]:
    found = ended_clocks(one, RULES, at(when))
    return {clock.clock.id: (clock.taken, clock.limit, clock.is_late) for clock in found}


def test_times_are_counted_in_the_days_of_their_limit() -> None:
    one = ticket("A", ("2024-03-05T10:00", "accept"), ("2024-03-20T23:59", "settle"))
    # 6 to 8, 11 to 15, 18 to 20 March are worked: 11; mediation counts all days, and ends on its last one
    assert taken(one) == {"answer": (1, 5, False), "mediation": (15, 15, False), "settle": (11, 30, False)}
    one = ticket("A", ("2024-03-05T10:00", "accept"), ("2024-03-21T00:00", "settle"))
    assert taken(one)["mediation"] == (16, 15, True)
    assert taken(one, "2024-03-20T12:00") == {"answer": (1, 5, False)}  # what comes later does not count


def test_a_clock_counts_each_time_it_was_ended_and_one_of_a_date_by_its_last_end() -> None:
    steps = [("2024-03-05T10:00", "accept"), ("2024-03-06T10:00", "settle"), ("2024-03-07T10:00", "reopen")]
    one = ticket("A", *steps, harmed_on=date(2024, 3, 1))
    assert set(taken(one)) == {"answer", "mediation", "settle"}  # open again: arbitration still runs
    steps += [("2024-03-08T10:00", "accept"), ("2024-03-12T10:00", "settle"), ("2024-03-13T10:00", "close")]
    found = ended_clocks(ticket("A", *steps, harmed_on=date(2024, 3, 1)), RULES, at("2024-12-31T00:00"))
    assert [one.taken for one in found if one.clock.id == "settle"] == [1, 2]
    assert [one.taken for one in found if one.clock.id == "arbitration"] == [11]  # 1 to 12 March
    assert [one.limit for one in found if one.clock.id == "arbitration"] == [365]
    assert [one.taken for one in found if one.clock.id == "answer-again"] == [1]


def test_clocks_of_all_tickets() -> None:
    known = [
        ticket("A", ("2024-03-05T10:00", "accept")),
        ticket("B", ("2024-03-14T10:00", "accept"), ("2024-03-15T10:00", "transfer")),
        ticket("C"),
    ]
    made = {one.clock.id: one for one in clock_times(known, RULES, at("2024-03-15T12:00"))}
    # 5 working days end on Monday, 11 March: B was answered on the eighth, C not yet
    answer = made["answer"]
    assert (answer.ended, answer.late, answer.running, answer.overdue) == (2, 1, 1, 1)
    assert (answer.middle, answer.longest, answer.limit) == (4.5, 8, 5)
    assert (made["mediation"].ended, made["mediation"].running) == (1, 1)
    assert made["arbitration"].limit is None  # the day of the harm is not known: it does not run


def test_the_page_lists_open_tickets_the_most_overdue_first_and_nothing_personal() -> None:
    secret = {"name": "王小明", "phone": "13812345678", "text": "欠薪三个月"}
    known = [
        ticket("RT1", ("2024-03-05T10:00", "accept"), ("2024-03-06T10:00", "settle"), **secret),
        ticket("RT2", ("2024-03-11T10:00", "accept"), harmed_on=date(2024, 3, 1), **secret),
        ticket("RT3", **secret),
        ticket("RT4", ("2024-03-05T10:00", "reject"), **secret),
    ]
    html = ticket_page(known, RULES, at("2024-03-15T12:00"), language="en")
    page = Page(html)
    opened = next(rows for rows in page.tables.values() if rows[0][0].endswith("Ticket"))
    assert [row[0] for row in opened[1:]] == ["RT3", "RT2"]
    assert "4 days overdue" in opened[1][6]  # since the 11th
    assert "11 days left" in opened[2][6]  # mediation until the 26th
    assert "last day to ask for arbitration (the courier), 351 days left" in opened[2][4]
    assert "Law on Mediation and Arbitration of Labour Disputes, art. 14" in opened[2][8]
    assert "4 tickets, 2 of them open. Overdue for the office: 1; with a limit soon: 0." in page.said
    months = next(rows for rows in page.tables.values() if rows[0][0].endswith("Month"))
    assert [row[:3] for row in months[1:]] == [["2024-03", "4", "4"]]
    for word in (*secret.values(), "王", "why so", "the union", ">li<", ">desk<"):
        assert word not in html


def test_months_before_the_last_twelve_are_one_row() -> None:
    old = RightsTicket("O", "pay", "F", at("2022-05-04T10:00"), "desk")
    page = Page(ticket_page([old, ticket("A")], RULES, at("2024-04-15T12:00"), language="en"))
    months = next(rows for rows in page.tables.values() if rows[0][0].endswith("Month"))
    assert [(row[0], row[-2]) for row in months[1:]] == [
        ("2024-04", "0"),
        ("2024-03", "1"),
        ("更早earlier", "1"),
    ]


def test_a_page_without_tickets_says_so() -> None:
    page = Page(ticket_page([], RULES, at("2024-04-15T12:00"), language="en"))
    assert "No ticket is open." in page.said
    assert not page.tables


def test_the_command_writes_a_page_that_its_owner_alone_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, out = str(tmp_path / "tickets"), tmp_path / "page.html"
    opened = ["rights-tickets", "open", place, "--kind", "pay", "--firm", "F1", "--by", "desk"]
    assert main([*opened, "--at", "2024-03-04T10:00+08:00"]) == 0
    capsys.readouterr()
    shown = ["rights-tickets", "page", place, "--at", "2024-03-15T12:00+08:00", "-o"]
    assert main([*shown, str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(out)}
    assert "RT000001" in out.read_text("utf-8")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert main([*shown, str(tmp_path / "page.txt")]) == 2
    assert main(["rights-tickets", "page", "-o", str(out)]) == 2
