"""What would help: capacity, legs and backup sites tried one by one against the same closures.

Candidates come from the plans of the worst closures: full legs and sites that hold pieces back, pairs of
sites left without a way, and a twin for a site whose loss hurts. Each is built into the network and the
closures are planned again, so a gain is a difference of plans, not a shadow price carried too far.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.network.model import Network, build_network
from changtong.outages import PIECES_PER_PASS
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings
from changtong.resilience.cases import Case
from changtong.resilience.executors import InProcess
from changtong.resilience.result import StressSettings
from changtong.resilience.stress import stress_test
from changtong.resilience.work import Executor

FULL = 0.999
"""Load share from which a leg or site holds pieces back."""

SCHEMA: dict[str, Any] = {
    "rank": pl.Int64, "remedy": pl.String, "kind": pl.String, "size_pieces": pl.Float64,
    "cost_cny_per_day": pl.Float64, "cost_provenance": pl.String, "expected_before": pl.Float64,
    "expected_after": pl.Float64, "worst_before": pl.Float64, "worst_after": pl.Float64,
    "expected_gain_per_cny": pl.Float64, "worst_gain_per_cny": pl.Float64,
    "least_gain": pl.Float64, "error": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Remedy:
    """One thing to add.

    Attributes
    ----------
    name, kind : str
        What; capacity, leg or site.
    size : float
        Pieces a day added, of leg and sorting capacity together.
    cost : float
        CNY a day.
    build : callable
        Takes a network and returns it with the remedy in it.
    """

    name: str
    kind: str
    size: float
    cost: float
    build: Callable[[Network], Network] = field(repr=False)


def remedy_costs() -> dict[str, float]:
    """Return the assumed costs by item, CNY a day; their provenance is in ``remedy_costs.csv``."""
    text = resources.files("changtong").joinpath("resilience/remedy_costs.csv").read_text("utf-8")
    return {row["item"]: float(row["cny_per_day"]) for row in csv.DictReader(text.splitlines())}


def more_leg_capacity(network: Network, leg: int, pieces: float, costs: dict[str, float]) -> Remedy:
    """Return the remedy of ``pieces`` a day more on a leg."""
    a, b = (str(network.legs[name][leg]) for name in ("from_site", "to_site"))

    def build(given: Network) -> Network:
        room = "capacity_pieces_per_day"
        here = (pl.col("from_site").cast(pl.String) == a) & (pl.col("to_site").cast(pl.String) == b)
        more = pl.when(here).then(pl.col(room) + pieces).otherwise(pl.col(room)).alias(room)
        return given.with_tables(legs=given.legs.with_columns(more))

    return Remedy(f"{a}>{b} +{pieces:,.0f}", "capacity", pieces, pieces * costs["leg_piece"], build)


def more_site_capacity(network: Network, site: int, pieces: float, costs: dict[str, float]) -> Remedy:
    """Return the remedy of ``pieces`` a day more sorted at a site."""
    name = network.site_ids[site]

    def build(given: Network) -> Network:
        rate = "sort_pieces_per_h"
        hours = _column(given.sites, "sort_hours_per_day", 20.0)
        extra = np.where(np.array(given.site_ids) == name, pieces / hours, 0.0)
        return given.with_tables(sites=given.sites.with_columns(pl.col(rate) + pl.Series(extra)))

    return Remedy(f"{name} sorts +{pieces:,.0f}", "capacity", pieces, pieces * costs["site_piece"], build)


def new_leg(network: Network, a: str, b: str, pieces: float, costs: dict[str, float]) -> Remedy:
    """Return the remedy of a leg from ``a`` to ``b``, priced like the mean leg."""

    def build(given: Network) -> Network:
        mean = float(_column(given.legs, "cost_cny_per_piece", 0.0).mean())
        hours = float(_column(given.legs, "travel_h", 0.0).mean())
        row = {"from_site": a, "to_site": b, "cost_cny_per_piece": mean, "travel_h": hours}
        return _rebuilt(given, legs=[row | {"capacity_pieces_per_day": pieces}])

    return Remedy(f"new leg {a}>{b}", "leg", pieces, pieces * costs["leg_piece"], build)


def twin_site(network: Network, site: int, share: float, costs: dict[str, float]) -> Remedy:
    """Return the remedy of a second site beside one, with a share of its legs' and sorting capacity.

    The twin has legs where the site has some, and takes its area over when it is shut: a backup, or
    half of a split hub.
    """
    name, twin = network.site_ids[site], f"{network.site_ids[site]}+"
    room = "capacity_pieces_per_day"
    ends = network.legs.with_columns(pl.col("from_site", "to_site").cast(pl.String))
    touching = ends.filter((pl.col("from_site") == name) | (pl.col("to_site") == name))
    known = touching[room].fill_null(0.0) if room in touching.columns else pl.Series([0.0])
    legs = share * float(known.sum())
    rate = network.sites["sort_pieces_per_h"][site] if "sort_pieces_per_h" in network.sites.columns else None
    hours = float(_column(network.sites, "sort_hours_per_day", 20.0)[site])
    sorting = share * (rate or 0.0) * hours
    cost = costs["site"] + legs * costs["leg_piece"] + sorting * costs["site_piece"]

    def build(given: Network) -> Network:
        place = given.sites.with_columns(pl.col("site_id").cast(pl.String)).filter(pl.col("site_id") == name)
        at = place.row(0, named=True) | {"site_id": twin}
        if at.get("sort_pieces_per_h") is not None:
            at["sort_pieces_per_h"] = at["sort_pieces_per_h"] * share
        rows = []
        for row in touching.iter_rows(named=True):
            moved = {end: twin if row[end] == name else row[end] for end in ("from_site", "to_site")}
            less = {room: None if row.get(room) is None else row[room] * share}
            today = {"flow_pieces_per_day": 0.0} if "flow_pieces_per_day" in row else {}
            rows.append(row | moved | less | today)
        basis = "given"
        if given.areas is not None:
            own = given.areas.filter(pl.col("site").cast(pl.String) == name)
            basis = own["basis"].cast(pl.String)[0] if own.height else "given"
        areas = [{"site": name, "stand_in": twin, "share": 1.0, "basis": basis}]
        return _rebuilt(given, sites=[at], legs=rows, areas=areas)

    return Remedy(f"{twin} ({share:.0%} of {name})", "site", legs + sorting, cost, build)


def _column(frame: pl.DataFrame, name: str, default: float) -> np.ndarray:
    if name not in frame.columns:
        return np.full(frame.height, default)
    return frame[name].cast(pl.Float64).fill_null(default).to_numpy()


def _rebuilt(network: Network, **rows: list[dict[str, Any]]) -> Network:
    """Return the network with rows added to its tables; ids are text again while it is built."""
    tables = {}
    for name, frame in network.tables().items():
        if name == "sort_plan":  # of the network as it was
            continue
        plain = frame.with_columns(pl.col(pl.Enum).cast(pl.String))
        if rows.get(name):
            more = pl.DataFrame(rows[name], infer_schema_length=None)
            more = more.select(column for column in more.columns if column in plain.columns)
            casts = [pl.col(column).cast(plain.schema[column]) for column in more.columns]
            plain = pl.concat([plain, more.select(casts)], how="diagonal")
        tables[name] = plain
    if rows.get("areas") and "areas" not in tables:
        tables["areas"] = pl.DataFrame(rows["areas"])
    return build_network(tables, network.name)


def candidates(
    network: Network, cases: Sequence[Case], *, steps: Sequence[float] = (0.25, 0.5), most: int = 12
) -> tuple[Remedy, ...]:
    """Return remedies that the plans of closures point at.

    Parameters
    ----------
    network : Network
    cases : sequence of Case
        The closures that hurt: a few of the worst.
    steps : sequence of float
        Sizes of a twin, as shares of the site; legs grow by the first, in whole vehicles.
    most : int
        Candidates of each kind.
    """
    costs = remedy_costs()
    held: dict[tuple[str, str, str], float] = {}
    lacking: dict[tuple[str, str], float] = {}
    for case in cases:
        made = plan(network, case.outages(network), settings=PlanSettings(seconds=20.0))
        for row in made.leg_flows.filter(pl.col("load_share") >= FULL).iter_rows(named=True):
            key = ("leg", str(row["from_site"]), str(row["to_site"]))
            held[key] = held.get(key, 0.0) + (row["shadow_price_cny"] or 0.0) + 1e-6
        for row in made.site_loads.filter(pl.col("load_share") >= FULL).iter_rows(named=True):
            key = ("site", str(row["site_id"]), "")
            held[key] = held.get(key, 0.0) + (row["shadow_price_cny"] or 0.0) + 1e-6
        shut = {network.site_ids[row] for row in case.sites}
        for row in made.unserved.iter_rows(named=True):
            ends = str(row["from_site"]), str(row["to_site"])
            if not shut & set(ends):
                lacking[ends] = lacking.get(ends, 0.0) + row["pieces"]
    full = sorted(held, key=lambda key: (-held[key], key))[:most]
    found = [_capacity(network, key, steps[0], costs) for key in full]
    there = set(network.legs.select(pl.col("from_site", "to_site").cast(pl.String)).iter_rows())
    wanted = [ends for ends in lacking if ends not in there and lacking[ends] >= 1.0]
    wanted = sorted(wanted, key=lambda ends: (-lacking[ends], ends))[:most]
    for ends in wanted:
        found.append(new_leg(network, *ends, _lorries(lacking[ends] / len(cases), PIECES_PER_PASS), costs))
    sites = list(dict.fromkeys(row for case in cases for row in case.sites))[:most]
    found += [twin_site(network, site, share, costs) for site in sites for share in steps]
    return tuple(one for one in found if one is not None and one.size > 0.0)


def _capacity(
    network: Network, key: tuple[str, str, str], step: float, costs: dict[str, float]
) -> Remedy | None:
    kind, a, b = key
    if kind == "site":
        site = network.site_ids.index(a)
        rate = _column(network.sites, "sort_pieces_per_h", 0.0)[site]
        hours = _column(network.sites, "sort_hours_per_day", 20.0)[site]
        return more_site_capacity(network, site, step * rate * hours, costs) if rate > 0.0 else None
    ends = network.legs.select(pl.col("from_site", "to_site").cast(pl.String)).rows()
    leg = ends.index((a, b)) if (a, b) in ends else None
    if leg is None:
        return None
    room = _column(network.legs, "capacity_pieces_per_day", 0.0)[leg]
    vehicle = _column(network.legs, "vehicle_pieces", PIECES_PER_PASS)[leg]
    return more_leg_capacity(network, leg, _lorries(step * room, vehicle), costs) if room > 0.0 else None


def _lorries(pieces: float, vehicle: float) -> float:
    """Return what whole vehicles carry, one at least: nobody adds two pieces to a leg."""
    return max(1.0, float(np.ceil(pieces / vehicle))) * vehicle


def what_would_help(
    network: Network,
    cases: Sequence[Case],
    *,
    remedies: Iterable[Remedy] | None = None,
    weights: Sequence[float] | None = None,
    demand_factors: Sequence[float] = (1.0,),
    settings: StressSettings | None = None,
    executor: Executor | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> pl.DataFrame:
    """Rank remedies by the pieces they save for their money.

    Parameters
    ----------
    network : Network
    cases : sequence of Case
        The closures to be ready for.
    remedies : iterable of Remedy, optional
        By default those the plans of the first five cases point at.
    weights : sequence of float, optional
        How likely each case is, relative; equal by default.
    demand_factors : sequence of float
        Demands to be ready for, as multiples: the forecast and its error. Losses are means over them,
        ``least_gain`` is the expected gain under the least favourable one.
    settings : StressSettings, optional
    executor : Executor, optional
    progress : callable, optional
        Called with (stage, share).

    Returns
    -------
    polars.DataFrame
        Columns as ``SCHEMA``: losses in pieces a day, gains in pieces saved a day of closure for one
        CNY a day. A remedy that could not be tried has its error and no gain.
    """
    weight = np.ones(len(cases)) if weights is None else np.asarray(weights, np.float64)
    if not len(cases):
        raise UsageError("There is no case to be ready for.")
    if len(weight) != len(cases) or not (weight >= 0.0).all() or weight.sum() <= 0.0:
        raise InputError([Problem("out-of-range", f"{weights!r} are no weights of {len(cases)} cases.")])
    if not demand_factors or not all(0.0 < factor < np.inf for factor in demand_factors):
        raise InputError([Problem("out-of-range", f"{demand_factors!r}: demand factors lie above 0.")])
    weight = weight / weight.sum()
    chosen = tuple(candidates(network, cases[:5]) if remedies is None else remedies)
    options = settings or StressSettings(worst=max(1, len(cases)))

    def losses(given: Network) -> np.ndarray:
        """Return pieces left behind, (factors, cases)."""
        return np.array([_losses(_scaled(given, f), cases, options, executor) for f in demand_factors])

    before, rows = losses(network), []
    for k, remedy in enumerate(chosen):
        if progress is not None:
            progress("remedies", k / len(chosen))
        row = {
            "remedy": remedy.name, "kind": remedy.kind, "size_pieces": remedy.size,
            "cost_cny_per_day": remedy.cost, "cost_provenance": "assumed",
            "expected_before": float((before @ weight).mean()), "worst_before": float(before.max()),
        }  # fmt: skip
        try:
            after = losses(remedy.build(network))
        except Exception as error:
            rows.append(row | {"error": f"{type(error).__name__}: {error}"})
            continue
        gains = (before - after) @ weight
        row |= {
            "expected_after": float((after @ weight).mean()),
            "worst_after": float(after.max()),
            "expected_gain_per_cny": float(gains.mean()) / remedy.cost,
            "worst_gain_per_cny": float(before.max() - after.max()) / remedy.cost,
            "least_gain": float(gains.min()),
        }
        rows.append(row)
    frame = pl.DataFrame(rows, schema={name: kind for name, kind in SCHEMA.items() if name != "rank"})
    ranked = frame.sort("expected_gain_per_cny", "remedy", descending=[True, False], nulls_last=True)
    return ranked.with_row_index("rank", 1).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _scaled(network: Network, factor: float) -> Network:
    if factor == 1.0:
        return network
    pieces = pl.col("pieces_per_day")
    return network.with_tables(demand=network.demand.with_columns(pieces * factor))


def _losses(
    network: Network, cases: Sequence[Case], options: StressSettings, executor: Executor | None
) -> list[float]:
    """Return the pieces each case leaves behind; rows of the old network stay rows of the new one."""
    result = stress_test(network, list(cases), settings=options, executor=executor or InProcess())
    if result.failed.height:
        raise RuntimeError(str(result.failed["error"][0]))
    left = result.cases.select(pl.coalesce("unserved_pieces", "unserved_least")).to_series()
    return [float(value) for value in left]
