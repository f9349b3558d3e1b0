"""Personal data in the files of attachments: text and tables are looked into, pictures and PDFs are named."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from changtong.privacy.file_parts import ReadLimits
from changtong.privacy.find_personal_data import Find, PersonalData, Search, look_into
from changtong.storage.attachments import MOST_BYTES, picture_or_pdf, place_of_file
from changtong.storage.schema import registers
from changtong.storage.table_rows import digest_of_file, rows_of

LISTED_EACH = 10
"""Finds listed for one kind in one attachment; further ones are counted."""

MOST_LISTED = 10_000
"""Finds, and files not looked into for one reason, listed of all attachments; further ones are counted."""

LIMITS = ReadLimits(members=1_000, unpacked_bytes=1 << 30)
"""What an archive among the files may hold."""

PICTURE, PDF = "a picture: not looked into", "a PDF: not looked into"

FIND_SCHEMA = {
    "kind": pl.String, "confidence": pl.String, "table": pl.String, "record": pl.String, "column": pl.String,
    "row": pl.Int64, "excerpt": pl.String, "rule": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class AttachmentsSearch:
    """What was found in the files of attachments, and which were not looked into.

    Attributes
    ----------
    finds : polars.DataFrame
        ``kind``, ``confidence``, ``table``, ``record`` (the attachment's id), ``column`` (``content``),
        ``row`` (line of a text, row of a table), ``excerpt`` (masked), ``rule``.
    counts : polars.DataFrame
        ``file`` (the table), ``column``, ``kind``, ``confidence``, ``count``.
    unread : polars.DataFrame
        ``record``, ``why``: what was not looked into, or only in part.
    reasons : polars.DataFrame
        ``why``, ``count``: all of them.
    looked_into, with_finds, pictures : int
        Attachments.
    bytes : int
        Of those looked into.
    """

    finds: pl.DataFrame
    counts: pl.DataFrame
    unread: pl.DataFrame
    reasons: pl.DataFrame
    looked_into: int
    with_finds: int
    pictures: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the numbers and what was not looked into as one object; the finds stand with the others."""
        return {
            "looked_into": self.looked_into, "with_finds": self.with_finds, "pictures": self.pictures,
            "bytes": self.bytes, "reasons": self.reasons.to_dicts(), "unread": self.unread.to_dicts(),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"attachments: {self.looked_into:,} looked into, {self.with_finds:,} of them with finds"]
        for why, count in self.reasons.iter_rows():
            named = self.unread.filter(pl.col("why") == why)["record"].head(5).to_list()
            lines.append(f"  {count:>9,}  {why}: {', '.join(named)}{' …' if count > len(named) else ''}")
        return "\n".join(lines)


class _Gathered:
    """Finds and counts of all files, in bounded memory."""

    def __init__(self) -> None:
        self.finds: list[tuple[str, str, str, str, str, int, str, str]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[str] = Counter()
        self.unread: list[tuple[str, str]] = []
        self.looked_into = self.with_finds = self.bytes = 0

    def leave_out(self, record: str, why: str) -> None:
        self.reasons[why] += 1
        if self.reasons[why] <= MOST_LISTED:
            self.unread.append((record, why))

    def take(self, record: str, found: PersonalData, listed: list[Find]) -> None:
        """Take what was found in one file: neither names of columns nor of members, they may be personal."""
        self.with_finds += found.found > 0
        for kind, level, count in found.counts.select("kind", "confidence", "count").iter_rows():
            self.counts[kind, level] += count
        each: Counter[str] = Counter()
        for one in listed[: MOST_LISTED - len(self.finds)]:
            each[one.kind] += 1
            if each[one.kind] <= LISTED_EACH:
                row = (one.kind, one.confidence, "attachments", record, "content", one.row, one.excerpt)
                self.finds.append((*row, one.rule))

    def result(self) -> AttachmentsSearch:
        counts = [("attachments", "content", *key, count) for key, count in sorted(self.counts.items())]
        texts = dict.fromkeys(("file", "column", "kind", "confidence"), pl.String)
        reasons = sorted(self.reasons.items())
        return AttachmentsSearch(
            finds=pl.DataFrame(self.finds, schema=FIND_SCHEMA, orient="row"),
            counts=pl.DataFrame(counts, schema={**texts, "count": pl.Int64}, orient="row"),
            unread=pl.DataFrame(self.unread, schema={"record": pl.String, "why": pl.String}, orient="row"),
            reasons=pl.DataFrame(reasons, schema={"why": pl.String, "count": pl.Int64}, orient="row"),
            looked_into=self.looked_into,
            with_finds=self.with_finds,
            pictures=self.reasons[PICTURE],
            bytes=self.bytes,
        )


def search_attachments(
    connection: sa.Connection, folder: Path | None, *, least: str = "medium"
) -> AttachmentsSearch:
    """Find personal data in the files of attachments, one after the other.

    Whether somebody may search is decided before.

    Parameters
    ----------
    connection : Connection
    folder : Path or None
        Where the files lie.
    least : {"medium", "low", "high"}
        Confidence from which finds are listed.
    """
    gathered = _Gathered()
    for row in rows_of(connection, registers["attachment"]):
        why = "the registers were opened without their folder of files"
        path = None if folder is None else place_of_file(folder, row["sha256"])
        if path is None or (why := _why_not(path, row["sha256"])):
            gathered.leave_out(row["id"], why)
            continue
        search = Search(least)
        if look_into(path, search, LIMITS, name=row["name"]):
            gathered.looked_into += 1
            gathered.bytes += path.stat().st_size
        for reason in dict.fromkeys(why for _, why in search.unread):
            gathered.leave_out(row["id"], reason)
        gathered.take(row["id"], search.result(1, 0), search.finds)
    return gathered.result()


def _why_not(path: Path, digest: str) -> str:
    """Return why a file is not looked into; empty: it is."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return "larger than any file that is kept: not looked into"
        if digest_of_file(path) != digest:
            return "damaged: not as it was kept, not looked into"
        with path.open("rb") as file:
            told = picture_or_pdf(file.read(12))
    except FileNotFoundError:
        return "its file is not in the folder"
    except OSError:
        return "its file cannot be read"
    if told is None:
        return ""
    return PDF if told == "application/pdf" else PICTURE
