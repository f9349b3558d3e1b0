"""What a stress test closes, where it runs, which sites it loses together, and its page."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from plan_cases import planned_networks
from stress_cases import Echo, ring, site_case

from changtong.errors import InputError, UsageError
from changtong.executors.clusters import DaskCluster, RayCluster, SparkCluster, executor_named
from changtong.executors.local import InProcess, LocalProcesses
from changtong.executors.work import Row
from changtong.network.model import Network, build_network
from changtong.outages import Outage
from changtong.resilience.cases import Case, Task, make_cases
from changtong.resilience.combinations import _ExactLeft, worst_sets
from changtong.resilience.stress import stress_test

SQUARE = {
    "type": "Polygon",
    "coordinates": [[[109.5, 29.0], [111.5, 29.0], [111.5, 33.0], [109.5, 33.0], [109.5, 29.0]]],
}


def names(cases: tuple[Case, ...]) -> list[str]:
    return [case.name for case in cases]


def test_kinds_of_cases() -> None:
    network = ring(4)
    assert names(make_cases(network)) == ["site:S0", "site:S1", "site:S2", "site:S3", "site:HUB"]
    provinces = make_cases(network, ("provinces",))
    assert [(case.name, case.sites) for case in provinces] == [
        ("province:41", (0, 1, 2)),
        ("province:42", (3, 4)),
    ]
    operators = make_cases(network, ("operators",))
    assert [(case.label, case.sites) for case in operators] == [
        ("hub", (4,)),
        ("one", (0, 2)),
        ("two", (1, 3)),
    ]
    legs = make_cases(network, ("legs",))
    assert len(legs) == network.legs.height
    assert legs[0].outages(network)[0].legs == (("S0", "S1"),)


def test_both_modes_of_a_leg_are_one_case() -> None:
    network = ring(4)
    air = network.legs.head(1).with_columns(mode=pl.lit("air"))
    network = network.with_tables(legs=pl.concat([network.legs, air.select(network.legs.columns)]))
    first = make_cases(network, ("legs",))[0]
    assert first.legs == (0, network.legs.height - 1)


def test_areas_and_sets(tmp_path: Path) -> None:
    network = ring(4)
    file = tmp_path / "flood.geojson"
    content = {
        "type": "FeatureCollection",
        "features": [{"properties": {"name": "flood"}, "geometry": SQUARE}],
    }
    file.write_text(json.dumps(content))
    (flood,) = make_cases(network, (), areas=file)
    assert (flood.name, flood.sites) == ("area:flood", (0, 1))
    (bare,) = make_cases(network, (), areas=SQUARE)
    assert bare.sites == (0, 1)
    outages = (Outage("two", sites=("S0", "S2"), legs=(("S1", "HUB"),)), Outage("two", admin_codes=("42",)))
    one, two = make_cases(network, (), sets=outages)
    assert (one.name, one.sites, len(one.legs)) == ("set:two", (0, 2), 1)
    assert (two.name, two.sites) == ("set:two#2", (3, 4))
    sets = tmp_path / "sets.csv"
    sets.write_text("label,sites\nboth,S0;S1\n")
    assert make_cases(network, (), sets=sets)[0].sites == (0, 1)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"kinds": ("operators",), "operator_column": "operater"}, "missing-column"),
        ({"areas": {**SQUARE, "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}}, "empty-case"),
        ({"areas": {"type": "Point", "coordinates": [0, 0]}}, "bad-area"),
        ({"areas": Path("nowhere.geojson")}, "missing-file"),
        ({"sets": (Outage("slow", sites=("S0",), capacity_share=0.5),)}, "not-a-closure"),
        ({"sets": (Outage("nothing", sites=("elsewhere",)),)}, "empty-case"),
    ],
)
def test_cases_that_cannot_be_meant(options: dict[str, Any], code: str) -> None:
    kinds = options.pop("kinds", ())
    with pytest.raises(InputError) as caught:
        make_cases(ring(4), kinds, **options)
    assert code in {problem.code for problem in caught.value.problems}


def test_unknown_kinds_and_missing_data() -> None:
    with pytest.raises(UsageError, match="Did you mean provinces"):
        make_cases(ring(4), ("province",))
    with pytest.raises(UsageError, match="nothing to close"):
        make_cases(ring(4), ())
    bare = ring(4, operator=False).with_tables(
        sites=ring(4).sites.with_columns(admin_code=pl.lit(None, pl.String))
    )
    with pytest.raises(InputError, match="provinces are not known"):
        make_cases(bare, ("provinces",))


# -- where cases run ----------------------------------------------------------


def tasks(count: int) -> list[Task]:
    return [Task(site_case(row)) for row in range(count)]


def said(found: Any) -> dict[str, Row]:
    return {task.case.name: row for task, row in found}


def test_processes_answer_and_survive_a_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    work = Echo(fails=("site:1",), kills=("site:3",))
    rows = said(LocalProcesses(2).run(work, tasks(7)))
    assert len(rows) == 7
    assert "no answer to site:1" in rows.pop("site:1")["error"]
    assert "signal 9" in rows.pop("site:3")["error"]
    assert all(row["said"] == name for name, row in rows.items())


def test_a_process_whose_asker_has_died_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(pickle.dumps(Echo()))
    command = [sys.executable, "-m", "changtong.executors.worker", str(tmp_path / "work")]
    paths = [str(Path(__file__).parent), *sys.path]
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert worker.stdout is not None
    worker.stdout.close()
    _, complaints = worker.communicate(pickle.dumps(tasks(1)[0]), timeout=60)
    assert worker.returncode == 1
    assert complaints == b""


def test_tasks_are_taken_as_they_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    taken: list[int] = []

    def many() -> Any:
        for row in range(1000):
            taken.append(row)
            yield Task(site_case(row))

    found = LocalProcesses(1).run(Echo(), many())
    next(found)
    found.close()  # as Ctrl-C does: nobody works on
    assert len(taken) < 1000


def test_an_error_of_the_tasks_is_not_swallowed() -> None:
    def broken() -> Any:
        raise RuntimeError("no more tasks")
        yield

    with pytest.raises(RuntimeError, match="no more tasks"):
        list(LocalProcesses(1).run(Echo(), broken()))


class FakeFuture:
    """Does the work when asked for the result, as a cluster would elsewhere."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def exception(self) -> Exception | None:
        try:
            self.work()
        except Exception as error:
            return error
        return None

    def result(self) -> Any:
        return self.work()


