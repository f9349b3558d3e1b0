"""What the scripts of a simulation's page play: frames of every site that ever has a backlog, packed.

Pieces are kept as the root of their share of the largest value, in 16 bits: a value of a hundred
is right to a piece where the largest is ten million, and the largest to a few hundred. Yes and no
are kept in one bit.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.report.map_data import draw_network, whole_list
from changtong.report.plan_view import rows_of, site_names
from changtong.report.projection import Picture
from changtong.report.simulation_view import Clock
from changtong.simulation.result import Simulation, is_above_hold, is_grown
from changtong.structure import column

Floats = NDArray[np.float64]
FULL = 65_535


@dataclass(frozen=True, slots=True)
class PlayLimits:
    """How much a page plays at most; it says what it leaves out."""

    frames: int = 504
    sites: int = 4000


@dataclass(frozen=True)
class Backlog:
    """What waits, by step and site.

    Attributes
    ----------
    hours : array, (steps,)
        Ends of the steps.
    waiting, usual, held : array, (steps, sites)
        Pieces that wait to go on, as many as do at that hour of a usual day, and those held by
        order besides.
    grown, burst : array of bool, (steps, sites)
        More wait than usual; more are there, held ones included, than the site can hold.
    """

    hours: Floats
    waiting: Floats
    usual: Floats
    held: Floats
    grown: NDArray[np.bool_]
    burst: NDArray[np.bool_]

    @property
    def above(self) -> Floats:
        """Pieces that wait above the usual of the hour."""
        return np.maximum(0.0, self.waiting - self.usual)


@dataclass(frozen=True)
class Playback:
    """The data of the scripts, and how much of the run is in it."""

    data: dict[str, Any]
    kind: str
    every: int
    sites_played: int
    sites_moving: int
    unplaced: int


def read_backlog(run: Simulation) -> Backlog:
    """Put the frames of a run's backlog back into arrays."""
    n_sites, hours = run.network.sites.height, run.hours["hour"].to_numpy().astype(np.float64)
    step_h, n_steps = float(run.settings.step_h), len(run.hours)

    def dense(frame: pl.DataFrame, name: str, rows: int) -> Floats:
        at = np.rint(frame["hour"].to_numpy() / step_h).astype(np.int64) - 1
        cell = at * n_sites + rows_of(run.network, frame["site_id"])
        pieces = frame[name].cast(pl.Float64).to_numpy()
        total = np.asarray(np.bincount(cell, pieces, rows * n_sites), np.float64)
        return total.reshape(rows, n_sites)

    present = dense(run.backlog, "waiting_pieces", n_steps)
    held = dense(run.backlog, "held_pieces", n_steps)
    waiting = np.maximum(0.0, present - held)
    day = max(1, min(n_steps, round(24.0 / step_h)))
    usual = dense(run.usual, "waiting_pieces", day)[np.arange(n_steps) % day]
    a_day = run.sites["sorted_pieces"].to_numpy() * 24.0 / max(float(hours[-1]), 1e-9)
    return Backlog(
        hours=hours,
        waiting=waiting,
        usual=usual,
        held=held,
        grown=is_grown(waiting, usual, a_day),
        burst=is_above_hold(present, column(run.network.sites, "hold_pieces", np.inf)),
    )


def pack_pieces(values: Floats) -> dict[str, Any]:
    """Pack pieces, (sites, frames), as base64 of little-endian 16-bit roots, site by site."""
    top = float(values.max(initial=0.0))
    roots = np.rint(np.sqrt(values / top) * FULL) if top > 0.0 else np.zeros(values.shape)
    return {"top": round(top, 3), "bytes": base64.b64encode(roots.astype("<u2").tobytes()).decode()}


def unpack_pieces(packed: dict[str, Any], shape: tuple[int, int]) -> Floats:
    """Return what :func:`pack_pieces` has packed, as near as it was kept; the scripts do the same."""
    roots = np.frombuffer(base64.b64decode(packed["bytes"]), "<u2").astype(np.float64)
    return np.asarray((roots / FULL) ** 2 * packed["top"]).reshape(shape)


def pack_bits(values: NDArray[np.bool_]) -> str:
    """Pack yes and no, (sites, frames), as base64 of bits, the first one highest, site by site."""
    return base64.b64encode(np.packbits(values.ravel()).tobytes()).decode()


