"""From a network, its routes and its outages to the arrays a generated log is walked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.events.generator.kernels import (
    CODES,
    DAY_S,
    FAR_S,
    Noting,
    Scene,
    Slowed,
    leg_loads,
    make_alias,
)
from changtong.events.generator.settings import OFFSET_H, ScanSettings
from changtong.network.model import Network
from changtong.network.reference import GOLDEN
from changtong.outages import Outage, apply_outages, closed_by_status
from changtong.routes import Pairs, Routes, check_routes, pairs_of, routes_in_force
from changtong.structure import column

Floats = NDArray[np.float64]

PIECES_PER_TRIP = 200.0
"""Pieces of the log for which one more trip runs."""

LEAST_TRIPS = 4.0
"""Trips a day at least, where the network has that many."""

MOST_TRIPS = 1_000.0
PIECES_PER_BAG = 25.0
MOST_BAGS = 5_000

SPEED_KMH = 60.0
UNKNOWN_TRAVEL_H = 2.0
UNKNOWN_TRIPS = 4.0

HEADROOM = 1.3
"""Pieces a site sorts at most for each that comes: how fast it works a backlog off."""

LAST_MILE_H = 8.5
"""Hours from sorted to delivered, on the mean: of a site's handling hours they are the last."""

HANDLING_H = 6.0
"""Handling hours where the network has none."""

Spans = list[tuple[int, int, float, float]]


@dataclass(frozen=True)
class Stage:
    """A scene and what was found on the way to it.

    Attributes
    ----------
    scene : Scene
    pieces_per_day : float
        Of the network's demand that has a way.
    left_out_pieces_per_day : float
        Demand left out: its first or last site is closed by its status.
    no_way_pieces_per_day : float
        Demand whose way ends before its destination: it is held where the way ends.
    skew_s : array of int64, (sites,)
        By how much each site's clock is fast.
    """

    scene: Scene
    pieces_per_day: float
    left_out_pieces_per_day: float
    no_way_pieces_per_day: float
    skew_s: NDArray[np.int64]


def set_stage(
    network: Network,
    settings: ScanSettings,
    routes: Routes | None = None,
    outages: Sequence[Outage] = (),
) -> Stage:
    """Lay out everything that decides a log, but for the number of items (0).

    Raises
    ------
    InputError
        No demand, routes of another network, an outage that cannot be played.
    """
    pairs = pairs_of(network)
    routes = routes or routes_in_force(network, pairs)
    check_routes(network, routes)
    flows = _flows(network, pairs, routes)
    tail, head = _ends_of_legs(network, routes)
    n_legs = network.legs.height
    load, no_way = _loads(flows, routes, n_legs, head)
    offered = float(flows.weight.sum())
    per_day = settings.events / 12.0 / settings.days  # near enough for trips and bags
    scale = per_day / offered
    trips = _trips(network, load * scale, scale)
    span_s = DAY_S * (settings.days + 30)
    sites_spans, legs_spans = _spans(network, outages, settings.first_day)
    before, last = _processing(network, trips, load)
    slowed = _flat(legs_spans)
    lines = [_line(found, span_s) for found in sites_spans]
    scans, skew = _sites(network, settings)
    extra = len(tail) - n_legs
    travel_s = 3600.0 * np.maximum(_travel_h(network), 1.0 / 6.0)
    end_s = span_s if settings.until_delivered else DAY_S * settings.days
    odds, other = _odds(flows.weight)
    scene = Scene(
        noting=_noting(settings, end_s),
        slowed=_flat(sites_spans),
        seed=np.uint64(settings.seed),
        n_items=0,
        end_s=end_s,
        day_upto=_days(settings),
        hour_upto=np.append(0.0, np.cumsum(settings.time_of_day)) / np.sum(settings.time_of_day),
        slowness=_slowness(settings.time_of_day),
        odds=odds,
        other=other,
        pair_from=flows.start.astype(np.int32),
        pair_to=flows.end.astype(np.int32),
        class_upto=np.ascontiguousarray(flows.class_upto, np.float64),
        sent=np.ascontiguousarray(_sent(network, pairs, routes, flows), np.float32),
        next_leg=np.ascontiguousarray(routes.next_leg, np.int32),
        dest_number=flows.dest_number,
        n_own_legs=n_legs,
        leg_tail=tail,
        leg_head=head,
        leg_trips=np.append(trips, np.zeros(extra)),
        leg_phase=np.asarray((np.arange(n_legs + extra) + 1) * GOLDEN % 1.0, np.float64),
        leg_travel_s=np.append(travel_s, np.zeros(extra)),
        leg_bags=_bags(load * scale, trips, extra),
        leg_ptr=np.append(slowed.ptr, np.full(extra, slowed.ptr[-1])),
        leg_from_s=slowed.from_s,
        leg_to_s=slowed.to_s,
        leg_share=slowed.share,
        leg_extra_s=slowed.extra_s,
        line_ptr=np.append(0, np.cumsum([len(line) for line in lines])).astype(np.int64),
        line_in_s=np.array([point[0] for line in lines for point in line], np.float64),
        line_out_s=np.array([point[1] for line in lines for point in line], np.float64),
        before_s=before,
        last_s=last,
        exchange=_exchange(network),
        scans=scans,
        habits=np.array(settings.habits(), np.float64),
    )
    return Stage(scene, offered, flows.left_out, float(flows.weight[no_way].sum()), skew)


