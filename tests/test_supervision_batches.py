"""Many filled forms taken in together: the same as one by one, whatever is among them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
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
from safety_cases import filled, jpeg, photo, uuid, write_file
from supervision_cases import CITY, office

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

KILLED = """
import os, sys
import sqlalchemy as sa
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.storage.store import open_store
from changtong.supervision_records import inspection_register
place, files, token, export, after = sys.argv[1:]
inspection_register.AT_ONCE, left = 4, [int(after)]
def dies(connection, cursor, statement, *more):
    left[0] -= statement.startswith(("INSERT", "UPDATE"))
    if left[0] < 0:
        os._exit(9)
with open_store(place, files=files) as store:
    sa.event.listen(store.engine, "before_cursor_execute", dies)
    inspection_register.collect_into_registers(store.desk(token), [export], read_hazard_rules())
"""


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


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "at_once"), [(2, 200), (4, 7), (6, 23)])
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


def refuse(store: Store, number: int) -> None:
    """Let the database refuse one inspection, whatever the program thinks of it."""
    with store.engine.begin() as connection:
        if store.engine.dialect.name == "postgresql":
            rule = f"ALTER TABLE inspections ADD CONSTRAINT refused CHECK (id <> '{uuid(number)}')"
        else:
            rule = (
                f"CREATE TRIGGER refused BEFORE INSERT ON inspections WHEN NEW.id = '{uuid(number)}'"
                " BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        connection.exec_driver_sql(rule)


def test_what_only_the_database_refuses_is_set_aside_alone(
    small: tuple[Store, Desk],  # noqa: F811
    tmp_path: Path,
) -> None:
    store, admin = small
    desks = office(store, admin)
    refuse(store, 3)
    forms = [filled(number, site_id="S1", photos={"p1": photo(jpeg(after=b""))}) for number in range(1, 7)]
    file = write_file(tmp_path / "a.json", *forms)
    made = collect_into_registers(desks["li"], [file], RULES)
    assert (made.counts["new"], made.counts["set_aside"], made.counts["hazards_seen"]) == (5, 1, 4)
    (problem,) = made.problems
    assert (problem.code, problem.file) == ("bad-value", "a.json")
    assert uuid(3) in problem.message
    assert {one.id for one in desks["li"].every("inspection")} == {uuid(number) for number in (1, 2, 4, 5, 6)}
    assert uuid(3) not in {one["about"] for one in desks["li"].every("attachment")}
    assert admin.audit_entries("inspection", uuid(3)) == []
    assert admin.verify_audit(with_records=True).whole


def test_what_somebody_adds_meanwhile_is_found_and_kept_beside(
    small: tuple[Store, Desk],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, admin = small
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time: nobody adds anything meanwhile")
    desks = office(store, admin)
    mine = write_file(tmp_path / "a.json", *(filled(number, site_id="S1") for number in range(1, 4)))
    other = write_file(tmp_path / "b.json", filled(2, site_id="", answers={}, photos={}, site_name="by wu"))
    real, times = inspection_register.look_up_photos, []

    def meanwhile(*given: Any) -> None:
        times.append(1)
        if len(times) == 1:
            assert collect_into_registers(desks["wu"], [other], RULES).counts["new"] == 1
        real(*given)

    monkeypatch.setattr(inspection_register, "look_up_photos", meanwhile)
    made = collect_into_registers(desks["li"], [mine], RULES)
    assert len(times) == 3  # of wu, and of li twice
    assert (made.counts["new"], made.conflicts, made.problems) == (3, (uuid(2),), ())
    assert {one.id: one.version for one in desks["li"].every("inspection")} == {
        uuid(1): 1, uuid(2): 2, uuid(3): 1,
    }  # fmt: skip
    assert admin.verify_audit(with_records=True).whole


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 2, 4, 5, 9])
def test_killed_between_any_two_statements_all_of_a_part_is_there_or_nothing(
    small: tuple[Store, Desk],  # noqa: F811
    place: str,  # noqa: F811
    tmp_path: Path,
    after: int,
) -> None:
    store, admin = small
    li = office(store, admin)["li"]
    forms = [filled(k, site_id="S1", photos={"p1": photo(jpeg(after=bytes([k])))}) for k in range(1, 9)]
    file = write_file(tmp_path / "a.json", *forms)
    arguments = (place, str(tmp_path / "files"), li._token, str(file), str(after))
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], env=os.environ, capture_output=True)
    assert ended.returncode == 9, ended.stderr
    there = len(list(li.every("inspection")))
    assert there == (4 if after >= 5 else 0)  # five statements write a part
    assert len(list(li.every("attachment"))) == there
    made = collect_into_registers(li, [file], RULES)
    assert (made.counts["known"], made.counts["new"]) == (there, 8 - there)
    (hazard,) = li.every("hazard")
    assert (hazard["seen"], hazard["event_count"]) == (7, 8)
    assert len({one["about"] for one in li.every("attachment")}) == 8
    assert admin.sweep() == 0
    assert admin.verify_audit(with_records=True).whole


def test_several_files_are_one_transaction_and_problems_stay_in_order_of_files(
    small: tuple[Store, Desk],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, admin = small
    li = office(store, admin)["li"]
    files = [
        write_file(tmp_path / "a.json", filled(1), filled(2, site_name="a\0b")), tmp_path / "none.json",
        write_file(tmp_path / "c.json", filled(3, site_name="a\0b"), {"no": "form"}),
        write_file(tmp_path / "d.json", filled(4)), write_file(tmp_path / "e.json", filled(1)),
    ]  # fmt: skip
    begun: list[int] = []
    real = inspection_register._take_part
    monkeypatch.setattr(
        inspection_register, "_take_part", lambda *given: (begun.append(len(given[1])), real(*given))
    )
    made = collect_into_registers(li, files, RULES)
    assert begun == [5]
    assert (made.counts["new"], made.counts["known"], made.counts["set_aside"]) == (2, 1, 4)
    codes = [(one.file, one.code) for one in made.problems if one.code != "bad-filled" or one.row is None]
    assert codes == [("a.json", "bad-value"), ("none.json", "bad-filled"), ("c.json", "bad-value")]
    monkeypatch.setattr(inspection_register, "PHOTO_BYTES_AT_ONCE", 1)
    assert collect_into_registers(li, files, RULES).counts["known"] == 3
    assert begun == [5, 1, 1, 1, 1, 1]
