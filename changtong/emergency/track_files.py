"""Tracks of storms from files: a plain CSV, GeoJSON points, ATCF decks, best tracks of CMA.

ATCF: comma-separated lines of the a- and b-decks (latitude and longitude in tenths of a degree, radii of 34,
50 and 64 knots in nautical miles by quadrant). CMA: ``CHyyyyBST.txt``, a head line with 66666, then lines of
hour (UTC), grade, latitude and longitude in tenths, pressure, wind in m/s; it tells no radii.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changtong.emergency.tracks import LONGEST_H, QUADRANTS, Track, TrackPoint
from changtong.emergency.warning_rules import FORCES, WindRadii
from changtong.errors import InputError, Problem
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings
from changtong.outage_files import read_time

Four = tuple[float, float, float, float]
"""Radii by quadrant: north-east, south-east, south-west, north-west."""

CODE = "bad-track"
LARGEST_BYTES = 20_000_000
MOST_RADIUS_KM = 3000.0
KM_PER_NAUTICAL_MILE = 1.852
M_S_PER_KNOT = 1852.0 / 3600.0
FORCE_OF_KNOTS = {34: 8, 50: 10, 64: 12}
"""Beaufort: 17.2 m/s and more is force 8, 24.5 force 10, 32.7 force 12 (so do grades of GB/T 19201-2006)."""

COLUMNS = (
    "time", "lon", "lat", "name", "wind_m_s",
    *(f"r{force}_km" for force in FORCES),
    *(f"r{force}_{quadrant}_km" for force in FORCES for quadrant in QUADRANTS),
)  # fmt: skip
EXPECTED = (
    "CSV with time, lon, lat and radii (r7_km …), GeoJSON of points, an ATCF deck, or CHyyyyBST.txt of CMA"
)


@dataclass
class _Reader:
    """One file on its way in; what is wrong is gathered."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, message: str, row: int | None, column: str | None, expected: str) -> None:
        self.problems.append(Problem(CODE, message, self.file, row, column, expected))

    def number(self, value: object, low: float, high: float, row: int, column: str) -> float | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        try:
            found = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            found = math.nan
        if low <= found <= high:
            return found
        self.wrong(f"{str(value)[:40]!r} will not do.", row, column, f"a number, {low:g} to {high:g}")
        return None

    def point(self, cells: Mapping[str, Any], row: int) -> TrackPoint | None:
        """Read a point of the plain columns."""
        for column in ("time", "lon", "lat"):
            if cells.get(column) in (None, ""):
                self.wrong(f"no {column}.", row, column, "a value")
        at = read_time(cells["time"]) if cells.get("time") else None
        if at is None and cells.get("time"):
            self.wrong(
                f"{str(cells['time'])[:40]!r} will not do.", row, "time", "an instant with zone, as"
                " 2026-07-20T03:00+08:00",
            )  # fmt: skip
        lon = self.number(cells.get("lon"), -180.0, 360.0, row, "lon")
        lat = self.number(cells.get("lat"), -90.0, 90.0, row, "lat")
        radii = {force: found for force in FORCES if (found := self._radii(cells, force, row)) is not None}
        wind = self.number(cells.get("wind_m_s"), 0.0, 150.0, row, "wind_m_s")
        if at is None or lon is None or lat is None:
            return None
        return TrackPoint(at, lon, lat, radii, wind)

    def _radii(self, cells: Mapping[str, Any], force: int, row: int) -> Four | None:
        most = MOST_RADIUS_KM
        every = self.number(cells.get(f"r{force}_km"), 0.0, most, row, f"r{force}_km")
        parts = [
            self.number(cells.get(name), 0.0, most, row, name)
            for name in (f"r{force}_{quadrant}_km" for quadrant in QUADRANTS)
        ]
        if every is None and all(part is None for part in parts):
            return None
        rest = every or 0.0
        ne, se, sw, nw = (rest if part is None else part for part in parts)
        return ne, se, sw, nw


