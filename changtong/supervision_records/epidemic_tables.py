"""Epidemic control from the registers: what a person may see, as the tables of a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import polars as pl

from changtong.epidemic import passes, staff, state_book
from changtong.epidemic.epidemic_folder import SITE_FILE, SITE_SCHEMA, Epidemic, read_epidemic
from changtong.storage.records import Record, rows_to_decide
from changtong.storage.store import Desk
from changtong.storage.work import Work
from changtong.supervision_records.hazard_records import all_records

STATE_COLUMNS = {"control_state": "state", "starts_at": "from", "ends_at": "until"}


def read_register_epidemic(desk: Desk, folder: str | os.PathLike[str] | None = None) -> Epidemic:
    """Return sites, their states, passes, firms and staff that a person may see, of one instant.

    Parameters
    ----------
    desk : Desk
    folder : path, optional
        What the registers do not hold: controlled areas, zones, posts, presence, rules of settling, settings.

    Raises
    ------
    InputError
        With every problem: states of one site that overlap, too.

    Notes
    -----
    Plates and staff numbers are compared, never shown: tables have the plate masked, and of people a number
    of this reading only.
    """
    with desk.work(writes=False, snapshot=True) as work:
        known = {
            SITE_FILE: _table(_sites(work), SITE_SCHEMA),
            state_book.FILE: _table(_rows(work, "site_state", STATE_COLUMNS), state_book.SCHEMA),
            passes.PASS_FILE: _passes(work),
            passes.FIRM_FILE: _table(_rows(work, "firm"), passes.FIRM_SCHEMA),
            staff.FILE: _staff(work),
        }
    if known[passes.PASS_FILE].is_empty():  # none registered, or none to be seen: nothing is known of them
        del known[passes.PASS_FILE]
    if known[staff.FILE].is_empty():
        del known[staff.FILE]
    return read_epidemic(folder, known=known)


def _table(rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, dict(schema))
    return frame.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row"))


def _rows(work: Work, kind: str, names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the records of a register as rows, columns under the names of the files."""
    called = names or {}
    return [
        {called.get(key, key): value for key, value in one.values.items()} for one in all_records(work, kind)
    ]


def _sites(work: Work) -> list[dict[str, Any]]:
    rows = []
    for one in all_records(work, "site"):
        details = one["details"] if isinstance(one["details"], dict) else {}
        facts = {key: one[key] for key in ("site_id", "name", "kind", "lon", "lat")}
        more = {key: details.get(key) for key in ("international", "staff_needed", "settling_m2")}
        fits = {"international": bool, "staff_needed": int, "settling_m2": (int, float)}
        kept = {key: value if _is(value, fits[key]) else None for key, value in more.items()}
        rows.append(facts | {"admin_code": one.admin_code, "since": None} | kept)
    return rows


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _hidden(work: Work, kind: str, records: list[Record], column: str) -> dict[str, str]:
    """Return what a column with personal data holds, for comparing only."""
    rows = rows_to_decide(work, kind, "id", [one.id for one in records])
    return {row["id"]: row[column] for row in rows}


def _passes(work: Work) -> pl.DataFrame:
    records = all_records(work, "permit")
    plates = _hidden(work, "permit", records, "vehicle")
    rows = [{**one.values, "vehicle": plates[one.id]} for one in records]
    return passes.with_keys(_table(rows, passes.PASS_SCHEMA))


def _staff(work: Work) -> pl.DataFrame:
    """Return who may work; people are numbered as they come, one number a person."""
    records = all_records(work, "staff_permit")
    people = _hidden(work, "staff_permit", records, "person")
    numbers: dict[str, str] = {}
    for one in records:
        numbers.setdefault(people[one.id], f"N{len(numbers) + 1:04d}")
    rows = [{**one.values, "person": numbers[people[one.id]]} for one in records]
    return _table(rows, staff.SCHEMA)
