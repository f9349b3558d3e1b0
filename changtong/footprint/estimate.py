"""Estimate the greenhouse gases of a network's day, or a plan's, by ISO 14083:2023."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InternalError, UsageError
from changtong.footprint.elements import BASES, UNKNOWN, Elements, make_elements
from changtong.footprint.factors import Factors, read_factors
from changtong.footprint.intervals import interval
from changtong.footprint.lanes import KG_PER_T, Loads, load, weigh_lanes, weights_used
from changtong.footprint.packaging import assess_packaging
from changtong.footprint.result import Footprint
from changtong.footprint.statement import ALLOCATION, DISTANCE
from changtong.network.model import Network
from changtong.routes import Routes, check_routes, pairs_of, routes_in_force
from changtong.structure import class_table, column

Floats = NDArray[np.float64]
LANES = (
    "pieces_per_day", "travelled_km", "ttw_kgco2e", "kgco2e", "low_kgco2e", "high_kgco2e", "g_per_piece",
)  # fmt: skip
SUMS_AGREE = 1e-6
"""Share by which lanes may differ from legs and hubs: rounding of eight million sums."""


def estimate_carbon(
    network: Network,
    *,
    routes: Routes | None = None,
    held_local: pl.DataFrame | None = None,
    factors: Factors | str | os.PathLike[str] | None = None,
    distance: str = "shortest_feasible",
    allocation: str = "tonne_km",
    packaging: str | os.PathLike[str] | pl.DataFrame | None = None,
    name: str | None = None,
) -> Footprint:
    """Estimate the greenhouse gases of every leg, lane and site in a day.

    Parameters
    ----------
    network : Network
    routes : Routes, optional
        Of a plan; those in force without.
    held_local : polars.DataFrame, optional
        Pieces that wait where they begin and end (from_site, to_site, pieces), as a plan's ``unserved``;
        rows between different sites are passed over, the routes know them.
    factors : Factors or path, optional
        Factors, or a folder of tables over those shipped.
    distance : {"shortest_feasible", "great_circle"}
        Transport activity distance; a leg that lacks it takes the other.
    allocation : {"tonne_km", "piece"}
        Load rule: by weight and distance, or all pieces on a leg alike. They differ only where classes
        weigh differently.
    packaging : path or polars.DataFrame, optional
        Observed packaging indicators; see :func:`changtong.footprint.packaging.assess_packaging`.
    name : str, optional

    Returns
    -------
    Footprint

    Raises
    ------
    InputError
        Factors or packaging with problems, routes of another network, a leg's unknown ``carbon_factor``.
    UsageError
        An unknown distance or load rule.
    InternalError
        Lanes that do not add up to legs and hubs.

    Examples
    --------
    >>> from changtong.network.io import read_network
    >>> print(estimate_carbon(read_network("examples/tiny")))  # doctest: +SKIP
    """
    for word, known in ((distance, DISTANCE), (allocation, ALLOCATION)):
        if word not in known:
            raise UsageError(f"Unknown {word!r}; known: {', '.join(known)}.")
    used = factors if isinstance(factors, Factors) else read_factors(factors)
    compared = None if packaging is None else assess_packaging(packaging, used)
    pairs = pairs_of(network)
    if routes is None:
        routes = routes_in_force(network, pairs)
    else:
        check_routes(network, routes)
    elements = make_elements(network, used, (routes.extra_tail, routes.extra_head), distance=distance)
    weights = class_weights(network, used)
    apart = len(routes.next_leg) > 1 or bool((weights != weights[0]).any())
    held = _held(network, held_local)
    loads = load(routes, pairs, elements, np.maximum(0.0, pairs.local - held), apart=apart)
    weights = weights if apart else weights[:1]
    forms = elements.inputs.forms(len(elements.names))
    tonnes = weights_used(loads, weights, by_piece=allocation == "piece")
    leg_frame, leg_groups = _legs(network, elements, loads, weights, forms)
    site_frame, hub_groups = _sites(network, elements, loads, weights, forms)
    lanes = _lanes(network, loads, elements, routes, tonnes, forms)
    total = _total(elements, leg_frame, leg_groups, hub_groups, forms)
    _check_sums(lanes, total)
    facts = _facts(network, used, elements, loads, leg_frame) | {
        "distance": distance,
        "allocation": allocation,
        "held_pieces": float(pairs.pieces.sum(dtype=np.float64) - loads.volume.sum() + held.sum()),
    }
    name = name or network.name
    return Footprint(name, facts, leg_frame, lanes, site_frame, total, used, compared)


def class_weights(network: Network, factors: Factors) -> Floats:
    """Return the weight of a piece of each class, kg, by rank."""
    table = dict(factors.weights.select("service_class", "value").iter_rows())
    classes = class_table(network)["service_class"].cast(pl.String)
    return np.array([table.get(name, table["all"]) for name in classes], float)


def _held(network: Network, frame: pl.DataFrame | None) -> Floats:
    """Return pieces that wait at the site where they begin and end."""
    held = np.zeros(network.sites.height)
    if frame is None or not frame.height:
        return held
    ends = [frame[end].cast(pl.String) for end in ("from_site", "to_site")]
    here = frame.filter(ends[0] == ends[1])
    rows = here["from_site"].cast(pl.String).cast(network.site_type).to_physical().to_numpy()
    np.add.at(held, rows, here["pieces"].cast(pl.Float64).to_numpy())
    return held


def _ids(network: Network, rows: NDArray[np.integer]) -> pl.Series:
    return pl.Series(rows.astype(np.uint32)).cat.to(network.site_type)


def _by_group(amount: Floats, group: NDArray[np.integer], groups: int) -> Floats:
    out = np.zeros((len(amount), groups))
    out[np.arange(len(amount)), group] = amount
    return out


def _per(amount: Floats, of: Floats, times: float = 1.0) -> pl.Series:
    """Return an amount over another, empty where that is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return pl.Series(np.where(of > 0.0, amount * times / of, np.nan), nan_to_null=True)


