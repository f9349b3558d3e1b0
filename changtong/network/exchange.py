"""GeoJSON out and in: sites as points, legs as lines, everything else beside them.

What other programs drop (they keep features and their properties) is in
``docs/exchange.md``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from changtong._tables import NETWORK_TABLES, network_tables
from changtong.errors import InputError, Problem, UsageError
from changtong.network.assembly import assemble_tables
from changtong.network.findings import Findings
from changtong.network.model import Network
from changtong.written_files import sync

DRAWN_TABLES = ("sites", "legs")
MEMBER = "changtong"
"""Foreign member (RFC 7946, section 6.1) with the name and the tables that are not drawn."""


def write_geojson(
    network: Network, path: str | os.PathLike[str], *, tables: Collection[str] = NETWORK_TABLES
) -> Path:
    """Write a network as one GeoJSON file (RFC 7946, WGS 84), whole or not at all.

    Parameters
    ----------
    network : Network
    path : path
        File to make or replace.
    tables : collection of str
        Tables to write. Sites and legs become features, whose properties are their columns
        (``lon`` and ``lat`` are the geometry); the others go into the member ``changtong``.
        Leave out ``demand`` for a map of a large network.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        A number that JSON does not hold (not finite, in a column of your own).
    UsageError
        An unknown table name.
    """
    unknown = sorted(set(tables) - set(NETWORK_TABLES))
    if unknown:
        raise UsageError(f"table {unknown[0]!r} is unknown; it is one of {', '.join(NETWORK_TABLES)}.")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.parent / f".{target.name}.{uuid4().hex[:12]}.part"
    try:
        with beside.open("w", encoding="utf-8") as stream:
            for piece in _pieces(network, tables):
                stream.write(piece)
        sync(beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target


def _pieces(network: Network, tables: Collection[str]) -> Iterator[str]:
    written = {name: frame for name, frame in network.tables().items() if name in tables}
    member = {
        "name": network.name,
        "types": {name: _further_types(name, frame) for name, frame in written.items()},
        "tables": {
            name: {column.name: _plain(name, column).to_list() for column in frame.get_columns()}
            for name, frame in written.items()
            if name not in DRAWN_TABLES
        },
    }
    yield f'{{"type": "FeatureCollection", "{MEMBER}": {_json(member)},\n"features": ['
    comma = "\n"
    for feature in _features(network, written):
        yield comma + _json(feature)
        comma = ",\n"
    yield "\n]}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(table: str, column: pl.Series) -> pl.Series:
    """Return a column of JSON types; numbers that JSON does not hold raise."""
    if column.dtype.is_float() and not column.is_finite().all():
        problem = Problem(
            "not-finite", "the column has numbers JSON does not hold.", table, None, column.name
        )
        raise InputError([problem])
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Enum | pl.Categorical):
        return column.cast(pl.String)
    return column


def _further_types(table: str, frame: pl.DataFrame) -> dict[str, str]:
    """Return the types that cannot be told from the table or from JSON."""
    known = network_tables()[table]
    return {
        name: str(dtype)
        for name, dtype in frame.schema.items()
        if dtype == pl.Float32 or (name not in known and dtype in (pl.Date, pl.Int64, pl.Float64, pl.Boolean))
    }


def _features(network: Network, written: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    sites = network.sites
    ids = sites["site_id"].cast(pl.String).to_list()
    lon, lat = (
        sites[name].to_list() if name in sites.columns else [None] * sites.height for name in ("lon", "lat")
    )
    position = {
        site: None if east is None or north is None else [east, north]
        for site, east, north in zip(ids, lon, lat, strict=True)
    }
    for table in DRAWN_TABLES:
        if table not in written:
            continue
        frame = written[table].select(_plain(table, column) for column in written[table].get_columns())
        for row in frame.iter_rows(named=True):
            geometry: dict[str, Any] | None = None
            if table == "sites" and position[row["site_id"]] is not None:
                geometry = {"type": "Point", "coordinates": position[row["site_id"]]}
                row = {name: value for name, value in row.items() if name not in ("lon", "lat")}
            if table == "legs":
                ends = [position[row["from_site"]], position[row["to_site"]]]
                geometry = {"type": "LineString", "coordinates": ends} if None not in ends else None
            yield {"type": "Feature", "geometry": geometry, "properties": {"table": table, **row}}


def read_geojson(path: str | os.PathLike[str]) -> Network:
    """Read a network from GeoJSON: ours, one edited in a GIS, or points and lines of others.

    Points are sites (id in the property ``site_id`` or the feature's ``id``; the position is
    the geometry), lines are legs (properties ``from_site`` and ``to_site``). A property
    ``table`` decides for features without geometry.

    Parameters
    ----------
    path : path

    Returns
    -------
    Network
        Demand, classes, sort plan and the rest where the file has the member ``changtong``.

    Raises
    ------
    InputError
        With every problem; rows are features of their table in the order of the file.
    """
    file = Path(path)
    findings = Findings()
    content = _read_collection(file, findings)
    if content is None:
        raise InputError(findings.errors)
    rows = _sorted_features(content["features"], file.name, findings)
    found = content.get(MEMBER)
    member: dict[str, Any] = found if isinstance(found, dict) else {}
    tables: dict[str, pl.DataFrame] = {}
    types = member.get("types", {})
    for name, listed in rows.items():
        tables[name] = _frame(name, listed, types.get(name, {}))
    for name, columns in member.get("tables", {}).items():
        if name in NETWORK_TABLES and name not in DRAWN_TABLES:
            tables[name] = _frame(name, columns, types.get(name, {}))
    made = assemble_tables(tables, findings, files={name: f"{file.name} {name}" for name in NETWORK_TABLES})
    if findings.errors:
        raise InputError(findings.errors)
    return Network(name=str(member.get("name", file.stem)), **made.tables)


def _read_collection(file: Path, findings: Findings) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        message = f"the file cannot be read ({type(error).__name__}: {error})."
        findings.add(Problem("unreadable-file", message, file.name, expected="a GeoJSON FeatureCollection"))
        return None
    if not isinstance(content, dict) or not isinstance(content.get("features"), list):
        message = "the file has no list of features."
        findings.add(Problem("bad-geojson", message, file.name, expected="a GeoJSON FeatureCollection"))
        return None
    crs = content.get("crs")
    name = str(crs.get("properties", {}).get("name", "")) if isinstance(crs, dict) else ""
    if name and not any(mark in name for mark in ("CRS84", "4326")):
        message = f"the coordinates are in {name}."
        findings.add(Problem("wrong-crs", message, file.name, expected="WGS 84 (EPSG:4326)"))
        return None
    return content


def _sorted_features(features: list[Any], file: str, findings: Findings) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of sites and legs, positions from the geometry."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in DRAWN_TABLES}
    for number, feature in enumerate(features, start=1):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        properties = dict(feature.get("properties") or {}) if isinstance(feature, dict) else {}
        named = properties.pop("table", None)
        table = {"Point": "sites", "LineString": "legs", "MultiLineString": "legs"}.get(str(kind), named)
        if table not in DRAWN_TABLES or (named in DRAWN_TABLES and named != table):
            message = f"feature {number} is a {kind or 'feature without geometry'} of the table {named}."
            expected = "points (sites) and lines (legs)"
            findings.add(Problem("bad-geojson", message, file, number, expected=expected))
            continue
        if table == "sites":
            if isinstance(geometry, dict):
                coordinates = geometry.get("coordinates")
                if not isinstance(coordinates, list) or len(coordinates) < 2:
                    message, expected = f"feature {number} has no coordinates.", "[lon, lat]"
                    findings.add(Problem("bad-geojson", message, file, number, expected=expected))
                    continue
                properties["lon"], properties["lat"] = coordinates[:2]
            if "site_id" not in properties and "id" in feature:
                properties["site_id"] = feature["id"]
        rows[table].append(properties)
    return rows


def _frame(table: str, data: Any, types: dict[str, str]) -> pl.DataFrame:
    """Return a frame of JSON rows or columns, typed where the types are known."""
    further = {"Float32": pl.Float32, "Float64": pl.Float64, "Int64": pl.Int64, "Boolean": pl.Boolean}
    if isinstance(data, list):
        names = list(dict.fromkeys(name for row in data for name in row)) or list(
            network_tables()[table].required
        )
        data = {name: [row.get(name) for row in data] for name in names}
    columns = []
    for name, values in data.items():
        plain = [json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for v in values]
        column = _series(name, plain)
        if types.get(name) == "Date":
            column = column.cast(pl.String).str.to_date(strict=False)
        elif types.get(name) in further:
            column = column.cast(further[types[name]], strict=False)
        columns.append(column)
    return pl.DataFrame(columns)


def _series(name: str, values: list[Any]) -> pl.Series:
    """Return values of one JSON type as that type, mixed ones as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        return pl.Series(name, values, pl.Float64, strict=False)
    if len(kinds) > 1:
        return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)
    return pl.Series(name, values, strict=False)
