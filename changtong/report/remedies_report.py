"""The page of remedies: what saves most for its money, drawn and listed, with what is assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from changtong.report.charts import draw_bar
from changtong.report.page import render_page, write_page
from changtong.report.plan_report import page_data
from changtong.report.plan_view import names_with_ids
from changtong.report.remedies_chart import draw_savings
from changtong.report.texts import Both, Language, has_text, money, percent, rough, same, text, whole
from changtong.resilience.remedy_result import NO_TAKEOVER, WITH_GAP, Remedies

ROWS = 200
CLOSURES = 100
NOTES = {WITH_GAP: "remedies.with_gap", NO_TAKEOVER: "remedies.no_takeover"}


def write_remedies_report(result: Remedies, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page to a file.

    Parameters
    ----------
    result : Remedies
    path : path
        Of the page.
    language : {"zh", "en"}
        The language it opens in.
    """
    return write_page(path, remedies_page(result, language=language))


def remedies_page(result: Remedies, *, language: Language = "zh") -> str:
    """Return the page as text."""
    names = names_with_ids(result.network)
    rows = list(result.table.head(ROWS).iter_rows(named=True))
    says = {row["remedy"]: say_remedy(row, names) for row in rows}
    context: dict[str, Any] = {
        "language": language,
        "name": result.name,
        **_headline(result, names),
        "assumed": result.assumed,
        "notes": [text(NOTES[note]) if note in NOTES else same(note) for note in result.notes],
        "stopped": result.termination != "done",
        "chart": draw_savings(result.table, says),
        "rows": [_row(row, says) for row in rows],
        "total": whole(result.table.height),
        "today": [whole(value) for value in result.today()],
        "sites": _sites(result, names),
        "sizes": [percent(size, 0) for size in _sizes(result)],
        "closures": _closures(result),
        "demands": _demands(result),
        "predicted": any(one.by_origin for one in result.demands),
        "costs": [_cost(row) for row in result.costs.frame.iter_rows(named=True)],
        "failures": [(says[row["remedy"]], row["error"]) for row in rows if row["error"]],
        "runtime": f"{result.runtime_s:.1f}",
        "network": result.network.name,
        "data": page_data(text("remedies.title")),
    }
    return render_page(
        "remedies.html.j2",
        styles=["style.css", "stress.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )


def _place(place: str, names: dict[str, str]) -> str:
    if place in names:
        return names[place]
    tail, _, head = place.partition(">")
    return f"{names.get(tail, tail)} > {names.get(head, head)}" if head else place


def say_remedy(row: dict[str, Any], names: dict[str, str]) -> Both:
    """Say what a remedy is; one that came from elsewhere by its own name."""
    place, pieces = row["place"], whole(row["size_pieces"])
    if not place:
        return same(row["remedy"])
    where = _place(place, names)
    if row["kind"] == "site":
        return text("remedies.site", place=where, share=percent(row["share"], 0))
    if row["kind"] == "leg":
        return text("remedies.leg", place=where, pieces=pieces)
    return text("remedies.more" if ">" in place else "remedies.sorting", place=where, pieces=pieces)


def _headline(result: Remedies, names: dict[str, str]) -> dict[str, Both | None]:
    count = {"count": whole(result.table.height), "closures": whole(len(result.cases))}
    tried = text("remedies.tried", **count, demands=whole(len(result.demands)))
    best, site = result.best(), result.best("site")
    if best is None:
        return {
            "heading": text("remedies.heading_none", **count),
            "becomes": same(""),
            "surely": same(""),
            "site": None,
            "tried": tried,
        }
    beside = None
    if site is not None and site["remedy"] != best["remedy"]:
        beside = text("remedies.where", what=say_remedy(site, names)) + _becomes(site)
    return {
        "heading": text("remedies.heading", what=say_remedy(best, names)),
        "becomes": _becomes(best),
        "surely": _surely(best, len(result.demands)),
        "site": beside,
        "tried": tried,
    }


def _becomes(row: dict[str, Any]) -> Both:
    same_worst = rough(row["worst_before"]) == rough(row["worst_after"])
    return text(
        "remedies.becomes_mean" if same_worst else "remedies.becomes",
        before=rough(row["expected_before"]),
        after=rough(row["expected_after"]),
        worst_before=rough(row["worst_before"]),
        worst_after=rough(row["worst_after"]),
        money=money(row["cost_cny_per_day"]),
    )


def _surely(row: dict[str, Any], demands: int) -> Both:
    if demands < 2:
        return text("remedies.one_demand")
    if row["least_gain"] < 0.5:
        return text("remedies.not_always")
    return text("remedies.always", pieces=rough(row["least_gain"]))


def _row(row: dict[str, Any], says: dict[str, Both]) -> dict[str, Any]:
    gain = row["expected_gain_per_cny"]
    saved = None if row["expected_after"] is None else row["expected_before"] - row["expected_after"]
    share = 0.0 if not saved or saved < 0.0 else saved / max(row["expected_before"], 1e-9)
    return {
        "rank": row["rank"],
        "label": says[row["remedy"]],
        "size": whole(row["size_pieces"]),
        "cost": whole(row["cost_cny_per_day"]),
        "assumed": row["cost_provenance"],
        "after": whole(row["expected_after"]),
        "bar": draw_bar(share),
        "worst": whole(row["worst_after"]),
        "per_cny": "–" if gain is None else f"{gain:,.3g}",
        "least": whole(row["least_gain"]),
        "efficient": bool(row["efficient"]),
    }


def _sizes(result: Remedies) -> list[float]:
    return sorted(set(result.table.filter(pl.col("kind") == "site")["share"].drop_nulls()))


def _sites(result: Remedies, names: dict[str, str]) -> list[dict[str, Any]]:
    """Return one row a place for a site: what each size leaves behind, and costs."""
    sites = result.table.filter(pl.col("kind") == "site")
    found: dict[str, dict[float, dict[str, Any]]] = {}
    for row in sites.iter_rows(named=True):
        found.setdefault(row["place"], {})[row["share"]] = row
    made = []
    for place, by_size in found.items():
        cells: list[str] = []
        for size in _sizes(result):
            row = by_size.get(size, {})
            cells += [whole(row.get(key)) for key in ("expected_after", "worst_after", "cost_cny_per_day")]
        made.append({"place": names.get(place, place), "cells": cells})
    return made


def _closures(result: Remedies) -> dict[str, Any]:
    """Return what each closure leaves behind, in the mean of the demands, and with the best remedy."""
    best = result.best()
    name = best["remedy"] if best else (result.table["remedy"][0] if result.table.height else None)
    weight = {one.name: one.weight for one in result.demands}
    whole_weight = sum(weight.values())
    mine = result.losses.filter(pl.col("remedy") == name) if name is not None else result.losses.clear()
    rows = []
    for case, likely in list(zip(result.cases, result.weights, strict=True))[:CLOSURES]:
        here = list(mine.filter(pl.col("case") == case.name).iter_rows(named=True))
        means = [
            sum(weight[row["demand"]] * row[key] for row in here) / whole_weight
            for key in ("left_before", "left_after")
        ]
        rows.append(
            {
                "label": case.label,
                "weight": percent(likely),
                "cells": [whole(mean) for mean in means] if here else ["–", "–"],
            }
        )
    return {"rows": rows, "best": best is not None}


def _demands(result: Remedies) -> list[dict[str, Any]]:
    made = []
    for row in result.by_demand.iter_rows(named=True):
        key = "remedies." + row["demand"].replace(" ", "_")
        keys = ("pieces_per_day", "left_open", "expected_before", "worst_before")
        made.append(
            {
                "label": text(key) if has_text(key) else same(row["demand"]),
                "weight": percent(row["weight"]),
                "cells": [whole(row[name]) for name in keys],
            }
        )
    return made


def _cost(row: dict[str, Any]) -> dict[str, Any]:
    key = f"remedies.price_{row['item']}"
    return row | {"label": text(key) if has_text(key) else same(row["item"])}
