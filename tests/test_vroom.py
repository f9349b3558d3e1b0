"""VROOM JSON: what both can say comes back the same, the rest is refused with its path."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from changtong.errors import InputError, NotFoundError, UsageError
from changtong.rural.county import COUNTY_TABLES, County
from changtong.rural.day_clock import clock_s
from changtong.rural.vroom import (
    county_of_vroom,
    read_vroom,
    vroom_problem,
    write_vroom,
)
from changtong.rural.vroom_ways import ways_between
from tests.county_results import small_result, way_km

RESULT = small_result()
COUNTY = RESULT.county
PLAIN: dict[str, Any] = {
    "vehicles": [
        {"id": 1, "description": "van", "start": [112.0, 34.0], "end": [112.0, 34.0], "capacity": [40],
         "costs": {"fixed": 90, "per_hour": 20, "per_km": 2}, "time_window": [21600, 50400],
         "max_travel_time": 28800, "max_distance": 80000},
        {"id": 2, "description": "van", "start": [112.0, 34.0], "end": [112.0, 34.0], "capacity": [40],
         "costs": {"fixed": 90, "per_hour": 20, "per_km": 2}, "time_window": [21600, 50400],
         "max_travel_time": 28800, "max_distance": 80000},
    ],
    "jobs": [
        {"id": 1, "description": "a", "location": [112.1, 34.1], "service": 300, "delivery": [7],
         "pickup": [0]},
        {"id": 2, "description": "b", "location": [112.2, 34.0], "service": 90, "delivery": [3],
         "pickup": [5], "time_windows": [[28800, 36000]]},
    ],
}  # fmt: skip
"""A problem as others write it: no member of ours."""


def problems_of(document: Any, **options: Any) -> set[tuple[str, str | None]]:
    with pytest.raises(InputError) as caught:
        county_of_vroom(document, **options)
    return {(problem.code, problem.column) for problem in caught.value.problems}


def with_change(path: str, value: Any) -> dict[str, Any]:
    """Return the plain problem with one value put at a path such as ``jobs.0.service``."""
    document = copy.deepcopy(PLAIN)
    *way, last = path.split(".")
    owner: Any = document
    for part in way:
        owner = owner[int(part)] if part.isdigit() else owner[part]
    owner[int(last) if last.isdigit() else last] = value
    return document


def test_villages_are_jobs_with_ordinary_and_cold_pieces() -> None:
    made = vroom_problem(COUNTY)
    member = made.document["changtong"]
    jobs = {job["description"]: job for job in made.document["jobs"]}
    assert list(jobs) == [f"V{k}" for k in range(1, 9)]
    scale = member["amount_per_piece"]
    assert scale == 1000
    # V1: 60 pieces of which a tenth is cold, and 24 of the other firm; 18 and 6 back
    assert [value / scale for value in jobs["V1"]["delivery"]] == [78.0, 6.0]
    assert [value / scale for value in jobs["V1"]["pickup"]] == pytest.approx([22.2, 1.8])
    assert [value / scale for value in jobs["V3"]["delivery"]] == [84.0, 0.0]  # three visits: 36 x 7 / 3
    assert jobs["V1"]["service"] == 300 + 3 * (60 + 24 + 18 + 6)
    assert jobs["V1"]["location"] == [112.151, 33.822]
    vehicle = made.document["vehicles"][0]
    assert vehicle["capacity"] == [160 * scale, 20 * scale]
    assert vehicle["time_window"] == [6 * 3600, 14 * 3600]  # one shift from its beginning
    assert vehicle["max_distance"] == 80_000
    cost = member["cost_per_cny"]
    assert vehicle["costs"] == {"fixed": 90 * cost, "per_hour": 20 * cost, "per_km": 2 * cost // 5}
    assert len(made.document["vehicles"]) == 8  # hired: as many as villages
    assert set(made.notes) == {
        "amounts-rounded",
        "cold-hours",
        "hired-limited",
        "hours-are-travel",
        "one-trip",
    }


def test_matrices_hold_distances_times_and_listed_roads() -> None:
    road = {"from_site": "HUB", "to_site": "V7", "distance_km": 12.5, "travel_h": 0.5}
    roads = pl.DataFrame([road], schema=COUNTY.roads.schema)
    county = dataclasses.replace(COUNTY, roads=roads)
    document = vroom_problem(county).document
    (held,) = document["matrices"].values()
    at = {job["description"]: job["location_index"] for job in document["jobs"]}
    hub = document["vehicles"][0]["start_index"]
    assert (held["distances"][hub][at["V7"]], held["durations"][hub][at["V7"]]) == (12_500, 1800)
    assert held["distances"][at["V7"]][hub] == round(1000 * way_km("V7", "HUB"))  # a road has one direction
    assert held["durations"][hub][at["V1"]] == pytest.approx(3600 * way_km("HUB", "V1") / 25.0, abs=1.0)
    assert all(held["distances"][k][k] == 0 for k in range(9))


def test_without_matrices_the_engine_is_asked_and_that_is_noted() -> None:
    made = vroom_problem(COUNTY, matrices=False)
    assert "matrices" not in made.document
    assert "location_index" not in made.document["jobs"][0]
    assert "engine-roads" in made.notes


def test_a_firm_has_its_own_pieces() -> None:
    document = vroom_problem(COUNTY, firm="乙快递").document
    assert [job["description"] for job in document["jobs"]] == ["V1", "V2", "V4", "V5", "V7", "V8"]
    assert document["jobs"][0]["delivery"] == [24 * document["changtong"]["amount_per_piece"], 0]


def test_the_days_of_a_plan_are_told_with_its_vehicles_and_stations() -> None:
    plan = RESULT.shared
    monday = vroom_problem(COUNTY, plan=plan, weekday=1)
    assert {job["description"] for job in monday.document["jobs"]} == {"V1", "V2", "V3", "V4", "V5", "V7"}
    tuesday = vroom_problem(COUNTY, plan=plan, weekday=2).document
    assert {job["description"] for job in tuesday["jobs"]} == {"V1", "V2", "V4", "V5", "V6", "V7"}
    assert monday.document["changtong"]["vehicles"] == [
        ["电动三轮", 1, 1, "HUB"], ["电动三轮", 1, 1, "T1"], ["电动三轮", 1, 2, "T1"],
        ["电动三轮", 1, 1, "T2"],
    ]  # fmt: skip
    first, second = monday.document["vehicles"][1:3]
    assert first["time_window"][1] == second["time_window"][0] == clock_s("11:30", 0)
    assert second["costs"]["fixed"] == 0
    assert "trips-as-vehicles" in monday.notes
    skills = {job["description"]: job["skills"] for job in monday.document["jobs"]}
    assert skills["V1"] == skills["V3"] == first["skills"] != skills["V4"]


def test_the_plans_own_routes_keep_the_limits_of_the_problem() -> None:
    """Each trip of the plan fits into its vehicle's window and distance."""
    plan = RESULT.shared
    for weekday in range(1, 8):
        document = vroom_problem(COUNTY, plan=plan, weekday=weekday).document
        for vehicle, (_, number, trip, depot) in zip(
            document["vehicles"], document["changtong"]["vehicles"], strict=True
        ):
            route = plan.routes.filter(
                (pl.col("from_site") == depot) & (pl.col("vehicle") == number) & (pl.col("trip") == trip)
                & (pl.col("tier") == "local") & pl.col("weekdays").str.contains(str(weekday))
            ).row(0, named=True)  # fmt: skip
            assert vehicle["time_window"][0] <= clock_s(route["departs"], 0)
            assert clock_s(route["returns"], 0) <= vehicle["time_window"][1]
            assert 1000 * route["distance_km"] <= vehicle["max_distance"] + 1


