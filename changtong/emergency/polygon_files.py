"""Polygons of floods and the like from GeoJSON (WGS 84), as warnings of their file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.emergency.cap import Area, Info, Key, Message, Point
from changtong.emergency.warning_rules import COLOURS, UNKNOWN
from changtong.errors import InputError, Problem
from changtong.outage_files import read_time

CODE = "bad-polygon"
LARGEST_BYTES = 50_000_000
EXPECTED = "GeoJSON of polygons in WGS 84: a FeatureCollection, a Feature or a geometry"
KNOWN_CRS = ("CRS84", "4326", "4490")
"""WGS 84; CGCS 2000 differs from it by less than a metre."""

BEGIN_NAMES = ("begins", "start", "onset", "time")
END_NAMES = ("ends", "end", "expires")


@dataclass
class _Reader:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, message: str, row: int | None, column: str | None, expected: str = EXPECTED) -> None:
        self.problems.append(Problem(CODE, message, self.file, row, column, expected))


def read_polygons(
    path: str | Path, at: datetime, *, event: str = "flood", status: str = "Actual"
) -> tuple[Message, ...]:
    """Read polygons as warnings.

    Properties that are looked at: ``name``, ``event``, ``level`` (red, orange, yellow, blue; else unknown),
    ``begins`` and ``ends`` (instants with a zone; without them it counts from ``at`` for 24 hours: assumed).

    Parameters
    ----------
    path : path
    at : datetime
        From when a polygon without times counts.
    event : str
        Of polygons that do not say it.
    status : str
        ``Exercise`` for a drill.

    Returns
    -------
    tuple of Message
        One a feature; its ``sender`` is the file.

    Raises
    ------
    InputError
        ``bad-polygon``, every problem at once.
    """
    path = Path(path)
    reader = _Reader(path.name)
    content = _content(path)
    _check_crs(reader, content)
    messages = []
    for row, (geometry, properties) in enumerate(_features(reader, content), 1):
        areas = _areas(reader, geometry, str(properties.get("name") or f"{path.stem} {row}"), row)
        messages.append(_message(reader, areas, properties, row, (at, event, status)))
    if not messages and not reader.problems:
        reader.wrong("no polygon in the file.", None, None)
    if reader.problems:
        raise InputError(reader.problems)
    return tuple(messages)


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError([Problem("too-large", "it is too large.", path.name)])
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(
            [Problem("unreadable-file", f"{error.strerror}.", path.name, expected=EXPECTED)]
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError([Problem(CODE, f"no JSON ({error}).", path.name, expected=EXPECTED)]) from error
    if not isinstance(content, dict):
        raise InputError([Problem(CODE, "this is no object.", path.name, expected=EXPECTED)])
    return content


def _check_crs(reader: _Reader, content: dict[str, Any]) -> None:
    crs = content.get("crs")
    if crs is not None and not any(name in json.dumps(crs) for name in KNOWN_CRS):
        reader.wrong(f"its coordinates are of another system ({json.dumps(crs)[:80]}).", None, "crs")


def _features(reader: _Reader, content: dict[str, Any]) -> list[tuple[Any, dict[str, Any]]]:
    kind = content.get("type")
    features = content.get("features", []) if kind == "FeatureCollection" else [content]
    if not isinstance(features, list):
        reader.wrong("its features are no list.", None, "features")
        return []
    found: list[tuple[Any, dict[str, Any]]] = []
    for row, one in enumerate(features, 1):
        if not isinstance(one, dict):
            reader.wrong("this is no feature.", row, None)
            continue
        if one.get("type") != "Feature":
            found.append((one, {}))
            continue
        properties = one.get("properties") or {}
        if isinstance(properties, dict):
            found.append((one.get("geometry"), properties))
        else:
            reader.wrong("its properties are no object.", row, "properties")
    return found


def _areas(reader: _Reader, geometry: Any, name: str, row: int) -> tuple[Area, ...]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    polygons = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind == "Polygon":
        polygons = [polygons]
    if kind not in ("Polygon", "MultiPolygon") or not isinstance(polygons, list):
        reader.wrong(f"a {kind!r}.", row, "geometry")
        return ()
    areas = []
    for polygon in polygons:
        if not isinstance(polygon, list) or not polygon:
            reader.wrong("a polygon without a ring.", row, "coordinates")
            continue
        rings = [ring for one in polygon if (ring := _ring(reader, one, row)) is not None]
        if rings:
            areas.append(Area(name, polygons=(rings[0],), holes=tuple(rings[1:])))
    return tuple(areas)


def _ring(reader: _Reader, ring: Any, row: int) -> tuple[Point, ...] | None:
    places: list[Point] = []
    for place in ring if isinstance(ring, list) else []:
        try:
            lon, lat = float(place[0]), float(place[1])
        except (TypeError, ValueError, IndexError, KeyError):
            lon, lat = math.nan, math.nan
        if not (abs(lon) <= 360.0 and abs(lat) <= 90.0):
            reader.wrong(f"{str(place)[:60]} is no place.", row, "coordinates", "[lon, lat], degrees")
            return None
        places.append((lon, lat))
    if len(places) < 4 or places[0] != places[-1]:
        text = f"a ring of {len(places)} places" + (", not closed." if len(places) >= 4 else ".")
        reader.wrong(text, row, "coordinates", "at least four places, the last as the first")
        return None
    return tuple(places)


def _message(
    reader: _Reader, areas: tuple[Area, ...], properties: dict[str, Any], row: int,
    default: tuple[datetime, str, str],
) -> Message:  # fmt: skip
    at, event, status = default
    begins, ends = (_time(reader, properties, names, row) for names in (BEGIN_NAMES, END_NAMES))
    if begins is not None and ends is not None and ends <= begins:
        reader.wrong("it ends before it begins.", row, "ends", "an end after the beginning")
    level = str(properties.get("level") or UNKNOWN).strip().lower()
    if level not in (*COLOURS, UNKNOWN):
        reader.wrong(f"{level!r} is unknown.", row, "level", f"one of {', '.join((*COLOURS, UNKNOWN))}")
    name = str(properties.get("name") or f"{Path(reader.file).stem} {row}")
    said = str(properties.get("event") or event)
    colour = ((("colour", level),)) if level != UNKNOWN else ()
    info = Info(
        "und", ("Geo",), said, "Unknown", "Unknown", "Unknown", onset=begins, expires=ends, headline=name,
        parameters=colour, areas=areas,
    )  # fmt: skip
    sent = min(at, begins) if begins is not None else at
    return Message(
        Key(reader.file, f"{name} #{row}", sent), status, "Alert", "Private", infos=(info,),
        file=reader.file,
    )  # fmt: skip


def _time(reader: _Reader, properties: dict[str, Any], names: tuple[str, ...], row: int) -> datetime | None:
    for name in names:
        value = properties.get(name)
        if value in (None, ""):
            continue
        found = read_time(value)
        if found is None:
            expected = "an instant with its zone, as 2026-07-20T08:00:00+08:00"
            reader.wrong(f"{str(value)[:40]!r} will not do.", row, name, expected)
        return found
    return None
