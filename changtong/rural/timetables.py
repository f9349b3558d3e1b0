"""What happens when: at each station, on each bus, and on each day of a vehicle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan

EVENTS = ("arrives", "returns", "calls", "leaves")
"""What a vehicle does at a station, in the order of one moment; a bus only calls: it sets down and takes
at once."""

STATION_COLUMNS: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "at": pl.String(),
    "weekdays": pl.String(),
    "tier": pl.String(),
    "event": pl.String(),
    "route_id": pl.String(),
    "vehicle_type": pl.String(),
    "vehicle": pl.Int64(),
    "trip": pl.Int64(),
    "into_pieces": pl.Float64(),
    "out_pieces": pl.Float64(),
    "into_cold_pieces": pl.Float64(),
    "out_cold_pieces": pl.Float64(),
}
"""One row an event at a station or the hub; ``into``: pieces that come in then, ``out``: that leave."""


@dataclass(frozen=True)
class VehicleDay:
    """What one vehicle does on some days of the week: a driver's sheet.

    Attributes
    ----------
    from_site, vehicle_type : str
    vehicle : int
    tier : str
    weekdays : str
        The days on which it does exactly this.
    route_ids : tuple of str
        Its trips on such a day, by departure.
    """

    from_site: str
    vehicle_type: str
    vehicle: int
    tier: str
    weekdays: str
    route_ids: tuple[str, ...]


def vehicle_days(plan: CountyPlan) -> list[VehicleDay]:
    """Return what each vehicle and bus does, one entry for all days of the week that are alike.

    Parameters
    ----------
    plan : CountyPlan

    Examples
    --------
    A tricycle with a trip each day and another on Mondays has two entries: Monday, and all other days.
    """
    found = []
    keys = ("tier", "from_site", "vehicle_type", "vehicle")
    order = {"trunk": 0, "bus": 1, "local": 2}
    groups = plan.routes.sort("departs", "trip", maintain_order=True).group_by(*keys, maintain_order=True)
    for (tier, start, kind, number), rows in groups:
        by_trips: dict[tuple[str, ...], str] = {}
        for day in "1234567":
            driven = rows.filter(pl.col("weekdays").str.contains(day, literal=True))["route_id"].to_list()
            if driven:
                by_trips[tuple(driven)] = by_trips.get(tuple(driven), "") + day
        for trips, days in by_trips.items():
            found.append(VehicleDay(str(start), str(kind), int(str(number)), str(tier), days, trips))
    return sorted(found, key=lambda one: (order[one.tier], one.from_site, one.vehicle_type, one.vehicle))


def vehicles_used(plan: CountyPlan) -> int:
    """Return how many vehicles the plan needs; buses run anyway and do not count.

    A vehicle may start from one base today and from another tomorrow: of each type as many are needed as
    are out on the day when most are.

    Parameters
    ----------
    plan : CountyPlan

    Examples
    --------
    A lorry, and a tricycle at the hub on Mondays and at a station on Tuesdays are two vehicles.
    """
    own = plan.routes.filter(pl.col("tier") != "bus")
    days = own.with_columns(day=pl.col("weekdays").str.split("")).explode("day").filter(pl.col("day") != "")
    out = days.group_by("vehicle_type", "day").agg(pl.struct("from_site", "vehicle").n_unique().alias("out"))
    return int(out.group_by("vehicle_type").agg(pl.col("out").max())["out"].sum())


def station_timetable(plan: CountyPlan, county: County) -> pl.DataFrame:
    """Return what happens at the hub and at each station, by time.

    Parameters
    ----------
    plan : CountyPlan
    county : County

    Returns
    -------
    polars.DataFrame
        Columns as in ``STATION_COLUMNS``; the hub first, then stations in the order of the county's table.
    """
    depots = county.sites.filter(pl.col("kind") != "village")["site_id"].to_list()
    order = {site: k for k, site in enumerate(depots, 1)} | {county.hub: 0}
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in plan.stops.iter_rows(named=True):
        calls.setdefault(call["route_id"], []).append(call)
    rows = []
    for route in plan.routes.iter_rows(named=True):
        mine = calls.get(route["route_id"], [])
        bus = route["tier"] == "bus"
        brought = _amounts(mine, "delivered")
        taken = _amounts(mine, "collected")
        start = route["from_site"]
        rows.append(_row(route, start, "calls" if bus else "leaves", route["departs"], out=brought))
        if not bus:
            rows.append(_row(route, start, "returns", route["returns"], into=taken))
        for call in mine:
            site, here, along = call["site_id"], _amounts([call], "delivered"), _amounts([call], "collected")
            if site not in order:
                continue
            if bus:
                rows.append(_row(route, site, "calls", call["arrives"], into=here, out=along))
            else:
                rows.append(_row(route, site, "arrives", call["arrives"], into=here))
                rows.append(_row(route, site, "leaves", call["departs"], out=along))
    rows.sort(key=lambda row: (order.get(row["site_id"], len(order)), row["at"], EVENTS.index(row["event"]),
                               row["route_id"], row["weekdays"]))  # fmt: skip
    return pl.DataFrame(rows, schema=STATION_COLUMNS)


def _amounts(calls: list[dict[str, Any]], what: str) -> tuple[float, float]:
    """Return pieces and, of these, cold ones."""
    return sum(c[f"{what}_pieces"] for c in calls), sum(c[f"{what}_cold_pieces"] for c in calls)


NOTHING = (0.0, 0.0)


def _row(
    route: dict[str, Any],
    site: str,
    event: str,
    at: str,
    *,
    into: tuple[float, float] = NOTHING,
    out: tuple[float, float] = NOTHING,
) -> dict[str, Any]:
    names = ("weekdays", "tier", "route_id", "vehicle_type", "vehicle", "trip")
    return {name: route[name] for name in names} | {
        "site_id": site,
        "at": at,
        "event": event,
        "into_pieces": into[0],
        "out_pieces": out[0],
        "into_cold_pieces": into[1],
        "out_cold_pieces": out[1],
    }


def bus_timetable(plan: CountyPlan, county: County) -> pl.DataFrame:
    """Return what each bus takes and sets down at each stop where it does either.

    Parameters
    ----------
    plan : CountyPlan
    county : County
    """
    routes = plan.routes.filter(pl.col("tier") == "bus").select(
        "route_id", "weekdays", "from_site", pl.col("vehicle_type").alias("bus_id")
    )
    names = county.buses.select("bus_id", pl.col("name").alias("bus_name"))
    return (
        plan.stops.join(routes, on="route_id", how="inner", maintain_order="left")
        .join(names, on="bus_id", how="left", maintain_order="left")
        .select(
            "bus_id", "bus_name", "weekdays", "route_id", "stop", "site_id", "arrives", "delivered_pieces",
            "collected_pieces", "delivered_cold_pieces", "collected_cold_pieces",
        )
        .sort("bus_id", "route_id", "stop", maintain_order=True)
    )  # fmt: skip
