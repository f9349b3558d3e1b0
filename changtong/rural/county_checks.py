"""Checks of a county beyond single cells: what cannot be planned, and what is worth a look."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from changtong.errors import Problem
from changtong.network.assembly import Assembly
from changtong.network.checks import warn_rows
from changtong.network.findings import rows_where
from changtong.network.reference_places import great_circle_km

FAR_KM = 300.0
"""A place farther from the hub than this is hardly of the county: the largest counties of China are some
hundred kilometres across."""

WEEKDAYS_PATTERN = "^1?2?3?4?5?6?7?$"
FASTEST_KM_PER_H = 200.0
PLAN_NAMES = ("shared", "with_buses", "shared_with_buses")
"""What the answers of all firms together are called; an answer may be asked for by its name or a firm's."""

STRAIGHT_TOLERANCE = 0.95
"""A road may be this much shorter than the great circle before it is reported: positions are rounded."""


def _wrong_rows(
    made: Assembly,
    table: str,
    mask: pl.Series,
    code: str,
    column: str,
    say: Callable[[int], str],
    expected: str,
    hint: str = "",
) -> None:
    """Add an error for each row of a typed table where the mask is true."""
    made.findings.add_rows(
        rows_where(mask),
        lambda index: Problem(
            code, say(index), made.file(table), made.row(table, index), column, expected=expected, hint=hint
        ),
    )


def check_hub(made: Assembly) -> None:
    """Report a county without a hub, or with several."""
    sites = made.tables["sites"]
    hubs = rows_where(sites["kind"] == "county")
    if len(hubs) == 1 or sites.height == 0:
        return
    place = made.file("sites")
    expected = "one site of kind county"
    if len(hubs) == 0:
        made.findings.add(Problem("no-hub", "no site is the county hub.", place, None, "kind", expected))
        return
    first = sites["site_id"][int(hubs[0])]
    made.findings.add_rows(
        hubs[1:],
        lambda row: Problem(
            "several-hubs",
            f"{sites['site_id'][row]} is of kind county, as {first} is.",
            place,
            made.row("sites", row),
            "kind",
            expected=expected,
        ),
    )


def check_times(made: Assembly) -> None:
    """Report windows that end before they begin."""
    for table, begin, end in (("sites", "opens", "closes"), ("vehicles", "starts", "ends")):
        frame = made.tables[table]
        _wrong_rows(
            made,
            table,
            frame[begin] > frame[end],
            "window-reversed",
            end,
            lambda row, frame=frame, begin=begin, end=end: (  # type: ignore[misc]
                f"{end} {frame[end][row]} is before {begin} {frame[begin][row]}."
            ),
            f"{end} not before {begin}",
        )


def check_vehicles(made: Assembly) -> None:
    """Report cold space larger than the vehicle, and counties and firms without a usable vehicle."""
    vehicles, pieces = made.tables["vehicles"], made.tables["pieces"]
    cold, whole = vehicles["cold_pieces"], vehicles["capacity_pieces"]
    _wrong_rows(
        made,
        "vehicles",
        cold > whole,
        "cold-over-capacity",
        "cold_pieces",
        lambda row: f"{cold[row]:.10g} cold pieces are more than the {whole[row]:.10g} it holds.",
        "at most capacity_pieces",
    )
    idle = (whole == 0) | (vehicles["count"] == 0) | (vehicles["shift_h"] == 0)
    usable = vehicles.filter(~idle.fill_null(False))
    if usable.height == 0 and made.tables["buses"].height == 0:
        message = "no vehicle has a capacity, a count and a shift above 0, and there is no bus."
        expected = "at least one vehicle that can be used"
        made.findings.add(Problem("no-usable-vehicle", message, made.file("vehicles"), None, None, expected))
        return
    if pieces.height:
        _check_uses(made, usable)


def _check_uses(made: Assembly, usable: pl.DataFrame) -> None:
    """Warn of pieces that no vehicle can carry: of a firm, to villages, or cold."""
    file, pieces = made.file("vehicles"), made.tables["pieces"]

    def warn(code: str, message: str, hint: str) -> None:
        made.findings.add(Problem(code, message, file, None, None, "", hint, severity="warning"))

    if usable["firm"].null_count() == 0:
        owners = set(usable["firm"].to_list())
        for firm in pieces["firm"].unique().sort().to_list():
            if firm not in owners:
                hint = "Alone it can serve nobody; give it a vehicle, or one of anybody's (firm empty)."
                warn("firm-without-vehicle", f"{firm} has pieces and no vehicle it may use.", hint)
    if not usable["tier"].is_in(["local", "any"]).any():
        warn("no-local-vehicle", "no vehicle goes to villages.", "Give one of tier local or any.")
    stations = made.tables["sites"].filter((pl.col("kind") == "township") & (pl.col("opening") != "shut"))
    if stations.height and not usable["tier"].is_in(["trunk", "any"]).any():
        hint = "Give one of tier trunk or any; only the hub itself serves villages now."
        warn("no-trunk-vehicle", "no vehicle goes from the hub to stations.", hint)
    both = pl.col("inbound_pieces_per_day") * pl.col("inbound_cold_share")
    both = both + pl.col("outbound_pieces_per_day") * pl.col("outbound_cold_share")
    cold = float(pieces.select(both.sum()).item())
    if cold > 0 and not (usable["cold_pieces"] > 0).any():
        message = f"{cold:,.10g} pieces a day must be kept cold and no vehicle has cold space."
        warn("cold-without-space", message, "They will be left unserved.")


