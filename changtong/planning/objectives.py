"""The table of objectives: what each one reached, what is proved of it, and how it was obtained."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.planning.answer import Answer
from changtong.planning.assemble import OBJECTIVES
from changtong.planning.baseline import tolerance

Floats = NDArray[np.float64]

SCHEMA = {
    "objective": pl.String, "unit": pl.String, "value": pl.Float64, "lower_bound": pl.Float64,
    "baseline_value": pl.Float64, "method": pl.String,
}  # fmt: skip

UNITS = {
    "unserved": "pieces_per_day", "late": "pieces_per_day", "cost": "cny_per_day",
    "carbon": "kgco2e_per_day", "changed_legs": "legs", "max_load": "share",
}  # fmt: skip

PROOF = 1e-6
"""A value this near its bound (share of it) counts as exact: the slack of the stages before."""

LEAST = {"unserved": 0.5, "late": 0.5}
"""Pieces a day below which a gap is rounding: pair volumes are stored in single precision."""


def objectives_frame(answer: Answer, leg_flows: pl.DataFrame, classes: pl.DataFrame) -> pl.DataFrame:
    """Return one row per objective, in the usual order.

    ``method``: ``exact`` when value and bound meet; ``bounded`` when a bound is proved and a gap
    is left; ``counted`` when the plan's value is read from its flow and nothing is proved;
    ``not_applicable`` when the network has no data for it.
    """
    values, before = _values(answer, leg_flows, classes), _before(answer, leg_flows)
    rows: list[tuple[str, str, float | None, float | None, float | None, str]] = []
    for name in OBJECTIVES:
        if name not in answer.question.known:
            rows.append((name, UNITS[name], None, None, None, "not_applicable"))
            continue
        value, bound = values[name], _bound(name, answer, leg_flows, classes, values[name])
        rows.append((name, UNITS[name], value, bound, before[name], _method(name, value, bound)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def largest_gap(frame: pl.DataFrame, pursued: tuple[str, ...]) -> float:
    """Return the largest (value - bound) / value of the objectives pursued that have a bound."""
    gaps = [
        (value - bound) / value
        for name, value, bound in frame.select("objective", "value", "lower_bound").iter_rows()
        if name in pursued and None not in (value, bound) and value - bound > _rounding(name, value)
    ]
    return float(max(gaps, default=0.0))


def _method(name: str, value: float, bound: float | None) -> str:
    if bound is None:
        return "counted"
    return "exact" if value - bound <= _rounding(name, value) else "bounded"


def _rounding(name: str, value: float) -> float:
    return max(PROOF * max(1.0, abs(value)), LEAST.get(name, 0.0))


def _values(answer: Answer, leg_flows: pl.DataFrame, classes: pl.DataFrame) -> dict[str, float]:
    flow = leg_flows["planned_pieces"].to_numpy()
    n = len(flow)
    share = leg_flows["load_share"].drop_nulls()
    return {
        "unserved": float(classes["unserved_pieces"].sum()),
        "late": float(classes["late_pieces"].sum()),
        "cost": float(flow @ answer.question.leg_cny[:n]),
        "carbon": float(flow @ answer.question.leg_kgco2e[:n]),
        "changed_legs": float((leg_flows["change"] != "same").sum()),
        "max_load": float(share.max() or 0.0) if share.len() else 0.0,  # type: ignore[arg-type]
    }


def _before(answer: Answer, leg_flows: pl.DataFrame) -> dict[str, float | None]:
    if "changed_legs" not in answer.question.known:
        return dict.fromkeys(OBJECTIVES)
    flow = leg_flows["baseline_pieces"].to_numpy()
    n = len(flow)
    capacity = answer.question.problem.leg_capacity[:n]
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.nanmax(np.where(capacity > 0.0, flow / capacity, np.nan), initial=0.0)
    return {
        "unserved": 0.0,
        "late": None,
        "cost": float(flow @ answer.question.leg_cny[:n]),
        "carbon": float(flow @ answer.question.leg_kgco2e[:n]),
        "changed_legs": 0.0,
        "max_load": float(top),
    }


def _bound(
    name: str, answer: Answer, leg_flows: pl.DataFrame, classes: pl.DataFrame, value: float
) -> float | None:
    """Return what is proved: no plan as good in the objectives before is better in this one."""
    if name == "unserved":
        return min(value, max(answer.unserved_total_least, float(classes["unserved_least_pieces"].sum())))
    if name == "late":
        least = max(answer.late_total_least, float(classes["late_least_pieces"].sum()))
        return min(value, least)
    stage = answer.stage(name)
    if stage is not None:
        return min(value, max(0.0, stage.lower_bound))
    if name == "max_load" and answer.max_load_least is not None:
        return min(value, answer.max_load_least)
    if name == "changed_legs":
        return float(_must_change(answer, leg_flows["baseline_pieces"].to_numpy()))
    return 0.0 if answer.exact and name in answer.pursued else None  # stopped before: nothing but this


def _must_change(answer: Answer, flow: Floats) -> int:
    """Return how many legs change in any plan: today's volume no longer fits their capacity."""
    n = len(flow)
    problem = answer.question.problem
    shut = problem.site_capacity <= 0.0
    capacity = np.where(shut[problem.leg_tail] | shut[problem.leg_head], 0.0, problem.leg_capacity)[:n]
    return int((flow - np.minimum(flow, capacity) > tolerance(flow)).sum())
