"""What a county's delivery needs more at harvest: two plans beside each other, before and then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from changtong.errors import UsageError
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan

FIGURE_SCHEMA: dict[str, pl.DataType] = {
    "figure": pl.String(),
    "now": pl.Float64(),
    "harvest": pl.Float64(),
    "more": pl.Float64(),
}
"""One row a figure of a week: those of ``FIGURES``; ``vehicles`` is the most out on one weekday. Emissions
are null where a vehicle's are unknown."""

FIGURES = (
    "cost_cny",
    "distance_km",
    "hours",
    "kgco2e",
    "pieces",
    "unserved_pieces",
    "vehicles",
    "vehicle_days",
    "stations",
)

VEHICLE_SCHEMA: dict[str, pl.DataType] = {
    "vehicle_type": pl.String(),
    "count": pl.Int64(),
    "cold_pieces": pl.Float64(),
    "now_vehicles": pl.Int64(),
    "harvest_vehicles": pl.Int64(),
    "more_vehicles": pl.Int64(),
    "now_vehicle_days": pl.Int64(),
    "harvest_vehicle_days": pl.Int64(),
    "more_vehicle_days": pl.Int64(),
}
"""One row a type of vehicle that either plan uses. ``vehicles``: the most out on one weekday; ``count``: how
many there are (null: as many as wanted) and ``cold_pieces``: the cold space of one, as at harvest."""

COLD_SCHEMA: dict[str, pl.DataType] = {
    "tier": pl.String(),
    "now_pieces": pl.Float64(),
    "harvest_pieces": pl.Float64(),
    "more_pieces": pl.Float64(),
    "now_aboard": pl.Float64(),
    "harvest_aboard": pl.Float64(),
    "more_aboard": pl.Float64(),
    "now_space": pl.Float64(),
    "harvest_space": pl.Float64(),
    "more_space": pl.Float64(),
}
"""One row a level (trunk, local), each figure the most on one weekday. ``pieces``: cold pieces brought and
taken; ``aboard``: those that vehicles hold when each is at its fullest, which is the space it takes;
``space``: cold space of the vehicles that carry cold pieces that day."""

STATION_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "name": pl.String(),
    "state": pl.String(),
    "now_days": pl.Int64(),
    "harvest_days": pl.Int64(),
    "now_pieces": pl.Float64(),
    "harvest_pieces": pl.Float64(),
}
"""One row a station that either plan uses. ``state``: opened (at harvest only), shut (now only) or kept; days
of use and pieces passed on, both ways, in a week."""

UNSERVED_SCHEMA: dict[str, pl.DataType] = {
    "site_id": pl.String(),
    "firm": pl.String(),
    "code": pl.String(),
    "now_pieces": pl.Float64(),
    "harvest_pieces": pl.Float64(),
    "more_pieces": pl.Float64(),
}
"""One row what either plan leaves unserved: pieces a week by site, firm and code; most more first."""

TIERS = ("trunk", "local")
SHOWN = 8
ROUNDING_PIECES = 0.5


