"""Kernels that read instants from text, and take local times of a zone to UTC."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.loads import load
from changtong.flows.trees import JIT

READ, EMPTY, UNREADABLE, TWICE, NEVER, NO_ZONE, OUTSIDE = range(7)
"""What a time may be: read; none; no time; one the zone has twice; one it skips; without a zone;
outside the span allowed."""

ISO, EPOCH_S, EPOCH_MS = -1, -2, -3
"""Ways to write an instant that need no format."""

DAY_MS = 86_400_000


@njit(**JIT)
def _digits(buf, at, end, most):
    """Read up to ``most`` digits; return their value and the place after them."""
    value = 0
    n = 0
    while at < end and n < most and 48 <= buf[at] <= 57:
        value = 10 * value + (buf[at] - 48)
        at += 1
        n += 1
    return value, at


@njit(**JIT)
def _offset(buf, at, end):
    """Read ``Z``, ``+08``, ``+0800`` or ``+08:00``: minutes, and the place after it, -1 when none."""
    if at < end and (buf[at] == 90 or buf[at] == 122):
        return 0, at + 1
    if at >= end or (buf[at] != 43 and buf[at] != 45):
        return 0, -1
    sign = 1 if buf[at] == 43 else -1
    hours, after = _digits(buf, at + 1, end, 2)
    if after != at + 3:
        return 0, -1
    minutes = 0
    if after < end:
        if buf[after] == 58:
            after += 1
        minutes, last = _digits(buf, after, end, 2)
        if last != after + 2:
            return 0, -1
        after = last
    if hours > 18 or minutes > 59:
        return 0, -1
    return sign * (60 * hours + minutes), after


@njit(**JIT)
def _days(year, month, day):
    """Days since 1970-01-01 of a date of the Gregorian calendar."""
    y = year - (1 if month <= 2 else 0)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@njit(**JIT)
def _month_length(year, month):
    if month == 2:
        return 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@njit(**JIT)
def _fraction(value, digits):
    """Milliseconds of a decimal fraction of a second, cut off."""
    while digits < 3:
        value *= 10
        digits += 1
    while digits > 3:
        value //= 10
        digits -= 1
    return value


@njit(**JIT)
def _iso(buf, start, end, part):
    """Read an ISO 8601 date and time into ``part``; return whether it is one, and whether it has a zone."""
    at = start
    part[0], at = _digits(buf, at, end, 4)
    if at != start + 4 or at >= end or (buf[at] != 45 and buf[at] != 47):
        return False, False
    mark = buf[at]
    before = at + 1
    part[1], at = _digits(buf, before, end, 2)
    if at == before or at >= end or buf[at] != mark:
        return False, False
    before = at + 1
    part[2], at = _digits(buf, before, end, 2)
    if at == before:
        return False, False
    if at >= end:
        return True, False
    if buf[at] != 32 and buf[at] != 84 and buf[at] != 116:
        return False, False
    before = at + 1
    part[3], at = _digits(buf, before, end, 2)
    if at == before or at >= end or buf[at] != 58:
        return False, False
    before = at + 1
    part[4], at = _digits(buf, before, end, 2)
    if at != before + 2:
        return False, False
    if at < end and buf[at] == 58:
        before = at + 1
        part[5], at = _digits(buf, before, end, 2)
        if at != before + 2:
            return False, False
        if at < end and (buf[at] == 46 or buf[at] == 44):
            before = at + 1
            value, at = _digits(buf, before, end, 9)
            if at == before:
                return False, False
            part[6] = _fraction(value, at - before)
    while at < end and buf[at] == 32:
        at += 1
    if at >= end:
        return True, False
    part[7], at = _offset(buf, at, end)
    return at == end, True


@njit(**JIT)
def _by_form(buf, start, end, form, width, part):
    """Read a time by a format's directives into ``part``; return whether it fits, and has a zone."""
    at = start
    zoned = False
    for k in range(form.shape[0]):
        want = form[k]
        if want < 1000:
            if at >= end or buf[at] != want:
                return False, False
            at += 1
            continue
        if want == 1008:
            part[7], at = _offset(buf, at, end)
            if at < 0:
                return False, False
            zoned = True
            continue
        value, after = _digits(buf, at, end, width[want - 1000])
        if after == at or (want == 1001 and after != at + 4):
            return False, False
        if want == 1007:
            part[6] = _fraction(value, after - at)
        elif want == 1009:
            part[0] = 2000 + value if value < 69 else 1900 + value
        else:
            part[want - 1001] = value
        at = after
    return at == end, zoned