def check_firms(made: Assembly) -> None:
    """Report firms named as answers are, and warn of vehicles of firms that have no pieces.

    Often such a name is written in two ways.
    """
    sender = made.tables["pieces"]["firm"]
    _wrong_rows(
        made,
        "pieces",
        sender.is_in(PLAN_NAMES) & sender.is_first_distinct(),
        "reserved-name",
        "firm",
        lambda row: f"a firm is named {sender[row]}, as the answer of all firms together is.",
        "another name",
    )
    vehicles, firms = made.tables["vehicles"], made.tables["pieces"]["firm"].unique()
    owner = vehicles["firm"]
    known = ", ".join(firms.drop_nulls().sort().to_list()[:10])
    warn_rows(
        made,
        "vehicles",
        owner.is_not_null() & ~owner.is_in(firms.implode()),
        "firm-without-pieces",
        "firm",
        lambda row: f"{owner[row]} has a vehicle and no pieces.",
        f"Firms with pieces: {known}." if known else "",
    )


def check_buses(made: Assembly) -> None:
    """Report runs with fewer than two stops, stops out of order of time, odd weekdays, and ids of sites."""
    buses, stops = made.tables["buses"], made.tables["bus_stops"]
    days = buses["weekdays"]
    _wrong_rows(
        made,
        "buses",
        ~days.str.contains(WEEKDAYS_PATTERN),
        "bad-weekdays",
        "weekdays",
        lambda row: f'"{days[row]}" is no list of weekdays.',
        "digits 1 (Monday) to 7 (Sunday), each once, in order: 135",
    )
    places = set(made.tables["sites"]["site_id"].cast(pl.String).to_list())
    runs = buses["bus_id"].cast(pl.String)
    _wrong_rows(
        made,
        "buses",
        runs.is_in(sorted(places)),
        "bus-named-as-site",
        "bus_id",
        lambda row: f"{runs[row]} is the id of a site too.",
        "an id no site has",
        "A village is served from a site or from a bus: the ids must tell which.",
    )
    sites = stops.group_by("bus_id").agg(pl.len(), pl.col("site_id"))
    by_bus = {row["bus_id"]: row for row in sites.iter_rows(named=True)}
    ids = buses["bus_id"]
    few = pl.Series([by_bus.get(bus, {"len": 0})["len"] < 2 for bus in ids], dtype=pl.Boolean)
    if not _is_unread(made, "bus_stops"):
        _wrong_rows(
            made,
            "buses",
            few,
            "too-few-stops",
            "bus_id",
            lambda row: f"{ids[row]} has {by_bus.get(ids[row], {'len': 0})['len']} stops.",
            "at least two rows in bus_stops",
        )
    _check_order(made)
    hubs = made.tables["sites"].filter(pl.col("kind") == "county")["site_id"].to_list()
    away = [bus in by_bus and not set(by_bus[bus]["site_id"]) & set(hubs) for bus in ids]
    warn_rows(
        made,
        "buses",
        pl.Series(away, dtype=pl.Boolean) & ~few,
        "bus-without-hub",
        "bus_id",
        lambda row: f"{ids[row]} does not stop at the hub: it can take no parcels from there.",
    )


def _check_order(made: Assembly) -> None:
    stops = made.tables["bus_stops"].with_row_index("row").sort("bus_id", "stop")
    late = ((stops["bus_id"] == stops["bus_id"].shift(1)) & (stops["at"] <= stops["at"].shift(1))).fill_null(
        False
    )
    rows = stops.with_columns(before=pl.col("at").shift(1)).filter(late).sort("row")
    made.findings.add_rows(
        range(rows.height),
        lambda k: Problem(
            "stops-out-of-order",
            f"stop {rows['stop'][k]} of {rows['bus_id'][k]} at {rows['at'][k]} does not follow"
            f" the one before, at {rows['before'][k]}.",
            made.file("bus_stops"),
            made.row("bus_stops", int(rows["row"][k])),
            "at",
            expected="later times at later stops",
        ),
    )


