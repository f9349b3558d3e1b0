"""A data folder with a live picture of the tiny network: scans of nine days, an alert, a forecast."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
from api_cases import fill_folder
from log_cases import HOUR_MS, log_of

from changtong.api.alert_book import AlertBook
from changtong.api.data_folder import DataFolder
from changtong.api.dataset_book import DatasetBook
from changtong.api.log_shelf import LogAbout, LogShelf
from changtong.api.run_book import NewRun, RunBook
from changtong.events.engine import EVENT_COLUMNS
from changtong.events.log import write_json

ZONE = ZoneInfo("Asia/Shanghai")
DAYS, GAP = 9, 3
"""Days of the log, and which of them has no scan."""

PIECES = 30
ENDS_AT = 10
"""Hour of the last day after which nothing came yet."""


def scans(first: date) -> pl.DataFrame:
    """Return scans: each day pieces go from A over H1 to C, a minute apart; on the last day twice as many.

    A piece is accepted at 8:00, departs at 9:00, and is at H1 from 12:00 to 20:00; every tenth stays at A.
    """
    steps = ((8, "accept", "A"), (9, "depart", "A"), (12, "arrive", "H1"), (20, "depart", "H1"),
             (23, "arrive", "C"), (23.5, "deliver", "C"))  # fmt: skip
    rows = []
    for day in range(DAYS):
        if day == GAP:
            continue
        begin = datetime.combine(first + timedelta(days=day), datetime.min.time(), ZONE).timestamp() * 1000
        for piece in range(PIECES * (2 if day == DAYS - 1 else 1)):
            item = 1_000_000 * (day + 1) + piece
            stays = piece % 10 == 9
            for hour, code, site in steps[:1] if stays else steps:
                if day == DAYS - 1 and hour > ENDS_AT:
                    break
                at_ms = round(begin + hour * HOUR_MS + piece * 10_000)
                rows.append((at_ms, code, site, item, "express" if piece % 3 else "parcel"))
    frame = pl.DataFrame(
        rows, schema=["at_ms", "code", "site_id", "item", "service_class"], orient="row"
    ).with_row_index("row_key")
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )


def fill_live(path: Path, today: date) -> tuple[dict[str, str], str]:
    """Fill a data folder whose log `live` ends on a day; return the tokens and the id of the alert."""
    tokens = fill_folder(path)
    folder = DataFolder(path)
    for name in ("logs", "datasets", "runs", "keys", "intake"):
        (path / name).mkdir(exist_ok=True)
    datasets, alerts, runs = (
        DatasetBook(folder.dataset_book), AlertBook(folder.alert_book), RunBook(folder.run_book)
    )  # fmt: skip
    shelf = LogShelf(folder, datasets)
    frame = scans(today - timedelta(days=DAYS - 1))
    log_of(frame, shelf.log_folder("live"))
    batch = shelf.log_folder("live") / "batches" / "b000001.json"
    told = json.loads(batch.read_text("utf-8"))
    write_json(batch, told | {"last_ms": frame["at_ms"].max()})
    shelf.put(LogAbout("live", "/spb-gd/", "440000", {"on": False}), "Asia/Shanghai", plain_ids=True)
    began = datetime.combine(today, datetime.min.time(), ZONE).isoformat()
    fact = {
        "alert_id": "backlog-rising:A", "rule": "backlog-rising", "tier": "warning", "state": "confirmed",
        "site_id": "A", "from_site_id": None, "to_site_id": None, "began": began,
        "value": 30.0, "expected": 3.0,
        "evidence_zh": "甲县积压 30 件，正常为 3 件。", "evidence_en": "30 wait at A, 3 are normal.",
    }  # fmt: skip
    alerts.put("live", "/spb-gd/", "440000", [fact])
    alert = alerts.since(0, [_all()])[0].id
    _forecast(runs, folder, today)
    for book in (datasets, alerts, runs):
        book.engine.dispose()
    return tokens, alert


def _all() -> object:
    from changtong.rights.scope import Scope

    return Scope()


def _forecast(runs: RunBook, folder: DataFolder, today: date) -> None:
    """Enter a run that has made a forecast of two days ahead."""
    run, _ = runs.add(NewRun("duty-gd", "/spb-gd/", "440000", "forecast", {"volumes": "made"}))
    runs.begin(run.id, "server")
    lines = ["kind,from_site,to_site,site,date,pieces,low_pieces,high_pieces"]
    for ahead in (1, 2):
        day = today + timedelta(days=ahead)
        lines += [f"leg,A,H1,,{day},40,30,50", f"site,,H1,H1,{day},40,32,49", f"total,,,,{day},40,31,52"]
    place = folder.run(run.id)
    place.mkdir(parents=True)
    (place / "forecast.csv").write_text("﻿" + "\n".join(lines) + "\n", "utf-8")
    runs.end(run.id, "done", worker="server", outcome={"files": {"forecast.csv": 1}, "summary": {}})
