"""The steps of a simulation: accept, arrive, sort, depart; every piece in one place at a time.

A fluid model: volumes by site, destination and class. Higher classes are sorted and loaded first;
within a class a queue mixes. What leaves a leaf site is told apart by group only (groups.py).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.simulation.loading import class_shares, depart
from changtong.simulation.state import DELIVERED, ENTERED, ENTERS, HANDLED, UNDER_WAY


@njit(**FLAT)
def accept(t, plant, times, rules, state, record):
    """Let the pieces of a step in; they reach their line after handling."""
    ring = state.group_in.shape[0]
    n_classes = plant.rate.shape[1]
    for s in range(plant.group_ptr.shape[0] - 1):
        at = (t + rules.before[s]) % ring
        for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
            for k in range(n_classes):
                x = plant.rate[g, k] * times.accept[t]
                state.group_in[at, g, k] += x
                state.total[ENTERED, k] += x
                state.total[HANDLED, k] += x
                record.accepted[t, k] += x
        at = (t + rules.before[s]) % state.last_in.shape[0]
        for k in range(n_classes):
            x = plant.local[s, k] * times.accept[t]
            state.last_in[at, s, k] += x
            state.total[ENTERED, k] += x
            state.total[UNDER_WAY, k] += x
            record.accepted[t, k] += x


@njit(**FLAT)
def _spread(plant, state, g, c, k, x):
    """Put ``x`` pieces of a group and class in the line of inner site ``c``, by destination."""
    w = k if plant.item_share.shape[1] > 1 else 0
    for i in range(plant.item_ptr[g], plant.item_ptr[g + 1]):
        state.line[state.joins[c, k], c, plant.item_dest[i], k] += x * plant.item_share[i, w]
    state.line_sum[state.joins[c, k], c, k] += x


@njit(**FLAT)
def _spread_all(plant, state, g, c, x):
    """The same for all classes at once, where their shares are alike."""
    first = state.joins[c, 0]
    same = True
    for k in range(x.shape[0]):
        same = same and state.joins[c, k] == first
    if same:
        line = state.line[first, c]
        for i in range(plant.item_ptr[g], plant.item_ptr[g + 1]):
            d = plant.item_dest[i]
            w = plant.item_share[i, 0]
            for k in range(x.shape[0]):
                line[d, k] += x[k] * w
    else:
        for i in range(plant.item_ptr[g], plant.item_ptr[g + 1]):
            d = plant.item_dest[i]
            for k in range(x.shape[0]):
                state.line[state.joins[c, k], c, d, k] += x[k] * plant.item_share[i, 0]
    for k in range(x.shape[0]):
        state.line_sum[state.joins[c, k], c, k] += x[k]


@njit(**FLAT)
def _reach(t, plant, state, record, cell, x):
    """Bring what a cell carries to the head of its leg."""
    g = plant.cell_group[cell]
    h = plant.leg_head[plant.cell_leg[cell]]
    c = plant.inner[h]
    first = plant.item_ptr[g]
    only = plant.item_ptr[g + 1] - first == 1 and plant.dest_site[plant.item_dest[first]] == h
    for k in range(x.shape[0]):
        record.line_in[t, h, k] += x[k]
    if only or c < 0:
        for k in range(x.shape[0]):
            state.last_line[h, k] += x[k]
    elif plant.item_share.shape[1] == 1:
        _spread_all(plant, state, g, c, x)
    else:
        for k in range(x.shape[0]):
            if x[k] > 0.0:
                _spread(plant, state, g, c, k, x[k])
    if not only and c >= 0:
        _home(plant, state, g, c, h, x)


@njit(**FLAT)
def _home(plant, state, g, c, h, x):
    """Move what is bound for the site itself from its through line to its last line."""
    lo = plant.item_ptr[g]
    hi = plant.item_ptr[g + 1]
    while lo < hi:  # destinations of a group ascend, and so do their sites
        mid = (lo + hi) // 2
        if plant.dest_site[plant.item_dest[mid]] < h:
            lo = mid + 1
        else:
            hi = mid
    if lo < plant.item_ptr[g + 1] and plant.dest_site[plant.item_dest[lo]] == h:
        d = plant.item_dest[lo]
        for k in range(x.shape[0]):
            b = state.joins[c, k]
            y = np.float64(state.line[b, c, d, k])
            state.line[b, c, d, k] = 0.0
            state.line_sum[b, c, k] -= y
            state.last_line[h, k] += y


@njit(**FLAT)
def arrive(t, plant, rules, state, record, x):
    """Bring to the lines what is due now; ``x`` is scratch, one number a class."""
    n_classes = plant.rate.shape[1]
    at = t % state.group_in.shape[0]
    for s in range(plant.group_ptr.shape[0] - 1):
        for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
            _join_line(t, at, s, g, plant, rules, state, record, x)
    at = t % state.cell_in.shape[0]
    for cell in range(plant.cell_leg.shape[0]):
        some = 0.0
        for k in range(n_classes):
            x[k] = state.cell_in[at, cell, k]
            some += x[k]
        if some > 0.0:
            for k in range(n_classes):
                state.cell_in[at, cell, k] = 0.0
                state.total[UNDER_WAY, k] -= x[k]
            _reach(t, plant, state, record, cell, x)
    slot = state.due_first[t]
    while slot >= 0:
        _unload(t, slot, plant, state, record, x)
        slot = state.due_next[slot]
    at = t % state.last_in.shape[0]
    for s in range(plant.inner.shape[0]):
        for k in range(n_classes):
            y = state.last_in[at, s, k]
            state.last_in[at, s, k] = 0.0
            state.total[UNDER_WAY, k] -= y
            state.last_line[s, k] += y
            record.line_in[t, s, k] += y
    at = t % state.done_in.shape[0]
    for s in range(plant.inner.shape[0]):
        for k in range(n_classes):
            y = state.done_in[at, s, k]
            state.done_in[at, s, k] = 0.0
            state.total[HANDLED, k] -= y
            state.total[DELIVERED, k] += y
            record.delivered[t, s, k] += y


@njit(**FLAT)
def _join_line(t, at, s, g, plant, rules, state, record, x):
    """Bring a group's accepted pieces to the line of their site; held ones stay aside."""
    c = plant.inner[s]
    together = c >= 0 and plant.item_share.shape[1] == 1
    some = 0.0
    for k in range(plant.rate.shape[1]):
        x[k] = state.group_in[at, g, k]
        some += x[k]
        cell = rules.cell[g, k]
        together = together and cell >= 0 and plant.cell_leg[cell] == ENTERS
    if some <= 0.0:
        return
    if together:
        _spread_all(plant, state, g, c, x)
        for k in range(plant.rate.shape[1]):
            state.group_in[at, g, k] = 0.0
            state.total[HANDLED, k] -= x[k]
            record.line_in[t, s, k] += x[k]
        return
    for k in range(plant.rate.shape[1]):
        y = state.group_in[at, g, k]
        if y <= 0.0:
            continue
        state.group_in[at, g, k] = 0.0
        state.total[HANDLED, k] -= y
        cell = rules.cell[g, k]
        if cell < 0:
            state.group_held[g, k] += y
        elif plant.cell_leg[cell] == ENTERS:
            _spread(plant, state, g, c, k, y)
            record.line_in[t, s, k] += y
        elif plant.cell_leg[cell] >= plant.n_own_legs:  # a stand-in collects
            _take(t, plant, rules, state, cell, k, y)
        else:
            state.group_line[g, k] += y
            record.line_in[t, s, k] += y


