"""The map of warnings as SVG: areas and wind circles, and the sites and legs they threaten."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from markupsafe import Markup, escape
from numpy.typing import NDArray

from changtong.emergency.threat_result import Threats
from changtong.emergency.tracks import outline, swept_circles
from changtong.emergency.warned_areas import KM_PER_DEGREE
from changtong.network.model import Network
from changtong.report.map_data import draw_network
from changtong.report.projection import Picture, land_path, place_beside
from changtong.report.texts import text, whole
from changtong.structure import column

WORST_FIRST = ("force-12", "force-10", "red", "force-8", "orange", "force-7", "yellow", "blue", "unknown")
"""Of several levels at one place the first is drawn."""

COLOUR_OF = {"force-12": "red", "force-10": "red", "force-8": "orange", "force-7": "yellow"}
"""Colours wind circles are drawn in; the others are colours themselves."""

MOST_AREAS, MOST_POINTS, MOST_LEGS = 400, 300, 1500
LEAST_MARK, MORE_MARK = 4.0, 11.0
LEAST_EXTENT, MARGIN = 1000.0, 0.06


def colour_class(level: str) -> str:
    """Return the colour a level is drawn in."""
    return COLOUR_OF.get(level, level)


def worst_levels(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return one row a place, its worst level first of all.

    Parameters
    ----------
    frame : polars.DataFrame
        With a column ``level``.
    by : sequence of str
        Columns that name a place.
    """
    order = {level: k for k, level in enumerate(WORST_FIRST)}
    rank = pl.col("level").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return frame.sort(rank, maintain_order=True).unique(by, keep="first", maintain_order=True)


def warnings_map(result: Threats) -> Markup:
    """Draw the map; the worst on top.

    Parameters
    ----------
    result : Threats
    """
    network = result.network
    picture = _picture(network)
    x, y = picture.x, picture.y
    placed = np.flatnonzero(picture.placed)
    if not len(placed):
        return Markup("")
    extent = max(float(np.ptp(x[placed])), float(np.ptp(y[placed])), LEAST_EXTENT)
    pad, unit = MARGIN * extent, extent / 1000
    box = (
        float(x[placed].min()) - pad, float(y[placed].min()) - pad,
        float(np.ptp(x[placed])) + 2 * pad, float(np.ptp(y[placed])) + 2 * pad,
    )  # fmt: skip
    row = {site: k for k, site in enumerate(network.site_ids)}
    parts = [
        f'<svg class="warnings-map" viewBox="{box[0]:.0f} {box[1]:.0f} {box[2]:.0f} {box[3]:.0f}" role="img" '
        f'aria-label="{escape(str(text("warn.map")))}">',
        f'<path class="land" d="{land_path(picture)}"/>' if picture.land else "",
    ]
    if picture.kind == "map":
        parts += _areas(result, picture)
    parts += [f'<circle class="other" cx="{x[k]}" cy="{y[k]}" r="{1.6 * unit:.0f}"/>' for k in placed]
    parts += _legs(result, picture, row)
    parts += _sites(result, picture, row, unit)
    return Markup("".join([*parts, "</svg>"]))


def _picture(network: Network) -> Picture:
    legs = network.legs
    flow = pl.Series("f", column(legs, "flow_pieces_per_day", 1.0))
    flows = legs.select("from_site", "to_site", flow.alias("baseline_pieces"), flow.alias("planned_pieces"))
    return draw_network(network, flows)


def _areas(result: Threats, picture: Picture) -> list[str]:
    """Return areas of warnings and circles of tracks, the least bad first."""
    sites = tuple(column(result.network.sites, name, np.nan) for name in ("lon", "lat"))
    levels = result.warnings["level"].to_list()  # in this order, tracks behind them
    shapes: list[tuple[str, list[tuple[float, float]], str]] = []
    for one, level in zip((*result.found.now, *result.found.coming), levels, strict=False):
        for area in one.info.areas:
            said = f"{one.info.headline or one.info.event}: {area.description}"
            shapes += [(level, list(ring), said) for ring in area.polygons]
            shapes += [(level, _circle(lon, lat, km), said) for lon, lat, km in area.circles]
    for track in result.tracks:
        for force in track.forces:
            shapes += [
                (f"force-{force}", outline(lon, lat, radii), f"{track.name}, {result.local(at)}, {force}")
                for at, lon, lat, radii in swept_circles(track, force, every_h=6.0)
            ]
    worst_last = sorted(shapes, key=lambda one: -WORST_FIRST.index(one[0]))[-MOST_AREAS:]
    parts = [
        f'<path class="area w-{colour_class(level)}" d="{_path(picture, sites, ring)}Z">'
        f"<title>{escape(said)}</title></path>"
        for level, ring, said in worst_last
    ]
    for track in result.tracks:
        way = _path(picture, sites, [(one.lon, one.lat) for one in track.points])
        parts.append(f'<path class="way" d="{way}"><title>{escape(track.name)}</title></path>')
    return parts


def _circle(lon: float, lat: float, radius_km: float) -> list[tuple[float, float]]:
    least = max(radius_km, 0.01 * KM_PER_DEGREE)
    return outline(lon, lat, (least, least, least, least))


def _path(
    picture: Picture, sites: tuple[NDArray[np.float64], ...], ring: Sequence[tuple[float, float]]
) -> str:
    every = max(1, len(ring) // MOST_POINTS)
    places = np.array([*ring[::every], ring[-1]], float)
    lon = np.unwrap(places[:, 0], period=360.0)
    x, y = place_beside(picture, (sites[0], sites[1]), lon, np.clip(places[:, 1], -85.0, 85.0))
    return "M" + "L".join(f"{a} {b}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _legs(result: Threats, picture: Picture, row: dict[str, int]) -> list[str]:
    x, y = picture.x, picture.y
    legs = worst_levels(result.exposed.legs, ("from_site", "to_site"))
    most = legs.sort("flow_pieces", descending=True, nulls_last=True, maintain_order=True).head(MOST_LEGS)
    parts = []
    for one in most.reverse().iter_rows(named=True):
        a, b = row[one["from_site"]], row[one["to_site"]]
        if picture.placed[a] and picture.placed[b]:
            path = f"M{x[a]} {y[a]}L{x[b]} {y[b]}"
            parts.append(f'<path class="leg w-{colour_class(one["level"])}" d="{path}"/>')
    return parts


def _sites(result: Threats, picture: Picture, row: dict[str, int], unit: float) -> list[str]:
    sites = worst_levels(result.exposed.sites, ("site_id",)).with_columns(
        pl.sum_horizontal("begin_pieces", "end_pieces").alias("pieces")
    )
    largest = max(float(sites["pieces"].max() or 0.0), 1.0) if len(sites) else 1.0  # type: ignore[arg-type]
    names = result.network.sites["name"].to_list() if "name" in result.network.sites.columns else None
    parts = []
    for one in sites.reverse().iter_rows(named=True):
        k = row[one["site_id"]]
        if not picture.placed[k]:
            continue
        radius = unit * (LEAST_MARK + MORE_MARK * (one["pieces"] / largest) ** 0.5)
        name = (names[k] if names else None) or one["site_id"]
        title = f"{name}: {text('warn_level.' + one['level'])}, {whole(one['pieces'])}"
        parts.append(
            f'<circle class="site w-{colour_class(one["level"])}" cx="{picture.x[k]}" cy="{picture.y[k]}" '
            f'r="{radius:.0f}"><title>{escape(title)}</title></circle>'
        )
    return parts
