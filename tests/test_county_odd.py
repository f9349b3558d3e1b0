"""Odd counties: few and unlike vehicles, cold pieces in a hurry, early hours, what only buses can serve."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from county_cases import bus, county, drawn, pieces, site, vehicle
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.errors import InternalError
from changtong.rural import firm_plans
from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.county_question import HUB, CountySettings, ask
from changtong.rural.day_routes import NO_LIMIT_S, DayRoutes, Part, can_serve, route_day
from changtong.rural.plan_county import plan_county
from changtong.rural.vehicle_loads import MOST_LOADS, Errand
from changtong.rural.visit_loads import local_errand

H = site("H", "county", 0, 0)


def planned(known: County, effort: float = 0.1, *, sound: bool = True) -> CountyResult:
    """Plan a county; every answer passes the checker, at once where it is ``sound``."""
    result = plan_county(known, settings=CountySettings(effort=effort))
    for plan in result.answers.values():
        firms = (plan.name,) if plan.name in known.firms else None
        assert check_plan(known, plan, firms=firms) == []
        assert not sound or "plan-fault" not in plan.unserved["code"].to_list()
    return result


def unserved(plan: CountyPlan) -> list[tuple[str, float, str]]:
    """Return site, pieces of a week and code of what is not served."""
    return plan.unserved.select("site_id", "pieces_per_week", "code").rows()


def alone_cny(result: CountyResult) -> float:
    """Return what all firms pay apart."""
    return sum(plan.cost_cny for plan in result.alone.values())


# loads


def test_a_big_vehicle_that_cannot_get_there_does_not_keep_small_ones_away() -> None:
    truck = vehicle(vehicle_type="truck", capacity_pieces=1000.0, range_km=30.0)
    known = county([H, site("V", "village", 60, 0)], [pieces("V", 450)], [truck, vehicle()])
    shared = planned(known).shared
    assert unserved(shared) == []
    assert shared.routes["vehicle_type"].to_list() == ["van"] * 3


def test_a_big_truck_that_cannot_reach_a_station_leaves_it_to_small_ones() -> None:
    known = county(
        [H, site("S", "township", 60, 0), *[site(f"V{k}", "village", 60 + k, 2) for k in range(5)]],
        [pieces(f"V{k}", 80) for k in range(5)],
        [
            vehicle(vehicle_type="big", tier="trunk", capacity_pieces=1000.0, range_km=50.0),
            vehicle(vehicle_type="small", tier="trunk", capacity_pieces=150.0),
            vehicle(vehicle_type="trike", tier="local", range_km=60.0),
        ],
    )
    shared = planned(known).shared
    assert unserved(shared) == []
    trunk = shared.routes.filter(pl.col("tier") == "trunk")
    assert trunk["vehicle_type"].unique().to_list() == ["small"]


def test_a_tiny_cold_room_does_not_carry_the_warm_pieces() -> None:
    """By hand: A's reefer and B's van go there apart as well as together; 18 reefer loads were planned."""
    reefer = vehicle(vehicle_type="r", capacity_pieces=60.0, cold_pieces=50.0, cost_cny_per_day=150.0)
    known = county(
        [H, site("V", "village", 30, 0)],
        [pieces("V", 5, inbound_cold_share=1.0, firm="A"), pieces("V", 180, firm="B")],
        [vehicle(), reefer],
    )
    result = planned(known)
    assert unserved(result.shared) == []
    assert result.shared.cost_cny <= alone_cny(result) + 1e-6
    assert result.shared.cost_cny == pytest.approx(1881.3 + 1551.7, abs=1.0)


@settings(max_examples=examples(25), deadline=None, derandomize=True)
@given(
    mine=st.tuples(st.integers(1, 400), st.sampled_from([0.0, 0.1, 1.0])),
    theirs=st.tuples(st.integers(1, 400), st.sampled_from([0.0, 0.1, 1.0])),
    room=st.sampled_from([(200.0, 0.0), (60.0, 50.0), (1000.0, 100.0)]),
    day=st.sampled_from([30.0, 100.0, 900.0]),
    far=st.sampled_from([5.0, 30.0]),
)
def test_together_is_never_dearer_than_apart_at_one_village(
    mine: tuple[int, float], theirs: tuple[int, float], room: tuple[float, float], day: float, far: float
) -> None:
    """Two firms with any pieces at one village; whatever each sends alone could be sent together."""
    other = vehicle(
        vehicle_type="o", capacity_pieces=room[0], cold_pieces=room[1], cost_cny_per_day=day, trips_per_day=1
    )
    known = county(
        [H, site("V", "village", far, 0)],
        [
            pieces("V", mine[0], inbound_cold_share=mine[1], firm="A"),
            pieces("V", theirs[0], inbound_cold_share=theirs[1], firm="B"),
        ],
        [vehicle(capacity_pieces=120.0, cold_pieces=20.0, trips_per_day=1), other],
    )
    result = planned(known)
    assert unserved(result.shared) == []
    assert result.shared.cost_cny <= alone_cny(result) + 0.5  # whole seconds a stop


def errand_of(known: County) -> Errand:
    return local_errand(ask(known, known.firms), 1, HUB, 0, 0)


@settings(max_examples=examples(60), deadline=None)
@given(
    warm=st.floats(0.0, 900.0),
    cold=st.floats(0.0, 300.0),
    back=st.floats(0.0, 500.0),
    km=st.floats(1.0, 45.0),
    piece_min=st.sampled_from([0.05, 1.0]),
)
def test_loads_add_up_and_can_be_served(
    warm: float, cold: float, back: float, km: float, piece_min: float
) -> None:
    known = county(
        [H, site("V", "village", km, 0, piece_min=piece_min)],
        [pieces("V", 10)],
        [
            vehicle(capacity_pieces=130.0),
            vehicle(vehicle_type="r", capacity_pieces=100.0, cold_pieces=60.0),
            vehicle(vehicle_type="near", capacity_pieces=2000.0, cold_pieces=500.0, range_km=40.0),
        ],
    )
    errand, amounts = errand_of(known), (warm, cold, back, 0.0)
    parts = errand.parts(amounts)
    for place, total in enumerate(amounts):
        name = ("warm_in", "cold_in", "warm_out", "cold_out")[place]
        assert sum(getattr(part, name) for part in parts) == pytest.approx(total, abs=1e-6)
    assert errand.possible(amounts)
    for part in parts:
        assert any(can_serve(errand.question, HUB, 0, kind, part, 86_400) for kind in errand.kinds)


def test_more_loads_than_any_fleet_brings_are_named() -> None:
    known = county(
        [H, site("V", "village", 10, 0), site("W", "village", 12, 0)],
        [pieces("V", 10.0 * MOST_LOADS + 50.0), pieces("W", 5)],
        [vehicle(capacity_pieces=10.0)],
    )
    shared = planned(known).shared
    assert unserved(shared) == [("V", 7.0 * (10.0 * MOST_LOADS + 50.0), "no-capacity")]
    assert shared.villages["site_id"].to_list() == ["W"]


def test_what_few_big_vehicles_cannot_take_is_cut_for_others() -> None:
    """One van of 200 and any number of 100: the second village goes in two of these."""
    known = county(
        [H, site("V", "village", 40, 0), site("W", "village", -40, 0)],
        [pieces("V", 180), pieces("W", 190)],
        [
            vehicle(count=1, trips_per_day=1),
            vehicle(vehicle_type="dear", capacity_pieces=100.0, cost_cny_per_day=900.0, trips_per_day=1),
        ],
    )
    shared = planned(known).shared
    assert unserved(shared) == []
    assert sorted(shared.routes["vehicle_type"].to_list()) == ["dear", "dear", "van"]


# cold hours


def cold_village(km: float, cold_h: float, **more: Any) -> CountyResult:
    known = county(
        [H, site("V", "village", km, 0)],
        [pieces("V", **{"inbound": 10, "cold_h": cold_h, **more})],
        [vehicle(cold_pieces=50.0)],
    )
    return planned(known)


def test_cold_pieces_need_only_arrive_in_time() -> None:
    """By hand: 40 km, an hour there, 2 h 6 min there and back."""
    assert unserved(cold_village(30.77, 1.01, inbound_cold_share=0.5).shared) == []
    late = cold_village(30.77, 0.99, inbound_cold_share=0.5).shared
    assert unserved(late) == [("V", 35.0, "cold-too-long")]
    assert late.villages["site_id"].to_list() == ["V"]  # its other pieces are served


def test_cold_pieces_collected_have_the_stop_and_the_way_back() -> None:
    """By hand: 40 km, an hour back and 5.5 min of stop (10 pieces of 0.05 min)."""
    there = {"inbound": 0, "outbound": 10, "outbound_cold_share": 0.5}
    assert unserved(cold_village(30.77, 1.1, **there).shared) == []
    assert unserved(cold_village(30.77, 1.08, **there).shared) == [("V", 35.0, "cold-too-long")]


def test_one_vehicle_makes_two_cold_trips() -> None:
    known = county(
        [H, site("V1", "village", 20, 0), site("V2", "village", -20, 0)],
        [pieces(f"V{k}", 10, inbound_cold_share=0.5, cold_h=1.6) for k in (1, 2)],
        [vehicle(cold_pieces=50.0, count=1)],
    )
    shared = planned(known).shared
    assert unserved(shared) == []
    assert shared.routes["trip"].to_list() == [1, 2]


def test_other_pieces_are_served_where_vehicles_for_cold_ones_are_few() -> None:
    """The only reefer is at one village; the other one loses its cold pieces alone."""
    known = county(
        [H, site("V1", "village", 55, 0), site("V2", "village", -55, 0)],
        [pieces(f"V{k}", 10, inbound_cold_share=0.5) for k in (1, 2)],
        [vehicle(), vehicle(vehicle_type="r", cold_pieces=50.0, count=1, trips_per_day=1, shift_h=5.0)],
    )
    shared = planned(known).shared
    assert shared.villages.height == 2
    assert [row[1:] for row in unserved(shared)] == [(35.0, "no-vehicle")]


def test_a_stations_own_cold_pieces_keep_their_hours() -> None:
    known = county(
        [H, site("S", "township", 40, 0, cold=True), site("V", "village", 2, 0)],
        [pieces("S", 10, inbound_cold_share=0.5, cold_h=0.5), pieces("V", 3)],
        [vehicle(cold_pieces=50.0)],
    )
    shared = planned(known).shared
    assert unserved(shared) == [("S", 35.0, "cold-too-long")]
    assert sorted(shared.villages["site_id"].to_list()) == ["S", "V"]


def test_the_trunk_hurries_with_a_stations_own_cold_pieces() -> None:
    """Two stations on one way: both on one trip would bring the far one's pieces back too late."""
    known = county(
        [H, *[site(f"S{k}", "township", x, 0, cold=True) for k, x in ((1, 30), (2, -30))]],
        [
            pieces(f"S{k}", 10, 10, inbound_cold_share=0.5, outbound_cold_share=0.5, cold_h=1.2)
            for k in (1, 2)
        ],
        [vehicle(vehicle_type="truck", tier="trunk", cold_pieces=50.0, cost_cny_per_day=900.0)],
    )
    shared = planned(known).shared
    assert unserved(shared) == []
    assert set(shared.routes["tier"]) == {"trunk"}


