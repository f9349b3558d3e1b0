"""Leg-day volumes in the log: date, from_site, to_site, pieces, each leg once a day.

Some operators have no scans of single pieces to give, only how many moved on each leg and day. Such figures
lie beside the scans, in ``volumes/day=…``, and count when the batch that names their file is there.
"""

from __future__ import annotations

import codecs
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from changtong.errors import InputError, InternalError, Problem
from changtong.events.convert import Bad, bad_rows, text_array
from changtong.events.log import LEG_DAYS, Batch, EventLog, write_json
from changtong.events.mapping import Mapping
from changtong.events.sources import Chunk, CsvSource, ParquetSource
from changtong.events.words import shape_of

FIELDS = ("date", "from_site", "to_site", "pieces")
KEY = list(FIELDS[:3])
REPLACED = "replaced-figure"
OTHER = "other-figure"

SCHEMA = {"date": pl.Date, "from_site": pl.String, "to_site": pl.String, "pieces": pl.Float64}
_SETTINGS = {"encoding", "separator", "columns"}
_DAY = r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ].*)?$"
_UNSOUND = r"^[=+@-]|[\x00-\x1f\x7f-\x9f\x{fffd}]"


def leg_mapping(columns: dict[str, str] | None = None, **settings: str) -> Mapping:
    """Return what the columns of a file of leg-day volumes mean; by default they bear our own names.

    Parameters
    ----------
    columns : dict, optional
        Our field (``FIELDS``) to the file's column.
    **settings : str
        ``encoding`` and ``separator`` of a CSV file.
    """
    return Mapping({name: (columns or {}).get(name, name) for name in FIELDS}, **settings)  # type: ignore[arg-type]


