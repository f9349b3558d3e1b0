"""Data sets over the API: uploaded whole or not at all, checked by their readers, seen by those who may."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_cases import Client, app, duty, service, service_and_tokens, tokens
from fastapi import FastAPI
from registers_cases import ADMIN, cheap_hashes

from changtong.api import upload
from changtong.api.service import Service
from changtong.api.upload import is_safe

__all__ = ["app", "cheap_hashes", "duty", "service", "service_and_tokens", "tokens"]

EXAMPLES = Path(__file__).parent.parent / "examples"
OUTAGES = b'[[outage]]\nlabel = "A shut"\nsites = ["A"]\n'


def zipped(files: dict[str, bytes], **modes: int) -> bytes:
    """Return an archive; modes by name without its ending."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = modes.get(name.split(".")[0], stat.S_IFREG | 0o600) << 16
            archive.writestr(entry, content)
    return out.getvalue()


def sent(client: Client, kind: str, dataset_id: str, files: dict[str, bytes]) -> httpx.Response:
    parts = [("files", (name, content)) for name, content in files.items()]
    return client("POST", "/api/v1/datasets", data={"kind": kind, "id": dataset_id}, files=parts)


def example(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (EXAMPLES / folder).iterdir() if path.is_file()}


def codes(answer: httpx.Response) -> list[tuple[str, str | None]]:
    return [(one["code"], one["file"]) for one in answer.json()["problems"]]


def nothing_left(service: Service) -> bool:
    """Whether no half of an upload lies about."""
    return not list((service.folder.path / "datasets").glob(".*"))


def test_an_upload_is_kept_as_it_was_sent(duty: Client, service: Service) -> None:
    made = sent(duty, "county", "heyang", example("county"))
    assert made.status_code == 201, made.text
    told = made.json()
    assert made.headers["location"] == "/api/v1/datasets/county/heyang"
    assert told["files"]["pieces.csv"] == (EXAMPLES / "county" / "pieces.csv").stat().st_size
    assert told["bytes"] == sum(told["files"].values())
    place = "/api/v1/datasets/county/heyang"
    read = duty("GET", place)
    assert (read.json(), read.headers["etag"]) == (told, made.headers["etag"])
    assert duty("GET", place, headers={"If-None-Match": read.headers["etag"]}).status_code == 304
    file = duty("GET", f"{place}/files/pieces.csv")
    assert file.content == (EXAMPLES / "county" / "pieces.csv").read_bytes()
    assert file.headers["content-disposition"].startswith("attachment")
    listed = duty("GET", "/api/v1/datasets?kind=county").json()
    assert [one["id"] for one in listed["datasets"]] == ["heyang"]
    assert nothing_left(service)
    assert (service.folder.path / "datasets" / "county" / "heyang").is_dir()


def test_one_archive_is_as_its_files_and_the_same_twice_is_as_once(duty: Client) -> None:
    files = example("county")
    packed = zipped({f"county/{name}": content for name, content in files.items()} | {"__MACOSX/x": b"x"})
    first = sent(duty, "county", "packed", {"county.zip": packed})
    plain = sent(duty, "county", "plain", files)
    assert first.json()["digest"] == plain.json()["digest"]
    again = sent(duty, "county", "plain", files)
    assert (again.status_code, again.json()["made_at"]) == (201, plain.json()["made_at"])
    other = sent(duty, "county", "plain", files | {"README.md": b"other"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


def test_the_reader_tells_all_that_is_wrong_with_file_row_and_column(duty: Client, service: Service) -> None:
    files = example("tiny")
    del files["outages.toml"]
    rows = files["demand.csv"].decode().splitlines()
    files["demand.csv"] = "\n".join([*rows, "nowhere,B,standard,5", "A,B,standard,many"]).encode()
    answer = sent(duty, "network", "broken", files)
    assert answer.status_code == 422
    found = {(one["code"], one["file"], one["row"], one["column"]) for one in answer.json()["problems"]}
    assert any(file == "demand.csv" and row for _, file, row, _ in found), found
    assert len(found) >= 2
    assert str(service.folder.path) not in answer.text
    assert duty("GET", "/api/v1/datasets/network/broken").status_code == 404
    assert "broken" not in duty("GET", "/api/v1/networks").json()["networks"]
    assert nothing_left(service)


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("outages", {"o.toml": OUTAGES}),
        ("epidemic", "epidemic"),
        ("duty", "duty"),
        ("workforce", "workforce"),
        ("scorecard", "assessment/firm-credit"),
        ("messages", "warnings/messages"),
        ("months", "outlets"),
        ("firms", "relief"),
        ("factors", "carbon/factors"),
        ("filled", {"filled.json": "safety/filled.json"}),
        ("decision", {"decision.toml": "safety/decision.toml"}),
        ("areas", {"flood.geojson": "warnings/flood.geojson"}),
        ("track", {"track.csv": "warnings/track.csv"}),
        ("table", {"trips.csv": "epidemic/trips.csv"}),
        ("rules", {"rules.toml": "workforce/rules.toml"}),
    ],
)
def test_examples_of_each_kind_are_taken(duty: Client, kind: str, files: Any) -> None:
    if isinstance(files, str):
        files = example(files)
        files.pop("filled.json", None)
    content = {n: (EXAMPLES / c).read_bytes() if isinstance(c, str) else c for n, c in files.items()}
    answer = sent(duty, kind, f"example-{kind}", content)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("kind", ["outages", "county", "duty", "epidemic", "months", "messages", "table"])
