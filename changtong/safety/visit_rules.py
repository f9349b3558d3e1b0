"""What makes a site risky, how often it must be visited, how long that takes: data with provenance."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from changtong.rules_files import read_rules_file
from changtong.safety.toml_values import PROVENANCES, Values

POINTS: dict[str, type] = dict.fromkeys(
    (
        "major_hazard", "general_hazard", "overdue_hazard", "most_hazards", "past_finding", "most_findings",
        "month_unvisited", "most_months", "tenfold_pieces", "campaign",
    ),
    float,
)  # fmt: skip
TRAVEL: dict[str, type] = {"speed_km_per_h": float, "detour_factor": float}
FREQUENCY: dict[str, type] = {"kind": str, "most_days": int, "provenance": str, "source": str}
KEYS: dict[str, type] = {
    "id": str, "version": str, "provenance": str, "source": str, "least_people": int, "points": dict,
    "points_of_kind": dict, "minutes": dict, "travel": dict, "frequency": list,
}  # fmt: skip
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Frequency:
    """A kind of site must be visited again within so many days."""

    kind: str
    most_days: int
    provenance: str
    source: str


@dataclass(frozen=True, slots=True)
class VisitRules:
    """Rules of visits.

    Attributes
    ----------
    id, version, provenance, source : str
    least_people : int
        Of a team.
    points, points_of_kind, minutes : dict
        Names as in ``visit_rules.toml``.
    speed_km_per_h, detour_factor : float
    frequency : dict
        Kind -> `Frequency`.

    Examples
    --------
    >>> read_visit_rules().frequency["exchange"].most_days
    30
    """

    id: str
    version: str
    provenance: str
    source: str
    least_people: int
    points: dict[str, float]
    points_of_kind: dict[str, float]
    minutes: dict[str, int]
    speed_km_per_h: float
    detour_factor: float
    frequency: dict[str, Frequency]

    def visit_s(self, kind: str) -> int:
        """Return the seconds of a visit.

        Parameters
        ----------
        kind : str
        """
        return 60 * self.minutes.get(kind, self.minutes[OTHER])


def read_visit_rules(path: str | os.PathLike[str] | None = None) -> VisitRules:
    """Read the rules of visits.

    Parameters
    ----------
    path : path, optional
        TOML as ``changtong/safety/visit_rules.toml``; without it that one.

    Raises
    ------
    InputError
        ``bad-rules``, with every problem.
    """
    file, content = read_rules_file(path, "changtong.safety", "visit_rules.toml", "bad-rules")
    values = Values(file, "bad-rules")
    head = values.table(
        content, KEYS, ("id", "version", "provenance", "source", "points", "minutes", "travel")
    )
    values.one_of(head, "provenance", PROVENANCES)
    points = values.table(head.get("points", {}), POINTS, tuple(POINTS), of="points")
    kinds = _by_name(head.get("points_of_kind", {}), float, values)
    minutes = _by_name(head.get("minutes", {}), int, values)
    if "minutes" in head and OTHER not in minutes:
        values.add(f"no {OTHER}.", "minutes", None, "minutes of a visit to any other kind")
    travel = values.table(head.get("travel", {}), TRAVEL, tuple(TRAVEL), of="travel")
    if travel.get("speed_km_per_h") == 0 or travel.get("detour_factor", 1.0) < 1:
        values.add("a speed above 0 and a detour of at least 1 are needed.", "travel")
    frequency: dict[str, Frequency] = {}
    for row, entry in values.rows(content, "frequency"):
        found = values.table(entry, FREQUENCY, tuple(FREQUENCY), row)
        values.one_of(found, "provenance", PROVENANCES, row)
        if found.get("kind") in frequency:
            values.add(f"{found['kind']!r} is there twice.", "kind", row)
        if len(found) == len(FREQUENCY):
            frequency[found["kind"]] = Frequency(**found)
    values.finish()
    return VisitRules(
        **{key: head[key] for key in ("id", "version", "provenance", "source")},
        least_people=head.get("least_people", 1),
        points={key: float(value) for key, value in points.items()},
        points_of_kind={key: float(value) for key, value in kinds.items()},
        minutes=minutes,
        speed_km_per_h=float(travel["speed_km_per_h"]),
        detour_factor=float(travel["detour_factor"]),
        frequency=frequency,
    )


def _by_name(content: dict[str, Any], kind: type, values: Values) -> dict[str, Any]:
    return values.table(content, dict.fromkeys(content, kind), ())
