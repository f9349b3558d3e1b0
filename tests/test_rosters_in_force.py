"""Which roster is in force on which day, beside a reading of the rule day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_duty_roster import tiny

from changtong.duty.rosters_in_force import RostersInForce, Version, spans_of
from changtong.duty.staff import Assignment, DutyFolder
from changtong.errors import NotFoundError

DAY0 = date(2026, 3, 1)


def day(number: int) -> date:
    return DAY0 + timedelta(days=number)


SPANS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), max_size=6)


@given(SPANS)
def test_on_each_day_the_newest_roster_that_has_it_is_in_force(
    given_days: list[tuple[int, int, int]],
) -> None:
    versions = [
        Version(n, day(first), day(last), day(since), day(last))
        for n, (first, last, since) in enumerate(given_days, 1)
    ]
    found = spans_of(reversed(versions))
    for k in range(14):
        having = [one.number for one in versions if one.since <= day(k) <= one.until]
        assert [one.number for one in found if one.first <= day(k) <= one.last] == (
            [max(having)] if having else []
        )
    assert all(one.last < two.first for one, two in zip(found, found[1:], strict=False))


def test_each_roster_is_read_once_and_only_when_a_day_of_it_is_asked_for() -> None:
    read: list[int] = []

    def reader(number: int) -> tuple[DutyFolder, tuple[Assignment, ...]]:
        read.append(number)
        return tiny(), (Assignment(day(10 * number), "s", "post", f"p{number}"),)

    months = [Version(n, *[day(10 * n), day(10 * n + 9)] * 2) for n in range(4)]
    rosters = RostersInForce(months, reader)
    assert [[row.person_id for row in part.rows] for part in rosters.parts(day(10), day(19))] == [["p1"]]
    assert list(rosters.parts(day(10), day(9))) == []
    assert read == [1]
    at = datetime(2026, 3, 25, 12, tzinfo=UTC)
    assert rosters.period_at(at) == (day(20), day(29))
    assert sorted(read) == [1, 3]  # the newest says in which zone a day is
    assert rosters.period_at(at - timedelta(days=300)) == (day(0), day(9))
    assert rosters.period_at(at + timedelta(days=300)) == (day(30), day(39))
    with pytest.raises(NotFoundError):
        RostersInForce([], reader)
