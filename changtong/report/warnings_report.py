"""The page of warnings: what is in force, what it threatens, what is proposed, whom to call."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.emergency.proposals import LABEL
from changtong.emergency.threat_result import Threats
from changtong.errors import Problem
from changtong.report.page import render_page, write_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language, named, percent, rough, same, text, whole
from changtong.report.warnings_map import colour_class, warnings_map, worst_levels

ROWS, DAYS, NOTES, CALLS = 200, 3, 40, 300
Row = dict[str, Any]


def write_warnings_report(result: Threats, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page to a file; names and numbers of people are masked in it.

    Parameters
    ----------
    result : Threats
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    return write_page(path, warnings_page(result, language=language))


def warnings_page(result: Threats, *, language: Language = "zh") -> str:
    """Return the page as text."""
    context: Row = {
        "language": language,
        "name": result.network.name,
        "drill": result.status == "Exercise",
        "at": text("warn.at", at=_said(result, result.at)),
        **_headline(result),
        "notes": result.notes[:NOTES],
        "notes_total": len(result.notes),
        "set_aside": [
            {"file": one.file or "", "message": _problem(one)}
            for one in (*result.read.set_aside, *result.found.problems)[:ROWS]
        ],
        "not_counted": text(
            "warn.not_counted_said",
            over=len(result.found.over),
            replaced=len(result.found.replaced),
            cancelled=len(result.found.cancelled),
            left=len(result.found.left_out),
            later=len(result.found.not_yet_sent),
        ),
        "map": warnings_map(result),
        **_tables(result),
        "data": page_data(text("warn.title")),
    }
    return render_page(
        "warnings.html.j2",
        styles=["style.css", "warnings.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )


def _problem(problem: Problem) -> Both:
    """Say what is wrong with a message; in Chinese the kind of problem, then the words of the error."""
    kind = named("warn_problem", problem.code)
    expected = f" ({problem.expected})" if problem.expected else ""
    return Both(f"{kind.zh}：{problem.message}{expected}", f"{problem.message}{expected}")


def _said(result: Threats, at: datetime | None) -> str:
    return "–" if at is None else at.astimezone(ZoneInfo(result.zone)).strftime("%Y-%m-%d %H:%M")


def _headline(result: Threats) -> Row:
    states = result.by_state
    now, coming = states["in force"], states["coming"]
    days = result.pieces.group_by("date", maintain_order=True).agg(pl.col("pieces").sum()).head(DAYS)
    rules = result.rules
    return {
        "heading": text("warn.heading", now=now, coming=coming)
        if now + coming
        else text("warn.heading_none"),
        "threatened": text("warn.threatened", sites=whole(result.sites), legs=whole(result.legs)),
        "circles": text("warn.in_circles", sites=whole(result.sites_in_circles)) if result.tracks else None,
        "days": [text("warn.day_pieces", date=str(day), pieces=rough(n)) for day, n in days.iter_rows()],
        "rules_note": text(
            "warn.rules_note",
            file=rules.file,
            version=rules.version,
            provenance=named("warn_provenance", rules.provenance),
        ),
    }


def _tables(result: Threats) -> Row:
    names = _names(result)
    sites = worst_levels(result.exposed.sites, ("site_id",)).with_columns(
        pl.sum_horizontal("begin_pieces", "end_pieces").alias("pieces")
    )
    legs = worst_levels(result.exposed.legs, ("from_site", "to_site"))
    shown_sites = sites.sort("pieces", descending=True, maintain_order=True).head(ROWS)
    shown_legs = legs.sort("flow_pieces", descending=True, nulls_last=True, maintain_order=True).head(ROWS)
    calls = result.masked_calls()
    classes = _class_names(result)
    return {
        "warnings": [_warning(result, row) for row in result.warnings.head(ROWS).iter_rows(named=True)],
        "warnings_total": result.warnings.height,
        "levels": [_level(row) for row in worst_levels(result.warnings, ("level",)).iter_rows(named=True)],
        "pieces": [
            {
                "date": str(row["date"]), "class": classes[row["service_class"]],
                "pieces": whole(row["pieces"]), "sites": whole(row["sites"]),
            }
            for row in result.pieces.iter_rows(named=True)
        ],
        "proposals": [_proposal(result, row) for row in range(min(ROWS, len(result.outages)))],
        "proposals_total": len(result.outages),
        "sites": [_site(result, row, names) for row in shown_sites.iter_rows(named=True)],
        "sites_total": sites.height,
        "legs": [_leg(result, row, names) for row in shown_legs.iter_rows(named=True)],
        "legs_total": legs.height,
        "calls": None if calls is None else [_call(row) for row in calls.head(CALLS).iter_rows(named=True)],
        "nobody": len(result.sites_without_contact),
    }  # fmt: skip


def _names(result: Threats) -> dict[str, str]:
    sites = result.network.sites
    if "name" not in sites.columns:
        return {}
    return {site: name for site, name in zip(result.network.site_ids, sites["name"], strict=True) if name}


def _class_names(result: Threats) -> dict[str, Both]:
    made = {name: same(name) for name in result.pieces["service_class"].unique()}
    for row in result.network.service_classes.iter_rows(named=True):
        name = row.get("name") or row["service_class"]
        made[row["service_class"]] = Both(row.get("name_zh") or name, name)
    return made


def _level(row: Row) -> Row:
    return {"level": named("warn_level", row["level"]), "colour": colour_class(row["level"])}


def _event(result: Threats, row: Row) -> Both:
    """Say what warns: a storm by its name, a message in its own words."""
    if row["level"].startswith("force-"):
        return text("warn.storm", name=row["warning"])
    return _of_kind(result, row["event"], row["kind"])


def _times(result: Threats, row: Row) -> Row:
    return {name: _said(result, row[name]) for name in ("begins", "ends")}


def _warning(result: Threats, row: Row) -> Row:
    assumed = row["level_from"] == "severity"
    return {
        **_level(row), **_times(result, row), "ends_assumed": row["ends_assumed"],
        "level_from": named("warn_from", row["level_from"]) if assumed else None,
        "state": named("warn_state", row["state"].replace(" ", "-")),
        "headline": row["headline"] or _event(result, row),
        "areas": row["areas"][:200], "sites": whole(row["sites"]), "legs": whole(row["legs"]),
    }  # fmt: skip


def _proposed(result: Threats, label: str) -> Both:
    """Say why an outage is proposed in each language: its label has both in one."""
    found = LABEL.fullmatch(label)
    if found is None:
        return same(label)
    event = found["event"]
    kinds = dict(result.warnings.select("event", "kind").iter_rows())
    called = _of_kind(result, event, kinds.get(event, ""))
    level, more = named("warn_level", found["level"]), found["warning"]
    return Both(f"{called.zh}，{level.zh}（{more}）", f"{called.en}, {level.en} ({more})")


def _of_kind(result: Threats, event: str, kind: str) -> Both:
    """Say an event: in its own words in their language, by its kind in the other one."""
    known = result.rules.names().get(kind)
    if known is None:
        return same(event)
    return Both(known.zh, event) if event.isascii() else Both(event, known.en)


def _proposal(result: Threats, number: int) -> Row:
    outage = result.outages[number]
    where = (
        text("warn.n_sites", n=whole(len(outage.sites)))
        if outage.sites
        else text("warn.n_legs", n=whole(len(outage.legs)))
    )
    return {
        "label": _proposed(result, outage.label), "where": where, "begins": _said(result, outage.start),
        "ends": _said(result, outage.end), "capacity": percent(outage.share_left),
        "extra": f"{outage.extra_h:g}",
    }  # fmt: skip


def _site(result: Threats, row: Row, names: dict[str, str]) -> Row:
    return {
        **_level(row), **_times(result, row), "site": names.get(row["site_id"], row["site_id"]),
        "warning": _event(result, row), "begin_pieces": whole(row["begin_pieces"]),
        "end_pieces": whole(row["end_pieces"]),
    }  # fmt: skip


def _leg(result: Threats, row: Row, names: dict[str, str]) -> Row:
    tail, head = row["from_site"], row["to_site"]
    return {
        **_level(row), **_times(result, row), "tail": names.get(tail, tail), "head": names.get(head, head),
        "exposed": named("warn_exposed", row["exposed"]), "flow": whole(row["flow_pieces"]),
    }  # fmt: skip


def _call(row: Row) -> Row:
    order = "–" if row["order"] >= 1000 else str(row["order"])
    return {
        **_level(row), "site": row["site_name"] or row["site_id"], "order": order, "name": row["name"],
        "role": row["role"], "phone": row["phone"],
    }  # fmt: skip
