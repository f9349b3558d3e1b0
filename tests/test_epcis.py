"""EPCIS 2.0: every example reads, nothing is silent, no document crashes the reader."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from how_many import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from changtong.errors import InputError, UsageError
from changtong.events.formats.epcis import read_epcis
from changtong.events.formats.epcis_event import EpcisRules
from changtong.events.formats.foreign_rows import ROW_SCHEMA, ForeignRows

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "epcis"
EXAMPLES = sorted(SHARED.glob("*.jsonld"))
needs_examples = pytest.mark.skipif(not EXAMPLES, reason="the EPCIS examples are not here")

PARCEL, BAG = "urn:epc:id:sgtin:0614141.107346.2017", "urn:epc:id:grai:4012345.55555.987"
SITE, OTHER = "urn:epc:id:sgln:0614141.00777.0", "urn:epc:id:sgln:0614141.00888.0"
EVENT: dict[str, Any] = {
    "type": "ObjectEvent",
    "action": "OBSERVE",
    "bizStep": "departing",
    "eventTime": "2022-06-17T08:00:00.250+08:00",
    "eventTimeZoneOffset": "+08:00",
    "epcList": [PARCEL],
    "readPoint": {"id": SITE},
}
AT_MS = 1_655_424_000_250


def changed(**fields: Any) -> dict[str, Any]:
    """Return the event with other fields; None takes a field away."""
    return {name: value for name, value in (EVENT | fields).items() if value is not None}


def read(*events: Any, rules: EpcisRules | None = None, context: Any = None) -> ForeignRows:
    document = {"@context": context or [], "type": "EPCISDocument", "epcisBody": {"eventList": list(events)}}
    found = read_epcis(json.dumps(document).encode(), rules)
    check_accounts(found)
    return found


def check_accounts(found: ForeignRows) -> None:
    """Every event ends in rows, in problems, or in both."""
    assert dict(found.rows.schema) == dict(ROW_SCHEMA)
    assert found.read_count == found.good_count + found.bad_count
    told = set(found.rows["row"]) | set(found.problems["row"])
    assert told == set(range(1, found.read_count + 1))


def attributes(found: ForeignRows) -> dict[str, Any]:
    text = found.rows["attributes"][0]
    return json.loads(text) if text else {}


@needs_examples
@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_every_example_is_read_and_accounted_for(path: Path) -> None:
    found = read_epcis(path)
    check_accounts(found)
    events = len(re.findall(r'"eventTime"\s*:', path.read_text("utf-8")))
    assert found.read_count == events
    if path.stem == "SensorDataExample12":  # declares an event wrong but does not say which
        assert found.problem_counts() == {"no-event-id": 1}
    else:
        assert found.bad_count == 0


@needs_examples
def test_what_the_examples_say_is_in_the_rows() -> None:
    declared = read_epcis(SHARED / "ErrorDeclarationAndCorrectiveEvent.jsonld").rows
    assert declared["code"].to_list() == ["void", "void", "note", "note"]
    told = json.loads(declared["attributes"][0])["errorDeclaration"]
    assert told["correctiveEventIDs"] == [declared["event_id"][2]]
    bagged = read_epcis(SHARED / "Example_9.6.3-AggregationEventWithDigitalLink.jsonld").rows
    assert bagged["receptacle_id"].to_list() == ["urn:epc:id:sscc:0614141.1234567890"] * 2
    assert bagged["item_id"][0] == "https://id.gs1.org/01/70614141123451/21/2017"
    assert bagged["at_ms"][0] == 1_370_703_536_591
    cold = json.loads(read_epcis(SHARED / "SensorDataExample5.jsonld").rows["attributes"][0])
    assert cold["sensorElementList"][0]["sensorReport"][0]["type"] == "Temperature"


def test_an_event_becomes_a_row() -> None:
    found = read(changed(eventID="urn:uuid:1", recordTime="2022-06-17T00:00:01Z", disposition="in_transit"))
    assert found.rows.drop("attributes").row(0) == (
        1, "urn:uuid:1", PARCEL, None, None, "depart", SITE, None, AT_MS, 1_655_424_001_000, None,
    )  # fmt: skip
    assert attributes(found) == {"disposition": "in_transit", "eventTimeZoneOffset": "+08:00"}
    assert found.problems.is_empty()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"bizStep": "urn:epcglobal:cbv:bizstep:loading"}, "load"),
        ({"bizStep": "https://ref.gs1.org/cbv/BizStep-holding"}, "hold"),
        ({"bizStep": "shipping", "disposition": "returned"}, "return"),
        ({"bizStep": "departing", "disposition": "https://ref.gs1.org/cbv/Disp-returned"}, "return"),
        ({"bizStep": "void_shipping"}, "note"),
        ({"bizStep": "urn:x-changtong:bizstep:deliver"}, "deliver"),
        ({"urn:x-changtong:epcis:code": "sort"}, "sort"),
        ({"changtong:code": "sort"}, "sort"),
        ({"changtong:code": "flown"}, None),
        ({"bizStep": "flying"}, None),
        ({"bizStep": 7}, None),
        ({"bizStep": None}, None),
        ({"type": "AggregationEvent", "bizStep": None, "action": "ADD"}, "pack"),
        ({"type": "AggregationEvent", "bizStep": "disassembling", "action": "DELETE"}, "unpack"),
        ({"type": "AggregationEvent", "bizStep": None}, "note"),
        ({"errorDeclaration": {"declarationTime": "2022-06-18T00:00:00Z"}, "eventID": "urn:uuid:1"}, "void"),
        ({"errorDeclaration": {"declarationTime": "2022-06-18T00:00:00Z"}}, None),
    ],
)
def test_what_happened_is_told_by_business_step_action_and_disposition(
    fields: dict[str, Any], code: str | None
) -> None:
    found = read(changed(parentID=BAG, childEPCs=[PARCEL], **fields))
    assert found.rows["code"].to_list() == ([code] if code else [])
    assert set(found.problems["code"]) <= {"unknown-code", "no-code", "no-event-id"}
    assert found.problems.is_empty() == (code is not None)


@pytest.mark.parametrize(
    ("fields", "objects"),
    [
        ({}, [(PARCEL, None, None)]),
        ({"epcList": [PARCEL, PARCEL, "urn:a:b"]}, [(PARCEL, None, None), ("urn:a:b", None, None)]),
        ({"epcList": PARCEL}, [(PARCEL, None, None)]),
        ({"epcList": [BAG]}, [(None, BAG, None)]),
        ({"epcList": ["https://a.org/8003/0401234500"]}, [(None, "https://a.org/8003/0401234500", None)]),
        ({"epcList": ["urn:lorry:1"]}, [(None, None, "urn:lorry:1")]),
        ({"changtong:vehicle": "urn:x-changtong:id:%E4%BA%AC%201"}, [(PARCEL, None, "京 1")]),
        ({"type": "AggregationEvent", "parentID": BAG, "childEPCs": [PARCEL]}, [(PARCEL, BAG, None)]),
        ({"type": "AggregationEvent", "parentID": "urn:lorry:1", "childEPCs": [PARCEL]},
         [(PARCEL, None, "urn:lorry:1")]),
        ({"type": "AggregationEvent", "parentID": "urn:a:cage", "childEPCs": [BAG]}, [(None, BAG, None)]),
        ({"type": "AggregationEvent", "parentID": BAG, "action": "DELETE"}, [(None, BAG, None)]),
        ({"type": "AssociationEvent", "parentID": BAG, "childEPCs": [PARCEL]}, [(PARCEL, BAG, None)]),
        ({"type": "TransactionEvent", "parentID": BAG}, [(PARCEL, BAG, None)]),
        ({"type": "TransformationEvent", "inputEPCList": ["urn:a:1"], "outputEPCList": ["urn:a:2"]},
         [("urn:a:1", None, None), ("urn:a:2", None, None)]),
        ({"epcList": None, "quantityList": [{"epcClass": "urn:epc:class:lgtin:1.2"}]}, [(None, None, None)]),
    ],
)  # fmt: skip
def test_what_it_is_about_is_told_by_the_lists_of_the_event(
    fields: dict[str, Any], objects: list[Any]
) -> None:
    found = read(changed(**fields), rules=EpcisRules(vehicles=re.compile("urn:lorry:.*")))
    assert found.rows.select("item_id", "receptacle_id", "vehicle_id").rows() == objects
    assert found.problems.is_empty()


def test_a_bag_in_a_cage_keeps_the_cage_and_a_transformation_its_roles() -> None:
    nested = read(changed(type="AggregationEvent", parentID="urn:a:cage", childEPCs=[BAG]))
    assert attributes(nested)["parentID"] == "urn:a:cage"
    made = read(changed(type="TransformationEvent", inputEPCList=["urn:a:1"], outputEPCList=["urn:a:2"]))
    assert [json.loads(text)["epcRole"] for text in made.rows["attributes"]] == ["input", "output"]


@pytest.mark.parametrize(
    ("fields", "problem", "is_kept"),
    [
        ({"type": "FlightEvent"}, "bad-event", False),
        ({"type": ["ObjectEvent"]}, "bad-event", False),
        ({"eventTime": "2022-06-17T08:00:00", "eventTimeZoneOffset": None}, "bad-time", False),
        ({"eventTime": "1970-01-01T00:00:00Z"}, "bad-time", False),
        ({"eventTime": "20220617"}, "bad-time", False),
        ({"eventTime": 1655424000}, "bad-time", False),
        ({"recordTime": "yesterday"}, "bad-value", True),
        ({"eventTimeZoneOffset": "Beijing"}, "bad-value", True),
        ({"readPoint": None}, "no-site", False),
        ({"readPoint": {"id": ""}}, "no-site", False),
        ({"readPoint": SITE}, "bad-id", False),
        ({"epcList": []}, "no-object", False),
        ({"epcList": None}, "no-object", False),
        ({"epcList": 7}, "bad-id", False),
        ({"epcList": [[PARCEL]]}, "bad-id", False),
        ({"epcList": [PARCEL, 7]}, "bad-id", True),
        ({"epcList": [PARCEL, "urn:a:\0"]}, "bad-id", True),
        ({"eventID": ["urn:a:1"]}, "bad-id", True),
        ({"action": "LOOK"}, "bad-value", True),
        ({"destinationList": {"type": "location"}}, "bad-id", True),
        ({"destinationList": [{"type": "location", "destination": SITE}] * 2}, "several-destinations", True),
    ],
)
def test_what_is_wrong_with_an_event_is_reported_with_its_number(
    fields: dict[str, Any], problem: str, is_kept: bool
) -> None:
    found = read(EVENT, changed(**fields))
    assert problem in found.problems["code"].to_list()
    assert set(found.problems["row"]) == {2}
    assert (2 in found.rows["row"]) == is_kept
    for reason in found.problems["reason"]:
        assert "urn:" not in reason


def test_a_time_without_zone_takes_the_offset_of_the_event_and_a_site_may_be_missing() -> None:
    assert read(changed(eventTime="2022-06-17T08:00:00.250")).rows["at_ms"].to_list() == [AT_MS]
    found = read(changed(readPoint=None), rules=EpcisRules(is_site_required=False))
    assert found.rows["site_id"].to_list() == [None]
    assert found.problem_counts() == {"no-site": 1}


def test_the_read_point_is_the_site_and_one_location_among_the_destinations_the_next() -> None:
    party = {"type": "owning_party", "destination": "urn:epc:id:pgln:0614141.00777"}
    to = {"type": "https://ref.gs1.org/cbv/SDT-location", "destination": OTHER}
    found = read(changed(bizLocation={"id": OTHER}, destinationList=[party, to]))
    assert found.rows.select("site_id", "next_site_id").row(0) == (SITE, OTHER)
    assert attributes(found)["bizLocation"] == {"id": OTHER}
    assert attributes(found)["destinationList"] == [party]
    only = read(changed(readPoint=None, bizLocation={"id": OTHER}))
    assert only.rows["site_id"].to_list() == [OTHER]
    assert "bizLocation" not in attributes(only)


def test_a_name_twice_in_an_event_is_reported_and_in_the_document_refused() -> None:
    first, last = '"eventID": "urn:uuid:1", ', '"eventID": "urn:uuid:2", '
    text = json.dumps([EVENT, EVENT])
    found = read_epcis(("[{" + first + last + text[2:]).encode())
    check_accounts(found)
    assert found.problems.select("row", "code").rows() == [(1, "twice-named")]
    assert found.rows["event_id"].to_list() == ["urn:uuid:2", None]
    with pytest.raises(InputError, match="not-epcis"):
        read_epcis(b'{"type": "EPCISDocument", "epcisBody": {"eventList": [], "eventList": []}}')


def test_business_steps_of_ones_own_are_read_as_told() -> None:
    event = changed(bizStep="rail:passing")
    context = {"rail": "urn:gs1:epcisapp:rail:"}
    assert read(event, context=context).problem_counts() == {"unknown-code": 1}
    rules = EpcisRules(business_steps={"urn:gs1:epcisapp:rail:passing": "note"})
    found = read(event, context=context, rules=rules)
    assert found.rows["code"].to_list() == ["note"]
    assert attributes(found)["bizStep"] == "urn:gs1:epcisapp:rail:passing"
    with pytest.raises(UsageError, match="flown"):
        read(event, rules=EpcisRules(business_steps={"urn:a:b": "flown"}))


def test_extensions_are_left_out_unless_asked_for_by_their_full_name() -> None:
    event = changed(
        **{"ex:phone": "13800000000", "receiver": "Bob", "ilmd": {"ex:lot": 1, "ex:name": "Bob"}},
        sensorElementList=[{"sensorReport": [{"type": "Temperature", "value": 4.5, "ex:who": "Bob"}]}],
    )
    context = [
        "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        {"ex": "https://example.org/"},
    ]
    plain = read(event, context=context)
    assert "Bob" not in plain.rows["attributes"][0]
    assert "138" not in plain.rows["attributes"][0]
    assert set(plain.dropped) == {
        "receiver",
        *(f"https://example.org/{n}" for n in ("phone", "lot", "name", "who")),
    }
    asked = read(event, context=context, rules=EpcisRules(extensions=frozenset({"https://example.org/lot"})))
    assert attributes(asked)["ilmd"] == {"https://example.org/lot": 1}
    assert attributes(asked)["sensorElementList"][0]["sensorReport"] == [
        {"type": "Temperature", "value": 4.5}
    ]


def test_documents_queries_lists_and_single_events_give_the_same_rows() -> None:
    results = {"queryResults": {"queryName": "q", "resultsBody": {"eventList": [EVENT]}}}
    one = {"type": "EPCISDocument", "epcisBody": {"event": EVENT}}
    forms = (EVENT, [EVENT], one, {"type": "EPCISQueryDocument", "epcisBody": results})
    for form in forms:
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
            found = read_epcis(json.dumps(form).encode(encoding))
            assert found.rows.equals(read(EVENT).rows)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\xff\xfe\x00", b"<xml/>", b"{", b"nul", b"[1,", b'"text"', b"7", b"{}", b"NaN", b"[1e999]",
     b"[NaN]", b'{"a": 1, "a": 2}', b'{"type": "EPCISDocument"}', b"[" * 100_000,
     b'{"type": "EPCISDocument", "epcisBody": 3}',
     b'{"type": "EPCISDocument", "epcisBody": {"eventList": "x"}}',
     b'{"type": "EPCISQueryDocument", "epcisBody": []}', b"[" + b"1" * 5000 + b"]",
     b'\xef\xbb\xbf\xef\xbb\xbf{"type": 1}', b'["\xed\xa0\x80"]'],
)  # fmt: skip
def test_what_is_no_epcis_is_refused_without_quoting_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonld"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_epcis(path)
    assert {problem.file for problem in raised.value.problems} == {"events.jsonld"}
    assert {p.code for p in raised.value.problems} <= {"unreadable-file", "bad-encoding", "not-epcis"}


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unreadable-file"):
        read_epcis(tmp_path / "none.jsonld")


def test_half_of_a_surrogate_pair_and_deep_nesting_spoil_one_event_only() -> None:
    document = json.dumps([changed(eventID="urn:\ud800"), EVENT]).encode()
    found = read_epcis(document)
    check_accounts(found)
    assert found.problems.select("row", "code").rows() == [(1, "bad-text")]
    deep: Any = "x"
    for _ in range(400):
        deep = {"sensorReport": deep}
    found = read(changed(sensorElementList=deep), EVENT)
    assert 2 in found.rows["row"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
FIELDS = st.sampled_from(
    [*EVENT, "eventID", "recordTime", "parentID", "childEPCs", "inputEPCList", "bizLocation",
     "destinationList", "sourceList", "disposition", "errorDeclaration", "sensorElementList", "ilmd",
     "@context", "quantityList", "changtong:code", "changtong:attributes", "changtong:vehicle",
     "changtong:epcs", "changtong:serviceClass"]
)  # fmt: skip


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(FIELDS, JSON, max_size=4), max_size=3), JSON)
@example(
    [{"destinationList": [{"type": "location"}]}, {"type": "AggregationEvent", "parentID": {}}], {"": ""}
)
@example([{"@context": {"urn": "x", "": "y"}, "bizStep": "urn:x"}], [{"ex": "\ud800"}])
def test_events_of_any_shape_are_read_or_reported(changes: list[dict[str, Any]], context: Any) -> None:
    read(*[copy.deepcopy(EVENT) | change for change in changes], 1, context=context)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_documents_are_read_or_refused(data: st.DataObject) -> None:
    content = json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": [EVENT, EVENT]}}).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    damaged = content[:start] + data.draw(st.binary(max_size=6)) + content[end:]
    try:
        found = read_epcis(damaged)
    except InputError:
        return
    check_accounts(found)
