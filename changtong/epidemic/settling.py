"""International mail that settles: when each bag and item is free, what is there still, what left early.

A bag settles from its first scan at the site, an item from the opening of its bag there; an item that came
without a bag settles for both spans. A bag opened too early makes nothing shorter: its items settle from the
end of the bag's span.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.settling_rules import SettlingRule, hours_at, no_rule
from changtong.epidemic.tables import INSTANT, TableReader, local
from changtong.events.codes import scan_codes
from changtong.wording import Both

DISINFECT = "disinfect"
KNOWN_CODES = (*(one.code for one in scan_codes()), DISINFECT)
LEAVING = ("load", "depart", "out_for_delivery", "deliver", "return", "customs_in")
WORKING = ("sort", "pack")
ARRIVING = ("arrive", "receive", "unload", "accept", "unpack", "customs_out", "inspect", "screen", DISINFECT)
"""First scans at a site that tell when something came; after another first scan that is not known."""

FROM_CHINA = re.compile(r"[A-Z]{2}\d{9}CN")
"""An S10 item id given in China: it goes out and need not settle."""

PASSED_OVER = ("note", "void", "hold", "release")

SCAN_SCHEMA: dict[str, pl.DataType] = {
    "at": INSTANT,
    "code": pl.String(),
    "site_id": pl.String(),
    "item_id": pl.String(),
    "receptacle_id": pl.String(),
}
THING_SCHEMA: dict[str, Any] = {
    "kind": pl.String, "id": pl.String, "site_id": pl.String, "bag": pl.String, "arrived": INSTANT,
    "settles_from": INSTANT, "release": INSTANT, "opened": INSTANT, "left": INSTANT, "state": pl.String,
    "hours_left": pl.Float64,
}  # fmt: skip
VIOLATION_SCHEMA: dict[str, Any] = {
    "kind": pl.String, "id": pl.String, "site_id": pl.String, "violation": pl.String, "at": INSTANT,
    "release": INSTANT, "hours_short": pl.Float64,
}  # fmt: skip


@dataclass
class _Visit:
    """A bag or an item at one site, from its first scan there to its leaving; a scan elsewhere ends it."""

    id: str
    site: str
    arrived: datetime
    opened: datetime | None = None
    left: datetime | None = None
    bag: str | None = None
    out_bag: str | None = None
    worked: datetime | None = None
    disinfected: datetime | None = None
    unpacked: datetime | None = None
    first_code: str = ""
    comes_from: str | None = None


@dataclass(frozen=True)
class Settling:
    """What settles at an instant.

    Attributes
    ----------
    at : datetime
    things : polars.DataFrame
        A row a bag or item and visit: ``state`` is settling, settled (free and still there), opened, gone.
    violations : polars.DataFrame
        bag_opened_early, bag_left_early, worked_early, left_early, not_disinfected.
    sites : polars.DataFrame
        ``site_id``, ``receptacles``, ``items`` (settling at the instant), ``area_m2``, ``peak_m2``,
        ``peak_at``, ``settling_m2`` (there is), ``short_m2``, ``disinfections`` (recorded), ``violations``,
        ``arrival_unknown`` (things whose arrival no scan tells: not judged).
    notes : tuple of Both
    zone : str
        In which instants are shown.
    """

    at: datetime
    things: pl.DataFrame
    violations: pl.DataFrame
    sites: pl.DataFrame
    notes: tuple[Both, ...]
    zone: str = "Asia/Shanghai"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as one JSON object."""
        by_kind = self.violations.group_by("violation").len().sort("violation")
        settling = self.things.filter(pl.col("state") == "settling")
        return {
            "at": self._iso(self.at),
            "settling": {
                kind: settling.filter(pl.col("kind") == kind).height for kind in ("receptacle", "item")
            },
            "next_release": self._iso(settling["release"].min()),
            "last_release": self._iso(settling["release"].max()),
            "violations": dict(by_kind.iter_rows()),
            "sites": local(self.sites, self.zone).to_dicts(),
            "notes": [note.en for note in self.notes],
        }

    def _iso(self, at: Any) -> str | None:
        return None if at is None else str(at.astimezone(ZoneInfo(self.zone)).isoformat())

    def __str__(self) -> str:
        facts = self.to_json()
        settling = facts["settling"]
        lines = [
            f"Settling at {facts['at']}: {settling['receptacle']:,} bags, {settling['item']:,} items; "
            + f"violations {self.violations.height:,}"
        ]
        lines += [f"  {name}: {count:,}" for name, count in facts["violations"].items()]
        for row in self.sites.iter_rows(named=True):
            area = (
                "" if row["area_m2"] is None else f", {row['area_m2']:,.1f} m² (peak {row['peak_m2']:,.1f})"
            )
            lines.append(f"  {row['site_id']}: {row['receptacles']:,} bags, {row['items']:,} items{area}")
        return "\n".join([*lines, *(f"  note: {note.en}" for note in self.notes)])


