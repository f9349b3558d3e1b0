"""Limits on hours and rest, read from a TOML file, each with its law and article."""

from __future__ import annotations

import os
from dataclasses import dataclass
from zoneinfo import available_timezones

from changtong.rules_files import read_rules_file
from changtong.safety.toml_values import PROVENANCES, Values

SHIPPED = "hour_limits.toml"
CODE = "bad-hour-limits"
KINDS = ("overtime_day", "overtime_month", "week_hours", "weekly_rest", "rest_between")
SEVERITIES = ("breach", "notice")


@dataclass(frozen=True, slots=True)
class HourLimit:
    """A limit: most hours, or for ``weekly_rest`` and ``rest_between`` the least.

    Attributes
    ----------
    kind : str
    value : float
        Hours.
    severity : str
        ``breach`` or ``notice``.
    law, article, provenance : str
    """

    kind: str
    value: float
    severity: str
    law: str
    article: str
    provenance: str


@dataclass(frozen=True)
class HourLimits:
    """Limits, and what is normal: hours above it are overtime.

    Attributes
    ----------
    id, version, provenance, source : str
    zone : str
        Of days, weeks and months.
    normal_day_h, normal_week_h : float
    limits : tuple of HourLimit
    """

    id: str
    version: str
    provenance: str
    source: str
    zone: str
    normal_day_h: float
    normal_week_h: float
    limits: tuple[HourLimit, ...]


def read_hour_limits(path: str | os.PathLike[str] | None = None) -> HourLimits:
    """Read limits on hours, with every problem told.

    Parameters
    ----------
    path : path, optional
        By default the shipped ones, of the Labour Law.

    Raises
    ------
    InputError
        ``bad-hour-limits``.

    Examples
    --------
    >>> [limit.article for limit in read_hour_limits().limits][:3]
    ['41', '41', '41']
    """
    file, content = read_rules_file(path, "changtong.workforce", SHIPPED, CODE)
    values = Values(file, CODE)
    kinds: dict[str, type] = {
        "id": str, "version": str, "provenance": str, "source": str, "zone": str, "limit": list,
        "normal": dict,
    }  # fmt: skip
    top = values.table(content, kinds, ("id", "version", "provenance", "source", "limit", "normal"))
    values.one_of(top, "provenance", PROVENANCES)
    if "zone" in top and top["zone"] not in available_timezones():
        values.add(f"{top['zone']!r} is no time zone.", "zone", None, "a name as Asia/Shanghai")
    normal = values.table(
        top.get("normal", {}), {"day_h": float, "week_h": float}, ("day_h", "week_h"), of="normal"
    )
    of_limit: dict[str, type] = {
        "kind": str, "value": float, "severity": str, "law": str, "article": str, "provenance": str
    }  # fmt: skip
    made = []
    for row, entry in values.rows(top, "limit"):
        one = values.table(entry, of_limit, ("kind", "value", "severity", "provenance"), row)
        values.one_of(one, "kind", KINDS, row)
        values.one_of(one, "severity", SEVERITIES, row)
        values.one_of(one, "provenance", PROVENANCES, row)
        if one.get("provenance") == "official" and not (one.get("law") and one.get("article")):
            values.add("an official limit without its law and article.", "article", row, "both")
        if {"kind", "value", "severity", "provenance"} <= set(one):
            made.append(
                HourLimit(
                    one["kind"], float(one["value"]), one["severity"], one.get("law", ""),
                    one.get("article", ""), one["provenance"],
                )
            )  # fmt: skip
    values.finish()
    return HourLimits(
        top["id"], top["version"], top["provenance"], top["source"], top.get("zone", "Asia/Shanghai"),
        float(normal["day_h"]), float(normal["week_h"]), tuple(made),
    )  # fmt: skip
