"""Coverage of villages (快递进村): who is served, how often, by whom, how fast, how near."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.coverage_definition import CoverageDefinition, read_definition

DAYS = 7
CRITERIA = ("visits", "firms", "hours", "pickup", "outbound")
WHOLE = 1 - 1e-6
"""A firm whose unserved pieces reach this share of its pieces for a village does not come there."""

VILLAGE_FACTS: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "people": pl.Float64(),
    "served_from": pl.String(),
    "weekdays": pl.String(),
    "visits_per_week": pl.Int64(),
    "firms": pl.Int64(),
    "hours_to_delivery": pl.Float64(),
    "pickup_km": pl.Float64(),
    "outbound": pl.Boolean(),
    "served": pl.Boolean(),
    "lacking": pl.String(),
    "unknown": pl.String(),
}
"""One row a village. ``served`` is null where nothing is lacking and something is not known; ``lacking`` and
``unknown`` list criteria."""


@dataclass(frozen=True)
class Coverage:
    """Who is served.

    Attributes
    ----------
    county : str
        Its name.
    plan : str or None
        Name of the plan; None: the county's own data.
    definition : CoverageDefinition
    asked : tuple of str
        Criteria that were asked; without a plan the hours are not.
    villages : polars.DataFrame
        See ``VILLAGE_FACTS``.
    by_visits, by_firms, by_hours, by_pickup : polars.DataFrame
        ``band``, ``villages``, ``village_share``, ``people``, ``people_share``.
    """

    county: str
    plan: str | None
    definition: CoverageDefinition
    asked: tuple[str, ...]
    villages: pl.DataFrame
    by_visits: pl.DataFrame
    by_firms: pl.DataFrame
    by_hours: pl.DataFrame
    by_pickup: pl.DataFrame

    @property
    def village_share(self) -> float | None:
        """Share of the villages that are served for sure; None without villages."""
        served = int(self.villages["served"].sum())
        return served / self.villages.height if self.villages.height else None

    @property
    def people_share(self) -> float | None:
        """Share of the people that are served, of villages whose people are known; None where none are."""
        served = self.villages.filter(pl.col("served"))
        return _share(float(served["people"].sum()), float(self.villages["people"].sum()))

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        villages = self.villages
        served = villages["served"]
        lacking = {
            name: int(villages["lacking"].str.split(", ").list.contains(name).sum()) for name in self.asked
        }
        return {
            "county": self.county,
            "plan": self.plan,
            "definition": self.definition.to_dict(),
            "asked": list(self.asked),
            "villages": villages.height,
            "served_villages": int(served.sum()),
            "unknown_villages": served.null_count(),
            "village_share": self.village_share,
            "people": float(villages["people"].sum()),
            "people_share": self.people_share,
            "villages_without_people": villages["people"].null_count(),
            "lacking": lacking,
            "by_visits": self.by_visits.to_dicts(),
            "by_firms": self.by_firms.to_dicts(),
            "by_hours": self.by_hours.to_dicts(),
            "by_pickup": self.by_pickup.to_dicts(),
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        people = "not known" if s["people_share"] is None else f"{s['people_share']:.1%}"
        share = "none" if s["village_share"] is None else f"{s['village_share']:.1%}"
        lines = [
            f"{self.county}: {share} of {s['villages']:,} villages served, people {people}",
            f"  plan: {self.plan or 'none, what the county says of itself'}",
            f"  definition: {self.definition.name} ({self.definition.label}); asked: {', '.join(self.asked)}",
        ]
        if s["unknown_villages"]:
            lines.append(f"  of {s['unknown_villages']:,} villages something asked is not known")
        lines += [f"  lacking {name}: {count:,} villages" for name, count in s["lacking"].items() if count]
        for title, frame in (
            ("visits a week", self.by_visits),
            ("firms", self.by_firms),
            ("hours to delivery", self.by_hours),
            ("km to the pick-up point", self.by_pickup),
        ):
            parts = [
                f"{band} {share:.1%}" for band, share in frame.select("band", "village_share").iter_rows()
            ]
            lines.append(f"  {title}: {', '.join(parts)}")
        return "\n".join(lines)


def coverage(
    county: County, plan: CountyPlan | None = None, definition: CoverageDefinition | None = None
) -> Coverage:
    """Tell which villages are served.

    With a plan, days, firms and hours are the plan's. Without one they are what the county's tables say:
    the days on which a village must be visited, firms with pieces for it; hours are then not asked.

    Parameters
    ----------
    county : County
    plan : CountyPlan, optional
    definition : CoverageDefinition, optional
        When a village counts as served; the built-in one by default.

    Returns
    -------
    Coverage

    Examples
    --------
    >>> from changtong.rural.sources import small_county
    >>> coverage(small_county()).summary()["lacking"]["pickup"]
    2
    """
    asking = definition if definition is not None else read_definition()
    facts = _facts(county, plan)
    tests = _tests(asking, planned=plan is not None)
    villages = facts.with_columns(
        served=pl.all_horizontal(list(tests.values())) if tests else pl.lit(True),
        lacking=_listed({name: ~test for name, test in tests.items()}),
        unknown=_listed({name: test.is_null() for name, test in tests.items()}),
    ).select(pl.col(name).cast(dtype) for name, dtype in VILLAGE_FACTS.items())
    hours, near = asking.hours_bands, asking.pickup_bands
    return Coverage(
        county=county.name,
        plan=None if plan is None else plan.name,
        definition=asking,
        asked=tuple(tests),
        villages=villages,
        by_visits=_by_number(villages, "visits_per_week", DAYS),
        by_firms=_by_number(villages, "firms", len(county.firms)),
        by_hours=_by_band(villages, "hours_to_delivery", hours, "not visited or not known"),
        by_pickup=_by_band(villages, "pickup_km", near, "not known"),
    )


def _facts(county: County, plan: CountyPlan | None) -> pl.DataFrame:
    """Return days, firms, hours, way and outbound of each village."""
    villages = county.sites.filter(pl.col("kind") == "village")
    base = villages.select("site_id", "name", "people", "pickup_km")
    if plan is None:
        sending = pl.col("outbound_pieces_per_day").sum() > 0
        there = county.pieces.group_by("site_id").agg(
            firms=(pl.col("inbound_pieces_per_day") > 0).sum(),
            outbound=pl.when(sending).then(True),  # none today does not say that none would be taken
        )
        days = pl.when(pl.col("firms") > 0).then("visits_per_week").otherwise(0)
        facts = villages.select("site_id", "visits_per_week").join(there, on="site_id", how="left")
        facts = facts.with_columns(pl.col("firms").fill_null(0)).with_columns(visits_per_week=days)
        return base.join(facts, on="site_id", how="left", maintain_order="left").with_columns(
            served_from=pl.lit(None, pl.String),
            weekdays=pl.lit(None, pl.String),
            hours_to_delivery=pl.lit(None, pl.Float64),
        )
    found = base.join(plan.villages.drop("cold_hours"), on="site_id", how="left", maintain_order="left")
    found = found.join(_firms_served(county, plan), on="site_id", how="left", maintain_order="left")
    visits = pl.col("weekdays").str.len_chars().fill_null(0).cast(pl.Int64)
    return found.with_columns(
        visits_per_week=visits,
        firms=pl.when(visits > 0).then(pl.col("firms").fill_null(0)).otherwise(0),
        outbound=visits > 0,  # what is there is taken whenever something is brought
        gets=pl.col("site_id").is_in(_getting(county, plan)),
    )


def _getting(county: County, plan: CountyPlan) -> list[str]:
    """Return the sites to which something is to be brought under a plan."""
    pieces = county.pieces.filter(pl.col("inbound_pieces_per_day") > 0)
    if plan.name in county.firms:
        pieces = pieces.filter(pl.col("firm") == plan.name)
    return pieces["site_id"].cast(pl.String).unique().to_list()


def _firms_served(county: County, plan: CountyPlan) -> pl.DataFrame:
    """Return how many firms' pieces reach each village under a plan that visits it."""
    pieces = county.pieces.filter(pl.col("inbound_pieces_per_day") > 0)
    if plan.name in county.firms:
        pieces = pieces.filter(pl.col("firm") == plan.name)
    both = pl.col("inbound_pieces_per_day") + pl.col("outbound_pieces_per_day")
    pieces = pieces.select("site_id", "firm", week=both * DAYS)
    left = plan.unserved.filter(pl.col("firm").is_not_null() & (pl.col("firm") != ""))
    own = left.group_by("site_id", "firm").agg(left=pl.col("pieces_per_week").sum())
    whole = plan.unserved.filter(pl.col("firm").is_null() | (pl.col("firm") == ""))
    common = whole.group_by("site_id").agg(common=pl.col("pieces_per_week").sum())
    pieces = pieces.join(own, on=["site_id", "firm"], how="left").join(common, on="site_id", how="left")
    all_week = pl.col("week").sum().over("site_id")
    gone = (pl.col("left").fill_null(0) >= pl.col("week") * WHOLE) | (
        pl.col("common").fill_null(0) >= all_week * WHOLE
    )
    return pieces.filter(~gone).group_by("site_id").agg(firms=pl.len().cast(pl.Int64))


