"""The privacy analyses behind the doorway give what the functions and the commands give."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from changtong.cli import main
from changtong.errors import NotFoundError, UsageError
from changtong.privacy.extracts import parse_hierarchy
from changtong.privacy_studies import RecordFiles
from changtong.studies import run_study


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = {"code": ["440305", "440304", "110101", "440306"] * 5, "note": ["电话13800138000"] + [""] * 19}
    pl.DataFrame(rows).write_csv(tmp_path / "in.csv")
    return tmp_path / "in.csv"


def test_finds_are_those_of_the_command_and_kept(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = run_study("find-personal-data", RecordFiles((table,)), folder=tmp_path / "found")
    assert main(["find-personal-data", str(table), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == study.result.to_json()
    assert study.result.found == 1
    kept = json.loads((tmp_path / "found" / "study.json").read_text("utf-8"))
    assert (kept["study"], kept["input_digest"], kept["files"]) == (
        "find-personal-data", study.input_digest, ["in.csv"],
    )  # fmt: skip
    assert "13800138000" not in (tmp_path / "found" / "finds.csv").read_text("utf-8")
    assert run_study("find-personal-data", RecordFiles((table,))).input_digest == study.input_digest
    table.write_text(table.read_text("utf-8") + "440305,\n", "utf-8")
    assert run_study("find-personal-data", RecordFiles((table,))).input_digest != study.input_digest


def test_an_extract_is_that_of_the_command_and_kept(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, how = RecordFiles((table,)), {"code": parse_hierarchy("admin")}
    study = run_study("extract", files, folder=tmp_path / "made", coarser=how, k=4)
    out = tmp_path / "out.csv"
    assert main(["extract", str(table), "-o", str(out), "--coarser", "code=admin", "--k", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == study.result.to_json() | {"file": str(out)}
    assert (tmp_path / "made" / "extract.csv").read_bytes() == out.read_bytes()
    assert json.loads((tmp_path / "made" / "extract.json").read_text("utf-8")) == study.result.to_json()


def test_what_cannot_be_asked_is_told(table: Path, tmp_path: Path) -> None:
    files = RecordFiles((table,))
    with pytest.raises(UsageError, match="one file"):
        run_study("extract", RecordFiles((table, table)), coarser={})
    with pytest.raises(UsageError, match="seed"):
        run_study("find-personal-data", files, seed=1)
    with pytest.raises(UsageError, match="files of records"):
        run_study("plan", files)
    with pytest.raises(NotFoundError):
        run_study("find-personal-data", RecordFiles((tmp_path / "none",)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("x", "utf-8")
    for name, code in (("find-personal-data", "not-finds"), ("extract", "not-an-extract")):
        more = {"coarser": {"code": parse_hierarchy("admin")}} if name == "extract" else {}
        with pytest.raises(UsageError) as caught:
            run_study(name, files, folder=tmp_path / "other", **more)
        assert caught.value.code == code
