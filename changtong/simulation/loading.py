"""Departures: what is loaded on which leg, the highest class first, and where it then is."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import FLAT
from changtong.simulation.state import HANDLED, UNDER_WAY


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
def depart(t, plant, times, rules, state, record):
    """Load what departs in this step: by leg, the highest class first, within entry limits."""
    for leg in range(state.leg_sum.shape[0]):
        some = 0.0
        for k in range(state.leg_sum.shape[1]):
            some += state.leg_sum[leg, k]
            record.leg_in[t, leg, k] = state.leg_sum[leg, k] - state.leg_left[leg, k]
            state.share[leg, k] = 0.0
        room = times.room[t, leg]
        if some > 0.0 and room > 0.0:
            class_shares(state.leg_sum[leg], np.float64(room), state.share[leg])
    _limit(rules, state)
    for s in range(plant.inner.shape[0]):
        c = plant.inner[s]
        if c < 0:
            _depart_leaf(t, s, plant, rules, state, record)
            continue
        for q in range(plant.inner_leg_ptr[c], plant.inner_leg_ptr[c + 1]):
            leg = plant.inner_legs[q]
            some = 0.0
            for k in range(state.share.shape[1]):
                some += state.share[leg, k] * state.leg_sum[leg, k]
            if some > 0.0:
                _depart_inner(t, c, leg, plant, rules, state, record)
    for leg in range(state.leg_sum.shape[0]):
        for k in range(state.leg_sum.shape[1]):
            state.leg_left[leg, k] = state.leg_sum[leg, k]


@njit(**FLAT)
def _limit(rules, state):
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
def _depart_leaf(t, s, plant, rules, state, record):
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
            state.total[UNDER_WAY, k] += y
            record.leg_out[t, leg, k] += y
            due = t + max(1, rules.travel[leg] + rules.before[plant.leg_head[leg]])
            state.cell_in[due % state.cell_in.shape[0], cell, k] += y


@njit(**FLAT)
def _depart_inner(t, c, leg, plant, rules, state, record):
    """Load a leg out of an inner site: by destination, into a slot that arrives later."""
    n_classes = state.share.shape[1]
    h = plant.leg_head[leg]
    takes_over = leg >= plant.n_own_legs
    slot = plant.slot_ptr[leg] + state.slot_next[leg]
    place = plant.slot_at[slot]
    due = t + max(1, rules.travel[leg] + rules.before[h])
    size = 0
    for q in range(rules.leg_ptr[leg], rules.leg_ptr[leg + 1]):
        d = rules.leg_dest[q]
        last = plant.dest_site[d] == h
        some = 0.0
        for k in range(n_classes):
            y = np.float32(0.0)
            if rules.route[c, d, k] == leg:
                y = state.sorted[c, d, k] * np.float32(state.share[leg, k])
                state.sorted[c, d, k] -= y
                state.sorted_sum[c, k] -= y
                record.leg_out[t, leg, k] += y
            if takes_over:
                at = (t + max(1, plant.after[plant.leg_tail[leg]])) % state.done_in.shape[0]
                state.done_in[at, plant.leg_tail[leg], k] += y
                state.total[HANDLED, k] += y
            elif last:
                state.last_in[due % state.last_in.shape[0], h, k] += y
                state.total[UNDER_WAY, k] += y
            else:
                state.arena[place + size, k] = y
                state.total[UNDER_WAY, k] += y
                some += y
        if some > 0.0 and not takes_over and not last:
            state.arena[place + size, n_classes] = d
            size += 1
    for k in range(n_classes):
        state.leg_sum[leg, k] = max(0.0, state.leg_sum[leg, k] * (1.0 - state.share[leg, k]))
    if size > 0:
        state.slot_leg[slot] = leg
        state.slot_size[slot] = size
        if due < state.due_first.shape[0]:
            state.due_next[slot] = state.due_first[due]
            state.due_first[due] = slot
        state.slot_next[leg] = (state.slot_next[leg] + 1) % (plant.slot_ptr[leg + 1] - plant.slot_ptr[leg])
