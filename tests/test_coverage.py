"""Coverage of villages and the next steps, reckoned by hand on four villages."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from coverage_cases import four_villages, hand_plan
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.rural.county import County
from changtong.rural.coverage import coverage
from changtong.rural.coverage_definition import CoverageDefinition, read_definition
from changtong.rural.coverage_steps import _wanted, next_steps
from changtong.rural.day_clock import clock_s
from changtong.rural.sources import small_county
from changtong.rural.week_insertion import DAYS, PlanWeek, Trip, Wanted, plan_week

VISITS = CoverageDefinition("three days", "of this test", min_visits_per_week=3)
NEAR = replace(VISITS, max_pickup_km=2.0, pickup_point_cny_per_week=70.0, firm_cny_per_week=20.0)
ALL = replace(NEAR, min_firms=1, max_hours=24.0, outbound_too=True)


def rows(frame: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(frame.select(columns).iter_rows())


def test_the_built_in_definition_says_that_it_is_assumed() -> None:
    built_in = read_definition()
    assert "assumed: there is no published national definition" in built_in.label
    assert built_in.outbound_too
    assert (built_in.min_visits_per_week, built_in.min_firms) == (3, 1)


def test_a_plan_tells_days_firms_and_hours() -> None:
    county = four_villages()
    plan = hand_plan(county, [("AB", "135"), ("C", "2")], unserved=[("D", None, 21.0, "beyond-range")])
    found = coverage(county, plan, ALL)
    assert found.asked == ("visits", "firms", "hours", "pickup", "outbound")
    assert rows(found.villages, "site_id", "visits_per_week", "firms", "served", "lacking", "unknown") == [
        ("A", 3, 2, True, "", ""),
        ("B", 3, 2, True, "", ""),
        ("C", 1, 1, False, "visits, pickup", ""),
        ("D", 0, 0, False, "visits, firms, hours, outbound", "pickup"),
    ]
    assert found.village_share == 0.5
    assert found.people_share == 1500 / 2000
    assert found.summary()["lacking"] == {"visits": 2, "firms": 1, "hours": 1, "pickup": 1, "outbound": 1}
    assert rows(found.by_visits, "villages") == [(1,), (1,), (0,), (2,), (0,), (0,), (0,), (0,)]
    assert rows(found.by_firms, "band", "villages", "people") == [
        ("0", 1, 200),
        ("1", 1, 300),
        ("2", 2, 1500),
    ]
    hours = dict(rows(found.by_hours, "band", "villages"))
    assert (hours["up to 2"], hours["not visited or not known"]) == (3, 1)
    near = dict(rows(found.by_pickup, "band", "villages"))
    assert (near["up to 0.5"], near["up to 5"], near["not known"]) == (2, 1, 1)
    assert all(sum(frame["villages"]) == 4 for frame in (found.by_visits, found.by_hours, found.by_pickup))


def test_what_is_not_known_is_neither_served_nor_lacking() -> None:
    county = four_villages()
    found = coverage(county, hand_plan(county, [("ABCD", "135")]), NEAR)
    assert rows(found.villages, "served", "unknown")[3] == (None, "pickup")
    assert (found.summary()["unknown_villages"], found.village_share) == (1, 0.5)
    assert json.loads(found.to_json())["asked"] == ["visits", "pickup"]
    assert "of 1 villages something asked is not known" in str(found)


def test_hours_are_not_asked_of_a_village_that_only_sends() -> None:
    county = four_villages()
    no_more = pl.when(pl.col("site_id") == "C").then(0.0).otherwise("inbound_pieces_per_day")
    county = county.with_tables(pieces=county.pieces.with_columns(inbound_pieces_per_day=no_more))
    visited = hand_plan(county, [("A", "135"), ("C", "135")])
    hours = pl.when(pl.col("site_id").is_in(["A", "C"])).then(None).otherwise("hours_to_delivery")
    plan = replace(visited, villages=visited.villages.with_columns(hours_to_delivery=hours))
    asking = replace(VISITS, max_hours=24.0)
    found = {row["site_id"]: row for row in coverage(county, plan, asking).villages.iter_rows(named=True)}
    assert (found["C"]["served"], found["C"]["unknown"]) == (True, "")
    assert (found["A"]["served"], found["A"]["unknown"]) == (None, "hours")  # it gets something
    unvisited = coverage(county, hand_plan(county, [("A", "135")]), asking).villages
    assert "hours" in unvisited.filter(pl.col("site_id") == "C")["lacking"][0]


def test_without_a_plan_the_tables_tell_and_hours_are_not_asked() -> None:
    found = coverage(four_villages(), None, ALL)
    assert found.asked == ("visits", "firms", "pickup", "outbound")
    assert rows(found.villages, "visits_per_week", "firms", "outbound") == [
        (7, 2, True),
        (7, 2, None),  # none is sent today, which does not say that none would be taken
        (7, 1, True),
        (7, 1, None),
    ]
    assert found.plan is None
    county = small_county()
    made = coverage(county)
    assert made.villages.height == 12
    assert made.summary()["lacking"] == {"visits": 2, "firms": 0, "pickup": 2, "outbound": 0}


@pytest.mark.parametrize(
    ("unserved", "firms"),
    [
        ([("A", "red", 21.0, "no-capacity")], 1),
        ([("A", "red", 5.0, "no-cold-space")], 2),  # the rest of its pieces comes
        ([("A", None, 84.0, "no-capacity")], 0),
        ([("A", "red", 10.0, "x"), ("A", "red", 11.0, "y")], 1),
    ],
)
def test_a_firm_whose_pieces_are_all_left_out_does_not_come(
    unserved: list[tuple[str, str | None, float, str]], firms: int
) -> None:
    county = four_villages()
    found = coverage(county, hand_plan(county, [("A", "135")], unserved=unserved), VISITS)
    assert found.villages["firms"][0] == firms


def test_a_firm_alone_counts_its_own_pieces_only() -> None:
    county = four_villages()
    found = coverage(county, hand_plan(county, [("ABCD", "135")], name="red"), ALL)
    assert found.villages["firms"].to_list() == [1, 1, 0, 0]


def test_an_empty_definition_serves_everybody() -> None:
    found = coverage(four_villages(), None, CoverageDefinition("nothing", "of this test"))
    assert (found.village_share, found.asked) == (1.0, ())


def test_next_steps_are_the_cheapest_insertions() -> None:
    county = four_villages()
    plan = hand_plan(county, [("A", "135")])
    found = next_steps(county, plan, VISITS)
    # B beside A: 11 + 2 - 10 = 3 km on three days; then C between H and B: 30 + 24 - 11 = 43;
    # then D between C and H: 15 + 40 - 30 = 25
    assert rows(found.steps, "site_id", "weekdays", "new_trips", "extra_cny_per_week") == [
        ("B", "135", 0, pytest.approx(9.0)),
        ("C", "135", 0, pytest.approx(129.0)),
        ("D", "135", 0, pytest.approx(75.0)),
    ]
    assert rows(found.points, "cost_cny_per_week", "village_share", "people_share") == [
        (0.0, 0.25, 0.5),
        (pytest.approx(9.0), 0.5, 0.75),
        (pytest.approx(138.0), 0.75, 0.9),
        (pytest.approx(213.0), 1.0, 1.0),
    ]
    assert found.blocked.height == 0
    assert "an estimate" in str(found)
    assert json.loads(found.to_json())["village_share"] == 1.0


def test_a_trip_of_its_own_where_no_trip_has_room() -> None:
    county = four_villages(capacity_pieces=30)
    plan = hand_plan(county, [("A", "135")])  # 21 in, 7 out; B gets 14
    found = next_steps(county, plan, VISITS)
    # B: a new trip of 10 + 22 on three days (any); C: beside B, 7 + 14 of 30: 30 + 24 - 11 = 43 a day
    assert rows(found.steps, "site_id", "new_trips", "extra_cny_per_week")[:2] == [
        ("B", 3, pytest.approx(96.0)),
        ("C", 0, pytest.approx(129.0)),
    ]


def test_limits_of_range_shift_and_number_are_kept() -> None:
    far = four_villages(range_km=70)
    # H A H is 20 km; C makes it 65, D alone would be 80
    found = next_steps(far, hand_plan(far, [("A", "135"), ("B", "135")]), VISITS)
    assert found.steps["site_id"].to_list() == ["C"]
    assert rows(found.blocked, "site_id", "code") == [("D", "no-insertion")]
    short = four_villages(shift_h=0.9)
    found = next_steps(short, hand_plan(short, [("A", "135")]), VISITS)
    assert found.steps["site_id"].to_list() == ["B"]  # 23 km at 60 km/h
    one = four_villages(capacity_pieces=30, count=1)
    found = next_steps(one, hand_plan(one, [("A", "1234567")]), VISITS)
    assert rows(found.steps, "site_id", "new_trips")[0] == ("B", 0)  # 9 + 14 of 30
    early = four_villages(ends="08:30")
    found = next_steps(early, hand_plan(early, [("A", "135")]), VISITS)
    assert found.steps["site_id"].to_list() == ["B"]


def test_further_days_are_those_not_visited_yet() -> None:
    county = four_villages()
    found = next_steps(county, hand_plan(county, [("AB", "135"), ("CD", "2")]), VISITS)
    steps = {row["site_id"]: row for row in found.steps.iter_rows(named=True)}
    assert all("2" not in steps[site]["weekdays"] for site in "CD")
    assert all(len(steps[site]["weekdays"]) == 2 for site in "CD")


def test_cold_goods_are_put_only_where_there_is_cold_space() -> None:
    county = four_villages()
    cold = county.pieces.with_columns(
        outbound_cold_share=pl.when(pl.col("site_id") == "C").then(1.0).otherwise(0.0)
    )
    county = county.with_tables(pieces=cold)
    plan = hand_plan(county, [("A", "135")], unserved=[("C", "post", 42.0, "no-cold-space")])
    found = next_steps(county, plan, VISITS)
    assert sorted(found.steps["site_id"]) == ["B", "D"]
    assert rows(found.blocked, "site_id", "code") == [("C", "no-insertion")]
    assert "no-cold-space" in found.blocked["reason"][0]


def with_site(county: County, site: str, **values: object) -> County:
    here = pl.col("site_id") == site
    changed = {name: pl.when(here).then(pl.lit(value)).otherwise(name) for name, value in values.items()}
    return county.with_tables(sites=county.sites.with_columns(**changed))


def test_a_village_is_met_within_its_own_window() -> None:
    """C is 30 minutes from the hub, B 11, or 12 by A; the van leaves at 8."""
    county = four_villages()
    closed = with_site(county, "C", closes="08:20")
    plan = hand_plan(closed, [("A", "135")], unserved=[("C", None, 42.0, "window-closed")])
    found = next_steps(closed, plan, VISITS)
    assert sorted(found.steps["site_id"]) == ["B", "D"]
    assert rows(found.blocked, "site_id", "code") == [("C", "no-insertion")]
    assert "window-closed" in found.blocked["reason"][0]
    just = with_site(county, "C", closes="08:30")
    assert "C" in next_steps(just, hand_plan(just, [("A", "135")]), VISITS).steps["site_id"]
    # before A the van is at B at 8:11, after A at 8:12: either way 3 km more
    early = with_site(county, "B", closes="08:11")
    week = plan_week(early, hand_plan(early, [("A", "1")]))
    price, place = week.insertion(0, 0, wanted_of(early, week, "B"))
    assert (price[0], place[0]) == (pytest.approx(3.0), 0)
    late = with_site(four_villages(shift_h=1.0), "B", opens="08:50", closes="10:00")
    plan = hand_plan(late, [("A", "1")])
    week = plan_week(late, plan)
    # waiting from 8:12 to 8:50 and 11 km home are beyond the hour; a trip of its own leaves later
    assert np.isinf(week.insertion(0, 0, wanted_of(late, week, "B"))[0][0])
    assert week.new_trip(0, wanted_of(late, week, "B"))[0][0] == pytest.approx(10 + 22)
    week.add_trip(0, "van", week.ways.row["H"], 0, wanted_of(late, week, "B"))
    assert week.trips[0][1].leaves_h == pytest.approx([8 + 39 / 60, 8 + 50 / 60, 9 + 1 / 60])


def place_of_b(county: County, cold: str = "") -> int | None:
    """Return after which stop of the van's way to A village B goes cheapest; None where it cannot."""
    week = plan_week(county, hand_plan(county, [("A", "1")]))
    brought, _, taken, _ = week.trips[0][0].amounts[1]
    if cold:
        week.trips[0][0].amounts[1] = (
            (0.0, brought, taken, 0.0) if cold == "inbound" else (brought, 0.0, 0.0, taken)
        )
    price, place = week.insertion(0, 0, wanted_of(county, week, "B"))
    return int(place[0]) if np.isfinite(price[0]) else None


