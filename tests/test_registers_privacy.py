"""Personal data in the registers: masked wherever shown, looked at on record, searched for, given back."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from registers_cases import (  # noqa: F401
    OWN,
    cheap_hashes,
    hazard,
    person,
    place,
    postgres,
    region,
    site,
    small,
    small_database,
    small_file,
)

from changtong.errors import DeniedError, InputError, NotFoundError, UsageError
from changtong.privacy.key_file import new_keys
from changtong.privacy.masks import mask
from changtong.privacy.pseudonyms import seal
from changtong.rights.scope import Scope
from changtong.storage import attachment_search, attachments, personal_search, work
from changtong.storage.definitions import REGISTERS, register_columns
from changtong.storage.personal_search import find_in_registers
from changtong.storage.pseudonym_looks import reveal_pseudonyms
from changtong.storage.records import record_of
from changtong.storage.store import Desk, Store, open_store

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
WHO, NUMBER = "王小明", "13800138000"


def code_of(call: object) -> str:
    with pytest.raises((UsageError, DeniedError, InputError, NotFoundError)) as caught:
        call()  # type: ignore[operator]
    error = caught.value
    return error.problems[0].code if isinstance(error, InputError) else error.code


def test_every_doorway_shows_masks_and_only_a_look_on_record_the_values(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    viewer = person(store, admin, "wei", "sd-ns", ("viewer", Scope("/sd/sd-gd/sd-sz/sd-ns/")))
    made = li.add("site", site(1, contact_name=WHO, contact_phone=NUMBER), organisation="sd-ns")
    masks = ("王**", mask("phone", NUMBER))
    for desk in (li, viewer, admin):
        shown = [desk.get("site", made.id), desk.page("site").records[0], next(desk.every("site"))]
        assert [(one["contact_name"], one["contact_phone"]) for one in shown] == [masks] * 3
        assert all(set(one.hidden) == {"contact_name", "contact_phone"} for one in shown)
    one = li.reveal("site", made.id, "calling", ["contact_phone"])
    assert (one["contact_name"], one["contact_phone"], one.hidden) == ("王**", NUMBER, ("contact_name",))
    assert li.reveal("site", made.id, "calling again").hidden == ()
    looks = [e for e in admin.audit_entries("site", made.id) if e["action"] == "reveal"]
    assert [json.loads(entry["detail"])["columns"] for entry in looks] == [
        ["contact_phone"], ["contact_name", "contact_phone"],
    ]  # fmt: skip
    assert code_of(lambda: li.reveal("site", made.id, "x", ["name"])) == "no-personal-column"
    assert code_of(lambda: li.reveal("site", made.id, " ")) == "reason-missing"
    assert code_of(lambda: viewer.reveal("site", made.id, "curious")) == "not-allowed"
    assert code_of(lambda: admin.reveal("site", made.id, "curious")) == "not-allowed"


def test_every_declared_column_is_masked_whatever_its_type() -> None:
    for kind in REGISTERS:
        columns = register_columns(kind)
        row = dict.fromkeys(columns) | dict.fromkeys(
            ("id", "organisation", "path", "admin_code", "version", "created_at", "created_by", "updated_at",
             "updated_by"), "x",
        )  # fmt: skip
        for name, column in columns.items():
            if column.mask:
                row[name] = [{"who": WHO}] if column.type == "json" else f"{WHO} {NUMBER}"
        made = record_of(kind, row)
        assert set(made.hidden) == {name for name, column in columns.items() if column.mask}
        assert WHO not in repr(dict(made.values))
        assert NUMBER not in repr(dict(made.values))


def test_a_mask_given_back_changes_nothing(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1, contact_name=WHO, contact_phone=NUMBER))
    after = li.change("site", made.id, 1, dict(made.values) | {"name": "new"})
    assert (after.version, after["name"]) == (2, "new")
    assert li.reveal("site", made.id, "compare")["contact_phone"] == NUMBER
    li.change("site", made.id, 2, {"contact_name": "李四", "contact_phone": after["contact_phone"]})
    found = li.reveal("site", made.id, "compare")
    assert (found["contact_name"], found["contact_phone"]) == ("李四", NUMBER)
    li.change("site", made.id, 3, {"contact_phone": None})
    assert li.reveal("site", made.id, "compare")["contact_phone"] is None


def test_that_there_is_a_file_and_what_it_shows_are_two_rights(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = region(store, admin)
    planner = person(store, admin, "pu", "spb-sz", ("planner", Scope(region="440300")))
    made = li.add("site", site(1))
    one = li.attach("site", made.id, "王小明.png", PNG)
    assert planner.page("attachment").records[0]["name"] == "***"
    assert code_of(lambda: planner.content(one.id, "curious")) == "not-allowed"
    assert code_of(lambda: planner.reveal("attachment", one.id, "curious")) == "not-allowed"
    assert li.content(one.id, "report") == PNG
    assert li.reveal("attachment", one.id, "report")["name"] == "王小明.png"
    actions = [entry["action"] for entry in admin.audit_entries("attachment", one.id)]
    assert actions == ["add", "refused:reveal", "refused:reveal", "reveal", "reveal"]


def test_search_finds_what_stands_where_it_should_not_and_counts_the_declared(
    small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add(
        "site", site(1, contact_name=WHO, contact_phone=NUMBER, details={"note": "电话 13900139000"})
    )
    told = li.add("hazard", hazard(title="司机电话13700137000没有接", owner_name=WHO))
    li.change("hazard", told.id, 1, {"grade": "major"}, reason="请联系 13600136000")
    for number in (0, 2):
        li.add("site", site(number, contact_phone=NUMBER))
    monkeypatch.setattr(personal_search, "ROWS_AT_ONCE", 2)  # more rows than a batch has
    found = find_in_registers(store, admin)
    where = {(row["table"], row["record"], row["column"]) for row in found.finds.iter_rows(named=True)}
    entry = next(e["n"] for e in admin.audit_entries("hazard", told.id) if e["reason"])
    assert where == {
        ("sites", made.id, "details"), ("hazards", told.id, "title"), ("audit", str(entry), "reason"),
    }  # fmt: skip
    assert found.found.found == 3
    declared = {(table, column): count for table, column, count in found.declared.iter_rows()}
    assert declared["sites", "contact_phone"] == 3
    assert declared["hazards", "owner_name"] == 1
    assert declared["finds", "description"] == 0
    said = json.dumps(found.to_json(), ensure_ascii=False) + str(found)
    assert [n for n in (NUMBER, "13900139000", "13700137000", "13600136000", WHO) if n in said] == []
    assert [e["action"] for e in admin.audit_entries("registers", "")][-1] == "search"
    gd = person(store, admin, "gd", "spb-gd", ("administrator", Scope(region="440000")))
    for desk in (li, gd):
        assert code_of(lambda desk=desk: find_in_registers(store, desk)) == "not-allowed"  # type: ignore[misc]


def test_search_looks_into_attachments_and_names_what_it_could_not_look_into(
    small: tuple[Store, Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, admin = small
    li = region(store, admin)
    site_id = li.add("site", site(1)).id

    def attach(name: str, content: bytes) -> str:
        return li.attach("site", site_id, name, content).id

    note = attach("note.txt", "巡查记录\n联系 13900139000\n".encode())
    table = attach("list.CSV", "单号,王小明\n1,13700137000\n2,13600136000\n".encode())
    escaped = attach("a.json", b'{"13500135000": "\\u7535\\u8bdd 13400134000"}')
    attach("nothing.txt", "一切正常\n".encode())
    # a file that begins as a table, and is none: what was found as a table does not count twice
    odd = attach("odd.csv", b"a,b\n1,13300133000\n1,2,3\n")
    photo = attach("p.png", PNG)
    pdf = attach("p.pdf", b"%PDF-1.7 13800138000")
    damaged, gone = attach("d.txt", "电话 13800138000".encode()), attach("g.txt", b"gone 13800138000")
    big = attach("big.txt", b"large 13800138000")
    monkeypatch.setattr("changtong.storage.store.attachments.media_type", lambda content: "text/plain")
    with io.BytesIO() as made, zipfile.ZipFile(made, "w") as archive:
        archive.writestr("word/document.xml", "<d><p>电话 13100131000</p></d>")
        archive.close()
        office = attach("a.docx", made.getvalue())
    broken = attach("b.zip", b"PK\3\4 no archive")
    shas = {one.id: one["sha256"] for one in li.every("attachment")}
    kept = {one: attachments.place_of_file(tmp_path / "files", sha) for one, sha in shas.items()}
    kept[damaged].write_bytes("电话 13800138001".encode())
    kept[gone].unlink()
    with kept[big].open("r+b") as file:
        file.truncate(attachments.MOST_BYTES + 1)
    found = find_in_registers(store, admin)
    finds = found.finds.filter(pl.col("table") == "attachments")
    rows = {(row["record"], row["row"], row["kind"]) for row in finds.iter_rows(named=True)}
    assert rows == {
        (note, 2, "phone"), (table, 1, "phone"), (table, 2, "phone"), (escaped, 1, "phone"),
        (odd, 2, "phone"), (office, 1, "phone"),
    }  # fmt: skip
    assert set(finds["column"]) == {"content"}
    assert found.found.found == finds.height == 7  # both of the JSON stand in line 1
    told = found.attachments
    assert dict(told.unread.rows()) == {
        photo: "a picture: not looked into", pdf: "a PDF: not looked into",
        gone: "its file is not in the folder",
        damaged: "damaged: not as it was kept, not looked into", broken: "the archive is not whole",
        big: "larger than any file that is kept: not looked into",
    }  # fmt: skip
    assert (told.looked_into, told.with_finds, told.pictures) == (7, 5, 1)
    said = json.dumps(found.to_json(), ensure_ascii=False) + str(found)
    assert [n for n in ("13900139000", "13700137000", "13500135000", "13300133000", WHO) if n in said] == []
    entry = admin.audit_entries("registers", "")[-1]
    assert (entry["action"], json.loads(entry["detail"])["attachments"]) == ("search", True)
    with open_store_without_files(store) as bare:
        none = find_in_registers(bare, bare.desk(admin.make_token("t", timedelta(days=1)).token)).attachments
    assert (none.looked_into, none.reasons["count"].to_list()) == (0, [12])


def test_the_list_of_finds_in_attachments_is_bounded_and_the_counts_are_not(
    small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, admin = small
    li = region(store, admin)
    site_id = li.add("site", site(1)).id
    monkeypatch.setattr(attachment_search, "LISTED_EACH", 2)
    monkeypatch.setattr(attachment_search, "MOST_LISTED", 3)
    for k in range(4):
        text = "".join(f"电话 139{k}01390{n:02d}\n" for n in range(5))
        li.attach("site", site_id, "a.txt", text.encode())
        li.attach("site", site_id, "a.png", PNG + bytes([k]))
    found = find_in_registers(store, admin)
    assert (found.finds.height, found.found.found) == (3, 20)
    assert (found.attachments.unread.height, found.attachments.pictures) == (3, 4)


def test_sealed_values_are_given_back_on_record_only(small: tuple[Store, Desk], tmp_path: Path) -> None:
    store, admin = small
    keys = new_keys(tmp_path / "keys")
    sealed = [seal(keys, "tel", NUMBER), seal(keys, "tel", "13900139000")]
    nation = person(store, admin, "na", "spb", ("inspector", Scope(region="000000")))
    firm = person(store, admin, "fi", "sd", ("duty_officer", Scope("/sd/")))
    for desk in (nation, firm):
        assert reveal_pseudonyms(desk, keys, "tel", sealed, "a complaint") == [NUMBER, "13900139000"]
    part = person(store, admin, "br", "sd-gd", ("duty_officer", Scope("/sd/sd-gd/")))
    for desk in (part, region(store, admin), admin):
        call = lambda desk=desk: reveal_pseudonyms(desk, keys, "tel", sealed, "curious")  # noqa: E731
        assert code_of(call) == "not-allowed"
    entries = admin.audit_entries("pseudonym", "")
    assert [entry["action"] for entry in entries] == ["reveal"] * 2 + ["refused:reveal"] * 3
    detail = json.loads(entries[0]["detail"])
    assert detail["sha256"] == [hashlib.sha256(one.encode()).hexdigest() for one in sealed]
    assert not any(one in str(entries) for one in (*sealed, NUMBER))
    assert code_of(lambda: reveal_pseudonyms(nation, keys, "tel", sealed, " ")) == "reason-missing"
    assert code_of(lambda: reveal_pseudonyms(nation, keys, "tel", [], "x")) == "too-many-values"
    assert code_of(lambda: reveal_pseudonyms(nation, keys, "tel", sealed * 501, "x")) == "too-many-values"
    # a look that opens nothing is one all the same
    assert code_of(lambda: reveal_pseudonyms(nation, keys, "mail", sealed, "x")) == "bad-pseudonym"
    assert len(admin.audit_entries("pseudonym", "")) == 6


def test_a_session_left_alone_ends_and_a_token_does_not(
    small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, admin = small
    li = region(store, admin)
    token = store.desk(li.make_token("a program", timedelta(days=2)).token)
    kept = store.desk(admin.make_token("a program", timedelta(days=2)).token)
    begin, late = work.now(), timedelta()
    monkeypatch.setattr(work, "now", lambda: begin + late)
    for minutes in (29, 58, 87):  # used in time, again and again, by reading only
        late = timedelta(minutes=minutes)
        assert li.page("site").records == ()
    late = timedelta(minutes=87 + 31)
    assert code_of(lambda: li.page("site")) == "session-over"
    assert code_of(lambda: admin.users()) == "session-over"
    assert token.page("site").records == ()
    assert kept.idle_minutes() == 30
    assert code_of(lambda: kept.idle_minutes(0)) == "bad-setting"
    assert code_of(lambda: token.idle_minutes(10)) == "not-allowed"
    assert kept.idle_minutes(200) == 200
    assert li.page("site").records == ()
    assert kept.idle_minutes(5) == kept.idle_minutes() == 5
    late += timedelta(minutes=6)
    assert code_of(lambda: li.page("site")) == "session-over"
    entries = [json.loads(entry["detail"]) for entry in kept.audit_entries("registers", "")[1:]]
    assert [entry["idle_minutes"] for entry in entries if "idle_minutes" in entry] == [[30, 200], [200, 5]]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


KILLED = """
import os, signal, sys
from changtong.storage import attachments, store as module
place, files, token, site, where = sys.argv[1:]

