"""A stress test as a result: every case with what is proved of it, and the worst in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from changtong.errors import UsageError
from changtong.executors.work import Row
from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.resilience.cases import Case
from changtong.resilience.journal import FILE
from changtong.resilience.recovery import Recovery
from changtong.resilience.sets import WorstSets

MEASURES = {"unserved": "unserved_pieces", "loss": "loss_cny"}
"""What cases are ranked by, and the column of its value."""

NO_STAND_INS = "Stand-ins take no area over in these figures: pieces of a closed site count as left behind."
NOT_RECOVERED = "Not back to normal"
NO_RECOVERY = "Recovery hours were not asked for (--recovery)."

COLUMNS: dict[str, Any] = {
    "case": pl.String, "kind": pl.String, "label": pl.String, "closed_sites": pl.Int64,
    "closed_legs": pl.Int64, "status": pl.String, "how": pl.String, "cut_off_pieces": pl.Float64,
    "unserved_pieces": pl.Float64, "unserved_least": pl.Float64, "unserved_most": pl.Float64,
    "late_pieces": pl.Float64, "extra_cost_cny": pl.Float64, "loss_cny": pl.Float64,
    "loss_least_cny": pl.Float64, "loss_most_cny": pl.Float64, "gap_share": pl.Float64,
    "recovery_hours": pl.Float64, "recovered": pl.Boolean, "backlog_peak_pieces": pl.Float64,
    "termination": pl.String, "seconds": pl.Float64, "error": pl.String,
}  # fmt: skip
RANKING: dict[str, Any] = {
    "rank": pl.Int64, "case": pl.String, "kind": pl.String, "label": pl.String, "status": pl.String,
    "figure": pl.Float64, "least": pl.Float64, "most": pl.Float64,
}  # fmt: skip
OWN_FILES = {
    "stress.json", "cases.csv", "ranking.csv", "unproved.csv", "together.csv", "worst.csv", "report.html",
    "study.json", FILE,
}  # fmt: skip
WORST_FILE = "worst.csv"
"""The worst closures as a file of outages: what other commands read."""


def is_stress_folder(path: Path) -> bool:
    """Tell whether a folder holds a stress test, whole or begun: only such a one is replaced."""
    return (path / "stress.json").is_file() or (path / FILE).is_file()


STRESS_FOLDER: dict[str, Any] = {
    "is_ours": is_stress_folder,
    "what": "stress-test folder (it has no stress.json)",
    "code": "not-a-stress-folder",
}


@dataclass(frozen=True)
class StressSettings:
    """How far to go.

    Attributes
    ----------
    worst : int
        How many of the worst cases get a plan of their own.
    measure : {"unserved", "loss"}
        What makes a case worse: pieces left behind, or costs and penalties above today's.
    gap_share : float
        Proved gap of costs and penalties at which a plan is good enough.
    seconds : float
        Time limit of one plan.
    limit_s : float or None
        Time after which no further plan begins.
    most_plans : int
        Plans made at most, however many cases might still be among the worst.
    unserved_cny : float or None
        Penalty of a piece of the lowest class left behind, in today's network and every case; None:
        as for a plan of today.
    hour_cny : float
        As in :class:`~changtong.planning.result.PlanSettings`.
    method : {"choose", "exact", "large"}
        As in :class:`~changtong.planning.result.PlanSettings`.
    threads : int
        Threads of today's plan and of the bounds; no result depends on it.
    recovery : Recovery or None
        Also play the worst cases forward that have a plan, and say how long they are felt.
    """

    worst: int = 50
    measure: str = "unserved"
    gap_share: float = 5e-3
    seconds: float = 60.0
    limit_s: float | None = None
    most_plans: int = 500
    unserved_cny: float | None = None
    hour_cny: float = 0.0005
    method: str = "choose"
    threads: int = 2
    recovery: Recovery | None = None

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise UsageError(f"Unknown measure {self.measure!r}; known: {', '.join(MEASURES)}.")
        if self.method not in ("choose", "exact", "large"):
            raise UsageError(f"Unknown method {self.method!r}; known: choose, exact, large.")
        if self.worst < 1 or self.most_plans < 0:
            raise UsageError("worst is at least 1, most_plans at least 0.")
        if not 0.0 < self.gap_share < 1.0 or not self.seconds > 0.0:
            raise UsageError("gap_share lies between 0 and 1, seconds above 0.")
        if self.unserved_cny is not None and not 0.0 < self.unserved_cny < np.inf:
            raise UsageError("unserved_cny lies above 0.")


@dataclass(frozen=True)
class StressTest:
    """What each closure would cost, and which are the worst.

    Attributes
    ----------
    name : str
    network : Network
    outages : tuple of Outage
        What is shut in every case.
    settings : StressSettings
    method : str
        ``exact`` (one linear program after another) or ``large``.
    today : dict
        Figures of the plan with nothing more shut.
    cases : polars.DataFrame
        One row a case, in the order asked for (docs/stress.md).
    ranking : polars.DataFrame
        The cases by the measure, worst first: ``figure`` is the plan's value, or the proved least
        where there is no plan; ``least`` and ``most`` enclose the truth.
    unproved : polars.DataFrame
        Cases below the worst ``settings.worst`` that might belong above: their ``most`` exceeds the
        last figure there. Failed cases are among them.
    termination : str
        ``done``, ``limit`` or ``interrupted``.
    runtime_s : float
    notes : tuple of str
        What a reader must know beside the numbers.
    worst_sets : WorstSets or None
        The worst sites to lose together, where that was asked for.
    closures : tuple of Case
        What each case closes.
    """

    name: str
    network: Network
    outages: tuple[Outage, ...]
    settings: StressSettings
    method: str
    today: dict[str, float]
    cases: pl.DataFrame
    ranking: pl.DataFrame
    unproved: pl.DataFrame
    termination: str
    runtime_s: float
    notes: tuple[str, ...] = ()
    worst_sets: WorstSets | None = None
    closures: tuple[Case, ...] = ()

    @property
    def failed(self) -> pl.DataFrame:
        """Cases that failed, with their errors."""
        return self.cases.filter(pl.col("status") == "failed")

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        count = dict(self.cases.group_by("status").len().iter_rows())
        return {
            "name": self.name,
            "termination": self.termination,
            "method": self.method,
            "measure": self.settings.measure,
            "cases": self.cases.height,
            **{name: int(count.get(name, 0)) for name in ("exact", "plan", "bound", "failed", "open")},
            "worst_complete": self.unproved.height == 0 and self.termination == "done",
            "unproved": self.unproved.height,
            "today": self.today,
            "runtime_s": self.runtime_s,
            "notes": list(self.notes),
            "worst": self._worst().to_dicts(),
            "errors": self.failed.select("case", "error").to_dicts(),
            "together": None if self.worst_sets is None else self.worst_sets.summary(),
        }

    def _worst(self) -> pl.DataFrame:
        """Return the first of the ranking, with their recovery where it was asked for."""
        first = self.ranking.head(self.settings.worst)
        if self.settings.recovery is None:
            return first
        felt = self.cases.select("case", "recovery_hours", "recovered", "backlog_peak_pieces")
        return first.join(felt, on="case", how="left", maintain_order="left")

    def worst_outages(self) -> pl.DataFrame:
        """Return the worst closures as a table of outages (docs/outages.md), the worst first."""
        known = {case.name: case for case in self.closures}
        rows = []
        for name in self.ranking.head(self.settings.worst)["case"]:
            for outage in known[name].outages(self.network) if name in known else ():
                legs = ";".join(f"{a}>{b}" for a, b in outage.legs)
                rows.append({"label": outage.label, "sites": ";".join(outage.sites), "legs": legs})
        return pl.DataFrame(rows, schema={"label": pl.String, "sites": pl.String, "legs": pl.String})

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        pieces = s["measure"] == "unserved"
        what = "pieces a day left behind" if pieces else "costs and penalties, CNY a day more"
        lines = [
            f"{s['name']}: {s['cases']:,} closures, {s['termination']}, {s['runtime_s']:.1f} s",
            f"  exact {s['exact']:,}, planned to a gap {s['plan']:,}, bounded only {s['bound']:,}, "
            f"failed {s['failed']:,}, not looked at {s['open']:,}",
            f"  worst by {what} (proved least … most):",
        ]
        for row in self._worst().head(12).iter_rows(named=True):
            most = "?" if row["most"] is None else f"{row['most']:,.0f}"
            lines.append(
                f"  {row['rank']:>4}  {row['figure']:>14,.0f}  ({row['least']:,.0f} … {most})"
                f"  {row['status']:<6} {row['label']}{self._said_recovery(row)}"
            )
        kept = min(self.settings.worst, self.ranking.height)
        if s["worst_complete"]:
            lines.append(f"  no other closure can be worse than the first {kept}")
        else:
            lines.append(
                f"  {s['unproved']:,} closures might still belong among the first {kept} (unproved.csv)"
            )
        lines += [f"  failed: {row['case']}: {row['error']}" for row in s["errors"][:5]]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [] if self.worst_sets is None else [str(self.worst_sets)]
        return "\n".join(lines)

    def _said_recovery(self, row: Row) -> str:
        recovery = self.settings.recovery
        if recovery is None or row.get("recovered") is None:
            return ""
        hours = f"{row['recovery_hours']:g}" if row["recovered"] else f"more than {recovery.after_h:g}"
        return f"; back to normal {hours} h after reopening"

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        found = {"cases": self.cases, "ranking": self.ranking, "unproved": self.unproved}
        return found if self.worst_sets is None else found | {"together": self.worst_sets.sets}

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write frames and ``stress.json`` to a folder, whole or not at all; its journal stays.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """
        target = Path(folder)

        def fill(beside: Path) -> None:
            for name, frame in self.tables().items():
                frame.write_csv(beside / f"{name}.csv", include_bom=True)
            if self.closures:
                self.worst_outages().write_csv(beside / WORST_FILE, include_bom=True)
            details = self.summary() | {"settings": asdict(self.settings)}
            text = json.dumps(details, ensure_ascii=False, indent=1, default=str)
            (beside / "stress.json").write_text(text, "utf-8")
            if (target / FILE).is_file():
                shutil.copy2(target / FILE, beside / FILE)
            if extra is not None:
                extra(beside)

        return write_whole_folder(target, fill, own_files=OWN_FILES, **STRESS_FOLDER)


