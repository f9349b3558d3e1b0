"""Small counties made by hand, and larger ones drawn: no data of any real place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from changtong.rural.county import County
from changtong.rural.two_echelon import TwoEchelonInstance

KM = 1.0 / 111.19492664455873
"""Degrees of latitude in a kilometre of great circle."""

SITE: dict[str, Any] = {
    "name": None, "people": None, "opening": "free", "open_cny_per_day": 0.0, "handle_cny_per_piece": 0.0,
    "handle_pieces_per_day": None, "cold": False, "opens": None, "closes": None, "stop_min": 5.0,
    "piece_min": 0.05, "visits_per_week": 7, "pickup_km": None,
}  # fmt: skip
PIECE: dict[str, Any] = {
    "firm": "A", "inbound_pieces_per_day": 0.0, "outbound_pieces_per_day": 0.0, "inbound_cold_share": 0.0,
    "outbound_cold_share": 0.0, "cold_h": None,
}  # fmt: skip
VEHICLE: dict[str, Any] = {
    "vehicle_type": "van", "firm": None, "tier": "any", "count": None, "capacity_pieces": 200.0,
    "cold_pieces": 0.0,
    "cost_cny_per_day": 100.0, "cost_cny_per_km": 1.0, "cost_cny_per_h": 20.0, "speed_km_per_h": 40.0,
    "range_km": None, "electric": False, "kgco2e_per_km": 0.2, "shift_h": 8.0, "trips_per_day": 3,
    "starts": "06:00", "ends": "20:00",
}  # fmt: skip
BUS: dict[str, Any] = {
    "name": None, "spare_pieces": 50.0, "cost_cny_per_piece": 0.1, "cost_cny_per_day": 0.0,
    "weekdays": "1234567",
}  # fmt: skip
SITE_TYPES = {
    "site_id": pl.String, "name": pl.String, "kind": pl.String, "lon": pl.Float64, "lat": pl.Float64,
    "people": pl.Float64, "opening": pl.String, "open_cny_per_day": pl.Float64,
    "handle_cny_per_piece": pl.Float64, "handle_pieces_per_day": pl.Float64, "cold": pl.Boolean,
    "opens": pl.String, "closes": pl.String, "stop_min": pl.Float64, "piece_min": pl.Float64,
    "visits_per_week": pl.Int64, "pickup_km": pl.Float64,
}  # fmt: skip
PIECE_TYPES = {
    "site_id": pl.String, "firm": pl.String, "inbound_pieces_per_day": pl.Float64,
    "outbound_pieces_per_day": pl.Float64, "inbound_cold_share": pl.Float64,
    "outbound_cold_share": pl.Float64, "cold_h": pl.Float64,
}  # fmt: skip
VEHICLE_TYPES = {
    "vehicle_type": pl.String, "firm": pl.String, "tier": pl.String, "count": pl.Int64,
    "capacity_pieces": pl.Float64, "cold_pieces": pl.Float64, "cost_cny_per_day": pl.Float64,
    "cost_cny_per_km": pl.Float64, "cost_cny_per_h": pl.Float64, "speed_km_per_h": pl.Float64,
    "range_km": pl.Float64, "electric": pl.Boolean, "kgco2e_per_km": pl.Float64, "shift_h": pl.Float64,
    "trips_per_day": pl.Int64, "starts": pl.String, "ends": pl.String,
}  # fmt: skip
BUS_TYPES = {
    "bus_id": pl.String, "name": pl.String, "spare_pieces": pl.Float64, "cost_cny_per_piece": pl.Float64,
    "cost_cny_per_day": pl.Float64, "weekdays": pl.String,
}  # fmt: skip
STOP_TYPES = {"bus_id": pl.String, "stop": pl.Int64, "site_id": pl.String, "at": pl.String}
ROAD_TYPES = {"from_site": pl.String, "to_site": pl.String, "distance_km": pl.Float64, "travel_h": pl.Float64}


def site(site_id: str, kind: str, x_km: float, y_km: float, **more: Any) -> dict[str, Any]:
    """Return a site at kilometres east and north of a point on the equator."""
    return {**SITE, "site_id": site_id, "kind": kind, "lon": x_km * KM, "lat": y_km * KM, **more}


def pieces(site_id: str, inbound: float, outbound: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return a day's pieces of a site."""
    both = {"inbound_pieces_per_day": inbound, "outbound_pieces_per_day": outbound}
    return {**PIECE, "site_id": site_id, **both, **more}


