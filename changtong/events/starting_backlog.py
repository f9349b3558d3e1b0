"""The pieces that wait in a network at one instant, from the scan log, as a simulation takes them.

Scans say where a piece is, and at most where it goes next. Where it is bound is placed by rules, and how
many pieces were placed by which rule is part of the result.
"""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import UsageError
from changtong.events.destination_mix import DestinationMix, whole_pieces
from changtong.events.engine import MEMORY_GIB, THREADS, open_duckdb
from changtong.events.log import EventLog
from changtong.events.present_items import LOOK_BACK_DAYS, PresentItems, first_file_day, present_items
from changtong.network.model import Network

RULES = {
    "told": "destination told by an attribute of the scans",
    "sender": "on its way back: the site that accepted it",
    "home": "was out for delivery from here already: this site",
    "next": "next site told: shared over the destinations that today's sort plan sends that way",
    "next-ends": "next site told, but the network sends nothing that way: the next site itself",
    "mix": "nothing told: shared over the destinations of what the network sends through the site",
}
"""How a destination was found, the surest first."""

REASONS = {
    "unknown-site": "the network has no such site",
    "no-leg": "the network has no leg between the two sites",
    "nothing-passes": "by its demand and sort plan nothing passes the site in the network",
}
"""Why pieces are left out."""

FRAME = {
    "site": pl.String, "destination": pl.String, "service_class": pl.String, "pieces": pl.Int64,
    "arrives_h": pl.Float64,
}  # fmt: skip
PLACED = {"where": pl.String, "rule": pl.String, "pieces": pl.Int64}
LEFT_OUT = {
    "where": pl.String, "reason": pl.String, "site": pl.String, "to_site": pl.String, "pieces": pl.Int64,
}  # fmt: skip
LISTED = 8
UNLIKE = 3.0
"""Times by which a day of the log and of the network may differ before it is said."""


