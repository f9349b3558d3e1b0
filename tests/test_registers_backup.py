"""Backups while others write, restores, exports, files, upgrades; from one database to the other."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import threading
import uuid
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from registers_cases import (  # noqa: F401
    ADMIN,
    cheap_hashes,
    hazard,
    new_database,
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
from changtong.rights.scope import Scope
from changtong.storage.backup import make_backup, read_backup, restore
from changtong.storage.engine import make_engine, reading, writing
from changtong.storage.export import LEFT_OUT, export_all
from changtong.storage.migrate import SCRIPTS, newest_version, upgrade, version_of
from changtong.storage.pages import Query
from changtong.storage.store import Desk, Store, open_store, upgrade_store
from changtong.storage.table_rows import SECRETS, all_tables, rows_of

HERE = Path(__file__).parent
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def fill(store: Store, admin: Desk) -> Desk:
    li = region(store, admin)
    for number in range(5):
        made = li.add("site", site(number, contact_phone="13800000000", details={"a": [1, 2.5, None, "中"]}))
        li.add("hazard", hazard(site=made.id))
    parent = li.add("task", {"title": "all", "deadline": "2026-12-01T00:00+08:00"}, record_id="zz")
    li.add(
        "task", {"title": "part", "deadline": "2026-12-01T00:00+08:00", "parent": parent.id}, record_id="aa"
    )
    li.attach("site", made.id, "门口.png", PNG)
    return li


def content(store: Store) -> dict[str, list[dict[str, object]]]:
    with reading(store.engine) as connection:
        return {table.name: list(rows_of(connection, table)) for table in all_tables()}


@pytest.mark.parametrize("other", [False, True], ids=["same database", "other database"])
def test_a_restored_backup_is_what_it_was(
    small: tuple[Store, Desk], tmp_path: Path, other: bool, request: pytest.FixtureRequest
) -> None:
    store, admin = small
    fill(store, admin)
    made = make_backup(store, admin, tmp_path / "backup")
    assert (made.version, made.files) == (newest_version(), 1)
    before = content(store)
    is_file = (store.engine.dialect.name == "sqlite") != other
    if is_file:
        again = str(tmp_path / "again.sqlite")
    else:
        again = new_database(request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}")
    found, check = restore(tmp_path / "backup", again, files=tmp_path / "again.files")
    assert (found, check.whole, check.head) == (made, True, made.head)
    with open_store(again, files=tmp_path / "again.files") as opened:
        after = content(opened)
        for name, rows in before.items():
            if name not in ("audit", "audit_head"):
                assert after[name] == rows, name
        assert after["audit"][:-1] == before["audit"]
        assert (after["audit"][-1]["action"], after["audit"][-1]["actor"]) == ("restore", "operator")
        desk = opened.desk(opened.sign_in("admin", ADMIN).token)
        assert desk.verify_audit(made.head, with_records=True).whole
        li = opened.desk(opened.sign_in("li", "seven lamps beside the river").token)
        picture = li.page("attachment").records[0]
        assert li.content(picture.id, "compare") == PNG


def test_a_backup_from_before_a_table_was_there_is_restored(
    small: tuple[Store, Desk], tmp_path: Path
) -> None:
    store, admin = small
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite's backups are upgraded as they are")
    fill(store, admin)
    backup = tmp_path / "backup"
    make_backup(store, admin, backup)
    facts = json.loads((backup / "backup.json").read_text("utf-8"))
    for name in ("holds", "settings"):
        (backup / "tables" / f"{name}.jsonl.gz").unlink()
        del facts["rows"][name], facts["digests"][f"tables/{name}.jsonl.gz"]
    (backup / "backup.json").write_text(json.dumps(facts), "utf-8")
    restore(backup, tmp_path / "again.sqlite")
    with open_store(tmp_path / "again.sqlite") as opened:
        desk = opened.desk(opened.sign_in("admin", ADMIN).token)
        assert desk.verify_audit(with_records=True).whole
        assert desk.idle_minutes() == 30


def test_a_backup_is_of_one_instant_while_others_write(small: tuple[Store, Desk], tmp_path: Path) -> None:
    store, admin = small
    li = region(store, admin)
    ended = threading.Event()
    count = 0

    def work() -> None:
        nonlocal count
        while not ended.is_set():
            made = li.add("hazard", hazard())
            li.change("hazard", made.id, 1, {"state": "rectifying"})
            count += 1

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for number in range(3):
            make_backup(store, admin, tmp_path / f"b{number}")
    finally:
        ended.set()
        writer.join()
    for number in range(3):
        _, check = restore(tmp_path / f"b{number}", tmp_path / f"r{number}.sqlite")
        assert check.whole
        with open_store(tmp_path / f"r{number}.sqlite") as opened:
            desk = opened.desk(opened.sign_in("admin", ADMIN).token)
            assert desk.verify_audit(with_records=True).whole
    assert count > 0


def test_a_backup_that_was_changed_is_refused_whole(small: tuple[Store, Desk], tmp_path: Path) -> None:
    store, admin = small
    fill(store, admin)
    backup = tmp_path / "backup"
    make_backup(store, admin, backup)
    with pytest.raises(UsageError) as caught:
        make_backup(store, admin, backup)
    assert caught.value.code == "registers-exist"
    victim = next(path for path in sorted(backup.rglob("*")) if path.is_file() and path.name != "backup.json")
    raw = bytearray(victim.read_bytes())
    raw[len(raw) // 2] ^= 1
    victim.write_bytes(raw)
    with pytest.raises(InputError, match="damaged-backup"):
        restore(backup, tmp_path / "again.sqlite")
    victim.unlink()
    with pytest.raises(InputError, match="damaged-backup"):
        read_backup(backup)
    assert not list(tmp_path.glob("*again*"))
    with pytest.raises(UsageError) as none:
        restore(tmp_path, tmp_path / "again.sqlite")
    assert none.value.code == "not-a-backup"


def test_a_backup_whose_audit_was_altered_is_refused(small: tuple[Store, Desk], tmp_path: Path) -> None:
    store, admin = small
    backup = tmp_path / "backup"
    make_backup(store, admin, backup)
    facts = json.loads((backup / "backup.json").read_text("utf-8"))
    facts["head"] = f"3:{'ab' * 32}"
    (backup / "backup.json").write_text(json.dumps(facts), "utf-8")
    with pytest.raises(InputError, match="broken-audit"):
        restore(backup, tmp_path / "again.sqlite")
    assert not list(tmp_path.glob("*again*"))


def test_only_an_administrator_of_everything_copies_or_exports(
    small: tuple[Store, Desk], tmp_path: Path
) -> None:
    store, admin = small
    gd = person(store, admin, "gd", "spb-gd", ("administrator", Scope(region="440000")))
    with pytest.raises(DeniedError):
        make_backup(store, gd, tmp_path / "backup")
    with pytest.raises(DeniedError):
        export_all(store, gd, tmp_path / "export", "curious")
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_an_export_holds_everything_but_secrets(
    small: tuple[Store, Desk], tmp_path: Path, format: str
) -> None:
    store, admin = small
    fill(store, admin)
    counts = export_all(store, admin, tmp_path / "plain", "yearly", format=format)
    export_all(store, admin, tmp_path / "all", "asked for by the court", format=format, personal=True)
    with pytest.raises(UsageError) as caught:
        export_all(store, admin, tmp_path / "none", " ", format=format)
    assert caught.value.code == "reason-missing"
    package = json.loads((tmp_path / "plain" / "datapackage.json").read_text("utf-8"))
    assert {r["name"] for r in package["resources"]} == {t.name for t in all_tables()} - set(LEFT_OUT)
    for resource in package["resources"]:
        path = tmp_path / "plain" / resource["path"]
        names = [field["name"] for field in resource["schema"]["fields"]]
        assert not {*SECRETS, "salt"} & set(names)
        if format == "csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        else:
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert len(rows) == counts[resource["name"]]
        assert all(set(row) == set(names) for row in rows)
    plain = "".join(path.read_text("utf-8") for path in (tmp_path / "plain").iterdir())
    whole = "".join(path.read_text("utf-8") for path in (tmp_path / "all").iterdir())
    assert "13800000000" not in plain
    assert "13800000000" in whole
    assert "$argon2" not in plain + whole
    assert "2026-11-30T16:00:00.000+00:00" in plain
    with pytest.raises(UsageError) as wrong:
        export_all(store, admin, tmp_path / "none", "x", format="xlsx")
    assert wrong.value.code == "unknown-format"


def test_attachments_are_confined_and_told_by_their_content(
    small: tuple[Store, Desk], tmp_path: Path
) -> None:
    store, admin = small
    li = region(store, admin)
    made = li.add("site", site(1), organisation="sd-ns")
    one = li.attach("site", made.id, "../../etc/passwd", PNG)
    two = li.attach("site", made.id, "same.png", PNG)
    assert one["sha256"] == two["sha256"]
    assert (one["media_type"], one.organisation) == ("image/png", "sd-ns")
    folder = tmp_path / "files"
    assert [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()] == [
        f"{one['sha256'][:2]}/{one['sha256']}"
    ]
    for bad in (b"", b"MZ\x90\x00" + bytes(50), b"GIF89a" + bytes(9)):
        with pytest.raises(InputError, match="bad-attachment"):
            li.attach("site", made.id, "x.png", bad)
    with pytest.raises(UsageError):
        li.add("attachment", {})
    with pytest.raises(UsageError):
        li.content(one.id, "")
    assert li.content(one.id, "report") == PNG
    outsider = person(store, admin, "fc", "fc", ("inspector", Scope("/fc/")))
    with pytest.raises(NotFoundError):
        outsider.content(one.id, "curious")
    with pytest.raises(NotFoundError):
        outsider.attach("site", made.id, "x.png", PNG)
    (folder / one["sha256"][:2] / one["sha256"]).write_bytes(PNG + b"x")
    with pytest.raises(InputError, match="damaged-registers"):
        li.content(one.id, "report")


def released(version: str, dialect: str) -> Path:
    return HERE / "registers" / f"{version}_{dialect}.sql"


def make_released(place: str, version: str) -> None:
    """Make registers as a released version left them, with data in them."""
    if not place.startswith("postgresql"):
        with closing(sqlite3.connect(place)) as db:
            db.executescript(released(version, "sqlite").read_text("utf-8"))
        return
    engine = make_engine(place)
    with writing(engine) as connection:
        for statement in released(version, "postgresql").read_text("utf-8").split(";\n\n"):
            connection.exec_driver_sql(statement.strip().removesuffix(";").replace("%", "%%"))
    engine.dispose()


@pytest.mark.parametrize("version", ["0001"])
def test_registers_of_every_released_version_come_forward_with_their_data(place: str, version: str) -> None:
    make_released(place, version)
    upgrade_store(place)
    with open_store(place) as store:
        admin = store.desk(store.sign_in("admin", ADMIN).token)
        assert admin.verify_audit(with_records=True).whole
        li = store.desk(store.sign_in("li", "seven lamps beside the river").token)
        assert [record["site_id"] for record in li.every("site", Query(newest_first=False))] == [
            "S0", "S1", "S2", "S3", "S4",
        ]  # fmt: skip
        assert [record["title"] for record in li.every("task")] == ["all", "part"]


NEXT = """
from alembic import op
import sqlalchemy as sa

