"""Times at which temperatures were out of their limits, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from numpy.typing import NDArray

from changtong.rural.cold_readings import INSTANT, ColdData
from changtong.rural.distances import Floats

MS_PER_HOUR = 3_600_000.0

EXCURSION_SCHEMA: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "product": pl.String(),
    "side": pl.String(),
    "begins": INSTANT,
    "ends": INSTANT,
    "hours": pl.Float64(),
    "extreme_celsius": pl.Float64(),
}
"""One row for each time a temperature left the limits."""


@dataclass
class _Open:
    """An excursion that goes on."""

    side: str
    begins: float
    ends: float
    extreme: float


def find_excursions(data: ColdData) -> pl.DataFrame:
    """Return each time out of the limits: from the crossing out to the crossing back, or as far as is known.

    Parameters
    ----------
    data : ColdData
    """
    limits = {row["product"]: row for row in data.limits.iter_rows(named=True)}
    rows: list[tuple[Any, ...]] = []
    flags = data.readings.join(
        data.limits.select("product", "low_celsius", "high_celsius"),
        on="product",
        how="left",
        maintain_order="left",
    ).select(
        "item_id",
        out=(pl.col("celsius") > pl.col("high_celsius")).fill_null(False)
        | (pl.col("celsius") < pl.col("low_celsius")).fill_null(False),
    )
    wrong = flags.filter("out")["item_id"].unique()
    touched = data.readings.filter(pl.col("item_id").is_in(wrong.implode()))
    for (item,), part in touched.group_by("item_id", maintain_order=True):
        product = str(part["product"][0])
        at = part["at"].dt.epoch("ms").to_numpy() / MS_PER_HOUR
        for spell in _spells(at, part["celsius"].to_numpy(), limits[product]):
            hours = spell.ends - spell.begins
            rows.append(
                (
                    item,
                    product,
                    spell.side,
                    _instant(spell.begins),
                    _instant(spell.ends),
                    hours,
                    spell.extreme,
                )
            )
    return pl.DataFrame(rows, schema=EXCURSION_SCHEMA, orient="row").sort("item_id", "begins")


def _instant(hour: float) -> datetime:
    made: datetime = pl.select(pl.lit(round(hour * MS_PER_HOUR)).cast(pl.Int64).cast(INSTANT)).item()
    return made


def _spells(at: Floats, celsius: NDArray[Any], limit: dict[str, Any]) -> list[_Open]:
    """Return the spells out of the limits of one item."""
    made: list[_Open] = []
    for side, bound, sign in (("above", limit["high_celsius"], 1.0), ("below", limit["low_celsius"], -1.0)):
        if bound is None:
            continue
        over = sign * (celsius - bound)
        now: _Open | None = None
        for k in range(len(at)):
            joined = k > 0 and (at[k] - at[k - 1]) * 60 <= limit["longest_gap_min"] + 1e-9
            if now is not None and not joined:
                now = None
            if over[k] > 0:
                if now is None:
                    begins = at[k]
                    if joined:  # the crossing lies between the last reading and this one
                        begins = at[k - 1] + (at[k] - at[k - 1]) * -over[k - 1] / (over[k] - over[k - 1])
                    now = _Open(side, float(begins), float(at[k]), float(celsius[k]))
                    made.append(now)
                now.ends = float(at[k])
                now.extreme = sign * max(sign * now.extreme, sign * float(celsius[k]))
            elif now is not None:
                now.ends = float(at[k - 1] + (at[k] - at[k - 1]) * over[k - 1] / (over[k - 1] - over[k]))
                now = None
    return made
