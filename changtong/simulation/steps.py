"""The steps of a simulation: accept, arrive, sort, depart; every piece in one place at a time.

A fluid model: volumes by site, destination and class. Higher classes are sorted and loaded first;
a class's line is kept in parts by age, each of them mixed. What leaves a leaf site is told apart by
group only (groups.py).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.simulation.loading import class_shares, depart, due_step, limit, load, send
from changtong.simulation.state import DELIVERED, ENTERED, ENTERS, HANDLED, PARTS, UNDER_WAY


@njit(**FLAT)
def _accept(t, s, moved, plant, times, rules, state):
    """Let the pieces of a step in at a site; they reach their line after handling."""
    at = (t + rules.before[s]) % state.group_in.shape[0]
    for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
        for k in range(plant.rate.shape[1]):
            x = plant.rate[g, k] * times.accept[t]
            state.group_in[at, g, k] += x
            moved[ENTERED, k] += x
            moved[HANDLED, k] += x
    at = (t + rules.before[s]) % state.last_in.shape[0]
    for k in range(plant.rate.shape[1]):
        x = plant.local[s, k] * times.accept[t]
        state.last_in[at, s, k] += x
        moved[ENTERED, k] += x
        moved[UNDER_WAY, k] += x


@njit(**FLAT)
def _spread(plant, state, g, c, k, x):
    """Put ``x`` pieces of a group and class in the line of inner site ``c``, by destination.

    Run by run of destinations without a gap: plain rows, several numbers at a time.
    """
    line = state.line[state.joins[c, k], c, k]
    share = plant.item_share[k if plant.item_share.shape[0] > 1 else 0]
    pieces = np.float32(x)
    for r in range(plant.run_ptr[g], plant.run_ptr[g + 1]):
        lo = plant.run_item[r]
        part = share[lo : plant.run_item[r + 1]]
        first = plant.item_dest[lo]
        into = line[first : first + part.shape[0]]
        for i in range(part.shape[0]):
            into[i] += pieces * part[i]
    state.line_sum[state.joins[c, k], c, k] += x


@njit(**FLAT)
def _reach(t, plant, state, record, cell, x):
    """Bring what a cell carries to the head of its leg."""
    g = plant.cell_group[cell]
    h = plant.leg_head[plant.cell_leg[cell]]
    c = plant.inner[h]
    first = plant.item_ptr[g]
    only = plant.item_ptr[g + 1] - first == 1 and plant.item_dest[first] == plant.dest_at[h]
    for k in range(x.shape[0]):
        record.line_in[t, h, k] += x[k]
        if only or c < 0:
            state.last_line[h, k] += x[k]
        elif x[k] > 0.0:
            _spread(plant, state, g, c, k, x[k])
            _home(plant, state, c, h, k)


@njit(**FLAT)
def _home(plant, state, c, h, k):
    """Move what is bound for the site itself from its through line to its last line."""
    d = plant.dest_at[h]
    if d >= 0:
        b = state.joins[c, k]
        y = np.float64(state.line[b, c, k, d])
        state.line[b, c, k, d] = 0.0
        state.line_sum[b, c, k] -= y
        state.last_line[h, k] += y


@njit(**FLAT)
def _arrive(t, s, moved, plant, rules, state, record, x):
    """Bring to a site's lines what is due now; ``x`` is scratch, one number a class."""
    n_classes = plant.rate.shape[1]
    at = t % state.group_in.shape[0]
    for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
        _join_line(t, at, s, g, moved, plant, rules, state, record)
    at = t % state.cell_in.shape[0]
    for q in range(plant.cells_in_ptr[s], plant.cells_in_ptr[s + 1]):
        cell = plant.cells_in[q]
        some = 0.0
        for k in range(n_classes):
            x[k] = state.cell_in[at, cell, k]
            some += x[k]
        if some > 0.0:
            for k in range(n_classes):
                state.cell_in[at, cell, k] = 0.0
                moved[UNDER_WAY, k] -= x[k]
            _reach(t, plant, state, record, cell, x)
    slot = state.due_first[t, s]
    while slot >= 0:
        _unload(t, slot, moved, plant, state, record)
        slot = state.due_next[slot]
    at = t % state.last_in.shape[0]
    for k in range(n_classes):
        y = state.last_in[at, s, k]
        state.last_in[at, s, k] = 0.0
        moved[UNDER_WAY, k] -= y
        state.last_line[s, k] += y
        record.line_in[t, s, k] += y
    at = t % state.done_in.shape[0]
    for k in range(n_classes):
        y = state.done_in[at, s, k]
        state.done_in[at, s, k] = 0.0
        moved[HANDLED, k] -= y
        moved[DELIVERED, k] += y
        record.delivered[t, s, k] += y


