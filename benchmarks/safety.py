"""Safety supervision measured: collecting filled forms, the hazard ledger, plans of visits.

    python benchmarks/safety.py --sites 1200 --hazards 20000 --forms 2000
    python benchmarks/safety.py --only registers --forms 2000 [--url postgresql://…]

Into registers every form has a photo and a finding (``--some``: a half has a photo, a third has a finding, as visits
do), at a quarter as many sites. Without --url a SQLite file is made; with it the database must be empty. Time of a
PostgreSQL server is not in the processor's seconds, but in those of the clock.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.rights.scope import Scope
from changtong.safety.collect import collect
from changtong.safety.hazard import HazardEvent
from changtong.safety.hazard_ledger import make_ledger
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.supervision import (
    INSPECTOR_SCHEMA,
    OPEN_SCHEMA,
    SITE_SCHEMA,
    TRAVEL_SCHEMA,
    VISITED_SCHEMA,
    Supervision,
)
from changtong.safety.visit_plan import plan_visits
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Desk, create_store
from changtong.supervision_records.inspection_register import collect_into_registers

PASSWORD = "three green vans at dawn"
OWN = "seven lamps beside the river"
MONDAY = date(2026, 3, 9)


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Run something and print how long it took."""
    clock, processor = time.perf_counter(), time.process_time()
    made = work()
    print(
        f"{what}: {time.process_time() - processor:.1f} s of processor time, {time.perf_counter() - clock:.1f} s by the clock"
    )
    return made


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def filled(number: int) -> dict[str, Any]:
    """A filled form with a photo of its own (a JPEG without pixels)."""
    photo = b"\xff\xd8\xff\xfe\x00\x0c" + f"{number:010d}".encode() + b"\xff\xd9"
    return {
        "inspection_id": uuid(number), "revision_id": uuid(number), "history": [],
        "form": {"id": "site-daily", "version": "2017.1"}, "site_id": f"S{number}", "inspectors": ["I"],
        "begun_at": "2026-03-09T09:00:00+08:00", "saved_at": "2026-03-09T09:30:00+08:00", "finished": True,
        "answers": {"r05": {"value": True, "photos": ["p"]}},
        "photos": {"p": {"media_type": "image/jpeg", "data": base64.b64encode(photo).decode()}},
    }  # fmt: skip


def forms(count: int, folder: Path) -> None:
    files = []
    for first in range(0, count, 100):
        content = {
            "changtong": {"kind": "filled-forms", "version": 1},
            "inspections": [filled(k) for k in range(first, first + 100)],
        }
        files.append(folder / f"{first}.json")
        files[-1].write_text(json.dumps(content), "utf-8")
    timed(f"{count:,} filled forms taken in", lambda: collect(files, folder / "C"))
    timed(f"100 known ones, {count:,} in the folder", lambda: collect(files[:1], folder / "C"))


