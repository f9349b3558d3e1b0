"""The tables below the map: loads, what is unserved, bottlenecks, orders, stand-ins, sources."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Any

import polars as pl

from changtong.network.model import Network
from changtong.report.plan_numbers import Cell, cell, share_cell
from changtong.report.plan_view import PlanLike, read_settings
from changtong.report.texts import Both, named, same, text, whole

TOP_ROWS = 15
ASSUMED_VEHICLE_PIECES = 4000.0
Row = dict[str, Any]


def with_loads_before(plan: PlanLike) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return site loads and leg flows with text ids and the load share before (capacity in normal times)."""
    sites, legs = plan.network.sites, plan.network.legs
    room = pl.lit(None, dtype=pl.Float64)
    if "sort_pieces_per_h" in sites.columns:
        hours = (
            pl.col("sort_hours_per_day").fill_null(20.0)
            if "sort_hours_per_day" in sites.columns
            else pl.lit(20.0)
        )
        room = (pl.col("sort_pieces_per_h") * hours).cast(pl.Float64)
    site_room = sites.select(pl.col("site_id").cast(pl.String), room.alias("room_before"))
    loads = plan.site_loads.with_columns(pl.col("site_id").cast(pl.String)).join(
        site_room, on="site_id", how="left", maintain_order="left"
    )
    leg_room = pl.lit(None, dtype=pl.Float64)
    if "capacity_pieces_per_day" in legs.columns:
        leg_room = pl.col("capacity_pieces_per_day").cast(pl.Float64)
    ends = [pl.col("from_site").cast(pl.String), pl.col("to_site").cast(pl.String)]
    leg_rooms = legs.select(*ends, leg_room.alias("room_before")).unique(
        ["from_site", "to_site"], keep="first"
    )
    flows = plan.leg_flows.with_columns(*ends).join(
        leg_rooms, on=["from_site", "to_site"], how="left", maintain_order="left"
    )
    share = pl.when(pl.col("room_before") > 0).then(pl.col("baseline_pieces") / pl.col("room_before"))
    return loads.with_columns(share_before=share), flows.with_columns(share_before=share)


def load_rows(frame: pl.DataFrame, names: dict[str, str], *, top: int = TOP_ROWS) -> list[Row]:
    """Return the most loaded sites or legs (load share first, then pieces)."""
    ids = [column for column in ("site_id", "from_site", "to_site") if column in frame.columns]
    picked = frame.filter(pl.col("planned_pieces") > 0).sort(
        [pl.col("load_share").round(6), "planned_pieces"], descending=True, nulls_last=True
    )
    return [
        {
            "places": [names.get(row[column], row[column]) for column in ids],
            "before": cell(row["baseline_pieces"]),
            "after": cell(row["planned_pieces"]),
            "capacity": cell(row["capacity_pieces"]),
            "share_before": share_cell(row["share_before"]),
            "share": share_cell(row["load_share"]),
            "bar": min(1.0, row["load_share"] or 0.0),
            "level": load_level(row["load_share"]),
        }
        for row in picked.head(top).iter_rows(named=True)
    ]


def load_level(share: float | None) -> str:
    """Return the class of a load share, as in the map's legend."""
    if share is None:
        return "none"
    return "low" if share < 0.5 else "mid" if share < 0.8 else "high" if share < 0.95 else "full"


def unserved_tables(plan: PlanLike, names: dict[str, str], *, top: int = TOP_ROWS) -> dict[str, Any]:
    """Return totals of what is unserved by reason, by cause, by destination and by origin."""
    frame = plan.unserved.with_columns(
        pl.col("from_site", "to_site", "reason", "blocked_by").cast(pl.String),
        pl.col("pieces").cast(pl.Float64),
    )
    total = float(frame["pieces"].sum() or 0.0)

    def grouped(columns: list[str]) -> list[Row]:
        sums = frame.group_by(columns).agg(pl.col("pieces").sum(), pairs=pl.len())
        rows = sums.sort("pieces", *columns, descending=[True] + [False] * len(columns), nulls_last=True)
        return [
            {
                **{column: row[column] for column in columns},
                "pieces": cell(row["pieces"]),
                "pairs": cell(float(row["pairs"])),
                "share": share_cell(row["pieces"] / total if total else None),
                "bar": row["pieces"] / total if total else 0.0,
            }
            for row in rows.head(top).iter_rows(named=True)
        ]

    by_reason = grouped(["reason"])
    by_cause = grouped(["blocked_by", "reason"])
    by_destination, by_origin = grouped(["to_site"]), grouped(["from_site"])
    for row in by_reason + by_cause:
        row["reason"] = named("reason", row["reason"] or "")
    for row in by_cause:
        row["blocked_by"] = say_cause(row["blocked_by"], names)
    for row in by_destination:
        row["place"] = names.get(row["to_site"], row["to_site"])
    for row in by_origin:
        row["place"] = names.get(row["from_site"], row["from_site"])
    return {
        "total": total,
        "pairs": frame.select("from_site", "to_site").n_unique() if len(frame) else 0,
        "by_reason": by_reason,
        "by_cause": by_cause,
        "by_destination": by_destination,
        "by_origin": by_origin,
    }


