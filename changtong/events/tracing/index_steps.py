"""Kernels that number items and places, and bring stays into order.

Items that begin their ways at one site lie near each other in memory, in order of time, and so do the
containers they share: what a place asks of its items is then seldom far from what the place before asked.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT, JIT

DIGIT = 11
"""Bits that are put in order at a time."""


@njit(**JIT)
def number_keys(keys, numbers, table_key, table_number, first):
    """Number keys as they come, from ``first`` on, with an open hash table; return the next number.

    The table's size is a power of two, above the keys it will hold; key 0 does not occur.
    """
    last = np.uint64(table_key.shape[0] - 1)
    for i in range(keys.shape[0]):
        key = keys[i]
        x = np.uint64(key)
        x = (x ^ (x >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        at = np.int64((x ^ (x >> np.uint64(29))) & last)
        while table_key[at] != 0 and table_key[at] != key:
            at = (at + 1) & np.int64(last)
        if table_key[at] == 0:
            table_key[at] = key
            table_number[at] = first
            first += 1
        numbers[i] = table_number[at]
    return first


@njit(**JIT)
def spread_over_runs(first_stay, number):
    """Return the number of the item of every stay."""
    out = np.empty(first_stay[-1], np.int32)
    for x in range(number.shape[0]):
        out[first_stay[x] : first_stay[x + 1]] = number[x]
    return out


@njit(**FLAT)
def order_by(values, order, low, high, spare, count):
    """Order ``order[low:high]``, rows of ``values``, ascending and stable: by digits of eleven bits."""
    n = high - low
    if n < 2:
        return
    ascending = True
    least = most = values[order[low]]
    before = least
    for k in range(low, high):
        x = values[order[k]]
        ascending = ascending and x >= before
        before = x
        least = min(least, x)
        most = max(most, x)
    if ascending:
        return
    if n <= 48:
        for k in range(low + 1, high):
            row = order[k]
            x = values[row]
            j = k - 1
            while j >= low and values[order[j]] > x:
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = row
        return
    shift = np.uint64(0)
    mask = np.uint64((1 << DIGIT) - 1)
    span = np.uint64(most) - np.uint64(least)
    base = np.uint64(least)
    while shift < np.uint64(64) and span >> shift > np.uint64(0):
        for d in range(count.shape[0]):
            count[d] = 0
        for k in range(low, high):
            count[np.int64(((np.uint64(values[order[k]]) - base) >> shift) & mask)] += 1
        where = 0
        for d in range(count.shape[0]):
            count[d], where = where, where + count[d]
        for k in range(low, high):
            d = np.int64(((np.uint64(values[order[k]]) - base) >> shift) & mask)
            spare[low + count[d]] = order[k]
            count[d] += 1
        for k in range(low, high):
            order[k] = spare[k]
        shift += np.uint64(DIGIT)


@njit(**JIT)
def by_place(place, ptr, where):
    """Fill ``where``: the rows of stays by place, in the order they come; ``ptr`` is set as well."""
    for i in range(place.shape[0]):
        ptr[place[i] + 1] += 1
    for p in range(ptr.shape[0] - 1):
        ptr[p + 1] += ptr[p]
    fill = ptr[:-1].copy()
    for i in range(place.shape[0]):
        where[fill[place[i]]] = i
        fill[place[i]] += 1


@njit(**JIT)
def order_places(values, ptr, order, spare, first, last):
    """Order the rows of places ``first`` … ``last``-1 by ``values``."""
    count = np.zeros(1 << DIGIT, np.int64)
    for p in range(first, last):
        order_by(values, order, ptr[p], ptr[p + 1], spare, count)


@njit(**JIT)
def first_sites(first_stay, kind, site_kind, place, from_ms, sites):
    """Return each item's first site (``sites`` where it has none), and when it came there, or anywhere."""
    items = first_stay.shape[0] - 1
    home, since = np.full(items, sites, np.int32), np.empty(items, np.int64)
    for x in range(items):
        since[x] = from_ms[first_stay[x]]
        for j in range(first_stay[x], first_stay[x + 1]):
            if kind[j] == site_kind and (home[x] == sites or from_ms[j] < since[x]):
                home[x] = place[j]
                since[x] = from_ms[j]
    return home, since


@njit(**JIT)
def number_places(met, first_stay, place, begins):
    """Return the number of every place: sites as they are, containers as the items of ``met`` come to them.

    ``place`` is each stay's place in the order of keys, ``begins`` where each kind begins, the same in both.
    """
    number = np.full(begins[-1], -1, np.int32)
    for p in range(begins[1]):
        number[p] = p
    free = begins[1:-1].copy()
    for x in met:
        for j in range(first_stay[x], first_stay[x + 1]):
            p = place[j]
            if number[p] < 0:
                k = 0
                while p >= begins[k + 2]:
                    k += 1
                number[p] = free[k]
                free[k] += 1
    return number


@njit(**JIT)
def order_found(at, rank):
    """Return the order of exposures, equal ones by the rank of their items' keys."""
    n = at.shape[0]
    order = np.arange(n)
    spare, count = np.empty(n, np.int64), np.zeros(1 << DIGIT, np.int64)
    order_by(rank, order, 0, n, spare, count)
    order_by(at, order, 0, n, spare, count)
    return order
