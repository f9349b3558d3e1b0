"""A page of figures: lines, parts with a chart or a table, and how they were reckoned."""

from __future__ import annotations

from typing import Any

from changtong.report.page import render_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language


def figures_page(
    language: Language,
    title: Both,
    name: str,
    lines: list[Both],
    parts: list[dict[str, Any]],
    method: Both,
    notes: list[Both],
) -> str:
    """Return a page of lines, parts (title, chart, note, heads, rows) and notes on the method."""
    data = page_data(title)
    shown = [
        {"kind": f"wide-rows of-{len(part['heads']) - 1}"} | part if "rows" in part else part
        for part in parts
    ]
    context = {"language": language, "title": title, "name": name, "lines": lines, "parts": shown}
    return render_page(
        "figures.html.j2",
        styles=["style.css", "stress.css"],
        scripts=["page.js", "stress.js"],
        context=context | {"method": method, "notes": notes, "data": data},
    )
