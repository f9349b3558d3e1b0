"""Filled forms from phones into the registers: each once, nothing lost, photos and hazards with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from registers_cases import (  # noqa: F401
    DIES,
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from safety_cases import POSITION, exif, filled, jpeg, photo, uuid, write_file
from supervision_cases import CITY, events_kept, office

from changtong.errors import DeniedError, InputError
from changtong.rights.scope import Scope
from changtong.safety.collect import collect
from changtong.safety.hazard import HazardEvent
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.ledger_folder import update_ledger
from changtong.storage.records import rows_to_decide
from changtong.storage.store import Desk, Store
from changtong.supervision_records import inspection_register
from changtong.supervision_records.collected import CollectedRecords
from changtong.supervision_records.hazard_register import read_hazard_register, update_hazard_register
from changtong.supervision_records.inspection_register import collect_into_registers

RULES = read_hazard_rules()
DAY = date(2026, 3, 30)
Office = tuple[Store, Desk, dict[str, Desk]]


@pytest.fixture
def there(small: tuple[Store, Desk]) -> Office:
    store, admin = small
    return store, admin, office(store, admin)


def took(desk: Desk, *files: Path, **more: Any) -> CollectedRecords:
    made = collect_into_registers(desk, files, RULES, **more)
    c = made.counts
    assert c["read"] == c["new"] + c["known"] + c["set_aside"]
    return made


def whole(desk: Desk, number: int = 1) -> dict[str, Any]:
    with desk.work(writes=False) as work:
        return dict(rows_to_decide(work, "inspection", "id", [uuid(number)])[0])


def test_an_inspection_its_photo_and_its_hazard_once(there: Office, tmp_path: Path) -> None:
    store, admin, desks = there
    file = write_file(tmp_path / "a.json", filled(1, inspectors=["wu", "Zhang San"]))
    made = took(desks["li"], file)
    assert {k: v for k, v in made.counts.items() if v} == {
        "files": 1, "read": 1, "new": 1, "photos_new": 1, "photos_cleaned": 1, "findings": 1,
        "hazards_opened": 1,
    }  # fmt: skip
    record = desks["li"].get("inspection", uuid(1))
    assert (record.organisation, record.admin_code) == ("spb-sz", "440305")
    assert (record["state"], record["findings"], record["conflict"]) == ("finished", 1, False)
    assert record["inspector"] == desks["wu"].check()
    assert record.hidden == ("answers",)
    (kept,) = desks["li"].every("attachment")
    assert (kept["about"], kept["media_type"], kept.organisation) == (uuid(1), "image/jpeg", "spb-sz")
    content = desks["li"].content(kept.id, "to look at it")
    assert POSITION not in content
    assert content.startswith(b"\xff\xd8")
    (hazard,) = read_hazard_register(desks["li"], RULES).hazards.values()
    assert (hazard.state, hazard.text, hazard.found_by, hazard.site_id, hazard.finding_id) == (
        "open", "灭火器过期", "wu", "S1", f"{uuid(1)}/r05",
    )  # fmt: skip
    assert desks["li"].get("hazard", hazard.hazard_id).organisation == "sd-ns"
    before = admin.verify_audit(with_records=True)
    assert before.whole
    again = took(desks["he"], file)
    assert (again.counts["known"], again.counts["hazards_opened"], again.counts["photos_new"]) == (1, 0, 0)
    after = admin.verify_audit(with_records=True)
    assert after.entries == before.entries  # nothing was written at all
    everything = json.dumps(
        [admin.audit_entries("inspection", uuid(1)), admin.audit_entries("hazard", hazard.hazard_id)]
    )
    assert "Zhang San" not in everything
    assert "灭火器过期" not in everything


def test_a_revision_takes_the_place_of_what_it_was_made_from_and_conflicts_are_kept(
    there: Office, tmp_path: Path
) -> None:
    _, admin, desks = there
    li, wu = desks["li"], desks["wu"]
    first = write_file(tmp_path / "1.json", filled(1))
    one = write_file(tmp_path / "2.json", filled(1, revision=2, history=(1,), site_name="changed by li"))
    other = write_file(tmp_path / "3.json", filled(1, revision=3, history=(1,), site_name="changed by wu"))
    both = write_file(tmp_path / "4.json", filled(1, revision=4, history=(1, 2, 3), site_name="settled"))
    took(li, first)
    assert took(li, one).conflicts == ()
    assert whole(li)["version"] == 2
    made = took(wu, other)
    assert made.conflicts == (uuid(1),)
    assert not made.whole
    assert li.get("inspection", uuid(1))["conflict"] is True
    heads = [one["filled"]["site_name"] for one in whole(li)["answers"]["heads"]]
    assert heads == ["changed by li", "changed by wu"]
    assert took(wu, first, one, other).counts["known"] == 3
    assert took(li, both).conflicts == ()
    assert [one["filled"]["site_name"] for one in whole(li)["answers"]["heads"]] == ["settled"]
    assert len(whole(li)["revisions"]) == 4
    assert len(list(li.every("hazard"))) == len(list(li.every("attachment"))) == 1
    assert admin.verify_audit(with_records=True).whole


def test_the_order_files_come_in_does_not_matter(there: Office, tmp_path: Path) -> None:
    _, _, desks = there
    later = write_file(tmp_path / "2.json", filled(1, revision=2, history=(1,), site_name="later"))
    first = write_file(tmp_path / "1.json", filled(1))
    took(desks["li"], later)
    assert took(desks["li"], first).counts["new"] == 1
    assert [one["filled"]["site_name"] for one in whole(desks["li"])["answers"]["heads"]] == ["later"]


def test_an_older_version_that_comes_late_takes_nothing_from_the_newer_one(
    there: Office, tmp_path: Path
) -> None:
    _, admin, desks = there
    newer = filled(1, revision=2, history=(1,), site_id="S2", inspectors=["wu"])
    took(desks["li"], write_file(tmp_path / "2.json", newer))
    before = desks["li"].get("inspection", uuid(1))
    assert before["inspector"] == desks["wu"].check()
    older = filled(1, site_id="S1", inspectors=["he"])
    assert took(desks["li"], write_file(tmp_path / "1.json", older)).findings_left == ()
    after = desks["li"].get("inspection", uuid(1))
    assert after.version == 2
    for name in ("site", "inspector", "state", "findings"):
        assert after[name] == before[name] is not None
    assert admin.verify_audit(with_records=True).whole


def test_the_same_item_at_the_same_site_is_seen_and_opened_again_within_days(
    there: Office, tmp_path: Path
) -> None:
    _, admin, desks = there
    li = desks["li"]

    def visit(number: int, day: str, name: str = "S1") -> CollectedRecords:
        times = {"begun_at": f"{day}T09:00:00+08:00", "saved_at": f"{day}T10:00:00+08:00"}
        return took(li, write_file(tmp_path / f"{number}.json", filled(number, site_id=name, **times)))

    assert visit(1, "2026-03-02").counts["hazards_opened"] == 1
    assert visit(2, "2026-03-09").counts["hazards_seen"] == 1
    assert visit(3, "2026-03-09", "S2").counts["hazards_opened"] == 1
    (name,) = [one.id for one in li.every("hazard") if one["seen"] == 1]
    at = datetime(2026, 3, 10, tzinfo=UTC)
    for who, action, more in (
        ("li", "assign", {"owner": "wu"}), ("wu", "done", {"evidence": "p"}), ("he", "pass", {}),
    ):  # fmt: skip
        update_hazard_register(desks[who], RULES, DAY, actions=[HazardEvent(name, at, action, "", **more)])
    late = visit(4, "2026-03-05")
    assert [one["reason"] for one in late.findings_left] == ["before_closing"]
    assert visit(5, "2026-04-01").counts["hazards_reopened"] == 1
    assert li.get("hazard", name)["state"] == "reopened"
    assert [one["action"] for one in events_kept(admin, "hazard", name)] == [
        "open", "seen", "assign", "done", "pass", "reopen",
    ]  # fmt: skip
    assert visit(6, "2026-04-02").counts["hazards_seen"] == 1
    assert took(li, *(tmp_path / f"{k}.json" for k in range(1, 7))).counts["known"] == 6
    assert admin.verify_audit(with_records=True).whole


def test_what_cannot_be_taken_is_set_aside_alone_and_told(there: Office, tmp_path: Path) -> None:
    store, admin, desks = there
    li = desks["li"]
    nul = filled(2, site_name="a\0b")
    broken = filled(3, photos={"p1": {"data": photo(b"GIF89a")["data"]}})
    unknown = filled(4, site_id="S99")
    form = filled(5, form={"id": "of-nobody", "version": "1"})
    file = write_file(tmp_path / "a.json", filled(1), nul, broken, unknown, form, {"no": "form"})
    made = took(li, file, tmp_path / "none.json")
    assert (made.counts["read"], made.counts["new"], made.counts["set_aside"]) == (7, 4, 3)
    assert (made.counts["photos_set_aside"], made.counts["hazards_opened"]) == (1, 2)
    assert [one["reason"] for one in made.findings_left] == ["unknown_site"]
    assert {one.code for one in made.problems} == {"bad-filled", "bad-value", "bad-photo", "unknown-form"}
    assert li.get("inspection", uuid(4))["site"] is None
    assert {one.id for one in li.every("inspection")} == {uuid(n) for n in (1, 3, 4, 5)}
    li.add("site", {"site_id": "S99", "name": "new"}, organisation="fc-ft")
    again = took(li, file)
    assert (again.counts["known"], again.counts["hazards_opened"]) == (4, 1)  # the site is known by now
    assert li.get("inspection", uuid(4))["site"] is not None
    assert admin.verify_audit(with_records=True).whole


def test_who_has_no_right_takes_nothing_in_and_it_is_on_record(there: Office, tmp_path: Path) -> None:
    store, admin, desks = there
    file = write_file(tmp_path / "a.json", filled(1))
    viewer = person(store, admin, "kan", "spb-sz", ("viewer", CITY))
    made = took(viewer, file)
    assert (made.counts["set_aside"], [one.code for one in made.problems]) == (1, ["not-allowed"])
    (entry,) = admin.audit_entries("inspection", uuid(1))
    assert entry["action"] == "refused:add"
    viewer.sign_out()
    with pytest.raises(DeniedError, match="over"):
        took(viewer, file)
    took(desks["li"], file)
    li = desks["li"]
    with pytest.raises(InputError, match="kept-by-ledger"):
        li.change("inspection", uuid(1), 1, {"answers": {}})


def test_what_was_reviewed_takes_no_revision(there: Office, tmp_path: Path) -> None:
    store, admin, desks = there
    took(desks["li"], write_file(tmp_path / "1.json", filled(1)))
    above = person(store, admin, "shang", "spb-gd", ("inspector", Scope(region="440000")))
    above.change("inspection", uuid(1), 1, {"state": "reviewed"})
    made = took(desks["li"], write_file(tmp_path / "2.json", filled(1, revision=2, history=(1,))))
    assert (made.counts["set_aside"], [one.code for one in made.problems]) == (1, ["bad-state"])


def test_answers_to_personal_items_stay_in_personal_columns(there: Office, tmp_path: Path) -> None:
    _, admin, desks = there
    folder = tmp_path / "forms"
    folder.mkdir()
    (folder / "f.toml").write_text(
        """
