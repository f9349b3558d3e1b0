"""Kernels of dwell and backlog: rows brought together by item in tables that fit into the cache."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.item_order import mixed
from changtong.flows.trees import JIT

GONE, NO_SITE = -2, -1
"""Marks of a row: the item left or ended there; the row names no site."""


@njit(**JIT)
def count_rows(item, code, left_out, first, last, tables):
    """Return how many of the rows ``first`` … ``last``-1 go to each table, a power of two of them."""
    count = np.zeros(tables, np.int64)
    mask = np.uint64(tables - 1)
    for i in range(first, last):
        if item[i] != 0 and not left_out[code[i]]:
            count[np.int64(mixed(item[i]) & mask)] += 1
    return count


@njit(**JIT)
def scatter_rows(item, at, mark, code, left_out, gone, tables, low, high, where, keys, times, marks):
    """Copy rows to their tables, of those numbered ``low`` … ``high``-1, in the order they come.

    ``where`` is where each table's next row goes. A row whose code is among ``gone`` is marked so.
    """
    mask = np.uint64(tables - 1)
    for i in range(item.shape[0]):
        if item[i] == 0:
            continue
        table = np.int64(mixed(item[i]) & mask)
        if table < low or table >= high or left_out[code[i]]:
            continue
        k = where[table - low]
        where[table - low] = k + 1
        keys[k] = item[i]
        times[k] = at[i]
        marks[k] = GONE if gone[code[i]] and mark[i] >= 0 else mark[i]


@njit(**JIT)
def _find(slots, key):
    """Return the slot of a key in an open hash table, or the empty one where it belongs."""
    last = np.int64(slots.shape[0] - 1)
    k = np.int64(mixed(key) >> np.uint64(24)) & last
    while slots[k, 0] != 0 and slots[k, 0] != key:
        k = (k + 1) & last
    return k


@njit(**JIT)
def _twice(slots):
    """Return a hash table with twice the slots."""
    more = np.zeros((2 * slots.shape[0], slots.shape[1]), np.int64)
    for k in range(slots.shape[0]):
        if slots[k, 0] != 0:
            j = _find(more, slots[k, 0])
            for c in range(slots.shape[1]):
                more[j, c] = slots[k, c]
    return more


@njit(**JIT)
def _slots_for(rows):
    size = 64
    while size < rows // 4:
        size *= 2
    return np.zeros((size, 3), np.int64)


@njit(**JIT)
def dwell_of_part(keys, times, marks, ptr, at_one_site, dwell, count, total, most):
    """Fill each row's dwell, -1 without, and sums by site; return whether all items were in order of time."""
    for t in range(ptr.shape[0] - 1):
        slots = _slots_for(ptr[t + 1] - ptr[t])
        used = 0
        for i in range(ptr[t], ptr[t + 1]):
            key = keys[i]
            k = _find(slots, key)
            d = np.int64(-1)
            if slots[k, 0] == 0:
                slots[k, 0] = key
                used += 1
            else:
                d = times[i] - slots[k, 1]
                if d < 0:
                    return False
                if marks[i] < 0 or (at_one_site and slots[k, 2] != marks[i]):
                    d = np.int64(-1)
            slots[k, 1] = times[i]
            slots[k, 2] = marks[i]
            dwell[i] = d
            if d >= 0:
                s = marks[i]
                count[s] += 1
                total[s] += d
                most[s] = max(most[s], d)
            if 2 * used > slots.shape[0]:
                slots = _twice(slots)
    return True


@njit(**JIT)
def moves_of_part(keys, times, marks, ptr, begin_ms, bin_ms, moves):
    """Add up what comes to and leaves each site in each bin; return whether all items were in order of time.

    ``moves`` (sites, bins) is to be cleared again where it was not all in order.
    """
    for t in range(ptr.shape[0] - 1):
        slots = _slots_for(ptr[t + 1] - ptr[t])  # key, time, site + 1 (0: at none)
        used = 0
        for i in range(ptr[t], ptr[t + 1]):
            k = _find(slots, keys[i])
            if slots[k, 0] == 0:
                slots[k, 0] = keys[i]
                slots[k, 1] = times[i]
                used += 1
            elif times[i] < slots[k, 1]:
                return False
            slots[k, 1] = times[i]
            if marks[i] != NO_SITE and slots[k, 2] != marks[i] + 1:
                at = (times[i] - begin_ms) // bin_ms
                if slots[k, 2] > 0:
                    moves[slots[k, 2] - 1, at] -= 1
                if marks[i] >= 0:
                    moves[marks[i], at] += 1
                    slots[k, 2] = marks[i] + 1
                else:
                    slots[k, 2] = 0
            if 2 * used > slots.shape[0]:
                slots = _twice(slots)
    return True
