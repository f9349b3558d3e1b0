"""Files taken apart for the finder: blocks of text and frames of columns, whatever the format.

What a file is, is told by its first bytes. Archives are unpacked within limits; XML that declares
anything is refused.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import IO, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from changtong.errors import InputError, Problem
from changtong.privacy.office_files import docx_text, xlsx_frames
from changtong.privacy.read_bytes import HEAD, Csv, encoding_of, text_blocks

ROWS = 20_000
IN_MEMORY = 32 << 20


@dataclass(frozen=True)
class ReadLimits:
    """What an archive may hold.

    Attributes
    ----------
    members : int
    unpacked_bytes : int
        Of one archive.
    ratio : int
        Bytes unpacked for each packed one, of members above 1 MB.
    depth : int
        Archives within archives.
    """

    members: int = 10_000
    unpacked_bytes: int = 8 << 30
    ratio: int = 200
    depth: int = 3


class Part(NamedTuple):
    """A piece of a file: a block of text, or a frame.

    ``place`` is where in the file (a member, a sheet, a table), ``first`` the first line or row.
    """

    place: str
    first: int
    text: bytes | None = None
    frame: pl.DataFrame | None = None


class Unread(NamedTuple):
    """A part of a file that was not read, and why."""

    place: str
    why: str


def file_parts(path: Path, limits: ReadLimits, *, name: str | None = None) -> Iterator[Part | Unread]:
    """Return the parts of a file.

    Parameters
    ----------
    path : Path
    limits : ReadLimits
    name : str, optional
        Its ending says whether it is a table; the path's own where it is not given.

    Raises
    ------
    InputError, OSError
        The file cannot be read; parts returned before stay as they are.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
        stream.seek(0)
        if head.startswith(b"SQLite format 3\0"):
            yield from _database(path, "")
        else:
            yield from _parts(stream, name or path.name, "", limits, 0)


def _parts(
    stream: IO[bytes], name: str, place: str, limits: ReadLimits, depth: int
) -> Iterator[Part | Unread]:
    head = stream.read(HEAD)
    stream.seek(0)
    if head.startswith(b"PAR1"):
        yield from _parquet(stream, name, place)
    elif head.startswith((b"PK\3\4", b"PK\5\6")):
        yield from _archive(stream, name, place, limits, depth)
    elif head.startswith(b"\x1f\x8b"):
        if depth >= limits.depth:
            yield Unread(place, "archives within archives go too deep")
        else:
            yield from _gzip(stream, name, place, limits, depth)
    elif head.startswith(b"SQLite format 3\0"):
        with tempfile.NamedTemporaryFile(prefix="changtong-") as copy:
            shutil.copyfileobj(stream, copy)
            copy.flush()
            yield from _database(Path(copy.name), place)
    elif (encoding := encoding_of(head)) is None:
        yield Unread(place, "no format that can be read")
    else:
        yield from _text(stream, name, place, encoding)


def _text(stream: IO[bytes], name: str, place: str, encoding: str) -> Iterator[Part]:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv"):
        try:
            yield from _csv(stream, name, place)
            return
        except InputError:
            stream.seek(0)  # not a table after all: read as text from its begin
            yield Part(place, 0)
    line = 1
    for block in text_blocks(stream, encoding):
        count = block.count(b"\n")
        if suffix in (".json", ".jsonl", ".ndjson", ".geojson") and b"\\u" in block:
            block = _ESCAPED.sub(_unescaped, block)
        yield Part(place, line, text=block)
        line += count


_ESCAPED = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")


def _unescaped(found: re.Match[bytes]) -> bytes:
    """Return what JSON's escapes stand for; line ends and quotes stay escaped."""
    text = str(json.loads(b'"' + found[0] + b'"'))
    return found[0] if any(sign in '"\\' or sign < " " for sign in text) else text.encode("utf-8", "replace")


def _csv(stream: IO[bytes], name: str, place: str) -> Iterator[Part]:
    table = Csv(stream, name)
    # the header may be a row of data
    yield Part(place, 1, text=("\t".join(table.header)).encode("utf-8", "replace"))
    row = 1
    for frame in table.frames:
        yield Part(place, row, frame=frame)
        row += frame.height


def _parquet(stream: IO[bytes], name: str, place: str) -> Iterator[Part]:
    row = 1
    try:
        for batch in pq.ParquetFile(stream).iter_batches(ROWS):
            frame = pl.DataFrame(pl.from_arrow(batch))
            yield Part(place, row, frame=frame)
            row += frame.height
    except (pa.ArrowException, OSError, pl.exceptions.PolarsError) as error:
        raise InputError([Problem("unreadable-file", "This Parquet file is not whole.", name)]) from error


