"""Random exports of phones: revisions, conflicts, photos, hazards, and what cannot be taken in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from safety_cases import exif, filled, jpeg, photo, uuid, write_file

from changtong.storage.schema import audit, registers, users
from changtong.storage.store import Store

KINDS = ("inspection", "attachment", "hazard")
SITES = ("S1", "S2", "S1", "S2", "S3", "S77", "")
PEOPLE = ("li", "wu", "he", "nobody", "")
TIMES = (
    "2026-03-{:02}T0{}:30:00+08:00",
    "2026-03-{:02}T0{}:15:00+00:00",
    "2026-03-{:02}T0{}:00:00",
    "",
    "2031-03-{:02}T0{}:00:00+08:00",
)
"""Most give both a time with a zone and one after the other; none, and one to come, are rare."""
OFTEN = (20, 10, 1, 1, 1)


def random_exports(dice: random.Random, folder: Path, count: int) -> list[Path]:
    """Write files of filled forms, about in order of time: some have several revisions, some in conflict."""
    folder.mkdir(parents=True, exist_ok=True)
    forms = [
        form
        for number in range(1, count + 1)
        for form in _revisions(dice, number, dice.choice((1, 1, 1, 2, 3)))
    ]
    late = {id(form): at + dice.gauss(0, len(forms) / 10) for at, form in enumerate(forms)}
    forms.sort(key=lambda form: late[id(form)])
    forms += dice.sample(forms, len(forms) // 5)
    files, at = [], 0
    while at < len(forms):
        more = dice.randint(1, 12)
        files.append(write_file(folder / f"{len(files)}.json", *forms[at : at + more]))
        at += more
    return files


def _revisions(dice: random.Random, number: int, count: int) -> list[Any]:
    made = []
    for revision in range(1, count + 1):
        history = tuple(one for one in range(1, revision) if dice.random() < 0.7)
        made.append(filled(number, revision=revision, history=history, **_content(dice, number)))
    if dice.random() < 0.05:
        made.append({"inspection_id": uuid(number), "no": "form"})
    return made


def _content(dice: random.Random, number: int) -> dict[str, Any]:
    day, hour = min(28, 1 + number // 2), dice.randint(1, 8)
    begun, saved = dice.choices(TIMES, OFTEN, k=2)
    names = dice.sample(("p1", "p2", "p3"), dice.choice((0, 0, 1, 2)))
    photos = {name: photo(jpeg(exif(), after=bytes([dice.randint(0, 2)]))) for name in names}
    if dice.random() < 0.05:
        photos["p4"] = photo(b"GIF89a")
    if dice.random() < 0.03:
        photos["a\0b"] = photo(jpeg(exif()))
    answers = {
        item: {"value": dice.random() < 0.8, "note": dice.choice(("", "旧", "new")), "photos": names}
        | dice.choice(({}, {"rectify": True}, {"rectify": False}))
        for item in dice.sample(("r03", "r04", "r05", "r99"), dice.randint(0, 3))
    }
    made: dict[str, Any] = {
        "site_id": dice.choice(SITES),
        "site_name": "a\0b" if dice.random() < 0.05 else "网点",
        "inspectors": [name for name in dice.sample(PEOPLE, dice.randint(0, 2)) if name],
        "begun_at": begun.format(day, hour),
        "saved_at": saved.format(day, hour + 1),
        "finished": dice.random() < 0.8,
        "answers": answers,
        "photos": photos,
    }
    if dice.random() < 0.05:
        made["form"] = {"id": "of-nobody", "version": "1"}
    if dice.random() < 0.05:
        made["form"] = {"id": "site-daily", "version": "2017.1", "digest": "other"}
    return made


def kept(store: Store) -> dict[str, Any]:
    """All that the registers hold after it, and their audit; what chance makes is left out."""
    with store.engine.connect() as connection:
        sites = connection.execute(sa.select(registers["site"].c.id, registers["site"].c.site_id))
        people = connection.execute(sa.select(users.c.id, users.c.name))
        names = {one: name for some in (sites, people) for one, name in some}
        found: dict[str, Any] = {}
        for kind in KINDS:
            table = registers[kind]
            rows = connection.execute(sa.select(table).order_by(table.c.id)).mappings()
            found[kind] = [{name: value for name, value in row.items() if name != "salt"} for row in rows]
        entries = connection.execute(sa.select(audit).where(audit.c.kind.in_(KINDS)).order_by(audit.c.n))
        found["audit"] = [
            {name: row[name] for name in ("at", "actor", "action", "kind", "record", "path", "admin_code")}
            | {"detail": _told(row["detail"])}
            for row in entries.mappings()
        ]
    assert store.folder is not None
    found["files"] = sorted(path.name for path in store.folder.glob("??/*"))
    text = json.dumps(found, default=str, sort_keys=True, ensure_ascii=False)
    for name, shown in names.items():
        text = text.replace(name, shown)
    made: dict[str, Any] = json.loads(text)
    return made


def _told(detail: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(detail).items() if name not in ("digest", "before")}
