"""From a network and what outages do to it, to the arrays the solvers take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.flows.problem import FlowProblem
from changtong.network.model import Network
from changtong.outages import Effect
from changtong.planning.at_home import held_at_home
from changtong.planning.baseline import baseline_flow
from changtong.planning.takeover import TakeOvers, find_take_overs, no_take_overs
from changtong.structure import class_table, column, pairs_by_class, pass_through, site_capacity

Floats = NDArray[np.float64]

OBJECTIVES = ("unserved", "late", "cost", "carbon", "changed_legs", "max_load")
INFERRED_FROM = "leg volumes"
"""How the source of inferred demand begins in a network's provenance."""

TIE = 1e-3
"""Weight of an objective against the one before it: it decides between equals."""


@dataclass(frozen=True)
class Question:
    """A flow problem with what is needed to read its answer.

    Attributes
    ----------
    problem : FlowProblem
        Leg costs are in CNY a piece, weighed by the user's order of objectives, and lowered
        by ``far`` on the legs into and out of remote leaf sites.
    local : array, (sites, classes)
        Pieces a day whose first and last site are the same: they take no leg.
    local_held : array, (sites, classes)
        Those of them that wait, because the site is closed or slowed (:mod:`.at_home`).
    far : array, (sites,)
        Cost every piece to or from a remote leaf bears whichever leg it takes, CNY a piece.
        The penalty of such a piece is higher by as much.
    classes : polars.DataFrame
        Service classes by rank.
    leg_h, site_h : array
        Hours of each leg and of handling at each site, extra hours included; 0 for take-over ways.
    take_overs : TakeOvers
        The ways by which stand-ins take closed sites' areas over; they follow the network's legs.
    known : frozenset of str
        Objectives the network has data for; the others do not apply.
    demand_inferred : bool
        Whether the demand was inferred from leg volumes.
    leg_cny, leg_kgco2e : array, (legs,)
        What a piece costs and emits on each leg, as the network says.
    """

    problem: FlowProblem
    local: Floats
    local_held: Floats
    far: Floats
    classes: pl.DataFrame
    leg_h: Floats
    site_h: Floats
    take_overs: TakeOvers
    known: frozenset[str]
    demand_inferred: bool
    leg_cny: Floats
    leg_kgco2e: Floats

    @property
    def n_legs(self) -> int:
        """Legs of the network; those behind are take-over ways."""
        return self.take_overs.n_legs


def check_objectives(objectives: tuple[str, ...]) -> None:
    """Check the user's list of objectives.

    Raises
    ------
    UsageError
        An unknown or doubled name, or another first than ``unserved``: a plan that serves
        nothing would be the cheapest.
    """
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown:
        raise UsageError(f"Unknown objective {unknown[0]!r}; known: {', '.join(OBJECTIVES)}.")
    twice = [name for name in OBJECTIVES if objectives.count(name) > 1]
    if twice:
        raise UsageError(f"Objective {twice[0]!r} stands twice in the list.")
    if not objectives or objectives[0] != "unserved":
        raise UsageError("'unserved' must be the first objective: a plan that serves nothing is cheapest.")


def demand_inferred(network: Network) -> bool:
    """Return whether the network's provenance says that demand was inferred from leg volumes."""
    rows = network.provenance.filter(pl.col("table") == "demand")
    return bool(rows["source"].fill_null("").str.starts_with(INFERRED_FROM).any())


def known_objectives(network: Network, classes: pl.DataFrame, effect: Effect) -> frozenset[str]:
    """Return the objectives the network has data for.

    Late pieces need a promise and hours on legs, cost and carbon a number above 0 on a leg,
    changed legs today's flow, the highest load a capacity.
    """
    legs, sites = network.legs, network.sites

    def some(frame: pl.DataFrame, name: str) -> bool:
        return bool((column(frame, name, 0.0) > 0.0).any())

    hours = some(legs, "travel_h") or some(sites, "handling_h") or bool((effect.leg_extra_h > 0.0).any())
    found = {"unserved"}
    found |= {"late"} if classes["promise_h"].is_not_null().any() and hours else set()
    found |= {"cost"} if some(legs, "cost_cny_per_piece") else set()
    found |= {"carbon"} if some(legs, "kgco2e_per_piece") else set()
    found |= {"changed_legs"} if some(legs, "flow_pieces_per_day") else set()
    found |= {"max_load"} if np.isfinite(column(legs, "capacity_pieces_per_day", np.inf)).any() else set()
    return frozenset(found)


def leg_weights(network: Network, effect: Effect, objectives: tuple[str, ...], hour_cny: float) -> Floats:
    """Return what a piece on each leg weighs, in CNY, by the order of the objectives.

    The first of cost and carbon counts whole; the other breaks ties. Legs out of use today
    weigh more the earlier ``changed_legs`` stands; hours (handling at the leg's head included)
    weigh ``hour_cny`` where ``late`` stands before the first of cost and carbon, and break ties
    after it.
    """
    legs = network.legs
    cost = column(legs, "cost_cny_per_piece", 0.0)
    carbon = column(legs, "kgco2e_per_piece", 0.0)
    handling = column(network.sites, "handling_h", 0.0) + effect.site_extra_h
    head = legs["to_site"].to_physical().to_numpy()
    hours = column(legs, "travel_h", 0.0) + effect.leg_extra_h + handling[head]
    place = {name: k for k, name in enumerate(objectives)}
    last = len(objectives)
    carbon_first = place.get("carbon", last) < place.get("cost", last)
    scale = cost.sum() / carbon.sum() if carbon.sum() > 0 and cost.sum() > 0 else 1.0
    tie = TIE if {"cost", "carbon"} <= place.keys() else 0.0
    weight = carbon * scale + tie * cost if carbon_first else cost + tie * scale * carbon
    if not weight.any():  # nothing is known: fewest legs
        weight = np.ones(legs.height)
    main = min(place.get("carbon", last), place.get("cost", last))
    if "late" in place:
        weight = weight + hours * (hour_cny if place["late"] < main else TIE * hour_cny)
    if "changed_legs" in place and "flow_pieces_per_day" in legs.columns:
        unused = column(legs, "flow_pieces_per_day", 0.0) <= 0.0
        mean = float(weight[~unused].mean()) if (~unused).any() else 1.0
        weight = weight + unused * mean * (1.0 if place["changed_legs"] < main else 10 * TIE)
    return np.maximum(weight, 0.0)


