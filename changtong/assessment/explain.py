"""Why a score is what it is: one line for each number, with its evidence; the lines add up to the score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from changtong.assessment.counted_card import CountedCard
from changtong.assessment.counted_facts import BONUS, DEDUCT, VETO, WHY
from changtong.assessment.exact import Units, rounded, say_points, to_points
from changtong.assessment.scoring import section_percent


@dataclass(frozen=True, slots=True)
class Line:
    """One number of a score.

    Attributes
    ----------
    kind : str
        base, start, indicator, deduct, bonus, rule_cap, section_cap, taken_deduction, taken_bonus, whole_cap,
        percent, section, limit, whole_marks, rounding, veto.
    section_id, ref, child : str or None
        The section; the rule or indicator; who below it comes from.
    units : int
        Millionths of a point, with sign, in the scale of the section or of the score.
    in_score : bool
        Whether the line is a term of the score: these add up to it. With weighted sections those of a section
        add up to its points, and the line ``section`` is the term.
    why : str
        counts, smaller, withdrawn, missing, waiting or empty.
    fact_id, evidence, text : str or None
        What is behind it.
    stage : str or None
        Of a value that is not final.
    marks : tuple of (department, points)
        Behind a number that departments marked.
    """

    kind: str
    units: int
    section_id: str | None = None
    ref: str | None = None
    in_score: bool = True
    why: str = ""
    fact_id: str | None = None
    evidence: str | None = None
    text: str | None = None
    child: str | None = None
    stage: str | None = None
    marks: tuple[tuple[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the line as plain values."""
        names = (
            "kind",
            "section_id",
            "ref",
            "in_score",
            "why",
            "fact_id",
            "evidence",
            "text",
            "child",
            "stage",
        )
        values: dict[str, Any] = {"points": float(to_points(self.units)), "marks": dict(self.marks)}
        return values | {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        what = " ".join(part for part in (self.kind, self.section_id, self.ref, self.child) if part)
        proof = "" if self.evidence is None else f"  [{self.evidence}]"
        return f"{say_points(self.units):>12}  {what}{f' ({self.why})' if self.why else ''}{proof}"


def explain_row(result: CountedCard, row: int) -> tuple[Line, ...]:
    """Return the lines of one subject.

    Parameters
    ----------
    result : CountedCard
    row : int
        Of the subjects.
    """
    parts, numbers = result.parts, result.numbers
    weighted = numbers.weights is not None
    lines = [Line("base", numbers.base)] if numbers.base else []
    sections = result.card.sections["section_id"].cast(pl.String).to_list()
    facts = _facts_of(result, row)
    for number, section in enumerate(sections):
        inside = _section_lines(result, row, facts, number, section)
        lines += [_outside(line) for line in inside] if weighted else inside
        if weighted:
            lines += _weighted_line(result, row, number, section)
    lines += _taken_lines(result, row)
    if not weighted:
        for kind, column, sign in (("whole_cap", 0, 1), ("whole_cap", 1, -1)):
            own = (parts.deducted, parts.bonus)[column][row].sum() + parts.taken[row, column]
            lines += _correction(kind, sign * int(own - parts.charged[row, column]))
    so_far = sum(line.units for line in lines if line.in_score)
    plain, joined, score = int(parts.plain[row]), int(parts.joined[row]), int(parts.score[row])
    lines += _correction(
        "section_rounding" if weighted and abs(plain - so_far) <= len(sections) else "limit", plain - so_far
    )
    if joined != plain:
        marks, evidence = _marks_of(result, row, None)
        lines.append(Line("whole_marks", joined - plain, evidence=evidence, marks=marks))
    near = int(rounded(np.array([joined]), result.card.head.decimals)[0])
    lines += _correction("rounding", near - joined)
    lines += _veto_lines(result, row, score - near)
    return tuple(lines)


def _outside(line: Line) -> Line:
    """Return a line of a weighted section, which is no term of the score itself."""
    return replace(line, in_score=False)


def _correction(kind: str, units: int, section: str | None = None, ref: str | None = None) -> list[Line]:
    return [Line(kind, units, section, ref)] if units else []


def _section_lines(
    result: CountedCard, row: int, facts: list[dict[str, Any]], number: int, section: str
) -> list[Line]:
    parts, numbers = result.parts, result.numbers
    start = int(numbers.start[number])
    lines = [Line("start", start, section)] if start else []
    lines += _indicator_lines(result, row, number, section)
    for effect, sign in ((DEDUCT, -1), (BONUS, 1)):
        lines += _fact_lines(result, facts, number, section, effect)
        raw = int(parts.raw[effect][row, number])
        over = raw - int((parts.deducted, parts.bonus)[effect][row, number])
        lines += _correction("section_cap", -sign * over, section)
    return lines


def _indicator_lines(result: CountedCard, row: int, number: int, section: str) -> list[Line]:
    got, card = result.points, result.card
    lines = []
    for column in np.flatnonzero(result.numbers.indicator_section == number).tolist():
        if not got.applies[row, column]:
            continue
        why = "missing" if got.missing[row, column] else "waiting" if got.waiting[column] else ""
        ref = str(card.indicators["indicator_id"][column])
        evidence, text, stage = None, None, None
        marks: tuple[tuple[str, float], ...] = ()
        at = int(got.rows[row, column])
        if at >= 0:
            value = card.values.row(at, named=True)
            proof = (value["evidence"], value["source"])
            evidence = "; ".join(part for part in proof if part) or None
            text = f"{value['value']:.10g} {card.indicators['unit'][column] or ''}".strip()
            stage = None if value["stage"] == "final" else value["stage"]
        elif card.indicators["scoring"][column] == "marks" and not got.waiting[column]:
            marks, evidence = _marks_of(result, row, column)
        units = int(got.points[row, column])
        line = Line("indicator", units, section, ref, why=why, evidence=evidence, text=text)
        lines.append(replace(line, stage=stage, marks=marks))
    return lines


def _marks_of(
    result: CountedCard, row: int, column: int | None
) -> tuple[tuple[tuple[str, float], ...], str | None]:
    """Return the departments' marks of one indicator, or of the whole, and their evidence."""
    at = pl.col("indicator_id")
    of_it = at.is_null() if column is None else at.to_physical() == column
    marks = result.card.marks.filter((pl.col("subject_id").to_physical() == row) & of_it)
    marks = marks.sort(pl.col("department_id").to_physical())
    given = tuple((str(one["department_id"]), one["points"]) for one in marks.iter_rows(named=True))
    proof = [one["evidence"] for one in marks.iter_rows(named=True) if one["evidence"]]
    return given, "; ".join(proof) or None


def _facts_of(result: CountedCard, row: int) -> list[dict[str, Any]]:
    """Return the hits of a subject by date, each with its row."""
    rows = result.hits_of(row)
    facts = result.card.facts[rows.tolist()].with_columns(at=pl.Series(rows, dtype=pl.Int64))
    found: list[dict[str, Any]] = facts.sort("date", "fact_id", "at").to_dicts()
    return found


def _fact_lines(
    result: CountedCard, facts: list[dict[str, Any]], number: int, section: str, effect: int
) -> list[Line]:
    hits, numbers = result.hits, result.numbers
    sign = -1 if effect == DEDUCT else 1
    by_rule: dict[int, list[dict[str, Any]]] = {}
    for fact in facts:
        rule = int(hits.rule[fact["at"]])
        if hits.effect[fact["at"]] == effect and numbers.rule_section[rule] == number:
            by_rule.setdefault(rule, []).append(fact)
    lines: list[Line] = []
    for rule in sorted(by_rule):
        ref, total = str(by_rule[rule][0]["rule_id"]), 0
        for fact in by_rule[rule]:
            why = WHY[int(hits.why[fact["at"]])]
            units = int(hits.points[fact["at"]]) if why == "counts" else 0
            total += units
            lines.append(_fact_line("deduct" if sign < 0 else "bonus", sign * units, section, ref, why, fact))
        over = total - min(total, int(numbers.rule_max[rule]))
        lines += _correction("rule_cap", -sign * over, section, ref)
    return lines


def _fact_line(kind: str, units: int, section: str | None, ref: str, why: str, fact: dict[str, Any]) -> Line:
    said = " ".join(part for part in (fact["date"], fact["text"]) if part)
    if fact["count"] > 1:
        said += f" ×{fact['count']}"
    return Line(
        kind, units, section, ref, why=why, fact_id=fact["fact_id"], evidence=fact["evidence"], text=said
    )


def _weighted_line(result: CountedCard, row: int, number: int, section: str) -> list[Line]:
    """Return the section's share of the weighted mean, where it has full points."""
    parts, weights = result.parts, result.numbers.weights
    assert weights is not None
    used = weights * (parts.full[row] > 0)
    if not used[number]:
        return []
    percent = percent_of(result, row)[number]
    share = round(int(percent) * int(used[number]) / int(used.sum()))
    text = f"{say_points(int(percent), 2)} % × {int(used[number])}/{int(used.sum())}"
    return [Line("section", share, section, text=text)]


def percent_of(result: CountedCard, row: int) -> Units:
    """Return the sections of a subject in per cent of their full points.

    Parameters
    ----------
    result : CountedCard
    row : int
    """
    parts, start = result.parts, result.numbers.start
    return section_percent(start, parts.earned[row], parts.deducted[row], parts.bonus[row], parts.full[row])


def _taken_lines(result: CountedCard, row: int) -> list[Line]:
    """Return what came up from each below."""
    below = result.children_of(row)
    names = result.card.subjects["subject_id"]
    lines = []
    for kind, column, sign in (("taken_deduction", 0, -1), ("taken_bonus", 1, 1)):
        for child in below[result.parts.passed[below, column] != 0].tolist():
            units = sign * int(result.parts.passed[child, column])
            lines.append(Line(kind, units, child=str(names[child])))
    return lines


def _veto_lines(result: CountedCard, row: int, units: int) -> list[Line]:
    """Return the vetoes: what they leave of the score stands at the first of those that bind most."""
    hits, card = result.hits, result.card
    rows = result.hits_of(row)
    rows = rows[hits.effect[rows] == VETO]
    left = card.rules["score_at_most"].fill_null(float("inf")).to_numpy()
    rows = rows[np.argsort(left[hits.rule[rows]] + (hits.why[rows] != 0) * 1e12, kind="stable")]
    lines = []
    for place, at in enumerate(rows.tolist()):
        rule = int(hits.rule[at])
        why = WHY[int(hits.why[at])]
        fact = card.facts.row(at, named=True)
        section, ref = str(card.rules["section_id"][rule]), str(card.rules["rule_id"][rule])
        lines.append(_fact_line("veto", units if place == 0 else 0, section, ref, why, fact))
    return lines