def read_scans(reader: TableReader, path: Any) -> pl.DataFrame:
    """Return scans of a file; a scan names an item, a receptacle, or both.

    Parameters
    ----------
    reader : TableReader
    path : path
    """
    frame = reader.table(path, SCAN_SCHEMA, ("at", "code", "site_id"))
    file = getattr(path, "name", str(path))
    words = {"消毒": DISINFECT, "消杀": DISINFECT, **_ZH}
    frame = frame.with_columns(pl.col("code").replace(words))
    reader.one_of(frame, "code", KNOWN_CODES, file)
    bare = frame.filter(pl.col("item_id").is_null() & pl.col("receptacle_id").is_null())
    for (row,) in bare.select("row").head(50).iter_rows():
        reader.add("missing-value", "it names no item and no receptacle.", file, row, "item_id")
    return frame


_ZH: dict[str, str] = {one.zh: one.code for one in scan_codes()}


def settle(
    scans: pl.DataFrame,
    rules: tuple[SettlingRule, ...],
    places: Mapping[str, str | None],
    at: datetime,
    *,
    home: Collection[str] = (),
    space_m2: Mapping[str, float] | None = None,
    zone: str = "Asia/Shanghai",
) -> Settling:
    """Compute what settles at an instant, from the scans up to it.

    Parameters
    ----------
    scans : polars.DataFrame
        As `SCAN_SCHEMA`; scans at other sites tell that something has left.
    rules : tuple of SettlingRule
    places : mapping
        International site -> administrative code.
    at : datetime
    home : collection of str
        Sites of the country: what comes from one of them, or was given an S10 id in China, need not settle.
    space_m2 : mapping, optional
        Site -> isolation area there is.
    zone : str
        In which instants are shown.
    """
    rank = pl.col("code").replace_strict(
        {"arrive": 0, "receive": 0, "unload": 1, "load": 8, "depart": 9}, default=5, return_dtype=pl.Int8
    )
    known = scans.filter((pl.col("at") <= at.astimezone(UTC)) & ~pl.col("code").is_in(PASSED_OVER))
    rows = known.with_columns(rank.alias("rank")).sort("at", "rank", maintain_order=True)
    bags, items = _visits(rows.iter_rows(named=True))
    made = _Made(rules, places, at, frozenset(home) | set(places))
    opened: dict[tuple[str, str], list[_Visit]] = {}
    for visit in bags:
        made.bag(visit)
        opened.setdefault((visit.id, visit.site), []).append(visit)
    for visit in items:
        made.item(visit, opened)
    things = pl.DataFrame(made.things, THING_SCHEMA)
    violations = pl.DataFrame(made.violations, VIOLATION_SCHEMA)
    counts = known.filter(pl.col("code") == DISINFECT).group_by("site_id").len()
    disinfections: dict[str, int] = dict(counts.iter_rows())
    sites = pl.DataFrame(
        [made.site(site, space_m2 or {}, disinfections.get(site, 0)) for site in sorted(made.seen)],
        {
            "site_id": pl.String, "receptacles": pl.Int64, "items": pl.Int64, "area_m2": pl.Float64,
            "peak_m2": pl.Float64, "peak_at": INSTANT, "settling_m2": pl.Float64, "short_m2": pl.Float64,
            "disinfections": pl.Int64, "violations": pl.Int64, "arrival_unknown": pl.Int64,
        },
    )  # fmt: skip
    notes = [no_rule(site) for site in sorted(made.without_rule)]
    notes += [
        Both(f"{site}：没有消毒扫描记录", f"{site}: no scan there records disinfection")
        for site in sorted(made.seen)
        if site not in disinfections
    ]
    order = ["site_id", "kind", "arrived", "id"]
    wrong = violations.sort("at", "site_id", "id")
    return Settling(at, things.sort(order), wrong, sites, tuple(notes), zone)


