"""One planning question of a county as arrays: the sites it is about, their pieces, vehicles and buses.

The firms that plan together are merged: a village has one number of pieces. Sites are numbered from 0, the
hub; then stations and villages in the order of the county's table. Times of the day are whole seconds,
lengths kilometres, pieces those of a week.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.rural.county import County
from changtong.rural.day_clock import clock_s
from changtong.rural.distances import DETOUR_FACTOR, SiteWays

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Flags = NDArray[np.bool_]

HUB = 0
DAY_S = 86_400
DAYS = tuple(range(7))

LEFT_CNY, MOST_LEFT_CNY = 20_000.0, 1e9
"""What leaving a visit out weighs at least in a search, CNY, and at most."""


@dataclass(frozen=True)
class CountySettings:
    """What is assumed and how far to go.

    Attributes
    ----------
    detour_factor : float
        Road kilometres per kilometre of great circle where no road is listed: assumed.
    effort : float
        Work of the search, as a factor: 1 suits a district of 600 villages in two minutes.
    exact_firms : int
        Up to so many firms the saving is split over all coalitions; beyond, over sampled orders.
    orders : int
        Orders sampled beyond ``exact_firms``.
    unserved_cny_per_piece : float
        What a piece that is not served weighs where plans that serve different pieces are compared: assumed.

    Examples
    --------
    >>> CountySettings(detour_factor=1.4).detour_factor
    1.4
    """

    detour_factor: float = DETOUR_FACTOR
    effort: float = 1.0
    exact_firms: int = 6
    orders: int = 40
    unserved_cny_per_piece: float = 10.0

    def __post_init__(self) -> None:
        if self.detour_factor < 1.0:
            raise UsageError(
                f"A detour factor of {self.detour_factor} is less than a straight line; at least 1."
            )
        if not self.unserved_cny_per_piece >= 0.0:
            raise UsageError(f"A piece not served weighs {self.unserved_cny_per_piece}; at least 0.")
        if not self.effort > 0.0:
            raise UsageError(f"An effort of {self.effort} does nothing; more than 0.")


@dataclass(frozen=True)
class Vehicle:
    """A vehicle type; ``count`` None: as many as wanted, 0: another firm's; ``range_km`` None: no limit."""

    name: str
    tier: str
    count: int | None
    warm: float
    cold: float
    day_cny: float
    km_cny: float
    h_cny: float
    km_per_h: float
    range_km: float | None
    kgco2e_per_km: float | None
    shift_s: int
    trips: int
    starts_s: int
    ends_s: int

    @property
    def trunk(self) -> bool:
        """Whether it may go from the hub to stations."""
        return self.count != 0 and self.tier in ("trunk", "any")

    @property
    def local(self) -> bool:
        """Whether it may go to villages."""
        return self.count != 0 and self.tier in ("local", "any")


