"""The forecast command: a file, one JSON object, every slip explained, nothing overwritten."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from forecast_cases import network

from changtong.cli import main
from changtong.forecast.result import COLUMNS
from changtong.forecast.volumes_ahead import forecast_volumes

HEAD = "date,from_site,to_site,pieces\n"
BEGIN = date(2023, 2, 27)
STEADY = network(BEGIN, 30, lambda day, leg: 100.0 + leg)


def ran(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(part) for part in arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out, said.err


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_file_becomes_a_file_and_one_json_object(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes = tmp_path / f"volumes.{ending}"
    if ending == "parquet":
        STEADY.write_parquet(volumes)
    else:
        STEADY.write_csv(volumes, compression="gzip" if ending == "csv.gz" else "uncompressed")
    out = tmp_path / "new" / "forecast.csv"
    arguments = ("forecast", volumes, "--until", "2023-03-25", "--days", 3, "-o", out)
    code, printed, _ = ran(capsys, *arguments, "--json")
    facts = json.loads(printed)
    assert code == 0
    assert (facts["until"], facts["days"], facts["history_days"]) == ("2023-03-25", 3, 26)
    assert (facts["legs"], facts["sites"], facts["file"]) == (5, 4, str(out))
    rows = pl.read_csv(out)
    assert tuple(rows.columns) == COLUMNS
    # W and V only send, A sends and gets, B only gets; and the sum of all
    assert rows.height == (5 + 5 + 1) * 3
    code, printed, _ = ran(capsys, *arguments)  # an older forecast is replaced
    assert code == 0
    assert "legs 5: active 5" in printed
    assert len(printed.splitlines()) <= 24


@pytest.mark.parametrize(
    ("content", "options", "error", "code"),
    [
        (None, [], "bad-input", "unreadable-file"),
        ("", [], "bad-input", "empty-file"),
        (HEAD, [], "bad-input", "empty-table"),
        (f"{HEAD}2023-01-01,A,A,5\n", [], "bad-input", "empty-table"),
        ("day,from_site,to_site,pieces\n2023-01-01,A,B,5\n", [], "bad-input", "missing-column"),
        (f"{HEAD}2023-01-01,A,B,-5\n", [], "bad-input", "negative"),
        (f"{HEAD}soon,A,B,5\n", [], "bad-input", "wrong-type"),
        (f"{HEAD}2023-01-01,A,B,5\n2023-01-01,A,B,5\n", [], "bad-input", "duplicate-volume"),
        (f"{HEAD}2023-01-01,A,B,5\n", ["--until", "2022-01-01"], "bad-input", "until-outside"),
        (f"{HEAD}2023-01-01,A,B,5\n", ["--until", "soon"], "bad-input", "wrong-type"),
        (f"{HEAD}2023-01-01,A,B,5\n", ["--days", "0"], "bad-usage", None),
    ],
)
def test_a_slip_is_explained(
    content: str | None,
    options: list[str],
    error: str,
    code: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    volumes, out = tmp_path / "volumes.csv", tmp_path / "forecast.csv"
    if content is not None:
        volumes.write_text(content, "utf-8")
    status, printed, _ = ran(capsys, "forecast", volumes, "-o", out, *options, "--json")
    found = json.loads(printed)
    assert (status, found["error"]) == (2, error)
    assert [problem["code"] for problem in found["problems"]] == ([code] if code else [])
    assert not out.exists()


def test_what_is_no_forecast_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volumes = tmp_path / "volumes.csv"
    STEADY.write_csv(volumes)
    (tmp_path / "folder.csv").mkdir()
    for name, error in (
        ("volumes.csv", "not-a-forecast"),
        ("folder.csv", "not-a-forecast"),
        ("x.txt", "bad-usage"),
    ):
        code, printed, _ = ran(capsys, "forecast", volumes, "-o", tmp_path / name, "--json")
        assert (code, json.loads(printed)["error"]) == (2, error)
    assert pl.read_csv(volumes).height == STEADY.height


def test_a_forecast_is_saved_as_a_folder_and_replaces_only_its_like(tmp_path: Path) -> None:
    made = forecast_volumes(STEADY, days=2)
    folder = made.save(tmp_path / "f")
    assert json.loads((folder / "forecast.json").read_text("utf-8")) == json.loads(made.to_json())
    assert pl.read_csv(folder / "forecast.csv").height == made.frame.height
    made.save(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep", "utf-8")
    with pytest.raises(ValueError, match="no forecast folder"):
        made.save(tmp_path / "mine")
