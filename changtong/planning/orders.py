"""Orders: what each site has to do, taken from what changes."""

from __future__ import annotations

import polars as pl

from changtong.network.model import Network
from changtong.outages import Effect

ASSUMED_VEHICLE_PIECES = 4000.0
"""Pieces a vehicle carries where the network does not say: assumed."""

COLUMNS = {
    "site": pl.String,
    "action": pl.String,
    "destination": pl.String,
    "service_class": pl.String,
    "next_site": pl.String,
    "pieces": pl.Float64,
    "trips": pl.Int64,
    "note_code": pl.String,
    "from_h": pl.Float64,
}


def make_orders(
    network: Network, effect: Effect, leg_flows: pl.DataFrame, unserved: pl.DataFrame, changes: pl.DataFrame
) -> pl.DataFrame:
    """Return one row per thing a site must do.

    Actions: ``stop`` sending over a leg, ``extra-trip`` over a leg, ``send`` a destination by
    another next site (only pieces of ``service_class`` where that is given), ``hold`` pieces for
    a destination at their origin. ``trips`` is the change in vehicles a day; ``from_h`` counts
    from the start (null: at once).
    """
    parts = [_trips(network, leg_flows, effect), _sends(changes), _holds(unserved)]
    order = {"stop": 0, "extra-trip": 1, "send": 2, "hold": 3}
    rank = pl.col("action").replace_strict(order, return_dtype=pl.Int8)
    frame = pl.concat(parts).with_columns(rank.alias("_rank"))
    return frame.sort("site", "_rank", "pieces", descending=[False, False, True]).drop("_rank")


def _trips(network: Network, leg_flows: pl.DataFrame, effect: Effect) -> pl.DataFrame:
    vehicle = pl.lit(ASSUMED_VEHICLE_PIECES)
    if "vehicle_pieces" in leg_flows.columns:
        vehicle = pl.col("vehicle_pieces").fill_null(ASSUMED_VEHICLE_PIECES)
    share = pl.Series("share", effect.leg_share)
    head = effect.site_share[leg_flows["to_site"].to_physical().to_numpy()]
    tail = effect.site_share[leg_flows["from_site"].to_physical().to_numpy()]
    shut = pl.Series("shut", (share.to_numpy() <= 0.0) | (head <= 0.0) | (tail <= 0.0))
    trips = (pl.col("planned_pieces") / vehicle).ceil() - (pl.col("baseline_pieces") / vehicle).ceil()
    frame = leg_flows.with_columns(
        shut, trips.cast(pl.Int64).alias("trips"), pl.Series("head_open", head > 0.0)
    )
    stop = frame.filter(
        (pl.col("baseline_pieces") > 0.5) & (pl.col("shut") | (pl.col("planned_pieces") <= 0.5))
    )
    more = frame.filter((pl.col("trips") > 0) & ~pl.col("shut"))
    note = (
        pl.when(~pl.col("shut"))
        .then(pl.lit("not-needed"))
        .when(pl.col("head_open"))
        .then(pl.lit("leg-closed"))
    )
    return pl.concat(
        [
            _shape(stop, "stop", pieces="baseline_pieces", note=note.otherwise(pl.lit("next-closed"))),
            _shape(more, "extra-trip", pieces="planned_pieces", note=pl.lit("re-routed")),
        ]
    )


def _shape(frame: pl.DataFrame, action: str, *, pieces: str, note: pl.Expr) -> pl.DataFrame:
    return frame.select(
        pl.col("from_site").cast(pl.String).alias("site"),
        pl.lit(action).alias("action"),
        pl.lit(None, pl.String).alias("destination"),
        pl.lit(None, pl.String).alias("service_class"),
        pl.col("to_site").cast(pl.String).alias("next_site"),
        pl.col(pieces).alias("pieces"),
        pl.col("trips"),
        note.alias("note_code"),
        pl.lit(None, pl.Float64).alias("from_h"),
    )


def _sends(changes: pl.DataFrame) -> pl.DataFrame:
    return changes.filter(pl.col("changed")).select(
        pl.col("site").cast(pl.String),
        pl.lit("send").alias("action"),
        pl.col("destination").cast(pl.String),
        pl.col("service_class").cast(pl.String),
        pl.col("next_site").cast(pl.String),
        pl.col("pieces"),
        pl.lit(None, pl.Int64).alias("trips"),
        pl.lit("re-routed").alias("note_code"),
        pl.lit(None, pl.Float64).alias("from_h"),
    )


def _holds(unserved: pl.DataFrame) -> pl.DataFrame:
    codes = {"closed-site": "destination-closed", "full-leg": "leg-full", "full-site": "site-full"}
    by = unserved.group_by("from_site", "to_site", maintain_order=True).agg(
        pl.col("pieces").sum(), pl.col("reason").first()
    )
    return by.filter(pl.col("pieces") >= 0.5).select(
        pl.col("from_site").cast(pl.String).alias("site"),
        pl.lit("hold").alias("action"),
        pl.col("to_site").cast(pl.String).alias("destination"),
        pl.lit(None, pl.String).alias("service_class"),
        pl.lit(None, pl.String).alias("next_site"),
        pl.col("pieces"),
        pl.lit(None, pl.Int64).alias("trips"),
        pl.col("reason").replace(codes).alias("note_code"),
        pl.lit(None, pl.Float64).alias("from_h"),
    )
