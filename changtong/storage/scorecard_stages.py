"""What is said of one that is assessed by a card in the registers, stage by stage.

::

    open ──report──► self_report ──review──► review ──appeal──► appeal
      └───────────────review────────────────►  │                   │
                                               └──────decide──────► final

Reporting and appealing is for the people of who is assessed, all else for those of other organisations whose
role reaches the card too: who sees it only because it names them as a department marks, and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from changtong.errors import ConflictError, InputError, Problem
from changtong.rights.decide import Target
from changtong.storage.definitions import state_changes
from changtong.storage.records import Record, add_record, change_record
from changtong.storage.scorecards import denied, one_within, single_id
from changtong.storage.store import Desk
from changtong.storage.work import Work

WAYS: Mapping[str, str] = {"self_report": "report", "review": "assess", "appeal": "report", "final": "decide"}
"""Stage -> the right that reaching it needs."""


def say(
    desk: Desk,
    card_id: str,
    subject_id: str,
    stage: str,
    content: Mapping[str, Any],
    *,
    version: int | None = None,
    reason: str = "",
) -> Record:
    """Put down a self-report, a review, an appeal or the final word, and go on to this stage.

    What was said at the stage that was reached last may be said anew; the final word may not.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str
    stage : str
        self_report, review, appeal or final.
    content : mapping
        ``values``, ``facts``, ``note``; whose people said it is added.
    version : int, optional
        Of the assessment, as it was read; without it whatever it is now.
    reason : str

    Returns
    -------
    Record
        The assessment, as it is now.

    Raises
    ------
    InputError
        ``bad-state``: this stage cannot follow.
    ConflictError
        It was changed since it was read.
    DeniedError
        ``not-allowed``; ``own-review``: who reviewed it does not decide on the appeal.
    """
    with desk.work(writes=True) as work:
        found = one_within(work, card_id, subject_id, lock=True)
        one = found.assessments[0]
        target = Target("scorecard", one.path, one.admin_code)
        work.allow(WAYS[stage], target, one.id, kind=one.kind)
        if stage in ("review", "final"):
            work.allow("conduct", found.scorecard.target, one.id, kind=one.kind)
        _check_way(one["state"], stage)
        if version is not None and version != one.version:
            text = f"{subject_id} is at version {one.version} now: it was changed since you read {version}."
            raise ConflictError(text, wanted=dict(content), current=one)
        said = {record["stage"]: record for record in found.statements}
        if stage == "final" and "appeal" in said and said["review"].updated_by == work.person.user_id:
            text = "Who reviewed it does not decide on the appeal against it."
            raise denied(work, "decide", one.target, one.id, text, "own-review")
        right = (WAYS[stage], target)
        _put(work, one, said.get(stage), stage, content, right, reason)
        return _reach(work, one, stage, right, reason)


def _put(
    work: Work,
    one: Record,
    old: Record | None,
    stage: str,
    content: Mapping[str, Any],
    right: tuple[str, Target],
    reason: str,
) -> None:
    """Write what is said, in the place of what was said at this stage before."""
    values = {"content": {**content, "by": work.organisation}, "said_at": work.at}
    if old is not None:
        change_record(work, "statement", old.id, old.version, values, reason, right)
        return
    add_record(
        work, "statement", {**values, "assessment": one.id, "stage": stage}, organisation=one.organisation,
        admin_code=one.admin_code, record_id=single_id(one.id, stage), reason=reason, right=right,
    )  # fmt: skip


def _check_way(state: str, stage: str) -> None:
    """Refuse a stage that cannot follow."""
    ways = {(old, new) for (kind, old, new) in state_changes() if kind == "assessment"}
    if (state, stage) in ways or (state == stage and stage != "final"):
        return
    onward = ", ".join(new for old, new in sorted(ways) if old == state) or "nothing more"
    text = f"An assessment that has reached {state} cannot go to {stage}."
    raise InputError([Problem("bad-state", text, column="stage", expected=onward)])


def _reach(work: Work, one: Record, stage: str, right: tuple[str, Target], reason: str) -> Record:
    """Write the stage; what is said anew is a new version as well, so that nobody decides on an older one."""
    if one["state"] != stage:
        return change_record(work, "assessment", one.id, one.version, {"state": stage}, reason, right)
    data = dict(one["data"])
    data["said_again"] = int(data.get("said_again", 0)) + 1
    return change_record(work, "assessment", one.id, one.version, {"data": data}, reason, right)
