"""From an outage to a re-routing plan: the main job in one call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.outages import Effect, Outage, apply_outages
from changtong.planning import orders, relief, sortplan
from changtong.planning.assemble import OBJECTIVES, Question, assemble, site_capacity
from changtong.planning.checker import check_flow
from changtong.planning.flow import FlowResult, FlowSettings, FlowSolver, Progress, Termination
from changtong.planning.result import Plan, PlanSettings, Status

Floats = NDArray[np.float64]

BINDING = 0.98
"""Load share from which a capacity counts as binding: below it one more lorry is worth nothing."""


@dataclass(frozen=True)
class _Answer:
    """One solve: the question, the solver that holds its trees, the result."""

    question: Question
    solver: FlowSolver
    result: FlowResult


def plan(
    network: Network,
    outages: Sequence[Outage] = (),
    *,
    objectives: tuple[str, ...] = OBJECTIVES,
    settings: PlanSettings | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Plan:
    """Plan how pieces move while outages last.

    Parameters
    ----------
    network : Network
        Sites, legs, demand (pieces a day), classes, and today's flow where known.
    outages : sequence of Outage
        What is shut or slowed; they combine by the rule of docs/decisions/0002.
    objectives : tuple of str
        Order of the objectives: unserved, late, cost, carbon, changed_legs, max_load.
    settings : PlanSettings, optional
        Gap and time at which to stop.
    progress : callable, optional
        Called with (round, lower bound, upper bound, seconds).
    name : str, optional
        Shown in reports.

    Returns
    -------
    Plan
        Checked by :func:`changtong.planning.checker.check_flow` before it is returned.

    Examples
    --------
    >>> from changtong.network.reference import reference_network
    >>> from changtong.outages import close_sites
    >>> net = reference_network(level="city")
    >>> result = plan(net, close_sites(net, ["H3307"]))  # doctest: +SKIP
    """
    begin = time.perf_counter()
    settings = settings or PlanSettings()
    outages = tuple(outages)
    effect = apply_outages(network, outages)
    moved = relief.redirect(network, effect)
    question = assemble(
        moved.network,
        effect,
        objectives=objectives,
        hour_cny=settings.hour_cny,
        unserved_cny=settings.unserved_cny,
    )
    answer = _solve(question, settings, progress)
    baseline = baseline_flow(network)
    check_flow(question.problem, answer.result)
    trees = sortplan.make_sort_plan(
        network, question, answer.solver, answer.result, baseline, stability_cny=settings.stability_cny
    )
    gap = answer.result.gap_share
    reached = answer.result.termination is Termination.GAP_REACHED
    empty = not len(question.problem.pair_from)
    leg_flows = _leg_flows(network, question, effect, answer.result, baseline)
    site_loads = _site_loads(network, question, effect, answer.result, baseline)
    classes = _classes(question, effect, answer)
    unserved = _unserved(network, question, effect, answer)
    made_orders = orders.make_orders(network, effect, leg_flows, unserved, trees.changes)
    return Plan(
        name=name or network.name,
        network=network,
        outages=outages,
        effect=effect,
        settings=settings,
        status=Status.EMPTY if empty else Status.OPTIMAL if reached else Status.FEASIBLE,
        termination=Termination.NOTHING_TO_DO if empty else answer.result.termination,
        objective_cny=answer.result.objective,
        lower_bound_cny=answer.result.lower_bound,
        gap_share=gap,
        sort_plan_gap_share=trees.gap_share,
        runtime_s=time.perf_counter() - begin,
        objectives=_objectives(network, question, answer.result, leg_flows, classes),
        classes=classes,
        leg_flows=leg_flows,
        site_loads=site_loads,
        unserved=unserved,
        sort_plan=trees.changes,
        orders=made_orders,
        stand_ins=relief.stand_ins(network, effect, site_loads, moved.taken),
        relay_points=relief.relay_points(network, effect, unserved),
    )


def _solve(question: Question, settings: PlanSettings, progress: Progress | None) -> _Answer:
    """Solve for all classes at once, penalties by rank; see docs/decisions/0004 on strictness."""
    options = FlowSettings(gap_share=settings.gap_share, seconds=settings.seconds, threads=settings.threads)
    solver = FlowSolver(question.problem, options)
    if settings.unserved_cny is None:
        question = price_unserved(question, solver)
    result = solver.solve(progress)
    while solver.curtailed > 0 and _higher_lost(question, solver, result) > 1.0:
        solver.curtailed -= 1
        result = solver.solve(progress)
    return _Answer(question, solver, result)


def price_unserved(question: Question, solver: FlowSolver) -> Question:
    """Set the penalties from the network: above the dearest of all cheapest ways."""
    if not len(question.problem.pair_from):
        return question
    mean, most = solver.cost_range()
    base = max(10.0 * mean, 1.25 * most, 1e-6)
    n = question.classes.height
    penalty = np.asarray(base * 10.0 ** np.arange(n - 1, -1, -1), np.float64)
    solver.problem = replace(question.problem, class_penalty=penalty)
    return replace(question, problem=solver.problem)


def _higher_lost(question: Question, solver: FlowSolver, result: FlowResult) -> float:
    """Return pieces lost of classes above the one that gives way, where a way exists."""
    lacking = np.where(result.cut_off, 0.0, result.unserved)
    return float(question.problem.lost_by_class(lacking)[: solver.curtailed].sum())


def baseline_flow(network: Network) -> Floats:
    """Return today's pieces on each leg; zero where the network does not say."""
    legs = network.legs
    if "flow_pieces_per_day" not in legs.columns:
        return np.zeros(legs.height)
    return legs["flow_pieces_per_day"].cast(pl.Float64).fill_null(0.0).to_numpy().copy()


