"""An independent checker of a county's plan: plain Python over its tables, sharing nothing with the planner.

Everything is worked out again from the county and the rows of the plan: who is visited when with how many
pieces, loads at every point of a trip, times, ranges, shifts, fleets, stations, cold hours, buses, and money.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from changtong.rural.county import County
from changtong.rural.county_check_money import check_money
from changtong.rural.county_check_rules import (
    PIECES,
    SECONDS,
    Facts,
    Leg,
    Run,
    clock_second,
    facts_of,
    runs_of,
)
from changtong.rural.county_plan import CountyPlan


def check_plan(
    county: County, plan: CountyPlan, *, firms: Iterable[str] | None = None, detour_factor: float = 1.3
) -> list[str]:
    """Return what a plan breaks, each as a code and words; an empty list is a plan that holds.

    Parameters
    ----------
    county : County
    plan : CountyPlan
    firms : iterable of str, optional
        Firms that plan together; by default the firm the plan is named after, or all.
    detour_factor : float
        Road kilometres per kilometre of great circle where no road is listed.

    Examples
    --------
    >>> from changtong.rural.sources import small_county
    >>> county = small_county()
    >>> from changtong.rural.plan_county import plan_county
    >>> check_plan(county, plan_county(county).shared)
    []
    """
    if firms is None:
        firms = (plan.name,) if plan.name in county.firms else county.firms
    facts = facts_of(county, plan, tuple(firms), detour_factor)
    runs = runs_of(county, plan, facts)
    found: list[str] = list(facts.problems)
    if any(one.split(":")[0] in ("unknown-site", "unknown-base") for one in found):
        return found  # nothing can be measured to a place that is not there
    found += check_visits(facts, runs)
    found += check_stations(facts, runs)
    for run in runs:
        if run.tier == "bus":
            continue
        found += check_trip(facts, run)
    found += check_vehicle_days(facts, runs)
    found += check_buses(facts, runs)
    found += check_cold(facts, runs)
    found += check_money(facts, plan, runs)
    return found


def check_visits(facts: Facts, runs: list[Run]) -> list[str]:
    """Check that every site with pieces is visited on its days, with its pieces, by the base named."""
    found = []
    handed: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        for leg in run.legs:
            if run.tier == "trunk" or (run.tier == "bus" and leg.site in facts.used):
                continue
            if run.tier == "local" and facts.served_from.get(leg.site) != run.base:
                found.append(f"wrong-base: {leg.site} is served from {run.base}, not where villages say.")
            for day in run.days:
                sums = handed.setdefault((leg.site, day), [0.0] * 4)
                for k, amount in enumerate(leg.amounts):
                    sums[k] += amount
    for site, week in facts.demand.items():
        if sum(week) <= 0:
            continue
        days, visits = facts.days_of.get(site, ()), int(facts.sites[site]["visits_per_week"] or 7)
        if len(days) != visits:
            found.append(f"wrong-days: {site} is visited on {len(days)} days a week, not {visits}.")
            continue
        if visits < 5 and max(gaps(days)) - min(gaps(days)) > 1:
            found.append(f"uneven-days: {site} is visited on days {days}.")
        if facts.served_from.get(site) == site:
            continue  # its own people, by the trunk: checked with the station
        for day in range(1, 8):
            got = handed.pop((site, day), [0.0] * 4)
            wanted = [amount / visits if day in days else 0.0 for amount in week]
            if any(abs(a - b) > PIECES for a, b in zip(got, wanted, strict=True)):
                found.append(f"wrong-pieces: {site} on day {day} gets and gives {got}, not {wanted}.")
    found += [f"not-asked: {site} is visited on day {day} without need." for site, day in handed]
    return found


def gaps(days: tuple[int, ...]) -> list[int]:
    """Return days from each visit to the next, round the week."""
    return [(days[(k + 1) % len(days)] - day - 1) % 7 + 1 for k, day in enumerate(days)]


def check_stations(facts: Facts, runs: list[Run]) -> list[str]:
    """Check what stations get and give back, their capacity, and that local vehicles wait for the goods."""
    found = []
    for station in sorted(facts.used):
        site, days = facts.sites[station], facts.used[station]
        if site["kind"] != "township" or site["opening"] == "shut":
            found.append(f"shut-station: {station} cannot be used.")
        customers = [s for s, base in facts.served_from.items() if base == station]
        for place, day in enumerate(days):
            before = days[place - 1]
            wanted = [0.0] * 4
            handled = 0.0
            for customer in customers:
                each = [amount / max(len(facts.days_of[customer]), 1) for amount in facts.demand[customer]]
                brings = day in facts.days_of[customer]
                takes = (day if customer == station else before) in facts.days_of[customer]
                for k in range(4):
                    wanted[k] += each[k] * ((brings, brings, takes, takes)[k])
                handled += sum(each) * (brings and customer != station)
            got, ready = [0.0] * 4, 0.0
            for run in runs:
                if run.tier == "local" or day not in run.days:
                    continue
                for leg in run.legs:
                    if leg.site == station:
                        got = [a + b for a, b in zip(got, leg.amounts, strict=True)]
                        stand = 0.0
                        if run.tier == "bus":
                            stand = 60.0 * (site["stop_min"] + site["piece_min"] * sum(leg.amounts))
                        if leg.amounts[0] + leg.amounts[1] > 0:
                            ready = max(ready, leg.departs + stand)
            if any(abs(a - b) > PIECES for a, b in zip(got, wanted, strict=True)):
                found.append(f"wrong-transfer: {station} on day {day} gets and gives {got}, not {wanted}.")
            limit = site["handle_pieces_per_day"]
            if limit is not None and handled > limit + PIECES:
                found.append(
                    f"station-full: {station} passes {handled:.1f} pieces on day {day}, more than {limit}."
                )
            for run in runs:
                early = run.departs < ready - SECONDS
                if run.tier == "local" and run.base == station and day in run.days and early:
                    found.append(f"not-ready: {run.route} leaves {station} before its goods are there.")
    for run in runs:
        if run.tier == "local" and run.base != facts.hub:
            missing = [day for day in run.days if day not in facts.used.get(run.base, ())]
            if missing:
                found.append(f"station-not-used: {run.route} leaves {run.base} on days {missing}.")
        if run.tier == "trunk":
            wrong = [leg.site for leg in run.legs if facts.sites[leg.site]["kind"] != "township"]
            found += [f"not-a-station: {run.route} of the trunk goes to {site}." for site in wrong]
    return found


def check_trip(facts: Facts, run: Run) -> list[str]:
    """Check one trip: loads at every point, times, windows, its length."""
    found = []
    v = facts.vehicles.get(run.vehicle_type)
    if v is None:
        return [f"unknown-vehicle: {run.route} has {run.vehicle_type}, which these firms do not have."]
    if run.tier not in ("trunk", "local") or (v["tier"] or "any") not in (run.tier, "any"):
        found.append(f"wrong-tier: {run.route} is {run.tier}; {run.vehicle_type} is for {v['tier']}.")
    if run.tier == "trunk" and run.base != facts.hub:
        found.append(f"wrong-base: trunk {run.route} starts at {run.base}.")
    warm = sum(leg.amounts[0] for leg in run.legs)
    cold = sum(leg.amounts[1] for leg in run.legs)
    room, cold_room = v["capacity_pieces"] - v["cold_pieces"], v["cold_pieces"]
    before, at, km = run.base, run.departs, 0.0
    for place, leg in enumerate([None, *run.legs]):
        if leg is not None:
            warm += leg.amounts[2] - leg.amounts[0]
            cold += leg.amounts[3] - leg.amounts[1]
        if warm > room + PIECES or cold > cold_room + PIECES:
            found.append(
                f"over-capacity: {run.route} holds {warm:.2f} and {cold:.2f} cold after stop {place}."
            )
    for leg in run.legs:
        found += _check_leg(facts, run, leg, before, at, v)
        km += facts.km(before, leg.site)
        if abs(facts.km(before, leg.site) - leg.km) > 1e-3:
            found.append(f"wrong-distance: {run.route} to {leg.site} is {facts.km(before, leg.site):.3f} km.")
        before, at = leg.site, leg.departs
    km += facts.km(before, run.base)
    if run.returns < at + facts.hours(before, run.base, v) * 3600.0 - SECONDS:
        found.append(f"too-fast: {run.route} is back at {run.base} too early.")
    if abs(km - run.km) > 1e-3:
        found.append(f"wrong-distance: {run.route} is {km:.3f} km, not {run.km:.3f}.")
    if not run.legs:
        found.append(f"empty-trip: {run.route} has no stop.")
    return found


def _check_leg(facts: Facts, run: Run, leg: Leg, before: str, at: float, v: dict[str, Any]) -> list[str]:
    found = []
    site = facts.sites[leg.site]
    if leg.arrives < at + facts.hours(before, leg.site, v) * 3600.0 - SECONDS:
        found.append(f"too-fast: {run.route} is at {leg.site} too early.")
    stand = 60.0 * (site["stop_min"] + site["piece_min"] * sum(leg.amounts))
    if leg.departs < leg.arrives + stand - SECONDS:
        found.append(f"too-short: {run.route} stands at {leg.site} less than {stand:.0f} s.")
    opens, closes = clock_second(site["opens"], 0.0), clock_second(site["closes"], 86_400.0)
    if leg.arrives < opens - SECONDS or leg.arrives > closes + SECONDS:
        found.append(f"window: {run.route} is at {leg.site} outside its hours.")
    if min(leg.amounts) < -1e-9:
        found.append(f"negative: {run.route} hands over less than nothing at {leg.site}.")
    return found


def check_vehicle_days(facts: Facts, runs: list[Run]) -> list[str]:
    """Check vehicles' days: trips in order, their number, shift, hours, range; and how many there are."""
    found = []
    per_day: dict[tuple[int, str, str, int], list[Run]] = {}
    for run in runs:
        if run.tier != "bus" and run.vehicle_type in facts.vehicles:
            for day in run.days:
                per_day.setdefault((day, run.vehicle_type, run.base, run.vehicle), []).append(run)
    fleet: dict[tuple[int, str], int] = {}
    for (day, kind, base, number), some in sorted(per_day.items()):
        v, trips = facts.vehicles[kind], sorted(some, key=lambda run: run.trip)
        who = f"{kind} {number} at {base} on day {day}"
        fleet[day, kind] = fleet.get((day, kind), 0) + 1
        if [run.trip for run in trips] != list(range(1, len(trips) + 1)):
            found.append(f"trip-numbers: {who}.")
        if len(trips) > v["trips_per_day"]:
            found.append(f"too-many-trips: {who} makes {len(trips)}.")
        for one, following in zip(trips, trips[1:], strict=False):
            if following.departs < one.returns - SECONDS:
                found.append(f"overlap: {who} leaves before it is back.")
        if trips[-1].returns - trips[0].departs > v["shift_h"] * 3600.0 + SECONDS:
            found.append(f"shift: {who} is out too long.")
        if trips[0].departs < clock_second(v["starts"], 0.0) - SECONDS:
            found.append(f"too-early: {who}.")
        if trips[-1].returns > clock_second(v["ends"], 86_400.0) + SECONDS:
            found.append(f"too-late: {who}.")
        if v["range_km"] is not None and sum(run.km for run in trips) > v["range_km"] + 1e-3:
            found.append(f"range: {who} drives {sum(run.km for run in trips):.2f} km.")
    for (day, kind), used in sorted(fleet.items()):
        count = facts.vehicles[kind]["count"]
        if count is not None and used > count:
            found.append(f"fleet: {used} of {kind} on day {day}, there are {count}.")
    return found