@dataclass(frozen=True)
class Bus:
    """A run of a passenger line: its stops in order as (site, second of the day)."""

    name: str
    spare: float
    piece_cny: float
    day_cny: float
    days: int
    stops: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Question:
    """What is to be planned, all arrays by site number.

    Attributes
    ----------
    name : str
    site_ids : tuple of str
    km : array (sites, sites)
    road_h : array (sites, sites)
        Hours of the way where a road states them, else NaN.
    inbound, outbound, cold_in, cold_out : array
        Pieces of a week; the cold ones are part of the others.
    cold_h : array
        Hours cold pieces may be under way; infinite where not limited.
    visits : array
        Days of a week.
    opens_s, closes_s, stop_s, piece_s : array
    station, opened : array of bool
        Whether a station may be used, and whether it is open in any plan.
    rent_cny, handle_cny, handle_max : array
    cold_store : array of bool
    vehicles : tuple of Vehicle
    buses : tuple of Bus
    firm_pieces : mapping of int to list
        Site -> (firm, inbound and outbound, of these cold) pieces of a week, to name what is unserved.
    """

    name: str
    site_ids: tuple[str, ...]
    km: Floats
    road_h: Floats
    inbound: Floats
    outbound: Floats
    cold_in: Floats
    cold_out: Floats
    cold_h: Floats
    visits: Longs
    opens_s: Longs
    closes_s: Longs
    stop_s: Floats
    piece_s: Floats
    station: Flags
    opened: Flags
    rent_cny: Floats
    handle_cny: Floats
    handle_max: Floats
    cold_store: Flags
    vehicles: tuple[Vehicle, ...]
    buses: tuple[Bus, ...]
    firm_pieces: dict[int, list[tuple[str, float, float]]] = field(default_factory=dict)

    @cached_property
    def customers(self) -> tuple[int, ...]:
        """Sites, other than the hub, that have pieces."""
        busy = self.inbound + self.outbound > 0
        busy[HUB] = False
        return tuple(int(i) for i in np.flatnonzero(busy))

    @cached_property
    def stations(self) -> tuple[int, ...]:
        """Stations that may be used."""
        return tuple(int(i) for i in np.flatnonzero(self.station))

    @cached_property
    def seconds(self) -> tuple[Longs, ...]:
        """Whole seconds of every way, by vehicle type."""
        hours_at: dict[float, Longs] = {}
        for v in self.vehicles:
            if v.km_per_h not in hours_at:
                hours = np.where(np.isnan(self.road_h), self.km / v.km_per_h, self.road_h)
                hours_at[v.km_per_h] = np.ceil(hours * 3600.0 - 1e-6).astype(np.int64)
        return tuple(hours_at[v.km_per_h] for v in self.vehicles)

    @cached_property
    def left_cny(self) -> float:
        """What leaving a visit out weighs in a search, CNY: more than any vehicle's day and way cost."""
        far = float((self.km[HUB] + self.km[:, HUB]).max())
        dearest = max(
            (
                v.day_cny
                + v.km_cny * (far if v.range_km is None else v.range_km)
                + v.h_cny * v.shift_s / 3600
                for v in self.vehicles
                if v.count != 0
            ),
            default=0.0,
        )
        return min(max(LEFT_CNY, 3.0 * dearest), MOST_LEFT_CNY)

    @cached_property
    def first_arrivals(self) -> dict[bool, tuple[Longs, Longs]]:
        """Whether with cold space alone -> first second a trunk vehicle can be at each site, and left for it.

        -1 where none can.
        """
        found = {}
        for cold in (False, True):
            first = np.full(len(self.site_ids), 2 * DAY_S, np.int64)
            left = np.full(len(self.site_ids), -1, np.int64)
            for v, ways in zip(self.vehicles, self.seconds, strict=True):
                if not v.trunk or (cold and v.cold <= 0):
                    continue
                there, back = ways[HUB], ways[:, HUB] + np.ceil(self.stop_s).astype(np.int64)
                at = np.maximum(v.starts_s + there, self.opens_s)
                can = (at <= self.closes_s) & (at + back <= v.ends_s) & (there + back <= v.shift_s)
                if v.range_km is not None:
                    can &= self.km[HUB] + self.km[:, HUB] <= v.range_km + 1e-9
                sooner = can & (at < first)
                first[sooner], left[sooner] = at[sooner], (at - there)[sooner]
            found[cold] = (np.where(left < 0, -1, first), left)
        return found

    @cached_property
    def has_cold(self) -> bool:
        """Whether anything is cold."""
        return bool((self.cold_in + self.cold_out).sum() > 0)

    def per_visit(self, site: int) -> tuple[float, float, float, float]:
        """Return pieces of one visit: warm to it, cold to it, warm from it, cold from it."""
        return self._per_visit[site]

    @cached_property
    def _per_visit(self) -> list[tuple[float, float, float, float]]:
        warm_in, warm_out = self.inbound - self.cold_in, self.outbound - self.cold_out
        amounts = np.stack([warm_in, self.cold_in, warm_out, self.cold_out], axis=1) / self.visits[:, None]
        return [(a, b, c, d) for a, b, c, d in amounts.tolist()]

    def without_cold(self, sites: list[int]) -> Question:
        """Return the question without the cold pieces of some sites."""
        arrays = {name: getattr(self, name).copy() for name in ("inbound", "outbound", "cold_in", "cold_out")}
        arrays["inbound"][sites] -= arrays["cold_in"][sites]
        arrays["outbound"][sites] -= arrays["cold_out"][sites]
        for name in ("inbound", "outbound"):
            tiny = arrays[name][sites] < 1e-9
            arrays[name][np.asarray(sites)[tiny]] = 0.0
        arrays["cold_in"][sites] = arrays["cold_out"][sites] = 0.0
        return replace(self, **arrays)

    def without(self, sites: list[int]) -> Question:
        """Return the question without the pieces of some sites."""
        arrays = {name: getattr(self, name).copy() for name in ("inbound", "outbound", "cold_in", "cold_out")}
        for values in arrays.values():
            values[sites] = 0.0
        return replace(self, **arrays)


