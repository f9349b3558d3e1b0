"""What a simulation says: frames a person or a program can act on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.simulation.lateness import Times
from changtong.simulation.machine import Machine
from changtong.simulation.timetable import Clockwork, Epoch
from changtong.spreadsheets import write_rows
from changtong.structure import class_table, column

Floats = NDArray[np.float64]

TABLES = ("classes", "hours", "sites", "legs", "backlog", "usual", "phases", "limited")
BANDS = ("runs", "hours", "classes", "sites")
"""Frames of replications, kept beside a run."""

RUN_FILES = {"run.json", "study.json", "report.html", *(f"replications_{name}.csv" for name in BANDS)} | {
    f"{name}.{ending}" for name in TABLES for ending in ("csv", "parquet")
}
PARQUET_FROM_ROWS = 200_000

ABOVE = 0.05
"""Share above the usual backlog of an hour of the day from which a backlog counts as grown …"""

AT_LEAST = 0.01
"""… and this share of what the site sorts in a usual day."""

QUANTILES = (0.5, 0.8, 0.95)


def is_run_folder(path: Path) -> bool:
    """Tell whether a folder holds a simulation: only such a one is ever replaced."""
    return (path / "run.json").is_file()


RUN_FOLDER: dict[str, Any] = {
    "is_ours": is_run_folder,
    "what": "simulation folder (it has no run.json)",
    "code": "not-a-run-folder",
}


@dataclass(frozen=True)
class Simulation:
    """A network played forward.

    Frames (columns in docs/simulation.md): ``classes``, ``hours``, ``sites``, ``legs``,
    ``backlog``, ``usual`` (what waits on a day when nothing is wrong), ``phases`` (spans in which
    neither outages nor routes change) and ``limited`` (sites below their capacity, by phase). Hours
    count from the beginning; a value at hour 5 is that at its end.
    """

    name: str
    network: Network
    outages: tuple[Outage, ...]
    settings: Any
    runtime_s: float
    imbalance_pieces: float
    classes: pl.DataFrame
    hours: pl.DataFrame
    sites: pl.DataFrame
    legs: pl.DataFrame
    backlog: pl.DataFrame
    usual: pl.DataFrame
    phases: pl.DataFrame
    limited: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by."""
        last = self.hours.row(-1, named=True)
        grown = self.sites.filter(pl.col("grows_h").is_not_null())
        burst = self.sites.filter(pl.col("burst_hours") > 0.0)
        open_end = grown.filter(pl.col("clears_h").is_null())
        growing = self.sites.filter(pl.col("growing") & ~pl.col("closed_at_end"))
        cleared = None
        if grown.height and not open_end.height:
            cleared = float(grown["clears_h"].max())  # type: ignore[arg-type]
        return {
            "name": self.name,
            "hours": float(last["hour"]),
            "accepted_pieces": float(self.classes["accepted_pieces"].sum()),
            "delivered_pieces": float(self.hours["delivered_pieces"].sum()),
            "due_pieces": float(self.classes["due_pieces"].sum()),
            "late_pieces": float(self.classes["late_pieces"].sum()),
            "open_pieces": float(self.classes["open_pieces"].sum()),
            "waiting_pieces": float(last["waiting_pieces"]),
            "under_way_pieces": float(last["under_way_pieces"]),
            "handled_pieces": float(last["handled_pieces"]),
            "held_pieces": float(last["held_pieces"]),
            "mean_h": _mean(self.classes),
            "peak_waiting_pieces": float(self.hours["waiting_pieces"].max() or 0.0),  # type: ignore[arg-type]
            "sites_grown": grown.height,
            "sites_not_cleared": open_end.height,
            "cleared_h": cleared,
            "sites_growing": growing.height,
            "sites_burst": burst.height,
            "holds": growing.height == 0 and burst.filter(pl.col("closed_hours") == 0.0).height == 0,
            "imbalance_pieces": self.imbalance_pieces,
            "runtime_s": self.runtime_s,
        }

    def to_json(self) -> str:
        """Return the summary with classes and the sites that grew, as JSON."""
        facts = self.summary() | {
            "classes": self.classes.to_dicts(),
            "sites": self.grown_sites(20).to_dicts(),
        }
        return json.dumps(facts, ensure_ascii=False, indent=1, default=str)

    def grown_sites(self, top: int) -> pl.DataFrame:
        """Return the sites whose backlog grew most."""
        grown = self.sites.filter(pl.col("grows_h").is_not_null() | (pl.col("burst_hours") > 0.0))
        by = ["peak_above_pieces", "site_id"]
        return (
            grown.with_columns(pl.col("site_id").cast(pl.String)).sort(by, descending=[True, False]).head(top)
        )

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{self.name}: {s['hours']:g} hours in {s['runtime_s']:.1f} s",
            f"  pieces accepted {s['accepted_pieces']:,.0f}, delivered {s['delivered_pieces']:,.0f}, "
            f"due {s['due_pieces']:,.0f}, of them late {s['late_pieces']:,.0f}",
            f"  at the end: waiting {s['waiting_pieces']:,.0f} (held by order {s['held_pieces']:,.0f}), "
            f"under way {s['under_way_pieces']:,.0f}, in handling {s['handled_pieces']:,.0f}",
            "  class            accepted     delivered           due          late   mean h   80 % h",
        ]
        for row in self.classes.iter_rows(named=True):
            mean = "-" if row["mean_h"] is None else f"{row['mean_h']:.1f}"
            most = "-" if row["p80_h"] is None else f"{row['p80_h']:.1f}"
            lines.append(
                f"  {row['rank']} {row['service_class']:<12}{row['accepted_pieces']:>12,.0f}"
                f"{row['delivered_pieces']:>14,.0f}{row['due_pieces']:>14,.0f}{row['late_pieces']:>14,.0f}"
                f"{mean:>9}{most:>9}"
            )
        grown = self.grown_sites(5)
        if grown.height:
            lines.append(f"  backlog grew at {s['sites_grown']:,} sites, most at:")
        for row in grown.iter_rows(named=True):
            end = (
                "not cleared by the end"
                if row["clears_h"] is None
                else f"cleared at hour {row['clears_h']:g}"
            )
            over = f", {row['burst_hours']:g} h above what it can hold" if row["burst_hours"] > 0.0 else ""
            lines.append(
                f"    {row['site_id']}: {row['peak_pieces']:,.0f} at hour {row['peak_h']:g}, {end}{over}"
            )
        said = "holds" if s["holds"] else "does not hold"
        lines.append(
            f"  it {said}: backlog still growing at {s['sites_growing']:,} open sites, "
            f"{s['sites_burst']:,} sites above what they can hold"
        )
        return "\n".join(lines)

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        return {name: getattr(self, name) for name in TABLES}

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write every frame and ``run.json`` to a folder, whole or not at all.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """
        return write_whole_folder(
            Path(folder), lambda beside: self._fill(beside, extra), own_files=RUN_FILES, **RUN_FOLDER
        )

    def _fill(self, folder: Path, extra: Callable[[Path], None] | None) -> None:
        for name, frame in self.tables().items():
            write_rows(frame, folder / name, parquet_from_rows=PARQUET_FROM_ROWS)
        facts = self.summary() | {"settings": asdict(self.settings)}
        (folder / "run.json").write_text(
            json.dumps(facts, ensure_ascii=False, indent=1, default=str), "utf-8"
        )
        if extra is not None:
            extra(folder)


def _mean(classes: pl.DataFrame) -> float | None:
    known = classes.drop_nulls("mean_h")
    pieces = float(known["timed_pieces"].sum())
    if pieces <= 0.0:
        return None
    return float((known["mean_h"] * known["timed_pieces"]).sum()) / pieces


def read_result(
    network: Network,
    outages: tuple[Outage, ...],
    epochs: Sequence[Epoch],
    clock: Clockwork,
    machine: Machine,
    times: Times,
    *,
    settings_: Any,
    name: str,
    worst: float,
    seconds: float,
) -> Simulation:
    """Put what a run has recorded into frames, from the beginning on."""
    return Simulation(
        name=name,
        network=network,
        outages=outages,
        settings=settings_,
        runtime_s=seconds,
        imbalance_pieces=worst,
        classes=_classes(network, clock, machine, times),
        hours=_hours(clock, machine),
        sites=_sites(network, epochs, clock, machine),
        legs=_legs(network, clock, machine),
        backlog=_backlog(network, clock, machine),
        usual=_usual_day(network, clock, machine),
        phases=_phases(epochs, clock),
        limited=_limited(network, epochs, clock),
    )


def _classes(network: Network, clock: Clockwork, machine: Machine, times: Times) -> pl.DataFrame:
    classes = class_table(network)
    step, timed = clock.step_h, times.hours.sum(axis=1)
    hours = np.arange(times.hours.shape[1]) * step
    mean = np.where(timed > 0.0, times.hours @ hours / np.maximum(timed, 1e-30), np.nan)
    upto = np.cumsum(times.hours, axis=1)

    def quantile(q: float) -> Floats:
        rows = zip(upto, timed, strict=True)
        return np.array([np.interp(q * whole, row, hours) if whole > 0.0 else np.nan for row, whole in rows])

    stages = np.where((timed > 0.0)[:, None], times.stages_h, np.nan)
    on_time = np.where(times.due > 0.0, 1.0 - times.late / np.maximum(times.due, 1e-30), np.nan)
    frame = {
        "service_class": classes["service_class"].cast(pl.String),
        "rank": classes["rank"],
        "promise_h": classes["promise_h"],
        "accepted_pieces": machine.record.accepted[clock.warm_steps :].sum(axis=0),
        "delivered_pieces": machine.record.delivered[clock.warm_steps :].sum(axis=(0, 1), dtype=np.float64),
        "due_pieces": times.due,
        "late_pieces": times.late,
        "on_time_share": pl.Series(on_time, nan_to_null=True),
        "open_pieces": times.open,
        "timed_pieces": timed,
        "mean_h": pl.Series(mean, nan_to_null=True),
    }
    frame |= {f"p{q * 100:.0f}_h": pl.Series(quantile(q), nan_to_null=True) for q in QUANTILES}
    frame |= {
        key: pl.Series(stages[:, i], nan_to_null=True)
        for i, key in enumerate(("first_site_h", "on_the_way_h", "last_line_h", "delivery_h"))
    }
    return pl.DataFrame(frame)


def _hours(clock: Clockwork, machine: Machine) -> pl.DataFrame:
    record, seen = machine.record, slice(clock.warm_steps, None)

    def at_sites(values: NDArray[np.float32]) -> Floats:
        return np.asarray(values[seen].sum(axis=(1, 2), dtype=np.float64))

    return pl.DataFrame(
        {
            "hour": clock.hours[seen],
            "accepted_pieces": record.accepted[seen].sum(axis=1),
            "delivered_pieces": at_sites(record.delivered),
            "waiting_pieces": at_sites(record.waiting),
            "held_pieces": at_sites(record.held),
            "under_way_pieces": record.under_way[seen].sum(axis=1),
            "handled_pieces": record.handled[seen].sum(axis=1),
        }
    )


def _usual(record_waiting: Floats, clock: Clockwork) -> Floats:
    """Return each site's backlog of each step as it was on the last day of the warm-up, (steps, sites)."""
    day = round(24.0 / clock.step_h)
    n = clock.n_steps - clock.warm_steps
    if clock.warm_steps < day or day < 1:
        return np.zeros((n, record_waiting.shape[1]))
    last = record_waiting[clock.warm_steps - day : clock.warm_steps]
    return np.asarray(last[np.arange(n) % day], np.float64)


