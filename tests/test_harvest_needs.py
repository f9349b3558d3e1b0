"""What harvest needs: by hand, against plain Python on drawn plans, nothing for a plan against itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from coverage_cases import four_villages

from changtong.errors import UsageError
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.harvest_needs import needs_at_harvest
from changtong.rural.plan_schemas import PLAN_TABLES
from tests.county_results import small_result

Call = tuple[str, float, float]
"""Site, cold pieces brought, cold pieces taken."""


def county(name: str = "now") -> County:
    """Four villages with a cold van of 20 cold pieces, of which there are two, and a lorry of 50."""
    made = four_villages(cold_pieces=20, count=2)
    lorry = made.vehicles.with_columns(
        vehicle_type=pl.lit("lorry"), cold_pieces=pl.lit(50.0), count=pl.lit(None, pl.Int64)
    )
    return made.with_tables(name=name, vehicles=pl.concat([made.vehicles, lorry]))


def plan(trips: list[tuple[str, str, str, int, int, str, list[Call]]], **more: Any) -> CountyPlan:
    """A plan of trips: tier, weekdays, type, vehicle, trip, base, calls; a CNY and a km for each."""
    routes, stops = [], []
    for k, (tier, days, kind, number, trip, base, calls) in enumerate(trips):
        routes.append((f"r{k}", tier, days, kind, number, trip, base, "08:00:00", "09:00:00", 1.0, 1.0)
                      + (0.0, 0.0, 1.0, 0.5))  # fmt: skip
        stops += [(f"r{k}", place, site, "08:30:00", "08:30:00", 0.5, brought, taken, brought, taken)
                  for place, (site, brought, taken) in enumerate(calls, 1)]  # fmt: skip
    rows = {"routes": routes, "stops": stops} | more.pop("tables", {})
    frames = {name: pl.DataFrame(rows.get(name, []), schema=schema, orient="row")
              for name, schema in PLAN_TABLES.items()}  # fmt: skip
    figures = {"cost_cny": 100.0, "distance_km": 10.0, "hours": 5.0, "kgco2e": 2.0, "pieces": 50.0}
    return CountyPlan(name="shared", **frames, **(figures | more))


NOW = plan(
    [
        ("trunk", "1234567", "lorry", 1, 1, "H", [("T", 10, 4)]),
        ("local", "135", "van", 1, 1, "T", [("A", 6, 1), ("B", 4, 8)]),
        ("local", "1", "van", 1, 2, "T", [("C", 0, 15)]),
        ("local", "12", "van", 2, 1, "H", [("D", 0, 0)]),
        ("bus", "1234567", "B1", 1, 1, "H", [("D", 0, 0)]),
    ],
    tables={
        "stations": [("T", "1234567", 3, 70.0, 30.0, "08:00:00", 9.0)],
        "unserved": [("D", "post", 7.0, "no-capacity", "full"), ("D", None, 2.0, "no-vehicle", "none")],
    },
)
THEN = plan(
    [
        ("local", "1234567", "van", 1, 1, "H", [("A", 6, 12), ("B", 4, 30)]),
        ("local", "14", "van", 2, 1, "H", [("C", 0, 3)]),
        ("local", "1", "lorry", 1, 1, "H", [("D", 0, 50)]),
        ("local", "1", "lorry", 1, 2, "H", [("D", 0, 20)]),
    ],
    tables={
        "unserved": [("D", "post", 8.5, "no-capacity", "full"), ("A", "post", 4.0, "cold-too-long", "far")]
    },
    cost_cny=160.0,
    kgco2e=None,
)


def test_by_hand() -> None:
    found = needs_at_harvest(NOW, THEN, county(), county("then"))
    figures = {row[0]: row[1:] for row in found.figures.rows()}
    assert figures["cost_cny"] == (100.0, 160.0, 60.0)
    assert figures["kgco2e"] == (2.0, None, None)
    assert figures["unserved_pieces"] == (9.0, 12.5, 3.5)
    # Monday: a lorry and two vans; then two vans and a lorry as well
    assert figures["vehicles"] == (3.0, 3.0, 0.0)
    assert figures["vehicle_days"] == (7 + 3 + 2, 7 + 2 + 1, -2)
    assert figures["stations"] == (1.0, 0.0, -1.0)
    assert found.vehicles.rows() == [
        ("lorry", None, 50.0, 1, 1, 0, 7, 1, -6),
        ("van", 2, 20.0, 2, 2, 0, 5, 9, 4),
    ]
    # the trunk brings 10 and takes 4: ten at most are aboard. Monday's van 1 holds 10 on its first trip and
    # 15 on its second; then 10, 16, 42 on Mondays beside three in van 2 and fifty in the lorry
    assert found.cold.rows() == [
        ("trunk", 14.0, 0.0, -14.0, 10.0, 0.0, -10.0, 50.0, 0.0, -50.0),
        ("local", 34.0, 125.0, 91.0, 15.0, 95.0, 80.0, 20.0, 90.0, 70.0),
    ]
    assert found.stations.rows() == [("T", None, "shut", 7, 0, 100.0, 0.0)]
    assert found.unserved.rows() == [
        ("A", "post", "cold-too-long", 0.0, 4.0, 4.0),
        ("D", "post", "no-capacity", 7.0, 8.5, 1.5),
        ("D", None, "no-vehicle", 2.0, 0.0, -2.0),
    ]
    facts = json.loads(found.to_json())
    assert (facts["stations_opened"], facts["stations_shut"]) == ([], ["T"])
    assert facts["figures"]["cost_cny"] == {"now": 100.0, "harvest": 160.0, "more": 60.0}
    said = str(found)
    assert "all 2 there are" in said
    # three and a half pieces more stay behind: less is told than harvest needs
    assert (found.complete, found.more_unserved_pieces, facts["complete"]) == (False, 3.5, False)
    assert "NOT ALL IS SERVED: the plan at harvest leaves 4 pieces" in said
    assert "unknown" in said
    assert "more unserved: A post +4 (cold-too-long)" in said
    back = needs_at_harvest(THEN, NOW, county("then"), county())
    assert back.summary()["stations_opened"] == ["T"]
    assert (back.complete, back.more_unserved_pieces) == (True, 0.0)
    assert "NOT ALL" not in str(back)
    assert back.cold["more_space"].to_list() == [50.0, -70.0]


@pytest.mark.parametrize("answer", ["shared", "with_buses"])
def test_a_plan_against_itself_needs_nothing(answer: str) -> None:
    result = small_result()
    one = getattr(result, answer)
    found = needs_at_harvest(one, one, result.county, result.county)
    for frame in (found.figures, found.vehicles, found.cold, found.unserved):
        assert frame.height > 0
        for name in (name for name in frame.columns if name.startswith("more")):
            assert frame[name].unique().to_list() == [0]
    assert set(found.stations["state"]) == {"kept"}
    now = dict(found.figures.select("figure", "now").iter_rows())
    assert (now["cost_cny"], now["vehicle_days"]) == (one.cost_cny, one.summary()["vehicle_days"])
    assert "-0" not in str(found)


def test_plans_without_trips() -> None:
    found = needs_at_harvest(plan([]), plan([]), county(), county())
    assert dict(found.figures.select("figure", "more").iter_rows())["vehicles"] == 0
    assert [frame.height for frame in (found.vehicles, found.cold, found.stations, found.unserved)] == [0] * 4
    assert "stations opened: none" in str(found)


def drawn(rng: np.random.Generator) -> CountyPlan:
    """Trips drawn at random; each vehicle's trips are on the same days."""
    trips = []
    for kind in ("van", "lorry"):
        for number in range(1, int(rng.integers(1, 5))):
            days = "".join(day for day in "1234567" if rng.random() < 0.5) or "4"
            tier, base = ("trunk", "H") if rng.random() < 0.3 else ("local", str(rng.choice(["H", "T"])))
            for trip in range(1, int(rng.integers(2, 4))):
                calls = [(site, float(rng.integers(0, 4)), float(rng.integers(0, 4))) for site in "ABC"]
                trips.append((tier, days, kind, number, trip, base, calls))
    return plan(trips)


