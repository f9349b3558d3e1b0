"""Play a case and compute the figures that have a known counterpart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from replay_case import Case, Phase, Stage, known_outcomes, phases_of

from changtong import Outage, Planner, PlanSettings, RouteChange, Simulation, SimulationSettings, simulate

GAP, SECONDS = 0.001, 600.0
"""Gap asked of each plan, and a time limit that is not meant to be reached: same call, same result."""

CLEARED = 0.02
"""Share of the region's usual day above its usual backlog below which a backlog counts as cleared."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Served:
    """Pieces a day that a phase's plan serves, the rest being refused.

    Attributes
    ----------
    phase : Phase
    nation, sent, received : float
        Of the whole network; those that begin in the region; those that end there.
    gap_share : float
        Proved, of the plan.
    """

    phase: Phase
    nation: float
    sent: float
    received: float
    gap_share: float


@dataclass(frozen=True)
class Played:
    """A case, played.

    Attributes
    ----------
    case, stage : Case, Stage
    served : tuple of Served
        One a phase.
    normal : Served
        With nothing shut.
    runs : dict of Simulation
        ``kept`` (nobody re-plans) and ``planned`` (re-planned at each phase, after the delay).
    usual : Simulation
        With nothing shut: what waits beyond it is backlog.
    """

    case: Case
    stage: Stage
    served: tuple[Served, ...]
    normal: Served
    runs: dict[str, Simulation]
    usual: Simulation


def play(case: Case, stage: Stage, delay_h: float, say: Say, *, plans: bool = True) -> Played:
    """Plan every phase, then simulate twice: with today's routes kept, and with those of the plans.

    Without ``plans`` only the routes of today are played and nothing is planned.
    """
    phases = phases_of(case, stage.outages)
    whole = _served(stage, Phase(0.0, case.hours, ()), None)
    settings = SimulationSettings(hours=case.hours, step_h=case.step_h, start=case.start)
    served, changes = [], []
    planner = Planner(stage.network, settings=PlanSettings(gap_share=GAP, seconds=SECONDS))
    made: dict[tuple[Outage, ...], Any] = {}
    for number, phase in enumerate(phases if plans else (), start=1):
        if phase.outages not in made:
            say(f"plan {number} of {len(phases)}")
            plan = planner.plan(phase.outages)
            made[phase.outages] = (plan.unserved, plan.gap_share, plan.routes())
        unserved, gap, routes = made[phase.outages]
        served.append(_served(stage, phase, unserved, gap))
        if number > 1 and phase.begin + delay_h < phase.end:
            changes.append(RouteChange(phase.begin + delay_h, routes))
    runs = {}
    for name, routes in (("kept", []), ("planned", changes)) if plans else (("kept", []),):
        say(f"simulation: {'today’s routes kept' if name == 'kept' else 're-planned'}")
        runs[name] = simulate(stage.network, stage.outages, routes=routes, settings=settings, name=name)
    say("simulation: nothing shut")
    usual = simulate(stage.network, settings=settings, name="usual")
    return Played(case, stage, tuple(served), whole, runs, usual)


def _served(stage: Stage, phase: Phase, unserved: pl.DataFrame | None, gap: float = 0.0) -> Served:
    region = list(stage.region)

    def sums(frame: pl.DataFrame, pieces: str) -> tuple[float, float, float]:
        inside = [pl.col(end).cast(pl.String).is_in(region) for end in ("from_site", "to_site")]
        column = pl.col(pieces).cast(pl.Float64)
        return frame.select(
            column.sum().alias("all"),
            column.filter(inside[0]).sum().alias("from"),
            column.filter(inside[1]).sum().alias("to"),
        ).row(0)

    wanted = sums(stage.network.demand, "pieces_per_day")
    left = (0.0, 0.0, 0.0) if unserved is None else sums(unserved, "pieces")
    nation, sent, received = (a - b for a, b in zip(wanted, left, strict=True))
    return Served(phase, nation, sent, received, gap)


