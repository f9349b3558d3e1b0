"""What lies inside the areas of warnings: polygons of any shape, circles, codes of administrative units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from changtong.emergency.cap import Area, Point
from changtong.network.reference_places import great_circle_km
from changtong.outages import admin_prefix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

KM_PER_DEGREE = 111.0
"""Of latitude, a little less than it is: bands made with it are never too narrow."""

ON_THE_RIM_KM = 1e-6
"""A place so near to a circle's rim lies on it: a radius of 0 is the place itself."""

PAIRS_AT_ONCE = 4_000_000
MOST_PAIRS = 200_000_000
"""Pairs of a polygon's edge and a place beside it that are looked at; some 10 seconds."""


class Places:
    """Places to look up, in the order of their latitudes; those not known are inside nothing.

    Parameters
    ----------
    lon, lat : array, degrees
    """

    def __init__(self, lon: Floats, lat: Floats) -> None:
        known = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
        order = known[np.argsort(lat[known], kind="stable")]
        self.count = len(lon)
        self.rows: Ints = order
        self.lon, self.lat = lon[order], lat[order]
        self.coarse = 0
        """Polygons so intricate that their bounding box was taken."""

    def inside(self, areas: Iterable[Area]) -> Mask:
        """Return which places lie inside a polygon or circle of any of the areas.

        Parameters
        ----------
        areas : iterable of Area
            A polygon that crosses the 180th meridian may have longitudes of both signs: an edge goes the
            shorter way round; one that goes round the earth holds the nearer pole. Of a polygon that
            crosses itself, all it goes round counts.
        """
        found = np.zeros(self.count, bool)
        for area in areas:
            inside = np.zeros(len(self.rows), bool)
            for ring in area.polygons:
                inside |= self._in_ring(ring)
            for ring in area.holes:
                inside &= ~self._in_ring(ring)
            for lon, lat, radius_km in area.circles:
                inside |= self._in_circle(lon, lat, radius_km)
            found[self.rows[inside]] = True
        return found

    def band(self, south: float, north: float) -> tuple[int, int]:
        """Return from and to which place (in order) latitudes lie in a band, both ends included."""
        return int(np.searchsorted(self.lat, south, "left")), int(np.searchsorted(self.lat, north, "right"))

    def _in_circle(self, lon: float, lat: float, radius_km: float) -> Mask:
        inside = np.zeros(len(self.rows), bool)
        reach = radius_km / KM_PER_DEGREE + 1e-6
        first, last = self.band(lat - reach, lat + reach)
        away = great_circle_km(self.lon[first:last], self.lat[first:last], np.array(lon), np.array(lat))
        inside[first:last] = away <= radius_km + ON_THE_RIM_KM
        return inside

    def _in_ring(self, ring: tuple[Point, ...]) -> Mask:
        inside = np.zeros(len(self.rows), bool)
        x, y = _around_a_pole(
            np.unwrap([place[0] for place in ring], period=360.0), np.array([place[1] for place in ring])
        )
        first, last = self.band(float(y.min()), float(y.max()))
        lon, lat = self.lon[first:last], self.lat[first:last]
        for turn in (-720.0, -360.0, 0.0, 360.0, 720.0):
            near = np.flatnonzero((lon + turn >= x.min()) & (lon + turn <= x.max()))
            if len(near):
                hit = _winds(lon[near] + turn, lat[near], x, y)
                if hit is None:
                    self.coarse += 1
                    hit = np.ones(len(near), bool)
                inside[first + near] |= hit
        return inside


def _around_a_pole(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return a ring closed along the nearer pole where it goes round the earth; else as it is."""
    if abs(x[-1] - x[0]) < 180.0:
        return x, y
    pole = 90.0 if y.mean() >= 0.0 else -90.0
    return np.append(x, [x[-1], x[0], x[0]]), np.append(y, [pole, pole, y[0]])


def _winds(lon: Floats, lat: Floats, x: Floats, y: Floats) -> Mask | None:
    """Return which places a ring goes round at all (winding number); None where that is too much work.

    ``lat`` is in order, so that the places beside an edge are neighbours.
    """
    tail, head = np.arange(len(x) - 1), np.arange(1, len(x))
    low, high = np.minimum(y[tail], y[head]), np.maximum(y[tail], y[head])
    begin, end = np.searchsorted(lat, low, "left"), np.searchsorted(lat, high, "left")
    count = end - begin
    total = np.cumsum(count)
    if not len(total) or total[-1] > MOST_PAIRS:
        return None if len(total) else np.zeros(len(lon), bool)
    turns = np.zeros(len(lon))
    edge = 0
    while edge < len(count):
        until = max(edge + 1, int(np.searchsorted(total, total[edge] - count[edge] + PAIRS_AT_ONCE, "right")))
        some = slice(edge, until)
        of = np.repeat(np.arange(edge, until), count[some])
        before = np.repeat(np.cumsum(count[some]) - count[some], count[some])
        at = np.arange(len(of)) - before + np.repeat(begin[some], count[some])
        a, b = tail[of], head[of]
        left = (x[b] - x[a]) * (lat[at] - y[a]) - (lon[at] - x[a]) * (y[b] - y[a])
        up = y[b] > y[a]
        step = np.where(up & (left > 0.0), 1.0, 0.0) - np.where(~up & (left < 0.0), 1.0, 0.0)
        turns += np.bincount(at, step, len(lon))
        edge = until
    wound: Mask = turns != 0.0
    return wound


def inside_warned_area(lon: Floats, lat: Floats, area: Area) -> Mask:
    """Return which places lie inside a polygon or circle of an area; unknown places do not.

    Parameters
    ----------
    lon, lat : array, degrees
    area : Area

    Examples
    --------
    >>> import numpy as np
    >>> around = Area("", circles=((113.0, 35.0, 9.0),))
    >>> inside_warned_area(np.array([113.0, 115.0]), np.array([35.0, 35.0]), around)
    array([ True, False])
    """
    return Places(np.asarray(lon, float), np.asarray(lat, float)).inside([area])


def crosses_itself(ring: Sequence[Point], *, most: int = 400) -> bool | None:
    """Tell whether a ring crosses itself; None where it has more points than are looked at.

    Parameters
    ----------
    ring : sequence of (lon, lat)
        Closed.
    most : int
    """
    if len(ring) > most:
        return None
    x = np.unwrap([place[0] for place in ring], period=360.0)
    y = np.array([place[1] for place in ring])
    n = len(ring) - 1
    i, j = np.triu_indices(n, 2)
    apart = ~((i == 0) & (j == n - 1))
    i, j = i[apart], j[apart]

    def side(a: Ints, b: Ints, c: Ints) -> Floats:
        turned: Floats = (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a])
        return turned

    first = side(i, i + 1, j) * side(i, i + 1, j + 1)
    second = side(j, j + 1, i) * side(j, j + 1, i + 1)
    return bool(((first < 0.0) & (second < 0.0)).any())


def inside_codes(site_codes: Sequence[str], codes: Iterable[str]) -> Mask:
    """Return which sites lie in the administrative units of codes.

    Parameters
    ----------
    site_codes : sequence of str
        ``admin_code`` of each site, empty where not known.
    codes : iterable of str
        GB/T 2260, six digits; of twelve digits (as statistics and the national warning platform write
        them) the zeros at the end do not count. A whole province or city has zeros behind.

    Examples
    --------
    >>> inside_codes(["410181", "420115", ""], ["410000000000"])
    array([ True, False, False])
    """
    prefixes = tuple(prefix for code in codes if (prefix := admin_prefix(code)))
    return np.array([bool(code) and code.startswith(prefixes) for code in site_codes], bool)
