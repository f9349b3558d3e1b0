"""A replay as files say it: what was shut and when, what is known, which network it is played on."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from replay_parts import Part, cut_parts, in_region

from changtong import Network, Outage, in_force, read_outages, reference_network

HERE = Path(__file__).parent
CASES = ("shanghai-2022", "henan-2021", "hubei-2016")


@dataclass(frozen=True)
class Case:
    """One replay: ``replay.toml``, ``outages.toml`` and ``known.csv`` of its folder.

    Attributes
    ----------
    folder : Path
    title, region : str
        ``region``: GB/T 2260 code; zeros at the end stand for all of it.
    start : datetime
        Before the first outage.
    hours, step_h, delay_h : float
        Played; of a step; from a change of outages until new routes are in force.
    pieces_per_day : float
        The published national mean the network is scaled to.
    parts : tuple of Part
    variants : tuple of dict
        What else is tried with ``--sensitivity``: what, and shares, shift_h or extra (outages).
    """

    folder: Path
    title: str
    region: str
    start: datetime
    hours: float
    step_h: float
    delay_h: float
    pieces_per_day: float
    parts: tuple[Part, ...]
    variants: tuple[Mapping[str, Any], ...]

    @property
    def end(self) -> datetime:
        """The instant the replay ends."""
        return self.start + timedelta(hours=self.hours)

    def hour(self, instant: datetime) -> float:
        """Return the hours from the beginning to an instant."""
        return (instant - self.start).total_seconds() / 3600.0

    def varied(self, variant: Mapping[str, Any]) -> Case:
        """Return the case with the shares of parts a variant names."""
        shares = variant.get("shares", {})
        return replace(
            self, parts=tuple(replace(part, share=shares.get(part.code, part.share)) for part in self.parts)
        )


def read_case(name: str) -> Case:
    """Read a replay by the name of its folder."""
    folder = HERE / name
    with (folder / "replay.toml").open("rb") as file:
        facts = tomllib.load(file)
    volume = facts["volume"]
    return Case(
        folder=folder,
        title=facts["title"],
        region=facts["region"],
        start=facts["start"],
        hours=float(facts["hours"]),
        step_h=float(facts["step_h"]),
        delay_h=float(facts["delay_h"]),
        pieces_per_day=volume["pieces"] / volume["days"],
        parts=tuple(Part(part["code"], facts["region"], part["share"]) for part in facts["part"]),
        variants=tuple(facts.get("variant", ())),
    )


def known_outcomes(case: Case) -> pl.DataFrame:
    """Return the known outcomes, one row each."""
    frame = pl.read_csv(case.folder / "known.csv", infer_schema_length=0)
    return frame.with_columns(pl.col("value").cast(pl.Float64))


@dataclass(frozen=True)
class Stage:
    """The network a case is played on.

    Attributes
    ----------
    network : Network
        With its parts.
    region : set of str
        Sites of the region, parts included.
    scale : float
        The volume of the case over that of the built-in network of 2022.
    outages : tuple of Outage
    """

    network: Network
    region: set[str]
    scale: float
    outages: tuple[Outage, ...]


def set_up(case: Case, level: str, variant: Mapping[str, Any] | None = None) -> Stage:
    """Build the network of a case and read its outages."""
    variant = variant or {}
    usual = reference_network(level="city").demand["pieces_per_day"].cast(pl.Float64).sum()
    scale = case.pieces_per_day / float(usual)
    plain = reference_network(level=level, scale=scale)
    network = cut_parts(plain, case.varied(variant).parts)
    files = ["outages.toml", *variant.get("extra", ())]
    outages = tuple(one for file in files for one in read_outages(case.folder / file, network))
    shift = timedelta(hours=float(variant.get("shift_h", 0.0)))
    moved = tuple(replace(one, start=one.start + shift) if one.start else one for one in outages)
    return Stage(network, in_region(network, case.region), scale, moved)


@dataclass(frozen=True)
class Phase:
    """A span of time in which the same outages are in force.

    Attributes
    ----------
    begin, end : float
        Hours from the beginning.
    outages : tuple of Outage
    """

    begin: float
    end: float
    outages: tuple[Outage, ...]


def phases_of(case: Case, outages: tuple[Outage, ...]) -> tuple[Phase, ...]:
    """Cut the time where an outage begins or ends; spans with the same outages are one."""
    inside = [one for outage in outages for one in (outage.start, outage.end) if one is not None]
    cuts = sorted({case.start, case.end, *(one for one in inside if case.start < one < case.end)})
    found: list[Phase] = []
    for begin, end in zip(cuts, cuts[1:], strict=False):
        now = in_force(outages, begin)
        if found and found[-1].outages == now:
            found[-1] = replace(found[-1], end=case.hour(end))
        else:
            found.append(Phase(case.hour(begin), case.hour(end), now))
    return tuple(found)
