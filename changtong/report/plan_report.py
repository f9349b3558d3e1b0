"""The report of a plan: one HTML page that needs nothing else, in Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from changtong.errors import UsageError
from changtong.report import charts, plan_numbers, plan_tables
from changtong.report.map_data import Drawing, PageLimits, collect
from changtong.report.page import embed_json, render_page, write_page
from changtong.report.plan_view import PlanLike, plan_number, read_situation, site_names
from changtong.report.texts import LANGUAGES, Both, Language, read_texts, same, sentences, text, whole

NOT_OF_SCRIPTS = (
    "sheet", "run", "play", "forecast", "forecast_event", "forecast_name", "forecast_note", "daily",
    "daily_name", "daily_state", "daily_note", "daily_class", "route_sheet", "county", "county_reason",
    "county_event", "tier", "inspection", "assess", "assess_line", "assess_why", "assess_note", "assess_kind",
    "assess_state", "assess_stage", "assess_level", "notice",
    "versions", "outlets", "case", "case_state", "case_action", "case_task", "workforce",
    "frontier", "carbon",
)  # fmt: skip
"""Sections of the wording that the scripts of a plan do not need."""


def write_plan_report(
    plan: PlanLike,
    path: Path | str,
    *,
    language: Language = "zh",
    made_at: datetime | None = None,
    files: Sequence[str] = (),
    limits: PageLimits | None = None,
    valid_from: datetime | None = None,
) -> Path:
    """Write the report of a plan as one self-contained HTML page.

    The page asks for nothing outside itself, carries both languages, and works when
    opened as a file. All names in it are foreign data and are escaped.

    Parameters
    ----------
    plan : Plan
        The plan with its network and frames.
    path : path-like
        The file to write; its folder is made where needed.
    language : {"zh", "en"}
        Shown first; the reader can switch.
    made_at : datetime, optional
        When the plan was made, with a time zone; now where not given.
    files : sequence of str
        Names of files in the same folder, linked in the page.
    limits : PageLimits, optional
        How many rows the page holds; it says what it leaves out.
    valid_from : datetime, optional
        When the plan takes effect, with a time zone; the first start of its outages where
        not given.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UsageError
        For an unknown language or a time without a zone.

    """
    check_options(language, made_at)
    check_options(language, valid_from)
    page = render_plan_report(
        plan, language=language, made_at=made_at, files=files, limits=limits, valid_from=valid_from
    )
    return write_page(path, page)


def check_options(language: str, when: datetime | None) -> None:
    """Refuse an unknown language and a time without a zone."""
    if language not in LANGUAGES:
        raise UsageError(f"language is {language!r}; expected one of {', '.join(LANGUAGES)}")
    if when is not None and when.tzinfo is None:
        raise UsageError("a time needs a time zone, for example 2026-07-20T03:00:00+08:00")


def say_time(when: datetime) -> str:
    """Say an instant to the minute, with its offset."""
    offset = when.utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    sign = "−" if minutes < 0 else "+"
    return f"{when:%Y-%m-%d %H:%M} (UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d})"


def first_start(plan: PlanLike) -> datetime | None:
    """Return when the first outage begins, where known."""
    starts = [outage.start for outage in plan.outages if getattr(outage, "start", None) is not None]
    return min(starts) if starts else None


def first_end(plan: PlanLike) -> datetime | None:
    """Return when the first outage ends, where known: from then on the plan is due anew."""
    ends = [outage.end for outage in plan.outages if getattr(outage, "end", None) is not None]
    return min(ends) if ends else None


def render_plan_report(
    plan: PlanLike,
    *,
    language: Language = "zh",
    made_at: datetime | None = None,
    files: Sequence[str] = (),
    limits: PageLimits | None = None,
    valid_from: datetime | None = None,
) -> str:
    """Return the page as text; see :func:`write_plan_report`."""
    limits = limits or PageLimits()
    made = say_time(made_at or datetime.now().astimezone())
    names = site_names(plan.network)
    loads, flows = plan_tables.with_loads_before(plan)
    drawing = collect(plan, loads, flows, limits)
    context: dict[str, Any] = {
        **_head(plan, names, valid_from or first_start(plan)),
        **_charts(loads, flows),
        "language": language,
        "made_at": made,
        "files": list(files),
        "top_sites": plan_tables.load_rows(loads, names),
        "top_legs": plan_tables.load_rows(flows, names),
        "unserved": plan_tables.unserved_tables(plan, names),
        "bottlenecks": plan_tables.bottleneck_rows(plan, names),
        "orders": plan_tables.order_tables(plan, names),
        "circulation": plan_tables.circulation_tables(plan, names),
        "provenance": plan_tables.provenance_rows(plan.network),
        "about": plan_tables.about_rows(plan, number=plan_number(plan), made_at=made),
        "sort_plan": _sort_plan_words(plan, drawing),
        "map_notes": _map_notes(drawing),
        "map_kind": drawing.kind,
        "bar": charts.draw_bar,
        "whole": whole,
        "data": embed_json({**drawing.data, "texts": script_texts()}),
    }
    return render_page(
        "plan.html.j2", styles=["style.css"], scripts=["page.js", "details.js", "map.js"], context=context
    )


def script_texts() -> dict[str, dict[str, str]]:
    """Return the wording that the scripts need to switch languages."""
    return {
        key: {"zh": said.zh, "en": said.en}
        for key, said in read_texts().items()
        if key.partition(".")[0] not in NOT_OF_SCRIPTS
    }


def page_data(title: Both) -> Markup:
    """Return the data block of a page without a map: the wording its scripts switch, and its title."""
    texts = script_texts() | {"page.title": {"zh": title.zh, "en": title.en}}
    return embed_json({"texts": texts, "sites": {"name": [], "id": []}, "changes": {"site": []}})


def _head(plan: PlanLike, names: dict[str, str], start: datetime | None) -> dict[str, Any]:
    situation = read_situation(plan)
    status, status_said, termination_said = plan_numbers.say_status(plan)
    end = first_end(plan)
    wrong = plan_numbers.say_what_is_wrong(plan, situation, names)
    return {
        "plan_name": plan.name,
        "plan_number": plan_number(plan),
        "network_name": plan.network.name,
        "outage_labels": _labels(plan),
        "valid_from": None if start is None else say_time(start),
        "valid_until": None if end is None else say_time(end),
        "status": status,
        "status_said": status_said,
        "termination_said": termination_said,
        "wrong": wrong[0],
        "also": sentences(wrong[1:]),
        "becomes": plan_numbers.say_what_becomes_of_it(situation),
        "price": sentences(plan_numbers.say_the_price(plan)),
        "rerouted": situation.rerouted_pieces,
        "lost": situation.lost_pieces,
        "stranded": situation.stranded_pieces,
        "fate": charts.draw_fate(situation.rerouted_pieces, situation.lost_pieces),
        "measures": plan_numbers.measure_rows(plan),
        "classes": plan_numbers.class_rows(plan),
    }


def _labels(plan: PlanLike, most: int = 6) -> list[str]:
    labels = list(dict.fromkeys(str(outage.label) for outage in plan.outages if getattr(outage, "label", "")))
    return labels if len(labels) <= most else [*labels[:most], f"+{len(labels) - most}"]


def _charts(loads: Any, flows: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, frame in (("sites", loads), ("legs", flows)):
        title = text(f"loads.{key}_chart")
        known = frame["load_share"].count() + frame["share_before"].count()
        chart, note = charts.draw_load_chart(
            before=frame["share_before"], after=frame["load_share"], title=title
        )
        made[f"{key}_chart"] = {"title": title, "svg": chart, "note": note, "known": known > 0}
    return made


def _sort_plan_words(plan: PlanLike, drawing: Drawing) -> dict[str, Any]:
    changed = plan.sort_plan.filter("changed")
    total = drawing.data["changes"]["total"]
    summary = text(
        "changes.summary",
        sites=whole(changed["site"].n_unique()),
        rows=whole(total),
        pieces=whole(float(changed["pieces"].sum() or 0.0)),
    )
    unknown = plan.sort_plan["previous_next_site"].null_count()
    return {
        "total": total,
        "said": summary if total else text("changes.none"),
        "unknown": text("changes.unknown_before", rows=whole(unknown)) if unknown else same(""),
    }


def _map_notes(drawing: Drawing) -> list[Both]:
    notes: list[Both] = []
    if drawing.legs_shown < drawing.legs_total:
        notes.append(
            text(
                "map.legs_shown",
                shown=whole(drawing.legs_shown),
                total=whole(drawing.legs_total),
                least=whole(drawing.least_pieces),
            )
        )
    else:
        notes.append(text("map.legs_all", total=whole(drawing.legs_total)))
    if drawing.kind == "map":
        if drawing.unplaced:
            notes.append(text("map.unplaced", count=whole(drawing.unplaced)))
        notes.append(text("map.no_borders"))
    else:
        notes.append(text("map.schematic_note"))
    return notes
