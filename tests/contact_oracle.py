"""Slow references for stays and traces, written from the rules and not from the kernels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby

OPEN = None
TRANSPORT = {"load", "depart", "arrive", "unload"}
ENDS = {"receptacle": {"unpack", "deliver", "cancel"}, "vehicle": {"unload", "deliver", "cancel"}}
KEEPS = {"receptacle": TRANSPORT, "vehicle": {"depart", "arrive"}}


@dataclass(frozen=True)
class Scan:
    at: int
    code: str
    item: int = 0
    receptacle: int = 0
    vehicle: int = 0
    site: str = ""


def reference_stays(scans):
    """Return (item, kind, place, from, to or None) of every stay, and (site, time, state) of every item."""
    scans = [scan for scan in scans if scan.code not in ("note", "void")]
    own = defaultdict(list)
    for scan in scans:
        if scan.item:
            own[scan.item].append(scan)
    bags = [s for s in scans if not s.item and s.receptacle]
    trucks = [s for s in scans if not s.item and not s.receptacle and s.vehicle]
    stays, last = set(), {}
    for item, rows in own.items():
        in_bags = container_stays(rows, "receptacle", bags)
        rows = rows + [
            b for b in bags for _, bag, f, t in in_bags if bag == b.receptacle and within(b.at, f, t)
        ]
        on_trucks = container_stays(rows, "vehicle", trucks)
        rows = rows + [
            v for v in trucks for _, car, f, t in on_trucks if car == v.vehicle and within(v.at, f, t)
        ]
        at_sites, last[item] = site_stays(rows)
        stays |= {(item, *stay) for stay in [*in_bags, *on_trucks, *at_sites]}
    return stays, last


def within(at, begin, end):
    return begin <= at and (end is OPEN or at <= end)


def instants(rows):
    ordered = sorted(rows, key=lambda scan: scan.at)
    return [(at, list(group)) for at, group in groupby(ordered, key=lambda scan: scan.at)]


def container_stays(rows, kind, alone):
    emptied = defaultdict(set)
    for scan in alone:
        if scan.code in ENDS[kind]:
            emptied[getattr(scan, kind)].add(scan.at)
    stays = set()
    inside = None  # (container, since)

    def close_emptied(before):
        """Take the item out if its container was emptied before an instant (None: ever)."""
        nonlocal inside
        if inside is not None:
            times = [at for at in emptied[inside[0]] if at >= inside[1] and (before is None or at < before)]
            if times:
                stays.add((kind, *inside, min(times)))
                inside = None

    for now, scans in instants(rows):
        close_emptied(now)
        named = {getattr(s, kind) for s in scans} - {0}
        final = any(s.code in ("deliver", "cancel") for s in scans)
        out = {c for c in named if final or now in emptied[c]}
        out |= {getattr(s, kind) for s in scans if s.code in ENDS[kind]} - {0}
        unnamed = [s.code for s in scans if getattr(s, kind) == 0]
        if inside is not None:
            c = inside[0]
            if c in named:
                stop = bool(named - {c}) or c in out or any(code in ENDS[kind] for code in unnamed)
            else:
                stop = bool(named) or now in emptied[c] or any(code not in KEEPS[kind] for code in unnamed)
            if stop:
                stays.add((kind, *inside, now))
                inside = None
            named -= {c}
        for c in sorted(named, key=lambda c: (c not in out, c)):
            if inside is not None:
                stays.add((kind, *inside, now))
            inside = (c, now)
            if c in out:
                stays.add((kind, c, now, now))
                inside = None
    close_emptied(None)
    if inside is not None:
        stays.add((kind, *inside, OPEN))
    return stays


def site_stays(rows):
    stays = set()
    here = None  # [site, since, last scan, departed, leaving at the last scan]
    state, now = "under way", 0
    for now, scans in instants(rows):
        codes = {s.code for s in scans}
        state = "delivered" if "deliver" in codes else "cancelled" if "cancel" in codes else "under way"
        at = defaultdict(set)
        for s in scans:
            if s.site:
                at[s.site].add(s.code)
        before = here[0] if here else None
        for site in sorted(at, key=lambda site: (site != before, not at[site] & {"load", "depart"}, site)):
            leaves = bool(at[site] & {"load", "depart"})
            fresh = here is None or here[0] != site or (here[3] and bool(at[site] - {"load", "depart"}))
            if fresh:
                if here:
                    stays.add(("site", here[0], here[1], here[2]))
                here = [site, now, now, "depart" in at[site], leaves]
            else:
                here = [site, here[1], now, here[3] or "depart" in at[site], leaves]
    if here:
        ended = here[4] or state != "under way"
        stays.add(("site", here[0], here[1], here[2] if ended else OPEN))
    return stays, (here[0] if here else None, now, state)


def meetings(stays, end, linger):
    """Return (one item's stay, other item's stay) of every two that meet, whoever is exposed."""
    whole = [(i, k, p, f, end if t is OPEN else t) for i, k, p, f, t in sorted(stays, key=str)]
    by_place = defaultdict(list)
    for stay in whole:
        by_place[stay[1:3]].append(stay)
    return [
        (a, b)
        for place in by_place.values()
        for a in place
        for b in place
        if a[0] != b[0] and b[3] <= a[4] + linger and a[3] <= b[4]
    ]


def reference_spread(stays, seeds, steps, *, end, linger=0, through=("site", "receptacle", "vehicle")):
    """Return exposure and step of every item, and the best tie of every (item, step) that came earlier.

    A tie is (exposure, -contact, key of the other, rank of the kind, place).
    """
    met = [(a, b) for a, b in meetings(stays, end, linger) if a[1] in through]
    exposed, step, ties = dict(seeds), dict.fromkeys(seeds, 0), {}
    for layer in range(1, steps + 1):
        found = {}
        for a, b in met:
            if a[0] not in exposed:
                continue
            since = max(a[3], exposed[a[0]])
            if since > a[4]:
                continue  # it was exposed after it had left
            at = max(since, b[3])
            until = min(a[4] + linger, b[4])
            if at > until:
                continue
            rank = ("site", "receptacle", "vehicle").index(a[1])
            tie = (at, -(until - at), a[0], rank, a[2])
            if b[0] not in found or tie < found[b[0]]:
                found[b[0]] = tie
        new = {x: tie for x, tie in found.items() if x not in exposed or tie[0] < exposed[x]}
        for x, tie in new.items():
            exposed[x], step[x], ties[x, layer] = tie[0], layer, tie
    return exposed, step, ties


def held(stays, kind, place, first, last, end):
    """Return the items a place held in a window, each with its earliest instant there."""
    seeds = {}
    for item, k, p, f, t in stays:
        to = end if t is OPEN else t
        if (k, p) == (kind, place) and f <= last and to >= first:
            seeds[item] = min(seeds.get(item, max(f, first)), max(f, first))
    return seeds


def reference_backward(stays, source, steps, *, end, linger, through):
    """Return the latest useful exposure of every item and its fewest meetings: every instant is tried.

    ``source`` is ("item", key, by when) or (kind, place, first, last).
    """
    times = {f for *_, f, _ in stays} | {end if t is OPEN else t for *_, t in stays} | {end}
    times |= set(source[2:])
    items = {stay[0] for stay in stays} | ({source[1]} if source[0] == "item" else set())
    best = {}
    for item in items:
        for at in sorted(times, reverse=True):
            for meetings_allowed in range(steps + 1):
                exposed, _, _ = reference_spread(
                    stays, {item: at}, meetings_allowed, end=end, linger=linger, through=through
                )
                if reaches(stays, exposed, source, end):
                    best[item] = (at, meetings_allowed)
                    break
            if item in best:
                break
    return best


def reaches(stays, exposed, source, end):
    if source[0] == "item":
        return source[1] in exposed and exposed[source[1]] <= source[2]
    kind, place, first, last = source
    for item, k, p, f, t in stays:
        to = end if t is OPEN else t
        there = (k, p) == (kind, place) and f <= last and to >= first
        # exposed while there, at the latest at the end of the window
        if there and item in exposed and max(exposed[item], f) <= min(to, last):
            return True
    return False
