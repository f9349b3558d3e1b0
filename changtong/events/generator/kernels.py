"""Kernels that walk items through a network and note every scan on the way.

An item's story is a function of the seed and its number alone: nothing is kept between items.
What items share (a trip's departure and arrival, the moment a bag is loaded or unloaded) is a
function of the seed and the trip or bag, so all items of it agree. Times are whole seconds after
the local midnight at which the log begins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.events.codes import scan_codes
from changtong.flows.trees import FLAT

CODES = tuple(entry.code for entry in scan_codes() if entry.code not in ("note", "void"))
"""Canonical codes a generated log may have; a row's code is its place here."""

(ACCEPT, INSPECT, SCREEN, REGISTER, RECEIVE, SORT, PACK, UNPACK, LOAD, DEPART, ARRIVE, UNLOAD, OUT, ATTEMPT,
 DELIVER, RETURN, HOLD, RELEASE, CUSTOMS_IN, CUSTOMS_OUT, CANCEL) = range(len(CODES))  # fmt: skip

DUPLICATE, LATE, DISORDERED, GAP, UNKNOWN_SITE, BAD_TIME, BAD_S10, COPIED = 1, 2, 4, 8, 16, 32, 64, 128
"""Bits of a row's damage: at most one kind each. COPIED is the row a DUPLICATE repeats."""

S10, INBOUND, CLASS_BITS = 128, 64, 63
"""Bits beside the class: the item has an S10 number; it comes from abroad."""

ROW = np.dtype(
    [("at", "u4"), ("place", "u4"), ("item", "u4"), ("leg", "i4"), ("trip", "u4"), ("bag", "u2"),
     ("code", "u1"), ("cls", "u1"), ("flags", "u1")]
)  # fmt: skip
"""A scan before it is written. ``place`` is the second by which rows stand in the log. ``leg`` is
the leg it belongs to, or -1 less the site where it belongs to none."""

DAY_S = 86_400
CUT_OFF_S = 900  # what is ready later misses the trip
OPENING_S = 1_800  # after reopening until the first trip
MOST_LEGS = 40
ROWS_PER_ITEM = 10 * MOST_LEGS + 60

FAR_S = 4_000_000_000
WAVES_S = (27_000, 50_400)  # couriers set out at 07:30 and 14:00

_U = np.uint64


class Noting(NamedTuple):
    """What decides how a scan is written. Small, since it is handed on with every scan."""

    end_s: int
    damage: NDArray[np.float64]  # cumulative: duplicate, late, disordered, gap, unknown site, bad time
    bad_s10: float


class Slowed(NamedTuple):
    """Spans in which sites are slowed: those of a site lie between two of ``ptr``."""

    ptr: NDArray[np.int64]
    from_s: NDArray[np.int64]
    to_s: NDArray[np.int64]
    share: NDArray[np.float64]
    extra_s: NDArray[np.float64]


class Scene(NamedTuple):
    """All that decides a log, as the kernels need it."""

    noting: Noting
    slowed: Slowed

    seed: np.uint64
    n_items: int
    end_s: int
    day_upto: NDArray[np.float64]  # (days + 1,) share of all items accepted before each day
    hour_upto: NDArray[np.float64]  # (25,) share of a day's
    slowness: NDArray[np.float64]  # (24,) factor on processing times
    odds: NDArray[np.float32]  # (pairs,) alias method
    other: NDArray[np.int32]
    pair_from: NDArray[np.int32]
    pair_to: NDArray[np.int32]
    class_upto: NDArray[np.float64]  # (pairs or 1, classes)
    sent: NDArray[np.float32]  # (pairs or none, classes) share that leaves its first site
    next_leg: NDArray[np.int32]  # (streams, destinations, sites)
    dest_number: NDArray[np.int32]
    n_own_legs: int
    leg_tail: NDArray[np.int32]
    leg_head: NDArray[np.int32]
    leg_trips: NDArray[np.float64]  # a day
    leg_phase: NDArray[np.float64]
    leg_travel_s: NDArray[np.float64]
    leg_bags: NDArray[np.int64]  # a trip
    leg_ptr: NDArray[np.int64]  # spans in which legs are slowed
    leg_from_s: NDArray[np.int64]
    leg_to_s: NDArray[np.int64]
    leg_share: NDArray[np.float64]
    leg_extra_s: NDArray[np.float64]
    line_ptr: NDArray[np.int64]  # when what joins a site's line is at its head
    line_in_s: NDArray[np.float64]
    line_out_s: NDArray[np.float64]
    before_s: NDArray[np.float64]  # (sites,) processing
    last_s: NDArray[np.float64]  # (sites,) processing where it is delivered
    exchange: NDArray[np.bool_]
    scans: NDArray[np.uint32]  # (sites,) bit of each code the site scans
    habits: NDArray[np.float64]  # shares: inspect, screen, register, cancel, attempt, return


