"""Which stations to open and who serves whom: a location problem first, then moves judged by routes.

The location problem (uncapacitated, with reckoned route costs) is solved for several weights of a station's
cost by adding, dropping and exchanging stations; each answer is judged by its routes. From the best of them
stations are shut, opened and exchanged, and villages move between bases, each time judged by routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.rural.county_question import HUB, Question
from changtong.rural.visiting_days import spread_days
from changtong.rural.week_routes import Choice, WeekRoutes

Floats = NDArray[np.float64]

STATION_WEIGHTS = (0.1, 0.3, 1.0, 3.0)
"""Weights of a station's reckoned cost: from many stations to few."""


@dataclass(frozen=True)
class Reckoned:
    """Reckoned costs of a week: of a customer from a base (infinite where impossible), of opening a base."""

    serve: Floats
    open: Floats
    bases: tuple[int, ...]


def reckon(question: Question, allowed: NDArray[np.bool_]) -> Reckoned:
    """Return costs of a week reckoned from line-haul shares and hops between neighbours (Daganzo 1984)."""
    size = len(question.site_ids)
    customers = list(question.customers)
    km = question.km
    hop = np.zeros(size)
    if len(customers) > 1:
        between = km[np.ix_(customers, customers)].copy()
        np.fill_diagonal(between, np.inf)
        near = np.sort(between, axis=1)[:, : min(2, len(customers) - 1)]
        hop[customers] = near.mean(axis=1)
    visits = np.maximum(question.visits, 1).astype(np.float64)
    load = np.maximum(question.inbound, question.outbound) / visits
    handed = (question.inbound + question.outbound) / visits
    service_h = (question.stop_s + question.piece_s * handed) / 3600.0
    bases = (HUB, *(s for s in question.stations if allowed[s].any()))
    serve = np.full((size, size), np.inf)
    for base in bases:
        best = np.full(size, np.inf)
        out = (km[base] + km[:, base]) / 2.0
        for v in question.vehicles:
            if not v.local:
                continue
            hours = out / v.km_per_h
            room = (v.warm + v.cold) * v.trips / np.maximum(load, 1e-9)
            time = (v.shift_s / 3600.0 - 2 * hours) / np.maximum(service_h + hop / v.km_per_h, 1e-9)
            stops = np.clip(np.minimum(room, time), 1.0, 40.0)
            tour = v.day_cny + v.km_cny * 2 * out + v.h_cny * 2 * hours
            each = tour / stops + v.km_cny * hop + v.h_cny * (service_h + hop / v.km_per_h)
            best = np.minimum(best, each)
        best = best * visits
        if base != HUB:
            best = best + question.handle_cny[base] * (question.inbound + question.outbound)
        serve[base] = np.where(allowed[base], best, np.inf)
        if allowed[base, base]:
            serve[base, base] = 0.0
    return Reckoned(serve, _opening(question, bases, load, customers), bases)


def _opening(question: Question, bases: tuple[int, ...], load: Floats, customers: list[int]) -> Floats:
    """Return the reckoned cost of a week of using a base: rent, a share of a trunk tour, half a local day."""
    cost = np.zeros(len(question.site_ids))
    trunk = [v for v in question.vehicles if v.trunk]
    local = [v for v in question.vehicles if v.local]
    total = float(load[customers].sum()) if customers else 0.0
    for base in bases:
        if base == HUB:
            continue
        km = float(question.km[HUB, base] + question.km[base, HUB])
        shares = []
        for v in trunk:
            hours = km / v.km_per_h
            time = max(1.0, (v.shift_s / 3600.0 - hours) / 0.75)
            tours = max(1.0 / time, total / max(len(bases) - 1, 1) / max((v.warm + v.cold) * v.trips, 1e-9))
            shares.append((v.day_cny + v.km_cny * km + v.h_cny * hours) * min(tours, 3.0))
        half = min((v.day_cny for v in local), default=0.0) / 2.0
        rent = 0.0 if question.opened[base] else float(question.rent_cny[base])
        cost[base] = 7.0 * (rent + min(shares, default=0.0) + half)
    return cost


