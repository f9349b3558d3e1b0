"""Settings of epidemic control: shipped ones, and a folder's own over them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from changtong.epidemic.tables import TableReader, shipped
from changtong.safety.hazard_rules import is_zone
from changtong.safety.toml_values import Values

FILE = "epidemic.toml"
KINDS: dict[str, type] = {
    "zone": str, "expiring_days": int, "list_age_h": float, "apart_h": float, "inspections_per_month": int,
    "passes_need_listed_firm": bool,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What holds for a whole folder.

    Attributes
    ----------
    zone : str
        In which days and months are counted and times are shown.
    expiring_days : int
        What ends within so many days is told.
    list_age_h : float
        A list of risk areas older than this is told as old.
    apart_h : float
        Hours between posts of both sides below which it is a crossing.
    inspections_per_month : int
        Of each international site.
    passes_need_listed_firm : bool
        Whether a pass counts only while its holder is whitelisted.
    """

    zone: str
    expiring_days: int
    list_age_h: float
    apart_h: float
    inspections_per_month: int
    passes_need_listed_firm: bool


def read_settings(reader: TableReader) -> Settings:
    """Return the settings of a folder.

    Parameters
    ----------
    reader : TableReader
        Gets what is wrong.
    """
    made: dict[str, Any] = tomllib.loads(shipped(FILE).read_text("utf-8"))
    own = reader.place(FILE)
    if own is not None:
        made |= _own(own, reader)
    return Settings(**{one.name: made[one.name] for one in fields(Settings)})


def _own(path: Path, reader: TableReader) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reader.add("unreadable-file", f"{error}", path.name, expected="TOML in UTF-8")
        return {}
    values = Values(path.name, "bad-epidemic-settings")
    made = values.table(content, KINDS, ())
    if not is_zone(made.get("zone", "UTC")):
        values.add(f"{made.pop('zone')!r} is no time zone.", "zone", None, "as Asia/Shanghai")
    reader.problems += values.problems
    return made