@njit(**FLAT)
def mix(x):
    """Return 64 well-mixed bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    x = (x ^ (x >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> _U(27))) * _U(0x94D049BB133111EB)
    return x ^ (x >> _U(31))


@njit(**FLAT)
def draw(h, k):
    """Return the k-th number in [0, 1) of a hash."""
    return np.float64(mix(h + _U(k) * _U(0x9E3779B97F4A7C15)) >> _U(11)) * (1.0 / 9007199254740992.0)


@njit(**FLAT)
def hash3(seed, a, b, c):
    """Return the hash of three numbers under a seed."""
    h = mix(seed + _U(a) * _U(0x9E3779B97F4A7C15))
    h = mix(h + _U(b) * _U(0xD1B54A32D192ED03))
    return mix(h + _U(c) * _U(0x8CB92BA72F3D8DD7))


@njit(**FLAT)
def below(h, n):
    """Return a whole number from 0 to n - 1 out of a hash."""
    return np.int64((h >> _U(33)) % _U(n))


@njit(**FLAT)
def make_alias(weight, odds, other, stack):
    """Fill the tables of the alias method (Vose 1991) for weights that are not negative."""
    n = weight.shape[0]
    total = 0.0
    for i in range(n):
        total += weight[i]
    small = 0
    large = n
    for i in range(n):
        other[i] = i
        if weight[i] * n < total:
            stack[small] = i
            small += 1
        else:
            large -= 1
            stack[large] = i
        odds[i] = weight[i] * n / total
    while small > 0 and large < n:
        small -= 1
        i = stack[small]
        j = stack[large]
        other[i] = j
        odds[j] = odds[j] + odds[i] - 1.0
        if odds[j] < 1.0:
            large += 1
            stack[small] = j
            small += 1
    while small > 0:
        small -= 1
        odds[stack[small]] = 1.0
    while large < n:
        odds[stack[large]] = 1.0
        large += 1


@njit(**FLAT)
def leg_loads(pair_from, pair_to, pieces, next_leg, dest_number, leg_head, n_own, load, no_way):
    """Add the pieces of every pair to the legs of its way; say which pairs have no whole way.

    ``pieces`` is (pairs, streams).
    """
    for p in range(pair_from.shape[0]):
        for k in range(next_leg.shape[0]):
            at = pair_from[p]
            for _ in range(MOST_LEGS):
                if at == pair_to[p]:
                    break
                leg = next_leg[k, dest_number[pair_to[p]], at]
                if leg < 0 or leg >= n_own:
                    no_way[p] = no_way[p] or leg < 0
                    at = pair_to[p]
                    break
                load[leg] += pieces[p, k]
                at = leg_head[leg]
            if at != pair_to[p]:
                no_way[p] = True


@njit(**FLAT)
def accepted_s(sc, share):
    """Return the second before which a share of all items is accepted."""
    lo = 0
    hi = sc.day_upto.shape[0] - 1
    while hi - lo > 1:
        mid = (lo + hi) // 2
        if sc.day_upto[mid] <= share:
            lo = mid
        else:
            hi = mid
    q = (share - sc.day_upto[lo]) / (sc.day_upto[lo + 1] - sc.day_upto[lo])
    h = 0
    while h < 23 and sc.hour_upto[h + 1] <= q:
        h += 1
    within = (q - sc.hour_upto[h]) / max(sc.hour_upto[h + 1] - sc.hour_upto[h], 1e-30)
    return np.int64(lo * DAY_S + (h + min(max(within, 0.0), 1.0)) * 3600.0)


@njit(**FLAT)
def _when_open(slowed, site, t, share, most):
    """Return ``t``, or a time soon after reopening where the site is closed then, in order."""
    for i in range(slowed.ptr[site], slowed.ptr[site + 1]):
        if slowed.share[i] <= 0.0 and slowed.from_s[i] <= t < slowed.to_s[i]:
            t = slowed.to_s[i] + np.int64(min(np.float64(most), share * (t - slowed.from_s[i])))
    return t


@njit(**FLAT)
def _at_head(sc, site, t):
    """Return when what joins a site's line at ``t`` is at its head: later only after an outage."""
    lo = sc.line_ptr[site]
    hi = sc.line_ptr[site + 1]
    if hi - lo < 2 or t < sc.line_in_s[lo]:
        return t
    if t >= sc.line_in_s[hi - 1]:
        return np.int64(max(np.float64(t), sc.line_out_s[hi - 1]))
    i = lo
    while i + 1 < hi and sc.line_in_s[i + 1] <= t:
        i += 1
    step = sc.line_in_s[i + 1] - sc.line_in_s[i]
    along = (t - sc.line_in_s[i]) / step
    return np.int64(np.ceil(sc.line_out_s[i] + along * (sc.line_out_s[i + 1] - sc.line_out_s[i])))


