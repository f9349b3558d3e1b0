"""Takes filled forms from phones into a collection: each exactly once, nothing lost, conflicts told."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from changtong.errors import Problem, UsageError
from changtong.network.io import check_replaceable
from changtong.safety.collection import (
    KIND,
    MAIN_FILE,
    VERSION,
    Collection,
    is_begun,
    is_collection,
    put_file,
    read_collection,
    write_tables,
    writing,
)
from changtong.safety.form_file import read_forms
from changtong.safety.photos import ENDINGS, MOST_BYTES, NoPhoto, media_type, without_camera_data
from changtong.safety.received import MOST_FILE_BYTES, Received, read_received

COLLECTION_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: is_collection(path) or is_begun(path),
    "what": "collection of inspections",
    "code": "not-a-collection",
}


@dataclass(frozen=True)
class Collected:
    """What a run took in.

    Attributes
    ----------
    collection : Collection
        All that is in the folder now.
    files, read, new, known, set_aside : int
        Files, and filled forms in them: ``read = new + known + set_aside``. A file that cannot be read
        counts as one that was set aside.
    photos_new, photos_cleaned, photos_set_aside : int
    problems : tuple of Problem
        Of what was set aside.
    """

    collection: Collection
    files: int
    read: int
    new: int
    known: int
    set_aside: int
    photos_new: int
    photos_cleaned: int
    photos_set_aside: int
    problems: tuple[Problem, ...]

    def summary(self) -> dict[str, Any]:
        """Return counts of the run and of the folder."""
        frame = self.collection.inspections
        states = dict(frame["state"].value_counts().iter_rows())
        return {
            **{key: getattr(self, key) for key in ("files", "read", "new", "known", "set_aside")},
            **{key: getattr(self, key) for key in ("photos_new", "photos_cleaned", "photos_set_aside")},
            "inspections": frame["inspection_id"].n_unique(),
            "revisions": frame.height,
            "current": states.get("current", 0),
            "superseded": states.get("superseded", 0),
            "conflicts": self.collection.conflicts["inspection_id"].n_unique(),
            "findings": self.collection.findings.height,
            "major": self.collection.findings.filter(grade="major").height,
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return self.summary() | {
            "conflicts_in": self.collection.conflicts["inspection_id"].unique(maintain_order=True).to_list(),
            "problems": [problem.to_dict() for problem in self.problems],
        }

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{s['read']} filled forms in {s['files']} files: {s['new']} new, {s['known']} known,"
            f" {s['set_aside']} set aside",
            f"{s['inspections']} inspections in the folder, {s['findings']} findings,"
            f" {s['major']} of them major",
        ]
        if s["photos_set_aside"]:
            lines.append(f"{s['photos_set_aside']} photos set aside")
        for inspection, rows in self.collection.conflicts.group_by("inspection_id", maintain_order=True):
            lines.append(f"  conflict: {inspection[0]} has {rows.height} versions, both are kept")
        return "\n".join(lines + [f"  {problem}" for problem in self.problems])


def collect(
    paths: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    forms_folder: str | os.PathLike[str] | None = None,
    keep_position: bool = False,
) -> Collected:
    """Take filled forms from phones into a folder.

    Parameters
    ----------
    paths : sequence of path
        Files that the page for phones exported.
    folder : path
        A collection, or a folder to make.
    forms_folder : path, optional
        Forms of the user's own; the collection keeps a copy.
    keep_position : bool
        Keep what cameras wrote into photos, position included. By default it is taken out.

    Raises
    ------
    UsageError
        ``not-a-collection``, ``cannot-write``; another process writes to it.
    InputError
        ``bad-form``.
    """
    place = Path(folder).resolve()
    check_replaceable(place, **COLLECTION_FOLDER)
    if forms_folder is not None:
        read_forms(forms_folder)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with writing(place):
            return _collect(paths, place, forms_folder, keep_position)
    except OSError as error:
        raise UsageError(f"{error.filename or place}: {error.strerror}.", "cannot-write") from error


def _collect(
    paths: Sequence[str | os.PathLike[str]],
    place: Path,
    forms_folder: str | os.PathLike[str] | None,
    keep_position: bool,
) -> Collected:
    mark = {"changtong": {"kind": KIND, "version": VERSION}}
    put_file(place / MAIN_FILE, (json.dumps(mark) + "\n").encode())
    if forms_folder is not None:
        for path in sorted(Path(forms_folder).glob("*.toml")):
            put_file(place / "forms" / path.name, path.read_bytes())
    counts: Counter[str] = Counter(files=len(paths))
    problems: list[Problem] = []
    for path in map(Path, paths):
        content = content_of(path, problems)
        if content is None:
            counts.update(read=1, set_aside=1)
            continue
        found = read_received(content, path.name)
        counts["read"] += len(found.inspections) + len(found.refused)
        for raw, why in found.refused:
            put_file(place / "set_aside" / f"{hashlib.sha256(raw).hexdigest()}.json", raw)
            problems += why
            counts["set_aside"] += 1
        for received in found.inspections:
            counts.update(_take(received, place, path.name, keep_position, problems))
        _note_file(place, path.name, content, [one.digest for one in found.inspections])
    collection = read_collection(place)
    write_tables(collection)
    names = ("files", "read", "new", "known", "set_aside", "photos_new", "photos_cleaned", "photos_set_aside")
    return Collected(collection, **{name: counts[name] for name in names}, problems=tuple(problems))


def content_of(path: Path, problems: list[Problem]) -> bytes | None:
    """Return a file's bytes; None, with the problem told, where it cannot be read or is too large.

    Parameters
    ----------
    path : Path
    problems : list of Problem
        Grows.
    """
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            expected = f"at most {MOST_FILE_BYTES // 1_000_000} MB: export fewer at once"
            problems.append(Problem("bad-filled", "the file is too large.", path.name, expected=expected))
            return None
        return path.read_bytes()
    except OSError as error:
        problems.append(Problem("bad-filled", f"the file cannot be read ({error.strerror}).", path.name))
        return None


def _take(
    received: Received, place: Path, file: str, keep_position: bool, problems: list[Problem]
) -> Counter[str]:
    """Keep one filled form: its photos first, so that what is kept is whole."""
    kept = place / "filled" / f"{received.digest}.json"
    if kept.exists():
        return Counter(known=1)
    counts: Counter[str] = Counter(new=1)
    filled = received.filled
    for name, content in received.photos.items():
        photo: dict[str, Any] = filled["photos"][name]
        stored, facts = stored_photo(name, content, file, keep_position, problems)
        photo |= facts
        if stored is None:
            put_file(place / "set_aside" / f"{hashlib.sha256(content).hexdigest()}.photo", content)
            counts["photos_set_aside"] += 1
            photo |= {"file": None}
            continue
        digest = facts["sha256"]
        where = f"photos/{digest[:2]}/{digest}.{ENDINGS[facts['media_type']]}"
        counts["photos_new"] += put_file(place / where, stored)
        counts["photos_cleaned"] += facts["cleaned"]
        photo |= {"file": where}
    put_file(kept, (json.dumps(filled, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())
    return counts


def stored_photo(
    name: str, content: bytes, file: str, keep_position: bool, problems: list[Problem]
) -> tuple[bytes | None, dict[str, Any]]:
    """Return a photo as it is kept, None where it is none, and what is known of it.

    Parameters
    ----------
    name : str
        Id of the photo.
    content : bytes
        As it came.
    file : str
        It came in, for problems.
    keep_position : bool
        Keep what cameras wrote into it.
    problems : list of Problem
        Grows.
    """
    try:
        if len(content) > MOST_BYTES:
            raise NoPhoto("it is too large.")
        kind = media_type(content)
        stored = content if keep_position and kind else without_camera_data(content)
    except NoPhoto as error:
        expected = f"a JPEG, PNG or WebP of at most {MOST_BYTES // 1_000_000} MB"
        problems.append(Problem("bad-photo", f"photo {name}: {error}", file, expected=expected))
        return None, {"sha256": None, "bytes": len(content), "cleaned": False}
    digest = hashlib.sha256(stored).hexdigest()
    facts = {"sha256": digest, "media_type": kind, "bytes": len(stored), "cleaned": stored != content}
    return stored, facts


def _note_file(place: Path, name: str, content: bytes, digests: list[str]) -> None:
    """Keep which file brought what; the first reading stands."""
    digest = hashlib.sha256(content).hexdigest()
    note = place / "received" / f"{digest}.json"
    if not note.exists():
        facts = {"name": name, "read_at": datetime.now(UTC).isoformat(timespec="seconds"), "filled": digests}
        put_file(note, (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode())
