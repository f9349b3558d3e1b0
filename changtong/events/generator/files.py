"""What a generated log waits in and what it is written to: spans of time, CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from changtong.events.generator.kernels import CODES, ROW, Scene
from changtong.events.generator.rows import UNREADABLE, Columns, Texts, fill_columns, write_lines
from changtong.events.generator.scene import Stage
from changtong.events.generator.settings import OFFSET_H, ScanSettings
from changtong.network.model import Network
from changtong.structure import class_table

Rows = NDArray[np.void]

COLUMNS = {
    "zh": (
        "运单号", "总包号", "车次", "扫描类型", "扫描站点", "下一站点", "扫描时间", "上传时间", "产品类型",
        "收件人电话",
    ),
    "en": (
        "waybill_no", "bag_no", "trip_no", "scan_type", "scan_site", "next_site", "scan_time", "upload_time",
        "product", "receiver_phone",
    ),
}  # fmt: skip
"""Header of a log by language: item, receptacle, vehicle, code, site, next site, at, recorded, class,
and a personal column nothing should keep."""

FIELDS = (
    "item_id", "receptacle_id", "vehicle_id", "code", "site_id", "next_site_id", "at", "recorded_at",
    "service_class",
)  # fmt: skip
"""Fields of a log that the columns hold, in their order; the last column is in none."""

SCAN_WORDS = {
    "accept": "揽收", "inspect": "验视", "screen": "安检", "register": "实名登记", "receive": "收件",
    "sort": "分拣", "pack": "装袋", "unpack": "拆袋", "load": "装车", "depart": "发车", "arrive": "到车",
    "unload": "卸车", "out_for_delivery": "派件", "attempt": "投递不成功", "deliver": "签收",
    "return": "退回", "hold": "封控滞留", "release": "解除滞留", "customs_in": "送海关",
    "customs_out": "海关放行", "cancel": "撤单",
}  # fmt: skip
"""Word of each scan in a log with a Chinese header; with an English one the code itself."""

CHUNK = 200_000
"""Rows turned into text or columns at a time."""


def mapping_text(language: str) -> str:
    """Return the mapping file that reads a log with such a header."""
    lines = [f'{field} = "{column}"' for field, column in zip(FIELDS, COLUMNS[language], strict=False)]
    return "\n".join(['time_zone = "Asia/Shanghai"', "", "[columns]", *lines, ""])


class Pending:
    """Scans that are known and not yet due, by span of time; what is too much waits in files.

    Parameters
    ----------
    folder : path
        For those files.
    most_bytes : int
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._parts: dict[int, list[Rows]] = {}
        self._bytes: dict[int, int] = {}
        self._held = 0
        self.spilled_bytes = 0

    def add(self, first: int, ptr: NDArray[np.int64], rows: Rows) -> None:
        """Add rows sorted by span; those of span ``first`` + k lie from ``ptr[k]`` to ``ptr[k + 1]``."""
        for k in np.flatnonzero(np.diff(ptr)):
            part = rows[ptr[k] : ptr[k + 1]].copy()
            self._parts.setdefault(first + int(k), []).append(part)
            self._bytes[first + int(k)] = self._bytes.get(first + int(k), 0) + part.nbytes
            self._held += part.nbytes
        if self._held > self._most:
            self._spill()

    def take(self, span: int) -> Rows:
        """Return all rows of a span, in the order in which they were added, and forget them."""
        parts = self._parts.pop(span, [])
        self._held -= self._bytes.pop(span, 0)
        path = self._path(span)
        if path.exists():
            parts.insert(0, np.fromfile(path, ROW))
            path.unlink()
        return np.concatenate(parts) if parts else np.empty(0, ROW)

    def _spill(self) -> None:
        """Write the latest spans out until half the memory is free."""
        for span in sorted(self._parts, reverse=True):
            if self._held <= self._most // 2:
                return
            with self._path(span).open("ab") as out:
                np.concatenate(self._parts.pop(span)).tofile(out)
            size = self._bytes.pop(span)
            self._held -= size
            self.spilled_bytes += size

    def _path(self, span: int) -> Path:
        return self._folder / f"span-{span}.bin"


@dataclass(frozen=True)
class Piece:
    """A part of a log's file, ready to be written.

    Attributes
    ----------
    body : array of uint8 or pyarrow.RecordBatch
        Lines, or columns.
    lines : int
    codes : array, (codes,)
    damage : array, (9,)
        Rows by bit of damage, then those of sites whose clock is wrong.
    damaged : Rows
    damaged_line : array
        Line each of the damaged rows has in the piece, from 0; -1 for a gap.
    """

    body: NDArray[np.uint8] | pa.RecordBatch
    lines: int
    codes: NDArray[np.int64]
    damage: NDArray[np.int64]
    damaged: Rows
    damaged_line: NDArray[np.int64]


