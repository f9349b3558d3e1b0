"""What the checker reads: a county's facts and a plan's trips as plain Python objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan

PIECES = 0.05
"""Pieces a sum may be off: demands are means, routing counts thousandths."""

SECONDS = 1.5
"""Seconds a time may be off: tables hold whole seconds."""

Amounts = tuple[float, float, float, float]
"""Warm and cold pieces to a site, warm and cold from it."""


@dataclass(frozen=True)
class Leg:
    """One stop."""

    site: str
    arrives: float
    departs: float
    km: float
    amounts: Amounts


@dataclass(frozen=True)
class Run:
    """One trip."""

    route: str
    tier: str
    days: tuple[int, ...]
    vehicle_type: str
    vehicle: int
    trip: int
    base: str
    departs: float
    returns: float
    km: float
    legs: tuple[Leg, ...]
    row: dict[str, Any]


@dataclass
class Facts:
    """A county as the checker sees it, for the firms that plan together."""

    hub: str
    sites: dict[str, dict[str, Any]]
    vehicles: dict[str, dict[str, Any]]
    buses: dict[str, dict[str, Any]]
    roads: dict[tuple[str, str], tuple[float, float | None]]
    detour: float
    demand: dict[str, Amounts]
    cold_h: dict[str, float]
    served_from: dict[str, str]
    days_of: dict[str, tuple[int, ...]]
    used: dict[str, tuple[int, ...]]
    problems: list[str] = field(default_factory=list)

    def cold_demand(self, site: str) -> bool:
        """Whether a site, or a site served from it, has cold pieces."""
        mine = [site, *(s for s, base in self.served_from.items() if base == site)]
        return any(self.demand.get(s, (0.0,) * 4)[1] + self.demand.get(s, (0.0,) * 4)[3] > 0 for s in mine)

    def km(self, here: str, there: str) -> float:
        """Return kilometres of a way."""
        if here == there:
            return 0.0
        if (here, there) in self.roads:
            return self.roads[here, there][0]
        a, b = self.sites[here], self.sites[there]
        lat_1, lat_2 = math.radians(a["lat"]), math.radians(b["lat"])
        h = math.sin((lat_2 - lat_1) / 2) ** 2
        h += math.cos(lat_1) * math.cos(lat_2) * math.sin(math.radians(b["lon"] - a["lon"]) / 2) ** 2
        return 2 * 6371.0088 * math.asin(min(1.0, math.sqrt(h))) * self.detour

    def hours(self, here: str, there: str, vehicle: dict[str, Any]) -> float:
        """Return hours of a way for a vehicle."""
        stated = None if here == there else self.roads.get((here, there), (0.0, None))[1]
        return (
            float(stated) if stated is not None else self.km(here, there) / float(vehicle["speed_km_per_h"])
        )


def clock_second(text: str | None, missing: float) -> float:
    """Return the second of the day of HH:MM or HH:MM:SS."""
    if not text:
        return missing
    parts = str(text).split(":")
    return float(sum(int(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False)))


def facts_of(county: County, plan: CountyPlan, firms: tuple[str, ...], detour: float) -> Facts:
    """Return the county's facts, with demands less what the plan says is unserved."""
    sites = {row["site_id"]: row for row in county.sites.to_dicts()}
    vehicles = {
        r["vehicle_type"]: r for r in county.vehicles.to_dicts() if not r["firm"] or r["firm"] in firms
    }
    buses = {row["bus_id"]: {**row, "stops": []} for row in county.buses.to_dicts()}
    for row in sorted(county.bus_stops.to_dicts(), key=lambda r: (r["bus_id"], r["stop"])):
        buses[row["bus_id"]]["stops"].append((row["site_id"], clock_second(row["at"], 0.0)))
    roads = {
        (row["from_site"], row["to_site"]): (row["distance_km"], row["travel_h"])
        for row in county.roads.to_dicts()
    }
    problems: list[str] = []
    demand, cold_h = _demand(county, plan, firms, problems)
    served_from, days_of = {}, {}
    bus_served = set(buses)
    for row in plan.villages.to_dicts():
        served_from[row["site_id"]] = row["served_from"]
        days_of[row["site_id"]] = tuple(int(day) for day in row["weekdays"])
        if demand.get(row["site_id"]) is None:
            problems.append(f"not-asked: {row['site_id']} is served without pieces.")
            demand[row["site_id"]] = (0.0, 0.0, 0.0, 0.0)
        base = row["served_from"]
        if base not in sites and base not in bus_served:
            problems.append(f"unknown-base: {base}.")
    missing = [s for s, week in demand.items() if sum(week) > PIECES and s not in served_from]
    problems += [f"not-served: {site} is neither served nor named as unserved." for site in missing]
    hub = county.hub
    used: dict[str, tuple[int, ...]] = {}
    for site, base in served_from.items():
        if base in sites and base != hub:
            used[base] = tuple(sorted({*used.get(base, ()), *days_of[site]}))
    return Facts(
        hub, sites, vehicles, buses, roads, detour, demand, cold_h, served_from, days_of, used, problems
    )


