"""Reading exports of the postal union's tracking system IPS: receptacle, item, event, time, office.

The event type decides what happened; its name is in the language of the system and is not
looked at. IPS writes local times without a zone: it must be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import polars as pl

from changtong.errors import UsageError
from changtong.events.codes import code_of_ips
from changtong.events.formats.delimited import DelimitedForm, read_content, read_delimited
from changtong.events.formats.foreign_rows import ForeignRows, ProblemList
from changtong.events.formats.identifiers import read_s9
from changtong.events.formats.instants import check_zone
from changtong.events.formats.postal_rows import PostalCells, note_duplicates, repair_offices, start

FROM_ABROAD = ("12", "106", "107", "108")
"""Event types that happen at the receptacle's office of origin: sent abroad."""

FORM = DelimitedForm(
    headings={
        "receptacle_id": ("RECPTCL_FID", "receptacle"),
        "item_id": ("MAILITM_FID", "item"),
        "at": ("date", "EVENT_LOCAL_DT", "event time"),
        "code": ("EVENT_TYPE_CD", "event code"),
        "site_id": ("établissement_postal", "etablissement_postal", "EVENT_OFFICE_CD", "office"),
        "next_site_id": (
            "next_établissement_postal", "next_etablissement_postal", "NEXT_OFFICE_CD", "next office",
        ),
    },
    needed=("item_id", "at", "code", "site_id"),
    ignored=("EVENT_TYPE_NM",),
)  # fmt: skip


def read_ips(
    source: str | Path | bytes,
    zone: str,
    *,
    missing_office: Literal["origin", "keep", "refuse"] = "origin",
    offices: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
    other_encoding: str = "cp1252",
) -> ForeignRows:
    """Read an IPS export as rows of the scan log.

    Duplicates, items in two receptacles at once, damaged names and receptacles that are no S9
    are reported and kept. Rows without code, time or object, with unknown codes or a wrong S10
    check digit are reported and left out.

    Parameters
    ----------
    source : path or bytes
        Cells separated by ``;``, comma, tab or ``|``.
    zone : str
        Time zone of the export, for example ``Africa/Algiers``.
    missing_office : {"origin", "keep", "refuse"}
        What becomes of an event without office. ``origin``: dispatches from abroad get the office of
        origin in the receptacle's identifier (reported), others are left out. ``keep``: without
        site. ``refuse``: left out.
    offices : iterable of str
        Known office names; damaged names are repaired where one of them alone fits.
    columns : mapping, optional
        Heading -> field (``item_id``, ``receptacle_id``, ``at``, ``code``, ``site_id``, ``next_site_id``).
    other_encoding : str
        How lines that are not UTF-8 are read.

    Raises
    ------
    InputError
        The file cannot be read or lacks a needed column.
    UsageError
        An unknown zone, encoding or option.
    """
    check_zone(zone)
    if missing_office not in ("origin", "keep", "refuse"):
        raise UsageError(f"missing_office {missing_office!r} is none of origin, keep, refuse.")
    problems = ProblemList()
    content, name = read_content(source)
    table = read_delimited(content, name, FORM, problems, columns=columns, other_encoding=other_encoding)
    under_way = start(table.cells, zone, code_of_ips, problems)
    under_way = note_duplicates(under_way)
    under_way = _fill_offices(under_way, missing_office)
    under_way = repair_offices(under_way, offices)
    number = pl.col("given_code").str.strip_chars_start("0")
    rows = under_way.cells.with_columns(attributes=pl.lit('{"ipsEvent":"') + number + pl.lit('"}'))
    return ForeignRows(PostalCells(rows, problems).rows(), problems.frame(), table.read_count, table.dropped)


def _fill_offices(under_way: PostalCells, missing_office: str) -> PostalCells:
    """Deal with events without office as the user said."""
    if missing_office == "origin":
        origins = {
            text: told.origin
            for text in under_way.cells["receptacle_id"].unique().drop_nulls()
            if (told := read_s9(text)) is not None
        }
        origin = pl.col("receptacle_id").replace_strict(origins, default=None, return_dtype=pl.String)
        sent = pl.col("given_code").str.strip_chars_start("0").is_in(FROM_ABROAD)
        lacks = pl.col("site_id").is_null()
        filled = under_way.cells.with_columns(origin=pl.when(lacks & sent).then(origin))
        under_way = PostalCells(filled, under_way.problems)
        under_way.note(pl.col("origin").is_not_null(), "site_id", "site-from-receptacle")
        cells = filled.with_columns(site_id=pl.coalesce("site_id", "origin"))
        under_way = PostalCells(cells, under_way.problems)
    if missing_office == "keep":
        return under_way.note(pl.col("site_id").is_null(), "site_id", "no-site")
    return under_way.refuse(pl.col("site_id").is_null(), "site_id", "no-site")
