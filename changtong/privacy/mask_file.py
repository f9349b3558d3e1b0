"""A file with its personal data masked: batch by batch, written beside and renamed."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.find_text import find_in_text
from changtong.privacy.mask_columns import ColumnMask, ColumnMasker
from changtong.privacy.mask_rules import MaskRule
from changtong.privacy.office_files import xlsx_frames
from changtong.privacy.read_bytes import Csv, encoding_of, text_blocks
from changtong.privacy.spans import LOW
from changtong.spreadsheets import without_formulas

INPUTS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".xlsx")
OUTPUTS = (".csv", ".parquet", ".jsonl", ".ndjson")
ROWS = 50_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MaskedFile:
    """What was masked.

    Attributes
    ----------
    file : Path
        Written.
    rows : int
    columns : tuple of ColumnMask
    """

    file: Path
    rows: int
    columns: tuple[ColumnMask, ...]

    @property
    def left(self) -> int:
        """How many less certain finds in free text were left as they are."""
        return sum(column.left for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Return it as one object."""
        return {
            "file": str(self.file),
            "rows": self.rows,
            "left": self.left,
            "columns": [asdict(column) for column in self.columns],
        }

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows → {self.file}"]
        for one in self.columns:
            text = f"  {one.column}: {one.kind} ({one.why})"
            if one.masked:
                text += f", {one.masked:,} masked"
            if one.hidden:
                text += f", {one.hidden:,} of them hidden as a whole"
            if one.found:
                text += f", {one.found:,} values with something masked in them"
            if one.left:
                text += f", {one.left:,} less certain finds left as they are"
            lines.append(text)
        lines.append("Wrong? Say it with --column KIND=COLUMN (keep=COLUMN leaves a column as it is).")
        return "\n".join(lines)


def mask_file(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    rules: Mapping[str, MaskRule] | None = None,
    has_header: bool = True,
    progress: Progress | None = None,
) -> MaskedFile:
    """Write a copy of a file with personal data masked.

    Parameters
    ----------
    source : path
        CSV, TSV, Parquet, JSON lines or XLSX.
    output : path
        CSV, Parquet, or JSON lines (of JSON lines only). Replaced as a whole, or not at all.
    columns : mapping, optional
        Column (of JSON: keys with dots between) -> kind, ``text`` or ``keep``. Others are told by their
        header, then by their values; in all that remain, every find is masked.
    rules : mapping, optional
        Other rules than the built-in ones.
    has_header : bool
        Of CSV: whether the first row names the columns; without, they are ``column_1`` and so on.
    progress : callable, optional
        Given the bytes read and all there are.

    Raises
    ------
    UsageError
        ``unknown-kind``, ``not-maskable``.
    NotFoundError
        No such file or column.
    InputError
        ``unreadable-file``, ``personal-header``: the first row holds data.
    """
    source, output = Path(source), Path(output)
    _check_formats(source, output)
    masker = ColumnMasker(columns or {}, rules)
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    beside = output.with_name(f".{output.name}.{os.getpid()}.new")
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(source.open("rb"))
            watch = _Watch(stream, source.stat().st_size, progress)
            if source.suffix.lower() in (".jsonl", ".ndjson"):
                rows = _mask_lines(stream, beside, source.name, masker, watch)
            else:
                frames = _frames(stream, source, masker, has_header, stack)
                rows = _mask_frames(frames, beside, output.suffix.lower(), masker, watch)
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)
    return MaskedFile(output, rows, masker.told())


class _Watch:
    """Tells the progress by how far the source is read."""

    def __init__(self, stream: IO[bytes], size: int, progress: Progress | None) -> None:
        self.stream, self.size, self.progress = stream, size, progress

    def tell(self) -> None:
        if self.progress is not None and not self.stream.closed:
            self.progress(min(self.stream.tell(), self.size), max(1, self.size))


def _check_formats(source: Path, output: Path) -> None:
    before, after = source.suffix.lower(), output.suffix.lower()
    if not source.is_file():
        raise NotFoundError(f"There is no file {source}.")
    lines = (".jsonl", ".ndjson")
    if before not in INPUTS or after not in OUTPUTS or (before in lines) != (after in lines):
        raise UsageError(
            "Masked are CSV, TSV, Parquet and XLSX into CSV or Parquet, and JSON lines into JSON lines.",
            "not-maskable",
        )
    if output.exists() and output.samefile(source):
        raise UsageError("The file would be written over: give another name with -o.")


def _frames(
    stream: IO[bytes], source: Path, masker: ColumnMasker, has_header: bool, stack: ExitStack
) -> Iterator[pl.DataFrame]:
    """Return the frames of a file; a header that holds personal data is refused."""
    suffix = source.suffix.lower()
    if suffix == ".parquet":
        try:
            parquet = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                [Problem("unreadable-file", "This is no whole Parquet file.", source.name)]
            ) from error
        _check_header(parquet.schema_arrow.names, source.name, masker)
        empty = pl.DataFrame(pl.from_arrow(parquet.schema_arrow.empty_table()))
        return _or_empty((pl.DataFrame(pl.from_arrow(b)) for b in parquet.iter_batches(ROWS)), empty)
    if suffix == ".xlsx":
        return _sheet(stream, source.name, masker, stack)
    table = Csv(stream, source.name, has_header=has_header, delimiter="\t" if suffix == ".tsv" else None)
    _check_header(list(table.names), source.name, masker)
    return _or_empty(table.frames, pl.DataFrame(schema=dict.fromkeys(table.names, pl.String)))


