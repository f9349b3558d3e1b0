"""The built-in network of China: offline, deterministic, each number with its provenance.

County units, city centres, hubs and exchange offices; legs; demand fitted to published
totals; the flow in force (every piece on its cheapest way) and capacities with headroom.
What is official, derived or assumed is in the ``provenance`` table and in
``docs/reference-network.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.network.model import Network, build_network
from changtong.network.reference_demand import PairDemand, daily_pieces, demand_frame, make_demand
from changtong.network.reference_flow import Assignment, CoreWays, assign, core_ways, ends_of
from changtong.network.reference_hours import handling_hours
from changtong.network.reference_legs import Links, leg_modes, make_links, rounded
from changtong.network.reference_places import Floats, Places, assumption, lay_out_places, read_table
from changtong.network.reference_plan import sort_plan_in_force

GOLDEN = (5**0.5 - 1) / 2  # low-discrepancy steps: an even, repeatable spread
SILVER = 2**0.5 - 1
LEVELS = ("county", "city")

Progress = Callable[[str, float], None]
"""Called with the stage that begins and the share of the work done."""


def reference_network(
    *, level: str = "county", year: int = 2022, scale: float = 1.0, progress: Progress | None = None
) -> Network:
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
    progress : callable, optional
        Called with the stage that begins and the share of the work done.

    Returns
    -------
    Network
        The same call gives the same tables, byte by byte.

    Raises
    ------
    UsageError
        An unknown level, a year without a published volume, or a scale not above 0.
    """
    told = progress or _silent
    parts = build_parts(level=level, year=year, scale=scale, progress=told)
    told("tables", 0.9)
    tables = reference_tables(parts)
    tables["service_classes"] = _service_classes()
    tables["provenance"] = _provenance(parts.places)
    name = f"China {year}, {level} level" + ("" if scale == 1 else f", x{scale:g}")
    network = build_network(tables, name)
    if level == "city":
        network = build_network(tables | {"sort_plan": sort_plan_in_force(network)}, name)
    return network


@dataclass(frozen=True)
class Parts:
    """What the network is made of, as arrays.

    Attributes
    ----------
    places, demand, links, ways, flow : Places, PairDemand, Links, CoreWays, Assignment
    handling : array of float, (sites,)
        Hours of each visit.
    """

    places: Places
    demand: PairDemand
    links: Links
    ways: CoreWays
    flow: Assignment
    handling: Floats


def _silent(stage: str, share: float) -> None:
    """Take no notice of progress."""


def build_parts(*, level: str, year: int, scale: float, progress: Progress = _silent) -> Parts:
    """Build the parts of the network; see `reference_network` for options and errors."""
    _check_options(level, year, scale)
    progress("places", 0.0)
    places = lay_out_places(level)
    progress("demand", 0.02)
    demand = make_demand(places, year=year, scale=scale)
    to_2022 = daily_pieces(year) / daily_pieces(2022) * scale
    progress("legs", 0.2)
    links = make_links(places, demand, level_factor=to_2022)
    links, ways, flow = settle_costs(places, demand, links, to_2022, progress)
    progress("hours", 0.75)
    return Parts(places, demand, links, ways, flow, handling_hours(places, demand, links, ways))


def reference_tables(parts: Parts) -> dict[str, pl.DataFrame]:
    """Return the tables sites, legs and demand."""
    site_type = pl.Enum(parts.places.frame["site_id"].to_list())
    return {
        "sites": _sites_frame(parts),
        "legs": _legs_frame(parts, site_type),
        "demand": demand_frame(parts.demand, site_type),
    }


def _check_options(level: str, year: int, scale: float) -> None:
    if level not in LEVELS:
        raise UsageError(f"level {level!r} is unknown; it is one of {', '.join(LEVELS)}.")
    volumes = read_table("published").filter(pl.col("name") == "volume")
    if year not in volumes["year"].to_list():
        known = ", ".join(str(one) for one in volumes["year"])
        raise UsageError(f"no published volume for the year {year}; there is one for each of {known}.")
    if not (scale > 0 and np.isfinite(scale)):
        raise UsageError(f"scale {scale!r} must be a number above 0.")


def settle_costs(
    places: Places, demand: PairDemand, links: Links, level_factor: float, progress: Progress = _silent
) -> tuple[Links, CoreWays, Assignment]:
    """Put all pieces on their cheapest ways, with dearer handling where many pass.

    Parameters
    ----------
    places, demand, links : Places, PairDemand, Links
    level_factor : float
        Divides pieces to bring them to the level of 2022.
    progress : callable, optional

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
        progress(f"ways, round {k + 1} of {rounds + 1}", 0.25 + 0.5 * k / (rounds + 1))
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
    spread: Floats = low + (high - low) * np.modf(np.arange(1, count + 1) * step)[0]
    return spread


def _site_loads(places: Places, demand: PairDemand, links: Links, flow: Assignment) -> Floats:
    """Pieces a day each site sorts: those that begin there and those that arrive."""
    loads: Floats = np.bincount(links.head, flow.leg_pieces, places.frame.height).astype(float)
    loads[demand.origin] += demand.pieces.sum(axis=1, dtype=float)
    return loads


def _sites_frame(parts: Parts) -> pl.DataFrame:
    places = parts.places
    frame = places.frame.join(read_table("site_kinds"), on="kind", how="left", maintain_order="left")
    loads = _site_loads(places, parts.demand, parts.links, parts.flow)
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
        handling_h=pl.Series(np.round(parts.handling, 2)),
    )


def _legs_frame(parts: Parts, site_type: pl.Enum) -> pl.DataFrame:
    places, demand, links, flow = parts.places, parts.demand, parts.links, parts.flow
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
    carried: Floats = np.minimum(sizes[np.searchsorted(limits, pieces)], links.vehicle)
    return carried


def _provenance(places: Places) -> pl.DataFrame:
    """Where each column's numbers come from, with the assumed values written out."""
    values = dict(read_table("assumptions").select("name", "value").iter_rows())
    left = places.left_out
    values |= {"left_out": left.height, "left_out_people": float(left["population"].sum()) / 1e6}
    frame = read_table("provenance").with_columns(pl.col("source", "note").fill_null(""))
    notes = [note.format_map(values) for note in frame["note"]]
    return frame.with_columns(note=pl.Series(notes))


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
