"""Cards of studies: the newest run one may see, its headline numbers; each number has a name."""

from __future__ import annotations

from typing import Any

import pytest
from api_cases import Client, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import cheap_hashes

from changtong.api.run_book import NewRun
from changtong.api.service import Service
from changtong.web.app import make_web_app
from changtong.web.study_pages import headlines, study_areas
from changtong.web.words import read_words

__all__ = ["cheap_hashes", "service", "service_and_tokens", "tokens"]
NEWEST = "/api/v1/studies/newest?study=outlets+warn&study=outlets+index"


@pytest.fixture(scope="module")
def app(service_and_tokens: tuple[Service, dict[str, str]]) -> FastAPI:
    return make_web_app(service_and_tokens[0])


def run_of(service: Service, study: str, state: str, **outcome: Any) -> str:
    """Enter a run of Guangdong's authority that has ended."""
    run, _ = service.book.add(NewRun("u", "/spb/spb-gd/", "440000", study, {}))
    service.book.begin(run.id, "w")
    service.book.end(run.id, state, worker="w", outcome=outcome or None)  # type: ignore[arg-type]
    return run.id


def test_the_newest_run_is_told_with_the_numbers_of_the_newest_that_is_done(
    service: Service, app: FastAPI, tokens: dict[str, str]
) -> None:
    run_of(service, "outlets warn", "done", summary={"warned": 9}, files={})
    summary = {"warned": 3, "rate": 0.25, "month": "2026-05", "learned_from": [1], "text": "x" * 61}
    done = run_of(service, "outlets warn", "done", good=True, summary=summary, files={"report.html": 5})
    last = run_of(service, "outlets warn", "refused")
    told = Client(app, token=tokens["duty-gd"])("GET", NEWEST).json()["newest"]
    assert list(told) == ["outlets warn"]
    one = told["outlets warn"]
    assert (one["last"]["id"], one["last"]["state"]) == (last, "refused")
    assert (one["done"]["id"], one["done"]["report"], one["done"]["good"]) == (done, "report.html", True)
    assert one["done"]["numbers"] == {"warned": 3, "rate": 0.25, "month": "2026-05"}


def test_runs_of_others_are_on_nobodys_card(service: Service, app: FastAPI, tokens: dict[str, str]) -> None:
    run_of(service, "outlets index", "done", summary={"outlets": 4}, files={})
    for name in ("duty-bj", "duty-sd"):
        assert Client(app, token=tokens[name])("GET", NEWEST).json() == {"newest": {}}, name
    assert "outlets index" in Client(app, token=tokens["looker-gd"])("GET", NEWEST).json()["newest"]
    assert Client(app)("GET", NEWEST).status_code == 401
    assert Client(app, token=tokens["duty-gd"])("GET", "/api/v1/studies/newest").status_code == 422


def test_every_headline_is_of_a_study_and_has_a_name() -> None:
    studies = {name for groups in study_areas().values() for group in groups for name in group.studies}
    named = {name for names in headlines().values() for name in names}
    assert set(headlines()) <= studies
    assert {key.removeprefix("headline.") for key in read_words() if key.startswith("headline.")} == named
