"""VROOM's JSON as it comes: each value looked at, each problem told with its path in the document.

The format is that of VROOM 1.14 (docs/API.md of the project): seconds, metres, [longitude, latitude].
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames

MEMBER = "changtong"
"""Our own member: what the numbers of a document mean to us. VROOM passes over members it does not know."""

DAY_S = 86_400
MOST_S = 2 * DAY_S
PER_HOUR = 3600
"""What VROOM takes for an hour of travel where no cost is given: one a second."""

KNOWN: dict[str, tuple[str, ...]] = {
    "document": ("vehicles", "jobs", "shipments", "matrices", MEMBER),
    "vehicle": (
        "id", "description", "profile", "start", "start_index", "end", "end_index", "capacity", "costs",
        "time_window", "max_distance", "max_travel_time", "skills", "breaks", "speed_factor", "max_tasks",
        "steps",
    ),
    "job": (
        "id", "description", "location", "location_index", "setup", "service", "delivery", "pickup",
        "time_windows", "skills", "priority",
    ),
    "shipment": ("pickup", "delivery", "amount", "skills", "priority"),
    "step": ("id", "description", "location", "location_index", "setup", "service", "time_windows"),
    "costs": ("fixed", "per_hour", "per_km"),
    "matrix": ("durations", "distances"),
}  # fmt: skip
"""Members that are read, or refused only where they say something."""

NOT_HELD = {
    "amount", "matrix", "costs", "type", "per_task_hour", "setup_per_type", "service_per_type", "max_load",
}  # fmt: skip
"""Members VROOM knows in some version or place, and a county has nothing for."""


class Document:
    """Looks into a document; gathers problems instead of raising.

    Attributes
    ----------
    name : str
        File name, for the problems.
    problems : list of Problem
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []

    def tell(self, code: str, path: str, message: str, expected: str = "", hint: str = "") -> None:
        """Add a problem at a path such as ``$.jobs[3].location``."""
        self.problems.append(Problem(code, message, self.name, None, path, expected, hint))

    def end(self) -> None:
        """Raise what was found.

        Raises
        ------
        InputError
        """
        if self.problems:
            raise InputError(self.problems)

    def members(self, value: Any, kind: str, path: str) -> dict[str, Any]:
        """Return an object, an empty one where it is none; members not known are told."""
        if not isinstance(value, dict):
            self.tell("wrong-type", path, f"the value is {_short(value)}.", "an object")
            return {}
        for key in value:
            if key in KNOWN[kind]:
                continue
            if key in NOT_HELD:
                said = f"{key} has no place in a county."
                self.tell("vroom-unsupported", f"{path}.{key}", said, "a problem without it")
            else:
                hint = NearestNames(KNOWN[kind]).hint(str(key))
                self.tell(
                    "vroom-unknown", f"{path}.{key}", f"{key!r} is no member VROOM 1.14 has.", hint=hint
                )
        return value

    def items(self, owner: Mapping[str, Any], key: str, path: str) -> list[Any]:
        """Return an array; an empty one where it is missing or none."""
        value = owner.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.tell("wrong-type", f"{path}.{key}", f"the value is {_short(value)}.", "an array")
            return []
        return value

    def whole(
        self,
        owner: Mapping[str, Any],
        key: str,
        path: str,
        missing: int | None = None,
        *,
        required: bool = False,
        most: int = 2**53,
    ) -> int | None:
        """Return a whole number that is not negative; ``missing`` where there is none."""
        value = owner.get(key)
        if value is None:
            if required:
                self.tell("missing-value", f"{path}.{key}", f"{key} is missing.", "a whole number")
            return missing
        if isinstance(value, bool) or not isinstance(value, int):
            self.tell("wrong-type", f"{path}.{key}", f"the value is {_short(value)}.", "a whole number")
            return missing
        if not 0 <= value <= most:
            self.tell("out-of-range", f"{path}.{key}", f"the value is {value}.", f"0 to {most}")
            return missing
        return value

    def amounts(self, owner: Mapping[str, Any], key: str, path: str) -> list[int]:
        """Return an array of whole numbers."""
        values = self.items(owner, key, path)
        for k, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**53:
                self.tell(
                    "wrong-type", f"{path}.{key}[{k}]", f"the value is {_short(value)}.", "a whole number"
                )
                return []
        return values

    def text(self, owner: Mapping[str, Any], key: str, path: str) -> str | None:
        """Return a text without spaces at its ends; None where there is none."""
        value = owner.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.tell("wrong-type", f"{path}.{key}", f"the value is {_short(value)}.", "a text")
            return None
        return value.strip() or None

    def place(self, owner: Mapping[str, Any], key: str, path: str) -> tuple[float, float] | None:
        """Return longitude and latitude; None where they are missing or wrong."""
        value = owner.get(key)
        if value is None:
            return None
        good = isinstance(value, list) and len(value) == 2
        good = good and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        if not good:
            self.tell(
                "wrong-type", f"{path}.{key}", f"the value is {_short(value)}.", "[longitude, latitude]"
            )
            return None
        lon, lat = float(value[0]), float(value[1])
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            expected = "a longitude in -180 to 180, then a latitude in -90 to 90"
            self.tell("odd-position", f"{path}.{key}", f"[{lon:g}, {lat:g}] is no place.", expected)
            return None
        return lon, lat

    def window(self, value: Any, path: str) -> tuple[int, int] | None:
        """Return a window in whole minutes of one day, as seconds."""
        good = isinstance(value, list) and len(value) == 2
        good = good and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
        if not good:
            self.tell("wrong-type", path, f"the value is {_short(value)}.", "[start, end] in seconds")
            return None
        first, last = value
        if last > DAY_S or first < 0:
            expected = "seconds from midnight, 0 to 86400"
            hint = "Times must be those of one day: subtract the timestamp of its midnight."
            self.tell("vroom-unsupported", path, f"[{first}, {last}] is not within a day.", expected, hint)
            return None
        if first > last:
            self.tell("times-reversed", path, f"the window ends at {last}, before {first}.")
            return None
        if first % 60 or last % 60:
            said = f"[{first}, {last}] is no whole number of minutes."
            self.tell("vroom-unsupported", path, said, "multiples of 60: a county's times are minutes")
            return None
        return first, last

    def refuse(self, owner: Mapping[str, Any], path: str, without: Mapping[str, Any]) -> None:
        """Tell members that say something a county has nothing for; their neutral value is let pass."""
        for key, neutral in without.items():
            if owner.get(key) not in (None, neutral):
                said = f"{key} is {_short(owner[key])}, which a county has nothing for."
                self.tell("vroom-unsupported", f"{path}.{key}", said, f"none, or {json.dumps(neutral)}")


def _short(value: Any) -> str:
    said = json.dumps(value, ensure_ascii=False, default=str)
    return said if len(said) <= 60 else said[:57] + "…"


def read_document(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        ``missing-file``, ``unreadable-file``.
    """

    def refuse(text: str) -> float:
        raise ValueError(f"{text} is no JSON number")

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=refuse)
    except FileNotFoundError as error:
        problem = Problem("missing-file", f"{path} does not exist.", str(path), expected="a JSON file")
        raise InputError([problem]) from error
    except (OSError, ValueError, RecursionError) as error:
        said = f"the file cannot be read ({str(error).splitlines()[0]})."
        raise InputError([Problem("unreadable-file", said, path.name, expected="JSON")]) from error
