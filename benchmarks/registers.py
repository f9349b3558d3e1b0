"""Ledger pages with users at work, and the audit verified, on SQLite and PostgreSQL.

    python benchmarks/registers.py FOLDER/ [--url postgresql://…] [--outlets 100000] [--inspections 1000000]
        [--users 50] [--seconds 60] [--think 1.0] [--entries 1000000]

Without --url a SQLite file is made in the folder; with it the database must be empty. A second run uses what is there.
Users are spread over two processes, as the workers of a server are. Nine of ten things they do is a page of 50 rows of a
ledger within their own scope, one is a change of a record; between two they think for --think seconds on average.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import argon2
import sqlalchemy as sa

from changtong.errors import ConflictError
from changtong.rights.scope import Scope
from changtong.storage import audit, passwords
from changtong.storage.engine import writing
from changtong.storage.pages import Query
from changtong.storage.people import NewOrganisation, organisation_row
from changtong.storage.rows import digest_of, new_id, new_salt, now, place_of
from changtong.storage.schema import organisations, registers, to_ms
from changtong.storage.store import Store, create_store, open_store

PASSWORD = "three green vans at dawn"
OWN = "seven lamps beside the river"
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def bulk(store: Store, table: sa.Table, rows: Iterator[dict[str, Any]]) -> int:
    """Put many rows in: COPY in PostgreSQL, executemany in SQLite."""
    names = [column.name for column in table.columns]
    kinds = [column.type.bind_processor(store.engine.dialect) for column in table.columns]

    def plain(row: dict[str, Any]) -> tuple[Any, ...]:
        values = [row.get(name) for name in names]
        return tuple(
            p(v) if p is not None and v is not None else v for p, v in zip(kinds, values, strict=True)
        )

    count = 0
    with writing(store.engine) as connection:
        raw: Any = connection.connection.dbapi_connection
        if store.engine.dialect.name == "postgresql":
            listed = ", ".join(f'"{name}"' for name in names)
            with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} ({listed}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(plain(row))
                    count += 1
        else:
            raw.execute("PRAGMA cache_size = -800000")  # seven indexes at once: they should fit while filling
            marks, listed = ", ".join("?" * len(names)), ", ".join(f'"{name}"' for name in names)
            some: list[tuple[Any, ...]] = []
            for row in rows:
                some.append(plain(row))
                count += 1
                if len(some) == 20_000:
                    raw.executemany(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", some)
                    some = []
            raw.executemany(f"INSERT INTO {table.name} ({listed}) VALUES ({marks})", some)
    return count


def stamped(place: tuple[str, str, str], number: int, at: datetime) -> dict[str, Any]:
    """Return the columns all records have."""
    organisation, path, code = place
    return {
        "id": new_id(to_ms(at) + number % 1000),
        "organisation": organisation,
        **place_of(path, code),
        "version": 1,
        "created_at": at,
        "created_by": "bench",
        "updated_at": at,
        "updated_by": "bench",
        "salt": new_salt(),
    }


def build(store: Store, outlets: int, inspections: int, entries: int) -> dict[str, float]:
    """Fill the registers: 31 provinces, 342 cities, 2,800 counties, 12 firms; return the seconds of each step."""
    chance = random.Random(1)
    at = now()
    took: dict[str, float] = {}
    places: list[tuple[str, str, str]] = []
    begin = time.perf_counter()
    bulk(store, organisations, _organisations(chance, at, outlets, places))
    sites = [stamped(place, n, at) for n, place in enumerate(places)]
    for n, row in enumerate(sites):
        row |= {"site_id": f"S{n:07d}", "name": f"网点{n}", "kind": "outlet", "status": "open"}
    bulk(store, registers["site"], iter(sites))
    took["outlets_s"] = time.perf_counter() - begin
    begin = time.perf_counter()
    bulk(store, registers["inspection"], _visits(chance, at, sites, inspections))
    took["inspections_s"] = time.perf_counter() - begin
    begin = time.perf_counter()
    bulk(store, registers["hazard"], _hazards(chance, at, sites, inspections // 10))
    took["hazards_s"] = time.perf_counter() - begin
    begin = time.perf_counter()
    _lengthen_audit(store, at, sites, entries)
    took["audit_s"] = time.perf_counter() - begin
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("VACUUM ANALYZE")
    return took


def _organisations(
    chance: random.Random, at: datetime, outlets: int, places: list[tuple[str, str, str]]
) -> Iterator[dict[str, Any]]:
    """Return the organisations; where its outlets are is noted in ``places``."""
    cities = [(p, c) for p in range(11, 42) for c in range(1, 12)] + [(p, 12) for p in range(11, 12)]
    parents: dict[str, dict[str, Any]] = {}

    def made(new: NewOrganisation) -> dict[str, Any]:
        parents[new.id] = organisation_row(new, parents.get(new.parent or ""), at, "bench")
        return parents[new.id]

    parents["spb"] = {"id": "spb", "kind": "nation", "path": "/spb/"}
    for p in range(11, 42):
        yield made(NewOrganisation(f"省{p}", "province", f"{p}0000", "spb", id=f"a{p}"))
    for p, c in cities:
        yield made(NewOrganisation(f"市{p}{c}", "city", f"{p}{c:02d}00", f"a{p}", id=f"a{p}{c:02d}"))
    for firm in range(12):
        yield made(NewOrganisation(f"企业{firm}", "headquarters", "310000", id=f"f{firm}"))
        for p in range(11, 42):
            yield made(NewOrganisation(f"分公司{p}", "branch", f"{p}0000", f"f{firm}", id=f"f{firm}-{p}"))
    for number in range(outlets):
        p, c = chance.choice(cities)
        firm = min(11, int(chance.expovariate(0.4)))
        code = f"{p}{c:02d}{chance.randrange(1, 9):02d}"
        row = made(NewOrganisation(f"网点{number}", "outlet", code, f"f{firm}-{p}", id=f"o{number}"))
        places.append((row["id"], row["path"], code))
        yield row


def _visits(
    chance: random.Random, at: datetime, sites: list[dict[str, Any]], count: int
) -> Iterator[dict[str, Any]]:
    states = ("planned", "finished", "reviewed")
    for n in range(count):
        site = sites[chance.randrange(len(sites))]
        city = f"a{site['city']}"
        path = f"/spb/{city[:3]}/{city}/"
        day = BEGIN + timedelta(minutes=chance.randrange(1_500_000))
        yield stamped((city, path, site["admin_code"]), n, at) | {
            "site": site["id"],
            "form_id": "daily",
            "form_version": "1",
            "state": states[n % 3],
            "planned_at": day,
            "unannounced": False,
            "answers": {"1": "yes", "2": "no", "3": "not seen"},
            "result": "in order",
        }


def _hazards(
    chance: random.Random, at: datetime, sites: list[dict[str, Any]], count: int
) -> Iterator[dict[str, Any]]:
    for n in range(count):
        site = sites[chance.randrange(len(sites))]
        day = BEGIN + timedelta(minutes=chance.randrange(1_500_000))
        yield stamped((site["organisation"], site["path"], site["admin_code"]), n, at) | {
            "site": site["id"],
            "title": "no guard",
            "grade": "general",
            "state": ("open", "rectified", "closed")[n % 3],
            "deadline": day,
            "found_at": day,
            "escalation": 0,
        }


def _lengthen_audit(store: Store, at: datetime, sites: list[dict[str, Any]], entries: int) -> None:
    """Add entries to the audit chain until it has that many."""
    with store.engine.connect() as connection:
        n, before = connection.execute(sa.select(audit.audit_head.c.n, audit.audit_head.c.seal)).one()
    last = [n, bytes(before)]

    def chain() -> Iterator[dict[str, Any]]:
        for k in range(n + 1, entries + 1):
            site = sites[k % len(sites)]
            detail = (
                f'{{"digest":"{digest_of(site)}","version":1}}'
                if k < 2
                else '{"digest":"' + "0" * 64 + '","version":1}'
            )
            row = (
                k,
                to_ms(at),
                "bench",
                "add",
                "inspection",
                site["id"],
                site["path"],
                site["admin_code"],
                detail,
                "",
            )
            seal = audit.seal_of(last[1], row)
            yield dict(zip(audit.COLUMNS, row, strict=True)) | {"before": last[1], "seal": seal}
            last[:] = [k, seal]

    bulk(store, audit.audit, chain())
    with writing(store.engine) as connection:
        connection.execute(audit.audit_head.update(), {"n": last[0], "seal": last[1]})


def people(store: Store, users: int) -> list[tuple[str, str]]:
    """Add users of every level; return what they are and their tokens."""
    admin = store.desk(store.sign_in("admin", PASSWORD).token)
    chance = random.Random(2)
    found = []
    for n in range(users):
        p, c, firm = chance.randrange(11, 42), chance.randrange(1, 12), chance.randrange(6)
        level, home, scope = (
            ("nation", "spb", Scope()),
            ("province", f"a{p}", Scope(region=f"{p}0000")),
            ("city", f"a{p}{c:02d}", Scope(region=f"{p}{c:02d}00")),
            ("county", f"a{p}{c:02d}", Scope(region=f"{p}{c:02d}03")),
            ("firm", f"f{firm}", Scope(f"/f{firm}/")),
            ("branch", f"f{firm}-{p}", Scope(f"/f{firm}/f{firm}-{p}/")),
        )[n % 6]
        name = f"u{n}-{new_id()[-6:]}"
        admin.add_user(name, PASSWORD, home)
        for role in ("inspector", "duty_officer"):
            admin.give(name, role, scope)
        store.desk(store.sign_in(name, PASSWORD).token).change_password(PASSWORD, OWN)
        found.append((level, store.sign_in(name, OWN).token))
    return found


def work(
    place: str,
    level: str,
    token: str,
    until: float,
    think_s: float,
    seed: int,
    out: list[tuple[str, str, float]],
) -> None:
    """Be one user until the end: pages, now and then the one after, and changes."""
    chance = random.Random(seed)
    store = STORES[place]
    desk = store.desk(token)
    seen: dict[str, str] = {}
    time.sleep(chance.random() * think_s)
    while time.time() < until:
        kind = chance.choice(("inspection", "hazard", "site"))
        begin = time.perf_counter()
        if chance.random() < 0.9:
            page = desk.page(kind, Query(after=seen.get(kind, "") if chance.random() < 0.5 else ""))
            seen[kind] = page.next
            what = "page"
        else:
            what = "change"
            some = desk.page("site", Query(limit=20)).records
            if not some:
                continue
            begin = time.perf_counter()
            one = chance.choice(some)
            try:
                desk.change("site", one.id, one.version, {"name": f"网点 {chance.random():.6f}"})
            except ConflictError:
                what = "conflict"
        out.append((what, level, time.perf_counter() - begin))
        if think_s:
            time.sleep(min(5.0, chance.expovariate(1 / think_s)))


STORES: dict[str, Store] = {}


def worker(
    place: str, some: list[tuple[str, str]], until: float, think_s: float, seed: int, queue: Any
) -> None:
    """One process with its users."""
    STORES[place] = open_store(place)
    out: list[tuple[str, str, float]] = []
    many = [
        threading.Thread(target=work, args=(place, level, token, until, think_s, seed + k, out))
        for k, (level, token) in enumerate(some)
    ]
    for one in many:
        one.start()
    for one in many:
        one.join()
    queue.put(out)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def run(place: str, users: list[tuple[str, str]], seconds: float, think_s: float) -> dict[str, Any]:
    """Let all users work; return the times."""
    start = multiprocessing.get_context("spawn")
    queue = start.Queue()
    until = time.time() + seconds + 4
    many = [
        start.Process(target=worker, args=(place, users[k::2], until, think_s, 100 * k, queue))
        for k in range(2)
    ]
    for one in many:
        one.start()
    found = [row for _ in many for row in queue.get()]
    for one in many:
        one.join()
    times: dict[str, list[float]] = defaultdict(list)
    for what, level, took in found:
        times[what].append(took)
        times[f"{what} {level}"].append(took)
    return {
        name: {
            "count": len(values),
            "p50_ms": round(1e3 * quantile(values, 0.5), 1),
            "p95_ms": round(1e3 * quantile(values, 0.95), 1),
            "max_ms": round(1e3 * max(values), 1),
        }
        for name, values in sorted(times.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url")
    parser.add_argument("--outlets", type=int, default=100_000)
    parser.add_argument("--inspections", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--think", type=float, default=1.0)
    asked = parser.parse_args()
    # the users' passwords are not what is measured
    passwords.hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    asked.folder.mkdir(parents=True, exist_ok=True)
    place = asked.url or str(asked.folder / "registers.sqlite")
    facts: dict[str, Any] = {"place": "postgresql" if asked.url else "sqlite"}
    try:
        store = open_store(place)
    except ValueError:
        top = NewOrganisation("国家邮政局", "nation", "000000", id="spb")
        store = create_store(place, "admin", PASSWORD, top)
        facts |= build(store, asked.outlets, asked.inspections, asked.entries)
        print(json.dumps(facts), flush=True)
    with store:
        facts["working"] = run(place, people(store, asked.users), asked.seconds, asked.think)
        print(json.dumps(facts["working"], indent=1), flush=True)
        admin = store.desk(store.sign_in("admin", PASSWORD).token)
        begin = time.perf_counter()
        check = admin.verify_audit()
        facts |= {"verify_s": time.perf_counter() - begin, "entries": check.entries, "whole": check.whole}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