class Output(Protocol):
    """Something that makes pieces of rows (in any thread) and writes them (in order)."""

    suffix: str

    def make(self, rows: Rows) -> Piece:
        """Turn rows into a piece."""

    def open(self, path: Path) -> None:
        """Begin a file."""

    def write(self, piece: Piece) -> None:
        """Write a piece to the file begun last."""

    def close(self) -> None:
        """End the file."""


def make_texts(network: Network, stage: Stage, settings: ScanSettings) -> Texts:
    """Return the texts of a log, quoted for CSV where need be."""
    scene: Scene = stage.scene
    csv = settings.format == "csv"
    ids = list(network.site_ids)
    words = [SCAN_WORDS[code] if settings.header == "zh" else code for code in CODES]
    table = class_table(network)
    label = "name_zh" if settings.header == "zh" else "name"
    classes = table.select(
        pl.coalesce(pl.col(label).cast(pl.String), pl.col("service_class").cast(pl.String))
    )
    names = classes.to_series().to_list()
    prefix = "ZZ"
    while any(site.startswith(prefix) for site in ids):
        prefix += "Z"
    days = int(scene.end_s // 86_400) + 3
    dates = [(settings.first_day + timedelta(days=k - 1)).isoformat() for k in range(days)]
    return Texts(
        scene.seed,
        *_joined(ids, csv),
        *_joined(words, csv),
        *_joined(names, csv),
        *_joined(UNREADABLE, csv),
        np.frombuffer(prefix.encode(), np.uint8),
        np.array([list(day.encode()) for day in dates], np.uint8),
        stage.skew_s,
        scene.leg_tail,
        scene.leg_head,
    )


def _joined(texts: Sequence[str], csv: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    raw = [(_quoted(text) if csv else text).encode() for text in texts]
    ptr = np.append(0, np.cumsum([len(one) for one in raw])).astype(np.int64)
    return np.frombuffer(b"".join(raw), np.uint8), ptr


def _quoted(text: str) -> str:
    if any(mark in text for mark in ',"\n\r') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _texts(text: NDArray[np.uint8], ptr: NDArray[np.int64]) -> list[str]:
    whole = text.tobytes()
    return [whole[a:b].decode() for a, b in zip(ptr[:-1], ptr[1:], strict=True)]


def _damaged(rows: Rows, gap: int) -> tuple[Rows, NDArray[np.int64]]:
    """Return the rows with damage and their lines."""
    line = np.cumsum(rows["flags"] != gap) - 1
    hit = rows["flags"] != 0
    return rows[hit], np.where(rows["flags"][hit] == gap, -1, line[hit])


class CsvOutput:
    """CSV in UTF-8, a header, ``\\n`` at the end of each line."""

    suffix = "csv"

    def __init__(self, texts: Texts, header: str, gap: int) -> None:
        self._texts, self._gap = texts, gap
        self._header = ",".join(COLUMNS[header]) + "\n"
        longest = [int(np.diff(ptr).max()) for ptr in (texts.code_ptr, texts.cls_ptr, texts.unreadable_ptr)]
        self._width = 120 + sum(longest) + 2 * int(np.diff(texts.site_ptr).max()) + len(texts.unknown)
        self._file: BinaryIO | None = None

    def make(self, rows: Rows) -> Piece:
        """Turn rows into lines."""
        buf = np.empty(len(rows) * self._width + 1, np.uint8)
        codes, damage = np.zeros(len(CODES), np.int64), np.zeros(9, np.int64)
        used, lines = write_lines(rows, 0, len(rows), self._texts, buf, codes, damage)
        return Piece(buf[:used], lines, codes, damage, *_damaged(rows, self._gap))

    def open(self, path: Path) -> None:
        """Begin a file with its header."""
        self._file = path.open("wb", buffering=0)
        self._file.write(self._header.encode())

    def write(self, piece: Piece) -> None:
        """Write a piece's lines."""
        assert self._file is not None
        left = memoryview(np.asarray(piece.body, np.uint8))  # type: ignore[arg-type]
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class ParquetOutput:
    """Parquet with zstd; times are instants in milliseconds shown in Asia/Shanghai."""

    suffix = "parquet"

    def __init__(self, texts: Texts, header: str, first_ms: int, gap: int) -> None:
        self._texts, self._gap, self._first_ms = texts, gap, first_ms
        sites = _texts(texts.site, texts.site_ptr)
        wrong = [f"{texts.unknown.tobytes().decode()}{k:04d}" for k in range(10_000)]
        self._sites = pa.array(sites)
        self._sites_and_wrong = pa.array(sites + wrong)
        self._codes = pa.array(_texts(texts.code, texts.code_ptr))
        self._classes = pa.array(_texts(texts.cls, texts.cls_ptr))
        text, word = pa.string(), pa.dictionary(pa.int32(), pa.string())
        instant = pa.timestamp("ms", tz="Asia/Shanghai")
        small = pa.dictionary(pa.int8(), pa.string())
        kinds = (text, text, text, small, word, word, instant, instant, small, text)
        self._schema = pa.schema(list(zip(COLUMNS[header], kinds, strict=True)))
        self._writer: pq.ParquetWriter | None = None

    def make(self, rows: Rows) -> Piece:
        """Turn rows into columns."""
        columns = _empty_columns(len(rows))
        codes, damage = np.zeros(len(CODES), np.int64), np.zeros(9, np.int64)
        n = fill_columns(rows, 0, len(rows), self._texts, columns, codes, damage)
        riding = columns.riding[:n]
        usual = not (columns.site[:n] >= len(self._sites)).any()
        sites = self._sites if usual else self._sites_and_wrong
        arrays = [
            _strings(columns.item, columns.item_ptr, n),
            _strings(columns.bag, columns.bag_ptr, n, riding),
            _strings(columns.trip, columns.trip_ptr, n, riding),
            pa.DictionaryArray.from_arrays(columns.code[:n], self._codes),
            pa.DictionaryArray.from_arrays(columns.site[:n], sites),
            pa.DictionaryArray.from_arrays(
                pa.array(columns.after[:n], mask=columns.after[:n] < 0), self._sites
            ),
            self._instants(columns.at_s[:n], ~columns.readable[:n]),
            self._instants(columns.recorded_s[:n], None),
            pa.DictionaryArray.from_arrays(columns.cls[:n], self._classes),
            _strings(columns.phone, columns.phone_ptr, n),
        ]
        body = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        return Piece(body, n, codes, damage, *_damaged(rows, self._gap))

    def _instants(self, seconds: NDArray[np.int64], null: NDArray[np.bool_] | None) -> pa.Array:
        return pa.array(self._first_ms + 1000 * seconds, mask=null).cast(self._schema.field(6).type)

    def open(self, path: Path) -> None:
        """Begin a file."""
        names = self._schema.names
        words = [names[k] for k in (1, 2, 3, 4, 5, 8)]  # bags and trips come again within a row group
        self._writer = pq.ParquetWriter(
            path, self._schema, compression="zstd", compression_level=1, use_dictionary=words,
            write_statistics=[names[k] for k in (3, 4, 6, 7)],
        )  # fmt: skip

    def write(self, piece: Piece) -> None:
        """Write a piece as a row group."""
        assert self._writer is not None
        self._writer.write_batch(piece.body)

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _empty_columns(n: int) -> Columns:
    def text(width: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        return np.empty(n * width + 1, np.uint8), np.zeros(n + 1, np.int32)

    return Columns(
        *text(15), *text(17), *text(13), *text(11),
        riding=np.empty(n, bool), code=np.empty(n, np.int8), site=np.empty(n, np.int32),
        after=np.empty(n, np.int32), at_s=np.empty(n, np.int64), readable=np.empty(n, bool),
        recorded_s=np.empty(n, np.int64), cls=np.empty(n, np.int8),
    )  # fmt: skip


def _strings(
    text: NDArray[np.uint8], ptr: NDArray[np.int32], n: int, valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    bits = None
    if valid is not None:
        bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), n, [bits, pa.py_buffer(ptr[: n + 1]), pa.py_buffer(text)])


def write_sites(network: Network, path: Path) -> None:
    """Write the sites of a log: site_id, name, kind, region, operator, as far as known."""
    sites = network.sites
    columns = [
        (pl.col(name) if name in sites.columns else pl.lit(None)).cast(pl.String).alias(name)
        for name in ("site_id", "name", "kind", "region", "operator")
    ]
    sites.select(columns).write_parquet(path)


def first_midnight_ms(settings: ScanSettings) -> int:
    """Return the instant at which a log begins, UTC epoch milliseconds."""
    days = settings.first_day.toordinal() - 719_163  # of 1970-01-01
    return (days * 24 - OFFSET_H) * 3_600_000
