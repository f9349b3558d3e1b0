"""Kernels of the items of a day: rows parted by item, put in order of time, and cut into stays.

They do what ``sql/items.sql``, ``sql/day_items.sql``, ``sql/due_items.sql`` and ``sql/stays.sql`` say, and
return the same rows; the tests compare them. A *place_time* is ((ms since base) * 32 + code) * 8388608 +
site, as in ``sql/scans.sql``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.item_order import mixed
from changtong.flows.trees import JIT

SITES = 8_388_608
"""Sites that fit beside time and code."""

CODE_SITES = 32 * SITES
_ACCEPT, _REGISTER, _INSPECT, _SCREEN, _OUT, _RETURN, _DELIVER, _CANCEL = 1, 2, 3, 4, 17, 19, 20, 21
_NEVER = np.iinfo(np.int64).max

NULL = np.iinfo(np.int64).min
"""No instant."""


@njit(**JIT)
def part_rows(
    at_ms, item, code, site, class_no, code_no, base_ms, end_ms, parts, low, ptr, key, place, classes
):  # fmt: skip
    """Copy the scans of items to their parts, ``ptr[p]`` … ``ptr[p + 1]``; return how many there are.

    Of ``parts`` parts, those from ``low`` on for which ``ptr`` has room are taken, the rest is left.
    ``code_no`` turns the file's codes into those of ``sql/codes.sql``, 0 for what is no scan.
    """
    n = at_ms.shape[0]
    mask = np.uint64(parts - 1)
    taken = ptr.shape[0] - 1
    part = np.empty(n, np.int16)
    count = np.zeros(taken, np.int64)
    for i in range(n):
        part[i] = -1
        if item[i] != 0 and code_no[code[i]] > 0 and base_ms <= at_ms[i] < end_ms:
            p = np.int64(mixed(item[i]) & mask) - low
            if 0 <= p < taken:
                part[i] = p
                count[p] += 1
    ptr[0] = 0
    for p in range(taken):
        ptr[p + 1] = ptr[p] + count[p]
        count[p] = ptr[p]
    for i in range(n):
        p = part[i]
        if p >= 0:
            k = count[p]
            count[p] = k + 1
            key[k] = item[i]
            place[k] = ((at_ms[i] - base_ms) * 32 + code_no[code[i]]) * SITES + site[i]
            classes[k] = class_no[i]
    return ptr[taken]


@njit(**JIT)
def count_sites(at_ms, site, base_ms, end_ms, least, scans, newest):
    """Count the scans of each site in each span of 24 h back from ``end_ms``, and note the newest."""
    for i in range(at_ms.shape[0]):
        if base_ms <= at_ms[i] < end_ms:
            back = (end_ms - 1 - at_ms[i]) // 86_400_000 - least
            scans[site[i], back] += 1
            newest[site[i], back] = max(newest[site[i], back], at_ms[i])


@njit(**JIT)
def renumber_sites(place, rank):
    """Put the final number of each site into place_times."""
    for i in range(place.shape[0]):
        site = place[i] % SITES
        place[i] += rank[site] - site


@njit(**JIT)
def arrange(key, place, classes, order, ptr, items, item_key, item_class, in_order):
    """Write a part's place_times item by item, with the key and the least class of each item."""
    for k in range(items):
        item_key[k] = key[order[ptr[k]]]
        least = classes[order[ptr[k]]]
        for j in range(ptr[k], ptr[k + 1]):
            in_order[j] = place[order[j]]
            least = min(least, classes[order[j]])
        item_class[k] = least


