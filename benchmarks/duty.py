"""Duty rosters: 60 people, three months, with a proved gap; beside HiGHS alone on the whole program.

``python benchmarks/duty.py [--seconds 60] [--seeds 0 1] [--people 60] [--days 92] [--no-peer]``: made-up rooms of two kinds.
``mixed``: a leader for 24 hours, two officers by day and two by night, a driver; at most nine duties a month.
``shifts``: three shifts of eight hours with three or four heads and a leader; at most five days in a row, 44 hours
a week. Both with leave, wishes, pairs, newcomers who need somebody experienced, qualifications, part time, and
counts carried over (seed 0: none). The peer is given the same seconds for the same program, all rules at once.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from peers import machine

from changtong.duty.crews import crew_rules
from changtong.duty.fair_shares import counted, fair_shares
from changtong.duty.question import Question, make_question
from changtong.duty.read_duty import read_duty
from changtong.duty.roster import Roster, make_roster
from changtong.duty.roster_program import build_program
from changtong.duty.roster_solve import _run_program, roster_cost

FIRST = date(2026, 1, 1)
SHIFTS = {
    "mixed": [
        "lead,带班,Leader,08:30,24,all,48,no,2", "day,日班,Day,08:30,9,all,14,no,1",
        "night,夜班,Night,17:30,15,all,24,yes,2", "drive,司机,Driver,08:30,24,all,24,no,2",
    ],
    "shifts": [
        "day,早班,Early,08:00,8,all,11,no,1", "late,中班,Late,16:00,8,all,11,no,1",
        "night,夜班,Night,00:00,8,all,11,yes,1", "lead,带班,Leader,08:00,24,all,48,yes,2",
    ],
}  # fmt: skip
POSTS = {
    "mixed": [
        "leader,带班领导,Leader,lead,leader,1,", "officer,值班员,Officer,day,officer,2,radio:1",
        "officer,值班员,Officer,night,officer,2,radio:1", "driver,司机,Driver,drive,driver,1,",
    ],
    "shifts": [
        "officer,值班员,Officer,day,officer,4,radio:1", "officer,值班员,Officer,late,officer,3,radio:1",
        "officer,值班员,Officer,night,officer,3,radio:1", "leader,带班领导,Leader,lead,leader,1,",
    ],
}  # fmt: skip
LIMITS = {
    "mixed": "most_in_row = 2\nmost_nights_in_row = 1\nmost_in_week = 3\nmost_in_month = 9",
    "shifts": "most_in_row = 5\nmost_nights_in_row = 3\nmost_in_week = 5\nmost_h_in_week = 44\nmost_in_month = 20",
}


def _roles(kind: str, k: int, people: int) -> str:
    if kind == "shifts":
        return "officer;leader" if k < people // 4 else "officer"
    at = k / people
    if at < 0.2:
        return "leader" if at < 0.13 else "leader;officer"
    return "officer" if at < 0.75 else "officer;driver" if at < 0.83 else "driver"


def write_room(folder: Path, kind: str, people: int, days: int, seed: int) -> Path:
    """Write a made-up duty folder."""
    folder.mkdir(parents=True)
    drawn = random.Random(seed)
    ids = [f"p{k:03d}" for k in range(people)]
    tables = {
        "shifts": ["shift_id,name_zh,name_en,start,hours,days,rest_h,night,points", *SHIFTS[kind]],
        "posts": ["post_id,name_zh,name_en,shift_id,role,heads,qualified", *POSTS[kind]],
        "people": ["person_id,name,group,roles,qualifications,share,level"],
        "leave": ["person_id,first,last"],
        "wishes": ["person_id,first,last,wants"],
        "pairs": ["person_id,other_id,rule"],
    }
    for k, one in enumerate(ids):
        radio, share = "radio" if drawn.random() < 0.5 else "", 0.5 if drawn.random() < 0.1 else 1
        level = drawn.choice(["new", "trained", "trained", "experienced"])
        tables["people"].append(f"{one},人员{k},,{_roles(kind, k, people)},{radio},{share},{level}")
        for _ in range(drawn.randrange(3)):
            begin = FIRST + timedelta(drawn.randrange(days))
            tables["leave"].append(f"{one},{begin},{begin + timedelta(drawn.randrange(1, 12))}")
        for _ in range(drawn.randrange(5)):
            begin, wants = FIRST + timedelta(drawn.randrange(days)), drawn.choice(["off", "off", "off", "on"])
            tables["wishes"].append(f"{one},{begin},{begin + timedelta(drawn.randrange(2))},{wants}")
    officers = [one for k, one in enumerate(ids) if "officer" in _roles(kind, k, people)]
    for (a, b), rule in zip(
        zip(officers[2:10:2], officers[3:10:2], strict=True),
        ("never", "avoid", "together", "together"),
        strict=True,
    ):
        tables["pairs"].append(f"{a},{b},{rule}")
    if seed:
        counts = [
            ",".join(str(drawn.randrange(*span)) for span in ((10, 16), (3, 6), (1, 5), (0, 3))) for _ in ids
        ]
        tables["carried"] = ["person_id,points,nights,weekends,holidays"]
        tables["carried"] += [f"{one},{count}" for one, count in zip(ids, counts, strict=True)]
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n", "utf-8")
    rules = '[rules]\nnew_with_experienced = true\nnever_alone = ["night"]\n'
    (folder / "duty.toml").write_text(f'name = "{kind} {seed}"\n[limits]\n{LIMITS[kind]}\n{rules}', "utf-8")
    return folder


def _taken(question: Question, made: Roster) -> np.ndarray:
    """Return who takes which slot."""
    taken = np.zeros(question.may.shape, bool)
    given = set(made.assignments)
    for person, slot in zip(*np.nonzero(question.may), strict=True):
        taken[person, slot] = question.assignment(int(person), int(slot)) in given
    return taken


def measure(folder: Path, days: int, seconds: float, *, peer: bool) -> dict[str, Any]:
    """Return what one room took, ours and the peer's."""
    read, last = read_duty(folder), FIRST + timedelta(days - 1)
    begun = time.perf_counter()
    made = make_roster(read, FIRST, last, seconds=seconds)
    row: dict[str, Any] = {
        "room": read.name, "status": made.status.value, "duties": len(made.assignments), "cost": round(made.value, 2),
        "bound": round(made.bound, 2), "gap_percent": round(100.0 * made.gap, 2),
        "seconds": round(time.perf_counter() - begun, 1),
    }  # fmt: skip
    if peer:
        question = make_question(read, FIRST, last, None)
        shares, crews = fair_shares(question), crew_rules(question)
        # costs are exact near given counts only: it is told those of our roster, which helps it
        near = counted(question, _taken(question, made)) if made.found else None
        begun = time.perf_counter()
        run = _run_program(build_program(question, shares, crews, near=near), begun + seconds, 0.0)
        row["peer_cost"] = (
            None if run.taken is None else round(roster_cost(question, shares, crews, run.taken), 2)
        )
        row["peer_bound"] = round(run.bound, 2)
        row["peer_seconds"] = round(time.perf_counter() - begun, 1)
    return row


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--people", type=int, default=60)
    asked.add_argument("--days", type=int, default=92)
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    asked.add_argument("--no-peer", action="store_true")
    options = asked.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as place:
        warm = write_room(Path(place) / "warm", "mixed", 20, 7, 0)
        make_roster(read_duty(warm), FIRST, FIRST + timedelta(6), seconds=5.0)  # compiles
        for kind in SHIFTS:
            for seed in options.seeds:
                folder = write_room(Path(place) / f"{kind}{seed}", kind, options.people, options.days, seed)
                print(
                    json.dumps(measure(folder, options.days, options.seconds, peer=not options.no_peer)),
                    flush=True,
                )
    print(f"peak_mib: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")


if __name__ == "__main__":
    main()