def test_the_trunk_may_come_as_late_as_its_cold_space_does() -> None:
    """Few cold pieces at a station whose only cold trunk vehicle is slow do not shut the station."""
    known = county(
        [H, site("S", "township", 20, 0, cold=True), site("V", "village", 24, 0)],
        [pieces("S", 5, inbound_cold_share=0.1), pieces("V", 50)],
        [
            vehicle(vehicle_type="fast", tier="trunk", speed_km_per_h=60.0),
            vehicle(vehicle_type="slow", tier="trunk", speed_km_per_h=20.0, cold_pieces=5.0),
            vehicle(vehicle_type="trike", tier="local", range_km=30.0, shift_h=14.0),
        ],
    )
    assert unserved(planned(known).shared) == []


def test_cold_space_without_warm_room_is_cold_space() -> None:
    """The reefer has no room for the warm pieces; its cold ones are late, not without space."""
    reefer = vehicle(vehicle_type="r", capacity_pieces=50.0, cold_pieces=50.0)
    known = county(
        [H, site("V", "village", 40, 0)],
        [pieces("V", 10, inbound_cold_share=0.5, cold_h=0.5)],
        [vehicle(), reefer],
    )
    assert unserved(planned(known).shared) == [("V", 35.0, "cold-too-long")]


def test_warm_pieces_without_room_are_named_as_such() -> None:
    """All room is cold: nothing of a village with warm pieces is served, for want of room, not of hours."""
    known = county(
        [H, site("V", "village", 10, 0)],
        [pieces("V", 10, inbound_cold_share=0.5, cold_h=8.0)],
        [vehicle(cold_pieces=200.0)],
    )
    assert unserved(planned(known).shared) == [("V", 70.0, "no-capacity")]


