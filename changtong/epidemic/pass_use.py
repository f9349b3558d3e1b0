"""How passes are used: trips that were made against their scope, and a plan's flows against those valid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.gates import Gate
from changtong.epidemic.passes import plate_key, shown_plate
from changtong.epidemic.tables import INSTANT, TableReader, words
from changtong.errors import InputError, Problem

BINDING = 0.999
"""Share of what passes can bring from which on they are the bottleneck."""

TRIP_SCHEMA: dict[str, pl.DataType] = {
    "trip_id": pl.String(),
    "at": INSTANT,
    "vehicle": pl.String(),
    "pass_id": pl.String(),
    "site_id": pl.String(),
    "goods": pl.String(),
}
FAULT_SCHEMA: dict[str, Any] = {
    "row": pl.Int64, "trip_id": pl.String, "at": INSTANT, "vehicle": pl.String, "pass_id": pl.String,
    "site_id": pl.String, "fault": pl.String, "detail": pl.String,
}  # fmt: skip


def read_trips(reader: TableReader, path: Any) -> pl.DataFrame:
    """Return trips of a file: who entered which site when; a vehicle or a pass is named.

    Parameters
    ----------
    reader : TableReader
    path : path
    """
    file = Path(path).name
    frame = reader.table(path, TRIP_SCHEMA, ("at", "site_id"), key=("trip_id",))
    bare = frame.filter(pl.col("vehicle").is_null() & pl.col("pass_id").is_null())
    for (row,) in bare.select("row").head(50).iter_rows():
        reader.add("missing-value", "it names no vehicle and no pass.", file, row, "vehicle")
    return frame.with_columns(
        pl.col("vehicle").map_elements(plate_key, pl.String).alias("vehicle_key"),
        pl.col("vehicle").map_elements(shown_plate, pl.String),
    )


@dataclass(frozen=True)
class _Pass:
    """A pass as trips are held against it."""

    row: Mapping[str, Any]
    sites: frozenset[str]
    zone: ZoneInfo

    def at(self, column: str) -> str:
        """Return an instant of the pass as people read it."""
        return str(self.row[column].astimezone(self.zone).isoformat(timespec="minutes"))

    def faults(self, trip: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return why a trip does not fit, but for how often."""
        at, row = trip["at"], self.row
        made = []
        if trip["vehicle_key"] is not None and trip["vehicle_key"] != row["vehicle_key"]:
            made.append(("other_vehicle", f"it was given to {row['vehicle']}"))
        if at < row["valid_from"]:
            made.append(("not_yet_valid", f"from {self.at('valid_from')}"))
        if row["revoked_at"] is not None and row["revoked_at"] <= at:
            made.append(("revoked", f"at {self.at('revoked_at')}"))
        elif at >= row["valid_until"]:
            made.append(("expired", f"at {self.at('valid_until')}"))
        if trip["site_id"] not in self.sites:
            scope = ";".join((*words(row["areas"]), *words(row["sites"])))
            made.append(("out_of_area", f"it is for {scope}"))
        goods = words(row["goods"])
        if goods and trip["goods"] is None:
            made.append(("goods_unknown", f"it is for {row['goods']}"))
        elif goods and not set(words(trip["goods"])) <= set(goods):
            made.append(("out_of_goods", f"it is for {row['goods']}"))
        return made


def check_trips(
    trips: pl.DataFrame,
    passes: pl.DataFrame,
    area_sites: Mapping[str, frozenset[str]],
    guarded: frozenset[str],
    zone: str,
) -> pl.DataFrame:
    """Return what is wrong with trips, a row a fault.

    Parameters
    ----------
    trips, passes : polars.DataFrame
    area_sites : mapping
        Area -> sites of the network in it.
    guarded : frozenset of str
        Sites that need a pass at all; trips to others are not looked at, unless they name a pass.
    zone : str
        In whose days trips are counted.

    Returns
    -------
    polars.DataFrame
        ``fault``: no_pass, unknown_pass, other_vehicle, not_yet_valid, expired, revoked, out_of_area,
        out_of_goods, goods_unknown, too_many_trips. Of a trip that names no pass the pass of its vehicle that
        fits best counts.
    """
    local = ZoneInfo(zone)
    known = {
        row["pass_id"]: _Pass(row, _scope(row, area_sites), local) for row in passes.iter_rows(named=True)
    }
    by_vehicle: dict[str, list[_Pass]] = {}
    for one in known.values():
        by_vehicle.setdefault(one.row["vehicle_key"], []).append(one)
    made: list[dict[str, Any]] = []
    used: dict[tuple[str, str], int] = {}
    for trip in trips.sort("at", "row").iter_rows(named=True):
        if trip["pass_id"] is None and trip["site_id"] not in guarded:
            continue
        if trip["pass_id"] is not None:
            chosen = known.get(trip["pass_id"])
            if chosen is None:
                made.append(_fault(trip, trip["pass_id"], "unknown_pass", ""))
                continue
        else:
            held = by_vehicle.get(trip["vehicle_key"], [])
            if not held:
                made.append(_fault(trip, None, "no_pass", "the vehicle has none"))
                continue
            day = _day(trip["at"], zone)
            chosen = min(held, key=lambda one: (len(one.faults(trip)), _is_full(one, used, day)))
        name = chosen.row["pass_id"]
        made += [_fault(trip, name, fault, detail) for fault, detail in chosen.faults(trip)]
        key = (name, _day(trip["at"], zone))
        used[key] = used.get(key, 0) + 1
        if used[key] > chosen.row["trips_per_day"]:
            detail = f"trip {used[key]} of the day, {chosen.row['trips_per_day']} allowed"
            made.append(_fault(trip, name, "too_many_trips", detail))
    return pl.DataFrame(made, FAULT_SCHEMA)


