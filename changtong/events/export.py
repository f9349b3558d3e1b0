"""The scan log, or some days and items of it, as EPCIS 2.0 documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.events.formats.epcis_write import EpcisDocument, epcis_events
from changtong.events.formats.foreign_rows import ROW_SCHEMA
from changtong.events.formats.instants import END_MS, FIRST_MS
from changtong.events.keys import pseudonym
from changtong.events.log import EventLog

MOST_EVENTS = 200_000
"""Events of one document: about 80 MB of text, which readers hold in memory as a whole."""

SLICE_ROWS = 100_000
"""Rows of the log that are looked at together; more where one minute has more."""

MINUTE_MS = 60_000

Progress = Callable[[str, float], None]
_KEYS = {"item": "item_id", "receptacle": "receptacle_id", "vehicle": "vehicle_id"}
_HEAD = b'{"@context": ["https://ref.gs1.org/standards/epcis/'


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
        One document, or several with numbers.
    rows, events : int
        Rows of the log, and the events that they became.
    left_out : dict
        Rows that EPCIS cannot say, by reason: ``no-event-id`` (declares a row without id wrong),
        ``no-object`` (names nothing), ``bad-time`` (not in 1990 to 2099).
    """

    files: tuple[Path, ...]
    rows: int
    events: int
    left_out: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as one object."""
        return {
            "files": [str(path) for path in self.files],
            "rows": self.rows,
            "events": self.events,
            "left_out": self.left_out,
        }

    def __str__(self) -> str:
        lines = [f"{self.rows:,} rows of the log as {self.events:,} events"]
        lines += [f"  left out, {code}: {n:,}" for code, n in self.left_out.items()]
        lines += [f"  → {path}" for path in self.files[:10]]
        if len(self.files) > 10:
            lines.append(f"  … and {len(self.files) - 10:,} more")
        return "\n".join(lines)


def export_epcis(
    log: EventLog,
    path: str | Path,
    *,
    first_day: date | None = None,
    last_day: date | None = None,
    items: Sequence[int] | None = None,
    most_events: int = MOST_EVENTS,
    created: datetime | None = None,
    progress: Progress | None = None,
) -> Export:
    """Write rows of the log as EPCIS 2.0 capture documents, in order of time within each slice of a day.

    Ids of items, receptacles and vehicles are pseudonyms (``p…``), as in the log. With more than
    ``most_events`` events there are several documents, ``FILE-0001.json`` and so on, each valid by
    itself; they take their places together at the end. An older export of the same name is replaced.

    Parameters
    ----------
    log : EventLog
    path : path
    first_day, last_day : date, optional
        Days of the log, both included; all without.
    items : sequence of int, optional
        Numbers of the pseudonyms of the only items wanted.
    most_events : int
        Events of one document.
    created : datetime, optional
        Creation date of the documents, with a time zone; now where missing.
    progress : callable, optional
        Called with the day and the share done.

    Returns
    -------
    Export

    Raises
    ------
    NotFoundError
        There is nothing to write.
    UsageError
        ``not-an-export``: a file is there that is none. Or an option that cannot be meant.
    InputError
        ``cannot-write``, or rows that cannot be written.
    """
    if most_events < 1:
        raise UsageError("A document holds at least one event.")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise UsageError("The last day lies before the first.")
    path = Path(path)
    older = check_export_file(path)
    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    left_out: Counter[str] = Counter()
    rows = 0
    with ExitStack() as beside:
        documents: list[EpcisDocument] = []
        for frame in _slices(log, first_day, last_day, items, progress):
            sound = _sound(frame, left_out)
            rows += sound.height
            for event in epcis_events(sound):
                if not documents or documents[-1].events == most_events:
                    if documents:
                        documents[-1].finish()
                    name = path.with_name(f"{path.stem}-{len(documents) + 1:04}{path.suffix}")
                    documents.append(beside.enter_context(EpcisDocument(name, created)))
                documents[-1].add(event)
        if not documents:
            raise NotFoundError("The log has no such rows in these days: nothing was written.")
        documents[-1].finish()
        places = [path] if len(documents) == 1 else [document.path for document in documents]
        for document, place in zip(documents, places, strict=True):
            document.place(place)
    for other in older - set(places):
        other.unlink()
    return Export(tuple(places), rows, sum(document.events for document in documents), dict(left_out))


def check_export_file(path: Path) -> set[Path]:
    """Refuse a file that may not be replaced; return the documents of an older export of this name.

    Raises
    ------
    UsageError
        ``not-an-export``.
    """
    numbered = path.parent.glob(f"{_literal(path.stem)}-[0-9][0-9][0-9][0-9]{_literal(path.suffix)}")
    found = {place for place in (path, *numbered) if place.exists()}
    for place in found:
        if place.is_dir() or (place.stat().st_size and not _is_export(place)):
            text = f"{place} is there and is no EPCIS document of ours; it was left as it is."
            raise UsageError(text, "not-an-export")
    return found


def _literal(text: str) -> str:
    """Return a text in which no character stands for others in a glob."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _is_export(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_HEAD)) == _HEAD


