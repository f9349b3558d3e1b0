"""The land under the maps, as GeoJSON. No borders: the user may add approved ones."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def land_geojson() -> dict[str, Any]:
    """Return the land of Natural Earth as one multi-polygon; where it comes from is in ``attribution``."""
    raw = json.loads(resources.files("changtong.report").joinpath("land.json").read_text(encoding="utf-8"))
    per_degree = raw["steps_per_degree"]
    polygons = []
    for steps in raw["rings"]:
        x, y, ring = 0, 0, []
        for right, up in zip(steps[::2], steps[1::2], strict=True):
            x, y = x + right, y + up
            ring.append([x / per_degree, y / per_degree])
        polygons.append([[*ring, ring[0]]])
    geometry = {"type": "MultiPolygon", "coordinates": polygons}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature], "attribution": raw["attribution"]}
