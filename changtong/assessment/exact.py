"""Points as whole millionths, so that sums never drift and the order of entry never matters.

Every product and every quotient is rounded once, to the nearest millionth of a point, halves away from zero;
sums are exact. ``docs/assessment.md`` lists where this happens.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import gcd

import numpy as np
import polars as pl
from numpy.typing import NDArray

Units = NDArray[np.int64]
"""Millionths of a point."""

MILLION = 1_000_000
WEIGHT_DECIMALS = 3
MOST_POINTS = 1_000_000_000
"""Sums above it are refused: below it every number of this module is exact in 64 bits."""


def to_units(values: pl.Series | NDArray[np.float64]) -> Units:
    """Return numbers as millionths; a null or NaN becomes 0."""
    numbers = values.to_numpy() if isinstance(values, pl.Series) else values
    scaled = np.nan_to_num(np.asarray(numbers, np.float64), nan=0.0) * MILLION
    found: Units = np.rint(scaled).astype(np.int64)
    return found


def unit(value: float) -> int:
    """Return one number as millionths."""
    return round(value * MILLION)


def is_finer(values: pl.Series, decimals: int) -> pl.Series:
    """Tell which numbers have more decimals than are counted; null = false."""
    scaled = values * float(10**decimals)
    return ((scaled - scaled.round()).abs() > 1e-4).fill_null(False)


def times_over(amount: Units | int, factor: Units | int, divisor: Units | int) -> Units:
    """Return ``amount * factor / divisor``, rounded once, halves away from zero.

    The product may need 128 bits: the quotient is guessed in floating point, and put right by the remainder,
    which is known exactly although the product itself wraps.

    Parameters
    ----------
    amount : array of int64
        Of any sign; its quotient stays below 10¹⁵.
    factor, divisor : array of int64
        Not negative; the divisor above 0 and below 2⁶¹.

    Examples
    --------
    >>> times_over(np.array([5, -5, 1]), 1, 2).tolist()
    [3, -3, 1]
    """
    amount, factor, divisor = np.broadcast_arrays(
        np.asarray(amount, np.int64), np.asarray(factor, np.int64), np.asarray(divisor, np.int64)
    )
    size = np.abs(amount)
    guess = np.floor(size.astype(np.float64) * factor.astype(np.float64) / divisor.astype(np.float64))
    quotient = guess.astype(np.int64)
    with np.errstate(over="ignore"):
        rest = size * factor - quotient * divisor
    for _ in range(3):  # the guess is at most one or two off
        low, high = rest < 0, rest >= divisor
        if not (low.any() or high.any()):
            break
        quotient = quotient - low + high
        rest = rest + np.where(low, divisor, 0) - np.where(high, divisor, 0)
    quotient = quotient + (rest >= divisor - rest)
    found: Units = np.sign(amount) * quotient
    return found


def whole_weights(weights: list[float]) -> list[int]:
    """Return weights as whole numbers in the same proportions, as small as they can be.

    Examples
    --------
    >>> whole_weights([60.0, 10.0, 30.0]), whole_weights([0.6, 0.1, 0.3])
    ([6, 1, 3], [6, 1, 3])
    """
    scaled = [round(weight * 10**WEIGHT_DECIMALS) for weight in weights]
    common = gcd(*scaled) if scaled else 1
    return [weight // max(common, 1) for weight in scaled]


def rounded(units: Units, decimals: int) -> Units:
    """Return points rounded to so many decimals, halves away from zero."""
    step = 10 ** (6 - decimals)
    found: Units = times_over(units, 1, step) * step
    return found


def to_points(units: Units | int) -> NDArray[np.float64]:
    """Return millionths as points: the nearest float, which prints as the decimal number it is."""
    found: NDArray[np.float64] = np.asarray(units, np.int64) / MILLION
    return found


def say_points(units: int, decimals: int | None = None) -> str:
    """Say points as a decimal number without float noise.

    Examples
    --------
    >>> say_points(79_995_000), say_points(-500_000), say_points(80_000_000, 2)
    ('79.995', '-0.5', '80.00')
    """
    exact = Decimal(int(units)) / MILLION
    if decimals is not None:
        return f"{exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}"
    text = f"{exact:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
