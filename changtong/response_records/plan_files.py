"""A plan folder as it is proposed: looked at anew, its orders by site, and a digest of what was read."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.planning.plan_folder import ROUNDS_FILE, SUMMARY_FILE, is_plan_folder
from changtong.response_records.order_lines import Sheet, make_sheets
from changtong.spreadsheets import with_formulas
from changtong.study_files import STUDY_FILE

FEASIBLE = ("optimal", "feasible")
"""What a plan says of itself where it keeps every capacity: the first also that its gap is proved."""

NUMBERS = (
    "status", "termination", "gap_share", "demand_pieces", "unserved_pieces", "late_pieces", "cost_cny",
    "carbon_kgco2e", "changed_legs", "max_load_share",
)  # fmt: skip
"""What is kept of a plan's summary: what a person decides by."""

RELATIVE, LEAST = 1e-6, 1e-3
"""Rounding allowed above a capacity, as the planner's own checker allows it."""

TEXTS = ("site", "action", "destination", "service_class", "next_site", "note_code", "blocked_by")
AMOUNTS = ("pieces", "trips", "leg_pieces", "leg_trips", "from_h")


@dataclass(frozen=True)
class PlanFolder:
    """A plan that may be issued.

    Attributes
    ----------
    plan_id, digest : str
        Its number, and SHA-256 over the files that were read.
    network : str
        Its name.
    outages : tuple of str
        Labels.
    numbers : mapping
        `NUMBERS` of its summary.
    sheets : tuple of Sheet
        Orders by site.
    """

    plan_id: str
    digest: str
    network: str
    outages: tuple[str, ...]
    numbers: Mapping[str, Any]
    sheets: tuple[Sheet, ...]

    @property
    def orders(self) -> int:
        """How many there are at all sites."""
        return sum(sum(sheet.counts().values()) for sheet in self.sheets)


def read_plan_folder(folder: str | os.PathLike[str]) -> PlanFolder:
    """Read a plan that is to be issued, and check it: loads against capacities, held pieces against unserved.

    Parameters
    ----------
    folder : path
        As ``changtong plan -o`` or a run wrote it.

    Raises
    ------
    UsageError
        ``not-a-plan-folder``.
    InputError
        ``missing-file``, ``unreadable-file``; ``plan-not-feasible``: it is not proved that it can be done;
        ``plan-fails-check``: its own tables contradict it, or played forward it did not hold; ``no-orders``.
    """
    place = Path(folder)
    if not is_plan_folder(place):
        raise UsageError(f"{place.name}: this is no plan folder (it has no plan.json).", "not-a-plan-folder")
    names = (SUMMARY_FILE, STUDY_FILE, "orders.csv", "leg_flows", "site_loads", "unserved")
    files = {name: _found(place, name) for name in names}
    missing = [name for name, file in files.items() if file is None]
    if missing:
        raise InputError(Problem("missing-file", f"{name} is not there.", name) for name in missing)
    read = {name: _content(file) for name, file in files.items() if file is not None}
    rounds = place / ROUNDS_FILE
    if rounds.is_file():
        read[ROUNDS_FILE] = _content(rounds)
    summary, study = (_object(name, read[name]) for name in (SUMMARY_FILE, STUDY_FILE))
    tables = {name: _table(name, read[name]) for name in read if name not in (SUMMARY_FILE, STUDY_FILE)}
    orders = _orders(tables["orders.csv"])
    _check(summary, tables, orders)
    digest = hashlib.sha256()
    for name in sorted(read):
        digest.update(f"{name}\n{len(read[name])}\n".encode() + read[name])
    return PlanFolder(
        str(orders["plan_id"][0]), digest.hexdigest(), str(study.get("network") or summary.get("name") or ""),
        tuple(map(str, summary.get("outages") or ())), {name: summary.get(name) for name in NUMBERS},
        make_sheets(orders),
    )  # fmt: skip


def _found(place: Path, name: str) -> Path | None:
    wanted = (name,) if "." in name else (f"{name}.csv", f"{name}.parquet")
    return next((place / one for one in wanted if (place / one).is_file()), None)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError([Problem("unreadable-file", f"{error.strerror}.", file.name)]) from None


