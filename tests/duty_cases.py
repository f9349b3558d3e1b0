"""A small roster folder, written by hand: two rooms' worth of people, three days, a chain of calls."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

FIRST = date(2026, 3, 2)
PEOPLE = ("li", "wu", "he")

CALLS = """
[[chains]]
id = "flood"
[[chains.steps]]
after_min = 0
posts = ["desk"]
[[chains.steps]]
after_min = 5
people = ["LAST"]
"""


def roster_folder(place: Path, people: tuple[str, ...] = PEOPLE) -> Path:
    """Write a roster: one duty of 24 h a day from 2026-03-02 08:00, the people in turn."""
    duty = place / "duty"
    duty.mkdir(parents=True)
    (duty / "people.csv").write_text(
        "person_id,name,group,roles\n"
        + "".join(f"{one},王{one},A,officer\n" for one in dict.fromkeys(people)),
        "utf-8",
    )
    (duty / "shifts.csv").write_text(
        "shift_id,name_zh,name_en,start,hours,days\nday,全日,day,08:00,24,all\n", "utf-8"
    )
    (duty / "posts.csv").write_text(
        "post_id,name_zh,name_en,shift_id,role,heads\ndesk,值班台,desk,day,officer,1\n", "utf-8"
    )
    (duty / "duty.toml").write_text('name = "t"\ntime_zone = "Asia/Shanghai"\n', "utf-8")
    (duty / "calls.toml").write_text(CALLS.replace("LAST", people[-1]), "utf-8")
    rows = [f"{FIRST + timedelta(days=k)},day,desk,{one}\n" for k, one in enumerate(people)]
    (place / "roster.csv").write_text("day,shift_id,post_id,person_id\n" + "".join(rows), "utf-8")
    mark = {"changtong": {"kind": "duty roster", "version": 1}, "from": str(FIRST)}
    mark["to"] = str(FIRST + timedelta(days=len(people) - 1))
    (place / "roster.json").write_text(json.dumps(mark), "utf-8")
    return place
