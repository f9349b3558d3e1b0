"""What would help, as a result: every remedy with what it costs and what it saves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.io import write_whole_folder
from changtong.network.model import Network
from changtong.resilience.additions import Remedy
from changtong.resilience.cases import Case
from changtong.resilience.costs import ASSUMED, Costs
from changtong.resilience.demands import Demand
from changtong.resilience.journal import FILE

Floats = NDArray[np.float64]

SCHEMA: dict[str, Any] = {
    "rank": pl.Int64, "remedy": pl.String, "kind": pl.String, "place": pl.String, "share": pl.Float64,
    "size_pieces": pl.Float64, "cost_cny_per_day": pl.Float64, "cost_provenance": pl.String,
    "expected_before": pl.Float64, "expected_after": pl.Float64, "worst_before": pl.Float64,
    "worst_after": pl.Float64, "expected_gain_per_cny": pl.Float64, "worst_gain_per_cny": pl.Float64,
    "least_gain": pl.Float64, "efficient": pl.Boolean, "error": pl.String,
}  # fmt: skip
LOSSES: dict[str, Any] = {
    "remedy": pl.String, "demand": pl.String, "case": pl.String, "label": pl.String,
    "left_before": pl.Float64, "left_after": pl.Float64,
}  # fmt: skip
DEMANDS: dict[str, Any] = {
    "demand": pl.String, "weight": pl.Float64, "pieces_per_day": pl.Float64, "left_open": pl.Float64,
    "expected_before": pl.Float64, "worst_before": pl.Float64,
}  # fmt: skip
WORTH_NAMING = 0.01
"""Share of the expected loss from which a saving is named first."""

NOT_TRIED = "not tried: stopped before"
WITH_GAP = "Closures of a large network are planned to a gap: differences within it are no gains."
NO_TAKEOVER = (
    "On a large network no area is taken over in these figures: a site beside a closed one counts with"
    " its legs only."
)

OWN_FILES = {
    "remedies.json", "remedies.csv", "losses.csv", "demands.csv", "costs.csv", "report.html", "study.json",
    FILE,
}  # fmt: skip


def is_remedies_folder(path: Path) -> bool:
    """Tell whether a folder holds tried remedies, whole or begun: only such a one is replaced."""
    begun = (path / FILE).is_file() and not (path / "stress.json").is_file()
    return (path / "remedies.json").is_file() or begun


REMEDIES_FOLDER: dict[str, Any] = {
    "is_ours": is_remedies_folder,
    "what": "remedies folder (it has no remedies.json)",
    "code": "not-a-remedies-folder",
}


@dataclass(frozen=True)
class Remedies:
    """What each remedy would save.

    Attributes
    ----------
    name : str
    network : Network
    cases : tuple of Case
        The closures to be ready for.
    weights : tuple of float
        How likely each is; together 1.
    demands : tuple of Demand
    costs : Costs
        Prices the costs were made from.
    table : polars.DataFrame
        One row a remedy, most expected gain for the money first (docs/remedies.md).
    losses : polars.DataFrame
        Pieces each closure leaves behind under each demand, without and with each remedy.
    by_demand : polars.DataFrame
        One row a demand: its weight (together 1) and pieces, what is left behind with nothing shut
        (``left_open``), and what the closures leave behind.
    termination : str
        ``done`` or ``interrupted``.
    runtime_s : float
    notes : tuple of str
    """

    name: str
    network: Network
    cases: tuple[Case, ...]
    weights: tuple[float, ...]
    demands: tuple[Demand, ...]
    costs: Costs
    table: pl.DataFrame
    losses: pl.DataFrame
    by_demand: pl.DataFrame
    termination: str
    runtime_s: float
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> pl.DataFrame:
        """Remedies that could not be tried, with their errors."""
        return self.table.filter(pl.col("error").is_not_null() & (pl.col("error") != NOT_TRIED))

    @property
    def assumed(self) -> bool:
        """Whether any cost rests on an assumed price."""
        return ASSUMED in self.table["cost_provenance"].to_list()

    def best(self, kind: str | None = None) -> dict[str, Any] | None:
        """Return the remedy that saves most for its money.

        Of those that save 1 % of the expected loss at least, if there are any: the cheapest trifle
        is no answer. None where nothing saves anything. ``kind`` limits it to capacity, leg or site.
        """
        gain = pl.col("expected_before") - pl.col("expected_after")
        helps = self.table.filter(gain >= 0.5)
        if kind is not None:
            helps = helps.filter(pl.col("kind") == kind)
        much = helps.filter(gain >= WORTH_NAMING * pl.col("expected_before"))
        first = much if much.height else helps
        return first.row(0, named=True) if first.height else None

    def today(self) -> tuple[float, float]:
        """Return the expected and the worst loss of the network as it is, pieces a day."""
        weighed = (self.by_demand["weight"] * self.by_demand["expected_before"]).sum()
        return float(weighed), float(self.by_demand["worst_before"].max())  # type: ignore[arg-type]

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        weighed = zip(self.cases, self.weights, strict=True)
        return {
            "name": self.name,
            "termination": self.termination,
            "closures": [
                {"case": case.name, "label": case.label, "weight": weight} for case, weight in weighed
            ],
            "demands": self.by_demand.to_dicts(),
            "remedies": self.table.to_dicts(),
            "best": self.best(),
            "best_site": self.best("site"),
            "failed": self.failed.height,
            "costs_assumed": self.assumed,
            "notes": list(self.notes),
            "runtime_s": self.runtime_s,
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        demands = ", ".join(one.name for one in self.demands)
        lines = [
            f"{self.name}: {self.table.height:,} remedies against {len(self.cases):,} closures"
            f" (demand {demands}), {self.termination}, {self.runtime_s:.1f} s",
            f"  money is {'ASSUMED' if self.assumed else 'as given'}: CNY a day"
            + ("; read the order, not the sum" if self.assumed else ""),
            "        CNY a day    expected loss, pieces a day       worst        saved for a   at least",
            "                       before        after             after        CNY a day      saved",
        ]
        for row in self.table.head(15).iter_rows(named=True):
            if row["error"] is not None:
                lines.append(f"  {row['rank']:>3}  {row['remedy']}: {row['error']}")
                continue
            lines.append(
                f"  {row['rank']:>3} {row['cost_cny_per_day']:>11,.0f} {row['expected_before']:>13,.0f}"
                f"{row['expected_after']:>13,.0f} {row['worst_after']:>17,.0f}"
                f"{row['expected_gain_per_cny']:>14.2f} {round(row['least_gain']) + 0:>14,}  {row['remedy']}"
            )
        for what, best in (("most for its money", self.best()), ("a site", self.best("site"))):
            if best is not None:
                lines.append(
                    f"  {what}: {best['remedy']}: expected loss {best['expected_before']:,.0f} →"
                    f" {best['expected_after']:,.0f}, worst {best['worst_before']:,.0f} →"
                    f" {best['worst_after']:,.0f}"
                )
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        return {
            "remedies": self.table,
            "losses": self.losses,
            "demands": self.by_demand,
            "costs": self.costs.frame,
        }

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write frames and ``remedies.json`` to a folder, whole or not at all; its journal stays.

        Raises
        ------
        UsageError
            The folder holds something else, or cannot be written.
        """
        target = Path(folder)

        def fill(beside: Path) -> None:
            for name, frame in self.tables().items():
                frame.write_csv(beside / f"{name}.csv", include_bom=True)
            text = json.dumps(self.summary(), ensure_ascii=False, indent=1)
            (beside / "remedies.json").write_text(text, "utf-8")
            if (target / FILE).is_file():
                shutil.copy2(target / FILE, beside / FILE)
            if extra is not None:
                extra(beside)

        return write_whole_folder(target, fill, own_files=OWN_FILES, **REMEDIES_FOLDER)


