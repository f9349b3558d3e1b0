"""Kernels of contact tracing: one step of exposure through places.

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

from changtong.events.tracing.index_steps import DIGIT, order_by
from changtong.flows.trees import FLAT

NEVER = np.iinfo(np.int64).max
"""Exposure of an item that is not exposed."""

FAR = 2**61
"""Times beyond are those of no log, and are not told apart."""

BLOCK = 2048
"""Stays sifted at a time."""


class StayTable(NamedTuple):
    """Stays by place, then begin; ends that are open stand at the log's last instant.

    Items and places are numbered so that those near each other on their ways are near each other in memory.
    Where two tie, the smaller key wins: ``item_rank`` and ``place_rank`` tell where a key stands among all
    keys, ``by_rank`` the item that stands there. The places of item ``x`` are
    ``item_place[item_first[x]:item_after[x]]``.
    """

    ptr: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    item: NDArray[np.int32]
    by_end: NDArray[np.int32]
    item_first: NDArray[np.int64]
    item_after: NDArray[np.int64]
    item_place: NDArray[np.int32]
    item_rank: NDArray[np.int32]
    by_rank: NDArray[np.int32]
    keys: NDArray[np.int64]
    place_rank: NDArray[np.int32]


class Scale(NamedTuple):
    """Coarse times: an instant ``t`` is ``(t - base) >> shift``, 0 to 254; 255 stands for never."""

    base: int
    shift: int


class Board(NamedTuple):
    """What is found in a step, a row for each core; made once for a trace.

    Attributes
    ----------
    bound : array of int64, (cores, items)
        Twice the exposure found in this step, or twice the one before it less one: twice a better time,
        or an equal one of this step, is never above it.
    sieve : array of uint8, (items,)
        The bound as a coarse time. Small enough for the cache, it turns away most stays. All cores write to
        it: whichever comes last, what stands there was found, and turns away only what is later.
    won : array of int64, (cores, items, 2)
        Where the bound is of this step: contact in ms, and from whom (upper half) at which place, as ranks.
    """

    bound: NDArray[np.int64]
    sieve: NDArray[np.uint8]
    won: NDArray[np.int64]


class Found(NamedTuple):
    """What a step found: items, ascending, their exposure, from whom, at which place, and contact in ms.

    From whom and where are ranks, -1 in step 0.
    """

    item: NDArray[np.int32]
    at: NDArray[np.int64]
    by: NDArray[np.int32]
    place: NDArray[np.int32]
    contact: NDArray[np.int64]


class Room(NamedTuple):
    """Memory for a core to work in: rows of a block, spans of a place and their order, staircases."""

    left: NDArray[np.uint64]
    open_to: NDArray[np.uint64]
    s_begin: NDArray[np.int64]
    s_end: NDArray[np.int64]
    s_who: NDArray[np.int32]
    order: NDArray[np.int64]
    spare: NDArray[np.int64]
    digits: NDArray[np.int64]
    end: NDArray[np.int64]
    who: NDArray[np.int32]
    group_end: NDArray[np.int64]
    group_who: NDArray[np.int32]


def make_room(most: int) -> Room:
    """Return memory for places of up to ``most`` stays."""
    longs = [np.empty(most, np.int64) for _ in range(6)]
    ints = [np.empty(most, np.int32) for _ in range(3)]
    return Room(
        left=np.empty(BLOCK, np.uint64),
        open_to=np.empty(BLOCK, np.uint64),
        s_begin=longs[0],
        s_end=longs[1],
        s_who=ints[0],
        order=longs[2],
        spare=longs[3],
        digits=np.zeros(1 << DIGIT, np.int64),
        end=longs[4],
        who=ints[1],
        group_end=longs[5],
        group_who=ints[2],
    )


@njit(**FLAT)
def touched_places(table, items, kinds_from, kinds_to, touched):
    """Mark the places of the wanted kinds where any of ``items`` was."""
    for k in range(items.shape[0]):
        x = items[k]
        for j in range(table.item_first[x], table.item_after[x]):
            p = table.item_place[j]
            for q in range(kinds_from.shape[0]):
                if kinds_from[q] <= p < kinds_to[q]:
                    touched[p] = True


@njit(**FLAT)
def _coarse(at, base, shift):
    """Return a time as the sieve has it."""
    if at == NEVER:
        return np.uint8(255)
    return np.uint8(min(254, max(0, at - base) >> shift))


@njit(**FLAT)
def set_board(board, exposed, since, scale, low, high):
    """Set the bounds of items ``low`` … ``high``-1 to their exposure; all that have one have changed."""
    for x in range(low, high):
        at = exposed[x]
        bound = NEVER if at == NEVER else 2 * min(max(at, -FAR), FAR) - 1
        board.sieve[x] = since[x] = _coarse(at, scale.base, scale.shift)
        for k in range(board.bound.shape[0]):
            board.bound[k, x] = bound


@njit(**FLAT)
def _add_stair(end, who, n, new_end, new_who):
    """Put a span on the staircase, ends and items descending; return its length."""
    j = n
    while j > 0 and end[j - 1] < new_end:
        j -= 1
    # spans 0 … j-1 end at or after the new one; the last of them has their smallest key
    if j > 0 and who[j - 1] <= new_who:
        return n
    if j > 0 and end[j - 1] == new_end:
        j -= 1
    last = j
    while last < n and who[last] >= new_who:
        last += 1
    if last == j:
        for k in range(n, j, -1):
            end[k] = end[k - 1]
            who[k] = who[k - 1]
        n += 1
    elif last > j + 1:
        less = last - j - 1
        for k in range(last, n):
            end[k - less] = end[k]
            who[k - less] = who[k]
        n -= less
    end[j] = new_end
    who[j] = new_who
    return n


@njit(**FLAT)
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


@njit(**FLAT)
def _sift_exposing(table, low, block, after, since, base, shift, backward, left):
    """Fill ``left`` with the rows of a block that may expose their place; return how many.

    Most stays change nothing, and what they ask of their items is seldom in the cache. This loop and the two
    below have no branches, so that many reads are under way at once. Numbers of rows are unsigned: a signed
    one is asked each time whether it counts from the end.
    """
    m = np.uint64(0)
    for j in range(np.uint64(block), np.uint64(after)):
        row = np.uint64(low) + np.uint64(table.by_end[j]) if backward else j
        last = -table.begin[row] if backward else table.end[row]
        exposed_at = since[np.uint32(table.item[row])]
        left[m] = row
        m += np.uint64(min(254, (last - base) >> shift) >= np.int64(exposed_at))
    return m


@njit(**FLAT)
def _sift_open(table, low, block, after, earliest, sieve, base, shift, backward, left):
    """Fill ``left`` with the rows of a block that last until a place is exposed and pass the sieve."""
    m = np.uint64(0)
    for j in range(np.uint64(block), np.uint64(after)):
        row = np.uint64(low) + np.uint64(table.by_end[j]) if backward else j
        left[m] = row
        m += np.uint64((-table.begin[row] if backward else table.end[row]) >= earliest)
    passed = np.uint64(0)
    for i in range(m):
        row = left[i]
        first = -table.end[row] if backward else table.begin[row]
        until = sieve[np.uint32(table.item[row])]
        left[passed] = row
        passed += np.uint64(min(254, (first - base) >> shift) <= np.int64(until))
    return passed


@njit(**FLAT)
def _sift_better(table, bound, backward, left, m):
    """Keep of the rows in ``left`` those that an exposure at their begin would make better."""
    better = np.uint64(0)
    for i in range(m):
        row = left[i]
        first = -table.end[row] if backward else table.begin[row]
        left[better] = row
        better += np.uint64(2 * first <= bound[np.uint32(table.item[row])])
    return better


@njit(**FLAT)
def _exposing(table, low, high, exposed, since, linger_ms, base, shift, backward, room):
    """Put the spans in which a place is exposed in order of begin; return how many, first begin, last end.

    Stays come by begin. One that ends no later than a span that is begun already, and has the larger
    key, can neither expose anything more nor be a better tie: its item's exposure is not read.
    """
    left, stair_end, stair_who = room.left, room.end, room.who
    n = stairs = 0
    earliest, latest = np.int64(NEVER), np.int64(-NEVER)
    for block in range(low, high, BLOCK):
        after = min(block + BLOCK, high)
        for i in range(_sift_exposing(table, low, block, after, since, base, shift, backward, left)):
            row = left[i]
            last = -table.begin[row] if backward else table.end[row]
            x = table.item[row]
            rank = table.item_rank[x]
            k = 0
            while k < stairs and stair_end[k] >= last and stair_who[k] > rank:
                k += 1
            if k < stairs and stair_end[k] >= last:
                continue
            begin = -table.end[row] if backward else table.begin[row]
            first = begin
            if np.int64(since[x]) >= min(254, (begin - base) >> shift):
                first = max(begin, exposed[x])
                if first > last:
                    continue
            room.s_begin[n] = first
            room.s_end[n] = last + linger_ms
            room.s_who[n] = rank
            room.order[n] = n
            n += 1
            earliest = min(earliest, first)
            latest = max(latest, last + linger_ms)
            if first == begin:  # one that begins later must not hide others before it does
                stairs = _add_stair(stair_end, stair_who, stairs, last, rank)
    order_by(room.s_begin, room.order, 0, n, room.spare, room.digits)
    return n, earliest, latest


@njit(**FLAT)
def _win(bound, sieve, won, x, at, contact, by, place, base, shift):
    """Take a tie if it is better: earlier, longer, smaller key, then the first place."""
    twice = 2 * at
    if twice > bound[x]:
        return
    tie = (np.int64(by) << 32) | np.int64(place)
    if twice == bound[x]:
        if contact < won[x, 0] or (contact == won[x, 0] and tie >= won[x, 1]):
            return
    else:
        bound[x] = twice
        sieve[x] = _coarse(at, base, shift)
    won[x, 0] = contact
    won[x, 1] = tie


@njit(**FLAT)
def spread(table, places, exposed, since, linger_ms, backward, scale, board, room):
    """Let the items that changed in the step before expose others at ``places``, one meeting on.

    ``exposed`` is each item's exposure before this step, in reversed time (negative) if ``backward``;
    ``since`` the same as a coarse time, 255 unless it changed in the step before. The board, one core's row
    of it, gets the earliest exposure of this step where it is earlier than that.
    """
    bound, sieve, won = board.bound, board.sieve, board.won
    base, shift = scale.base, scale.shift
    order, s_begin, open_to = room.order, room.s_begin, room.open_to
    end, who = room.end, room.who
    for k in range(places.shape[0]):
        p = places[k]
        rank = table.place_rank[p]
        low, high = table.ptr[p], table.ptr[p + 1]
        if high - low <= BLOCK:
            # most small places are done with as soon as it is seen that nothing in them can change
            if not _sift_exposing(table, low, low, high, since, base, shift, backward, open_to):
                continue
            m = _sift_open(table, low, low, high, -NEVER, sieve, base, shift, backward, open_to)
            if not _sift_better(table, bound, backward, open_to, m):
                continue
        n, earliest, latest = _exposing(
            table, low, high, exposed, since, linger_ms, base, shift, backward, room
        )
        if n == 0:
            continue
        stairs = begun = g_stairs = 0
        group = -1
        for block in range(low, high, BLOCK):
            row = low + table.by_end[block] if backward else block
            if (-table.end[row] if backward else table.begin[row]) > latest:
                break
            after = min(block + BLOCK, high)
            m = _sift_open(table, low, block, after, earliest, sieve, base, shift, backward, open_to)
            better = _sift_better(table, bound, backward, open_to, m)
            for i in range(better):
                row = open_to[i]
                first = -table.end[row] if backward else table.begin[row]
                if first > latest:
                    break
                last = -table.begin[row] if backward else table.end[row]
                while begun < n and s_begin[order[begun]] <= first:
                    s = order[begun]
                    stairs = _add_stair(end, who, stairs, room.s_end[s], room.s_who[s])
                    begun += 1
                x = table.item[row]
                if stairs > 0 and end[0] >= first:
                    a = _pick_stair(end, stairs, last)
                    _win(bound, sieve, won, x, first, min(end[a], last) - first, who[a], rank, base, shift)
                elif begun < n and s_begin[order[begun]] <= last:
                    at = s_begin[order[begun]]
                    if 2 * at > bound[x]:
                        continue
                    if group != begun:
                        group = begun
                        g_stairs = 0
                        g = begun
                        while g < n and s_begin[order[g]] == at:
                            s = order[g]
                            g_stairs = _add_stair(
                                room.group_end, room.group_who, g_stairs, room.s_end[s], room.s_who[s]
                            )
                            g += 1
                    a = _pick_stair(room.group_end, g_stairs, last)
                    contact = min(room.group_end[a], last) - at
                    _win(bound, sieve, won, x, at, contact, room.group_who[a], rank, base, shift)


@njit(**FLAT)
def count_found(board, low, high):
    """Return how many of the items ``low`` … ``high``-1 a step found."""
    n = 0
    for x in range(low, high):
        odd = np.int64(1)
        for k in range(board.bound.shape[0]):
            odd &= board.bound[k, x]
        n += 1 - odd
    return n


@njit(**FLAT)
def settle(board, scale, exposed, step, since, layer, low, high, found, n):
    """Take over what a step found for items ``low`` … ``high``-1, into rows of ``found`` from ``n`` on.

    Of what cores found for an item the best is taken, so that it does not matter who did what.
    """
    bound, won = board.bound, board.won
    for x in range(low, high):
        best = -1
        for k in range(bound.shape[0]):
            twice = bound[k, x]
            if twice & 1:
                continue
            if best >= 0:
                if twice > bound[best, x]:
                    continue
                if twice == bound[best, x]:
                    if won[k, x, 0] < won[best, x, 0]:
                        continue
                    if won[k, x, 0] == won[best, x, 0] and won[k, x, 1] > won[best, x, 1]:
                        continue
            best = k
        if best < 0:
            since[x] = 255
            continue
        at = bound[best, x] >> 1
        exposed[x] = at
        step[x] = layer
        found.item[n] = x
        found.at[n] = at
        found.contact[n] = won[best, x, 0]
        found.by[n] = won[best, x, 1] >> 32
        found.place[n] = won[best, x, 1] & 0xFFFFFFFF
        n += 1
        board.sieve[x] = since[x] = _coarse(at, scale.base, scale.shift)
        for k in range(bound.shape[0]):
            bound[k, x] = 2 * at - 1


@njit(**FLAT)
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


@njit(**FLAT)
def held_places(table, places, exposed, step, backward, held):
    """Mark the places that held an exposed item; of most it is known by its step, which is read sooner."""
    for k in range(places.shape[0]):
        p = places[k]
        for j in range(table.ptr[p], table.ptr[p + 1]):
            x = table.item[j]
            if step[x] < 0:
                continue
            if table.begin[j] <= -exposed[x] if backward else table.end[j] >= exposed[x]:
                held[p] = True
                break


@njit(**FLAT)
def last_seen(exposed, last_site, last_ms, state, under_way, items, still, first, last):
    """Count found items by the site they were seen at last; entry 0 is for those without one."""
    for x in range(exposed.shape[0]):
        at = exposed[x]
        if at == NEVER:
            continue
        s = last_site[x] + 1
        items[s] += 1
        still[s] += state[x] == under_way
        first[0, s] = min(first[0, s], at)
        first[1, s] = max(first[1, s], at)
        last[s] = max(last[s], last_ms[x])
