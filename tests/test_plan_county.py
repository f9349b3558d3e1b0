"""Plans of counties: tiny ones against enumeration, couplings, what is impossible, sameness, never worse."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from county_cases import bus, county, drawn, pieces, site, tiny, vehicle, with_sites

from changtong.errors import UsageError
from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_question import CountySettings, ask
from changtong.rural.impossible import find_possible
from changtong.rural.plan_county import plan_county
from changtong.rural.plan_question import plan_question


def partitions(items: list[str]) -> list[list[list[str]]]:
    """Return every way to put items into groups."""
    if not items:
        return [[]]
    first, found = items[0], []
    for rest in partitions(items[1:]):
        found += [[*rest[:k], [first, *rest[k]], *rest[k + 1 :]] for k in range(len(rest))]
        found.append([[first], *rest])
    return found


class Enumeration:
    """All open sets, assignments, groups and orders of a county visited every day, without windows.

    Vehicles are hired, one trip each: trips_per_day is 1 in the cases.
    """

    def __init__(self, known: County) -> None:
        self.sites = {row["site_id"]: row for row in known.sites.to_dicts()}
        self.pieces = {row["site_id"]: row for row in known.pieces.to_dicts()}
        self.vehicles = known.vehicles.to_dicts()
        self.hub = known.hub
        self.stations = [s for s, row in self.sites.items() if row["kind"] == "township"]
        self.villages = [s for s in self.pieces if self.sites[s]["kind"] == "village"]

    def km(self, a: str, b: str) -> float:
        one, two = self.sites[a], self.sites[b]
        la, lb = math.radians(one["lat"]), math.radians(two["lat"])
        h = math.sin((lb - la) / 2) ** 2
        h += math.cos(la) * math.cos(lb) * math.sin(math.radians(two["lon"] - one["lon"]) / 2) ** 2
        return 1.3 * 2 * 6371.0088 * math.asin(math.sqrt(h))

    def tour(
        self, base: str, order: tuple[str, ...], amounts: dict[str, tuple[float, float]], tier: str
    ) -> float:
        """Return the cheapest vehicle's cost of a round trip in an order, infinite where none can."""
        km = sum(self.km(a, b) for a, b in zip((base, *order), (*order, base), strict=True))
        best = math.inf
        for v in self.vehicles:
            if v["tier"] not in (tier, "any"):
                continue
            load = sum(amounts[s][0] for s in order)
            most = load
            for s in order:
                load += amounts[s][1] - amounts[s][0]
                most = max(most, load)
            stand = sum(
                (self.sites[s]["stop_min"] + self.sites[s]["piece_min"] * sum(amounts[s])) / 60 for s in order
            )
            hours = km / v["speed_km_per_h"] + stand
            if most > v["capacity_pieces"] or hours > v["shift_h"]:
                continue
            if v["range_km"] is not None and km > v["range_km"]:
                continue
            cost = v["cost_cny_per_day"] + km * v["cost_cny_per_km"] + hours * v["cost_cny_per_h"]
            best = min(best, cost)
        return best

    def level(self, base: str, sites: list[str], amounts: dict[str, tuple[float, float]], tier: str) -> float:
        """Return the cheapest routes from a base to sites."""
        return min(
            sum(
                min(self.tour(base, order, amounts, tier) for order in permutations(group))
                for group in groups
            )
            for groups in partitions(sites)
        )

    def day(self) -> float:
        """Return the cheapest day."""
        amounts = {
            s: (row["inbound_pieces_per_day"], row["outbound_pieces_per_day"])
            for s, row in self.pieces.items()
        }
        best = math.inf
        for bases in product([self.hub, *self.stations], repeat=len(self.villages)):
            total = 0.0
            passed: dict[str, tuple[float, float]] = {}
            for base in sorted(set(bases)):
                mine = [v for v, b in zip(self.villages, bases, strict=True) if b == base]
                total += self.level(base, mine, amounts, "local")
                if base != self.hub:
                    passed[base] = (sum(amounts[v][0] for v in mine), sum(amounts[v][1] for v in mine))
                    row = self.sites[base]
                    total += row["open_cny_per_day"] + row["handle_cny_per_piece"] * sum(passed[base])
            if total < best:
                total += self.level(self.hub, sorted(passed), passed, "trunk") if passed else 0.0
                best = min(best, total)
        return best


