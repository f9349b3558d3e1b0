"""Cells of postal exports (IPS, EMSEVT) to rows of the log: times, codes, identifiers, offices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from changtong.events.formats.delimited import LOST
from changtong.events.formats.foreign_rows import ROW_SCHEMA, ProblemList
from changtong.events.formats.identifiers import is_s10_like, s9_problem, s10_problem
from changtong.events.formats.instants import instants_of

CONTROL = r"[\x00-\x1f\x7f]"


@dataclass(frozen=True)
class PostalCells:
    """Rows under way: ``cells`` has the columns of the log, ``is_good`` and ``given_code``.

    Attributes
    ----------
    cells : polars.DataFrame
    problems : ProblemList
    """

    cells: pl.DataFrame
    problems: ProblemList

    def refuse(self, where: pl.Expr, column: str, code: str) -> PostalCells:
        """Report the rows where a condition holds and leave them out."""
        mask = pl.Series(self.cells.select(where.fill_null(False)).to_series())
        self.problems.add_rows(self.cells["row"].filter(mask), column, code)
        return PostalCells(self.cells.with_columns(is_good=pl.col("is_good") & ~mask), self.problems)

    def note(self, where: pl.Expr, column: str, code: str) -> PostalCells:
        """Report the rows where a condition holds and keep them."""
        mask = pl.Series(self.cells.select((where & pl.col("is_good")).fill_null(False)).to_series())
        self.problems.add_rows(self.cells["row"].filter(mask), column, code)
        return self

    def rows(self) -> pl.DataFrame:
        """Return the good rows with the columns of the log."""
        good = self.cells.filter("is_good")
        return good.select(pl.col(name).cast(dtype) for name, dtype in ROW_SCHEMA.items())


def start(
    cells: pl.DataFrame, zone: str, code_of: Callable[[str], str | None], problems: ProblemList
) -> PostalCells:
    """Return cells with instants, canonical codes and tested identifiers.

    Parameters
    ----------
    cells : polars.DataFrame
        ``row``, ``item_id``, ``receptacle_id``, ``at``, ``code``, ``site_id``, ``next_site_id``.
    zone : str
        Zone of times that give none.
    code_of : callable
        Code of the source -> canonical code or None.
    problems : ProblemList
    """
    given = cells["code"].unique().drop_nulls().to_list()
    codes = {text: code_of(text) for text in given}
    items = {text: _plain_s10(text) for text in cells["item_id"].unique().drop_nulls()}
    bad_check = [text for text in set(items.values()) if is_s10_like(text) and s10_problem(text)]
    bad_s9 = [text for text in cells["receptacle_id"].unique().drop_nulls() if s9_problem(text)]
    frame = cells.with_columns(
        given_code="code",
        code=pl.col("code").replace_strict(codes, default=None, return_dtype=pl.String),
        item_id=pl.col("item_id").replace_strict(items, default=None, return_dtype=pl.String),
        event_id=pl.lit(None, pl.String),
        vehicle_id=pl.lit(None, pl.String),
        recorded_ms=pl.lit(None, pl.Int64),
        service_class=pl.lit(None, pl.String),
        attributes=pl.lit(None, pl.String),
        is_good=pl.lit(True),
    ).hstack(instants_of(cells["at"], zone))
    under_way = PostalCells(frame, problems)
    item, receptacle = pl.col("item_id"), pl.col("receptacle_id")
    for column in ("item_id", "receptacle_id", "site_id", "next_site_id"):
        under_way = under_way.refuse(pl.col(column).str.contains(CONTROL), column, "bad-id")
    return (
        under_way.refuse(pl.col("given_code").is_null(), "code", "no-code")
        .refuse(pl.col("given_code").is_not_null() & pl.col("code").is_null(), "code", "unknown-code")
        .refuse(pl.col("at_ms").is_null(), "at_ms", "bad-time")
        .refuse(item.is_null() & receptacle.is_null(), "item_id", "no-object")
        .refuse(item.is_in(bad_check), "item_id", "s10-check-digit")
        .note(pl.col("is_ambiguous"), "at_ms", "ambiguous-time")
        .note(receptacle.is_in(bad_s9), "receptacle_id", "s9-form")
    )


def repair_offices(under_way: PostalCells, offices: Iterable[str]) -> PostalCells:
    """Give damaged office names their letters back where one known name alone fits; report the others."""
    known = list(dict.fromkeys(offices))
    for column in ("site_id", "next_site_id"):
        damaged = [name for name in under_way.cells[column].unique().drop_nulls() if LOST in name]
        right = {name: _whole_name(name, known) for name in damaged}
        repaired = {name: whole for name, whole in right.items() if whole is not None}
        cells = under_way.cells.with_columns(pl.col(column).replace(repaired))
        under_way = PostalCells(cells, under_way.problems)
        under_way.note(pl.col(column).str.contains(LOST, literal=True), column, "damaged-text")
    return under_way


def note_duplicates(under_way: PostalCells) -> PostalCells:
    """Report rows that stand before letter for letter, and items in two receptacles at once."""
    source = ["item_id", "receptacle_id", "at", "given_code", "site_id", "next_site_id"]
    under_way.note(~pl.struct(source).is_first_distinct(), "row", "duplicate-row")
    seen = under_way.cells.filter("is_good").select("row", "item_id", "receptacle_id", "at_ms").drop_nulls()
    spans = (
        seen.group_by("item_id", "receptacle_id")
        .agg(first_ms=pl.col("at_ms").min(), last_ms=pl.col("at_ms").max())
        .filter(pl.len().over("item_id") > 1)
    )
    twice = (
        seen.join(spans, on="item_id", suffix="_other")
        .filter(
            pl.col("receptacle_id") != pl.col("receptacle_id_other"),
            pl.col("at_ms").is_between("first_ms", "last_ms"),
        )["row"]
        .unique()
    )
    return under_way.note(pl.col("row").is_in(twice.implode()), "receptacle_id", "two-receptacles")


def _plain_s10(text: str) -> str:
    """Return an S10 identifier without spaces and in capitals; other identifiers as they are."""
    plain = re.sub(r"\s", "", text).upper()
    return plain if is_s10_like(plain) else text


def _whole_name(name: str, known: list[str]) -> str | None:
    pattern = re.compile(".".join(map(re.escape, name.split(LOST))))
    fitting = [whole for whole in known if pattern.fullmatch(whole)]
    return fitting[0] if len(fitting) == 1 else None
