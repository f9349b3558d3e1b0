"""The permission matrix over the API: every register, role and region, allowed exactly as the table says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from api_cases import Client
from fastapi import FastAPI
from register_api_cases import app_of, client
from registers_cases import cheap_hashes, person, postgres, small_database, small_store

from changtong.rights.decide import Grant, Person, Role, Target, decide, rights_table
from changtong.rights.scope import Scope
from changtong.storage.definitions import OWN_WAYS, REGISTERS, Column, register_columns
from changtong.storage.rows import new_salt, now, place_of
from changtong.storage.schema import metadata, registers, table_name

__all__ = ["cheap_hashes", "postgres", "small_database"]

REGION = Scope(region="440000")
PLACES = {
    "own": ("spb-gd", "/spb/spb-gd/", "440000"),
    "here": ("sd-ns", "/sd/sd-gd/sd-sz/sd-ns/", "440305"),
    "there": ("spb-bj", "/spb/spb-bj/", "110000"),
}
"""Of one's own organisation, of another one within the region, of another region."""

STATES = {"assessment": "open", "rectification": "open"}


def filler(column: Column, kind: str, where: str) -> Any:
    """Return some value that the database takes."""
    if column.name in ("state", "status"):
        return STATES.get(kind, column.choices[0])
    if column.choices:
        return column.choices[0]
    if column.references == "user":
        return None
    if column.references:
        return f"{column.references}-{where}"
    kinds: dict[str, Any] = {
        "id": f"x-{where}", "text": "x", "number": 1.0, "integer": 1, "boolean": False, "json": {},
        "instant": now(),
    }  # fmt: skip
    return kinds[column.type]


def fill(connection: sa.Connection, user: str) -> None:
    """Put one record of each register into each place, whatever way it is made otherwise."""
    kinds = {table_name(kind): kind for kind in REGISTERS}
    for table in metadata.sorted_tables:
        kind = kinds.get(table.name)
        if kind is None:
            continue
        for where, (organisation, path, code) in PLACES.items():
            values = {
                name: filler(column, kind, where) if column.required or column.references else None
                for name, column in register_columns(kind).items()
            }
            values |= {
                name: user
                for name, column in register_columns(kind).items()
                if column.references == "user" and column.required
            }
            if kind == "site":
                values["site_id"] = f"S-{where}"
            if kind == "attachment":
                values |= {"about_kind": "site", "about": f"site-{where}"}
            row = {
                "id": f"{kind}-{where}", "organisation": organisation, **place_of(path, code), **values,
                "version": 1, "created_at": now(), "created_by": user, "updated_at": now(),
                "updated_by": user, "salt": new_salt(),
            }  # fmt: skip
            own = {key.parent.name for key in table.foreign_keys if key.column.table is table}
            connection.execute(table.insert(), row | dict.fromkeys(own))


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, dict[str, Client]]]:
    """The application over filled registers, and a program for each role."""
    path = tmp_path_factory.mktemp("matrix")
    store, admin = small_store(path / "registers.db", path / "files")
    with store:
        with pytest.MonkeyPatch.context() as patched:
            from registers_cases import CHEAP

            from changtong.storage import passwords

            patched.setattr(passwords, "hasher", CHEAP)
            desks = {role: person(store, admin, role.value, "spb-gd", (role.value, REGION)) for role in Role}
        with store.engine.begin() as connection:
            fill(connection, admin.check())
        app = app_of(store, path)
        yield app, {role.value: client(app, desk) for role, desk in desks.items()}


def allowed(role: str, action: str, kind: str, where: str) -> bool:
    """Return what the table says, by the one place that decides."""
    if kind == "mark" and where != "own":  # blind until all departments have handed in
        return False
    _, path, code = PLACES[where]
    who = Person("x", PLACES["own"][1], (Grant(Role(role), REGION),), "440000", is_authority=True)
    return decide(who, action, Target(kind, path, code), now()).allowed