def ask(
    county: County,
    firms: tuple[str, ...],
    *,
    name: str = "shared",
    settings: CountySettings | None = None,
    with_buses: bool = False,
) -> Question:
    """Return the question of some firms planning together, with their vehicles and anybody's.

    Sites and vehicle types have the same numbers whichever firms plan, so that one question's routes can
    begin another's: sites without pieces of theirs have none, others' vehicles are none.

    Parameters
    ----------
    county : County
    firms : tuple of str
    name : str
    settings : CountySettings, optional
    with_buses : bool
    """
    settings = settings or CountySettings()
    pieces = _weekly(county, firms)
    kept = county.sites.filter(
        (pl.col("kind") == "county")
        | ((pl.col("kind") == "township") & (pl.col("opening") != "shut"))
        | pl.col("site_id").is_in(_weekly(county, county.firms)["site_id"].implode())
    )
    sites = pl.concat([kept.filter(pl.col("kind") == "county"), kept.filter(pl.col("kind") != "county")])
    sites = sites.join(pieces, on="site_id", how="left", maintain_order="left").with_columns(
        pl.col("inbound", "outbound", "cold_in", "cold_out").fill_null(0.0)
    )
    ids = tuple(sites["site_id"].to_list())
    number = {site: k for k, site in enumerate(ids)}
    ways = SiteWays(sites, county.roads, detour=settings.detour_factor)
    km, road_h = ways.km, ways.hours
    township = (sites["kind"] == "township").to_numpy()
    usable = township & (sites["opening"] != "shut").fill_null(True).to_numpy()

    def floats(column: str, missing: float) -> Floats:
        return np.asarray(sites[column].cast(pl.Float64).fill_null(missing).to_numpy(), np.float64).copy()

    return Question(
        name=name,
        site_ids=ids,
        km=km,
        road_h=road_h,
        inbound=floats("inbound", 0.0),
        outbound=floats("outbound", 0.0),
        cold_in=floats("cold_in", 0.0),
        cold_out=floats("cold_out", 0.0),
        cold_h=floats("cold_h", np.inf),
        visits=floats("visits_per_week", 7.0).astype(np.int64),
        opens_s=np.array([clock_s(t, 0) for t in sites["opens"]], np.int64),
        closes_s=np.array([clock_s(t, DAY_S) for t in sites["closes"]], np.int64),
        stop_s=floats("stop_min", 5.0) * 60.0,
        piece_s=floats("piece_min", 0.05) * 60.0,
        station=usable,
        opened=township & (sites["opening"] == "open").fill_null(False).to_numpy(),
        rent_cny=floats("open_cny_per_day", 0.0),
        handle_cny=floats("handle_cny_per_piece", 0.0),
        handle_max=floats("handle_pieces_per_day", np.inf),
        cold_store=sites["cold"].fill_null(False).to_numpy().copy(),
        vehicles=_vehicles(county, firms),
        buses=_buses(county, number) if with_buses else (),
        firm_pieces=_firm_pieces(county, firms, number),
    )


