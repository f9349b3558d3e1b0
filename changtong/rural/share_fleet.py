"""Vehicles of which there are few, shared out among the bases and the trunk of a week."""

from __future__ import annotations

from collections.abc import Callable

from changtong.rural.county_question import DAYS, Question
from changtong.rural.day_routes import DayRoutes

TRUNK = -1
"""Stands for the trunk among bases."""

Uses = dict[int, list[tuple[tuple[int, ...], DayRoutes]]]
"""Base, or the trunk -> its routes with their days."""


def overdrawn(question: Question, uses: Uses) -> list[int]:
    """Return vehicle types of which a day uses more than there are."""
    found = []
    for kind, v in enumerate(question.vehicles):
        if v.count is None or v.count == 0:
            continue
        per_day = [
            sum(_used(routes, kind) for some in uses.values() for days, routes in some if day in days)
            for day in DAYS
        ]
        if max(per_day) > v.count:
            found.append(kind)
    return found


def _used(routes: DayRoutes, kind: int) -> int:
    return sum(day.vehicle == kind for day in routes.days)


def shared_out(
    question: Question,
    uses: Uses,
    fleet_of: Callable[[int], tuple[int, ...]],
    cost: Callable[[int, tuple[int, ...]], float],
) -> dict[int, tuple[int, ...]]:
    """Return how many vehicles of each type each base may use, so that no day needs more than there are.

    Bases begin with what they use; while there are too many of a type, the one that loses least gives one up.

    Parameters
    ----------
    question : Question
    uses : mapping
    fleet_of : callable
        Base -> vehicles of each type it could use.
    cost : callable
        Base and vehicles of each type -> what its week then costs.
    """
    fleet = {base: list(fleet_of(base)) for base in uses}
    for base, some in uses.items():
        for kind, v in enumerate(question.vehicles):
            if v.count is not None:
                fleet[base][kind] = max((_used(routes, kind) for _, routes in some), default=0)
    now = {base: cost(base, tuple(counts)) for base, counts in fleet.items()}
    for kind, v in enumerate(question.vehicles):
        if v.count is None:
            continue
        losses: dict[int, float] = {}
        while sum(counts[kind] for counts in fleet.values()) > v.count:
            for base, counts in fleet.items():
                if counts[kind] > 0 and base not in losses:
                    fewer = tuple(c - (k == kind) for k, c in enumerate(counts))
                    losses[base] = cost(base, fewer) - now[base]
            gives = min(losses, key=lambda base: (losses[base], base))
            fleet[gives][kind] -= 1
            now[gives] += losses.pop(gives)
    return {base: tuple(counts) for base, counts in fleet.items()}
