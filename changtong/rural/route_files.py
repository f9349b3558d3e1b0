"""Routes for other programs: GPX 1.1, GeoJSON (RFC 7946) and CSV, each written beside and renamed.

A plan's clock times are of a weekday, not of a date: they stand in descriptions and properties, never in
GPX's ``time``, which would need a date that nobody gave.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.timetables import bus_timetable, station_timetable
from changtong.spreadsheets import without_formulas
from changtong.written_files import write_beside

GPX_SPACE = "http://www.topografix.com/GPX/1/1"
GPX_XSD = "http://www.topografix.com/GPX/1/1/gpx.xsd"
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Signs that XML 1.0 cannot hold."""


@dataclass(frozen=True)
class Trip:
    """A trip with its places: the start, the stops, and the start again unless it is a bus.

    Attributes
    ----------
    route : dict
        The row of ``routes``.
    stops : tuple of dict
        The rows of ``stops``.
    way : tuple of (site, lon, lat)
    """

    route: dict[str, Any]
    stops: tuple[dict[str, Any], ...]
    way: tuple[tuple[str, float, float], ...]


def trips(plan: CountyPlan, county: County) -> list[Trip]:
    """Return the trips of a plan with their places.

    Parameters
    ----------
    plan : CountyPlan
    county : County

    Raises
    ------
    InputError
        ``unknown-site``: a trip goes to a place that the county has not.
    """
    places = {str(row[0]): row for row in county.sites.select("site_id", "lon", "lat").iter_rows()}
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in plan.stops.sort("route_id", "stop", maintain_order=True).iter_rows(named=True):
        calls.setdefault(call["route_id"], []).append(call)
    used = [*plan.routes["from_site"].to_list(), *plan.stops["site_id"].to_list()]
    lost = sorted({site for site in used if site not in places})
    if lost:
        raise InputError(Problem("unknown-site", f"the county has no site {site!r}.") for site in lost)
    made = []
    for route in plan.routes.iter_rows(named=True):
        mine = tuple(calls.get(route["route_id"], ()))
        ends = [] if route["tier"] == "bus" and mine else [route["from_site"]]
        visited = [route["from_site"], *(call["site_id"] for call in mine), *ends]
        made.append(Trip(route, mine, tuple(places[site] for site in visited)))
    return made


def site_names(county: County) -> dict[str, str]:
    """Return site -> name, the id where it has none.

    Parameters
    ----------
    county : County
    """
    return {site: name or site for site, name in county.sites.select("site_id", "name").iter_rows()}


def write_gpx(plan: CountyPlan, county: County, path: str | os.PathLike[str]) -> list[Path]:
    """Write the trips as GPX 1.1 routes.

    Parameters
    ----------
    plan : CountyPlan
    county : County
    path : path
        A file that ends in ``.gpx`` for all trips, or a folder for one file a trip.

    Returns
    -------
    list of Path
        The files.

    Examples
    --------
    >>> write_gpx(result.shared, result.county, "routes.gpx")  # doctest: +SKIP
    """
    target = Path(path)
    made = trips(plan, county)
    if target.suffix.lower() == ".gpx":
        title = f"{county.name} {plan.name}"
        return [write_beside(target, _gpx(title, made, county))]
    names = _file_names([trip.route["route_id"] for trip in made])
    return [
        write_beside(target / f"{name}.gpx", _gpx(f"{county.name} {trip.route['route_id']}", [trip], county))
        for name, trip in zip(names, made, strict=True)
    ]


def _file_names(ids: list[str]) -> list[str]:
    """Return names that any file system takes, no two alike."""
    taken: set[str] = set()
    made = []
    for text in ids:
        plain = re.sub(r"[^\w-]+", "-", text).strip("-_")[:60] or "route"
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        made.append(name)
    return made


def _gpx(title: str, made: list[Trip], county: County) -> str:
    names = site_names(county)
    lon = [place[1] for trip in made for place in trip.way]
    lat = [place[2] for trip in made for place in trip.way]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<gpx xmlns="{GPX_SPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{GPX_SPACE} {GPX_XSD}" version="1.1" creator="Changtong">',
        "<metadata>",
        f"<name>{_xml(title)}</name>",
    ]
    if made:
        lines.append(
            f'<bounds minlat="{_degrees(min(lat))}" minlon="{_degrees(min(lon))}" '
            f'maxlat="{_degrees(max(lat))}" maxlon="{_degrees(max(lon))}"/>'
        )
    lines.append("</metadata>")
    for number, trip in enumerate(made, 1):
        lines += _gpx_route(number, trip, names)
    return "\n".join([*lines, "</gpx>", ""])


