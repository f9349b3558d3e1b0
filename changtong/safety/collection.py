"""A folder of collected inspections: every revision once, photos by content, tables made from both.

::

    collection.json        what it is
    filled/DIGEST.json     one revision of one inspection, as it came, photos by name
    photos/AB/SHA256.jpg   each photo once
    received/DIGEST.json   one file that was read: its name, and what was in it
    set_aside/DIGEST       what could not be taken in, as it came
    forms/ID@VERSION.toml  forms of the user's own
    *.csv                  tables, made from the above
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.file_locks import lock_file
from changtong.safety.filled import FINDING_SCHEMA, check_filled
from changtong.safety.form import Form, said
from changtong.safety.form_file import read_forms, shipped_forms
from changtong.spreadsheets import without_formulas
from changtong.written_files import write_beside

MAIN_FILE, KIND, VERSION = "collection.json", "inspection-collection", 1
LOCK, PART = "lock", ".part"

INSPECTION_SCHEMA: dict[str, pl.DataType] = {
    "inspection_id": pl.String(),
    "state": pl.String(),
    "site_id": pl.String(),
    "site_name": pl.String(),
    "form_id": pl.String(),
    "form_version": pl.String(),
    "form_known": pl.Boolean(),
    "inspectors": pl.String(),
    "begun_at": pl.String(),
    "saved_at": pl.String(),
    "finished": pl.Boolean(),
    "asked": pl.Int64(),
    "answered": pl.Int64(),
    "problems": pl.Int64(),
    "findings": pl.Int64(),
    "photos": pl.Int64(),
    "device_id": pl.String(),
    "revision_id": pl.String(),
    "digest": pl.String(),
}
"""One row a revision. ``state``: current, superseded or conflict; ``digest`` names its file."""

ANSWER_SCHEMA: dict[str, pl.DataType] = {
    "inspection_id": pl.String(),
    "digest": pl.String(),
    "item_id": pl.String(),
    "value": pl.String(),
    "personal": pl.Boolean(),
    "note": pl.String(),
    "rectify": pl.Boolean(),
    "opinion": pl.String(),
    "photos": pl.String(),
}
"""One row an answer of a revision that is not superseded; values of personal items are left out."""

PHOTO_SCHEMA: dict[str, pl.DataType] = {
    "inspection_id": pl.String(),
    "digest": pl.String(),
    "photo_id": pl.String(),
    "sha256": pl.String(),
    "media_type": pl.String(),
    "bytes": pl.Int64(),
    "cleaned": pl.Boolean(),
    "taken_at": pl.String(),
    "file": pl.String(),
}
"""One row a photo of a revision. ``file``: null where it was set aside; ``cleaned``: camera data is out."""

PROBLEM_SCHEMA: dict[str, pl.DataType] = {
    "inspection_id": pl.String(),
    "digest": pl.String(),
    "item_id": pl.String(),
    "severity": pl.String(),
    "code": pl.String(),
    "message": pl.String(),
    "expected": pl.String(),
}
STATE_COLUMN: dict[str, pl.DataType] = {"state": pl.String()}


@dataclass(frozen=True)
class Collection:
    """Collected inspections as frames.

    Attributes
    ----------
    folder : Path
    inspections, answers, findings, photos, problems : polars.DataFrame
        As `INSPECTION_SCHEMA`, `ANSWER_SCHEMA`, ``FINDING_SCHEMA`` and ``state``, `PHOTO_SCHEMA`,
        `PROBLEM_SCHEMA`.
    """

    folder: Path
    inspections: pl.DataFrame
    answers: pl.DataFrame
    findings: pl.DataFrame
    photos: pl.DataFrame
    problems: pl.DataFrame

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the frames by name."""
        names = ("inspections", "answers", "findings", "photos", "problems")
        return {name: getattr(self, name) for name in names}

    @property
    def conflicts(self) -> pl.DataFrame:
        """Inspections that were changed in two places: a row for each version."""
        return self.inspections.filter(pl.col("state") == "conflict")


