"""The page of an assessment: ranking, the reason behind each number one click away, gaps, what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from changtong.assessment.result import Assessment
from changtong.assessment.sensitivity import Sensitivity
from changtong.report.assessment_view import AssessmentView
from changtong.report.assessment_words import foreign_text, say_note
from changtong.report.daily_words import foreign
from changtong.report.page import render_page, write_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language, text


def write_assessment_report(
    result: Assessment,
    path: str | Path,
    *,
    language: Language = "zh",
    sensitivity: Sensitivity | None = None,
    what_if: pl.DataFrame | None = None,
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    result : Assessment
    path : path
        Of the page.
    language : {"zh", "en"}
        The language it opens in.
    sensitivity : Sensitivity, optional
    what_if : polars.DataFrame, optional
        As :func:`changtong.assessment.assess.what_if` gives it.
    """
    page = assessment_page(result, language=language, sensitivity=sensitivity, what_if=what_if)
    return write_page(path, page)


def assessment_page(
    result: Assessment,
    *,
    language: Language = "zh",
    sensitivity: Sensitivity | None = None,
    what_if: pl.DataFrame | None = None,
) -> str:
    """Return the page as text."""
    view = AssessmentView(result, sensitivity)
    head, card = result.card.head, result.card
    groups = view.groups()
    rectifications, note = view.rectification_rows()
    notes = [one for one in result.notes if not one.startswith("waiting-for")]
    context: dict[str, Any] = {
        "language": language,
        **view.head(),
        "source": text("assess.source", source=foreign(head.source)),
        "source_note": Both(foreign_text(head.note), foreign_text(head.note_en or head.note)),
        "version": text("assess.version", version=foreign(head.version)),
        "waiting": None
        if result.complete
        else text("assess.provisional", departments=view.words.departments(card.waiting_for)),
        "notes": [say_note(one, view.words) for one in notes],
        **view.chart(),
        "has_last": card.last_year is not None,
        "has_moved": sensitivity is not None,
        "groups": groups,
        "gaps": view.gap_rows(),
        "what_if": view.what_if_part(what_if),
        "rectifications": rectifications,
        "rectifications_note": note,
        "disagreements": view.disagreement_rows(),
        "limit": "" if head.disagreement_above is None else f"{head.disagreement_above:g}",
        "moved": view.moved_part(),
        "practices": view.practice_rows(),
        "card": view.card_part(),
        "day": result.on.isoformat(),
        "data": page_data(text("assess.title")),
    }
    return render_page(
        "assessment.html.j2",
        styles=["style.css", "assessment.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )
