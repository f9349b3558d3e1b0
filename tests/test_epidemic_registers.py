"""Epidemic control in the registers: who may give passes, what is read back, what is never shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from registers_cases import (  # noqa: F401
    cheap_hashes,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from supervision_cases import office, outlet

from changtong.epidemic.reports import passes_report, staff_report
from changtong.errors import DeniedError, InputError
from changtong.storage.store import Desk, Store
from changtong.supervision_records.epidemic_tables import read_register_epidemic

AT = datetime(2022, 5, 12, 2, tzinfo=UTC)
SPAN = {"valid_from": datetime(2022, 5, 1, tzinfo=UTC), "valid_until": datetime(2022, 5, 14, tzinfo=UTC)}


def test_passes_states_and_staff_are_read_back(small: tuple[Store, Desk]) -> None:  # noqa: F811
    store, admin = small
    li = office(store, admin)["li"]
    given = {"pass_id": "P1", "vehicle": "粤B·12345", "sites": "S1", "trips_per_day": 2, **SPAN}
    made = li.add("permit", given, organisation="sd-ns")
    li.add("permit", given | {"pass_id": "P2", "vehicle": "粤b12345"}, organisation="sd-ns")
    assert li.get("permit", made.id)["vehicle"] == "粤B·*****"
    for person in ("E1", "E1", "E2"):
        li.add("staff_permit", {"person": person, "site_id": "S1", **SPAN}, organisation="sd-ns")
    state = {"site_id": "S1", "control_state": "闭环", "starts_at": SPAN["valid_from"]}
    li.add("site_state", state, organisation="sd-ns")
    known = read_register_epidemic(li)
    assert {site: spell.state for site, spell in known.book.at(AT).items()} == {"S1": "closed_loop"}
    passes = passes_report(known, AT)
    assert [(row["pass_id"], row["other_pass_id"]) for row in passes.to_json()["duplicates"]] == [
        ("P1", "P2")
    ]
    staff = staff_report(known, AT)
    assert staff.tables["sites"].filter(staff.tables["sites"]["site_id"] == "S1")["may_work"].to_list() == [2]
    said = f"{passes.to_json()}{passes}{staff.to_json()}{known.tables()['staff']}"
    assert "12345" not in said
    assert "E1" not in said
    # a second state that overlaps is told when they are read
    li.add("site_state", state | {"control_state": "restricted"}, organisation="sd-ns")
    with pytest.raises(InputError, match="overlapping-states"):
        read_register_epidemic(li)


def test_nobody_gives_passes_to_their_own(small: tuple[Store, Desk]) -> None:  # noqa: F811
    store, admin = small
    office(store, admin)
    ning = outlet(store, admin)
    with pytest.raises(DeniedError):
        ning.add("permit", {"pass_id": "P1", "vehicle": "粤B12345", **SPAN}, organisation="sd-ns")
    assert read_register_epidemic(ning).has_passes is False
