"""The cheapest next steps to full coverage: a curve of coverage against cost, reckoned by insertion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.coverage import coverage
from changtong.rural.coverage_definition import CoverageDefinition
from changtong.rural.distances import DETOUR_FACTOR, Floats
from changtong.rural.week_insertion import DAYS, PlanWeek, Wanted, plan_week

ESTIMATE = (
    "an estimate: villages are put into the trips of the plan where that costs least, one after another;"
    " room on the trunk and hours to delivery after the change are not looked at"
)
MEASURES = ("villages", "people")

STEP_SCHEMA: dict[str, pl.DataType] = {
    "step": pl.Int64(),
    "site_id": pl.String(),
    "name": pl.String(),
    "people": pl.Float64(),
    "lacking": pl.String(),
    "actions": pl.String(),
    "weekdays": pl.String(),
    "pickup_point": pl.Boolean(),
    "more_firms": pl.Int64(),
    "new_trips": pl.Int64(),
    "extra_cny_per_week": pl.Float64(),
}
POINT_SCHEMA: dict[str, pl.DataType] = {
    "step": pl.Int64(),
    "cost_cny_per_week": pl.Float64(),
    "villages": pl.Int64(),
    "village_share": pl.Float64(),
    "people_share": pl.Float64(),
}
BLOCKED_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "people": pl.Float64(),
    "code": pl.String(),
    "reason": pl.String(),
}
REASONS = {
    "not-known": "Something that is asked is not known: {}.",
    "hours": "It is visited, and too late: it needs an earlier or a more direct trip.",
    "firms": "The plan is that of one firm, and more firms are asked.",
    "left-out": "It is visited, and the plan leaves pieces of its firms out: {}.",
    "no-insertion": "No trip and no free vehicle of the plan can pass it on enough days: {}.",
}
"""Code -> why no step is offered for a village."""


@dataclass(frozen=True)
class NextSteps:
    """What to do next, cheapest first.

    Attributes
    ----------
    county, plan : str
    measure : str
        What a step's cost is divided by: villages or people.
    plan_cny_per_week : float
        Cost of the plan itself.
    steps : polars.DataFrame
        One row a village: what it lacks, what is done, on which further weekdays, at what extra cost.
    points : polars.DataFrame
        The curve: extra cost so far, villages and people served; step 0 is today.
    blocked : polars.DataFrame
        Villages no step is offered for, with a code and the reason.
    note : str
        How far the numbers can be trusted.
    """

    county: str
    plan: str
    measure: str
    plan_cny_per_week: float
    steps: pl.DataFrame
    points: pl.DataFrame
    blocked: pl.DataFrame
    note: str = ESTIMATE

    def summary(self) -> dict[str, Any]:
        """Return the curve, the steps and what is blocked as plain values."""
        last = self.points.row(-1, named=True)
        return {
            "county": self.county,
            "plan": self.plan,
            "measure": self.measure,
            "plan_cny_per_week": self.plan_cny_per_week,
            "extra_cny_per_week": last["cost_cny_per_week"],
            "village_share": last["village_share"],
            "people_share": last["people_share"],
            "note": self.note,
            "points": self.points.to_dicts(),
            "steps": self.steps.to_dicts(),
            "blocked": self.blocked.to_dicts(),
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        first, last = self.points.row(0, named=True), self.points.row(-1, named=True)
        lines = [
            f"next steps: {self.steps.height:,} villages for {last['cost_cny_per_week']:,.0f} CNY a week more"
            f" ({first['village_share']:.1%} → {last['village_share']:.1%} of the villages)",
            f"  {self.note}",
        ]
        for row in self.steps.head(10).iter_rows(named=True):
            cost = f"{row['extra_cny_per_week']:,.1f} CNY a week"
            lines.append(f"  {row['name'] or row['site_id']}: {row['actions']}, {cost}")
        if self.steps.height > 10:
            lines.append(f"  … and {self.steps.height - 10:,} more")
        lines += [
            f"  no step for {row['name'] or row['site_id']}: {row['reason']}"
            for row in self.blocked.head(5).iter_rows(named=True)
        ]
        if self.blocked.height > 5:
            lines.append(f"  … and {self.blocked.height - 5:,} more without a step")
        return "\n".join(lines)


def next_steps(
    county: County,
    plan: CountyPlan,
    definition: CoverageDefinition | None = None,
    *,
    measure: str = "villages",
    detour: float = DETOUR_FACTOR,
) -> NextSteps:
    """Order the villages that are not served by what it costs to serve them, each step on top of the last.

    A village that lacks visits is put into the plan's trips, or gets a trip of its own, on the cheapest
    further days; one that is too far from its pick-up point gets one; a firm that does not come joins.

    Parameters
    ----------
    county : County
    plan : CountyPlan
    definition : CoverageDefinition, optional
    measure : {"villages", "people"}
        Take the step that costs least for a village, or for a person.
    detour : float
        Road over great circle where no road is listed.

    Returns
    -------
    NextSteps
        An estimate.

    Raises
    ------
    UsageError
        An unknown measure, or people that are not known.
    """
    if measure not in MEASURES:
        raise UsageError(f"measure {measure!r} is unknown; it is one of {', '.join(MEASURES)}.")
    now = coverage(county, plan, definition)
    villages = now.villages
    if measure == "people" and villages["people"].null_count():
        raise UsageError("Not every village's people are known: measure by villages.")
    asking = now.definition
    work = _Work(county, plan, asking, villages.filter(~pl.col("served").fill_null(False)), detour)
    steps = work.run(measure)
    before = int(villages["served"].sum())
    return NextSteps(
        county=county.name,
        plan=plan.name,
        measure=measure,
        plan_cny_per_week=plan.cost_cny,
        steps=pl.DataFrame(steps, schema=STEP_SCHEMA, orient="row"),
        points=_points(steps, villages, before),
        blocked=pl.DataFrame(work.blocked, schema=BLOCKED_SCHEMA, orient="row"),
    )


def _points(steps: list[tuple[Any, ...]], villages: pl.DataFrame, before: int) -> pl.DataFrame:
    whole = float(villages["people"].sum())
    people = float(villages.filter(pl.col("served"))["people"].sum())
    cost, served = 0.0, before

    def point(step: int) -> tuple[int, float, int, float, float | None]:
        share = served / villages.height if villages.height else 1.0
        return step, cost, served, share, people / whole if whole else None

    rows = [point(0)]
    for step in steps:
        cost, served, people = cost + step[-1], served + 1, people + (step[3] or 0.0)
        rows.append(point(step[0]))
    return pl.DataFrame(rows, schema=POINT_SCHEMA, orient="row")


class _Work:
    """Villages still to serve, and the price of serving each on each day as the week fills."""

    def __init__(
        self,
        county: County,
        plan: CountyPlan,
        asking: CoverageDefinition,
        lacking: pl.DataFrame,
        detour: float,
    ) -> None:
        self.asking, self.one_firm = asking, plan.name in county.firms
        self.blocked: list[tuple[Any, ...]] = []
        codes = dict(plan.unserved.select("site_id", "code").iter_rows())
        moving = county.pieces.filter(pl.col("inbound_pieces_per_day") > 0)
        if self.one_firm:
            moving = moving.filter(pl.col("firm") == plan.name)
        firms = dict(moving.group_by("site_id").len().iter_rows())
        self.rows: list[dict[str, Any]] = []
        for row in lacking.iter_rows(named=True):
            site = row["site_id"]
            full = row | {"code": codes.get(site, ""), "firms_with_pieces": firms.get(site, 0)}
            if not self._is_blocked(full):
                self.rows.append(full)
        self.week: PlanWeek = plan_week(county, plan, detour=detour)
        self.need = np.array([self._visits_needed(row) for row in self.rows], dtype=np.int64)
        self.wanted = _wanted(county, plan, self.week, self.rows, self.need)
        self.free = np.array(
            [[digit not in (row["weekdays"] or "") for row in self.rows] for digit in DAYS], dtype=bool
        ).reshape(len(DAYS), len(self.rows))
        # price and place of each village on each trip of each day; the last row is a trip of its own
        self.price: list[list[Floats]] = []
        self.place: list[list[NDArray[np.int64]]] = []
        self.own: list[tuple[Floats, list[tuple[str, int] | None]]] = []
        for day in range(len(DAYS)):
            made = [self.week.insertion(day, n, self.wanted) for n in range(len(self.week.trips[day]))]
            self.price.append([price for price, _ in made])
            self.place.append([place for _, place in made])
            self.own.append(self.week.new_trip(day, self.wanted))

    def _is_blocked(self, row: dict[str, Any]) -> bool:
        lacking = row["lacking"].split(", ") if row["lacking"] else []
        if row["served"] is None or row["unknown"]:
            self._block(row, "not-known", row["unknown"])
        elif "hours" in lacking and row["visits_per_week"]:
            self._block(row, "hours", "")
        elif "firms" in lacking and self.one_firm and (self.asking.min_firms or 0) > 1:
            self._block(row, "firms", "")
        elif "firms" in lacking and row["visits_per_week"] and row["firms_with_pieces"] > row["firms"]:
            self._block(row, "left-out", row["code"])
        else:
            return False
        return True

    def _block(self, row: dict[str, Any], code: str, words: str) -> None:
        reason = REASONS[code].format(words)
        self.blocked.append((row["site_id"], row["name"], row["people"], code, reason))

    def _visits_needed(self, row: dict[str, Any]) -> int:
        lacking = row["lacking"].split(", ")
        want = self.asking.min_visits_per_week or 1
        # firms, hours and outbound come with a visit where there was none
        needs = "visits" in lacking or (row["visits_per_week"] == 0 and set(lacking) - {"pickup"})
        return max(0, want - int(row["visits_per_week"])) if needs else 0

    def run(self, measure: str) -> list[tuple[Any, ...]]:
        """Take one step after another; return the rows of the steps."""
        left = np.ones(len(self.rows), bool)
        weight = np.ones(len(self.rows))
        if measure == "people":
            weight = np.array([max(float(row["people"]), 1.0) for row in self.rows])
        extras = [self._extras(row) for row in self.rows]
        fixed = np.array([cost for _, _, cost in extras])
        steps: list[tuple[Any, ...]] = []
        while left.any():
            daily = self._daily()
            total, days = self._cheapest_days(daily)
            total = total + fixed
            rank = np.where(left, total / weight, np.inf)
            k = int(np.argmin(rank))
            if not np.isfinite(rank[k]):
                break
            left[k] = False
            fresh = [self._visit(day, k) for day in days[k]]
            row = self.rows[k]
            weekdays = "".join(sorted(DAYS[day] for day in days[k]))
            point, firms, _ = extras[k]
            actions = [f"visit on days {weekdays}"] if weekdays else []
            actions += ["pick-up point"] if point else []
            actions += [f"{firms} more firm{'s' if firms > 1 else ''}"] if firms else []
            steps.append(
                (
                    len(steps) + 1,
                    row["site_id"],
                    row["name"],
                    row["people"],
                    row["lacking"],
                    "; ".join(actions),
                    weekdays,
                    point,
                    firms,
                    sum(fresh),
                    float(total[k]),
                )
            )
        for row, stays in zip(self.rows, left, strict=True):
            if not stays:
                continue
            code = row["code"]
            self._block(row, "no-insertion", code or "beyond room, range, hours or its window")
        return steps

    def _extras(self, row: dict[str, Any]) -> tuple[bool, int, float]:
        """Return what a village needs beside visits: a pick-up point, more firms; and the cost of a week."""
        lacking = row["lacking"].split(", ")
        point, firms = "pickup" in lacking, 0
        if "firms" in lacking:
            firms = max(
                0, (self.asking.min_firms or 0) - max(int(row["firms"]), int(row["firms_with_pieces"]))
            )
        cost = point * self.asking.pickup_point_cny_per_week + firms * self.asking.firm_cny_per_week
        return point, firms, cost

    def _daily(self) -> Floats:
        """Return the least price of a visit of each village on each day."""
        least = np.stack([np.min([*self.price[day], self.own[day][0]], axis=0) for day in range(len(DAYS))])
        return np.where(self.free, least, np.inf)

    def _cheapest_days(self, daily: Floats) -> tuple[Floats, list[list[int]]]:
        order = np.argsort(daily, axis=0, kind="stable")
        days = [order[: self.need[k], k].tolist() for k in range(len(self.rows))]
        total = np.array([daily[chosen, k].sum() if chosen else 0.0 for k, chosen in enumerate(days)])
        return total, days

    def _visit(self, day: int, k: int) -> bool:
        """Put a village into the day's cheapest trip, or a new one; tell whether it is new."""
        prices = [price[k] for price in self.price[day]]
        own, choice = self.own[day]
        number = int(np.argmin(prices)) if prices else -1
        is_new = number < 0 or own[k] < prices[number]
        chosen = choice[k]
        if is_new and chosen is not None:
            number = self.week.add_trip(day, *chosen, k, self.wanted)
            self.price[day].append(np.empty(0))
            self.place[day].append(np.empty(0, np.int64))
            self.own[day] = self.week.new_trip(day, self.wanted)
        else:
            self.week.insert(day, number, int(self.place[day][number][k]), k, self.wanted)
        vehicle = self.week.trips[day][number].key
        for n, trip in enumerate(self.week.trips[day]):
            if trip.key == vehicle:  # the other trips of the vehicle have fewer kilometres left
                self.price[day][n], self.place[day][n] = self.week.insertion(day, n, self.wanted)
        return is_new


