"""The week of a plan as trips of each day, and what it costs to pass one more village: cheapest insertion.

An estimate: a village is put between two stops of a trip that goes on that day, or gets a new trip from a
base in use. Room, cold space, kilometres, shift and the end of the day are looked at; windows of the other
stops, and whether the trunk has room, are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.distances import DETOUR_FACTOR, Floats, SiteWays

DAYS = "1234567"
NEW_TRIP = -1
SLACK = 1e-9


@dataclass
class Trip:
    """A trip on one day; stops are rows of the county's sites."""

    route_id: str
    vehicle_type: str
    vehicle: int
    base: int
    way: list[int]
    delivered: float
    collected: float
    delivered_cold: float
    collected_cold: float

    @property
    def key(self) -> tuple[str, int, int]:
        """The vehicle it is a trip of."""
        return self.vehicle_type, self.vehicle, self.base


@dataclass
class VehicleDay:
    """What a vehicle does on one day."""

    km: float = 0.0
    starts_h: float = 24.0
    returns_h: float = 0.0
    trips: int = 0


@dataclass(frozen=True)
class Wanted:
    """What villages get and give at a visit, a row each; all arrays have the length of ``rows``.

    Attributes
    ----------
    rows : array of int
        Rows of the villages in the county's sites.
    brought, taken, brought_cold, taken_cold : array of float
        Pieces of one visit.
    """

    rows: NDArray[np.int64]
    brought: Floats
    taken: Floats
    brought_cold: Floats
    taken_cold: Floats

    @property
    def cold(self) -> NDArray[np.bool_]:
        """Whether a village has cold goods."""
        return (self.brought_cold + self.taken_cold) > 0


