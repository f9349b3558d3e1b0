"""The checker of county plans: a good plan passes, and each thing broken is found by its code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import polars as pl
import pytest
from county_cases import bus, county, pieces, site, vehicle

from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_plan import CountyPlan
from changtong.rural.plan_county import plan_county


@cache
def made() -> tuple[County, CountyPlan]:
    """A county with a station that must be used (small vehicles), cold pieces and windows; its plan."""
    sites = [
        site("H", "county", 0, 0),
        site("S", "township", 20, 0, cold=True, opens="06:00", closes="09:00", open_cny_per_day=10.0,
             handle_cny_per_piece=0.1, handle_pieces_per_day=500.0),
        site("T", "township", -30, 0, opening="shut"),
        site("V1", "village", 24, 2, visits_per_week=3),
        site("V2", "village", 24, -2, opens="07:00", closes="18:00"),
        site("V3", "village", 0, 5, visits_per_week=2),
    ]  # fmt: skip
    demand = [
        pieces("V1", 30, 5, inbound_cold_share=0.2, cold_h=8.0),
        pieces("V2", 20, 4),
        pieces("V3", 10, 1),
    ]
    vehicles = [
        vehicle(vehicle_type="truck", tier="trunk", cold_pieces=50.0, cost_cny_per_day=30.0, count=2),
        vehicle(vehicle_type="trike", tier="local", capacity_pieces=150.0, cold_pieces=40.0, range_km=45.0,
                cost_cny_per_day=30.0),
    ]  # fmt: skip
    known = county(sites, demand, vehicles)
    return known, plan_county(known).shared


def test_a_good_plan_uses_the_station_and_passes() -> None:
    known, plan = made()
    assert plan.stations["site_id"].to_list() == ["S"]
    assert plan.unserved.is_empty()
    assert check_plan(known, plan) == []


def route(plan: CountyPlan, tier: str, base: str = "S") -> pl.Expr:
    """Return which rows of routes are the first of a tier from a base."""
    found = plan.routes.filter((pl.col("tier") == tier) & (pl.col("from_site") == base))["route_id"][0]
    return pl.col("route_id") == found


def change(plan: CountyPlan, table: str, rows: pl.Expr, **values: object) -> CountyPlan:
    """Return a plan with some values of some rows changed."""
    frame: pl.DataFrame = getattr(plan, table)
    changed = frame.with_columns(
        pl.when(rows).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )
    return replace(plan, **{table: changed})


FIRST = pl.col("stop") == 1
BREAK: dict[str, Callable[[CountyPlan], CountyPlan]] = {
    "not-served": lambda p: replace(p, villages=p.villages.filter(pl.col("site_id") != "V3")),
    "wrong-days": lambda p: change(p, "villages", pl.col("site_id") == "V1", weekdays="12"),
    "uneven-days": lambda p: change(p, "villages", pl.col("site_id") == "V1", weekdays="123"),
    "wrong-pieces": lambda p: change(p, "stops", route(p, "local") & FIRST, delivered_pieces=1.0),
    "wrong-base": lambda p: change(p, "villages", pl.col("site_id") == "V2", served_from="H"),
    "wrong-transfer": lambda p: change(p, "stops", route(p, "trunk", "H") & FIRST, delivered_pieces=1.0),
    "not-ready": lambda p: change(p, "routes", route(p, "local"), departs="05:00:00"),
    "over-capacity": lambda p: change(p, "stops", route(p, "local") & FIRST, delivered_pieces=400.0),
    "too-fast": lambda p: change(p, "stops", route(p, "local") & FIRST, arrives="00:00:01"),
    "too-short": lambda p: change(p, "stops", route(p, "local") & FIRST, departs="00:00:01"),
    "window": lambda p: change(p, "stops", route(p, "trunk", "H") & FIRST, arrives="09:30:00"),
    "wrong-distance": lambda p: change(p, "stops", route(p, "local") & FIRST, distance_km=1.0),
    "shift": lambda p: change(p, "routes", route(p, "local"), returns="23:00:00"),
    "too-late": lambda p: change(p, "routes", route(p, "local"), returns="23:00:00"),
    "too-early": lambda p: change(p, "routes", route(p, "trunk", "H"), departs="01:00:00"),
    "range": lambda p: change(p, "routes", route(p, "local"), distance_km=60.0),
    "fleet": lambda p: replace(
        p,
        routes=pl.concat(
            [p.routes]
            + [
                p.routes.filter(route(p, "trunk", "H")).with_columns(
                    pl.lit(k, pl.Int64).alias("vehicle"), pl.lit(f"X{k}").alias("route_id")
                )
                for k in (7, 8)
            ]
        ),
    ),
    "trip-numbers": lambda p: change(p, "routes", route(p, "local"), trip=2),
    "wrong-tier": lambda p: change(p, "routes", route(p, "local"), vehicle_type="truck"),
    "unknown-vehicle": lambda p: change(p, "routes", route(p, "local"), vehicle_type="cart"),
    "cold-too-long": lambda p: change(p, "stops", pl.col("site_id") == "V1", arrives="19:00:00"),
    "wrong-cost": lambda p: change(p, "routes", route(p, "local"), cost_cny=1.0),
    "wrong-hours": lambda p: change(p, "routes", route(p, "local"), hours=0.1),
    "wrong-sum": lambda p: change(p, "routes", route(p, "local"), delivered_pieces=1.0),
    "wrong-total": lambda p: replace(p, cost_cny=p.cost_cny * 1.01),
    "wrong-stations": lambda p: replace(p, stations=p.stations.clear()),
    "unknown-site": lambda p: change(p, "stops", route(p, "local") & FIRST, site_id="V2 "),
    "stray-stops": lambda p: replace(p, routes=p.routes.filter(~route(p, "local"))),
    "unserved-unknown": lambda p: replace(
        p,
        unserved=pl.DataFrame(
            [("V9", "A", 5.0, "no-vehicle", "none")], schema=p.unserved.schema, orient="row"
        ),
    ),
}


@pytest.mark.parametrize("code", [code for code in BREAK if code != "unknown-site"])
def test_each_violation_is_found(code: str) -> None:
    known, plan = made()
    found = {one.split(":")[0] for one in check_plan(known, BREAK[code](plan))}
    assert code in found, found


def test_an_unknown_site_is_told_and_ends_the_check() -> None:
    known, plan = made()
    found = check_plan(known, BREAK["unknown-site"](plan))
    assert any(one.startswith("unknown-site") for one in found)


@pytest.mark.parametrize(
    ("table", "values", "code"),
    [
        ("sites", {"cold": False}, "warm-station"),
        ("sites", {"opening": "shut"}, "shut-station"),
        ("sites", {"handle_pieces_per_day": 10.0}, "station-full"),
    ],
)
def test_a_county_that_changes_under_its_plan_is_found(
    table: str, values: dict[str, object], code: str
) -> None:
    known, plan = made()
    frame: pl.DataFrame = getattr(known, table)
    changed = frame.with_columns(
        pl.when(pl.col("site_id") == "S").then(pl.lit(v, frame.schema[k])).otherwise(pl.col(k)).alias(k)
        for k, v in values.items()
    )
    found = {one.split(":")[0] for one in check_plan(replace(known, **{table: changed}), plan)}
    assert code in found


def test_buses_are_checked() -> None:
    sites = [site("H", "county", 0, 0), site("V1", "village", 30, 0), site("V2", "village", 0, 6)]
    runs = [bus("B", [("H", "08:00"), ("V1", "09:00"), ("H", "10:00")], spare_pieces=20.0)]
    known = county(sites, [pieces("V1", 12, 3), pieces("V2", 10)], buses=runs)
    plan = plan_county(known).with_buses
    assert plan is not None
    assert plan.routes.filter(pl.col("tier") == "bus").height == 1
    assert check_plan(known, plan) == []

    def codes(**values: object) -> set[str]:
        buses = known.buses.with_columns(pl.lit(v, known.buses.schema[k]).alias(k) for k, v in values.items())
        return {one.split(":")[0] for one in check_plan(replace(known, buses=buses), plan)}

    assert "bus-full" in codes(spare_pieces=5.0)
    assert "bus-day" in codes(weekdays="12345")
    assert "wrong-cost" in codes(cost_cny_per_piece=9.0)
    later = known.bus_stops.with_columns(pl.lit("09:30").alias("at"))
    assert any(one.startswith("bus-way") for one in check_plan(replace(known, bus_stops=later), plan))
