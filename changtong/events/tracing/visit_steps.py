"""Kernels that walk an item's scans and say where it was: the rules are told in visits.py."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.events.columns import CODE_NUMBER, CODES
from changtong.events.item_order import by_time
from changtong.flows.trees import JIT

OPEN = np.iinfo(np.int64).max
"""End of a stay that has not ended."""

SITE, RECEPTACLE, VEHICLE = range(3)
KINDS = ("site", "receptacle", "vehicle")

UNDER_WAY, DELIVERED, CANCELLED = range(3)
STATES = ("under way", "delivered", "cancelled")

DEPART, LOAD, STAYS, FINAL, ENDS_RECEPTACLE, ENDS_VEHICLE, KEEPS_RECEPTACLE, KEEPS_VEHICLE = (
    1 << k for k in range(8)
)


def _meaning() -> np.ndarray:
    """Return what each code says, as bits."""
    bits = np.full(len(CODES), STAYS, np.int64)
    bits[[CODE_NUMBER["load"], CODE_NUMBER["depart"]]] = 0
    for code, more in {
        "load": LOAD | KEEPS_RECEPTACLE,
        "depart": DEPART | KEEPS_RECEPTACLE | KEEPS_VEHICLE,
        "arrive": KEEPS_RECEPTACLE | KEEPS_VEHICLE,
        "unload": KEEPS_RECEPTACLE | ENDS_VEHICLE,
        "unpack": ENDS_RECEPTACLE,
        "deliver": FINAL | ENDS_RECEPTACLE | ENDS_VEHICLE,
        "cancel": FINAL | ENDS_RECEPTACLE | ENDS_VEHICLE,
    }.items():
        bits[CODE_NUMBER[code]] |= more
    return bits


MEANING = _meaning()
LEFT_OUT = np.array([code in ("note", "void") for code in CODES])
DELIVER = CODE_NUMBER["deliver"]


class Alone(NamedTuple):
    """Scans of receptacles (or vehicles) that name no item: by container, then time."""

    keys: NDArray[np.int64]
    ptr: NDArray[np.int64]
    at: NDArray[np.int64]
    site: NDArray[np.int32]
    code: NDArray[np.int8]
    vehicle: NDArray[np.int64]


class Walked(NamedTuple):
    """Stays as they are found, item by item; ``place`` is a site's number or a container's key."""

    kind: NDArray[np.int8]
    place: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


@njit(**JIT)
def _place_of(keys, key):
    """Return where ``key`` is in ascending ``keys``, -1 if nowhere."""
    low, high = 0, keys.shape[0]
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < keys.shape[0] and keys[low] == key else -1


@njit(**JIT)
def _first_from(times, low, high, t):
    """Return the first place of ``times[low:high]`` at or after ``t``."""
    while low < high:
        middle = (low + high) // 2
        if times[middle] < t:
            low = middle + 1
        else:
            high = middle
    return low


@njit(**JIT)
def _next_end(alone, meaning, ends, key, t):
    """Return when the scans of a container alone next say that it was emptied, from ``t`` on."""
    c = _place_of(alone.keys, key)
    if c < 0:
        return OPEN
    for k in range(_first_from(alone.at, alone.ptr[c], alone.ptr[c + 1], t), alone.ptr[c + 1]):
        if meaning[alone.code[k]] & ends:
            return alone.at[k]
    return OPEN


@njit(**JIT)
def _ended_now(t, key, code, i, j, meaning, ends, alone, c):
    """Return whether container ``c`` is emptied at the instant of rows ``i`` … ``j``-1."""
    for r in range(i, j):
        if key[r] == c and meaning[code[r]] & ends:
            return True
    return alone.keys.shape[0] > 0 and _next_end(alone, meaning, ends, c, t[i]) == t[i]


@njit(**JIT)
def _emit(out, stays, kind, place, begin, end):
    out.kind[stays] = kind
    out.place[stays] = place
    out.begin[stays] = begin
    out.end[stays] = end
    return stays + 1


@njit(**JIT)
def _room(out, needed):
    """Return ``out`` with room for ``needed`` stays."""
    if needed <= out.kind.shape[0]:
        return out
    size = max(2 * out.kind.shape[0], needed)
    kind = np.empty(size, np.int8)
    place = np.empty(size, np.int64)
    begin = np.empty(size, np.int64)
    end = np.empty(size, np.int64)
    n = out.kind.shape[0]
    kind[:n] = out.kind
    place[:n] = out.place
    begin[:n] = out.begin
    end[:n] = out.end
    return Walked(kind, place, begin, end)


@njit(**JIT)
def _containers(t, key, code, n, meaning, ends, keeps, alone, kind, out, stays):
    """Write the stays of one item in receptacles or vehicles; return the stays then in ``out``."""
    cur = np.int64(0)
    begin = np.int64(0)
    until = np.int64(OPEN)
    i = 0
    while i < n:
        now = t[i]
        j = i
        named = other = none = emptied = final = False
        while j < n and t[j] == now:
            bits = meaning[code[j]]
            final = final or bits & FINAL != 0
            if key[j] != 0:
                named = True
                other = other or key[j] != cur
            elif not bits & keeps:
                none = True
                emptied = emptied or bits & ends != 0
            j += 1
        if cur != 0 and until < now:
            stays = _emit(out, stays, kind, cur, begin, until)
            cur = np.int64(0)
            other = named
        was = cur
        if cur != 0:
            if not named:
                over = none or until == now
            else:
                over = other or emptied or final or _ended_now(t, key, code, i, j, meaning, ends, alone, cur)
            if over:
                stays = _emit(out, stays, kind, cur, begin, now)
                cur = np.int64(0)
        if other:
            # the others named now: those it is taken out of first, then by key; it stays in the last
            picked = np.int64(0)
            picked_ended = True
            any_picked = False
            while True:
                found = False
                best = np.int64(0)
                best_ended = False
                for r in range(i, j):
                    c = key[r]
                    if c == 0 or c == was:
                        continue
                    ended = final or _ended_now(t, key, code, i, j, meaning, ends, alone, c)
                    later = (picked_ended and not ended) or (ended == picked_ended and c > picked)
                    if any_picked and not later:
                        continue
                    if not found or (ended and not best_ended) or (ended == best_ended and c < best):
                        found = True
                        best = c
                        best_ended = ended
                if not found:
                    break
                if any_picked:
                    stays = _emit(out, stays, kind, picked, now, now)
                any_picked = True
                picked = best
                picked_ended = best_ended
            if picked_ended:
                stays = _emit(out, stays, kind, picked, now, now)
            else:
                cur = picked
                begin = now
                until = np.int64(OPEN)
                if alone.keys.shape[0]:
                    until = _next_end(alone, meaning, ends, cur, now)
        i = j
    if cur != 0:
        stays = _emit(out, stays, kind, cur, begin, until)
    return stays


@njit(**JIT)
def _next_site(site, code, i, j, meaning, was, leaving, above):
    """Return the lowest site above ``above`` named by rows ``i`` … ``j``-1, left now or not, and its bits."""
    best = -1
    best_bits = np.int64(0)
    for r in range(i, j):
        s = site[r]
        if s < 0 or s == was or s <= above or (best >= 0 and s >= best):
            continue
        bits = _bits_at(site, code, i, j, meaning, s)
        if (bits & (DEPART | LOAD) != 0) == leaving:
            best = s
            best_bits = bits
    return best, best_bits


@njit(**JIT)
def _bits_at(site, code, i, j, meaning, s):
    bits = np.int64(0)
    for r in range(i, j):
        if site[r] == s:
            bits |= meaning[code[r]]
    return bits


@njit(**JIT)
def _sites(t, site, code, n, meaning, out, stays):
    """Write the stays of one item at sites; return the stays then in ``out``, its last site and its state."""
    cur = -1
    begin = last = np.int64(0)
    departed = leaving = False
    state = UNDER_WAY
    i = 0
    while i < n:
        now = t[i]
        j = i
        state = UNDER_WAY
        while j < n and t[j] == now:
            if meaning[code[j]] & FINAL and state != DELIVERED:
                state = DELIVERED if code[j] == DELIVER else CANCELLED
            j += 1
        was = cur
        if was >= 0:
            bits = _bits_at(site, code, i, j, meaning, was)
            if bits:
                if departed and bits & STAYS:
                    stays = _emit(out, stays, SITE, cur, begin, last)
                    begin = now
                    departed = False
                last = now
                departed = departed or bits & DEPART != 0
                leaving = bits & (DEPART | LOAD) != 0
        if j == i + 1 and (site[i] < 0 or site[i] == was):
            i = j
            continue
        for phase in range(2):
            above = -1
            while True:
                s, bits = _next_site(site, code, i, j, meaning, was, phase == 0, above)
                if s < 0:
                    break
                if cur >= 0:
                    stays = _emit(out, stays, SITE, cur, begin, last)
                cur = above = s
                begin = last = now
                departed = bits & DEPART != 0
                leaving = bits & (DEPART | LOAD) != 0
        i = j
    if cur >= 0:
        stays = _emit(out, stays, SITE, cur, begin, last if leaving or state != UNDER_WAY else OPEN)
    return stays, cur, state


@njit(**JIT)
def _rows_within(alone, key, begin, end):
    """Return the first and last + 1 of a container's own scans within a stay."""
    c = _place_of(alone.keys, key)
    if c < 0:
        return 0, 0
    first = _first_from(alone.at, alone.ptr[c], alone.ptr[c + 1], begin)
    after = alone.ptr[c + 1] if end == OPEN else _first_from(alone.at, first, alone.ptr[c + 1], end + 1)
    return first, after


