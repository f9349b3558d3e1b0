"""Names of persons: only where something beside them says that a person is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from changtong.privacy.headers import kind_of_header
from changtong.privacy.words import words

NEAR = 48
"""Bytes beside a phone number or an address in which a name may stand."""

_HAN = "\u4e00-\u9fff"
_PLACES = "市县区省镇乡旗盟州站"
_BETWEEN = r"[\s,，:：;；|/\"'“”‘’()（）\[\]{}、=]"


class _Span(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class FoundName(NamedTuple):
    """A name: confidence, rule, place in bytes, the name."""

    confidence: str
    rule: str
    start: int
    end: int
    text: str


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
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    form = name_form()
    after = re.compile(rf"{_BETWEEN}{{1,4}}({form})")
    # after a label, with what stands between in exports: 收件人姓名：张三 / "name": "张三"
    labelled = re.compile(rf"(?:姓名|名称)?[\"']?\s*(?:[:：=,，\t|]|是|为|\s)\s*[\"'“]?({form})")
    return after, labelled


def is_name(text: str) -> bool:
    """Return whether a whole text has the form of a Chinese name.

    Examples
    --------
    >>> is_name("张小明"), is_name("欧阳娜娜"), is_name("包裹"), is_name("小明")
    (True, True, False, False)
    """
    return _whole().fullmatch(text.strip()) is not None


@cache
def _whole() -> re.Pattern[str]:
    return re.compile(name_form())


def names_beside(raw: bytes, spans: Sequence[_Span], told: str) -> Iterator[FoundName]:
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
    yield from _after_labels(raw, seen)


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


def _after_labels(raw: bytes, seen: set[int]) -> Iterator[FoundName]:
    """Return names after words that announce one: 收件人：张三, or "consignee": "张三"."""
    labelled = _patterns()[1]
    for end in _label_ends(raw):
        text = raw[end : end + NEAR].partition(b"\n")[0].decode("utf-8", "ignore")
        found = labelled.match(text)
        if found is not None:
            start = end + len(text[: found.start(1)].encode())
            if start not in seen:
                seen.add(start)
                weak = raw[max(0, end - 4) : end] in (b"name", b"Name")
                level = "medium" if weak else "high"
                yield FoundName(level, "name-labelled", start, start + len(found[1].encode()), found[1])


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
    one, two, three = data[:-2], data[1:-1], data[2:]
    for last in {word[-3:] for word in _labels()}:
        for at in np.flatnonzero((three == last[2]) & (two == last[1]) & (one == last[0])).tolist():
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


def _decoded_from(raw: bytes, low: int, high: int) -> str:
    """Return bytes as text; a character cut in two at the begin is left out."""
    while low < high and raw[low] & 0xC0 == 0x80:
        low += 1
    return raw[low:high].decode("utf-8", "replace")
