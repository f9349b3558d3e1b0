"""Plan, play the plan forward, and plan again with tighter limits where it does not hold.

A plan keeps every capacity of an average day. Played forward it may still drown a site: pieces come
by the time of day, trips leave at their hours, and what queued up before the plan took effect must
drain. Where a backlog keeps growing, the next plan is made with a little less of the capacity that
drowned; the simulation always runs on the network as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.flows.flow import Progress
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.planning.plan import plan
from changtong.planning.result import Plan, PlanSettings
from changtong.simulation.result import Simulation
from changtong.simulation.simulate import SimulationSettings, simulate
from changtong.simulation.timetable import RouteChange
from changtong.structure import column

Floats = NDArray[np.float64]

TIGHTER = 0.92
"""Factor on a capacity that let a backlog grow: what is left drains it."""

ROUNDS = 3
"""Plans made at most."""

LEAST = 0.5
"""Factor on the capacity of a leg at least, however much waits for it."""

USUAL_DAYS = 1.2
"""Waiting for a leg up to what it carries in so many days is no trouble: it may leave once a day."""

HOURS = 72.0
"""Hours each plan is played forward."""


@dataclass(frozen=True)
class Verified:
    """A plan that was played forward.

    Attributes
    ----------
    plan : Plan
        The first that holds; where none does, the one with the fewest sites in trouble.
    run : Simulation
        Of that plan.
    rounds : polars.DataFrame
        One row a plan made: round, holds, growing_sites, burst_sites, unserved_pieces, cost_cny,
        tightened_sites, tightened_legs (capacities it was given less of).
    """

    plan: Plan
    run: Simulation
    rounds: pl.DataFrame

    @property
    def holds(self) -> bool:
        """Whether the plan holds."""
        return bool(self.run.summary()["holds"])

    def trouble(self) -> pl.DataFrame:
        """Return the sites where the plan does not hold: site_id, what (growing, burst), pieces, hour."""
        return trouble(self.run)

    def summary(self) -> dict[str, Any]:
        """Return what was found, for JSON."""
        return {
            "holds": self.holds,
            "hours": self.run.summary()["hours"],
            "plans_made": self.rounds.height,
            "trouble": self.trouble().head(20).to_dicts(),
            "rounds": self.rounds.to_dicts(),
        }

    def __str__(self) -> str:
        s = self.summary()
        found = self.trouble()
        verdict = "it holds" if s["holds"] else f"it does not hold at {found['site_id'].n_unique():,} sites"
        lines = [f"  played forward {s['hours']:g} hours: {verdict} ({s['plans_made']} plans made)"]
        for row in found.head(5).iter_rows(named=True):
            what = "backlog still growing" if row["what"] == "growing" else "above what it can hold by"
            lines.append(
                f"    {row['site_id']}: {what}, {row['pieces']:,.0f} pieces, from hour {row['from_h']:g}"
            )
        return "\n".join(lines)


def trouble(run: Simulation) -> pl.DataFrame:
    """Return the open sites with a growing backlog, or more than they can hold."""
    sites = run.sites.with_columns(pl.col("site_id").cast(pl.String))
    growing = sites.filter(pl.col("growing") & ~pl.col("closed_at_end"))
    burst = sites.filter((pl.col("burst_hours") > 0.0) & (pl.col("closed_hours") == 0.0))
    return pl.concat(
        [
            growing.select(
                "site_id", what=pl.lit("growing"), pieces=pl.col("end_pieces"), from_h=pl.col("grows_h")
            ),
            burst.select(
                "site_id",
                what=pl.lit("burst"),
                pieces=pl.col("burst_peak_pieces"),
                from_h=pl.col("burst_from_h"),
            ),
        ]
    ).sort("pieces", "site_id", descending=[True, False])


def plan_verified(
    network: Network,
    outages: Sequence[Outage] = (),
    *,
    objectives: tuple[str, ...] | None = None,
    settings: PlanSettings | None = None,
    simulation: SimulationSettings | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Verified:
    """Plan until a plan holds when played forward, or ``ROUNDS`` plans are made.

    Parameters
    ----------
    network, outages, objectives, settings, progress, name
        As for :func:`changtong.planning.plan.plan`; the outages are in force throughout.
    simulation : SimulationSettings, optional
        How long and how finely each plan is played forward: 72 hours by default.

    Returns
    -------
    Verified
    """
    played = simulation or SimulationSettings(hours=HOURS)
    lasting = tuple(replace(outage, start=None, end=None) for outage in outages)
    order = {} if objectives is None else {"objectives": objectives}
    site_share, leg_share = np.ones(network.sites.height), np.ones(network.legs.height)
    best: tuple[tuple[bool, int, float], Plan, Simulation] | None = None
    rows = []
    for number in range(1, ROUNDS + 1):
        tightened = _tightened(network, site_share, leg_share)
        made = plan(tightened, outages, settings=settings, progress=progress, name=name, **order)
        run = simulate(network, lasting, routes=[RouteChange(0.0, made.routes())], settings=played, name=name)
        found = trouble(run)
        counts = dict(found.group_by("what").len().iter_rows())
        rows.append(
            {
                "round": number,
                "holds": found.height == 0,
                "growing_sites": counts.get("growing", 0),
                "burst_sites": counts.get("burst", 0),
                "unserved_pieces": made.value("unserved"),
                "cost_cny": made.value("cost"),
                "tightened_sites": int((site_share < 1.0).sum()),
                "tightened_legs": int((leg_share < 1.0).sum()),
            }
        )
        rank = (found.height > 0, found["site_id"].n_unique(), made.value("unserved"))
        if best is None or rank < best[0]:
            best = rank, replace(made, network=network), run
        if not found.height or not _tighten(network, run, found, site_share, leg_share):
            break
    assert best is not None
    return Verified(best[1], best[2], pl.DataFrame(rows))


def _tightened(network: Network, site_share: Floats, leg_share: Floats) -> Network:
    """Return the network with less of some capacities."""
    if (site_share >= 1.0).all() and (leg_share >= 1.0).all():
        return network
    rate = column(network.sites, "sort_pieces_per_h", np.inf) * site_share
    capacity = column(network.legs, "capacity_pieces_per_day", np.inf) * leg_share
    return network.with_tables(
        sites=network.sites.with_columns(_finite("sort_pieces_per_h", rate)),
        legs=network.legs.with_columns(_finite("capacity_pieces_per_day", capacity)),
    )


def _finite(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, np.where(np.isfinite(values), values, np.nan), nan_to_null=True)


def _tighten(
    network: Network, run: Simulation, found: pl.DataFrame, site_share: Floats, leg_share: Floats
) -> bool:
    """Lower the capacities behind the trouble; return whether any could be lowered."""
    rows = {site: row for row, site in enumerate(network.site_ids)}
    tail = network.legs["from_site"].to_physical().to_numpy()
    place = network.legs.select("from_site", "to_site").with_row_index("row")
    left = run.legs.join(place, on=["from_site", "to_site"], how="left")
    waits, carries = np.zeros(network.legs.height), np.zeros(network.legs.height)
    days = run.summary()["hours"] / 24.0
    waits[left["row"].to_numpy()] = left["left_end_pieces"].to_numpy()
    carries[left["row"].to_numpy()] = left["carried_pieces"].to_numpy() / days
    capacity = column(network.legs, "capacity_pieces_per_day", np.inf)
    # what waits must drain beside what comes: a day's share of it is taken off
    less = np.clip(1.0 - waits / days / np.maximum(capacity, 1e-9), LEAST, TIGHTER)
    last = run.backlog.filter(pl.col("hour") == run.backlog["hour"].max())
    ready = dict(
        last.with_columns(pl.col("site_id").cast(pl.String))
        .group_by("site_id")
        .agg((pl.col("waiting_pieces") - pl.col("sorted_pieces") - pl.col("held_pieces")).sum())
        .iter_rows()
    )
    changed = False
    for site, what, pieces, _ in found.iter_rows():
        row = rows[site]
        limited = np.isfinite(column(network.sites, "sort_pieces_per_h", np.inf)[row])
        if limited and (what == "burst" or ready.get(site, 0.0) > 0.5 * pieces):
            site_share[row] *= TIGHTER
            changed = True
            continue
        full = (tail == row) & (waits > 0.02 * pieces) & (waits > USUAL_DAYS * carries)
        leg_share[full] *= less[full]
        changed = changed or bool(full.any())
    return changed
