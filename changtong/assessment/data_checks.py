"""Checks of what is assessed: hierarchy, dates, findings that would count twice, marks that are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from changtong.assessment.exact import MOST_POINTS
from changtong.assessment.scorecard import STAGES, CardHead, split_list
from changtong.errors import Problem
from changtong.network.assembly import Assembly
from changtong.network.findings import NearestNames, rows_where

DataCheck = Callable[[Assembly, CardHead | None], None]
DATES = (
    ("facts", "date"),
    ("facts", "given_at"),
    ("values", "given_at"),
    ("marks", "given_at"),
    ("handed_in", "given_at"),
    ("stages", "at"),
    ("rectifications", "deadline"),
    ("rectifications", "closed_at"),
)
SHOWN_MEMBERS = 6


def _tell_rows(
    made: Assembly,
    table: str,
    column: str,
    rows: Sequence[int] | np.ndarray,
    code: str,
    say: Callable[[int], str],
    expected: str,
    hint: Callable[[int], str] = lambda row: "",
) -> None:
    """Add a problem for each row of a typed table."""

    def make(row: int) -> Problem:
        place = made.row(table, row)
        return Problem(code, say(row), made.file(table), place, column, expected=expected, hint=hint(row))

    made.findings.add_rows(rows, make)


def check_dates(made: Assembly, head: CardHead | None) -> None:
    """Dates are dates, and those of findings lie in the year of the card."""
    for table, column in DATES:
        text = made.tables[table][column]
        if not text.count():
            continue
        day = text.str.to_date("%Y-%m-%d", strict=False)
        bad = rows_where(text.is_not_null() & day.is_null())
        _tell_rows(made, table, column, bad, "bad-date", lambda r: f'"{text[r]}" is no date.', "YYYY-MM-DD")  # noqa: B023
        if (table, column) == ("facts", "date") and head is not None:
            outside = rows_where(day.dt.year() != head.year)
            year = head.year
            _tell_rows(
                made,
                table,
                column,
                outside,
                "date-outside-year",
                lambda r: f"{text[r]} is not in {year}.",  # noqa: B023
                f"a day of {year}",
                lambda r: "Findings of another year belong on that year's card.",
            )


def parents_of(subjects: pl.DataFrame) -> np.ndarray:
    """Return the row of each subject's parent, -1 where it has none or an unknown one.

    Parameters
    ----------
    subjects : polars.DataFrame
    """
    ids = pl.Enum(subjects["subject_id"].cast(pl.String))
    codes = subjects["parent_id"].cast(pl.String).cast(ids, strict=False).to_physical()
    return codes.cast(pl.Int64).fill_null(-1).to_numpy()


def check_hierarchy(made: Assembly, head: CardHead | None) -> None:
    """Every parent is there, and nobody is above themselves."""
    subjects = made.tables["subjects"]
    if not subjects.height:
        return
    parents = parents_of(subjects)
    given = subjects["parent_id"]
    names = subjects["subject_id"].cast(pl.String)
    unknown = np.flatnonzero(given.is_not_null().to_numpy() & (parents < 0))
    nearest = NearestNames(names) if len(unknown) else NearestNames(())
    _tell_rows(
        made,
        "subjects",
        "parent_id",
        unknown,
        "unknown-subject",
        lambda r: f'no subject "{given[r]}".',
        "an id of the table subjects",
        lambda r: nearest.hint(given[r]),
    )
    at, left = parents.copy(), len(parents)
    while left and (at >= 0).any():  # a chain without a cycle ends after as many steps as there are subjects
        at = np.where(at >= 0, parents[at], -1)
        left -= 1
        if left < len(parents) - 64:  # deeper than any hierarchy: find the cycles themselves
            break
    for members in _cycles(parents, np.flatnonzero(at >= 0)):
        shown = " → ".join(names[member] for member in members[:SHOWN_MEMBERS])
        _tell_rows(
            made,
            "subjects",
            "parent_id",
            [members[0]],
            "hierarchy-cycle",
            lambda r, shown=shown: f"{shown} → … is a circle.",  # type: ignore[misc]
            "a parent that is above",
        )


def _cycles(parents: np.ndarray, starts: np.ndarray) -> list[list[int]]:
    """Return the members of each cycle once, the first in the table first."""
    state = np.zeros(len(parents), np.int8)
    cycles = []
    for start in starts.tolist():
        path, at = [], start
        while at >= 0 and state[at] == 0:
            state[at] = 1
            path.append(at)
            at = int(parents[at])
        if at >= 0 and state[at] == 1:
            members = path[path.index(at) :]
            first = members.index(min(members))
            cycles.append(members[first:] + members[:first])
        state[path] = 2
    return cycles


def check_levels_of_rows(made: Assembly, head: CardHead | None) -> None:
    """Findings and values are of subjects whose level the rule or indicator is for."""
    subjects = made.tables["subjects"]
    level = subjects["level"].to_list()
    for table, other, key in (
        ("facts", "rules", "rule_id"),
        ("values", "indicators", "indicator_id"),
        ("marks", "indicators", "indicator_id"),
    ):
        frame, card = made.tables[table], made.tables[other]
        allowed = [split_list(text) for text in card["levels"].to_list()]
        if not frame.height or not any(allowed):
            continue
        known = {name: number for number, name in enumerate(dict.fromkeys(level))}
        fits = np.ones((card.height, len(known)), bool)
        for row, names in enumerate(allowed):
            if names:
                fits[row] = [name in names for name in known]
        level_of = np.array([known[name] for name in level], np.int64)
        who = frame["subject_id"].to_physical().fill_null(0).to_numpy()
        what = frame[key].to_physical().fill_null(0).to_numpy()
        wrong = ~fits[what, level_of[who]] & frame[key].is_not_null().to_numpy()
        _tell_rows(
            made,
            table,
            key,
            np.flatnonzero(wrong),
            "not-for-this-level",
            lambda r: f"{frame[key][r]} is not for {level[who[r]]} ({frame['subject_id'][r]}).",  # noqa: B023
            "a subject of a level it is for",
        )


def check_facts(made: Assembly, head: CardHead | None) -> None:
    """A finding brings either a deduction or a bonus, and is written down at one level only."""
    facts = made.tables["facts"]
    if not facts.height or not made.tables["rules"].height:
        return
    again = facts["fact_id"].is_duplicated()
    if again.any():
        rows = facts.with_row_index("row").filter(again & (facts["state"] != "withdrawn"))
        effect = made.tables["rules"].select(pl.col("rule_id").cast(facts["rule_id"].dtype), "effect")
        rows = rows.join(effect, on="rule_id", how="left")
        good = pl.col("effect") == "bonus"
        of_one = good.n_unique().over("fact_id", "subject_id")
        both = rows.filter(of_one > 1).unique(["fact_id", "subject_id"], keep="first", maintain_order=True)
        _tell_rows(
            made,
            "facts",
            "rule_id",
            both["row"].to_numpy(),
            "fact-both-ways",
            lambda r: (
                f"{facts['fact_id'][r]} brings {facts['subject_id'][r]} a bonus and a deduction or veto."
            ),
            "the one or the other",
            lambda r: "Write two findings where two things were found.",
        )
        _check_lines(made, rows)
    _check_total(made)


def _check_lines(made: Assembly, rows: pl.DataFrame) -> None:
    """Report findings that stand at a subject and also at one above it: they would count twice."""
    subjects = made.tables["subjects"]
    if made.findings.counts["error", "hierarchy-cycle"]:
        return
    parents = parents_of(subjects)
    several = rows.filter(pl.col("subject_id").n_unique().over("fact_id") > 1)
    who = several["subject_id"].to_physical().to_numpy().astype(np.int64)
    here = pl.DataFrame({"fact": several["fact_id"], "above": who}).unique().with_columns(met=pl.lit(True))
    at, found = parents[who], np.zeros(several.height, bool)
    while (at >= 0).any():
        one = pl.DataFrame({"fact": several["fact_id"], "above": at})
        met = one.join(
            here.with_columns(met=pl.lit(True)), on=["fact", "above"], how="left", maintain_order="left"
        )
        found |= met["met"].fill_null(False).to_numpy()
        at = np.where(at >= 0, parents[at], -1)
    twice = several.filter(pl.Series(found)).unique(
        ["fact_id", "subject_id"], keep="first", maintain_order=True
    )
    facts = made.tables["facts"]
    _tell_rows(
        made,
        "facts",
        "subject_id",
        twice["row"].to_numpy(),
        "fact-in-line",
        lambda r: f"{facts['fact_id'][r]} stands at {facts['subject_id'][r]} and at a subject above it.",
        "one level; what is passed up is counted there by itself",
        lambda r: "Give the notice to the one above an id of its own where it is a finding of its own.",
    )


def _check_total(made: Assembly) -> None:
    facts, rules = made.tables["facts"], made.tables["rules"]
    points = rules["points"].fill_null(0.0).to_numpy()[facts["rule_id"].to_physical().to_numpy()]
    total = float(np.sum(points * facts["count"].fill_null(1).to_numpy()))
    if total > MOST_POINTS:
        message = f"the findings add up to {total:,.0f} points."
        expected = f"at most {MOST_POINTS:,}, up to which every score is exact"
        made.findings.add(Problem("too-large", message, made.file("facts"), None, "count", expected=expected))


def check_values(made: Assembly, head: CardHead | None) -> None:
    """Values are of indicators that are measured, marks of those that are marked."""
    indicators = made.tables["indicators"]
    if not indicators.height:
        return
    marked = (indicators["scoring"] == "marks").to_numpy()
    values = made.tables["values"]
    what = values["indicator_id"].to_physical().to_numpy()
    _tell_rows(
        made,
        "values",
        "indicator_id",
        np.flatnonzero(marked[what]) if len(what) else [],
        "value-for-marks",
        lambda r: f"{values['indicator_id'][r]} is scored by marks, not by values.",
        "an indicator with linear scoring or steps",
    )


def check_refused(made: Assembly, head: CardHead | None) -> None:
    """Values of indicators that refuse missing ones are there."""
    marked = (made.tables["indicators"]["scoring"] == "marks").to_numpy()
    subjects, values = made.tables["subjects"], made.tables["values"]
    for row, one in enumerate(made.tables["indicators"].iter_rows(named=True)):
        if one["if_missing"] != "refuse" or marked[row]:
            continue
        levels = split_list(one["levels"])
        asked = subjects["level"].is_in(levels).to_numpy() if levels else np.ones(subjects.height, bool)
        mine = values.filter(pl.col("indicator_id").to_physical() == row)
        asked[mine["subject_id"].to_physical().to_numpy()] = False
        for subject in np.flatnonzero(asked):
            message = f"{one['indicator_id']} of {subjects['subject_id'][int(subject)]} is missing."
            file = made.file("values")
            made.findings.add(
                Problem("missing-indicator-value", message, file, None, "value", expected="a value")
            )


def check_marks(made: Assembly, head: CardHead | None) -> None:
    """Marks are within their range, from departments that may give them, and none is missing."""
    marks, departments = made.tables["marks"], made.tables["departments"]
    facts_too = dict(departments.select(pl.col("department_id").cast(pl.String), "from_facts").iter_rows())
    none = made.tables["handed_in"].filter(pl.col("state") == "sets_none")["department_id"].cast(pl.String)
    card = {str(one["indicator_id"]): one for one in made.tables["indicators"].iter_rows(named=True)}
    most_whole = 1000.0 if head is None or head.most_points is None else head.most_points
    silent = set(none)
    for row, mark in enumerate(marks.iter_rows(named=True)):
        department, indicator = str(mark["department_id"]), mark["indicator_id"]
        one = None if indicator is None else card[str(indicator)]
        most = most_whole if one is None else one["max_points"]
        wrong = ""
        if department in silent:
            wrong = f"{department} sets none, but marks here."
        elif facts_too[department]:
            wrong = f"{department} takes what the card gives, and marks nothing itself."
        elif one is None and not any(facts_too.values()):
            wrong = "a mark of the whole needs a department with from_facts beside it."
        elif one is not None and one["scoring"] != "marks":
            wrong = f"{indicator} is scored by values, not by marks."
        elif one is not None and one["departments"] and department not in split_list(one["departments"]):
            wrong = f"{department} does not mark {indicator}."
        if wrong:
            _tell_mark(made, row, "department_id", "mark-not-allowed", wrong, "a mark the card asks for")
        if mark["points"] > most:
            said = f"{mark['points']:g} points are too many."
            _tell_mark(made, row, "points", "out-of-range", said, f"0 … {most:g} points")
    if head is not None and head.missing_marks == "refuse":
        _check_missing_marks(made, silent)


def _tell_mark(made: Assembly, row: int, column: str, code: str, message: str, expected: str) -> None:
    place = made.row("marks", row)
    made.findings.add(Problem(code, message, made.file("marks"), place, column, expected=expected))


def _check_missing_marks(made: Assembly, silent: set[str]) -> None:
    """Report what a department that handed in did not mark."""
    marks, subjects = made.tables["marks"], made.tables["subjects"]
    given = set(
        marks.select(pl.col("department_id", "subject_id", "indicator_id").cast(pl.String)).iter_rows()
    )
    weights = {
        str(one["department_id"]): one["weight"] for one in made.tables["departments"].iter_rows(named=True)
    }
    done = set(made.tables["handed_in"]["department_id"].cast(pl.String)) - silent
    if _is_blind(made, done | silent):
        # marks are kept elsewhere until all have handed in: one without any may have given all of them
        done &= {department for department, _, _ in given}
    by_level: dict[str, list[str]] = {}
    for name, level in subjects.select(pl.col("subject_id").cast(pl.String), "level").iter_rows():
        by_level.setdefault(level, []).append(name)
    for one in made.tables["indicators"].filter(pl.col("scoring") == "marks").iter_rows(named=True):
        asked = set(split_list(one["departments"]) or weights)
        for department in sorted(done & asked):
            if not weights[department]:
                continue
            for level in split_list(one["levels"]) or by_level:
                for name in by_level.get(level, ()):
                    if (department, name, str(one["indicator_id"])) not in given:
                        message = f"{department} handed in, but did not mark {one['indicator_id']} of {name}."
                        hint = 'With missing_marks = "others_count" the others\' marks count.'
                        made.findings.add(
                            Problem("missing-mark", message, made.file("marks"), expected="a mark", hint=hint)
                        )


def _is_blind(made: Assembly, done: set[str]) -> bool:
    """Tell whether a department with weight has not handed in."""
    marking = made.tables["departments"].filter((pl.col("weight") > 0) & ~pl.col("from_facts"))
    return bool(set(marking["department_id"].cast(pl.String)) - done)


def check_stages(made: Assembly, head: CardHead | None) -> None:
    """Stages follow each other in time."""
    stages = made.tables["stages"]
    if not stages.height:
        return
    order = {stage: number for number, stage in enumerate(STAGES)}
    rows = stages.with_row_index("row").with_columns(
        order=pl.col("stage").replace_strict(order, default=None)
    )
    rows = rows.sort("subject_id", "order")
    before = pl.col("at").shift(1).over("subject_id")
    late = rows.filter(pl.col("at") < before)["row"].to_numpy()
    _tell_rows(
        made,
        "stages",
        "at",
        late,
        "stage-order",
        lambda r: f"{stages['stage'][r]} of {stages['subject_id'][r]} is before the stage it follows.",
        "self_report, review, appeal, final in this order",
    )


def check_causes(made: Assembly, head: CardHead | None) -> None:
    """Rectifications close something that is there."""
    facts, kept = made.tables["facts"], made.tables["rectifications"]
    if not kept.height:
        return
    known = {f"fact:{one}" for one in facts["fact_id"]}
    known |= {f"indicator:{one}" for one in made.tables["indicators"]["indicator_id"].cast(pl.String)}
    causes = kept["cause"].to_list()
    rows = [row for row, cause in enumerate(causes) if cause not in known]
    nearest = NearestNames(known)
    _tell_rows(
        made,
        "rectifications",
        "cause",
        rows,
        "unknown-cause",
        lambda r: f'"{causes[r]}" is no finding and no indicator.',
        "fact:ID or indicator:ID",
        lambda r: nearest.hint(causes[r]),
    )


DATA_CHECKS: tuple[DataCheck, ...] = (
    check_dates,
    check_hierarchy,
    check_levels_of_rows,
    check_facts,
    check_values,
    check_refused,
    check_marks,
    check_stages,
    check_causes,
)