def _is_unread(made: Assembly, table: str) -> bool:
    """Tell whether a table's own problems explain why rows of it are missing."""
    return any(problem.file == made.file(table) for problem in made.findings.errors)


def check_places(made: Assembly) -> None:
    """Warn of swapped and of far positions, and of the same place twice."""
    sites = made.tables["sites"]
    if sites.height == 0:
        return
    lon, lat = sites["lon"].to_numpy(), sites["lat"].to_numpy()
    middle = np.array([np.median(lon)]), np.array([np.median(lat)])
    astray = great_circle_km(lon, lat, *middle) > FAR_KM
    swapped = astray & (np.abs(lon) <= 90) & (great_circle_km(lat, lon, *middle) <= FAR_KM)
    shown = [f"lon {one:.10g}, lat {other:.10g}" for one, other in zip(lon, lat, strict=True)]
    warn_rows(
        made,
        "sites",
        pl.Series(swapped),
        "swapped-coordinates",
        "lat",
        lambda row: f"{shown[row]} lies far from the other sites; the other way round it would not.",
        "Longitude and latitude seem to be swapped.",
    )
    hubs = rows_where(sites["kind"] == "county")
    if len(hubs) == 1 and not swapped[hubs[0]]:
        km = great_circle_km(lon, lat, lon[hubs], lat[hubs])
        warn_rows(
            made,
            "sites",
            pl.Series((km > FAR_KM) & ~swapped),
            "far-from-hub",
            "lon",
            lambda row: f"{sites['site_id'][row]} is {km[row]:,.0f} km from the hub.",
            "Is the position right?",
        )
    place = ["kind", "name", "lon", "lat"]
    again = sites["name"].is_not_null() & ~sites.select(pl.struct(place).is_first_distinct()).to_series()
    warn_rows(
        made,
        "sites",
        again,
        "same-place",
        "site_id",
        lambda row: f"{sites['site_id'][row]} has the kind, name and position of another site.",
        "Is the place listed twice?",
    )


def check_pieces(made: Assembly) -> None:
    """Warn of tables without rows, and of villages without a piece."""
    sites, pieces = made.tables["sites"], made.tables["pieces"]
    villages = sites.filter(pl.col("kind") == "village")
    if villages.height == 0 and sites.height and not _is_unread(made, "sites"):
        message = "no site is a village."
        made.findings.add(
            Problem("no-villages", message, made.file("sites"), None, "kind", severity="warning")
        )
    moving = pieces.filter((pl.col("inbound_pieces_per_day") > 0) | (pl.col("outbound_pieces_per_day") > 0))
    without = villages.join(moving, on="site_id", how="anti")
    if without.height and not _is_unread(made, "pieces"):
        some = ", ".join(without["site_id"].cast(pl.String).to_list()[:5])
        more = ", …" if without.height > 5 else ""
        message = f"{without.height:,} of {villages.height:,} villages have no pieces: {some}{more}."
        hint = "A plan does not visit them."
        problem = Problem(
            "village-without-pieces", message, made.file("pieces"), None, "site_id", "", hint, "warning"
        )
        made.findings.add(problem, count=without.height)


def check_roads(made: Assembly) -> None:
    """Warn of roads shorter than the straight line, and of speeds no road allows."""
    roads = made.tables["roads"]
    if roads.height == 0:
        return
    sites = made.tables["sites"]
    lon, lat = sites["lon"].to_numpy(), sites["lat"].to_numpy()
    one, other = (roads[name].to_physical().to_numpy() for name in ("from_site", "to_site"))
    straight = great_circle_km(lon[one], lat[one], lon[other], lat[other])
    km, hours = roads["distance_km"], roads["travel_h"]
    warn_rows(
        made,
        "roads",
        pl.Series(km.to_numpy() < straight * STRAIGHT_TOLERANCE - 0.1),
        "shorter-than-straight",
        "distance_km",
        lambda row: f"{km[row]:.10g} km is less than the {straight[row]:.1f} km of the straight line.",
        "One of the two positions may be wrong, or the length in another unit.",
    )
    warn_rows(
        made,
        "roads",
        km > hours * FASTEST_KM_PER_H,
        "odd-speed",
        "travel_h",
        lambda row: f"{km[row]:.10g} km in {hours[row]:.10g} h is faster than a road allows.",
    )


COUNTY_CHECKS = (
    check_hub,
    check_times,
    check_vehicles,
    check_firms,
    check_buses,
    check_places,
    check_pieces,
    check_roads,
)
"""Checks of typed tables, in the order of the report."""
