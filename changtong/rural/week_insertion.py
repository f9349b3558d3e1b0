"""The week of a plan as trips of each day, and what it costs to pass one more village: cheapest insertion.

An estimate: a village is put between two stops of a trip that goes on that day, or gets a new trip from a
base in use. Warm room and cold space at every point of a trip, kilometres, shift, the end of the day, the
village's own window, those of the stops that become later, and the hours of everybody's cold goods are looked
at; whether the trunk has room is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.day_clock import clock_s
from changtong.rural.distances import DETOUR_FACTOR, Floats, SiteWays
from changtong.rural.week_slack import least_slack_h, slack_back_h, slack_h, within

DAYS = "1234567"
NEW_TRIP = -1
SLACK = 1e-9
DAY_S = 24 * 3600


Amounts = tuple[float, float, float, float]
"""Pieces at a stop: brought warm, brought cold, taken warm, taken cold."""

NOTHING: Amounts = (0.0, 0.0, 0.0, 0.0)


@dataclass
class Trip:
    """A trip on one day, one entry a place in each list: the base, the stops, the base again.

    Attributes
    ----------
    route_id, vehicle_type : str
    vehicle : int
    base : int
    way : list of int
        Rows of the county's sites.
    leaves_h : list of float
        When it leaves each place; at the end, when it is back.
    amounts : list of tuple
        Pieces at each place.
    """

    route_id: str
    vehicle_type: str
    vehicle: int
    base: int
    way: list[int]
    leaves_h: list[float]
    amounts: list[Amounts]

    @property
    def key(self) -> tuple[str, int, int]:
        """The vehicle it is a trip of."""
        return self.vehicle_type, self.vehicle, self.base

    def most_load(self, kind: int) -> tuple[Floats, Floats]:
        """Return the most it holds up to and after leaving each place; kind 0: warm, 1: cold."""
        there = np.array(self.amounts)[:-1]
        load = there[:, kind].sum() + np.cumsum(there[:, kind + 2] - there[:, kind])
        return np.maximum.accumulate(load), np.maximum.accumulate(load[::-1])[::-1]


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
        Pieces of one visit, the cold ones among them.
    cold_h : array of float
        Most hours cold pieces may be under way; infinite where nothing is said.
    """

    rows: NDArray[np.int64]
    brought: Floats
    taken: Floats
    brought_cold: Floats
    taken_cold: Floats
    cold_h: Floats

    def amounts(self, k: int) -> Amounts:
        """Return the pieces of a visit of village ``k``."""
        cold_in, cold_out = float(self.brought_cold[k]), float(self.taken_cold[k])
        return float(self.brought[k]) - cold_in, cold_in, float(self.taken[k]) - cold_out, cold_out

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
    trunk_h : dict
        (station, day) -> when its goods leave the hub, and when what is taken there is back at the hub the
        same day.
    cold_h : array
        Site -> most hours its cold pieces may be under way; infinite where nothing is said.
    """

    county: County
    ways: SiteWays
    vehicles: dict[str, dict[str, Any]]
    trips: list[list[Trip]] = field(default_factory=lambda: [[] for _ in DAYS])
    use: list[dict[tuple[str, int, int], VehicleDay]] = field(default_factory=lambda: [{} for _ in DAYS])
    bases: list[list[int]] = field(default_factory=lambda: [[] for _ in DAYS])
    trunk_h: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    travel: dict[str, Floats] = field(default_factory=dict)
    cold_h: Floats = field(default_factory=lambda: np.zeros(0))

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
        begins = np.array(trip.leaves_h[:-1]) + hours[head, here]
        wait = np.maximum(0.0, self._opens_h[here] - begins)
        begins = begins + wait
        more_h = hours[head, here] + hours[here, tail] - hours[head, tail] + self._stand_h(wanted)[:, None]
        more_h = more_h + wait
        cost = more_km * vehicle["cost_cny_per_km"] + more_h * vehicle["cost_cny_per_h"]
        fits = self._has_room(trip, vehicle, wanted) & self._keeps_cold(trip.base, wanted)[:, None]
        fits &= use.km + more_km <= _or_inf(vehicle["range_km"]) + SLACK
        fits &= use.returns_h - use.starts_h + more_h <= vehicle["shift_h"] + SLACK
        fits &= use.returns_h + more_h <= _ends_h(vehicle) + SLACK
        fits &= self._others_in_time(day, trip, more_h)
        back = trip.leaves_h[-1] + more_h
        fits &= self._in_time(day, trip.base, trip.leaves_h[0], begins, back, wanted)
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
            cold = np.maximum(wanted.brought_cold, wanted.taken_cold)
            warm = np.maximum(wanted.brought - wanted.brought_cold, wanted.taken - wanted.taken_cold)
            room = (warm <= _warm_room(vehicle) + SLACK) & (cold <= vehicle["cold_pieces"] + SLACK)
            for base in self.bases[day]:
                km = self.ways.km[base, wanted.rows] + self.ways.km[wanted.rows, base]
                travel = self.travel[name]
                hours = travel[base, wanted.rows] + travel[wanted.rows, base] + stand
                departs = self._departs_h(name, base, wanted.rows)
                begins, back = departs + travel[base, wanted.rows], departs + hours
                fits = room & (km <= _or_inf(vehicle["range_km"]) + SLACK) & self._keeps_cold(base, wanted)
                fits &= (hours <= vehicle["shift_h"] + SLACK) & (back <= _ends_h(vehicle) + SLACK)
                fits &= self._in_time(day, base, departs, begins[:, None], back[:, None], wanted)[:, 0]
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
        begins = max(trip.leaves_h[place] + float(hours[head, here]), float(self._opens_h[here]))
        leaves = begins + float(self._stand_h(wanted)[k])
        more_h = leaves - trip.leaves_h[place] + float(hours[here, tail] - hours[head, tail])
        use.returns_h += more_h
        for other in self.trips[day]:
            if other.key == trip.key and other.leaves_h[0] > trip.leaves_h[0]:
                other.leaves_h = [hour + more_h for hour in other.leaves_h]
        later = [hour + more_h for hour in trip.leaves_h[place + 1 :]]
        trip.leaves_h = [*trip.leaves_h[: place + 1], leaves, *later]
        trip.way.insert(place + 1, here)
        trip.amounts.insert(place + 1, wanted.amounts(k))

    def add_trip(self, day: int, vehicle_type: str, base: int, k: int, wanted: Wanted) -> int:
        """Start a new trip to village ``k``; return its number."""
        taken = [key[1] for key in self.use[day] if key[0] == vehicle_type and key[2] == base]
        departs = float(self._departs_h(vehicle_type, base, wanted.rows[k]))
        trip = Trip(
            f"new {len(self.trips[day]) + 1} on day {DAYS[day]}",
            vehicle_type,
            max(taken, default=0) + 1,
            base,
            [base, base],
            [departs, departs],
            [NOTHING, NOTHING],
        )
        self.use[day][trip.key] = VehicleDay(starts_h=departs, returns_h=departs, trips=1)
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
        self._opens_h = np.array([clock_s(time, 0) / 3600 for time in sites["opens"]])
        self._closes_h = np.array([clock_s(time, DAY_S) / 3600 for time in sites["closes"]])
        self._hub = self.ways.row[self.county.hub]
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

    def _has_room(self, trip: Trip, vehicle: dict[str, Any], wanted: Wanted) -> NDArray[np.bool_]:
        """Return for each village and place of a trip whether it can be carried from there on and back."""
        fits = np.ones((len(wanted.rows), len(trip.way) - 1), bool)
        warm_in, warm_out = wanted.brought - wanted.brought_cold, wanted.taken - wanted.taken_cold
        for kind, brought, taken, room in (
            (0, warm_in, warm_out, _warm_room(vehicle)),
            (1, wanted.brought_cold, wanted.taken_cold, vehicle["cold_pieces"]),
        ):
            before, after = trip.most_load(kind)
            asks = (brought + taken > 0)[:, None]
            fits &= ~asks | (before + brought[:, None] <= room + SLACK)
            fits &= ~asks | (after + taken[:, None] <= room + SLACK)
        return fits

    def _departs_h(self, vehicle_type: str, base: int, rows: Any) -> Any:
        """Return when a trip of its own leaves for villages: as early as it can without waiting there."""
        starts = clock_s(self.vehicles[vehicle_type]["starts"], 0) / 3600
        earliest = max(starts, float(self._ready_h[base]))
        return np.maximum(earliest, self._opens_h[rows] - self.travel[vehicle_type][base, rows])

    def _in_time(
        self, day: int, base: int, departs: Any, begins: Floats, back: Floats, wanted: Wanted
    ) -> NDArray[np.bool_]:
        """Return whether villages are met within their windows and cold goods within their hours.

        ``begins`` and ``back`` have a row a village; ``departs`` is of the trip, or one a village.
        """
        left: Any = np.reshape(departs, (-1, 1))
        if base != self._hub:
            left = self.trunk_h.get((base, day), (-np.inf, 0.0))[0]
            back = np.full_like(begins, self._next_return_h(base, day))
        limit = wanted.cold_h[:, None] + SLACK
        fits = begins <= self._closes_h[wanted.rows][:, None] + SLACK
        fits &= (begins - left <= limit) | (wanted.brought_cold <= 0)[:, None]
        fits &= (back - begins <= limit) | (wanted.taken_cold <= 0)[:, None]
        return fits

    def _others_in_time(self, day: int, trip: Trip, more_h: Floats) -> NDArray[np.bool_]:
        """Return whether the stops of a trip, and of its vehicle's later ones, stay in time after a delay."""
        begins, latest = self._begins_latest(day, trip)
        slacks: list[Floats | float] = [slack_h(begins, latest)]
        if trip.base == self._hub:  # what is taken to a station waits there for the trunk's next day
            amounts = np.array(trip.amounts)[1:-1].reshape(-1, 4)
            most = np.where(amounts[:, 3] > 0, self.cold_h[trip.way[1:-1]], np.inf)
            slacks.append(slack_back_h(begins, trip.leaves_h[-1], most))
        later = [t for t in self.trips[day] if t.key == trip.key and t.leaves_h[0] > trip.leaves_h[0]]
        slacks.append(least_slack_h(self._begins_latest(day, one, moved=True) for one in later))
        return within(more_h, slacks)

    def _begins_latest(self, day: int, trip: Trip, *, moved: bool = False) -> tuple[Floats, Floats]:
        """Return when service begins at each stop of a trip, and when it must; ``moved``: a whole trip is."""
        sites, amounts = trip.way[1:-1], np.array(trip.amounts)[1:-1].reshape(-1, 4)
        stand = self._stop_h[sites] + self._piece_h[sites] * amounts.sum(axis=1)
        begins = np.array(trip.leaves_h[1:-1]) - stand
        latest = self._closes_h[sites]
        at_hub = trip.base == self._hub
        if not (at_hub and moved):  # the hub's goods leave with the trip, a station's are out already
            left = trip.leaves_h[0] if at_hub else self.trunk_h.get((trip.base, day), (-np.inf, 0.0))[0]
            hours = self.cold_h[sites]
            limited = (amounts[:, 1] > 0) & np.isfinite(hours)  # left is -inf where no truck comes
            latest = np.where(limited, np.minimum(latest, left + np.where(limited, hours, 0.0)), latest)
        return begins, latest

    def _next_return_h(self, base: int, day: int) -> float:
        """Return when what is taken to a station on a day is at the hub: with the trunk of a later day."""
        for ahead in range(1, len(DAYS) + 1):
            known = self.trunk_h.get((base, (day + ahead) % len(DAYS)))
            if known is not None:
                return ahead * 24 + known[1]
        return np.inf


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
    week = PlanWeek(county, ways, vehicles, cold_h=_cold_hours(county, plan))
    stops = {key[0]: part for key, part in plan.stops.sort("stop").group_by("route_id", maintain_order=True)}
    for route in plan.routes.filter(pl.col("tier") == "local").iter_rows(named=True):
        own = stops.get(route["route_id"])
        if own is None or route["vehicle_type"] not in vehicles:
            continue
        base = ways.row[route["from_site"]]
        way = [base, *(ways.row[site] for site in own["site_id"]), base]
        departs, returns = clock_s(route["departs"], 0) / 3600, clock_s(route["returns"], 0) / 3600
        leaves = [departs, *(clock_s(time, 0) / 3600 for time in own["departs"]), returns]
        amounts = [NOTHING, *(_amounts(row) for row in own.iter_rows(named=True)), NOTHING]
        for day in (DAYS.index(digit) for digit in route["weekdays"]):
            trip = Trip(
                route["route_id"],
                route["vehicle_type"],
                int(route["vehicle"]),
                base,
                list(way),
                list(leaves),
                list(amounts),
            )
            week.trips[day].append(trip)
            use = week.use[day].setdefault(trip.key, VehicleDay())
            use.km += float(route["distance_km"])
            use.starts_h = min(use.starts_h, departs)
            use.returns_h = max(use.returns_h, returns)
            use.trips += 1
    hub = ways.row[county.hub]
    for day, digit in enumerate(DAYS):
        open_there = plan.stations.filter(pl.col("weekdays").str.contains(digit))["site_id"].to_list()
        week.bases[day] = [hub, *(ways.row[site] for site in open_there)]
    for site, ready in plan.stations.select("site_id", "ready").iter_rows():
        week.ready(ways.row[site], clock_s(ready, 0) / 3600)
    week.trunk_h = _trunk_hours(plan, ways)
    return week


