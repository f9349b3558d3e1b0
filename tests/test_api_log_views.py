"""What a log shows over the API: the numbers of the analyses, at hand, by tag, and an item on record."""

from __future__ import annotations

import json
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from api_cases import Client, app, browser, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from log_cases import log_of, ring
from registers_cases import cheap_hashes

from changtong.api.log_desk import LogDesk
from changtong.api.log_items import day_begin_ms
from changtong.api.log_shelf import LogAbout
from changtong.api.service import Service
from changtong.events.alerts.log_series import series_of
from changtong.events.keys import pseudonym
from changtong.studies import run_study

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]


@pytest.fixture(scope="module")
def day(service_and_tokens: tuple[Service, dict[str, str]]) -> date:
    """A log of Guangdong, and a day of it."""
    service = service_and_tokens[0]
    log = log_of(ring(8), service.shelf.log_folder("ring"))
    service.shelf.put(LogAbout("ring", "/spb-gd/", "440000", {"on": False}), "Asia/Shanghai", plain_ids=True)
    return log.days[4]


def got(client: Client, place: str) -> Any:
    """Return an answer when it is made."""
    until = time.monotonic() + 120
    while (answer := client("GET", place)).status_code == 503 and time.monotonic() < until:
        assert answer.json()["code"] == "in-the-making"
    return answer


def test_the_map_has_the_numbers_of_the_series(day: date, duty: Client, service: Service) -> None:
    made = series_of(service.shelf.log("ring"), day, day, hours=1, least_pieces=20)
    answer = got(duty, f"/api/v1/logs/ring/map?day={day}&hour=9")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    rows = made.series.filter(pl.col("begin_ms") == told["begin_ms"])
    assert rows.height == 12
    for name, column in (("events", "scans"), ("backlog", "backlog_pieces"), ("handled", "handled_pieces")):
        here = dict(zip(told["sites"]["id"], told["sites"][name], strict=True))
        assert here == dict(rows.select("site_id", column).iter_rows())
    ids, legs = told["sites"]["id"], told["legs"]
    moved = {(ids[a], ids[b]): n for a, b, n in zip(legs["from"], legs["to"], legs["pieces"], strict=True)}
    assert moved == {}  # nothing comes in at nine
    begin_ms = made.hourly["begin_ms"][0]
    hour = (begin_ms - day_begin_ms(service.shelf.log("ring"), day)) // 3_600_000
    legs = duty("GET", f"/api/v1/logs/ring/map?day={day}&hour={hour}").json()["legs"]
    moved = {(ids[a], ids[b]): n for a, b, n in zip(legs["from"], legs["to"], legs["pieces"], strict=True)}
    of_hour = made.hourly.filter(pl.col("begin_ms") == begin_ms).drop("begin_ms")
    assert moved == {(a, b): n for a, b, n in of_hour.iter_rows()} != {}
    whole = duty("GET", f"/api/v1/logs/ring/map?day={day}").json()
    legs = whole["legs"]
    moved = {(ids[a], ids[b]): n for a, b, n in zip(legs["from"], legs["to"], legs["pieces"], strict=True)}
    assert moved == {(a, b): n for a, b, n in made.volumes.drop("date").iter_rows()}
    assert sum(whole["sites"]["events"]) == made.series["scans"].sum()


def test_hours_of_a_class_are_those_of_its_pieces(day: date, duty: Client, service: Service) -> None:
    frame = ring(8).with_columns(
        pl.when(pl.col("item") % 3 == 0)
        .then(pl.lit("特快 1/2"))
        .otherwise(pl.lit("parcel"))
        .alias("service_class")
    )
    log = log_of(frame, service.shelf.log_folder("classes"))
    service.shelf.put(
        LogAbout("classes", "/spb-gd/", "440000", {"on": False}), "Asia/Shanghai", plain_ids=True
    )
    place = f"/api/v1/logs/classes/hours?day={day}"
    told = {name: got(duty, f"{place}&service_class={name}").json() for name in ("", "特快 1/2", "parcel")}
    for name, one in told.items():
        assert (one["service_class"], one["classes"]) == (name, ["parcel", "特快 1/2"])
        made = series_of(log, day, day, hours=1, least_pieces=20, service_class=name)
        assert sum(map(sum, one["sites"]["events"])) == made.series["scans"].sum()
        assert sum(one["legs"]["pieces"]) == made.volumes["pieces"].sum()
    events = [sum(map(sum, one["sites"]["events"])) for one in told.values()]
    assert events[0] == events[1] + events[2] > events[2] > events[1] > 0


