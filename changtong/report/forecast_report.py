"""The page of a forecast: all legs, any leg or site, marked days, past errors; in Chinese and English."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from changtong.forecast.result import Forecast
from changtong.report.charts import draw_bar
from changtong.report.forecast_charts import draw_small, draw_total
from changtong.report.forecast_view import (
    Series,
    View,
    closure_rows,
    collect,
    error_rows,
    mark_rows,
    say_day,
    say_note,
    table_rows,
)
from changtong.report.page import embed_json, render_page, write_page
from changtong.report.plan_report import check_options, say_time
from changtong.report.plan_tables import versions
from changtong.report.texts import Both, Language, percent, read_texts, rough, same, text, whole

SCRIPT_SECTIONS = ("page", "forecast")
SMALL_SITES, SMALL_LEGS = 8, 4
ALIKE = 0.005
"""A change below this share is none worth telling."""


def write_forecast_report(
    forecast: Forecast,
    path: Path | str,
    *,
    language: Language = "zh",
    made_at: datetime | None = None,
) -> Path:
    """Write the page of a forecast as one self-contained HTML file.

    The page asks for nothing outside itself and carries both languages; without scripts the chart
    of all legs, those of the largest sites and legs and all tables are there.

    Parameters
    ----------
    forecast : Forecast
    path : path-like
        The file to write; its folder is made where needed.
    language : {"zh", "en"}
        Shown first; the reader can switch.
    made_at : datetime, optional
        When it was made, with a time zone; now where not given.

    Raises
    ------
    UsageError
        For an unknown language or a time without a zone.
    """
    check_options(language, made_at)
    return write_page(path, render_forecast_report(forecast, language=language, made_at=made_at))


def render_forecast_report(
    forecast: Forecast, *, language: Language = "zh", made_at: datetime | None = None
) -> str:
    """Return the page as text; see :func:`write_forecast_report`."""
    view = collect(forecast)
    of_kind = {kind: [one for one in view.series if one.kind == kind] for kind in ("site", "leg")}
    shown = of_kind["site"][:SMALL_SITES] + of_kind["leg"][:SMALL_LEGS]
    context: dict[str, Any] = {
        "language": language,
        "run_name": forecast.name,
        **_headline(forecast, view),
        "notes": [say_note(note) for note in forecast.notes],
        "kinds": {span.kind for span in view.spans},
        "has_shut": bool(forecast.closures),
        "total": draw_total(view),
        "small": [{"name": one.name, "svg": draw_small(view, one)} for one in shown],
        "pick_note": text(
            "forecast.pick_note",
            sites=len(of_kind["site"]),
            legs=len(of_kind["leg"]),
            all_sites=whole(view.n_sites),
            all_legs=whole(view.n_legs),
        ),
        "errors": error_rows(forecast),
        "marked": mark_rows(view),
        "closures": closure_rows(forecast.closures),
        "tables": [
            (kind, table_rows(forecast, view, kind), whole(total))
            for kind, total in (("site", view.n_sites), ("leg", view.n_legs))
        ],
        "about": _about(forecast, say_time(made_at or datetime.now().astimezone())),
        "bar": draw_bar,
        "data": embed_json(_data(view)),
    }
    return render_page(
        "forecast.html.j2",
        styles=["style.css", "simulation.css", "forecast.css"],
        scripts=["page.js", "forecast.js"],
        context=context,
    )


def _headline(forecast: Forecast, view: View) -> dict[str, Both]:
    total, facts = view.total, forecast.summary()
    top = int(total.ahead.argmax())
    peak, mean, recent = say_day(view.days[view.n_past + top]), float(total.ahead.mean()), total.recent
    change = mean / recent - 1.0 if recent > 0 else 0.0
    key = "alike" if abs(change) < ALIKE else "more" if change > 0 else "less"
    return {
        "heading": text("forecast.heading", days=forecast.days, mean=rough(mean), peak=peak),
        "peak": text(
            "forecast.peak",
            peak=peak,
            pieces=rough(float(total.ahead[top])),
            low=rough(float(total.low[top])),
            high=rough(float(total.high[top])),
        ),
        "change": text(f"forecast.{key}", share=percent(abs(change))) if recent > 0 else same(""),
        "counts": text(
            "forecast.legs_count",
            legs=whole(facts["legs"]),
            active=whole(facts["active_legs"]),
            new=whole(facts["new_legs"]),
            dead=whole(facts["dead_legs"]),
            sites=whole(facts["sites"]),
        ),
    }


def _data(view: View) -> dict[str, Any]:
    texts = {
        key: {"zh": said.zh, "en": said.en}
        for key, said in read_texts().items()
        if key.partition(".")[0] in SCRIPT_SECTIONS
    }
    texts["page.title"] = texts["forecast.title"]
    return {
        "texts": texts,
        "days": [day.isoformat() for day in view.days],
        "n_past": view.n_past,
        "series": [_embedded(one) for one in view.series],
        "spans": [
            {"kind": span.kind, "zh": span.name.zh, "en": span.name.en, "first": span.first,
             "last": span.last, "main": span.main}
            for span in view.spans
        ],
        "sites": {"name": [], "id": []},
        "changes": {"site": []},
    }  # fmt: skip


def _embedded(one: Series) -> dict[str, Any]:
    return {
        "zh": one.name.zh,
        "en": one.name.en,
        "past": _numbers(one.past),
        "ahead": _numbers(one.ahead),
        "low": _numbers(one.low),
        "high": _numbers(one.high),
        "shut": np.flatnonzero(one.shut).tolist(),
    }


def _numbers(values: np.ndarray) -> list[float | int | None]:
    """Return values with as many digits as a chart can show; None where nothing is known."""
    return [
        None if value != value else round(value) if value >= 100 else round(value, 1)
        for value in values.tolist()
    ]


def _about(forecast: Forecast, made: str) -> list[tuple[Both, Both]]:
    last = forecast.until - timedelta(days=1)
    end = forecast.until + timedelta(days=forecast.days - 1)
    first = forecast.until - timedelta(days=forecast.history_days)
    history = text("forecast.history_days", first=str(first), last=str(last), days=forecast.history_days)
    period = text("forecast.history_days", first=str(forecast.until), last=str(end), days=forecast.days)
    libraries = ("changtong", "statsforecast", "holidays", "polars", "numpy")
    return [
        (text("forecast.made_at"), same(made)),
        (text("forecast.volumes"), same(forecast.name)),
        (text("forecast.history"), history),
        (text("forecast.period"), period),
        (text("forecast.runtime"), same(f"{forecast.runtime_s:,.1f}")),
        (text("forecast.version"), same(versions(libraries))),
    ]