def _far(
    problem_tail: NDArray[np.int32], head: NDArray[np.int32], cost: Floats, transit: NDArray[np.bool_]
) -> Floats:
    """Cost above the common of reaching each remote leaf, by its cheapest leg."""
    n = len(transit)
    far = np.zeros(n)
    if not len(cost):
        return far
    usual = 4.0 * float(np.median(cost))
    for ends in (problem_tail, head):
        low = np.full(n, np.inf)
        np.minimum.at(low, ends, cost)
        far = np.maximum(far, np.where(~transit & np.isfinite(low), low - usual, 0.0))
    return np.where(far > usual, far, 0.0)


def assemble(
    network: Network,
    effect: Effect,
    *,
    objectives: tuple[str, ...],
    hour_cny: float,
    unserved_cny: float | None,
) -> Question:
    """Build the flow problem of a network under outages.

    ``unserved_cny`` is the penalty of one piece of the lowest class left unserved; by
    default ten times the mean cost of a leg times the usual number of legs. Each higher
    class weighs ten times the one below.
    """
    n = network.sites.height
    check_objectives(objectives)
    classes = class_table(network)
    keys, pieces, share = pairs_by_class(network, classes)
    origin, dest = (keys // n).astype(np.int32), (keys % n).astype(np.int32)
    total = pieces.sum(axis=1) if pieces.shape[1] > 1 else pieces[:, 0]
    stays = origin == dest
    by_class = pieces[stays] if share is None else pieces[stays] * share
    at_home = [np.bincount(origin[stays], x, minlength=n).astype(np.float64) for x in by_class.T]
    local = np.stack(at_home, axis=1)
    begins, ends = (np.bincount(x, total, minlength=n) - local.sum(axis=1) for x in (origin, dest))
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int32)
    head = network.legs["to_site"].to_physical().to_numpy().astype(np.int32)
    transit = pass_through(network)
    weight = leg_weights(network, effect, objectives, hour_cny)
    far = _far(tail, head, weight, transit)
    weight = np.maximum(0.0, weight - far[tail] - far[head])
    leg_capacity = column(network.legs, "capacity_pieces_per_day", np.inf) * _share(effect.leg_share)
    sites = site_capacity(network) * _share(effect.site_share)
    through = np.maximum(np.bincount(head, baseline_flow(network), minlength=n), ends) + begins
    held = held_at_home(
        local,
        through[:, None] * _mean_share(classes, local, share),
        np.where(effect.site_share > 0.0, sites, 0.0),
    )
    room = np.where(effect.site_share > 0.0, np.maximum(sites - (local - held).sum(axis=1), 1e-6), 0.0)
    usual = float(np.median(weight)) if len(weight) else 1.0
    base = unserved_cny if unserved_cny is not None else 15.0 * max(usual, 1e-6)
    moves = ~stays & (total > 0)
    problem = FlowProblem(
        n_sites=n,
        leg_tail=tail,
        leg_head=head,
        leg_cost=weight,
        leg_capacity=np.nan_to_num(leg_capacity, nan=0.0, posinf=np.inf),
        site_capacity=np.nan_to_num(room, nan=0.0, posinf=np.inf),
        transit=transit,
        pair_from=origin[moves],
        pair_to=dest[moves],
        pair_pieces=pieces[moves],
        class_penalty=np.asarray(base * 10.0 ** np.arange(classes.height - 1, -1, -1), np.float64),
        limits=tuple((limit.leg_rows, limit.pieces_per_day) for limit in effect.entry_limits),
        class_share=share,
    )
    take_overs = no_take_overs(len(tail))
    if network.areas is not None:
        take_overs = find_take_overs(network, effect, transit, begins, ends)
    nothing = np.zeros(len(take_overs))
    leg_h = np.append(column(network.legs, "travel_h", 0.0) + effect.leg_extra_h, nothing)
    site_h = column(network.sites, "handling_h", 0.0) + effect.site_extra_h
    return Question(
        problem=take_overs.added_to(problem),
        local=local,
        local_held=held,
        far=far,
        classes=classes,
        leg_h=leg_h,
        site_h=site_h,
        take_overs=take_overs,
        known=known_objectives(network, classes, effect),
        demand_inferred=demand_inferred(network),
        leg_cny=np.append(column(network.legs, "cost_cny_per_piece", 0.0), nothing),
        leg_kgco2e=np.append(column(network.legs, "kgco2e_per_piece", 0.0), nothing),
    )


def _mean_share(classes: pl.DataFrame, local: Floats, share: Floats | None) -> Floats:
    """Split of what passes a site over the classes: the common one, or the one that pieces at home have."""
    if share is not None:
        return share
    found = local.sum(axis=0)
    return found / found.sum() if found.sum() > 0.0 else np.full(classes.height, 1.0 / classes.height)


def _share(share: Floats) -> Floats:
    """Shares, with closed as 0 even of an infinite capacity."""
    return np.where(share > 0.0, share, np.nan)
