"""Files of scans as chunks of fields: CSV of any encoding, and Parquet."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.events.fields import GOOD, LINE_REASONS, split, trim, wanted
from changtong.events.mapping import Mapping

CHUNK = 32 << 20
"""Bytes of a CSV file looked at together."""

LINE = 48
"""Bytes of a line for which room is made; shorter lines make more rounds."""

DAMAGE = (OSError, pa.ArrowException, UnicodeDecodeError, OverflowError)
"""What reading a damaged Parquet file may raise."""

PARQUET_ROWS = 400_000
"""Rows of a Parquet file looked at together."""


class Text(NamedTuple):
    """One column of a chunk: where each field lies in a buffer of UTF-8 bytes."""

    buf: NDArray[np.uint8]
    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file.

    Attributes
    ----------
    columns : dict
        Our field, or ``attribute:NAME``, to its texts.
    rows : array of int64
        Number of each row in the file, from 1.
    bad : list of (row, code)
        Rows that are no rows: not in ``columns``.
    done : float
        Share of the file read so far.
    """

    columns: dict[str, Text]
    rows: NDArray[np.int64]
    bad: list[tuple[int, str]]
    done: float


class Source(Protocol):
    """A file of scans."""

    def chunks(self) -> Iterator[Chunk]:
        """Return its rows, chunk by chunk."""
        ...

    def digest(self) -> str:
        """Return the SHA-256 of the whole file; after the last chunk."""
        ...


def columns_of(mapping: Mapping) -> dict[str, str]:
    """Return what is taken from a file: our name to the file's column."""
    return {**mapping.columns, **{f"attribute:{name}": column for name, column in mapping.attributes.items()}}


def _places(columns: dict[str, str], header: list[str], file: str) -> dict[str, int]:
    """Find the columns of a mapping in a header, all problems at once."""
    problems = []
    for field, name in columns.items():
        if header.count(name) != 1:
            near = get_close_matches(name, header, 1)
            many = header.count(name) > 1
            problems.append(
                Problem(
                    "ambiguous-column" if many else "no-column",
                    f"The column {name!r} for {field} is there {header.count(name)} times." if many
                    else f"There is no column {name!r} for {field}.",
                    file=file, row=0, column=name, expected=f"one of: {', '.join(header[:20])}",
                    hint=f"Did you mean {near[0]!r}?" if near and not many else "",
                )
            )  # fmt: skip
    if problems:
        raise InputError(problems)
    return {field: header.index(name) for field, name in columns.items()}


class CsvSource:
    """A CSV file: any encoding, plain or ``.gz``."""

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self.path, self.mapping = path, mapping
        self._size = max(1, path.stat().st_size)
        self._hash = hashlib.sha256()
        self._raw: BinaryIO | None = None

    def digest(self) -> str:
        """Return the SHA-256 of what was read."""
        return self._hash.hexdigest()

    def header(self) -> list[str]:
        """Return the names of the file's columns."""
        with _opened(self.path) as file:
            begin = _read(file, 1 << 20, self.path)
        if begin.startswith(b"PAR1"):
            raise _unreadable(self.path, "This is a Parquet file, not CSV.", "--format parquet")
        encoding, skip = _encoding(begin, self.mapping.encoding)
        text = begin[skip:].decode(encoding, errors="replace")
        lines = csv.reader(io.StringIO(text.replace("\0", "�")), delimiter=self.mapping.separator)
        try:
            return next(([name.strip() for name in row] for row in lines if row), [])
        except csv.Error as error:
            raise _unreadable(self.path, "No line of column names can be read: is it text at all?",
                              "CSV, its first line the names of the columns") from error  # fmt: skip

    def chunks(self) -> Iterator[Chunk]:
        """Return the rows of the file; the header is row 0."""
        columns = columns_of(self.mapping)
        header = self.header()
        places = _places(columns, header, self.path.name)
        # the same column may serve several fields: each place is cut out once
        taken = sorted(set(places.values()))
        slot = wanted(list(taken), len(header))
        at = {field: taken.index(place) for field, place in places.items()}
        separator = ord(self.mapping.separator)
        row, line, first = 0, 1, True
        rest = np.zeros(0, np.uint8)
        for piece, last, done in self._bytes():
            buf = np.concatenate([rest, piece])
            while True:
                room = len(buf) // LINE + 1024
                starts, lengths = (np.zeros((room, len(taken)), np.int32) for _ in range(2))
                state, lines = np.empty(room, np.uint8), np.empty(room, np.int64)
                n, used, line = split(
                    buf, len(buf), last, separator, len(header), slot, starts, lengths, state, lines, line
                )
                skip = 1 if first and n else 0
                first = first and not n
                if n > skip:
                    yield self._chunk(buf, starts[skip:n], lengths[skip:n], state[skip:n], row, at, done)
                row += n - skip
                buf = buf[used:]
                if n < room:
                    break
            rest = buf

    def _chunk(
        self, buf: NDArray[np.uint8], starts: NDArray[np.int32], lengths: NDArray[np.int32],
        state: NDArray[np.uint8], row: int, at: dict[str, int], done: float,
    ) -> Chunk:  # fmt: skip
        numbers = np.arange(row + 1, row + 1 + len(state), dtype=np.int64)
        good = state == GOOD
        bad = [(int(numbers[k]), LINE_REASONS[int(state[k])]) for k in np.flatnonzero(~good)]
        if bad:
            starts, lengths, numbers = starts[good], lengths[good], numbers[good]
        trim(buf, starts, lengths)
        columns = {
            field: Text(buf, np.ascontiguousarray(starts[:, k]), np.ascontiguousarray(lengths[:, k]))
            for field, k in at.items()
        }
        return Chunk(columns, numbers, bad, done)

    def _bytes(self) -> Iterator[tuple[NDArray[np.uint8], bool, float]]:
        """Return the file as UTF-8 bytes, whether they are the last, and the share read."""
        with _opened(self.path) as file, self.path.open("rb") as plain:
            raw = plain if file is None else file
            begin = _read(raw, CHUNK, self.path)
            encoding, skip = _encoding(begin, self.mapping.encoding)
            utf8 = codecs.lookup(encoding).name == "utf-8"
            decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
            data, begin = begin[skip:], begin
            while True:
                self._hash.update(begin)
                following = _read(raw, CHUNK, self.path)
                last = not following
                if not utf8:
                    data = decoder.decode(data, final=last).encode()
                yield np.frombuffer(data, np.uint8), last, self._share(raw)
                if last:
                    break
                data = begin = following

    def _share(self, file: BinaryIO) -> float:
        inner = getattr(file, "fileobj", None)  # of a gzip file: how much of it was read
        return min(1.0, (inner or file).tell() / self._size)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file; of a packed one, of what is in it, as where its rows are read."""
    found = hashlib.sha256()
    with _opened(path) as file:
        while piece := _read(file, 1 << 20, path):
            found.update(piece)
    return found.hexdigest()


def _unreadable(path: Path, message: str, expected: str) -> InputError:
    return InputError([Problem("unreadable-file", message, file=path.name, expected=expected)])


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    """Return the next bytes of a file, which may be a packed one that is damaged or cut off."""
    try:
        return file.read(size)
    except (EOFError, OSError, zlib.error) as error:
        if not isinstance(file, gzip.GzipFile):
            raise
        raise _unreadable(path, "The packed file is damaged or cut off.", "a whole .gz file") from error


def _opened(path: Path) -> BinaryIO:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise InputError(
            [Problem("unreadable-file", f"The file cannot be read: {error}.", file=str(path))]
        ) from error


def _encoding(begin: bytes, stated: str) -> tuple[str, int]:
    """Return the encoding by the byte order mark, else the one stated, and the bytes of the mark."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")
    ):  # fmt: skip
        if begin.startswith(mark):
            return name, len(mark)
    return stated, 0


