"""Series and alerts from the scan log: by hand, by brute force, day by day as at once, by command."""

from __future__ import annotations

import json
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from alert_cases import on, steady, volumes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from log_cases import SITES, day_of, instant, log_of, ring
from polars.testing import assert_frame_equal
from scan_cases import SITES as TINY_SITES
from scan_cases import ZONE, epoch_ms, make_log, tiny_log

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.events.alerts.log_series import LogSeries, series_of
from changtong.events.alerts.log_state import LogState, read_log_state
from changtong.events.alerts.log_watch import watch_log
from changtong.events.alerts.result import merge_alerts
from changtong.events.engine import open_duckdb
from changtong.events.indicators import indicators, sql_text
from changtong.events.log import EventLog, create_log, open_log

DAY = date(2022, 5, 6)
COLUMNS = ("site_id", "scans", "handled_pieces", "backlog_pieces", "dwell_median_h", "late_share")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    return log_of(tiny_log(), tmp_path_factory.mktemp("tiny") / "LOG", TINY_SITES)


# series, by hand


def test_a_day_counted_by_hand(tiny: EventLog) -> None:
    made = series_of(tiny, DAY, DAY, promise_h=24.0, least_pieces=1)
    assert made.series["begin_ms"].unique().to_list() == [epoch_ms("05-06T00:00")]
    assert made.series.select(COLUMNS).rows() == [
        # 3 goes after 6 h, 7 is seen elsewhere after its only scan here, 4 and 6 wait, 8 only ends here
        ("A1", 8, 2, 2, 0.0, 0.0),
        # a bag; item 2 has waited since 3 May
        ("A2", 1, 0, 1, None, None),
        # 9 is cancelled after 1 h, 7 goes after 2, 8 is seen elsewhere after 11, 1 goes after 18; of these 1
        # and 8 were accepted more than 24 h before, 7 exactly 24
        ("B1", 6, 4, 0, 2.0, 0.5),
    ]
    assert made.volumes.rows() == [(DAY, "A1", "B1", 1), (DAY, "B1", "A1", 1)]
    assert made.unlisted_sites == 0
    # a median of two pieces says little
    few = series_of(tiny, DAY, DAY, least_pieces=3).series.select(COLUMNS).rows()
    assert few == [
        ("A1", 8, 2, 2, None, None),
        ("A2", 1, 0, 1, None, None),
        ("B1", 6, 4, 0, 2.0, 0.0),
    ]
    # on the next day item 6 is declared wrong
    later = series_of(tiny, DAY, DAY + timedelta(days=1), least_pieces=1).series.filter(
        (pl.col("site_id") == "A1") & (pl.col("begin_ms") == epoch_ms("05-06T00:00"))
    )
    assert later.select(COLUMNS).rows() == [("A1", 7, 2, 1, 0.0, 0.0)]


def test_an_hour_counted_by_hand(tiny: EventLog) -> None:
    made = series_of(tiny, DAY, DAY, hours=1, least_pieces=1)
    rows = made.series.filter(pl.col("site_id") == "B1").select("begin_ms", *COLUMNS[1:5]).rows()
    assert rows == [
        # items 1, 7 and 8
        (epoch_ms("05-06T07:00"), 1, 0, 3, None),
        (epoch_ms("05-06T08:00"), 1, 1, 2, 18.0),
        (epoch_ms("05-06T09:00"), 1, 1, 1, 2.0),
        # item 8 is delivered at A1
        (epoch_ms("05-06T10:00"), 0, 1, 0, 11.0),
        (epoch_ms("05-06T11:00"), 2, 0, 1, None),
        (epoch_ms("05-06T12:00"), 1, 1, 0, 1.0),
    ]
    ends = ("from_site", "to_site")
    of_day = made.hourly.group_by(ends).agg(pl.col("pieces").sum()).sort(ends)
    assert of_day.rows() == made.volumes.drop("date").rows() != []
    # an hour in which nobody scanned says nothing of what waits
    assert epoch_ms("05-06T14:00") not in made.series["begin_ms"].to_list()


