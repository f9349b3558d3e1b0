"""Studies over the API: the same answer as everywhere, once, seen by those who may, from the folder alone."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from api_cases import (
    CLOSE_A,
    Client,
    app,
    browser,
    duty,
    events_of,
    plan_request,
    service,
    service_and_tokens,
    tokens,
)
from fastapi import FastAPI
from network_cases import TINY
from registers_cases import ADMIN, cheap_hashes

from changtong.api.run_book import MOST_ATTEMPTS, MOST_OPEN, NewRun, RunBook
from changtong.api.service import Service
from changtong.cli import main
from changtong.error_words import error_words
from changtong.errors import ConflictError, UsageError
from changtong.network.io import read_network
from changtong.outages import close_sites
from changtong.rights.scope import Scope
from changtong.studies import run_study

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

MEASURED = {"runtime_s", "seconds", "folder", "at", "left_out", "notes", "name"}
"""Of a summary: what a clock says, and what the command line adds."""


def asked(client: Client, **more: Any) -> dict[str, Any]:
    answer = client("POST", "/api/v1/runs", json=plan_request(**more))
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/runs/{made['id']}"
    return made


@pytest.fixture(scope="module")
def done(service_and_tokens: tuple[Service, dict[str, str]]) -> dict[str, Any]:
    """The plan of the tiny network with A shut, asked for by the duty officer in Guangdong."""
    from changtong.api.app import make_app

    client = Client(make_app(service_and_tokens[0]), token=service_and_tokens[1]["duty-gd"])
    run = client.ended(asked(client)["id"])
    assert run["state"] == "done", run
    return run


def test_what_is_offered_can_be_asked_for(duty: Client) -> None:
    assert duty("GET", "/api/v1/networks").json() == {"networks": ["tiny"]}
    offers = {one["name"]: one for one in duty("GET", "/api/v1/studies").json()["studies"]}
    assert {"plan", "stress", "simulate", "rural plan", "duty roster"} <= set(offers)
    assert {one["name"] for one in offers["plan"]["inputs"]} == {"network", "outages"}
    gap = next(one for one in offers["plan"]["parameters"] if one["name"] == "gap")
    assert (gap["type"], gap["least"], gap["default"], gap["most"]) == ("number", 0.0, 1e-3, 1.0)
    assert (gap["zh"], gap["en"]) == ("差距", "Gap")


def test_command_line_python_and_api_give_the_same_answer(
    done: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = read_network(TINY)
    (tmp_path / "o.toml").write_text('[[outage]]\nlabel = "A shut"\nsites = ["A"]\n')
    made = run_study("plan", network, close_sites(network, ["A"]))
    command = [
        "plan",
        str(TINY),
        "--outages",
        str(tmp_path / "o.toml"),
        "-o",
        str(tmp_path / "plan"),
        "--json",
    ]
    assert main(command) == 0
    by_command = json.loads(capsys.readouterr().out)
    digest = json.loads((tmp_path / "plan" / "study.json").read_text("utf-8"))["input_digest"]
    assert done["outcome"]["input_digest"] == digest
    by_api, by_python = done["outcome"]["summary"], made.result.summary()
    same = by_api.keys() - MEASURED
    assert {"unserved_pieces", "demand_pieces", "cost_cny_per_day"} & same
    assert {key: by_api[key] for key in same} == {key: by_command[key] for key in same}
    labels = {"outages"}  # close_sites words its own
    assert {k: by_api[k] for k in same - labels} == {
        k: json.loads(json.dumps(by_python[k])) for k in same - labels
    }


def test_files_of_a_result_are_those_of_the_command_and_no_others(
    service: Service, duty: Client, done: dict[str, Any]
) -> None:
    files, place = done["outcome"]["files"], f"/api/v1/runs/{done['id']}/files"
    assert {"study.json", "report.html", "orders.csv"} <= set(files)
    answer = duty("GET", f"{place}/report.html")
    assert len(answer.content) == files["report.html"]
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    for name in (
        "../../registers.db",
        "..%2f..%2fregisters.db",
        "%2e%2e/%2e%2e/registers.db",
        "/etc/passwd",
        "orders.csv/../../../registers.db",
        "report.html%00",
        "",
        "nothing.csv",
    ):
        assert duty("GET", f"{place}/{name}").status_code == 404, name
    kept = service.folder.run(done["id"]) / "orders.csv"
    kept.rename(kept.with_suffix(".kept"))
    os.symlink(service.folder.registers, kept)
    try:
        assert duty("GET", f"{place}/orders.csv").status_code == 404
    finally:
        kept.unlink()
        kept.with_suffix(".kept").rename(kept)


def test_networks_are_named_by_id_and_never_by_path(service: Service, duty: Client, tmp_path: Path) -> None:
    os.symlink(TINY, service.folder.path / "networks" / "linked")
    (service.folder.path / "networks" / "empty").mkdir(exist_ok=True)
    names = (
        "../networks/tiny",
        "./tiny",
        "tiny/",
        "/etc",
        "..",
        ".",
        str(TINY),
        "linked",
        "empty",
        "tiny\0",
        "",
    )
    for name in names:
        request = {"study": "plan", "inputs": {"network": name, "outages": [CLOSE_A]}}
        answer = duty("POST", "/api/v1/runs", json=request)
        assert answer.status_code in (404, 422), name
        assert answer.json()["code"] in ("not-found", "bad-input")
    near = duty("POST", "/api/v1/runs", json={"study": "plan", "inputs": {"network": "tinny"}})
    assert "Did you mean tiny?" in near.json()["detail"]


def test_an_area_is_never_the_name_of_a_file(duty: Client) -> None:
    outages = [CLOSE_A, {"label": "x", "area": "../../registers.db"}, {"label": "y", "area": ["z"]}]
    request = {"study": "plan", "inputs": {"network": "tiny", "outages": outages}}
    answer = duty("POST", "/api/v1/runs", json=request)
    assert answer.status_code == 422
    assert [(one["code"], one["row"]) for one in answer.json()["problems"]] == [
        ("bad-area", 2),
        ("bad-area", 3),
    ]


def test_parameters_are_checked_all_at_once(duty: Client) -> None:
    given = {"gap": 2, "seconds": "long", "stabilty": 1, "hour_cny": True}
    answer = duty("POST", "/api/v1/runs", json=plan_request(parameters=given))
    assert answer.status_code == 422
    assert [(one["code"], one["column"]) for one in answer.json()["problems"]] == [
        ("out-of-range", "parameters.gap"),
        ("wrong-type", "parameters.hour_cny"),
        ("wrong-type", "parameters.seconds"),
        ("unknown-column", "parameters.stabilty"),
    ]
    assert "Did you mean stability?" in answer.json()["problems"][3]["hint"]
    answer = duty("POST", "/api/v1/runs", json={**plan_request(), "study": "plann"})
    assert (answer.status_code, "Did you mean plan?" in answer.text) == (404, True)


def test_what_is_wrong_with_the_outages_ends_the_run_with_all_problems(duty: Client) -> None:
    outages = [{"label": "x", "sites": ["nowhere"]}, {"label": "y", "sites": ["A"], "start": "tomorrow"}]
    request = {"study": "plan", "inputs": {"network": "tiny", "outages": outages}}
    run = duty.ended(duty("POST", "/api/v1/runs", json=request).json()["id"])
    assert run["state"] == "refused"
    found = [(one["code"], one["row"]) for one in run["problem"]["problems"]]
    assert found == [("unknown-site", 1), ("time-without-zone", 2)]
    titles = [one["title"] for one in (run["problem"], *run["problem"]["problems"])]
    assert titles == [error_words(code).zh for code in ("bad-input", "unknown-site", "time-without-zone")]
    nothing = {"study": "plan", "inputs": {"network": "tiny"}, "language": "en"}
    run = duty.ended(duty("POST", "/api/v1/runs", json=nothing).json()["id"])
    assert [one["code"] for one in run["problem"]["problems"]] == ["no-outage"]
    assert run["problem"]["problems"][0]["title"] == error_words("no-outage").en


def test_a_key_makes_asking_twice_asking_once(app: FastAPI, duty: Client, tokens: dict[str, str]) -> None:
    key = {"Idempotency-Key": "order-7"}
    first = duty("POST", "/api/v1/runs", json=plan_request(), headers=key)
    again = duty("POST", "/api/v1/runs", json=plan_request(), headers=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = duty("POST", "/api/v1/runs", json=plan_request(language="en"), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")
    elsewhere = Client(app, token=tokens["duty-bj"])("POST", "/api/v1/runs", json=plan_request(), headers=key)
    assert elsewhere.status_code == 202
    assert elsewhere.json()["id"] != first.json()["id"]


def test_runs_of_others_are_not_there(
    app: FastAPI, done: dict[str, Any], tokens: dict[str, str], service: Service
) -> None:
    place = f"/api/v1/runs/{done['id']}"
    for name in ("duty-bj", "duty-sd"):
        other = Client(app, token=tokens[name])
        for method, path in (
            ("GET", place),
            ("POST", f"{place}/cancel"),
            ("GET", f"{place}/events"),
            ("GET", f"{place}/files/report.html"),
        ):
            there, nowhere = other(method, path), other(method, path.replace(done["id"], "0" * 26))
            assert there.status_code == nowhere.status_code == 404, (name, path)
            assert there.json()["detail"] == nowhere.json()["detail"]
        assert done["id"] not in other("GET", "/api/v1/runs").text
    looker = Client(app, token=tokens["looker-gd"])
    assert looker("GET", place).json()["id"] == done["id"]
    assert looker("POST", f"{place}/cancel").status_code == 403
    admin = service.store.sign_in("admin", ADMIN).token  # keeps people, and has no business with plans
    assert Client(app, token=admin)("GET", place).status_code == 404
    assert Client(app, token=admin)("GET", "/api/v1/runs").json()["runs"] == []


def test_who_asked_for_a_run_is_on_record(
    service: Service, done: dict[str, Any], tokens: dict[str, str]
) -> None:
    admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
    entries = admin.audit_entries("run", done["id"])
    assert [entry["action"] for entry in entries][0] == "add"
    assert [entry["action"] for entry in entries].count("add") == 1


def test_a_run_that_has_not_changed_is_not_sent_again(duty: Client, done: dict[str, Any]) -> None:
    place = f"/api/v1/runs/{done['id']}"
    tag = duty("GET", place).headers["etag"]
    same = duty("GET", place, headers={"If-None-Match": f'"other", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert duty("GET", place, headers={"If-None-Match": '"0"'}).status_code == 200


def test_pages_follow_each_other_without_a_gap(duty: Client, done: dict[str, Any]) -> None:
    for _ in range(3):
        asked(duty)
    whole = [run["id"] for run in duty("GET", "/api/v1/runs?limit=200").json()["runs"]]
    assert whole == sorted(whole, reverse=True)
    seen: list[str] = []
    after = ""
    while True:
        page = duty("GET", f"/api/v1/runs?limit=2&after={after}").json()
        seen += [run["id"] for run in page["runs"]]
        assert len(page["runs"]) == 2 or page["next"] is None
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == whole
    assert done["id"] in seen


@pytest.mark.slow
def test_a_run_is_watched_until_it_ends(duty: Client) -> None:
    run_id = asked(duty)["id"]
    answer = duty("GET", f"/api/v1/runs/{run_id}/events", timeout=120)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    numbers = [number for _, number, _ in events]
    assert numbers == sorted(set(numbers))
    assert {name for name, _, _ in events} == {"run"}
    assert events[-1][2]["state"] == "done"
    assert events[-1][2]["outcome"]["summary"]["demand_pieces"] > 0
    states = [facts["state"] for _, _, facts in events]
    assert states == sorted(states, key=("waiting", "running", "done").index)
    assert [facts for _, _, facts in events if facts["state"] == "running" and facts["progress"]]


@pytest.mark.slow
def test_a_run_is_cancelled_while_it_waits_and_while_it_runs(duty: Client, done: dict[str, Any]) -> None:
    first, second = asked(duty)["id"], asked(duty)["id"]
    waiting = duty("POST", f"/api/v1/runs/{second}/cancel")
    assert (waiting.status_code, waiting.json()["state"]) == (202, "cancelled")
    while duty("GET", f"/api/v1/runs/{first}").json()["state"] == "waiting":
        time.sleep(0.05)
    assert duty("POST", f"/api/v1/runs/{first}/cancel").json()["state"] == "cancelling"
    assert duty("POST", f"/api/v1/runs/{first}/cancel").status_code == 202  # twice is as once
    assert duty.ended(first)["state"] == "cancelled"
    assert duty("GET", f"/api/v1/runs/{second}").json()["attempts"] == 0
    answer = duty("POST", f"/api/v1/runs/{done['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_a_process_that_dies_ends_its_run_as_a_fault_of_ours(
    duty: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("changtong.api.run_queue.COMMAND", ("-c", "import os; os._exit(11)"))
    run = duty.ended(asked(duty)["id"])
    assert (run["state"], run["problem"]["code"]) == ("failed", "internal")
    assert run["id"] in run["problem"]["detail"]


# the book alone


def new_run(user: str = "u", key: str = "", path: str = "/sd/gd/", code: str = "440000") -> NewRun:
    return NewRun(user, path, code, "plan", {"network": "tiny"}, key)


@pytest.fixture
def book(tmp_path: Path) -> Any:
    made = RunBook(tmp_path / "runs.db")
    yield made
    made.close()


def test_a_run_ends_once_whoever_says_so(book: RunBook) -> None:
    run, _ = book.add(new_run())
    assert book.begin(run.id, "server") is not None
    won = [
        book.end(run.id, "done", worker="server", outcome={"x": 1}),
        book.end(run.id, "failed", worker="server"),
        book.end(run.id, "cancelled", worker="server"),
    ]
    assert won == [True, False, False]
    assert book.get(run.id).state == "done"
    assert book.begin(run.id, "server") is None
    with pytest.raises(ConflictError):
        book.cancel(run.id)


def test_a_run_under_which_the_server_dies_is_not_begun_for_ever(book: RunBook) -> None:
    run, _ = book.add(new_run())
    for attempt in range(1, MOST_ATTEMPTS + 1):
        begun = book.begin(run.id, "server")
        assert begun is not None
        assert begun.attempts == attempt
    assert book.begin(run.id, "server") is None
    assert book.get(run.id).state == "failed"
    other, _ = book.add(new_run())
    for _ in range(2 * MOST_ATTEMPTS):  # a server that stops in good order does not count
        assert book.begin(other.id, "server") is not None
        book.leave(other.id)


def test_keys_hold_when_many_ask_at_once(book: RunBook) -> None:
    made: list[tuple[str, bool]] = []

    def ask() -> None:
        run, is_new = book.add(new_run(key="same"))
        made.append((run.id, is_new))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run_id for run_id, _ in made}) == 1
    assert sorted(is_new for _, is_new in made) == [False] * 11 + [True]


def test_nobody_fills_the_queue_alone(book: RunBook) -> None:
    for _ in range(MOST_OPEN):
        book.add(new_run())
    with pytest.raises(UsageError, match="not ended") as caught:
        book.add(new_run())
    assert caught.value.code == "too-many-runs"
    assert book.add(new_run("another"))[1]


def test_a_page_keeps_to_its_scopes_letter_by_letter(book: RunBook) -> None:
    places = [("/sd/gd/", "440000"), ("/SD/gd/", "440000"), ("/sd/gdx/", "440300"), ("/fc/", "330000")]
    ids = {place: book.add(new_run(path=place[0], code=place[1]))[0].id for place in places}

    def seen(*scopes: Scope) -> set[tuple[str, str]]:
        found = {run.id for run in book.page(scopes, 50)[0]}
        return {place for place in places if ids[place] in found}

    for scope in (Scope(), Scope("/sd/"), Scope("/sd/gd/"), Scope(region="440000"), Scope("/sd/", "440300")):
        assert seen(scope) == {place for place in places if scope.covers(*place)}, scope
    assert seen() == set()
    assert seen(Scope("/fc/"), Scope("/SD/")) == {places[3], places[1]}
