"""Words and numbers by which personal data is found: data, read from ``words.toml`` once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import phonenumbers
from numpy.typing import NDArray


@dataclass(frozen=True)
class CardRange:
    """Numbers that may be a bank card: their first digits, from ``begin`` to ``end``, and their lengths."""

    name: str
    begin: int
    digits: tuple[int, ...]
    sure: bool
    end: int = 0

    def has(self, digits: str) -> bool:
        """Return whether a number is in the range.

        Examples
        --------
        >>> CardRange("X", 51, (16,), False, 55).has("5412345678901234")
        True
        """
        first = int(digits[: len(str(self.begin))])
        return len(digits) in self.digits and self.begin <= first <= max(self.begin, self.end)


@cache
def words() -> dict[str, Any]:
    """Return ``words.toml``."""
    return tomllib.loads(files("changtong.privacy").joinpath("words.toml").read_text(encoding="utf-8"))


@cache
def card_ranges() -> tuple[CardRange, ...]:
    """Return the ranges of bank cards."""
    return tuple(
        CardRange(**{**one, "digits": tuple(one["digits"])}) for one in words()["bank_cards"]["ranges"]
    )


@cache
def mobile_prefixes() -> NDArray[np.bool_]:
    """Return for 0 … 9999 whether a Chinese mobile number of 11 digits may begin so.

    What ``phonenumbers`` says, asked once for each prefix and not for each number. Blocks are given out over
    time: a prefix of three digits counts as soon as one of its ten is known.
    """
    valid = np.zeros(10_000, np.bool_)
    for prefix in range(1300, 2000):
        number = phonenumbers.PhoneNumber(country_code=86, national_number=prefix * 10**7 + 5550000)
        valid[prefix] = phonenumbers.is_valid_number(number)
    for prefix in words()["mobiles"]["more_prefixes"]:
        valid[prefix * 10] = True
    return np.repeat(valid.reshape(-1, 10).any(axis=1), 10)


@cache
def is_landline(area: str, number: str) -> bool:
    """Return whether an area code, with its 0, and a number make a landline; few distinct heads are asked."""
    digits = area.lstrip("0") + number
    if not area.startswith("0") or not digits:
        return False
    return phonenumbers.is_valid_number(
        phonenumbers.PhoneNumber(country_code=86, national_number=int(digits))
    )