def _visits(rows: Iterable[dict[str, Any]]) -> tuple[list[_Visit], list[_Visit]]:
    """Return the visits of bags and of items, in order of time."""
    bags: list[_Visit] = []
    items: list[_Visit] = []
    bag_now: dict[str, _Visit] = {}
    item_now: dict[str, _Visit] = {}
    inside: dict[str, str] = {}
    for row in rows:
        at, code, site, item, bag = (row[k] for k in ("at", "code", "site_id", "item_id", "receptacle_id"))
        if bag is not None:
            _scan(bag_now, bags, bag, row)
            if code == "unpack" and bag_now[bag].opened is None:
                bag_now[bag].opened = at
        if item is None:
            continue
        visit, is_new = _scan(item_now, items, item, row)
        if is_new:
            visit.bag = bag if bag is not None and code != "pack" else inside.get(item)
        if code == "unpack" and visit.unpacked is None:
            visit.unpacked, visit.bag = at, bag or visit.bag
        if code == "pack":
            visit.out_bag = bag
        if code == "unpack":
            inside.pop(item, None)
        elif bag is not None:
            inside[item] = bag
    return bags, items


def _scan(now: dict[str, _Visit], made: list[_Visit], name: str, row: dict[str, Any]) -> tuple[_Visit, bool]:
    """Take a scan of a bag or an item into its visit, a new one where it came from elsewhere or had left."""
    at, code, site = row["at"], row["code"], row["site_id"]
    visit = now.get(name)
    is_new = visit is None or visit.site != site or (visit.left is not None and code not in LEAVING)
    if visit is None or is_new:
        if visit is not None and visit.left is None:
            visit.left = at  # it was seen elsewhere: it left no later
        before = None if visit is None else visit.site if visit.site != site else visit.comes_from
        visit = now[name] = _Visit(name, site, at, first_code=code, comes_from=before)
        made.append(visit)
    if code in WORKING and visit.worked is None:
        visit.worked = at
    if code in LEAVING and visit.left is None:
        visit.left = at
    if code == DISINFECT and visit.disinfected is None:
        visit.disinfected = at
    return visit, is_new