class _Flows(NamedTuple):
    """Pairs of sites that items go between, and sites within which they stay."""

    start: NDArray[np.integer[Any]]
    end: NDArray[np.integer[Any]]
    weight: NDArray[np.float64]
    left_out: float
    class_upto: NDArray[np.float64]
    dest_number: NDArray[np.int32]


def _flows(network: Network, pairs: Pairs, routes: Routes) -> _Flows:
    """Return where items go, in what shares of classes, without those that begin or end at a closed site."""
    shut = np.zeros(network.sites.height, bool)
    shut[closed_by_status(network)] = True
    stays = np.flatnonzero(pairs.local > 0.0).astype(np.int32)
    start = np.concatenate([pairs.from_site, stays])
    end = np.concatenate([pairs.to_site, stays])
    pieces = pairs.pieces.sum(axis=1, dtype=np.float64)
    weight = np.concatenate([pieces, pairs.local[stays]])
    out = shut[start] | shut[end]
    left_out = float(weight[out].sum())
    weight[out] = 0.0
    if not weight.sum() > 0.0:
        problem = Problem(
            "no-demand", "The network has no demand to scan.", "demand", expected="pieces a day"
        )
        raise InputError([problem])
    dest_number = np.full(network.sites.height, -1, np.int32)
    dest_number[routes.dest_site] = np.arange(len(routes.dest_site))
    moves = start != end
    if (moves & (dest_number[end] < 0) & (weight > 0.0)).any():
        problem = Problem(
            "other-network", "The routes lead nowhere for a pair with demand.", "routes",
            expected="routes of this network",
        )  # fmt: skip
        raise InputError([problem])
    share = np.cumsum(pairs.class_share)[None, :]
    if pairs.pieces.shape[1] > 1:
        whole = np.vstack([pairs.pieces, pairs.local[stays][:, None] * pairs.class_share[None, :]])
        share = np.cumsum(whole, axis=1) / np.maximum(whole.sum(axis=1, keepdims=True), 1e-30)
    return _Flows(start, end, weight, left_out, share, dest_number)


def _sent(network: Network, pairs: Pairs, routes: Routes, flows: _Flows) -> NDArray[np.float32]:
    """Return the share of each pair and class that is sent at all; no rows where everything is."""
    if not len(routes.part):
        return np.ones((0, 1), np.float32)
    key = flows.start.astype(np.int64) * network.sites.height + flows.end
    ranks = np.arange(len(pairs.class_share))
    return np.stack([routes.share_sent(key, np.full(len(key), k)) for k in ranks], axis=1)


def _ends_of_legs(network: Network, routes: Routes) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return from where to where legs go: the network's own, then those that only the routes have."""
    own = [network.legs[name].to_physical().to_numpy() for name in ("from_site", "to_site")]
    tail = np.concatenate([own[0], routes.extra_tail]).astype(np.int32)
    head = np.concatenate([own[1], routes.extra_head]).astype(np.int32)
    return tail, head


