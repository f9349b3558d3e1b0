"""Which base can serve which customer at all, and what nobody can: named one by one with a code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.rural.county_question import DAY_S, HUB, Question, Vehicle
from changtong.rural.day_routes import Part, can_serve, service_s
from changtong.rural.week_routes import hurried, reckoned_ready, trunk_reaches, visit_parts

REASONS = {
    "no-vehicle": "No vehicle that may go to villages is free for it.",
    "no-capacity": "No vehicle that reaches it has room for its pieces.",
    "no-cold-space": "No vehicle with cold space reaches it, or no way keeps its cold pieces cold.",
    "beyond-range": "It lies beyond the range of every vehicle, there and back from any base.",
    "window-closed": "No vehicle can be there before it closes.",
    "shift-too-short": "The way there and back with the stop takes longer than any shift, or ends too late.",
    "cold-too-long": "Its cold pieces would be under way longer than they may be.",
    "station-full": "The stations that could pass it on have no capacity left, and the hub cannot serve it.",
}
"""Code -> why a customer's pieces are not served; the codes are those of docs/county.md."""


@dataclass(frozen=True)
class Unserved:
    """Pieces of a site nobody can serve: the cold ones alone, or all."""

    site: int
    code: str
    cold_only: bool


@dataclass(frozen=True)
class Possible:
    """What can be served and from where.

    Attributes
    ----------
    question : Question
        Without the pieces that cannot.
    allowed : array (sites, sites) of bool
        Base, customer.
    unserved : tuple of Unserved
    """

    question: Question
    allowed: NDArray[np.bool_]
    unserved: tuple[Unserved, ...]


def find_possible(question: Question) -> Possible:
    """Return which bases can serve which customers, and name what none can.

    A station passes on what a trunk vehicle or a bus brings; it passes cold goods on with a cold store alone.
    Cold goods collected through a station stay there until the trunk's next day.
    """
    unserved: list[Unserved] = []
    allowed = _allowed(question)
    nobody = [c for c in question.customers if not allowed[:, c].any()]
    cold = [c for c in nobody if question.cold_in[c] + question.cold_out[c] > 0]
    if cold:
        unserved += [Unserved(c, _cold_code(question, c), cold_only=True) for c in cold]
        question = question.without_cold(cold)
        allowed = _allowed(question)
        nobody = [c for c in question.customers if not allowed[:, c].any()]
    if nobody:
        unserved += [Unserved(c, _code(question, c), cold_only=False) for c in nobody]
        question = question.without(nobody)
        allowed[:, nobody] = False
    return Possible(question, allowed, tuple(unserved))


def _allowed(question: Question) -> NDArray[np.bool_]:
    size = len(question.site_ids)
    allowed = np.zeros((size, size), np.bool_)
    reached = [s for s in question.stations if trunk_reaches(question, s)]
    for base in (HUB, *reached):
        for customer in question.customers:
            ready, left_at = times(question, base, customer)
            if base == customer:
                allowed[base, customer] = _passes_cold(question, base, customer)
            elif base == HUB or _passes_cold(question, base, customer):
                parts = visit_parts(question, customer, base, left_at)
                allowed[base, customer] = all(_any_vehicle(question, base, ready, p) for p in parts)
    return allowed


def times(question: Question, base: int, customer: int) -> tuple[int, int]:
    """Return when a base would be ready for a customer, and its goods would have left the hub."""
    if base == HUB:
        return 0, 0
    return reckoned_ready(question, base, cold=hurried(question, ((customer, 127),)))


def _any_vehicle(question: Question, base: int, ready: int, part: Part) -> bool:
    """Tell whether a vehicle can serve a part from a base; cold goods from the hub within their hours."""
    limit = DAY_S
    if base == HUB and part.cold_in + part.cold_out > 0 and np.isfinite(question.cold_h[part.site]):
        limit = int(question.cold_h[part.site] * 3600.0)
    return any(
        v.local and can_serve(question, base, ready, kind, part, limit)
        for kind, v in enumerate(question.vehicles)
    )


def _passes_cold(question: Question, station: int, customer: int) -> bool:
    """Tell whether a station can pass cold pieces on, those collected on the trunk's next day."""
    if question.cold_in[customer] + question.cold_out[customer] <= 0:
        return True
    if not question.cold_store[station] or not any(v.trunk and v.cold > 0 for v in question.vehicles):
        return False
    if question.cold_out[customer] <= 0 or customer == station:
        return True
    gap = -(-7 // int(question.visits[customer]))
    return bool(question.cold_h[customer] >= 24.0 * gap + 12.0)


def _cold_code(question: Question, customer: int) -> str:
    """Return why the cold pieces of a customer cannot be served."""
    free = question.cold_h.copy()
    free[customer] = np.inf
    if not any(v.local and v.cold > 0 for v in question.vehicles):
        return "no-cold-space"
    for base in (HUB, *question.stations):
        if base != HUB and not _passes_cold(question, base, customer):
            continue
        ready = times(question, base, customer)[0]
        closes = int(question.closes_s[customer])
        parts = [
            Part(customer, p.warm_in, p.cold_in, p.warm_out, p.cold_out, p.opens_s, closes)
            for p in visit_parts(question, customer, base, 0)
        ]
        if all(_fits_someone(question, base, ready, p) for p in parts):
            return "cold-too-long"
    return "no-cold-space"


def _fits_someone(question: Question, base: int, ready: int, part: Part) -> bool:
    return any(
        v.local and can_serve(question, base, ready, k, part, DAY_S) for k, v in enumerate(question.vehicles)
    )


def _code(question: Question, customer: int) -> str:
    """Return what keeps the vehicle that comes closest from a customer: the last test it fails."""
    bases = [HUB, *(s for s in question.stations if s != customer and trunk_reaches(question, s))]
    furthest = 0
    for base in bases:
        ready, left_at = times(question, base, customer)
        for part in visit_parts(question, customer, base, left_at):
            for kind, v in enumerate(question.vehicles):
                if v.local:
                    furthest = max(furthest, 1 + _passed(question, base, ready, kind, v, part))
    return ("no-vehicle", "no-capacity", "beyond-range", "window-closed", "shift-too-short", "no-vehicle")[
        furthest
    ]


def _passed(question: Question, base: int, ready: int, kind: int, v: Vehicle, part: Part) -> int:
    """Return how many tests a vehicle passes: room, range, window, shift."""
    if not part.fits(v):
        return 0
    both = float(question.km[base, part.site] + question.km[part.site, base])
    if v.range_km is not None and both > v.range_km + 1e-9:
        return 1
    at = max(max(v.starts_s, ready) + int(question.seconds[kind][base, part.site]), part.opens_s)
    if at > part.closes_s:
        return 2
    back = int(question.seconds[kind][part.site, base])
    span = int(question.seconds[kind][base, part.site]) + service_s(question, part) + back
    return 3 if at + service_s(question, part) + back > v.ends_s or span > v.shift_s else 4