@dataclass
class PlanWeek:
    """A plan as trips by day, which grows by what is inserted.

    Attributes
    ----------
    county, ways
        What it plays on.
    vehicles : mapping
        Type -> its row, those that may go to villages under this plan.
    trips : list
        For each of the seven days its trips.
    use : list
        For each of the seven days: vehicle -> what it does.
    bases : list
        For each of the seven days the bases a new trip may start from.
    """

    county: County
    ways: SiteWays
    vehicles: dict[str, dict[str, Any]]
    trips: list[list[Trip]] = field(default_factory=lambda: [[] for _ in DAYS])
    use: list[dict[tuple[str, int, int], VehicleDay]] = field(default_factory=lambda: [{} for _ in DAYS])
    bases: list[list[int]] = field(default_factory=lambda: [[] for _ in DAYS])
    travel: dict[str, Floats] = field(default_factory=dict)

    def insertion(self, day: int, number: int, wanted: Wanted) -> tuple[Floats, NDArray[np.int64]]:
        """Return what each village would cost on a trip of a day, and after which stop; inf where it cannot.

        Parameters
        ----------
        day : int
            From 0.
        number : int
            Of the trip in ``trips[day]``.
        wanted : Wanted
        """
        trip = self.trips[day][number]
        vehicle, use = self.vehicles[trip.vehicle_type], self.use[day][trip.key]
        way, hours = np.array(trip.way), self.travel[trip.vehicle_type]
        head, tail, here = way[:-1], way[1:], wanted.rows[:, None]
        more_km = self.ways.km[head, here] + self.ways.km[here, tail] - self.ways.km[head, tail]
        more_h = hours[head, here] + hours[here, tail] - hours[head, tail] + self._stand_h(wanted)[:, None]
        cost = more_km * vehicle["cost_cny_per_km"] + more_h * vehicle["cost_cny_per_h"]
        room = trip.delivered + wanted.brought <= vehicle["capacity_pieces"] + SLACK
        room &= trip.collected + wanted.taken <= vehicle["capacity_pieces"] + SLACK
        room &= self._cold_room(trip, vehicle, wanted)
        fits = room[:, None] & (use.km + more_km <= _or_inf(vehicle["range_km"]) + SLACK)
        fits &= use.returns_h - use.starts_h + more_h <= vehicle["shift_h"] + SLACK
        fits &= use.returns_h + more_h <= hour_of(vehicle["ends"]) + SLACK
        cost = np.where(fits, cost, np.inf)
        place = cost.argmin(axis=1)
        best = cost[np.arange(len(place)), place] + self._handling(trip.base, wanted)
        return best, place

    def new_trip(self, day: int, wanted: Wanted) -> tuple[Floats, list[tuple[str, int] | None]]:
        """Return what a trip of its own would cost each village on a day, with vehicle type and base."""
        count = len(wanted.rows)
        best = np.full(count, np.inf)
        choice: list[tuple[str, int] | None] = [None] * count
        stand = self._stand_h(wanted)
        for name, vehicle in self.vehicles.items():
            if vehicle["count"] is not None:
                busy = len({key[1:] for key in self.use[day] if key[0] == name})
                if busy >= vehicle["count"]:
                    continue
            most = np.maximum(wanted.brought, wanted.taken)
            cold = np.maximum(wanted.brought_cold, wanted.taken_cold)
            room = (most <= vehicle["capacity_pieces"]) & (cold <= vehicle["cold_pieces"])
            for base in self.bases[day]:
                km = self.ways.km[base, wanted.rows] + self.ways.km[wanted.rows, base]
                travel = self.travel[name]
                hours = travel[base, wanted.rows] + travel[wanted.rows, base] + stand
                starts = max(hour_of(vehicle["starts"]), self._ready_h[base])
                fits = room & (km <= _or_inf(vehicle["range_km"]) + SLACK) & self._keeps_cold(base, wanted)
                fits &= (hours <= vehicle["shift_h"] + SLACK) & (
                    starts + hours <= hour_of(vehicle["ends"]) + SLACK
                )
                cost = vehicle["cost_cny_per_day"] + km * vehicle["cost_cny_per_km"]
                cost = cost + hours * vehicle["cost_cny_per_h"] + self._handling(base, wanted)
                for k in np.flatnonzero(fits & (cost < best)):
                    best[k], choice[k] = cost[k], (name, base)
        return best, choice

    def insert(self, day: int, number: int, place: int, k: int, wanted: Wanted) -> None:
        """Put village ``k`` of what is wanted after the stop ``place`` of a trip."""
        trip = self.trips[day][number]
        use, hours = self.use[day][trip.key], self.travel[trip.vehicle_type]
        head, here, tail = trip.way[place], int(wanted.rows[k]), trip.way[place + 1]
        use.km += float(self.ways.km[head, here] + self.ways.km[here, tail] - self.ways.km[head, tail])
        use.returns_h += float(hours[head, here] + hours[here, tail] - hours[head, tail])
        use.returns_h += float(self._stand_h(wanted)[k])
        trip.way.insert(place + 1, here)
        trip.delivered += float(wanted.brought[k])
        trip.collected += float(wanted.taken[k])
        trip.delivered_cold += float(wanted.brought_cold[k])
        trip.collected_cold += float(wanted.taken_cold[k])

    def add_trip(self, day: int, vehicle_type: str, base: int, k: int, wanted: Wanted) -> int:
        """Start a new trip to village ``k``; return its number."""
        taken = [key[1] for key in self.use[day] if key[0] == vehicle_type and key[2] == base]
        trip = Trip(
            f"new {len(self.trips[day]) + 1} on day {DAYS[day]}",
            vehicle_type,
            max(taken, default=0) + 1,
            base,
            [base, base],
            0.0,
            0.0,
            0.0,
            0.0,
        )
        starts = max(hour_of(self.vehicles[vehicle_type]["starts"]), self._ready_h[base])
        self.use[day][trip.key] = VehicleDay(starts_h=starts, returns_h=starts, trips=1)
        self.trips[day].append(trip)
        self.insert(day, len(self.trips[day]) - 1, 0, k, wanted)
        return len(self.trips[day]) - 1

    def __post_init__(self) -> None:
        sites = self.county.sites
        self._stop_h = sites["stop_min"].to_numpy() / 60
        self._piece_h = sites["piece_min"].to_numpy() / 60
        self._handle = np.where(
            (sites["kind"] == "township").to_numpy(), sites["handle_cny_per_piece"].to_numpy(), 0.0
        )
        self._cold = sites["cold"].to_numpy() | (sites["kind"] == "county").to_numpy()
        self._ready_h = np.zeros(sites.height)
        self.travel = {
            name: self.ways.travel_h(vehicle["speed_km_per_h"]) for name, vehicle in self.vehicles.items()
        }

    def ready(self, base: int, hour: float) -> None:
        """Note when the goods of a base are ready."""
        self._ready_h[base] = hour

    def _stand_h(self, wanted: Wanted) -> Floats:
        pieces = wanted.brought + wanted.taken
        stand: Floats = self._stop_h[wanted.rows] + self._piece_h[wanted.rows] * pieces
        return stand

    def _handling(self, base: int, wanted: Wanted) -> Floats:
        cost: Floats = self._handle[base] * (wanted.brought + wanted.taken)
        return cost

    def _keeps_cold(self, base: int, wanted: Wanted) -> NDArray[np.bool_]:
        return ~wanted.cold | bool(self._cold[base])

    def _cold_room(self, trip: Trip, vehicle: dict[str, Any], wanted: Wanted) -> NDArray[np.bool_]:
        room = trip.delivered_cold + wanted.brought_cold <= vehicle["cold_pieces"] + SLACK
        room &= trip.collected_cold + wanted.taken_cold <= vehicle["cold_pieces"] + SLACK
        fits: NDArray[np.bool_] = (room | ~wanted.cold) & self._keeps_cold(trip.base, wanted)
        return fits


