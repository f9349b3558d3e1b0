"""Duty rooms, scorecards, cases, tickets, ledgers, administration over the API: their stories."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from duty_cases import roster_folder
from fastapi import FastAPI
from register_api_cases import GUANGDONG, added, app_of, client, officer, refused
from registers_cases import (
    ADMIN,
    OWN,
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from scorecard_cases import CARD, people, small_card
from supervision_cases import office, outlet
from test_api_records import at_once

from changtong.assessment.card_writer import write_scorecard
from changtong.rights.scope import Scope
from changtong.storage.rows import now
from changtong.storage.store import Desk, Store

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]

Small = tuple[Store, Desk]
ROOM = "/api/v1/duty-rooms/hall"


@pytest.fixture
def app(small: Small, tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.suffix in (".csv", ".toml", ".json")
    }


def test_a_duty_room_from_its_roster_to_a_call_that_two_answer(
    small: Small, app: FastAPI, tmp_path: Path
) -> None:
    li, wu = (client(app, officer(*small, name)) for name in ("li", "wu"))
    key = {"Idempotency-Key": "r"}
    for _ in range(2):
        made = li("POST", "/api/v1/duty-rooms", json={"title": "大厅", "id": "hall"}, headers=key)
        assert (made.status_code, made.json()["room"]) == (201, "hall")
    roster = {"files": files_of(roster_folder(tmp_path / "roster")), "since": "2026-03-02"}
    put = li("POST", f"{ROOM}/rosters", json=roster)
    assert (put.status_code, put.json()["duties"]) == (201, 3), put.text
    assert li("GET", f"{ROOM}/rosters").json()["rosters"][0]["first"] == "2026-03-02"
    at = "2026-03-02T08:02:00+08:00"
    came = li("POST", f"{ROOM}/check-ins", json={"at": at})
    assert (came.status_code, came.json()["person_id"], came.json()["post_id"]) == (201, "li", "desk")
    there = li("GET", f"{ROOM}/now", params={"at": "2026-03-02T09:00:00+08:00"}).json()["on_duty"]
    assert [(one["person_id"], one["state"]) for one in there] == [("li", "on_time")]
    call = {"call": "c1", "chain": "flood", "subject": "水位", "at": "2026-03-02T09:00:00+08:00"}
    assert li("POST", f"{ROOM}/calls", json=call).status_code == 201
    due = li("GET", f"{ROOM}/due", params={"at": "2026-03-02T09:06:00+08:00"}).json()["due"]
    assert [(one["step"], one["person_id"]) for one in due] == [(1, "li"), (2, "he")]
    answers = at_once(*(lambda one=one: one("POST", f"{ROOM}/calls/c1/answer", json={}) for one in (li, wu)))
    told = [one.json() for one in answers]
    assert sorted(one["mine"] for one in told) == [False, True]
    assert len({one["by"] for one in told}) == 1  # the other is told who has it
    (known,) = wu("GET", f"{ROOM}/calls").json()["calls"]
    assert known["answered_by"] == told[0]["by"]
    note = {"note": "n1", "open": ["二号坡道"], "watch": []}
    assert li("POST", f"{ROOM}/hand-overs", json=note).status_code == 201
    assert refused(li("POST", f"{ROOM}/hand-overs/n1/receive", json={})) == (422, "bad-input")
    assert wu("POST", f"{ROOM}/hand-overs/n1/receive", json={}).json()["mine"] is True
    bj = person(*small, "wang", "spb-bj", ("duty_officer", Scope(region="110000")))
    assert refused(client(app, bj)("GET", f"{ROOM}/now")) == (404, "not-found")
    for name in ("../x.csv", "duty/../../x.csv", "/etc/x.csv"):
        answer = li("POST", f"{ROOM}/rosters", json={"files": {name: "x"}})
        assert answer.status_code == 422, name


def test_hazards_move_by_their_ledger_and_by_their_state(small: Small, app: FastAPI) -> None:
    li = client(app, officer(*small, "li"))
    wu = client(app, person(*small, "wu", "spb", ("inspector", GUANGDONG)))
    made = added(li, "hazard", **hazard())
    place = f"/api/v1/records/hazard/{made['id']}"
    assert refused(li("POST", f"{place}/moves", json={})) == (400, "bad-usage")
    assert refused(li("POST", f"{place}/moves", json={"to": "rectifying"})) == (428, "precondition-missing")
    assigned = li("POST", f"{place}/moves", json={"action": "assign", "owner": "li"})
    assert (assigned.status_code, assigned.json()["values"]["state"]) == (200, "rectifying"), assigned.text
    stale = {"If-Match": '"1"'}
    answer = li("POST", f"{place}/moves", json={"action": "done"}, headers=stale)
    assert refused(answer) == (412, "precondition-failed")
    key = {"Idempotency-Key": "d"}
    step = {"action": "done", "text": "mended", "evidence": "photo"}
    for _ in range(2):
        done = li("POST", f"{place}/moves", json=step, headers=key)
        assert (done.status_code, done.json()["values"]["state"]) == (200, "rectified"), done.text
    wrong = li("POST", f"{place}/moves", json={"action": "explode"})
    assert wrong.json()["problems"][0]["code"] == "bad-action"
    passed = wu("POST", f"{place}/moves", json={"action": "pass", "text": "seen"})
    assert (passed.status_code, passed.json()["values"]["state"]) == (200, "closed"), passed.text


def test_states_are_set_by_those_who_may_from_what_was_read(small: Small, app: FastAPI) -> None:
    li = client(app, officer(*small, "li"))
    wu = client(app, person(*small, "wu", "spb", ("inspector", GUANGDONG)))
    made = added(
        li, "inspection", form_id="f", form_version="1", planned_at=now().isoformat(), unannounced=False
    )
    place = f"/api/v1/records/inspection/{made['id']}/moves"
    finished = li("POST", place, json={"to": "finished"}, headers={"If-Match": '"1"'})
    assert (finished.status_code, finished.headers["etag"]) == (200, '"2"')
    assert refused(li("POST", place, json={"to": "reviewed"}, headers={"If-Match": '"2"'})) == (
        403, "not-allowed",
    )  # fmt: skip
    answers = at_once(*[lambda: wu("POST", place, json={"to": "reviewed"}, headers={"If-Match": '"2"'})] * 2)
    assert sorted(one.status_code for one in answers) == [200, 412]
    back = wu("POST", place, json={"to": "planned"}, headers={"If-Match": '"3"'})
    assert back.json()["problems"][0]["code"] == "bad-state"


DECISION = """
id = "D1"
title = "fire"
source = "made up"
provenance = "synthetic"
decided_on = 2026-03-01
[[tasks]]
id = "T1"
title = "list them"
owner = "ning"
subject = "甲县"
deadline = 2026-03-10
evidence = "list"
"""


def test_tasks_of_a_decision_are_registered_once_reported_and_accepted_by_another(
    small: Small, app: FastAPI
) -> None:
    li = client(app, office(*small)["li"])
    ning = client(app, outlet(*small))
    place = "/api/v1/supervision/decisions"
    first = li("POST", place, json={"decision": DECISION, "on": "2026-03-19"})
    assert (first.status_code, first.json()["registered"]) == (201, 1), first.text
    assert li("POST", place, json={"decision": DECISION}).json()["registered"] == 0
    other = li("POST", place, json={"decision": DECISION.replace("list them", "count them")})
    assert other.json()["problems"][0]["code"] == "other-decision"
    assert refused(li("POST", place, json={"decision": "x ="})) == (422, "bad-input")
    (task,) = ning("GET", "/api/v1/records/task").json()["records"]
    moves = f"/api/v1/records/task/{task['id']}/moves"
    missing = ning("POST", moves, json={"action": "report", "text": "done"})
    assert missing.status_code == 422  # the list that it asks for is not shown
    told = ning("POST", moves, json={"action": "report", "text": "done", "evidence": "list.pdf"})
    assert (told.status_code, told.json()["values"]["state"]) == (200, "done"), told.text
    own = ning("POST", moves, json={"action": "accept"})  # who reported it does not accept it
    assert [one["code"] for one in own.json()["problems"]] == ["same-person"]
    accepted = li("POST", moves, json={"action": "accept"})
    assert (accepted.status_code, accepted.json()["values"]["state"]) == (200, "accepted"), accepted.text
    added(li, "hazard", **hazard(deadline="2026-06-10T00:00:00+08:00"))
    due = li("GET", "/api/v1/supervision/hazards", params={"on": "2026-07-01"})
    assert (due.status_code, due.json()["hazards"]) == (200, 1), due.text


def test_a_scorecard_from_self_report_to_ranking_and_rectifications(
    small: Small, app: FastAPI, tmp_path: Path
) -> None:
    desks = people(*small)
    ask = {name: client(app, desk) for name, desk in desks.items()}
    write_scorecard(small_card(), tmp_path / "card")
    kept = ask["postal"]("POST", "/api/v1/scorecards", json={"files": files_of(tmp_path / "card")})
    assert (kept.status_code, kept.json()) == (201, {"card": CARD, "subjects": 2}), kept.text
    card = f"/api/v1/scorecards/{CARD}"
    said = {"values": [{"indicator_id": "real-name", "value": 0.99}], "note": "完成"}
    report = f"{card}/assessments/a/self-report"
    assert refused(ask["b"]("POST", report, json=said)) == (404, "not-found")
    first = ask["a"]("POST", report, json=said, headers={"If-Match": '"1"'})
    assert (first.status_code, first.headers["etag"]) == (201, '"2"'), first.text
    late = ask["a"]("POST", report, json=said, headers={"If-Match": '"1"'})
    assert refused(late) == (412, "precondition-failed")
    wrong = ask["a"]("POST", report, json={"values": [{"indicator_id": "none", "value": 1}]})
    assert wrong.status_code == 422
    assert ask["postal"]("POST", f"{card}/assessments/a/review", json=said).status_code == 201
    for one in ("postal", "police"):
        given = [{"subject_id": key, "indicator_id": "joint", "points": 8} for key in ("a", "b")]
        assert ask[one]("POST", f"{card}/marks/{one}", json={"marks": given}).json() == {"marked": 2}
        shown = ask[one]("POST", f"{card}/marks/{one}/hand-in", json={}).json()
    assert shown["marks_are_shown"] is True
    status = ask["postal"]("GET", f"{card}/status").json()
    assert [one["stage"] for one in status["assessed"]] == ["review", "open"]
    result = ask["second"]("GET", f"{card}/result").json()
    assert [one["subject_id"] for one in result["ranking"]][0] == "a"
    assert result["gaps"]
    assert refused(ask["a"]("GET", f"{card}/result"))[0] in (403, 404)
    put = ask["postal"]("POST", f"{card}/rectifications", json={"most": 1})
    assert (put.status_code, len(put.json()["added"])) == (201, 2)


def test_a_case_is_opened_once_and_written_to_by_key(small: Small, app: FastAPI) -> None:
    li = client(app, officer(*small, "li"))
    plan = li("GET", "/api/v1/cases/plans").json()["plans"][0]["id"]
    key = {"Idempotency-Key": "flood"}
    asked = {"plan": plan, "event": "暴雨"}
    opened = [li("POST", "/api/v1/cases", json=asked, headers=key) for _ in range(2)]
    assert [one.status_code for one in opened] == [201, 201], opened[0].text
    (case,) = li("GET", "/api/v1/cases").json()["cases"]
    place = f"/api/v1/cases/{case['case_id']}"
    note = {"action": "note", "text": "第一班到场"}
    told = [li("POST", f"{place}/entries", json=note, headers={"Idempotency-Key": "n"}) for _ in range(2)]
    assert [one.json()["is_new"] for one in told] == [True, False]
    other = {**note, "text": "other"}
    assert refused(li("POST", f"{place}/entries", json=other, headers={"Idempotency-Key": "n"}))[0] == 409
    missing = li("POST", f"{place}/entries", json={"action": "task"})
    assert {one["column"] for one in missing.json()["problems"]} == {"task", "do"}
    assert li("GET", f"{place}/check").json()["whole"] is True
    assert len(li("GET", f"{place}/entries").json()["entries"]) == 2
    file = {"plan": "..", "event": "x"}
    assert refused(li("POST", "/api/v1/cases", json=file)) == (404, "not-found")


def test_a_rights_ticket_is_seen_by_its_parties_and_answered_with_evidence(
    small: Small, app: FastAPI
) -> None:
    li = client(app, officer(*small, "li"))
    firm = Scope("/sd/sd-gd/")
    handler = client(app, person(*small, "handler", "sd-gd", ("viewer", firm)))
    other = client(app, person(*small, "zhao", "sd-gd", ("viewer", firm)))
    person(*small, "seer", "spb-gd", ("viewer", GUANGDONG))
    asked = {"kind": "pay", "firm": "sd-gd", "name": "王小明", "text": "三月工资"}
    made = li("POST", "/api/v1/rights-tickets", json=asked, headers={"Idempotency-Key": "t"})
    assert made.status_code == 201, made.text
    place = f"/api/v1/rights-tickets/{made.json()['ticket_id']}"
    assert made.json()["name"] != "王小明"
    assert refused(handler("GET", place)) == (404, "not-found")
    assert li("POST", f"{place}/moves", json={"action": "accept"}).json()["state"] == "accepted"
    assert refused(li("POST", f"{place}/moves", json={"action": "accept"})) == (422, "bad-input")
    li("POST", f"{place}/assign", json={"handler": "handler"})
    sent = handler(
        "POST", f"{place}/answers", data={"action": "evidence", "text": "工资单"},
        files=[("file", ("a.txt", b"a")), ("file", ("b.txt", b"b"))],
    )  # fmt: skip
    assert sent.status_code == 201, sent.text
    ids = sent.json()["events"][-1]["files"]
    assert len(ids) == 2
    shown = li("POST", f"{place}/evidence/{ids[0]}", json={"reason": "to decide"})
    assert shown.content in (b"a", b"b")
    assert refused(other("GET", place)) == (404, "not-found")
    assert li("GET", "/api/v1/rights-tickets/overdue").json()["overdue"] == 0
    assert li("GET", "/api/v1/rights-tickets/statistics?least=1").status_code == 200


def test_retention_backup_keys_and_audit_are_the_administrators(
    small: Small, app: FastAPI, tmp_path: Path
) -> None:
    store, admin = small
    boss, li = client(app, admin), client(app, officer(*small, "li"))
    person(store, admin, "boss2", "spb", ("administrator", Scope()))
    for method, path, body in (
        ("POST", "/api/v1/backups", None), ("GET", "/api/v1/backups", None),
        ("GET", "/api/v1/audit/check", None),
        ("POST", "/api/v1/keys", None), ("POST", "/api/v1/sweeps", None),
        ("POST", "/api/v1/exports", {"reason": "x"}), ("POST", "/api/v1/erasures/due", {"rules": RULES}),
    ):  # fmt: skip
        assert refused(li(method, path, json=body)) == (403, "not-allowed"), path
    name = boss("POST", "/api/v1/backups").json()["id"]
    assert boss("GET", "/api/v1/backups").json()["backups"] == [name]
    assert boss("GET", f"/api/v1/backups/{name}").json()["rows"]["organisations"] == 10
    packed = boss("GET", f"/api/v1/backups/{name}/content")
    assert (packed.status_code, packed.content[:2]) == (200, b"PK")
    assert list((tmp_path / "data" / "backups").glob(".*")) == []
    assert refused(boss("GET", "/api/v1/backups/..")) == (404, "not-found")
    assert boss("GET", "/api/v1/audit/check?records=true").json()["whole"] is True
    added(li, "hazard", **hazard())
    due = boss("POST", "/api/v1/erasures/due", json={"rules": RULES})
    assert due.status_code == 200, due.text
    second = {"user": "boss2", "password": "seven lamps beside the river"}
    asked = {"rules": RULES, "second": second}
    assert refused(boss("POST", "/api/v1/erasures", json=asked)) == (400, "no-seal-key")
    assert boss("POST", "/api/v1/keys").json()["keys"][0]["state"] == "active"
    mine = {"user": "admin", "password": "three green vans at dawn"}
    alone = boss("POST", "/api/v1/erasures", json={"rules": RULES, "second": mine})
    assert refused(alone) == (403, "second-person-needed")
    done = boss("POST", "/api/v1/erasures", json=asked)
    assert done.status_code == 201, done.text
    assert boss("GET", f"/api/v1/erasures/{done.json()['id']}").status_code == 200
    assert boss("GET", "/api/v1/audit/check?records=true").json()["whole"] is True


RULES = """
[hazard]
name_zh = "隐患"
basis = "test"
provenance = "synthetic"
source = "test"
since = "closed_at"
states = ["closed"]
delete_after_days = 30
"""


def test_users_roles_and_passes_are_kept_within_scope(small: Small, app: FastAPI) -> None:
    boss, li = client(app, small[1]), client(app, officer(*small, "li"))
    new = {"name": "New.One", "password": "another quiet harbour light", "organisation": "spb-gd"}
    assert refused(li("POST", "/api/v1/users", json=new)) == (403, "not-allowed")
    made = boss("POST", "/api/v1/users", json=new)
    assert (made.status_code, made.json()["name"]) == (201, "new.one")
    user = "/api/v1/users/new.one"
    grant = {"role": "viewer", "region": "440000", "until": (now() + timedelta(days=1)).isoformat()}
    given = boss("POST", f"{user}/grants", json=grant, headers={"Idempotency-Key": "g"}).json()["id"]
    boss("POST", f"{user}/grants", json=grant, headers={"Idempotency-Key": "g"})
    assert [one["id"] for one in boss("GET", f"{user}/grants").json()["grants"]] == [given]
    assert refused(boss("POST", f"{user}/grants", json={"role": "viewer"})) == (400, "bad-usage")
    beyond = {"role": "viewer", "everywhere": True}
    assert refused(boss("POST", f"{user}/grants", json=beyond)) == (403, "bad-scope")
    taken = boss("POST", f"/api/v1/grants/{given}/take-back", json={"reason": "left"})
    assert taken.status_code == 204
    assert refused(boss("PATCH", user, json={"is_active": False})) == (428, "precondition-missing")
    out = boss("PATCH", user, json={"is_active": False}, headers={"If-Match": '"1"'})
    assert (out.status_code, out.json()["is_active"]) == (200, False)
    again = boss("PATCH", user, json={"is_active": True}, headers={"If-Match": '"1"'})
    assert (refused(again), again.json()["current"]["version"]) == ((412, "precondition-failed"), 2)
    token = li("POST", "/api/v1/session/tokens", json={"label": "script", "days": 3, "password": OWN})
    assert token.status_code == 201
    program = client(app, small[1])
    program.token = token.json()["token"]
    passes = program("GET", "/api/v1/session/passes").json()["passes"]
    mine = next(one for one in passes if one["is_this"])
    assert (mine["kind"], mine["label"]) == ("token", "script")
    assert refused(boss("DELETE", f"/api/v1/session/passes/{mine['id']}")) == (404, "not-found")
    assert li("DELETE", f"/api/v1/session/passes/{mine['id']}").status_code == 204
    assert refused(program("GET", "/api/v1/records")) == (401, "session-over")
    tree = boss("GET", "/api/v1/organisations?tree=true").json()["organisations"]
    assert [one["id"] for one in tree][:4] == ["fc", "fc-ft", "sd", "sd-gd"]


def test_the_audit_is_read_page_by_page_within_scope_and_as_a_file(small: Small, app: FastAPI) -> None:
    boss, li = client(app, small[1]), client(app, officer(*small, "li"))
    made = [added(li, "hazard", **hazard(title=f"H{k}"))["id"] for k in range(3)]
    assert refused(li("GET", "/api/v1/audit")) == (403, "not-allowed")
    asked = {"action": "add", "kind": "hazard", "limit": "2"}
    first = boss("GET", "/api/v1/audit", params=asked).json()
    assert [one["record"] for one in first["entries"]] == [made[2], made[1]]
    rest = boss("GET", "/api/v1/audit", params={**asked, "after": str(first["next"])}).json()
    assert ([one["record"] for one in rest["entries"]], rest["next"]) == ([made[0]], None)
    assert rest["entries"][0]["path"] == "/spb/spb-gd/"
    only = boss("GET", "/api/v1/audit", params={"record": made[1]}).json()["entries"]
    assert [one["action"] for one in only] == ["add"]
    assert boss("GET", "/api/v1/audit", params={"until": "2020-01-01T00:00:00Z"}).json()["entries"] == []
    file = boss("GET", "/api/v1/audit", params={**asked, "format": "csv"})
    assert file.text.splitlines()[0].lstrip("\ufeff").split(",")[:3] == ["n", "at", "actor"]
    assert len(file.text.splitlines()) == 3
    assert file.headers["x-next"] == str(first["next"])


def test_an_administrator_of_a_firm_reads_the_audit_of_that_firm_only(small: Small, app: FastAPI) -> None:
    boss = person(*small, "sd-boss", "sd", ("administrator", Scope("/sd/")))
    added(client(app, officer(*small, "li")), "hazard", **hazard())
    clerk = person(*small, "sd-clerk", "sd", ("duty_officer", Scope("/sd/")))
    made = added(client(app, clerk), "hazard", **hazard())
    found = client(app, boss)("GET", "/api/v1/audit", params={"limit": 1000}).json()["entries"]
    assert {one["path"].split("/")[1] for one in found} == {"sd"}
    assert made["id"] in {one["record"] for one in found}


def test_all_other_sessions_end_at_once_and_the_one_that_asks_stays(small: Small, app: FastAPI) -> None:
    desk = officer(*small, "li")
    here, there = client(app, desk), client(app, desk)
    there.token = small[0].sign_in("li", OWN).token
    assert len(here("GET", "/api/v1/session/passes").json()["passes"]) >= 2
    assert here("DELETE", "/api/v1/session/passes").status_code == 204
    (left,) = here("GET", "/api/v1/session/passes").json()["passes"]
    assert left["is_this"]
    assert refused(there("GET", "/api/v1/session")) == (401, "session-over")
    me = here("GET", "/api/v1/session/user").json()
    assert (me["name"], me["organisation"], me["second_factor"]) == ("li", "spb-gd", False)


def test_roles_are_told_as_they_are_decided(small: Small, app: FastAPI) -> None:
    roles = client(app, officer(*small, "li"))("GET", "/api/v1/roles").json()["roles"]
    assert [one["role"] for one in roles][:2] == ["viewer", "duty_officer"]
    viewer = {(one["kind"], one["action"]): one["reach"] for one in roles[0]["rights"]}
    assert viewer["site", "view"] == ["scope"]
    assert viewer["rights_ticket", "answer"] == ["handler"]
    assert ("site", "change") not in viewer


def test_roles_rest_until_the_second_factor_that_is_asked_is_on(small: Small, app: FastAPI) -> None:
    boss, li = client(app, small[1]), client(app, officer(*small, "li"))
    other = client(app, person(*small, "he", "spb", ("administrator", Scope()), ("viewer", Scope())))
    wanted = {"second_factor_for": "administrators"}
    assert refused(li("PATCH", "/api/v1/settings", json=wanted)) == (403, "not-allowed")
    assert refused(boss("PATCH", "/api/v1/settings", json=wanted)) == (400, "bad-setting")  # shut out oneself
    made = boss("POST", "/api/v1/session/second-factor", json={"password": ADMIN}).json()
    code = {"code": pyotp.TOTP(made["secret"]).now()}
    assert boss("POST", "/api/v1/session/second-factor/confirm", json=code).status_code == 204
    assert other("GET", "/api/v1/audit").status_code == 200
    assert boss("PATCH", "/api/v1/settings", json=wanted).json() == {"idle_minutes": 30, **wanted}
    assert refused(other("GET", "/api/v1/audit")) == (403, "not-allowed")
    assert other("GET", "/api/v1/records/site").status_code == 200  # other roles go on
    assert other("GET", "/api/v1/session/user").json()["rests"]
    assert (boss("GET", "/api/v1/audit").status_code, li("GET", "/api/v1/session/user").json()["rests"]) == (
        200,
        False,
    )
    made = other("POST", "/api/v1/session/second-factor", json={"password": OWN}).json()
    code = {"code": pyotp.TOTP(made["secret"]).now()}
    assert other("POST", "/api/v1/session/second-factor/confirm", json=code).status_code == 204
    assert other("GET", "/api/v1/audit").status_code == 200
    # of everybody: roles rest in sessions, a program goes on with its token
    here, program = client(app, small[1]), client(app, small[1])
    here.token = small[0].sign_in("li", OWN).token
    assert here("GET", "/api/v1/records/site").status_code == 200
    own = {"password": OWN, "label": "scans", "days": 30}
    program.token = here("POST", "/api/v1/session/tokens", json=own).json()["token"]
    everybody = {"second_factor_for": "everybody"}
    assert boss("PATCH", "/api/v1/settings", json=everybody).json()["second_factor_for"] == "everybody"
    assert refused(here("GET", "/api/v1/records/site")) == (403, "not-allowed")
    assert here("GET", "/api/v1/session/user").json()["rests"]
    assert refused(here("POST", "/api/v1/session/tokens", json=own)) == (403, "not-allowed")  # no way round
    assert program("GET", "/api/v1/records/site").status_code == 200
    assert boss("GET", "/api/v1/audit").status_code == 200
    assert boss("PATCH", "/api/v1/settings", json={"second_factor_for": "someone"}).status_code == 422
    assert boss("PATCH", "/api/v1/settings", json={"second_factor_for": "nobody"}).status_code == 200
    assert here("GET", "/api/v1/records/site").status_code == 200
