"""Kernels of contact tracing: stays ordered by place, and one step of exposure through places.

A step takes the items whose exposure became earlier in the step before. At each place their stays,
from the exposure on, are a set of spans in time; every other stay at the place meets the earliest
of them it touches. Going through a place in order of time, the spans begun so far are kept as a
staircase: a span that ends no later than another and has the larger key can never be the best tie.
Keys are pseudonyms, so the staircase is short: about the logarithm of the spans.
See Wu, Cheng, Huang, Ke, Lu, Xu: Path problems in temporal graphs, VLDB 2014, for exposure as
earliest arrival; stays with a length, and ties, are added here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.trees import JIT

NEVER = np.iinfo(np.int64).max
"""Exposure of an item that is not exposed."""

DIGIT = 11


class StayTable(NamedTuple):
    """Stays by place, then begin; ends that are open stand at the log's last instant.

    Items are numbered by their first stay, so that what a place holds lies close together. The places
    of item ``x`` are ``item_place[item_first[x]:item_after[x]]``.
    """

    ptr: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    item: NDArray[np.int32]
    by_end: NDArray[np.int32]
    item_first: NDArray[np.int64]
    item_after: NDArray[np.int64]
    item_place: NDArray[np.int32]
    item_key: NDArray[np.int64]


class Best(NamedTuple):
    """The best tie of each item in a step: exposure, contact time, from whom, where."""

    at: NDArray[np.int64]
    contact: NDArray[np.int64]
    by: NDArray[np.int32]
    place: NDArray[np.int32]


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
def first_times(first_stay, begin, otherwise):
    """Return when each item's first stay begins; ``otherwise`` where it has none."""
    out = otherwise.copy()
    for x in range(out.shape[0]):
        for k in range(first_stay[x], first_stay[x + 1]):
            out[x] = begin[k] if k == first_stay[x] else min(out[x], begin[k])
    return out


@njit(**JIT)
def spread_over_runs(first_stay, number):
    """Return the number of the item of every stay."""
    out = np.empty(first_stay[-1], np.int32)
    for x in range(number.shape[0]):
        out[first_stay[x] : first_stay[x + 1]] = number[x]
    return out


@njit(**JIT)
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
        count[:] = 0
        for k in range(low, high):
            count[np.int64(((np.uint64(values[order[k]]) - base) >> shift) & mask)] += 1
        where = 0
        for d in range(count.shape[0]):
            count[d], where = where, where + count[d]
        for k in range(low, high):
            d = np.int64(((np.uint64(values[order[k]]) - base) >> shift) & mask)
            spare[low + count[d]] = order[k]
            count[d] += 1
        order[low:high] = spare[low:high]
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
def touched_places(table, items, kinds_from, kinds_to, touched):
    """Mark the places of the wanted kinds where any of ``items`` was."""
    for k in range(items.shape[0]):
        x = items[k]
        for j in range(table.item_first[x], table.item_after[x]):
            p = table.item_place[j]
            for q in range(kinds_from.shape[0]):
                if kinds_from[q] <= p < kinds_to[q]:
                    touched[p] = True


@njit(**JIT)
def _add_stair(end, key, who, n, new_end, new_key, new_who):
    """Put a span on the staircase, ends and keys descending; return its length."""
    j = n
    while j > 0 and end[j - 1] < new_end:
        j -= 1
    # spans 0 … j-1 end at or after the new one; the last of them has their smallest key
    if j > 0 and key[j - 1] <= new_key:
        return n
    if j > 0 and end[j - 1] == new_end:
        j -= 1
    last = j
    while last < n and key[last] >= new_key:
        last += 1
    if last == j:
        for k in range(n, j, -1):
            end[k] = end[k - 1]
            key[k] = key[k - 1]
            who[k] = who[k - 1]
        n += 1
    elif last > j + 1:
        less = last - j - 1
        for k in range(last, n):
            end[k - less] = end[k]
            key[k - less] = key[k]
            who[k - less] = who[k]
        n -= less
    end[j] = new_end
    key[j] = new_key
    who[j] = new_who
    return n