def _tests(definition: CoverageDefinition, *, planned: bool) -> dict[str, pl.Expr]:
    """Return what is asked: criterion -> whether a village meets it, null where that is not known."""
    made: dict[str, pl.Expr] = {}
    if definition.min_visits_per_week is not None:
        made["visits"] = pl.col("visits_per_week") >= definition.min_visits_per_week
    if definition.min_firms is not None:
        made["firms"] = pl.col("firms") >= definition.min_firms
    if definition.max_hours is not None and planned:
        unvisited = pl.col("visits_per_week") == 0
        made["hours"] = (
            pl.when(unvisited)
            .then(False)
            .when(pl.col("gets").not_())
            .then(True)
            .otherwise(pl.col("hours_to_delivery") <= definition.max_hours)
        )
    if definition.max_pickup_km is not None:
        made["pickup"] = pl.col("pickup_km") <= definition.max_pickup_km
    if definition.outbound_too:
        made["outbound"] = pl.col("outbound")
    return made


def _listed(tests: dict[str, pl.Expr]) -> pl.Expr:
    """Return the names of the tests that are true, with commas; empty where none is."""
    if not tests:
        return pl.lit("")
    names = [pl.when(test).then(pl.lit(name)) for name, test in tests.items()]
    return pl.concat_str(names, separator=", ", ignore_nulls=True)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _by_number(villages: pl.DataFrame, column: str, most: int) -> pl.DataFrame:
    bands = [(str(number), pl.col(column) == number) for number in range(most + 1)]
    return _counted(villages, bands)


def _by_band(villages: pl.DataFrame, column: str, ends: tuple[float, ...], unknown: str) -> pl.DataFrame:
    value = pl.col(column)
    bands, low = [], -1.0
    for end in ends:
        bands.append((f"up to {end:g}", (value > low) & (value <= end)))
        low = end
    bands += [(f"more than {low:g}", value > low), (unknown, value.is_null())]
    return _counted(villages, bands)


def _counted(villages: pl.DataFrame, bands: list[tuple[str, pl.Expr]]) -> pl.DataFrame:
    """Count villages and people of each band."""
    whole, people = villages.height, float(villages["people"].sum())
    rows = []
    for band, test in bands:
        part = villages.filter(test)
        here = float(part["people"].sum())
        rows.append((band, part.height, _share(part.height, whole), here, _share(here, people)))
    return pl.DataFrame(
        rows,
        schema={
            "band": pl.String,
            "villages": pl.Int64,
            "village_share": pl.Float64,
            "people": pl.Float64,
            "people_share": pl.Float64,
        },
        orient="row",
    )