@njit(**JIT)
def day_rows(
    item_key, item_class, ptr, place, away, arriving, leaving,
    base_ms, begin_ms, end_ms, cut_ms, is_latest, look_back_ms, due_from_ms,
    items, item_times, item_sites, item_flags, stay_of, stay_times, stay_sites, stay_flags,
):  # fmt: skip
    """Fill the items and stays of one day, and return how many of each there are.

    ``items``: the number of each item kept. ``item_times``: first, last, accepted, out, delivered, ended,
    giving back. ``item_sites``: of the last scan, of acceptance, of delivery. ``item_flags``: code of the
    last scan, whether cancelled, returned, registered, inspected, screened, of the day. ``stay_of``: the
    item. ``stay_times``: from, last, gone. ``stay_sites``: here, and the one before. ``stay_flags``: first,
    last, code of the first scan, arriving, leaving. ``NULL`` and site 0 where there is none.
    """
    end_at = (end_ms - base_ms) * CODE_SITES
    until = _NEVER if is_latest else (cut_ms - base_ms) * CODE_SITES
    n_items = n_stays = 0
    for k in range(item_key.shape[0]):
        a, b = ptr[k], ptr[k + 1]
        last = np.int64(-1)
        accept = register = inspect = screen = out = giving = deliver = cancel = _NEVER
        for j in range(a, b):
            t = place[j]
            if t < until:
                last = t
            if t >= end_at:
                continue
            code = (t // SITES) % 32
            if code == _ACCEPT:
                accept = min(accept, t)
            elif code == _REGISTER:
                register = t
            elif code == _INSPECT:
                inspect = t
            elif code == _SCREEN:
                screen = t
            elif code == _OUT:
                out = min(out, t)
            elif code == _RETURN:
                giving = min(giving, t)
            elif code == _DELIVER:
                deliver = min(deliver, t)
            elif code == _CANCEL:
                cancel = min(cancel, t)
        if last < 0:
            continue
        ended = min(deliver, cancel)
        last_ms = base_ms + last // CODE_SITES
        accepted_ms = _ms(accept, base_ms)
        of_day = last_ms >= look_back_ms and (
            ended == _NEVER or _ms(ended, base_ms) >= begin_ms or accepted_ms >= begin_ms
        )
        if not of_day and accepted_ms < due_from_ms:
            continue
        i = n_items
        n_items += 1
        items[i] = k
        item_times[0, i] = _ms(place[a], base_ms)
        item_times[1, i] = last_ms
        item_times[2, i] = accepted_ms
        item_times[3, i] = _ms(out, base_ms)
        item_times[4, i] = _ms(deliver, base_ms)
        item_times[5, i] = _ms(ended, base_ms)
        item_times[6, i] = _ms(giving, base_ms)
        item_sites[0, i] = last % SITES
        item_sites[1, i] = accept % SITES if accept != _NEVER else 0
        item_sites[2, i] = deliver % SITES if deliver != _NEVER else 0
        item_flags[0, i] = (last // SITES) % 32
        item_flags[1, i] = cancel != _NEVER and cancel == ended
        item_flags[2, i] = giving != _NEVER and deliver != _NEVER and giving < deliver
        item_flags[3, i] = register != _NEVER
        item_flags[4, i] = inspect != _NEVER
        item_flags[5, i] = screen != _NEVER
        item_flags[6, i] = of_day
        if not of_day:
            continue
        stop = min(end_at, ended)
        j = a
        before = np.int64(-1)
        while j < b and place[j] < stop:
            begins = place[j]
            site = begins % SITES
            ends = begins
            j += 1
            while j < b and place[j] < stop and place[j] % SITES == site:
                ends = place[j]
                j += 1
            is_last = j >= b or place[j] >= stop
            first_code, last_code = (begins // SITES) % 32, (ends // SITES) % 32
            s = n_stays
            n_stays += 1
            stay_of[s] = k
            stay_times[0, s] = _ms(begins, base_ms)
            stay_times[1, s] = _ms(ends, base_ms)
            stay_times[2, s] = _ms(ends if not is_last or away[last_code] else ended, base_ms)
            stay_sites[0, s] = site
            stay_sites[1, s] = before % SITES if before >= 0 else 0
            stay_flags[0, s] = before < 0
            stay_flags[1, s] = is_last
            stay_flags[2, s] = first_code
            stay_flags[3, s] = arriving[first_code]
            stay_flags[4, s] = leaving[last_code]
            before = ends
    return n_items, n_stays


@njit(**JIT)
def _ms(place_time, base_ms):
    return base_ms + place_time // CODE_SITES if place_time != _NEVER else NULL
