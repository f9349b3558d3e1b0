"""The page of outlets: how many stand how firm, the least stable with their reasons, and whom it warns of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from changtong.outlets.early_warning import OutletWarnings
from changtong.outlets.stability import OTHER_BANDS, Stability
from changtong.report.charts import draw_bar
from changtong.report.page import render_page
from changtong.report.plan_report import check_options, page_data
from changtong.report.texts import Both, Language, percent, same, text, whole
from changtong.written_files import write_beside

SHOWN = 200
LEAST_SHOWN = 20
"""Of outlets that are all stable so many are listed; of troubled ones up to ``SHOWN``."""

WIDTH, HEIGHT = 120.0, 30.0
WEAK = 60.0
Row = dict[str, Any]


def write_outlets_report(
    result: Stability,
    path: str | os.PathLike[str],
    *,
    warnings: OutletWarnings | None = None,
    language: Language = "zh",
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    result : Stability
        Its last month is shown.
    path : path
    warnings : OutletWarnings, optional
        Show the outlets that are warned of, not those with the lowest index.
    language : {"zh", "en"}
        The language it opens in; both are in it.
    """
    return write_beside(Path(path), outlets_report_page(result, warnings=warnings, language=language))


def outlets_report_page(
    result: Stability, *, warnings: OutletWarnings | None = None, language: Language = "zh"
) -> str:
    """Return the page as text: one file that loads nothing.

    Parameters
    ----------
    result : Stability
    warnings : OutletWarnings, optional
    language : {"zh", "en"}
    """
    check_options(language, None)
    summary, table = result.summary(), result.table()
    if warnings is None:
        listed = table.filter(pl.col("index").is_not_null())
        best = max(result.rules.bands, key=lambda one: one.least).id
        shown = min(SHOWN, max(LEAST_SHOWN, int((listed["band"] != best).sum())))
    else:
        beside = table.select("outlet_id", "low", "high")
        shown = SHOWN
        listed = warnings.table.filter("is_warned").join(beside, on="outlet_id", how="left")
    context: Row = {
        "language": language,
        "month": summary["month"],
        **_head(result, summary, warnings),
        "bands": _bands(result, summary),
        "components": [
            {
                "name": Both(one.component.zh, one.component.en),
                "weight": whole(one.component.weight),
                "known": whole(summary["outlets_with_data"][one.component.id]),
            }
            for one in result.standings
        ],
        "rows": [_row(row, result, warnings) for row in listed.head(shown).iter_rows(named=True)],
        "total": listed.height,
        "file": "index.csv" if warnings is None else "warnings.csv",
        "about": text(
            "outlets.about_index",
            charge=percent(result.rules.scaling.missing_charge),
            rules=summary["rules"],
        ),
        "data": page_data(text("outlets.title")),
    }
    return render_page(
        "outlets.html.j2",
        styles=["style.css", "outlets.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )


def _head(result: Stability, summary: Row, warnings: OutletWarnings | None) -> Row:
    ids = [one.id for one in result.rules.bands]
    rated = sum(summary["bands"][name] for name in ids)
    low = sum(summary["bands"][one.id] for one in result.rules.bands if one.least < WEAK)
    mean = summary["mean_index"]
    made: Row = {
        "heading": text("outlets.heading", month=summary["month"], count=whole(low)),
        "of_all": text(
            "outlets.of_all",
            stand=whole(rated),
            mean="–" if mean is None else f"{mean:.1f}",
            rest=whole(summary["outlets"] - rated),
        ),
        "learned": None,
    }
    if warnings is not None:
        facts = warnings.summary()
        threshold = facts["threshold"]
        made["heading"] = text(
            "outlets.heading_warned",
            month=facts["month"],
            count=whole(facts["warned"]),
            months=facts["horizon_months"],
        )
        made["learned"] = text(
            "outlets.learned",
            first=facts["learned_from"][0],
            last=facts["learned_from"][1],
            rows=whole(facts["learned_rows"]),
            stops=whole(facts["learned_stops"]),
            threshold=percent(threshold),
            expected=whole(facts["expected_stops"]),
        )
    return made


def _bands(result: Stability, summary: Row) -> list[Row]:
    names = {one.id: Both(one.zh, one.en) for one in result.rules.bands}
    names |= {name: Both(said["zh"], said["en"]) for name, said in OTHER_BANDS.items()}
    counts = summary["bands"]
    most = max([1, *counts.values()])
    return [
        {"id": name, "name": said, "count": whole(counts[name]), "bar": draw_bar(counts[name] / most)}
        for name, said in names.items()
    ]


def _row(row: Row, result: Stability, warnings: OutletWarnings | None) -> Row:
    names = {one.id: Both(one.zh, one.en) for one in result.rules.bands}
    names |= {name: Both(said["zh"], said["en"]) for name, said in OTHER_BANDS.items()}
    index = row["index"]
    gap = row["low"] is not None and row["high"] - row["low"] > 0.05
    prefix = "" if warnings is None else "index_"
    made: Row = {
        "name": row["name"] or row["outlet_id"],
        "beside": " · ".join(part for part in (row["outlet_id"] if row["name"] else "", row["firm"]) if part),
        "index": "–" if index is None else f"{index:.0f}",
        "band": names[row["band"]],
        "band_id": row["band"],
        "between": text("outlets.between", low=whole(row["low"]), high=whole(row["high"])) if gap else None,
        "spark": draw_spark(row["trace"], row["name"] or row["outlet_id"]),
        "why": Both(row[f"{prefix}reasons_zh"], row[f"{prefix}reasons_en"]),
    }
    if warnings is not None:
        horizon = result.rules.warning.horizon_months
        made["chance"] = percent(row[f"chance_{horizon}"], 0)
        made["why_warned"] = Both(row["reasons_zh"], row["reasons_en"])
    return made


def draw_spark(values: Sequence[float | None], name: str) -> Markup:
    """Draw the index of the last months, 0 to 100, as one small line; gaps stay gaps.

    Parameters
    ----------
    values : sequence of float or None
    name : str
        Of the outlet, read out by screen readers.
    """
    step = WIDTH / max(len(values) - 1, 1)
    lines: list[list[str]] = [[]]
    for k, value in enumerate(values):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{k * step:.1f},{HEIGHT * (1 - value / 100):.1f}")
    said = text(
        "outlets.trace_of",
        name=same(name),
        values=", ".join("–" if value is None else f"{value:.0f}" for value in values),
    )
    parts = [
        f'<svg class="spark" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(str(said))}">',
        f'<rect class="frame" width="{WIDTH:g}" height="{HEIGHT:g}"/>',
        *(f'<polyline class="line" points="{" ".join(line)}"/>' for line in lines if len(line) > 1),
    ]
    if values and values[-1] is not None:
        x, y = (len(values) - 1) * step, HEIGHT * (1 - values[-1] / 100)
        parts.append(
            f'<circle class="{"bad" if values[-1] < WEAK else "last"}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        )
    return Markup("".join([*parts, "</svg>"]))
