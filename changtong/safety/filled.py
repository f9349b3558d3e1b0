"""Checks a filled form: what is wrong or missing in it, and what it finds.

A filled form is an object as ``docs/safety.md`` tells and `form_schema` describes. Problems of severity
``error`` say that an answer cannot be meant; ``warning`` that something is missing, as in an unfinished one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from changtong.errors import Problem
from changtong.network.findings import NearestNames
from changtong.safety.form import YES_NO, Form, Item, Suggested, is_asked, is_bad, said

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
WAYBILL = re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{4,38}[0-9A-Za-z]")
MOST_TEXT = 4000
MOST_INSPECTORS = 12

FINDING_SCHEMA: dict[str, pl.DataType] = {
    "finding_id": pl.String(),
    "inspection_id": pl.String(),
    "site_id": pl.String(),
    "form_id": pl.String(),
    "form_version": pl.String(),
    "item_id": pl.String(),
    "hazard_kind": pl.String(),
    "grade": pl.String(),
    "red_line": pl.String(),
    "answer": pl.String(),
    "note": pl.String(),
    "needs_rectification": pl.Boolean(),
    "basis": pl.String(),
    "found_on": pl.Date(),
}
"""One row a bad answer; ``finding_id`` is ``inspection_id/item_id``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A bad answer and what it suggests; columns as in `FINDING_SCHEMA`."""

    inspection_id: str
    site_id: str
    form_id: str
    form_version: str
    item_id: str
    hazard_kind: str
    grade: str
    red_line: str
    answer: str
    note: str
    needs_rectification: bool
    basis: str
    found_on: Any

    @property
    def finding_id(self) -> str:
        """The inspection and the item."""
        return f"{self.inspection_id}/{self.item_id}"

    def row(self) -> dict[str, Any]:
        """Return it as a row of the table of findings."""
        return {name: getattr(self, name) for name in FINDING_SCHEMA}


@dataclass(frozen=True)
class FilledCheck:
    """What a filled form says.

    Attributes
    ----------
    problems : tuple of Problem
        Errors first.
    findings : tuple of Finding
        In the order of the form.
    asked, answered : int
        Items that are asked, and those of them that have an answer.
    """

    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    asked: int
    answered: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Answers that cannot be meant."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def complete(self) -> bool:
        """Nothing is wrong and nothing is missing."""
        return not self.problems

    def table(self) -> pl.DataFrame:
        """Return the findings as a frame of `FINDING_SCHEMA`."""
        return pl.DataFrame([finding.row() for finding in self.findings], FINDING_SCHEMA)

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "complete": self.complete,
            "asked": self.asked,
            "answered": self.answered,
            "problems": [problem.to_dict() for problem in self.problems],
            "findings": [finding.row() | {"found_on": str(finding.found_on)} for finding in self.findings],
        }

    def __str__(self) -> str:
        lines = [f"{self.answered} of {self.asked} items answered, {len(self.findings)} findings"]
        lines += [
            f"  {f.grade:<8} {f.hazard_kind:<12} {f.item_id}: {f.note or f.answer}" for f in self.findings
        ]
        lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(lines)


def check_filled(form: Form, filled: Mapping[str, Any]) -> FilledCheck:
    """Check a filled form against the form it names.

    Parameters
    ----------
    form : Form
    filled : mapping
        With ``inspection_id``, ``site_id``, ``answers`` and what else ``docs/safety.md`` names.

    Examples
    --------
    >>> from changtong.safety.form_file import find_form
    >>> made = check_filled(find_form("fire"), {"site_id": "S1", "answers": {"exits": {"value": "no"}}})
    >>> [(finding.hazard_kind, finding.grade) for finding in made.findings]
    [('fire', 'general')]
    """
    checker = _Checker(form, filled)
    return checker.check()


class _Checker:
    def __init__(self, form: Form, filled: Mapping[str, Any]) -> None:
        self.form, self.filled = form, filled
        self.inspection = str(filled.get("inspection_id", ""))
        self.answers: Mapping[str, Any] = _mapping(filled.get("answers"))
        self.photos: Mapping[str, Any] = _mapping(filled.get("photos"))
        self.problems: list[Problem] = []

    def add(
        self,
        code: str,
        message: str,
        item: str | None,
        expected: str = "",
        hint: str = "",
        severity: str = "error",
    ) -> None:
        self.problems.append(
            Problem(code, message, self.inspection or None, None, item, expected, hint, severity)
        )

    def check(self) -> FilledCheck:
        self.check_head()
        for name in self.answers:
            if self.form.item(name) is None:
                known = [item.id for item in self.form.items]
                self.add(
                    "unknown-item",
                    f"the form has no item {name!r}.",
                    name,
                    "",
                    NearestNames(known).hint(name),
                )
        findings: list[Finding] = []
        asked = answered = 0
        for item in self.form.items:
            if not is_asked(self.form, item, self.answers):
                continue
            asked += 1
            answer = _mapping(self.answers.get(item.id))
            given, right = self.check_answer(item, answer)
            answered += given
            suggested = item.finding
            if given and right and suggested is not None and is_bad(item, answer.get("value")):
                self.check_evidence(item, answer)
                findings.append(self.finding(item, suggested, answer))
        if len(self.photos) > self.form.most_photos:
            self.add(
                "too-many-photos", f"{len(self.photos)} photos.", None, f"at most {self.form.most_photos}"
            )
        order = sorted(self.problems, key=lambda problem: problem.severity != "error")
        return FilledCheck(tuple(order), tuple(findings), asked, answered)

    def check_head(self) -> None:
        if not str(self.filled.get("site_id") or "").strip():
            self.add("answer-missing", "no site is named.", "site_id", severity="warning")
        if not self.filled.get("inspectors"):
            self.add("answer-missing", "no inspector is named.", "inspectors", severity="warning")
        if not self.filled.get("finished"):
            self.add(
                "answer-missing", "the inspection is not marked as finished.", "finished", severity="warning"
            )

    def check_answer(self, item: Item, answer: Mapping[str, Any]) -> tuple[bool, bool]:
        """Return whether there is an answer, and whether it can be meant."""
        for name in _texts(answer.get("photos")):
            if name not in self.photos:
                self.add("photo-missing", f"photo {name!r} is not in the file.", item.id)
        if item.kind in ("photo", "signature"):
            given = bool(_texts(answer.get("photos")))
            right = True
        else:
            value = answer.get("value")
            given = value is not None and value != ""
            wrong = self.what_is_wrong(item, value) if given else ""
            if wrong:
                self.add("bad-answer", f"{_short(value, item)} is no answer.", item.id, wrong)
            right = not wrong
        if not given and item.required:
            self.add("answer-missing", f"no answer: {item.zh} ({item.en}).", item.id, severity="warning")
        if item.evidence == "photo_always" and not _texts(answer.get("photos")):
            self.add("evidence-missing", "a photo is needed.", item.id, severity="warning")
        return given, right

    def what_is_wrong(self, item: Item, value: Any) -> str:
        """Return what would have been right, an empty text where the value is."""
        if item.kind == "tick":
            return "" if isinstance(value, bool) else "true or false"
        if item.kind == "yes_no":
            return "" if value in YES_NO else "one of " + ", ".join(YES_NO)
        if item.kind == "choice":
            codes = [option.code for option in item.options]
            return "" if value in codes else "one of " + ", ".join(codes)
        if item.kind == "number":
            low = -math.inf if item.least is None else item.least
            high = math.inf if item.most is None else item.most
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            return "" if number and low <= value <= high else f"a number, {low:g} … {high:g}"
        if not isinstance(value, str) or len(value) > MOST_TEXT:
            return f"a text of at most {MOST_TEXT:,} characters"
        if item.kind == "waybill" and not WAYBILL.fullmatch(value.strip()):
            return "a waybill number: 6 to 40 letters and digits"
        return ""

    def check_evidence(self, item: Item, answer: Mapping[str, Any]) -> None:
        if item.evidence == "photo_when_bad" and not _texts(answer.get("photos")):
            self.add("evidence-missing", "a photo of what was found is needed.", item.id, severity="warning")
        if item.evidence == "note_when_bad" and not str(answer.get("note") or "").strip():
            self.add("evidence-missing", "a note on what was found is needed.", item.id, severity="warning")

    def finding(self, item: Item, suggested: Suggested, answer: Mapping[str, Any]) -> Finding:
        return Finding(
            inspection_id=self.inspection,
            site_id=str(self.filled.get("site_id") or ""),
            form_id=self.form.id,
            form_version=self.form.version,
            item_id=item.id,
            hazard_kind=suggested.kind,
            grade=suggested.grade,
            red_line=suggested.red_line,
            answer=said(answer.get("value")),
            note=str(answer.get("note") or ""),
            # asked only by some forms; where it is not said, a finding is to be mended
            needs_rectification=answer.get("rectify") is not False,
            basis=item.basis,
            found_on=_day(self.filled.get("begun_at")),
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _short(value: Any, item: Item) -> str:
    """Return a value for a message; personal data is not repeated."""
    text = "the value" if item.personal else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _day(text: Any) -> Any:
    try:
        return datetime.fromisoformat(str(text)).date()
    except ValueError:
        return None
