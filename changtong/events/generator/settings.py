"""What a generated scan log is like: size, days, habits of its sites, damage."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date

from changtong.errors import UsageError
from changtong.structure import TIME_OF_DAY

OFFSET_H = 8
"""Hours of Asia/Shanghai ahead of UTC: the same all the year since 1992."""

WEEKDAYS = (1.04, 1.05, 1.04, 1.03, 1.02, 0.94, 0.88)
"""Pieces accepted on each weekday, Monday first, against the mean: assumed."""

FORMATS = ("csv", "parquet")
HEADERS = ("zh", "en")

MOST_EVENTS = 10**10
MOST_DAYS = 365


@dataclass(frozen=True)
class Damage:
    """Shares of rows that are damaged; a row has one kind at most, the first six together 1 at most.

    Attributes
    ----------
    duplicates : float
        Rows that stand in the log once more, byte by byte the same, 1 minute to 6 hours further on.
    late : float
        Rows recorded 1 to 5 days after they happened; they stand where they were recorded.
    disordered : float
        Rows that stand 1 minute to 2 hours after their time among later ones.
    gaps : float
        Scans that were made and are missing.
    unknown_site : float
        Rows whose site is none of the network's.
    bad_time : float
        Rows whose time cannot be read (null in Parquet).
    bad_s10 : float
        Of the rows with an S10 number: its check digit is wrong.
    skewed_sites : float
        Sites whose clock is 5 to 45 minutes fast or slow; the time of recording is right.
    """

    duplicates: float = 0.0
    late: float = 0.0
    disordered: float = 0.0
    gaps: float = 0.0
    unknown_site: float = 0.0
    bad_time: float = 0.0
    bad_s10: float = 0.0
    skewed_sites: float = 0.0

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if not 0.0 <= value <= 1.0:
                raise UsageError(f"{part.name} is {value!r}; expected a share from 0 to 1.")
        rows = self.duplicates + self.late + self.disordered + self.gaps + self.unknown_site + self.bad_time
        if rows > 1.0:
            raise UsageError(f"The shares of damaged rows add up to {rows:g}; expected 1 at most.")


SOUND = Damage()


@dataclass(frozen=True)
class ScanSettings:
    """What is written.

    Attributes
    ----------
    events : int
        Rows asked for; met within 1 % from 100,000 on.
    first_day : date
        The log begins at its midnight, Asia/Shanghai, with an empty network.
    days : int
        Days on which items are accepted.
    until_delivered : bool
        Whether the log goes on until all is delivered (up to 30 days more), or ends with its last
        day, with items under way.
    seed : int
    format : {"csv", "parquet"}
    header : {"zh", "en"}
        Language of the header and of the words for scans.
    by_day : bool
        One file for each day (of the place a row has in the log), or one file.
    damage : Damage
    damage_table : bool
        Whether the damaged rows are listed in ``damage.parquet``.
    time_of_day : tuple of 24 floats
        Items accepted in each hour, to any scale.
    weekdays : tuple of 7 floats
        Items accepted on each weekday, Monday first, to any scale.
    inspect_share, screen_share, register_share : float
        Items inspected, screened, registered under a real name (三项制度).
    cancel_share, attempt_share, return_share : float
        Items cancelled before they leave, not delivered at the first attempt, returned in the end.
    receive_sites, sort_sites, pack_sites, unpack_sites, load_sites, unload_sites : float
        Share of the sites that make the scan; at the others it happens unseen.
    pending_mib : int
        Memory for scans that are known and not yet due; what is more waits in files.
    threads : int
        The result does not depend on it.
    """

    events: int = 1_000_000
    first_day: date = date(2026, 7, 20)
    days: int = 7
    until_delivered: bool = False
    seed: int = 0
    format: str = "csv"
    header: str = "zh"
    by_day: bool = True
    damage: Damage = field(default=SOUND)
    damage_table: bool = False
    time_of_day: tuple[float, ...] = TIME_OF_DAY
    weekdays: tuple[float, ...] = WEEKDAYS
    inspect_share: float = 0.97
    screen_share: float = 0.95
    register_share: float = 0.98
    cancel_share: float = 0.002
    attempt_share: float = 0.05
    return_share: float = 0.006
    receive_sites: float = 0.6
    sort_sites: float = 0.35
    pack_sites: float = 0.5
    unpack_sites: float = 0.2
    load_sites: float = 0.25
    unload_sites: float = 0.25
    pending_mib: int = 320
    threads: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.events <= MOST_EVENTS:
            raise UsageError(f"events is {self.events!r}; expected 1 to {MOST_EVENTS:,}.")
        if not 1 <= self.days <= MOST_DAYS:
            raise UsageError(f"days is {self.days!r}; expected 1 to {MOST_DAYS}.")
        if not date(1992, 1, 1) <= self.first_day <= date(2099, 1, 1):
            raise UsageError(f"first_day is {self.first_day}; expected 1992 to 2098.")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed!r}; expected a whole number that is not negative.")
        if self.format not in FORMATS:
            raise UsageError(f"format is {self.format!r}; expected {' or '.join(FORMATS)}.")
        if self.header not in HEADERS:
            raise UsageError(f"header is {self.header!r}; expected {' or '.join(HEADERS)}.")
        for name, n in (("time_of_day", 24), ("weekdays", 7)):
            shares = getattr(self, name)
            # a weekday without items would leave a one-day log with none to divide by
            if len(shares) != n or min(shares) < 0.0 or sum(shares) <= 0.0:
                raise UsageError(f"{name} needs {n} shares, none negative, not all 0.")
        if min(self.weekdays) <= 0.0:
            raise UsageError("weekdays must all be above 0.")
        for part in fields(self):
            value = getattr(self, part.name)
            if part.name.endswith(("_share", "_sites")) and not 0.0 <= value <= 1.0:
                raise UsageError(f"{part.name} is {value!r}; expected a share from 0 to 1.")
        if self.pending_mib < 1 or self.threads < 1:
            raise UsageError("pending_mib and threads must be 1 at least.")

    def habits(self) -> tuple[float, ...]:
        """Return the shares of items, in the order of the kernels."""
        return (
            self.inspect_share, self.screen_share, self.register_share, self.cancel_share, self.attempt_share,
            self.return_share,
        )  # fmt: skip

    def site_shares(self) -> dict[str, float]:
        """Return the share of sites that make each scan that not all make."""
        names = ("receive", "sort", "pack", "unpack", "load", "unload")
        return {name: float(getattr(self, f"{name}_sites")) for name in names}