def plan_week(county: County, plan: CountyPlan, *, detour: float = DETOUR_FACTOR) -> PlanWeek:
    """Lay out a plan's local trips by day.

    Parameters
    ----------
    county : County
    plan : CountyPlan
    detour : float
        Road over great circle where no road is listed.
    """
    rows = county.vehicles.filter(pl.col("tier") != "trunk")
    if plan.name in county.firms:
        rows = rows.filter(pl.col("firm").is_null() | (pl.col("firm") == plan.name))
    vehicles = {row["vehicle_type"]: row for row in rows.iter_rows(named=True)}
    ways = SiteWays(county.sites, county.roads, detour=detour)
    week = PlanWeek(county, ways, vehicles)
    stops = {key[0]: part for key, part in plan.stops.sort("stop").group_by("route_id", maintain_order=True)}
    for route in plan.routes.filter(pl.col("tier") == "local").iter_rows(named=True):
        own = stops.get(route["route_id"])
        if own is None or route["vehicle_type"] not in vehicles:
            continue
        base = ways.row[route["from_site"]]
        way = [base, *(ways.row[site] for site in own["site_id"]), base]
        pieces = own.select("delivered_cold_pieces", "collected_cold_pieces").sum().row(0)
        for day in (DAYS.index(digit) for digit in route["weekdays"]):
            trip = Trip(
                route["route_id"],
                route["vehicle_type"],
                int(route["vehicle"]),
                base,
                list(way),
                float(route["delivered_pieces"]),
                float(route["collected_pieces"]),
                float(pieces[0] or 0),
                float(pieces[1] or 0),
            )
            week.trips[day].append(trip)
            use = week.use[day].setdefault(trip.key, VehicleDay())
            use.km += float(route["distance_km"])
            use.starts_h = min(use.starts_h, hour_of(route["departs"]))
            use.returns_h = max(use.returns_h, hour_of(route["returns"]))
            use.trips += 1
    hub = ways.row[county.hub]
    for day, digit in enumerate(DAYS):
        open_there = plan.stations.filter(pl.col("weekdays").str.contains(digit))["site_id"].to_list()
        week.bases[day] = [hub, *(ways.row[site] for site in open_there)]
    for site, ready in plan.stations.select("site_id", "ready").iter_rows():
        week.ready(ways.row[site], hour_of(ready) if ready else 0.0)
    return week


def hour_of(time: str) -> float:
    """Return the hours since midnight of HH:MM or HH:MM:SS.

    Parameters
    ----------
    time : str

    Examples
    --------
    >>> hour_of("07:30")
    7.5
    """
    hours, minutes, *seconds = (int(part) for part in time.split(":"))
    return hours + minutes / 60 + (seconds[0] if seconds else 0) / 3600


def _or_inf(limit: float | None) -> float:
    return np.inf if limit is None else limit
