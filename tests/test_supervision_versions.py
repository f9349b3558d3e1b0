"""Versions of an inspection in conflict: shown side by side, settled by a new one, nothing lost."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from registers_cases import (  # noqa: F401
    cheap_hashes,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from safety_cases import filled, photo, png, uuid, write_file
from supervision_cases import office

from browser import CHROMIUM, FRAME, opened
from changtong.cli import main
from changtong.errors import UsageError
from changtong.safety.collect import collect
from changtong.safety.collection import read_collection
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.versions import settle, versions_in_conflict
from changtong.storage.store import Desk, Store
from changtong.supervision_records.inspection_register import collect_into_registers

AT = datetime(2026, 3, 3, 8, tzinfo=UTC)
BROKEN = {"value": True, "note": "灭火器过期", "rectify": True, "photos": ["p1"]}


def pair() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """An inspection, and two versions made from it: both have a photo p1, and not the same one."""
    first = filled(1)
    one = filled(
        1,
        revision=2,
        history=(1,),
        device_id=uuid(7),
        saved_at="2026-03-02T10:00:00+08:00",
        answers={"r05": BROKEN | {"note": "两具过期"}, "r06": {"value": True}},
    )
    two = filled(
        1,
        revision=3,
        history=(1,),
        saved_at="2026-03-02T11:00:00+08:00",
        inspectors=["I3"],
        answers={"r05": BROKEN, "r07": {"value": False}},
        photos={"p1": photo(png())},
    )
    return first, one, two


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "C"
    collect([write_file(tmp_path / "a.json", *pair())], made)
    return made


def test_rows_that_differ_stand_side_by_side_with_who_when_and_where(folder: Path) -> None:
    (found,) = versions_in_conflict(folder)
    assert [head["revision_id"] for head in found.heads()] == [uuid(1002), uuid(1003)]
    assert [head["device_id"] for head in found.heads()] == [uuid(7), uuid(9)]
    assert [row.id for row in found.differing] == ["@inspectors", "r05", "r06", "r07"]
    rows = {row.id: row for row in found.rows}
    assert [cell.zh for cell in rows["@inspectors"].cells] == ["I1 · I2", "I3"]
    assert [(c.en, c.note, c.rectify, c.photos) for c in rows["r05"].cells] == [
        ("yes", "两具过期", True, 1),
        ("yes", "灭火器过期", True, 1),
    ]
    assert [cell.en for cell in rows["r07"].cells] == ["", "no"]
    assert not rows["@site"].differs


def test_versions_that_differ_in_a_photo_alone_differ(tmp_path: Path) -> None:
    _, one, two = pair()
    same = one | {"revision_id": uuid(1003), "photos": two["photos"]}
    collect([write_file(tmp_path / "a.json", one, same)], tmp_path / "C")
    (found,) = versions_in_conflict(tmp_path / "C")
    assert [row.id for row in found.differing] == ["r05"]


def test_personal_answers_are_not_shown_and_told_to_differ(tmp_path: Path) -> None:
    made = []
    for revision, secret in ((1, "SF1234567"), (2, "SF7654321")):
        form = {"id": "unheard-of", "version": "1"}
        made.append(filled(1, revision=revision, form=form, answers={"q": {"value": secret}}, photos={}))
    collect([write_file(tmp_path / "a.json", *made)], tmp_path / "C")
    (found,) = versions_in_conflict(tmp_path / "C")
    (row,) = found.differing
    assert all(cell.hidden for cell in row.cells)
    shown = str(found) + json.dumps(found.to_json())
    assert not re.search("SF[17]", shown)
    assert main(["safety", "versions", str(tmp_path / "C"), "-o", str(tmp_path / "v.html")]) == 1
    assert "SF1234567" not in (tmp_path / "v.html").read_text("utf-8")


def test_one_version_with_rows_of_the_other_settles_it_and_both_are_kept(
    folder: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in (folder / "filled").iterdir()}
    (found,) = versions_in_conflict(folder)
    rows = {"r05": uuid(1003), "r06": uuid(1003), "@inspectors": uuid(1003)}
    made = settle(found, folder, take=uuid(1002), rows=rows, by="王", at=AT)
    (new,) = made["inspections"]
    assert new["history"] == [uuid(1001), uuid(1002), uuid(1003)]
    assert new["inspectors"] == ["I3"]
    assert new["settled"] == {"by": "王", "taken": uuid(1002), "rows": rows}
    assert set(new["answers"]) == {"r05"}  # the other has no answer to r06
    assert new["answers"]["r05"] == BROKEN | {"photos": ["p1-2"]}  # its own p1 has the same name
    path = tmp_path / "settled.json"
    path.write_text(json.dumps(made), "utf-8")
    taken = collect([path], folder)
    assert (taken.new, taken.set_aside, taken.summary()["conflicts"]) == (1, 0, 0)
    states = dict(read_collection(folder).inspections.select("revision_id", "state").iter_rows())
    assert {state for name, state in states.items() if name != new["revision_id"]} == {"superseded"}
    assert states[new["revision_id"]] == "current"
    assert {name: (folder / "filled" / name).read_bytes() for name in before} == before
    after = read_collection(folder)
    photos = after.photos.join(after.inspections.select("digest", "revision_id"), "digest")
    rows_of = photos.select("revision_id", "photo_id", "sha256").iter_rows()
    sha = {(revision, name): digest for revision, name, digest in rows_of}
    assert sha[new["revision_id"], "p1"] == sha[uuid(1002), "p1"]
    assert sha[new["revision_id"], "p1-2"] == sha[uuid(1003), "p1"] != sha[uuid(1002), "p1"]
    assert versions_in_conflict(folder) == ()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_telephone_and_a_desk_and_switches_the_language(
    folder: Path, tmp_path: Path, width: int
) -> None:
    page, outer = tmp_path / "v.html", tmp_path / "outer.html"
    assert main(["safety", "versions", str(folder), "-o", str(page)]) == 1
    outer.write_text(FRAME.format(address=page.as_uri(), width=width), "utf-8")
    said = opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files", "--window-size=1400,1000")
    assert re.search(r"wide (\d+) of (\d+)", said).groups() == (str(width), str(width))  # type: ignore[union-attr]
    if width == 390:
        switched = opened(f"{page.as_uri()}#language=en", tmp_path)
        assert re.search('<html lang="en"[^>]*data-language="en"', switched)
        assert re.search('data-set-language="en" aria-pressed="true"', switched)


def test_wrong_choices_are_told(folder: Path) -> None:
    (found,) = versions_in_conflict(folder)
    for more, code in (
        ({"take": uuid(1001)}, "unknown-version"),  # superseded: no version in conflict
        ({"take": "0000"}, "unknown-version"),  # both begin so
        ({"take": ""}, "unknown-version"),
        ({"rows": {"nowhere": uuid(1002)}}, "unknown-row"),
        ({"rows": {"r05": "f"}}, "unknown-version"),
        ({"by": " "}, "wrong-use"),
    ):
        ask: dict[str, Any] = {"take": uuid(1002), "by": "W", "at": AT} | more
        with pytest.raises(UsageError) as caught:
            settle(found, folder, **ask)
        assert code == "wrong-use" or caught.value.code == code


def test_commands_and_python_agree_and_registers_are_settled_by_the_same_file(
    small: tuple[Store, Desk], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, admin = small
    li = office(store, admin)["li"]
    export, folder, out = tmp_path / "a.json", tmp_path / "C", tmp_path / "settled.json"
    write_file(export, *pair())
    assert main(["safety", "collect", str(export), "-o", str(folder)]) == 1
    capsys.readouterr()
    page = tmp_path / "v.html"
    assert main(["safety", "versions", str(folder), "-o", str(page), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["inspections"] == [one.to_json() for one in versions_in_conflict(folder)]
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text("utf-8")
    assert {"两具过期", uuid(1003), "检查记录版本对照"} <= {
        part for part in ("两具过期", uuid(1003), "检查记录版本对照") if part in text
    }
    assert not re.search(r"https?://", re.sub(r"<script.*?</script>", "", text, flags=re.S))
    ask = ["safety", "settle", str(folder), "--by", "W", "-o", str(out), "--json"]
    assert main([*ask, "--take", uuid(1003), "--row", f"r05={uuid(1002)}"]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    made = json.loads(capsys.readouterr().out)
    assert made["settled"]["rows"] == {"r05": uuid(1002)}
    rules = read_hazard_rules()
    assert collect_into_registers(li, [export], rules).conflicts == (uuid(1),)
    settled = collect_into_registers(li, [out], rules)
    assert (settled.counts["new"], settled.conflicts) == (1, ())
    assert admin.verify_audit(with_records=True).whole
    assert main(["safety", "collect", str(out), "-o", str(folder), "--json"]) == 0
    capsys.readouterr()
    assert main(["safety", "versions", str(folder)]) == 0
    assert "No versions are in conflict" in capsys.readouterr().out
    for wrong in ([*ask, "--take", uuid(1003)], ["safety", "versions", str(folder), "--inspection", uuid(5)]):
        assert main(wrong) == 2
        said = capsys.readouterr()
        assert "conflict" in said.out + said.err