def _demand(
    county: County, plan: CountyPlan, firms: tuple[str, ...], problems: list[str]
) -> tuple[dict[str, Amounts], dict[str, float]]:
    """Return pieces of a week by site that the plan serves, and the strictest hours of cold pieces."""
    unserved: dict[tuple[str, str], float] = {}
    for row in plan.unserved.to_dicts():
        key = (row["site_id"], row["firm"])
        unserved[key] = unserved.get(key, 0.0) + row["pieces_per_week"]
        if not row["code"] or not row["reason"]:
            problems.append(f"no-reason: {key} is unserved without a code and a reason.")
    demand: dict[str, Amounts] = {}
    cold_h: dict[str, float] = {}
    asked = set()
    for row in county.pieces.to_dicts():
        site, firm = row["site_id"], row["firm"]
        if firm not in firms or site == county.hub:
            continue
        asked.add((site, firm))
        inward, outward = row["inbound_pieces_per_day"] * 7, row["outbound_pieces_per_day"] * 7
        cold_in, cold_out = inward * row["inbound_cold_share"], outward * row["outbound_cold_share"]
        less = unserved.get((site, firm), 0.0)
        if abs(less - inward - outward) <= 1e-6 and less > 0:
            inward = outward = cold_in = cold_out = 0.0
        elif less > 0 and abs(less - cold_in - cold_out) <= 1e-6:
            inward, outward, cold_in, cold_out = inward - cold_in, outward - cold_out, 0.0, 0.0
        elif less > 0:
            problems.append(f"wrong-unserved: {less} of {firm} at {site} are neither all nor the cold ones.")
        if inward + outward <= 0:
            continue
        if cold_in + cold_out > 0 and row["cold_h"] is not None:
            cold_h[site] = min(cold_h.get(site, math.inf), row["cold_h"])
        a, b, c, d = demand.get(site, (0.0,) * 4)
        demand[site] = (a + inward - cold_in, b + cold_in, c + outward - cold_out, d + cold_out)
    problems += [f"unserved-unknown: {key} has no pieces." for key in unserved if key not in asked]
    return demand, cold_h


def runs_of(county: County, plan: CountyPlan, facts: Facts) -> list[Run]:
    """Return the plan's trips with their stops."""
    legs: dict[str, list[tuple[int, Leg]]] = {}
    for row in plan.stops.to_dicts():
        inward, outward = row["delivered_pieces"], row["collected_pieces"]
        cold_in, cold_out = row["delivered_cold_pieces"], row["collected_cold_pieces"]
        amounts = (inward - cold_in, cold_in, outward - cold_out, cold_out)
        leg = Leg(
            row["site_id"],
            clock_second(row["arrives"], 0.0),
            clock_second(row["departs"], 0.0),
            row["distance_km"],
            amounts,
        )
        legs.setdefault(row["route_id"], []).append((row["stop"], leg))
        if row["site_id"] not in facts.sites:
            facts.problems.append(f"unknown-site: {row['site_id']} in {row['route_id']}.")
    found = []
    for row in plan.routes.to_dicts():
        some = tuple(leg for _, leg in sorted(legs.pop(row["route_id"], []), key=lambda pair: pair[0]))
        found.append(
            Run(
                row["route_id"],
                row["tier"],
                tuple(int(day) for day in row["weekdays"]),
                row["vehicle_type"],
                row["vehicle"],
                row["trip"],
                row["from_site"],
                clock_second(row["departs"], 0.0),
                clock_second(row["returns"], 0.0),
                row["distance_km"],
                some,
                row,
            )
        )
    facts.problems += [f"stray-stops: {route} has stops and no row of its own." for route in legs]
    return found
