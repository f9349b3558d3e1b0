"""Takes filled forms from phones into the registers: each exactly once, photos and hazards with it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from changtong.errors import DeniedError, InputError, Problem
from changtong.safety.collect import content_of, stored_photo
from changtong.safety.form import Form
from changtong.safety.form_file import read_forms
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.photos import ENDINGS
from changtong.safety.received import Received, read_received
from changtong.storage.attachments import lock_erasing
from changtong.storage.records import add_record, change_record, rows_to_decide
from changtong.storage.store import Desk
from changtong.storage.user_names import own_name, users_by_name
from changtong.storage.work import Work
from changtong.supervision_records.collected import CollectedRecords, collected_records
from changtong.supervision_records.findings_taken import Taking, read_versions, take_findings
from changtong.supervision_records.inspection_rows import (
    EARLIEST,
    Versions,
    columns_of,
    instant,
    versions_of,
    with_revision,
)
from changtong.supervision_records.two_at_once import done_or_found

AT_ONCE = 100
"""Inspections of one transaction: others wait no longer than two or three seconds."""

CLOSED = ("reviewed", "cancelled")
"""States in which an inspection takes no revision."""


@dataclass
class _Run:
    """What is known and counted in a run."""

    rules: HazardRules
    forms: tuple[Form, ...]
    keep_position: bool
    counts: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    left: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Ready:
    """A filled form with its photos cleaned: digest -> content."""

    received: Received
    filled: dict[str, Any]
    photos: dict[str, bytes]
    file: str
    problems: list[Problem]


@dataclass(frozen=True)
class _Taken:
    """What one filled form brought."""

    counts: Counter[str]
    conflict: bool
    left: list[dict[str, str]]
    warnings: list[Problem]


def collect_into_registers(
    desk: Desk,
    paths: Sequence[str | os.PathLike[str]],
    rules: HazardRules,
    *,
    forms_folder: str | os.PathLike[str] | None = None,
    keep_position: bool = False,
) -> CollectedRecords:
    """Take filled forms from phones into the registers of a desk.

    An inspection is one record under the id the phone made. Photos are its attachments; findings that need
    rectification open hazards, or are noted with the hazard there is. Sent twice, nothing is added twice.

    Parameters
    ----------
    desk : Desk
    paths : sequence of path
        Files that the page for phones exported.
    rules : HazardRules
        How long after its end a hazard is opened again.
    forms_folder : path, optional
        Forms of the user's own.
    keep_position : bool
        Keep what cameras wrote into photos, position included.

    Raises
    ------
    InputError
        ``bad-form``.
    DeniedError
        ``session-over``. What the person has no right to is set aside and told.
    """
    forms = read_forms(forms_folder) if forms_folder is not None else ()
    run = _Run(rules, forms, keep_position)
    run.counts["files"] = len(paths)
    for path in map(Path, paths):
        content = content_of(path, run.problems)
        if content is None:
            run.counts.update(read=1, set_aside=1)
            continue
        found = read_received(content, path.name)
        run.counts.update(read=len(found.inspections) + len(found.refused), set_aside=len(found.refused))
        run.problems += [problem for _, why in found.refused for problem in why]
        for some in _parts(found.inspections):
            _take_part(desk, some, path.name, run)
    return collected_records(run.counts, run.conflicts, run.left, run.problems)


def _parts(received: Sequence[Received]) -> Iterator[list[Received]]:
    """Give what one transaction takes, the oldest first: a hazard is opened before it is seen again."""
    order = sorted(received, key=lambda one: (instant(one.filled.get("saved_at")) or EARLIEST, one.digest))
    for begin in range(0, len(order), AT_ONCE):
        yield order[begin : begin + AT_ONCE]


def _take_part(desk: Desk, some: list[Received], file: str, run: _Run) -> None:
    """Take some inspections in, in one transaction; what cannot be taken is set aside, alone."""
    ready = [_ready(one, file, run) for one in some]
    with desk.work(writes=True) as work:
        lock_erasing(work.connection, alone=False)  # nobody sweeps the photos before their records are there
        # in order of ids: two who take in the same wait for each other and do not lock each other out
        named = {str(one.filled.get("site_id") or "") for one in ready}
        rows = rows_to_decide(work, "site", "site_id", _plain(named), lock=True)
        sites = {row["site_id"]: row for row in rows if work.may_see("site", row)}
        rows_to_decide(work, "inspection", "id", (one.filled["inspection_id"] for one in ready), lock=True)
        me = own_name(work)
        people = {name for one in ready for name in one.filled.get("inspectors", [])} | {me}
        known = {name: one for name, one in users_by_name(work, _plain(people)).items() if one.is_shown}
        taking = Taking(work, run.rules, run.forms, me, known, sites)
        for one in ready:
            _take_or_set_aside(desk, taking, one, run)


def _plain(texts: set[str]) -> list[str]:
    """Leave out what no column can hold and so nothing is called by."""
    return [text for text in texts if text and "\0" not in text]


def _ready(received: Received, file: str, run: _Run) -> _Ready:
    filled, photos = dict(received.filled), {}
    kept: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, content in received.photos.items():
        stored, facts = stored_photo(name, content, file, run.keep_position, problems)
        kept[name] = filled["photos"][name] | facts
        if stored is not None:
            photos[facts["sha256"]] = stored
    filled["photos"] = kept
    return _Ready(received, filled, photos, file, problems)


def _take_or_set_aside(desk: Desk, taking: Taking, one: _Ready, run: _Run) -> None:
    about = one.filled["inspection_id"]
    try:
        taken = done_or_found(taking.work, lambda: _take(desk, taking, one))
    except InputError as error:
        problems = list(error.problems)
    except DeniedError as error:
        if taking.work.refused is not None:  # tried in vain: on record, though the others go on
            taking.work.entries.append(taking.work.refused)
            taking.work.refused = None
        problems = [Problem(error.code, str(error))]
    else:
        run.counts += taken.counts
        run.conflicts += [about] if taken.conflict else []
        run.left += taken.left
        run.problems += [*one.problems, *taken.warnings] if taken.counts["new"] else []
        return
    run.counts["set_aside"] += 1
    run.problems += [
        replace(problem, message=f"inspection {about}: {problem.message}", file=one.file)
        for problem in problems
    ]


def _take(desk: Desk, taking: Taking, one: _Ready) -> _Taken:
    """Take one filled form in: its record, its photos, its hazards."""
    work, name = taking.work, one.filled["inspection_id"]
    row = next(iter(rows_to_decide(work, "inspection", "id", [name], lock=True)), None)
    if row is not None and not work.may_see("inspection", row):
        raise InputError(
            [Problem("duplicate-record", "There is one with this id that you may not see.", column="id")]
        )
    versions = versions_of(row)
    counts: Counter[str] = Counter()
    if versions.knows(one.received.digest):
        counts["known"] = 1
    else:
        if row is not None and row["state"] in CLOSED:
            expected = "one that nobody has reviewed or cancelled"
            text = f"the inspection is {row['state']}: it takes no revision."
            raise InputError([Problem("bad-state", text, column="state", expected=expected)])
        counts["new"] = 1
        versions = with_revision(versions, one.received, one.filled)
    found = read_versions(taking, versions)
    target = _keep(taking, name, row, versions, found.findings.height)
    if counts["new"]:
        counts += _attach(desk, work, name, target, one)
    taken, left = take_findings(taking, found)
    return _Taken(counts + taken, versions.conflict, left, found.warnings)


def _keep(
    taking: Taking, name: str, row: Mapping[Any, Any] | None, versions: Versions, findings: int
) -> tuple[str, str]:
    """Add or change the record of an inspection; return its organisation and place."""
    values = columns_of(versions, taking.work.at) | {"findings": findings}
    head = versions.newest
    site = taking.sites.get(str(head.get("site_id") or ""))
    values["site"] = site["id"] if site is not None else None
    values["inspector"] = next(
        (taking.people[one].id for one in head.get("inspectors", []) if one in taking.people), None
    )
    if row is None:
        made = add_record(taking.work, "inspection", values, record_id=name, by_ledger=True)
        return made.organisation, made.admin_code
    if row["state"] in ("finished", *CLOSED):  # what was finished stays so; only a decision opens it again
        values |= {"state": row["state"], "finished_at": row["finished_at"]}
    if row["revisions"] == versions.revisions:  # known: only what could not be told before is added
        values = {"site": row["site"] or values["site"], "findings": findings}
        if row["state"] in CLOSED or all(row[key] == value for key, value in values.items()):
            return row["organisation"], row["admin_code"]
    made = change_record(taking.work, "inspection", name, row["version"], values, right="change")
    return made.organisation, made.admin_code


def _attach(desk: Desk, work: Work, about: str, owner: tuple[str, str], one: _Ready) -> Counter[str]:
    """Keep the photos of an inspection as attachments, equal ones once."""
    counts: Counter[str] = Counter()
    ids = {digest: _attachment_id(about, digest) for digest in one.photos}
    there = {row["id"] for row in rows_to_decide(work, "attachment", "id", ids.values())}
    organisation, code = owner
    for name, photo in one.filled["photos"].items():
        digest = photo["sha256"]
        counts["photos_set_aside"] += digest is None
        counts["photos_cleaned"] += photo["cleaned"]
        if digest is None or ids[digest] in there:
            continue
        there.add(ids[digest])
        counts["photos_new"] += 1
        values = {
            "about_kind": "inspection", "about": about, "name": f"{name}.{ENDINGS[photo['media_type']]}",
            "media_type": photo["media_type"], "size_bytes": photo["bytes"], "sha256": digest,
        }  # fmt: skip
        add_record(
            work, "attachment", values, organisation=organisation, admin_code=code, record_id=ids[digest]
        )
        desk.keep_file(one.photos[digest])  # before the record is there for others
    return counts


def _attachment_id(about: str, digest: str) -> str:
    """Return the id of a photo of an inspection: the same whenever it is sent."""
    return "P" + hashlib.sha256(f"{about}/{digest}".encode()).hexdigest()[:26]
