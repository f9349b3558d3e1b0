"""Plans made by hand or by rule, for tests of the report: no planner is needed to read one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

import numpy as np
import polars as pl

from changtong.network.model import PROVENANCE_SCHEMA, Network

CHINA_TIME = timezone(timedelta(hours=8))
CLASSES = pl.DataFrame(
    {
        "service_class": ["epidemic", "daily_life", "production", "ordinary"],
        "rank": [1, 2, 3, 4],
        "name": ["Epidemic control", "Daily life", "Production", "Ordinary"],
        "name_zh": ["防疫物资", "民生物资", "生产物资", "普通寄递"],
        "promise_h": [36.0, 48.0, 60.0, 72.0],
        "share": [0.02, 0.18, 0.2, 0.6],
    }
)


class Status(Enum):
    """As the planner's."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


class Termination(Enum):
    """As the planner's."""

    GAP_REACHED = "gap_reached"
    TIME_LIMIT = "time_limit"


@dataclass(frozen=True)
class FakeOutage:
    """The fields that the report reads."""

    label: str
    start: datetime | None = None


@dataclass(frozen=True)
class FakeEffect:
    """Shares of capacity left."""

    site_share: np.ndarray
    leg_share: np.ndarray
    entry_limits: tuple[Any, ...] = ()


@dataclass(frozen=True)
class FakeSettings:
    """Two settings."""

    gap_share: float = 0.001
    time_limit_s: float = 60.0


@dataclass(frozen=True)
class FakePlan:
    """The shape of a plan."""

    name: str
    network: Network
    outages: tuple[FakeOutage, ...]
    effect: FakeEffect
    objectives: pl.DataFrame
    classes: pl.DataFrame
    leg_flows: pl.DataFrame
    site_loads: pl.DataFrame
    unserved: pl.DataFrame
    sort_plan: pl.DataFrame
    orders: pl.DataFrame
    stand_ins: pl.DataFrame
    relay_points: pl.DataFrame
    settings: FakeSettings = field(default_factory=FakeSettings)
    status: Status = Status.OPTIMAL
    termination: Termination = Termination.GAP_REACHED
    objective_cny: float | None = 1_234_567.8
    lower_bound_cny: float | None = 1_233_580.1
    gap_share: float | None = 0.0008
    runtime_s: float = 2.71


def frame(network: Network, columns: dict[str, Any], **kinds: Any) -> pl.DataFrame:
    """Return a frame whose site columns have the network's type."""
    sites = {
        "site",
        "site_id",
        "from_site",
        "to_site",
        "destination",
        "next_site",
        "previous_next_site",
        "stand_in",
        "near_site",
    }
    made = pl.DataFrame(columns, schema_overrides=kinds)
    return made.with_columns(
        pl.col(name).cast(pl.String).cast(network.site_type) for name in columns if name in sites
    )


def small_network(*, names: dict[str, str] | None = None, with_places: bool = True) -> Network:
    """Five sites: two hubs, three counties; every number can be checked by hand."""
    ids = ["A", "B", "H", "K", "Z"]
    said = {"A": "安阳", "B": "宝鸡", "H": "郑州转运中心", "K": "开封", "Z": "株洲转运中心", **(names or {})}
    sites = pl.DataFrame(
        {
            "site_id": ids,
            "name": [said[i] for i in ids],
            "kind": ["county", "county", "transfer", "county", "transfer"],
            "lon": [114.39, 107.24, 113.62, 114.31, 113.13],
            "lat": [36.10, 34.36, 34.75, 34.80, 27.83],
            "sort_pieces_per_h": [None, None, 50.0, None, 60.0],
            "sort_hours_per_day": [20.0] * 5,
        }
    )
    if not with_places:
        sites = sites.with_columns(lon=pl.lit(None, dtype=pl.Float64), lat=pl.lit(None, dtype=pl.Float64))
    site_type = pl.Enum(ids)
    legs = pl.DataFrame(
        {
            "from_site": ["A", "H", "H", "A", "Z", "Z", "K"],
            "to_site": ["H", "B", "K", "Z", "B", "K", "H"],
            "capacity_pieces_per_day": [800.0, 500.0, None, 600.0, 500.0, 400.0, 300.0],
            "vehicle_pieces": [100.0] * 7,
        }
    )
    demand = pl.DataFrame(
        {"from_site": ["A", "A", "K"], "to_site": ["B", "K", "H"], "pieces_per_day": [500.0, 300.0, 50.0]}
    )
    provenance = pl.DataFrame(
        [
            ("legs", "vehicle_pieces", "assumed", "", "one lorry of 40 m³"),
            ("sites", "population", "official", "2020 census", ""),
            ("demand", "pieces_per_day", "derived", "gravity model", "calibrated to totals"),
        ],
        schema=PROVENANCE_SCHEMA,
        orient="row",
    )
    return Network(
        name="five sites",
        sites=sites.with_columns(pl.col("site_id").cast(site_type)),
        legs=legs.with_columns(pl.col("from_site", "to_site").cast(site_type)),
        demand=demand.with_columns(pl.col("from_site", "to_site").cast(site_type)),
        service_classes=CLASSES,
        provenance=provenance,
    )


