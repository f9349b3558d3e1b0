"""An independent scorer: plain Python with fractions, one subject after the other; slow, no code shared."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import polars as pl

from changtong.assessment.scorecard import Scorecard

MILLIONTH = Fraction(1, 1_000_000)
STAGES = ["self_report", "review", "appeal", "final"]


def near(value: Fraction, step: Fraction = MILLIONTH) -> Fraction:
    """Round to a step, halves away from zero."""
    size = floor(abs(value) / step + Fraction(1, 2)) * step
    return size if value >= 0 else -size


def exact(value: float | None) -> Fraction | None:
    """Return the decimal number that is meant by a float, to the millionth."""
    return None if value is None else near(Fraction(Decimal(repr(value))))


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows with plain text for ids."""
    return frame.with_columns(pl.col(pl.Enum).cast(pl.String)).to_dicts()


def listed(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


class SlowScorer:
    """Scores a card by following the words of docs/assessment.md."""

    def __init__(self, card: Scorecard) -> None:
        self.card, self.head = card, card.head
        self.subjects = {row["subject_id"]: row for row in rows(card.subjects)}
        self.sections, self.indicators, self.rules = (
            rows(card.sections),
            rows(card.indicators),
            rows(card.rules),
        )
        self.rule = {row["rule_id"]: row for row in self.rules}
        self.facts, self.values, self.marks = rows(card.facts), rows(card.values), rows(card.marks)
        self.departments = rows(card.departments)
        self.weighted = any(row["weight"] is not None for row in self.sections)
        done = {row["department_id"] for row in rows(card.handed_in)}
        self.blind = any(
            row["weight"] > 0 and not row["from_facts"] and row["department_id"] not in done
            for row in self.departments
        )
        self.passing = {row["level"]: row for row in rows(card.pass_through)}
        self._charged: dict[tuple[str, str], Fraction] = {}

    def scores(self) -> dict[str, Fraction]:
        return {name: self.score(name) for name in self.subjects}

    # --- points ---------------------------------------------------------------------------------

    def applies(self, indicator: dict[str, Any], name: str) -> bool:
        levels = listed(indicator["levels"])
        return not levels or self.subjects[name]["level"] in levels

    def indicator_points(self, indicator: dict[str, Any], name: str) -> Fraction:
        if not self.applies(indicator, name):
            return Fraction(0)
        most = exact(indicator["max_points"])
        assert most is not None
        if indicator["scoring"] == "marks":
            if self.blind:
                return Fraction(0)
            allowed = listed(indicator["departments"]) or [row["department_id"] for row in self.departments]
            return self.mean(
                [
                    (mark["department_id"], exact(mark["points"]))
                    for mark in self.marks
                    if mark["subject_id"] == name
                    and mark["indicator_id"] == indicator["indicator_id"]
                    and mark["department_id"] in allowed
                ]
            )
        mine = [
            value
            for value in self.values
            if value["subject_id"] == name and value["indicator_id"] == indicator["indicator_id"]
        ]
        if not mine:
            return most if indicator["if_missing"] == "full" else Fraction(0)
        value = exact(max(mine, key=lambda row: STAGES.index(row["stage"]))["value"])
        assert value is not None
        if indicator["scoring"] == "linear":
            zero, full = exact(indicator["zero_at"]), exact(indicator["full_at"])
            assert zero is not None
            assert full is not None
            share = min(max((value - zero) / (full - zero), Fraction(0)), Fraction(1))
            return near(share * most)
        best = Fraction(0)
        for at, points in self.card.steps[indicator["indicator_id"]]:
            limit, brought = exact(at), exact(points)
            assert limit is not None
            assert brought is not None
            reached = value >= limit if indicator["direction"] == "more" else value <= limit
            best = max(best, brought) if reached else best
        return best

    def mean(self, marks: list[tuple[str, Fraction | None]]) -> Fraction:
        weights = {row["department_id"]: exact(row["weight"]) for row in self.departments}
        total = sum((weights[name] or Fraction(0) for name, _ in marks), Fraction(0))
        if not total:
            return Fraction(0)
        return near(sum(((weights[k] or 0) * (v or 0) for k, v in marks), Fraction(0)) / total)

    # --- findings -------------------------------------------------------------------------------

    def hits(self, name: str, effect: str) -> list[tuple[dict[str, Any], Fraction]]:
        """Return the hits that count: of one finding the largest, at a tie the first rule of the card."""
        found: dict[str, tuple[dict[str, Any], Fraction]] = {}
        order = [row["rule_id"] for row in self.rules]
        mine = [row for row in self.facts if row["subject_id"] == name and row["state"] != "withdrawn"]
        for fact in sorted(mine, key=lambda row: order.index(row["rule_id"])):
            rule = self.rule[fact["rule_id"]]
            if rule["effect"] != effect:
                continue
            points = (exact(rule["points"]) or Fraction(0)) * (fact["count"] if rule["per_count"] else 1)
            if fact["fact_id"] not in found or points > found[fact["fact_id"]][1]:
                found[fact["fact_id"]] = (rule, points)
        return list(found.values())

    def of_section(self, name: str, section: dict[str, Any], effect: str) -> Fraction:
        total = Fraction(0)
        hits = self.hits(name, effect)
        for rule in self.rules:
            if rule["section_id"] == section["section_id"]:
                amount = sum((p for r, p in hits if r["rule_id"] == rule["rule_id"]), Fraction(0))
                cap = exact(rule["max_points"])
                total += amount if cap is None else min(amount, cap)
        cap = exact(section["max_deduction" if effect == "deduct" else "max_bonus"])
        return total if cap is None else min(total, cap)

    def taken(self, name: str, effect: str) -> Fraction:
        return sum(
            (self.passed(one, effect) for one, row in self.subjects.items() if row["parent_id"] == name),
            Fraction(0),
        )

    def own(self, name: str, effect: str) -> Fraction:
        return sum((self.of_section(name, section, effect) for section in self.sections), Fraction(0))

    def passed(self, name: str, effect: str) -> Fraction:
        rule = self.passing.get(self.subjects[name]["level"])
        if rule is None:
            return Fraction(0)
        share = exact(rule["deductions_permille" if effect == "deduct" else "bonus_permille"])
        amount = self.own(name, effect)
        if self.head.pass_through_of == "charged":
            amount += self.taken(name, effect)
        return near(self.capped(amount, effect) * (share or 0) / 1000)

    def capped(self, amount: Fraction, effect: str) -> Fraction:
        cap = exact(self.head.max_deduction if effect == "deduct" else self.head.max_bonus)
        return amount if cap is None else min(amount, cap)

    # --- the score ------------------------------------------------------------------------------

    def score(self, name: str) -> Fraction:
        base = exact(self.head.base) or Fraction(0)
        less, more = self.taken(name, "deduct"), self.taken(name, "bonus")
        if self.weighted:
            plain = base + self.weighted_mean(name) - less + more
        else:
            plain = base
            for section in self.sections:
                plain += exact(section["start_points"]) or Fraction(0)
            plain += sum((self.indicator_points(one, name) for one in self.indicators), Fraction(0))
            plain -= self.capped(self.own(name, "deduct") + less, "deduct")
            plain += self.capped(self.own(name, "bonus") + more, "bonus")
        low, high = exact(self.head.least_points), exact(self.head.most_points)
        plain = plain if low is None else max(plain, low)
        plain = plain if high is None else min(plain, high)
        score = near(self.with_whole_marks(name, plain), Fraction(1, 10**self.head.decimals))
        for fact in self.facts:
            rule = self.rule[fact["rule_id"]]
            stands = fact["subject_id"] == name and fact["state"] != "withdrawn"
            if stands and rule["effect"] == "veto" and rule["score_at_most"] is not None:
                score = min(score, exact(rule["score_at_most"]) or Fraction(0))
        return score

    def weighted_mean(self, name: str) -> Fraction:
        total = weights = Fraction(0)
        for section in self.sections:
            start = exact(section["start_points"]) or Fraction(0)
            inside = [one for one in self.indicators if one["section_id"] == section["section_id"]]
            full = exact(section["full_points"])
            if full is None:
                full = start
                for one in inside:
                    hidden = one["scoring"] == "marks" and self.blind
                    full += (exact(one["max_points"]) or 0) if self.applies(one, name) and not hidden else 0
            if not full:
                continue
            got = start + sum((self.indicator_points(one, name) for one in inside), Fraction(0))
            got += self.of_section(name, section, "bonus") - self.of_section(name, section, "deduct")
            weight = exact(section["weight"]) or Fraction(0)
            total += weight * near(min(max(got, Fraction(0)), full) / full * 100)
            weights += weight
        return near(total / weights) if weights else Fraction(0)

    def with_whole_marks(self, name: str, plain: Fraction) -> Fraction:
        mine = [
            (mark["department_id"], exact(mark["points"]))
            for mark in self.marks
            if mark["subject_id"] == name and mark["indicator_id"] is None
        ]
        if not mine or self.blind:
            return plain
        own = [(row["department_id"], plain) for row in self.departments if row["from_facts"]]
        weights = {row["department_id"]: row["weight"] for row in self.departments}
        return self.mean([*mine, *own]) if any(weights[one] for one, _ in [*mine, *own]) else plain