def _legs(
    network: Network, elements: Elements, loads: Loads, weights: Floats, forms: Floats
) -> tuple[pl.DataFrame, Floats]:
    """Return the legs' frame, and kg by group."""
    pieces, tonnes = loads.leg.sum(axis=0), weights @ loads.leg / KG_PER_T
    kg = tonnes * elements.wtw
    groups = _by_group(kg, elements.group, len(elements.names))
    low, high = interval(groups, forms)
    n, extra = network.legs.height, len(pieces) - network.legs.height
    mode = [*network.legs["mode"].cast(pl.String), *["take_over"] * extra]
    stated = np.append(column(network.legs, "kgco2e_per_piece", np.nan), np.full(extra, np.nan))
    known = elements.basis != UNKNOWN
    frame = pl.DataFrame(
        {
            "from_site": _ids(network, elements.tail),
            "to_site": _ids(network, elements.head),
            "mode": pl.Series(mode, dtype=pl.String),
            "factor": pl.Series(elements.factor, dtype=pl.String),
            "basis": pl.Series([BASES[base] for base in elements.basis], dtype=pl.String),
            "distance_km": pl.Series(np.where(known, elements.km, np.nan), nan_to_null=True),
            "travelled_km": pl.Series(np.where(known, elements.travelled_km, np.nan), nan_to_null=True),
            "pieces_per_day": pieces,
            "tonnes_per_day": tonnes,
            "activity_tkm": tonnes * elements.km,
            "ttw_kgco2e": tonnes * elements.ttw,
            "wtt_kgco2e": kg - tonnes * elements.ttw,
            "kgco2e": kg,
            "low_kgco2e": low,
            "high_kgco2e": high,
            "g_per_piece": _per(kg, pieces, 1000.0),
            "stated_kgco2e": pl.Series(stated * pieces, nan_to_null=True),
        }
    )
    assert frame.height == n + extra
    return frame, groups


def _sites(
    network: Network, elements: Elements, loads: Loads, weights: Floats, forms: Floats
) -> tuple[pl.DataFrame, Floats]:
    """Return the sites' frame, and kg by group."""
    pieces, tonnes = loads.hub.sum(axis=0), weights @ loads.hub / KG_PER_T
    groups = tonnes[:, None] * elements.hub
    low, high = interval(groups, forms)
    kind = (
        network.sites["kind"].cast(pl.String)
        if "kind" in network.sites.columns
        else pl.Series([None] * network.sites.height, dtype=pl.String)
    )
    frame = pl.DataFrame(
        {
            "site_id": network.sites["site_id"], "kind": kind, "factor_known": elements.hub_known,
            "pieces_per_day": pieces, "tonnes_per_day": tonnes, "kgco2e": groups.sum(axis=1),
            "low_kgco2e": low, "high_kgco2e": high,
        }
    )  # fmt: skip
    return frame, groups


def _lanes(
    network: Network, loads: Loads, elements: Elements, routes: Routes, tonnes: tuple[Floats, Floats],
    forms: Floats,
) -> pl.DataFrame:  # fmt: skip
    """Return the lanes: pairs by destination, then what stays at its site."""
    here = np.flatnonzero(loads.local.sum(axis=0) > 0.0)
    out = weigh_lanes(routes, loads, elements, tonnes, forms, len(here))
    n = len(loads.origin)
    carried = (loads.local * tonnes[1]).sum(axis=0)[here]
    groups = carried[:, None] * elements.hub[here]
    pieces, kg, none = loads.local.sum(axis=0)[here], groups.sum(axis=1), np.zeros(len(here))
    out[:, n:] = np.stack([pieces, none, none, kg, *interval(groups, forms), 1000.0 * kg / pieces])
    start = np.concatenate([loads.origin, here]).astype(np.uint32)
    end = np.concatenate([np.repeat(loads.dest, np.diff(loads.first[:-1])), here]).astype(np.uint32)
    still = bool((out[0] <= 0.0).any())  # pairs of which nothing moves have no km and no g a piece
    return pl.DataFrame(
        {
            "from_site": _ids(network, start),
            "to_site": _ids(network, end),
            **{name: pl.Series(row, nan_to_null=still) for name, row in zip(LANES, out, strict=True)},
        }
    )


