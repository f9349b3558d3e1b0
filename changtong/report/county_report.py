"""The page of a county's delivery: three answers side by side, who gains, map, what is left, timetables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polars as pl

from changtong.report.county_coverage import coverage_section
from changtong.report.county_map import draw_county
from changtong.report.county_view import (
    answers,
    best_answer,
    figure_rows,
    headline,
    split_rows,
    unserved_rows,
)
from changtong.report.county_words import bus_names, say_clock, say_days, say_pieces, say_vehicle
from changtong.report.page import render_page
from changtong.report.plan_report import check_options, page_data
from changtong.report.texts import Both, Language, has_text, named, same, text, whole
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.county_question import CountySettings
from changtong.rural.coverage_definition import CoverageDefinition
from changtong.rural.route_files import site_names
from changtong.rural.timetables import bus_timetable, station_timetable
from changtong.written_files import write_beside

UNSERVED_ROWS = 300
STATIONS_TIMED = 120
"""Stations whose timetables are on the page; all are in ``station_timetable.csv``."""

ASSUMED_ROWS = 80
Row = dict[str, Any]


def write_county_report(
    result: CountyResult,
    path: str | os.PathLike[str],
    *,
    language: Language = "zh",
    definition: CoverageDefinition | None = None,
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    result : CountyResult
    path : path
        Of the page.
    language : {"zh", "en"}
        The language it opens in; both are in it.
    definition : CoverageDefinition, optional
        When a village counts as served; by default the built-in one.

    Returns
    -------
    Path
        The page.
    """
    return write_beside(Path(path), county_report_page(result, language=language, definition=definition))


def county_report_page(
    result: CountyResult, *, language: Language = "zh", definition: CoverageDefinition | None = None
) -> str:
    """Return the page as text: one file that loads nothing.

    Parameters
    ----------
    result : CountyResult
    language : {"zh", "en"}
    definition : CoverageDefinition, optional
    """
    check_options(language, None)
    county, made, best = result.county, answers(result), best_answer(result)
    names = site_names(county)
    unserved, unserved_total = unserved_rows(made, names, UNSERVED_ROWS)
    plan = best.plans[0]
    timetables, timed_more = _timetables(plan, county)
    context: Row = {
        "language": language,
        "name": county.name,
        **headline(result),
        "answers": [{"name": one.name, "best": one.key == best.key} for one in made],
        "figures": figure_rows(made),
        "carbon_unknown": any(one.kgco2e is None for one in made),
        "split": split_rows(result.split),
        "split_note": text("county.split_note", piece=whole(_piece_cny(result))),
        "picture": draw_county(county, _map_plans(result, best.key)),
        "unserved": unserved,
        "unserved_total": unserved_total,
        "best_name": best.name,
        "timetables": timetables,
        "timed_more": timed_more,
        "buses": _bus_rows(plan, county, names),
        "coverage": coverage_section(county, plan, definition),
        "assumed": _assumed(county),
        "facts": _facts(result),
        "data": page_data(text("county.title")),
    }
    return render_page(
        "county.html.j2",
        styles=["style.css", "county.css"],
        scripts=["page.js", "county.js"],
        context=context,
    )


def _map_plans(result: CountyResult, best: str) -> list[tuple[Both, CountyPlan]]:
    together = [(text("county.shared"), result.shared)]
    if result.with_buses is not None:
        together.append((text("county.with_buses"), result.with_buses))
        if best == "with_buses":
            together.reverse()
    return together + [
        (text("county.alone") + same(f" · {firm}"), plan) for firm, plan in result.alone.items()
    ]


def _timetables(plan: CountyPlan, county: County) -> tuple[list[Row], int]:
    """Return the timetables of the hub and the first stations, and how many stations more there are."""
    names, buses = site_names(county), bus_names(county.buses)
    ready = dict(plan.stations.select("site_id", "ready").iter_rows())
    made = []
    table = station_timetable(plan, county)
    groups = table.partition_by("site_id", maintain_order=True)
    for rows in groups[: STATIONS_TIMED + 1]:
        site = rows["site_id"][0]
        made.append(
            {
                "name": names[site],
                "ready": text("county.ready", time=say_clock(ready[site])) if ready.get(site) else None,
                "days": _station_days(rows.to_dicts(), buses),
            }
        )
    return made, max(0, len(groups) - STATIONS_TIMED - 1)


def _station_days(rows: list[Row], buses: dict[str, str]) -> list[Row]:
    """Return a station's timetable for each set of days that are alike."""
    alike: dict[tuple[int, ...], str] = {}
    for day in "1234567":
        held = tuple(k for k, row in enumerate(rows) if day in row["weekdays"])
        if held:
            alike[held] = alike.get(held, "") + day
    return [
        {"said": say_days(days), "rows": [_event(rows[k], buses) for k in held]}
        for held, days in alike.items()
    ]


def _event(row: Row, buses: dict[str, str]) -> Row:
    return {
        "at": say_clock(row["at"]),
        "tier": named("tier", row["tier"]),
        "vehicle": say_vehicle(row["vehicle_type"], row["vehicle"], row["tier"], buses),
        "event": text(f"county_event.{row['event']}"),
        "into": say_pieces(row["into_pieces"]),
        "out": say_pieces(row["out_pieces"]),
        "into_cold": _cold(row["into_cold_pieces"]),
        "out_cold": _cold(row["out_cold_pieces"]),
    }


def _cold(pieces: float) -> Both | None:
    return text("county.cold_of", pieces=whole(pieces)) if pieces > 0 else None


def _bus_rows(plan: CountyPlan, county: County, names: dict[str, str]) -> list[Row]:
    return [
        {
            "bus": row["bus_name"] or row["bus_id"],
            "days": say_days(row["weekdays"]),
            "place": names[row["site_id"]],
            "at": say_clock(row["arrives"]),
            "into": say_pieces(row["delivered_pieces"]),
            "out": say_pieces(row["collected_pieces"]),
        }
        for row in bus_timetable(plan, county).iter_rows(named=True)
    ]


def _assumed(county: County) -> list[Row]:
    rows = county.provenance.filter(pl.col("kind") == "assumed").head(ASSUMED_ROWS)
    return [
        {key: row[key] or "–" for key in ("table", "column", "source", "note")}
        for row in rows.iter_rows(named=True)
    ]


def _piece_cny(result: CountyResult) -> float:
    """Return what an unserved piece weighed when the saving was split."""
    return float(result.settings.get("unserved_cny_per_piece", CountySettings().unserved_cny_per_piece))


def _facts(result: CountyResult) -> list[tuple[Both, str]]:
    made: list[tuple[Both, str]] = [
        (text("county.seed"), str(result.seed)),
        (text("county.seconds"), f"{result.seconds:.1f}"),
    ]
    for key, value in result.settings.items():
        label = text(f"county.{key}") if has_text(f"county.{key}") else same(key)
        made.append((label, f"{value:g}" if isinstance(value, float) else str(value)))
    return made