def _gpx_route(number: int, trip: Trip, names: dict[str, str]) -> Iterator[str]:
    route = trip.route
    yield "<rte>"
    yield f"<name>{_xml(route['route_id'])}</name>"
    vehicle = f"{route['vehicle_type']} {route['vehicle']}, trip {route['trip']}"
    yield f"<cmt>{_xml(vehicle)}</cmt>"
    said = f"weekdays {route['weekdays']}, {route['departs']} to {route['returns']}"
    said += f", {route['distance_km']:.1f} km"
    yield f"<desc>{_xml(said)}</desc>"
    yield f"<number>{number}</number>"
    yield f"<type>{_xml(route['tier'])}</type>"
    last = len(trip.way) - 1
    for k, (site, lon, lat) in enumerate(trip.way):
        yield f'<rtept lat="{_degrees(lat)}" lon="{_degrees(lon)}">'
        yield f"<name>{_xml(names[site])}</name>"
        if k == 0:
            kind, said = "start", f"leaves {route['departs']}"
        elif k == last and k > len(trip.stops):
            kind, said = "end", f"back {route['returns']}"
        else:
            kind, said = "stop", _say_stop(trip.stops[k - 1])
        yield f"<desc>{_xml(said)}</desc>"
        yield f"<type>{kind}</type>"
        yield "</rtept>"
    yield "</rte>"


def _say_stop(stop: dict[str, Any]) -> str:
    brought, taken = stop["delivered_pieces"], stop["collected_pieces"]
    said = f"{stop['arrives']} to {stop['departs']}, in {brought:g}, out {taken:g}"
    cold = stop["delivered_cold_pieces"], stop["collected_cold_pieces"]
    return said + (f", cold: in {cold[0]:g}, out {cold[1]:g}" if any(cold) else "")


def _xml(value: object) -> str:
    """Return a text as XML character data; what XML cannot hold becomes U+FFFD."""
    text = NO_XML.sub("\ufffd", str(value))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _degrees(value: float) -> str:
    """Return a plain decimal (xsd:decimal has no exponent); 180 east is 180 west in GPX."""
    text = f"{value:.7f}".rstrip("0").rstrip(".")
    return {"180": "-180", "-0": "0"}.get(text, text)


def write_routes_geojson(plan: CountyPlan, county: County, path: str | os.PathLike[str]) -> Path:
    """Write a line for each trip and a point for each stop as GeoJSON (RFC 7946).

    Parameters
    ----------
    plan : CountyPlan
    county : County
    path : path

    Returns
    -------
    Path
        The file. Features carry ``feature`` (trip or stop) and the columns of their table.
    """
    names = site_names(county)
    features = []
    for trip in trips(plan, county):
        line = [[lon, lat] for _, lon, lat in trip.way]
        properties = {"feature": "trip", **trip.route, "sites": [site for site, _, _ in trip.way]}
        features.append(_feature(f"trip/{trip.route['route_id']}", "LineString", line, properties))
        for stop, (site, lon, lat) in zip(trip.stops, trip.way[1:], strict=False):
            properties = {"feature": "stop", **stop, "name": names[site], "weekdays": trip.route["weekdays"]}
            name = f"stop/{trip.route['route_id']}/{stop['stop']}"
            features.append(_feature(name, "Point", [lon, lat], properties))
    try:
        lines = [json.dumps(one, ensure_ascii=False, allow_nan=False) for one in features]
    except ValueError as error:
        problem = Problem("not-finite", "a figure of the plan is one JSON does not hold.")
        raise InputError([problem]) from error
    head = '{"type": "FeatureCollection", "features": [\n'
    return write_beside(Path(path), head + ",\n".join(lines) + "\n]}\n")


def _feature(name: str, kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": name,
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def csv_tables(plan: CountyPlan, county: County) -> dict[str, pl.DataFrame]:
    """Return the tables of a plan with names beside the ids, and its timetables.

    Parameters
    ----------
    plan : CountyPlan
    county : County
    """
    frames = {
        "routes": plan.routes,
        "stops": plan.stops,
        "stations": plan.stations,
        "villages": plan.villages,
        "unserved": plan.unserved,
        "station_timetable": station_timetable(plan, county),
        "bus_timetable": bus_timetable(plan, county),
    }
    return with_site_names(frames, county)


def with_site_names(frames: Mapping[str, pl.DataFrame], county: County) -> dict[str, pl.DataFrame]:
    """Return tables with names beside the ids of sites.

    Parameters
    ----------
    frames : mapping
        Name -> table.
    county : County
    """
    names = site_names(county)
    return {name: _with_names(frame, names) for name, frame in frames.items()}


def _with_names(frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Put ``…_name`` behind each column of sites."""
    columns: list[pl.Expr] = []
    for column in frame.columns:
        columns.append(pl.col(column))
        if column in ("site_id", "from_site", "served_from"):
            named = pl.col(column).replace_strict(names, default=None, return_dtype=pl.String)
            columns.append(named.alias({"site_id": "site_name"}.get(column, f"{column}_name")))
    return frame.select(columns)


def write_csv_tables(plan: CountyPlan, county: County, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the tables of a plan and its timetables as CSV that Excel opens rightly.

    UTF-8 with byte order mark; a text that Excel would run as a formula gets an apostrophe before it.

    Parameters
    ----------
    plan : CountyPlan
    county : County
    folder : path
    """
    return write_frames(csv_tables(plan, county), folder)


def write_frames(frames: Mapping[str, pl.DataFrame], folder: str | os.PathLike[str]) -> list[Path]:
    """Write tables as CSV files of their names, as `write_csv_tables` does.

    Parameters
    ----------
    frames : mapping
        Name -> table.
    folder : path
    """
    made = []
    for name, frame in frames.items():
        text = without_formulas(frame).write_csv(float_precision=3)
        made.append(write_beside(Path(folder) / f"{name}.csv", b"\xef\xbb\xbf" + text.encode()))
    return made
