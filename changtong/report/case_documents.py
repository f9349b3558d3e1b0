"""Documents of an emergency case, as pages or DOCX: page, situation reports, review, drills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from changtong.emergency.case import Case, as_of_report
from changtong.emergency.case_review import Review
from changtong.emergency.case_status import CaseStatus
from changtong.emergency.case_status import status as make_status
from changtong.emergency.drill_evaluation import OUTCOMES, DrillEvaluation
from changtong.emergency.plan import said_condition
from changtong.emergency.situation_figures import Figures, figures_on_record
from changtong.report import case_sections as parts
from changtong.report.case_timeline import draw_timeline
from changtong.report.case_words import CaseWords, foreign, said_span
from changtong.report.daily_docx import GREY, DocxPage, load_docx
from changtong.report.daily_parts import Column, Section, Table, columns
from changtong.report.page import render_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language, named, same, text
from changtong.written_files import write_beside

MARK = "changtong emergency"


@dataclass(frozen=True)
class CaseDocument:
    """A document.

    Attributes
    ----------
    title, heading, subtitle : Both
    is_drill : bool
    sections : tuple of Section
    foot : tuple of Both
        Where it comes from.
    timeline : Markup or None
        For pages.
    """

    title: Both
    heading: Both
    subtitle: Both
    is_drill: bool
    sections: tuple[Section, ...]
    foot: tuple[Both, ...]
    timeline: Markup | None = None


def case_page(status: CaseStatus) -> CaseDocument:
    """Return a case as a page: timeline, reports, tasks by department, sites, log.

    Parameters
    ----------
    status : CaseStatus
    """
    words = CaseWords(status.case)
    sections = (
        parts.standing(status), parts.reports(status), parts.tasks(status), parts.sites(status),
        parts.measured(status), parts.log(status.case.entries, words),
    )  # fmt: skip
    return _document(status, text("case.title"), sections, draw_timeline(status))


def situation_report(status: CaseStatus, number: int, figures: Figures) -> CaseDocument:
    """Return a situation report: what is new since the one before, and how it stands.

    Parameters
    ----------
    status : CaseStatus
        When it is made.
    number : int
    figures : Figures
    """
    entries = status.case.entries
    own = [k for k, one in enumerate(entries) if one.action == "situation_report"]
    numbers = {entries[k].data["number"]: k for k in own}
    begin, until = numbers.get(number - 1, -1) + 1, numbers.get(number, len(entries))
    sections = (
        parts.standing(status),
        parts.log(entries[begin:until], CaseWords(status.case), "case.new"),
        parts.sites(status), parts.measured(status), *parts.figures(figures),
        parts.reports(status), parts.tasks(status),
    )  # fmt: skip
    return _document(status, text("case.situation", number=str(number)), sections)


def situation_report_again(case: Case, number: int) -> CaseDocument:
    """Return a situation report that is on record: as it was when it was put there.

    Parameters
    ----------
    case : Case
        With all that came since.
    number : int

    Raises
    ------
    NotFoundError
    """
    then, entry = as_of_report(case, number)
    return situation_report(make_status(then, entry.at), number, figures_on_record(entry.data))


def review_document(review: Review) -> CaseDocument:
    """Return the closing review of a case.

    Parameters
    ----------
    review : Review
    """
    status, words = review.status, CaseWords(review.status.case)
    case = status.case
    level = (
        text("case.no_response")
        if review.to_level_s is None
        else text("case.to_level", took=said_span(review.to_level_s))
    )
    times = Section("times", text("case.times"), (text("case.took", took=said_span(review.took_s)), level))
    keys = ("case.clock", "case.state", "case.due", "case.given", "case.source")
    late = Table(
        "late-reports", columns(keys, ()), tuple(parts.clock_row(one, words) for one in review.late_clocks)
    )
    keys = ("case.task", "case.state", "case.due", "case.done_at", "case.remark")
    late_tasks = Table(
        "late-tasks", columns(keys, ()), tuple(parts.task_row(one, words) for one in review.late_tasks)
    )
    rows, note = parts.cut(
        [
            (
                same(foreign(o.site)),
                named("case_state", o.state),
                said_span(o.potential_s),
                said_span(o.confirmed_s),
            )
            for o in review.sites
        ]
    )
    of_sites = [
        text("case.site"),
        text("case.state"),
        named("case_state", "potential"),
        named("case_state", "confirmed"),
    ]
    site_table = Table("site-times", tuple(Column(one, number=False) for one in of_sites), rows, note=note)
    lessons = tuple(same(foreign(one)) for one in case.lessons) or (text("case.none"),)
    sections = (
        times, parts.standing(status), _end_conditions(case),
        parts.section("late-reports", "case.late_reports", late),
        parts.section("late-tasks", "case.late_tasks", late_tasks),
        parts.section("site-times", "case.site_times", site_table),
        Section("lessons", text("case.lessons"), lessons),
        parts.reports(status), parts.tasks(status), parts.log(case.entries, words),
    )  # fmt: skip
    return _document(status, text("case.review"), sections, draw_timeline(status))


def _end_conditions(case: Case) -> Section:
    said = {key: str(one).replace(" ", "_") for key, one in case.end_said.get("conditions", {}).items()}
    rows = []
    for one in case.plan.end:
        state = named("case_state", f"{said.get(one.id, 'not_known')}_condition")
        terms = Both(*(said_condition(one, language) or "–" for language in ("zh", "en")))
        rows.append((Both(foreign(one.zh), foreign(one.en)), state, terms))
    although = str(case.end_said.get("although", ""))
    lines = (text("case.although", text=foreign(although)),) if although else ()
    table = Table("end", columns(("case.end_conditions", "case.state", "case.measure"), ()), tuple(rows))
    return parts.section("end", "case.end_conditions", table, lines)


def drill_document(made: DrillEvaluation, plan: Mapping[str, Any] | None) -> CaseDocument:
    """Return the evaluation of a drill.

    Parameters
    ----------
    made : DrillEvaluation
    plan : mapping or None
        Summary of the plan that was computed on a copy of the network.
    """
    words = CaseWords(made.status.case)
    rows = [
        (
            Both(foreign(o.expected.zh), foreign(o.expected.en)), named("case_state", o.state),
            said_span(o.expected.within_min * 60), said_span(o.took_s), words.at(o.done_at),
            same(foreign(o.by) or "–"),
        )
        for o in made.outcomes
    ]  # fmt: skip
    keys = ("case.expected", "case.state", "case.within", "case.took_head", "case.at", "case.by")
    counts = {state: str(made.count(state)) for state in OUTCOMES}
    line = text("case.expected_counts", total=str(len(rows)), **counts)
    expected = parts.section(
        "expected", "case.expected", Table("expected", columns(keys, ()), tuple(rows)), [line]
    )
    if plan is None:
        planned = Section("plan", text("case.figures_plan"), (text("case.plan_none"),))
    else:
        found = parts.plan_figures(plan)
        planned = Section("plan", found.heading, (text("case.plan_said"),), found.tables)
    status = made.status
    sections = (
        expected, planned, parts.standing(status), parts.reports(status), parts.tasks(status),
        parts.sites(status), parts.log(status.case.entries, words),
    )  # fmt: skip
    return _document(status, text("case.evaluation"), sections, draw_timeline(status))


def _document(
    status: CaseStatus, title: Both, sections: tuple[Section, ...], timeline: Markup | None = None
) -> CaseDocument:
    case, words = status.case, CaseWords(status.case)
    plan = case.plan
    name = Both(foreign(plan.title_zh), foreign(plan.title_en))
    version, provenance = foreign(plan.version), named("case_state", plan.provenance)
    foot = (
        text("case.plan", name=name, version=version, provenance=provenance),
        text("case.plan_source", source=Both(foreign(plan.source_zh or plan.source), foreign(plan.source))),
        text("case.head", head=status.head),
    )
    subtitle = (
        same(f"{foreign(case.case_id)} · ") + name + same(" · ") + text("case.as_of", at=words.at(status.at))
    )
    return CaseDocument(title, same(foreign(case.title)), subtitle, case.is_drill, sections, foot, timeline)


def render_document(document: CaseDocument, *, language: Language = "zh") -> str:
    """Return a document as a page with both languages in it.

    Parameters
    ----------
    document : CaseDocument
    language : {"zh", "en"}
        The one it opens in.
    """
    context = {
        "language": language, "document": document,
        "data": page_data(document.title),
    }  # fmt: skip
    return render_page(
        "case.html.j2", styles=["style.css", "case.css"], scripts=["page.js", "stress.js"], context=context
    )


def document_docx(
    document: CaseDocument, *, language: Language = "zh", made_at: datetime | None = None
) -> bytes:
    """Return a document as a DOCX file in one language.

    Parameters
    ----------
    document : CaseDocument
    language : {"zh", "en"}
    made_at : datetime, optional

    Raises
    ------
    UsageError
        ``missing-library``.
    """
    page = DocxPage(load_docx(), language)
    title = document.title.said_in(language)
    page.head(title, MARK, made_at or datetime.now(UTC))
    if document.is_drill:
        page.line(text("case.drill").said_in(language), size=13, bold=True, colour="B3261E")
    page.line(title, size=9, colour=GREY)
    page.line(document.heading.said_in(language), size=15, bold=True)
    page.line(document.subtitle.said_in(language), size=8, colour=GREY)
    for one in document.sections:
        page.heading(one.heading.said_in(language), 1)
        for line in one.lines:
            page.line(line.said_in(language))
        for table in one.tables:
            if table.title is not None:
                page.heading(table.title.said_in(language), 2)
            page.table(table)
            if table.note is not None:
                page.line(table.note.said_in(language), size=7.5, colour=GREY)
    for line in document.foot:
        page.line(line.said_in(language), size=7.5, colour=GREY)
    mark = f"{text('case.drill').said_in(language)}  ·  " if document.is_drill else ""
    page.number_pages(f"{mark}{title}")
    return page.to_bytes()


def write_document(document: CaseDocument, path: str | Path, *, language: Language = "zh") -> Path:
    """Write a document, whole or not at all; only its owner can read it.

    Parameters
    ----------
    document : CaseDocument
    path : path
        Ends in ``.html`` or ``.docx``.
    language : {"zh", "en"}
    """
    place = Path(path)
    if place.suffix.lower() == ".docx":
        return write_beside(place, document_docx(document, language=language), mode=0o600)
    return write_beside(place, render_document(document, language=language), mode=0o600)
