"""Set a simulation up: everything the steps need, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.routes import NO_LEG, Pairs, Routes
from changtong.simulation.groups import Groups, make_groups
from changtong.simulation.state import AGES, NOTHING, PARTS, Plant, Record, Rules, State, Times
from changtong.simulation.timetable import (
    Clockwork,
    Delays,
    Epoch,
    make_delays,
    rooms,
    sorted_pieces,
    time_of_day,
)
from changtong.structure import column

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

SENDING = 10
"""Sorting and sending a destination on takes about as long as bringing this many pairs in (measured)."""


@dataclass(frozen=True)
class Machine:
    """A simulation ready to run.

    Attributes
    ----------
    plant, times, state, record
        Arrays of the steps.
    rules : list of Rules
        One an epoch.
    groups : Groups
    delays : Delays
    epoch_of_step : array of int32, (steps,)
    """

    plant: Plant
    times: Times
    rules: list[Rules]
    state: State
    record: Record
    groups: Groups
    delays: Delays
    epoch_of_step: Ints


@dataclass(frozen=True)
class _Ends:
    tail: Ints
    head: Ints
    n_own: int


def build(
    network: Network, pairs: Pairs, epochs: Sequence[Epoch], clock: Clockwork, profile: Sequence[float],
    inner_too: Sequence[int] = (),
) -> Machine:  # fmt: skip
    """Build the machine of a network, its epochs and its clock.

    ``inner_too`` are sites at which pieces are told apart by destination from the beginning on.
    """
    n, n_classes = network.sites.height, len(pairs.class_share)
    ends = _ends(network, epochs)
    n_extra = len(ends.tail) - ends.n_own
    routes = [epoch.routes for epoch in epochs]
    dest_site = routes[0].dest_site
    inner_mask = _inner_sites(routes, ends, n)
    inner_mask[np.asarray(inner_too, np.int64)] = True
    inner_site = np.flatnonzero(inner_mask).astype(np.int32)
    inner = np.full(n, -1, np.int32)
    inner[inner_site] = np.arange(len(inner_site))
    groups = make_groups(pairs, routes, inner_mask, ends.n_own)
    delays = make_delays(network, n_extra, epochs, clock)
    room = rooms(network, n_extra, epochs, clock)
    rules = [
        _rules(e, epoch, groups, delays, ends, inner_site, dest_site, n_classes, clock)
        for e, epoch in enumerate(epochs)
    ]
    group_ptr = np.searchsorted(groups.origin, np.arange(n + 1)).astype(np.int64)
    out_legs, out_ptr = _by_site(ends.tail, np.arange(len(ends.tail)), n)
    leaves = np.flatnonzero(groups.cell_leg >= 0)
    run_ptr, run_item = _runs(groups)
    dest_at = np.full(n, -1, np.int32)
    dest_at[dest_site] = np.arange(len(dest_site))
    cells_in, cells_in_ptr = _by_site(ends.head[groups.cell_leg[leaves]], leaves, n)
    slot_ptr, slot_at, cells = _slots(network, rules, delays, ends, inner_mask, dest_site, clock)
    plant = Plant(
        inner=inner,
        inner_site=inner_site,
        dest_site=dest_site,
        dest_at=dest_at,
        leg_head=ends.head,
        leg_tail=ends.tail,
        out_legs=out_legs,
        out_ptr=out_ptr,
        cells_in=cells_in,
        cells_in_ptr=cells_in_ptr,
        part_ptr=_parts(groups, cells_in, cells_in_ptr, inner_mask, len(dest_site)),
        n_own_legs=ends.n_own,
        group_ptr=group_ptr,
        rate=groups.rate,
        item_ptr=groups.item_ptr,
        item_dest=groups.item_dest,
        item_share=groups.item_share,
        run_ptr=run_ptr,
        run_item=run_item,
        cell_leg=groups.cell_leg,
        cell_group=groups.cell_group,
        after=delays.after,
        slot_ptr=slot_ptr,
        slot_at=slot_at,
        local=pairs.local[:, None] * pairs.class_share[None, :],
    )
    times = Times(time_of_day(profile, clock), room, sorted_pieces(network, epochs, clock))
    state = _state(plant, rules, delays, len(ends.tail), cells, clock, n_classes)
    record = _record(clock.n_steps, n, len(ends.tail), n_classes)
    firsts = [epoch.first_step for epoch in epochs]
    of_step = np.searchsorted(firsts, np.arange(clock.n_steps), side="right") - 1
    return Machine(plant, times, rules, state, record, groups, delays, of_step.astype(np.int32))


def varied(machine: Machine, pieces: Floats, days: Floats, sorts: Floats, carries: Floats) -> Machine:
    """Return an empty machine with other amounts on the same network.

    Parameters
    ----------
    machine : Machine
    pieces : array, (sites,)
        Factor on what is accepted at each site.
    days : array, (steps,)
        Factor on what is accepted in each step.
    sorts, carries : array, (sites,), (legs,)
        Factors on what sites sort and legs carry; take-over ways stay as they are.
    """
    plant, times, state, record = machine.plant, machine.times, machine.state, machine.record
    n_legs = len(plant.leg_head)
    room = times.room.copy()
    room[:, : len(carries)] *= carries.astype(np.float32)
    nothing = {name: np.zeros_like(values) for name, values in state._asdict().items()}
    fresh = state._replace(**nothing)._replace(
        due_first=np.full_like(state.due_first, -1),
        due_next=np.full_like(state.due_next, -1),
        leg_slot=np.full_like(state.leg_slot, NOTHING),
    )
    return replace(
        machine,
        plant=plant._replace(
            rate=plant.rate * pieces[machine.groups.origin][:, None], local=plant.local * pieces[:, None]
        ),
        times=Times(times.accept * days, room, times.sort * sorts[None, :]),
        state=fresh,
        record=_record(len(times.accept), len(plant.inner), n_legs, record.accepted.shape[1]),
    )


def _ends(network: Network, epochs: Sequence[Epoch]) -> _Ends:
    """Return the ends of all legs; take-over ways are those of the routes that have most."""
    legs = network.legs
    tail, head = (legs[name].to_physical().to_numpy().astype(np.int32) for name in ("from_site", "to_site"))
    most = max((epoch.routes for epoch in epochs), key=lambda one: len(one.extra_tail))
    return _Ends(
        np.concatenate([tail, most.extra_tail]).astype(np.int32),
        np.concatenate([head, most.extra_head]).astype(np.int32),
        legs.height,
    )


def _by_site(site: Ints, what: NDArray[np.int64], n: int) -> tuple[Ints, Ints]:
    """Return things in the order of their sites, and where each site's begin."""
    order = np.argsort(site, kind="stable")
    return what[order].astype(np.int32), np.searchsorted(site[order], np.arange(n + 1)).astype(np.int32)


