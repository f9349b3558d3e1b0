"""Known closures: every slip told, left out of what is learned, nothing forecast while they last."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_cases import LEGS, network, of_leg
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.errors import InputError
from changtong.forecast.closures import Closure, read_closures, shut_days
from changtong.forecast.history import build_history, states
from changtong.forecast.volumes_ahead import forecast_volumes

MONDAY = date(2023, 2, 27)
STEADY = network(MONDAY, 70, lambda day, leg: 100.0 * (leg + 1))
NUMBERS = ["pieces", "low_pieces", "high_pieces"]


def closed(*rows: dict[str, object]) -> pl.DataFrame:
    """Return a table of closures; days are counted from the first Monday."""
    made = []
    for row in rows:
        days = {key: MONDAY + timedelta(days=row[key]) for key in ("first_day", "last_day") if key in row}  # type: ignore[arg-type]
        made.append({**row, **{key: str(day) for key, day in days.items()}})
    return pl.DataFrame(made, schema=["site", "from_site", "to_site", "first_day", "last_day"])


def pieces(made: pl.DataFrame, leg: tuple[str, str]) -> np.ndarray:
    return of_leg(made, *leg)["pieces"].to_numpy()


@pytest.mark.parametrize(
    ("closure", "shut"),
    [
        (Closure(MONDAY, site="A"), {("W", "A"), ("V", "A"), ("A", "B")}),
        (Closure(MONDAY, from_site="A"), {("A", "B")}),
        (Closure(MONDAY, to_site="A"), {("W", "A"), ("V", "A")}),
        (Closure(MONDAY, from_site="W", to_site="A"), {("W", "A")}),
    ],
)
def test_a_place_shuts_its_legs(closure: Closure, shut: set[tuple[str, str]]) -> None:
    assert {leg for leg in LEGS if closure.shuts(*leg)} == shut


def test_days_of_closures_by_hand() -> None:
    two = (
        Closure(MONDAY + timedelta(days=1), MONDAY + timedelta(days=2), site="W"),
        Closure(MONDAY - timedelta(days=9), MONDAY, to_site="B"),
        Closure(MONDAY + timedelta(days=4), None, from_site="A", to_site="B"),
    )
    found = shut_days(two, [("W", "A"), ("W", "B"), ("A", "B")], MONDAY, 6)
    assert found.astype(int).tolist() == [[0, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 1, 1]]


def test_a_leg_shut_until_now_keeps_its_level_and_is_not_dead() -> None:
    since = MONDAY + timedelta(days=45)
    quiet = STEADY.filter((pl.col("from_site") != "W") | (pl.col("date") < since))
    table = closed({"site": "W", "first_day": 45, "last_day": 74})
    without, with_ = forecast_volumes(quiet, days=10), forecast_volumes(quiet, days=10, closures=table)
    assert set(of_leg(without.legs, "W", "A")["state"]) == {"dead"}
    assert pieces(without.legs, ("W", "A")).max() == 0.0
    assert set(of_leg(with_.legs, "W", "A")["state"]) == {"active"}
    assert pieces(with_.legs, ("W", "A")) == pytest.approx([0.0] * 5 + [100.0] * 5)  # opens on day 75
    assert pieces(with_.legs, ("V", "A")) == pytest.approx([300.0] * 10)
    assert states(build_history(quiet, MONDAY + timedelta(days=70))).count("dead") == 2


def test_days_ahead_are_nothing_with_nothing_on_either_side() -> None:
    made = forecast_volumes(STEADY, days=8, closures=closed({"site": "A", "first_day": 72, "last_day": 74}))
    shut = made.frame.filter(pl.col("date").is_between(*(MONDAY + timedelta(days=k) for k in (72, 74))))
    for row in shut.to_dicts():
        touches = "A" in (row["from_site"], row["to_site"], row["site"])
        left = {("leg", True): 0.0, ("site", True): 0.0}.get((row["kind"], touches))
        if left is not None:
            assert [row[name] for name in NUMBERS] == [0.0, 0.0, 0.0]
    # 200 + 400 go on to B; A's 100, 300 and 500 do not
    total = made.total["pieces"].to_numpy()
    assert total == pytest.approx([1500.0] * 2 + [600.0] * 3 + [1500.0] * 3)
    into_b = made.sites.filter((pl.col("site") == "B") & (pl.col("direction") == "in"))["pieces"]
    assert into_b.to_list() == pytest.approx([1100.0] * 2 + [600.0] * 3 + [1100.0] * 3)
    assert any("3 on some days ahead, which are forecast 0" in note for note in made.notes)


def test_a_known_closure_of_the_past_is_no_error_and_changes_no_interval() -> None:
    rng = np.random.default_rng(3)
    factors = rng.lognormal(0.0, 0.3, (150, 5))

    def rule(day: date, leg: int) -> float:
        return 100.0 * factors[(day - MONDAY).days, leg]

    volumes = network(MONDAY, 90, rule)
    shut = volumes.filter(
        (pl.col("from_site") != "V")
        | ~pl.col("date").is_between(*(MONDAY + timedelta(days=k) for k in (50, 69)))
    )
    known = closed({"site": "V", "first_day": 50, "last_day": 69})
    whole, blind, told = (
        forecast_volumes(frame, days=14, closures=table)
        for frame, table in ((volumes, None), (shut, None), (shut, known))
    )

    def error(made) -> float:  # type: ignore[no-untyped-def]
        return float(made.errors.filter(pl.col("kind") == "leg")["wape"].mean())

    assert error(blind) > 1.1 * error(whole)
    assert error(told) == pytest.approx(error(whole), rel=0.05)
    widths = [
        float((made.legs["high_pieces"] - made.legs["low_pieces"]).sum()) for made in (whole, told, blind)
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] > 1.1 * widths[0]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(71, 120), st.sampled_from(["W", "A", "B"]))
def test_a_closure_after_the_forecast_changes_nothing(first: int, site: str) -> None:
    made = forecast_volumes(STEADY, days=1, closures=closed({"site": site, "first_day": first}))
    assert made.frame.equals(forecast_volumes(STEADY, days=1).frame)


WRONG = """site,from_site,to_site,first_day,last_day
DC,,,2023-03-01,
A,,,soon,
,W,A,2023-03-04,2023-03-01
,B,A,2023-03-04,
A,W,,2023-03-04,
,,,2023-03-04,
A,,,,2023-03-09
,,,,
"""


def test_every_slip_is_told_by_row_and_column(tmp_path: Path) -> None:
    (tmp_path / "closures.csv").write_text(WRONG, "utf-8")
    with pytest.raises(InputError) as caught:
        read_closures(tmp_path / "closures.csv", LEGS)
    found = [(p.code, p.file, p.row, p.column) for p in caught.value.problems]
    assert found == [
        ("unknown-site", "closures.csv", 1, "site"),
        ("wrong-type", "closures.csv", 2, "first_day"),
        ("times-reversed", "closures.csv", 3, "last_day"),
        ("unknown-leg", "closures.csv", 4, "to_site"),
        ("no-place", "closures.csv", 5, "site"),
        ("no-place", "closures.csv", 6, "site"),
        ("missing-value", "closures.csv", 7, "first_day"),
    ]
    assert all(problem.expected for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ("site,first\nA,2023-03-01\n", ["unknown-column", "missing-column"]),
        ("first_day,last_day\n2023-03-01,\n", ["missing-column"]),
        ("", ["empty-file"]),
        (None, ["unreadable-file"]),
    ],
)
def test_the_command_explains_a_wrong_table(
    content: str | None, codes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes, table = tmp_path / "volumes.csv", tmp_path / "closures.csv"
    STEADY.write_csv(volumes)
    if content is not None:
        table.write_text(content, "utf-8")
    words = ["forecast", volumes, "--closures", table, "-o", tmp_path / "out.csv", "--json"]
    assert main([str(word) for word in words]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [problem["code"] for problem in found["problems"]] == codes
    assert not (tmp_path / "out.csv").exists()


def test_the_command_reads_a_table_as_spreadsheets_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes, table = tmp_path / "volumes.csv", tmp_path / "closures.csv"
    STEADY.write_csv(volumes)
    until = MONDAY + timedelta(days=70)
    table.write_bytes(f"site;first_day;last_day;label\nA;{until};{until};检修\n".encode("gb18030"))
    words = ["forecast", volumes, "--closures", table, "--days", 2, "-o", tmp_path / "out.csv", "--json"]
    assert main([str(word) for word in words]) == 0
    assert json.loads(capsys.readouterr().out)["pieces_per_day"] == pytest.approx((600 + 1500) / 2)
