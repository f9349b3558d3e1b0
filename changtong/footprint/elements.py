"""Transport chain elements: what a tonne costs the climate on every leg and in every hub."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.footprint.factors import Factors
from changtong.footprint.intervals import Inputs
from changtong.network.model import Network
from changtong.network.reference_places import great_circle_km
from changtong.structure import column

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

BASES = ("shortest_feasible", "great_circle", "unknown")
UNKNOWN = 2
VEHICLE_PIECES = 4000.0
"""Vehicle of take-over ways, which have no row: the default of legs (docs/tables.md)."""


@dataclass(frozen=True)
class Elements:
    """Legs and hubs as transport chain elements.

    Attributes
    ----------
    tail, head : array of int32, (legs,)
        Legs of the network, then take-over ways.
    mode : array of str, (legs,)
        Means of transport; take-over ways go by road.
    basis : array of int, (legs,)
        Which distance is known: row of ``BASES``.
    factor : list of str
        Transport operation category of each leg; empty where unknown.
    km, travelled_km : array, (legs,)
        Transport activity distance, and distance travelled (times the adjustment factor).
    group : array of int32, (legs,)
        Group of inputs that scale the leg.
    ttw, wtw : array, (legs,)
        kg CO2e a tonne: tank to wheel, well to wheel; 0 where unknown.
    hub : array, (sites, groups)
        kg CO2e a tonne that passes.
    hub_known : array of bool, (sites,)
    kind : array of str, (sites,)
    names : tuple of str
        Of the groups; those of hubs begin with ``hub:``.
    group_factor : tuple of str
        Transport operation category of each group; empty for hubs.
    inputs : Inputs
    """

    tail: Ints
    head: Ints
    mode: NDArray[np.str_]
    basis: NDArray[np.int8]
    factor: list[str]
    km: Floats
    travelled_km: Floats
    group: Ints
    ttw: Floats
    wtw: Floats
    hub: Floats
    hub_known: NDArray[np.bool_]
    kind: NDArray[np.str_]
    names: tuple[str, ...]
    group_factor: tuple[str, ...]
    inputs: Inputs


def transport_row(row: dict[str, float | str | None]) -> tuple[float, float, float]:
    """Return tank to wheel, well to wheel, and what empty running multiplies both by.

    Examples
    --------
    A fifth of the kilometres empty, an empty one at 0.7 of a laden one: for each laden kilometre a quarter
    of an empty one is driven.

    >>> row = {"ttw": 0.08, "wtt": 0.02, "empty_running": "excluded"}
    >>> row |= {"empty_km_share": 0.2, "empty_ratio": 0.7}
    >>> [round(value, 6) for value in transport_row(row)]
    [0.094, 0.1175, 1.175]
    """
    ttw, wtt = float(row["ttw"] or 0.0), float(row["wtt"] or 0.0)
    more = 1.0
    if row["empty_running"] == "excluded":
        share, ratio = float(row["empty_km_share"] or 0.0), float(row["empty_ratio"] or 0.0)
        more += share / (1.0 - share) * ratio
    return ttw * more, (ttw + wtt) * more, more


def make_elements(
    network: Network, factors: Factors, ways: tuple[Ints, Ints], *, distance: str = "shortest_feasible"
) -> Elements:
    """Return the elements of a network.

    Parameters
    ----------
    network : Network
    factors : Factors
    ways : pair of arrays of int32
        Sites that take-over ways join, behind the network's legs.
    distance : {"shortest_feasible", "great_circle"}
        Which distance comes first; a leg that lacks it takes the other.

    Raises
    ------
    InputError
        A leg's ``carbon_factor`` is no factor; ``nothing-to-count``.
    """
    legs, n_extra = network.legs, len(ways[0])
    tail = np.concatenate([legs["from_site"].to_physical().to_numpy().astype(np.int32), ways[0]])
    head = np.concatenate([legs["to_site"].to_physical().to_numpy().astype(np.int32), ways[1]])
    mode = np.array([*legs["mode"].cast(pl.String).fill_null("road"), *["road"] * n_extra], str)
    kind = _kinds(network)
    stated = np.append(column(legs, "distance_km", np.nan), np.full(n_extra, np.nan))
    basis, km, travelled = _distances(network, factors, (tail, head, stated), mode, distance)
    names = _leg_factors(network, factors, mode)
    rows = {row["factor"]: row for row in factors.transport.to_dicts()}
    known = (basis != UNKNOWN) & np.array([name != "" for name in names], bool)
    basis = np.where(known, basis, UNKNOWN)
    values = {name: transport_row(row) for name, row in rows.items()}
    ttw, wtw = (np.array([values[name][k] if name else 0.0 for name in names]) for k in (0, 1))
    inputs, keys = Inputs(), dict[tuple[str, str, int], int]()
    triples = list(zip(names, mode.tolist(), basis.tolist(), strict=True))
    for key in sorted({one for one, some in zip(triples, known, strict=True) if some}):
        keys[key] = len(keys)
        _note_leg_inputs(inputs, factors, rows[key[0]], key, keys[key])
    group = np.array([keys.get(one, 0) for one in triples], np.int32)
    labels = [f"{name} ({BASES[base]})" for name, _, base in keys]
    theirs = [name for name, _, _ in keys]
    hub, hub_known, labels = _hubs(kind, factors, inputs, labels)
    if not labels:
        text = "No leg has a distance and a factor, and no site a figure for hubs: nothing can be counted."
        expected = "distance_km of legs, or lon and lat of sites"
        raise InputError([Problem("nothing-to-count", text, "legs", expected=expected)])
    for k in range(len(labels)):
        inputs.add("weight", _weight(factors), k)
    travelled = np.where(known, travelled, 0.0)
    names = [name if some else "" for name, some in zip(names, known, strict=True)]
    return Elements(
        tail, head, mode, basis.astype(np.int8), names,
        np.where(known, km, 0.0), travelled, group, ttw * travelled, wtw * travelled, hub, hub_known, kind,
        tuple(labels), (*theirs, *[""] * (len(labels) - len(theirs))), inputs,
    )  # fmt: skip


def _distances(
    network: Network, factors: Factors, legs: tuple[Ints, Ints, Floats], mode: NDArray[np.str_], first: str
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return which distance is known, the distance, and the distance travelled."""
    tail, head, stated = legs
    lon, lat = column(network.sites, "lon", np.nan), column(network.sites, "lat", np.nan)
    circle = great_circle_km(lon[tail], lat[tail], lon[head], lat[head])
    table = {
        (row["mode"], row["basis"]): (row["value"], row["plus_km"]) for row in factors.distance.to_dicts()
    }
    km = np.stack([stated, circle])
    kinds, kind = np.unique(mode, return_inverse=True)
    rules = np.array(
        [[table.get((str(one), base), (np.nan, 0.0)) for one in kinds] for base in BASES[:2]], float
    )
    adjust, plus = rules[:, kind, 0], rules[:, kind, 1]
    there = np.isfinite(km) & np.isfinite(adjust)
    order = (0, 1) if first == BASES[0] else (1, 0)
    basis = np.where(there[order[0]], order[0], np.where(there[order[1]], order[1], UNKNOWN))
    at = np.minimum(basis, 1), np.arange(len(stated))
    return basis, np.nan_to_num(km[at]), np.nan_to_num(km[at] * adjust[at] + plus[at])


