"""Cold chain: readings against limits, time out of range, thermal load, shelf life used on a route."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from changtong.network.table_files import TableSource
from changtong.rural.cold_excursions import MS_PER_HOUR, find_excursions
from changtong.rural.cold_readings import INSTANT, ColdData, read_cold_data
from changtong.rural.county_plan import CountyPlan
from changtong.rural.distances import Floats

ZERO_CELSIUS_K = 273.15
ACTIVATION_K = 10_000.0
"""Activation energy over the gas constant: 83.144 kJ/mol over 8.3144 J/(mol K), the customary value of mean
kinetic temperature (ICH Q1A(R2), glossary; formula of J. D. Haynes, J. Pharm. Sci. 60 (1971) 927)."""

ITEM_SCHEMA: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "product": pl.String(),
    "state": pl.String(),
    "readings": pl.Int64(),
    "first_at": INSTANT,
    "last_at": INSTANT,
    "observed_h": pl.Float64(),
    "gaps": pl.Int64(),
    "gap_h": pl.Float64(),
    "lowest_celsius": pl.Float64(),
    "highest_celsius": pl.Float64(),
    "below_h": pl.Float64(),
    "above_h": pl.Float64(),
    "longest_excursion_h": pl.Float64(),
    "kinetic_celsius": pl.Float64(),
    "shelf_life_share": pl.Float64(),
}
"""One row an item. ``state``: out, gap or ok; ``kinetic_celsius`` and ``shelf_life_share`` over the observed
time; null where nothing was observed, or the limits have no shelf life."""

ROUTE_SCHEMA: dict[str, pl.DataType] = {
    "product": pl.String(),
    "site_id": pl.String(),
    "hours": pl.Float64(),
    "celsius": pl.Float64(),
    "basis": pl.String(),
    "shelf_life_share": pl.Float64(),
}
"""One row a product and village with cold goods; ``basis``: readings, or upper limit where there are none;
``celsius`` is the steady temperature that uses shelf life as fast."""


@dataclass(frozen=True)
class ColdChain:
    """Readings held against their limits.

    Attributes
    ----------
    items, excursions : polars.DataFrame
        See the schemas.
    products : polars.DataFrame
        ``product``, ``items``, ``out``, ``with_gaps``, ``out_h``, ``shelf_life_share`` (the largest).
    limits : polars.DataFrame
        What they were held against, each with its source.
    repeated : int
        Readings that were there twice.
    route : polars.DataFrame or None
        Share of shelf life used on the way of a plan.
    """

    items: pl.DataFrame
    excursions: pl.DataFrame
    products: pl.DataFrame
    limits: pl.DataFrame
    repeated: int
    route: pl.DataFrame | None = None

    def summary(self) -> dict[str, Any]:
        """Return the numbers a person decides by, as plain values."""
        states = dict(self.items["state"].value_counts().iter_rows())
        used = self.limits.filter(pl.col("product").is_in(self.products["product"].implode()))
        facts: dict[str, Any] = {
            "items": self.items.height,
            "readings": int(self.items["readings"].sum()),
            "repeated_readings": self.repeated,
            "out": states.get("out", 0),
            "with_gaps": int((self.items["gaps"] > 0).sum()),
            "ok": states.get("ok", 0),
            "observed_h": float(self.items["observed_h"].sum()),
            "gap_h": float(self.items["gap_h"].sum()),
            "excursions": self.excursions.height,
            "products": self.products.to_dicts(),
            "limits": used.to_dicts(),
            "out_items": _plain(self.items.filter(pl.col("state") == "out")),
        }
        if self.route is not None:
            facts["route"] = self.route.to_dicts()
        return facts

    def to_json(self) -> str:
        """Return the summary as one JSON object."""
        return json.dumps(self.summary(), ensure_ascii=False, allow_nan=False)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"cold chain: {s['out']:,} of {s['items']:,} items out of their limits,"
            f" {s['with_gaps']:,} with gaps, {s['ok']:,} in order",
            f"  {s['readings']:,} readings over {s['observed_h']:,.1f} h;"
            f" nothing known for {s['gap_h']:,.1f} h",
        ]
        for row in self.products.iter_rows(named=True):
            share = row["shelf_life_share"]
            used = "" if share is None else f", at most {share:.1%} of shelf life used"
            lines.append(
                f"  {row['product']}: {row['out']:,} of {row['items']:,} out, {row['out_h']:,.2f} h{used}"
            )
        worst = (
            self.items.filter(pl.col("state") == "out").sort("longest_excursion_h", descending=True).head(10)
        )
        for row in worst.iter_rows(named=True):
            lines.append(
                f"  {row['item_id']}: {row['above_h']:.2f} h too warm, {row['below_h']:.2f} h too cold,"
                f" longest {row['longest_excursion_h']:.2f} h"
                f" ({row['lowest_celsius']:g} … {row['highest_celsius']:g} °C)"
            )
        if self.route is not None and self.route.height:
            last = self.route.sort("shelf_life_share", descending=True).row(0, named=True)
            lines.append(
                f"  route: at most {last['shelf_life_share']:.1%} of shelf life, {last['product']} to"
                f" {last['site_id']} in {last['hours']:.1f} h at {last['celsius']:.1f} °C ({last['basis']})"
            )
        return "\n".join(lines)


def cold_chain(
    readings: TableSource,
    limits: TableSource | None = None,
    route: CountyPlan | None = None,
    *,
    zone: str | None = None,
) -> ColdChain:
    """Hold temperature readings against their limits.

    Between two readings the temperature is taken to run straight from one to the other; readings farther
    apart than the limit's longest gap leave a gap that is counted and not filled.

    Parameters
    ----------
    readings : path or frame
        ``item_id`` (an item, a box, a vehicle), ``at``, ``celsius``, ``product``.
    limits : path or frame, optional
        By product: lowest and highest temperature, longest gap, shelf life at a reference temperature and
        Q10, each row with its source. The built-in ones by default.
    route : CountyPlan, optional
        Tell the share of shelf life used on the way to each village with cold goods.
    zone : str, optional
        Time zone of instants without an offset.

    Returns
    -------
    ColdChain

    Raises
    ------
    InputError
        With every problem of both tables.

    Examples
    --------
    >>> import polars as pl
    >>> at = ["2024-07-01T08:00:00Z", "2024-07-01T09:00:00Z"]
    >>> frame = pl.DataFrame({"item_id": "a", "at": at, "celsius": [4.0, 6.0], "product": "strawberry"})
    >>> cold_chain(frame).items["above_h"].item()
    0.5
    """
    data = read_cold_data(readings, limits, zone=zone)
    steps = _steps(data)
    excursions = find_excursions(data)
    items = _items(data, steps, excursions)
    return ColdChain(
        items=items,
        excursions=excursions,
        products=_products(items),
        limits=data.limits,
        repeated=data.repeated,
        route=None if route is None else route_risk(route, data.limits, _pace(steps)),
    )


def log_mean(one: Floats, other: Floats) -> Floats:
    """Return the mean of an exponential that runs from one value to another.

    Parameters
    ----------
    one, other : array of float
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> log_mean(np.array([1.0, 2.0]), np.array([np.e, 2.0])).round(4).tolist()
    [1.7183, 2.0]
    """
    ratio = np.log(other / one)
    safe = np.where(np.abs(ratio) < 1e-9, 1.0, ratio)
    mean: Floats = np.where(np.abs(ratio) < 1e-9, (one + other) / 2, (other - one) / safe)
    return mean


def _steps(data: ColdData) -> pl.DataFrame:
    """Return one row for each pair of readings that follow each other, with what happens between them."""
    limits = data.limits.select(
        "product",
        "low_celsius",
        "high_celsius",
        "longest_gap_min",
        "reference_celsius",
        "shelf_life_h",
        "q10",
    )
    frame = data.readings.join(limits, on="product", how="left", maintain_order="left")
    frame = frame.with_columns(
        next_at=pl.col("at").shift(-1),
        next_c=pl.col("celsius").shift(-1),
        next_id=pl.col("item_id").shift(-1),
    ).filter(pl.col("next_id") == pl.col("item_id"))
    hours = (pl.col("next_at") - pl.col("at")).dt.total_milliseconds() / MS_PER_HOUR
    frame = frame.with_columns(hours=hours).with_columns(
        gap=pl.col("hours") * 60 > pl.col("longest_gap_min") + 1e-9
    )
    one, other = frame["celsius"].to_numpy(), frame["next_c"].to_numpy()
    above = _share_above(one, other, frame["high_celsius"].fill_null(np.inf).to_numpy())
    below = _share_above(-one, -other, -frame["low_celsius"].fill_null(-np.inf).to_numpy())
    kinetic = (
        np.exp(-ACTIVATION_K / (one + ZERO_CELSIUS_K)) + np.exp(-ACTIVATION_K / (other + ZERO_CELSIUS_K))
    ) / 2
    q10 = frame["q10"].fill_null(1.0).to_numpy()
    reference = frame["reference_celsius"].fill_null(0.0).to_numpy()
    pace = log_mean(q10 ** ((one - reference) / 10), q10 ** ((other - reference) / 10))
    has_life = frame["shelf_life_h"].is_not_null()
    return frame.with_columns(
        above=pl.Series(above), below=pl.Series(below), kinetic=pl.Series(kinetic), pace=pl.Series(pace)
    ).with_columns(pace=pl.when(has_life).then("pace"))


def _share_above(one: Floats, other: Floats, limit: Floats) -> Floats:
    """Return the share of a straight run from one value to another that lies above a limit."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    width = np.where(high > low, high - low, 1.0)
    above = np.clip(high - limit, 0.0, high - low)  # cut before dividing: a width may be next to nothing
    share: Floats = np.where(high > low, above / width, (low > limit).astype(float))
    return share


