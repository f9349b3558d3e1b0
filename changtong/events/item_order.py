"""Rows of the log brought together by item, a part of the items at a time: bounded memory.

Keys of items are 64-bit pseudonyms. A part takes the items whose hash falls in its range; within
it, rows go to buckets small enough for the cache, and there to the run of their item.
"""

from __future__ import annotations

from mmap import mmap
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.trees import JIT

ROWS_OF_A_PART = 6_000_000
"""Rows a part holds about: 37 bytes each, for every core at work."""

ROWS_OF_A_BUCKET = 4096

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_BUCKET_BITS = np.uint64(16)


@njit(**JIT)
def mixed(key):
    """Return a key's hash: keys of logs that are not keyed may be small numbers in a row."""
    x = np.uint64(key)
    x = (x ^ (x >> np.uint64(32))) * _SPREAD
    return (x ^ (x >> np.uint64(29))) * _SPREAD


@njit(**JIT)
def rows_of_part(item, code, left_out, part, parts, rows):
    """Fill ``rows`` with the rows of the items of a part, ascending, and return how many there are.

    ``parts`` is a power of two. Rows without an item, or with a code that is ``left_out``, are in no part.
    """
    n = 0
    last = np.uint64(parts - 1)
    want = np.uint64(part)
    for i in range(item.shape[0]):
        if item[i] != 0 and mixed(item[i]) & last == want and not left_out[code[i]]:
            if n < rows.shape[0]:
                rows[n] = i
            n += 1
    return n


@njit(**JIT)
def by_item(item, at_ms, buckets, order, ptr):
    """Order the rows of a part by item and time; rows alike in both keep their order.

    ``order`` gets the rows, ``ptr`` where each item's run begins in it. Returns the number of items.
    The order of items among each other is that of a hash.
    """
    n = item.shape[0]
    begin = np.zeros(buckets + 1, np.int64)
    last = np.uint64(buckets - 1)
    for i in range(n):
        begin[np.int64((mixed(item[i]) >> _BUCKET_BITS) & last) + 1] += 1
    most = 0
    for b in range(buckets):
        most = max(most, begin[b + 1])
        begin[b + 1] += begin[b]
    bucket_rows = np.empty(n, np.int32)
    fill = begin[:-1].copy()
    for i in range(n):
        b = np.int64((mixed(item[i]) >> _BUCKET_BITS) & last)
        bucket_rows[fill[b]] = i
        fill[b] += 1
    size = 16
    while size < 2 * most:
        size *= 2
    slot_key = np.zeros(size, np.int64)
    slot_run = np.empty(size, np.int32)
    run_of = np.empty(most, np.int32)
    count = np.empty(most + 1, np.int32)
    items = 0
    ptr[0] = 0
    for b in range(buckets):
        first, end = begin[b], begin[b + 1]
        if first == end:
            continue
        used = 16
        while used < 2 * (end - first):
            used *= 2
        slot_key[:used] = 0
        runs = 0
        for k in range(first, end):
            key = item[bucket_rows[k]]
            at = np.int64((mixed(key) >> np.uint64(40)) & np.uint64(used - 1))
            while slot_key[at] != 0 and slot_key[at] != key:
                at = (at + 1) & (used - 1)
            if slot_key[at] == 0:
                slot_key[at] = key
                slot_run[at] = runs
                count[runs] = 0
                runs += 1
            run_of[k - first] = slot_run[at]
            count[slot_run[at]] += 1
        where = first
        for r in range(runs):
            where += count[r]
            count[r] = where - count[r]
            ptr[items + r + 1] = where
        for k in range(first, end):
            r = run_of[k - first]
            order[count[r]] = bucket_rows[k]
            count[r] += 1
        for r in range(items, items + runs):
            by_time(at_ms, order[ptr[r] : ptr[r + 1]])
        items += runs
    return items


@njit(**JIT)
def by_time(at_ms, rows):
    """Order a few rows by time in place; equal times keep their order."""
    n = rows.shape[0]
    sorted_already = True
    for k in range(1, n):
        if at_ms[rows[k]] < at_ms[rows[k - 1]]:
            sorted_already = False
            break
    if sorted_already:
        return
    if n > 64:
        times = np.empty(n, np.int64)
        for k in range(n):
            times[k] = at_ms[rows[k]]
        rows[:] = rows[np.argsort(times, kind="mergesort")]
        return
    for k in range(1, n):
        row = rows[k]
        t = at_ms[row]
        j = k - 1
        while j >= 0 and at_ms[rows[j]] > t:
            rows[j + 1] = rows[j]
            j -= 1
        rows[j + 1] = row


def parts_for(rows: int) -> int:
    """Return how many parts to take the items in: a power of two."""
    parts = 1
    while rows > parts * ROWS_OF_A_PART:
        parts *= 2
    return parts


def buckets_for(rows: int) -> int:
    """Return how many buckets a part's rows go to: a power of two."""
    buckets = 1
    while rows > buckets * ROWS_OF_A_BUCKET:
        buckets *= 2
    return buckets


def copied(values: NDArray[Any]) -> NDArray[Any]:
    """Return a copy in memory of its own, which goes back to the system as soon as nobody has it."""
    if not values.nbytes:
        return values.copy()
    copy: NDArray[Any] = np.frombuffer(mmap(-1, values.nbytes), values.dtype)
    copy[:] = values
    return copy
