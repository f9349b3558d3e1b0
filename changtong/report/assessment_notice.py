"""The notice to one assessed, as DOCX: its result, the reasons, what is to be put right."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from changtong.assessment.exact import say_points, unit
from changtong.assessment.result import Assessment
from changtong.report.assessment_words import (
    CardWords,
    say_cause,
    say_detail,
    say_line,
    score_said,
    signed_points,
)
from changtong.report.daily_docx import GREY, DocxPage, load_docx
from changtong.report.daily_parts import Column, Table
from changtong.report.daily_words import foreign
from changtong.report.texts import Both, Language, named, same, text
from changtong.written_files import write_beside

MARK = "changtong assessment"
MOST_ROWS = 60
REASONS = {
    *("deduct", "bonus", "veto", "rule_cap", "section_cap", "whole_cap", "taken_deduction", "taken_bonus"),
}


def write_assessment_notice(
    result: Assessment, subject_id: str, folder: str | Path, *, number: int = 1, language: Language = "zh"
) -> Path:
    """Write the notice to one subject into a folder.

    Parameters
    ----------
    result : Assessment
    subject_id : str
    folder : path
        Made where needed; the file is named by number and subject.
    number : int
        Of the notice.
    language : {"zh", "en"}

    Raises
    ------
    NotFoundError
        No such subject.
    UsageError
        ``missing-library``.
    """
    content = notice(result, subject_id, language=language)
    plain = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in subject_id)[:60]
    path = Path(folder) / f"{number:03d}-{plain}.docx"
    return write_beside(path, content)


def notice(result: Assessment, subject_id: str, *, language: Language = "zh") -> bytes:
    """Return the notice to one subject as a DOCX file.

    Parameters
    ----------
    result : Assessment
    subject_id : str
    language : {"zh", "en"}
    """
    row = result.row_of(subject_id)
    words, head = CardWords(result.card), result.card.head
    page = DocxPage(load_docx(), language)

    def say(both: Both, size: float = 10, colour: str = "") -> None:
        page.line(both.said_in(language), size=size, colour=colour)

    title = text("notice.title").said_in(language)
    page.head(title, MARK, datetime(result.on.year, result.on.month, result.on.day, tzinfo=UTC))
    page.line(title, size=16, bold=True)
    if head.provenance != "official":
        say(text("notice.not_official", kind=named("assess_kind", head.provenance)), 9, GREY)
    say(text("notice.to", name=words.subject(subject_id)), 11)
    say(_said(result, subject_id, row, words))
    if not result.complete:
        say(text("notice.provisional", departments=words.departments(result.card.waiting_for)))
    for key, table in (
        ("notice.sections", _sections(result, subject_id, words)),
        ("notice.reasons", _reasons(result, subject_id, words)),
        ("notice.to_do", _to_do(result, subject_id, words)),
    ):
        page.heading(text(key).said_in(language), 1)
        if table.rows:
            page.table(table)
        else:
            say(text("notice.none"))
    say(text("notice.appeal"))
    say(text("notice.sign"), 11)
    say(text("assess.source", source=foreign(head.source)), 7.5, GREY)
    page.number_pages(f"{title} {head.year}")
    return page.to_bytes()


def _said(result: Assessment, subject_id: str, row: int, words: CardWords) -> Both:
    head = result.card.head
    place = result.scores.row(by_predicate=pl.col("subject_id") == subject_id, named=True)
    band = text("notice.band", band=words("bands", place["band"])) if place["band"] else same("")
    return text(
        "notice.said",
        card=Both(foreign(head.name_zh), foreign(head.name_en)),
        version=foreign(head.version),
        year=str(head.year),
        score=score_said(result, row),
        peers=str(place["peers"]),
        rank=str(place["rank"]),
        band=band,
    )


def _sections(result: Assessment, subject_id: str, words: CardWords) -> Table:
    """Return the points by section."""
    parts, row = result.parts, result.row_of(subject_id)
    ids = result.card.sections["section_id"].cast(pl.String).to_list()
    rows = tuple(
        (
            words("sections", section),
            same(say_points(int(result.numbers.start[k] + parts.earned[row, k]))),
            same(signed_points(-int(parts.deducted[row, k]))),
            same(signed_points(int(parts.bonus[row, k]))),
        )
        for k, section in enumerate(ids)
    )
    numbers = ("notice.earned", "notice.deducted", "notice.bonus")
    return Table("sections", _columns(("assess.section",), numbers), rows)


def _columns(of_words: tuple[str, ...], numbers: tuple[str, ...]) -> tuple[Column, ...]:
    return (*(Column(text(key), number=False) for key in of_words), *(Column(text(key)) for key in numbers))


def _reasons(result: Assessment, subject_id: str, words: CardWords) -> Table:
    """Return what was deducted, added or vetoed, with its evidence."""
    lines = [line for line in result.explain(subject_id) if line.kind in REASONS]
    rows = tuple(
        (
            say_line(line, words),
            say_detail(line, words),
            same(foreign(line.evidence) if line.evidence else "–"),
            same(signed_points(line.units)),
        )
        for line in lines[:MOST_ROWS]
    )
    columns = _columns(("assess.what", "assess.detail", "assess.evidence"), ("assess.points",))
    return Table("reasons", columns, rows)


def _to_do(result: Assessment, subject_id: str, words: CardWords) -> Table:
    """Return the rectifications that are not closed."""
    is_fact = pl.col("cause").str.starts_with("fact:")
    mine = result.rectifications(subjects=(subject_id,)).filter(pl.col("state") != "closed")
    refs = dict(result.gaps(subject_id).filter(is_fact).select("cause", "ref").iter_rows())
    rows = tuple(
        (
            say_cause(one["cause"], words, refs.get(one["cause"])),
            same(foreign(one["owner"] or "–")),
            same(one["deadline"] or "–"),
            same("–" if one["gain"] is None else signed_points(unit(one["gain"]))),
        )
        for one in mine.head(MOST_ROWS).iter_rows(named=True)
    )
    columns = _columns(("assess.gap", "assess.owner", "assess.deadline"), ("assess.gain",))
    return Table("to_do", columns, rows)
