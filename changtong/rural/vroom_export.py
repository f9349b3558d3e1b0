"""A county's local level as a VROOM problem: villages as jobs, or as shipments where vehicles may come back.

Amounts are [ordinary, cold]: cold goods ride in cold space only and cold space takes nothing else, which two
amounts with a capacity each say exactly; no skills are needed for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.day_clock import clock_s
from changtong.rural.distances import DETOUR_FACTOR
from changtong.rural.vroom_document import DAY_S, MEMBER
from changtong.rural.vroom_ways import seconds_of, ways_between

Form = Literal["jobs", "shipments"]
FORMS: tuple[Form, ...] = ("jobs", "shipments")
HIRED = 200
"""Vehicles written at most of a type of which there are as many as wanted."""

SCALES = (1, 10, 100, 1000)
"""VROOM's numbers are whole: pieces and CNY are written in the first of these parts that holds them all."""

SKILL = 1
"""Number of the first depot as a skill, which ties its villages to its vehicles."""


@dataclass(frozen=True)
class VroomProblem:
    """A document for VROOM, and what it does not say.

    Attributes
    ----------
    document : dict
    notes : tuple of str
        Codes of what VROOM cannot be told, see docs/county-output.md.
    """

    document: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Visit:
    site: str
    depot: str
    delivery: tuple[float, float]
    pickup: tuple[float, float]


@dataclass(frozen=True)
class _Vehicle:
    type: dict[str, Any]
    number: int
    trip: int
    depot: str
    window: tuple[int, int]
    range_km: float | None
    first: bool


def vroom_problem(
    county: County,
    *,
    plan: CountyPlan | None = None,
    weekday: int = 1,
    firm: str | None = None,
    form: Form = "jobs",
    matrices: bool = True,
    detour_factor: float = DETOUR_FACTOR,
) -> VroomProblem:
    """Return one day of a county's local level as a VROOM problem.

    Parameters
    ----------
    county : County
    plan : CountyPlan, optional
        Its stations, villages and vehicles on the weekday; each village stays with its station. Without it
        all villages with pieces, served from the hub by the local vehicles.
    weekday : int
        Of the plan, 1 (Monday) to 7.
    firm : str, optional
        Only this firm's pieces and vehicles (and anybody's); without a plan.
    form : {"jobs", "shipments"}
        Jobs: one trip a vehicle. Shipments are picked up at the depot, so that a vehicle may come back for
        more.
    matrices : bool
        Write distances and times, so that no routing engine is asked.
    detour_factor : float
        Where no road is listed.

    Raises
    ------
    UsageError
        An unknown form, a firm together with a plan, a weekday that is none.
    NotFoundError
        Nobody is to be visited, no vehicle may go, or there is no such firm.

    Examples
    --------
    >>> vroom_problem(county).document["jobs"][0]["delivery"]  # doctest: +SKIP
    [54, 6]
    """
    if form not in FORMS:
        raise UsageError(f"form {form!r} is unknown; it is one of {', '.join(FORMS)}.")
    if not 1 <= weekday <= 7:
        raise UsageError(f"weekday {weekday} is none; 1 (Monday) to 7 (Sunday).")
    if plan is not None and firm is not None:
        raise UsageError("A plan is of its own firms: give either a plan or a firm.")
    if firm is not None and firm not in county.firms:
        raise NotFoundError(f"There is no firm {firm!r}; it is one of {', '.join(county.firms)}.")
    notes: set[str] = set()
    if plan is None:
        visits = _visits_of_county(county, firm)
        vehicles = _fleet(county, firm, form, len(visits), notes)
    else:
        visits = _visits_of_plan(plan, county, weekday)
        vehicles = _vehicles_of_plan(plan, county, weekday, form, notes)
    if not visits:
        raise NotFoundError("Nobody is to be visited: no village has pieces on that day.")
    if not vehicles:
        raise NotFoundError("No vehicle may go to villages.")
    depots = list(dict.fromkeys([*(v.depot for v in vehicles), *(v.depot for v in visits)]))
    return _document(county, depots, visits, vehicles, form, matrices, detour_factor, notes, firm)


