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
from changtong.errors import InputError, UsageError
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


def test_nothing_heavy_is_loaded_for_help() -> None:
    code = (
        "import sys, typer, changtong.county_commands as c; a = typer.Typer(); c.register(a);"
        "typer.main.get_command(a).main(['coverage', '--help'], standalone_mode=False);"
        "print('HEAVY', [m for m in ('polars', 'numpy', 'scipy', 'numba') if m in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "HEAVY []" in made.stdout, made.stderr
