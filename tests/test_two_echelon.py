"""The solver of two-echelon routing: against trial of everything, twice alike, within its time."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from two_echelon_cases import as_text, best_cost, first_level_by_trial, published_like, tiny

from changtong.cli import main
from changtong.errors import UsageError
from changtong.rural import two_echelon_search as search
from changtong.rural.first_level import can_carry, first_level_cost, truck_sets
from changtong.rural.two_echelon import Customer, Fleet, Place, Satellite, TwoEchelonInstance
from changtong.rural.two_echelon_arrays import Arrays, first_fit, kept_satellites
from changtong.rural.two_echelon_check import check_two_echelon
from changtong.rural.two_echelon_file import read_two_echelon
from changtong.rural.two_echelon_limits import impossible_demands
from changtong.rural.two_echelon_plan import share_loads
from changtong.rural.two_echelon_search import solve_two_echelon

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "two_echelon"


def solve(instance, **options):
    return solve_two_echelon(instance, **({"iterations": 4000} | options))


@pytest.mark.parametrize("split", [False, True], ids=["roomy trucks", "split deliveries"])
@pytest.mark.parametrize("seed", range(12))
def test_tiny_instances_cost_what_trial_of_everything_says(seed: int, split: bool) -> None:
    instance = tiny(seed, split=split)
    least = best_cost(instance)
    found = solve(instance)
    if math.isinf(least):
        assert not found.feasible
        assert found.reasons
    else:
        assert found.cost is not None
        assert found.cost.total == pytest.approx(least, abs=1e-6)


def test_tiny_instances_hold_what_they_are_for() -> None:
    """Some split a satellite's load, some meet the limit per satellite."""
    made = [(tiny(seed, split=split), split) for seed in range(24) for split in (False, True)]
    shared = full = 0
    for instance, _ in made:
        found = solve(instance)
        if found.plan is not None:
            visits = [s for truck in found.plan.trucks for s in truck.satellites]
            shared += len(visits) > len(set(visits))
            begins = [route.satellite for route in found.plan.freighters]
            most = max(begins.count(s) for s in begins)
            full += most == instance.freighters_per_satellite < len(begins)
    assert shared >= 2
    assert full >= 2


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.lists(st.integers(0, 12), min_size=4, max_size=4))
def test_first_level_costs_what_trial_says(seed: int, trucks: int, loads: list[int]) -> None:
    """Up to three trucks it is exact; with four it is never below, and hardly ever above."""
    places = np.random.default_rng(seed).integers(0, 30, (5, 2)).astype(float)
    instance = TwoEchelonInstance(
        "first level",
        Fleet(trucks, 10.0, 1.0, float(seed % 3)),
        Fleet(9, 9.0),
        9,
        Place(*places[0]),
        tuple(Satellite(Place(*p)) for p in places[1:]),
        (Customer(Place(1, 1), 1.0),),
    )
    arrays = Arrays(instance, 1)
    brought = np.array(loads, float)
    least = first_level_by_trial(instance, brought.tolist())
    found = first_level_cost(brought, arrays.data.tours, 10.0, trucks, arrays.work)
    if math.isinf(least):
        assert found > 1e17
        return
    assert found >= least - 1e-9
    if trucks <= 3:
        assert found == pytest.approx(least, abs=1e-9)
    if brought.sum() > 0:
        sets = [int(x) for x in arrays.work.sets[: truck_sets(trucks, arrays.work)]]
        assert sum(arrays.data.tours[x] for x in sets) == pytest.approx(found)
        assert can_carry(np.array(sets), len(sets), brought, 10.0, np.zeros(1 << len(sets)))
        shared = share_loads(sets, brought, 10.0)
        assert max(sum(part.values()) for part in shared) <= 10.0 + 1e-9
        for s, load in enumerate(brought):
            assert sum(part.get(s, 0.0) for part in shared) == pytest.approx(load)


def test_more_satellites_than_are_searched_completely() -> None:
    instance = published_like(5, 3, 60, 18)
    found = solve(instance, iterations=3000)
    assert found.plan is not None
    loads = np.random.default_rng(1).integers(1, 9, 12).astype(float)
    arrays = Arrays(published_like(5, 3, 30, 12), 1)
    capacity = float(arrays.data.truck_capacity)
    scaled = loads * (4 * capacity / loads.sum())
    cost = first_level_cost(scaled, arrays.data.tours, capacity, 5, arrays.work)
    sets = [int(x) for x in arrays.work.sets[: truck_sets(5, arrays.work)]]
    assert sum(arrays.data.tours[x] for x in sets) == pytest.approx(cost)
    assert can_carry(np.array(sets), len(sets), scaled, capacity, np.zeros(1 << len(sets)))


