"""Leg-day volumes of a log in alerts and in learning: where scans are missing, alone, never mixed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from alert_cases import LEGS, MONDAY, steady, volumes
from log_cases import day_of, log_of, ring
from network_cases import tables_equal
from polars.testing import assert_frame_equal

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.events.alerts.leg_day_moves import moves_of
from changtong.events.alerts.leg_watch import watch_volumes
from changtong.events.alerts.log_series import series_of
from changtong.events.alerts.log_state import LogState, read_log_state
from changtong.events.alerts.log_watch import watch_log
from changtong.events.alerts.result import merge_alerts
from changtong.events.ingest import ingest
from changtong.events.learn_scans import learn_from_leg_days
from changtong.events.leg_days import leg_days, leg_mapping
from changtong.events.log import EventLog, create_log, open_log
from changtong.network.io import read_network
from changtong.network.learn import learn_network


def collapsed(day: int, leg: tuple[str, str]) -> float:
    return 3.0 if leg == LEGS[0] and day in (20, 21, 22) else steady(day, leg)


def given(log: EventLog, frame: pl.DataFrame, folder: Path) -> EventLog:
    file = folder / "given.csv"
    frame.write_csv(file)
    ingest([file], log, leg_mapping(), file_format="leg-days")
    return open_log(log.path)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """A log of leg-day volumes alone."""
    folder = tmp_path_factory.mktemp("told")
    return given(create_log(folder / "LOG"), volumes(26, collapsed), folder)


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("alert_id", "covered_by").sort("rule", "site_id", "from_site_id", "found")


def test_a_log_of_leg_days_alone_is_watched_as_their_file_is(told: EventLog) -> None:
    found = watch_log(told, until=day_of(26))
    expected = watch_volumes(volumes(26, collapsed), until=day_of(26))
    assert_frame_equal(plain(found.frame), plain(expected.frame))
    assert "leg-collapse" in found.frame["rule"].to_list()
    assert (found.periods, found.unknown_periods) == (26, 0)
    assert f"{26 * len(LEGS):,} legs and days by given volumes: no scan of the leg on the day." in found.notes


def test_day_by_day_is_as_at_once(told: EventLog, tmp_path: Path) -> None:
    whole = watch_log(told, until=day_of(26))
    state, frame = None, None
    for k in range(18, 27):
        part = watch_log(told, state, until=day_of(k))
        assert part.log_state is not None
        state = read_log_state(part.log_state.save(tmp_path / "state.json"))
        frame = part.frame if frame is None else merge_alerts(frame, part.frame)
    assert frame is not None
    assert_frame_equal(frame.sort("alert_id"), whole.frame.sort("alert_id"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """A ring whose scanners at S04 fail on days 18 and 19, while its operator says what S04 moved."""
    folder = tmp_path_factory.mktemp("both")
    log = log_of(ring(26), folder / "LOG")
    seen = series_of(log, MONDAY, day_of(17)).volumes.cast({"pieces": pl.Float64})
    week = seen.filter(pl.col("date").is_between(day_of(11), day_of(12)))
    return given(log, week.with_columns(pl.col("date") + timedelta(days=7)), folder)


def silent(log: EventLog, use: str) -> list[tuple[str, str]]:
    frame = watch_log(log, until=day_of(26), leg_days=use).frame
    found = frame.filter((pl.col("rule") == "site-silent") & (pl.col("site_id") == "S04"))
    return list(
        found.select(pl.col("alert_id").str.starts_with("moved:"), "site_id").sort("alert_id").iter_rows()
    )


def test_given_figures_speak_for_legs_without_scans_and_scans_for_themselves(both: EventLog) -> None:
    assert silent(both, "scans") == [(False, "S04"), (True, "S04")]
    assert silent(both, "fill") == [(False, "S04")]  # its scanners were silent; its legs were not
    notes = watch_log(both, until=day_of(26)).notes
    assert any("no scan of the leg on the day" in note for note in notes)
    assert any("have scans and a given figure" in note and "the scans were taken" in note for note in notes)


def test_one_leg_and_day_has_one_source() -> None:
    row = {"date": [day_of(1), day_of(1)], "from_site": ["A", "A"], "to_site": ["B", "C"]}
    seen = pl.DataFrame({**row, "pieces": [10, 20]})
    figures = pl.DataFrame({**row, "pieces": [11.0, 0.0]}).with_columns(to_site=pl.Series(["B", "D"]))
    fill = moves_of(seen, figures, "fill")
    assert fill.moves["pieces"].to_list() == [10.0, 20.0, 0.0]
    assert (fill.given, fill.both, fill.seen_pieces, fill.told_pieces) == (1, 1, 10.0, 11.0)
    assert moves_of(seen, figures, "given").moves["pieces"].to_list() == [11.0, 0.0]
    assert moves_of(seen, figures, "scans").given == 0


def test_a_state_of_another_use_is_refused(told: EventLog) -> None:
    state = watch_log(told, until=day_of(20)).log_state
    assert isinstance(state, LogState)
    with pytest.raises(UsageError, match="begin without a state"):
        watch_log(told, state, until=day_of(21), leg_days="given")
    with pytest.raises(UsageError, match="expected fill"):
        watch_log(told, until=day_of(21), leg_days="both")


def test_given_alone_needs_figures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no leg-day volumes"):
        watch_log(create_log(tmp_path / "LOG"), until=day_of(3), leg_days="given")
    with pytest.raises(InputError, match="no leg-day volumes"):
        learn_from_leg_days(open_log(tmp_path / "LOG"))


def test_a_network_is_learned_as_from_the_file(told: EventLog, tmp_path: Path) -> None:
    file = tmp_path / "volumes.csv"
    leg_days(told).write_csv(file)
    expected = learn_network(file, until=day_of(20))
    tables_equal(learn_from_leg_days(told, until=day_of(20)), expected)
    for k, more in enumerate(([], ["--leg-days"])):  # a log without scans leaves no choice
        net = tmp_path / f"N{k}"
        assert (
            main(["learn", "--events", str(told.path), "-o", str(net), "--until", str(day_of(20)), *more])
            == 0
        )
        assert read_network(net).legs.equals(expected.legs)
    assert main(["learn", str(file), "--leg-days", "-o", str(tmp_path / "N")]) == 2


def test_scans_are_learned_from_where_there_are_any(both: EventLog, tmp_path: Path) -> None:
    net = tmp_path / "NET"
    assert main(["learn", "--events", str(both.path), "-o", str(net), "--until", str(day_of(10))]) == 0
    assert read_network(net).sort_plan is not None
    assert main(["learn", "--events", str(both.path), "-o", str(net), "--leg-days"]) == 0
    assert read_network(net).sort_plan is None


def test_the_command_says_what_was_used(
    told: EventLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.json"
    words = ["alerts", str(told.path), "--state", str(state), "--json", "--until"]
    assert main([*words, str(day_of(24)), "--leg-days", "given"]) == 0
    assert any("these alone were watched" in note for note in json.loads(capsys.readouterr().out)["notes"])
    assert main([*words, str(day_of(25))]) == 0  # goes on as the state was made
    assert main([*words, str(day_of(26)), "--leg-days", "scans"]) == 2
