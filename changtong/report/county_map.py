"""The map of a county's delivery as SVG: where each village is served from, told by shape and by colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from markupsafe import Markup, escape

from changtong.report.county_words import bus_names, say_days
from changtong.report.projection import fit_conic
from changtong.report.texts import Both, text
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.route_files import site_names, trips

WIDE, LEAST_HIGH, MOST_HIGH, PAD = 1000.0, 560.0, 1050.0, 50.0
COLOURS, SHAPES = 7, 4
"""Colours and shapes of what serves a village: 28 pairs before one comes again, in the order of stations."""

MOST_MARKS = 9000
"""Marks of all answers together; firms' own answers beyond that are left out of the page."""

LABELLED = 60
"""Up to so many stations are named on the map."""

LISTED = 9
"""Up to so many sources are named in the legend one by one."""

PATHS = (
    "M-6 0A6 6 0 1 1 6 0A6 6 0 1 1-6 0Z",
    "M-5.3-5.3H5.3V5.3H-5.3Z",
    "M0-7.5 7.5 0 0 7.5-7.5 0Z",
    "M0 6.8-6.9-4.9H6.9Z",
)
"""Circle, square, diamond, triangle on its tip."""

HUB = "M0-15 4-5.2 14.5-4.6 6.4 2.1 9 12.3 0 6.6-9 12.3-6.4 2.1-14.5-4.6-4-5.2Z"
STATION = "M0-13 12.5 9.5H-12.5Z"
BUS = "M-2.6-8H2.6V-2.6H8V2.6H2.6V8H-2.6V2.6H-8V-2.6H-2.6Z"
CROSS = "M-6-6 6 6M6-6-6 6"


@dataclass(frozen=True)
class MapPicture:
    """A drawn map.

    Attributes
    ----------
    svg : Markup
    layers : list of (int, Both)
        Number and name of each answer that is in it.
    legend : list of (Markup, Both)
        A mark and what it means.
    left_out : int
        Answers that are not in it.
    """

    svg: Markup
    layers: list[tuple[int, Both]]
    legend: list[tuple[Markup, Both]]
    left_out: int


def draw_county(county: County, plans: list[tuple[Both, CountyPlan]]) -> MapPicture:
    """Draw the county under each of the plans, one layer each; the first is shown.

    Parameters
    ----------
    county : County
    plans : list of (Both, CountyPlan)
        Name and plan, the best first.
    """
    places, high, km_step = _lay_out(county)
    budget = MOST_MARKS
    shown: list[tuple[Both, CountyPlan]] = []
    for name, plan in plans:
        if shown and budget < county.sites.height:
            break
        budget -= county.sites.height
        shown.append((name, plan))
    layers = [
        f'<g class="layer{" off" if k else ""}" data-layer="{k}">{_layer(county, plan, places)}</g>'
        for k, (_, plan) in enumerate(shown)
    ]
    svg = (
        f'<svg id="county-map" class="county-map" viewBox="0 0 {WIDE:.0f} {high:.0f}" role="img" '
        f'aria-label="{escape(str(text("county.map")))}">{"".join(layers)}{_scale_bar(km_step, high)}</svg>'
    )
    return MapPicture(
        svg=Markup(svg),
        layers=[(k, name) for k, (name, _) in enumerate(shown)],
        legend=_legend(county, [plan for _, plan in shown]),
        left_out=len(plans) - len(shown),
    )


def _lay_out(county: County) -> tuple[dict[str, tuple[float, float]], float, float]:
    """Return where each site is, the height of the picture, and steps of it for a kilometre."""
    lon, lat = (county.sites[name].to_numpy().astype(float) for name in ("lon", "lat"))
    x, y = fit_conic(lon, lat).project(lon, lat)
    wide, high = max(float(np.ptp(x)), 0.1), max(float(np.ptp(y)), 0.1)
    scale = min((WIDE - 2 * PAD) / wide, (MOST_HIGH - 2 * PAD) / high)
    full = min(MOST_HIGH, max(LEAST_HIGH, high * scale + 2 * PAD))
    left, top = (WIDE - wide * scale) / 2, (full - high * scale) / 2
    at_x, at_y = left + (x - x.min()) * scale, top + (y - y.min()) * scale
    ids = county.sites["site_id"].to_list()
    return {site: (float(at_x[k]), float(at_y[k])) for k, site in enumerate(ids)}, full, scale


def _source_styles(county: County) -> dict[str, tuple[int, int]]:
    """Return colour and shape of each place that serves villages: the hub first, then stations in order."""
    stations = county.sites.filter(pl.col("kind") == "township")["site_id"].to_list()
    return {site: (k % COLOURS, k % SHAPES) for k, site in enumerate([county.hub, *stations])}


def _layer(county: County, plan: CountyPlan, places: dict[str, tuple[float, float]]) -> str:
    styles, names = _source_styles(county), site_names(county)
    return _lines(county, plan, places, styles) + _marks(county, plan, places, styles, names)