def _leg_flows(
    network: Network, question: Question, effect: Effect, result: FlowResult, baseline: Floats
) -> pl.DataFrame:
    planned = np.where(result.leg_flow < 1e-6, 0.0, result.leg_flow)
    capacity = question.problem.leg_capacity
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(capacity > 0.0, planned / capacity, np.nan)
    change = np.select(
        [
            (baseline <= 0.5) & (planned > 0.5),
            (baseline > 0.5) & (planned <= 0.5),
            planned > baseline * 1.01 + 0.5,
            planned < baseline * 0.99 - 0.5,
        ],
        ["opened", "dropped", "more", "less"],
        "same",
    )
    keep = [c for c in ("mode", "distance_km", "travel_h", "vehicle_pieces") if c in network.legs.columns]
    return network.legs.select("from_site", "to_site").with_columns(
        pl.Series("baseline_pieces", baseline),
        pl.Series("planned_pieces", planned),
        pl.Series("capacity_pieces", _finite(capacity)),
        pl.Series("shadow_price_cny", np.where(share >= BINDING, result.leg_price, 0.0)),
        pl.Series("load_share", share, nan_to_null=True),
        pl.Series("change", change.tolist()),
        *[network.legs[c] for c in keep],
    )


def _finite(values: Floats) -> pl.Series:
    return pl.Series(np.where(np.isfinite(values), values, np.nan), nan_to_null=True)


def _handled(question: Question, flow: Floats, sent: Floats) -> Floats:
    arrived = np.bincount(question.problem.leg_head, flow, minlength=question.problem.n_sites)
    return np.asarray(arrived + sent + question.local)


def _site_loads(
    network: Network, question: Question, effect: Effect, result: FlowResult, baseline: Floats
) -> pl.DataFrame:
    problem = question.problem
    n = problem.n_sites
    total = problem.totals().astype(np.float64)
    before = _handled(
        question, baseline, np.bincount(problem.pair_from, total, minlength=n).astype(np.float64)
    )
    served = np.maximum(0.0, total - result.unserved)
    planned = _handled(
        question, result.leg_flow, np.bincount(problem.pair_from, served, minlength=n).astype(np.float64)
    )
    planned[effect.closed_sites] = 0.0
    capacity = site_capacity(network) * np.where(effect.site_share > 0.0, effect.site_share, 1.0)
    capacity = np.where(effect.site_share <= 0.0, 0.0, capacity)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(capacity > 0.0, planned / capacity, np.nan)
    status = np.select([effect.site_share <= 0.0, effect.site_share < 1.0], ["closed", "restricted"], "open")
    return pl.DataFrame(
        {
            "site_id": network.sites["site_id"],
            "baseline_pieces": before,
            "planned_pieces": planned,
            "capacity_pieces": _finite(capacity),
            "load_share": pl.Series(share, nan_to_null=True),
            "shadow_price_cny": np.where(share >= BINDING, result.site_price, 0.0),
            "status": status.tolist(),
        }
    )


def _classes(question: Question, effect: Effect, answer: _Answer) -> pl.DataFrame:
    problem, classes = question.problem, question.classes
    lacking = problem.lost_by_class(answer.result.unserved)
    total = problem.totals().astype(np.float64)
    if problem.pair_pieces.shape[1] == 1:
        share = np.ones(1) if problem.class_share is None else problem.class_share
        demand = float(total.sum()) * share
    else:
        demand = problem.pair_pieces.sum(axis=0, dtype=np.float64)
        share = demand / max(demand.sum(), 1e-30)
    stuck = question.local[effect.closed_sites].sum()
    promise = classes["promise_h"].fill_null(np.inf).to_numpy().astype(np.float64)
    on_way = answer.solver.lateness(answer.result.cut, question.leg_h, question.site_h, promise)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_h = on_way[:, 1] / on_way[:, 0]
    all_pieces = demand + question.local.sum() * share
    lost = lacking + stuck * share
    return pl.DataFrame(
        {
            "service_class": classes["service_class"].cast(pl.String),
            "rank": classes["rank"],
            "demand_pieces": all_pieces,
            "served_pieces": all_pieces - lost,
            "unserved_pieces": lost,
            "late_pieces": on_way[:, 2],
            "mean_h": pl.Series(mean_h, nan_to_null=True),
        }
    )


