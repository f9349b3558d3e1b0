"""Micro-circulation: who takes a closed site's area over, and where a relay point helps most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.outages import Effect

EARTH_KM = 6371.0
MOST_STAND_INS = 5
MOST_RELAYS = 20


def _positions(network: Network) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if not {"lon", "lat"} <= set(network.sites.columns):
        return None
    lon = network.sites["lon"].cast(pl.Float64).to_numpy().astype(np.float64)
    lat = network.sites["lat"].cast(pl.Float64).to_numpy().astype(np.float64)
    return None if np.isnan(lon).all() else (lon, lat)


def distance_km(
    lon: NDArray[np.float64], lat: NDArray[np.float64], at_lon: float, at_lat: float
) -> NDArray[np.float64]:
    """Return great-circle distances (haversine), km; NaN where a position is unknown."""
    x, y, u, v = np.radians(lon), np.radians(lat), np.radians(at_lon), np.radians(at_lat)
    h = np.sin((y - v) / 2) ** 2 + np.cos(y) * np.cos(v) * np.sin((x - u) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(h)))


def stand_ins(
    network: Network, effect: Effect, site_loads: pl.DataFrame, taken: pl.DataFrame
) -> pl.DataFrame:
    """Return which open sites take over what ends at each closed site.

    What was redirected (``taken``) comes first; for other closed sites the nearest open
    sites of the same kind with spare capacity, filled in order of distance.
    Columns: site, stand_in, pieces, spare_pieces, distance_km, basis (given, inferred).
    """
    schema = {
        "site": pl.String, "stand_in": pl.String, "pieces": pl.Float64, "spare_pieces": pl.Float64,
        "distance_km": pl.Float64, "basis": pl.String,
    }  # fmt: skip
    ids = network.site_ids
    ends = _ends(network)
    spare = (site_loads["capacity_pieces"].fill_null(np.inf) - site_loads["planned_pieces"]).to_numpy().copy()
    place = _positions(network)
    rows: list[tuple[str, str, float, float, float | None, str]] = []
    for site, other, pieces, basis in taken.iter_rows():
        room = float(spare[ids.index(other)])
        rows.append((site, other, pieces, room, None, basis))
    done = set(taken["site"].to_list())
    for site in effect.closed_sites.tolist():
        if ids[site] in done:
            continue
        left = float(ends[site])
        if left <= 0.5:
            continue
        for other, share, basis, km in _candidates(network, effect, site, place):
            take = min(left, max(0.0, float(spare[other])), share * float(ends[site]))
            if take <= 0.5:
                continue
            rows.append((ids[site], ids[other], take, float(min(spare[other], 1e15)), km, basis))
            spare[other] -= take
            left -= take
            if left <= 0.5:
                break
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True)
class Redirected:
    """Demand after the areas of closed sites went to their stand-ins.

    ``taken`` has site, stand_in, pieces, basis; pieces of closed sites without an open
    stand-in stay where they are, and stay unserved.
    """

    network: Network
    taken: pl.DataFrame


def redirect(network: Network, effect: Effect) -> Redirected:
    """Send what begins or ends at a closed site to its stand-ins, by their shares.

    Only sites with stand-ins in the network's ``areas`` are redirected: closing a site that
    delivers a region does not make the region's pieces disappear.
    """
    schema = {"site": pl.String, "stand_in": pl.String, "pieces": pl.Float64, "basis": pl.String}
    nothing = Redirected(network, pl.DataFrame(schema=schema))
    if network.areas is None or network.areas.height == 0 or not len(effect.closed_sites):
        return nothing
    row = pl.Series("site", network.sites["site_id"])
    is_open = pl.DataFrame({"stand_in": row, "open": effect.site_share > 0.0})
    closed = pl.DataFrame({"site": row.gather(effect.closed_sites.tolist())})
    areas = (
        network.areas.join(closed, on="site", how="semi").join(is_open, on="stand_in").filter(pl.col("open"))
    )
    if areas.height == 0:
        return nothing
    share = pl.col("share") / pl.col("share").sum().over("site")
    areas = areas.select("site", "stand_in", share.alias("share"), pl.col("basis").cast(pl.String))
    demand, taken = network.demand, []
    for column, other in (("to_site", "from_site"), ("from_site", "to_site")):
        hit = demand.join(areas, left_on=column, right_on="site", how="inner")
        moved = hit.with_columns(
            (pl.col("pieces_per_day") * pl.col("share")).cast(demand.schema["pieces_per_day"]),
            pl.col("stand_in").alias("_new"),
        )
        taken.append(
            moved.filter(pl.col(other).cast(pl.String) != pl.col("_new").cast(pl.String))
            .group_by(column, "stand_in", "basis")
            .agg(pl.col("pieces_per_day").cast(pl.Float64).sum().alias("pieces"))
            .rename({column: "site"})
        )
        stays = demand.join(areas, left_on=column, right_on="site", how="anti")
        new = moved.with_columns(pl.col("_new").alias(column)).select(demand.columns)
        demand = pl.concat([stays.select(demand.columns), new])
    total = (
        pl.concat(taken)
        .with_columns(pl.col("site", "stand_in", "basis").cast(pl.String))
        .group_by("site", "stand_in", "basis")
        .agg(pl.col("pieces").sum())
        .sort("site", "pieces", descending=[False, True])
        .select(*schema)
    )
    return Redirected(network.with_tables(demand=demand), total)


def _ends(network: Network) -> NDArray[np.float64]:
    to = network.demand["to_site"].to_physical().to_numpy()
    pieces = network.demand["pieces_per_day"].to_numpy()
    return np.bincount(to, pieces, minlength=network.sites.height).astype(np.float64)


def _candidates(
    network: Network, effect: Effect, site: int, place: tuple[NDArray[np.float64], NDArray[np.float64]] | None
) -> list[tuple[int, float, str, float | None]]:
    open_sites = effect.site_share > 0.0
    if place is None:
        return []
    km = distance_km(*place, float(place[0][site]), float(place[1][site]))
    same = open_sites.copy()
    if "kind" in network.sites.columns:
        kinds = network.sites["kind"].cast(pl.String).fill_null("").to_numpy()
        same &= kinds == kinds[site]
    same[site] = False
    same &= ~np.isnan(km)
    near = np.flatnonzero(same)
    near = near[np.argsort(km[near], kind="stable")][:MOST_STAND_INS]
    return [(int(k), 1.0, "inferred", float(km[k])) for k in near]


def relay_points(network: Network, effect: Effect, unserved: pl.DataFrame) -> pl.DataFrame:
    """Return where a temporary relay point would reconnect most pieces.

    Pieces that are cut off are counted by the open site they begin or end at; the relay
    stands there, supplied from the nearest open site that passes pieces on. Columns: site,
    reconnects_pieces, near_site, distance_km.
    """
    schema = {
        "site": pl.String,
        "reconnects_pieces": pl.Float64,
        "near_site": pl.String,
        "distance_km": pl.Float64,
    }
    lost = unserved.filter(pl.col("reason") == "cut-off")
    if lost.height == 0:
        return pl.DataFrame(schema=schema)
    n = network.sites.height
    pieces = lost["pieces"].to_numpy()
    at_end = np.bincount(lost["to_site"].to_physical().to_numpy(), pieces, minlength=n)
    at_start = np.bincount(lost["from_site"].to_physical().to_numpy(), pieces, minlength=n)
    gain = np.where(effect.site_share > 0.0, at_end + at_start, 0.0)
    place = _positions(network)
    linked = _linked(network, effect)
    rows = []
    for site in np.argsort(-gain, kind="stable")[:MOST_RELAYS].tolist():
        if gain[site] < 0.5:
            break
        near, km = None, None
        if place is not None:
            away = distance_km(*place, float(place[0][site]), float(place[1][site]))
            away = np.where(linked & ~np.isnan(away), away, np.inf)
            away[site] = np.inf
            if np.isfinite(away).any():
                near, km = network.site_ids[int(np.argmin(away))], float(away.min())
        rows.append((network.site_ids[site], float(gain[site]), near, km))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _linked(network: Network, effect: Effect) -> NDArray[np.bool_]:
    """Return open sites with an open leg in and out."""
    tail = network.legs["from_site"].to_physical().to_numpy()
    head = network.legs["to_site"].to_physical().to_numpy()
    open_leg = (effect.leg_share > 0.0) & (effect.site_share[tail] > 0.0) & (effect.site_share[head] > 0.0)
    n = network.sites.height
    out = np.bincount(tail[open_leg], minlength=n) > 1
    into = np.bincount(head[open_leg], minlength=n) > 1
    return (effect.site_share > 0.0) & out & into
