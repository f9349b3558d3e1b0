"""Columns of the frames of a county plan."""

from __future__ import annotations

import polars as pl

ROUTE_SCHEMA: dict[str, pl.DataType] = {
    "route_id": pl.String(),
    "tier": pl.String(),
    "weekdays": pl.String(),
    "vehicle_type": pl.String(),
    "vehicle": pl.Int64(),
    "trip": pl.Int64(),
    "from_site": pl.String(),
    "departs": pl.String(),
    "returns": pl.String(),
    "distance_km": pl.Float64(),
    "hours": pl.Float64(),
    "delivered_pieces": pl.Float64(),
    "collected_pieces": pl.Float64(),
    "cost_cny": pl.Float64(),
    "kgco2e": pl.Float64(),
}
"""One row a trip of a vehicle: driven on each of ``weekdays`` ("135": Monday, Wednesday, Friday); all figures
are those of one such day. ``tier``: trunk (hub to stations), local (from a station or the hub to villages) or
bus (then ``vehicle_type`` is the bus_id). A vehicle is ``vehicle_type`` and ``vehicle`` (1, 2, …) at
``from_site``; its trips on a day are numbered from 1. Cost of a trip: kilometres, hours and, in trip 1, the
day of the vehicle; of a bus: pieces, and the day."""

STOP_SCHEMA: dict[str, pl.DataType] = {
    "route_id": pl.String(),
    "stop": pl.Int64(),
    "site_id": pl.String(),
    "arrives": pl.String(),
    "departs": pl.String(),
    "distance_km": pl.Float64(),
    "delivered_pieces": pl.Float64(),
    "collected_pieces": pl.Float64(),
    "delivered_cold_pieces": pl.Float64(),
    "collected_cold_pieces": pl.Float64(),
}
"""One row a stop of a trip, without its start and end; ``distance_km`` from the place before; times
HH:MM:SS."""

STATION_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "weekdays": pl.String(),
    "villages": pl.Int64(),
    "inbound_pieces_per_week": pl.Float64(),
    "outbound_pieces_per_week": pl.Float64(),
    "ready": pl.String(),
    "cost_cny_per_week": pl.Float64(),
}
"""One row a station in use: its days, what it passes on, when local vehicles can leave, rent and
handling."""

VILLAGE_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "served_from": pl.String(),
    "weekdays": pl.String(),
    "hours_to_delivery": pl.Float64(),
    "cold_hours": pl.Float64(),
}
"""One row a village that is served: the hub, station or bus it is served from, its days, and hours from
leaving the hub to the village, of all its pieces and of the cold ones (null: it has none)."""

UNSERVED_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "firm": pl.String(),
    "pieces_per_week": pl.Float64(),
    "code": pl.String(),
    "reason": pl.String(),
}
"""One row for what cannot be served, or is left out: ``code`` is one of docs/county.md (``beyond-range``,
``no-cold-space``, ``cold-too-long``, ``window-closed``, ``shift-too-short``, ``no-vehicle``, ``no-
capacity`` …)."""


PLAN_TABLES: dict[str, dict[str, pl.DataType]] = {
    "routes": ROUTE_SCHEMA,
    "stops": STOP_SCHEMA,
    "stations": STATION_SCHEMA,
    "villages": VILLAGE_SCHEMA,
    "unserved": UNSERVED_SCHEMA,
}
"""Frame of a plan -> its columns and types; each is a CSV file of its name."""

SPLIT_SCHEMA: dict[str, pl.DataType] = {
    "firm": pl.String(),
    "alone_cny": pl.Float64(),
    "shared_cny": pl.Float64(),
    "saving_cny": pl.Float64(),
    "alone_unserved_pieces": pl.Float64(),
    "shared_unserved_pieces": pl.Float64(),
}
"""One row a firm, of a week: what it pays alone, its fair part of the cheapest plan, its gain, and the pieces
left unserved alone and in that plan. The gain counts pieces that are served now, at the settings'
``unserved_cny_per_piece``. Parts add up to the plan's cost."""
