"""The page of a stress test: the worst closures in order, on a map, with what is proved of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup, escape

from changtong.report.map_data import draw_network
from changtong.report.page import render_page, write_page
from changtong.report.plan_report import page_data
from changtong.report.projection import Picture, land_path
from changtong.report.texts import Both, Language, joined, money, percent, rough, same, signed, text, whole
from changtong.resilience.cases import Case
from changtong.resilience.result import NO_RECOVERY, NO_STAND_INS, NOT_RECOVERED, StressTest

BARS = 12
ROWS = 200
MARKS = 300
NAMED = 5
"""Closures named in a sentence; the others are counted."""

CELLS = (
    "unserved_pieces", "unserved_least", "unserved_most", "late_pieces", "extra_cost_cny", "loss_cny",
    "loss_least_cny", "loss_most_cny", "gap_share",
)  # fmt: skip

LEAST_MARK, MORE_MARK = 4.0, 22.0
"""Radius of a mark, thousandths of the picture: where nothing is lost, and how much the worst adds."""

LEAST_EXTENT = 1000.0
"""Steps of the picture that are shown at least: all sites may lie in one place."""

MARGIN = 0.06
"""Share of the picture left free on each side: the largest mark and its rim fit in."""


def write_stress_report(
    result: StressTest, path: str | Path, cases: tuple[Case, ...] = (), *, language: Language = "zh"
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    result : StressTest
    path : path
        Of the page.
    cases : tuple of Case
        Says which sites and legs a case closes, for the map.
    language : {"zh", "en"}
        The language it opens in.
    """
    return write_page(path, stress_page(result, cases, language=language))


