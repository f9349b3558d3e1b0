"""Warnings in the Common Alerting Protocol, version 1.2 (OASIS, 1 July 2010), read with every problem told.

A message is foreign data: no document type, no entities, no outside files are read from it, and its size
is bounded. A value outside the standard's lists is an error, an unknown element is passed over.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element

from changtong.emergency.message_xml import UnreadableXmlError, parse_xml
from changtong.errors import InputError, Problem

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
END_OF_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})T24:00(?::00(?:\.0+)?)?(.*)")
FIRST_YEAR, LAST_YEAR = 1900, 9998
"""Instants before are slips of the pen; later ones, as for "until further notice", become the last."""

LARGEST_BYTES = 5_000_000
"""Of one message; with the polygons of a large river basin some 200,000."""

VALUES = {
    "status": ("Actual", "Exercise", "System", "Test", "Draft"),
    "msgType": ("Alert", "Update", "Cancel", "Ack", "Error"),
    "scope": ("Public", "Restricted", "Private"),
    "category": (
        "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE",
        "Other",
    ),
    "responseType": (
        "Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None",
    ),
    "urgency": ("Immediate", "Expected", "Future", "Past", "Unknown"),
    "severity": ("Extreme", "Severe", "Moderate", "Minor", "Unknown"),
    "certainty": ("Observed", "Likely", "Possible", "Unlikely", "Unknown"),
}  # fmt: skip
"""Words of the standard; certainty ``Very Likely`` of version 1.0 counts as ``Likely``, as it asks."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Area:
    """A part of the earth a warning is for.

    Attributes
    ----------
    description : str
    polygons : tuple of rings
        Each a closed ring of (lon, lat), degrees.
    circles : tuple of (lon, lat, radius in km)
    geocodes : tuple of (name of the list, code)
    holes : tuple of rings
        Parts of the polygons that do not belong to it. Messages have none; polygons of other files do.
    altitude_ft : float or None
        Height above the sea from which on it counts, feet.
    """

    description: str
    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()
    holes: tuple[tuple[Point, ...], ...] = ()
    altitude_ft: float | None = None


@dataclass(frozen=True)
class Info:
    """What a message says, in one language.

    Instants have the zone they came with; ``effective``, ``onset`` and ``expires`` are None where not given.
    ``parameters`` and ``event_codes`` are pairs of a list's name and a value; ``responses`` are words of the
    standard (``AllClear``: the danger is over).
    """

    language: str
    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    event_codes: tuple[tuple[str, str], ...] = ()
    responses: tuple[str, ...] = ()
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, order=True)
class Key:
    """What names a message: its sender, its identifier, and when it was sent."""

    sender: str
    identifier: str
    sent: datetime


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    key : Key
    status, kind, scope : str
        Words of the standard; ``kind`` is its msgType.
    references : tuple of Key
        Messages it updates, cancels or answers.
    infos : tuple of Info
        One a language, or several events.
    note : str
    file : str
        Where it was read.
    is_signed : bool
        Whether it has a signature, which nobody has verified.
    """

    key: Key
    status: str
    kind: str
    scope: str
    references: tuple[Key, ...] = ()
    infos: tuple[Info, ...] = ()
    note: str = ""
    file: str = ""
    is_signed: bool = False


@dataclass
class _Reader:
    """One message on its way in; what is wrong is gathered."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, code: str, text: str, column: str, expected: str) -> None:
        self.problems.append(Problem(code, text, self.file, None, column, expected))

    def text(self, element: Element, name: str, *, needed: bool = False) -> str:
        every = _all(element, name)
        if len(every) > 1:
            message = f"<{name}> is there {len(every)} times in <{_short(element)}>."
            self.wrong("repeated-element", message, name, "once")
        found = (every[0].text or "").strip() if every else ""
        if found:
            return found
        if needed:
            self.wrong("missing-element", f"No <{name}> in <{_short(element)}>.", name, "a value")
        return ""

    def word(self, element: Element, name: str) -> str:
        found = self.text(element, name, needed=True)
        if name == "certainty" and found == "Very Likely":
            return "Likely"
        if found and found not in VALUES[name]:
            self.wrong("unknown-value", f"<{name}> is {found[:80]!r}.", name, ", ".join(VALUES[name]))
        return found

    def words(self, element: Element, name: str) -> tuple[str, ...]:
        found = tuple((one.text or "").strip() for one in _all(element, name))
        for one in found:
            if one not in VALUES[name]:
                self.wrong("unknown-value", f"<{name}> is {one[:80]!r}.", name, ", ".join(VALUES[name]))
        return found

    def instant(self, element: Element, name: str, *, needed: bool = False) -> datetime | None:
        found = self.text(element, name, needed=needed)
        return self.instant_of(found, name) if found else None

    def instant_of(self, text: str, name: str) -> datetime | None:
        read = _read_instant(text)
        if read is None or read.tzinfo is None:
            expected = "an instant with its zone, as 2026-07-20T08:00:00+08:00"
            self.wrong("bad-time", f"<{name}> is {text[:80]!r}.", name, expected)
            return None
        if read.year < FIRST_YEAR:
            self.wrong("bad-time", f"<{name}> is {text!r}.", name, f"a time after {FIRST_YEAR}")
            return None
        return read if read.year <= LAST_YEAR else datetime(LAST_YEAR, 12, 31, tzinfo=UTC)


