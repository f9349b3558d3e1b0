"""Marks of departments: where they disagree, shown once all have handed in."""

from __future__ import annotations

import polars as pl

from changtong.assessment.exact import to_points, to_units, unit
from changtong.assessment.scorecard import Scorecard

SCHEMA = {
    "subject_id": pl.String(),
    "indicator_id": pl.String(),
    "lowest": pl.Float64(),
    "lowest_by": pl.String(),
    "highest": pl.Float64(),
    "highest_by": pl.String(),
    "spread": pl.Float64(),
    "evidence": pl.String(),
}


def disagreements(card: Scorecard) -> pl.DataFrame:
    """Return marks of one thing that lie further apart than the card allows, the widest first.

    Nothing is told while a department with weight has not handed in.

    Parameters
    ----------
    card : Scorecard
    """
    limit = card.head.disagreement_above
    if limit is None or card.waiting_for or not card.marks.height:
        return pl.DataFrame(schema=SCHEMA)
    weighty = card.departments.filter(pl.col("weight") > 0)["department_id"].cast(pl.String)
    marks = card.marks.with_columns(pl.col("department_id", "subject_id", "indicator_id").cast(pl.String))
    marks = marks.filter(pl.col("department_id").is_in(weighty.implode()))
    marks = marks.with_columns(units=pl.Series(to_units(marks["points"]))).sort("units", "department_id")
    found = marks.group_by("subject_id", "indicator_id", maintain_order=True).agg(
        low=pl.col("units").first(),
        lowest_by=pl.col("department_id").first(),
        high=pl.col("units").last(),
        highest_by=pl.col("department_id").last(),
        evidence=pl.col("evidence").drop_nulls().str.join("; "),
    )
    found = found.filter(pl.col("high") - pl.col("low") > unit(limit))
    found = found.with_columns(
        lowest=pl.Series(to_points(found["low"].to_numpy())),
        highest=pl.Series(to_points(found["high"].to_numpy())),
        spread=pl.Series(to_points((found["high"] - found["low"]).to_numpy())),
    )
    found = found.sort("spread", "subject_id", "indicator_id", descending=[True, False, False])
    return found.select([pl.col(name).cast(kind) for name, kind in SCHEMA.items()])