def _loads(
    flows: _Flows, routes: Routes, n_legs: int, head: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the pieces a day of each leg, and which pairs have no way."""
    start, end = flows.start, flows.end
    streams = routes.next_leg.shape[0]
    split = np.diff(flows.class_upto, axis=1, prepend=0.0) if streams > 1 else np.ones((1, 1))
    load, no_way = np.zeros(n_legs), np.zeros(len(start), bool)
    for at in range(0, len(start), 500_000):
        part = slice(at, at + 500_000)
        volume = flows.weight[part, None] * (split[part] if len(split) > 1 else split)
        leg_loads(
            start[part], end[part], volume, routes.next_leg, flows.dest_number, head, n_legs, load,
            no_way[part],
        )  # fmt: skip
    return load, no_way


def _odds(weight: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the tables by which a pair is drawn in one step (Walker's alias method)."""
    odds, other = np.empty(len(weight), np.float32), np.empty(len(weight), np.int32)
    alias = np.empty(len(weight))
    make_alias(weight, alias, other, np.empty(len(weight), np.int64))
    odds[:] = alias
    return odds, other


def _noting(settings: ScanSettings, end_s: int) -> Noting:
    """Return how what happens is noted, with the faults asked for."""
    damage = settings.damage
    each = [
        damage.duplicates, damage.late, damage.disordered, damage.gaps, damage.unknown_site, damage.bad_time,
    ]  # fmt: skip
    return Noting(end_s, np.cumsum(each), damage.bad_s10)


def _exchange(network: Network) -> NDArray[np.bool_]:
    if "kind" not in network.sites.columns:
        return np.zeros(network.sites.height, bool)
    found = (network.sites["kind"].cast(pl.String) == "exchange").fill_null(False)
    return np.array(found.to_numpy(), bool)


def _trips(network: Network, per_day: Floats, scale: float) -> Floats:
    """Return each leg's trips a day in the log: fewer than the network's where the log is a sample.

    A trip for each ``PIECES_PER_TRIP`` pieces, at least ``LEAST_TRIPS``, never more than the
    network runs for as many pieces.
    """
    known = column(network.legs, "departures_per_day", np.nan)
    real = np.where(np.isfinite(known), known, UNKNOWN_TRIPS)
    least = np.minimum(real, LEAST_TRIPS)
    most = np.minimum(real * max(1.0, scale), MOST_TRIPS)
    wanted = np.maximum(np.ceil(per_day / PIECES_PER_TRIP), least)
    return np.asarray(np.minimum(wanted, most), np.float64)


def _bags(per_day: Floats, trips: Floats, extra: int) -> NDArray[np.int64]:
    per_trip = per_day / np.maximum(trips, 1.0)
    bags = np.clip(np.rint(per_trip / PIECES_PER_BAG), 1, MOST_BAGS)
    return np.append(bags, np.ones(extra)).astype(np.int64)


def _travel_h(network: Network) -> Floats:
    known = column(network.legs, "travel_h", np.nan)
    by_road = column(network.legs, "distance_km", UNKNOWN_TRAVEL_H * SPEED_KMH) / SPEED_KMH
    return np.asarray(np.where(np.isfinite(known), known, by_road), np.float64)


def _processing(network: Network, trips: Floats, load: Floats) -> tuple[Floats, Floats]:
    """Return seconds a piece is worked on at each site, in passing and at its last.

    ``handling_h`` counts the wait for the next departure; that wait happens in the log, so half
    the headway of the site's departures is taken off, weighed by the pieces on them.
    """
    n = network.sites.height
    tail = network.legs["from_site"].to_physical().to_numpy()
    heavy = load + 1e-9
    headway = np.where(trips > 0.0, 24.0 / np.maximum(trips, 1e-9), 0.0)
    wait = 0.5 * np.bincount(tail, headway * heavy, n) / np.maximum(np.bincount(tail, heavy, n), 1e-30)
    handling = column(network.sites, "handling_h", HANDLING_H)
    handling = np.where(handling > 0.0, handling, HANDLING_H)
    before = 3600.0 * np.maximum(0.5, handling - wait)
    last = 3600.0 * np.maximum(0.5, handling - LAST_MILE_H)
    return before, last


def _slowness(profile: Sequence[float]) -> Floats:
    """Return the factor on processing times by hour: slow at the peak, mean 1 by pieces."""
    busy = np.asarray(profile, np.float64)
    factor = 0.7 + 0.6 * busy / busy.max()
    return np.asarray(factor / np.average(factor, weights=busy), np.float64)


def _days(settings: ScanSettings) -> Floats:
    """Return the share of all items accepted before each day."""
    days = [settings.first_day + timedelta(days=k) for k in range(settings.days)]
    volumes = [settings.weekdays[day.weekday()] for day in days]
    return np.asarray(np.append(0.0, np.cumsum(volumes)) / np.sum(volumes), np.float64)


def _sites(network: Network, settings: ScanSettings) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the codes each site scans, as bits, and by how many seconds its clock is fast."""
    n = network.sites.height
    rng = np.random.Generator(np.random.PCG64(settings.seed))
    scans = np.zeros(n, np.uint32)
    for code, share in settings.site_shares().items():
        scans |= np.where(rng.random(n) < share, np.uint32(1 << CODES.index(code)), np.uint32(0))
    wrong = rng.random(n) < settings.damage.skewed_sites
    off = rng.integers(300, 2_701, n) * rng.choice([-1, 1], n)
    return scans, np.where(wrong, off, 0).astype(np.int64)


def _spans(network: Network, outages: Sequence[Outage], first_day: date) -> tuple[list[Spans], list[Spans]]:
    """Return when, how far and by how many seconds each site and each leg is slowed."""
    problems = []
    for outage in outages:
        if outage.passes_per_day is not None:
            message = f'outage "{outage.label}": a limit of vehicle passes is not played in a scan log.'
            expected = "a capacity share, extra hours or a closure"
            problems.append(
                Problem("not-played", message, "outages", column="passes_per_day", expected=expected)
            )
    if problems:
        raise InputError(problems)
    begin = datetime.combine(first_day, time(), UTC) - timedelta(hours=OFFSET_H)
    shut = closed_by_status(network)
    sites: list[Spans] = [[] for _ in range(network.sites.height)]
    legs: list[Spans] = [[] for _ in range(network.legs.height)]
    for outage in outages:
        effect = apply_outages(network, [outage])
        effect.site_share[shut] = 1.0  # nothing goes there anyway
        first = 0 if outage.start is None else int((outage.start - begin).total_seconds())
        last = FAR_S if outage.end is None else int((outage.end - begin).total_seconds())
        for found, share, extra in (
            (sites, effect.site_share, effect.site_extra_h),
            (legs, effect.leg_share, effect.leg_extra_h),
        ):
            for row in np.flatnonzero((share < 1.0) | (extra > 0.0)):
                found[row].append((max(first, 0), last, float(share[row]), 3600.0 * float(extra[row])))
    return [_apart(found) for found in sites], [_apart(found) for found in legs]


def _apart(spans: Spans) -> Spans:
    """Cut overlapping spans into ones that are not: the smallest share and the longest hours hold."""
    if not spans:
        return []
    cuts = sorted({edge for span in spans for edge in span[:2]})
    out: Spans = []
    for low, high in zip(cuts, cuts[1:], strict=False):
        inside = [span for span in spans if span[0] <= low and high <= span[1] and low < high]
        if not inside:
            continue
        share, extra = min(span[2] for span in inside), max(span[3] for span in inside)
        if out and out[-1][1] == low and out[-1][2:] == (share, extra):
            out[-1] = (out[-1][0], high, share, extra)
        else:
            out.append((low, high, share, extra))
    return out


def _flat(spans: list[Spans]) -> Slowed:
    rows = [span for found in spans for span in found]
    low, high, share, extra = (np.array([row[k] for row in rows]) for k in range(4))
    ptr = np.append(0, np.cumsum([len(found) for found in spans])).astype(np.int64)
    return Slowed(
        ptr,
        low.astype(np.int64),
        high.astype(np.int64),
        share.astype(np.float64),
        extra.astype(np.float64),
    )


def _line(spans: Spans, until_s: int) -> list[tuple[float, float]]:
    """Return when what joins a site's line is at its head: corners of a rising line.

    Work comes evenly and is done first in, first out, at ``HEADROOM`` times that rate and the
    share that is left (a fluid queue, Newell 1982). Where nothing waits, both are the same.
    """
    corners: list[tuple[float, float]] = []
    done = 0.0  # what came before this time is done
    waiting = False
    for at, (low, high, share, _) in enumerate(spans):
        if not waiting:
            if share * HEADROOM >= 1.0:
                continue
            done, waiting = float(low), True
            corners.append((done, done))
        end = float(min(high, until_s))
        following = float(min(spans[at + 1][0], until_s)) if at + 1 < len(spans) else float(until_s)
        for rate, begin, last in ((share * HEADROOM, float(low), end), (HEADROOM, end, following)):
            if not waiting or last <= begin:
                continue
            met = begin + (begin - done) / (rate - 1.0) if rate > 1.0 else np.inf
            if met <= last:
                done, waiting = met, False
                corners.append((met, met))
            else:
                done += rate * (last - begin)
                corners.append((done, last))
    return corners
