"""Outages carried through to a plan, on networks small enough to work out by hand."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest

from changtong.network.model import Network, build_network
from changtong.outages import Outage, in_force
from changtong.planning.plan import plan
from changtong.planning.result import Plan, PlanSettings

CHINA_TIME = timezone(timedelta(hours=8))
THREE = datetime(2026, 7, 20, 3, 0, tzinfo=CHINA_TIME)


def chain(*, status: str = "open", promise_h: float = 20.0) -> Network:
    """A ─ H ─ B and a dear second way A ─ K ─ B; 50 pieces A to B, 7 back; 3 h a leg, 1 h a visit."""
    ends = [("A", "H"), ("H", "B"), ("A", "K"), ("K", "B")]
    ends += [(head, tail) for tail, head in ends]
    cost = [1.0 if "H" in pair else 4.0 for pair in ends]
    tables = {
        "sites": pl.DataFrame(
            {
                "site_id": ["A", "B", "H", "K"],
                "lon": [113.0, 115.0, 114.0, 114.0],
                "lat": [34.0, 34.0, 34.5, 33.5],
                "admin_code": ["410181", "420115", "410100", "410200"],
                "handling_h": [1.0] * 4,
                "status": ["open", "open", status, "open"],
            }
        ),
        "legs": pl.DataFrame(
            {
                "from_site": [tail for tail, _ in ends],
                "to_site": [head for _, head in ends],
                "travel_h": [3.0] * 8,
                "cost_cny_per_piece": cost,
                "capacity_pieces_per_day": [100.0] * 8,
                "vehicle_pieces": [20.0] * 8,
                "departures_per_day": [1.0] * 8,
                "flow_pieces_per_day": [50.0, 50.0, 0.0, 0.0, 7.0, 7.0, 0.0, 0.0],
            }
        ),
        "demand": pl.DataFrame(
            {"from_site": ["A", "B"], "to_site": ["B", "A"], "pieces_per_day": [50.0, 7.0]}
        ),
        "service_classes": pl.DataFrame(
            {"service_class": ["ordinary"], "rank": [1], "promise_h": [promise_h], "share": [1.0]}
        ),
    }
    return build_network(tables, "chain")


def planned(network: Network, *outages: Outage) -> Plan:
    return plan(network, outages, settings=PlanSettings(gap_share=1e-4, seconds=10))


def flow(result: Plan, tail: str, head: str) -> float:
    row = result.leg_flows.filter((pl.col("from_site") == tail) & (pl.col("to_site") == head))
    return float(row["planned_pieces"][0])


def test_a_controlled_area_takes_what_its_passes_bring() -> None:
    zone = Outage("zone", admin_codes=("420000",), passes_per_day=2, pieces_per_pass=10.0)
    result = planned(chain(), zone)
    # two passes of ten pieces go in, over whichever leg; the way out needs no pass
    assert flow(result, "H", "B") + flow(result, "K", "B") == pytest.approx(20.0, abs=1e-3)
    assert flow(result, "B", "H") == pytest.approx(7.0, abs=1e-3)
    assert result.value("unserved") == pytest.approx(30.0, abs=1e-3)
    assert result.unserved.select("from_site", "to_site", "reason", "blocked_by").rows() == [
        ("A", "B", "entry-limit", "zone")
    ]
    hold = result.orders.filter(pl.col("action") == "hold")
    assert hold.select("site", "destination", "note_code", "blocked_by").rows() == [
        ("A", "B", "entry-limit", "zone")
    ]
    assert hold["pieces"][0] == pytest.approx(30.0, abs=1e-3)


def test_no_pass_at_all_shuts_the_way_in_only() -> None:
    result = planned(chain(), Outage("zone", sites=("B",), passes_per_day=0))
    assert result.value("unserved") == pytest.approx(50.0, abs=1e-3)
    assert flow(result, "B", "H") == pytest.approx(7.0, abs=1e-3)


def test_settling_adds_its_hours_to_every_visit_and_leaves_the_site_open() -> None:
    assert planned(chain()).value("late") == 0.0
    settled = planned(chain(), Outage("settling", sites=("H", "K"), extra_h=24.0))
    # two legs of 3 h, three visits of 1 h, 24 h at H: 33 h, over the promise of 20
    assert settled.classes["mean_h"][0] == pytest.approx(33.0, abs=1e-6)
    assert settled.value("late") == pytest.approx(57.0, abs=1e-3)
    assert settled.value("unserved") == pytest.approx(0.0, abs=1e-3)


def test_settling_on_a_leg_counts_once_a_trip() -> None:
    result = planned(chain(), Outage("settling", legs=(("A", "H"),), extra_h=10.0))
    late = 50.0 if flow(result, "A", "H") > 1.0 else 0.0
    assert late == 50.0
    assert result.classes["mean_h"][0] == pytest.approx((50 * 19.0 + 7 * 9.0) / 57, abs=1e-6)


def test_a_site_of_status_closed_is_planned_around() -> None:
    result = planned(chain(status="closed"))
    assert flow(result, "A", "H") == 0.0
    assert flow(result, "A", "K") == pytest.approx(50.0, abs=1e-3)
    assert result.value("cost") == pytest.approx(57 * 8.0, abs=1e-2)


def test_what_overlaps_leaves_the_smaller_room() -> None:
    # half of the legs into B leaves 50 each; five pieces a pass and four passes leave 20 in all
    half = Outage("half", legs=(("H", "B"), ("K", "B")), capacity_share=0.5)
    third = Outage("third", legs=(("H", "B"),), capacity_share=0.3)
    both = planned(chain(), half, third)
    assert flow(both, "H", "B") == pytest.approx(30.0, abs=1e-3)
    assert flow(both, "K", "B") == pytest.approx(20.0, abs=1e-3)
    zone = Outage("zone", sites=("B",), passes_per_day=4, pieces_per_pass=5.0)
    assert planned(chain(), half, zone).value("unserved") == pytest.approx(30.0, abs=1e-3)


def test_times_decide_what_is_in_force() -> None:
    night = Outage("night", sites=("H",), start=THREE, end=THREE + timedelta(hours=5))
    later = Outage("later", sites=("K",), start=THREE + timedelta(hours=5))
    always = Outage("always", sites=("A",), capacity_share=0.9)
    every = (night, later, always)
    assert in_force(every, THREE - timedelta(minutes=1)) == (always,)
    assert in_force(every, THREE) == (night, always)
    assert in_force(every, THREE + timedelta(hours=5)) == (later, always)  # the end is not part of it
    utc = datetime(2026, 7, 19, 19, 0, tzinfo=UTC)
    assert in_force(every, utc) == (night, always)


def test_extra_trips_are_whole_vehicles_and_say_whether_the_timetable_has_them() -> None:
    orders = planned(chain(), Outage("shut", sites=("H",))).orders
    rows = orders.select("site", "action", "next_site", "pieces", "trips", "leg_trips", "note_code").rows()
    # 50 pieces in vehicles of 20: three a day, where the timetable has one departure
    for pair in (("A", "K"), ("K", "B")):
        assert (pair[0], "extra-trip", pair[1], pytest.approx(50.0), 3, 3, "beyond-timetable") in rows
        assert (pair[1], "extra-trip", pair[0], pytest.approx(7.0), 1, 1, "in-timetable") in rows
    assert ("A", "stop", "H", pytest.approx(50.0), -3, 0, "next-closed") in rows
    assert ("H", "stop", "B", pytest.approx(50.0), -3, 0, "closed") in rows
    assert orders.filter(pl.col("action") == "hold").height == 0