def locate(reckoned: Reckoned, customers: tuple[int, ...], weight: float) -> tuple[int, ...]:
    """Return the bases to use, at a weight of a station's cost: drop, add and exchange until none helps."""
    columns = np.array(customers, np.int64)
    bases = np.array(reckoned.bases, np.int64)
    serve = reckoned.serve[np.ix_(bases, columns)]
    big = 10.0 * float(np.nanmax(np.where(np.isfinite(serve), serve, 0.0), initial=1.0)) + 1e4
    serve = np.where(np.isfinite(serve), serve, big)
    opening = reckoned.open[bases] * weight
    used = np.ones(len(bases), np.bool_)
    for _ in range(4 * len(bases) + 10):
        order = np.argsort(np.where(used[:, None], serve, np.inf), axis=0, kind="stable")
        first = order[0]
        best = serve[first, np.arange(len(columns))]
        second = serve[order[1], np.arange(len(columns))] if used.sum() > 1 else np.full(len(columns), big)
        if used.sum() > 1:
            second = np.where(used[order[1]], second, big)
        lost = np.bincount(first, weights=second - best, minlength=len(bases))
        drop = np.where(used, opening - lost, -np.inf)
        drop[0] = -np.inf  # the hub is always there
        add = np.where(used, -np.inf, np.maximum(best - serve, 0.0).sum(axis=1) - opening)
        out, into = int(np.argmax(drop)), int(np.argmax(add))
        if max(drop[out], add[into]) <= 1e-9:
            if not _exchange(serve, opening, used):
                break
        elif drop[out] >= add[into]:
            used[out] = False
        else:
            used[into] = True
    return tuple(int(b) for b in bases[used])


def _exchange(serve: Floats, opening: Floats, used: NDArray[np.bool_]) -> bool:
    """Exchange the one pair of a used and an unused base that helps most, if any does."""
    best_gain, pair = 1e-9, None
    total = float(serve[used].min(axis=0).sum() + opening[used].sum())
    for out in np.flatnonzero(used):
        if out == 0:
            continue
        rest = used.copy()
        rest[out] = False
        kept = serve[rest].min(axis=0)
        costs = np.minimum(kept, serve[~used]).sum(axis=1) + opening[~used] + opening[rest].sum()
        if costs.size and total - costs.min() > best_gain:
            best_gain, pair = (
                float(total - costs.min()),
                (int(out), int(np.flatnonzero(~used)[costs.argmin()])),
            )
    if pair is None:
        return False
    used[pair[0]], used[pair[1]] = False, True
    return True


def nearest_bases(reckoned: Reckoned, customers: tuple[int, ...], bases: tuple[int, ...]) -> dict[int, int]:
    """Return customer -> cheapest base by reckoned cost."""
    rows = np.array(bases, np.int64)
    columns = np.array(customers, np.int64)
    cheapest = rows[np.argmin(reckoned.serve[np.ix_(rows, columns)], axis=0)]
    return {c: int(b) for c, b in zip(customers, cheapest, strict=True)}


def first_choices(question: Question, reckoned: Reckoned, weights: tuple[float, ...]) -> list[Choice]:
    """Return the choice without any station, where possible, and one for each weight that gives another."""
    found, seen = [], set()
    everyone = question.customers
    hub_only = (HUB,)
    for bases in [hub_only, *(locate(reckoned, everyone, w) for w in weights)]:
        base = nearest_bases(reckoned, everyone, bases)
        used = tuple(sorted(set(base.values())))
        if used in seen or not _possible(reckoned, base):
            continue
        seen.add(used)
        found.append(Choice(base, spread_days(question, base)))
    if not found:
        base = nearest_bases(reckoned, everyone, reckoned.bases)
        found.append(Choice(base, spread_days(question, base)))
    return found


def _possible(reckoned: Reckoned, base: Mapping[int, int]) -> bool:
    return all(np.isfinite(reckoned.serve[b, c]) for c, b in base.items())


