"""The three answers of a county side by side: sums, differences, who gains, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from changtong.report.charts import draw_bar
from changtong.report.texts import Both, has_text, money, named, percent, same, text, whole
from changtong.rural.county_plan import CountyPlan, CountyResult
from changtong.rural.timetables import vehicles_used

ROUNDING = 0.5
"""Pieces or CNY a week below which two answers are the same."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One way to deliver, a week.

    Attributes
    ----------
    key : str
        ``alone``, ``shared`` or ``with_buses``.
    plans : tuple of CountyPlan
        Each firm's, or one.
    cost_cny, distance_km, hours, pieces, unserved_pieces : float
    kgco2e : float or None
        None where a vehicle's emissions are unknown.
    vehicles, stations, villages : int
    """

    key: str
    plans: tuple[CountyPlan, ...]
    cost_cny: float
    distance_km: float
    hours: float
    pieces: float
    unserved_pieces: float
    kgco2e: float | None
    vehicles: int
    stations: int
    villages: int

    @property
    def name(self) -> Both:
        """What it is called."""
        return text(f"county.{self.key}")

    @property
    def cny_per_piece(self) -> float | None:
        """Cost of a piece; None where there is none."""
        return self.cost_cny / self.pieces if self.pieces > 0 else None

    @property
    def grams_per_piece(self) -> float | None:
        """Emissions of a piece, g CO2e; None where unknown."""
        return self.kgco2e * 1000.0 / self.pieces if self.kgco2e is not None and self.pieces > 0 else None


def answers(result: CountyResult) -> list[Answer]:
    """Return the answers there are: each alone, shared, shared with buses.

    Parameters
    ----------
    result : CountyResult
    """
    sites = result.county.sites
    villages = set(sites.filter(pl.col("kind") == "village")["site_id"])
    made = [_answer("alone", tuple(result.alone.values()), villages)] if result.alone else []
    made.append(_answer("shared", (result.shared,), villages))
    if result.with_buses is not None:
        made.append(_answer("with_buses", (result.with_buses,), villages))
    return made


def _answer(key: str, plans: tuple[CountyPlan, ...], villages: set[str]) -> Answer:
    carbon = [plan.kgco2e for plan in plans]
    return Answer(
        key=key,
        plans=plans,
        cost_cny=sum(plan.cost_cny for plan in plans),
        distance_km=sum(plan.distance_km for plan in plans),
        hours=sum(plan.hours for plan in plans),
        pieces=sum(plan.pieces for plan in plans),
        unserved_pieces=sum(float(plan.unserved["pieces_per_week"].sum()) for plan in plans),
        kgco2e=None if None in carbon else sum(value for value in carbon if value is not None),
        vehicles=sum(vehicles_used(plan) for plan in plans),
        stations=sum(plan.stations.height for plan in plans),
        # a station's own people are served too, but a station is no village
        villages=len({site for plan in plans for site in plan.villages["site_id"]} & villages),
    )


def best_answer(result: CountyResult) -> Answer:
    """Return the cheaper of the deliveries together; the plainer one where they are alike.

    Parameters
    ----------
    result : CountyResult
    """
    return min((one for one in answers(result) if one.key != "alone"), key=lambda one: one.cost_cny)


FIGURES = (
    ("county.cost", "cost_cny"),
    ("county.cost_piece", "cny_per_piece"),
    ("county.km", "distance_km"),
    ("county.hours", "hours"),
    ("county.carbon", "grams_per_piece"),
    ("county.vehicles", "vehicles"),
    ("county.stations", "stations"),
    ("county.villages", "villages"),
    ("county.pieces", "pieces"),
    ("county.unserved_pieces", "unserved_pieces"),
)
WITH_BARS = {
    "county.cost",
    "county.cost_piece",
    "county.km",
    "county.hours",
    "county.carbon",
    "county.vehicles",
}


def figure_rows(made: list[Answer]) -> list[Row]:
    """Return one row a figure with a cell for each answer: the number, a bar, the change to each alone.

    Parameters
    ----------
    made : list of Answer
    """
    rows = []
    for label, attribute in FIGURES:
        values = [getattr(one, attribute) for one in made]
        most = max((value for value in values if value is not None), default=0.0)
        base = values[0] if made[0].key == "alone" else None
        cells = [
            {
                "said": _say_figure(label, value),
                "bar": draw_bar(value / most) if label in WITH_BARS and value and most else Markup(""),
                "change": _change(value, base) if label in WITH_BARS and k else "",
            }
            for k, value in enumerate(values)
        ]
        rows.append({"label": text(label), "cells": cells})
    return rows


def _say_figure(label: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.2f}" if label == "county.cost_piece" else whole(value)


def _change(value: float | None, base: float | None) -> str:
    if value is None or not base:
        return ""
    share = value / base - 1.0
    if abs(share) < 0.0005:
        return "±0 %"
    return ("+" if share > 0 else "−") + percent(abs(share))


def headline(result: CountyResult) -> dict[str, Both | None]:
    """Return what is said first: how much delivering together saves, and what it changes.

    Parameters
    ----------
    result : CountyResult
    """
    made = answers(result)
    best = best_answer(result)
    asked = result.county.pieces.filter(
        pl.col("inbound_pieces_per_day").fill_null(0.0) + pl.col("outbound_pieces_per_day").fill_null(0.0) > 0
    )["site_id"].unique()
    kinds = result.county.sites.filter(pl.col("kind") == "village")["site_id"]
    wanted = int(kinds.is_in(asked.implode()).sum())
    served = text("county.served", served=whole(best.villages), all=whole(wanted))
    left = [one.unserved_pieces for one in made]
    unequal = text("county.unequal") if max(left) - min(left) > ROUNDING else None
    if made[0].key != "alone":
        return {
            "heading": text(f"county.{best.key}_long"),
            "becomes": None,
            "served": served,
            "unequal": unequal,
        }
    alone = made[0]
    saving = alone.cost_cny - best.cost_cny
    if saving > ROUNDING:
        heading = text(
            "county.heading",
            answer=text(f"county.{best.key}_long"),
            money=money(saving),
            share=percent(saving / alone.cost_cny),
        )
    elif saving < -ROUNDING:
        heading = text("county.heading_more", money=money(-saving))
    else:
        heading = text("county.heading_same")
    before, after = alone.cny_per_piece, best.cny_per_piece
    becomes = text(
        "county.becomes",
        piece_before="–" if before is None else f"{before:,.2f}",
        piece_after="–" if after is None else f"{after:,.2f}",
        vehicles_before=whole(alone.vehicles),
        vehicles_after=whole(best.vehicles),
        km_before=whole(alone.distance_km),
        km_after=whole(best.distance_km),
    )
    return {"heading": heading, "becomes": becomes, "served": served, "unequal": unequal}


def split_rows(split: pl.DataFrame) -> list[Row]:
    """Return one row a firm: cost alone, its part, what it saves, and both costs as a picture.

    Parameters
    ----------
    split : polars.DataFrame
    """
    if split.is_empty():
        return []
    most = max(float(split.select(pl.max_horizontal("alone_cny", "shared_cny").max()).item()), 1e-9)
    rows = []
    for row in split.iter_rows(named=True):
        alone, part = row["alone_cny"], row["shared_cny"]
        rows.append(
            {
                "firm": row["firm"],
                "alone": whole(alone),
                "part": whole(part),
                "saves": whole(row["saving_cny"])
                if row["saving_cny"] >= 0
                else f"−{whole(-row['saving_cny'])}",
                "share": percent(row["saving_cny"] / alone) if alone > 0 else "–",
                "svg": _draw_split(alone / most, part / most),
            }
        )
    return rows


def _draw_split(alone: float, part: float) -> Markup:
    return Markup(
        '<svg class="split" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="part" y="4" width="{99.0 * max(0.0, part):.2f}" height="8"/>'
        f'<rect class="own" x="0.3" y="1" width="{99.0 * max(0.0, alone):.2f}" height="14"/></svg>'
    )


def unserved_rows(made: list[Answer], names: dict[str, str], most: int) -> tuple[list[Row], int]:
    """Return what is not served in any of the answers, alike rows together, and how many there are.

    Parameters
    ----------
    made : list of Answer
    names : dict
        Site -> name.
    most : int
        Rows at most.
    """
    found: dict[tuple[Any, ...], Row] = {}
    for one in made:
        for plan in one.plans:
            for row in plan.unserved.iter_rows(named=True):
                pieces = round(row["pieces_per_week"], 3)
                key = (row["site_id"], row["firm"], row["code"], row["reason"], pieces)
                entry = found.setdefault(
                    key,
                    {
                        "place": names.get(row["site_id"], row["site_id"]),
                        "firm": row["firm"] or "–",
                        "pieces": whole(row["pieces_per_week"]),
                        "reason": named("county_reason", row["code"]),
                        "detail": say_why(row["code"], row["reason"]),
                        "answers": [],
                    },
                )
                if one.name not in entry["answers"]:
                    entry["answers"].append(one.name)
    return list(found.values())[:most], len(found)


def say_why(code: str, reason: str | None) -> Both:
    """Say why something is not served: a plan's own words are English, the Chinese is made from the code.

    Parameters
    ----------
    code : str
        One of docs/county.md; of a code that is not known the words are shown as they are.
    reason : str or None
        The plan's own words.
    """
    key = f"county_why.{code}"
    if not has_text(key):
        return same(reason or "")
    known = text(key)
    return Both(zh=known.zh, en=reason or known.en)