@njit(**FLAT)
def _take(t, plant, rules, state, cell, k, y):
    leg = plant.cell_leg[cell]
    due = t + max(1, rules.travel[leg] + rules.before[plant.leg_head[leg]])
    state.cell_in[due % state.cell_in.shape[0], cell, k] += y
    state.total[UNDER_WAY, k] += y


@njit(**FLAT)
def _unload(t, slot, plant, state, record, x):
    """Empty a slot into the line of the leg's head."""
    leg = state.slot_leg[slot]
    size = state.slot_size[slot]
    for k in range(x.shape[0]):
        x[k] = 0.0
    c = plant.inner[plant.leg_head[leg]]
    place = plant.slot_at[slot]
    for q in range(size):
        d = np.int64(state.arena[place + q, state.arena.shape[1] - 1])
        for k in range(plant.rate.shape[1]):
            y = state.arena[place + q, k]
            state.line[state.joins[c, k], c, d, k] += y
            x[k] += y
    for k in range(x.shape[0]):
        state.line_sum[state.joins[c, k], c, k] += x[k]
        record.line_in[t, plant.leg_head[leg], k] += x[k]
        state.total[UNDER_WAY, k] -= x[k]


@njit(**FLAT)
def sort(t, plant, times, rules, state, record, total, share):
    """Sort at every site what its rate allows; ``total`` and ``share`` are scratch, one number a class."""
    n_classes = plant.rate.shape[1]
    for s in range(plant.inner.shape[0]):
        c = plant.inner[s]
        for k in range(n_classes):
            total[k] = state.last_line[s, k]
            if c >= 0:
                total[k] += state.line_sum[0, c, k] + state.line_sum[1, c, k]
        for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
            for k in range(n_classes):
                total[k] += state.group_line[g, k]
        class_shares(total, times.sort[t, s], share)
        some = 0.0
        for k in range(n_classes):
            if total[k] <= 0.0:
                share[k] = 0.0
            some += share[k]
        if some <= 0.0:
            continue
        at = (t + max(1, plant.after[s])) % state.done_in.shape[0]
        for k in range(n_classes):
            y = share[k] * state.last_line[s, k]
            state.last_line[s, k] -= y
            state.total[HANDLED, k] += y
            state.done_in[at, s, k] += y
            record.line_out[t, s, k] += y
        for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
            for k in range(n_classes):
                y = share[k] * state.group_line[g, k]
                if y > 0.0:
                    leg = plant.cell_leg[rules.cell[g, k]]
                    state.group_line[g, k] -= y
                    state.group_sorted[g, k] += y
                    state.leg_sum[leg, k] += y
                    record.line_out[t, s, k] += y
        if c >= 0:
            _sort_inner(t, s, c, plant, rules, state, record, share)


