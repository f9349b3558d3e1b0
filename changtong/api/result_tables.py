"""Tables among the files of a run, as pages draw them: columns and their types, sorted, a part at a time."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from changtong.api.answers import IfNoneMatch, is_known
from changtong.api.people import Asks, Serves
from changtong.api.runs import result_file, seen
from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.spreadsheets import with_formulas

router = APIRouter(prefix="/api/v1/runs/{run_id}/tables", tags=["studies"])

MOST_BYTES = 64_000_000
"""Of a table that is read here; larger ones are read as files."""

MOST_ROWS = 5_000
SUFFIXES = (".csv", ".parquet")

NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"
TEXT = re.compile(
    r"(^|_)(id|ids|site|sites|leg|legs|code|codes|case|label|name|place|firm|type|weekdays|at|day|date)$"
)
"""Columns of CSV files that are text whatever they hold: 0440 is no number, nor is a site called 12."""


@router.get("")
def list_tables(asks: Asks, serves: Serves, run_id: str) -> dict[str, Any]:
    """List the tables of a run's result, by the names of their files."""
    files = (seen(asks, serves, run_id).outcome or {}).get("files", {})
    told = [{"name": name, "bytes": size} for name, size in sorted(files.items()) if name.endswith(SUFFIXES)]
    return {"tables": told}


@router.get("/{name:path}", response_model=None)
def read_table(
    asks: Asks,
    serves: Serves,
    run_id: str,
    name: str,
    columns: Annotated[str, Query(max_length=2_000, description="Names, by comma; all without it.")] = "",
    sort: Annotated[
        str, Query(max_length=200, description="Columns, by comma; -column: the largest first.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 1_000,
    after: Annotated[int, Query(ge=0, description="`next` of the answer before.")] = 0,
    if_none_match: IfNoneMatch = "",
) -> dict[str, Any] | Response:
    """Read a table as columns: text, number or boolean; what is empty is null and stands last when sorted."""
    path = _table_file(result_file(asks, serves, run_id, name), name)
    state = path.stat()
    asked = json.dumps([run_id, name, columns, sort, limit, after, state.st_size, state.st_mtime_ns])
    tag = f'"{hashlib.sha256(asked.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if is_known(tag, if_none_match):
        return Response(status_code=304, headers=headers)
    frame = typed(_rows_of(path))
    wanted, order = _names(columns), _names(sort)
    _check_known(frame, wanted, [one.removeprefix("-") for one in order])
    if order:
        frame = frame.sort(
            [one.removeprefix("-") for one in order],
            descending=[one.startswith("-") for one in order],
            nulls_last=True,
            maintain_order=True,
        )
    part = frame.select(wanted or frame.columns).slice(after, limit)
    end = after + part.height
    told = {
        "name": name,
        "rows": frame.height,
        "columns": [{"name": one, "type": _word(kind)} for one, kind in part.schema.items()],
        "values": {one: _plain(part[one]) for one in part.columns},
        "next": end if end < frame.height else None,
    }
    return JSONResponse(told, headers=headers)


def typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table of texts with numbers and truth where all of a column is that; ids stay text.

    Examples
    --------
    >>> typed(pl.DataFrame({"site_id": ["01"], "code": ["7"], "pieces": ["1.5"], "served": ["true"]})).dtypes
    [String, String, Float64, Boolean]
    """
    made = []
    for name, kind in frame.schema.items():
        texts = frame[name]
        if kind != pl.String or TEXT.search(name) or texts.null_count() == frame.height:
            continue
        if texts.drop_nulls().is_in(["true", "false"]).all():
            made.append((pl.col(name) == "true").alias(name))
        elif texts.drop_nulls().str.contains(NUMBER).all():
            made.append(pl.col(name).cast(pl.Float64))
    return frame.with_columns(made)


def _table_file(path: Path, name: str) -> Path:
    if not name.endswith(SUFFIXES):
        raise NotFoundError("This file is no table.")
    if path.stat().st_size > MOST_BYTES:
        text = (
            f"{name} has {path.stat().st_size:,} bytes; {MOST_BYTES:,} are read here: read the file itself."
        )
        raise UsageError(text, "too-large")
    return path


def _rows_of(path: Path) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        return with_formulas(pl.read_csv(path, infer_schema=False))
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{path.name} cannot be read as a table.", "unreadable-file") from error


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))


def _check_known(frame: pl.DataFrame, columns: list[str], order: list[str]) -> None:
    expected = ", ".join(frame.columns)
    problems = [
        Problem(
            "unknown-column", f"The table has no column {one}.", column=f"query.{where}", expected=expected
        )
        for where, names in (("columns", columns), ("sort", order))
        for one in names
        if one not in frame.columns
    ]
    if problems:
        raise InputError(problems)


def _word(kind: pl.DataType) -> str:
    if kind == pl.Boolean:
        return "boolean"
    return "number" if kind.is_numeric() else "text"


def _plain(values: pl.Series) -> list[Any]:
    """Return values as JSON knows them; a number without an end is null."""
    if values.dtype.is_float():
        return values.set(~values.is_finite(), None).to_list()
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return values.to_list()
    return [None if one is None else str(one) for one in values.to_list()]