@njit(**JIT)
def to_utc(local_ms, begin_ms, offset_ms):
    """Return a local time as UTC, and how many instants it may be: 1, 2 (clocks put back) or 0."""
    n = begin_ms.shape[0]
    high = n - 1
    while high > 0 and local_ms - offset_ms[high] < begin_ms[high] - DAY_MS:
        high -= 1
    found = 0
    at = local_ms
    for k in range(max(0, high - 1), min(n, high + 2)):
        u = local_ms - offset_ms[k]
        if u >= begin_ms[k] and (k + 1 >= n or u < begin_ms[k + 1]):
            found += 1
            at = u
    return at, found


@njit(**JIT)
def _same_hour(buf, one, other):
    """Return whether the first 13 bytes, ``2022-05-06 07``, are the same."""
    return load(buf, np.int64(one)) == load(buf, np.int64(other)) and load(buf, np.int64(one + 5)) == load(
        buf, np.int64(other + 5)
    )


@njit(**JIT)
def _minutes_and_seconds(buf, at):
    """Read ``:05:09`` as milliseconds, -1 where it is not that."""
    if buf[at] != 58 or buf[at + 3] != 58:
        return -1
    value = 0
    for k in (1, 2, 4, 5):
        digit = np.int64(buf[at + k]) - 48
        if digit < 0 or digit > 9 or (digit > 5 and (k == 1 or k == 4)):
            return -1
        value += digit * (600 if k == 1 else 60 if k == 2 else 10 if k == 4 else 1)
    return value * 1000


@njit(**JIT)
def read_times(
    buf, starts, lengths, form, width, begin_ms, offset_ms, zone_known, earliest, latest, out, state
):
    """Read instants as UTC milliseconds into ``out``, and what each is into ``state``."""
    part = np.zeros(8, np.int64)
    hour_at = np.int64(-1)  # a row whose date and hour were read: most rows after it say the same
    hour_ms = np.int64(0)
    for i in range(starts.shape[0]):
        out[i] = 0
        s = starts[i]
        e = s + lengths[i]
        if hour_at >= 0 and e - s == 19 and _same_hour(buf, s, hour_at):
            in_hour = _minutes_and_seconds(buf, s + 13)
            if in_hour >= 0:
                out[i] = hour_ms + in_hour
                state[i] = READ if earliest <= out[i] <= latest else OUTSIDE
                continue
        if e == s:
            state[i] = EMPTY
            continue
        state[i] = UNREADABLE
        if form[0] <= EPOCH_S:
            sign = 1
            if buf[s] == 45:
                sign = -1
                s += 1
            value, at = _digits(buf, s, e, 17)
            if at != e or at == s:
                continue
            out[i] = sign * value * (1000 if form[0] == EPOCH_S else 1)
        else:
            part[:] = 0
            part[1] = 1
            part[2] = 1
            if form[0] == ISO:
                ok, zoned = _iso(buf, s, e, part)
            else:
                ok, zoned = _by_form(buf, s, e, form, width, part)
            if (
                not ok or part[1] < 1 or part[1] > 12

                or part[2] < 1 or part[2] > _month_length(part[0], part[1]) or part[3] > 23
                or part[4] > 59 or part[5] > 59
            ):  # fmt: skip
                continue
            t = _days(part[0], part[1], part[2]) * DAY_MS
            t += ((part[3] * 60 + part[4]) * 60 + part[5]) * 1000 + part[6]
            if zoned:
                t -= part[7] * 60_000
            elif not zone_known:
                state[i] = NO_ZONE
                continue
            else:
                local = t
                t, found = to_utc(t, begin_ms, offset_ms)
                if found != 1:
                    state[i] = TWICE if found == 2 else NEVER
                    continue
                of_hour = local % 3_600_000
                if form[0] == ISO and e - s == 19 and _minutes_and_seconds(buf, s + 13) == of_hour:
                    first, one = to_utc(local - of_hour, begin_ms, offset_ms)
                    last, other = to_utc(local - of_hour + 3_599_999, begin_ms, offset_ms)
                    if one == 1 and other == 1 and last - first == 3_599_999:
                        hour_at, hour_ms = np.int64(s), first
            out[i] = t
        state[i] = READ if earliest <= out[i] <= latest else OUTSIDE


@njit(**JIT)
def days_of(at_ms, begin_ms, offset_ms, out):
    """Fill the day of each instant in a zone, counted from 1970-01-01."""
    k = 0
    n = begin_ms.shape[0]
    for i in range(at_ms.shape[0]):
        while k + 1 < n and at_ms[i] >= begin_ms[k + 1]:
            k += 1
        while k > 0 and at_ms[i] < begin_ms[k]:
            k -= 1
        out[i] = (at_ms[i] + offset_ms[k]) // DAY_MS
