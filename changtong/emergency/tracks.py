"""Tracks of storms: when the wind circles reach sites and legs, and when they leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.emergency.exposure import Exposure, Ground, Threat
from changtong.emergency.warned_areas import KM_PER_DEGREE, Places
from changtong.emergency.warning_rules import FORCES
from changtong.network.reference_places import great_circle_km
from changtong.wording import Both

Floats = NDArray[np.float64]
STEP_S = 600
"""Seconds between the moments at which the circles are looked at: so much too late or early at most."""

LONGEST_H = 24 * 30
QUADRANTS = ("ne", "se", "sw", "nw")


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """Where a storm is at an instant.

    Attributes
    ----------
    at : datetime
    lon, lat : float, degrees
    radii_km : dict of int to tuple of four floats
        Wind force (7, 8, 10, 12) -> radius by quadrant: north-east, south-east, south-west, north-west.
    wind_m_s : float or None
        At the centre.
    """

    at: datetime
    lon: float
    lat: float
    radii_km: dict[int, tuple[float, float, float, float]]
    wind_m_s: float | None = None


@dataclass(frozen=True)
class Track:
    """A storm's way.

    Attributes
    ----------
    name, file : str
    points : tuple of TrackPoint
        By time, two at least.
    radii_assumed : bool
        Whether the radii were taken from the wind by a table of the rules.
    """

    name: str
    file: str
    points: tuple[TrackPoint, ...]
    radii_assumed: bool = False

    @property
    def forces(self) -> tuple[int, ...]:
        """Forces with a circle anywhere, the weakest first."""
        return tuple(
            force
            for force in FORCES
            if any(max(one.radii_km.get(force, (0.0,))) > 0.0 for one in self.points)
        )


@dataclass(frozen=True)
class Moments:
    """The circles of one force at moments along the way: seconds since 1970, places, radii by quadrant."""

    at_s: Floats
    lon: Floats
    lat: Floats
    radii_km: Floats


def moments_of(track: Track, force: int, step_s: int = STEP_S) -> Moments:
    """Return the circles of a force along a track; place and radii go evenly from point to point.

    A force the source tells before and after a point but not there goes on between; before it is told first
    and after it is told last there is none.

    Parameters
    ----------
    track : Track
    force : int
    step_s : int
    """
    points = track.points
    times = np.array([one.at.timestamp() for one in points])
    at = np.unique(np.append(np.arange(times[0], times[-1], step_s), times))
    lon = np.interp(at, times, np.unwrap([one.lon for one in points], period=360.0))
    lat = np.interp(at, times, [one.lat for one in points])
    told = [k for k, one in enumerate(points) if force in one.radii_km]
    if not told:
        return Moments(at, (lon + 180.0) % 360.0 - 180.0, lat, np.zeros((len(at), 4)))
    beyond = [k for k in range(len(points)) if k < told[0] or k > told[-1]]
    kept = sorted([*told, *beyond])
    given = np.array([points[k].radii_km.get(force, (0.0, 0.0, 0.0, 0.0)) for k in kept])
    radii = np.column_stack([np.interp(at, times[kept], given[:, quadrant]) for quadrant in range(4)])
    return Moments(at, (lon + 180.0) % 360.0 - 180.0, lat, radii)


def first_and_last(places: Places, moments: Moments) -> tuple[Floats, Floats]:
    """Return when circles are over places first and last, seconds since 1970; NaN where never.

    Parameters
    ----------
    places : Places
    moments : Moments
    """
    first, last = np.full(len(places.rows), np.inf), np.full(len(places.rows), -np.inf)
    for k, at in enumerate(moments.at_s):
        radii = moments.radii_km[k]
        reach = float(radii.max())
        if reach <= 0.0:
            continue
        lon, lat = moments.lon[k], moments.lat[k]
        begin, end = places.band(lat - reach / KM_PER_DEGREE, lat + reach / KM_PER_DEGREE)
        across = (places.lon[begin:end] - lon + 180.0) % 360.0 - 180.0
        up = places.lat[begin:end] - lat
        away = great_circle_km(
            places.lon[begin:end], places.lat[begin:end], np.array(lon), np.array(lat)
        )  # fmt: skip
        quadrant = np.where(across >= 0.0, np.where(up >= 0.0, 0, 1), np.where(up >= 0.0, 3, 2))
        hit = begin + np.flatnonzero(away <= radii[quadrant])
        first[hit] = np.minimum(first[hit], at)
        last[hit] = np.maximum(last[hit], at)
    made = np.full((2, places.count), np.nan)
    over = np.isfinite(first)
    made[0, places.rows[over]], made[1, places.rows[over]] = first[over], last[over]
    return made[0], made[1]


def track_exposure(ground: Ground, track: Track, after: datetime | None = None) -> Exposure:
    """Return what a track's wind circles reach, with arrival and leaving of each force.

    A site under force 10 is under force 7 too: it has a row for each. Legs are looked at half as often.

    Parameters
    ----------
    ground : Ground
    track : Track
    after : datetime, optional
        What the circles have left by then is left out.

    Returns
    -------
    Exposure
    """
    sites: list[pl.DataFrame] = []
    legs: list[pl.DataFrame] = []
    name = track.name
    en = f"{name}: between the points of the track place and radii go evenly (assumed)."
    notes = [Both(f"{name}：路径点之间位置和半径均匀变化（假设）。", en)]
    if track.radii_assumed:
        en = f"{name}: the source tells no wind radii; they are taken from the wind (assumed)."
        notes.append(Both(f"{name}：来源没有风圈半径，由风速推定（假设）。", en))
    if not track.forces:
        en = f"{name}: no wind circle at any point; nothing is exposed."
        notes.append(Both(f"{name}：各点均无风圈，不影响任何网点。", en))
    limit = -np.inf if after is None else after.timestamp()
    for force in track.forces:
        threat = Threat(
            track.name, f"typhoon {track.name}", "", None, None, "typhoon", f"force-{force}", "track"
        )  # fmt: skip
        begins, ends = first_and_last(ground.sites, moments_of(track, force))
        rows = np.flatnonzero(ends >= limit)
        sites.append(_timed(ground.site_rows(rows, threat, "track"), begins[rows], ends[rows], STEP_S))
        legs.append(_leg_times(ground, moments_of(track, force, 3 * STEP_S), threat, begins, ends, limit))
    if not sites:
        nothing = Threat(track.name, "", "", None, None, "typhoon", "", "")
        none = np.zeros(ground.network.legs.height, bool)
        sites = [ground.site_rows(np.zeros(0, np.int64), nothing, "track")]
        legs = [ground.leg_rows(none, none, nothing)]
    return Exposure(pl.concat(sites), pl.concat(legs), tuple(notes))


def _leg_times(
    ground: Ground, moments: Moments, threat: Threat, site_begins: Floats, site_ends: Floats, limit: float
) -> pl.DataFrame:
    """Return the legs a circle is over: at an end, or on their way between."""
    count = ground.network.legs.height
    way_begins, way_ends = (part.reshape(count, -1) for part in first_and_last(ground.between, moments))
    ends_at = np.column_stack([site_ends[ground.tail], site_ends[ground.head]])
    begins_at = np.column_stack([site_begins[ground.tail], site_begins[ground.head]])
    every_begin, every_end = np.hstack([begins_at, way_begins]), np.hstack([ends_at, way_ends])
    begins = np.where(np.isnan(every_begin), np.inf, every_begin).min(axis=1)
    ends = np.where(np.isnan(every_end), -np.inf, every_end).max(axis=1)
    over = np.isfinite(begins) & (ends >= limit)
    at_end = over & ~np.isnan(begins_at).all(axis=1)
    rows = np.flatnonzero(over)
    return _timed(ground.leg_rows(at_end, over & ~at_end, threat), begins[rows], ends[rows], 3 * STEP_S)


def _timed(rows: pl.DataFrame, begins: Floats, ends: Floats, step_s: int) -> pl.DataFrame:
    """Put the times of each row in; the step in which a circle came and went counts as a whole."""
    times = {"begins": begins - step_s, "ends": ends + step_s}
    return rows.with_columns(
        pl.Series(name, (values * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
        for name, values in times.items()
    )


def swept_circles(
    track: Track, force: int, every_h: float = 3.0
) -> list[tuple[datetime, float, float, Floats]]:
    """Return circles of a force to be drawn: instant, lon, lat, radii by quadrant.

    Parameters
    ----------
    track : Track
    force : int
    every_h : float
    """
    found = moments_of(track, force, int(timedelta(hours=every_h).total_seconds()))
    return [
        (datetime.fromtimestamp(at, UTC), float(found.lon[k]), float(found.lat[k]), found.radii_km[k])
        for k, at in enumerate(found.at_s)
        if found.radii_km[k].max() > 0.0
    ]


def outline(
    lon: float, lat: float, radii_km: Sequence[float] | Floats, steps: int = 9
) -> list[tuple[float, float]]:
    """Return a circle with a radius for each quadrant as a closed ring of (lon, lat).

    Parameters
    ----------
    lon, lat : float
    radii_km : four floats
        North-east, south-east, south-west, north-west.
    steps : int
        Points a quadrant.
    """
    ring = []
    for quadrant, radius in enumerate(radii_km):
        for part in np.linspace(0.0, 90.0, steps):
            bearing = np.radians(90.0 * quadrant + part)
            north = radius * np.cos(bearing) / KM_PER_DEGREE
            east = radius * np.sin(bearing) / (KM_PER_DEGREE * max(np.cos(np.radians(lat)), 0.05))
            ring.append((float(lon + east), float(lat + north)))
    return [*ring, ring[0]]
