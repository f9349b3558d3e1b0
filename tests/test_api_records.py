"""Records over the API: nothing lost, nothing twice, nothing of other regions, all problems at once."""

from __future__ import annotations

import csv
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from register_api_cases import BEIJING, added, app_of, client, officer, refused
from registers_cases import (
    cheap_hashes,
    hazard,
    place,
    postgres,
    site,
    small,
    small_database,
    small_file,
)

from changtong.api.data_folder import DataFolder
from changtong.api.request_book import KEPT_FOR, RequestBook
from changtong.errors import UsageError
from changtong.storage.definitions import REGISTERS, register_columns
from changtong.storage.rows import now
from changtong.storage.store import Desk, Store

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]

SITES = "/api/v1/records/site"
Small = tuple[Store, Desk]


@pytest.fixture
def app(small: Small, tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


def test_a_record_is_added_read_changed_and_its_history_kept(small: Small, app: FastAPI) -> None:
    ask, admin = client(app, officer(*small, "li")), client(app, small[1])
    made = added(ask, "site", **site(1, contact_phone="13800138000"))
    place = f"{SITES}/{made['id']}"
    assert made["values"]["contact_phone"] != "13800138000"
    assert made["hidden"] == ["contact_phone"]
    found = ask("GET", place)
    assert (found.headers["etag"], found.json()) == ('"1"', made)
    assert ask("GET", place, headers={"If-None-Match": '"1"'}).status_code == 304
    tag = {"If-Match": '"1"'}
    changed = ask("PATCH", place, headers=tag, json={"values": {**made["values"], "name": "新网点"}})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    shown = ask("POST", f"{place}/reveal", json={"reason": "call them", "columns": ["contact_phone"]})
    assert shown.json()["values"]["contact_phone"] == "13800138000"  # what came back masked is no change
    entries = admin("GET", f"{place}/history").json()["entries"]
    assert [(one["action"], one["version"]) for one in entries] == [
        ("add", 1), ("change", 2), ("reveal", None)
    ]  # fmt: skip
    assert entries[2]["reason"] == "call them"
    assert refused(ask("GET", f"{place}/history")) == (403, "not-allowed")
    assert refused(ask("POST", f"{place}/reveal", json={"reason": " "})) == (400, "reason-missing")


def test_a_change_says_what_was_read_and_the_slower_one_is_told_what_is_there(
    small: Small, app: FastAPI
) -> None:
    ask = client(app, officer(*small, "li"))
    place = f"{SITES}/{added(ask, 'site', **site(1))['id']}"
    assert refused(ask("PATCH", place, json={"values": {"name": "a"}})) == (428, "precondition-missing")
    for wrong in ("*", 'W/"1"', "1", '"x"'):
        answer = ask("PATCH", place, json={"values": {"name": "a"}}, headers={"If-Match": wrong})
        assert refused(answer) == (428, "precondition-missing"), wrong
    assert ask("PATCH", place, json={"values": {"name": "a"}}, headers={"If-Match": '"1"'}).status_code == 200
    answer = ask("PATCH", place, json={"values": {"name": "b"}}, headers={"If-Match": '"1"'})
    assert refused(answer) == (412, "precondition-failed")
    assert answer.json()["current"]["values"]["name"] == "a"
    assert answer.json()["current"]["version"] == 2
    assert ask("GET", place).json()["values"]["name"] == "a"


def at_once(*todo: Any) -> list[Any]:
    """Do things in threads that begin together; return what came of each."""
    barrier, made = threading.Barrier(len(todo)), [None] * len(todo)

    def do(number: int) -> None:
        barrier.wait()
        made[number] = todo[number]()

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(todo))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return made