def _object(name: str, content: bytes) -> dict[str, Any]:
    try:
        made = json.loads(content)
    except ValueError:
        made = None
    if not isinstance(made, dict):
        raise InputError([Problem("unreadable-file", "it is no JSON object.", name)])
    return made


def _table(name: str, content: bytes) -> pl.DataFrame:
    try:
        if content[:4] == b"PAR1":
            return pl.read_parquet(io.BytesIO(content))
        return pl.read_csv(content, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        text = str(error).partition("\n")[0]
        raise InputError([Problem("unreadable-file", f"it is no table: {text}.", name)]) from None


def _orders(table: pl.DataFrame) -> pl.DataFrame:
    """Return the orders with their types, texts as they were before they were made safe for spreadsheets."""
    wanted = ("plan_id", *TEXTS, *AMOUNTS, "site_name", "destination_name", "next_site_name")
    lacking = [name for name in wanted if name not in table.columns]
    if lacking:
        raise InputError(
            Problem("missing-column", f"{name} is not there.", "orders.csv", 0, name) for name in lacking
        )
    try:
        frame = with_formulas(table).with_columns(pl.col(AMOUNTS).cast(pl.Float64))
    except pl.exceptions.PolarsError:
        raise InputError(
            [Problem("wrong-type", "an amount is no number.", "orders.csv", expected=", ".join(AMOUNTS))]
        ) from None
    if frame.is_empty():
        text = "The plan orders nothing: every site goes on as today."
        raise InputError([Problem("no-orders", text, "orders.csv", expected="an order at a site")])
    return frame


def _check(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], orders: pl.DataFrame) -> None:
    """Refuse a plan that is not proved feasible, or whose tables say something else than it: all at once."""
    problems = []
    if summary.get("status") not in FEASIBLE:
        text = f"The plan says {str(summary.get('status'))[:40]!r} of itself."
        problems.append(Problem("plan-not-feasible", text, SUMMARY_FILE, expected=" or ".join(FEASIBLE)))
    try:
        wrong = [
            *_above(tables, "leg_flows"), *_above(tables, "site_loads"), *_held(summary, tables, orders),
            *_played(tables),
        ]  # fmt: skip
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        wrong = ["its tables cannot be checked: a column is not there, or holds no numbers"]
    problems += [
        Problem("plan-fails-check", f"{text}.", expected="a plan as the program wrote it") for text in wrong
    ]
    if problems:
        raise InputError(problems)


def _above(tables: Mapping[str, pl.DataFrame], name: str) -> list[str]:
    frame = tables[name].select(pl.col("planned_pieces", "capacity_pieces").cast(pl.Float64))
    most = pl.col("capacity_pieces")
    over = frame.filter(pl.col("planned_pieces") > most + RELATIVE * most + LEAST).height
    return [f"{over:,} rows of {name} are above their capacity"] if over else []


def _held(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], orders: pl.DataFrame) -> list[str]:
    """Compare what sites hold, what is unserved, and what the summary says of it."""
    left = tables["unserved"].select(pl.col("pieces").cast(pl.Float64))["pieces"]
    total, said = float(left.sum()), float(summary.get("unserved_pieces") or 0.0)
    held = float(orders.filter(pl.col("action") == "hold")["pieces"].sum())
    near = 0.5 * (len(left) + 1) + 1e-3 * total  # less than half a piece on a pair gets no order
    wrong = []
    if abs(total - said) > near:
        wrong.append(f"plan.json leaves {said:,.0f} pieces unserved, its table {total:,.0f}")
    if abs(held - total) > near:
        wrong.append(f"orders hold {held:,.0f} pieces, and {total:,.0f} are unserved")
    return wrong


def _played(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    rounds = tables.get(ROUNDS_FILE)
    if rounds is None or "true" in rounds["holds"].cast(pl.String).str.to_lowercase().to_list():
        return []
    return ["played forward it does not hold"]
