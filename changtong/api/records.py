"""Records of the registers over the API: listed, added, changed, shown, their files, held, handed over."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from changtong.api.answers import (
    Asked,
    Id,
    IfMatch,
    IfNoneMatch,
    Key,
    KindName,
    Once,
    Reasoned,
    RecordId,
    Values,
    Words,
    changed_with,
    digest_of,
    facts_of,
    is_known,
    plain_row,
    tag_of,
    version_of,
    with_tag,
)
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError, titled
from changtong.api.uploads import Uploaded, form_described
from changtong.errors import ConflictError, InputError, NotFoundError, Problem
from changtong.rights.decide import actions_anywhere
from changtong.storage import pages
from changtong.storage.definitions import (
    COMMANDS,
    FIRST_STATES,
    LEDGER_KEYS,
    OWN_WAYS,
    REGISTERS,
    Column,
    register_columns,
    state_changes,
    state_column,
)
from changtong.storage.loading import NewRow, add_rows, values_of
from changtong.storage.record_tables import csv_of, table_of, template_of, whole_table
from changtong.storage.records import check_kind
from changtong.storage.rows import check_values
from changtong.storage.schema import from_ms
from changtong.storage.whole_registers import count_rows
from changtong.wording import language_of
from changtong.workbook_sheets import ENDING

router = APIRouter(prefix="/api/v1/records", tags=["records"])

RESERVED = ("limit", "after", "order", "since", "until", "count", "format", "whole")
"""Parameters of a list that are no columns."""

MOST_RECORDS = 1000


class NewRecord(Asked):
    """One record to be added."""

    values: Values
    id: Id | None = Field(default=None, description="Made elsewhere, for example without a network.")
    organisation: Id | None = Field(default=None, description="Whose it is; one's own by default.")
    admin_code: Annotated[str, Field(pattern=r"^\d{6,12}$")] | None = None


class NewRecords(Asked):
    """Records to be added, all or none."""

    records: list[NewRecord] = Field(min_length=1, max_length=MOST_RECORDS)
    reason: Words = ""


class Change(Asked):
    """Columns to be changed; what comes back masked, as it was shown, stays what it is."""

    values: Values
    reason: Words = ""


class Reveal(Reasoned):
    """Which personal data are looked at, and why."""

    columns: list[Id] | None = Field(default=None, max_length=100, description="All where not given.")


class HandOver(Asked):
    """Whose it is from now on."""

    to: Id = Field(description="Id of the organisation that takes it.")
    reason: Words = Field(default="", description="Why; no names of persons. A dry run needs none.")
    dry_run: bool = Field(default=False, description="Only tell what would be handed over.")


@router.get("")
def list_kinds(asks: Asks) -> dict[str, Any]:
    """List the registers that the caller may see, with their columns, states, moves, and rights somewhere."""
    found = []
    for kind in REGISTERS:
        rights = actions_anywhere(asks.person, kind, asks.at)
        if "view" in rights:
            found.append(_described(kind, rights))
    return {"kinds": found}


def _described(kind: str, rights: tuple[str, ...]) -> dict[str, Any]:
    moves = [
        {"from": old, "to": new, "right": right}
        for (of, old, new), right in state_changes().items()
        if of == kind
    ]
    return {
        "kind": kind, "rights": list(rights), "order": LEDGER_KEYS[kind], "state": state_column(kind) or None,
        "first_states": list(FIRST_STATES.get(kind, ())), "moves": moves,
        "own_way": _way_of(kind) if kind in OWN_WAYS else None,
        "columns": [_column(column) for column in register_columns(kind).values()],
    }  # fmt: skip


def _way_of(kind: str) -> str:
    of_command = {
        "emergency": "cases", "duty": "duty-rooms", "rights-tickets": "rights-tickets",
        "issued": "issued-plans",
    }  # fmt: skip
    return f"/api/v1/{of_command.get(COMMANDS.get(kind, ''), 'scorecards')}"


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name, "type": column.type, "minimum": column.minimum, "maximum": column.maximum,
        "required": column.required, "choices": list(column.choices), "default": column.default or None,
        "references": column.references or None, "is_personal": column.personal,
        "filters": not column.personal and column.type != "json",
        "kept_by_ledger": column.ledger or None, "description": column.description,
        "description_zh": column.description_zh,
    }  # fmt: skip


@router.get("/{kind}")
def list_records(
    request: Request,
    asks: Asks,
    kind: KindName,
    limit: Annotated[int, Query(ge=1, le=pages.MOST_ROWS)] = 50,
    after: Annotated[str, Query(max_length=2000, description="`next` of the page before.")] = "",
    order: Literal["newest", "oldest"] = "newest",
    since: Annotated[AwareDatetime | None, Query(description="Of the column that orders it; from.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before.")] = None,
    count: Annotated[bool, Query(description="Count all that fit, too.")] = False,
    format: Literal["json", "csv", "xlsx"] = "json",
    whole: Annotated[bool, Query(description="As csv or xlsx: all pages, 100,000 records at most.")] = False,
) -> Response:
    """List a page of a register, personal data masked.

    Any other parameter is a column without personal data that must have this value; given several times, one
    of them. `organisation` and `admin_code` too. `format=csv` and `xlsx` are for spreadsheets, and a load
    takes them back: no text in them runs as a formula, and `X-Next` tells where the page after begins.
    """
    where = _where(check_kind(kind), request)
    query = pages.Query(where, since, until, limit, order == "newest", after)
    if whole and format != "json":
        return _table(kind, whole_table(asks.desk, kind, query, format), format)
    page = asks.desk.page(kind, query)
    total = None
    if count:
        with asks.desk.work(writes=False) as work:
            total = count_rows(work, kind, query)
    if format != "json":
        more = ({"X-Next": page.next} if page.next else {}) | (
            {} if total is None else {"X-Count": str(total)}
        )
        return _table(kind, table_of(kind, page.records, format), format, **more)
    facts: dict[str, Any] = {"records": [facts_of(one) for one in page.records], "next": page.next or None}
    if count:
        facts["count"] = total
    content = json.dumps(facts, ensure_ascii=False)
    return Response(content, media_type="application/json")


def _where(kind: str, request: Request) -> dict[str, Any]:
    """Return what a list is filtered by: columns by name, with values of their type."""
    given: dict[str, list[str]] = {}
    for name, text in request.query_params.multi_items():
        if name not in RESERVED:
            given.setdefault(name, []).append(text)
    where: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, texts in given.items():
        try:
            found = [_value(kind, name, text) for text in texts]
        except InputError as error:
            problems += error.problems
            continue
        where[name] = found[0] if len(found) == 1 else found
    if problems:
        raise InputError(problems)
    return where


def _value(kind: str, name: str, text: str) -> Any:
    if "\0" in text:
        raise InputError([Problem("bad-value", f"{name} has signs that no text has.", column=name)])
    if name in ("organisation", "admin_code"):
        return text
    found = values_of(kind, {name: text})[name]
    if found is None:
        text = f"{name} is filtered by a value, and there is none."
        raise InputError([Problem("missing-value", text, column=name)])
    return check_values(kind, {name: found}, new=False)[name]


MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _table(kind: str, content: bytes, ending: str, **more: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{kind}.{ending}"', **more}
    return Response(content, media_type=MEDIA_TYPES[ending], headers=headers)


templates = APIRouter(prefix="/api/v1/record-templates", tags=["records"])


@templates.get("/{kind}")
def read_template(asks: Asks, kind: KindName, format: Literal["csv", "xlsx"] = "xlsx") -> Response:
    """Read an empty table with the columns that a file may fill in; as a workbook with what they hold."""
    if "add" not in actions_anywhere(asks.person, check_kind(kind), asks.at) or kind in OWN_WAYS:
        raise NotFoundError("There is no register of this name that you may load files into.")
    return _table(kind, template_of(kind, format), format)


@router.post("/{kind}", status_code=201, response_model=None)
def add_records(
    asks: Asks, serves: Serves, kind: KindName, asked: NewRecords, idempotency_key: Key = ""
) -> Response:
    """Add records, all or none; every problem of every record is told at once, by its row and column."""
    once = Once(asks, serves, idempotency_key, "records", kind, asked)
    return once.answer(lambda: {"records": _added(asks, once, kind, asked)}, 201, _place_of_one)


def _added(asks: Caller, once: Once, kind: str, asked: NewRecords) -> list[dict[str, Any]]:
    ids = [one.id or once.id(number) for number, one in enumerate(asked.records)]
    if once.was_begun and (there := _there(asks, kind, ids)):
        return there
    rows = []
    for name, one in zip(ids, asked.records, strict=True):
        own = {"id": name, "organisation": one.organisation, "admin_code": one.admin_code}
        rows.append(NewRow(one.values, {key: text for key, text in own.items() if text is not None}))
    with asks.desk.work(writes=True) as work:
        made = add_rows(work, check_kind(kind), rows, asked.reason)
    return [facts_of(one) for one in made]


def _there(asks: Caller, kind: str, ids: list[str | None]) -> list[dict[str, Any]]:
    """Return the records that a request has added before the server died over it, all or none of them."""
    try:
        found = [asks.desk.get(kind, str(name)) for name in ids]
    except NotFoundError:
        return []
    mine = all(one.created_by == asks.person.user_id for one in found)
    return [facts_of(one) for one in found] if mine else []


def _place_of_one(made: dict[str, Any]) -> dict[str, str]:
    found = made["records"]
    if len(found) != 1:
        return {}
    one = found[0]
    place = f"/api/v1/records/{one['kind']}/{one['id']}"
    return {"Location": place, "ETag": tag_of(one["version"])}


_LOAD = form_described(
    "CSV or XLSX.", reason="Why.", changes="true: change records that are there.",
    dry_run="true: only tell what would be done.", seen="Of a dry run.", format="csv: problems as a table.",
)  # fmt: skip


@router.post("/{kind}/load", status_code=201, openapi_extra=_LOAD)
def load_records(
    request: Request, asks: Asks, serves: Serves, kind: KindName, upload: Uploaded, idempotency_key: Key = ""
) -> Response:
    """Add the records of a CSV or XLSX file, all or none; every problem is told by its row and column.

    `changes=true`: rows whose `id` (of sites also `site_id`) is there change these records; they name the
    `version` that was read, or `seen` is given, as a dry run told it. `dry_run=true`: only what would be
    done (200), with all problems; `format=csv` as well: the problems as a table.
    """
    (name, content), texts = upload.one_file(), upload.texts
    reason, seen = texts.get("reason", ""), texts.get("seen", "")
    changes, dry_run = (texts.get(flag, "").lower() == "true" for flag in ("changes", "dry_run"))
    asked = (
        kind,
        name,
        reason,
        digest_of(content),
        *((changes, dry_run, seen) if changes or dry_run else ()),
    )
    once = Once(asks, serves, "" if dry_run else idempotency_key, "load", *asked)
    ending = ENDING if name.lower().endswith(ENDING) else ".csv"
    with tempfile.TemporaryDirectory(prefix="changtong-load-") as place:
        path = Path(place) / f"{check_kind(kind)}{ending}"
        path.write_bytes(content)
        if not dry_run:
            return once.answer(lambda: _loaded(asks, kind, path, reason, changes, seen))
        tried = asks.desk.try_table(kind, path, reason, changes=changes)
    problems = [{"row": one.row, "column": one.column, **asdict(one)} for one in tried.problems]
    told = titled(problems, language_of(None, None, request.headers.get("accept-language", "")))
    if texts.get("format") == "csv":
        columns = ("file", "row", "column", "code", "title", "message", "expected", "hint")
        return _table(f"{kind}-problems", csv_of(told, columns).encode(), "csv")
    return JSONResponse(tried.to_json() | {"dry_run": True, "seen": tried.seen, "problems": told})


def _loaded(asks: Caller, kind: str, path: Path, reason: str, changes: bool, seen: str) -> dict[str, int]:
    try:
        made = asks.desk.load_table(kind, path, reason, changes=changes, seen=seen).to_json()
    except ConflictError as error:
        raise ChangedError(str(error), None) from None
    return made if changes else {"added": made["added"]}


@router.get("/{kind}/{record_id}", response_model=None)
def read_record(
    asks: Asks, response: Response, kind: KindName, record_id: RecordId, if_none_match: IfNoneMatch = ""
) -> dict[str, Any] | Response:
    """Read a record, personal data masked; its version is the ETag that a change names in If-Match."""
    found = asks.desk.get(kind, record_id)
    if is_known(tag_of(found.version), if_none_match):
        return Response(status_code=304, headers={"ETag": tag_of(found.version)})
    return with_tag(response, found)


@router.patch("/{kind}/{record_id}")
def change_record(
    asks: Asks, response: Response, kind: KindName, record_id: RecordId, asked: Change, if_match: IfMatch = ""
) -> dict[str, Any]:
    """Change columns of a record that nobody has changed since it was read.

    Without If-Match 428; where somebody was quicker 412, nothing is written, and `current` tells what is
    there now.
    """
    version = version_of(if_match)
    made = changed_with(lambda: asks.desk.change(kind, record_id, version, asked.values, asked.reason))
    return with_tag(response, made)


@router.post("/{kind}/{record_id}/reveal")
def reveal_record(asks: Asks, kind: KindName, record_id: RecordId, asked: Reveal) -> dict[str, Any]:
    """Show a record with its personal data; who, when, why and which columns go on record before."""
    return facts_of(asks.desk.reveal(kind, record_id, asked.reason, asked.columns or None))


@router.get("/{kind}/{record_id}/history")
def read_history(asks: Asks, kind: KindName, record_id: RecordId) -> dict[str, Any]:
    """List what was done with a record, the oldest first, for those who may see the audit of it."""
    check_kind(kind)
    instants = {name for name, column in register_columns(kind).items() if column.type == "instant"}
    found = []
    for entry in asks.desk.audit_entries(kind, record_id):
        detail = json.loads(entry["detail"]) or {}
        values = {
            name: [_instant(value) if name in instants else value for value in pair]
            for name, pair in detail.get("values", {}).items()
        }
        found.append(
            {"n": entry["n"], "at": from_ms(entry["at"]).isoformat(), "by": entry["actor"],
             "action": entry["action"], "version": detail.get("version"), "values": values,
             "texts": detail.get("texts", []), "reason": entry["reason"]}
        )  # fmt: skip
    return {"entries": found}


def _instant(value: Any) -> str | None:
    return None if value is None else from_ms(value).isoformat()


@router.get("/{kind}/{record_id}/attachments")
def list_attachments(
    asks: Asks,
    kind: KindName,
    record_id: RecordId,
    after: Annotated[str, Query(max_length=2000)] = "",
) -> dict[str, Any]:
    """List the files of a record."""
    where = {"about_kind": check_kind(kind), "about": record_id}
    page = asks.desk.page("attachment", pages.Query(where, limit=pages.MOST_ROWS, after=after))
    return {"records": [facts_of(one) for one in page.records], "next": page.next or None}


@router.post(
    "/{kind}/{record_id}/attachments",
    status_code=201,
    openapi_extra=form_described("JPEG, PNG, WebP, PDF or plain text."),
)
def attach_file(
    asks: Asks,
    serves: Serves,
    kind: KindName,
    record_id: RecordId,
    upload: Uploaded,
    idempotency_key: Key = "",
) -> Response:
    """Keep a file with a record: JPEG, PNG, WebP, PDF or plain text, 50 MiB at most."""
    name, content = upload.one_file()
    once = Once(asks, serves, idempotency_key, "attach", kind, record_id, name, digest_of(content))
    return once.answer(lambda: facts_of(asks.desk.attach(check_kind(kind), record_id, name, content)))


@router.post("/attachment/{record_id}/content")
def read_content(asks: Asks, record_id: RecordId, asked: Reasoned) -> Response:
    """Read the file of an attachment, with the right and a reason: it may show persons; on record."""
    content = asks.desk.content(record_id, asked.reason)
    return file_response(content, asks.desk.get("attachment", record_id)["media_type"], record_id)


def file_response(content: bytes, media_type: str, name: str) -> Response:
    """Return a file that a person has given: to be kept, never to be shown as a page of ours."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, media_type=media_type, headers=headers)


