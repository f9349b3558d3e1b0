"""Orders: what each site has to do, taken from what changes."""

from __future__ import annotations

import polars as pl

from changtong.network.model import Network
from changtong.outages import Effect

ASSUMED_VEHICLE_PIECES = 4000.0
"""Pieces a vehicle carries where the network does not say: assumed."""

COLUMNS: dict[str, type[pl.DataType]] = {
    "site": pl.String,
    "action": pl.String,
    "destination": pl.String,
    "service_class": pl.String,
    "next_site": pl.String,
    "pieces": pl.Float64,
    "trips": pl.Int64,
    "leg_pieces": pl.Float64,
    "leg_trips": pl.Int64,
    "note_code": pl.String,
    "blocked_by": pl.String,
    "from_h": pl.Float64,
}

ACTIONS = ("stop", "extra-trip", "send", "hold")

NOTES = {
    "full-leg": "leg-full",
    "full-site": "site-full",
    "entry-limit": "entry-limit",
    "cut-off": "cut-off",
    "dearer-than-penalty": "dearer-than-penalty",
    "room-left": "room-left",
}
"""Reason of an unserved pair -> why the site holds its pieces."""


def flow_orders(
    network: Network, effect: Effect, leg_flows: pl.DataFrame, unserved: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the orders that the flow alone gives: what to stop and to run more, and what to hold.

    Parameters
    ----------
    network : Network
    effect : Effect
        What is shut.
    leg_flows, unserved : polars.DataFrame
        Of the plan: flows by leg, what is left behind.

    Returns
    -------
    tuple of two polars.DataFrame
        Columns as of :func:`make_orders`.
    """
    return _trips(network, leg_flows, effect), _holds(unserved)


def make_orders(of_flow: tuple[pl.DataFrame, pl.DataFrame], changes: pl.DataFrame) -> pl.DataFrame:
    """Return one row per thing a site must do.

    Parameters
    ----------
    of_flow : tuple of two polars.DataFrame
        From :func:`flow_orders`.
    changes : polars.DataFrame
        The plan's sort-plan entries.

    Returns
    -------
    polars.DataFrame
        By site, then action:

        - ``stop`` sending over a leg: ``pieces`` a day that went there, ``trips`` below 0.
        - ``extra-trip`` over a leg: ``pieces`` and vehicles (``trips``) a day more than today.
        - ``send`` a destination by another next site: ``pieces`` a day.
        - ``hold`` pieces of one class that begin here, for one destination.

        ``leg_pieces`` and ``leg_trips`` are the leg's whole pieces and vehicles a day under the
        plan; ``trips`` is their change, each side rounded up to whole vehicles. ``note_code``
        says why, ``blocked_by`` what stands in the way; ``from_h`` counts hours from the start
        (null: at once).
    """
    rank = pl.col("action").replace_strict({name: k for k, name in enumerate(ACTIONS)}, return_dtype=pl.Int8)
    trips, holds = of_flow
    frame = pl.concat([trips, _sends(changes), holds]).with_columns(rank.alias("_rank"))
    return frame.sort("site", "_rank", "pieces", descending=[False, False, True]).drop("_rank")


def _trips(network: Network, leg_flows: pl.DataFrame, effect: Effect) -> pl.DataFrame:
    """Return what to stop and what to run more over each leg."""
    share = effect.leg_share
    head = effect.site_share[leg_flows["to_site"].to_physical().to_numpy()]
    tail = effect.site_share[leg_flows["from_site"].to_physical().to_numpy()]
    vehicle = pl.lit(ASSUMED_VEHICLE_PIECES)
    if "vehicle_pieces" in leg_flows.columns:
        vehicle = pl.col("vehicle_pieces").fill_null(ASSUMED_VEHICLE_PIECES)
    planned = pl.when(pl.col("planned_pieces") > 0.5).then(pl.col("planned_pieces")).otherwise(0.0)
    departures = pl.lit(None, pl.Float64)
    if "departures_per_day" in network.legs.columns:
        departures = pl.lit(network.legs["departures_per_day"].cast(pl.Float64))
    frame = leg_flows.with_columns(
        pl.Series("shut", (share <= 0.0) | (head <= 0.0) | (tail <= 0.0)),
        pl.Series("tail_shut", tail <= 0.0),
        pl.Series("head_shut", head <= 0.0),
        departures.alias("departures"),
        planned.alias("leg_pieces"),
        _vehicles(planned, vehicle).alias("leg_trips"),
        (pl.col("planned_pieces") - pl.col("baseline_pieces")).alias("more_pieces"),
        (_vehicles(planned, vehicle) - _vehicles(pl.col("baseline_pieces"), vehicle)).alias("trips"),
    )
    stop = frame.filter((pl.col("baseline_pieces") > 0.5) & (pl.col("shut") | (pl.col("leg_pieces") == 0.0)))
    more = frame.filter((pl.col("trips") > 0) & ~pl.col("shut"))
    why_stop = (
        pl.when(~pl.col("shut"))
        .then(pl.lit("not-needed"))
        .when(pl.col("tail_shut"))
        .then(pl.lit("closed"))
        .when(pl.col("head_shut"))
        .then(pl.lit("next-closed"))
        .otherwise(pl.lit("leg-closed"))
    )
    why_more = (
        pl.when(pl.col("departures").is_null())
        .then(pl.lit("re-routed"))
        .when(pl.col("leg_trips") <= pl.col("departures"))
        .then(pl.lit("in-timetable"))
        .otherwise(pl.lit("beyond-timetable"))
    )
    return pl.concat(
        [
            _shaped(stop, "stop", pieces=pl.col("baseline_pieces"), note=why_stop, next_site="to_site"),
            _shaped(more, "extra-trip", pieces=pl.col("more_pieces"), note=why_more, next_site="to_site"),
        ]
    )


def _vehicles(pieces: pl.Expr, vehicle: pl.Expr) -> pl.Expr:
    """Return whole vehicles; a hair above a full one (of a solver's rounding) needs no further one."""
    return (pieces / vehicle - 1e-6).ceil().clip(lower_bound=0.0).cast(pl.Int64)


def _shaped(
    frame: pl.DataFrame, action: str, *, pieces: pl.Expr, note: pl.Expr, **names: str
) -> pl.DataFrame:
    """Return the columns of orders; those the frame lacks are null."""
    made: dict[str, pl.Expr] = {"action": pl.lit(action), "pieces": pieces, "note_code": note}
    made["site"] = pl.col("site" if "site" in frame.columns else "from_site")
    made |= {name: pl.col(source) for name, source in names.items()}
    for name in COLUMNS:
        if name not in made:
            made[name] = pl.col(name) if name in frame.columns else pl.lit(None)
    return frame.select(made[name].cast(kind).alias(name) for name, kind in COLUMNS.items())


def _sends(changes: pl.DataFrame) -> pl.DataFrame:
    frame = changes.filter(pl.col("changed"))
    return _shaped(frame, "send", pieces=pl.col("pieces"), note=pl.lit("re-routed"))


def _holds(unserved: pl.DataFrame) -> pl.DataFrame:
    """Return what a site keeps back, by destination and class."""
    text = pl.col("from_site", "to_site", "service_class", "blocked_by", "reason").cast(pl.String)
    by = (
        unserved.with_columns(text)
        .group_by("from_site", "to_site", "service_class", maintain_order=True)
        .agg(pl.col("pieces").sum(), pl.col("reason", "blocked_by").first())
    )
    at_closed = pl.col("reason") == "closed-site"
    note = (
        pl.when(at_closed & (pl.col("blocked_by") == pl.col("from_site")))
        .then(pl.lit("closed"))
        .when(at_closed)
        .then(pl.lit("destination-closed"))
        .otherwise(pl.col("reason").replace(NOTES))
    )
    tells = pl.col("reason").is_in(["full-leg", "full-site", "entry-limit"]) & (pl.col("blocked_by") != "")
    frame = by.filter(pl.col("pieces") >= 0.5).with_columns(pl.when(tells).then(pl.col("blocked_by")))
    # the note reads blocked_by of closed sites: it is made from the frame before they are emptied
    notes = by.filter(pl.col("pieces") >= 0.5).select(note.alias("note"))["note"]
    return _shaped(frame, "hold", pieces=pl.col("pieces"), note=pl.lit(notes), destination="to_site")
