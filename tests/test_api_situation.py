"""What the live map asks for: a day's hours at once, items that wait, an item's way, what fits a network."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import polars as pl
import pytest
from alert_cases import instant
from api_cases import Client, app, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from log_cases import HOUR_MS, day_of, log_of, ring
from registers_cases import cheap_hashes

from changtong.api.forecast_days import ForecastDays
from changtong.api.log_items import track, waiting_items
from changtong.api.log_shelf import LogAbout
from changtong.api.service import Service
from changtong.events.engine import EVENT_COLUMNS
from changtong.events.keys import pseudonym

__all__ = ["app", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

Row = tuple[Any, ...]


def rows_of(*rows: Row) -> pl.DataFrame:
    """Return events from (hour, code, site, item, class, receptacle, event id, next site)."""
    names = ("hour", "code", "site_id", "item", "service_class", "receptacle", "event_id", "next_site_id")
    filled = [dict(zip(names, row, strict=False)) for row in rows]
    frame = pl.DataFrame([dict.fromkeys(names) | one for one in filled]).with_row_index("row_key")
    frame = frame.with_columns((instant(0) + pl.col("hour") * HOUR_MS).alias("at_ms"))
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )


WAITING = (
    (1, "accept", "A", 1, "express"),  # waits from 1 on, sorted at 5
    (5, "sort", "A", 1, "express"),
    (2, "accept", "A", 2, "express"),  # gone at 6
    (6, "depart", "A", 2, "express"),
    (1, "accept", "B", 3, "parcel"),
    (2, "depart", "B", 3, "parcel", None, None, "A"),
    (7, "arrive", "A", 3, "parcel"),  # waits from 7 on
    (1, "accept", "A", 4, "parcel"),
    (3, "deliver", "A", 4, "parcel"),
    (8, "sort", "A", 4, "parcel"),  # a stray after its end: not there
    (3, "accept", "A", 5, "express", None, "wrong"),
    (9, "void", "A", None, None, None, "wrong"),  # that scan was declared wrong
)


def test_those_that_wait_longest_come_first(tmp_path: Any) -> None:
    log = log_of(rows_of(*WAITING), tmp_path / "log")
    told = waiting_items(log, "A", day_of(0), 8)
    assert told["pieces"] == 2
    assert [(one["item"], one["since_ms"]) for one in told["items"]] == [
        (pseudonym(1), instant(0) + HOUR_MS), (pseudonym(3), instant(0) + 7 * HOUR_MS),
    ]  # fmt: skip
    assert told["items"][0]["code"] == "sort"
    assert {one["id"]: one["pieces"] for one in told["classes"]} == {"express": 1, "parcel": 1}
    assert [one["item"] for one in waiting_items(log, "A", day_of(0), 8, "parcel")["items"]] == [pseudonym(3)]
    assert waiting_items(log, "A", day_of(0), 4)["pieces"] == 2  # items 1 and 2
    assert waiting_items(log, "B", day_of(0), 8)["pieces"] == 0
    assert waiting_items(log, "A", day_of(40))["pieces"] == 0  # lost by then
    empty = waiting_items(log, "A", day_of(-90))
    assert (empty["pieces"], empty["items"], empty["classes"]) == (0, [], [])


def test_a_way_has_scans_and_stays_with_those_of_its_bag(tmp_path: Any) -> None:
    log = log_of(
        rows_of(
            (1, "accept", "A", 1, None), (2, "pack", "A", 1, None, 77), (3, "depart", "A", None, None, 77),
            (5, "arrive", "B", None, None, 77), (6, "unpack", "B", 1, None, 77), (9, "arrive", "C", 2, None),
            (4, "sort", "X", 1, None, None, "wrong"), (7, "void", "X", None, None, None, "wrong"),
        ),
        tmp_path / "log",
    )  # fmt: skip
    told = track(log, 1)
    assert [(one["code"], one["site_id"]) for one in told["scans"]] == [
        ("accept", "A"), ("pack", "A"), ("unpack", "B"),
    ]  # fmt: skip
    assert told["scans"][1]["receptacle"] == pseudonym(77)
    at = [(one["site_id"], one["from_ms"], one["to_ms"]) for one in told["stays"] if one["kind"] == "site"]
    hour = {k: instant(0) + k * HOUR_MS for k in range(8)}
    assert at == [("A", hour[1], hour[3]), ("B", hour[5], None)]  # left and came with its bag
    bags = [one for one in told["stays"] if one["kind"] == "receptacle"]
    assert [(one["container"], one["from_ms"], one["to_ms"]) for one in bags] == [
        (pseudonym(77), hour[2], hour[6])
    ]


@pytest.fixture(scope="module")
def day(service_and_tokens: tuple[Service, dict[str, str]]) -> date:
    """A log of Guangdong with a day without scans, and a day of it."""
    service = service_and_tokens[0]
    frame = ring(6).filter((pl.col("at_ms") < instant(1)) | (pl.col("at_ms") >= instant(2)))
    log_of(frame, service.shelf.log_folder("ring"))
    service.shelf.put(LogAbout("ring", "/spb-gd/", "440000", {"on": False}), "Asia/Shanghai", plain_ids=True)
    of_tiny = rows_of((1, "accept", "A", 1), (2, "accept", "B", 2), (3, "accept", "Z", 3))
    log_of(of_tiny, service.shelf.log_folder("tiny-log"))
    service.shelf.put(
        LogAbout("tiny-log", "/spb-gd/", "440000", {"on": False}), "Asia/Shanghai", plain_ids=True
    )
    return day_of(4)


def got(client: Client, place: str) -> Any:
    """Return an answer when it is made."""
    until = time.monotonic() + 120
    while (answer := client("GET", place)).status_code == 503 and time.monotonic() < until:
        assert answer.json()["code"] == "in-the-making"
    return answer


def test_all_hours_in_one_answer_are_those_of_each(day: date, duty: Client) -> None:
    told = got(duty, f"/api/v1/logs/ring/hours?day={day}").json()
    assert len(told["begin_ms"]) == len(told["sites"]["events"]) > 10
    for k, begin_ms in enumerate(told["begin_ms"]):
        hour = (begin_ms - told["first_ms"]) // HOUR_MS
        one = duty("GET", f"/api/v1/logs/ring/map?day={day}&hour={hour}").json()
        for name in ("events", "handled", "backlog", "late_share"):
            assert told["sites"][name][k] == one["sites"][name]
        of_hour = told["leg_hours"][k]
        ends = [(told["legs"]["from"][leg], told["legs"]["to"][leg]) for leg in of_hour["leg"]]
        assert ends == list(zip(one["legs"]["from"], one["legs"]["to"], strict=True))
        assert one["legs"]["pieces"] == of_hour["pieces"]
    moved = [0] * len(told["legs"]["pieces"])
    for of_hour in told["leg_hours"]:
        for leg, pieces in zip(of_hour["leg"], of_hour["pieces"], strict=True):
            moved[leg] += pieces
    assert moved == told["legs"]["pieces"]


def test_as_many_wait_as_the_backlog_counts(day: date, duty: Client) -> None:
    told = got(duty, f"/api/v1/logs/ring/map?day={day}&hour=15").json()
    for site, backlog in list(zip(told["sites"]["id"], told["sites"]["backlog"], strict=True))[:5]:
        waiting = duty("GET", f"/api/v1/logs/ring/waiting?site_id={site}&day={day}&hour=15").json()
        assert waiting["pieces"] == backlog, site
        since = [one["since_ms"] for one in waiting["items"]]
        assert since == sorted(since)


def test_items_need_a_right_and_a_way_goes_on_record(
    day: date, duty: Client, app: FastAPI, tokens: dict[str, str]
) -> None:
    place = f"/api/v1/logs/ring/waiting?site_id=S00&day={day}"
    looker, other = Client(app, token=tokens["looker-gd"]), Client(app, token=tokens["duty-bj"])
    assert (looker("GET", place).status_code, other("GET", place).status_code) == (403, 404)
    item = duty("GET", place).json()["items"][0]["item"]
    way = "/api/v1/logs/ring/items/track"
    assert duty("POST", way, json={"item": item}).status_code == 422
    told = duty("POST", way, json={"item": item, "reason": "waits too long"})
    assert told.status_code == 200, told.text
    assert told.json()["scans"]
    assert looker("POST", way, json={"item": item, "reason": "curious"}).status_code == 403


def test_logs_that_fit_a_network_come_first_with_their_gaps(
    day: date, duty: Client, app: FastAPI, tokens: dict[str, str]
) -> None:
    told = duty("GET", "/api/v1/networks/tiny/logs").json()["logs"]
    assert [(one["id"], one["fits"], one["may_change"]) for one in told] == [
        ("tiny-log", 0.6667, True), ("ring", 0.0, True),
    ]  # fmt: skip
    assert told[1]["days_without"] == [day_of(1).isoformat()]
    looker = Client(app, token=tokens["looker-gd"])("GET", "/api/v1/networks/tiny/logs").json()["logs"]
    assert {one["may_change"] for one in looker} == {False}
    assert Client(app, token=tokens["duty-bj"])("GET", "/api/v1/networks/tiny/logs").json()["logs"] == []
    assert duty("GET", "/api/v1/networks/none/logs").status_code == 404
    assert duty("GET", "/api/v1/networks/tiny/forecasts").json() == {"forecasts": []}


def test_a_forecast_is_told_day_by_day_with_its_interval() -> None:
    names = ("kind", "from_site", "to_site", "site", "date", "pieces", "low_pieces", "high_pieces")
    rows = [
        ("leg", "A", "B", None, "2026-01-02", 10.0, 8.0, 13.0),
        ("site", None, "B", "B", "2026-01-02", 10.0, 7.5, 14.0),
        ("site", "A", None, "A", "2026-01-02", 10.0, 7.0, 15.0),
        ("total", None, None, None, "2026-01-02", 10.0, 8.0, 12.0),
        ("leg", "A", "B", None, "2026-01-03", 11.0, 9.0, 14.0),
    ]
    import gzip
    import json

    days = ForecastDays(pl.DataFrame(rows, schema=dict.fromkeys(names[:5], pl.String)
                                     | dict.fromkeys(names[5:], pl.Float64), orient="row"))  # fmt: skip
    assert list(days.parts) == ["2026-01-02", "2026-01-03"]
    assert json.loads(gzip.decompress(days.parts["2026-01-02"])) == {
        "day": "2026-01-02",
        "sites": {"id": ["A", "B"], "pieces": [None, 10.0], "low": [None, 7.5], "high": [None, 14.0]},
        "legs": {"from": [0], "to": [1], "pieces": [10.0], "low": [8.0], "high": [13.0]},
        "total": {"pieces": 10.0, "low": 8.0, "high": 12.0},
    }
    assert days.sites == {"A", "B"}
