"""A VROOM problem as a county: one depot, its vehicles, and a village for each place that is visited.

What a county has nothing for is refused with its path in the document; nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from changtong._tables import default_expression, read_table_definition
from changtong.rural.county import County
from changtong.rural.day_clock import say_time
from changtong.rural.vroom_document import DAY_S, MEMBER, PER_HOUR, Document

HUB, FIRM = "HUB", "VROOM"
MOST_TRIPS = 50
PROVENANCE: dict[str, pl.DataType] = {
    name: pl.String() for name in ("table", "column", "kind", "source", "note")
}
NEUTRAL_TASK = {"priority": 0, "skills": []}
NEUTRAL_VEHICLE = {"skills": [], "breaks": [], "speed_factor": 1, "max_tasks": None, "steps": []}
Place = tuple[tuple[float, float] | None, int | None]


@dataclass
class _Village:
    site: str
    place: Place
    path: str
    setup: int
    service: int
    window: tuple[int, int] | None
    delivery: list[int] = field(default_factory=list)
    pickup: list[int] = field(default_factory=list)


def county_of_vroom(
    document: Any, *, name: str = "vroom", file: str = "problem.json", second_amount: str | None = None
) -> County:
    """Return the county that a VROOM problem describes.

    Parameters
    ----------
    document : object
        The parsed JSON.
    name : str
        Of the county, where the document names none.
    file : str
        Named in problems.
    second_amount : {None, "cold"}
        What the second number of amounts is, where the document does not say it itself; a second amount that
        nobody explains is refused.

    Raises
    ------
    InputError
        Every problem, each with its path: ``vroom-unsupported``, ``vroom-unknown``, ``wrong-type`` and so on.
    """
    look = Document(file)
    root = look.members(document, "document", "$")
    member = _member(look, root)
    vehicles = [
        look.members(value, "vehicle", f"$.vehicles[{k}]")
        for k, value in enumerate(look.items(root, "vehicles", "$"))
    ]
    if not vehicles:
        look.tell("missing-value", "$.vehicles", "there are no vehicles.", "at least one")
    matrix = _matrix(look, root, vehicles)
    size = None if matrix is None else len(matrix[0])
    depot = _depot(look, vehicles, size)
    cold = member.get("amounts") == ["ordinary", "cold"] or second_amount == "cold"
    table = _vehicle_rows(look, vehicles, member, trips=MOST_TRIPS if root.get("shipments") else 1)
    villages = _jobs(look, root, size) + _shipments(look, root, depot, size)
    if root.get("jobs") and root.get("shipments"):
        said = "jobs are loaded once and shipments when they come: a county's vehicles do one or the other."
        look.tell("vroom-unsupported", "$.shipments", said, "either jobs or shipments")
    if not villages and not look.problems:
        look.tell("missing-value", "$.jobs", "nobody is to be visited.", "at least one job or shipment")
    _check_amounts(look, vehicles, villages, cold=cold)
    hub = str(member["depots"][0]) if member.get("depots") else HUB
    _check_names(look, hub, villages)
    look.end()
    return _county(str(member.get("county", name)), hub, depot, villages, table, matrix, member)


def _member(look: Document, root: Mapping[str, Any]) -> dict[str, Any]:
    """Return our own member; empty where there is none."""
    value = root.get(MEMBER)
    if value is None:
        return {}
    path = f"$.{MEMBER}"
    if not isinstance(value, dict) or value.get("version") != 1:
        look.tell("wrong-type", path, "the member is not of version 1.", "the member as it was written")
        return {}
    for key in ("amount_per_piece", "cost_per_cny"):
        scale = value.get(key)
        if isinstance(scale, bool) or not isinstance(scale, int) or scale < 1:
            look.tell("wrong-type", f"{path}.{key}", f"the value is {scale!r}.", "a whole number from 1")
    depots, names = value.get("depots"), value.get("names", {})
    if not isinstance(depots, list) or not all(isinstance(one, str) for one in depots) or not depots:
        look.tell("wrong-type", f"{path}.depots", "the value is no list of site ids.", "a list of texts")
    elif len(depots) > 1:
        look.tell("vroom-unsupported", f"{path}.depots", f"there are {len(depots)} depots.", "one, the hub")
    if not isinstance(names, dict) or not all(isinstance(one, str) for one in names.values()):
        look.tell("wrong-type", f"{path}.names", "the value is no object of texts.", "site id to name")
    return {} if look.problems else value


def _matrix(
    look: Document, root: Mapping[str, Any], vehicles: list[dict[str, Any]]
) -> tuple[list[list[int]], list[list[int]]] | None:
    """Return seconds and metres between places; None without matrices."""
    given = root.get("matrices")
    if given is None:
        return None
    if not isinstance(given, dict) or not given:
        look.tell("wrong-type", "$.matrices", "the value is no object of profiles.", "an object")
        return None
    profiles = list(dict.fromkeys(str(vehicle.get("profile", "car")) for vehicle in vehicles))
    if len(profiles) > 1:
        said = f"vehicles have {len(profiles)} profiles; a county has one road between two places."
        look.tell("vroom-unsupported", "$.vehicles", said, "one profile")
        return None
    if not profiles or profiles[0] not in given:
        look.tell("missing-value", "$.matrices", f"there is no matrix for {profiles}.", "one for the profile")
        return None
    path = f"$.matrices.{profiles[0]}"
    held = look.members(given[profiles[0]], "matrix", path)
    if "distances" not in held:
        look.tell("vroom-unsupported", path, "there are no distances.", "durations and distances")
    made = [_square(look, held, key, path) for key in ("durations", "distances")]
    if len(made[0]) != len(made[1]):
        look.tell("wrong-type", path, "durations and distances differ in size.", "the same places in both")
    return made[0], made[1]


def _square(look: Document, held: Mapping[str, Any], key: str, path: str) -> list[list[int]]:
    rows = look.items(held, key, path)
    for k, row in enumerate(rows):
        fits = isinstance(row, list) and len(row) == len(rows)
        if not fits or any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in row):
            expected = f"{len(rows)} whole numbers"
            look.tell("wrong-type", f"{path}.{key}[{k}]", "the row is not as it should be.", expected)
            return []
    return rows


def _depot(look: Document, vehicles: list[dict[str, Any]], size: int | None) -> Place:
    """Return the one place where all vehicles start and end."""
    found: Place = (None, None)
    for k, vehicle in enumerate(vehicles):
        path = f"$.vehicles[{k}]"
        ends = []
        for key in ("start", "end"):
            place = look.place(vehicle, key, path)
            index = _index(look, vehicle, f"{key}_index", path, size)
            if place is None and vehicle.get(key) is None:
                said = f"{key} is missing: a county's vehicles come back to where they are based."
                look.tell("vroom-unsupported", f"{path}.{key}", said, "the coordinates of the depot")
            ends.append((place, index))
        if ends[0] != ends[1] and None not in (ends[0][0], ends[1][0]):
            said = "the vehicle starts and ends in different places."
            look.tell("vroom-unsupported", path, said, "the same start and end")
        elif k and ends[0] != found and None not in (ends[0][0], found[0]):
            look.tell(
                "vroom-unsupported", path, "the vehicle has another depot.", "one depot for all vehicles"
            )
        found = ends[0] if not k else found
    return found


def _vehicle_rows(
    look: Document, vehicles: list[dict[str, Any]], member: Mapping[str, Any], *, trips: int
) -> list[dict[str, Any]]:
    """Return a row for each kind of vehicle: those alike in all but their id are counted."""
    amount, money = member.get("amount_per_piece", 1), member.get("cost_per_cny", 1)
    kinds: dict[tuple[Any, ...], dict[str, Any]] = {}
    names: set[str] = set()
    ids: set[int] = set()
    for k, vehicle in enumerate(vehicles):
        path = f"$.vehicles[{k}]"
        number = look.whole(vehicle, "id", path, required=True)
        if number is not None and number in ids:
            look.tell("vroom-twice", f"{path}.id", f"the id {number} is there twice.", "each id once")
        ids.add(-1 if number is None else number)
        look.refuse(vehicle, path, NEUTRAL_VEHICLE)
        capacity = look.amounts(vehicle, "capacity", path)
        if not capacity:
            look.tell(
                "missing-value", f"{path}.capacity", "the vehicle has no capacity.", "one or two numbers"
            )
        given = vehicle.get("costs")
        costs = {} if given is None else look.members(given, "costs", f"{path}.costs")
        prices = [
            look.whole(costs, key, f"{path}.costs", missing)
            for key, missing in (("fixed", 0), ("per_hour", PER_HOUR), ("per_km", 0))
        ]
        window = (0, DAY_S)
        if vehicle.get("time_window") is not None:
            window = look.window(vehicle["time_window"], f"{path}.time_window") or window
        longest = look.whole(vehicle, "max_travel_time", path)
        if longest is not None and longest < window[1] - window[0]:
            said = (
                f"{longest} s of travel are less than the working hours; a county limits hours, not travel."
            )
            expected = f"none, or at least {window[1] - window[0]}"
            look.tell("vroom-unsupported", f"{path}.max_travel_time", said, expected)
        reach = look.whole(vehicle, "max_distance", path)
        described = look.text(vehicle, "description", path)
        key = (described or number, tuple(capacity), tuple(prices), window, reach)
        if key in kinds:
            kinds[key]["count"] += 1
            continue
        name = plain = described or f"vehicle-{number}"
        again = 1
        while name in names:
            again += 1
            name = f"{plain}-{again}"
        names.add(name)
        kinds[key] = {
            "vehicle_type": name,
            "tier": "local",
            "count": 1,
            "capacity_pieces": sum(capacity) / amount,
            "cold_pieces": sum(capacity[1:]) / amount,
            "cost_cny_per_day": (prices[0] or 0) / money,
            "cost_cny_per_h": (prices[1] or 0) / money,
            "cost_cny_per_km": (prices[2] or 0) / money,
            "range_km": None if reach is None else reach / 1000.0,
            "shift_h": (window[1] - window[0]) / 3600.0,
            "trips_per_day": trips,
            "starts": say_time(window[0])[:5],
            "ends": say_time(window[1])[:5],
        }
    return list(kinds.values())


def _index(look: Document, owner: Mapping[str, Any], key: str, path: str, size: int | None) -> int | None:
    """Return the row of the matrix; None without one, where VROOM does not look at it either."""
    if size is None:
        return None
    return look.whole(owner, key, path, required=True, most=max(0, size - 1))


def _task(look: Document, task: Mapping[str, Any], path: str, size: int | None) -> _Village:
    """Return what a job or a step of a shipment says of its place."""
    place = look.place(task, "location", path)
    if task.get("location") is None:
        hint = "A county's villages have positions; a matrix alone does not tell them."
        look.tell("missing-value", f"{path}.location", "location is missing.", "[longitude, latitude]", hint)
    number = look.whole(task, "id", path, required=True)
    index = _index(look, task, "location_index", path, size)
    windows = look.items(task, "time_windows", path)
    if len(windows) > 1:
        said = f"there are {len(windows)} windows."
        look.tell("vroom-unsupported", f"{path}.time_windows", said, "one at most")
    window = look.window(windows[0], f"{path}.time_windows[0]") if windows else None
    return _Village(
        site=look.text(task, "description", path) or f"J{number}",
        place=(place, index),
        path=path,
        setup=look.whole(task, "setup", path, 0, most=DAY_S) or 0,
        service=look.whole(task, "service", path, 0, most=DAY_S) or 0,
        window=window,
    )


def _jobs(look: Document, root: Mapping[str, Any], size: int | None) -> list[_Village]:
    made = []
    ids: dict[Any, int] = {}
    for k, value in enumerate(look.items(root, "jobs", "$")):
        path = f"$.jobs[{k}]"
        job = look.members(value, "job", path)
        look.refuse(job, path, NEUTRAL_TASK | {"setup": 0})
        village = _task(look, job, path, size)
        village.delivery = look.amounts(job, "delivery", path)
        village.pickup = look.amounts(job, "pickup", path)
        if not any(village.delivery) and not any(village.pickup):
            said = "nothing is delivered or picked up: a village without pieces is not visited."
            look.tell("vroom-unsupported", path, said, "a delivery or a pickup")
        _once(look, ids, job.get("id"), k, path)
        made.append(village)
    return made


def _once(look: Document, ids: dict[Any, int], name: Any, k: int, path: str) -> None:
    if isinstance(name, int):
        if name in ids:
            look.tell("vroom-twice", f"{path}.id", f"the id {name} is there twice.", "each id once")
        ids[name] = k


def _shipments(look: Document, root: Mapping[str, Any], depot: Place, size: int | None) -> list[_Village]:
    """Return villages: what is brought to them from the depot and what is taken from them to it."""
    made: dict[tuple[str, Place], _Village] = {}
    seen: dict[str, dict[Any, int]] = {"pickup": {}, "delivery": {}}
    for k, value in enumerate(look.items(root, "shipments", "$")):
        path = f"$.shipments[{k}]"
        shipment = look.members(value, "shipment", path)
        look.refuse(shipment, path, NEUTRAL_TASK)
        amount = look.amounts(shipment, "amount", path)
        if not any(amount):
            look.tell("vroom-unsupported", f"{path}.amount", "nothing is shipped.", "an amount")
        ends = {}
        for key in ("pickup", "delivery"):
            step = look.members(shipment.get(key), "step", f"{path}.{key}")
            ends[key] = _task(look, step, f"{path}.{key}", size)
            _once(look, seen[key], step.get("id"), k, f"{path}.{key}")
        brought = ends["pickup"].place == depot
        if brought == (ends["delivery"].place == depot):
            said = "a county's pieces go from the depot to a village or back."
            look.tell("vroom-unsupported", path, said, "one end at the vehicles' start")
            continue
        home, there = (ends["pickup"], ends["delivery"]) if brought else (ends["delivery"], ends["pickup"])
        if home.setup or home.service or home.window is not None:
            said = "time or a window at the depot has no place in a county."
            look.tell("vroom-unsupported", home.path, said, "no setup, service or time_windows")
        village = made.setdefault((there.site, there.place), there)
        way = "delivery" if brought else "pickup"
        if getattr(village, way):
            said = f"the place has more than one {way}."
            look.tell("vroom-unsupported", there.path, said, "one shipment each way for a place")
        setattr(village, way, amount)
        if village is not there:
            if (village.setup, village.window) != (there.setup, there.window):
                said = "setup and window differ from those of the other shipment of the place."
                look.tell("vroom-unsupported", there.path, said, "the same both ways")
            village.service += there.service
    return list(made.values())


def _check_amounts(
    look: Document, vehicles: list[dict[str, Any]], villages: list[_Village], *, cold: bool
) -> None:
    """All amounts must have one length; a second number must be cold pieces, and somebody must say so."""
    found: dict[int, str] = {}
    for k, vehicle in enumerate(vehicles):
        capacity = vehicle.get("capacity")
        if isinstance(capacity, list) and capacity:
            found.setdefault(len(capacity), f"$.vehicles[{k}].capacity")
    for village in villages:
        for amounts in (village.delivery, village.pickup):
            if amounts:
                found.setdefault(len(amounts), village.path)
    if len(found) > 1:
        path = list(found.values())[-1]
        said = f"amounts have {', '.join(str(size) for size in found)} numbers."
        look.tell("vroom-unsupported", path, said, "the same number everywhere")
    elif found and max(found) > 2:
        look.tell(
            "vroom-unsupported",
            next(iter(found.values())),
            f"amounts have {max(found)} numbers.",
            "one or two",
        )
    elif found and max(found) == 2 and not cold:
        hint = "Say that the second number is cold pieces (second_amount), or leave it out."
        said = "amounts have a second number and nothing says what it is."
        look.tell(
            "vroom-ambiguous", next(iter(found.values())), said, "pieces alone, or pieces and cold ones", hint
        )


def _check_names(look: Document, hub: str, villages: list[_Village]) -> None:
    seen = {hub: "the depot"}
    for village in villages:
        if village.site in seen:
            said = f"{village.site!r} names {seen[village.site]} already."
            look.tell(
                "duplicate-site", f"{village.path}.description", said, "a description of its own, or none"
            )
        seen.setdefault(village.site, village.path)


def _county(
    name: str,
    hub: str,
    depot: Place,
    villages: list[_Village],
    vehicles: list[dict[str, Any]],
    matrix: tuple[list[list[int]], list[list[int]]] | None,
    member: Mapping[str, Any],
) -> County:
    scale = member.get("amount_per_piece", 1)
    names = member.get("names", {})
    firm = member.get("firm") or FIRM
    places = [(hub, depot), *((village.site, village.place) for village in villages)]
    sites = [
        {
            "site_id": site,
            "name": names.get(site),
            "kind": "village" if k else "county",
            "lon": place[0][0] if place[0] else None,
            "lat": place[0][1] if place[0] else None,
        }
        for k, (site, place) in enumerate(places)
    ]
    for row, village in zip(sites[1:], villages, strict=True):
        row |= {"stop_min": (village.setup + village.service) / 60.0, "piece_min": 0.0, "visits_per_week": 7}
        first, last = village.window or (0, DAY_S)
        row["opens"] = say_time(first)[:5] if first else None
        row["closes"] = say_time(last)[:5] if last < DAY_S else None
    pieces = [
        {
            "site_id": village.site,
            "firm": firm,
            "inbound_pieces_per_day": sum(village.delivery) / scale,
            "outbound_pieces_per_day": sum(village.pickup) / scale,
            "inbound_cold_share": _share(village.delivery),
            "outbound_cold_share": _share(village.pickup),
        }
        for village in villages
    ]
    roads = []
    if matrix is not None:
        seconds, metres = matrix
        for here, (_, at) in places_with_index(places):
            for there, (_, to) in places_with_index(places):
                if here != there:
                    length, travel = metres[at][to] / 1000.0, seconds[at][to] / 3600.0
                    roads.append(
                        {"from_site": here, "to_site": there, "distance_km": length, "travel_h": travel}
                    )
    notes = [("vehicles", "shift_h", "derived", "the vehicle's time window")]
    if matrix is None:
        notes.append(("vehicles", "speed_km_per_h", "assumed", "not in the document"))
    if not member:
        notes.append(("vehicles", "cost_cny_per_h", "assumed", "costs of the document taken as CNY"))
    tables = {
        "sites": sites,
        "pieces": pieces,
        "vehicles": vehicles,
        "buses": [],
        "bus_stops": [],
        "roads": roads,
    }
    provenance = [
        {"table": table, "column": column, "kind": kind, "source": "VROOM problem", "note": note}
        for table, column, kind, note in notes
    ]
    frames = {table: _typed(table, rows) for table, rows in tables.items()}
    return County(name=name, provenance=pl.DataFrame(provenance, schema=PROVENANCE), **frames)


def places_with_index(places: list[tuple[str, Place]]) -> list[tuple[str, tuple[Any, int]]]:
    """Return the places that have a row in the matrix."""
    return [(site, (place[0], place[1])) for site, place in places if place[1] is not None]


def _share(amounts: list[int]) -> float:
    return sum(amounts[1:]) / sum(amounts) if sum(amounts) else 0.0


def _typed(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return a county's table with all its columns, empty cells filled with their defaults."""
    known = read_table_definition(f"county/{table}")
    frame = pl.DataFrame(rows, schema=known.schema())
    fills = []
    for attribute in known.attributes:
        default = default_expression(attribute)
        if default is not None:
            fills.append(pl.col(attribute.name).fill_null(default).alias(attribute.name))
    return frame.with_columns(fills)