def _small_measures() -> dict[str, pl.DataFrame]:
    """What the plan says of itself."""
    return {
        "objectives": pl.DataFrame(
            {
                "objective": ["unserved", "late", "cost", "carbon", "changed_legs", "max_load"],
                "unit": ["pieces", "pieces", "cny", "kgco2e", "legs", "share"],
                "value": [50.0, 120.0, 2400.0, 310.0, 7.0, 1.0],
                "lower_bound": [50.0, None, 2398.5, None, None, None],
                "baseline_value": [0.0, 0.0, 1800.0, 260.0, 0.0, 1.0],
            }
        ),
        "classes": pl.DataFrame(
            {
                "service_class": ["epidemic", "daily_life", "production", "ordinary"],
                "rank": [1, 2, 3, 4],
                "demand_pieces": [17.0, 153.0, 170.0, 510.0],
                "served_pieces": [16.0, 144.0, 160.0, 480.0],
                "unserved_pieces": [1.0, 9.0, 10.0, 30.0],
                "late_pieces": [0.0, 0.0, 20.0, 100.0],
                "mean_h": [30.0, 31.0, 40.0, 44.5],
            }
        ),
    }


def _small_flows(network: Network) -> dict[str, pl.DataFrame]:
    """Legs, sites and what is lost."""
    return {
        "leg_flows": frame(
            network,
            {
                "from_site": ["A", "H", "H", "A", "Z", "Z", "K"],
                "to_site": ["H", "B", "K", "Z", "B", "K", "H"],
                "baseline_pieces": [800.0, 500.0, 300.0, 0.0, 0.0, 0.0, 50.0],
                "planned_pieces": [0.0, 0.0, 0.0, 800.0, 500.0, 300.0, 0.0],
                "capacity_pieces": [0.0, 0.0, 0.0, 800.0, 500.0, 400.0, 0.0],
                "shadow_price_cny": [0.0, 0.0, 0.0, 0.0, 1.25, 0.0, 0.0],
                "load_share": [None, None, None, 1.0, 1.0, 0.75, None],
                "change": ["dropped", "dropped", "dropped", "opened", "opened", "opened", "dropped"],
            },
        ),
        "site_loads": frame(
            network,
            {
                "site_id": ["A", "B", "H", "K", "Z"],
                "baseline_pieces": [800.0, 500.0, 850.0, 350.0, 0.0],
                "planned_pieces": [800.0, 500.0, 0.0, 350.0, 800.0],
                "capacity_pieces": [None, None, 0.0, None, 1200.0],
                "load_share": [None, None, None, None, 800 / 1200],
                "shadow_price_cny": [0.0, 0.0, 0.0, 0.0, 0.5],
                "status": ["open", "open", "closed", "open", "open"],
            },
        ),
        "unserved": frame(
            network,
            {
                "from_site": ["K"],
                "to_site": ["H"],
                "service_class": ["ordinary"],
                "pieces": [50.0],
                "reason": ["closed-site"],
                "blocked_by": ["H"],
            },
        ),
    }


