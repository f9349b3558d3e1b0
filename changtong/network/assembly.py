"""Tables of any types to the typed, keyed and filled tables of a network or a county."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong._tables import (
    NETWORK_SET,
    Attribute,
    Table,
    TableSet,
    default_expression,
    empty_table,
)
from changtong.errors import Problem
from changtong.network.cells import KnownIds, Place, typed_column
from changtong.network.columns import blank_rows, check_columns, further_column, tidy_names
from changtong.network.findings import Findings, NearestNames, rows_where

SHARE_TOLERANCE = 1e-6
MAX_KEY_MARKS = 400_000_000
"""Keys marked one byte each when duplicates are looked for; above it the keys are sorted."""

ONE_CLASS = {
    "service_class": ["ordinary"],
    "rank": [1],
    "name": ["Ordinary pieces"],
    "name_zh": ["普通邮件快件"],
    "promise_h": [None],
    "share": [1.0],
}


@dataclass
class Assembly:
    """Tables under assembly.

    Attributes
    ----------
    files : mapping
        Table name -> the file name shown in problems.
    findings : Findings
    table_set : TableSet
        What the tables should be.
    tables : dict
        Typed tables; rows without a usable key are left out.
    rows : dict
        Table name -> original row numbers (from 0), where rows were left out.
    filled : dict
        (table, column) -> how many empty cells got the default, of how many.
    """

    files: Mapping[str, str]
    findings: Findings
    table_set: TableSet = NETWORK_SET
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    filled: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def file(self, table: str) -> str:
        """Return the file name of a table for problems."""
        return self.files.get(table, table)

    def row(self, table: str, index: int) -> int:
        """Return the row number, from 1, in the file of a row of the typed table."""
        return int(self.rows[table][index] if table in self.rows else index) + 1


def assemble_tables(
    tables: Mapping[str, pl.DataFrame],
    findings: Findings,
    *,
    files: Mapping[str, str] | None = None,
    table_set: TableSet = NETWORK_SET,
) -> Assembly:
    """Type, check and fill the tables of a set.

    Parameters
    ----------
    tables : mapping
        Table name -> frame; ids and numbers may be of any type that can be read.
    findings : Findings
        Gets every problem. With an error among them the tables are only good for more checks.
    files : mapping, optional
        Table name -> file name for problems.
    table_set : TableSet
        What the tables should be.

    Returns
    -------
    Assembly
        All tables of the set but absent ones that it lists in ``left_out``.
    """
    made = Assembly(files or {}, findings, table_set)
    _check_names(tables, made)
    known: dict[str, KnownIds] = {}
    if "sites" in table_set.names:
        sites = _site_table(tables.get("sites"), made)
        known["sites"] = _ids_of("sites", sites, made)
        made.tables["sites"] = sites.with_columns(pl.col("site_id").cast(known["sites"].enum))
    if "service_classes" in table_set.names:
        made.tables["service_classes"] = _class_table(tables.get("service_classes"), made)
        known["service_classes"] = _ids_of("service_classes", made.tables["service_classes"], made)
    for name, table in table_set.tables.items():
        if name not in made.tables and (name in tables or name not in table_set.left_out):
            frame = tables.get(name)
            if frame is None:
                frame = empty_table(table)
            made.tables[name] = _typed_table(frame, table, made, known)
            _leave_out_keyless(name, made)
            if name in table_set.parents:
                _check_duplicates(name, made)
                known[name] = _ids_of(name, made.tables[name], made)
    fills = [_fill(name, made) for name in table_set.names if name in made.tables and name != "provenance"]
    if "provenance" in table_set.names:
        _note_fills([row for rows in fills for row in rows], made)
    for name in table_set.duplicates:
        if name in made.tables and name not in table_set.parents:
            _check_duplicates(name, made)
    _check_ends(made)
    return made


def _ids_of(name: str, frame: pl.DataFrame, made: Assembly) -> KnownIds:
    """Return the ids that foreign keys to a table may hold."""
    key = made.table_set.tables[name].primary_key[0]
    return KnownIds(frame[key].to_list(), made.table_set.parents[name], name)


def _check_names(tables: Mapping[str, pl.DataFrame], made: Assembly) -> None:
    names, needed = made.table_set.names, made.table_set.needed
    nearest = NearestNames(names)
    for name in tables:
        if name not in names:
            made.findings.add(
                Problem(
                    "unknown-table",
                    f'no table is named "{name}".',
                    made.file(name),
                    expected="one of " + ", ".join(names),
                    hint=nearest.hint(name),
                )
            )
    for name in needed:
        if name not in tables:
            expected = f"a table {name}" + (" (it may have no rows)" if name != needed[0] else "")
            made.findings.add(
                Problem("missing-table", "the table is missing.", made.file(name), expected=expected)
            )


def _site_table(frame: pl.DataFrame | None, made: Assembly) -> pl.DataFrame:
    if frame is None:
        return empty_table(made.table_set.tables["sites"])
    frame = _without_swapped(tidy_names(frame, made.file("sites"), made.findings), made)
    made.tables["sites"] = _typed_table(frame, made.table_set.tables["sites"], made, {})
    if frame.height == 0:
        made.findings.add(
            Problem("empty-table", "the table has no rows.", made.file("sites"), expected="at least one site")
        )
    _leave_out_keyless("sites", made)
    _check_duplicates("sites", made)
    return made.tables.pop("sites")


def _without_swapped(frame: pl.DataFrame, made: Assembly) -> pl.DataFrame:
    """Report positions whose latitude can only be a longitude, and empty them."""
    if "lon" not in frame.columns or "lat" not in frame.columns:
        return frame
    text = pl.col("lon", "lat").cast(pl.String, strict=False).str.strip_chars()
    lon, lat = frame.select(text.cast(pl.Float64, strict=False)).get_columns()
    swapped = (lat.abs() > 90) & (lat.abs() <= 180) & (lon.abs() <= 90)
    made.findings.add_rows(
        rows_where(swapped),
        lambda row: Place(made.file("sites"), "lat").problem(
            "swapped-coordinates",
            f"lon {lon[row]:.10g}, lat {lat[row]:.10g} cannot be a position.",
            row,
            expected="lon −180 … 180, lat −90 … 90",
            hint="Longitude and latitude seem to be swapped.",
        ),
    )
    if not swapped.any():
        return frame
    keep = ~swapped.fill_null(False)
    return frame.with_columns(pl.when(keep).then(pl.col("lon", "lat")))


def _class_table(frame: pl.DataFrame | None, made: Assembly) -> pl.DataFrame:
    if frame is None or frame.height == 0:
        schema = made.table_set.tables["service_classes"].schema()
        return pl.DataFrame(ONE_CLASS, schema=schema)
    made.tables["service_classes"] = _typed_table(frame, made.table_set.tables["service_classes"], made, {})
    _leave_out_keyless("service_classes", made)
    _check_duplicates("service_classes", made)
    classes = made.tables.pop("service_classes")
    place = Place(made.file("service_classes"), "rank")
    again = classes["rank"].is_not_null() & ~classes["rank"].is_first_distinct()
    made.findings.add_rows(
        rows_where(again),
        lambda row: place.problem(
            "duplicate-rank",
            f"rank {classes['rank'][row]} is there already.",
            made.row("service_classes", row) - 1,
            expected="each rank once",
        ),
    )
    given = classes["share"].drop_nulls()
    if len(given) == 0:
        last = classes["rank"] == classes["rank"].max()
        return classes.with_columns(share=last.fill_null(False).cast(pl.Float64))
    if abs(float(given.sum()) - 1) > SHARE_TOLERANCE:
        message = f"the shares add up to {float(given.sum()):.10g}."
        made.findings.add(
            Problem("shares-sum", message, made.file("service_classes"), None, "share", expected="a sum of 1")
        )
    return classes.with_columns(pl.col("share").fill_null(0.0))


def _typed_table(
    frame: pl.DataFrame, table: Table, made: Assembly, known: Mapping[str, KnownIds]
) -> pl.DataFrame:
    """Return the frame with every column of the table, typed, and further ones after them."""
    file = made.file(table.name)
    frame = tidy_names(frame, file, made.findings)
    meant = check_columns(frame, table, file, made.findings)
    columns: list[pl.Series] = []
    blank = blank_rows(frame, Place(file, ""), made.findings)
    for attribute in table.attributes:
        place = Place(file, attribute.name)
        ids = known.get(attribute.foreign_key.split(".")[0])
        source = attribute.name if attribute.name in frame.columns else meant.get(attribute.name)
        if source is None:
            dtype = ids.enum if ids else attribute.dtype
            columns.append(pl.Series(attribute.name, [None], dtype).new_from_index(0, frame.height))
            continue
        typed = typed_column(frame[source], attribute, place, made.findings, known=ids, blank=blank)
        if typed.dtype == pl.Float32 and (table.name, attribute.name) != ("demand", "pieces_per_day"):
            typed = typed.cast(pl.Float64)
        columns.append(typed)
    for name in frame.columns:
        if name not in table and name not in meant.values():
            columns.append(further_column(frame[name], Place(file, name), made.findings))
    return pl.DataFrame(columns)


def _leave_out_keyless(name: str, made: Assembly) -> None:
    """Leave out rows whose required cells are missing or wrong (each is reported already)."""
    frame = made.tables[name]
    needed = [column for column in made.table_set.tables[name].required if column in frame.columns]
    if not any(frame[column].null_count() for column in needed):
        return
    whole = frame.select(pl.all_horizontal(pl.col(needed).is_not_null())).to_series()
    _keep(name, whole, made)


def _keep(name: str, mask: pl.Series, made: Assembly) -> None:
    kept = np.flatnonzero(mask.to_numpy())
    made.rows[name] = made.rows[name][kept] if name in made.rows else kept
    made.tables[name] = made.tables[name].filter(mask)


def _check_duplicates(name: str, made: Assembly) -> None:
    frame, key = made.tables[name], list(made.table_set.tables[name].primary_key)
    numbers, size = _key_numbers(frame, key)
    if _all_differ(numbers, size):
        return
    order = np.argsort(numbers, kind="stable")
    same = np.flatnonzero(np.diff(numbers[order]) == 0) + 1  # equal to the one before, by order
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    first = order[starts[np.searchsorted(starts, same, side="right") - 1]]
    again = order[same]
    by_row = np.argsort(again)
    again, first = again[by_row], first[by_row]
    place = Place(made.file(name), key[0])

    def make(index: int) -> Problem:
        row = int(again[index])
        shown = ", ".join("(none)" if value is None else str(value) for value in frame.select(key).row(row))
        message = f"{shown} is in row {made.row(name, int(first[index]))} already."
        expected = f"one row for each {', '.join(key)}"
        return place.problem(
            made.table_set.duplicates[name], message, made.row(name, row) - 1, expected=expected
        )

    made.findings.add_rows(range(len(again)), make)
    once = np.ones(frame.height, bool)
    once[again] = False
    _keep(name, pl.Series(once), made)


def _key_numbers(frame: pl.DataFrame, key: list[str]) -> tuple[NDArray[np.int64], int]:
    """Return one number for each row, the same for the same key, and how many there could be."""
    size, numbers = 1, np.zeros(frame.height, np.int64)
    for name in key:
        column = frame[name]
        if isinstance(column.dtype, pl.Enum):
            count = len(column.dtype.categories) + 1
            part = column.to_physical().cast(pl.Int64)
        else:
            part = column.rank("dense").cast(pl.Int64)
            count = int(cast(int | None, part.max()) or 0) + 2
        part = part.fill_null(count - 1) if part.null_count() else part
        numbers = part.to_numpy() if size == 1 else numbers * count + part.to_numpy()
        size *= count
    return numbers, size


def _all_differ(numbers: NDArray[np.int64], size: int) -> bool:
    if bool(np.all(numbers[1:] > numbers[:-1])):
        return True
    if size <= MAX_KEY_MARKS:
        seen = np.zeros(size, bool)
        seen[numbers] = True
        return int(np.count_nonzero(seen)) == len(numbers)
    numbers = np.sort(numbers)
    return not bool(np.any(numbers[1:] == numbers[:-1]))


def _fill(name: str, made: Assembly) -> list[dict[str, str]]:
    """Fill empty cells that have a default; return the provenance rows that say so."""
    notes: list[dict[str, str]] = []
    for attribute in made.table_set.tables[name].attributes:
        value, frame = default_expression(attribute), made.tables[name]
        empty = frame[attribute.name].null_count()
        if value is None or not empty:
            continue
        made.tables[name] = frame.with_columns(pl.col(attribute.name).fill_null(value))
        made.filled[name, attribute.name] = (empty, frame.height)
        notes.append(_fill_note(name, attribute, empty, frame.height))
    return notes


def _fill_note(name: str, attribute: Attribute, empty: int, height: int) -> dict[str, str]:
    kind, _, why = attribute.default_provenance.partition(": ")
    rule = attribute.default if "=" not in attribute.default else "by kind"
    return {
        "table": name,
        "column": attribute.name,
        "kind": kind,
        "source": f"default of the table: {rule}",
        "note": f"{empty} of {height} rows were empty" + (f"; {why}" if why else ""),
    }


def _note_fills(notes: list[dict[str, str]], made: Assembly) -> None:
    if not notes:
        return
    frame = made.tables["provenance"]
    added = pl.DataFrame(notes, schema=made.table_set.tables["provenance"].schema())
    made.tables["provenance"] = pl.concat([frame, added], how="diagonal").unique(maintain_order=True)


def _check_ends(made: Assembly) -> None:
    for name, one, other in made.table_set.ends:
        if name not in made.tables:
            continue
        frame, place = made.tables[name], Place(made.file(name), other)
        same = frame[one] == frame[other]
        made.findings.add_rows(
            rows_where(same),
            lambda row, name=name, one=one, other=other, frame=frame, place=place: place.problem(  # type: ignore[misc]
                "self-loop",
                f"{one} and {other} are both {frame[one][row]}.",
                made.row(name, row) - 1,
                expected="two different sites",
            ),
        )
        if same.any():
            _keep(name, ~same, made)
