"""Issued plans over the API: the whole story, what is refused and how, what is watched."""

from __future__ import annotations

import csv
import io
import threading
import time
from typing import Any

import pytest
from api_cases import Client, app, browser, duty, events_of, service, service_and_tokens, tokens
from fastapi import FastAPI
from issued_cases import ORDERS, plan_folder
from registers_cases import ADMIN, cheap_hashes, person

from changtong.api.run_book import NewRun
from changtong.api.service import Service
from changtong.rights.scope import Scope

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

HERE = "/api/v1/issued-plans"
PHONE = {"said_by": "王强"}


def a_run(
    service: Service, orders: Any = ORDERS, *, study: str = "plan", state: str = "done", **more: Any
) -> str:
    """Enter a run of the officer in Guangdong with a result made by hand; return its id."""
    session = service.store.sign_in("duty-gd", "seven lamps beside the river")
    with service.store.desk(session.token).work(writes=False) as work:
        who = work.person
    request = {"network": "tiny", "outages": [], "parameters": {}, "language": "zh"}
    run, _ = service.book.add(NewRun(who.user_id, who.path, who.admin_code, study, request))
    service.book.begin(run.id, "server")
    plan_folder(service.folder.run(run.id), orders, **more)
    service.book.end(run.id, state, worker="server", outcome={"files": {}})  # type: ignore[arg-type]
    return run.id


@pytest.fixture(scope="module")
def second(service_and_tokens: tuple[Service, dict[str, str]]) -> str:
    """A second officer in Guangdong, and the people of site B in Futian: their tokens are added."""
    service, tokens = service_and_tokens
    from registers_cases import CHEAP

    from changtong.storage import passwords

    passwords.hasher, kept = CHEAP, passwords.hasher
    try:
        admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
        officer = ("duty_officer", Scope(region="440000"))
        tokens["second-gd"] = person(service.store, admin, "second-gd", "spb-gd", officer)._token
        outlet = ("duty_officer", Scope("/fc/fc-ft/"))
        tokens["outlet"] = person(service.store, admin, "outlet", "fc-ft", outlet)._token
    finally:
        passwords.hasher = kept
    desk = service.store.desk(tokens["second-gd"])
    desk.add("site", {"site_id": "B", "name": "乙县"}, organisation="fc-ft")
    return tokens["second-gd"]


@pytest.fixture
def other(app: FastAPI, second: str) -> Client:
    return Client(app, token=second)


@pytest.fixture
def outlet(app: FastAPI, second: str, tokens: dict[str, str]) -> Client:
    return Client(app, token=tokens["outlet"])


def asked(run: str, **more: Any) -> dict[str, Any]:
    return {"run_id": run, "title": "A shut", "valid_from": "2026-06-01T16:00:00+08:00", **more}


def proposed(client: Client, run: str, **more: Any) -> str:
    answer = client("POST", HERE, json=asked(run, **more))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{HERE}/{answer.json()['id']}"
    return str(answer.json()["id"])


def issued(service: Service, duty: Client, other: Client, **more: Any) -> str:
    plan = proposed(duty, a_run(service), **more)
    assert other("POST", f"{HERE}/{plan}/approve").status_code == 200
    assert duty("POST", f"{HERE}/{plan}/issue").status_code == 200
    return plan


