"""A county's answers as a folder: what is written is read back the same, and what is wrong is told."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from changtong.errors import InputError, NotFoundError, UsageError
from changtong.rural.county import COUNTY_TABLES
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.plan_schemas import PLAN_TABLES
from changtong.rural.result_folder import choose_plan, read_result
from changtong.rural.result_write import TOTALS, save_result
from tests.county_results import small_result


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_result(small_result(), tmp_path_factory.mktemp("county") / "plan")


def assert_same_plan(one: CountyPlan, other: CountyPlan) -> None:
    assert one.name == other.name
    for table in PLAN_TABLES:
        assert_frame_equal(getattr(one, table), getattr(other, table), check_exact=True)
    assert [getattr(one, key) for key in TOTALS] == [getattr(other, key) for key in TOTALS]


def assert_same_result(one: CountyResult, other: CountyResult) -> None:
    assert one.county.name == other.county.name
    for table in COUNTY_TABLES:
        assert_frame_equal(getattr(one.county, table), getattr(other.county, table), check_exact=True)
    assert list(one.alone) == list(other.alone)
    for firm, plan in one.alone.items():
        assert_same_plan(plan, other.alone[firm])
    assert_same_plan(one.shared, other.shared)
    assert (one.with_buses is None) == (other.with_buses is None)
    if one.with_buses is not None and other.with_buses is not None:
        assert_same_plan(one.with_buses, other.with_buses)
    assert_frame_equal(one.split, other.split, check_exact=True)
    assert (one.seed, one.seconds, dict(one.settings)) == (other.seed, other.seconds, dict(other.settings))


def test_what_is_written_is_read_back_the_same(saved: Path) -> None:
    assert_same_result(read_result(saved), small_result())


def test_the_folder_has_the_files_agreed(saved: Path) -> None:
    assert sorted(entry.name for entry in saved.iterdir()) == [
        "alone-乙快递", "alone-甲快递", "county", "county.json", "shared", "split.csv", "with_buses",
    ]  # fmt: skip
    for plan in ("shared", "with_buses", "alone-甲快递"):
        names = {entry.name for entry in (saved / plan).iterdir()}
        assert names == {f"{table}.csv" for table in PLAN_TABLES} | {"summary.json"}


def test_names_of_firms_that_no_file_may_have_come_back(tmp_path: Path) -> None:
    made = small_result(buses=False)
    plans = list(made.alone.values())
    odd = dataclasses.replace(made, alone={"../a/b": plans[0], "SF": plans[1], "sf": plans[1], "…": plans[0]})
    folder = save_result(odd, tmp_path / "plan")
    assert {entry.name for entry in tmp_path.iterdir()} == {"plan"}
    back = read_result(folder)
    assert list(back.alone) == ["../a/b", "SF", "sf", "…"]
    assert_same_plan(back.alone["../a/b"], plans[0])
    assert back.with_buses is None


def test_a_new_result_takes_the_place_of_the_older_and_keeps_what_is_of_others(tmp_path: Path) -> None:
    made = small_result()
    folder = save_result(made, tmp_path / "plan")
    (folder / "notes.txt").write_text("mine")
    fewer = dataclasses.replace(made, alone={"甲快递": made.alone["甲快递"]}, with_buses=None)
    save_result(fewer, folder)
    names = {entry.name for entry in folder.iterdir()}
    assert "notes.txt" in names
    assert not names & {"alone-乙快递", "with_buses"}
    assert_same_result(read_result(folder), fewer)


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "county.json").write_text('{"mine": 1}')
    with pytest.raises(UsageError) as caught:
        save_result(small_result(), tmp_path)
    assert caught.value.code == "not-a-county-result"
    assert [entry.name for entry in tmp_path.iterdir()] == ["county.json"]


def test_a_writer_that_fails_leaves_the_older_result(tmp_path: Path) -> None:
    folder = save_result(small_result(), tmp_path / "plan")

    def fail(into: Path) -> None:
        (into / "report.html").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        save_result(small_result(buses=False), folder, extra=fail)
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan"]
    assert read_result(folder).with_buses is not None


def test_every_problem_is_told_at_once(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "plan")
    routes = pl.read_csv(folder / "shared" / "routes.csv", infer_schema=False)
    routes[0, "tier"], routes[1, "from_site"], routes[2, "weekdays"] = "air", "T9", "531"
    routes[3, "departs"], routes[4, "route_id"] = "9:54", routes[3, "route_id"]
    routes.write_csv(folder / "shared" / "routes.csv")
    stops = pl.read_csv(folder / "with_buses" / "stops.csv", infer_schema=False)
    stops[0, "distance_km"], stops[1, "stop"] = "far", ""
    stops.write_csv(folder / "with_buses" / "stops.csv")
    (folder / "alone-甲快递" / "summary.json").write_text('{"name": "x", "cost_cny": "dear"}')
    (folder / "alone-乙快递" / "villages.csv").unlink()
    with pytest.raises(InputError) as caught:
        read_result(folder)
    told = {(p.code, p.file, p.row, p.column) for p in caught.value.problems}
    assert told >= {
        ("unknown-value", "shared/routes.csv", 1, "tier"),
        ("unknown-site", "shared/routes.csv", 2, "from_site"),
        ("bad-time", "shared/routes.csv", 3, "weekdays"),
        ("bad-time", "shared/routes.csv", 4, "departs"),
        ("duplicate-route", "shared/routes.csv", 5, "route_id"),
        ("unknown-route", "shared/stops.csv", 8, "route_id"),
        ("wrong-type", "with_buses/stops.csv", 1, "distance_km"),
        ("wrong-type", "alone-甲快递/summary.json", None, "cost_cny"),
        ("missing-value", "alone-甲快递/summary.json", None, "pieces"),
        ("missing-file", "alone-乙快递/villages.csv", None, None),
    }


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ("[]", "unreadable-file"),
        ("{", "unreadable-file"),
        ("[" * 100_000, "unreadable-file"),
        ('{"changtong": {"kind": "plan"}}', "wrong-type"),
        ('{"alone": [{"firm": "a", "folder": "alone-/../x"}]}', "path-outside"),
    ],
)
def test_a_bad_main_file_is_told(saved: Path, tmp_path: Path, facts: str, code: str) -> None:
    folder = shutil.copytree(saved, tmp_path / "plan")
    (folder / "county.json").write_text(facts)
    with pytest.raises(InputError) as caught:
        read_result(folder)
    assert code in {problem.code for problem in caught.value.problems}


def test_a_missing_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    for folder, code in ((tmp_path / "none", "missing-folder"), (tmp_path, "missing-file")):
        with pytest.raises(InputError) as caught:
            read_result(folder)
        assert [problem.code for problem in caught.value.problems] == [code]


def test_a_county_without_a_hub_is_told(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "plan")
    sites = pl.read_csv(folder / "county" / "sites.csv", infer_schema=False)
    sites.filter(pl.col("kind") != "county").write_csv(folder / "county" / "sites.csv")
    with pytest.raises(InputError) as caught:
        read_result(folder)
    assert "no-hub" in {problem.code for problem in caught.value.problems}


def test_an_unknown_carbon_figure_stays_unknown(tmp_path: Path) -> None:
    made = small_result(buses=False)
    shared = dataclasses.replace(made.shared, kgco2e=None)
    folder = save_result(dataclasses.replace(made, shared=shared), tmp_path / "plan")
    assert read_result(folder).shared.kgco2e is None
    assert json.loads((folder / "shared" / "summary.json").read_text("utf-8"))["kgco2e"] is None


def test_an_answer_is_chosen_by_its_name() -> None:
    made = small_result()
    assert choose_plan(made) is made.with_buses
    assert choose_plan(made, "shared") is made.shared
    assert choose_plan(made, "甲快递") is made.alone["甲快递"]
    assert choose_plan(small_result(buses=False)).name == "shared"
    with pytest.raises(NotFoundError, match="with_buses"):
        choose_plan(made, "bus")
