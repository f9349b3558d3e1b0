"""Registers to try things on: both databases, a small hierarchy, a few people."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import argon2
import psycopg
import pytest

from changtong.errors import ConflictError
from changtong.rights.scope import Scope
from changtong.storage import passwords
from changtong.storage.people import NewOrganisation
from changtong.storage.rows import now
from changtong.storage.schema import passes
from changtong.storage.store import Desk, Store, create_store, open_store

SOON = datetime(2026, 12, 1, 8, tzinfo=UTC)
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Settings that make a test quick; a product uses the real ones."""

ADMIN = "three green vans at dawn"
WORDS = "another quiet harbour light"
OWN = "seven lamps beside the river"

DIES = """
import os, sys
from changtong.storage import audit
real, left = audit.seal_of, [int(sys.argv[-1])]
def dies(*given):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
    return real(*given)
audit.seal_of = dies
"""
"""How a program begins that is to die after as many entries of the audit as its last argument says."""

ORGANISATIONS = (
    NewOrganisation("广东省邮政管理局", "province", "440000", "spb", id="spb-gd"),
    NewOrganisation("深圳市邮政管理局", "city", "440300", "spb-gd", id="spb-sz"),
    NewOrganisation("北京市邮政管理局", "province", "110000", "spb", id="spb-bj"),
    NewOrganisation("顺达速递", "headquarters", "310000", id="sd"),
    NewOrganisation("顺达广东", "branch", "440000", "sd", id="sd-gd"),
    NewOrganisation("顺达深圳加盟", "franchise", "440300", "sd-gd", id="sd-sz"),
    NewOrganisation("顺达南山网点", "outlet", "440305", "sd-sz", id="sd-ns"),
    NewOrganisation("飞驰快递", "headquarters", "330000", id="fc"),
    NewOrganisation("飞驰福田网点", "outlet", "440304", "fc", id="fc-ft"),
)
"""Below the nation's authority (spb): a province with a city, another province, two firms."""


def postgres_is_here() -> bool:
    return all(shutil.which(name) for name in ("initdb", "pg_ctl", "postgres"))


def _as_nobody_special() -> dict[str, object]:
    """Return how to run PostgreSQL: it refuses to work for root."""
    if os.geteuid() != 0:
        return {}
    try:
        who = pwd.getpwnam("postgres")
    except KeyError:
        who = pwd.getpwnam("nobody")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


