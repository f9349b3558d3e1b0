"""Table definitions: ``tables/**/*.csv`` turned into types, Frictionless schemas and docs.

One CSV describes one table, one row one attribute (its type, unit, range, key, default
and meaning). Checks, schemas, defaults, ``docs/tables.md`` and the other pages of tables all
come from these files, so a column is described in one place only. Which tables belong
together, and what is peculiar to each, is a `TableSet`.

Types: ``id`` and ``text`` (trimmed text, empty = null), ``time`` (text HH:MM),
``number`` (Float64), ``integer`` (Int64), ``boolean``. A ``default`` of the form
``column=a|b`` is true where that column has one of the values and false elsewhere.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

NETWORK_TABLES = (
    "sites",
    "legs",
    "demand",
    "service_classes",
    "sort_plan",
    "areas",
    "provenance",
)
"""Tables of a network folder, in the order they are read."""

STORED_TYPES: dict[str, pl.DataType] = {
    "id": pl.String(),
    "text": pl.String(),
    "time": pl.String(),
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
}
"""Polars type of each attribute type; ids that name a site become the network's Enum."""

TIME_PATTERN = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"

FRICTIONLESS_TYPES = {
    "id": "string",
    "text": "string",
    "time": "string",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One column of a table, as its row in ``tables/*.csv`` says.

    Attributes
    ----------
    name, type, unit, description : str
    minimum, maximum : float or None
        Range of a number, both ends allowed, in ``unit``.
    required : bool
        Whether the column must be there with a value in every row.
    key : str
        ``primary`` (part of the table's key), ``unique`` or empty.
    foreign_key : str
        ``table.column`` the values come from, or empty.
    choices : tuple of str
        The only values allowed, or empty.
    default, default_provenance : str
        Value of an empty cell (empty = stays null) and where it comes from.
    """

    name: str
    type: str
    unit: str
    minimum: float | None
    maximum: float | None
    required: bool
    key: str
    foreign_key: str
    choices: tuple[str, ...]
    default: str
    default_provenance: str
    description: str

    @property
    def dtype(self) -> pl.DataType:
        """Polars type the column is stored in."""
        return STORED_TYPES[self.type]

    @property
    def names_site(self) -> bool:
        """Whether the values are site ids (and so the network's Enum)."""
        return self.foreign_key == "sites.site_id"

    @property
    def names_class(self) -> bool:
        """Whether the values are ids of service classes defined elsewhere."""
        return self.foreign_key == "service_classes.service_class"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name and attributes in order."""

    name: str
    attributes: tuple[Attribute, ...]

    def __getitem__(self, column: str) -> Attribute:
        return self._by_name()[column]

    def __contains__(self, column: object) -> bool:
        return column in self._by_name()

    def _by_name(self) -> dict[str, Attribute]:
        return {attribute.name: attribute for attribute in self.attributes}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        return tuple(attribute.name for attribute in self.attributes)

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that must be there."""
        return tuple(attribute.name for attribute in self.attributes if attribute.required)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Columns that together name a row once."""
        return tuple(attribute.name for attribute in self.attributes if attribute.key == "primary")

    def schema(self, site_type: pl.DataType | None = None) -> dict[str, pl.DataType]:
        """Return the polars schema.

        Parameters
        ----------
        site_type : polars.Enum, optional
            Type of the columns that name a site, ``sites.site_id`` included; text without it.
        """
        return {
            attribute.name: site_type
            if site_type is not None and (attribute.names_site or (self.name, attribute.name) == SITE_KEY)
            else attribute.dtype
            for attribute in self.attributes
        }


SITE_KEY = ("sites", "site_id")


@dataclass(frozen=True)
class TableSet:
    """Tables that belong together: those of a folder, or the one of a file.

    Attributes
    ----------
    kind : str
        What they describe, as problems call it: network, county.
    names : tuple of str
        The tables in reading order.
    needed : tuple of str
        Tables that must be there, the first of them with rows.
    folder : str
        Folder of the definitions below ``tables``; those of ``provenance`` are common to all.
    page : str
        Page of the documents that tells the columns.
    left_out : tuple of str
        Tables that stay absent where they are not given; others are then empty.
    duplicates : mapping
        Table -> code of a key that is there twice.
    parents : mapping
        Table whose key other tables refer to -> what one row of it is, as problems call it.
    ends : tuple of (table, column, column)
        Columns that may not be equal in one row.
    """

    kind: str
    names: tuple[str, ...]
    needed: tuple[str, ...]
    folder: str = ""
    page: str = ""
    left_out: tuple[str, ...] = ()
    duplicates: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    ends: tuple[tuple[str, str, str], ...] = ()

    @property
    def tables(self) -> Mapping[str, Table]:
        """The definitions by name, in reading order."""
        return _read_definitions(self.folder, self.names)


@cache
def _read_definitions(folder: str, names: tuple[str, ...]) -> dict[str, Table]:
    return {name: read_table_definition(name, "" if name == "provenance" else folder) for name in names}


NETWORK_SET = TableSet(
    "network",
    NETWORK_TABLES,
    needed=("sites", "legs"),
    page="docs/tables.md",
    left_out=("sort_plan", "areas"),
    duplicates={
        "sites": "duplicate-site",
        "legs": "duplicate-leg",
        "demand": "duplicate-demand",
        "service_classes": "duplicate-class",
        "sort_plan": "duplicate-sort-plan",
        "areas": "duplicate-area",
    },
    parents={"sites": "site", "service_classes": "class"},
    ends=(("legs", "from_site", "to_site"), ("areas", "site", "stand_in")),
)
"""Tables of a network folder."""

COUNTY_SET = TableSet(
    "county",
    ("sites", "pieces", "vehicles", "buses", "bus_stops", "roads", "provenance"),
    needed=("sites", "pieces", "vehicles"),
    folder="county",
    page="docs/county-tables.md",
    duplicates={
        "sites": "duplicate-site",
        "pieces": "duplicate-pieces",
        "vehicles": "duplicate-vehicle-type",
        "buses": "duplicate-bus",
        "bus_stops": "duplicate-bus-stop",
        "roads": "duplicate-road",
    },
    parents={"sites": "site", "buses": "bus"},
    ends=(("roads", "from_site", "to_site"),),
)
"""Tables of a county folder."""

COLD_SET = TableSet(
    "cold chain",
    ("limits", "readings"),
    needed=("limits", "readings"),
    folder="cold",
    page="docs/coverage.md",
    duplicates={"limits": "duplicate-product"},
    parents={"limits": "product"},
)
"""Tables of temperature readings and their limits."""

PRODUCE_SET = TableSet(
    "produce register",
    ("thresholds", "register"),
    needed=("thresholds", "register"),
    folder="produce",
    page="docs/coverage.md",
    duplicates={"register": "duplicate-project", "thresholds": "duplicate-level"},
    parents={"thresholds": "level"},
)
"""Tables of produce projects and the volumes they are measured by."""

CARBON_SET = TableSet(
    "set of carbon factors",
    ("transport", "vehicles", "distance", "hubs", "energy", "weights", "targets"),
    needed=("transport", "vehicles", "distance", "hubs", "energy", "weights", "targets"),
    folder="carbon",
    page="docs/footprint.md",
    duplicates={
        "transport": "duplicate-factor",
        "vehicles": "duplicate-factor",
        "distance": "duplicate-factor",
        "hubs": "duplicate-factor",
        "energy": "duplicate-factor",
        "weights": "duplicate-factor",
        "targets": "duplicate-target",
    },
    parents={"transport": "factor"},
)
"""Tables of emission factors, and of the targets of packaging."""

PACKAGING_SET = TableSet(
    "packaging",
    ("packaging",),
    needed=("packaging",),
    folder="carbon",
    page="docs/footprint.md",
    duplicates={"packaging": "duplicate-value"},
)
"""Packaging as observed."""

OUTLETS_SET = TableSet(
    "outlet months",
    ("months",),
    needed=("months",),
    folder="outlets",
    page="docs/outlets.md",
    duplicates={"months": "duplicate-month"},
)
"""Months of outlets, for the index of their stability."""

CARD_TABLES = ("sections", "indicators", "rules", "bands", "departments", "pass_through")
"""Tables of the card itself, which scorecard.toml holds as arrays."""

ASSESSMENT_SET = TableSet(
    "scorecard",
    (
        *("subjects", *CARD_TABLES, "facts", "values", "marks", "handed_in", "stages"),
        *("practices", "rectifications", "computed", "computed_from", "provenance"),
    ),
    needed=("subjects",),
    folder="assessment",
    page="docs/assessment-tables.md",
    duplicates={
        "subjects": "duplicate-subject",
        "sections": "duplicate-section",
        "indicators": "duplicate-indicator",
        "rules": "duplicate-rule",
        "bands": "duplicate-band",
        "departments": "duplicate-department",
        "pass_through": "duplicate-pass-through",
        "facts": "duplicate-fact",
        "values": "duplicate-value",
        "marks": "duplicate-mark",
        "handed_in": "duplicate-department",
        "stages": "duplicate-stage",
        "practices": "duplicate-practice",
        "rectifications": "duplicate-rectification",
        "computed": "duplicate-value",
        "computed_from": "duplicate-value",
    },
    parents={
        "subjects": "subject",
        "sections": "section",
        "indicators": "indicator",
        "rules": "rule",
        "departments": "department",
    },
)
"""Tables of a scorecard folder."""


def network_tables() -> Mapping[str, Table]:
    """Return the tables of a network folder by name, in reading order."""
    return NETWORK_SET.tables


def read_table_definition(name: str, folder: str = "") -> Table:
    """Read ``tables/<folder>/<name>.csv`` of the package.

    Parameters
    ----------
    name : str
        Table name without ``.csv``.
    folder : str
        Folder below ``tables``, or nothing.
    """
    place = files("changtong").joinpath("tables", *([folder] if folder else []), f"{name}.csv")
    text = place.read_text(encoding="utf-8")
    return Table(name, tuple(_attribute(row) for row in csv.DictReader(text.splitlines())))


def _attribute(row: dict[str, str]) -> Attribute:
    return Attribute(
        name=row["attribute"],
        type=row["type"],
        unit=row["unit"],
        minimum=float(row["min"]) if row["min"] else None,
        maximum=float(row["max"]) if row["max"] else None,
        required=row["required"] == "yes",
        key=row["key"],
        foreign_key=row["foreign_key"],
        choices=tuple(row["choices"].split("|")) if row["choices"] else (),
        default=row["default"],
        default_provenance=row["default_provenance"],
        description=row["description"],
    )


def empty_table(table: Table) -> pl.DataFrame:
    """Return a table without rows.

    Parameters
    ----------
    table : Table
    """
    return pl.DataFrame(schema=table.schema())


def default_expression(attribute: Attribute) -> pl.Expr | None:
    """Return what an empty cell of the column stands for, or None where it stays empty.

    Parameters
    ----------
    attribute : Attribute
    """
    default = attribute.default
    if not default:
        return None
    if "=" in default:
        column, values = default.split("=", 1)
        return pl.col(column).is_in(values.split("|"))
    if attribute.type == "boolean":
        return pl.lit(default == "true")
    if attribute.type in ("number", "integer"):
        return pl.lit(float(default)).cast(attribute.dtype)
    return pl.lit(default)


def frictionless_schema(name: str, table_set: TableSet = NETWORK_SET) -> dict[str, Any]:
    """Return the Frictionless Table Schema (v1) of a table.

    Parameters
    ----------
    name : str
        One of the set's names.
    table_set : TableSet

    Notes
    -----
    ``foreignKeys`` name the resource by the table's name, as write_network does. A primary
    key whose column may be empty is left out: Frictionless would refuse the empty cells.
    """
    table = table_set.tables[name]
    schema: dict[str, Any] = {
        "fields": [_frictionless_field(attribute) for attribute in table.attributes],
        "missingValues": [""],
    }
    if table.primary_key and all(table[column].required for column in table.primary_key):
        schema["primaryKey"] = list(table.primary_key)
    keys = [
        {
            "fields": attribute.name,
            "reference": dict(zip(("resource", "fields"), attribute.foreign_key.split("."), strict=True)),
        }
        for attribute in table.attributes
        if attribute.foreign_key
    ]
    if keys:
        schema["foreignKeys"] = keys
    return schema


def _frictionless_field(attribute: Attribute) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": attribute.name,
        "type": FRICTIONLESS_TYPES[attribute.type],
        "description": attribute.description,
    }
    if attribute.unit:
        field["unit"] = attribute.unit
    limits: dict[str, Any] = {}
    if attribute.required:
        limits["required"] = True
    if attribute.key == "unique":
        limits["unique"] = True
    if attribute.minimum is not None:
        limits["minimum"] = attribute.minimum
    if attribute.maximum is not None:
        limits["maximum"] = attribute.maximum
    if attribute.choices:
        limits["enum"] = list(attribute.choices)
    if attribute.type == "time":
        limits["pattern"] = TIME_PATTERN
    if limits:
        field["constraints"] = limits
    return field


INTRODUCTIONS = {
    "network": [
        "# Tables of a network folder",
        "",
        "Made from `changtong/tables/*.csv` by `python -m changtong._tables > docs/tables.md`;"
        " a test keeps it current.",
        "",
        "A network folder is a Frictionless Data Package: `datapackage.json` and one CSV or Parquet"
        " file for each table. Only `sites` and `legs` are needed to draw a network, `demand` to plan."
        " Text is trimmed; an empty cell is null. Columns not listed here are kept and reported.",
        "",
    ],
    "county": [
        "# Tables of a county folder",
        "",
        "Made from `changtong/tables/county/*.csv` by"
        " `python -m changtong._tables --county > docs/county-tables.md`; a test keeps it current.",
        "",
        "A county folder is a Frictionless Data Package: `datapackage.json` and one CSV or Parquet file"
        " for each table. `sites`, `pieces` and `vehicles` are needed. Text is trimmed; an empty cell is"
        " null. Columns not listed here are kept and reported. What is checked beyond single cells is told"
        " in [County folder](county-folder.md).",
        "",
    ],
    "scorecard": [
        "# Tables of a scorecard folder",
        "",
        "Made from `changtong/tables/assessment/*.csv` by"
        " `python -m changtong._tables --scorecard > docs/assessment-tables.md`; a test keeps it current.",
        "",
        "`sections`, `indicators`, `rules`, `bands`, `departments` and `pass_through` are arrays of tables in"
        " `scorecard.toml`, or CSV or Parquet files beside it; the others are files. Only `subjects` is"
        " needed. How a score is made of them, and what is checked beyond single cells, is told in"
        " [Assessment](assessment.md).",
        "",
    ],
}
"""How the page of each set begins."""


def tables_markdown(table_set: TableSet = NETWORK_SET) -> str:
    """Return the text of ``docs/tables.md``, ``county-tables.md`` or ``assessment-tables.md``.

    Parameters
    ----------
    table_set : TableSet
    """
    parts = list(INTRODUCTIONS[table_set.kind])
    for table in table_set.tables.values():
        parts += [f"## {table.name}", ""]
        if table.primary_key:
            parts += [f"One row for each {', '.join(f'`{column}`' for column in table.primary_key)}.", ""]
        parts += ["| column | type | unit | range or values | if empty | meaning |"]
        parts += ["|---|---|---|---|---|---|"]
        parts += [_markdown_row(attribute) for attribute in table.attributes]
        parts += [""]
    return "\n".join(parts)


def _markdown_row(attribute: Attribute) -> str:
    kind = attribute.type + (f" → {attribute.foreign_key}" if attribute.foreign_key else "")
    limits = ", ".join(f"`{choice}`" for choice in attribute.choices)
    if attribute.minimum is not None or attribute.maximum is not None:
        low = "" if attribute.minimum is None else f"{attribute.minimum:g}"
        high = "" if attribute.maximum is None else f"{attribute.maximum:g}"
        limits = f"{low} … {high}".strip()
    if attribute.required:
        empty = "**required**"
    elif attribute.default:
        value = attribute.default.replace("=", " is ").replace("|", ", ")
        empty = f"`{value}` ({attribute.default_provenance})"
    else:
        empty = "stays empty"
    cells = (f"`{attribute.name}`", kind, attribute.unit, limits, empty, attribute.description)
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    asked = {"--county": COUNTY_SET, "--scorecard": ASSESSMENT_SET}
    print(tables_markdown(next((asked[word] for word in sys.argv[1:] if word in asked), NETWORK_SET)), end="")