def _visits_of_county(county: County, firm: str | None) -> list[_Visit]:
    """Return a visiting day's pieces of each village."""
    mine = county.pieces if firm is None else county.pieces.filter(pl.col("firm") == firm)
    rows = mine.join(county.sites.select("site_id", "kind", "visits_per_week"), on="site_id", how="inner")
    day = 7.0 / pl.col("visits_per_week").fill_null(7).cast(pl.Float64)
    amounts = [
        (pl.col(f"{way}_pieces_per_day") * day * share).sum().alias(f"{way}_{kind}")
        for way in ("inbound", "outbound")
        for kind, share in (
            ("warm", 1.0 - pl.col(f"{way}_cold_share")),
            ("cold", pl.col(f"{way}_cold_share")),
        )
    ]
    grouped = rows.filter(pl.col("kind") == "village").group_by("site_id").agg(amounts)
    by_site = {row["site_id"]: row for row in grouped.iter_rows(named=True)}
    visits = []
    for site in county.sites["site_id"]:
        row = by_site.get(site)
        if row is not None:
            delivery, pickup = ((row[f"{way}_warm"], row[f"{way}_cold"]) for way in ("inbound", "outbound"))
            if sum(delivery) + sum(pickup) > 0:
                visits.append(_Visit(site, county.hub, delivery, pickup))
    return visits


def _fleet(county: County, firm: str | None, form: Form, wanted: int, notes: set[str]) -> list[_Vehicle]:
    """Return the local vehicles of the hub; of hired ones as many as there are visits, up to a limit."""
    own = county.vehicles.filter(pl.col("tier").fill_null("any").is_in(["local", "any"]))
    if firm is not None:
        own = own.filter(pl.col("firm").is_null() | (pl.col("firm") == firm))
    vehicles = []
    for row in own.iter_rows(named=True):
        count = row["count"]
        if count is None:
            count = min(wanted, HIRED)
            notes.add("hired-limited")
        starts, ends = _hours_of(row)
        if form == "jobs" and row["trips_per_day"] > 1:
            notes.add("one-trip")
        reach = row["range_km"]
        for number in range(1, count + 1):
            vehicles.append(_Vehicle(row, number, 1, county.hub, (starts, ends), reach, first=True))
    return vehicles


def _hours_of(row: Mapping[str, Any]) -> tuple[int, int]:
    """Return when a vehicle may be out: its hours, cut to one shift from their beginning."""
    starts, ends = clock_s(row["starts"], 0), clock_s(row["ends"], DAY_S)
    return starts, min(ends, starts + round(row["shift_h"] * 3600.0))


def _visits_of_plan(plan: CountyPlan, county: County, weekday: int) -> list[_Visit]:
    routes = _local_routes(plan, weekday)
    start = dict(routes.select("route_id", "from_site").iter_rows())
    visits = []
    for stop in plan.stops.filter(pl.col("route_id").is_in(list(start))).iter_rows(named=True):
        delivery, pickup = (
            (stop[f"{what}_pieces"] - stop[f"{what}_cold_pieces"], stop[f"{what}_cold_pieces"])
            for what in ("delivered", "collected")
        )
        visits.append(_Visit(stop["site_id"], start[stop["route_id"]], delivery, pickup))
    return visits


def _local_routes(plan: CountyPlan, weekday: int) -> pl.DataFrame:
    driven = (pl.col("tier") == "local") & pl.col("weekdays").str.contains(str(weekday), literal=True)
    return plan.routes.filter(driven).sort("from_site", "vehicle_type", "vehicle", "departs", "trip")


