"""The event that opens a case: words, a file of one's own, a warning's JSON or an alert's."""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.emergency.condition import measures, right_value
from changtong.errors import InputError, Problem

CODE = "bad-emergency-event"
MOST_BYTES = 20_000_000
ENDINGS = (".json", ".toml")
KEYS = ("text", "kind", "happened_at", "known_at", "measures", "sites")
EXPOSED = "exposed_sites.csv"
"""In a folder of warnings: sites that each threatens."""

LISTS = ("warnings", "rows", "now", "coming", "alerts")
"""Where the JSON of warnings and alerts lists them."""


@dataclass(frozen=True)
class Event:
    """An event as it was told.

    Attributes
    ----------
    facts : dict
        text, kind, source (words, file, warning or alert), and for files name and SHA-256.
    measures : dict
        Measure -> value as given, not looked at yet.
    sites : dict
        Site -> state, text, capacity_share.
    known_at : datetime or None
    """

    facts: dict[str, Any]
    measures: dict[str, object] = field(default_factory=dict)
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
    known_at: datetime | None = None


def read_event(given: str, *, pick: str | None = None) -> Event:
    """Return an event from words, or from the file they name.

    Parameters
    ----------
    given : str
        A file that ends in ``.json`` or ``.toml``; else what happened, in words.
    pick : str, optional
        Id of the warning or alert, where a file holds several.

    Raises
    ------
    InputError
        ``bad-emergency-event``, with every problem.
    """
    if not given.strip().lower().endswith(ENDINGS):
        return Event({"text": given, "kind": "", "source": "words"})
    path = Path(given.strip())
    try:
        raw = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
        if raw is None:
            raise InputError([Problem(CODE, f"it is larger than {MOST_BYTES:,} bytes.", path.name)])
        text = raw.decode("utf-8-sig")
        content = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        expected = "JSON or TOML in UTF-8"
        raise InputError(
            [Problem(CODE, f"the file cannot be read ({error}).", path.name, None, None, expected)]
        ) from error
    made = _of_content(content, path.name, pick, path.with_name(EXPOSED))
    made.facts.update(file=path.name, sha256=hashlib.sha256(raw).hexdigest())
    return made


def told_event(content: object, *, pick: str | None = None) -> Event:
    """Return an event from what a file of it would hold; no file is read.

    Parameters
    ----------
    content : object
        An event of one's own (text, kind, measures, sites), a warning's JSON or an alert's.
    pick : str, optional
        Id of the warning or alert, where there are several.

    Raises
    ------
    InputError
        ``bad-emergency-event``, with every problem.

    Examples
    --------
    >>> told_event({"text": "water in a hub", "measures": {"deaths": 0}}).measures
    {'deaths': 0}
    """
    return _of_content(content, "told", pick, None)


def _of_content(content: object, file: str, pick: str | None, exposed: Path | None) -> Event:
    """Return the event of a content; ``exposed`` lists the sites that each warning threatens."""
    if not isinstance(content, dict):
        raise InputError([Problem(CODE, "this is no table.", file, expected="one event, warnings or alerts")])
    if "text" in content and not any(isinstance(content.get(key), list) for key in LISTS):
        return _own(content, file)
    rows = [row for key in LISTS for row in content.get(key) or () if isinstance(row, dict)]
    if not rows and ("identifier" in content or "alert_id" in content):
        rows = [content]
    ids = [_id_of(row) for row in rows]
    if pick is None and len(rows) == 1:
        pick = ids[0]
    if pick not in ids or pick is None:
        said = (
            f"it holds no warning or alert {pick!r}." if pick else f"it holds {len(rows)} warnings or alerts."
        )
        expected = f"pick: one of {', '.join(ids[:20])}" if ids else "an event: text, kind, measures, sites"
        raise InputError([Problem(CODE, said, file, None, "pick", expected)])
    row = rows[ids.index(pick)]
    if "alert_id" in row:
        return _alert(row, file)
    return _warning({"status": content.get("status", "Actual"), **row}, file, exposed)


def _id_of(row: Mapping[str, Any]) -> str:
    return next((str(row[key]) for key in ("identifier", "alert_id", "warning", "id") if row.get(key)), "")