def improve_stations(routes: WeekRoutes, reckoned: Reckoned, choice: Choice, share: float) -> Choice:
    """Shut and open stations while it pays and the budget's share lasts, the most promising first."""
    cost = routes.week(choice)
    again = True
    while again:
        again = False
        for base in by_promise(reckoned, choice):
            if not routes.budget.left(share):
                return choice
            changed = move(reckoned, choice, base)
            if changed is None:
                continue
            tried = Choice(changed, spread_days(routes.question, changed, choice))
            new = routes.week(tried)
            if new < cost - 1e-6:
                choice, cost, again = tried, new, True
    return choice


def by_promise(reckoned: Reckoned, choice: Choice) -> list[int]:
    """Return stations in the order of what shutting or opening them promises."""
    found = []
    for base in reckoned.bases:
        changed = None if base == HUB else move(reckoned, choice, base)
        if changed is not None:
            serve = reckoned.serve
            more = sum(float(serve[b, c] - serve[choice.base[c], c]) for c, b in changed.items())
            opened = base in set(choice.base.values())
            found.append((more - float(reckoned.open[base]) * (1 if opened else -1), base))
    return [base for _, base in sorted(found)]


def move(reckoned: Reckoned, choice: Choice, base: int) -> dict[int, int] | None:
    """Return bases of customers after a station is shut, or opened; None where that cannot be."""
    serve = reckoned.serve
    mine = tuple(c for c, b in choice.base.items() if b == base)
    if mine:
        others = tuple(sorted((set(choice.base.values()) | {HUB}) - {base}))
        to = nearest_bases(reckoned, mine, others)
        return {**choice.base, **to} if _possible(reckoned, to) else None
    drawn = {c: base for c, b in choice.base.items() if serve[base, c] < serve[b, c]}
    return {**choice.base, **drawn} if drawn else None


def improve_villages(routes: WeekRoutes, reckoned: Reckoned, choice: Choice, share: float) -> Choice:
    """Move customers to other bases while it pays, alone or with their neighbours; judged by routes.

    First those whose next base is reckoned hardly dearer. A base's customers with cold pieces in a hurry are
    tried at the hub together: the trunk need then not hurry to the base.
    """
    cost = routes.week(choice)
    again = True
    while again:
        again = False
        for group, to in _village_moves(routes.question, reckoned, choice):
            if not routes.budget.left(share):
                return choice
            if all(choice.base[c] == to for c in group):
                continue
            changed = {**choice.base, **dict.fromkeys(group, to)}
            tried = replace(choice, base=changed)
            new = routes.week(tried)
            if new < cost - 1e-6:
                choice, cost, again = tried, new, True
    return choice


def _village_moves(question: Question, reckoned: Reckoned, choice: Choice) -> list[tuple[list[int], int]]:
    """Return groups of customers with another base for them, the most promising first."""
    used = np.array(sorted(set(choice.base.values()) | {HUB}))
    serve = reckoned.serve
    found: list[tuple[float, list[int], int]] = []
    for base in used[1:]:
        mine = [
            c
            for c, b in choice.base.items()
            if b == base and question.cold_in[c] > 0 and question.cold_h[c] < 24.0
        ]
        if mine and np.isfinite(serve[HUB, mine]).all():
            found.append((-np.inf, mine, HUB))
    for customer, base in sorted(choice.base.items()):
        if base == customer:
            continue
        if np.isfinite(serve[customer, customer]):  # a station: the trunk may serve its own people alone
            dearer = float(serve[customer, customer] + reckoned.open[customer] - serve[base, customer])
            found.append((dearer / float(question.visits[customer]), [customer], customer))
        order = used[np.argsort(serve[used, customer], kind="stable")]
        others = [int(b) for b in order if b not in (base, customer) and np.isfinite(serve[b, customer])][:2]
        for to in others:
            dearer = float(serve[to, customer] - serve[base, customer]) / float(question.visits[customer])
            found.append((dearer, [customer], to))
            near = [c for c, b in choice.base.items() if b == base and c not in (customer, b)]
            if near:
                mate = min(near, key=lambda c: (float(question.km[customer, c]), c))
                if np.isfinite(serve[to, mate]):
                    both = dearer + float(serve[to, mate] - serve[base, mate]) / float(question.visits[mate])
                    found.append((both, [customer, mate], to))
    return [(group, to) for _, group, to in sorted(found, key=lambda m: (m[0], m[1], m[2]))]
