"""The daily report on operation and safety (运行和安全信息日报) as page, PDF or DOCX.

All three are written from the same cells, so that they say the same.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import UsageError
from changtong.events.alerts.result import Alerts
from changtong.events.indicator_result import Indicators
from changtong.events.log import Batch
from changtong.report.daily_chart import draw_hours
from changtong.report.daily_docx import load_docx, write_docx
from changtong.report.daily_pdf import load_typst, set_pdf
from changtong.report.daily_view import DailyView, daily_view
from changtong.report.page import embed_json, render_page
from changtong.report.plan_report import check_options, say_time
from changtong.report.plan_tables import versions
from changtong.report.texts import Both, Language, read_texts, same, text
from changtong.written_files import check_writable, write_beside

ENDINGS = (".html", ".pdf", ".docx")
MARK = "Changtong daily report"
"""Stands in every report, so that no other file is replaced by one."""

STACKED = (
    "daily-volumes", "daily-times", "daily-rules", "daily-closed", "daily-quality", "daily-closed-kind",
    "daily-closed-region", "daily-backlogs", "daily-files",
)  # fmt: skip
"""Tables whose rows take two lines on a phone."""

HALVES = ("daily-closed-kind", "daily-closed-region")
"""Tables that stand side by side on paper."""


def write_daily_report(
    found: Indicators,
    path: Path | str,
    *,
    language: Language = "zh",
    alerts: Alerts | None = None,
    sites: pl.DataFrame | None = None,
    batches: Sequence[Batch] | None = None,
    made_at: datetime | None = None,
) -> Path:
    """Write the report of a day; its format is told by the ending of the file.

    Parameters
    ----------
    found : Indicators
        Every number of the report but those of alerts and files.
    path : path
        Ends in ``.html`` (asks for nothing outside itself, carries both languages), ``.pdf`` or
        ``.docx`` (one language). An earlier report is replaced, whole or not at all.
    language : {"zh", "en"}
    alerts : Alerts, optional
        Open alerts found by the end of the report are listed.
    sites : polars.DataFrame, optional
        ``site_id`` and ``name``: ``EventLog.sites``.
    batches : sequence of Batch, optional
        ``EventLog.batches``: rows in quarantine of those that brought scans of the day.
    made_at : datetime, optional
        With a time zone; now where not given.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        ``unknown-ending``; ``not-a-daily-report``: the file is something else; ``missing-library``,
        ``missing-font``; ``cannot-write``.
    """
    check_options(language, made_at)
    path = Path(path)
    check_report_file(path)
    made_at = made_at or datetime.now().astimezone()
    view = daily_view(found, alerts=alerts, sites=sites, batches=batches)
    about = _about(view, made_at)
    if path.suffix == ".html":
        made = _page(view, about, language).encode()
    else:
        said = " · ".join(f"{name.said_in(language)} {value.said_in(language)}" for name, value in about)
        write = set_pdf if path.suffix == ".pdf" else write_docx
        made = write(view, said, language=language, mark=MARK, made_at=made_at)
    write_beside(path, made)
    return path


def daily_page(
    found: Indicators,
    *,
    language: Language = "zh",
    alerts: Alerts | None = None,
    sites: pl.DataFrame | None = None,
    batches: Sequence[Batch] | None = None,
    made_at: datetime | None = None,
) -> str:
    """Return the page as text; see :func:`write_daily_report`."""
    check_options(language, made_at)
    view = daily_view(found, alerts=alerts, sites=sites, batches=batches)
    return _page(view, _about(view, made_at or datetime.now().astimezone()), language)


def check_report_file(path: Path) -> None:
    """Refuse a file that may not be made or replaced, before long work is done for it.

    Raises
    ------
    UsageError
        As :func:`write_daily_report`.
    """
    if path.suffix not in ENDINGS:
        raise UsageError(
            f"{path}: a report ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.", "unknown-ending"
        )
    if path.suffix == ".pdf":
        load_typst()
    elif path.suffix == ".docx":
        load_docx()
    if path.is_dir() or (path.exists() and path.stat().st_size and not _is_report(path)):
        raise UsageError(
            f"{path} is there and is no daily report; it was left as it is.", "not-a-daily-report"
        )
    check_writable(path)


def _is_report(path: Path) -> bool:
    mark = MARK.encode()
    if path.suffix != ".docx":
        return mark in path.read_bytes()
    try:
        with zipfile.ZipFile(path) as file:
            return mark in file.read("docProps/core.xml")
    except (zipfile.BadZipFile, KeyError):
        return False


def _about(view: DailyView, made_at: datetime) -> tuple[tuple[Both, Both], ...]:
    return (
        (text("daily.made_at"), same(say_time(made_at))),
        *view.about,
        (text("daily.version"), same(versions(("changtong",)))),
    )


def _page(view: DailyView, about: tuple[tuple[Both, Both], ...], language: Language) -> str:
    texts = {
        key: {"zh": said.zh, "en": said.en} for key, said in read_texts().items() if key.startswith("page.")
    }
    texts["page.title"] = {"zh": text("daily.title").zh, "en": text("daily.title").en}
    context: dict[str, Any] = {
        "language": language,
        "view": view,
        "about": about,
        "mark": MARK,
        "stacked": STACKED,
        "halves": HALVES,
        "chart": draw_hours(view.accepted, view.delivered),
        "data": embed_json({"texts": texts, "sites": {"name": [], "id": []}, "changes": {"site": []}}),
    }
    return render_page(
        "daily.html.j2", styles=["style.css", "daily.css"], scripts=["page.js", "stress.js"], context=context
    )
