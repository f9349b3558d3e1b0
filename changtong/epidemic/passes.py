"""Vehicle passes (通行证) and whitelisted firms (白名单): what is valid when, ends soon, is there twice."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from changtong.epidemic.settings import Settings
from changtong.epidemic.tables import INSTANT, TableReader, words
from changtong.privacy.masks import mask

PASS_FILE, FIRM_FILE = "passes.csv", "firms.csv"
PASS_SCHEMA: dict[str, pl.DataType] = {
    "pass_id": pl.String(),
    "holder": pl.String(),
    "vehicle": pl.String(),
    "areas": pl.String(),
    "sites": pl.String(),
    "goods": pl.String(),
    "valid_from": INSTANT,
    "valid_until": INSTANT,
    "revoked_at": INSTANT,
    "trips_per_day": pl.Int64(),
    "issuer": pl.String(),
}
FIRM_SCHEMA: dict[str, pl.DataType] = {
    "firm_id": pl.String(),
    "name": pl.String(),
    "list": pl.String(),
    "sites": pl.String(),
    "goods": pl.String(),
    "valid_from": INSTANT,
    "valid_until": INSTANT,
    "revoked_at": INSTANT,
    "authority": pl.String(),
}
MOST_TRIPS = 96
"""Trips a day of one vehicle above which a number is taken for a slip of the pen: one every quarter hour."""

PSEUDONYM = re.compile(r"p[0-9a-z]{6,}", re.I)
STATES = ("coming", "valid", "expiring", "expired", "revoked")


def plate_key(text: str | None) -> str | None:
    """Return a plate as it is compared: capitals, no spaces, dots or dashes, full-width letters made plain.

    Parameters
    ----------
    text : str or None

    Examples
    --------
    >>> plate_key("沪a·12345") == plate_key("沪Ａ 12345")
    True
    """
    if text is None:
        return None
    if PSEUDONYM.fullmatch(text):
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).upper()
    return re.sub(r"[\s·•.\-]", "", plain) or None


def shown_plate(text: str | None) -> str | None:
    """Return a plate masked, or a pseudonym as it is.

    Parameters
    ----------
    text : str or None

    Examples
    --------
    >>> shown_plate("沪A12345")
    '沪A*****'
    """
    return text if text is None or PSEUDONYM.fullmatch(text) else mask("plate", text)


def read_passes(reader: TableReader, path: object = None) -> pl.DataFrame:
    """Return the passes of a folder, with ``vehicle_key`` for comparing and ``vehicle`` masked.

    Parameters
    ----------
    reader : TableReader
    path : path, optional
        Another table than the folder's.
    """
    place = reader.place(PASS_FILE) if path is None else path
    frame = reader.table(
        place,  # type: ignore[arg-type]
        PASS_SCHEMA,
        ("pass_id", "vehicle", "valid_from", "valid_until"),
        key=("pass_id",),
        spans=(("valid_from", "valid_until"),),
    )
    reader.within(frame, "trips_per_day", 1, MOST_TRIPS, PASS_FILE)
    for (row,) in (
        frame.filter(pl.col("areas").is_null() & pl.col("sites").is_null()).select("row").iter_rows()
    ):
        reader.add("missing-value", "it says no area and no site.", PASS_FILE, row, "areas", "areas or sites")
    return with_keys(frame)


def with_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Return passes with ``vehicle_key`` for comparing, ``vehicle`` masked, at least one trip a day.

    Parameters
    ----------
    frame : polars.DataFrame
        As `PASS_SCHEMA`, plates as they are written.
    """
    return frame.with_columns(
        pl.col("vehicle").map_elements(plate_key, pl.String).alias("vehicle_key"),
        pl.col("vehicle").map_elements(shown_plate, pl.String),
        pl.col("trips_per_day").fill_null(1),
    )