@njit(**FLAT)
def _sort_inner(t, s, c, plant, rules, state, record, share):
    """Sort a share of the line, the older part first; what joined while pieces waited is the newer."""
    all_of_it = True
    for k in range(share.shape[0]):
        old = state.older[c, k]
        all_of_it = all_of_it and state.line_sum[1 - old, c, k] <= 0.0
        all_of_it = all_of_it and (share[k] >= 1.0 or state.line_sum[old, c, k] <= 0.0)
    if all_of_it:
        _sort_all(t, s, c, plant, rules, state, record)
        return
    for k in range(share.shape[0]):
        old = np.int64(state.older[c, k])
        wanted = share[k] * (state.line_sum[0, c, k] + state.line_sum[1, c, k])
        if wanted > 0.0:
            first = state.line_sum[old, c, k]
            if first > 0.0:
                _sort_part(t, s, c, k, old, min(1.0, wanted / first), rules, state, record)
            second = state.line_sum[1 - old, c, k]
            if second > 0.0 and (wanted > first or share[k] >= 1.0):
                part = 1.0 if share[k] >= 1.0 else min(1.0, (wanted - first) / second)
                _sort_part(t, s, c, k, 1 - old, part, rules, state, record)
        if state.line_sum[old, c, k] <= 0.0:
            old = 1 - old
            state.older[c, k] = old
        state.joins[c, k] = 1 - old if state.line_sum[old, c, k] > 0.0 else old


@njit(**FLAT)
def _sort_all(t, s, c, plant, rules, state, record):
    """Sort everything there is, all classes in one pass: the usual case."""
    n_classes = state.line_sum.shape[2]
    done = state.sorted[c]
    route = rules.route[c]
    for k in range(n_classes):
        state.line_sum[state.older[c, k], c, k] = 0.0
    for d in range(done.shape[0]):
        for k in range(n_classes):
            u = state.line[state.older[c, k], c, d, k]
            if u > 0.0:
                state.line[state.older[c, k], c, d, k] = 0.0
                done[d, k] += u
                state.line_sum[state.older[c, k], c, k] += u
                if route[d, k] >= 0:
                    state.leg_sum[route[d, k], k] += u
    for k in range(n_classes):
        total = state.line_sum[state.older[c, k], c, k]
        state.line_sum[state.older[c, k], c, k] = 0.0
        state.sorted_sum[c, k] += total
        record.line_out[t, s, k] += total


@njit(**FLAT)
def _sort_part(t, s, c, k, b, part, rules, state, record):
    """Sort a share of one part of a line, by destination."""
    line = state.line[b, c]
    done = state.sorted[c]
    route = rules.route[c]
    total = 0.0
    left = 0.0
    share = np.float32(part)
    for d in range(line.shape[0]):
        u = line[d, k]
        if u > 0.0:
            y = u * share
            line[d, k] = u - y
            left += u - y
            done[d, k] += y
            total += y
            leg = route[d, k]
            if leg >= 0:
                state.leg_sum[leg, k] += y
    state.line_sum[b, c, k] = left
    state.sorted_sum[c, k] += total
    record.line_out[t, s, k] += total


