"""Finds as columns: where each stands, its kind, confidence and rule; one object a find only where asked for.

A text with a name, a phone number and an address in each line has hundreds of thousands of finds: they are
judged, sorted and counted as arrays, and only the few that are listed become objects.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Codes = NDArray[np.int8]

HIGH, MEDIUM, LOW = "high", "medium", "low"
CONFIDENCES = (LOW, MEDIUM, HIGH)

KINDS = ("id_number", "email", "bank_card", "phone", "plate", "passport", "address", "name")
_RANKS = np.array([0, 1, 2, 2, 3, 3, 4, 5])
"""Of two finds that overlap and are as sure, the kind with the lower rank stays."""

RULES = (
    "mobile", "mobile-split", "mobile-86", "mobile-0", "landline", "id-18", "id-15", "card-luhn", "email",
    "plate", "passport-labelled", "address-room", "address-house", "name-beside-phone",
    "name-beside-id_number", "name-beside-address", "name-labelled", "name-column", "name-values",
)  # fmt: skip


class Span(NamedTuple):
    """Where something stands in a text, in bytes of UTF-8, and what it is; ``text`` is the value itself."""

    kind: str
    confidence: str
    rule: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Spans:
    """Finds in a text, as columns.

    Attributes
    ----------
    raw : bytes
        The text that was read.
    kind, level, rule : array of int8
        Places in `KINDS`, `CONFIDENCES` and `RULES`.
    start, end : array of int64
        Bytes of the text that was given.
    raw_start, raw_end : array of int64
        Bytes of ``raw``; others than those above only where full-width signs were read as usual ones.
    """

    raw: bytes
    kind: Codes
    level: Codes
    rule: Codes
    start: Longs
    end: Longs
    raw_start: Longs
    raw_end: Longs

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[Span]:
        columns = (self.kind, self.level, self.rule, self.start, self.end, self.raw_start, self.raw_end)
        for kind, level, rule, start, end, low, high in zip(*(c.tolist() for c in columns), strict=True):
            text = self.raw[low:high].decode("utf-8", "replace")
            yield Span(KINDS[kind], CONFIDENCES[level], RULES[rule], start, end, text)

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Spans:
        """Return some of the finds."""
        return Spans(
            self.raw, self.kind[rows], self.level[rows], self.rule[rows], self.start[rows], self.end[rows],
            self.raw_start[rows], self.raw_end[rows],
        )  # fmt: skip


def spans_of(raw: bytes, kind: str, rule: str | Codes, level: str | Codes, start: Longs, end: Longs) -> Spans:
    """Return finds of one kind; a rule or a confidence that all share may be given by its name."""
    size = len(start)
    rules = np.full(size, RULES.index(rule), np.int8) if isinstance(rule, str) else rule
    levels = np.full(size, CONFIDENCES.index(level), np.int8) if isinstance(level, str) else level
    return Spans(raw, np.full(size, KINDS.index(kind), np.int8), levels, rules, start, end, start, end)


def spans_in_rows(raw: bytes, kind: str, found: Sequence[tuple[str, str, int, int]]) -> Spans:
    """Return finds of one kind given as confidence, rule, start and end."""
    levels = np.array([CONFIDENCES.index(level) for level, _, _, _ in found], np.int8)
    rules = np.array([RULES.index(rule) for _, rule, _, _ in found], np.int8)
    start = np.array([start for _, _, start, _ in found], np.int64)
    end = np.array([end for _, _, _, end in found], np.int64)
    return spans_of(raw, kind, rules, levels, start, end)


def together(parts: Sequence[Spans]) -> Spans:
    """Return finds in the same text as one."""
    if len(parts) == 1:
        return parts[0]
    return Spans(
        parts[0].raw,
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.level for part in parts]),
        np.concatenate([part.rule for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.raw_start for part in parts]),
        np.concatenate([part.raw_end for part in parts]),
    )


def lines_of(raw: bytes, spans: Spans) -> NDArray[np.int64]:
    """Return the line of each find, from 0."""
    if not len(spans):
        return spans.start
    ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == 10)
    return np.searchsorted(ends, spans.start)


def without_overlaps(spans: Spans) -> Spans:
    """Return finds in order of place; of two that overlap the one more certain, then the longer one."""
    spans = spans.at(np.argsort(spans.start, kind="stable"))
    if len(spans) < 2:
        return spans
    reach = np.maximum.accumulate(spans.end)
    apart = np.concatenate([[True], spans.start[1:] >= reach[:-1]])
    if apart.all():
        return spans
    # finds that overlap, straight or through others, are decided on among themselves
    group = np.cumsum(apart) - 1
    crowded = np.bincount(group)[group] > 1
    kept = ~crowded
    kept[_kept(spans, np.flatnonzero(crowded))] = True
    return spans.at(kept)


def _kept(spans: Spans, rows: Longs) -> list[int]:
    """Return which finds stay, taken one by one from the surest."""
    start, end = spans.start[rows], spans.end[rows]
    order = np.lexsort((start, start - end, _RANKS[spans.kind[rows]], -spans.level[rows]))
    stay: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    for row, low, high in zip(rows[order].tolist(), start[order].tolist(), end[order].tolist(), strict=True):
        at = bisect_left(starts, low)
        if (at and ends[at - 1] > low) or (at < len(starts) and starts[at] < high):
            continue
        starts.insert(at, low)
        ends.insert(at, high)
        stay.append(row)
    return stay