def line(customers: int, stores: int, **changes) -> TwoEchelonInstance:
    """Return an instance of customers of 90 on a line, vehicles of 100, one satellite here and there."""
    made = TwoEchelonInstance(
        "line",
        Fleet(customers + 10, 100.0),
        Fleet(customers, 100.0),
        customers,
        Place(0, 0),
        tuple(Satellite(Place(7.0 * s, 1.0)) for s in range(stores)),
        tuple(Customer(Place(float(c), 2.0), 90.0) for c in range(customers)),
    )
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize("satellites", [2, 5, 11])
def test_many_trucks_are_no_limit(satellites: int) -> None:
    found = solve(line(70, satellites), iterations=300)
    assert found.plan is not None
    assert 63 <= len(found.plan.trucks) <= 63 + satellites


def test_satellites_are_kept_until_the_limits_are() -> None:
    """One city freighter each, or room for one customer each: all twenty satellites are needed."""
    each = solve(line(20, 20, freighters_per_satellite=1), iterations=300)
    assert each.plan is not None
    assert len({route.satellite for route in each.plan.freighters}) == 20
    small = tuple(Satellite(Place(7.0 * s, 1.0), 0.0, 100.0) for s in range(20))
    assert solve(line(20, 20, satellites=small), iterations=300).feasible


def test_first_fit_by_hand() -> None:
    assert first_fit(np.array([3.0, 6.0, 4.0, 7.0]), [10.0] * 4) == 2
    assert first_fit(np.array([6.0, 6.0]), [10.0]) is None
    assert first_fit(np.array([6.0, 4.0]), [np.inf, 1.0]) == 1


def test_kept_satellites_hold_the_demand() -> None:
    """The near ones are small; without the far large one the fifteen cannot pass the demand."""
    near = [Satellite(Place(float(s), 2.0), 0.0, 100.0) for s in range(20)]
    far = Satellite(Place(900.0, 900.0), 0.0, 2000.0)
    kept = kept_satellites(line(20, 21, satellites=(*near, far)))
    assert len(kept) == 15
    assert 20 in kept
    assert solve(line(20, 21, satellites=(*near, far)), iterations=300).feasible


@pytest.mark.parametrize(
    "instance",
    [line(500, 2), line(21, 21, freighters_per_satellite=1)],
    ids=["more than 400 trucks", "more than 20 satellites"],
)
def test_what_is_beyond_the_solver_is_told_at_once(instance: TwoEchelonInstance) -> None:
    assert impossible_demands(instance) == ()
    found = solve(instance, iterations=10**9)
    assert {reason.code for reason in found.reasons} == {"beyond-solver"}
    assert found.iterations == 0


@pytest.mark.parametrize(("kind", "customers", "satellites"), [(4, 50, 5), (5, 60, 10), (6, 50, 4)])
def test_same_seed_same_plan(kind: int, customers: int, satellites: int) -> None:
    instance = published_like(kind, 2, customers, satellites)
    one, two = (solve(instance, seed=5, iterations=6000) for _ in range(2))
    assert one.plan is not None
    assert one.plan == two.plan
    assert one.iterations == two.iterations == 6000
    assert solve(instance, seed=6, iterations=6000).plan != one.plan


def test_seconds_are_kept() -> None:
    instance = published_like(5, 1, 100, 10)
    solve(instance, iterations=10)
    begin = time.process_time()
    found = solve_two_echelon(instance, seconds=1.5)
    assert found.feasible
    assert 0.9 < time.process_time() - begin < 2.5 or found.seconds < 2.5


def test_searches_side_by_side_end_with_the_best_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = published_like(5, 3, 40, 5)
    monkeypatch.setattr(search, "usable_cores", lambda: 3)
    made: list[search._Search] = []
    real = search._run_together
    monkeypatch.setattr(search, "_run_together", lambda searches: (made.extend(searches), real(searches)))
    found = solve_two_echelon(instance, seconds=0.6)
    costs = [float(one.arrays.state.figure[search.BEST]) for one in made]
    assert len(made) == 3
    assert found.cost is not None
    assert found.cost.total == pytest.approx(min(costs))
    assert found.iterations == sum(one.budget.done for one in made) > max(one.budget.done for one in made)


def test_a_number_of_steps_is_one_search_whatever_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = published_like(5, 3, 40, 5)
    one = solve(instance)
    monkeypatch.setattr(search, "usable_cores", lambda: 4)
    assert solve(instance).plan == one.plan