def _cold_hours(county: County, plan: CountyPlan) -> Floats:
    """Return the most hours each site's cold pieces may be under way: the strictest of its firms'."""
    inbound = pl.col("inbound_pieces_per_day") * pl.col("inbound_cold_share")
    outbound = pl.col("outbound_pieces_per_day") * pl.col("outbound_cold_share")
    pieces = county.pieces.filter(inbound + outbound > 0)
    if plan.name in county.firms:
        pieces = pieces.filter(pl.col("firm") == plan.name)
    limits = dict(pieces.drop_nulls("cold_h").group_by("site_id").agg(pl.col("cold_h").min()).iter_rows())
    return np.array([limits.get(site, np.inf) for site in county.sites["site_id"]])


def _trunk_hours(plan: CountyPlan, ways: SiteWays) -> dict[tuple[int, int], tuple[float, float]]:
    """Return (station, day) -> first departure from the hub, last return there, of trucks that call."""
    found: dict[tuple[int, int], tuple[float, float]] = {}
    trunk = plan.routes.filter(pl.col("tier") == "trunk")
    calls = trunk.join(plan.stops.select("route_id", "site_id"), on="route_id")
    for row in calls.iter_rows(named=True):
        departs, returns = clock_s(row["departs"], 0) / 3600, clock_s(row["returns"], 0) / 3600
        for digit in row["weekdays"]:
            key = ways.row[row["site_id"]], DAYS.index(digit)
            first, last = found.get(key, (departs, returns))
            found[key] = min(first, departs), max(last, returns)
    return found


def _amounts(row: dict[str, Any]) -> Amounts:
    cold_in, cold_out = row["delivered_cold_pieces"], row["collected_cold_pieces"]
    return row["delivered_pieces"] - cold_in, cold_in, row["collected_pieces"] - cold_out, cold_out


def _warm_room(vehicle: dict[str, Any]) -> float:
    return float(vehicle["capacity_pieces"] - vehicle["cold_pieces"])


def _ends_h(vehicle: dict[str, Any]) -> float:
    return clock_s(vehicle["ends"], DAY_S) / 3600


def _or_inf(limit: float | None) -> float:
    return np.inf if limit is None else limit
