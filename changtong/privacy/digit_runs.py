"""Runs of digits in a text, found with arrays: which of them could be a phone, an ID or a card number.

A regular expression looks at every sign several times; runs of digits are found in three passes.
What is found here are candidates: their form fits, and so does what can be computed from the digits alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from changtong.privacy.words import card_ranges, words

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
"""GB 11643: weights of the first 17 digits; the sum modulo 11 gives the last sign."""

ID_SIGNS = b"10X98765432"
FIRST_YEAR, LAST_YEAR = 1900, 2099
_DAYS = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class Candidates(NamedTuple):
    """Where numbers of one form may stand, in bytes, and the digits of each."""

    kind: str
    form: str
    start: Longs
    end: Longs
    digits: NDArray[np.uint8]


class Runs(NamedTuple):
    """Runs of digits: begins, ends, lengths, the bytes before and after; ``data`` ends with padding."""

    data: NDArray[np.uint8]
    start: Longs
    end: Longs
    length: Longs


PAD = 32


def runs_of(raw: bytes) -> Runs:
    """Return the runs of digits of a text in UTF-8."""
    data = np.frombuffer(b"\n" + raw + b"\n" * PAD, np.uint8)
    is_digit = (data - np.uint8(48)) < 10
    edges = np.flatnonzero(is_digit[1:] != is_digit[:-1]) + 1
    start, end = edges[::2], edges[1::2]
    return Runs(data, start, end, end - start)


def candidates(runs: Runs) -> list[Candidates]:
    """Return the numbers that may be personal data, form by form; places are those of the raw text."""
    if not len(runs.start):
        return []
    found: list[Candidates] = []
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
            if right.any():
                start, stop = runs.start[rows[right]] - 1, ends[right] - 1
                found.append(Candidates(kind, form, start, stop, matrix[right]))
    return found


class _Free(NamedTuple):
    before: Bools
    after: Bools


def _stands_alone(runs: Runs) -> _Free:
    """Return which runs begin, and which end, a word of their own: no part of a decimal or an id."""
    data, start, end = runs.data, runs.start, runs.end
    before, second = data[start - 1], data[np.maximum(start - 2, 0)]
    letter = _is_letter(before) & (second != 92)  # not the n of a "\n" written out
    digit_before = (second - np.uint8(48)) < 10
    joined = np.isin(before, np.frombuffer(b".-_/:", np.uint8)) & (digit_before | _is_letter(second))
    joined |= (before == 95) | (before == 46)
    return _Free(~letter & ~joined, _free_after(data, end))


def _free_after(data: NDArray[np.uint8], end: Longs) -> Bools:
    after, second = data[end], data[end + 1]
    goes_on = _is_letter(second) | ((second - np.uint8(48)) < 10)
    joined = np.isin(after, np.frombuffer(b".-/:", np.uint8)) & goes_on
    digit = (after - np.uint8(48)) < 10
    bad: Bools = _is_letter(after) | joined | (after == 95) | digit
    return ~bad


def _is_letter(signs: NDArray[np.uint8]) -> Bools:
    made: Bools = ((signs | 32) - np.uint8(97)) < 26
    return made


_GAPS = np.zeros(256, np.bool_)
_GAPS[list(b" -)")] = True


def _fitting(runs: Runs, rows: Longs, parts: tuple[int, ...], first: bytes, x_too: bool) -> Longs:
    """Return the first run of every group of runs with these lengths, one space or dash between them."""
    rows = rows[rows <= len(runs.length) - len(parts)]
    for at, sign in enumerate(first):
        rows = rows[runs.data[runs.start[rows] + at] == sign]
    for k, size in enumerate(parts[1:], 1):
        rows = rows[runs.length[rows + k] == size]
        gap = runs.start[rows + k] - runs.end[rows + k - 1]
        rows = rows[(gap == 1) & _GAPS[runs.data[runs.end[rows + k - 1]]]]
    if len(parts) > 1 and len(rows):
        # a longer chain of the same parts (2022-138-0013-8000) is some other number
        before = np.maximum(rows - 1, 0)
        chained = (
            (rows > 0) & (runs.start[rows] - runs.end[before] == 1) & (runs.data[runs.end[before]] == 45)
        )
        rows = rows[~chained]
    if x_too and len(rows):
        last = rows + len(parts) - 1
        rows = rows[(runs.data[runs.end[last]] | 32) == 120]
    return rows


def _digits(runs: Runs, rows: Longs, parts: tuple[int, ...], x_too: bool) -> NDArray[np.uint8]:
    columns = [sliding_window_view(runs.data, size)[runs.start[rows + k]] for k, size in enumerate(parts)]
    if x_too:
        columns.append(np.full((len(rows), 1), 88, np.uint8))
    return np.concatenate(columns, axis=1)


def value_of(matrix: NDArray[np.uint8], begin: int, end: int) -> Longs:
    """Return columns of digits as numbers."""
    total = np.zeros(len(matrix), np.int64)
    for k in range(begin, end):
        total = total * 10 + (matrix[:, k].astype(np.int64) - 48)
    return total


def _mobile(matrix: NDArray[np.uint8]) -> Bools:
    width = matrix.shape[1]
    made: Bools = (matrix[:, width - 11] == 49) & (matrix[:, width - 10] >= 51)
    return made


def _id_number(matrix: NDArray[np.uint8]) -> Bools:
    """Return which are of a province, on a day there was, with the right last sign."""
    known = np.zeros(100, np.bool_)
    known[[int(prefix) for prefix in words()["id_regions"]["prefixes"]]] = True
    right = known[value_of(matrix, 0, 2)]
    if matrix.shape[1] == 15:
        return right & _is_day(
            1900 + value_of(matrix, 6, 8), value_of(matrix, 8, 10), value_of(matrix, 10, 12)
        )
    right &= _is_day(value_of(matrix, 6, 10), value_of(matrix, 10, 12), value_of(matrix, 12, 14))
    total = ((matrix[:, :17].astype(np.int64) - 48) * ID_WEIGHTS).sum(axis=1) % 11
    made: Bools = right & (np.frombuffer(ID_SIGNS, np.uint8)[total] == matrix[:, 17])
    return made


def _is_day(year: Longs, month: Longs, day: Longs) -> Bools:
    right = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    most = _DAYS[np.clip(month - 1, 0, 11)] - ((month == 2) & ~leap)
    made: Bools = right & (day <= most)
    return made


def _bank_card(matrix: NDArray[np.uint8]) -> Bools:
    """Return which end with the check digit of Luhn and begin as some card does."""
    digits = matrix[:, ::-1].astype(np.int64) - 48
    doubled = digits[:, 1::2] * 2
    total = digits[:, ::2].sum(axis=1) + (doubled - 9 * (doubled > 9)).sum(axis=1)
    made: Bools = card_known(matrix) & (total % 10 == 0)
    return made


def card_known(matrix: NDArray[np.uint8], *, sure: bool = False) -> Bools:
    """Return which begin as some card does; ``sure``: as one of those that little else begins as."""
    known = np.zeros(len(matrix), np.bool_)
    for one in card_ranges():
        if matrix.shape[1] in one.digits and (one.sure or not sure):
            first = value_of(matrix, 0, len(str(one.begin)))
            known |= (first >= one.begin) & (first <= max(one.begin, one.end))
    return known


def _any(matrix: NDArray[np.uint8]) -> Bools:
    return np.ones(len(matrix), np.bool_)


_CHECKS = {"phone": _mobile, "landline": _any, "id_number": _id_number, "bank_card": _bank_card}

_FORMS: tuple[tuple[str, str, bytes, tuple[int, ...], bool], ...] = (
    ("phone", "mobile", b"1", (11,), False),
    ("phone", "mobile-split", b"1", (3, 4, 4), False),
    ("phone", "mobile-split", b"1", (3, 8), False),
    ("phone", "mobile-86", b"86", (13,), False),
    ("phone", "mobile-86", b"86", (2, 11), False),
    ("phone", "mobile-86", b"86", (2, 3, 4, 4), False),
    ("phone", "mobile-86", b"0086", (15,), False),
    ("phone", "mobile-86", b"0086", (4, 11), False),
    ("phone", "mobile-0", b"0", (12,), False),
    ("landline", "area", b"0", (3, 8), False),
    ("landline", "area", b"0", (4, 8), False),
    ("landline", "area", b"0", (4, 7), False),
    ("landline", "area-86", b"86", (2, 2, 8), False),
    ("landline", "area-86", b"86", (2, 3, 8), False),
    ("landline", "area-86", b"86", (2, 3, 7), False),
    ("landline", "area-joined", b"0", (11,), False),
    ("landline", "area-joined", b"0", (12,), False),
    ("id_number", "id-18", b"", (18,), False),
    ("id_number", "id-18", b"", (17,), True),
    ("id_number", "id-18", b"", (6, 8, 4), False),
    ("id_number", "id-18", b"", (6, 8, 3), True),
    ("id_number", "id-15", b"", (15,), False),
    ("bank_card", "card", b"", (15,), False),
    ("bank_card", "card", b"", (16,), False),
    ("bank_card", "card", b"", (17,), False),
    ("bank_card", "card", b"", (18,), False),
    ("bank_card", "card", b"", (19,), False),
    ("bank_card", "card", b"", (4, 4, 4, 4), False),
    ("bank_card", "card", b"", (4, 4, 4, 4, 3), False),
)
"""Kind, form, first digits, lengths of the runs, and whether an X follows."""