def stress_page(result: StressTest, cases: tuple[Case, ...] = (), *, language: Language = "zh") -> str:
    """Return the page as text."""
    summary, ranking = result.summary(), result.ranking
    largest = float(ranking["figure"].max() or 0.0)  # type: ignore[arg-type]
    context: dict[str, Any] = {
        "language": language,
        "name": result.name,
        **_headline(result, largest),
        "counts": text(
            "stress.how_many",
            **{key: whole(summary[key]) for key in ("exact", "plan", "bound", "failed", "open")},
        ),
        "today": text(
            "stress.today",
            unserved=rough(result.today.get("unserved_pieces", 0.0)),
            late=rough(result.today.get("late_pieces", 0.0)),
        ),
        "notes": _notes(result),
        "recovery": result.settings.recovery is not None,
        "value_key": "stress.unserved" if result.settings.measure == "unserved" else "stress.loss",
        "bars": [_bar(row, largest) for row in ranking.head(BARS).iter_rows(named=True)],
        "rows": _rows(result),
        "total": whole(result.cases.height),
        "unproved": [
            row | {"least": whole(row["least"]), "most": whole(row["most"])}
            for row in result.unproved.head(ROWS).iter_rows(named=True)
        ],
        "failures": result.failed.select("label", "error").to_dicts(),
        "map": _map(result, cases, largest),
        "method": result.method,
        "runtime": f"{result.runtime_s:.1f}",
        "network": result.network.name,
        "data": page_data(text("stress.title")),
    }
    return render_page(
        "stress.html.j2",
        styles=["style.css", "stress.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )


def _headline(result: StressTest, largest: float) -> dict[str, Both]:
    cases, ranking = whole(result.cases.height), result.ranking
    kept = whole(min(result.settings.worst, ranking.height))
    if largest < 0.5:
        heading, becomes = text("stress.heading_none", cases=cases), same("")
    else:
        worst = ranking.row(0, named=True)
        heading = text("stress.heading", cases=cases, worst=worst["label"])
        if result.settings.measure == "unserved":
            becomes = text("stress.lost_pieces", pieces=rough(worst["figure"]), least=rough(worst["least"]))
        else:
            becomes = text("stress.lost_money", money=money(worst["figure"]), least=money(worst["least"]))
    if result.termination != "done":
        proof = text("stress.stopped")
    elif result.unproved.height:
        proof = text("stress.incomplete", more=whole(result.unproved.height), count=kept)
    else:
        proof = text("stress.complete", count=kept)
    return {"heading": heading, "becomes": becomes, "proof": proof}


def _rows(result: StressTest) -> list[dict[str, Any]]:
    frame = result.ranking.head(ROWS).select("rank", "case").join(
        result.cases, on="case", maintain_order="left"
    )  # fmt: skip
    made = []
    for row in frame.iter_rows(named=True):
        cells = [_cell(name, row[name]) for name in CELLS] + _felt(result, row)
        made.append({"rank": row["rank"], "label": row["label"], "status": row["status"], "cells": cells})
    return made


def _felt(result: StressTest, row: dict[str, Any]) -> list[str]:
    """Say how long a case is felt, and how much piles up; nothing where nothing was asked for."""
    recovery = result.settings.recovery
    if recovery is None:
        return []
    hours = f"> {recovery.after_h:g}" if row["recovered"] is False else whole(row["recovery_hours"])
    return [hours, whole(row["backlog_peak_pieces"])]


def _notes(result: StressTest) -> list[Both]:
    found = [_note(note) for note in result.notes if not note.startswith(NOT_RECOVERED)]
    recovery = result.settings.recovery
    if recovery is None:
        return found
    still = result.cases.filter(~pl.col("recovered"))["label"].to_list()
    if still:
        labels = joined([same(label) for label in still[:NAMED]])
        more = text("stress.and_more", count=whole(len(still) - NAMED)) if len(still) > NAMED else same("")
        found.append(text("stress.not_recovered", after=f"{recovery.after_h:g}", labels=labels + more))
    said = text("stress.recovery_note", lasts=f"{recovery.lasts_h:g}", after=f"{recovery.after_h:g}")
    return [*found, said]


def _note(note: str) -> Both:
    known = {NO_STAND_INS: "stress.no_stand_ins", NO_RECOVERY: "stress.no_recovery"}
    return text(known[note]) if note in known else same(note)


def _cell(name: str, value: float | None) -> str:
    if name == "gap_share":
        return percent(value)
    return signed(value) if name == "extra_cost_cny" else whole(value)


def _bar(row: dict[str, Any], largest: float) -> dict[str, Any]:
    """Draw the figure as a bar and the interval of the truth as a line."""
    scale = 100.0 / max(largest, 1e-9)
    width = min(100.0, scale * row["figure"])
    most = 100.0 if row["most"] is None else min(100.0, scale * row["most"])
    least = min(100.0, scale * row["least"])
    svg = (
        '<svg class="interval" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="level-{_level(row["figure"], largest)}" y="2" width="{width:.2f}" height="8"/>'
        f'<line x1="{least:.2f}" y1="6" x2="{most:.2f}" y2="6"/></svg>'
    )
    return {
        "rank": row["rank"],
        "label": row["label"],
        "figure": whole(row["figure"]),
        "svg": Markup(svg),
    }


def _level(figure: float, largest: float) -> str:
    share = figure / max(largest, 1e-9)
    return "low" if share < 0.1 else "mid" if share < 0.3 else "high" if share < 0.6 else "full"


def _map(result: StressTest, cases: tuple[Case, ...], largest: float) -> Markup:
    """Draw the worst cases over all sites; the least bad first, so that the worst lie on top."""
    picture = _picture(result)
    x, y = picture.x, picture.y
    placed = np.flatnonzero(picture.placed)
    if not len(placed):
        return Markup("")
    extent = max(float(np.ptp(x[placed])), float(np.ptp(y[placed])), LEAST_EXTENT)
    pad = MARGIN * extent
    left, top = float(x[placed].min()) - pad, float(y[placed].min()) - pad
    width = float(np.ptp(x[placed])) + 2 * pad
    height = float(np.ptp(y[placed])) + 2 * pad
    unit = extent / 1000
    parts = [
        f'<svg class="stress-map" viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(str(text("stress.map")))}">',
        f'<path class="land" d="{land_path(picture)}"/>' if picture.land else "",
    ]
    parts += [f'<circle class="other" cx="{x[k]}" cy="{y[k]}" r="{2 * unit:.0f}"/>' for k in placed]
    shapes = {case.name: case for case in cases}
    worst = result.ranking.filter(pl.col("figure") > 0.0).head(MARKS)
    for row in worst.reverse().iter_rows(named=True):
        case = shapes.get(row["case"])
        if case is not None:
            parts += _marks(result, picture, case, row, largest, unit)
    return Markup("".join([*parts, "</svg>"]))


def _marks(
    result: StressTest, picture: Picture, case: Case, row: dict[str, Any], largest: float, unit: float
) -> list[str]:
    level = _level(row["figure"], largest)
    hollow = " hollow" if row["status"] not in ("exact", "plan") else ""
    title = f"<title>{row['rank']}. {escape(row['label'])}: {whole(row['figure'])}</title>"
    share = (row["figure"] / max(largest, 1e-9)) ** 0.5 / max(1, len(case.sites)) ** 0.5
    radius = unit * (LEAST_MARK + MORE_MARK * share)
    x, y = picture.x, picture.y
    mark = f'<circle class="mark level-{level}{hollow}" r="{radius:.0f}"'
    parts = [f'{mark} cx="{x[k]}" cy="{y[k]}">{title}</circle>' for k in case.sites if picture.placed[k]]
    if case.legs:
        tail, head = (result.network.legs[name].to_physical() for name in ("from_site", "to_site"))
        for leg in case.legs:
            a, b = int(tail[leg]), int(head[leg])
            if picture.placed[a] and picture.placed[b]:
                path = f"M{x[a]} {y[a]}L{x[b]} {y[b]}"
                parts.append(f'<path class="leg level-{level}" d="{path}">{title}</path>')
    return parts


def _picture(result: StressTest) -> Picture:
    legs = result.network.legs
    flow = "flow_pieces_per_day"
    pieces = pl.col(flow).cast(pl.Float64).fill_null(0.0) if flow in legs.columns else pl.lit(1.0)
    flows = legs.select(
        "from_site", "to_site", pieces.alias("baseline_pieces"), pieces.alias("planned_pieces")
    )
    return draw_network(result.network, flows)