# hours


def early(closes: str) -> CountyPlan:
    known = county(
        [H, site("S", "township", 40, 0), site("V", "village", 44, 0, closes=closes)],
        [pieces("V", 10)],
        [
            vehicle(vehicle_type="truck", tier="trunk"),
            vehicle(vehicle_type="trike", tier="local", range_km=60.0),
        ],
    )
    return planned(known).shared


@pytest.mark.parametrize("closes", ["10:00", "07:33"])
def test_a_village_that_closes_in_the_morning_is_served_from_a_station(closes: str) -> None:
    """By hand: the truck is at S 07:18, its goods ready 07:23:30, the trike at V 07:31:18."""
    shared = early(closes)
    assert unserved(shared) == []
    assert shared.villages["served_from"].to_list() == ["S"]


def test_a_village_that_closes_before_the_truck_is_there_is_named() -> None:
    assert unserved(early("07:30")) == [("V", 70.0, "window-closed")]


# buses


def test_a_village_beyond_every_range_goes_by_bus() -> None:
    runs = [bus("B", [("H", "07:00"), ("V1", "08:00"), ("H", "09:00")])]
    known = county(
        [H, site("V1", "village", 60, 0), site("V2", "village", 2, 0)],
        [pieces("V1", 10, 2, inbound_cold_share=0.1), pieces("V2", 10)],
        [vehicle(range_km=60.0, cold_pieces=20.0)],
        runs,
    )
    result = planned(known)
    assert [row[0] for row in unserved(result.shared)] == ["V1"]
    assert result.with_buses is not None
    assert unserved(result.with_buses) == [("V1", 7.0, "beyond-range")]  # the cold ones
    served = dict(result.with_buses.villages.select("site_id", "served_from").rows())
    assert served == {"V1": "B", "V2": "H"}