def is_grown(lines: Floats, usual: Floats, sorted_a_day: Floats) -> NDArray[np.bool_]:
    """Tell where more waits than usual; arrays (steps, sites), the last (sites,)."""
    return np.asarray(lines > usual * (1.0 + ABOVE) + AT_LEAST * sorted_a_day + 0.5)


def is_above_hold(present: Floats, hold_pieces: Floats) -> NDArray[np.bool_]:
    """Tell where more is present than a site can hold; arrays (steps, sites) and (sites,)."""
    return np.asarray(present > hold_pieces[None, :] * (1.0 + 1e-9))


def _lines(machine: Machine) -> Floats:
    """Return what waits at each site in each step without what is held by order, (steps, sites)."""
    record = machine.record
    return np.asarray(
        record.waiting.sum(axis=2, dtype=np.float64) - record.held.sum(axis=2, dtype=np.float64), np.float64
    )


def _sites(network: Network, epochs: Sequence[Epoch], clock: Clockwork, machine: Machine) -> pl.DataFrame:
    """Return, for each site, its worst hour, when its backlog grew and cleared, and when it burst.

    What is held by order counts against what a site can hold, not as a backlog that grew.
    """
    record, begin = machine.record, clock.warm_steps
    held = record.held.sum(axis=2, dtype=np.float64)
    lines = _lines(machine)
    usual, seen, hours = _usual(lines, clock), lines[begin:], clock.hours[begin:]
    present = seen + held[begin:]
    sorted_out = record.line_out[begin:].sum(axis=(0, 2), dtype=np.float64)
    a_day = sorted_out * 24.0 / max(float(hours[-1]), 1e-9)
    grown = is_grown(seen, usual, a_day)
    growing = _growing(seen, AT_LEAST * a_day + 0.5, clock)
    hold = column(network.sites, "hold_pieces", np.inf)
    burst = is_above_hold(present, hold)
    shut = np.stack([epoch.effect.site_share <= 0.0 for epoch in epochs])[machine.epoch_of_step[begin:]]
    end, first, last = len(grown) - 1, grown.argmax(axis=0), len(grown) - 1 - grown[::-1].argmax(axis=0)
    any_grown, any_burst = np.asarray(grown.any(axis=0)), np.asarray(burst.any(axis=0))
    clears = np.where(any_grown & (last < end), hours[np.minimum(last + 1, end)], np.nan)

    def where(rows: NDArray[np.bool_], values: Floats) -> pl.Series:
        return pl.Series(np.where(rows, values, np.nan), nan_to_null=True)

    return pl.DataFrame(
        {
            "site_id": network.sites["site_id"],
            "sorted_pieces": sorted_out,
            "delivered_pieces": record.delivered[begin:].sum(axis=(0, 2), dtype=np.float64),
            "peak_pieces": seen.max(axis=0),
            "peak_h": hours[seen.argmax(axis=0)],
            "peak_above_pieces": (seen - usual).max(axis=0),
            "end_pieces": seen[-1],
            "held_end_pieces": held[-1],
            "grows_h": where(any_grown, hours[first]),
            "clears_h": pl.Series(clears, nan_to_null=True),
            "growing": growing & any_grown,
            "closed_hours": shut.sum(axis=0) * clock.step_h,
            "closed_at_end": shut[-1],
            "hold_pieces": where(np.isfinite(hold), hold),
            "burst_hours": burst.sum(axis=0) * clock.step_h,
            "burst_from_h": where(any_burst, hours[burst.argmax(axis=0)]),
            "burst_peak_pieces": np.maximum(0.0, np.where(burst, present - hold[None, :], 0.0).max(axis=0)),
        }
    )


