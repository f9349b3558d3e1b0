"""One event of EPCIS 2.0 to rows of the log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from changtong.events.codes import bare_business_step, code_of_business_step, known_codes, scan_code
from changtong.events.formats.epcis_terms import (
    ACTIONS,
    EVENT_TYPES,
    KEPT_FIELDS,
    NESTED_FIELDS,
    OWN,
    READ_FIELDS,
    bare_term,
    expand,
    is_clean,
    json_text,
    own_step_code,
    text_of,
)
from changtong.events.formats.foreign_rows import ProblemList
from changtong.events.formats.instants import OFFSET, instant_ms

Row = tuple[object, ...]

RETURNABLE_ASSET = re.compile(r"urn:epc:id:grai:.*|https?://[^?#]*/8003/[0-9].*")
"""A GRAI as EPC URI or GS1 Digital Link."""

CONTAINING = ("AggregationEvent", "AssociationEvent")
ABOUT_NO_OBJECT = (
    "sensorElementList", "quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList",
)  # fmt: skip
"""Fields that make sense of an event that names no single object."""


@dataclass(frozen=True, slots=True)
class EpcisRules:
    """What the reader cannot know by itself.

    Attributes
    ----------
    receptacles, vehicles : re.Pattern
        Identifiers that are receptacles or vehicles wherever they stand. Parents of an aggregation
        are receptacles anyhow. Without word from the user only returnable assets (GRAI) are:
        an SSCC stands on parcels as well as on cages.
    business_steps : mapping
        Business steps of the user's own, in full -> code of the log.
    extensions : frozenset of str
        Extension fields to keep, in full; all others are left out (they may be personal).
    is_site_required : bool
        Whether an event without place is bad.
    """

    receptacles: re.Pattern[str] = RETURNABLE_ASSET
    vehicles: re.Pattern[str] | None = None
    business_steps: Mapping[str, str] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset()
    is_site_required: bool = True


@dataclass(slots=True)
class _Objects:
    """Item, receptacle and vehicle of each row, with what the row alone has to say."""

    rows: list[tuple[str | None, str | None, str | None, dict[str, str]]] = field(default_factory=list)
    any_bad: bool = False


@dataclass(frozen=True, slots=True)
class EventReader:
    """Reads events one by one, gathering problems and the names of fields left out."""

    rules: EpcisRules
    problems: ProblemList
    dropped: set[str]

    def rows_of(self, number: int, event: Any, prefixes: Mapping[str, str]) -> list[Row]:
        """Return the rows of one event; empty, with a problem, where it cannot be understood."""
        if not isinstance(event, dict):
            self.problems.add(number, None, "bad-event")
            return []
        given = {name: value for name, value in event.items() if value is not None}
        given.setdefault("type", given.get("@type"))
        if given["type"] not in EVENT_TYPES:
            self.problems.add(number, "type", "bad-event")
            return []
        own = {
            full.removeprefix(OWN): value
            for name, value in event.items()
            if ":" in name and (full := expand(name, prefixes)).startswith(OWN)
        }
        at_ms = self._at_ms(number, given)
        event_id = self._id(number, given.get("eventID"), "event_id")
        code = self._code(number, given, own, event_id, prefixes)
        site_id = self._place(number, given, "readPoint") or self._place(number, given, "bizLocation")
        if site_id is None:
            self.problems.add(number, "site_id", "no-site")
        if at_ms is None or code is None or (site_id is None and self.rules.is_site_required):
            return []
        objects = self._objects(number, given, own)
        next_site_id, others = self._destinations(number, given)
        attributes = self._attributes(number, given, code, others, prefixes)
        if not self._is_about_something(number, given, own, objects):
            return []
        recorded_ms = self._recorded_ms(number, given)
        service_class = self._id(number, own.get("serviceClass"), "service_class")
        rows: list[Row] = []
        for item_id, receptacle_id, vehicle_id, more in objects.rows:
            both = attributes | more
            text = own["attributes"] if "attributes" in own else json_text(both) if both else None
            rows.append(
                (number, event_id, item_id, receptacle_id, vehicle_id, code, site_id, next_site_id, at_ms,
                 recorded_ms, service_class, text if isinstance(text, str) else None)
            )  # fmt: skip
        return rows

    def _at_ms(self, number: int, event: Mapping[str, Any]) -> int | None:
        text = event.get("eventTime")
        at_ms = instant_ms(text, _offset(event)) if isinstance(text, str) else None
        if at_ms is None:
            self.problems.add(number, "at_ms", "bad-time")
        return at_ms

    def _recorded_ms(self, number: int, event: Mapping[str, Any]) -> int | None:
        text = event.get("recordTime")
        recorded_ms = instant_ms(text, _offset(event)) if isinstance(text, str) else None
        if text is not None and recorded_ms is None:
            self.problems.add(number, "recorded_ms", "bad-value")
        return recorded_ms

    def _id(self, number: int, value: Any, column: str) -> str | None:
        if value is None:
            return None
        text = text_of(value) if isinstance(value, str) else ""
        if not text or not is_clean(text):
            self.problems.add(number, column, "bad-id")
            return None
        return text

    def _code(
        self,
        number: int,
        event: Mapping[str, Any],
        own: Mapping[str, Any],
        event_id: str | None,
        prefixes: Mapping[str, str],
    ) -> str | None:
        """Return the canonical code: ours where given, else by business step and action."""
        if "errorDeclaration" in event:
            if event_id is None:
                self.problems.add(number, "event_id", "no-event-id")
                return None
            return "void"
        named, step = own.get("code"), event.get("bizStep")
        if named is not None or step is not None:
            code = (
                (named if isinstance(named, str) and named in known_codes() else None)
                if named is not None
                else self._step_code(expand(step, prefixes) if isinstance(step, str) else "")
            )
            if code is None:
                self.problems.add(number, "code", "unknown-code")
                return None
            if named is not None:
                return str(code)
        else:
            code = "note" if event["type"] in CONTAINING else None
        if code is None:
            self.problems.add(number, "code", "no-code")
        elif code == "note" and event["type"] in CONTAINING:
            return {"ADD": "pack", "DELETE": "unpack"}.get(str(event.get("action")), "note")
        elif code == "depart" and bare_term(str(event.get("disposition"))) == "returned":
            return "return"
        return code

    def _step_code(self, step: str) -> str | None:
        return self.rules.business_steps.get(step) or step_code(step)

    def _place(self, number: int, event: Mapping[str, Any], name: str) -> str | None:
        place = event.get(name)
        if place is None:
            return None
        return self._id(number, place.get("id", "") if isinstance(place, dict) else "", "site_id")

    def _objects(self, number: int, event: Mapping[str, Any], own: Mapping[str, Any]) -> _Objects:
        """Return what the event is about, one row for each object."""
        found = _Objects()
        kind = event["type"]
        parent = self._id(number, event.get("parentID"), "receptacle_id")
        found.any_bad = parent is None and event.get("parentID") is not None
        vehicle = self._id(number, own.get("vehicle"), "vehicle_id")
        if parent and self._is_vehicle(parent):
            parent, vehicle = None, vehicle or parent
        roles = {"epcList": ""} if kind in ("ObjectEvent", "TransactionEvent") else {"childEPCs": ""}
        if kind == "TransformationEvent":
            roles = {"inputEPCList": "input", "outputEPCList": "output"}
        for name, role in roles.items():
            for text in dict.fromkeys(
                one if isinstance(one, str) else "" for one in _listed(event.get(name))
            ):
                epc = self._id(number, text, "item_id")
                if epc is None:
                    found.any_bad = True
                    continue
                more = {"epcRole": role} if role else {}
                what = own.get("epcs")
                if what == "receptacle" or (what != "item" and self.rules.receptacles.fullmatch(epc)):
                    more |= {"parentID": parent} if parent else {}
                    found.rows.append((None, epc, vehicle, more))
                elif what != "item" and self._is_vehicle(epc):
                    found.rows.append((None, parent, epc, more))
                else:
                    found.rows.append((epc, parent, vehicle, more))
        if not found.rows and not found.any_bad:
            found.rows.append((None, parent, vehicle, {}))
        return found

    def _is_vehicle(self, uri: str) -> bool:
        return self.rules.vehicles is not None and self.rules.vehicles.fullmatch(uri) is not None

    def _is_about_something(
        self, number: int, event: Mapping[str, Any], own: Mapping[str, Any], objects: _Objects
    ) -> bool:
        if not objects.rows:
            return False  # all identifiers were bad: said already
        if (
            any(objects.rows[0][:3])
            or "attributes" in own
            or any(event.get(name) for name in ABOUT_NO_OBJECT)
        ):
            return True
        self.problems.add(number, "item_id", "no-object")
        return False

    def _destinations(self, number: int, event: Mapping[str, Any]) -> tuple[str | None, list[Any]]:
        """Return the next site (the one destination that is a location) and all other destinations."""
        listed = _listed(event.get("destinationList"))
        places = [
            one for one in listed if isinstance(one, dict) and bare_term(str(one.get("type"))) == "location"
        ]
        if len(places) > 1:
            self.problems.add(number, "next_site_id", "several-destinations")
        if len(places) != 1:
            return None, listed
        site = self._id(number, places[0].get("destination", ""), "next_site_id")
        return site, [one for one in listed if one is not places[0]]

    def _attributes(
        self,
        number: int,
        event: Mapping[str, Any],
        code: str,
        destinations: list[Any],
        prefixes: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return what has no column of its own, by the names EPCIS gives it."""
        kept = {
            name: self._standard(_listed(event[name]) if name.endswith("List") else event[name], prefixes)
            for name in KEPT_FIELDS
            if event.get(name) not in (None, [], {})
        }
        kept.pop("destinationList", None)
        if destinations:
            kept["destinationList"] = self._standard(destinations, prefixes)
        if isinstance(kept.get("disposition"), str):
            kept["disposition"] = bare_term(expand(kept["disposition"], prefixes))
        if isinstance(kept.get("bizStep"), str):
            kept["bizStep"] = bare_business_step(expand(kept["bizStep"], prefixes))
            if kept["bizStep"] == usual_step(code) or own_step_code(kept["bizStep"]) == code:
                del kept["bizStep"]
        if kept["type"] in ("ObjectEvent", "AggregationEvent"):
            del kept["type"]
        if kept.get("action") == usual_action(event["type"], code):
            del kept["action"]
        if "eventTimeZoneOffset" in kept and kept["eventTimeZoneOffset"] == "+00:00":
            del kept["eventTimeZoneOffset"]
        if "readPoint" not in event:
            kept.pop("bizLocation", None)  # it is the site
        for name, is_right in (
            ("eventTimeZoneOffset", _offset(event) is not None),
            ("action", event.get("action") in ACTIONS),
        ):
            if name in kept and not is_right:
                self.problems.add(number, "attributes", "bad-value")
                del kept[name]
        kept |= self._extensions(event, prefixes)
        return kept

    def _extensions(self, event: Mapping[str, Any], prefixes: Mapping[str, str]) -> dict[str, Any]:
        """Return the extension fields asked for, by their full names."""
        kept = {}
        for name, value in event.items():
            if name not in READ_FIELDS and self._is_asked_for(name, prefixes):
                kept[expand(name, prefixes)] = _expanded(value, prefixes)
        ilmd = event.get("ilmd")
        if isinstance(ilmd, dict):
            about = {
                expand(name, prefixes): _expanded(value, prefixes)
                for name, value in ilmd.items()
                if self._is_asked_for(name, prefixes)
            }
            kept |= {"ilmd": about} if about else {}
        return kept

    def _is_asked_for(self, name: str, prefixes: Mapping[str, str]) -> bool:
        full = expand(name, prefixes)
        if full.startswith(OWN):
            return False
        if full not in self.rules.extensions:
            self.dropped.add(full[:200] if is_clean(full) else "?")
            return False
        return True

    def _standard(self, value: Any, prefixes: Mapping[str, str]) -> Any:
        """Return a value without the extensions in it that nobody asked for."""
        if isinstance(value, list):
            return [self._standard(one, prefixes) for one in value]
        if not isinstance(value, dict):
            return value
        kept = {}
        for name, inner in value.items():
            if name in NESTED_FIELDS:
                kept[name] = self._standard(inner, prefixes)
            elif self._is_asked_for(name, prefixes):
                kept[expand(name, prefixes)] = _expanded(inner, prefixes)
        return kept


@lru_cache(maxsize=1024)
def step_code(step: str) -> str | None:
    """Return the canonical code of a business step, one of GS1's or of our own."""
    return own_step_code(step) or code_of_business_step(step)


def usual_step(code: str) -> str | None:
    """Return the bare business step a code is written as, or None where GS1 has none."""
    step = scan_code(code).cbv_business_step
    return bare_business_step(step) if step else None


def usual_action(event_type: str, code: str) -> str:
    """Return the action an event of this code has where nothing else is said."""
    return {"pack": "ADD", "unpack": "DELETE"}.get(code, "OBSERVE") if event_type in CONTAINING else "OBSERVE"


def _listed(value: Any) -> list[Any]:
    """Return a list: JSON-LD may write a list of one as the one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _offset(event: Mapping[str, Any]) -> str | None:
    offset = event.get("eventTimeZoneOffset")
    return offset if isinstance(offset, str) and OFFSET.fullmatch(offset) else None


def _expanded(value: Any, prefixes: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_expanded(one, prefixes) for one in value]
    if isinstance(value, dict):
        return {expand(name, prefixes): _expanded(inner, prefixes) for name, inner in value.items()}
    return value
