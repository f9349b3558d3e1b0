"""Extracts in which nobody stands alone: each row shares what points to a person with k - 1 others.

Full-domain generalisation with suppression (Samarati 2001, Sweeney 2002): every combination of levels of the
columns is tried, rows of groups smaller than k are left out, and the combination that loses least is taken.
The loss is the mean share of the hierarchies' height over the rows that stay, and 1 for each row that goes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.find_personal_data import find_in_frame

MOST_COMBINATIONS = 20_000
ALL = "*"
_TIME_LEVELS = ("%Y-%m-%d", "%Y-%m", "%Y", "")


@dataclass(frozen=True)
class Hierarchy:
    """How a column is made coarser, level by level, up to ``*``.

    Attributes
    ----------
    kind : str
        ``admin``: a code of GB/T 2260, district, city, province; ``time``: hour, day, month, year; ``band``:
        bands of numbers, each of ``widths`` wide; ``text``: the value or nothing.
    widths : tuple of float
    """

    kind: str
    widths: tuple[float, ...] = ()

    @property
    def height(self) -> int:
        """The number of the top level; the lowest is 0."""
        return {"admin": 3, "time": len(_TIME_LEVELS), "band": len(self.widths) + 1, "text": 1}[self.kind]

    def at(self, column: pl.Series, level: int) -> pl.Series:
        """Return a column at a level, as text; what is empty is a value of its own.

        Examples
        --------
        >>> Hierarchy("admin").at(pl.Series(["440106"]), 1).to_list()
        ['4401**']
        >>> Hierarchy("band", (10.0,)).at(pl.Series([37]), 1).to_list()
        ['30-40']
        """
        if level >= self.height:
            return pl.Series(column.name, [ALL], pl.String).new_from_index(0, column.len())
        if level == 0 and self.kind != "time":
            return column.cast(pl.String)
        if self.kind == "admin":
            kept = 6 - 2 * level
            return (column.cast(pl.String).str.slice(0, kept) + "*" * (6 - kept)).alias(column.name)
        if self.kind == "band":
            width = self.widths[level - 1]
            low = (column.cast(pl.Float64) / width).floor() * width
            made = [None if at is None or math.isnan(at) else f"{at:g}-{at + width:g}" for at in low]
            return pl.Series(column.name, made, pl.String)
        form = ("%Y-%m-%d %H", *_TIME_LEVELS)[level]
        return column.dt.strftime(form)


def parse_hierarchy(text: str) -> Hierarchy:
    """Return a hierarchy from words: ``admin``, ``time``, ``text``, ``band:5,10,20``.

    Raises
    ------
    UsageError
        ``bad-hierarchy``.

    Examples
    --------
    >>> parse_hierarchy("band:5,10")
    Hierarchy(kind='band', widths=(5.0, 10.0))
    """
    kind, _, rest = text.partition(":")
    try:
        widths = tuple(float(one) for one in rest.split(",")) if rest else ()
    except ValueError:
        widths = (-1.0,)
    whole = all(b > a > 0 and math.isfinite(b) and b % a == 0 for a, b in itertools.pairwise(widths)) and all(
        0 < one < math.inf for one in widths
    )
    if kind not in ("admin", "time", "band", "text") or bool(widths) != (kind == "band") or not whole:
        text = f"{text!r} is none of admin, time, text, band:5,10,20 (each a multiple of the one before)."
        raise UsageError(text, "bad-hierarchy")
    return Hierarchy(kind, widths)


@dataclass(frozen=True)
class Extract:
    """An extract.

    Attributes
    ----------
    frame : polars.DataFrame
        The columns made coarser, and those kept.
    levels : dict
        Column -> its level; 0 is as it was.
    rows, suppressed : int
        Rows given, and those left out.
    loss : float
        0: as given, 1: nothing left.
    k, groups, smallest : int
    combinations : int
        Tried.
    """

    frame: pl.DataFrame
    levels: dict[str, int]
    heights: dict[str, int]
    rows: int
    suppressed: int
    loss: float
    k: int
    groups: int
    smallest: int
    combinations: int

    def to_json(self) -> dict[str, Any]:
        """Return what was done and lost, without the rows."""
        return {
            "k": self.k, "rows": self.rows, "suppressed": self.suppressed, "loss": self.loss,
            "groups": self.groups,
            "smallest": self.smallest, "combinations": self.combinations,
            "levels": {name: {"level": at, "of": self.heights[name]} for name, at in self.levels.items()},
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [
            f"{self.rows - self.suppressed:,} of {self.rows:,} rows in {self.groups:,} groups, the smallest"
            f" of {self.smallest:,} (k = {self.k}); {self.suppressed:,} left out; loss {self.loss:.1%}"
        ]
        lines += [f"  {name}: level {at} of {self.heights[name]}" for name, at in self.levels.items()]
        return "\n".join(lines)


def extract(
    frame: pl.DataFrame,
    quasi: Mapping[str, Hierarchy],
    k: int,
    *,
    keep: Sequence[str] = (),
    sensitive: str | None = None,
    unlike: int = 1,
    suppress_share: float = 0.05,
) -> Extract:
    """Return an extract in which every group of equal rows has k at least.

    Parameters
    ----------
    frame : polars.DataFrame
    quasi : mapping
        Columns that together could point to a person -> how they are made coarser.
    k : int
        2 at least.
    keep : sequence of str
        Columns that are given out as they are. All others are left out.
    sensitive : str, optional
        A kept column of which each group must have ``unlike`` different values (l-diversity).
    unlike : int
    suppress_share : float
        Most rows that may be left out, as a share.

    Raises
    ------
    UsageError
        An option that cannot be meant, ``too-many-levels``.
    InputError
        ``no-extract``: even the coarsest leaves out more; ``personal-extract``: it holds personal data.
    """
    _check(frame, quasi, k, keep, sensitive, unlike, suppress_share)
    heights = {name: one.height for name, one in quasi.items()}
    coded = {
        name: [one.at(_typed(frame[name], one), at) for at in range(one.height + 1)]
        for name, one in quasi.items()
    }
    values = None if sensitive is None else frame[sensitive]
    alike, weights = _alike(coded, values)
    few = {name: [one.gather(alike) for one in at] for name, at in coded.items()}
    few_values = None if values is None else values.gather(alike)
    best: tuple[float, dict[str, int]] | None = None
    tried = 0
    # the loss of a combination is at least its share of height: in that order, until no more can be better
    spread = sorted(
        itertools.product(*(range(height + 1) for height in heights.values())),
        key=lambda at: sum(a / h for a, h in zip(at, heights.values(), strict=True)),
    )
    for at in spread:
        share = sum(a / h for a, h in zip(at, heights.values(), strict=True)) / len(at)
        if best is not None and share >= best[0]:
            break
        tried += 1
        levels = dict(zip(heights, at, strict=True))
        stays = _stays(few, levels, weights, k, few_values, unlike)
        gone = 1.0 - float(weights.filter(stays).sum()) / max(1, frame.height)
        loss = (1.0 - gone) * share + gone
        if gone <= suppress_share and (best is None or loss < best[0]):
            best = loss, levels
    if best is None:
        text = f"No levels leave out {suppress_share:.0%} of the rows or less: too few rows for k = {k}."
        raise InputError([Problem("no-extract", text)])
    loss, levels = best
    stays = _stays(coded, levels, pl.repeat(1, frame.height, eager=True), k, values, unlike)
    made = pl.DataFrame([coded[name][levels[name]].alias(name) for name in quasi]).with_columns(
        frame.select(keep).get_columns()
    )
    made = made.filter(stays).sort(list(quasi), maintain_order=True)
    _check_nothing_personal(made)
    sizes = made.group_by(list(quasi)).len()["len"]
    return Extract(
        made, levels, heights, frame.height, frame.height - made.height, loss, k, sizes.len(),
        int(sizes.min() or 0), tried,  # type: ignore[arg-type]
    )  # fmt: skip


def smallest_group(frame: pl.DataFrame, quasi: Sequence[str]) -> int:
    """Return the size of the smallest group of equal rows, counted without the search; 0 without rows."""
    sizes: dict[tuple[object, ...], int] = {}
    for row in frame.select(quasi).iter_rows():
        sizes[row] = sizes.get(row, 0) + 1
    return min(sizes.values(), default=0)


def _check(
    frame: pl.DataFrame, quasi: Mapping[str, Hierarchy], k: int, keep: Sequence[str], sensitive: str | None,
    unlike: int, suppress_share: float,
) -> None:  # fmt: skip
    missing = [name for name in [*quasi, *keep] if name not in frame.columns]
    if missing:
        raise NotFoundError(f"No column {', '.join(missing)}; there is {', '.join(frame.columns[:50])}.")
    if k < 2 or not quasi or not 0 <= suppress_share < 1 or set(keep) & set(quasi):
        raise UsageError("An extract needs k of 2 or more, columns to make coarser, and no column twice.")
    if unlike < 1 or (unlike > 1 and sensitive is None) or (sensitive is not None and sensitive not in keep):
        raise UsageError(
            "The sensitive column must be one of those kept, and have one value or more in each group."
        )
    count = math.prod(one.height + 1 for one in quasi.values())
    if count > MOST_COMBINATIONS:
        text = f"{count:,} combinations of levels are too many: take fewer columns or bands."
        raise UsageError(text, "too-many-levels")


def _typed(column: pl.Series, hierarchy: Hierarchy) -> pl.Series:
    """Return a column in the type its hierarchy needs; what cannot be read stops it."""
    if hierarchy.kind == "time" and not column.dtype.is_temporal():
        made = column.cast(pl.String).str.to_datetime(strict=False, format=None, time_zone="UTC", exact=True)
    elif hierarchy.kind == "time" and column.dtype == pl.Date:
        made = column.cast(pl.Datetime("us"))
    elif hierarchy.kind == "band":
        made = column.cast(pl.Float64, strict=False)
    elif hierarchy.kind == "admin":
        texts = column.cast(pl.String)
        made = texts.set(~texts.str.contains(r"^\d{6}$").fill_null(True), None)
    else:
        return column
    if made.null_count() > column.null_count():
        rows = (made.is_null() & column.is_not_null()).arg_true().to_list()
        text = f"This value does not fit {hierarchy.kind}."
        raise InputError([Problem("wrong-type", text, None, row + 1, column.name) for row in rows[:1000]])
    return made


def _alike(coded: Mapping[str, list[pl.Series]], values: pl.Series | None) -> tuple[pl.Series, pl.Series]:
    """Return one row for each sort of equal rows at the finest level, and how many there are of it."""
    table = pl.DataFrame([at[0].alias(f"q{n}") for n, at in enumerate(coded.values())])
    if values is not None:
        table = table.with_columns(values.alias("sensitive"))
    sorts = (
        table.with_row_index("row").group_by(table.columns).agg(pl.col("row").first(), pl.len().alias("rows"))
    )
    return sorts["row"], sorts["rows"].cast(pl.Int64)


def _stays(
    coded: Mapping[str, list[pl.Series]],
    levels: Mapping[str, int],
    weights: pl.Series,
    k: int,
    sensitive: pl.Series | None,
    unlike: int,
) -> pl.Series:
    """Return which rows are in a group that is large enough, and various enough."""
    names = [f"q{n}" for n in range(len(levels))]
    table = pl.DataFrame([coded[name][at].alias(f"q{n}") for n, (name, at) in enumerate(levels.items())])
    table = table.with_columns(weights.alias("rows"))
    enough = pl.col("rows").sum().over(names) >= k
    if sensitive is not None:
        table = table.with_columns(sensitive.alias("sensitive"))
        enough &= pl.col("sensitive").n_unique().over(names) >= unlike
    return table.select(enough.alias("stays"))["stays"]


def _check_nothing_personal(made: pl.DataFrame) -> None:
    found = find_in_frame(made)
    if found.found:
        columns = found.finds["column"].unique().sort().to_list()
        text = f"The extract would hold personal data: {', '.join(columns)}."
        raise InputError([Problem("personal-extract", text, hint="Leave them out, or mask them first.")])
