"""A scorecard filled over a whole year of a scan log and of registers.

    python benchmarks/scorecard_fill.py FOLDER/ [--events 36500000] [--days 365] [--outlets 100000]
        [--inspections 1000000] [--url postgresql://…] [--json]

The folder gets a made-up log of the national network (3,234 sites; 36.5 million events are 100,000 a day) and registers as
`registers.py` makes them; a second run uses what is there. The card has 31 provinces and 342 cities, whose sites are found
by their region: six sources of the scan log, one of the register of sites, two of visits, two of hazards, two of findings.
Each part runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import argon2
import polars as pl
from registers import PASSWORD, build, people

from changtong.assessment.card_folder import read_scorecard
from changtong.events.generator.generate import generate_scans
from changtong.events.generator.settings import ScanSettings
from changtong.events.ingest import ingest
from changtong.events.log import EventLog, create_log, open_log
from changtong.events.mapping import read_mapping
from changtong.events.site_register import COLUMNS, give_sites
from changtong.network.reference import reference_network
from changtong.scorecards.fill import Filled
from changtong.scorecards.known_counts import Inputs
from changtong.storage import passwords
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Store, create_store, open_store
from changtong.studies import run_study

PARTS = ("log", "registers", "all")
CITIES = [(p, c) for p in range(11, 42) for c in range(1, 12)] + [(11, 12)]
"""Those of the registers: province and city of their code."""

HEAD = """[scorecard]
card_id = "year"
name_zh = "全年考核（合成）"
version = "1"
year = 2025
least_points = 0

[provenance]
kind = "synthetic"
source = "made up by benchmarks/scorecard_fill.py"

