"""Firms of the registers for relief policies: organisations that one may see, and their facts."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from changtong.errors import InputError, Problem
from changtong.rights.decide import Target
from changtong.rights.organisations import FIRMS
from changtong.storage.schema import organisations
from changtong.storage.store import Desk
from changtong.workbook_sheets import label_of
from changtong.workforce.relief_match import FIRMS as FIRM_TABLE
from changtong.workforce.relief_match import Firm, read_firm_table, read_firms
from changtong.workforce.relief_rules import Policies

KNOWN = ("name", "region")
"""What the registers say of an organisation; it is not taken from a file."""


def register_firms(
    desk: Desk, policies: Policies, facts: str | os.PathLike[str] | None = None
) -> tuple[Firm, ...]:
    """Return the firms of the registers that one may see, in order of their ids.

    Parameters
    ----------
    desk : Desk
    policies : Policies
        Whose facts are looked for.
    facts : path, optional
        CSV or XLSX with ``firm_id``, an organisation's id, and what the registers do not hold, as the size. A
        firm that is not in it, and a fact without a column, is not known: matching says what is missing.

    Returns
    -------
    tuple of Firm
        Of organisations of a firm (headquarters, branch, franchise, outlet); their region is known.

    Raises
    ------
    InputError
        ``unknown-firm``: the file has organisations that one cannot see; and those of `read_firms`.
    """
    with desk.work(writes=False, snapshot=True) as work:
        chosen = sa.select(organisations).where(organisations.c.kind.in_(FIRMS)).order_by(organisations.c.id)
        rows = [
            {"firm_id": row["id"], "name": row["name_zh"], "region": row["admin_code"]}
            for row in work.connection.execute(chosen).mappings()
            if work.may("view", Target("organisation", row["path"], row["admin_code"]))
        ]
    frame = pl.DataFrame(rows, dict.fromkeys(("firm_id", "name", "region"), pl.String()))
    if facts is not None:
        more = read_firm_table(facts)
        _check_known(more, set(frame["firm_id"]), label_of(Path(facts), FIRM_TABLE))
        own = [name for name in more.columns if name not in KNOWN]
        read_firms(more.select(own), policies)  # every problem of the file, with its rows
        frame = frame.join(more.select(own), on="firm_id", how="left", maintain_order="left")
    return read_firms(frame, policies) if rows else ()


def _check_known(more: pl.DataFrame, there: set[str], file: str) -> None:
    problems = [
        Problem(
            "unknown-firm", f"{firm!r} is no firm that you may see.", file, row, "firm_id",
            "an organisation's id: see `registers organisations`",
        )
        for row, firm in enumerate(more["firm_id"].to_list(), 1)
        if firm is not None and firm.strip() and firm not in there
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
