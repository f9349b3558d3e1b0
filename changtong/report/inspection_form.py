"""The page on which inspections are filled in on a phone: one file, no network, drafts on the device."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from changtong.report.page import embed_json, render_page
from changtong.report.plan_report import check_options
from changtong.report.texts import Both, Language, named, read_texts, text
from changtong.safety.form import Form, Item
from changtong.safety.form_schema import FILE_KIND, FILE_VERSION
from changtong.written_files import write_beside

LONGEST_SIDE = 1600
"""Photos are made no larger than this many pixels on the phone: waybills stay readable, files small."""

PHOTO_BYTES = 700_000
SITES_LISTED = 5_000


def write_inspection_form(
    form: Form,
    path: str | os.PathLike[str],
    *,
    language: Language = "zh",
    sites: tuple[tuple[str, str], ...] = (),
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    form : Form
    path : path
        Of the page.
    language : {"zh", "en"}
        The language it opens in; both are in it.
    sites : tuple of (id, name)
        Sites that are offered while one is typed, at most `SITES_LISTED`.

    Returns
    -------
    Path
        The page.
    """
    return write_beside(Path(path), inspection_form_page(form, language=language, sites=sites))


def inspection_form_page(
    form: Form,
    *,
    language: Language = "zh",
    sites: tuple[tuple[str, str], ...] = (),
    server: Mapping[str, str] | None = None,
) -> str:
    """Return the page as text: one file that loads nothing and, without a server, sends nothing.

    Parameters
    ----------
    form : Form
    language : {"zh", "en"}
    sites : tuple of (id, name)
    server : mapping, optional
        Addresses on the server the page comes from: ``sync`` takes filled forms, ``session`` tells who is
        signed in, ``worker`` keeps the page for when there is no network, ``back`` and ``sign_in`` are pages.
    """
    check_options(language, None)
    context: dict[str, Any] = {
        "language": language,
        "form_title": Both(form.title_zh, form.title_en),
        "notes": Both(form.notes_zh, form.notes_en),
        "source": form.source,
        "version": form.version,
        "provenance": form.provenance,
        "provenance_said": text(f"inspection.provenance_{form.provenance}"),
        "data": embed_json(_data(form, sites[:SITES_LISTED]) | ({"server": dict(server)} if server else {})),
        "back": (server or {}).get("back", ""),
    }
    scripts = ["inspection.js", *(["inspection_sync.js"] if server else [])]
    return render_page(
        "inspection.html.j2", styles=["inspection.css"], scripts=scripts, context=context, asks=bool(server)
    )


def _data(form: Form, sites: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    said = {key: both for key, both in read_texts().items() if key.startswith("inspection.")}
    said["page.language"], said["page.brand"] = text("page.language"), text("page.brand")
    return {
        "file": {"kind": FILE_KIND, "version": FILE_VERSION},
        "form": {
            "id": form.id,
            "version": form.version,
            "digest": form.digest,
            "title": {"zh": form.title_zh, "en": form.title_en},
            "rows_ask": form.rows_ask,
            "most_photos": form.most_photos,
            "sections": [asdict(section) for section in form.sections],
            "items": [_item(item) for item in form.items],
        },
        "photo": {"longest_side": LONGEST_SIDE, "bytes": PHOTO_BYTES},
        "sites": sites,
        "texts": {key: {"zh": both.zh, "en": both.en} for key, both in said.items()},
    }


def _item(item: Item) -> dict[str, Any]:
    """Return what the page needs of an item: what is empty is left out."""
    made = asdict(item) | {"unit": _unit(item.unit)}
    return {key: value for key, value in made.items() if value not in ("", None, (), False)} | {
        "required": item.required
    }


def _unit(unit: str) -> dict[str, str] | None:
    """Return a unit in both languages; one that is not known stays as the form says it."""
    if not unit:
        return None
    said = named("inspection_unit", unit)
    return {"zh": said.zh, "en": said.en}