def say_cause(cause: str | None, names: dict[str, str]) -> str:
    """Put names in place of ids in a cause (``A``, ``A>B`` or ``A→B``, or a label)."""
    if not cause:
        return "–"
    for arrow in ("→", "->", ">"):
        start, found, end = cause.partition(arrow)
        if found and start.strip() in names and end.strip() in names:
            return f"{names[start.strip()]} → {names[end.strip()]}"
    return names.get(cause, cause)


def bottleneck_rows(plan: PlanLike, names: dict[str, str], *, top: int = TOP_ROWS) -> list[Row]:
    """Return the capacities that hold the plan back, the dearest lorry first.

    A full leg or site also counts when it has no price but pieces are held because of it: prices
    are estimates while the gap is large.
    """
    legs = plan.network.legs
    carried = pl.lit(None, dtype=pl.Float64)
    if "vehicle_pieces" in legs.columns:
        carried = pl.col("vehicle_pieces").cast(pl.Float64)
    ends = [pl.col("from_site").cast(pl.String), pl.col("to_site").cast(pl.String)]
    vehicles = legs.select(*ends, carried.alias("vehicle_pieces")).unique(
        ["from_site", "to_site"], keep="first"
    )
    counts = (pl.col("shadow_price_cny") > 1e-9) | (pl.col("held") > 0.5)
    held = _held_by_cause(plan)
    tight_legs = (
        plan.leg_flows.with_columns(*ends, at=pl.concat_str(ends, separator=">"))
        .join(held, on="at", how="left", maintain_order="left")
        .filter(counts)
        .join(vehicles, on=["from_site", "to_site"], how="left", maintain_order="left")
        .with_columns(
            lorry=pl.col("shadow_price_cny") * pl.col("vehicle_pieces").fill_null(ASSUMED_VEHICLE_PIECES)
        )
    )
    tight_sites = (
        plan.site_loads.with_columns(
            pl.col("site_id").cast(pl.String),
            at=pl.col("site_id").cast(pl.String),
            lorry=pl.lit(None, dtype=pl.Float64),
        )
        .join(held, on="at", how="left", maintain_order="left")
        .filter(counts)
    )
    rows: list[Row] = []
    for kind, frame, count in (("leg", tight_legs, top), ("site", tight_sites, top)):
        ids = ["site_id"] if kind == "site" else ["from_site", "to_site"]
        by = [pl.col("shadow_price_cny"), pl.col("held").fill_null(0.0), *ids]
        for row in (
            frame.sort(by, descending=[True, True] + [False] * len(ids)).head(count).iter_rows(named=True)
        ):
            rows.append(
                {
                    "places": [names.get(row[column], row[column]) for column in ids],
                    "kind": text(f"bottlenecks.{kind}"),
                    "after": cell(row["planned_pieces"]),
                    "capacity": cell(row["capacity_pieces"]),
                    "held": cell(row["held"] or 0.0),
                    "price": Cell(same(f"{row['shadow_price_cny']:,.2f}"), row["shadow_price_cny"]),
                    "lorry": cell(row["lorry"]),
                    "assumed": kind == "leg" and row["vehicle_pieces"] is None,
                }
            )
    return rows


def _held_by_cause(plan: PlanLike) -> pl.DataFrame:
    """Return the pieces held because of each full leg (``A>B``) and full site."""
    full = pl.col("reason").cast(pl.String).is_in(["full-leg", "full-site"])
    at = pl.col("blocked_by").cast(pl.String).alias("at")
    return plan.unserved.filter(full).group_by(at).agg(pl.col("pieces").cast(pl.Float64).sum().alias("held"))