def unpack_bits(packed: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return what :func:`pack_bits` has packed."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8), count=shape[0] * shape[1])
    return bits.astype(np.bool_).reshape(shape)


def collect_playback(run: Simulation, backlog: Backlog, clock: Clock, limits: PlayLimits) -> Playback:
    """Collect all data of the scripts."""
    network = run.network
    every = -(-len(backlog.hours) // limits.frames)
    frames = np.unique(np.append(np.arange(every - 1, len(backlog.hours), every), len(backlog.hours) - 1))
    ever = np.asarray((backlog.grown | backlog.burst).any(axis=0))
    most = backlog.above.max(axis=0, initial=0.0)
    order = np.argsort(-most, kind="stable")
    moving = order[ever[order]]
    played = moving[: limits.sites]
    flows = run.legs.select(
        pl.col("from_site", "to_site"),
        baseline_pieces=pl.col("carried_pieces"),
        planned_pieces=pl.col("carried_pieces"),
    )
    picture = draw_network(network, flows)
    data = {
        "kind": picture.kind,
        "metres": picture.metres_per_step,
        "land": picture.land,
        "sites": _site_columns(run, picture),
        "play": _play(run, backlog, played, frames),
        "totals": _totals(run, backlog, frames),
        "phases": _phases(run),
        "frameH": float(run.settings.step_h) * every,
        "hours": [round(float(hour), 4) for hour in backlog.hours[frames]],
        "when": {
            language: [clock.say(hour).said_in(language) for hour in backlog.hours[frames]]
            for language in ("zh", "en")
        },
    }
    return Playback(
        data=data,
        kind=picture.kind,
        every=every,
        sites_played=len(played),
        sites_moving=len(moving),
        unplaced=int((~picture.placed).sum()),
    )


def _site_columns(run: Simulation, picture: Picture) -> dict[str, Any]:
    names, ids = site_names(run.network), run.network.site_ids
    return {
        "id": list(ids),
        "name": [names[site_id] for site_id in ids],
        "x": picture.x.tolist(),
        "y": picture.y.tolist(),
        "placed": [int(there) for there in picture.placed],
        "peak": whole_list(run.sites["peak_pieces"]),
        "hold": whole_list(column(run.network.sites, "hold_pieces", np.nan)),
    }


def _play(run: Simulation, backlog: Backlog, played: NDArray[np.int64], frames: Any) -> dict[str, Any]:
    cut = np.ix_(frames, played)
    held = backlog.held[cut].T
    holding = np.flatnonzero(held.max(axis=1, initial=0.0) >= 0.5)
    return {
        "site": played.tolist(),
        "waiting": pack_pieces(backlog.waiting[cut].T),
        "above": pack_pieces(backlog.above[cut].T),
        "grown": pack_bits(backlog.grown[cut].T),
        "burst": pack_bits(backlog.burst[cut].T),
        "holding": holding.tolist(),
        "held": pack_pieces(held[holding]),
    }


def _totals(run: Simulation, backlog: Backlog, frames: Any) -> dict[str, list[int]]:
    hours = run.hours
    columns = {
        "waiting": (hours["waiting_pieces"] - hours["held_pieces"]).to_numpy(),
        "above": backlog.above.sum(axis=1),
        "held": hours["held_pieces"].to_numpy(),
        "underWay": hours["under_way_pieces"].to_numpy(),
        "grown": backlog.grown.sum(axis=1),
        "burst": backlog.burst.sum(axis=1),
    }
    return {name: np.rint(values[frames]).astype(np.int64).tolist() for name, values in columns.items()}


def _phases(run: Simulation) -> list[dict[str, Any]]:
    """Return, for each phase, the rows of the sites shut and slowed."""
    found = []
    for phase in run.phases.iter_rows(named=True):
        here = run.limited.filter(pl.col("from_h") == phase["from_h"])
        rows, share = rows_of(run.network, here["site_id"]), here["capacity_share"].to_numpy()
        found.append(
            {
                "from": phase["from_h"],
                "to": phase["to_h"],
                "shut": rows[share <= 0.0].tolist(),
                "slowed": rows[share > 0.0].tolist(),
            }
        )
    return found
