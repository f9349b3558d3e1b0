"""Writing rows of the scan log as an EPCIS 2.0 document (JSON-LD) that reads back to the same rows.

Rows that differ in the item only become one event. Each event is read back before it is
written; where EPCIS cannot say what a row says, an extension of our own says it beside.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, InternalError, Problem, UsageError
from changtong.events.codes import known_codes
from changtong.events.formats.epcis_event import EpcisRules, EventReader, usual_action, usual_step
from changtong.events.formats.epcis_shapes import fits
from changtong.events.formats.epcis_terms import (
    CONTEXT,
    KEPT_FIELDS,
    OWN,
    OWN_PREFIX,
    OWN_STEP,
    is_clean,
    uri_of,
)
from changtong.events.formats.foreign_rows import ROW_SCHEMA, ProblemList
from changtong.events.formats.instants import END_MS, FIRST_MS, instant_text

ID_COLUMNS = (
    "event_id",
    "item_id",
    "receptacle_id",
    "vehicle_id",
    "site_id",
    "next_site_id",
    "service_class",
)
LISTED_ROWS = 100
"""Rows listed of one kind of problem in one column."""

_NATIVE = tuple(name for name in KEPT_FIELDS if name not in ("type", "eventTimeZoneOffset"))
_PREFIXES = {OWN_PREFIX: OWN}


@dataclass(frozen=True, slots=True)
class _Scan:
    """Rows of the log that are one event: all columns, and the items it is about."""

    event_id: str | None
    receptacle_id: str | None
    vehicle_id: str | None
    code: str
    site_id: str | None
    next_site_id: str | None
    at_ms: int
    recorded_ms: int | None
    service_class: str | None
    attributes: str | None
    items: tuple[str, ...]


def epcis_events(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Return the events of rows of the log, in their order.

    Parameters
    ----------
    rows : polars.DataFrame
        Columns of ``ROW_SCHEMA`` (``row`` is not needed); ``code`` and ``at_ms`` in every row.

    Raises
    ------
    InputError
        Missing columns, unknown codes, times or identifiers that cannot be written: all at once.
    """
    frame = _checked(rows)
    for scan in _scans(frame):
        yield _event(scan)


def write_epcis(rows: pl.DataFrame, path: str | Path, *, created: datetime | None = None) -> int:
    """Write rows of the log as an EPCIS 2.0 capture document.

    Parameters
    ----------
    rows : polars.DataFrame
        See `epcis_events`.
    path : path
        Written beside and renamed, so that it is whole or not there.
    created : datetime, optional
        Creation date of the document, with a time zone; now where missing.

    Returns
    -------
    int
        Events written.

    Raises
    ------
    InputError, UsageError
    """
    path = Path(path)
    with EpcisDocument(path, created) as document:
        for event in epcis_events(rows):
            document.add(event)
        document.close()
    return document.events


