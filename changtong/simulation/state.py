"""The arrays of a simulation: what stays, what happens when, where the pieces are, what is recorded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

ENTERS = -2
"""In place of a leg: pieces that begin at an inner site are in its own queue at once."""

ENTERED, DELIVERED, HANDLED, UNDER_WAY = range(4)
"""Rows of ``State.total``: since the first step; now in handling; now on legs."""

NOTHING, HOME = -2, -1
"""In place of a slot: nothing left on this leg in this step; only pieces that are home at its head."""

AGES = 4
"""Parts by age in which a line is kept while it is not sorted to its end."""

PARTS = 2
"""Parts of a step that may run side by side."""


class Plant(NamedTuple):
    """What does not change: sites, legs, groups."""

    inner: Ints  # number of each site among the inner ones, -1 for leaves
    inner_site: Ints
    dest_site: Ints
    dest_at: Ints  # number of each site among the destinations, -1 for none
    leg_head: Ints
    leg_tail: Ints
    out_legs: Ints  # legs by the site they leave
    out_ptr: Ints
    cells_in: Ints  # cells by the site they reach
    cells_in_ptr: Ints
    part_ptr: Ints  # first site of each part of a step
    n_own_legs: int  # legs behind are take-over ways
    group_ptr: NDArray[np.int64]  # site -> groups that begin there
    rate: Floats
    item_ptr: NDArray[np.int64]
    item_dest: Ints
    item_share: Singles  # (classes or 1, items)
    run_ptr: NDArray[np.int64]  # group -> runs of destinations without a gap
    run_item: NDArray[np.int64]  # run -> its first item
    cell_leg: Ints
    cell_group: Ints
    after: Ints
    slot_ptr: NDArray[np.int64]  # leg -> its slots
    slot_at: NDArray[np.int64]  # slot -> place in the arena
    local: Floats  # (sites, classes): pieces a day that stay at their site


class Times(NamedTuple):
    """What happens in each step."""

    accept: Floats  # share of a day's pieces
    room: Singles  # (steps, legs)
    sort: Floats  # (steps, sites)


class Rules(NamedTuple):
    """What holds in one epoch."""

    route: Ints  # (inner, classes, destinations): leg
    leg_ptr: NDArray[np.int64]  # leg -> destinations it carries
    leg_dest: Ints
    cell: Ints  # (groups, classes)
    before: Ints
    travel: Ints
    limit_ptr: Ints
    limit_leg: Ints
    limit_pieces: Floats  # in each step
    limit_most: Floats  # saved up at most: those of a day


class State(NamedTuple):
    """Where the pieces are."""

    group_in: Floats  # (ring, groups, classes): on the way to the line
    group_held: Floats  # (groups, classes)
    group_line: Floats
    group_sorted: Floats
    line: Singles  # (AGES, inner, classes, destinations): to be sorted, in parts by age
    sorted: Singles  # sorted, waiting for a departure
    line_sum: Floats  # (AGES, inner, classes)
    older: NDArray[np.int8]  # (inner, classes): which part is the oldest
    joins: NDArray[np.int8]  # (inner, classes): which part new pieces join
    sorted_sum: Floats
    last_line: Floats  # (sites, classes): at their last site, to be sorted
    last_in: Floats  # (ring, sites, classes): on the way there
    done_in: Floats  # (ring, sites, classes): sorted, to be delivered
    cell_in: Singles  # (ring, cells, classes): left a leaf site
    arena: Singles  # (classes, cells of slots): between inner sites
    arena_dest: Ints
    slot_leg: Ints
    slot_size: Ints
    slot_next: Ints  # of each leg: slot to use next
    due_first: Ints  # (steps, sites): first slot due
    due_next: Ints
    leg_slot: Ints  # of each leg, in this step: slot that leaves, HOME or NOTHING
    leg_home: Floats  # (legs, classes): of what leaves in this step, what is home at the head
    leg_sum: Floats  # (legs, classes): sorted, waiting
    tokens: Floats  # of each entry limit
    leg_left: Floats  # what waited after the last departures
    share: Floats  # scratch (legs, classes): share of what waits that departs
    moved: Floats  # (parts, 4, classes): what a part of the sites adds to the totals in this step
    scratch: Floats  # (parts, 2, classes)
    total: Floats  # (4, classes): ENTERED, DELIVERED, HANDLED, UNDER_WAY


class Record(NamedTuple):
    """What is written down in each step."""

    waiting: Singles  # (steps, sites, classes): to be sorted, sorted, held
    sorted: Singles
    held: Singles
    line_in: Singles
    line_out: Singles
    leg_in: Singles  # (steps, legs, classes)
    leg_out: Singles
    accepted: Floats  # (steps, classes)
    delivered: Singles  # (steps, sites, classes)
    under_way: Floats  # (steps, classes)
    handled: Floats
    missing: Floats  # entered less delivered and present
