"""Events as they come in: read and checked at the door by the rules of the scan log, all problems at once.

What passes is written as one plain form, whose rows the log's own ingest takes without a further question:
nothing that was accepted is set aside later. Problems name row, column and code, and never quote a value.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from changtong.errors import InputError, Problem
from changtong.events.convert import Converter, Parsed
from changtong.events.foreign_source import COLUMNS, FOREIGN
from changtong.events.formats.epcis import read_epcis
from changtong.events.formats.foreign_rows import REASONS
from changtong.events.mapping import FIELDS, Mapping
from changtong.events.sources import Chunk, text_of

MOST_EVENTS = 10_000
"""Of one request."""

FIELDS_OF_SPOOL = tuple(COLUMNS)
"""Columns of a spool file, in order; instants in milliseconds. An empty one follows."""

SPOOL_MAPPING = Mapping(
    {name: name for name in FIELDS_OF_SPOOL},
    time_format="epoch_ms",
    check_s10=False,
    site_needed=False,
    keep_damaged=True,
    id_needed=False,
)
"""How the log's ingest reads a spool file: as laxly as it reads other checked rows."""

MESSAGES = {
    "bad-id": "An id has characters that no id has.",
    "bad-event-object": "An event is an object of names and texts.",
    "bad-text": "The text has characters that no name has.",
    "no-code": "There is no code.",
    "no-id": "Neither an item, a receptacle nor a vehicle is named.",
    "no-site": "There is no site.",
    "no-time": "There is no time.",
    "no-time-zone": "The time has no zone, and the request names none (time_zone).",
    "s10-check-digit": "The check digit of an S10 number is wrong.",
    "time-out-of-range": "The time lies before 1990, or after tomorrow.",
    "unknown-code": "This code is not known; a word of a code list (docs/scan-formats.md) was expected.",
    "unknown-column": "An event has no such field.",
    "wrong-type": "Text was expected; attributes are an object.",
}


@dataclass(frozen=True)
class Checked:
    """What a request brought.

    Attributes
    ----------
    body : bytes
        Good rows in the form of the spool.
    rows : int
        How many these are.
    read : int
        Rows or events in the request.
    bad : tuple of Problem
        One for each row that is not among the good ones, in order.
    bad_rows : int
    noticed : dict
        Of rows that were kept: code to how often.
    """

    body: bytes
    rows: int
    read: int
    bad: tuple[Problem, ...]
    bad_rows: int
    noticed: dict[str, int]


def check_events(body: bytes, key: bytes, time_zone: str | None = None) -> Checked:
    """Check events with the columns of the log: a JSON array, or a JSON object in each line.

    Parameters
    ----------
    body : bytes
        UTF-8.
    key : bytes
        Of the log's pseudonyms.
    time_zone : str, optional
        Of times that name none.

    Raises
    ------
    InputError
        It is no such list at all, or too long.
    """
    events, bad = _events(body)
    columns: dict[str, list[str]] = {name: [] for name in (*FIELDS, "attributes")}
    numbers: list[int] = []
    for number, event in enumerate(events, 1):
        if event is None:  # a line that cannot be read: told already
            continue
        wrong = _wrong_of(number, event)
        if wrong:
            bad += wrong
            continue
        numbers.append(number)
        for name in FIELDS:
            columns[name].append((event.get(name) or "").strip(" \t"))
        told = event.get("attributes")
        columns["attributes"].append(
            json.dumps(told, ensure_ascii=False, separators=(",", ":")) if told else ""
        )
    mapping = Mapping({name: name for name in columns}, time_zone=time_zone)
    return _checked(columns, numbers, len(events), mapping, key, bad, {})


def check_epcis(body: bytes, key: bytes) -> Checked:
    """Check a document of EPCIS 2.0; a row is an event.

    Parameters
    ----------
    body : bytes
        JSON-LD.
    key : bytes
        Of the log's pseudonyms.

    Raises
    ------
    InputError
        It is no such document, or too long.
    """
    found = read_epcis(body)
    if found.read_count > MOST_EVENTS:
        raise _too_many(found.read_count)
    kept = set(found.rows["row"].to_list())
    bad: list[Problem] = []
    noticed: dict[str, int] = {}
    for row, column, code, _ in found.problems.iter_rows():
        if row in kept:
            noticed[code] = noticed.get(code, 0) + 1
        else:
            bad.append(Problem(code, REASONS.get(code, code), row=int(row), column=column))
    columns = {
        field: ["" if value is None else str(value) for value in found.rows[name].to_list()]
        for field, name in COLUMNS.items()
    }
    numbers = [int(row) for row in found.rows["row"].to_list()]
    return _checked(columns, numbers, found.read_count, FOREIGN, key, bad, noticed)


