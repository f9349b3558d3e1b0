"""EPCIS 2.0 written: valid against GS1's schema, and the same rows when read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.events.codes import known_codes, scan_codes
from changtong.events.formats.epcis import read_epcis
from changtong.events.formats.epcis_event import EpcisRules
from changtong.events.formats.epcis_shapes import fits
from changtong.events.formats.epcis_terms import is_uri, vocabulary
from changtong.events.formats.epcis_write import epcis_events, write_epcis
from changtong.events.formats.foreign_rows import ROW_SCHEMA
from changtong.events.formats.instants import END_MS, FIRST_MS

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "epcis"
SCHEMA = SHARED / "EPCIS-JSON-Schema.json"
NAMES = [name for name in ROW_SCHEMA if name != "row"]
NO_SITE_NEEDED = EpcisRules(is_site_required=False)
CREATED = datetime(2022, 6, 17, tzinfo=UTC)
needs_schema = pytest.mark.skipif(not SCHEMA.is_file(), reason="the EPCIS JSON schema is not here")


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return rows of the log with the fields given; others are null."""
    schema = {name: dtype for name, dtype in ROW_SCHEMA.items() if name != "row"}
    return pl.DataFrame([dict.fromkeys(NAMES) | row for row in rows], schema=schema)


def scan(**fields: Any) -> dict[str, Any]:
    return {"at_ms": 1_655_424_000_250, "code": "sort", "site_id": "H1", "item_id": "EB000717618HK"} | fields


def document(rows: pl.DataFrame, folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """Write rows; return the document and the rows read back from it."""
    path = folder / "events.jsonld"
    count = write_epcis(rows, path, created=CREATED)
    written = json.loads(path.read_text("utf-8"))
    assert len(written["epcisBody"]["eventList"]) == count
    assert [one.name for one in folder.iterdir()] == [path.name]
    found = read_epcis(path, NO_SITE_NEEDED)
    assert found.bad_count == 0
    return written, found.rows.select(NAMES)


@pytest.fixture(scope="module")
def is_valid() -> Any:
    """Return a test by GS1's schema; everything is valid where the schema is not here."""
    if not SCHEMA.is_file():
        return lambda document: True
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))

    def test(document: dict[str, Any]) -> bool:
        validator.validate(document)
        return True

    return test


@needs_schema
@pytest.mark.parametrize("path", sorted(SHARED.glob("*.jsonld")), ids=lambda path: path.stem)
def test_every_example_is_written_valid_and_reads_back(path: Path, tmp_path: Path, is_valid: Any) -> None:
    rows = read_epcis(path).rows
    written, back = document(rows, tmp_path)
    assert is_valid(written)
    assert back.equals(rows.select(NAMES))


