"""The kinds of data sets that may be uploaded, as `dataset_kinds.toml` tells them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

from changtong.errors import NotFoundError

MOST_FILES = 500


@dataclass(frozen=True)
class Kind:
    """A kind of data set.

    Attributes
    ----------
    name, zh, en : str
    is_files : bool
        Whether readers get each file by itself, not the folder.
    patterns : tuple of str
        Names that belong to it, in small letters.
    most : int
        Files at most.
    reader : str
        What checks it, ``module:function``; empty: nothing can be said before it is used.
    """

    name: str
    zh: str
    en: str
    is_files: bool
    patterns: tuple[str, ...]
    most: int
    reader: str

    def has(self, name: str) -> bool:
        """Return whether a file of this name belongs to it."""
        low, depth = name.lower(), name.count("/")
        return any(fnmatchcase(low, one) and one.count("/") == depth for one in self.patterns)

    def described(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        told = {"name": self.name, "zh": self.zh, "en": self.en, "files": list(self.patterns)}
        return told | {"most_files": self.most}


def _read() -> dict[str, Kind]:
    table = tomllib.loads(files("changtong.api").joinpath("dataset_kinds.toml").read_text("utf-8"))
    return {
        name: Kind(
            name, said["zh"], said["en"], said["is"] == "files", tuple(said["files"]),
            said.get("most", MOST_FILES), said.get("reader", ""),
        )
        for name, said in table.items()
    }  # fmt: skip


KINDS = _read()


def kind_named(name: str) -> Kind:
    """Return a kind.

    Raises
    ------
    NotFoundError
    """
    if name not in KINDS:
        raise NotFoundError(f"There is no kind {name[:40]!r}; there are {', '.join(KINDS)}.")
    return KINDS[name]
