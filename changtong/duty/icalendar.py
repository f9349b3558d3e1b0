"""Duties as iCalendar (RFC 5545): lines end in CRLF and are folded at 75 octets, never within a letter."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from changtong.duty.staff import Assignment, DutyFolder, hours_of

OCTETS = 75
PRODUCT = "-//Changtong//Duty roster//EN"


def roster_calendar(
    folder: DutyFolder,
    assignments: Sequence[Assignment],
    *,
    made_at: datetime,
    person_id: str | None = None,
    language: str = "zh",
) -> str:
    """Return a calendar of duties, of one person or of all.

    An event's UID follows from day, shift, post and person: the same duty in a later one is the same event.
    Names stand in the calendar of all only; no telephone number does.

    Parameters
    ----------
    folder : DutyFolder
    assignments : sequence of Assignment
    made_at : datetime
        With its zone.
    person_id : str, optional
    language : {"zh", "en"}
    """
    rows = sorted(row for row in assignments if person_id in (None, row.person_id))
    names = {one.person_id: one.name for one in folder.people}
    title = folder.name if person_id is None else f"{folder.name} {names.get(person_id, person_id)}"
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", "METHOD:PUBLISH",
        f"X-WR-CALNAME:{escape(title)}",
    ]  # fmt: skip
    if rows:
        lines += zone_lines(folder.zone, rows[0].day, rows[-1].day)
    stamp = made_at.astimezone(UTC)
    for row in rows:
        who = names.get(row.person_id, row.person_id) if person_id is None else ""
        lines += _event(folder, row, stamp, who, language)
    lines.append("END:VCALENDAR")
    return "".join(fold(line) for line in lines)


def _event(folder: DutyFolder, row: Assignment, stamp: datetime, who: str, language: str) -> list[str]:
    shift = folder.shift(row.shift_id)
    post = next(one for one in folder.posts if (one.post_id, one.shift_id) == (row.post_id, row.shift_id))
    names = (post.name_zh, shift.name_zh) if language == "zh" else (post.name_en, shift.name_en)
    begin, end = hours_of(shift, row.day, folder.zone)
    key = "\n".join((str(row.day), row.shift_id, row.post_id, row.person_id, str(folder.zone)))
    said = " ".join(dict.fromkeys(filter(None, (who, *names))))
    zone = folder.zone.key
    return [
        "BEGIN:VEVENT",
        f"UID:{hashlib.sha256(key.encode()).hexdigest()[:32]}@changtong",
        f"DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}",
        f"DTSTART;TZID={zone}:{begin:%Y%m%dT%H%M%S}",
        f"DTEND;TZID={zone}:{end:%Y%m%dT%H%M%S}",
        f"SUMMARY:{escape(said)}",
        "TRANSP:OPAQUE",
        "END:VEVENT",
    ]


def escape(text: str) -> str:
    r"""Return a text value: backslash, semicolon, comma and line ends escaped, control signs left out.

    Examples
    --------
    >>> print(escape("值班; 夜,\n二"))
    值班\; 夜\,\n二
    """
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    text = text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")
    return "".join(letter for letter in text if letter >= " " and letter != "\x7f")


def fold(line: str) -> str:
    """Return a content line, folded, with its line end.

    Parameters
    ----------
    line : str

    Examples
    --------
    >>> [len(part.encode()) for part in fold("X:" + "值" * 40).split("\\r\\n")]
    [74, 49, 0]
    """
    parts, room, size, begin = [], OCTETS, 0, 0
    for place, letter in enumerate(line):
        octets = len(letter.encode())
        if size + octets > room:
            parts.append(line[begin:place])
            begin, size, room = place, 0, OCTETS - 1  # the space that begins a further line counts
        size += octets
    parts.append(line[begin:])
    return "\r\n ".join(parts) + "\r\n"


def zone_lines(zone: ZoneInfo, first: date, last: date) -> list[str]:
    """Return a VTIMEZONE that is right from a day before the first day to some days after the last one.

    Parameters
    ----------
    zone : ZoneInfo
    first, last : date
    """
    at = datetime.combine(first - timedelta(days=2), datetime.min.time(), UTC)
    end = datetime.combine(last + timedelta(days=6), datetime.min.time(), UTC)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone.key}"]
    before = _offset(at, zone)
    lines += _observance(at.astimezone(zone).replace(tzinfo=None), before, before, at.astimezone(zone))
    for step in _changes(zone, at, end):
        now = _offset(step, zone)
        wall = (step + before).replace(tzinfo=None)  # by the clock as it was just before
        lines += _observance(wall, before, now, step.astimezone(zone))
        before = now
    return [*lines, "END:VTIMEZONE"]


def _changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterable[datetime]:
    """Yield the instants, to the minute, at which the offset changes."""
    at = begin
    while at < end:
        after = at + timedelta(hours=6)
        if _offset(at, zone) != _offset(after, zone):
            low, high = at, after
            while high - low > timedelta(minutes=1):
                middle = low + timedelta(minutes=int((high - low).total_seconds() // 120))
                low, high = (middle, high) if _offset(middle, zone) == _offset(at, zone) else (low, middle)
            yield high
        at = after


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _observance(wall: datetime, before: timedelta, now: timedelta, local: datetime) -> list[str]:
    kind = "DAYLIGHT" if local.dst() else "STANDARD"
    return [
        f"BEGIN:{kind}", f"DTSTART:{wall:%Y%m%dT%H%M%S}", f"TZOFFSETFROM:{_utc(before)}",
        f"TZOFFSETTO:{_utc(now)}", f"TZNAME:{escape(local.tzname() or 'local')}", f"END:{kind}",
    ]  # fmt: skip


def _utc(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
