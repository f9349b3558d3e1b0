"""One filled form taken into the registers, within a piece of work: its record, its photos, its hazards."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from changtong.errors import DeniedError, InputError, Problem
from changtong.safety.collect import stored_photo
from changtong.safety.form import Form
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.photos import ENDINGS
from changtong.safety.received import Received
from changtong.storage.records import add_record, change_record, rows_to_decide
from changtong.storage.user_names import own_name, users_by_name
from changtong.storage.work import Work
from changtong.supervision_records.findings_taken import Taking, read_versions, take_findings
from changtong.supervision_records.inspection_rows import Versions, columns_of, versions_of, with_revision

CLOSED = ("reviewed", "cancelled")
"""States in which an inspection takes no revision."""


@dataclass(frozen=True)
class Ready:
    """A filled form with its photos cleaned: digest -> content."""

    received: Received
    filled: dict[str, Any]
    photos: dict[str, bytes]
    file: str
    problems: list[Problem]

    @property
    def about(self) -> str:
        """Id of the inspection."""
        return str(self.filled["inspection_id"])

    def attachment_id(self, digest: str) -> str:
        """Return the id of a photo of the inspection: the same whenever it is sent.

        Parameters
        ----------
        digest : str
        """
        return "P" + hashlib.sha256(f"{self.about}/{digest}".encode()).hexdigest()[:26]


@dataclass(frozen=True)
class Taken:
    """What one filled form brought; ``photos`` are those to keep, digest -> content."""

    counts: Counter[str]
    conflict: bool = False
    left: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    photos: dict[str, bytes] = field(default_factory=dict)


def made_ready(received: Received, file: str, *, keep_position: bool) -> Ready:
    """Clean the photos of a filled form.

    Parameters
    ----------
    received : Received
    file : str
        It came in, for problems.
    keep_position : bool
    """
    filled, photos = dict(received.filled), {}
    kept: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, content in received.photos.items():
        stored, facts = stored_photo(name, content, file, keep_position, problems)
        kept[name] = filled["photos"][name] | facts
        if stored is not None:
            photos[facts["sha256"]] = stored
    filled["photos"] = kept
    return Ready(received, filled, photos, file, problems)


def taking_of(work: Work, ready: Sequence[Ready], rules: HazardRules, forms: tuple[Form, ...]) -> Taking:
    """Look up and lock what filled forms are about, theirs and that of the versions they meet.

    Sites come first, then inspections, in order of ids: two who take in the same wait for each other and do
    not lock each other out.

    Parameters
    ----------
    work : Work
    ready : sequence of Ready
    rules : HazardRules
    forms : tuple of Form
        Beside the shipped ones.
    """
    names = {one.about for one in ready}
    there = [versions_of(row) for row in rows_to_decide(work, "inspection", "id", names)]
    filled = [one.filled for one in ready] + [head for one in there for head in one.heads.values()]
    named = _plain(str(one.get("site_id") or "") for one in filled)
    rows = rows_to_decide(work, "site", "site_id", named, lock=True)
    sites = {row["site_id"]: row for row in rows if work.may_see("site", row)}
    rows_to_decide(work, "inspection", "id", names, lock=True)
    me = own_name(work)
    people = _plain([me, *(name for one in filled for name in one.get("inspectors", []))])
    known = {name: one for name, one in users_by_name(work, people).items() if one.is_shown}
    return Taking(work, rules, forms, me, known, sites)


def _plain(texts: Iterable[str]) -> set[str]:
    """Leave out what no column can hold and so nothing is called by."""
    return {text for text in texts if text and "\0" not in text}


def look_up_photos(work: Work, ready: Iterable[Ready]) -> None:
    """Read which photos are attachments already in one go, where rows are held.

    Parameters
    ----------
    work : Work
    ready : iterable of Ready
    """
    rows_to_decide(
        work, "attachment", "id", (one.attachment_id(name) for one in ready for name in one.photos)
    )


def take_or_set_aside(taking: Taking, one: Ready) -> Taken:
    """Take one filled form in; where that may not be, nothing of it, and tell why.

    Parameters
    ----------
    taking : Taking
    one : Ready
    """
    try:
        with taking.work.part():
            return _take(taking, one)
    except InputError as error:
        return set_aside(one, error.problems)
    except DeniedError as error:
        if taking.work.refused is not None:  # tried in vain: on record, though the others go on
            taking.work.entries.append(taking.work.refused)
            taking.work.refused = None
        return set_aside(one, [Problem(error.code, str(error))])


def set_aside(one: Ready, problems: Iterable[Problem]) -> Taken:
    """Return what a filled form brought that could not be taken: why.

    Parameters
    ----------
    one : Ready
    problems : iterable of Problem
    """
    told = [
        replace(problem, message=f"inspection {one.about}: {problem.message}", file=one.file)
        for problem in problems
    ]
    return Taken(Counter(set_aside=1), problems=told)


def _take(taking: Taking, one: Ready) -> Taken:
    """Take one filled form in: its record, its photos, its hazards."""
    work, name = taking.work, one.about
    row = next(iter(rows_to_decide(work, "inspection", "id", [name], lock=True)), None)
    if row is not None and not work.may_see("inspection", row):
        raise InputError(
            [Problem("duplicate-record", "There is one with this id that you may not see.", column="id")]
        )
    versions = versions_of(row)
    is_new = not versions.knows(one.received.digest)
    if is_new:
        if row is not None and row["state"] in CLOSED:
            expected = "one that nobody has reviewed or cancelled"
            text = f"the inspection is {row['state']}: it takes no revision."
            raise InputError([Problem("bad-state", text, column="state", expected=expected)])
        versions = with_revision(versions, one.received, one.filled)
    found = read_versions(taking, versions)
    owner = _keep(taking, name, row, versions, len(found.findings))
    counts: Counter[str] = Counter(new=1) if is_new else Counter(known=1)
    photos = _attach(work, owner, one, counts) if is_new else {}
    taken, left = take_findings(taking, found)
    told = [*one.problems, *found.warnings] if is_new else []
    return Taken(counts + taken, versions.conflict, left, told, photos)


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


def _attach(work: Work, owner: tuple[str, str], one: Ready, counts: Counter[str]) -> dict[str, bytes]:
    """Add the photos of an inspection as attachments, equal ones once; return those whose file is to keep."""
    ids = {digest: one.attachment_id(digest) for digest in one.photos}
    there = {row["id"] for row in rows_to_decide(work, "attachment", "id", ids.values())}
    organisation, code = owner
    new: dict[str, bytes] = {}
    for name, photo in one.filled["photos"].items():
        digest = photo["sha256"]
        counts["photos_set_aside"] += digest is None
        counts["photos_cleaned"] += photo["cleaned"]
        if digest is None or ids[digest] in there:
            continue
        there.add(ids[digest])
        counts["photos_new"] += 1
        values = {
            "about_kind": "inspection", "about": one.about, "name": f"{name}.{ENDINGS[photo['media_type']]}",
            "media_type": photo["media_type"], "size_bytes": photo["bytes"], "sha256": digest,
        }  # fmt: skip
        add_record(
            work, "attachment", values, organisation=organisation, admin_code=code, record_id=ids[digest]
        )
        new[digest] = one.photos[digest]
    return new
