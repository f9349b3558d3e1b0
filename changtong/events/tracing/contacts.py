"""The index of contact tracing: all stays by place, made once when a log is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InputError, NotFoundError, Problem
from changtong.events.columns import Ints, Longs, ScanColumns
from changtong.events.tracing.contact_steps import Board, Room, StayTable, touched_places
from changtong.events.tracing.index_steps import (
    by_place,
    first_sites,
    number_keys,
    number_places,
    order_places,
    spread_over_runs,
)
from changtong.events.tracing.visit_steps import OPEN, RECEPTACLE, SITE, VEHICLE
from changtong.events.tracing.visits import KINDS, STATES, Stays, stays_of

__all__ = ["KINDS", "OPEN", "STATES", "ContactIndex", "index_contacts"]

MOST_STAYS = 2**31 - 1

WORTH_TWO_CORES = 100_000
"""Stays from which a work is shared between cores."""


@dataclass(frozen=True)
class ContactIndex:
    """Stays by place and time, for any number of traces.

    Attributes
    ----------
    table : StayTable
        Places are numbered: sites as in ``site_ids``, then receptacles, then vehicles.
    kind_ptr : array of int64, (4,)
        Where the places of each kind begin.
    place_key : array of int64, (places,)
        By rank: number of the site, or key of the receptacle or vehicle.
    last_site, last_ms, state : arrays, (items,)
        As in :class:`Stays`.
    site_ids : tuple of str
    end_ms : int
        Newest instant of the log; what is open is taken to last until then.
    still : array of bool, (stays,)
        Stays that have not ended.
    zone : str
        In which times are shown.
    desks : list of Board with a Room for each core
        Memory that a trace has left for the next, at most one desk: for each core 24 bytes an item, and 60
        for each stay of the largest place.
    """

    table: StayTable
    kind_ptr: Longs
    place_key: Longs
    last_site: Ints
    last_ms: Longs
    state: NDArray[np.int8]
    site_ids: tuple[str, ...]
    end_ms: int
    still: NDArray[np.bool_]
    zone: str = "UTC"
    desks: list[tuple[Board, list[Room]]] = field(default_factory=list, repr=False, compare=False)

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.table.keys)

    @property
    def stays(self) -> int:
        """Number of stays."""
        return len(self.table.begin)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        own = (self.place_key, self.last_site, self.last_ms, self.state, self.still)
        return sum(array.nbytes for array in own) + sum(np.asarray(array).nbytes for array in self.table)

    @cached_property
    def span_ms(self) -> tuple[int, int]:
        """The first begin and the last end of a stay."""
        if not self.stays:
            return 0, 0
        held = self.table.ptr[:-1][np.diff(self.table.ptr) > 0]
        return int(self.table.begin[held].min()), int(self.table.end.max())

    def item_number(self, key: int) -> int:
        """Return the number of an item's key.

        Raises
        ------
        NotFoundError
            No event of the log names it.
        """
        keys = self.table.keys
        at = int(np.searchsorted(keys, key))
        if at == len(keys) or keys[at] != key:
            raise NotFoundError("The log has no scan of this item.")
        return int(self.table.by_rank[at])

    def place_number(self, kind: str, key: str | int) -> int:
        """Return the number of a place: a site's id, or a receptacle's or vehicle's key.

        Raises
        ------
        NotFoundError
            The log knows no such site, or no item was in such a receptacle or vehicle.
        """
        k = KINDS.index(kind)
        if k == SITE:
            if key not in self.site_ids:
                raise NotFoundError(f"The log has no scan at a site {str(key)!r}.")
            return self.site_ids.index(str(key))
        keys = self.place_key[self.kind_ptr[k] : self.kind_ptr[k + 1]]
        at = int(np.searchsorted(keys, int(key)))
        if at == len(keys) or keys[at] != int(key):
            raise NotFoundError(f"The log has no item in this {kind}.")
        return int(np.flatnonzero(self.table.place_rank == self.kind_ptr[k] + at)[0])


def index_contacts(columns: ScanColumns | Stays, *, threads: int = 2, zone: str = "UTC") -> ContactIndex:
    """Make the index of contact tracing from events, or from stays.

    Parameters
    ----------
    columns : ScanColumns or Stays
    threads : int
        Cores to use; the index is the same.
    zone : str
        IANA name; times are shown in it.

    Raises
    ------
    InputError
        ``too-many-stays``: more than 2³¹ - 1 of them; index fewer days.

    Examples
    --------
    >>> import numpy as np
    >>> zero, site, code = np.zeros(2, np.int64), np.zeros(2, np.int32), np.zeros(2, np.int8)
    >>> log = ScanColumns(np.array([5, 9]), zero + 7, zero, zero, site, code, ("A",))
    >>> index_contacts(log).stays
    1
    """
    stays = columns if isinstance(columns, Stays) else stays_of(columns, threads=threads)
    del columns  # nobody needs the events any more, unless the caller keeps them
    n = len(stays.kind)
    if n > MOST_STAYS:
        raise InputError(
            [Problem("too-many-stays", f"{n:,} stays do not fit into one index.", hint="Index fewer days.")]
        )
    place, place_key, kind_ptr = _ranked_places(stays)
    met = _met(stays)
    place_number = number_places(met, stays.first_stay, place, kind_ptr)
    place = place_number[place]
    ptr = np.zeros(len(place_key) + 1, np.int64)
    where = np.empty(n, np.int32)
    by_place(place, ptr, where)
    spare = np.empty(n, np.int32)
    shares = shares_of(np.diff(ptr), threads)

    def order(values: Longs, rows: Ints) -> None:
        on_cores(lambda low, high: order_places(values, ptr, rows, spare, low, high), shares)

    order(stays.from_ms, where)
    begin, end = stays.from_ms[where], stays.to_ms[where]
    still = end == OPEN
    end[still] = stays.end_ms
    by_end = np.arange(n, dtype=np.int32)
    order(-end, by_end)
    by_end -= np.repeat(ptr[:-1], np.diff(ptr)).astype(np.int32)
    number = _inverse(met)
    by_key = np.argsort(stays.item_key)
    table = StayTable(
        ptr=ptr,
        begin=begin,
        end=end,
        item=spread_over_runs(stays.first_stay, number)[where],
        by_end=by_end,
        item_first=stays.first_stay[:-1][met],
        item_after=stays.first_stay[1:][met],
        item_place=place,
        item_rank=_inverse(by_key)[met],
        by_rank=number[by_key],
        keys=stays.item_key[by_key],
        place_rank=_inverse(place_number),
    )
    return ContactIndex(
        table=table,
        kind_ptr=kind_ptr,
        place_key=place_key,
        last_site=stays.last_site[met],
        last_ms=stays.last_ms[met],
        state=stays.state[met],
        site_ids=stays.site_ids,
        end_ms=stays.end_ms,
        still=still,
        zone=zone,
    )


def _inverse(order: NDArray[np.integer]) -> Ints:
    """Return where each number stands in an order."""
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place


def _met(stays: Stays) -> Ints:
    """Return the items by the site where their ways begin, then by time."""
    sites = len(stays.site_ids)
    home, since = first_sites(stays.first_stay, stays.kind, SITE, stays.place, stays.from_ms, sites)
    ptr, met = np.zeros(sites + 2, np.int64), np.empty(len(home), np.int32)
    by_place(home, ptr, met)
    order_places(since, ptr, met, np.empty_like(met), 0, sites + 1)
    return met


def _ranked_places(stays: Stays) -> tuple[Ints, Longs, Longs]:
    """Return the place of every stay by kind and key, the key of every place, and where kinds begin."""
    sites = len(stays.site_ids)
    place = np.empty(len(stays.kind), np.int32)
    rows = np.flatnonzero(stays.kind == SITE)
    place[rows] = stays.place[rows]
    keys, begins = [np.arange(sites, dtype=np.int64)], [0, sites]
    for kind in (RECEPTACLE, VEHICLE):
        rows = np.flatnonzero(stays.kind == kind)
        wanted = stays.place[rows]
        size = 1 << max(4, (2 * len(wanted)).bit_length())
        as_met, table_key = np.empty(len(wanted), np.int32), np.zeros(size, np.int64)
        count = number_keys(wanted, as_met, table_key, np.empty(size, np.int32), 0)
        met = np.empty(count, np.int64)
        met[as_met] = wanted
        ascending = np.argsort(met)
        rank = np.empty(count, np.int32)
        rank[ascending] = np.arange(count, dtype=np.int32)
        place[rows] = rank[as_met] + np.int32(begins[-1])
        keys.append(met[ascending])
        begins.append(begins[-1] + count)
    return place, np.concatenate(keys), np.array(begins, np.int64)


def places_of(index: ContactIndex, items: Ints, kinds: Sequence[str] = KINDS) -> Ints:
    """Return the places of some kinds where any of the items was; all of the kinds if that is quicker."""
    numbers = sorted({KINDS.index(kind) for kind in kinds})
    low, high = index.kind_ptr[numbers], index.kind_ptr[[k + 1 for k in numbers]]
    touched = np.zeros(len(index.place_key), np.bool_)
    if len(items) > index.items // 10:
        for first, after in zip(low, high, strict=True):
            touched[first:after] = True
    else:
        touched_places(index.table, items, low, high, touched)
    return np.flatnonzero(touched).astype(np.int32)


def cores_for(weight: int, threads: int) -> int:
    """Return how many cores a work is worth."""
    return threads if weight >= WORTH_TWO_CORES else 1


def shares_of(weights: NDArray[np.integer], shares: int) -> list[tuple[int, int]]:
    """Cut a row of things into runs of about the same weight: first and last + 1 of each."""
    total = np.cumsum(weights)
    if not len(total) or cores_for(int(total[-1]), shares) < 2:
        return [(0, len(total))]
    cuts = [0, *np.searchsorted(total, total[-1] * np.arange(1, shares) / shares).tolist(), len(total)]
    return list(pairwise(cuts))


def parts_of(count: int, parts: int) -> list[tuple[int, int]]:
    """Cut a row of things into equal runs: first and last + 1 of each."""
    return list(pairwise(count * k // parts for k in range(parts + 1)))


def on_cores(work: Callable[[int, int], object], shares: list[tuple[int, int]]) -> None:
    """Do the shares of a work at once, one core each."""
    if len(shares) == 1:
        work(*shares[0])
        return
    with ThreadPoolExecutor(len(shares)) as pool:
        list(pool.map(lambda share: work(*share), shares))
