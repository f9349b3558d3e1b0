"""Stays: from when to when each item was at a site, in a receptacle, on a vehicle.

The rules, so that nothing is left to the order of rows:

1. ``note`` and ``void`` rows say nothing about where an item is. Times are compared exactly; scans
   of one item at one millisecond are one instant: a set, whose order in the file does not matter
   and in which a row given twice changes nothing.
2. *At a site*: from the first scan there to the last one before a scan elsewhere. A ``depart`` ends the
   stay: a scan at the same site after it begins a new one, unless it is ``load`` or ``depart`` again.
   An item whose last known scan neither leaves (``load``, ``depart``) nor ends its way (``deliver``,
   ``cancel``) is still at its last site: the stay is open. ``return`` is not an end; the item's way back
   ends with ``deliver``. Scans without a site move nothing.
3. *In a receptacle*: from a scan that names it to the first that names another, or none. A ``load``,
   ``depart``, ``arrive`` or ``unload`` that names no receptacle handles the item in its bag and ends nothing;
   ``unpack``, ``deliver`` and ``cancel`` end the stay. Otherwise it is open.
4. *On a vehicle*: the same, with ``unload`` in the place of ``unpack``, and only ``depart`` and ``arrive``
   without a vehicle's name ending nothing.
5. A scan of a receptacle alone is one of each item inside at that time, both ends included: its site
   and vehicle count, and its ``unpack`` takes all items out. A scan of a vehicle alone likewise, for
   all that is on it by then, loose or in receptacles.
6. Several sites in one instant: first the one the item was at, then those it leaves, then the others,
   by their id; it is at the last one then, and was at the others for no time. Several receptacles or
   vehicles: first the former one, then those it is taken out of, then the others, by key. A container
   named by one row and not by another of the same instant is named.
7. One scan alone is a stay of length zero, or an open one. All stays contain both their ends.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.events.columns import Ints, Longs, ScanColumns
from changtong.events.item_order import buckets_for, by_item, copied, parts_for, rows_of_part
from changtong.events.tracing.visit_steps import KINDS, LEFT_OUT, MEANING, OPEN, SITE, STATES, Alone, walk

__all__ = ["KINDS", "OPEN", "STATES", "Stays", "stays_of"]


@dataclass(frozen=True)
class Stays:
    """Where every item was, item by item.

    Attributes
    ----------
    item_key : array of int64, (items,)
    first_stay : array of int64, (items + 1,)
        Where each item's stays begin in the arrays below; receptacles first, then vehicles, then sites.
    kind : array of int8, (stays,)
        Place in :data:`KINDS`.
    place : array of int64, (stays,)
        Place of the site in ``site_ids``, or key of the receptacle or vehicle.
    from_ms, to_ms : array of int64, (stays,)
        Both inside the stay; ``to_ms`` is :data:`OPEN` where it has not ended.
    last_site : array of int32, (items,)
        Where the item was seen last, -1 if no scan says.
    last_ms : array of int64, (items,)
        Time of its last known scan.
    state : array of int8, (items,)
        Place in :data:`STATES`.
    site_ids : tuple of str
    end_ms : int
        Time of the newest event of all.
    """

    item_key: Longs
    first_stay: Longs
    kind: NDArray[np.int8]
    place: Longs
    from_ms: Longs
    to_ms: Longs
    last_site: Ints
    last_ms: Longs
    state: NDArray[np.int8]
    site_ids: tuple[str, ...]
    end_ms: int

    def frame(self) -> pl.DataFrame:
        """Return the stays as a table, by item, kind and time; ``to_ms`` is null while it lasts."""
        item = np.repeat(self.item_key, np.diff(self.first_stay))
        at_site = self.kind == SITE
        sites = np.array([*self.site_ids, ""], object)[np.where(at_site, self.place, -1)]
        table = pl.DataFrame(
            {
                "item": item,
                "kind": np.array(KINDS, object)[self.kind],
                "site_id": pl.Series(sites, dtype=pl.String),
                "container": self.place,
                "from_ms": self.from_ms,
                "to_ms": self.to_ms,
            },
            schema_overrides={"kind": pl.String},
        )
        on_site = pl.col("kind") == "site"
        return table.with_columns(
            pl.when(on_site).then("site_id").alias("site_id"),
            pl.when(~on_site).then("container").alias("container"),
            pl.when(pl.col("to_ms") < OPEN).then("to_ms").alias("to_ms"),
        ).sort("item", "kind", "from_ms", "to_ms", "site_id", "container")


class _Part(NamedTuple):
    item_key: Longs
    first_stay: Longs
    kind: NDArray[np.int8]
    place: Longs
    from_ms: Longs
    to_ms: Longs
    last_site: Ints
    last_ms: Longs
    state: NDArray[np.int8]


def stays_of(columns: ScanColumns, *, threads: int = 2) -> Stays:
    """Return where every item was, by the rules at the head of this module.

    Parameters
    ----------
    columns : ScanColumns
        Events in any order.
    threads : int
        Parts of the items worked on at once; the stays are the same.

    Examples
    --------
    >>> import numpy as np
    >>> zero, site, code = np.zeros(2, np.int64), np.zeros(2, np.int32), np.zeros(2, np.int8)
    >>> log = ScanColumns(np.array([5, 9]), zero + 7, zero, zero, site, code, ("A",))
    >>> stays = stays_of(log)
    >>> stays.from_ms.tolist(), bool(stays.to_ms[0] == OPEN)
    ([5], True)
    """
    receptacles = _alone(columns, columns.receptacle, columns.receptacle != 0)
    vehicles = _alone(columns, columns.vehicle, columns.receptacle == 0)
    parts = parts_for(len(columns))

    def work(part: int) -> _Part:
        rows = np.empty(
            len(columns) // parts + (len(columns) if parts == 1 else len(columns) // (8 * parts)), np.int64
        )
        n = rows_of_part(columns.item, columns.code, LEFT_OUT, part, parts, rows)
        if n > len(rows):  # a part with more than its share: an item with very many scans
            rows = np.empty(n, np.int64)
            rows_of_part(columns.item, columns.code, LEFT_OUT, part, parts, rows)
        rows = rows[:n]
        item, at = columns.item[rows], columns.at_ms[rows]
        order, ptr = np.empty(n, np.int32), np.empty(n + 1, np.int64)
        items = by_item(item, at, buckets_for(n), order, ptr)
        site, code = columns.site[rows], columns.code[rows]
        receptacle, vehicle = columns.receptacle[rows], columns.vehicle[rows]
        del rows
        walked = walk(at, site, code, receptacle, vehicle, order, ptr, items, MEANING, receptacles, vehicles)
        made: list[Any] = [copied(column) for column in (item[order[ptr[:items]]], *walked)]
        return _Part(*made)

    if parts == 1 or threads == 1:
        done = [work(part) for part in range(parts)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(work, range(parts)))
    begins = np.cumsum([0, *(len(part.kind) for part in done)])
    first = [part.first_stay[:-1] + begin for part, begin in zip(done, begins, strict=False)]
    first_stay = np.concatenate([*first, begins[-1:]])
    pieces: dict[str, list[Any]] = {name: [getattr(part, name) for part in done] for name in _Part._fields}
    del done, first

    def joined(name: str) -> Any:
        return np.concatenate(pieces.pop(name))  # the pieces of a column go as soon as it is whole

    return Stays(
        item_key=joined("item_key"),
        first_stay=first_stay,
        kind=joined("kind"),
        place=joined("place"),
        from_ms=joined("from_ms"),
        to_ms=joined("to_ms"),
        last_site=joined("last_site"),
        last_ms=joined("last_ms"),
        state=joined("state"),
        site_ids=columns.site_ids,
        end_ms=int(columns.at_ms.max()) if len(columns) else 0,
    )


def _alone(columns: ScanColumns, key: Longs, which: NDArray[np.bool_]) -> Alone:
    """Return the scans of containers alone, by container and time."""
    rows = np.flatnonzero((columns.item == 0) & which & (key != 0) & ~LEFT_OUT[columns.code])
    rows = rows[np.lexsort((columns.at_ms[rows], key[rows]))]
    keys, begins = np.unique(key[rows], return_index=True)
    return Alone(
        keys=keys,
        ptr=np.append(begins, len(rows)).astype(np.int64),
        at=columns.at_ms[rows],
        site=columns.site[rows],
        code=columns.code[rows],
        vehicle=columns.vehicle[rows],
    )
