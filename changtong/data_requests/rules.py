"""Kinds, clocks and grounds of requests about one's own data, as data with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from changtong.rules_files import read_rules_file
from changtong.workforce.rights_ticket_rules import is_announced, is_working_day

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Named:
    """A kind of request, or a ground of a refusal.

    Attributes
    ----------
    id, zh, en : str
    basis, basis_en, provenance : str
    before_identity : bool
        Of a ground: whether it may be given though the identity was not established.
    """

    id: str
    zh: str
    en: str
    basis: str
    basis_en: str
    provenance: str
    before_identity: bool = False


@dataclass(frozen=True, slots=True)
class RequestClock:
    """A limit: of which requests, from when it runs, for how long, which states end it, where it is from.

    Attributes
    ----------
    id : str
    kinds, channels : tuple of str
        Empty: all.
    begins : str
        State whose begin it runs from; the day itself does not count.
    ends : tuple of str
    amount : int
    unit : {"days", "working_days"}
    remind_days : int
    zh, en, basis, basis_en, provenance : str
    """

    id: str
    kinds: tuple[str, ...]
    channels: tuple[str, ...]
    begins: str
    ends: tuple[str, ...]
    amount: int
    unit: str
    remind_days: int
    zh: str
    en: str
    basis: str
    basis_en: str
    provenance: str

    def last_day(self, begin: date) -> date:
        """Return the last day on which it is in time.

        Parameters
        ----------
        begin : date

        Examples
        --------
        >>> request_rules().clock("answer").last_day(date(2026, 3, 1))
        datetime.date(2026, 3, 31)
        """
        if self.unit == "days":
            return begin + self.amount * DAY
        day, left = begin, self.amount
        while left:
            day += DAY
            left -= is_working_day(day)
        return day

    def is_provisional(self, last: date) -> bool:
        """Tell whether the last day rests on a calendar of working days that is not announced yet."""
        return self.unit == "working_days" and not is_announced(last.year)


@dataclass(frozen=True, slots=True)
class RequestRules:
    """Everything requests are followed by.

    Attributes
    ----------
    id, version : str
    zone : ZoneInfo
    kinds, grounds : mapping of str to Named
    clocks : tuple of RequestClock
    """

    id: str
    version: str
    zone: ZoneInfo
    kinds: Mapping[str, Named]
    clocks: tuple[RequestClock, ...]
    grounds: Mapping[str, Named]

    def clock(self, name: str) -> RequestClock:
        """Return a clock by its id."""
        return next(one for one in self.clocks if one.id == name)

    def day_of(self, at: datetime) -> date:
        """Return the day of an instant, in the zone of the rules."""
        return at.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        """Return the instant at which a day is over."""
        return datetime.combine(day + DAY, time(), self.zone)


@cache
def request_rules() -> RequestRules:
    """Return the rules of the package (``changtong/data_requests/rules.toml``)."""
    _, content = read_rules_file(None, "changtong.data_requests", "rules.toml", "bad-rules")

    def named(name: str) -> dict[str, Named]:
        return {one["id"]: Named(**one) for one in content[name]}

    def clock(one: dict[str, Any]) -> RequestClock:
        return RequestClock(**one | {name: tuple(one[name]) for name in ("kinds", "channels", "ends")})

    clocks = tuple(clock(one) for one in content["clocks"])
    zone = ZoneInfo(content["zone"])
    return RequestRules(content["id"], content["version"], zone, named("kinds"), clocks, named("grounds"))