class Figures:
    """Computed figures of a played case, by the names ``known.csv`` uses.

    Each takes the row's span and returns (nobody re-plans, re-planned); None where a run does
    not tell.
    """

    def __init__(self, played: Played) -> None:
        self.played, self.case = played, played.case
        region = pl.Series(sorted(played.stage.region))
        usual = _waiting(played.usual, region)
        self.backlogs = {name: _above(_waiting(run, region), usual) for name, run in played.runs.items()}

    def of(self, name: str, begin: datetime, end: datetime) -> tuple[float | None, float | None]:
        """Return one figure; ``name`` is a method of this class."""
        return getattr(self, name)(self.case.hour(begin), self.case.hour(end))  # type: ignore[no-any-return]

    def _days(self, begin: float, end: float) -> list[tuple[Served, float]]:
        spans = [(one, min(one.phase.end, end) - max(one.phase.begin, begin)) for one in self.played.served]
        return [(one, hours / 24.0) for one, hours in spans if hours > 0.0]

    def _mean(self, begin: float, end: float, *parts: str) -> float:
        days = self._days(begin, end)
        total = sum(span * sum(getattr(one, part) for part in parts) for one, span in days)
        return total / sum(span for _, span in days)

    def region_sent(self, begin: float, end: float) -> tuple[None, float]:
        """Pieces sent from the region in a span."""
        return None, self._mean(begin, end, "sent") * (end - begin) / 24.0

    def region_share(self, begin: float, end: float) -> tuple[None, float]:
        """Pieces sent and received over the usual ones."""
        normal = self.played.normal.sent + self.played.normal.received
        return None, self._mean(begin, end, "sent", "received") / normal

    def region_sent_a_year(self, begin: float, end: float) -> tuple[float, float]:
        """Pieces the region sends in a usual year of 365 days."""
        year = self.played.normal.sent * 365.0
        return year, year

    def nation_sent(self, begin: float, end: float) -> tuple[None, float]:
        """Pieces sent in the country in a span."""
        return None, self._mean(begin, end, "nation") * (end - begin) / 24.0

    def nation_change(self, begin: float, end: float) -> tuple[None, float]:
        """Pieces a day against the usual day of the country: 0 is as usual."""
        return None, self._mean(begin, end, "nation") / self.played.normal.nation - 1.0

    def nation_recovery(self, begin: float, end: float) -> tuple[None, float]:
        """Pieces a day against the same number of days before."""
        before = self._mean(2.0 * begin - end, begin, "nation")
        return None, self._mean(begin, end, "nation") / before - 1.0

    def nation_delivered_surplus(self, begin: float, end: float) -> tuple[float | None, float | None]:
        """Pieces delivered over pieces accepted in a span, less 1."""
        found = []
        for name in ("kept", "planned"):
            run = self.played.runs.get(name)
            if run is None:
                found.append(None)
                continue
            span = run.hours.filter((pl.col("hour") > begin) & (pl.col("hour") <= end))
            found.append(float(span["delivered_pieces"].sum()) / float(span["accepted_pieces"].sum()) - 1.0)
        return found[0], found[1]

    def region_backlog(self, begin: float, end: float) -> tuple[float | None, float | None]:
        """Pieces that wait in the region above the usual of that hour, at the end of the span."""
        return self._at("region", end), self._at("region", end, "planned")

    def nation_backlog(self, begin: float, end: float) -> tuple[float | None, float | None]:
        """Pieces that wait in the country above the usual, held by order included."""
        return self._at("nation", end), self._at("nation", end, "planned")

    def _at(self, where: str, hour: float, run: str = "kept") -> float | None:
        frame = self.backlogs.get(run)
        if frame is None:
            return None
        at = frame.filter(pl.col("hour") <= hour + 1e-9).tail(1)
        return float(at[where][0])

    def what_if(self) -> dict[str, dict[str, float | None]]:
        """Return, for each run, its worst backlogs and when the region is clear again."""
        found = {}
        outages = self.played.stage.outages
        over = max(self.case.hour(one.end) for one in outages if one.end is not None)
        normal = self.played.normal.sent + self.played.normal.received
        for name, run in self.played.runs.items():
            frame = self.backlogs[name]
            worst = frame.sort("region", "hour", descending=[True, False]).row(0, named=True)
            dirty = frame.filter((pl.col("region") > CLEARED * normal) & (pl.col("hour") > over))["hour"]
            last = float(dirty.max()) if len(dirty) else over  # type: ignore[arg-type]
            s = run.summary()
            found[name] = {
                "region_peak_pieces": worst["region"],
                "region_peak_h": worst["hour"],
                "nation_peak_pieces": float(frame["nation"].max()),  # type: ignore[arg-type]
                "held_peak_pieces": float(run.hours["held_pieces"].max()),  # type: ignore[arg-type]
                "late_pieces": s["late_pieces"],
                "clear_after_h": None if last >= self.case.hours else last - over,
                "sites_burst": s["sites_burst"],
                "imbalance_pieces": s["imbalance_pieces"],
            }
        return found


def _waiting(run: Simulation, region: pl.Series) -> pl.DataFrame:
    """Return what waits in the region and in the country, by hour."""
    inside = pl.col("site_id").cast(pl.String).is_in(region.implode())
    waits = pl.col("waiting_pieces").cast(pl.Float64)
    sums = run.backlog.group_by("hour").agg(region=waits.filter(inside).sum(), nation=waits.sum())
    return run.hours.select("hour").join(sums, on="hour", how="left", maintain_order="left").fill_null(0.0)


def _above(waiting: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    return waiting.with_columns(waiting[name] - usual[name] for name in ("region", "nation"))


def compare(played: Played) -> pl.DataFrame:
    """Return the known outcomes with the computed ones beside them, or why there is none."""
    figures, known = Figures(played), known_outcomes(played.case)
    rows = []
    for row in known.iter_rows(named=True):
        kept = planned = None
        if row["computed"]:
            span = (datetime.fromisoformat(row["from"]), datetime.fromisoformat(row["until"]))
            kept, planned = figures.of(row["computed"], *span)
        rows.append((kept, planned))
    both = pl.DataFrame(rows, schema={"kept": pl.Float64, "planned": pl.Float64}, orient="row")
    return pl.concat([known, both], how="horizontal")
