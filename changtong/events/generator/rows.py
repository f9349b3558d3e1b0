"""Kernels that write scans as text: CSV lines, or the bytes of a column.

All ids follow from numbers: an item's from its own, a trip's from leg and number, a bag's from
trip and number. Numbers of items are scattered so that neighbours in the log are none in the id.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.events.generator.kernels import (
    ARRIVE,
    BAD_S10,
    BAD_TIME,
    CLASS_BITS,
    DAY_S,
    DEPART,
    GAP,
    HOLD,
    INBOUND,
    LATE,
    LOAD,
    PACK,
    RELEASE,
    S10,
    UNKNOWN_SITE,
    UNLOAD,
    UNPACK,
    below,
    hash3,
    late_s,
    mix,
)
from changtong.flows.trees import FLAT

WAYBILL_PREFIX = b"990"
"""First digits of a domestic waybill; twelve more follow."""

COUNTRIES = b"USJPDEGBKRAUFRSG"
"""Origins of items from abroad."""

S10_FIRST = b"ERCL"
UNREADABLE = ("2022-13-45 25:61:00", "0000-00-00 00:00:00", "#########", "昨天")
"""Times nobody can read."""

LINE = 400
"""Bytes of a line without its site and class texts, at most."""

_U = np.uint64


class Texts(NamedTuple):
    """Texts of a log: bytes, one after the other, and where each begins."""

    seed: np.uint64
    site: NDArray[np.uint8]
    site_ptr: NDArray[np.int64]
    code: NDArray[np.uint8]
    code_ptr: NDArray[np.int64]
    cls: NDArray[np.uint8]
    cls_ptr: NDArray[np.int64]
    unreadable: NDArray[np.uint8]
    unreadable_ptr: NDArray[np.int64]
    unknown: NDArray[np.uint8]  # prefix no site has
    day: NDArray[np.uint8]  # (days, 10); the first is one before the log's
    skew_s: NDArray[np.int64]
    leg_tail: NDArray[np.int32]
    leg_head: NDArray[np.int32]


@njit(**FLAT)
def site_of(row, texts):
    """Return a scan's site."""
    if row.leg < 0:
        return np.int64(-1 - row.leg)
    if row.code == ARRIVE or row.code == UNLOAD or row.code == UNPACK:
        return np.int64(texts.leg_head[row.leg])
    return np.int64(texts.leg_tail[row.leg])


@njit(**FLAT)
def next_of(row, texts):
    """Return the site a scan says is next, -1 where it says none."""
    c = row.code
    if row.leg >= 0 and (c in (PACK, LOAD, DEPART, HOLD, RELEASE)):
        return np.int64(texts.leg_head[row.leg])
    return np.int64(-1)


@njit(**FLAT)
def recorded_s(row, seed):
    """Return the second at which a scan was recorded."""
    h = hash3(seed, row.item, 1, 1)
    if row.flags == LATE:
        return np.int64(row.at) + late_s(h, row.at)
    return np.int64(row.at) + 1 + below(mix(h ^ _U(row.at)), 20)


@njit(**FLAT)
def put_digits(buf, n, value, width):
    """Write a number with leading zeros."""
    for k in range(width):
        buf[n + width - 1 - k] = 48 + value % 10
        value //= 10
    return n + width


@njit(**FLAT)
def put_text(buf, n, text, ptr, k):
    """Write the k-th of some texts."""
    for b in range(ptr[k], ptr[k + 1]):
        buf[n] = text[b]
        n += 1
    return n


@njit(**FLAT)
def put_time(buf, n, t, texts):
    """Write a local time; ``t`` seconds after the log's first midnight, one day before at most."""
    t += DAY_S
    day = t // DAY_S
    within = t - day * DAY_S
    for b in range(10):
        buf[n + b] = texts.day[day, b]
    buf[n + 10] = 32
    hour = within // 3600
    minute = within // 60 % 60
    second = within % 60
    buf[n + 11] = 48 + hour // 10
    buf[n + 12] = 48 + hour % 10
    buf[n + 13] = 58
    buf[n + 14] = 48 + minute // 10
    buf[n + 15] = 48 + minute % 10
    buf[n + 16] = 58
    buf[n + 17] = 48 + second // 10
    buf[n + 18] = 48 + second % 10
    return n + 19


