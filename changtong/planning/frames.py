"""What a plan shows of an answer: legs, sites, classes, and what stays behind and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.flows.flow import FlowSolver
from changtong.network.model import Network
from changtong.outages import Effect
from changtong.planning.answer import Answer
from changtong.planning.assemble import Question
from changtong.planning.at_home import sent_after_all
from changtong.planning.baseline import change_words
from changtong.planning.blockers import FULL, ROOM_LEFT, blocking_rows
from changtong.structure import site_capacity

Floats = NDArray[np.float64]

BINDING = FULL
"""Load share from which a capacity counts as binding: below it one more lorry is worth nothing."""

LEAST_PIECES = 1e-3
"""Pieces a day below which a difference is rounding."""

KEPT_COLUMNS = ("mode", "distance_km", "travel_h", "vehicle_pieces")


def _finite(values: Floats) -> pl.Series:
    return pl.Series(np.where(np.isfinite(values), values, np.nan), nan_to_null=True)


def _share(planned: Floats, capacity: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(capacity > 0.0, planned / capacity, np.nan)


def leg_flow_frame(network: Network, answer: Answer, baseline: Floats) -> pl.DataFrame:
    """Return each leg of the network before and after; take-over ways are none of them."""
    n_legs = answer.question.n_legs
    flow = answer.result.leg_flow[:n_legs]
    capacity = answer.question.problem.leg_capacity[:n_legs]
    planned = np.minimum(np.where(flow < 1e-6, 0.0, flow), capacity)  # above by rounding only: checked
    share = _share(planned, capacity)
    bind = share >= BINDING
    return network.legs.select("from_site", "to_site").with_columns(
        pl.Series("baseline_pieces", baseline),
        pl.Series("planned_pieces", planned),
        pl.Series("capacity_pieces", _finite(capacity)),
        pl.Series("shadow_price_cny", np.where(bind, answer.result.leg_price[:n_legs], 0.0)),
        pl.Series("shadow_price_pieces", np.where(bind, answer.leg_worth[:n_legs], 0.0)),
        pl.Series("load_share", share, nan_to_null=True),
        pl.Series("change", change_words(baseline, planned), dtype=pl.String),
        *[network.legs[c] for c in KEPT_COLUMNS if c in network.legs.columns],
    )


def _handled(question: Question, flow: Floats, sent: Floats, local: Floats) -> Floats:
    head = question.problem.leg_head[: len(flow)]
    arrived = np.bincount(head, flow, minlength=question.problem.n_sites)
    return np.asarray(arrived + sent + local.sum(axis=1))


def _planned(answer: Answer) -> Floats:
    """Return the pieces a day each site sorts under the plan."""
    question, result = answer.question, answer.result
    sent = question.problem.sent(result.unserved)
    return _handled(question, result.leg_flow, sent, question.local - question.local_held)


def _site_room(network: Network, effect: Effect) -> Floats:
    """Return the pieces a day each site can sort under the outages; 0 where closed."""
    some = effect.site_share > 0.0
    return np.where(some, site_capacity(network) * np.where(some, effect.site_share, 1.0), 0.0)


def fill_at_home(network: Network, effect: Effect, answer: Answer) -> Answer:
    """Serve pieces that begin and end at one site and waited there, where the plan leaves room after all."""
    question = answer.question
    if not question.local_held[effect.site_share > 0.0].any():
        return answer
    held = sent_after_all(question.local_held, _site_room(network, effect) - _planned(answer))
    return replace(answer, question=replace(question, local_held=held))


def site_load_frame(
    network: Network, effect: Effect, answer: Answer, baseline: Floats
) -> tuple[pl.DataFrame, Floats]:
    """Return each site before and after, and what it could sort beyond the plan.

    What a stand-in takes over is in its load: pieces for the closed site's area are sorted there
    like its own, pieces collected from it arrive there.
    """
    question, problem, result = answer.question, answer.question.problem, answer.result
    n = problem.n_sites
    before = _handled(question, baseline, problem.begins, question.local)
    planned = _planned(answer)
    planned[effect.closed_sites] = 0.0
    capacity = _site_room(network, effect)
    share = _share(planned, capacity)
    status = np.select([effect.site_share <= 0.0, effect.site_share < 1.0], ["closed", "restricted"], "open")
    take_overs = question.take_overs
    taken = np.bincount(take_overs.stand_in, result.leg_flow[question.n_legs :], minlength=n)
    bind = share >= BINDING
    frame = pl.DataFrame(
        {
            "site_id": network.sites["site_id"],
            "baseline_pieces": before,
            "planned_pieces": planned,
            "taken_over_pieces": taken.astype(np.float64),
            "capacity_pieces": _finite(capacity),
            "load_share": pl.Series(share, nan_to_null=True),
            "shadow_price_cny": np.where(bind, result.site_price, 0.0),
            "shadow_price_pieces": np.where(bind, answer.site_worth, 0.0),
            "status": [str(word) for word in status],
        }
    )
    return frame, np.asarray(np.where(np.isfinite(capacity), capacity - planned, capacity))


def class_frame(effect: Effect, answer: Answer) -> pl.DataFrame:
    """Return demand, service and lateness by class, with the proved least of what is lost and late."""
    problem, classes = answer.question.problem, answer.question.classes
    local, held = answer.question.local, answer.question.local_held
    lacking = problem.lost_by_class(answer.result.unserved)
    if problem.pair_pieces.shape[1] == 1:
        share = np.ones(1) if problem.class_share is None else problem.class_share
        demand = float(problem.totals().sum(dtype=np.float64)) * share
    else:
        demand = problem.pair_pieces.sum(axis=0, dtype=np.float64)
    stuck = held[effect.closed_sites].sum(axis=0)
    slowed = (held.sum(axis=1) > 0.0) & (effect.site_share > 0.0)
    gives_way = (local - held)[slowed].sum(axis=0)
    below = gives_way.sum() - np.cumsum(gives_way)  # room lower classes take, that a plan could give up
    served, hours, late = answer.late.T
    timed = bool(answer.question.leg_h.any() or answer.question.site_h.any())
    mean_h = np.where(timed & (served > 0.0), hours / np.maximum(served, 1e-30), np.nan)
    all_pieces = demand + local.sum(axis=0)
    lost = lacking + held.sum(axis=0)
    lost = np.where(lost < LEAST_PIECES, 0.0, np.minimum(lost, all_pieces))
    return pl.DataFrame(
        {
            "service_class": classes["service_class"].cast(pl.String),
            "rank": classes["rank"],
            "demand_pieces": all_pieces,
            "served_pieces": all_pieces - lost,
            "unserved_pieces": lost,
            "unserved_least_pieces": np.minimum(lost, np.maximum(0.0, answer.unserved_least - below) + stuck),
            "late_pieces": late,
            "late_least_pieces": np.minimum(late, answer.late_least),
            "mean_h": pl.Series(mean_h, nan_to_null=True),
        }
    )


def unserved_frame(network: Network, effect: Effect, answer: Answer) -> pl.DataFrame:
    """Return what stays behind and why.

    Columns: from_site, to_site, service_class, pieces, reason, blocked_by, and ``part``:
    ``area`` for pieces that begin or end in a closed site's area, ``transit`` for others.
    """
    question, result = answer.question, answer.result
    problem = question.problem
    rows = np.flatnonzero(result.unserved > 1e-3)
    by_class = replace(
        problem,
        pair_pieces=problem.pair_pieces[rows],
        pair_from=problem.pair_from[rows],
        pair_to=problem.pair_to[rows],
    ).unserved_by_class(result.unserved[rows])
    start, end = problem.pair_from[rows], problem.pair_to[rows]
    closed = effect.site_share <= 0.0
    said = _reasons(network, effect, answer, rows)
    at_home = pl.Series("reason", ["full-site", "closed-site"]), pl.Series(network.site_ids)
    frames = []
    for k, service_class in enumerate(question.classes["service_class"].cast(pl.String)):
        some = by_class[:, k] > 1e-4
        frames.append(
            _rows(
                network,
                (start[some], end[some]),
                service_class,
                by_class[some, k],
                tuple(words.gather(at[some]) for words, at in said),
            )
        )
        stuck = np.flatnonzero(question.local_held[:, k] > 1e-4)
        why = at_home[0].gather(closed[stuck].astype(np.uint32)), at_home[1].gather(stuck)
        frames.append(_rows(network, (stuck, stuck), service_class, question.local_held[stuck, k], why))
    frame = pl.concat(frames)
    ends = [frame[column].to_physical().to_numpy() for column in ("from_site", "to_site")]
    area = closed[ends[0]] | closed[ends[1]] if frame.height else np.empty(0, bool)
    return frame.with_columns(pl.Series("part", np.where(area, "area", "transit"), dtype=pl.String))


def _reasons(
    network: Network, effect: Effect, answer: Answer, rows: NDArray[np.int64]
) -> tuple[tuple[pl.Series, NDArray[np.int64]], tuple[pl.Series, NDArray[np.int64]]]:
    """Return why each pair is left behind, and the place that blocks it: words, and which of them it is."""
    problem, result = answer.question.problem, answer.result
    dear = np.inf if answer.exact else float(answer.solver.problem.class_penalty[-1])
    blocking = blocking_rows(answer.solver, result, dear)[rows]
    words, places = _row_names(network, answer.solver, effect)
    closed = effect.site_share <= 0.0
    taken = np.zeros(problem.n_sites, bool)
    taken[answer.question.take_overs.site] = True
    start, end = problem.pair_from[rows], problem.pair_to[rows]
    shut = closed & ~taken
    at_closed = shut[start] | shut[end]
    n, cut = len(words), result.cut_off[rows]
    blocking = np.where(blocking < 0, blocking + n, blocking)  # the last two are told from behind
    why = np.where(at_closed, n, np.where(cut, n + 1, blocking))
    where = np.where(at_closed, n + 1 + np.where(shut[start], start, end), np.where(cut, n, blocking))
    reasons = pl.Series([*words.tolist(), "closed-site", "cut-off"], dtype=pl.String)
    blockers = pl.Series([*places.tolist(), "", *network.site_ids], dtype=pl.String)
    return (reasons, why), (blockers, where)


def _rows(network, ends, service_class, pieces, why) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    to_id = network.site_type
    start, end = ends
    return pl.DataFrame(
        {
            "from_site": pl.Series(start.astype(np.uint32)).cat.to(to_id),
            "to_site": pl.Series(end.astype(np.uint32)).cat.to(to_id),
            "service_class": pl.Series([service_class], dtype=pl.String).new_from_index(0, len(start)),
            "pieces": pl.Series(pieces, dtype=pl.Float64),
            "reason": why[0],
            "blocked_by": why[1],
        }
    )


def _row_names(
    network: Network, solver: FlowSolver, effect: Effect
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return reason and place of every capacity row; the last two serve ROOM_LEFT and TOO_DEAR."""
    ids = np.array(network.site_ids)
    n_rows = len(solver.capacity)
    reason = np.full(n_rows + 2, "dearer-than-penalty", dtype="<U20")
    reason[ROOM_LEFT] = "room-left"
    place = np.full(n_rows + 2, "", dtype="<U64")
    legs, sites = np.flatnonzero(solver.leg_row >= 0), np.flatnonzero(solver.site_row >= 0)
    reason[solver.leg_row[legs]] = "full-leg"
    tails, heads = ids[solver.problem.leg_tail[legs]], ids[solver.problem.leg_head[legs]]
    place[solver.leg_row[legs]] = np.char.add(np.char.add(tails, ">"), heads)
    reason[solver.site_row[sites]] = "full-site"
    place[solver.site_row[sites]] = ids[sites]
    first = n_rows - len(effect.entry_limits)
    for k, limit in enumerate(effect.entry_limits):
        reason[first + k], place[first + k] = "entry-limit", limit.label
    return reason, place
