"""Tasks of a decision: done by one, accepted by another, reminded of, counted in time or late."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError
from changtong.safety.decision import read_decision
from changtong.safety.tasks import ACTIONS, TaskBook, TaskEvent, event_table, read_task_events, see_through

EXAMPLES = Path(__file__).parent.parent / "examples" / "safety"
DECISION = read_decision(EXAMPLES / "decision.toml")


def event(task: str, day: int, action: str, by: str = "X", hour: int = 1, **more: Any) -> TaskEvent:
    return TaskEvent(
        task, datetime(2026, 3, day, hour, tzinfo=UTC), action, by, **({"text": "because"} | more)
    )


def codes(*events: TaskEvent) -> list[tuple[str, int | None]]:
    with pytest.raises(InputError) as caught:
        see_through(DECISION, events)
    return [(p.code, p.row) for p in caught.value.problems]


def outcomes(book: TaskBook, day: int) -> dict[str, tuple[str, int]]:
    rows = book.counts(date(2026, 3, day)).select("task_id", "outcome", "days_late").rows()
    return {name: (outcome, late) for name, outcome, late in rows}


REPORTED = event("T1", 9, "report", "甲县局-01", evidence="e")
ACCEPTED = event("T1", 20, "accept", "市局-03")


def test_the_day_of_the_report_counts_once_it_is_accepted() -> None:
    assert outcomes(see_through(DECISION), 10)["T1"] == ("open", 0)
    assert outcomes(see_through(DECISION), 12)["T1"] == ("overdue", 2)
    assert outcomes(see_through(DECISION, [REPORTED]), 15)["T1"] == (
        "open",
        0,
    )  # in time; nobody has looked yet
    assert outcomes(see_through(DECISION, [REPORTED, ACCEPTED]), 25)["T1"] == ("on_time", 0)
    late = event("T1", 12, "report", "甲县局-01", evidence="e")
    assert outcomes(see_through(DECISION, [late, ACCEPTED]), 25)["T1"] == ("late", 2)
    back = [
        REPORTED,
        event("T1", 11, "return", "市局-03"),
        event("T1", 13, "report", "甲县局-01", evidence="e"),
    ]
    assert outcomes(see_through(DECISION, [*back, ACCEPTED]), 25)["T1"] == ("late", 3)
    assert outcomes(see_through(DECISION, [event("T1", 5, "cancel")]), 25)["T1"] == ("cancelled", 0)


def test_a_report_late_in_the_evening_is_of_the_day_it_was_there() -> None:
    evening = event("T1", 10, "report", "甲县局-01", hour=17, evidence="e")  # 11 March, 1 o'clock in Shanghai
    assert outcomes(see_through(DECISION, [evening, ACCEPTED]), 25)["T1"] == ("late", 1)


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([event("T9", 5, "report")], "unknown-task"),
        ([event("T1", 5, "burn")], "bad-action"),
        ([event("T1", 5, "report", " ", evidence="e")], "bad-action"),
        ([event("T1", 5, "report")], "evidence-missing"),
        ([event("T1", 5, "accept")], "wrong-state"),
        ([event("T2", 5, "report", evidence="e")], "wrong-state"),  # T1 is not done
        ([REPORTED, event("T1", 10, "accept", "甲县局-01")], "same-person"),
        ([event("T1", 5, "extend", "甲县局-01", deadline=date(2026, 4, 1))], "same-person"),
        ([event("T1", 5, "extend", deadline=date(2026, 3, 10))], "bad-action"),
        ([event("T1", 5, "extend", text="", deadline=date(2026, 4, 1))], "bad-action"),
        (
            [
                event("T1", 5, "extend", deadline=date(2026, 4, 1)),
                event("T1", 6, "extend", deadline=date(2026, 5, 1)),
            ],
            "too-many-extensions",
        ),
        ([TaskEvent("T1", datetime(2026, 3, 5), "cancel", "X", "y")], "bad-action"),
    ],
)
def test_what_may_not_happen_is_refused(events: list[TaskEvent], code: str) -> None:
    assert codes(*events) == [(code, len(events))]


def test_every_fault_is_told_and_what_follows_one_is_not() -> None:
    assert codes(event("T1", 5, "accept"), event("T1", 6, "accept"), event("T3", 6, "accept")) == [
        ("wrong-state", 1), ("wrong-state", 3),
    ]  # fmt: skip


def test_reminders_and_escalation() -> None:
    def due(day: int, *events: TaskEvent) -> list[tuple[str, str, str | None]]:
        found = see_through(DECISION, events).due(date(2026, 3, day))
        return found.select("task_id", "what", "escalate_to_en").rows()  # type: ignore[return-value]

    assert due(2) == []
    assert due(3) == [("T1", "remind", None)]
    assert due(9) == [("T1", "remind", None)]
    assert due(10) == [("T1", "today", None)]
    assert due(11) == [("T1", "overdue", "the official in charge")]
    assert ("T1", "overdue", "the body above") in due(17)
    assert due(9, event("T1", 8, "report", "甲县局-01", evidence="e")) == [("T1", "look", None)]
    assert due(11, REPORTED, event("T1", 10, "accept", "Y")) == []


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["T1", "T2", "T3"]), st.sampled_from([*ACTIONS]), st.sampled_from("AB")),
        max_size=15,
    ),
    st.integers(1, 28),
)
def test_whatever_is_done_the_counts_add_up_and_order_does_not_matter(
    tried: list[tuple[str, str, str]], day: int
) -> None:
    kept: list[TaskEvent] = []
    for k, (task, action, by) in enumerate(tried):
        more = {"deadline": date(2026, 5, 1)} if action == "extend" else {}
        one = event(task, 3 + k, action, by, evidence="e", **more)
        try:
            see_through(DECISION, [*kept, one])
        except InputError:
            continue
        kept.append(one)
    book = see_through(DECISION, kept)
    assert see_through(DECISION, reversed(kept)) == book
    totals = book.totals(date(2026, 3, day))
    for row in totals.to_dicts():
        assert row["tasks"] == sum(row[name] for name in ("on_time", "late", "open", "overdue", "cancelled"))
    assert totals["tasks"].to_list() == [1, 2, 3]
    assert (
        totals.head(-1).select(pl.col(pl.UInt32).sum()).rows()
        == totals.tail(1).select(pl.col(pl.UInt32)).rows()
    )
    for task in book.tasks.values():
        assert task.state != "done" or (task.reported_at is not None and task.accepted_at is not None)


def test_events_come_back_from_their_table(tmp_path: Path) -> None:
    events = (REPORTED, ACCEPTED, event("T3", 5, "extend", deadline=date(2026, 4, 1)))
    event_table(events).write_csv(tmp_path / "e.csv", datetime_format="%Y-%m-%dT%H:%M:%S%:z")
    assert read_task_events(tmp_path / "e.csv") == events


def test_every_fault_of_a_decision_is_told(tmp_path: Path) -> None:
    text = (EXAMPLES / "decision.toml").read_text("utf-8")
    text = text.replace('needs = ["T1"]', 'needs = ["T3"]').replace("2026-03-15", "2026-02-15")
    text = (
        text.replace("[7, 1]", "[-7]")
        .replace('"T3"\ntitle', '"T1"\ntitle')
        .replace('provenance = "synthetic"\n', "")
    )
    (tmp_path / "d.toml").write_text(text + '\nwho = "me"\n', "utf-8")
    with pytest.raises(InputError) as caught:
        read_decision(tmp_path / "d.toml")
    assert {(p.row, p.column) for p in caught.value.problems} == {
        (None, "provenance"), (None, "remind_days"), (2, "needs"), (3, "id"), (3, "deadline"), (3, "who"),
    }  # fmt: skip


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["safety", "tasks", str(EXAMPLES / "decision.toml"), "--events", str(EXAMPLES / "task_events.csv")]
    assert main([*ask, "--date", "2026-03-19", "-o", str(tmp_path / "T"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [task["outcome"] for task in facts["tasks"]] == ["on_time", "open", "overdue"]
    assert pl.read_csv(tmp_path / "T" / "counts.csv")["outcome"].to_list() == ["on_time", "open", "overdue"]
    assert main([*ask, "--date", "2026-03-19"]) == 0
    assert "3 tasks on 2026-03-19: 1 done in time, 0 late, 1 open, 1 overdue" in capsys.readouterr().out
    assert main([*ask, "-o", str(EXAMPLES)]) == 2
