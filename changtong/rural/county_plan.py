"""Plans of a county's delivery as results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from changtong.rural.county import County
from changtong.rural.plan_schemas import PLAN_TABLES
from changtong.rural.result_write import save_result


@dataclass(frozen=True)
class CountyPlan:
    """Who serves which village, from where, when; figures are of a week of seven days.

    Attributes
    ----------
    name : str
        ``shared``, ``shared_with_buses`` or the firm it is for.
    routes, stops, stations, villages, unserved : polars.DataFrame
        See the schemas above.
    cost_cny, distance_km, hours, kgco2e, pieces : float
        Of a week; hours are those of vehicles, ``kgco2e`` is None where a vehicle's is unknown. ``pieces``:
        brought and taken.
    """

    name: str
    routes: pl.DataFrame
    stops: pl.DataFrame
    stations: pl.DataFrame
    villages: pl.DataFrame
    unserved: pl.DataFrame
    cost_cny: float
    distance_km: float
    hours: float
    kgco2e: float | None
    pieces: float

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        return {name: getattr(self, name) for name in PLAN_TABLES}

    def summary(self) -> dict[str, Any]:
        """Return the figures a person decides by, as plain values; of a week."""
        each = 1.0 / self.pieces if self.pieces else None
        stations = self.stations.height
        return {
            "name": self.name,
            "cost_cny": self.cost_cny,
            "distance_km": self.distance_km,
            "hours": self.hours,
            "kgco2e": self.kgco2e,
            "pieces": self.pieces,
            "cny_per_piece": None if each is None else self.cost_cny * each,
            "kgco2e_per_piece": None if each is None or self.kgco2e is None else self.kgco2e * each,
            "stations": stations,
            "villages": self.villages.height,
            "unserved_sites": self.unserved["site_id"].n_unique(),
            "unserved_pieces": float(self.unserved["pieces_per_week"].sum()),
            "vehicle_days": int(
                self.routes.filter((pl.col("trip") == 1) & (pl.col("tier") != "bus"))["weekdays"]
                .str.len_chars()
                .sum()
            ),
        }


@dataclass(frozen=True)
class CountyResult:
    """Three answers side by side.

    Attributes
    ----------
    county : County
    alone : mapping
        Firm -> its plan with its own vehicles and anybody's.
    shared : CountyPlan
        One delivery for all firms (共同配送).
    with_buses : CountyPlan or None
        The same with parcels on buses where that is cheaper (客货邮); None without buses.
    split : polars.DataFrame
        ``firm``, ``alone_cny``, ``shared_cny`` (its fair part of the cheapest plan), ``saving_cny``: a week.
    seed : int
    seconds : float
    settings : mapping
    coalitions_without_plan : int
        Groups of firms that time was not left to plan for: in the split they pay what their parts pay.
    """

    county: County
    alone: Mapping[str, CountyPlan]
    shared: CountyPlan
    with_buses: CountyPlan | None
    split: pl.DataFrame
    seed: int
    seconds: float
    settings: Mapping[str, float | int | str] = field(default_factory=dict)
    coalitions_without_plan: int = 0

    @property
    def answers(self) -> dict[str, CountyPlan]:
        """The plans by name: each firm's, shared, and shared with buses where there are any."""
        named = {f"alone_{firm}": plan for firm, plan in self.alone.items()} | {"shared": self.shared}
        return named | ({} if self.with_buses is None else {"shared_with_buses": self.with_buses})

    def summary(self) -> dict[str, Any]:
        """Return the figures of all answers, the split and what is unserved, as plain values."""
        best = self.shared if self.with_buses is None else self.with_buses
        return {
            "county": self.county.name,
            "seed": self.seed,
            "seconds": self.seconds,
            "settings": dict(self.settings),
            "alone": alone_total(self.alone),
            "answers": {name: plan.summary() for name, plan in self.answers.items()},
            "split": self.split.to_dicts(),
            "coalitions_without_plan": self.coalitions_without_plan,
            "unserved": best.unserved.to_dicts(),
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        lines = [
            f"{self.county.name}: a week's delivery, {self.seconds:.1f} s",
            "                            CNY  CNY/piece  vehicle km     hours"
            "  kgCO2e/piece  stations  unserved",
        ]
        total = alone_total(self.alone)
        rows = [("each firm alone", total), ("shared", self.shared.summary())]
        rows += [] if self.with_buses is None else [("shared, with buses", self.with_buses.summary())]
        for name, s in rows:
            each = "-" if s["cny_per_piece"] is None else f"{s['cny_per_piece']:.3f}"
            kg = "unknown" if s["kgco2e_per_piece"] is None else f"{s['kgco2e_per_piece']:.4f}"
            lines.append(
                f"  {name:<20}{s['cost_cny']:>11,.0f}{each:>11}{s['distance_km']:>12,.0f}{s['hours']:>10,.0f}"
                f"{kg:>14}{s['stations']:>10}{s['unserved_pieces']:>10,.0f}"
            )
        lines.append("  who gains what, CNY a week     alone     shared     saving")
        lines += [
            f"    {row['firm']:<24}{row['alone_cny']:>10,.0f}{row['shared_cny']:>11,.0f}"
            f"{row['saving_cny']:>11,.0f}"
            for row in self.split.head(12).to_dicts()
        ]
        if self.coalitions_without_plan:
            lines.append(
                f"    (no time was left to plan for {self.coalitions_without_plan} groups of firms:"
                " they count as what their parts pay)"
            )
        best = self.shared if self.with_buses is None else self.with_buses
        for row in best.unserved.head(8).to_dicts():
            lines.append(
                f"  unserved: {row['site_id']} {row['firm']} {row['pieces_per_week']:,.0f} ({row['code']})"
            )
        if best.unserved.height > 8:
            lines.append(f"  … and {best.unserved.height - 8} more unserved, in the table")
        return "\n".join(lines)

    def save(self, folder: str | Path, *, extra: Callable[[Path], None] | None = None) -> Path:
        """Write the county, every answer and the split to a folder, as :func:`save_result` does."""
        return save_result(self, folder, extra=extra)


def alone_total(alone: Mapping[str, CountyPlan]) -> dict[str, Any]:
    """Return the figures of all firms alone together."""
    found = [plan.summary() for plan in alone.values()]
    total = {
        key: sum(s[key] for s in found)
        for key in (
            "cost_cny",
            "distance_km",
            "hours",
            "pieces",
            "stations",
            "unserved_pieces",
            "vehicle_days",
        )
    }
    known = all(s["kgco2e"] is not None for s in found)
    kg = sum(s["kgco2e"] for s in found) if known else None
    pieces = total["pieces"]
    return total | {
        "kgco2e": kg,
        "cny_per_piece": total["cost_cny"] / pieces if pieces else None,
        "kgco2e_per_piece": kg / pieces if pieces and kg is not None else None,
    }