def test_the_stops_that_become_later_stay_in_time() -> None:
    """The van is at A at 8:10, three minutes later with B before it."""
    county = four_villages()
    assert place_of_b(with_site(county, "A", closes="08:13")) == 0
    assert place_of_b(with_site(county, "A", closes="08:12")) == 1
    early = with_site(county, "B", closes="08:11")
    assert place_of_b(early) == 0
    assert place_of_b(with_site(early, "A", closes="08:12")) is None


@pytest.mark.parametrize(
    ("way", "hours", "place"), [("inbound", 0.2, 1), ("inbound", 0.22, 0), ("outbound", 0.2, 0)]
)
def test_cold_goods_of_the_others_keep_their_hours(way: str, hours: float, place: int) -> None:
    """A's are 10 minutes on board; B before A makes it 13 to A, B after A 13 from A."""
    county = four_villages(capacity_pieces=200, cold_pieces=100)
    here = pl.col("site_id") == "A"
    cold = county.pieces.with_columns(
        pl.when(here).then(1.0).otherwise(0.0).alias(f"{way}_cold_share"), cold_h=pl.when(here).then(hours)
    )
    assert place_of_b(county.with_tables(pieces=cold), way) == place
    closed = with_site(county.with_tables(pieces=cold), "B", closes="08:11")  # before A alone
    assert place_of_b(closed, way) == (None if place else 0)


