"""Outages from a folder of risk areas by county and day, where the user has one.

The folder holds ``daily_county.csv.gz`` (date, level, province, city, county, n_communities). Rule,
assumed: high and middle areas are closed, each of ``PEOPLE`` people; a city loses the share of its
capacity that these are of its people. One outage a city and phase, with the worst day of the phase.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from replay_case import Case, Phase, Stage, phases_of

from changtong import Network, Outage
from changtong.errors import InputError, Problem

FILE = "daily_county.csv.gz"
PEOPLE = 3000
"""People in a closed area: assumed."""

MOST = 0.9
"""Largest share of a city's capacity that is taken away."""

COLUMNS = ("date", "level", "province", "city", "n_communities")


def risk_area_outages(folder: Path, stage: Stage, case: Case) -> tuple[Outage, ...]:
    """Return outages of the cities with closed areas, phase by phase of the case.

    Raises
    ------
    InputError
        The file is not there, or not of this kind, or of other days than the case.
    """
    areas = _read(folder / FILE)
    people = city_people(stage.network)
    found = [outage for phase in phases_of(case, stage.outages) for outage in _of(areas, people, phase, case)]
    if not found:
        message = f"no closed area of {FILE} lies in the days of {case.folder.name}."
        raise InputError([Problem("matches-nothing", message, FILE, expected="days of the case")])
    return tuple(found)


def city_people(network: Network) -> pl.DataFrame:
    """Return city (as in names of city centres), code and people of every city."""
    centres = network.sites.filter(pl.col("name").str.ends_with("分拣中心") & (pl.col("kind") == "sorting"))
    cities = centres.select(
        city=pl.col("name").str.replace("分拣中心", ""),
        code=pl.col("admin_code").cast(pl.String).str.head(4),
    )
    units = network.sites.filter(~pl.col("admin_code").cast(pl.String).str.starts_with("F"))
    people = units.group_by(code=pl.col("admin_code").cast(pl.String).str.head(4)).agg(
        people=pl.col("population").sum()
    )
    return cities.join(people, on="code").filter(pl.col("people") > 0.0)


def _read(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path, infer_schema_length=0)
        frame = frame.select(*COLUMNS).with_columns(pl.col("n_communities").cast(pl.Float64))
    except (OSError, pl.exceptions.PolarsError) as error:
        problem = Problem("unreadable-file", f"{path.name}: {error}", str(path), expected=", ".join(COLUMNS))
        raise InputError([problem]) from error
    municipal = pl.col("province").str.ends_with("市")
    city = pl.when(municipal).then(pl.col("province")).otherwise(pl.col("city")).str.strip_suffix("市")
    closed = frame.filter(pl.col("level").is_in(["high", "middle"]))
    return closed.group_by("date", city=city).agg(pl.col("n_communities").sum())


def _of(areas: pl.DataFrame, people: pl.DataFrame, phase: Phase, case: Case) -> list[Outage]:
    begin, end = (case.start + timedelta(hours=hour) for hour in (phase.begin, phase.end))
    days = pl.col("date").is_between(pl.lit(begin.date().isoformat()), pl.lit(end.date().isoformat()))
    worst = areas.filter(days).group_by("city").agg(pl.col("n_communities").max()).join(people, on="city")
    return [
        _outage(row["city"], row["code"], row["n_communities"] * PEOPLE / row["people"], begin, end)
        for row in worst.sort("code").iter_rows(named=True)
    ]


def _outage(city: str, code: str, closed: float, begin: datetime, end: datetime) -> Outage:
    return Outage(
        label=f"{city} 风险区 risk areas",
        admin_codes=(f"{code}00",),
        capacity_share=1.0 - min(MOST, closed),
        start=begin,
        end=end,
    )
