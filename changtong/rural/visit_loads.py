"""Visits, and what the trunk hands over at a station, as loads that vehicles bring."""

from __future__ import annotations

from changtong.rural.county_question import HUB, Question
from changtong.rural.day_routes import NO_LIMIT_S, Part
from changtong.rural.vehicle_loads import Errand

FEW, SMALL = 0.6, 12
"""A visit is cut into more loads than need be where these alone cost less than this share. On days of so few
parts cheaper loads are tried in any case."""

Load = tuple[int, float, float, float, float, int, int]
"""Station, warm and cold pieces to it, warm and cold from it, latest second the trunk may be there, and
seconds the cold pieces of its own people may be on board."""


def visit_parts(
    question: Question,
    customer: int,
    base: int,
    left_at: int,
    ready: int = 0,
    *,
    share: float = FEW,
    fleet: tuple[int, ...] | None = None,
) -> list[Part]:
    """Return one visit as parts vehicles bring from a base; cold goods from a station have a latest time."""
    errand = local_errand(question, customer, base, ready, left_at, fleet)
    return errand.parts(question.per_visit(customer), share)


def local_errand(
    question: Question,
    customer: int,
    base: int,
    ready: int,
    left_at: int,
    fleet: tuple[int, ...] | None = None,
) -> Errand:
    """Return the visit of a local vehicle to a customer; ``left_at``: when its goods left the hub."""
    closes = int(question.closes_s[customer])
    limit = cold_s(question, customer)
    late = closes if base == HUB else min(closes, left_at + limit)
    kinds = tuple(k for k, v in enumerate(question.vehicles) if v.local and (fleet is None or fleet[k] > 0))
    return Errand(question, base, customer, ready, kinds, closes, late, limit if base == HUB else NO_LIMIT_S)


def own_errand(question: Question, station: int) -> Errand:
    """Return the visit of the trunk to a station's own people."""
    kinds = tuple(k for k, v in enumerate(question.vehicles) if v.trunk)
    closes = int(question.closes_s[station])
    return Errand(question, HUB, station, 0, kinds, closes, closes, cold_s(question, station))


def load_parts(
    question: Question, load: Load, *, share: float = FEW, fleet: tuple[int, ...] | None = None
) -> list[Part]:
    """Return what the trunk hands over at a station as parts vehicles bring."""
    station, warm_in, cold_in, warm_out, cold_out, latest, hours_s = load
    kinds = tuple(k for k, v in enumerate(question.vehicles) if v.trunk and (fleet is None or fleet[k] > 0))
    errand = Errand(question, HUB, station, 0, kinds, latest, latest, hours_s)
    return errand.parts((warm_in, cold_in, warm_out, cold_out), share)


def cold_s(question: Question, customer: int) -> int:
    """Return seconds a customer's cold pieces may be under way."""
    limit = float(question.cold_h[customer]) * 3600.0
    return int(min(limit + 1e-6, NO_LIMIT_S))