def _own(content: Mapping[str, Any], file: str) -> Event:
    found: list[Problem] = []
    for key in content:
        if key not in KEYS:
            found.append(Problem(CODE, f'"{key}" is unknown.', file, None, key, "one of " + ", ".join(KEYS)))
    for key in ("text", "kind"):
        if not isinstance(content.get(key, ""), str):
            found.append(Problem(CODE, f"{content[key]!r} is no text.", file, None, key, "a text"))
    given = content.get("measures", {})
    if not isinstance(given, dict):
        found.append(Problem(CODE, "this is no table.", file, None, "measures", "measure = value"))
        given = {}
    sites = _sites(content.get("sites", {}), file, found)
    times = {key: _instant(content.get(key), key, file, found) for key in ("happened_at", "known_at")}
    if found:
        raise InputError(found)
    facts = {"text": content["text"], "kind": content.get("kind", ""), "source": "file"}
    if times["happened_at"] is not None:
        facts["happened_at"] = times["happened_at"].isoformat()
    return Event(facts, dict(given), sites, times["known_at"])


def _sites(given: object, file: str, found: list[Problem]) -> dict[str, dict[str, Any]]:
    """Return sites of a table (site = state, or state and capacity_share) or of a list (all potential)."""
    if isinstance(given, list) and all(isinstance(site, str) for site in given):
        return {site: {"state": "potential", "text": ""} for site in given}
    if not isinstance(given, dict):
        found.append(
            Problem(CODE, "these are no sites.", file, None, "sites", "a list of ids, or site = state")
        )
        return {}
    made: dict[str, dict[str, Any]] = {}
    for site, said in given.items():
        known = {"state": said} if isinstance(said, str) else said
        if (
            not isinstance(known, dict)
            or not isinstance(known.get("state"), str)
            or known.keys() - {"state", "text", "capacity_share"}
        ):
            expected = 'a state, or { state = "confirmed", capacity_share = 0.5 }'
            found.append(Problem(CODE, f"{said!r} is not allowed.", file, None, f"sites.{site}", expected))
            continue
        made[site] = {"text": "", **known}
    return made


def _instant(value: object, key: str, file: str, found: list[Problem]) -> datetime | None:
    """Return an instant with its zone; what is none is told."""
    if value is None or value == "":
        return None
    try:
        made = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if made.tzinfo is not None:
            made.timestamp()
            return made
    except (ValueError, OverflowError):
        pass
    found.append(Problem(CODE, f"{value!r} is no instant.", file, None, key, "as 2026-07-20T03:00+08:00"))
    return None


def _warning(row: Mapping[str, Any], file: str, exposed: Path | None) -> Event:
    """Return the event of a warning: its colour is a measure, the sites it threatens are potential."""
    found: list[Problem] = []
    identifier = _id_of(row)
    text = str(row.get("headline") or row.get("event") or identifier)
    colour = row.get("colour") or row.get("level")
    given: dict[str, object] = {}
    if colour is not None and right_value(measures()["warning_colour"], colour) is not None:
        given["warning_colour"] = colour
    listed = row.get("sites")
    ids = (
        [one.get("site_id") if isinstance(one, dict) else one for one in listed]
        if isinstance(listed, list)
        else []
    )
    ids += [] if exposed is None else _exposed(exposed, identifier)
    sites = {
        str(site): {"state": "potential", "text": identifier}
        for site in ids
        if isinstance(site, str) and site
    }
    sent = _instant(row.get("sent"), "sent", file, found)
    if found:
        raise InputError(found)
    facts = {
        "text": text, "kind": str(row.get("kind") or row.get("event") or ""), "source": "warning",
        "warning": identifier, "is_exercise": str(row["status"]) != "Actual",
        "colour_from": str(row.get("level_from") or ""),
    }  # fmt: skip
    return Event(facts, given, sites, sent)


def _exposed(file: Path, warning: str) -> list[str]:
    """Return the sites that a folder of warnings says are threatened by one; none where there is no list."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return [
                row.get("site_id") or "" for row in csv.DictReader(lines) if row.get("warning") == warning
            ]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _alert(row: Mapping[str, Any], file: str) -> Event:
    """Return the event of an alert of the scan log: its sites are in the state that the alert is in."""
    found: list[Problem] = []
    state = "confirmed" if row.get("state") == "confirmed" else "potential"
    ids = [row.get(key) for key in ("site_id", "from_site_id", "to_site_id")]
    sites = {
        str(site): {"state": state, "text": str(row["alert_id"]), "capacity_share": 1.0}
        for site in ids
        if site
    }
    known_at = _instant(row.get("found") or row.get("began"), "found", file, found)
    if found:
        raise InputError(found)
    words = " ".join(
        str(row[key]) for key in ("rule", "tier", "site_id", "from_site_id", "to_site_id") if row.get(key)
    )
    facts = {
        "text": words,
        "kind": str(row.get("rule") or ""),
        "source": "alert",
        "alert": str(row["alert_id"]),
    }
    return Event(facts, {}, sites, known_at)