def die(*args, **more):
    os.kill(os.getpid(), signal.SIGKILL)

store = module.open_store(place, files=files)
desk = store.desk(token)
if where == "half written":
    import changtong.written_files as written
    written.sync = die
elif where == "before":
    attachments.keep = die
else:
    kept = attachments.keep
    attachments.keep = lambda folder, content: (kept(folder, content), die())
desk.attach("site", site, "a.png", b"\\x89PNG\\r\\n\\x1a\\n" + bytes(100))
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "half written", "after"])
def test_attaching_killed_at_any_moment_leaves_no_record_and_nothing_a_sweep_leaves(
    small: tuple[Store, Desk], place: str, tmp_path: Path, where: str
) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1))
    other = li.attach("site", made.id, "kept.png", PNG + b"kept")
    token = li.make_token("t", timedelta(days=1)).token
    store.engine.dispose()
    arguments = [place, str(tmp_path / "files"), token, made.id, where]
    ran = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert [record.id for record in li.every("attachment")] == [other.id]
    left = len(files_in(tmp_path / "files")) - 1
    assert left == (0 if where == "before" else 1)
    assert code_of(li.sweep) == "not-allowed"
    assert admin.sweep() == left
    assert files_in(tmp_path / "files") == [other["sha256"]]
    assert li.content(other.id, "look") == PNG + b"kept"
    again = li.attach("site", made.id, "a.png", PNG)
    assert li.content(again.id, "look") == PNG
    assert admin.verify_audit(with_records=True).whole


