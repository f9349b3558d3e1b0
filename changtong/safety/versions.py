"""Versions of an inspection that are in conflict: side by side, row by row, and settled by a new version."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem, UsageError
from changtong.safety.collection import folder_forms, read_collection
from changtong.safety.form import Form, Item, said
from changtong.safety.form_file import shipped_forms
from changtong.safety.form_schema import FILE_KIND, FILE_VERSION

HEAD: dict[str, tuple[tuple[str, ...], str, str]] = {
    "@site": (("site_id", "site_name"), "网点", "Site"),
    "@inspectors": (("inspectors",), "检查人", "Inspectors"),
    "@begun": (("begun_at",), "开始时间", "Begun"),
    "@finished": (("finished",), "是否完成", "Finished"),
}
"""Rows beside the items: what they hold, and their names in both languages."""

YES_NO_WORDS = {"yes": ("是", "yes"), "no": ("否", "no"), "na": ("不适用", "does not apply")}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a version says in a row.

    Attributes
    ----------
    zh, en : str
        The answer in words, empty where there is none.
    note, opinion : str
    rectify : bool or None
    photos : int
    hidden : bool
        The answer is personal data, and is not shown.
    """

    zh: str
    en: str
    note: str = ""
    opinion: str = ""
    rectify: bool | None = None
    photos: int = 0
    hidden: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        names = ("zh", "en", "note", "opinion", "rectify", "photos", "hidden")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of which at least one version says something: ``cells`` in the order of the versions."""

    id: str
    number: str
    zh: str
    en: str
    cells: tuple[Cell, ...]
    differs: bool


@dataclass(frozen=True)
class Versions:
    """The versions of an inspection that stand beside each other, the one saved first coming first.

    Attributes
    ----------
    inspection_id : str
    filled : tuple of dict
        As the collection keeps them.
    form : Form or None
        Of the first; None where it is not known.
    rows : tuple of Row
    """

    inspection_id: str
    filled: tuple[dict[str, Any], ...]
    form: Form | None
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows in which they are not alike."""
        return tuple(row for row in self.rows if row.differs)

    def heads(self) -> list[dict[str, Any]]:
        """Return who made each version, when, and on which device."""
        keys = ("revision_id", "saved_at", "device_id", "inspectors")
        return [{key: one.get(key) for key in keys} for one in self.filled]

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object; answers to personal items are not in it."""
        return {
            "inspection_id": self.inspection_id,
            "form": self.filled[0]["form"]["id"],
            "form_version": self.filled[0]["form"]["version"],
            "versions": self.heads(),
            "same_rows": len(self.rows) - len(self.differing),
            "rows": [
                {"row": r.id, "zh": r.zh, "en": r.en, "cells": [cell.to_json() for cell in r.cells]}
                for r in self.differing
            ],
        }

    def __str__(self) -> str:
        lines = [f"{self.inspection_id}  {len(self.filled)} versions, {len(self.differing)} rows differ"]
        for k, one in enumerate(self.heads(), 1):
            who = ", ".join(one["inspectors"] or []) or "–"
            lines.append(f"  {k}  {one['revision_id']}  {one['saved_at']}  {who}  device {one['device_id']}")
        for row in self.differing:
            lines.append(f"  {row.id}: {row.zh} ({row.en})")
            lines += [f"    {k}  {_text(cell)}" for k, cell in enumerate(row.cells, 1)]
        return "\n".join(lines)


def _text(cell: Cell) -> str:
    parts = ["(personal: not shown)" if cell.hidden else cell.en or "–"]
    parts += [f"note: {cell.note}"] if cell.note else []
    parts += [] if cell.rectify is None else [f"rectify: {'yes' if cell.rectify else 'no'}"]
    parts += [f"opinion: {cell.opinion}"] if cell.opinion else []
    return "; ".join(parts + ([f"{cell.photos} photos"] if cell.photos else []))


def versions_in_conflict(folder: str | os.PathLike[str]) -> tuple[Versions, ...]:
    """Return every inspection of a collection of which several versions are in conflict.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        ``not-a-collection``.
    """
    place = Path(folder)
    conflicts = read_collection(place).conflicts
    forms = {(form.id, form.version): form for form in (*shipped_forms(), *folder_forms(place))}
    by_id: dict[str, list[dict[str, Any]]] = {}
    for inspection, digest in conflicts.select("inspection_id", "digest").iter_rows():
        kept = json.loads((place / "filled" / f"{digest}.json").read_text("utf-8"))
        by_id.setdefault(inspection, []).append(kept)
    return tuple(side_by_side(made, forms) for _, made in sorted(by_id.items()))


def side_by_side(made: Sequence[dict[str, Any]], forms: Mapping[tuple[str, str], Form]) -> Versions:
    """Put versions of one inspection beside each other.

    Parameters
    ----------
    made : sequence of dict
        Filled forms, photos by their SHA-256.
    forms : mapping
        Id and version -> form.
    """
    filled = tuple(sorted(made, key=lambda one: (str(one.get("saved_at")), one["revision_id"])))
    form = forms.get((filled[0]["form"]["id"], filled[0]["form"]["version"]))
    items = {} if form is None else {item.id: item for item in form.items}
    rows = [_head_row(name, filled) for name in HEAD]
    answered = dict.fromkeys(name for one in filled for name in one["answers"])
    names = [*(name for name in items if name in answered), *(n for n in answered if n not in items)]
    rows += [_answer_row(name, items.get(name), filled) for name in names]
    return Versions(filled[0]["inspection_id"], filled, form, tuple(rows))


def _head_row(name: str, filled: tuple[dict[str, Any], ...]) -> Row:
    keys, zh, en = HEAD[name]
    values = [[one.get(key) for key in keys] for one in filled]
    cells = []
    for found in values:
        flat = [part for one in found for part in (one if isinstance(one, list) else [one])]
        if name == "@finished":
            cells.append(Cell("是", "yes") if flat[0] else Cell("否", "no"))
        else:
            text = " · ".join(str(part) for part in flat if part)
            cells.append(Cell(text, text))
    return Row(name, "", zh, en, tuple(cells), any(one != values[0] for one in values))


def _answer_row(name: str, item: Item | None, filled: tuple[dict[str, Any], ...]) -> Row:
    answers = [one["answers"].get(name) or {} for one in filled]
    pictures = [
        [_picture(one["photos"].get(photo, {}), photo) for photo in answer.get("photos", [])]
        for one, answer in zip(filled, answers, strict=True)
    ]
    plain = [
        {key: value for key, value in answer.items() if key != "photos" and value not in (None, "")}
        for answer in answers
    ]
    hidden = item is None or item.personal  # an item nobody knows may hold anything
    cells = tuple(
        Cell("", "", photos=len(photos), hidden=bool(answer))
        if hidden
        else Cell(
            *_words(item, answer.get("value")),
            note=str(answer.get("note") or ""),
            opinion=str(answer.get("opinion") or ""),
            rectify=answer.get("rectify") if isinstance(answer.get("rectify"), bool) else None,
            photos=len(photos),
        )
        for answer, photos in zip(answers, pictures, strict=True)
    )
    differs = any(
        (one, photos) != (plain[0], pictures[0]) for one, photos in zip(plain, pictures, strict=True)
    )
    number, zh, en = ("", name, name) if item is None else (item.number, item.zh, item.en)
    return Row(name, number, zh, en, cells, differs)


def _picture(photo: dict[str, Any], name: str) -> str:
    """What is kept of it, without what the camera wrote; as it came where it was set aside."""
    return str(photo.get("sha256") or photo.get("received_sha256") or name)


def _words(item: Item | None, value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return YES_NO_WORDS["yes" if value else "no"]
    if item is not None and item.kind == "yes_no" and value in YES_NO_WORDS:
        return YES_NO_WORDS[value]
    option = next((o for o in item.options if o.code == value), None) if item is not None else None
    return (said(value), said(value)) if option is None else (option.zh, option.en)


def settle(
    versions: Versions,
    folder: str | os.PathLike[str],
    *,
    take: str,
    rows: Mapping[str, str] | None = None,
    by: str,
    at: datetime,
) -> dict[str, Any]:
    """Return a file of filled forms with a new version, made from all that are in conflict.

    It says what one version says, and in some rows what another does. Its history names all: taken into
    the collection, or into registers that hold them, it stands alone, and they are kept.

    Parameters
    ----------
    versions : Versions
    folder : path
        The collection, for the photos.
    take : str
        Revision id of the version it follows, or the beginning of one.
    rows : mapping, optional
        Row -> the version that counts there.
    by : str
        Who settles it.
    at : datetime
        With its offset.

    Raises
    ------
    UsageError
        ``unknown-version``, ``unknown-row``; the forms of two versions are not the same.
    """
    if not by.strip() or len(by) > 64:
        raise UsageError("Who settles it is named in 1 to 64 characters.")
    base = _version(versions, take)
    known = {row.id for row in versions.rows}
    unknown = sorted(set(rows or {}) - known)
    if unknown:
        raise UsageError(f"There is no row {', '.join(unknown)} in these versions.", "unknown-row")
    chosen = {row: _version(versions, one) for row, one in (rows or {}).items()}
    if any(one["form"] != base["form"] for one in chosen.values()):
        raise UsageError("Rows can be taken only from versions of the same form: take one version whole.")
    made: dict[str, Any] = {key: value for key, value in base.items() if key not in ("photos", "answers")}
    answers, photos = dict(base["answers"]), dict(base["photos"])
    for row, one in chosen.items():
        if row in HEAD:
            made |= {key: one[key] for key in HEAD[row][0] if key in one}
        else:
            _take_answer(row, one, answers, photos)
    parents = [one["revision_id"] for one in versions.filled]
    made |= {
        "revision_id": str(uuid.uuid4()),
        "device_id": str(uuid.uuid4()),
        "history": list(dict.fromkeys([h for one in versions.filled for h in one["history"]] + parents)),
        "saved_at": at.isoformat(timespec="seconds"),
        "settled": {
            "by": by.strip(),
            "taken": base["revision_id"],
            "rows": {row: one["revision_id"] for row, one in chosen.items()},
        },
        "photos": (kept := _with_data(photos, Path(folder))),
        "answers": {
            name: answer | {"photos": [photo for photo in answer["photos"] if photo in kept]}
            if answer.get("photos")
            else answer
            for name, answer in answers.items()
        },
    }
    return {"changtong": {"kind": FILE_KIND, "version": FILE_VERSION}, "inspections": [made]}


def _version(versions: Versions, name: str) -> dict[str, Any]:
    found = [one for one in versions.filled if name and one["revision_id"].startswith(name.lower())]
    if len(found) != 1:
        ids = ", ".join(one["revision_id"] for one in versions.filled)
        raise UsageError(f"{name!r} names {len(found)} versions: expected one of {ids}.", "unknown-version")
    return found[0]


def _take_answer(row: str, one: dict[str, Any], answers: dict[str, Any], photos: dict[str, Any]) -> None:
    """Put another version's answer in the place of one, its photos beside those that are there."""
    if row not in one["answers"]:
        answers.pop(row, None)
        return
    names = []
    for name in one["answers"][row].get("photos", []):
        photo, new, count = one["photos"].get(name), name, 1
        while photo is not None and photos.get(new, photo) != photo:  # two photos of the same name
            count += 1
            new = f"{name}-{count}"
        if photo is not None:
            photos[new] = photo
        names.append(new)
    answers[row] = one["answers"][row] | {"photos": names}


def _with_data(photos: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return photos with their bytes; one that was set aside when it came is in its version only."""
    made = {}
    for name, photo in photos.items():
        if photo.get("file") is None:
            continue
        try:
            content = (folder / photo["file"]).read_bytes()
        except OSError as error:
            problem = Problem("missing-file", f"the photo cannot be read ({error.strerror}).", photo["file"])
            raise InputError([problem]) from error
        facts = {key: photo[key] for key in ("media_type", "taken_at") if photo.get(key) is not None}
        made[name] = facts | {"data": base64.b64encode(content).decode()}
    return made