def _gzip(
    stream: IO[bytes], name: str, place: str, limits: ReadLimits, depth: int
) -> Iterator[Part | Unread]:
    with tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="changtong-") as copy:
        try:
            with GzipFile(fileobj=stream) as packed:
                while chunk := packed.read(1 << 20):
                    copy.write(chunk)
                    if copy.tell() > limits.unpacked_bytes or copy.tell() > limits.ratio * max(
                        stream.tell(), 1 << 20
                    ):
                        yield Unread(place, "unpacks to more than the limit")
                        return
        except (BadGzipFile, EOFError, zlib.error):
            yield Unread(place, "the archive is not whole")
            return
        copy.seek(0)
        yield from _parts(copy, name.removesuffix(".gz"), place, limits, depth + 1)


def _archive(
    stream: IO[bytes], name: str, place: str, limits: ReadLimits, depth: int
) -> Iterator[Part | Unread]:
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        yield Unread(place, "the archive is not whole")
        return
    with archive:
        infos = archive.infolist()
        if len(infos) > limits.members or sum(one.file_size for one in infos) > limits.unpacked_bytes:
            yield Unread(place, "holds or unpacks to more than the limit")
            return
        if any(
            one.file_size > 1 << 20 and one.file_size > limits.ratio * max(1, one.compress_size)
            for one in infos
        ):
            yield Unread(place, "unpacks to more than the limit")
            return
        names = set(archive.namelist())
        try:
            if "word/document.xml" in names:
                line = 1
                for text in docx_text(archive, name):
                    yield Part(place, line, text=text)
                    line += text.count(b"\n")
            elif "xl/workbook.xml" in names:
                yield from _workbook(archive, name, place)
            elif depth >= limits.depth:
                yield Unread(place, "archives within archives go too deep")
            else:
                for one in infos:
                    yield from _member(archive, one, place, limits, depth)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
            yield Unread(place, "a part of the archive cannot be unpacked")


def _member(
    archive: zipfile.ZipFile, one: zipfile.ZipInfo, place: str, limits: ReadLimits, depth: int
) -> Iterator[Part | Unread]:
    inner = f"{place}!{one.filename}"
    if one.is_dir():
        return
    if one.flag_bits & 1:
        yield Unread(inner, "is encrypted")
        return
    with tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="changtong-") as copy:
        with archive.open(one) as packed:
            shutil.copyfileobj(packed, copy, 1 << 20)
        copy.seek(0)
        try:
            yield from _parts(copy, one.filename, inner, limits, depth + 1)
        except InputError as error:
            yield Unread(inner, error.problems[0].message)


def _workbook(archive: zipfile.ZipFile, name: str, place: str) -> Iterator[Part]:
    last, row = "", 1
    for sheet, frame in xlsx_frames(archive, name):
        inner = f"{place}!{sheet}"
        if sheet != last:
            last, row = sheet, 1
            yield Part(inner, 1, text="\t".join(frame.columns).encode("utf-8", "replace"))
        yield Part(inner, row, frame=frame)
        row += frame.height


def _database(path: Path, place: str) -> Iterator[Part | Unread]:
    """Read every table of a SQLite file that nobody changes meanwhile."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            db.text_factory = lambda raw: raw.decode("utf-8", "replace")
            tables = [one for (one,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                yield from _table(db, table, f"{place}!{table}")
    except sqlite3.Error:
        yield Unread(place, "the database cannot be read, or not whole")


def _table(db: sqlite3.Connection, table: str, place: str) -> Iterator[Part | Unread]:
    quoted = table.replace('"', '""')
    try:
        rows = db.execute(f'SELECT * FROM "{quoted}"')  # a name from the file's own list, quoted
    except sqlite3.OperationalError:
        yield Unread(place, "a table of a kind that is not known here")
        return
    names = [column[0] for column in rows.description]
    first = 1
    while batch := rows.fetchmany(ROWS):
        columns = {f"{k}": [_cell(row[k]) for row in batch] for k in range(len(names))}
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        frame.columns = [name if names.count(name) == 1 else f"{name}_{k}" for k, name in enumerate(names)]
        yield Part(place, first, frame=frame)
        first += frame.height


def _cell(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") if encoding_of(value[:HEAD]) == "utf-8" else None
    return None if value is None else str(value)