def _sheet(stream: IO[bytes], name: str, masker: ColumnMasker, stack: ExitStack) -> Iterator[pl.DataFrame]:
    """Return the frames of a workbook's only sheet with rows."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(stream))
    except (zipfile.BadZipFile, ValueError) as error:
        raise InputError([Problem("unreadable-file", "This is no whole XLSX file.", name)]) from error
    first: str | None = None
    names: list[str] = []
    for sheet, frame in xlsx_frames(archive, name):
        if first is None:
            first, names = sheet, frame.columns
            _check_header(names, name, masker)
        if sheet != first:
            if frame.height:
                text = "The workbook has several sheets with rows: save the one that is meant as CSV."
                raise InputError([Problem("unreadable-file", text, name)])
            continue
        if frame.columns != names:
            raise InputError([Problem("unreadable-file", "A row is longer than the header.", name)])
        yield frame
    if first is None:
        raise InputError([Problem("empty-file", "The workbook has no rows.", name)])


def _or_empty(frames: Iterator[pl.DataFrame], empty: pl.DataFrame) -> Iterator[pl.DataFrame]:
    some = False
    for frame in frames:
        some = True
        yield frame
    if not some:
        yield empty


def _check_header(names: list[str], file: str, masker: ColumnMasker) -> None:
    found = find_in_text("\n".join(names).encode("utf-8", "replace"))
    if any(span.confidence != LOW for span in found):
        problem = Problem(
            "personal-header", "The first row holds personal data: it is no header.", file, 0,
            hint="Give --no-header.",
        )  # fmt: skip
        raise InputError([problem])
    masker.check_names(names)


def _mask_frames(
    frames: Iterator[pl.DataFrame], beside: Path, suffix: str, masker: ColumnMasker, watch: _Watch
) -> int:
    rows = 0
    with beside.open("wb") as file, ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for frame in frames:
            masked = pl.DataFrame([masker.masked(column) for column in frame.get_columns()])
            if suffix == ".csv":
                if not rows and not file.tell():
                    file.write(b"\xef\xbb\xbf")
                    harmless(pl.DataFrame(schema=masked.schema)).write_csv(file)
                harmless(masked).write_csv(file, include_header=False)
            else:
                # a column that is text in one batch is text in all
                table = _for_parquet(masked, frame).to_arrow()
                if writer is None:
                    writer = stack.enter_context(pq.ParquetWriter(file, table.schema))
                writer.write_table(table.cast(writer.schema))
            rows += masked.height
            watch.tell()
    return rows


def _for_parquet(masked: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Return columns of a type that does not change with the batch: what could hold a find becomes text."""
    made = []
    for column in masked.get_columns():
        kind = frame.schema[column.name]
        if kind.is_nested() or kind == pl.Binary:
            column = _in_words(column)
        elif not kind.is_temporal() and kind not in _NO_TEXT:
            column = column.cast(pl.String)
        made.append(column)
    return pl.DataFrame(made)


def _in_words(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return column
    values = [None if value is None else str(value) for value in column.to_list()]
    return pl.Series(column.name, values, pl.String)


_NO_TEXT = (pl.Boolean, pl.Null)


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose texts and headers no spreadsheet runs as a formula; plain numbers stay."""
    words = [
        _in_words(column) if column.dtype.is_nested() or column.dtype == pl.Binary else column
        for column in frame.get_columns()
    ]
    headers = pl.DataFrame({"name": pl.Series(frame.columns, dtype=pl.String)})
    names = without_formulas(headers, for_good=True)["name"].to_list()
    made = without_formulas(pl.DataFrame(words), for_good=True)
    return made.rename(dict(zip(frame.columns, names, strict=True)))


def _mask_lines(stream: IO[bytes], beside: Path, name: str, masker: ColumnMasker, watch: _Watch) -> int:
    """Mask JSON lines: every text and number by its keys."""
    encoding = encoding_of(stream.read(1 << 20))
    stream.seek(0)
    if encoding is None:
        raise InputError([Problem("unreadable-file", "This is no text that can be read.", name)])
    rows = 0
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        for block in text_blocks(stream, encoding):
            documents = []
            for line in io.BytesIO(block):
                rows += 1
                if line.strip():
                    documents.append(_document(line, name, rows))
            leaves: dict[str, list[tuple[Any, Any]]] = {}
            for document in documents:
                _gather(document, "", leaves)
            for path, places in leaves.items():
                values = [holder[key] for holder, key in places]
                texts = pl.Series(
                    path, [v if isinstance(v, str) else json.dumps(v) for v in values], pl.String
                )
                for (holder, key), new, old in zip(places, masker.masked(texts), texts, strict=True):
                    if new != old:
                        holder[key] = new
            file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for (one,) in documents)
            watch.tell()
    missing = [path for path in masker.given if path not in masker.kinds]
    if missing:
        raise NotFoundError(f"No key {', '.join(missing)}; there is {', '.join(list(masker.kinds)[:50])}.")
    return rows


def _document(line: bytes, name: str, row: int) -> list[Any]:
    """Return a line's object, held in a list so that it too can be replaced."""
    try:
        return [json.loads(line)]
    except (ValueError, RecursionError) as error:
        raise InputError([Problem("unreadable-file", "This line is no JSON.", name, row)]) from error


def _gather(holder: Any, path: str, leaves: dict[str, list[tuple[Any, Any]]]) -> None:
    """Gather where texts and numbers stand, by the keys that lead there."""
    items = holder.items() if isinstance(holder, dict) else enumerate(holder)
    for key, value in items:
        inner = (f"{path}.{key}" if path else str(key)) if isinstance(holder, dict) else path
        if isinstance(value, dict | list):
            _gather(value, inner, leaves)
        elif value is not None and not isinstance(value, bool):
            leaves.setdefault(inner or "value", []).append((holder, key))
