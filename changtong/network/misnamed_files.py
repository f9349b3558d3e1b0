"""Files of a folder that would quietly not count: a table's name misspelt, or a folder that bears it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from changtong.errors import Problem

TABLE_ENDINGS = (".csv", ".csv.gz", ".parquet", ".toml", ".xls", ".xlsx")
LIKENESS = 0.8
"""Of names, 0 to 1: leaves is like leave; fairness is like nothing known."""


def misnamed_files(folder: Path, names: Iterable[str]) -> list[Problem]:
    """Return a problem for each entry of a folder that somebody may take for one of its tables.

    A table that may be missing is passed over where its file is called ``leaves.csv`` or ``Leave.xls``;
    people would believe it counted. Copies beside a table do no harm, and are not told.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Every name that is read, with its ending.
    """
    known = list(names)
    found = sorted(folder.iterdir())
    missing = {stem for name in known if (stem := _stem(name))} - {
        _stem(one.name) for one in found if one.is_file() and one.name in known
    }
    folded = {stem.casefold(): stem for stem in missing}
    problems = []
    for one in found:
        if one.name in known:
            if not one.is_file():
                problems.append(Problem("missing-file", "this is a folder.", one.name, expected="a file"))
            continue
        stem = _stem(one.name)
        if not stem or not one.is_file():
            continue
        near = get_close_matches(stem.strip().casefold(), folded, n=1, cutoff=LIKENESS)
        if near:
            wanted = [name for name in known if _stem(name) == folded[near[0]]]
            message, hint = "this file would not be read.", f'Did you mean "{wanted[0]}"?'
            expected = "one of " + ", ".join(wanted) + ", or a name that is not like it"
            problems.append(Problem("unknown-file", message, one.name, None, None, expected, hint))
    return problems


def _stem(name: str) -> str:
    """Return a name without the ending of a table; empty where it has none."""
    ending = max((end for end in TABLE_ENDINGS if name.casefold().endswith(end)), key=len, default="")
    return name[: -len(ending)] if ending else ""
