"""Events of a stream as the browser reads them (text/event-stream)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def event_text(name: str, facts: Mapping[str, Any], number: int | None = None) -> str:
    """Return one event; its number is what a stream that is taken up again begins after.

    Examples
    --------
    >>> event_text("over", {"code": "session-over"}, 3)
    'event: over\\nid: 3\\ndata: {"code": "session-over"}\\n\\n'
    """
    place = "" if number is None else f"id: {number}\n"
    return f"event: {name}\n{place}data: {json.dumps(facts, ensure_ascii=False)}\n\n"
