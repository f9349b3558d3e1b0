"""The commands of scorecards: from a folder through the registers to a result, and every slip explained."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import pytest
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from scorecard_cases import CARD, people, small_card
from test_scorecard_fill import COUNTS, region_card, scans

from changtong.assessment.card_writer import write_scorecard
from changtong.cli import main
from changtong.rights.scope import Scope
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Desk, Store


@pytest.fixture
def tokens(small: tuple[Store, Desk], tmp_path: Path) -> dict[str, str]:
    """Files with the tokens of everybody."""
    made = {}
    for name, desk in people(*small).items():
        path = tmp_path / f"{name}.token"
        path.write_text(desk._token + "\n", "utf-8")
        made[name] = str(path)
    write_scorecard(small_card(), tmp_path / "card")
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    """Run a command with --json; return its code and what it printed: one object, and nothing else."""
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_from_a_folder_through_the_registers_to_the_result(
    tokens: dict[str, str], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(command: str, who: str, *more: object) -> tuple[int, dict[str, object]]:
        at = ("--registers", place, "--card", CARD, "--token", tokens[who])
        return run(capsys, "scorecard", command, *at, *more)

    keep = ("scorecard", "keep", tmp_path / "card", "--registers", place, "--token", tokens["postal"])
    assert run(capsys, *keep) == (0, {"card": CARD, "subjects": 2})
    assert run(capsys, *keep)[1]["problems"][0]["code"] == "duplicate-record"  # type: ignore[index]
    (tmp_path / "values.csv").write_text("indicator_id,value,evidence\nreal-name,0.96,P-1\n", "utf-8")
    values = ("--values", tmp_path / "values.csv")
    assert say("report", "a", "--subject", "a", *values, "--note", "自查")[1]["stage"] == "self_report"
    assert say("review", "postal", "--subject", "a")[1]["stage"] == "review"
    code, told = say("appeal", "a", "--subject", "a", "--fact", "F1", "--version", "1")
    assert (code, told["error"]) == (2, "conflict")  # type: ignore[index]
    assert say("appeal", "a", "--subject", "a", "--fact", "F1")[0] == 0
    assert say("decide", "second", "--subject", "a", "--withdraw", "F1")[1]["stage"] == "final"
    assert say("receive", "a", "--subject", "a")[1]["problems"][0]["code"] == "bad-state"  # type: ignore[index]
    code, told = say("notice", "second", "--subject", "a", "--note", "结果", "-o", tmp_path / "a.docx")
    assert (code, told["notice"]["stage"], told["notice"]["note"]) == (0, "final", "结果")  # type: ignore[index]
    assert (tmp_path / "a.docx").read_bytes()[:2] == b"PK"
    assert say("notice", "a", "--subject", "a")[0] == 2  # not for one's own
    code, told = say("receive", "a", "--subject", "a", "--words", "收到")
    assert (code, told["notice"]["answer"]) == (0, "收到")  # type: ignore[index]
    (tmp_path / "marks.csv").write_text(
        "subject_id,indicator_id,points\na,joint,7.654321\nb,joint,4\n", "utf-8"
    )
    for who in ("postal", "police"):
        assert say("mark", who, tmp_path / "marks.csv", "--department", who) == (0, {"marked": 2})
        shown = say("hand-in", who, "--department", who)[1]
        assert shown["marks_are_shown"] is (who == "police")
        before = say("status", "police")[1]
        assert before["waiting_for"] == ([] if who == "police" else ["police"])
    own = say("mark", "postal", "--department", "postal")[1]["marks"]
    assert own[0]["points"] == 7.654321  # type: ignore[index]
    chosen = say("rectify", "postal", "--subject", "b", "--cause", "fact:F2")[1]["added"]
    assert [one["gap"] for one in chosen] == [f"{CARD}/b/fact:F2"]  # type: ignore[attr-defined, index]
    assert len(say("rectify", "postal", "--subject", "b", "--most", "2")[1]["added"]) == 2  # type: ignore[arg-type]
    assert say("export", "postal", "-o", tmp_path / "folder")[1]["subjects"] == 2
    at = ("--registers", place, "--card", CARD, "--token", tokens["postal"])
    code, result = run(capsys, "assess", *at, "-o", tmp_path / "one")
    assert code == 0
    assert result["complete"] is True
    assert run(capsys, "assess", tmp_path / "folder", "-o", tmp_path / "other")[0] == 0
    same = {path.name for path in (tmp_path / "one").iterdir()} - {"study.json"}
    assert len(same) > 10
    equal = filecmp.cmpfiles(tmp_path / "one", tmp_path / "other", same, shallow=False)[0]
    assert set(equal) == same
    # 10 + 12 + 7.654321, its finding withdrawn; 10 + 0 + 4 - 3
    ranking = {row["subject_id"]: row["score"] for row in result["groups"][0]["ranking"]}  # type: ignore[index]
    assert ranking == {"a": 29.654321, "b": 11.0}


def test_a_named_department_marks_by_the_command_line(
    tokens: dict[str, str],
    small: tuple[Store, Desk],
    place: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A city's bureau on a province's card: what it may do, and how everything else is refused."""
    store, admin = small
    admin.add_organisation(NewOrganisation("深圳市市场监督管理局", "city", "440300", id="scjg-sz"))
    desk = person(store, admin, "wu", "scjg-sz", ("assessor", Scope(region="440300")))
    (tmp_path / "wu.token").write_text(desk._token + "\n", "utf-8")
    tokens["wu"] = str(tmp_path / "wu.token")
    rows = [
        {"department_id": key, "name_zh": key, "weight": 50.0, "organisation": organisation}
        for key, organisation in (("postal", "spb-gd"), ("market", "scjg-sz"))
    ]
    write_scorecard(small_card(departments=rows), tmp_path / "named")
    at = ("--registers", place, "--card", CARD)

    def by(who: str, command: str, *more: object) -> tuple[int, dict[str, object]]:
        group = () if command == "assess" else ("scorecard",)
        return run(capsys, *group, command, *more, *at, "--token", tokens[who])

    keep = ("scorecard", "keep", tmp_path / "named", "--registers", place, "--token", tokens["postal"])
    assert run(capsys, *keep)[0] == 0
    (tmp_path / "marks.csv").write_text("subject_id,indicator_id,points\na,joint,9\nb,joint,4\n", "utf-8")
    assert by("wu", "status")[1]["waiting_for"] == ["market", "postal"]
    assert by("wu", "mark", tmp_path / "marks.csv", "--department", "market") == (0, {"marked": 2})
    (tmp_path / "again.csv").write_text("subject_id,indicator_id,points,version\nb,joint,5,1\n", "utf-8")
    assert by("wu", "mark", tmp_path / "again.csv", "--department", "market")[0] == 0
    assert by("postal", "mark", tmp_path / "marks.csv", "--department", "postal")[0] == 0
    assert by("wu", "hand-in", "--department", "market")[1]["marks_are_shown"] is False
    told = by("wu", "disagreements")[1]
    assert (told["marks"], told["waiting_for"]) == ([], ["postal"])
    for command, *more in (
        ("assess", "-o", tmp_path / "x"),
        ("export", "-o", tmp_path / "x"),
        ("rectify",),
    ):
        assert by("wu", command, *more)[1]["error"] == "marks-only", command
    assert not (tmp_path / "x").exists()
    for command in ("review", "decide", "appeal", "report"):
        assert by("wu", command, "--subject", "a")[1]["error"] == "not-allowed", command
    listed = run(capsys, "registers", "list", place, "mark", "--token", tokens["wu"])[1]["records"]
    assert len(listed) == 2  # type: ignore[arg-type]
    assert by("police", "mark", "--department", "market")[1]["error"] == "not-own-department"
    assert by("postal", "hand-in", "--department", "postal")[1]["marks_are_shown"] is True
    told = by("wu", "disagreements")[1]
    assert len(told["marks"]) == 4  # type: ignore[arg-type]
    assert told["disagreements"] == []
    ranking = by("postal", "assess", "-o", tmp_path / "one")[1]["groups"][0]["ranking"]  # type: ignore[index]
    assert {row["subject_id"]: row["score"] for row in ranking} == {"a": 16.0, "b": 11.5}
    assert by("postal", "export", "-o", tmp_path / "folder")[0] == 0
    assert run(capsys, "assess", tmp_path / "folder", "-o", tmp_path / "other")[0] == 0
    same = {path.name for path in (tmp_path / "one").iterdir()} - {"study.json"}
    assert set(filecmp.cmpfiles(tmp_path / "one", tmp_path / "other", same, shallow=False)[0]) == same