@dataclass(frozen=True)
class HarvestNeeds:
    """What the plan at harvest needs beside the plan of now; figures are of a week.

    Attributes
    ----------
    county_now, county_harvest : str
        Names of the counties.
    plan_now, plan_harvest : str
        Names of the plans.
    figures, vehicles, cold, stations, unserved : polars.DataFrame
        See the schemas; ``more`` is harvest less now.
    """

    county_now: str
    county_harvest: str
    plan_now: str
    plan_harvest: str
    figures: pl.DataFrame
    vehicles: pl.DataFrame
    cold: pl.DataFrame
    stations: pl.DataFrame
    unserved: pl.DataFrame

    @property
    def more_unserved_pieces(self) -> float:
        """Pieces a week left unserved at harvest beyond those of now; 0 where they are fewer."""
        (row,) = self.figures.filter(pl.col("figure") == "unserved_pieces")["more"].to_list()
        return max(0.0, float(row))

    @property
    def complete(self) -> bool:
        """Whether the figures are of all that harvest asks for: else they tell less than it needs."""
        return self.more_unserved_pieces < ROUNDING_PIECES

    def summary(self) -> dict[str, Any]:
        """Return the figures a person decides by, as plain values."""
        changed = self.stations.filter(pl.col("state") != "kept")
        return {
            "county_now": self.county_now,
            "county_harvest": self.county_harvest,
            "plan_now": self.plan_now,
            "plan_harvest": self.plan_harvest,
            "complete": self.complete,
            "figures": {row.pop("figure"): row for row in self.figures.iter_rows(named=True)},
            "vehicles": self.vehicles.to_dicts(),
            "cold": self.cold.to_dicts(),
            "stations_opened": changed.filter(pl.col("state") == "opened")["site_id"].to_list(),
            "stations_shut": changed.filter(pl.col("state") == "shut")["site_id"].to_list(),
            "unserved": self.unserved.to_dicts(),
        }

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        lines = [
            f"what harvest needs, a week\n  now: {self.county_now} ({self.plan_now})"
            f"\n  harvest: {self.county_harvest} ({self.plan_harvest})",
        ]
        if not self.complete:
            lines.append(
                f"  NOT ALL IS SERVED: the plan at harvest leaves {self.more_unserved_pieces:,.0f} pieces"
                " more unserved, and the\n  figures are without them. To see what serving all takes, leave"
                " count empty in the vehicles of\n  its county and plan again."
            )
        lines.append(_line("", "now", "harvest", "more"))
        for row in self.figures.iter_rows(named=True):
            lines.append(_numbers(LABELS[row["figure"]], row["now"], row["harvest"], row["more"]))
        lines.append("  most vehicles out on one weekday, by type")
        for row in self.vehicles.iter_rows(named=True):
            all_out = row["count"] is not None and row["harvest_vehicles"] >= row["count"]
            note = f"  all {row['count']:,} there are" if all_out else ""
            days = f"  ({_signed(row['more_vehicle_days'])} vehicle-days)"
            found = (row["now_vehicles"], row["harvest_vehicles"], row["more_vehicles"])
            lines.append(_numbers(f"  {row['vehicle_type']}", *found) + days + note)
        lines.append("  cold, the most on one weekday")
        for row in self.cold.iter_rows(named=True):
            for what, said in COLD_LABELS.items():
                found = (row[f"now_{what}"], row[f"harvest_{what}"], row[f"more_{what}"])
                lines.append(_numbers(f"  {row['tier']}: {said}", *found))
        for state in ("opened", "shut"):
            rows = self.stations.filter(pl.col("state") == state)
            names = [row["name"] or row["site_id"] for row in rows.head(SHOWN).iter_rows(named=True)]
            more = f" and {rows.height - SHOWN:,} more" if rows.height > SHOWN else ""
            lines.append(f"  stations {state}: {', '.join(names) + more if names else 'none'}")
        worse = self.unserved.filter(pl.col("more_pieces") > 0)
        for row in worse.head(SHOWN).iter_rows(named=True):
            firm = "" if row["firm"] is None else f" {row['firm']}"
            lines.append(
                f"  more unserved: {row['site_id']}{firm} {_signed(row['more_pieces'])} ({row['code']})"
            )
        if worse.height > SHOWN:
            lines.append(f"  … and {worse.height - SHOWN:,} more, in the table")
        return "\n".join(lines)


LABELS = {
    "cost_cny": "cost, CNY",
    "distance_km": "vehicle km",
    "hours": "vehicle hours",
    "kgco2e": "kg CO2e",
    "pieces": "pieces served",
    "unserved_pieces": "pieces unserved",
    "vehicles": "vehicles, most out on one weekday",
    "vehicle_days": "vehicle-days",
    "stations": "stations in use",
}
COLD_LABELS = {"pieces": "cold pieces", "aboard": "aboard at once", "space": "space of their vehicles"}


def _line(label: str, now: str, harvest: str, more: str) -> str:
    return f"  {label:<36}{now:>12}{harvest:>12}{more:>12}".rstrip()


def _numbers(label: str, now: float | None, harvest: float | None, more: float | None) -> str:
    before, after = ("unknown" if value is None else f"{value:,.0f}" for value in (now, harvest))
    return _line(label, before, after, "unknown" if more is None else _signed(more))


