"""Alerts of a log over the API: those of the watch, once, seen by those who may, followed without a gap."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from api_cases import Client, app, browser, duty, events_of, service, service_and_tokens, tokens
from fastapi import FastAPI
from log_cases import log_of, ring
from registers_cases import cheap_hashes
from starlette.requests import Request

from changtong.api.alert_book import AlertBook, alert_id
from changtong.api.alerts import follow_alerts
from changtong.api.log_shelf import LogAbout
from changtong.api.service import Service
from changtong.events.alerts.log_watch import watch_log
from changtong.rights.scope import Scope

__all__ = ["app", "browser", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]


@pytest.fixture(scope="module")
def watched(service_and_tokens: tuple[Service, dict[str, str]]) -> str:
    """A log of Guangdong in which a site is shut for two days, its alerts in the book."""
    service = service_and_tokens[0]
    log_of(ring(26), service.shelf.log_folder("ring"))
    service.shelf.put(LogAbout("ring", "/spb-gd/", "440000"), "Asia/Shanghai", plain_ids=True)
    assert service.watch.feed("ring") > 0
    return "ring"


def until_of(service: Service) -> date:
    return service.shelf.log("ring").days[-1]  # the last day may not be whole


def all_alerts(client: Client, more: str = "") -> list[dict[str, Any]]:
    found, after = [], ""
    while True:
        told = client("GET", f"/api/v1/alerts?limit=3{after}{more}").json()
        found += told["alerts"]
        if told["next"] is None:
            return found
        after = f"&after={told['next']}"


def test_they_are_those_of_the_watch(watched: str, duty: Client, service: Service) -> None:
    found = watch_log(service.shelf.log("ring"), until=until_of(service))
    wanted = {alert_id("ring", row["alert_id"]): row for row in json.loads(found.to_json())["rows"]}
    told = all_alerts(duty)
    assert {one["id"] for one in told} == set(wanted)
    assert len(told) == len(wanted)
    for one in told:
        row = wanted[one["id"]]
        assert {name: one[name] for name in row if name != "alert_id"} == {
            name: value for name, value in row.items() if name != "alert_id"
        }
    silent = all_alerts(duty, "&rule=site-silent")
    assert "S04" in {one["site_id"] for one in silent}
    assert {one["rule"] for one in silent} == {"site-silent"}


def test_fed_again_nothing_changes(watched: str, service: Service) -> None:
    latest = service.alerts.latest
    assert service.watch.feed("ring") == 0
    # killed after the alerts were kept, before the state was: the same days are fed again
    folder = service.shelf.beside("ring") / "watch"
    for file in folder.rglob("*.json"):
        file.unlink()
    assert service.watch.feed("ring") == 0
    assert service.alerts.latest == latest


def test_others_see_none_of_them(watched: str, app: FastAPI, duty: Client, tokens: dict[str, str]) -> None:
    one = all_alerts(duty)[0]["id"]
    other = Client(app, token=tokens["duty-bj"])
    assert all_alerts(other) == []
    assert other("GET", f"/api/v1/alerts/{one}").status_code == 404
    assert other("POST", f"/api/v1/alerts/{one}/seen").status_code == 404
    looker = Client(app, token=tokens["looker-gd"])
    assert looker("GET", f"/api/v1/alerts/{one}").status_code == 200
    assert looker("POST", f"/api/v1/alerts/{one}/close", json={"reason": "not mine"}).status_code == 403
    assert duty("GET", f"/api/v1/alerts/{one}").json()["handling"] == "new"


def test_seen_closed_and_open_again_when_it_becomes_worse(
    watched: str, duty: Client, service: Service
) -> None:
    one = next(one for one in all_alerts(duty) if one["tier"] != "severe")
    place = f"/api/v1/alerts/{one['id']}"
    assert duty("POST", f"{place}/seen").json()["handling"] == "seen"
    assert len(duty("POST", f"{place}/seen").json()["seen"]) == 1
    assert duty("POST", f"{place}/close", json={}).status_code == 422
    closed = duty("POST", f"{place}/close", json={"reason": "线路检修，已通知"}).json()
    assert (closed["handling"], closed["reason"]) == ("closed", "线路检修，已通知")
    again = duty("POST", f"{place}/close", json={"reason": "once more"})
    assert again.status_code == 409
    facts = dict(service.alerts.get(one["id"]).facts)
    assert service.alerts.put("ring", "/spb-gd/", "440000", [facts | {"value": 1.5}]) == 1
    assert duty("GET", place).json()["handling"] == "closed"  # no worse than before
    assert service.alerts.put("ring", "/spb-gd/", "440000", [facts | {"tier": "severe"}]) == 1
    assert duty("GET", place).json()["handling"] == "new"
    assert duty("GET", place).json()["reason"] is None


def test_a_change_is_told_once_it_can_be_read(tmp_path: Path) -> None:
    """Who follows asks for what came after the last number: told too early, it finds nothing and goes on."""
    found = []

    class Followed(AlertBook):
        def __setattr__(self, name: str, value: object) -> None:
            before = getattr(self, "latest", None) if name == "latest" else None
            super().__setattr__(name, value)
            if before is not None and before != value:
                found.append([one.handling for one in self.since(before, [Scope("/", "")])])

    book = Followed(tmp_path / "alerts.db")
    facts = {
        "alert_id": "site-silent:A",
        "rule": "site-silent",
        "tier": "warning",
        "state": "open",
        "site_id": "A",
    }
    book.put("ring", "/spb-gd/", "440000", [facts])
    key = alert_id("ring", "site-silent:A")
    book.see(key, "duty-gd")
    book.see(key, "duty-gd")
    book.end(key, "duty-gd", "known")
    book.close()
    assert found == [["new"], ["seen"], ["closed"]]


def followed(app: FastAPI, service: Service, headers: dict[str, str], most: int) -> list[Any]:
    """Return the first events of a stream, as the person of the request's token follows it."""
    from changtong.api.people import gate

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/alerts/events", "headers": raw, "app": app,
             "query_string": b""}  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    request = Request(scope, receive)

    async def read() -> str:
        last = headers.get("Last-Event-ID", "")
        await gate(request)
        answer = await follow_alerts(request, request.state.caller, service, last, None)
        text = ""
        async for piece in answer.body_iterator:
            text += str(piece)
            if text.count("event: ") >= most:
                break
        return text

    return events_of(asyncio.run(asyncio.wait_for(read(), 20)))


def test_followed_from_where_one_was(
    watched: str, app: FastAPI, service: Service, tokens: dict[str, str]
) -> None:
    sees = (Scope(region="440000"),)
    every = service.alerts.since(0, sees)
    assert len(every) > 1
    headers = {"Authorization": f"Bearer {tokens['duty-gd']}", "Last-Event-ID": str(every[0].changed)}
    found = followed(app, service, headers, len(every) - 1)
    assert [(name, number) for name, number, _ in found] == [("alert", one.changed) for one in every[1:]]
    assert found[0][2]["id"] == every[1].id


def test_metrics_count_them(watched: str, duty: Client) -> None:
    assert 'changtong_alerts{handling="new"}' in duty("GET", "/metrics").text
