"""Where a right holds: a region by its administrative code, an organisation with all below it, or both."""

from __future__ import annotations

import re
from dataclasses import dataclass

EVERYWHERE = "/"
"""Path of a scope that holds for every organisation."""

_LEVELS = ((0, 2), (2, 4), (4, 6), (6, 9), (9, 12))
"""Digits of province, city, county, township and village."""

_PATH = re.compile(r"/([A-Za-z0-9._-]+/)*")


def region_prefix(admin_code: str) -> str:
    """Return what the codes of all units inside begin with; nothing for the whole nation.

    GB/T 2260 gives a province two digits, a city two more, a county two more, townships and villages three
    each; zeros stand behind.

    Parameters
    ----------
    admin_code : str
        For example 440000 (a province), 440300 (a city), 000000 (the nation).

    Examples
    --------
    >>> region_prefix("440000"), region_prefix("440300"), region_prefix("440304"), region_prefix("000000")
    ('44', '4403', '440304', '')
    """
    digits = admin_code.strip()
    for begin, end in reversed(_LEVELS):
        if digits[begin:end].strip("0"):
            break
        digits = digits[:begin]
    return digits


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a right holds; both parts must fit.

    Attributes
    ----------
    path : str
        Path of an organisation, ``/topmost/…/id/``: it and all below it; ``/`` is every organisation.
    region : str
        Administrative code; an empty text, or zeros, is every region.

    Examples
    --------
    >>> Scope("/post/gd/").covers("/post/gd/sz/", "440300")
    True
    >>> Scope(region="440000").covers("/firm/outlet/", "310101")
    False
    """

    path: str = EVERYWHERE
    region: str = ""

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no path of an organisation.")
        if self.region and not self.region.isdigit():
            raise ValueError(f"{self.region!r} is no administrative code.")

    @property
    def prefix(self) -> str:
        """What administrative codes inside begin with."""
        return region_prefix(self.region)

    def covers(self, path: str, admin_code: str) -> bool:
        """Return whether a record of an organisation, at a place, is inside."""
        return path.startswith(self.path) and admin_code.startswith(self.prefix)

    def includes(self, other: Scope) -> bool:
        """Return whether all that another scope covers is inside."""
        return other.path.startswith(self.path) and other.prefix.startswith(self.prefix)
