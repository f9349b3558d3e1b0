"""Places of the built-in network of China: package tables read, sites laid out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.units import EARTH_RADIUS_KM

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TEXT_COLUMNS = ("admin_code", "city_code", "province_code", "capital_city_code", "county_code")


@cache
def read_table(name: str) -> pl.DataFrame:
    """Read one CSV of ``changtong/network/china``; codes stay text.

    Parameters
    ----------
    name : str
        File name without ``.csv``.
    """
    data = files("changtong.network").joinpath(f"china/{name}.csv").read_bytes()
    header = data.split(b"\n", 1)[0].decode().split(",")
    text = {column: pl.String for column in header if column in TEXT_COLUMNS}
    return pl.read_csv(data, schema_overrides=text, infer_schema_length=None)


@cache
def assumption(name: str) -> float:
    """Return one assumed number of ``assumptions.csv`` in its unit there."""
    return float(read_table("assumptions").filter(pl.col("name") == name)["value"].item())


@cache
def published(name: str, year: int = 2022) -> float:
    """Return one published number of ``published.csv`` in its unit there."""
    found = read_table("published").filter((pl.col("name") == name) & (pl.col("year") == year))
    return float(found["value"].item())


@dataclass(frozen=True)
class Places:
    """Sites of the network in the order of its ``sites`` table.

    Attributes
    ----------
    frame : polars.DataFrame
        site_id, name, kind, lon, lat, admin_code, city_code (of a county unit: the city
        centre that serves it), province_code, region,
        gate_side (see ``road_km``), population (persons, 2020 census; null for hubs and
        exchange offices), attraction (persons weighted by how much they receive), role.
    left_out : polars.DataFrame
        County units without a known position or a census count: admin_code, name, population.
    """

    frame: pl.DataFrame
    left_out: pl.DataFrame

    def rows_of(self, *kinds: str) -> Ints:
        """Return the rows of the sites of some kinds."""
        found: Ints = np.flatnonzero(self.frame["kind"].is_in(kinds).to_numpy())
        return found

    def road_km(self, tail: Ints, head: Ints) -> Floats:
        """Return road distances: great circle times the assumed circuity, with a least value.

        Between the north-east and the provinces south of it the way leads round the
        Bohai Sea.

        Parameters
        ----------
        tail, head : array of int
            Site rows; the result has their broadcast shape. km.
        """
        lon, lat = self.frame["lon"].to_numpy(), self.frame["lat"].to_numpy()
        circle = great_circle_km(lon[tail], lat[tail], lon[head], lat[head])
        side = self.frame["gate_side"].to_numpy()
        across = side[tail] * side[head] < 0
        if across.any():
            gate = np.array(assumption("gate_lon_deg")), np.array(assumption("gate_lat_deg"))
            to_gate = great_circle_km(lon, lat, *gate)
            circle = np.where(across, to_gate[tail] + to_gate[head], circle)
        return np.maximum(circle * assumption("circuity"), assumption("least_road_km"))


def great_circle_km(lon_1: Floats, lat_1: Floats, lon_2: Floats, lat_2: Floats) -> Floats:
    """Return great-circle distances in km between points in degrees, broadcast together."""
    east_1, north_1, east_2, north_2 = (np.radians(part) for part in (lon_1, lat_1, lon_2, lat_2))
    half = np.sin((north_2 - north_1) / 2) ** 2
    half = half + np.cos(north_1) * np.cos(north_2) * np.sin((east_2 - east_1) / 2) ** 2
    circle: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return circle


def lay_out_places(level: str) -> Places:
    """Lay out the sites of the county or the city level.

    County units first (county level only), then city centres, hubs, exchange offices,
    each by code. At city level a city centre stands for all of its county units.
    """
    counties = _counties()
    cities = _cities(counties, level)
    parts = [cities, _hubs(counties, cities), _exchanges(cities)]
    if level == "county":
        located = counties.filter("located")
        parts.insert(0, located.with_columns(own_city(located, cities)))
    columns = ["site_id", "name", "kind", "lon", "lat", "admin_code", "city_code", "province_code"]
    columns += ["region", "gate_side", "population", "attraction", "role"]
    frame = pl.concat([part.select(columns) for part in parts])
    left_out = counties.filter(~pl.col("located")).select("admin_code", "name", "population")
    return Places(frame=frame, left_out=left_out)


def _regions() -> pl.DataFrame:
    return read_table("provinces").select("province_code", "region", "gate_side")


def _counties() -> pl.DataFrame:
    """All county units of the census; units of one city share out its left-out people."""
    rural = assumption("rural_weight")
    frame = read_table("counties").with_columns(
        site_id="admin_code",
        kind=pl.lit("county"),
        province_code=pl.col("admin_code").str.slice(0, 2),
        role=pl.lit(""),
        located=pl.col("lon").is_not_null() & pl.col("population").is_not_null(),
        population=pl.col("population").cast(pl.Float64),
        attraction=pl.col("population") * (rural + (1 - rural) * pl.col("urban_share").fill_null(0.5)),
    )
    located = pl.when("located").then("attraction")
    grown = pl.col("attraction").sum().over("city_code") / located.sum().over("city_code")
    frame = frame.with_columns(attraction=pl.col("attraction") * grown)
    cities = read_table("cities").select("city_code", city_name="name")
    frame = frame.join(cities, on="city_code", how="left").join(_regions(), on="province_code", how="left")
    shared = pl.col("name").is_duplicated() & pl.col("city_name").is_not_null()
    named = pl.when(shared).then(pl.col("city_name") + pl.col("name")).otherwise("name")
    return frame.with_columns(name=named).sort("admin_code")


def _cities(counties: pl.DataFrame, level: str) -> pl.DataFrame:
    """City centres; county units governed by the province itself join the nearest centre."""
    frame = read_table("cities").sort("city_code")
    direct = ~pl.col("city_code").is_in(frame["city_code"].implode())
    counted = counties.filter(pl.col("population").is_not_null() & (~direct | pl.col("located")))
    served = counted.with_columns(own_city(counted, frame), attraction=pl.when("located").then("attraction"))
    total = served.group_by("city_code").agg(pl.col("population", "attraction").sum())
    frame = frame.with_columns(
        site_id=pl.col("city_code") + "C",
        name=pl.col("name").str.strip_suffix("市") + "分拣中心",
        kind=pl.lit("sorting"),
        admin_code=pl.col("city_code") + "00",
        province_code=pl.col("city_code").str.slice(0, 2),
        role=pl.lit(""),
    )
    frame = frame.join(total, on="city_code", how="left").join(_regions(), on="province_code", how="left")
    if level == "county":  # the people are counted at the county units
        frame = frame.with_columns(population=pl.lit(None, pl.Float64), attraction=pl.lit(0.0))
    return frame.sort("city_code")


def own_city(counties: pl.DataFrame, cities: pl.DataFrame) -> pl.Series:
    """Return the city centre that serves each county unit: its own, else the nearest in the province."""
    codes = cities["city_code"].to_list()
    known = set(codes)
    lon, lat = cities["lon"].to_numpy(), cities["lat"].to_numpy()
    own = counties["city_code"].to_list()
    for row, code in enumerate(own):
        if code not in known:
            same = np.array([k for k, c in enumerate(codes) if c[:2] == code[:2]])
            km = great_circle_km(counties["lon"][row], counties["lat"][row], lon[same], lat[same])
            own[row] = codes[int(same[np.argmin(km)])]
    return pl.Series("city_code", own)


def _hubs(counties: pl.DataFrame, cities: pl.DataFrame) -> pl.DataFrame:
    """Hubs, next to their city's seat or, where named, a county unit's."""
    seats = counties.select(county_code="admin_code", seat_lon="lon", seat_lat="lat")
    frame = read_table("hubs").join(
        cities.select("city_code", "lon", "lat", "province_code", "region", "gate_side"),
        on="city_code",
        how="left",
    )
    frame = frame.join(seats, on="county_code", how="left")
    return frame.with_columns(
        site_id="H" + pl.col("city_code"),
        name=pl.col("place_name") + "转运中心",
        kind=pl.lit("transfer"),
        admin_code=pl.coalesce("county_code", pl.col("city_code") + "00"),
        lon=pl.coalesce("seat_lon", "lon") + assumption("hub_shift_deg"),
        lat=pl.coalesce("seat_lat", "lat"),
        population=pl.lit(None, pl.Float64),
        attraction=pl.lit(0.0),
    ).sort("city_code")


def _exchanges(cities: pl.DataFrame) -> pl.DataFrame:
    """Exchange offices for international, Hong Kong, Macao and Taiwan pieces."""
    frame = read_table("exchanges").join(
        cities.select("city_code", "lon", "lat", "province_code", "region", "gate_side"),
        on="city_code",
        how="left",
    )
    return frame.with_columns(
        site_id="X" + pl.col("city_code"),
        name=pl.col("place_name") + "国际邮件互换局",
        kind=pl.lit("exchange"),
        admin_code=pl.col("city_code") + "00",
        lat=pl.col("lat") + assumption("exchange_shift_deg"),
        population=pl.lit(None, pl.Float64),
        attraction=pl.lit(0.0),
        role=pl.lit(""),
    ).sort("city_code")
