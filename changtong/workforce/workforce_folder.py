"""What is known of a workforce, as a folder of tables: volumes, people, absences, deliveries, attendance."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.network.misnamed_files import misnamed_files
from changtong.safety.supervision import read_table
from changtong.workbook_sheets import label_of
from changtong.workforce.roster_rules import RosterRules, read_roster_rules

RULES_FILE = "rules.toml"
ENDINGS = (".csv", ".csv.gz", ".parquet", ".xlsx")
MOST_UNPACKED = 2_000_000_000
LISTED = 50

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "hourly": {"site": pl.String(), "date": pl.Date(), "hour": pl.Int64(), "pieces": pl.Float64()},
    "daily": {"site": pl.String(), "date": pl.Date(), "pieces": pl.Float64()},
    "people": {"person_id": pl.String(), "site": pl.String()},
    "absences": {"person_id": pl.String(), "date": pl.Date()},
    "deliveries": {
        "date": pl.Date(), "courier": pl.String(), "outlet": pl.String(), "area": pl.String(),
        "pieces": pl.Float64(), "hours": pl.Float64(), "km": pl.Float64(),
    },
    "attendance": {
        "person_id": pl.String(), "begin": pl.String(), "end": pl.String(), "break_h": pl.Float64(),
        "kind": pl.String(),
    },
}  # fmt: skip
"""Tables of the folder and their columns. ``kind`` of attendance: work, or leave."""

NEEDED: dict[str, tuple[str, ...]] = {
    "hourly": ("site", "date", "hour", "pieces"),
    "daily": ("site", "date", "pieces"),
    "people": ("person_id", "site"),
    "absences": ("person_id", "date"),
    "deliveries": ("date", "courier", "outlet", "pieces"),
    "attendance": ("person_id", "begin", "end"),
}
KEYS: dict[str, tuple[str, ...]] = {
    "hourly": ("site", "date", "hour"),
    "daily": ("site", "date"),
    "people": ("person_id",),
    "absences": ("person_id", "date"),
    "deliveries": ("date", "courier", "outlet", "area"),
    "attendance": ("person_id", "begin"),
}


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMAS[name])


@dataclass(frozen=True)
class Workforce:
    """What is known of a workforce.

    Attributes
    ----------
    name : str
    rules : RosterRules
    hourly, daily, people, absences, deliveries, attendance : polars.DataFrame
        As `SCHEMAS`; empty where there is no such file. An hour without a row brought nothing.
    """

    name: str
    rules: RosterRules
    hourly: pl.DataFrame = field(default_factory=lambda: _empty("hourly"))
    daily: pl.DataFrame = field(default_factory=lambda: _empty("daily"))
    people: pl.DataFrame = field(default_factory=lambda: _empty("people"))
    absences: pl.DataFrame = field(default_factory=lambda: _empty("absences"))
    deliveries: pl.DataFrame = field(default_factory=lambda: _empty("deliveries"))
    attendance: pl.DataFrame = field(default_factory=lambda: _empty("attendance"))

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name, with the rules as one more."""
        rules = pl.DataFrame(
            {"rules": [json.dumps(self.rules.to_dict(), ensure_ascii=False, sort_keys=True)]}
        )
        return {name: getattr(self, name) for name in SCHEMAS} | {"rules": rules}