@njit(**JIT)
def walk(at, site, code, receptacle, vehicle, order, ptr, items, meaning, receptacles, vehicles):
    """Return the stays of every item: where each item's begin, the stays, its last site, time and state.

    ``order`` holds rows by item and time, ``ptr`` where an item's run begins.
    """
    out = _room(
        Walked(np.empty(0, np.int8), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64)),
        order.shape[0] + 64,
    )
    first_stay = np.zeros(items + 1, np.int64)
    last_site = np.empty(items, np.int32)
    last_ms = np.empty(items, np.int64)
    states = np.empty(items, np.int8)
    size = 64
    t = np.empty(size, np.int64)
    s = np.empty(size, np.int32)
    c = np.empty(size, np.int8)
    w = np.empty(size, np.int64)
    v = np.empty(size, np.int64)
    stays = 0
    for x in range(items):
        n = np.int64(0)
        m = ptr[x + 1] - ptr[x]
        if m > size:
            size = 2 * m
            t = np.empty(size, np.int64)
            s = np.empty(size, np.int32)
            c = np.empty(size, np.int8)
            w = np.empty(size, np.int64)
            v = np.empty(size, np.int64)
        held = False
        if stays + 3 * m + 8 > out.kind.shape[0]:
            out = _room(out, stays + 3 * m + 8)
        for k in range(ptr[x], ptr[x + 1]):
            row = order[k]
            t[n] = at[row]
            s[n] = site[row]
            c[n] = code[row]
            w[n] = receptacle[row]
            v[n] = vehicle[row]
            held = held or w[n] != 0 or v[n] != 0
            n += 1
        for kind in (RECEPTACLE, VEHICLE):
            if not held:
                break
            begun = stays
            if stays + n + 2 > out.kind.shape[0]:
                out = _room(out, stays + n + 2)
            alone = receptacles if kind == RECEPTACLE else vehicles
            if kind == RECEPTACLE:
                stays = _containers(
                    t, w, c, n, meaning, ENDS_RECEPTACLE, KEEPS_RECEPTACLE, alone, kind, out, stays
                )
            else:
                stays = _containers(t, v, c, n, meaning, ENDS_VEHICLE, KEEPS_VEHICLE, alone, kind, out, stays)
            if alone.keys.shape[0] == 0:
                continue
            more = 0
            for k in range(begun, stays):
                first, after = _rows_within(alone, out.place[k], out.begin[k], out.end[k])
                more += after - first
            if more == 0:
                continue
            if n + more > size:
                size = 2 * (n + more)
                t = _grown(t, n, size)
                s = _grown(s, n, size)
                c = _grown(c, n, size)
                w = _grown(w, n, size)
                v = _grown(v, n, size)
            for k in range(begun, stays):
                first, after = _rows_within(alone, out.place[k], out.begin[k], out.end[k])
                for a in range(first, after):
                    t[n] = alone.at[a]
                    s[n] = alone.site[a]
                    c[n] = alone.code[a]
                    w[n] = 0
                    v[n] = alone.vehicle[a]
                    n += 1
            rows = np.arange(n)
            by_time(t, rows)
            t[:n] = t[rows]
            s[:n] = s[rows]
            c[:n] = c[rows]
            v[:n] = v[rows]
        if stays + n + 2 > out.kind.shape[0]:
            out = _room(out, stays + n + 2)
        stays, last_site[x], states[x] = _sites(t, s, c, n, meaning, out, stays)
        last_ms[x] = t[n - 1]
        first_stay[x + 1] = stays
    return (
        first_stay,
        out.kind[:stays],
        out.place[:stays],
        out.begin[:stays],
        out.end[:stays],
        last_site,
        last_ms,
        states,
    )


@njit(**JIT)
def _grown(values, n, size):
    more = np.empty(size, values.dtype)
    more[:n] = values[:n]
    return more
