"""Months of outlets from indicators of days (the scan log) and tables of registers, in one table."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from changtong._tables import OUTLETS_SET
from changtong.errors import InputError
from changtong.network.findings import Findings
from changtong.network.table_files import TableSource, assemble_files

HANDLED = ("accepted_pieces", "delivered_pieces")
ON_TIME = "on_time_72h_share"
BACKLOG = "backlog_pieces"
LEAST_DAYS_SHARE = 0.8
KEY = ["outlet_id", "month"]


@dataclass(frozen=True)
class MonthsMade:
    """A table of months, and what it was made from.

    Attributes
    ----------
    table : polars.DataFrame
        As `read_outlet_months` reads it, with ``days_known``.
    days : int
        Days of indicators.
    months_left_out : tuple of str
        Months of which too few days are known: nothing of the scan log is in the table.
    no_outlets : tuple of str
        Sites of the log where nothing is ever accepted or delivered, as transfer centres: left out, since
        they would look like outlets that have stopped.
    """

    table: pl.DataFrame
    days: int
    months_left_out: tuple[str, ...]
    no_outlets: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return counts."""
        return {
            "rows": self.table.height,
            "outlets": self.table["outlet_id"].n_unique(),
            "months": sorted(self.table["month"].unique().to_list()),
            "days": self.days,
            "months_left_out": list(self.months_left_out),
            "no_outlets": list(self.no_outlets),
        }


def months_of_days(
    days: Sequence[tuple[date, pl.DataFrame]], registers: Sequence[TableSource] = ()
) -> MonthsMade:
    """Return months of outlets.

    Parameters
    ----------
    days : sequence of (date, frame)
        Indicators of days, as `Indicators.values`; each day once.
    registers : sequence of path or frame
        What else is known by outlet and month: complaints, staff, left, arrears_cny, state, name, firm; the
        columns of docs/outlets.md. A column that the log knows is taken from here where it is given.

    Raises
    ------
    InputError
        Every problem of the tables.

    Notes
    -----
    Pieces: accepted and delivered at the site. Of those that fell due (72 h after acceptance there), the late
    ones. Backlog: the mean of the days' ends. A month of which at least 80 % of the days are known counts,
    its sums scaled to all its days; one with fewer is left out. So is a site that handles nothing in any of
    these months: it is no outlet.
    """
    made = pl.DataFrame(schema={"outlet_id": pl.String, "month": pl.String})
    left_out: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    if days:
        made, left_out = _of_log(days)
        busy = pl.col("pieces").sum().over("outlet_id") > 0.0
        others = tuple(sorted(made.filter(~busy)["outlet_id"].unique().to_list()))
        made = made.filter(busy)
    for source in registers:
        findings = Findings()
        frame = assemble_files({"months": source}, findings, OUTLETS_SET).tables["months"]
        if findings.errors:
            raise InputError(findings.errors)
        given = [one for one in frame.columns if one not in KEY and frame[one].null_count() < frame.height]
        joined = made.join(frame.select(*KEY, *given), on=KEY, how="full", coalesce=True, suffix="_given")
        both = [one for one in given if one in made.columns]
        made = joined.with_columns(pl.coalesce(f"{one}_given", one).alias(one) for one in both).drop(
            f"{one}_given" for one in both
        )
    return MonthsMade(made.sort(KEY), len(days), left_out, others)


def _of_log(days: Sequence[tuple[date, pl.DataFrame]]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    parts = []
    known: dict[str, int] = {}
    for day, values in days:
        month = f"{day:%Y-%m}"
        known[month] = known.get(month, 0) + 1
        rows = values.filter(
            (pl.col("dimension") == "site") & pl.col("hour").is_null() & (pl.col("member") != "")
        )
        parts.append(rows.select("indicator", "member", "value", "pieces", pl.lit(month).alias("month")))
    length = {month: _days_in(month) for month in known}
    short = tuple(sorted(month for month in known if known[month] < LEAST_DAYS_SHARE * length[month]))
    rows = pl.concat(parts).filter(~pl.col("month").is_in(short))
    of = {name: pl.col("value").filter(pl.col("indicator") == name) for name in (*HANDLED, BACKLOG, ON_TIME)}
    due = pl.col("pieces").filter(pl.col("indicator") == ON_TIME)
    days_known = pl.col("month").replace_strict(known, return_dtype=pl.Int64)
    scale = pl.col("month").replace_strict(length, return_dtype=pl.Int64) / days_known
    made = (
        rows.group_by(pl.col("member").alias("outlet_id"), "month")
        .agg(
            (of[HANDLED[0]].sum() + of[HANDLED[1]].sum()).alias("pieces"),
            due.sum().cast(pl.Float64).alias("due_pieces"),
            ((1.0 - of[ON_TIME]) * due).sum().alias("late_pieces"),
            of[BACKLOG].sum().alias("backlog_pieces"),
            of[ON_TIME].count().alias("judged"),
        )
        .with_columns(
            pl.col("pieces", "due_pieces", "late_pieces") * scale,
            backlog_pieces=pl.col("backlog_pieces") / days_known,
            days_known=days_known,
        )
        .with_columns(pl.when(pl.col("judged") > 0).then(pl.col("due_pieces", "late_pieces")))
        .with_columns(late_pieces=pl.min_horizontal("late_pieces", "due_pieces"))
        .drop("judged")
    )
    return made, short


def _days_in(month: str) -> int:
    year, number = month.split("-")
    return calendar.monthrange(int(year), int(number))[1]