def test_a_firm_without_pieces_sets_no_hours() -> None:
    county = four_villages(cold_pieces=50)
    red = (pl.col("site_id") == "A") & (pl.col("firm") == "red")
    none = {name: pl.when(red).then(0.0).otherwise(name) for name in ("inbound_pieces_per_day",)}
    changed = county.pieces.with_columns(**none).with_columns(
        inbound_cold_share=pl.when(red).then(1.0).otherwise(0.0), cold_h=pl.when(red).then(0.1)
    )
    county = county.with_tables(pieces=changed)
    assert np.isinf(plan_week(county, hand_plan(county, [])).cold_h).all()


def test_cold_goods_without_a_limit_ask_for_no_truck() -> None:
    """A station's trip with cold goods on a day without a truck: no hours, so nothing is late."""
    county = with_site(four_villages(capacity_pieces=200, cold_pieces=100), "T", cold=True)
    week = plan_week(county, hand_plan(county, [("A", "1")]))
    trip = week.trips[0][0]
    used = week.use[0].pop(trip.key)
    trip.base, trip.amounts[1] = week.ways.row["T"], (0.0, 6.0, 0.0, 0.0)
    week.use[0][trip.key] = used
    assert np.isfinite(week.insertion(0, 0, wanted_of(county, week, "B"))[0][0])