def _lines(
    county: County,
    plan: CountyPlan,
    places: dict[str, tuple[float, float]],
    styles: dict[str, tuple[int, int]],
) -> str:
    buses = bus_names(county.buses)
    parts = []
    order = {"local": 0, "bus": 1, "trunk": 2}
    for trip in sorted(trips(plan, county), key=lambda one: order.get(one.route["tier"], 0)):
        route = trip.route
        path = "L".join(f"{places[site][0]:.1f} {places[site][1]:.1f}" for site, _, _ in trip.way)
        colour = f" c{styles.get(route['from_site'], (0, 0))[0]}" if route["tier"] == "local" else ""
        called = buses.get(route["vehicle_type"], route["vehicle_type"])
        said = f"{route['route_id']}: {called}, {route['distance_km']:.1f} km, {say_days(route['weekdays'])}"
        kind = f"line {escape(route['tier'])}{colour}"
        parts.append(f'<path class="{kind}" d="M{path}"><title>{escape(said)}</title></path>')
    return "".join(parts)


def _marks(
    county: County,
    plan: CountyPlan,
    places: dict[str, tuple[float, float]],
    styles: dict[str, tuple[int, int]],
    names: dict[str, str],
) -> str:
    served = {row["site_id"]: row for row in plan.villages.iter_rows(named=True)}
    lost = set(plan.unserved["site_id"])
    used = set(plan.stations["site_id"])
    buses = bus_names(county.buses)
    bus_ids = set(county.buses["bus_id"])
    villages, stations, labels = [], [], []
    many = county.sites.filter(pl.col("kind") == "township").height > LABELLED
    for row in county.sites.iter_rows(named=True):
        site, kind = row["site_id"], row["kind"]
        x, y = places[site]
        if kind == "village":
            if site in served:
                source = served[site]["served_from"]
                said = f"{names[site]} ← {names.get(source) or buses.get(source, source)}"
                said += f", {say_days(served[site]['weekdays'])}"
                if source in bus_ids:
                    villages.append(_mark(x, y, "bus-stop", BUS, said))
                else:
                    colour, shape = styles.get(source, (0, 0))
                    villages.append(_mark(x, y, f"village c{colour}", PATHS[shape], said))
            elif site in lost:
                said = f"{names[site]}: {text('county.left_out')}"
                villages.append(_mark(x, y, "lost", CROSS, said))
            continue
        hub = kind == "county"
        if not hub:
            state = "open" if site in used else "shut"
            said = f"{names[site]}: {text(f'county.station_{state}')}"
            stations.append(_mark(x, y, f"station {state}", STATION, said))
        else:
            stations.append(_mark(x, y, "hub", HUB, f"{names[site]}: {text('county.hub')}"))
        if hub or (not many and site in used):
            labels.append(
                f'<g class="mark" transform="translate({x:.1f} {y:.1f})"><text class="label" '
                f'y="-17">{escape(names[site])}</text></g>'
            )
    return "".join([*villages, *stations, *labels])


def _mark(x: float, y: float, kind: str, path: str, said: str) -> str:
    return (
        f'<g class="mark" transform="translate({x:.1f} {y:.1f})"><path class="{kind}" d="{path}">'
        f"<title>{escape(said)}</title></path></g>"
    )


def _scale_bar(steps_per_km: float, high: float) -> str:
    """Draw a bar of a round number of kilometres; it grows with the map."""
    most = 0.22 * WIDE / steps_per_km
    size = 10.0 ** np.floor(np.log10(most))
    km = float(max(part * size for part in (1.0, 2.0, 5.0) if part * size <= most))
    y, x = high - 16, 16
    return (
        f'<g class="scale-bar"><path d="M{x} {y - 6}V{y}H{x + km * steps_per_km:.1f}V{y - 6}"/>'
        f'<text x="{x + 4}" y="{y - 7}">{km:g} km</text></g>'
    )


def _legend(county: County, plans: list[CountyPlan]) -> list[tuple[Markup, Both]]:
    names, styles = site_names(county), _source_styles(county)
    sources = {source for plan in plans for source in plan.villages["served_from"]}
    listed = [site for site in styles if site in sources]
    tiers = {tier for plan in plans for tier in plan.routes["tier"]}
    found: list[tuple[Markup, Both]] = [(_key("hub", HUB), text("county.hub"))]
    found.append((_key("station open", STATION), text("county.station_open")))
    found.append((_key("station shut", STATION), text("county.station_shut")))
    if len(listed) <= LISTED:
        for site in listed:
            colour, shape = styles[site]
            said = text("county.from_place", place=names[site])
            found.append((_key(f"village c{colour}", PATHS[shape]), said))
    else:
        found.append((_key("village c1", PATHS[1]), text("county.from_any")))
    if any(set(plan.villages["served_from"]) & set(county.buses["bus_id"]) for plan in plans):
        found.append((_key("bus-stop", BUS), text("county.by_bus")))
    if any(not plan.unserved.is_empty() for plan in plans):
        found.append((_key("lost", CROSS), text("county.left_out")))
    for tier in ("trunk", "local", "bus"):
        if tier in tiers:
            shade = f" c{styles[listed[0]][0]}" if tier == "local" and listed else ""
            found.append((_key(f"line {tier}{shade}", "M-15 0H15"), text(f"county.line_{tier}")))
    return found


def _key(kind: str, path: str) -> Markup:
    mark = f'<path class="{kind}" d="{path}"/>'
    return Markup(f'<svg class="county-map" viewBox="-17 -17 34 34" aria-hidden="true">{mark}</svg>')
