"""Commands about a county: one JSON object each, words otherwise, exit codes, nothing heavy for --help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from coverage_cases import four_villages, hand_plan

from changtong.county_commands import register
from changtong.errors import InputError, NotFoundError, UsageError
from changtong.rural.county_folder import read_county, write_county
from changtong.rural.county_plan import CountyResult
from changtong.rural.plan_schemas import SPLIT_SCHEMA

EXAMPLE = Path(__file__).parent.parent / "examples" / "county"
app = typer.Typer()
register(app)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = typer.main.get_command(app).main([str(a) for a in arguments], standalone_mode=False)
    return int(code or 0), capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code, text = run(capsys, *arguments, "--json")
    assert text.count("\n") == 1
    return code, json.loads(text)


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, facts = as_json(capsys, "check", EXAMPLE)
    assert (code, facts["ok"]) == (0, True)
    code, text = run(capsys, "check", tmp_path / "nowhere")
    assert code == 1
    assert "missing-folder" in text


def test_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "made"
    code, facts = as_json(capsys, "make", "--county", "610524", "--villages", 9, "--stations", 2, "-o", made)
    assert (code, facts["villages"], facts["stations"]) == (0, 9, 2)
    assert read_county(made).sites.height == 12
    assert "villages" in run(capsys, "make", "-o", tmp_path / "small")[1]
    with pytest.raises(UsageError, match="one of the two"):
        run(capsys, "make", "--india", "SATARA", "--county", "610524", "-o", made)
    with pytest.raises(UsageError, match="belong to --county"):
        run(capsys, "make", "--villages", 3, "-o", made)
    with pytest.raises(UsageError, match="no county folder"):
        run(capsys, "make", "-o", Path(__file__).parent)


def save_plan(folder: Path) -> Path:
    county = four_villages()
    plan = hand_plan(county, [("AB", "135")], unserved=[("C", None, 42.0, "no-capacity")])
    split = pl.DataFrame(schema=SPLIT_SCHEMA)
    return CountyResult(county, {}, plan, None, split, seed=0, seconds=0.0).save(folder)


def test_coverage_with_and_without_routes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    county = write_county(four_villages(), tmp_path / "county")
    code, facts = as_json(capsys, "coverage", county)
    assert (code, facts["plan"], "next_steps" in facts) == (0, None, False)
    save_plan(tmp_path / "routes")
    code, facts = as_json(capsys, "coverage", county, "--plan", tmp_path / "routes")
    assert (code, facts["plan"], facts["served_villages"]) == (0, "shared", 2)
    assert facts["next_steps"]["points"][0]["villages"] == 2
    text = run(capsys, "coverage", county, "--plan", tmp_path / "routes")[1]
    assert "next steps:" in text
    kept = tmp_path / "coverage"
    facts = as_json(capsys, "coverage", county, "--plan", tmp_path / "routes", "-o", kept)[1]
    assert facts["folder"] == str(kept)
    villages = pl.read_csv(kept / "villages.csv")
    assert villages.select("site_id", "lon", "lat", "served").rows()[:2] == [
        ("A", 108.0, 34.05, True), ("B", 108.01, 34.06, True),
    ]  # fmt: skip
    assert pl.read_csv(kept / "curve.csv")["villages"].to_list() == [
        point["villages"] for point in facts["next_steps"]["points"]
    ]
    assert pl.read_csv(kept / "next_steps.csv").height == len(facts["next_steps"]["steps"])
    assert json.loads((kept / "coverage.json").read_text())["served_villages"] == 2
    assert (kept / "study.json").is_file()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="no folder of coverage"):
        run(capsys, "coverage", county, "-o", tmp_path / "other")
    own = tmp_path / "own.toml"
    own.write_text('name = "any"\nlabel = "of this test"\n[served]\nmin_visits_per_week = 1\n')
    assert as_json(capsys, "coverage", county, "--definition", own)[1]["village_share"] == 1.0


def test_cold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.csv"
    at = ["2024-07-01 08:00", "2024-07-01 09:00"]
    frame = pl.DataFrame({"item_id": "box", "at": at, "celsius": [4.0, 6.0], "product": "strawberry"})
    frame.write_csv(file)
    code, facts = as_json(capsys, "cold", file, "--zone", "Asia/Shanghai")
    assert (code, facts["out"], facts["excursions"]) == (1, 1, 1)
    frame.with_columns(celsius=pl.lit(3.0)).write_csv(file)
    code, text = run(capsys, "cold", file, "--zone", "Asia/Shanghai")
    assert code == 0
    assert "1 in order" in text
    with pytest.raises(InputError, match="time-without-zone"):
        run(capsys, "cold", file)


def test_produce(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.csv"
    file.write_text("project,product,admin_code,level,year,pieces\np,apples,610500,city,2023,12000000\n")
    code, facts = as_json(capsys, "produce", file)
    assert (code, facts["reached"]) == (0, 1)
    own = tmp_path / "t.csv"
    own.write_text("level,pieces_per_year,kind\ncity,20000000,assumed\n")
    assert as_json(capsys, "produce", file, "--thresholds", own)[1]["below"] == 1


def register_file(folder: Path) -> Path:
    file = folder / "p.csv"
    file.write_text("project,product,admin_code,level,year,pieces\npears,pears,610524,county,2023,5600\n")
    return file


def test_harvest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, output = register_file(tmp_path), tmp_path / "harvest"
    asked = ("harvest", EXAMPLE, file, "--project", "pears", "-o", output)
    code, facts = as_json(capsys, *asked)
    assert (code, facts["villages"], facts["new_firm"]) == (0, 12, None)
    assert facts["pieces_per_day"] == pytest.approx(100.0)  # half of 5,600 in 28 days
    assert facts["assumed"] == {"peak_share": 0.5, "cold_share": 0.5, "cold_h": 24.0}
    before, after = (
        read_county(folder).pieces["outbound_pieces_per_day"].sum() for folder in (EXAMPLE, output)
    )
    assert after - before == pytest.approx(100.0)
    text = run(capsys, *asked, "--peak-share", 0.25, "--cold-share", 0)[1]
    assert "50 pieces a day more from 12 villages, 0 of them cold" in text
    assert "assumed: 25% of the year in 4 weeks" in text
    code, facts = as_json(capsys, *asked, "--village", "V01", "--village", "V02", "--firm", "blue",
                          "--peak-weeks", 2, "--cold-hours", 12)  # fmt: skip
    assert (facts["villages"], facts["new_firm"], facts["pieces_per_day"]) == (2, "blue", 200.0)
    assert facts["warnings"] == []  # anybody's vehicles carry it
    blue = read_county(output).pieces.filter(pl.col("firm") == "blue")
    assert sorted(blue["site_id"]) == ["V01", "V02"]
    assert blue["cold_h"].to_list() == [12.0, 12.0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--project", "pear"), 'Did you mean "pears"'),
        (("--project", "pears", "--village", "V1", "--village", "V77"), "no village 'V1', 'V77'"),
        (("--project", "pears", "--peak-share", "2"), "peak share"),
        (("--project", "pears", "--cold-share", "nan"), "cold share"),
        (("--project", "pears", "--cold-hours", "0"), "cold hours"),
        (("--project", "pears", "--peak-weeks", "53"), "peak weeks"),
        (("--project", "pears", "--firm", " "), "firm"),
    ],
)
def test_harvests_that_cannot_be_meant(tmp_path: Path, more: tuple[str, ...], said: str) -> None:
    with pytest.raises((UsageError, NotFoundError), match=said):
        run_quietly("harvest", EXAMPLE, register_file(tmp_path), "-o", tmp_path / "out", *more)
    assert not (tmp_path / "out").exists()


def run_quietly(*arguments: object) -> None:
    typer.main.get_command(app).main([str(a) for a in arguments], standalone_mode=False)


def test_a_harvest_is_not_written_over_its_county(tmp_path: Path) -> None:
    county = write_county(four_villages(), tmp_path / "county")
    file = register_file(tmp_path)
    with pytest.raises(UsageError, match="is the county itself"):
        run_quietly("harvest", county, file, "--project", "pears", "-o", tmp_path / "x" / ".." / "county")
    with pytest.raises(UsageError) as caught:
        run_quietly("harvest", county, file, "--project", "pears", "-o", Path(__file__).parent)
    assert caught.value.code == "not-a-county-folder"


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, output = tmp_path / "p.json", tmp_path / "county"
    there = [112.0, 34.0]
    vehicle = {"id": 1, "start": there, "end": there, "capacity": [40, 10]}
    job = {"id": 1, "description": "a", "location": [112.1, 34.1], "delivery": [7, 2]}
    file.write_text(json.dumps({"vehicles": [vehicle], "jobs": [job]}))
    with pytest.raises(InputError) as caught:
        run(capsys, "import", file, "-o", output)
    assert {problem.code for problem in caught.value.problems} == {"vroom-ambiguous"}
    assert not output.exists()
    code, facts = as_json(capsys, "import", file, "-o", output, "--second-amount", "cold")
    assert (code, facts["villages"], facts["inbound_pieces_per_day"]) == (0, 1, 9.0)
    assert read_county(output).pieces["inbound_cold_share"].to_list() == pytest.approx([2 / 9])
    assert "villages" in run(capsys, "import", file, "-o", output, "--second-amount", "cold")[1]
    with pytest.raises(InputError, match="missing-file"):
        run(capsys, "import", tmp_path / "none.json", "-o", output)


def test_nothing_heavy_is_loaded_for_help() -> None:
    code = (
        "import sys, typer, changtong.county_commands as c; a = typer.Typer(); c.register(a);"
        "typer.main.get_command(a).main(['coverage', '--help'], standalone_mode=False);"
        "print('HEAVY', [m for m in ('polars', 'numpy', 'scipy', 'numba') if m in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "HEAVY []" in made.stdout, made.stderr
