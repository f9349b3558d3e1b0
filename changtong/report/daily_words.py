"""How the values of a day are said in its report: with their units, beside other days, and foreign names."""

from __future__ import annotations

import re
import unicodedata

from changtong.report.texts import Both, read_texts, same, signed, text, whole

MOST_SIGNS = 60
"""A foreign name is cut after so many signs: it would burst a table."""

NO_SIGNS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Kinds of characters that no name is shown with: controls, also those that turn the direction of text, and
ends of lines. XML allows few of them."""

UNKNOWN = "–"


def foreign(value: object) -> str:
    """Say a name or a text from data: in one line, without controls, cut where it is too long.

    Examples
    --------
    >>> foreign("A\\tB")
    'A B'
    """
    spaced = re.sub(r"\s+", " ", str(value)).strip()
    plain = "".join("\ufffd" if unicodedata.category(sign) in NO_SIGNS else sign for sign in spaced)
    return plain if len(plain) <= MOST_SIGNS else plain[: MOST_SIGNS - 1] + "…"


def member(value: str | None) -> Both:
    """Say a region, operator, … ; one that is not known as such."""
    return same(foreign(value)) if value else text("daily.unknown")


def share(value: float | None) -> str:
    """Say a share as a percentage of one digit; what is not all or nothing never looks so.

    Examples
    --------
    >>> [share(value) for value in (0.99999, 1.0, 0.0001, 0.5)]
    ['> 99.9 %', '100.0 %', '< 0.1 %', '50.0 %']
    """
    if value is None or value != value:
        return UNKNOWN
    if 0.9995 <= value < 1.0:
        return "> 99.9 %"
    if 0.0 < value < 0.0005:
        return "< 0.1 %"
    return f"{100 * value:.1f} %"


def amount(value: float | None, indicator: str) -> Both:
    """Say a value with its unit, which is the ending of the indicator's name."""
    if value is None or value != value:
        return same(UNKNOWN)
    if "_share" in indicator or indicator == "confidence":
        return same(share(value))
    if indicator.endswith("_h"):
        return text("daily.hours_unit", value=f"{value:,.1f}")
    return same(whole(value))


def change(here: float | None, other: float | None, indicator: str) -> Both:
    """Say how the day differs from another one: pieces in per cent, shares in points, times in hours.

    Few sites are counted: their difference says more than a percentage.
    """
    if here is None or other is None:
        return same(UNKNOWN)
    if "_share" in indicator or indicator == "confidence":
        return text("daily.points", value=_signed(100 * (here - other)))
    if indicator.endswith("_h"):
        return text("daily.hours_unit", value=_signed(here - other))
    if other == 0 or indicator.endswith("_sites"):
        return same(signed(here - other))
    return same(f"{_signed(100 * (here / other - 1))} %")


def _signed(value: float) -> str:
    """Say a difference with its sign and one digit."""
    said = f"{abs(value):,.1f}"
    if said == "0.0":
        return said
    return f"+{said}" if value > 0 else f"−{said}"


def say_note(note: str) -> Both:
    """Say a note of the indicators in both languages; one that is not known stays as it is."""
    for key, said in read_texts().items():
        if not key.startswith("daily_note."):
            continue
        parts = re.split(r"\{(\w+)\}", said.en)
        pattern = "".join(re.escape(p) if k % 2 == 0 else f"(?P<{p}>.+)" for k, p in enumerate(parts))
        found = re.fullmatch(pattern, note)
        if found is not None:
            return Both(zh=text(key, **found.groupdict()).zh, en=note)
    return same(note)
