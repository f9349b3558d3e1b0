"""A county's delivery laid out by hand: a hub, three stations, eight villages, two firms, a bus.

Distances are great circles times 1.3 and clocks follow from them, so that the frames agree with one another;
who goes where was chosen by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from changtong._tables import read_table_definition
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.plan_schemas import (
    ROUTE_SCHEMA,
    STATION_SCHEMA,
    STOP_SCHEMA,
    UNSERVED_SCHEMA,
    VILLAGE_SCHEMA,
)

DETOUR = 1.3
FIRMS = ("甲快递", "乙快递")
PROVENANCE = {
    "table": pl.String(), "column": pl.String(), "kind": pl.String(), "source": pl.String(),
    "note": pl.String(),
}  # fmt: skip

PLACES: dict[str, tuple[str, str, float, float]] = {
    "HUB": ("嵩阳县级共配中心", "county", 112.083, 34.134),
    "T1": ("车村镇", "township", 112.105, 33.794),
    "T2": ("旧县镇", "township", 111.712, 33.958),
    "T3": ("白河镇", "township", 111.962, 33.634),
    "V1": ("天桥沟村", "village", 112.151, 33.822),
    "V2": ("龙王村", "village", 112.062, 33.753),
    "V3": ("明白川村", "village", 112.203, 33.771),
    "V4": ("河北村", "village", 111.741, 33.931),
    "V5": ("龙潭村", "village", 111.668, 33.986),
    "V6": ("童子庄村", "village", 111.655, 33.921),
    "V7": ("陶村", "village", 112.131, 34.173),
    "V8": ("曼里坪村", "village", 111.871, 33.512),
}
"""Site -> name, kind, longitude, latitude."""

PIECES: dict[tuple[str, str], tuple[float, float, float]] = {
    ("V1", "甲快递"): (60, 18, 0.1), ("V1", "乙快递"): (24, 6, 0),
    ("V2", "甲快递"): (42, 12, 0), ("V2", "乙快递"): (18, 24, 0),
    ("V3", "甲快递"): (36, 9, 0), ("V4", "甲快递"): (55, 11, 0), ("V4", "乙快递"): (20, 8, 0),
    ("V5", "乙快递"): (28, 7, 0), ("V6", "甲快递"): (21, 7, 0), ("V7", "甲快递"): (90, 30, 0.2),
    ("V7", "乙快递"): (40, 10, 0), ("V8", "乙快递"): (6, 1, 0.5), ("T1", "甲快递"): (120, 25, 0),
}  # fmt: skip
"""Site, firm -> inbound and outbound pieces a day, cold share of both."""

VISITS = {"V3": 3, "V6": 3}
Leg = tuple[str, float, float, float, float]


def typed(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return a table of a county with all columns, missing cells null."""
    return pl.DataFrame(rows, schema=read_table_definition(f"county/{name}").schema())


def small_county(names: dict[str, str] | None = None) -> County:
    """Return the county; other names for sites may be given."""
    names = names or {}
    sites = [
        {
            "site_id": site, "name": names.get(site, name), "kind": kind, "lon": lon, "lat": lat,
            "people": 900.0 if kind == "village" else None, "opening": "free",
            "open_cny_per_day": 60.0 if kind == "township" else 0.0, "handle_cny_per_piece": 0.1,
            "cold": site == "T1", "opens": "07:00" if kind == "township" else None,
            "closes": "10:00" if kind == "township" else None, "stop_min": 5.0, "piece_min": 0.05,
            "visits_per_week": VISITS.get(site, 7), "pickup_km": None,
        }
        for site, (name, kind, lon, lat) in PLACES.items()
    ]  # fmt: skip
    pieces = [
        {
            "site_id": site, "firm": firm, "inbound_pieces_per_day": float(inbound),
            "outbound_pieces_per_day": float(outbound), "inbound_cold_share": float(cold),
            "outbound_cold_share": float(cold), "cold_h": 6.0 if cold else None,
        }
        for (site, firm), (inbound, outbound, cold) in PIECES.items()
    ]  # fmt: skip
    vehicles = [
        _vehicle("厢式货车", "trunk", 900.0, 120.0, 260.0, 1.9, 28.0, 50.0, None, 0.45),
        _vehicle("电动三轮", "local", 180.0, 20.0, 90.0, 0.4, 20.0, 25.0, 80.0, 0.05),
    ]
    buses = [{"bus_id": "B1", "name": "嵩阳–旧县 城乡公交", "spare_pieces": 200.0, "cost_cny_per_piece": 0.4,
              "cost_cny_per_day": 10.0, "weekdays": "1234567"}]  # fmt: skip
    calls = [("HUB", "07:10"), ("V4", "08:02"), ("T2", "08:10")]
    stops = [{"bus_id": "B1", "stop": k, "site_id": site, "at": at} for k, (site, at) in enumerate(calls, 1)]
    return County(
        name="嵩阳县（示例）",
        sites=typed("sites", sites),
        pieces=typed("pieces", pieces),
        vehicles=typed("vehicles", vehicles),
        buses=typed("buses", buses),
        bus_stops=typed("bus_stops", stops),
        roads=typed("roads", []),
        provenance=pl.DataFrame(
            [
                {"table": "sites", "column": "stop_min", "kind": "assumed", "source": None,
                 "note": "unloading at a village point"},
                {"table": "pieces", "column": "inbound_pieces_per_day", "kind": "derived", "source": None,
                 "note": "made by hand for a test"},
            ],
            schema=PROVENANCE,
        ),
    )  # fmt: skip