id = "private"
version = "1"
title_zh = "甲"
title_en = "A"
provenance = "synthetic"
source = "made up"
[[sections]]
id = "s"
zh = "甲"
en = "A"
[[items]]
id = "sender"
number = "1"
section = "s"
kind = "choice"
zh = "寄件人证件是否有误"
en = "Is the sender's paper wrong"
required = "always"
personal = true
options = [{ code = "secret", zh = "是", en = "yes" }, { code = "ok", zh = "否", en = "no" }]
bad = ["secret"]
finding = { kind = "fire", grade = "general" }
""",
        "utf-8",
    )
    answers = {"sender": {"value": "secret", "note": "王小明 13800000000"}}
    file = write_file(
        tmp_path / "a.json",
        filled(1, form={"id": "private", "version": "1"}, answers=answers, photos={}),
    )
    assert took(desks["li"], file, forms_folder=folder).counts["hazards_opened"] == 1
    (hazard,) = desks["li"].every("hazard")
    assert hazard["title"] == "寄件人证件是否有误"
    shown = json.dumps(
        [dict(hazard.values), dict(desks["li"].get("inspection", uuid(1)).values)], default=str
    )
    assert "王小明" not in shown
    assert "secret" not in shown
    assert "王小明" not in json.dumps(events_kept(admin, "hazard", hazard.id))
    seen = desks["li"].reveal("inspection", uuid(1), "to call the sender")
    assert "王小明" in json.dumps(seen["answers"], ensure_ascii=False)


def test_files_and_registers_open_the_same_hazards(there: Office, tmp_path: Path) -> None:
    _, _, desks = there
    some = [
        filled(1), filled(2, site_id="S1", saved_at="2026-03-03T10:00:00+08:00"), filled(3, site_id="S2"),
        filled(6, site_id="S3", answers={"r05": {"value": True, "rectify": False}}),
    ]  # fmt: skip
    more = {"r05": {"value": True, "note": "later"}, "r06": {"value": True}}
    revised = filled(1, revision=2, history=(1,), saved_at="2026-03-04T10:00:00+08:00", answers=more)
    for number, sent in enumerate((some, [revised, some[0]])):
        for one in sent:
            one["inspectors"] = ["li"]
        file = write_file(tmp_path / f"{number}.json", *sent)
        collect([file], tmp_path / "C")
        files = update_ledger(tmp_path / "L", RULES, DAY, collection=tmp_path / "C")
        took(desks["li"], file)
    ours = update_hazard_register(desks["li"], RULES, DAY)
    assert ours.ledger.table().sort("hazard_id").equals(files.ledger.table().sort("hazard_id"))
    assert ours.due.sort("hazard_id").equals(files.due.sort("hazard_id"))
    assert ours.summary.equals(files.summary)


def test_two_send_the_same_at_once(there: Office, tmp_path: Path) -> None:
    _, admin, desks = there
    some = [filled(number, site_id=f"S{number % 2 + 1}") for number in range(1, 13)]
    ways = [
        write_file(tmp_path / "a.json", *some), write_file(tmp_path / "b.json", *reversed(some)),
        write_file(tmp_path / "c.json", *some[6:], *some[:6]),
    ]  # fmt: skip
    gate, made = threading.Barrier(3), {}

    def send(name: str, file: Path) -> None:
        gate.wait()
        made[name] = took(desks[name], file)

    threads = [
        threading.Thread(target=send, args=pair) for pair in zip(("li", "wu", "he"), ways, strict=True)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(made) == 3
    total = {key: sum(one.counts[key] for one in made.values()) for key in ("new", "known", "set_aside")}
    assert total == {"new": 12, "known": 24, "set_aside": 0}, [one.problems for one in made.values()]
    assert sum(one.counts["hazards_opened"] for one in made.values()) == 2
    assert sum(one.counts["hazards_seen"] for one in made.values()) == 10
    assert len(list(desks["li"].every("hazard"))) == 2
    assert len(list(desks["li"].every("attachment"))) == 12
    assert admin.verify_audit(with_records=True).whole


KILLED = f"""{DIES}
from changtong.storage.store import open_store
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.supervision_records import inspection_register
place, files, token, export = sys.argv[1:-1]
inspection_register.AT_ONCE = 3
with open_store(place, files=files) as store:
    desk = store.desk(token)
    inspection_register.collect_into_registers(desk, [export], read_hazard_rules())
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 7, 20])
def test_killed_half_way_and_sent_again_nothing_is_twice_and_nothing_lost(
    there: Office, place: str, tmp_path: Path, after: int
) -> None:
    _, admin, desks = there
    some = [
        filled(number, site_id="S1", photos={"p1": photo(jpeg(exif(), after=bytes([number])))})
        for number in range(1, 11)
    ]
    file = write_file(tmp_path / "a.json", *some)
    arguments = (place, str(tmp_path / "files"), desks["li"]._token, str(file), str(after))
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=os.environ, capture_output=True)
    assert ended.returncode == 9, ended.stderr
    there_now = len(list(desks["li"].every("inspection")))
    assert there_now == {0: 0, 7: 0, 20: 6}[after]  # whole transactions of three, or nothing
    made = took(desks["li"], file)
    assert (made.counts["known"], made.counts["new"]) == (there_now, 10 - there_now)
    assert len(list(desks["li"].every("inspection"))) == 10
    (hazard,) = desks["li"].every("hazard")
    assert (hazard["seen"], hazard["event_count"]) == (9, 10)
    assert len({one["about"] for one in desks["li"].every("attachment")}) == 10
    assert admin.verify_audit(with_records=True).whole


def test_parts_of_a_transaction_add_up_whatever_their_size(
    there: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, desks = there
    monkeypatch.setattr(inspection_register, "AT_ONCE", 2)
    file = write_file(tmp_path / "a.json", *(filled(number, site_id="S1") for number in range(1, 6)))
    made = took(desks["li"], file)
    assert (made.counts["new"], made.counts["hazards_opened"], made.counts["hazards_seen"]) == (5, 1, 4)
