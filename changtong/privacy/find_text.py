"""Personal data in a text: every find with its kind, place, confidence and the rule it fits."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from changtong.privacy.digit_runs import Candidate, candidates, runs_of
from changtong.privacy.find_addresses import addresses
from changtong.privacy.find_names import names_beside
from changtong.privacy.words import card_ranges, is_landline, mobile_prefixes, words

HIGH, MEDIUM, LOW = "high", "medium", "low"
CONFIDENCES = (LOW, MEDIUM, HIGH)

BEFORE = 42
"""Bytes before a number in which a word that tells what it is may stand."""


class Span(NamedTuple):
    """Where something stands in a text, in bytes of UTF-8, and what it is; ``text`` is the value itself."""

    kind: str
    confidence: str
    rule: str
    start: int
    end: int
    text: str


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


def find_in_text(raw: bytes, header: str = "") -> list[Span]:
    """Return what is personal in a text, in order of place; nothing overlaps.

    Parameters
    ----------
    raw : bytes
        UTF-8.
    header : str
        Header of the column it comes from: what its words say counts for every value.

    Examples
    --------
    >>> [(span.kind, span.confidence, span.rule) for span in find_in_text("电话 13800138000".encode())]
    [('phone', 'high', 'mobile')]
    """
    if b"\xef\xbc" in raw:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = ""  # the places of what is replaced would not be those of the bytes
        if _WIDE.search(text):
            return _of_wide(text, header)
    return _of_narrow(raw, header)


def _of_wide(text: str, header: str) -> list[Span]:
    """Find in a text with full-width signs as if they were the usual ones; the places are those of the text.

    A narrow sign takes one byte instead of three: places are counted in signs, and those are the same.
    """
    slim = narrow(text)
    raw = slim.encode()
    spans = _of_narrow(raw, header)
    signs, slim_signs = np.array([*map(ord, text)], np.int64), np.array([*map(ord, slim)], np.int64)
    ends, slim_ends = _ends(signs), _ends(slim_signs)
    return [
        span._replace(
            start=int(ends[np.searchsorted(slim_ends, span.start)]),
            end=int(ends[np.searchsorted(slim_ends, span.end)]),
        )
        for span in spans
    ]


def _ends(signs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in UTF-8 each sign begins, and where the last one ends."""
    sizes = 1 + (signs >= 0x80) + (signs >= 0x800) + (signs >= 0x10000)
    return np.concatenate([[0], np.cumsum(sizes)])


def _of_narrow(raw: bytes, header: str) -> list[Span]:
    runs = runs_of(raw)
    told = header.lower()
    spans = [span for one in candidates(runs) if (span := _judged(raw, one, told)) is not None]
    spans += _emails(raw)
    spans += _plates(raw)
    spans += _passports(raw, told)
    spans += [Span("address", *found) for found in addresses(raw, runs, told)]
    spans = _without_overlaps(spans)
    spans += [Span("name", *found) for found in names_beside(raw, spans, told)]
    return _without_overlaps(spans)


_RANK = {
    "id_number": 0,
    "email": 1,
    "bank_card": 2,
    "phone": 2,
    "plate": 3,
    "passport": 3,
    "address": 4,
    "name": 5,
}


def _without_overlaps(spans: list[Span]) -> list[Span]:
    """Return spans in order of place; of two that overlap the one more certain, then the longer one."""
    if len(spans) < 2:
        return spans
    spans.sort(key=lambda s: s.start)
    if all(one.end <= other.start for one, other in zip(spans, spans[1:], strict=False)):
        return spans
    order = sorted(
        spans, key=lambda s: (-CONFIDENCES.index(s.confidence), _RANK[s.kind], s.start - s.end, s.start)
    )
    kept: list[Span] = []
    starts: list[int] = []
    for span in order:
        at = bisect_left(starts, span.start)
        if (at and kept[at - 1].end > span.start) or (at < len(kept) and kept[at].start < span.end):
            continue
        kept.insert(at, span)
        starts.insert(at, span.start)
    return kept


def _judged(raw: bytes, one: Candidate, told: str) -> Span | None:
    """Return a candidate with its confidence, or None where it is none after all."""
    before = raw[max(0, one.start - BEFORE) : one.start]
    begin = max(before.rfind(b"\n"), before.rfind(b"\t"), before.rfind(b",")) + 1
    said, numbered = _context(before[begin:], told)
    if one.kind == "landline":
        return _landline(raw, one, said, numbered)
    if one.kind == "phone":
        known = mobile_prefixes()[int(one.digits[-11:-7])]
        level = HIGH if known else MEDIUM if _has("phone", said) else LOW
        if level == HIGH and one.form != "mobile":
            level = _level_of_form(raw, one, said)
        if numbered == "number":
            level = LOW
        start = one.start - (raw[one.start - 1 : one.start] == b"+")
        return Span("phone", level, one.form, start, one.end, raw[start : one.end].decode("utf-8", "replace"))
    text = raw[one.start : one.end].decode("utf-8", "replace")
    if one.kind == "id_number":
        level = HIGH if one.form == "id-18" else MEDIUM if _has("id_number", said) else LOW
        level = LOW if numbered == "number" and not _has("id_number", said) else level
        return Span("id_number", level, one.form, one.start, one.end, text)
    sure = any(card.sure and card.has(one.digits) for card in card_ranges())
    if _has("bank_card", said):
        level = HIGH
    else:
        level = MEDIUM if sure and numbered != "number" else LOW
    return Span("bank_card", level, "card-luhn", one.start, one.end, text)


