"""Words of EPCIS 2.0: field names, vocabularies, identifiers of our own, JSON text.

What has no field in EPCIS (vehicle, service class, codes GS1 has no business step for) is
written as an extension under ``OWN`` and read back from there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, unquote

from changtong.events.codes import known_codes

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
OWN_PREFIX = "changtong"
OWN = "urn:x-changtong:epcis:"
OWN_ID = "urn:x-changtong:id:"
OWN_STEP = "urn:x-changtong:bizstep:"

EVENT_TYPES = (
    "ObjectEvent",
    "AggregationEvent",
    "TransactionEvent",
    "TransformationEvent",
    "AssociationEvent",
)
ACTIONS = ("OBSERVE", "ADD", "DELETE")

KEPT_FIELDS = (
    "type", "action", "bizStep", "disposition", "persistentDisposition", "eventTimeZoneOffset",
    "bizLocation", "bizTransactionList", "sourceList", "destinationList", "quantityList",
    "childQuantityList", "inputQuantityList", "outputQuantityList", "transformationID",
    "sensorElementList", "certificationInfo", "errorDeclaration",
)  # fmt: skip
"""Fields of an event that go into the attributes where they say more than the columns do."""

READ_FIELDS = frozenset(KEPT_FIELDS) | {
    "@context", "@type", "eventTime", "recordTime", "eventID", "readPoint", "parentID", "epcList",
    "childEPCs", "inputEPCList", "outputEPCList", "ilmd",
}  # fmt: skip

NESTED_FIELDS = frozenset({
    "id", "type", "set", "unset", "bizTransaction", "source", "destination", "epcClass", "quantity", "uom",
    "declarationTime", "reason", "correctiveEventIDs", "sensorMetadata", "sensorReport", "time",
    "deviceID", "deviceMetadata", "rawData", "startTime", "endTime", "dataProcessingMethod", "bizRules",
    "exception", "microorganism", "chemicalSubstance", "coordinateReferenceSystem", "value", "component",
    "stringValue", "booleanValue", "hexBinaryValue", "uriValue", "minValue", "maxValue", "meanValue",
    "sDev", "percRank", "percValue",
})  # fmt: skip
"""Names inside the kept fields that EPCIS defines; all others are extensions."""

_TERM_FORMS = re.compile(
    r"(?:https?://(?:ref|ns)\.gs1\.org/cbv/(?:Disp|BTT|SDT|ER|Comp)-|cbv:(?:Disp|BTT|SDT|ER|Comp)-"
    r"|urn:epcglobal:cbv:(?:disp|btt|sdt|er|comp):"
    r"|https?://(?:ref\.)?gs1\.org/voc/(?:MeasurementType-|SensorAlertType-)?"
    r"|gs1:(?:MeasurementType-|SensorAlertType-)?)"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@cache
def vocabulary(name: str) -> frozenset[str]:
    """Return the words of one list of ``epcis_terms.toml``."""
    text = files("changtong.events.formats").joinpath("epcis_terms.toml").read_text("utf-8")
    return frozenset(tomllib.loads(text)[name])


def bare_term(term: str) -> str:
    """Return the bare word of a vocabulary term given in full; other texts as they are.

    Examples
    --------
    >>> bare_term("https://ref.gs1.org/cbv/Disp-in_transit")
    'in_transit'
    """
    found = _TERM_FORMS.match(term)
    return term[found.end() :] if found else term


def is_uri(text: str) -> bool:
    """Tell whether a text is an absolute URI as EPCIS asks for."""
    return _URI.fullmatch(text) is not None


def is_clean(text: str) -> bool:
    """Tell whether a text is free of control characters and halves of surrogate pairs."""
    return _CONTROL.search(text) is None


def uri_of(text: str) -> str:
    """Return an identifier as a URI: as it is where it is one, else in a name space of our own.

    Examples
    --------
    >>> uri_of("urn:epc:id:sscc:0614141.1234567890"), uri_of("EB000717618HK")
    ('urn:epc:id:sscc:0614141.1234567890', 'urn:x-changtong:id:EB000717618HK')
    """
    if is_uri(text) and not text.startswith(OWN_ID):
        return text
    return OWN_ID + quote(text, safe="")


def text_of(uri: str) -> str:
    """Return the identifier that a URI stands for: the inverse of `uri_of`."""
    return unquote(uri.removeprefix(OWN_ID), errors="replace") if uri.startswith(OWN_ID) else uri


def own_step_code(step: str) -> str | None:
    """Return the canonical code of a business step of our own, or None."""
    code = step.removeprefix(OWN_STEP)
    return code if code != step and code in known_codes() else None


def expand(name: str, prefixes: Mapping[str, str]) -> str:
    """Return a prefixed name in full, by the prefixes of the document's own context."""
    prefix, colon, rest = name.partition(":")
    return prefixes[prefix] + rest if colon and prefix in prefixes and not rest.startswith("//") else name


def json_text(value: Any) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, no escapes for letters."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