@njit(**FLAT)
def _join_line(t, at, s, g, moved, plant, rules, state, record):
    """Bring a group's accepted pieces to the line of their site; held ones stay aside."""
    c = plant.inner[s]
    for k in range(plant.rate.shape[1]):
        y = state.group_in[at, g, k]
        if y <= 0.0:
            continue
        state.group_in[at, g, k] = 0.0
        moved[HANDLED, k] -= y
        cell = rules.cell[g, k]
        if cell < 0:
            state.group_held[g, k] += y
        elif plant.cell_leg[cell] == ENTERS:
            _spread(plant, state, g, c, k, y)
            record.line_in[t, s, k] += y
        elif plant.cell_leg[cell] >= plant.n_own_legs:  # a stand-in collects
            _take(t, moved, plant, rules, state, cell, k, y)
        else:
            state.group_line[g, k] += y
            record.line_in[t, s, k] += y


@njit(**FLAT)
def _take(t, moved, plant, rules, state, cell, k, y):
    """Let a stand-in collect pieces of a group where they begin."""
    due = due_step(t, plant.cell_leg[cell], plant, rules)
    state.cell_in[due % state.cell_in.shape[0], cell, k] += y
    moved[UNDER_WAY, k] += y


@njit(**FLAT)
def _unload(t, slot, moved, plant, state, record):
    """Empty a slot into the line of the leg's head."""
    h = plant.leg_head[state.slot_leg[slot]]
    c = plant.inner[h]
    place = plant.slot_at[slot]
    dest = state.arena_dest[place : place + state.slot_size[slot]]
    for k in range(plant.rate.shape[1]):
        line = state.line[state.joins[c, k], c, k]
        pieces = state.arena[k, place : place + state.slot_size[slot]]
        total = 0.0
        for i in range(dest.shape[0]):
            line[np.uint32(dest[i])] += pieces[i]
            total += pieces[i]
        state.line_sum[state.joins[c, k], c, k] += total
        record.line_in[t, h, k] += total
        moved[UNDER_WAY, k] -= total


@njit(**FLAT)
def _sort(t, s, moved, plant, times, rules, state, record, total, share):
    """Sort at a site what its rate allows; ``total`` and ``share`` are scratch, one number a class."""
    n_classes = plant.rate.shape[1]
    c = plant.inner[s]
    for k in range(n_classes):
        total[k] = state.last_line[s, k]
        if c >= 0:
            total[k] += _in_line(state, c, k)
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
        return
    at = (t + max(1, plant.after[s])) % state.done_in.shape[0]
    for k in range(n_classes):
        y = share[k] * state.last_line[s, k]
        state.last_line[s, k] -= y
        moved[HANDLED, k] += y
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
def _in_line(state, c, k):
    """Return what waits to be sorted at inner site ``c`` for other sites."""
    total = 0.0
    for b in range(state.line_sum.shape[0]):
        total += state.line_sum[b, c, k]
    return total


@njit(**FLAT)
def _sort_inner(t, s, c, plant, rules, state, record, share):
    """Sort a share of the line, the oldest part first, and say which part new pieces join.

    A line that is not sorted to its end is kept in parts by age: first in, first out between them,
    mixed within each.
    """
    n_parts = state.line_sum.shape[0]
    for k in range(share.shape[0]):
        wanted = share[k] * _in_line(state, c, k)
        b = np.int64(state.older[c, k])
        for _ in range(n_parts):
            there = state.line_sum[b, c, k]
            if share[k] >= 1.0 or (there > 0.0 and wanted >= there):
                part = 1.0
            else:
                part = wanted / there if there > 0.0 and wanted > 0.0 else 0.0
            if part > 0.0:
                _sort_part(t, s, c, k, b, part, rules, state, record)
                wanted -= part * there
            if b == state.joins[c, k] or state.line_sum[b, c, k] > 0.0:
                break
            b = (b + 1) % n_parts
        state.older[c, k] = b
        newest = np.int64(state.joins[c, k])
        following = (newest + 1) % n_parts
        there = state.line_sum[newest, c, k]
        if there > 0.0 and following != b and there * n_parts >= _in_line(state, c, k):
            state.joins[c, k] = following


