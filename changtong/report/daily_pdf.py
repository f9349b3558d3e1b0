"""The daily report as PDF, set by Typst from a fixed template; what it says is handed over as data."""

from __future__ import annotations

import json
import re
from datetime import datetime
from importlib import import_module
from typing import Any

from changtong.errors import UsageError
from changtong.report.daily_parts import Table, widest_words
from changtong.report.daily_view import DailyView
from changtong.report.page import read_file
from changtong.report.texts import Both, Language, text

FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans GB", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei", "SimSun",
)  # fmt: skip
"""Fonts with Chinese, the first that is there is taken."""

PLAIN_FONT = "Libertinus Serif"
"""Comes with Typst; has no Chinese."""

CHINESE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
LONG_WORD = re.compile(r"[\x21-\x7e]{16}(?=[\x21-\x7e])")


def set_pdf(view: DailyView, about: str, *, language: Language, mark: str, made_at: datetime) -> bytes:
    """Return the report as a PDF file.

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
        ``missing-library``: no Typst; ``missing-font``: no font with Chinese, and Chinese to write.
    """
    typst = load_typst()
    told = pdf_data(view, about, language=language, mark=mark)
    told["fonts"] = choose_fonts(typst.Fonts().families(), json.dumps(told, ensure_ascii=False))
    made: bytes = typst.compile(
        read_file("daily.typ").encode(),
        format="pdf",
        sys_inputs={"report": json.dumps(told, ensure_ascii=False)},
        timestamp=int(made_at.timestamp()),
    )
    return made


def load_typst() -> Any:
    """Return Typst, which only this format needs.

    Raises
    ------
    UsageError
        ``missing-library``.
    """
    try:
        return import_module("typst")
    except ImportError as error:
        message = "A PDF needs typst: pip install typst. A report that ends in .html or .docx does not."
        raise UsageError(message, "missing-library") from error


def choose_fonts(families: list[str], words: str) -> list[str]:
    """Return the fonts to set words in.

    Parameters
    ----------
    families : list of str
        Fonts that are there.
    words : str

    Raises
    ------
    UsageError
        ``missing-font``.

    Examples
    --------
    >>> choose_fonts(["Noto Sans CJK SC", "Libertinus Serif"], "日报")
    ['Noto Sans CJK SC', 'Libertinus Serif']
    """
    there = {family.lower() for family in families}
    found = next((font for font in FONTS if font.lower() in there), None)
    if found is not None:
        return [found, PLAIN_FONT]
    if CHINESE.search(words):
        raise UsageError(
            f"The report has Chinese in it, and no font for it is installed: install {FONTS[0]} "
            "(Debian: fonts-noto-cjk), or write a report that ends in .html or .docx.",
            "missing-font",
        )
    return [PLAIN_FONT]


def pdf_data(view: DailyView, about: str, *, language: Language, mark: str) -> dict[str, Any]:
    """Return what the template is given: texts of one language, and tables of them."""

    def say(both: Both | None) -> str | None:
        # a place to break in long words, which Typst would let run out of their cell
        return None if both is None else LONG_WORD.sub("\\g<0>\u200b", both.said_in(language))

    def table(one: Table) -> dict[str, Any]:
        return {
            "title": say(one.title),
            "note": say(one.note),
            "columns": [{"name": say(column.name), "number": column.number} for column in one.columns],
            "rows": [[say(cell) for cell in row] for row in one.rows],
            "widest": widest_words(one, language),
        }

    return {
        "title": say(text("daily.title")),
        "mark": mark,
        "lang": language,
        "region": "cn" if language == "zh" else "gb",
        "footer": f"{say(text('daily.title'))} {view.day}",
        "heading": say(view.heading),
        "subtitle": say(view.subtitle),
        "lead": say(view.lead),
        "about": about,
        "sections": [
            {
                "heading": say(section.heading),
                "lines": [say(line) for line in section.lines],
                "tables": [table(one) for one in section.tables],
            }
            for section in view.sections
        ],
    }