def test_a_station_the_trunk_cannot_reach_is_fed_by_bus() -> None:
    known = county(
        [H, site("S", "township", 60, 0), *[site(f"V{k}", "village", 60 + k, 2) for k in range(3)]],
        [pieces(f"V{k}", 8, 1) for k in range(3)] + [pieces("S", 5)],
        [vehicle(vehicle_type="trike", tier="local", range_km=60.0)],
        [bus("B", [("H", "07:00"), ("S", "08:00"), ("H", "09:00")])],
    )
    result = planned(known)
    assert result.shared.villages.is_empty()
    assert result.with_buses is not None
    assert unserved(result.with_buses) == []
    assert set(result.with_buses.villages["served_from"]) == {"S"}


def test_a_station_with_cold_pieces_of_its_own_is_not_fed_by_bus() -> None:
    """S is served from the hub; what a run brought there for V would count as its own."""
    known = county(
        [H, site("S", "township", 20, 0, cold=True), site("V", "village", 24, 0)],
        [pieces("S", 10, inbound_cold_share=0.5), pieces("V", 5)],
        [vehicle(tier="local", range_km=55.0, cold_pieces=20.0)],
        [bus("B", [("H", "07:00"), ("S", "08:00"), ("H", "09:00")])],
    )
    result = planned(known)
    assert result.with_buses is not None
    assert unserved(result.with_buses) == [("V", 35.0, "beyond-range")]


def test_a_bus_takes_no_more_than_it_holds() -> None:
    known = county(
        [H, site("V1", "village", 60, 0), site("V2", "village", 61, 0)],
        [pieces("V1", 30), pieces("V2", 30)],
        [vehicle(range_km=60.0)],
        [bus("B", [("H", "07:00"), ("V1", "08:00"), ("V2", "08:10"), ("H", "09:00")], spare_pieces=50.0)],
    )
    result = planned(known)
    assert result.with_buses is not None
    assert len(unserved(result.with_buses)) == 1


# money and kilometres


def test_a_dear_vehicle_of_which_there_is_one_still_serves() -> None:
    known = county(
        [H, site("V", "village", 10, 0)], [pieces("V", 10)], [vehicle(count=1, cost_cny_per_day=50_000.0)]
    )
    assert unserved(planned(known).shared) == []


def around(range_km: float | None, km_cny: float) -> County:
    return county(
        [
            H,
            *[
                site(
                    f"V{k}",
                    "village",
                    10 * math.cos(k * 0.61) + 0.137 * k,
                    10 * math.sin(k * 0.61) - 0.211 * k,
                )
                for k in range(12)
            ],
        ],
        [pieces(f"V{k}", 9, 1) for k in range(12)],
        [vehicle(cost_cny_per_day=10.0, cost_cny_per_km=km_cny, cost_cny_per_h=0.0, range_km=range_km)],
    )


