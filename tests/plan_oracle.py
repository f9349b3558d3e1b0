"""An independent plan: every simple way of every pair and class is a column, stage after stage.

Shares nothing with the planner. Outages are applied in plain loops by the written rule
(docs/decisions/0002), ways are listed by walking, hours are added up way by way, and SciPy
solves one program per objective; legs changed are counted by binaries.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, milp

from changtong.network.model import Network
from changtong.outages import Outage

ROOM = 1e-5
"""What a stage may miss later, in its own unit: above the solver's tolerance."""


@dataclass(frozen=True)
class Column:
    """One way for one pair and class; ``legs`` is None for staying behind."""

    pair: int
    service: int
    legs: tuple[int, ...] | None


class PlanOracle:
    """A network under outages, as columns and rows."""

    def __init__(self, network: Network, outages: tuple[Outage, ...]) -> None:
        ids = list(network.site_ids)
        legs = network.legs.to_dicts()
        self.legs = [(ids.index(str(leg["from_site"])), ids.index(str(leg["to_site"]))) for leg in legs]
        site_share, self.site_h = [1.0] * len(ids), [0.0] * len(ids)
        leg_share, self.leg_h = [1.0] * len(legs), [leg["travel_h"] for leg in legs]
        self.limits = []
        extra = [0.0] * len(legs)
        for outage in outages:
            only_slowed = outage.extra_h > 0 or outage.passes_per_day is not None
            left = outage.capacity_share
            if left is None:  # settling or passes alone leave a place open; nothing said closes it
                left = 1.0 if only_slowed else 0.0
            inside = [site in outage.sites for site in ids]
            named = [(ids[a], ids[b]) in outage.legs for a, b in self.legs]
            if outage.passes_per_day is not None:
                most = outage.passes_per_day * outage.pieces_per_pass
                self.limits.append(
                    ([k for k, (a, b) in enumerate(self.legs) if inside[b] and not inside[a]], most)
                )
            for i in range(len(ids)):
                if inside[i]:
                    site_share[i] = min(site_share[i], left)
                    self.site_h[i] = max(self.site_h[i], outage.extra_h)
            for k in range(len(legs)):
                if named[k]:
                    leg_share[k] = min(leg_share[k], left)
                    extra[k] = max(extra[k], outage.extra_h)
        self.leg_h = [h + x for h, x in zip(self.leg_h, extra, strict=True)]
        sites = network.sites.to_dicts()
        self.transit = [site["transit"] for site in sites]

        def capacity(value: float | None, share: float) -> float:
            return 0.0 if share == 0 else np.inf if value is None else value * share

        self.leg_capacity = [
            capacity(leg["capacity_pieces_per_day"], share)
            for leg, share in zip(legs, leg_share, strict=True)
        ]
        per_day = [None if s["sort_pieces_per_h"] is None else s["sort_pieces_per_h"] * 20.0 for s in sites]
        self.site_capacity = [capacity(x, share) for x, share in zip(per_day, site_share, strict=True)]
        self.weight = {
            "cost": [leg["cost_cny_per_piece"] for leg in legs],
            "carbon": [leg["kgco2e_per_piece"] for leg in legs],
        }
        self.today = [leg["flow_pieces_per_day"] for leg in legs]
        classes = network.service_classes.sort("rank").to_dicts()
        self.promise = [np.inf if c["promise_h"] is None else c["promise_h"] for c in classes]
        names = [str(c["service_class"]) for c in classes]
        self.demand: dict[tuple[int, int, int], float] = {}
        for row in network.demand.to_dicts():
            key = (ids.index(str(row["from_site"])), ids.index(str(row["to_site"])))
            for k, c in enumerate(classes):
                part = (
                    c["share"]
                    if row["service_class"] is None
                    else float(str(row["service_class"]) == names[k])
                )
                self.demand[(*key, k)] = self.demand.get((*key, k), 0.0) + part * row["pieces_per_day"]
        self._columns()

    def _ways(self, start: int, end: int) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []

        def walk(site: int, way: tuple[int, ...], seen: frozenset[int]) -> None:
            if site == end:
                found.append(way)
                return
            if site != start and not self.transit[site]:
                return
            for k, (a, b) in enumerate(self.legs):
                if a == site and b not in seen:
                    walk(b, (*way, k), seen | {b})

        walk(start, (), frozenset({start}))
        return found

    def _columns(self) -> None:
        self.pairs = sorted({(a, b) for a, b, _ in self.demand if a != b})
        self.columns = []
        n_classes = len(self.promise)
        for p, (a, b) in enumerate(self.pairs):
            ways = self._ways(a, b)
            for k in range(n_classes):
                self.columns += [Column(p, k, way) for way in ways] + [Column(p, k, None)]
        size = len(self.columns)
        self.load = np.zeros((len(self.legs), size))
        self.handled = np.zeros((len(self.site_capacity), size))
        self.lost, self.late = np.zeros((n_classes, size)), np.zeros(size)
        for c, column in enumerate(self.columns):
            if column.legs is None:
                self.lost[column.service, c] = 1.0
                continue
            start = self.pairs[column.pair][0]
            self.handled[start, c] += 1.0
            hours = self.site_h[start]
            for leg in column.legs:
                self.load[leg, c] += 1.0
                self.handled[self.legs[leg][1], c] += 1.0
                hours += self.leg_h[leg] + self.site_h[self.legs[leg][1]]
            self.late[c] = float(hours > self.promise[column.service] + 1e-6)

    def answer(self, objectives: tuple[str, ...]) -> dict[str, float]:
        """Return the value of each class's unserved and of each objective, in order."""
        size, m = len(self.columns), len(self.legs)
        total = size + m + 1  # then one binary a leg, then the highest load share
        upper = np.full(total, np.inf)
        upper[size : size + m] = 1.0
        integral = np.zeros(total)
        rows: list[tuple[np.ndarray, float, float]] = []

        def add(first: np.ndarray, low: float, high: float, rest: dict[int, float] | None = None) -> None:
            row = np.zeros(total)
            row[:size] = first
            for where, value in (rest or {}).items():
                row[where] += value
            rows.append((row, low, high))

        for (a, b, k), pieces in self.demand.items():
            if a != b:
                mine = [c.service == k and self.pairs[c.pair] == (a, b) for c in self.columns]
                add(np.array(mine, float), pieces, pieces)
        for p in range(len(self.pairs)):
            for k in range(len(self.promise)):
                if (*self.pairs[p], k) not in self.demand:
                    add(np.array([c.pair == p and c.service == k for c in self.columns], float), 0.0, 0.0)
        for k, most in enumerate(self.leg_capacity):
            if np.isfinite(most):
                add(self.load[k], -np.inf, most)
                if most > 0:
                    add(self.load[k], -np.inf, 0.0, {size + m: -most})
        for i, most in enumerate(self.site_capacity):
            if np.isfinite(most):
                add(self.handled[i], -np.inf, most)
        for members, most in self.limits:
            add(self.load[members].sum(axis=0) if members else np.zeros(size), -np.inf, most)

        def solve(cost: np.ndarray) -> float:
            table = np.array([row for row, _, _ in rows])
            low, high = np.array([x for _, x, _ in rows]), np.array([x for _, _, x in rows])
            found = milp(
                cost,
                constraints=LinearConstraint(table, low, high),
                integrality=integral,
                bounds=Bounds(0, upper),
            )
            assert found.status == 0, found.message
            return max(0.0, float(found.fun))

        def stage(cost: np.ndarray) -> float:
            value = solve(cost)
            rows.append((cost, -np.inf, value + ROOM * max(1.0, value * 1e-2)))
            return value

        out: dict[str, float] = {}
        for name in objectives:
            cost = np.zeros(total)
            if name == "unserved":
                for k in range(len(self.promise)):
                    cost[:size] = self.lost[k]
                    out[f"unserved:{k}"] = stage(cost.copy())
                continue
            if name == "late":
                cost[:size] = self.late
            elif name in self.weight:
                cost[:size] = np.array(self.weight[name]) @ self.load
            elif name == "max_load":
                cost[size + m] = 1.0
            else:
                integral[size : size + m] = 1.0
                cost[size : size + m] = 1.0
                big = sum(self.demand.values()) + max(self.today, default=0.0)
                for leg in range(m):
                    band = max(0.01 * self.today[leg], 0.5)
                    add(self.load[leg], -np.inf, self.today[leg] + band, {size + leg: -big})
                    add(self.load[leg], self.today[leg] - band, np.inf, {size + leg: big})
            out[name] = stage(cost)
        return out


def local_lost(network: Network, outages: tuple[Outage, ...]) -> pl.DataFrame:
    """Return the demand rows that begin and end at the same closed site."""
    shut = {s for o in outages if o.passes_per_day is None and o.capacity_share == 0 for s in o.sites}
    same = pl.col("from_site").cast(pl.String) == pl.col("to_site").cast(pl.String)
    return network.demand.filter(same & pl.col("from_site").cast(pl.String).is_in(list(shut)))
