"""How risky each site is and which must be visited, from what is known on a day."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from changtong.safety.hazard import ENDED
from changtong.safety.supervision import Supervision
from changtong.safety.visit_rules import VisitRules

DAYS_OF_MONTH = 30.0
PAST_DAYS = 365

RISK_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "risk": pl.Float64(),
    "hazard_points": pl.Float64(),
    "finding_points": pl.Float64(),
    "unvisited_points": pl.Float64(),
    "size_points": pl.Float64(),
    "kind_points": pl.Float64(),
    "campaign_points": pl.Float64(),
    "open_major": pl.Int64(),
    "open_general": pl.Int64(),
    "last_visit": pl.Date(),
    "due_on": pl.Date(),
    "due_reason": pl.String(),
}
"""One row a site; ``risk`` is the sum of the points. ``due_on``: a visit must be made by then, null where
none must; ``due_reason``: frequency, never_visited or recheck."""


def site_risk(
    supervision: Supervision, rules: VisitRules, day: date, *, running: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Return the risk of every site that is not closed, the riskiest first (`RISK_SCHEMA`).

    Parameters
    ----------
    supervision : Supervision
    rules : VisitRules
    day : date
        What happened on this day or later does not count.
    running : tuple of str
        Ids of campaigns that run.
    """
    p = rules.points
    sites = supervision.sites.filter(pl.col("status").fill_null("") != "closed")
    made = (
        sites.join(_hazards(supervision, day), "site_id", "left")
        .join(_visits(supervision, day), "site_id", "left")
        .with_columns(pl.col("open_major", "open_general", "overdue", "past_findings").fill_null(0))
    )
    months = (pl.lit(day) - pl.col("last_visit")).dt.total_days() / DAYS_OF_MONTH
    hazard_points = (
        pl.col("open_major") * p["major_hazard"]
        + pl.col("open_general") * p["general_hazard"]
        + pl.col("overdue") * p["overdue_hazard"]
    )
    frequency = {kind: found.most_days for kind, found in rules.frequency.items()}
    most_days = pl.col("kind").replace_strict(frequency, default=None, return_dtype=pl.Int64)
    named = pl.col("campaigns").fill_null("").str.split(";").list.eval(pl.element().str.strip_chars())
    in_campaign = named.list.set_intersection(pl.lit(list(running), pl.List(pl.String))).list.len() > 0
    by_frequency = pl.col("last_visit") + pl.duration(days=most_days)
    never = most_days.is_not_null() & pl.col("last_visit").is_null()
    due_on = pl.when(never).then(pl.lit(day)).otherwise(by_frequency)
    kind_points = pl.col("kind").replace_strict(rules.points_of_kind, default=0.0, return_dtype=pl.Float64)
    made = made.with_columns(
        hazard_points=hazard_points.clip(upper_bound=p["most_hazards"]).cast(pl.Float64),
        finding_points=(pl.col("past_findings") * p["past_finding"])
        .clip(upper_bound=p["most_findings"])
        .cast(pl.Float64),
        unvisited_points=(months * p["month_unvisited"])
        .clip(upper_bound=p["most_months"])
        .fill_null(p["most_months"]),
        size_points=(pl.col("pieces_per_day").fill_null(0.0).clip(lower_bound=0.0) + 1.0).log10()
        * p["tenfold_pieces"],
        kind_points=kind_points,
        campaign_points=pl.when(in_campaign).then(p["campaign"]).otherwise(0.0),
        due_frequency=due_on,
        never=never,
    )
    recheck_first = pl.col("recheck_on").is_not_null() & (
        pl.col("due_frequency").is_null() | (pl.col("recheck_on") <= pl.col("due_frequency"))
    )
    reason = (
        pl.when(recheck_first)
        .then(pl.lit("recheck"))
        .when(pl.col("never"))
        .then(pl.lit("never_visited"))
        .when(pl.col("due_frequency").is_not_null())
        .then(pl.lit("frequency"))
    )
    points = [name for name in RISK_SCHEMA if name.endswith("_points")]
    return (
        made.with_columns(
            risk=pl.sum_horizontal(points).round(2),
            due_on=pl.min_horizontal("due_frequency", "recheck_on"),
            due_reason=reason,
        )
        .select([pl.col(name).cast(dtype) for name, dtype in RISK_SCHEMA.items()])
        .sort(-pl.col("risk"), "site_id")
    )


def _hazards(supervision: Supervision, day: date) -> pl.DataFrame:
    """Open hazards of each site; what is mended is looked at again, at the latest on its deadline."""
    open_ = supervision.hazards.filter(~pl.col("state").is_in(ENDED))
    return open_.group_by("site_id").agg(
        open_major=(pl.col("grade") == "major").sum(),
        open_general=(pl.col("grade") == "general").sum(),
        overdue=(pl.col("deadline") < day).sum(),
        recheck_on=pl.when(pl.col("state") == "recheck").then(pl.col("deadline").fill_null(day)).min(),
    )


def _visits(supervision: Supervision, day: date) -> pl.DataFrame:
    before = supervision.inspections.filter(pl.col("on") < day)
    since = day - timedelta(days=PAST_DAYS)
    return before.group_by("site_id").agg(
        last_visit=pl.col("on").max(),
        past_findings=pl.col("findings").filter(pl.col("on") >= since).fill_null(0).sum(),
    )