def code_of(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    told = answer.json()
    return answer.status_code, told["problems"][0]["code"] if told["problems"] else told["code"]


def test_from_a_run_to_a_plan_that_every_site_has_acknowledged(
    service: Service, duty: Client, other: Client, outlet: Client
) -> None:
    plan = proposed(duty, a_run(service), acknowledge_within_min=45)
    at = f"{HERE}/{plan}"
    made = duty("GET", at)
    assert made.json()["state"] == "proposed"
    assert (made.json()["acknowledge_within_min"], made.json()["valid_from"]) == (
        45, "2026-06-01T08:00:00.000+00:00",
    )  # fmt: skip
    tag = made.headers["etag"]
    assert duty("GET", at, headers={"If-None-Match": tag}).status_code == 304
    assert code_of(duty("POST", f"{at}/approve")) == (403, "second-person-needed")
    assert code_of(duty("POST", f"{at}/issue")) == (422, "bad-state")
    assert code_of(outlet("GET", at)) == (404, "not-found")
    assert [one["site"] for one in other("GET", f"{at}/orders").json()["orders"]] == ["B", "H1"]
    assert code_of(other("POST", f"{at}/approve", headers={"If-Match": '"9.0"'})) == (
        412,
        "precondition-failed",
    )
    approved = other("POST", f"{at}/approve", headers={"If-Match": tag})
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    sent = duty("POST", f"{at}/issue").json()
    assert (sent["state"], sent["answers"]["sent"]) == ("issued", 2)
    assert [one["id"] for one in outlet("GET", HERE).json()["issued_plans"]] == [plan]
    order = outlet("GET", f"{at}/orders/B")
    assert [row["action"] for row in order.json()["rows"]] == ["extra-trip", "send", "hold"]
    assert order.json()["rows"][2]["words"]["en"] == (
        "Hold pieces for 甲县 (ordinary, 80 pieces a day): the destination is closed"
    )
    assert code_of(outlet("GET", f"{at}/orders/H1")) == (404, "not-found")
    assert code_of(outlet("POST", f"{at}/orders/B/cannot", json={})) == (422, "missing-value")
    no = outlet(
        "POST",
        f"{at}/orders/B/cannot",
        json={"reason": "no lorry"},
        headers={"If-Match": order.headers["etag"]},
    )
    assert (no.status_code, no.json()["state"]) == (200, "cannot")
    stale = {"If-Match": order.headers["etag"]}
    assert code_of(outlet("POST", f"{at}/orders/B/acknowledge", headers=stale)) == (
        412,
        "precondition-failed",
    )
    assert outlet("POST", f"{at}/orders/B/acknowledge").json()["state"] == "acknowledged"
    assert code_of(other("POST", f"{at}/orders/H1/acknowledge")) == (422, "said-by-missing")
    by_phone = other("POST", f"{at}/orders/H1/acknowledge", json=PHONE)
    assert by_phone.json()["said_by"] == "王*"
    refused = duty("POST", f"{at}/orders/H1/acknowledge", json=PHONE)
    assert code_of(refused) == (409, "conflict")
    assert "acknowledged by second-gd at" in refused.json()["detail"]
    done = duty("GET", at).json()
    assert (done["state"], done["answers"]["acknowledged"]) == ("completed", 2)
    found = duty("GET", f"{at}/orders?state=acknowledged&limit=1").json()
    assert ([one["site"] for one in found["orders"]], found["next"]) == (["B"], "B")
    found = duty("GET", f"{at}/orders?state=acknowledged&limit=1&after=B").json()
    assert ([one["site"] for one in found["orders"]], found["next"]) == (["H1"], None)


def test_of_a_frontier_the_plan_of_a_point_is_proposed(service: Service, duty: Client) -> None:
    run = a_run(service, study="carbon-frontier")
    for wrong in (asked(run), asked(run, point=2), asked(a_run(service), point=1)):
        assert code_of(duty("POST", HERE, json=wrong)) == (422, "no-point")
    for point in (1, 2):
        plan_folder(service.folder.run(run) / "plans" / f"plan-{point}", number=f"cleaner-{point}")
    answer = duty("POST", HERE, json=asked(run, point=3))
    assert answer.json()["problems"][0]["expected"] == "one of 1, 2"
    made = duty("POST", HERE, json=asked(run, point=2))
    assert (made.status_code, made.json()["plan_id"], made.json()["run_id"]) == (201, "cleaner-2", run)


def test_what_is_no_plan_to_issue_is_refused(service: Service, duty: Client) -> None:
    for run, code in (
        (a_run(service, state="cancelled"), "run-not-done"),
        (a_run(service, study="stress"), "run-not-done"),
        (a_run(service, status="empty"), "plan-not-feasible"),
        (a_run(service, unserved_pieces=500.0), "plan-fails-check"),
        (a_run(service, ()), "no-orders"),
    ):
        assert code_of(duty("POST", HERE, json=asked(run))) == (422, code)
    assert code_of(duty("POST", HERE, json=asked("nothing"))) == (404, "not-found")
    good = a_run(service)
    for wrong in (
        {"valid_from": "2026-06-01T16:00:00"}, {"title": ""}, {"acknowledge_within_min": 0},
        {"run_id": "../x"}, {"more": 1},
    ):  # fmt: skip
        assert duty("POST", HERE, json=asked(good) | wrong).status_code == 422, wrong
    assert code_of(duty("POST", HERE, json=asked(good, replaces="nothing"))) == (404, "not-found")


def test_a_proposal_sent_twice_with_one_key_is_one(service: Service, duty: Client) -> None:
    run, key = a_run(service), {"Idempotency-Key": "once"}
    first, again = (duty("POST", HERE, json=asked(run), headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert code_of(duty("POST", HERE, json=asked(run, title="B"), headers=key)) == (422, "key-reused")


def test_other_provinces_and_those_who_only_look(
    service: Service, app: FastAPI, tokens: dict[str, str], duty: Client, other: Client
) -> None:
    plan = issued(service, duty, other)
    at, far, looks = (
        f"{HERE}/{plan}",
        Client(app, token=tokens["duty-bj"]),
        Client(app, token=tokens["looker-gd"]),
    )
    assert far("GET", HERE).json() == {"issued_plans": [], "next": None}
    assert code_of(far("POST", HERE, json=asked(a_run(service)))) == (404, "not-found")
    reads = ("", "/orders", "/orders.csv", "/orders/B", "/events")
    writes: dict[str, Any] = {
        "/approve": None, "/issue": None, "/withdraw": {"reason": "x"}, "/orders/B/acknowledge": PHONE,
        "/orders/B/cannot": {"reason": "x"} | PHONE,
    }  # fmt: skip
    for path in reads:
        assert code_of(far("GET", at + path)) == (404, "not-found"), path
    for path, body in writes.items():
        assert code_of(far("POST", at + path, json=body)) == (404, "not-found"), path
        assert code_of(looks("POST", at + path, json=body)) == (403, "not-allowed"), path
    assert code_of(looks("POST", HERE, json=asked(a_run(service)))) == (403, "not-allowed")
    assert looks("GET", f"{at}/orders/B").status_code == 200


def test_orders_as_csv_run_no_formula(service: Service, duty: Client) -> None:
    bad = {
        "site": "=cmd",
        "action": "stop",
        "next_site": "@x",
        "pieces": 1,
        "trips": -1,
        "note_code": "closed",
    }
    plan = proposed(duty, a_run(service, (*ORDERS, bad)))
    answer = duty("GET", f"{HERE}/{plan}/orders.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 5
    assert {row["site"] for row in rows} == {"B", "H1", "'=cmd"}
    assert [row["next_site"] for row in rows if row["site"] == "'=cmd"] == ["'@x"]
    assert duty("GET", f"{HERE}/{plan}/orders/%3Dcmd").json()["site"] == "=cmd"


def test_a_plan_is_watched_until_every_site_has_read_that_it_is_withdrawn(
    service: Service, duty: Client, other: Client
) -> None:
    plan = issued(service, duty, other)
    at = f"{HERE}/{plan}"
    said: list[str] = []
    watcher = threading.Thread(target=lambda: said.append(duty("GET", f"{at}/events").text))
    watcher.start()
    time.sleep(1.0)
    other("POST", f"{at}/orders/B/acknowledge", json=PHONE)
    order = duty("GET", f"{at}/orders/H1")
    assert duty("POST", f"{at}/withdraw", json={"reason": "A is open"}).json()["state"] == "withdrawn"
    # who read the orders before they were withdrawn has not read that they are
    stale = {"If-Match": order.headers["etag"]}
    late = duty("POST", f"{at}/orders/H1/acknowledge", json=PHONE, headers=stale)
    assert code_of(late) == (412, "precondition-failed")
    assert code_of(duty("POST", f"{at}/orders/H1/acknowledge", json=PHONE)) == (409, "conflict")
    read = PHONE | {"withdrawal": True}
    tag = duty("GET", at).headers["etag"]
    assert duty("GET", at, headers={"If-None-Match": tag}).status_code == 304
    assert other("POST", f"{at}/orders/B/acknowledge", json=read).json()["stop_said_by"] == "王*"
    again = duty("GET", at, headers={"If-None-Match": tag})
    counts = {"stop_waits": 1, "stop_seen": 1, "stop_overdue": 0}
    assert (again.status_code, again.json()["answers"].items() >= counts.items()) == (200, True)
    waits = duty("GET", f"{at}/orders?state=stop_waits").json()["orders"]
    assert [(one["site"], one["may"]) for one in waits] == [("H1", ["acknowledge"])]
    time.sleep(1.0)
    assert watcher.is_alive()  # one has not read it yet
    assert duty("POST", f"{at}/orders/H1/acknowledge", json=read).status_code == 200
    watcher.join(30)
    events = events_of(said[0])
    assert events[0][0] == "plan"
    changes = [(facts["action"], facts.get("site")) for name, _, facts in events if name == "change"]
    stops = [("stop_acknowledged", "B"), ("stop_acknowledged", "H1")]
    assert changes == [("acknowledged", "B"), ("withdrawn", None), *stops]
    assert events[-1][0] == "plan"
    assert events[-1][2]["state"] == "withdrawn"
    first = events[0][1]
    again = events_of(duty("GET", f"{at}/events", headers={"Last-Event-ID": str(first)}).text)
    said_again = [(facts["action"], facts.get("site")) for name, _, facts in again if name == "change"]
    assert said_again == changes
    assert code_of(duty("POST", f"{at}/orders/B/acknowledge", json=read)) == (409, "conflict")


def test_a_site_may_have_any_id(service: Service, duty: Client, other: Client) -> None:
    odd = {"site": "北/京 1", "action": "stop", "next_site": "H1", "pieces": 1, "trips": -1}
    plan = proposed(duty, a_run(service, (odd,)))
    other("POST", f"{HERE}/{plan}/approve")
    duty("POST", f"{HERE}/{plan}/issue")
    at = f"{HERE}/{plan}/orders/%E5%8C%97%2F%E4%BA%AC%201"
    assert duty("GET", at).json()["site"] == "北/京 1"
    assert duty("POST", f"{at}/acknowledge", json=PHONE).json()["state"] == "acknowledged"
    assert duty("GET", f"{HERE}/{plan}").json()["state"] == "completed"