def test_a_sweep_takes_no_file_that_is_just_being_attached(
    small: tuple[Store, Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1))
    written, swept = threading.Event(), []
    keep = attachments.keep

    def slow(folder: Path | None, content: bytes) -> str:
        digest = keep(folder, content)
        written.set()
        threading.Event().wait(0.5)  # the file is there, the record is not yet
        return digest

    monkeypatch.setattr(attachments, "keep", slow)
    sweeper = threading.Thread(target=lambda: (written.wait(10), swept.append(admin.sweep())))
    sweeper.start()
    one = li.attach("site", made.id, "a.png", PNG)
    sweeper.join()
    assert swept == [0]
    assert li.content(one.id, "look") == PNG


def test_a_refused_attachment_leaves_no_file(small: tuple[Store, Desk], tmp_path: Path) -> None:
    store, admin = small
    li = region(store, admin)
    viewer = person(store, admin, "wei", "spb-sz", ("viewer", Scope(region="440300")))
    made = li.add("site", site(1))
    assert code_of(lambda: viewer.attach("site", made.id, "a.png", PNG)) == "not-allowed"
    assert code_of(lambda: li.attach("site", "none", "a.png", PNG)) == "not-found"
    assert files_in(tmp_path / "files") == []
    with open_store_without_files(store) as bare:
        desk = bare.desk(bare.sign_in("li", OWN).token)
        assert code_of(lambda: desk.attach("site", made.id, "a.png", PNG)) == "no-folder"
        assert list(desk.every("attachment")) == []


def open_store_without_files(store: Store) -> Store:
    opened = open_store(
        store.engine.url.render_as_string(hide_password=False)
        if store.engine.dialect.name == "postgresql"
        else store.place
    )
    opened.folder = None
    return opened


def test_a_table_of_sealed_values_keeps_its_rows(tmp_path: Path) -> None:
    from changtong.registers_privacy_command import _reveal_table

    pl.DataFrame({"n": ["1", "2", "3"], "tel": ["k1~a", None, "k1~b"]}).write_csv(tmp_path / "in.csv")
    count = _reveal_table(
        tmp_path / "in.csv", tmp_path / "out.csv", "tel", lambda sealed: [one.upper() for one in sealed]
    )
    made = pl.read_csv(tmp_path / "out.csv")
    assert (count, made["tel"].to_list()) == (2, ["K1~A", "", "K1~B"])
    assert os.stat(tmp_path / "out.csv").st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="already"):
        _reveal_table(tmp_path / "in.csv", tmp_path / "out.csv", "tel", lambda sealed: sealed)


def test_the_new_tables_come_with_an_upgrade(small: tuple[Store, Desk]) -> None:
    store, _ = small
    names = set(sa.inspect(store.engine).get_table_names())
    assert {"holds", "settings"} <= names