@dataclass
class _Made:
    """Rows as they are made."""

    rules: tuple[SettlingRule, ...]
    places: Mapping[str, str | None]
    at: datetime
    home: frozenset[str]
    things: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    without_rule: set[str] = field(default_factory=set)
    unknown: dict[str, int] = field(default_factory=dict)
    lying: dict[str, list[tuple[datetime, datetime, float | None]]] = field(default_factory=dict)

    def rule(self, visit: _Visit) -> SettlingRule | None:
        """Return the rule for a visit, that of the arrival; None at sites that are not international."""
        if visit.site not in self.places or visit.comes_from in self.home or FROM_CHINA.fullmatch(visit.id):
            return None
        self.seen.add(visit.site)
        found = hours_at(self.rules, visit.site, self.places[visit.site], visit.arrived)
        if found is None:
            self.without_rule.add(visit.site)
        return found

    def bag(self, visit: _Visit) -> None:
        """Add a bag: free when its span is over; opening it ends its own settling."""
        rule = None if visit.first_code == "pack" else self.rule(visit)  # packed here: it goes out
        if rule is None or not self.known(visit):
            return
        release = visit.arrived + timedelta(hours=rule.bag_h)
        ends = [one for one in (visit.opened, visit.left) if one is not None]
        if visit.opened is not None and visit.opened < release:
            self.wrong("receptacle", visit, "bag_opened_early", visit.opened, release)
        elif visit.opened is None and visit.left is not None and visit.left < release:
            self.wrong("receptacle", visit, "bag_left_early", visit.left, release)
        state = "opened" if visit.opened is not None else "gone" if visit.left is not None else None
        self.thing("receptacle", visit, visit.arrived, release, state)
        self.lie(visit, visit.arrived, min([release, *ends]), rule.receptacles_per_m2)

    def item(self, visit: _Visit, opened: Mapping[tuple[str, str], list[_Visit]]) -> None:
        """Add an item that is out of its bag, or came without one."""
        rule = self.rule(visit)
        if rule is None:
            return
        bag = _bag_of(visit, opened)
        if bag is not None and visit.unpacked is None and bag.opened is None:
            return  # it lies in its closed bag, and settles and leaves with it
        if not (visit.unpacked is not None and bag is None) and not self.known(bag or visit):
            return
        begin = visit.unpacked
        if begin is None and bag is not None:
            begin = bag.opened
        if begin is None or bag is None:
            loose = visit.arrived + timedelta(
                hours=rule.bag_h
            )  # no bag is known: both spans, from its arrival
        else:
            loose = max(begin, bag.arrived + timedelta(hours=rule.bag_h))
        begin = begin or visit.arrived
        release = loose + timedelta(hours=rule.item_h)
        left = _left(visit, opened)
        if visit.worked is not None and visit.worked < release:
            self.wrong("item", visit, "worked_early", visit.worked, release)
        if left is not None and left < release:
            self.wrong("item", visit, "left_early", left, release)
        first = min([one for one in (visit.worked, left) if one is not None], default=None)
        clean = [
            one for one in (visit.disinfected, None if bag is None else bag.disinfected) if one is not None
        ]
        if first is not None and min(clean, default=first + timedelta(hours=1)) > first:
            self.wrong("item", visit, "not_disinfected", first, None)
        visit.left = left
        self.thing("item", visit, begin, release, None if left is None else "gone")
        self.lie(visit, begin, release if left is None else min(release, left), rule.items_per_m2)

    def known(self, visit: _Visit) -> bool:
        """Tell whether the arrival is known; count where it is not."""
        if visit.first_code in ARRIVING:
            return True
        self.unknown[visit.site] = self.unknown.get(visit.site, 0) + 1
        return False

    def thing(self, kind: str, visit: _Visit, begin: datetime, release: datetime, state: str | None) -> None:
        """Add a row of what lies or lay there."""
        left_h = (release - self.at) / timedelta(hours=1)
        self.things.append(
            {
                "kind": kind, "id": visit.id, "site_id": visit.site, "bag": visit.bag,
                "arrived": visit.arrived, "settles_from": begin, "release": release, "opened": visit.opened,
                "left": visit.left, "state": state or ("settling" if left_h > 0 else "settled"),
                "hours_left": max(left_h, 0.0) if state is None else None,
            }
        )  # fmt: skip

    def wrong(self, kind: str, visit: _Visit, what: str, at: datetime, release: datetime | None) -> None:
        """Add a violation."""
        short = None if release is None else (release - at) / timedelta(hours=1)
        self.violations.append(
            {
                "kind": kind, "id": visit.id, "site_id": visit.site, "violation": what, "at": at,
                "release": release, "hours_short": short,
            }
        )  # fmt: skip

    def lie(self, visit: _Visit, begin: datetime, end: datetime, per_m2: float | None) -> None:
        """Note that something takes room from an instant to another."""
        if end > begin:
            self.lying.setdefault(visit.site, []).append((begin, end, per_m2))

    def site(self, site: str, space_m2: Mapping[str, float], disinfections: int) -> dict[str, Any]:
        """Return the row of a site: what settles now, and the most room it took."""
        spans = self.lying.get(site, [])
        now = [thing for thing in self.things if thing["site_id"] == site and thing["state"] == "settling"]
        known = all(per_m2 for _, _, per_m2 in spans)
        area, peak, peak_at = _room(spans, self.at) if known else (None, None, None)
        space = space_m2.get(site)
        return {
            "site_id": site,
            "receptacles": sum(thing["kind"] == "receptacle" for thing in now),
            "items": sum(thing["kind"] == "item" for thing in now),
            "area_m2": area, "peak_m2": peak, "peak_at": peak_at, "settling_m2": space,
            "short_m2": None if space is None or peak is None else max(peak - space, 0.0),
            "disinfections": disinfections,
            "violations": sum(one["site_id"] == site for one in self.violations),
            "arrival_unknown": self.unknown.get(site, 0),
        }  # fmt: skip


def _bag_of(visit: _Visit, bags: Mapping[tuple[str, str], list[_Visit]]) -> _Visit | None:
    """Return the visit of an item's bag to the same site: the last that had begun by the item's leaving."""
    if visit.bag is None:
        return None
    there = [
        one
        for one in bags.get((visit.bag, visit.site), ())
        if one.arrived <= (visit.unpacked or visit.arrived)
    ]
    return there[-1] if there else None


def _left(visit: _Visit, bags: Mapping[tuple[str, str], list[_Visit]]) -> datetime | None:
    """Return when an item left, by its own scan or with the bag it was packed in."""
    found = [visit.left]
    if visit.out_bag is not None:
        found += [
            one.left
            for one in bags.get((visit.out_bag, visit.site), ())
            if (one.left or visit.arrived) > visit.arrived
        ]
    return min((one for one in found if one is not None), default=None)


def _room(
    spans: list[tuple[datetime, datetime, float | None]], at: datetime
) -> tuple[float, float, datetime | None]:
    """Return the room taken at an instant, the most ever, and when that began."""
    turns: dict[datetime, float] = {}
    now = 0.0
    for begin, end, per_m2 in spans:
        size = 1.0 / (per_m2 or 1.0)
        turns[begin] = turns.get(begin, 0.0) + size
        turns[end] = turns.get(end, 0.0) - size
        now += size if begin <= at < end else 0.0
    taken = peak = 0.0
    peak_at = None
    for turn in sorted(turns):
        taken += turns[turn]
        if turn <= at and taken > peak + 1e-9:
            peak, peak_at = taken, turn
    return now, peak, peak_at
