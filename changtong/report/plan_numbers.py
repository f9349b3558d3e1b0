"""The words and tables at the head of the report: headline, measures, classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from changtong.report.plan_view import Measure, PlanLike, Situation, code_of, read_measures
from changtong.report.texts import (
    Both,
    has_text,
    joined,
    money,
    named,
    percent,
    rough,
    same,
    signed,
    text,
    whole,
)

NAMED_SITES = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A number in a table: as said, and as it is."""

    said: Both
    value: float | None

    def __html__(self) -> str:
        inner = self.said.__html__()
        return inner if self.value is None else f'<data value="{self.value!r}">{inner}</data>'


def cell(value: float | None) -> Cell:
    """Return a number with thousands separators."""
    return Cell(same(whole(value)), None if value is None else float(value))


def share_cell(value: float | None) -> Cell:
    """Return a share as a percentage."""
    return Cell(same(percent(value)), None if value is None else float(value))


def list_places(ids: Sequence[str], names: dict[str, str]) -> Both:
    """Name the first places and count the others."""
    places = [same(names.get(site_id, site_id)) for site_id in ids[:NAMED_SITES]]
    listed = joined(places)
    if len(ids) <= NAMED_SITES:
        if len(places) > 1:
            listed = Both(zh=listed.zh, en=f"{joined(places[:-1]).en} and {places[-1].en}")
        return listed
    more = text("headline.and_more", count=len(ids))
    return Both(zh=f"{listed.zh}{more.zh}", en=f"{listed.en} … ({more.en})")


def say_what_is_wrong(plan: PlanLike, situation: Situation, names: dict[str, str]) -> list[Both]:
    """Say what is shut or slowed, the gravest sentence first."""
    said: list[Both] = []
    closed, slowed = situation.closed_sites, situation.slowed_sites
    if closed:
        key = "headline.site_shut" if len(closed) == 1 else "headline.sites_shut"
        said.append(text(key, places=list_places(closed, names)))
    if slowed:
        key = "headline.site_slowed" if len(slowed) == 1 else "headline.sites_slowed"
        said.append(text(key, places=list_places(slowed, names), share=percent(situation.lowest_share)))
    if situation.n_closed_legs:
        said.append(text("headline.legs_shut", count=whole(situation.n_closed_legs)))
    if situation.n_slowed_legs:
        said.append(text("headline.legs_slowed", count=whole(situation.n_slowed_legs)))
    for limit in getattr(plan.effect, "entry_limits", ()):
        pieces = rough(float(limit.pieces_per_day))
        said.append(text("headline.entry_limit", label=str(limit.label), pieces=pieces))
    return said or [text("headline.nothing_wrong")]


def say_what_becomes_of_it(situation: Situation) -> Both:
    """Say how many pieces are hit, re-routed and lost."""
    if situation.stranded_pieces < 0.5:
        return text("headline.nothing_hit")
    key = "headline.stranded" if situation.exact else "headline.stranded_about"
    first = text(key, stranded=rough(situation.stranded_pieces))
    first += text("headline.rerouted", rerouted=rough(situation.rerouted_pieces))
    if situation.lost_pieces < 0.5:
        return first + text("headline.lost_none")
    return first + text("headline.lost", lost=rough(situation.lost_pieces))


def say_the_price(plan: PlanLike) -> list[Both]:
    """Say what the plan costs: late pieces, money, legs to change, and the proof."""
    measures = read_measures(plan)
    said: list[Both] = []
    late, cost, legs = measures.get("late"), measures.get("cost"), measures.get("changed_legs")
    if late is not None and late.value is not None:
        said.append(_say_late(late))
    if cost is not None and cost.value is not None:
        said.append(_say_cost(cost, fewer=_fewer_served(measures)))
    if legs is not None and legs.value is not None:
        key = "headline.legs_change" if legs.value else "headline.legs_change_none"
        said.append(text(key, count=whole(legs.value)))
    if plan.gap_share is not None and plan.gap_share == plan.gap_share and plan.gap_share != float("inf"):
        said.append(text("headline.gap_proved", gap=percent(max(plan.gap_share, 0.0))))
    else:
        said.append(text("headline.gap_none"))
    return said


def _say_late(late: Measure) -> Both:
    if late.change is None:
        return text("headline.late_total", late=rough(late.value or 0))
    if abs(late.change) < 0.5:
        return text("headline.late_same")
    key = "headline.late_more" if late.change > 0 else "headline.late_less"
    return text(key, late=rough(abs(late.change)))


def _fewer_served(measures: dict[str, Measure]) -> bool:
    """Tell whether more is left behind than before: then a lower cost is no gain."""
    unserved = measures.get("unserved")
    return unserved is not None and (unserved.change or 0.0) > 0.5


def _say_cost(cost: Measure, *, fewer: bool) -> Both:
    if cost.change is None or not cost.before:
        return text("headline.cost_total", cost=money(cost.value or 0))
    less = "headline.cost_less_moved" if fewer else "headline.cost_less"
    key = "headline.cost_more" if cost.change >= 0 else less
    share = percent(abs(cost.change) / cost.before)
    return text(key, cost=money(abs(cost.change)), share=share)


def measure_rows(plan: PlanLike) -> list[dict[str, Any]]:
    """Return the decision table: one row per objective in the plan's order."""
    rows = []
    measures = read_measures(plan)
    fewer = _fewer_served(measures)
    for measure in measures.values():
        is_share = measure.name == "max_load" or measure.unit in ("share", "1")
        say = share_cell if is_share else cell
        change = measure.change
        if change is None:
            said = same("–")
        elif is_share:
            said = same(f"{'+' if change > 0 else '−' if change < 0 else ''}{percent(abs(change))}")
        else:
            said = same(signed(change))
        unit = measure.unit.lower().replace("/", "_per_").replace(" ", "_")
        rows.append(
            {
                "name": named("objective", measure.name),
                "unit": same("")
                if is_share
                else named("unit", unit)
                if has_text(f"unit.{unit}")
                else same(measure.unit),
                "before": say(measure.before),
                "after": say(measure.value),
                "change": Cell(said, change),
                "worse": change is not None and change > 1e-9,
                "better": change is not None and change < -1e-9 and not fewer,
                "bound": say(measure.lower_bound),
            }
        )
    return rows


def class_rows(plan: PlanLike) -> list[dict[str, Any]]:
    """Return one row per service class, the first served first."""
    known = {row["service_class"]: row for row in plan.network.service_classes.iter_rows(named=True)}
    rows = []
    for row in plan.classes.sort("rank").iter_rows(named=True):
        words = known.get(row["service_class"], {})
        name = words.get("name") or row["service_class"]
        demand = row["demand_pieces"] or 0.0
        rows.append(
            {
                "name": Both(zh=words.get("name_zh") or name, en=name),
                "demand": cell(row["demand_pieces"]),
                "served": cell(row["served_pieces"]),
                "unserved": cell(row["unserved_pieces"]),
                "late": cell(row["late_pieces"]),
                "mean_h": Cell(
                    same("–" if row["mean_h"] is None else f"{row['mean_h']:,.1f}"), row["mean_h"]
                ),
                "share": share_cell(row["served_pieces"] / demand if demand else None),
                "bar": max(0.0, min(1.0, row["served_pieces"] / demand)) if demand else 0.0,
            }
        )
    return rows


def say_status(plan: PlanLike) -> tuple[str, Both, Both]:
    """Return the status code, the status and why the planner ended."""
    status, termination = code_of(plan.status).lower(), code_of(plan.termination).lower()
    return status, named("status", status), named("termination", termination)