def _signed(value: float) -> str:
    """Say a difference with its sign; what rounds to nothing is 0, never -0."""
    said = f"{value:+,.0f}"
    return "0" if said in ("+0", "-0") else said


def needs_at_harvest(
    before: CountyPlan, after: CountyPlan, county_before: County, county_after: County
) -> HarvestNeeds:
    """Say what a plan at harvest needs more than the plan of now.

    Parameters
    ----------
    before, after : CountyPlan
        Plans of the two counties.
    county_before, county_after : County
        As they were planned: with the same villages, for example a county and what
        :func:`changtong.rural.produce.at_harvest` made of it.

    Returns
    -------
    HarvestNeeds

    Raises
    ------
    UsageError
        ``villages-differ``: the counties have other villages.

    Examples
    --------
    >>> needs_at_harvest(now.shared, then.shared, now.county, then.county).vehicles  # doctest: +SKIP
    """
    _check_same_villages(county_before, county_after)
    days = (_out_by_day(before), _out_by_day(after))
    return HarvestNeeds(
        county_now=county_before.name,
        county_harvest=county_after.name,
        plan_now=before.name,
        plan_harvest=after.name,
        figures=_figures(before, after, days),
        vehicles=_vehicles(days, county_before, county_after),
        cold=_cold(before, after, county_before, county_after),
        stations=_stations(before, after, county_after),
        unserved=_unserved(before, after),
    )


def _check_same_villages(before: County, after: County) -> None:
    """Refuse counties whose villages differ by id or place: made-up counties often use the same ids."""
    places = [
        {
            site: place
            for site, *place in county.sites.filter(pl.col("kind") == "village")
            .select("site_id", "lon", "lat")
            .iter_rows()
        }
        for county in (before, after)
    ]
    now, then = places
    for sites, said in (
        (sorted(now.keys() - then.keys()), "are not in the second"),
        (sorted(then.keys() - now.keys()), "are not in the first"),
        (sorted(site for site in now.keys() & then.keys() if now[site] != then[site]), "lie elsewhere"),
    ):
        if sites:
            named = ", ".join(sites[:5]) + (", …" if len(sites) > 5 else "")
            raise UsageError(
                f"{before.name} and {after.name} have other villages: {len(sites):,} {said} ({named})."
                " Compare plans of one county.",
                "villages-differ",
            )