def test_slips_are_explained(
    tokens: dict[str, str], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--registers", place, "--card", CARD, "--token", tokens["postal"])
    (tmp_path / "bad.csv").write_text("subject_id,joint\na,1\n", "utf-8")
    slips = [
        (("assess", "-o", tmp_path / "x"), "bad-usage"),
        (("assess", tmp_path / "card", *at, "-o", tmp_path / "x"), "bad-usage"),
        (("assess", *at, "-o", tmp_path / "x"), "not-found"),
        (("scorecard", "mark", tmp_path / "none.csv", *at, "--department", "postal"), "missing-file"),
        (("scorecard", "mark", tmp_path / "bad.csv", *at, "--department", "postal"), "missing-column"),
        (("scorecard", "report", *at, "--subject", "nobody"), "not-found"),
        (("scorecard", "export", *at, "-o", tmp_path), "not-a-scorecard"),
        (("scorecard", "fill", tmp_path / "card", "-o", tmp_path / "x"), "nothing-to-fill"),
        (("scorecard", "fill", tmp_path / "card", "-o", tmp_path / "x", "--county", "sz"), "bad-usage"),
        (("scorecard", "fill", tmp_path / "card", "-o", tmp_path / "x", "--registers", place), "bad-usage"),
    ]
    for arguments, code in slips:
        made, told = run(capsys, *arguments)
        assert made == 2, arguments
        codes = {problem["code"] for problem in told.get("problems", ())} | {told["error"]}  # type: ignore[attr-defined]
        assert code in codes, (arguments, told)
    assert not (tmp_path / "x").exists()


def test_values_are_filled_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = scans(tmp_path / "LOG")
    sites = [("S1", "440305"), ("S2", "440304"), ("S3", "440100")]
    import polars as pl

    from changtong.events.site_register import COLUMNS, give_sites

    rows = [dict.fromkeys(COLUMNS) | {"site_id": name, "region": code} for name, code in sites]
    give_sites(log, pl.DataFrame(rows, dict.fromkeys(COLUMNS, pl.String)))
    (tmp_path / "counts.csv").write_text(COUNTS, "utf-8")
    plain = [
        {"subject_id": key, "name": key, "level": "city", "admin_code": code}
        for key, code in (("sz", "440300"), ("gz", "440100"))
    ]
    write_scorecard(region_card(subjects=plain), tmp_path / "card")
    inputs = ("--log", tmp_path / "LOG", "--counts", tmp_path / "counts.csv")
    code, told = run(capsys, "scorecard", "fill", tmp_path / "card", *inputs, "-o", tmp_path / "filled")
    assert (code, told["computed"], told["findings"]) == (0, 3, 0)
    why = {(row["subject_id"], row["indicator_id"]): row["why_not"] for row in told["missing"]}  # type: ignore[attr-defined]
    assert why == {("gz", "tasks"): "no_data", ("sz", "hazards"): "no_input", ("gz", "hazards"): "no_input"}
    code, result = run(capsys, "assess", tmp_path / "filled", "-o", tmp_path / "result")
    ranking = {row["subject_id"]: row["score"] for row in result["groups"][0]["ranking"]}  # type: ignore[index]
    assert ranking == {"sz": 12.999997, "gz": 0.0}
    assert (tmp_path / "result" / "computed.csv").is_file()
    assert (tmp_path / "result" / "computed_from.csv").is_file()
    code, told = run(capsys, "scorecard", "sources")
    assert len(told["sources"]) > 20  # type: ignore[arg-type]