def _level_of_form(raw: bytes, one: Candidate, said: str) -> str:
    """Return how sure a mobile number is that is written with a country code, a 0, or in parts."""
    if one.form == "mobile-86":
        return HIGH if raw[one.start - 1 : one.start] == b"+" or _has("phone", said) else MEDIUM
    if one.form == "mobile-0":
        return MEDIUM if _has("phone", said) else LOW
    return HIGH if b"-" in raw[one.start : one.end] else MEDIUM if _spaced_alone(raw, one) else LOW


def _landline(raw: bytes, one: Candidate, said: str, numbered: str) -> Span | None:
    digits = one.digits[2:] if one.form == "area-86" else one.digits
    area_code = digits if digits.startswith("0") else "0" + digits
    size = 3 if area_code[1] in "12" else 4
    area, number = area_code[:size], area_code[size:]
    if (
        len(number) not in (7, 8)
        or number[0] in "01"
        or not is_landline(area, number[:3] + "5" * (len(number) - 3))
    ):
        return None
    level = HIGH if one.form != "area-joined" else LOW
    if one.form == "area-joined" and _has("phone", said):
        level = MEDIUM
    if numbered == "number" or (len(number) == 8 and re.match(r"20[0-3]\d(0[1-9]|1[0-2])[0-3]\d", number)):
        level = LOW
    start = one.start - (one.form == "area-86" and raw[one.start - 1 : one.start] == b"+")
    return Span("phone", level, "landline", start, one.end, raw[start : one.end].decode("utf-8", "replace"))


def _spaced_alone(raw: bytes, one: Candidate) -> bool:
    """Return whether no other group of digits stands one space away: numbers in a row are a table."""
    before, after = raw[max(0, one.start - 2) : one.start], raw[one.end : one.end + 2]
    return not re.search(rb"\d[ ]$", before) and not re.match(rb"[ ]\d", after)


@cache
def _label(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in words()["labels"][kind]))


def _has(kind: str, said: str) -> bool:
    return _label(kind).search(said) is not None


@lru_cache(4096)
def _context(near: bytes, told: str) -> tuple[str, str]:
    """Return what is said before a number and in its header, and the word nearest to it."""
    text = near.decode("utf-8", "ignore").lower()
    return f"{told} {text}", _last_word(text, told)


def _last_word(near: str, told: str) -> str:
    """Return ``phone`` or ``number``: what the word nearest before says; empty where none says anything."""
    for text in (near, told):
        best, at = "", -1
        for kind in ("number", "phone"):
            for found in _label(kind).finditer(text):
                if found.end() > at:
                    best, at = kind, found.end()
        if best:
            return best
    return ""


def _emails(raw: bytes) -> Iterator[Span]:
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
            yield Span("email", HIGH, "email", found.start(), found.end(), found[0].decode())
            at = raw.find(b"@", found.end())
        else:
            at = raw.find(b"@", at + 1)


@cache
def _plate_form() -> re.Pattern[str]:
    return re.compile(rf"[{words()['plates']['provinces']}][A-Z] ?[·.・-]? ?{_PLATE_BODY}(?![0-9A-Za-z])")


def _plates(raw: bytes) -> Iterator[Span]:
    """Return licence plates: looked for at capital letters right after a Chinese character only."""
    data = np.frombuffer(raw, np.uint8)
    capital = (data[1:] - np.uint8(65)) < 26
    for at in np.flatnonzero(capital & (data[:-1] >= 128)).tolist():
        begin = at - 2
        if begin < 0:
            continue
        found = _plate_form().match(raw[begin : at + 24].decode("utf-8", "ignore"))
        if found and sum(sign.isdigit() for sign in found[0]) >= 2:
            yield Span("plate", HIGH, "plate", begin, begin + len(found[0].encode()), found[0])


_PASSPORT = re.compile(rb"(?<![A-Za-z0-9])[A-Z][A-Z0-9]\d{7}(?![A-Za-z0-9])")


def _passports(raw: bytes, told: str) -> Iterator[Span]:
    """Return passport numbers: only where a word says so, their form alone says too little."""
    if _has("passport", told):
        for found in _PASSPORT.finditer(raw):
            yield Span("passport", HIGH, "passport-labelled", found.start(), found.end(), found[0].decode())
        return
    for word in ("护照", "passport", "Passport", "PASSPORT"):
        sign = word.encode()
        at = raw.find(sign)
        while at >= 0:
            end = at + len(sign)
            line_end = raw.find(b"\n", end, end + 40)
            number = _PASSPORT.search(raw, end, line_end if line_end >= 0 else end + 40)
            if number is not None:
                text = number[0].decode()
                yield Span("passport", HIGH, "passport-labelled", number.start(), number.end(), text)
            at = raw.find(sign, end)
