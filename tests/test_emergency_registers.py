"""Cases in the registers: under rights, each entry once, verified, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.emergency import case_actions as do
from changtong.emergency.case_event import Event
from changtong.emergency.opening import Opened
from changtong.emergency.plan_file import find_plan
from changtong.emergency_records.case_register import (
    add_case_entry,
    list_register_cases,
    open_register_case,
    read_register_case,
    verify_register_case,
)
from changtong.errors import DeniedError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store

CITY = Scope(region="440300")


def told(case_id: str = "K1", **more: Any) -> Opened:
    event = Event({"text": "made up: water in a hub", "kind": "flood", "source": "words"})
    return Opened(find_plan("flood"), event, {"warning_colour": "orange"}, case_id=case_id, **more)


def duty(store: Store, admin: Desk, name: str = "li") -> Desk:
    return person(store, admin, name, "spb-sz", ("duty_officer", CITY))


def test_a_case_in_the_registers_is_as_one_in_a_folder(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li, wu = duty(store, admin), duty(store, admin, "wu")
    opened = open_register_case(li, told())
    assert (opened.state, opened.entries[0].by) == ("open", "li")
    written = add_case_entry(wu, "K1", do.set_level("III"), entry_id="once")
    again = add_case_entry(wu, "K1", do.set_level("III"), entry_id="once")
    assert (written.is_new, again.is_new, again.entry.n) == (True, False, 2)
    add_case_entry(li, "K1", do.do_task("convene", "done"))
    case = read_register_case(li, "K1")
    assert [one.action for one in case.entries] == ["open", "level", "task"]
    assert case.tasks["convene"].state == "done"
    (row,) = list_register_cases(wu)
    assert (row["case_id"], row["level"], row["entries"]) == ("K1", "III", 3)
    check = verify_register_case(li, "K1")
    assert check.whole
    assert check.entries == 3
    assert admin.verify_audit(with_records=True).whole
    with pytest.raises(InputError, match="duplicate-record"):
        open_register_case(wu, told())


def test_rights_are_asked_for_in_the_one_place(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = duty(store, admin)
    open_register_case(li, told())
    viewer = person(store, admin, "vi", "spb-sz", ("viewer", CITY))
    inspector = person(store, admin, "ins", "spb-sz", ("inspector", CITY))
    elsewhere = person(store, admin, "bei", "spb-bj", ("duty_officer", Scope(region="110000")))
    add_case_entry(inspector, "K1", do.note("looked at the hall"))
    with pytest.raises(DeniedError, match="decide"):
        add_case_entry(inspector, "K1", do.set_level("III"))
    with pytest.raises(DeniedError):
        add_case_entry(viewer, "K1", do.note("hello"))
    with pytest.raises(DeniedError):
        read_register_case(viewer, "K1")
    assert [one["case_id"] for one in list_register_cases(viewer)] == ["K1"]
    for tried in (lambda: read_register_case(elsewhere, "K1"), lambda: verify_register_case(elsewhere, "K1")):
        with pytest.raises(NotFoundError):
            tried()
    with pytest.raises(DeniedError):
        open_register_case(viewer, told("K2"))
    with pytest.raises(UsageError, match="own-way|not added as such"):
        li.add("case", {"title": "x"})
    record = li.get("case", "K1")
    with pytest.raises(InputError, match="kept-by-ledger"):
        li.change("case", "K1", record.version, {"level": "I"})
    assert len(read_register_case(li, "K1").entries) == 2


def test_what_is_altered_behind_the_back_of_the_registers_is_named(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = duty(store, admin)
    open_register_case(li, told())
    for text in ("one", "two", "three"):
        add_case_entry(li, "K1", do.note(text))
    head = verify_register_case(li, "K1").head

    def wrong(statement: str) -> set[tuple[int, str]]:
        with store.engine.begin() as connection:
            connection.execute(sa.text(statement))
        return {(one.n, one.what) for one in verify_register_case(li, "K1", head).findings}

    assert wrong("""UPDATE case_entries SET content = '{"text":"2"}' WHERE n = 3""") == {(3, "altered")}
    assert wrong("DELETE FROM case_entries WHERE n = 3") == {(3, "missing")}
    assert wrong("DELETE FROM case_entries WHERE n = 4") == {(3, "cut-off")}
    with pytest.raises(InputError, match="case-altered"):
        read_register_case(li, "K1")
    with pytest.raises(InputError, match="case-altered"):
        add_case_entry(li, "K1", do.note("more"))


def test_two_at_once_write_one_after_the_other_and_a_task_is_done_once(small: tuple[Store, Desk]) -> None:
    store, admin = small
    desks = [duty(store, admin, name) for name in ("li", "wu", "he")]
    open_register_case(desks[0], told())
    add_case_entry(desks[0], "K1", do.set_level("III"))
    came: list[str] = []

    def work(desk: Desk) -> None:
        for number in range(3):
            add_case_entry(desk, "K1", do.note(f"note {number}"))
        try:
            add_case_entry(desk, "K1", do.do_task("convene", "done"))
            came.append("done")
        except InputError as error:
            came.append(str(error))

    threads = [threading.Thread(target=work, args=(desk,)) for desk in desks]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one == "done" for one in came) == [False, False, True]
    assert all("convene is done, by" in one for one in came if one != "done")
    case = read_register_case(desks[0], "K1")
    assert [one.n for one in case.entries] == list(range(1, 13))
    assert verify_register_case(desks[0], "K1").whole


def test_nothing_is_written_ahead_of_now_or_for_a_drill(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = duty(store, admin)
    with pytest.raises(UsageError, match="folders"):
        open_register_case(li, told(is_drill=True))
    made = open_register_case(li, told())
    with pytest.raises(InputError, match="still to come"):
        add_case_entry(li, "K1", do.note("early"), at=made.opened_at + timedelta(hours=1))
