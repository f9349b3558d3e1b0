"""Registers to try things on: both databases, a small hierarchy, a few people."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import argon2
import psycopg

from changtong.rights.scope import Scope
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Desk, Store, create_store

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Settings that make a test quick; a product uses the real ones."""

ADMIN = "three green vans at dawn"
WORDS = "another quiet harbour light"
OWN = "seven lamps beside the river"

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


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL of one's own in a temporary folder, on a unix socket only; give its socket's folder."""
    folder = Path(tempfile.mkdtemp(prefix="ct-pg-"))
    who = _as_nobody_special()
    if who:
        os.chown(folder, int(str(who["user"])), int(str(who["group"])))
    data = folder / "data"
    run = {"check": True, "capture_output": True, "cwd": folder, **who}
    options = f"-k {folder} -c listen_addresses='' -c max_connections=80 -c shared_buffers=64MB -c fsync=on"
    try:
        subprocess.run(["initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C"], **run)  # type: ignore[call-overload]
        subprocess.run(["pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], **run)  # type: ignore[call-overload]
        try:
            yield str(folder)
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], **run)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(socket: str, name: str) -> str:
    """Make an empty database; return its URL."""
    with psycopg.connect(host=socket, user="tester", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"postgresql://tester@/{name}?host={socket}"


def small_store(place: str | Path, files: Path) -> tuple[Store, Desk]:
    """Make registers with the organisations above; return them and the administrator's desk."""
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