def test_a_vehicles_later_trips_stay_in_time() -> None:
    for closes, price in (("08:52", np.inf), ("08:53", 3.0)):
        county = with_site(four_villages(), "C", closes=closes)
        week = plan_week(county, hand_plan(county, [("A", "1"), ("C", "1")]))
        first, second = week.trips[0]
        second.vehicle, second.leaves_h = first.vehicle, [8 + 20 / 60, 8 + 50 / 60, 9 + 20 / 60]
        found, _ = week.insertion(0, 0, wanted_of(county, week, "B"))
        assert found[0] == pytest.approx(price)


def wanted_of(county: County, week: PlanWeek, *sites: str) -> Wanted:
    named = [{"site_id": site, "visits_per_week": 0} for site in sites]
    return _wanted(county, hand_plan(county, []), week, named, np.full(len(sites), 3))


@pytest.mark.parametrize("way", ["inbound", "outbound"])
def test_cold_goods_keep_their_hours(way: str) -> None:
    """C is half an hour from the hub, and half an hour back."""
    for hours, served in ((0.4, False), (0.6, True)):
        county = four_villages(cold_pieces=50)
        here = pl.col("site_id") == "C"
        pieces = county.pieces.with_columns(
            pl.when(here).then(1.0).otherwise(0.0).alias(f"{way}_cold_share"),
            cold_h=pl.when(here).then(hours),
        )
        county = county.with_tables(pieces=pieces)
        found = next_steps(county, hand_plan(county, [("A", "135")]), VISITS)
        assert ("C" in found.steps["site_id"]) is served
        assert ("C" in found.blocked["site_id"]) is not served