def visit(number: int, sites: int, *, every: bool) -> dict[str, Any]:
    """A filled form of an inspector's round: in order, or with a photo, or with something to mend."""
    made = filled(number) | {"site_id": f"S{number % sites}", "inspectors": ["li"]}
    at = datetime.fromisoformat(made["saved_at"]) + timedelta(hours=number // sites)
    made |= {"begun_at": at.isoformat(), "saved_at": at.isoformat()}
    if not every and number % 2:
        made |= {"photos": {}, "answers": {"r05": {"value": True}}}
    if not every and number % 3:
        made["answers"] = {"r05": {"value": False, "photos": list(made["photos"])}}
    return made


def desk_with_sites(place: str, folder: Path, sites: int) -> Desk:
    """New registers with one authority, its sites and its inspector; the inspector's desk."""
    nation = NewOrganisation("国家邮政局", "nation", "000000", id="spb")
    store = create_store(place, "admin", PASSWORD, nation, files=folder / "files")
    admin = store.desk(store.sign_in("admin", PASSWORD).token)
    admin.add_organisation(NewOrganisation("甲市邮政管理局", "city", "440300", "spb", id="spb-sz"))
    admin.add_user("li", PASSWORD, "spb-sz")
    for role in ("inspector", "duty_officer", "planner"):
        admin.give("li", role, Scope(region="440300"))
    store.desk(store.sign_in("li", PASSWORD).token).change_password(PASSWORD, OWN)
    desk = store.desk(store.sign_in("li", OWN).token)
    listed = folder / "sites.csv"
    rows = "".join(f"S{k},网点{k},spb-sz,440305\n" for k in range(sites))
    listed.write_text(f"site_id,name,organisation,admin_code\n{rows}", "utf-8")
    desk.load("site", listed)
    return desk


def registers(count: int, folder: Path, place: str, *, every: bool) -> None:
    """Take a batch into registers, then send it again; what it brought and the chain are told."""
    sites = max(1, count // 4)
    desk = desk_with_sites(place, folder, sites)
    content = {
        "changtong": {"kind": "filled-forms", "version": 1},
        "inspections": [visit(k, sites, every=every) for k in range(count)],
    }
    file = folder / "export.json"
    file.write_text(json.dumps(content), "utf-8")
    rules = read_hazard_rules()
    for what in ("into registers", "the same file again"):
        made = timed(f"{count:,} filled forms {what}", lambda: collect_into_registers(desk, [file], rules))
        print({name: found for name, found in made.counts.items() if found})


def hazards(count: int) -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    events = []
    for k in range(count):
        life = [
            HazardEvent(f"H{k}", start, "open", "I", "text", kind="fire", grade="general", site_id=f"S{k}"),
            HazardEvent(f"H{k}", start + timedelta(days=1), "assign", "C", owner="O"),
            HazardEvent(f"H{k}", start + timedelta(days=2), "done", "O", evidence="e"),
            HazardEvent(f"H{k}", start + timedelta(days=3), "pass", "I"),
        ]
        events += life[: 2 + k % 3]
    ledger = timed(
        f"{len(events):,} events of {count:,} hazards checked",
        lambda: make_ledger(events, read_hazard_rules()),
    )
    timed(
        "what is due, and the summary",
        lambda: (ledger.due(date(2026, 4, 1)), ledger.summary(date(2026, 4, 1))),
    )


def visits(count: int, inspectors: int) -> None:
    dice = np.random.default_rng(0)
    kinds = ["outlet"] * 8 + ["sorting", "transfer"]

    def table(schema: dict[str, pl.DataType], rows: list[dict[str, Any]]) -> pl.DataFrame:
        return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema)

    sites = [
        {
            "site_id": f"S{k}", "lon": 110 + float(dice.normal(0, 0.5)), "lat": 34 + float(dice.normal(0, 0.4)),
            "kind": kinds[k % 10], "pieces_per_day": float(dice.integers(10, 50_000)),
        }
        for k in range(count)
    ]  # fmt: skip
    made = [
        {
            "site_id": f"S{k}",
            "on": MONDAY - timedelta(days=int(dice.integers(1, 400))),
            "findings": int(dice.integers(0, 3)),
        }
        for k in range(count)
    ]
    people = [
        {
            "inspector_id": f"I{k}",
            "lon": 110 + float(dice.normal(0, 0.4)),
            "lat": 34 + float(dice.normal(0, 0.3)),
        }
        for k in range(inspectors)
    ]
    known = Supervision(
        "made up", table(SITE_SCHEMA, sites), table(INSPECTOR_SCHEMA, people), table(VISITED_SCHEMA, made),
        table(OPEN_SCHEMA, []), table(TRAVEL_SCHEMA, []),
    )  # fmt: skip
    plan = timed(f"visits among {count:,} sites", lambda: plan_visits(known, begin=MONDAY, days=5, seed=1))
    figures = ("visits", "due", "due_visited", "hours", "hours_of")
    print({key: plan.summary()[key] for key in figures})
    at_noon = known.inspectors.with_columns(
        lunch_min=pl.lit(45.0), lunch_from=pl.lit("11:30"), lunch_until=pl.lit("13:30")
    )
    with_lunch = replace(known, inspectors=at_noon)
    plan = timed("the same with lunch", lambda: plan_visits(with_lunch, begin=MONDAY, days=5, seed=1))
    print({key: plan.summary()[key] for key in figures})


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, count in (("sites", 1200), ("inspectors", 12), ("hazards", 20_000), ("forms", 2_000)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--only", choices=("forms", "registers", "hazards", "visits"))
    parser.add_argument("--url")
    parser.add_argument("--some", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.url or str(Path(folder) / "registers.sqlite")
        parts: dict[str, Callable[[], object]] = {
            "forms": lambda: forms(asked.forms, Path(folder)),
            "registers": lambda: registers(asked.forms, Path(folder), place, every=not asked.some),
            "hazards": lambda: hazards(asked.hazards),
            "visits": lambda: visits(asked.sites, asked.inspectors),
        }
        for name, part in parts.items():
            if asked.only in (None, name):
                part()


if __name__ == "__main__":
    main()