@dataclass(frozen=True)
class StartingBacklog:
    """What waits in a network, and is on its way, at one instant.

    Attributes
    ----------
    at : datetime
    frame : polars.DataFrame
        ``site``, ``destination``, ``service_class``, ``pieces``, ``arrives_h``: what :func:`simulate` takes
        as ``backlog``. ``arrives_h`` is 0 for what waits, else the hours until it reaches ``site``.
    placed : polars.DataFrame
        ``where`` ("waiting" or "on-road"), ``rule`` (see ``RULES``), ``pieces``.
    left_out : polars.DataFrame
        ``where``, ``reason`` (see ``REASONS``), ``site``, ``to_site`` (of what is on the road), ``pieces``.
    waiting_pieces, on_road_pieces, with_courier_pieces : int
        In the log, as the indicators of that instant count them. With a courier: left out, and counted.
    unknown_class_pieces : int
        Of a class that the network does not have: they count as its lowest.
    unknown_destination_pieces : int
        The destination told is none of the network: they were placed as if nothing were told.
    no_way_pieces : int
        Their destination is told, but the sort plan does not lead there: they will wait.
    overdue_pieces : int
        On the road for longer than the leg takes: they arrive at the beginning.
    notes : tuple of str
    runtime_s : float
    """

    at: datetime
    frame: pl.DataFrame
    placed: pl.DataFrame
    left_out: pl.DataFrame
    waiting_pieces: int
    on_road_pieces: int
    with_courier_pieces: int
    unknown_class_pieces: int
    unknown_destination_pieces: int
    no_way_pieces: int
    overdue_pieces: int
    notes: tuple[str, ...]
    runtime_s: float

    @property
    def pieces(self) -> int:
        """Pieces given to the simulation."""
        return int(self.frame["pieces"].sum())

    def summary(self) -> dict[str, Any]:
        """Return the counts as one object."""
        names = (
            "waiting_pieces", "on_road_pieces", "with_courier_pieces", "unknown_class_pieces",
            "unknown_destination_pieces", "no_way_pieces", "overdue_pieces",
        )  # fmt: skip
        return {
            "at": self.at.isoformat(),
            "pieces": self.pieces,
            **{name: getattr(self, name) for name in names},
            "placed": self.placed.to_dicts(),
            "left_out_pieces": int(self.left_out["pieces"].sum()),
            "left_out": self.left_out.to_dicts(),
            "notes": list(self.notes),
        }

    def save(self, path: str | Path) -> Path:
        """Write the backlog as CSV, as ``simulate --backlog`` reads it, and the counts beside it as JSON."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        self.frame.write_csv(text)
        counts = json.dumps(self.summary(), ensure_ascii=False, indent=1)
        for where, what in ((path, text.getvalue()), (path.with_suffix(".json"), counts)):
            beside = where.with_name(where.name + ".new")
            beside.write_text(what, encoding="utf-8")
            beside.replace(where)
        return path

    def __str__(self) -> str:
        lines = [
            f"Backlog of {self.at:%Y-%m-%d %H:%M %Z}: {self.pieces:,} pieces "
            f"(in the log {self.waiting_pieces:,} waiting, {self.on_road_pieces:,} on the road; "
            f"{self.with_courier_pieces:,} with couriers, left out)"
        ]
        for where, rule, pieces in self.placed.iter_rows():
            lines.append(f"  {pieces:>12,} {where}: {RULES[rule]}")
        for (where, reason), some in self.left_out.group_by("where", "reason", maintain_order=True):
            worst = some.sort("pieces", descending=True).head(LISTED)
            names = [
                (site or "(no site)") + (f" to {to}" if to else "")
                for site, to in worst.select("site", "to_site").iter_rows()
            ]
            more = f" and {some.height - LISTED} more" if some.height > LISTED else ""
            lines.append(
                f"  {int(some['pieces'].sum()):>12,} {where}, left out, {REASONS[str(reason)]}: "
                f"{', '.join(names)}{more}"
            )
        told = (
            (self.unknown_class_pieces, "of a class the network does not have: its lowest"),
            (self.unknown_destination_pieces, "with a told destination that is none of the network"),
            (self.no_way_pieces, "whose told destination the sort plan does not reach: they will wait"),
            (self.overdue_pieces, "on the road for longer than their leg takes: they arrive at once"),
        )
        lines += [f"  {pieces:>12,} {words}" for pieces, words in told if pieces]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def starting_backlog(
    log: EventLog,
    network: Network,
    at: datetime,
    *,
    attribute: str | None = None,
    look_back_days: int = LOOK_BACK_DAYS,
    memory_gib: float = MEMORY_GIB,
    threads: int = THREADS,
    spill_folder: Path | None = None,
) -> StartingBacklog:
    """Return what waits at each site of a network at an instant, and what is on its way, from the scan log.

    Waiting is what the indicator ``backlog_pieces`` counts at that instant: items in a stay that has not
    ended. On the road is what departed and was seen nowhere since.

    Parameters
    ----------
    log : EventLog
    network : Network
        Its sites bear the ids of the log's.
    at : datetime
        With a zone. Scans at or after it are not known.
    attribute : str, optional
        Attribute of the scans that holds the destination, a site id.
    look_back_days : int
        An item whose last scan is older is lost.
    memory_gib, threads : float, int
        Limits of the reading.
    spill_folder : Path, optional
        For what does not fit.

    Returns
    -------
    StartingBacklog

    Raises
    ------
    UsageError
        An option that cannot be meant.
    InputError
        A file of the log cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from changtong.events.log import create_log
    >>> from changtong.network.reference import reference_network
    >>> log = create_log(Path(tempfile.mkdtemp()) / "LOG")
    >>> found = starting_backlog(log, reference_network(level="city"), datetime(2026, 7, 20, tzinfo=UTC))
    >>> found.pieces, found.notes
    (0, ('The log has no scan in the 30 days before.',))
    """
    begun = time.perf_counter()
    if at.tzinfo is None:
        raise UsageError("at needs a time zone.", "time-without-zone")
    files = log.files(first_file_day(at, log.zone, look_back_days))
    engine = open_duckdb(files, log.sites, memory_gib=memory_gib, threads=threads, spill_folder=spill_folder)
    try:
        found = present_items(engine, at, zone=log.zone, look_back_days=look_back_days, attribute=attribute)
    finally:
        engine.connection.close()
    notes: tuple[str, ...] = (
        () if found.has_scans else (f"The log has no scan in the {look_back_days} days before.",)
    )
    demand = float(network.demand["pieces_per_day"].cast(pl.Float64).sum())
    if found.accepted_24h and not demand / UNLIKE < found.accepted_24h < demand * UNLIKE:
        notes += (
            f"The log has {found.accepted_24h:,} pieces accepted in the 24 hours before, the network "
            f"{demand:,.0f} a day: they are not of the same size, and neither is this backlog.",
        )
    return place_items(found, network, at, notes=notes, begun=begun)


def place_items(
    found: PresentItems,
    network: Network,
    at: datetime,
    *,
    notes: tuple[str, ...] = (),
    begun: float | None = None,
) -> StartingBacklog:
    """Give what is present its destinations in a network, by ``RULES``.

    Parameters
    ----------
    found : PresentItems
    network : Network
    at : datetime
    notes : tuple of str
    begun : float, optional
        When it began, by ``time.perf_counter``.
    """
    begun = time.perf_counter() if begun is None else begun
    work = _Placing(DestinationMix(network))
    for group in found.groups.iter_rows(named=True):
        work.place(group)
    rank = pl.col("rule").replace_strict({rule: k for k, rule in enumerate(RULES)}, return_dtype=pl.Int64)
    return StartingBacklog(
        at=at,
        frame=work.frame().sort("site", "destination", "service_class", "arrives_h"),
        placed=pl.DataFrame([(*key, n) for key, n in work.rules.items()], schema=PLACED, orient="row").sort(
            pl.col("where") != "waiting", rank
        )
        if work.rules
        else pl.DataFrame(schema=PLACED),
        left_out=pl.DataFrame(
            [(*key, n) for key, n in work.left.items()], schema=LEFT_OUT, orient="row"
        ).sort("where", "reason", "site", "to_site"),
        waiting_pieces=found.pieces(on_road=False),
        on_road_pieces=found.pieces(on_road=True),
        with_courier_pieces=found.with_courier,
        unknown_class_pieces=work.unknown_class,
        unknown_destination_pieces=work.unknown_destination,
        no_way_pieces=work.no_way,
        overdue_pieces=work.overdue,
        notes=notes,
        runtime_s=time.perf_counter() - begun,
    )


class _Placing:
    """Places groups one after another, and counts."""

    def __init__(self, mix: DestinationMix) -> None:
        self.mix = mix
        self.rows: list[tuple[Any, ...]] = []
        self.rules: Counter[tuple[str, str]] = Counter()
        self.left: Counter[tuple[str, str, str, str]] = Counter()
        self.unknown_class = self.unknown_destination = self.no_way = self.overdue = self.turn = 0

    def place(self, group: dict[str, Any]) -> None:
        """Place one group of ``PresentItems.groups``."""
        mix, n = self.mix, group["pieces"]
        site = mix.number.get(group["site_id"], -1)
        if group["next_site_id"] == group["site_id"]:
            group["next_site_id"] = ""
        follow = mix.number.get(group["next_site_id"], -1)
        if site < 0 or (group["on_road"] and group["next_site_id"] and follow < 0):
            self._leave(group, "unknown-site")
            return
        rank = mix.rank_of.get(group["service_class"])
        unknown_class, rank = rank is None, len(mix.classes) - 1 if rank is None else rank
        before = sum(self.left.values())
        if group["on_road"]:
            self._place_road(group, site, follow, rank)
        else:
            self._place_waiting(group, site, follow, rank)
        if unknown_class:
            self.unknown_class += n - (sum(self.left.values()) - before)

    def _told(self, group: dict[str, Any], site: int) -> tuple[int, str]:
        """Return the destination (its number) that the log itself tells, and by which rule; -1: none."""
        mix = self.mix
        told = mix.number.get(group["destination"], -1)
        if group["destination"] and (told < 0 or mix.dest_number[told] < 0):
            self.unknown_destination += group["pieces"]
        for rule, name in (("told", group["destination"]), ("sender", group["back_site_id"])):
            dest = int(mix.dest_number[mix.number[name]]) if name in mix.number else -1
            if dest >= 0:
                return dest, rule
        if group["was_out"] and mix.dest_number[site] >= 0:
            return int(mix.dest_number[site]), "home"
        return -1, ""

    def _place_waiting(self, group: dict[str, Any], site: int, follow: int, rank: int) -> None:
        mix, n = self.mix, group["pieces"]
        dest, rule = self._told(group, site)
        if dest < 0 and follow >= 0:
            shares = self._first(site, rank, group, follow)
            if shares is not None:
                self._spread(group, shares, "next", rank, site)
                return
            dest, rule = int(mix.dest_number[follow]), "next-ends"
            if dest >= 0 and not mix.leads(site, dest, rank):
                dest = -1
        if dest >= 0:
            if not mix.leads(site, dest, rank):
                self.no_way += n
            self._add(group, site, dest, rank, rule, n, 0.0)
            return
        shares = self._first(site, rank, group, -1)
        if shares is None:
            self._leave(group, "nothing-passes")
            return
        self._spread(group, shares, "mix", rank, site)
        return

    def _place_road(self, group: dict[str, Any], site: int, follow: int, rank: int) -> None:
        """Place what has left a site: it will be at the next one, bound for what is sent that way."""
        mix, n = self.mix, group["pieces"]
        dest, rule = self._told(group, site)
        if follow < 0 and dest >= 0:
            follow = int(mix.next_site(rank)[dest, site])
            if follow < 0:
                dest = -1  # the site itself, or no way on: it must be bound for somewhere else
        if follow >= 0:
            if mix.travel_h(site, follow) is None:
                self._leave(group, "no-leg")
                return
            if dest < 0:
                shares = self._first(site, rank, group, follow)
                if shares is not None:
                    self._spread(group, shares, "next", rank, site, follow)
                    return
                dest, rule = int(mix.dest_number[follow]), "next-ends"
            if dest >= 0:
                if not mix.leads(follow, dest, rank):
                    self.no_way += n
                self._add(group, follow, dest, rank, rule, n, self._arrives(group, site, follow, n))
                return
            shares = mix.shares(follow, rank, begun=False)
            if shares is None:
                self._leave(group, "nothing-passes")
                return
            self._spread(group, shares, "mix", rank, site, follow)
            return
        shares = self._first(site, rank, group, -1)
        if shares is not None:
            shares = shares * (mix.next_site(rank)[:, site] >= 0)
        if shares is None or not shares.sum() > 0.0:
            self._leave(group, "nothing-passes")
            return
        self._spread(group, shares, "mix", rank, site, -1)
        return

    def _first(self, site: int, rank: int, group: dict[str, Any], towards: int) -> Any:
        """Return the shares of what begins at the site or comes to it, as the group does; else the other."""
        begun = bool(group["begins_here"])
        shares = self.mix.shares(site, rank, begun=begun, towards=towards)
        return self.mix.shares(site, rank, begun=not begun, towards=towards) if shares is None else shares

    def _spread(
        self, group: dict[str, Any], shares: Any, rule: str, rank: int, site: int, follow: int | None = None
    ) -> None:
        """Share a group over destinations; on the road to ``follow``, or to each one's own next site (-1)."""
        parts = whole_pieces(group["pieces"], shares, self.turn)
        self.turn += 1
        dests = np.flatnonzero(parts)
        if follow is None:
            self._add(group, site, dests, rank, rule, parts[dests], 0.0)
            return
        ends = self.mix.next_site(rank)[dests, site] if follow < 0 else np.full(len(dests), follow)
        for to in np.unique(ends).tolist():
            some = dests[ends == to]
            hours = self._arrives(group, site, to, int(parts[some].sum()))
            self._add(group, to, some, rank, rule, parts[some], hours)

    def _arrives(self, group: dict[str, Any], site: int, to: int, n: int) -> float:
        """Return the hours until pieces on the road arrive: 0 where they should have."""
        left = (self.mix.travel_h(site, to) or 0.0) - float(group["quarters"]) / 4.0
        if left < 0.0:
            self.overdue += n
        return max(0.0, round(left, 2))

    def _add(
        self, group: dict[str, Any], site: int, dest: Any, rank: int, rule: str, n: Any, arrives_h: float
    ) -> None:
        """Put pieces for one destination, or some of them for several, at a site."""
        dests, pieces = np.atleast_1d(dest), np.atleast_1d(n)
        where = (
            np.full(len(dests), site, np.int32),
            dests.astype(np.int32),
            np.full(len(dests), rank, np.int32),
        )
        self.rows.append((*where, np.full(len(dests), arrives_h), pieces.astype(np.int64)))
        self.rules["on-road" if group["on_road"] else "waiting", rule] += int(pieces.sum())

    def frame(self) -> pl.DataFrame:
        """Return all that was placed."""
        if not self.rows:
            return pl.DataFrame(schema=FRAME)
        names = ("site", "destination", "service_class", "arrives_h", "pieces")
        columns = {
            name: np.concatenate(part) for name, part in zip(names, zip(*self.rows, strict=True), strict=True)
        }
        found = pl.DataFrame(columns).group_by(names[:4]).agg(pl.col("pieces").sum())
        ids, ends = np.array(self.mix.ids), np.array(self.mix.ids)[self.mix.dest_site]
        words = {"site": ids, "destination": ends, "service_class": np.array(self.mix.classes)}
        said = [pl.Series(name, of[found[name].to_numpy()], dtype=pl.String) for name, of in words.items()]
        return found.with_columns(said).select(pl.col(name).cast(kind) for name, kind in FRAME.items())

    def _leave(self, group: dict[str, Any], reason: str) -> None:
        to = group["next_site_id"] if group["on_road"] else ""
        where = "on-road" if group["on_road"] else "waiting"
        self.left[where, reason, group["site_id"], to] += group["pieces"]
