"""Legs of the built-in network: which sites are joined, how far, how long, at what cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.reference_demand import PairDemand
from changtong.network.reference_places import Floats, Ints, Places, assumption, read_table

ISLANDS = "4603"  # Sansha: no road leads there
HAINAN = "46"


@dataclass(frozen=True)
class Links:
    """Legs as arrays, sorted by from, then to.

    Attributes
    ----------
    tail, head : array of int, (legs,)
        Site rows.
    kind : array of int, (legs,)
        Row of ``leg_classes.csv``.
    rank : array of int, (legs,)
        0 for a county's leg with its own city centre and for legs between core sites,
        1, 2 … for a county's further legs, nearest first; the same below 0 where the
        county moves so much that these run fully loaded.
    km, hours, cost, carbon : array of float, (legs,)
        Road distance, travel time, CNY a piece (handling at the arriving site
        included), kg CO2e a piece.
    vehicle : array of float, (legs,)
        Pieces one vehicle carries.
    """

    tail: Ints
    head: Ints
    kind: Ints
    rank: Ints
    km: Floats
    hours: Floats
    cost: Floats
    carbon: Floats
    vehicle: Floats


def make_links(places: Places, demand: PairDemand, *, level_factor: float) -> Links:
    """Choose the legs and give them distance, time, cost and carbon.

    Parameters
    ----------
    places : Places
    demand : PairDemand
    level_factor : float
        Divides pieces to bring them to the level of 2022, so that which legs exist
        depends neither on the year nor on the scale.
    """
    chosen = _county_legs(places, demand, level_factor) + _core_legs(places, demand, level_factor)
    tail, head, kind, rank = (np.concatenate(part) for part in zip(*chosen, strict=True))
    codes, province = (places.frame[name].to_numpy() for name in ("city_code", "province_code"))
    at_sea = (codes[tail] == ISLANDS) | (codes[head] == ISLANDS)
    sailed = ~at_sea | ((province[tail] == HAINAN) & (province[head] == HAINAN))
    tail, head, rank = tail[sailed], head[sailed], rank[sailed]
    kind = np.where(at_sea, leg_class("ship"), kind)[sailed]
    tail, head = np.concatenate([tail, head]), np.concatenate([head, tail])
    kind, rank = np.tile(kind, 2), np.tile(rank, 2)
    _, first = np.unique(tail * np.int64(places.frame.height) + head, return_index=True)
    return _measure(places, tail[first], head[first], kind[first], rank[first])


def leg_class(name: str) -> int:
    """Return the row of a leg class."""
    return int(read_table("leg_classes")["leg_class"].to_list().index(name))


Chosen = tuple[Ints, Ints, Ints, Ints]  # one direction: tail, head, kind, rank


def _chosen(tail: Ints, head: Ints, kind: str | Ints, rank: Ints | None = None) -> Chosen:
    kinds = np.full(len(tail), leg_class(kind)) if isinstance(kind, str) else kind
    return tail, head, kinds, np.zeros(len(tail), np.int64) if rank is None else rank


def _county_legs(places: Places, demand: PairDemand, level_factor: float) -> list[Chosen]:
    """Each county unit: its own city centre, and the nearest other core sites."""
    county = places.rows_of("county")
    if not len(county):
        return []
    centre, core = places.rows_of("sorting"), places.rows_of("sorting", "transfer")
    codes = places.frame["city_code"].to_list()
    row_of = {codes[k]: k for k in centre}
    own = np.array([row_of[codes[k]] for k in county])
    moved = np.maximum(demand.pieces.sum(axis=1), demand.pieces[:, : len(county)].sum(axis=0)) / level_factor
    limits = (assumption("small_county_pieces"), assumption("medium_county_pieces"))
    sizes = np.array([leg_class(name) for name in ("county_small", "county_medium", "county_large")])
    kind = sizes[np.searchsorted(limits, moved)]
    large = moved >= assumption("large_county_pieces")
    km = places.road_km(county[:, None], core[None, :])
    km[own[:, None] == core[None, :]] = np.inf
    hub = places.frame["kind"].to_numpy()[core] == "transfer"
    wanted = _nearest(km, int(assumption("other_sites"))) & (km <= assumption("reach_km"))
    wanted |= _nearest(km, 1)
    for few, kinds in ((assumption("large_hubs"), hub), (assumption("large_centres"), ~hub)):
        wanted |= large[:, None] & _nearest(np.where(kinds, km, np.inf), int(few))
    order = np.argsort(np.argsort(np.where(wanted, km, np.inf), axis=1, kind="stable"), axis=1)
    row, column = np.nonzero(wanted)
    rank = np.where(large[row], -1, 1) * (order[row, column] + 1)
    return [_chosen(county, own, kind), _chosen(county[row], core[column], kind[row], rank)]


def _core_legs(places: Places, demand: PairDemand, level_factor: float) -> list[Chosen]:
    """Legs between city centres, hubs and exchange offices, each pair once or twice."""
    centre, hub, office = (places.rows_of(kind) for kind in ("sorting", "transfer", "exchange"))
    between = places.road_km(centre[:, None], centre[None, :])
    np.fill_diagonal(between, np.inf)
    to_hub = places.road_km(centre[:, None], hub[None, :])
    mesh = places.road_km(hub[:, None], hub[None, :])
    trunk = (places.frame["role"].to_numpy()[hub] == "trunk").astype(int)
    joined = (trunk[:, None] + trunk[None, :] == 2) | (mesh <= assumption("provincial_hub_km"))
    np.fill_diagonal(joined, False)
    from_hub, to = np.nonzero(joined)
    near_hubs = _nearest(to_hub, int(assumption("near_hubs")))
    province = places.frame["province_code"].to_numpy()
    near_hubs |= province[centre][:, None] == province[hub][None, :]
    volume = _city_volume(places, demand, centre) / level_factor
    volume = np.maximum(volume, volume.T)
    area = np.zeros((len(centre), len(hub)))
    area[np.arange(len(centre)), np.argmin(to_hub, axis=1)] = 1
    far = (volume @ area) >= assumption("far_hub_pieces")
    offices = _nearest(places.road_km(office[:, None], hub[None, :]), int(assumption("exchange_hubs")))
    legs = [_chosen(hub[from_hub], hub[to], "trunk")]
    for mask, rows, columns, kind in (
        (near_hubs | far, centre, hub, "feeder"),
        (_nearest(between, int(assumption("neighbour_cities"))), centre, centre, "neighbour"),
        (np.triu(volume >= assumption("direct_pieces"), 1), centre, centre, "direct"),
        (offices, office, hub, "exchange"),
        (np.eye(len(centre), dtype=bool)[_home(places, office, centre)], office, centre, "exchange"),
    ):
        one, other = np.nonzero(mask)
        legs.insert(0 if kind == "direct" else len(legs), _chosen(rows[one], columns[other], kind))
    return legs


def _home(places: Places, office: Ints, centre: Ints) -> Ints:
    codes = places.frame["city_code"].to_numpy()
    return np.array([int(np.flatnonzero(codes[centre] == codes[row])[0]) for row in office])


def _nearest(km: Floats, count: int) -> NDArray[np.bool_]:
    mask = np.zeros(km.shape, bool)
    np.put_along_axis(mask, np.argsort(km, axis=1, kind="stable")[:, :count], True, axis=1)
    return mask


def _city_volume(places: Places, demand: PairDemand, centre: Ints) -> Floats:
    """Pieces a day between city centres' areas, (cities, cities)."""
    n = len(demand.origin)
    position = {code: k for k, code in enumerate(places.frame["city_code"].to_numpy()[centre])}
    area = np.array([position[code] for code in places.frame["city_code"].to_numpy()[demand.origin]])
    member = np.zeros((n, len(centre)), np.float32)
    member[np.arange(n), area] = 1
    volume: Floats = (member.T @ (demand.pieces[:, :n] @ member)).astype(float)
    np.fill_diagonal(volume, 0)
    return volume


