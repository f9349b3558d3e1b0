"""What a supervising body knows: its sites, inspectors, inspections and hazards, as tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.findings import Findings, NearestNames
from changtong.network.row_files import read_row_file
from changtong.safety.collection import read_collection
from changtong.safety.opening_hours import FILE, OPENING_SCHEMA, read_openings
from changtong.spreadsheets import with_formulas
from changtong.workbook_sheets import label_of


def read_table(
    path: str | os.PathLike[str],
    columns: Mapping[str, pl.DataType],
    needed: tuple[str, ...],
    gaps: tuple[str, ...] = (),
) -> pl.DataFrame:
    """Read a CSV, XLSX or Parquet file, with every problem told; columns that are not there are null.

    Parameters
    ----------
    path : path
    columns : mapping
        Name -> type of what is known; other columns are left out.
    needed : tuple of str
        Columns that must be there, without gaps.
    gaps : tuple of str
        Columns that must be there, with gaps or without.

    Raises
    ------
    InputError
        ``missing-file``, ``unreadable-file``, ``missing-column``, ``wrong-type``, ``missing-value``.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError([Problem("missing-file", "there is no such file.", str(path))])
    frame = read_cells(file, columns)
    label = label_of(file, file.stem)
    problems = []
    for name in (*needed, *gaps):
        if name not in frame.columns:
            hint = NearestNames(frame.columns).hint(name)
            problems.append(Problem("missing-column", f'no column "{name}".', label, None, name, hint=hint))
    made: dict[str, pl.Series] = {}
    for name, dtype in columns.items():
        if name not in frame.columns:
            made[name] = pl.Series(name, [None] * frame.height, dtype)
            continue
        cells = frame[name]
        typed = _typed(cells, dtype)
        for row in (typed.is_null() & cells.is_not_null()).arg_true().head(50):
            message, expected = f"{cells[row]!r} is not allowed.", _words(dtype)
            problems.append(Problem("wrong-type", message, label, row + 1, name, expected))
        if name in needed:
            for row in cells.is_null().arg_true().head(50):
                problems.append(Problem("missing-value", "the cell is empty.", label, row + 1, name))
        made[name] = typed
    if problems:
        raise InputError(problems)
    return with_formulas(pl.DataFrame(made))


