"""A week of the national network played forward, and a small network piece by piece in SimPy.

``python benchmarks/simulation.py --json`` plays 168 hours at county level with the busiest hub
closed for two days (no warm-up, then the usual one), and compares a small network with SimPy: the
same hourly backlogs within sampling error, and the ratio of speeds. Kernels are compiled before the
first clock starts.
"""

from __future__ import annotations

import argparse
import heapq
import json
import platform
import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from changtong.network.model import Network, build_network
from changtong.network.reference import busiest_hub, reference_network
from changtong.outages import Outage, apply_outages, close_sites
from changtong.routes import pairs_of, routes_in_force
from changtong.simulation.simulate import SimulationSettings, simulate
from changtong.simulation.timetable import GOLDEN, Clockwork, Epoch, make_delays, time_of_day
from changtong.structure import TIME_OF_DAY

START = datetime(2026, 7, 20, tzinfo=UTC)
DAYS = 4


def national(level: str, runs: int) -> dict[str, Any]:
    """Play 168 hours with the busiest hub closed for two days, today's routes in force."""
    network = reference_network(level=level)
    hub = busiest_hub(network)
    outage = close_sites(network, [hub])[0]
    outage = Outage(outage.label, sites=outage.sites, start=START, end=START + timedelta(hours=48))
    out: dict[str, Any] = {
        "level": level, "closed": hub, "sites": network.sites.height, "legs": network.legs.height,
        "pairs": network.demand.height, "classes": network.service_classes.height, "hours": 168,
        "network_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    simulate(small(), settings=SimulationSettings(hours=24.0, warm_up_h=0.0))  # compiles
    for warm in (0.0, 120.0):
        seconds = []
        for _ in range(runs):
            begin = time.perf_counter()
            run = simulate(network, (outage,), settings=SimulationSettings(warm_up_h=warm, start=START))
            seconds.append(time.perf_counter() - begin)
        name = "week_s" if warm == 0.0 else "week_with_warm_up_s"
        out[name] = float(np.median(seconds))
        out["imbalance_pieces"] = run.imbalance_pieces
        out["accepted_pieces"] = run.summary()["accepted_pieces"]
    out["simulation_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return out


def small() -> Network:
    """Four cities, two hubs: every city by its hub, the hubs by each other; hubs 80 % busy."""
    cities, hubs = ["A", "B", "C", "D"], ["X", "Y"]
    own = {"A": "X", "B": "X", "C": "Y", "D": "Y"}
    legs = [leg for city in cities for leg in ((city, own[city]), (own[city], city))] + [
        ("X", "Y"),
        ("Y", "X"),
    ]
    pairs = [(a, b) for a in cities for b in cities if a != b]
    return build_network(
        {
            "sites": pl.DataFrame(
                {
                    "site_id": cities + hubs,
                    "sort_pieces_per_h": [None] * 4 + [500.0, 500.0],
                    "sort_hours_per_day": [24.0] * 6,
                    "handling_h": [6.0] * 4 + [4.0] * 2,
                },
                schema_overrides={"sort_pieces_per_h": pl.Float64},
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": [a for a, _ in legs],
                    "to_site": [b for _, b in legs],
                    "travel_h": [2.0] * 8 + [7.0] * 2,
                    "departures_per_day": [4.0] * 8 + [3.0] * 2,
                    "capacity_pieces_per_day": [4400.0] * 8 + [6000.0] * 2,
                    "flow_pieces_per_day": [1800.0] * 8 + [2400.0] * 2,
                }
            ),
            "demand": pl.DataFrame(
                {
                    "from_site": [a for a, _ in pairs],
                    "to_site": [b for _, b in pairs],
                    "pieces_per_day": [600.0] * len(pairs),
                }
            ),
            "service_classes": pl.DataFrame(
                {"service_class": ["first", "second"], "rank": [1, 2], "share": [0.2, 0.8]}
            ),
        },
        name="small",
    )


def slowed() -> Outage:
    """One hub at 40 % for twelve hours of the second day."""
    return Outage(
        "slowed",
        sites=("X",),
        capacity_share=0.4,
        start=START + timedelta(hours=32),
        end=START + timedelta(hours=44),
    )


@dataclass
class PieceByPiece:
    """The small network as SimPy processes: one for each piece, one sorter a site, one clock a leg."""

    network: Network
    seed: int
    env: Any = None
    lines: dict[int, list[Any]] = field(default_factory=dict)
    ready: dict[int, list[Any]] = field(default_factory=dict)
    counts: list[list[int]] = field(default_factory=list)
    pieces: int = 0

    def run(self, hours: float) -> np.ndarray:
        """Return pieces waiting at each site at the end of each hour."""
        import simpy

        self.env = simpy.Environment()
        network, rng = self.network, np.random.default_rng(self.seed)
        pairs, routes = pairs_of(network), routes_in_force(network)
        self.next_leg, self.dest = routes.next_leg[0], routes.dest_site
        legs = network.legs
        self.tail = legs["from_site"].to_physical().to_numpy()
        self.head = legs["to_site"].to_physical().to_numpy()
        self.travel = legs["travel_h"].to_numpy()
        clock = Clockwork(1.0, int(hours), 0, 0.0)
        epoch = Epoch(0, apply_outages(network, ()), routes)
        delays = make_delays(network, 0, [epoch], Clockwork(1e-3, 1, 0, 0.0))
        self.before, self.after = delays.before[0] * 1e-3, delays.after * 1e-3
        self.rate = network.sites["sort_pieces_per_h"].fill_null(np.inf).to_numpy()
        self.lines = {s: [] for s in range(network.sites.height)}
        self.wake = {s: self.env.event() for s in self.lines}
        self.ready = {a: [] for a in range(legs.height)}
        for s in self.lines:
            self.env.process(self._sorter(s))
        for a in self.ready:
            self.env.process(self._clock(a, hours))
        hourly = time_of_day(TIME_OF_DAY, clock)
        share = pairs.class_share
        for start, end, amount in zip(pairs.from_site, pairs.to_site, pairs.pieces[:, 0], strict=True):
            for k, part in enumerate(share):
                for hour in range(int(hours)):
                    for _ in range(rng.poisson(amount * part * hourly[hour])):
                        self.env.process(self._accept(hour + rng.random(), int(start), int(end), k))
        self.env.process(self._watch(hours))
        self.env.run(until=hours + 1e-6)
        return np.array(self.counts)

    def _accept(self, at: float, site: int, dest: int, rank: int) -> Any:
        yield self.env.timeout(at)
        yield from self._reach(site, dest, rank)

    def _reach(self, site: int, dest: int, rank: int) -> Any:
        """Handle a piece and put it in the line of a site."""
        if self.before[site] > 0.0:
            yield self.env.timeout(self.before[site])
        self.pieces += 1
        heapq.heappush(self.lines[site], (rank, self.pieces, dest))
        if not self.wake[site].triggered:
            self.wake[site].succeed()

    def _sorter(self, site: int) -> Any:
        while True:
            while not self.lines[site]:
                self.wake[site] = self.env.event()
                yield self.wake[site]
            if np.isfinite(self.rate[site]):
                slow = site == self.network.site_ids.index("X") and 32.0 <= self.env.now < 44.0
                yield self.env.timeout(1.0 / (self.rate[site] * (0.4 if slow else 1.0)))
            rank, number, dest = heapq.heappop(self.lines[site])
            if dest != site:
                leg = int(self.next_leg[int(np.searchsorted(self.dest, dest)), site])
                heapq.heappush(self.ready[leg], (rank, number, dest))

    def _clock(self, leg: int, hours: float) -> Any:
        trips = float(self.network.legs["departures_per_day"][leg])
        room = int(self.network.legs["capacity_pieces_per_day"][leg] / trips)
        phase = (leg + 1) * GOLDEN % 1.0
        number = 0
        while True:
            at = (number + phase) / trips * 24.0
            number += 1
            if at > hours:
                return
            if at > self.env.now:
                yield self.env.timeout(at - self.env.now)
            for _ in range(min(room, len(self.ready[leg]))):
                rank, _, dest = heapq.heappop(self.ready[leg])
                self.env.process(self._ride(leg, dest, rank))

    def _ride(self, leg: int, dest: int, rank: int) -> Any:
        yield self.env.timeout(float(self.travel[leg]))
        yield from self._reach(int(self.head[leg]), dest, rank)

    def _watch(self, hours: float) -> Any:
        for _ in range(int(hours)):
            yield self.env.timeout(1.0)
            waiting = [len(line) for line in self.lines.values()]
            for leg, pieces in self.ready.items():
                waiting[int(self.tail[leg])] += len(pieces)
            self.counts.append(waiting)


def beside_simpy(replications: int, step_h: float = 0.05) -> dict[str, Any]:
    """Compare hourly backlogs at every site: fluid, and the mean of pieces drawn at random."""
    network = small()
    hours = 24.0 * DAYS
    options = SimulationSettings(hours=hours, warm_up_h=0.0, step_h=step_h, start=START)
    simulate(network, (slowed(),), settings=options)  # loads the kernels
    begin = time.perf_counter()
    run = simulate(network, (slowed(),), settings=options)
    ours_s = time.perf_counter() - begin
    every = round(1.0 / step_h)
    frame = run.backlog.group_by("hour", "site_id").agg(pl.col("waiting_pieces").sum())
    ours = np.zeros((int(hours), network.sites.height))
    ids = {site: k for k, site in enumerate(network.site_ids)}
    for hour, site, pieces in frame.iter_rows():
        whole = round(hour / step_h)
        if whole % every == 0:
            ours[whole // every - 1, ids[str(site)]] = pieces
    seconds, drawn = [], []
    for seed in range(replications):
        begin = time.perf_counter()
        drawn.append(PieceByPiece(network, seed).run(hours))
        seconds.append(time.perf_counter() - begin)
    found = np.array(drawn, float)
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(replications)
    off = np.abs(ours - mean)
    in_a_step = run.sites["sorted_pieces"].to_numpy() / hours * step_h
    return {
        "replications": replications,
        "pieces_a_day": float(network.demand["pieces_per_day"].sum()),
        "hours": hours,
        "step_h": step_h,
        "ours_s": ours_s,
        "simpy_s": float(np.median(seconds)),
        "ratio": float(np.median(seconds)) / ours_s,
        "peak_backlog_pieces": float(mean.max()),
        "mean_difference_pieces": float(off.mean()),
        "worst_difference_pieces": float(off.max()),
        "root_mean_square_share": float(np.sqrt((off**2).mean()) / np.sqrt((mean**2).mean())),
        "within_3_errors_share": float((off <= 3.0 * error + 1.0).mean()),
        "within_3_errors_and_a_step_share": float((off <= 3.0 * error + 1.0 + in_a_step).mean()),
        "one_run_error_share": float(
            np.sqrt((found.std(axis=0, ddof=1) ** 2).mean()) / np.sqrt((mean**2).mean())
        ),
    }


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=("county", "city"), default="county")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--part", choices=("national", "simpy"), action="append")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts = given.part or ["simpy", "national"]
    answer: dict[str, Any] = {"machine": f"{platform.machine()}, Python {platform.python_version()}"}
    if "simpy" in parts:
        answer |= beside_simpy(given.replications)
    if "national" in parts:
        answer |= national(given.level, given.runs)
    print(json.dumps(answer) if given.json else json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