def _growing(lines: Floats, least: Floats, clock: Clockwork) -> NDArray[np.bool_]:
    """Return the sites whose backlog grew from day to day, at the same hour, up to the end."""
    day = min(max(1, round(24.0 / clock.step_h)), len(lines) - 1)
    hours = [lines[-1 - n * day] for n in range(3) if n * day < len(lines)]
    grew = [later - earlier > least for later, earlier in pairwise(hours)]
    return np.asarray(np.logical_and.reduce(grew), bool) if grew else np.zeros(lines.shape[1], bool)


def _legs(network: Network, clock: Clockwork, machine: Machine) -> pl.DataFrame:
    """Return what each leg carried and how much at most waited for it."""
    record, n = machine.record, network.legs.height
    seen = slice(clock.warm_steps, None)
    out = record.leg_out[seen, :n].sum(axis=2, dtype=np.float64)
    coming = record.leg_in[seen, :n].sum(axis=2, dtype=np.float64)
    room = np.where(np.isfinite(machine.times.room[seen, :n]), machine.times.room[seen, :n], np.nan)
    endless = np.isnan(room).any(axis=0)
    offered = np.nansum(room, axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(offered > 0.0, out.sum(axis=0) / offered, np.nan)
    return pl.DataFrame(
        {
            "from_site": network.legs["from_site"],
            "to_site": network.legs["to_site"],
            "carried_pieces": out.sum(axis=0),
            "offered_pieces": pl.Series(np.where(endless, np.nan, offered), nan_to_null=True),
            "load_share": pl.Series(np.where(endless, np.nan, share), nan_to_null=True),
            "left_end_pieces": machine.state.leg_left[:n].sum(axis=1),
            "busiest_step_pieces": out.max(axis=0, initial=0.0),
        }
    ).filter((pl.Series(coming.sum(axis=0)) > 0.0) | (pl.Series(out.sum(axis=0)) > 0.0))


def _backlog(network: Network, clock: Clockwork, machine: Machine) -> pl.DataFrame:
    """Return what waits at each site, step by step and by class; rows below half a piece left out."""
    record = machine.record
    seen = record.waiting[clock.warm_steps :]
    step, site, rank = np.nonzero(seen > 0.5)
    names = class_table(network)["service_class"].cast(pl.String)
    ids = network.sites["site_id"]
    return pl.DataFrame(
        {
            "hour": clock.hours[clock.warm_steps :][step],
            "site_id": ids.gather(site.astype(np.uint32)),
            "service_class": names.cast(pl.Enum(names.to_list())).gather(rank.astype(np.uint32)),
            "waiting_pieces": seen[step, site, rank],
            "sorted_pieces": record.sorted[clock.warm_steps :][step, site, rank],
            "held_pieces": record.held[clock.warm_steps :][step, site, rank],
        }
    )


def _usual_day(network: Network, clock: Clockwork, machine: Machine) -> pl.DataFrame:
    """Return what waits at each site on the last day before the beginning, from its hour of the day on.

    Hour 1 is the first after the beginning, a day earlier; rows below half a piece left out.
    """
    usual = _usual(_lines(machine), clock)
    usual = usual[: round(24.0 / clock.step_h)]
    step, site = np.nonzero(usual > 0.5)
    return pl.DataFrame(
        {
            "hour": clock.hours[clock.warm_steps :][step],
            "site_id": network.sites["site_id"].gather(site.astype(np.uint32)),
            "waiting_pieces": usual[step, site],
        }
    )


def _spans(epochs: Sequence[Epoch], clock: Clockwork) -> list[tuple[float, float, Epoch]]:
    """Return the epochs after the beginning, with the hours they begin and end at."""
    seen = [epoch for epoch in epochs if epoch.first_step >= clock.warm_steps]
    cuts = [epoch.first_step for epoch in seen] + [clock.n_steps]
    hours = [(cut - clock.warm_steps) * clock.step_h for cut in cuts]
    return list(zip(hours[:-1], hours[1:], seen, strict=True))


def _phases(epochs: Sequence[Epoch], clock: Clockwork) -> pl.DataFrame:
    """Return what holds when: how much is shut or slowed, and whether the sort plan is today's."""
    rows = []
    before = None
    for from_h, to_h, epoch in _spans(epochs, clock):
        sites, legs = epoch.effect.site_share, epoch.effect.leg_share
        changed = not epoch.as_today if before is None else epoch.routes is not before.routes
        rows.append(
            {
                "from_h": from_h,
                "to_h": to_h,
                "sites_closed": int((sites <= 0.0).sum()),
                "sites_slowed": int(((sites > 0.0) & (sites < 1.0)).sum()),
                "legs_closed": int((legs <= 0.0).sum()),
                "legs_slowed": int(((legs > 0.0) & (legs < 1.0)).sum()),
                "routes_change": changed,
                "routes_as_today": epoch.as_today,
            }
        )
        before = epoch
    return pl.DataFrame(rows)


def _limited(network: Network, epochs: Sequence[Epoch], clock: Clockwork) -> pl.DataFrame:
    """Return the sites that are shut or slowed, and by how much, in each phase."""
    ids, parts = network.sites["site_id"], []
    for from_h, to_h, epoch in _spans(epochs, clock):
        rows = np.flatnonzero(epoch.effect.site_share < 1.0).astype(np.uint32)
        parts.append(
            pl.DataFrame(
                {
                    "from_h": np.full(len(rows), from_h),
                    "to_h": np.full(len(rows), to_h),
                    "site_id": ids.gather(rows),
                    "capacity_share": epoch.effect.site_share[rows],
                }
            )
        )
    return pl.concat(parts)