@njit(**FLAT)
def _extra(slowed, site, t):
    for i in range(slowed.ptr[site], slowed.ptr[site + 1]):
        if slowed.from_s[i] <= t < slowed.to_s[i]:
            return slowed.extra_s[i]
    return 0.0


@njit(**FLAT)
def _next_trip(sc, leg, ready):
    """Return number and second of the first trip for what is ready, and of one an outage cost it, or -1.

    No trip leaves or makes for a closed site, nor takes a closed leg; of a slowed leg a share runs.
    What waits at a closed site itself has lost no trip: nobody looks.
    """
    trips = sc.leg_trips[leg]
    if trips <= 0.0:
        return np.int64(-1), np.int64(FAR_S), ready + 60
    missed = np.int64(-1)
    tail = sc.leg_tail[leg]
    slowed = sc.slowed
    t = ready + CUT_OFF_S
    j = np.int64(np.ceil(t / DAY_S * trips - sc.leg_phase[leg]))
    while True:
        at = np.int64(np.ceil((j + sc.leg_phase[leg]) / trips * DAY_S))
        if at >= sc.end_s:
            return np.int64(-1), np.int64(FAR_S), missed
        later = np.int64(-1)
        lost = False
        at_home = False
        for site in (tail, sc.leg_head[leg]):
            for i in range(slowed.ptr[site], slowed.ptr[site + 1]):
                if slowed.share[i] <= 0.0 and slowed.from_s[i] <= at < slowed.to_s[i] + OPENING_S:
                    later = max(later, slowed.to_s[i] + OPENING_S)
                    lost = lost or site != tail
                    at_home = at_home or site == tail
        for i in range(sc.leg_ptr[leg], sc.leg_ptr[leg + 1]):
            if sc.leg_from_s[i] <= at < sc.leg_to_s[i]:
                if sc.leg_share[i] <= 0.0:
                    later = max(later, sc.leg_to_s[i])
                    lost = True
                elif draw(hash3(sc.seed, leg, j, 9), 1) >= sc.leg_share[i]:
                    lost = True
        if later < 0 and not lost:
            return j, at, missed
        if lost and not at_home and missed < 0:
            missed = at
        j += 1
        if later >= 0:
            j = max(j, np.int64(np.ceil(later / DAY_S * trips - sc.leg_phase[leg])))


@njit(**FLAT)
def _note(sc, out, n, h, k, t, code, cls, leg, trip, bag, item):
    """Write one scan, damaged or not; return the number of rows. Later than the log: none."""
    if t >= sc.end_s:
        return n
    flags = 0
    place = t
    every = sc.damage[5]
    if every > 0.0:
        u = draw(h, 1000 + k)
        if u < every:
            g = mix(h + _U(5000 + k))
            if u < sc.damage[0]:
                flags = COPIED
                late = t + 60 + below(g, 21_600)
                if late < sc.end_s:
                    r = out[n]
                    r.at, r.place, r.item, r.leg, r.trip = t, late, item, leg, trip
                    r.bag, r.code, r.cls, r.flags = bag, code, cls, DUPLICATE
                    n += 1
                else:
                    flags = 0
            elif u < sc.damage[1]:
                flags = LATE
                place = t + late_s(h, t)
                if place >= sc.end_s:
                    return n
            elif u < sc.damage[2]:
                flags = DISORDERED
                place = t + 60 + below(g, 7_140)
                if place >= sc.end_s:
                    place = t
                    flags = 0
            elif u < sc.damage[3]:
                flags = GAP
            elif u < sc.damage[4]:
                flags = UNKNOWN_SITE
            else:
                flags = BAD_TIME
    if flags == 0 and cls & S10 and sc.bad_s10 > 0.0 and draw(h, 2000 + k) < sc.bad_s10:
        flags = BAD_S10
    r = out[n]
    r.at, r.place, r.item, r.leg, r.trip = t, place, item, leg, trip
    r.bag, r.code, r.cls, r.flags = bag, code, cls, flags
    return n + 1


