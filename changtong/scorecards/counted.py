"""Items that values are counted from, whatever they come from, in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

ITEMS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "item_id": pl.String(),
    "what": pl.String(),
    "numerator": pl.Int64(),
    "denominator": pl.Int64(),
}
"""``key`` is a site or a subject, ``item_id`` what was counted there, ``what`` how it was counted."""

MOST_ITEMS = 200
"""Items kept behind one value, those that lack most first; the rest is one item."""

FINDINGS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "fact_id": pl.String(),
    "date": pl.String(),
    "evidence": pl.String(),
}


@dataclass(frozen=True)
class Counted:
    """What one source counts.

    Attributes
    ----------
    items : polars.DataFrame
        `ITEMS`, or `FINDINGS` of a source of findings.
    by : {"site", "subject"}
        What ``key`` is.
    none_is_zero : bool
        Whether a subject without any item has 0 of them; else nothing is known of it.
    input, digest : str
        What it was counted from, and its SHA-256.
    note : str
        What a reader must know.
    """

    items: pl.DataFrame
    by: str
    none_is_zero: bool
    input: str
    digest: str
    note: str = ""


def items_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return rows as items.

    Parameters
    ----------
    rows : list of dict
    """
    return pl.DataFrame(rows, ITEMS)


def kept_items(found: pl.DataFrame, subjects: Sequence[str], indicator: str) -> pl.DataFrame:
    """Return the items behind the values of subjects, those that lack most first, at most so many.

    Beyond `MOST_ITEMS` they are one row, ``rest``.

    Parameters
    ----------
    found : polars.DataFrame
        `ITEMS` with ``subject_id`` in place of the key.
    subjects : sequence of str
        Whose, in which order.
    indicator : str

    Returns
    -------
    polars.DataFrame
        As ``computed_from`` of a card.
    """
    column = pl.col("denominator")
    whole = pl.when(column.count() > 0).then(column.sum()).alias("denominator")
    lacks = (column.fill_null(0) - pl.col("numerator")).alias("lacks")
    places = pl.DataFrame(
        {"subject_id": subjects, "place": range(len(subjects))}, {"subject_id": pl.String, "place": pl.Int64}
    )
    ordered = (
        found.group_by("subject_id", "item_id", maintain_order=True)
        .agg(pl.col("what").first(), pl.col("numerator").sum(), whole)
        .join(places, on="subject_id", how="inner")
        .sort("place", lacks, "item_id", descending=[False, True, False])
        .with_columns(number=pl.int_range(pl.len()).over("place"))
    )
    is_shown = pl.col("number") < MOST_ITEMS
    rest = (
        ordered.filter(~is_shown)
        .group_by("subject_id", "place")
        .agg(
            item_id=pl.lit("rest"),
            what=pl.format("{} more", pl.len()),
            numerator=pl.col("numerator").sum(),
            denominator=whole,
            number=pl.lit(MOST_ITEMS, pl.Int64),
        )
    )
    columns = ["subject_id", "item_id", "what", "numerator", "denominator", "place", "number"]
    both = pl.concat([ordered.filter(is_shown).select(columns), rest.select(columns)]).sort("place", "number")
    return both.select(
        subject_id="subject_id",
        indicator_id=pl.lit(indicator),
        item_id="item_id",
        what="what",
        numerator=pl.col("numerator").cast(pl.Float64),
        denominator=pl.col("denominator").cast(pl.Float64),
    )
