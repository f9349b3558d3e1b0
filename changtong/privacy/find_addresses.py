"""Addresses down to a house, a unit or a room: looked for where a number and a word such as 号 or 室 meet.

The words are looked for as arrays of signs: a token is a run of the characters an address may have; it is an
address when it has a road and, behind a number, a house. What is said here in arrays, the tests say a second
time in regular expressions.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from changtong.privacy.digit_runs import Runs
from changtong.privacy.spans import CONFIDENCES, RULES, Spans, spans_of
from changtong.privacy.text_signs import TextSigns

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

BEFORE, AFTER = 150, 90
"""Bytes around such a place in which the address stands."""

LONGEST, SHORTEST = 81, 5
"""Characters of a token."""

_ENDS = ("号", "栋", "幢", "座", "室", "单", "楼", "弄", "组", "层", "户")
_LITERALS = ("单元", "座", "号楼")

_HAN, _TOKEN, _NUMBER, _DIGIT, _ADMIN, _SENTENCE, _HOUSE, _ROAD, _BLOCK, _DASH = (1 << k for k in range(10))
_LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_SIGNS = {
    _TOKEN: f"{_LATIN}{_DIGITS}-－#＃()（）",
    _NUMBER: f"{_LATIN}{_DIGITS}一二三四五六七八九十百",
    _DIGIT: _DIGITS,
    _ADMIN: "省市区县旗州镇乡",
    _SENTENCE: "的了是在和与及被把将请为从至到经",
    _HOUSE: "号栋幢座室弄楼层组户",
    _ROAD: "路街道巷弄村屯苑庄里",
    _BLOCK: "栋幢座楼",
    _DASH: "-－",
}
_ROADS = ("胡同", "社区", "小区", "花园", "家园", "新城", "广场", "大厦", "公寓")
"""Those without a character of `_ROAD`: what else is called a road ends with one."""

_NO_HOUSES = ("线", "文", "令", "公告", "机", "门店", "仓", "库", "车", "台", "窗", "柜", "航")
"""Behind a number and 号 they make it a line, a notice or a counter: no house."""


@cache
def _classes() -> NDArray[np.uint16]:
    """Return for each character, up to U+FFFF, what it may be in an address."""
    table = np.zeros(0x10000, np.uint16)
    table[0x4E00:0xA000] |= _HAN | _TOKEN
    for bit, signs in _SIGNS.items():
        for sign in signs:
            table[ord(sign)] |= bit
    return table


def addresses(text: TextSigns, runs: Runs, told: str) -> Spans:
    """Return addresses with a house number at least."""
    raw = text.raw
    low, high = _windows(raw, runs)
    if not len(low):
        return spans_of(raw, "address", "address-house", "low", low, low)
    tokens = _tokens(text, text.first_from(low), text.last_up_to(high))
    labelled = any(word in told for word in ("地址", "住址", "addr"))
    begin, end, level, room = _judged(tokens, labelled)
    from_sign, to_sign = tokens.source + begin - tokens.begin, tokens.source + end - tokens.begin
    stays = (level >= 0) & (text.codes[to_sign] != ord("*"))  # masked already
    start, stop = text.places[from_sign[stays]], text.places[to_sign[stays]]
    rule = np.where(room, RULES.index("address-room"), RULES.index("address-house")).astype(np.int8)
    return spans_of(raw, "address", rule[stays], level[stays], start, stop)


def _windows(raw: bytes, runs: Runs) -> tuple[Longs, Longs]:
    """Return parts of lines in which an address may stand; none overlaps the one before."""
    places = _places(raw, runs)
    if not len(places):
        return places, places
    data = np.frombuffer(raw, np.uint8)
    breaks = np.concatenate([[-1], np.flatnonzero(data == 10), [len(raw)]])
    line = np.searchsorted(breaks, places)
    low = np.maximum(breaks[line - 1] + 1, places - BEFORE)
    high = np.minimum(breaks[line], places + AFTER)
    for _ in range(3):
        inside = high < len(raw)
        high += inside & (data[np.minimum(high, len(raw) - 1)] & 0xC0 == 0x80)
    kept = _first_behind_each(line, np.searchsorted(places, high))
    low, high = low[kept], high[kept]
    low[1:] = np.maximum(low[1:], high[:-1])
    return low, high


def _first_behind_each(line: Longs, after: Longs) -> Longs:
    """Return places of which each is the first behind the window of the one before.

    No window goes over a line: the first place of each line is always one, and the lines are gone through at
    the same time.

    Parameters
    ----------
    line, after : array of int64
        Of each place its line, and the first place behind its window.
    """
    now = np.flatnonzero(np.diff(line, prepend=-1))
    kept = []
    while len(now):
        kept.append(now)
        then = after[now]
        goes_on = then < len(line)
        goes_on[goes_on] = line[then[goes_on]] == line[now[goes_on]]
        now = then[goes_on]
    return np.sort(np.concatenate(kept))


def _places(raw: bytes, runs: Runs) -> Longs:
    """Return where a number and a word of a house meet, and where some words stand that need no number."""
    data, end = runs.data, runs.end
    places = np.zeros(0, np.int64)
    if len(end):
        ends = end[data[end] >= 0xE0]  # a character of three bytes, by its number
        codes = ((data[ends] & np.uint16(15)) << 12) | ((data[ends + 1] & np.uint16(63)) << 6)
        places = ends[_end_codes()[codes | (data[ends + 2] & np.uint16(63))]] - 1
    found = [places]
    one, two, three = data[1:-2], data[2:-1], data[3:]
    for word in map(str.encode, _LITERALS):
        at = np.flatnonzero((one == word[0]) & (two == word[1]) & (three == word[2]))
        for k in range(3, len(word)):
            at = at[data[at + 1 + k] == word[k]]
        found.append(at)
    return np.sort(np.concatenate(found))


@cache
def _end_codes() -> Bools:
    table = np.zeros(0x10000, np.bool_)
    table[[ord(word) for word in _ENDS]] = True
    return table


class _Tokens(NamedTuple):
    """Tokens one after the other, a line break before and behind each; ``source``: its sign in the text."""

    signs: NDArray[np.uint16]
    bits: NDArray[np.uint16]
    begin: Longs
    end: Longs
    source: Longs


def _tokens(text: TextSigns, low: Longs, high: Longs) -> _Tokens:
    """Return the tokens of parts of a text, given by their signs."""
    bits = _classes()[text.classed]
    begin, stop = _runs_within((bits & _TOKEN) != 0, low, high)
    han = np.append(np.flatnonzero(bits & _HAN), len(bits))
    met = ((bits[:-1] & _NUMBER) != 0) & ((bits[1:] & _HAN) != 0)
    numbered = np.concatenate([[0], np.cumsum(met, dtype=np.int32)])
    some = numbered[stop - 1] > numbered[begin]
    begin, stop = begin[some], stop[some]
    begins, ends = [], []
    while len(begin):
        begin = han[np.searchsorted(han, begin)]
        some = begin + SHORTEST <= stop
        begin, stop = begin[some], stop[some]
        begins.append(begin)
        ends.append(np.minimum(begin + LONGEST, stop))
        more = ends[-1] < stop
        begin, stop = ends[-1][more], stop[more]
    first = np.concatenate(begins) if begins else np.zeros(0, np.int64)
    size = (np.concatenate(ends) if ends else first) - first
    order = np.argsort(first)
    first, size = first[order], size[order]
    at = np.cumsum(size + 1) - size  # one sign is free before each
    put = _spread(at, size)
    signs = np.full(int(size.sum()) + len(size) + 4, 10, np.uint16)  # no sign of a token is above U+FFFF
    signs[put] = text.classed[put + np.repeat(first - at, size)]
    return _Tokens(signs, _classes()[signs], at, at + size, first)


def _runs_within(what: Bools, low: Longs, high: Longs) -> tuple[Longs, Longs]:
    """Return where what is true begins and ends within parts, in order, that do not overlap."""
    low, high = low[low < high], high[low < high]
    edges = np.flatnonzero(np.diff(what, prepend=False, append=False))
    begin, stop = edges[::2], edges[1::2]
    # runs of each part: the first that ends behind its begin, up to the last that begins before its end
    first, last = np.searchsorted(stop, low, side="right"), np.searchsorted(begin, high)
    count = np.maximum(last - first, 0)
    part, run = np.repeat(np.arange(len(low)), count), _spread(first, count)
    return np.maximum(begin[run], low[part]), np.minimum(stop[run], high[part])


def _spread(begin: Longs, size: Longs) -> Longs:
    """Return the places of all parts that begin somewhere and have a size."""
    before = np.cumsum(size) - size
    return np.repeat(begin - before, size) + np.arange(int(size.sum()))


def _pair(signs: NDArray[np.uint16], word: str) -> Bools:
    """Return where a word of two characters stands."""
    made = np.zeros(len(signs), np.bool_)
    made[:-1] = (signs[:-1] == ord(word[0])) & (signs[1:] == ord(word[1]))
    return made


def _without_no_houses(tokens: _Tokens) -> NDArray[np.uint16]:
    """Return what the signs are, nothing where a number with 号 is no house: 3号线."""
    signs, bits = tokens.signs, tokens.bits
    numbered = np.flatnonzero(signs == ord("号"))
    numbered = numbered[(bits[numbered - 1] & _DIGIT) != 0]
    follows = np.isin(signs[numbered + 1], [ord(word[0]) for word in _NO_HOUSES])
    plain = bits
    for at in numbered[follows].tolist():
        words = [word for word in _NO_HOUSES if all(signs[at + 1 + k] == ord(s) for k, s in enumerate(word))]
        if words:
            plain = bits.copy() if plain is bits else plain
            first = at
            while bits[first - 1] & _DIGIT:
                first -= 1
            plain[first : at + 1 + len(words[0])] = 0
    return plain


def _judged(tokens: _Tokens, labelled: bool) -> tuple[Longs, Longs, NDArray[np.int8], Bools]:
    """Return of each token from where to where the address goes, its confidence (-1: none), and any room."""
    signs, size = tokens.signs, len(tokens.signs)
    plain = _without_no_houses(tokens)
    unit = _pair(signs, "单元")
    after_number = np.zeros(size, np.bool_)
    after_number[1:] = (plain[:-1] & _NUMBER) != 0
    house = after_number & (((plain & _HOUSE) != 0) | unit)
    long = unit | _pair(signs, "号楼") | _pair(signs, "号院")
    places = np.append(np.flatnonzero(house), size)
    first = np.searchsorted(places, tokens.begin)
    count = np.searchsorted(places, tokens.end) - first
    last = places[np.maximum(first + count - 1, 0)]
    last = np.where(count > 0, last, tokens.begin)
    end = last + 1 + long[last]
    end += _tail(tokens, end)
    begin = _begin(
        plain, tokens, np.where(count > 0, places[np.minimum(first, len(places) - 1)], tokens.begin)
    )
    road = _counted((plain & _ROAD) != 0, begin, end - 1) > 0
    named = np.zeros(size, np.bool_)
    for word in _ROADS:
        named |= _pair(signs, word)
    road |= _counted(named, begin, end - 2) > 0
    admins = _counted((plain & _ADMIN) != 0, begin, end)
    room = _has_room(signs, plain, after_number, begin, end)
    sure = (admins > 0) & (room | (admins > 1) | labelled)
    likely = (admins > 0) | room | labelled
    levels = [CONFIDENCES.index(level) for level in ("high", "medium", "low")]
    level = np.select([~road | (count == 0), sure, likely], [-1, *levels[:2]], levels[2]).astype(np.int8)
    return begin, end, level, room


def _counted(what: Bools, begin: Longs, end: Longs) -> Longs:
    """Return how many there are from a begin up to an end."""
    total = np.zeros(len(what) + 1, np.int32)
    np.cumsum(what, out=total[1:])
    return total[np.maximum(begin, end)] - total[begin]


def _last_before(what: Bools, at: Longs) -> Longs:
    """Return the last place before another at which something is; -1: nowhere."""
    places = np.concatenate([[-1], np.flatnonzero(what)])
    made: Longs = places[np.searchsorted(places, at) - 1]
    return made


def _tail(tokens: _Tokens, end: Longs) -> Longs:
    """Return how many signs of a number go on behind the last house: 3号-12."""
    digit = (tokens.bits & _DIGIT) != 0
    dash = (tokens.bits[end] & _DASH) != 0
    others = np.flatnonzero(~digit)
    first = end + dash
    digits = others[np.searchsorted(others, first)] - first
    return np.where((digits >= 1) & (digits <= 4), digits + dash, 0)


def _begin(plain: NDArray[np.uint16], tokens: _Tokens, house: Longs) -> Longs:
    """Return where the address begins: behind the last word of a sentence before a province, city or town."""
    number = _last_before((plain & _NUMBER) == 0, house) + 1
    head = np.maximum(number, house - 6)
    admin = _last_before((plain & _ADMIN) != 0, head)
    word = _last_before((plain & _SENTENCE) != 0, np.maximum(admin, 0))
    return np.where((admin >= tokens.begin) & (word >= tokens.begin), word + 1, tokens.begin)


def _has_room(
    signs: NDArray[np.uint16], plain: NDArray[np.uint16], after_number: Bools, begin: Longs, end: Longs
) -> Bools:
    """Return whether a room or a unit is told between a begin and an end."""
    unit = _pair(signs, "单元")
    home = (signs == ord("室")) | (signs == ord("户"))
    named = np.flatnonzero(after_number & (home | unit | _pair(signs, "号房")))
    named_end = named + 2 - home[named]
    block = np.flatnonzero(((plain & _BLOCK) != 0) | unit)
    digits = block + 1 + unit[block]
    digits += (plain[digits] & _DASH) != 0
    two = ((plain[digits] & _DIGIT) != 0) & ((plain[digits + 1] & _DIGIT) != 0)
    return _inside(named, named_end, begin + 1, end) | _inside(block[two], digits[two] + 2, begin, end)


def _inside(start: Longs, stop: Longs, begin: Longs, end: Longs) -> Bools:
    """Return whether any of some parts, in order, lies between a begin and an end."""
    if not len(start):
        return np.zeros(len(begin), np.bool_)
    first = np.searchsorted(start, begin)
    there = first < len(start)
    made: Bools = there & (stop[np.minimum(first, len(stop) - 1)] <= end)
    return made