def test_a_dask_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0

    class AsCompleted:
        def __init__(self) -> None:
            self.open: list[FakeFuture] = []

        def add(self, future: FakeFuture) -> None:
            nonlocal most
            self.open.append(future)
            most = max(most, len(self.open))

        def __iter__(self) -> Any:
            while self.open:
                yield self.open.pop()

    class Client:
        lost = "site:2"

        def nthreads(self) -> dict[str, int]:
            return {"a": 1, "b": 1}

        def scatter(self, work: Any, **_: Any) -> Any:
            return work

        def submit(self, call: Any, work: Any, task: Task, **_: Any) -> FakeFuture:
            def go() -> Any:
                if task.case.name == self.lost:
                    raise OSError("the worker is gone")
                return call(work, task)

            return FakeFuture(go)

    module = ModuleType("distributed")
    module.as_completed = AsCompleted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distributed", module)
    rows = said(DaskCluster(Client()).run(Echo(fails=("site:1",)), iter(tasks(9))))
    assert len(rows) == 9
    assert "the worker is gone" in rows["site:2"]["error"]
    assert "no answer" in rows["site:1"]["error"]
    assert most <= 4


def test_a_ray_cluster() -> None:
    class Remote:
        def __init__(self, call: Any) -> None:
            self.call = call

        def remote(self, work: Any, task: Task) -> FakeFuture:
            return FakeFuture(lambda: self.call(work, task))

    def get(future: FakeFuture) -> Any:
        row = future.result()
        if row.get("said") == "site:4":
            raise OSError("the node is gone")
        return row

    ray = SimpleNamespace(
        put=lambda work: work, remote=Remote, cluster_resources=lambda: {"CPU": 2.0},
        wait=lambda open_, num_returns: (open_[:num_returns], open_[num_returns:]), get=get,
    )  # fmt: skip
    rows = said(RayCluster(ray).run(Echo(), iter(tasks(6))))
    assert len(rows) == 6
    assert "the node is gone" in rows["site:4"]["error"]
    assert rows["site:5"]["said"] == "site:5"


def test_a_spark_cluster() -> None:
    class Rdd:
        def __init__(self, items: list[Any]) -> None:
            self.items = items

        def map(self, call: Any) -> Rdd:
            return Rdd([call(item) for item in self.items])

        def collect(self) -> list[Any]:
            if any(row.get("said") == "site:3" for row in self.items):
                raise OSError("the job was lost")
            return self.items

    context = SimpleNamespace(
        defaultParallelism=2, broadcast=lambda value: SimpleNamespace(value=value),
        parallelize=lambda items, _: Rdd(list(items)),
    )  # fmt: skip
    rows = said(SparkCluster(context).run(Echo(), iter(tasks(5))))
    assert len(rows) == 5
    assert "the job was lost" in rows["site:2"]["error"]
    assert "the job was lost" in rows["site:3"]["error"]
    assert rows["site:4"]["said"] == "site:4"


def test_executors_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert executor_named("local:3") == LocalProcesses(3)
    assert executor_named("local") == LocalProcesses(0)
    assert isinstance(executor_named("here"), InProcess)
    for wrong in ("locals", "local:x", "here:2", ""):
        with pytest.raises(UsageError, match="no executor"):
            executor_named(wrong)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="not installed"):
        executor_named("dask:tcp://127.0.0.1:1")

    def refuses(*_: Any, **__: Any) -> None:
        raise OSError("nobody there")

    silent = ModuleType("distributed")
    silent.Client = refuses  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "distributed", silent)
    with pytest.raises(UsageError, match="does not answer: nobody there"):
        executor_named("dask:tcp://127.0.0.1:1")


