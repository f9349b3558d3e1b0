"""The coverage section of a county's page: who is served, and the cheapest next steps as a curve."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup, escape

from changtong.report.charts import draw_bar, round_up
from changtong.report.county_words import say_days
from changtong.report.texts import Both, joined, named, percent, text, whole
from changtong.rural.county import County
from changtong.rural.county_plan import CountyPlan
from changtong.rural.coverage import Coverage, coverage
from changtong.rural.coverage_definition import CoverageDefinition
from changtong.rural.coverage_steps import NextSteps, next_steps

STEP_ROWS = 40
"""Next steps on the page; ``rural coverage --json`` has all."""

WIDE, HIGH = 640, 300
LEFT, RIGHT, TOP, BASE = 58, 616, 16, 256
Row = dict[str, Any]


def coverage_section(county: County, plan: CountyPlan, definition: CoverageDefinition | None) -> Row:
    """Return what the template shows of coverage under a plan.

    Parameters
    ----------
    county : County
    plan : CountyPlan
    definition : CoverageDefinition, optional
        The built-in one by default.
    """
    found = coverage(county, plan, definition)
    steps = next_steps(county, plan, definition)
    served, unknown = int(found.villages["served"].sum()), found.villages["served"].null_count()
    rows = steps.steps.head(STEP_ROWS).iter_rows(named=True)
    return {
        "heading": text(
            "coverage.heading",
            share=percent(found.village_share),
            served=whole(served),
            all=whole(found.villages.height),
            people=text("coverage.no_people") if found.people_share is None else percent(found.people_share),
        ),
        "unknown": text("coverage.unknown", count=whole(unknown)) if unknown else None,
        "definition": _definition(found),
        "lacking": _lacking(found),
        "groups": [
            {"said": text(f"coverage.{name}"), "rows": _bands(frame, name)}
            for name, frame in (
                ("by_visits", found.by_visits),
                ("by_firms", found.by_firms),
                ("by_hours", found.by_hours),
                ("by_pickup", found.by_pickup),
            )
        ],
        "curve": draw_curve(steps.points) if steps.steps.height else None,
        "to_full": _to_full(steps),
        "steps": [_step(row) for row in rows],
        "steps_total": steps.steps.height,
        "blocked": _blocked(steps),
    }


def draw_curve(points: pl.DataFrame) -> Markup:
    """Draw the share of villages served over what is spent more in a week.

    Parameters
    ----------
    points : polars.DataFrame
        Of :class:`~changtong.rural.coverage_steps.NextSteps`.
    """
    cost, share = points["cost_cny_per_week"].to_list(), points["village_share"].to_list()
    most, step = round_up(max(*cost, 1.0))
    low = min(0.9, int(min(share) * 10) / 10)

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * value / most

    def y(value: float) -> float:
        return BASE - (BASE - TOP) * (value - low) / (1.0 - low)

    parts = [
        f'<svg class="chart coverage-curve" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{escape(str(text("coverage.curve")))}">'
    ]
    for k in range(6):
        value = low + (1.0 - low) * k / 5
        kind = "axis" if k == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(f'<text class="side" x="{LEFT - 8}" y="{y(value) + 4:.1f}">{percent(value, 0)}</text>')
    for k in range(round(most / step) + 1):
        parts.append(f'<text class="tick" x="{x(k * step):.1f}" y="{BASE + 18}">{whole(k * step)}</text>')
    path = f"M{x(cost[0]):.1f} {y(share[0]):.1f}"
    path += "".join(f"H{x(c):.1f}V{y(s):.1f}" for c, s in zip(cost[1:], share[1:], strict=True))
    parts.append(f'<path class="curve" d="{path}"/>')
    for place, (c, s) in enumerate(zip(cost, share, strict=True)):
        if place in (0, len(cost) - 1):
            said = f"{whole(c)}: {percent(s)}"
            parts.append(
                f'<circle class="end" cx="{x(c):.1f}" cy="{y(s):.1f}" r="5"><title>{said}</title></circle>'
            )
    return Markup("".join([*parts, "</svg>"]))


def _definition(found: Coverage) -> Both:
    asked = joined([named("coverage_asks", name) for name in found.asked])
    return text(
        "coverage.definition",
        name=named("coverage_words", found.definition.name),
        label=named("coverage_words", found.definition.label),
        asked=asked,
    )


def _lacking(found: Coverage) -> Both | None:
    """Return how many villages lack what, None where none lacks anything."""
    counts = found.summary()["lacking"]
    parts = [_counted("coverage_asks", name, count) for name, count in counts.items() if count]
    return text("coverage.lacking", parts=joined(parts)) if parts else None


def _blocked(steps: NextSteps) -> Both | None:
    """Return for how many villages no step was found, and why; None where there is none."""
    counts = steps.blocked["code"].value_counts(sort=True).iter_rows()
    parts = [_counted("coverage_blocked", code, count) for code, count in counts]
    return text("coverage.blocked", parts=joined(parts)) if parts else None


def _counted(section: str, code: str, count: int) -> Both:
    return text("coverage.counted", what=named(section, code), count=whole(count))


def _bands(frame: pl.DataFrame, kind: str) -> list[Row]:
    """Return the bands that have villages."""
    return [
        {
            "band": _band(row["band"], kind),
            "bar": draw_bar(row["village_share"] or 0.0),
            "villages": whole(row["villages"]),
            "share": percent(row["village_share"]),
            "people": percent(row["people_share"]),
        }
        for row in frame.iter_rows(named=True)
        if row["villages"]
    ]


def _band(name: str, kind: str) -> Both:
    unit = {"by_hours": "h", "by_pickup": "km"}.get(kind, "")
    for start, key in (("up to ", "coverage.up_to"), ("more than ", "coverage.more_than")):
        if name.startswith(start):
            return text(key, value=f"{name.removeprefix(start)} {unit}")
    return text(f"coverage.times_{kind}", value=name) if name.isdigit() else named("coverage_band", name)


def _to_full(steps: NextSteps) -> Both | None:
    """Return what all steps together cost and reach."""
    if not steps.steps.height:
        return None
    last, plan_cny = steps.points.row(-1, named=True), steps.plan_cny_per_week
    return text(
        "coverage.to_full",
        villages=whole(steps.steps.height),
        cny=whole(last["cost_cny_per_week"]),
        share=percent(last["village_share"]),
        more=percent(last["cost_cny_per_week"] / plan_cny if plan_cny else None),
    )


def _step(row: Row) -> Row:
    """Return a next step as a row of the table."""
    what = [text("coverage.visit", days=say_days(row["weekdays"]))] if row["weekdays"] else []
    what += [text("coverage.point")] if row["pickup_point"] else []
    what += [text("coverage.firms", count=row["more_firms"])] if row["more_firms"] else []
    return {
        "place": row["name"] or row["site_id"],
        "what": joined(what),
        "people": "–" if row["people"] is None else whole(row["people"]),
        "cny": f"{row['extra_cny_per_week']:,.1f}",
    }
