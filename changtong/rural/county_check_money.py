"""Money, hours, kilometres and carbon of a plan, added up again by the checker."""

from __future__ import annotations

from changtong.rural.county_check_rules import PIECES, Facts, Run
from changtong.rural.county_plan import CountyPlan

SHARE = 1e-6
"""How far a sum may be off, as a share of it (and as an amount)."""


def check_money(facts: Facts, plan: CountyPlan, runs: list[Run]) -> list[str]:
    """Return what is wrong with the sums of a plan."""
    found = []
    cost = km = hours = kg = 0.0
    unknown = False
    returned: dict[tuple[str, str, int, tuple[int, ...]], float] = {}
    for run in sorted(runs, key=lambda run: run.trip):
        weeks = len(run.days)
        brought = sum(leg.amounts[0] + leg.amounts[1] for leg in run.legs)
        taken = sum(leg.amounts[2] + leg.amounts[3] for leg in run.legs)
        if (
            abs(brought - run.row["delivered_pieces"]) > PIECES
            or abs(taken - run.row["collected_pieces"]) > PIECES
        ):
            found.append(f"wrong-sum: pieces of {run.route}.")
        if run.tier == "bus":
            bus = facts.buses.get(run.vehicle_type)
            if bus is None:
                continue
            mine = bus["cost_cny_per_piece"] * (brought + taken) + bus["cost_cny_per_day"]
            each_h, each_km, each_kg = 0.0, 0.0, 0.0
        else:
            v = facts.vehicles.get(run.vehicle_type)
            if v is None:
                continue
            key = (run.vehicle_type, run.base, run.vehicle, run.days)
            begins = run.departs if run.trip == 1 else returned.get(key, run.departs)
            returned[key] = run.returns
            each_h, each_km = (run.returns - begins) / 3600.0, run.km
            mine = v["cost_cny_per_km"] * each_km + v["cost_cny_per_h"] * each_h
            mine += v["cost_cny_per_day"] if run.trip == 1 else 0.0
            each_kg = each_km * (v["kgco2e_per_km"] or 0.0)
            unknown |= v["kgco2e_per_km"] is None
        if not close(mine, run.row["cost_cny"]):
            found.append(
                f"wrong-cost: {run.route} costs {mine:.4f} CNY a day, not {run.row['cost_cny']:.4f}."
            )
        if not close(each_h, run.row["hours"]):
            found.append(f"wrong-hours: {run.route} takes {each_h:.4f} h.")
        cost, km, hours, kg = (
            cost + mine * weeks,
            km + each_km * weeks,
            hours + each_h * weeks,
            kg + each_kg * weeks,
        )
    cost += _stations(facts, plan, found)
    pieces = sum(sum(week) for week in facts.demand.values())
    for what, mine, theirs in (
        ("cost_cny", cost, plan.cost_cny),
        ("distance_km", km, plan.distance_km),
        ("hours", hours, plan.hours),
        ("pieces", pieces, plan.pieces),
    ):
        if not close(mine, theirs):
            found.append(f"wrong-total: {what} is {mine:.4f}, not {theirs:.4f}.")
    if unknown != (plan.kgco2e is None) or (plan.kgco2e is not None and not close(kg, plan.kgco2e)):
        found.append(f"wrong-total: kgco2e is {None if unknown else kg}, not {plan.kgco2e}.")
    return found


def _stations(facts: Facts, plan: CountyPlan, found: list[str]) -> float:
    """Return what stations cost in a week, and say which rows are wrong."""
    rows = {row["site_id"]: row for row in plan.stations.to_dicts()}
    total = 0.0
    wanted = set(facts.used) | {
        s for s, row in facts.sites.items() if row["kind"] == "township" and row["opening"] == "open"
    }
    if set(rows) != wanted:
        found.append(
            f"wrong-stations: {sorted(set(rows) ^ wanted)} are listed and not used, or the other way."
        )
    for station in sorted(wanted):
        site = facts.sites[station]
        days = 7 if site["opening"] == "open" else len(facts.used.get(station, ()))
        passed = sum(
            sum(facts.demand[s]) for s, base in facts.served_from.items() if base == station and s != station
        )
        mine = site["open_cny_per_day"] * days + site["handle_cny_per_piece"] * passed
        total += mine
        if station in rows and not close(mine, rows[station]["cost_cny_per_week"]):
            found.append(f"wrong-cost: station {station} costs {mine:.4f} CNY a week.")
    return total


def close(a: float, b: float) -> bool:
    """Tell whether two sums are the same."""
    return abs(a - b) <= SHARE * max(1.0, abs(a), abs(b)) + 1e-4