def is_collection(path: Path) -> bool:
    """Tell whether a folder holds collected inspections.

    Parameters
    ----------
    path : Path
    """
    try:
        content = json.loads((path / MAIN_FILE).read_text("utf-8"))
        return bool(content["changtong"]["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_collection(folder: str | os.PathLike[str], *, forms: tuple[Form, ...] = ()) -> Collection:
    """Read a folder of collected inspections.

    Parameters
    ----------
    folder : path
    forms : tuple of Form
        Beside the shipped ones and those of the folder.

    Raises
    ------
    InputError
        ``not-a-collection``, or a form of the folder cannot be read.
    """
    place = Path(folder)
    if not is_collection(place):
        raise InputError([Problem("not-a-collection", "this holds no collected inspections.", str(folder))])
    known = (*forms, *folder_forms(place))
    made = [
        (path.stem, json.loads(path.read_text("utf-8"))) for path in sorted((place / "filled").glob("*.json"))
    ]
    return collection_of(made, known, place)


def folder_forms(place: Path) -> tuple[Form, ...]:
    """Return the forms a collection keeps.

    Parameters
    ----------
    place : Path
    """
    return read_forms(place / "forms") if (place / "forms").is_dir() else ()


def revision_states(revisions: list[tuple[str, str, str, frozenset[str]]]) -> dict[str, str]:
    """Return the state of every revision.

    One is superseded when another of the same inspection was made from it. What is left of an inspection is
    current when it is one, and in conflict when there are several: nobody's work is put above another's.

    Parameters
    ----------
    revisions : list of (digest, inspection id, revision id, history)

    Examples
    --------
    >>> revision_states([("a", "i", "1", frozenset()), ("b", "i", "2", frozenset({"1"}))])
    {'a': 'superseded', 'b': 'current'}
    """
    by_inspection: dict[str, list[tuple[str, str, frozenset[str]]]] = {}
    for digest, inspection, revision, history in revisions:
        by_inspection.setdefault(inspection, []).append((digest, revision, history))
    states: dict[str, str] = {}
    for same in by_inspection.values():
        over = {d for d, r, _ in same if any(r in h and r != other for _, other, h in same)}
        heads = [d for d, _, _ in same if d not in over]
        if not heads:  # a circle: each claims to be made from the other, so none is older
            over, heads = set(), [d for d, _, _ in same]
        for digest, _, _ in same:
            states[digest] = "superseded" if digest in over else "current" if len(heads) == 1 else "conflict"
    return states


def collection_of(
    made: list[tuple[str, dict[str, Any]]], forms: tuple[Form, ...], place: Path = Path()
) -> Collection:
    """Return filled forms as frames.

    Parameters
    ----------
    made : list of (digest, filled form)
    forms : tuple of Form
        Beside the shipped ones.
    place : Path
        The folder they lie in, where they lie in one.
    """
    states = revision_states(
        [(d, f["inspection_id"], f["revision_id"], frozenset(f["history"])) for d, f in made]
    )
    known = {(form.id, form.version): form for form in (*shipped_forms(), *forms)}
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("inspections", "answers", "findings", "photos", "problems")
    }
    for digest, filled in made:
        form = known.get((filled["form"]["id"], filled["form"]["version"]))
        _add_rows(rows, digest, states[digest], filled, form)
    schemas = (INSPECTION_SCHEMA, ANSWER_SCHEMA, FINDING_SCHEMA | STATE_COLUMN, PHOTO_SCHEMA, PROBLEM_SCHEMA)
    frames = {
        name: pl.DataFrame(listed, schema)
        for (name, listed), schema in zip(rows.items(), schemas, strict=True)
    }
    frames["inspections"] = frames["inspections"].sort("begun_at", "inspection_id", "saved_at", "digest")
    # both versions of a conflict may have found the same thing: it is one finding
    frames["findings"] = frames["findings"].unique("finding_id", keep="first", maintain_order=True)
    return Collection(place, **frames)


def _add_rows(
    rows: dict[str, list[dict[str, Any]]], digest: str, state: str, filled: dict[str, Any], form: Form | None
) -> None:
    inspection = filled["inspection_id"]
    check = None if form is None else check_filled(form, filled)
    problems = [*(() if check is None else check.problems), *form_problems(filled, form)]
    rows["inspections"].append(
        {
            **{
                key: filled.get(key)
                for key in ("inspection_id", "site_id", "site_name", "begun_at", "saved_at")
            },
            "state": state,
            "form_id": filled["form"]["id"],
            "form_version": filled["form"]["version"],
            "form_known": form is not None,
            "inspectors": "; ".join(filled.get("inspectors", [])),
            "finished": filled.get("finished", False),
            "asked": None if check is None else check.asked,
            "answered": None if check is None else check.answered,
            "problems": len(problems),
            "findings": None if check is None else len(check.findings),
            "photos": len(filled["photos"]),
            "device_id": filled.get("device_id"),
            "revision_id": filled["revision_id"],
            "digest": digest,
        }
    )
    rows["photos"] += [
        {"inspection_id": inspection, "digest": digest, "photo_id": name, **_photo(photo)}
        for name, photo in filled["photos"].items()
    ]
    if state == "superseded":
        return
    rows["problems"] += [
        {
            "inspection_id": inspection,
            "digest": digest,
            "item_id": problem.column,
            **{key: getattr(problem, key) for key in ("severity", "code", "message", "expected")},
        }
        for problem in problems
    ]
    for name, answer in filled["answers"].items():
        rows["answers"].append(_answer(inspection, digest, name, answer, form))
    if check is not None:
        rows["findings"] += [finding.row() | {"state": state} for finding in check.findings]


def form_problems(filled: dict[str, Any], form: Form | None) -> list[Problem]:
    """Return what is wrong with the form that was filled in, whatever the answers.

    Parameters
    ----------
    filled : dict
    form : Form or None
        The one that is known under its id and version.
    """
    named, inspection = filled["form"], filled["inspection_id"]
    if form is None:
        message = f"the form {named['id']} {named['version']} is not known: its answers are kept."
        hint = "Give the folder with this form."
        return [Problem("unknown-form", message, inspection, None, "form", hint=hint)]
    if named.get("digest", form.digest) == form.digest:
        return []
    message = "the form was filled in from other words than those kept under this id and version."
    return [Problem("form-differs", message, inspection, None, "form", severity="warning")]


def _photo(photo: dict[str, Any]) -> dict[str, Any]:
    return {key: photo.get(key) for key in ("sha256", "media_type", "bytes", "cleaned", "taken_at", "file")}


def _answer(
    inspection: str, digest: str, name: str, answer: dict[str, Any], form: Form | None
) -> dict[str, Any]:
    item = None if form is None else form.item(name)
    # an item nobody knows may hold anything: it is treated as personal
    personal = item is None or item.personal
    rectify = answer.get("rectify")
    return {
        "inspection_id": inspection,
        "digest": digest,
        "item_id": name,
        "value": None if personal else said(answer.get("value")),
        "personal": personal,
        "note": None if personal else _text(answer.get("note")),
        "rectify": rectify if isinstance(rectify, bool) else None,
        "opinion": None if personal else _text(answer.get("opinion")),
        "photos": "; ".join(answer.get("photos", [])),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def write_tables(collection: Collection) -> None:
    """Write the tables of a collection into its folder, each beside its place and renamed.

    Parameters
    ----------
    collection : Collection
    """
    for name, frame in {**collection.tables(), "conflicts": collection.conflicts}.items():
        put_file(
            collection.folder / f"{name}.csv", without_formulas(frame).write_csv(include_bom=True).encode()
        )


def put_file(path: Path, content: bytes) -> bool:
    """Write a file beside its place and rename it; return False where it is there with this content.

    Parameters
    ----------
    path : Path
    content : bytes
    """
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_beside(path, content, make_folder=False, mode=0o600)
    return True


def is_begun(path: Path) -> bool:
    """Tell whether a folder holds only what a run leaves that was cut off before it wrote anything.

    Parameters
    ----------
    path : Path
    """
    return all(entry.name == LOCK or entry.name.endswith(PART) for entry in path.iterdir())


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Keep other processes from writing to a collection at the same time.

    Parameters
    ----------
    place : Path

    Raises
    ------
    UsageError
        Another process writes to it.
    """
    handle = lock_file(place / LOCK)
    if handle is None:
        raise UsageError("Another process writes to this collection: wait until it is done.")
    try:
        for left in place.rglob(f".*{PART}"):  # of a run that was killed while it wrote a file
            left.unlink()
        yield
    finally:
        os.close(handle)
