"""Bring files of scans into the log: each row once, whatever is killed, repeated or late."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from changtong.errors import InternalError, UsageError
from changtong.events.clocks import days_of
from changtong.events.convert import Bad, Converter, Parsed, Rows, bad_rows
from changtong.events.duplicates import DayFilters, Filter, Suspects
from changtong.events.foreign_source import FOREIGN, ForeignSource
from changtong.events.formats.emsevt import read_emsevt
from changtong.events.formats.epcis import read_epcis
from changtong.events.formats.ips import read_ips
from changtong.events.keys import PLAIN_KEY
from changtong.events.leg_days import OTHER, take_leg_days
from changtong.events.log import LEG_DAYS, SCANS, SCHEMA, Batch, EventLog, open_log, write_json, writing
from changtong.events.mapping import Mapping
from changtong.events.sources import CsvSource, ParquetSource, Source, digest_of
from changtong.events.times import zone_of
from changtong.events.vault.keep_ids import KeptIds
from changtong.events.vault.store import Vault, check_outside

Progress = Callable[[str, float, int], None]
"""Called with the file's name, the share read and the rows so far."""

OPEN_FILES = 48
"""Most days written to at the same time; the one unused for longest is closed first."""

ROW_BYTES = 90
"""Bytes of a row in a CSV file, to guess how many there are."""

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Ingest:
    """What files brought to a log.

    Attributes
    ----------
    batches : tuple of Batch
        One for each file that was new.
    known : tuple of str
        Files that are in the log already: nothing was read again, or their ids only.
    vault_ids : int or None
        Ids that were new to the vault; None without one.
    vault_lacks : tuple of str
        Files of the log whose ids the vault does not have: give them again, with the vault.
    """

    batches: tuple[Batch, ...]
    known: tuple[str, ...] = ()
    vault_ids: int | None = None
    vault_lacks: tuple[str, ...] = ()

    def total(self, name: str) -> int:
        """Return a count over all files: rows_read, rows_added, duplicates or quarantined."""
        return sum(getattr(batch, name) for batch in self.batches)

    def to_json(self) -> dict[str, object]:
        """Return the figures as one object."""
        reasons: Counter[str] = Counter()
        for batch in self.batches:
            reasons.update(batch.reasons)
        names = ("rows_read", "rows_added", "duplicates", "quarantined")
        return {
            **{name: self.total(name) for name in names},
            "reasons": dict(reasons),
            "files": [batch.to_json() for batch in self.batches],
            "known_files": list(self.known),
            "vault_ids": self.vault_ids,
            "vault_lacks": list(self.vault_lacks),
        }

    def __str__(self) -> str:
        lines = [
            f"{self.total('rows_read'):,} rows read: {self.total('rows_added'):,} added, "
            f"{self.total('duplicates'):,} duplicates, {self.total('quarantined'):,} in quarantine"
        ]
        for code, n in sorted(self.to_json()["reasons"].items(), key=lambda pair: -pair[1])[:8]:  # type: ignore[attr-defined]
            lines.append(f"  {code}: {n:,}")
        notes: Counter[str] = Counter()
        for batch in self.batches:
            notes.update(batch.notes)
        if notes:
            lines.append(
                "kept, and noticed: " + ", ".join(f"{code} {n:,}" for code, n in notes.most_common(6))
            )
        if self.known:
            more = f" and {len(self.known) - 5} more" if len(self.known) > 5 else ""
            names = ", ".join(self.known[:5]) + more
            lines.append(f"in the log already, not read again: {len(self.known)} files: {names}")
        if self.vault_ids is not None:
            lines.append(f"{self.vault_ids:,} ids are new in the vault")
        if self.vault_lacks:
            lines.append(
                f"the vault lacks the ids of {len(self.vault_lacks)} files of the log: give them again, "
                f"with the vault: {', '.join(self.vault_lacks[:5])}"
            )
        return "\n".join(lines)


