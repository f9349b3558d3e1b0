"""Events sent to a log: all or none, each once, on the disk before the answer, held back when behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api_cases import Client, app, browser, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import cheap_hashes

from changtong.api.intake_rows import check_epcis, check_events
from changtong.api.intake_spool import Spool, in_log
from changtong.api.problems import IntakeBehindError
from changtong.api.service import Service
from changtong.errors import InputError
from changtong.events.keys import key_of
from changtong.events.log import open_log

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

KEY = bytes(range(32))


@pytest.fixture(autouse=True, scope="module")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = str(tmp_path_factory.mktemp("keys"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHANGTONG_KEYS", place)
        yield


def event(number: int, **more: Any) -> dict[str, Any]:
    at = datetime(2026, 5, 4, 1, tzinfo=UTC) + timedelta(seconds=number)
    return {
        "event_id": f"e{number}", "item_id": f"ZT{number:09d}", "code": "receive", "site_id": "A",
        "at": at.isoformat(), **more,
    }  # fmt: skip


def made(client: Client, log_id: str) -> str:
    answer = client("PUT", f"/api/v1/logs/{log_id}", json={"alerts": {"on": False}})
    assert answer.status_code == 201, answer.text
    return log_id


def settled(client: Client, log_id: str, within_s: float = 60.0) -> dict[str, Any]:
    """Return a log when all that was accepted is in it."""
    until = time.monotonic() + within_s
    while True:
        told: dict[str, Any] = client("GET", f"/api/v1/logs/{log_id}").json()
        if told["in_log_to"] == told["accepted_to"] or time.monotonic() > until:
            return told
        time.sleep(0.1)


def test_events_come_into_the_log_once(duty: Client, service: Service) -> None:
    made(duty, "once")
    events = [event(k) for k in range(30)]
    first = duty("POST", "/api/v1/logs/once/events", json=events)
    assert first.status_code == 202, first.text
    assert (first.json()["accepted"], first.json()["aside"]) == (30, 0)
    lines = "\n".join(json.dumps(one) for one in [*events[20:], event(30), event(31)])
    again = duty("POST", "/api/v1/logs/once/events", content=lines)
    assert again.json()["accepted"] == 12
    told = settled(duty, "once")
    assert (told["rows"], told["waiting"], told["first_day"]) == (32, 0, "2026-05-04")
    assert told["last_event"] == "2026-05-04T01:00:31+00:00"
    log = service.shelf.log("once")
    assert sum(batch.duplicates for batch in log.batches) == 10
    assert sum(batch.quarantined for batch in log.batches) == 0
    import polars as pl

    items = pl.read_parquet(log.files())["item"].to_list()
    assert sorted(items) == sorted(key_of(service.shelf.key(log)[:16], f"ZT{k:09d}") for k in range(32))


def test_bad_rows_are_told_all_at_once_and_nothing_is_taken(duty: Client) -> None:
    made(duty, "bad")
    rows = [
        event(0),
        event(1, code="no such code"),
        event(2, at="yesterday"),
        event(3, colour="red"),
        event(4, item_id=7),
        event(5, item_id=None),
        [],
        event(7, site_id=""),
        event(8, at="2026-05-04T09:00:00"),
        event(9, item_id="RR123456784CN"),
    ]
    answer = duty("POST", "/api/v1/logs/bad/events", json=rows)
    assert answer.status_code == 422
    told = [(one["code"], one["row"], one["column"]) for one in answer.json()["problems"]]
    assert told == [
        ("unknown-code", 2, "code"), ("bad-time", 3, "at"), ("unknown-column", 4, None),
        ("wrong-type", 5, "item_id"), ("no-id", 6, "item_id"), ("bad-event-object", 7, None),
        ("no-site", 8, "site_id"), ("no-time-zone", 9, "at"), ("s10-check-digit", 10, "item_id"),
    ]  # fmt: skip
    assert "RR123456784CN" not in answer.text
    assert settled(duty, "bad")["accepted_to"] == 0
    aside = duty("POST", "/api/v1/logs/bad/events?bad=aside&time_zone=Asia/Shanghai", json=rows)
    assert aside.status_code == 202
    assert (aside.json()["read"], aside.json()["accepted"], aside.json()["aside"]) == (10, 2, 8)
    assert settled(duty, "bad")["rows"] == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "missing-value"), ("[]", "missing-value"), ("[{", "bad-json"), (b"\xff", "bad-encoding")],
)  # fmt: skip
def test_what_is_no_list_of_events_is_refused(duty: Client, body: Any, code: str) -> None:
    with pytest.raises(InputError) as wrong:
        check_events(body if isinstance(body, bytes) else body.encode(), KEY)
    assert wrong.value.problems[0].code == code


def test_texts_that_need_quotes_come_through(duty: Client, service: Service) -> None:
    made(duty, "quotes")
    odd = event(0, site_id='A "B", C', attributes={"note": 'x,"y"\n', "kg": 1.5}, service_class="特快")
    assert duty("POST", "/api/v1/logs/quotes/events", json=[odd]).status_code == 202
    assert settled(duty, "quotes")["rows"] == 1
    import polars as pl

    row = pl.read_parquet(service.shelf.log("quotes").files()).row(0, named=True)
    assert (row["site_id"], row["service_class"]) == ('A "B", C', "特快")
    assert json.loads(row["attributes"]) == {"note": 'x,"y"\n', "kg": 1.5}


def test_half_characters_are_told_and_hurt_nothing() -> None:
    body = b'[{"item_id": "a\\ud800", "code": "receive", "site_id": "A", "at": "2026-05-04T09:00:00Z"}]'
    found = check_events(body, KEY)
    assert (found.rows, [one.code for one in found.bad]) == (0, ["bad-text"])


def test_logs_of_others_are_not_there(app: FastAPI, duty: Client, tokens: dict[str, str]) -> None:
    made(duty, "gd-only")
    other = Client(app, token=tokens["duty-bj"])
    assert other("GET", "/api/v1/logs/gd-only").status_code == 404
    assert other("POST", "/api/v1/logs/gd-only/events", json=[event(0)]).status_code == 404
    assert other("PUT", "/api/v1/logs/gd-only", json={}).status_code == 404
    assert "gd-only" not in [one["id"] for one in other("GET", "/api/v1/logs").json()["logs"]]
    looker = Client(app, token=tokens["looker-gd"])
    assert looker("GET", "/api/v1/logs/gd-only").status_code == 200
    refused = looker("POST", "/api/v1/logs/gd-only/events", json=[event(0)])
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    assert looker("PUT", "/api/v1/logs/of-looker", json={}).status_code == 403


def test_a_log_stays_as_it_was_made(duty: Client) -> None:
    made(duty, "stays")
    again = duty("PUT", "/api/v1/logs/stays", json={"alerts": {"hourly": True}})
    assert again.status_code == 200
    assert duty("GET", "/api/v1/logs/stays").json()["alerts"]["hourly"] is True
    assert duty("PUT", "/api/v1/logs/stays", json={"zone": "UTC"}).status_code == 409
    assert duty("PUT", "/api/v1/logs/-x", json={}).json()["problems"][0]["code"] == "bad-id"
    wrong = duty("PUT", "/api/v1/logs/zone", json={"zone": "Mars/Olympus"})
    assert (wrong.status_code, wrong.json()["problems"][0]["column"]) == (422, "zone")


def test_a_log_that_takes_events_is_a_data_set_that_stays(
    duty: Client, app: FastAPI, tokens: dict[str, str]
) -> None:
    made(duty, "kept")
    one = duty("GET", "/api/v1/datasets/log/kept")
    assert one.status_code == 200
    assert Client(app, token=tokens["duty-bj"])("GET", "/api/v1/datasets/log/kept").status_code == 404
    gone = duty("DELETE", "/api/v1/datasets/log/kept", headers={"If-Match": one.headers["etag"]})
    assert (gone.status_code, gone.json()["code"]) == (409, "in-use")


def test_a_log_put_there_by_hand_is_read_by_all_and_changed_by_none(duty: Client, service: Service) -> None:
    from changtong.events.log import create_log

    create_log(service.shelf.log_folder("by-hand"))
    assert duty("GET", "/api/v1/logs/by-hand").status_code == 200
    assert duty("POST", "/api/v1/logs/by-hand/events", json=[event(0)]).status_code == 403
    assert duty("PUT", "/api/v1/logs/by-hand", json={"plain_ids": True}).status_code == 403


def test_a_log_that_is_behind_takes_nothing_more(duty: Client, service: Service) -> None:
    made(duty, "behind")
    spool = service.intake.spool("behind")
    spool.most_bytes = -1
    answer = duty("POST", "/api/v1/logs/behind/events", json=[event(0)])
    assert (answer.status_code, answer.json()["code"]) == (503, "intake-behind")
    assert int(answer.headers["retry-after"]) >= 1
    spool.most_bytes = 10**9
    assert duty("POST", "/api/v1/logs/behind/events", json=[event(0)]).status_code == 202
    settled(duty, "behind")
    metrics = duty("GET", "/metrics").text
    assert 'changtong_intake_refused_total{log="behind"} 1.0' in metrics
    assert 'changtong_intake_events_total{log="behind"} 1.0' in metrics
    assert 'changtong_intake_spool_bytes{log="behind"} 0.0' in metrics


def test_where_the_process_that_checks_has_died_the_next_request_has_another_one(
    duty: Client, service: Service
) -> None:
    made(duty, "died")
    assert duty("POST", "/api/v1/logs/died/events", json=[event(0)]).status_code == 202
    process = service.intake._door._process
    assert process is not None
    process.kill()
    process.wait()
    assert duty("POST", "/api/v1/logs/died/events", json=[event(1)]).status_code == 202
    assert settled(duty, "died")["rows"] == 2


def test_age_holds_back_as_well(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 0, most_behind_s=5.0)
    spool.put(b"x\n", 1)
    spool.check_room()
    old = time.time() - 10
    os.utime(next((tmp_path / "spool").glob("s*.csv")), (old, old))
    with pytest.raises(IntakeBehindError):
        Spool(tmp_path / "spool", 0, most_behind_s=5.0).check_room()
    assert Spool(tmp_path / "spool", 1).rows == 0  # the log has number 1: its file goes


EPCIS = {
    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
    "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-05-04T03:00:00Z",
    "epcisBody": {"eventList": [
        {"type": "ObjectEvent", "action": "OBSERVE", "bizStep": "departing", "eventID": "urn:uuid:1",
         "eventTime": "2026-05-04T08:00:00+08:00", "eventTimeZoneOffset": "+08:00",
         "epcList": ["urn:epc:id:sscc:0614141.1234567890", "urn:epc:id:sscc:0614141.1234567891"],
         "readPoint": {"id": "urn:epc:id:sgln:0614141.00777.0"}, "disposition": "in_transit"},
    ]},
}  # fmt: skip


def with_bad_event() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(EPCIS))
    document["epcisBody"]["eventList"].append({"type": "ObjectEvent", "eventTime": "never"})
    return document


def job_ended(client: Client, place: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while True:
        job: dict[str, Any] = client("GET", place).json()
        if not job["running"] or time.monotonic() > until:
            return job
        time.sleep(0.1)


def test_epcis_is_captured_as_the_standard_says(duty: Client, app: FastAPI, tokens: dict[str, str]) -> None:
    made(duty, "epcis")
    assert duty("POST", "/api/v1/epcis/capture", json=EPCIS).json()["code"] == "log-needed"
    answer = duty("POST", "/api/v1/epcis/capture?log=epcis", json=EPCIS)
    assert answer.status_code == 202, answer.text
    assert answer.headers["gs1-epcis-capture-limit"] == "10000"
    assert answer.headers["gs1-capture-error-behaviour"] == "rollback"
    job = job_ended(duty, answer.headers["location"])
    assert (job["success"], job["errors"], job["captureErrorBehaviour"]) == (True, [], "rollback")
    assert job["createdAt"] <= job["finishedAt"]
    assert duty("GET", "/api/v1/logs/epcis").json()["rows"] == 2
    other = Client(app, token=tokens["duty-bj"])
    assert other("GET", answer.headers["location"]).status_code == 404
    assert duty("OPTIONS", "/api/v1/epcis/capture").headers["gs1-epcis-version"] == "2.0.0"


def test_epcis_rolls_back_or_proceeds(duty: Client) -> None:
    made(duty, "epcis-bad")
    back = duty("POST", "/api/v1/epcis/capture?log=epcis-bad", json=with_bad_event())
    job = job_ended(duty, back.headers["location"])
    assert (job["running"], job["success"], job["rows"]) == (False, False, 0)
    assert {one["row"] for one in job["errors"]} == {2}
    assert job["errors"][0]["type"] == "epcisException:ValidationException"
    assert duty("GET", "/api/v1/logs/epcis-bad").json()["accepted_to"] == 0
    headers = {"GS1-Capture-Error-Behaviour": "proceed"}
    on = duty("POST", "/api/v1/epcis/capture?log=epcis-bad", json=with_bad_event(), headers=headers)
    job = job_ended(duty, on.headers["location"])
    assert (job["success"], job["rows"]) == (False, 2)
    assert settled(duty, "epcis-bad")["rows"] == 2


def test_epcis_rows_keep_what_has_no_column() -> None:
    found = check_epcis(json.dumps(EPCIS).encode(), KEY)
    assert (found.rows, found.read, found.bad) == (2, 1, ())
    assert b"in_transit" in found.body


@pytest.mark.parametrize(
    "point",
    [
        "before-ingest",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("", "after-ingest", "while-removing")),
    ],
)
def test_killed_at_any_point_nothing_is_lost_or_doubled(point: str, tmp_path: Path) -> None:
    from changtong.events.log import create_log

    log = create_log(tmp_path / "log")
    spool = Spool(tmp_path / "spool", 0)
    for k in range(5):
        checked = check_events(json.dumps([event(10 * k + n) for n in range(10)]).encode(), bytes(16))
        spool.put(checked.body, checked.rows)
    question = json.dumps({"folder": str(log.path), "spool": str(spool.folder), "keys": "none"}) + "\n"
    command = [sys.executable, "-m", "changtong.api.intake_process"]
    for die_at, code in ((point, 9 if point else 0), ("", 0)):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"CHANGTONG_DIE_AT": die_at},
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(question)
            process.stdin.flush()
            line = process.stdout.readline()
            process.kill() if not die_at else process.wait()
            assert die_at == "" or process.wait() == code
            assert bool(line) is (die_at == "")
    found = open_log(log.path)
    assert (found.rows, sum(batch.duplicates for batch in found.batches)) == (50, 0)
    assert in_log(found) == 5
    assert not list(spool.folder.glob("*.csv"))


def test_many_at_once_share_writes_and_each_gets_its_answer(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    spool = Spool(tmp_path / "spool", 0)
    with ThreadPoolExecutor(20) as pool:
        numbers = list(pool.map(lambda k: spool.put(f"{k}\n".encode(), 1), range(200)))
    files = sorted((tmp_path / "spool").glob("s*.csv"))
    lines = [line for file in files for line in file.read_text().split()]
    assert sorted(map(int, lines)) == list(range(200))
    assert (spool.rows, max(numbers)) == (200, len(files))
    for k, number in enumerate(numbers):
        assert str(k) in files[number - 1].read_text().split()
