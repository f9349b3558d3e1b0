"""Addresses down to a house, a unit or a room: looked for where a number and a word such as 号 or 室 meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from changtong.privacy.digit_runs import Runs

BEFORE, AFTER = 150, 90
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
            found = _judged(token[0], labelled)
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
        low = max(last, place - BEFORE, raw.rfind(b"\n", max(0, place - BEFORE), place) + 1)
        stop = raw.find(b"\n", place, place + AFTER)
        high = stop if stop >= 0 else min(len(raw), place + AFTER)
        while high < len(raw) and raw[high] & 0xC0 == 0x80:
            high += 1
        yield low, high
        last = high


def _judged(token: str, labelled: bool) -> tuple[str, str, int, int] | None:
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
