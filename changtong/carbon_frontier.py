"""What carbon costs: plans between the cheapest and the cleanest, and the price of each tonne avoided.

Every plan leaves no more pieces behind than it must. Between two plans the next is sought at the price of
carbon at which both cost the same (Aneja and Nair 1979: Bicriteria transportation problem, Management
Science 25); every plan's proved bound is a line that no plan lies below, so what may still lie between the
plans found and the lines is known: the gap of the frontier.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem, UsageError
from changtong.flows.flow import FlowSolver
from changtong.footprint.elements import UNKNOWN, make_elements
from changtong.footprint.estimate import class_weights
from changtong.footprint.factors import Factors, read_factors
from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.plan import flow_cost_bound, plan_flow
from changtong.planning.result import PlanSettings
from changtong.routes import pairs_of
from changtong.structure import column

Floats = NDArray[np.float64]

ENDS = 1e-4
"""Weight of the other aim at the two ends, in shares of what both weigh: it decides between equals."""

SAME = 1e-6
"""Share of cost or carbon by which plans differ at least to count as two."""

PIECES = 1e-4
"""Share of the demand by which plans may differ in what they leave behind, at least half a piece: large plans
stop at a gap. One that leaves more is no plan of the frontier."""

AIMS = ("unserved", "cost")
"""What each plan is sought for, in order: the cost is the weighted sum."""

KG_PER_T = 1000.0

SHOWN = 5
"""Legs named where many are wrong."""

POINTS_FILE = "frontier.csv"
OWN_FILES = (POINTS_FILE, "frontier.json", "study.json", "report.html")
FRONTIER_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "frontier.json").is_file(),
    "what": "folder of a carbon frontier (it has no frontier.json)",
    "code": "not-a-frontier-folder",
}

SCHEMA = {
    "point": pl.Int64, "cost_cny": pl.Float64, "kgco2e": pl.Float64, "unserved_pieces": pl.Float64,
    "price_cny_per_t": pl.Float64, "cny_per_t_avoided": pl.Float64, "gap_share": pl.Float64,
    "status": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What a solve proves: ``cost_weight`` cost + ``carbon_weight`` carbon is at least ``least``."""

    cost_weight: float
    carbon_weight: float
    least: float


