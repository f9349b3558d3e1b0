"""How long pieces take: first in, first out along cumulative curves, composed over the whole way.

In every line and on every leg a class's cumulative arrivals and departures give the step at which a
piece that joins now is out (Newell 1982). Composed along the way of every pair they give, for each
step of acceptance, when a piece is delivered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from changtong.flows.trees import FLAT
from changtong.simulation.state import ENTERS

Shorts = NDArray[np.int16]
Floats = NDArray[np.float64]

NEVER = 32_000
"""Step of what does not happen within the time simulated."""


class Epochs(NamedTuple):
    """Epochs of a simulation, as the kernels need them."""

    of_step: NDArray[np.int32]
    first: NDArray[np.int32]
    before: NDArray[np.int32]  # (epochs, sites)
    travel: NDArray[np.int32]  # (epochs, legs)
    route: NDArray[np.int32]  # (epochs, destinations, inner): legs of one class
    cell: NDArray[np.int32]  # (epochs, groups): cells of one class


class Curves(NamedTuple):
    """Steps at which a piece of one class is out again."""

    sorted_at: Shorts  # (sites, steps)
    departs_at: Shorts  # (legs, steps): NEVER when not in its epoch


@njit(**FLAT)
def out_of_line(coming, going, first, last, out):
    """Fill the step at which a piece that joins in each step ``first`` … ``last``-1 is out.

    ``coming`` and ``going`` are pieces in each step. Who joins in a step stands in the middle of
    those that do.
    """
    before = 0.0
    gone = 0.0
    u = first
    if u < last:
        gone = np.float64(going[u])
    for t in range(first, last):
        place = before + 0.5 * coming[t]
        before += coming[t]
        while u < t or (u < last and gone < place * (1.0 - 1e-6) - 1e-3):
            u += 1
            if u < last:
                gone += going[u]
        out[t] = u if u < last else NEVER


@njit(**FLAT)
def trace_lines(coming, going, out):
    """The same for every line; arrays are (lines, steps)."""
    for s in range(out.shape[0]):
        out_of_line(coming[s], going[s], 0, coming.shape[1], out[s])


@njit(**FLAT)
def trace_legs(coming, going, first, out):
    """The same for every leg, epoch by epoch: in each, what waits joins anew."""
    n_steps = coming.shape[1]
    for a in range(out.shape[0]):
        for e in range(first.shape[0]):
            last = first[e + 1] if e + 1 < first.shape[0] else n_steps
            out_of_line(coming[a], going[a], first[e], last, out[a])


@njit(**FLAT)
def _leaves(u, n_steps, epochs, curves, e_legs, legs):
    """Return leg and step at which a piece sorted in step ``u`` departs; -1 when it does not.

    ``legs`` are the legs it would take in each epoch; ``e_legs`` is where to write leg and step.
    """
    while u < n_steps:
        e = epochs.of_step[u]
        leg = legs[e]
        v = NEVER
        if leg >= 0:
            v = np.int64(curves.departs_at[leg, u])
        if v < n_steps:
            e_legs[0] = leg
            e_legs[1] = v
            return
        if e + 1 >= epochs.first.shape[0]:
            break
        u = epochs.first[e + 1]
    e_legs[0] = -1
    e_legs[1] = NEVER


@njit(**FLAT)
def _reaches(leg, v, plant, epochs):
    """Return the step at which what departs in step ``v`` is in the line at the leg's head."""
    e = epochs.of_step[v]
    return v + max(1, epochs.travel[e, leg] + epochs.before[e, plant.leg_head[leg]])


@njit(**FLAT)
def _at_last(h, arrival, n_steps, plant, curves):
    """Return the steps at which a piece in its last site's line is sorted and delivered."""
    if arrival >= n_steps:
        return NEVER, NEVER
    w = np.int64(curves.sorted_at[h, arrival])
    if w >= n_steps:
        return NEVER, NEVER
    done = w + max(1, plant.after[h])
    return w, done if done < n_steps else NEVER


@njit(**FLAT)
def _follow(d, c, t, n_steps, plant, epochs, curves, legs, way):
    """Follow a piece for destination ``d`` from the line of inner site ``c``, joined in step ``t``.

    Return the steps at which it is in the line of its last site, sorted there, and delivered.
    ``legs`` (epochs,) and ``way`` (2,) are scratch.
    """
    while t < n_steps:
        u = np.int64(curves.sorted_at[plant.inner_site[c], t])
        if u >= n_steps:
            break
        leg = np.int64(epochs.route[epochs.of_step[u], d, c])
        v = NEVER
        if leg >= 0:
            v = np.int64(curves.departs_at[leg, u])
        if v >= n_steps:
            for e in range(legs.shape[0]):
                legs[e] = epochs.route[e, d, c]
            _leaves(u, n_steps, epochs, curves, way, legs)
            leg, v = way[0], way[1]
            if leg < 0:
                break
        if leg >= plant.n_own_legs:  # a stand-in delivers
            return t, u, min(NEVER, v + max(1, plant.after[plant.leg_tail[leg]]))
        t = _reaches(leg, v, plant, epochs)
        h = plant.leg_head[leg]
        if plant.dest_site[d] == h:
            if t >= n_steps:
                break
            ready, done = _at_last(h, t, n_steps, plant, curves)
            return t, ready, done
        c = plant.inner[h]
    return NEVER, NEVER, NEVER


