"""Which customers a base can surely serve, asked for all at once: most can, and need no closer look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from changtong.rural.county_question import DAY_S, HUB, Question, Vehicle
from changtong.rural.day_routes import NO_LIMIT_S
from changtong.rural.vehicle_loads import MOST_LOADS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Longs = NDArray[np.int64]


def surely_served(question: Question, base: int) -> Flags:
    """Return the customers some vehicle type can serve from a base with the fewest equal loads that fit it.

    The rules are those of :class:`changtong.rural.vehicle_loads.Errand`, over arrays. Where this says no,
    more loads, or warm and cold pieces apart, may still do. A base's own people are another matter: no.

    Parameters
    ----------
    question : Question
    base : int
        The hub, or a station the trunk reaches.

    Returns
    -------
    array of bool
        By site.
    """
    found = np.zeros(len(question.site_ids), np.bool_)
    customers = np.array([c for c in question.customers if c != base], np.int64)
    if len(customers):
        visits = _Visits(question, base, customers)
        for kind, v in enumerate(question.vehicles):
            if v.local:
                found[customers] |= visits.served_by(question, kind)
    return found


def passes_cold(question: Question, station: int) -> Flags:
    """Tell of each customer whether a station can pass its cold pieces on; true where it has none.

    Those collected stay there until the trunk's next day.
    """
    cold = question.cold_in + question.cold_out > 0
    if not question.cold_store[station] or question.first_arrivals[True][0][station] < 0:
        return ~cold
    gap_days = -(-7 // question.visits)
    kept = (question.cold_out <= 0) | (question.cold_h >= 24.0 * gap_days + 12.0)
    kept[station] = True
    return ~cold | kept


class _Visits:
    """One visit to each of some customers of a base: arrays of pieces, and of seconds of the day."""

    def __init__(self, question: Question, base: int, customers: Longs) -> None:
        self.base, self.customers = base, customers
        self.amounts = np.array([question.per_visit(c) for c in customers.tolist()], np.float64).T
        cold_in, cold_out = self.amounts[1] > 0, self.amounts[3] > 0
        closes = question.closes_s[customers]
        limit = np.minimum(question.cold_h[customers] * 3600.0 + 1e-6, NO_LIMIT_S).astype(np.int64)
        self.ready: Longs = np.zeros(len(customers), np.int64)
        self.closes = closes
        self.on_board: Longs = np.full(len(customers), NO_LIMIT_S, np.int64)
        if base == HUB:
            self.on_board = np.where(cold_in | cold_out, limit, NO_LIMIT_S)
            return
        first, left = (
            np.where(cold_in, cold[base], warm[base])
            for warm, cold in zip(question.first_arrivals[False], question.first_arrivals[True], strict=True)
        )
        pieces = self.amounts.sum(axis=0)
        stand = np.ceil(question.stop_s[base] + question.piece_s[base] * pieces - 1e-6).astype(np.int64)
        self.ready = first + stand
        self.closes = np.where(cold_in, np.minimum(closes, left + limit), closes)

    def served_by(self, question: Question, kind: int) -> Flags:
        """Tell which visits a vehicle type can make."""
        v, base, sites = question.vehicles[kind], self.base, self.customers
        number = _loads(v, self.amounts)
        amounts = self.amounts * (1.0 / np.maximum(number, 1.0))
        there, back = question.seconds[kind][base, sites], question.seconds[kind][sites, base]
        handed = amounts[0] + amounts[1] + amounts[2] + amounts[3]
        service = np.ceil(question.stop_s[sites] + question.piece_s[sites] * handed - 1e-6).astype(np.int64)
        at = np.maximum(np.maximum(self.ready, v.starts_s) + there, question.opens_s[sites])
        can: Flags = (number <= MOST_LOADS) & (at <= self.closes) & (at + service + back <= v.ends_s)
        can &= there + service + back <= min(v.shift_s, DAY_S)
        can &= (amounts[1] <= 0) | (there <= self.on_board)
        can &= (amounts[3] <= 0) | (service + back <= self.on_board)
        if v.range_km is not None:
            can &= question.km[base, sites] + question.km[sites, base] <= v.range_km + 1e-9
        return can


def _loads(v: Vehicle, amounts: Floats) -> Floats:
    """Return into how few equal loads a vehicle type's room makes pieces; infinite without room."""
    number = np.ones(amounts.shape[1])
    for pieces, room in (
        (np.maximum(amounts[0], amounts[2]), v.warm),
        (np.maximum(amounts[1], amounts[3]), v.cold),
    ):
        loads = np.ceil(pieces / room - 1e-9) if room > 0 else np.full(len(pieces), np.inf)
        number = np.where(pieces > 0, np.maximum(number, loads), number)
    return number
