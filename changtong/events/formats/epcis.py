"""Reading EPCIS 2.0 (GS1) in JSON-LD: capture documents, query documents, events and lists of events.

Nothing is fetched: prefixes are read from the contexts inside the document, the standard
context is known. The whole document is held in memory.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem, UsageError
from changtong.events.codes import known_codes
from changtong.events.formats.epcis_event import EpcisRules, EventReader, Row
from changtong.events.formats.epcis_terms import OWN, OWN_PREFIX, is_clean
from changtong.events.formats.foreign_rows import ForeignRows, ProblemList, frame_of

EXPECTED = "an EPCISDocument, an EPCISQueryDocument, an event or a list of events (EPCIS 2.0, JSON-LD)"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_epcis(source: str | Path | bytes, rules: EpcisRules | None = None) -> ForeignRows:
    """Read EPCIS 2.0 events as rows of the scan log.

    Each object of an event (`epcList`, `childEPCs`, input and output lists) gives a row; parents
    are receptacles. An error declaration gives ``void`` rows for the event it declares wrong.
    What has no column (disposition, sensor readings, quantities, parties ...) stands in
    ``attributes`` by the names of EPCIS. Extension fields are left out unless asked for.

    Parameters
    ----------
    source : path or bytes
        The document.
    rules : EpcisRules, optional
        Which identifiers are receptacles or vehicles, which extensions to keep.

    Raises
    ------
    InputError
        The document is not JSON or not EPCIS. Faults of single events are in ``problems``.
    UsageError
        A business step is given a code that does not exist.

    Examples
    --------
    >>> event = b'''{"type": "ObjectEvent", "action": "OBSERVE", "bizStep": "departing",
    ... "eventTime": "2022-06-17T08:00:00+08:00", "eventTimeZoneOffset": "+08:00",
    ... "epcList": ["urn:epc:id:sscc:0614141.1234567890"],
    ... "readPoint": {"id": "urn:epc:id:sgln:0614141.00777.0"}}'''
    >>> read_epcis(event).rows["code"].to_list()
    ['depart']
    """
    content, name = (source, "document") if isinstance(source, bytes) else _content(Path(source))
    rules = rules or EpcisRules()
    unknown = sorted(set(rules.business_steps.values()) - known_codes())
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no code of the scan log: {', '.join(sorted(known_codes()))}.")
    text = _decoded(content, name)
    document, any_twice = _parsed(text, name)
    events, outer = _events(document, name)
    problems = ProblemList()
    reader = EventReader(rules, problems, set())
    may_have_surrogates = _SURROGATE.search(text) is not None
    rows: list[Row] = []
    for number, event in enumerate(events, 1):
        if may_have_surrogates and _has_half_pairs(event):
            problems.add(number, None, "bad-text")
            continue
        prefixes = outer | _prefixes(event) if isinstance(event, dict) and "@context" in event else outer
        try:
            if any_twice and _is_twice_named(event):
                problems.add(number, None, "twice-named")
            rows += reader.rows_of(number, event, prefixes)
        except RecursionError:  # nested deeper than any event that means something
            problems.add(number, None, "bad-event")
    return ForeignRows(frame_of(rows), problems.frame(), len(events), tuple(sorted(reader.dropped)))


def _content(path: Path) -> tuple[bytes, str]:
    try:
        return path.read_bytes(), path.name
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file"
        raise InputError([Problem("unreadable-file", f"{reason}.", path.name, expected=EXPECTED)]) from error


def _decoded(content: bytes, name: str) -> str:
    """Return the text of a document in UTF-8, UTF-16 or UTF-32, with or without byte order mark."""
    try:
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except UnicodeError as error:
        message = f"the text cannot be decoded: {getattr(error, 'reason', error)}."
        raise InputError([Problem("bad-encoding", message, name, expected="UTF-8")]) from error


class _TwiceNamed(dict[str, Any]):
    """A JSON object in which a name stands twice."""


def _parsed(text: str, name: str) -> tuple[Any, bool]:
    """Return the JSON of a document, and whether a name stands twice in any object of it."""
    any_twice = False

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal any_twice
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        any_twice = True
        return _TwiceNamed(found)

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise ValueError("a number is too large")
        return number

    def no_number(word: str) -> float:
        raise ValueError(f"{word} is no number")

    try:
        parsed = json.loads(text, object_pairs_hook=once, parse_float=finite, parse_constant=no_number)
        return parsed, any_twice
    except RecursionError:
        reason = "the JSON is nested too deep"
    except ValueError as error:  # msg: no part of the document is quoted
        reason = str(getattr(error, "msg", error))
    hint = "EPCIS in XML is not read; EPCIS 2.0 can be had as JSON-LD." if text.lstrip()[:1] == "<" else ""
    raise InputError(
        [
            Problem(
                "unreadable-file", f"the JSON cannot be read: {reason}.", name, expected=EXPECTED, hint=hint
            )
        ]
    )


def _events(document: Any, name: str) -> tuple[list[Any], dict[str, str]]:
    """Return the events of a document and the prefixes of its context."""
    if isinstance(document, list):
        return document, _prefixes({})
    kind = document.get("type", document.get("@type")) if isinstance(document, dict) else None
    events: Any = None
    if kind == "EPCISDocument":
        events = _inside(document, "epcisBody", "eventList")
        events = _inside(document, "epcisBody", "event") if events is None else events
    elif kind == "EPCISQueryDocument":
        events = _inside(document, "epcisBody", "queryResults", "resultsBody", "eventList")
    elif kind is not None and "eventTime" in document:
        events = [document]
    events = [events] if isinstance(events, dict) else events
    if not isinstance(events, list):
        message = "the document holds no list of events."
        raise InputError([Problem("not-epcis", message, name, expected=EXPECTED)])
    return events, _prefixes(document)


def _inside(value: Any, *names: str) -> Any:
    """Return what lies under names inside each other; an object with a name twice leads nowhere."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) and not isinstance(value, _TwiceNamed) else None
    return value


def _is_twice_named(value: Any) -> bool:
    if isinstance(value, dict):
        return isinstance(value, _TwiceNamed) or any(map(_is_twice_named, value.values()))
    return isinstance(value, list) and any(map(_is_twice_named, value))


def _prefixes(holder: Mapping[str, Any]) -> dict[str, str]:
    """Return prefix -> name space of a context's inline parts; our own prefix is always known."""
    context = holder.get("@context", [])
    parts: Iterable[Any] = context if isinstance(context, list) else [context]
    found = {
        prefix: space
        for part in parts
        if isinstance(part, dict)
        for prefix, space in part.items()
        if isinstance(space, str) and is_clean(space)
    }
    return {OWN_PREFIX: OWN} | found


def _has_half_pairs(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        return True
    return False