@router.post("/{kind}/{record_id}/holds", status_code=201)
def hold_record(
    asks: Asks,
    serves: Serves,
    kind: KindName,
    record_id: RecordId,
    asked: Reasoned,
    idempotency_key: Key = "",
) -> Response:
    """Keep a record, and what belongs to it, from being erased until the hold is lifted."""
    once = Once(asks, serves, idempotency_key, "hold", kind, record_id, asked)
    return once.answer(lambda: {"hold": asks.desk.hold(kind, record_id, asked.reason)})


@router.post("/{kind}/{record_id}/hand-over")
def hand_over(asks: Asks, kind: KindName, record_id: RecordId, asked: HandOver) -> dict[str, Any]:
    """Hand a record over to another organisation, with what belongs to it."""
    return asks.desk.hand_over(kind, record_id, asked.to, asked.reason, dry_run=asked.dry_run).to_json()


holds = APIRouter(prefix="/api/v1/holds", tags=["records"])


@holds.get("")
def list_holds(
    asks: Asks,
    kind: Annotated[str, Query(max_length=40, description="Only of this register.")] = "",
    record: Annotated[str, Query(max_length=64, description="Only of this record.")] = "",
) -> dict[str, Any]:
    """List the legal holds in force on records one may see holds of."""
    found = [one for one in asks.desk.holds() if kind in ("", one["kind"]) and record in ("", one["record"])]
    return {"holds": [plain_row(one) for one in found]}


@holds.post("/{record_id}/lift", status_code=204)
def lift_hold(asks: Asks, record_id: RecordId, asked: Reasoned) -> None:
    """Lift a legal hold; what is due is erased the next time."""
    asks.desk.lift(record_id, asked.reason)