@dataclass(frozen=True)
class Frontier:
    """Plans between the cheapest and the cleanest.

    Attributes
    ----------
    name : str
    points : polars.DataFrame
        One row a plan, the cheapest first: point, cost_cny and kgco2e a day, unserved_pieces,
        price_cny_per_t (of carbon, at which the plan was sought; null at the ends), cny_per_t_avoided
        (against the plan before), gap_share of its own solve, status.
    lines : tuple of Line
        What is proved; no plan that leaves as little behind lies below one.
    gap_share : float
        Area between the plans found and the lines, as a share of the box between the two ends.
    dropped : int
        Plans found that another one beats in both, or that leave more behind.
    solves : int
    runtime_s : float
    network : Network
        With the carbon of each leg that was planned with (``kgco2e_per_piece``).
    outages : tuple of Outage
    settings : PlanSettings
        Of every solve.
    weights : tuple of (float, float)
        Of cost and carbon (CNY, CNY a kg CO2e), each plan's.
    factors : str
        Version of the factors.
    """

    name: str
    points: pl.DataFrame
    lines: tuple[Line, ...]
    gap_share: float
    dropped: int
    solves: int
    runtime_s: float
    network: Network
    outages: tuple[Outage, ...]
    settings: PlanSettings
    weights: tuple[tuple[float, float], ...]
    factors: str

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        first, last = self.points.row(0, named=True), self.points.row(-1, named=True)
        saved = first["kgco2e"] - last["kgco2e"]
        return {
            "name": self.name,
            "points": self.points.height,
            "cheapest": {key: first[key] for key in ("cost_cny", "kgco2e", "unserved_pieces")},
            "cleanest": {key: last[key] for key in ("cost_cny", "kgco2e", "unserved_pieces")},
            "most_avoided_share": saved / first["kgco2e"] if first["kgco2e"] > 0.0 else 0.0,
            "cny_per_t_to_the_cleanest": (last["cost_cny"] - first["cost_cny"]) / saved * KG_PER_T
            if saved > 0.0
            else None,
            "gap_share": self.gap_share,
            "dropped": self.dropped,
            "solves": self.solves,
            "runtime_s": self.runtime_s,
            "figures": "of the flow a day, by legs and the sites they lead to; see docs/carbon-frontier.md",
        }

    def to_json(self) -> str:
        """Return summary and points as one JSON object."""
        return json.dumps(self.summary() | {"plans": self.points.to_dicts()}, ensure_ascii=False)

    def save(self, folder: str | Path, extra: Callable[[Path], object] | None = None) -> Path:
        """Write ``frontier.csv`` and ``frontier.json`` as a whole folder; an older one is replaced."""

        def write(into: Path) -> None:
            self.points.write_csv(into / POINTS_FILE, include_bom=True)
            (into / "frontier.json").write_text(self.to_json() + "\n", "utf-8")
            if extra is not None:
                extra(into)

        return write_whole_folder(Path(folder), write, own_files=OWN_FILES, **FRONTIER_FOLDER)

    def __str__(self) -> str:
        s = self.summary()
        first, last = s["cheapest"], s["cleanest"]
        lines = [
            f"{s['name']}: {s['points']} plans between the cheapest and the cleanest, "
            f"{100 * s['gap_share']:.2g} % of the box between them open",
            f"  cheapest {first['cost_cny']:,.0f} CNY, {first['kgco2e'] / KG_PER_T:,.1f} t CO2e a day",
            f"  cleanest {last['cost_cny']:,.0f} CNY, {last['kgco2e'] / KG_PER_T:,.1f} t CO2e a day "
            f"({100 * s['most_avoided_share']:.1f} % less)",
        ]
        for row in self.points.iter_rows(named=True):
            if row["cny_per_t_avoided"] is not None:
                lines.append(
                    f"    plan {row['point']}: {row['kgco2e'] / KG_PER_T:,.1f} t, "
                    f"{row['cost_cny']:,.0f} CNY, {row['cny_per_t_avoided']:,.0f} CNY for each tonne less"
                )
        if self.dropped:
            lines.append(
                f"  {self.dropped} of {self.solves} plans dropped: beaten by another, or more is left behind;"
                " with more time for each plan the ends may lie further apart"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class _Found:
    """One solve: cost and carbon of its flow, what it leaves behind by class, and what it proves.

    ``price`` are those of its capacities, from which a neighbour may begin; ``inner`` marks all but the two
    ends.
    """

    cost: float
    carbon: float
    lost: Floats
    weights: tuple[float, float]
    bound: float
    penalty: Floats
    gap: float
    status: str
    price: Floats
    inner: bool

    def line(self, lost: Floats) -> Line:
        """Return the line that holds for plans that leave no more behind than ``lost``."""
        return Line(*self.weights, self.bound - float(self.penalty @ lost))


def with_carbon(
    network: Network, factors: Factors | None = None, *, distance: str = "shortest_feasible"
) -> Network:
    """Return a network whose legs' ``kgco2e_per_piece`` follow from factors by ISO 14083.

    A leg answers for its own way (well to wheel) and for the hub it leads to, by the mean weight of a
    piece of the demand. Origins' hubs are left out: every plan passes them.

    Raises
    ------
    InputError
        As :func:`changtong.footprint.elements.make_elements`; ``unknown-carbon``: legs without distance or
        factor, which would pass for clean.
    """
    factors = factors if factors is not None else read_factors(None)
    none = np.empty(0, np.int32)
    elements = make_elements(network, factors, (none, none), distance=distance)
    _check_known(network, np.flatnonzero(elements.basis == UNKNOWN))
    tonnes = _mean_weight_kg(network, factors) / KG_PER_T
    kg = tonnes * (elements.wtw + elements.hub.sum(axis=1)[elements.head])
    return network.with_tables(
        legs=network.legs.with_columns(kgco2e_per_piece=pl.Series(kg, dtype=pl.Float64))
    )


def weigh_legs(network: Network, cost_weight: float, carbon_weight: float) -> Network:
    """Return a network whose legs cost the weighted sum of their cost and carbon, and have no carbon."""
    legs = network.legs
    cost, carbon = column(legs, "cost_cny_per_piece", 0.0), column(legs, "kgco2e_per_piece", 0.0)
    weight = pl.Series(cost_weight * cost + carbon_weight * carbon)
    return network.with_tables(legs=legs.with_columns(cost_cny_per_piece=weight).drop("kgco2e_per_piece"))


def _check_known(network: Network, unknown: NDArray[np.int64]) -> None:
    """Refuse legs whose carbon is not known."""
    if not len(unknown):
        return
    ends = network.legs[unknown[:SHOWN]].select(pl.col("from_site", "to_site").cast(pl.String))
    named = ", ".join(f"{tail}>{head}" for tail, head in ends.iter_rows())
    more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
    raise InputError(
        [
            Problem(
                "unknown-carbon",
                f"The carbon of {len(unknown):,} legs is not known, it would pass for none: {named}{more}.",
                "legs",
                expected="distance_km of each leg, or lon and lat of both its sites; a factor for its mode",
                hint="Leave legs out that are not to be used.",
            )
        ]
    )


def _mean_weight_kg(network: Network, factors: Factors) -> float:
    share = pairs_of(network).class_share
    return float(class_weights(network, factors) @ share / share.sum())


def carbon_frontier(
    network: Network,
    outages: Sequence[Outage] = (),
    *,
    points: int = 9,
    gap_share: float = 0.01,
    settings: PlanSettings | None = None,
    factors: Factors | None = None,
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Frontier:
    """Find plans between the cheapest and the cleanest.

    Parameters
    ----------
    network : Network
        With ``cost_cny_per_piece``; the carbon of legs is taken from ``factors``.
    outages : sequence of Outage
    points : int
        Solves at most, 2 or more.
    gap_share : float
        Stop when the area that may hold better plans is this share of the box between the ends.
    settings : PlanSettings, optional
        Of every solve: gap, seconds, method.
    factors : Factors, optional
        Those shipped without.
    name : str, optional
    progress : callable, optional
        Called with solves done and solves at most.

    Raises
    ------
    UsageError
        ``points`` below 2, ``gap_share`` outside 0 to 1.
    InputError
        ``no-cost``: no leg has a cost; ``unknown-carbon``: a leg has neither distance nor places.

    Examples
    --------
    >>> from changtong.network.reference import reference_network
    >>> print(carbon_frontier(reference_network(level="city"), points=4))  # doctest: +SKIP
    """
    if points < 2 or not 0.0 <= gap_share <= 1.0:
        raise UsageError(f"{points} points and a gap of {gap_share:g}: 2 points or more, a gap of 0 to 1.")
    begin = time.perf_counter()
    factors = factors if factors is not None else read_factors(None)
    net = with_carbon(network, factors)
    cost, carbon = column(net.legs, "cost_cny_per_piece", 0.0), column(net.legs, "kgco2e_per_piece", 0.0)
    if not cost.any():
        expected = "cost_cny_per_piece of legs"
        raise InputError(
            [Problem("no-cost", "No leg has a cost to weigh carbon against.", "legs", expected=expected)]
        )
    settings = settings or PlanSettings()
    work = _Search(net, tuple(outages), settings, cost, carbon, points, progress)
    cheapest, cleanest = work.ends()
    work.between(cheapest, cleanest, gap_share)
    kept, most = _undominated(work.found, net)
    lines = tuple(one.line(most) for one in work.found)
    return Frontier(
        name=name or network.name,
        points=_table(kept),
        lines=lines,
        gap_share=_open_share([(one.carbon, one.cost) for one in kept], lines),
        dropped=len(work.found) - len(kept),
        solves=len(work.found),
        runtime_s=time.perf_counter() - begin,
        network=net,
        outages=tuple(outages),
        settings=settings,
        weights=tuple(one.weights for one in kept),
        factors=factors.version,
    )


class _Search:
    """The solves made so far, and how the next is chosen."""

    def __init__(
        self, network: Network, outages: tuple[Outage, ...], settings: PlanSettings, cost: Floats,
        carbon: Floats, most: int, progress: Callable[[int, int], None] | None,
    ) -> None:  # fmt: skip
        self.network, self.outages, self.settings = network, outages, settings
        self.cost, self.carbon, self.most, self.progress = cost, carbon, most, progress
        self.scale = float(cost.sum() / carbon.sum()) if carbon.sum() > 0.0 else 1.0
        self.found: list[_Found] = []
        self.kept: FlowSolver | None = None

    def ends(self) -> tuple[_Found, _Found]:
        """Seek the cheapest plan and the cleanest."""
        return self.solve(1.0, ENDS * self.scale), self.solve(ENDS, self.scale)

    def solve(
        self, cost_weight: float, carbon_weight: float, ends: tuple[_Found, _Found] | None = None
    ) -> _Found:
        """Plan for the least weighted sum of cost and carbon among plans that serve what can be served.

        On large networks it begins where the solve before ended, and between two ``ends`` from prices of
        capacities between theirs (docs/carbon-frontier.md). Weights are brought to one scale, so that prices
        and penalties of one solve mean something to the next.
        """
        whole = cost_weight + carbon_weight / self.scale
        weights = cost_weight / whole, carbon_weight / whole
        self._begin_between(weights, ends)
        answer = plan_flow(
            weigh_legs(self.network, *weights),
            self.outages,
            objectives=AIMS,
            settings=self.settings,
            kept=self.kept,
        )
        if not answer.exact:
            self.kept = answer.solver
        flow = answer.result.leg_flow[: len(self.cost)]
        bound, penalty, lost = flow_cost_bound(answer)
        cost, carbon = float(flow @ self.cost), float(flow @ self.carbon)
        value = weights[0] * cost + weights[1] * carbon
        least = bound - float(penalty @ lost)
        made = _Found(
            cost=cost,
            carbon=carbon,
            lost=lost,
            weights=weights,
            bound=bound,
            penalty=penalty,
            gap=max(0.0, value - least) / value if value > 0.0 else 0.0,
            status=answer.result.termination.value,
            price=answer.result.row_price,
            inner=ends is not None,
        )
        self.found.append(made)
        if self.progress is not None:
            self.progress(len(self.found), self.most)
        return made

    def _begin_between(self, weights: tuple[float, float], ends: tuple[_Found, _Found] | None) -> None:
        """Set the prices the next solve begins from between those of two plans, as its weights lie.

        Their bound is at least what the two bounds give there: the dual is concave in the costs.
        """
        if self.kept is None or ends is None:
            return
        left, right = ends
        share = (left.weights[0] - weights[0]) / (left.weights[0] - right.weights[0])
        self.kept.rows.price[:] = (1.0 - share) * left.price + share * right.price

    def between(self, cheapest: _Found, cleanest: _Found, gap_share: float) -> None:
        """Seek plans between neighbours, the widest triangle first, until nothing more is worth a solve."""
        box = (cleanest.cost - cheapest.cost) * (cheapest.carbon - cleanest.carbon)
        if box <= 0.0 or not _differ(cheapest, cleanest):
            return
        waiting = [(1.0, cheapest, cleanest)]
        while waiting and len(self.found) < self.most:
            waiting.sort(key=lambda one: one[0])
            size, left, right = waiting.pop()
            if size < gap_share:
                return
            price = (right.cost - left.cost) / (left.carbon - right.carbon)
            made = self.solve(1.0, price, (left, right))
            inside = left.cost < made.cost < right.cost and right.carbon < made.carbon < left.carbon
            better = made.cost + price * made.carbon < (left.cost + price * left.carbon) * (1.0 - SAME)
            if not (inside and better):
                continue
            for one, other in ((left, made), (made, right)):
                if _differ(one, other):
                    share = (other.cost - one.cost) * (one.carbon - other.carbon) / box
                    waiting.append((share, one, other))


def _differ(one: _Found, other: _Found) -> bool:
    """Return whether two plans differ in both cost and carbon by more than rounding."""
    return other.cost - one.cost > SAME * abs(one.cost) and one.carbon - other.carbon > SAME * abs(one.carbon)


def _undominated(found: list[_Found], network: Network) -> tuple[list[_Found], Floats]:
    """Return the plans that none beats, the cheapest first, and the most they leave behind by class."""
    room = max(0.5, PIECES * float(network.demand["pieces_per_day"].cast(pl.Float64).sum()))
    least = min(float(one.lost.sum()) for one in found)
    kept: list[_Found] = []
    for one in sorted(found, key=lambda one: (one.cost, one.carbon)):
        more = float(one.lost.sum()) > least + room
        if not more and (not kept or one.carbon < kept[-1].carbon * (1.0 - SAME)):
            kept.append(one)
    return kept, np.max([one.lost for one in kept], axis=0)


def _table(kept: list[_Found]) -> pl.DataFrame:
    rows = []
    for k, one in enumerate(kept):
        before = kept[k - 1] if k else None
        inner = one.inner and 0 < k < len(kept) - 1
        rows.append(
            {
                "point": k + 1,
                "cost_cny": one.cost,
                "kgco2e": one.carbon,
                "unserved_pieces": float(one.lost.sum()),
                "price_cny_per_t": one.weights[1] / one.weights[0] * KG_PER_T if inner else None,
                "cny_per_t_avoided": None
                if before is None
                else (one.cost - before.cost) / (before.carbon - one.carbon) * KG_PER_T,
                "gap_share": one.gap,
                "status": one.status,
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def _open_share(points: list[tuple[float, float]], lines: Sequence[Line]) -> float:
    """Return the area between the plans' line and what is proved, as a share of the box between the ends.

    Examples
    --------
    Two plans, and a line that touches both: nothing is open.

    >>> round(_open_share([(2.0, 1.0), (1.0, 2.0)], [Line(1.0, 1.0, 3.0)]), 9)
    0.0
    """
    points = sorted(points)
    (low, top), (high, bottom) = points[0], points[-1]
    box = (high - low) * (top - bottom)
    if box <= 0.0:
        return 0.0
    slopes = [(one.carbon_weight / one.cost_weight, one.least / one.cost_weight) for one in lines]
    at = {x for x, _ in points}
    for i, (p, a) in enumerate(slopes):
        at |= {(a - b) / (p - q) for q, b in slopes[:i] if p != q}
    xs = np.array(sorted(x for x in at if low <= x <= high))
    proved = np.maximum(bottom, np.max([a - p * xs for p, a in slopes], axis=0))
    inner = np.interp(xs, [x for x, _ in points], [y for _, y in points])
    open_area = float(np.trapezoid(np.maximum(0.0, inner - proved), xs))
    return min(1.0, open_area / box)