TINY = {
    "hub alone is best": ({}, [vehicle(trips_per_day=1)]),
    "small vehicles near the villages": (
        {},
        [
            vehicle(vehicle_type="truck", tier="trunk", trips_per_day=1, cost_cny_per_day=60.0),
            vehicle(vehicle_type="trike", tier="local", capacity_pieces=60.0, range_km=70.0, trips_per_day=1,
                    cost_cny_per_day=30.0, cost_cny_per_km=0.2, cost_cny_per_h=15.0),
        ],
    ),
    "rent and handling": (
        {"open_cny_per_day": 25.0, "handle_cny_per_piece": 0.2},
        [
            vehicle(vehicle_type="truck", tier="trunk", trips_per_day=1, cost_cny_per_day=40.0),
            vehicle(vehicle_type="trike", tier="local", capacity_pieces=45.0, trips_per_day=1,
                    cost_cny_per_day=20.0),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TINY)
@pytest.mark.parametrize("layout", range(3))
def test_tiny_counties_equal_enumeration(case: str, layout: int) -> None:
    station, vehicles = TINY[case]
    spots = [
        [(24, 2), (24, -2), (22, 5), (0, 5), (28, 0)],
        [(18, 8), (25, -3), (-6, 4), (21, -9), (30, 2)],
        [(20, 3), (21, -3), (2, 21), (-2, 19), (3, 24)],
    ][layout]
    sites = [
        site("H", "county", 0, 0),
        site("S1", "township", 21, 0, **station),
        site("S2", "township", 1, 20, **station),
    ]
    sites += [site(f"V{k}", "village", x, y) for k, (x, y) in enumerate(spots)]
    demand = [pieces(f"V{k}", 12.0 + 5 * k, 2.0 + k) for k in range(len(spots))]
    known = county(sites, demand, vehicles)
    found = plan_county(known).shared
    assert found.unserved.is_empty()
    assert found.cost_cny / 7 == pytest.approx(Enumeration(known).day(), rel=1e-3)


def test_three_answers_hold_and_are_the_same_twice(tmp_path: Path) -> None:
    known = drawn(18, 3, firms=3, buses=2)
    settings = CountySettings(effort=0.2)
    one, two = (plan_county(known, seed=5, settings=settings) for _ in range(2))
    for name, plan in one.answers.items():
        firms = (plan.name,) if name.startswith("alone") else None
        assert check_plan(known, plan, firms=firms) == []
        for table, frame in plan.tables().items():
            assert frame.equals(two.answers[name].tables()[table]), (name, table)
    assert one.split.equals(two.split)
    assert one.with_buses is not None
    assert one.with_buses.cost_cny <= one.shared.cost_cny + 1e-6
    assert one.split["shared_cny"].sum() <= one.with_buses.cost_cny + 1e-6
    assert (one.split["saving_cny"] >= -1e-6).all()
    assert len(str(one).splitlines()) < 25
    facts = json.loads(one.to_json())
    assert facts["answers"]["shared"]["cost_cny"] == pytest.approx(one.shared.cost_cny)
    folder = one.save(tmp_path / "routes")
    assert pl.read_csv(folder / "shared" / "routes.csv").height == one.shared.routes.height
    facts = json.loads((folder / "county.json").read_text("utf-8"))
    assert facts["alone"][0] == {"firm": "F0", "folder": "alone-F0"}
    with pytest.raises(UsageError):
        one.save(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("large", [10**6, 0])
def test_never_worse_than_without_stations(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("changtong.rural.plan_question.LARGE", large)
    for seed in range(3):
        known = drawn(20, 5, firms=1, seed=seed)
        shut = with_sites(known, {f"S{k}": {"opening": "shut"} for k in range(5)})
        settings = CountySettings(effort=0.3)
        free, single = (
            plan_county(known, settings=settings).shared,
            plan_county(shut, settings=settings).shared,
        )
        assert single.stations.is_empty()
        assert free.unserved["pieces_per_week"].sum() <= single.unserved["pieces_per_week"].sum()
        assert free.cost_cny <= single.cost_cny + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_three_times_the_work_never_ends_higher(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("changtong.rural.plan_question.WORK_PER_CUSTOMER", 50.0)
    known = drawn(20, 4, firms=1, seed=seed)
    question = ask(known, known.firms)
    costs = [plan_question(question, seed=0, work=work).cost_cny for work in (50.0, 150.0, 450.0)]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_bases_worked_on_side_by_side_give_the_same_plan(seed: int) -> None:
    known = drawn(70, 10, firms=2, seed=seed, radius_km=90.0)
    question = ask(known, known.firms)
    one, many = (plan_question(question, seed=0, work=300.0, threads=n) for n in (1, 4))
    assert one.choice == many.choice
    assert (one.cost_cny, one.trunk, one.local) == (many.cost_cny, many.trunk, many.local)
    assert one.routes.budget.spent == many.routes.budget.spent
    assert len(set(one.choice.base.values())) > 2


@pytest.mark.parametrize("seed", range(6))
def test_asked_at_once_or_one_by_one_the_same_can_be_served(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = drawn(40, 6, firms=4, seed=seed, radius_km=90.0)
    rng = np.random.default_rng(seed)
    odd = known.vehicles.with_columns(
        shift_h=pl.Series(rng.uniform(2.0, 9.0, known.vehicles.height)),
        starts=pl.Series(rng.choice(["05:00", "09:30"], known.vehicles.height)),
    )
    both = 0
    for factor in (1.0, 40.0, 400.0):  # few loads, many, too many
        amounts = {c: pl.col(c) * factor for c in ("inbound_pieces_per_day", "outbound_pieces_per_day")}
        heavy = replace(known, pieces=known.pieces.with_columns(**amounts), vehicles=odd)
        for some in (heavy.firms, heavy.firms[:1], heavy.firms[1:3]):
            question = ask(heavy, some)
            fast = find_possible(question)
            both += int(fast.allowed.any() and not fast.allowed[:, question.customers].all())
            with monkeypatch.context() as slowly:
                slowly.setattr(
                    "changtong.rural.impossible.surely_served",
                    lambda question, base: np.zeros(len(question.site_ids), np.bool_),
                )
                slow = find_possible(question)
            assert np.array_equal(slow.allowed, fast.allowed)
            assert slow.unserved == fast.unserved
    assert both  # some pairs can, some cannot


def test_what_another_firms_vehicle_alone_reaches_is_not_served_by_those_without_it() -> None:
    sites = [site("H", "county", 0, 0), site("N", "village", 0, 5), site("F", "village", 100, 0)]
    far_reaching = vehicle(vehicle_type="long", firm="B")
    near = vehicle(vehicle_type="near", range_km=50.0)
    pieces_of = [pieces("N", 10), pieces("F", 10), pieces("F", 10, firm="B")]
    result = plan_county(county(sites, pieces_of, [near, far_reaching]))
    assert result.shared.unserved.is_empty()
    assert result.alone["A"].unserved["code"].to_list() == ["beyond-range"]


def far(**village: Any) -> County:
    """A hub with one village near it and one 100 km away."""
    sites = [site("H", "county", 0, 0), site("N", "village", 0, 5), site("F", "village", 100, 0, **village)]
    return county(sites, [pieces("N", 10), pieces("F", 10)])


IMPOSSIBLE = {
    "beyond-range": ({}, {"range_km": 150.0}, {}),
    "window-closed": ({"closes": "08:00"}, {}, {}),
    "shift-too-short": ({}, {"shift_h": 4.0}, {}),
    "no-capacity": ({}, {"capacity_pieces": 0.0}, {}),
    "no-vehicle": ({}, {"tier": "trunk"}, {}),
    "no-cold-space": ({}, {}, {"inbound_cold_share": 0.5}),
    "cold-too-long": ({}, {"cold_pieces": 50.0}, {"inbound_cold_share": 0.5, "cold_h": 2.0}),
}


@pytest.mark.parametrize("code", IMPOSSIBLE)
def test_what_is_impossible_is_named_and_the_rest_is_planned(code: str) -> None:
    village, van, cold = IMPOSSIBLE[code]
    known = far(**village)
    known = replace(known, vehicles=county([site("H", "county", 0, 0)], [], [vehicle(**van)]).vehicles)
    if cold:
        rows = [pieces("N", 10), pieces("F", 10, **cold)]
        known = replace(known, pieces=county([site("H", "county", 0, 0)], rows).pieces)
    plan = plan_county(known).shared
    assert check_plan(known, plan) == []
    served = set(plan.villages["site_id"])
    named = {row["site_id"]: row for row in plan.unserved.to_dicts()}
    assert named["F"]["code"] == code
    if code in ("no-capacity", "no-vehicle"):
        assert set(named) == {"N", "F"}
    elif cold:
        assert served == {"N", "F"}  # the other half is brought
        assert named["F"]["pieces_per_week"] == pytest.approx(35.0)
    else:
        assert served == {"N"}
        assert named["F"]["pieces_per_week"] == pytest.approx(70.0)


def test_few_vehicles_serve_what_they_can() -> None:
    sites = [site("H", "county", 0, 0), site("S", "township", 30, 0)]
    sites += [site(f"V{k}", "village", 28 + k, 4 * (-1) ** k) for k in range(6)]
    demand = [pieces(f"V{k}", 30.0) for k in range(6)]
    known = county(sites, demand, [vehicle(count=1, capacity_pieces=70.0, trips_per_day=1)])
    plan = plan_county(known).shared
    assert check_plan(known, plan) == []
    assert set(plan.unserved["code"]) == {"no-vehicle"}
    assert plan.villages.height == 2  # seventy pieces hold two of thirty


def test_a_village_with_more_than_a_vehicle_holds_is_visited_several_times() -> None:
    known = county([site("H", "county", 0, 0), site("V", "village", 10, 0)], [pieces("V", 450.0, 60.0)])
    plan = plan_county(known).shared
    assert check_plan(known, plan) == []
    assert plan.stops.height == 3


def test_unknown_emissions_are_unknown_and_options_are_checked() -> None:
    known = county(
        [site("H", "county", 0, 0), site("V", "village", 10, 0)],
        [pieces("V", 4.0)],
        [vehicle(kgco2e_per_km=None)],
    )
    result = plan_county(known)
    assert result.shared.kgco2e is None
    assert "unknown" in str(result)
    with pytest.raises(UsageError):
        plan_county(known, seconds=0.0)
    with pytest.raises(UsageError):
        CountySettings(detour_factor=0.5)
    with pytest.raises(UsageError):
        plan_county(replace(known, pieces=known.pieces.clear()))


def test_roads_count_where_they_are_listed() -> None:
    known = county([site("H", "county", 0, 0), site("V", "village", 10, 0)], [pieces("V", 4.0)])
    road = [{"from_site": "H", "to_site": "V", "distance_km": 40.0, "travel_h": 2.0}]
    longer = replace(known, roads=county(known.sites.to_dicts(), [], roads=road).roads)
    assert plan_county(known).shared.distance_km == pytest.approx(7 * 26.0, rel=1e-4)
    plan = plan_county(longer).shared
    assert plan.distance_km == pytest.approx(7 * 53.0, rel=1e-4)
    assert plan.hours == pytest.approx(7 * (2.0 + 13 / 40 + 5.2 / 60), rel=1e-3)


def test_a_station_can_be_brought_its_goods_by_bus() -> None:
    sites = [site("H", "county", 0, 0), site("S", "township", 60, 0)]
    sites += [site(f"V{k}", "village", 60 + k, 3 * (-1) ** k) for k in range(4)]
    vehicles = [
        vehicle(vehicle_type="truck", tier="trunk"),
        vehicle(vehicle_type="trike", tier="local", range_km=60.0, cost_cny_per_day=20.0),
    ]
    runs = [bus("B", [("H", "06:30"), ("S", "08:00"), ("H", "10:00")], spare_pieces=100.0)]
    known = county(sites, [pieces(f"V{k}", 10.0, 2.0) for k in range(4)], vehicles, runs)
    result = plan_county(known)
    assert result.with_buses is not None
    assert check_plan(known, result.with_buses) == []
    assert set(result.with_buses.routes["tier"]) == {"bus", "local"}
    assert result.with_buses.cost_cny < result.shared.cost_cny


def test_a_stations_own_people_are_served_and_visits_are_spread() -> None:
    known = tiny()
    known = replace(
        with_sites(known, {"V1": {"visits_per_week": 2}, "V2": {"visits_per_week": 1}}),
        pieces=pl.concat([known.pieces, county([], [pieces("S", 8.0, 2.0)]).pieces]),
    )
    question = ask(known, known.firms)
    assert plan_question(question, seed=0, work=1000.0).left_pieces == 0
    plan = plan_county(known).shared
    assert check_plan(known, plan) == []
    days = dict(plan.villages.select("site_id", "weekdays").iter_rows())
    assert len(days["V1"]) == 2
    assert len(days["S"]) == 7


def test_a_full_station_passes_no_more_on_than_it_can() -> None:
    sites = [site("H", "county", 0, 0), site("S", "township", 40, 0, handle_pieces_per_day=50.0)]
    sites += [site(f"V{k}", "village", 40 + k, 4 * (-1) ** k) for k in range(4)]
    vehicles = [
        vehicle(vehicle_type="truck", tier="trunk"),
        vehicle(vehicle_type="trike", tier="local", range_km=60.0, cost_cny_per_day=20.0),
    ]
    known = county(sites, [pieces(f"V{k}", 20.0) for k in range(4)], vehicles)
    plan = plan_county(known).shared
    assert check_plan(known, plan) == []
    assert plan.villages.height == 2
    assert set(plan.unserved["code"]) == {"station-full"}


def test_parts_add_up_to_the_plan_where_a_firm_alone_leaves_pieces_behind() -> None:
    """A has no vehicle of its own: alone it serves nobody, together B's van takes its pieces."""
    known = county(
        [site("H", "county", 0, 0), site("V1", "village", 10, 0), site("V2", "village", -10, 0)],
        [pieces("V1", 10, firm="A"), pieces("V2", 10, firm="B")],
        [vehicle(firm="B")],
    )
    result = plan_county(known)
    split = {row["firm"]: row for row in result.split.to_dicts()}
    assert sum(row["shared_cny"] for row in split.values()) == pytest.approx(result.shared.cost_cny)
    assert (split["A"]["alone_cny"], split["A"]["alone_unserved_pieces"]) == (0.0, 70.0)
    assert split["A"]["shared_unserved_pieces"] == 0.0
    # A would rather pay 10 CNY for each of its 70 pieces than leave them: its gain is part of that
    added = result.shared.cost_cny - result.alone["B"].cost_cny
    by_hand = {"A": (700.0 + added) / 2, "B": result.alone["B"].cost_cny - (700.0 - added) / 2}
    assert added < 700.0
    for firm, paid in by_hand.items():
        assert split[firm]["shared_cny"] == pytest.approx(paid)
        assert split[firm]["saving_cny"] == pytest.approx((700.0 - added) / 2)