@needs_schema
def test_the_schema_refuses_what_is_not_epcis(is_valid: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    event = next(epcis_events(frame(scan())))
    head = {"@context": [], "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2022-06-17"}
    assert is_valid(head | {"epcisBody": {"eventList": [event]}})
    for fault in ({"eventTime": 3}, {"epcList": 1}, {"action": "LOOK"}, {"quantityList": [{}]}):
        with pytest.raises(jsonschema.ValidationError):
            is_valid(head | {"epcisBody": {"eventList": [event | fault]}})


@needs_schema
def test_the_vocabularies_are_those_of_the_schema() -> None:
    definitions = json.loads(SCHEMA.read_text("utf-8"))["definitions"]
    for name, definition in (
        ("dispositions", "disposition"),
        ("business_transaction_types", "bizTransaction-type"),
        ("source_destination_types", "source-dest-type"),
        ("measurement_types", "measurementType"),
        ("sensor_alerts", "sensorAlertType"),
        ("components", "component"),
        ("error_reasons", "error-reason"),
    ):
        assert vocabulary(name) == set(definitions[definition]["anyOf"][1]["enum"])
    steps = {step for entry in scan_codes() for step in entry.cbv_also}
    steps |= {str(e.cbv_business_step).rpartition("-")[2] for e in scan_codes() if e.cbv_business_step}
    assert steps == set(definitions["bizStep"]["anyOf"][1]["enum"])


def test_rows_of_one_event_are_one_event_again_and_bags_are_aggregations() -> None:
    bagged = scan(code="pack", receptacle_id="BAG 1", event_id="urn:uuid:1", next_site_id="H2")
    events = list(
        epcis_events(
            frame(
                bagged,
                bagged | {"item_id": "EE471108151FR"},
                scan(code="unpack", receptacle_id="BAG 1", item_id=None),
                scan(code="load", vehicle_id="京A12345", item_id=None, receptacle_id="urn:a:bag"),
                scan(code="arrive", vehicle_id="京A12345", item_id=None),
            )
        )
    )
    assert [(event["type"], event["action"]) for event in events] == [
        ("AggregationEvent", "ADD"),
        ("AggregationEvent", "DELETE"),
        ("ObjectEvent", "OBSERVE"),
        ("ObjectEvent", "OBSERVE"),
    ]
    first = events[0]
    assert first["childEPCs"] == ["urn:x-changtong:id:EB000717618HK", "urn:x-changtong:id:EE471108151FR"]
    assert first["parentID"] == "urn:x-changtong:id:BAG%201"
    assert first["bizStep"] == "packing"
    assert first["destinationList"] == [{"type": "location", "destination": "urn:x-changtong:id:H2"}]
    assert first["eventTime"] == "2022-06-17T00:00:00.250Z"
    assert events[2]["changtong:epcs"] == "receptacle"
    assert events[2]["epcList"] == ["urn:a:bag"]
    assert events[3]["epcList"] == []


def test_attributes_go_back_where_epcis_has_a_field_for_them() -> None:
    cold = {"sensorReport": [{"type": "Temperature", "value": 4.5, "uom": "CEL"}]}
    told = {"disposition": "in_transit", "eventTimeZoneOffset": "+08:00", "sensorElementList": [cold]}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    event = next(epcis_events(frame(scan(attributes=text))))
    assert event["disposition"] == "in_transit"
    assert event["sensorElementList"] == [cold]
    assert event["eventTime"] == "2022-06-17T08:00:00.250+08:00"
    assert not [name for name in event if name.startswith("changtong:")]
    other = next(epcis_events(frame(scan(attributes='{"disposition":"lost","weight":3}'))))
    assert "disposition" not in other
    assert other["changtong:attributes"] == '{"disposition":"lost","weight":3}'


def test_a_void_row_is_an_error_declaration() -> None:
    event = next(epcis_events(frame(scan(code="void", event_id="e1", recorded_ms=1_655_510_400_000))))
    assert event["errorDeclaration"] == {"declarationTime": "2022-06-18T00:00:00.000Z"}
    assert event["eventID"] == "urn:x-changtong:id:e1"
    assert "bizStep" not in event


@pytest.mark.parametrize(
    ("fields", "problem", "column"),
    [
        ({"code": "flown"}, "unknown-code", "code"),
        ({"code": None}, "unknown-code", "code"),
        ({"at_ms": None}, "bad-time", "at_ms"),
        ({"at_ms": FIRST_MS - 1}, "bad-time", "at_ms"),
        ({"recorded_ms": END_MS}, "bad-time", "recorded_ms"),
        ({"code": "void"}, "no-event-id", "event_id"),
        ({"item_id": None}, "no-object", "item_id"),
        ({"item_id": ""}, "bad-id", "item_id"),
        ({"site_id": "H\0"}, "bad-id", "site_id"),
    ],
)
def test_rows_that_cannot_be_written_are_refused_by_row_and_column(
    fields: dict[str, Any], problem: str, column: str, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonld"
    path.write_text("as it was")
    with pytest.raises(InputError) as raised:
        write_epcis(frame(scan(), scan(**fields)), path)
    assert [(p.code, p.row, p.column) for p in raised.value.problems] == [(problem, 2, column)]
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing-column"):
        write_epcis(frame(scan()).drop("code"), tmp_path / "events.jsonld")
    with pytest.raises(InputError, match="wrong-type"):
        write_epcis(frame(scan()).with_columns(at_ms=pl.lit("noon")), tmp_path / "events.jsonld")
    with pytest.raises(InputError, match="cannot-write"):
        write_epcis(frame(scan()), tmp_path / "none" / "events.jsonld")
    with pytest.raises(UsageError, match="time zone"):
        write_epcis(frame(scan()), tmp_path / "events.jsonld", created=datetime(2022, 6, 17))


def test_no_rows_are_an_empty_document(tmp_path: Path, is_valid: Any) -> None:
    written, back = document(frame(), tmp_path)
    assert is_valid(written)
    assert back.is_empty()


CLEAN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
URIS = ["urn:epc:id:sgtin:1.2.3", "urn:epc:id:grai:4012345.55555.9", "https://a.org/8003/01"]
IDS = st.none() | CLEAN | st.sampled_from([*URIS, "urn:x-changtong:id:a", "urn:x-changtong:id:%zz", "a b"])
INSTANTS = st.integers(FIRST_MS, END_MS - 1)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "disposition": st.sampled_from(["in_transit", "returned", "lost", "https://a.org/x", 3]),
        "bizStep": st.sampled_from(
            ["shipping", "sensor_reporting", "flying", "urn:x-changtong:bizstep:sort", "packing"]
        ),
        "action": st.sampled_from(["ADD", "DELETE", "OBSERVE", "LOOK"]),
        "eventTimeZoneOffset": st.sampled_from(["+08:00", "-03:30", "+00:00", "+15:00", ""]),
        "bizLocation": st.sampled_from([{"id": "urn:a:b"}, {"id": "plain"}, {}, 1]),
        "destinationList": st.sampled_from(
            [
                [{"type": "location", "destination": "urn:a:b"}],
                [{"type": "owning_party", "destination": "urn:a:b"}],
                [],
            ]
        ),
        "quantityList": st.sampled_from(
            [[{"epcClass": "urn:a:b", "quantity": 2.5, "uom": "KGM"}], [{"quantity": True}]]
        ),
        "sensorElementList": st.sampled_from(
            [
                [{"sensorReport": [{"type": "Temperature", "value": 1.5}]}],
                [{"sensorReport": [{"type": "Warmth"}]}],
                [{"sensorReport": [], "other": 1}],
                {"sensorReport": {}},
            ]
        ),
        "persistentDisposition": st.sampled_from([{"set": ["damaged"]}, {"set": ["damaged", "damaged"]}, {}]),
        "certificationInfo": st.sampled_from(["https://a.org", ["urn:a:b"], []]),
        "errorDeclaration": st.sampled_from(
            [{"declarationTime": "2022-06-17T00:00:00Z", "reason": "did_not_occur"}, {"reason": 1}]
        ),
        "type": st.sampled_from(["TransformationEvent", "ObjectEvent"]),
        "weight": st.integers(),
    },
)
ATTRIBUTES = (
    st.none()
    | CLEAN
    | st.sampled_from(
        [
            "",
            "{}",
            "[1]",
            "NaN",
            '{"a":1,"a":2}',
            '{"quantityList":[{"epcClass":"urn:a","quantity":NaN}]}',
            '{"disposition":"\\ud800"}',
            "\0",
            '{"sensorElementList":' + "[" * 900 + "]" * 900 + "}",
        ]
    )
    | PARTS.map(lambda told: json.dumps(told, sort_keys=True, separators=(",", ":")))
    | PARTS.map(json.dumps)
)
SCANS = st.fixed_dictionaries(
    {
        "event_id": IDS,
        "item_id": IDS,
        "receptacle_id": IDS,
        "vehicle_id": IDS,
        "code": st.sampled_from(sorted(known_codes())),
        "site_id": IDS,
        "next_site_id": IDS,
        "at_ms": INSTANTS,
        "recorded_ms": st.none() | INSTANTS,
        "service_class": st.none() | CLEAN,
        "attributes": ATTRIBUTES,
    }
)