def _vehicle(
    name: str, tier: str, room: float, cold: float, day: float, km: float, h: float, speed: float,
    reach: float | None, carbon: float,
) -> dict[str, object]:  # fmt: skip
    return {
        "vehicle_type": name, "firm": None, "tier": tier, "count": None, "capacity_pieces": room,
        "cold_pieces": cold, "cost_cny_per_day": day, "cost_cny_per_km": km, "cost_cny_per_h": h,
        "speed_km_per_h": speed, "range_km": reach, "electric": reach is not None, "kgco2e_per_km": carbon,
        "shift_h": 8.0, "trips_per_day": 3, "starts": "06:00", "ends": "20:00",
    }  # fmt: skip


def way_km(here: str, there: str) -> float:
    """Return great-circle kilometres times the detour factor."""
    (_, _, lon_1, lat_1), (_, _, lon_2, lat_2) = PLACES[here], PLACES[there]
    east, north = math.radians(lon_2 - lon_1), math.radians(lat_2 - lat_1)
    half = math.sin(north / 2) ** 2
    half += math.cos(math.radians(lat_1)) * math.cos(math.radians(lat_2)) * math.sin(east / 2) ** 2
    return DETOUR * 2 * 6371.0088 * math.asin(math.sqrt(half))


def clock(seconds: float) -> str:
    """Return HH:MM:SS."""
    whole = round(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Book:
    """Trips written down one by one, with what follows from them."""

    def __init__(self, county: County, name: str) -> None:
        self.county, self.name = county, name
        self.routes: list[dict[str, object]] = []
        self.stops: list[dict[str, object]] = []
        self.villages: list[dict[str, object]] = []
        self.unserved: list[dict[str, object]] = []
        self.stations: list[dict[str, object]] = []

    def trip(
        self,
        route: str,
        vehicle: tuple[str, int, int],
        days: str,
        start: str,
        leaves_h: float,
        calls: Sequence[Leg],
    ) -> None:
        """Add a trip: (type, number, trip), its stops (site, in, out, cold in, cold out)."""
        kind, number, trip = vehicle
        facts = self.county.vehicles.row(by_predicate=pl.col("vehicle_type") == kind, named=True)
        at_s, here, km = leaves_h * 3600.0, start, 0.0
        for k, (site, inbound, outbound, cold_in, cold_out) in enumerate(calls, 1):
            leg = way_km(here, site)
            arrives = at_s + leg / facts["speed_km_per_h"] * 3600.0
            at_s = arrives + 300.0 + 3.0 * (inbound + outbound)
            self.stops.append(
                {"route_id": route, "stop": k, "site_id": site, "arrives": clock(arrives),
                 "departs": clock(at_s),
                 "distance_km": leg, "delivered_pieces": inbound, "collected_pieces": outbound,
                 "delivered_cold_pieces": cold_in, "collected_cold_pieces": cold_out}
            )  # fmt: skip
            here, km = site, km + leg
        km += way_km(here, start)
        at_s += way_km(here, start) / facts["speed_km_per_h"] * 3600.0
        hours = at_s / 3600.0 - leaves_h
        cost = km * facts["cost_cny_per_km"] + hours * facts["cost_cny_per_h"]
        self.routes.append(
            {"route_id": route, "tier": facts["tier"], "weekdays": days, "vehicle_type": kind,
             "vehicle": number, "trip": trip, "from_site": start,
             "departs": clock(leaves_h * 3600.0), "returns": clock(at_s),
             "distance_km": km, "hours": hours, "delivered_pieces": sum(c[1] for c in calls),
             "collected_pieces": sum(c[2] for c in calls),
             "cost_cny": cost + (facts["cost_cny_per_day"] if trip == 1 else 0.0),
             "kgco2e": km * facts["kgco2e_per_km"]}
        )  # fmt: skip

    def bus(self, route: str, bus: str, days: str, calls: Sequence[tuple[str, str, float, float]]) -> None:
        """Add what a bus takes: (site, time, in, out) at each stop."""
        start = self.county.bus_stops.filter(pl.col("bus_id") == bus).row(0, named=True)
        km, here = 0.0, start["site_id"]
        for k, (site, at, inbound, outbound) in enumerate(calls, 1):
            km += way_km(here, site)
            self.stops.append(
                {"route_id": route, "stop": k, "site_id": site, "arrives": f"{at}:00", "departs": f"{at}:00",
                 "distance_km": way_km(here, site), "delivered_pieces": inbound, "collected_pieces": outbound,
                 "delivered_cold_pieces": 0.0, "collected_cold_pieces": 0.0}
            )  # fmt: skip
            here = site
        pieces = sum(c[2] + c[3] for c in calls)
        self.routes.append(
            {"route_id": route, "tier": "bus", "weekdays": days, "vehicle_type": bus, "vehicle": 1, "trip": 1,
             "from_site": start["site_id"], "departs": f"{start['at']}:00", "returns": f"{calls[-1][1]}:00",
             "distance_km": km, "hours": 0.0, "delivered_pieces": sum(c[2] for c in calls),
             "collected_pieces": sum(c[3] for c in calls), "cost_cny": 10.0 + 0.4 * pieces, "kgco2e": 0.0}
        )  # fmt: skip

    def station(self, site: str, days: str, villages: int, pieces: tuple[float, float], ready: str) -> None:
        """Add a station in use."""
        cost = 60.0 * len(days) + 0.1 * sum(pieces)
        self.stations.append(
            {"site_id": site, "weekdays": days, "villages": villages, "inbound_pieces_per_week": pieces[0],
             "outbound_pieces_per_week": pieces[1], "ready": ready, "cost_cny_per_week": cost}
        )  # fmt: skip

    def serve(self, site: str, source: str, days: str = "1234567", hours: float = 3.0) -> None:
        """Add a village that is served."""
        self.villages.append(
            {"site_id": site, "served_from": source, "weekdays": days, "hours_to_delivery": hours,
             "cold_hours": hours if site in ("V1", "V7") else None}
        )  # fmt: skip

    def leave(self, site: str, firm: str, pieces: float, code: str, reason: str) -> None:
        """Add what is not served."""
        self.unserved.append(
            {"site_id": site, "firm": firm, "pieces_per_week": pieces, "code": code, "reason": reason}
        )

    def plan(self) -> CountyPlan:
        """Return the plan with its sums of a week."""
        routes = pl.DataFrame(self.routes, schema=ROUTE_SCHEMA)
        stations = pl.DataFrame(self.stations, schema=STATION_SCHEMA)
        days = pl.col("weekdays").str.len_chars()

        def week(column: str) -> float:
            return float(routes.select((pl.col(column) * days).sum()).item())

        # what a village or a station's own people get and give, once: not what is passed on
        stops = pl.DataFrame(self.stops, schema=STOP_SCHEMA).join(
            routes.select("route_id", days.alias("days")), on="route_id"
        )
        villages = stops.filter(pl.col("site_id").str.starts_with("V"))
        brought = (villages["delivered_pieces"] + villages["collected_pieces"]) * villages["days"]
        return CountyPlan(
            name=self.name,
            routes=routes,
            stops=pl.DataFrame(self.stops, schema=STOP_SCHEMA),
            stations=stations,
            villages=pl.DataFrame(self.villages, schema=VILLAGE_SCHEMA),
            unserved=pl.DataFrame(self.unserved, schema=UNSERVED_SCHEMA),
            cost_cny=week("cost_cny") + float(stations["cost_cny_per_week"].sum()),
            distance_km=week("distance_km"),
            hours=week("hours"),
            kgco2e=week("kgco2e"),
            pieces=float(brought.sum()),
        )


LORRY, TRICYCLE, DAILY = "厢式货车", "电动三轮", "1234567"
NO_COLD = "no vehicle with cold space reaches the village within its range of 80 km"


def shared_plan(county: County) -> CountyPlan:
    """Return one delivery for all: a lorry to both stations, tricycles from each and from the hub."""
    book = Book(county, "shared")
    calls = [("T1", 346.0, 106.0, 6.0, 1.8), ("T2", 152.0, 42.333, 0.0, 0.0)]
    book.trip("S-T1", (LORRY, 1, 1), DAILY, "HUB", 6.5, calls)
    book.trip("S-L1", (TRICYCLE, 1, 1), DAILY, "T1", 8.6, [("V1", 84, 24, 6, 1.8), ("V2", 60, 36, 0, 0)])
    book.trip("S-L2", (TRICYCLE, 1, 2), "135", "T1", 11.5, [("V3", 84, 21, 0, 0)])
    book.trip("S-L3", (TRICYCLE, 1, 1), DAILY, "T2", 9.9, [("V4", 75, 19, 0, 0), ("V5", 28, 7, 0, 0)])
    book.trip("S-L4", (TRICYCLE, 1, 2), "246", "T2", 13.2, [("V6", 49, 16.333, 0, 0)])
    book.trip("S-L5", (TRICYCLE, 1, 1), DAILY, "HUB", 7.0, [("V7", 130, 40, 18, 6)])
    book.station("T1", DAILY, 3, (2440.0, 733.0), "08:01:00")
    book.station("T2", DAILY, 3, (868.0, 231.0), "09:41:00")
    _serve_all(book)
    book.leave("V8", "乙快递", 49.0, "beyond-range", "128.4 km there and back; the longest range is 80 km")
    return book.plan()


def bus_plan(county: County) -> CountyPlan:
    """Return the same with the second station's goods on the bus."""
    book = Book(county, "shared_with_buses")
    book.trip("B-T1", (LORRY, 1, 1), DAILY, "HUB", 6.5, [("T1", 346.0, 106.0, 6.0, 1.8)])
    book.bus("B-B1", "B1", DAILY, [("V4", "08:02", 75.0, 19.0), ("T2", "08:10", 77.0, 23.333)])
    book.trip("B-L1", (TRICYCLE, 1, 1), DAILY, "T1", 8.6, [("V1", 84, 24, 6, 1.8), ("V2", 60, 36, 0, 0)])
    book.trip("B-L2", (TRICYCLE, 1, 2), "135", "T1", 11.5, [("V3", 84, 21, 0, 0)])
    book.trip("B-L3", (TRICYCLE, 1, 1), DAILY, "T2", 8.5, [("V5", 28, 7, 0, 0)])
    book.trip("B-L4", (TRICYCLE, 1, 2), "246", "T2", 10.5, [("V6", 49, 16.333, 0, 0)])
    book.trip("B-L5", (TRICYCLE, 1, 1), DAILY, "HUB", 7.0, [("V7", 130, 40, 18, 6)])
    book.station("T1", DAILY, 3, (2440.0, 733.0), "08:01:00")
    book.station("T2", DAILY, 2, (343.0, 98.0), "08:15:00")
    _serve_all(book, V4="B1")
    book.leave("V8", "乙快递", 49.0, "beyond-range", "128.4 km there and back; the longest range is 80 km")
    return book.plan()


def _serve_all(book: Book, **other: str) -> None:
    sources = {"V1": "T1", "V2": "T1", "V3": "T1", "V4": "T2", "V5": "T2", "V6": "T2", "V7": "HUB"}
    for site, source in (sources | other).items():
        days = {"V3": "135", "V6": "246"}.get(site, DAILY)
        book.serve(site, source, days, 1.4 if source in ("HUB", "B1") else 3.1)


def alone_plans(county: County) -> dict[str, CountyPlan]:
    """Return each firm's own delivery, from the hub and one station."""
    first, second = Book(county, FIRMS[0]), Book(county, FIRMS[1])
    first.trip("A-T1", (LORRY, 1, 1), DAILY, "HUB", 6.5, [("T1", 264, 68.5, 6, 1.8), ("T2", 64, 14, 0, 0)])
    first.trip("A-L1", (TRICYCLE, 1, 1), DAILY, "T1", 8.6, [("V1", 60, 18, 6, 1.8), ("V2", 42, 12, 0, 0)])
    first.trip("A-L2", (TRICYCLE, 1, 2), "135", "T1", 11.5, [("V3", 84, 21, 0, 0)])
    first.trip("A-L3", (TRICYCLE, 1, 1), DAILY, "T2", 9.9, [("V4", 55, 11, 0, 0)])
    first.trip("A-L4", (TRICYCLE, 1, 2), "246", "T2", 12.0, [("V6", 49, 16.333, 0, 0)])
    first.trip("A-L5", (TRICYCLE, 1, 1), DAILY, "HUB", 7.0, [("V7", 90, 30, 18, 6)])
    first.station("T1", DAILY, 3, (1806.0, 448.0), "08:01:00")
    first.station("T2", DAILY, 2, (532.0, 126.0), "09:41:00")
    for site, source in {"V1": "T1", "V2": "T1", "V3": "T1", "V4": "T2", "V6": "T2", "V7": "HUB"}.items():
        first.serve(site, source, {"V3": "135", "V6": "246"}.get(site, DAILY))
    second.trip("A-T1", (LORRY, 1, 1), DAILY, "HUB", 6.5, [("T1", 42, 30, 0, 0), ("T2", 48, 15, 0, 0)])
    second.trip("A-L1", (TRICYCLE, 1, 1), DAILY, "T1", 8.6, [("V1", 24, 6, 0, 0), ("V2", 18, 24, 0, 0)])
    second.trip("A-L2", (TRICYCLE, 1, 1), DAILY, "T2", 9.9, [("V4", 20, 8, 0, 0), ("V5", 28, 7, 0, 0)])
    second.trip("A-L3", (TRICYCLE, 1, 1), DAILY, "HUB", 7.0, [("V7", 40, 10, 0, 0)])
    second.station("T1", DAILY, 2, (294.0, 210.0), "08:01:00")
    second.station("T2", DAILY, 2, (336.0, 105.0), "09:41:00")
    for site, source in {"V1": "T1", "V2": "T1", "V4": "T2", "V5": "T2", "V7": "HUB"}.items():
        second.serve(site, source)
    second.leave("V8", FIRMS[1], 49.0, "no-cold-space", NO_COLD)
    return {FIRMS[0]: first.plan(), FIRMS[1]: second.plan()}


def small_result(names: dict[str, str] | None = None, *, buses: bool = True) -> CountyResult:
    """Return the three answers and a split in which everybody gains."""
    county = small_county(names)
    alone = alone_plans(county)
    shared = shared_plan(county)
    with_buses = bus_plan(county) if buses else None
    best = min(plan.cost_cny for plan in (shared, with_buses) if plan is not None)
    own = [plan.cost_cny for plan in alone.values()]
    saving = (sum(own) - best) / len(own)
    split = pl.DataFrame(
        {
            "firm": list(alone), "alone_cny": own, "shared_cny": [cost - saving for cost in own],
            "saving_cny": [saving] * len(own),
            "alone_unserved_pieces": [
                float(plan.unserved["pieces_per_week"].sum()) for plan in alone.values()
            ],
            "shared_unserved_pieces": [
                float(shared.unserved.filter(pl.col("firm") == firm)["pieces_per_week"].sum())
                for firm in alone
            ],
        }
    )  # fmt: skip
    return CountyResult(county, alone, shared, with_buses, split, 7, 1.5, {"detour_factor": DETOUR})