def ingest(
    files: Iterable[Path],
    log: EventLog,
    mapping: Mapping,
    *,
    key: bytes = PLAIN_KEY,
    file_format: str = "csv",
    vault: Vault | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> Ingest:
    """Bring files of scans, or of leg-day volumes, into a log.

    Each file is a batch of its own, committed at its end: a killed run leaves whole files in the
    log or nothing of them. A file that is there already, byte for byte, is skipped; a row that
    is there already is counted as a duplicate.

    Parameters
    ----------
    files : iterable of Path
    log : EventLog
    mapping : Mapping
        What the columns mean.
    key : bytes
        Secret of the pseudonyms, 16 bytes or more; ``PLAIN_KEY`` for a log without.
    file_format : str
        ``csv``, ``parquet``, ``epcis``, ``ips`` or ``emsevt``. Of the mapping, the last three need the
        time zone only. ``leg-days``: date, from_site, to_site, pieces, CSV or Parquet, with a mapping from
        :func:`changtong.events.leg_days.leg_mapping`; no key is needed.
    vault : Vault, optional
        Keeps the ids as well, encrypted: all of a file's are there before the file counts. A file that is in
        the log already, and whose ids it lacks, is read again for these.
    replace : bool
        Of leg-days: a figure that differs from the log's replaces it, instead of going to the quarantine.
    progress : callable, optional

    Returns
    -------
    Ingest

    Raises
    ------
    InputError
        A file that cannot be read at all, or lacks a column of the mapping. Single rows that
        cannot be understood go to the quarantine instead.
    UsageError
        Another process writes to the log.
    """
    if file_format == LEG_DAYS:
        return _ingest_leg_days(files, log, mapping, replace, progress)
    if replace:
        raise UsageError("Only leg-days have figures that can be replaced.")
    if key is not PLAIN_KEY or log.keyed:
        log.check_key(key)
    if vault is not None:
        check_outside(vault.path)
        vault.check_key(key)
    batches, known, ids = [], [], 0
    for path in files:
        source = _source(path, mapping, file_format)
        taken = FOREIGN if isinstance(source, ForeignSource) else mapping
        with writing(log) as number:
            log = open_log(log.path)
            kept = None if vault is None else KeptIds(vault)
            run = _Run(log, number, path, source, Converter(taken, key[:16]), progress, kept)
            digest = _known_digest(log, path)
            if digest is not None:
                known.append(path.name)
                if vault is not None and not vault.has_file(digest):
                    run.keep_ids(digest)
            else:
                batches.append(run.run())
            ids += 0 if kept is None else kept.added
    if vault is None:
        return Ingest(tuple(batches), tuple(known))
    lacks = tuple(
        b.source for b in open_log(log.path).batches if b.kind == SCANS and not vault.has_file(b.digest)
    )
    return Ingest(tuple(batches), tuple(known), ids, lacks)


def _ingest_leg_days(
    files: Iterable[Path], log: EventLog, mapping: Mapping, replace: bool, progress: Progress | None
) -> Ingest:
    """Bring files of leg-day volumes into a log, each as a batch of its own."""
    batches, known = [], []
    for path in files:
        with writing(log) as number:
            log = open_log(log.path)
            if _known_digest(log, path) and not (replace and _may_replace(log, path)):
                known.append(path.name)
                continue
            batches.append(take_leg_days(log, number, path, mapping, replace=replace))
            if progress is not None:
                progress(path.name, 1.0, batches[-1].rows_read)
    return Ingest(tuple(batches), tuple(known))


def _may_replace(log: EventLog, path: Path) -> bool:
    """Tell whether a known file has figures that were set aside when it was last read."""
    digest = digest_of(path)
    same = [batch for batch in log.batches if batch.digest == digest]
    return bool(same) and OTHER in same[-1].reasons


def _source(path: Path, mapping: Mapping, file_format: str) -> Source:
    if file_format == "csv":
        return CsvSource(path, mapping)
    if file_format == "parquet":
        return ParquetSource(path, mapping)
    zone = mapping.time_zone
    if file_format == "epcis":
        return ForeignSource(path, read_epcis)
    if zone is None:
        raise UsageError(f"{file_format.upper()} files carry no time zone: name one.", "no-time-zone")
    if file_format == "ips":
        return ForeignSource(path, lambda file: read_ips(file, zone))
    return ForeignSource(path, lambda file: read_emsevt(file, zone))


def _known_digest(log: EventLog, path: Path) -> str | None:
    """Return the SHA-256 of a file that is in the log; None of one that is not."""
    size = path.stat().st_size if path.exists() else -1
    same = {batch.digest for batch in log.batches if batch.size_bytes == size}
    if not same:
        return None
    digest = digest_of(path)
    return digest if digest in same else None


@dataclass
class _Day:
    """A day that is written to."""

    name: str
    writer: pq.ParquetWriter | None = None
    files: list[str] = field(default_factory=list)


class _Run:
    """One file on its way into the log: read, parsed and written on three threads."""

    def __init__(
        self, log: EventLog, number: int, path: Path, source: Source, converter: Converter,
        progress: Progress | None, kept: KeptIds | None = None,
    ) -> None:  # fmt: skip
        self.kept = kept
        self.log, self.number, self.path, self.source = log, number, path, source
        self.converter, self.progress = converter, progress
        self.days: dict[int, _Day] = {}
        self.filter = Filter(max(1, path.stat().st_size // ROW_BYTES))
        self.known = DayFilters(self._keys_of, self._rows_of)
        self.zone = zone_of(log.zone)
        self.read = self.added = self.doubled = 0
        self.reasons: Counter[str] = Counter()
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.aside: list[tuple[int, str]] = []
        self.quarantine: pq.ParquetWriter | None = None

    def run(self) -> Batch:
        """Read the file to its end and commit it."""
        with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
            self.suspects = Path(folder) / "suspects.parquet"
            self.suspect_writer: pq.ParquetWriter | None = None
            with ThreadPoolExecutor(1) as writing_thread:
                pending: Future[None] | None = None
                for parsed in self._ahead():
                    rows, bad = self.converter.rows(parsed)
                    self.read += len(parsed.chunk.rows) + len(parsed.chunk.bad)
                    self._set_aside(bad)
                    self._keep_ids(parsed)
                    new, days = self._sift(rows)
                    if pending is not None:
                        pending.result()
                    pending = writing_thread.submit(self._write, rows, new, days)
                    if self.progress is not None:
                        self.progress(self.path.name, parsed.chunk.done, self.read)
                if pending is not None:
                    pending.result()
            self._settle_suspects()
            self._close()
        if self.kept is not None:
            self.kept.finish(self.source.digest())
        return self._commit()

    def keep_ids(self, digest: str) -> None:
        """Read a file that is in the log for its ids; note it when those of its rows in the log are there."""
        if self.kept is None:
            return
        for parsed in self._ahead():
            self.converter.rows(parsed)
            self._keep_ids(parsed)
            self.read += len(parsed.chunk.rows)
            if self.progress is not None:
                self.progress(self.path.name, parsed.chunk.done, self.read)
        batch = next(batch for batch in self.log.batches if batch.digest == digest)
        for files in batch.files.values():
            for name in files:
                table = pq.read_table(self.log.path / name, columns=["item", "receptacle", "vehicle"])
                keys = [table.column(k).drop_null().to_numpy() for k in range(3)]
                if self.kept.lacks(np.concatenate(keys)):
                    return  # read by another mapping than at first: other ids than the log's
        self.kept.finish(digest)

    def _keep_ids(self, parsed: Parsed) -> None:
        """Keep the ids of a chunk's good rows: which those are is known once its words are read."""
        if self.kept is not None:
            for name, keys in parsed.keys.items():
                self.kept.note(parsed.chunk.columns[name], keys, parsed.good)

    def _ahead(self) -> Iterator[Parsed]:
        """Read and parse one chunk ahead of the one at work."""
        chunks = self.source.chunks()

        def step() -> Parsed | None:
            chunk = next(chunks, None)
            return None if chunk is None else self.converter.parse(chunk)

        with ThreadPoolExecutor(1) as reading:
            coming = reading.submit(step)
            while (parsed := coming.result()) is not None:
                coming = reading.submit(step)
                yield parsed

    # -- each row once --------------------------------------------------------

    def _sift(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that are new for certain, in order of time, and the day of each."""
        days = np.empty(len(rows.at_ms), np.int64)
        days_of(rows.at_ms, *self.zone, days)
        maybe = self.filter.add(rows.row_key)
        for day in np.unique(days).tolist():
            of_day = np.flatnonzero(days == day)
            seen = self.known.seen(day, rows.row_key[of_day])
            if seen is not None:
                maybe[of_day] |= seen
        if maybe.any():
            self._keep_suspects(rows, np.flatnonzero(maybe), days)
        new = np.flatnonzero(~maybe)
        at_ms = rows.at_ms[new]
        if len(new) and (at_ms[1:] < at_ms[:-1]).any():
            new = new[np.argsort(at_ms, kind="stable")]
        if len(new):
            self._span(int(rows.at_ms[new[0]]), int(rows.at_ms[new[-1]]))
        return new, days[new]

    def _span(self, first_ms: int, last_ms: int) -> None:
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = last_ms if self.last_ms is None else max(self.last_ms, last_ms)

    def _keys_of(self, day: int) -> Iterator[NDArray[np.int64]]:
        """Yield the keys of the log's rows of a day."""
        for file in self._files_of(day):
            for batch in pq.ParquetFile(file).iter_batches(2_000_000, columns=["row_key"]):
                yield batch.column(0).to_numpy()

    def _rows_of(self, day: int) -> int:
        return sum(pq.ParquetFile(file).metadata.num_rows for file in self._files_of(day))

    def _files_of(self, day: int) -> list[Path]:
        at = EPOCH + timedelta(days=day)
        return self.log.files(at, at)

    def _keep_suspects(self, rows: Rows, take: NDArray[np.int64], days: NDArray[np.int64]) -> None:
        table = rows.table(take, SCHEMA).append_column("day", pa.array(days[take]))
        plain = table.cast(_PLAIN)
        if self.suspect_writer is None:
            self.suspect_writer = pq.ParquetWriter(self.suspects, _PLAIN, compression="zstd")
        self.suspect_writer.write_table(plain)

    def _settle_suspects(self) -> None:
        """Compare what may be there already with the log and this file, day by day."""
        if self.suspect_writer is None:
            return
        self.suspect_writer.close()
        frame = pl.read_parquet(self.suspects)
        for (day,), some in frame.partition_by("day", as_dict=True, maintain_order=True).items():
            suspects = Suspects(some["row_key"].to_numpy())
            mine = self._day(int(day))
            if mine.writer is not None:
                mine.writer.close()
                mine.writer = None
            for file in [*self._files_of(int(day)), *(self.log.path / name for name in mine.files)]:
                for batch in pq.ParquetFile(file).iter_batches(2_000_000, columns=["row_key"]):
                    suspects.meet(batch.column(0).to_numpy())
            new = suspects.new()
            self.doubled += int((~new).sum())
            if new.any():
                table = some.filter(pl.Series(new)).drop("day").sort("at_ms").to_arrow().cast(SCHEMA)
                self._append(int(day), table)
                at_ms = table.column("at_ms").to_numpy()
                self._span(int(at_ms[0]), int(at_ms[-1]))

    # -- files -----------------------------------------------------------------

    def _write(self, rows: Rows, new: NDArray[np.int64], days: NDArray[np.int64]) -> None:
        if not len(new):
            return
        bounds = np.flatnonzero(np.diff(days)) + 1
        for part in np.split(np.arange(len(new)), bounds):
            self._append(int(days[part[0]]), rows.table(new[part], SCHEMA))

    def _day(self, day: int) -> _Day:
        if day not in self.days:
            self.days[day] = _Day((EPOCH + timedelta(days=day)).isoformat())
        return self.days[day]

    def _append(self, day: int, table: pa.Table) -> None:
        at = self._day(day)
        self.days[day] = self.days.pop(day)  # the latest stands last
        if at.writer is None:
            busy = [other for other in self.days.values() if other.writer is not None]
            if len(busy) >= OPEN_FILES and busy[0].writer is not None:
                busy[0].writer.close()
                busy[0].writer = None
            name = f"events/day={at.name}/b{self.number:06d}-{len(at.files)}.parquet"
            path = self.log.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            at.writer = pq.ParquetWriter(path, SCHEMA, compression=_COMPRESSION,
                                         use_dictionary=_WORDS, column_encoding=_ENCODING)  # fmt: skip
            at.files.append(name)
        at.writer.write_table(table, row_group_size=1_000_000)
        self.added += table.num_rows

    def _set_aside(self, bad: list[Bad]) -> None:
        """Keep where a bad row stood and why; not what it says: that may be personal."""
        if not bad:
            return
        self.reasons.update(row.code for row in bad)
        table = bad_rows(self.path.name, bad)
        if self.quarantine is None:
            path = self.log.path / "quarantine" / f"b{self.number:06d}.parquet"
            path.parent.mkdir(exist_ok=True)
            self.quarantine = pq.ParquetWriter(path, table.schema, compression="zstd")
        self.quarantine.write_table(table)

    def _close(self) -> None:
        for day in self.days.values():
            if day.writer is not None:
                day.writer.close()
                day.writer = None
        if self.quarantine is not None:
            self.quarantine.close()

    def _commit(self) -> Batch:
        bad = sum(self.reasons.values())
        if self.read != self.added + self.doubled + bad:
            raise InternalError(
                f"{self.path.name}: {self.read} rows read, but {self.added} added, "
                f"{self.doubled} duplicates and {bad} bad."
            )
        batch = Batch(
            number=self.number,
            source=self.path.name,
            size_bytes=self.path.stat().st_size,
            digest=self.source.digest(),
            rows_read=self.read,
            rows_added=self.added,
            duplicates=self.doubled,
            quarantined=bad,
            reasons=dict(self.reasons),
            notes=dict(getattr(self.source, "notes", {})),
            files={day.name: day.files for day in self.days.values() if day.files},
            first_ms=self.first_ms,
            last_ms=self.last_ms,
        )
        write_json(self.log.path / "batches" / f"b{self.number:06d}.json", batch.to_json())
        return batch


_PLAIN = pa.schema(
    [
        *(pa.field(f.name, pa.large_string() if pa.types.is_dictionary(f.type) else f.type) for f in SCHEMA),
        pa.field("day", pa.int64()),
    ]
)
_COMPRESSION = {f.name: "none" if f.name in ("item", "row_key") else "snappy" for f in SCHEMA}
"""Keys are as good as random: packing them takes time and saves nothing. zstd would save a tenth of the rest,
and take twice the time."""
_WORDS = ["code", "site_id", "next_site_id", "service_class"]
_ENCODING = {"at_ms": "DELTA_BINARY_PACKED", "recorded_ms": "DELTA_BINARY_PACKED"}
