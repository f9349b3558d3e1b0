"""The page of a duty room: who is on, open calls, hand-over, the roster's matrix, fairness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from changtong.duty.room import Entry, OnDuty, duty_now, escalate, hand_overs
from changtong.duty.roster_views import PersonDuties, days_of, matrix_in_force
from changtong.duty.rosters_in_force import RostersInForce
from changtong.duty.staff import KINDS, Post, Shift
from changtong.report.page import render_page, write_page
from changtong.report.plan_report import page_data
from changtong.report.texts import Both, Language, joined, same, text, whole
from changtong.report.workforce_pages import OFF, day_head

MOST_NOTES = 20
NO_ANSWER = "–"


def write_duty_page(
    rosters: RostersInForce, entries: Sequence[Entry], at: datetime, path: str | Path,
    *, language: Language = "zh", with_names: bool = True,
) -> Path:  # fmt: skip
    """Write the page of a duty room as of an instant.

    Parameters
    ----------
    rosters : RostersInForce
        The matrix is of the period of the one in force at the instant, each day from its own roster.
    entries : sequence of Entry
        What was entered after the instant does not count.
    at : datetime
    path : path
    language : {"zh", "en"}
        The language it opens in.
    with_names : bool
        Whether people are shown by their names, beside their ids.
    """
    known = [one for one in entries if one.at <= at]
    first, last = rosters.period_at(at)
    people = matrix_in_force(rosters, first, last)
    names = {one.person_id: one.name for one in people} if with_names else {}
    there = duty_now(rosters, known, at)
    local = at.astimezone(rosters.zone)
    lines = [
        text(
            "duty.head", at=f"{local:%Y-%m-%d %H:%M}", first=str(first), last=str(last), people=len(people),
            duties=sum(one.duties for one in people),
        )
    ]  # fmt: skip
    if not with_names:
        lines.append(text("duty.masked"))
    if not there:
        lines.append(text("duty.nobody"))
    tables = [
        _now(there, names, rosters.zone),
        _calls(rosters, known, at, names),
        _notes(known, rosters.zone, names),
    ]
    tables += [_matrix(rosters, people, (first, last), with_names), _fairness(people, with_names)]
    title = text("duty.title")
    data = page_data(title)
    context = {
        "language": language, "title": title, "lines": lines, "data": data, "centres": [],
        "tables": [one for one in tables if one["rows"]],
    }  # fmt: skip
    page = render_page(
        "workforce.html.j2",
        styles=["style.css", "workforce.css"],
        scripts=["page.js", "stress.js"],
        context=context,
    )
    return write_page(path, page)


def _table(title: str, heads: Sequence[Both], rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    """Return a table of words; ``more`` says where it is another."""
    made = {"title": text(title), "heads": list(heads), "rows": rows, "kind": "stacked"}
    return made | {"words": range(len(heads))} | more


def _called(person: str, names: dict[str, str]) -> Both:
    name = names.get(person)
    return Both(f"{name}（{person}）", f"{name} ({person})") if name else same(person)


def _named(one: Post | Shift | None, name: str) -> Both:
    return same(name) if one is None else Both(one.name_zh or name, one.name_en or name)


def _now(there: Sequence[OnDuty], names: dict[str, str], zone: ZoneInfo) -> dict[str, Any]:
    rows = []
    for one in there:
        row = one.assignment
        state: Both | Markup = text(f"duty.{one.state}")
        if one.state == "late":
            state = text("duty.late", minutes=one.late_min)
        if one.state in ("late", "absent"):
            state = Markup('<b class="worse">{}</b>').format(escape(state))
        span = [f"{time.astimezone(zone):%m-%d %H:%M}" for time in (one.begin, one.end)]
        rows.append(
            [
                _called(row.person_id, names), _named(one.post, row.post_id),
                _named(one.shift, row.shift_id), *span, state,
            ]
        )  # fmt: skip
    return _table(
        "duty.now",
        [
            text("duty.person"),
            text("duty.post"),
            text("duty.shift"),
            text("duty.from"),
            text("duty.until"),
            text("duty.state"),
        ],
        rows,
    )


def _calls(
    rosters: RostersInForce, entries: Sequence[Entry], at: datetime, names: dict[str, str]
) -> dict[str, Any]:
    answered = {one.key.partition("/")[2] for one in entries if one.kind == "answer"}
    told: dict[str, list[Both]] = {}
    for due in escalate(rosters, entries, at):
        told.setdefault(due.call_id, []).append(_called(due.person_id, names))
    made = []
    for one in entries:
        name = one.key.partition("/")[2]
        if one.kind == "call" and name not in answered:
            opened = f"{one.at.astimezone(rosters.zone):%m-%d %H:%M}"
            who = joined(told.get(name, [same(NO_ANSWER)]))
            made.append([name, one.values["subject"], opened, _called(one.by, names), who])
    return _table(
        "duty.calls",
        [text("duty.call"), text("duty.subject"), text("duty.opened"), text("duty.by"), text("duty.told")],
        made,
    )


def _notes(entries: Sequence[Entry], zone: ZoneInfo, names: dict[str, str]) -> dict[str, Any]:
    made = []
    for one in reversed(hand_overs(entries)):
        received = text("duty.not_received")
        if one.received_by is not None and one.received_at is not None:
            received = _called(one.received_by, names) + f" {one.received_at.astimezone(zone):%m-%d %H:%M}"
        texts = [
            Both("；".join(part), "; ".join(part)) if part else NO_ANSWER
            for part in (one.open_items, one.watch)
        ]
        made.append([one.note_id, _called(one.by, names), *texts, received])
    return _table(
        "duty.notes",
        [text("duty.note"), text("duty.by"), text("duty.items"), text("duty.watch"), text("duty.received")],
        made[:MOST_NOTES],
    )


def _person(one: PersonDuties, with_names: bool) -> Both:
    return _called(one.person_id, {one.person_id: one.name} if with_names else {})


def _matrix(
    rosters: RostersInForce, people: Sequence[PersonDuties], period: tuple[date, date], with_names: bool
) -> dict[str, Any]:
    """Return who has which duty on which day: the shift's name, and the post's where it has several."""
    said: dict[tuple[str, date], Both] = {}
    for part in rosters.parts(*period):
        posts = {one.post_id: one for one in part.folder.posts}
        several = Counter(one.shift_id for one in part.folder.posts)
        for row in part.rows:
            called = _named(part.folder.shift(row.shift_id), row.shift_id)
            if several[row.shift_id] > 1:
                called = called + " " + _named(posts.get(row.post_id), row.post_id)
            said[row.person_id, row.day] = called
    days = days_of(*period)
    heads = [text("duty.person"), *map(day_head, days)]
    cells = [
        [_person(one, with_names), *(said.get((one.person_id, day), OFF) for day in days)] for one in people
    ]
    return _table("duty.matrix", heads, cells, kind="duties", words=())


def _fairness(people: Sequence[PersonDuties], with_names: bool) -> dict[str, Any]:
    heads = [
        text("duty.person"),
        text("duty.share"),
        text("duty.duties"),
        *(text(f"duty.{kind}") for kind in KINDS),
    ]
    rows: list[list[Any]] = [
        [_person(one, with_names), f"{one.share:g}", one.duties, *(whole(count) for count in one.counts)]
        for one in people
    ]
    return _table("duty.fairness", heads, rows, words=(), kind="", note=text("duty.fairness_note"))
