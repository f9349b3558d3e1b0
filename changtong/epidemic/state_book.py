"""Which state each site is in, and when: spells that never overlap, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import polars as pl

from changtong.epidemic.state_kinds import OPEN, StateKinds
from changtong.epidemic.tables import INSTANT, TableReader
from changtong.network.findings import NearestNames
from changtong.outages import MOST_EXTRA_H

FILE = "site_states.csv"
SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "state": pl.String(),
    "from": INSTANT,
    "until": INSTANT,
    "reason": pl.String(),
    "authority": pl.String(),
    "capacity_share": pl.Float64(),
    "extra_h": pl.Float64(),
}


@dataclass(frozen=True)
class Spell:
    """A state of a site from an instant on, until another; the end is not part of it.

    Attributes
    ----------
    site_id, state, reason, authority : str
    begin : datetime
    end : datetime or None
        None: until further notice.
    capacity_share, extra_h : float or None
        Where this order says something else than its state.
    row : int
        Of the table.
    """

    site_id: str
    state: str
    begin: datetime
    end: datetime | None
    reason: str = ""
    authority: str = ""
    capacity_share: float | None = None
    extra_h: float | None = None
    row: int = 0

    def holds(self, at: datetime) -> bool:
        """Tell whether it is in force at an instant."""
        return self.begin <= at and (self.end is None or at < self.end)


@dataclass(frozen=True)
class StateBook:
    """The spells of all sites.

    Attributes
    ----------
    kinds : StateKinds
    spells : dict
        Site -> its spells, in order of time.
    """

    kinds: StateKinds
    spells: dict[str, tuple[Spell, ...]]

    def __iter__(self) -> Iterator[Spell]:
        return (spell for spells in self.spells.values() for spell in spells)

    def at(self, at: datetime) -> dict[str, Spell]:
        """Return the spell in force of each site that has one; the others are open.

        Parameters
        ----------
        at : datetime
        """
        found = ((site, spell) for site, spells in self.spells.items() for spell in spells)
        return {site: spell for site, spell in found if spell.holds(at)}

    def changes(self) -> list[datetime]:
        """Return the instants at which any state begins or ends."""
        ends = {spell.end for spell in self if spell.end is not None}
        return sorted({spell.begin for spell in self} | ends)


def read_state_book(
    frame: pl.DataFrame, kinds: StateKinds, reader: TableReader, file: str = FILE
) -> StateBook:
    """Make the book of a table; an open end is the begin of the site's next row.

    Parameters
    ----------
    frame : polars.DataFrame
        As `SCHEMA`, with ``row``.
    kinds : StateKinds
    reader : TableReader
        Gets what is wrong: unknown states, spells that overlap, ways that are not allowed.
    file : str
        For problems.
    """
    reader.within(frame, "capacity_share", 0.0, 1.0, file)
    reader.within(frame, "extra_h", 0.0, MOST_EXTRA_H, file)
    by_site: dict[str, list[Spell]] = {}
    near = NearestNames([*kinds.kinds, *(kind.zh for kind in kinds.kinds.values())])
    for row in frame.iter_rows(named=True):
        if row["site_id"] is None or row["state"] is None or row["from"] is None:
            continue  # told already
        state = kinds.find(row["state"])
        if state is None:
            expected = "one of " + ", ".join(kinds.kinds)
            message = f"{row['state']!r} is no state."
            reader.add("unknown-state", message, file, row["row"], "state", expected, near.hint(row["state"]))
            continue
        spell = Spell(
            row["site_id"], state, row["from"], row["until"], row["reason"] or "", row["authority"] or "",
            row["capacity_share"], row["extra_h"], row["row"],
        )  # fmt: skip
        by_site.setdefault(spell.site_id, []).append(spell)
    made = {site: _in_order(spells, reader, file) for site, spells in by_site.items()}
    for spells in made.values():
        _check_ways(spells, kinds, reader, file)
    return StateBook(kinds, made)


def _in_order(spells: list[Spell], reader: TableReader, file: str) -> tuple[Spell, ...]:
    """Return a site's spells by time, open ends closed by what follows; overlaps are told."""
    spells = sorted(spells, key=lambda spell: (spell.begin, spell.row))
    made = []
    for spell, after in pairwise(spells):
        clash = spell.begin == after.begin or (spell.end is not None and spell.end > after.begin)
        if clash:
            until = "open end" if spell.end is None else spell.end.isoformat()
            message = (
                f"{after.site_id} is {after.state} from {after.begin.isoformat()}, "
                f"and {spell.state} until {until} (row {spell.row})."
            )
            expected = "one state at a time: an until not after the next from"
            reader.add("overlapping-states", message, file, after.row, "from", expected)
        made.append(replace(spell, end=after.begin) if spell.end is None else spell)
    return (*made, spells[-1])


def _check_ways(spells: tuple[Spell, ...], kinds: StateKinds, reader: TableReader, file: str) -> None:
    """Check each step against the table of ways; where a spell has ended before, the site was open."""
    before: Spell | None = None
    for spell in spells:
        state = OPEN if before is None or before.end != spell.begin else before.state
        before = spell
        if state == spell.state:
            continue
        needs = kinds.ways.get((state, spell.state))
        if needs is None:
            to = sorted(two for one, two in kinds.ways if one == state)
            expected = f"after {state}: {', '.join(to) or 'nothing'}"
            message = f"{spell.site_id} cannot go from {state} to {spell.state}."
            reader.add("bad-transition", message, file, spell.row, "state", expected)
            continue
        for need in needs:
            if not getattr(spell, need):
                message = f"from {state} to {spell.state} needs its {need}."
                reader.add("missing-value", message, file, spell.row, need, "a text")
