"""What a case takes in its state, upon what it is decided, what lists count, and events that are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from emergency_cases import at, opened, plan, write
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from test_emergency_registers import duty, told

from changtong.cli import main
from changtong.emergency import case_actions as do
from changtong.emergency.case import STATES, Case
from changtong.emergency.case_event import told_event
from changtong.emergency.case_folder import Make, add_entry, read_case
from changtong.emergency.case_moves import MOVES, moves
from changtong.emergency.case_rules import CHECKS
from changtong.emergency.case_status import status
from changtong.emergency.plan_facts import plan_facts
from changtong.emergency_records.case_register import (
    add_case_entry,
    list_register_cases,
    open_register_case,
    read_case_and_moves,
)
from changtong.errors import ConflictError, InputError
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store

MAKES: dict[str, Make] = {
    "level": do.set_level("II", "worse"), "measure": do.measure({"backlog_days": 1}),
    "task": do.do_task("t1", "done"), "add_task": do.add_task("own", "ops", "look", 10),
    "site": do.change_site("A", "potential"), "report": do.give_report("", "said"), "note": do.note("seen"),
    "situation_report": do.number_report(), "suspend": do.suspend("wait"), "resume": do.resume("go on"),
    "end": do.end("over", although="all is well"), "close": do.close(["look earlier"]),
}  # fmt: skip
WAYS = {
    "open": (), "responding": ("level",), "suspended": ("level", "suspend"), "ended": ("level", "end"),
    "closed": ("level", "end", "close"),
}  # fmt: skip


def begun(folder: Path) -> Path:
    opened(folder / "case", at("20:00"), measures={"deaths": 3})
    return folder / "case"


def in_state(folder: Path, state: str) -> Path:
    case = begun(folder)
    for name in WAYS[state]:
        write(case, do.set_level("III") if name == "level" else MAKES[name], at("20:10"))
    assert read_case(case).state == state
    return case


@pytest.mark.parametrize("state", STATES)
def test_what_is_offered_is_what_the_rules_take(tmp_path: Path, state: str) -> None:
    offered = set(moves(read_case(in_state(tmp_path, state))))
    for number, (name, make) in enumerate(MAKES.items()):
        if (state, name) == ("open", "task"):
            continue  # a task that is there no more may be opened again; there is none yet
        case = in_state(tmp_path / str(number), state)
        try:
            write(case, make, at("20:20"))
            taken = True
        except InputError:
            taken = False
        assert taken is (name in offered), name


def test_every_action_is_offered_in_some_state_but_what_only_a_drill_writes() -> None:
    assert set(MOVES) == set(STATES)
    assert {one for some in MOVES.values() for one in some} == (set(CHECKS) - {"inject"}) | {"add_task"}


def test_who_decides_upon_an_older_log_is_refused_and_a_lost_answer_is_not(tmp_path: Path) -> None:
    case = begun(tmp_path)
    first = add_entry(case, do.set_level("III"), by="li", at=at("20:10"), entry_id="once", seen=1)
    assert first.entry.n == 2
    with pytest.raises(ConflictError, match="has 2 entries, the newest is level by li; 1 were read"):
        add_entry(case, do.set_level("II", "worse"), by="wu", at=at("20:11"), seen=1)
    assert add_entry(case, do.set_level("III"), by="li", entry_id="once", seen=1).is_new is False
    assert add_entry(case, do.set_level("II", "worse"), by="wu", at=at("20:11"), seen=2).entry.n == 3


def test_the_command_refuses_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = begun(tmp_path)
    asked = ["emergency", "note", str(case), "seen", "--by", "li"]
    assert main([*asked, "--seen", "1"]) == 0
    assert main([*asked, "--seen", "1"]) == 2
    assert "2 entries" in capsys.readouterr().err
    assert main(["emergency", "list", str(tmp_path)]) == 0
    assert "open, level none, 0 open, 1 overdue" in capsys.readouterr().out  # the first report, long ago


def test_a_list_counts_what_is_open_for_those_who_may_see_it(small: tuple[Store, Desk]) -> None:  # noqa: F811
    store, admin = small
    li = duty(store, admin)
    open_register_case(li, told("K1"))
    (waits,) = list_register_cases(li)
    assert (waits["open_tasks"], waits["overdue"], waits["level_to_confirm"]) == (0, 0, True)
    case = add_case_entry(li, "K1", do.set_level("III"), seen=1).case
    (row,) = list_register_cases(li)
    assert row["open_tasks"] == sum(one.is_open for one in case.tasks.values()) > 3
    assert row["level_to_confirm"] is False
    viewer = person(store, admin, "vi", "spb-sz", ("viewer", Scope(region="440300")))
    (seen,) = list_register_cases(viewer)
    assert (seen["level"], seen["open_tasks"], seen["overdue"]) == ("III", None, None)
    with pytest.raises(ConflictError):
        add_case_entry(li, "K1", do.note("late"), seen=1)


def test_who_may_not_decide_is_offered_no_decision(small: tuple[Store, Desk]) -> None:  # noqa: F811
    store, admin = small
    li = duty(store, admin)
    open_register_case(li, told("K1"))
    inspector = person(store, admin, "ins", "spb-sz", ("inspector", Scope(region="440300")))
    assessor = person(store, admin, "ass", "spb-sz", ("assessor", Scope(region="440300")))
    mine, theirs, none = (read_case_and_moves(desk, "K1")[1] for desk in (li, inspector, assessor))
    assert {"level", "end", "note"} <= set(mine)
    assert set(mine) - set(theirs) == {"level", "end"}
    assert none == ()


def test_an_event_is_told_as_its_file_would_hold_it_and_no_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("exposed_sites.csv").write_text("site_id,warning\nZ,W1\n", "utf-8")
    warning = {"warning": "W1", "headline": "暴雨红色预警", "level": "red", "sites": ["A", "B"]}
    made = told_event({"status": "Actual", "warnings": [warning]}, pick="W1")
    assert (made.measures, sorted(made.sites), made.facts["source"]) == (
        {"warning_colour": "red"}, ["A", "B"], "warning",
    )  # fmt: skip
    with pytest.raises(InputError, match="no warning or alert 'W2'"):
        told_event({"warnings": [warning]}, pick="W2")
    alert = told_event({"alert_id": "a1", "rule": "silent_site", "state": "confirmed", "site_id": "S"})
    assert alert.sites["S"]["state"] == "confirmed"


def test_a_plan_tells_the_measures_it_looks_at_each_once() -> None:
    facts = plan_facts(plan())
    assert [one["id"] for one in facts["measures"]] == [
        "deaths", "warning_colour", "backlog_days", "damaged_pieces",
    ]  # fmt: skip
    assert facts["department_names"]["ops"] == {"zh": "运行", "en": "ops"}
    assert facts["tasks"][0] == {
        "id": "t1", "department": "duty", "zh": "任务 t1", "en": "t1",
        "within_min": {"I": 10, "II": 10, "III": 20},
    }  # fmt: skip


def test_counts_of_a_status_by_hand(tmp_path: Path) -> None:
    case: Case = read_case(in_state(tmp_path, "responding"))
    # level III at 20:10: t1 due 20:30, t3 due 20:40; the report `set` due 20:40, `first` due at 20:15
    made = status(case, at("20:35")).counts()
    assert made == {"open_tasks": 2, "overdue": 2, "level_to_confirm": False}
