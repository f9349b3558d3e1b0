"""Reads forms from TOML, every problem of a file told at once; finds shipped ones and those of a folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import tomllib
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from changtong.errors import InputError, NotFoundError, Problem
from changtong.network.findings import NearestNames
from changtong.safety.form import (
    EVIDENCE,
    GRADES,
    KINDS,
    PROVENANCES,
    REQUIRED,
    ROWS_ASK,
    YES_NO,
    Condition,
    Form,
    Item,
    Option,
    Section,
    Suggested,
)
from changtong.safety.rules_file import hazard_kinds, red_line_ids

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,31}")
MOST_ITEMS = 500
MOST_PHOTOS = 40

FORM_KEYS = {
    "id": str, "version": str, "title_zh": str, "title_en": str, "notes_zh": str, "notes_en": str,
    "provenance": str, "source": str, "rows_ask": list, "most_photos": int, "sections": list, "items": list,
}  # fmt: skip
NEEDED = ("id", "version", "title_zh", "title_en", "provenance", "source", "items")
ITEM_KEYS = {
    "id": str, "number": str, "section": str, "kind": str, "zh": str, "en": str, "help_zh": str,
    "help_en": str, "required": str, "when": dict, "evidence": str, "bad": list, "below": float,
    "above": float, "least": float, "most": float, "unit": str, "options": list, "finding": dict,
    "basis": str, "personal": bool, "provenance": str, "source": str,
}  # fmt: skip
ITEM_NEEDED = ("id", "kind", "zh", "en")
WORDS = {
    str: "a text",
    list: "a list",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    bool: "true or false",
}


def read_form(path: str | os.PathLike[str]) -> Form:
    """Read a form.

    Parameters
    ----------
    path : path
        TOML, as in ``docs/safety.md``.

    Raises
    ------
    InputError
        ``bad-form``, with every problem of the file.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([_wrong(place.name, f"the form cannot be read ({error}).")]) from error
    return form_of_text(text, place.name)


