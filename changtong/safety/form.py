"""Inspection forms as data: what is asked, what a bad answer means, and where each line comes from.

A form is a TOML file, read by :mod:`changtong.safety.form_file`. An answer names the form by id and version,
so that older answers stay readable after a form has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("tick", "yes_no", "number", "choice", "text", "waybill", "photo", "signature")
REQUIRED = ("always", "never")
EVIDENCE = ("none", "photo_when_bad", "photo_always", "note_when_bad")
PROVENANCES = ("official", "example", "synthetic")
GRADES = ("general", "major")
ROWS_ASK = ("rectify", "opinion")
NOT_APPLICABLE = "na"
YES_NO = ("yes", "no", NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Condition:
    """An item is asked when another item's answer is one of these, written as text."""

    item: str
    among: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggested:
    """What a bad answer suggests: a hazard of a kind and grade; ``red_line``: a rule that makes it major."""

    kind: str
    grade: str
    red_line: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers to choose from."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a form.

    Attributes
    ----------
    id, number, section : str
        ``number`` is what is printed before it.
    kind : str
        One of `KINDS`.
    zh, en, help_zh, help_en : str
    required : bool
        Whether an answer must be there, where the item is asked at all.
    when : Condition or None
        None: it is always asked.
    evidence : str
        One of `EVIDENCE`.
    bad : tuple of str
        Answers that are findings, as text; ``true`` and ``false`` for ticks.
    below, above : float or None
        Numbers below or above these are findings.
    least, most : float or None
        Numbers that can be meant.
    unit : str
    options : tuple of Option
    finding : Suggested or None
    basis : str
        The rule it rests on.
    personal : bool
        The answer is personal data: it stays out of tables.
    provenance, source : str
        Of this item; the form's own where the file says nothing else.
    """

    id: str
    number: str
    section: str
    kind: str
    zh: str
    en: str
    help_zh: str = ""
    help_en: str = ""
    required: bool = True
    when: Condition | None = None
    evidence: str = "none"
    bad: tuple[str, ...] = ()
    below: float | None = None
    above: float | None = None
    least: float | None = None
    most: float | None = None
    unit: str = ""
    options: tuple[Option, ...] = ()
    finding: Suggested | None = None
    basis: str = ""
    personal: bool = False
    provenance: str = "synthetic"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of a form."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form with its items.

    Attributes
    ----------
    id, version : str
        Together they name it for ever: a changed form gets another version.
    title_zh, title_en, notes_zh, notes_en : str
    provenance, source : str
    rows_ask : tuple of str
        What is asked beside every item's answer: ``rectify`` (is rectification needed), ``opinion``.
    most_photos : int
        Of one inspection.
    sections : tuple of Section
    items : tuple of Item
    digest : str
        SHA-256 of its content.

    Examples
    --------
    >>> from changtong.safety.form_file import find_form
    >>> find_form("site-daily").items[0].number
    '1'
    """

    id: str
    version: str
    title_zh: str
    title_en: str
    notes_zh: str
    notes_en: str
    provenance: str
    source: str
    rows_ask: tuple[str, ...]
    most_photos: int
    sections: tuple[Section, ...]
    items: tuple[Item, ...]
    digest: str

    def item(self, name: str) -> Item | None:
        """Return an item by its id, or None.

        Parameters
        ----------
        name : str
        """
        return next((item for item in self.items if item.id == name), None)


def said(value: Any) -> str:
    """Return an answer as the text that conditions and bad answers are written in.

    Parameters
    ----------
    value : object
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def is_asked(form: Form, item: Item, answers: Mapping[str, Any]) -> bool:
    """Tell whether an item is asked, given the other answers.

    An item that depends on one that is itself not asked is not asked either.

    Parameters
    ----------
    form : Form
    item : Item
    answers : mapping
        Item id -> answer, an object with ``value``.
    """
    if item.when is None:
        return True
    other = form.item(item.when.item)
    if other is None or not is_asked(form, other, answers):
        return False
    return said(value_of(answers, other.id)) in item.when.among


def value_of(answers: Mapping[str, Any], name: str) -> Any:
    """Return the value answered to an item, None where there is none.

    Parameters
    ----------
    answers : mapping
    name : str
    """
    answer = answers.get(name)
    return answer.get("value") if isinstance(answer, Mapping) else None


def is_bad(item: Item, value: Any) -> bool:
    """Tell whether an answer is a finding.

    Parameters
    ----------
    item : Item
    value : object
    """
    if item.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (item.below is not None and value < item.below) or (
            item.above is not None and value > item.above
        )
    return said(value) in item.bad
