"""From an outage to a re-routing plan: the main job in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.flows.flow import FlowSolver, Progress, Termination
from changtong.network.model import Network
from changtong.outages import Effect, Outage, apply_outages
from changtong.planning import frames, orders, relief, sortplan
from changtong.planning.answer import Answer, is_small
from changtong.planning.assemble import OBJECTIVES, Question, assemble, check_objectives
from changtong.planning.baseline import baseline_flow
from changtong.planning.checker import check_flow
from changtong.planning.inorder import Clock
from changtong.planning.large import answer_large
from changtong.planning.objectives import largest_gap, objectives_frame
from changtong.planning.planned_routes import planned_routes
from changtong.planning.result import Plan, PlanSettings, Status
from changtong.planning.small import answer_small
from changtong.planning.sortwork import Ground, lay_ground

Floats = NDArray[np.float64]

SEARCH_BY = 0.7
"""Share of the time for the whole plan by which the search of the sort plan ends."""

BESIDE = 2
"""Works beside the main one: proofs and tables of an answer while its sort plan is searched for; a check."""


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
    return Planner(network, objectives=objectives, settings=settings).plan(
        outages, progress=progress, name=name
    )


class Planner:
    """Plans for one network, outage after outage.

    On a large network the prices, ways and volumes of the plan before are kept, so that the next
    outage takes a fraction of the time of the first; small networks are planned exactly each time.

    Parameters
    ----------
    network : Network
    objectives : tuple of str
    settings : PlanSettings, optional
        As for :func:`plan`.

    Examples
    --------
    >>> from changtong.network.reference import reference_network
    >>> from changtong.outages import close_sites
    >>> planner = Planner(reference_network(level="city"))
    >>> today = planner.plan()  # doctest: +SKIP
    >>> shut = planner.plan(close_sites(planner.network, ["H3307"]))  # doctest: +SKIP
    """

    def __init__(
        self,
        network: Network,
        *,
        objectives: tuple[str, ...] = OBJECTIVES,
        settings: PlanSettings | None = None,
    ) -> None:
        check_objectives(objectives)
        self.network, self.objectives = network, objectives
        self.settings = settings or PlanSettings()
        self._kept: FlowSolver | None = None

    def plan(
        self, outages: Sequence[Outage] = (), *, progress: Progress | None = None, name: str | None = None
    ) -> Plan:
        """Plan while ``outages`` last; see :func:`plan`."""
        made, self._kept = _make(
            self.network, tuple(outages), self.objectives, self.settings, progress, name, self._kept
        )
        return made


def _make(
    network: Network,
    outages: tuple[Outage, ...],
    objectives: tuple[str, ...],
    settings: PlanSettings,
    progress: Progress | None,
    name: str | None,
    kept: FlowSolver | None,
) -> tuple[Plan, FlowSolver]:
    """Make one plan; return it with the solver the next may begin from."""
    begin = time.perf_counter()
    whole = Clock(np.inf if settings.within_s is None else settings.within_s, begin)
    effect = apply_outages(network, outages)
    moved = relief.redirect(network, effect)
    baseline = baseline_flow(network)
    with ThreadPoolExecutor(BESIDE) as pool:
        grounds: list[Future[Ground]] = []

        def begun(solver: FlowSolver) -> None:
            grounds.append(pool.submit(lay_ground, solver.problem, solver.lay))

        answer, prove = _answer(
            moved.network, effect, objectives, settings, baseline, progress, kept, whole, begun
        )
        solver = answer.solver.beside()
        shown = pool.submit(_show, _Asked(network, effect, moved.taken, baseline), partial(prove, solver))
        work = sortplan.prepare(
            network,
            answer.question,
            answer.solver,
            answer.result,
            seconds_left=lambda: whole.left(SEARCH_BY),
            ground=grounds[0].result() if grounds else None,
        )
        found = sortplan.search(work, settings.stability_cny)
        checked = pool.submit(sortplan.checked_entries, work, found)
        changes = sortplan.changed_entries(network, work, found)
        made = _plan_of(shown.result(), outages, settings, name or network.name, changes)
        entries = checked.result()
    several = settings.trade_off_cny
    made = replace(
        made,
        sort_plan_gap_share=sortplan.gap_share(work, found) if "cost" in answer.question.known else None,
        trade_off=sortplan.trade_off(network, work, several) if several else pl.DataFrame(),
        make_routes=partial(planned_routes, network, answer.question, work.lay, entries, found.held),
        runtime_s=time.perf_counter() - begin,
    )
    return made, answer.solver


@dataclass(frozen=True)
class _Asked:
    """What a plan is made for, and what its tables compare it with."""

    network: Network
    effect: Effect
    redirected: pl.DataFrame
    baseline: Floats


@dataclass(frozen=True)
class _Shown:
    """An answer's own tables: all of a plan that does not need the sort plan."""

    asked: _Asked
    answer: Answer
    leg_flows: pl.DataFrame
    site_loads: pl.DataFrame
    classes: pl.DataFrame
    unserved: pl.DataFrame
    objectives: pl.DataFrame
    orders: tuple[pl.DataFrame, pl.DataFrame]
    stand_ins: pl.DataFrame
    relay_points: pl.DataFrame