def _items(data: ColdData, steps: pl.DataFrame, excursions: pl.DataFrame) -> pl.DataFrame:
    limits = data.limits.select("product", "low_celsius", "high_celsius")
    read = data.readings.join(limits, on="product", how="left", maintain_order="left")
    outside = (pl.col("celsius") > pl.col("high_celsius")).fill_null(False) | (
        pl.col("celsius") < pl.col("low_celsius")
    ).fill_null(False)
    base = read.group_by("item_id", maintain_order=True).agg(
        product=pl.col("product").first(),
        readings=pl.len(),
        first_at=pl.col("at").first(),
        last_at=pl.col("at").last(),
        lowest_celsius=pl.col("celsius").min(),
        highest_celsius=pl.col("celsius").max(),
        outside=outside.any(),
    )
    seen = steps.filter(~pl.col("gap"))
    weight = pl.col("hours") / pl.col("hours").sum()
    known = seen.group_by("item_id").agg(
        observed_h=pl.col("hours").sum(),
        above_h=(pl.col("hours") * pl.col("above")).sum(),
        below_h=(pl.col("hours") * pl.col("below")).sum(),
        kinetic=(weight * pl.col("kinetic")).sum(),
        used=pl.when(pl.col("pace").is_not_null().all()).then(
            (pl.col("hours") * pl.col("pace") / pl.col("shelf_life_h")).sum()
        ),
    )
    lost = steps.filter("gap").group_by("item_id").agg(gaps=pl.len(), gap_h=pl.col("hours").sum())
    longest = excursions.group_by("item_id").agg(longest=pl.col("hours").max())
    frame = base
    for part in (known, lost, longest):
        frame = frame.join(part, on="item_id", how="left", maintain_order="left")
    zero = pl.col("observed_h", "above_h", "below_h", "gap_h").fill_null(0.0)
    frame = frame.with_columns(zero, pl.col("gaps").fill_null(0))
    out = pl.col("outside") | (pl.col("above_h") + pl.col("below_h") > 0)
    blind = (pl.col("gaps") > 0) | (pl.col("observed_h") == 0)
    return frame.with_columns(
        state=pl.when(out).then(pl.lit("out")).when(blind).then(pl.lit("gap")).otherwise(pl.lit("ok")),
        longest_excursion_h=pl.col("longest").fill_null(0.0),
        kinetic_celsius=ACTIVATION_K / -pl.col("kinetic").log() - ZERO_CELSIUS_K,
        shelf_life_share=pl.col("used"),
    ).select(pl.col(name).cast(dtype) for name, dtype in ITEM_SCHEMA.items())


