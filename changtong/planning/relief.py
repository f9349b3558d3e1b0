"""Micro-circulation: who takes a closed site's area over, and where a relay point helps most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from changtong.network.model import Network
from changtong.outages import Effect
from changtong.planning.takeover import SCHEMA, open_areas
from changtong.structure import pass_through

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

    Pieces that are cut off are counted at the end that is itself cut off from the rest of the
    network (at both, where both are). The relay stands there, supplied from the nearest open site
    that is still connected, passes pieces on, and has no open leg to or from it. Columns:
    site, reconnects_pieces, near_site, distance_km.
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
    tail, head = _open_legs(network, effect)
    rest = _connected(network, effect, tail, head)
    alone = (effect.site_share > 0.0) & ~rest
    gain = np.zeros(n)
    for column in ("from_site", "to_site"):
        at = lost[column].to_physical().to_numpy()
        gain += np.bincount(at, lost["pieces"].to_numpy(), minlength=n)
    gain = np.where(alone, gain, 0.0)
    place = _positions(network)
    suppliers = rest & pass_through(network)
    rows = []
    for site in np.argsort(-gain, kind="stable")[:MOST_RELAYS].tolist():
        if gain[site] < 0.5:
            break
        near, km = None, None
        if place is not None:
            away = distance_km(*place, float(place[0][site]), float(place[1][site]))
            away = np.where(suppliers & ~np.isnan(away), away, np.inf)
            away[head[tail == site]] = np.inf
            away[tail[head == site]] = np.inf
            if np.isfinite(away).any():
                near, km = network.site_ids[int(np.argmin(away))], float(away.min())
        rows.append((network.site_ids[site], float(gain[site]), near, km))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _open_legs(network: Network, effect: Effect) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return tail and head of the legs that can hold anything."""
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int64)
    head = network.legs["to_site"].to_physical().to_numpy().astype(np.int64)
    usable = (effect.leg_share > 0.0) & (effect.site_share[tail] > 0.0) & (effect.site_share[head] > 0.0)
    if "capacity_pieces_per_day" in network.legs.columns:
        usable &= (network.legs["capacity_pieces_per_day"].fill_null(np.inf) > 0.0).to_numpy()
    for limit in effect.entry_limits:
        if limit.pieces_per_day <= 0.0:
            usable[limit.leg_rows] = False
    return tail[usable], head[usable]


def _connected(
    network: Network, effect: Effect, tail: NDArray[np.int64], head: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return the sites of the part of the network where most pieces still begin and end.

    A part is what open legs join in both directions over sites that pass pieces on; a site that
    passes nothing on belongs to it when a leg each way joins it to the part.
    """
    n = network.sites.height
    passes = pass_through(network) & (effect.site_share > 0.0)
    inner = passes[tail] & passes[head]
    graph = sparse.csr_matrix((np.ones(int(inner.sum())), (tail[inner], head[inner])), shape=(n, n))
    _, part = csgraph.connected_components(graph, directed=True, connection="strong")
    pieces = _begins(network) + _ends(network)
    best, most = np.zeros(n, bool), -1.0
    for number in np.unique(part[passes]).tolist():
        inside = passes & (part == number)
        reached, reaching = np.zeros(n, bool), np.zeros(n, bool)
        reached[head[inside[tail]]] = True
        reaching[tail[inside[head]]] = True
        inside |= ~passes & reached & reaching
        if float(pieces[inside].sum()) > most:
            best, most = inside, float(pieces[inside].sum())
    return best
