"""Who serves, what has to be manned, and the rules: the duty folder as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

KINDS = ("points", "nights", "weekends", "holidays")
"""What is shared out fairly: duties by their points, nights, weekend days, holidays."""

DAY_KINDS = ("work", "weekend", "holiday")
"""Kinds of day; a make-up workday (调休) is ``work``."""

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """Somebody who serves.

    Attributes
    ----------
    person_id, name, group : str
    roles, qualifications : frozenset of str
    share : float
        Part of a full-time duty load, above 0, at most 1.
    level : str
        ``new``, ``trained`` or ``experienced``.
    since, until : date or None
        First and last day of service; None: open.
    """

    person_id: str
    name: str
    group: str
    roles: frozenset[str]
    qualifications: frozenset[str]
    share: float = 1.0
    level: str = "trained"
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Shift:
    """A time of day that is manned.

    Attributes
    ----------
    shift_id, name_zh, name_en : str
    start : time
        By the clock of the duty room.
    hours : float
        By the clock on the wall: where clocks are put forward, the duty is an hour shorter.
    days : str
        ``all``, ``work`` or ``free`` (weekends and holidays).
    rest_h : float
        Hours after it in which nobody begins another duty.
    night : bool
    points : int
        What it counts for in the total load.
    """

    shift_id: str
    name_zh: str
    name_en: str
    start: time
    hours: float
    days: str = "all"
    rest_h: float = 0.0
    night: bool = False
    points: int = 1


def counts_of(shift: Shift, day_kind: str) -> tuple[int, int, int, int]:
    """Return what a duty on a day counts, in the order of `KINDS`.

    Parameters
    ----------
    shift : Shift
    day_kind : {"work", "weekend", "holiday"}
    """
    return shift.points, int(shift.night), int(day_kind == "weekend"), int(day_kind == "holiday")


@dataclass(frozen=True)
class Post:
    """What a shift needs.

    Attributes
    ----------
    post_id, name_zh, name_en, shift_id, role : str
    heads : int
    qualified : tuple of (str, int)
        Of the heads, at least so many have the qualification.
    """

    post_id: str
    name_zh: str
    name_en: str
    shift_id: str
    role: str
    heads: int
    qualified: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Leave:
    """Whole days on which somebody does not serve, the last one included."""

    person_id: str
    first: date
    last: date


@dataclass(frozen=True)
class Wish:
    """What somebody would like: days off, or a duty in them."""

    person_id: str
    first: date
    last: date
    wants: str  # off or on
    shift_id: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Pair:
    """Two people: ``never``, ``avoid`` or ``together`` (the first not without the second)."""

    first: str
    second: str
    rule: str


@dataclass(frozen=True, order=True)
class Assignment:
    """One head of one post on one day."""

    day: date
    shift_id: str
    post_id: str
    person_id: str


@dataclass(frozen=True)
class Lock:
    """An assignment that must (``on``) or must not (``off``) be; without shift the whole day."""

    person_id: str
    day: date
    wants: str
    shift_id: str | None = None
    post_id: str | None = None


@dataclass(frozen=True)
class Limits:
    """The most that one person serves; None: no limit.

    A duty counts on the day it begins, weeks from Monday.
    """

    most_in_row: int | None = None
    most_nights_in_row: int | None = None
    most_in_week: int | None = None
    most_h_in_week: float | None = None
    most_in_month: int | None = None
    most_h_in_month: float | None = None


@dataclass(frozen=True)
class Weights:
    """What a deviation costs.

    Attributes
    ----------
    points, nights, weekends, holidays : float
        Of the squared deviation from somebody's fair share.
    wish : float
        Of a wish that is not met, times its own weight.
    avoid, together : float
        Of an hour-independent meeting that should not be, of a duty without the other.
    """

    points: float = 1.0
    nights: float = 1.0
    weekends: float = 2.0
    holidays: float = 4.0
    wish: float = 2.0
    avoid: float = 2.0
    together: float = 1.0

    def of(self, kind: str) -> float:
        """Return the weight of a kind of duty."""
        return float(getattr(self, kind))


@dataclass(frozen=True)
class RoomRules:
    """Minutes that the duty room goes by.

    Attributes
    ----------
    early_min : float
        How long before a duty one may check in.
    grace_min : float
        How long after its begin this is not late.
    absent_min : float
        After how long somebody who has not come is absent.
    """

    early_min: float = 60.0
    grace_min: float = 5.0
    absent_min: float = 30.0


@dataclass(frozen=True)
class CallStep:
    """Whom a call goes to after some minutes without an answer: who is on duty at posts, and people."""

    after_min: float
    posts: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallChain:
    """Steps of a call, in order."""

    chain_id: str
    steps: tuple[CallStep, ...]


@dataclass(frozen=True)
class DutyFolder:
    """Everything a roster follows from.

    Attributes
    ----------
    name : str
    zone : ZoneInfo
    people, shifts, posts : tuple
    leave, wishes, pairs, locks : tuple
    before : tuple of Assignment
        Duties of former rosters; those before the period count for rest and limits.
    carried : dict
        person_id -> count of each of `KINDS` from former periods.
    days : dict
        Date -> (kind, name): the user's own calendar, over the public one.
    limits, weights : Limits, Weights
    never_alone : frozenset of str
        Shifts in which at least two people are on duty at every instant.
    new_with_experienced : bool
        Whether somebody new serves only in a shift with somebody experienced.
    room : RoomRules
    chains : tuple of CallChain
    """

    name: str
    zone: ZoneInfo
    people: tuple[Person, ...]
    shifts: tuple[Shift, ...]
    posts: tuple[Post, ...]
    leave: tuple[Leave, ...] = ()
    wishes: tuple[Wish, ...] = ()
    pairs: tuple[Pair, ...] = ()
    locks: tuple[Lock, ...] = ()
    before: tuple[Assignment, ...] = ()
    carried: tuple[tuple[str, tuple[float, ...]], ...] = ()
    days: tuple[tuple[date, str, str], ...] = ()
    limits: Limits = Limits()
    weights: Weights = Weights()
    never_alone: frozenset[str] = frozenset()
    new_with_experienced: bool = False
    room: RoomRules = RoomRules()
    chains: tuple[CallChain, ...] = ()

    def shift(self, shift_id: str) -> Shift:
        """Return a shift by its id."""
        return next(one for one in self.shifts if one.shift_id == shift_id)


def hours_of(shift: Shift, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return begin and end of a shift that begins on a day, with the zone of the duty room.

    Parameters
    ----------
    shift : Shift
    day : date
    zone : ZoneInfo

    Examples
    --------
    >>> night = Shift("night", "夜班", "Night", time(20), 12.0)
    >>> [f"{one:%m-%d %H:%M %z}" for one in hours_of(night, date(2028, 2, 28), ZoneInfo("Asia/Shanghai"))]
    ['02-28 20:00 +0800', '02-29 08:00 +0800']
    """
    begin = datetime.combine(day, shift.start)
    end = begin + timedelta(hours=shift.hours)
    return begin.replace(tzinfo=zone), end.replace(tzinfo=zone)