def _slices(
    log: EventLog,
    first: date | None,
    last: date | None,
    items: Sequence[int] | None,
    progress: Progress | None,
) -> Iterator[pl.DataFrame]:
    """Return the rows, slice after slice of each day, in order of time: few enough to be held."""
    days = [day for day in log.days if (first is None or day >= first) and (last is None or day <= last)]
    for number, day in enumerate(days):
        scan = pl.scan_parquet(log.files(day, day), hive_partitioning=False)
        if items is not None:
            scan = scan.filter(pl.col("item").is_in(list(items)))
        bounds = _bounds(scan)
        for k, (low, after) in enumerate(pairwise(bounds), 1):
            yield _with_ids(scan.filter(pl.col("at_ms").is_between(low, after, closed="left")).collect())
            if progress is not None:
                progress(str(day), (number + k / (len(bounds) - 1)) / len(days))


def _bounds(scan: pl.LazyFrame) -> list[int]:
    """Return instants with at most ``SLICE_ROWS`` rows, or one minute, between them; none without rows."""
    minutes = scan.group_by(pl.col("at_ms").floordiv(MINUTE_MS).alias("minute")).len().sort("minute")
    bounds: list[int] = []
    held = last = 0
    for minute, rows in minutes.collect(engine="streaming").iter_rows():
        if not bounds or held + rows > SLICE_ROWS:
            bounds.append(minute * MINUTE_MS)
            held = 0
        held += rows
        last = (minute + 1) * MINUTE_MS
    return [*bounds, last] if bounds else []


def _with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of the log as the writer takes them; what differs in the item only stands together."""
    names = [name for name in ROW_SCHEMA if name != "row"]
    texts = [
        pl.col(key).replace_strict(_texts(rows[key]), return_dtype=pl.String).alias(name)
        for key, name in _KEYS.items()
    ]
    frame = rows.with_columns(texts).select(pl.col(name).cast(ROW_SCHEMA[name]) for name in names)
    return frame.sort("at_ms", *(name for name in names if name not in ("at_ms", "item_id")), "item_id")


def _texts(column: pl.Series) -> dict[int, str]:
    keys = column.drop_nulls().unique().to_list()
    return {key: pseudonym(key) for key in keys} or {0: ""}


def _sound(rows: pl.DataFrame, left_out: Counter[str]) -> pl.DataFrame:
    """Return the rows that EPCIS can say; count the others."""
    named = pl.any_horizontal(pl.col("item_id", "receptacle_id", "vehicle_id", "attributes").is_not_null())
    fault = (
        pl.when((pl.col("code") == "void") & pl.col("event_id").is_null())
        .then(pl.lit("no-event-id"))
        .when(~named)
        .then(pl.lit("no-object"))
        .when(~pl.col("at_ms").is_between(FIRST_MS, END_MS, closed="left"))
        .then(pl.lit("bad-time"))
    )
    told = rows.with_columns(
        fault.alias("fault"),
        pl.when(pl.col("recorded_ms").is_between(FIRST_MS, END_MS, closed="left")).then("recorded_ms"),
    )
    left_out.update(told["fault"].drop_nulls().to_list())
    return told.filter(pl.col("fault").is_null()).drop("fault")
