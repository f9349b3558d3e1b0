"""How long what is kept, as data with its source, and which records are due."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, NotFoundError, Problem, UsageError
from changtong.privacy.mask_rules import PROVENANCES

_TEXTS = ("name_zh", "basis", "provenance", "source")
_NUMBERS = ("keep_at_least_days", "delete_after_days")
MOST_DAYS = 36_500


@dataclass(frozen=True)
class RetentionRule:
    """How long one sort of record is kept.

    Attributes
    ----------
    name, name_zh, basis : str
    keep_at_least_days, delete_after_days : int or None
        None: no figure is known, or it is the user's to decide.
    provenance, source : str
    """

    name: str
    name_zh: str
    basis: str
    provenance: str
    source: str
    keep_at_least_days: int | None = None
    delete_after_days: int | None = None

    def due_before(self, now: datetime) -> datetime:
        """Return the instant before which records are due.

        Raises
        ------
        UsageError
            ``open-period``: the rule has no period.
        """
        if self.delete_after_days is None:
            text = f"{self.name} has no delete_after_days: no figure is known. Give one in a file of rules."
            raise UsageError(text, "open-period")
        if now.tzinfo is None:
            raise UsageError("Give the time with a time zone.")
        return now - timedelta(days=self.delete_after_days)


def read_retention(path: str | os.PathLike[str] | None = None) -> dict[str, RetentionRule]:
    """Read rules of retention.

    Parameters
    ----------
    path : path, optional
        TOML of the form of ``changtong/privacy/retention.toml``; without it the built-in rules.

    Raises
    ------
    InputError
        ``bad-retention``, with every problem of the file.
    """
    place = files("changtong.privacy").joinpath("retention.toml") if path is None else Path(path)
    problems: list[Problem] = []
    rules = {name: rule_of(name, part, place.name, problems) for name, part in read_sections(place).items()}
    if problems:
        raise InputError(problems)
    return rules


def read_sections(place: Path | Traversable) -> dict[str, Any]:
    """Read a file of rules as its sections, which are not looked into.

    Raises
    ------
    InputError
        ``bad-retention``.
    """
    try:
        return tomllib.loads(place.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError([_wrong(f"The rules cannot be read ({error}).", place.name, None)]) from error


def named_rule(rules: dict[str, RetentionRule], name: str) -> RetentionRule:
    """Return a rule by its name.

    Raises
    ------
    NotFoundError
    """
    if name not in rules:
        raise NotFoundError(f"There is no rule {name!r}; there is {', '.join(rules)}.")
    return rules[name]


def _wrong(message: str, file: str, name: str | None, expected: str = "") -> Problem:
    return Problem("bad-retention", message, file, None, name, expected=expected)


def rule_of(name: str, part: Any, file: str, problems: list[Problem]) -> RetentionRule:
    """Return a section as a rule; what is wrong with it is added to the problems."""
    if not isinstance(part, dict):
        problems.append(_wrong(f"{name} is no rule.", file, name))
        part = {}
    for key in part:
        if key not in (*_TEXTS, *_NUMBERS):
            problems.append(_wrong(f"{key} is unknown.", file, name, ", ".join((*_TEXTS, *_NUMBERS))))
    texts: dict[str, Any] = {key: part.get(key) for key in _TEXTS}
    problems += [
        _wrong(f"{k} is missing.", file, name, "words")
        for k, v in texts.items()
        if not isinstance(v, str) or not v
    ]
    if texts["provenance"] not in PROVENANCES:
        problems.append(_wrong("provenance is unknown.", file, name, ", ".join(PROVENANCES)))
    numbers = {key: part.get(key) for key in _NUMBERS}
    for key, value in numbers.items():
        good = value is None or (
            isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DAYS
        )
        if not good:
            problems.append(
                _wrong(f"{key} is {value!r}.", file, name, f"a whole number of days, 0 to {MOST_DAYS}")
            )
            numbers[key] = None
    least, most = numbers["keep_at_least_days"], numbers["delete_after_days"]
    if least is not None and most is not None and most < least:
        problems.append(_wrong("delete_after_days is less than keep_at_least_days.", file, name))
    return RetentionRule(name=name, **numbers, **texts)


def due_rows(frame: pl.DataFrame, column: str, rule: RetentionRule, now: datetime) -> pl.Series:
    """Return for each row whether it is due for deletion.

    Parameters
    ----------
    frame : polars.DataFrame
    column : str
        When the record was made: instants, dates, or both as ISO 8601 text. Those without a zone are UTC;
        a date is over at its end.
    rule : RetentionRule
    now : datetime
        With a zone.

    Raises
    ------
    UsageError
        ``open-period``.
    InputError
        ``undated-record``: rows whose time is empty or cannot be read; nothing is decided then.

    Examples
    --------
    >>> from datetime import UTC
    >>> frame = pl.DataFrame({"at": ["2020-01-01", "2026-11-01"]})
    >>> due_rows(frame, "at", read_retention()["demonstration"], datetime(2026, 11, 27, tzinfo=UTC)).to_list()
    [True, False]
    """
    before = rule.due_before(now).astimezone(UTC)
    if column not in frame.columns:
        raise NotFoundError(f"No column {column!r}; there is {', '.join(frame.columns[:50])}.")
    at = _instants(frame[column])
    if at.null_count():
        rows = at.is_null().arg_true().to_list()
        raise InputError(
            [
                Problem(
                    "undated-record",
                    "The time of this record is empty or cannot be read.",
                    None,
                    row + 1,
                    column,
                )
                for row in rows[:1000]
            ]
        )
    return (at < before).alias("due")


def _instants(values: pl.Series) -> pl.Series:
    """Return times as instants in UTC; None where there is none."""
    kind = values.dtype
    if kind == pl.Date:
        return (values.cast(pl.Datetime("us")) + timedelta(days=1)).dt.replace_time_zone("UTC")
    if isinstance(kind, pl.Datetime):
        return (
            values.dt.replace_time_zone("UTC")
            if kind.time_zone is None
            else values.dt.convert_time_zone("UTC")
        )
    made = [_instant(text) for text in values.cast(pl.String)]
    return pl.Series(values.name, made, pl.Datetime("us", "UTC"))


def _instant(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    try:
        if len((text or "").strip()) <= 10:
            at += timedelta(days=1)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:  # at one of the ends of years: 9999-12-31 is often written for "for ever"
        return (datetime.max if at.year > 1 else datetime.min).replace(tzinfo=UTC)
