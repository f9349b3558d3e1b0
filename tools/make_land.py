"""Make ``changtong/report/land.json``: land without borders, for the report's map.

Source: Natural Earth 1:50m land (public domain), as TopoJSON in the npm package
``world-atlas`` version 2 (ISC licence). Run once, by hand, when the source changes::

    npm pack world-atlas@2 && tar xzf world-atlas-2.*.tgz
    python tools/make_land.py package/land-50m.json changtong/report/land.json

The file holds rings of whole numbers (hundredths of a degree, first point absolute,
then steps), to be filled by the even-odd rule, which leaves inland seas open. The window is
wider than China so that the picture has land up to every corner, on a tall phone as
well; beyond the surroundings of China the outline is coarse. Borders are left out on
purpose (see ``docs/decisions``).
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

Point = tuple[float, float]
WEST, SOUTH, EAST, NORTH = 10.0, -30.0, 191.0, 84.0
NEAR_WINDOW = (68.0, 0.0, 142.0, 58.0)  # west, south, east, north of where detail is kept
TOLERANCE_NEAR_DEG, TOLERANCE_FAR_DEG = 0.02, 0.15
SMALLEST_NEAR_DEG2, SMALLEST_FAR_DEG2 = 0.0002, 0.08
STEPS_PER_DEG = 100
EDGE_STEP_DEG = 2.0


def decode_rings(topology: dict) -> list[list[Point]]:
    """Return every ring of the ``land`` object in degrees (TopoJSON 1.0 arcs)."""
    (scale_x, scale_y), (move_x, move_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[list[Point]] = []
    for arc in topology["arcs"]:
        x = y = 0
        points: list[Point] = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            points.append((x * scale_x + move_x, y * scale_y + move_y))
        arcs.append(points)
    rings: list[list[Point]] = []
    for geometry in topology["objects"]["land"]["geometries"]:
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        for polygon in polygons:
            for ring in polygon:
                points = []
                for index in ring:
                    part = arcs[index] if index >= 0 else arcs[~index][::-1]
                    points.extend(part if not points else part[1:])
                rings.append(unwrap(points[:-1]))
    return rings


def unwrap(ring: list[Point]) -> list[Point]:
    """Let longitudes run on past 180° where a ring crosses the antimeridian."""
    turn, points = 0.0, ring[:1]
    for (before, _), (lon, lat) in pairwise(ring):
        turn += 360 if lon - before < -180 else -360 if lon - before > 180 else 0
        points.append((lon + turn, lat))
    return [(lon + 360, lat) for lon, lat in points] if min(lon for lon, _ in points) < -185 else points


def clip(ring: list[Point]) -> list[Point]:
    """Clip a ring to the window (Sutherland and Hodgman 1974)."""
    for axis, limit, keep_above in ((0, WEST, True), (0, EAST, False), (1, SOUTH, True), (1, NORTH, False)):
        kept: list[Point] = []
        for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
            in_here = (here[axis] >= limit) == keep_above or here[axis] == limit
            in_there = (there[axis] >= limit) == keep_above or there[axis] == limit
            if in_here:
                kept.append(here)
            if in_here != in_there:
                share = (limit - here[axis]) / (there[axis] - here[axis])
                other = here[1 - axis] + share * (there[1 - axis] - here[1 - axis])
                kept.append((limit, other) if axis == 0 else (other, limit))
        ring = kept
        if not ring:
            return []
    return ring


def is_near(point: Point) -> bool:
    """Say whether detail is kept at a point."""
    west, south, east, north = NEAR_WINDOW
    return west <= point[0] <= east and south <= point[1] <= north


def simplify(ring: list[Point]) -> list[Point]:
    """Drop points nearer than the tolerance to the line kept (Douglas and Peucker 1973)."""
    if len(ring) < 5:
        return ring
    far = max(range(len(ring)), key=lambda i: (ring[i][0] - ring[0][0]) ** 2 + (ring[i][1] - ring[0][1]) ** 2)
    closed = [*ring, ring[0]]
    keep = {0, far, len(ring)}
    stack = [(0, far), (far, len(ring))]
    while stack:
        first, last = stack.pop()
        (ax, ay), (bx, by) = closed[first], closed[last]
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1e-12
        worst, worst_at = 1.0, -1
        for i in range(first + 1, last):
            px, py = closed[i]
            distance = abs((bx - ax) * (ay - py) - (ax - px) * (by - ay)) / length
            distance /= TOLERANCE_NEAR_DEG if is_near(closed[i]) else TOLERANCE_FAR_DEG
            if distance > worst:
                worst, worst_at = distance, i
        if worst_at >= 0:
            keep.add(worst_at)
            stack += [(first, worst_at), (worst_at, last)]
    return [closed[i] for i in sorted(keep - {len(ring)})]


def area(ring: list[Point]) -> float:
    """Return the unsigned area in square degrees."""
    return 0.5 * abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True)))


def densify(ring: list[Point]) -> list[Point]:
    """Put points on long edges along the window, which a conic projection bends."""
    points: list[Point] = []
    for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
        points.append(here)
        span = max(abs(there[0] - here[0]), abs(there[1] - here[1]))
        on_edge = (here[0] == there[0] and here[0] in (WEST, EAST)) or (
            here[1] == there[1] and here[1] in (SOUTH, NORTH)
        )
        pieces = int(span / EDGE_STEP_DEG) + 1 if on_edge else 1
        for k in range(1, pieces):
            share = k / pieces
            points.append((here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1])))
    return points


def encode(ring: list[Point]) -> list[int]:
    """Return whole-number steps; empty where nothing is left."""
    points = [(round(x * STEPS_PER_DEG), round(y * STEPS_PER_DEG)) for x, y in ring]
    points = [p for i, p in enumerate(points) if p != points[i - 1]]
    if len(points) < 3:
        return []
    steps = list(points[0])
    for (ax, ay), (bx, by) in pairwise(points):
        steps += [bx - ax, by - ay]
    return steps


def main(source: Path, target: Path) -> None:
    """Read the TopoJSON, write the small file, print its size."""
    rings = []
    for ring in decode_rings(json.loads(source.read_text(encoding="utf-8"))):
        clipped = clip(ring)
        smallest = SMALLEST_NEAR_DEG2 if any(map(is_near, clipped)) else SMALLEST_FAR_DEG2
        if len(clipped) >= 3 and area(clipped) >= smallest:
            steps = encode(densify(simplify(clipped)))
            if steps:
                rings.append(steps)
    rings.sort(key=len, reverse=True)
    content = {
        "attribution": "Made with Natural Earth (public domain), 1:50m land, by way of world-atlas 2 (ISC)",
        "steps_per_degree": STEPS_PER_DEG,
        "window": [WEST, SOUTH, EAST, NORTH],
        "rings": rings,
    }
    target.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size} bytes, {len(rings)} rings")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
