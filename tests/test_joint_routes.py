"""Who serves whom where vehicles are few: bases are chosen by the routes of all of them together."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from county_cases import county, county_of_instance, pieces, site, vehicle

from changtong.rural.county import County
from changtong.rural.county_check import check_plan
from changtong.rural.county_question import CountySettings
from changtong.rural.joint_routes import _allocations
from changtong.rural.plan_county import plan_county
from changtong.rural.two_echelon_file import read_two_echelon

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "two_echelon"


def tight(count: int) -> County:
    """Two stations far from the hub; three villages lie at one of them, with more than one van holds."""
    free = {"stop_min": 1.0, "piece_min": 0.0}
    van = {"tier": "local", "capacity_pieces": 10.0, "trips_per_day": 1, "range_km": 60.0, "count": count}
    return county(
        [
            site("H", "county", 0, 0, **free),
            site("S1", "township", 60, 10, **free),
            site("S2", "township", 60, -10, **free),
            site("V1", "village", 64, 12, **free),
            site("V2", "village", 64, 8, **free),
            site("V3", "village", 64, 2, **free),
            site("V4", "village", 64, -12, **free),
        ],
        [pieces("V1", 6), pieces("V2", 4), pieces("V3", 4), pieces("V4", 6)],
        [vehicle(**van), vehicle(vehicle_type="truck", tier="trunk", capacity_pieces=100.0)],
    )


def test_two_full_vans_suffice_where_the_nearest_stations_would_need_three() -> None:
    known = tight(2)
    plan = plan_county(known).shared
    assert plan.unserved.is_empty()
    assert check_plan(known, plan, firms=("A",)) == []
    vans = plan.routes.filter(plan.routes["vehicle_type"] == "van")
    assert vans["weekdays"].to_list() == ["1234567"] * 2


def test_more_vans_are_never_dearer() -> None:
    few, more = (plan_county(tight(count)).shared.cost_cny for count in (2, 4))
    assert more <= few + 1e-6


def test_allocations_are_no_more_than_there_are() -> None:
    for used in itertools.product(range(4), repeat=3):
        for free in range(sum(used) + 3):
            load = [7.0 * n - k for k, n in enumerate(used)]
            for one in _allocations(list(used), load, free):
                assert min(one) >= 0
                assert sum(one) <= free
                assert sum(one) == free or sum(used) == 0


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the published two-echelon instances")
@pytest.mark.parametrize(
    ("name", "best"), [("Set3_E-n22-k4-s14-19", 498.80), ("Set3_E-n33-k4-s16-24", 666.02)]
)
def test_published_instances_are_planned_near_their_best_values(name: str, best: float) -> None:
    """Four freighters hold hardly more than all customers ask for: who is served from where decides."""
    known = county_of_instance(read_two_echelon(SHARED / f"{name}.dat"))
    plan = plan_county(known, settings=CountySettings(detour_factor=1.0)).shared
    assert plan.unserved.is_empty()
    assert plan.cost_cny / 7.0 <= 1.01 * best