def read_workforce(
    folder: str | os.PathLike[str],
    *,
    rules: str | os.PathLike[str] | RosterRules | None = None,
    needs: tuple[str, ...] = (),
) -> Workforce:
    """Read a folder: of each table of `SCHEMAS` a CSV file, also packed (.csv.gz), XLSX or Parquet.

    Parameters
    ----------
    folder : path
    rules : path or RosterRules, optional
        By default ``rules.toml`` of the folder, or the shipped example.
    needs : tuple of str
        Tables that must be there.

    Raises
    ------
    UsageError
        ``missing-folder``.
    InputError
        Every problem of every table at once; ``bad-roster-rules``.
    """
    where = Path(folder)
    if not where.is_dir():
        raise UsageError(f"{where} is no folder.", "missing-folder")
    problems = misnamed_files(where, (*(f"{name}{end}" for name in SCHEMAS for end in ENDINGS), RULES_FILE))
    tables: dict[str, pl.DataFrame] = {}
    labels: dict[str, str] = {}
    for name in SCHEMAS:
        there = [where / f"{name}{end}" for end in ENDINGS if (where / f"{name}{end}").is_file()]
        if len(there) > 1:
            both = " and ".join(one.name for one in there)
            problems.append(Problem("ambiguous-table", f"{both} are both there.", expected="one of them"))
            continue
        file = there[0] if there else None
        if file is None:
            if name in needs:
                expected = " or ".join(f"{name}{end}" for end in ENDINGS)
                problems.append(
                    Problem("missing-file", "there is no such file.", f"{name}.csv", expected=expected)
                )
            continue
        labels[name] = label_of(file, name)
        try:
            tables[name] = read_workforce_table(name, file)
        except InputError as error:
            problems += error.problems
    own = where / RULES_FILE
    known: RosterRules | None = rules if isinstance(rules, RosterRules) else None
    if known is None:
        try:
            known = read_roster_rules(rules if rules is not None else own if own.is_file() else None)  # type: ignore[arg-type]
        except InputError as error:
            problems += error.problems
    problems += _across(tables, labels)
    if problems or known is None:
        raise InputError(problems)
    return Workforce(where.resolve().name, known, **tables)


def read_workforce_table(name: str, file: Path) -> pl.DataFrame:
    """Read one table, with every problem told.

    Parameters
    ----------
    name : str
        Of `SCHEMAS`.
    file : Path

    Raises
    ------
    InputError
    """
    with _plain(file) as plain:
        frame = read_table(plain, SCHEMAS[name], NEEDED[name])
    frame, label = frame.with_columns(pl.col(pl.String).str.strip_chars()), label_of(file, name)
    problems: list[Problem] = []
    for column in ("pieces", "hours", "km", "break_h"):
        if column in frame.columns:
            wrong = frame[column].is_not_null() & ~(frame[column].is_finite() & (frame[column] >= 0))
            problems += _rows(wrong, frame[column], label, "a number, 0 or more")
    if name == "hourly":
        problems += _rows(~frame["hour"].is_between(0, 23), frame["hour"], label, "0 to 23")
    if name == "attendance":
        wrong = frame["kind"].is_not_null() & ~frame["kind"].is_in(["work", "leave"])
        problems += _rows(wrong, frame["kind"], label, "work or leave; empty is work")
    again = ~frame.select(pl.struct(KEYS[name]).is_first_distinct()).to_series()
    for row in again.arg_true().head(LISTED):
        key = ", ".join(str(value) for value in frame.select(KEYS[name]).row(row))
        message = f"{key} is there a second time."
        problems.append(Problem("duplicate-row", message, label, row + 1, KEYS[name][0], "each once"))
    if problems:
        raise InputError(problems)
    return frame


def _rows(wrong: pl.Series, values: pl.Series, file: str, expected: str) -> Iterator[Problem]:
    for row in wrong.fill_null(False).arg_true().head(LISTED):
        message = f"{values[row]!r} is not allowed."
        yield Problem("bad-value", message, file, row + 1, values.name, expected)


def _across(tables: Mapping[str, pl.DataFrame], labels: Mapping[str, str]) -> list[Problem]:
    """Tell of people who are absent and nowhere else."""
    if "absences" not in tables:
        return []
    known = tables["people"]["person_id"].to_list() if "people" in tables else []
    wrong = ~tables["absences"]["person_id"].is_in(known)
    return [
        Problem(
            "unknown-person",
            f"{tables['absences']['person_id'][row]!r} is not among the people.",
            labels["absences"],
            row + 1,
            "person_id",
            "a person_id of people.csv",
        )
        for row in wrong.arg_true().head(LISTED)
    ]


@contextmanager
def _plain(file: Path) -> Iterator[Path]:
    """Give a packed table unpacked, for as long as it is read."""
    if not file.name.endswith(".gz"):
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
        plain = Path(folder) / file.name
        try:
            with gzip.open(file) as packed:
                content = packed.read(MOST_UNPACKED + 1)
            if len(content) > MOST_UNPACKED:
                raise InputError([Problem("unreadable-file", "unpacked it is too large.", file.name)])
            plain.write_bytes(content)
        except (OSError, EOFError, zlib.error) as error:
            message = f"it cannot be unpacked ({str(error).splitlines()[0]})."
            raise InputError([Problem("unreadable-file", message, file.name)]) from error
        yield plain
