"""What the page's scripts draw and search: columns of plain numbers, cut to what a page can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from changtong.network.model import Network
from changtong.report.plan_tables import ASSUMED_VEHICLE_PIECES
from changtong.report.plan_view import PlanLike, rows_of, site_names
from changtong.report.projection import Picture, draw_map, draw_schematic

LEAST_PLACED_SHARE = 0.5
PASSING_KINDS = ("exchange", "transfer", "sorting")
CHANGES = ("same", "more", "less", "opened", "dropped")


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How much a page holds at most, in rows; the page says what it leaves out."""

    sites: int = 8000
    legs: int = 24_000
    sort_changes: int = 20_000
    orders: int = 30_000


@dataclass(frozen=True)
class Drawing:
    """The data of the scripts, and how much of the plan is in it."""

    data: dict[str, Any] = field(repr=False)
    kind: str
    legs_shown: int
    legs_total: int
    least_pieces: float
    unplaced: int


def draw_network(network: Network, flows: pl.DataFrame) -> Picture:
    """Choose a map where at least half of the sites have coordinates, else a diagram."""
    n_sites = len(network.sites)
    if {"lon", "lat"} <= set(network.sites.columns):
        lon = network.sites["lon"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        lat = network.sites["lat"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        placed = np.isfinite(lon) & np.isfinite(lat)
        if n_sites and placed.mean() >= LEAST_PLACED_SHARE and placed.sum() > 0:
            return draw_map(lon, lat)
    start, end = rows_of(network, flows["from_site"]), rows_of(network, flows["to_site"])
    pieces = (
        flows.select(pl.max_horizontal("baseline_pieces", "planned_pieces").fill_null(0))
        .to_series()
        .to_numpy()
    )
    passing = np.zeros(n_sites, dtype=np.bool_)
    if "kind" in network.sites.columns:
        passing = (
            network.sites["kind"]
            .cast(pl.String)
            .is_in(PASSING_KINDS)
            .fill_null(value=False)
            .to_numpy()
            .copy()
        )
    if not passing.any() or passing.mean() > 0.5:
        passing = _sends_on(n_sites, start, end, pieces)
    return draw_schematic(
        n_sites=n_sites, from_row=start, to_row=end, pieces=pieces.astype(np.float64), passing=passing
    )


def _sends_on(n_sites: int, start: np.ndarray, end: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Return the sites that send on much of what they take in, at most a quarter of all."""
    passed = np.minimum(np.bincount(start, pieces, n_sites), np.bincount(end, pieces, n_sites))
    chosen = np.zeros(n_sites, dtype=np.bool_)
    chosen[np.argsort(-passed, kind="stable")[: max(1, n_sites // 4)]] = True
    return chosen & (passed > 0)


def collect(plan: PlanLike, loads: pl.DataFrame, flows: pl.DataFrame, limits: PageLimits) -> Drawing:
    """Collect all data of the scripts; ``loads`` and ``flows`` come from ``with_loads_before``."""
    network = plan.network
    picture = draw_network(network, flows)
    kept_sites = _keep_sites(plan, picture, limits)
    place = np.full(len(network.sites) + 1, -1, dtype=np.int64)  # the last entry serves row -1
    place[kept_sites] = np.arange(len(kept_sites))
    shown, legs_total = _keep_legs(network, flows, place, picture, limits)
    pieces = shown.select(pl.max_horizontal("baseline_pieces", "planned_pieces")).to_series()
    data = {
        "kind": picture.kind,
        "metres": picture.metres_per_step,
        "land": picture.land,
        "sites": _site_columns(plan, loads, picture, kept_sites),
        "legs": _leg_columns(network, shown, place),
        "standIns": _pairs(network, plan.stand_ins, ("site", "stand_in", "pieces"), place),
        "relays": _pairs(network, plan.relay_points, ("site", "near_site", "reconnects_pieces"), place),
        "unserved": _unserved_by_site(plan, kept_sites),
        "changes": sort_changes(plan, place, limits),
        "orders": order_groups(plan, place, limits),
        "classes": [
            {"id": row["service_class"], "en": row.get("name") or row["service_class"],
             "zh": row.get("name_zh") or row.get("name") or row["service_class"]}
            for row in network.service_classes.iter_rows(named=True)
        ],
    }  # fmt: skip
    return Drawing(
        data=data,
        kind=picture.kind,
        legs_shown=len(shown),
        legs_total=legs_total,
        least_pieces=float(pieces.min() or 0.0) if len(pieces) else 0.0,  # type: ignore[arg-type]
        unplaced=int((~picture.placed).sum()),
    )


def whole_list(values: pl.Series | np.ndarray) -> list[int | None]:
    """Return pieces as whole numbers (null where unknown or not finite)."""
    series = values if isinstance(values, pl.Series) else pl.Series(values)
    series = series.cast(pl.Float64)
    return series.set(~series.is_finite().fill_null(value=False), None).round().cast(pl.Int64).to_list()


def _keep_sites(plan: PlanLike, picture: Picture, limits: PageLimits) -> np.ndarray:
    n_sites = len(plan.network.sites)
    if n_sites <= limits.sites:
        return np.arange(n_sites)
    weight = np.zeros(n_sites)
    at = rows_of(plan.network, plan.site_loads["site_id"])
    columns = pl.max_horizontal("baseline_pieces", "planned_pieces").fill_null(0)
    weight[at] = plan.site_loads.select(columns).to_series().to_numpy()
    weight = np.where(np.asarray(plan.effect.site_share) < 1, np.inf, weight)
    return np.sort(np.argsort(-weight, kind="stable")[: limits.sites])


def _keep_legs(
    network: Network, flows: pl.DataFrame, place: np.ndarray, picture: Picture, limits: PageLimits
) -> tuple[pl.DataFrame, int]:
    used = flows.with_columns(
        f=pl.Series(rows_of(network, flows["from_site"])),
        t=pl.Series(rows_of(network, flows["to_site"])),
        most=pl.max_horizontal(pl.col("baseline_pieces").fill_null(0), pl.col("planned_pieces").fill_null(0)),
        moved=pl.col("change").cast(pl.String) != "same",
    ).filter(pl.col("most") > 0)
    drawable = (place[:-1] >= 0) & picture.placed
    ok = (
        drawable[used["f"].to_numpy()] & drawable[used["t"].to_numpy()]
        if len(used)
        else np.zeros(0, dtype=bool)
    )
    shown = used.filter(pl.Series(ok)).sort(["moved", "most"], descending=True).head(limits.legs)
    return shown.sort("most", maintain_order=True), len(used)


def _site_columns(plan: PlanLike, loads: pl.DataFrame, picture: Picture, kept: np.ndarray) -> dict[str, Any]:
    network = plan.network
    sites = network.sites.with_columns(pl.col("site_id").cast(pl.String))
    joined = sites.select(
        "site_id",
        kind=pl.col("kind").cast(pl.String) if "kind" in sites.columns else pl.lit(None, dtype=pl.String),
    ).join(loads, on="site_id", how="left", maintain_order="left")[kept]
    names = site_names(network)
    kinds = joined["kind"].drop_nulls().unique(maintain_order=True).to_list()
    number = {kind: i for i, kind in enumerate(kinds)}
    share = np.asarray(plan.effect.site_share)[kept]
    price = joined["shadow_price_cny"].cast(pl.Float64).fill_null(0.0).round(4)
    return {
        "id": joined["site_id"].to_list(),
        "name": [names[site_id] for site_id in joined["site_id"].to_list()],
        "kind": [number.get(kind, -1) for kind in joined["kind"].to_list()],
        "kinds": kinds,
        "x": picture.x[kept].tolist(),
        "y": picture.y[kept].tolist(),
        "placed": [int(v) for v in picture.placed[kept]],
        "before": whole_list(joined["baseline_pieces"]),
        "after": whole_list(joined["planned_pieces"]),
        "room": whole_list(joined["capacity_pieces"]),
        "roomBefore": whole_list(joined["room_before"]),
        "price": {str(i): value for i, value in enumerate(price.to_list()) if value > 0},
        "share": {str(i): round(float(value), 4) for i, value in enumerate(share) if value < 1},
    }


def _leg_columns(network: Network, shown: pl.DataFrame, place: np.ndarray) -> dict[str, Any]:
    carried: dict[str, Any] = {}
    price = shown["shadow_price_cny"].cast(pl.Float64).fill_null(0.0).round(4).to_list()
    if any(value > 0 for value in price) and "vehicle_pieces" in network.legs.columns:
        ends = [pl.col("from_site").cast(pl.String), pl.col("to_site").cast(pl.String)]
        vehicles = network.legs.select(*ends, "vehicle_pieces").unique(["from_site", "to_site"], keep="first")
        joined = shown.join(vehicles, on=["from_site", "to_site"], how="left", maintain_order="left")
        carried = {str(i): v for i, v in enumerate(joined["vehicle_pieces"].to_list()) if v and price[i] > 0}
    same_room = shown["room_before"].eq_missing(shown["capacity_pieces"]).to_list()
    room_before = whole_list(shown["room_before"])
    return {
        "from": place[shown["f"].to_numpy()].tolist(),
        "to": place[shown["t"].to_numpy()].tolist(),
        "before": whole_list(shown["baseline_pieces"]),
        "after": whole_list(shown["planned_pieces"]),
        "room": whole_list(shown["capacity_pieces"]),
        "roomBefore": {str(i): room for i, room in enumerate(room_before) if not same_room[i]},
        "change": [
            CHANGES.index(code) if code in CHANGES else 0
            for code in shown["change"].cast(pl.String).to_list()
        ],
        "price": {str(i): value for i, value in enumerate(price) if value > 0},
        "carried": carried,
        "carriedAssumed": ASSUMED_VEHICLE_PIECES,
    }


def _pairs(
    network: Network, frame: pl.DataFrame, columns: tuple[str, str, str], place: np.ndarray
) -> list[list[Any]]:
    first, second, pieces = columns
    firsts, seconds = place[rows_of(network, frame[first])], place[rows_of(network, frame[second])]
    amounts = whole_list(frame[pieces])
    rows = [[int(a), int(b), n] for a, b, n in zip(firsts, seconds, amounts, strict=True) if a >= 0]
    return rows[:4000]


def _unserved_by_site(plan: PlanLike, kept: np.ndarray) -> dict[str, dict[str, int]]:
    n_sites = len(plan.network.sites)
    answer = {}
    pieces = plan.unserved["pieces"].cast(pl.Float64).fill_null(0).to_numpy()
    for key, column in (("from", "from_site"), ("to", "to_site")):
        total = np.bincount(rows_of(plan.network, plan.unserved[column]), pieces, n_sites)[kept]
        answer[key] = {str(i): round(float(total[i])) for i in np.flatnonzero(total >= 0.5)}
    return answer


def sort_changes(plan: PlanLike, place: np.ndarray, limits: PageLimits) -> dict[str, Any]:
    """Return the changed entries of the sort plan, those with most pieces first."""
    network = plan.network
    changed = plan.sort_plan.filter(pl.col("changed").fill_null(value=False))
    total = len(changed)
    shown = changed.sort("pieces", descending=True, nulls_last=True).head(limits.sort_changes)
    classes = network.service_classes["service_class"].cast(pl.String).to_list()
    number = {service_class: i for i, service_class in enumerate(classes)}

    def placed(column: str) -> list[int]:
        return [int(v) for v in place[rows_of(network, shown[column])]]

    return {
        "total": total,
        "site": placed("site"),
        "for": placed("destination"),
        "was": placed("previous_next_site"),
        "to": placed("next_site"),
        "class": [
            number.get(v, -1) if v is not None else -1
            for v in shown["service_class"].cast(pl.String).to_list()
        ],
        "pieces": whole_list(shown["pieces"]),
    }


def order_groups(plan: PlanLike, place: np.ndarray, limits: PageLimits) -> dict[str, Any]:
    """Return the orders of each site grouped by action and next site, the largest first."""
    network = plan.network
    groups = (
        plan.orders.with_columns(pl.col("action").cast(pl.String))
        .group_by("site", "action", "next_site", maintain_order=True)
        .agg(pl.col("destination").drop_nulls().n_unique().alias("n"), pl.col("pieces", "trips").sum())
        .sort("pieces", descending=True, nulls_last=True, maintain_order=True)
    )
    shown = groups.head(limits.orders)
    actions = shown["action"].unique(maintain_order=True).to_list()
    return {
        "total": len(groups),
        "actions": actions,
        "site": [int(v) for v in place[rows_of(network, shown["site"])]],
        "action": [actions.index(action) for action in shown["action"].to_list()],
        "next": [int(v) for v in place[rows_of(network, shown["next_site"])]],
        "n": shown["n"].to_list(),
        "pieces": whole_list(shown["pieces"]),
        "trips": whole_list(shown["trips"]),
    }
