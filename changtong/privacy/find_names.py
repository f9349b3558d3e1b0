"""Names of persons: only where something beside them says that a person is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from changtong.privacy.headers import kind_of_header
from changtong.privacy.spans import KINDS, RULES, Spans, spans_in_rows, spans_of, together
from changtong.privacy.text_signs import TextSigns
from changtong.privacy.words import words

NEAR = 48
"""Bytes behind a word that announces a name in which it may stand."""

_BESIDE = ("phone", "id_number", "address")
_IS_HAN, _IS_SURNAME, _IS_BEFORE, _IS_AFTER = 1, 2, 4, 8
_LOOKED_AT = 6
"""Characters by which a name is known: four, and what must not follow."""

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

_HAN = "\u4e00-\u9fff"
_PLACES = "市县区省镇乡旗盟州站"
_BETWEEN = r"[\s,，:：;；|/\"'“”‘’()（）\[\]{}、=]"


@cache
def name_form() -> str:
    """Return the pattern of a name: a surname, one or two characters, or a surname and a title."""
    told = words()["surnames"]
    single = "".join(told["single"].split())
    compound, titles = "|".join(told["compound"]), "|".join(told["titles"])
    none = "|".join(told["no_names"])
    # 唐山市 begins with a surname, and is a place
    place = rf"[{_HAN}]{{1,3}}[{_PLACES}](?![{_HAN}])"
    body = rf"(?:{compound})[{_HAN}]{{1,2}}|[{single}](?:{titles}|[{_HAN}]{{1,2}})"
    return rf"(?!(?:{none})|{place})(?:{body})(?![{_HAN}])"


@cache
def _labelled() -> re.Pattern[str]:
    # after a label, with what stands between in exports: 收件人姓名：张三 / "name": "张三"
    return re.compile(rf"(?:姓名|名称)?[\"']?\s*(?:[:：=,，\t|]|是|为|\s)\s*[\"'“]?({name_form()})")


def is_name(text: str) -> bool:
    """Return whether a whole text has the form of a Chinese name.

    Examples
    --------
    >>> is_name("张小明"), is_name("欧阳娜娜"), is_name("包裹"), is_name("小明")
    (True, True, False, False)
    """
    return is_name_alone(text.strip())


@lru_cache(1 << 16)
def is_name_alone(text: str) -> bool:
    """Return whether a text without spaces around it has the form of a name; names come again and again."""
    return _form().fullmatch(text) is not None


@lru_cache(1 << 16)
def _name_length(text: str) -> int:
    """Return how long the name is a text begins with; 0: none."""
    found = _form().match(text)
    return 0 if found is None else found.end()


@cache
def _form() -> re.Pattern[str]:
    return re.compile(name_form())


@cache
def _classes() -> NDArray[np.uint8]:
    """Return for each character, up to U+FFFF, what it may be beside or in a name."""
    told = words()["surnames"]
    table = np.zeros(0x10000, np.uint8)
    table[0x4E00:0xA000] |= _IS_HAN
    for sign in "".join(told["single"].split()) + "".join(name[0] for name in told["compound"]):
        table[ord(sign)] |= _IS_SURNAME
    for sign in _SIGNS:
        table[ord(sign)] |= _IS_BEFORE
    signs = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000)]))
    for sign in re.findall(_BETWEEN, signs):
        table[ord(sign)] |= _IS_AFTER
    table[10] = 0  # a name stands in the same line
    return table


def names_beside(signs: TextSigns, spans: Spans, told: str) -> Spans:
    """Return names beside phone numbers, ID numbers and addresses, and after words that announce one."""
    raw = signs.raw
    beside = np.flatnonzero(np.isin(spans.kind, [KINDS.index(kind) for kind in _BESIDE]))
    rules = np.zeros(len(KINDS), np.int8)
    for kind in _BESIDE:
        rules[KINDS.index(kind)] = RULES.index(f"name-beside-{kind}")
    found, start, end = _beside(signs, spans.start[beside], spans.end[beside])
    start, first = np.unique(start, return_index=True)  # of the first find that has it beside
    end, rule = end[first], rules[spans.kind[beside[found[first]]]]
    near = spans_of(raw, "name", rule, "high", start, end)
    labelled = list(_after_labels(raw, {*start.tolist()}))
    return together([near, spans_in_rows(raw, "name", labelled)]) if labelled else near


def _beside(signs: TextSigns, start: Longs, end: Longs) -> tuple[Longs, Longs, Longs]:
    """Return names before and behind some places: beside which of them, and from where to where."""
    if not len(start):
        return start, start, end
    before, before_start, before_end = _names_before(signs, start)
    behind, behind_start, behind_end = _names_behind(signs, end)
    order = np.argsort(np.concatenate([2 * before, 2 * behind + 1]))
    return (
        np.concatenate([before, behind])[order],
        np.concatenate([before_start, behind_start])[order],
        np.concatenate([before_end, behind_end])[order],
    )


def _names_before(signs: TextSigns, place: Longs) -> tuple[Longs, Longs, Longs]:
    """Return names that end before some places, with four signs at most between."""
    near = np.flatnonzero(_has_han_before(signs.raw, place))
    if not len(near):
        return near, near, near
    table, classed = _classes(), signs.classed
    stop = signs.last_up_to(place[near])
    for _ in range(4):
        stop -= (stop > 0) & ((table[classed[stop - 1]] & _IS_BEFORE) != 0)
    begin = stop.copy()
    for _ in range(6):
        begin -= (begin > 0) & ((table[classed[begin - 1]] & _IS_HAN) != 0)
    size = stop - begin
    rows = np.flatnonzero((size >= 2) & (size <= 4) & ((table[classed[begin]] & _IS_SURNAME) != 0))
    begin, stop = begin[rows], stop[rows]
    good = _are_names(signs, begin, stop)
    rows, begin, stop = rows[good], begin[good], stop[good]
    return near[rows], signs.places[begin], signs.places[stop]


def _are_names(signs: TextSigns, begin: Longs, stop: Longs) -> Bools:
    """Return which texts of two to four characters have the form of a name; each is judged once."""
    last, size = len(signs.classed) - 1, stop - begin
    key = np.zeros(len(begin), np.uint64)
    for k in range(4):
        sign = signs.classed[np.minimum(begin + k, last)].astype(np.uint64)
        key = (key << np.uint64(16)) | np.where(k < size, sign, np.uint64(0))
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    text = signs.text
    ends = zip(begin[first].tolist(), stop[first].tolist(), strict=True)
    return np.array([is_name_alone(text[a:b]) for a, b in ends], np.bool_)[which]


def _names_behind(signs: TextSigns, place: Longs) -> tuple[Longs, Longs, Longs]:
    """Return names that begin behind some places, with one to four signs between."""
    near = np.flatnonzero(_has_han_behind(signs.raw, place))
    if not len(near):
        return near, near, near
    table, classed = _classes(), signs.classed
    first = signs.first_from(place[near])
    begin = first.copy()
    for _ in range(4):
        begin += (table[classed[begin]] & _IS_AFTER) != 0  # a line break ends the text, and each line
    rows = np.flatnonzero((begin > first) & ((table[classed[begin]] & _IS_SURNAME) != 0))
    begin, text = begin[rows], signs.text
    size = np.array([_name_length(text[at : at + _LOOKED_AT]) for at in begin.tolist()], np.int64)
    rows, begin, size = rows[size > 0], begin[size > 0], size[size > 0]
    return near[rows], signs.places[begin], signs.places[begin + size]


def _has_han_before(raw: bytes, place: Longs) -> Bools:
    """Return whether something but ASCII ends before a place, or before ASCII signs: a name may."""
    data, bits = np.frombuffer(b"\n" + raw, np.uint8), _classes()
    at = place.copy()  # of the byte before, in data
    for _ in range(4):
        at -= ((bits[data[at]] & _IS_BEFORE) != 0) & (data[at] < 0x80)
    made: Bools = data[at] >= 0x80
    return made


def _has_han_behind(raw: bytes, place: Longs) -> Bools:
    """Return whether something but ASCII begins behind a place, or behind ASCII signs: a name may."""
    data, bits = np.frombuffer(raw + b"\n", np.uint8), _classes()
    at = place.copy()
    for _ in range(4):
        at += ((bits[data[at]] & _IS_AFTER) != 0) & (data[at] < 0x80)
    made: Bools = data[at] >= 0x80
    return made


_SIGNS = " \t,，:：;；|/\"'“”‘’()（）[]{}、=\u3000"


def _after_labels(raw: bytes, seen: set[int]) -> Iterator[tuple[str, str, int, int]]:
    """Return names after words that announce one: 收件人：张三, or "consignee": "张三"."""
    labelled = _labelled()
    for end in _label_ends(raw):
        text = raw[end : end + NEAR].partition(b"\n")[0].decode("utf-8", "ignore")
        found = labelled.match(text)
        if found is not None:
            start = end + len(text[: found.start(1)].encode())
            if start not in seen:
                seen.add(start)
                weak = raw[max(0, end - 4) : end] in (b"name", b"Name")
                level = "medium" if weak else "high"
                yield level, "name-labelled", start, start + len(found[1].encode())


@cache
def _labels() -> tuple[bytes, ...]:
    return tuple(word.encode() for word in words()["labels"]["name"])


def _label_ends(raw: bytes) -> Iterator[int]:
    """Return where words end that announce a name.

    Chinese ones are looked for at their last character; latin ones before Chinese characters that follow a
    colon, an equals sign or a quote, so that not every word of a text is looked at.
    """
    data = np.frombuffer(raw, np.uint8)
    if len(data) < 4:
        return
    for last in {word[-3:] for word in _labels()}:
        ends = np.flatnonzero(data[2:] == last[2])  # the byte by which characters differ most
        ends = ends[data[ends + 1] == last[1]]
        for at in ends[data[ends] == last[0]].tolist():
            if raw[max(0, at - 12) : at + 3].endswith(_labels()):
                yield at + 3
    begins = (data[3:] >= 0xE4) & (data[3:] <= 0xE9)
    before, second = data[2:-1], data[1:-2]
    opened = (
        (before == 34)
        | (before == 58)
        | (before == 61)
        | ((before == 32) & ((second == 58) | (second == 61)))
    )
    for at in (np.flatnonzero(begins & opened) + 3).tolist():
        found = _LATIN.search(raw, max(0, at - 40), at)
        if found is not None and kind_of_header(found[1].decode()) == "name":
            yield found.end(1)


_LATIN = re.compile(rb"(?<![A-Za-z0-9_-])([A-Za-z][A-Za-z0-9_-]*)[\"']?\s*[:=]\s*[\"']?$")