def _vehicles_of_plan(
    plan: CountyPlan, county: County, weekday: int, form: Form, notes: set[str]
) -> list[_Vehicle]:
    """Return the plan's vehicles of a day: one a trip as jobs, one a vehicle as shipments.

    As jobs each trip has the time until the next begins and the range that the others leave, so that the
    plan's own routes are possible, and any answer can be driven by the plan's vehicles.
    """
    types = {row["vehicle_type"]: row for row in county.vehicles.iter_rows(named=True)}
    vehicles = []
    for (depot, kind, number), rows in _local_routes(plan, weekday).group_by(
        "from_site", "vehicle_type", "vehicle", maintain_order=True
    ):
        row = types[str(kind)]
        leaves = [clock_s(text, 0) for text in rows["departs"]]
        back = max(clock_s(text, 0) for text in rows["returns"])
        ends = max(min(clock_s(row["ends"], DAY_S), leaves[0] + round(row["shift_h"] * 3600.0)), back)
        if form == "shipments" or rows.height == 1:
            reach = row["range_km"]
            vehicles.append(
                _Vehicle(row, int(str(number)), 1, str(depot), (leaves[0], ends), reach, first=True)
            )
            continue
        notes.add("trips-as-vehicles")
        total = float(rows["distance_km"].sum())
        for k, (trip, km) in enumerate(rows.select("trip", "distance_km").iter_rows()):
            window = (leaves[k], leaves[k + 1] if k + 1 < len(leaves) else ends)
            reach = None if row["range_km"] is None else row["range_km"] - (total - km)
            vehicles.append(_Vehicle(row, int(str(number)), trip, str(depot), window, reach, first=k == 0))
    return vehicles


def _document(
    county: County,
    depots: list[str],
    visits: list[_Visit],
    vehicles: list[_Vehicle],
    form: Form,
    matrices: bool,
    detour_factor: float,
    notes: set[str],
    firm: str | None,
) -> VroomProblem:
    sites = {row["site_id"]: row for row in county.sites.iter_rows(named=True)}
    places = list(dict.fromkeys([*depots, *(visit.site for visit in visits)]))
    index = {site: k for k, site in enumerate(places)}
    space = [v.type["capacity_pieces"] - v.type["cold_pieces"] for v in vehicles]
    space += [v.type["cold_pieces"] for v in vehicles]
    amount = _scale(
        [*space, *(a for v in visits for a in (*v.delivery, *v.pickup))], notes, "amounts-rounded"
    )
    money = _scale([v.type[key] for v in vehicles for key in COSTS.values()], notes, "costs-rounded")
    if any(v.type["cost_cny_per_h"] > 0 for v in vehicles):
        notes.add("hours-are-travel")
    if county.pieces["cold_h"].is_not_null().any():
        notes.add("cold-hours")
    tied = {site: [SKILL + k] for k, site in enumerate(depots)} if len(depots) > 1 else {}

    def where(site: str, key: str = "location") -> dict[str, Any]:
        at = {key: [sites[site]["lon"], sites[site]["lat"]]}
        return at | ({f"{key}_index": index[site]} if matrices else {})

    document: dict[str, Any] = {
        "vehicles": [_vehicle(k, v, where, amount, money, tied, matrices) for k, v in enumerate(vehicles, 1)]
    }
    if form == "jobs":
        document["jobs"] = [
            _job(k, visit, sites[visit.site], where, amount, tied) for k, visit in enumerate(visits, 1)
        ]
    else:
        document["shipments"] = [
            shipment
            for k, visit in enumerate(visits, 1)
            for shipment in _shipments(k, visit, sites[visit.site], where, amount, tied)
        ]
    if matrices:
        document["matrices"] = _matrices(county, places, vehicles, detour_factor)
    else:
        notes.add("engine-roads")
    document[MEMBER] = {
        "version": 1,
        "county": county.name,
        "depots": depots,
        "amounts": ["ordinary", "cold"],
        "amount_per_piece": amount,
        "cost_per_cny": money,
        "firm": firm,
        "vehicles": [[v.type["vehicle_type"], v.number, v.trip, v.depot] for v in vehicles],
        "names": {site: sites[site]["name"] for site in places if sites[site]["name"]},
        "notes": sorted(notes),
    }
    return VroomProblem(document, tuple(sorted(notes)))


COSTS = {"fixed": "cost_cny_per_day", "per_hour": "cost_cny_per_h", "per_km": "cost_cny_per_km"}


