"""Phone, ID and card numbers: how sure it is that a number is one, by what is said before it."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from changtong.privacy.digit_runs import Candidates, Runs, candidates, card_known, value_of
from changtong.privacy.spans import CONFIDENCES, Spans, spans_of
from changtong.privacy.words import is_landline, mobile_prefixes, words

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
Levels = NDArray[np.int8]

BEFORE = 42
"""Bytes before a number in which a word that tells what it is may stand."""

_LOW, _MEDIUM, _HIGH = (CONFIDENCES.index(level) for level in ("low", "medium", "high"))
_KINDS = ("phone", "id_number", "bank_card")
_SAID = {kind: 1 << k for k, kind in enumerate(_KINDS)}
_NUMBERED = 1 << len(_KINDS)
"""Bits: a word of this kind is said before a number; the word nearest to it announces some other number."""

_NEW_LINE, _TAB, _COMMA, _DASH, _PLUS, _SPACE = b"\n\t,-+ "


def numbers(raw: bytes, runs: Runs, told: str) -> list[Spans]:
    """Return phone, ID and card numbers, form by form; ``told`` is the header, in small letters."""
    return [_judged(raw, runs.data, one, told) for one in candidates(runs)]


def _judged(raw: bytes, data: NDArray[np.uint8], one: Candidates, told: str) -> Spans:
    said = _said_before(raw, data, one.start, told)
    if one.kind == "landline":
        return _landlines(raw, data, one, said)
    if one.kind == "phone":
        start = one.start - (data[one.start] == _PLUS)
        return spans_of(raw, "phone", one.form, _level_of_mobile(data, one, said), start, one.end)
    named = (said & _SAID[one.kind]) != 0
    if one.kind == "id_number":
        level = np.where(named, _MEDIUM, _LOW) if one.form == "id-15" else np.full(len(said), _HIGH)
        level = np.where(((said & _NUMBERED) != 0) & ~named, _LOW, level).astype(np.int8)
        return spans_of(raw, "id_number", one.form, level, one.start, one.end)
    sure = card_known(one.digits, sure=True) & ((said & _NUMBERED) == 0)
    level = np.where(named, _HIGH, np.where(sure, _MEDIUM, _LOW)).astype(np.int8)
    return spans_of(raw, "bank_card", "card-luhn", level, one.start, one.end)


def _level_of_mobile(data: NDArray[np.uint8], one: Candidates, said: Longs) -> Levels:
    """Return how sure mobile numbers are, some of them with a country code, a 0, or in parts.

    ``data`` is the text behind one line break: a place in the text is one further in it.
    """
    width = one.digits.shape[1]
    known = mobile_prefixes()[value_of(one.digits, width - 11, width - 7)]
    named = (said & _SAID["phone"]) != 0
    level = np.full(len(said), _HIGH)
    if one.form == "mobile-86":
        level = np.where((data[one.start] == _PLUS) | named, _HIGH, _MEDIUM)
    elif one.form == "mobile-0":
        level = np.where(named, _MEDIUM, _LOW)
    elif one.form == "mobile-split":
        size = int(one.end[0] - one.start[0])
        dashed = (data[one.start[:, None] + 1 + np.arange(size)] == _DASH).any(axis=1)
        level = np.where(dashed, _HIGH, np.where(_spaced_alone(data, one), _MEDIUM, _LOW))
    level = np.where(known, level, np.where(named, _MEDIUM, _LOW))
    return np.where((said & _NUMBERED) != 0, _LOW, level).astype(np.int8)


def _spaced_alone(data: NDArray[np.uint8], one: Candidates) -> Bools:
    """Return whether no other group of digits stands one space away: numbers in a row are a table."""
    before, second = data[one.start], data[np.maximum(one.start - 1, 0)]
    after, third = data[one.end + 1], data[one.end + 2]
    beside: Bools = ((before == _SPACE) & _is_digit(second)) | ((after == _SPACE) & _is_digit(third))
    return ~beside


def _is_digit(signs: NDArray[np.uint8]) -> Bools:
    made: Bools = (signs - np.uint8(48)) < 10
    return made


def _landlines(raw: bytes, data: NDArray[np.uint8], one: Candidates, said: Longs) -> Spans:
    texts = [bytes(row).decode() for row in one.digits]
    level = [
        _level_of_landline(text, one.form, flags) for text, flags in zip(texts, said.tolist(), strict=True)
    ]
    start = one.start - ((one.form == "area-86") & (data[one.start] == _PLUS))
    levels = np.array(level, np.int8)
    good = levels >= 0
    return spans_of(raw, "phone", "landline", levels[good], start[good], one.end[good])


@lru_cache(1 << 14)
def _level_of_landline(digits: str, form: str, said: int) -> int:
    """Return how sure a landline is; -1: it is none after all."""
    digits = digits[2:] if form == "area-86" else digits
    area_code = digits if digits.startswith("0") else "0" + digits
    size = 3 if area_code[1] in "12" else 4
    area, number = area_code[:size], area_code[size:]
    if (
        len(number) not in (7, 8)
        or number[0] in "01"
        or not is_landline(area, number[:3] + "5" * (len(number) - 3))
    ):
        return -1
    level = _HIGH if form != "area-joined" else _LOW
    if form == "area-joined" and said & _SAID["phone"]:
        level = _MEDIUM
    if said & _NUMBERED or (len(number) == 8 and re.match(r"20[0-3]\d(0[1-9]|1[0-2])[0-3]\d", number)):
        level = _LOW
    return level


def _said_before(raw: bytes, data: NDArray[np.uint8], start: Longs, told: str) -> Longs:
    """Return what is said before some numbers, in their cell or line, and in the header."""
    said = np.full(len(start), _said(b"", told))
    rows = np.flatnonzero(~_borders()[data[start]])  # most of a table have nothing before them
    border = _borders()[data[np.maximum(start[rows, None] - np.arange(BEFORE), 0)]]
    size = np.where(border.any(axis=1), border.argmax(axis=1), BEFORE)
    places = zip((start[rows] - size).tolist(), start[rows].tolist(), strict=True)
    said[rows] = [_said(raw[begin:end], told) for begin, end in places]
    return said


@cache
def _borders() -> Bools:
    """Return which bytes end a cell or a line."""
    table = np.zeros(256, np.bool_)
    table[[_NEW_LINE, _TAB, _COMMA]] = True
    return table


@lru_cache(4096)
def _said(near: bytes, told: str) -> int:
    """Return as bits what is said before a number and in its header, and whether the nearest word numbers."""
    text = near.decode("utf-8", "ignore").lower()
    both = f"{told} {text}"
    if _any_label().search(both) is None:
        return 0
    said = sum(bit for kind, bit in _SAID.items() if has_label(kind, both))
    return said | (_NUMBERED if _last_word(text, told) == "number" else 0)


@cache
def _any_label() -> re.Pattern[str]:
    return re.compile("|".join(_label(kind).pattern for kind in (*_KINDS, "number")))


@cache
def _label(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in words()["labels"][kind]))


def has_label(kind: str, said: str) -> bool:
    """Return whether a word is said that announces a kind."""
    return _label(kind).search(said) is not None


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
