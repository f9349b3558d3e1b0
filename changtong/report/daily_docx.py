"""The daily report as DOCX, for those who go on writing in it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from changtong.errors import UsageError
from changtong.report.daily_parts import Table, widths
from changtong.report.daily_view import DailyView
from changtong.report.texts import Language, text

WESTERN, CHINESE = "Arial", "Microsoft YaHei"
GREY, BLUE = "505050", "005F94"
MARGIN_MM = 16
TEXT_WIDTH_MM = 210 - 2 * MARGIN_MM
MOST_ROOM = 48
"""Signs for which a column gets room at most; what is longer is broken into lines."""


def load_docx() -> Any:
    """Return python-docx, which only this format needs.

    Raises
    ------
    UsageError
        ``missing-library``.
    """
    try:
        return import_module("docx")
    except ImportError as error:
        message = "A DOCX needs python-docx: pip install python-docx. A report that ends in .html does not."
        raise UsageError(message, "missing-library") from error


def write_docx(view: DailyView, about: str, *, language: Language, mark: str, made_at: datetime) -> bytes:
    """Return the report as a DOCX file; names are runs of text, so none can become a field.

    Parameters
    ----------
    view : DailyView
    about : str
        How it was made, for the last line.
    language : {"zh", "en"}
    mark : str
        By which the file is known again.
    made_at : datetime

    Raises
    ------
    UsageError
        ``missing-library``.
    """
    page = DocxPage(load_docx(), language)
    page.head(text("daily.title").said_in(language), mark, made_at)
    page.line(text("daily.title").said_in(language), size=9, colour=GREY)
    page.line(view.heading.said_in(language), size=15, bold=True)
    page.line(view.subtitle.said_in(language), size=8, colour=GREY)
    page.line(view.lead.said_in(language), size=10)
    for section in view.sections:
        page.heading(section.heading.said_in(language), 1)
        for line in section.lines:
            page.line(line.said_in(language))
        for table in section.tables:
            if table.title is not None:
                page.heading(table.title.said_in(language), 2)
            page.table(table)
            if table.note is not None:
                page.line(table.note.said_in(language), size=7.5, colour=GREY)
    page.line(about, size=7.5, colour=GREY)
    page.number_pages(f"{text('daily.title').said_in(language)} {view.day}")
    return page.to_bytes()


class DocxPage:
    """A document being written in one language."""

    def __init__(self, docx: Any, language: Language) -> None:
        self.docx, self.language = docx, language
        self.oxml = import_module("docx.oxml")
        self.name = import_module("docx.oxml.ns").qn
        self.shared = import_module("docx.shared")
        self.right = import_module("docx.enum.text").WD_ALIGN_PARAGRAPH.RIGHT
        self.made = docx.Document()
        for section in self.made.sections:
            section.page_width, section.page_height = self.shared.Mm(210), self.shared.Mm(297)
            section.left_margin = section.right_margin = self.shared.Mm(MARGIN_MM)
            section.top_margin = section.bottom_margin = self.shared.Mm(15)
        for style in ("Normal", "Heading 1", "Heading 2"):
            self._style(style)

    def _style(self, name: str) -> None:
        style = self.made.styles[name]
        style.font.name = WESTERN
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(self.name(f"w:{theme}"), None)
        fonts.set(self.name("w:eastAsia"), CHINESE)
        fonts.set(self.name("w:hAnsi"), WESTERN)
        style.font.size = self.shared.Pt({"Normal": 8.5, "Heading 1": 11.5, "Heading 2": 9}[name])
        space = style.paragraph_format
        space.space_before = self.shared.Pt(0 if name == "Normal" else 7)
        space.space_after = self.shared.Pt(2)
        if name == "Normal":
            spoken = self.oxml.OxmlElement("w:lang")
            spoken.set(self.name("w:val"), "en-GB")
            spoken.set(self.name("w:eastAsia"), "zh-CN")
            style.element.get_or_add_rPr().append(spoken)
        else:
            style.font.color.rgb = self.shared.RGBColor.from_string(BLUE)

    def head(self, title: str, mark: str, made_at: datetime) -> None:
        """Say what the file is, instead of what the library's own template says."""
        facts = self.made.core_properties
        facts.title, facts.author, facts.last_modified_by = title, mark, mark
        facts.created = facts.modified = made_at.astimezone(UTC).replace(tzinfo=None)
        facts.comments, facts.revision = "", 1
        facts.language = "zh-CN" if self.language == "zh" else "en-GB"

    def heading(self, words: str, level: int) -> None:
        """Write a heading."""
        self.made.add_heading(words, level)

    def line(self, words: str, *, size: float | None = None, bold: bool = False, colour: str = "") -> None:
        """Write a paragraph."""
        self._run(self.made.add_paragraph(), words, size, bold, colour)

    def _run(self, paragraph: Any, words: str, size: float | None, bold: bool, colour: str) -> None:
        run = paragraph.add_run(words)
        run.bold = bold or None
        if size is not None:
            run.font.size = self.shared.Pt(size)
        if colour:
            run.font.color.rgb = self.shared.RGBColor.from_string(colour)

    def table(self, table: Table) -> None:
        """Write a table whose head comes again on a new page, and whose rows stay whole."""
        made = self.made.add_table(rows=1 + len(table.rows), cols=len(table.columns))
        made.autofit = False
        self._lines(made)
        room = [min(max(signs, 7), MOST_ROOM) for signs in widths(table, self.language)]
        for column, signs in zip(made.columns, room, strict=True):
            column.width = self.shared.Mm(TEXT_WIDTH_MM * signs / sum(room))
        of_cell = [column.width for column in made.columns]
        words = [[column.name for column in table.columns], *(list(row) for row in table.rows)]
        for number, (row, cells) in enumerate(zip(made.rows, words, strict=True)):
            kept = row._tr.get_or_add_trPr()
            for tag in ("w:cantSplit", *(["w:tblHeader"] if number == 0 else [])):
                kept.append(self.oxml.OxmlElement(tag))
            for cell, said, column, wide in zip(row.cells, cells, table.columns, of_cell, strict=True):
                cell.width = wide
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.space_after = self.shared.Pt(0)
                if column.number:
                    paragraph.alignment = self.right
                self._run(paragraph, said.said_in(self.language), 8, number == 0, GREY if number == 0 else "")

    def _lines(self, table: Any) -> None:
        """Draw the lines between rows."""
        borders = self.oxml.OxmlElement("w:tblBorders")
        for edge in ("top", "bottom", "insideH"):
            line = self.oxml.OxmlElement(f"w:{edge}")
            for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", "BFBFBF")):
                line.set(self.name(f"w:{name}"), value)
            borders.append(line)
        facts = table._tbl.tblPr
        # the order of these elements is fixed: borders stand before the layout
        after = next(one for one in facts if one.tag in (self.name("w:tblLayout"), self.name("w:tblLook")))
        after.addprevious(borders)

    def number_pages(self, words: str) -> None:
        """Write the foot of the pages: what it is, and the number of the page."""
        foot = self.made.sections[0].footer.paragraphs[0]
        self._run(foot, f"{words}  ·  ", 7.5, False, GREY)
        field = self.oxml.OxmlElement("w:fldSimple")
        field.set(self.name("w:instr"), "PAGE")
        shown = foot.add_run("1")
        shown.font.size = self.shared.Pt(7.5)
        field.append(shown._r)
        foot._p.append(field)

    def to_bytes(self) -> bytes:
        """Return the file."""
        file = io.BytesIO()
        self.made.save(file)
        return file.getvalue()