def remedies_table(
    remedies: Sequence[Remedy],
    before: Floats,
    after: Sequence[Floats | str],
    likely: Floats,
    demand_weight: Floats,
) -> pl.DataFrame:
    """Return the table: what each remedy saves, the most for its money first.

    Parameters
    ----------
    remedies : sequence of Remedy
    before : array, (demands, cases)
        Pieces left behind without any.
    after : sequence of array or str
        The same with each, or why it is not known.
    likely : array, (cases,)
        Weights of the closures, together 1.
    demand_weight : array, (demands,)
        Of the demands, together 1.
    """
    rows = []
    for remedy, found in zip(remedies, after, strict=True):
        row = {
            "remedy": remedy.name, "kind": remedy.kind, "place": remedy.place, "share": remedy.share,
            "size_pieces": remedy.size, "cost_cny_per_day": remedy.cost,
            "cost_provenance": remedy.provenance, "worst_before": float(before.max()),
            "expected_before": float(demand_weight @ (before @ likely)),
        }  # fmt: skip
        if isinstance(found, str):
            rows.append(row | {"error": found})
            continue
        gains = (before - found) @ likely
        row |= {
            "expected_after": float(demand_weight @ (found @ likely)),
            "worst_after": float(found.max()),
            "expected_gain_per_cny": float(demand_weight @ gains) / remedy.cost,
            "worst_gain_per_cny": float(before.max() - found.max()) / remedy.cost,
            "least_gain": float(gains.min()),
        }
        rows.append(row)
    given = {name: kind for name, kind in SCHEMA.items() if name not in ("rank", "efficient")}
    frame = pl.DataFrame(rows, schema=given)
    ranked = frame.sort("expected_gain_per_cny", "remedy", descending=[True, False], nulls_last=True)
    ranked = ranked.with_row_index("rank", 1).with_columns(efficient=_efficient(ranked))
    return ranked.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _efficient(table: pl.DataFrame) -> pl.Series:
    """Tell for each remedy whether none saves more for no more money; those not tried are null."""
    cost, left = table["cost_cny_per_day"].to_numpy(), table["expected_after"].to_list()
    before = table["expected_before"].to_list()
    found: list[bool | None] = []
    for k, mine in enumerate(left):
        if mine is None:
            found.append(None)
            continue
        better = any(
            other is not None and cost[i] <= cost[k] and other <= mine and (cost[i] < cost[k] or other < mine)
            for i, other in enumerate(left)
        )
        found.append(not better and before[k] - mine >= 0.5)
    return pl.Series("efficient", found, pl.Boolean)