def _events(body: bytes) -> tuple[list[Any], list[Problem]]:
    """Return events by number, None for lines that are none, and what is wrong with those."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = Problem("bad-encoding", "The request is not UTF-8.", expected="UTF-8")
        raise InputError([problem]) from None
    events: list[Any] = []
    bad: list[Problem] = []
    if text.lstrip()[:1] == "[":
        try:
            events = json.loads(text)
        except (ValueError, RecursionError) as error:
            message = f"The JSON cannot be read: {getattr(error, 'msg', 'nested too deep')}."
            raise InputError([Problem("bad-json", message, expected="an array of events")]) from None
    else:
        for line in text.split("\n"):
            if not line.strip():
                continue
            try:
                events.append(json.loads(line))
            except (ValueError, RecursionError):
                events.append(None)
                row = len(events)
                bad.append(Problem("bad-json", "This line is no JSON.", row=row, expected="an object"))
    if not events:
        problem = Problem("missing-value", "There is no event.", expected="an array, or a line for each")
        raise InputError([problem])
    if len(events) > MOST_EVENTS:
        raise _too_many(len(events))
    if bad:
        return events, bad
    for number, event in enumerate(events, 1):
        if event is None:
            bad.append(Problem("bad-event-object", MESSAGES["bad-event-object"], row=number))
    return events, bad


def _too_many(count: int) -> InputError:
    message = f"The request has {count:,} events."
    return InputError([Problem("too-large", message, expected=f"{MOST_EVENTS:,} at most")])


def _wrong_of(number: int, event: Any) -> list[Problem]:
    """Return what is wrong with the shape of an event."""
    if not isinstance(event, dict):
        return [Problem("bad-event-object", MESSAGES["bad-event-object"], row=number)]
    wrong = []
    for name, value in event.items():
        if name == "attributes":
            is_object = value is None or (isinstance(value, dict) and _can_be_written(value))
            code = "" if is_object else "wrong-type"
        elif name not in FIELDS:
            # the name may be anything, even personal: it is not quoted
            wrong.append(Problem("unknown-column", MESSAGES["unknown-column"], row=number,
                                 expected=", ".join((*FIELDS, "attributes"))))  # fmt: skip
            continue
        elif value is None:
            continue
        else:
            code = "" if _can_be_written(value) else "bad-text"
            code = code if isinstance(value, str) else "wrong-type"
        if code:
            wrong.append(Problem(code, MESSAGES[code], row=number, column=name))
    return wrong


def _can_be_written(value: Any) -> bool:
    """Return whether a value has neither half characters nor NUL, and is JSON that all can read."""
    if isinstance(value, str):
        if value.isascii():
            return "\0" not in value
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError):
            return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text and "\\u0000" not in text


def _checked(
    columns: dict[str, list[str]], numbers: Sequence[int], read: int, mapping: Mapping, key: bytes,
    bad: list[Problem], noticed: dict[str, int],
) -> Checked:  # fmt: skip
    """Let the log's own converter look at rows; return the good ones in the form of the spool."""
    body, rows = b"", 0
    if numbers:
        # the converter wants each row's own place; a number may stand for several rows of one event
        places = np.arange(len(numbers), dtype=np.int64)
        texts = {name: text_of(pa.array(values, pa.large_string())) for name, values in columns.items()}
        converter = Converter(mapping, key[:16])
        parsed = converter.parse(Chunk(texts, places, [], 1.0))
        _, wrong = converter.rows(parsed)
        for one in wrong:
            message = MESSAGES.get(one.code, REASONS.get(one.code, "This value cannot be read."))
            bad.append(Problem(one.code, message, row=numbers[one.row], column=one.column or None))
        bad_places = {one.row for one in wrong}
        columns = columns | {"at": parsed.at_ms.tolist(), "recorded_at": _recorded(parsed)}
        good = zip(*(columns[name] for name in FIELDS_OF_SPOOL), itertools.repeat(""))
        kept = [row for place, row in enumerate(good) if place not in bad_places] if wrong else list(good)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(kept)
        body, rows = text.getvalue().encode(), len(kept)
    order = sorted(bad, key=lambda one: (one.row or 0, one.column or ""))
    return Checked(body, rows, read, tuple(order), len({one.row for one in bad}), noticed)


def _recorded(parsed: Parsed) -> list[Any]:
    """Return when rows were recorded; empty where that is not told."""
    if parsed.recorded_ms is None or parsed.recorded is None:
        return [""] * len(parsed.at_ms)
    told = zip(parsed.recorded_ms.tolist(), parsed.recorded.tolist(), strict=True)
    return [ms if is_told else "" for ms, is_told in told]