def read_tracks(path: str | Path, radii: Iterable[WindRadii] = ()) -> tuple[Track, ...]:
    """Read the tracks of a file.

    Parameters
    ----------
    path : path
        ``.csv``, ``.geojson`` or ``.json``; ``.dat`` and ``.txt`` are known by what they hold.
    radii : iterable of WindRadii
        Radii by the wind at the centre, for a track that tells none. Assumed.

    Raises
    ------
    InputError
        ``bad-track``, every problem at once.
    """
    path = Path(path)
    reader = _Reader(path.name)
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise InputError([Problem("too-large", "it is too large for a track.", path.name)])
        with path.open("rb") as opened:
            head = opened.read(200).lstrip(b"\xef\xbb\xbf \r\n\t")
    except OSError as error:
        raise InputError(
            [Problem("unreadable-file", f"{error.strerror}.", path.name, expected=EXPECTED)]
        ) from error
    if head.startswith(b"66666"):
        found = _cma(reader, _lines(path))
    elif head.startswith((b"{", b"[")):
        found = _geojson(reader, path)
    elif _is_atcf(head):
        found = _atcf(reader, _lines(path))
    else:
        found = _csv(reader, path)
    tracks = tuple(_track(reader, name, points, tuple(radii)) for name, points in found.items())
    if not tracks and not reader.problems:
        reader.wrong("no point in the file.", None, None, EXPECTED)
    if reader.problems:
        raise InputError(reader.problems)
    return tracks


def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8-sig", "replace").splitlines()


def _is_atcf(head: bytes) -> bool:
    parts = head.split(b"\n", 1)[0].split(b",")
    return len(parts) >= 8 and len(parts[0].strip()) == 2 and parts[2].strip().isdigit()


def _track(reader: _Reader, name: str, points: list[TrackPoint], table: tuple[WindRadii, ...]) -> Track:
    """Return a track of its points, by time; a track of one point is told."""
    points = sorted(points, key=lambda one: one.at)
    known: dict[datetime, TrackPoint] = {}
    for one in points:
        other = known.setdefault(one.at, one)
        if (other.lon, other.lat) != (one.lon, one.lat):
            reader.wrong(f"{name} is at two places at {one.at.isoformat()}.", None, "time", "one place")
    points = list(known.values())
    if len(points) < 2 and not reader.problems:
        reader.wrong(f"{name} has one point only.", None, None, "two points at least")
    if points and points[-1].at - points[0].at > timedelta(hours=LONGEST_H):
        reader.wrong(f"{name} lasts longer than {LONGEST_H // 24} days.", None, "time", "one storm")
    told = any(max(four, default=0.0) > 0.0 for one in points for four in one.radii_km.values())
    if told:
        return Track(name, reader.file, tuple(points))
    made = tuple(
        TrackPoint(one.at, one.lon, one.lat, _by_wind(one.wind_m_s, table), one.wind_m_s) for one in points
    )
    return Track(name, reader.file, made, radii_assumed=any(one.radii_km for one in made))


def _by_wind(wind: float | None, table: tuple[WindRadii, ...]) -> dict[int, Four]:
    reached = [row for row in table if wind is not None and wind >= row.wind_m_s]
    if not reached:
        return {}
    return {force: (km, km, km, km) for force, km in reached[-1].radii_km.items() if km > 0.0}


def _csv(reader: _Reader, path: Path) -> dict[str, list[TrackPoint]]:
    findings = Findings()
    frame = read_csv_file(path, COLUMNS, {}, findings, {})
    if findings.errors or frame is None:
        raise InputError(findings.errors or [Problem("unreadable-file", "no table.", path.name)])
    frame = frame.rename({name: name.strip().lower() for name in frame.columns})
    missing = [name for name in ("time", "lon", "lat") if name not in frame.columns]
    if missing:
        raise InputError(
            [
                Problem("missing-column", f"no column {name}.", path.name, 0, name, EXPECTED)
                for name in missing
            ]
        )
    found: dict[str, list[TrackPoint]] = {}
    for row, cells in enumerate(frame.iter_rows(named=True), 1):
        if not any(value not in (None, "") for value in cells.values()):
            continue
        point = reader.point(cells, row)
        if point is not None:
            found.setdefault(str(cells.get("name") or path.stem), []).append(point)
    return found


def _geojson(reader: _Reader, path: Path) -> dict[str, list[TrackPoint]]:
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
        features = content["features"]
        rows = [(one["properties"] or {}, one["geometry"]) for one in features]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reader.wrong(f"it cannot be understood ({type(error).__name__}).", None, None, EXPECTED)
        return {}
    found: dict[str, list[TrackPoint]] = {}
    for row, (properties, geometry) in enumerate(rows, 1):
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        place = geometry.get("coordinates") if isinstance(geometry, dict) else None
        if (
            not isinstance(properties, dict)
            or kind != "Point"
            or not isinstance(place, list)
            or len(place) < 2
        ):
            reader.wrong(f"a {kind!r}.", row, "geometry", "a Point with properties time and radii")
            continue
        point = reader.point(properties | {"lon": place[0], "lat": place[1]}, row)
        if point is not None:
            found.setdefault(str(properties.get("name") or path.stem), []).append(point)
    return found


