"""Demand of the built-in network: a gravity model fitted to published totals.

Pieces from i to j are ``a_i b_j (distance + offset)^-exponent``, times one factor for
pairs in one city. The factors are found by iterative proportional fitting, so that

- what each site sends adds up to its origin total (published totals by region, for
  Guangdong with Zhejiang, for Yiwu; assumed ones by province and city),
- what each site receives is in proportion to its weighted population,
- same-city pieces have their published share of the whole.

International pieces go from each site to the nearest exchange office.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.reference_places import (
    Floats,
    Ints,
    Places,
    assumption,
    published,
    read_table,
)

PIECES = 1e8  # published volumes are in units of 100 million pieces
FIT_ROUNDS = 20
BLOCK_ROWS = 256


@dataclass(frozen=True)
class PairDemand:
    """Pieces a day between sites that send and receive.

    Attributes
    ----------
    origin : array of int, (origins,)
        Site rows.
    destination : array of int, (origins + exchanges,)
        Site rows: the origins in the same order, then the exchange offices.
    pieces : array of float32, (origins, origins + exchanges)
        Pieces a day; zero towards exchange offices other than the nearest.
    city : array of int, (origins + exchanges,)
        City number of each destination; -1 for exchange offices.
    """

    origin: Ints
    destination: Ints
    pieces: NDArray[np.float32]
    city: Ints


def daily_pieces(year: int) -> float:
    """Return the published mean pieces a day of a year (1105.8亿 in 2022: 303 million)."""
    days = 366 if year % 4 == 0 else 365
    return published("volume", year) * PIECES / days


def origin_shares(places: Places, rows: Ints) -> Floats:
    """Return each sending site's share of the national volume.

    Parameters
    ----------
    places : Places
    rows : array of int
        Rows of the sites that send.
    """
    frame = places.frame[rows]
    codes = frame["city_code"].to_numpy()
    weight = frame["attraction"].to_numpy().astype(float)
    cities, number = np.unique(codes, return_inverse=True)
    in_city: Floats = np.bincount(number, weight).astype(float)
    share = _city_shares(cities.tolist(), in_city)[number] * weight / in_city[number]
    _fix_yiwu(frame["admin_code"].to_numpy(), number, share)
    whole: Floats = share / share.sum()
    return whole


def _fix_yiwu(admin_code: NDArray[np.object_], number: Ints, share: Floats) -> None:
    """Give Yiwu its published volume; the rest of its city keeps the remainder."""
    yiwu = np.flatnonzero(admin_code == "330782")
    if len(yiwu):
        same = np.flatnonzero(number == number[yiwu[0]])
        total, wanted = share[same].sum(), published("yiwu") / published("volume")
        rest = same[same != yiwu[0]]
        share[rest] *= (total - wanted) / share[rest].sum()
        share[yiwu[0]] = wanted


def _province_shares() -> dict[str, float]:
    """Spread the regions' published shares over provinces by their synthetic seeds."""
    frame = read_table("provinces")
    seed = dict(zip(frame["province_code"], frame["seed_100m_pieces"], strict=True))
    region = dict(zip(frame["province_code"], frame["region"], strict=True))
    total = published("volume")
    target = {name: published(f"{name}_share") * total for name in ("east", "centre", "west")}
    pair, pair_total = ("44", "33"), published("guangdong_zhejiang")
    target["east"] -= pair_total
    seeds = {name: sum(seed[p] for p in seed if region[p] == name and p not in pair) for name in target}
    pair_seed = sum(seed[p] for p in pair)
    return {
        p: (seed[p] * pair_total / pair_seed if p in pair else seed[p] * target[region[p]] / seeds[region[p]])
        / total
        for p in seed
    }


def _city_shares(cities: list[str], weight: Floats) -> Floats:
    """Share of each city: the ranked cities as listed, the others by weighted population."""
    province = _province_shares()
    seeds = dict(
        zip(
            read_table("provinces")["province_code"], read_table("provinces")["seed_100m_pieces"], strict=True
        )
    )
    listed = dict(
        zip(
            read_table("city_volumes")["city_code"],
            read_table("city_volumes")["volume_100m_pieces"],
            strict=True,
        )
    )
    share = np.zeros(len(cities))
    for code, whole in province.items():
        own = np.array([k for k, city in enumerate(cities) if city[:2] == code], dtype=np.int64)
        ranked = np.array([cities[k] in listed for k in own])
        per_seed = whole / seeds[code]
        share[own[ranked]] = [listed[cities[k]] * per_seed for k in own[ranked]]
        others = own[~ranked]
        if len(others):
            share[others] = (whole - share[own[ranked]].sum()) * weight[others] / weight[others].sum()
        else:
            share[own] *= whole / share[own].sum()
    return share