def parquet_columns(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns."""
    try:
        return list(pq.read_schema(path).names)
    except DAMAGE as error:
        problem = Problem("unreadable-file", "This is no whole Parquet file.", file=path.name)
        raise InputError([problem]) from error


class ParquetSource:
    """A Parquet file; columns of any simple type."""

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self.path, self.mapping = path, mapping

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return digest_of(self.path)

    def chunks(self) -> Iterator[Chunk]:
        """Return the rows of the file."""
        try:
            file = pq.ParquetFile(self.path)
            header = list(file.schema_arrow.names)
        except DAMAGE as error:
            problem = Problem("unreadable-file", "This is no whole Parquet file.", file=self.path.name)
            raise InputError([problem]) from error
        columns = columns_of(self.mapping)
        places = _places(columns, header, self.path.name)
        names = sorted({columns[field] for field in places})
        row, total = 0, max(1, file.metadata.num_rows)
        try:
            for batch in file.iter_batches(PARQUET_ROWS, columns=names):
                numbers = np.arange(row + 1, row + 1 + batch.num_rows, dtype=np.int64)
                row += batch.num_rows
                texts = {name: _text(batch.column(name), name, self.path.name) for name in names}
                yield Chunk({field: texts[columns[field]] for field in places}, numbers, [], row / total)
        except DAMAGE as error:
            problem = Problem(
                "unreadable-file", f"Row {row + 1} and what follows cannot be read.", file=self.path.name
            )
            raise InputError([problem]) from error


def text_of(column: pa.Array) -> Text:
    """Return an Arrow array of text as fields; null is empty."""
    column = column.cast(pa.large_string())
    if column.null_count:
        column = column.fill_null("")
    _, offsets, data = column.buffers()
    place = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    low, high = (int(place[0]), int(place[-1])) if len(place) else (0, 0)
    raw = (
        np.frombuffer(data, np.uint8)[low:high] if data is not None and high > low else np.zeros(1, np.uint8)
    )
    return Text(raw, (place[:-1] - low).astype(np.int32), np.diff(place).astype(np.int32))


def _text(column: pa.Array, name: str, file: str) -> Text:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(kind):
        column = pc.strftime(
            column.cast(pa.timestamp("ms", kind.tz)), "%Y-%m-%dT%H:%M:%S" + ("%z" if kind.tz else "")
        )
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = column.cast(pa.large_binary()).cast(pa.large_string(), safe=False)
    try:
        return text_of(column)
    except pa.ArrowException as error:
        problem = Problem(
            "bad-column-type",
            f"A column of type {kind} holds no ids, words or times.",
            file=file,
            column=name,
        )
        raise InputError([problem]) from error
