"""Breakdowns of a footprint: by mode, by level, by empty running; and what its range comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.footprint.elements import UNKNOWN, Elements, transport_row
from changtong.footprint.factors import Factors
from changtong.footprint.intervals import interval
from changtong.footprint.names import KINDS, MODES, RUNNING, WORDS, names_of
from changtong.wording import Both

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BY = ("mode", "level", "empty_running")
SCHEMA = (
    dict.fromkeys(("by", "part", "name", "name_zh", "name_en"), pl.String())
    | dict.fromkeys(("elements", "unknown"), pl.Int64())
    | dict.fromkeys(
        ("activity_tkm", "ttw_kgco2e", "wtt_kgco2e", "kgco2e", "low_kgco2e", "high_kgco2e", "share"),
        pl.Float64(),
    )
)


@dataclass(frozen=True)
class Sums:
    """What legs and hubs emit, before anything is added up.

    Attributes
    ----------
    leg, hub : array, (legs, groups) and (sites, groups)
        kg CO2e a day, well to wheel.
    leg_ttw, leg_tkm : array, (legs,)
        Tank to wheel, kg CO2e; tonne-kilometres.
    leg_used, hub_used : array of bool
        Whether pieces pass.
    forms : array, (2, groups, groups)
        Of intervals.
    """

    leg: Floats
    hub: Floats
    leg_ttw: Floats
    leg_tkm: Floats
    leg_used: Flags
    hub_used: Flags
    forms: Floats

    def by_group(self) -> Floats:
        """Return kg of legs and hubs together, (groups,)."""
        return np.asarray(self.leg.sum(axis=0) + self.hub.sum(axis=0))


class _Rows:
    """Rows of the breakdown under way."""

    def __init__(self, sums: Sums, elements: Elements) -> None:
        self.sums, self.whole = sums, float(sums.by_group().sum())
        self.no_leg, self.no_hub = elements.basis == UNKNOWN, ~elements.hub_known
        self.rows: list[tuple[object, ...]] = []

    def legs(self, by: str, name: str, called: Both, some: Flags, part: Floats | float = 1.0) -> None:
        """Add legs, or a part of each of their groups."""
        sums = self.sums
        some = some & sums.leg_used
        if not some.any():
            return
        kg = sums.leg[some] * part
        ttw = float((sums.leg_ttw[some] * _share(kg, sums.leg[some])).sum())
        numbers = (int(some.sum()), int((some & self.no_leg).sum()))
        tkm = None if name == "empty" else float(sums.leg_tkm[some].sum())  # nothing is carried there
        self._add((by, "leg", name, called.zh, called.en), numbers, tkm, ttw, kg)

    def hubs(self, by: str, name: str, called: Both, some: Flags) -> None:
        """Add hubs."""
        some = some & self.sums.hub_used
        if some.any():
            numbers = (int(some.sum()), int((some & self.no_hub).sum()))
            self._add((by, "hub", name, called.zh, called.en), numbers, None, None, self.sums.hub[some])

    def _add(
        self, head: tuple[str, ...], numbers: tuple[int, int], tkm: float | None, ttw: float | None,
        kg: Floats,
    ) -> None:  # fmt: skip
        by_group = kg.sum(axis=0)
        if numbers[0] == numbers[1]:  # nothing of it is known: empty, not 0
            self.rows.append((*head, *numbers, *[None] * 7))
            return
        low, high = interval(by_group, self.sums.forms)
        whole = float(by_group.sum())
        wtt = None if ttw is None else whole - ttw
        share = whole / self.whole if self.whole > 0.0 else 0.0
        self.rows.append((*head, *numbers, tkm, ttw, wtt, whole, float(low), float(high), share))


def _share(kg: Floats, of: Floats) -> Floats:
    one, other = kg.sum(axis=1), of.sum(axis=1)
    return np.asarray(np.where(other > 0.0, one / np.where(other > 0.0, other, 1.0), 0.0))


def break_down(factors: Factors, elements: Elements, sums: Sums) -> pl.DataFrame:
    """Break the total down three times.

    Parameters
    ----------
    factors : Factors
    elements : Elements
    sums : Sums

    Returns
    -------
    polars.DataFrame
        by (mode; level: kinds of the sites a leg joins, and of hubs; empty_running), part (leg, hub), name,
        name_zh, name_en, elements (legs or sites that pieces pass), unknown (of them without a figure),
        activity_tkm, ttw_kgco2e, wtt_kgco2e, kgco2e, low_kgco2e, high_kgco2e, share. Rows of each ``by``
        add up to the total. Where no element has a figure, figures are empty.
    """
    made = _Rows(sums, elements)
    kinds, names = elements.kind, names_of(factors)
    everywhere = np.ones(len(kinds), bool)
    for name, called in MODES.items():
        made.legs("mode", name, called, elements.mode == name)
    made.hubs("mode", "hubs", WORDS["hubs"], everywhere)
    rank = {kind: k for k, kind in enumerate(KINDS)}
    place = np.array([rank[kind] for kind in kinds], int)
    ends = np.sort(np.stack([place[elements.tail], place[elements.head]]), axis=0)
    kind_of = list(KINDS)
    for high, low in np.unique(ends, axis=1).T:
        level = f"{kind_of[high]}-{kind_of[low]}"
        made.legs("level", level, names.level(level), (ends[0] == high) & (ends[1] == low))
    for kind in KINDS:
        made.hubs("level", kind, names.level(kind), kinds == kind)
    _by_running(made, factors, elements)
    made.hubs("empty_running", "hubs", WORDS["hubs"], everywhere)
    return pl.DataFrame(made.rows, schema=SCHEMA, orient="row")


def _by_running(made: _Rows, factors: Factors, elements: Elements) -> None:
    """Add legs by what their factor says of empty running; those of unknown factor stand with not stated."""
    rows = {row["factor"]: row for row in factors.transport.to_dicts()}
    says = np.array([rows[name]["empty_running"] if name else "not_stated" for name in elements.factor])
    more = np.array([transport_row(rows[name])[2] if name else 1.0 for name in elements.group_factor])
    apart = says == "excluded"
    made.legs("empty_running", "laden", RUNNING["laden"], apart, 1.0 / more)
    made.legs("empty_running", "empty", RUNNING["empty"], apart, 1.0 - 1.0 / more)
    for name in ("included", "not_stated"):
        made.legs("empty_running", name, RUNNING[name], says == name)


def find_range(elements: Elements, factors: Factors, sums: Sums) -> pl.DataFrame:
    """Return what the range of the total comes from, input by input.

    Returns
    -------
    polars.DataFrame
        input, name_zh, name_en, down_share and up_share (how far it may lie below and above its value;
        empty where not known), kgco2e (that it scales), down_kgco2e, up_kgco2e: what it alone moves the
        total by. The root of the sum of squares is the total's way to low and to high. Most first.
    """
    names, by_group = names_of(factors), sums.by_group()
    inputs, rows = elements.inputs, []
    for name, down, up, groups in zip(inputs.names, inputs.down, inputs.up, inputs.groups, strict=True):
        kg = float(by_group[sorted(groups)].sum())
        called, known = names.input(name), name not in inputs.unknown
        shares = (down, up) if known else (None, None)
        rows.append((name, called.zh, called.en, *shares, kg, down * kg, up * kg))
    numbers = ("down_share", "up_share", "kgco2e", "down_kgco2e", "up_kgco2e")
    schema = dict.fromkeys(("input", "name_zh", "name_en"), pl.String()) | dict.fromkeys(
        numbers, pl.Float64()
    )
    frame = pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("kgco2e") > 0.0)
    return frame.sort(pl.max_horizontal("down_kgco2e", "up_kgco2e"), descending=True, maintain_order=True)
