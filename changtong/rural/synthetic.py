"""What no register tells of a county, made up by labelled assumptions: firms' pieces, vehicles, buses.

Every number comes from ``assumptions.csv``, ``county_firms.csv`` and ``county_vehicles.csv`` beside this
module, and :func:`assumed_rows` writes them into a county's provenance.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl

from changtong.network.reference_places import great_circle_km
from changtong.rural.distances import Floats

PIECE_DIGITS = 3
TURN_MIN = 20
"""Minutes a made-up bus stands at the far end of its line."""

BUS_STOPS = 8
"""Most stops of a made-up bus run, the hub included."""


@cache
def read_assumed(name: str) -> pl.DataFrame:
    """Read one CSV of ``changtong/rural``.

    Parameters
    ----------
    name : str
        File name without ``.csv``.
    """
    data = files("changtong.rural").joinpath(f"{name}.csv").read_bytes()
    return pl.read_csv(data, infer_schema_length=None)


@cache
def assumed(name: str) -> float:
    """Return one number of ``assumptions.csv`` in its unit there."""
    return float(read_assumed("assumptions").filter(pl.col("name") == name)["value"].item())


def rounded_to_sum(values: Floats, total: float) -> Floats:
    """Round pieces, the largest row taking the rest, so that they add up to a total.

    Parameters
    ----------
    values : array of float
    total : float
    """
    made = np.round(values, PIECE_DIGITS)
    if len(made):
        made[int(np.argmax(made))] += total - made.sum()
    return made


def visits_for(pieces: Floats) -> list[int]:
    """Return the days of a week on which villages with so many pieces a day are visited."""
    steps = [assumed(f"{name}_visit_pieces") for name in ("seldom", "often", "daily")]
    return [(2, 3, 5, 7)[int(k)] for k in np.searchsorted(steps, pieces, side="right")]


def firm_pieces(
    site_ids: list[str],
    inbound: Floats,
    outbound: Floats,
    sends_cold: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Split the pieces of places over firms; their sums stay as they are.

    Parameters
    ----------
    site_ids : list of str
    inbound, outbound : array of float
        Pieces a day of each site.
    sends_cold : array of bool
        Whether a site sends fresh produce.
    rng : numpy.random.Generator
    """
    firms = read_assumed("county_firms")
    base, names = firms["share"].to_numpy(), firms["firm"].to_list()
    weight = base * np.exp(rng.normal(0, assumed("firm_spread"), (len(site_ids), len(base))))
    weight /= weight.sum(axis=1, keepdims=True)
    thin = weight * (inbound + outbound)[:, None] < assumed("least_firm_pieces")
    thin[:, 0] = False  # the post goes everywhere
    weight = np.where(thin, 0, weight)
    weight[:, 0] += 1 - weight.sum(axis=1)
    site, firm = np.nonzero(weight)
    cold = np.where(sends_cold[site], assumed("outbound_cold_share"), 0.0)
    return pl.DataFrame(
        {
            "site_id": [site_ids[k] for k in site],
            "firm": [names[k] for k in firm],
            "inbound_pieces_per_day": rounded_to_sum((weight * inbound[:, None])[site, firm], inbound.sum()),
            "outbound_pieces_per_day": rounded_to_sum(
                (weight * outbound[:, None])[site, firm], outbound.sum()
            ),
            "inbound_cold_share": assumed("inbound_cold_share"),
            "outbound_cold_share": cold,
            "cold_h": assumed("cold_h"),
        }
    )


def fleet(pieces: pl.DataFrame) -> pl.DataFrame:
    """Return vans of each firm, enough for its pieces, and vehicles anybody can hire.

    Parameters
    ----------
    pieces : polars.DataFrame
        Of the county.
    """
    templates = read_assumed("county_vehicles")
    each = templates.filter(pl.col("owner") == "each").drop("owner")
    day = pl.max_horizontal("inbound_pieces_per_day", "outbound_pieces_per_day")
    volume = pieces.group_by("firm").agg(pieces=day.sum()).sort("firm")
    own = each.join(volume, how="cross").with_columns(
        vehicle_type=pl.col("firm") + " " + pl.col("vehicle_type"),
        count=(pl.col("pieces") * assumed("fleet_headroom") / pl.col("capacity_pieces")).ceil().cast(pl.Int64)
        + 1,
    )
    hired = templates.filter(pl.col("owner") == "anybody").drop("owner")
    return pl.concat([own.drop("pieces"), hired], how="diagonal")


