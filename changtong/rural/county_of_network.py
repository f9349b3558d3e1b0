"""Counties of the built-in network of China, with made-up stations and villages round their position.

Position, people, urban share and pieces are those of the built-in network; stations and villages are laid
out by labelled assumptions and carry no real names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.network.findings import NearestNames
from changtong.network.reference_demand import PairDemand, make_demand
from changtong.network.reference_places import Places, assumption, great_circle_km, lay_out_places, read_table
from changtong.rural.county import County
from changtong.rural.county_folder import build_county
from changtong.rural.distances import Floats
from changtong.rural.synthetic import (
    COMMON_NOTES,
    assumed,
    assumed_rows,
    bus_lines,
    firm_pieces,
    fleet,
    rounded_to_sum,
    station_columns,
    visits_for,
)

GOLDEN_ANGLE = np.pi * (3 - 5**0.5)  # an even spread of points in a disc
KM_PER_DEGREE = 111.195
MOST_VILLAGES = 5000
MOST_LINES = 12


@dataclass(frozen=True)
class RuralPart:
    """What the built-in network tells of a county.

    Attributes
    ----------
    admin_code, name : str
    lon, lat : float
    people, rural_people : float
    rural_share : float
        Share of the county's pieces that are for, and from, rural people.
    inbound_pieces_per_day, outbound_pieces_per_day : float
        Of the rural people.
    """

    admin_code: str
    name: str
    lon: float
    lat: float
    people: float
    rural_people: float
    rural_share: float
    inbound_pieces_per_day: float
    outbound_pieces_per_day: float


def reference_county(
    admin_code: str,
    *,
    seed: int = 0,
    year: int = 2022,
    villages: int | None = None,
    stations: int | None = None,
    lines: int | None = None,
) -> County:
    """Return a county of the built-in network with made-up stations and villages.

    Their pieces add up to the county's pieces times the share of its rural people, a rural resident counted
    as in the built-in network. Five firms, two to four bus runs, vans of each firm and hired vehicles.

    Parameters
    ----------
    admin_code : str
        Six digits of GB/T 2260, for example ``610524``.
    seed : int
        Of what is made up.
    year : int
        A year with a published volume.
    villages, stations, lines : int, optional
        How many; by default by the number of rural people, and 2 to 4 lines.

    Raises
    ------
    NotFoundError
        No such county unit, or one without a position.
    UsageError
        A county without rural people, or a number out of range.
    """
    rural = rural_part(admin_code, year)
    rng = np.random.default_rng([seed, int(admin_code)])
    counts = _counts(rural, villages, stations)
    sites = _lay_out(rural, *counts, rng)
    served = sites.filter(pl.col("kind") != "county")
    share = served["people"].to_numpy() / rural.rural_people
    size = share * np.exp(rng.normal(0, 0.2, served.height))
    size /= size.sum()
    inbound = rounded_to_sum(size * rural.inbound_pieces_per_day, rural.inbound_pieces_per_day)
    outbound = rounded_to_sum(size * rural.outbound_pieces_per_day, rural.outbound_pieces_per_day)
    village = (served["kind"] == "village").to_numpy()
    cold = village & (rng.random(served.height) < assumed("cold_villages_share"))
    pieces = firm_pieces(served["site_id"].to_list(), inbound, outbound, cold, rng)
    visits = pl.DataFrame({"site_id": served["site_id"], "visits_per_week": visits_for(inbound + outbound)})
    sites = sites.join(visits, on="site_id", how="left", maintain_order="left").with_columns(
        visits_per_week=pl.when(pl.col("kind") == "village").then("visits_per_week")
    )
    runs = lines if lines is not None else int(np.clip(2 + counts[0] // 150, 2, 4))
    if not 0 <= runs <= MOST_LINES:
        raise UsageError(f"lines {runs}: give 0 to {MOST_LINES}.")
    buses, stops = bus_lines(sites, runs)
    tables = {
        "sites": sites,
        "pieces": pieces,
        "vehicles": fleet(pieces),
        "buses": buses,
        "bus_stops": stops,
        "provenance": _provenance(rural, seed, year),
    }
    return build_county(tables, f"{rural.name} {admin_code}, made-up villages")


def rural_part(admin_code: str, year: int = 2022) -> RuralPart:
    """Return what the built-in network tells of a county's rural people and their pieces.

    Parameters
    ----------
    admin_code : str
    year : int

    Raises
    ------
    NotFoundError, UsageError
        As `reference_county`.
    """
    table = read_table("counties").filter(pl.col("admin_code") == admin_code)
    if table.height == 0:
        hint = NearestNames(read_table("counties")["admin_code"]).hint(admin_code)
        raise NotFoundError(f"no county unit has the code {admin_code!r}. {hint}".strip())
    unit = table.row(0, named=True)
    if unit["lon"] is None or unit["population"] is None:
        raise NotFoundError(f"the position or the people of {unit['name']} ({admin_code}) are not known.")
    urban = unit["urban_share"] if unit["urban_share"] is not None else 0.5
    rural_people = float(unit["population"]) * (1 - urban)
    if rural_people < assumed("people_per_village"):
        raise UsageError(f"{unit['name']} ({admin_code}) has hardly any rural people, so no villages.")
    places, demand = _demand(year)
    row = places.frame["site_id"].to_list().index(admin_code)
    origin = int(np.flatnonzero(demand.origin == row)[0])
    weight = assumption("rural_weight")
    share = weight * (1 - urban) / (urban + weight * (1 - urban))
    return RuralPart(
        admin_code=admin_code,
        name=unit["name"],
        lon=float(unit["lon"]),
        lat=float(unit["lat"]),
        people=float(unit["population"]),
        rural_people=rural_people,
        rural_share=share,
        inbound_pieces_per_day=float(demand.pieces[:, origin].sum(dtype=float)) * share,
        outbound_pieces_per_day=float(demand.pieces[origin].sum(dtype=float)) * share,
    )


@lru_cache(maxsize=1)
def _demand(year: int) -> tuple[Places, PairDemand]:
    places = lay_out_places("county")
    return places, make_demand(places, year=year, scale=1.0)


def _counts(rural: RuralPart, villages: int | None, stations: int | None) -> tuple[int, int]:
    made = [
        round(rural.rural_people / assumed("people_per_village")) if villages is None else villages,
        max(3, round(rural.rural_people / assumed("people_per_station"))) if stations is None else stations,
    ]
    if not 1 <= made[0] <= MOST_VILLAGES:
        raise UsageError(f"villages {made[0]:,}: give 1 to {MOST_VILLAGES:,}.")
    if not 1 <= made[1] <= MOST_VILLAGES:
        raise UsageError(f"stations {made[1]:,}: give 1 to {MOST_VILLAGES:,}.")
    return made[0], made[1]


def _lay_out(rural: RuralPart, villages: int, stations: int, rng: np.random.Generator) -> pl.DataFrame:
    area = rural.people * assumed("outlet_area_km2") / assumed("outlet_people")
    radius = float(np.clip(np.sqrt(area / np.pi), assumed("least_radius_km"), assumed("most_radius_km")))
    turn = rng.random() * 2 * np.pi
    number = np.arange(stations)
    far = radius * np.sqrt((number + 0.5) / stations) * rng.uniform(0.9, 1.1, stations)
    angle = number * GOLDEN_ANGLE + turn
    east, north = far * np.cos(angle), far * np.sin(angle)
    weight = np.exp(rng.normal(0, assumed("township_spread"), stations))
    home = rng.choice(stations, villages, p=weight / weight.sum())
    away = radius / np.sqrt(stations) * np.sqrt(rng.random(villages))
    way = rng.random(villages) * 2 * np.pi
    village_east, village_north = east[home] + away * np.cos(way), north[home] + away * np.sin(way)
    seats = np.round(rural.rural_people * assumed("seat_share") * weight / weight.sum())
    size = np.exp(rng.normal(0, assumed("village_spread"), villages))
    people = np.round(size / size.sum() * (rural.rural_people - seats.sum()))
    places = [
        *((f"{rural.admin_code}-T{k + 1:02d}", f"Station {k + 1}", "township") for k in range(stations)),
        *((f"{rural.admin_code}-V{k + 1:04d}", f"Village {k + 1}", "village") for k in range(villages)),
    ]
    all_east, all_north = np.r_[0.0, east, village_east], np.r_[0.0, north, village_north]
    frame = pl.DataFrame(
        {
            "site_id": [f"{rural.admin_code}-HUB", *(place[0] for place in places)],
            "name": [f"{rural.name}", *(place[1] for place in places)],
            "kind": ["county", *(place[2] for place in places)],
            "lon": np.round(rural.lon + all_east / KM_PER_DEGREE / np.cos(np.radians(rural.lat)), 5),
            "lat": np.round(rural.lat + all_north / KM_PER_DEGREE, 5),
            "people": np.r_[rural.people - rural.rural_people, seats, people].round(),
        }
    )
    return frame.with_columns(**station_columns(frame["kind"], rng)).with_columns(
        pickup_km=_pickup_km(frame, rng)
    )


def _pickup_km(frame: pl.DataFrame, rng: np.random.Generator) -> pl.Series:
    """Return the way to the pick-up point: in most villages there is one, else at the nearest station."""
    lon, lat = frame["lon"].to_numpy(), frame["lat"].to_numpy()
    stations = np.flatnonzero((frame["kind"] == "township").to_numpy())
    km: Floats = great_circle_km(lon[:, None], lat[:, None], lon[stations], lat[stations]).min(axis=1)
    own = rng.random(frame.height) < assumed("pickup_point_share")
    way = np.where(own, assumed("pickup_in_village_km"), np.round(km * assumed("detour"), 1))
    return pl.select(pl.when(frame["kind"] == "village").then(pl.Series(way))).to_series()


def _provenance(rural: RuralPart, seed: int, year: int) -> pl.DataFrame:
    built_in = "changtong/network/china (docs/reference-network.md)"
    rows = [
        {
            "table": "sites",
            "column": "lon",
            "kind": "official",
            "source": built_in,
            "note": "of the hub: position of the county unit",
        },
        {
            "table": "pieces",
            "column": "inbound_pieces_per_day",
            "kind": "derived",
            "source": built_in,
            "note": f"pieces of the county unit in the built-in network of {year} times"
            f" {rural.rural_share:.4f}, the share of its rural people, a rural resident"
            f" counting {assumption('rural_weight'):g}; split over places by their made-up people;"
            f" seed {seed}",
        },
    ]
    notes = COMMON_NOTES | {
        "sites.site_id": "stations and villages are made up: one village for {people_per_village} rural"
        f" people, one station for {{people_per_station}}, in a disc of the area of {{outlet_area_km2}} km2"
        f" for {{outlet_people}} people (S60); seed {seed}",
        "sites.people": "the rural people of the census, {seat_share} of them at the stations, villages and"
        " townships of unequal size (standard deviations of the logarithm {village_spread} and"
        " {township_spread})",
        "sites.pickup_km": "{pickup_in_village_km} km in a share of {pickup_point_share} of the villages"
        " (S62), else as far as the nearest station",
    }
    return pl.DataFrame([*rows, *assumed_rows(notes)])