@njit(**FLAT)
def late_s(h, t):
    """Return by how much a late row is recorded after it happened: one to five days."""
    return DAY_S + below(mix(h + _U(t)), 4 * DAY_S)


@njit(**FLAT)
def _last_mile(sc, out, n, h, k, t, site, cls, item):
    """Note what happens from the last site's sorting to the receiver."""
    here = -1 - site
    tries = 1 + (draw(h, 20) < sc.habits[4])
    for attempt in range(tries):
        t += OPENING_S
        while True:
            day = t // DAY_S
            within = t - day * DAY_S
            if within <= WAVES_S[0]:
                out_s = day * DAY_S + WAVES_S[0]
            elif within <= WAVES_S[1]:
                out_s = day * DAY_S + WAVES_S[1]
            else:
                out_s = (day + 1) * DAY_S + WAVES_S[0]
            out_s += np.int64(3600.0 * draw(h, 21 + attempt))
            again = _when_open(sc.slowed, site, out_s, 0.0, 0)
            if again == out_s:
                break
            t = again
            if t >= sc.end_s:
                return n
        n = _note(sc.noting, out, n, h, k, out_s, OUT, cls, here, 0, 0, item)
        t = out_s + 600 + np.int64(16_200.0 * draw(h, 24 + attempt))
        t = _when_open(sc.slowed, site, t, 0.1, 21_600)
        k += 1
        if attempt + 1 < tries:
            n = _note(sc.noting, out, n, h, k, t, ATTEMPT, cls, here, 0, 0, item)
            k += 1
    goes_back = draw(h, 27) < sc.habits[5]
    return _note(sc.noting, out, n, h, k, t, RETURN if goes_back else DELIVER, cls, here, 0, 0, item)


@njit(**FLAT)
def _begin(sc, out, n, h, t, site, cls, item):
    """Note what happens at the first site; return rows, scans and the time the item joins its line."""
    here = -1 - site
    if cls & INBOUND:
        t = _when_open(sc.slowed, site, t, 0.25, 21_600)
        n = _note(sc.noting, out, n, h, 0, t, RECEIVE, cls, here, 0, 0, item)
        t = _when_open(sc.slowed, site, t + 600 + np.int64(7200.0 * draw(h, 3)), 0.01, 900)
        n = _note(sc.noting, out, n, h, 1, t, CUSTOMS_IN, cls, here, 0, 0, item)
        t = _when_open(sc.slowed, site, t + 3600 + np.int64(54_000.0 * draw(h, 4)), 0.01, 900)
        n = _note(sc.noting, out, n, h, 2, t, CUSTOMS_OUT, cls, here, 0, 0, item)
        return n, 5, t
    t = _when_open(sc.slowed, site, t, 0.25, 21_600)
    n = _note(sc.noting, out, n, h, 0, t, ACCEPT, cls, here, 0, 0, item)
    if draw(h, 3) < sc.habits[3]:
        t = _when_open(sc.slowed, site, t + 600 + np.int64(3000.0 * draw(h, 4)), 0.01, 900)
        n = _note(sc.noting, out, n, h, 1, t, CANCEL, cls, here, 0, 0, item)
        return n, -1, t
    t += 5 + np.int64(40.0 * draw(h, 5))
    t = _when_open(sc.slowed, site, t, 0.01, 900)
    if draw(h, 6) < sc.habits[2]:
        n = _note(sc.noting, out, n, h, 1, t, REGISTER, cls, here, 0, 0, item)
    t = _when_open(sc.slowed, site, t + 5 + np.int64(90.0 * draw(h, 7)), 0.01, 900)
    if draw(h, 8) < sc.habits[0]:
        n = _note(sc.noting, out, n, h, 2, t, INSPECT, cls, here, 0, 0, item)
    t = _when_open(sc.slowed, site, t + 900 + np.int64(6300.0 * draw(h, 9)), 0.01, 900)
    if sc.scans[site] >> RECEIVE & 1:
        n = _note(sc.noting, out, n, h, 3, t, RECEIVE, cls, here, 0, 0, item)
    t = _when_open(sc.slowed, site, t + 120 + np.int64(1200.0 * draw(h, 10)), 0.01, 900)
    if draw(h, 11) < sc.habits[1]:
        n = _note(sc.noting, out, n, h, 4, t, SCREEN, cls, here, 0, 0, item)
    return n, 5, t