def test_shipments_let_a_vehicle_come_back_for_more() -> None:
    document = vroom_problem(COUNTY, form="shipments").document
    assert "jobs" not in document
    first, second = document["shipments"][:2]
    assert (first["pickup"]["description"], first["delivery"]["description"]) == ("HUB", "V1")
    assert (second["pickup"]["description"], second["delivery"]["description"]) == ("V1", "HUB")
    assert first["delivery"]["setup"] == 300  # standing counts once for both
    for kind in ("pickup", "delivery"):
        ids = [shipment[kind]["id"] for shipment in document["shipments"]]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"form": "trips"}, UsageError),
        ({"plan": RESULT.shared, "weekday": 0}, UsageError),
        ({"plan": RESULT.shared, "firm": "甲快递"}, UsageError),
        ({"firm": "丙"}, NotFoundError),
    ],
)
def test_questions_that_cannot_be_meant_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        vroom_problem(COUNTY, **options)


def test_nobody_to_visit_and_no_vehicle_are_told() -> None:
    for change in ({"pieces": COUNTY.pieces.clear()}, {"vehicles": COUNTY.vehicles.clear()}):
        with pytest.raises(NotFoundError):
            vroom_problem(dataclasses.replace(COUNTY, **change))


def test_a_foreign_problem_becomes_a_county() -> None:
    county = county_of_vroom(PLAIN)
    assert county.hub == "HUB"
    assert county.sites.select("site_id", "lon", "lat", "stop_min", "opens", "closes").rows() == [
        ("HUB", 112.0, 34.0, 5.0, None, None),
        ("a", 112.1, 34.1, 5.0, None, None),
        ("b", 112.2, 34.0, 1.5, "08:00", "10:00"),
    ]
    assert county.pieces.select("site_id", "inbound_pieces_per_day", "outbound_pieces_per_day").rows() == [
        ("a", 7.0, 0.0), ("b", 3.0, 5.0),
    ]  # fmt: skip
    van = county.vehicles.row(0, named=True)
    assert (van["vehicle_type"], van["count"], van["capacity_pieces"], van["range_km"]) == (
        "van",
        2,
        40.0,
        80.0,
    )
    assert (van["starts"], van["ends"], van["shift_h"], van["trips_per_day"]) == ("06:00", "14:00", 8.0, 1)
    assert (van["cost_cny_per_day"], van["cost_cny_per_h"], van["cost_cny_per_km"]) == (90.0, 20.0, 2.0)
    assumed = set(county.provenance.filter(pl.col("kind") == "assumed")["column"])
    assert assumed == {"speed_km_per_h", "cost_cny_per_h"}