class EpcisDocument:
    """A capture document that is written event by event, beside its file, and then takes its place.

    Parameters
    ----------
    path : Path
    created : datetime, optional
        Creation date, with a time zone; now where missing.

    Attributes
    ----------
    events : int
        Written so far.
    """

    def __init__(self, path: Path, created: datetime | None = None) -> None:
        created = created or datetime.now(UTC)
        if created.tzinfo is None:
            raise UsageError("the creation date has no time zone.", "time-without-zone")
        self.path = path
        self.events = 0
        self._beside = path.with_name(f".{path.name}.{os.getpid()}")
        head = {
            "@context": [CONTEXT, {OWN_PREFIX: OWN}],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": created.isoformat(timespec="milliseconds"),
        }
        with self._told():
            self._stream = self._beside.open("w", encoding="utf-8")
            self._stream.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "epcisBody": {"eventList": [')

    def __enter__(self) -> EpcisDocument:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing beside the file, whether it was put in its place or not."""
        self._stream.close()
        self._beside.unlink(missing_ok=True)

    def add(self, event: dict[str, Any]) -> None:
        """Write one event."""
        text = json.dumps(event, ensure_ascii=False, allow_nan=False)
        with self._told():
            self._stream.write(f",\n{text}" if self.events else f"\n{text}")
        self.events += 1

    def finish(self) -> None:
        """End the document; it still lies beside its file."""
        with self._told():
            self._stream.write("\n]}}\n")
            self._stream.close()

    def place(self, path: Path | None = None) -> None:
        """Put the document in its place, or in another of the same folder."""
        with self._told():
            self._beside.replace(path or self.path)

    def close(self) -> None:
        """End the document and put it in its place."""
        self.finish()
        self.place()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError([Problem("cannot-write", f"{error.strerror}.", self.path.name)]) from error


def _checked(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their types; raise with everything that cannot be written."""
    wanted = {name: dtype for name, dtype in ROW_SCHEMA.items() if name != "row"}
    problems = [
        Problem("missing-column", f"No column {name!r}.", "rows", column=name, expected=", ".join(wanted))
        for name in wanted
        if name not in rows.columns
    ]
    if problems:
        raise InputError(problems)
    try:
        frame = rows.select(pl.col(name).cast(dtype) for name, dtype in wanted.items())
    except pl.exceptions.PolarsError as error:
        message = "a column has another type."
        raise InputError([Problem("wrong-type", message, "rows", expected=str(dict(wanted)))]) from error
    in_time = {
        name: pl.col(name).is_between(FIRST_MS, END_MS, closed="left") for name in ("at_ms", "recorded_ms")
    }
    named = pl.any_horizontal(pl.col("item_id", "receptacle_id", "vehicle_id", "attributes").is_not_null())
    wrong = [
        ("unknown-code", "code", ~pl.col("code").is_in(list(known_codes())).fill_null(False)),
        ("bad-time", "at_ms", ~in_time["at_ms"].fill_null(False)),
        ("bad-time", "recorded_ms", ~in_time["recorded_ms"].fill_null(True)),
        (
            "no-event-id",
            "event_id",
            (pl.col("code") == "void").fill_null(False) & pl.col("event_id").is_null(),
        ),
        ("no-object", "item_id", ~named),
    ]
    for code, column, test in wrong:
        problems += _listed(code, column, frame.select(test).to_series())
    for column in ID_COLUMNS:
        bad = {one for one in frame[column].unique().drop_nulls() if not one or not is_clean(one)}
        problems += _listed("bad-id", column, frame[column].is_in(list(bad)).fill_null(False)) if bad else []
    if problems:
        raise InputError(problems)
    return frame


def _listed(code: str, column: str, mask: pl.Series) -> list[Problem]:
    message = f"{int(mask.sum()):,} rows like this."
    return [Problem(code, message, "rows", int(row) + 1, column) for row in mask.arg_true().head(LISTED_ROWS)]


def _scans(frame: pl.DataFrame) -> Iterator[_Scan]:
    """Return rows that follow each other and differ in the item only as one scan."""
    names = [name for name in frame.columns if name != "item_id"]
    before: tuple[Any, ...] | None = None
    items: dict[str, None] = {}
    for item, *rest in frame.select("item_id", *names).iter_rows():
        same = before == tuple(rest) and item is not None and items and item not in items
        if not same:
            if before is not None:
                yield _Scan(**dict(zip(names, before, strict=True)), items=tuple(items))
            before, items = tuple(rest), {}
        if item is not None:
            items[item] = None
    if before is not None:
        yield _Scan(**dict(zip(names, before, strict=True)), items=tuple(items))


def _event(scan: _Scan) -> dict[str, Any]:
    """Return a scan as an event that reads back to the same rows."""
    told = _attributes(scan)
    contains = scan.receptacle_id is not None and (bool(scan.items) or scan.code == "unpack")
    kind = "AggregationEvent" if contains else "ObjectEvent"
    native = {name: told[name] for name in _NATIVE if name in told and fits(name, told[name], kind)}
    event = _head(scan, kind, told) | _objects(scan, kind) | _what(scan, kind, native)
    wanted: list[tuple[object, ...]] = [
        (scan.event_id, item, scan.receptacle_id, scan.vehicle_id, scan.code, scan.site_id, scan.next_site_id,
         scan.at_ms, scan.recorded_ms, scan.service_class, scan.attributes)
        for item in scan.items or (None,)
    ]  # fmt: skip
    for _ in range(3):  # the code may have to be told before the rest can be compared
        found = _read_back(event)
        if found == wanted:
            return event
        event |= _told_beside(scan, found, wanted)
    raise InternalError(f"a {scan.code} event does not read back as it was.")


def _told_beside(
    scan: _Scan, found: list[tuple[object, ...]], wanted: list[tuple[object, ...]]
) -> dict[str, Any]:
    """Return the extensions that say what reading back got wrong."""
    beside = {
        "code": (scan.code, slice(4, 5)),
        "epcs": ("item" if scan.items else "receptacle", slice(1, 4)),
        "attributes": (scan.attributes, slice(10, 11)),
    }
    return {
        f"{OWN_PREFIX}:{name}": value
        for name, (value, columns) in beside.items()
        if not found or [row[columns] for row in found] != [row[columns] for row in wanted]
    }


def _attributes(scan: _Scan) -> dict[str, Any]:
    """Return the attributes as an object; empty where they are none."""
    if scan.attributes is None:
        return {}

    def no_number(word: str) -> float:
        raise ValueError(word)

    try:
        told = json.loads(scan.attributes, parse_constant=no_number)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _head(scan: _Scan, kind: str, told: dict[str, Any]) -> dict[str, Any]:
    offset = told.get("eventTimeZoneOffset")
    if not isinstance(offset, str) or not fits("eventTimeZoneOffset", offset, kind):
        offset = "+00:00"
    head: dict[str, Any] = {
        "type": kind,
        "eventTime": instant_text(scan.at_ms, offset),
        "eventTimeZoneOffset": offset,
    }
    if scan.event_id is not None:
        head["eventID"] = uri_of(scan.event_id)
    if scan.recorded_ms is not None:
        head["recordTime"] = instant_text(scan.recorded_ms)
    return head


def _objects(scan: _Scan, kind: str) -> dict[str, Any]:
    if kind == "AggregationEvent":
        parent = {"parentID": uri_of(scan.receptacle_id or "")}
        return parent | ({"childEPCs": [uri_of(item) for item in scan.items]} if scan.items else {})
    about = scan.items or ((scan.receptacle_id,) if scan.receptacle_id is not None else ())
    return {"epcList": [uri_of(one) for one in about]}


def _what(scan: _Scan, kind: str, native: dict[str, Any]) -> dict[str, Any]:
    """Return what happened, where and with what: the rest of the event."""
    action = native.pop("action", usual_action(kind, scan.code))
    if kind == "AggregationEvent" and not scan.items:
        action = "DELETE"  # the one aggregation that may go without children
    step = native.pop("bizStep", None) or usual_step(scan.code) or OWN_STEP + scan.code
    declared = native.pop("errorDeclaration", None)
    what: dict[str, Any] = {"action": action}
    if scan.code == "void":
        at_ms = scan.recorded_ms if scan.recorded_ms is not None else scan.at_ms
        what["errorDeclaration"] = declared or {"declarationTime": instant_text(at_ms)}
    if step != OWN_STEP + "void":
        what["bizStep"] = step
    if scan.site_id is not None:
        what["readPoint"] = {"id": uri_of(scan.site_id)}
    else:
        native.pop("bizLocation", None)
    others = native.pop("destinationList", [])
    if scan.next_site_id is not None:
        others = [{"type": "location", "destination": uri_of(scan.next_site_id)}, *others]
    what |= native | ({"destinationList": others} if others else {})
    if scan.vehicle_id is not None:
        what[f"{OWN_PREFIX}:vehicle"] = uri_of(scan.vehicle_id)
    if scan.service_class is not None:
        what[f"{OWN_PREFIX}:serviceClass"] = uri_of(scan.service_class)
    return what


def _read_back(event: dict[str, Any]) -> list[tuple[object, ...]]:
    reader = EventReader(EpcisRules(is_site_required=False), ProblemList(), set())
    try:
        return [row[1:] for row in reader.rows_of(1, event, _PREFIXES)]
    except RecursionError:
        return []
