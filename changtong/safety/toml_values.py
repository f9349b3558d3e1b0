"""Reads typed values out of TOML files; each wrong one is a problem with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from changtong.errors import InputError, Problem
from changtong.network.findings import NearestNames

WORDS: dict[type, str] = {
    str: "a text", int: "a whole number, 0 or more", float: "a number, 0 or more", bool: "true or false",
    date: "a date, as 2026-03-01", dict: "a table", list: "a list",
}  # fmt: skip
PROVENANCES = ("official", "example", "synthetic")


class Values:
    """Takes values out of tables and gathers what is wrong.

    Parameters
    ----------
    file, code : str
        Of the problems.
    """

    def __init__(self, file: str, code: str) -> None:
        self.file, self.code = file, code
        self.problems: list[Problem] = []

    def add(self, message: str, key: str, row: int | None = None, expected: str = "", hint: str = "") -> None:
        """Add a problem."""
        self.problems.append(Problem(self.code, message, self.file, row, key, expected, hint))

    def table(
        self,
        content: Any,
        kinds: Mapping[str, type],
        needed: tuple[str, ...],
        row: int | None = None,
        of: str = "",
    ) -> dict[str, Any]:
        """Return the values of a table that have their type.

        Parameters
        ----------
        content : object
        kinds : mapping
            Key -> type.
        needed : tuple of str
        row : int, optional
            Where it is one of a list.
        of : str
            Name of the table, for problems.
        """
        if not isinstance(content, dict):
            self.add("this is no table.", of, row, "a table")
            return {}
        made: dict[str, Any] = {}
        for key, value in content.items():
            kind = kinds.get(key)
            if kind is None:
                self.add(
                    f'"{key}" is unknown.',
                    of or key,
                    row,
                    "one of " + ", ".join(kinds),
                    NearestNames(kinds).hint(key),
                )
            elif not _is(value, kind):
                self.add(f"{value!r} is not allowed.", key, row, WORDS[kind])
            elif kind is str and key in needed and not value.strip():
                self.add("it is empty.", key, row, "a text")
            else:
                made[key] = value
        for key in needed:
            if key not in content:
                self.add(f"no {key}.", key, row, WORDS[kinds[key]])
        return made

    def one_of(
        self, values: dict[str, Any], key: str, known: tuple[str, ...], row: int | None = None
    ) -> None:
        """Check that a value is one of those known."""
        if key in values and values[key] not in known:
            expected = "one of " + ", ".join(known)
            self.add(
                f"{values[key]!r} is unknown.", key, row, expected, NearestNames(known).hint(str(values[key]))
            )

    def rows(self, content: Mapping[str, Any], key: str) -> list[tuple[int, Any]]:
        """Return the entries of a list of tables, numbered from 1."""
        listed = content.get(key, [])
        if not isinstance(listed, list):
            self.add("this is no list.", key, None, f"[[{key}]]")
            return []
        return list(enumerate(listed, 1))

    def finish(self) -> None:
        """Raise what was found.

        Raises
        ------
        InputError
        """
        if self.problems:
            raise InputError(self.problems)


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return (
            not isinstance(value, bool)
            and isinstance(value, int | float)
            and math.isfinite(value)
            and value >= 0
        )
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind is date:
        return type(value) is date
    return isinstance(value, kind)
