"""Cases and scorecards over the API as pages ask for them: what one may do, versions, changes, a ZIP."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from api_cases import Client
from assessment_cases import deduct, head
from fastapi import FastAPI
from register_api_cases import app_of, client, officer, refused
from registers_cases import (
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from scorecard_cases import CARD, people, small_card
from test_api_register_stories import files_of

from changtong.assessment.assess import assess
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.card_writer import write_scorecard
from changtong.cli import main
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store
from changtong.workbooks import write_workbook

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]

Small = tuple[Store, Desk]
LATER = "spb-gd.test.2.2025"


@pytest.fixture
def app(small: Small, tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


def opened(ask: Client, **more: Any) -> str:
    answer = ask("POST", "/api/v1/cases", json={"plan": "flood", "event": "进水", "id": "K", **more})
    assert answer.status_code == 201, answer.text
    return "/api/v1/cases/K"


def test_a_case_tells_what_one_may_do_and_refuses_what_was_decided_upon_an_older_log(
    small: Small, app: FastAPI
) -> None:
    li, wu = (client(app, officer(*small, name)) for name in ("li", "wu"))
    path = opened(li, measures={"warning_colour": "orange"})
    told = li("GET", path, params={"at": "now"})
    assert (told.headers["etag"], told.json()["level_to_confirm"]) == ('"1"', True)
    assert {"level", "note", "end"} <= set(told.json()["may"])
    assert told.json()["at"] >= told.json()["opened_at"]
    level = {"action": "level", "level": told.json()["proposal"]["level"]}
    stale = {"If-Match": '"1"'}
    assert wu("POST", f"{path}/entries", json={"action": "note", "text": "看过"}).status_code == 201
    late = li("POST", f"{path}/entries", json=level, headers=stale)
    assert refused(late) == (412, "precondition-failed")
    assert "2 entries" in late.json()["detail"]
    key = {"If-Match": '"2"', "Idempotency-Key": "k"}
    first, again = (li("POST", f"{path}/entries", json=level, headers=key) for _ in range(2))
    assert (first.json()["is_new"], again.json()["is_new"]) == (True, False)
    (row,) = li("GET", "/api/v1/cases").json()["cases"]
    assert row["open_tasks"] == len([one for one in first.json()["tasks"] if one["state"] == "assigned"])
    other = client(app, person(*small, "bei", "spb-bj", ("duty_officer", Scope(region="110000"))))
    for more in ("", "/plan", "/review", "/review.docx"):
        assert refused(other("GET", path + more)) == (404, "not-found")


def test_the_plan_of_a_case_and_its_review(small: Small, app: FastAPI) -> None:
    li = client(app, officer(*small, "li"))
    path = opened(li)
    plan = li("GET", f"{path}/plan").json()
    assert plan == li("GET", "/api/v1/cases/plans/flood").json()
    assert {one["id"] for one in plan["end"]} >= {"water"}
    assert all("name" not in one and "phone" not in one for one in plan["contacts"])
    assert refused(li("GET", "/api/v1/cases/plans/..%2Fx"))[0] in (404, 422)
    assert refused(li("GET", f"{path}/review")) == (400, "case-not-ended")
    end = {"action": "end", "reason": "水退", "although": "都已复工"}
    assert li("POST", f"{path}/entries", json=end).status_code == 201
    close = {"action": "close", "lessons": ["早做准备"]}
    assert li("POST", f"{path}/entries", json=close).status_code == 201
    review = li("GET", f"{path}/review").json()
    assert (review["lessons"], review["tasks"]) == (["早做准备"], 0)
    document = li("GET", f"{path}/review.docx?language=en")
    assert document.content[:2] == b"PK"
    assert "review.docx" in document.headers["content-disposition"]
    assert li("GET", path).json()["may"] == []


def test_a_warning_opens_a_case_as_its_file_would(small: Small, app: FastAPI) -> None:
    li = client(app, officer(*small, "li"))
    warning = {"warning": "W1", "headline": "暴雨红色预警", "level": "red", "sites": ["A"]}
    told = {"status": "Actual", "warnings": [warning, warning | {"warning": "W2"}]}
    asked = {"plan": "flood", "told": told, "id": "K"}
    missing = li("POST", "/api/v1/cases", json=asked)
    assert [one["code"] for one in missing.json()["problems"]] == ["bad-emergency-event"]
    made = li("POST", "/api/v1/cases", json=asked | {"pick": "W1", "event": "红色预警，停运"}).json()
    assert (made["measures"], list(made["sites"])) == ({"warning_colour": "red"}, ["A"])
    assert (made["title"], made["event"]["warning"]) == ("红色预警，停运", "W1")
    exercise = asked | {"pick": "W1", "id": "K2", "told": told | {"status": "Exercise"}}
    assert li("POST", "/api/v1/cases", json=exercise).status_code == 422
    nothing = li("POST", "/api/v1/cases", json={"plan": "flood"})
    assert [one["column"] for one in nothing.json()["problems"]] == ["event"]


@pytest.fixture
def ask(small: Small, app: FastAPI, tmp_path: Path) -> dict[str, Client]:
    """Programs of everybody; two versions of a card are kept."""
    found = {name: client(app, desk) for name, desk in people(*small).items()}
    first = small_card(head(decimals=6, disagreement_above=1.0, report_by="2026-01-31"))
    rows = first.indicators.to_dicts()
    more = {"indicator_id": "fresh", "section_id": "s", "name_zh": "新项", "max_points": 5.0,
            "scoring": "linear", "zero_at": 0.0, "full_at": 1.0}  # fmt: skip
    plain = [{key: value for key, value in row.items() if value is not None} for row in rows]
    second = small_card(
        head(decimals=6, disagreement_above=1.0, version="2", report_by="2026-02-28"),
        indicators=[plain[0] | {"max_points": 25.0}, more], rules=[deduct("open", 3.0)],
    )  # fmt: skip
    for name, card in (("one", first), ("two", second)):
        folder = write_scorecard(card, tmp_path / name)
        kept = found["postal"]("POST", "/api/v1/scorecards", json={"files": files_of(folder)})
        assert kept.status_code == 201, kept.text
    return found


def test_a_kept_card_is_read_with_its_versions(ask: dict[str, Client]) -> None:
    told = ask["postal"]("GET", f"/api/v1/scorecards/{CARD}").json()
    assert [one["max_points"] for one in told["indicators"]] == [20.0, 10.0]
    assert (told["points"], told["later"], told["version"]) == (30.0, LATER, "1")
    assert [one["card"] for one in told["versions"]] == [CARD, LATER]
    assert ask["postal"]("GET", f"/api/v1/scorecards/{LATER}").json()["later"] is None
    # who is assessed by it reads it, and nobody of another region
    assert ask["a"]("GET", f"/api/v1/scorecards/{CARD}").json()["points"] == 30.0
    listed = ask["postal"]("GET", "/api/v1/scorecards").json()["cards"]
    assert {one["version"] for one in listed} == {"1", "2"}
    assert all(one["kept_at"] and one["provenance"] for one in listed)


def test_somebody_of_another_region_sees_no_card(small: Small, app: FastAPI, ask: dict[str, Client]) -> None:
    other = client(app, person(*small, "bei", "spb-bj", ("assessor", Scope(region="110000"))))
    for more in ("", f"/changes?since={LATER}", "/folder.zip"):
        assert refused(other("GET", f"/api/v1/scorecards/{CARD}{more}")) == (404, "not-found")


def test_what_changed_from_one_version_to_the_next_by_hand(ask: dict[str, Client]) -> None:
    told = ask["postal"]("GET", f"/api/v1/scorecards/{LATER}/changes", params={"since": CARD}).json()
    rows = {(one["table"], one["key"], one["change"], one["column"]): (one["before"], one["after"])
            for one in told["changes"]}  # fmt: skip
    assert rows == {
        ("head", "", "changed", "report_by"): ("2026-01-31", "2026-02-28"),
        ("indicators", "real-name", "changed", "max_points"): (20.0, 25.0),
        ("indicators", "joint", "removed", "max_points"): (10.0, None),
        ("indicators", "fresh", "added", "max_points"): (None, 5.0),
    }
    same = ask["postal"]("GET", f"/api/v1/scorecards/{CARD}/changes", params={"since": CARD}).json()
    assert same["changes"] == []


def test_an_exported_folder_gives_the_same_scores(ask: dict[str, Client], tmp_path: Path) -> None:
    values = {"values": [{"indicator_id": "real-name", "value": 0.99}]}
    said = ask["a"]("POST", f"/api/v1/scorecards/{CARD}/assessments/a/self-report", json=values)
    assert said.status_code == 201, said.text
    packed = ask["postal"]("GET", f"/api/v1/scorecards/{CARD}/folder.zip")
    zipfile.ZipFile(io.BytesIO(packed.content)).extractall(tmp_path / "out")
    scores = assess(read_scorecard(tmp_path / "out" / CARD)).scores
    ranking = ask["postal"]("GET", f"/api/v1/scorecards/{CARD}/result").json()["ranking"]
    assert {one["subject_id"]: one["score"] for one in ranking} == dict(
        scores.select("subject_id", "score").iter_rows()
    )
    assert refused(ask["a"]("GET", f"/api/v1/scorecards/{CARD}/folder.zip"))[0] in (403, 404)


def test_a_table_may_come_as_a_workbook_and_problems_name_their_place(
    ask: dict[str, Client], tmp_path: Path
) -> None:
    folder = write_scorecard(small_card(head(version="3")), tmp_path / "card")
    files = files_of(folder)
    names, *rows = (line.split(",") for line in files.pop("subjects.csv").splitlines())
    book = write_workbook(tmp_path / "subjects.xlsx", [("subjects", [names, *rows])])
    packed = {"subjects.xlsx": base64.b64encode(book.read_bytes()).decode()}
    wrong = files | {"indicators.csv": files["indicators.csv"].replace("linear", "lineal")}
    told = ask["postal"]("POST", "/api/v1/scorecards", json={"files": wrong, "workbooks": packed}).json()
    assert [(one["file"], one["column"]) for one in told["problems"]] == [("indicators.csv", "scoring")]
    bad = {"files": files, "workbooks": {"subjects.xlsx": "YWJ"}}
    assert [one["file"] for one in ask["postal"]("POST", "/api/v1/scorecards", json=bad).json()["problems"]]
    made = ask["postal"]("POST", "/api/v1/scorecards", json={"files": files, "workbooks": packed})
    assert (made.status_code, made.json()["subjects"]) == (201, 2), made.text


def test_the_commands_tell_the_same(
    small: Small, ask: dict[str, Client], place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "postal.token"
    token.write_text(ask["postal"].token, "utf-8")
    at = ["--registers", place, "--token", str(token)]

    def said(*command: str) -> str:
        assert main(["scorecard", *command, *at]) == 0
        return capsys.readouterr().out

    assert f"{CARD}  测试卡, version 1 (synthetic), 2 assessed" in said("list")
    shown = said("show", "--card", CARD)
    assert f"a later version of this year is kept: {LATER}" in shown
    assert "real-name" in shown
    assert "changed  indicators real-name max_points: 20.0 → 25.0" in said(
        "compare", "--card", LATER, "--since", CARD
    )
    assert "nothing changed" in said("compare", "--card", CARD, "--since", CARD)
