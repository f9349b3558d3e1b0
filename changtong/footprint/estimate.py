"""Estimate the greenhouse gases of a network's day, or a plan's, by ISO 14083:2023."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InternalError, UsageError
from changtong.footprint.breakdown import Sums, break_down, find_range
from changtong.footprint.elements import BASES, UNKNOWN, Elements, make_elements
from changtong.footprint.factors import Factors, read_factors
from changtong.footprint.intervals import interval
from changtong.footprint.lanes import KG_PER_T, Loads, load, weigh_lanes, weights_used
from changtong.footprint.names import WORDS, names_of
from changtong.footprint.packaging import assess_packaging
from changtong.footprint.result import Footprint
from changtong.footprint.statement import ALLOCATION, DISTANCE
from changtong.network.model import Network
from changtong.routes import Routes, check_routes, pairs_of, routes_in_force
from changtong.structure import class_table, column
from changtong.wording import Both

Floats = NDArray[np.float64]
LANES = (
    "pieces_per_day", "travelled_km", "ttw_kgco2e", "kgco2e", "low_kgco2e", "high_kgco2e", "g_per_piece",
)  # fmt: skip
FIGURES = ("kgco2e", "low_kgco2e", "high_kgco2e")
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
    leg_tonnes, hub_tonnes = (weights @ passing / KG_PER_T for passing in (loads.leg, loads.hub))
    sums = _sums(elements, loads, leg_tonnes, hub_tonnes, forms)
    leg_frame = _legs(network, elements, loads, leg_tonnes, sums)
    site_frame = _sites(network, elements, loads, hub_tonnes, sums)
    lanes = _lanes(network, loads, elements, routes, tonnes, forms)
    total = _total(elements, used, sums)
    _check_sums(lanes, total)
    facts = _facts(network, used, elements, loads, leg_frame) | {
        "distance": distance,
        "allocation": allocation,
        "held_pieces": float(pairs.pieces.sum(dtype=np.float64) - loads.volume.sum() + held.sum()),
    }
    name = name or network.name
    return Footprint(
        name=name, facts=facts, legs=leg_frame, lanes=lanes, sites=site_frame, total=total,
        breakdown=break_down(used, elements, sums), inputs=find_range(elements, used, sums), factors=used,
        packaging=compared,
    )  # fmt: skip


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


def _sums(elements: Elements, loads: Loads, leg_tonnes: Floats, hub_tonnes: Floats, forms: Floats) -> Sums:
    return Sums(
        leg=_by_group(leg_tonnes * elements.wtw, elements.group, len(elements.names)),
        hub=hub_tonnes[:, None] * elements.hub,
        leg_ttw=leg_tonnes * elements.ttw,
        leg_tkm=leg_tonnes * elements.km,
        leg_used=loads.leg.sum(axis=0) > 0.0,
        hub_used=loads.hub.sum(axis=0) > 0.0,
        forms=forms,
    )


def _known(amount: Floats, known: NDArray[np.bool_]) -> pl.Series:
    """Return an amount, empty where it is not known: 0 would pass for clean."""
    return pl.Series(np.where(known, amount, np.nan), nan_to_null=True)


def _legs(network: Network, elements: Elements, loads: Loads, tonnes: Floats, sums: Sums) -> pl.DataFrame:
    """Return the legs' frame."""
    pieces, kg = loads.leg.sum(axis=0), sums.leg.sum(axis=1)
    low, high = interval(sums.leg, sums.forms)
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
            "distance_km": _known(elements.km, known),
            "travelled_km": _known(elements.travelled_km, known),
            "pieces_per_day": pieces,
            "tonnes_per_day": tonnes,
            "activity_tkm": _known(sums.leg_tkm, known),
            "ttw_kgco2e": _known(sums.leg_ttw, known),
            "wtt_kgco2e": _known(kg - sums.leg_ttw, known),
            "kgco2e": _known(kg, known),
            "low_kgco2e": _known(low, known),
            "high_kgco2e": _known(high, known),
            "g_per_piece": _per(np.where(known, kg, np.nan), pieces, 1000.0),
            "stated_kgco2e": pl.Series(stated * pieces, nan_to_null=True),
        }
    )
    assert frame.height == n + extra
    return frame


def _sites(network: Network, elements: Elements, loads: Loads, tonnes: Floats, sums: Sums) -> pl.DataFrame:
    """Return the sites' frame."""
    low, high = interval(sums.hub, sums.forms)
    kind = (
        network.sites["kind"].cast(pl.String)
        if "kind" in network.sites.columns
        else pl.Series([None] * network.sites.height, dtype=pl.String)
    )
    known = elements.hub_known
    return pl.DataFrame(
        {
            "site_id": network.sites["site_id"], "kind": kind, "factor_known": known,
            "pieces_per_day": loads.hub.sum(axis=0), "tonnes_per_day": tonnes,
            "kgco2e": _known(sums.hub.sum(axis=1), known), "low_kgco2e": _known(low, known),
            "high_kgco2e": _known(high, known),
        }
    )  # fmt: skip


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


def _total(elements: Elements, factors: Factors, sums: Sums) -> pl.DataFrame:
    """Return the parts of the total: every factor, every kind of hub, both sums and the total.

    Where no hub that is passed has a figure, the row of hubs is empty.
    """
    of_legs, of_hubs = sums.leg.sum(axis=0), sums.hub.sum(axis=0)
    ttw = np.bincount(elements.group, sums.leg_ttw, len(elements.names))
    names, rows = names_of(factors), list[dict[str, Any]]()

    def add(part: str, name: str, called: Both, kg: Floats, tank: float | None) -> None:
        low, high = interval(kg, sums.forms)
        whole = float(kg.sum())
        rows.append(
            {
                "part": part, "name": name, "name_zh": called.zh, "name_en": called.en, "ttw_kgco2e": tank,
                "wtt_kgco2e": None if tank is None else whole - tank, "kgco2e": whole,
                "low_kgco2e": float(low), "high_kgco2e": float(high),
            }
        )  # fmt: skip

    for k, (name, factor) in enumerate(zip(elements.names, elements.group_factor, strict=True)):
        kg = np.zeros(len(elements.names))
        kg[k] = of_legs[k] + of_hubs[k]
        part, tank = ("leg", float(ttw[k])) if factor else ("hub", None)
        add(part, name.removeprefix("hub:"), names.group(name, factor), kg, tank)
    add("transport", "all", WORDS["transport"], of_legs, float(ttw.sum()))
    add("hubs", "all", WORDS["hubs"], of_hubs, None)
    if not (sums.hub_used & elements.hub_known).any():
        rows[-1] |= dict.fromkeys(FIGURES)
    add("total", "all", WORDS["total"], of_legs + of_hubs, None)
    kinds = dict.fromkeys(("part", "name", "name_zh", "name_en"), pl.String()) | dict.fromkeys(
        ("ttw_kgco2e", "wtt_kgco2e", *FIGURES), pl.Float64()
    )
    whole = rows[-1]["kgco2e"]
    share = pl.col("kgco2e") / whole if whole > 0.0 else pl.col("kgco2e") * 0.0
    return pl.DataFrame(rows, schema=kinds).with_columns(share=share)


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
