"""The same fluid, written plainly: lists of batches, first in, first out, no groups, no arrays of cells."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.outages import EntryLimit, Outage
from changtong.routes import pairs_of, routes_in_force
from changtong.simulation.simulate import SimulationSettings
from changtong.simulation.timetable import make_delays, make_epochs, rooms, sorted_pieces, time_of_day

Batch = tuple[float, int]


def waiting_by_batches(
    network: Network, outages: tuple[Outage, ...], settings: SimulationSettings
) -> NDArray[np.float64]:
    """Return pieces waiting at each site at the end of each step, (steps, sites); today's routes."""
    pairs, routes, clock = pairs_of(network), routes_in_force(network), settings.clock()
    epochs = make_epochs(network, outages, routes, (), clock, settings.start)
    room, rate = rooms(network, 0, epochs, clock), sorted_pieces(network, epochs, clock)
    delays, accepted = make_delays(network, 0, epochs, clock), time_of_day(settings.time_of_day, clock)
    firsts = [epoch.first_step for epoch in epochs]
    head = network.legs["to_site"].to_physical().to_numpy()
    dest_row = {int(site): row for row, site in enumerate(routes.dest_site)}
    n, n_classes = network.sites.height, len(pairs.class_share)
    due: dict[int, list[tuple[int, int, float, int]]] = defaultdict(
        list
    )  # step -> site, class, pieces, destination
    line: dict[tuple[int, int], list[Batch]] = defaultdict(list)
    ready: dict[tuple[int, int], list[Batch]] = defaultdict(list)
    stuck: dict[int, float] = defaultdict(float)
    tokens: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    out = np.zeros((clock.n_steps, n))
    for t in range(clock.n_steps):
        e = int(np.searchsorted(firsts, t, side="right")) - 1
        for start, end, pieces in zip(pairs.from_site, pairs.to_site, pairs.pieces, strict=True):
            split = pieces if len(pieces) > 1 else pieces[0] * pairs.class_share
            for k in range(n_classes):
                due[t + int(delays.before[e, start])].append(
                    (int(start), k, float(split[k]) * accepted[t], int(end))
                )
        for site in np.flatnonzero(pairs.local):
            for k in range(n_classes):
                amount = pairs.local[site] * pairs.class_share[k] * accepted[t]
                due[t + int(delays.before[e, site])].append((int(site), k, amount, int(site)))
        for site, k, amount, end in due.pop(t, []):
            line[site, k].append((amount, end))
        for site in range(n):
            left = float(rate[t, site])
            for k in range(n_classes):
                for amount, end in _take(line[site, k], left):
                    left -= amount
                    if end == site:
                        continue
                    leg = int(routes.next_leg[k if len(routes.next_leg) > 1 else 0][dest_row[end], site])
                    if leg < 0:
                        stuck[site] += amount
                    else:
                        ready[leg, k].append((amount, end))
        share = _let_in(epochs[e].effect.entry_limits, tokens[e], room[t], ready, n_classes, settings.step_h)
        for leg in range(network.legs.height):
            left = float(room[t, leg])
            for k in range(n_classes):
                wanted = min(left, sum(amount for amount, _ in ready[leg, k]))
                left -= wanted
                for amount, end in _take(ready[leg, k], wanted * share.get((leg, k), 1.0)):
                    arrival = t + max(1, int(delays.travel[e, leg] + delays.before[e, head[leg]]))
                    due[arrival].append((int(head[leg]), k, amount, end))
        tail = network.legs["from_site"].to_physical().to_numpy()
        for site in range(n):
            lines = sum(amount for k in range(n_classes) for amount, _ in line[site, k])
            out[t, site] = lines + stuck[site]
        for (leg, _), batches in ready.items():
            out[t, tail[leg]] += sum(amount for amount, _ in batches)
    return out[clock.warm_steps :]


def _let_in(
    limits: tuple[EntryLimit, ...],
    tokens: dict[int, float],
    room: NDArray[np.float32],
    ready: dict[tuple[int, int], list[Batch]],
    n_classes: int,
    step_h: float,
) -> dict[tuple[int, int], float]:
    """Return the share of what each leg and class could load that entry limits let in."""
    share: dict[tuple[int, int], float] = {}
    left = {int(leg): float(room[leg]) for limit in limits for leg in limit.leg_rows}
    could: dict[tuple[int, int], float] = {}
    for leg in left:
        for k in range(n_classes):
            could[leg, k] = min(left[leg], sum(amount for amount, _ in ready[leg, k]))
            left[leg] -= could[leg, k]
    for i, limit in enumerate(limits):
        tokens[i] = min(limit.pieces_per_day, tokens[i] + limit.pieces_per_day * step_h / 24.0)
        for k in range(n_classes):
            legs = [int(leg) for leg in limit.leg_rows]
            wanted = sum(could[leg, k] * share.get((leg, k), 1.0) for leg in legs)
            if wanted <= 0.0:
                continue
            part = min(1.0, tokens[i] / wanted)
            for leg in legs:
                share[leg, k] = share.get((leg, k), 1.0) * part
            tokens[i] -= part * wanted
    return share


def _take(batches: list[Batch], most: float) -> list[Batch]:
    """Take up to ``most`` pieces from the front."""
    taken: list[Batch] = []
    while batches and most > 1e-12:
        amount, end = batches.pop(0)
        part = min(amount, most)
        taken.append((part, end))
        most -= part
        if amount > part:
            batches.insert(0, (amount - part, end))
    return taken
