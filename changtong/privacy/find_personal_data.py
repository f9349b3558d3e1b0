"""Personal data in files, folders and frames: what, where, how sure; never the value itself."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl

from changtong.errors import InputError, NotFoundError, UsageError
from changtong.privacy.file_parts import Part, ReadLimits, Unread, file_parts
from changtong.privacy.find_names import is_name
from changtong.privacy.find_text import CONFIDENCES, LOW, Span, find_in_text
from changtong.privacy.headers import is_number_header, is_weak_name, kind_of_header
from changtong.privacy.masks import mask

LISTED = 100
"""Finds listed for one kind in one column of one file; further ones are counted."""

FIND_SCHEMA = {
    "kind": pl.String, "confidence": pl.String, "file": pl.String, "row": pl.Int64, "column": pl.String,
    "excerpt": pl.String, "rule": pl.String,
}  # fmt: skip

Progress = Callable[[int, int], None]


class RowSource(Protocol):
    """Anything with rows, a database for example: names of its tables, and the rows of one in frames."""

    def tables(self) -> Iterable[str]:
        """Return the names of the tables."""
        ...

    def frames(self, table: str) -> Iterable[pl.DataFrame]:
        """Return the rows of a table, batch by batch."""
        ...


class Find(NamedTuple):
    """One find; ``row`` is a line of a text, or a row of a table, from 1."""

    kind: str
    confidence: str
    file: str
    row: int
    column: str
    excerpt: str
    rule: str


@dataclass(frozen=True)
class PersonalData:
    """What was found.

    Attributes
    ----------
    finds : polars.DataFrame
        ``kind``, ``confidence``, ``file``, ``row``, ``column``, ``excerpt`` (masked), ``rule``: the first
        `LISTED` of a kind in a column.
    counts : polars.DataFrame
        ``file``, ``column``, ``kind``, ``confidence``, ``count``: all of them.
    unread : polars.DataFrame
        ``file``, ``why``: what could not be read.
    files, bytes : int
        Read.
    least : str
        Confidence from which finds are listed.
    """

    finds: pl.DataFrame
    counts: pl.DataFrame
    unread: pl.DataFrame
    files: int
    bytes: int
    least: str

    @property
    def found(self) -> int:
        """How many finds there are of the confidence asked for, or above."""
        return int(self._told().get_column("count").sum())

    def _told(self) -> pl.DataFrame:
        return self.counts.filter(pl.col("confidence").is_in(_from(self.least)))

    def to_json(self) -> dict[str, Any]:
        """Return everything as one object."""
        return {
            "found": self.found,
            "least": self.least,
            "files": self.files,
            "bytes": self.bytes,
            "counts": self.counts.to_dicts(),
            "finds": self.finds.to_dicts(),
            "unread": self.unread.to_dicts(),
        }

    def __str__(self) -> str:
        told = self._told()
        lines = [f"{self.found:,} finds in {self.files:,} files, {self.bytes / 1e6:,.1f} MB read"]
        kinds = told.group_by("kind").agg(pl.col("count").sum()).sort("count", descending=True)
        lines += [f"  {count:>9,}  {kind}" for kind, count in kinds.iter_rows()]
        places = told.group_by("file", "column", "kind").agg(pl.col("count").sum())
        for file, column, kind, count in places.sort("count", descending=True).head(20).iter_rows():
            lines.append(f"{file}{f' [{column}]' if column else ''}: {count:,} {kind}")
        for row in self.finds.head(20).iter_rows(named=True):
            where = f"{row['file']}:{row['row']}" + (f":{row['column']}" if row["column"] else "")
            lines.append(f"  {where}  {row['kind']} {row['excerpt']} ({row['confidence']}, {row['rule']})")
        if self.finds.height > 20:
            lines.append("  … all that is listed: --json")
        low = int(self.counts.get_column("count").sum()) - self.found
        if low:
            lines.append(f"{low:,} more that are less certain: --least low")
        if self.unread.height:
            lines.append(f"{self.unread.height:,} could not be read:")
            lines += [f"  {file}: {why}" for file, why in self.unread.head(20).iter_rows()]
        return "\n".join(lines)


def _from(least: str) -> tuple[str, ...]:
    if least not in CONFIDENCES:
        raise UsageError(f"{least!r} is no confidence; there is {', '.join(CONFIDENCES)}.")
    return CONFIDENCES[CONFIDENCES.index(least) :]


class _Gathered:
    """Finds and counts while files are read."""

    def __init__(self, least: str) -> None:
        self.least = least
        self.levels = _from(least)
        self.finds: list[Find] = []
        self.counts: Counter[tuple[str, str, str, str]] = Counter()
        self.unread: list[tuple[str, str]] = []

    def add(self, spans: Sequence[Span], file: str, rows: Sequence[int], columns: Sequence[str]) -> None:
        for span, row, column in zip(spans, rows, columns, strict=True):
            key = (file, column, span.kind, span.confidence)
            self.counts[key] += 1
            if self.counts[key] <= LISTED and span.confidence in self.levels:
                excerpt = mask(span.kind, span.text.strip())
                self.finds.append(Find(span.kind, span.confidence, file, row, column, excerpt, span.rule))

    def result(self, files: int, size: int) -> PersonalData:
        counts = pl.DataFrame(
            [(*key, count) for key, count in self.counts.items()],
            schema={**dict.fromkeys(("file", "column", "kind", "confidence"), pl.String), "count": pl.Int64},
            orient="row",
        )
        finds = pl.DataFrame(self.finds, schema=FIND_SCHEMA, orient="row")
        unread = pl.DataFrame(self.unread, schema={"file": pl.String, "why": pl.String}, orient="row")
        return PersonalData(finds, counts, unread, files, size, self.least)


def find_personal_data(
    paths: Iterable[str | os.PathLike[str]],
    *,
    least: str = "medium",
    limits: ReadLimits | None = None,
    progress: Progress | None = None,
) -> PersonalData:
    """Find personal data in files and folders, these with all that is below them.

    Parameters
    ----------
    paths : iterable of path
        Links within folders are not followed; they are listed as unread.
    least : {"medium", "low", "high"}
        Confidence from which finds are listed and counted as found.
    limits : ReadLimits, optional
        What archives may hold.
    progress : callable, optional
        Given the bytes done and all there are.

    Raises
    ------
    NotFoundError
        A path that does not exist.
    """
    limits = limits or ReadLimits()
    gathered = _Gathered(least)
    files = _files(paths, gathered)
    total = sum(size for _, size in files) or 1
    done = read = read_bytes = 0
    for path, size in files:
        before, counts = len(gathered.finds), gathered.counts.copy()
        try:
            for part in file_parts(path, limits):
                if isinstance(part, Unread):
                    gathered.unread.append((f"{path}{part.place}", part.why))
                elif part.text is None and part.frame is None:
                    # read as a table up to here, and now as text from the begin
                    del gathered.finds[before:]
                    gathered.counts = counts.copy()
                else:
                    _look(part, f"{path}{part.place}", gathered)
            read, read_bytes = read + 1, read_bytes + size
        except InputError as error:
            gathered.unread.append((str(path), error.problems[0].message))
        except OSError as error:
            gathered.unread.append((str(path), error.strerror or "cannot be read"))
        done += size
        if progress is not None:
            progress(done, total)
    return gathered.result(read, read_bytes)


def _files(paths: Iterable[str | os.PathLike[str]], gathered: _Gathered) -> list[tuple[Path, int]]:
    """Return the files below some paths, each once, in order; other things are listed as unread."""
    found: dict[str, tuple[Path, int]] = {}
    for given in map(Path, paths):
        if not given.exists():
            raise NotFoundError(f"There is no {given}.")
        walk = sorted(_walk(given, gathered)) if given.is_dir() else [given]
        for path in walk:
            if path.is_symlink() and path != given:
                gathered.unread.append((str(path), "a link: not followed"))
            elif not path.is_file():
                gathered.unread.append((str(path), "no file"))
            else:
                found.setdefault(str(path.resolve()), (path, path.stat().st_size))
    return list(found.values())


def _walk(folder: Path, gathered: _Gathered) -> Iterable[Path]:
    def failed(error: OSError) -> None:
        gathered.unread.append((str(error.filename), error.strerror or "cannot be read"))

    for root, folders, names in os.walk(folder, onerror=failed):
        for name in [*names, *(one for one in folders if os.path.islink(os.path.join(root, one)))]:
            yield Path(root, name)


def find_in_frame(frame: pl.DataFrame, name: str = "", *, least: str = "medium") -> PersonalData:
    """Find personal data in a frame.

    Examples
    --------
    >>> found = find_in_frame(pl.DataFrame({"tel": ["13800138000", "none"]}))
    >>> found.finds.select("kind", "row", "excerpt").rows()
    [('phone', 1, '138******00')]
    """
    gathered = _Gathered(least)
    _look(Part("", 1, frame=frame), name, gathered)
    return gathered.result(1, int(frame.estimated_size()))


def find_in_source(source: RowSource, *, least: str = "medium") -> PersonalData:
    """Find personal data in the rows of anything that has tables, a database for example."""
    gathered = _Gathered(least)
    tables = size = 0
    for table in source.tables():
        row = 1
        for frame in source.frames(table):
            _look(Part("", row, frame=frame), table, gathered)
            row += frame.height
            size += int(frame.estimated_size())
        tables += 1
    return gathered.result(tables, size)


def _look(part: Part, file: str, gathered: _Gathered) -> None:
    """Look for personal data in a part."""
    if part.text is not None:
        spans = find_in_text(part.text)
        columns = [_key_before(part.text, span.start) for span in spans]
        gathered.add(spans, file, _lines(part.text, spans, part.first), columns)
    if part.frame is not None:
        for column in part.frame.get_columns():
            raw = joined(column)
            if raw is None:
                continue
            spans = find_in_column(column, raw)
            gathered.add(spans, file, _lines(raw, spans, part.first), [column.name] * len(spans))


def _lines(raw: bytes, spans: Sequence[Span], first: int) -> list[int]:
    if not spans:
        return []
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == 10)
    rows = np.searchsorted(ends, [span.start for span in spans]) + first
    return [int(row) for row in rows]


_KEY = re.compile(rb'"([^"\\]{1,60})"\s*:\s*(?:"[^"]*)?$')


def _key_before(raw: bytes, at: int) -> str:
    """Return the key of JSON a value belongs to, if that is what stands before it."""
    low = max(0, at - 160)
    found = _KEY.search(raw, max(low, raw.rfind(b"\n", low, at) + 1), at)
    return found[1].decode("utf-8", "replace") if found else ""


def joined(column: pl.Series) -> bytes | None:
    """Return a column's values as UTF-8, one a line; None for types that hold no personal text."""
    kind = column.dtype
    if kind in (pl.Boolean, pl.Date, pl.Time, pl.Null) or isinstance(kind, pl.Datetime | pl.Duration):
        return None
    if isinstance(kind, pl.List | pl.Struct | pl.Array | pl.Object):
        texts = pl.Series(column.name, [None if value is None else str(value) for value in column], pl.String)
    elif kind == pl.Binary:
        texts = pl.Series(column.name, [_text(value) for value in column], pl.String)
    elif kind.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() < 2**63)
        number = column.fill_nan(0).clip(-(2.0**62), 2.0**62).cast(pl.Int64, strict=False).cast(pl.String)
        texts = number.zip_with(whole.fill_null(False), column.cast(pl.String))
    else:
        texts = column.cast(pl.String)
    lines = texts.fill_null("").str.replace_all(r"[\r\n]", " ")
    return str(lines.str.join("\n").item()).encode("utf-8", "replace")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def find_in_column(column: pl.Series, raw: bytes) -> list[Span]:
    """Return what is personal in a column, given its values one a line; its header counts for each value."""
    spans = find_in_text(raw, column.name)
    if column.dtype.is_numeric() or is_number_header(column.name):
        return spans
    rule = ""
    weak = is_weak_name(column.name) and not looks_like_names(raw, 1, 0.0, 0.6)
    if kind_of_header(column.name) == "name" and not weak:
        rule = "name-column"
    elif looks_like_names(raw, 8, 0.3):
        rule = "name-values"
    if not rule:
        return spans
    taken = {raw.count(b"\n", 0, span.start) for span in spans} if spans else set()
    at = 0
    names = []
    for line, value in enumerate(raw.split(b"\n")):
        if value and line not in taken and is_name(text := value.decode("utf-8", "replace").strip()):
            level = "high" if rule == "name-column" else "medium"
            names.append(Span("name", level, rule, at, at + len(value), text))
        at += len(value) + 1
    return sorted([*spans, *names], key=lambda span: span.start)


def looks_like_names(raw: bytes, least: int, unlike_share: float, share: float = 0.9) -> bool:
    """Return whether nearly all values of a column have the form of a name.

    Parameters
    ----------
    raw : bytes
        The values, one a line.
    least : int
        Values there must be.
    unlike_share : float
        Share of them that must differ: a column of one word again and again holds no names.
    share : float
        Share that must have the form.
    """
    values = [value.decode("utf-8", "replace").strip() for value in raw[:40_000].split(b"\n")[:500] if value]
    values = [value for value in values if value]
    if len(values) < least or len({*values}) < len(values) * unlike_share:
        return False
    return sum(is_name(value) for value in values) >= share * len(values)


__all__ = [
    "LOW",
    "Find",
    "PersonalData",
    "RowSource",
    "find_in_frame",
    "find_in_source",
    "find_personal_data",
]
