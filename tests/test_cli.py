"""The command line as a tired person meets it: every slip explained, JSON pure, nothing overwritten."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest
import typer

from changtong import plan_command
from changtong.cli import WHOLE, _commands, app, main
from changtong.network.io import write_network
from changtong.network.reference import reference_network

TINY = str(Path(__file__).parent.parent / "examples" / "tiny")
CLOSE = ["plan", TINY, "--close", "H2", "--gap", "0.01"]


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["plan", "NOWHERE", "--close", "A"], "bad-input", "does not exist"),
        (["plan", f"{TINY}/legs.csv", "--close", "A"], "bad-input", "is a file"),
        (["plan", TINY], "bad-input", "Nothing is shut"),
        (["plan", TINY, "--close", "H22"], "not-found", "Did you mean H2"),
        (["plan", TINY, "--close", "H2", "--capacity-share", "2"], "bad-input", "0 to 1"),
        (["indicators", TINY, "--date", "6 May"], "bad-usage", "is no date"),
        (["indicators", TINY, "--date", "0001-01-01"], "bad-usage", "1900 to 2199"),
        (["indicators", TINY, "--date", "9999-12-31"], "bad-usage", "1900 to 2199"),
        (["plan", TINY, "--close", "H2", "--gap", "nan"], "bad-usage", "--gap"),
        (["plan", TINY, "--close", "H2", "--gap", "much"], "bad-usage", "--gap"),
        (["plan", TINY, "--close", "H2", "--objectives", "unservd"], "bad-usage", "Did you mean unserved?"),
        (["plan", TINY, "--close", "H2", "--objectives", "cost,cost"], "bad-usage", "each once"),
        (["plan", TINY, "--close", "H2", "--objectives", ","], "bad-usage", "each once"),
        (["plan", TINY, "--close", "H2", "--at", "2026-07-20T03:00"], "time-without-zone", "+08:00"),
        (["plan", TINY, "--outages", "NOWHERE.toml"], "bad-input", "does not exist"),
        (["plan", TINY, "--outages", "O.toml", "--capacity-share", "0.5"], "bad-usage", "goes with --close"),
        (["plan", TINY, "--close", "H2", "--nosuch"], "bad-usage", "--nosuch"),
        (["plan"], "bad-usage", "NET/"),
        (["nonsense"], "bad-usage", "nonsense"),
        (["reference", "--level", "town"], "bad-usage", "county, city"),
        (["reference", "--level", "city", "--year", "1999"], "bad-usage", "2022"),
        (["learn", "NOWHERE.csv"], None, "NOWHERE.csv"),
        (["learn", "NOWHERE.csv", "--capacity", "1.5"], "bad-usage", "quantile"),
        (["learn", "NOWHERE.csv", "--capacity", "much"], "bad-usage", "quantile"),
    ],
)
def test_a_slip_is_explained_in_words_and_as_one_json_object(
    arguments: list[str], error: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    given = [*arguments, *([] if arguments in (["plan"], ["nonsense"]) else ["-o", out])]
    code, printed, told = ran(capsys, *given)
    assert code == 2
    assert printed == ""
    assert said in told
    code, printed, _ = ran(capsys, *given, "--json")
    found = json.loads(printed)
    assert code == 2
    assert found.keys() == {"error", "message", "problems"}
    assert error in (None, found["error"])
    assert said in found["message"]
    assert not Path(out).exists()


def test_check_tells_problems_by_code_and_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed, _ = ran(capsys, "check", TINY, "--json")
    assert (code, json.loads(printed)["ok"]) == (0, True)
    broken = tmp_path / "broken"
    shutil.copytree(TINY, broken)
    legs = (broken / "legs.csv").read_text("utf-8")
    (broken / "legs.csv").write_text(legs.replace("A,H1,road,30", "A,H1,road,thirty"), "utf-8")
    code, printed, _ = ran(capsys, "check", str(broken), "--json")
    problem = json.loads(printed)["problems"][0]
    assert code == 1
    assert (problem["code"], problem["file"], problem["row"], problem["column"]) == (
        "wrong-type", "legs.csv", 1, "distance_km",
    )  # fmt: skip


def test_a_plan_is_one_json_object_and_progress_is_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed, _ = ran(capsys, *CLOSE, "-o", str(tmp_path / "p"), "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["unserved_pieces"] == pytest.approx(230.0, abs=1e-3)
    assert (found["at"], found["left_out"], found["notes"]) == (None, [], [])


def test_what_is_in_the_way_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me", "utf-8")
    (tmp_path / "file").write_text("keep me", "utf-8")
    for target, error in (("mine", "not-a-plan-folder"), ("file", "not-a-plan-folder")):
        code, printed, _ = ran(capsys, *CLOSE, "-o", str(tmp_path / target), "--json")
        assert (code, json.loads(printed)["error"]) == (2, error)
    code, printed, _ = ran(capsys, *CLOSE, "-o", str(tmp_path / "file" / "below"), "--json")
    assert (code, json.loads(printed)["error"]) == (2, "cannot-write")
    assert (tmp_path / "mine" / "notes.txt").read_text("utf-8") == "keep me"
    assert (tmp_path / "file").read_text("utf-8") == "keep me"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "mine"]


def test_a_plan_folder_is_replaced_and_keeps_what_others_put_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p"
    assert ran(capsys, *CLOSE, "-o", str(out))[0] == 0
    (out / "note.txt").write_text("by a person", "utf-8")
    (out / "order-sheets").mkdir()
    (out / "order-sheets" / "00001-old.html").write_text("of an older plan", "utf-8")
    assert ran(capsys, "plan", TINY, "--close", "A", "--gap", "0.01", "-o", str(out))[0] == 0
    assert (out / "note.txt").read_text("utf-8") == "by a person"
    assert not (out / "order-sheets").exists()
    facts = json.loads((out / "plan.json").read_text("utf-8"))
    assert facts["outages"] == ["A 甲县 停运 closed"]


OUTAGES = """
[[outage]]
label = "night"
sites = ["H2"]
start = 2026-07-20T03:00:00+08:00
end = 2026-07-20T08:00:00+08:00

