"""Situation reports of cases: numbered, kept with their figures, written again as they were."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from api_cases import Client, app, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import cheap_hashes

from changtong.api.run_book import NewRun
from changtong.api.service import Service
from changtong.cli import main
from changtong.emergency import case_actions as do
from changtong.emergency.case_folder import add_entry, read_case
from changtong.emergency.situation_figures import Figures, figures_in
from changtong.errors import InputError, NotFoundError
from changtong.report.case_documents import document_docx, situation_report_again

__all__ = ["app", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]
HERE = Path(__file__).parent.parent
PLAN = {
    "name": "p", "outages": ["A shut"], "demand_pieces": 10.0, "unserved_pieces": 2.0, "late_pieces": 0.0,
    "cost_cny": None, "changed_legs": 1,
}  # fmt: skip
DAY = {"day": "2026-07-20", "totals": {"accepted_pieces": {"value": 5.0, "day_before": None}}}


def run_of(service: Service, place: tuple[str, str], study: str, **outcome: Any) -> str:
    run, _ = service.book.add(NewRun("u", *place, study, {}))
    service.book.begin(run.id, "w")
    service.book.end(run.id, "done", worker="w", outcome=outcome)
    return run.id


def words_of(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        return re.sub(r"<[^>]+>", " ", whole.read("word/document.xml").decode())


def test_a_report_stays_as_it_was_with_the_figures_of_runs(
    service: Service, app: FastAPI, duty: Client, tokens: dict[str, str]
) -> None:
    plan = run_of(service, ("/spb/spb-gd/", "440000"), "plan", summary=PLAN, files={})
    day = run_of(service, ("/spb/spb-gd/", "440000"), "indicators", summary=DAY, files={})
    theirs = run_of(service, ("/spb/spb-bj/", "110000"), "plan", summary=PLAN, files={})
    case = {"plan": "flood", "event": "进水", "id": "R", "sites": {"A": "confirmed"}}
    assert duty("POST", "/api/v1/cases", json=case).status_code == 201

    def report(**more: str) -> Any:
        return duty("POST", "/api/v1/cases/R/entries", json={"action": "situation_report", **more})

    assert report(plan_run=theirs).status_code == 404
    wrong = report(plan_run=day)
    assert [one["code"] for one in wrong.json()["problems"]] == ["bad-figures"]
    assert duty("GET", "/api/v1/cases/R").json()["situation_reports"] == 0  # no number was taken
    assert report(plan_run=plan, indicators_run=day).json()["situation_reports"] == 1
    first = duty("GET", "/api/v1/cases/R/situation-reports/1.docx")
    said = words_of(first.content)
    assert [word for word in ("揽收量", "2 件/天", "第 1 期") if word not in said] == []
    note = {"action": "note", "text": "以后的记录"}
    assert duty("POST", "/api/v1/cases/R/entries", json=note).status_code == 201
    assert report().status_code == 201
    again, second = (
        words_of(duty("GET", f"/api/v1/cases/R/situation-reports/{n}.docx").content) for n in (1, 2)
    )
    drop = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")  # when the file was made
    assert drop.sub("", again) == drop.sub("", words_of(first.content))
    assert "以后的记录" in second
    assert "揽收量" not in second
    told = duty("GET", "/api/v1/cases/R/situation-reports").json()["situation_reports"]
    assert [(one["number"], one["figures"]) for one in told] == [(1, ["day", "indicators", "plan"]), (2, [])]
    assert duty("GET", "/api/v1/cases/R/situation-reports/3.docx").status_code == 404
    for other in ("duty-bj", "looker-gd"):
        ask = Client(app, token=tokens[other])
        assert ask("GET", "/api/v1/cases/R/situation-reports/1.docx").status_code in (403, 404), other
        assert ask("GET", "/api/v1/cases/R/situation-reports").status_code in (403, 404), other


def test_the_command_keeps_figures_and_writes_a_report_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(HERE / "examples", tmp_path / "examples")
    event = tmp_path / "examples" / "emergency" / "event.toml"
    case, by = tmp_path / "K", ["--by", "li", "--at", "2026-07-20T23:58+08:00"]
    assert main(["emergency", "open", "flood", "--event", str(event), "-o", str(case), *by]) == 0
    figures = figures_in(PLAN, DAY, ("plan", "day"))
    made = add_entry(case, do.number_report(figures), by="li").case
    add_entry(case, do.note("later"), by="li")
    assert made.entries[-1].data["figures"]["plan"]["unserved_pieces"] == 2.0
    again = tmp_path / "again.docx"
    command = ["emergency", "situation-report", str(case), "-o", str(again), "--number", "1"]
    assert main(command) == 0
    assert len(read_case(case).documents) == 1  # nothing more is on record
    wanted = words_of(document_docx(situation_report_again(read_case(case), 1)))
    assert re.sub(r"\d\d:\d\d", "", words_of(again.read_bytes())) == re.sub(r"\d\d:\d\d", "", wanted)
    assert "later" not in wanted
    with pytest.raises(NotFoundError, match="has 1 situation reports and none of number 2"):
        situation_report_again(read_case(case), 2)
    capsys.readouterr()
    assert main([*command, "--plan", str(tmp_path)]) == 2
    assert "--number writes what is on record" in capsys.readouterr().err


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "5"])
def test_what_is_no_number_is_no_figure(value: object) -> None:
    with pytest.raises(InputError, match="no figures of a plan"):
        figures_in({**PLAN, "late_pieces": value}, None, ("plan", ""))
    assert figures_in(None, None, ("", "")) == Figures()