def is_writable(row: dict[str, Any]) -> bool:
    return (row["code"] != "void" or row["event_id"] is not None) and any(
        row[name] is not None for name in ("item_id", "receptacle_id", "vehicle_id", "attributes")
    )


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SCANS.filter(is_writable), max_size=4), st.booleans())
@example([scan(code="unpack", receptacle_id="B", item_id=None, attributes='{"action":"ADD"}')], False)
@example([scan(code="void", event_id="e", attributes='{"errorDeclaration":{"declarationTime":"no"}}')], True)
def test_any_rows_are_valid_epcis_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, is_valid: Any, rows: list[dict[str, Any]], twice: bool
) -> None:
    table = frame(*rows, *(rows if twice else []))
    written, back = document(table, tmp_path_factory.mktemp("epcis"))
    assert is_valid(written)
    assert back.equals(table)
    for event in written["epcisBody"]["eventList"]:
        named = [
            event.get("eventID"),
            event.get("parentID"),
            event.get("readPoint", {}).get("id"),
        ]
        named += event.get("epcList", event.get("childEPCs", []))
        assert all(is_uri(one) for one in named if one is not None)


@pytest.mark.parametrize(
    ("field", "value", "is_right"),
    [
        ("disposition", "https://ns.gs1.org/cbv/Disp-in_transit", False),
        ("disposition", "https://example.org/lost", True),
        ("bizStep", "urn:epcglobal:cbv:bizstep:loading", False),
        ("bizStep", "loading", True),
        ("bizStep", "plain words", False),
        ("quantityList", [{"epcClass": "urn:a:b", "uom": "kg"}], False),
        ("quantityList", [{"epcClass": "urn:a:b", "uom": "KGM", "quantity": 3}], True),
        ("childQuantityList", [{"epcClass": "urn:a:b"}], False),
        ("sensorElementList", [{"sensorReport": [{"value": 1}]}], False),
        ("sensorElementList", [{"sensorReport": [{"type": "Mass", "time": "2022-06-17"}]}], False),
        ("bizLocation", {"id": "urn:a:b", "name": "x"}, False),
        ("epcList", ["urn:a:b"], False),
    ],
)
def test_a_field_takes_what_the_standard_allows(field: str, value: Any, is_right: bool) -> None:
    assert fits(field, value, "ObjectEvent") is is_right
