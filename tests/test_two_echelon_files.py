"""Reading two-echelon instances, good and damaged, and the checker of plans."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from how_many import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_echelon_cases import as_text, published_like, tiny

from changtong.errors import InputError
from changtong.rural.two_echelon import (
    Customer,
    Fleet,
    FreighterRoute,
    Place,
    Satellite,
    TruckRoute,
    TwoEchelonInstance,
    TwoEchelonPlan,
)
from changtong.rural.two_echelon_check import check_two_echelon
from changtong.rural.two_echelon_file import read_two_echelon

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "two_echelon"
GOOD = (
    "!----\n!Trucks: (total #, capacity, cost per distance, fixcost)\n3,15,1,0\n!----\n"
    "!CityFreighters: (max cf/sat, total #, cap, cost/dist, fixcost)\n4,5,6,2,7\n!----\n"
    "!Stores: (first: depot x,y; then: satellites x,y)\n1,2   -3,4   5,6.5\n!----\n"
    "!Customers: (x,y,demand)\n1,2,3   4,5,6   7,8,0\n\n"
)


def read(folder: Path, text: str | bytes) -> TwoEchelonInstance:
    path = folder / "some.dat"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_two_echelon(path)


def codes(folder: Path, text: str | bytes) -> list[tuple[str, int | None]]:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return [(problem.code, problem.row) for problem in caught.value.problems]


def test_a_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD) == TwoEchelonInstance(
        "some",
        Fleet(3, 15.0, 1.0, 0.0),
        Fleet(5, 6.0, 2.0, 7.0),
        4,
        Place(1.0, 2.0),
        (Satellite(Place(-3.0, 4.0)), Satellite(Place(5.0, 6.5))),
        (Customer(Place(1.0, 2.0), 3.0), Customer(Place(4.0, 5.0), 6.0), Customer(Place(7.0, 8.0), 0.0)),
    )


def own_sections(text: str, stores: str) -> str:
    """Return the text with other lines for the stores."""
    begin, end = text.index("!Stores"), text.index("!----\n!Customers")
    return text[:begin] + stores + "\n" + text[end:]


@pytest.mark.parametrize(
    "form",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("   ", "\t"),
        lambda text: text.replace("   ", "\n"),
        lambda text: text.replace("   ", ";"),
        lambda text: text.replace("7,8,0", "7,8,0,"),
        lambda text: text.replace("3,15,1,0", "3, 15"),
        lambda text: text.replace("3,15,1,0", "3 15 1 0"),
        lambda text: "\n".join(line for line in text.split("\n") if not line.startswith("!")),
        lambda text: text.replace("1,2,3   4,5,6   7,8,0", "1 2 3\n4 5 6\n7 8 0"),
        lambda text: text.replace("4,5,6,2,7", "4,5,6.0,2e0,7   ! the small ones"),
        lambda text: text.upper(),
        lambda text: text.replace("1,2   -3,4   5,6.5", "1 2 -3 4 5 6.5"),
        lambda text: text.replace("1,2   -3,4   5,6.5", "1 2\n-3 4 5 6.5"),
        lambda text: text.replace("Stores: (first: depot x,y; then: satellites", "Satellites and depot: ("),
        lambda text: text.replace("1,2   -3,4", "! the depot's place is the first\n1,2   -3,4"),
        lambda text: text.replace("Customers: (x,y,demand)", "Number of customers: 3"),
        lambda text: text.replace("!Trucks", "!Made of 3 customers, 2 satellites\n!Trucks"),
        lambda text: own_sections(text, "!Depot:\n1,2\n!Satellites:\n-3,4   5,6.5"),
        lambda text: own_sections(text, "!Depot\n1 2\n!----\n!Satellites (x y)\n-3 4 5 6.5"),
        lambda text: own_sections(text, "!Satellites:\n-3 4\n5 6.5\n!Depot:\n1 2"),
    ],
)  # fmt: skip
def test_other_forms_mean_the_same(tmp_path: Path, form) -> None:
    assert read(tmp_path, form(GOOD)) == read(tmp_path, GOOD)


def test_costs_of_satellites(tmp_path: Path) -> None:
    stores = "1,2   -3,4   5,6.5"
    three = read(tmp_path, GOOD.replace(stores, "1,2   -3,4,0.5   5,6.5,0.25"))
    assert [s.handling_cost for s in three.satellites] == [0.5, 0.25]
    five = read(tmp_path, GOOD.replace(stores, "1,2   -3,4,0.5,90,8   5,6.5,0,80,7"))
    assert five.satellites[0] == Satellite(Place(-3, 4), 0.5, 90.0, 8.0)
    named = GOOD.replace("satellites x,y)", "satellites x,y,maxCap,handlingCost)")
    other = read(tmp_path, named.replace(stores, "1,2   -3,4,90,0.5   5,6.5,80,0"))
    assert other.satellites[0] == Satellite(Place(-3, 4), 0.5, 90.0)
    own = read(tmp_path, GOOD + "!Handling costs at satellites\n0.5, 0.25\n")
    assert own.satellites == three.satellites
    assert codes(tmp_path, GOOD + "!Handling costs at satellites\n0.5\n")[0][0] == "field-count"


def test_one_satellite_without_commas(tmp_path: Path) -> None:
    """An even count of numbers on one line is pairs, not one place with costs."""
    one = read(tmp_path, GOOD.replace("1,2   -3,4   5,6.5", "145 215 148 232"))
    assert (one.depot, one.satellites) == (Place(145, 215), (Satellite(Place(148, 232)),))
    named = GOOD.replace("satellites x,y)", "satellites x,y,handlingCost,maxCap)")
    lines = read(tmp_path, named.replace("1,2   -3,4   5,6.5", "1 2\n-3 4 0.5 90\n5 6.5 0 80"))
    assert lines.satellites[0] == Satellite(Place(-3, 4), 0.5, 90.0)
    # with costs named and no line for each place it cannot be told which number is what
    assert codes(tmp_path, named.replace("1,2   -3,4   5,6.5", "1 2 -3 4 0.5 90 5 6.5 0 80"))[0][0] == (
        "field-count"
    )


def test_depot_and_satellites_of_their_own_carry_costs(tmp_path: Path) -> None:
    five = own_sections(
        GOOD, "!Depot: (x,y)\n1,2\n!Satellites: (x,y,maxCap,handling)\n-3,4,90,0.5   5,6,80,0"
    )
    assert read(tmp_path, five).satellites[0] == Satellite(Place(-3, 4), 0.5, 90.0)
    two = own_sections(GOOD, "!Depot:\n1,2   3,4\n!Satellites:\n-3,4   5,6.5")
    assert codes(tmp_path, two)[0] == ("field-count", 8)


@given(st.integers(0, 500))
@settings(
    max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_read(tmp_path: Path, seed: int) -> None:
    instance = published_like(6, seed, 20, 4)
    assert dataclasses.replace(read(tmp_path, as_text(instance)), name=instance.name) == instance


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("3,15,1,0", "3,15,one,0", ("wrong-type", 3)),
        ("3,15,1,0", "3", ("field-count", 3)),
        ("3,15,1,0", "3.5,15,1,0", ("out-of-range", 3)),
        ("3,15,1,0", "0,15,1,0", ("out-of-range", 3)),
        ("3,15,1,0", "3,0,1,0", ("out-of-range", 3)),
        ("3,15,1,0", "3,15,-1,0", ("negative", 3)),
        ("4,5,6,2,7", "4,5,inf,2,7", ("not-finite", 6)),
        ("4,5,6,2,7", "4,5,6,2,7,8", ("field-count", 6)),
        ("-3,4", "-3", ("field-count", 9)),
        ("7,8,0", "7,8", ("field-count", 12)),
        ("7,8,0", "7,8,-1", ("negative", 12)),
        ("7,8,0", "7,8,nan", ("not-finite", 12)),
        ("1,2   -3,4   5,6.5", "1,2", ("missing-section", 8)),
        ("!Customers: (x,y,demand)\n1,2,3   4,5,6   7,8,0", "", ("missing-section", None)),
        ("!Customers", "!Stores", ("twice-named", 11)),
        ("!Customers", "!Depot:\n1,2\n!Customers", ("twice-named", 11)),
        ("4,5,6,2,7", "-1,5,6,2,7", ("negative", 6)),
        ("4,5,6,2,7", "0,5,6,2,7", ("out-of-range", 6)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, found: tuple) -> None:
    assert old in GOOD
    assert found in codes(tmp_path, GOOD.replace(old, new))


def test_all_problems_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("3,15,1,0", "x,15,1,0").replace("6,2,7", "-6,2,7").replace("4,5,6   7", "4,5   7")
    assert {code for code, _ in codes(tmp_path, bad)} == {"wrong-type", "negative", "field-count"}


def test_no_file_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing-file"):
        read_two_echelon(tmp_path / "none.dat")
    with pytest.raises(InputError, match="unreadable-file"):
        read_two_echelon(tmp_path)
    assert codes(tmp_path, "")[0][0] == "empty-file"
    assert codes(tmp_path, b"\0\1\2")[0][0] == "unreadable-file"
    assert codes(tmp_path, b"\xff\xfe\xfa nonsense")[0][0] in {"wrong-type", "missing-section"}


@given(st.data())
@settings(
    max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_files_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is cut out or put in, there is an instance with sane numbers or a list of problems."""
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        put = data.draw(st.text("0123456789,.;-!e \n\tnainfxTCS:", max_size=6))
        text = text[:at] + put + text[at + cut :]
    told: list[str] = []
    made = None
    try:
        made = read(tmp_path, text)
    except InputError as error:
        told = [problem.code for problem in error.problems if problem.message]
    if made is None:
        assert told
        return
    assert made.satellites
    assert made.customers
    assert all(c.demand >= 0 and math.isfinite(c.demand) for c in made.customers)
    assert made.trucks.vehicles >= 1
    assert made.freighters.capacity > 0


