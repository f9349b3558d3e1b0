"""Firms and the relief policies they qualify for, could qualify for with what is missing, or do not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

import polars as pl

from changtong.errors import InputError, Problem
from changtong.network.findings import Findings, NearestNames
from changtong.network.row_files import read_row_file
from changtong.workbook_sheets import label_of
from changtong.workforce.relief_rules import (
    ORDERED,
    Amount,
    Condition,
    Fact,
    Leaf,
    Policies,
    Policy,
    Value,
)

FIRMS = "firms"
"""What the table of firms is called; a sheet of a workbook may have this name."""

STATUSES = ("qualifies", "could", "not", "not_in_force")
MATCH_SCHEMA: dict[str, pl.DataType] = {
    "firm_id": pl.String(), "name": pl.String(), "policy_id": pl.String(), "status": pl.String(),
    "amount_cny": pl.Float64(), "apply_by": pl.Date(), "days_left": pl.Int64(), "missing_zh": pl.String(),
    "missing_en": pl.String(), "provenance": pl.String(),
}  # fmt: skip
NUMBER = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(%?)", re.ASCII)
"""A number as people write it: thousands in threes, a per cent sign."""

WORDS = {
    "true": True,
    "1": True,
    "yes": True,
    "是": True,
    "false": False,
    "0": False,
    "no": False,
    "否": False,
}


@dataclass(frozen=True, slots=True)
class Firm:
    """A firm and what is known of it; a fact that is not known is None, or not there."""

    id: str
    name: str
    facts: Mapping[str, Value | None]


@dataclass(frozen=True)
class ReliefFirms:
    """Firms with the policies they are to be matched with."""

    firms: tuple[Firm, ...]
    policies: Policies

    @property
    def name(self) -> str:
        """What it is called in a study."""
        return f"{len(self.firms)} firms, {len(self.policies.policies)} policies"

    def digest(self) -> str:
        """Return a SHA-256 over firms, facts and policies: equal inputs, equal digest."""
        firms = [(one.id, one.name, sorted(one.facts.items())) for one in self.firms]
        policies = [sorted(self.policies.facts.items()), self.policies.policies]
        return sha256(repr((firms, policies)).encode()).hexdigest()


@dataclass(frozen=True)
class ReliefMatch:
    """Firms matched with policies on a day.

    Attributes
    ----------
    day : date
    rows : polars.DataFrame
        A row a firm and policy (`MATCH_SCHEMA`).
    calendar : polars.DataFrame
        A row a policy, the nearest deadline first: policy_id, title_zh, title_en, apply_by, days_left,
        qualifies, could, amount_cny (of those that qualify, where known), amounts_unknown, provenance,
        source.
    """

    day: date
    rows: pl.DataFrame
    calendar: pl.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        dated = [pl.col(pl.Date).cast(pl.String)]
        return {
            "day": self.day.isoformat(),
            "matches": self.rows.with_columns(dated).to_dicts(),
            "calendar": self.calendar.with_columns(dated).to_dicts(),
        }

    def __str__(self) -> str:
        lines = [f"{self.day}: {self.rows['firm_id'].n_unique()} firms, {self.calendar.height} policies"]
        for one in self.calendar.iter_rows(named=True):
            left = "over" if one["days_left"] < 0 else f"{one['days_left']} days left"
            lines.append(
                f"  {one['policy_id']} [{one['provenance']}] until {one['apply_by']} ({left}): "
                f"{one['qualifies']} qualify, CNY {one['amount_cny']:,.0f}, {one['could']} could"
            )
        for one in (
            self.rows.filter(pl.col("status").is_in(["qualifies", "could"])).head(40).iter_rows(named=True)
        ):
            amount = "" if one["amount_cny"] is None else f" CNY {one['amount_cny']:,.2f}"
            missing = f": {one['missing_en']}" if one["missing_en"] else ""
            lines.append(f"  {one['firm_id']} {one['status']} {one['policy_id']}{amount}{missing}")
        return "\n".join(lines)


def read_firms(source: str | os.PathLike[str] | pl.DataFrame, policies: Policies) -> tuple[Firm, ...]:
    """Read firms.

    Parameters
    ----------
    source : path or polars.DataFrame
        Columns firm_id, name (may be left out) and facts; an empty cell is not known, and so is a fact
        without a column. Other columns are left alone.
    policies : Policies
        Whose facts are looked for.

    Raises
    ------
    InputError
        Every problem: ``missing-file``, ``missing-column``, ``missing-value``, ``duplicate-firm``,
        ``wrong-type``, ``out-of-range``, ``empty-table``.
    """
    frame = source if isinstance(source, pl.DataFrame) else read_firm_table(source)
    file = FIRMS if isinstance(source, pl.DataFrame) else label_of(Path(source), FIRMS)
    problems: list[Problem] = []
    _check_columns(frame, file)
    if frame.height == 0:
        raise InputError([Problem("empty-table", "the table has no rows.", file, expected="a row a firm")])
    seen: dict[str, int] = {}
    made: list[Firm] = []
    for row, cells in enumerate(frame.iter_rows(named=True), 1):
        firm = str(cells["firm_id"] or "").strip()
        if not firm:
            problems.append(Problem("missing-value", "the cell is empty.", file, row, "firm_id"))
        elif firm in seen:
            text = f"{firm!r} stands in row {seen[firm]} already."
            problems.append(Problem("duplicate-firm", text, file, row, "firm_id", "each firm once"))
        seen.setdefault(firm, row)
        facts: dict[str, Value | None] = {}
        for name, fact in policies.facts.items():
            given = cells.get(name)
            if given is None or (isinstance(given, str) and not given.strip()):
                continue
            facts[name] = value = _cell(given, fact)
            if value is None:
                expected = ", ".join(fact.choices) or {"boolean": "true or false"}.get(
                    fact.kind, f"a {fact.kind}"
                )
                problems.append(
                    Problem("wrong-type", f"{given!r} is not allowed.", file, row, name, expected)
                )
            elif isinstance(value, float) and not _is_possible(value, fact):
                text = f"{given!r} is not possible."
                problems.append(Problem("out-of-range", text, file, row, name, _range_of(fact)))
        made.append(Firm(firm, str(cells.get("name") or ""), facts))
    if problems:
        raise InputError(problems)
    return tuple(made)


def _check_columns(frame: pl.DataFrame, file: str) -> None:
    if "firm_id" not in frame.columns:
        hint = NearestNames(frame.columns).hint("firm_id")
        raise InputError([Problem("missing-column", "no column firm_id.", file, None, "firm_id", hint=hint)])


def read_firm_table(source: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a table of firms as texts; `read_firms` reads what is in its cells.

    Parameters
    ----------
    source : path

    Raises
    ------
    InputError
        ``missing-file``, ``missing-column``, and others of the file.
    """
    path = Path(source)
    if not path.is_file():
        raise InputError([Problem("missing-file", "there is no such file.", str(path))])
    findings = Findings()
    frame = read_row_file(path, FIRMS, ("firm_id", "name"), {}, findings, {})
    if frame is None or findings.errors:
        raise InputError(findings.errors)
    frame = frame.rename({name: name.strip() for name in frame.columns})
    _check_columns(frame, label_of(path, FIRMS))
    return frame