def _total(
    elements: Elements, legs: pl.DataFrame, leg_groups: Floats, hub_groups: Floats, forms: Floats
) -> pl.DataFrame:
    """Return the parts of the total: every factor, every kind of hub, both sums and the total."""
    of_legs, of_hubs = leg_groups.sum(axis=0), hub_groups.sum(axis=0)
    ttw = np.bincount(elements.group, legs["ttw_kgco2e"].to_numpy(), len(elements.names))
    rows: list[dict[str, Any]] = []

    def add(part: str, name: str, kg: Floats, tank: float | None) -> None:
        low, high = interval(kg, forms)
        whole = float(kg.sum())
        rows.append(
            {
                "part": part, "name": name, "ttw_kgco2e": tank,
                "wtt_kgco2e": None if tank is None else whole - tank, "kgco2e": whole,
                "low_kgco2e": float(low), "high_kgco2e": float(high),
            }
        )  # fmt: skip

    for k, name in enumerate(elements.names):
        kg = np.zeros(len(elements.names))
        kg[k] = of_legs[k] + of_hubs[k]
        hub = name.startswith("hub:")
        add("hub" if hub else "leg", name.removeprefix("hub:"), kg, None if hub else float(ttw[k]))
    add("transport", "all", of_legs, float(ttw.sum()))
    add("hubs", "all", of_hubs, None)
    add("total", "all", of_legs + of_hubs, None)
    kinds = dict.fromkeys(("part", "name"), pl.String()) | dict.fromkeys(
        ("ttw_kgco2e", "wtt_kgco2e", "kgco2e", "low_kgco2e", "high_kgco2e"), pl.Float64()
    )
    whole = rows[-1]["kgco2e"]
    return pl.DataFrame(rows, schema=kinds).with_columns(
        share=pl.col("kgco2e") / whole if whole > 0.0 else pl.lit(0.0)
    )


def _check_sums(lanes: pl.DataFrame, total: pl.DataFrame) -> None:
    """Compare the lanes with legs and hubs, which were added up another way."""
    one, other = float(lanes["kgco2e"].sum()), float(total["kgco2e"][-1])
    if abs(one - other) > SUMS_AGREE * max(one, other):
        raise InternalError(f"lanes add up to {one} kg CO2e, legs and hubs to {other}.")


def _facts(
    network: Network, factors: Factors, elements: Elements, loads: Loads, legs: pl.DataFrame
) -> dict[str, Any]:
    passed = legs["pieces_per_day"].to_numpy()
    used = sorted({name for name, some in zip(elements.factor, passed > 0.0, strict=True) if name and some})
    stated = factors.transport.filter(pl.col("empty_running") == "not_stated")["factor"].to_list()
    visited = loads.hub.sum(axis=0) > 0.0
    moved = float(loads.volume.sum() - loads.lost + loads.local.sum())
    cost = column(network.legs, "cost_cny_per_piece", 0.0)
    own = float(legs["stated_kgco2e"].sum()) if legs["stated_kgco2e"].null_count() < legs.height else None
    return {
        "moved_pieces": moved,
        "lost_pieces": float(loads.lost),
        "activity_tkm": float(legs["activity_tkm"].sum()),
        "cost_cny": float(passed[: len(cost)] @ cost) if cost.any() else None,
        "stated_kgco2e": own,
        "pieces_on_unknown_legs": float(passed[elements.basis == UNKNOWN].sum()),
        "hubs_known": int((visited & elements.hub_known).sum()),
        "hubs_unknown": int((visited & ~elements.hub_known).sum()),
        "factors_used": used,
        "empty_running_not_stated": [name for name in used if name in stated],
        "inputs_without_interval": list(elements.inputs.unknown),
        "assumed_inputs": _assumed(factors, elements, legs),
    }


def _assumed(factors: Factors, elements: Elements, legs: pl.DataFrame) -> list[str]:
    """Return what of the inputs used nobody published: assumed, or made up as an example."""
    guess = pl.col("kind").is_in(["assumed", "example"])
    found = [f"weight {row}" for row in factors.weights.filter(guess)["service_class"]]
    modes = set(legs.filter(pl.col("pieces_per_day") > 0.0)["mode"])
    if factors.vehicles.filter(guess & pl.col("mode").is_in(list(modes))).height:
        found.append("vehicle by size")
    tables = {
        "factor": [str(name) for name in factors.transport.filter(guess)["factor"]],
        "distance": [
            f"{m} {b}" for m, b in factors.distance.filter(guess).select("mode", "basis").iter_rows()
        ],
        "hub": [f"{k} {u}" for k, u in factors.hubs.filter(guess).select("site_kind", "unit").iter_rows()],
        "energy": [str(name) for name in factors.energy.filter(guess)["energy"]],
    }
    wanted = set(elements.inputs.names)
    return found + [f"{of} {one}" for of, some in tables.items() for one in some if f"{of} {one}" in wanted]
