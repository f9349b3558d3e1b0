"""Supervision over the API: which hazards are due and who is told, and decisions with their tasks."""

from __future__ import annotations

import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from fastapi.encoders import jsonable_encoder
from pydantic import Field

from changtong.api.answers import Asked, Key, Once, Word, Words
from changtong.api.people import Asks, Serves
from changtong.safety.decision import Decision, read_decision
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.supervision_records.hazard_register import update_hazard_register
from changtong.supervision_records.task_register import update_task_register
from changtong.supervision_records.work_handed_over import hand_over_work

router = APIRouter(prefix="/api/v1/supervision", tags=["safety"])


class DecisionAsked(Asked):
    """A decision with its tasks."""

    decision: str = Field(max_length=400_000, description="TOML, as `safety tasks` reads it.")
    on: date | None = Field(default=None, description="Day of the report; today without it.")


def _today(zone: str) -> date:
    return datetime.now(ZoneInfo(zone)).date()


class WorkAsked(Asked):
    """Whose open work goes to whom."""

    giver: Word = Field(min_length=1, description="Name of the user whose work it is.")
    taker: Word = Field(min_length=1, description="Name of the user who takes it.")
    reason: Words = Field(default="", description="Why; no names of persons. A dry run needs none.")
    dry_run: bool = Field(default=False, description="Only tell what would be handed over.")


@router.post("/hand-over")
def hand_over(asks: Asks, serves: Serves, asked: WorkAsked, idempotency_key: Key = "") -> Response:
    """Hand the open work of one person to another: what can be, each by its right; the rest is listed."""
    once = Once(asks, serves, "" if asked.dry_run else idempotency_key, "hand-over-work", asked)

    def give() -> dict[str, Any]:
        made = hand_over_work(asks.desk, asked.giver, asked.taker, asked.reason, dry_run=asked.dry_run)
        return made.to_json()

    return once.answer(give, 200)


@router.get("/hazards")
def read_hazards(
    asks: Asks,
    on: Annotated[date | None, Query(description="As of this day; today without it.")] = None,
    ahead_days: Annotated[int, Query(ge=0, le=366)] = 0,
) -> dict[str, Any]:
    """Tell which hazards are due or overdue, who is told, and how many there are in each state."""
    rules = read_hazard_rules()
    found = update_hazard_register(asks.desk, rules, on or _today(rules.zone), ahead_days=ahead_days)
    return found.to_json()


@router.post("/decisions", status_code=201)
def keep_decision(asks: Asks, serves: Serves, asked: DecisionAsked, idempotency_key: Key = "") -> Response:
    """Register the tasks of a decision where they are not yet, and report on them: due, late, done in time.

    The same decision sent again registers nothing and reports anew; another one under its id is refused.
    """
    once = Once(asks, serves, idempotency_key, "decision", asked)

    def keep() -> dict[str, Any]:
        decision = _decision(asked.decision)
        kept = update_task_register(asks.desk, decision, asked.on or _today(decision.zone))
        facts: dict[str, Any] = jsonable_encoder(kept.to_json())
        return facts

    return once.answer(keep)


def _decision(text: str) -> Decision:
    with tempfile.TemporaryDirectory(prefix="changtong-decision-") as place:
        file = Path(place) / "decision.toml"
        file.write_text(text, "utf-8")
        return read_decision(file)
