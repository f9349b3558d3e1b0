"""Progress is told on standard error, with time left, and also where nobody watches a terminal."""

from __future__ import annotations

import json
import time

import pytest

from changtong import console
from changtong.cli import main
from changtong.console import FlowProgress, StageProgress, StepProgress, explain
from changtong.errors import InputError, NotFoundError, Problem


@pytest.fixture(autouse=True)
def every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LINE_EVERY_S", 0.0)


def test_rounds_and_the_time_left_of_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    progress = FlowProgress(20.0, 0.001)
    progress(7, 99.0, 100.0, 5.0)
    progress.close()
    said = capsys.readouterr()
    assert said.out == ""
    assert " ".join(said.err.split()) == "round 7 gap 1.000% of 0.100% 5.0 s, at most 15 s left"


def test_what_follows_the_flow_is_not_silent(capsys: pytest.CaptureFixture[str]) -> None:
    progress = FlowProgress(20.0, 0.001, silence_s=0.02)
    progress(1, 1.0, 1.0, 0.0)
    waited = time.monotonic()
    told = ""
    while "sort plan" not in told and time.monotonic() - waited < 30.0:
        time.sleep(0.01)
        told += capsys.readouterr().err
    progress.close()
    assert "flow found; sort plan, orders and pages" in told


def test_stages_tell_the_time_left_once_it_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    progress = StageProgress("Building")
    progress("demand", 0.0)
    progress("legs", 0.5)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Building …"
    assert lines[1] == "Building: demand, 0% done"
    assert lines[2].startswith("Building: legs, 50% done, about")
    assert "done in" in lines[-1]


def test_a_closed_line_that_never_showed_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    FlowProgress(1.0, 0.1).close()
    assert capsys.readouterr().err == ""


def told(text: str) -> list[dict[str, object]]:
    """Return what a program is told: every line of standard error is an object."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_program_is_told_facts_instead_of_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANGTONG_TELL", "json")
    monkeypatch.setattr(console, "TELL_EVERY_S", 0.0)
    flow = FlowProgress(20.0, 0.001)
    flow(7, 99.0, 100.0, 5.0)
    flow.close()
    stages = StageProgress("Building")
    stages("legs", 0.5)
    steps = StepProgress("  steps")
    steps(3, 4)
    console.say("note: by hand")
    console.print_result({"pieces": 3}, "Three pieces", as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"pieces": 3}
    planning, first, begun, half, stepping, three, note, text = told(said.err)
    assert (planning, stepping) == ({"progress": {"stage": "planning"}}, {"progress": {"stage": "steps"}})
    assert first == {
        "progress": {
            "stage": "planning",
            "round": 7,
            "gap_share": 0.01,
            "seconds": 5.0,
            "seconds_left": 15.0,
        }
    }
    assert begun == {"progress": {"stage": "Building", "share": 0.0}}
    assert half["progress"].keys() == {"stage", "share", "seconds_left"}  # type: ignore[attr-defined]
    assert (half["progress"]["stage"], half["progress"]["share"]) == ("Building: legs", 0.5)  # type: ignore[index]
    assert (three["progress"]["stage"], three["progress"]["share"]) == ("steps", 0.75)  # type: ignore[index]
    assert (note, text) == ({"note": "note: by hand"}, {"text": "Three pieces"})


def speak(monkeypatch: pytest.MonkeyPatch, **named: str) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, named.get(name, ""))


CHINESE = [{"LANG": "zh_CN.UTF-8"}, {"LC_ALL": "zh_TW"}, {"LC_MESSAGES": "zh_CN", "LANG": "en_US.UTF-8"}]
OTHERS = [{}, {"LANG": "C"}, {"LANG": "en_GB.UTF-8"}, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}]


@pytest.mark.parametrize("named", CHINESE + OTHERS)
def test_a_code_is_said_in_chinese_to_those_who_speak_it(
    named: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(monkeypatch, **named)
    explain(NotFoundError("No site B."), as_json=False)
    said = capsys.readouterr()
    more = ["找不到所指的内容，或者您无权查看。请核对名称。"] if named in CHINESE else []
    assert said.err.splitlines() == ["error [not-found]: No site B.", *more]
    assert said.out == ""


def test_each_kind_of_problem_is_said_in_chinese_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(monkeypatch, LANG="zh_CN.UTF-8")
    codes = ("unknown-site", "bad-leg", "unknown-site")
    explain(InputError([Problem(code, "It is wrong.") for code in codes]), as_json=False)
    assert capsys.readouterr().err.splitlines()[4:] == [
        "输入有误。请逐条更正所列问题。",
        "[unknown-site] 没有这个编号或名称的站点。请核对，或采用提示的近似名称。",
        "[bad-leg] 线路的写法不对。请写成 A>B。",
    ]


def test_wrong_use_is_said_in_chinese_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    speak(monkeypatch, LANG="zh_CN.UTF-8")
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "选项或组合不成立。请按说明更正，或看 --help。"


def test_json_is_the_same_in_every_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for language in ("C", "zh_CN.UTF-8"):
        speak(monkeypatch, LANG=language)
        assert main(["nonsense", "--json"]) == 2
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert said[0].err == ""
