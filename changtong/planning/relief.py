"""Micro-circulation: who takes a closed site's area over, and where a relay point helps most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.outages import Effect
from changtong.planning.assemble import pass_through
from changtong.planning.takeover import SCHEMA, open_areas

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
    network: Network, effect: Effect, spare: NDArray[np.float64], taken: pl.DataFrame
) -> pl.DataFrame:
    """Return which open sites take over the area of each closed site.

    What the plan decided (``taken``) comes first. For other closed sites where pieces end, the
    nearest open sites of the same kind are proposed, filled in order of distance within what
    they could sort beyond the plan (``spare``); the plan does not count on them.
    Columns: site, stand_in, pieces, share, spare_pieces, distance_km, basis (given, inferred,
    proposed).
    """
    ids, ends, place = network.site_ids, _ends(network), _positions(network)
    spare, done = spare.copy(), set(taken["site"].to_list())
    rows: list[tuple[str, str, float, float, float, float | None, str]] = []
    for site in effect.closed_sites.tolist():
        left = float(ends[site])
        if ids[site] in done or left <= 0.5:
            continue
        for other, km in _candidates(network, effect, site, place):
            take = min(left, max(0.0, float(spare[other])))
            if take <= 0.5:
                continue
            room = float(min(spare[other], 1e15))
            rows.append((ids[site], ids[other], take, take / float(ends[site]), room, km, "proposed"))
            spare[other] -= take
            left -= take
            if left <= 0.5:
                break
    return pl.concat([taken.select(*SCHEMA), pl.DataFrame(rows, schema=SCHEMA, orient="row")])


@dataclass(frozen=True)
class Redirected:
    """Demand after the areas of some closed sites went to their stand-ins.

    ``taken`` has the columns of :func:`stand_ins`.
    """

    network: Network
    taken: pl.DataFrame


def redirect(network: Network, effect: Effect) -> Redirected:
    """Send what begins or ends at some closed sites to their stand-ins, by fixed shares.

    Only areas that a stand-in takes over which passes nothing on: the plan cannot decide there
    (:mod:`changtong.planning.takeover`), for a way through such a site does not exist.
    """
    nothing = Redirected(network, pl.DataFrame(schema=SCHEMA))
    areas = open_areas(network, effect)
    if areas.height == 0:
        return nothing
    passes = pl.Series("passes", pass_through(network)[areas["stand_in"].to_numpy()])
    areas = areas.with_columns(passes).filter(~pl.col("passes").all().over("site"))
    if areas.height == 0:
        return nothing
    to_id = network.site_type
    share = pl.col("share") / pl.col("share").sum().over("site")
    areas = areas.select(
        _named(areas["site"], to_id),
        _named(areas["stand_in"], to_id),
        share.alias("share"),
        "basis",
    )
    demand, taken = network.demand, []
    whole = _ends(network) + _begins(network)
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
    total = pl.concat(taken).with_columns(
        pl.Series("whole", whole).gather(pl.concat(taken)["site"].to_physical())
    )
    total = (
        total.with_columns(pl.col("site", "stand_in", "basis").cast(pl.String))
        .group_by("site", "stand_in", "basis")
        .agg(pl.col("pieces").sum(), pl.col("whole").first())
        .with_columns(
            (pl.col("pieces") / pl.col("whole")).alias("share"),
            pl.lit(None, pl.Float64).alias("spare_pieces"),
            pl.lit(None, pl.Float64).alias("distance_km"),
        )
        .sort("site", "pieces", descending=[False, True])
        .select(*SCHEMA)
    )
    return Redirected(network.with_tables(demand=demand), total)


def _named(rows: pl.Series, to_id: pl.Enum) -> pl.Series:
    return rows.cast(pl.UInt32).cat.to(to_id)


def _ends(network: Network) -> NDArray[np.float64]:
    return _pieces_at(network, "to_site")


def _begins(network: Network) -> NDArray[np.float64]:
    return _pieces_at(network, "from_site")


def _pieces_at(network: Network, column: str) -> NDArray[np.float64]:
    sites = network.demand[column].to_physical().to_numpy()
    pieces = network.demand["pieces_per_day"].to_numpy()
    return np.bincount(sites, pieces, minlength=network.sites.height).astype(np.float64)


def _candidates(
    network: Network, effect: Effect, site: int, place: tuple[NDArray[np.float64], NDArray[np.float64]] | None
) -> list[tuple[int, float]]:
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
    return [(int(k), float(km[k])) for k in near]


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
