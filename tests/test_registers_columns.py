"""Columns of whole registers: what pages show of them, for everybody only what they may see."""

from __future__ import annotations

import pytest
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    site,
    small,
    small_database,
    small_file,
)

from changtong.errors import DeniedError, UsageError
from changtong.rights.scope import Scope
from changtong.storage import whole_registers
from changtong.storage.schema import to_ms
from changtong.storage.store import Desk, Store

NAMES = ("id", "version", "site_id", "status", "admin_code", "path", "updated_at")


def stocked(store: Store, admin: Desk) -> dict[str, Desk]:
    """Nine sites in three regions, and desks that see some of them, one over two scopes that overlap."""
    region = Scope(region="440000")
    planner = person(store, admin, "all", "spb-gd", ("planner", region))
    places = (("sd-ns", "440305"), ("fc-ft", "440304"), ("sd-gd", "440100"))
    for number in range(9):
        organisation, code = places[number % 3]
        planner.add("site", site(str(number)), organisation=organisation, admin_code=code)
    firm = Scope("/sd/sd-gd/")
    return {
        "all": planner,
        "city": person(store, admin, "city", "spb-sz", ("viewer", Scope(region="440300"))),
        "both": person(
            store, admin, "both", "spb-gd", *(("viewer", Scope(region=c)) for c in ("440300", "440305"))
        ),
        "firm": person(store, admin, "firm", "sd-gd", ("viewer", firm)),
    }


def test_columns_are_those_of_the_pages(small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_registers, "ROWS_READ", 2)  # several parts
    seen = {}
    for name, desk in stocked(*small).items():
        found = list(desk.columns("site", NAMES))
        shown = [
            (
                one.id,
                one.version,
                one["site_id"],
                one["status"],
                one.admin_code,
                one.path,
                to_ms(one.updated_at),
            )
            for one in desk.every("site")
        ]
        assert found == sorted(shown)
        seen[name] = len(found)
    assert seen == {"all": 9, "city": 6, "both": 6, "firm": 6}


def test_personal_data_and_what_is_not_there_are_refused(small: tuple[Store, Desk]) -> None:
    desk = stocked(*small)["all"]
    for name in ("contact_phone", "salt", "no_such"):
        with pytest.raises(UsageError, match=f"'{name}'"):
            list(desk.columns("site", ("id", name)))
    with pytest.raises(UsageError) as caught:
        list(desk.columns("weather", ("id",)))
    assert caught.value.code == "unknown-register"


def test_who_has_no_right_reads_nothing_and_it_is_on_record(small: tuple[Store, Desk]) -> None:
    store, admin = small
    stocked(store, admin)
    nobody = person(store, admin, "nobody", "spb-gd")
    with pytest.raises(DeniedError) as caught:
        list(nobody.columns("site", ("id",)))
    assert caught.value.code == "not-allowed"