def test_a_search_broken_off_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "usable_cores", lambda: 2)

    def broken(stage: str, share: float) -> None:
        raise KeyboardInterrupt

    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        solve_two_echelon(published_like(5, 3, 40, 5), seconds=60.0, progress=broken)
    assert time.perf_counter() - begin < 30.0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"customers": (Customer(Place(0, 1), 10.0), Customer(Place(0, 2), 11.0))}, "demand-above-capacity"),
        ({"freighters": Fleet(1, 9.0)}, "freighters-too-few"),
        ({"freighters_per_satellite": 1}, "freighters-too-few"),
        ({"trucks": Fleet(1, 10.0)}, "trucks-too-few"),
        ({"satellites": (Satellite(Place(1, 1), 0.0, 11.0),)}, "satellites-too-small"),
    ],
)
def test_impossible_demands_are_named(change: dict, code: str) -> None:
    possible = TwoEchelonInstance(
        "possible",
        Fleet(2, 10.0),
        Fleet(2, 9.0),
        2,
        Place(0, 0),
        (Satellite(Place(1, 1)),),
        (Customer(Place(0, 1), 6.0), Customer(Place(0, 2), 6.0)),
    )
    assert impossible_demands(possible) == ()
    assert solve(possible).feasible
    refused = solve(dataclasses.replace(possible, **change))
    assert code in {reason.code for reason in refused.reasons}
    assert not refused.feasible
    assert refused.iterations == 0
    assert code in str(refused)


def test_what_cannot_be_packed_is_told() -> None:
    """Three demands of 4 into two freighters of 6: nothing is too large, and still they do not fit."""
    place = Place(1, 1)
    instance = TwoEchelonInstance(
        "no packing", Fleet(2, 12.0), Fleet(2, 6.0), 2, Place(0, 0), (Satellite(place),),
        tuple(Customer(Place(i, 2), 3.9 if i else 4.0) for i in range(3)),
    )  # fmt: skip
    found = solve(instance, iterations=2000)
    assert not found.feasible
    assert {reason.code for reason in found.reasons} <= {"no-feasible-plan", "freighters-too-few"}


BAD_CALLS: list[dict] = [{"seconds": 0.0}, {"seconds": math.nan}, {"iterations": 0}, {"seed": -1}]


@pytest.mark.parametrize("options", BAD_CALLS)
def test_calls_that_cannot_be_meant(options: dict) -> None:
    with pytest.raises(UsageError):
        solve_two_echelon(tiny(1), **options)


def test_result_is_told_and_saved(tmp_path: Path) -> None:
    instance = published_like(6, 2, 50, 4)
    found = solve(instance)
    assert found.cost is not None
    assert found.plan is not None
    assert f"{found.cost.total:,.2f}" in str(found)
    assert len(str(found).splitlines()) <= 24
    facts = json.loads(found.to_json())
    assert facts["feasible"] is True
    parts = [facts[f"cost_{part}"] for part in ("level_one", "level_two", "handling", "fixed")]
    assert sum(parts) == pytest.approx(facts["cost"])
    assert facts["cost_handling"] > 0
    folder = found.save(tmp_path / "routes")
    found.save(folder)
    rows = list(csv.DictReader((folder / "routes.csv").read_text("utf-8").splitlines()))
    stops = [int(row["number"]) for row in rows if row["kind"] == "customer"]
    assert sorted(stops) == list(range(1, 51))
    loads = [sum(float(r["load"]) for r in rows if r["level"] == level) for level in "12"]
    assert loads[0] == pytest.approx(loads[1])
    (folder / "other.txt").write_text("mine")
    with pytest.raises(UsageError, match="other.txt"):
        found.save(folder)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.dat"
    path.write_text(as_text(published_like(4, 1, 20, 2)), "utf-8")
    call = ["rural", "solve", str(path), "--iterations", "2000", "--seed", "3", "--json"]
    outputs = []
    for _ in range(2):
        assert main([*call, "-o", str(tmp_path / "out")]) == 0
        made = json.loads(capsys.readouterr().out)
        made.pop("seconds")
        outputs.append(made)
    assert outputs[0] == outputs[1]
    assert outputs[0]["seed"] == 3
    assert (tmp_path / "out" / "routes.csv").exists()


def test_command_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.dat"
    path.write_text("!Trucks\n1,9\n!CityFreighters\n1,1,9\n!Stores\n0,0 1,1\n!Customers\n2,2,10", "utf-8")
    assert main(["rural", "solve", str(path), "--json"]) == 1
    made = json.loads(capsys.readouterr().out)
    assert {reason["code"] for reason in made["reasons"]} >= {"demand-above-capacity", "trucks-too-few"}
    path.write_text("!Trucks\n1,9\n", "utf-8")
    assert main(["rural", "solve", str(path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "bad-input"
    assert main(["rural", "solve", str(path), "--seconds", "0"]) == 2


@pytest.mark.parametrize(
    ("name", "best"),
    [("Set2a_E-n22-k4-s6-17", 417.07), ("Set3_E-n22-k4-s13-14", 526.15), ("Set2b_E-n51-k5-s2-17", 597.49)],
)
def test_published_instances(name: str, best: float) -> None:
    path = SHARED / f"{name}.dat"
    if not path.exists():
        pytest.skip("the published instances are not here")
    instance = read_two_echelon(path)
    found = solve_two_echelon(instance, iterations=120_000)
    assert found.plan is not None
    assert found.cost is not None
    assert found.cost.total <= best * 1.01
    assert check_two_echelon(instance, found.plan).faults == ()