def bus_lines(sites: pl.DataFrame, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return runs from the hub towards far villages in different directions, and their stops.

    Parameters
    ----------
    sites : polars.DataFrame
        ``site_id``, ``kind``, ``lon``, ``lat``, ``name``.
    count : int
        Runs wanted; fewer where there are not so many directions with a village.
    """
    hub = sites.row(by_predicate=pl.col("kind") == "county", named=True)
    others = sites.filter(pl.col("kind") != "county")
    east = (others["lon"].to_numpy() - hub["lon"]) * np.cos(np.radians(hub["lat"]))
    north = others["lat"].to_numpy() - hub["lat"]
    far = great_circle_km(
        others["lon"].to_numpy(), others["lat"].to_numpy(), np.array([hub["lon"]]), np.array([hub["lat"]])
    )
    sector = np.floor((np.arctan2(north, east) + np.pi) / (2 * np.pi) * count).astype(int) % max(count, 1)
    village = (others["kind"] == "village").to_numpy()
    runs: list[dict[str, object]] = []
    stops: list[dict[str, object]] = []
    for line in range(count):
        ends = np.flatnonzero((sector == line) & village & (far > 0))
        if not len(ends):
            continue
        end = int(ends[np.argmax(far[ends])])
        way = np.array([east[end], north[end]]) / np.hypot(east[end], north[end])
        along = (east * way[0] + north * way[1]) / np.hypot(east[end], north[end])
        aside = np.abs(east * way[1] - north * way[0]) * 111.2
        near = np.flatnonzero(
            (aside <= assumed("bus_corridor_km"))
            & (along > 0.08)
            & (along < 1)
            & (np.arange(len(far)) != end)
        )
        chosen = near[np.argsort(along[near])]
        if len(chosen) > BUS_STOPS - 2:
            chosen = chosen[np.linspace(0, len(chosen) - 1, BUS_STOPS - 2).round().astype(int)]
        bus_id = f"B{len(runs) + 1}"
        places = [hub, *(others.row(int(k), named=True) for k in (*chosen, end))]
        runs.append({"bus_id": bus_id, "name": f"{hub['name']} – {places[-1]['name']}"})
        minutes = 7 * 60 + 20 * len(runs)
        turns = len(places)
        places += places[-2::-1]  # and back the same way, so that it takes what villages send
        for number, place in enumerate(places, 1):
            minutes += TURN_MIN if number == turns + 1 else 0
            if number > 1:
                before = places[number - 2]
                km = float(
                    great_circle_km(
                        *(np.array([v]) for v in (before["lon"], before["lat"], place["lon"], place["lat"]))
                    )[0]
                )
                minutes += 2 + int(np.ceil(km * assumed("detour") / assumed("bus_km_per_h") * 60))
            at = f"{minutes // 60:02d}:{minutes % 60:02d}"
            stops.append({"bus_id": bus_id, "stop": number, "site_id": place["site_id"], "at": at})
    buses = pl.DataFrame(runs, schema={"bus_id": pl.String, "name": pl.String}).with_columns(
        spare_pieces=pl.lit(assumed("bus_spare_pieces")),
        cost_cny_per_piece=pl.lit(assumed("bus_cny_per_piece")),
        cost_cny_per_day=pl.lit(assumed("bus_cny_per_day")),
    )
    schema = {"bus_id": pl.String, "stop": pl.Int64, "site_id": pl.String, "at": pl.String}
    return buses, pl.DataFrame(stops, schema=schema)


def station_columns(kinds: pl.Series, rng: np.random.Generator) -> dict[str, pl.Series]:
    """Return costs, cold stores and transfer windows of stations, null at other sites.

    Parameters
    ----------
    kinds : polars.Series
        Kind of each site.
    rng : numpy.random.Generator
    """
    station = kinds == "township"
    cold = pl.Series(rng.random(len(kinds)) < assumed("cold_stations_share")) & station

    def there(value: object) -> pl.Series:
        return pl.select(pl.when(station).then(pl.lit(value))).to_series()

    return {
        "open_cny_per_day": there(assumed("station_cny_per_day")),
        "handle_cny_per_piece": there(assumed("station_cny_per_piece")),
        "piece_min": there(assumed("station_piece_min")),
        "cold": cold | (kinds == "county"),
        "opens": there("06:30"),
        "closes": there("11:00"),
    }


FLEET_NOTE = (
    "county_vehicles.csv; kgco2e_per_km: factors of S92 (van 0.782, electric van 0.276, lorry of 3.5 to 7.5 t"
    " 0.651 kg/t-km, well to wheel) times assumed loads of 0.35, 0.35 and 1.2 t; cold van: van and 15 %"
)


def assumed_rows(names: dict[str, str]) -> list[dict[str, str]]:
    """Return provenance rows of what is made up, with the numbers written out.

    Parameters
    ----------
    names : dict
        ``table.column`` -> note; ``{name}`` in it stands for the number of that name in
        ``assumptions.csv``.
    """
    table = read_assumed("assumptions")
    values = {name: f"{value:g}" for name, value in table.select("name", "value").iter_rows()}
    return [
        {
            "table": place.split(".")[0],
            "column": place.split(".")[1],
            "kind": "assumed",
            "source": "changtong/rural/assumptions.csv",
            "note": note.format_map(values),
        }
        for place, note in names.items()
    ]


COMMON_NOTES = {
    "sites.visits_per_week": "7 from {daily_visit_pieces} pieces a day, 5 from {often_visit_pieces}, 3 from"
    " {seldom_visit_pieces}, else 2",
    "sites.open_cny_per_day": "{station_cny_per_day} at each station, {station_cny_per_piece} a piece",
    "sites.cold": "a share of {cold_stations_share} of the stations, drawn by chance, and the hub",
    "sites.opens": "stations take goods from 06:30 to 11:00",
    "pieces.firm": "county_firms.csv: shares made up, no real firm is meant; they differ from place to place"
    " (standard deviation of the logarithm {firm_spread}); below {least_firm_pieces} pieces a day the post"
    " carries them",
    "pieces.inbound_cold_share": "{inbound_cold_share} everywhere",
    "pieces.outbound_cold_share": "{outbound_cold_share} at a share of {cold_villages_share} of the villages",
    "pieces.cold_h": "{cold_h} h",
    "vehicles.vehicle_type": FLEET_NOTE,
    "vehicles.count": "a firm's vans hold {fleet_headroom} times its pieces of a day, and one more; others"
    " are hired",
    "buses.bus_id": "made-up runs from the hub to the farthest village in each direction and back, along"
    " places within {bus_corridor_km} km of the line, at {bus_km_per_h} km/h",
    "buses.spare_pieces": "{bus_spare_pieces}; {bus_cny_per_piece} CNY a piece, {bus_cny_per_day} a day",
}
