"""The privacy analyses behind the doorway: what ``run_study`` runs on files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.errors import NotFoundError, UsageError
from changtong.network.io import check_replaceable, write_whole_folder
from changtong.privacy.extracts import Extract, Hierarchy, extract
from changtong.privacy.find_personal_data import PersonalData, find_personal_data
from changtong.privacy.table_file import read_table, write_table
from changtong.wording import Language

FIND_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "finds.csv").is_file(),
    "what": "result of a search for personal data (it has no finds.csv)",
    "code": "not-finds",
}
EXTRACT_FOLDER: dict[str, Any] = {
    "is_ours": lambda path: (path / "extract.csv").is_file(),
    "what": "extract (it has no extract.csv)",
    "code": "not-an-extract",
}


@dataclass(frozen=True)
class RecordFiles:
    """Files of records, or folders of them.

    Attributes
    ----------
    paths : tuple of Path
    """

    paths: tuple[Path, ...]

    def digest(self) -> str:
        """Return a SHA-256 over the names and contents of all files, folders with all below them.

        Raises
        ------
        NotFoundError
            A path that does not exist.
        """
        total = hashlib.sha256()
        for given in self.paths:
            if not given.exists():
                raise NotFoundError(f"There is no {given}.")
            below = sorted(given.rglob("*")) if given.is_dir() else [given]
            for path in below:
                if path.is_file() and (path == given or not path.is_symlink()):
                    with path.open("rb") as file:
                        content = hashlib.file_digest(file, "sha256").hexdigest()
                    name = path.name if path == given else path.relative_to(given).as_posix()
                    total.update(f"{name}\n{content}\n".encode())
        return total.hexdigest()

    def facts(self) -> dict[str, Any]:
        """Return what ``study.json`` says of them."""
        return {"files": [path.name for path in self.paths]}


def _find(
    files: RecordFiles, folder: Path | None, language: Language, *, seed: int | None, **options: Any
) -> tuple[PersonalData, Path | None]:
    _draws_nothing(seed)
    if folder is not None:
        check_replaceable(folder, **FIND_FOLDER)
    result = find_personal_data(files.paths, **options)
    if folder is None:
        return result, None

    def write(into: Path) -> None:
        for name in ("finds", "counts", "unread"):
            write_table(getattr(result, name), into / f"{name}.csv")

    own = ("finds.csv", "counts.csv", "unread.csv", "study.json")
    return result, write_whole_folder(folder, write, own_files=own, **FIND_FOLDER)


def _extract(
    files: RecordFiles,
    folder: Path | None,
    language: Language,
    *,
    seed: int | None,
    coarser: Mapping[str, Hierarchy],
    k: int = 5,
    keep: Sequence[str] = (),
    **options: Any,
) -> tuple[Extract, Path | None]:
    _draws_nothing(seed)
    if len(files.paths) != 1:
        raise UsageError("An extract is made of one file.")
    if folder is not None:
        check_replaceable(folder, **EXTRACT_FOLDER)
    frame = read_table(files.paths[0], [*coarser, *keep])
    result = extract(frame, dict(coarser), k, keep=list(keep), **options)
    if folder is None:
        return result, None

    def write(into: Path) -> None:
        write_table(result.frame, into / "extract.csv")
        text = json.dumps(result.to_json(), ensure_ascii=False, indent=1)
        (into / "extract.json").write_text(text + "\n", "utf-8")

    own = ("extract.csv", "extract.json", "study.json")
    return result, write_whole_folder(folder, write, own_files=own, **EXTRACT_FOLDER)


def _draws_nothing(seed: int | None) -> None:
    if seed is not None:
        raise UsageError("Analyses of files draw nothing: leave the seed out.")


PRIVACY_ANALYSES: dict[str, Callable[..., tuple[Any, Path | None]]] = {
    "find-personal-data": _find,
    "extract": _extract,
}