def _cell(given: Any, fact: Fact) -> Value | None:
    text = str(given).strip()
    if fact.kind == "number":
        found = NUMBER.fullmatch(text)
        if found is None:
            return None
        value = float(found[1].replace(",", "")) / (100.0 if found[2] else 1.0)
        return value if isfinite(value) else None
    if fact.kind == "boolean":
        return WORDS.get(text.lower())
    return text if not fact.choices or text in fact.choices else None


def _is_possible(value: float, fact: Fact) -> bool:
    return (fact.least is None or value >= fact.least) and (fact.most is None or value <= fact.most)


def _range_of(fact: Fact) -> str:
    """Say what a number may be; shares in per cent too, since 5.5 is often written for 5.5%."""
    most = "" if fact.most is None else f"at most {fact.most:g}"
    said = ", ".join(one for one in ("" if fact.least is None else f"at least {fact.least:g}", most) if one)
    return f"{said} (5.5 per cent is 0.055 or 5.5%)" if fact.unit == "share" else said


def match_relief(firms: Iterable[Firm], policies: Policies, day: date) -> ReliefMatch:
    """Match firms with policies.

    Parameters
    ----------
    firms : iterable of Firm
    policies : Policies
    day : date

    Returns
    -------
    ReliefMatch
        ``qualifies``: the condition is met. ``could``: it would be, were what is not known as it should be
        and what the firm can still change changed; what is missing says which facts, and how far from each
        threshold. ``not``: nothing of that would help. ``not_in_force``: before it begins, or too late.
    """
    rows = []
    for firm in firms:
        for policy in policies.policies:
            rows.append(_matched(firm, policy, policies.facts, day))
    frame = pl.DataFrame(rows, MATCH_SCHEMA, orient="row")
    return ReliefMatch(day, frame, _calendar(frame, policies, day))


def _matched(firm: Firm, policy: Policy, facts: Mapping[str, Fact], day: date) -> dict[str, Any]:
    answer = policy.condition.answer(firm.facts)
    missing: list[Leaf] | None = []
    if not policy.begins <= day <= policy.last_day:
        status = "not_in_force"
    elif answer:
        status = "qualifies"
    else:
        missing = what_is_missing(policy.condition, firm.facts)
        status = "not" if missing is None else "could"
    shown = missing if status == "could" and missing else []
    words = [_say(leaf, firm.facts, facts) for leaf in shown]
    amount = relief_amount(policy.amounts, firm.facts) if status in ("qualifies", "could") else None
    return {
        "firm_id": firm.id, "name": firm.name, "policy_id": policy.id, "status": status, "amount_cny": amount,
        "apply_by": policy.last_day, "days_left": (policy.last_day - day).days,
        "missing_zh": "；".join(zh for zh, _ in words), "missing_en": "; ".join(en for _, en in words),
        "provenance": policy.provenance,
    }  # fmt: skip