def test_rubbish_is_refused_by_every_reader_with_words(duty: Client, kind: str) -> None:
    name = {"outages": "o.toml", "duty": "duty.toml", "messages": "m.xml", "table": "t.parquet"}
    answer = sent(duty, kind, f"rubbish-{kind}", {name.get(kind, "sites.csv"): b"\xff\x00 rubbish \x00"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["problems"]


def test_a_file_may_name_no_other_file(duty: Client) -> None:
    named = OUTAGES + b'[[outage]]\nlabel = "x"\narea = "../../registers.db"\n'
    assert codes(sent(duty, "outages", "named", {"o.toml": named})) == [("bad-area", "o.toml")]
    package = b'{"name": "x", "resources": [{"name": "sites", "path": "../../networks/tiny/sites.csv"}]}'
    answer = sent(
        duty, "network", "outside", {"datapackage.json": package, "legs.csv": b"from_site,to_site\n"}
    )
    assert "path-outside" in [code for code, _ in codes(answer)]


NAMES = [
    "../sites.csv",
    "/etc/sites.csv",
    "a/../../sites.csv",
    "C:sites.csv",
    "nul.csv",
    "sites.csv.",
    "a\\b.csv",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_within_the_folder(duty: Client, service: Service, name: str) -> None:
    packed = zipped({name: b"x", "legs.csv": b"y", "COM1.csv": b"z"})
    answer = sent(duty, "county", "names", {"c.zip": packed})
    assert answer.status_code == 422
    bad = [file for code, file in codes(answer) if code == "bad-upload"]
    assert "COM1.csv" in bad
    assert len(bad) == 2, answer.text
    assert nothing_left(service)
    assert not list(service.folder.path.parent.glob("sites.csv"))


def test_links_twins_strangers_and_secrets_are_refused(duty: Client) -> None:
    link = zipped({"sites.csv": b"/etc/passwd", "legs.csv": b"x"}, sites=stat.S_IFLNK | 0o777)
    assert codes(sent(duty, "county", "x", {"c.zip": link})) == [("bad-upload", "sites.csv")]
    twins = zipped({"Sites.csv": b"x", "sites.csv": b"y"})
    assert [code for code, _ in codes(sent(duty, "county", "x", {"c.zip": twins}))] == ["bad-upload"]
    strangers = sent(duty, "county", "x", {"run.sh": b"x", "page.html": b"<script>"})
    assert codes(strangers) == [("unknown-file", "run.sh"), ("unknown-file", "page.html")]
    assert codes(sent(duty, "outages", "x", {"a.toml": OUTAGES, "b.toml": OUTAGES})) == [("too-large", None)]
    assert sent(duty, "county", "x", {}).json()["code"] == "bad-upload"  # no multipart at all
    assert codes(sent(duty, "county", "x", {"c.zip": zipped({})})) == [("missing-file", None)]
    assert codes(sent(duty, "county", "x", {"c.zip": b"PK\x03\x04 no archive"})) == [("bad-upload", "c.zip")]


def test_bombs_burst_before_they_fill_the_disk(
    duty: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "FREE_BYTES", 1_000_000)
    bomb = zipped({"pieces.csv": bytes(30_000_000)})
    assert len(bomb) < 100_000
    answer = sent(duty, "county", "bomb", {"c.zip": bomb})
    assert codes(answer) == [("too-large", "pieces.csv")]
    lying = bytearray(zipped({"pieces.csv": bytes(5_000_000)}))
    at = lying.rindex(b"PK\x01\x02") + 24  # the size that its directory tells
    lying[at : at + 4] = (10).to_bytes(4, "little")
    assert sent(duty, "county", "bomb", {"c.zip": bytes(lying)}).status_code == 422
    assert nothing_left(service)


def test_bodies_are_larger_for_this_route_only(
    duty: Client, service: Service, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from changtong.api.app import make_app

    monkeypatch.setattr("changtong.api.app.MOST_UPLOAD_BYTES", 3_000_000)
    client = Client(make_app(service), token=tokens["duty-gd"])
    answer = sent(client, "table", "two", {"two.csv": b"a\n" + b"1\n" * 1_000_000})
    assert answer.status_code == 201, answer.text
    assert sent(client, "table", "four", {"four.csv": b"1\n" * 2_000_000}).status_code == 413
    assert client("POST", "/api/v1/runs", content=b" " * 2_000_000).status_code == 413


def test_ids_are_names_and_kinds_are_known(duty: Client) -> None:
    for wrong in ("../x", "a/b", ".x", "-x", "x" * 65, "nul", "x\n", " "):
        answer = sent(duty, "outages", wrong, {"o.toml": OUTAGES})
        assert answer.status_code == 422, wrong
        assert answer.json()["problems"][0]["column"] == "id"
    assert sent(duty, "../x", "x", {"o.toml": OUTAGES}).status_code == 404
    assert sent(duty, "log", "x", {"o.toml": OUTAGES}).status_code == 404
    assert duty("POST", "/api/v1/datasets", json={"kind": "outages"}).status_code == 400
    for place in ("../../registers.db", "%2e%2e/%2e%2e/registers.db", "/etc/passwd", "", "nothing"):
        assert duty("GET", f"/api/v1/datasets/county/heyang/files/{place}").status_code == 404


def test_those_of_other_regions_are_not_there(app: FastAPI, tokens: dict[str, str], duty: Client) -> None:
    assert sent(duty, "outages", "ours", {"o.toml": OUTAGES}).status_code == 201
    network = {name: content for name, content in example("tiny").items() if name != "outages.toml"}
    assert sent(duty, "network", "our-network", network).status_code == 201
    place = "/api/v1/datasets/outages/ours"
    tag = duty("GET", place).headers["etag"]
    other = Client(app, token=tokens["duty-bj"])
    for method, path in (("GET", place), ("GET", f"{place}/files/o.toml"), ("DELETE", place)):
        there, nowhere = (
            other(method, p, headers={"If-Match": tag}) for p in (path, path.replace("ours", "no"))
        )
        assert there.status_code == nowhere.status_code == 404
        assert there.json()["detail"] == nowhere.json()["detail"]
    assert "ours" not in other("GET", "/api/v1/datasets").text
    assert other("GET", "/api/v1/networks").json() == {"networks": ["tiny"]}
    assert "our-network" in duty("GET", "/api/v1/networks").json()["networks"]
    for inputs in ({"network": "our-network"}, {"network": "tiny", "outages": "ours"}):
        answer = other("POST", "/api/v1/runs", json={"study": "plan", "inputs": inputs})
        assert answer.status_code == 422
        assert [one["code"] for one in answer.json()["problems"]] == ["not-found"]
    assert sent(other, "outages", "ours", {"o.toml": OUTAGES}).status_code == 409
    looker = Client(app, token=tokens["looker-gd"])
    assert looker("GET", place).status_code == 200
    assert sent(looker, "outages", "mine", {"o.toml": OUTAGES}).status_code == 403
    assert looker("DELETE", place, headers={"If-Match": tag}).status_code == 403


def test_who_uploads_is_asked_before_anything_is_read(app: FastAPI) -> None:
    nobody = Client(app)
    assert sent(nobody, "outages", "x", {"o.toml": OUTAGES}).status_code == 401


def test_it_is_removed_as_it_was_read_and_on_record(duty: Client, service: Service) -> None:
    assert sent(duty, "outages", "gone", {"o.toml": OUTAGES}).status_code == 201
    place = "/api/v1/datasets/outages/gone"
    tag = duty("GET", place).headers["etag"]
    assert (duty("DELETE", place).status_code, duty("DELETE", place).json()["code"]) == (
        428,
        "precondition-missing",
    )
    assert duty("DELETE", place, headers={"If-Match": '"other"'}).json()["code"] == "precondition-failed"
    assert duty("DELETE", place, headers={"If-Match": tag}).status_code == 204
    assert duty("GET", place).status_code == 404
    assert not (service.folder.path / "datasets" / "outages" / "gone").exists()
    admin = service.store.desk(service.store.sign_in("admin", ADMIN).token)
    actions = [entry["action"] for entry in admin.audit_entries("dataset", "outages/gone")]
    assert actions == ["add", "delete"]


def test_pages_follow_each_other(duty: Client) -> None:
    for number in range(4):
        assert sent(duty, "outages", f"page-{number}", {"o.toml": OUTAGES}).status_code == 201
    whole = [
        f"{one['kind']}/{one['id']}" for one in duty("GET", "/api/v1/datasets?limit=200").json()["datasets"]
    ]
    assert whole == sorted(whole)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = duty("GET", f"/api/v1/datasets?limit=3&after={after}").json()
        seen += [f"{one['kind']}/{one['id']}" for one in page["datasets"]]
        after = page["next"]
    assert seen == whole


def test_networks_put_there_by_hand_are_listed_for_all(duty: Client, app: FastAPI, tokens: Any) -> None:
    for client in (duty, Client(app, token=tokens["duty-bj"])):
        listed = client("GET", "/api/v1/datasets?kind=network").json()["datasets"]
        assert {"kind": "network", "id": "tiny"} in listed
    page = duty("GET", "/api/v1/datasets?kind=network&limit=1").json()
    assert len(page["datasets"]) == 1


def test_samples_come_and_go_in_one_call_each(
    duty: Client, service: Service, app: FastAPI, tokens: Any
) -> None:
    made = duty("POST", "/api/v1/datasets/sample", json={"level": "city"})
    assert made.status_code == 201, made.text
    names = {one["kind"]: one["id"] for one in made.json()["datasets"]}
    assert set(names) == {"network", "county"}
    assert names["network"] in duty("GET", "/api/v1/networks").json()["networks"]
    assert duty("POST", "/api/v1/datasets/sample", json={"level": "city"}).json() == made.json()
    other = Client(app, token=tokens["duty-bj"])
    assert other("DELETE", "/api/v1/datasets/sample").json() == {"removed": []}
    gone = duty("DELETE", "/api/v1/datasets/sample").json()["removed"]
    assert sorted(gone) == sorted(f"{kind}/{name}" for kind, name in names.items())
    assert not service.folder.dataset("network", names["network"]).exists()
    assert duty("GET", "/api/v1/datasets/county/" + names["county"]).status_code == 404


def test_safe_names() -> None:
    assert not any(is_safe(name) for name in NAMES if name != "a\\b.csv")
    assert is_safe("数据.csv")
    assert not is_safe("a\u202ecsv.exe")


def test_what_a_dead_server_left_is_swept(service: Service) -> None:
    from changtong.api.run_upkeep import tidy

    left = service.folder.path / "datasets" / ".x.part"
    left.mkdir()
    orphan = service.folder.work("0" * 26)
    orphan.mkdir(parents=True)
    kept = set(os.listdir(service.folder.path / "networks"))
    tidy(service.book, service.datasets, service.folder)
    assert not left.exists()
    assert not orphan.exists()
    assert set(os.listdir(service.folder.path / "networks")) == kept
