"""GMNS out and in: ``node.csv``, ``link.csv`` and ``config.csv`` of the Zephyr Foundation.

Field names and units follow the General Modeling Network Specification
(github.com/zephyr-data-specs/GMNS, folder ``spec``). Our columns that GMNS has no field
for go along under their own names, which it allows; ``docs/exchange.md`` says what is lost.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from changtong._tables import network_tables
from changtong.errors import InputError, Problem, UsageError
from changtong.network.assembly import assemble_tables
from changtong.network.csv_files import read_csv_file
from changtong.network.findings import Findings
from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.units import conversion_factor

NODE_FIELDS = {
    "site_id": "node_id",
    "name": "name",
    "lon": "x_coord",
    "lat": "y_coord",
    "kind": "node_type",
}
LINK_FIELDS = {
    "from_site": "from_node_id",
    "to_site": "to_node_id",
    "mode": "facility_type",
    "distance_km": "length",
}
MAX_FREE_SPEED = 200.0
"""Largest free_speed the specification allows, in the unit of config.csv (here km/h)."""

WGS84_NAMES = ("4326", "crs84", "wgs84", "wgs 84", "longlat")
FILES = ("node.csv", "link.csv", "config.csv")


def write_gmns(network: Network, path: str | os.PathLike[str]) -> Path:
    """Write the sites and legs of a network as a GMNS folder, whole or not at all.

    Lengths are in km, speeds in km/h (``config.csv``); a leg is a directed link,
    ``facility_type`` its mode, ``free_speed`` its distance by its hours where that is at most
    200 km/h. ``capacity`` stays out: GMNS counts vehicles an hour and lane, not pieces a day.

    Parameters
    ----------
    network : Network
    path : path
        Folder to make; an existing one is replaced only if it holds a GMNS network.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Sites without a position, which GMNS requires.
    UsageError
        A path that is no GMNS folder.
    """
    nodes, links = _nodes(network), _links(network)

    def write(folder: Path) -> None:
        nodes.write_csv(folder / "node.csv")
        links.write_csv(folder / "link.csv")
        config = {
            "dataset_name": [network.name],
            "short_length": ["m"],
            "long_length": ["km"],
            "speed": ["km/h"],
            "crs": ["EPSG:4326"],
            "currency": ["CNY"],
            "id_type": ["string"],
        }
        pl.DataFrame(config).write_csv(folder / "config.csv")

    return write_whole_folder(
        Path(path),
        write,
        is_ours=lambda folder: all((folder / name).is_file() for name in FILES[:2]),
        own_files=FILES,
        what="GMNS folder (node.csv and link.csv)",
        code="not-a-network-folder",
    )


def _nodes(network: Network) -> pl.DataFrame:
    sites = network.sites
    if "lon" not in sites.columns or "lat" not in sites.columns:
        nowhere = sites["site_id"].to_list()
    else:
        nowhere = sites.filter(pl.col("lon").is_null() | pl.col("lat").is_null())["site_id"].to_list()
    if nowhere:
        message = f"{len(nowhere)} sites have no position: {', '.join(nowhere[:5])}."
        hint = "GMNS requires x_coord and y_coord; give lon and lat, or write GeoJSON."
        raise InputError([Problem("missing-position", message, "sites", None, "lon", hint=hint)])
    return sites.rename(NODE_FIELDS, strict=False)


def _links(network: Network) -> pl.DataFrame:
    legs = network.legs
    added: dict[str, pl.Expr] = {}
    if "link_id" not in legs.columns:
        added["link_id"] = pl.int_range(1, pl.len() + 1).cast(pl.String)
    added["directed"] = pl.lit(True)
    if "distance_km" in legs.columns and "travel_h" in legs.columns:
        speed = pl.when(pl.col("travel_h") > 0).then(pl.col("distance_km") / pl.col("travel_h"))
        added["free_speed"] = pl.when(speed <= MAX_FREE_SPEED).then(speed)
    links = legs.with_columns(**{name: made for name, made in added.items() if name not in legs.columns})
    return links.rename(LINK_FIELDS, strict=False)


def read_gmns(
    path: str | os.PathLike[str], *, length_unit: str | None = None, speed_unit: str | None = None
) -> Network:
    """Read a network from a GMNS folder.

    An undirected link becomes two legs. Where there are no hours of our own they are length
    by ``free_speed``. GMNS fields without a place in our tables are kept as further columns.

    Parameters
    ----------
    path : path
        Folder with ``node.csv`` and ``link.csv``, and ``config.csv`` with the units.
    length_unit, speed_unit : str, optional
        Units of ``length`` and ``free_speed`` where ``config.csv`` names none, for example
        ``mile`` and ``mph``.

    Returns
    -------
    Network
        Without demand: GMNS has none.

    Raises
    ------
    InputError
        With every problem of both files; also an unknown unit or coordinate system.
    """
    folder, findings, encodings = Path(path), Findings(), dict[str, str]()
    frames: dict[str, pl.DataFrame] = {}
    for name, needed in (("node.csv", True), ("link.csv", True), ("config.csv", False)):
        if not (folder / name).is_file():
            if needed:
                findings.add(
                    Problem("missing-file", "the file does not exist.", name, expected="a GMNS folder")
                )
            continue
        fields = ("node_id", "x_coord", "from_node_id", "to_node_id", "length", "crs", "long_length")
        frame = read_csv_file(folder / name, fields, {}, findings, encodings)
        if frame is not None:
            frames[name] = frame
    if findings.errors:
        raise InputError(findings.errors)
    config = (
        frames["config.csv"].row(0, named=True) if frames.get("config.csv", pl.DataFrame()).height else {}
    )
    _check_crs(config, findings)
    legs = _legs(frames["link.csv"], config, (length_unit, speed_unit), findings)
    tables = {"sites": _sites(frames["node.csv"]), "legs": legs}
    made = assemble_tables(tables, findings, files={"sites": "node.csv", "legs": "link.csv"})
    if findings.errors:
        raise InputError(_in_gmns_words(problem) for problem in findings.errors)
    return Network(name=str(config.get("dataset_name") or folder.resolve().name), **made.tables)


def _in_gmns_words(problem: Problem) -> Problem:
    names = {"node.csv": NODE_FIELDS, "link.csv": LINK_FIELDS}.get(problem.file or "", {})
    column = names.get(problem.column or "", problem.column)
    return replace(problem, column=column)


def _check_crs(config: dict[str, str | None], findings: Findings) -> None:
    crs = config.get("crs")
    if crs and not any(name in crs.casefold() for name in WGS84_NAMES):
        message = f'the coordinates are in "{crs}".'
        hint = "Transform them to longitude and latitude first."
        problem = Problem("wrong-crs", message, "config.csv", 1, "crs", expected="EPSG:4326", hint=hint)
        findings.add(problem)


def _sites(nodes: pl.DataFrame) -> pl.DataFrame:
    """Return nodes as sites; a node_type that is no kind of ours stays as it is beside it."""
    back = {field: name for name, field in NODE_FIELDS.items() if field in nodes.columns}
    back = {field: name for field, name in back.items() if field == name or name not in nodes.columns}
    if "node_type" in back:
        kinds = network_tables()["sites"]["kind"].choices
        if not nodes["node_type"].drop_nulls().is_in(kinds).all():
            del back["node_type"]
    return nodes.rename(back)


def _legs(
    links: pl.DataFrame,
    config: dict[str, str | None],
    units: tuple[str | None, str | None],
    findings: Findings,
) -> pl.DataFrame:
    back = {field: name for name, field in LINK_FIELDS.items() if field in links.columns}
    back = {field: name for field, name in back.items() if name not in links.columns}
    if "facility_type" in back:
        modes = network_tables()["legs"]["mode"].choices
        if not links["facility_type"].drop_nulls().is_in(modes).all():
            del back["facility_type"]
    links = links.rename(back)
    numbers = {name: _factor(config, name, unit, findings) for name, unit in zip(UNITS, units, strict=True)}
    if "distance_km" in links.columns and "length" in back:
        links = _scaled(links, "distance_km", numbers["long_length"], findings)
    if "free_speed" in links.columns:
        links = _with_hours(links, numbers["speed"], findings)
    if "link_id" in links.columns:
        numbered = pl.Series([str(row) for row in range(1, links.height + 1)], dtype=pl.String)
        if (links["link_id"] == numbered).all():
            links = links.drop("link_id")
    return _both_ways(links)


UNITS = {"long_length": ("length", "length"), "speed": ("speed", "free_speed")}
"""Field of config.csv -> quantity and the field of link.csv in that unit."""


def _factor(config: dict[str, str | None], name: str, unit: str | None, findings: Findings) -> float | None:
    """Return the factor to km or km/h; None where no unit is given."""
    unit = config.get(name) or unit
    if not unit:
        return None
    try:
        return conversion_factor(UNITS[name][0], unit)
    except UsageError as error:
        findings.add(Problem("unknown-unit", str(error), "config.csv", 1, name))
        return 1.0


def _scaled(links: pl.DataFrame, column: str, factor: float | None, findings: Findings) -> pl.DataFrame:
    if factor == 1.0:
        return links
    if factor is None:
        if links[column].null_count() < links.height:
            message, hint = "the unit of length is not given.", "Add config.csv, or give length_unit."
            expected = "config.csv with long_length"
            findings.add(
                Problem("unknown-unit", message, "link.csv", 0, "length", expected=expected, hint=hint)
            )
        return links
    number = links[column].str.strip_chars().cast(pl.Float64, strict=False)
    if number.null_count() > links[column].null_count():
        return links  # cells that are no number are reported with the table
    return links.with_columns((number * factor).alias(column))


def _with_hours(links: pl.DataFrame, factor: float | None, findings: Findings) -> pl.DataFrame:
    """Fill hours from length and speed; a speed that says no more than the hours is left out."""
    if "travel_h" in links.columns:
        return links.drop("free_speed")
    if factor is None:
        message, hint = "the unit of speed is not given.", "Add config.csv, or give speed_unit."
        expected = "config.csv with speed"
        problem = Problem("unknown-unit", message, "link.csv", 0, "free_speed", expected=expected, hint=hint)
        if links["free_speed"].null_count() < links.height:
            findings.add(problem)
        return links
    speed = links["free_speed"].cast(pl.String).cast(pl.Float64, strict=False) * factor
    km = links["distance_km"] if "distance_km" in links.columns else pl.Series([None], dtype=pl.Float64)
    hours = km.cast(pl.Float64, strict=False) / speed
    return links.with_columns(travel_h=pl.select(pl.when(hours.is_finite()).then(hours)).to_series())


def _both_ways(links: pl.DataFrame) -> pl.DataFrame:
    """Add the way back of each undirected link."""
    if "directed" not in links.columns:
        return links
    undirected = links["directed"].str.strip_chars().str.to_lowercase().is_in(["false", "0", "no", "f"])
    links = links.drop("directed")
    back = links.filter(undirected.fill_null(False))
    if back.height == 0:
        return links
    ends = {"from_site": pl.col("to_site"), "to_site": pl.col("from_site")}
    return pl.concat([links, back.with_columns(**ends)])