def _vehicle(
    number: int,
    vehicle: _Vehicle,
    where: Any,
    amount: int,
    money: int,
    tied: Mapping[str, list[int]],
    matrices: bool,
) -> dict[str, Any]:
    row = vehicle.type
    costs = {key: round(row[column] * money) for key, column in COSTS.items()}
    if not vehicle.first:
        costs["fixed"] = 0  # the day is paid with the first trip
    first, last = vehicle.window
    made: dict[str, Any] = {"id": number, "description": row["vehicle_type"]}
    if matrices:
        made["profile"] = _profile(row)
    made |= where(vehicle.depot, "start") | where(vehicle.depot, "end")
    made |= {
        "capacity": [
            round((row["capacity_pieces"] - row["cold_pieces"]) * amount),
            round(row["cold_pieces"] * amount),
        ],
        "costs": costs,
        "time_window": [first, last],
        "max_travel_time": last - first,
    }
    if vehicle.range_km is not None:
        made["max_distance"] = int(np.floor(vehicle.range_km * 1000.0 + 1e-6))
    if tied:
        made["skills"] = tied[vehicle.depot]
    return made


def _profile(row: Mapping[str, Any]) -> str:
    return f"speed-{row['speed_km_per_h']:g}"


def _times(site: Mapping[str, Any], setup: float, service: float) -> dict[str, Any]:
    made: dict[str, Any] = {"setup": int(np.ceil(setup - 1e-6))} if setup else {}
    made["service"] = int(np.ceil(service - 1e-6))
    if site["opens"] is not None or site["closes"] is not None:
        made["time_windows"] = [[clock_s(site["opens"], 0), clock_s(site["closes"], DAY_S)]]
    return made


def _whole(amounts: Iterable[float], scale: int) -> list[int]:
    return [round(value * scale) for value in amounts]


def _job(
    number: int,
    visit: _Visit,
    site: Mapping[str, Any],
    where: Any,
    amount: int,
    tied: Mapping[str, list[int]],
) -> dict[str, Any]:
    stand = 60.0 * (site["stop_min"] + site["piece_min"] * (sum(visit.delivery) + sum(visit.pickup)))
    made: dict[str, Any] = {"id": number, "description": visit.site}
    made |= where(visit.site) | _times(site, 0.0, stand)
    made |= {"delivery": _whole(visit.delivery, amount), "pickup": _whole(visit.pickup, amount)}
    return made | ({"skills": tied[visit.depot]} if tied else {})


def _shipments(
    number: int,
    visit: _Visit,
    site: Mapping[str, Any],
    where: Any,
    amount: int,
    tied: Mapping[str, list[int]],
) -> Iterable[dict[str, Any]]:
    """Return what is brought, then what is taken; standing is a setup: it counts once a visit."""
    for way, pieces in (("delivery", visit.delivery), ("pickup", visit.pickup)):
        if sum(pieces) <= 0:
            continue
        name = 2 * number - (way == "delivery")
        there: dict[str, Any] = {"id": name, "description": visit.site}
        there |= where(visit.site)
        there |= _times(site, 60.0 * site["stop_min"], 60.0 * site["piece_min"] * sum(pieces))
        depot: dict[str, Any] = {"id": name, "description": visit.depot, **where(visit.depot)}
        ends = (
            {"pickup": depot, "delivery": there}
            if way == "delivery"
            else {"pickup": there, "delivery": depot}
        )
        yield ends | {"amount": _whole(pieces, amount)} | ({"skills": tied[visit.depot]} if tied else {})


def _scale(values: Sequence[float], notes: set[str], note: str) -> int:
    """Return the first scale at which all values are whole; the finest where none is, which is noted."""
    held = np.asarray(values, np.float64)
    for scale in SCALES:
        if np.abs(held * scale - np.rint(held * scale)).max(initial=0.0) < 1e-6:
            return scale
    notes.add(note)
    return SCALES[-1]


def _matrices(
    county: County, places: Sequence[str], vehicles: Sequence[_Vehicle], detour_factor: float
) -> dict[str, Any]:
    km, hours = ways_between(county, places, detour_factor)
    metres = np.rint(km * 1000.0).astype(np.int64).tolist()
    speeds = {_profile(vehicle.type): vehicle.type["speed_km_per_h"] for vehicle in vehicles}
    return {
        profile: {"durations": seconds_of(km, hours, speed).tolist(), "distances": metres}
        for profile, speed in speeds.items()
    }