def cases_frame(cases: tuple[Case, ...], rows: dict[str, Row]) -> pl.DataFrame:
    """Return one row a case, what is not known null; a case nobody looked at is ``open``."""
    made = [
        {
            "case": case.name,
            "kind": case.kind,
            "label": case.label,
            "closed_sites": len(case.sites),
            "closed_legs": len(case.legs),
            "status": "open",
            **{key: value for key, value in rows.get(case.name, {}).items() if key in COLUMNS},
        }
        for case in cases
    ]
    return pl.DataFrame(made, schema=COLUMNS)


def rank(frame: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Return the cases by what they lose: the plan's value, else the proved least; then by name.

    What is not known counts as nothing lost and no end: it is listed, never passed over.
    """
    value = MEASURES[measure]
    least, most = ("unserved_least", "unserved_most") if measure == "unserved" else (
        "loss_least_cny", "loss_most_cny"
    )  # fmt: skip
    ranked = (
        frame.select(
            "case",
            "kind",
            "label",
            "status",
            pl.coalesce(value, least, pl.lit(0.0)).alias("figure"),
            pl.col(least).fill_null(0.0).alias("least"),
            pl.col(most).alias("most"),
        )  # fmt: skip
        .sort("figure", "most", "case", descending=[True, True, False], nulls_last=False)
        .with_row_index("rank", 1)
    )
    return ranked.select(pl.col(name).cast(kind) for name, kind in RANKING.items())


def not_proved(ranking: pl.DataFrame, worst: int, tolerance: float) -> pl.DataFrame:
    """Return the cases below the worst whose truth might exceed the last figure among them."""
    if ranking.height <= worst:
        return ranking.filter(pl.col("status").is_in(["failed", "open"]))
    last = float(ranking["figure"][worst - 1])
    unknown = pl.col("most").is_null() | (pl.col("most") > last + tolerance)
    below = (pl.col("rank") > worst) & unknown
    return ranking.filter(below | pl.col("status").is_in(["failed", "open"]))