def _small_orders(network: Network) -> dict[str, pl.DataFrame]:
    """What sites do."""
    return {
        "sort_plan": frame(
            network,
            {
                "site": ["A", "A", "Z", "Z"],
                "destination": ["B", "K", "B", "K"],
                "service_class": [None, None, None, None],
                "next_site": ["Z", "Z", "B", "K"],
                "pieces": [500.0, 300.0, 500.0, 300.0],
                "previous_next_site": ["H", "H", None, None],
                "changed": [True, True, True, True],
            },
            service_class=pl.String,
        ),
        "orders": frame(
            network,
            {
                "site": ["A", "A", "A", "A", "K"],
                "action": ["send", "send", "extra-trip", "stop", "hold"],
                "destination": ["B", "K", None, None, "H"],
                "next_site": ["Z", "Z", "Z", "H", None],
                "pieces": [500.0, 300.0, 800.0, 800.0, 50.0],
                "trips": [None, None, 8.0, None, None],
                "note_code": ["next-closed", "next-closed", None, "next-closed", "destination-closed"],
                "from_h": [0.0, 0.0, 2.0, 0.0, 0.0],
            },
        ),
        "stand_ins": frame(
            network, {"site": ["H"], "stand_in": ["K"], "pieces": [40.0], "basis": ["inferred"]}
        ),
        "relay_points": frame(
            network, {"site": ["B"], "reconnects_pieces": [12.0], "near_site": ["A"], "distance_km": [33.5]}
        ),
    }


def small_plan(*, names: dict[str, str] | None = None, with_places: bool = True) -> FakePlan:
    """Hub H shut: 850 pieces hit, 800 re-routed over Z, 50 lost."""
    network = small_network(names=names, with_places=with_places)
    return FakePlan(
        name="closure-H",
        network=network,
        outages=(FakeOutage("暴雨 storm", datetime(2026, 7, 20, 3, 0, tzinfo=CHINA_TIME)),),
        effect=FakeEffect(np.array([1.0, 1.0, 0.0, 1.0, 1.0]), np.ones(7)),
        **_small_measures(),
        **_small_flows(network),
        **_small_orders(network),
    )


def without_outage() -> FakePlan:
    """The same network on a normal day: nothing closed, changed, unserved or ordered."""
    plan = small_plan()
    flows = plan.leg_flows.with_columns(
        planned_pieces=pl.col("baseline_pieces"), change=pl.lit("same"), shadow_price_cny=pl.lit(0.0)
    )
    measures = plan.objectives.with_columns(value=pl.col("baseline_value"))
    return replace(
        plan,
        name="normal day",
        outages=(),
        effect=FakeEffect(np.ones(5), np.ones(7)),
        objectives=measures,
        leg_flows=flows,
        site_loads=plan.site_loads.with_columns(
            planned_pieces=pl.col("baseline_pieces"), shadow_price_cny=pl.lit(0.0)
        ),
        unserved=plan.unserved.clear(),
        sort_plan=plan.sort_plan.with_columns(changed=pl.lit(value=False)),
        orders=plan.orders.clear(),
        stand_ins=plan.stand_ins.clear(),
        relay_points=plan.relay_points.clear(),
    )


