"""Units: suffixes of column names, constants and conversions at the border.

Inside, every number is in the unit its name ends with. Other units are converted where
data comes in or goes out, here and nowhere else.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from changtong.errors import UsageError

UNIT_SUFFIXES: Final = MappingProxyType(
    {
        "_pieces_per_day": "pieces/day",
        "_pieces_per_h": "pieces/h",
        "_cny_per_piece": "CNY/piece",
        "_hours_per_day": "h/day",
        "_per_day": "1/day",
        "_pieces": "pieces",
        "_kgco2e": "kg CO2e",
        "_share": "1",
        "_cny": "CNY",
        "_deg": "degree",
        "_kmh": "km/h",
        "_km": "km",
        "_kg": "kg",
        "_h": "h",
        "_s": "s",
    }
)
"""Ending of a name -> its unit. ``kgco2e_per_piece`` begins with its unit."""

SECONDS_PER_HOUR: Final = 3600.0
HOURS_PER_DAY: Final = 24.0
DAYS_PER_YEAR: Final = 365.0
KM_PER_MILE: Final = 1.609344  # international mile, exact by definition (1959)
EARTH_RADIUS_KM: Final = 6371.0088  # mean radius R1, IUGG
METRES_PER_KM: Final = 1000.0

TO_KM: Final = MappingProxyType(
    {"km": 1.0, "m": 1 / METRES_PER_KM, "mi": KM_PER_MILE, "mile": KM_PER_MILE, "ft": 0.3048 / METRES_PER_KM}
)
"""Unit of length -> kilometres."""

TO_KMH: Final = MappingProxyType({"km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": KM_PER_MILE, "m/s": 3.6})
"""Unit of speed -> kilometres per hour."""

TO_HOURS: Final = MappingProxyType({"h": 1.0, "min": 1 / 60, "s": 1 / SECONDS_PER_HOUR, "d": HOURS_PER_DAY})
"""Unit of time -> hours."""

_FACTORS: Final = {"length": TO_KM, "speed": TO_KMH, "time": TO_HOURS}


def unit_of(name: str) -> str | None:
    """Return the unit a name ends with, or None.

    Parameters
    ----------
    name : str
        For example ``travel_h`` or ``capacity_pieces_per_day``.
    """
    for suffix, unit in UNIT_SUFFIXES.items():
        if f"_{name}".endswith(suffix):
            return unit
    return None


def conversion_factor(quantity: str, unit: str) -> float:
    """Return the factor from a unit to the one used inside.

    Parameters
    ----------
    quantity : {"length", "speed", "time"}
        Inside: km, km/h, h.
    unit : str
        For example ``mile``, ``mph``, ``min``.

    Raises
    ------
    UsageError
        An unknown quantity or unit.
    """
    factors = _FACTORS.get(quantity)
    if factors is None:
        raise UsageError(f"quantity {quantity!r} is unknown; it is one of {', '.join(_FACTORS)}.")
    if unit.strip().lower() not in factors:
        raise UsageError(f"unit {unit!r} of {quantity} is unknown; it is one of {', '.join(factors)}.")
    return factors[unit.strip().lower()]
