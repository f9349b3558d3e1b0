"""Reading item events of the postal union (EMSEVT) from exports in columns.

Supported: text exports with one event a row. The EDIFACT message EMSEVT (UPU standard M40) is
recognised and refused: its segments are laid down in a document that is not public, and
guessing them would give wrong events.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.events.codes import code_of_emsevt
from changtong.events.formats.delimited import DelimitedForm, read_content, read_delimited
from changtong.events.formats.foreign_rows import ForeignRows, ProblemList
from changtong.events.formats.identifiers import is_s10_like
from changtong.events.formats.instants import check_zone
from changtong.events.formats.postal_rows import PostalCells, note_duplicates, start

NEEDS_REASON = ("EMH", "EME")
"""Events that postal operators must give a reason with: delivery failed, held by customs."""

CODE_LIKE = r"^[A-Za-z0-9]{1,10}$"

FORM = DelimitedForm(
    headings={
        "item_id": ("item", "item id", "item identifier", "S10", "MAILITM_FID"),
        "receptacle_id": ("receptacle", "receptacle id", "receptacle identifier", "S9", "RECPTCL_FID"),
        "at": (
            "event time", "event date", "event date time", "date", "date time", "local date time",
            "EVENT_LOCAL_DT",
        ),
        "code": ("event", "event code", "event type", "EMSEVT", "EVENT_TYPE_CD"),
        "site_id": ("office", "office code", "event office", "IMPC", "location", "EVENT_OFFICE_CD"),
        "next_site_id": (
            "next office", "next office code", "next IMPC", "destination office", "NEXT_OFFICE_CD",
        ),
        "reason": ("reason", "reason code", "non delivery reason", "retention reason"),
        "action": ("action", "action code", "non delivery action"),
    },
    needed=("item_id", "at", "code", "site_id"),
)  # fmt: skip


def read_emsevt(
    source: str | Path | bytes,
    zone: str,
    *,
    is_site_required: bool = True,
    columns: Mapping[str, str] | None = None,
    other_encoding: str = "cp1252",
) -> ForeignRows:
    """Read an export of EMSEVT events as rows of the scan log.

    Items that are not S10, receptacles that are not S9, duplicates and failed deliveries without
    a reason are reported and kept; a wrong check digit, an unknown event, a time that cannot be read
    leave a row out. Columns nobody asked for (names of signatories, say) are left out.

    Parameters
    ----------
    source : path or bytes
        One event a row; cells separated by ``;``, comma, tab or ``|``.
    zone : str
        Time zone of times that give none.
    is_site_required : bool
        Whether an event without office is left out.
    columns : mapping, optional
        Heading -> field (``item_id``, ``receptacle_id``, ``at``, ``code``, ``site_id``, ``next_site_id``,
        ``reason``, ``action``).
    other_encoding : str
        How lines that are not UTF-8 are read.

    Raises
    ------
    InputError
        The file cannot be read, lacks a needed column, or is an EDIFACT message.
    UsageError
        An unknown zone or encoding.

    Examples
    --------
    >>> export = b"item,event,event time,office\\nEB000717618HK,EMI,2022-06-17 08:00,FRCDGA\\n"
    >>> read_emsevt(export, "Europe/Paris").rows["code"].to_list()
    ['deliver']
    """
    check_zone(zone)
    content, name = read_content(source)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:4] in (b"UNB+", b"UNA:"):
        message = "the file is an EDIFACT message; only exports in columns are read."
        hint = "Export the events from the tracking system with one event a row."
        raise InputError([Problem("edifact-not-read", message, name, expected="CSV", hint=hint)])
    problems = ProblemList()
    table = read_delimited(content, name, FORM, problems, columns=columns, other_encoding=other_encoding)
    under_way = start(table.cells, zone, code_of_emsevt, problems)
    others = [text for text in under_way.cells["item_id"].unique().drop_nulls() if not is_s10_like(text)]
    under_way.note(pl.col("item_id").is_in(others), "item_id", "s10-form")
    under_way = note_duplicates(under_way)
    lacks_site = pl.col("site_id").is_null()
    if is_site_required:
        under_way = under_way.refuse(lacks_site, "site_id", "no-site")
    else:
        under_way.note(lacks_site, "site_id", "no-site")
    under_way = _with_reasons(under_way)
    return ForeignRows(under_way.rows(), problems.frame(), table.read_count, table.dropped)


def _with_reasons(under_way: PostalCells) -> PostalCells:
    """Put event, reason and action into the attributes; what is no code there is left out."""
    told = []
    for field in ("reason", "action"):
        is_code = pl.col(field).str.contains(CODE_LIKE)
        under_way.note(~is_code, "attributes", "bad-value")
        told.append(pl.when(is_code).then(pl.lit(f'"{field}":"') + pl.col(field) + pl.lit('"')))
    event = pl.col("given_code").str.to_uppercase()
    under_way.note(event.is_in(NEEDS_REASON) & pl.col("reason").is_null(), "attributes", "no-reason")
    inside = pl.concat_str(
        [told[1], pl.lit('"emsevtEvent":"') + event + pl.lit('"'), told[0]], separator=",", ignore_nulls=True
    )
    cells = under_way.cells.with_columns(attributes=pl.lit("{") + inside + pl.lit("}"))
    return PostalCells(cells, under_way.problems)