def _is_full(one: _Pass, used: Mapping[tuple[str, str], int], day: str) -> bool:
    return bool(used.get((one.row["pass_id"], day), 0) >= one.row["trips_per_day"])


def _day(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def _scope(row: Mapping[str, Any], area_sites: Mapping[str, frozenset[str]]) -> frozenset[str]:
    areas = (area_sites.get(name, frozenset()) for name in words(row["areas"]))
    return frozenset(words(row["sites"])).union(*areas)


def _fault(trip: Mapping[str, Any], pass_id: str | None, fault: str, detail: str) -> dict[str, Any]:
    kept = {name: trip[name] for name in ("row", "trip_id", "at", "vehicle", "site_id")}
    return kept | {"pass_id": pass_id, "fault": fault, "detail": detail}


def plan_use(gates: tuple[Gate, ...], leg_flows: pl.DataFrame) -> pl.DataFrame:
    """Return how many passes a plan uses at each gate, against those valid.

    Parameters
    ----------
    gates : tuple of Gate
    leg_flows : polars.DataFrame
        Of the plan: ``from_site``, ``to_site``, ``planned_pieces``.

    Returns
    -------
    polars.DataFrame
        ``gate_id``, ``name``, ``entering_pieces`` a day, ``passes_used`` (whole vehicles), ``passes_valid`` a
        day, ``load_share``, ``bottleneck`` (the passes are used up: more of them would bring more in).
    """
    ends = leg_flows.select(
        pl.col("from_site", "to_site").cast(pl.String), pl.col("planned_pieces").cast(pl.Float64)
    )
    rows = []
    for gate in gates:
        inside = list(gate.sites)
        enters = pl.col("to_site").is_in(inside) & ~pl.col("from_site").is_in(inside)
        pieces = float(ends.filter(enters)["planned_pieces"].sum())
        room = gate.trips_per_day * gate.pieces_per_pass
        share = pieces / room if room > 0 else None
        need = pieces / gate.pieces_per_pass if gate.pieces_per_pass > 0 else 0.0
        rows.append(
            {
                "gate_id": gate.gate_id, "name": gate.name, "entering_pieces": pieces,
                "passes_used": math.ceil(need - 1e-6), "passes_valid": gate.trips_per_day,
                "load_share": share, "bottleneck": room <= 0 or (share or 0.0) >= BINDING,
            }
        )  # fmt: skip
    schema = {
        "gate_id": pl.String, "name": pl.String, "entering_pieces": pl.Float64, "passes_used": pl.Int64,
        "passes_valid": pl.Int64, "load_share": pl.Float64, "bottleneck": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema)


def read_leg_flows(folder: str | Path) -> pl.DataFrame:
    """Return the leg flows of a plan folder.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        ``missing-file``, ``unreadable-file``.
    """
    place = Path(folder)
    try:
        if (place / "leg_flows.parquet").is_file():
            return pl.read_parquet(place / "leg_flows.parquet")
        ids = dict.fromkeys(("from_site", "to_site"), pl.String())
        return pl.read_csv(place / "leg_flows.csv", schema_overrides=ids, infer_schema_length=None)
    except FileNotFoundError as error:
        problem = Problem(
            "missing-file", f"{folder} is no plan folder.", "leg_flows.csv", expected="as plan wrote it"
        )
        raise InputError([problem]) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0]
        raise InputError([Problem("unreadable-file", f"{said}.", "leg_flows.csv")]) from error
