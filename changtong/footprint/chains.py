"""Transport chains in compiled loops: what passes every leg and hub, and what a piece of every pair emits."""

from __future__ import annotations

from math import sqrt

from numba import njit

from changtong.flows.trees import FLAT


@njit(**FLAT)
def group_by_destination(to_row, first, place):
    """Sort pairs by destination: those of ``d`` are ``place[first[d] : first[d + 1]]``, origins ascending."""
    for d in to_row:
        first[d + 2] += 1
    for d in range(2, first.shape[0]):
        first[d] += first[d - 1]
    for p in range(to_row.shape[0]):
        d = to_row[p]
        place[first[d + 1]] = p
        first[d + 1] += 1


@njit(**FLAT)
def _outward(legs, head, destination, state, order):
    """List the sites from which a destination is reached, each behind the site it sends to; return how many.

    ``state`` becomes 2 for these, 3 for those whose pieces end nowhere or run in a ring.
    """
    state[:] = 0
    state[destination] = 2
    order[0] = destination
    count = 1
    n = state.shape[0]
    for start in range(n):
        steps = 0
        at = start
        while state[at] == 0:
            state[at] = 1  # on the way
            steps += 1
            leg = legs[at]
            if leg < 0:
                break
            at = head[leg]
        verdict = 2 if state[at] == 2 else 3
        # the way again, written from its end: the last of it stands next to what was known
        at = start
        for k in range(steps):
            state[at] = verdict
            if verdict == 2:
                order[count + steps - 1 - k] = at
            leg = legs[at]
            if leg < 0:
                break
            at = head[leg]
        if verdict == 2:
            count += steps
    return count


@njit(**FLAT)
def load_elements(next_leg, dest, head, first, origin, volume, state, order, waiting, leg_sum, hub_sum):
    """Add up what passes every leg and hub, and return the pieces that have no way.

    Pairs, here and below, stand by destination: those of ``d`` are ``first[d]`` … ``first[d + 1]``-1.
    """
    lost = 0.0
    for d in range(dest.shape[0]):
        if first[d] == first[d + 1]:
            continue
        legs = next_leg[d]
        count = _outward(legs, head, dest[d], state, order)
        waiting[:] = 0.0
        for p in range(first[d], first[d + 1]):
            if state[origin[p]] == 2:
                waiting[origin[p]] += volume[p]
            else:
                lost += volume[p]
        for k in range(count - 1, -1, -1):
            at = order[k]
            load = waiting[at]
            hub_sum[at] += load
            if k > 0:
                leg = legs[at]
                leg_sum[leg] += load
                waiting[head[leg]] += load
    return lost


@njit(**FLAT)
def weigh_chains(legs, head, leg_kg, leg_km, leg_group, hub_kg, destination, state, order, kg, km):
    """Write kg by group and km a piece from every site to a destination to ``kg`` (sites, groups), ``km``."""
    count = _outward(legs, head, destination, state, order)
    groups = kg.shape[1]
    for k in range(count):
        at = order[k]
        for q in range(groups):
            kg[at, q] = hub_kg[at, q]
        km[at] = 0.0
        if k > 0:
            leg = legs[at]
            on = head[leg]
            for q in range(groups):
                kg[at, q] += kg[on, q]
            kg[at, leg_group[leg]] += leg_kg[leg]
            km[at] = km[on] + leg_km[leg]


@njit(**FLAT)
def lanes_of(
    lo, hi, next_leg, dest, head, first, origin, volume, leg_kg, leg_km, leg_group, hub_kg, ttw_share,
    form_at, form, state, order, kg, km, sums, out,
):  # fmt: skip
    """Write, of every pair of destinations ``lo`` … ``hi``-1, what it emits to ``out`` (7, pairs).

    Pieces moved, km a piece, kg tank to wheel, well to wheel, low, high, and g a piece. ``volume`` is
    (classes, pairs), kilograms (classes, …). ``form_at`` (pairs of groups, 2) and ``form`` (pairs of groups,
    2) are the quadratic forms' entries that are not 0; the rest are scratch.
    """
    groups = hub_kg.shape[2]
    for d in range(lo, hi):
        if first[d] == first[d + 1]:
            continue
        for c in range(volume.shape[0]):
            stream = c if next_leg.shape[0] > 1 else 0
            weigh_chains(
                next_leg[stream, d], head, leg_kg[c], leg_km, leg_group, hub_kg[c], dest[d], state[c], order,
                kg[c], km[c],
            )  # fmt: skip
        for p in range(first[d], first[d + 1]):
            at = origin[p]
            pieces, length = 0.0, 0.0
            for q in range(groups):
                sums[q] = 0.0
            for c in range(volume.shape[0]):
                if state[c, at] == 2:
                    pieces += volume[c, p]
                    length += volume[c, p] * km[c, at]
                    for q in range(groups):
                        sums[q] += volume[c, p] * kg[c, at, q]
            ttw, wtw, down, up = 0.0, 0.0, 0.0, 0.0
            for q in range(groups):
                wtw += sums[q]
                ttw += sums[q] * ttw_share[q]
            for j in range(form_at.shape[0]):
                both = sums[form_at[j, 0]] * sums[form_at[j, 1]]
                down += both * form[j, 0]
                up += both * form[j, 1]
            out[0, p] = pieces
            out[1, p] = length / pieces  # NaN where nothing moves
            out[2, p] = ttw
            out[3, p] = wtw
            out[4, p] = max(0.0, wtw - sqrt(down))
            out[5, p] = wtw + sqrt(up)
            out[6, p] = 1000.0 * wtw / pieces
