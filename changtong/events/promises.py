"""What each service class promises: from a file of its own, or from a network."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings
from changtong.network.io import read_network

COLUMNS = {"service_class": pl.String(), "promise_h": pl.String()}
MOST_H = 24.0 * 365
"""The longest look-back of the indicators: no longer promise can be judged."""


def read_promises(path: str | Path) -> pl.DataFrame:
    """Read the hours that classes promise.

    Parameters
    ----------
    path : path
        A CSV file (``service_class``, ``promise_h``; without hours a class promises nothing), or a network
        folder, whose ``service_classes`` are taken.

    Returns
    -------
    polars.DataFrame
        ``service_class`` and ``promise_h``, of the classes that promise something; for `indicators`.

    Raises
    ------
    InputError
        Every problem of the file, or ``no-promise``: no class promises anything.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "promises.csv"
    >>> _ = file.write_text("service_class,promise_h\\nexpress,24\\nordinary,\\n")
    >>> read_promises(file).rows()
    [('express', 24.0)]
    """
    path = Path(path)
    if path.is_dir():
        classes = read_network(path).service_classes
        found = classes.select(pl.col("service_class").cast(pl.String), pl.col("promise_h").cast(pl.Float64))
        found = found.drop_nulls()
    else:
        found = _of_file(path)
    if not found.height:
        message = "No class promises anything."
        raise InputError([Problem("no-promise", message, path.name, column="promise_h", expected="hours")])
    return found


def _of_file(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise InputError([Problem("missing-file", "There is no such file.", str(path))])
    findings = Findings()
    frame = read_csv_file(path, COLUMNS, COLUMNS, findings, {})
    problems = list(findings.errors)
    if frame is not None:
        frame = frame.rename({name: name.strip() for name in frame.columns})
        problems += [
            Problem("missing-column", f"There is no column {name!r}.", path.name, 0, name, ", ".join(COLUMNS))
            for name in COLUMNS
            if name not in frame.columns
        ]
    if frame is None or problems:
        raise InputError(problems)
    rows: dict[str, float] = {}
    seen: set[str] = set()
    for number, (name, text) in enumerate(frame.select(*COLUMNS).iter_rows(), 1):
        name, text = (name or "").strip(), (text or "").strip()
        if not name and not text:
            continue
        if not name:
            problems.append(
                Problem("missing-value", "The class is empty.", path.name, number, "service_class")
            )
        elif name in seen:
            message = f"The class {name!r} stands twice."
            problems.append(Problem("duplicate-class", message, path.name, number, "service_class"))
        seen.add(name)
        if text:
            hours = _hours(text)
            if hours is None:
                message, expected = f"{text!r} is no number of hours.", f"above 0, at most {MOST_H:g}"
                problems.append(Problem("bad-promise", message, path.name, number, "promise_h", expected))
            else:
                rows[name] = hours
    if problems:
        raise InputError(problems)
    schema = {"service_class": pl.String, "promise_h": pl.Float64}
    return pl.DataFrame(list(rows.items()), schema=schema, orient="row")


def _hours(text: str) -> float | None:
    try:
        hours = float(text)
    except ValueError:
        return None
    return hours if math.isfinite(hours) and 0.0 < hours <= MOST_H else None