revision = "later"
down_revision = "NEWEST"


def upgrade() -> None:
    op.add_column("sites", sa.Column("colour", sa.Text, nullable=False, server_default="green"))
    if FAILS:
        raise RuntimeError("in the middle")
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_later_version_is_reached_with_the_data_or_not_at_all(
    small: tuple[Store, Desk], tmp_path: Path, fails: bool
) -> None:
    store, admin = small
    fill(store, admin)
    later = tmp_path / "migrations"
    shutil.copytree(SCRIPTS, later, ignore=shutil.ignore_patterns("__pycache__"))
    (later / "later_colour.py").write_text(
        NEXT.replace("FAILS", str(fails)).replace("NEWEST", newest_version()), "utf-8"
    )
    if fails:
        with pytest.raises(RuntimeError), writing(store.engine) as connection:
            upgrade(connection, later)
    else:
        with writing(store.engine) as connection:
            assert upgrade(connection, later) == ("later",)
            assert upgrade(connection, later) == ()
    with store.engine.connect() as connection:
        columns = {column["name"] for column in sa.inspect(connection).get_columns("sites")}
        assert ("colour" in columns) is not fails
        assert version_of(connection) == (newest_version() if fails else "later")
        assert connection.execute(sa.text("SELECT count(*) FROM sites")).scalar_one() == 5
    if not fails:
        address = store.engine.url.render_as_string(hide_password=False)
        again = address if store.engine.dialect.name == "postgresql" else tmp_path / "registers.sqlite"
        for call in (open_store, upgrade_store):
            with pytest.raises(UsageError) as caught:
                call(again)  # type: ignore[operator]
            assert caught.value.code == "registers-newer"


def test_older_registers_are_told_and_not_touched(
    small: tuple[Store, Desk], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from changtong.storage import migrate

    monkeypatch.setattr(migrate, "newest_version", lambda: "later")
    with pytest.raises(UsageError) as caught:
        open_store(place)
    assert caught.value.code == "registers-old"