def _by_day(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each of a row's weekdays, as ``day``."""
    return frame.with_columns(day=pl.col("weekdays").str.extract_all(r"\d")).explode("day")


def _own_routes(plan: CountyPlan) -> pl.DataFrame:
    """Return the trips of vehicles: a bus runs anyway and is none of ours."""
    return plan.routes.filter(pl.col("tier") != "bus")


def _out_by_day(plan: CountyPlan) -> pl.DataFrame:
    """Return vehicles out by type and weekday: each has one first trip a day."""
    first = _own_routes(plan).filter(pl.col("trip") == 1)
    return _by_day(first).group_by("vehicle_type", "day").agg(out=pl.len().cast(pl.Int64))


def _figures(before: CountyPlan, after: CountyPlan, days: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    found = []
    for plan, out in zip((before, after), days, strict=True):
        facts = plan.summary()
        most = out.group_by("day").agg(pl.col("out").sum())["out"].max()
        found.append(facts | {"vehicles": most or 0})
    now, then = found
    rows = []
    for figure in FIGURES:
        known = now[figure] is not None and then[figure] is not None
        rows.append((figure, now[figure], then[figure], then[figure] - now[figure] if known else None))
    return pl.DataFrame(rows, schema=FIGURE_SCHEMA, orient="row", strict=False)


def _beside(
    now: pl.DataFrame, then: pl.DataFrame, on: list[str], figures: tuple[str, ...], *, missing: float = 0
) -> pl.DataFrame:
    """Return now_…, harvest_… and more_… of each figure; a row missing in one of them counts as nothing."""
    frames = [
        frame.rename({figure: f"{prefix}_{figure}" for figure in figures})
        for prefix, frame in (("now", now), ("harvest", then))
    ]
    joined = frames[0].join(frames[1], on=on, how="full", coalesce=True, nulls_equal=True)
    both = [f"{prefix}_{figure}" for figure in figures for prefix in ("now", "harvest")]
    return joined.with_columns(pl.col(both).fill_null(missing)).with_columns(
        (pl.col(f"harvest_{figure}") - pl.col(f"now_{figure}")).alias(f"more_{figure}") for figure in figures
    )


def _typed(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _vehicles(
    days: tuple[pl.DataFrame, pl.DataFrame], county_before: County, county_after: County
) -> pl.DataFrame:
    now, then = (
        out.group_by("vehicle_type").agg(vehicles=pl.col("out").max(), vehicle_days=pl.col("out").sum())
        for out in days
    )
    # a type that is no longer there at harvest is described as it was
    known = pl.concat([county.vehicles.select("vehicle_type", "count", "cold_pieces")
                       for county in (county_after, county_before)])  # fmt: skip
    known = known.unique("vehicle_type", keep="first")
    made = _beside(now, then, ["vehicle_type"], ("vehicles", "vehicle_days"))
    return _typed(made.join(known, on="vehicle_type", how="left"), VEHICLE_SCHEMA).sort("vehicle_type")


def _cold(before: CountyPlan, after: CountyPlan, county_before: County, county_after: County) -> pl.DataFrame:
    now, then = _most_cold(before, county_before), _most_cold(after, county_after)
    made = _beside(now, then, ["tier"], ("pieces", "aboard", "space"))
    order = pl.col("tier").replace_strict({tier: k for k, tier in enumerate(TIERS)}, default=len(TIERS))
    return _typed(made.sort(order), COLD_SCHEMA)


def _most_cold(plan: CountyPlan, county: County) -> pl.DataFrame:
    """Return by tier the most of each figure on one weekday."""
    brought, taken = pl.col("delivered_cold_pieces"), pl.col("collected_cold_pieces")
    # a trip leaves with all it brings; behind each stop it holds what is still to bring and was taken
    held = (
        brought.sum().over("route_id") - brought.cum_sum().over("route_id") + taken.cum_sum().over("route_id")
    )
    trips = (
        plan.stops.sort("route_id", "stop")
        .with_columns(held=held)
        .group_by("route_id")
        .agg(pieces=(brought + taken).sum(), aboard=pl.max_horizontal(brought.sum(), pl.col("held").max()))
        .filter(pl.col("pieces") > 0)
    )
    rows = _by_day(_own_routes(plan).join(trips, on="route_id"))
    vehicles = rows.group_by("tier", "day", "from_site", "vehicle_type", "vehicle").agg(
        pl.col("pieces").sum(), pl.col("aboard").max()
    )
    space = county.vehicles.select("vehicle_type", space="cold_pieces")
    each_day = (
        vehicles.join(space, on="vehicle_type", how="left")
        .group_by("tier", "day")
        .agg(pl.col("pieces", "aboard", "space").sum())
    )
    return each_day.group_by("tier").agg(pl.col("pieces", "aboard", "space").max())


def _stations(before: CountyPlan, after: CountyPlan, county: County) -> pl.DataFrame:
    now, then = (
        plan.stations.select(
            "site_id",
            days=pl.col("weekdays").str.len_chars().cast(pl.Int64),
            pieces=pl.col("inbound_pieces_per_week") + pl.col("outbound_pieces_per_week"),
        )
        for plan in (before, after)
    )
    used, kept = set(then["site_id"]), set(now["site_id"]) & set(then["site_id"])
    made = _beside(now, then, ["site_id"], ("days", "pieces"))
    states = ["kept" if site in kept else "opened" if site in used else "shut" for site in made["site_id"]]
    made = made.with_columns(state=pl.Series(states, dtype=pl.String))
    made = made.join(county.sites.select("site_id", "name"), on="site_id", how="left")
    return _typed(made, STATION_SCHEMA).sort("site_id")


def _unserved(before: CountyPlan, after: CountyPlan) -> pl.DataFrame:
    keys = ["site_id", "firm", "code"]
    now, then = (
        plan.unserved.group_by(keys).agg(pieces=pl.col("pieces_per_week").sum()) for plan in (before, after)
    )
    made = _typed(_beside(now, then, keys, ("pieces",)), UNSERVED_SCHEMA)
    return made.sort(["more_pieces", *keys], descending=[True, False, False, False])