def most_cold(one: CountyPlan, tier: str) -> tuple[float, float, float]:
    """Pieces, aboard and space of a level, the most on one weekday each, in plain Python."""
    room = {"van": 20.0, "lorry": 50.0}
    days = []
    for day in "1234567":
        pieces, fullest = 0.0, {}
        for row in one.routes.iter_rows(named=True):
            if row["tier"] != tier or day not in row["weekdays"]:
                continue
            calls = one.stops.filter(pl.col("route_id") == row["route_id"]).sort("stop").to_dicts()
            aboard = most = sum(call["delivered_cold_pieces"] for call in calls)
            for call in calls:
                aboard += call["collected_cold_pieces"] - call["delivered_cold_pieces"]
                most = max(most, aboard)
            moved = sum(call["delivered_cold_pieces"] + call["collected_cold_pieces"] for call in calls)
            if moved:
                pieces += moved
                key = (row["from_site"], row["vehicle_type"], row["vehicle"])
                fullest[key] = max(fullest.get(key, 0.0), most)
        days.append((pieces, sum(fullest.values()), sum(room[key[1]] for key in fullest)))
    return tuple(max(column) for column in zip(*days, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(12))
def test_cold_figures_are_those_of_plain_python(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = drawn(rng), drawn(rng)
    found = needs_at_harvest(first, second, county(), county())
    rows = {row["tier"]: row for row in found.cold.iter_rows(named=True)}
    for tier in ("trunk", "local"):
        for when, one in (("now", first), ("harvest", second)):
            row = rows.get(tier, {})
            told = tuple(row.get(f"{when}_{what}", 0.0) for what in ("pieces", "aboard", "space"))
            assert told == pytest.approx(most_cold(one, tier))


def test_other_villages_are_refused() -> None:
    one = county()
    fewer = one.with_tables(sites=one.sites.filter(pl.col("site_id") != "D"))
    moved = one.with_tables(sites=one.sites.with_columns(lon=pl.col("lon") + 0.5))
    for first, second, said in (
        (one, fewer, "1 are not in the second .D."),
        (fewer, one, "1 are not in the first .D."),
        (one, moved, "4 lie elsewhere .A, B, C, D."),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            needs_at_harvest(NOW, THEN, first, second)
        assert caught.value.code == "villages-differ"
    closed = one.with_tables(sites=one.sites.filter(pl.col("site_id") != "T"))  # another station is no matter
    assert needs_at_harvest(THEN, NOW, one, closed).summary()["stations_opened"] == ["T"]


def test_a_type_that_is_gone_is_described_as_it_was() -> None:
    then = county("then")
    then = then.with_tables(vehicles=then.vehicles.filter(pl.col("vehicle_type") == "lorry"))
    only = replace(THEN, routes=THEN.routes.filter(pl.col("vehicle_type") == "lorry"))
    found = needs_at_harvest(NOW, only, county(), then)
    assert found.vehicles.filter(pl.col("vehicle_type") == "van").row(0)[1:6] == (2, 20.0, 2, 0, -2)
