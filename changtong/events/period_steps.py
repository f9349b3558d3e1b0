"""Kernel that counts the items of many days in one pass over their scans.

Of each item and each day on which it counts it sees what ``sql/items.sql`` sees of that day: the scans of
the look-back before it and of the day itself. So a period's counts are the sums of its days' indicators.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.item_steps import CODE_SITES, SITES
from changtong.flows.trees import JIT

_ACCEPT, _REGISTER, _INSPECT, _SCREEN, _RETURN, _DELIVER, _CANCEL = 1, 2, 3, 4, 19, 20, 21
_NEVER = np.iinfo(np.int64).max

COUNTS = (
    "accepted", "registered", "inspected", "screened",
    "delivered_there", "delivered", "delivered_registered", "delivered_inspected", "delivered_screened",
    "delivered_in_time", "due", "due_in_time",
)  # fmt: skip
"""Rows of what is counted: by site of acceptance, ``delivered_there`` by site of delivery."""


@njit(**JIT)
def count_days(ptr, place, begin_ms, end_ms, base_ms, look_back_ms, due_ms, seen, counts):
    """Add up the items of a part over days, ``counts[row, site]``; rows are those of ``COUNTS``.

    Days are ascending and do not overlap. ``seen`` has room for a number for each day and holds -1.
    """
    for k in range(ptr.shape[0] - 1):
        a, b = ptr[k], ptr[k + 1]
        for j in range(a, b):
            code = (place[j] // SITES) % 32
            if code != _ACCEPT and code != _DELIVER:
                continue
            at_ms = base_ms + place[j] // CODE_SITES
            for falls_due in range(2):
                if falls_due and code != _ACCEPT:
                    continue
                when_ms = at_ms + due_ms if falls_due else at_ms
                day = np.searchsorted(begin_ms, when_ms, side="right") - 1
                if day < 0 or when_ms >= end_ms[day] or seen[day] == k:
                    continue
                seen[day] = k
                _count(
                    place, a, b, begin_ms[day] - base_ms, end_ms[day] - base_ms, look_back_ms, due_ms, counts
                )
    seen[:] = -1


@njit(**JIT)
def _count(place, a, b, begin, end, look_back, due, counts):
    """Count an item on one day; all instants from the base on."""
    first, stop = (begin - look_back) * CODE_SITES, end * CODE_SITES
    accept = deliver = cancel = giving = _NEVER
    registered = inspected = screened = 0
    for j in range(a, b):
        t = place[j]
        if t < first:
            continue
        if t >= stop:
            break
        code = (t // SITES) % 32
        if code == _ACCEPT:
            accept = min(accept, t)
        elif code == _REGISTER:
            registered = 1
        elif code == _INSPECT:
            inspected = 1
        elif code == _SCREEN:
            screened = 1
        elif code == _RETURN:
            giving = min(giving, t)
        elif code == _DELIVER:
            deliver = min(deliver, t)
        elif code == _CANCEL:
            cancel = min(cancel, t)
    accepted, delivered = accept // CODE_SITES, deliver // CODE_SITES
    from_site = accept % SITES
    if accept != _NEVER and accepted >= begin:
        counts[0, from_site] += 1
        counts[1, from_site] += registered
        counts[2, from_site] += inspected
        counts[3, from_site] += screened
    in_time = deliver != _NEVER and accept != _NEVER and delivered - accepted <= due
    if deliver != _NEVER and delivered >= begin and deliver < cancel and not giving < deliver:
        counts[4, deliver % SITES] += 1
        if accept != _NEVER:
            counts[5, from_site] += 1
            counts[6, from_site] += registered
            counts[7, from_site] += inspected
            counts[8, from_site] += screened
            counts[9, from_site] += in_time
    if accept == _NEVER or (cancel != _NEVER and cancel < deliver):
        return
    late = accepted + due
    if begin <= late < end and (
        giving == _NEVER
        or giving // CODE_SITES > late
        or (deliver != _NEVER and delivered < giving // CODE_SITES)
    ):
        counts[10, from_site] += 1
        counts[11, from_site] += in_time