@njit(**FLAT)
def first_leg(k, n_steps, plant, epochs, curves, gone, head, there, legs, way):
    """Fill, for groups and steps of acceptance, when pieces of class ``k`` leave their first site.

    ``gone`` the step of departure, ``head`` the site reached (the origin itself for inner ones),
    ``there`` the step they join its line; (groups, steps) each.
    """
    for s in range(plant.inner.shape[0]):
        for g in range(plant.group_ptr[s], plant.group_ptr[s + 1]):
            for t in range(n_steps):
                gone[g, t] = NEVER
                head[g, t] = -1
                there[g, t] = NEVER
                joins = t + epochs.before[epochs.of_step[t], s]
                u = joins
                while u < n_steps:  # held: until an epoch in which it moves
                    e = epochs.of_step[u]
                    if epochs.cell[e, g] >= 0:
                        break
                    u = epochs.first[e + 1] if e + 1 < epochs.first.shape[0] else NEVER
                if u >= n_steps:
                    continue
                leg = plant.cell_leg[epochs.cell[epochs.of_step[u], g]]
                if leg == ENTERS:
                    head[g, t] = s
                    there[g, t] = u
                    gone[g, t] = u
                    continue
                if leg < plant.n_own_legs:
                    u = np.int64(curves.sorted_at[s, u])
                for e in range(legs.shape[0]):
                    cell = epochs.cell[e, g]
                    legs[e] = plant.cell_leg[cell] if cell >= 0 else -1
                if leg < plant.n_own_legs:
                    _leaves(u, n_steps, epochs, curves, way, legs)
                else:
                    way[0], way[1] = leg, u
                if way[0] >= 0:
                    arrival = _reaches(way[0], way[1], plant, epochs)
                    gone[g, t] = way[1]
                    head[g, t] = plant.leg_head[way[0]]
                    there[g, t] = min(arrival, NEVER)


class Ways(NamedTuple):
    """What :func:`first_leg` fills."""

    gone: Shorts
    head: NDArray[np.int32]
    there: Shorts


@njit(**FLAT)
def add_up(
    lo, hi, k, begin, promise, plant, epochs, curves, ways, dest_ptr, dest_group, dest_share,
    when, weight, sparse, legs, way, hours, sums,
):  # fmt: skip
    """Add up how long pieces of class ``k`` take to destinations ``lo`` … ``hi``-1.

    ``dest_group`` and ``dest_share`` are each pair's group and its share of it, by destination;
    ``when`` and ``weight`` steps of acceptance and shares of a day's pieces. Of a pair with
    ``sparse`` / n pieces a day every n-th is looked at, from a place that differs from pair to
    pair. From step ``begin`` on
    ``hours`` counts delivered pieces by steps taken; ``sums``: pieces due, delivered, late at their
    due time, neither delivered nor due by the end, then the steps of the four stages of those
    delivered.
    """
    n_steps = epochs.of_step.shape[0]
    for d in range(lo, hi):
        for q in range(dest_ptr[d], dest_ptr[d + 1]):
            g = dest_group[q]
            daily = plant.rate[g, k] * dest_share[q]
            if daily <= 0.0:
                continue
            stride = np.int64(min(max(1.0, sparse / daily), 16.0 * when.shape[0]))
            for j in range(q % stride, when.shape[0], stride):
                t = when[j]
                x = daily * weight[j] * stride
                h = ways.head[g, t]
                there = np.int64(ways.there[g, t])
                delivered = NEVER
                at_last = NEVER
                sorted_there = NEVER
                if h >= 0 and there < n_steps:
                    if plant.dest_site[d] == h:
                        at_last = there
                        sorted_there, delivered = _at_last(h, there, n_steps, plant, curves)
                    else:
                        at_last, sorted_there, delivered = _follow(
                            d, plant.inner[h], there, n_steps, plant, epochs, curves, legs, way
                        )
                if begin <= delivered < n_steps:
                    hours[delivered - t] += x
                    sums[1] += x
                    sums[4] += x * (ways.gone[g, t] - t)
                    sums[5] += x * (at_last - ways.gone[g, t])
                    sums[6] += x * (sorted_there - at_last)
                    sums[7] += x * (delivered - sorted_there)
                due = t + promise
                if begin <= due < n_steps:
                    sums[0] += x
                    if delivered > due:
                        sums[2] += x
                elif due >= n_steps and delivered >= n_steps:
                    sums[3] += x
