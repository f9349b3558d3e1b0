"""Tables of a run's result over the API: typed, sorted, a part at a time, for who may see the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from api_cases import Client, app, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import cheap_hashes

from changtong.api import result_tables
from changtong.api.run_book import NewRun
from changtong.api.service import Service

__all__ = ["app", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

ROWS = """site_id,weekdays,pieces,served,note
0440,14,2.5,true,one
12,135,10,false,
9,7,,true,'=1+1
07,2,-1e2,true,7
"""


def kept(service: Service, files: dict[str, bytes]) -> str:
    """Put the result of a run that is done into the folder, and return its id."""
    new = NewRun("duty-gd", "/spb/spb-gd/", "440000", "stress", {"language": "en", "parameters": {}})
    run, _ = service.book.add(new)
    service.book.begin(run.id, "server")
    folder = service.folder.run(run.id)
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    sizes = {name: len(content) for name, content in files.items()}
    service.book.end(run.id, "done", worker="server", outcome={"good": True, "files": sizes, "summary": {}})
    return run.id


@pytest.fixture
def run_id(service: Service, tmp_path: Path) -> str:
    pl.DataFrame({"a": [1, 2], "b": [float("inf"), 0.5]}).write_parquet(tmp_path / "lanes.parquet")
    return kept(
        service,
        {
            "sites.csv": b"\xef\xbb\xbf" + ROWS.encode(),
            "deep/lanes.parquet": (tmp_path / "lanes.parquet").read_bytes(),
            "report.html": b"<p>",
            "empty.csv": b"",
            "odd.csv": b'a,b\n"open,1\n',
        },
    )


def read(client: Client, run_id: str, name: str, query: str = "") -> Any:
    answer = client("GET", f"/api/v1/runs/{run_id}/tables/{name}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_columns_have_their_types_and_ids_their_zeros(duty: Client, run_id: str) -> None:
    told = read(duty, run_id, "sites.csv")
    assert {one["name"]: one["type"] for one in told["columns"]} == {
        "site_id": "text", "weekdays": "text", "pieces": "number", "served": "boolean", "note": "text",
    }  # fmt: skip
    assert told["values"] == {
        "site_id": ["0440", "12", "9", "07"],
        "weekdays": ["14", "135", "7", "2"],
        "pieces": [2.5, 10.0, None, -100.0],
        "served": [True, False, True, True],
        "note": ["one", None, "=1+1", "7"],
    }
    assert (told["rows"], told["next"]) == (4, None)


def test_a_part_is_sorted_with_what_is_empty_last(duty: Client, run_id: str) -> None:
    first = read(duty, run_id, "sites.csv", "?sort=-pieces&columns=site_id,pieces&limit=2")
    assert first["values"] == {"site_id": ["12", "0440"], "pieces": [10.0, 2.5]}
    assert first["next"] == 2
    rest = read(duty, run_id, "sites.csv", "?sort=-pieces&columns=site_id&limit=2&after=2")
    assert rest["values"] == {"site_id": ["07", "9"]}
    assert rest["next"] is None
    both = read(duty, run_id, "sites.csv", "?sort=-served,site_id&columns=site_id")
    assert both["values"]["site_id"] == ["0440", "07", "9", "12"]
    assert read(duty, run_id, "sites.csv", "?after=99")["values"]["site_id"] == []


def test_parquet_is_read_and_numbers_without_end_are_null(duty: Client, run_id: str) -> None:
    told = read(duty, run_id, "deep/lanes.parquet")
    assert told["values"] == {"a": [1, 2], "b": [None, 0.5]}
    assert [one["type"] for one in told["columns"]] == ["number", "number"]
    assert read(duty, run_id, "empty.csv")["columns"] == []


def test_the_tables_are_listed(duty: Client, run_id: str) -> None:
    names = [one["name"] for one in duty("GET", f"/api/v1/runs/{run_id}/tables").json()["tables"]]
    assert names == ["deep/lanes.parquet", "empty.csv", "odd.csv", "sites.csv"]


def test_what_is_known_is_not_sent_again(duty: Client, run_id: str) -> None:
    address = f"/api/v1/runs/{run_id}/tables/sites.csv"
    tag = duty("GET", address).headers["etag"]
    assert duty("GET", address, headers={"If-None-Match": tag}).status_code == 304
    assert duty("GET", address + "?limit=2", headers={"If-None-Match": tag}).status_code == 200


def test_all_columns_that_are_not_there_are_told_at_once(duty: Client, run_id: str) -> None:
    answer = duty("GET", f"/api/v1/runs/{run_id}/tables/sites.csv?columns=site_id,pices&sort=-served,nothing")
    assert answer.status_code == 422
    assert [(one["code"], one["column"]) for one in answer.json()["problems"]] == [
        ("unknown-column", "query.columns"), ("unknown-column", "query.sort"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["report.html", "nothing.csv", "../../registers.db", "%2e%2e/%2e%2e/runs.db", "/etc/passwd"]
)
def test_what_is_no_table_of_the_run_is_not_there(duty: Client, run_id: str, name: str) -> None:
    assert duty("GET", f"/api/v1/runs/{run_id}/tables/{name}").status_code == 404


def test_a_table_that_cannot_be_read_is_told(duty: Client, run_id: str) -> None:
    answer = duty("GET", f"/api/v1/runs/{run_id}/tables/odd.csv")
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable-file")


def test_large_tables_are_left_as_files(duty: Client, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_tables, "MOST_BYTES", 10)
    answer = duty("GET", f"/api/v1/runs/{run_id}/tables/sites.csv")
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_tables_are_for_who_may_see_the_run(app: FastAPI, tokens: dict[str, str], run_id: str) -> None:
    address = f"/api/v1/runs/{run_id}/tables/sites.csv"
    expected = {"looker-gd": 200, "duty-bj": 404, "duty-sd": 404}
    found = {name: Client(app, token=tokens[name])("GET", address).status_code for name in expected}
    assert found == expected
    assert Client(app)("GET", address).status_code == 401


def test_a_drill_is_begun_by_who_asks_for_it(duty: Client) -> None:
    examples = Path(__file__).parent.parent / "examples" / "emergency"
    for kind, place in (("drill", "drill.toml"), ("table", "actions.csv")):
        parts = [("files", (place, (examples / place).read_bytes()))]
        made = duty("POST", "/api/v1/datasets", data={"kind": kind, "id": f"of-{kind}"}, files=parts)
        assert made.status_code == 201, made.text
    asked = {"script": "of-drill", "actions": "of-table"}
    request = {
        "study": "emergency drill",
        "inputs": asked,
        "parameters": {"begins": "2026-07-20T08:00+08:00"},
    }
    run = duty.ended(duty("POST", "/api/v1/runs", json=request).json()["id"])
    assert run["state"] == "done", run
    log = duty("GET", f"/api/v1/runs/{run['id']}/files/log.jsonl").text.splitlines()
    assert json.loads(log[0])["by"] == duty("GET", "/api/v1/session").json()["user_id"]