def what_is_missing(condition: Condition, facts: Mapping[str, Value | None]) -> list[Leaf] | None:
    """Return the fewest questions that stand between a firm and a condition; None where nothing helps.

    Parameters
    ----------
    condition : Condition
    facts : mapping
    """
    answer = condition.answer(facts)
    if answer:
        return []
    if isinstance(condition, Leaf):
        return [condition] if answer is None or condition.changeable else None
    parts = [what_is_missing(part, facts) for part in condition.parts]
    if not condition.every:
        known = [part for part in parts if part is not None]
        return min(known, key=len) if known else None
    made: list[Leaf] = []
    for part in parts:
        if part is None:
            return None
        made += [leaf for leaf in part if leaf not in made]
    return made


def relief_amount(amounts: Iterable[Amount], facts: Mapping[str, Value | None]) -> float | None:
    """Return what a firm gets, in CNY; None where it cannot be known.

    Parameters
    ----------
    amounts : iterable of Amount
    facts : mapping
    """
    for one in amounts:
        met = True if one.when is None else one.when.answer(facts)
        if met is None:
            return None  # whether this one or a later one counts is not known
        if met:
            base = facts.get(one.of) if one.of else 0.0
            if not isinstance(base, float):
                return None
            value = one.fixed + one.rate * max(base, 0.0)
            return round(value if one.most is None else min(value, one.most), 2)
    return None


SIGNS = {
    "=": ("为", "be"), "!=": ("不为", "not be"), "<": ("低于", "be below"), "<=": ("不高于", "be at most"),
    ">": ("高于", "be above"), ">=": ("不低于", "be at least"), "in": ("为", "be"),
    "not_in": ("不为", "not be"),
    "starts_with": ("开头为", "begin with"), "not_starts_with": ("开头不为", "not begin with"),
}  # fmt: skip


def _say(leaf: Leaf, facts: Mapping[str, Value | None], known: Mapping[str, Fact]) -> tuple[str, str]:
    """Say what is missing, in both languages: what it is, what it must be, how far it is away."""
    fact, here = known[leaf.fact], facts.get(leaf.fact)
    sign_zh, sign_en = SIGNS[leaf.op]
    wanted_zh = f"须{sign_zh} {' 或 '.join(_said(one, fact)[0] for one in leaf.values)}"
    wanted_en = f"must {sign_en} {' or '.join(_said(one, fact)[1] for one in leaf.values)}"
    if here is None:
        return f"{fact.zh}未知（{wanted_zh}）", f"{fact.en} not known ({wanted_en})"
    here_zh, here_en = _said(here, fact)
    zh, en = f"{fact.zh} {here_zh}，{wanted_zh}", f"{fact.en} is {here_en}, {wanted_en}"
    if leaf.op in ORDERED and isinstance(here, float) and isinstance(leaf.values[0], float):
        far = abs(leaf.values[0] - here)
        if fact.unit == "share":
            return f"{zh}，差 {100 * far:.4g} 个百分点", f"{en}, {100 * far:.4g} points away"
        far_zh, far_en = _said(far, fact)
        return f"{zh}，差 {far_zh}", f"{en}, {far_en} away"
    return zh, en


def _said(value: Value, fact: Fact) -> tuple[str, str]:
    """Say a value in both languages: choices by their names, shares in per cent, money with its unit."""
    if isinstance(value, bool):
        return ("是", "yes") if value else ("否", "no")
    if isinstance(value, str):
        if value not in fact.choices:
            return value, value
        place = fact.choices.index(value)
        return (fact.choices_zh or fact.choices)[place], (fact.choices_en or fact.choices)[place]
    if fact.unit == "share":
        return (f"{100 * value:.6g} %",) * 2
    said = f"{value:,.10g}"
    return (f"{said} 元", f"CNY {said}") if fact.unit == "CNY" else (said, said)


def _calendar(rows: pl.DataFrame, policies: Policies, day: date) -> pl.DataFrame:
    made = []
    for one in policies.policies:
        mine = rows.filter(pl.col("policy_id") == one.id)
        fit = mine.filter(pl.col("status") == "qualifies")
        made.append(
            {
                "policy_id": one.id, "title_zh": one.title_zh, "title_en": one.title_en,
                "apply_by": one.last_day, "days_left": (one.last_day - day).days, "qualifies": fit.height,
                "could": int((mine["status"] == "could").sum()),
                "amount_cny": float(fit["amount_cny"].sum()),
                "amounts_unknown": fit["amount_cny"].null_count(),
                "provenance": one.provenance, "source": one.source,
            }
        )  # fmt: skip
    over = pl.col("days_left") < 0
    return pl.DataFrame(made).sort(over, "apply_by", "policy_id")
