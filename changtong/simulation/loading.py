"""Departures: what is loaded on which leg, the highest class first, and where it then is."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.simulation.state import HANDLED, HOME, NOTHING, UNDER_WAY


@njit(**FLAT)
def class_shares(total, most, share):
    """Fill the share of each class that ``most`` pieces serve, the highest class first."""
    for k in range(total.shape[0]):
        if total[k] <= 0.0:
            share[k] = 1.0
            continue
        share[k] = min(1.0, most / total[k]) if most > 0.0 else 0.0
        most -= share[k] * total[k]


@njit(**FLAT)
def due_step(t, leg, plant, rules):
    """Return the step at which what leaves on a leg in step ``t`` is in the line at its head."""
    return t + max(1, rules.travel[leg] + rules.before[plant.leg_head[leg]])


@njit(**FLAT)
def load(t, s, plant, times, state, record):
    """Fill what share of each line of a site the trips of this step take, the highest class first."""
    for q in range(plant.out_ptr[s], plant.out_ptr[s + 1]):
        leg = plant.out_legs[q]
        some = 0.0
        for k in range(state.leg_sum.shape[1]):
            some += state.leg_sum[leg, k]
            record.leg_in[t, leg, k] = state.leg_sum[leg, k] - state.leg_left[leg, k]
            state.share[leg, k] = 0.0
        room = times.room[t, leg]
        if some > 0.0 and room > 0.0:
            class_shares(state.leg_sum[leg], np.float64(room), state.share[leg])


@njit(**FLAT)
def limit(rules, state):
    """Share out what may enter each controlled area; what is not used is saved up, for a day."""
    n_classes = state.share.shape[1]
    for i in range(rules.limit_pieces.shape[0]):
        state.tokens[i] = min(rules.limit_most[i], state.tokens[i] + rules.limit_pieces[i])
        for k in range(n_classes):
            wanted = 0.0
            for q in range(rules.limit_ptr[i], rules.limit_ptr[i + 1]):
                wanted += state.share[rules.limit_leg[q], k] * state.leg_sum[rules.limit_leg[q], k]
            if wanted <= 0.0:
                continue
            part = min(1.0, state.tokens[i] / wanted)
            for q in range(rules.limit_ptr[i], rules.limit_ptr[i + 1]):
                state.share[rules.limit_leg[q], k] *= part
            state.tokens[i] -= part * wanted


@njit(**FLAT)
def depart(t, s, moved, plant, rules, state, record):
    """Let leave a site what is loaded; what it sends elsewhere is on the road after :func:`send`."""
    c = plant.inner[s]
    if c < 0:
        _depart_leaf(t, s, moved, plant, rules, state, record)
    for q in range(plant.out_ptr[s], plant.out_ptr[s + 1]):
        leg = plant.out_legs[q]
        some = 0.0
        for k in range(state.share.shape[1]):
            some += state.share[leg, k] * state.leg_sum[leg, k]
        if c >= 0 and some > 0.0:
            _depart_inner(t, c, leg, moved, plant, rules, state, record)
        for k in range(state.leg_sum.shape[1]):
            state.leg_left[leg, k] = state.leg_sum[leg, k]


@njit(**FLAT)
def send(t, plant, rules, state):
    """Enter what left inner sites where it is going: the only thing sites do to each other."""
    for leg in range(state.leg_slot.shape[0]):
        if state.leg_slot[leg] == NOTHING:
            continue
        h = plant.leg_head[leg]
        due = due_step(t, leg, plant, rules)
        for k in range(state.leg_home.shape[1]):
            state.last_in[due % state.last_in.shape[0], h, k] += state.leg_home[leg, k]
            state.leg_home[leg, k] = 0.0
        slot = state.leg_slot[leg]
        if slot >= 0 and due < state.due_first.shape[0]:
            state.due_next[slot] = state.due_first[due, h]
            state.due_first[due, h] = slot
        state.leg_slot[leg] = NOTHING


@njit(**FLAT)
def _depart_leaf(t, s, moved, plant, rules, state, record):
    for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
        for k in range(state.share.shape[1]):
            y = state.group_sorted[g, k]
            if y <= 0.0:
                continue
            cell = rules.cell[g, k]
            if cell < 0:
                continue
            leg = plant.cell_leg[cell]
            y *= state.share[leg, k]
            if y <= 0.0:
                continue
            state.group_sorted[g, k] -= y
            state.leg_sum[leg, k] = max(0.0, state.leg_sum[leg, k] - y)
            moved[UNDER_WAY, k] += y
            record.leg_out[t, leg, k] += y
            due = due_step(t, leg, plant, rules)
            state.cell_in[due % state.cell_in.shape[0], cell, k] += y


@njit(**FLAT)
def _depart_inner(t, c, leg, moved, plant, rules, state, record):
    """Load a leg out of an inner site: by destination, into a slot that arrives later."""
    h = plant.leg_head[leg]
    s = plant.leg_tail[leg]
    takes_over = leg >= plant.n_own_legs
    slot = plant.slot_ptr[leg] + state.slot_next[leg]
    dest = rules.leg_dest[rules.leg_ptr[leg] : rules.leg_ptr[leg + 1]]
    some = 0.0
    for k in range(state.share.shape[1]):
        out, home = _load_class(c, leg, k, np.float32(state.share[leg, k]), dest, plant, rules, state)
        state.sorted_sum[c, k] -= out
        record.leg_out[t, leg, k] += out
        state.leg_sum[leg, k] = max(0.0, state.leg_sum[leg, k] * (1.0 - state.share[leg, k]))
        if takes_over:
            state.done_in[(t + max(1, plant.after[s])) % state.done_in.shape[0], s, k] += out
            moved[HANDLED, k] += out
        else:
            moved[UNDER_WAY, k] += out
            state.leg_home[leg, k] += home
            some += out - home
    if takes_over:
        return
    state.leg_slot[leg] = HOME
    if some > 0.0:
        size = 0
        for i in range(dest.shape[0]):
            if dest[i] != plant.dest_at[h]:
                state.arena_dest[plant.slot_at[slot] + size] = dest[i]
                size += 1
        state.slot_leg[slot] = leg
        state.slot_size[slot] = size
        state.leg_slot[leg] = slot
        state.slot_next[leg] = (state.slot_next[leg] + 1) % (plant.slot_ptr[leg + 1] - plant.slot_ptr[leg])


@njit(**FLAT)
def _load_class(c, leg, k, share, dest, plant, rules, state):
    """Take a share of what waits for a leg, write it to the leg's slot; return all and what is home then."""
    ready = state.sorted[c, k]
    route = rules.route[c, k]
    takes_over = leg >= plant.n_own_legs
    at = plant.slot_at[plant.slot_ptr[leg] + state.slot_next[leg]]
    own = plant.dest_at[plant.leg_head[leg]]
    total = 0.0
    home = 0.0
    for i in range(dest.shape[0]):
        d = np.uint32(dest[i])
        y = np.float32(0.0)
        if route[d] == leg:
            y = ready[d] * share
            ready[d] -= y
            total += y
        if dest[i] == own:
            home += y
        elif not takes_over:
            state.arena[k, at] = y
            at += 1
    return total, home