def _runs(groups: Groups) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each group's runs of neighbouring destinations begin, and each run's first item."""
    new = np.append(np.diff(groups.item_dest, prepend=-2) != 1, True)
    new[groups.item_ptr] = True
    first = np.flatnonzero(new)
    return np.searchsorted(first, groups.item_ptr), first


def _parts(groups: Groups, cells_in: Ints, cells_in_ptr: Ints, inner: NDArray[np.bool_], n_dest: int) -> Ints:
    """Return where the parts of a step begin: runs of sites with about as many pairs to bring in and send on.

    They are the same however many threads there are, and so are the sums made of them.
    """
    pairs = np.diff(groups.item_ptr)[groups.cell_group[cells_in]]
    brought = np.append(0, np.cumsum(pairs))[cells_in_ptr]
    work = np.append(0, np.cumsum(np.diff(brought) * inner + SENDING * n_dest * inner + 1))
    wanted = work[-1] * np.arange(PARTS + 1) / PARTS
    return np.asarray(np.searchsorted(work, wanted), np.int32)


def _inner_sites(routes: Sequence[Routes], ends: _Ends, n: int) -> NDArray[np.bool_]:
    """Return the sites that some piece for another site may reach."""
    inner = np.zeros(n, bool)
    for one in {id(each): each for each in routes}.values():
        for stream in one.next_leg:
            for d, legs in enumerate(stream):
                heads = ends.head[legs[legs != NO_LEG]]
                inner[heads[heads != one.dest_site[d]]] = True
    return inner


def _rules(
    e: int, epoch: Epoch, groups: Groups, delays: Delays, ends: _Ends, inner_site: Ints, dest_site: Ints,
    n_classes: int, clock: Clockwork,
) -> Rules:  # fmt: skip
    streams = epoch.routes.next_leg
    route = np.empty((len(inner_site), n_classes, len(dest_site)), np.int32)
    for k in range(n_classes):
        route[:, k] = streams[k if len(streams) > 1 else 0][:, inner_site].T
    any_class = [route[:, k] for k in range(n_classes if len(streams) > 1 else 1)]
    carried = [
        np.stack([legs[legs != NO_LEG], np.nonzero(legs != NO_LEG)[1]]).astype(np.int64) for legs in any_class
    ]
    key = np.concatenate([leg * len(dest_site) + dest for leg, dest in carried])
    key = np.unique(key) if len(streams) > 1 else np.sort(key)
    leg_of = key // max(len(dest_site), 1)
    limits = epoch.effect.entry_limits
    return Rules(
        route=route,
        leg_ptr=np.searchsorted(leg_of, np.arange(len(ends.tail) + 1)).astype(np.int64),
        leg_dest=(key % max(len(dest_site), 1)).astype(np.int32),
        cell=groups.cell[e],
        before=delays.before[e],
        travel=delays.travel[e],
        limit_ptr=np.cumsum([0, *(len(limit.leg_rows) for limit in limits)]).astype(np.int32),
        limit_leg=np.concatenate([np.zeros(0, np.int32), *(limit.leg_rows for limit in limits)]).astype(
            np.int32
        ),
        limit_pieces=np.array([limit.pieces_per_day * clock.step_h / 24.0 for limit in limits], np.float64),
        limit_most=np.array([limit.pieces_per_day for limit in limits], np.float64),
    )


def _slots(
    network: Network, rules: Sequence[Rules], delays: Delays, ends: _Ends, inner: NDArray[np.bool_],
    dest_site: Ints, clock: Clockwork,
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:  # fmt: skip
    """Return the slots of each leg between inner sites, their places, and the cells they take.

    A slot holds one departure until it arrives.
    """
    n_legs = len(ends.tail)
    trips = np.append(
        column(network.legs, "departures_per_day", np.inf), np.full(n_legs - ends.n_own, np.inf)
    )
    longest = (delays.travel + delays.before[:, ends.head]).max(axis=0) + 1
    gap = np.maximum(1.0, np.floor(24.0 / np.maximum(trips, 1e-9) / clock.step_h))
    gap = np.where(np.isfinite(trips), gap, 1.0)
    size = np.zeros(n_legs, np.int64)
    for one in rules:
        home = dest_site[one.leg_dest] == np.repeat(ends.head, np.diff(one.leg_ptr))
        through = np.add.reduceat(np.append(~home, False), one.leg_ptr[:-1])
        size = np.maximum(size, np.where(np.diff(one.leg_ptr) > 0, through, 0))
    between = inner[ends.tail] & inner[ends.head] & (size > 0)
    count = np.where(between, np.ceil(longest / gap) + 2, 1).astype(np.int64)
    size = np.where(between, size, 0)
    slot_ptr = np.append(0, np.cumsum(count)).astype(np.int64)
    width = np.repeat(size, count)
    slot_at = (np.cumsum(width) - width).astype(np.int64)
    return slot_ptr, slot_at, int(width.sum())


def _state(
    plant: Plant, rules: Sequence[Rules], delays: Delays, n_legs: int, cells: int, clock: Clockwork,
    n_classes: int,
) -> State:  # fmt: skip
    n, n_groups = len(plant.inner), len(plant.rate)
    n_inner, n_dest, n_slots = len(plant.inner_site), len(plant.dest_site), len(plant.slot_at)
    handling = int(delays.before.max(initial=0)) + 2
    longest = int((delays.travel + delays.before[:, plant.leg_head]).max(initial=0)) + 2
    rest = int(max(delays.after.max(initial=0), 1)) + 2
    limits = max((len(one.limit_pieces) for one in rules), default=0)
    return State(
        group_in=np.zeros((handling, n_groups, n_classes)),
        group_held=np.zeros((n_groups, n_classes)),
        group_line=np.zeros((n_groups, n_classes)),
        group_sorted=np.zeros((n_groups, n_classes)),
        line=np.zeros((AGES, n_inner, n_classes, n_dest), np.float32),
        sorted=np.zeros((n_inner, n_classes, n_dest), np.float32),
        line_sum=np.zeros((AGES, n_inner, n_classes)),
        older=np.zeros((n_inner, n_classes), np.int8),
        joins=np.zeros((n_inner, n_classes), np.int8),
        sorted_sum=np.zeros((n_inner, n_classes)),
        last_line=np.zeros((n, n_classes)),
        last_in=np.zeros((max(handling, longest), n, n_classes)),
        done_in=np.zeros((rest, n, n_classes)),
        cell_in=np.zeros((longest, len(plant.cell_leg), n_classes), np.float32),
        arena=np.zeros((n_classes, max(cells, 1)), np.float32),
        arena_dest=np.zeros(max(cells, 1), np.int32),
        slot_leg=np.zeros(n_slots, np.int32),
        slot_size=np.zeros(n_slots, np.int32),
        slot_next=np.zeros(n_legs, np.int32),
        due_first=np.full((clock.n_steps, n), -1, np.int32),
        due_next=np.full(n_slots, -1, np.int32),
        leg_slot=np.full(n_legs, NOTHING, np.int32),
        leg_home=np.zeros((n_legs, n_classes)),
        leg_sum=np.zeros((n_legs, n_classes)),
        leg_left=np.zeros((n_legs, n_classes)),
        tokens=np.zeros(limits),
        share=np.zeros((n_legs, n_classes)),
        moved=np.zeros((PARTS, 4, n_classes)),
        scratch=np.zeros((PARTS, 2, n_classes)),
        total=np.zeros((4, n_classes)),
    )


def _record(n_steps: int, n: int, n_legs: int, n_classes: int) -> Record:
    def at_sites() -> NDArray[np.float32]:
        return np.zeros((n_steps, n, n_classes), np.float32)

    def in_all() -> NDArray[np.float64]:
        return np.zeros((n_steps, n_classes))

    return Record(
        waiting=at_sites(),
        sorted=at_sites(),
        held=at_sites(),
        line_in=at_sites(),
        line_out=at_sites(),
        leg_in=np.zeros((n_steps, n_legs, n_classes), np.float32),
        leg_out=np.zeros((n_steps, n_legs, n_classes), np.float32),
        accepted=in_all(),
        delivered=at_sites(),
        under_way=in_all(),
        handled=in_all(),
        missing=in_all(),
    )
