"""What a person may see in the registers, as the tables that visits and campaigns are made of."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.safety.hazard_ledger import Ledger
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.supervision import (
    INSPECTOR_SCHEMA,
    OPEN_SCHEMA,
    SITE_SCHEMA,
    TRAVEL_SCHEMA,
    VISITED_SCHEMA,
    Supervision,
    read_supervision,
)
from changtong.storage.store import Desk
from changtong.storage.work import Work
from changtong.supervision_records.hazard_records import all_records, shown_hazards, site_ids

MADE = ("finished", "reviewed")
"""States of inspections that count as visits."""


def read_register_tables(desk: Desk, rules: HazardRules) -> dict[str, pl.DataFrame]:
    """Return sites, inspections and hazards that a person may see, of one instant.

    Sites that are only planned are left out. ``pieces_per_day``, ``needs`` and ``campaigns`` of a site come
    from its ``details``. An inspection counts on the day it began.

    Parameters
    ----------
    desk : Desk
    rules : HazardRules
        In whose zone days are counted.
    """
    with desk.work(writes=False, snapshot=True) as work:
        sites = pl.DataFrame(_site_rows(work), SITE_SCHEMA)
        visits = pl.DataFrame(_visit_rows(work, rules), VISITED_SCHEMA)
        hazards = Ledger((), shown_hazards(work, rules), rules).table()
    found = hazards.select([pl.col(name).cast(dtype) for name, dtype in OPEN_SCHEMA.items()])
    return {"sites": sites, "inspections": visits, "hazards": found}


def read_register_supervision(
    desk: Desk, rules: HazardRules, folder: str | os.PathLike[str] | None = None
) -> Supervision:
    """Return what a person's registers and a folder know together.

    Parameters
    ----------
    desk : Desk
    rules : HazardRules
    folder : path, optional
        With ``inspectors.csv`` and ``travel.csv``. With it sites without a place are left out: nobody can
        drive there.

    Raises
    ------
    InputError
        With every problem of the folder's tables.
    """
    tables = read_register_tables(desk, rules)
    if folder is None:
        empty = {"inspectors": INSPECTOR_SCHEMA, "travel": TRAVEL_SCHEMA}
        more = {name: pl.DataFrame(schema=schema) for name, schema in empty.items()}
        return Supervision("registers", **tables, **more)
    if not Path(folder).is_dir():
        raise InputError([Problem("missing-file", "there is no such folder.", str(folder))])
    tables["sites"] = tables["sites"].filter(pl.col("lon").is_not_null() & pl.col("lat").is_not_null())
    return read_supervision(folder, known=tables)


def _site_rows(work: Work) -> list[dict[str, Any]]:
    rows = []
    for record in all_records(work, "site"):
        if record["status"] == "planned":
            continue
        details = record["details"] if isinstance(record["details"], dict) else {}
        pieces = details.get("pieces_per_day")
        pieces = None if isinstance(pieces, bool) else pieces
        rows.append(
            {name: record[name] for name in ("site_id", "name", "kind", "lon", "lat", "status")}
            | {"admin_code": record.admin_code}
            | {"pieces_per_day": float(pieces) if isinstance(pieces, int | float) else None}
            | {name: _words(details.get(name)) for name in ("needs", "campaigns")}
        )
    return rows


def _words(found: Any) -> str | None:
    if isinstance(found, list):
        return ";".join(map(str, found))
    return str(found) if found else None


def _visit_rows(work: Work, rules: HazardRules) -> list[dict[str, Any]]:
    kept = [one for one in all_records(work, "inspection") if one["site"] and one["state"] in MADE]
    sites = site_ids(work, {one["site"] for one in kept})
    return [
        {
            "inspection_id": one.id,
            "site_id": sites[one["site"]],
            "on": rules.day_of(_begun(one.values)),
            "findings": one["findings"],
            "campaign": None,
        }
        for one in kept
    ]


def _begun(values: Any) -> datetime:
    begun: datetime = values["started_at"] or values["planned_at"]
    return begun