def _leg_factors(network: Network, factors: Factors, mode: NDArray[np.str_]) -> list[str]:
    """Return each leg's factor: its own ``carbon_factor``, or that of its mode and vehicle; empty: none."""
    legs, n_extra = network.legs, len(mode) - network.legs.height
    size = np.append(column(legs, "vehicle_pieces", VEHICLE_PIECES), np.full(n_extra, VEHICLE_PIECES))
    out = np.full(len(mode), "", dtype=object)
    for row in factors.vehicles.sort("most_vehicle_pieces", descending=True).to_dicts():
        out[(mode == row["mode"]) & (size <= row["most_vehicle_pieces"])] = row["factor"]
    if "carbon_factor" in legs.columns:
        own = legs["carbon_factor"].cast(pl.String).fill_null("").to_list()
        known = set(factors.transport["factor"])
        wrong = [(row, name) for row, name in enumerate(own, 1) if name and name not in known]
        if wrong:
            raise InputError(
                Problem(
                    "unknown-factor", f"{name!r} is no factor.", "legs", row, "carbon_factor",
                    expected=", ".join(sorted(known)),
                )
                for row, name in wrong
            )  # fmt: skip
        some = np.array([name != "" for name in own] + [False] * n_extra, bool)
        out[some] = [name for name in own if name]
    return [str(name) for name in out]


def _note_leg_inputs(
    inputs: Inputs, factors: Factors, row: dict[str, float | None], key: tuple[str, str, int], group: int
) -> None:
    name, mode, basis = key
    value = float(row["ttw"] or 0.0) + float(row["wtt"] or 0.0)
    inputs.add(f"factor {name}", {"value": value, "low": row["low"], "high": row["high"]}, group)
    found = factors.distance.filter((pl.col("mode") == mode) & (pl.col("basis") == BASES[basis]))
    if basis != 0 or found["value"][0] != 1.0:  # by definition 1 has no interval
        inputs.add(f"distance {mode} {BASES[basis]}", found.to_dicts()[0], group)


def _kinds(network: Network) -> NDArray[np.str_]:
    """Return the kind of every site; sorting, the default of the table, where none is given."""
    if "kind" not in network.sites.columns:
        return np.full(network.sites.height, "sorting")
    return np.array(network.sites["kind"].cast(pl.String).fill_null("sorting").to_list(), str)


def _hubs(
    kind: NDArray[np.str_], factors: Factors, inputs: Inputs, labels: list[str]
) -> tuple[Floats, NDArray[np.bool_], list[str]]:
    """Return kg a tonne of every site by group, whether a figure is known, and the names of all groups."""
    known = np.zeros(len(kind), bool)
    energy = {row["energy"]: row for row in factors.energy.to_dicts()}
    columns: list[Floats] = []
    for row in factors.hubs.filter(pl.col("value").is_not_null()).to_dicts():
        some = kind == row["site_kind"]
        if not some.any():
            continue
        known |= some
        group, per_t = len(labels), float(row["value"])
        labels = [*labels, f"hub:{row['site_kind']}:{row['unit']}"]
        inputs.add(f"hub {row['site_kind']} {row['unit']}", row, group)
        if row["unit"] == "kwh/t":
            if "electricity" not in energy:
                problem = Problem("no-energy", "a hub takes electricity, which has no factor.", "hubs")
                raise InputError([problem])
            per_t *= float(energy["electricity"]["value"])
            inputs.add("energy electricity", energy["electricity"], group)
        columns.append(np.where(some, per_t, 0.0))
    legs = np.zeros((len(kind), len(labels) - len(columns)))
    return np.column_stack([legs, *columns]) if columns else legs, known, labels


def _weight(factors: Factors) -> dict[str, float | None]:
    """Return the weights as one input: they move together, by the widest of their intervals."""
    rows = factors.weights.to_dicts()
    if any(row["low"] is None or row["high"] is None for row in rows):
        return {"value": 1.0, "low": None, "high": None}
    low = min(row["low"] / row["value"] for row in rows)
    return {"value": 1.0, "low": low, "high": max(row["high"] / row["value"] for row in rows)}
