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
        folder, whose ``service_classes`` are taken: scans may say a class by its id, or by its name in either
        language where no other class has that word.

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
        found = _of_network(read_network(path).service_classes)
    else:
        found = _of_file(path)
    if not found.height:
        message = "No class promises anything."
        raise InputError([Problem("no-promise", message, path.name, column="promise_h", expected="hours")])
    return found


def _of_network(classes: pl.DataFrame) -> pl.DataFrame:
    """Return the promises under every word that means one class: its id first, then its names."""
    ids: list[str] = classes["service_class"].cast(pl.String).to_list()
    columns = [name for name in ("name", "name_zh") if name in classes.columns]
    names: list[list[str | None]] = [classes[name].cast(pl.String).to_list() for name in columns]
    meant: dict[str, set[str]] = {}
    for column in names:
        for word, of in zip(column, ids, strict=True):
            if word and word not in ids:
                meant.setdefault(word, set()).add(of)
    given: list[float | None] = classes["promise_h"].cast(pl.Float64).to_list()
    hours = dict(zip(ids, given, strict=True))
    hours |= {word: hours[next(iter(of))] for word, of in meant.items() if len(of) == 1}
    found = {word: h for word, h in hours.items() if h is not None}
    schema = {"service_class": pl.String(), "promise_h": pl.Float64()}
    return pl.DataFrame({"service_class": list(found), "promise_h": list(found.values())}, schema=schema)


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
