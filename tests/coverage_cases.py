"""Counties and plans the county tests share, small enough to reckon by hand."""

from __future__ import annotations

from typing import Any

import polars as pl

from changtong.rural.county import County
from changtong.rural.county_folder import build_county
from changtong.rural.county_plan import CountyPlan
from changtong.rural.day_clock import say_time
from changtong.rural.plan_schemas import (
    ROUTE_SCHEMA,
    STATION_SCHEMA,
    STOP_SCHEMA,
    UNSERVED_SCHEMA,
    VILLAGE_SCHEMA,
)

# km between places, the same both ways: hub H, station T, villages A to D
KM = {"HA": 10, "HB": 11, "HC": 30, "HD": 40, "HT": 20, "AB": 2, "AC": 25, "AD": 45, "AT": 12}
KM |= {"BC": 24, "BD": 44, "BT": 12, "CD": 15, "CT": 14, "DT": 22}


def four_villages(**vehicle: Any) -> County:
    """A hub, a station, four villages; a van of 1 CNY/km and 10 CNY/day at 60 km/h; hours cost nothing."""
    sites = pl.DataFrame(
        {
            "site_id": list("HTABCD"),
            "kind": ["county", "township"] + ["village"] * 4,
            "lon": [108.0, 108.1, 108.0, 108.01, 108.1, 108.2],
            "lat": [34.0, 34.05, 34.05, 34.06, 34.1, 34.1],
            "people": [None, None, 1000, 500, 300, 200],
            "pickup_km": [None, None, 0.5, 0.5, 3.0, None],
            "stop_min": [0.0] * 6,
            "piece_min": [0.0] * 6,
        }
    )
    pieces = pl.DataFrame(
        {
            "site_id": ["A", "A", "B", "B", "C", "D"],
            "firm": ["post", "red", "post", "red", "post", "post"],
            "inbound_pieces_per_day": [6.0, 3.0, 3.0, 3.0, 3.0, 3.0],
            "outbound_pieces_per_day": [3.0, 0.0, 0.0, 0.0, 3.0, 0.0],
        }
    )
    van = {"vehicle_type": "van", "capacity_pieces": 100, "cost_cny_per_day": 10, "cost_cny_per_km": 1}
    van |= {"speed_km_per_h": 60, "shift_h": 8, "starts": "08:00", "ends": "18:00"} | vehicle
    ways = [(pair, km) for pair, km in KM.items()] + [(pair[::-1], km) for pair, km in KM.items()]
    roads = pl.DataFrame(
        {
            "from_site": [pair[0] for pair, _ in ways],
            "to_site": [pair[1] for pair, _ in ways],
            "distance_km": [float(km) for _, km in ways],
        }
    )
    tables = {"sites": sites, "pieces": pieces, "vehicles": pl.DataFrame([van]), "roads": roads}
    return build_county(tables, "four villages")


def hand_plan(
    county: County,
    trips: list[tuple[str, str]],
    *,
    unserved: list[tuple[str, str | None, float, str]] | None = None,
    name: str = "shared",
    hours: dict[str, float] | None = None,
) -> CountyPlan:
    """A plan of local trips from the hub.

    Parameters
    ----------
    county : County
        As `four_villages`.
    trips : list of (str, str)
        Villages in order, one letter each, and weekdays; each trip is a vehicle's only one.
    unserved : list of (site, firm, pieces a week, code), optional
    name : str
    hours : dict, optional
        Hours to delivery; 2 where not given.
    """
    routes, stops, villages = [], [], {}
    vehicle = county.vehicles.row(0, named=True)
    for number, (way, days) in enumerate(trips, 1):
        whole = ["H", *way, "H"]
        km = sum(
            KM["".join(sorted(pair, key="HABCDT".index))] for pair in zip(whole, whole[1:], strict=False)
        )
        sums = county.pieces.group_by("site_id").agg(
            (pl.col("inbound_pieces_per_day", "outbound_pieces_per_day") * 7 / len(days)).sum()
        )
        pieces = {site: amounts for site, *amounts in sums.iter_rows()}
        delivered, collected = (sum(pieces[site][n] for site in way) for n in (0, 1))
        ends = 8 + km / vehicle["speed_km_per_h"]
        back = f"{int(ends):02d}:{round(ends % 1 * 60):02d}:00"
        routes.append(
            (f"r{number}", "local", days, vehicle["vehicle_type"], number, 1, "H", "08:00:00", back, km)
            + (ends - 8, delivered, collected, vehicle["cost_cny_per_day"] + km, None)
        )
        gone = 0.0
        for place, site in enumerate(way, 1):
            leg = KM["".join(sorted((whole[place - 1], site), key="HABCDT".index))]
            gone += leg
            at = say_time(round(8 * 3600 + gone / vehicle["speed_km_per_h"] * 3600))
            stops.append((f"r{number}", place, site, at, at, leg, *pieces[site], 0.0, 0.0))
            villages[site] = (site, "H", days, (hours or {}).get(site, 2.0), None)
    frame = pl.DataFrame(routes, schema=ROUTE_SCHEMA, orient="row")
    cost = float((frame["cost_cny"] * frame["weekdays"].str.len_chars()).sum()) if routes else 0.0
    left = [(site, firm, pieces, code, "made up") for site, firm, pieces, code in unserved or []]
    return CountyPlan(
        name=name,
        routes=frame,
        stops=pl.DataFrame(stops, schema=STOP_SCHEMA, orient="row"),
        stations=pl.DataFrame(schema=STATION_SCHEMA),
        villages=pl.DataFrame(list(villages.values()), schema=VILLAGE_SCHEMA, orient="row"),
        unserved=pl.DataFrame(left, schema=UNSERVED_SCHEMA, orient="row"),
        cost_cny=cost,
        distance_km=0.0,
        hours=0.0,
        kgco2e=None,
        pieces=0.0,
    )