def _products(items: pl.DataFrame) -> pl.DataFrame:
    return (
        items.group_by("product")
        .agg(
            items=pl.len().cast(pl.Int64),
            out=(pl.col("state") == "out").sum().cast(pl.Int64),
            with_gaps=(pl.col("gaps") > 0).sum().cast(pl.Int64),
            out_h=(pl.col("above_h") + pl.col("below_h")).sum(),
            shelf_life_share=pl.col("shelf_life_share").max(),
        )
        .sort("product")
    )


def _pace(steps: pl.DataFrame) -> dict[str, float]:
    """Return how fast each product used shelf life while it was observed, 1 at its reference temperature."""
    seen = steps.filter(~pl.col("gap") & pl.col("pace").is_not_null())
    mean = (pl.col("hours") * pl.col("pace")).sum() / pl.col("hours").sum()
    return dict(seen.group_by("product").agg(pace=mean).iter_rows())


def route_risk(plan: CountyPlan, limits: pl.DataFrame, pace: dict[str, float] | None = None) -> pl.DataFrame:
    """Return the share of shelf life each product loses on the way to each village with cold goods.

    Hours times pace over shelf life, the pace by the Q10 rule: ``q10 ^ ((T - reference) / 10)``.

    Parameters
    ----------
    plan : CountyPlan
        Its villages' ``cold_hours``.
    limits : polars.DataFrame
        With shelf life, reference temperature and Q10.
    pace : dict, optional
        Product -> pace observed; without one the goods are taken to ride at their upper limit.
    """
    there = plan.villages.filter(pl.col("cold_hours").is_not_null()).select("site_id", hours="cold_hours")
    rows: list[tuple[Any, ...]] = []
    for limit in limits.filter(pl.col("shelf_life_h").is_not_null()).iter_rows(named=True):
        product, reference, q10 = limit["product"], limit["reference_celsius"], limit["q10"]
        if pace and product in pace:
            own, basis = pace[product], "readings"
        elif limit["high_celsius"] is not None:
            own, basis = q10 ** ((limit["high_celsius"] - reference) / 10), "upper limit"
        else:
            continue
        celsius = reference + 10 * np.log(own) / np.log(q10) if q10 > 1 else reference
        for site, hours in there.iter_rows():
            rows.append((product, site, hours, float(celsius), basis, hours * own / limit["shelf_life_h"]))
    return pl.DataFrame(rows, schema=ROUTE_SCHEMA, orient="row")


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows with instants as text."""
    instants = [name for name, dtype in frame.schema.items() if dtype == INSTANT]
    return frame.with_columns(pl.col(instants).dt.to_string("%Y-%m-%dT%H:%M:%SZ")).to_dicts()
