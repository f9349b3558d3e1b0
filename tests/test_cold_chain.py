"""Readings against limits: hours by hand, the formula against a plain sum, instants and wrong input."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from coverage_cases import four_villages, hand_plan
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.rural.cold_chain import cold_chain, log_mean, route_risk
from changtong.rural.cold_readings import built_in_limits, read_cold_data

LIMITS = pl.DataFrame(
    {
        "product": ["fruit", "dose"],
        "low_celsius": [0.0, 2.0],
        "high_celsius": [5.0, 8.0],
        "longest_gap_min": [60.0, 60.0],
        "reference_celsius": [0.0, None],
        "shelf_life_h": [100.0, None],
        "q10": [2.0, None],
        "kind": ["assumed", "assumed"],
    }
)


def readings(*celsius: float, minutes: int = 60, product: str = "fruit", item: str = "a") -> pl.DataFrame:
    at = [f"2024-07-01T{8 + k * minutes // 60:02d}:{k * minutes % 60:02d}:00Z" for k in range(len(celsius))]
    return pl.DataFrame(
        {"item_id": item, "at": at, "celsius": [float(c) for c in celsius], "product": product}
    )


def item(frame: pl.DataFrame, **more: object) -> dict[str, object]:
    return cold_chain(frame, LIMITS, **more).items.row(0, named=True)  # type: ignore[arg-type]


def test_hours_out_of_range_are_those_of_straight_runs() -> None:
    found = cold_chain(readings(4, 6, 6, 4, 4, -1, 1), LIMITS)
    row = found.items.row(0, named=True)
    assert row["above_h"] == pytest.approx(0.5 + 1 + 0.5)
    assert row["below_h"] == pytest.approx(1 / 5 + 1 / 2)
    assert (row["state"], row["observed_h"], row["gaps"]) == ("out", pytest.approx(6.0), 0)
    assert (row["lowest_celsius"], row["highest_celsius"]) == (-1, 6)
    spells = found.excursions.select("side", "begins", "hours", "extreme_celsius").rows()
    assert [(side, f"{begins:%H:%M}", worst) for side, begins, _, worst in spells] == [
        ("above", "08:30", 6.0),
        ("below", "12:48", -1.0),
    ]
    assert [hours for *_, hours, _ in spells] == pytest.approx([2.0, 0.7])
    assert row["longest_excursion_h"] == pytest.approx(2.0)


def test_at_the_limit_is_within_it() -> None:
    assert item(readings(0, 5, 5, 0))["state"] == "ok"
    assert item(readings(0, 5.001))["state"] == "out"


def test_through_the_whole_range_in_one_run() -> None:
    row = item(readings(-5, 10))
    assert (row["below_h"], row["above_h"]) == (pytest.approx(5 / 15), pytest.approx(5 / 15))


def test_a_run_next_to_level_has_a_share() -> None:
    row = item(readings(0, 5e-324))
    assert (row["above_h"], row["below_h"], row["state"]) == (0.0, 0.0, "ok")


def test_gaps_are_counted_and_not_filled() -> None:
    found = cold_chain(readings(6, 6, minutes=61), LIMITS).items.row(0, named=True)
    assert (found["gaps"], found["observed_h"], found["above_h"]) == (1, 0.0, 0.0)
    assert found["gap_h"] == pytest.approx(61 / 60)
    assert found["state"] == "out"  # the readings themselves are
    assert found["kinetic_celsius"] is None
    assert item(readings(3, 3, minutes=61))["state"] == "gap"
    assert item(readings(3))["state"] == "gap"  # one reading tells of no time
    assert item(readings(3, 3, minutes=60))["state"] == "ok"
    split = pl.concat([readings(6, 6), readings(6, 6).with_columns(at=pl.col("at").str.replace("T0", "T1"))])
    spells = cold_chain(split, LIMITS).excursions
    assert spells["hours"].to_list() == [1.0, 1.0]  # 08 to 09 and 18 to 19: not one of eleven hours


def test_kinetic_temperature_of_a_steady_one_is_that_one() -> None:
    assert item(readings(4, 4, 4))["kinetic_celsius"] == pytest.approx(4.0)


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.floats(-20, 40), min_size=2, max_size=8))
def test_kinetic_temperature_is_haynes_formula_with_halves_at_the_ends(celsius: list[float]) -> None:
    weight = [0.5, *[1.0] * (len(celsius) - 2), 0.5]
    total = sum(w * math.exp(-10_000 / (c + 273.15)) for w, c in zip(weight, celsius, strict=True))
    expected = 10_000 / -math.log(total / sum(weight)) - 273.15
    row = item(readings(*celsius))
    assert row["kinetic_celsius"] == pytest.approx(expected, abs=1e-6)
    assert min(celsius) - 1e-6 <= expected <= max(celsius) + 1e-6
    mean = sum(w * c for w, c in zip(weight, celsius, strict=True)) / sum(weight)
    assert expected >= mean - 1e-6 or min(celsius) < -20  # warm times weigh more


def test_shelf_life_goes_by_the_q10_rule() -> None:
    assert item(readings(0, 0, 0))["shelf_life_share"] == pytest.approx(2 / 100)
    assert item(readings(10, 10, 10))["shelf_life_share"] == pytest.approx(4 / 100)
    ramp = item(readings(0, 10))["shelf_life_share"]
    fine = np.mean(2 ** (np.linspace(0, 10, 200_001) / 10)) / 100
    assert ramp == pytest.approx(fine, rel=1e-5)
    assert item(readings(5, 5, product="dose"))["shelf_life_share"] is None


@settings(max_examples=examples(50), deadline=None)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_mean_of_an_exponential_lies_between_its_ends(one: float, other: float) -> None:
    mean = log_mean(np.array([one]), np.array([other]))[0]
    assert min(one, other) * (1 - 1e-9) <= mean <= max(one, other) * (1 + 1e-9)
    assert mean == pytest.approx(log_mean(np.array([other]), np.array([one]))[0])


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.floats(-10, 15).map(lambda c: round(c, 1)), min_size=2, max_size=10))
def test_excursions_add_up_to_the_hours_out_of_range(celsius: list[float]) -> None:
    found = cold_chain(readings(*celsius), LIMITS)
    row = found.items.row(0, named=True)
    assert found.excursions["hours"].sum() == pytest.approx(row["above_h"] + row["below_h"], abs=1e-6)
    assert (found.excursions.height > 0) == (row["state"] == "out")


def test_items_and_products_are_kept_apart() -> None:
    frame = pl.concat([readings(4, 6), readings(3, 3, product="dose", item="b"), readings(3, 3, item="c")])
    found = cold_chain(frame.sample(fraction=1, shuffle=True, seed=1), LIMITS)
    assert found.items["state"].to_list() == ["out", "ok", "ok"]
    assert found.products.select("product", "items", "out").rows() == [("dose", 1, 0), ("fruit", 2, 1)]
    facts = json.loads(found.to_json())
    assert (facts["items"], facts["out"], facts["ok"], facts["readings"]) == (3, 1, 2, 6)
    assert facts["out_items"][0]["first_at"] == "2024-07-01T08:00:00Z"
    assert "1 of 3 items out" in str(found)


def test_instants_with_and_without_a_zone() -> None:
    def first(text: str, zone: str | None = None) -> str:
        frame = pl.DataFrame({"item_id": "a", "at": [text], "celsius": 1.0, "product": "fruit"})
        at: datetime = read_cold_data(frame, LIMITS, zone=zone).readings["at"].item()
        return f"{at:%Y-%m-%d %H:%M:%S}"

    assert first("2024-07-01T08:30:00+08:00") == "2024-07-01 00:30:00"
    assert first("2024-07-01 08:30:15+0800") == "2024-07-01 00:30:15"
    assert first("2024-07-01T08:30Z") == "2024-07-01 08:30:00"
    assert first("2024-07-01 08:30", "Asia/Shanghai") == "2024-07-01 00:30:00"
    assert first("2024-07-01T08:30Z", "Asia/Shanghai") == "2024-07-01 08:30:00"
    timed = pl.DataFrame(
        {"item_id": ["a"], "at": [datetime(2024, 7, 1, 8)], "celsius": [1.0], "product": ["fruit"]}
    )
    assert read_cold_data(timed, LIMITS, zone="Asia/Shanghai").readings["at"].item().hour == 0
    with pytest.raises(UsageError, match="unknown"):
        first("2024-07-01T08:30", "Asia/Shangri-La")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text(
        "item_id,at,celsius,product\n"
        "a,2024-07-01T08:00:00,4,fruit\n"
        "a,yesterday,4,fruit\n"
        "a,2024-07-01T09:00:00Z,warm,fruit\n"
        "a,2024-07-01T10:00:00Z,4,friut\n"
        "b,2024-07-01T10:00:00Z,4,fruit\n"
        "b,2024-07-01T10:00:00Z,4,fruit\n"
        "b,2024-07-01T18:00:00+08:00,5,fruit\n"
        "c,2024-07-01T10:00:00Z,4,fruit\n"
        "c,2024-07-01T11:00:00Z,4,dose\n"
    )
    limits = tmp_path / "l.csv"
    limits.write_text(
        "product,low_celsius,high_celsius,shelf_life_h,kind\nfruit,5,0,,assumed\ndose,2,8,10,assumed\ndose,2,8,,assumed\n"
    )
    with pytest.raises(InputError) as caught:
        cold_chain(file, limits)
    found = {(p.code, p.file, p.row) for p in caught.value.problems}
    assert found == {
        ("time-without-zone", "r.csv", 1),
        ("bad-time", "r.csv", 2),
        ("wrong-type", "r.csv", 3),
        ("unknown-product", "r.csv", 4),
        ("two-temperatures", "r.csv", 7),
        ("two-products", "r.csv", 9),
        ("bad-limit", "l.csv", 1),
        ("bad-limit", "l.csv", 2),
        ("duplicate-product", "l.csv", 3),
    }
    with pytest.raises(InputError) as caught:
        cold_chain(tmp_path / "nowhere.csv")
    assert caught.value.problems[0].code == "missing-file"


def test_skipped_instants_are_not_guessed() -> None:
    frame = pl.DataFrame(
        {"item_id": ["a"], "at": ["2024-03-31 02:30"], "celsius": [4.0], "product": ["fruit"]}
    )
    with pytest.raises(InputError) as caught:
        cold_chain(frame, LIMITS, zone="Europe/Berlin")
    assert [p.code for p in caught.value.problems] == ["ambiguous-time"]


def test_the_same_row_twice_counts_once() -> None:
    twice = pl.concat([readings(4, 4), readings(4, 4)])
    found = cold_chain(twice, LIMITS)
    assert (found.repeated, found.items["readings"].item()) == (2, 2)


def test_built_in_limits_say_where_they_come_from() -> None:
    limits = built_in_limits()
    assert limits["kind"].is_in(["official", "derived", "assumed"]).all()
    assert limits.filter(pl.col("kind") != "assumed")["source"].null_count() == 0
    assert limits.filter(pl.col("kind") == "assumed")["note"].null_count() == 0
    assert read_cold_data(readings(3, product="strawberry")).limits.height == limits.height


def test_shelf_life_on_a_route() -> None:
    county = four_villages()
    plan = hand_plan(county, [("AB", "135")])
    cold = plan.villages.with_columns(cold_hours=pl.when(pl.col("site_id") == "A").then(3.0).cast(pl.Float64))
    plan = replace(plan, villages=cold)
    route = cold_chain(readings(10, 10), LIMITS, plan).route
    assert route is not None
    assert route.rows() == [("fruit", "A", 3.0, pytest.approx(10.0), "readings", pytest.approx(3 * 2 / 100))]
    assumed = route_risk(plan, LIMITS)
    assert assumed.select("celsius", "basis").row(0) == (pytest.approx(5.0), "upper limit")
    assert assumed["shelf_life_share"].item() == pytest.approx(3 * 2**0.5 / 100)
    assert "route: at most" in str(cold_chain(readings(10, 10), LIMITS, plan))
