"""Where values and findings of a card may come from: a closed list, kept as data (``value_sources.csv``)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ValueSource:
    """One place that values or findings come from.

    Attributes
    ----------
    source : str
        As a card names it, ``scan-log:registered_share``.
    gives : {"value", "finding"}
        For an indicator, or for a rule.
    needs : str
        What must be given: log, counts, hazards, inspections, registers, county.
    unit : str
    counts : {"ratio", "count", "finding"}
    numerator, denominator : str
        What is counted, of what.
    name_zh, name_en : str
    provenance : str
        Where the definition stands.
    """

    source: str
    gives: str
    needs: str
    unit: str
    counts: str
    numerator: str
    denominator: str
    name_zh: str
    name_en: str
    provenance: str

    @property
    def name(self) -> str:
        """What follows the colon."""
        return self.source.partition(":")[2]

    def to_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


@cache
def value_sources() -> Mapping[str, ValueSource]:
    """Return the list by the name that cards use.

    Examples
    --------
    >>> value_sources()["tasks:on_time_share"].needs
    'counts'
    """
    text = files("changtong.assessment").joinpath("value_sources.csv").read_text("utf-8")
    return MappingProxyType({row["source"]: ValueSource(**row) for row in csv.DictReader(text.splitlines())})


def unit_of(source: str) -> str:
    """Return the unit of what a source gives.

    Parameters
    ----------
    source : str

    Examples
    --------
    >>> unit_of("scan-log:accepted_pieces")
    'pieces'
    """
    return value_sources()[source].unit
