"""A hazard goes through its states by the right people and in the right order, and what is due is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from safety_cases import filled, write_file

from changtong.cli import main
from changtong.errors import InputError
from changtong.safety.collect import collect
from changtong.safety.hazard import ENDED, NEXT, STATES, Hazard, HazardEvent, after, why_not
from changtong.safety.hazard_ledger import (
    add_events,
    events_of,
    events_of_findings,
    make_ledger,
)
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.ledger_folder import read_actions, read_ledger, update_ledger
from changtong.safety.supervision import read_supervision
from changtong.spreadsheets import with_formulas, without_formulas

RULES = read_hazard_rules()
START = datetime(2026, 3, 2, 1, tzinfo=UTC)


def event(action: str, day: float = 0, by: str = "I1", **more: Any) -> HazardEvent:
    made = HazardEvent("H1", START + timedelta(days=day), action, by, **({"text": "because"} | more))
    if action == "open":
        made = replace(made, kind=more.get("kind", "fire"), grade=more.get("grade", "general"), site_id="S1")
    return made


LIFE = [
    event("open"),
    event("assign", 1, "C1", owner="O1"),
    event("done", 3, "O1", evidence="photo 7"),
    event("fail", 4, "I2"),
    event("done", 6, "O1", evidence="photo 8"),
    event("pass", 7, "I2"),
]


def lived(*events: HazardEvent) -> Hazard:
    return make_ledger(events, RULES).hazards["H1"]


def refused(hazard: Hazard | None, one: HazardEvent) -> str | None:
    problem = why_not(hazard, one, RULES)
    return None if problem is None else problem.code


def test_a_whole_life() -> None:
    states = [lived(*LIFE[: k + 1]).state for k in range(len(LIFE))]
    assert states == ["open", "rectifying", "recheck", "rectifying", "recheck", "closed"]
    end = lived(*LIFE)
    assert (end.deadline, end.failed, end.events, end.done_by) == (date(2026, 3, 17), 1, 6, "O1")
    assert end.closed_at == START + timedelta(days=7)
    again = lived(*LIFE, event("reopen", 10, "I3"))
    assert (again.state, again.owner, again.deadline, again.closed_at, again.reopened) == (
        "reopened",
        "",
        None,
        None,
        1,
    )
    assert lived(*LIFE, event("reopen", 10), event("assign", 11, owner="O2")).deadline == date(2026, 3, 27)


def test_every_action_in_every_state_is_allowed_as_the_table_says_and_refused_elsewhere() -> None:
    at_state = {
        "open": lived(*LIFE[:1]), "rectifying": lived(*LIFE[:2]), "recheck": lived(*LIFE[:3]),
        "closed": lived(*LIFE), "reopened": lived(*LIFE, event("reopen", 10)),
        "withdrawn": lived(LIFE[0], event("withdraw", 1, "I9")),
    }  # fmt: skip
    assert set(at_state) == set(STATES)
    for state, hazard in at_state.items():
        for action, steps in NEXT.items():
            one = event(action, 20, "Z", owner="O9", evidence="e", grade="major")
            if action == "extend":
                one = replace(one, deadline=date(2026, 6, 1))
            code = refused(hazard, one)
            assert (code == "wrong-state") == (state not in steps), (state, action, code)
            if code is None:
                assert after(hazard, one, RULES).state == steps[state]
    assert refused(None, event("assign", owner="O")) == "wrong-state"
    assert refused(at_state["open"], event("open")) == "bad-action"


@pytest.mark.parametrize(
    ("events", "one", "code"),
    [
        (LIFE[:3], event("pass", 4, "O1"), "same-person"),
        (LIFE[:3], event("fail", 4, "O1"), "same-person"),
        ([*LIFE[:2], event("assign", 2, owner="O2"), LIFE[2]], event("pass", 4, "O2"), "same-person"),
        (LIFE[:2], event("done", 3, "O1"), "evidence-missing"),
        (LIFE[:2], event("extend", 3, "O1", deadline=date(2026, 4, 1)), "same-person"),
        (LIFE[:2], event("extend", 3, "C1", deadline=date(2026, 3, 17)), "bad-action"),
        (LIFE[:2], event("extend", 3, "C1"), "bad-action"),
        (
            [*LIFE[:2], event("extend", 2, "C1", deadline=date(2026, 4, 1))],
            event("extend", 3, "C1", deadline=date(2026, 5, 1)),
            "too-many-extensions",
        ),
        (LIFE[:1], event("assign", 1), "bad-action"),
        (LIFE[:1], event("assign", 9, owner="O", deadline=date(2026, 3, 3)), "bad-action"),
        (LIFE[:2], event("assign", 3, owner="O", deadline=date(2026, 9, 3)), "bad-action"),
        (LIFE[:2], event("done", 0.5, "O1", evidence="e"), "bad-action"),
        (LIFE[:2], event("done", 3, " ", evidence="e"), "bad-action"),
        (LIFE[:3], event("fail", 4, "I2", text=""), "bad-action"),
        (LIFE[:1], event("withdraw", 1, "I1"), "same-person"),
        (LIFE[:2], event("withdraw", 3, "O1"), "same-person"),
        (LIFE[:1], event("regrade", 1, grade="general"), "bad-action"),
        (LIFE[:1], event("burn", 1), "bad-action"),
    ],
)
def test_what_may_not_happen_is_refused(events: list[HazardEvent], one: HazardEvent, code: str) -> None:
    assert refused(lived(*events), one) == code
    with pytest.raises(InputError, match=code):
        after(lived(*events), one, RULES)


def test_a_red_line_is_major_and_stays_major() -> None:
    opened = event("open", red_line="art4-1", kind="machinery")
    assert refused(None, opened) == "red-line"
    hazard = after(None, replace(opened, grade="major"), RULES)
    assert refused(hazard, event("regrade", 1, grade="general")) == "red-line"
    assert refused(None, event("open", red_line="art99", grade="major")) == "bad-action"
    assert refused(None, event("open", kind="magic")) == "bad-action"
    assert refused(None, event("open", grade="huge")) == "bad-action"
    assert refused(None, replace(event("open"), site_id="")) == "bad-action"
    assert refused(None, replace(event("open"), at=datetime(2026, 3, 2))) == "bad-action"


def test_a_graver_hazard_must_be_mended_sooner() -> None:
    raised = lived(*LIFE[:2], event("regrade", 2, grade="major"))
    assert (raised.grade, raised.deadline) == ("major", date(2026, 3, 11))
    lowered = lived(event("open", grade="major"), LIFE[1], event("regrade", 2, grade="general"))
    assert (lowered.grade, lowered.deadline) == ("general", date(2026, 3, 9))


# --- what is due -------------------------------------------------------------------------


def test_what_is_due_and_who_is_told_when_it_is_late() -> None:
    ledger = make_ledger(LIFE[:2], RULES)  # to be mended by 17 March
    assert ledger.due(date(2026, 3, 16)).is_empty()
    assert ledger.due(date(2026, 3, 16), ahead_days=1).height == 1
    for day, overdue, to in (
        (17, 0, None),
        (18, 1, "head of the responsible firm"),
        (24, 7, "city regulator"),
    ):
        (row,) = ledger.due(date(2026, 3, day)).to_dicts()
        assert (row["what"], row["who"], row["days_overdue"], row["escalate_to_en"]) == (
            "rectify",
            "O1",
            overdue,
            to,
        )
    unassigned = make_ledger(LIFE[:1], RULES)
    assert unassigned.due(date(2026, 3, 4))["what"].to_list() == ["assign"]
    again = make_ledger(LIFE[:3], RULES)  # mended on 5 March: to be looked at within 5 days
    assert again.due(date(2026, 3, 10)).select("what", "due_on").rows() == [("recheck", date(2026, 3, 10))]
    assert make_ledger(LIFE, RULES).due(date(2030, 1, 1)).is_empty()


def test_days_are_those_of_the_rules_zone() -> None:
    early = replace(LIFE[0], at=datetime(2026, 3, 1, 17, tzinfo=UTC))  # 2 March, 1 o'clock in Shanghai
    assert lived(early, LIFE[1]).deadline == date(2026, 3, 17)
    assert make_ledger([early], RULES).table()["found_on"].to_list() == [date(2026, 3, 2)]


def test_the_gravest_and_latest_come_first() -> None:
    other = [replace(one, hazard_id="H2", grade=one.grade and "major") for one in LIFE[:2]]
    late = [replace(one, hazard_id="H0", at=one.at - timedelta(days=9)) for one in LIFE[:2]]
    ledger = make_ledger([*LIFE[:2], *other, *late], RULES)
    assert ledger.due(date(2026, 4, 1))["hazard_id"].to_list() == ["H2", "H0", "H1"]


def test_the_summary_adds_up() -> None:
    other = [replace(one, hazard_id="H2", grade=one.grade and "major") for one in LIFE[:2]]
    table = make_ledger([*LIFE, *other], RULES).summary(date(2026, 3, 30))
    rows = {row["grade"]: row for row in table.to_dicts()}
    assert rows["all"] | {"mean_days_to_close": None} == {
        "grade": "all", "hazards": 2, "open": 0, "rectifying": 1, "recheck": 0, "closed": 1, "reopened": 0,
        "withdrawn": 0, "overdue": 1, "mean_days_to_close": None,
    }  # fmt: skip
    assert rows["all"]["mean_days_to_close"] == 7.0
    for name in set(table.columns) - {"grade", "mean_days_to_close"}:
        assert rows["general"][name] + rows["major"][name] == rows["all"][name]


# --- events in bulk ----------------------------------------------------------------------


def test_all_events_are_taken_or_none_and_every_fault_is_told() -> None:
    ledger = make_ledger(LIFE[:2], RULES)
    wrong = [
        event("pass", 3, "I2"),
        event("done", 4, "O1", evidence="e"),
        replace(event("done", 4, "O1"), hazard_id="H7"),
        replace(LIFE[0], hazard_id="H8"),
    ]
    with pytest.raises(InputError) as caught:
        add_events(ledger, wrong)
    assert [(p.row, p.file, p.code) for p in caught.value.problems] == [
        (1, "H1", "wrong-state"), (3, "H7", "wrong-state"),
    ]  # fmt: skip
    assert len(ledger.events) == 2


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["H1", "H2"]),
        st.sampled_from(["open", *NEXT]),
        st.sampled_from("ABC"),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(max_examples=examples(150), deadline=None)
@given(ACTIONS)
def test_any_events_leave_a_sound_ledger_that_comes_back_from_its_table(
    tried: list[tuple[str, str, str, int]],
) -> None:
    ledger, day = make_ledger((), RULES), 0
    for name, action, by, days in tried:
        day += days
        one = replace(
            event(action, day, by, owner="O", evidence="e", grade="major"), hazard_id=name, owner=by
        )
        if action == "extend":
            one = replace(one, deadline=START.date() + timedelta(days=day + 30))
        try:
            ledger = add_events(ledger, [one])
        except InputError:
            continue
    for hazard in ledger.hazards.values():
        assert hazard.state in STATES
        assert (hazard.closed_at is not None) == (hazard.state == "closed")
        assert hazard.state not in ("rectifying", "recheck") or (hazard.owner and hazard.deadline)
        passed = [e for e in ledger.events if e.hazard_id == hazard.hazard_id and e.action == "pass"]
        assert hazard.state != "closed" or passed[-1].by not in (hazard.owner, hazard.done_by)
    due = ledger.due(date(2030, 1, 1))
    assert due.height == sum(hazard.state not in ENDED for hazard in ledger.hazards.values())
    assert make_ledger(events_of(ledger.event_table()), RULES) == ledger


# --- from inspections --------------------------------------------------------------------


def test_findings_become_hazards_once_and_are_seen_again_or_reopened(tmp_path: Path) -> None:
    def on(day: int, number: int, **more: Any) -> dict[str, Any]:
        at = f"2026-03-{day:02d}T10:00:00+08:00"
        return filled(number, site_id="S1", begun_at=at, saved_at=at, **more)

    ledger = make_ledger((), RULES)
    file = write_file(tmp_path / "a.json", on(2, 1))
    c = collect([file], tmp_path / "C").collection
    events, left = events_of_findings(ledger, c.findings, c.inspections)
    ledger = add_events(ledger, events)
    assert ([e.action for e in events], left.height) == (["open"], 0)
    assert events_of_findings(ledger, c.findings, c.inspections)[0] == []
    (name,) = ledger.hazards
    c = collect([write_file(tmp_path / "b.json", on(4, 2))], tmp_path / "C").collection
    events, _ = events_of_findings(ledger, c.findings, c.inspections)
    assert [(e.action, e.hazard_id) for e in events] == [("seen", name)]
    ledger = add_events(
        ledger, [*events, *(replace(e, hazard_id=name, at=e.at + timedelta(days=3)) for e in LIFE[1:])]
    )
    assert ledger.hazards[name].state == "closed"
    c = collect([write_file(tmp_path / "c.json", on(30, 3))], tmp_path / "C").collection
    events, _ = events_of_findings(ledger, c.findings, c.inspections)
    assert [(e.action, e.hazard_id) for e in events] == [("reopen", name)]
    late = filled(4, site_id="S1", begun_at="2026-12-01T10:00:00+08:00", saved_at="2026-12-01T10:00:00+08:00")
    c = collect([write_file(tmp_path / "d.json", late)], tmp_path / "D").collection
    events, _ = events_of_findings(ledger, c.findings, c.inspections)
    assert events[0].action == "open"
    assert events[0].hazard_id != name
    nowhere = [filled(5, site_id=""), filled(6, begun_at="x", saved_at="x"), on(3, 7)]
    c = collect([write_file(tmp_path / "e.json", *nowhere)], tmp_path / "E").collection
    events, left = events_of_findings(ledger, c.findings, c.inspections)
    assert events == []
    assert sorted(left["reason"]) == ["before_closing", "no_site", "no_time"]
    none = on(2, 8, answers={"r05": {"value": True, "rectify": False, "photos": ["p1"]}})
    c = collect([write_file(tmp_path / "f.json", none)], tmp_path / "F").collection
    assert events_of_findings(make_ledger((), RULES), c.findings, c.inspections)[0] == []


def test_the_command_keeps_a_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collect([write_file(tmp_path / "a.json", filled(1), filled(2))], tmp_path / "C")
    ask = ["safety", "hazards", "-o", str(tmp_path / "L"), "--date", "2026-03-20"]
    assert main([*ask, "--from", str(tmp_path / "C"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["hazards"], facts["from_findings"], len(facts["due"])) == (2, 2, 2)
    first, second = sorted(facts["due"], key=lambda row: row["site_id"])
    actions = tmp_path / "actions.csv"
    rows = [
        ("hazard_id", "at", "action", "by", "owner", "evidence"),
        (first["hazard_id"], "2026-03-03T09:00:00+08:00", "assign", "C1", "O1", ""),
        (first["hazard_id"], "2026-03-04T09:00:00+08:00", "done", "O1", "", "photo"),
    ]
    actions.write_text("\n".join(",".join(row) for row in rows), "utf-8")
    assert main([*ask, "--from", str(tmp_path / "C"), "--actions", str(actions)]) == 0
    said = capsys.readouterr().out
    assert "1 open, 0 being mended, 1 to be looked at again" in said
    assert second["hazard_id"] in said
    before = (tmp_path / "L" / "events.csv").read_bytes()
    assert main([*ask, "--actions", str(actions)]) == 2  # they have happened already
    assert (tmp_path / "L" / "events.csv").read_bytes() == before
    assert len(read_actions(tmp_path / "L" / "events.csv")) == 4
    assert read_ledger(tmp_path / "L", RULES).hazards[first["hazard_id"]].state == "recheck"
    assert pl.read_csv(tmp_path / "L" / "hazards.csv").height == 2
    assert main([*ask[:3], str(tmp_path)]) == 2
    known = tmp_path / "S"
    known.mkdir()
    (known / "sites.csv").write_text("site_id,kind,lon,lat\nS1,outlet,110,34\n", "utf-8")
    read = read_supervision(known, ledger=tmp_path / "L", collection=tmp_path / "C")
    assert read.hazards.select("site_id", "state", "found_on").sort("site_id").rows() == [
        ("S1", "recheck", date(2026, 3, 2)), ("S2", "open", date(2026, 3, 2)),
    ]  # fmt: skip
    assert read.inspections.select("site_id", "on", "findings").sort("site_id").rows() == [
        ("S1", date(2026, 3, 2), 1), ("S2", date(2026, 3, 2), 1),
    ]  # fmt: skip
    assert update_ledger(tmp_path / "L", RULES, date(2026, 3, 20)).from_actions == 0
    actions.write_text("hazard_id,at,action,by\nH1,yesterday,pass,I\n", "utf-8")
    with pytest.raises(InputError, match="no time"):
        read_actions(actions)


def test_times_of_actions_may_leave_out_the_seconds_but_not_the_offset(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    head = "hazard_id,at,action,by\n"
    written = (
        "2026-03-02T09:00+08:00",
        "2026-03-02T01:00Z",
        "2026-03-02 09:00+0800",
        "2026-03-02T09:00:00+08:00",
    )
    file.write_text(head + "".join(f"H1,{at},pass,I\n" for at in written), "utf-8")
    assert {one.at for one in read_actions(file)} == {datetime(2026, 3, 2, 1, tzinfo=UTC)}
    wrong = ("2026-03-02T09:00", "2026-03-02", "2026-03-02T25:00+08:00")
    file.write_text(head + "".join(f"H1,{at},pass,I\n" for at in wrong), "utf-8")
    with pytest.raises(InputError) as caught:
        read_actions(file)
    assert [problem.row for problem in caught.value.problems] == [1, 2, 3]


def test_no_text_is_run_as_a_formula_and_every_text_comes_back(tmp_path: Path) -> None:
    texts = ["=1+1", "'=1+1", "''-x", "@a", "'quoted'", "plain", "-"]
    events = [event("open", 0, text=text) for text in texts]
    events = [replace(one, hazard_id=f"H{k}") for k, one in enumerate(events)]
    update_ledger(tmp_path / "L", RULES, date(2026, 3, 20))
    rows = make_ledger(events, RULES).event_table().with_columns(pl.col("at").dt.to_string("%+"))
    rows.write_csv(tmp_path / "a.csv")
    update_ledger(tmp_path / "L", RULES, date(2026, 3, 20), actions=tmp_path / "a.csv")
    written = pl.read_csv(tmp_path / "L" / "events.csv")["text"].to_list()
    assert not [text for text in written if text[0] in "=+-@"]
    back = [one.text for one in read_ledger(tmp_path / "L", RULES).events]
    assert back == ["=1+1", "=1+1", "'-x", "@a", "'quoted'", "plain", "-"]  # as they were read
    frame = pl.DataFrame({"text": texts})
    assert with_formulas(without_formulas(frame)).equals(frame)


def test_rules_are_data_and_every_fault_of_them_is_told(tmp_path: Path) -> None:
    assert RULES.provenance == "synthetic"
    text = 'id = "x"\nversion = "1"\nprovenance = "law"\nsource = "s"\nzone = "Mars"\n'
    text += '[general]\nassign_days = -1\n[[escalation]]\ngrade = "big"\n'
    (tmp_path / "r.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_hazard_rules(tmp_path / "r.toml")
    told = {p.column for p in caught.value.problems}
    assert told >= {
        "provenance",
        "assign_days",
        "reopen_days",
        "major",
        "grade",
        "rectify_days",
        "to_zh",
        "zone",
    }