def test_published_files_are_read() -> None:
    files = sorted(SHARED.glob("*.dat"))
    if not files:
        pytest.skip("the published instances are not here")
    sizes = [len(read_two_echelon(path).customers) for path in files]
    assert set(sizes) == {21, 32, 50}


def by_hand() -> tuple[TwoEchelonInstance, TwoEchelonPlan]:
    """Return a plan on a line: depot 0, satellites 3 and 5, customers 4, 6 and 7; truck loads are split."""
    instance = TwoEchelonInstance(
        "by hand",
        Fleet(2, 4.0, 2.0, 10.0),
        Fleet(3, 3.0, 1.0, 1.0),
        2,
        Place(0, 0),
        (Satellite(Place(3, 0), 0.5, 9.0, 4.0), Satellite(Place(5, 0), 0.25, 5.0, 6.0)),
        (Customer(Place(4, 0), 3.0), Customer(Place(6, 0), 2.0), Customer(Place(7, 0), 1.0)),
    )
    plan = TwoEchelonPlan(
        (TruckRoute((1, 2), (3.0, 1.0)), TruckRoute((2,), (2.0,))),
        (FreighterRoute(1, (1,), 3.0), FreighterRoute(2, (2, 3), 3.0)),
    )
    return instance, plan


def test_cost_by_hand() -> None:
    checked = check_two_echelon(*by_hand())
    assert checked.faults == ()
    cost = checked.cost
    assert cost is not None
    # trucks 10 + 10, twice the distance; freighters 2 + 4; handling 1.5 + 0.75; 2 trucks, 2 freighters, 4 + 6
    assert (cost.level_one, cost.level_two, cost.handling, cost.fixed) == (40.0, 6.0, 2.25, 32.0)
    assert cost.total == 80.25