@pytest.mark.parametrize("role", list(Role.__members__))
def test_every_register_and_region_is_seen_changed_and_revealed_as_the_table_says(
    matrix: tuple[FastAPI, dict[str, Client]], role: str
) -> None:
    ask = matrix[1][role]
    asked = 0
    for kind in REGISTERS:
        anywhere = bool(rights_table().get((kind, "view", Role(role))))
        listed = ask("GET", f"/api/v1/records/{kind}?limit=500")
        seen = {f"{kind}-{where}" for where in PLACES if allowed(role, "view", kind, where)}
        if anywhere:
            assert {one["id"] for one in listed.json()["records"]} == seen, kind
        else:
            assert listed.status_code == 403, kind
        for where in PLACES:
            place = f"/api/v1/records/{kind}/{kind}-{where}"
            views = allowed(role, "view", kind, where)
            assert ask("GET", place).status_code == (200 if views else 404), (kind, where)
            reveal = ask("POST", f"{place}/reveal", json={"reason": "a test"}).status_code
            reveals = allowed(role, "reveal", kind, where)
            assert reveal == (404 if not views else 200 if reveals else 403), (kind, where)
            change = ask("PATCH", place, json={"values": {}}, headers={"If-Match": '"1"'})
            if kind not in ("assessment", "statement"):  # no state of theirs is open to changes as such
                changes = allowed(role, "change", kind, where)
                expected = 404 if not views else 200 if changes else 403
                assert change.status_code == expected, (kind, where, change.text)
            asked += 3
    assert asked == 3 * 3 * len(REGISTERS)


@pytest.mark.parametrize("role", list(Role.__members__))
def test_every_register_and_region_is_added_to_as_the_table_says(
    matrix: tuple[FastAPI, dict[str, Client]], role: str
) -> None:
    ask = matrix[1][role]
    for kind in REGISTERS:
        for where, (organisation, _, code) in PLACES.items():
            one = {"values": {}, "organisation": organisation, "admin_code": code}
            answer = ask("POST", f"/api/v1/records/{kind}", json={"records": [one]})
            if kind in OWN_WAYS or kind == "attachment":
                assert (answer.status_code, answer.json()["code"]) == (400, "own-way"), kind
            elif not rights_table().get((kind, "add", Role(role))):
                assert answer.status_code == 403, (kind, where)
            else:  # the empty record is refused; that it may not be there as well is told beside
                codes = {problem["code"] for problem in answer.json()["problems"]}
                assert ("not-allowed" in codes) != allowed(role, "add", kind, where), (kind, where)


def test_the_registers_were_filled_and_nothing_was_added(matrix: tuple[FastAPI, dict[str, Client]]) -> None:
    store = matrix[0].state.service.store
    with store.engine.connect() as connection:
        for kind in REGISTERS:
            count = connection.execute(sa.select(sa.func.count()).select_from(registers[kind])).scalar_one()
            assert count == len(PLACES), kind


def test_the_first_administrator_changes_the_password_and_may_ask_for_runs(tmp_path: Path) -> None:
    from changtong.api.data_folder import DataFolder
    from changtong.api.service import FIRST_SIGN_IN, _store

    store = _store(DataFolder(tmp_path), None)
    with store:
        told = dict(line.split(": ") for line in (tmp_path / FIRST_SIGN_IN).read_text().splitlines())
        browser = Client(app_of(store, tmp_path))
        signed = browser.sign_in(told["user"], told["password"])
        assert signed.json()["must_change_password"] is True
        assert browser("GET", "/api/v1/organisations").json()["code"] == "password-must-change"
        new = {"old": told["password"], "new": "a bridge of seven stones"}
        assert browser("POST", "/api/v1/session/password", json=new).status_code == 204
        roles = {one["role"] for one in browser("GET", "/api/v1/session").json()["roles"]}
        assert roles == {"administrator", "planner"}
        assert browser("GET", "/api/v1/organisations").status_code == 200