def national_plan(
    *,
    seed: int = 7,
    n_hubs: int = 31,
    n_cities: int = 340,
    n_counties: int = 2929,
    places: np.ndarray | None = None,
    names: list[str] | None = None,
) -> FakePlan:
    """A plan the size of China: 3,300 sites, about 38,000 legs, 300,000 changed entries.

    Its numbers do not add up to a real plan; only their sizes are real.
    """
    rng = np.random.default_rng(seed)
    n = n_hubs + n_cities + n_counties
    if places is None:
        places = np.column_stack((rng.beta(3, 1.6, n) * 55 + 76, rng.beta(2, 2, n) * 28 + 20))
    ids = [f"{'H' if i < n_hubs else 'C' if i < n_hubs + n_cities else 'X'}{i:05d}" for i in range(n)]
    kinds = ["transfer"] * n_hubs + ["sorting"] * n_cities + ["county"] * n_counties
    site_type = pl.Enum(ids)
    names = names or [f"站点{i}" for i in range(n)]
    starts, ends = _national_legs(places, n_hubs, n_cities, n)
    m = len(starts)
    size = np.where(
        np.arange(n) < n_hubs, 900_000, np.where(np.arange(n) < n_hubs + n_cities, 120_000, 9_000)
    )
    before = rng.lognormal(0, 1.1, m) * np.sqrt(size[starts] * size[ends]) / 40
    room = np.where(rng.random(m) < 0.8, before * rng.uniform(1.02, 2.2, m), np.nan)
    closed = 0
    hit = (starts == closed) | (ends == closed)
    near = np.isin(starts, np.arange(n_hubs)) & np.isin(ends, np.arange(n_hubs))
    planned = np.where(
        hit, 0.0, before * np.where(near & (rng.random(m) < 0.6), rng.uniform(0.8, 1.5, m), 1.0)
    )
    planned = np.where(rng.random(m) < 0.01, before * 0.3, planned)
    planned = np.where(hit, 0.0, np.fmin(planned, np.where(np.isnan(room), np.inf, room)))
    change = np.where(
        planned == before,
        "same",
        np.where(planned > before, "more", np.where(planned > 0, "less", "dropped")),
    )
    tight = ~np.isnan(room) & (planned >= room * 0.999)
    network = Network(
        name="全国县级网络",
        sites=pl.DataFrame(
            {
                "site_id": pl.Series(ids).cast(site_type),
                "name": names,
                "kind": kinds,
                "lon": places[:, 0],
                "lat": places[:, 1],
                "sort_pieces_per_h": size / 20.0,
                "sort_hours_per_day": [20.0] * n,
            }
        ),
        legs=pl.DataFrame(
            {
                "from_site": pl.Series(ids)[starts].cast(site_type),
                "to_site": pl.Series(ids)[ends].cast(site_type),
                "capacity_pieces_per_day": pl.Series(room).fill_nan(None),
                "vehicle_pieces": np.full(m, 4000.0),
            }
        ),
        demand=pl.DataFrame(
            {"from_site": ids[:3], "to_site": ids[1:4], "pieces_per_day": [1.0, 2.0, 3.0]}
        ).with_columns(pl.col("from_site", "to_site").cast(site_type)),
        service_classes=CLASSES,
        provenance=small_network().provenance,
    )
    return _national_frames(network, rng, starts, ends, before, planned, room, change, tight)


