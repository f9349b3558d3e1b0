"""Assessments over the API: item by item, who sees what, notices issued and received, gaps to be closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from api_cases import Client
from assessment_cases import head
from fastapi import FastAPI
from register_api_cases import app_of, client, refused
from registers_cases import cheap_hashes, place, postgres, small, small_database, small_file
from scorecard_cases import CARD, PROOF, people, small_card

from changtong.assessment.assess import assess
from changtong.assessment.card_writer import write_scorecard
from changtong.errors import InputError
from changtong.scorecards.one_assessment import compare_regions
from changtong.storage.store import Desk, Store

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]
pytestmark = pytest.mark.usefixtures("cheap_hashes")

AT = f"/api/v1/scorecards/{CARD}/assessments/a"
DAYS = {"report_by": "2026-01-10", "review_by": "2026-01-20", "appeal_by": "2099-02-01"}


@pytest.fixture
def app(small: tuple[Store, Desk], tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


@pytest.fixture
def ask(small: tuple[Store, Desk], app: FastAPI, tmp_path: Path) -> dict[str, Client]:
    """A card that is kept, its days set, and a client for each person."""
    asking = {name: client(app, desk) for name, desk in people(*small).items()}
    folder = write_scorecard(small_card(head(decimals=6, **DAYS)), tmp_path / "card")
    files = {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}
    kept = asking["postal"]("POST", "/api/v1/scorecards", json={"files": files})
    assert kept.status_code == 201, kept.text
    return asking


def said(ask: Client, stage: str, value: float, **more: Any) -> None:
    body = {"values": [{"indicator_id": "real-name", "value": value, "evidence": f"{stage}.pdf"}], **more}
    answer = ask("POST", f"{AT}/{stage}", json=body)
    assert answer.status_code == 201, answer.text


def read(ask: Client, **query: Any) -> dict[str, Any]:
    answer = ask("GET", AT, params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == f'"{told["version"]}"'
    return told


def marked(ask: dict[str, Client]) -> None:
    for one in ("postal", "police"):
        given = [
            {"subject_id": key, "indicator_id": "joint", "points": 8, "evidence": PROOF} for key in ("a", "b")
        ]
        place = f"/api/v1/scorecards/{CARD}/marks/{one}"
        assert ask[one]("POST", place, json={"marks": given}).status_code == 201
        assert ask[one]("POST", f"{place}/hand-in", json={}).status_code == 200


def test_what_was_reported_and_reviewed_stands_side_by_side_with_its_points(ask: dict[str, Client]) -> None:
    said(ask["a"], "self-report", 0.98)
    said(ask["postal"], "review", 0.95)
    told = read(ask["postal"])
    (item, joint) = told["items"]
    # linear between 0.9 and 1: 20 points for all of it
    assert item["stages"]["self_report"] == {
        "value": 0.98, "points": 16.0, "evidence": "self-report.pdf", "source": None, "given_by": "sd-ns",
        "given_at": item["stages"]["self_report"]["given_at"],
    }  # fmt: skip
    assert item["stages"]["review"]["points"] == 10.0
    assert (item["points"], item["counts"], item["gap"]["gain"]) == (10.0, "review", 10.0)
    assert (joint["scoring"], joint["points"]) == ("marks", None)  # blind, and so not told
    assert [(one["cause"], one["gain"]) for one in told["gaps"]] == [
        ("indicator:real-name", 10.0), ("fact:F1", 3.0),
    ]  # fmt: skip
    assert told["result"]["score"] == 17.0  # 10 to begin with, 10 measured, 3 for the finding
    assert told["waiting_for"] == ["postal", "police"]
    assert [one["stage"] for one in told["statements"]] == ["self_report", "review"]


def test_its_own_people_see_theirs_without_the_rank_and_without_marks(ask: dict[str, Client]) -> None:
    said(ask["a"], "self-report", 0.98)
    marked(ask)
    mine, whole = read(ask["a"]), read(ask["postal"])
    assert (mine["whole"], whole["whole"]) == (False, True)
    assert mine["result"]["rank"] is mine["result"]["gap_to_best"] is None
    assert (whole["result"]["rank"], whole["result"]["peers"]) == (1, 2)
    assert whole["result"]["score"] == mine["result"]["score"] + 8
    assert PROOF not in ask["a"]("GET", AT).text
    assert mine["may"] == ["answer", "self_report"]
    assert whole["may"] == ["rectify", "review"]
    assert refused(ask["b"]("GET", AT)) == (404, "not-found")
    assert read(ask["viewer"])["whole"] is False


def test_the_list_tells_what_is_due_and_only_of_those_one_may_see(ask: dict[str, Client]) -> None:
    said(ask["a"], "self-report", 0.98)

    def listed(name: str) -> list[dict[str, Any]]:
        answer = ask[name]("GET", "/api/v1/scorecards/assessments")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["assessments"]
        return rows

    rows = {one["subject_id"]: one for one in listed("postal")}
    assert rows["a"]["due"] == {"stage": "review", "by": "2026-01-20", "overdue": True}
    assert rows["b"]["due"]["stage"] == "self_report"
    (mine,) = listed("a")
    assert (mine["subject_id"], mine["state"], mine["provenance"]) == ("a", "self_report", "synthetic")
    only = ask["postal"]("GET", "/api/v1/scorecards/assessments?state=open").json()["assessments"]
    assert [one["subject_id"] for one in only] == ["b"]
    assert refused(ask["postal"]("GET", "/api/v1/scorecards/assessments?state=none"))[0] == 422


def test_a_notice_is_issued_once_reviewed_and_received_by_those_it_is_to(ask: dict[str, Client]) -> None:
    said(ask["a"], "self-report", 0.98)
    early = ask["postal"]("POST", f"{AT}/notices", json={}, headers={"If-Match": '"2"'})
    assert (early.status_code, early.json()["problems"][0]["code"]) == (422, "bad-state")
    said(ask["postal"], "review", 0.95)
    marked(ask)
    assert refused(ask["postal"]("POST", f"{AT}/notices", json={}))[0] == 428
    late = ask["postal"]("POST", f"{AT}/notices", json={}, headers={"If-Match": '"2"'})
    assert refused(late) == (412, "precondition-failed")
    mine = ask["a"]("POST", f"{AT}/notices", json={}, headers={"If-Match": '"3"'})
    assert refused(mine) == (403, "not-allowed")
    key = {"If-Match": '"3"', "Idempotency-Key": "n"}
    sent = [ask["postal"]("POST", f"{AT}/notices", json={"note": "请整改"}, headers=key) for _ in range(2)]
    assert [one.status_code for one in sent] == [201, 201], sent[0].text
    (notice,) = read(ask["a"])["notices"]
    assert (notice["score"], notice["rank"], notice["peers"], notice["note"]) == (25.0, 1, 2, "请整改")
    assert refused(ask["b"]("POST", f"{AT}/notices/receive", json={}, headers={"If-Match": '"4"'}))[0] == 404
    other = ask["postal"]("POST", f"{AT}/notices/receive", json={}, headers={"If-Match": '"4"'})
    assert refused(other) == (403, "not-allowed")
    got = ask["a"]("POST", f"{AT}/notices/receive", json={"words": "收到"}, headers={"If-Match": '"4"'})
    assert (got.status_code, got.headers["etag"]) == (200, '"5"'), got.text
    (notice,) = read(ask["postal"])["notices"]
    assert (notice["received_by"], notice["answer"]) == ("sd-ns", "收到")
    again = ask["a"]("POST", f"{AT}/notices/receive", json={}, headers={"If-Match": '"5"'})
    assert again.status_code == 422
    document = ask["postal"]("GET", f"{AT}/notice.docx")
    assert document.content[:2] == b"PK"
    assert refused(ask["a"]("GET", f"{AT}/notice.docx")) == (403, "not-allowed")


def test_who_reviewed_does_not_decide_and_the_page_is_told_so(ask: dict[str, Client]) -> None:
    said(ask["a"], "self-report", 0.98)
    said(ask["postal"], "review", 0.95)
    said(ask["a"], "appeal", 0.98, facts=["F1"])
    assert "final" not in read(ask["postal"])["may"]
    assert "final" in read(ask["second"])["may"]
    said(ask["second"], "final", 0.97, facts=["F1"])
    told = read(ask["a"])
    assert (told["state"], told["due"], told["may"]) == ("final", None, ["answer"])
    assert told["items"][0]["stages"]["final"]["points"] == 14.0
    assert [one["why"] for one in told["findings"]] == ["withdrawn"]


def test_chosen_gaps_become_rectifications_that_are_followed(ask: dict[str, Client]) -> None:
    asked = {"subjects": ["a"], "causes": ["fact:F1"], "on": "2026-01-01", "days": 9}
    wrong = ask["postal"](
        "POST", f"/api/v1/scorecards/{CARD}/rectifications", json=asked | {"causes": ["fact:F2"]}
    )
    assert (wrong.status_code, wrong.json()["problems"][0]["code"]) == (422, "unknown-gap")
    put = ask["postal"]("POST", f"/api/v1/scorecards/{CARD}/rectifications", json=asked)
    assert (put.status_code, len(put.json()["added"])) == (201, 1), put.text
    (one,) = read(ask["a"], on="2026-01-11")["rectifications"]
    assert (one["cause"], one["state"], one["overdue"]) == ("fact:F1", "open", True)
    assert read(ask["a"], on="2026-01-10")["rectifications"][0]["overdue"] is False
    (row,) = ask["a"]("GET", "/api/v1/scorecards/assessments").json()["assessments"]
    assert row["rectifications"] == {"open": 1, "overdue": 1, "accepted": 0}
    assert refused(ask["b"]("GET", f"/api/v1/records/rectification/{one['record']}"))[0] == 404


def test_files_are_kept_with_an_assessment_by_its_own_people(ask: dict[str, Client]) -> None:
    record = read(ask["postal"])["record"]
    place = f"/api/v1/records/assessment/{record}/attachments"
    sent = ask["postal"]("POST", place, files={"file": ("proof.txt", b"screened 980 of 1000")})
    assert sent.status_code == 201, sent.text
    assert [one["id"] for one in ask["a"]("GET", place).json()["records"]] == [sent.json()["id"]]
    assert ask["b"]("POST", place, files={"file": ("x.txt", b"x")}).status_code == 404


def test_regions_are_compared_among_equals(ask: dict[str, Client]) -> None:
    subjects = [
        {"subject_id": key, "name": key, "level": level, "admin_code": code}
        for key, level, code in (
            ("a", "outlet", "440305"), ("b", "outlet", "440305001"), ("c", "outlet", "440304"),
            ("d", "outlet", "110101"), ("e", "bureau", "440305"),
        )
    ]  # fmt: skip
    given = {"a": 1.0, "b": 0.95, "c": 0.9, "d": 0.98, "e": 1.0}
    values = [
        {"subject_id": key, "indicator_id": "real-name", "value": value} for key, value in given.items()
    ]
    result = assess(small_card(subjects=subjects, values=values, facts=[], rules=[]))
    by_region = {(one["level"], one["region"]): one for one in compare_regions(result, 6)}
    # 10 to begin with and 20 for all: a 30, b 20, c 10, d 26; their median is 23. The bureau stands alone.
    south = by_region["outlet", "440305"]
    assert (south["median"], south["best"], south["worst"], south["subjects"]) == (25.0, 30.0, 20.0, 2)
    assert (south["to_peers"], south["few"]) == (2.0, True)
    assert by_region["outlet", "440304"]["to_peers"] == -13.0
    assert by_region["bureau", "440305"]["to_peers"] == 0.0
    three = {one["region"]: one for one in compare_regions(result, 2) if one["level"] == "outlet"}
    assert (three["44"]["subjects"], three["44"]["few"], three["11"]["few"]) == (3, False, True)
    told = ask["postal"]("GET", f"/api/v1/scorecards/{CARD}/comparison?by=city")
    assert (told.status_code, told.json()) == (200, {"regions": [], "complete": False})
    assert refused(ask["a"]("GET", f"/api/v1/scorecards/{CARD}/comparison"))[0] in (403, 404)


def test_days_of_stages_are_days_in_order() -> None:
    with pytest.raises(InputError, match="before review_by"):
        small_card(head(review_by="2026-01-01", appeal_by="2025-12-31"))
    with pytest.raises(InputError, match="no day"):
        small_card(head(final_by="soon"))
    assert small_card(head(report_by="2026-01-01", final_by="2026-01-01")).head.final_by == "2026-01-01"
