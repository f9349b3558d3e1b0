"""Items that values are counted from, whatever they come from, in one form."""

from __future__ import annotations

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
