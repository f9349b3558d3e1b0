"""This API described in OpenAPI as it is: the framework's part, who is let in, what refusals look like."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI

from changtong.api.people import CSRF_HEADER
from changtong.api.problems import MEDIA_TYPE

PATH = "/api/v1/openapi.json"

_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` is stable: a heading of the list of errors.",
    "required": ["type", "title", "status", "detail", "code", "problems", "request_id"],
    "properties": {
        "type": {**_TEXT, "description": "urn:changtong:error: and the code."},
        "title": {
            **_TEXT,
            "description": "What is wrong and what to do, in the language of Accept-Language.",
        },
        "status": {"type": "integer"},
        "detail": {**_TEXT, "description": "English, with values."},
        "code": _TEXT,
        "problems": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemPart"}},
        "request_id": {**_TEXT, "description": "Finds the line in the server's log."},
        "current": {"description": "What is there now, where it was changed since it was read."},
    },
}
_PART = {
    "type": "object",
    "description": "One thing that is wrong, with its place.",
    "required": ["code", "title", "message"],
    "properties": {
        "code": _TEXT, "title": _TEXT, "message": _TEXT, "expected": {"type": ["string", "null"]},
        "file": {"type": ["string", "null"]}, "row": {"type": ["integer", "null"]},
        "column": {"type": ["string", "null"]},
    },
}  # fmt: skip
_SCHEMES = {
    "token": {
        "type": "http", "scheme": "bearer",
        "description": "A token for programs, made by `registers sign-in` or POST /api/v1/session/tokens.",
    },
    "session": {
        "type": "apiKey", "in": "cookie", "name": "__Host-changtong",
        "description": f"Of a browser (here: `changtong`); what changes something sends {CSRF_HEADER} along.",
    },
}  # fmt: skip
_GONE = frozenset({"HTTPValidationError", "ValidationError"})
"""What the framework says of refusals: they are told otherwise here."""


def described(app: FastAPI, open_routes: Collection[tuple[str, str]]) -> dict[str, Any]:
    """Return the description of an application.

    Parameters
    ----------
    app : FastAPI
    open_routes : collection of (method, path)
        Routes that ask for nobody.

    Returns
    -------
    dict
        The one that the application keeps, completed the first time it is asked for.
    """
    told = app.openapi()
    parts = told.setdefault("components", {})
    if "securitySchemes" in parts:
        return told
    parts["securitySchemes"] = _SCHEMES
    schemas = parts.setdefault("schemas", {})
    for name in _GONE:
        schemas.pop(name, None)
    schemas |= {"Problem": _PROBLEM, "ProblemPart": _PART}
    told["security"] = [{"token": []}, {"session": []}]
    refused = {
        "description": "Refused, or a fault.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]
            answers["default"] = refused
            if (method.upper(), path) in open_routes:
                operation["security"] = []
    return told