def _wanted(
    county: County, plan: CountyPlan, week: PlanWeek, rows: list[dict[str, Any]], need: NDArray[np.int64]
) -> Wanted:
    """Return what each village would get and give at a visit."""
    pieces = county.pieces
    if plan.name in county.firms:
        pieces = pieces.filter(pl.col("firm") == plan.name)
    inbound, outbound = pl.col("inbound_pieces_per_day"), pl.col("outbound_pieces_per_day")
    sums = pieces.group_by("site_id").agg(
        brought=inbound.sum(),
        taken=outbound.sum(),
        brought_cold=(inbound * pl.col("inbound_cold_share")).sum(),
        taken_cold=(outbound * pl.col("outbound_cold_share")).sum(),
    )
    there = {row["site_id"]: row for row in sums.iter_rows(named=True)}
    visits = np.array([max(1, row["visits_per_week"] + n) for row, n in zip(rows, need, strict=True)])

    def week_of(name: str) -> Floats:
        daily = np.array([there[row["site_id"]][name] if row["site_id"] in there else 0.0 for row in rows])
        each: Floats = daily * len(DAYS) / np.maximum(visits, 1)
        return each

    return Wanted(
        np.array([week.ways.row[row["site_id"]] for row in rows], dtype=np.int64),
        week_of("brought"),
        week_of("taken"),
        week_of("brought_cold"),
        week_of("taken_cold"),
        week.cold_h[[week.ways.row[row["site_id"]] for row in rows]],
    )
