"""The built-in network of China: offline, deterministic, each number with its provenance.

County units, city centres, hubs and exchange offices; legs; demand fitted to published
totals; the flow in force (every piece on its cheapest way) and capacities with headroom.
What is official, derived or assumed is in the ``provenance`` table and in
``docs/reference-network.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.network.model import Network
from changtong.network.reference_demand import PairDemand, daily_pieces, demand_frame, make_demand
from changtong.network.reference_flow import Assignment, CoreWays, assign, core_ways, ends_of
from changtong.network.reference_hours import handling_hours
from changtong.network.reference_legs import Links, leg_modes, make_links, rounded
from changtong.network.reference_places import Floats, Places, assumption, lay_out_places, read_table

GOLDEN = (5**0.5 - 1) / 2  # low-discrepancy steps: an even, repeatable spread
SILVER = 2**0.5 - 1
LEVELS = ("county", "city")


def reference_network(*, level: str = "county", year: int = 2022, scale: float = 1.0) -> Network:
    """Build the network of China.

    Parameters
    ----------
    level : {"county", "city"}
        ``county``: about 3,200 sites and 8 million pairs; ``city``: about 400 sites and
        114,000 pairs, with the sort plan in force.
    year : int
        2020 to 2025: the published volume of that year; all shares are those of 2022.
    scale : float
        Factor on all pieces; capacities follow, each leg keeps one vehicle a day.

    Returns
    -------
    Network
        The same call gives the same tables, byte by byte.

    Raises
    ------
    UsageError
        An unknown level, a year without a published volume, or a scale not above 0.
    """
    _check_options(level, year, scale)
    places = lay_out_places(level)
    demand = make_demand(places, year=year, scale=scale)
    to_2022 = daily_pieces(year) / daily_pieces(2022) * scale
    links, ways, flow = settle_costs(
        places, demand, make_links(places, demand, level_factor=to_2022), to_2022
    )
    site_type = pl.Enum(places.frame["site_id"].to_list())
    handling = handling_hours(places, demand, links, ways)
    network = Network(
        name=f"China {year}, {level} level" + ("" if scale == 1 else f", x{scale:g}"),
        sites=_sites_frame(places, demand, links, flow, handling),
        legs=_legs_frame(places, demand, links, flow, site_type),
        demand=demand_frame(demand, site_type),
        service_classes=_service_classes(),
        provenance=read_table("provenance"),
    )
    if level == "city":
        network = network.with_tables(sort_plan=sort_plan_in_force(network))
    return network


def _check_options(level: str, year: int, scale: float) -> None:
    if level not in LEVELS:
        raise UsageError(f"level {level!r} is unknown; it is one of {', '.join(LEVELS)}.")
    volumes = read_table("published").filter(pl.col("name") == "volume")
    if year not in volumes["year"].to_list():
        known = f"{volumes['year'].min()} to {volumes['year'].max()}"
        raise UsageError(f"no published volume for the year {year}; there is one for {known}.")
    if not (scale > 0 and np.isfinite(scale)):
        raise UsageError(f"scale {scale!r} must be a number above 0.")


def settle_costs(
    places: Places, demand: PairDemand, links: Links, level_factor: float
) -> tuple[Links, CoreWays, Assignment]:
    """Put all pieces on their cheapest ways, with dearer handling where many pass.

    Parameters
    ----------
    places, demand, links : Places, PairDemand, Links
    level_factor : float
        Divides pieces to bring them to the level of 2022.

    Returns
    -------
    Links, CoreWays, Assignment
        The links with their settled costs, and the flow that is cheapest by them.
    """
    core = places.frame["kind"].is_in(["sorting", "transfer"]).to_numpy()
    free, slope = assumption("crowding_free_pieces"), assumption("crowding_cny_per_million") / 1e6
    crowding = np.zeros(len(core))
    rounds = int(assumption("crowding_rounds"))
    for k in range(rounds + 1):
        settled = rounded(replace(links, cost=links.cost + crowding[links.head]))
        ways = core_ways(settled.tail, settled.head, settled.cost, core)
        entry = ends_of(demand.origin, settled.tail, settled.head, settled.cost, ways)
        exits = ends_of(demand.destination, settled.head, settled.tail, settled.cost, ways)
        flow = assign(demand, ways, entry, exits, len(links.tail))
        loads = _site_loads(places, demand, links, flow) / level_factor
        if k < rounds:
            wanted = slope * np.maximum(loads - free, 0) * core
            crowding += (wanted - crowding) / (k + 2)
    return settled, ways, flow


def _spread(count: int, step: float, name: str) -> Floats:
    """Headroom of each row: evenly spread between the assumed lowest and highest."""
    low, high = assumption(f"{name}_low"), assumption(f"{name}_high")
    return low + (high - low) * np.modf(np.arange(1, count + 1) * step)[0]


def _site_loads(places: Places, demand: PairDemand, links: Links, flow: Assignment) -> Floats:
    """Pieces a day each site sorts: those that begin there and those that arrive."""
    loads = np.bincount(links.head, flow.leg_pieces, places.frame.height)
    loads[demand.origin] += demand.pieces.sum(axis=1, dtype=float)
    return loads


def _sites_frame(
    places: Places, demand: PairDemand, links: Links, flow: Assignment, handling: Floats
) -> pl.DataFrame:
    frame = places.frame.join(read_table("site_kinds"), on="kind", how="left", maintain_order="left")
    loads = _site_loads(places, demand, links, flow)
    hours = frame["sort_hours_per_day"].to_numpy().astype(float)
    step = frame["rate_step_pieces_per_h"].to_numpy().astype(float)
    rate = np.maximum(np.ceil(loads * _spread(len(loads), GOLDEN, "headroom") / hours / step), 1) * step
    hold = np.ceil(rate * hours * frame["hold_days"].to_numpy() / 100) * 100
    site_type = pl.Enum(frame["site_id"].to_list())
    return frame.select(
        pl.col("site_id").cast(site_type),
        "name",
        "kind",
        "lon",
        "lat",
        "admin_code",
        sort_pieces_per_h=pl.Series(rate),
        sort_hours_per_day=pl.Series(hours),
        hold_pieces=pl.Series(hold),
        opens=pl.lit(None, pl.String),
        closes=pl.lit(None, pl.String),
        cold=pl.lit(False),
        status=pl.lit("open"),
        transit="transit",
        region="region",
        population="population",
        handling_h=pl.Series(np.round(handling, 2)),
    )


def _legs_frame(
    places: Places, demand: PairDemand, links: Links, flow: Assignment, site_type: pl.Enum
) -> pl.DataFrame:
    least = flow.leg_pieces * _spread(len(links.tail), SILVER, "leg_headroom")
    n = len(demand.origin)
    moved = np.zeros((2, places.frame.height))
    moved[0, demand.origin] = demand.pieces.sum(axis=1, dtype=float) - np.diag(demand.pieces[:, :n])
    moved[1, demand.origin] = demand.pieces[:, :n].sum(axis=0, dtype=float) - np.diag(demand.pieces[:, :n])
    share = np.array([0.0, assumption("standby_first_share"), assumption("standby_next_share")])
    standby = share[np.minimum(np.abs(links.rank), 2)] * np.maximum(
        moved[0, links.tail], moved[1, links.head]
    )
    least = np.maximum(least, standby)
    vehicle = _vehicles(links, least)
    trips = np.maximum(np.ceil(least / vehicle), 1)
    return pl.DataFrame(
        {
            "from_site": pl.Series(links.tail.astype(np.uint32)).cat.to(site_type),
            "to_site": pl.Series(links.head.astype(np.uint32)).cat.to(site_type),
            "mode": leg_modes(links),
            "distance_km": links.km,
            "travel_h": links.hours,
            "departures_per_day": trips,
            "capacity_pieces_per_day": trips * vehicle,
            "cost_cny_per_piece": links.cost,
            "kgco2e_per_piece": links.carbon,
            "flow_pieces_per_day": np.round(flow.leg_pieces, 3),
            "vehicle_pieces": vehicle,
        }
    )


def _vehicles(links: Links, pieces: Floats) -> Floats:
    """Pieces a vehicle carries: thin legs run smaller ones than their class."""
    table = read_table("leg_classes")
    carries = dict(zip(table["leg_class"], table["vehicle_pieces"].cast(pl.Float64), strict=True))
    limits = (assumption("small_leg_pieces"), assumption("medium_leg_pieces"))
    sizes = np.array([carries["county_small"], carries["county_medium"], np.inf])
    return np.minimum(sizes[np.searchsorted(limits, pieces)], links.vehicle)


def _service_classes() -> pl.DataFrame:
    return read_table("service_classes").with_columns(pl.col("promise_h", "share").cast(pl.Float64))


def busiest_hub(network: Network) -> str:
    """Return the transfer centre that sorts most pieces a day under the flow in force.

    Parameters
    ----------
    network : Network
        With ``legs.flow_pieces_per_day`` and at least one site of kind ``transfer``.

    Raises
    ------
    NotFoundError
        The network has no transfer centre, or no flow in force.
    """
    hubs = network.sites.filter(pl.col("kind") == "transfer")["site_id"]
    if not len(hubs) or "flow_pieces_per_day" not in network.legs.columns:
        raise NotFoundError("the network has no site of kind transfer, or no flow in force to rank them by.")
    arriving = network.legs.group_by("to_site").agg(pieces=pl.col("flow_pieces_per_day").sum())
    starting = network.demand.group_by("from_site").agg(
        pieces=pl.col("pieces_per_day").sum().cast(pl.Float64)
    )
    both = pl.concat([arriving.rename({"to_site": "site"}), starting.rename({"from_site": "site"})])
    loads = both.group_by("site").agg(pl.col("pieces").sum())
    loads = loads.filter(pl.col("site").is_in(hubs.implode()))
    return str(loads.sort(["pieces", "site"], descending=[True, False])["site"][0])


@dataclass(frozen=True)
class _Graph:
    tail: np.ndarray
    head: np.ndarray
    cost: np.ndarray
    ways: CoreWays


def sort_plan_in_force(network: Network) -> pl.DataFrame:
    """Return the sort plan that puts every piece on its cheapest way.

    Parameters
    ----------
    network : Network
        Sites without ``transit`` must have legs with transit sites only.

    Returns
    -------
    polars.DataFrame
        site, destination, next_site: for every destination of a demand row, every other
        site from which it can be reached. About 9 million rows at county level.
    """
    transit = network.sites["transit"].to_numpy()
    tail = network.legs["from_site"].to_physical().to_numpy().astype(np.int64)
    head = network.legs["to_site"].to_physical().to_numpy().astype(np.int64)
    cost = network.legs["cost_cny_per_piece"].to_numpy()
    graph = _Graph(tail, head, cost, core_ways(tail, head, cost, transit))
    targets = np.unique(network.demand["to_site"].to_physical().to_numpy()).astype(np.int64)
    after = _next_sites(graph, targets, len(transit))
    site, column = np.nonzero(after >= 0)
    order = np.lexsort((column, site))
    site, column = site[order], column[order]

    def name(rows: np.ndarray) -> pl.Series:
        return pl.Series(rows.astype(np.uint32)).cat.to(network.site_type)

    return pl.DataFrame(
        {"site": name(site), "destination": name(targets[column]), "next_site": name(after[site, column])}
    )


def _next_sites(graph: _Graph, targets: np.ndarray, n_sites: int) -> np.ndarray:
    """Row of the next site from each site to each target; -1 where none, (sites, targets)."""
    ways, everyone = graph.ways, np.arange(n_sites)
    exits = ends_of(targets, graph.head, graph.tail, graph.cost, ways)
    entry = ends_of(everyone, graph.tail, graph.head, graph.cost, ways)
    leaf = np.flatnonzero(ways.number < 0)
    after = np.full((n_sites, len(targets)), -1, np.int32)
    n_core = len(ways.site)
    for column, target in enumerate(targets):
        through = ways.cost[:, exits.core[column]] + exits.cost[column]
        slot = through.argmin(axis=1)
        least = through[np.arange(n_core), slot]
        leave = exits.core[column][slot]
        hop = ways.toward[leave, np.arange(n_core)]
        hop = np.where(leave == np.arange(n_core), target, ways.site[hop])
        after[ways.site, column] = np.where(np.isfinite(least), hop, -1)
        begin = entry.cost[leaf] + least[entry.core[leaf]]
        first = begin.argmin(axis=1)
        reached = np.isfinite(begin[np.arange(len(leaf)), first])
        step = ways.site[entry.core[leaf, first]]
        after[leaf, column] = np.where(reached, step, -1)
        after[target, column] = -1
    return after
