"""Forecasts of networks whose rule is known: the rule is found again, and what cannot be known is said."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_cases import LEGS, network, of_leg
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.forecast import volumes_ahead
from changtong.forecast.history import build_history, site_outages, states
from changtong.forecast.volumes_ahead import forecast_volumes
from changtong.network.leg_volumes import read_volumes

REAL = Path(__file__).parent.parent.parent / "shared" / "data" / "jd_network" / "leg_volumes.csv.gz"

MONDAY = date(2023, 2, 27)  # after the Spring Festival, well before Labour Day


def noise(day: date, number: int) -> float:
    """Return a factor of 0.8 to 1.2 that looks random and is none."""
    mixed = 43758.5453 * math.sin(12.9898 * (day.toordinal() % 1000) + 78.233 * number)
    return 0.8 + 0.4 * (mixed - math.floor(mixed))


def test_a_steady_network_goes_on_and_sites_are_sums() -> None:
    made = forecast_volumes(network(MONDAY, 60, lambda day, leg: 100.0 * (leg + 1)), days=5)
    legs, sites = made.legs, made.sites
    assert made.until == MONDAY + timedelta(days=60)
    for number, ends in enumerate(LEGS):
        assert of_leg(legs, *ends)["pieces"].to_list() == pytest.approx([100.0 * (number + 1)] * 5)
    # into A come 100 (W) and 300 (V); out of A go 500
    into = sites.filter((pl.col("site") == "A") & (pl.col("direction") == "in"))
    out = sites.filter((pl.col("site") == "A") & (pl.col("direction") == "out"))
    assert into["pieces"].to_list() == pytest.approx([400.0] * 5)
    assert out["pieces"].to_list() == pytest.approx([500.0] * 5)
    assert set(legs["state"]) == {"active"}


def test_weekdays_are_found_again() -> None:
    shape = (1.2, 1.1, 1.0, 1.0, 1.1, 0.9, 0.7)
    volumes = network(MONDAY, 56, lambda day, leg: 1000.0 * shape[day.weekday()] * noise(day, leg))
    rows = of_leg(forecast_volumes(volumes, days=7).legs, "W", "A")
    ratio = rows["pieces"].to_numpy() / rows["pieces"].mean()
    wanted = np.array([shape[day.weekday()] for day in rows["date"]])
    assert ratio == pytest.approx(wanted, abs=0.07)


def test_a_leg_with_weekdays_of_its_own_keeps_them() -> None:
    def rule(day: date, leg: int) -> float:
        return (200.0 if day.weekday() == 6 else 100.0) if leg == 0 else 100.0

    made = forecast_volumes(network(MONDAY, 62, rule), days=7).legs
    pieces = dict(of_leg(made, "W", "A").select("date", "pieces").iter_rows())
    sunday = next(day for day in pieces if day.weekday() == 6)
    others = [value for day, value in pieces.items() if day.weekday() != 6]
    assert pieces[sunday] / np.mean(others) == pytest.approx(2.0, abs=0.25)
    other = of_leg(made, "V", "B")["pieces"]
    assert other.max() / other.min() == pytest.approx(1.0, abs=0.1)


def promoted(day: date, leg: int) -> float:
    return 100.0 * noise(day, leg) * (3.0 if (day.month, day.day) in ((6, 18), (11, 11)) else 1.0)


def test_a_promotion_once_seen_is_expected_again() -> None:
    made = forecast_volumes(network(date(2022, 3, 1), 466, promoted), until="2023-06-10", days=12)
    rows = of_leg(made.legs, "W", "B")
    peak = rows.filter(pl.col("date") == date(2023, 6, 18))["pieces"][0]
    usual = rows.filter(pl.col("date") == date(2023, 6, 11))["pieces"][0]
    # twice seen (18 June, 11 November 2022), 0.3 of an occurrence assumed at 1.9
    assert peak / usual == pytest.approx(math.exp((2 * math.log(3) + 0.3 * math.log(1.9)) / 2.3), rel=0.1)
    assert made.summary()["peak_date"] == "2023-06-18"
    assert not any("assumed" in note for note in made.notes)


def test_a_promotion_never_seen_is_assumed_and_said_and_the_smaller_one_smaller() -> None:
    volumes = network(date(2023, 2, 20), 110, lambda day, leg: 100.0 * noise(day, leg))
    made = forecast_volumes(volumes, until="2023-05-25", days=28)
    rows = of_leg(made.legs, "W", "B")
    by_day = {row["date"].day: row for row in rows.to_dicts() if row["date"].month == 6}
    assert by_day[18]["pieces"] / by_day[11]["pieces"] == pytest.approx(1.9 / 1.3, rel=0.12)
    assert any("days of promotions that" in note for note in made.notes)
    assert by_day[18]["high_pieces"] > 1.29 * by_day[18]["pieces"]
    volumes = network(date(2023, 8, 1), 92, lambda day, leg: 100.0 * noise(day, leg))
    made = forecast_volumes(volumes, until="2023-10-31", days=43)
    pieces = dict(of_leg(made.legs, "W", "B").select("date", "pieces").iter_rows())
    usual = pieces[date(2023, 11, 25)]
    assert pieces[date(2023, 11, 11)] / usual == pytest.approx(1.9, rel=0.12)
    assert pieces[date(2023, 12, 12)] / usual == pytest.approx(1.9**0.6, rel=0.12)


def test_a_holiday_is_learned_from_the_year_before() -> None:
    def rule(day: date, leg: int) -> float:
        rest = (day.month == 10 and day.day <= 7) or date(2022, 4, 30) <= day <= date(2022, 5, 4)
        return 100.0 * noise(day, leg) * (0.5 if rest else 1.0)

    made = forecast_volumes(network(date(2021, 7, 1), 450, rule), until="2022-09-20", days=18)
    pieces = dict(of_leg(made.legs, "V", "A").select("date", "pieces").iter_rows())
    assert pieces[date(2022, 10, 4)] / pieces[date(2022, 9, 21)] == pytest.approx(0.5, abs=0.12)


def test_less_than_a_year_is_said_to_tell_no_holiday() -> None:
    volumes = network(date(2021, 7, 1), 85, lambda day, leg: 100.0)
    made = forecast_volumes(volumes, days=14)
    assert any("less than a year" in note and "long holidays" in note for note in made.notes)
    assert of_leg(made.legs, "W", "A")["pieces"].to_list() == pytest.approx([100.0] * 14)


def test_dead_and_new_legs() -> None:
    def rule(day: date, leg: int) -> float:
        since = (day - MONDAY).days
        if leg == 0:
            return 100.0 if since < 40 else 0.0  # silent for the last 20 days
        if leg == 1:
            return 50.0 if since >= 39 else 0.0  # began three weeks ago
        return 70.0

    made = forecast_volumes(network(MONDAY, 60, rule), days=4)
    dead, new = of_leg(made.legs, "W", "A"), of_leg(made.legs, "W", "B")
    assert set(dead["state"]) == {"dead"}
    assert (dead["pieces"].to_list(), dead["high_pieces"].to_list()) == ([0.0] * 4, [0.0] * 4)
    assert any("1 legs silent for weeks" in note for note in made.notes)
    assert set(new["state"]) == {"new"}
    assert new["pieces"].to_list() == pytest.approx([50.0] * 4)
    assert (made.summary()["dead_legs"], made.summary()["new_legs"]) == (1, 1)


def test_a_leg_that_moves_seldom_is_given_more_time() -> None:
    every_tenth = network(MONDAY, 60, lambda day, leg: 5.0 if leg or (day - MONDAY).days % 10 == 0 else 0.0)
    history = build_history(every_tenth, MONDAY + timedelta(days=60))
    assert states(history) == ["active"] * 5
    shut = every_tenth.filter((pl.col("to_site") != "A") | (pl.col("date") < MONDAY + timedelta(days=44)))
    found = dict(zip(zip(*_ends(shut), strict=True), states(_laid(shut, 60)), strict=True))
    assert found["V", "A"] == "dead"  # daily, silent for 16 days
    assert found["W", "A"] == "active"  # every tenth day, silent for 19


def _laid(volumes: pl.DataFrame, days: int):  # type: ignore[no-untyped-def]
    return build_history(volumes, MONDAY + timedelta(days=days))


def _ends(volumes: pl.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    history = _laid(volumes, 60)
    return history.from_sites, history.to_sites


def test_an_outage_of_a_site_does_not_change_the_level() -> None:
    volumes = network(MONDAY, 60, lambda day, leg: 100.0)
    begin = MONDAY + timedelta(days=46)
    shut = (pl.col("from_site") == "W") & pl.col("date").is_between(begin, begin + timedelta(days=9))
    with_outage = volumes.filter(~shut)
    history = _laid(with_outage, 60)
    off = site_outages(history)
    at = history.from_sites.index("W")
    assert np.flatnonzero(off[at]).tolist() == list(range(46, 56))
    assert not off[history.from_sites.index("V")].any()
    after = of_leg(forecast_volumes(with_outage, days=7).legs, "W", "A")["pieces"].to_numpy()
    assert after == pytest.approx(np.full(7, 100.0), rel=0.01)


def test_a_day_without_rows_is_unknown_and_a_leg_without_a_row_carried_nothing() -> None:
    steady = network(MONDAY, 60, lambda day, leg: 100.0)
    lost = [MONDAY + timedelta(days=k) for k in (50, 52, 53, 57, 58, 59)]
    made = forecast_volumes(
        steady.filter(~pl.col("date").is_in(lost)), until=MONDAY + timedelta(days=57), days=3
    )
    assert of_leg(made.legs, "W", "A")["pieces"].to_list() == pytest.approx([100.0] * 3)
    assert any("3 of 57 days have no row at all" in note for note in made.notes)
    absent = steady.filter(
        ~(pl.col("date") >= MONDAY + timedelta(days=52)) | (pl.col("from_site") != "A")
    )  # eight of the last fourteen days of A>B are 0
    assert of_leg(forecast_volumes(absent, days=3).legs, "A", "B")["pieces"].max() < 50.0


def test_a_weekday_that_never_has_rows_is_a_day_of_rest() -> None:
    volumes = network(MONDAY, 56, lambda day, leg: 0.0 if day.weekday() == 6 else 100.0)
    made = forecast_volumes(volumes, days=7)
    pieces = dict(of_leg(made.legs, "W", "A").select("date", "pieces").iter_rows())
    assert [value for day, value in pieces.items() if day.weekday() == 6] == [0.0]
    assert [value for day, value in pieces.items() if day.weekday() != 6] == pytest.approx([100.0] * 6)
    assert any("never a row on a Sunday" in note for note in made.notes)


def test_one_day_and_two_weeks_give_an_answer() -> None:
    one = forecast_volumes(network(MONDAY, 1, lambda day, leg: 10.0), days=31)
    assert one.legs["pieces"].to_list() == pytest.approx([10.0] * 31 * 5)
    assert set(one.legs["method"]) == {"flat"}
    assert any("one day of history" in note for note in one.notes)
    assert any("intervals: assumed" in note for note in one.notes)
    two = forecast_volumes(network(MONDAY, 14, lambda day, leg: 10.0 * noise(day, leg)), days=31)
    assert set(two.legs["method"]) == {"median"}
    assert two.legs["pieces"].to_numpy() == pytest.approx(10.0, rel=0.25)
    assert any("14 days of history" in note for note in two.notes)


def test_what_comes_after_until_and_the_order_of_rows_change_nothing() -> None:
    volumes = network(MONDAY, 70, lambda day, leg: 100.0 * noise(day, leg))
    until = MONDAY + timedelta(days=50)
    made = forecast_volumes(volumes, until=until, days=10)
    alone = forecast_volumes(volumes.filter(pl.col("date") < until), days=10)
    assert made.frame.equals(alone.frame)
    mixed = forecast_volumes(volumes.sample(fraction=1.0, shuffle=True, seed=3), until=str(until), days=10)
    assert made.frame.equals(mixed.frame)


def test_intervals_of_a_noisy_network_cover_what_they_say() -> None:
    rng = np.random.default_rng(5)
    legs = tuple((f"F{k}", f"T{j}") for k in range(6) for j in range(6))
    draws = rng.lognormal(0.0, 0.5, (260, len(legs)))
    common = rng.lognormal(0.0, 0.15, 260)
    begin = date(2023, 2, 25)
    volumes = network(
        begin,
        150,
        lambda day, leg: 200.0 * draws[(day - begin).days, leg] * common[(day - begin).days],
        legs,
    )
    cut = begin + timedelta(days=64)  # before any promotion
    made = forecast_volumes(volumes, until=cut, days=28)
    seen = volumes.select("date", "from_site", "to_site", pl.col("pieces").alias("seen"))
    legs_ = made.legs.join(seen, on=["date", "from_site", "to_site"])
    share = legs_.select(pl.col("seen").is_between("low_pieces", "high_pieces").mean()).item()
    assert 0.7 < share < 0.92
    out = seen.group_by("date", pl.col("from_site").alias("site")).agg(pl.col("seen").sum())
    sites = made.sites.filter(pl.col("direction") == "out").join(out, on=["date", "site"])
    share = sites.select(pl.col("seen").is_between("low_pieces", "high_pieces").mean()).item()
    assert 0.65 < share < 0.97
    # six legs of independent noise: a site's interval is narrower than those of its legs side by side
    width = (pl.col("high_pieces") - pl.col("low_pieces")).mean()
    narrow = sites.filter(pl.col("site") == "F0").select(width).item()
    assert narrow < 6 * made.legs.filter(pl.col("from_site") == "F0").select(width).item()


@settings(max_examples=examples(15), deadline=None, derandomize=True)
@given(st.integers(1, 80), st.integers(1, 20), st.integers(0, 10_000))
def test_any_network_gives_sound_rows(length: int, days: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 40, (length, 5)) * (rng.random((length, 5)) < rng.random(5))
    table[-1, 0] = 3
    volumes = network(MONDAY, length, lambda day, leg: float(table[(day - MONDAY).days, leg]))
    made = forecast_volumes(volumes, days=days)
    frame = made.frame
    numbers = frame.select("low_pieces", "pieces", "high_pieces").to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert (np.diff(numbers, axis=1) >= -1e-9).all()
    legs = volumes.select("from_site", "to_site").unique().height
    assert made.legs.height == legs * days
    assert set(frame["state"]) <= {"active", "new", "dead"}
    assert made.legs.filter(pl.col("state") == "dead")["pieces"].sum() == 0.0
    for direction, end in (("out", "from_site"), ("in", "to_site")):
        of_sites = made.sites.filter(pl.col("direction") == direction).select("site", "date", "pieces")
        sums = made.legs.group_by(pl.col(end).alias("site"), "date").agg(pl.col("pieces").sum().alias("sum"))
        both = of_sites.join(sums, on=["site", "date"])
        assert both.height == of_sites.height == sums.height
        assert both["pieces"].to_numpy() == pytest.approx(both["sum"].to_numpy())


@pytest.mark.parametrize("days", [0, -3, 367])
def test_days_out_of_reason_are_refused(days: int) -> None:
    with pytest.raises(UsageError, match="between 1 and 366"):
        forecast_volumes(network(MONDAY, 10, lambda day, leg: 1.0), days=days)


@pytest.mark.parametrize("until", ["2023-02-27", "2023-03-10", "1999-01-01"])
def test_until_must_lie_in_the_volumes(until: str) -> None:
    with pytest.raises(InputError) as caught:
        forecast_volumes(network(MONDAY, 10, lambda day, leg: 1.0), until=until)
    assert [problem.code for problem in caught.value.problems] == ["until-outside"]
    assert "2023-02-28 to 2023-03-09" in str(caught.value)


def test_a_missing_library_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        volumes_ahead, "find_spec", lambda name: None if name == "statsforecast" else object()
    )
    with pytest.raises(
        UsageError, match=r"need statsforecast: pip install 'changtong\[forecast\]'"
    ) as caught:
        forecast_volumes(network(MONDAY, 10, lambda day, leg: 1.0))
    assert caught.value.code == "missing-library"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="needs the jd_network data beside the project")
def test_a_real_network_is_forecast_well_below_seasonal_naive() -> None:
    volumes = read_volumes(REAL)
    until = date(2021, 10, 26)  # before 11 November; 18 June has been seen once
    made = forecast_volumes(volumes.filter(pl.col("date") < until), days=31).legs
    seen = volumes.filter(pl.col("date").is_between(until, until + timedelta(days=30)))
    both = made.join(seen, on=["date", "from_site", "to_site"], how="full", coalesce=True, suffix="_seen")
    both = both.with_columns(pl.col("pieces", "pieces_seen").fill_null(0.0))
    week = volumes.filter(pl.col("date").is_between(until - timedelta(days=7), until - timedelta(days=1)))
    weekday = pl.col("date").dt.weekday().alias("weekday")
    naive = both.with_columns(weekday).join(
        week.select(weekday, "from_site", "to_site", pl.col("pieces").alias("naive")),
        on=["weekday", "from_site", "to_site"],
        how="left",
    )
    errors = naive.select(
        (pl.col("pieces") - pl.col("pieces_seen")).abs().sum().alias("ours"),
        (pl.col("naive").fill_null(0.0) - pl.col("pieces_seen")).abs().sum().alias("naive"),
    ).row(0)
    assert errors[0] < 0.95 * errors[1]
    living = both.filter(pl.col("state") != "dead")
    assert (
        0.65
        < living.select(pl.col("pieces_seen").is_between("low_pieces", "high_pieces").mean()).item()
        < 0.95
    )
