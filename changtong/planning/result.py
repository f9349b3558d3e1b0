"""The plan as a result: frames a person or a program can act on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import UsageError
from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.outages import Effect, Outage
from changtong.planning.plan_folder import ROUNDS_FILE, SUMMARY_FILE, is_plan_folder
from changtong.routes import Routes, save_routes
from changtong.spreadsheets import write_rows

PARQUET_FROM_ROWS = 1_000_000
"""Tables longer than this are saved as Parquet instead of CSV."""

TABLES = (
    "objectives", "classes", "leg_flows", "site_loads", "unserved", "sort_plan", "orders",
    "stand_ins", "relay_points",
)  # fmt: skip
ROUTES_FILE = "routes.npz"
RUN_IN_PLAN = "simulation"
"""Where a plan that was played forward keeps the run; `ROUNDS_FILE` has the plans tried."""

PAGES = (
    ROUTES_FILE,
    RUN_IN_PLAN,
    ROUNDS_FILE,
    SUMMARY_FILE,
    "study.json",
    "report.html",
    "orders.html",
    "order-sheets",
)
OWN_FILES = {
    *PAGES,
    *(f"{name}.{ending}" for name in (*TABLES, "trade_off") for ending in ("csv", "parquet")),
}


PLAN_FOLDER: dict[str, Any] = {
    "is_ours": is_plan_folder,
    "what": "plan folder (it has no plan.json)",
    "code": "not-a-plan-folder",
}


METHODS = ("choose", "exact", "large")


class Status(Enum):
    """What the plan is; why the work ended is ``termination``."""

    OPTIMAL = "optimal"  # within the gap asked for
    FEASIBLE = "feasible"  # keeps every capacity, its gap is larger than asked for
    EMPTY = "empty"  # there was nothing to plan


@dataclass(frozen=True)
class PlanSettings:
    """How far to go and what to weigh.

    Attributes
    ----------
    gap_share : float
        Proved gap at which to stop.
    seconds : float
        Time limit for the flow: of all solves of a plan together.
    within_s : float or None
        Time aimed at for the whole plan of a large network: the flow, late pieces and the search of the
        sort plan end at shares of it, and what is left is kept for checks and tables (docs/planner.md).
        None: only the flow is limited.
    hour_cny : float
        What an hour on the way weighs on a large network where ``late`` stands before cost:
        assumed, so small that nothing moves without an outage (docs/planner.md).
    late_cny : float or None
        Most a piece may cost more for being on time, on a large network where ``late`` stands before
        cost. None: late pieces move to ways on time over legs in use, as far as the gap asked for
        leaves room. With a price they may open legs, and the gap may come out larger than asked for.
    unserved_cny : float or None
        Penalty of a piece of the lowest class left behind; None: a quarter above
        the dearest of all cheapest ways, at least ten times the mean. Each higher class
        weighs ten times more.
    stability_cny : float
        What a piece weighs that leaves its site by another leg than today: 0 plans for the
        least cost, larger values for the fewest changes.
    threads : int
        Threads for pricing; the result does not depend on it.
    trade_off_cny : tuple of float
        Stabilities for which further sort plans are computed, from least cost to fewest changes
        (table ``trade_off``); each takes as long as the sort plan itself.
    prove_unserved : bool
        Spend what is left of the time on a solve of its own that proves how few pieces can stay
        behind on a large network (docs/planner.md).
    method : {"choose", "exact", "large"}
        Exactly, one linear program after another, or by the method for large networks;
        ``choose`` goes by the size (docs/planner.md).
    """

    gap_share: float = 1e-3
    seconds: float = 30.0
    within_s: float | None = None
    hour_cny: float = 0.0005
    late_cny: float | None = None
    unserved_cny: float | None = None
    stability_cny: float = 0.05
    threads: int = 2
    trade_off_cny: tuple[float, ...] = ()
    prove_unserved: bool = False
    method: str = "choose"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"Unknown method {self.method!r}; known: {', '.join(METHODS)}.")


@dataclass(frozen=True)
class Plan:
    """A re-routing plan with its proof.

    Frames (columns in docs/plan.md): ``objectives``, ``classes``, ``leg_flows``,
    ``site_loads``, ``unserved``, ``sort_plan``, ``orders``, ``stand_ins``,
    ``relay_points``, ``trade_off``. ``sort_plan`` holds the entries that differ from the plan in force.
    """

    name: str
    network: Network
    outages: tuple[Outage, ...]
    effect: Effect
    settings: PlanSettings
    status: Status
    termination: Any
    objective_cny: float
    lower_bound_cny: float
    gap_share: float
    sort_plan_gap_share: float | None
    runtime_s: float
    objectives: pl.DataFrame
    classes: pl.DataFrame
    leg_flows: pl.DataFrame
    site_loads: pl.DataFrame
    unserved: pl.DataFrame
    sort_plan: pl.DataFrame
    orders: pl.DataFrame
    stand_ins: pl.DataFrame
    relay_points: pl.DataFrame
    trade_off: pl.DataFrame = field(default_factory=pl.DataFrame)
    make_routes: Callable[[], Routes] | None = field(default=None, repr=False, compare=False)

    def routes(self) -> Routes:
        """Return the routes of the plan's sort plan, whole: made anew at each call."""
        assert self.make_routes is not None
        return self.make_routes()

    def value(self, objective: str) -> float:
        """Return the value of one objective; 0 where the network has no data for it."""
        found = self.objectives.filter(pl.col("objective") == objective)["value"][0]
        return 0.0 if found is None else float(found)

    def _number(self, objective: str, column: str = "value") -> float | None:
        """Return a number of the objectives table, None where it does not apply."""
        found = self.objectives.filter(pl.col("objective") == objective)[column][0]
        return None if found is None else float(found)

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        totals = self.classes.select(pl.col("demand_pieces", "unserved_pieces", "late_pieces").sum()).row(0)
        return {
            "name": self.name,
            "status": self.status.value,
            "termination": self.termination.value,
            "gap_share": self.gap_share,
            "objective_cny": self.objective_cny,
            "lower_bound_cny": self.lower_bound_cny,
            "sort_plan_gap_share": self.sort_plan_gap_share,
            "demand_pieces": totals[0],
            "unserved_pieces": totals[1],
            "late_pieces": totals[2],
            "unserved_transit_pieces": self._left("transit"),
            "unserved_area_pieces": self._left("area"),
            "cost_cny": self._number("cost"),
            "carbon_kgco2e": self._number("carbon"),
            "changed_legs": int(self.value("changed_legs")),
            "changed_legs_least": self._number("changed_legs", "lower_bound"),
            "opened_legs": self._changed("opened"),
            "dropped_legs": self._changed("dropped"),
            "max_load_share": self.value("max_load"),
            "runtime_s": self.runtime_s,
            "outages": [outage.label for outage in self.outages],
            "classes": self.classes.to_dicts(),
        }

    def _left(self, part: str) -> float:
        if "part" not in self.unserved.columns:
            return 0.0
        return float(self.unserved.filter(pl.col("part") == part)["pieces"].sum())

    def _changed(self, word: str) -> int:
        return int((self.leg_flows["change"] == word).sum())

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{s['name']}: {'; '.join(s['outages']) or 'no outage'}",
            f"  {s['status']} ({s['termination']}), proved gap {s['gap_share']:.3%}, {s['runtime_s']:.1f} s",
            f"  pieces a day {s['demand_pieces']:,.0f}, unserved {s['unserved_pieces']:,.0f}, "
            + f"{s['unserved_pieces'] / max(s['demand_pieces'], 1e-9):.2%}, late {s['late_pieces']:,.0f}",
            f"  cost {_said(s['cost_cny'])} CNY, carbon {_said(s['carbon_kgco2e'])} kg CO2e, "
            + f"legs changed {s['changed_legs']:,}, highest load {s['max_load_share']:.1%}",
            "  class            demand        served      unserved          late   mean h",
        ]
        for row in self.classes.iter_rows(named=True):
            mean_h = "-" if row["mean_h"] is None else f"{row['mean_h']:.1f}"
            lines.append(
                f"  {row['rank']} {row['service_class']:<12}{row['demand_pieces']:>12,.0f}"
                f"{row['served_pieces']:>14,.0f}{row['unserved_pieces']:>14,.0f}"
                f"{row['late_pieces']:>14,.0f}{mean_h:>9}"
            )
        lines += self._bottlenecks()
        lines += [
            f"  stability {row['stability_cny']:g}: {row['changed_entries']:,} sort-plan entries changed,"
            f" {row['held_pieces']:,.0f} held, {row['cost_cny']:,.0f} CNY with penalties"
            for row in self.trade_off.iter_rows(named=True)
        ]
        lines.append(f"  orders: {self.orders.height:,} at {self.orders['site'].n_unique():,} sites")
        return "\n".join(lines)

    def _bottlenecks(self) -> list[str]:
        """Say where one more lorry helps most; without prices, which full legs hold most pieces."""
        priced = self.leg_flows.filter(pl.col("shadow_price_cny") > 0)
        if priced.height:
            lines = ["  one more lorry would help most on:"]
            for row in priced.sort("shadow_price_cny", descending=True).head(5).iter_rows(named=True):
                lines.append(
                    f"    {row['from_site']} > {row['to_site']}: {row['shadow_price_cny']:.2f} CNY a piece,"
                    f" loaded {row['load_share'] or 0:.0%}"
                )
            return lines
        full = self.unserved.filter(pl.col("reason") == "full-leg").group_by("blocked_by")
        held = full.agg(pl.col("pieces").sum()).sort("pieces", "blocked_by", descending=[True, False]).head(5)
        lines = ["  full legs that hold most pieces back:"] if held.height else []
        return lines + [f"    {leg}: {pieces:,.0f} pieces" for leg, pieces in held.iter_rows()]

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name; ``trade_off`` only where it was asked for."""
        asked = {"trade_off": self.trade_off} if self.trade_off.height else {}
        return {name: getattr(self, name) for name in TABLES} | asked

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write every frame and ``plan.json`` to a folder, whole or not at all.

        ``extra`` is called with the folder being filled, before it takes its place. A folder
        that is there is replaced only if it is empty or holds a plan; files of others in it
        are kept.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """
        return write_whole_folder(
            Path(folder), lambda beside: self._fill(beside, extra), own_files=OWN_FILES, **PLAN_FOLDER
        )

    def _fill(self, folder: Path, extra: Callable[[Path], None] | None) -> None:
        for name, frame in self.tables().items():
            write_rows(frame, folder / name, parquet_from_rows=PARQUET_FROM_ROWS)
        details = self.summary() | {"settings": asdict(self.settings)}
        if self.make_routes is not None:
            save_routes(self.routes(), folder / ROUTES_FILE)
        (folder / SUMMARY_FILE).write_text(json.dumps(details, ensure_ascii=False, indent=1), "utf-8")
        if extra is not None:
            extra(folder)


def _said(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}"