def order_tables(plan: PlanLike, names: dict[str, str], *, top: int = TOP_ROWS) -> dict[str, Any]:
    """Return counts of orders by action and the sites with most to do."""
    orders = plan.orders.with_columns(pl.col("site").cast(pl.String), pl.col("action").cast(pl.String))
    sums = [
        pl.len().alias("n"),
        pl.col("pieces").sum(),
        pl.col("trips").sum(),
        pl.col("site").n_unique().alias("k"),
    ]
    by_action = orders.group_by("action", maintain_order=True).agg(sums)
    by_site = orders.group_by("site").agg(sums).sort("n", "site", descending=[True, False]).head(top)

    def row_of(row: Row) -> Row:
        return {
            "count": cell(float(row["n"])),
            "sites": cell(float(row["k"])),
            "pieces": cell(row["pieces"]),
            "trips": cell(row["trips"]),
        }

    return {
        "total": len(orders),
        "sites": orders["site"].n_unique(),
        "trips": float(orders.filter(pl.col("action") == "extra-trip")["trips"].sum() or 0.0),
        "by_action": [
            {"action": named("action", row["action"]), **row_of(row)}
            for row in by_action.iter_rows(named=True)
        ],
        "by_site": [
            {"place": names.get(row["site"], row["site"]), **row_of(row)}
            for row in by_site.iter_rows(named=True)
        ],
    }


def circulation_tables(plan: PlanLike, names: dict[str, str], *, top: int = 60) -> dict[str, Any]:
    """Return stand-ins and relay points."""

    def place(site_id: str | None) -> str:
        return "–" if site_id is None else names.get(site_id, site_id)

    stand_ins = plan.stand_ins.with_columns(pl.col("site", "stand_in").cast(pl.String))
    relays = plan.relay_points.with_columns(pl.col("site", "near_site").cast(pl.String))
    return {
        "n_stand_ins": len(stand_ins),
        "n_relays": len(relays),
        "inferred": bool((stand_ins["basis"].cast(pl.String) == "inferred").any()),
        "stand_ins": [
            {
                "closed": place(row["site"]),
                "stand_in": place(row["stand_in"]),
                "pieces": cell(row["pieces"]),
                "basis": named("basis", row["basis"] or ""),
            }
            for row in stand_ins.sort("pieces", descending=True, nulls_last=True)
            .head(top)
            .iter_rows(named=True)
        ],
        "relays": [
            {
                "site": place(row["site"]),
                "near": place(row["near_site"]),
                "distance": cell(row["distance_km"]),
                "pieces": cell(row["reconnects_pieces"]),
            }
            for row in relays.sort("reconnects_pieces", descending=True, nulls_last=True)
            .head(top)
            .iter_rows(named=True)
        ],
    }


def provenance_rows(network: Network) -> list[Row]:
    """Return where the numbers come from, the assumed ones first."""
    order = {"assumed": 0, "derived": 1, "official": 2}
    rows = sorted(
        network.provenance.iter_rows(named=True),
        key=lambda row: (order.get(row["kind"] or "", 3), row["table"] or "", row["column"] or ""),
    )
    return [
        {
            "where": ".".join(part for part in (row["table"], row["column"]) if part),
            "code": row["kind"] or "",
            "kind": named("assumptions", row["kind"] or "")
            if row["kind"] in order
            else same(row["kind"] or "–"),
            "source": row["source"] or "–",
            "note": row["note"] or "",
        }
        for row in rows
    ]


def about_rows(plan: PlanLike, *, number: str, made_at: str) -> list[tuple[Both, Both]]:
    """Return what is said of the plan's making: status, proof, size, versions, settings."""
    network = plan.network
    size = text(
        "about.size_value",
        sites=whole(len(network.sites)),
        legs=whole(len(network.legs)),
        demand=whole(len(network.demand)),
    )
    gap = "–" if plan.gap_share is None else f"{plan.gap_share * 100:.4f} %"
    rows = [
        (text("page.plan_id"), same(number)),
        (text("page.made_at"), same(made_at)),
        (text("page.network"), same(network.name)),
        (text("about.size"), size),
        (text("about.objective"), same("–" if plan.objective_cny is None else f"{plan.objective_cny:,.2f}")),
        (
            text("about.lower_bound"),
            same("–" if plan.lower_bound_cny is None else f"{plan.lower_bound_cny:,.2f}"),
        ),
        (text("about.gap"), same(gap)),
        (text("about.runtime"), text("about.seconds", seconds=f"{plan.runtime_s:,.2f}")),
        (text("about.version"), same(versions(("changtong", "polars", "numpy")))),
    ]
    for name, value in read_settings(plan.settings).items():
        rows.append((text("about.settings") + f" · {name}", same(value)))
    return rows


def versions(packages: Iterable[str]) -> str:
    """Say which versions of packages are installed."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return " · ".join(found) or "–"
