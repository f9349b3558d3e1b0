"""VROOM's answer as routes, stops and what is not served, for the county its problem was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.rural.county import County
from changtong.rural.county_checks import WEEKDAYS_PATTERN
from changtong.rural.day_clock import say_time
from changtong.rural.distances import DETOUR_FACTOR
from changtong.rural.plan_schemas import ROUTE_SCHEMA, STOP_SCHEMA, UNSERVED_SCHEMA
from changtong.rural.vroom_document import MEMBER, Document
from changtong.rural.vroom_ways import ways_between

TASKS = ("job", "pickup", "delivery")
SHOWN_SITES = 8
LAST_S = 48 * 3600 - 1
"""Latest second of a clock that is written HH:MM:SS."""


@dataclass(frozen=True)
class VroomRoutes:
    """What VROOM answered.

    Attributes
    ----------
    routes, stops, unserved : polars.DataFrame
        As in a county plan; ``unserved`` has the code ``vroom-unassigned``, pieces of the one day times the
        days of the week.
    """

    routes: pl.DataFrame
    stops: pl.DataFrame
    unserved: pl.DataFrame

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        return {"routes": self.routes, "stops": self.stops, "unserved": self.unserved}

    def summary(self) -> dict[str, Any]:
        """Return the sums of one day, and what is left out in a week, as plain values."""
        sums = ("distance_km", "hours", "cost_cny", "delivered_pieces", "collected_pieces")
        carbon = self.routes["kgco2e"]
        return {
            "trips": self.routes.height,
            "vehicles": self.routes.select("from_site", "vehicle_type", "vehicle").n_unique(),
            "sites": self.stops["site_id"].n_unique(),
            **{name: float(self.routes[name].sum()) for name in sums},
            "kgco2e": None if carbon.null_count() else float(carbon.sum()),
            "unserved_sites": self.unserved["site_id"].n_unique(),
            "unserved_pieces_per_week": float(self.unserved["pieces_per_week"].sum()),
            "unserved": self.unserved["site_id"].unique().sort().to_list(),
        }

    def __str__(self) -> str:
        s = self.summary()
        carbon = "unknown" if s["kgco2e"] is None else f"{s['kgco2e']:,.1f}"
        lines = [
            f"{s['trips']:,} trips of {s['vehicles']:,} vehicles to {s['sites']:,} sites, on each day:",
            f"  km {s['distance_km']:,.1f}, hours {s['hours']:,.1f}, CNY {s['cost_cny']:,.2f},"
            f" kg CO2e {carbon}",
            f"  pieces {s['delivered_pieces']:,.0f} brought, {s['collected_pieces']:,.0f} taken",
        ]
        if s["unserved"]:
            named = ", ".join(s["unserved"][:SHOWN_SITES]) + (
                ", …" if s["unserved_sites"] > SHOWN_SITES else ""
            )
            lines.append(
                f"  left out: {s['unserved_sites']:,} sites,"
                f" {s['unserved_pieces_per_week']:,.0f} pieces a week ({named})"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class _Task:
    site: str
    depot: bool
    delivered: tuple[float, float]
    collected: tuple[float, float]


@dataclass
class _Call:
    site: str
    arrives: int
    departs: int
    metres: int | None
    delivered: list[float] = field(default_factory=lambda: [0.0, 0.0])
    collected: list[float] = field(default_factory=lambda: [0.0, 0.0])


@dataclass
class _Trip:
    departs: int
    metres: int | None
    calls: list[_Call] = field(default_factory=list)
    returns: int = 0
    end_metres: int | None = None


def routes_of_vroom(
    solution: Any,
    problem: Mapping[str, Any],
    county: County,
    *,
    weekdays: str = "1234567",
    file: str = "solution.json",
    detour_factor: float = DETOUR_FACTOR,
) -> VroomRoutes:
    """Return the routes of a VROOM solution.

    Parameters
    ----------
    solution : object
        The parsed JSON.
    problem : mapping
        The document of `vroom_problem` that was solved: it says which site and vehicle each id is.
    county : County
        Prices kilometres, hours and days.
    weekdays : str
        Days on which the routes are driven.
    file : str
        Named in problems.
    detour_factor : float
        For distances where the solution has none.

    Raises
    ------
    InputError
        Every problem with its path: ``vroom-failed``, ``vroom-violation``, ``vroom-twice``,
        ``vroom-missing``, ``unknown-value`` and so on.
    UsageError
        ``bad-weekdays``.
    """
    if not weekdays or not re.fullmatch(WEEKDAYS_PATTERN, weekdays):
        expected = "digits 1 (Monday) to 7 (Sunday), each once, in order: 135"
        raise UsageError(f"weekdays {weekdays!r}: expected {expected}.", "bad-weekdays")
    member = problem.get(MEMBER)
    if not isinstance(member, dict) or not isinstance(member.get("vehicles"), list):
        said = f"the problem has no member {MEMBER!r}: nothing says which vehicle and site its ids are."
        hint = "Read the problem as a county first and write that as a problem."
        raise InputError([Problem("vroom-ambiguous", said, "problem", None, f"$.{MEMBER}", hint=hint)])
    try:
        tasks = _tasks(problem, member)
        if not {task.site for task in tasks.values()} <= set(county.sites["site_id"]):
            raise KeyError("site_id")
        fleet = [_vehicle(entry, county) for entry in member["vehicles"]]
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        said = "the problem is not as it was written, or of another county."
        raise InputError([Problem("vroom-ambiguous", said, "problem", None, f"$.{MEMBER}")]) from error
    look = Document(file)
    if not isinstance(solution, dict):
        look.tell("wrong-type", "$", "the solution is no object.", "an object")
        look.end()
    code = look.whole(solution, "code", "$", required=True)
    if code:
        said = f"VROOM ended with code {code}: {str(solution.get('error', ''))[:200]}"
        look.tell("vroom-failed", "$.code", said, "code 0")
        look.end()
    done: set[tuple[str, int]] = set()
    rows: list[dict[str, Any]] = []
    stops: list[dict[str, Any]] = []
    for k, route in enumerate(look.items(solution, "routes", "$")):
        path = f"$.routes[{k}]"
        if not isinstance(route, dict):
            look.tell("wrong-type", path, "the route is no object.", "an object")
            continue
        trips = _trips(look, route, path, tasks, done)
        number = look.whole(route, "vehicle", path, required=True)
        if number is not None and not 1 <= number <= len(fleet):
            said = f"there is no vehicle {number}."
            look.tell("unknown-value", f"{path}.vehicle", said, f"1 to {len(fleet)}")
        elif number is not None:
            _add_rows(fleet[number - 1], trips, county, weekdays, detour_factor, rows, stops)
    unserved = _unassigned(look, solution, tasks, done, len(weekdays))
    for kind, name in sorted(set(tasks) - done):
        look.tell("vroom-missing", "$", f"{kind} {name} is in no route and is not told as unassigned.")
    look.end()
    return VroomRoutes(
        routes=pl.DataFrame(rows, schema=ROUTE_SCHEMA),
        stops=pl.DataFrame(stops, schema=STOP_SCHEMA),
        unserved=pl.DataFrame(unserved, schema=UNSERVED_SCHEMA),
    )


def _tasks(problem: Mapping[str, Any], member: Mapping[str, Any]) -> dict[tuple[str, int], _Task]:
    """Return what each id of the problem is."""
    scale = member["amount_per_piece"]
    depots = set(member["depots"])
    nothing = (0.0, 0.0)

    def pieces(amounts: list[int]) -> tuple[float, float]:
        return sum(amounts) / scale, sum(amounts[1:]) / scale

    found = {}
    for job in problem.get("jobs", []):
        found["job", job["id"]] = _Task(
            job["description"], False, pieces(job.get("delivery", [])), pieces(job.get("pickup", []))
        )
    for shipment in problem.get("shipments", []):
        amount = pieces(shipment["amount"])
        for kind in ("pickup", "delivery"):
            step = shipment[kind]
            home = step["description"] in depots
            there = amount if not home else nothing
            given = (there, nothing) if kind == "delivery" else (nothing, there)
            found[kind, step["id"]] = _Task(step["description"], home, *given)
    return found


def _trips(
    look: Document,
    route: Mapping[str, Any],
    path: str,
    tasks: Mapping[tuple[str, int], _Task],
    done: set[tuple[str, int]],
) -> list[_Trip]:
    """Return the trips of a route: it ends and a new one begins where the vehicle is at its depot again."""
    made: list[_Trip] = []
    trip: _Trip | None = None
    for k, step in enumerate(look.items(route, "steps", path)):
        where = f"{path}.steps[{k}]"
        if not isinstance(step, dict):
            look.tell("wrong-type", where, "the step is no object.", "an object")
            continue
        if step.get("violations"):
            said = f"the step breaks limits: {step['violations']!r}"[:200]
            look.tell("vroom-violation", f"{where}.violations", said, "a solution that keeps every limit")
        kind = step.get("type")
        arrives = look.whole(step, "arrival", where, 0, required=True, most=LAST_S) or 0
        stay = [
            look.whole(step, key, where, 0, most=LAST_S) or 0 for key in ("waiting_time", "setup", "service")
        ]
        metres = look.whole(step, "distance", where)
        departs = arrives + sum(stay)
        if departs > LAST_S:
            look.tell("out-of-range", where, f"the step ends at {departs} s.", f"at most {LAST_S}")
            departs = LAST_S
        if kind == "start":
            trip = _Trip(departs, metres)
            continue
        if trip is None:
            look.tell(
                "missing-value", f"{path}.steps[0]", "the route does not begin with a start.", "a start"
            )
            return []
        if kind == "end":
            trip.returns, trip.end_metres = arrives, metres
            if trip.calls:
                made.append(trip)
            return made
        if kind not in TASKS:
            expected = "start, job, pickup, delivery or end"
            look.tell("vroom-unsupported", f"{where}.type", f"the step is of type {kind!r}.", expected)
            continue
        name = look.whole(step, "id", where, required=True)
        if name is None:
            continue
        task = tasks.get((kind, name))
        if task is None:
            look.tell("unknown-value", f"{where}.id", f"the problem has no {kind} {name}.")
            continue
        if (kind, name) in done:
            look.tell("vroom-twice", f"{where}.id", f"{kind} {name} is done twice.", "each task once")
        done.add((kind, name))
        if task.depot:
            if trip.calls:
                trip.returns, trip.end_metres = arrives, metres
                made.append(trip)
                trip = _Trip(departs, metres)
            trip.departs = departs
            continue
        _call(trip, task, arrives, departs, metres)
    look.tell("missing-value", f"{path}.steps", "the route has no end.", "an end")
    return made


def _call(trip: _Trip, task: _Task, arrives: int, departs: int, metres: int | None) -> None:
    """Add a task to the trip; tasks at one place, one after another, are one stop."""
    if not trip.calls or trip.calls[-1].site != task.site:
        trip.calls.append(_Call(task.site, arrives, departs, metres))
    call = trip.calls[-1]
    call.departs = departs
    for k in (0, 1):
        call.delivered[k] += task.delivered[k]
        call.collected[k] += task.collected[k]


def _vehicle(entry: Any, county: County) -> tuple[str, int, int, str]:
    """Return type, number, first trip and depot of a vehicle; a KeyError where the county has them not."""
    kind, number, first, depot = entry
    if kind not in county.vehicles["vehicle_type"] or depot not in county.sites["site_id"]:
        raise KeyError(kind)
    return str(kind), int(number), int(first), str(depot)


def _add_rows(
    vehicle: tuple[str, int, int, str],
    trips: list[_Trip],
    county: County,
    weekdays: str,
    detour_factor: float,
    rows: list[dict[str, Any]],
    stops: list[dict[str, Any]],
) -> None:
    kind, number, first, depot = vehicle
    prices = county.vehicles.row(by_predicate=pl.col("vehicle_type") == kind, named=True)
    for k, trip in enumerate(trips):
        legs = _legs(trip, depot, county, detour_factor)
        km, hours = sum(legs), (trip.returns - trip.departs) / 3600.0
        name = f"{depot}-{kind}-{number}-{first + k}"
        cost = km * prices["cost_cny_per_km"] + hours * prices["cost_cny_per_h"]
        rate = prices["kgco2e_per_km"]
        rows.append(
            {
                "route_id": name,
                "tier": "local",
                "weekdays": weekdays,
                "vehicle_type": kind,
                "vehicle": number,
                "trip": first + k,
                "from_site": depot,
                "departs": say_time(trip.departs),
                "returns": say_time(trip.returns),
                "distance_km": km,
                "hours": hours,
                "delivered_pieces": sum(call.delivered[0] for call in trip.calls),
                "collected_pieces": sum(call.collected[0] for call in trip.calls),
                "cost_cny": cost + (prices["cost_cny_per_day"] if first + k == 1 else 0.0),
                "kgco2e": None if rate is None else km * rate,
            }
        )
        for order, (call, leg) in enumerate(zip(trip.calls, legs, strict=False), 1):
            stops.append(
                {
                    "route_id": name,
                    "stop": order,
                    "site_id": call.site,
                    "arrives": say_time(call.arrives),
                    "departs": say_time(call.departs),
                    "distance_km": leg,
                    "delivered_pieces": call.delivered[0],
                    "collected_pieces": call.collected[0],
                    "delivered_cold_pieces": call.delivered[1],
                    "collected_cold_pieces": call.collected[1],
                }
            )


def _legs(trip: _Trip, depot: str, county: County, detour_factor: float) -> list[float]:
    """Return kilometres of each leg, the last one back: VROOM's where it tells them, else the county's."""
    told = [trip.metres, *(call.metres for call in trip.calls), trip.end_metres]
    known = [metres for metres in told if metres is not None]
    if len(known) == len(told):
        return [(later - sooner) / 1000.0 for sooner, later in zip(known, known[1:], strict=False)]
    way = [depot, *(call.site for call in trip.calls), depot]
    km, _ = ways_between(county, way, detour_factor)
    return [float(km[k, k + 1]) for k in range(len(way) - 1)]


def _unassigned(
    look: Document,
    solution: Mapping[str, Any],
    tasks: Mapping[tuple[str, int], _Task],
    done: set[tuple[str, int]],
    days: int,
) -> list[dict[str, Any]]:
    rows = []
    for k, one in enumerate(look.items(solution, "unassigned", "$")):
        path = f"$.unassigned[{k}]"
        if not isinstance(one, dict):
            look.tell("wrong-type", path, "the entry is no object.", "an object")
            continue
        name = look.whole(one, "id", path, required=True)
        kind = one.get("type", "job")
        task = tasks.get((str(kind), -1 if name is None else name))
        if name is None or task is None:
            if name is not None:
                look.tell("unknown-value", f"{path}.id", f"the problem has no {kind} {name}.")
            continue
        if (kind, name) in done:
            look.tell("vroom-twice", f"{path}.id", f"{kind} {name} is told twice.", "each task once")
        done.add((str(kind), name))
        if not task.depot:
            pieces = task.delivered[0] + task.collected[0]
            reason = "VROOM left it out: no vehicle of the problem can do it within its limits"
            rows.append(
                {
                    "site_id": task.site,
                    "firm": None,
                    "pieces_per_week": pieces * days,
                    "code": "vroom-unassigned",
                    "reason": reason,
                }
            )
    return rows
