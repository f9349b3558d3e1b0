"""The doorway to analyses of a scan log: the same results as called directly, kept with what made them."""

from __future__ import annotations

import json
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from log_cases import log_of
from network_cases import TINY
from polars.testing import assert_frame_equal
from scan_cases import SITES, ZONE, tiny_log

from changtong.errors import NotFoundError, UsageError
from changtong.events.engine import open_duckdb
from changtong.events.indicators import indicators
from changtong.events.leg_days import leg_days, leg_mapping
from changtong.events.log import EventLog, log_digest, open_log
from changtong.network.io import read_network
from changtong.outages import close_sites
from changtong.studies import KINDS, run_study

DAY = date(2022, 5, 6)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return log_of(tiny_log(), tmp_path_factory.mktemp("log") / "LOG", SITES)


def facts(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "study.json").read_text("utf-8"))
    return found


def test_indicators_through_the_door_are_those_computed_directly(log: EventLog, tmp_path: Path) -> None:
    study = run_study("indicators", log, folder=tmp_path / "I", day=DAY)
    assert_frame_equal(study.result.values, indicators(open_duckdb(log.files(), log.sites), DAY).values)
    kept = facts(tmp_path / "I")
    assert (kept["study"], kept["log"], kept["rows"]) == ("indicators", "LOG", log.rows)
    assert kept["days"] == ["2022-05-02", "2022-05-07"]
    assert kept["input_digest"] == study.input_digest == log_digest(log)
    assert (tmp_path / "I" / "indicators.json").is_file()
    again = run_study("indicators", log, folder=tmp_path / "I", day=DAY)  # replaces what it wrote itself
    assert again.input_digest == study.input_digest


def test_the_report_stands_in_its_file_and_the_indicators_in_a_folder(log: EventLog, tmp_path: Path) -> None:
    file = tmp_path / "day.html"
    study = run_study("daily-report", log, folder=tmp_path / "I", language="en", day=DAY, file=file)
    assert '<html lang="en"' in file.read_text("utf-8")
    assert study.folder == tmp_path / "I"
    assert run_study("daily-report", log, day=DAY, file=tmp_path / "day2.html").folder is None


def test_a_trace_and_alerts_through_the_door(log: EventLog, tmp_path: Path) -> None:
    traced = run_study("trace", log, folder=tmp_path / "T", site="B1", steps=1)
    assert traced.result.items.height > 0
    assert facts(tmp_path / "T")["study"] == "trace"
    watched = run_study("alerts", log, folder=tmp_path / "A", until=date(2022, 5, 8))
    assert watched.result.periods == 6
    assert (tmp_path / "A" / "alerts.csv").is_file()


def test_an_ingest_changes_what_the_digest_says(tmp_path: Path) -> None:
    log = log_of(tiny_log(), tmp_path / "LOG")
    file = tmp_path / "v.csv"
    file.write_text("date,from_site,to_site,pieces\n2022-05-06,A1,A2,7\n", "utf-8")
    before = log_digest(log)
    study = run_study("ingest", log, files=[file], mapping=leg_mapping(), file_format="leg-days")
    assert study.result.total("rows_added") == 1
    assert study.input_digest == log_digest(open_log(log.path)) != before
    assert leg_days(open_log(log.path))["pieces"].to_list() == [7.0]


def test_a_backlog_through_the_door(log: EventLog, tmp_path: Path) -> None:
    at = datetime(2022, 5, 7, tzinfo=ZONE)
    study = run_study("starting-backlog", log, folder=tmp_path / "B", network=read_network(TINY), at=at)
    assert study.result.waiting_pieces == 2  # as test_indicators counts the end of 6 May
    kept = pl.read_csv(tmp_path / "B" / "backlog.csv")
    assert kept.columns == ["site", "destination", "service_class", "pieces", "arrives_h"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.analyses)
def test_each_analysis_is_where_the_doorway_looks_for_it(kind: Any) -> None:
    module, _, name = kind.analyses.partition(":")
    assert tuple(getattr(import_module(module), name)) == kind.names
    module, _, name = kind.subject.partition(":")
    subject = getattr(import_module(module), name)
    assert kind.fits(subject.__new__(subject))


def test_analyses_and_what_they_are_of_are_not_mixed_up(log: EventLog) -> None:
    network = read_network(TINY)
    names = [name for kind in KINDS for name in kind.names]
    assert len(set(names)) == len(names)
    with pytest.raises(UsageError, match="of a network"):
        run_study("plan", log)
    with pytest.raises(UsageError, match="of a scan log"):
        run_study("indicators", network, day=DAY)
    with pytest.raises(UsageError, match="no outages"):
        run_study("indicators", log, close_sites(network, ["H1"]), day=DAY)
    with pytest.raises(UsageError, match="no outages"):
        run_study("indicators", log, day=DAY, seed=3)
    with pytest.raises(NotFoundError, match="starting-backlog"):
        run_study("weather", network)
    with pytest.raises(UsageError, match="engine"):
        run_study("indicators", log, day=DAY, engine="abacus")