@njit(**FLAT)
def _handle(sc, out, n, h, k, t, site, cls, item, hours_s):
    """Note a site's sorting of what joins its line at ``t``; return rows and when it is done."""
    line = max(t, _at_head(sc, site, t))
    spent = hours_s[site] * (0.5 + draw(h, 100 + k)) * sc.slowness[line // 3600 % 24]
    line += np.int64(_extra(sc.slowed, site, line))
    sorted_s = max(t + 1, _when_open(sc.slowed, site, line + 30 + np.int64(0.3 * spent), 0.01, 900))
    if sc.scans[site] >> SORT & 1:
        n = _note(sc.noting, out, n, h, k, sorted_s, SORT, cls, -1 - site, 0, 0, item)
    return n, max(sorted_s + 1, _when_open(sc.slowed, site, line + 60 + np.int64(spent), 0.01, 900))


@njit(**FLAT)
def _ride(sc, out, n, h, k, t, leg, trip, at, missed, dest, cls, item):
    """Note packing to unpacking on one leg; return rows and the time it joins the next line."""
    tail = sc.leg_tail[leg]
    head = sc.leg_head[leg]
    bags = sc.leg_bags[leg]
    if head == dest:
        bag = below(h, bags)
    else:  # by destination, a few bags each
        bag = below(mix(hash3(sc.seed, dest, 3, 3) + (h & _U(3))), bags)
    of_bag = hash3(sc.seed, leg, trip, 16 + bag)
    of_trip = hash3(sc.seed, leg, trip, 0)
    load = at - 60 - below(of_bag, 540)
    if missed >= 0 and load - missed > 7_200:
        n = _note(sc.noting, out, n, h, k, missed, HOLD, cls, leg, 0, 0, item)
        t = load - 300 - below(mix(h + _U(k)), 120)
        n = _note(sc.noting, out, n, h, k + 1, t, RELEASE, cls, leg, 0, 0, item)
    pack = t + 1 + np.int64(draw(h, 200 + k) * (load - t - 1))
    pack = min(_when_open(sc.slowed, tail, pack, 0.01, 900), load - 1)
    here = sc.scans[tail]
    if here >> PACK & 1:
        n = _note(sc.noting, out, n, h, k + 2, pack, PACK, cls, leg, trip, bag, item)
    if here >> LOAD & 1:
        n = _note(sc.noting, out, n, h, k + 3, load, LOAD, cls, leg, trip, bag, item)
    leaves = at + below(of_trip, 600)
    if _when_open(sc.slowed, tail, leaves, 0.01, 900) != leaves:
        leaves = at
    n = _note(sc.noting, out, n, h, k + 4, leaves, DEPART, cls, leg, trip, bag, item)
    more = 0.0
    for i in range(sc.leg_ptr[leg], sc.leg_ptr[leg + 1]):
        if sc.leg_from_s[i] <= at < sc.leg_to_s[i]:
            more = max(more, sc.leg_extra_s[i])
    there = leaves + np.int64(sc.leg_travel_s[leg] * (0.95 + 0.15 * draw(of_trip, 2)) + more)
    there = _when_open(sc.slowed, head, max(there, leaves + 60), 0.01, 900)
    n = _note(sc.noting, out, n, h, k + 5, there, ARRIVE, cls, leg, trip, bag, item)
    there_s = sc.scans[head]
    unload = _when_open(sc.slowed, head, there + 300 + below(mix(of_bag), 1_500), 0.01, 900)
    if there_s >> UNLOAD & 1:
        n = _note(sc.noting, out, n, h, k + 6, unload, UNLOAD, cls, leg, trip, bag, item)
    unpack = _when_open(sc.slowed, head, unload + 60 + below(mix(of_bag + _U(7)), 600), 0.01, 900)
    if there_s >> UNPACK & 1:
        n = _note(sc.noting, out, n, h, k + 7, unpack, UNPACK, cls, leg, trip, bag, item)
    return n, unpack


@njit(**FLAT)
def _walk(sc, out, n, item):
    """Note all scans of one item; return the number of rows."""
    h = hash3(sc.seed, item, 1, 1)
    t = accepted_s(sc, (item + draw(h, 0)) / sc.n_items)
    p = np.int64(draw(h, 1) * sc.odds.shape[0])
    if draw(h, 2) >= sc.odds[p]:
        p = sc.other[p]
    site = np.int64(sc.pair_from[p])
    dest = np.int64(sc.pair_to[p])
    w = p if sc.class_upto.shape[0] > 1 else 0
    cls = 0
    u = draw(h, 12)
    while cls + 1 < sc.class_upto.shape[1] and sc.class_upto[w, cls] <= u:
        cls += 1
    stream = cls if sc.next_leg.shape[0] > 1 else 0
    sent = sc.sent[p, cls] if sc.sent.shape[0] > 0 else np.float32(1.0)
    outbound = sc.exchange[dest]
    if outbound:
        cls |= S10
    if sc.exchange[site]:
        cls |= S10 | INBOUND
    n, k, t = _begin(sc, out, n, h, t, site, cls, item)
    if k < 0:
        return n
    if site != dest and draw(h, 13) >= sent:
        return _note(sc.noting, out, n, h, k, t + 60, HOLD, cls, -1 - site, 0, 0, item)
    for _ in range(MOST_LEGS):
        if t >= sc.end_s:
            return n
        leg = np.int64(-1)
        if site != dest:
            leg = np.int64(sc.next_leg[stream, sc.dest_number[dest], site])
        at_last = site == dest or leg >= sc.n_own_legs
        n, t = _handle(sc, out, n, h, k, t, site, cls, item, sc.last_s if at_last else sc.before_s)
        k += 1
        if at_last:
            break
        if leg < 0:
            return _note(sc.noting, out, n, h, k, t, HOLD, cls, -1 - site, 0, 0, item)
        trip, at, missed = _next_trip(sc, leg, t)
        if trip < 0:
            if missed >= 0:  # held until the log ends
                n = _note(sc.noting, out, n, h, k, missed, HOLD, cls, leg, 0, 0, item)
            return n
        n, t = _ride(sc, out, n, h, k, t, leg, trip, at, missed, dest, cls, item)
        k += 8
        site = np.int64(sc.leg_head[leg])
    if outbound and site == dest:
        t = _when_open(sc.slowed, site, t + 600, 0.01, 900)
        n = _note(sc.noting, out, n, h, k, t, CUSTOMS_IN, cls, -1 - site, 0, 0, item)
        t = _when_open(sc.slowed, site, t + 3600 + np.int64(54_000.0 * draw(h, 14)), 0.01, 900)
        return _note(sc.noting, out, n, h, k + 1, t, CUSTOMS_OUT, cls, -1 - site, 0, 0, item)
    return _last_mile(sc, out, n, h, k, t, site, cls, item)


@njit(**FLAT)
def walk_items(sc, first, last, out):
    """Note the scans of items ``first`` … ``last``-1; return the rows and the next item.

    Stops where ``out`` might not hold one more item.
    """
    n = 0
    item = first
    while item < last and n + ROWS_PER_ITEM <= out.shape[0]:
        n = _walk(sc, out, n, item)
        item += 1
    return n, item


@njit(**FLAT)
def count_rows(sc, first, last, step, out):
    """Return the rows of every ``step``-th item, gaps left out, and how many items those are."""
    rows = 0
    items = 0
    for item in range(first, last, step):
        n = _walk(sc, out, 0, item)
        for i in range(n):
            rows += out[i].flags != GAP
        items += 1
    return rows, items


@njit(**FLAT)
def sort_into(rows, n, first_s, width_s, ptr, out):
    """Sort rows by the span their place is in, keeping their order: ``ptr`` is where each begins."""
    ptr[:] = 0
    for i in range(n):
        ptr[(rows[i].place - first_s) // width_s + 1] += 1
    for w in range(1, ptr.shape[0]):
        ptr[w] += ptr[w - 1]
    for i in range(n):
        w = (rows[i].place - first_s) // width_s
        out[ptr[w]] = rows[i]
        ptr[w] += 1
    for w in range(ptr.shape[0] - 1, 0, -1):
        ptr[w] = ptr[w - 1]
    ptr[0] = 0