def form_of_text(text: str, file: str) -> Form:
    """Make a form of the text of a file.

    Parameters
    ----------
    text : str
    file : str
        Its name, for problems.

    Raises
    ------
    InputError
        ``bad-form``.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([_wrong(file, f"the form is no TOML ({error}).")]) from error
    reader = _Reader(file)
    made = reader.form(content)
    if reader.problems or made is None:
        raise InputError(reader.problems)
    return made


@cache
def shipped_forms() -> tuple[Form, ...]:
    """Return the forms of the package, by id and version."""
    folder = files("changtong.safety").joinpath("forms")
    made = [
        form_of_text(entry.read_text("utf-8"), entry.name)
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return tuple(sorted(made, key=lambda form: (form.id, version_order(form.version))))


def read_forms(folder: str | os.PathLike[str]) -> tuple[Form, ...]:
    """Read all forms of a folder.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        ``bad-form``, with every problem of all files; also where two files say the same id and version.
    """
    problems: list[Problem] = []
    made: dict[tuple[str, str], Form] = {}
    place = Path(folder)
    if not place.is_dir():
        raise InputError([_wrong(place.name, "there is no such folder of forms.")])
    for path in sorted(place.glob("*.toml")):
        try:
            form = read_form(path)
        except InputError as error:
            problems += error.problems
            continue
        if (form.id, form.version) in made:
            problems.append(_wrong(path.name, f"{form.id} {form.version} is there twice.", key="version"))
        made[form.id, form.version] = form
    if problems:
        raise InputError(problems)
    return tuple(made.values())


def find_form(name: str, version: str | None = None, *, more: tuple[Form, ...] = ()) -> Form:
    """Return a form by id, the newest version where none is named.

    Parameters
    ----------
    name : str
    version : str, optional
    more : tuple of Form
        Looked through before the shipped ones.

    Raises
    ------
    NotFoundError
        No such form or version.
    """
    known = {(form.id, form.version): form for form in (*shipped_forms(), *more)}
    fitting = sorted((version_order(v), v) for n, v in known if n == name and version in (None, v))
    if not fitting:
        hint = NearestNames({n for n, _ in known}).hint(name)
        which = f" of version {version}" if version else ""
        listed = ", ".join(sorted({n for n, _ in known}))
        raise NotFoundError(f"No form {name!r}{which}; there is {listed}. {hint}".rstrip())
    return known[name, fitting[-1][1]]


def version_order(version: str) -> tuple[tuple[int, int | str], ...]:
    """Return what versions are sorted by: their numbers as numbers.

    Parameters
    ----------
    version : str
    """
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in parts)


def form_digest(content: dict[str, Any]) -> str:
    """Return a SHA-256 of what a form says: comments and layout do not count.

    Parameters
    ----------
    content : dict
    """
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _wrong(
    file: str,
    message: str,
    row: int | None = None,
    key: str | None = None,
    expected: str = "",
    hint: str = "",
) -> Problem:
    return Problem("bad-form", message, file, row, key, expected=expected, hint=hint)


class _Reader:
    """Gathers the problems of one file; ``row`` counts items from 1."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(
        self, message: str, row: int | None = None, key: str | None = None, expected: str = "", hint: str = ""
    ) -> None:
        self.problems.append(_wrong(self.file, message, row, key, expected, hint))

    def form(self, content: dict[str, Any]) -> Form | None:
        values = self.typed(content, FORM_KEYS, NEEDED, None)
        self.one_of(values, "provenance", PROVENANCES, None)
        for key, pattern in (("id", ID), ("version", VERSION)):
            if key in values and not pattern.fullmatch(values[key]):
                self.add(f"{values[key]!r} is no {key}.", None, key, "letters, digits, hyphens")
        for name in values.get("rows_ask", []):
            if name not in ROWS_ASK:
                self.add(f"{name!r} is unknown.", None, "rows_ask", "one of " + ", ".join(ROWS_ASK))
        photos = values.get("most_photos", MOST_PHOTOS)
        if not 0 <= photos <= MOST_PHOTOS:
            self.add(f"{photos} photos.", None, "most_photos", f"0 … {MOST_PHOTOS}")
        sections = self.sections(values.get("sections", []))
        listed = values.get("items", [])
        if "items" in values and not 1 <= len(listed) <= MOST_ITEMS:
            self.add(f"{len(listed)} items.", None, "items", f"1 … {MOST_ITEMS}")
        items = [
            self.item(entry, row, values, {s.id for s in sections}) for row, entry in enumerate(listed, 1)
        ]
        made = [item for item in items if item is not None]
        self.across(listed)
        if self.problems:
            return None
        return Form(
            id=values["id"],
            version=values["version"],
            title_zh=values["title_zh"],
            title_en=values["title_en"],
            notes_zh=values.get("notes_zh", ""),
            notes_en=values.get("notes_en", ""),
            provenance=values["provenance"],
            source=values["source"],
            rows_ask=tuple(values.get("rows_ask", [])),
            most_photos=photos,
            sections=tuple(sections),
            items=tuple(made),
            digest=form_digest(content),
        )

    def typed(
        self, content: Any, kinds: dict[str, type], needed: tuple[str, ...], row: int | None
    ) -> dict[str, Any]:
        """Return the values that have their type; the others are problems."""
        if not isinstance(content, dict):
            self.add("this is no table.", row, None, "a table")
            return {}
        values: dict[str, Any] = {}
        for key, value in content.items():
            kind = kinds.get(key)
            if kind is None:
                self.add(
                    f'"{key}" is unknown.',
                    row,
                    key,
                    "one of " + ", ".join(kinds),
                    NearestNames(kinds).hint(key),
                )
            elif not _is(value, kind):
                self.add(f"{value!r} is not allowed.", row, key, WORDS[kind])
            elif key in needed and kind is str and not value.strip():
                self.add("it is empty.", row, key, "a text")
            else:
                values[key] = value
        for key in needed:
            if key not in content:
                self.add(f"no {key}.", row, key, WORDS[kinds[key]])
        return values

    def one_of(self, values: dict[str, Any], key: str, known: tuple[str, ...], row: int | None) -> None:
        if key in values and values[key] not in known:
            expected = "one of " + ", ".join(known)
            self.add(
                f"{values[key]!r} is unknown.", row, key, expected, NearestNames(known).hint(values[key])
            )

    def sections(self, listed: list[Any]) -> list[Section]:
        made = []
        for entry in listed:
            values = self.typed(entry, {"id": str, "zh": str, "en": str}, ("id", "zh", "en"), None)
            if len(values) == 3:
                made.append(Section(**values))
        return made

    def item(self, entry: Any, row: int, form: dict[str, Any], sections: set[str]) -> Item | None:
        before = len(self.problems)
        values = self.typed(entry, ITEM_KEYS, ITEM_NEEDED, row)
        if "id" in values and not ID.fullmatch(values["id"]):
            self.add(f"{values['id']!r} is no id.", row, "id", "small letters, digits, hyphens")
        for key, known in (
            ("kind", KINDS),
            ("required", REQUIRED),
            ("evidence", EVIDENCE),
            ("provenance", PROVENANCES),
        ):
            self.one_of(values, key, known, row)
        section = values.get("section", "")
        if section and section not in sections:
            self.add(
                f"no section {section!r}.",
                row,
                "section",
                "one of " + ", ".join(sections),
                NearestNames(sections).hint(section),
            )
        options = self.options(values, row)
        self.badness(values, options, row)
        finding = self.finding(values, row)
        when = self.condition(values, row)
        if len(self.problems) > before:
            return None
        plain = (
            "id",
            "kind",
            "zh",
            "en",
            "help_zh",
            "help_en",
            "evidence",
            "unit",
            "basis",
            "personal",
            "below",
            "above",
            "least",
            "most",
        )
        return Item(
            **{key: values[key] for key in plain if key in values},
            number=values.get("number", ""),
            section=section,
            required=values.get("required", "always") == "always",
            when=when,
            bad=tuple(str(word) for word in values.get("bad", [])),
            options=options,
            finding=finding,
            provenance=values.get("provenance", form.get("provenance", "")),
            source=values.get("source", form.get("source", "")),
        )

    def options(self, values: dict[str, Any], row: int) -> tuple[Option, ...]:
        listed = values.get("options", [])
        if (values.get("kind") == "choice") != bool(listed):
            self.add("options belong to items of kind choice, and these need some.", row, "options")
        made = []
        for entry in listed:
            found = self.typed(entry, {"code": str, "zh": str, "en": str}, ("code", "zh", "en"), row)
            if len(found) == 3:
                made.append(Option(**found))
        twice = [code for code, count in Counter(o.code for o in made).items() if count > 1]
        if twice:
            self.add(f"{twice[0]!r} is there twice.", row, "options")
        return tuple(made)

    def badness(self, values: dict[str, Any], options: tuple[Option, ...], row: int) -> None:
        kind = values.get("kind")
        bounds = [key for key in ("below", "above", "least", "most") if key in values]
        if bounds and kind != "number":
            self.add("limits belong to numbers.", row, bounds[0])
        for low, high in (("least", "most"), ("below", "above")):
            if low in values and high in values and values[low] > values[high]:
                self.add(f"{values[low]:g} is above {values[high]:g}.", row, low)
        known = {"tick": ("true", "false"), "yes_no": YES_NO, "choice": tuple(o.code for o in options)}.get(
            str(kind)
        )
        for word in values.get("bad", []):
            if known is None or str(word) not in known:
                expected = "one of " + ", ".join(known) if known else "none for this kind"
                self.add(f"{word!r} cannot be answered.", row, "bad", expected)
        has_bad = bool(values.get("bad")) or "below" in values or "above" in values
        if has_bad != ("finding" in values):
            self.add("what is bad and what it means (finding) belong together.", row, "finding")

    def finding(self, values: dict[str, Any], row: int) -> Suggested | None:
        if "finding" not in values:
            return None
        found = self.typed(
            values["finding"], {"kind": str, "grade": str, "red_line": str}, ("kind", "grade"), row
        )
        self.one_of(found, "kind", tuple(hazard_kinds()), row)
        self.one_of(found, "grade", GRADES, row)
        line = found.get("red_line", "")
        if line and line not in red_line_ids():
            self.add(f"no red line {line!r}.", row, "red_line", "one of " + ", ".join(red_line_ids()))
        if line and found.get("grade") != "major":
            self.add("a red line is a major hazard.", row, "grade", "major")
        return Suggested(**found) if {"kind", "grade"} <= set(found) else None

    def condition(self, values: dict[str, Any], row: int) -> Condition | None:
        if "when" not in values:
            return None
        found = self.typed(values["when"], {"item": str, "among": list}, ("item", "among"), row)
        if len(found) < 2:
            return None
        return Condition(found["item"], tuple(str(word) for word in found["among"]))

    def across(self, listed: list[Any]) -> None:
        """Check ids and that items depend on earlier ones only: so no circle can be."""
        seen: set[Any] = set()
        for row, entry in enumerate(listed, 1):
            if not isinstance(entry, dict):
                continue
            name, when = entry.get("id"), entry.get("when")
            if isinstance(name, str) and name in seen:
                self.add(f"{name!r} is there twice.", row, "id")
            other = when.get("item") if isinstance(when, dict) else None
            if isinstance(other, str) and other not in seen:
                self.add(f"{other!r} does not stand before it.", row, "when", "an item further up")
            seen.add(name if isinstance(name, str) else None)


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