@njit(**FLAT)
def put_item(buf, n, row, seed):
    """Write an item's id: an S10 number, or a waybill of 15 digits."""
    x = _U(row.item)
    if not row.cls & S10:
        for b in range(3):
            buf[n + b] = WAYBILL_PREFIX[b]
        scattered = (x * _U(3_141_592_651) + seed % _U(1_000_000_007) * _U(331)) % _U(1_000_000_000_000)
        return put_digits(buf, n + 3, np.int64(scattered), 12)
    y = np.int64(x // _U(4))
    serial = (y % 100_000_000 * 61_803_397 + np.int64(seed % _U(99_999_989))) % 100_000_000
    buf[n] = S10_FIRST[np.int64(x % _U(4))]
    buf[n + 1] = 65 + y // 100_000_000
    put_digits(buf, n + 2, serial, 8)
    check = s10_check(buf, n + 2)
    if row.flags == BAD_S10:
        check = (check + 1 + below(mix(x ^ _U(row.at)), 9)) % 10
    buf[n + 10] = 48 + check
    if row.cls & INBOUND:
        c = 2 * below(hash3(seed, row.item, 5, 5), len(COUNTRIES) // 2)
        buf[n + 11] = COUNTRIES[c]
        buf[n + 12] = COUNTRIES[c + 1]
    else:
        buf[n + 11] = 67
        buf[n + 12] = 78
    return n + 13


@njit(**FLAT)
def s10_check(buf, n):
    """Return the check digit of eight digits (UPU S10: weights 8 6 4 2 3 5 9 7, modulus 11)."""
    total = 0
    weights = (8, 6, 4, 2, 3, 5, 9, 7)
    for k in range(8):
        total += (buf[n + k] - 48) * weights[k]
    check = 11 - total % 11
    if check == 10:
        return 0
    return 5 if check == 11 else check


@njit(**FLAT)
def put_trip(buf, n, row):
    """Write a trip's id."""
    buf[n] = 86
    n = put_digits(buf, n + 1, row.leg, 6)
    return put_digits(buf, n, row.trip, 6)


@njit(**FLAT)
def put_bag(buf, n, row):
    """Write a bag's id."""
    buf[n] = 66
    n = put_digits(buf, n + 1, row.leg, 6)
    n = put_digits(buf, n, row.trip, 6)
    return put_digits(buf, n, row.bag, 4)


@njit(**FLAT)
def put_site(buf, n, row, texts):
    """Write a scan's site, or one that is none."""
    if row.flags == UNKNOWN_SITE:
        for b in range(texts.unknown.shape[0]):
            buf[n + b] = texts.unknown[b]
        wrong = below(hash3(texts.seed, row.item, row.at, 6), 10_000)
        return put_digits(buf, n + texts.unknown.shape[0], wrong, 4)
    return put_text(buf, n, texts.site, texts.site_ptr, site_of(row, texts))


@njit(**FLAT)
def put_phone(buf, n, row, seed):
    """Write a number that looks like a mobile phone's and is none: China has no numbers in 100."""
    buf[n] = 49
    buf[n + 1] = 48
    buf[n + 2] = 48
    return put_digits(buf, n + 3, below(hash3(seed, row.item, 8, 8), 100_000_000), 8)


@njit(**FLAT)
def on_trip(row):
    """Tell whether a scan has a bag and a trip."""
    c = row.code
    return c in (PACK, LOAD, DEPART, ARRIVE, UNLOAD, UNPACK)


@njit(**FLAT)
def shown_s(row, texts):
    """Return the time a scan shows, by its site's clock."""
    return np.int64(row.at) + texts.skew_s[site_of(row, texts)]


@njit(**FLAT)
def write_lines(rows, first, last, texts, buf, counts, damage):
    """Write rows ``first`` … ``last``-1 as CSV lines; return the bytes and the lines.

    ``counts`` (codes,) and ``damage`` (10,): rows by bit of damage, then of skewed sites, and all.
    Of one story are: row order, and gaps, which are counted and not written.
    """
    n = 0
    lines = 0
    for i in range(first, last):
        row = rows[i]
        for b in range(8):
            damage[b] += row.flags >> b & 1
        if row.flags == GAP:
            continue
        lines += 1
        counts[row.code] += 1
        damage[8] += texts.skew_s[site_of(row, texts)] != 0
        n = put_item(buf, n, row, texts.seed)
        buf[n] = 44
        n += 1
        if on_trip(row):
            n = put_bag(buf, n, row)
            buf[n] = 44
            n = put_trip(buf, n + 1, row)
        else:
            buf[n] = 44
            n += 1
        buf[n] = 44
        n = put_text(buf, n + 1, texts.code, texts.code_ptr, row.code)
        buf[n] = 44
        n = put_site(buf, n + 1, row, texts)
        buf[n] = 44
        n += 1
        after = next_of(row, texts)
        if after >= 0:
            n = put_text(buf, n, texts.site, texts.site_ptr, after)
        buf[n] = 44
        n += 1
        if row.flags == BAD_TIME:
            bad = below(hash3(texts.seed, row.item, row.at, 7), texts.unreadable_ptr.shape[0] - 1)
            n = put_text(buf, n, texts.unreadable, texts.unreadable_ptr, bad)
        else:
            n = put_time(buf, n, shown_s(row, texts), texts)
        buf[n] = 44
        n = put_time(buf, n + 1, recorded_s(row, texts.seed), texts)
        buf[n] = 44
        n = put_text(buf, n + 1, texts.cls, texts.cls_ptr, row.cls & CLASS_BITS)
        buf[n] = 44
        n = put_phone(buf, n + 1, row, texts.seed)
        buf[n] = 10
        n += 1
    return n, lines


class Columns(NamedTuple):
    """Columns of some rows, as they go to Parquet; the bytes of ids and where each begins."""

    item: NDArray[np.uint8]
    item_ptr: NDArray[np.int32]
    bag: NDArray[np.uint8]
    bag_ptr: NDArray[np.int32]
    trip: NDArray[np.uint8]
    trip_ptr: NDArray[np.int32]
    phone: NDArray[np.uint8]
    phone_ptr: NDArray[np.int32]
    riding: NDArray[np.bool_]
    code: NDArray[np.int8]
    site: NDArray[np.int32]  # row of the sites; behind them the number of one that is none
    after: NDArray[np.int32]  # -1: none
    at_s: NDArray[np.int64]
    readable: NDArray[np.bool_]
    recorded_s: NDArray[np.int64]
    cls: NDArray[np.int8]


@njit(**FLAT)
def fill_columns(rows, first, last, texts, out, counts, damage):
    """Fill columns with rows ``first`` … ``last``-1; return how many. See :func:`write_lines`."""
    n = 0
    n_sites = texts.skew_s.shape[0]
    for i in range(first, last):
        row = rows[i]
        for b in range(8):
            damage[b] += row.flags >> b & 1
        if row.flags == GAP:
            continue
        counts[row.code] += 1
        damage[8] += texts.skew_s[site_of(row, texts)] != 0
        out.item_ptr[n + 1] = put_item(out.item, np.int64(out.item_ptr[n]), row, texts.seed)
        riding = on_trip(row)
        out.riding[n] = riding
        out.bag_ptr[n + 1] = out.bag_ptr[n]
        out.trip_ptr[n + 1] = out.trip_ptr[n]
        if riding:
            out.bag_ptr[n + 1] = put_bag(out.bag, np.int64(out.bag_ptr[n]), row)
            out.trip_ptr[n + 1] = put_trip(out.trip, np.int64(out.trip_ptr[n]), row)
        out.phone_ptr[n + 1] = put_phone(out.phone, np.int64(out.phone_ptr[n]), row, texts.seed)
        out.code[n] = row.code
        out.site[n] = site_of(row, texts)
        if row.flags == UNKNOWN_SITE:
            out.site[n] = n_sites + below(hash3(texts.seed, row.item, row.at, 6), 10_000)
        out.after[n] = next_of(row, texts)
        out.at_s[n] = shown_s(row, texts)
        out.readable[n] = row.flags != BAD_TIME
        out.recorded_s[n] = recorded_s(row, texts.seed)
        out.cls[n] = row.cls & CLASS_BITS
        n += 1
    return n


@njit(**FLAT)
def _fill_items(rows, seed, text, ptr, site, texts):
    for i in range(rows.shape[0]):
        ptr[i + 1] = put_item(text, ptr[i], rows[i], seed)
        site[i] = site_of(rows[i], texts)


def item_texts(rows: NDArray[np.void], texts: Texts) -> list[str]:
    """Return the ids of the items of some rows, as they are written."""
    text, ptr = np.empty(15 * len(rows) + 1, np.uint8), np.zeros(len(rows) + 1, np.int64)
    _fill_items(rows, texts.seed, text, ptr, np.empty(len(rows), np.int64), texts)
    whole = text[: ptr[-1]].tobytes().decode("ascii")
    return [whole[a:b] for a, b in zip(ptr[:-1], ptr[1:], strict=True)]


def row_sites(rows: NDArray[np.void], texts: Texts) -> NDArray[np.int64]:
    """Return the sites of some rows."""
    text, ptr = np.empty(15 * len(rows) + 1, np.uint8), np.zeros(len(rows) + 1, np.int64)
    site = np.empty(len(rows), np.int64)
    _fill_items(rows, texts.seed, text, ptr, site, texts)
    return site
