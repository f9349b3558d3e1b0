"""What happens when: at each station, on each bus, and on each day of a vehicle."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan

EVENTS = ("trunk-arrives", "trunk-leaves", "bus-calls", "bus-leaves", "local-leaves", "local-returns")
"""What is in a station's timetable, in the order in which things of one minute are listed."""

STATION_COLUMNS: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "weekdays": pl.String(),
    "at": pl.String(),
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
"""One row an event at a station or the hub; ``into``: pieces that come into the station then, ``out``: that
leave it."""


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

    Parameters
    ----------
    plan : CountyPlan
    """
    own = plan.routes.filter(pl.col("tier") != "bus")
    return int(own.select("from_site", "vehicle_type", "vehicle").unique().height)


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
    cold = plan.stops.group_by("route_id").agg(
        pl.col("delivered_cold_pieces").sum().alias("cold_in"),
        pl.col("collected_cold_pieces").sum().alias("cold_out"),
    )
    routes = plan.routes.join(cold, on="route_id", how="left", maintain_order="left")
    facts = ("route_id", "tier", "weekdays", "vehicle_type", "vehicle", "trip")
    calls = plan.stops.join(routes.select(facts), on="route_id", how="inner", maintain_order="left")
    depots = county.sites.filter(pl.col("kind") != "village")["site_id"]
    calls = calls.filter(pl.col("site_id").is_in(depots.implode()))
    word = pl.col("tier").replace({"trunk": "trunk", "local": "local", "bus": "bus"})
    parts = [
        # what comes in at a call is what is set down there, what goes out is what is taken along
        calls.with_columns(
            pl.col("arrives").alias("at"),
            (word + pl.when(pl.col("tier") == "bus").then(pl.lit("-calls")).otherwise(pl.lit("-arrives"))).alias(
                "event"
            ),
            pl.col("delivered_pieces").alias("into_pieces"),
            pl.lit(0.0).alias("out_pieces"),
            pl.col("delivered_cold_pieces").alias("into_cold_pieces"),
            pl.lit(0.0).alias("out_cold_pieces"),
        ).with_columns(
            # a bus stands for a moment only: both go into one line
            pl.when(pl.col("tier") == "bus").then("collected_pieces").otherwise("out_pieces").alias("out_pieces"),
            pl.when(pl.col("tier") == "bus")
            .then("collected_cold_pieces")
            .otherwise("out_cold_pieces")
            .alias("out_cold_pieces"),
        ),
        calls.filter(pl.col("tier") != "bus").with_columns(
            pl.col("departs").alias("at"),
            (word + "-leaves").alias("event"),
            pl.lit(0.0).alias("into_pieces"),
            pl.col("collected_pieces").alias("out_pieces"),
            pl.lit(0.0).alias("into_cold_pieces"),
            pl.col("collected_cold_pieces").alias("out_cold_pieces"),
        ),
        routes.with_columns(
            pl.col("from_site").alias("site_id"),
            pl.col("departs").alias("at"),
            (word + "-leaves").alias("event"),
            pl.lit(0.0).alias("into_pieces"),
            pl.col("delivered_pieces").alias("out_pieces"),
            pl.lit(0.0).alias("into_cold_pieces"),
            pl.col("cold_in").fill_null(0.0).alias("out_cold_pieces"),
        ),
        routes.filter(pl.col("tier") != "bus").with_columns(
            pl.col("from_site").alias("site_id"),
            pl.col("returns").alias("at"),
            (word + pl.when(pl.col("tier") == "trunk").then(pl.lit("-arrives")).otherwise(pl.lit("-returns"))).alias(
                "event"
            ),
            pl.col("collected_pieces").alias("into_pieces"),
            pl.lit(0.0).alias("out_pieces"),
            pl.col("cold_out").fill_null(0.0).alias("into_cold_pieces"),
            pl.lit(0.0).alias("out_cold_pieces"),
        ),
    ]
    order = depots.to_frame().with_row_index("order")
    hub_first = (pl.col("site_id") != county.hub).alias("later")
    rank = pl.col("event").replace_strict({event: k for k, event in enumerate(EVENTS)}, default=len(EVENTS))
    table = pl.concat([part.select(list(STATION_COLUMNS)) for part in parts])
    return (
        table.join(order, on="site_id", how="left", maintain_order="left")
        .sort(hub_first, "order", "at", rank, "route_id", maintain_order=True)
        .select(list(STATION_COLUMNS))
    )


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