@njit(**JIT)
def _pick_stair(end, n, until):
    """Return the best span for a stay that ends at ``until``: longest contact, then smallest key."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if end[middle] >= until:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low > 0 else 0


@njit(**JIT)
def spread(table, places, exposed, changed, linger_ms, backward, best):
    """Let the items that ``changed`` expose others at ``places``, one meeting on.

    ``exposed`` is each item's exposure before this step, in reversed time (negative) if ``backward``;
    ``best`` gets the earliest exposure of this step where it is earlier than that.
    """
    most = 1
    for k in range(places.shape[0]):
        most = max(most, table.ptr[places[k] + 1] - table.ptr[places[k]])
    most += 1
    s_begin = np.empty(most, np.int64)
    s_end = np.empty(most, np.int64)
    s_who = np.empty(most, np.int32)
    order = np.empty(most, np.int64)
    spare = np.empty(most, np.int64)
    count = np.zeros(1 << DIGIT, np.int64)
    end = np.empty(most, np.int64)
    key = np.empty(most, np.int64)
    who = np.empty(most, np.int32)
    g_end = np.empty(most, np.int64)
    g_key = np.empty(most, np.int64)
    g_who = np.empty(most, np.int32)
    for k in range(places.shape[0]):
        p = places[k]
        low, high = table.ptr[p], table.ptr[p + 1]
        n = 0
        latest = np.int64(-NEVER)
        for j in range(low, high):
            x = table.item[j]
            if not changed[x]:
                continue
            first = -table.end[j] if backward else table.begin[j]
            last = -table.begin[j] if backward else table.end[j]
            first = max(first, exposed[x])
            if first > last:
                continue
            s_begin[n] = first
            s_end[n] = last + linger_ms
            latest = max(latest, s_end[n])
            s_who[n] = x
            order[n] = n
            n += 1
        if n == 0:
            continue
        order_by(s_begin, order, 0, n, spare, count)
        earliest = s_begin[order[0]]
        stairs = 0
        begun = 0
        group = -1
        g_stairs = 0
        for j in range(low, high):
            row = low + table.by_end[j] if backward else j
            first = -table.end[row] if backward else table.begin[row]
            if first > latest:
                break
            last = -table.begin[row] if backward else table.end[row]
            if last < earliest:
                continue
            while begun < n and s_begin[order[begun]] <= first:
                s = order[begun]
                stairs = _add_stair(end, key, who, stairs, s_end[s], table.item_key[s_who[s]], s_who[s])
                begun += 1
            x = table.item[row]
            if stairs > 0 and end[0] >= first:
                if first >= exposed[x] or first > best.at[x]:
                    continue
                a = _pick_stair(end, stairs, last)
                _improve(table, best, x, first, min(end[a], last) - first, who[a], p)
            elif begun < n and s_begin[order[begun]] <= last:
                at = s_begin[order[begun]]
                if at >= exposed[x] or at > best.at[x]:
                    continue
                if group != begun:
                    group = begun
                    g_stairs = 0
                    g = begun
                    while g < n and s_begin[order[g]] == at:
                        s = order[g]
                        g_stairs = _add_stair(
                            g_end, g_key, g_who, g_stairs, s_end[s], table.item_key[s_who[s]], s_who[s]
                        )
                        g += 1
                a = _pick_stair(g_end, g_stairs, last)
                _improve(table, best, x, at, min(g_end[a], last) - at, g_who[a], p)


@njit(**JIT)
def _improve(table, best, x, at, contact, by, place):
    """Take a tie if it is better: earlier, longer, smaller key, then the first place."""
    if at > best.at[x]:
        return
    if at == best.at[x]:
        if contact < best.contact[x]:
            return
        if contact == best.contact[x]:
            old, new = table.item_key[best.by[x]], table.item_key[by]
            if new > old or (new == old and place >= best.place[x]):
                return
    best.at[x] = at
    best.contact[x] = contact
    best.by[x] = by
    best.place[x] = place


@njit(**JIT)
def merge_best(one, other, item_key):
    """Take into ``one`` what is better in ``other``."""
    for x in range(one.at.shape[0]):
        if other.at[x] == NEVER or other.at[x] > one.at[x]:
            continue
        if other.at[x] == one.at[x]:
            if other.contact[x] < one.contact[x]:
                continue
            if other.contact[x] == one.contact[x]:
                a, b = item_key[one.by[x]], item_key[other.by[x]]
                if b > a or (b == a and other.place[x] >= one.place[x]):
                    continue
        one.at[x] = other.at[x]
        one.contact[x] = other.contact[x]
        one.by[x] = other.by[x]
        one.place[x] = other.place[x]


@njit(**JIT)
def settle(best, exposed, step, layer):
    """Take over the exposures of a step."""
    for x in range(exposed.shape[0]):
        if best.at[x] < exposed[x]:
            exposed[x] = best.at[x]
            step[x] = layer


@njit(**JIT)
def exposed_places(table, open_stay, places, exposed, backward, begin, end, stays, still):
    """Fill when each place held exposed items: first and last instant, how many stays, whether one lasts."""
    for k in range(places.shape[0]):
        p = places[k]
        earliest, latest = np.int64(NEVER), np.int64(-NEVER)
        count = 0
        lasts = False
        for j in range(table.ptr[p], table.ptr[p + 1]):
            at = exposed[table.item[j]]
            if at == NEVER:
                continue
            first = table.begin[j]
            last = table.end[j]
            if backward:
                last = min(last, -at)
            else:
                first = max(first, at)
            if first > last:
                continue
            earliest = min(earliest, first)
            if last > latest:
                latest = last
            count += 1
            lasts = lasts or (open_stay[j] and last == table.end[j])
        begin[p] = earliest
        end[p] = latest
        stays[p] = count
        still[p] = lasts


@njit(**JIT)
def in_order_found(at, items, item_key):
    """Return the order of found items by exposure (as reversed in a backward trace), then by key."""
    n = at.shape[0]
    order = np.arange(n)
    spare = np.empty(n, np.int64)
    count = np.zeros(1 << DIGIT, np.int64)
    key = np.empty(n, np.int64)
    for k in range(n):
        key[k] = item_key[items[k]]
    order_by(at, order, 0, n, spare, count)
    # equal exposures are few at a time: order each run of them by key
    k = 0
    while k < n:
        j = k + 1
        while j < n and at[order[j]] == at[order[k]]:
            j += 1
        if j > k + 1:
            order_by(key, order, k, j, spare, count)
        k = j
    return order
