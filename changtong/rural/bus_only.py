"""What no vehicle can serve and a bus can: villages on a run, and stations a run feeds in place of the trunk.

Warm pieces alone ride on buses. What is found here is settled like any other week, and dropped again where
it does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from changtong.rural.bus_parcels import Pair, bus_days, run_pairs, village_runs
from changtong.rural.bus_service import bus_loads, bus_times, room_left, unload_s
from changtong.rural.county_question import Question
from changtong.rural.impossible import Unserved
from changtong.rural.settle_week import Settled
from changtong.rural.visit_loads import local_errand
from changtong.rural.visiting_days import patterns
from changtong.rural.week_routes import Choice

MOST_PAIRS = 4
"""Pairs of runs tried for a station."""


def with_bus_only(asked: Question, best: Settled) -> Settled:
    """Return a settled week with the choice, not yet the routes, of what only buses can serve.

    The same where buses serve nothing more.

    Parameters
    ----------
    asked : Question
        With all pieces and the buses.
    best : Settled
    """
    wanted = sorted({one.site for one in best.unserved if not one.cold_only})
    full = _with_warm(asked, best.question, wanted)
    wanted = [c for c in wanted if c in full.customers]
    choice = best.choice
    direct = {c for c in wanted if _on_run(full, choice, c) is not None}
    for station in full.stations:
        if full.cold_in[station] + full.cold_out[station] > 0:
            continue  # the checker takes what a run brings there for its own
        near = [c for c in wanted if (c not in direct or c == station) and c not in choice.base]
        if set(near) - direct and station not in set(choice.base.values()):
            choice = _fed_by_bus(full, choice, station, near) or choice
    for customer in wanted:
        if customer not in choice.base:
            choice = _on_run(full, choice, customer) or choice
    served = [c for c in wanted if c in choice.base or c in choice.bus]
    if not served:
        return best
    question = full.without([c for c in wanted if c not in served])
    routes = best.routes.about(question)
    for station, (brings, _) in choice.station_bus.items():
        if brings >= 0:
            routes.left_at[station], at = bus_times(question, brings, station)
            routes.ready[station] = at + unload_s(question, choice, station)
    unserved = tuple(_still_unserved(asked, best.unserved, served))
    return replace(best, question=question, choice=choice, routes=routes, unserved=unserved)


def _with_warm(asked: Question, known: Question, sites: list[int]) -> Question:
    """Return a question with the warm pieces of some sites put back."""
    arrays = []
    for now, before, cold in (
        (known.inbound, asked.inbound, asked.cold_in),
        (known.outbound, asked.outbound, asked.cold_out),
    ):
        pieces, warm = now.copy(), before[sites] - cold[sites]
        pieces[sites] = np.where(warm < 1e-9, 0.0, warm)
        arrays.append(pieces)
    return replace(known, inbound=arrays[0], outbound=arrays[1])


def _still_unserved(asked: Question, unserved: Iterable[Unserved], served: list[int]) -> Iterable[Unserved]:
    """Return what is unserved without what buses serve; its cold pieces stay."""
    known = list(unserved)
    apart = {one.site for one in known if one.cold_only}
    for one in known:
        if one.cold_only or one.site not in served:
            yield one
        elif one.site not in apart and asked.cold_in[one.site] + asked.cold_out[one.site] > 0:
            yield replace(one, cold_only=True)


def _on_run(question: Question, choice: Choice, customer: int) -> Choice | None:
    """Return the choice with a customer on the first run that has room; None where none has."""
    if customer in set(choice.base.values()):
        return None
    for pair in village_runs(question, customer):
        mask = bus_days(question, pair, customer, patterns(int(question.visits[customer]))[0])
        if mask is not None:
            tried = replace(choice, days={**choice.days, customer: mask}, bus={**choice.bus, customer: pair})
            if room_left(question, bus_loads(question, tried)):
                return tried
    return None


def _fed_by_bus(question: Question, choice: Choice, station: int, near: list[int]) -> Choice | None:
    """Return the choice with a station fed by the pair of runs that serves most of some customers."""
    best: tuple[int, Choice] | None = None
    for pair in run_pairs(question, station, near)[:MOST_PAIRS]:
        tried, count = replace(choice, station_bus={**choice.station_bus, station: pair}), 0
        for customer in near:
            more = _one_more(question, tried, station, pair, customer)
            if more is not None:
                tried, count = more, count + 1
        if count and (best is None or count > best[0]):
            best = count, tried
    return None if best is None else best[1]


def _one_more(question: Question, choice: Choice, station: int, pair: Pair, customer: int) -> Choice | None:
    """Return the choice with one more customer of a station fed by bus; None where that cannot be."""
    mask = bus_days(question, pair, customer, patterns(int(question.visits[customer]))[0])
    if mask is None:
        return None
    tried = replace(choice, base={**choice.base, customer: station}, days={**choice.days, customer: mask})
    if not room_left(question, bus_loads(question, tried)):
        return None
    if customer != station and pair[0] >= 0:
        left_at, at = bus_times(question, pair[0], station)
        ready = at + unload_s(question, tried, station)
        errand = local_errand(question, customer, station, ready, left_at)
        if not errand.possible(question.per_visit(customer)):
            return None
    return tried
