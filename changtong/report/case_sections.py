"""Parts of the documents of an emergency case: tables of reports, tasks, sites, measures and the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from changtong.emergency.case_clocks import ClockState, TaskState
from changtong.emergency.case_log import CaseEntry
from changtong.emergency.case_status import CaseStatus
from changtong.emergency.condition import measures, said_value
from changtong.emergency.situation_figures import Figures
from changtong.report.case_words import CaseWords, foreign, said_span
from changtong.report.daily_parts import Section, Table, columns
from changtong.report.daily_words import amount
from changtong.report.texts import Both, joined, money, named, percent, rough, same, text

MOST_ROWS = 400
"""Of a table; what is left out is told."""


def cut(rows: list[tuple[Both, ...]]) -> tuple[tuple[tuple[Both, ...], ...], Both | None]:
    """Return the rows that a table shows, and a note where some are left out."""
    if len(rows) <= MOST_ROWS:
        return tuple(rows), None
    return tuple(rows[:MOST_ROWS]), text("case.shown", shown=str(MOST_ROWS), total=str(len(rows)))


def section(key: str, heading: str, table: Table, lines: Sequence[Both] = ()) -> Section:
    """Return a section of one table; where it has no row, that is said."""
    if table.rows:
        return Section(key, text(heading), tuple(lines), (table,))
    return Section(key, text(heading), (*lines, text("case.none")))


def standing(status: CaseStatus) -> Section:
    """Return how the case stands, in words."""
    case, words = status.case, CaseWords(status.case)
    open_tasks = sum(one.task.is_open for one in status.tasks)
    done = sum(one.task.state == "done" for one in status.tasks)
    lines = [
        text("case.state_line", state=named("case_state", case.state), level=words.level(case.level)),
        text("case.known_at", at=words.at(case.known_at)),
    ]
    if status.to_confirm:
        lines.append(text("case.to_confirm", level=words.level(status.proposal.level)))
    lines.append(text("case.reason") + Both(status.proposal.reason("zh"), status.proposal.reason("en")))
    lines.append(
        text(
            "case.counts", tasks=str(len(status.tasks)), done=str(done), open=str(open_tasks),
            overdue=str(status.overdue),
        )
    )  # fmt: skip
    rows = [
        (
            words.level(o.level),
            words.at(o.at),
            words.level(o.proposed),
            same(foreign(o.reason) or "–"),
            same(foreign(o.by)),
        )
        for o in case.levels
    ]
    keys = ("case.level", "case.at", "case.proposed", "case.why", "case.by")
    tables = (Table("levels", columns(keys, ()), tuple(rows), title=text("case.levels")),) if rows else ()
    return Section("standing", text("case.how_it_stands"), tuple(lines), tables)


def reports(status: CaseStatus) -> Section:
    """Return the reporting times that are asked for, or may be."""
    words = CaseWords(status.case)
    rows = [clock_row(one, words) for one in status.clocks if one.state != "not_asked"]
    keys = ("case.clock", "case.state", "case.due", "case.given", "case.source")
    return section(
        "reports",
        "case.clocks",
        Table("reports", columns(keys, ()), tuple(rows), note=text("case.clocks_note")),
    )


def clock_row(one: ClockState, words: CaseWords) -> tuple[Both, ...]:
    """Return a reporting time as a row."""
    state = named("case_state", one.state)
    if one.missing and one.state == "not_known":
        missing = joined([Both(measures()[m].zh, measures()[m].en) for m in one.missing])
        state = text("case.needs", state=state, measures=missing)
    if one.late_s > 0:
        state = state + same(" ") + said_span(one.late_s)
    said = Both(foreign(one.clock.source_zh or one.clock.source), foreign(one.clock.source))
    source = named("case_state", one.clock.provenance) + Both("：", ": ") + said
    name = Both(foreign(one.clock.zh), foreign(one.clock.en))
    return name, state, words.at(one.due), words.at(one.given_at), source


def tasks(status: CaseStatus) -> Section:
    """Return the tasks, a table a department."""
    words = CaseWords(status.case)
    by_department: dict[str, list[tuple[Both, ...]]] = {}
    for one in status.tasks:
        by_department.setdefault(one.task.department, []).append(task_row(one, words))
    keys = ("case.task", "case.state", "case.due", "case.done_at", "case.remark")
    tables = tuple(
        Table(f"tasks-{number}", columns(keys, ()), tuple(rows), title=words.department(name))
        for number, (name, rows) in enumerate(by_department.items())
    )
    lines = () if tables else (text("case.none"),)
    return Section("tasks", text("case.tasks"), lines, tables)


def task_row(one: TaskState, words: CaseWords) -> tuple[Both, ...]:
    """Return a task as a row."""
    state = named("case_state", one.state)
    if one.late_s > 0:
        state = state + same(" ") + said_span(one.late_s)
    name = Both(foreign(one.task.zh), foreign(one.task.en))
    return (
        name,
        state,
        words.at(one.task.due),
        words.at(one.task.ended_at),
        same(foreign(one.task.text) or "–"),
    )


def sites(status: CaseStatus) -> Section:
    """Return the states of sites, confirmed ones first."""
    words = CaseWords(status.case)
    order = ("confirmed", "potential", "restored", "cleared")
    states = sorted(status.case.site_states().items(), key=lambda one: (order.index(one[1].state), one[0]))
    rows, note = cut(
        [
            (
                same(foreign(site)), named("case_state", o.state), words.at(o.at),
                same(percent(o.capacity_share)), same(foreign(o.text) or "–"),
            )
            for site, o in states
        ]
    )  # fmt: skip
    keys = ("case.site", "case.state", "case.since", "case.capacity", "case.remark")
    return section("sites", "case.sites", Table("sites", columns(keys, ()), rows, note=note))


def measured(status: CaseStatus) -> Section:
    """Return the measures that are known, each with since when."""
    words = CaseWords(status.case)
    rows = []
    for name, known in status.case.measures.items():
        measure, last = measures()[name], known[-1]
        values = [said_value(measure, last.value, language) for language in ("zh", "en")]
        units = ("", "") if last.value is None else (measure.unit_zh, measure.unit_en)
        said = Both(f"{values[0]} {units[0]}".strip(), f"{values[1]} {units[1]}".strip())
        rows.append((Both(measure.zh, measure.en), said, words.at(last.at), same(foreign(last.by))))
    keys = ("case.measure", "case.value", "case.since", "case.by")
    return section("measures", "case.measures", Table("measures", columns(keys, ()), tuple(rows)))


def log(entries: Sequence[CaseEntry], words: CaseWords, heading: str = "case.log") -> Section:
    """Return entries of the log, the newest first."""
    rows, note = cut([(words.at(o.at), words.entry(o), same(foreign(o.by))) for o in reversed(entries)])
    keys = ("case.at", "case.what", "case.by")
    return section("log", heading, Table("log", columns(keys, ()), rows, note=note))


def figures(given: Figures) -> list[Section]:
    """Return the figures of a plan and of indicators, where they were given."""
    made = []
    if given.plan is not None:
        made.append(plan_figures(given.plan))
    if given.indicators:
        rows = [
            (named("daily_name", one["indicator"]), amount(one["value"], one["indicator"]),
             amount(one["day_before"], one["indicator"]))
            for one in given.indicators
        ]  # fmt: skip
        table = Table("indicators", columns(("case.figure",), ("case.value", "case.day_before")), tuple(rows))
        heading = text("case.figures_indicators", day=foreign(given.day))
        made.append(Section("indicators", heading, (), (table,)))
    return made


def plan_figures(plan: Mapping[str, Any]) -> Section:
    """Return the figures of a plan: what is served, what is not, what it costs."""
    keys = (
        ("case.demand", "demand_pieces"),
        ("case.unserved", "unserved_pieces"),
        ("case.late", "late_pieces"),
    )
    rows = [(text(key), _pieces(plan[name])) for key, name in keys]
    cost = plan["cost_cny"]
    rows.append((text("case.cost"), same("–") if cost is None else money(cost)))
    rows.append((text("case.changed_legs"), same(f"{plan['changed_legs']:,}")))
    rows.append((text("case.outages"), joined([same(foreign(one)) for one in plan["outages"][:20]])))
    table = Table("plan", columns(("case.figure", "case.value"), ()), tuple(rows))
    return Section("plan", text("case.figures_plan"), (), (table,))


def _pieces(value: float | None) -> Both:
    if value is None:
        return same("–")
    said = rough(value)
    return text("case.pieces_unit", value=Both(said.zh.strip(), said.en))