def _hour(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), "%Y%m%d%H").replace(tzinfo=UTC)
    except ValueError:
        return None


def _atcf(reader: _Reader, lines: list[str]) -> dict[str, list[TrackPoint]]:
    """Read a deck: best tracks, or the forecast made last where there are several."""
    found: dict[tuple[str, str, datetime], dict[datetime, TrackPoint]] = {}
    for row, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) < 8 or not line.strip():
            if line.strip():
                reader.wrong(f"{line[:40]!r} is no line of a deck.", row, None, "8 cells and more")
            continue
        made, lead = _hour(cells[2]), reader.number(cells[5] or 0, -24, 400, row, "TAU")
        lat, lon = _tenths(cells[6], "NS"), _tenths(cells[7], "EW")
        if made is None or lat is None or lon is None or lead is None:
            reader.wrong(f"{line[:60]!r} has no place or hour.", row, None, "as 2026072000, 215N, 1205E")
            continue
        at = made + timedelta(hours=lead)
        name = f"{cells[0]}{cells[1]}"
        key = (name, cells[4], datetime.min.replace(tzinfo=UTC) if cells[4] == "BEST" else made)
        track = found.setdefault(key, {})
        knots = reader.number(cells[8] if len(cells) > 8 else None, 0, 300, row, "VMAX")
        wind = None if not knots else knots * M_S_PER_KNOT
        point = track.setdefault(at, TrackPoint(at, lon, lat, {}, wind))
        point.radii_km.update(_atcf_radii(reader, cells, row))
    best = {key: points for key, points in found.items() if key[1] == "BEST"}
    if best:
        return {key[0]: list(points.values()) for key, points in best.items()}
    newest: dict[tuple[str, str], datetime] = {}
    for name, technique, made in found:
        newest[name, technique] = max(made, newest.get((name, technique), made))
    return {
        f"{name} {technique}": list(points.values())
        for (name, technique, made), points in found.items()
        if made == newest[name, technique] and len(points) > 1
    }


def _tenths(text: str, signs: str) -> float | None:
    digits, sign = text[:-1], text[-1:].upper()
    if sign not in tuple(signs) or not digits.isdigit():
        return None
    value = int(digits) / 10.0 * (1.0 if sign == signs[0] else -1.0)
    return value if abs(value) <= (90.0 if signs == "NS" else 180.0) else None


def _atcf_radii(reader: _Reader, cells: list[str], row: int) -> dict[int, Four]:
    if len(cells) < 14 or cells[11] in ("", "0"):
        return {}
    force = FORCE_OF_KNOTS.get(int(cells[11])) if cells[11].isdigit() else None
    if force is None:
        return {}
    read = [reader.number(cell or 0, 0, 1200, row, "RAD") or 0.0 for cell in (*cells[13:17], 0, 0, 0)]
    a, b, c, d = (value * KM_PER_NAUTICAL_MILE for value in read[:4])
    if cells[12] == "AAA":
        return {force: (a, a, a, a)}
    turn = {"NEQ": 0, "SEQ": 1, "SWQ": 2, "NWQ": 3}.get(cells[12])
    if turn is None:
        if max(a, b, c, d) > 0.0:
            most = max(a, b, c, d)
            return {force: (most, most, most, most)}
        return {}
    four = (a, b, c, d)
    n, e, s, w = (four[(k - turn) % 4] for k in range(4))
    return {force: (n, e, s, w)}


def _cma(reader: _Reader, lines: list[str]) -> dict[str, list[TrackPoint]]:
    found: dict[str, list[TrackPoint]] = {}
    name = ""
    for row, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        if cells[0] == "66666":
            called = [cell for cell in cells[5:] if not cell.isdigit()]
            number = cells[4] if len(cells) > 4 else str(row)
            name = " ".join([number, *called])
            found.setdefault(name, [])
            continue
        at = _hour(cells[0])
        if at is None or len(cells) < 6:
            reader.wrong(f"{line[:40]!r} is no line of a best track.", row, None, "hour, grade, lat, lon, …")
            continue
        lat = reader.number(cells[2], 0.0, 900.0, row, "LAT")
        lon = reader.number(cells[3], 0.0, 3600.0, row, "LONG")
        wind = reader.number(cells[5], 0.0, 150.0, row, "WND")
        if lat is not None and lon is not None:
            place = (lon / 10.0 + 180.0) % 360.0 - 180.0
            found[name].append(TrackPoint(at, place, lat / 10.0, {}, wind or None))
    return found