def _weekly(county: County, firms: tuple[str, ...]) -> pl.DataFrame:
    """Return pieces of a week by site, of the firms together; the strictest limit of cold hours counts."""
    mine = county.pieces.filter(pl.col("firm").is_in(list(firms)))
    inbound, outbound = pl.col("inbound_pieces_per_day") * 7.0, pl.col("outbound_pieces_per_day") * 7.0
    cold = (pl.col("inbound_cold_share") * inbound + pl.col("outbound_cold_share") * outbound) > 0
    return (
        mine.group_by("site_id", maintain_order=True)
        .agg(
            inbound.sum().alias("inbound"),
            outbound.sum().alias("outbound"),
            (inbound * pl.col("inbound_cold_share")).sum().alias("cold_in"),
            (outbound * pl.col("outbound_cold_share")).sum().alias("cold_out"),
            pl.col("cold_h").filter(cold).min().alias("cold_h"),
        )
        .filter(pl.col("inbound") + pl.col("outbound") > 0)
    )


def _firm_pieces(
    county: County, firms: tuple[str, ...], number: dict[str, int]
) -> dict[int, list[tuple[str, float, float]]]:
    found: dict[int, list[tuple[str, float, float]]] = {}
    mine = county.pieces.filter(pl.col("firm").is_in(list(firms))).sort("site_id", "firm")
    for row in mine.iter_rows(named=True):
        inbound, outbound = row["inbound_pieces_per_day"] * 7.0, row["outbound_pieces_per_day"] * 7.0
        cold = inbound * row["inbound_cold_share"] + outbound * row["outbound_cold_share"]
        if inbound + outbound > 0:
            found.setdefault(number[row["site_id"]], []).append((row["firm"], inbound + outbound, cold))
    return found


def _vehicles(county: County, firms: tuple[str, ...]) -> tuple[Vehicle, ...]:
    mine = {None, "", *firms}
    return tuple(
        Vehicle(
            name=row["vehicle_type"],
            tier=row["tier"] or "any",
            count=row["count"] if row["firm"] in mine else 0,
            warm=row["capacity_pieces"] - row["cold_pieces"],
            cold=row["cold_pieces"],
            day_cny=row["cost_cny_per_day"],
            km_cny=row["cost_cny_per_km"],
            h_cny=row["cost_cny_per_h"],
            km_per_h=row["speed_km_per_h"],
            range_km=row["range_km"],
            kgco2e_per_km=row["kgco2e_per_km"],
            shift_s=round(row["shift_h"] * 3600),
            trips=row["trips_per_day"],
            starts_s=clock_s(row["starts"], 6 * 3600),
            ends_s=clock_s(row["ends"], 20 * 3600),
        )
        for row in county.vehicles.iter_rows(named=True)
    )


def _buses(county: County, number: dict[str, int]) -> tuple[Bus, ...]:
    found = []
    for row in county.buses.iter_rows(named=True):
        stops = county.bus_stops.filter(pl.col("bus_id") == row["bus_id"]).sort("stop")
        ways = [
            (number[s], clock_s(t, 0)) for s, t in stops.select("site_id", "at").iter_rows() if s in number
        ]
        days = mask_of(row["weekdays"] or "1234567")
        found.append(
            Bus(
                row["bus_id"],
                row["spare_pieces"],
                row["cost_cny_per_piece"],
                row["cost_cny_per_day"],
                days,
                tuple(ways),
            )
        )
    return tuple(found)


def mask_of(weekdays: str) -> int:
    """Return days as bits: "135" is Monday, Wednesday, Friday, bit 0 Monday."""
    return sum(1 << (int(day) - 1) for day in set(weekdays))


def weekdays_of(mask: int) -> str:
    """Return bits as days: 0b10101 is "135"."""
    return "".join(str(day + 1) for day in DAYS if mask >> day & 1)
