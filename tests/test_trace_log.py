"""A trace asked of an open log: Python and the command give the same answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from test_ingest import KEY, mapping, row, write

import changtong
from changtong.cli import main
from changtong.errors import NotFoundError, UsageError
from changtong.events.ingest import ingest
from changtong.events.keys import key_of, pseudonym
from changtong.events.log import EventLog, create_log, open_log
from changtong.events.times import moment_ms
from changtong.events.trace_log import BEFORE_DAYS, key_in_log
from changtong.events.tracing.trace_result import TABLES

LONG_KEY = KEY + bytes(16)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """Items at S1: OLD from 20 days before, A from the day before, B on the day, C after A left."""
    folder = tmp_path_factory.mktemp("trace")
    rows = [
        row("OLD", "收件", "S1", "2022-03-20 08:00:00"),
        row("A", "收件", "S1", "2022-04-08 08:00:00"),
        row("B", "收件", "S1", "2022-04-09 08:00:00"),
        row("A", "收件", "S1", "2022-04-09 11:00:00"),
        row("A", "收件", "S2", "2022-04-09 12:00:00"),
        row("C", "收件", "S1", "2022-04-09 13:00:00"),
        row("D", "收件", "S2", "2022-04-09 14:00:00"),
    ]
    bare = [line.replace("B1", "").replace("T1", "") for line in rows]
    made = create_log(folder / "LOG", key=LONG_KEY)
    ingest([write(folder / "a.csv", *bare)], made, mapping(), key=LONG_KEY)
    (folder / "log.key").write_text(LONG_KEY.hex())
    return open_log(folder / "LOG")


QUESTIONS = [
    ({"site": "S1", "start": "2022-04-09T00:00", "end": "2022-04-09T10:00"},
     ["--site", "S1", "--from", "2022-04-09T00:00", "--to", "2022-04-09T10:00"]),
    ({"item": "A", "steps": 1, "through": ["site"]}, ["--item", "A", "--steps", "1", "--through", "site"]),
    ({"item": "B", "backward": True, "end": "2022-04-09T09:00"},
     ["--item", "B", "--backward", "--to", "2022-04-09T09:00"]),
    ({"item": pseudonym(key_of(KEY, "A")), "linger_h": 30.0},
     ["--item", pseudonym(key_of(KEY, "A")), "--linger-h", "30"]),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "words"), QUESTIONS)
def test_python_and_command_agree(
    log: EventLog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    asked: dict[str, object],
    words: list[str],
) -> None:
    made = changtong.trace(log, **asked, key=LONG_KEY)  # type: ignore[arg-type]
    assert made.items.height > 1
    made.save(tmp_path / "python")
    key = str(log.path.parent / "log.key")
    assert main(["trace", str(log.path), *words, "--key", key, "-o", f"{tmp_path}/command", "--json"]) == 0
    for table in TABLES:
        one, other = (pl.read_csv(tmp_path / way / f"{table}.csv") for way in ("python", "command"))
        assert one.equals(other), table
    told = json.loads(capsys.readouterr().out)
    here = json.loads(made.to_json())
    assert told | {"runtime_s": 0} == here | {"runtime_s": 0}


def test_days_before_the_window_are_read_as_far_as_told(log: EventLog) -> None:
    asked = {"site": "S1", "end": "2022-04-09T10:00", "steps": 0}
    found = changtong.trace(log, start="2022-04-09T09:00", **asked)  # type: ignore[arg-type]
    assert set(found.items["item"]) == {key_of(KEY, one) for one in ("A", "B")}
    early = datetime(2022, 3, 20 + BEFORE_DAYS, 12, tzinfo=timezone(timedelta(hours=8)))
    found = changtong.trace(log, start=early, **asked)  # type: ignore[arg-type]
    assert set(found.items["item"]) == {key_of(KEY, one) for one in ("A", "B", "OLD")}


def test_a_trace_back_says_what_was_delivered_after_its_window(tmp_path: Path) -> None:
    """B lay with A on 9 April and was delivered on the 12th: it is not open. A, never seen again, is."""
    rows = [
        row("A", "收件", "S1", "2022-04-09 08:00:00"),
        row("B", "收件", "S1", "2022-04-09 08:30:00"),
        row("A", "收件", "S1", "2022-04-09 09:00:00"),
        row("B", "收件", "S1", "2022-04-09 09:30:00"),
        row("B", "签收", "S2", "2022-04-12 10:00:00"),
    ]
    bare = [line.replace("B1", "").replace("T1", "") for line in rows]
    made = create_log(tmp_path / "LOG", key=LONG_KEY)
    ingest([write(tmp_path / "a.csv", *bare)], made, mapping(), key=LONG_KEY)
    log = open_log(made.path)
    found = changtong.trace(log, item="A", end="2022-04-09T12:00", backward=True, steps=1, key=LONG_KEY)
    assert set(found.items["item"]) == {key_of(KEY, "A"), key_of(KEY, "B")}
    assert set(found.not_delivered["item"]) == {key_of(KEY, "A")}
    last = dict(found.items.select("item", "last_site_id").iter_rows())
    assert last[key_of(KEY, "B")] == "S2"


def test_a_window_with_an_offset_is_of_the_day_of_the_log(log: EventLog) -> None:
    """21:00 on 29 March, UTC, is 30 March in the log's zone, whose 10 days before hold 20 March."""
    found = changtong.trace(log, site="S1", start="2022-03-29T21:00Z", steps=0)
    assert key_of(KEY, "OLD") in set(found.items["item"])
    found = changtong.trace(log, site="S1", start="2022-03-31T05:00+08:00", steps=0)
    assert key_of(KEY, "OLD") not in set(found.items["item"])


def test_ids_need_the_key_and_numbers_do_not(log: EventLog) -> None:
    for item in (pseudonym(key_of(KEY, "A")), key_of(KEY, "A")):
        assert changtong.trace(log, item=item, steps=0).items["item"].to_list() == [key_of(KEY, "A")]
    assert key_in_log(log, "A", lambda: LONG_KEY) == key_of(KEY, "A")
    with pytest.raises(UsageError) as caught:
        changtong.trace(log, item="A")
    assert caught.value.code == "no-key"
    with pytest.raises(UsageError) as caught:
        changtong.trace(log, item="A", key=bytes(range(1, 33)))
    assert caught.value.code == "wrong-key"
    with pytest.raises(NotFoundError):
        changtong.trace(log, item="Z", key=LONG_KEY)


def test_wrong_questions(log: EventLog) -> None:
    for asked in ({}, {"site": "S1", "item": 1}, {"site": "S1", "start": "May"}, {"site": "S1", "steps": -1}):
        with pytest.raises(UsageError):
            changtong.trace(log, **asked)  # type: ignore[arg-type]


def test_instants(log: EventLog) -> None:
    assert (
        moment_ms(datetime(2022, 4, 1, tzinfo=UTC), log.zone)
        == moment_ms("2022-04-01T08:00", log.zone)
        == 1648771200000
    )
    berlin = EventLog(log.path, "Europe/Berlin", None, ())
    for text in ("2022-10-30T02:30", "2022-03-27T02:30"):
        with pytest.raises(UsageError) as caught:
            moment_ms(text, berlin.zone)
        assert caught.value.code == "ambiguous-time"
    assert moment_ms("2022-10-30T02:30+01:00", berlin.zone) == 1667093400000
