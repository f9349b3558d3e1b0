"""A week settled again without the customers whose part of it fails the checker; the others keep theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from changtong.rural.county_plan import CountyPlan
from changtong.rural.impossible import Unserved, find_possible
from changtong.rural.settle_week import Settled, settle
from changtong.rural.station_choice import reckon
from changtong.rural.week_routes import Choice

FAULT = "plan-fault"
"""Code of what is left out because its part of the plan broke a rule."""


def faulty_customers(settled: Settled, plan: CountyPlan, wrong: Iterable[str]) -> list[int]:
    """Return the customers broken rules are about: named themselves, on a route named, or of a base named.

    Parameters
    ----------
    settled : Settled
    plan : CountyPlan
    wrong : iterable of str
        What the checker found.
    """
    number = {site: k for k, site in enumerate(settled.question.site_ids)}
    on_route: dict[str, list[str]] = {}
    for route, site in plan.stops.select("route_id", "site_id").iter_rows():
        on_route.setdefault(route, []).append(site)
    found: set[int] = set()
    for text in wrong:
        sites = {site for site in number if _names(text, site)}
        sites |= {site for route, some in on_route.items() if _names(text, route) for site in some}
        for site in (number[name] for name in sites):
            mine = [c for c, base in settled.choice.base.items() if base == site]
            found.update([site] if site in settled.question.customers else mine)
    return sorted(found)


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def settle_without(settled: Settled, customers: list[int]) -> Settled:
    """Return the week settled again without some customers, who are named as unserved.

    Parameters
    ----------
    settled : Settled
    customers : list of int
    """
    question = settled.question.without(customers)
    kept = {c: b for c, b in settled.choice.base.items() if c not in customers}
    choice = Choice(
        kept,
        {c: days for c, days in settled.choice.days.items() if c not in customers},
        {c: runs for c, runs in settled.choice.bus.items() if c not in customers},
        {s: runs for s, runs in settled.choice.station_bus.items() if s in set(kept.values())},
    )
    named = [one for one in settled.unserved if one.site not in customers]
    named += [Unserved(c, FAULT, cold_only=False) for c in customers]
    possible = find_possible(question)
    routes = replace(settled.routes.about(question), ready={}, left_at={})
    return settle(
        replace(possible, question=question, unserved=tuple(named)),
        reckon(question, possible.allowed),
        routes,
        choice,
        1.0,
    )
