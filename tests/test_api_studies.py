"""Every analysis over the API: offered from the commands, checked whole, the answer of the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from api_cases import (
    CLOSE_A,
    Client,
    app,
    duty,
    events_of,
    service,
    service_and_tokens,
    tokens,
)
from fastapi import FastAPI
from network_cases import TINY
from registers_cases import cheap_hashes

from changtong.api.data_folder import DataFolder
from changtong.api.dataset_kinds import KINDS
from changtong.api.input_places import InputPlaces, kind_of, runs_of
from changtong.api.offered import Input, Offers, Parameter, leaves_of, read_offers
from changtong.api.run_book import NewRun
from changtong.api.run_upkeep import delete_old
from changtong.api.service import Service
from changtong.api.study_command import study_command
from changtong.cli import app as program
from changtong.cli import main
from changtong.storage.rows import now

__all__ = ["app", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def offers() -> Offers:
    return read_offers(typer.main.get_group(program))


def put(client: Client, kind: str, dataset_id: str, files: dict[str, bytes]) -> None:
    parts = [("files", (name, content)) for name, content in files.items()]
    answer = client("POST", "/api/v1/datasets", data={"kind": kind, "id": dataset_id}, files=parts)
    assert answer.status_code == 201, answer.text


def put_example(client: Client, kind: str, dataset_id: str, place: str) -> None:
    path = EXAMPLES / place
    found = [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]
    put(client, kind, dataset_id, {one.name: one.read_bytes() for one in found if KINDS[kind].has(one.name)})


def asked(client: Client, study: str, inputs: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    request = {"study": study, "inputs": inputs, "parameters": parameters, "language": "en"}
    answer = client("POST", "/api/v1/runs", json=request)
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


def answered(client: Client, study: str, inputs: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    run = client.ended(
        asked(client, study, inputs, **parameters)["id"], 900.0
    )  # kernels may have to be compiled first
    assert run["state"] == "done", run
    return run


# what is offered


def test_every_command_is_offered_or_it_is_said_why_not(offers: Offers) -> None:
    assert offers.problems == ()
    assert len(offers.studies) > 80


def test_no_option_that_names_a_place_a_host_or_a_secret_is_offered(offers: Offers) -> None:
    never = {"registers", "token", "executor", "key", "keys", "vault", "right", "state", "output_folder"}
    for offer in offers.studies.values():
        named = {one.name for one in (*offer.inputs, *offer.parameters)}
        assert not named & never, offer.name
        assert {one.option for one in offer.parameters} & {"--output", "--json", "--language"} == set()


def test_every_source_is_something_that_can_be(offers: Offers) -> None:
    for offer in offers.studies.values():
        for one in offer.inputs:
            assert kind_of(one) in {*KINDS, "network", "log", None}, (offer.name, one.name)
            assert set(runs_of(one)) <= set(offers.studies), (offer.name, one.name)
            assert one.sources


def test_names_are_in_both_languages(offers: Offers) -> None:
    for offer in offers.studies.values():
        for one in (offer, *offer.inputs, *offer.parameters):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in one.zh), (offer.name, one)
            assert not any("\u4e00" <= letter <= "\u9fff" for letter in one.en), (offer.name, one)


def test_ranges_and_choices_are_those_of_the_command(offers: Offers) -> None:
    known = {one.name: one for one in offers.get("stress").parameters}
    assert (known["together"].least, known["together"].most, known["together"].type) == (1, 6, "integer")
    assert (known["by"].choices, known["by"].default) == (("unserved", "loss"), "unserved")
    assert known["seconds"].most == 3600.0
    assert known["recovery"].type == "boolean"
    assert offers.get("rural make").parameters[0].many is False
    assert {one.name: one.many for one in offers.get("plan").parameters}["close"] is True


# from a request to a command


def test_values_are_no_options_and_places_come_from_ids(
    offers: Offers, service: Service, tmp_path: Path
) -> None:
    request = {
        "network": "tiny", "outages": [CLOSE_A], "language": "en",
        "parameters": {"close": ["--output=/etc", "-o"], "at": "--json", "verify": True, "trade_off": False},
    }  # fmt: skip
    made = study_command(offers.get("plan"), request, service.places, "r1")
    assert made.arguments == [
        "plan", "--outages=runs/r1/asked/outages.json", "--close=--output=/etc", "--close=-o", "--at=--json",
        "--verify", "--output=runs/r1/result", "--language=en", "--json", "--", "networks/tiny",
    ]  # fmt: skip
    assert json.loads(made.files["runs/r1/asked/outages.json"]) == [CLOSE_A]
    request = {"language": "zh", "parameters": {"name": "-rf", "output": "json"}}
    made = study_command(offers.get("safety form"), request, service.places, "r2")
    assert made.arguments[-2:] == ["--", "-rf"]
    assert "--output=runs/r2/result/form.json" in made.arguments


def test_injected_options_reach_the_command_as_values(duty: Client, service: Service) -> None:
    run = duty.ended(asked(duty, "plan", {"network": "tiny"}, close=["--output=/tmp/x"])["id"])
    assert run["state"] == "refused"
    assert "--output=/tmp/x" in run["problem"]["detail"]
    assert not service.folder.work(run["id"]).exists()


def test_everything_wrong_is_told_at_once(duty: Client) -> None:
    request = {
        "study": "stress",
        "inputs": {"network": "../tiny", "areas": {"run": "0" * 26}, "executor": "dask:host", "sets": 7},
        "parameters": {
            "worst": 0, "together": 2.5, "by": "size", "gap": "small", "recovery": 1, "seconds": 1e9,
            "registers": "x", "close": "sites\nlegs", "limit": float(10**13),
        },
    }  # fmt: skip
    answer = duty("POST", "/api/v1/runs", json=request)
    assert answer.status_code == 422
    assert [(one["code"], one["column"]) for one in answer.json()["problems"]] == [
        ("not-found", "inputs.areas"),
        ("unknown-column", "inputs.executor"),
        ("not-found", "inputs.network"),
        ("wrong-type", "inputs.sets"),
        ("unknown-value", "parameters.by"),
        ("out-of-range", "parameters.close"),
        ("wrong-type", "parameters.gap"),
        ("out-of-range", "parameters.limit"),
        ("wrong-type", "parameters.recovery"),
        ("unknown-column", "parameters.registers"),
        ("out-of-range", "parameters.seconds"),
        ("wrong-type", "parameters.together"),
        ("out-of-range", "parameters.worst"),
    ]


PLACES = ["../tiny", "..", ".", "/etc", "tiny/../../x", "tiny\x00", "", "C:", "registers.db", "~", "%2e%2e"]


@pytest.mark.parametrize("place", PLACES)
def test_no_input_of_any_study_takes_a_place(
    offers: Offers, service: Service, duty: Client, place: str
) -> None:
    for offer in offers.studies.values():
        inputs = {one.name: place for one in offer.inputs}
        if not inputs:
            continue
        answer = duty("POST", "/api/v1/runs", json={"study": offer.name, "inputs": inputs})
        assert answer.status_code == 422, (offer.name, answer.text)
        refused = {one["column"] for one in answer.json()["problems"]}
        assert {f"inputs.{name}" for name in inputs} <= refused, offer.name


def test_what_names_a_file_on_the_command_line_is_an_id_here(duty: Client) -> None:
    for study, name in (("safety form", "name"), ("emergency check", "plan"), ("safety campaign", "name")):
        for value in ("../../registers.db", "x.toml", "/etc/passwd"):
            request = {"study": study, "parameters": {name: value}}
            answer = duty("POST", "/api/v1/runs", json=request)
            assert answer.status_code == 422, (study, value)


# answers


@pytest.mark.slow
def test_answers_are_those_of_the_command_line(
    duty: Client, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_example(duty, "county", "heyang", "county")
    put_example(duty, "months", "months", "outlets/months.csv")
    cases: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
        ("check", {"network": "tiny"}, {}, [str(TINY)]),
        ("rural check", {"county": "heyang"}, {}, [str(EXAMPLES / "county")]),
        ("rural coverage", {"county": "heyang"}, {}, [str(EXAMPLES / "county")]),
        ("breach", {}, {"at": "2026-07-20T03:00+08:00", "now": "2026-07-21T03:00+08:00"},
         ["--at", "2026-07-20T03:00+08:00", "--now", "2026-07-21T03:00+08:00"]),
        ("outlets index", {"months": "months"}, {}, [str(EXAMPLES / "outlets" / "months.csv")]),
        ("safety forms", {}, {}, []),
    ]  # fmt: skip
    for study, inputs, parameters, arguments in cases:
        run = answered(duty, study, inputs, **parameters)
        code = main([*study.split(" "), *arguments, "--json"])
        by_command = json.loads(capsys.readouterr().out)
        by_api = run["outcome"]["summary"]
        for facts in (by_command, by_api):
            if isinstance(facts, dict):
                for measured in ("folder", "name", "files"):
                    facts.pop(measured, None)
        assert by_api == by_command, study
        assert run["outcome"]["text"], study
        assert (run["outcome"]["good"], code) in ((True, 0), (False, 1)), study


def test_results_name_no_place_of_the_server(duty: Client, service: Service) -> None:
    run = answered(duty, "carbon", {"network": "tiny"})
    assert {"report.html", "study.json"} <= set(run["outcome"]["files"])
    assert str(service.folder.path) not in json.dumps(run)
    for path in service.folder.run(run["id"]).rglob("*"):
        if path.suffix in (".json", ".html", ".csv"):
            assert str(service.folder.path) not in path.read_text("utf-8"), path.name


def test_no_good_answer_is_an_answer_and_wrong_input_is_none(duty: Client, service: Service) -> None:
    broken = service.folder.path / "networks" / "odd"
    shutil.copytree(TINY, broken)
    rows = (broken / "legs.csv").read_text().splitlines()
    (broken / "legs.csv").write_text("\n".join([*rows, rows[1]]) + "\n")
    try:
        run = answered(duty, "check", {"network": "odd"})
        assert run["outcome"]["good"] is False
        assert run["outcome"]["summary"]["ok"] is False
        other = duty.ended(asked(duty, "carbon", {"network": "odd"})["id"])
        assert other["state"] == "refused"
        assert other["problem"]["problems"]
        assert str(service.folder.path) not in json.dumps(other)
    finally:
        shutil.rmtree(broken)


@pytest.mark.slow
def test_results_of_runs_are_inputs_of_others(duty: Client, service: Service) -> None:
    plan = answered(duty, "plan", {"network": "tiny", "outages": [CLOSE_A]}, seconds=5)
    reference = {"run": plan["id"]}
    played = answered(duty, "simulate", {"network": "tiny", "plan": reference}, hours=24, warm_up=0)
    assert "report.html" in played["outcome"]["files"]
    answer = duty("DELETE", f"/api/v1/runs/{plan['id']}")
    assert answer.status_code == 204
    request = {"study": "simulate", "inputs": {"network": "tiny", "plan": reference}}
    answer = duty("POST", "/api/v1/runs", json=request)
    assert [one["code"] for one in answer.json()["problems"]] == ["not-found"]
    other = {"study": "simulate", "inputs": {"network": "tiny", "plan": {"run": played["id"]}}}
    found = duty("POST", "/api/v1/runs", json=other).json()["problems"]
    assert [(one["code"], one["expected"]) for one in found] == [("wrong-type", "a run of plan")]


def test_a_result_becomes_a_data_set(duty: Client) -> None:
    made = answered(duty, "rural make", {}, county="610524", villages=20, stations=3)
    request = {"kind": "county", "id": "made", "run": made["id"]}
    kept = duty("POST", "/api/v1/datasets/from-run", json=request)
    assert kept.status_code == 201, kept.text
    assert answered(duty, "rural check", {"county": "made"})["outcome"]["good"] is True
    request = {"kind": "network", "id": "made", "run": made["id"]}
    assert (
        duty("POST", "/api/v1/datasets/from-run", json=request).json()["problems"][0]["code"] == "wrong-type"
    )


@pytest.mark.slow
def test_scans_are_made_ingested_and_counted(duty: Client) -> None:
    scans = answered(
        duty, "scans", {"network": "tiny"}, events=2000, days=3, first_day="2026-07-20", format="parquet"
    )
    made = {"run": scans["id"]}
    log = answered(duty, "ingest", {"scans": made, "mapping": made, "sites": made}, format="parquet")
    day = answered(duty, "indicators", {"log": {"run": log["id"]}}, date="2026-07-21")
    assert day["outcome"]["summary"]["day"] == "2026-07-21"
    page = answered(duty, "report", {"log": {"run": log["id"]}}, date="2026-07-21", output="docx")
    assert list(page["outcome"]["files"]) == ["report.docx"]


# progress


@pytest.mark.parametrize(
    ("study", "parameters", "stages"),
    [
        ("plan", {"close": ["A"], "seconds": 5}, "planning"),
        ("stress", {"worst": 2, "seconds": 5}, "Planning closures"),
        ("simulate", {"close": ["A"], "hours": 200, "replications": 3}, "replications"),
    ],
)
def test_progress_is_told_while_it_runs(
    duty: Client, study: str, parameters: dict[str, Any], stages: str
) -> None:
    run_id = asked(duty, study, {"network": "tiny"}, **parameters)["id"]
    events = events_of(duty("GET", f"/api/v1/runs/{run_id}/events", timeout=300).text)
    assert events[-1][2]["state"] == "done", events[-1]
    told = [facts["progress"] for _, _, facts in events if facts["progress"]]
    assert told[0]["stage"] == "reading"
    assert any(len(one) > 1 for one in told) or len({one["stage"] for one in told}) > 1, (stages, told)
    for one in told:
        assert set(one) <= {"stage", "share", "seconds_left", "seconds", "gap_share", "round", "note"}
        assert 0.0 <= one.get("share", 0.0) <= 1.0


def test_cancelled_runs_leave_nothing(duty: Client, service: Service) -> None:
    run_id = asked(duty, "stress", {"network": "tiny"}, worst=50, recovery=True)["id"]
    while duty("GET", f"/api/v1/runs/{run_id}").json()["state"] == "waiting":
        pass
    duty("POST", f"/api/v1/runs/{run_id}/cancel")
    assert duty.ended(run_id)["state"] == "cancelled"
    assert not service.folder.work(run_id).exists()


# runs kept and deleted


def test_runs_are_found_by_study_state_and_network(duty: Client) -> None:
    done = answered(duty, "check", {"network": "tiny"})
    refused = duty.ended(asked(duty, "plan", {"network": "tiny"})["id"])
    assert refused["state"] == "refused"

    def ids(query: str) -> set[str]:
        return {run["id"] for run in duty("GET", f"/api/v1/runs?limit=200&{query}").json()["runs"]}

    assert done["id"] in ids("study=check&state=done&network=tiny")
    assert refused["id"] in ids("study=plan&state=refused")
    assert done["id"] not in ids("study=plan")
    assert ids("network=other") == set()
    assert duty("GET", "/api/v1/runs?state=lost").status_code == 422


def test_a_run_is_deleted_by_whom_it_is_and_on_record(
    duty: Client, app: FastAPI, tokens: dict[str, str], service: Service
) -> None:
    run = answered(duty, "outlets index", {"months": "months"})
    place = f"/api/v1/runs/{run['id']}"
    assert service.folder.run(run["id"]).is_dir()
    assert Client(app, token=tokens["looker-gd"])("DELETE", place).status_code == 403
    assert Client(app, token=tokens["duty-bj"])("DELETE", place).status_code == 404
    assert duty("DELETE", place, headers={"If-Match": '"0"'}).status_code == 412
    assert duty("DELETE", place).status_code == 204
    assert duty("GET", place).status_code == 404
    assert duty("GET", f"{place}/files/report.html").status_code == 404
    assert not service.folder.work(run["id"]).exists()


@pytest.fixture
def waiting(service: Service) -> Iterator[str]:
    """A run that is in the book and never begun, of a data set and of a run."""
    request = {"network": "tiny", "plan": {"run": "r"}, "outages": "held", "parameters": {}, "language": "zh"}
    run, _ = service.book.add(NewRun("nobody", "/x/", "110000", "simulate", request))
    yield run.id
    service.book.cancel(run.id)


def test_what_an_open_run_needs_is_not_taken_away(duty: Client, waiting: str) -> None:
    put(duty, "outages", "held", {"o.toml": b'[[outage]]\nlabel = "A shut"\nsites = ["A"]\n'})
    place = "/api/v1/datasets/outages/held"
    answer = duty("DELETE", place, headers={"If-Match": duty("GET", place).headers["etag"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "in-use")
    assert duty("GET", place).status_code == 200


def test_old_runs_go_and_new_ones_stay(
    duty: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = answered(duty, "check", {"network": "tiny"})["id"]
    assert delete_old(service.book, service.folder, 1) == 0
    monkeypatch.setattr("changtong.api.run_upkeep.now", lambda: now() + timedelta(days=2))
    assert delete_old(service.book, service.folder, 1) >= 1
    assert duty("GET", f"/api/v1/runs/{old}").status_code == 404


def test_places_are_within_the_folder(service: Service) -> None:
    places: InputPlaces = service.places
    for kind in (*KINDS, "log"):
        assert service.folder.dataset(kind, "x").is_relative_to(service.folder.path)
    assert places.ids("network", lambda path, code: False) == ["tiny"]


@dataclass(frozen=True)
class Anywhere:
    """Places of inputs that are not looked at."""

    folder: DataFolder

    def places(self, one: Input, value: Any) -> list[Path]:
        return [self.folder.path / "somewhere" / str(number) for number, _ in enumerate(value)]


def any_value(one: Parameter) -> Any:
    """Return a value that a parameter takes."""
    if one.type == "boolean":
        return not one.default
    if one.type in ("integer", "number"):
        value = one.most if one.most is not None else one.least if one.least is not None else 1
        value = int(value) if one.type == "integer" else float(value)
    else:
        value = one.choices[-1] if one.choices else "--x=y"
    return [value, value] if one.many else value


def test_every_command_takes_what_is_made_for_it(offers: Offers, tmp_path: Path) -> None:
    leaves = dict(leaves_of(typer.main.get_group(program)))
    for name, offer in offers.studies.items():
        request = {one.name: [1, 2] if one.many else [1] for one in offer.inputs if one.name != "outages"}
        request |= {"outages": [CLOSE_A], "language": "en", "by": "duty-gd"}
        request["parameters"] = {one.name: any_value(one) for one in offer.parameters}
        places: Any = Anywhere(DataFolder(tmp_path))
        made = study_command(offer, request, places, "r1").arguments
        words = len(name.split(" "))
        assert made[:words] == name.split(" ")
        taken = leaves[name].make_context(name, made[words:]).params
        assert taken["as_json"] is True, name
        for one in offer.parameters:
            if one.option and not one.many and one.type == "text" and not one.choices:
                assert "--x=y" in taken.values(), (name, one.name)
        if offer.output.option:
            placed = [str(value) for value in taken.values() if str(value).startswith("runs/r1/result")]
            assert len(placed) == 1, name
