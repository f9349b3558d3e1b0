"""Commands for a county's outputs: what they write, what they say, what they refuse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest
import typer

from changtong.county_output_command import register
from changtong.errors import ChangtongError, InputError, NotFoundError, UsageError
from changtong.rural.result_write import save_result
from tests.county_results import Book, small_result
from tests.vroom_cases import answer

APP = typer.Typer(pretty_exceptions_enable=False)
register(APP)


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_result(small_result(), tmp_path_factory.mktemp("county") / "routes"))


def run(*arguments: object) -> None:
    typer.main.get_command(APP)([str(part) for part in arguments], standalone_mode=False)


def test_sheets_are_written_in_the_language_asked_for(
    routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("sheets", routes, "-o", tmp_path, "--language", "en", "--json")
    facts = json.loads(capsys.readouterr().out)
    assert facts == {
        "answer": "shared_with_buses", "sheets": 7, "file": str(tmp_path / "route-sheets.html"),
    }  # fmt: skip
    assert '<html lang="en"' in Path(facts["file"]).read_text("utf-8")
    run("sheets", routes, "-o", tmp_path, "--answer", "甲快递")
    assert "甲快递" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "name", "first"),
    [
        ("gpx", "all.gpx", "<?xml"),
        ("geojson", "routes.geojson", '{"type": "FeatureCollection"'),
        ("vroom", "problem.json", '{"vehicles"'),
    ],
)
def test_a_format_is_a_file(
    routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str, first: str
) -> None:
    run("export", routes, "--format", kind, "-o", tmp_path / name, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"] == [str(tmp_path / name)]
    assert (tmp_path / name).read_text("utf-8").startswith(first)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_csv_and_one_gpx_file_a_trip_are_folders(routes: str, tmp_path: Path) -> None:
    run("export", routes, "--format", "csv", "-o", tmp_path / "tables")
    assert (tmp_path / "tables" / "station_timetable.csv").exists()
    run("export", routes, "--format", "gpx", "-o", tmp_path / "gpx", "--answer", "shared")
    assert len(list((tmp_path / "gpx").iterdir())) == 6


def test_what_vroom_is_not_told_is_said(
    routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "p.json"
    run("export", routes, "--format", "vroom", "-o", output, "--weekday", "2", "--no-matrices")
    assert "engine-roads" in capsys.readouterr().out
    assert "matrices" not in json.loads(output.read_text("utf-8"))
    run("export", routes, "--format", "vroom", "-o", output, "--form", "shipments", "--json")
    assert "shipments" in json.loads(output.read_text("utf-8"))


def test_the_report_is_written(routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("report", routes, "-o", tmp_path / "r.html", "--language", "en", "--json")
    assert json.loads(capsys.readouterr().out) == {"report": str(tmp_path / "r.html")}
    assert 'data-language="en"' in (tmp_path / "r.html").read_text("utf-8")


def test_what_harvest_needs(routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("needs", routes, routes, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert facts["plan_harvest"] == "shared_with_buses"
    assert {row["more"] for row in facts["figures"].values()} == {0.0}
    assert facts["settings_differ"] == []
    other = save_result(dataclasses.replace(small_result(buses=False), seed=8), tmp_path / "other")
    with pytest.raises(UsageError, match="--answer"):  # with buses here, without them there
        run("needs", routes, other)
    run("needs", routes, other, "--answer", "shared")
    said = capsys.readouterr().out
    assert "most vehicles out on one weekday" in said
    assert "planned with another seed" in said
    result = small_result()
    sites = result.county.sites.filter(pl.col("site_id") != "V6")
    less = dataclasses.replace(result, county=result.county.with_tables(sites=sites), alone={},
                               shared=Book(result.county, "shared").plan(), with_buses=None)  # fmt: skip
    pieces = less.county.pieces.filter(pl.col("site_id") != "V6")
    fewer = save_result(
        dataclasses.replace(less, county=less.county.with_tables(pieces=pieces)), tmp_path / "fewer"
    )
    with pytest.raises(UsageError) as caught:
        run("needs", routes, fewer, "--answer", "shared")
    assert caught.value.code == "villages-differ"


def test_an_answer_of_vroom_is_shown_and_written(
    routes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem, solution, tables = tmp_path / "p.json", tmp_path / "s.json", tmp_path / "tables"
    run("export", routes, "--format", "vroom", "-o", problem, "--answer", "shared")
    capsys.readouterr()
    solution.write_text(json.dumps(answer(json.loads(problem.read_text("utf-8")))))
    asked = ("import-routes", solution, problem, Path(routes) / "county", "--weekdays", "1")
    run(*asked, "-o", tables, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert (facts["trips"], facts["weekdays"], facts["unserved"]) == (3, "1", [])
    assert [Path(file).name for file in facts["files"]] == ["routes.csv", "stops.csv", "unserved.csv"]
    stops = pl.read_csv(tables / "stops.csv")
    assert set(stops["site_name"]) >= {"天桥沟村", "陶村"}
    run(*asked)
    assert "3 trips of 3 vehicles" in capsys.readouterr().out
    with pytest.raises(UsageError) as caught:
        run(*asked[:-1], "71")
    assert caught.value.code == "bad-weekdays"
    with pytest.raises(UsageError, match="expected a folder"):
        run(*asked, "-o", tmp_path / "x.csv")
    with pytest.raises(InputError, match="missing-file"):
        run("import-routes", tmp_path / "none.json", *asked[2:])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("report", "ROUTES", "-o", "x.pdf"), UsageError),
        (("export", "ROUTES", "--format", "csv", "-o", "x.csv"), UsageError),
        (("export", "ROUTES", "--format", "vroom", "-o", "x"), UsageError),
        (("sheets", "ROUTES", "-o", "x", "--answer", "nobody"), NotFoundError),
        (("report", "none", "-o", "x.html"), InputError),
    ],
)
def test_what_cannot_be_meant_is_refused(
    routes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    error: type[ChangtongError],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        run(*(routes if part == "ROUTES" else part for part in arguments))
    assert list(tmp_path.iterdir()) == []
