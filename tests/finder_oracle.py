"""The finder written out plainly, one find at a time, by which the one with arrays is checked.

Words, tables, runs of digits, what can be computed from digits alone and the rare kinds are those of the
package; how numbers are judged, and names and addresses read, is written out here a second time, with
regular expressions.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from changtong.privacy.digit_runs import (
    _CHECKS,
    _FORMS,
    Runs,
    _digits,
    _fitting,
    _free_after,
    _stands_alone,
    runs_of,
)  # fmt: skip
from changtong.privacy.find_names import _after_labels, name_form
from changtong.privacy.find_text import _WIDE, _emails, _passports, _plates, narrow
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


class Candidate(NamedTuple):
    """Where a number may stand, in bytes; ``parts`` are its digits alone."""

    kind: str
    form: str
    start: int
    end: int
    digits: str


def candidates(runs: Runs) -> list[Candidate]:
    """Return the numbers that may be personal data, in no order; places are those of the raw text."""
    if not len(runs.start):
        return []
    found: list[Candidate] = []
    free = _stands_alone(runs)
    begins = {size: np.flatnonzero(runs.length == size) for size in {form[3][0] for form in _FORMS}}
    for kind, form, first, parts, x_too in _FORMS:
        rows = _fitting(runs, begins[parts[0]], parts, first, x_too)
        if len(rows):
            last = rows + len(parts) - 1
            ends = runs.end[last] + (1 if x_too else 0)
            keep = free.before[rows] & (_free_after(runs.data, ends) if x_too else free.after[last])
            rows, ends = rows[keep], ends[keep]
            matrix = _digits(runs, rows, parts, x_too)
            right = _CHECKS[kind](matrix)
            texts = matrix[right].astype(np.uint8)
            found += [
                Candidate(kind, form, int(begin) - 1, int(stop) - 1, bytes(text).decode())
                for begin, stop, text in zip(runs.start[rows[right]], ends[right], texts, strict=True)
            ]
    return found


WINDOW_BEFORE, WINDOW_AFTER = 150, 90
"""Bytes around such a place in which the address stands."""

_ENDS = ("号", "栋", "幢", "座", "室", "单", "楼", "弄", "组", "层", "户")
_CODES = np.array([int.from_bytes(word.encode(), "big") for word in _ENDS])
_LITERALS = ("单元", "座", "号楼")

_HAN = "\u4e00-\u9fff"
_ADMIN = re.compile("省|自治区|市|区|县|旗|州|镇|乡")
_TOKEN = re.compile(rf"[{_HAN}][{_HAN}A-Za-z0-9\-－#＃()（）]{{4,80}}")
_ROAD = re.compile(
    "大道|大街|公路|胡同|路|街|道|巷|弄|村|屯|社区|小区|花园|家园|苑|新城|广场|大厦|公寓|庄|里"
)
_NUMBER = "[0-9A-Za-z一二三四五六七八九十百]{1,6}"
_HOUSE = re.compile(rf"{_NUMBER}(?:号楼|号院|号|栋|幢|座|单元|室|弄|楼|层|组|户)")
_ROOM = re.compile(rf"{_NUMBER}(?:单元|室|户|号房)|(?:栋|幢|座|单元|楼)[-－]?\d{{2,4}}")
_NO_HOUSE = re.compile(r"\d+号(?:线|文|令|公告|机|门店|仓|库|车|台|窗|柜|航)")
_SENTENCE = re.compile("的|了|是|在|和|与|及|被|把|将|请|为|从|至|到|经")


class FoundAddress(NamedTuple):
    """An address: confidence, rule, place in bytes, the address."""

    confidence: str
    rule: str
    start: int
    end: int
    text: str


def addresses(raw: bytes, runs: Runs, told: str) -> Iterator[FoundAddress]:
    """Return addresses with a house number at least."""
    labelled = any(word in told for word in ("地址", "住址", "addr"))
    for low, high in _windows(raw, runs):
        while low < high and raw[low] & 0xC0 == 0x80:
            low += 1
        text = raw[low:high].decode("utf-8", "ignore")
        at, seen = low, 0
        for token in _TOKEN.finditer(text):
            found = _judged_address(token[0], labelled)
            if found is not None and text[token.start() + found[3] :][:1] != "*":  # masked already
                confidence, rule, begin, end = found
                at += len(text[seen : token.start() + begin].encode())
                seen = token.start() + begin
                part = token[0][begin:end]
                yield FoundAddress(confidence, rule, at, at + len(part.encode()), part)


def _windows(raw: bytes, runs: Runs) -> Iterator[tuple[int, int]]:
    """Return parts of lines in which an address may stand; none overlaps the one before."""
    data, end = runs.data, runs.end
    places = np.zeros(0, np.int64)
    if len(end):
        codes = (data[end].astype(np.int64) << 16) | (data[end + 1].astype(np.int64) << 8) | data[end + 2]
        places = end[np.isin(codes, _CODES)] - 1
    extra = [found.start() for word in _LITERALS for found in re.finditer(re.escape(word.encode()), raw)]
    if extra:
        places = np.unique(np.concatenate([places, np.array(extra, np.int64)]))
    last = 0
    low = high = -1
    for place in places.tolist():
        if place < last:
            continue
        low = max(last, place - WINDOW_BEFORE, raw.rfind(b"\n", max(0, place - WINDOW_BEFORE), place) + 1)
        stop = raw.find(b"\n", place, place + WINDOW_AFTER)
        high = stop if stop >= 0 else min(len(raw), place + WINDOW_AFTER)
        while high < len(raw) and raw[high] & 0xC0 == 0x80:
            high += 1
        yield low, high
        last = high


def _judged_address(token: str, labelled: bool) -> tuple[str, str, int, int] | None:
    """Return confidence, rule, and from where to where in the token the address goes."""
    plain = _NO_HOUSE.sub(lambda found: "　" * len(found[0]), token)
    houses = list(_HOUSE.finditer(plain))
    if not houses:
        return None
    end = houses[-1].end()
    tail = re.match(r"[-－]?\d{1,4}(?![\d.])", token[end:])
    if tail:
        end += tail.end()
    head = plain[: houses[0].start()]
    begin = 0
    for word in _SENTENCE.finditer(head):
        if _ADMIN.search(head[word.end() :]):
            begin = word.end()
    road = _ROAD.search(plain, begin, max(begin, end - 1))
    if road is None:
        return None
    admins = len(_ADMIN.findall(plain[begin:end]))
    room = _ROOM.search(plain, begin, end) is not None
    if admins and (room or admins > 1 or labelled):
        return "high", "address-room" if room else "address-house", begin, end
    if admins or room or labelled:
        return "medium", "address-room" if room else "address-house", begin, end
    return "low", "address-house", begin, end


NEAR = 48
"""Bytes beside a phone number or an address in which a name may stand."""

_BETWEEN = r"[\s,，:：;；|/\"'“”‘’()（）\[\]{}、=]"


class FoundName(NamedTuple):
    """A name: confidence, rule, place in bytes, the name."""

    confidence: str
    rule: str
    start: int
    end: int
    text: str


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    form = name_form()
    after = re.compile(rf"{_BETWEEN}{{1,4}}({form})")
    # after a label, with what stands between in exports: 收件人姓名：张三 / "name": "张三"
    labelled = re.compile(rf"(?:姓名|名称)?[\"']?\s*(?:[:：=,，\t|]|是|为|\s)\s*[\"'“]?({form})")
    return after, labelled


@cache
def _whole() -> re.Pattern[str]:
    return re.compile(name_form())


def names_beside(raw: bytes, spans: Sequence[Span], told: str) -> Iterator[FoundName]:
    """Return names beside phone numbers, ID numbers and addresses, and after words that announce one."""
    after, _ = _patterns()
    seen: set[int] = set()
    for span in spans:
        if span.kind not in ("phone", "id_number", "address"):
            continue
        low = max(0, span.start - NEAR)
        low = max(low, raw.rfind(b"\n", low, span.start) + 1)
        head = _decoded_from(raw, low, span.start)
        name = _name_at_end(head)
        if name is not None:
            begin, stop = name
            end = span.start - len(head[stop:].encode())
            start = end - len(head[begin:stop].encode())
            if start not in seen:
                seen.add(start)
                yield FoundName("high", f"name-beside-{span.kind}", start, end, head[begin:stop])
        tail = raw[span.end : span.end + NEAR].partition(b"\n")[0].decode("utf-8", "ignore")
        found = after.match(tail)
        if found is not None:
            start = span.end + len(tail[: found.start(1)].encode())
            if start not in seen:
                seen.add(start)
                yield FoundName(
                    "high", f"name-beside-{span.kind}", start, start + len(found[1].encode()), found[1]
                )
    for level, rule, start, end in _after_labels(raw, seen):
        yield FoundName(level, rule, start, end, raw[start:end].decode())


@cache
def _surname_signs() -> frozenset[str]:
    told = words()["surnames"]
    return frozenset("".join(told["single"].split())) | {name[0] for name in told["compound"]}


_SIGNS = frozenset(" \t,，:：;；|/\"'“”‘’()（）[]{}、=\u3000")


def _name_at_end(head: str) -> tuple[int, int] | None:
    """Return from where to where a name stands at the end of a text, with four signs at most behind it."""
    stop = len(head)
    least = stop - 4
    while stop > 0 and stop > least and head[stop - 1] in _SIGNS:
        stop -= 1
    begin = stop
    while begin > 0 and stop - begin < 6 and "\u4e00" <= head[begin - 1] <= "\u9fff":
        begin -= 1
    if not 2 <= stop - begin <= 4 or head[begin] not in _surname_signs():
        return None
    return (begin, stop) if _whole().fullmatch(head, begin, stop) else None


def _decoded_from(raw: bytes, low: int, high: int) -> str:
    """Return bytes as text; a character cut in two at the begin is left out."""
    while low < high and raw[low] & 0xC0 == 0x80:
        low += 1
    return raw[low:high].decode("utf-8", "replace")


def find_plainly(raw: bytes, header: str = "") -> list[Span]:
    """Return what is personal in a text, in order of place; nothing overlaps."""
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
    for kind, found in (
        ("email", _emails(raw)),
        ("plate", _plates(raw)),
        ("passport", _passports(raw, told)),
    ):
        spans += [Span(kind, *one, raw[one[2] : one[3]].decode()) for one in found]
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