ROOM_BYTES = 1_000_000_000
"""Free in memory for the databases of a few tests at once, each of some 8 MB."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL of one's own on a unix socket in a temporary folder; give the folder.

    In memory where there is room: a database on a disk takes ten times as long to make.
    """
    memory = Path("/dev/shm")
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix="ct-pg-", dir=memory if has_room else None))
    who = _as_nobody_special()
    if who:
        os.chown(folder, int(str(who["user"])), int(str(who["group"])))
    data = folder / "data"
    run = {"check": True, "capture_output": True, "cwd": folder, **who}
    options = f"-k {folder} -c listen_addresses='' -c max_connections=80 -c shared_buffers=64MB -c fsync=off"
    try:
        subprocess.run(
            ["initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C"], **run
        )  # type: ignore[call-overload]
        subprocess.run(["pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], **run)  # type: ignore[call-overload]
        try:
            yield str(folder)
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "fast", "-w", "stop"], **run)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(socket: str, name: str, template: str = "template1") -> str:
    """Make a database, empty or as a template; return its URL."""
    with psycopg.connect(host=socket, user="tester", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    return f"postgresql://tester@/{name}?host={socket}"


def small_store(place: str | Path, files: Path) -> tuple[Store, Desk]:
    """Make registers with the organisations above; return them and the administrator's desk."""
    passwords.hasher, kept = CHEAP, passwords.hasher
    try:
        return _small_store(place, files)
    finally:
        passwords.hasher = kept


def _small_store(place: str | Path, files: Path) -> tuple[Store, Desk]:
    store = create_store(
        place, "admin", ADMIN, NewOrganisation("国家邮政局", "nation", "000000", id="spb"), files=files
    )
    desk = store.desk(store.sign_in("admin", ADMIN).token)
    for organisation in ORGANISATIONS:
        desk.add_organisation(organisation)
    return store, desk


def person(store: Store, admin: Desk, name: str, organisation: str, *roles: tuple[str, Scope]) -> Desk:
    """Add a user with roles, who has changed the first password; return the desk."""
    admin.add_user(name, WORDS, organisation)
    for role, scope in roles:
        admin.give(name, role, scope)
    store.desk(store.sign_in(name, WORDS).token).change_password(WORDS, OWN)
    return store.desk(store.sign_in(name, OWN).token)


BOTH = [
    "sqlite",
    pytest.param(
        "postgresql", marks=pytest.mark.skipif(not postgres_is_here(), reason="PostgreSQL is not installed")
    ),
]


_guessed = cache(passwords._guessed)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with little work, and ask of each password once how soon it is guessed."""
    monkeypatch.setattr(passwords, "hasher", CHEAP)
    monkeypatch.setattr(passwords, "_guessed", lambda one, name, places: _guessed(one, name, tuple(places)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as socket:
        yield socket


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where registers may be made: a file, or an empty database."""
    if request.param == "sqlite":
        yield str(tmp_path / "registers.sqlite")
        return
    socket, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    yield new_database(socket, name)
    with psycopg.connect(host=socket, user="tester", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The small registers once, and their administrator's token: each test begins with a copy."""
    path = tmp_path_factory.mktemp("small") / "registers.sqlite"
    store, desk = small_store(path, path.parent / "files")
    store.close()
    return path, desk._token


@pytest.fixture(scope="session")
def small_database(postgres: str) -> tuple[str, str]:
    """The same in PostgreSQL: the name of a template."""
    store, desk = small_store(new_database(postgres, "small"), Path())
    store.close()
    return "small", desk._token


@pytest.fixture
def small(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Store, Desk]]:
    """The small registers, and the administrator's desk."""
    if place.startswith("postgresql"):
        name, token = request.getfixturevalue("small_database")
        socket, wanted = request.getfixturevalue("postgres"), place.partition("@/")[2].partition("?")[0]
        with psycopg.connect(host=socket, user="tester", dbname="postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{wanted}"')
        new_database(socket, wanted, name)
    else:
        path, token = request.getfixturevalue("small_file")
        shutil.copyfile(path, place)
    with open_store(place, files=tmp_path / "files") as store:
        with store.engine.begin() as connection:  # the copied session may be of an hour ago
            connection.execute(passes.update().values(seen_at=now()))
        yield store, store.desk(token)


def hazard(**more: object) -> dict[str, object]:
    return {
        "title": "no guard on the roller",
        "deadline": SOON,
        "found_at": "2026-06-01T08:00:00+08:00",
        **more,
    }


def site(number: object, **more: object) -> dict[str, object]:
    return {"site_id": f"S{number}", "name": f"网点 {number}", **more}


def region(store: Store, admin: Desk, name: str = "li") -> Desk:
    """An inspector of the city, who sees all within it."""
    roles = [("inspector", Scope(region="440300")), ("duty_officer", Scope(region="440300"))]
    return person(store, admin, name, "spb-sz", *roles)


def write_some(place: str, token: str, site_id: str, rounds: int, done: object) -> None:
    """Add records and one more to a number that all others add to as well, trying again after a conflict."""
    with open_store(place) as store:
        desk = store.desk(token)
        for _ in range(rounds):
            desk.add("hazard", hazard())
            while True:
                seen = desk.get("site", site_id)
                count = (seen["details"] or {"count": 0})["count"]
                try:
                    desk.change("site", site_id, seen.version, {"details": {"count": count + 1}})
                    break
                except ConflictError:
                    continue
        done.put(rounds)  # type: ignore[attr-defined]
