"""Progress is told on standard error, with time left, and also where nobody watches a terminal."""

from __future__ import annotations

import json
import time

import pytest

from changtong import console
from changtong.console import FlowProgress, StageProgress, StepProgress


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
    first, begun, half, three, note, text = told(said.err)
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
