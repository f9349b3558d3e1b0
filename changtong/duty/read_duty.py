"""Reads a duty folder: people, shifts, posts, leave, wishes, rules; every problem at once."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from changtong.duty.call_chains import read_chains
from changtong.duty.cells import Column, Table, raise_all, read_rows
from changtong.duty.staff import (
    DAY_KINDS,
    KINDS,
    Assignment,
    DutyFolder,
    Leave,
    Limits,
    Lock,
    Pair,
    Person,
    Post,
    RoomRules,
    Shift,
    Weights,
    Wish,
)
from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames
from changtong.network.misnamed_files import misnamed_files
from changtong.workbook_sheets import ENDING

MANY = 10_000
ID, DAY = Column("id", needed=True), Column("day", needed=True)
COUNT = Column("number", least=0.0, most=1e6, default=0.0)
NO_IDS = Column("ids", default=())
ASSIGNMENT = {"day": DAY, "shift_id": ID, "post_id": ID, "person_id": ID}
TABLES: dict[str, dict[str, Column]] = {
    "people.csv": {
        "person_id": ID,
        "name": Column("text", needed=True),
        "group": Column("text", default=""),
        "roles": Column("ids", needed=True),
        "qualifications": NO_IDS,
        "share": Column("number", least=0.05, most=1.0, default=1.0),
        "level": Column("text", choices=("new", "trained", "experienced"), default="trained"),
        "since": Column("day"),
        "until": Column("day"),
    },
    "shifts.csv": {
        "shift_id": ID,
        "name_zh": Column("text", needed=True),
        "name_en": Column("text", default=""),
        "start": Column("time", needed=True),
        "hours": Column("number", needed=True, least=0.25, most=72.0),
        "days": Column("text", choices=("all", "work", "free"), default="all"),
        "rest_h": Column("number", least=0.0, most=720.0, default=0.0),
        "night": Column("flag"),
        "points": Column("whole", least=1, most=12, default=1),
    },
    "posts.csv": {
        "post_id": ID,
        "name_zh": Column("text", needed=True),
        "name_en": Column("text", default=""),
        "shift_id": ID,
        "role": ID,
        "heads": Column("whole", needed=True, least=1, most=500),
        "qualified": Column("text", default=""),
    },
    "leave.csv": {"person_id": ID, "first": DAY, "last": DAY, "reason": Column("text")},
    "wishes.csv": {
        "person_id": ID,
        "first": DAY,
        "last": DAY,
        "wants": Column("text", choices=("off", "on"), default="off"),
        "shift_id": Column("id"),
        "weight": Column("number", least=0.0, most=100.0, default=1.0),
    },
    "pairs.csv": {
        "person_id": ID,
        "other_id": ID,
        "rule": Column("text", needed=True, choices=("never", "avoid", "together")),
    },
    "locks.csv": {
        "person_id": ID,
        "day": DAY,
        "wants": Column("text", choices=("on", "off"), default="on"),
        "shift_id": Column("id"),
        "post_id": Column("id"),
    },
    "before.csv": ASSIGNMENT,
    "carried.csv": {"person_id": ID, **dict.fromkeys(KINDS, COUNT)},
    "days.csv": {
        "day": DAY,
        "kind": Column("text", needed=True, choices=DAY_KINDS),
        "name": Column("text", default=""),
    },
}
NEEDED = ("people.csv", "shifts.csv", "posts.csv")
READ_FILES = (
    *TABLES, *(f"{Path(name).stem}{ENDING}" for name in TABLES), "duty.toml", "calls.toml",
)  # fmt: skip
SETTINGS: dict[str, dict[str, type]] = {
    "": {"name": str, "time_zone": str, "provenance": str, "notes": str},
    "limits": {
        "most_in_row": int, "most_nights_in_row": int, "most_in_week": int, "most_h_in_week": float,
        "most_in_month": int, "most_h_in_month": float,
    },
    "rules": {"never_alone": list, "new_with_experienced": bool},
    "room": dict.fromkeys(("early_min", "grace_min", "absent_min"), float),
    "weights": dict.fromkeys((*KINDS, "wish", "avoid", "together"), float),
}  # fmt: skip


def read_duty(path: str | os.PathLike[str]) -> DutyFolder:
    """Read a duty folder.

    Parameters
    ----------
    path : path
        A folder with ``people.csv``, ``shifts.csv``, ``posts.csv`` and, where wanted, ``duty.toml`` and the
        other tables of :data:`TABLES`; each may be an XLSX workbook instead.

    Returns
    -------
    DutyFolder

    Raises
    ------
    InputError
        Every problem of every file at once.
    """
    folder = Path(path)
    if not folder.is_dir():
        message = "there is no such folder." if not folder.exists() else "this is a file."
        raise InputError([Problem("missing-file", message, str(path), expected="a duty folder")])
    tables = {
        name: read_rows(folder, name, columns, needed=name in NEEDED) for name, columns in TABLES.items()
    }
    settings, problems = _settings(folder)
    problems += misnamed_files(folder, READ_FILES)
    _check_keys(tables)
    shifts = _shifts(tables["shifts.csv"])
    posts = _posts(tables["posts.csv"], shifts)
    problems += _check_alone(settings, shifts)
    chains, wrong = read_chains(
        folder / "calls.toml",
        {row["post_id"] for row in tables["posts.csv"].rows},
        {row["person_id"] for row in tables["people.csv"].rows},
    )
    raise_all(tables.values(), [*problems, *wrong])
    rules, zone = settings["rules"], ZoneInfo(settings[""].get("time_zone", "Asia/Shanghai"))
    return DutyFolder(
        name=settings[""].get("name", folder.resolve().name),
        zone=zone,
        people=tuple(_person(row) for row in tables["people.csv"].rows),
        shifts=shifts,
        posts=posts,
        leave=tuple(Leave(r["person_id"], r["first"], r["last"]) for r in tables["leave.csv"].rows),
        wishes=tuple(Wish(**row) for row in tables["wishes.csv"].rows),
        pairs=tuple(Pair(r["person_id"], r["other_id"], r["rule"]) for r in tables["pairs.csv"].rows),
        locks=tuple(Lock(**row) for row in tables["locks.csv"].rows),
        before=tuple(Assignment(**row) for row in tables["before.csv"].rows),
        carried=tuple((r["person_id"], tuple(r[k] for k in KINDS)) for r in tables["carried.csv"].rows),
        days=tuple((r["day"], r["kind"], r["name"]) for r in tables["days.csv"].rows),
        limits=Limits(**settings["limits"]),
        weights=Weights(**settings["weights"]),
        never_alone=frozenset(rules.get("never_alone", ())),
        new_with_experienced=rules.get("new_with_experienced", False),
        room=RoomRules(**settings["room"]),
        chains=chains,
    )


def _settings(folder: Path) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Return the values of ``duty.toml`` by table, and what is wrong with them."""
    made: dict[str, dict[str, Any]] = {name: {} for name in SETTINGS}
    path, problems = folder / "duty.toml", []
    if not path.is_file():
        return made, []
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return made, [Problem("bad-duty", f"the file cannot be read ({error}).", path.name)]
    tables = {name: content.pop(name, {}) for name in SETTINGS if name}
    for table, values in {"": content, **tables}.items():
        if not isinstance(values, dict):
            problems.append(Problem("bad-duty", "this is no table.", path.name, None, table, f"[{table}]"))
            continue
        for key, value in values.items():
            kind = SETTINGS[table].get(key)
            wrong = _wrong_setting(key, value, kind, tuple(SETTINGS[table]) or ())
            if wrong:
                where = f"{table}.{key}" if table else key
                problems.append(Problem("bad-duty", wrong[0], path.name, None, where, wrong[1], wrong[2]))
            else:
                made[table][key] = value
    zone = made[""].get("time_zone", "Asia/Shanghai")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = "a name such as Asia/Shanghai"
        problems.append(
            Problem("bad-duty", f"{zone!r} is no time zone.", path.name, None, "time_zone", expected)
        )
    return made, problems


