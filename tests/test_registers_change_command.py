"""Records shown and changed by command, organisations as a tree, and what the audit tells of a record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from registers_cases import ADMIN, cheap_hashes  # noqa: F401
from test_registers_command import made, ran, words  # noqa: F401

from changtong.cli import main
from changtong.storage.store import open_store

Made = tuple[str, str]


@pytest.fixture
def site(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, str]:  # noqa: F811
    """Registers, a token of a planner, and the id of a site with a person to call."""
    place, token = made
    ran(capsys, "registers", "give", place, "admin", "planner", "--token", token, "--everywhere")
    file = tmp_path / "sites.csv"
    file.write_text("site_id,name,contact_phone\nA,甲,13800138000\n", "utf-8")
    ran(capsys, "registers", "load", place, "site", str(file), "--token", token)
    (row,) = ran(capsys, "registers", "list", place, "site", "--token", token)["records"]  # type: ignore[misc]
    return place, token, row["id"]


def changed(
    capsys: pytest.CaptureFixture[str], site: tuple[str, str, str], *arguments: str, code: int = 0
) -> dict[str, object]:
    place, token, record = site
    return ran(capsys, "registers", "change", place, "site", record, *arguments, "--token", token, code=code)


def test_a_change_names_the_version_it_has_read(
    site: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    place, token, record = site
    shown = ran(capsys, "registers", "show", place, "site", record, "--token", token)
    assert (shown["version"], shown["contact_phone"], shown["lon"]) == (1, "138******00", None)
    first = changed(
        capsys, site, "--version", "1", "--set", "status=paused", "--set", "lon=114.05",
        "--set", 'details={"a": 1}', "--set", "status_since=2026-11-01T08:00+08:00",
    )  # fmt: skip
    assert (first["version"], first["status"], first["lon"], first["details"]) == (
        2,
        "paused",
        114.05,
        {"a": 1},
    )
    told = changed(capsys, site, "--version", "1", "--set", "status=closed", code=2)
    assert told["error"] == "conflict"
    assert "at version 2" in str(told["message"])
    assert "status=paused" in str(told["message"])
    again = ran(capsys, "registers", "show", place, "site", record, "--token", token)
    assert again == first
    emptied = changed(capsys, site, "--version", "2", "--set", "lon=")
    assert (emptied["version"], emptied["lon"], emptied["status"]) == (3, None, "paused")


def test_personal_data_come_from_a_file_and_are_told_masked(
    site: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, token, record = site
    told = changed(capsys, site, "--version", "1", "--set", "contact_phone=13912345678", code=2)
    assert told["error"] == "bad-usage"
    assert "13912345678" not in str(told)
    file = tmp_path / "values.json"
    file.write_text(json.dumps({"contact_phone": "13912345678", "contact_name": "王小明"}), "utf-8")
    made = changed(capsys, site, "--version", "1", "--values", str(file))
    assert (made["contact_phone"], made["contact_name"]) == ("139******78", "王**")
    told = changed(capsys, site, "--version", "1", "--values", str(file), code=2)
    assert told["error"] == "conflict"
    assert "王小明" not in str(told)
    assert "13912345678" not in str(told)
    with open_store(place) as store:
        entries = store.desk(Path(token).read_text("utf-8").strip()).audit_entries("site", record)
    assert "13912345678" not in str(entries)
    assert "王小明" not in str(entries)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "bad-usage"),
        (("--set", "status"), "bad-usage"),
        (("--set", "=x"), "bad-usage"),
        (("--set", "status=open", "--set", "status=closed"), "bad-usage"),
        (("--set", "status=shut"), "bad-value"),
        (("--set", "lon=x", "--set", "nothing=1"), "bad-value"),
        (("--set", "name="), "missing-value"),
        (("--values", "none.json"), "missing-file"),
        (("--values", "list.json"), "unreadable-file"),
        (("--values", "half.json"), "unreadable-file"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(
    site: tuple[str, str, str],
    arguments: tuple[str, ...],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1]", "utf-8")
    Path("half.json").write_text('{"name": ', "utf-8")
    told = changed(capsys, site, "--version", "1", *arguments, code=2)
    codes = {told["error"], *(p["code"] for p in told["problems"])}  # type: ignore[attr-defined]
    assert code in codes
    place, token, record = site
    shown = ran(capsys, "registers", "show", place, "site", record, "--token", token)
    assert (shown["version"], shown["status"], shown["name"]) == (1, "open", "甲")


def test_the_audit_tells_what_was_done_with_a_record(
    site: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    place, token, record = site
    changed(
        capsys, site, "--version", "1", "--set", "status=paused", "--set", "status_reason=x",
        "--set", "status_since=2026-11-01T08:00+08:00", "--reason", "decision 3",
    )  # fmt: skip
    asked = ("audit", "entries", place, "site", record, "--token", token)
    added, done = ran(capsys, *asked)["entries"]  # type: ignore[misc]
    assert (added["action"], added["by"], done["action"], done["by"]) == ("add", "admin", "change", "admin")
    assert done["reason"] == "decision 3"
    assert done["detail"]["values"]["status"] == ["open", "paused"]
    assert main(list(asked)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "status: open" in first
    assert "contact_phone" in first
    assert "13800138000" not in first
    assert "status: open → paused" in second
    assert "status_since: 2026-11-01T00:00:00+00:00" in second
    assert second.endswith("status_reason  decision 3")
    assert ran(capsys, "audit", "entries", place, "site", "nobody", "--token", token) == {"entries": []}
    told = ran(capsys, "audit", "entries", place, "sites", record, "--token", token, code=2)
    assert told["error"] == "unknown-register"


def test_who_may_not_see_the_audit_is_told_no_entry(
    site: tuple[str, str, str],
    words: dict[str, str],  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, token, record = site
    ran(
        capsys, "registers", "add-user", place, "li", "--token", token, "--organisation", "spb",
        "--password-file", words["first"],
    )  # fmt: skip
    ran(capsys, "registers", "give", place, "li", "viewer", "--token", token, "--everywhere")
    ran(
        capsys, "registers", "password", place, "li", "--old-password-file", words["first"],
        "--new-password-file", words["own"],
    )  # fmt: skip
    li = str(tmp_path / "li.token")
    ran(capsys, "registers", "sign-in", place, "li", "--password-file", words["own"], "-o", li)
    asked = ("audit", "entries", place, "site", record, "--token", li)
    assert ran(capsys, *asked, code=2)["error"] == "not-allowed"
    told = ran(
        capsys, "registers", "change", place, "site", record, "--version", "1", "--set", "status=closed",
        "--token", li, code=2,
    )  # fmt: skip
    assert told["error"] == "not-allowed"


def test_organisations_are_told_as_a_tree(made: Made, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    place, token = made
    for name, kind, code, parent, own in (
        ("广东省", "province", "440000", "spb", "gd"), ("深圳市", "city", "440300", "gd", "sz")
    ):  # fmt: skip
        ran(
            capsys, "registers", "add-organisation", place, name, "--kind", kind, "--admin-code", code,
            "--parent", parent, "--organisation-id", own, "--token", token,
        )  # fmt: skip
    found = ran(capsys, "registers", "organisations", place, "--token", token)["organisations"]
    assert [(each["id"], each["parent"]) for each in found] == [  # type: ignore[attr-defined]
        ("spb", None), ("gd", "spb"), ("sz", "gd")
    ]  # fmt: skip
    assert main(["registers", "organisations", place, "--token", token]) == 0
    assert [line.split("  ")[:-3] for line in capsys.readouterr().out.splitlines()] == [
        ["spb"], ["", "gd"], ["", "", "sz"]
    ]  # fmt: skip
