"""Places on the picture: an equal-area conic map, or a schematic ring where no positions are known.

Coordinates on the picture are whole numbers, x to the right and y down. For a map one
step is ``metres_per_step`` on the ground (Albers 1805; Snyder, Map Projections: A
Working Manual, USGS Professional Paper 1395, 1987, equations 14-1 to 14-6, sphere).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EARTH_RADIUS_KM = 6371.0088
STEPS_ACROSS = 40_000
LAND_MARGIN_DEG = 60.0


@dataclass(frozen=True, slots=True)
class Conic:
    """An Albers projection fitted to a set of places.

    Attributes
    ----------
    lon_0_deg, lat_0_deg : float
        The centre, drawn at (0, 0).
    parallel_1_deg, parallel_2_deg : float
        The standard parallels, along which scale is true.

    """

    lon_0_deg: float
    lat_0_deg: float
    parallel_1_deg: float
    parallel_2_deg: float

    def project(self, lon_deg: Floats, lat_deg: Floats) -> tuple[Floats, Floats]:
        """Return kilometres east of and below the centre (y grows southward)."""
        lon, lat = np.radians(lon_deg - self.lon_0_deg), np.radians(lat_deg)
        first, second = np.radians([self.parallel_1_deg, self.parallel_2_deg])
        n = (np.sin(first) + np.sin(second)) / 2
        if abs(n) < 0.02:  # at the equator the cone becomes a cylinder
            middle = np.radians(self.lat_0_deg)
            return EARTH_RADIUS_KM * lon * np.cos(middle), -EARTH_RADIUS_KM * (lat - middle)
        c = np.cos(first) ** 2 + 2 * n * np.sin(first)
        rho = np.sqrt(np.maximum(c - 2 * n * np.sin(lat), 0)) / n
        rho_0 = np.sqrt(c - 2 * n * np.sin(np.radians(self.lat_0_deg))) / n
        return EARTH_RADIUS_KM * rho * np.sin(n * lon), -EARTH_RADIUS_KM * (rho_0 - rho * np.cos(n * lon))


def fit_conic(lon_deg: Floats, lat_deg: Floats) -> Conic:
    """Fit the projection to the places: centre of their extent, parallels at 1/6 and 5/6 of it."""
    south, north = float(lat_deg.min()), float(lat_deg.max())
    return Conic(
        lon_0_deg=(float(lon_deg.min()) + float(lon_deg.max())) / 2,
        lat_0_deg=(south + north) / 2,
        parallel_1_deg=south + (north - south) / 6,
        parallel_2_deg=north - (north - south) / 6,
    )


@dataclass(frozen=True, slots=True)
class Picture:
    """Where everything is drawn.

    Attributes
    ----------
    kind : str
        ``map`` or ``schematic``.
    x, y : numpy.ndarray
        Whole steps per site; meaningless where ``placed`` is false.
    placed : numpy.ndarray
        Which sites have a place.
    metres_per_step : float
        Scale of a map; 0 for a schematic.
    land : list of list of int
        Rings (first point, then steps), filled by the even-odd rule; empty for a schematic.

    """

    kind: str
    x: Ints
    y: Ints
    placed: NDArray[np.bool_]
    metres_per_step: float
    land: list[list[int]]


def draw_map(lon_deg: Floats, lat_deg: Floats) -> Picture:
    """Place the sites that have coordinates on a map with the land around them."""
    placed = np.isfinite(lon_deg) & np.isfinite(lat_deg) & (np.abs(lat_deg) <= 90) & (np.abs(lon_deg) <= 180)
    conic = fit_conic(lon_deg[placed], lat_deg[placed])
    x_km, y_km = conic.project(
        np.where(placed, lon_deg, conic.lon_0_deg), np.where(placed, lat_deg, conic.lat_0_deg)
    )
    extent_km = max(float(np.ptp(x_km[placed])), float(np.ptp(y_km[placed])), 1.0)
    steps_per_km = STEPS_ACROSS / extent_km
    return Picture(
        kind="map",
        x=np.rint(x_km * steps_per_km).astype(np.int64),
        y=np.rint(y_km * steps_per_km).astype(np.int64),
        placed=placed,
        metres_per_step=1000 / steps_per_km,
        land=_project_land(conic, lon_deg[placed], lat_deg[placed], steps_per_km=steps_per_km),
    )


def land_path(picture: Picture) -> str:
    """Return the land as one path of SVG: rings of steps, as the map's data has them."""
    parts = []
    for ring in picture.land:
        steps = " ".join(f"{ring[i]} {ring[i + 1]}" for i in range(2, len(ring), 2))
        parts.append(f"M{ring[0]} {ring[1]}l{steps}z")
    return "".join(parts)


