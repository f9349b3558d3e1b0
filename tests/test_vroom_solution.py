"""VROOM's answers as routes and stops: priced, split into trips, refused with the path where wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from changtong.errors import InputError, UsageError
from changtong.rural.day_clock import clock_s
from changtong.rural.plan_schemas import ROUTE_SCHEMA, STOP_SCHEMA
from changtong.rural.vroom import read_vroom_solution, routes_of_vroom, vroom_problem
from tests.county_results import small_county, small_result, way_km
from tests.vroom_cases import answer

RESULT = small_result()
COUNTY = RESULT.county


@pytest.mark.parametrize("distances", [True, False])
def test_a_solution_becomes_routes_and_stops(distances: bool) -> None:
    document = vroom_problem(COUNTY, plan=RESULT.shared).document
    made = routes_of_vroom(answer(document, distances=distances), document, COUNTY, weekdays="1")
    assert (dict(made.routes.schema), dict(made.stops.schema)) == (ROUTE_SCHEMA, STOP_SCHEMA)
    assert made.unserved.is_empty()
    row = made.routes.row(by_predicate=pl.col("from_site") == "T1", named=True)
    way = ["T1", "V1", "V2", "V3", "T1"]
    km = sum(way_km(a, b) for a, b in zip(way, way[1:], strict=False))
    assert row["distance_km"] == pytest.approx(km, abs=0.003)
    assert row["departs"] == "08:36:00"
    assert row["delivered_pieces"] == pytest.approx(84 + 60 + 84)
    assert row["hours"] == pytest.approx((clock_s(row["returns"], 0) - clock_s(row["departs"], 0)) / 3600)
    cost = 0.4 * row["distance_km"] + 20.0 * row["hours"] + 90.0
    assert row["cost_cny"] == pytest.approx(cost)
    assert row["kgco2e"] == pytest.approx(0.05 * row["distance_km"])
    stops = made.stops.filter(pl.col("route_id") == row["route_id"])
    assert stops["site_id"].to_list() == ["V1", "V2", "V3"]
    assert stops["delivered_cold_pieces"].to_list() == [6.0, 0.0, 0.0]
    assert stops["distance_km"][0] == pytest.approx(way_km("T1", "V1"), abs=0.001)
    first = stops.row(0, named=True)
    assert clock_s(first["departs"], 0) - clock_s(first["arrives"], 0) == 60 + 300 + 3 * 108


def test_shipments_that_come_back_to_the_depot_are_several_trips() -> None:
    document = vroom_problem(COUNTY, form="shipments").document
    brought = {one["delivery"]["description"]: one["delivery"]["id"] for one in document["shipments"]
               if one["pickup"]["description"] == "HUB"}  # fmt: skip
    taken = {one["pickup"]["description"]: one["pickup"]["id"] for one in document["shipments"]
             if one["delivery"]["description"] == "HUB"}  # fmt: skip

    def step(kind: str, name: int, arrival: int) -> dict[str, Any]:
        return {"type": kind, "id": name, "arrival": arrival, "service": 100}

    steps = [
        {"type": "start", "arrival": 0},
        step("pickup", brought["V7"], 1000), step("delivery", brought["V7"], 2000),
        step("pickup", taken["V7"], 2100), step("delivery", taken["V7"], 3000),
        step("pickup", brought["V1"], 3100), step("delivery", brought["V1"], 9000),
        {"type": "end", "arrival": 20000},
    ]  # fmt: skip
    done = {("pickup", brought["V7"]), ("delivery", brought["V7"]), ("pickup", taken["V7"]),
            ("delivery", taken["V7"]), ("pickup", brought["V1"]), ("delivery", brought["V1"])}  # fmt: skip
    left = [
        {"id": one[kind]["id"], "type": kind}
        for one in document["shipments"]
        for kind in ("pickup", "delivery")
        if (kind, one[kind]["id"]) not in done
    ]
    solution = {"code": 0, "routes": [{"vehicle": 1, "steps": steps}], "unassigned": left}
    made = routes_of_vroom(solution, document, COUNTY)
    facts = made.routes.select("trip", "departs", "returns", "delivered_pieces", "collected_pieces").rows()
    assert facts == [
        (1, "00:18:20", "00:50:00", 130.0, 40.0),
        (2, "00:53:20", "05:33:20", 84.0, 0.0),
    ]
    stop = made.stops.row(0, named=True)  # bringing and taking at one place is one stop
    assert (stop["arrives"], stop["departs"]) == ("00:33:20", "00:36:40")
    day = made.routes["cost_cny"] - 0.4 * made.routes["distance_km"] - 20.0 * made.routes["hours"]
    assert day.to_list() == pytest.approx([90.0, 0.0])  # the vehicle's day is paid once
    # the pieces of V8: 6 in and 1 out a day, seven days
    lost = made.unserved.filter(pl.col("site_id") == "V8")
    assert lost["pieces_per_week"].sum() == pytest.approx(49.0)
    assert set(made.unserved["code"]) == {"vroom-unassigned"}


def change_step(key: str, value: Any) -> Any:
    def change(solution: dict[str, Any]) -> None:
        solution["routes"][0]["steps"][1][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        (lambda s: s.update(code=2, error="no"), "vroom-failed", "$.code"),
        (lambda s: s["routes"].pop(), "vroom-missing", "$"),
        (lambda s: s["unassigned"].append({"id": 1, "type": "job"}), "vroom-twice", "$.unassigned[0].id"),
        (lambda s: s["routes"][0].update(vehicle=99), "unknown-value", "$.routes[0].vehicle"),
        (lambda s: s["routes"][0]["steps"].pop(), "missing-value", "$.routes[0].steps"),
        (lambda s: s["routes"][0]["steps"].pop(0), "missing-value", "$.routes[0].steps[0]"),
        (change_step("id", 77), "unknown-value", "$.routes[0].steps[1].id"),
        (change_step("type", "break"), "vroom-unsupported", "$.routes[0].steps[1].type"),
        (
            change_step("violations", [{"cause": "load"}]),
            "vroom-violation",
            "$.routes[0].steps[1].violations",
        ),
        (change_step("arrival", 200_000), "out-of-range", "$.routes[0].steps[1].arrival"),
        (change_step("arrival", None), "missing-value", "$.routes[0].steps[1].arrival"),
    ],
)
def test_a_wrong_solution_is_told_with_its_path(change: Any, code: str, where: str) -> None:
    document = vroom_problem(COUNTY, plan=RESULT.shared).document
    solution = answer(document)
    change(solution)
    with pytest.raises(InputError) as caught:
        routes_of_vroom(solution, document, COUNTY)
    assert (code, where) in {(problem.code, problem.column) for problem in caught.value.problems}


def test_a_problem_that_is_not_ours_cannot_price_a_solution(tmp_path: Path) -> None:
    broken = vroom_problem(COUNTY, plan=RESULT.shared).document
    del broken["jobs"][0]["description"]
    for document in (
        {"jobs": []},
        broken,
        vroom_problem(small_county()).document | {"changtong": {"vehicles": [1]}},
    ):
        with pytest.raises(InputError) as caught:
            routes_of_vroom({"code": 0}, document, COUNTY)
        assert caught.value.problems[0].code == "vroom-ambiguous"
    (tmp_path / "p.json").write_text("[]")
    with pytest.raises(InputError):
        read_vroom_solution(tmp_path / "p.json", tmp_path / "p.json", COUNTY)


def test_a_problem_of_another_county_is_refused() -> None:
    document = vroom_problem(COUNTY, plan=RESULT.shared).document
    other = COUNTY.with_tables(sites=COUNTY.sites.filter(pl.col("site_id") != "V3"))
    with pytest.raises(InputError, match="vroom-ambiguous"):
        routes_of_vroom(answer(document), document, other)


def test_sums_of_an_answer() -> None:
    document = vroom_problem(COUNTY, plan=RESULT.shared).document
    solution = answer(document)
    gone = solution["routes"].pop(0)
    lost = [step["id"] for step in gone["steps"] if step["type"] == "job"]
    solution["unassigned"] = [{"id": name, "type": "job"} for name in lost]
    made = routes_of_vroom(solution, document, COUNTY, weekdays="135")
    facts = made.summary()
    assert (facts["trips"], facts["vehicles"], facts["unserved_sites"]) == (2, 2, len(lost))
    assert facts["sites"] == sum(len(route["steps"]) - 2 for route in solution["routes"])
    assert facts["distance_km"] == pytest.approx(
        sum(route["steps"][-1]["distance"] for route in solution["routes"]) / 1000
    )
    pieces = sum(sum(job["delivery"]) + sum(job["pickup"]) for job in document["jobs"] if job["id"] in lost)
    scale = document["changtong"]["amount_per_piece"]
    assert facts["unserved_pieces_per_week"] == pytest.approx(3 * pieces / scale)
    assert f"left out: {len(lost)} sites" in str(made)
    unknown = COUNTY.with_tables(
        vehicles=COUNTY.vehicles.with_columns(kgco2e_per_km=pl.lit(None, pl.Float64))
    )
    assert routes_of_vroom(solution, document, unknown).summary()["kgco2e"] is None


@pytest.mark.parametrize("weekdays", ["", "8", "31", "11", "1 3", "mon", "1\n"])
def test_wrong_weekdays_are_refused(weekdays: str) -> None:
    document = vroom_problem(COUNTY, plan=RESULT.shared).document
    with pytest.raises(UsageError) as caught:
        routes_of_vroom(answer(document), document, COUNTY, weekdays=weekdays)
    assert caught.value.code == "bad-weekdays"
