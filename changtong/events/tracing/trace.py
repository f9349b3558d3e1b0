"""Contact tracing: what shared a site, a bag or a vehicle with something, onward or back.

Two items meet when their stays at one place overlap, both ends included. An item exposed at time
e exposes others only by what is left of its stays from e on; a stay that ended before e counts for
nothing. With ``linger_h`` the place stays exposed that much longer after the exposed item left.
Step 0 is what the source itself holds, step n what n meetings lead to. Each item has the earliest
exposure that at most ``steps`` meetings give, and the fewest meetings that give this one.

Backward is the same with time reversed: each item has the *latest* time at which it could
have been exposed and yet reach the source by at most ``steps`` meetings.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.events.columns import Ints, Longs
from changtong.events.tracing.contact_steps import (
    FAR,
    NEVER,
    Board,
    Found,
    Room,
    Scale,
    count_found,
    make_room,
    set_board,
    settle,
    spread,
)
from changtong.events.tracing.contacts import (
    ContactIndex,
    cores_for,
    on_cores,
    parts_of,
    places_of,
    shares_of,
)
from changtong.events.tracing.trace_result import Spread, Trace, make_trace
from changtong.events.tracing.visit_steps import KINDS

H_MS = 3_600_000

SHARES_OF_A_CORE = 16
"""Shares of a step for each core: who is done takes the next, so no large place keeps others waiting."""


@dataclass(frozen=True)
class Source:
    """What a trace begins (or, backward, ends) with: one place or item, and a window of time.

    Attributes
    ----------
    kind : {"site", "item", "receptacle", "vehicle"}
    key : str or int
        A site's id; the key of an item, receptacle or vehicle.
    from_ms, to_ms : int, optional
        Window, both ends included; without an end it goes on. Of an item: since when it is exposed
        (forward, ``from_ms``) or by when it was (backward, ``to_ms``).

    Examples
    --------
    >>> Source("site", "H4401", from_ms=0, to_ms=86_400_000).kind
    'site'
    """

    kind: str
    key: str | int
    from_ms: int | None = None
    to_ms: int | None = None


def trace(
    index: ContactIndex,
    source: Source,
    *,
    backward: bool = False,
    steps: int = 2,
    through: Sequence[str] = KINDS,
    linger_h: float = 0.0,
    threads: int = 2,
) -> Trace:
    """Find every item that the source may have exposed, or that may have exposed it.

    Parameters
    ----------
    index : ContactIndex
    source : Source
    backward : bool
        Who could have exposed the source, instead of whom it could have exposed.
    steps : int
        Most meetings on the way.
    through : sequence of {"site", "receptacle", "vehicle"}
        Kinds of place where items meet. What the source itself holds is found in any case.
    linger_h : float
        Hours a place stays exposed after an exposed item left it.
    threads : int
        Cores to use; the result is the same.

    Raises
    ------
    UsageError
        ``bad-source``, ``bad-window``, ``bad-steps``, ``bad-linger``, ``unknown-kind``.
    NotFoundError
        The log knows no such site, item, receptacle or vehicle.

    Examples
    --------
    >>> from changtong.events.tracing.contacts import index_contacts
    >>> from changtong.events.tracing.visits import ScanColumns
    >>> zero, site, code = np.zeros(3, np.int64), np.zeros(3, np.int32), np.zeros(3, np.int8)
    >>> log = ScanColumns(np.array([0, 9, 5]), np.array([1, 1, 2]), zero, zero, site, code, ("A",))
    >>> trace(index_contacts(log), Source("item", 1)).items["exposed_ms"].to_list()
    [0, 5]
    """
    _check(source, backward, steps, through, linger_h)
    begin = time.perf_counter()
    found = spread_exposure(
        index,
        source,
        backward=backward,
        steps=steps,
        through=through,
        linger_ms=round(linger_h * H_MS),
        threads=threads,
    )
    return make_trace(
        index,
        found,
        source=source.kind,
        key=source.key,
        window=(source.from_ms, source.to_ms),
        backward=backward,
        steps=steps,
        through=tuple(through),
        linger_h=linger_h,
        began=begin,
        threads=threads,
    )


def _check(source: Source, backward: bool, steps: int, through: Sequence[str], linger_h: float) -> None:
    if source.kind not in ("item", *KINDS):
        raise UsageError(
            f"A trace cannot begin with {source.kind!r}: site, item, receptacle or vehicle.", "bad-source"
        )
    if source.kind != "site" and not isinstance(source.key, int | np.integer):
        raise UsageError(f"The key of a source of kind {source.kind} must be a whole number.", "bad-source")
    if source.from_ms is not None and source.to_ms is not None and source.from_ms > source.to_ms:
        raise UsageError("The window ends before it begins.", "bad-window")
    if source.kind == "item" and (source.from_ms if backward else source.to_ms) is not None:
        which = "to_ms, by when it was exposed" if backward else "from_ms, since when it is exposed"
        raise UsageError(f"Of an item's window only one end can be meant: {which}.", "bad-window")
    if steps < 0:
        raise UsageError(f"{steps} steps cannot be taken: 0 or more.", "bad-steps")
    if not linger_h >= 0.0 or linger_h > 24 * 366:
        raise UsageError(f"A place cannot stay exposed for {linger_h} hours: 0 to 8784.", "bad-linger")
    for kind in through:
        if kind not in KINDS:
            raise UsageError(f"Items do not meet at a {kind!r}: site, receptacle or vehicle.", "unknown-kind")


def spread_exposure(
    index: ContactIndex,
    source: Source,
    *,
    backward: bool,
    steps: int,
    through: Sequence[str],
    linger_ms: int,
    threads: int = 2,
) -> Spread:
    """Return exposures and ties as arrays, times reversed (negative) if backward."""
    exposed = np.full(index.items, NEVER)
    step = np.full(index.items, -1, np.int16)
    _seed(index, source, backward, exposed)
    since = np.empty(index.items, np.uint8)
    news = np.flatnonzero(exposed != NEVER).astype(np.int32)
    step[news] = 0
    nothing = np.full(len(news), -1, np.int32)
    layers = [Found(news, exposed[news], nothing, nothing, np.zeros(len(news), np.int64))]
    if steps == 0 or not len(news):
        return Spread(exposed=exposed, step=step, layers=layers)
    scale = _scale(index, int(layers[0].at.min()), backward)
    cores = cores_for(index.stays, threads)
    board, rooms = _desk(index, cores)
    parts = parts_of(index.items, cores)
    on_cores(lambda low, high: set_board(board, exposed, since, scale, low, high), parts)
    weights = np.diff(index.table.ptr)
    for layer in range(1, steps + 1):
        places = places_of(index, layers[-1].item, through)
        waiting = deque(shares_of(weights[places], SHARES_OF_A_CORE * cores))

        def work(core: int, _: int, places: Ints = places, waiting: deque[tuple[int, int]] = waiting) -> None:
            own = Board(board.bound[core], board.sieve, board.won[core])
            with suppress(IndexError):  # until no share is left
                while True:
                    some = places[slice(*waiting.popleft())]
                    spread(index.table, some, exposed, since, linger_ms, backward, scale, own, rooms[core])

        on_cores(work, [(core, core) for core in range(min(cores, len(waiting)))])
        layers.append(_settled(board, scale, exposed, step, since, layer, parts))
        if not len(layers[-1].item):
            break
    index.desks[:] = [(board, rooms)]
    return Spread(exposed=exposed, step=step, layers=layers)


def _scale(index: ContactIndex, earliest: int, backward: bool) -> Scale:
    """Return coarse times from the earliest exposure on: none of a step is before it."""
    first, last = index.span_ms
    if backward:
        first, last = -last, -first
    base = min(max(earliest, first), FAR)
    return Scale(base, max(0, (max(0, last - base) >> 8).bit_length()))


def _desk(index: ContactIndex, cores: int) -> tuple[Board, list[Room]]:
    """Return the desk of the trace before, or a new one: new memory costs as much as the work on it."""
    with suppress(IndexError):
        board, rooms = index.desks.pop()
        if len(rooms) == cores:
            return board, rooms
    board = Board(
        np.empty((cores, index.items), np.int64),
        np.empty(index.items, np.uint8),
        np.empty((cores, index.items, 2), np.int64),
    )
    most = int(np.diff(index.table.ptr).max(initial=1))
    return board, [make_room(most) for _ in range(cores)]


def _settled(
    board: Board,
    scale: Scale,
    exposed: Longs,
    step: NDArray[np.int16],
    since: NDArray[np.uint8],
    layer: int,
    parts: list[tuple[int, int]],
) -> Found:
    """Take over what a step found, and return it."""
    counts: dict[int, int] = {}

    def count(low: int, high: int) -> None:
        counts[low] = count_found(board, low, high)

    on_cores(count, parts)
    begins = dict(zip(sorted(counts), np.cumsum([0, *(counts[low] for low in sorted(counts))]), strict=False))
    columns: list[Any] = [
        np.empty(sum(counts.values()), dtype) for dtype in (np.int32, np.int64, np.int32, np.int32, np.int64)
    ]
    found = Found(*columns)

    def take(low: int, high: int) -> None:
        settle(board, scale, exposed, step, since, layer, low, high, found, int(begins[low]))

    on_cores(take, parts)
    return found


def _seed(index: ContactIndex, source: Source, backward: bool, exposed: NDArray[np.int64]) -> None:
    """Set the exposure of what the source itself holds."""
    table = index.table
    if source.kind == "item":
        x = index.item_number(int(source.key))
        at = source.to_ms if backward else source.from_ms
        if at is None:  # from its very first, or until its very last moment
            at = index.end_ms if backward else _first_moment(index, x)
        exposed[x] = -at if backward else at
        return
    p = index.place_number(source.kind, source.key)
    rows = slice(int(table.ptr[p]), int(table.ptr[p + 1]))
    first = np.iinfo(np.int64).min + 1 if source.from_ms is None else source.from_ms
    last = index.end_ms if source.to_ms is None else source.to_ms
    begin, end = table.begin[rows], table.end[rows]
    meets = (begin <= last) & (end >= first)
    at_ms: Longs = -np.minimum(end[meets], last) if backward else np.maximum(begin[meets], first)
    np.minimum.at(exposed, table.item[rows][meets], at_ms)


def _first_moment(index: ContactIndex, x: int) -> int:
    """Return when the first stay of an item begins."""
    table = index.table
    places = table.item_place[table.item_first[x] : table.item_after[x]]
    first = index.last_ms[x]
    for p in set(places.tolist()):
        rows = slice(int(table.ptr[p]), int(table.ptr[p + 1]))
        own = table.begin[rows][table.item[rows] == x]
        first = min(first, own.min())
    return int(first)