def test_of_people_who_change_one_record_at_once_one_wins_and_nothing_is_lost(
    small: Small, app: FastAPI
) -> None:
    people = [client(app, officer(*small, f"li{number}")) for number in range(4)]
    place = f"{SITES}/{added(people[0], 'site', **site(1))['id']}"

    def change(number: int) -> Any:
        tag = {"If-Match": '"1"'}
        return people[number]("PATCH", place, json={"values": {"name": f"by {number}"}}, headers=tag)

    answers = at_once(*(lambda number=number: change(number) for number in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 412, 412, 412]
    won = next(one for one in answers if one.status_code == 200).json()["values"]["name"]
    assert people[0]("GET", place).json()["values"]["name"] == won
    told = [one.json()["current"]["values"]["name"] for one in answers if one.status_code == 412]
    assert told == [won] * 3


def test_the_same_key_adds_once_also_from_threads_and_other_content_is_refused(
    small: Small, app: FastAPI
) -> None:
    ask = client(app, officer(*small, "li"))
    body = {"records": [{"values": site(1)}, {"values": site(2)}]}
    key = {"Idempotency-Key": "phone-7"}
    answers = at_once(*[lambda: ask("POST", SITES, json=body, headers=key)] * 3)
    codes = sorted(one.status_code for one in answers)
    assert codes in ([201, 201, 201], [201, 201, 409], [201, 409, 409])
    again = ask("POST", SITES, json=body, headers=key)
    assert again.headers["idempotent-replay"] == "true"
    done = next(one for one in answers if one.status_code == 201)
    assert (again.status_code, again.json()) == (201, done.json())
    assert ask("GET", f"{SITES}?count=true").json()["count"] == 2
    other = {"records": [{"values": site(3)}]}
    assert refused(ask("POST", SITES, json=other, headers=key)) == (422, "key-reused")
    another = client(app, officer(*small, "wu"))  # keys are each person's own
    assert another("POST", SITES, json=other, headers=key).status_code == 201


def test_a_key_whose_server_died_over_it_adds_nothing_twice(
    small: Small, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = client(app, officer(*small, "li"))
    body, key = {"records": [{"values": site(1)}]}, {"Idempotency-Key": "k"}
    with monkeypatch.context() as patched:
        patched.setattr(RequestBook, "end", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        assert ask("POST", SITES, json=body, headers=key).status_code == 500  # added, but never told
    service = app.state.service
    assert refused(ask("POST", SITES, json=body, headers=key)) == (409, "key-in-use")
    service.requests_done.close()
    service.requests_done = RequestBook(service.folder.request_book)  # the server has begun again
    answer = ask("POST", SITES, json=body, headers=key)
    assert (answer.status_code, answer.json()["records"][0]["version"]) == (201, 1)
    assert ask("GET", f"{SITES}?count=true").json()["count"] == 1


def test_a_key_is_free_again_where_it_was_refused_and_after_a_week(
    small: Small, app: FastAPI, tmp_path: Path
) -> None:
    ask, key = client(app, officer(*small, "li")), {"Idempotency-Key": "k"}
    assert ask("POST", SITES, json={"records": [{"values": {}}]}, headers=key).status_code == 422
    made = ask("POST", SITES, json={"records": [{"values": site(1)}]}, headers=key)
    assert made.status_code == 201
    book = RequestBook(DataFolder(tmp_path).request_book)
    assert book.begin("u", "k", "a").status is None
    book.end("u", "k", 201, {"id": 1}, {})
    with pytest.raises(UsageError, match="another request"):
        book.begin("u", "k", "b")
    assert book.begin("u", "k", "b", now() + 2 * KEPT_FOR).status is None
    book.close()


def test_all_problems_of_all_records_are_told_by_row_and_column(small: Small, app: FastAPI) -> None:
    ask = client(app, officer(*small, "li"))
    body = {
        "records": [
            {"values": site(1)},
            {"values": {"site_id": "S1", "name": "x", "lon": 999, "colour": "red"}},
            {"values": {"site_id": {"a": 1}, "lat": 10**30}, "organisation": "nobody"},
            {"values": site(4), "admin_code": "110000", "organisation": "spb-bj"},
        ]
    }
    answer = ask("POST", SITES, json=body)
    assert refused(answer) == (422, "bad-input")
    told = {(one["row"], one["column"], one["code"]) for one in answer.json()["problems"]}
    assert {
        (2, "site_id", "duplicate-record"), (2, "lon", "bad-value"), (2, "colour", "unknown-attribute"),
        (3, "site_id", "bad-value"), (3, "name", "missing-value"), (3, "lat", "bad-value"),
        (3, "organisation", "unknown-reference"), (4, "organisation", "not-allowed"),
    } <= told  # fmt: skip
    assert not any(row == 1 for row, _, _ in told)
    assert ask("GET", f"{SITES}?count=true").json()["count"] == 0


@pytest.mark.parametrize("given", [{"name": "\ud800"}, {"details": {"a": float("nan")}}, {"name": "a\0b"}])
def test_what_no_register_can_hold_is_refused(small: Small, app: FastAPI, given: dict[str, Any]) -> None:
    ask = client(app, officer(*small, "li"))
    content = json.dumps({"records": [{"values": {**site(1), **given}}]})
    answer = ask("POST", SITES, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text


def test_lists_are_filtered_ordered_counted_and_paged(small: Small, app: FastAPI) -> None:
    ask = client(app, officer(*small, "li"))
    for number in range(1, 6):
        added(ask, "site", **site(number, status="open" if number % 2 else "paused"))

    def names(query: str) -> list[str]:
        answer = ask("GET", f"{SITES}?{query}")
        assert answer.status_code == 200, answer.text
        return [one["values"]["site_id"] for one in answer.json()["records"]]

    assert names("") == ["S5", "S4", "S3", "S2", "S1"]
    assert names("order=oldest&status=paused") == ["S2", "S4"]
    assert names("site_id=S1&site_id=S4") == ["S4", "S1"]
    first = ask("GET", f"{SITES}?limit=2&count=true").json()
    assert (len(first["records"]), first["count"]) == (2, 5)
    assert names(f"limit=2&after={first['next']}") == ["S3", "S2"]
    assert refused(ask("GET", f"{SITES}?contact_name=x")) == (400, "bad-usage")  # no searching by persons
    assert refused(ask("GET", f"{SITES}?after=%00")) == (400, "bad-usage")
    wrong = ask("GET", f"{SITES}?status=lost&lon=x&colour=red")
    assert {one["column"] for one in wrong.json()["problems"]} == {"status", "lon", "colour"}
    added(ask, "hazard", **hazard())
    by_time = "/api/v1/records/hazard?since=2026-12-01T00:00:00Z&until=2026-12-02T00:00:00Z&count=true"
    assert ask("GET", by_time).json()["count"] == 1
    assert ask("GET", "/api/v1/records/hazard?found_at=2026-06-01T00:00:00Z&count=true").json()["count"] == 1
    assert refused(ask("GET", "/api/v1/records/nothing")) == (404, "unknown-register")


def test_a_list_for_spreadsheets_runs_nothing(small: Small, app: FastAPI) -> None:
    ask = client(app, officer(*small, "li"))
    added(ask, "site", **site(1, name='=HYPERLINK("http://x")', filing_no="@SUM(1)", details={"a": 1}))
    answer = ask("GET", f"{SITES}?format=csv&count=true")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["x-count"] == "1"
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert (row["name"], row["filing_no"]) == ('\'=HYPERLINK("http://x")', "'@SUM(1)")
    assert row["details"] == '{"a": 1}'


def test_a_file_is_loaded_or_all_its_problems_are_told(small: Small, app: FastAPI) -> None:
    ask = client(app, officer(*small, "li"))
    good = b"site_id,name\nS1,a\nS2,b\n"
    key = {"Idempotency-Key": "file"}
    for _ in range(2):
        answer = ask("POST", f"{SITES}/load", files={"file": ("s.csv", good)}, headers=key)
        assert (answer.status_code, answer.json()) == (201, {"added": 2})
    bad = ask("POST", f"{SITES}/load", files={"file": ("s.csv", b"site_id,lon\nS3,x\nS1,1\n")})
    told = {(one["row"], one["column"]) for one in bad.json()["problems"]}
    assert {(1, "lon"), (1, "name"), (2, "site_id"), (2, "name")} <= told
    assert refused(ask("POST", f"{SITES}/load", json={})) == (422, "bad-input")


def test_files_of_a_record_are_kept_and_read_with_a_reason(small: Small, app: FastAPI) -> None:
    ask = client(app, officer(*small, "li"))
    place = f"/api/v1/records/hazard/{added(ask, 'hazard', **hazard())['id']}"
    sent = ask("POST", f"{place}/attachments", files={"file": ("../../etc/a.txt", b"a photo")})
    assert sent.status_code == 201
    shown = ask("POST", f"/api/v1/records/attachment/{sent.json()['id']}/reveal", json={"reason": "its name"})
    assert shown.json()["values"]["name"] == "a.txt"
    listed = ask("GET", f"{place}/attachments").json()["records"]
    assert [one["id"] for one in listed] == [sent.json()["id"]]
    content = f"/api/v1/records/attachment/{sent.json()['id']}/content"
    answer = ask("POST", content, json={"reason": "the re-check"})
    assert answer.content == b"a photo"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert refused(ask("POST", content, json={})) == (422, "bad-input")
    page = ask("POST", f"{place}/attachments", files={"file": ("a.html", b"\x00<script>")})
    assert [one["code"] for one in page.json()["problems"]] == ["bad-attachment"]
    assert refused(ask("POST", "/api/v1/records/attachment", json={"records": [{"values": {}}]})) == (
        400, "own-way",
    )  # fmt: skip


def test_large_bodies_are_taken_where_files_are_sent_and_by_nobody_unknown(
    small: Small, app: FastAPI
) -> None:
    ask = client(app, officer(*small, "li"))
    place = f"/api/v1/records/hazard/{added(ask, 'hazard', **hazard())['id']}"
    large = b"x" * 1_500_000
    assert ask("POST", f"{place}/attachments", files={"file": ("a.txt", large)}).status_code == 201
    assert refused(ask("POST", SITES, content=large)) == (413, "too-large")
    read = []
    stranger = client(app, small[1])
    stranger.token = "nobody"

    async def chunks() -> Any:
        read.append(1)
        yield large

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = stranger("POST", f"{place}/attachments", content=chunks(), headers=headers)
    assert (refused(answer), read) == ((401, "session-over"), [])


def test_a_hold_is_put_listed_and_lifted(small: Small, app: FastAPI) -> None:
    ask, admin = client(app, officer(*small, "li")), client(app, small[1])
    place = f"/api/v1/records/hazard/{added(ask, 'hazard', **hazard())['id']}"
    hold = ask("POST", f"{place}/holds", json={"reason": "a court asks"}).json()["hold"]
    assert [one["id"] for one in ask("GET", "/api/v1/holds").json()["holds"]] == [hold]
    lift = f"/api/v1/holds/{hold}/lift"
    assert refused(ask("POST", lift, json={"reason": "done"})) == (403, "not-allowed")
    assert admin("POST", lift, json={"reason": "done"}).status_code == 204
    assert ask("GET", "/api/v1/holds").json()["holds"] == []


def test_records_of_another_region_are_not_there_whatever_is_asked(small: Small, app: FastAPI) -> None:
    ours, theirs = client(app, officer(*small, "li")), officer(*small, "wang", BEIJING, of="spb-bj")
    other = client(app, theirs)
    made = added(ours, "hazard", **hazard())
    place = f"/api/v1/records/hazard/{made['id']}"
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "", {}),
        ("PATCH", "", {"json": {"values": {"title": "x"}}, "headers": {"If-Match": '"1"'}}),
        ("POST", "/moves", {"json": {"to": "rectified"}, "headers": {"If-Match": '"1"'}}),
        ("POST", "/moves", {"json": {"action": "withdraw", "text": "x"}}),
        ("POST", "/reveal", {"json": {"reason": "x"}}),
        ("POST", "/holds", {"json": {"reason": "x"}}),
        ("POST", "/attachments", {"files": {"file": ("a.txt", b"x")}}),
    ]
    for method, end, more in asked:
        assert refused(other(method, place + end, **more)) == (404, "not-found"), (method, end)
        unknown = f"/api/v1/records/hazard/nobody{end}"
        told = other(method, unknown, **more).json()
        assert told["detail"] == other(method, place + end, **more).json()["detail"]  # told alike
    assert other("GET", f"{place}/attachments").json()["records"] == []
    assert other("GET", "/api/v1/records/hazard?count=true").json()["count"] == 0
    assert ours("GET", place).json() == made


def test_kinds_tell_columns_states_and_what_one_may(small: Small, app: FastAPI) -> None:
    listed = client(app, officer(*small, "li"))("GET", "/api/v1/records").json()["kinds"]
    kinds = {one["kind"]: one for one in listed}
    assert {"view", "add", "change", "reveal"} <= set(kinds["hazard"]["rights"])
    phone = next(one for one in kinds["site"]["columns"] if one["name"] == "contact_phone")
    assert (phone["is_personal"], phone["filters"]) == (True, False)
    assert {"from": "open", "to": "rectifying", "right": "change"} in kinds["hazard"]["moves"]
    assert kinds["case"]["own_way"] == "/api/v1/cases"
    assert kinds["site"]["own_way"] is None
    admins = {one["kind"] for one in client(app, small[1])("GET", "/api/v1/records").json()["kinds"]}
    assert "inspection" not in admins
    names = {name for kind in REGISTERS for name in register_columns(kind)}
    assert not names & {"limit", "after", "order", "since", "until", "count", "format"}
