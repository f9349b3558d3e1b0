"""Texts of any encoding as UTF-8 in blocks of whole lines, and tables of text in batches."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.csv

from changtong.errors import InputError, Problem

BLOCK = 8 << 20
"""Bytes of a block."""

HEAD = 1 << 20
"""Bytes by which the encoding is known."""

CSV_BLOCK = 4 << 20
DELIMITERS = (",", "\t", ";", "|")


def encoding_of(head: bytes) -> str | None:
    """Return the encoding of a text from its first bytes: UTF-8, UTF-16 or GB18030; None: no text.

    Examples
    --------
    >>> encoding_of("电话".encode()), encoding_of("电话：一二三".encode("gb18030")), encoding_of(bytes(9))
    ('utf-8', 'gb18030', None)
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = head[:4096:2], head[1:4096:2]
    if head and head.count(0):
        if odd and odd.count(0) > 0.3 * len(odd) and not even.count(0):
            return "utf-16-le"
        if even.count(0) > 0.3 * len(even) and not odd.count(0):
            return "utf-16-be"
        return None
    controls = sum(head.count(bytes([k])) for k in range(1, 32) if k not in (9, 10, 11, 12, 13, 26, 27))
    if controls > len(head) * 0.01:
        return None
    for name in ("utf-8", "gb18030"):
        try:
            codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        return name
    return None


def text_blocks(stream: IO[bytes], encoding: str) -> Iterator[bytes]:
    """Return a text as UTF-8 in blocks that end where a line ends, or a part of a very long one."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)(errors="replace")
    rest = b""
    while True:
        raw = stream.read(BLOCK)
        block = raw if decoder is None else decoder.decode(raw, final=not raw).encode()
        if not raw:
            if rest + block:
                yield rest + block
            return
        whole = rest + block
        cut = whole.rfind(b"\n") + 1
        if not cut and len(whole) >= 2 * BLOCK:
            cut = max(whole.rfind(sign) for sign in (b",", b" ", b";", b"}")) + 1 or len(whole)
        if cut:
            yield whole[:cut]
        rest = whole[cut:]


class Csv:
    """A CSV file as batches of text columns.

    Attributes
    ----------
    header : tuple of str
        As written; columns of the frames are named so, with a number where a name comes twice.
    delimiter, encoding : str
    frames : iterator of polars.DataFrame
    """

    def __init__(
        self, stream: IO[bytes], name: str, *, has_header: bool = True, delimiter: str | None = None
    ) -> None:
        head = stream.read(HEAD)
        stream.seek(0)
        encoding = encoding_of(head)
        if encoding is None:
            raise InputError([Problem("unreadable-file", "This is no text that can be read.", name)])
        self.encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
        first = text.splitlines()[0] if text.strip() else ""
        self.delimiter = delimiter or max(DELIMITERS, key=first.count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter)
        cells = next(rows, [])
        if any("\n" in cell or "\r" in cell for cell in cells):
            raise InputError([Problem("unreadable-file", "A header goes over several lines.", name)])
        self.header = tuple(cells) if has_header else tuple(f"column_{k + 1}" for k in range(len(cells)))
        self.names = unlike(self.header)
        self.frames = self._batches(stream, name, 1 if has_header else 0) if cells else iter(())

    def _batches(self, stream: IO[bytes], name: str, skip: int) -> Iterator[pl.DataFrame]:
        try:
            reader = pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(
                    block_size=CSV_BLOCK,
                    skip_rows=skip,
                    column_names=list(self.names),
                    encoding="utf8" if self.encoding == "utf-8" else self.encoding,
                    use_threads=False,
                ),  # fmt: skip
                pyarrow.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    column_types={one: pa.large_string() for one in self.names}, strings_can_be_null=False
                ),
            )
            for batch in reader:
                yield pl.DataFrame(pl.from_arrow(batch))
        except (pa.ArrowInvalid, UnicodeError) as error:
            if "Empty CSV" in str(error):
                return
            # the library's words may hold what stands in the file: they are not passed on
            text = (
                "A row has another number of fields than the header, or is not in the encoding of the begin."
            )
            raise InputError([Problem("unreadable-file", text, name)]) from None


def unlike(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names that differ: one that comes again gets a number.

    Examples
    --------
    >>> unlike(("a", "a", ""))
    ('a', 'a_2', 'column_3')
    """
    made: list[str] = []
    for k, name in enumerate(names):
        new, count = name or f"column_{k + 1}", 2
        while new in made:
            new, count = f"{name}_{count}", count + 1
        made.append(new)
    return tuple(made)