def check_buses(facts: Facts, runs: list[Run]) -> list[str]:
    """Check runs of buses: that they go, stop there in the right order, and that holds have room."""
    found = []
    loads: dict[tuple[str, int], list[float]] = {}
    for run in (run for run in runs if run.tier == "bus"):
        bus = facts.buses.get(run.vehicle_type)
        if bus is None:
            found.append(f"unknown-bus: {run.route}.")
            continue
        wrong = [day for day in run.days if str(day) not in (bus["weekdays"] or "1234567")]
        if wrong:
            found.append(f"bus-day: {run.vehicle_type} does not go on days {wrong}.")
        stops = bus["stops"]
        for leg in run.legs:
            if leg.amounts[1] + leg.amounts[3] > 0 or facts.cold_demand(leg.site):
                found.append(f"bus-cold: {run.vehicle_type} carries cold pieces of {leg.site}.")
            for amount, inward in ((leg.amounts[0], True), (leg.amounts[2], False)):
                if amount > 0:
                    way = _bus_way(stops, facts.hub, leg, inward)
                    if way is None:
                        found.append(
                            f"bus-way: {run.vehicle_type} cannot serve {leg.site} at {leg.arrives:.0f} s."
                        )
                        continue
                    for day in run.days:
                        held = loads.setdefault((run.vehicle_type, day), [0.0] * len(stops))
                        for place in range(*way):
                            held[place] += amount
            opens = clock_second(facts.sites[leg.site]["opens"], 0.0)
            closes = clock_second(facts.sites[leg.site]["closes"], 86_400.0)
            if not opens - SECONDS <= leg.arrives <= closes + SECONDS:
                found.append(f"window: {run.vehicle_type} is at {leg.site} outside its hours.")
    for (kind, day), held in sorted(loads.items()):
        if max(held) > facts.buses[kind]["spare_pieces"] + PIECES:
            found.append(f"bus-full: {kind} holds {max(held):.1f} pieces on day {day}.")
    return found


