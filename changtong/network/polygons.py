"""Areas as GeoJSON polygons, and what lies inside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from changtong.errors import InputError, Problem


def polygons_of(area: dict[str, Any]) -> list[Any]:
    """Return the polygons (lists of rings) of GeoJSON: a geometry, a Feature or a FeatureCollection.

    Raises
    ------
    InputError
        It is something else.
    """
    kind = area.get("type")
    if kind == "FeatureCollection":
        return [polygon for feature in area["features"] for polygon in polygons_of(feature)]
    if kind == "GeometryCollection":
        return [polygon for part in area["geometries"] for polygon in polygons_of(part)]
    if kind == "Feature":
        return polygons_of(area["geometry"])
    if kind == "Polygon":
        return [area["coordinates"]]
    if kind == "MultiPolygon":
        return list(area["coordinates"])
    message = f"The area is a {kind!r}."
    raise InputError([Problem("bad-area", message, expected="GeoJSON of a Polygon or MultiPolygon")])


def inside_area(
    lon: NDArray[np.float64], lat: NDArray[np.float64], area: dict[str, Any]
) -> NDArray[np.bool_]:
    """Return which points lie inside GeoJSON polygons (even-odd rule); unknown positions do not."""
    inside = np.zeros(len(lon), bool)
    for rings in polygons_of(area):
        crossings = np.zeros(len(lon), np.int64)
        for ring in rings:
            x, y = np.asarray(ring, float)[:, :2].T
            for k in range(len(x) - 1):
                between = (y[k] > lat) != (y[k + 1] > lat)
                with np.errstate(divide="ignore", invalid="ignore"):
                    at = x[k] + (lat - y[k]) / (y[k + 1] - y[k]) * (x[k + 1] - x[k])
                crossings += between & (lon < at)
        inside |= crossings % 2 == 1
    return inside
