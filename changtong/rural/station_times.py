"""When stations are reached from the hub, and when what was brought there can go on."""

from __future__ import annotations

import math

from changtong.rural.county_question import DAY_S, DAYS, Question
from changtong.rural.day_routes import Stop, service_s, standing_s

HURRY_S = 3_600
"""How long after a direct way the trunk may be at a station where cold pieces are in a hurry."""

Visits = tuple[tuple[int, int], ...]
"""Customers of a base and the days of each as bits, in order of site numbers."""


def hurried(question: Question, visits: Visits) -> bool:
    """Tell whether a base's customers get cold pieces that may be under way for some hours only."""
    return any(question.cold_in[c] > 0 and question.cold_h[c] < 24.0 for c, _ in visits)


def most_passed(question: Question, visits: Visits) -> float:
    """Return about the most pieces a base is brought and gives back on a day."""
    if not visits:
        return 0.0
    return max(sum(sum(question.per_visit(c)) for c, mask in visits if mask >> day & 1) for day in DAYS)


def arrival_limit(question: Question, station: int, visits: Visits) -> tuple[int, int]:
    """Return the latest second the trunk may be at a station, and the earliest it leaves the hub for it.

    Late enough that local vehicles still have a whole shift; where cold pieces are in a hurry, or a customer
    closes early, an hour after a vehicle that goes there first; never so late that a customer is closed.
    """
    cold = hurried(question, visits)
    space = any(question.cold_in[c] + question.cold_out[c] > 0 for c, _ in visits)
    first, leaves = (int(some[station]) for some in question.first_arrivals[space])
    closes = int(question.closes_s[station])
    if first < 0:
        return closes, 0
    whole_shift = max((v.ends_s - v.shift_s for v in question.vehicles if v.local), default=DAY_S)
    latest = min(first + HURRY_S if cold else whole_shift - 1800, closes)
    due = due_s(question, station, visits)
    if due is not None and due - stand_s(question, station, most_passed(question, visits)) < latest:
        latest = min(first + HURRY_S, due - stand_s(question, station, most_passed(question, visits)))
    return max(first, min(latest, closes)), leaves


def due_s(question: Question, station: int, visits: Visits) -> int | None:
    """Return when a station's goods must be ready for customers that close; None where none does."""
    ways = [question.seconds[kind][station] for kind, v in enumerate(question.vehicles) if v.local]
    due = [
        int(question.closes_s[c]) - min(int(way[c]) for way in ways)
        for c, _ in visits
        if ways and c != station and question.closes_s[c] < DAY_S
    ]
    return min(due, default=None)


def stand_s(question: Question, station: int, pieces: float) -> int:
    """Return seconds until pieces that arrive at a station are ready."""
    return standing_s(question.stop_s[station], question.piece_s[station], pieces)


def reckoned_ready(question: Question, station: int, visits: Visits = ()) -> tuple[int, int]:
    """Return by when a station's goods are ready, whatever the trunk does, and when they left the hub."""
    latest, leaves = arrival_limit(question, station, visits)
    stand = stand_s(question, station, most_passed(question, visits))
    ready = latest + 600 * max(1, math.ceil(stand / 600.0))  # in steps: more days are then equal
    due = due_s(question, station, visits)
    return (latest + stand if due is not None and due < ready else ready), leaves


def first_ready(question: Question, station: int, customer: int) -> tuple[int, int]:
    """Return when a station's goods for a customer are ready at the earliest, and when they left the hub."""
    cold = question.cold_in[customer] > 0
    first, leaves = (int(some[station]) for some in question.first_arrivals[bool(cold)])
    return first + stand_s(question, station, sum(question.per_visit(customer))), leaves


def trunk_reaches(question: Question, station: int, *, cold: bool = False) -> bool:
    """Tell whether any trunk vehicle can serve a station at all."""
    return bool(question.first_arrivals[cold][0][station] >= 0)


def stop_ready(question: Question, stop: Stop) -> int:
    """Return when what a trunk stop brought can go on."""
    return stop.arrives_s + service_s(question, stop.part)
