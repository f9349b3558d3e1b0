"""Which values may stand in a field of an EPCIS 2.0 event, so that what is written validates.

Only the fields a log's attributes are put back into are known here. A value that does not fit
is not bent: it stays in the attributes, which are written as an extension.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from changtong.events.codes import code_of_business_step
from changtong.events.formats.epcis_terms import ACTIONS, bare_term, is_clean, is_uri, vocabulary
from changtong.events.formats.instants import OFFSET, instant_ms

Test = Callable[[Any], bool]

_UOM = re.compile(r"[A-Z0-9]{2,3}")
_HEX = re.compile(r"[A-Fa-f0-9]+")
_GS1_TERM = re.compile(
    r"urn:epcglobal:cbv|https?://(?:ns|ref)\.gs1\.org/cbv/|https?://(?:www\.)?gs1\.org/voc/"
)
IN_OBJECT = ("persistentDisposition", "quantityList")
IN_AGGREGATION = ("childQuantityList",)


def fits(field: str, value: Any, event_type: str) -> bool:
    """Tell whether a value may stand in a field of an event of this type.

    Examples
    --------
    >>> fits("disposition", "in_transit", "ObjectEvent"), fits("disposition", "lost", "ObjectEvent")
    (True, False)
    """
    if field in IN_OBJECT and event_type != "ObjectEvent":
        return False
    if field in IN_AGGREGATION and event_type != "AggregationEvent":
        return False
    test = _FIELDS.get(field)
    return test is not None and test(value)


def _uri(value: Any) -> bool:
    return isinstance(value, str) and is_uri(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and is_clean(value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _time(value: Any) -> bool:
    return isinstance(value, str) and "T" in value and instant_ms(value) is not None


def _word_of(name: str) -> Test:
    """Return a test for a word of a vocabulary, or a URI that is not GS1's."""

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        return value in vocabulary(name) or (is_uri(value) and not _GS1_TERM.match(value))

    return test


def _step(value: Any) -> bool:
    if not isinstance(value, str) or ":" in value:
        return _uri(value) and not _GS1_TERM.match(value)
    return code_of_business_step(value) is not None


def _list_of(test: Test, *, least: int = 1, unique: bool = False) -> Test:
    def is_list(value: Any) -> bool:
        if not isinstance(value, list) or len(value) < least or not all(map(test, value)):
            return False
        return not unique or len({str(one) for one in value}) == len(value)

    return is_list


def _object_of(tests: Mapping[str, Test], *needed: str) -> Test:
    def is_object(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and all(name in value for name in needed)
            and all(name in tests and tests[name](inner) for name, inner in value.items())
        )

    return is_object


def _uris(value: Any) -> bool:
    return _uri(value) or _list_of(_uri)(value)


def _not_a_place(test: Test) -> Test:
    """Return a test for other parties than the location, which is the next site."""
    return lambda value: test(value) and bare_term(str(value.get("type"))) != "location"


_QUANTITY = _object_of(
    {"epcClass": _uri, "quantity": _number, "uom": lambda v: _text(v) and _UOM.fullmatch(v) is not None},
    "epcClass",
)
_DISPOSITIONS = _list_of(_word_of("dispositions"), unique=True)
_DEVICE: dict[str, Test] = dict.fromkeys(
    ("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"), _uri
)
_METADATA = _object_of(_DEVICE | dict.fromkeys(("time", "startTime", "endTime"), _time))
_REPORT = _object_of(
    _DEVICE
    | {"type": _word_of("measurement_types"), "exception": _word_of("sensor_alerts"), "time": _time}
    | dict.fromkeys(("microorganism", "chemicalSubstance", "coordinateReferenceSystem", "uriValue"), _uri)
    | dict.fromkeys(("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"), _number)
    | {"component": _word_of("components"), "stringValue": _text, "uom": _text}
    | {
        "booleanValue": lambda v: isinstance(v, bool),
        "hexBinaryValue": lambda v: _text(v) and bool(_HEX.fullmatch(v)),
    },
    "type",
)
_PARTY = _word_of("source_destination_types")

_FIELDS: Mapping[str, Test] = {
    "action": lambda value: value in ACTIONS,
    "bizStep": _step,
    "disposition": _word_of("dispositions"),
    "persistentDisposition": lambda value: (
        _object_of({"set": _DISPOSITIONS, "unset": _DISPOSITIONS})(value) and bool(value)
    ),
    "eventTimeZoneOffset": lambda value: _text(value) and OFFSET.fullmatch(value) is not None,
    "bizLocation": _object_of({"id": _uri}, "id"),
    "bizTransactionList": _list_of(
        _object_of({"type": _word_of("business_transaction_types"), "bizTransaction": _uri}, "bizTransaction")
    ),
    "sourceList": _list_of(_object_of({"type": _PARTY, "source": _uri}, "type", "source")),
    "destinationList": _list_of(
        _not_a_place(_object_of({"type": _PARTY, "destination": _uri}, "type", "destination"))
    ),
    "quantityList": _list_of(_QUANTITY),
    "childQuantityList": _list_of(_QUANTITY),
    "sensorElementList": _list_of(
        _object_of({"sensorMetadata": _METADATA, "sensorReport": _list_of(_REPORT)}, "sensorReport")
    ),
    "certificationInfo": _uris,
    "errorDeclaration": _object_of(
        {"declarationTime": _time, "reason": _word_of("error_reasons"), "correctiveEventIDs": _list_of(_uri)},
        "declarationTime",
    ),
}
