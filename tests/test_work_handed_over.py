"""Open work handed to another person, records to another organisation: tried first, by right, on record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from register_api_cases import app_of, client, officer, refused
from registers_cases import (
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    site,
    small,
    small_database,
    small_file,
)

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.rights.scope import Scope
from changtong.safety.hazard import HazardEvent
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.storage.rows import now
from changtong.storage.store import Desk, Store
from changtong.supervision_records.hazard_register import take_hazard_actions
from changtong.supervision_records.work_handed_over import hand_over_work

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]

Small = tuple[Store, Desk]
SOON = "2027-01-05T18:00:00+08:00"


class Office:
    def __init__(self, store: Store, admin: Desk) -> None:
        self.store, self.admin = store, admin
        self.li, self.wu = officer(store, admin, "li"), officer(store, admin, "wu")
        self.ids = {one.name: one.id for one in admin.users()}
        self.kept = self.li.add("hazard", hazard(title="by its ledger")).id
        event = HazardEvent(self.kept, now(), "assign", "", owner="li")
        take_hazard_actions(self.li, read_hazard_rules(), [event])
        mine = {"owner": self.ids["li"]}
        self.plain = self.li.add("hazard", hazard(title="by hand", **mine)).id
        self.task = self.li.add("task", {"title": "to do", "deadline": SOON, **mine}).id
        done = self.li.add("hazard", hazard(title="mended", state="rectified", **mine)).id
        self.done = done


@pytest.fixture
def office(small: Small) -> Office:
    return Office(*small)


@pytest.fixture
def app(small: Small, tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


def test_what_can_be_moves_and_what_was_done_stays_with_who_did_it(office: Office) -> None:
    wanted = {("hazard", office.kept), ("hazard", office.plain), ("task", office.task)}
    tried = hand_over_work(office.wu, "li", "wu", "", dry_run=True)
    assert (set(tried.moved), tried.stays) == (wanted, ())
    assert office.li.get("hazard", office.plain)["owner"] == office.ids["li"]
    assert office.li.get("task", office.task).version == 1
    with pytest.raises(UsageError, match="Say why"):
        hand_over_work(office.wu, "li", "wu", " ")
    made = hand_over_work(office.wu, "li", "wu", "left the office")
    assert set(made.moved) == wanted
    for kind, name in wanted:
        assert office.li.get(kind, name)["owner"] == office.ids["wu"]
    assert office.li.get("hazard", office.done)["owner"] == office.ids["li"]
    assert office.li.get("hazard", office.kept)["state"] == "rectifying"
    entry = office.admin.audit_entries("task", office.task)[-1]
    assert (entry["action"], entry["reason"]) == ("change", "left the office")
    assert office.admin.verify_audit(with_records=True).whole
    assert hand_over_work(office.wu, "li", "wu", "again").moved == ()


def test_what_one_may_not_change_is_listed_and_stays(small: Small, office: Office) -> None:
    planner = person(*small, "plan", "spb-gd", ("planner", Scope(region="440000")))
    made = hand_over_work(planner, "li", "wu", "moves")
    assert made.moved == (("task", office.task),)
    assert set(made.stays) == {
        ("hazard", office.kept, "not-allowed"), ("hazard", office.plain, "not-allowed"),
    }  # fmt: skip
    assert office.li.get("hazard", office.plain)["owner"] == office.ids["li"]
    assert office.admin.verify_audit(with_records=True).whole


def test_both_are_people_that_one_may_see(office: Office) -> None:
    for giver, taker, columns in (("li", "li", ["taker"]), ("nobody", "none", ["giver", "taker"])):
        with pytest.raises(InputError) as found:
            hand_over_work(office.li, giver, taker, "x")
        assert [one.column for one in found.value.problems] == columns


def test_the_api_and_the_commands_tell_the_same(
    office: Office, app: FastAPI, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, desk in (("li", office.li), ("admin", office.admin)):
        (tmp_path / f"{name}.token").write_text(desk._token, "utf-8")

    def ran(who: str, *arguments: str) -> Any:
        assert main(["registers", *arguments, "--token", str(tmp_path / f"{who}.token"), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    ask, boss = client(app, office.li), client(app, office.admin)
    asked = {"giver": "li", "taker": "wu", "dry_run": True}
    tried = ask("POST", "/api/v1/supervision/hand-over", json=asked)
    assert tried.status_code == 200
    command = ("hand-over-work", place, "--from", "li", "--to", "wu", "--reason", "x")
    assert ran("li", *command, "--dry-run") == tried.json()
    assert refused(ask("POST", "/api/v1/supervision/hand-over", json={**asked, "dry_run": False})) == (
        400, "reason-missing",
    )  # fmt: skip
    assert len(ran("li", *command)["moved"]) == 3
    # a site with what belongs to it, to another organisation
    made = office.li.add("site", site(1))
    office.li.add("hazard", hazard(site=made.id))
    office.li.attach("site", made.id, "a.txt", b"a note")
    path = f"/api/v1/records/site/{made.id}/hand-over"
    told = boss("POST", path, json={"to": "spb-sz", "dry_run": True}).json()
    assert told["kinds"] == {"site": 1, "attachment": 1, "hazard": 1}
    assert office.li.get("site", made.id).organisation == "spb-gd"
    command = ("hand-over", place, "site", made.id, "--to", "spb-sz", "--reason", "x")
    assert ran("admin", *command, "--dry-run") == told
    assert refused(boss("POST", path, json={"to": "spb-sz"})) == (400, "reason-missing")
    assert refused(ask("POST", path, json={"to": "spb-sz", "dry_run": True}))[0] == 403
    assert ran("admin", *command) == told
    assert office.li.get("site", made.id).organisation == "spb-sz"
    every = boss("POST", "/api/v1/organisations/spb-sz/hand-over", json={"to": "spb-gd", "dry_run": True})
    assert every.json()["records"] == 3
    holding = ask("POST", f"/api/v1/records/site/{made.id}/holds", json={"reason": "court case 12"})
    assert holding.status_code == 201
    assert len(ask("GET", f"/api/v1/holds?kind=site&record={made.id}").json()["holds"]) == 1
    assert ask("GET", "/api/v1/holds?kind=hazard").json()["holds"] == []
