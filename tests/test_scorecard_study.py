"""Filling a scorecard through the doorway: one answer from Python, the command and the study."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from registers_cases import cheap_hashes, place, postgres, small, small_database, small_file  # noqa: F401
from test_scorecard_fill import COUNTS, region_card, scans, stocked

from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.cli import main
from changtong.errors import UsageError
from changtong.events.log import log_digest
from changtong.scorecards.fill import fill_scorecard
from changtong.scorecards.known_counts import Inputs
from changtong.storage.store import Desk, Store
from changtong.studies import run_study

AT = datetime(2026, 1, 6, 1, tzinfo=UTC)


def test_python_command_and_study_give_the_same_card(
    small: tuple[Store, Desk], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = stocked(small)
    token = tmp_path / "all.token"
    token.write_text(desk._token + "\n", "utf-8")
    log = scans(tmp_path / "LOG")
    counts = tmp_path / "counts.csv"
    counts.write_text(COUNTS, "utf-8")
    write_scorecard(region_card(), tmp_path / "card")
    options = ("--log", log.path, "--counts", counts, "--registers", place, "--token", token)
    command = ("scorecard", "fill", tmp_path / "card", *options, "-o", tmp_path / "by-command", "--json")
    assert main([*map(str, command)]) == 0
    told = json.loads(capsys.readouterr().out)
    by_command = read_scorecard(tmp_path / "by-command")
    at = datetime.fromisoformat(by_command.computed["computed_at"][0])
    card = read_scorecard(tmp_path / "card", to_fill=True)
    inputs = Inputs(log=log, counts=(counts,), desk=desk)
    study = run_study("scorecard-fill", card, folder=tmp_path / "by-study", inputs=inputs, at=at)
    by_hand = fill_scorecard(card, inputs, at=at)
    assert by_command.digest() == by_hand.card.digest() == study.result.card.digest()
    assert read_scorecard(tmp_path / "by-study").digest() == by_hand.card.digest()
    assert study.result.summary() == by_hand.summary()
    assert told == by_hand.summary() | {"folder": str(tmp_path / "by-command")}
    kept = [json.loads((tmp_path / name / "study.json").read_text()) for name in ("by-command", "by-study")]
    assert [{**one, "made_at": ""} for one in kept] == [{**kept[0], "made_at": ""}] * 2
    assert kept[0]["study"] == "scorecard-fill"
    assert kept[0]["input_digest"] == study.input_digest
    assert kept[0]["inputs"]["scan-log:registered_share"] == {"input": "LOG", "digest": log_digest(log)}
    assert kept[0]["inputs"]["hazards:closed_in_time_share"]["input"] == "registers: hazard"


def test_the_digest_is_of_the_card_and_of_all_that_was_counted(tmp_path: Path) -> None:
    counts = tmp_path / "counts.csv"
    counts.write_text(COUNTS, "utf-8")
    card, inputs = region_card(), Inputs(counts=(counts,))
    first = run_study("scorecard-fill", card, inputs=inputs, at=AT).input_digest
    assert run_study("scorecard-fill", card, inputs=inputs).input_digest == first  # made at another time
    assert run_study("scorecard-fill", card, inputs=Inputs()).input_digest != first
    assert run_study("scorecard-fill", region_card(rules=[]), inputs=inputs).input_digest != first
    counts.write_text(COUNTS.replace("T3,D,sz,2025-05-01,overdue", "T3,D,sz,2025-05-01,late"), "utf-8")
    assert run_study("scorecard-fill", card, inputs=inputs).input_digest != first


def test_the_folder_is_replaced_whole_and_what_cannot_be_meant_is_told(tmp_path: Path) -> None:
    for made in (region_card(), region_card(rules=[])):
        run_study("scorecard-fill", made, folder=tmp_path / "out", inputs=Inputs(), at=AT)
    assert json.loads((tmp_path / "out" / "study.json").read_text())["inputs"] == {}
    assert read_scorecard(tmp_path / "out").rules.is_empty()
    write_scorecard(region_card(), tmp_path / "out")  # a card that no study made does not claim one
    assert not (tmp_path / "out" / "study.json").exists()
    with pytest.raises(UsageError, match="draws nothing"):
        run_study("scorecard-fill", region_card(), inputs=Inputs(), seed=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(UsageError) as caught:
        run_study("scorecard-fill", region_card(), folder=tmp_path / "other", inputs=Inputs())
    assert caught.value.code == "not-a-scorecard"
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["mine.txt"]
