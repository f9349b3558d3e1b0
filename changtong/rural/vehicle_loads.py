"""What is handed over at a site at one visit, cut into loads that vehicles bring.

A load is of a size some vehicle type holds that can also get there: within its range, its hours and the
site's. Of the ways to cut, the one is taken whose trips cost least if nothing else were on board: equal
loads of one type, full loads with a rest for another, warm and cold pieces together or apart, cold loads
filled up with warm pieces.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

from changtong.rural.county_question import DAY_S, Question
from changtong.rural.day_routes import NO_LIMIT_S, PIECE, Part, Solo, solo

MOST_LOADS = 1_000
"""Loads of a visit beyond which it is called too much for the vehicles there are."""

Amounts = tuple[float, float, float, float]
"""Warm and cold pieces to a site, warm and cold from it."""

Cut = tuple[float, int, list[Part]]
"""Reckoned CNY, number of loads, and the loads."""


@dataclass(frozen=True)
class Errand:
    """A visit to a site from a base by some vehicle types.

    Attributes
    ----------
    question : Question
    base, site : int
    ready_s : int
        When the base's goods are ready.
    kinds : tuple of int
        Vehicle types that may go.
    closes_s, cold_closes_s : int
        Latest second of warm pieces, and of loads with cold pieces to the site.
    cold_s : int
        Seconds cold pieces may be on board, from the base or to it.
    """

    question: Question
    base: int
    site: int
    ready_s: int
    kinds: tuple[int, ...]
    closes_s: int
    cold_closes_s: int
    cold_s: int = NO_LIMIT_S
    _fewest: dict[tuple[int, Amounts], int | None] = field(default_factory=dict, init=False, compare=False)
    _ways: dict[int, Solo] = field(default_factory=dict, init=False, compare=False)

    def possible(self, amounts: Amounts) -> bool:
        """Tell whether vehicles can bring and take all of it, warm and cold together or apart."""
        if any(self.fewest(kind, amounts) is not None for kind in self.kinds):
            return True
        warm, cold = _warm(amounts), _cold(amounts)
        both = sum(warm) > 0 and sum(cold) > 0
        return both and self.possible(warm) and self.possible(cold)

    def parts(self, amounts: Amounts, share: float = 1.0) -> list[Part]:
        """Return the loads; what no vehicle can bring is one part nobody can serve.

        Parameters
        ----------
        amounts : tuple of float
        share : float
            Others than the fewest equal loads must cost less than this share of these; 1: the cheapest.
        """
        if sum(_warm(amounts)) == 0 or sum(_cold(amounts)) == 0:
            numbers = {self.fewest(kind, amounts) for kind in self.kinds} - {None}
            if numbers == {1}:  # nothing is cheaper than one load, whichever vehicle brings it
                return [self._part(amounts, 1)]
        best = self._best(amounts)
        if best is not None:
            few = min(self._equal(amounts), default=best, key=lambda cut: (cut[1], cut[0]))
            return few[2] if share < 1.0 and best[0] >= share * few[0] else best[2]
        both = [some for some in (_warm(amounts), _cold(amounts)) if sum(some) > 0]
        if len(both) < 2:
            return [self._part(amounts, 1)]
        return [part for some in both for part in self.parts(some, share)]

    def smallest(self, kind: int, amounts: Amounts) -> Part | None:
        """Return the smallest load of a vehicle type, None where it has no room: to tell why it fails."""
        return self._part(amounts, MOST_LOADS) if self._needed(kind, amounts) is not None else None

    def fewest(self, kind: int, amounts: Amounts) -> int | None:
        """Return into how few equal loads a vehicle type can take amounts, None where it cannot."""
        key = kind, amounts
        if key not in self._fewest:
            self._fewest[key] = self._least(kind, amounts)
        return self._fewest[key]

    def _least(self, kind: int, amounts: Amounts) -> int | None:
        """Return what is kept as the fewest loads."""
        least = self._needed(kind, amounts)
        if least is None or self._can(kind, amounts, least):
            return least
        if not self._can(kind, amounts, MOST_LOADS):
            return None
        # smaller loads are handed over in less time
        return bisect_left(range(MOST_LOADS), True, least, key=lambda n: self._can(kind, amounts, n))

    def _needed(self, kind: int, amounts: Amounts) -> int | None:
        """Return how many loads of a vehicle type hold amounts, None without room or beyond the most."""
        v = self.question.vehicles[kind]
        rooms = ((max(amounts[0], amounts[2]), v.warm), (max(amounts[1], amounts[3]), v.cold))
        if any(pieces > room * MOST_LOADS for pieces, room in rooms):
            return None
        return max([1, *(math.ceil(pieces / room - 1e-9) for pieces, room in rooms if pieces > 0)])

    def _best(self, amounts: Amounts, further: bool = True) -> Cut | None:
        """Return the cheapest way to cut amounts, None where vehicles cannot bring all of it."""
        found = self._equal(amounts)
        for kind in self.kinds if further else ():
            found += self._full(kind, amounts)
        warm, cold = _warm(amounts), _cold(amounts)
        if further and sum(warm) > 0 and sum(cold) > 0:
            found += _both(self._best(warm), self._best(cold))
            for kind in self.kinds:
                found += self._filled(kind, cold, warm) + self._filled(kind, warm, cold)
        # of equally cheap ones full loads and a rest, which goes with others
        return min(
            found,
            key=lambda cut: (round(cut[0], 1), cut[1], -max(part.pieces for part in cut[2])),
            default=None,
        )

    def _equal(self, amounts: Amounts) -> list[Cut]:
        """Return equal loads of each vehicle type that can bring them."""
        found = []
        for kind in self.kinds:
            number = self.fewest(kind, amounts)
            if number is not None:
                part = self._part(amounts, number)
                found.append((self._cost(kind, part, number), number, [part] * number))
        return found

    def _full(self, kind: int, amounts: Amounts) -> list[Cut]:
        """Return full loads of a vehicle type with the rest brought by any."""
        if (self._needed(kind, amounts) or 1) < 2:
            return []
        share = self._share(kind, amounts)
        if share <= 0.0:
            return []
        number = math.floor(1.0 / share + 1e-9)
        rest = _times(amounts, 1.0 - number * share)
        if sum(rest) < 1e-3 or not self._can(kind, _times(amounts, share), 1):
            return []
        part = self._part(_times(amounts, share), 1)
        full = (self._cost(kind, part, number), number, [part] * number)
        return _both(full, self._best(rest, further=False))

    def _filled(self, kind: int, first: Amounts, second: Amounts) -> list[Cut]:
        """Return loads of a vehicle type filled up with other pieces, the rest of these brought by any."""
        number = self.fewest(kind, first)
        share = 0.0 if number is None else min(1.0, number * self._share(kind, second))
        if number is None or share <= 0.0:
            return []
        a, b, c, d = (x + share * y for x, y in zip(first, second, strict=True))
        if not self._can(kind, (a, b, c, d), number):
            return []
        part = self._part((a, b, c, d), number)
        full = (self._cost(kind, part, number), number, [part] * number)
        rest = _times(second, 1.0 - share)
        return [full] if sum(rest) < 1e-9 else _both(full, self._best(rest, further=False))

    def _share(self, kind: int, amounts: Amounts) -> float:
        """Return the share of amounts a vehicle holds, in whole units of the routing."""
        v = self.question.vehicles[kind]
        rooms = ((max(amounts[0], amounts[2]), v.warm), (max(amounts[1], amounts[3]), v.cold))
        return min(math.floor(room * PIECE) / PIECE / pieces for pieces, room in rooms if pieces > 0)

    def _part(self, amounts: Amounts, number: int) -> Part:
        warm_in, cold_in, warm_out, cold_out = _times(amounts, 1.0 / number)
        return Part(
            self.site,
            warm_in,
            cold_in,
            warm_out,
            cold_out,
            int(self.question.opens_s[self.site]),
            self.cold_closes_s if cold_in > 0 else self.closes_s,
            self.cold_s if cold_in + cold_out > 0 else NO_LIMIT_S,
        )

    def _can(self, kind: int, amounts: Amounts, number: int) -> bool:
        return self._way(kind).serves(self._part(amounts, number))

    def _way(self, kind: int) -> Solo:
        """Return a vehicle type's trip to the site alone: asked for many amounts, looked up once."""
        if kind not in self._ways:
            self._ways[kind] = solo(self.question, self.base, self.ready_s, kind, self.site, DAY_S)
        return self._ways[kind]

    def _cost(self, kind: int, part: Part, number: int) -> float:
        """Return what trips for loads alone cost; infinite where there are too few vehicles for them."""
        v, question = self.question.vehicles[kind], self.question
        km = float(question.km[self.base, self.site] + question.km[self.site, self.base])
        way = self._way(kind)
        span = max(1, way.there_s + way.back_s + way.service_s(part))
        trips = min(v.trips, min(v.shift_s, v.ends_s - way.begins_s) // span)
        if v.range_km is not None and km > 0:
            trips = min(trips, int((v.range_km + 1e-9) / km))
        vehicles = math.ceil(number / max(trips, 1))
        if v.count is not None and vehicles > v.count:
            return math.inf
        return vehicles * v.day_cny + number * (v.km_cny * km + v.h_cny * span / 3600.0)


def _both(one: Cut | None, other: Cut | None) -> list[Cut]:
    if one is None or other is None:
        return []
    return [(one[0] + other[0], one[1] + other[1], one[2] + other[2])]


def _times(amounts: Amounts, factor: float) -> Amounts:
    warm_in, cold_in, warm_out, cold_out = amounts
    return warm_in * factor, cold_in * factor, warm_out * factor, cold_out * factor


def _warm(amounts: Amounts) -> Amounts:
    return amounts[0], 0.0, amounts[2], 0.0


def _cold(amounts: Amounts) -> Amounts:
    return 0.0, amounts[1], 0.0, amounts[3]
