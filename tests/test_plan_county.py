"""Plans of counties: tiny ones against enumeration, couplings, what is impossible, sameness, never worse."""

from __future__ import annotations

import math
from itertools import permutations, product

import pytest
from county_cases import county, pieces, site, vehicle

from changtong.rural.county import County
from changtong.rural.plan_county import plan_county


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