def test_processes_find_what_this_process_finds() -> None:
    here = stress_test(ring(4), executor=InProcess())
    there = stress_test(ring(4), executor=LocalProcesses(2))
    drop = ["seconds"]
    assert here.cases.drop(drop).equals(there.cases.drop(drop), null_equal=True)


# -- sites lost together ------------------------------------------------------


def enumerated(network: Network, k: int) -> list[float]:
    work = _ExactLeft(network, (), 10.0)
    left = [
        work(Task(Case("", "combination", "", sites)))["left"]
        for sites in itertools.combinations(range(network.sites.height), k)
    ]
    return sorted(left, reverse=True)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_worst_sets_are_those_of_enumeration(k: int) -> None:
    network = ring(5, capacity=60.0)
    found = worst_sets(network, k, keep=3, executor=InProcess())
    assert found.exact
    assert found.sets["unserved_pieces"].to_list() == pytest.approx(enumerated(network, k)[:3], abs=1e-3)
    assert found.at_most == pytest.approx(found.sets["unserved_pieces"][0])


def test_sets_are_left_out_only_where_they_cannot_be_worse() -> None:
    network = ring(5, capacity=60.0)
    pruned = worst_sets(network, 2, keep=1, executor=InProcess())
    assert pruned.exact
    cut_short = worst_sets(network, 2, keep=1, most_plans=1, executor=InProcess())
    assert cut_short.planned <= pruned.planned
    assert cut_short.at_most >= enumerated(network, 2)[0] - 1e-3


@pytest.mark.slow
@given(planned_networks())
@settings(max_examples=examples(15), deadline=None, derandomize=True)
def test_pairs_of_any_network(drawn: tuple[Network, Any]) -> None:
    network, _ = drawn
    if network.sites.height < 2 or not network.demand.height:
        return
    found = worst_sets(network, 2, keep=2, executor=InProcess())
    if found.failed:
        return
    open_sites = network.sites.height
    if found.combinations == open_sites * (open_sites - 1) // 2:
        assert found.sets["unserved_pieces"].to_list() == pytest.approx(enumerated(network, 2)[:2], abs=1e-2)


def test_too_many_sites_together_is_told() -> None:
    with pytest.raises(UsageError, match="expected 1 to 7"):
        worst_sets(ring(), 8, executor=InProcess())


# -- the page -----------------------------------------------------------------


def test_the_page_shows_the_worst_in_both_languages(tmp_path: Path) -> None:
    from changtong.report.stress_report import stress_page

    network = ring()
    cases = make_cases(network, ("sites", "legs"))
    result = stress_test(network, cases, executor=InProcess())
    page = stress_page(result, cases, language="en")
    assert "<b>hub</b>" not in page  # names are data, never markup
    assert "&lt;b&gt;hub&lt;/b&gt;" in page
    assert "压力测试" in page
    assert "Stress test" in page
    assert page.count('<circle class="mark') >= 7
    assert "style=" not in page  # the page's policy allows no inline styles
    for url in ("http://", "https://"):
        assert url not in page.replace("http://www.w3.org/2000/svg", "")


def placed_at(*places: tuple[float, float]) -> Network:
    """Return sites at these places, each sending to the next."""
    ids = [f"S{k}" for k in range(len(places))]
    legs = {"from_site": ids, "to_site": [*ids[1:], ids[0]]}
    return build_network(
        {
            "sites": pl.DataFrame(
                {"site_id": ids, "lon": [x for x, _ in places], "lat": [y for _, y in places]}
            ),
            "legs": pl.DataFrame(legs),
            "demand": pl.DataFrame(legs).with_columns(pieces_per_day=pl.lit(5.0)),
        },
        name="placed",
    )


@pytest.mark.parametrize(
    "places",
    [
        [(110.0, 30.0), (110.0, 34.0), (110.0, 38.0)],
        [(110.0, 30.0), (114.0, 30.0)],
        [(110.0, 30.0), (110.0, 30.0), (110.0, 30.0)],
        [(110.0, 30.0), (110.001, 30.001), (110.002, 30.0)],
    ],
    ids=["north to south", "west to east", "one place", "close by"],
)
def test_no_circle_is_cut_at_the_edge_of_the_map(places: list[tuple[float, float]]) -> None:
    from changtong.report.stress_report import stress_page

    network = placed_at(*places)
    cases = make_cases(network)
    page = stress_page(stress_test(network, cases, executor=InProcess()), cases)
    view = re.search(r'stress-map" viewBox="([-\d ]+)"', page)
    assert view is not None
    left, top, width, height = map(float, view[1].split())
    marks = re.findall(r'<circle class="mark [^>]*r="(\d+)" cx="(-?\d+)" cy="(-?\d+)"', page)
    assert len(marks) == len(places)
    for r, x, y in (tuple(map(float, mark)) for mark in marks):
        assert r >= 0.02 * max(width, height)  # and none too small to see
        assert left + 1.2 * r < x < left + width - 1.2 * r
        assert top + 1.2 * r < y < top + height - 1.2 * r