def vehicle(**more: Any) -> dict[str, Any]:
    """Return a vehicle type."""
    return {**VEHICLE, **more}


def bus(
    bus_id: str, stops: list[tuple[str, str]], **more: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a run and its stops."""
    rows = [{"bus_id": bus_id, "stop": k, "site_id": s, "at": at} for k, (s, at) in enumerate(stops, 1)]
    return {**BUS, "bus_id": bus_id, **more}, rows


def county(
    sites: list[dict[str, Any]],
    demand: list[dict[str, Any]],
    vehicles: list[dict[str, Any]] | None = None,
    buses: list[tuple[dict[str, Any], list[dict[str, Any]]]] | None = None,
    roads: list[dict[str, Any]] | None = None,
) -> County:
    """Return a county of rows."""
    empty = pl.DataFrame(schema=dict.fromkeys(("table", "column", "kind", "source", "note"), pl.String))
    return County(
        "made",
        pl.DataFrame(sites, schema=SITE_TYPES),
        pl.DataFrame(demand, schema=PIECE_TYPES),
        pl.DataFrame(vehicles or [vehicle()], schema=VEHICLE_TYPES),
        pl.DataFrame([run for run, _ in buses or []], schema=BUS_TYPES),
        pl.DataFrame([stop for _, stops in buses or [] for stop in stops], schema=STOP_TYPES),
        pl.DataFrame(roads or [], schema=ROAD_TYPES),
        empty,
    )


def tiny(**station: Any) -> County:
    """A hub, one station 20 km east, two villages beyond it and one near the hub."""
    return county(
        [
            site("H", "county", 0, 0),
            site("S", "township", 20, 0, **station),
            site("V1", "village", 24, 2),
            site("V2", "village", 24, -2),
            site("V3", "village", 0, 5),
        ],
        [pieces("V1", 30, 5), pieces("V2", 20, 4), pieces("V3", 10, 1)],
    )


def drawn(
    villages: int, stations: int, *, firms: int = 3, seed: int = 1, buses: int = 0, radius_km: float = 45.0
) -> County:
    """A county drawn at random: towns as stations, villages round them, firms with unequal shares."""
    rng = np.random.default_rng(seed)
    towns = rng.uniform(-radius_km, radius_km, (stations, 2))
    rows = [site("H", "county", 0, 0)]
    rows += [
        site(
            f"S{k}", "township", x, y, open_cny_per_day=float(rng.uniform(30, 80)), handle_cny_per_piece=0.05,
            opens="06:00", closes="10:30", cold=bool(k % 3 == 0), stop_min=10.0,
        )
        for k, (x, y) in enumerate(towns)
    ]  # fmt: skip
    demand = []
    names = [f"F{k}" for k in range(firms)]
    share = rng.dirichlet(np.full(firms, 3.0))
    for k in range(villages):
        x, y = towns[rng.integers(stations)] + rng.normal(0, 6.0, 2)
        visits = int(rng.choice([7, 7, 6, 3, 2]))
        rows.append(
            site(f"V{k}", "village", x, y, visits_per_week=visits, people=float(rng.integers(300, 3000)))
        )
        total = float(rng.gamma(2.0, 12.0)) + 1.0
        for firm, part in zip(names, share, strict=True):
            cold = 0.2 if rng.random() < 0.05 else 0.0
            demand.append(
                pieces(f"V{k}", total * part, 0.15 * total * part, firm=firm, inbound_cold_share=cold,
                       cold_h=6.0 if cold else None)
            )  # fmt: skip
    vehicles = [
        vehicle(vehicle_type="truck", capacity_pieces=1500.0, cold_pieces=200.0, cost_cny_per_day=240.0,
                cost_cny_per_km=1.6, cost_cny_per_h=30.0, tier="trunk", kgco2e_per_km=0.55, starts="05:00"),
        vehicle(vehicle_type="van", capacity_pieces=180.0, cost_cny_per_day=110.0, cost_cny_per_km=0.9,
                cost_cny_per_h=28.0, kgco2e_per_km=0.25),
        vehicle(vehicle_type="cold_van", capacity_pieces=200.0, cold_pieces=60.0, cost_cny_per_day=150.0,
                cost_cny_per_km=1.1, cost_cny_per_h=28.0, kgco2e_per_km=0.3),
        vehicle(vehicle_type="electric", tier="local", capacity_pieces=100.0, cost_cny_per_day=40.0,
                cost_cny_per_km=0.25, cost_cny_per_h=24.0, range_km=80.0, electric=True, kgco2e_per_km=0.1),
    ]  # fmt: skip
    runs = []
    for k in range(buses):
        town = int(rng.integers(stations))
        near = np.argsort(
            ((np.array([[r["lon"], r["lat"]] for r in rows[1 + stations :]]) / KM - towns[town]) ** 2).sum(1)
        )
        stops = [("H", "07:00"), (f"S{town}", "08:10")]
        stops += [(f"V{int(v)}", f"08:{20 + 8 * j:02d}") for j, v in enumerate(near[:4])]
        stops += [("H", "10:30")]
        runs.append(bus(f"B{k}", stops, spare_pieces=60.0, cost_cny_per_piece=0.3))
    return county(rows, demand, vehicles, runs)


def with_sites(known: County, changes: dict[str, dict[str, Any]]) -> County:
    """Return a county with some sites changed."""
    rows = [{**row, **changes.get(row["site_id"], {})} for row in known.sites.to_dicts()]
    return replace(known, sites=pl.DataFrame(rows, schema=SITE_TYPES))


FAST_KM_PER_H, FAR_KM = 20_000.0, 50_000.0


def county_of_instance(given: TwoEchelonInstance) -> County:
    """Return an instance as a county: distances are kilometres, costs are CNY."""
    places = {"H": given.depot}
    places |= {f"S{k}": one.place for k, one in enumerate(given.satellites)}
    places |= {f"V{k}": one.place for k, one in enumerate(given.customers)}
    kinds = {"H": "county", "S": "township", "V": "village"}
    free = {"stop_min": 0.0, "piece_min": 0.0}
    sites = [
        site(name, kinds[name[0]], place.x / 1000, place.y / 1000, **free) for name, place in places.items()
    ]
    demand = [pieces(f"V{k}", one.demand) for k, one in enumerate(given.customers)]
    roads = []
    for one, a in places.items():
        for other, b in places.items():
            if one == other:
                continue
            away = {one[0], other[0]} == {"H", "V"}
            km = FAR_KM if away else max(((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5, 1e-6)
            roads.append(
                {"from_site": one, "to_site": other, "distance_km": km, "travel_h": km / FAST_KM_PER_H}
            )
    same = {
        "cost_cny_per_day": 0.0,
        "cost_cny_per_h": 0.0,
        "speed_km_per_h": FAST_KM_PER_H,
        "trips_per_day": 1,
    }
    fleet = [
        vehicle(
            vehicle_type=name,
            tier=tier,
            count=one.vehicles,
            capacity_pieces=one.capacity,
            cost_cny_per_km=one.cost_per_distance,
            **same,
        )
        for name, tier, one in (("truck", "trunk", given.trucks), ("freighter", "local", given.freighters))
    ]
    return county(sites, demand, fleet, roads=roads)