def test_indicators_and_backlog_are_those_of_the_study(day: date, duty: Client, service: Service) -> None:
    found = run_study("indicators", service.shelf.log("ring"), day=day).result
    told = got(duty, f"/api/v1/logs/ring/indicators?day={day}").json()
    wanted = json.loads(found.to_json())
    assert {k: v for k, v in told.items() if k != "runtime_s"} == {
        k: v for k, v in wanted.items() if k != "runtime_s"
    }
    backlog = duty("GET", f"/api/v1/logs/ring/backlog?day={day}").json()["sites"]
    by_site = found.by("site", "backlog_pieces").filter(pl.col("value") > 0)
    here = dict(zip(backlog["site_id"], backlog["pieces"], strict=True))
    assert {k: v for k, v in here.items() if v} == dict(by_site.select("member", "value").iter_rows())
    assert backlog["pieces"] == sorted(backlog["pieces"], reverse=True)


def test_what_has_not_changed_is_not_sent_again(day: date, duty: Client) -> None:
    place = f"/api/v1/logs/ring/map?day={day}&hour=10"
    first = got(duty, place)
    assert first.headers["cache-control"] == "private, max-age=10"
    again = duty("GET", place, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert got(duty, f"/api/v1/logs/ring/map?day={day - timedelta(days=90)}&hour=3").status_code == 404
    assert duty("GET", "/api/v1/logs/ring/map?day=yesterday").status_code == 422


def test_the_next_server_has_it_at_hand(day: date, duty: Client, service: Service) -> None:
    duty("GET", f"/api/v1/logs/ring/map?day={day}&hour=9")
    fresh = LogDesk(service.shelf)
    try:
        until = time.monotonic() + 10  # it is written after it is told
        while (made := fresh.at_hand("ring", "map", day)) is None and time.monotonic() < until:
            time.sleep(0.1)
        assert made is not None
        assert fresh._desk._process is None  # read, not computed
    finally:
        fresh.close()


@pytest.mark.parametrize("asked", ["0001-01-01", "1989-12-31", "2100-01-01", "9999-12-31"])
@pytest.mark.parametrize("path", ["map?", "hours?", "indicators?", "backlog?", "waiting?site_id=A&"])
def test_a_day_that_no_log_can_have_is_refused(asked: str, path: str, duty: Client) -> None:
    answer = got(duty, f"/api/v1/logs/ring/{path}day={asked}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-usage")
    assert f"{asked}: no log has this day" in answer.json()["detail"]


def test_a_day_that_has_not_begun_has_no_indicators(duty: Client, day: date) -> None:
    answer = got(duty, "/api/v1/logs/ring/indicators?day=2099-01-01")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-usage")


def test_where_an_item_was_last_needs_a_right_and_goes_on_record(
    day: date, duty: Client, app: FastAPI, tokens: dict[str, str], service: Service
) -> None:
    rows = pl.read_parquet(service.shelf.log("ring").files()).filter(pl.col("item").is_not_null())
    item = int(rows["item"][0])
    last = rows.filter(pl.col("item") == item).sort("at_ms").row(-1, named=True)
    place = "/api/v1/logs/ring/items/last"
    told = duty("POST", place, json={"item": pseudonym(item), "reason": "查询客户投诉"}).json()
    assert (told["at_ms"], told["site_id"], told["code"]) == (last["at_ms"], last["site_id"], last["code"])
    assert told["item"] == pseudonym(item)
    assert duty("POST", place, json={"item": pseudonym(item)}).status_code == 422
    unknown = duty("POST", place, json={"item": "SF0000000000", "reason": "a complaint"})
    assert unknown.status_code == 404
    assert "SF0000000000" not in unknown.text
    asked = {"item": pseudonym(item), "reason": "a complaint"}
    assert Client(app, token=tokens["looker-gd"])("POST", place, json=asked).status_code == 403
    assert Client(app, token=tokens["duty-bj"])("POST", place, json=asked).status_code == 404
    entries: Any = _audited(service)
    assert [(one["action"], one["reason"]) for one in entries if one["record"] == "ring"][:2] == [
        ("reveal", "查询客户投诉"), ("reveal", "a complaint"),
    ]  # fmt: skip


def _audited(service: Service) -> list[dict[str, Any]]:
    import sqlalchemy as sa

    from changtong.storage.schema import audit

    with service.store.engine.connect() as connection:
        rows = connection.execute(sa.select(audit).where(audit.c.action == "reveal")).mappings()
        return [dict(row) for row in rows]


def test_views_are_of_the_folder_and_private(day: date, duty: Client, service: Service) -> None:
    duty("GET", f"/api/v1/logs/ring/map?day={day}&hour=9")
    for file in Path(service.shelf.beside("ring") / "views").glob("*.json"):
        assert file.stat().st_mode & 0o077 == 0