def _show(asked: _Asked, prove: Callable[[], Answer]) -> _Shown:
    """Prove an answer, check it, and make its tables."""
    network, effect, baseline = asked.network, asked.effect, asked.baseline
    answer = frames.fill_at_home(network, effect, prove())
    check_flow(answer.question.problem, answer.result)
    leg_flows = frames.leg_flow_frame(network, answer, baseline)
    site_loads, spare = frames.site_load_frame(network, effect, answer, baseline)
    classes = frames.class_frame(effect, answer)
    unserved = frames.unserved_frame(network, effect, answer)
    taken = _taken(network, answer, spare, asked.redirected)
    return _Shown(
        asked=asked,
        answer=answer,
        leg_flows=leg_flows,
        site_loads=site_loads,
        classes=classes,
        unserved=unserved,
        objectives=objectives_frame(answer, leg_flows, classes),
        orders=orders.flow_orders(network, effect, leg_flows, unserved),
        stand_ins=relief.stand_ins(network, effect, spare, taken),
        relay_points=relief.relay_points(network, effect, unserved),
    )


def _plan_of(
    shown: _Shown, outages: tuple[Outage, ...], settings: PlanSettings, name: str, changes: pl.DataFrame
) -> Plan:
    """Make the plan of an answer's tables and the changes of its sort plan, which is filled in later."""
    answer, result = shown.answer, shown.answer.result
    changes = _real_changes(answer.question, changes)
    status, termination, gap = _verdict(answer, shown.objectives, settings)
    shift = _far_shift(answer)
    return Plan(
        name=name,
        network=shown.asked.network,
        outages=outages,
        effect=shown.asked.effect,
        settings=settings,
        status=status,
        termination=termination,
        objective_cny=result.objective + shift,
        lower_bound_cny=result.lower_bound + shift,
        gap_share=gap,
        sort_plan_gap_share=None,
        runtime_s=np.nan,
        objectives=shown.objectives,
        classes=shown.classes,
        leg_flows=shown.leg_flows,
        site_loads=shown.site_loads,
        unserved=shown.unserved,
        sort_plan=changes,
        orders=orders.make_orders(shown.orders, changes),
        stand_ins=shown.stand_ins,
        relay_points=shown.relay_points,
        trade_off=pl.DataFrame(),
    )


def _answer(
    network: Network,
    effect: Effect,
    objectives: tuple[str, ...],
    settings: PlanSettings,
    baseline: Floats,
    progress: Progress | None,
    kept: FlowSolver | None = None,
    whole: Clock | None = None,
    begun: Callable[[FlowSolver], None] = lambda _: None,
) -> tuple[Answer, Callable[[FlowSolver], Answer]]:
    """Answer exactly or by the method for large networks, as the settings or the size say.

    Return the answer, and what proves it with a solver of the caller's, which the proved answer keeps.
    """
    question = assemble(
        network,
        effect,
        objectives=objectives,
        hour_cny=settings.hour_cny,
        unserved_cny=settings.unserved_cny,
    )
    exact = is_small(question.problem) if settings.method == "choose" else settings.method == "exact"
    if exact:
        answer = answer_small(question, objectives, settings, baseline, progress)
        return answer, lambda solver: replace(answer, solver=solver)
    found = answer_large(question, objectives, settings, progress, kept, whole, begun)
    return found.answer, found.prove


