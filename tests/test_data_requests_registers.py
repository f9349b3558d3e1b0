"""Requests about one's own data in the registers: by Python, command and API; who sees what; the letter."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from register_api_cases import app_of, client, officer, refused
from registers_cases import (
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.cli import main
from changtong.data_requests.request_register import move_data_request, open_data_request, read_data_requests
from changtong.data_requests.requests import DataRequest, RequestEvent
from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.rows import now
from changtong.storage.store import Desk, Store

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]

Small = tuple[Store, Desk]
WAY = "/api/v1/data-requests"
SAID = {"kind": "copy", "name": "赵小明", "contact": "13812345678", "text": "我的全部寄件记录"}
SECRET = ("赵小明", "12345678", "寄件记录", "第二次寄信未回")


@pytest.fixture
def app(small: Small, tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


def test_a_request_over_the_api_to_its_letter(small: Small, app: FastAPI, caplog: Any) -> None:
    store, admin = small
    li = client(app, officer(store, admin, "li"))
    key = {"Idempotency-Key": "one"}
    for _ in range(2):
        made = li("POST", WAY, json=SAID, headers=key)
        assert made.status_code == 201, made.text
    one = made.json()
    assert (one["state"], one["name"], one["contact"], one["text"]) == ("received", "赵**", "***", "***")
    assert [clock["clock"] for clock in one["clocks"]] == ["identity", "answer"]
    assert len(li("GET", WAY).json()["requests"]) == 1
    path = f"{WAY}/{one['request_id']}"
    tag = li("GET", path).headers["ETag"]

    def move(action: str, **more: Any) -> Any:
        return li("POST", f"{path}/moves", json={"action": action, **more})

    assert refused(move("decide", decision="grant")) == (422, "bad-input")
    assert refused(li("POST", f"{path}/document", json={"reason": "to answer"})) == (422, "bad-input")
    assert move("identify", method="phone_back").json()["state"] == "verified"
    stale = li("POST", f"{path}/moves", json={"action": "step", "text": "x"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["current"]["state"]) == (412, "verified")
    told = move("decide", decision="partly", ground="must_keep", text="第二次寄信未回").json()
    assert (told["state"], told["decision"], told["next"]) == (
        "decided",
        "partly",
        ["step", "answer", "withdraw"],
    )
    assert refused(move("answer", way="letter")) == (422, "bad-input")
    assert move("step", text="2025年以来的记录已复制").status_code == 200
    letter = li("POST", f"{path}/document", json={"reason": "to answer"})
    assert letter.status_code == 200, letter.text
    with zipfile.ZipFile(io.BytesIO(letter.content)) as archive:
        text = archive.read("word/document.xml").decode()
    for shown in ("赵小明", "部分同意", "法定保存期限未届满", "2025年以来的记录已复制", "第五十条", "广东"):
        assert shown in text, shown
    done = move("answer", way="email").json()
    assert (done["state"], done["clocks"]) == ("answered", [])
    assert li("GET", f"{WAY}?open=true").json() == {"overdue": 0, "requests": []}
    # nothing personal where it does not belong: lists, one, its history, the log of requests
    shown = li("GET", WAY).text + li("GET", path).text + li("GET", "/api/v1/records/data_request").text
    history = str(admin.audit_entries("data_request", one["request_id"])) + caplog.text
    assert not [word for word in SECRET if word in shown + history]
    assert [entry["action"] for entry in admin.audit_entries("data_request", one["request_id"])][-2:] == [
        "reveal", "change",
    ]  # fmt: skip
    assert admin.verify_audit(with_records=True).whole


def test_who_has_no_part_in_it_sees_no_request(small: Small, app: FastAPI) -> None:
    store, admin = small
    li = officer(store, admin, "li")
    made = open_data_request(li, DataRequest("R1", received_at=now(), by="", **SAID))
    assert made.organisation == "spb-gd"
    for name, organisation, roles in (
        ("vi", "spb-gd", ("viewer", Scope(region="440000"))),
        ("bei", "spb-bj", ("duty_officer", Scope(region="110000"))),
        ("plan", "spb-gd", ("planner", Scope(region="440000"))),
    ):
        desk = person(store, admin, name, organisation, roles)
        with pytest.raises((DeniedError, NotFoundError)):
            read_data_requests(desk, "R1")
        asks = client(app, desk)
        assert asks("GET", f"{WAY}/R1").status_code in (403, 404)
        assert asks("POST", f"{WAY}/R1/find", json={"reason": "x"}).status_code in (403, 404)
        assert asks("POST", WAY, json=SAID).status_code in ((201,) if name == "bei" else (403,))
    with pytest.raises(UsageError, match="not added as such"):
        li.add("data_request", {"kind": "copy"})
    record = li.get("data_request", "R1")
    with pytest.raises(InputError):
        li.change("data_request", "R1", record.version, {"state": "answered"})
    with pytest.raises(UsageError):
        li.hand_over("data_request", "R1", "spb-sz", "moved")


def test_of_two_at_once_one_is_told_what_is_there_now(small: Small) -> None:
    li = officer(*small, "li")
    made = open_data_request(li, DataRequest("R1", received_at=now(), by="", **SAID))
    event = RequestEvent(now(), "identify", "", method="account")
    assert move_data_request(li, "R1", event, made.version).request.state == "verified"
    with pytest.raises(ConflictError):
        move_data_request(li, "R1", RequestEvent(now(), "identify", "", method="account"), made.version)
    with pytest.raises(InputError, match="still to come"):
        move_data_request(li, "R1", RequestEvent(now() + timedelta(hours=1), "step", "", "x"))


def test_records_that_hold_the_person_are_found_and_nothing_of_them_is_told(
    small: Small, app: FastAPI
) -> None:
    store, admin = small
    li = officer(store, admin, "li")
    bei = person(store, admin, "bei", "spb-bj", ("duty_officer", Scope(region="110000")))

    def site(desk: Desk, name: str, phone: str, person_named: str) -> str:
        values = {"site_id": name, "name": name, "contact_name": person_named, "contact_phone": phone}
        return desk.add("site", values).id

    mine = site(li, "S1", " 13812345678", "赵小明")
    site(li, "S2", "13800000000", "赵小明明")
    site(bei, "S3", "13812345678", "赵小明")
    open_data_request(li, DataRequest("R1", received_at=now(), by="", **SAID))
    asks = client(app, li)
    answer = asks("POST", f"{WAY}/R1/find", json={"reason": "to copy what there is"})
    found = answer.json()
    assert found["whole"]
    assert {"site", "rights_ticket"} <= set(found["looked_at"])
    assert found["records"] == [
        {"kind": "site", "record": mine, "columns": ["contact_name", "contact_phone"],
         "by": ["contact", "name"]}
    ]  # fmt: skip
    assert not [word for word in SECRET if word in answer.text]
    assert admin.audit_entries("data_request", "R1")[-1]["reason"] == "to copy what there is"


def test_a_request_by_command(
    small: Small, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = officer(*small, "li")
    token = tmp_path / "li.token"
    token.write_text(desk._token, "utf-8")
    (tmp_path / "person.json").write_text(
        json.dumps({name: SAID[name] for name in ("name", "contact", "text")}), "utf-8"
    )
    (tmp_path / "why.txt").write_text("第二次寄信未回", "utf-8")

    def ran(*arguments: str, code: int = 0) -> Any:
        who = ["--registers", place, "--token", str(token), "--json"]
        assert main(["data-requests", *arguments, *who]) == code
        out = capsys.readouterr().out
        assert not [word for word in SECRET if word in out]
        return json.loads(out)

    made = ran("open", "--kind", "copy", "--person", str(tmp_path / "person.json"), "--id", "R1",
               "--at", "2026-03-02T10:00+08:00")  # fmt: skip
    assert made["state"] == "received"
    late = ran("list", "--open", "--at", "2026-04-02T00:00+08:00", code=1)
    assert (late["overdue"], late["requests"][0]["clocks"][-1]["days_left"]) == (1, -1)
    assert ran("move", "R1", "--action", "answer", "--way", "letter", code=2)["problems"][0]["code"] == (
        "wrong-state"
    )
    ran("move", "R1", "--action", "decide", "--decision", "refuse", "--ground", "identity",
        "--text", str(tmp_path / "why.txt"))  # fmt: skip
    letter = tmp_path / "answer.docx"
    ran("document", "R1", "-o", str(letter), "--reason", "to answer", "--language", "en")
    assert letter.stat().st_mode & 0o777 == 0o600
    assert ran("document", "R1", "-o", str(letter), "--reason", "again", code=2)["error"]
    assert ran("move", "R1", "--action", "answer", "--way", "letter")["state"] == "answered"
    assert ran("find", "R1", "--reason", "to delete")["records"] == []
    # the same as the API tells
    shown = client(app_of(small[0], tmp_path), desk)("GET", f"{WAY}/R1").json()
    assert ran("show", "R1") == shown