def test_cold_goods_by_a_station_wait_for_its_truck() -> None:
    county = with_site(four_villages(cold_pieces=50), "T", cold=True)
    both = county.pieces.with_columns(
        inbound_cold_share=pl.lit(1.0), outbound_cold_share=pl.lit(1.0), cold_h=pl.lit(4.0)
    )
    county = county.with_tables(pieces=both)
    week = plan_week(county, hand_plan(county, []))
    station = week.ways.row["T"]
    week.bases[0] = [station]
    week.ready(station, 8.5)
    inbound = wanted_of(county, week, "D")  # brings only
    assert np.isinf(week.new_trip(0, inbound)[0][0])  # no truck comes that day
    week.trunk_h = {(station, 0): (7.0, 9.0), (station, 1): (7.0, 9.0)}
    assert np.isfinite(week.new_trip(0, inbound)[0][0])  # 7:00 to 8:52
    week.trunk_h = {(station, 0): (4.5, 9.0), (station, 1): (7.0, 9.0)}
    assert np.isinf(week.new_trip(0, inbound)[0][0])  # 4:30 to 8:52
    week.trunk_h = {(station, 0): (7.0, 9.0), (station, 1): (7.0, 9.0)}
    # what is taken at C at 8:44 is at the hub at 9 on the next day
    assert np.isinf(week.new_trip(0, wanted_of(county, week, "C"))[0][0])


def test_warm_goods_have_the_warm_room() -> None:
    """A's 21 pieces and B's 14 of a visit go beside 60 cold ones into 100, and not beside 70."""
    for cold, fits in ((60, True), (70, False)):
        county = four_villages(cold_pieces=cold)
        week = plan_week(county, hand_plan(county, [("A", "135")]))
        assert np.isfinite(week.insertion(0, 0, wanted_of(county, week, "B"))[0][0]) is np.bool_(fits)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), max_size=5), st.tuples(*[st.integers(0, 9)] * 4))
def test_loads_at_every_point_are_those_of_a_walk(stops: list[tuple], more: tuple) -> None:
    """The most a trip holds with one stop more, wherever it is put, by walking along it."""
    amounts = [(0, 0, 0, 0), *stops, (0, 0, 0, 0)]
    trip = Trip("r", "van", 1, 0, [0] * len(amounts), [8.0] * len(amounts), amounts)
    for kind in (0, 1):
        before, after = trip.most_load(kind)
        for place in range(len(amounts) - 1):
            way = [*amounts[: place + 1], more, *amounts[place + 1 :]]
            load = sum(stop[kind] for stop in way)
            loads = [load := load - stop[kind] + stop[kind + 2] for stop in way[:-1]]
            assert max(before[place] + more[kind], after[place] + more[kind + 2]) == max(loads)


def test_pick_up_points_firms_and_what_cannot_be_helped() -> None:
    county = four_villages()
    two = replace(NEAR, min_firms=2, max_hours=10.0)
    plan = hand_plan(
        county,
        [("A", "135"), ("C", "135"), ("B", "135")],
        hours={"B": 11.0},
        unserved=[("A", "red", 21.0, "no-capacity")],
    )
    found = next_steps(county, plan, two)
    assert rows(found.steps, "site_id", "actions", "extra_cny_per_week") == [
        ("C", "pick-up point; 1 more firm", 90.0)
    ]
    assert sorted(rows(found.blocked, "site_id", "code")) == [
        ("A", "left-out"),
        ("B", "hours"),
        ("D", "not-known"),
    ]
    alone = next_steps(county, hand_plan(county, [("A", "135")], name="red"), replace(two, min_firms=2))
    assert "firms" in alone.blocked["code"].to_list()