def test_backlog_and_dwell_are_those_of_the_indicators(tmp_path: Path) -> None:
    log = log_of(ring(6), tmp_path / "LOG")
    day = day_of(4)
    made = series_of(log, day, day).series
    found = indicators(open_duckdb(log.files()), day, year_before=False).values.filter(
        (pl.col("dimension") == "site") & pl.col("hour").is_null()
    )
    for name, column in (("backlog_pieces", "backlog_pieces"), ("dwell_p50_h", "dwell_median_h")):
        other = found.filter(pl.col("indicator") == name).select(site_id="member", value="value")
        both = made.join(other, on="site_id")
        assert both.height == len(SITES)
        assert both[column].cast(pl.Float64).to_list() == both["value"].to_list()


def test_a_piece_not_seen_for_the_look_back_is_lost(tmp_path: Path) -> None:
    rows = [(1, epoch_ms("05-01T12:00"), "accept", "A", None)]
    rows += [(0, epoch_ms(f"05-{day:02}T13:00"), "load", "B", None) for day in range(1, 9)]
    log = log_of(make_log(rows), tmp_path / "LOG")
    made = series_of(log, date(2022, 5, 1), date(2022, 5, 8), look_back_days=3).series
    waits = made.filter(pl.col("site_id") == "A")
    assert waits["begin_ms"].to_list() == [epoch_ms(f"05-{day:02}T00:00") for day in (1, 2, 3)]


def test_days_of_a_zone_with_summer_time(tmp_path: Path) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    times = [datetime(2023, 3, 25, 23, 30, tzinfo=berlin) + timedelta(hours=k) for k in (0, 25, 48)]
    rows = [(k + 1, round(at.timestamp() * 1000), "accept", "A", None) for k, at in enumerate(times)]
    log = log_of(make_log(rows), tmp_path / "LOG", zone="Europe/Berlin")
    made = series_of(log, date(2023, 3, 25), date(2023, 3, 27)).series
    begins = [datetime(2023, 3, day, tzinfo=berlin).timestamp() * 1000 for day in (25, 27)]
    assert made["begin_ms"].to_list() == begins
    assert made["scans"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"hours": 2}, "1 or 24"),
        ({"look_back_days": 0}, "between 1 and 90"),
        ({"promise_h": 0.0}, "promise"),
        ({"least_pieces": 0}, "1 at least"),
        ({"promise_h": float("nan")}, "promise"),
        ({"first_day": date(2022, 5, 7)}, "before the first"),
        ({"first_day": date(2021, 5, 7)}, "in parts"),
    ],
)
def test_options_that_cannot_be_meant(tiny: EventLog, more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        series_of(tiny, **{"first_day": DAY, "last_day": DAY, **more})


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    log = log_of(tiny_log(), tmp_path / "LOG")
    log.files()[2].write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="unreadable-file"):
        series_of(log, DAY, DAY)


# series, by brute force

NUMBERS = {
    code: number
    for number, code in enumerate(
        ["accept", "register", "inspect", "screen", "arrive", "unload", "receive", "unpack", "customs_in",
         "customs_out", "sort", "hold", "release", "pack", "load", "depart", "out_for_delivery", "attempt",
         "return", "deliver", "cancel"], 1,
    )
}  # fmt: skip
AWAY, ENDS = {"depart", "out_for_delivery", "deliver", "cancel"}, {"deliver", "cancel"}
CODES = ("accept", "arrive", "sort", "depart", "out_for_delivery", "attempt", "deliver", "cancel", "note")
PLACES = ("A", "B", "C")
FIRST = date(2022, 5, 1)
RANDOM_DAYS = 9
scan = st.tuples(
    st.integers(1, 8), st.integers(0, RANDOM_DAYS * 24 - 1), st.sampled_from(CODES), st.sampled_from(PLACES)
)


