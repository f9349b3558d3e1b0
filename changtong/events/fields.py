"""Kernels that cut text into fields, byte by byte: which fields a line has, and where they lie.

A reader hands over a buffer of UTF-8 bytes; every line is told apart, good or bad, with its
number in the file. Nothing is decoded here and nothing is copied: a field is a place in the
buffer and a length. Quotes are those of RFC 4180.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.events.loads import ONES, byte_is, first_byte, is_plain, load
from changtong.flows.trees import JIT

_U = np.uint64

GOOD, FEWER, MORE, NUL, QUOTE, OPEN = range(6)
"""What a line may be: whole; too few or too many fields; a NUL byte; text after a closing quote;
a quote that is never closed."""

LINE_REASONS = {
    FEWER: "too-few-fields",
    MORE: "too-many-fields",
    NUL: "nul-byte",
    QUOTE: "text-after-quote",
    OPEN: "open-quote",
}

LONGEST = 1 << 20
"""Bytes after which a quoted field is taken to be one whose quote was never closed."""

_NEWLINE, _RETURN, _QUOTE = 10, 13, 34


@njit(**JIT)
def split(buf, end, last, separator, n_fields, slot, starts, lengths, state, lines, line):
    """Cut ``buf[:end]`` into lines and fields, as many lines as there is room for.

    ``slot[k]`` is where the k-th field goes in ``starts`` and ``lengths`` (rows, wanted fields),
    -1 for a field nobody wants. ``state`` and ``lines`` hold what each line is and its number.
    ``last``: the buffer ends the file. Doubled quotes are undone in the buffer. Returns the
    lines found, the bytes used and the number of the next line; what follows is an unfinished
    line, to be given again with the bytes after it.
    """
    n = 0
    at = 0
    separators, newlines = ONES * _U(separator), ONES * _U(_NEWLINE)
    while at < end and n < state.shape[0]:
        begin = at
        first = line
        field = 0
        kind = GOOD
        done = False
        while not done:
            # one field from ``at``
            from_ = at
            to = at
            if at < end and buf[at] == _QUOTE:
                opened = at
                at += 1
                from_ = at
                to = at
                closed = False
                while at < end and at - opened < LONGEST:
                    b = buf[at]
                    if b == _QUOTE:
                        if at + 1 < end and buf[at + 1] == _QUOTE:
                            at += 1
                        elif at + 1 >= end and not last:
                            return n, begin, first
                        else:
                            closed = True
                            at += 1
                            break
                    elif b == _NEWLINE:
                        line += 1
                    elif b == 0:
                        kind = NUL
                    buf[to] = buf[at]
                    to += 1
                    at += 1
                if not closed:
                    if at >= end and not last and at - opened < LONGEST:
                        return n, begin, first
                    kind = OPEN  # give up this line alone: go on after its first newline
                    at = begin
                    line = first
                    while at < end and buf[at] != _NEWLINE:
                        at += 1
                elif at < end and buf[at] != separator and buf[at] != _NEWLINE and buf[at] != _RETURN:
                    if kind == GOOD:
                        kind = QUOTE
                    while at < end and buf[at] != separator and buf[at] != _NEWLINE:
                        at += 1
            else:
                while at < end:
                    if at + 8 <= end:
                        word = load(buf, np.int64(at))
                        marks = byte_is(word, separators) | byte_is(word, newlines) | byte_is(word, _U(0))
                        if marks == _U(0):
                            at += 8
                            continue
                        at += first_byte(marks)
                    b = buf[at]
                    if b == separator or b == _NEWLINE:  # noqa: SIM109
                        break
                    if b == 0:
                        kind = NUL
                    at += 1
                to = at
                if to > from_ and (at >= end or buf[at] == _NEWLINE) and buf[to - 1] == _RETURN:
                    to -= 1
            if field < n_fields and slot[field] >= 0:
                starts[n, slot[field]] = from_
                lengths[n, slot[field]] = to - from_
            field += 1
            if at < end and buf[at] == _RETURN:  # after a closing quote
                at += 1
            if at >= end:
                if not last:
                    return n, begin, first
                done = True
            elif buf[at] == _NEWLINE:
                at += 1
                line += 1
                done = True
            elif kind == OPEN:
                done = True
            else:
                at += 1
        blank = field == 1 and kind == GOOD and to == from_
        if blank:
            continue
        if kind == GOOD and field != n_fields:
            kind = FEWER if field < n_fields else MORE
        state[n] = kind
        lines[n] = first
        n += 1
    return n, at, line


@njit(**JIT)
def trim(buf, starts, lengths):
    """Take blanks off both ends of every field."""
    for i in range(starts.shape[0]):
        for k in range(starts.shape[1]):
            s = starts[i, k]
            m = lengths[i, k]
            while m > 0 and (buf[s] == 32 or buf[s] == 9):
                s += 1
                m -= 1
            while m > 0 and (buf[s + m - 1] == 32 or buf[s + m - 1] == 9):
                m -= 1
            starts[i, k] = s
            lengths[i, k] = m


@njit(**JIT)
def is_clean(buf, start, length):
    """Return whether a field is sound UTF-8 without control characters, and begins no formula."""
    if length > 0:
        b = buf[start]
        if b == 61 or b == 43 or b == 64 or b == 45:  # = + @ -
            return False
    if is_plain(buf, start, length):
        return True
    i = start
    end = start + length
    while i < end:
        b = buf[i]
        if b < 32 or b == 127:
            return False
        if b < 128:
            i += 1
            continue
        if b < 0xC2 or b > 0xF4:
            return False
        more = 1 if b < 0xE0 else (2 if b < 0xF0 else 3)
        if i + more >= end:
            return False
        for k in range(1, more + 1):
            if buf[i + k] < 0x80 or buf[i + k] > 0xBF:
                return False
        c = buf[i + 1]
        if (
            (b == 0xE0 and c < 0xA0)
            or (b == 0xED and c > 0x9F)
            or (b == 0xF0 and c < 0x90)
            or (b == 0xF4 and c > 0x8F)
            or (b == 0xC2 and c < 0xA0)  # C1 controls
            or (b == 0xEF and c == 0xBF and buf[i + 2] == 0xBD)  # the mark of lost characters
        ):
            return False
        i += more + 1
    return True


@njit(**JIT)
def gather(buf, starts, lengths, offsets, out):
    for i in range(starts.shape[0]):
        for b in range(lengths[i]):
            out[offsets[i] + b] = buf[starts[i] + b]


def wanted(fields: list[int | None], n_fields: int) -> NDArray[np.int64]:
    """Return where each of ``n_fields`` goes: the place of its number in ``fields``, else -1."""
    slot = np.full(n_fields, -1, np.int64)
    for place, field in enumerate(fields):
        if field is not None:
            slot[field] = place
    return slot
