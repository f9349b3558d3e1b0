"""The page on which versions of an inspection in conflict stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from changtong.report.page import render_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language, same, text
from changtong.safety.collection import put_file
from changtong.safety.versions import Cell, Versions


def write_versions_page(found: Sequence[Versions], path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page to a file that its owner alone can read: notes may name persons.

    Parameters
    ----------
    found : sequence of Versions
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    title = text("versions.title")
    context: dict[str, Any] = {
        "language": language,
        "inspections": [_inspection(one) for one in found],
        "data": page_data(title),
    }
    page = render_page(
        "versions.html.j2",
        styles=["style.css", "versions.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )
    put_file(Path(path), page.encode())
    return Path(path)


def _inspection(one: Versions) -> dict[str, Any]:
    named = one.filled[0]["form"]
    title = same(named["id"]) if one.form is None else Both(one.form.title_zh, one.form.title_en)
    heads = one.heads()
    facts = [
        ("versions.saved", [str(head["saved_at"] or "–").replace("T", " ") for head in heads]),
        ("versions.who", ["、".join(head["inspectors"] or []) or "–" for head in heads]),
        ("versions.device", [head["device_id"] or "–" for head in heads]),
        ("versions.revision", [head["revision_id"] for head in heads]),
    ]
    rows = [
        {"id": r.id, "number": r.number, "name": Both(r.zh, r.en), "cells": [_cell(c) for c in r.cells]}
        for r in one.differing
    ]
    return {
        "id": one.inspection_id,
        "site": " · ".join(p for p in (one.filled[0].get("site_id"), one.filled[0].get("site_name")) if p),
        "form": title + f" {named['version']}",
        "versions": [text("versions.version", number=k) for k in range(1, len(heads) + 1)],
        "facts": facts,
        "rows": rows,
        "counts": text("versions.differing", count=len(rows), same=len(one.rows) - len(rows)),
        "take": heads[0]["revision_id"],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    said = text("versions.hidden") if cell.hidden else Both(cell.zh, cell.en)
    more: list[Both] = []
    if cell.note:
        more.append(text("versions.note") + same(f": {cell.note}"))
    if cell.rectify is not None:
        more.append(text("versions.rectify_yes" if cell.rectify else "versions.rectify_no"))
    if cell.opinion:
        more.append(text("versions.opinion") + same(f": {cell.opinion}"))
    if cell.photos:
        more.append(text("versions.photos", count=cell.photos))
    return {"said": said if said.zh else text("versions.empty"), "is_empty": not said.zh, "more": more}