FIRST, SECOND = by_hand()[1].trucks, by_hand()[1].freighters


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"freighters": SECOND[:1]}, "not-once"),
        ({"freighters": (*SECOND, SECOND[0])}, "not-once"),
        ({"freighters": (SECOND[0], FreighterRoute(2, (2, 3, 3), 4.0))}, "not-once"),
        ({"freighters": (SECOND[0], FreighterRoute(2, (2, 3), 2.0))}, "load-differs"),
        ({"freighters": (SECOND[0], FreighterRoute(2, (2, 3), math.nan))}, "load-differs"),
        ({"freighters": (FreighterRoute(1, (1, 3), 4.0), FreighterRoute(2, (2,), 2.0))}, "over-capacity"),
        ({"freighters": (*SECOND, FreighterRoute(1, (), 0.0))}, "empty-route"),
        ({"freighters": (SECOND[0], FreighterRoute(3, (2, 3), 3.0))}, "no-such-place"),
        ({"freighters": (SECOND[0], FreighterRoute(2, (2, 9), 3.0))}, "no-such-place"),
        ({"freighters": (SECOND[0], FreighterRoute(2, (2, 0), 3.0))}, "no-such-place"),
        ({"trucks": FIRST[:1]}, "load-differs"),
        ({"trucks": (TruckRoute((1, 2), (3.0, 2.0)), TruckRoute((2,), (1.0,)))}, "over-capacity"),
        ({"trucks": (*FIRST, TruckRoute((1,), (0.0,)))}, "too-many-vehicles"),
        ({"trucks": (TruckRoute((1, 2), (3.0, -1.0)), TruckRoute((2,), (4.0,)))}, "load-differs"),
        ({"trucks": (TruckRoute((1, 2), (3.0,)), FIRST[1])}, "load-differs"),
        ({"trucks": (TruckRoute((1, 7), (3.0, 1.0)), FIRST[1])}, "no-such-place"),
        ({"trucks": (TruckRoute((1, 2, 1), (2.0, 1.0, 1.0)), FIRST[1])}, "not-once"),
        ({"trucks": (TruckRoute((), ()), FIRST[1])}, "empty-route"),
    ],
)
def test_every_fault_is_found(change: dict, code: str) -> None:
    instance, plan = by_hand()
    checked = check_two_echelon(instance, dataclasses.replace(plan, **change))
    assert code in {fault.code for fault in checked.faults}
    assert checked.cost is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"freighters_per_satellite": 1, "freighters": Fleet(1, 3.0)}, "too-many-vehicles"),
        ({"satellites": (by_hand()[0].satellites[0], Satellite(Place(5, 0), 0, 2.5))}, "over-capacity"),
        ({"trucks": Fleet(1, 4.0)}, "too-many-vehicles"),
    ],
)
def test_limits_of_the_instance_are_checked(change: dict, code: str) -> None:
    instance, plan = by_hand()
    checked = check_two_echelon(dataclasses.replace(instance, **change), plan)
    assert code in {fault.code for fault in checked.faults}


def test_limit_per_satellite() -> None:
    instance, plan = by_hand()
    three = (SECOND[0], FreighterRoute(2, (2,), 2.0), FreighterRoute(2, (3,), 1.0))
    split = dataclasses.replace(plan, freighters=three)
    assert check_two_echelon(instance, split).faults == ()
    tight = dataclasses.replace(instance, freighters_per_satellite=1)
    assert [fault.code for fault in check_two_echelon(tight, split).faults] == ["too-many-vehicles"]


def test_tiny_cases_differ() -> None:
    assert len({as_text(tiny(seed)) for seed in range(12)}) == 12
