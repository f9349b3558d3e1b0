"""Made-up outlets with declines, for tests, benchmarks and the example. Synthetic: none is like a real one.

What is put in, so that a warning has something to find and something it cannot find:

- sizes of four orders; a season (autumn peak, a hole at New Year) that all share, noise that each has alone;
- a few of a hundred outlets begin to decline each month, likelier the frailer they are: first arrears, then
  people leave, then lateness and backlog, then complaints and a falling volume, over 3 to 8 months;
- 45 of 100 declines end in a stop, the others heal: a warning of those is false, and none can know;
- stops out of the blue, without any sign before;
- single bad months without a meaning; complaints and arrears that some do not report; missing rows.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.outlets.outlet_months import month_name, month_number

SEASON = (0.92, 0.70, 1.00, 0.98, 1.00, 1.08, 0.98, 0.97, 1.02, 1.06, 1.35, 1.12)
DECLINE_A_MONTH = 0.012
OUT_OF_THE_BLUE = 0.0015
ENDS_IN_A_STOP = 0.45
BAD_MONTH = 0.03
REPORTS = 0.85
ROW_MISSING = 0.004
FIRMS = 8


def made_up_outlets(
    outlets: int = 400, months: int = 36, *, first: str = "2022-01", seed: int = 0
) -> pl.DataFrame:
    """Return months of made-up outlets.

    Parameters
    ----------
    outlets, months : int
        At least 1 and 1.
    first : str
        First month, YYYY-MM.
    seed : int

    Returns
    -------
    polars.DataFrame
        As `read_outlet_months` reads it. A closed outlet has one row of state closed and none after it.

    Raises
    ------
    UsageError
    """
    begin = month_number(first)
    if outlets < 1 or months < 1 or begin is None:
        raise UsageError("Made-up outlets take at least one outlet, one month and a first month YYYY-MM.")
    draw = np.random.default_rng(seed)
    stress, closed_in = _declines(draw, outlets, months)
    size = np.exp(draw.normal(7.6, 1.3, outlets)) + 120.0
    season = np.array([SEASON[(begin + k) % 12] for k in range(months)])
    noise = np.exp(np.cumsum(draw.normal(0.0, 0.02, (outlets, months)), axis=1))
    noise *= np.exp(draw.normal(0.0, 0.06, (outlets, months)))
    bad = draw.random((outlets, months)) < BAD_MONTH
    late_phase, early_phase = np.clip(stress - 0.35, 0.0, 1.0), np.clip(stress * 1.6, 0.0, 1.0)
    expected = size[:, None] * season * noise * (1.0 - 0.75 * late_phase)
    pieces = draw.poisson(expected).astype(np.float64)
    columns = _signs(draw, pieces, size, stress + 0.5 * bad, early_phase, late_phase)
    rows = np.arange(months) <= closed_in[:, None]
    rows &= draw.random((outlets, months)) >= ROW_MISSING
    rows[np.arange(outlets), np.minimum(closed_in, months - 1)] = True
    at_end = np.arange(months) == closed_in[:, None]
    who, when = np.nonzero(rows)
    ids = np.array([f"N{k:06d}" for k in range(outlets)])
    firms = np.array([f"F{k % FIRMS + 1}" for k in range(outlets)])
    names = np.array([month_name(begin + k) for k in range(months)])
    frame = pl.DataFrame(
        {
            "outlet_id": ids[who],
            "month": names[when],
            "firm": firms[who],
            "state": np.where(at_end[rows], "closed", "open"),
            "pieces": np.where(at_end, 0.0, pieces)[rows],
            **{name: array[rows] for name, array in columns.items()},
        }
    )
    ends = pl.col("state") == "closed"
    unknown = [pl.when(~ends).then(name).alias(name) for name in columns]
    return frame.with_columns(unknown).with_columns(pl.col(pl.Float64).fill_nan(None).round(2))


def _declines(
    draw: np.random.Generator, outlets: int, months: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the stress of each outlet and month, 0 to 1, and the month each closes in."""
    frailty = draw.gamma(1.0, 1.0, outlets)
    stress = np.zeros((outlets, months))
    level, step = np.zeros(outlets), np.zeros(outlets)
    fatal = np.zeros(outlets, dtype=bool)
    closed_in = np.full(outlets, months, dtype=np.int64)
    for month in range(months):
        standing = closed_in > month
        begins = standing & (level <= 0.0) & (draw.random(outlets) < DECLINE_A_MONTH * frailty)
        length = draw.integers(3, 9, outlets)
        fatal = np.where(begins, draw.random(outlets) < ENDS_IN_A_STOP, fatal)
        step = np.where(begins, 1.0 / length, step)
        level = np.where(begins | (level > 0), level + step, level)
        turned = (level >= draw.uniform(0.5, 0.9, outlets)) & ~fatal & (step > 0)
        step = np.where(turned, -0.25, step)
        level = np.maximum(level, 0.0)
        stress[:, month] = np.minimum(level, 1.0)
        over = standing & (level >= 1.0) & fatal
        blue = standing & (draw.random(outlets) < OUT_OF_THE_BLUE)
        closed_in = np.where(over | blue, np.minimum(month + 1, months), closed_in)
    return stress, closed_in


def _signs(
    draw: np.random.Generator,
    pieces: NDArray[np.float64],
    size: NDArray[np.float64],
    troubled: NDArray[np.float64],
    early: NDArray[np.float64],
    late: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Return what else is counted, given how far each outlet is on its way down."""
    outlets = pieces.shape[0]
    base_late = draw.beta(2.0, 40.0, (outlets, 1))
    due = np.round(pieces * 0.55)
    share = np.clip(base_late + 0.18 * np.clip(troubled - 0.25, 0.0, 1.0), 0.0, 0.95)
    late_pieces = draw.binomial(due.astype(np.int64), share).astype(np.float64)
    backlog_days = draw.gamma(4.0, 0.06, (outlets, 1)) + 0.9 * np.clip(troubled - 0.25, 0.0, 1.0)
    backlog = draw.poisson(pieces / 30.0 * backlog_days).astype(np.float64)
    complaints = draw.poisson(pieces * 1.2e-4 * (1.0 + 6.0 * late)).astype(np.float64)
    staff = np.maximum(2.0, np.round(size[:, None] / 2600.0 * (1.0 - 0.3 * early)))
    left = draw.binomial(staff.astype(np.int64), np.clip(0.05 + 0.16 * early, 0.0, 0.9)).astype(np.float64)
    arrears = size[:, None] * (draw.gamma(1.0, 0.02, (outlets, 1)) + 0.35 * early)
    arrears = arrears * np.exp(draw.normal(0.0, 0.2, pieces.shape))
    arrears[draw.random(outlets) >= REPORTS] = np.nan
    complaints[draw.random(outlets) >= REPORTS] = np.nan
    return {
        "due_pieces": due, "late_pieces": late_pieces, "backlog_pieces": backlog, "complaints": complaints,
        "staff": staff, "left": left, "arrears_cny": arrears,
    }  # fmt: skip