[[outage]]
label = "day"
sites = ["A"]
start = 2026-07-20T08:00:00+08:00
"""


def test_times_count_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "o.toml").write_text(OUTAGES, "utf-8")
    base = ["plan", TINY, "--outages", str(tmp_path / "o.toml"), "--gap", "0.01", "-o", str(tmp_path / "p")]
    code, printed, told = ran(capsys, *base, "--json")
    every = json.loads(printed)
    assert code == 0
    assert every["outages"] == ["night", "day"]
    assert '"night" ends before "day" begins' in told
    code, printed, _ = ran(capsys, *base, "--json", "--at", "2026-07-19T20:00Z")
    night = json.loads(printed)
    assert (night["outages"], night["left_out"]) == (["night"], ["day"])
    assert night["unserved_pieces"] == pytest.approx(230.0, abs=1e-3)
    rows = pl.read_csv(tmp_path / "p" / "orders.csv", infer_schema=False)
    assert set(rows["valid_from"]) == {"2026-07-19T20:00+00:00"}
    assert set(rows["valid_until"]) == {"2026-07-20T08:00+08:00"}
    kept = json.loads((tmp_path / "p" / "study.json").read_text("utf-8"))["outages"]
    assert [(one["label"], one["end"]) for one in kept] == [("night", "2026-07-20 08:00:00+08:00")]
    code, printed, _ = ran(capsys, *base, "--json", "--at", "2026-07-20T02:59+08:00")
    assert code == 2
    assert "The next begins at 2026-07-20T03:00:00+08:00" in json.loads(printed)["message"]


def test_nothing_served_at_all_is_no_good_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = [part for site in ("A", "B", "C", "D", "H1", "H2") for part in ("--close", site)]
    code, printed, told = ran(capsys, "plan", TINY, *every, "-o", str(tmp_path / "p"), "--json")
    assert code == 1
    assert json.loads(printed)["unserved_pieces"] == pytest.approx(300.0)
    assert "nothing at all can be served" in told


def test_a_name_of_several_sites_asks_for_the_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "net"
    shutil.copytree(TINY, broken)
    sites = (broken / "sites.csv").read_text("utf-8").replace("乙县", "甲县")
    (broken / "sites.csv").write_text(sites, "utf-8")
    code, _, told = ran(capsys, "plan", str(broken), "--close", "甲县", "-o", str(tmp_path / "p"))
    assert code == 2
    assert "A, B: give the id" in told


def test_a_fault_of_ours_is_owned_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(plan_command, "run_plan", fails)
    code, printed, _ = ran(capsys, *CLOSE, "-o", str(tmp_path / "p"), "--json")
    assert code == 3
    assert json.loads(printed)["error"] == "internal"


def test_a_stop_before_there_is_a_plan_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan_command, "run_plan", stopped)
    code, printed, _ = ran(capsys, *CLOSE, "-o", str(tmp_path / "p"), "--json")
    assert (code, json.loads(printed)["error"]) == (130, "stopped")


def test_building_the_network_tells_its_stages() -> None:
    told: list[tuple[str, float]] = []
    reference_network(level="city", progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert {"demand", "legs", "tables"} <= {stage for stage, _ in told}


@pytest.mark.skipif(os.geteuid() == 0, reason="needs another user than root, who may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    code, printed, _ = ran(capsys, *CLOSE, "-o", str(tmp_path / "p"), "--json")
    assert (code, json.loads(printed)["error"]) == (2, "cannot-write")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_network_written_by_command_is_found_good(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_network(reference_network(level="city"), tmp_path / "net", format=format)
    code, printed, _ = ran(capsys, "check", str(tmp_path / "net"), "--json")
    assert code == 0
    assert [entry for entry in json.loads(printed)["counts"] if entry["severity"] == "error"] == []


def test_a_command_is_made_alone_as_it_is_among_all() -> None:
    """What is made for one name, and for a list of names, is what the whole command line says of it."""
    whole = typer.main.get_group(app)
    listed = _commands("--help").commands
    assert list(listed) == list(whole.commands)
    for name, command in whole.commands.items():
        alone = _commands(name).commands
        assert list(alone) == (list(whole.commands) if name in WHOLE else [name])
        facts = [
            (
                one.help,
                one.get_short_help_str(),
                [p.opts for p in one.params],
                list(getattr(one, "commands", {})),
            )
            for one in (alone[name], command)
        ]
        assert facts[0] == facts[1]
        assert listed[name].get_short_help_str() == command.get_short_help_str()