def _read_instant(text: str) -> datetime | None:
    """Return an instant, or None. XML has 24:00:00 for the end of a day, which Python 3.11 does not read."""
    at_end = END_OF_DAY.fullmatch(text)
    try:
        if at_end is not None:
            return datetime.fromisoformat(f"{at_end[1]}T00:00:00{at_end[2]}") + timedelta(days=1)
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None


def read_cap(source: Path | bytes, file: str = "") -> Message:
    """Read one message.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    file : str
        What problems call it; the file's name by default.

    Returns
    -------
    Message

    Raises
    ------
    InputError
        All that is wrong: ``unreadable-file``, ``too-large``, ``bad-xml`` (no XML, or one with a document
        type or entities), ``other-version``, ``missing-element``, ``unknown-value``, ``bad-time``,
        ``bad-polygon``, ``bad-circle``, ``bad-reference``, ``repeated-element``.

    Examples
    --------
    >>> from datetime import datetime
    >>> from changtong.emergency.cap import NAMESPACE, read_cap
    >>> text = f'''<alert xmlns="{NAMESPACE}"><identifier>1</identifier><sender>a@b.cn</sender>
    ... <sent>2026-07-20T08:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType>
    ... <scope>Public</scope></alert>'''
    >>> read_cap(text.encode()).key.sent.hour
    8
    """
    if isinstance(source, Path):
        file = file or source.name
        try:
            with source.open("rb") as opened:
                source = opened.read(LARGEST_BYTES + 1)
        except OSError as error:
            raise _one(file, "unreadable-file", f"{error.strerror}.", "a CAP message") from error
    if len(source) > LARGEST_BYTES:
        raise _one(file, "too-large", "It is too large for a message.", f"at most {LARGEST_BYTES:,} bytes")
    try:
        root = parse_xml(source)
    except UnreadableXmlError as error:
        raise _one(file, "bad-xml", str(error), error.expected) from None
    return read_alert(root, file)


def read_alert(root: Element, file: str = "") -> Message:
    """Read a message out of XML that is parsed already, as it stands in a feed.

    Parameters
    ----------
    root : Element
        Of the message.
    file : str
        What problems call it.

    Raises
    ------
    InputError
        As :func:`read_cap`.
    """
    if root.tag != f"{{{NAMESPACE}}}alert":
        raise _one(file, "other-version", f"It begins with {root.tag[:80]!r}.", f"<alert> of {NAMESPACE}")
    reader = _Reader(file)
    found = _message(reader, root)
    if reader.problems or found is None:
        raise InputError(reader.problems)
    return found


def _one(file: str, code: str, text: str, expected: str) -> InputError:
    return InputError([Problem(code, text, file or None, expected=expected)])


def _short(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: Element, name: str) -> list[Element]:
    return element.findall(f"{{{NAMESPACE}}}{name}")


def _message(reader: _Reader, root: Element) -> Message | None:
    sender, identifier = (reader.text(root, name, needed=True) for name in ("sender", "identifier"))
    sent = reader.instant(root, "sent", needed=True)
    status, kind, scope = (reader.word(root, name) for name in ("status", "msgType", "scope"))
    references = _references(reader, reader.text(root, "references"))
    if kind in ("Update", "Cancel") and not references and not reader.problems:
        text = f"A message of type {kind} refers to none."
        reader.wrong("missing-element", text, "references", "sender,identifier,sent of those it is about")
    infos = tuple(_info(reader, element) for element in _all(root, "info"))
    if sent is None:
        return None
    note = reader.text(root, "note")
    signed = root.find(SIGNATURE) is not None
    return Message(
        Key(sender, identifier, sent), status, kind, scope, references, infos, note, reader.file, signed
    )