def _national_legs(places: np.ndarray, n_hubs: int, n_cities: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    pairs: set[tuple[int, int]] = {(a, b) for a in range(n_hubs) for b in range(n_hubs) if a != b}
    upper = places[: n_hubs + n_cities]
    for site in range(n_hubs, n):
        away = np.hypot(*(upper - places[site]).T)
        count = 18 if site < n_hubs + n_cities else 5
        for other in np.argsort(away)[:count]:
            if other != site:
                pairs |= {(site, int(other)), (int(other), site)}
    made = np.array(sorted(pairs))
    return made[:, 0], made[:, 1]


def _national_orders(network: Network, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    ids = pl.Series(network.site_ids)
    n = len(ids)
    rows = 300_000
    at, to = rng.integers(1, n, rows), rng.integers(1, n, rows)
    via, was = rng.integers(1, 300, rows), rng.integers(0, 300, rows)
    amount = rng.lognormal(2, 1.5, rows)
    orders = 60_000
    return {
        "sort_plan": frame(
            network,
            {
                "site": ids[at],
                "destination": ids[to],
                "service_class": [None] * rows,
                "next_site": ids[via],
                "pieces": amount,
                "previous_next_site": ids[was],
                "changed": [True] * rows,
            },
            service_class=pl.String,
        ),
        "orders": frame(
            network,
            {
                "site": ids[at[:orders]],
                "action": rng.choice(
                    ["send", "stop", "extra-trip", "hold"], orders, p=[0.85, 0.05, 0.05, 0.05]
                ),
                "destination": ids[to[:orders]],
                "next_site": ids[via[:orders]],
                "pieces": amount[:orders],
                "trips": pl.Series(np.where(rng.random(orders) < 0.05, 1.0, np.nan)).fill_nan(None),
                "note_code": ["next-closed"] * orders,
                "from_h": np.zeros(orders),
            },
        ),
        "stand_ins": frame(
            network,
            {
                "site": ids[np.zeros(4, dtype=int)],
                "stand_in": ids[[40, 41, 42, 43]],
                "pieces": [9e3, 7e3, 4e3, 2e3],
                "basis": ["inferred"] * 4,
            },
        ),
        "relay_points": frame(
            network,
            {
                "site": ids[[900, 901]],
                "reconnects_pieces": [1200.0, 800.0],
                "near_site": ids[[902, 903]],
                "distance_km": [23.0, 41.5],
            },
        ),
    }


def _national_unserved(network: Network, rng: np.random.Generator) -> pl.DataFrame:
    ids = pl.Series(network.site_ids)
    n = len(ids)
    lost = rng.lognormal(3, 1.2, 4000)
    lost_from = rng.integers(1, n, 4000)
    return frame(
        network,
        {
            "from_site": ids[lost_from],
            "to_site": ids[np.where(rng.random(4000) < 0.4, 0, rng.integers(1, n, 4000))],
            "service_class": ["ordinary"] * 4000,
            "pieces": lost,
            "reason": rng.choice(
                ["closed-site", "full-leg", "full-site", "cut-off"], 4000, p=[0.5, 0.3, 0.1, 0.1]
            ),
            "blocked_by": ids[rng.integers(0, 40, 4000)],
        },
    )


def _national_measures(demand: Any, lost: float, legs_changed: float) -> dict[str, pl.DataFrame]:
    unserved = np.array([0.0, 0.0, 0.1, 0.9]) * lost
    return {
        "objectives": pl.DataFrame(
            {
                "objective": ["unserved", "late", "cost", "carbon", "changed_legs", "max_load"],
                "unit": ["pieces", "pieces", "cny", "kgco2e", "legs", "share"],
                "value": [
                    lost,
                    1_312_480.0,
                    412_345_678.0,
                    98_765_432.0,
                    legs_changed,
                    1.0,
                ],
                "lower_bound": [lost * 0.999, None, 412_010_000.0, None, None, None],
                "baseline_value": [0.0, 902_113.0, 400_123_456.0, 96_000_000.0, 0.0, 0.985],
            }
        ),
        "classes": pl.DataFrame(
            {
                "service_class": CLASSES["service_class"],
                "rank": [1, 2, 3, 4],
                "demand_pieces": demand,
                "served_pieces": demand - unserved,
                "unserved_pieces": unserved,
                "late_pieces": [0.0, 12_000.0, 200_480.0, 1_100_000.0],
                "mean_h": [28.4, 36.1, 42.0, 50.7],
            }
        ),
    }


def _national_frames(
    network: Network,
    rng: np.random.Generator,
    starts: Any,
    ends: Any,
    before: Any,
    planned: Any,
    room: Any,
    change: Any,
    tight: Any,
) -> FakePlan:
    ids = pl.Series(network.site_ids)
    n, m = len(ids), len(starts)
    load_before = np.bincount(ends, before, n) * 1.3
    load_after = np.bincount(ends, planned, n) * 1.3
    share = np.ones(n)
    share[0] = 0.0
    load_after[0] = 0.0
    site_room = np.maximum(load_before * rng.uniform(1.0, 1.9, n), load_after)
    site_room[0] = 0.0
    unserved = _national_unserved(network, rng)
    return FakePlan(
        name="郑州停运演练",
        network=network.with_tables(
            sites=network.sites.with_columns(
                sort_pieces_per_h=pl.Series(np.maximum(load_before * 1.2, 1) / 20)
            )
        ),
        outages=(FakeOutage("7·20 暴雨", datetime(2026, 7, 20, 3, 0, tzinfo=CHINA_TIME)),),
        effect=FakeEffect(share, np.ones(m)),
        unserved=unserved,
        **_national_measures(
            np.array([0.02, 0.18, 0.2, 0.6]) * before.sum() / 3,
            unserved["pieces"].sum(),
            float((change != "same").sum()),
        ),
        **_national_orders(network, rng),
        leg_flows=frame(
            network,
            {
                "from_site": ids[starts],
                "to_site": ids[ends],
                "baseline_pieces": before,
                "planned_pieces": planned,
                "capacity_pieces": pl.Series(np.where(planned + before > 0, room, np.nan)).fill_nan(None),
                "shadow_price_cny": np.where(tight, rng.lognormal(-1, 1, m), 0.0),
                "load_share": pl.Series(planned / room).fill_nan(None),
                "change": change,
            },
        ),
        site_loads=frame(
            network,
            {
                "site_id": ids,
                "baseline_pieces": load_before,
                "planned_pieces": load_after,
                "capacity_pieces": site_room,
                "load_share": pl.Series(
                    np.where(site_room > 0, load_after / np.maximum(site_room, 1e-9), np.nan)
                ).fill_nan(None),
                "shadow_price_cny": np.where(rng.random(n) < 0.01, rng.lognormal(-1, 1, n), 0.0),
                "status": np.where(share == 0, "closed", "open"),
            },
        ),
    )
