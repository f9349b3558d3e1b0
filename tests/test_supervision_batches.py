"""Many filled forms taken in together: the same as one by one, whatever is among them."""

from __future__ import annotations

import random
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from export_cases import kept, random_exports
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from safety_cases import uuid
from supervision_cases import CITY, office

from changtong.errors import InputError
from changtong.rights.scope import Scope
from changtong.safety.hazard import HazardEvent
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.storage import work as one_work
from changtong.storage.rows import now
from changtong.storage.schema import passes
from changtong.storage.store import Desk, Store, open_store
from changtong.supervision_records import inspection_register
from changtong.supervision_records.hazard_register import read_hazard_register, update_hazard_register
from changtong.supervision_records.inspection_register import collect_into_registers

RULES = read_hazard_rules()


def season(store: Store, admin: Desk, folder: Path, seed: int, count: int) -> list[dict[str, Any]]:
    """Rounds of inspections sent by several people, with what happens between them; what each was told."""
    dice = random.Random(seed)
    desks = office(store, admin)
    outside = person(store, admin, "far", "spb-bj", ("inspector", Scope(region="110000")))
    above = person(store, admin, "shang", "spb-gd", ("inspector", Scope(region="440000")))
    viewer = person(store, admin, "kan", "spb-sz", ("viewer", CITY))
    told = []
    files = random_exports(dice, folder, count)
    for number, desk in enumerate((desks["li"], viewer, desks["wu"], outside, desks["he"], desks["li"])):
        some = files[: len(files) * (number + 1) // 6]
        some = dice.sample(some, max(1, len(some) * 2 // 3)) if number < 5 else some
        told.append(collect_into_registers(desk, some, RULES).to_json())
        _between(dice, desks, above, number)
    return told


def _between(dice: random.Random, desks: dict[str, Desk], above: Desk, number: int) -> None:
    for one in sorted(above.every("inspection"), key=lambda one: one.id):
        if one["state"] == "finished" and dice.random() < 0.1:
            above.change("inspection", one.id, one.version, {"state": "reviewed"})
    for name, one in sorted(read_hazard_register(desks["li"], RULES).hazards.items()):
        if one.state in ("open", "reopened") and dice.random() < 0.3:
            for who, action, more in (
                ("li", "assign", {"owner": "wu"}), ("wu", "done", {"evidence": "p"}), ("he", "pass", {}),
            ):  # fmt: skip
                event = HazardEvent(name, one.changed_at, action, "", **more)
                update_hazard_register(desks[who], RULES, date(2026, 3, 30), actions=[event])
    if number == 2:
        desks["li"].add("site", {"site_id": "S77", "name": "new"}, organisation="fc-ft")


@pytest.mark.parametrize(("seed", "at_once"), [(2, 200), (3, 7), (4, 23)])
def test_together_is_as_one_by_one(
    small: tuple[Store, Desk],  # noqa: F811
    small_file: tuple[Path, str],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    at_once: int,
) -> None:
    at = now()
    monkeypatch.setattr(one_work, "now", lambda: at)
    monkeypatch.setattr(inspection_register, "AT_ONCE", at_once)
    store, admin = small
    told = season(store, admin, tmp_path / "sent", seed, 30)
    there = kept(store)
    assert admin.verify_audit(with_records=True).whole
    path, token = small_file
    shutil.copyfile(path, tmp_path / "other.sqlite")
    with open_store(tmp_path / "other.sqlite", files=tmp_path / "other") as other:
        with other.engine.begin() as connection:
            connection.execute(passes.update().values(seen_at=at))
        monkeypatch.setattr(inspection_register, "AT_ONCE", 1)
        assert season(other, other.desk(token), tmp_path / "sent", seed, 30) == told
        alone = kept(other)
    for name, found in alone.items():
        assert there[name] == found, name
    counted = [sum(one[name] for one in told) for name in ("new", "known", "set_aside", "hazards_reopened")]
    assert all(counted), counted
