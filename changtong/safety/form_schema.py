"""JSON schemas: of a filled form, and of a file of filled forms as the page for phones exports it."""

from __future__ import annotations

from typing import Any

from changtong.safety.filled import MOST_INSPECTORS, MOST_TEXT, UUID
from changtong.safety.form import YES_NO, Form, Item

FILE_KIND, FILE_VERSION = "filled-forms", 1
DRAFT = "https://json-schema.org/draft/2020-12/schema"
PLAIN_UUID = {"type": "string", "pattern": f"^{UUID.pattern}$"}
INSTANT = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$",
}
PHOTO = {
    "type": "object",
    "required": ["media_type", "data"],
    "properties": {
        "media_type": {"enum": ["image/jpeg", "image/png", "image/webp"]},
        "data": {"type": "string", "contentEncoding": "base64"},
        "taken_at": INSTANT,
    },
}


def form_schema(form: Form) -> dict[str, Any]:
    """Return the JSON schema of a form that is filled in.

    Parameters
    ----------
    form : Form

    Examples
    --------
    >>> from changtong.safety.form_file import find_form
    >>> form_schema(find_form("fire"))["properties"]["form"]["properties"]["id"]
    {'const': 'fire'}
    """
    schema = _filled()
    schema["$schema"] = DRAFT
    schema["title"] = f"{form.title_zh} / {form.title_en} {form.version}"
    schema["properties"]["form"] = {
        "type": "object",
        "required": ["id", "version"],
        "properties": {
            "id": {"const": form.id},
            "version": {"const": form.version},
            "digest": {"type": "string"},
        },
    }
    schema["properties"]["answers"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {item.id: _answer(item, form.rows_ask) for item in form.items},
    }
    return schema


def file_schema() -> dict[str, Any]:
    """Return the JSON schema of a file of filled forms, whatever these are."""
    return {
        "$schema": DRAFT,
        "type": "object",
        "required": ["changtong", "inspections"],
        "properties": {
            "changtong": {
                "type": "object",
                "required": ["kind", "version"],
                "properties": {"kind": {"const": FILE_KIND}, "version": {"const": FILE_VERSION}},
            },
            "exported_at": INSTANT,
            "device_id": PLAIN_UUID,
            "inspections": {"type": "array", "items": _filled()},
        },
    }


def _filled() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["inspection_id", "revision_id", "history", "form", "answers"],
        "properties": {
            "inspection_id": PLAIN_UUID,
            "revision_id": PLAIN_UUID,
            "history": {"type": "array", "items": PLAIN_UUID},
            "device_id": PLAIN_UUID,
            "form": {
                "type": "object",
                "required": ["id", "version"],
                "properties": {"id": {"type": "string"}, "version": {"type": "string"}},
            },
            "site_id": {"type": "string", "maxLength": 64},
            "site_name": {"type": "string", "maxLength": 200},
            "inspectors": {
                "type": "array",
                "maxItems": MOST_INSPECTORS,
                "items": {"type": "string", "maxLength": 64},
            },
            "begun_at": INSTANT,
            "saved_at": INSTANT,
            "finished": {"type": "boolean"},
            "answers": {"type": "object", "additionalProperties": {"type": "object"}},
            "photos": {"type": "object", "additionalProperties": PHOTO},
        },
    }


def _answer(item: Item, rows_ask: tuple[str, ...]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "note": {"type": "string", "maxLength": MOST_TEXT},
        "photos": {"type": "array", "items": {"type": "string"}},
    }
    if "rectify" in rows_ask:
        properties["rectify"] = {"type": ["boolean", "null"]}
    if "opinion" in rows_ask:
        properties["opinion"] = {"type": "string", "maxLength": MOST_TEXT}
    if item.kind not in ("photo", "signature"):
        properties["value"] = {"anyOf": [_value(item), {"type": "null"}]}
    return {
        "title": f"{item.number} {item.zh} / {item.en}".strip(),
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _value(item: Item) -> dict[str, Any]:
    if item.kind == "tick":
        return {"type": "boolean"}
    if item.kind == "yes_no":
        return {"enum": list(YES_NO)}
    if item.kind == "choice":
        return {"enum": [option.code for option in item.options]}
    if item.kind == "number":
        made: dict[str, Any] = {"type": "number"}
        if item.least is not None:
            made["minimum"] = item.least
        if item.most is not None:
            made["maximum"] = item.most
        return made
    return {"type": "string", "maxLength": MOST_TEXT}