@pytest.mark.parametrize("km_cny", [0.0, 0.0001, 0.001, 0.25])
def test_ranges_are_kept_to_the_metre(km_cny: float) -> None:
    free = planned(around(None, km_cny)).shared
    longest = float(free.routes["distance_km"].max())  # type: ignore[arg-type]
    for short in (0.003, 0.02, 0.1):
        shared = planned(around(longest - short, km_cny)).shared
        per_vehicle = shared.routes.group_by("vehicle").agg(pl.col("distance_km").sum())
        assert unserved(shared) == []
        assert float(per_vehicle["distance_km"].max()) <= longest - short + 1e-3  # type: ignore[arg-type]


def test_a_vehicle_may_use_its_whole_range() -> None:
    roads = [{"from_site": a, "to_site": b, "distance_km": 30.0, "travel_h": None} for a, b in ("HV", "VH")]
    known = county([H, site("V", "village", 10, 0)], [pieces("V", 10)], [vehicle(range_km=60.0)], roads=roads)
    assert unserved(planned(known).shared) == []


def test_trips_follow_one_another_on_a_vehicle() -> None:
    """Three full loads for a village next to the hub are one vehicle's day."""
    known = county([H, site("V", "village", 3, 0)], [pieces("V", 590)])
    shared = planned(known).shared
    assert shared.routes["vehicle"].to_list() == [1, 1, 1]


# few vehicles, codes


def test_codes_name_the_cause_where_some_vehicles_are_few() -> None:
    """A van of which there are two, and any number of trikes: V lies beyond all of them in time."""
    known = county(
        [H, site("V", "village", 10, 0, closes="06:10"), site("W", "village", 5, 0)],
        [pieces("V", 10), pieces("W", 10)],
        [vehicle(count=2), vehicle(vehicle_type="trike", speed_km_per_h=20.0)],
    )
    assert unserved(planned(known).shared) == [("V", 70.0, "window-closed")]


def test_pieces_left_are_counted_once() -> None:
    known = county(
        [H, site("V", "village", 300, 0), site("W", "village", 5, 0)],
        [pieces("V", 10, inbound_cold_share=0.5), pieces("W", 1)],
        [vehicle(cold_pieces=50.0)],
    )
    assert unserved(planned(known).shared) == [("V", 70.0, "shift-too-short")]


@pytest.mark.parametrize("seed", range(3))
def test_few_vehicles_are_never_overdrawn(seed: int) -> None:
    known = drawn(20, 3, firms=1, seed=seed, radius_km=30.0)
    few = pl.when(pl.col("vehicle_type") == "electric").then(3 + seed).otherwise(pl.col("count"))
    planned(
        County(
            **{**known.__dict__, "vehicles": known.vehicles.with_columns(few.cast(pl.Int64).alias("count"))}
        ),
        0.3,
    )


def test_routes_of_a_part_nobody_can_serve_tell_it() -> None:
    known = county([H, site("V", "village", 10, 0)], [pieces("V", 10)])
    question = ask(known, known.firms)
    part = Part(1, 5.0, 0.0, 0.0, 0.0, 0, 60, NO_LIMIT_S)
    found = route_day(question, [(HUB, 0)], [part], [5], iterations=10, seed=0)
    assert found == DayRoutes((), (part,), 0.0, question.left_cny)


def faulty(name: str, text: str) -> Any:
    """Return a checker that finds a rule broken while a village is in the plan."""

    def check(known: County, plan: CountyPlan, **more: Any) -> list[str]:
        return [text] if name in plan.villages["site_id"].to_list() else check_plan(known, plan, **more)

    return check


def test_a_plan_that_fails_for_one_village_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    known = county(
        [H, site("V", "village", 10, 0), site("V2", "village", -10, 0)], [pieces("V", 10), pieces("V2", 10)]
    )
    monkeypatch.setattr(firm_plans, "check_plan", faulty("V", "cold-too-long: to V on day 1 9.00 h."))
    shared = planned(known, sound=False).shared
    assert unserved(shared) == [("V", 70.0, "plan-fault")]
    assert shared.villages["site_id"].to_list() == ["V2"]


def test_a_plan_that_fails_for_nobody_in_particular_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    known = county([H, site("V", "village", 10, 0)], [pieces("V", 10)])
    monkeypatch.setattr(firm_plans, "check_plan", faulty("V", "wrong-cost: of the week."))
    with pytest.raises(InternalError, match="wrong-cost"):
        planned(known)