def make_demand(places: Places, *, year: int, scale: float) -> PairDemand:
    """Fit the gravity model.

    Parameters
    ----------
    places : Places
    year : int
        A year with a published volume; all shares are those of 2022.
    scale : float
        Factor on all pieces.
    """
    origin = places.rows_of("county") if len(places.rows_of("county")) else places.rows_of("sorting")
    exchange = places.rows_of("exchange")
    _, city = np.unique(places.frame["city_code"].to_numpy()[origin], return_inverse=True)
    total = daily_pieces(year) * scale
    sent = origin_shares(places, origin) * total
    parts = [published(name) for name in ("same_city", "inter_city", "international")]
    abroad_share, same_share = parts[2] / sum(parts), parts[0] / sum(parts)
    received = places.frame["attraction"].to_numpy()[origin].astype(float)
    received *= total * (1 - abroad_share) / received.sum()
    pieces = np.zeros((len(origin), len(origin) + len(exchange)), np.float32)
    decay = _decay(places, origin)
    a, b = _fit(decay, sent * (1 - abroad_share), received, city, same_share * total)
    for row in range(len(origin)):
        pieces[row, : len(origin)] = decay[row] * a[row] * b
    nearest = np.argmin(places.road_km(origin[:, None], exchange[None, :]), axis=1)
    pieces[np.arange(len(origin)), len(origin) + nearest] = sent * abroad_share
    city = np.concatenate([city, np.full(len(exchange), -1)])
    return PairDemand(origin, np.concatenate([origin, exchange]), pieces, city)


def _decay(places: Places, origin: Ints) -> Floats:
    """How demand falls with the distance, (origins, origins)."""
    offset, exponent = assumption("decay_offset_km"), assumption("decay_exponent")
    decay = np.empty((len(origin), len(origin)))
    for first in range(0, len(origin), BLOCK_ROWS):
        block = origin[first : first + BLOCK_ROWS]
        km = places.road_km(block[:, None], origin[None, :])
        decay[first : first + BLOCK_ROWS] = (km + offset) ** -exponent
    return decay


def _fit(
    matrix: Floats, sent: Floats, received: Floats, city: Ints, same_city: float
) -> tuple[Floats, Floats]:
    """Return row and column factors; same-city blocks of ``matrix`` are scaled in place.

    Factors are rounded so that the last bits of a sum, which depend on the machine's
    linear algebra, do not show.
    """
    order = np.argsort(city, kind="stable")
    blocks = np.split(order, np.flatnonzero(np.diff(city[order])) + 1)
    a, b = np.ones(len(sent)), np.ones(len(sent))
    for _ in range(FIT_ROUNDS):
        a = sent / (matrix @ b)
        b = received / (a @ matrix)
        inside = sum(float(a[rows] @ matrix[np.ix_(rows, rows)] @ b[rows]) for rows in blocks)
        factor = float(f"{same_city / inside:.9g}")
        for rows in blocks:
            matrix[np.ix_(rows, rows)] *= factor
    b = _shortened(b)
    return _shortened(sent / (matrix @ b)), b


def _shortened(values: Floats) -> Floats:
    """Round to nine significant figures."""
    step = 10.0 ** (np.floor(np.log10(values)) - 8)
    short: Floats = np.round(values / step) * step
    return short


def demand_frame(demand: PairDemand, site_type: pl.Enum) -> pl.DataFrame:
    """Return the demand table: every ordered pair of sending sites, and international pieces.

    Parameters
    ----------
    demand : PairDemand
    site_type : polars.Enum
        The network's site ids.
    """
    n = len(demand.origin)
    office = np.argmax(demand.pieces[:, n:] > 0, axis=1)
    to_site = np.empty((n, n + 1), np.uint32)
    to_site[:, :n] = demand.origin
    to_site[:, n] = demand.destination[n + office]
    pieces = np.empty((n, n + 1), np.float32)
    pieces[:, :n] = demand.pieces[:, :n]
    pieces[:, n] = demand.pieces[np.arange(n), n + office]
    from_site = np.repeat(demand.origin.astype(np.uint32), n + 1)
    return pl.DataFrame(
        {
            "from_site": pl.Series(from_site).cat.to(site_type),
            "to_site": pl.Series(to_site.reshape(-1)).cat.to(site_type),
            "pieces_per_day": pl.Series(pieces.reshape(-1)),
        }
    )
