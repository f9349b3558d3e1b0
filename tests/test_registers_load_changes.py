"""A file that changes what is there: tried first, then all of it or nothing; tables that come back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from register_api_cases import app_of, client, officer, refused
from registers_cases import (
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    site,
    small,
    small_database,
    small_file,
)

from changtong.cli import main
from changtong.errors import ConflictError, InputError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.pages import Query
from changtong.storage.record_tables import template_of, whole_table
from changtong.storage.store import Desk, Store
from changtong.workbook_sheets import read_sheet

__all__ = ["cheap_hashes", "place", "postgres", "small", "small_database", "small_file"]

Small = tuple[Store, Desk]


@pytest.fixture
def li(small: Small) -> Desk:
    return officer(*small, "li")


@pytest.fixture
def app(small: Small, tmp_path: Path) -> FastAPI:
    return app_of(small[0], tmp_path)


def written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def told(call: Any) -> set[tuple[str, int | None, str | None]]:
    with pytest.raises(InputError) as found:
        call()
    return {(one.code, one.row, one.column) for one in found.value.problems}


def test_a_dry_run_counts_and_leaves_nothing(small: Small, li: Desk, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        li.add("site", site(number, contact_name="王小明"))
    file = written(
        tmp_path / "s.csv",
        "site_id,name,lon,contact_name\nS1,改名,,\nS2,网点 2,,王**\nS4,新的,114.1,\nS3,网点 3,here,\nS5,,,\n",
    )
    head = small[1].verify_audit().head
    tried = li.try_table("site", file, changes=True)
    assert (tried.new, tried.changed, tried.unchanged, tried.refused) == (1, 1, 1, 2)
    assert {(one.code, one.row, one.column) for one in tried.problems} == {
        ("bad-value", 4, "lon"), ("missing-value", 5, "name"),
    }  # fmt: skip
    assert [one["name"] for one in li.every("site", Query(newest_first=False))] == [
        "网点 1",
        "网点 2",
        "网点 3",
    ]
    assert small[1].verify_audit().head == head
    # without --changes what is there is refused, as ever
    assert ("duplicate-record", 1, "site_id") in told(lambda: li.load_table("site", file))


def test_what_was_seen_is_changed_or_nothing(small: Small, li: Desk, tmp_path: Path) -> None:
    made = li.add("site", site(1, contact_name="王小明", status_reason="装修"))
    file = written(tmp_path / "s.csv", "site_id,name,status_reason,contact_name\nS1,改名,,王**\nS2,新的,,\n")
    assert told(lambda: li.load_table("site", file, changes=True)) == {("missing-value", 1, "version")}
    seen = li.try_table("site", file, changes=True).seen
    li.change("site", made.id, 1, {"filing_no": "7"})
    with pytest.raises(ConflictError):
        li.load_table("site", file, changes=True, seen=seen)
    assert li.get("site", made.id)["name"] == "网点 1"
    assert len(list(li.every("site"))) == 1
    seen = li.try_table("site", file, changes=True).seen
    done = li.load_table("site", file, "checked on site", changes=True, seen=seen)
    assert (done.new, done.changed) == (1, 1)
    now = li.reveal("site", made.id, "to look")
    # an empty cell leaves what is there, and what came back masked is what it was
    assert (now["name"], now["status_reason"], now["contact_name"]) == ("改名", "装修", "王小明")
    entry = small[1].audit_entries("site", made.id)[-2]
    assert (entry["action"], entry["reason"]) == ("change", "checked on site")
    assert small[1].verify_audit(with_records=True).whole


def test_rows_that_name_their_version_meet_others_one_by_one(li: Desk, tmp_path: Path) -> None:
    one, two = (li.add("site", site(number)) for number in (1, 2))
    li.change("site", two.id, 1, {"name": "别人改的"})
    text = f"id,version,name,organisation\n{one.id},1,改一,\n{two.id},1,改二,\n{one.id},1,再改,spb\n"
    found = told(lambda: li.load_table("site", written(tmp_path / "s.csv", text), changes=True))
    assert found == {
        ("conflict", 2, "version"), ("conflict", 3, "version"), ("bad-value", 3, "organisation"),
        ("duplicate-record", 3, "id"),
    }  # fmt: skip
    text = f"id,version,name\n{one.id},1,改一\n{two.id},2,改二\n"
    assert li.load_table("site", written(tmp_path / "s.csv", text), changes=True).changed == 2


def test_states_rights_and_ledgers_hold_for_files_too(small: Small, li: Desk, tmp_path: Path) -> None:
    made = li.add("hazard", hazard())
    closed = written(tmp_path / "h.csv", f"id,version,state\n{made.id},1,closed\n")
    assert told(lambda: li.load_table("hazard", closed, changes=True)) == {("bad-state", 1, "state")}
    looker = person(*small, "vi", "spb-gd", ("viewer", Scope(region="440000")))
    title = written(tmp_path / "t.csv", f"id,version,title\n{made.id},1,other\n")
    assert told(lambda: looker.load_table("hazard", title, changes=True)) == {("not-allowed", 1, "id")}
    bei = person(*small, "bei", "spb-bj", ("duty_officer", Scope(region="110000")))
    assert ("duplicate-record", 1, "id") in told(lambda: bei.load_table("hazard", title, changes=True))
    for kind in ("attachment", "rights_ticket"):
        with pytest.raises(UsageError):
            li.try_table(kind, title, changes=True)


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_table_comes_back_unchanged(li: Desk, tmp_path: Path, ending: str) -> None:
    li.add("site", site(1, name="=1+1", lon=-0.5, details={"a": [1]}, contact_phone="13812345678"))
    li.add("site", site(2, name="'-x"))
    file = tmp_path / f"site.{ending}"
    file.write_bytes(whole_table(li, "site", Query(limit=1), ending))
    done = li.load_table("site", file, changes=True)
    assert (done.new, done.changed, done.unchanged) == (0, 0, 2)
    li.add("hazard", hazard())
    (tmp_path / f"hazard.{ending}").write_bytes(whole_table(li, "hazard", Query(), ending))
    assert li.load_table("hazard", tmp_path / f"hazard.{ending}", changes=True).unchanged == 1


def test_a_template_has_what_may_be_filled_in(li: Desk, tmp_path: Path) -> None:
    file = tmp_path / "hazard.xlsx"
    file.write_bytes(template_of("hazard", "xlsx"))
    head = read_sheet(file, "hazard").as_csv().splitlines()[0].split(",")
    assert {"title", "deadline", "id", "organisation"} <= set(head)
    assert "version" not in head
    assert head == next(csv.reader(io.StringIO(template_of("hazard", "csv").decode("utf-8-sig"))))
    text = read_sheet(file, "columns").as_csv()
    assert "general, major" in text.replace('"', "") or "general" in text
    assert li.load("hazard", file) == 0


def test_the_api_and_the_command_tell_the_same(
    small: Small, li: Desk, app: FastAPI, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    li.add("site", site(1))
    good = written(tmp_path / "site.csv", "site_id,name\nS1,改名\nS2,新的\n")
    bad = written(tmp_path / "bad.csv", "site_id,name,lon\nS3,=x,x\n")
    token = written(tmp_path / "li.token", li._token)
    ask = client(app, li)

    def posted(file: Path, **texts: str) -> Any:
        return ask(
            "POST", "/api/v1/records/site/load", files={"file": ("site.csv", file.read_bytes())}, data=texts
        )

    def ran(*arguments: str, code: int = 0) -> Any:
        assert main(["registers", "load", place, "site", *arguments, "--token", str(token), "--json"]) == code
        return json.loads(capsys.readouterr().out)

    tried = posted(good, changes="true", dry_run="true")
    assert (tried.status_code, tried.json()["added"], tried.json()["changed"]) == (200, 1, 1)
    assert ran(str(good), "--changes", "--dry-run") == tried.json()
    wrong = posted(bad, changes="true", dry_run="true").json()
    assert wrong["problems"][0]["title"]
    problems = tmp_path / "problems.csv"
    by_command = ran(str(bad), "--changes", "--dry-run", "--problems", str(problems), code=1)
    without = [
        {name: one[name] for name in one if name not in ("title", "file")} for one in wrong["problems"]
    ]
    assert [{name: one[name] for name in one if name != "file"} for one in by_command["problems"]] == without
    table = posted(bad, changes="true", dry_run="true", format="csv")
    (row,) = csv.DictReader(io.StringIO(table.text.removeprefix("\ufeff")))
    assert (row["row"], row["column"], row["code"]) == ("1", "lon", "bad-value")
    assert "bad-value" in problems.read_text("utf-8-sig")
    assert refused(posted(good, changes="true", seen="other")) == (412, "precondition-failed")
    done = posted(good, changes="true", seen=tried.json()["seen"])
    assert (done.status_code, done.json()) == (201, {"added": 1, "changed": 1, "unchanged": 0, "refused": 0})
    assert ran(str(good), "--changes")["unchanged"] == 2
    sheet = ask("GET", "/api/v1/records/site?format=xlsx&whole=true&status=open")
    assert sheet.headers["content-disposition"] == 'attachment; filename="site.xlsx"'
    listed = tmp_path / "out.csv"
    assert main(["registers", "list", place, "site", "--token", str(token), "-o", str(listed)]) == 0
    assert ask("GET", "/api/v1/records/site?format=csv&whole=true").content == listed.read_bytes()
    assert ask("GET", "/api/v1/record-templates/site?format=csv").text.startswith("\ufeffsite_id,")
    assert refused(ask("GET", "/api/v1/record-templates/rights_ticket"))[0] == 404
    looker = client(app, person(*small, "vi", "spb-gd", ("viewer", Scope(region="440000"))))
    assert looker("GET", "/api/v1/record-templates/site").status_code == 404
    out = tmp_path / "template.csv"
    assert main(["registers", "template", "site", "-o", str(out)]) == 0
