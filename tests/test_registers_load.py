"""Files of records: every problem of every row at once, rights included, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    region,
    site,
    small,
    small_database,
    small_file,
)

from changtong.errors import DeniedError, InputError
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store
from changtong.workbooks import Cell, write_workbook

HEAD = "id,organisation,admin_code,site_id,name,lon,status"


def told(
    desk: Desk, folder: Path, rows: list[str], head: str = HEAD, kind: str = "site"
) -> list[tuple[object, ...]]:
    """What is said of a file: row, column and code of each problem."""
    file = folder / "rows.csv"
    file.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    with pytest.raises(InputError) as caught:
        desk.load(kind, file)
    assert {problem.file for problem in caught.value.problems} == {"rows.csv"}
    return [(problem.row, problem.column, problem.code) for problem in caught.value.problems]


def test_a_row_with_a_bad_cell_is_checked_for_all_else(small: tuple[Store, Desk], tmp_path: Path) -> None:  # noqa: F811
    store, admin = small
    planner = person(store, admin, "pu", "spb-sz", ("planner", Scope(region="440300")))
    planner.add("site", site("1"), organisation="spb-sz")
    found = told(
        planner,
        tmp_path,
        [
            "x1,spb-sz,440305,N1,甲,east,open",  # one bad cell
            "x 2,none,44,N2,乙,east,open",  # and an id, an organisation, a code that are none
            "x3,spb-sz,310101,N3,丙,1e3,open",  # another province's: no right, and out of range
            "x4,spb-sz,310101,N4,丁,114,open",  # no right alone
            "x5,spb-sz,440305,S1,,114,sold",  # a key that is there, no name, no such state
            "x6,spb-sz,440305,N1,己,114,open",  # the key of row 1, which is not added
            "x7,spb-sz,440305,N7,庚,114,open",  # nothing
            "x8,spb-sz,440305,N8,辛,114,open,more",
        ],
    )
    assert found == [
        (1, "lon", "bad-value"),
        (2, "lon", "bad-value"), (2, "organisation", "unknown-reference"), (2, "id", "bad-value"),
        (2, "admin_code", "bad-value"),
        (3, "lon", "bad-value"), (3, "organisation", "not-allowed"),
        (4, "organisation", "not-allowed"),
        (5, "name", "missing-value"), (5, "status", "bad-value"), (5, "site_id", "duplicate-record"),
        (6, "site_id", "duplicate-record"),
        (8, None, "unreadable-file"),
    ]  # fmt: skip
    assert [record["site_id"] for record in planner.every("site")] == ["S1"]
    entries = [one for name in ("x3", "x4") for one in admin.audit_entries("site", name)]
    assert [(one["action"], one["record"]) for one in entries] == [("refused:add", "x3")]
    assert admin.verify_audit(with_records=True).whole


def test_a_workbook_is_loaded_as_a_csv_file_is(small: tuple[Store, Desk], tmp_path: Path) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    rows: list[list[Cell]] = [["site_id", "name", "lon"], ["S1", "甲", 114.05], [7, "乙", None]]
    write_workbook(tmp_path / "a.xlsx", [("说明", [["x"]]), ("site", rows)])
    assert li.load("site", tmp_path / "a.xlsx") == 2
    assert {one["site_id"]: one["lon"] for one in li.every("site")} == {"S1": 114.05, "7": None}
    write_workbook(tmp_path / "b.xlsx", [("网点", [*rows[:1], ["S2", None, 200], ["S1", "丙", None]])])
    with pytest.raises(InputError) as wrong:
        li.load("site", tmp_path / "b.xlsx")
    assert {(one.file, one.row, one.column) for one in wrong.value.problems} == {
        ("b.xlsx[网点]", 1, "name"), ("b.xlsx[网点]", 1, "lon"), ("b.xlsx[网点]", 2, "site_id"),
    }  # fmt: skip
    (tmp_path / "c.xlsx").write_text("site_id\n", "utf-8")
    with pytest.raises(InputError, match="unreadable-file"):
        li.load("site", tmp_path / "c.xlsx")
    assert len(list(li.every("site"))) == 2


def test_who_may_add_none_anywhere_is_refused_as_ever(small: tuple[Store, Desk], tmp_path: Path) -> None:  # noqa: F811
    store, admin = small
    viewer = person(store, admin, "vi", "spb-sz", ("viewer", Scope(region="440300")))
    file = tmp_path / "rows.csv"
    for row in ("x1,spb-sz,440305,N1,甲,114,open", "x1,none,44,N1,甲,east,active"):
        file.write_text(f"{HEAD}\n{row}\n", "utf-8")
        if "east" in row:
            with pytest.raises(InputError):
                viewer.load("site", file)
        else:
            with pytest.raises(DeniedError):
                viewer.load("site", file)
    assert [one["action"] for one in admin.audit_entries("site", "x1")] == ["refused:add"]


def test_references_are_looked_up_beside_cells_that_are_wrong(
    small: tuple[Store, Desk], tmp_path: Path
) -> None:  # noqa: F811
    store, admin = small
    li = region(store, admin)
    planner = person(store, admin, "pu", "spb-sz", ("planner", Scope(region="440300")))
    here = planner.add("site", site("1"), organisation="spb-sz")
    head = "id,site,title,grade,found_at,state,deadline"
    found = told(
        li,
        tmp_path,
        [
            f"h1,{here.id},甲,major,yesterday,open,2026-12-01T08:00:00+08:00",
            "h2,nowhere,,worst,2026-06-01T08:00:00+08:00,open,2026-12-01T08:00:00+08:00",
            f"h3,{here.id},丙,general,2026-06-01T08:00:00+08:00,open,2026-12-01T08:00:00+08:00",
        ],
        head,
        "hazard",
    )
    assert [one[0] for one in found if one[0] == 3] == []
    assert {
        (1, "found_at", "bad-value"),
        (2, "site", "unknown-reference"),
        (2, "title", "missing-value"),
    } <= set(found)
    assert not list(li.every("hazard"))