def _bus_way(stops: list[tuple[str, float]], hub: str, leg: Leg, inward: bool) -> tuple[int, int] | None:
    """Return the places of stops between which the pieces ride, by the nearest stop at the hub."""
    here = [k for k, (site, at) in enumerate(stops) if site == leg.site and abs(at - leg.arrives) <= SECONDS]
    ways = []
    for k in here:
        hubs = [h for h, (site, _) in enumerate(stops) if site == hub and (h < k if inward else h > k)]
        ways += [(h, k) if inward else (k, h) for h in hubs]
    return min(ways, key=lambda way: way[1] - way[0], default=None)


def check_cold(facts: Facts, runs: list[Run]) -> list[str]:
    """Check that cold pieces pass cold stations alone and are under way no longer than they may be."""
    found = []
    trunk: dict[tuple[str, int], tuple[float, float]] = {}
    for run in runs:
        if run.tier == "trunk":
            for leg in run.legs:
                for day in run.days:
                    left, back = trunk.get((leg.site, day), (math.inf, 0.0))
                    trunk[leg.site, day] = (min(left, run.departs), max(back, run.returns))
    for run in runs:
        for leg in run.legs:
            own = run.tier == "trunk" and facts.served_from.get(leg.site) == leg.site
            cold = facts.demand[leg.site] if own else leg.amounts
            if run.tier == "bus" or (run.tier == "trunk" and not own) or cold[1] + cold[3] <= 0:
                continue
            limit = facts.cold_h.get(leg.site, math.inf)
            at_hub = run.base == facts.hub
            if not at_hub and not facts.sites[run.base]["cold"]:
                found.append(f"warm-station: cold pieces of {leg.site} pass {run.base}.")
            for day in run.days:
                left = run.departs if at_hub else trunk.get((run.base, day), (-math.inf, 0.0))[0]
                if cold[1] > 0 and leg.arrives - left > limit * 3600.0 + SECONDS:
                    found.append(
                        f"cold-too-long: to {leg.site} on day {day} {(leg.arrives - left) / 3600.0:.2f} h."
                    )
                back = run.returns if at_hub else _next_return(trunk, run.base, day)
                if cold[3] > 0 and back - leg.arrives > limit * 3600.0 + SECONDS:
                    found.append(f"cold-too-long: from {leg.site} on day {day}.")
    return found


def _next_return(trunk: dict[tuple[str, int], tuple[float, float]], station: str, day: int) -> float:
    for ahead in range(1, 8):
        known = trunk.get((station, (day + ahead - 1) % 7 + 1))
        if known is not None:
            return ahead * 86_400.0 + known[1]
    return math.inf
