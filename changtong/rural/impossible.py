"""Which base can serve which customer at all, and what nobody can: named one by one with a code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.rural.county_question import HUB, Question, Vehicle
from changtong.rural.day_routes import Part, service_s
from changtong.rural.served_at_once import passes_cold, surely_served
from changtong.rural.station_times import first_ready, trunk_reaches
from changtong.rural.vehicle_loads import Errand
from changtong.rural.visit_loads import local_errand, own_errand

REASONS = {
    "no-vehicle": "No vehicle that may go to villages is free for it.",
    "no-capacity": "No vehicle that reaches it has room for its pieces.",
    "no-cold-space": "No vehicle with cold space reaches it, or no way keeps its cold pieces cold.",
    "beyond-range": "It lies beyond the range of every vehicle, there and back from any base.",
    "window-closed": "No vehicle can be there before it closes.",
    "shift-too-short": "The way there and back with the stop takes longer than any shift, or ends too late.",
    "cold-too-long": "Its cold pieces would be under way longer than they may be.",
    "station-full": "The stations that could pass it on have no capacity left, and the hub cannot serve it.",
    "plan-fault": "Its part of the plan failed the check: a fault of the planner, please report it.",
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

    A station passes on what a trunk vehicle brings, at the earliest it can be there; it passes cold goods on
    with a cold store alone. Cold goods collected through a station stay there until the trunk's next day.
    Buses are not looked at here (:mod:`changtong.rural.bus_only`).
    """
    unserved: list[Unserved] = []
    allowed = _allowed(question)
    nobody = [c for c in question.customers if not allowed[:, c].any()]
    cold = [c for c in nobody if question.cold_in[c] + question.cold_out[c] > 0]
    if cold:
        patient = replace(question, cold_h=np.full_like(question.cold_h, np.inf))
        unserved += [Unserved(c, _cold_code(question, patient, c), cold_only=True) for c in cold]
        question = question.without_cold(cold)
        allowed = _allowed(question)
        nobody = [c for c in question.customers if not allowed[:, c].any()]
        # where nothing of it can be served, one reason is enough unless cold hours are another
        unserved = [one for one in unserved if one.code == "cold-too-long" or one.site not in nobody]
    if nobody:
        unserved += [Unserved(c, _code(question, c), cold_only=False) for c in nobody]
        question = question.without(nobody)
        allowed[:, nobody] = False
    return Possible(question, allowed, tuple(unserved))


def _allowed(question: Question) -> NDArray[np.bool_]:
    size = len(question.site_ids)
    allowed = np.zeros((size, size), np.bool_)
    reached = [s for s in question.stations if trunk_reaches(question, s)]
    customers = np.zeros(size, np.bool_)
    customers[list(question.customers)] = True
    for base in (HUB, *reached):
        asked = customers if base == HUB else customers & passes_cold(question, base)
        allowed[base] = asked & surely_served(question, base)
        for customer in np.flatnonzero(asked & ~allowed[base]).tolist():
            errand = _errand(question, base, customer)
            allowed[base, customer] = errand.possible(question.per_visit(customer))
    return allowed


def _errand(question: Question, base: int, customer: int) -> Errand:
    """Return the visit of a customer from a base as early as can be; a station's own people by the trunk."""
    if base == customer:
        return own_errand(question, base)
    return local_errand(question, customer, base, *times(question, base, customer))


def times(question: Question, base: int, customer: int) -> tuple[int, int]:
    """Return when a base is ready for a customer at the earliest, and its goods then left the hub."""
    return (0, 0) if base == HUB else first_ready(question, base, customer)


def _cold_code(question: Question, patient: Question, customer: int) -> str:
    """Return why the cold pieces of a customer cannot be served; ``patient``: without limits of hours."""
    late = _cold_served(patient, customer) and not _cold_served(question, customer)
    return "cold-too-long" if late else "no-cold-space"


def _cold_served(question: Question, customer: int) -> bool:
    """Tell whether any base can serve a customer's cold pieces without the others."""
    _, cold_in, _, cold_out = question.per_visit(customer)
    return any(
        (base == HUB or passes_cold(question, base)[customer])
        and _errand(question, base, customer).possible((0.0, cold_in, 0.0, cold_out))
        for base in (HUB, *(s for s in question.stations if trunk_reaches(question, s)))
    )


def _code(question: Question, customer: int) -> str:
    """Return what keeps the vehicle that comes closest from a customer: the last test it fails."""
    bases = [HUB, *(s for s in question.stations if s != customer and trunk_reaches(question, s))]
    return code_from(question, customer, {base: times(question, base, customer) for base in bases})


def code_from(question: Question, customer: int, ready: Mapping[int, tuple[int, int]]) -> str:
    """Return what keeps vehicles from a customer, from bases ready at a time, their goods gone at another."""
    warm_in, cold_in, warm_out, cold_out = question.per_visit(customer)
    furthest = []
    for amounts in ((warm_in, 0.0, warm_out, 0.0), (0.0, cold_in, 0.0, cold_out)):
        tests = [0]
        for base, (at, left_at) in ready.items():
            errand = local_errand(question, customer, base, at, left_at)
            for kind, v in enumerate(question.vehicles):
                if v.local and sum(amounts) > 0:
                    part = errand.smallest(kind, amounts)
                    tests.append(1 if part is None else 2 + _passed(question, base, at, kind, v, part))
        if sum(amounts) > 0:
            furthest.append(max(tests))
    codes = ("no-vehicle", "no-capacity", "beyond-range", "window-closed", "shift-too-short", "no-vehicle")
    return codes[min(furthest, default=0)]


def _passed(question: Question, base: int, ready: int, kind: int, v: Vehicle, part: Part) -> int:
    """Return how many tests a vehicle with room for it passes: range, window, shift."""
    both = float(question.km[base, part.site] + question.km[part.site, base])
    if v.range_km is not None and both > v.range_km + 1e-9:
        return 0
    at = max(max(v.starts_s, ready) + int(question.seconds[kind][base, part.site]), part.opens_s)
    if at > part.closes_s:
        return 1
    back = int(question.seconds[kind][part.site, base])
    span = int(question.seconds[kind][base, part.site]) + service_s(question, part) + back
    return 2 if at + service_s(question, part) + back > v.ends_s or span > v.shift_s else 3