def plan_flow(
    network: Network,
    outages: Sequence[Outage] = (),
    *,
    objectives: tuple[str, ...] = OBJECTIVES,
    settings: PlanSettings | None = None,
    progress: Progress | None = None,
    kept: FlowSolver | None = None,
) -> Answer:
    """Plan the flow alone, without a sort plan, tables and orders: for what needs many flows.

    Parameters are those of :func:`plan`; ``kept`` is the solver of an answer before (``Answer.solver``), from
    whose prices and ways a large network's flow begins: costs of legs may differ. The flow has passed
    :func:`changtong.planning.checker.check_flow`.
    """
    check_objectives(objectives)
    effect = apply_outages(network, outages)
    moved = relief.redirect(network, effect)
    answer, prove = _answer(
        moved.network, effect, objectives, settings or PlanSettings(), baseline_flow(network), progress, kept
    )
    answer = prove(answer.solver)
    check_flow(answer.question.problem, answer.result)
    return answer


def flow_cost_bound(answer: Answer) -> tuple[float, Floats, Floats]:
    """Return what is proved of the cost of a flow planned by ``("unserved", "cost")``, or its like.

    Returns
    -------
    bound : float
        Cost and ``penalty`` of what is left behind are together at least this, CNY a day.
    penalty : array, (classes,)
        CNY a piece left behind; zeros where the bound holds for plans that leave no more behind than this.
    lost : array, (classes,)
        Pieces a day left behind, those no way can serve included.
    """
    problem, result = answer.question.problem, answer.result
    lost = problem.lost_by_class(result.unserved)
    stage = answer.stage("cost")
    if answer.exact and stage is not None:
        return stage.lower_bound, np.zeros(len(lost)), lost
    served = problem.lost_by_class(np.where(result.cut_off, 0.0, result.unserved))
    penalty = np.asarray(problem.class_penalty, np.float64)
    hopeless = float(penalty @ (lost - served))
    return result.lower_bound + _far_shift(answer) + hopeless, penalty, lost


def _verdict(
    answer: Answer, reached: pl.DataFrame, settings: PlanSettings
) -> tuple[Status, Termination, float]:
    """Return what the plan is, why the work ended, and the proved gap.

    The gap of a large plan is that of cost and penalties together; of an exact one the largest
    among the objectives it pursued, up to ``changed_legs``: what comes after is optimal for the
    legs chosen, while its bound holds for any choice.
    """
    if not len(answer.question.problem.pair_from):
        return Status.EMPTY, Termination.NOTHING_TO_DO, 0.0
    termination = answer.result.termination
    pursued = answer.pursued
    if "changed_legs" in pursued:
        pursued = pursued[: pursued.index("changed_legs") + 1]
    gap = largest_gap(reached, pursued) if answer.exact else answer.result.gap_share
    if termination is not Termination.GAP_REACHED:
        return Status.FEASIBLE, termination, gap
    return (Status.OPTIMAL if gap <= settings.gap_share else Status.FEASIBLE), termination, gap


def _far_shift(answer: Answer) -> float:
    """Return what the flow problem leaves out of every piece to or from a remote leaf, CNY a day.

    Each such piece bears it whether it is served (on its legs) or not (in its penalty), so
    objective and bound move by the same sum.
    """
    far, problem = answer.question.far, answer.question.problem
    if answer.exact or not far.any():
        return 0.0
    pieces = np.where(answer.result.cut_off, 0.0, problem.totals())
    return float(pieces @ (far[problem.pair_from] + far[problem.pair_to]))


def _real_changes(question: Question, changes: pl.DataFrame) -> pl.DataFrame:
    """Leave out the entries that stand for a take-over: its next site is the closed one itself."""
    if not len(question.take_overs):
        return changes
    taken = np.unique(question.take_overs.site)
    at_taken = changes["next_site"].to_physical().is_in(taken.tolist())
    from_taken = changes["site"].to_physical().is_in(taken.tolist())
    return changes.filter(~at_taken & ~from_taken)


def _taken(network: Network, answer: Answer, spare: Floats, redirected: pl.DataFrame) -> pl.DataFrame:
    """Return who takes which area over: the plan's decisions and what was redirected before it."""
    question, problem = answer.question, answer.question.problem
    flow = answer.result.leg_flow[question.n_legs :]
    decided = question.take_overs.frame(network, flow, spare, problem.begins + problem.ends)
    return pl.concat([decided, redirected])
