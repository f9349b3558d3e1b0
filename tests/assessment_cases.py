"""Scorecards for tests: small ones by hand, and random ones that use everything a card can say."""

from __future__ import annotations

import random
from typing import Any

import polars as pl

from changtong.assessment.card_folder import build_scorecard
from changtong.assessment.scorecard import CardHead, Scorecard

HEAD: dict[str, Any] = {
    "card_id": "test",
    "name_zh": "测试卡",
    "name_en": "Test card",
    "version": "1",
    "year": 2025,
    "provenance": "synthetic",
    "source": "made up for a test",
}
SECTION = {"section_id": "s", "name_zh": "部分"}


def head(**more: Any) -> CardHead:
    """Return the head of a card."""
    return CardHead(**HEAD | more)


def frames(**tables: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    """Return rows as frames; columns that some rows lack are empty there."""
    return {
        name: pl.DataFrame(rows, infer_schema_length=None, strict=False) if rows else pl.DataFrame()
        for name, rows in tables.items()
        if rows
    }


def card(about: CardHead | None = None, **tables: list[dict[str, Any]]) -> Scorecard:
    """Build a card of rows."""
    return build_scorecard(about or head(), frames(**tables))


def deduct(rule_id: str, points: float, **more: Any) -> dict[str, Any]:
    """Return a rule that deducts."""
    return {
        "rule_id": rule_id,
        "section_id": "s",
        "name_zh": rule_id,
        "effect": "deduct",
        "points": points,
    } | more


def fact(fact_id: str, subject_id: str, rule_id: str, **more: Any) -> dict[str, Any]:
    """Return a finding."""
    return {"fact_id": fact_id, "subject_id": subject_id, "rule_id": rule_id, "date": "2025-05-01"} | more


def subject(subject_id: str, level: str = "firm", parent_id: str | None = None) -> dict[str, Any]:
    """Return a subject."""
    return {"subject_id": subject_id, "name": f"name of {subject_id}", "level": level, "parent_id": parent_id}


def random_tables(seed: int) -> tuple[CardHead, dict[str, list[dict[str, Any]]]]:
    """Return a random card with its data: three levels, every scoring, caps, vetoes, marks, weights."""
    r = random.Random(seed)

    def number(low: float, high: float, digits: int = 2) -> float:
        return round(r.uniform(low, high), digits)

    levels = ["top", "mid", "low"]
    subjects: list[dict[str, Any]] = []
    for depth, level in enumerate(levels):
        above = [row["subject_id"] for row in subjects if row["level"] == levels[depth - 1]] if depth else []
        for k in range(r.randint(1, 2 + 2 * depth)):
            parent = r.choice([*above, None]) if above else None
            subjects.append(subject(f"{level}{k}", level, parent) | {"peer_group": r.choice([None, "g"])})
    weighted = r.random() < 0.5
    sections = []
    for k in range(r.randint(1, 4)):
        row: dict[str, Any] = {"section_id": f"s{k}", "name_zh": f"部分{k}", "start_points": number(1, 20)}
        row["weight"] = number(0.5, 30, 3) if weighted else None
        row["max_deduction"] = r.choice([None, number(0, 8)])
        row["max_bonus"] = r.choice([None, number(0, 4)])
        row["full_points"] = r.choice([None, number(10, 40)])
        sections.append(row)
    departments = [
        {
            "department_id": f"d{k}",
            "name_zh": f"部门{k}",
            "weight": number(0, 50, 1) + 0.1,
            "from_facts": k == 0,
        }
        for k in range(r.randint(2, 4))
    ]
    marking = [row["department_id"] for row in departments[1:]]
    indicators, values, marks = [], [], []
    for k in range(r.randint(1, 6)):
        scoring = r.choice(["linear", "steps", "marks"])
        more = r.random() < 0.5
        row = {"indicator_id": f"i{k}", "name_zh": f"指标{k}", "section_id": r.choice(sections)["section_id"]}
        row |= {"max_points": number(1, 15), "scoring": scoring, "direction": "more" if more else "less"}
        row |= {"if_missing": r.choice([None, "zero", "full"]), "levels": r.choice([None, "low", "top, mid"])}
        if scoring == "linear":
            zero = number(-5, 5, 3)
            row |= {"zero_at": zero, "full_at": zero + (1 if more else -1) * number(0.1, 9, 3)}
            row["full_at"] = round(row["full_at"], 3)
        if scoring == "steps":
            at = sorted(r.sample(range(-50, 50), 3), reverse=not more)
            points = sorted(r.sample(range(int(row["max_points"] * 100) + 1), 3))
            row["steps"] = "; ".join(f"{a / 10}:{p / 100}" for a, p in zip(at, points, strict=True))
        indicators.append(row)
        for one in subjects:
            if row["levels"] and one["level"] not in row["levels"]:
                continue
            key = {"subject_id": one["subject_id"], "indicator_id": row["indicator_id"]}
            if scoring == "marks":
                for name in marking:
                    if r.random() < 0.8:
                        marks.append({"department_id": name, **key, "points": number(0, row["max_points"])})
            else:
                for stage in r.sample(["self_report", "review", "appeal", "final"], r.randint(0, 3)):
                    values.append(key | {"stage": stage, "value": number(-9, 9, 4)})
    for one in subjects:
        for name in marking:
            if r.random() < 0.2:
                marks.append(
                    {
                        "department_id": name,
                        "subject_id": one["subject_id"],
                        "indicator_id": None,
                        "points": number(0, 90),
                    }
                )
    rules = []
    for k in range(r.randint(2, 7)):
        row = {"rule_id": f"r{k}", "name_zh": f"规则{k}", "section_id": r.choice(sections)["section_id"]}
        row["effect"] = r.choice(["deduct", "deduct", "bonus", "veto"])
        row["points"] = None if row["effect"] == "veto" else number(0, 5, 3)
        row["score_at_most"] = number(0, 60) if row["effect"] == "veto" else None
        row |= {"per_count": r.random() < 0.7, "max_points": r.choice([None, number(0, 6)])}
        rules.append(row)
    facts = random_facts(r, subjects, rules)
    handed = [{"department_id": name} for name in marking if r.random() < 0.85]
    passing = [
        {"level": level, "deductions_permille": number(0, 300, 3), "bonus_permille": number(0, 300, 3)}
        for level in ("mid", "low")
        if any(row["level"] == level for row in subjects)
    ]
    about = head(
        base=number(0, 80),
        least_points=r.choice([None, 0.0]),
        most_points=r.choice([None, 100.0]),
        max_deduction=None if weighted else r.choice([None, number(3, 20)]),
        max_bonus=None if weighted else r.choice([None, number(1, 5)]),
        decimals=r.choice([0, 1, 2, 6]),
        pass_through_of=r.choice(["charged", "own"]),
        missing_marks="others_count",
    )
    return about, {
        "subjects": subjects,
        "sections": sections,
        "indicators": indicators,
        "rules": rules,
        "departments": departments,
        "facts": facts,
        "values": values,
        "marks": marks,
        "handed_in": handed,
        "pass_through": passing,
    }


def random_facts(
    r: random.Random, subjects: list[dict[str, Any]], rules: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return findings that may hit several rules at once, but not both ways."""
    made = []
    for k in range(r.randint(0, 25)):
        one = r.choice(subjects)["subject_id"]
        effects = r.choice([("deduct", "veto"), ("bonus",)])
        fitting = [row for row in rules if row["effect"] in effects]
        for rule in r.sample(fitting, min(len(fitting), r.choice([1, 1, 1, 2, 3]))):
            row = fact(f"f{k}", one, rule["rule_id"], count=r.randint(1, 4))
            made.append(row | {"state": r.choice(["confirmed", "confirmed", "appealed", "withdrawn"])})
    return made