def brute(
    rows: list[tuple[int, int, str, str]], span_h: int, promise_h: int, least: int
) -> tuple[dict, dict]:
    """Return measures by (day, site) and moves by (day, from, to); hours count from the first midnight."""
    measures: dict[tuple[int, str], dict[str, Any]] = {}
    moves: dict[tuple[int, str, str], int] = {}
    stays: dict[tuple[int, str], list[int]] = {}
    late: dict[tuple[int, str], list[bool]] = {}

    def at(day: int, site: str) -> dict[str, Any]:
        return measures.setdefault((day, site), {"scans": 0, "handled": 0, "backlog": 0})

    for _, hour, _, site in rows:
        at(hour // 24, site)["scans"] += 1
    for item in {row[0] for row in rows}:
        story = sorted(
            (hour, NUMBERS[code], PLACES.index(site), code, site)
            for one, hour, code, site in rows
            if one == item and code != "note"
        )

        def gap_in_span(a: tuple, b: tuple) -> bool:
            """Times are compared with code and site behind them, as the packed ones are."""
            return (b[0] - a[0], b[1:3]) <= (span_h, a[1:3])

        def ended(k: int, story: list = story, in_span: Any = gap_in_span) -> bool:
            before = [row for row in story[:k] if row[3] in ENDS]
            return bool(before) and in_span(before[-1], story[k])

        def follows(k: int, story: list = story, in_span: Any = gap_in_span) -> bool:
            return k > 0 and in_span(story[k - 1], story[k]) and story[k - 1][3] not in ENDS

        for k, (hour, _, _, code, site) in enumerate(story):
            later = story[k + 1] if k + 1 < len(story) else None
            stays_on = follows(k) and story[k - 1][4] == site
            start = k
            while follows(start) and story[start - 1][4] == site:
                start -= 1
            known = None
            if code in AWAY:
                held = stays_on and story[k - 1][3] not in AWAY and not ended(k - 1)
                if held or (not stays_on and not ended(k) and code not in ENDS):
                    known = hour
            elif not ended(k):
                end = hour + span_h
                if later is not None and gap_in_span(story[k], later):
                    end = later[0]
                    known = later[0] if later[4] != site else None
                for day in range(hour // 24, RANDOM_DAYS):
                    if hour < 24 * (day + 1) <= end:
                        at(day, site)["backlog"] += 1
            if known is not None and known // 24 < RANDOM_DAYS:
                key = known // 24, site
                at(*key)["handled"] += 1
                stays.setdefault(key, []).append(max(0, hour - max(story[start][0], known - span_h)))
                accepts = [row[0] for row in story[: k + 1] if row[3] == "accept"]
                if accepts and accepts[-1] >= known - 2 * span_h:
                    late.setdefault(key, []).append(hour - accepts[-1] > promise_h)
            if follows(k) and story[k - 1][4] != site and not ended(k):
                move = hour // 24, story[k - 1][4], site
                moves[move] = moves.get(move, 0) + 1
    known_days = {hour // 24 for _, hour, _, _ in rows}
    for key, row in measures.items():
        lengths = sorted(stays.get(key, []))
        row["dwell"] = float(lengths[(len(lengths) - 1) // 2]) if len(lengths) >= least else None
        judged = late.get(key, [])
        row["late"] = sum(judged) / len(judged) if len(judged) >= least else None
    return {
        key: row for key, row in measures.items()
        if key[0] in known_days and (row["scans"] or row["handled"] or row["backlog"])
    }, moves  # fmt: skip


@given(st.lists(scan, min_size=1, max_size=70), st.integers(1, 2), st.integers(20, 48), st.integers(1, 2))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_logs_by_brute_force_and_a_day_alone_as_among_others(
    rows: list[tuple[int, int, str, str]], look_back: int, promise_h: int, least: int
) -> None:
    begin = epoch_ms("05-01T00:00")
    unique = list(dict.fromkeys(rows))
    with tempfile.TemporaryDirectory() as folder:
        log = log_of(
            make_log([(i, begin + 3_600_000 * h, code, site, None) for i, h, code, site in unique]),
            Path(folder) / "LOG",
        )

        def made(first: int, last: int) -> LogSeries:
            days = (FIRST + timedelta(days=k) for k in (first, last))
            return series_of(log, *days, look_back_days=look_back, promise_h=promise_h, least_pieces=least)

        whole = made(0, RANDOM_DAYS - 1)
        alone = [made(day, day) for day in (2, 5, RANDOM_DAYS - 1)]
    measures, moves = brute(unique, 24 * look_back, promise_h, least)
    seen = {
        ((begin_ms - begin) // 86_400_000, site): {
            "scans": scans, "handled": handled, "backlog": backlog, "dwell": dwell, "late": late,
        }
        for site, begin_ms, scans, handled, backlog, dwell, late in whole.series.iter_rows()
    }  # fmt: skip
    assert seen == measures
    assert {((day - FIRST).days, a, b): n for day, a, b, n in whole.volumes.iter_rows()} == moves
    for part in alone:
        for one, all_of_it, key in (
            (part.series, whole.series, "begin_ms"),
            (part.volumes, whole.volumes, "date"),
        ):
            days = one[key].unique().to_list()
            assert_frame_equal(one, all_of_it.filter(pl.col(key).is_in(days)))


def test_codes_are_those_of_the_sql() -> None:
    listed = open_duckdb([]).query(sql_text("codes"))
    assert dict(listed.select("code", "code_no").iter_rows()) == NUMBERS
    assert set(listed.filter(pl.col("away") == 1)["code"]) == AWAY


# alerts


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """A ring of which S04 is shut on its days 18 and 19."""
    return log_of(ring(26), tmp_path_factory.mktemp("shut") / "LOG", pl.DataFrame({"site_id": SITES}))


def test_a_shut_site_is_found_on_the_day_and_restored(shut: EventLog) -> None:
    found = watch_log(shut, until=day_of(26))
    days = [pl.col(name).dt.date() for name in ("found", "warned", "restored")]
    warned = found.frame.filter(pl.col("warned").is_not_null()).with_columns(days)
    silent = warned.filter((pl.col("rule") == "site-silent") & ~pl.col("alert_id").str.starts_with("moved:"))
    assert silent.select("site_id", "state", "found", "warned", "restored").rows() == [
        ("S04", "restored", on(18), on(18), on(20))
    ]
    assert set(warned["site_id"].drop_nulls()) == {"S04"}
    assert found.open.height == 0
    moved = found.frame.filter(
        (pl.col("rule") == "site-silent") & pl.col("alert_id").str.starts_with("moved:")
    )
    assert moved.select("site_id", "covered_by", "state").rows() == [
        ("S04", silent["alert_id"][0], "restored")
    ]
    assert found.unknown_periods == 0
    assert found.periods == 26


def test_hours_find_it_within_hours(shut: EventLog) -> None:
    found = watch_log(shut, until=day_of(20), hours=1)
    silent = found.frame.filter((pl.col("rule") == "hour-silent") & pl.col("warned").is_not_null())
    assert silent["site_id"].to_list() == ["S04"]
    late = silent["warned"][0] - datetime(2023, 3, 17, tzinfo=ZONE)
    assert timedelta(0) <= late <= timedelta(hours=20)


def ran(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["alerts", *map(str, arguments)])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out, said.err


def saved(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "alerts.csv", infer_schema=False)


@pytest.mark.parametrize(
    "more", [(), pytest.param(("--hourly", "--look-back", "5", "--promise-h", "48"), marks=pytest.mark.slow)]
)
def test_day_by_day_is_as_at_once(
    shut: EventLog, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    once, state = tmp_path / "once", tmp_path / "state.json"
    until = day_of(23)
    assert ran(capsys, shut.path, "--until", until, "-o", once, *more)[0] == 0
    frame = None
    for k in (18, 19, 20, 21, 23):
        code, out, _ = ran(
            capsys, shut.path, "--until", day_of(k), "--state", state, "-o", tmp_path / "day", *more, "--json"
        )
        assert code == 0
        assert json.loads(out)["alerts"] == saved(tmp_path / "day").height
        part = saved(tmp_path / "day")
        frame = part if frame is None else pl.concat([frame, part]).unique("alert_id", keep="last")
    assert frame is not None
    assert frame.height > 1
    assert_frame_equal(frame.sort("alert_id"), saved(once).sort("alert_id"))
    assert state.read_text("utf-8") == (once / "state.json").read_text("utf-8")
    # once more the same day: nothing is fed, nothing changes
    code, out, _ = ran(capsys, shut.path, "--until", until, "--state", state, *more, "--json")
    assert (code, json.loads(out)["periods"]) == (0, 0)
    assert "nothing was fed" in out
    assert state.read_text("utf-8") == (once / "state.json").read_text("utf-8")


def test_parts_merge_to_the_whole(shut: EventLog) -> None:
    first = watch_log(shut, until=day_of(19))
    second = watch_log(shut, first.log_state, until=day_of(24))
    whole = watch_log(shut, until=day_of(24))
    assert_frame_equal(merge_alerts(first.frame, second.frame), whole.frame)


def test_a_day_that_is_missing_makes_no_site_silent(tmp_path: Path) -> None:
    frame = ring(20, shut=(4, 99, 99))
    begin = round(datetime.combine(day_of(17), datetime.min.time(), ZONE).timestamp() * 1000)
    log = log_of(frame.filter(~pl.col("at_ms").is_between(begin, begin + 86_399_999)), tmp_path / "LOG")
    found = watch_log(log, until=day_of(20))
    assert found.unknown_periods == 1
    assert any("without any scan" in note for note in found.notes)
    assert found.frame.filter(pl.col("rule").is_in(["site-silent", "leg-collapse"])).height == 0
    assert found.frame.filter(pl.col("rule") == "feed-silent")["tier"].to_list() == ["attention"]


def test_an_empty_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_log(tmp_path / "LOG")
    state = tmp_path / "state.json"
    code, out, _ = ran(capsys, tmp_path / "LOG", "--until", "2023-03-01", "--state", state, "--json")
    said = json.loads(out)
    assert (code, said["alerts"], said["periods"]) == (0, 0, 0)
    assert said["notes"] == ["The log has no scan before 2023-03-01."]
    assert read_log_state(state).last_day is None
    log = log_of(ring(3), tmp_path / "LOG2")
    again = watch_log(log, read_log_state(state), until=day_of(3))  # that state has seen nothing
    assert again.periods == 3


def test_sites_the_register_does_not_have_are_watched_and_told(tmp_path: Path) -> None:
    log = log_of(ring(20), tmp_path / "LOG", pl.DataFrame({"site_id": [*SITES[:3], "ELSEWHERE"]}))
    found = watch_log(log, until=day_of(20))
    assert any(note.startswith("9 sites with scans are not in the log's register") for note in found.notes)
    assert "S04" in found.frame["site_id"].to_list()
    bare = watch_log(log_of(ring(20), tmp_path / "BARE"), until=day_of(20))
    assert not any("register" in note for note in bare.notes)
    assert_frame_equal(bare.frame, found.frame)


def test_few_days_are_told(shut: EventLog) -> None:
    found = watch_log(shut, until=day_of(10))
    assert any("Only 10 days" in note for note in found.notes)


def test_a_state_of_another_watch_is_refused(shut: EventLog, tmp_path: Path) -> None:
    state = watch_log(shut, until=day_of(2)).log_state
    assert isinstance(state, LogState)
    for more in ({"hours": 1}, {"look_back_days": 7}, {"promise_h": 48.0}):
        with pytest.raises(UsageError, match="begin without a state"):
            watch_log(shut, state, until=day_of(4), **more)
    assert read_log_state(state.save(tmp_path / "state.json")).to_json() == state.to_json()
    for text in ("", "{}", "[]", '{"format": "changtong-log-watch-1"}', state.series.to_json()):
        (tmp_path / "bad.json").write_text(text, "utf-8")
        with pytest.raises(InputError, match="bad-watch-state"):
            read_log_state(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((), "bad-usage", "one of the two"),
        (("LOG", "--volumes", "V.csv"), "bad-usage", "one of the two"),
        (("LOG",), "bad-usage", "--until"),
        (("LOG", "--until", "yesterday"), "bad-usage", "YYYY-MM-DD"),
        (("LOG", "--until", "2023-03-20", "--days", "0"), "bad-usage", "at least one day"),
        (("LOG", "--until", "2023-03-20", "--days", "many"), "bad-usage", "--days"),
        (("LOG", "--until", "2023-03-20", "--look-back", "91"), "bad-usage", "between 1 and 90"),
        (("NOWHERE", "--until", "2023-03-20"), "not-found", "no scan log"),
        (("LOG", "--until", "2023-03-20", "--thresholds", "NOWHERE.csv"), "bad-input", "NOWHERE"),
        (("LOG", "--until", "2023-03-20", "--state", "FOLDER"), "bad-input", "FOLDER"),
        (("LOG", "--until", "2023-03-20", "--state", "GONE/state.json"), "cannot-write", "state.json"),
        (("--volumes", "V.csv", "--days", "3", "--hourly"), "bad-usage", "--days, --hourly"),
        (("--volumes", "NOWHERE.csv"), "bad-input", "NOWHERE.csv"),
    ],
)
def test_slips_are_explained(
    shut: EventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    error: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()
    given_log = [str(shut.path) if word == "LOG" else word for word in arguments]
    code, out, _ = ran(capsys, *given_log, "--json")
    answer = json.loads(out)
    assert (code, answer["error"]) == (2, error)
    assert said in answer["message"]


def test_volumes_by_command_go_on_from_their_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rule(day: int, leg: tuple[str, str]) -> float:
        return 0.0 if "S04" in leg and 30 <= day < 36 else steady(day, leg)

    file, state = tmp_path / "volumes.csv", tmp_path / "state.json"
    volumes(45, rule).write_csv(file)
    assert ran(capsys, "--volumes", file, "-o", tmp_path / "once")[0] == 0
    for k in (30, 31, 40, 45):
        code, out, _ = ran(
            capsys, "--volumes", file, "--until", on(k), "--state", state, "-o", tmp_path / "day", "--json"
        )
        assert code == 0
    assert json.loads(out)["periods"] == 5
    assert state.read_text("utf-8") == (tmp_path / "once" / "state.json").read_text("utf-8")
    assert saved(tmp_path / "once")["site_id"].to_list() == ["S04"]
    # a state of volumes is none of a log
    create_log(tmp_path / "LOG")
    code, out, _ = ran(capsys, tmp_path / "LOG", "--until", "2023-03-01", "--state", state, "--json")
    assert (code, json.loads(out)["problems"][0]["code"]) == (2, "bad-watch-state")


def test_the_text_names_the_site(shut: EventLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert open_log(shut.path).days[0] == day_of(0)
    code, out, _ = ran(capsys, shut.path, "--until", day_of(19))
    assert code == 0
    assert "Warning, site silent: S04" in out


def test_a_class_alone_is_as_a_log_of_its_pieces(tmp_path: Path) -> None:
    """Only the accepting scan names the class of most pieces; some change theirs, and the newest counts."""
    item, code = pl.col("item"), pl.col("code")
    later = pl.when((item % 7 == 0) & (code == "arrive")).then(pl.lit("parcel"))
    first = pl.when(code == "accept").then(
        pl.when(item % 3 == 0).then(pl.lit("express")).otherwise(pl.lit("parcel"))
    )
    frame = ring(6, pieces=40).with_columns(pl.coalesce(later, first).alias("service_class"))
    bag = frame.head(1).with_columns(
        pl.lit(None, pl.Int64).alias("item"), pl.lit(-1, pl.Int64).alias("row_key")
    )
    frame = pl.concat([frame, bag.cast(dict(frame.schema))])
    newest = (
        frame.filter(item.is_not_null(), pl.col("service_class").is_not_null(), pl.col("at_ms") < instant(5))
        .sort("at_ms").group_by("item", maintain_order=True).agg(pl.col("service_class").last())
    )  # fmt: skip
    whole = log_of(frame, tmp_path / "whole")
    days = whole.days[2], whole.days[4]
    total = series_of(whole, *days, hours=1, least_pieces=1)
    parts = []
    for name in ("express", "parcel"):
        own = newest.filter(pl.col("service_class") == name)["item"]
        alone = series_of(
            log_of(frame.filter(item.is_in(own.implode())), tmp_path / name), *days, hours=1, least_pieces=1
        )
        made = series_of(whole, *days, hours=1, least_pieces=1, service_class=name)
        scanned = alone.series[
            "begin_ms"
        ].unique()  # of the hours in which only others were, it knows what waits
        there = pl.col("begin_ms").is_in(scanned.implode())
        assert_frame_equal(made.series.filter(there), alone.series)
        assert made.series.filter(~there)["scans"].sum() == 0
        assert_frame_equal(made.volumes, alone.volumes)
        parts.append(made)
    assert 0 < parts[0].volumes["pieces"].sum() < parts[1].volumes["pieces"].sum()
    assert sum(part.volumes["pieces"].sum() for part in parts) == total.volumes["pieces"].sum()
    assert series_of(whole, *days, hours=1, service_class="none such").series.is_empty()