[[sections]]
section_id = "s"
name_zh = "部分"
"""
SHARES = {
    "log": ("registered_share", "inspected_share", "screened_share", "on_time_72h_share",
            "delivered_within_72h_share", "registered_share_of_delivered"),
    "registers": ("registers:filed_sites_share", "inspections:visited_sites_share",
                  "hazards:closed_in_time_share"),
}  # fmt: skip
COUNTS = {"inspections:visits": "visits", "hazards:overdue_hazards": "hazards"}
FINDINGS = ("hazards:major_not_in_time", "hazards:general_not_in_time")


def card_text(part: str) -> str:
    """Return the card with the sources of a part, or of all."""
    sources: dict[str, str] = {}
    if part in ("log", "all"):
        sources |= {f"scan-log:{name}": "share" for name in SHARES["log"]}
    if part in ("registers", "all"):
        sources |= dict.fromkeys(SHARES["registers"], "share") | COUNTS
    parts = [HEAD]
    for number, (source, unit) in enumerate(sources.items()):
        parts.append(
            f'[[indicators]]\nindicator_id = "i{number}"\nsection_id = "s"\nname_zh = "指标{number}"\nmax_points = 10\n'
            f'scoring = "linear"\nzero_at = 0\nfull_at = {1 if unit == "share" else 100000}\nunit = "{unit}"\nsource = "{source}"'
        )
    for number, source in enumerate(FINDINGS if part != "log" else ()):
        parts.append(
            f'[[rules]]\nrule_id = "r{number}"\nsection_id = "s"\nname_zh = "规则{number}"\neffect = "deduct"\n'
            f'points = 0.01\nsource = "{source}"'
        )
    return "\n\n".join(parts) + "\n"


def write_card(folder: Path, part: str) -> None:
    """Write the card: provinces, and cities below them."""
    folder.mkdir()
    (folder / "scorecard.toml").write_text(card_text(part), "utf-8")
    rows = [(f"P{p}", None, "province", f"{p}0000") for p in range(11, 42)]
    rows += [(f"C{p}{c:02d}", f"P{p}", "city", f"{p}{c:02d}00") for p, c in CITIES]
    names = ["subject_id", "parent_id", "level", "admin_code"]
    subjects = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    subjects.with_columns(name="subject_id").write_csv(folder / "subjects.csv")


def a_log(folder: Path, events: int, days: int) -> EventLog:
    """Return the log, made where it is not there: its sites lie in the cities of the card in turn."""
    path = folder / f"log-{events}-{days}"
    if path.exists():
        return open_log(path)
    network = reference_network(level="county")
    first, part = date(2025, 1, 1), folder / f"{path.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    settings = ScanSettings(events=events, days=days, first_day=first)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        files = generate_scans(network, Path(place) / "scans", settings=settings).files
        log = create_log(part)
        ingest(sorted(files), log, read_mapping(files[0].with_name("mapping.toml")))
    names = sorted(network.sites["site_id"].to_list())
    where = [CITIES[k % len(CITIES)] for k in range(len(names))]
    rows = {"site_id": names, "region": [f"{p}{c:02d}00" for p, c in where]}
    give_sites(
        log,
        pl.DataFrame(rows).select(
            pl.col(c) if c in rows else pl.lit(None, pl.String).alias(c) for c in COLUMNS
        ),
    )
    part.rename(path)
    return open_log(path)


def registers(place: str, outlets: int, inspections: int) -> Store:
    """Return the registers, made where they are not there."""
    try:
        return open_store(place)
    except ValueError:
        top = NewOrganisation("国家邮政局", "nation", "000000", id="spb")
        store = create_store(place, "admin", PASSWORD, top)
        build(store, outlets, inspections, 1)
        return store


def one(part: str, given: argparse.Namespace) -> dict[str, Any]:
    """Fill the card from a part of the sources; return what it took."""
    passwords.hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    log = a_log(given.folder, int(given.events), given.days) if part != "registers" else None
    store = desk = None
    if part != "log":
        store = registers(
            given.url or str(given.folder / "registers.sqlite"), given.outlets, given.inspections
        )
        desk = store.desk(people(store, 1)[0][1])
    with tempfile.TemporaryDirectory() as place:
        write_card(Path(place) / "card", part)
        card = read_scorecard(Path(place) / "card", to_fill=True)
        before = resource.getrusage(resource.RUSAGE_SELF)
        begin = time.perf_counter()
        inputs = Inputs(log=log, desk=desk)
        made: Filled = run_study("scorecard-fill", card, folder=Path(place) / "filled", inputs=inputs).result
        seconds = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_SELF)
    if store is not None:
        store.close()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    facts = made.summary()
    return {
        "part": part, "rows": 0 if log is None else log.rows, "days": 0 if log is None else len(log.days),
        "values": facts["computed"], "missing": len(facts["missing"]), "findings": facts["findings"],
        "seconds": round(seconds, 1), "processor_s": round(used, 1),
        "peak_mib": round(after.ru_maxrss / 1024), "before_mib": round(before.ru_maxrss / 1024),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--events", type=float, default=36.5e6)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--outlets", type=int, default=100_000)
    parser.add_argument("--inspections", type=int, default=1_000_000)
    parser.add_argument("--url", help="registers in PostgreSQL, an empty database; else a file in the folder")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=(*PARTS, "make"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.one == "make":
        if given.only != "registers":
            a_log(given.folder, int(given.events), given.days)
        if given.only != "log":
            registers(
                given.url or str(given.folder / "registers.sqlite"), given.outlets, given.inspections
            ).close()
        return
    if given.one:
        print(json.dumps(one(given.one, given)))
        return
    found = []
    for part in ("make", *([given.only] if given.only else PARTS)):
        command = [sys.executable, __file__, *sys.argv[1:], "--one", part]
        made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        if part != "make":
            found.append(json.loads(made.stdout.splitlines()[-1]))
    result = {"load": round(os.getloadavg()[0], 1), "result": found}
    if given.json:
        print(json.dumps(result))
        return
    for row in found:
        print(
            "  ".join(
                f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}"
                for key, value in row.items()
            )
        )


if __name__ == "__main__":
    main()