def _references(reader: _Reader, text: str) -> tuple[Key, ...]:
    found = []
    for one in text.split():
        parts = one.rsplit(",", 2)
        sent = reader.instant_of(parts[2], "references") if len(parts) == 3 else None
        if len(parts) != 3:
            reader.wrong(
                "bad-reference", f"{one[:80]!r} names no message.", "references", "sender,identifier,sent"
            )
        elif sent is not None:
            found.append(Key(parts[0], parts[1], sent))
    return tuple(found)


def _info(reader: _Reader, element: Element) -> Info:
    categories = reader.words(element, "category")
    if not categories:
        reader.wrong("missing-element", "No <category> in <info>.", "category", "a value")
    times = {name: reader.instant(element, name) for name in ("effective", "onset", "expires")}
    return Info(
        language=reader.text(element, "language") or "en-US",
        categories=categories,
        event=reader.text(element, "event", needed=True),
        urgency=reader.word(element, "urgency"),
        severity=reader.word(element, "severity"),
        certainty=reader.word(element, "certainty"),
        sender_name=reader.text(element, "senderName"),
        headline=reader.text(element, "headline"),
        description=reader.text(element, "description"),
        instruction=reader.text(element, "instruction"),
        parameters=_named(reader, element, "parameter"),
        event_codes=_named(reader, element, "eventCode"),
        responses=reader.words(element, "responseType"),
        areas=tuple(_area(reader, one) for one in _all(element, "area")),
        **times,
    )


def _named(reader: _Reader, element: Element, name: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (reader.text(one, "valueName", needed=True), reader.text(one, "value")) for one in _all(element, name)
    )


def _area(reader: _Reader, element: Element) -> Area:
    rings = [_ring(reader, words) for words in _said(element, "polygon")]
    circles = [_circle(reader, words) for words in _said(element, "circle")]
    return Area(
        description=reader.text(element, "areaDesc", needed=True),
        polygons=tuple(ring for ring in rings if ring is not None),
        circles=tuple(circle for circle in circles if circle is not None),
        geocodes=_named(reader, element, "geocode"),
        altitude_ft=_feet(reader, element),
    )


def _said(element: Element, name: str) -> list[list[str]]:
    """Return the words of each element of a name; an empty one says nothing and is passed over."""
    return [words for one in _all(element, name) if (words := (one.text or "").split())]


def _feet(reader: _Reader, element: Element) -> float | None:
    text = reader.text(element, "altitude")
    try:
        return float(text) if text else None
    except ValueError:
        reader.wrong("unknown-value", f"<altitude> is {text[:80]!r}.", "altitude", "feet above the sea")
        return None


def _point(text: str) -> Point | None:
    """Return (lon, lat) of the standard's ``lat,lon``, or None where it is no place."""
    parts = text.split(",")
    try:
        lat, lon = (float(part) for part in parts)
    except ValueError:
        return None
    inside = math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90.0 and abs(lon) <= 180.0
    return (lon, lat) if inside else None


def _ring(reader: _Reader, words: list[str]) -> tuple[Point, ...] | None:
    points = [_point(word) for word in words]
    bad = [word for word, point in zip(words, points, strict=True) if point is None]
    expected = "at least four pairs lat,lon, the last as the first"
    if bad:
        reader.wrong("bad-polygon", f"{bad[0][:80]!r} is no place.", "polygon", expected)
        return None
    ring = tuple(point for point in points if point is not None)
    if len(ring) < 4 or ring[0] != ring[-1]:
        text = f"{len(ring)} pairs" + (", not closed." if len(ring) >= 4 else ".")
        reader.wrong("bad-polygon", text, "polygon", expected)
        return None
    return ring


def _circle(reader: _Reader, words: list[str]) -> tuple[float, float, float] | None:
    try:
        place, radius = (_point(words[0]), float(words[1])) if len(words) == 2 else (None, math.nan)
    except ValueError:
        place, radius = None, math.nan
    if place is None or not 0.0 <= radius <= 20_100.0:
        text = f"{' '.join(words)[:80]!r} is no circle."
        reader.wrong("bad-circle", text, "circle", "lat,lon and a radius in kilometres")
        return None
    return (*place, radius)
