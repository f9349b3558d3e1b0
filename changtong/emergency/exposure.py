"""What warnings threaten: sites inside their areas, legs that end or pass there, pieces a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.emergency.cap import Area
from changtong.emergency.in_force import Warned
from changtong.network.model import Network
from changtong.network.polygons import inside_area
from changtong.network.reference_places import great_circle_km
from changtong.structure import column

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEPS = 24
"""Places looked at between the ends of a leg, on the straight line: the roads are not known. Assumed."""


@dataclass(frozen=True)
class Exposure:
    """What is exposed.

    Attributes
    ----------
    sites : polars.DataFrame
        One row a site and warning: site_id, warning (identifier), event, severity, begins, ends,
        begin_pieces, end_pieces (pieces a day that begin and end there).
    legs : polars.DataFrame
        One row a leg and warning: from_site, to_site, warning, event, severity, begins, ends, exposed
        (``end``: an end lies inside; ``passes``: only the way between does), flow_pieces (a day, null where
        not known).
    notes : tuple of str
        What could not be told: areas given by codes of lists only, sites without a position.
    """

    sites: pl.DataFrame
    legs: pl.DataFrame
    notes: tuple[str, ...]


def inside_warned_area(lon: Floats, lat: Floats, area: Area) -> Mask:
    """Return which places lie inside a polygon or circle of an area; unknown places do not.

    Parameters
    ----------
    lon, lat : array, degrees
    area : Area
        A polygon that crosses the 180th meridian may have longitudes of both signs: an edge goes the
        shorter way round.
    """
    inside = np.zeros(len(lon), bool)
    for ring in area.polygons:
        x = np.unwrap([place[0] for place in ring], period=360.0)
        y = np.array([place[1] for place in ring])
        for turn in (-360.0, 0.0, 360.0):
            near = (lon + turn >= x.min()) & (lon + turn <= x.max()) & (lat >= y.min()) & (lat <= y.max())
            rows = np.flatnonzero(near)
            polygon = {"type": "Polygon", "coordinates": [np.column_stack([x, y])]}
            inside[rows] |= inside_area(lon[rows] + turn, lat[rows], polygon)
    for center_lon, center_lat, radius_km in area.circles:
        inside |= great_circle_km(lon, lat, np.array(center_lon), np.array(center_lat)) <= radius_km
    return inside


def exposure(network: Network, warned: Sequence[Warned]) -> Exposure:
    """Return what warnings threaten.

    Parameters
    ----------
    network : Network
    warned : sequence of Warned
        From :func:`changtong.emergency.in_force.in_force`: those in force, those coming, or both.

    Returns
    -------
    Exposure
    """
    lon, lat = (column(network.sites, name, np.nan) for name in ("lon", "lat"))
    tail, head = (network.legs[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    between, pieces = _between(lon, lat, tail, head), _pieces(network)
    sites: list[pl.DataFrame] = []
    legs: list[pl.DataFrame] = []
    notes: dict[str, None] = {}
    unknown = int(np.isnan(lon).sum())
    if unknown and warned:
        notes[f"{unknown:,} sites have no position: they count as outside."] = None
    for one in warned:
        shapes = [area for area in one.info.areas if area.polygons or area.circles]
        for area in one.info.areas:
            if area not in shapes:
                lists = ", ".join(sorted({name for name, _ in area.geocodes})) or "no list"
                notes[f"{area.description}: no polygon or circle, only codes ({lists}); not looked at."] = (
                    None
                )
        inside = _any_inside(lon, lat, shapes)
        ends = inside[tail] | inside[head]
        on_the_way = _any_inside(between[0].ravel(), between[1].ravel(), shapes).reshape(-1, STEPS)
        passes = ~ends & on_the_way.any(axis=1)
        what = _said(one)
        sites.append(_site_rows(network, np.flatnonzero(inside), pieces, what))
        legs.append(_leg_rows(network, ends, passes, what))
    nothing = np.zeros(network.legs.height, bool)
    empty = dict.fromkeys(("warning", "event", "severity", "begins", "ends"))
    return Exposure(
        pl.concat(sites) if sites else _site_rows(network, np.zeros(0, np.int64), pieces, empty),
        pl.concat(legs) if legs else _leg_rows(network, nothing, nothing, empty),
        tuple(notes),
    )


def _said(one: Warned) -> dict[str, Any]:
    return {
        "warning": one.message.key.identifier, "event": one.info.event, "severity": one.info.severity,
        "begins": one.begins, "ends": one.ends,
    }  # fmt: skip


def _any_inside(lon: Floats, lat: Floats, areas: Sequence[Area]) -> Mask:
    inside = np.zeros(len(lon), bool)
    for area in areas:
        inside |= inside_warned_area(lon, lat, area)
    return inside


def _between(lon: Floats, lat: Floats, tail: Any, head: Any) -> tuple[Floats, Floats]:
    """Return places on the straight lines between the ends of legs, (legs, STEPS) each."""
    part = (np.arange(STEPS) + 0.5) / STEPS
    across = (lon[head] - lon[tail] + 180.0) % 360.0 - 180.0  # the shorter way round
    x = lon[tail][:, None] + across[:, None] * part
    return (x + 180.0) % 360.0 - 180.0, lat[tail][:, None] + (lat[head] - lat[tail])[:, None] * part


def _columns(what: dict[str, Any]) -> list[pl.Expr]:
    kinds = {"begins": pl.Datetime("us", "UTC"), "ends": pl.Datetime("us", "UTC")}
    return [pl.lit(value, kinds.get(name, pl.String)).alias(name) for name, value in what.items()]


def _pieces(network: Network) -> dict[str, Floats]:
    """Return the pieces a day that begin and end at each site."""
    weights, pieces = network.demand["pieces_per_day"].to_numpy(), {}
    for name, side in (("begin_pieces", "from_site"), ("end_pieces", "to_site")):
        place = network.demand[side].to_physical().to_numpy()
        pieces[name] = np.bincount(place, weights, network.sites.height).astype(np.float64)
    return pieces


def _site_rows(
    network: Network, rows: NDArray[np.int64], pieces: dict[str, Floats], what: dict[str, Any]
) -> pl.DataFrame:
    chosen = network.sites["site_id"].cast(pl.String).gather(rows)
    counts = [pl.Series(name, values[rows], pl.Float64) for name, values in pieces.items()]
    return pl.DataFrame({"site_id": chosen}).with_columns(*_columns(what), *counts)


def _leg_rows(network: Network, ends: Mask, passes: Mask, what: dict[str, Any]) -> pl.DataFrame:
    rows = np.flatnonzero(ends | passes)
    legs = network.legs
    flow = column(legs, "flow_pieces_per_day", np.nan)[rows]
    return (
        legs.select(pl.col("from_site", "to_site").gather(rows).cast(pl.String))
        .with_columns(*_columns(what))
        .with_columns(
            pl.Series("exposed", np.where(ends[rows], "end", "passes"), pl.String),
            pl.Series("flow_pieces", flow, pl.Float64).fill_nan(None),
        )
    )
