"""How the built-in network compares with published totals, one row for each measure."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.reference import Parts, build_parts
from changtong.network.reference_flow import choose_exit
from changtong.network.reference_hours import BLOCK_COLUMNS, PairSums, mean_between_cities
from changtong.network.reference_places import Floats, published, read_table

YEAR_100M = 365 / 1e8  # pieces a day -> 100 million pieces a year


def calibration_table(*, level: str = "county") -> pl.DataFrame:
    """Compare the network of 2022 with what is published.

    Parameters
    ----------
    level : {"county", "city"}

    Returns
    -------
    polars.DataFrame
        measure, unit, model, published (null where nothing is), fitted (whether the
        model was made to agree).
    """
    return compare_parts(build_parts(level=level, year=2022, scale=1.0))


def compare_parts(parts: Parts) -> pl.DataFrame:
    """Compare built parts, of the year 2022 at scale 1, with what is published."""
    rows = [*_volume_rows(parts), *_hour_rows(parts)]
    names = ["measure", "unit", "model", "published", "fitted"]
    return pl.DataFrame(rows, schema=names, orient="row")


Row = tuple[str, str, float, float | None, bool]


def _volume_rows(parts: Parts) -> list[Row]:
    frame, demand = parts.places.frame, parts.demand
    sent = np.zeros(frame.height)
    sent[demand.origin] = demand.pieces.sum(axis=1, dtype=float) * YEAR_100M
    total = float(sent.sum())
    rows: list[Row] = [("volume", "100m pieces", total, published("volume"), True)]
    region = frame["region"].to_numpy()
    for name in ("east", "centre", "west"):
        rows.append(
            (f"{name} share", "1", sent[region == name].sum() / total, published(f"{name}_share"), True)
        )
    province = frame["province_code"].to_numpy()
    pair = float(sent[np.isin(province, ["44", "33"])].sum())
    rows.append(("Guangdong and Zhejiang", "100m pieces", pair, published("guangdong_zhejiang"), True))
    n = len(demand.origin)
    same = sum(
        float(demand.pieces[np.ix_(rows_of, rows_of)].sum(dtype=float))
        for rows_of in (np.flatnonzero(demand.city[:n] == k) for k in range(int(demand.city.max()) + 1))
    )
    abroad = float(demand.pieces[:, n:].sum(dtype=float))
    split = (
        ("same_city", same * YEAR_100M),
        ("inter_city", total - (same + abroad) * YEAR_100M),
        ("international", abroad * YEAR_100M),
    )
    rows += [(name, "100m pieces", value, published(name), True) for name, value in split]
    code = frame["city_code"].to_numpy()
    jinhua = float(sent[code == "3307"].sum())
    rows.append(("Jinhua (at least)", "100m pieces", jinhua, published("jinhua_at_least"), True))
    yiwu = frame["admin_code"].to_numpy() == "330782"
    if yiwu[demand.origin].any():
        rows.append(("Yiwu", "100m pieces", float(sent[yiwu].sum()), published("yiwu"), True))
    rows.append(("first 20 cities in their published place", "cities", _in_place(code, sent), 20.0, True))
    return rows


def _in_place(code: NDArray[np.object_], sent: Floats) -> float:
    """How many of the first 20 cities by volume have the rank that is published."""
    cities = np.unique(code)
    order = cities[np.argsort([-sent[code == one].sum() for one in cities])][:20].tolist()
    ranked = read_table("city_volumes").sort("rank")["city_code"].to_list()
    return float(sum(one == other for one, other in zip(order, ranked, strict=True)))


def _hour_rows(parts: Parts) -> list[Row]:
    links, core = parts.links, parts.ways.number >= 0
    start = parts.handling[parts.demand.origin]
    visit = parts.handling[links.head]
    inside = core[links.tail] & core[links.head]
    values = {
        "hours": links.hours + visit,
        "core": np.where(core[links.head], visit, 0.0) + np.where(inside, links.hours, 0.0),
        "sites": core[links.head].astype(float),
        "km": links.km,
        "cost": links.cost,
        "carbon": links.carbon,
    }
    mean = mean_between_cities(parts.demand, links, parts.ways, values)
    whole, within = _spread_of_hours(parts, values["hours"], start)
    first = core[parts.demand.origin[0]]
    ends = 2 * parts.handling[parts.places.rows_of("sorting")[0]]
    transport = mean["core"] + (start.mean() if first else 0.0) - ends
    end_to_end = published("end_to_end_h")
    return [
        ("end to end, inter-city", "h", whole, end_to_end, True),
        ("transport stage", "h", transport, end_to_end * published("transport_share"), True),
        ("within 72 h", "1", within, published("within_72h_share"), False),
        ("core sites passed, inter-city", "sites", mean["sites"] + first, None, False),
        ("distance, inter-city", "km", mean["km"], None, False),
        ("cost, inter-city", "CNY/piece", mean["cost"], None, False),
        ("carbon, inter-city", "kg CO2e/piece", mean["carbon"], None, False),
    ]


def _spread_of_hours(parts: Parts, value: Floats, start: Floats) -> tuple[float, float]:
    """Mean hours, and the share of inter-city pieces within 72 h."""
    sums = PairSums(parts.demand, parts.links, parts.ways, value)
    n, demand = len(parts.demand.origin), parts.demand
    pieces = hours = within = 0.0
    for first in range(0, n, BLOCK_COLUMNS):
        block = slice(first, min(first + BLOCK_COLUMNS, n))
        volume = demand.pieces[:, block].astype(float)
        volume[demand.city[:n, None] == demand.city[None, block]] = 0.0
        best, _ = choose_exit(sums.to_core, sums.exits, block)
        taken = sums.values(best, block) + start[:, None]
        pieces += float(volume.sum())
        hours += float((volume * taken).sum())
        within += float(volume[taken <= 72].sum())
    return hours / pieces, within / pieces
