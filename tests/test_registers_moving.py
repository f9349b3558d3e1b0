"""Organisations under another parent and records handed over: rights, scopes and audit follow."""

from __future__ import annotations

import json
import threading
import uuid

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

from changtong.errors import ChangtongError, DeniedError, InputError, NotFoundError
from changtong.rights.scope import Scope
from changtong.storage.people import NewOrganisation
from changtong.storage.rows import place_of
from changtong.storage.schema import organisations, registers
from changtong.storage.store import Desk, Store

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def places(store: Store) -> None:
    """Hold each record against its organisation: path and all that comes from it."""
    with store.engine.connect() as connection:
        paths = dict(connection.execute(sa.select(organisations.c.id, organisations.c.path)).all())
        for row in connection.execute(sa.select(organisations)).mappings():
            above = "/" if row["parent"] is None else paths[row["parent"]]
            assert row["path"] == f"{above}{row['id']}/"
        for table in registers.values():
            for row in connection.execute(sa.select(table)).mappings():
                wanted = place_of(paths[row["organisation"]], row["admin_code"])
                assert {name: row[name] for name in wanted} == wanted


def test_an_organisation_moves_with_all_below_its_records_and_scopes(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    one = li.add("site", site(1), organisation="sd-ns")
    other = li.add("site", site(2), organisation="fc-ft")
    attached = li.attach("site", one.id, "a.png", PNG)
    inside = person(store, admin, "wei", "sd-ns", ("viewer", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    above = person(store, admin, "top", "sd-gd", ("viewer", Scope("/sd/sd-gd/")))
    assert inside.get("site", one.id).path == "/sd/sd-gd/sd-sz/sd-ns/"
    made = admin.move_organisation("sd-sz", "sd", "the branch is given up")
    assert made.to_json() == {"organisations": 2, "records": 2, "scopes": 1, "taken_back": 0}
    places(store)
    assert inside.get("site", one.id).path == "/sd/sd-sz/sd-ns/"
    with pytest.raises(NotFoundError):
        above.get("site", one.id)  # its scope is the branch, which it is no part of any more
    assert li.get("site", other.id).version == 1
    assert admin.organisation_path("sd-ns") == "/sd/sd-sz/sd-ns/"
    assert admin.verify_audit(with_records=True).whole
    (entry,) = [e for e in admin.audit_entries("site", one.id) if e["action"] == "move"]
    assert json.loads(entry["detail"])["values"]["path"] == ["/sd/sd-gd/sd-sz/sd-ns/", "/sd/sd-sz/sd-ns/"]
    assert entry["reason"] == "the branch is given up"
    assert li.get("attachment", attached.id).version == 2
    li.change("site", one.id, 2, {"name": "after"})


def test_who_moves_to_another_firm_keeps_no_role_in_the_old_one(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1), organisation="sd-ns")
    clerk = person(store, admin, "clerk", "sd-ns", ("viewer", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    old = person(store, admin, "old", "sd-gd", ("viewer", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    assert old.get("site", made.id).version == 1
    found = admin.move_organisation("sd-ns", "fc", "sold")
    assert (found.scopes, found.taken_back) == (1, 1)
    assert clerk.get("site", made.id).path == "/fc/sd-ns/"
    with pytest.raises(DeniedError):
        old.page("site")
    assert admin.grants("old") == []
    places(store)


@pytest.mark.parametrize(
    ("organisation", "parent", "word"),
    [
        ("sd-gd", "sd-ns", "itself"),
        ("sd-gd", "sd-gd", "itself"),
        ("sd-ns", "sd-sz", "already"),
        ("sd-ns", "spb-gd", "cannot stand"),
        ("sd", "fc", "cannot stand"),
        ("spb-gd", "spb-bj", "cannot stand"),
    ],
)
def test_an_organisation_stands_only_where_it_can(
    small: tuple[Store, Desk], organisation: str, parent: str, word: str
) -> None:
    store, admin = small
    with pytest.raises(InputError, match=word) as caught:
        admin.move_organisation(organisation, parent, "try")
    assert caught.value.problems[0].code == "bad-organisation"
    places(store)


def test_a_hierarchy_does_not_grow_too_deep_by_moving(small: tuple[Store, Desk]) -> None:
    store, admin = small
    for number in range(6):
        below = "fc" if number == 0 else f"b{number - 1}"
        admin.add_organisation(NewOrganisation(f"b{number}", "branch", "330000", below, id=f"b{number}"))
    with pytest.raises(InputError, match="too deep"):
        admin.move_organisation("sd-gd", "b5", "try")
    admin.move_organisation("sd-gd", "b2", "three levels go")
    places(store)


def test_both_places_need_the_right(small: tuple[Store, Desk]) -> None:
    store, admin = small
    gd = person(store, admin, "gd", "spb-gd", ("administrator", Scope(region="440000")))
    li = region(store, admin)
    made = li.add("site", site(1), organisation="sd-ns")
    with pytest.raises((DeniedError, NotFoundError)):
        gd.move_organisation("sd-gd", "fc", "the new parent lies outside")
    with pytest.raises(DeniedError):
        li.move_organisation("sd-ns", "sd-sz", "no administrator")
    with pytest.raises((DeniedError, NotFoundError)):
        gd.hand_over("site", made.id, "fc", "outside")
    with pytest.raises(DeniedError):
        li.hand_over("site", made.id, "fc-ft", "no administrator")
    for call in (
        lambda: admin.move_organisation("sd-ns", "sd-gd", " "),
        lambda: admin.hand_over("site", made.id, "fc-ft", ""),
        lambda: admin.hand_over_all("sd-ns", "fc-ft", ""),
    ):
        with pytest.raises(ChangtongError) as caught:
            call()
        assert caught.value.code == "reason-missing"
    assert gd.hand_over("site", made.id, "fc-ft", "within").records == 1


def test_a_site_is_handed_over_with_what_belongs_to_it(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1, contact_phone="13800138000"), organisation="sd-ns")
    stays = li.add("site", site(2), organisation="sd-ns")
    found = li.add("hazard", hazard(site=made.id))
    soon = "2026-12-01T00:00+08:00"
    fixed = li.add("rectification", {"hazard": found.id, "title": "t", "deadline": soon})
    picture = li.attach("rectification", fixed.id, "a.png", PNG)
    visit = li.add("inspection", {"site": made.id, "form_id": "f", "form_version": "1", "planned_at": soon})
    firm = person(store, admin, "fc", "fc", ("duty_officer", Scope("/fc/")))
    with pytest.raises(NotFoundError):
        firm.get("site", made.id)
    assert admin.hand_over("site", made.id, "fc-ft", "sold").records == 4
    places(store)
    for kind, one in (("site", made), ("hazard", found), ("rectification", fixed), ("attachment", picture)):
        assert firm.get(kind, one.id).organisation == "fc-ft"
    assert li.get("site", stays.id).organisation == "sd-ns"
    assert li.get("inspection", visit.id).version == 1  # a visit is of who visits
    assert firm.get("site", made.id).admin_code == made.admin_code
    assert firm.reveal("site", made.id, "call")["contact_phone"] == "13800138000"
    with pytest.raises(InputError, match="already"):
        admin.hand_over("site", made.id, "fc-ft", "again")
    assert admin.hand_over_all("sd-ns", "sd-gd", "the outlet closes").records == 1
    with pytest.raises(NotFoundError):
        admin.hand_over("site", "none", "fc-ft", "x")
    places(store)
    assert admin.verify_audit(with_records=True).whole


def test_two_who_move_each_below_the_other_make_no_circle(small: tuple[Store, Desk]) -> None:
    store, admin = small
    for name in ("left", "right"):
        admin.add_organisation(NewOrganisation(name, "branch", "310000", "sd", id=name))
    told: list[str] = []

    def move(one: str, other: str) -> None:
        try:
            admin.move_organisation(one, other, "at once")
            told.append("moved")
        except InputError as error:
            told.append(error.problems[0].code)

    threads = [threading.Thread(target=move, args=pair) for pair in (("left", "right"), ("right", "left"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["bad-organisation", "moved"]
    places(store)


def test_records_added_while_their_organisation_moves_are_where_it_is(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            li.add("site", site(uuid.uuid4().hex), organisation="sd-ns")

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for number in range(6):
            admin.move_organisation("sd-ns", "sd-gd" if number % 2 == 0 else "sd-sz", "to and fro")
    finally:
        ended.set()
        writer.join()
    places(store)
    assert admin.verify_audit(with_records=True).whole
