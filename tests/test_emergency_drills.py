"""Drills and documents: a script played, evaluated, never mixed with real cases; pages and DOCX."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from emergency_cases import at, opened, write

from changtong.cli import main
from changtong.emergency import case_actions as do
from changtong.emergency.case_folder import read_case
from changtong.emergency.case_outages import case_outages
from changtong.emergency.case_review import review
from changtong.emergency.case_status import status
from changtong.emergency.drill import read_drill, release, start_drill
from changtong.emergency.drill_evaluation import DrillEvaluation, evaluate
from changtong.emergency.drill_script import read_script
from changtong.emergency.played_file import read_played
from changtong.emergency.situation_figures import Figures
from changtong.errors import InputError, UsageError
from changtong.network.io import read_network
from changtong.report.case_documents import (
    case_page,
    document_docx,
    drill_document,
    render_document,
    review_document,
    situation_report,
)

HERE = Path(__file__).parent.parent
EXAMPLES = HERE / "examples" / "emergency"
BEGIN = at("08:00")

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not here: needs a checkout")


@pytest.fixture
def drill(tmp_path: Path) -> Path:
    script = read_script(EXAMPLES / "drill.toml")
    played = read_played(EXAMPLES / "actions.csv", BEGIN)
    start_drill(script, tmp_path / "D", begins=BEGIN, by="director", played=played, file="actions.csv")
    return tmp_path / "D"


def evaluated(drill: Path, minutes: float) -> DrillEvaluation:
    release(drill, BEGIN + timedelta(minutes=minutes))
    return evaluate(*read_drill(drill), BEGIN + timedelta(minutes=minutes))


def test_a_drill_is_played_and_evaluated_by_hand(drill: Path) -> None:
    made = evaluated(drill, 150)
    assert {one.expected.id: (one.state, one.took_s) for one in made.outcomes} == {
        "level-3": ("done", 8 * 60), "move": ("done", 25 * 60), "oral": ("done", 11 * 60),
        "level-1": ("late", 25 * 60), "reroute": ("done", 50 * 60), "public": ("missed", None),
    }  # fmt: skip
    early = evaluated(drill, 50)
    assert [one.state for one in early.outcomes] == ["done", "done", "done", "pending", "pending", "pending"]
    clocks = {one.clock.id: one.state for one in made.status.clocks}
    assert (clocks["oral-15"], clocks["written-2h"]) == ("met", "met")
    network = read_network(HERE / "examples" / "tiny")
    (outage,) = case_outages(made.status.case, network)
    assert (outage.sites, outage.share_left, outage.start) == (("H2",), 0.0, BEGIN + timedelta(minutes=30))
    assert outage.label.startswith("演练 DRILL")


def test_injects_happen_once_when_their_time_has_come(tmp_path: Path) -> None:
    script = read_script(EXAMPLES / "drill.toml")
    start_drill(script, tmp_path / "D", begins=BEGIN, by="director")
    for minutes, count in ((29, 0), (30, 1), (31, 1), (90, 2), (90, 2)):
        release(tmp_path / "D", BEGIN + timedelta(minutes=minutes))
        actions = [one.action for one in read_case(tmp_path / "D").entries]
        assert actions.count("inject") == count
    with pytest.raises(UsageError, match="clock of its own"):
        release(tmp_path / "D", None)


def test_drills_are_never_mixed_with_real_cases(
    tmp_path: Path, drill: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(tmp_path / "K", at("09:00"))
    with pytest.raises(UsageError, match="real case and no drill"):
        read_drill(tmp_path / "K")
    with pytest.raises(InputError, match="this is no drill"):
        write(tmp_path / "K", lambda _: ("inject", {"inject": "x", "measures": {}, "sites": {}}), at("09:01"))
    listed = {}
    for option in ("--all", "--drills"):
        assert main(["emergency", "list", str(tmp_path), option, "--json"]) == 0
        listed[option] = [one["is_drill"] for one in json.loads(capsys.readouterr().out)["cases"]]
    assert listed == {"--all": [False], "--drills": [True]}
    mark = drill / "case.json"
    mark.write_text(mark.read_text("utf-8").replace("true", "false"), "utf-8")
    with pytest.raises(InputError, match="case-altered"):
        read_case(drill)
    mark.write_text(mark.read_text("utf-8").replace("false", "true"), "utf-8")
    script = drill / "script.json"
    script.write_text(script.read_text("utf-8").replace("20", "90"), "utf-8")
    with pytest.raises(InputError, match="script is not the one"):
        read_drill(drill)


def test_a_warning_of_an_exercise_opens_no_real_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "warnings.json"
    file.write_text(
        json.dumps({"status": "Exercise", "warnings": [{"warning": "W", "level": "red"}]}), "utf-8"
    )
    command = [
        "emergency",
        "open",
        "flood",
        "--event",
        str(file),
        "-o",
        str(tmp_path / "K"),
        "--by",
        "li",
        "--json",
    ]
    assert main(command) == 2
    assert "exercise" in json.loads(capsys.readouterr().out)["message"]
    assert not (tmp_path / "K").exists()


def test_every_wrong_row_of_what_was_done_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    script = read_script(EXAMPLES / "drill.toml")
    file = tmp_path / "行动.csv"
    text = (
        "after_min,at,action,subject,value,text,by\n"
        "5,,jump,,,,甲\n"
        ",,note,,,x,甲\n"
        "-3,,note,,,x,甲\n"
        ",2026-07-20T07:00+08:00,note,,,x,甲\n"
    )
    file.write_bytes(text.encode("gbk"))
    with pytest.raises(InputError) as caught:
        read_played(file, BEGIN)
    assert [one.row for one in caught.value.problems] == [1, 2, 3, 4]
    file.write_text(
        "after_min,action,subject,value,text,by\n5,level,IX,,,甲\n6,task,convene,done,,甲\n7,note,,,ok,甲\n",
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        start_drill(
            script, tmp_path / "D", begins=BEGIN, by="d", played=read_played(file, BEGIN), file=file.name
        )
    assert [(one.row, one.file) for one in caught.value.problems] == [(1, file.name), (2, file.name)]
    assert not (tmp_path / "D").exists()


def test_every_problem_of_a_script_is_told(tmp_path: Path) -> None:
    text = (EXAMPLES / "drill.toml").read_text("utf-8")
    for old, new in (
        ('subject = "III"', 'subject = "VII"'), ('action = "report"', 'action = "ring"'),
        ('since = "rumour"', 'since = "never"'), ("sites_closed = 1,", "sites_shut = 1,"),
        ("after_min = 60", "after_min = -1"), ('{ H2 = "potential" }', '{ H2 = "restored" }'),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "s.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_script(tmp_path / "s.toml")
    said = str(caught.value)
    parts = ("'VII'", "'ring'", "'never'", "'sites_shut'", "-1", "cannot become restored")
    assert [part for part in parts if part not in said] == []


# --- documents ----------------------------------------------------------------------------------


def docx_text(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        return parts.read("word/document.xml").decode() + parts.read("word/footer1.xml").decode()


def test_a_drill_is_marked_in_every_document(drill: Path) -> None:
    made = evaluated(drill, 150)
    documents = [
        case_page(made.status), situation_report(made.status, 1, Figures()), drill_document(made, None),
    ]  # fmt: skip
    for one in documents:
        page = render_document(one)
        assert "演练 演练 演练" in page
        assert "DRILL DRILL DRILL" in page
        assert "演练 演练 演练" in docx_text(document_docx(one))
        assert "DRILL DRILL DRILL" in docx_text(document_docx(one, language="en"))


def test_documents_say_what_the_case_holds_and_run_nothing_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "K"
    opened(folder, at("20:00"))
    bad = "<script>alert(1)</script>"
    write(folder, do.set_level("III", bad), at("20:05"))
    write(folder, do.note("x" * 900 + "END"), at("20:06"))
    made = write(folder, do.number_report(), at("20:10"))
    write(folder, do.change_site("S<1>", "confirmed"), at("20:20"))
    made = write(folder, do.number_report(), at("20:30"))
    now = status(made, at("20:30"))
    page = render_document(case_page(now))
    assert bad not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "END" in page  # long texts are not cut
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    second = docx_text(document_docx(situation_report(now, 2, Figures())))
    new = second.partition("上期以来")[2].partition("指标")[0]
    assert "S&lt;1&gt;" in new
    assert "END" not in new  # that was in the first
    plan = {
        "name": "p", "outages": ["S"], "demand_pieces": 10.0, "unserved_pieces": 2.0, "late_pieces": 0.0,
        "cost_cny": None, "changed_legs": 1,
    }  # fmt: skip
    indicators = ({"indicator": "accepted_pieces", "value": 5.0, "day_before": None},)
    figures = Figures(plan, indicators, "2026-07-20")
    said = render_document(situation_report(now, 2, figures))
    assert "揽收量" in said
    assert "2 件/天" in said
    write(folder, do.end("over", ["over"], "all clear"), at("23:00"))
    looked = review(write(folder, do.close(["more pumps"]), at("23:10")))
    assert "more pumps" in docx_text(document_docx(review_document(looked), language="en"))


def test_commands_give_what_python_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(HERE / "examples", tmp_path / "examples")
    folder = str(tmp_path / "K")
    event = str(tmp_path / "examples" / "emergency" / "event.toml")

    def run(*words: str) -> tuple[int, dict[str, object]]:
        code = main(["emergency", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    by = ("--by", "li", "--at", "2026-07-20T23:58+08:00")
    assert run("open", "flood", "--event", event, "-o", folder, *by)[0] == 0
    assert run("level", folder, "II", *by)[1]["level"] == "II"
    code, said = run("status", folder, "--at", "2026-07-21T00:30+08:00")
    assert code == 1  # overdue
    assert said == status(read_case(folder), at("2026-07-21T00:30+08:00")).to_json()
    code, said = run("situation-report", folder, "-o", str(tmp_path / "r.docx"), *by)
    assert (code, said["number"]) == (0, 1)
    assert oct((tmp_path / "r.docx").stat().st_mode & 0o777) == "0o600"
    assert run("verify", folder) == (0, run("verify", folder)[1])
    lines = (Path(folder) / "log.jsonl").read_text("utf-8").splitlines()
    (Path(folder) / "log.jsonl").write_text("\n".join(lines[:-1]) + "\n", "utf-8")
    code, said = run("verify", folder)
    assert (code, said["findings"]) == (1, [{"n": 3, "what": "cut-off"}])
    assert run("status", folder)[0] == 2