@njit(**FLAT)
def _sort_part(t, s, c, k, b, part, rules, state, record):
    """Sort a share of one part of a line, by destination."""
    line = state.line[b, c, k]
    done = state.sorted[c, k]
    route = rules.route[c, k]
    share = np.float32(part)
    total = 0.0
    left = 0.0
    leg = np.int32(-1)
    on_leg = 0.0
    for d in range(line.shape[0]):
        if route[d] != leg:  # neighbours often leave by one leg: it is added to once
            if leg >= 0:
                state.leg_sum[leg, k] += on_leg
            total += on_leg
            on_leg = 0.0
            leg = route[d]
        u = line[d]
        y = u * share
        line[d] = u - y
        left += u - y
        done[d] += y
        on_leg += y
    if leg >= 0:
        state.leg_sum[leg, k] += on_leg
    total += on_leg
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
                    _take(t, state.total, plant, rules, state, cell, k, y)
                    state.group_held[g, k] = 0.0
                    state.group_line[g, k] = 0.0
                    state.group_sorted[g, k] = 0.0
                else:
                    state.group_line[g, k] += state.group_held[g, k]
                    state.group_held[g, k] = 0.0
                    state.leg_sum[plant.cell_leg[cell], k] += state.group_sorted[g, k]
    for c in range(plant.inner_site.shape[0]):
        for k in range(n_classes):
            for d in range(plant.dest_site.shape[0]):
                if state.sorted[c, k, d] > 0.0 and rules.route[c, k, d] >= 0:
                    state.leg_sum[rules.route[c, k, d], k] += state.sorted[c, k, d]


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
                line += _in_line(state, c, k)
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
        for k in range(state.sorted.shape[1]):
            ready = 0.0
            for d in range(state.sorted.shape[2]):
                ready += state.sorted[c, k, d]
            strayed = max(strayed, abs(ready - state.sorted_sum[c, k]))
            state.sorted_sum[c, k] = ready
            for b in range(state.line.shape[0]):
                line = 0.0
                for d in range(state.sorted.shape[2]):
                    line += state.line[b, c, k, d]
                strayed = max(strayed, abs(line - state.line_sum[b, c, k]))
                state.line_sum[b, c, k] = line
    return strayed


@njit(**FLAT)
def play_sites(t, part, plant, times, rules, state, record):
    """Play a step at the sites of one part up to their departures; those too where nothing limits entry.

    Sites touch only what is theirs: the parts may run side by side.
    """
    moved, x, y = state.moved[part], state.scratch[part, 0], state.scratch[part, 1]
    for s in range(plant.part_ptr[part], plant.part_ptr[part + 1]):
        _accept(t, s, moved, plant, times, rules, state)
        _arrive(t, s, moved, plant, rules, state, record, x)
        _sort(t, s, moved, plant, times, rules, state, record, x, y)
        load(t, s, plant, times, state, record)
        if rules.limit_pieces.shape[0] == 0:
            depart(t, s, moved, plant, rules, state, record)


@njit(**FLAT)
def play_departures(t, part, plant, rules, state, record):
    """Let leave what entry limits leave room for, from the sites of one part."""
    for s in range(plant.part_ptr[part], plant.part_ptr[part + 1]):
        depart(t, s, state.moved[part], plant, rules, state, record)


@njit(**FLAT)
def close(t, every, plant, rules, state, record):
    """End a step: bring together what its parts moved; return the imbalance, pieces.

    Sums are counted anew after ``every`` steps.
    """
    send(t, plant, rules, state)
    for part in range(state.moved.shape[0]):
        for k in range(state.total.shape[1]):
            record.accepted[t, k] += state.moved[part, ENTERED, k]
            for row in range(state.total.shape[0]):
                state.total[row, k] += state.moved[part, row, k]
                state.moved[part, row, k] = 0.0
    worst = recount(state) if t % every == 0 else 0.0
    return max(worst, write_down(t, plant, state, record))


@njit(**FLAT)
def run(first, last, every, plant, times, rules, state, record):
    """Run steps ``first`` … ``last``-1 of one epoch; return the worst imbalance, pieces."""
    worst = 0.0
    for t in range(first, last):
        for part in range(state.moved.shape[0]):
            play_sites(t, part, plant, times, rules, state, record)
        if rules.limit_pieces.shape[0] > 0:
            limit(rules, state)
            for part in range(state.moved.shape[0]):
                play_departures(t, part, plant, rules, state, record)
        worst = max(worst, close(t, every, plant, rules, state, record))
    return worst


def run_side_by_side(pool, first, last, every, plant, times, rules, state, record):
    """Run steps as :func:`run` does, their parts in threads of a pool; the same numbers."""
    worst = 0.0
    for t in range(first, last):
        _all(pool, partial(play_sites, t), plant, times, rules, state, record)
        if len(rules.limit_pieces):
            limit(rules, state)
            _all(pool, partial(play_departures, t), plant, rules, state, record)
        worst = max(worst, close(t, every, plant, rules, state, record))
    return worst


def _all(pool, kernel, *arrays):
    """Run a kernel on every part at once, and wait for all."""
    parts = [pool.submit(kernel, part, *arrays) for part in range(PARTS)]
    for part in parts:
        part.result()
