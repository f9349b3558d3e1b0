"""Delivered, late and still open by class, with hours from end to end and by stage."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from changtong.simulation import curves
from changtong.simulation.machine import Machine
from changtong.simulation.timetable import Clockwork, Epoch

Floats = NDArray[np.float64]

LOOKS = 40_000_000
"""Pairs, classes and steps of acceptance that are looked at; beyond, by how many pieces they have."""

PARTS = 8
"""Parts the destinations are cut into, whatever the number of threads: sums stay the same."""

STAGES = ("first_site_h", "on_the_way_h", "last_line_h", "delivery_h")


@dataclass(frozen=True)
class Times:
    """How long pieces take, from the beginning on; those accepted in the warm-up included.

    Attributes
    ----------
    due, delivered, late, open : array, (classes,)
        Whose promised time comes before the end; delivered by the end; of those due, later than
        promised; neither delivered nor due by the end.
    hours : array, (classes, steps)
        Pieces delivered by hours on the way.
    stages_h : array, (classes, 4)
        Mean hours of delivered pieces until they leave their first site, until they reach the
        line of their last site, until they are sorted there, and until they are delivered.
    """

    due: Floats
    delivered: Floats
    late: Floats
    open: Floats
    hours: Floats
    stages_h: Floats


def time_pieces(
    machine: Machine, epochs: Sequence[Epoch], clock: Clockwork, promise_h: Floats, threads: int
) -> Times:
    """Time every pair's pieces along the curves a simulation has recorded.

    Parameters
    ----------
    machine : Machine
        After its run.
    epochs : sequence of Epoch
    clock : Clockwork
    promise_h : array, (classes,)
        Infinite where nothing is promised.
    threads : int
        The result does not depend on it.
    """
    plant, record, n_steps = machine.plant, machine.record, clock.n_steps
    n_classes = plant.rate.shape[1]
    firsts = np.array([epoch.first_step for epoch in epochs], np.int32)
    of_step = machine.epoch_of_step
    ptr, group, shares = _by_destination(machine)
    when = np.arange(n_steps, dtype=np.int64)
    weight = machine.times.accept[when]
    sparse = _sparse(machine, len(when))
    sums, hours = np.zeros((n_classes, 8)), np.zeros((n_classes, n_steps + 1))
    bounds = np.linspace(0, len(plant.dest_site), PARTS + 1).astype(int)
    before = np.ascontiguousarray(machine.delays.before)
    travel = np.ascontiguousarray(machine.delays.travel)
    for k in range(n_classes):
        found = curves.Curves(
            np.empty((len(plant.inner), n_steps), np.int16),
            np.empty((len(plant.leg_head), n_steps), np.int16),
        )
        curves.trace_lines(_by_place(record.line_in, k), _by_place(record.line_out, k), found.sorted_at)
        curves.trace_legs(_by_place(record.leg_in, k), _by_place(record.leg_out, k), firsts, found.departs_at)
        spans = curves.Epochs(
            of_step, firsts, before, travel,
            np.stack([np.ascontiguousarray(rules.route[:, k].T) for rules in machine.rules]),
            np.stack([rules.cell[:, k] for rules in machine.rules]),
        )  # fmt: skip
        ways = curves.Ways(
            np.empty((len(plant.rate), n_steps), np.int16),
            np.empty((len(plant.rate), n_steps), np.int32),
            np.empty((len(plant.rate), n_steps), np.int16),
        )
        scratch = np.empty(len(firsts), np.int64), np.empty(2, np.int64)
        curves.first_leg(k, n_steps, plant, spans, found, *ways, *scratch)
        limit = int(min(np.floor(promise_h[k] / clock.step_h + 1e-6), 1e9))

        def part(
            lo: int, hi: int, k: int = k, spans: curves.Epochs = spans, found: curves.Curves = found,
            ways: curves.Ways = ways, limit: int = limit,
        ) -> tuple[Floats, Floats]:  # fmt: skip
            counted, total = np.zeros(n_steps + 1), np.zeros(8)
            curves.add_up(
                lo, hi, k, clock.warm_steps, limit, plant, spans, found, ways, ptr, group,
                shares[k if len(shares) > 1 else 0], when, weight, sparse[k],
                np.empty(len(firsts), np.int64), np.empty(2, np.int64), counted, total,
            )  # fmt: skip
            return counted, total

        with ThreadPoolExecutor(max(1, threads)) as pool:
            for counted, total in pool.map(lambda span: part(*span), list(pairwise(bounds.tolist()))):
                hours[k] += counted
                sums[k] += total
    _add_local(machine, clock, promise_h, sums, hours)
    stages = sums[:, 4:] / np.maximum(sums[:, 1:2], 1e-30) * clock.step_h
    return Times(sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3], hours, stages)


def _add_local(machine: Machine, clock: Clockwork, promise_h: Floats, sums: Floats, hours: Floats) -> None:
    """Add pieces that stay at their site: handled, sorted in its last line, delivered."""
    plant, record, n_steps = machine.plant, machine.record, clock.n_steps
    sites = np.flatnonzero(plant.local.sum(axis=1) > 0.0)
    when, begin = np.arange(n_steps), clock.warm_steps
    for k in range(sums.shape[0]):
        found = np.empty((len(plant.inner), n_steps), np.int16)
        curves.trace_lines(_by_place(record.line_in, k), _by_place(record.line_out, k), found)
        pieces = plant.local[sites, k][:, None] * machine.times.accept[when][None, :]
        joins = when[None, :] + machine.delays.before[machine.epoch_of_step][:, sites].T
        there = np.minimum(joins, n_steps - 1)
        ready = np.where(joins < n_steps, found[sites[:, None], there], curves.NEVER).astype(np.int64)
        done = ready + np.maximum(1, machine.delays.after[sites])[:, None]
        due = when[None, :] + int(min(np.floor(promise_h[k] / clock.step_h + 1e-6), 1e9))
        inside = (done >= begin) & (done < n_steps)
        counts = (due >= begin) & (due < n_steps)
        sums[k, 0] += pieces[:, counts[0]].sum()
        sums[k, 1] += pieces[inside].sum()
        sums[k, 2] += pieces[counts & (done > due)].sum()
        sums[k, 3] += pieces[(due >= n_steps) & (done >= n_steps)].sum()
        np.add.at(hours[k], (done - when)[inside], pieces[inside])
        sums[k, 4] += (pieces * (joins - when))[inside].sum()
        sums[k, 6] += (pieces * (ready - joins))[inside].sum()
        sums[k, 7] += (pieces * (done - ready))[inside].sum()


def _by_place(recorded: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return one class's record, place by place: the curves are read along the steps."""
    return np.ascontiguousarray(recorded[:, :, k].T)


def _sparse(machine: Machine, n_steps: int) -> Floats:
    """Return, for each class, the pieces a day from which on every step of a pair is looked at."""
    daily = machine.plant.rate.sum(axis=0)
    pairs = len(machine.plant.item_dest)
    if pairs * len(daily) * n_steps <= LOOKS:
        return np.zeros(len(daily))
    return np.asarray(daily * n_steps * len(daily) / LOOKS, np.float64)


def _by_destination(
    machine: Machine,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return where each destination's pairs begin, the pairs' groups, and their shares of them by class."""
    plant = machine.plant
    order = np.argsort(plant.item_dest, kind="stable")
    counts = np.bincount(plant.item_dest, minlength=len(plant.dest_site))
    ptr = np.append(0, np.cumsum(counts)).astype(np.int64)
    group = np.repeat(np.arange(len(plant.rate), dtype=np.int32), np.diff(plant.item_ptr))
    return ptr, group[order], plant.item_share[:, order]
