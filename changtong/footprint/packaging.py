"""Packaging indicators beside their targets by year."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from changtong._tables import PACKAGING_SET
from changtong.errors import InputError, Problem
from changtong.footprint.factors import Factors, read_factors
from changtong.network.findings import Findings, NearestNames, rows_where
from changtong.network.table_files import assemble_files

VALUE = pl.coalesce("value", pl.col("numerator") / pl.col("denominator"))
"""What was observed, however it was told."""


def assess_packaging(
    observed: str | os.PathLike[str] | pl.DataFrame, factors: Factors | None = None
) -> pl.DataFrame:
    """Compare observed packaging with the targets.

    Parameters
    ----------
    observed : path or polars.DataFrame
        Columns in docs/footprint.md: indicator, year, and value, or numerator and denominator.
    factors : Factors, optional
        Whose targets; those shipped.

    Returns
    -------
    polars.DataFrame
        indicator, name_zh, name_en, year, value, unit, target, target_year, gap (target less value, 0
        where reached), met, observed_source, target_source. A year without a target of its own has
        that of the latest year before; without any, target and met are empty.

    Raises
    ------
    InputError
        With every problem: an indicator without targets, a value missing, a share above 1.
    """
    findings = Findings()
    targets = (factors or read_factors()).targets
    made = assemble_files({"packaging": observed}, findings, PACKAGING_SET)
    frame, file = made.tables["packaging"], made.files.get("packaging", "packaging")
    if not findings.errors:
        _check(frame, targets, file, findings)
    if findings.errors:
        raise InputError(findings.errors)
    rows = frame.with_columns(value=VALUE, indicator=pl.col("indicator").cast(pl.String))
    named = targets.unique("indicator", keep="first").select("indicator", "name_zh", "name_en", "unit")
    aims = targets.select(
        "indicator", pl.col("year").alias("target_year"), pl.col("value").alias("target"),
        pl.col("source").alias("target_source"),
    ).sort("target_year")  # fmt: skip
    joined = rows.sort("year").join_asof(
        aims, left_on="year", right_on="target_year", by="indicator", strategy="backward",
        check_sortedness=False,
    )  # fmt: skip
    return (
        joined.join(named, on="indicator")
        .with_columns(
            gap=pl.max_horizontal(pl.col("target") - pl.col("value"), 0.0),
            met=pl.col("value") >= pl.col("target"),
        )
        .select(
            "indicator", "name_zh", "name_en", "year", "value", "unit", "target", "target_year", "gap", "met",
            pl.col("source").alias("observed_source"), "target_source",
        )
        .sort("indicator", "year")
    )  # fmt: skip


def _check(frame: pl.DataFrame, targets: pl.DataFrame, file: str, findings: Findings) -> None:
    known = targets["indicator"].unique(maintain_order=True)
    nearest = NearestNames(known)
    ids = frame["indicator"].cast(pl.String)
    findings.add_rows(
        rows_where(~ids.is_in(known.to_list())),
        lambda row: Problem(
            "unknown-indicator", f'"{ids[row]}" has no target.', Path(file).name, row + 1, "indicator",
            expected=", ".join(known), hint=nearest.hint(ids[row]),
        ),
    )  # fmt: skip
    given = frame["value"].is_not_null()
    counted = frame["numerator"].is_not_null() & (frame["denominator"] > 0.0).fill_null(False)
    findings.add_rows(
        rows_where(given == counted),
        lambda row: Problem(
            "no-value", "value, or numerator and denominator: one of the two is wanted.", Path(file).name,
            row + 1, "value",
        ),
    )  # fmt: skip
    shares = targets.filter(pl.col("unit") == "share")["indicator"].to_list()
    value = frame.select(VALUE).to_series()
    findings.add_rows(
        rows_where(ids.is_in(shares) & (value > 1.0)),
        lambda row: Problem(
            "out-of-range", f"{value[row]:g} is no share.", Path(file).name, row + 1, "value",
            expected="0 to 1",
        ),
    )  # fmt: skip