def _wrong_setting(
    key: str, value: Any, kind: type | None, known: tuple[str, ...]
) -> tuple[str, str, str] | None:
    if kind is None:
        return f'"{key}" is unknown.', "one of " + ", ".join(known), NearestNames(known).hint(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MANY
    if kind is float and not is_number:
        return f"{value!r} is not allowed.", f"a number from 0 to {MANY}", ""
    if kind is int and not (is_number and isinstance(value, int) and value > 0):
        return f"{value!r} is not allowed.", f"a whole number from 1 to {MANY}", ""
    if kind is list and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        return f"{value!r} is not allowed.", "a list of ids", ""
    if kind in (str, bool) and not isinstance(value, kind):
        return f"{value!r} is not allowed.", "a text" if kind is str else "true or false", ""
    return None


def _check_keys(tables: dict[str, Table]) -> None:
    people = [row["person_id"] for row in tables["people.csv"].rows]
    shifts = [row["shift_id"] for row in tables["shifts.csv"].rows]
    posts = [row["post_id"] for row in tables["posts.csv"].rows]
    whole = not any(tables[name].problems for name in NEEDED)  # else ids may be of rows that are wrong
    keys = {
        "people.csv": ["person_id"], "shifts.csv": ["shift_id"], "posts.csv": ["post_id", "shift_id"],
        "pairs.csv": ["person_id", "other_id"], "carried.csv": ["person_id"], "days.csv": ["day"],
        "before.csv": list(ASSIGNMENT), "locks.csv": ["person_id", "day", "shift_id", "post_id"],
    }  # fmt: skip
    for name, key in keys.items():
        tables[name].once(key)
    for name, table in tables.items():
        for column, ids, what in (
            ("person_id", people, "person"),
            ("other_id", people, "person"),
            ("shift_id", shifts, "shift"),
            ("post_id", posts, "post"),
        ):
            defines = (name, column) in (
                ("people.csv", "person_id"),
                ("shifts.csv", "shift_id"),
                ("posts.csv", "post_id"),
            )
            # former duties may be of people and posts that are gone
            if whole and not defines and column in TABLES[name] and name != "before.csv":
                table.known(column, ids, what)
        if "first" in TABLES[name]:
            table.ordered("first", "last")
    tables["people.csv"].ordered("since", "until")
    pairs = tables["pairs.csv"]
    for number, row in zip(pairs.numbers, pairs.rows, strict=True):
        if row["person_id"] == row["other_id"]:
            pairs.add("bad-duty", "these are the same person.", number, "other_id", "somebody else")


def _shifts(table: Table) -> tuple[Shift, ...]:
    made = []
    for row in table.rows:
        begin = row["start"].hour + row["start"].minute / 60
        if row["night"] is None:  # where it is not said: it covers midnight or begins before five
            row = row | {"night": begin < 5 or begin + row["hours"] > 24}
        made.append(Shift(**row | {"name_en": row["name_en"] or row["name_zh"]}))
    return tuple(made)


def _posts(table: Table, shifts: tuple[Shift, ...]) -> tuple[Post, ...]:
    made = []
    for number, row in zip(table.numbers, table.rows, strict=True):
        qualified = []
        for part in filter(None, (one.strip() for one in row["qualified"].replace("；", ";").split(";"))):
            name, mark, count = part.replace("：", ":").partition(":")
            if mark and not count.strip().isdecimal():
                table.add(
                    "bad-duty", f"{part!r} is not allowed.", number, "qualified", "as first_aid:1;radio:1"
                )
                continue
            least = int(count) if mark else 1
            if least > row["heads"]:
                message = f"{part!r} asks for more than the {row['heads']} heads."
                table.add("bad-duty", message, number, "qualified", f"at most {row['heads']}")
            qualified.append((name.strip(), least))
        made.append(
            Post(**row | {"qualified": tuple(qualified), "name_en": row["name_en"] or row["name_zh"]})
        )
    return tuple(made)


def _person(row: dict[str, Any]) -> Person:
    sets = {name: frozenset(row[name]) for name in ("roles", "qualifications")}
    return Person(**row | sets)


def _check_alone(settings: dict[str, dict[str, Any]], shifts: tuple[Shift, ...]) -> list[Problem]:
    known = [one.shift_id for one in shifts]
    return [
        Problem("unknown-shift", f'shift "{one}" is not there.', "duty.toml", None, "rules.never_alone",
                "ids of shifts", NearestNames(known).hint(one))
        for one in settings["rules"].get("never_alone", ())
        if one not in known
    ]  # fmt: skip
