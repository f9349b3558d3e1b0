"""Staff who may work (人员白名单), and the capacity that they give a site in closed loop."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from changtong.epidemic.passes import valid_at
from changtong.epidemic.tables import INSTANT, TableReader

FILE = "staff.csv"
SCHEMA: dict[str, pl.DataType] = {
    "person": pl.String(),
    "site_id": pl.String(),
    "post": pl.String(),
    "valid_from": INSTANT,
    "valid_until": INSTANT,
    "revoked_at": INSTANT,
}


def read_staff(reader: TableReader) -> pl.DataFrame:
    """Return who may work where; people by staff numbers or pseudonyms only.

    Parameters
    ----------
    reader : TableReader
    """
    frame = reader.table(
        reader.place(FILE),
        SCHEMA,
        ("person", "site_id", "valid_from", "valid_until"),
        key=("person", "site_id", "valid_from"),
        spans=(("valid_from", "valid_until"),),
    )
    reader.impersonal(frame, "person", FILE)
    return frame


def staff_at(staff: pl.DataFrame, sites: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return how many may work at each site, and the share of the staff it needs.

    Parameters
    ----------
    staff : polars.DataFrame
    sites : polars.DataFrame
        With ``site_id`` and ``staff_needed``.
    at : datetime

    Returns
    -------
    polars.DataFrame
        ``site_id``, ``may_work`` (people, each once), ``needed``, ``share`` (at most 1; null where ``needed``
        is not known), ``elsewhere_too`` (of them on another site's list as well).
    """
    valid = valid_at(staff, at).select("person", "site_id").unique()
    shared = valid.filter(pl.col("person").is_duplicated())
    counts = valid.group_by("site_id").agg(pl.len().cast(pl.Int64).alias("may_work"))
    needed = sites.filter(pl.col("staff_needed").is_not_null()).select("site_id", "staff_needed")
    known = pl.concat([counts.select("site_id"), needed.select("site_id")]).unique().sort("site_id")
    return (
        known.join(counts, on="site_id", how="left")
        .join(needed, on="site_id", how="left")
        .join(
            shared.group_by("site_id").agg(pl.len().cast(pl.Int64).alias("elsewhere_too")), "site_id", "left"
        )
        .with_columns(pl.col("may_work", "elsewhere_too").fill_null(0))
        .with_columns((pl.col("may_work") / pl.col("staff_needed")).clip(0.0, 1.0).alias("share"))
        .rename({"staff_needed": "needed"})
        .select("site_id", "may_work", "needed", "share", "elsewhere_too")
    )