def _unserved(network: Network, question: Question, effect: Effect, answer: _Answer) -> pl.DataFrame:
    problem, result = question.problem, answer.result
    rows = np.flatnonzero(result.unserved > 1e-3)
    by_class = replace(
        problem,
        pair_pieces=problem.pair_pieces[rows],
        pair_from=problem.pair_from[rows],
        pair_to=problem.pair_to[rows],
    ).unserved_by_class(result.unserved[rows])
    blocking = answer.solver.blockers(result)[rows]
    reasons, places = _row_names(network, answer.solver, effect)
    closed = effect.site_share <= 0.0
    start, end = problem.pair_from[rows], problem.pair_to[rows]
    at_closed = closed[start] | closed[end]
    ids = np.array(network.site_ids)
    where = np.where(closed[start], ids[start], ids[end]) if len(rows) else np.empty(0, str)
    reason = np.where(at_closed, "closed-site", np.where(result.cut_off[rows], "cut-off", reasons[blocking]))
    blocked_by = np.where(at_closed, where, np.where(result.cut_off[rows], "", places[blocking]))
    stuck = np.flatnonzero(closed & (question.local > 0.0))
    share = problem.class_share if problem.class_share is not None else np.eye(1, question.classes.height)[0]
    frames = []
    for k, service_class in enumerate(question.classes["service_class"].cast(pl.String)):
        some = by_class[:, k] > 1e-4
        frames.append(
            _unserved_frame(
                network,
                start[some],
                end[some],
                service_class,
                by_class[some, k],
                reason[some],
                blocked_by[some],
            )
        )
        if len(stuck) and share[k] > 0:
            why = np.full(len(stuck), "closed-site")
            pieces = question.local[stuck] * share[k]
            frames.append(_unserved_frame(network, stuck, stuck, service_class, pieces, why, ids[stuck]))
    return pl.concat(frames)


def _unserved_frame(network, start, end, service_class, pieces, reason, blocked_by) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    to_id = network.site_type
    return pl.DataFrame(
        {
            "from_site": pl.Series(start.astype(np.uint32)).cat.to(to_id),
            "to_site": pl.Series(end.astype(np.uint32)).cat.to(to_id),
            "service_class": pl.Series([service_class], dtype=pl.String).new_from_index(0, len(start)),
            "pieces": pl.Series(pieces, dtype=pl.Float64),
            "reason": pl.Series(list(reason), dtype=pl.String),
            "blocked_by": pl.Series(list(blocked_by), dtype=pl.String),
        }
    )


def _row_names(
    network: Network, solver: FlowSolver, effect: Effect
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return reason and place of every capacity row; the last entry serves row -1."""
    ids = np.array(network.site_ids)
    n_rows = len(solver.capacity)
    reason = np.full(n_rows + 1, "dearer-than-penalty", dtype="<U20")
    place = np.full(n_rows + 1, "", dtype="<U64")
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


def _objectives(
    network: Network, question: Question, result: FlowResult, leg_flows: pl.DataFrame, classes: pl.DataFrame
) -> pl.DataFrame:
    flow = leg_flows["planned_pieces"].to_numpy()
    before = leg_flows["baseline_pieces"].to_numpy()

    def per_piece(column: str) -> Floats:
        if column not in network.legs.columns:
            return np.zeros(network.legs.height)
        return network.legs[column].cast(pl.Float64).fill_null(0.0).to_numpy().astype(np.float64)

    cost, carbon = per_piece("cost_cny_per_piece"), per_piece("kgco2e_per_piece")
    capacity = question.problem.leg_capacity
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.nanmax(np.where(capacity > 0.0, before / capacity, np.nan), initial=0.0)
    share = leg_flows["load_share"].drop_nulls()
    rows = [
        ("unserved", "pieces_per_day", float(classes["unserved_pieces"].sum()), None, 0.0),
        ("late", "pieces_per_day", float(classes["late_pieces"].sum()), None, None),
        ("cost", "cny_per_day", float(flow @ cost), None, float(before @ cost)),
        ("carbon", "kgco2e_per_day", float(flow @ carbon), None, float(before @ carbon)),
        ("changed_legs", "legs", float(leg_flows["change"].is_in(["opened", "dropped"]).sum()), None, 0.0),
        ("max_load", "share", float(share.max() or 0.0) if share.len() else 0.0, None, float(top)),  # type: ignore[arg-type]
    ]
    schema = ["objective", "unit", "value", "lower_bound", "baseline_value"]
    kinds = [pl.String, pl.String, pl.Float64, pl.Float64, pl.Float64]
    return pl.DataFrame(rows, schema=dict(zip(schema, kinds, strict=True)), orient="row")