def test_by_people_a_large_village_comes_first() -> None:
    county = four_villages()
    people = pl.col("people").replace_strict({300.0: 9000.0}, default=pl.col("people"))
    county = county.with_tables(sites=county.sites.with_columns(people))
    plan = hand_plan(county, [("A", "135")])
    assert next_steps(county, plan, VISITS).steps["site_id"][0] == "B"
    by_people = next_steps(county, plan, VISITS, measure="people").steps
    # C: 3 x 45 CNY for 9000 people, B: 9 CNY for 500; then B lies on the way to C: 11 + 24 - 30 = 5,
    # and 2 + 24 - 25 = 1 between A and C
    assert rows(by_people, "site_id", "extra_cny_per_week")[:2] == [
        ("C", pytest.approx(135.0)),
        ("B", pytest.approx(3.0)),
    ]
    unknown = county.with_tables(sites=county.sites.with_columns(people=pl.lit(None, pl.Float64)))
    with pytest.raises(UsageError, match="people"):
        next_steps(unknown, plan, VISITS, measure="people")
    with pytest.raises(UsageError, match="measure"):
        next_steps(county, plan, VISITS, measure="towns")


@settings(max_examples=examples(30), deadline=None)
@given(order=st.sampled_from(list(permutations("BCD"))), days=st.sampled_from(["1", "25", "1357"]))
def test_what_is_inserted_adds_up(order: tuple[str, ...], days: str) -> None:
    """Kilometres kept for a vehicle are those of its way, whatever was inserted in whatever order."""
    county = four_villages(capacity_pieces=1000, shift_h=12, ends="22:00")
    week = plan_week(county, hand_plan(county, [("A", days)]))
    found = next_steps(county, hand_plan(county, [("A", days)]), replace(VISITS, min_visits_per_week=1))
    assert found.steps.height == 3
    work_days = [DAYS.index(day) for day in days]
    named = [{"site_id": site, "visits_per_week": 0} for site in order]
    wanted = _wanted(county, hand_plan(county, [("A", days)]), week, named, np.ones(3, np.int64))
    for k in range(3):
        for day in work_days:
            price, place = week.insertion(day, 0, wanted)
            before = week.use[day][week.trips[day][0].key].km
            week.insert(day, 0, int(place[k]), k, wanted)
            trip = week.trips[day][0]
            km = sum(week.ways.km[one, two] for one, two in zip(trip.way, trip.way[1:], strict=False))
            assert week.use[day][trip.key].km == pytest.approx(km)
            assert km - before == pytest.approx(price[k])  # 1 CNY a km, hours cost nothing


def test_times() -> None:
    assert clock_s("07:30", 0) == 7.5 * 3600
    assert clock_s("24:00", 0) == 24 * 3600
    assert clock_s("00:00:36", 0) == 36
    assert clock_s(None, 5) == clock_s("", 5) == 5


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("name = 'x'\nlabel = 'y'\n[served]\nmin_visits = 3\n", ["min_visits"]),
        (
            "label = 'y'\n[served]\nmin_visits_per_week = 8\noutbound_too = 1\n",
            ["name", "min_visits_per_week"],
        ),
        ("name = 'x'\nlabel = 'y'\n[bands]\nhours = [2, 1]\n[cost]\n", ["hours", "cost"]),
        ("name = ", [None]),
    ],
)
def test_wrong_definitions_are_told(tmp_path: Path, text: str, columns: list[str | None]) -> None:
    file = tmp_path / "d.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_definition(file)
    assert {problem.code for problem in caught.value.problems} == {"bad-definition"}
    assert set(columns) <= {problem.column for problem in caught.value.problems}


def test_a_definition_of_ones_own_is_read(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    file.write_text('name = "ours"\nlabel = "decision of 2025"\n[served]\nmin_visits_per_week = 5\n')
    mine = read_definition(file)
    assert (mine.min_visits_per_week, mine.max_hours, mine.outbound_too) == (5, None, False)