def read_cells(file: Path, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return all columns of a file, those known by their types where all cells fit; instants as texts.

    Parameters
    ----------
    file : Path
        ``.parquet``, ``.xlsx`` (the sheet named as the file, else the first), or CSV in any encoding.
    columns : mapping

    Raises
    ------
    InputError
        ``unreadable-file``, and what is wrong with a CSV file.
    """
    if file.suffix.lower() != ".parquet":
        findings = Findings()
        frame = read_row_file(file, file.stem, columns, columns, findings, {})
        if frame is None or findings.errors:
            raise InputError(list(findings.errors))
        return frame
    try:
        frame = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"it is no Parquet file that can be read ({str(error).splitlines()[0]})."
        raise InputError([Problem("unreadable-file", message, file.name)]) from error
    instants = [
        name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone
    ]
    return frame.with_columns(pl.col(instants).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z"))


def _typed(cells: pl.Series, dtype: pl.DataType) -> pl.Series:
    if cells.dtype == dtype:
        return cells
    text = cells.cast(pl.String).str.strip_chars()
    if dtype == pl.Boolean:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    if dtype == pl.Date:
        return text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return text.cast(dtype, strict=False)


def _words(dtype: pl.DataType) -> str:
    words = {
        "Float64": "a number",
        "Int64": "a whole number",
        "Date": "YYYY-MM-DD",
        "Boolean": "true or false",
    }
    return words.get(str(dtype), "a text")


_MINUTES = r"^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2})(Z|[+-]\d{2}:?\d{2})$"
"""An instant to the minute, with its offset."""


def read_instants(frame: pl.DataFrame, column: str, file: str) -> pl.DataFrame:
    """Return a frame with a column of texts as instants in UTC.

    Parameters
    ----------
    frame : polars.DataFrame
    column, file : str

    Raises
    ------
    InputError
        ``wrong-type``: a text is no time, or has no offset. Seconds may be left out, as people write them.
    """
    given = frame[column]
    whole = given.str.replace(_MINUTES, "${1}:00${2}")
    at = whole.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    wrong = (at.is_null() & given.is_not_null()).arg_true()
    if not wrong.is_empty():
        expected = "a time with its offset, as 2026-03-02T09:00:00+08:00"
        raise InputError(
            [
                Problem("wrong-type", f"{given[row]!r} is no time.", file, row + 1, column, expected)
                for row in wrong.head(50)
            ]
        )
    return frame.with_columns(at.alias(column))


SITE_NAME_SCHEMA: dict[str, pl.DataType] = {"site_id": pl.String(), "name": pl.String()}


def read_site_names(path: str | os.PathLike[str]) -> tuple[tuple[str, str], ...]:
    """Read ids and names of sites.

    Parameters
    ----------
    path : path
        CSV with ``site_id`` and, where there is one, ``name``.
    """
    frame = read_table(path, SITE_NAME_SCHEMA, ("site_id",))
    return tuple((site, name or "") for site, name in frame.iter_rows())


SITE_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "lon": pl.Float64(),
    "lat": pl.Float64(),
    "admin_code": pl.String(),
    "pieces_per_day": pl.Float64(),
    "needs": pl.String(),
    "campaigns": pl.String(),
    "status": pl.String(),
}
"""``needs``: skills a visit needs, ``;`` between them; ``campaigns``: ids of campaigns that name it; sites of
status ``closed`` are not visited."""

INSPECTOR_SCHEMA: dict[str, pl.DataType] = {
    "inspector_id": pl.String(),
    "team": pl.String(),
    "lon": pl.Float64(),
    "lat": pl.Float64(),
    "starts_h": pl.Float64(),
    "hours_per_day": pl.Float64(),
    "weekdays": pl.String(),
    "skills": pl.String(),
    "away": pl.String(),
    "lunch_min": pl.Float64(),
    "lunch_from": pl.String(),
    "lunch_until": pl.String(),
}
"""Inspectors of one ``team`` go together; without one they go alone. ``weekdays``: digits, 1 is Monday;
``away``: days, ``;`` between them. Left out: 9 o'clock, 8 hours, Monday to Friday. ``lunch_min``: minutes of
a break between ``lunch_from`` and ``lunch_until`` (HH:MM); left out: none."""

VISITED_SCHEMA: dict[str, pl.DataType] = {
    "inspection_id": pl.String(),
    "site_id": pl.String(),
    "on": pl.Date(),
    "findings": pl.Int64(),
    "campaign": pl.String(),
}
OPEN_SCHEMA: dict[str, pl.DataType] = {
    "hazard_id": pl.String(),
    "site_id": pl.String(),
    "kind": pl.String(),
    "grade": pl.String(),
    "state": pl.String(),
    "deadline": pl.Date(),
    "found_on": pl.Date(),
}
"""Hazards as a ledger's ``hazards.csv`` has them."""

TRAVEL_SCHEMA: dict[str, pl.DataType] = {
    "from": pl.String(),
    "to": pl.String(),
    "minutes": pl.Float64(),
}
"""Known travel times between sites and teams, one way; the others come from the distance."""


@dataclass(frozen=True)
class Supervision:
    """What a supervising body knows.

    Attributes
    ----------
    name : str
    sites, inspectors, inspections, hazards, travel : polars.DataFrame
        As `SITE_SCHEMA`, `INSPECTOR_SCHEMA`, `VISITED_SCHEMA`, `OPEN_SCHEMA`, `TRAVEL_SCHEMA`.
    opening_hours : polars.DataFrame
        As ``OPENING_SCHEMA`` of :mod:`changtong.safety.opening_hours`.
    """

    name: str
    sites: pl.DataFrame
    inspectors: pl.DataFrame
    inspections: pl.DataFrame
    hazards: pl.DataFrame
    travel: pl.DataFrame
    opening_hours: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OPENING_SCHEMA))

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        names = ("sites", "inspectors", "inspections", "hazards", "travel", "opening_hours")
        return {name: getattr(self, name) for name in names}


