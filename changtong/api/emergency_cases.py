"""Emergency cases over the API: opened, written to, seen as of an instant, verified."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi import Path as PathParam
from pydantic import AwareDatetime, Field, StringConstraints

from changtong.api.answers import (
    DOCX,
    Asked,
    Id,
    IfMatch,
    Key,
    Once,
    RecordId,
    Word,
    Words,
    digest_of,
    tag_of,
    version_of,
)
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError
from changtong.api.records import file_response
from changtong.api.runs import summary_of
from changtong.api.service import Service
from changtong.emergency import case_actions
from changtong.emergency.case import Case
from changtong.emergency.case_event import Event, told_event
from changtong.emergency.case_folder import Make
from changtong.emergency.case_log import written
from changtong.emergency.case_review import review
from changtong.emergency.case_status import status
from changtong.emergency.opening import Opened
from changtong.emergency.plan import EmergencyPlan
from changtong.emergency.plan_facts import plan_facts
from changtong.emergency.plan_file import find_plan, shipped_names
from changtong.emergency.situation_figures import Figures, figures_in
from changtong.emergency_records.case_register import (
    add_case_entry,
    list_register_cases,
    open_register_case,
    read_case_and_moves,
    read_register_case,
    verify_register_case,
)
from changtong.errors import ConflictError, InputError, NotFoundError, Problem
from changtong.report.case_documents import document_docx, review_document, situation_report_again

router = APIRouter(prefix="/api/v1/cases", tags=["emergency"])

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Measures = dict[Name, Word | float | int | bool | None]


class NewCase(Asked):
    """An event that opens a case."""

    plan: Name = Field(description="Id of a plan of the package: `GET /api/v1/cases/plans`.")
    event: Words = Field(default="", description="What happened; no names of persons. Or `told`.")
    told: dict[str, Any] | None = Field(
        default=None, description="What the command line reads from a file: an event, warnings or an alert."
    )
    pick: Word | None = Field(default=None, description="Id of the warning or alert of `told`.")
    measures: Measures = Field(default_factory=dict, max_length=200)
    sites: dict[Name, Literal["potential", "confirmed"]] = Field(default_factory=dict, max_length=5000)
    at: AwareDatetime | None = None
    known_at: AwareDatetime | None = None
    id: Id | None = None
    organisation: Id | None = None


class CaseEntry(Asked):
    """One thing done with a case; the other fields are those of its action."""

    action: Literal[
        "level", "measure", "task", "add_task", "site", "report", "note", "situation_report", "suspend",
        "resume", "end", "close",
    ]  # fmt: skip
    at: AwareDatetime | None = Field(default=None, description="When it happened; now without it.")
    text: Words = Field(default="", description="Of measure, task, site, report and note.")
    reason: Words = Field(default="", description="Of level, suspend, resume and end.")
    level: Literal["I", "II", "III", "IV", "none", ""] = ""
    measures: Measures = Field(default_factory=dict, max_length=200)
    task: Word = ""
    do: Literal["accept", "done", "impossible", "reopen", ""] = ""
    department: Word = ""
    title: Words = ""
    within_min: float | None = Field(default=None, gt=0, le=1e6, description="Minutes until a task is due.")
    site: Word = ""
    state: Literal["potential", "confirmed", "restored", "cleared", ""] = ""
    capacity_share: float | None = Field(default=None, ge=0, le=1)
    clock: Word = ""
    to: Word = ""
    form: Literal["oral", "written"] | None = None
    met: list[Word] = Field(default_factory=list, max_length=100)
    although: Words = ""
    lessons: list[Words] = Field(default_factory=list, max_length=100)
    plan_run: Id | None = Field(default=None, description="Of situation_report: figures of a plan.")
    indicators_run: Id | None = Field(default=None, description="Of situation_report: indicators of a day.")


NEEDED = {
    "level": ("level",), "measure": ("measures",), "task": ("task", "do"), "site": ("site", "state"),
    "add_task": ("task", "department", "title", "within_min"), "note": ("text",),
}  # fmt: skip
"""Action -> fields without which it says nothing."""


def _make(asks: Caller, serves: Service, asked: CaseEntry) -> Make:
    """Return what is done with a case.

    Raises
    ------
    InputError
        ``missing-value``: all that is missing.
    """
    missing = [name for name in NEEDED.get(asked.action, ()) if getattr(asked, name) in ("", None, {})]
    if missing:
        raise InputError(
            Problem("missing-value", f"{asked.action} needs {name}.", column=name) for name in missing
        )
    match asked.action:
        case "level":
            return case_actions.set_level(asked.level, asked.reason)
        case "measure":
            return case_actions.measure(asked.measures, asked.text)
        case "task":
            return case_actions.do_task(asked.task, asked.do, asked.text)
        case "add_task":
            return case_actions.add_task(asked.task, asked.department, asked.title, asked.within_min or 0.0)
        case "site":
            return case_actions.change_site(asked.site, asked.state, asked.text, asked.capacity_share)
        case "report":
            return case_actions.give_report(asked.clock, asked.text, asked.to, asked.form)
        case "note":
            return case_actions.note(asked.text)
        case "situation_report":
            return case_actions.number_report(_figures(asks, serves, asked))
        case "suspend":
            return case_actions.suspend(asked.reason)
        case "resume":
            return case_actions.resume(asked.reason)
        case "end":
            return case_actions.end(asked.reason, asked.met, asked.although)
        case "close":
            return case_actions.close(asked.lessons)


def _figures(asks: Caller, serves: Service, asked: CaseEntry) -> Figures:
    """Return the figures of runs that the caller may see.

    Raises
    ------
    NotFoundError
        There is no such run, or it has no result.
    InputError
        ``bad-figures``.
    """
    runs = (asked.plan_run, asked.indicators_run)
    plan, days = (None if one is None else summary_of(asks, serves, one) for one in runs)
    return figures_in(plan, days, (str(asked.plan_run), str(asked.indicators_run)))


def _shown(case: Case, at: datetime | None) -> dict[str, Any]:
    """Return a case as of an instant; without one as of its newest entry."""
    return status(case, at or max(one.at for one in case.entries)).to_json()


@router.get("")
def list_cases(asks: Asks, all_of_them: Annotated[bool, Query(alias="all")] = False) -> dict[str, Any]:
    """List the cases that one may see, the oldest first; closed ones only with `all`."""
    return {"cases": list_register_cases(asks.desk, all_of_them=all_of_them)}


@router.get("/plans")
def list_plans(asks: Asks) -> dict[str, Any]:
    """List the emergency plans of the package."""
    plans = [find_plan(name) for name in shipped_names()]
    keys = ("id", "version", "title_zh", "title_en", "provenance", "source")
    return {"plans": [{key: getattr(one, key) for key in keys} for one in plans]}


@router.get("/plans/{plan}")
def read_plan(plan: Name) -> dict[str, Any]:
    """Read a plan of the package: conditions, tasks, reporting times, contacts by role, measures."""
    return plan_facts(_plan(plan))


@router.post("", status_code=201)
def open_case(asks: Asks, serves: Serves, asked: NewCase, idempotency_key: Key = "") -> Response:
    """Open a case: what the plan proposes, with its reason, waits for a person; reporting times run."""
    once = Once(asks, serves, idempotency_key, "case", asked)
    name = asked.id or once.id() or ""
    event = _event(asked)
    told = Opened(
        plan=_plan(asked.plan), event=event, measures=asked.measures, sites=asked.sites, at=asked.at,
        known_at=asked.known_at, case_id=name,
    )  # fmt: skip

    def make() -> dict[str, Any]:
        if once.was_begun and (there := _there(asks, name)) is not None:
            return _shown(there, None)
        return _shown(open_register_case(asks.desk, told, organisation=asked.organisation), None)

    return once.answer(make)


def _event(asked: NewCase) -> Event:
    """Return the event that opens a case: words, or what a warning or an alert says.

    Raises
    ------
    InputError
        ``missing-value``, ``bad-emergency-event``.
    """
    if asked.told is not None:
        event = told_event(asked.told, pick=asked.pick)
        if asked.event.strip():
            event.facts["text"] = asked.event
        return event
    if not asked.event.strip():
        raise InputError([Problem("missing-value", "A case is opened by an event.", column="event")])
    return Event({"text": asked.event, "kind": "", "source": "words"})


def _plan(name: str) -> EmergencyPlan:
    known = shipped_names()
    if name not in known:  # never a file of the server
        raise NotFoundError(f"There is no plan of this id; there are {', '.join(known)}.")
    return find_plan(name)


def _there(asks: Caller, name: str) -> Case | None:
    try:
        return read_register_case(asks.desk, name)
    except NotFoundError:
        return None


@router.get("/{record_id}")
def read_case(
    asks: Asks,
    response: Response,
    record_id: RecordId,
    at: Annotated[
        AwareDatetime | Literal["now"] | None, Query(description="The newest entry without it.")
    ] = None,
) -> dict[str, Any]:
    """Read a case at an instant, or `now`: level, clocks, tasks, sites; `may`: what the caller may do.

    Its ETag is the number of the newest entry.
    """
    case, may = read_case_and_moves(asks.desk, record_id)
    newest = max(one.at for one in case.entries)
    instant = max(newest, datetime.now(UTC)) if at == "now" else at
    response.headers["ETag"] = tag_of(len(case.entries))
    return _shown(case, instant) | {"may": list(may)}


@router.get("/{record_id}/plan")
def read_plan_of_case(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """Read the plan of a case as it was when the case was opened."""
    return plan_facts(read_register_case(asks.desk, record_id).plan)


@router.get("/{record_id}/review")
def read_review(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """Read the closing review of a case that has ended: times against deadlines, what was late, lessons."""
    return review(read_register_case(asks.desk, record_id)).to_json()


@router.get("/{record_id}/review.docx")
def read_review_document(asks: Asks, record_id: RecordId, language: Literal["zh", "en"] = "zh") -> Response:
    """Read the closing review as a document."""
    made = review_document(review(read_register_case(asks.desk, record_id)))
    return file_response(document_docx(made, language=language), DOCX, "review.docx")


@router.get("/{record_id}/situation-reports")
def list_situation_reports(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """List the situation reports on record: number, when, by whom, with figures of what."""
    case = read_register_case(asks.desk, record_id)
    return {
        "situation_reports": [
            {"number": one.data["number"], "at": written(one.at), "by": one.by,
             "figures": sorted(one.data.get("figures", {}))}
            for one in case.entries if one.action == "situation_report"
        ]
    }  # fmt: skip


@router.get("/{record_id}/situation-reports/{number}.docx")
def read_situation_report(
    asks: Asks,
    record_id: RecordId,
    number: Annotated[int, PathParam(ge=1, le=10_000)],
    language: Literal["zh", "en"] = "zh",
) -> Response:
    """Read a situation report as a document: as it stood when it was put on record."""
    made = situation_report_again(read_register_case(asks.desk, record_id), number)
    content = document_docx(made, language=language)
    return file_response(content, DOCX, f"situation-report-{number}.docx")


@router.get("/{record_id}/entries")
def read_entries(asks: Asks, record_id: RecordId) -> dict[str, Any]:
    """Read the log of a case, the oldest entry first."""
    return {"entries": [one.to_json() for one in read_register_case(asks.desk, record_id).entries]}


@router.post("/{record_id}/entries", status_code=201)
def add_entry(
    asks: Asks,
    serves: Serves,
    record_id: RecordId,
    asked: CaseEntry,
    if_match: IfMatch = "",
    idempotency_key: Key = "",
) -> dict[str, Any]:
    """Write the next entry of a case; with the same Idempotency-Key it is there once, for good.

    If-Match names the newest entry that was read: 412 where others came since.
    """
    entry_id, seen = _entry_id(asks, idempotency_key), version_of(if_match) if if_match else None
    try:
        written = add_case_entry(
            asks.desk, record_id, _make(asks, serves, asked), at=asked.at, entry_id=entry_id, seen=seen
        )
    except ConflictError as error:
        if seen is None or error.wanted != seen:
            raise
        raise ChangedError(str(error), None) from None
    return _shown(written.case, None) | {"entry": written.entry.n, "is_new": written.is_new}


def _entry_id(asks: Caller, key: str) -> str:
    """Return the id of an entry, made of the key: the log itself knows it then; none without a key."""
    if not key:
        return ""
    return "k" + digest_of(f"{asks.person.user_id}\n{key}".encode())[:25]


@router.get("/{record_id}/check")
def check_case(
    asks: Asks, record_id: RecordId, head: Annotated[str, Query(max_length=200)] = ""
) -> dict[str, Any]:
    """Go through the log of a case and name whatever is wrong with it."""
    found = verify_register_case(asks.desk, record_id, head)
    return found.to_json()
