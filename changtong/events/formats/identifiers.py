"""Identifiers of the postal union: items (S10, 13 characters) and receptacles (S9, 29 characters).

S10: two letters of service, eight digits, a check digit, two letters of country. S9: office of
origin and of destination (six characters each), category, subclass, year, despatch and
receptacle number, flags and weight. S9 has no check digit: only its form can be tested.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
"""Weights of the eight digits (UPU standard S10)."""

KG_PER_S9_STEP = 0.1
"""The weight in an S9 identifier counts hundreds of grams."""

_S10_LIKE = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_S9 = re.compile(
    r"(?P<origin>[A-Z]{5}[A-Z0-9])(?P<destination>[A-Z]{5}[A-Z0-9])(?P<category>[A-Z])"
    r"(?P<subclass>[A-Z][A-Z0-9])(?P<year>[0-9])(?P<despatch>[0-9]{4})(?P<number>[0-9]{3})"
    r"(?P<highest>[019])(?P<registered>[01])(?P<weight>[0-9]{4})"
)


@dataclass(frozen=True, slots=True)
class Receptacle:
    """What an S9 identifier says.

    Attributes
    ----------
    origin, destination : str
        Offices of exchange (IMPC codes, six characters).
    category, subclass : str
        Mail category (A air, B surface air lifted, C surface, D surface with priority) and subclass.
    year : int
        Last digit of the year.
    despatch, number : int
        Of the despatch, and of the receptacle in it.
    is_highest : bool or None
        Whether it is the last of its despatch; None where the identifier leaves it open (9).
    is_registered : bool
        Whether it holds registered or insured items.
    weight_kg : float
        Zero where unknown.
    """

    origin: str
    destination: str
    category: str
    subclass: str
    year: int
    despatch: int
    number: int
    is_highest: bool | None
    is_registered: bool
    weight_kg: float


def s10_check_digit(digits: str) -> int:
    """Return the check digit of the eight digits of an S10 identifier.

    Examples
    --------
    >>> s10_check_digit("00071761")
    8
    """
    total = sum(weight * int(digit) for weight, digit in zip(S10_WEIGHTS, digits, strict=True))
    check = 11 - total % 11
    return {10: 0, 11: 5}.get(check, check)


def is_s10_like(text: str) -> bool:
    """Tell whether a text has the form of an S10 identifier, its check digit aside."""
    return _S10_LIKE.fullmatch(text) is not None


def s10_problem(text: str) -> str | None:
    """Return what is wrong with an S10 identifier: None, ``s10-form`` or ``s10-check-digit``.

    Examples
    --------
    >>> s10_problem("EB000717618HK"), s10_problem("EB000717619HK"), s10_problem("12345")
    (None, 's10-check-digit', 's10-form')
    """
    if not is_s10_like(text):
        return "s10-form"
    return None if s10_check_digit(text[2:10]) == int(text[10]) else "s10-check-digit"


def read_s9(text: str) -> Receptacle | None:
    """Return what an S9 identifier says, or None where it has not the form of one.

    Examples
    --------
    >>> read_s9("PTLISHDZALGBACN37043001100063").origin
    'PTLISH'
    """
    found = _S9.fullmatch(text)
    if found is None:
        return None
    return Receptacle(
        found["origin"],
        found["destination"],
        found["category"],
        found["subclass"],
        int(found["year"]),
        int(found["despatch"]),
        int(found["number"]),
        {"0": False, "1": True, "9": None}[found["highest"]],
        found["registered"] == "1",
        int(found["weight"]) * KG_PER_S9_STEP,
    )


def s9_problem(text: str) -> str | None:
    """Return what is wrong with an S9 identifier: None or ``s9-form``."""
    return None if _S9.fullmatch(text) else "s9-form"