def read_supervision(
    folder: str | os.PathLike[str],
    *,
    collection: str | os.PathLike[str] | None = None,
    ledger: str | os.PathLike[str] | None = None,
    known: Mapping[str, pl.DataFrame] | None = None,
) -> Supervision:
    """Read a folder: ``sites.csv``, and what else there is of the tables of `Supervision`.

    Parameters
    ----------
    folder : path
    collection : path, optional
        Collected inspections, beside those of the folder.
    ledger : path, optional
        A hazard ledger, whose ``hazards.csv`` counts instead of the folder's.
    known : mapping, optional
        Tables that come from elsewhere, by name: they count instead of the folder's.

    Raises
    ------
    InputError
        With every problem of all tables.
    """
    place, there = Path(folder), known or {}
    problems: list[Problem] = []

    def table(
        path: Path, schema: Mapping[str, pl.DataType], needed: tuple[str, ...], gaps: tuple[str, ...] = ()
    ) -> pl.DataFrame:
        if path.stem in there:
            return there[path.stem]
        try:
            return read_table(path, schema, needed, gaps) if path.is_file() else pl.DataFrame(schema=schema)
        except InputError as error:
            problems.extend(error.problems)
            return pl.DataFrame(schema=schema)

    if "sites" not in there and not (place / "sites.csv").is_file():
        raise InputError([Problem("missing-file", "there is no sites.csv.", str(place))])
    sites = table(place / "sites.csv", SITE_SCHEMA, ("site_id", "kind", "lon", "lat"))
    inspectors = table(place / "inspectors.csv", INSPECTOR_SCHEMA, ("inspector_id", "lon", "lat"))
    inspections = table(place / "inspections.csv", VISITED_SCHEMA, ("site_id", "on"))
    travel = table(place / "travel.csv", TRAVEL_SCHEMA, ("from", "to", "minutes"))
    hours = table(place / FILE, OPENING_SCHEMA, ("site_id",), ("opens", "closes"))
    source = place / "hazards.csv" if ledger is None else Path(ledger) / "hazards.csv"
    hazards = table(source, OPEN_SCHEMA, ("site_id", "grade", "state"))
    if collection is not None:
        inspections = pl.concat([inspections, visited(collection)])
    for file, frame, key in (("sites.csv", sites, "site_id"), ("inspectors.csv", inspectors, "inspector_id")):
        for row in frame[key].is_duplicated().arg_true().head(50):
            problems.append(
                Problem("duplicate-row", f"{frame[key][row]} is there twice.", file, row + 1, key)
            )
    for file, frame in (("sites.csv", sites), ("inspectors.csv", inspectors)):
        out = frame.select(
            (~pl.col("lon").is_between(-180, 180) | ~pl.col("lat").is_between(-90, 90)).arg_true()
        )
        for row in out.to_series().head(50):
            problems.append(Problem("out-of-range", "the place is not on Earth.", file, row + 1, "lon"))
    problems += _hours_problems(hours, None if "sites" in there else sites)
    if problems:
        raise InputError(problems)
    return Supervision(place.name, sites, inspectors, inspections, hazards, travel, hours)


def _hours_problems(hours: pl.DataFrame, sites: pl.DataFrame | None) -> list[Problem]:
    """Sites from elsewhere are those that a person may see: a table may well name others."""
    problems: list[Problem] = []
    if sites is not None:
        near = NearestNames(sites["site_id"].to_list())
        for row in (~hours["site_id"].is_in(sites["site_id"].to_list())).arg_true().head(50):
            message = f"{hours['site_id'][row]!r} is no site of sites.csv."
            hint = near.hint(hours["site_id"][row])
            problems.append(Problem("unknown-site", message, FILE, row + 1, "site_id", hint=hint))
    try:
        read_openings(hours)
    except InputError as error:
        problems.extend(error.problems)
    return problems


def visited(collection: str | os.PathLike[str]) -> pl.DataFrame:
    """Return collected inspections as `VISITED_SCHEMA`: those that are finished, each once.

    Parameters
    ----------
    collection : path
    """
    frame = read_collection(collection).inspections
    kept = frame.filter(pl.col("finished") & (pl.col("state") != "superseded") & (pl.col("site_id") != ""))
    made = kept.unique("inspection_id", keep="last", maintain_order=True).select(
        "inspection_id",
        "site_id",
        _day_of("begun_at").alias("on"),
        "findings",
        pl.lit(None, pl.String).alias("campaign"),
    )
    return made.filter(pl.col("on").is_not_null())


def _day_of(column: str) -> pl.Expr:
    return pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
