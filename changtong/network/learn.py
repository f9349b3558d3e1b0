"""A network from leg-day volumes alone: what moved between which sites, day by day.

Such data tells which legs exist, what they carried and at most carried. It does not tell
where a piece began or ended, what a piece costs, how long it takes, where a site lies, or
what a site could do beyond its largest day. Each of these is filled by a rule, and the rule
stands in the network's ``provenance``.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.network.leg_volumes import read_volumes
from changtong.network.model import Network, build_network

Floats = NDArray[np.float64]

CURRENT_DAYS = 7
"""Days before ``until`` whose mean is the current flow: one week, so every weekday counts."""

LEAST_PIECES = 1e-4
"""Pieces a day below which an inferred pair is rounding: one piece in 27 years."""

MOST_STAND_INS = 10
HOURS_PER_DAY = 20.0

LIMITS = (
    (
        "demand",
        "pieces_per_day",
        "origin and destination are inferred: what enters a site leaves it in proportion",
    ),
    ("demand", "pieces_per_day", "a site passes on as much as it can of what enters it; the rest ends there"),
    (
        "legs",
        "capacity_pieces_per_day",
        "largest day so far, or a quantile: what a leg could carry is not known",
    ),
    ("legs", "cost_cny_per_piece", "not known, so left out: plans change few legs and level loads instead"),
    ("sites", "sort_pieces_per_h", "largest day handled so far, over 20 hours a day"),
    (
        "areas",
        "share",
        "stand-ins share origins (or destinations) and have spare capacity; nobody confirmed them",
    ),
)


def learn_network(
    volumes: pl.DataFrame | str | Path,
    *,
    until: date | str | None = None,
    since: date | str | None = None,
    capacity: float | str = "max",
    name: str = "learned",
) -> Network:
    """Learn a network from leg-day volumes.

    Parameters
    ----------
    volumes : frame or path
        date, from_site, to_site, pieces (a day).
    until, since : date, optional
        Days from ``since`` on and before ``until`` count; ``until`` itself does not.
    capacity : "max" or float
        Capacity of a leg or site: its largest day, or this quantile of its days in use.
    name : str
        Of the network.

    Returns
    -------
    Network
        With today's flow, capacities, inferred demand, and inferred stand-ins (``areas``).
        ``provenance`` says what such data cannot tell.
    """
    frame = _days(read_volumes(volumes), since, until)
    ids = sorted(set(frame["from_site"]) | set(frame["to_site"]), key=_natural)
    last: date = frame["date"].max()  # type: ignore[assignment]
    most = pl.col("pieces").max() if capacity == "max" else pl.col("pieces").quantile(float(capacity))
    legs = _legs(frame, last, most)
    flow = _flow(legs, ids)
    handled = np.maximum(_handled(frame, ids, most), np.maximum(flow.sum(axis=0), flow.sum(axis=1)))
    tables = {
        "sites": pl.DataFrame(
            {"site_id": ids, "kind": ["sorting"] * len(ids), "sort_pieces_per_h": handled / HOURS_PER_DAY}
        ).with_columns(pl.lit(HOURS_PER_DAY).alias("sort_hours_per_day")),
        "legs": legs.select(
            "from_site",
            "to_site",
            pl.col("capacity").alias("capacity_pieces_per_day"),
            pl.col("flow").alias("flow_pieces_per_day"),
        ),
        "demand": _demand_frame(ids, infer_demand(flow)),
        "areas": infer_stand_ins(ids, flow, handled),
        "provenance": _provenance(last),
    }
    return build_network(tables, name=name)


def _days(frame: pl.DataFrame, since: date | str | None, until: date | str | None) -> pl.DataFrame:
    """Return the volumes of the days that count; one at least."""
    if until is not None:
        frame = frame.filter(pl.col("date") < _date(until))
    if since is not None:
        frame = frame.filter(pl.col("date") >= _date(since))
    if frame.height == 0:
        raise InputError([Problem("empty-table", "No volume in these days.", "volumes", column="date")])
    return frame


def _legs(frame: pl.DataFrame, last: date, most: pl.Expr) -> pl.DataFrame:
    """Return the legs with their capacity and their mean flow of the last days, pieces a day."""
    recent = frame.filter(pl.col("date") > last - timedelta(days=CURRENT_DAYS))
    flow = recent.group_by("from_site", "to_site").agg((pl.col("pieces").sum() / CURRENT_DAYS).alias("flow"))
    return (
        frame.group_by("from_site", "to_site")
        .agg(most.alias("capacity"))
        .join(flow, on=["from_site", "to_site"], how="left")
        .with_columns(pl.col("flow").fill_null(0.0))
        .with_columns(pl.max_horizontal("capacity", "flow").alias("capacity"))
        .sort("from_site", "to_site")
    )


def _flow(legs: pl.DataFrame, ids: list[str]) -> Floats:
    """Return the flow of the legs from site to site."""
    row = {site: k for k, site in enumerate(ids)}
    flow = np.zeros((len(ids), len(ids)))
    tail = np.array([row[s] for s in legs["from_site"]])
    head = np.array([row[s] for s in legs["to_site"]])
    flow[tail, head] = legs["flow"].to_numpy()
    return flow


def _demand_frame(ids: list[str], demand: Floats) -> pl.DataFrame:
    """Return the inferred pairs as a table; what is rounding is left out."""
    start, end = np.nonzero(demand > LEAST_PIECES)
    return pl.DataFrame(
        {
            "from_site": [ids[k] for k in start],
            "to_site": [ids[k] for k in end],
            "pieces_per_day": demand[start, end],
        }
    )


def _provenance(last: date) -> pl.DataFrame:
    """Return where each inferred column comes from."""
    return pl.DataFrame(
        [
            (table, column, "derived" if table == "demand" else "assumed", f"leg volumes up to {last}", note)
            for table, column, note in LIMITS
        ],
        schema=["table", "column", "kind", "source", "note"],
        orient="row",
    )


def _date(value: date | str) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError as error:
        raise InputError([Problem("wrong-type", f"{value!r} is no date.", expected="YYYY-MM-DD")]) from error


def _natural(text: str) -> tuple[str, int]:
    letters = text.rstrip("0123456789")
    digits = text[len(letters) :]
    return letters, int(digits) if digits else -1


def _handled(frame: pl.DataFrame, ids: list[str], most: pl.Expr) -> Floats:
    """Return the largest day (or quantile) of the larger of what enters and leaves a site."""
    out = np.zeros(len(ids))
    row = {site: k for k, site in enumerate(ids)}
    for column in ("from_site", "to_site"):
        days = frame.group_by("date", column).agg(pl.col("pieces").sum()).group_by(column).agg(most)
        for site, pieces in days.iter_rows():
            out[row[site]] = max(out[row[site]], float(pieces))
    return out


def infer_demand(flow: Floats) -> Floats:
    """Return pieces a day from each first to each last site, by mixing in proportion.

    A site passes on what enters it as far as it sends that much; what it sends beyond begins
    there, what enters beyond ends there. Whatever leaves a site leaves in proportion of its
    legs, wherever it came from. Routed by these proportions the result gives back the flow.

    Parameters
    ----------
    flow : array, (sites, sites)
        Pieces a day from site to site.
    """
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    n = len(flow)
    split = flow / np.maximum(out, 1e-300)[:, None]
    passes = np.where(into > 0, np.minimum(1.0, out / np.maximum(into, 1e-300)), 0.0)
    passes = np.minimum(passes, 1.0 - 1e-9)  # a closed circle that nothing leaves still ends
    visits = np.linalg.solve((np.eye(n) - passes[:, None] * split).T, split.T).T
    return np.asarray(np.maximum(0.0, out - into)[:, None] * visits * (1.0 - passes)[None, :])


def infer_stand_ins(ids: list[str], flow: Floats, handled: Floats) -> pl.DataFrame:
    """Return which sites could take the area of each site over.

    Where pieces end, a stand-in is a site where pieces end too, served by the same origins;
    where pieces begin, one where pieces begin too, that sends to the same destinations. The best
    by overlap times spare capacity are listed; how much each one takes is for the plan to decide.
    Columns: site, stand_in, share (1: up to the whole area), basis ("inferred").
    """
    into, out = flow.sum(axis=0), flow.sum(axis=1)
    spare = np.maximum(0.0, handled - np.maximum(into, out))
    source = flow / np.maximum(into, 1e-300)[None, :]
    target = (flow / np.maximum(out, 1e-300)[:, None]).T
    chosen: dict[tuple[int, int], None] = {}
    for mix, here in ((source, np.maximum(0.0, into - out)), (target, np.maximum(0.0, out - into))):
        for site in np.flatnonzero(here > 0.0).tolist():
            overlap = np.minimum(mix, mix[:, [site]]).sum(axis=0)
            weight = overlap * spare * (here > 0.0)
            weight[site] = 0.0
            best = np.argsort(-weight, kind="stable")[:MOST_STAND_INS]
            chosen |= dict.fromkeys((site, k) for k in best[weight[best] > 0.0].tolist())
    rows = [(ids[site], ids[k], 1.0, "inferred") for site, k in chosen]
    schema = {"site": pl.String, "stand_in": pl.String, "share": pl.Float64, "basis": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
