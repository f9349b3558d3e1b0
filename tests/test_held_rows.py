"""Rows held while many records are worked on: a change is seen at once, and written with all or not."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa
from registers_cases import (  # noqa: F401
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    region,
    site,
    small,
    small_database,
    small_file,
)

from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError
from changtong.rights.scope import Scope
from changtong.storage import audit
from changtong.storage.records import add_record, change_record, get_record, rows_to_decide
from changtong.storage.rows import now
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store
from changtong.storage.work import Work

There = tuple[Store, Desk]


def statements(store: Store) -> list[str]:
    """The statements from here on, in order."""
    seen: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda _c, _r, text, *_: seen.append(text))
    return seen


def test_what_was_added_and_changed_is_found_before_it_is_written(small: There) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1), organisation="sd-ns")
    seen = statements(store)
    with li.work(writes=True) as work, work.part(), work.holding():
        assert rows_to_decide(work, "hazard", "site", [made.id], lock=True) == []
        for name in ("h2", "h1"):
            add_record(work, "hazard", hazard(site=made.id), record_id=name)
        change_record(work, "hazard", "h1", 1, {"escalation": 1})
        change_record(work, "site", made.id, 1, {"name": "other"})
        found = rows_to_decide(work, "hazard", "site", [made.id], lock=True)
        assert [(one["id"], one["version"], one["escalation"]) for one in found] == [
            ("h1", 2, 1),
            ("h2", 1, 0),
        ]
        assert [one["id"] for one in rows_to_decide(work, "hazard", "id", ["h2", "h3"])] == ["h2"]
        assert get_record(work, "site", made.id)["name"] == "other"
        with pytest.raises(InputError, match="already"):
            add_record(work, "hazard", hazard(), record_id="h1")
        with pytest.raises(InputError, match="already"):
            add_record(work, "site", site(1))
        assert not [one for one in seen if one.startswith(("INSERT", "UPDATE"))]
    written = [one.split()[:3] for one in seen if one.startswith(("INSERT", "UPDATE"))]
    assert [one[1].strip('"') if one[0] == "UPDATE" else one[2] for one in written] == [
        "sites", "hazards", "audit", "audit_head",
    ]  # fmt: skip
    assert (li.get("hazard", "h1").version, li.get("site", made.id)["name"]) == (2, "other")
    assert [one["action"] for one in admin.audit_entries("hazard", "h1")] == ["add", "change"]
    assert admin.verify_audit(with_records=True).whole


def part_that_fails(work: Work) -> None:
    with work.part():
        add_record(work, "hazard", hazard(), record_id="h2")
        change_record(work, "hazard", "h1", 1, {"escalation": 2})
        add_record(work, "hazard", hazard(title=""), record_id="h3")


def test_a_part_that_fails_leaves_nothing_and_the_others_stay(small: There) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    with li.work(writes=True) as work, work.part(), work.holding():
        with work.part():
            add_record(work, "hazard", hazard(), record_id="h1")
        with pytest.raises(InputError, match="title"):
            part_that_fails(work)
        with pytest.raises(NotFoundError):
            get_record(work, "hazard", "h2")
        assert get_record(work, "hazard", "h1")["escalation"] == 0
        with work.part():
            change_record(work, "hazard", "h1", 1, {"escalation": 3})
    assert {one.id: (one.version, one["escalation"]) for one in li.every("hazard")} == {"h1": (2, 3)}
    assert admin.verify_audit(with_records=True).whole


def beyond_rights(desk: Desk, far: str) -> None:
    with desk.work(writes=True) as work, work.part(), work.holding():
        add_record(work, "hazard", hazard(), record_id="h1")
        assert [one["id"] for one in rows_to_decide(work, "site", "id", [far])] == [far]
        with pytest.raises(NotFoundError):
            get_record(work, "site", far)
        with pytest.raises(InputError, match="may see"):
            add_record(work, "hazard", hazard(site=far))
        add_record(work, "hazard", hazard(), organisation="spb-bj", record_id="h2")


def test_rights_are_decided_record_by_record(small: There) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    beijing = person(store, admin, "far", "spb-bj", ("duty_officer", Scope(region="110000")))
    far = beijing.add("site", site(9), organisation="spb-bj").id
    seen = statements(store)
    with pytest.raises(DeniedError):
        beyond_rights(li, far)
    assert not [one for one in seen if one.startswith("INSERT INTO hazards")]
    assert list(li.every("hazard")) == []
    assert [one["action"] for one in admin.audit_entries("hazard", "h2")] == ["refused:add"]


def changed_behind(desk: Desk, name: str) -> None:
    with desk.work(writes=True) as work, work.part(), work.holding():
        change_record(work, "hazard", name, 1, {"escalation": 1})
        table = registers["hazard"]
        work.connection.execute(table.update().where(table.c.id == name).values(version=7))


def test_a_row_that_somebody_changed_all_the_same_is_not_written_over(small: There) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    made = li.add("hazard", hazard())
    with pytest.raises(ConflictError):
        changed_behind(li, made.id)
    assert (li.get("hazard", made.id).version, li.get("hazard", made.id)["escalation"]) == (1, 0)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_is_done_held_and_unheld(small: There, seed: int) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    sites = [li.add("site", site(number), organisation="sd-ns").id for number in (1, 2)]

    def some(work: Work, dice: random.Random, mark: str) -> list[Any]:
        told: list[Any] = []
        for _ in range(60):
            name, where = f"{mark}{dice.randint(1, 8)}", dice.choice([*sites, None])
            values = {"escalation": dice.randint(0, 9), "title": dice.choice(("a", "b", ""))}
            version = dice.randint(1, 3)
            try:
                with work.part():
                    if dice.random() < 0.5:
                        add_record(work, "hazard", hazard(**values, site=where), record_id=name)
                    change_record(work, "hazard", name, version, {"site": where} | values)
                    told.append("done")
            except (InputError, ConflictError, NotFoundError) as error:
                told.append(error.code if not isinstance(error, InputError) else error.problems[0].code)
            found = rows_to_decide(work, "hazard", "site", [dice.choice(sites)], lock=dice.random() < 0.5)
            told.append(
                [(one["id"][1:], one["version"], one["escalation"]) for one in found if one["id"][0] == mark]
            )
        return told

    with li.work(writes=True) as work:
        plain = some(work, random.Random(seed), "p")
        with work.part(), work.holding():
            held = some(work, random.Random(seed), "h")
    assert held == plain
    assert {"done", "duplicate-record", "conflict"} <= {one for one in plain if isinstance(one, str)}
    rows = {one.id: (one.version, one["site"], one["escalation"], one["title"]) for one in li.every("hazard")}
    for name in range(1, 9):
        assert rows.get(f"p{name}") == rows.get(f"h{name}")
        entries = [
            [
                (one["action"], one["actor"], one["path"])
                for one in admin.audit_entries("hazard", f"{mark}{name}")
            ]
            for mark in "ph"
        ]
        assert entries[0] == entries[1]
    assert admin.verify_audit(with_records=True).whole


def test_entries_of_the_audit_written_together_are_one_chain(small: There) -> None:  # noqa: F811
    store, admin = small
    before = admin.verify_audit().entries
    entries = [audit.Entry(now(), "operator", f"try-{number}", "registers", "") for number in range(3)]
    with store.engine.begin() as connection:
        assert audit.append(connection) == before
        assert audit.append(connection, *entries) == before + 3
        assert audit.append(connection, entries[0]) == before + 4
    found = admin.verify_audit()
    assert (found.whole, found.entries) == (True, before + 4)
    told = [one["action"] for one in admin.audit_entries("registers", "")]
    assert told[-4:] == ["try-0", "try-1", "try-2", "try-0"]
