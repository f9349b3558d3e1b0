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
from numpy.typing import NDArray

from changtong.errors import InputError, NotFoundError, UsageError
from changtong.privacy.file_parts import Part, ReadLimits, Unread, file_parts
from changtong.privacy.find_column import find_in_column, joined
from changtong.privacy.find_text import find_in_text
from changtong.privacy.masks import mask
from changtong.privacy.spans import CONFIDENCES, KINDS, LOW, Spans, lines_of

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
            lines.append(f"{low:,} more that are less certain (least: low)")
        if self.unread.height:
            lines.append(f"{self.unread.height:,} could not be read:")
            lines += [f"  {file}: {why}" for file, why in self.unread.head(20).iter_rows()]
        return "\n".join(lines)


def _from(least: str) -> tuple[str, ...]:
    if least not in CONFIDENCES:
        raise UsageError(f"{least!r} is no confidence; there is {', '.join(CONFIDENCES)}.")
    return CONFIDENCES[CONFIDENCES.index(least) :]


_SORTS = len(KINDS) * len(CONFIDENCES)


class Search:
    """Finds and counts while parts of files or tables are read.

    Parameters
    ----------
    least : {"medium", "low", "high"}
        Confidence from which finds are listed.
    """

    def __init__(self, least: str) -> None:
        self.least = least
        self.levels = _from(least)
        self.finds: list[Find] = []
        self.counts: Counter[tuple[str, str, str, str]] = Counter()
        self.unread: list[tuple[str, str]] = []

    def add(self, spans: Spans, file: str, rows: NDArray[np.int64], columns: str | Sequence[str]) -> None:
        """Take finds; ``columns`` is the name of the column, or of each find's."""
        kinds = spans.kind.astype(np.int64) * len(CONFIDENCES) + spans.level
        names = [columns] if isinstance(columns, str) else [*dict.fromkeys(columns)]
        if len(names) > 1:
            place = {name: k for k, name in enumerate(names)}
            kinds += np.array([place[name] for name in columns]) * _SORTS
        sorts, first, sort, count = np.unique(
            kinds, return_index=True, return_inverse=True, return_counts=True
        )
        listed: list[int] = []
        for k in np.argsort(first).tolist():
            column, kind = divmod(int(sorts[k]), _SORTS)
            level = CONFIDENCES[kind % len(CONFIDENCES)]
            key = (file, names[column], KINDS[kind // len(CONFIDENCES)], level)
            room = LISTED - self.counts[key]
            if room > 0 and level in self.levels:
                listed += np.flatnonzero(sort == k)[:room].tolist()
            self.counts[key] += int(count[k])
        listed.sort()
        for at, span in zip(listed, spans.at(np.array(listed, np.int64)), strict=True):
            column_name = columns if isinstance(columns, str) else columns[at]
            excerpt = mask(span.kind, span.text.strip())
            row = int(rows[at])
            self.finds.append(Find(span.kind, span.confidence, file, row, column_name, excerpt, span.rule))

    def look(self, part: Part, file: str) -> None:
        """Look for personal data in a part."""
        if part.text is not None:
            spans = find_in_text(part.text)
            rows = lines_of(part.text, spans) + part.first
            self.add(spans, file, rows, _keys_before(part.text, spans))
        if part.frame is not None:
            for column in part.frame.get_columns():
                raw = joined(column)
                if raw is None:
                    continue
                spans = find_in_column(column, raw)
                self.add(spans, file, lines_of(raw, spans) + part.first, column.name)

    def result(self, files: int, size: int) -> PersonalData:
        """Return what was found in so many files of so many bytes."""
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
    search = Search(least)
    files = _files(paths, search)
    total = sum(size for _, size in files) or 1
    done = read = read_bytes = 0
    for path, size in files:
        if look_into(path, search, limits):
            read, read_bytes = read + 1, read_bytes + size
        done += size
        if progress is not None:
            progress(done, total)
    return search.result(read, read_bytes)


def look_into(path: Path, search: Search, limits: ReadLimits, *, name: str | None = None) -> bool:
    """Look for personal data in one file; return whether it could be read.

    Parameters
    ----------
    path : Path
    search : Search
        Takes what is found, and what could not be read and why.
    limits : ReadLimits
    name : str, optional
        Its ending says whether it is a table; the path's own where it is not given.
    """
    before, counts = len(search.finds), search.counts.copy()
    try:
        for part in file_parts(path, limits, name=name):
            if isinstance(part, Unread):
                search.unread.append((f"{path}{part.place}", part.why))
            elif part.text is None and part.frame is None:
                # read as a table up to here, and now as text from the begin
                del search.finds[before:]
                search.counts = counts.copy()
            else:
                search.look(part, f"{path}{part.place}")
    except InputError as error:
        search.unread.append((str(path), error.problems[0].message))
        return False
    except OSError as error:
        search.unread.append((str(path), error.strerror or "cannot be read"))
        return False
    return True


def _files(paths: Iterable[str | os.PathLike[str]], search: Search) -> list[tuple[Path, int]]:
    """Return the files below some paths, each once, in order; other things are listed as unread."""
    found: dict[str, tuple[Path, int]] = {}
    for given in map(Path, paths):
        if not given.exists():
            raise NotFoundError(f"There is no {given}.")
        walk = sorted(_walk(given, search)) if given.is_dir() else [given]
        for path in walk:
            if path.is_symlink() and path != given:
                search.unread.append((str(path), "a link: not followed"))
            elif not path.is_file():
                search.unread.append((str(path), "no file"))
            else:
                found.setdefault(str(path.resolve()), (path, path.stat().st_size))
    return list(found.values())


def _walk(folder: Path, search: Search) -> Iterable[Path]:
    def failed(error: OSError) -> None:
        search.unread.append((str(error.filename), error.strerror or "cannot be read"))

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
    search = Search(least)
    search.look(Part("", 1, frame=frame), name)
    return search.result(1, int(frame.estimated_size()))


def find_in_source(source: RowSource, *, least: str = "medium") -> PersonalData:
    """Find personal data in the rows of anything that has tables, a database for example."""
    search = Search(least)
    tables = size = 0
    for table in source.tables():
        row = 1
        for frame in source.frames(table):
            search.look(Part("", row, frame=frame), table)
            row += frame.height
            size += int(frame.estimated_size())
        tables += 1
    return search.result(tables, size)


_KEY = re.compile(rb'"([^"\\]{1,60})"\s*:\s*(?:"[^"]*)?$')
_KEY_NEAR = 160


def _keys_before(raw: bytes, spans: Spans) -> str | list[str]:
    """Return the keys of JSON the values belong to, where that is what stands before them."""
    quotes = (
        np.flatnonzero(np.frombuffer(raw, np.uint8) == 34) if len(spans) and b'"' in raw else spans.start[:0]
    )
    if not len(quotes):
        return ""
    near = np.concatenate([[-_KEY_NEAR - 1], quotes])[np.searchsorted(quotes, spans.start)]
    quoted = near >= spans.start - _KEY_NEAR
    return [
        _key_before(raw, at) if some else ""
        for at, some in zip(spans.start.tolist(), quoted.tolist(), strict=True)
    ]


def _key_before(raw: bytes, at: int) -> str:
    low = max(0, at - _KEY_NEAR)
    found = _KEY.search(raw, max(low, raw.rfind(b"\n", low, at) + 1), at)
    return found[1].decode("utf-8", "replace") if found else ""


__all__ = [
    "LOW",
    "Find",
    "PersonalData",
    "RowSource",
    "Search",
    "find_in_frame",
    "find_in_source",
    "find_personal_data",
    "look_into",
]
