"""Volumes of every leg and site some weeks ahead."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.forecast.calendar import Calendar, Mark
from changtong.forecast.closures import Closure, read_closures
from changtong.forecast.history import Floats, History, build_history
from changtong.forecast.intervals import Past, bands, gather_scores, interval_basis
from changtong.forecast.projection import Projection, Site, project, sides
from changtong.forecast.result import COLUMNS, Forecast
from changtong.network.leg_volumes import read_volumes

MOST_DAYS_AHEAD = 366
DAYS_PER_YEAR = 365
SHORT_DAYS = 21
NAMED_SITES = 8
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORDS = {
    "spring": "Spring Festival",
    "rest-long": "long holidays",
    "rest-short": "short holidays",
    "make-up": "make-up working days",
}

Progress = Callable[[str, float], None]


def forecast_volumes(
    volumes: pl.DataFrame | str | Path,
    *,
    until: date | str | None = None,
    days: int = 31,
    closures: pl.DataFrame | str | Path | None = None,
    progress: Progress | None = None,
) -> Forecast:
    """Forecast every leg and site: level and trend, weekday, holidays, promotions, intervals of 80 %.

    Parameters
    ----------
    volumes : frame or path
        date, from_site, to_site, pieces (a day). A leg without a row on a day on which there
        are others carried nothing; a day without any row is unknown.
    until : date, optional
        First day of the forecast: days before it count. Default: the day after the last one.
    days : int
        Days of the forecast, 1 to 366.
    closures : frame or path, optional
        Known closures of sites and legs, past and ahead (:func:`changtong.forecast.closures.read_closures`):
        past ones tell nothing of levels, on days ahead the forecast is 0.
    progress : callable, optional
        Told the stage and the share done.

    Returns
    -------
    Forecast

    Raises
    ------
    InputError
        The volumes or closures cannot be read, a leg stands twice on a day, ``until`` lies outside.
    UsageError
        ``days`` below 1 or above 366.
    """
    begin = time.perf_counter()
    if not 1 <= days <= MOST_DAYS_AHEAD:
        raise UsageError(f"days {days}: must lie between 1 and {MOST_DAYS_AHEAD}.")
    asked = None if until is None else _date(until)
    check_libraries()
    frame = read_volumes(volumes, unique=True)
    name = "volumes" if isinstance(volumes, pl.DataFrame) else Path(volumes).name
    if frame.height == 0:
        raise InputError([Problem("empty-table", "Every row joins a site with itself.", name)])
    first = _first_day(frame, asked, name)
    known = () if closures is None else read_closures(closures, _legs(frame))
    history = build_history(frame, first, known, days)
    calendar = Calendar(history.begin, first + timedelta(days=days - 1))
    marks = calendar.marks([history.day(k) for k in range(history.days + days)])
    told = progress or (lambda stage, share: None)
    told("errors of the past", 0.0)
    past = gather_scores(history, marks, days, progress=told)
    made = project(history, marks)
    told("table", 0.98)
    return Forecast(
        name,
        first,
        days,
        _frame(history, made, _all_bands(made, past, marks[history.days :])),
        (*_notes(history, made, marks, calendar), *_closure_notes(known, history, days),
         interval_basis(past.tried, made)),
        history.days,
        time.perf_counter() - begin,
        history=frame.filter((pl.col("date") >= history.begin) & (pl.col("date") < first)),
        errors=past.errors,
        calendar=_calendar_frame(history, calendar, days),
        closures=known,
    )  # fmt: skip


def _legs(frame: pl.DataFrame) -> list[tuple[str, str]]:
    return list(frame.select("from_site", "to_site").unique().sort("from_site", "to_site").iter_rows())


def _all_bands(
    made: Projection, past: Past, ahead: Sequence[Mark | None]
) -> dict[str, tuple[Floats, Floats]]:
    """Return lower and upper ends of legs, sites and the total."""
    marked = np.array([mark is not None for mark in ahead])
    unseen = np.array([mark in made.effects.unseen for mark in ahead])
    return {
        "leg": bands(made.legs, past.legs, marked, unseen),
        "site": bands(made.sites, past.sites, marked, unseen),
        "total": bands(made.total, past.total, marked, unseen),
    }


def _calendar_frame(history: History, calendar: Calendar, ahead: int) -> pl.DataFrame:
    """Return the marked days of history and forecast."""
    days = [history.day(k) for k in range(history.days + ahead)]
    rows = [
        (day, mark.event, mark.part, mark.offset, name)
        for day, mark, name in zip(days, calendar.marks(days), calendar.names(days), strict=True)
        if mark is not None
    ]
    schema = {"date": pl.Date, "event": pl.String, "part": pl.String, "offset": pl.Int64, "name": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def check_libraries() -> None:
    """Say how to install the libraries of forecasts where they are missing.

    Raises
    ------
    UsageError
    """
    missing = [name for name in ("holidays", "statsforecast") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Forecasts need {' and '.join(missing)}: pip install 'changtong[forecast]'.", "missing-library"
        )


def _date(value: date | str) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError as error:
        raise InputError([Problem("wrong-type", f"{value!r} is no date.", expected="YYYY-MM-DD")]) from error


def _first_day(frame: pl.DataFrame, asked: date | None, name: str) -> date:
    opened: date = frame["date"].min()  # type: ignore[assignment]
    after: date = frame["date"].max() + timedelta(days=1)  # type: ignore[assignment, operator]
    if asked is not None and not opened < asked <= after:
        expected = f"{opened + timedelta(days=1)} to {after}, a day after the first one of the volumes"
        problem = Problem("until-outside", f"{asked} lies outside the volumes.", name, None, "date", expected)
        raise InputError([problem])
    return asked or after


def _frame(history: History, made: Projection, ends: dict[str, tuple[Floats, Floats]]) -> pl.DataFrame:
    """Lay legs, sites and the total out as rows, one for each day."""
    days = made.legs.pieces.shape[1]
    dates = [history.day(history.days + k) for k in range(days)]
    places, n_legs = sides(history), len(history.from_sites)
    sums = len(places) + 1
    columns = {
        "kind": ["leg"] * n_legs + ["site"] * len(places) + ["total"],
        "from_site": [*history.from_sites, *(None if side.inbound else side.name for side in places), None],
        "to_site": [*history.to_sites, *(side.name if side.inbound else None for side in places), None],
        "site": [*([None] * n_legs), *(side.name for side in places), None],
        "state": [*made.states, *(_site_state(side, made.states) for side in places), _state(made.states)],
        "method": [*made.methods, *(["sum of legs"] * sums)],
    }
    rows = pl.DataFrame(columns, schema_overrides=dict.fromkeys(("from_site", "to_site", "site"), pl.String))
    numbers = {
        "pieces": [made.legs.pieces, made.sites.pieces, made.total.pieces],
        "low_pieces": [ends[kind][0] for kind in ("leg", "site", "total")],
        "high_pieces": [ends[kind][1] for kind in ("leg", "site", "total")],
    }
    row = np.repeat(np.arange(rows.height), days)
    return (
        rows[row]
        .with_columns(pl.Series("date", dates * rows.height, pl.Date))
        .with_columns(pl.Series(key, np.vstack(parts).ravel()) for key, parts in numbers.items())
        .select(COLUMNS)
    )


def _site_state(side: Site, states: list[str]) -> str:
    return _state([states[leg] for leg in side.legs])


def _state(of_legs: list[str]) -> str:
    return "active" if "active" in of_legs else "new" if "new" in of_legs else "dead"


def _closure_notes(closures: Sequence[Closure], history: History, days: int) -> tuple[str, ...]:
    """Say what known closures do here."""
    if not closures:
        return ()
    past, ahead = history.was_shut, history.will_be_shut(days)
    n_past, n_ahead = (np.count_nonzero(shut.any(axis=1)) for shut in (past, ahead))
    note = (
        f"known closures: {n_past:,} legs shut on some days of the past, which are left out; {n_ahead:,} on"
        " some days ahead, which are forecast 0"
    )
    moved = int(np.count_nonzero((history.pieces > 0) & past))
    if moved:
        note += f"; on {moved:,} such leg-days of the past pieces moved all the same"
    return (note,)


def _notes(
    history: History, made: Projection, marks: Sequence[Mark | None], calendar: Calendar
) -> tuple[str, ...]:
    """Say what could not be learned, what is assumed, what is silent."""
    notes = []
    if history.days == 1:
        notes.append("one day of history: every day is forecast like it, but for promotions")
    elif np.count_nonzero(history.known) < SHORT_DAYS:
        notes.append(f"{history.days} days of history: levels only, no model and hardly a weekday is learned")
    unseen = made.effects.unseen
    others = sorted({WORDS[mark.event] for mark in unseen if not mark.part})
    if others:
        year = "less than a year of history: " if history.days < DAYS_PER_YEAR else ""
        notes.append(
            f"{year}{', '.join(others)} not or not wholly seen yet: effects cannot be learned, days count as"
            " ordinary or as those of a long holiday; intervals wider"
        )
    if any(mark.part for mark in unseen):
        notes.append(
            "days of promotions that the history has not seen yet: factors are assumed (docs/forecast.md);"
            " intervals wider"
        )
    ahead = range(history.day(history.days).year, history.day(len(marks) - 1).year + 1)
    years = [year for year in calendar.unannounced_years if year in ahead]
    if years:
        notes.append(f"make-up working days of {', '.join(map(str, years))} are not known")
    unknown = int(np.count_nonzero(~history.known))
    if history.rest_weekdays:
        resting = ", ".join(WEEKDAYS[k] for k in sorted(history.rest_weekdays))
        notes.append(f"never a row on a {resting}: forecast 0")
    elif unknown:
        notes.append(f"{unknown} of {history.days} days have no row at all: unknown, not zero")
    dead = made.states.count("dead")
    if dead:
        silent = [side for side in sides(history) if _site_state(side, made.states) == "dead"]
        names_ = sorted({side.name for side in silent})
        shown = ", ".join(names_[:NAMED_SITES]) + (" …" if len(names_) > NAMED_SITES else "")
        where = f"; sites with a wholly silent side: {shown}" if shown else ""
        notes.append(f"{dead:,} legs silent for weeks: forecast 0{where}")
    return tuple(notes)
