"""Eight bytes at a time says the same as one byte at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from how_many import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from changtong.events.clocks import OUTSIDE, READ, UNREADABLE, read_times
from changtong.events.fields import is_clean
from changtong.events.loads import ONES, byte_is, first_byte, is_plain, load, load_few, same_bytes
from changtong.events.times import WIDTH, time_form, zone_of

EDGES = st.sampled_from(b"\x00\x01\x1f\x20\x21,;\n\r\x7e\x7f\x80\x81\xff")


@njit
def load_at(buf, at):  # type: ignore[no-untyped-def]
    """An intrinsic is there for kernels only."""
    return load(buf, at)


@njit
def lowest(buf, byte):  # type: ignore[no-untyped-def]
    """Return the place of the first such byte of eight, -1 where there is none."""
    marks = byte_is(load(buf, 0), ONES * np.uint64(byte))
    return first_byte(marks) if marks != np.uint64(0) else -1


def raw(data: bytes) -> np.ndarray:
    return np.frombuffer(data or b"\0", np.uint8)


@given(st.lists(EDGES, min_size=8, max_size=24).map(bytes), st.integers(0, 16))
@settings(deadline=None)
def test_loads_read_what_lies_there(data: bytes, at: int) -> None:
    at = min(at, len(data) - 8)
    assert load_at(raw(data), at) == int.from_bytes(data[at : at + 8], "little")
    for n in range(8):
        for begin in (at, len(data) - n):
            assert load_few(raw(data), begin, n) == int.from_bytes(data[begin : begin + n], "little")


@given(st.lists(EDGES, min_size=8, max_size=8).map(bytes), EDGES)
@settings(deadline=None)
def test_the_lowest_mark_is_the_first_such_byte(data: bytes, byte: int) -> None:
    assert lowest(raw(data), byte) == data.find(byte)


@given(st.lists(EDGES, max_size=30).map(bytes), st.integers(0, 5))
@settings(deadline=None)
def test_plain_is_printable_ascii_whatever_stands_around(data: bytes, begin: int) -> None:
    begin = min(begin, len(data))
    inside = data[begin:]
    assert is_plain(raw(data), begin, len(inside)) == all(32 <= b < 127 for b in inside)
    assert (
        not is_plain(raw(data), begin, len(inside))
        or inside[:1] in b"=+@-"
        or is_clean(raw(data), begin, len(inside))
    )


@given(st.lists(EDGES, max_size=20).map(bytes), st.integers(0, 19), st.booleans())
@settings(deadline=None)
def test_same_bytes_are_told_from_others(data: bytes, at: int, change: bool) -> None:
    other = bytearray(b"xx" + data)
    if change and data:
        other[2 + at % len(data)] ^= 1
    assert same_bytes(raw(data), 0, raw(bytes(other)), 2, len(data)) == (not (change and data))


ZONES = {name: zone_of(name) for name in ("Asia/Shanghai", "Australia/Lord_Howe", "UTC")}


def read(texts: list[str], zone: str) -> tuple[list[int], list[int]]:
    """Read times in one call: later ones may rest on earlier ones."""
    data = "".join(texts).encode()
    lengths = np.array([len(text) for text in texts], np.int32)
    starts = (np.cumsum(lengths) - lengths).astype(np.int32)
    out, state = np.empty(len(texts), np.int64), np.empty(len(texts), np.uint8)
    read_times(
        raw(data), starts, lengths, time_form("iso"), WIDTH, *ZONES[zone], True, 0, 4 * 10**12, out, state
    )
    return out.tolist(), state.tolist()


EVENING = datetime(2021, 4, 3, 22)
MOMENTS = st.builds(
    lambda hours, seconds, kind: (EVENING + timedelta(hours=hours, seconds=seconds)).strftime(kind),
    st.integers(0, 30), st.integers(0, 7200),
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.12",
         "%Y-%m-%d %-H:%M:%S", "%Y-%-m-%-d %-H:%M:%S.5", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:7"]
    ),
)  # fmt: skip
BROKEN = st.sampled_from(
    ["2021-04-03 22:61:00", "2021-04-03 22:05:60", "2021-04-03 22-05-00", "2021-4-3 22:05:09:30"]
)


@pytest.mark.slow
@given(
    st.lists(MOMENTS | BROKEN, min_size=1, max_size=12),
    st.sampled_from(["Australia/Lord_Howe", "Asia/Shanghai"]),
)
@example(["2021-4-3 07:05:09", "2021-4-3 07:05:0930"], "Asia/Shanghai")
@settings(max_examples=examples(300), deadline=None)
def test_a_time_is_the_same_beside_others_and_alone(texts: list[str], zone: str) -> None:
    # Lord Howe puts its clocks back by half an hour in the night of 4 April 2021
    together = read(texts, zone)
    alone = [read([text], zone) for text in texts]
    assert together == ([one[0][0] for one in alone], [one[1][0] for one in alone])


@pytest.mark.slow
def test_the_hour_read_before_does_not_excuse_a_bad_minute() -> None:
    texts = ["2022-05-06 07:00:00", "2022-05-06 07:59:59", "2022-05-06 07:60:00", "2022-05-06 07:1a:00"]
    out, state = read(texts, "Asia/Shanghai")
    first = int(datetime(2022, 5, 6, 7, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
    assert out[:2] == [first, first + 3_599_000]
    assert state == [READ, READ, UNREADABLE, UNREADABLE]
    assert read(["2088-05-06 07:00:00", "2088-05-06 07:00:01"], "UTC")[1] == [READ, READ]
    assert OUTSIDE not in state