def _measure(places: Places, tail: Ints, head: Ints, kind: Ints, rank: Ints) -> Links:
    """Distance, hours, cost and carbon of chosen legs."""
    table = read_table("leg_classes").join(read_table("freight_factors"), on="factor", how="left")
    column = {name: table[name].to_numpy()[kind] for name in table.columns if table[name].dtype.is_numeric()}
    km = places.road_km(tail, head)
    fill = column["fill_share"] * np.where(rank > 0, assumption("other_fill_share"), 1.0)
    province = places.frame["province_code"].to_numpy()
    ferry = ((province[tail] == HAINAN) != (province[head] == HAINAN)) & (kind != leg_class("ship"))
    handling = dict(zip(*read_table("site_kinds")[["kind", "handling_cny_per_piece"]], strict=True))
    arriving = np.array([handling[name] for name in places.frame["kind"]])[head]
    arriving = arriving + (rank > 0) * assumption("bypass_cny_per_piece")
    trip = column["cny_per_vehicle_km"] * km + column["cny_per_trip"]
    cost = trip / (column["vehicle_pieces"] * fill) + arriving + ferry * assumption("ferry_cny_per_piece")
    per_tkm = column["ttw_kgco2e_per_tkm"] + column["wtt_kgco2e_per_tkm"]
    return Links(
        tail=tail,
        head=head,
        kind=kind,
        rank=rank,
        km=km,
        hours=km / column["speed_kmh"] + ferry * assumption("ferry_h"),
        cost=cost,
        carbon=km * per_tkm * assumption("piece_weight_kg") / 1000,
        vehicle=column["vehicle_pieces"].astype(float),
    )


def rounded(links: Links, decimals: int = 4) -> Links:
    """Return the links with the figures the legs table shows."""
    return replace(
        links,
        km=np.round(links.km, 1),
        hours=np.round(links.hours, 2),
        cost=np.round(links.cost, decimals),
        carbon=np.round(links.carbon, decimals + 1),
    )


def leg_modes(links: Links) -> pl.Series:
    """Mode of each leg."""
    return read_table("leg_classes")["mode"].gather(links.kind)
