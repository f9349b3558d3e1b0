"""Hazards in the registers: the same ledger as on files, under one's own name, all or none."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registers_cases import (  # noqa: F401
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
    small_store,
)
from supervision_cases import CITY, events_kept, office, outlet
from test_registers_backup import make_released

from changtong.errors import ConflictError, DeniedError, InputError
from changtong.rights.scope import Scope
from changtong.safety.hazard import NEXT, HazardEvent
from changtong.safety.hazard_ledger import add_events, make_ledger
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.ledger_folder import update_ledger
from changtong.storage.store import Desk, Store, open_store, upgrade_store
from changtong.supervision_records.hazard_register import read_hazard_register, update_hazard_register

RULES = read_hazard_rules()
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
DAY = date(2026, 3, 30)
Office = tuple[Store, Desk, dict[str, Desk]]


def event(action: str, day: float = 0, name: str = "H1", **more: Any) -> HazardEvent:
    made = HazardEvent(name, START + timedelta(days=day), action, **({"by": "", "text": "because"} | more))
    if action == "open":
        made = replace(made, kind=more.get("kind", "fire"), grade=more.get("grade", "general"), site_id="S1")
    return made


def acted(desk: Desk, *events: HazardEvent) -> None:
    update_hazard_register(desk, RULES, DAY, actions=events)


@pytest.fixture
def there(small: tuple[Store, Desk]) -> Office:
    store, admin = small
    return store, admin, office(store, admin)


def test_a_whole_life_by_three_people(there: Office) -> None:
    store, admin, desks = there
    ning = outlet(store, admin)
    acted(desks["li"], event("open"), event("assign", 1, owner="ning"))
    acted(ning, event("done", 3, evidence="photo 7"))
    for who, code in ((ning, DeniedError), (desks["he"], None)):
        if code is None:
            acted(who, event("fail", 4))
        else:  # who mended it is caught by the ledger first
            with pytest.raises(InputError, match="same-person"):
                acted(who, event("pass", 4))
    acted(ning, event("done", 6, evidence="photo 8"))
    acted(desks["he"], event("pass", 7))
    made = read_hazard_register(desks["li"], RULES).hazards["H1"]
    assert (made.state, made.failed, made.events, made.done_by, made.owner, made.found_by) == (
        "closed", 1, 6, "ning", "ning", "li",
    )  # fmt: skip
    assert (made.deadline, made.closed_at) == (date(2026, 3, 17), START + timedelta(days=7))
    record = desks["li"].get("hazard", "H1")
    assert (record.organisation, record["state"], record["recheck_result"]) == ("sd-ns", "closed", "pass")
    assert "events" in record.hidden
    assert [one["by"] for one in events_kept(admin, "hazard", "H1")] == [
        "li",
        "li",
        "ning",
        "he",
        "ning",
        "he",
    ]
    assert admin.verify_audit(with_records=True).whole


def test_all_actions_of_a_file_or_none_with_every_fault_told(there: Office, tmp_path: Path) -> None:
    _, admin, desks = there
    li = desks["li"]
    file = tmp_path / "actions.csv"
    head = "hazard_id,at,action,by,text,evidence,owner,grade,kind,site_id\n"
    file.write_text(
        head
        + "H1,2026-03-02T09:00:00+08:00,open,li,no guard,,,general,machinery,S1\n"
        + "H2,2026-03-02T09:00:00+08:00,open,wu,blocked,,,major,fire,S1\n"
        + "H3,2026-03-02T09:00:00+08:00,open,,blocked,,,major,fire,S9\n"
        + "H4,2026-03-02T09:00:00+08:00,done,,,photo,,,,\n"
        + "H1,2026-03-03T09:00:00+08:00,assign,,,,nobody,,,\n"
        + "H5,2036-03-03T09:00:00+08:00,open,,later,,,general,fire,S1\n",
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        update_hazard_register(li, RULES, DAY, actions=file)
    assert [(one.row, one.code, one.column) for one in caught.value.problems] == [
        (2, "other-person", "by"), (3, "unknown-reference", "site_id"), (4, "wrong-state", "action"),
        (5, "unknown-reference", "owner"), (6, "bad-action", "at"),
    ]  # fmt: skip
    assert list(li.every("hazard")) == []
    file.write_text(head + "H1,2026-03-02T09:00:00+08:00,open,,no guard,,,general,machinery,S1\n", "utf-8")
    made = update_hazard_register(li, RULES, DAY, actions=file)
    assert (made.from_actions, made.due["what"].to_list(), made.due["days_overdue"].to_list()) == (
        1,
        ["assign"],
        [26],
    )
    assert made.due["escalate_to_en"].to_list() == ["city regulator"]


def test_rights_stand_over_the_ledger(there: Office) -> None:
    store, admin, desks = there
    ning = outlet(store, admin)
    acted(desks["li"], event("open"), event("assign", 1, owner="li"))
    later = date(2026, 4, 1)
    with pytest.raises(DeniedError, match="own-organisation"):  # a firm does not move deadlines of its own
        acted(ning, event("extend", 2, deadline=later))
    acted(ning, event("done", 3, evidence="photo"))
    second = outlet(store, admin, "nan")
    with pytest.raises(DeniedError, match="own-organisation"):  # nor does it close its own hazards
        acted(second, event("pass", 4))
    stranger = person(store, admin, "fei", "fc-ft", ("inspector", Scope("/fc/fc-ft/")))
    with pytest.raises(InputError, match="wrong-state"):  # what one may not see is not there
        acted(stranger, event("pass", 4))
    with pytest.raises(InputError, match="duplicate-record"):
        acted(stranger, replace(event("open"), site_id="S3"))
    viewer = person(store, admin, "kan", "spb-sz", ("viewer", CITY))
    with pytest.raises(DeniedError):
        acted(viewer, event("open", name="H9"))
    shown = read_hazard_register(viewer, RULES).hazards["H1"]
    assert shown.state == "recheck"
    assert shown.owner not in ("li", "")  # a viewer sees no users: an id stands there
    refused = [one["action"] for one in admin.audit_entries("hazard", "H1") if "refused" in one["action"]]
    assert refused == ["refused:decide", "refused:decide"]


def test_what_the_ledger_keeps_changes_only_through_it(there: Office) -> None:
    _, _, desks = there
    li = desks["li"]
    acted(li, event("open"))
    version = li.get("hazard", "H1").version
    for values in (
        {"state": "rectifying"},
        {"deadline": START},
        {"grade": "major"},
        {"extensions": 3},
        {"events": []},
    ):
        with pytest.raises(InputError, match="kept-by-ledger"):
            li.change("hazard", "H1", version, values)
    with pytest.raises(InputError, match="kept-by-ledger") as caught:
        li.add("hazard", hazard(red_line="art4-1", events=[], hazard_kind="fire"))
    assert {one.column for one in caught.value.problems} == {"red_line", "events", "hazard_kind"}
    with pytest.raises(InputError, match="kept-by-ledger"):
        li.change("hazard", li.add("hazard", hazard()).id, 1, {"done_at": START})
    assert li.change("hazard", "H1", version, {"escalation": 1})["escalation"] == 1


def test_one_written_down_by_hand_is_kept_from_its_first_action(there: Office) -> None:
    _, admin, desks = there
    li = desks["li"]
    place_ = next(one.id for one in li.every("site") if one["site_id"] == "S1")
    made = li.add("hazard", hazard(site=place_, deadline="2026-12-01T00:00:00+08:00"))
    shown = read_hazard_register(li, RULES).hazards[made.id]
    assert (shown.state, shown.site_id, shown.found_by, shown.deadline) == (
        "open",
        "S1",
        "li",
        date(2026, 12, 1),
    )
    acted(li, event("assign", 92, made.id, owner="he"))
    kept = read_hazard_register(li, RULES).hazards[made.id]
    assert (kept.state, kept.owner, kept.deadline, kept.events) == ("rectifying", "he", date(2026, 12, 1), 2)
    with pytest.raises(InputError, match="kept-by-ledger"):
        li.change("hazard", made.id, li.get("hazard", made.id).version, {"state": "rectified"})
    assert admin.verify_audit(with_records=True).whole


def test_hazards_of_the_first_version_come_into_the_ledger(place: str) -> None:
    make_released(place, "0001")
    upgrade_store(place)
    with open_store(place) as store:
        admin = store.desk(store.sign_in("admin", "three green vans at dawn").token)
        li = store.desk(store.sign_in("li", "seven lamps beside the river").token)
        before = read_hazard_register(li, RULES).hazards
        name = next(iter(before))
        assert before[name].events == 1
        now = datetime.now(UTC)
        acted(li, HazardEvent(name, now, "assign", "", owner="li"))
        after = read_hazard_register(li, RULES).hazards
        assert (after[name].state, after[name].owner) == ("rectifying", "li")
        assert {key: one for key, one in after.items() if key != name} == {
            key: one for key, one in before.items() if key != name
        }
        assert admin.verify_audit(with_records=True).whole


def test_two_at_once_do_one_thing_once(there: Office) -> None:
    store, admin, desks = there
    acted(desks["li"], event("open"), event("assign", 1, owner="li"), event("done", 2, evidence="p"))
    gate, said = threading.Barrier(2), []

    def look(name: str) -> None:
        gate.wait()
        try:
            acted(desks[name], event("pass", 4))
            said.append("done")
        except (InputError, ConflictError) as error:
            said.append("wrong-state" if "wrong-state" in str(error) else "conflict")

    threads = [threading.Thread(target=look, args=(name,)) for name in ("wu", "he")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(said)[0] in ("conflict", "done")
    assert said.count("done") == 1
    assert [one["action"] for one in events_kept(admin, "hazard", "H1")] == ["open", "assign", "done", "pass"]
    assert admin.verify_audit(with_records=True).whole


def same(register: pl.DataFrame, files: pl.DataFrame) -> bool:
    return register.sort("hazard_id").equals(files.sort("hazard_id"))


names = st.sampled_from(["li", "wu", "he"])
actions = st.lists(
    st.tuples(
        st.sampled_from(["H1", "H2"]), st.sampled_from(["open", *NEXT]), names, names,
        st.sampled_from(["general", "major"]), st.integers(0, 3), st.sampled_from(["", "photo"]),
        st.sampled_from(["", "art4-1"]), st.booleans(),
    ),
    min_size=4, max_size=14,
)  # fmt: skip


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Office:
    folder = tmp_path_factory.mktemp("property")
    from changtong.storage import passwords

    kept, passwords.hasher = passwords.hasher, __import__("registers_cases").CHEAP
    try:
        store, admin = small_store(folder / "r.sqlite", folder / "files")
        return store, admin, office(store, admin)
    finally:
        passwords.hasher = kept


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=actions)
def test_files_and_registers_give_the_same_ledger_for_the_same_actions(
    worker: Office, steps: list[tuple[Any, ...]]
) -> None:
    """Each step is tried on both; what one refuses the other refuses with the same code."""
    _, admin, desks = worker
    mark = f"{uuid.uuid4().hex[:8]}-"
    files = make_ledger((), RULES)
    at = START
    for name, action, by, owner, grade, days, evidence, line, moves in steps:
        at += timedelta(days=days)
        step = HazardEvent(
            f"{mark}{name}", at, action, by, "because", evidence=evidence,
            owner=owner if action == "assign" else "", grade=grade if action in ("open", "regrade") else "",
            deadline=(at + timedelta(days=20)).date() if moves and action in ("extend", "assign") else None,
            kind="machinery" if action == "open" else "", site_id="S1" if action == "open" else "",
            red_line=line if action == "open" else "",
        )  # fmt: skip
        codes: list[set[str]] = []
        try:
            files = add_events(files, [step])
            codes.append(set())
        except InputError as error:
            codes.append({one.code for one in error.problems})
        try:
            acted(desks[by], step)
            codes.append(set())
        except InputError as error:
            codes.append({one.code for one in error.problems})
        assert codes[0] == codes[1], step
    ours = read_hazard_register(desks["li"], RULES)
    mine = {name: one for name, one in ours.hazards.items() if name.startswith(mark)}
    ours = replace(ours, hazards=mine)
    assert same(ours.table(), files.table())
    for day in (DAY, START.date() + timedelta(days=7)):
        assert same(ours.due(day, ahead_days=3), files.due(day, ahead_days=3))
        assert ours.summary(day).equals(files.summary(day))


def test_many_actions_of_one_file_are_as_in_a_folder(there: Office, tmp_path: Path) -> None:
    _, _, desks = there
    steps = [
        event("open", by="li"), event("assign", 1, by="li", owner="he"),
        event("extend", 2, by="li", deadline=DAY),
        event("open", 3, "H2", by="li", grade="major"), event("assign", 3, "H2", by="li", owner="wu"),
        event("regrade", 4, by="li", grade="major"),
    ]  # fmt: skip
    acted(desks["li"], *steps)
    table = make_ledger(steps, RULES).event_table()
    table.write_csv(tmp_path / "actions.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
    files = update_ledger(tmp_path / "L", RULES, DAY, actions=tmp_path / "actions.csv")
    ours = update_hazard_register(desks["wu"], RULES, DAY)
    assert same(ours.ledger.table(), files.ledger.table())
    assert same(ours.due, files.due)
    assert ours.summary.equals(files.summary)


def test_a_run_that_ends_in_the_middle_leaves_nothing(there: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    _, admin, desks = there
    from changtong.supervision_records import hazard_records

    real, left = hazard_records.add_record, [1]

    def dies(*given: Any, **more: Any) -> Any:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return real(*given, **more)

    monkeypatch.setattr(hazard_records, "add_record", dies)
    with pytest.raises(KeyboardInterrupt):
        acted(desks["li"], event("open"), event("open", name="H2"))
    assert list(desks["li"].every("hazard")) == []
    assert admin.verify_audit(with_records=True).whole
