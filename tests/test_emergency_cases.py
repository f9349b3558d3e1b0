"""Cases: levels, tasks, clocks across midnight and zones, a log that shows what was done to it, kills."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from emergency_cases import at, content, opened, plan, write
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changtong.emergency import case_actions as do
from changtong.emergency.case_event import read_event
from changtong.emergency.case_folder import add_entry, make_case_folder, read_case, verify_folder
from changtong.emergency.case_log import verify
from changtong.emergency.case_review import review
from changtong.emergency.case_status import status
from changtong.emergency.condition import COLOURS, Truth, look
from changtong.emergency.plan import LEVELS, propose
from changtong.emergency.plan_file import find_plan, plan_of, shipped_names
from changtong.errors import ConflictError, InputError, NotFoundError, UsageError

BEGIN = at("23:50")


@pytest.fixture
def case(tmp_path: Path) -> Path:
    opened(tmp_path / "K", BEGIN)
    return tmp_path / "K"


# --- plans ---------------------------------------------------------------------------------


def test_shipped_plans_are_read_and_say_where_each_threshold_comes_from() -> None:
    for name in shipped_names():
        made = find_plan(name)
        assert made.provenance == "example"
        assert {level for one in made.tasks for level in one.within_min} <= set(LEVELS)
        for one in made.conditions:
            assert one.provenance == ("official" if "493" in one.source else "example"), (name, one.id)
        assert {"oral-15", "accident-county"} <= {one.id for one in made.clocks}


@pytest.mark.parametrize(
    ("deaths", "injured", "loss", "level"),
    [
        (30, 0, 0, "I"), (29, 0, 0, "II"), (10, 0, 0, "II"), (9, 0, 0, "III"), (3, 0, 0, "III"),
        (2, 0, 0, "IV"), (0, 100, 0, "I"), (0, 99, 0, "II"), (0, 50, 0, "II"), (0, 49, 0, "III"),
        (0, 10, 0, "III"), (0, 9, 0, "IV"), (0, 0, 100_000_000, "I"), (0, 0, 99_999_999, "II"),
        (0, 0, 10_000_000, "III"), (0, 0, 9_999_999, "IV"),
        (0, 0, 0, "none"),
    ],
)  # fmt: skip
def test_accident_grades_by_order_493(deaths: int, injured: int, loss: int, level: str) -> None:
    known = {
        "deaths": deaths, "serious_injuries": injured, "direct_loss_cny": loss, "dangerous_finds": 0,
    }  # fmt: skip
    assert propose(find_plan("major-event"), known).level == level


def test_what_is_missing_is_unknown_and_never_no() -> None:
    made = propose(plan(), {"warning_colour": "orange"})
    assert (made.level, made.may_be, set(made.missing)) == ("none", "I", {"deaths", "backlog_days"})
    made = propose(plan(), {"backlog_days": 3, "deaths": 4})
    assert (made.level, made.may_be, made.missing) == ("III", "II", ("warning_colour",))
    assert "预警颜色" in made.reason("zh")
    assert "colour of the warning" in made.reason("en")
    assert propose(plan(), {"deaths": 30}).unknown == ()


VALUES = {
    "deaths": st.sampled_from([0, 1, 3, 9, 10, 30]),
    "warning_colour": st.sampled_from(COLOURS),
    "backlog_days": st.sampled_from([0, 2, 2.5]),
}


@settings(max_examples=examples(40), deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES), st.fixed_dictionaries(VALUES))
def test_learning_more_never_turns_a_known_answer_around(
    some: dict[str, object], rest: dict[str, object]
) -> None:
    """Kleene: whatever the missing values are, a condition that is known to hold or not stays so."""
    whole = {**rest, **some}
    for one in plan().conditions:
        before, later = look(one.all, one.any, some).truth, look(one.all, one.any, whole).truth
        assert later is not Truth.unknown
        assert before in (Truth.unknown, later)
    early, late = propose(plan(), some), propose(plan(), whole)
    order = (*LEVELS, "none")
    assert order.index(early.may_be) <= order.index(late.level) <= order.index(early.level)


def test_every_problem_of_a_plan_is_told_at_once(tmp_path: Path) -> None:
    wrong = content(provenance="synthetic", colour="red", sets=["accident-grade"])
    wrong["conditions"][0] |= {
        "level": "V",
        "any": [{"measure": "death", "at_least": 1}, {"measure": "deaths"}],
    }
    wrong["conditions"][1] |= {"any": [{"measure": "warning_colour", "at_least": "violet"}], "id": "a"}
    wrong["tasks"][0] |= {"department": "dutty", "within_min": {"VI": 3, "I": -1}}
    wrong["clocks"][1] |= {"starts": "report:later", "minutes": 0, "form": "fax"}
    wrong["contacts"] = [{"role_zh": "甲"}]
    with pytest.raises(InputError) as caught:
        plan_of(wrong, "p.toml")
    said = str(caught.value)
    parts = (
        "synthetic", '"colour" is unknown', "'accident-grade'", "'V'", "'death'", "compared with nothing",
        "'violet'", "'a' is there twice", "'dutty'", "'VI'", "-1", "'report:later'", "minutes", "'fax'",
        "no role_en",
    )  # fmt: skip
    assert [part for part in parts if part not in said] == []
    for name, raw in (("gbk", "id = '预案'".encode("gbk")), ("empty", b""), ("cut", b"[[tasks")):
        file = tmp_path / f"{name}.toml"
        file.write_bytes(raw)
        with pytest.raises(InputError, match="bad-emergency-plan"):
            find_plan(file)
    with pytest.raises(NotFoundError, match="flood"):
        find_plan("floods")


def test_names_and_phones_never_get_into_a_case(tmp_path: Path) -> None:
    person = {"role_zh": "甲", "role_en": "a", "department": "duty", "name": "王小明", "phone": "13800000000"}
    made = plan_of(content(contacts=[person]), "p.toml")
    assert made.contacts[0].phone == "13800000000"
    assert "13800000000" not in json.dumps(made.content)
    assert "王小明" not in json.dumps(made.content, ensure_ascii=False)


# --- levels and tasks -------------------------------------------------------------------------


def test_levels_assign_keep_hasten_and_withdraw_tasks(case: Path) -> None:
    write(case, do.set_level("III", "seen"), at("23:55"))
    made = write(case, do.do_task("t3", "accept"), at("23:56"))
    assert {name: (t.state, t.due) for name, t in made.tasks.items()} == {
        "t1": ("assigned", at("2026-07-21T00:15+08:00")), "t3": ("accepted", at("2026-07-21T00:25+08:00")),
    }  # fmt: skip
    made = write(case, do.set_level("II", "worse"), at("23:57"))
    assert {name: (t.state, t.due) for name, t in made.tasks.items()} == {
        "t1": ("assigned", at("2026-07-21T00:07+08:00")),  # 23:57 and ten minutes, earlier than it was
        "t3": ("withdrawn", at("2026-07-21T00:25+08:00")),
        "t2": ("assigned", at("2026-07-21T00:57+08:00")),
    }
    write(case, do.do_task("t1", "done"), at("2026-07-21T00:07+08:00"))
    made = write(case, do.set_level("III", "better"), at("2026-07-21T00:10+08:00"))
    assert {name: t.state for name, t in made.tasks.items()} == {
        "t1": "done",
        "t3": "assigned",
        "t2": "withdrawn",
    }
    assert made.tasks["t3"].due == at("2026-07-21T00:40+08:00")
    then = status(made, at("2026-07-21T00:00+08:00"))
    assert (then.case.level, then.case.tasks["t1"].state) == ("II", "assigned")
    after = {one.task.id: (one.state, one.late_s) for one in status(made, at("2026-07-21T00:41+08:00")).tasks}
    assert after == {"t1": ("met", 0), "t3": ("overdue", 60), "t2": ("withdrawn", 0)}


def test_a_person_says_why_where_the_level_is_not_the_proposed_one(case: Path) -> None:
    write(case, do.measure({"deaths": 3}), at("23:51"))
    with pytest.raises(InputError, match="without saying why"):
        write(case, do.set_level("II"), at("23:52"))
    made = write(case, do.set_level("III"), at("23:52"))
    assert (made.levels[0].proposed, made.levels[0].reason) == ("III", "")
    with pytest.raises(InputError, match="in force already"):
        write(case, do.set_level("III", "again"), at("23:53"))
    made = write(case, do.measure({"deaths": 12}), at("23:54"))
    now = status(made, at("23:54"))
    assert (now.proposal.level, now.to_confirm, now.case.level) == ("II", True, "III")


def test_a_suspended_response_waits_and_reports_do_not(case: Path) -> None:
    write(case, do.set_level("III", "seen"), at("23:50"))
    made = write(case, do.suspend("no way in"), at("23:55"))
    now = status(made, at("2026-07-21T03:00+08:00"))
    assert {one.state for one in now.tasks} == {"waits"}
    assert [one.state for one in now.clocks if one.clock.id == "first"] == ["overdue"]
    made = write(case, do.resume("the road is open"), at("2026-07-21T02:55+08:00"))
    assert made.tasks["t1"].due == at("2026-07-21T03:10+08:00")  # 20 minutes, of which five were gone
    with pytest.raises(InputError, match="the case is responding"):
        write(case, do.resume("again"), at("2026-07-21T02:56+08:00"))


def test_the_end_asks_for_its_conditions_and_the_review_looks_back(case: Path) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        review(read_case(case))
    write(case, do.set_level("III", "seen"), at("23:52"))
    write(case, do.change_site("S1", "potential"), at("23:53"))
    write(case, do.change_site("S1", "confirmed"), at("23:55"))
    write(case, do.give_report("first"), at("2026-07-21T00:10+08:00"))
    later = at("2026-07-21T06:00+08:00")
    with pytest.raises(InputError) as caught:
        write(case, do.end("over", ["over"]), later)
    assert "little of the end is not known" in str(caught.value)
    write(case, do.measure({"backlog_days": 2}), later)
    with pytest.raises(InputError, match="little of the end is not met"):
        write(case, do.end("over", ["over", "little"]), later)  # nobody says what is measured otherwise
    write(case, do.end("over", ["over"], "the rest is carried away by night"), later)
    now = status(read_case(case), at("2026-07-21T09:00+08:00"))
    assert {(one.state, one.was_late) for one in now.tasks} == {("left", True)}  # nobody waits for them now
    assert now.counts()["open_tasks"] == 0
    assert now.overdue == sum(one.state == "overdue" for one in now.clocks)
    before = status(read_case(case), at("2026-07-21T05:59+08:00"))
    assert {one.state for one in before.tasks} == {"overdue"}
    with pytest.raises(InputError, match="the case is ended"):
        write(case, do.set_level("II", "again"), later)
    write(case, do.change_site("S1", "restored"), at("2026-07-21T07:55+08:00"))
    made = write(case, do.close(["more pumps"]), at("2026-07-21T08:00+08:00"))
    found = review(made)
    assert (found.took_s, found.to_level_s) == (6 * 3600 + 600, 120)
    assert [(one.site, one.potential_s, one.confirmed_s) for one in found.sites] == [("S1", 120, 8 * 3600)]
    assert [(one.clock.id, one.state, one.late_s) for one in found.late_clocks][:1] == [
        ("first", "late", 300)
    ]
    assert {one.task.id for one in found.late_tasks} == {"t1", "t3"}
    assert found.status.case.lessons == ("more pumps",)
    with pytest.raises(InputError, match="closed"):
        write(case, do.note("more"), at("2026-07-21T09:00+08:00"))


def test_states_of_sites_go_their_ways_only(case: Path) -> None:
    with pytest.raises(InputError, match="cannot become restored"):
        write(case, do.change_site("S1", "restored"), at("23:51"))
    write(case, do.change_site("S1", "potential"), at("23:52"))
    write(case, do.change_site("S1", "confirmed", capacity_share=0.4), at("23:53"))
    with pytest.raises(InputError, match="confirmed already"):
        write(case, do.change_site("S1", "confirmed", capacity_share=0.4), at("23:54"))
    write(case, do.change_site("S1", "confirmed", capacity_share=0.1), at("23:54"))
    with pytest.raises(InputError, match="before the last change of S1"):
        write(case, do.change_site("S1", "restored"), at("23:53"))
    with pytest.raises(InputError, match="'gone'"):
        write(case, do.change_site("S2", "gone"), at("23:55"))
    assert read_case(case).site_states()["S1"].capacity_share == 0.1


# --- clocks -------------------------------------------------------------------------------------


def states(case: Path, when: datetime) -> dict[str, tuple[str, datetime | None, float]]:
    return {one.clock.id: (one.state, one.due, one.late_s) for one in status(read_case(case), when).clocks}


def test_reports_across_midnight_met_at_the_instant_late_after_it(case: Path) -> None:
    due = at("2026-07-21T00:05+08:00")
    assert states(case, due)["first"] == ("running", due, 0)
    assert states(case, due + timedelta(milliseconds=1))["first"] == ("overdue", due, 0.001)
    assert states(case, due)["next"] == ("waits", None, 0)
    write(case, do.give_report("first"), due)
    assert states(case, due + timedelta(days=1))["first"] == ("met", due, 0)
    assert states(case, due - timedelta(seconds=1))["first"][0] == "running"  # as it was then
    assert states(case, due)["next"] == ("running", at("2026-07-21T02:05+08:00"), 0)
    write(case, do.give_report("next"), at("2026-07-21T02:05:00.001+08:00"))
    assert states(case, at("2026-07-21T03:00+08:00"))["next"][0] == "late"


def test_a_clock_begins_when_its_situation_is_known_and_is_taken_back(case: Path) -> None:
    assert states(case, at("23:51"))["damaged"] == ("not_known", None, 0)
    write(case, do.measure({"damaged_pieces": 499}), at("23:52"))
    assert states(case, at("23:53"))["damaged"][0] == "not_asked"
    write(case, do.measure({"damaged_pieces": 500}), at("23:55"))
    assert states(case, at("23:56"))["damaged"][:2] == ("running", at("2026-07-21T00:10+08:00"))
    write(case, do.measure({"damaged_pieces": "unknown"}), at("23:57"))
    assert (
        states(case, at("2026-07-21T00:11+08:00"))["damaged"][0] == "overdue"
    )  # not known any more: it goes on
    write(case, do.measure({"damaged_pieces": 20}), at("2026-07-21T00:12+08:00"))
    assert states(case, at("2026-07-21T00:13+08:00"))["damaged"][0] == "not_asked"
    write(case, do.measure({"damaged_pieces": 900}), at("2026-07-21T01:00+08:00"))
    assert states(case, at("2026-07-21T01:01+08:00"))["damaged"][:2] == (
        "running",
        at("2026-07-21T01:15+08:00"),
    )
    assert states(case, at("2026-07-21T01:01+08:00"))["set"][0] == "waits"
    write(case, do.set_level("IV", "seen"), at("2026-07-21T01:02+08:00"))
    assert states(case, at("2026-07-21T01:03+08:00"))["set"][:2] == ("running", at("2026-07-21T01:32+08:00"))


@pytest.mark.parametrize(
    ("begin", "minutes", "due"),
    [
        ("2024-02-28T23:50:00+08:00", 15, "2024-02-29T00:05:00+08:00"),
        ("2024-02-29T23:50:00+08:00", 15, "2024-03-01T00:05:00+08:00"),
        ("2023-02-28T23:50:00+08:00", 15, "2023-03-01T00:05:00+08:00"),
        ("2025-12-31T23:59:00+08:00", 120, "2026-01-01T01:59:00+08:00"),
        ("2026-07-20T23:50:00+08:00", 15, "2026-07-20T16:05:00+00:00"),
        ("2026-10-25T02:50:00+02:00", 15, "2026-10-25T02:05:00+01:00"),  # summer time ends in Paris
        ("2026-03-29T01:50:00+01:00", 15, "2026-03-29T03:05:00+02:00"),
    ],
)
def test_clocks_across_midnight_leap_days_and_zones(
    tmp_path: Path, begin: str, minutes: int, due: str
) -> None:
    made = opened(tmp_path / "K", at(begin))
    name = {15: "first", 120: "next"}[minutes]
    if name == "next":
        made = write(tmp_path / "K", do.give_report("first"), at(begin))
    (one,) = [c for c in status(made, at(begin)).clocks if c.clock.id == name]
    assert one.due == at(due)
    paris = ZoneInfo("Europe/Paris")
    assert status(made, at(due).astimezone(paris)).clocks[0].state in ("running", "met")


def test_what_cannot_be_when_it_is_said_to_be(case: Path) -> None:
    with pytest.raises(InputError, match="still to come"):
        write(case, do.note("later"), datetime.now(UTC) + timedelta(minutes=5))
    with pytest.raises(InputError, match="before the event was known"):
        write(case, do.give_report("first"), at("23:40"))
    with pytest.raises(UsageError, match="was not there"):
        status(read_case(case), at("23:40"))
    with pytest.raises(UsageError, match="zone"):
        status(read_case(case), datetime(2026, 7, 20, 23, 55))  # noqa: DTZ001


# --- the log ---------------------------------------------------------------------------------------


def test_the_same_entry_twice_counts_once_and_another_under_its_id_is_refused(case: Path) -> None:
    first = add_entry(case, do.note("one"), by="li", at=at("23:51"), entry_id="e1")
    again = add_entry(case, do.note("one"), by="li", at=at("23:51"), entry_id="e1")
    assert (first.is_new, again.is_new, again.entry) == (True, False, first.entry)
    with pytest.raises(ConflictError, match="another one"):
        add_entry(case, do.note("two"), by="li", at=at("23:51"), entry_id="e1")
    for number in (1, 2):
        made = add_entry(case, do.number_report(), by="li", at=at("23:52"), entry_id=f"r{number}")
        assert made.entry.data["number"] == number
    assert not add_entry(case, do.number_report(), by="li", at=at("23:52"), entry_id="r1").is_new


def lines_of(case: Path) -> list[str]:
    return (case / "log.jsonl").read_text("utf-8").splitlines()


@pytest.fixture
def written(case: Path) -> Path:
    for number in range(2, 7):
        write(case, do.note(f"note {number}"), at("23:55"))
    return case


def test_what_was_done_to_a_log_is_named(written: Path) -> None:
    lines, head = lines_of(written), (written / "head").read_text()

    def found(changed: list[str], *heads: str) -> set[tuple[int, str]]:
        return {(one.n, one.what) for one in verify("K", changed, *heads).findings}

    assert found(lines, head) == set()
    altered = [line.replace("note 4", "note 9") for line in lines]
    assert found(altered) == {(4, "altered")}
    assert found([*lines[:2], *lines[3:]]) == {(3, "missing")}
    assert found([lines[0], lines[2], lines[1], *lines[3:]]) == {(2, "swapped"), (3, "swapped")}
    assert found([*lines[:3], lines[2], *lines[3:]]) >= {(3, "repeated")}
    assert found(lines[:4]) == set()  # nobody can know, without a head
    assert found(lines[:4], head) == {(5, "cut-off")}
    assert found([], head) == {(1, "cut-off")}
    assert found([*lines[:3], lines[3][:40], *lines[4:]]) == {(4, "unreadable"), (4, "missing")}
    spaced = [lines[0].replace('"action":', '"action": '), *lines[1:]]
    assert found(spaced) == {(1, "altered")}
    assert {(one.n, one.what) for one in verify("other", lines).findings} == {(1, "unlinked")}


def test_an_entry_written_anew_with_its_seal_is_named_by_the_one_after(written: Path) -> None:
    from changtong.emergency.case_log import canonical, seal_of

    lines = lines_of(written)
    forged = json.loads(lines[3]) | {"data": {"text": "nothing happened"}}
    forged["seal"] = seal_of(forged)
    lines[3] = canonical(forged)
    assert [(one.n, one.what) for one in verify("K", lines).findings] == [(5, "unlinked")]
    (written / "log.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(InputError, match="case-altered"):
        read_case(written)
    before = (written / "log.jsonl").read_bytes()
    with pytest.raises(InputError, match="case-altered"):
        write(written, do.note("more"), at("23:58"))
    assert (written / "log.jsonl").read_bytes() == before


@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_change_of_a_byte_goes_unseen(written: Path, data: st.DataObject) -> None:
    raw = (written / "log.jsonl").read_bytes()
    place = data.draw(st.integers(0, len(raw) - 2))  # what is behind the last line is no entry
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != raw[place]))
    changed = raw[:place] + bytes([byte]) + raw[place + 1 :]
    head = (written / "head").read_text()
    lines = [line for line in changed.decode("utf-8", "replace").split("\n") if line]
    assert not verify("K", lines, head).whole


def test_a_case_is_never_replaced_and_no_folder_is_half_made(tmp_path: Path, case: Path) -> None:
    first = read_case(case).entries
    with pytest.raises(UsageError, match="never replaced"):
        make_case_folder(case, first)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="never replaced"):
        make_case_folder(tmp_path / "full", first)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["K", "full"]
    with pytest.raises(UsageError, match="no case"):
        read_case(tmp_path / "full")


DIES = """
import os, sys
from pathlib import Path
from changtong.emergency import case_actions, case_folder
left = int(sys.argv[2])
real_replace, real_sync = Path.replace, case_folder.sync
def dies(*given):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
Path.replace = lambda self, to: (dies(), real_replace(self, to), dies())[1]
case_folder.sync = lambda path: (dies(), real_sync(path))[1]
case_folder.add_entry(sys.argv[1], case_actions.note("from one that may die"), by="wu", entry_id="once")
"""


@pytest.mark.slow
def test_who_is_killed_at_any_moment_leaves_the_state_before_or_after(written: Path) -> None:
    count = len(lines_of(written))
    seen = []
    for step in range(7):
        made = subprocess.run(
            [sys.executable, "-c", DIES, str(written), str(step)], capture_output=True, check=False
        )
        assert made.returncode in (0, 9), made.stderr.decode()
        case = read_case(written)  # whole, whatever happened
        assert len(case.entries) - count in (0, 1)
        seen.append(made.returncode)
    assert seen[0] == 9
    assert seen[-1] == 0
    assert len(read_case(written).entries) == count + 1  # sent many times, written once
    assert verify_folder(written).whole


def write_many(folder: str, who: str, count: int) -> None:
    for number in range(count):
        add_entry(folder, do.note(f"{who} {number}"), by=who, entry_id=f"{who}-{number}")
        add_entry(folder, do.note(f"{who} {number}"), by=who, entry_id=f"{who}-{number}")


def test_writers_at_once_write_one_after_the_other_each_once(case: Path) -> None:
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    workers = [context.Process(target=write_many, args=(str(case), who, 6)) for who in ("li", "wu", "he")]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    made = read_case(case)
    assert [one.exitcode for one in workers] == [0, 0, 0]
    assert [one.n for one in made.entries] == list(range(1, 20))
    assert len({one.id for one in made.entries}) == 19
    assert verify_folder(case).whole


# --- events ---------------------------------------------------------------------------------------------


def test_warnings_and_alerts_open_cases(tmp_path: Path) -> None:
    warnings = {
        "status": "Actual",
        "warnings": [
            {
                "warning": "W1", "headline": "暴雨红色预警", "event": "暴雨", "level": "red", "sites": 2,
                "sent": "2026-07-20T20:00+08:00",
            },
            {"warning": "W2", "headline": "大风", "event": "大风", "level": "unknown", "sites": 0},
        ],
    }  # fmt: skip
    file = tmp_path / "warnings.json"
    file.write_text(json.dumps(warnings), "utf-8")
    (tmp_path / "exposed_sites.csv").write_text("\ufeffsite_id,warning\nA,W1\nB,W2\nC,W1\n", "utf-8")
    with pytest.raises(InputError, match="W1, W2"):
        read_event(str(file))
    one = read_event(str(file), pick="W1")
    assert (one.measures, set(one.sites), one.known_at) == (
        {"warning_colour": "red"},
        {"A", "C"},
        at("20:00"),
    )
    assert read_event(str(file), pick="W2").measures == {}
    alerts = {
        "rows": [
            {
                "alert_id": "a1",
                "rule": "silent_site",
                "state": "confirmed",
                "site_id": "S1",
                "found": "2026-07-20T10:00+08:00",
            }
        ]
    }
    file.write_text(json.dumps(alerts), "utf-8")
    made = read_event(str(file))
    assert {site: said["state"] for site, said in made.sites.items()} == {"S1": "confirmed"}
    for raw in (
        b"",
        b"[]",
        b"{}",
        b'{"text": 3}',
        b"\xff\xfe",
        b'{"text": "x", "sites": 4, "known_at": "soon"}',
    ):
        file.write_bytes(raw)
        with pytest.raises(InputError, match="bad-emergency-event"):
            read_event(str(file))
