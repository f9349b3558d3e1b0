"""Inspections from phones over the API: taken once, told by each, and never by those without the right."""

from __future__ import annotations

import pytest
from api_cases import Client, app, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import cheap_hashes
from safety_cases import file_of, filled

from changtong.api.phone_sync import MOST_SYNC_BYTES

__all__ = ["app", "cheap_hashes", "service", "service_and_tokens", "tokens"]


@pytest.fixture
def inspector(app: FastAPI, tokens: dict[str, str]) -> Client:
    return Client(app, token=tokens["inspector-gd"])


def send(client: Client, *inspections: object) -> dict[str, object]:
    answer = client("POST", "/api/v1/sync", json=file_of(*inspections))
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


def test_what_is_sent_twice_is_kept_once(inspector: Client) -> None:
    first, again = send(inspector, filled(1), filled(2)), send(inspector, filled(1), filled(2))
    assert (first["read"], first["new"], first["known"], first["set_aside"]) == (2, 2, 0, 0)
    assert (again["read"], again["new"], again["known"], again["set_aside"]) == (2, 0, 2, 0)
    assert first["whole"] is True


def test_a_later_version_takes_over_and_two_that_differ_are_told(inspector: Client) -> None:
    send(inspector, filled(11))
    later = send(inspector, filled(11, revision=2, history=(1,)))
    assert (later["new"], later["conflicts_in"]) == (1, [])
    other = send(inspector, filled(11, revision=3, history=(1,)))
    assert other["conflicts_in"] == [filled(11)["inspection_id"]]
    assert other["whole"] is False


def test_what_is_wrong_is_set_aside_and_the_others_are_taken(inspector: Client) -> None:
    told = send(inspector, filled(21), {"inspection_id": "x"})
    assert (told["new"], told["set_aside"]) == (1, 1)
    assert told["problems"]
    answer = inspector("POST", "/api/v1/sync", content=b"no json")
    assert (answer.status_code, answer.json()["set_aside"]) == (200, 1)


def test_who_only_looks_sends_nothing(app: FastAPI, tokens: dict[str, str]) -> None:
    told = send(Client(app, token=tokens["looker-gd"]), filled(31))
    assert (told["new"], told["set_aside"]) == (0, 1)
    assert Client(app)("POST", "/api/v1/sync", json=file_of(filled(32))).status_code == 401


def test_photos_may_be_larger_than_other_requests_but_not_without_end(inspector: Client) -> None:
    large = filled(41)
    large["answers"]["r05"]["note"] = "x" * 1_200_000
    answer = inspector("POST", "/api/v1/sync", json=file_of(large))
    assert answer.status_code == 200  # looked at, whatever is said of it
    header = {"Content-Length": str(MOST_SYNC_BYTES + 1)}
    assert inspector("POST", "/api/v1/sync", headers=header, content=b"{}").status_code == 413
    assert inspector("POST", "/api/v1/runs", content=b"x" * 1_100_000).status_code == 413


def test_each_is_answered_by_itself(inspector: Client) -> None:
    def outcomes(*inspections: object) -> list[tuple[str, str]]:
        told = send(inspector, *inspections)["inspections"]
        assert isinstance(told, list)
        return [(one["revision_id"][-2:], one["outcome"]) for one in told]

    named = filled(51)["revision_id"][-2:]
    assert outcomes(filled(51)) == [(named, "added")]
    assert outcomes(filled(51), filled(52)) == [(named, "known"), (filled(52)["revision_id"][-2:], "added")]
    later, other = filled(51, revision=2, history=(1,)), filled(51, revision=3, history=(1,))
    assert [one for _, one in outcomes(later)] == ["added"]
    assert [one for _, one in outcomes(other)] == ["conflict"]
    told = send(inspector, filled(53), {"inspection_id": "x", "revision_id": 7})["inspections"]
    assert isinstance(told, list)
    refused = next(one for one in told if one["outcome"] == "refused")
    assert (refused["inspection_id"], refused["revision_id"]) == ("x", "")
    assert {problem["row"] for problem in refused["problems"]} == {2}
    assert [one["outcome"] for one in told if one is not refused] == ["added"]