def read_leg_mapping(path: Path) -> Mapping:
    """Read a mapping file for leg-day volumes: ``encoding``, ``separator``, ``[columns]``.

    Raises
    ------
    InputError
        Every problem of the file at once.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = Problem("bad-mapping", f"The mapping cannot be read: {error}.", str(path), expected="TOML")
        raise InputError([problem]) from error
    problems = [
        Problem("bad-mapping", f"Leg-days have no setting {key!r}.", str(path), column=key,
                expected=", ".join(sorted(_SETTINGS)))
        for key in sorted(raw.keys() - _SETTINGS)
    ]  # fmt: skip
    columns = raw.get("columns", {})
    if not isinstance(columns, dict) or not all(isinstance(name, str) for name in columns.values()):
        problems.append(Problem("bad-mapping", "[columns] must hold text only.", str(path), column="columns"))
        columns = {}
    problems += [
        Problem(
            "bad-mapping", f"There is no field {name!r}.", str(path), column=name, expected=", ".join(FIELDS)
        )
        for name in sorted(columns.keys() - set(FIELDS))
    ]
    settings: dict[str, str] = {}
    for name in ("encoding", "separator"):
        value = raw.get(name)
        if value is not None and not (isinstance(value, str) and _is_setting(name, value)):
            problems.append(Problem("bad-mapping", f"{name} {value!r} will not do.", str(path), column=name))
        elif value is not None:
            settings[name] = value
    if problems:
        raise InputError(problems)
    return leg_mapping(columns, **settings)


def _is_setting(name: str, value: str) -> bool:
    if name == "separator":
        return len(value.encode()) == 1 and value not in ('"', "\n", "\r")
    try:
        codecs.lookup(value)
    except LookupError:
        return False
    return True


def leg_days(log: EventLog, first_day: date | None = None, last_day: date | None = None) -> pl.DataFrame:
    """Return the leg-day volumes of a log: date, from_site, to_site, pieces; of two figures the later one.

    Parameters
    ----------
    log : EventLog
    first_day, last_day : date, optional
        Both included.

    Examples
    --------
    >>> import tempfile
    >>> from changtong.events.log import create_log
    >>> leg_days(create_log(Path(tempfile.mkdtemp()) / "LOG")).height
    0
    """
    parts = []
    for batch in log.batches:
        for day, names in batch.volume_files.items():
            at = date.fromisoformat(day)
            if (first_day is None or at >= first_day) and (last_day is None or at <= last_day):
                parts += [_read(log.path / name) for name in names]
    if not parts:
        return pl.DataFrame(schema=SCHEMA)
    # batches stand in their order: the last row of a leg and day holds
    return pl.concat(parts).unique(KEY, keep="last", maintain_order=True).sort(KEY)


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, hive_partitioning=False).select(
            pl.col(name).cast(kind) for name, kind in SCHEMA.items()
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError([Problem("unreadable-file", "The file cannot be read.", str(path))]) from error


def take_leg_days(
    log: EventLog, number: int, path: Path, mapping: Mapping, *, replace: bool = False
) -> Batch:
    """Bring one file of leg-day volumes into a log that is held for writing, and commit it.

    Parameters
    ----------
    log : EventLog
    number : int
        Of the batch.
    path : Path
        CSV (also .gz) or Parquet.
    mapping : Mapping
        From :func:`leg_mapping`.
    replace : bool
        Whether a figure that differs from the log's replaces it; else it is set aside.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        A file that cannot be read at all, or lacks a column.
    """
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    source = ParquetSource(path, mapping) if is_parquet else CsvSource(path, mapping)
    bad: list[Bad] = []
    parts = [_typed(chunk, bad, mapping) for chunk in source.chunks()]
    rows = pl.concat(parts) if parts else pl.DataFrame(schema={**SCHEMA, "row": pl.Int64})
    read = rows.height + len(bad)
    rows, doubled = _once(rows, bad)
    known = leg_days(log, rows["date"].min(), rows["date"].max())  # type: ignore[arg-type]
    rows = rows.join(known, on=KEY, how="left", suffix="_known")
    same = rows["pieces"] == rows["pieces_known"]
    other = rows.filter((~same).fill_null(False))
    if not replace:
        bad += [Bad(row, "pieces", OTHER, shape_of(f"{n:g}".encode())) for row, n in
                other.select("row", "pieces").iter_rows()]  # fmt: skip
    doubled += int(same.fill_null(False).sum())
    new = rows.filter(same.is_null() | (~same.fill_null(True) & replace)).select(*FIELDS)
    files = _write(log, number, new)
    if bad:
        _set_aside(log, number, path.name, sorted(bad, key=lambda one: one.row))
    if read != new.height + doubled + len(bad):
        raise InternalError(
            f"{path.name}: {read} rows read, but {new.height}, {doubled} and {len(bad)} told."
        )
    batch = Batch(
        number=number,
        source=path.name,
        size_bytes=path.stat().st_size,
        digest=source.digest(),
        rows_read=read,
        rows_added=new.height,
        duplicates=doubled,
        quarantined=len(bad),
        reasons=dict(Counter(one.code for one in bad)),
        notes={REPLACED: other.height} if replace and other.height else {},
        kind=LEG_DAYS,
        volume_files=files,
    )
    write_json(log.path / "batches" / f"b{number:06d}.json", batch.to_json())
    return batch


def _typed(chunk: Chunk, bad: list[Bad], mapping: Mapping) -> pl.DataFrame:
    """Return the good rows of a chunk; the others go to ``bad``, each for the first reason found."""
    bad += [Bad(row, "", code) for row, code in chunk.bad]
    given = {name: _texts(chunk.columns[name]) for name in FIELDS}
    frame = pl.DataFrame({"row": chunk.rows, **{name: given[name][0] for name in FIELDS}})
    said = {name: given[name][1] for name in FIELDS}
    part = frame["date"].str.extract_groups(_DAY)
    year, month, day = (part.struct.field(str(k)) for k in (1, 2, 3))
    dates = (year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)).str.to_date("%Y-%m-%d", strict=False)
    pieces = frame["pieces"].str.strip_chars().cast(pl.Float64, strict=False)
    nothing = pl.Series([False] * frame.height, dtype=pl.Boolean)
    span = mapping.earliest.date(), mapping.last_instant.date()
    checks: list[tuple[str, str, Any]] = [
        ("date", "no-time", ~said["date"]),
        ("date", "bad-time", dates.is_null()),
        ("date", "time-out-of-range", (dates < span[0]) | (dates > span[1])),
    ]
    for name in ("from_site", "to_site"):
        checks.append((name, "no-site", ~said[name]))
        checks.append((name, "bad-text", frame[name].is_null() | frame[name].str.contains(_UNSOUND)))
    checks += [
        ("to_site", "self-loop", frame["from_site"] == frame["to_site"]),
        ("pieces", "missing-value", ~said["pieces"]),
        ("pieces", "wrong-type", pieces.is_null()),
        ("pieces", "not-finite", ~pieces.is_finite()),
        ("pieces", "negative", pieces < 0.0),
    ]
    good = ~nothing
    for column, code, wrong in checks:
        fresh = (wrong.fill_null(False) & good).arg_true().to_list()
        for k in fresh:
            text = frame[column][k]
            bad.append(Bad(int(chunk.rows[k]), column, code, "" if text is None else shape_of(text.encode())))
        if fresh:
            good &= ~wrong.fill_null(False)
    typed = frame.with_columns(dates.alias("date"), pieces.alias("pieces")).filter(good)
    return typed.select(
        *(pl.col(name).cast(kind) for name, kind in SCHEMA.items()), pl.col("row").cast(pl.Int64)
    )


def _texts(text: Any) -> tuple[pl.Series, pl.Series]:
    """Return a column as text, null where it is no UTF-8, and whether anything stands there."""
    raw = pl.Series(text_array(text, np.ones(len(text.starts), np.bool_)).view(pa.large_binary()))
    try:
        return raw.cast(pl.String), raw.is_not_null()
    except pl.exceptions.ComputeError:
        return pl.Series([_decoded(value) for value in raw], dtype=pl.String), raw.is_not_null()


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _once(rows: pl.DataFrame, bad: list[Bad]) -> tuple[pl.DataFrame, int]:
    """Return each leg and day once, and how many said the same again; two figures for one are both bad."""
    figures = pl.col("pieces").n_unique().over(KEY)
    twice = rows.filter(figures > 1)
    bad += [Bad(row, "pieces", "two-figures", shape_of(f"{n:g}".encode())) for row, n in
            twice.select("row", "pieces").iter_rows()]  # fmt: skip
    clear = rows.filter(figures == 1)
    once = clear.unique(KEY, keep="first", maintain_order=True)
    return once, clear.height - once.height


def _write(log: EventLog, number: int, rows: pl.DataFrame) -> dict[str, list[str]]:
    """Write rows as files of their days; return these by day, relative to the log."""
    files = {}
    for (day,), part in rows.sort(KEY).partition_by("date", as_dict=True, maintain_order=True).items():
        name = f"volumes/day={day}/b{number:06d}-0.parquet"
        (log.path / name).parent.mkdir(parents=True, exist_ok=True)
        part.write_parquet(log.path / name, compression="zstd")
        files[str(day)] = [name]
    return files


def _set_aside(log: EventLog, number: int, file: str, bad: list[Bad]) -> None:
    path = log.path / "quarantine" / f"b{number:06d}.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(bad_rows(file, bad), path, compression="zstd")
