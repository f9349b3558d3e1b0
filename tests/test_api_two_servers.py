"""Two servers on one PostgreSQL for the registers, each with its own folder: people are the same at both."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from api_cases import Client
from register_api_cases import app_of
from registers_cases import (
    cheap_hashes,
    new_database,
    person,
    postgres,
    postgres_is_here,
    small_store,
)

from changtong.rights.scope import Scope
from changtong.storage.store import open_store

__all__ = ["cheap_hashes", "postgres"]


@pytest.mark.skipif(not postgres_is_here(), reason="PostgreSQL is not installed")
def test_who_signs_in_or_out_at_one_is_in_or_out_at_both(postgres: str, tmp_path: Path) -> None:  # noqa: F811
    url, files = new_database(postgres, f"t{uuid.uuid4().hex}"), tmp_path / "files"
    first, admin = small_store(url, files)
    with first, open_store(url, files=files) as second:
        person(first, admin, "li", "spb-gd", ("inspector", Scope(region="440000")))
        apps = []
        for store, name in ((first, "one"), (second, "two")):
            (tmp_path / name).mkdir()
            apps.append(app_of(store, tmp_path / name))
        at_one, at_two = Client(apps[0]), Client(apps[1])
        assert at_one.sign_in("li").status_code == 201
        at_two.cookies, at_two.csrf = at_one.cookies, at_one.csrf
        hazards = "/api/v1/records/hazard"
        day = "2026-06-01T08:00:00+08:00"
        new = {"records": [{"values": {"title": "no guard", "deadline": day, "found_at": day}}]}
        made = at_two("POST", hazards, json=new)
        assert made.status_code == 201, made.text
        record = f"{hazards}/{made.json()['records'][0]['id']}"
        assert at_one("GET", record).status_code == 200
        (grant,) = admin.grants("li")
        admin.take_back(
            grant["id"], "moved on"
        )  # at the first server: gone with the next request at the second
        assert at_two("POST", hazards, json=new).status_code == 403
        assert at_two("DELETE", "/api/v1/session").status_code == 204
        assert at_one("GET", "/api/v1/session").status_code == 401
