"""The worst sites to lose together, as a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

SCHEMA: dict[str, Any] = {
    "rank": pl.Int64, "sites": pl.String, "label": pl.String, "unserved_pieces": pl.Float64,
    "unserved_least": pl.Float64, "alone_pieces": pl.Float64, "more_than_alone": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class WorstSets:
    """The worst combinations.

    Attributes
    ----------
    k : int
        Sites shut together.
    sets : polars.DataFrame
        The worst first. ``alone_pieces``: what the sites lose shut one at a time, added up;
        ``more_than_alone``: what they lose together beyond that.
    exact : bool
        Whether no other combination can be worse.
    at_most : float
        Pieces a day no combination can lose more than.
    planned, combinations : int
        How many were planned, of how many.
    failed : tuple of str
        Combinations whose plan failed, with the error.
    runtime_s : float
    """

    k: int
    sets: pl.DataFrame
    exact: bool
    at_most: float
    planned: int
    combinations: int
    failed: tuple[str, ...]
    runtime_s: float

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        return {
            "k": self.k,
            "exact": self.exact,
            "at_most": self.at_most if self.at_most < float("inf") else None,
            "planned": self.planned,
            "combinations": self.combinations,
            "failed": list(self.failed),
            "runtime_s": self.runtime_s,
            "sets": self.sets.to_dicts(),
        }

    def __str__(self) -> str:
        how = "no other can be worse" if self.exact else f"none can lose more than {self.at_most:,.0f}"
        lines = [
            f"worst {self.k} sites of {self.combinations:,} combinations, {self.planned:,} planned: {how}",
            "  pieces left behind     alone  sites",
        ]
        lines += [
            f"  {row['unserved_pieces']:>18,.0f} {row['alone_pieces']:>9,.0f}  {row['label']}"
            for row in self.sets.head(10).iter_rows(named=True)
        ]
        lines += [f"  failed: {text}" for text in self.failed[:5]]
        return "\n".join(lines)
