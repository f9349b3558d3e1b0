"""Table definitions: read whole, consistent, and the docs made from them current."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from changtong import _tables, units
from changtong._tables import (
    ASSESSMENT_SET,
    CARBON_SET,
    COLD_SET,
    COUNTY_SET,
    NETWORK_SET,
    NETWORK_TABLES,
    PACKAGING_SET,
    PRODUCE_SET,
    TableSet,
    frictionless_schema,
    network_tables,
    tables_markdown,
)
from changtong.errors import InputError, UsageError
from changtong.network.model import Network, build_network

ROOT = Path(__file__).parents[1]


def test_docs_are_current() -> None:
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == tables_markdown()


def test_every_definition_file_is_a_table_and_has_the_same_columns() -> None:
    files = sorted(path.stem for path in (ROOT / "changtong" / "tables").glob("*.csv"))
    assert set(NETWORK_TABLES) <= set(files)
    for name in NETWORK_TABLES:
        header = (ROOT / "changtong" / "tables" / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
        assert header == (
            "attribute,type,unit,min,max,required,key,foreign_key,choices,default,default_provenance,description"
        )


SETS = (NETWORK_SET, COUNTY_SET, COLD_SET, PRODUCE_SET, ASSESSMENT_SET, CARBON_SET, PACKAGING_SET)


@pytest.mark.parametrize(("of", "name"), [(of, name) for of in SETS for name in of.names])
def test_each_attribute_is_consistent(of: TableSet, name: str) -> None:
    table = of.tables[name]
    for attribute in table.attributes:
        assert attribute.type in _tables.STORED_TYPES
        assert attribute.description.endswith(".")
        assert attribute.key in ("", "primary", "unique")
        assert bool(attribute.default) == bool(attribute.default_provenance), attribute.name
        if attribute.default:
            assert attribute.default_provenance.split(": ")[0] in ("assumed", "derived")
            assert not attribute.required
        if attribute.choices and attribute.default:
            assert attribute.default in attribute.choices
        if attribute.foreign_key:
            other, column = attribute.foreign_key.split(".")
            assert column in of.tables[other]


@pytest.mark.parametrize("of", SETS)
def test_each_set_is_consistent(of: TableSet) -> None:
    assert set(of.needed) | set(of.left_out) | set(of.duplicates) | set(of.parents) <= set(of.names)
    assert set(of.parents) <= set(of.duplicates)
    for table, *columns in of.ends:
        assert set(columns) <= set(of.tables[table].columns)
    for name, table in of.tables.items():
        assert table.name == name
        folder = ROOT / "changtong" / "tables" / ("" if name == "provenance" else of.folder)
        assert (folder / f"{name}.csv").is_file()


def test_units_agree_with_the_names() -> None:
    for table in network_tables().values():
        for attribute in table.attributes:
            if attribute.type in ("number", "integer") and units.unit_of(attribute.name):
                said = units.unit_of(attribute.name)
                assert said is not None
                assert attribute.unit.replace("h/day", "h") == said.replace("h/day", "h"), attribute.name


def test_frictionless_schema_says_types_ranges_and_keys() -> None:
    schema = frictionless_schema("sites")
    fields = {field["name"]: field for field in schema["fields"]}
    assert schema["primaryKey"] == ["site_id"]
    assert fields["lat"]["type"] == "number"
    assert fields["lat"]["constraints"] == {"minimum": -90, "maximum": 90}
    assert fields["kind"]["constraints"]["enum"][0] == "exchange"
    assert "primaryKey" not in frictionless_schema("demand")  # its class may be empty
    reference = {"fields": "from_site", "reference": {"resource": "sites", "fields": "site_id"}}
    assert reference in frictionless_schema("legs")["foreignKeys"]
    json.dumps([frictionless_schema(name) for name in NETWORK_TABLES])


def smallest(**more: pl.DataFrame) -> Network:
    sites = pl.DataFrame({"site_id": ["B", " A"], "kind": ["village", None]})
    legs = pl.DataFrame({"from_site": ["A"], "to_site": ["B"]})
    return build_network({"sites": sites, "legs": legs, **more}, "two")


def test_build_gives_every_column_its_type_and_default() -> None:
    network = smallest(demand=pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [3]}))
    for name, frame in network.tables().items():
        schema = network_tables()[name].schema(network.site_type)
        if name == "demand":
            schema["service_class"] = network.class_type
        assert dict(frame.schema) == schema
    assert network.site_ids == ("B", "A")
    assert network.legs["from_site"].to_physical().to_list() == [1]
    assert network.sites["transit"].to_list() == [False, True]  # a village passes nothing on
    assert network.sites["sort_hours_per_day"].to_list() == [20, 20]
    assert network.legs["cost_cny_per_piece"].to_list() == [0]
    assert network.legs["capacity_pieces_per_day"].to_list() == [None]  # unlimited, not filled
    assert network.service_classes["service_class"].to_list() == ["ordinary"]


def test_each_default_used_is_in_the_provenance() -> None:
    network = smallest()
    rows = network.provenance.filter(pl.col("column") == "kind")
    assert rows["kind"].to_list() == ["assumed"]
    assert rows["note"].to_list()[0].startswith("1 of 2 rows were empty")
    again = build_network(network.tables(), "two")
    assert again.provenance.equals(network.provenance)  # nothing left to fill


def test_ids_of_other_types_are_read() -> None:
    sites = pl.DataFrame({"site_id": [10, 20]})
    legs = pl.DataFrame(
        {"from_site": ["10"], "to_site": ["20"]},
        schema={"from_site": pl.Categorical, "to_site": pl.Enum(["20", "10"])},
    )
    demand = pl.DataFrame({"from_site": [10.0], "to_site": [20.0], "pieces_per_day": ["7"]})
    network = build_network({"sites": sites, "legs": legs, "demand": demand}, "numbers")
    assert network.legs["to_site"].to_list() == ["20"]
    assert network.demand.row(0) == ("10", "20", None, 7.0)


def test_float32_stays_in_demand_only() -> None:
    demand = pl.DataFrame(
        {"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [1.5]},
        schema_overrides={"pieces_per_day": pl.Float32},
    )
    network = smallest(demand=demand)
    assert network.demand.schema["pieces_per_day"] == pl.Float32
    wide = network.with_tables(legs=network.legs.with_columns(pl.col("cost_cny_per_piece").cast(pl.Float32)))
    assert build_network(wide.tables(), "x").legs.schema["cost_cny_per_piece"] == pl.Float64


def test_build_reports_all_problems_of_all_tables_at_once() -> None:
    legs = pl.DataFrame({"from_site": ["A", "Bb"], "to_site": ["A", "B"], "travel_h": [1.0, -2.0]})
    with pytest.raises(InputError) as caught:
        smallest(legs=legs, demands=pl.DataFrame())
    codes = sorted(problem.code for problem in caught.value.problems)
    assert codes == ["negative", "self-loop", "unknown-site", "unknown-table"]
    unknown = next(problem for problem in caught.value.problems if problem.code == "unknown-site")
    assert (unknown.file, unknown.row, unknown.column) == ("legs", 2, "from_site")
    assert unknown.hint == 'Did you mean "B"?'


def test_other_frames_are_refused_with_their_type() -> None:
    with pytest.raises(UsageError, match="list"):
        build_network({"sites": []}, "x")  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("name", "unit"), [("travel_h", "h"), ("a_share", "1"), ("x_pieces_per_day", "pieces/day")]
)
def test_unit_of_a_name(name: str, unit: str) -> None:
    assert units.unit_of(name) == unit


def test_conversions() -> None:
    assert units.conversion_factor("length", "mile") == 1.609344
    assert units.conversion_factor("speed", "m/s") == 3.6
    assert units.conversion_factor("time", "min") * 90 == 1.5
    with pytest.raises(UsageError, match="furlong"):
        units.conversion_factor("length", "furlong")
    with pytest.raises(UsageError, match="weight"):
        units.conversion_factor("weight", "kg")
