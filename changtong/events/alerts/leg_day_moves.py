"""Moves by leg from scans, beside the leg-day volumes that somebody gave: which of them a watch is fed with.

Scans tell what was seen at the next site; given figures what an operator says it moved. The two differ, so
one leg and day has one of them, never a sum or a mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from changtong.errors import UsageError

USES = ("fill", "scans", "given")
"""``fill``: given figures where no scan of the leg fell on the day; ``scans`` and ``given``: these alone."""

KEY = ["date", "from_site", "to_site"]


@dataclass(frozen=True)
class LegDayMoves:
    """Moves as a watch takes them.

    Attributes
    ----------
    moves : polars.DataFrame
        date, from_site, to_site, pieces.
    given : int
        Rows that are given figures.
    both : int
        Rows for which there are scans and a given figure.
    seen_pieces, told_pieces : float
        Of those: by the scans, and by the figures.
    """

    moves: pl.DataFrame
    given: int = 0
    both: int = 0
    seen_pieces: float = 0.0
    told_pieces: float = 0.0


def check_use(use: str) -> None:
    """Refuse a word that is none of ``USES``.

    Raises
    ------
    UsageError
        It is none.
    """
    if use not in USES:
        raise UsageError(f"leg_days is {use!r}; expected {', '.join(USES)}.")


def moves_of(seen: pl.DataFrame, told: pl.DataFrame, use: str) -> LegDayMoves:
    """Return the moves to watch.

    Parameters
    ----------
    seen : polars.DataFrame
        From scans.
    told : polars.DataFrame
        Given leg-day volumes.
    use : {"fill", "scans", "given"}

    Examples
    --------
    >>> from datetime import date
    >>> seen = pl.DataFrame({"date": [date(2022, 5, 1)], "from_site": ["A"], "to_site": ["B"], "pieces": [3]})
    >>> told = seen.vstack(seen.with_columns(to_site=pl.lit("C"))).with_columns(pieces=pl.lit(5))
    >>> moves_of(seen, told, "fill").moves.rows()
    [(datetime.date(2022, 5, 1), 'A', 'B', 3.0), (datetime.date(2022, 5, 1), 'A', 'C', 5.0)]
    """
    seen, told = (frame.with_columns(pl.col("pieces").cast(pl.Float64)) for frame in (seen, told))
    pair = seen.join(told, on=KEY, how="inner", suffix="_told")
    both, sums = pair.height, pair.select(pl.col("pieces", "pieces_told").sum()).row(0)
    if use == "scans":
        return LegDayMoves(seen, 0, both, *sums)
    if use == "given":
        return LegDayMoves(told, told.height, both, *sums)
    missing = told.join(seen, on=KEY, how="anti")
    moves = pl.concat([seen.select(*KEY, "pieces"), missing.select(*KEY, "pieces")]).sort(KEY)
    return LegDayMoves(moves, missing.height, both, *sums)


def notes_of(parts: list[LegDayMoves], use: str) -> list[str]:
    """Say of what the moves were made; nothing where nobody gave any figure."""
    given, both = (sum(getattr(part, name) for part in parts) for name in ("given", "both"))
    notes = []
    if given:
        why = "these alone were watched" if use == "given" else "no scan of the leg on the day"
        notes.append(f"{given:,} legs and days by given volumes: {why}.")
    if both:
        seen, told = (sum(getattr(part, name) for part in parts) for name in ("seen_pieces", "told_pieces"))
        taken = "the given figures" if use == "given" else "the scans"
        notes.append(
            f"{both:,} legs and days have scans and a given figure: {seen:,.0f} pieces by the scans, "
            f"{told:,.0f} by the figures; {taken} were taken."
        )
    return notes
