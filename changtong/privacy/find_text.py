"""Personal data in a text: every find with its kind, place, confidence and the rule it fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from changtong.privacy.digit_runs import runs_of
from changtong.privacy.find_addresses import addresses
from changtong.privacy.find_names import names_beside
from changtong.privacy.find_numbers import has_label, numbers
from changtong.privacy.spans import HIGH, Spans, spans_in_rows, together, without_overlaps
from changtong.privacy.text_signs import TextSigns
from changtong.privacy.words import words

PART = 1 << 20
"""Bytes looked at together, up to the end of a line."""

Found = tuple[str, str, int, int]
"""Confidence, rule, start and end."""

_EMAIL = re.compile(
    rb"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,80}\.([A-Za-z]{2,24})(?![\w@-])"
)
_NO_DOMAINS = frozenset(
    (b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"css", b"js", b"mjs", b"ts", b"json", b"html")
)
_WIDE = re.compile("[０-９＋－　ａ-ｚＡ-Ｚ＠．（）]")
_NARROW = {0xFF01 + k: 0x21 + k for k in range(94)} | {0x3000: 0x20}
_PLATE_BODY = r"(?:[DF][A-HJ-NP-Z0-9]\d{4}|\d{5}[DF]|[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳])"


def narrow(text: str) -> str:
    """Return a text with full-width letters, digits and signs as the usual ones.

    Examples
    --------
    >>> narrow("１３８－００１３－８０００")
    '138-0013-8000'
    """
    return text.translate(_NARROW) if _WIDE.search(text) else text


def find_in_text(raw: bytes, header: str = "") -> Spans:
    """Return what is personal in a text, in order of place; nothing overlaps.

    Parameters
    ----------
    raw : bytes
        UTF-8; a byte that is none is a sign that nothing begins or ends with.
    header : str
        Header of the column it comes from: what its words say counts for every value.

    Examples
    --------
    >>> [(span.kind, span.confidence, span.rule) for span in find_in_text("电话 13800138000".encode())]
    [('phone', 'high', 'mobile')]
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = _BROKEN.sub("\x1a", raw.decode("utf-8", "surrogateescape"))
        raw = text.encode()
    if b"\xef\xbc" in raw and _WIDE.search(text):
        return _of_wide(text, header)
    return _of_narrow(raw, header)


_BROKEN = re.compile("[\udc80-\udcff]")


def _of_wide(text: str, header: str) -> Spans:
    """Find in a text with full-width signs as if they were the usual ones; the places are those of the text.

    A narrow sign takes one byte instead of three: places are counted in signs, and those are the same.
    """
    slim = narrow(text)
    spans = _of_narrow(slim.encode(), header)
    ends, slim_ends = _ends(text), _ends(slim)
    return replace(
        spans,
        start=ends[np.searchsorted(slim_ends, spans.start)],
        end=ends[np.searchsorted(slim_ends, spans.end)],
    )


def _ends(text: str) -> NDArray[np.int64]:
    """Return where in UTF-8 each sign begins, and where the last one ends."""
    signs = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    sizes = 1 + (signs >= 0x80) + (signs >= 0x800) + (signs >= 0x10000)
    return np.concatenate([[0], np.cumsum(sizes)])


def _of_narrow(raw: bytes, header: str) -> Spans:
    """Find in a text part by part: no find goes over a line, and small arrays stay near the processor."""
    parts: list[Spans] = []
    told, at = header.lower(), 0
    while at < len(raw) or not parts:
        stop = raw.find(b"\n", at + PART) + 1 or len(raw)
        found = _of_lines(raw[at:stop], told)
        start, end = found.start + at, found.end + at
        parts.append(replace(found, raw=raw, start=start, end=end, raw_start=start, raw_end=end))
        at = stop
    return together(parts)


def _of_lines(raw: bytes, told: str) -> Spans:
    runs, signs = runs_of(raw), TextSigns(raw)
    parts = numbers(raw, runs, told)
    parts.append(spans_in_rows(raw, "email", [*_emails(raw)]))
    parts.append(spans_in_rows(raw, "plate", [*_plates(raw)]))
    parts.append(spans_in_rows(raw, "passport", [*_passports(raw, told)]))
    parts.append(addresses(signs, runs, told))
    spans = without_overlaps(together(parts))
    names = names_beside(signs, spans, told)
    return without_overlaps(together([spans, names])) if len(names) else spans


def _emails(raw: bytes) -> Iterator[Found]:
    at = raw.find(b"@")
    while at >= 0:
        begin = max(0, at - 65)
        first = at
        while first > begin and (raw[first - 1 : first].isalnum() or raw[first - 1] in b"._%+-"):
            first -= 1
        while first < at and not raw[first : first + 1].isalnum():
            first += 1
        found = _EMAIL.match(raw, first)
        if found and first < at and found[1].lower() not in _NO_DOMAINS:
            yield HIGH, "email", found.start(), found.end()
            at = raw.find(b"@", found.end())
        else:
            at = raw.find(b"@", at + 1)


@cache
def _plate_form() -> re.Pattern[str]:
    return re.compile(rf"[{words()['plates']['provinces']}][A-Z] ?[·.・-]? ?{_PLATE_BODY}(?![0-9A-Za-z])")


def _plates(raw: bytes) -> Iterator[Found]:
    """Return licence plates: looked for at capital letters right after a Chinese character only."""
    data = np.frombuffer(raw, np.uint8)
    capital = (data[1:] - np.uint8(65)) < 26
    for at in np.flatnonzero(capital & (data[:-1] >= 128)).tolist():
        begin = at - 2
        if begin < 0:
            continue
        found = _plate_form().match(raw[begin : at + 24].decode("utf-8", "ignore"))
        if found and sum(sign.isdigit() for sign in found[0]) >= 2:
            yield HIGH, "plate", begin, begin + len(found[0].encode())


_PASSPORT = re.compile(rb"(?<![A-Za-z0-9])[A-Z][A-Z0-9]\d{7}(?![A-Za-z0-9])")


def _passports(raw: bytes, told: str) -> Iterator[Found]:
    """Return passport numbers: only where a word says so, their form alone says too little."""
    if has_label("passport", told):
        for found in _PASSPORT.finditer(raw):
            yield HIGH, "passport-labelled", found.start(), found.end()
        return
    for word in ("护照", "passport", "Passport", "PASSPORT"):
        sign = word.encode()
        at = raw.find(sign)
        while at >= 0:
            end = at + len(sign)
            line_end = raw.find(b"\n", end, end + 40)
            number = _PASSPORT.search(raw, end, line_end if line_end >= 0 else end + 40)
            if number is not None:
                yield HIGH, "passport-labelled", number.start(), number.end()
            at = raw.find(sign, end)