def place_beside(
    picture: Picture, sites: tuple[Floats, Floats], lon_deg: Floats, lat_deg: Floats
) -> tuple[Ints, Ints]:
    """Return where other places lie on a map that was drawn of sites.

    Parameters
    ----------
    picture : Picture
        Of kind ``map``.
    sites : (array, array)
        Longitudes and latitudes it was drawn of.
    lon_deg, lat_deg : array
        A place on the far side of the earth is taken the shorter way round.
    """
    lon, lat = (values[picture.placed] for values in sites)
    conic = fit_conic(lon, lat)
    turned = conic.lon_0_deg + (lon_deg - conic.lon_0_deg + 180.0) % 360.0 - 180.0
    x_km, y_km = conic.project(turned, lat_deg)
    steps_per_km = 1000.0 / picture.metres_per_step
    return (
        np.rint(x_km * steps_per_km).astype(np.int64), np.rint(y_km * steps_per_km).astype(np.int64)
    )  # fmt: skip


def _project_land(conic: Conic, lon_deg: Floats, lat_deg: Floats, *, steps_per_km: float) -> list[list[int]]:
    raw = json.loads(resources.files("changtong.report").joinpath("land.json").read_text(encoding="utf-8"))
    west, south, east, north = raw["window"]
    inside = (lon_deg >= west) & (lon_deg <= east) & (lat_deg >= south) & (lat_deg <= north)
    if inside.mean() < 0.9:
        return []
    rings = []
    for steps in raw["rings"]:
        points = (
            np.cumsum(np.asarray(steps, dtype=np.float64).reshape(-1, 2), axis=0) / raw["steps_per_degree"]
        )
        near = (
            (points[:, 0].max() > lon_deg.min() - LAND_MARGIN_DEG)
            & (points[:, 0].min() < lon_deg.max() + LAND_MARGIN_DEG)
            & (points[:, 1].max() > lat_deg.min() - LAND_MARGIN_DEG)
            & (points[:, 1].min() < lat_deg.max() + LAND_MARGIN_DEG)
        )
        if not near:
            continue
        x_km, y_km = conic.project(points[:, 0], points[:, 1])
        drawn = np.rint(np.column_stack((x_km, y_km)) * steps_per_km).astype(np.int64)
        moves = np.vstack((drawn[:1], np.diff(drawn, axis=0)))
        rings.append([int(v) for v in moves.ravel()])
    return rings


def draw_schematic(
    *, n_sites: int, from_row: Ints, to_row: Ints, pieces: Floats, passing: NDArray[np.bool_]
) -> Picture:
    """Place sites on rings: those that pass pieces on inside, the others outside beside their partners.

    Parameters
    ----------
    n_sites : int
        Number of sites.
    from_row, to_row : numpy.ndarray
        Rows of the legs' ends.
    pieces : numpy.ndarray
        Weight of each leg, pieces a day.
    passing : numpy.ndarray
        Which sites belong on the inner ring.

    Notes
    -----
    Two sweeps put every site at the mean direction of its partners, weighted by pieces
    (the barycentre rule of Sugiyama, Tagawa and Toda 1981), then space a ring evenly.

    """
    order_by = np.bincount(from_row, pieces, n_sites) + np.bincount(to_row, pieces, n_sites)
    rings = [np.flatnonzero(passing)]
    rest = np.flatnonzero(~passing)
    per_ring = max(60, len(rest) // max(1, round((len(rest) / 120) ** 0.5)) + 1)
    rings += [rest[i : i + per_ring] for i in range(0, len(rest), per_ring)]
    angle = np.zeros(n_sites)
    for ring in rings:
        ring_order = ring[np.argsort(-order_by[ring], kind="stable")]
        angle[ring_order] = 2 * np.pi * np.arange(len(ring)) / max(len(ring), 1)
    for _ in range(4):
        pull = np.exp(1j * angle)
        towards = np.zeros(n_sites, dtype=np.complex128)
        np.add.at(towards, from_row, pieces * pull[to_row])
        np.add.at(towards, to_row, pieces * pull[from_row])
        for ring in rings:
            wanted = np.where(np.abs(towards[ring]) > 0, np.angle(towards[ring]), angle[ring]) % (2 * np.pi)
            spaced = ring[np.argsort(wanted, kind="stable")]
            angle[spaced] = 2 * np.pi * np.arange(len(ring)) / max(len(ring), 1)
    radius = np.zeros(n_sites)
    filled = [ring for ring in rings if len(ring)]
    for level, ring in enumerate(filled):
        radius[ring] = 0.0 if len(ring) == 1 and level == 0 else (level + 1) / len(filled)
    half = STEPS_ACROSS / 2
    return Picture(
        kind="schematic",
        x=np.rint(half * 1.4 * radius * np.cos(angle)).astype(np.int64),
        y=np.rint(half * radius * np.sin(angle)).astype(np.int64),
        placed=np.ones(n_sites, dtype=np.bool_),
        metres_per_step=0.0,
        land=[],
    )
