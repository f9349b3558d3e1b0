"""Small scan logs, as arrays the kernels take."""

from __future__ import annotations

import numpy as np
from contact_oracle import Scan
from hypothesis import strategies as st

from changtong.events.columns import CODE_NUMBER, CODES, ScanColumns
from changtong.events.tracing.visits import Stays

SITES = ("A", "B", "C")
WHO = [-7, 0, 3, 8]


def columns_of(scans: list[Scan], site_ids: tuple[str, ...] = SITES) -> ScanColumns:
    """Return scans as the columns of a log."""
    return ScanColumns(
        at_ms=np.array([s.at for s in scans], np.int64),
        item=np.array([s.item for s in scans], np.int64),
        receptacle=np.array([s.receptacle for s in scans], np.int64),
        vehicle=np.array([s.vehicle for s in scans], np.int64),
        site=np.array([site_ids.index(s.site) if s.site else -1 for s in scans], np.int32),
        code=np.array([CODE_NUMBER[s.code] for s in scans], np.int8),
        site_ids=site_ids,
    )


def stays_as_set(stays: Stays) -> set[tuple[object, ...]]:
    """Return stays as the references give them."""
    frame = stays.frame()
    return {
        (
            r["item"],
            r["kind"],
            r["site_id"] if r["kind"] == "site" else r["container"],
            r["from_ms"],
            r["to_ms"],
        )
        for r in frame.to_dicts()
    }


def scan_lists(most: int = 14, latest: int = 8) -> st.SearchStrategy[list[Scan]]:
    """Return logs with many equal times, in any order, with scans of containers alone."""
    busy = ["pack", "unpack", "load", "depart", "arrive", "unload", "deliver", "sort", "receive"]
    scan = st.builds(
        Scan,
        at=st.integers(0, latest),
        code=st.sampled_from(busy) | st.sampled_from(CODES),
        item=st.sampled_from(WHO),
        receptacle=st.sampled_from([0, 0, -5, 6]),
        vehicle=st.sampled_from([0, 0, 4, 9]),
        site=st.sampled_from(["", *SITES]),
    )
    return st.lists(scan, max_size=most)


@st.composite
def stay_sets(draw: st.DrawFn) -> Stays:
    """Return stays of up to six items at a few places, open ones among them."""
    n = draw(st.integers(1, 12))
    item = sorted(draw(st.lists(st.integers(1, 6), min_size=n, max_size=n)))
    kind = draw(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=n, max_size=n))
    place = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    begin = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
    length = draw(st.lists(st.integers(0, 5) | st.none(), min_size=n, max_size=n))
    keys, count = np.unique(item, return_counts=True)
    order = draw(st.permutations([5, -3, 40, 11, -20, 7]))  # keys in another order than the numbers
    ends = [np.iinfo(np.int64).max if m is None else b + m for b, m in zip(begin, length, strict=True)]
    closed = [b if m is None else b + m for b, m in zip(begin, length, strict=True)]
    return Stays(
        item_key=np.array([order[k - 1] for k in keys], np.int64),
        first_stay=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        kind=np.array(kind, np.int8),
        place=np.array([p if k == 0 else p + 70 for k, p in zip(kind, place, strict=True)], np.int64),
        from_ms=np.array(begin, np.int64),
        to_ms=np.array(ends, np.int64),
        last_site=np.full(len(keys), -1, np.int32),
        last_ms=np.full(len(keys), 12, np.int64),
        state=np.zeros(len(keys), np.int8),
        site_ids=SITES[:2],
        end_ms=max(closed) + draw(st.integers(0, 2)),
    )
