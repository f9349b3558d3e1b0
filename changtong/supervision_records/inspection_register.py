"""Takes filled forms from phones into the registers: each exactly once, photos and hazards with it."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from changtong.errors import InputError, Problem
from changtong.safety.collect import content_of
from changtong.safety.form import Form
from changtong.safety.form_file import read_forms
from changtong.safety.hazard_rules import HazardRules
from changtong.safety.received import Received, ReceivedFile, read_received
from changtong.storage.attachments import lock_erasing
from changtong.storage.store import Desk
from changtong.storage.work import Work
from changtong.supervision_records.collected import COUNTS, CollectedRecords, collected_records
from changtong.supervision_records.findings_taken import look_up_hazards, said_by
from changtong.supervision_records.inspection_rows import EARLIEST, instant
from changtong.supervision_records.inspections_taken import (
    Ready,
    Taken,
    look_up_photos,
    made_ready,
    set_aside,
    take_or_set_aside,
    taking_of,
)
from changtong.supervision_records.two_at_once import done_or_found

AT_ONCE = 200
"""Inspections of one transaction: others wait no longer than a second or two."""

PHOTO_BYTES_AT_ONCE = 100_000_000
"""Of photos of one transaction, where it has several inspections."""


@dataclass
class _Run:
    """What is known and counted in a run; problems by the number of their file."""

    rules: HazardRules
    forms: tuple[Form, ...]
    keep_position: bool
    counts: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)
    left: list[dict[str, str]] = field(default_factory=list)
    problems: dict[int, list[Problem]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class _Sent:
    """A filled form, and the file it came in: its name and its number."""

    received: Received
    file: str
    number: int


Outcome = Literal["added", "known", "conflict", "refused"]


@dataclass(frozen=True)
class SyncAnswer:
    """What became of one filled form that a phone sent.

    Attributes
    ----------
    inspection_id, revision_id : str
        As the phone made them; empty where it sent none that can be read.
    outcome : str
        ``added``; ``known``: it was here before, nothing was changed; ``conflict``: it was changed in two
        places, both versions are kept; ``refused``: nothing of it was kept.
    counts : dict
        Photos and findings of it, by the names of `collected.COUNTS`.
    findings_left : tuple of dict
    problems : tuple of Problem
        Why it was refused, or warnings.
    """

    inspection_id: str
    revision_id: str
    outcome: Outcome
    counts: dict[str, int]
    findings_left: tuple[dict[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "inspection_id": self.inspection_id, "revision_id": self.revision_id, "outcome": self.outcome,
            "counts": self.counts, "findings_left": list(self.findings_left),
            "problems": [one.to_dict() for one in self.problems],
        }  # fmt: skip


def sync_inspections(
    desk: Desk, content: bytes, rules: HazardRules, name: str = "sent.json"
) -> tuple[CollectedRecords, tuple[SyncAnswer, ...]]:
    """Take what a phone sends when it is online again; each filled form is answered by itself.

    Sent again, whole or in part, whatever was cut off: nothing is there twice.

    Parameters
    ----------
    desk : Desk
    content : bytes
        As a file that the page for phones exports.
    rules : HazardRules
    name : str
        By which problems name what was sent.

    Returns
    -------
    tuple of CollectedRecords and tuple of SyncAnswer
        What all of it brought, and each in the order it was sent; what is no such file at all has no answer
        of its own.

    Raises
    ------
    DeniedError
        ``session-over``.
    """
    found = read_received(content, name)
    run = _Run(rules, (), False)
    run.counts.update(files=1, read=len(found.inspections) + len(found.refused), set_aside=len(found.refused))
    run.problems[0] += [problem for _, why in found.refused for problem in why]
    refused = {int(why[0].row): (part, why) for part, why in found.refused if why[0].row is not None}
    answers = {row: _refused(*told) for row, told in refused.items()}
    others = (row for row in itertools.count(1) if row not in refused)
    row_of = {id(one): row for one, row in zip(found.inspections, others, strict=False)}
    for some in _parts(_oldest_first(found, name, 0)):
        for one, made in zip(some, _take_part(desk, some, run), strict=True):
            answers[row_of[id(one.received)]] = _answer(one, made)
    told = tuple(answers[row] for row in sorted(answers))
    return collected_records(run.counts, run.conflicts, run.left, run.problems[0]), told


def _answer(sent: _Sent, made: Taken) -> SyncAnswer:
    outcome: Outcome = "added" if made.counts["new"] else "known"
    if made.counts["set_aside"]:
        outcome = "refused"
    elif made.conflict:
        outcome = "conflict"
    counts = {name: made.counts[name] for name in COUNTS if name not in ("files", "read")}
    filled = sent.received.filled
    ids = (str(filled["inspection_id"]), str(filled["revision_id"]))
    return SyncAnswer(*ids, outcome, counts, tuple(made.left), tuple(made.problems))


def _refused(part: bytes, why: Sequence[Problem]) -> SyncAnswer:
    told = json.loads(part)
    ids = [told.get(key, "") if isinstance(told, dict) else "" for key in ("inspection_id", "revision_id")]
    named = [one[:64] if isinstance(one, str) else "" for one in ids]
    return SyncAnswer(named[0], named[1], "refused", {}, (), tuple(why))


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
    for some in _parts(_sent(map(Path, paths), run)):
        _take_part(desk, some, run)
    problems = [problem for number in sorted(run.problems) for problem in run.problems[number]]
    return collected_records(run.counts, run.conflicts, run.left, problems)


def _sent(paths: Iterable[Path], run: _Run) -> Iterator[_Sent]:
    """Give the filled forms file by file, of each the oldest first: a hazard is opened before it is seen."""
    for number, path in enumerate(paths):
        content = content_of(path, run.problems[number])
        if content is None:
            run.counts.update(read=1, set_aside=1)
            continue
        found = read_received(content, path.name)
        run.counts.update(read=len(found.inspections) + len(found.refused), set_aside=len(found.refused))
        run.problems[number] += [problem for _, why in found.refused for problem in why]
        yield from _oldest_first(found, path.name, number)


def _oldest_first(found: ReceivedFile, name: str, number: int) -> Iterator[_Sent]:
    for one in sorted(
        found.inspections, key=lambda one: (instant(one.filled.get("saved_at")) or EARLIEST, one.digest)
    ):
        yield _Sent(one, name, number)


def _parts(sent: Iterable[_Sent]) -> Iterator[list[_Sent]]:
    """Give what one transaction takes, of one file or of several."""
    some: list[_Sent] = []
    size = 0
    for one in sent:
        more = sum(map(len, one.received.photos.values()))
        if some and (len(some) >= AT_ONCE or size + more > PHOTO_BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(one)
        size += more
    if some:
        yield some


def _take_part(desk: Desk, some: list[_Sent], run: _Run) -> list[Taken]:
    """Take some inspections in, in one transaction; what cannot be taken is set aside, alone."""
    ready = [made_ready(one.received, one.file, keep_position=run.keep_position) for one in some]
    with desk.work(writes=True) as work:
        lock_erasing(work.connection, alone=False)  # nobody sweeps the photos before their records are there
        taken = _take_together(desk, work, ready, run)
    for one, sent, made in zip(ready, some, taken, strict=True):
        run.counts += made.counts
        run.conflicts += [one.about] if made.conflict else []
        run.left += made.left
        run.problems[sent.number] += made.problems
    return taken


def _take_together(desk: Desk, work: Work, ready: Sequence[Ready], run: _Run) -> list[Taken]:
    """Take inspections in with few questions; where the database refuses them, one by one."""
    try:
        return done_or_found(work, lambda: _take_all(desk, work, ready, run))
    except InputError as error:
        if len(ready) == 1:
            return [set_aside(ready[0], error.problems)]
    with work.holding():  # what a part has locked is free again where it failed
        taking_of(work, ready, run.rules, run.forms)
    return [made for one in ready for made in _take_together(desk, work, [one], run)]


def _take_all(desk: Desk, work: Work, ready: Sequence[Ready], run: _Run) -> list[Taken]:
    with work.holding():
        taking = taking_of(work, ready, run.rules, run.forms)
        look_up_photos(work, ready)
        look_up_hazards(taking, [said_by(taking, one.received.digest, one.filled) for one in ready])
        taken = [take_or_set_aside(taking, one) for one in ready]
        for content in {digest: photo for one in taken for digest, photo in one.photos.items()}.values():
            desk.keep_file(content)  # before the records are there for others
    return taken