def assert_same_county(one: County, other: County) -> None:
    for table in set(COUNTY_TABLES) - {"provenance"}:
        assert_frame_equal(getattr(one, table), getattr(other, table), check_exact=True)


ids = st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=5, unique=True)
minute = st.integers(0, 1440)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw problems that a county can hold wholly, in the form we write them."""
    sites = draw(ids)
    shipments = draw(st.booleans())
    matrices = draw(st.booleans())
    size = len(sites) + 1
    place = st.tuples(st.floats(100, 120), st.floats(20, 40)).map(list)
    places = draw(st.lists(place, min_size=size, max_size=size, unique_by=tuple))
    index = (lambda key, k: {key: k}) if matrices else (lambda key, k: {})
    amounts = st.lists(st.integers(0, 500), min_size=2, max_size=2)
    vehicles: list[dict[str, Any]] = []
    for name in draw(st.lists(st.sampled_from("XYZ"), min_size=1, max_size=2, unique=True)):
        first, last = sorted(draw(st.tuples(minute, minute)))
        kind = {"description": name} | ({"profile": "speed-35"} if matrices else {})
        for key in ("start", "end"):
            kind |= {key: places[0]} | index(f"{key}_index", 0)
        kind |= {
            "capacity": draw(amounts),
            "costs": {key: draw(st.integers(0, 900)) for key in ("fixed", "per_hour", "per_km")},
            "time_window": [first * 60, last * 60],
            "max_travel_time": (last - first) * 60,
        }
        if draw(st.booleans()):
            kind["max_distance"] = draw(st.integers(0, 300_000))
        vehicles += [{"id": 0} | kind] * draw(st.integers(1, 3))
    made: dict[str, Any] = {"vehicles": [vehicle | {"id": k} for k, vehicle in enumerate(vehicles, 1)]}
    jobs, shipped = [], []
    for k, site in enumerate(sites, 1):
        there: dict[str, Any] = {"description": site, "location": places[k]} | index("location_index", k)
        times: dict[str, Any] = {}
        if draw(st.booleans()):
            first, last = sorted(draw(st.tuples(minute, minute)))
            if (first, last) != (0, 1440):
                times["time_windows"] = [[first * 60, last * 60]]
        stand = draw(st.integers(0, 3600))
        both = [draw(amounts), draw(amounts)]
        if sum(both[0]) + sum(both[1]) == 0:
            both[0] = [1, 0]
        jobs.append({"id": k, **there, "service": stand, **times, "delivery": both[0], "pickup": both[1]})
        for way, pieces in zip(("delivery", "pickup"), both, strict=True):
            if sum(pieces):
                name = 2 * k - (way == "delivery")
                step = {"id": name, **there} | ({"setup": stand} if stand else {}) | {"service": 0} | times
                home = {"id": name, "description": "H", "location": places[0]} | index("location_index", 0)
                ends = (
                    {"pickup": home, "delivery": step}
                    if way == "delivery"
                    else {"pickup": step, "delivery": home}
                )
                shipped.append(ends | {"amount": pieces})
    made |= {"shipments": shipped} if shipments else {"jobs": jobs}
    if matrices:
        cell = st.integers(1, 50_000)
        made["matrices"] = {
            "speed-35": {
                kind: [[0 if i == j else draw(cell) for j in range(size)] for i in range(size)]
                for kind in ("durations", "distances")
            }
        }
    made["changtong"] = {
        "version": 1, "county": "c", "depots": ["H"], "amounts": ["ordinary", "cold"], "amount_per_piece": 1,
        "cost_per_cny": 1, "firm": "F", "names": {"H": "hub"},
    }  # fmt: skip
    return made


@settings(max_examples=examples(60), deadline=None)
@given(documents())
def test_what_both_can_say_comes_back_the_same(document: dict[str, Any]) -> None:
    county = county_of_vroom(json.loads(json.dumps(document)))
    form = "shipments" if "shipments" in document else "jobs"
    again = vroom_problem(county, form=form, matrices="matrices" in document, firm="F").document  # type: ignore[arg-type]
    assert {key: again[key] for key in document if key != "changtong"} == {
        key: document[key] for key in document if key != "changtong"
    }
    assert_same_county(county, county_of_vroom(json.loads(json.dumps(again))))


@pytest.mark.parametrize(
    ("path", "value", "code", "where"),
    [
        ("jobs.0.skills", [3], "vroom-unsupported", "$.jobs[0].skills"),
        ("jobs.1.priority", 10, "vroom-unsupported", "$.jobs[1].priority"),
        ("jobs.0.setup", 60, "vroom-unsupported", "$.jobs[0].setup"),
        ("jobs.0.amount", [4], "vroom-unsupported", "$.jobs[0].amount"),
        ("jobs.0.service_per_type", {"a": 1}, "vroom-unsupported", "$.jobs[0].service_per_type"),
        ("jobs.0.time_window", [0, 60], "vroom-unknown", "$.jobs[0].time_window"),
        ("jobs.1.time_windows", [[0, 60], [120, 180]], "vroom-unsupported", "$.jobs[1].time_windows"),
        ("jobs.1.time_windows", [[1.7e9, 1.8e9]], "wrong-type", "$.jobs[1].time_windows[0]"),
        ("jobs.1.time_windows", [[1700000000, 1700003600]], "vroom-unsupported", "$.jobs[1].time_windows[0]"),
        ("jobs.1.time_windows", [[61, 120]], "vroom-unsupported", "$.jobs[1].time_windows[0]"),
        ("jobs.1.time_windows", [[180, 120]], "times-reversed", "$.jobs[1].time_windows[0]"),
        ("jobs.0.location", [34.1, 112.1], "odd-position", "$.jobs[0].location"),
        ("jobs.0.location", None, "missing-value", "$.jobs[0].location"),
        ("jobs.0.location", ["a", 1], "wrong-type", "$.jobs[0].location"),
        ("jobs.0.service", -1, "out-of-range", "$.jobs[0].service"),
        ("jobs.0.service", True, "wrong-type", "$.jobs[0].service"),
        ("jobs.0.delivery", [0.5], "wrong-type", "$.jobs[0].delivery[0]"),
        ("jobs.0.delivery", [0], "vroom-unsupported", "$.jobs[0]"),
        ("jobs.0.delivery", [1, 2, 3], "vroom-unsupported", "$.jobs[0]"),
        ("jobs.1.id", 1, "vroom-twice", "$.jobs[1].id"),
        ("jobs.1.description", "a", "duplicate-site", "$.jobs[1].description"),
        ("jobs.0", 7, "wrong-type", "$.jobs[0]"),
        ("jobs", {}, "wrong-type", "$.jobs"),
        ("vehicles", [], "missing-value", "$.vehicles"),
        ("vehicles.0.end", None, "vroom-unsupported", "$.vehicles[0].end"),
        ("vehicles.0.end", [112.5, 34.0], "vroom-unsupported", "$.vehicles[0]"),
        ("vehicles.1.id", 1, "vroom-twice", "$.vehicles[1].id"),
        ("vehicles.0.breaks", [{"id": 1}], "vroom-unsupported", "$.vehicles[0].breaks"),
        ("vehicles.0.max_tasks", 4, "vroom-unsupported", "$.vehicles[0].max_tasks"),
        ("vehicles.0.speed_factor", 0.8, "vroom-unsupported", "$.vehicles[0].speed_factor"),
        ("vehicles.0.skills", [1], "vroom-unsupported", "$.vehicles[0].skills"),
        ("vehicles.0.steps", [{"type": "start"}], "vroom-unsupported", "$.vehicles[0].steps"),
        ("vehicles.0.max_travel_time", 60, "vroom-unsupported", "$.vehicles[0].max_travel_time"),
        ("vehicles.0.costs", {"per_task_hour": 3}, "vroom-unsupported", "$.vehicles[0].costs.per_task_hour"),
        ("vehicles.0.capacity", None, "missing-value", "$.vehicles[0].capacity"),
        ("matrices", {"bike": {}}, "missing-value", "$.matrices"),
        ("matrices", {"car": {"durations": [[0]]}}, "vroom-unsupported", "$.matrices.car"),
        ("matrices", {"car": {"durations": [[0, 1]], "distances": [[0]]}}, "wrong-type",
         "$.matrices.car.durations[0]"),
        ("matrices", {"car": {"durations": [[0]], "distances": [[0]], "costs": [[0]]}}, "vroom-unsupported",
         "$.matrices.car.costs"),
        ("changtong", {"version": 2}, "wrong-type", "$.changtong"),
        ("options", {}, "vroom-unknown", "$.options"),
    ],
)  # fmt: skip
def test_what_a_county_has_nothing_for_is_refused_with_its_path(
    path: str, value: Any, code: str, where: str
) -> None:
    assert (code, where) in problems_of(with_change(path, value))


def test_every_problem_is_told_at_once() -> None:
    document = with_change("jobs.0.skills", [3])
    document["vehicles"][1]["breaks"] = [{"id": 1}]
    document["jobs"][1]["location"] = "here"
    assert problems_of(document) >= {
        ("vroom-unsupported", "$.jobs[0].skills"),
        ("vroom-unsupported", "$.vehicles[1].breaks"),
        ("wrong-type", "$.jobs[1].location"),
    }


def test_a_second_amount_must_be_explained() -> None:
    document = json.loads(
        json.dumps(PLAIN).replace("[40]", "[30, 10]").replace('"delivery": [7]', '"delivery": [5, 2]')
    )
    for job in document["jobs"]:
        job["pickup"] = [0, 0]
        job["delivery"] = (job["delivery"] + [0])[:2]
    assert ("vroom-ambiguous", "$.vehicles[0].capacity") in problems_of(document)
    county = county_of_vroom(document, second_amount="cold")
    assert county.vehicles.select("capacity_pieces", "cold_pieces").row(0) == (40.0, 10.0)
    assert county.pieces["inbound_cold_share"].to_list() == [2 / 7, 0.0]


def test_an_index_beyond_the_matrix_is_told() -> None:
    document = with_change("matrices", {"car": {key: [[0, 1], [1, 0]] for key in ("durations", "distances")}})
    for k, vehicle in enumerate(document["vehicles"]):
        document["vehicles"][k] = vehicle | {"start_index": 0, "end_index": 0}
    document["jobs"][0]["location_index"], document["jobs"][1]["location_index"] = 1, 2
    assert problems_of(document) == {("out-of-range", "$.jobs[1].location_index")}


def shipment(**change: Any) -> dict[str, Any]:
    home = {"id": 1, "location": [112.0, 34.0]}
    made = {"pickup": home, "delivery": {"id": 1, "location": [112.1, 34.1], "service": 60}, "amount": [4]}
    return made | change


@pytest.mark.parametrize(
    ("shipments", "code", "where"),
    [
        ([shipment(pickup={"id": 1, "location": [112.3, 34.0]})], "vroom-unsupported", "$.shipments[0]"),
        ([shipment(pickup={"id": 1, "location": [112.0, 34.0], "service": 9})], "vroom-unsupported",
         "$.shipments[0].pickup"),
        ([shipment(amount=[0])], "vroom-unsupported", "$.shipments[0].amount"),
        ([shipment(skills=[1])], "vroom-unsupported", "$.shipments[0].skills"),
        ([shipment(), shipment()], "vroom-twice", "$.shipments[1].pickup.id"),
        ([{"amount": [1]}], "wrong-type", "$.shipments[0].pickup"),
    ],
)  # fmt: skip
def test_shipments_go_from_the_depot_or_to_it(shipments: list[Any], code: str, where: str) -> None:
    document = {"vehicles": PLAIN["vehicles"], "shipments": shipments}
    assert (code, where) in problems_of(document)


def test_jobs_and_shipments_together_are_refused() -> None:
    assert ("vroom-unsupported", "$.shipments") in problems_of(PLAIN | {"shipments": [shipment()]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 90_000) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PATHS = [
    "vehicles", "vehicles.0", "vehicles.0.start", "vehicles.0.costs", "vehicles.0.capacity", "vehicles.0.id",
    "vehicles.0.time_window", "vehicles.0.description", "jobs", "jobs.0", "jobs.0.location",
    "jobs.0.delivery", "jobs.0.id", "jobs.1.time_windows", "shipments", "matrices", "changtong",
    "jobs.0.description",
]  # fmt: skip


@settings(max_examples=examples(150), deadline=None)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_whatever_stands_there_is_read_or_refused(path: str, value: Any) -> None:
    try:
        county = county_of_vroom(with_change(path, value))
    except InputError as error:
        told = error.problems
    else:
        told = ()
        assert vroom_problem(county).document["jobs"]
    assert all(problem.column for problem in told)


def test_files_are_written_whole_and_read(tmp_path: Path) -> None:
    made = write_vroom(COUNTY, tmp_path / "problem.json", plan=RESULT.shared)
    assert json.loads((tmp_path / "problem.json").read_text("utf-8")) == made.document
    assert [entry.name for entry in tmp_path.iterdir()] == ["problem.json"]
    (tmp_path / "plain.json").write_text(json.dumps(PLAIN), "utf-8")
    assert read_vroom(tmp_path / "plain.json").name == "plain"
    for text in ("{", '{"jobs": NaN}', "[" * 100_000):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError) as caught:
            read_vroom(tmp_path / "bad.json")
        assert caught.value.problems[0].code == "unreadable-file"
    with pytest.raises(InputError) as caught:
        read_vroom(tmp_path / "none.json")
    assert caught.value.problems[0].code == "missing-file"


def test_ways_are_great_circles_times_the_factor() -> None:
    km, hours = ways_between(COUNTY, ["HUB", "V1", "HUB"])
    assert km[0, 1] == pytest.approx(way_km("HUB", "V1"), rel=1e-9)
    assert km[0, 2] == 0.0
    assert bool((hours != hours).all())
