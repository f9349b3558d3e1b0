"""Route sheets to print: one A4 page for each vehicle and each pattern of days, without names of people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from changtong.report.county_words import bus_names, say_clock, say_days, say_pieces, say_vehicle
from changtong.report.page import render_page
from changtong.report.plan_report import check_options
from changtong.report.projection import fit_conic
from changtong.report.texts import Both, Language, named, text, whole
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.route_files import Trip, site_names, trips
from changtong.rural.timetables import VehicleDay, vehicle_days
from changtong.written_files import write_beside

SHEETS_ON_ONE_PAGE = 300
SHEET_FOLDER = "route-sheets"
SIZES = ((9, "large"), (17, "middle"), (24, "small"), (1_000_000, "tiny"))
"""Up to so many lines on a sheet: size of its type."""

SKETCH_W, SKETCH_H, SKETCH_PAD = 330.0, 210.0, 16.0
Row = dict[str, Any]


def write_route_sheets(
    plan: CountyPlan, county: County, folder: str | os.PathLike[str], *, language: Language = "zh"
) -> Path:
    """Write ``route-sheets.html``: one sheet for each vehicle and pattern of days.

    With more than ``SHEETS_ON_ONE_PAGE`` sheets it is an index, and each sheet is a page of its own in
    ``route-sheets/``.

    Parameters
    ----------
    plan : CountyPlan
    county : County
    folder : path
        Made where needed; files of these names are replaced.
    language : {"zh", "en"}
        The language the sheets open and are printed in; both are on them.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        An unknown language, or a place where nothing can be written.
    """
    check_options(language, None)
    folder = Path(folder)
    context = _context(plan, county, language)
    sheets = context["sheets"]
    if len(sheets) > SHEETS_ON_ONE_PAGE:
        for sheet in sheets:
            page = _render(context | {"sheets": [sheet], "alone": True})
            write_beside(folder / SHEET_FOLDER / sheet["file"], page)
        context |= {"pages": [f"{SHEET_FOLDER}/{sheet['file']}" for sheet in sheets]}
    return write_beside(folder / "route-sheets.html", _render(context))


def route_sheets_page(plan: CountyPlan, county: County, *, language: Language = "zh") -> str:
    """Return all sheets as one page; it has no script.

    Parameters
    ----------
    plan : CountyPlan
    county : County
    language : {"zh", "en"}
    """
    check_options(language, None)
    return _render(_context(plan, county, language))


def _render(context: Row) -> str:
    return render_page("route_sheets.html.j2", styles=["route_sheets.css"], scripts=[], context=context)


def _context(plan: CountyPlan, county: County, language: Language) -> Row:
    by_id = {trip.route["route_id"]: trip for trip in trips(plan, county)}
    names, buses = site_names(county), bus_names(county.buses)
    sheets = [
        _sheet(number, day, [by_id[route] for route in day.route_ids], names, buses)
        for number, day in enumerate(vehicle_days(plan), 1)
    ]
    return {
        "language": language,
        "county_name": county.name,
        "plan_name": plan.name,
        "sheets": sheets,
        "pages": [],
        "alone": False,
        "count": text("route_sheet.count", sheets=whole(len(sheets))),
    }


def _sheet(
    number: int, day: VehicleDay, driven: list[Trip], names: dict[str, str], buses: dict[str, str]
) -> Row:
    lines, first = [], 1
    for trip in driven:
        lines.append(_trip_lines(trip, first, names))
        first += len(trip.stops)
    cold = any(block["cold"] for block in lines)
    count = sum(len(trip.stops) + 3 for trip in driven)
    return {
        "anchor": f"sheet-{number}",
        "file": f"{number:05d}.html",
        "bus": day.tier == "bus",
        "title": text("route_sheet.bus_title" if day.tier == "bus" else "route_sheet.title"),
        "tier": named("tier", day.tier),
        "vehicle": say_vehicle(day.vehicle_type, day.vehicle, day.tier, buses),
        "from": names[day.from_site],
        "days": say_days(day.weekdays),
        "departs": say_clock(min(trip.route["departs"] for trip in driven)),
        "returns": say_clock(max(trip.route["returns"] for trip in driven)),
        "km": f"{sum(trip.route['distance_km'] for trip in driven):.1f}",
        "brought": whole(sum(trip.route["delivered_pieces"] for trip in driven)),
        "taken": whole(sum(trip.route["collected_pieces"] for trip in driven)),
        "cold": cold,
        "size": next(size for most, size in SIZES if count <= most),
        "trips": lines,
        "sketch": draw_sketch(driven, names),
        "stops": first - 1,
    }


def _trip_lines(trip: Trip, first: int, names: dict[str, str]) -> Row:
    route = trip.route
    back_km = max(0.0, route["distance_km"] - sum(stop["distance_km"] for stop in trip.stops))
    cold_in = sum(stop["delivered_cold_pieces"] for stop in trip.stops)
    cold_out = sum(stop["collected_cold_pieces"] for stop in trip.stops)
    return {
        "number": text("route_sheet.trip", number=route["trip"]),
        "departs": say_clock(route["departs"]),
        "returns": say_clock(route["returns"]),
        "km": f"{route['distance_km']:.1f}",
        "back_km": f"{back_km:.1f}",
        "from": names[route["from_site"]],
        "load": text("route_sheet.load", pieces=whole(route["delivered_pieces"])),
        "unload": text("route_sheet.unload", pieces=whole(route["collected_pieces"])),
        "load_cold": _cold(cold_in),
        "unload_cold": _cold(cold_out),
        "cold": cold_in + cold_out > 0,
        "stops": [_stop_line(stop, first + k, names) for k, stop in enumerate(trip.stops)],
    }


def _stop_line(stop: Row, number: int, names: dict[str, str]) -> Row:
    return {
        "number": number,
        "name": names[stop["site_id"]],
        "arrives": say_clock(stop["arrives"]),
        "departs": say_clock(stop["departs"]),
        "km": f"{stop['distance_km']:.1f}",
        "brought": say_pieces(stop["delivered_pieces"]),
        "taken": say_pieces(stop["collected_pieces"]),
        "brought_cold": _cold(stop["delivered_cold_pieces"], "route_sheet.cold_pieces"),
        "taken_cold": _cold(stop["collected_cold_pieces"], "route_sheet.cold_pieces"),
    }


def _cold(pieces: float, key: str = "route_sheet.of_cold") -> Both | None:
    return text(key, pieces=whole(pieces)) if pieces > 0 else None


def draw_sketch(driven: list[Trip], names: dict[str, str]) -> Markup:
    """Draw where the trips go: the start as a square, stops as numbers, each trip with its own dashes.

    Parameters
    ----------
    driven : list of Trip
    names : dict
        Site -> name, read out by screen readers.
    """
    places = {site: (lon, lat) for trip in driven for site, lon, lat in trip.way}
    at = _fit(places)
    parts = [
        f'<svg class="sketch" viewBox="0 0 {SKETCH_W:.0f} {SKETCH_H:.0f}" role="img" '
        f'aria-label="{escape(str(text("route_sheet.sketch")))}">'
    ]
    for k, trip in enumerate(driven):
        # there and back the same way is one line: two would fill each other's dashes
        way = trip.way[:2] if len(trip.stops) == 1 else trip.way
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (at[site] for site, _, _ in way))
        parts.append(f'<path class="way trip-{k % 4}" d="M{path}"/>')
    number = 0
    for trip in driven:
        for stop in trip.stops:
            number += 1
            x, y = at[stop["site_id"]]
            name = f"<title>{escape(names[stop['site_id']])}</title>"
            parts.append(f'<circle class="stop" cx="{x:.1f}" cy="{y:.1f}" r="9">{name}</circle>')
            parts.append(f'<text class="stop-number" x="{x:.1f}" y="{y + 4:.1f}">{number}</text>')
    x, y = at[driven[0].route["from_site"]]
    parts.append(f'<rect class="base" x="{x - 8:.1f}" y="{y - 8:.1f}" width="16" height="16"/>')
    return Markup("".join([*parts, "</svg>"]))


def _fit(places: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return where each place is on the sketch: true to shape, filling the frame."""
    lon, lat = (np.array([place[k] for place in places.values()]) for k in (0, 1))
    x, y = fit_conic(lon, lat).project(lon, lat)
    wide, high = max(float(np.ptp(x)), 1e-6), max(float(np.ptp(y)), 1e-6)
    scale = min((SKETCH_W - 2 * SKETCH_PAD) / wide, (SKETCH_H - 2 * SKETCH_PAD) / high)
    left, top = (SKETCH_W - scale * wide) / 2, (SKETCH_H - scale * high) / 2
    x, y = left + (x - x.min()) * scale, top + (y - y.min()) * scale
    return {site: (float(x[k]), float(y[k])) for k, site in enumerate(places)}