def read_firms(reader: TableReader) -> pl.DataFrame:
    """Return the whitelisted firms of a folder.

    Parameters
    ----------
    reader : TableReader
    """
    return reader.table(
        reader.place(FIRM_FILE),
        FIRM_SCHEMA,
        ("firm_id", "valid_from", "valid_until"),
        key=("firm_id", "valid_from"),
        spans=(("valid_from", "valid_until"),),
    )


def with_state(frame: pl.DataFrame, at: datetime, settings: Settings) -> pl.DataFrame:
    """Return passes, firms or staff with ``state``: coming, valid, expiring (ends soon), expired, revoked.

    Parameters
    ----------
    frame : polars.DataFrame
        With ``valid_from``, ``valid_until`` and ``revoked_at``.
    at : datetime
    settings : Settings
        ``expiring_days``.
    """
    at = at.astimezone(UTC)
    soon = at + timedelta(days=settings.expiring_days)
    state = (
        pl.when(pl.col("revoked_at") <= at)
        .then(pl.lit("revoked"))
        .when(pl.col("valid_from") > at)
        .then(pl.lit("coming"))
        .when(pl.col("valid_until") <= at)
        .then(pl.lit("expired"))
        .when(pl.min_horizontal("valid_until", "revoked_at") <= soon)
        .then(pl.lit("expiring"))
        .otherwise(pl.lit("valid"))
    )
    return frame.with_columns(state.alias("state"))


def valid_at(frame: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return what is valid at an instant: begun, not ended, not revoked.

    Parameters
    ----------
    frame : polars.DataFrame
    at : datetime
    """
    at = at.astimezone(UTC)
    revoked = pl.col("revoked_at").is_not_null() & (pl.col("revoked_at") <= at)
    return frame.filter((pl.col("valid_from") <= at) & (pl.col("valid_until") > at) & ~revoked)


def _end(row: dict[str, object]) -> datetime:
    until, revoked = row["valid_until"], row["revoked_at"]
    assert isinstance(until, datetime)
    return min(until, revoked) if isinstance(revoked, datetime) else until


def duplicates(passes: pl.DataFrame) -> pl.DataFrame:
    """Return pairs of passes of one vehicle that are valid at one time: one row a pair.

    Parameters
    ----------
    passes : polars.DataFrame

    Returns
    -------
    polars.DataFrame
        ``vehicle`` (masked), ``pass_id``, ``other_pass_id``, ``from``, ``until`` (both valid), ``same_scope``
        (an area or site is in both).
    """
    made = []
    again = passes.filter(pl.col("vehicle_key").is_not_null() & pl.col("vehicle_key").is_duplicated())
    for _, group in again.sort("valid_from", "pass_id").group_by("vehicle_key", maintain_order=True):
        rows = list(group.iter_rows(named=True))
        for k, one in enumerate(rows):
            for two in rows[k + 1 :]:
                begin = max(one["valid_from"], two["valid_from"])
                end = min(_end(one), _end(two))
                if begin >= end:
                    continue
                scopes = [{*words(row["areas"]), *words(row["sites"])} for row in (one, two)]
                made.append(
                    {
                        "vehicle": one["vehicle"], "pass_id": one["pass_id"], "other_pass_id": two["pass_id"],
                        "from": begin, "until": end, "same_scope": bool(scopes[0] & scopes[1]),
                    }
                )  # fmt: skip
    schema: dict[str, Any] = {
        "vehicle": pl.String, "pass_id": pl.String, "other_pass_id": pl.String, "from": INSTANT,
        "until": INSTANT, "same_scope": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(made, schema)


def not_listed(passes: pl.DataFrame, firms: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return valid passes whose holder is on no whitelist at an instant; none where there is no list at all.

    Parameters
    ----------
    passes, firms : polars.DataFrame
    at : datetime
    """
    valid = valid_at(passes, at)
    if firms.is_empty():
        return valid.clear()
    listed = valid_at(firms, at)["firm_id"].to_list()
    return valid.filter(~pl.col("holder").is_in(listed).fill_null(False))