@njit(**FLAT)
def change(t, plant, rules, state):
    """Take over an epoch's rules: held groups move or moving ones are held, lines by leg are recounted."""
    n_classes = plant.rate.shape[1]
    state.leg_sum[:] = 0.0
    state.leg_left[:] = 0.0
    state.tokens[:] = 0.0
    for s in range(plant.group_ptr.shape[0] - 1):
        c = plant.inner[s]
        for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
            for k in range(n_classes):
                cell = rules.cell[g, k]
                if cell < 0:
                    state.group_held[g, k] += state.group_line[g, k] + state.group_sorted[g, k]
                    state.group_line[g, k] = 0.0
                    state.group_sorted[g, k] = 0.0
                elif plant.cell_leg[cell] == ENTERS:
                    _spread(plant, state, g, c, k, state.group_held[g, k])
                    state.group_held[g, k] = 0.0
                elif plant.cell_leg[cell] >= plant.n_own_legs:
                    y = state.group_held[g, k] + state.group_line[g, k] + state.group_sorted[g, k]
                    _take(t, plant, rules, state, cell, k, y)
                    state.group_held[g, k] = 0.0
                    state.group_line[g, k] = 0.0
                    state.group_sorted[g, k] = 0.0
                else:
                    state.group_line[g, k] += state.group_held[g, k]
                    state.group_held[g, k] = 0.0
                    state.leg_sum[plant.cell_leg[cell], k] += state.group_sorted[g, k]
    for c in range(plant.inner_site.shape[0]):
        for d in range(plant.dest_site.shape[0]):
            for k in range(n_classes):
                if state.sorted[c, d, k] > 0.0 and rules.route[c, d, k] >= 0:
                    state.leg_sum[rules.route[c, d, k], k] += state.sorted[c, d, k]


@njit(**FLAT)
def write_down(t, plant, state, record):
    """Write down what waits where; return how far entered is from delivered and present, pieces."""
    n_classes = plant.rate.shape[1]
    for k in range(n_classes):
        record.under_way[t, k] = state.total[UNDER_WAY, k]
        record.handled[t, k] = state.total[HANDLED, k]
    for s in range(plant.inner.shape[0]):
        c = plant.inner[s]
        for k in range(n_classes):
            held = 0.0
            ready = 0.0
            line = state.last_line[s, k]
            for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
                held += state.group_held[g, k]
                line += state.group_line[g, k]
                ready += state.group_sorted[g, k]
            if c >= 0:
                line += state.line_sum[0, c, k] + state.line_sum[1, c, k]
                ready += state.sorted_sum[c, k]
            record.held[t, s, k] = held
            record.sorted[t, s, k] = ready
            record.waiting[t, s, k] = line + ready + held
            record.missing[t, k] -= line + ready + held
    worst = 0.0
    for k in range(n_classes):
        record.missing[t, k] += state.total[ENTERED, k] - state.total[DELIVERED, k]
        record.missing[t, k] -= state.total[HANDLED, k] + state.total[UNDER_WAY, k]
        worst = max(worst, abs(record.missing[t, k]))
    return worst


@njit(**FLAT)
def recount(state):
    """Sum up lines again from their pieces; return how far the running sums had strayed, pieces."""
    strayed = 0.0
    for c in range(state.sorted.shape[0]):
        for k in range(state.sorted.shape[2]):
            ready = 0.0
            for d in range(state.sorted.shape[1]):
                ready += state.sorted[c, d, k]
            strayed = max(strayed, abs(ready - state.sorted_sum[c, k]))
            state.sorted_sum[c, k] = ready
            for b in range(2):
                line = 0.0
                for d in range(state.sorted.shape[1]):
                    line += state.line[b, c, d, k]
                strayed = max(strayed, abs(line - state.line_sum[b, c, k]))
                state.line_sum[b, c, k] = line
    return strayed


@njit(**FLAT)
def run(first, last, every, plant, times, rules, state, record, x, y):
    """Run steps ``first`` … ``last``-1 of one epoch; return the worst imbalance, pieces.

    Sums are counted anew after ``every`` steps. ``x`` and ``y`` are scratch, one number a class.
    """
    worst = 0.0
    for t in range(first, last):
        accept(t, plant, times, rules, state, record)
        arrive(t, plant, rules, state, record, x)
        sort(t, plant, times, rules, state, record, x, y)
        depart(t, plant, times, rules, state, record)
        if t % every == 0:
            worst = max(worst, recount(state))
        worst = max(worst, write_down(t, plant, state, record))
    return worst
