"""What a network answers at once: its map, one site, what an outage strands. In JSON's own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import NotFoundError
from changtong.network.model import Network
from changtong.outage_files import read_outage_rows
from changtong.stranded import stranded_by
from changtong.structure import class_table, column, site_capacity

MOST_PARTNERS = 30
PLACES = 5
"""Decimal places of degrees: about a metre."""


def answer(network: Network, question: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one question.

    Parameters
    ----------
    network : Network
    question : mapping
        ``ask``: ``map``, ``site`` (with ``site_id``) or ``stranded`` (with ``outages``, rows).

    Raises
    ------
    InputError
        Outages that are wrong.
    NotFoundError
    """
    if question["ask"] == "map":
        return map_columns(network)
    if question["ask"] == "site":
        return site_facts(network, question["site_id"])
    return stranded_by(network, read_outage_rows(question["outages"], network)).to_json()


def map_columns(network: Network) -> dict[str, Any]:
    """Return what a map draws, as columns: sites, and legs by the places of their ends in the sites."""
    sites, legs = network.sites, network.legs
    tail, head = (legs[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    flow = column(legs, "flow_pieces_per_day", np.nan)
    handled = np.bincount(head, np.nan_to_num(flow), sites.height)
    begins = np.bincount(
        network.demand["from_site"].to_physical().to_numpy(),
        network.demand["pieces_per_day"].cast(pl.Float64).to_numpy(),
        sites.height,
    )
    known = bool(np.isfinite(flow).any())
    classes = class_table(network)
    return {
        "name": network.name,
        "sites": {
            "id": list(network.site_ids),
            "name": _texts(sites, "name"),
            "kind": _texts(sites, "kind"),
            "admin_code": _texts(sites, "admin_code"),
            "operator": _texts(sites, "operator"),
            "lon": _numbers(column(sites, "lon", np.nan), PLACES),
            "lat": _numbers(column(sites, "lat", np.nan), PLACES),
            "status": _texts(sites, "status"),
            "room": _numbers(site_capacity(network), 0),
            "load": _numbers(handled + begins, 0) if known else None,
        },
        "legs": {
            "from": tail.tolist(),
            "to": head.tolist(),
            "mode": _texts(legs, "mode"),
            "distance_km": _numbers(column(legs, "distance_km", np.nan), 1),
            "travel_h": _numbers(column(legs, "travel_h", np.nan), 2),
            "room": _numbers(column(legs, "capacity_pieces_per_day", np.inf), 0),
            "load": _numbers(flow, 0) if known else None,
        },
        "classes": classes.select(
            pl.col("service_class").cast(pl.String).alias("id"), "name", "name_zh", "promise_h", "share"
        ).to_dicts(),
        "pieces_per_day": float(network.demand["pieces_per_day"].cast(pl.Float64).sum()),
    }


def site_facts(network: Network, site_id: str) -> dict[str, Any]:
    """Return one site: its row, its legs, the sites it sends most to and gets most from.

    Raises
    ------
    NotFoundError
    """
    if site_id not in network.site_ids:
        raise NotFoundError("There is no site of this id in the network.")
    row = network.site_ids.index(site_id)
    facts = {name: value for name, value in network.sites.row(row, named=True).items() if value is not None}
    told: dict[str, Any] = {"site": {name: _plain(value) for name, value in facts.items()}}
    for side, other in (("from_site", "to_site"), ("to_site", "from_site")):
        legs = network.legs.filter(pl.col(side).to_physical() == row)
        demand = network.demand.filter(pl.col(side).to_physical() == row)
        pieces = demand.group_by(other).agg(pl.col("pieces_per_day").cast(pl.Float64).sum())
        most = pieces.sort("pieces_per_day", other, descending=[True, False])
        way = "out" if side == "from_site" else "in"
        told[way] = {
            "legs": [_plain_row(leg, other) for leg in legs.iter_rows(named=True)],
            "pieces_per_day": float(pieces["pieces_per_day"].sum()),
            "most": [
                {"site_id": str(site), "pieces_per_day": each}
                for site, each in most.head(MOST_PARTNERS).iter_rows()
            ],
        }
    return told


def _plain_row(leg: Mapping[str, Any], other: str) -> dict[str, Any]:
    kept = (
        "mode",
        "distance_km",
        "travel_h",
        "departures_per_day",
        "capacity_pieces_per_day",
        "flow_pieces_per_day",
    )
    return {"site_id": str(leg[other])} | {
        name: _plain(leg[name]) for name in kept if leg.get(name) is not None
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)


def _texts(frame: pl.DataFrame, name: str) -> list[str | None] | None:
    return frame[name].cast(pl.String).to_list() if name in frame.columns else None


def _numbers(values: np.ndarray, places: int) -> list[float | None]:
    """Return numbers that JSON knows; what is unknown or without a limit is null."""
    rounded = np.round(values.astype(float), places)
    if places == 0:
        return [int(one) if np.isfinite(one) else None for one in rounded.tolist()]
    return [one if np.isfinite(one) else None for one in rounded.tolist()]
