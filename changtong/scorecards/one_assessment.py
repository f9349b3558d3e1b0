"""One assessment as a person reads it: what was said of every item, points, gaps, what is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from changtong.assessment.assess import assess
from changtong.assessment.card_folder import build_scorecard
from changtong.assessment.result import Assessment
from changtong.assessment.scorecard import STAGE_DAYS, STAGES, CardHead, Scorecard
from changtong.scorecards.card_records import (
    OF_CARD,
    OF_SUBJECT,
    ZONE,
    card_of,
    gap_of,
    head_of,
    rows_of,
    table_of_rows,
)
from changtong.storage.records import Record
from changtong.storage.scorecard_notices import notices_of
from changtong.storage.scorecards import CardRecords
from changtong.storage.seen_assessments import SeenAssessment, see_assessment
from changtong.storage.store import Desk

OF_HEAD = ("name_zh", "name_en", "version", "year", "provenance", "source", "note", "note_en", "decimals")
FEW = 3
"""Below so many, a mean of a region says little and is marked."""


@dataclass(frozen=True)
class OneAssessment:
    """One assessment.

    Attributes
    ----------
    seen : SeenAssessment
    alone : Assessment
        The card with this one alone: nothing taken over from below, no marks.
    whole : Assessment or None
        Of everybody; None where one may not see all that it is made of.
    """

    seen: SeenAssessment
    alone: Assessment
    whole: Assessment | None

    @property
    def subject_id(self) -> str:
        """Who is assessed."""
        return str(self.seen.one["subject_id"])

    @property
    def result(self) -> Assessment:
        """What counts, as far as the person sees it."""
        return self.whole or self.alone

    def place(self) -> dict[str, Any]:
        """Return the result: score, and where all are seen rank, peers, last year."""
        mine = pl.col("subject_id") == self.subject_id
        row = self.result.scores.row(by_predicate=mine, named=True)
        hidden = (
            ()
            if self.whole
            else ("rank", "peers", "tied", "gap_to_best", "last_score", "last_rank", "change")
        )
        return {
            name: None if name in hidden else value for name, value in row.items() if name != "entry"
        } | {"complete": self.result.complete}  # fmt: skip

    def to_json(self, on: date) -> dict[str, Any]:
        """Return it as plain values, as of a day."""
        one, found, card = self.seen.one, self.seen.found, self.result.card
        head = head_of(found)
        said = [record for record in found.statements if record["assessment"] == one.id]
        return {
            "card": {"card": found.scorecard.id, **{name: getattr(head, name) for name in OF_HEAD}},
            "subject": dict(one["data"]["subject"]), "record": one.id, "version": one.version,
            "state": one["state"], "deadlines": {name: getattr(head, name) or None for name in STAGE_DAYS},
            "due": due_of(head, one["state"], on), "may": sorted(self.seen.rights),
            "whole": self.whole is not None, "waiting_for": list(card.waiting_for), "result": self.place(),
            "items": self._items(), "findings": self._findings(), "gaps": self._gaps(),
            "statements": [
                {"stage": record["stage"], "said_at": record["said_at"].isoformat(),
                 **{name: record["content"].get(name) for name in ("by", "note", "facts")}}
                for record in sorted(said, key=lambda record: STAGES.index(record["stage"]))
            ],
            "rectifications": rectified(found, self.subject_id, on), "notices": notices_of(one),
        }  # fmt: skip

    def _items(self) -> list[dict[str, Any]]:
        """Return every indicator: what was said of it at each stage, what counts, what it would bring."""
        card, mine = self.alone.card, self.subject_id
        sections = {row["section_id"]: row for row in _plain(card.sections)}
        counted = {row["indicator_id"]: row for row in _of(self.result.point_table(), mine)}
        at_stage = {stage: _points_at(card, stage) for stage in STAGES if stage != "appeal"}
        gaps = {row["cause"]: row for row in _of(self.result.gaps(mine), mine)}
        steps = card.steps
        return [
            {**row, "steps": [list(step) for step in steps.get(row["indicator_id"], ())],
             "section_zh": sections[row["section_id"]]["name_zh"],
             "section_en": sections[row["section_id"]]["name_en"],
             "stages": {
                 stage: points[row["indicator_id"]]
                 for stage, points in at_stage.items() if row["indicator_id"] in points
             },
             "points": counted.get(row["indicator_id"], {}).get("points"),
             "counts": counted.get(row["indicator_id"], {}).get("stage"),
             "gap": gaps.get(f"indicator:{row['indicator_id']}")}
            for row in _plain(card.indicators)
        ]  # fmt: skip

    def _findings(self) -> list[dict[str, Any]]:
        rules = {row["rule_id"]: row for row in _plain(self.alone.card.rules)}
        return [
            {**row, "name_zh": rules[row["rule_id"]]["name_zh"], "name_en": rules[row["rule_id"]]["name_en"]}
            for row in _of(self.result.fact_table(), self.subject_id)
        ]

    def _gaps(self) -> list[dict[str, Any]]:
        """Return what is lost, what brings most first."""
        return _of(self.result.gaps(self.subject_id), self.subject_id)


def read_assessment(desk: Desk, card_id: str, subject_id: str) -> OneAssessment:
    """Return one assessment, for its own people and for who may see it.

    Parameters
    ----------
    desk : Desk
    card_id, subject_id : str

    Raises
    ------
    NotFoundError
    """
    seen = see_assessment(desk, card_id, subject_id)
    whole = assess(card_of(seen.found)) if seen.whole else None
    return OneAssessment(seen, assess(_card_alone(seen.found, subject_id)), whole)


def _card_alone(found: CardRecords, subject_id: str) -> Scorecard:
    """Return the card with one subject: no parent, no marks, and of the card what is for its level."""
    rows = rows_of(found)
    subject = next(row for row in rows["subjects"] if row["subject_id"] == subject_id)
    level = str(subject["level"])
    made = {name: list(rows[name]) for name in OF_CARD if name not in ("pass_through", "provenance")}
    made["subjects"] = [{name: value for name, value in subject.items() if name != "parent_id"}]
    for name in (*OF_SUBJECT, "stages"):
        made[name] = [row for row in rows[name] if row["subject_id"] == subject_id]
    for name in ("indicators", "rules"):
        for_it = [row for row in made[name] if not row.get("levels") or level in _levels(row)]
        made[name] = [{key: value for key, value in row.items() if key != "levels"} for row in for_it]
    for row in made["indicators"]:
        if row.get("if_missing") == "refuse":
            row["if_missing"] = "zero"
    return build_scorecard(head_of(found), {name: table_of_rows(name, of) for name, of in made.items()})


def _levels(row: Mapping[str, Any]) -> list[str]:
    return [one.strip() for one in str(row["levels"]).replace("，", ",").split(",")]


def _points_at(card: Scorecard, stage: str) -> dict[str, dict[str, Any]]:
    """Return what was said at a stage of each indicator, and the points that this brings."""
    there = card.values.filter(pl.col("stage").cast(pl.String) == stage)
    if there.is_empty():
        return {}
    points = assess(card.with_tables(values=there)).point_table()
    said = {row["indicator_id"]: row for row in _plain(there)}
    return {
        row["indicator_id"]: {
            "points": row["points"],
            **{
                name: said[row["indicator_id"]].get(name)
                for name in ("value", "evidence", "source", "given_by", "given_at")
            },
        }
        for row in _plain(points)
        if row["indicator_id"] in said
    }


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)).to_dicts()


def _of(frame: pl.DataFrame, subject_id: str) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name != "subject_id"}
        for row in _plain(frame)
        if row["subject_id"] == subject_id
    ]


def due_of(head: CardHead, state: str, on: date) -> dict[str, Any] | None:
    """Return the next stage with its last day, and whether that is past; None where nothing is due.

    Parameters
    ----------
    head : CardHead
    state : str
    on : date
    """
    waits = {"open": 0, "self_report": 1, "review": 2, "appeal": 3}.get(state)
    if waits is None or not getattr(head, STAGE_DAYS[waits]):
        return None
    by = getattr(head, STAGE_DAYS[waits])
    return {"stage": STAGES[waits], "by": by, "overdue": by < on.isoformat()}


def rectified(found: CardRecords, subject_id: str, on: date) -> list[dict[str, Any]]:
    """Return the rectifications of one that is assessed, the most urgent first."""
    rows = []
    for record in found.rectifications:
        subject, cause = gap_of(record["gap"], found.scorecard.id)
        if subject == subject_id:
            rows.append({"record": record.id, "cause": cause, **_rectification(record, on)})
    return sorted(rows, key=lambda row: row["deadline"])


def _rectification(record: Record, on: date) -> dict[str, Any]:
    day = record["deadline"].astimezone(ZONE).date()
    is_open = record["state"] not in ("accepted", "done")
    return {
        "title": record["title"], "state": record["state"], "deadline": record["deadline"].isoformat(),
        "evidence": record["evidence"], "version": record.version, "overdue": is_open and day < on,
    }  # fmt: skip


def count_rectifications(records: Sequence[Record], gap_begin: str, on: date) -> dict[str, int]:
    """Return how many rectifications of gaps that begin so are open, overdue and accepted.

    Parameters
    ----------
    records : sequence of Record
    gap_begin : str
        Card and subject, with a slash behind each.
    on : date
    """
    counts: Counter[str] = Counter(open=0, overdue=0, accepted=0)
    for record in records:
        if str(record["gap"]).startswith(gap_begin):
            counts["accepted" if record["state"] == "accepted" else "open"] += 1
            counts["overdue"] += _rectification(record, on)["overdue"]
    return dict(counts)


def compare_regions(result: Assessment, digits: int) -> list[dict[str, Any]]:
    """Return regions side by side, each among equals: one level, one group of peers.

    Parameters
    ----------
    result : Assessment
    digits : int
        Of the code of GB/T 2260 that make a region: 2 a province, 4 a city, 6 a county.

    Returns
    -------
    list of dict
        ``level``, ``peer_group``, ``region``, ``subjects``, ``median``, ``best``, ``worst``, ``to_peers``
        (its median less that of all peers), ``few``: so few subjects that it says little.
    """
    codes = result.card.subjects.select(pl.col("subject_id").cast(pl.String), "admin_code")
    group = ["level", "peer_group"]
    frame = result.scores.join(codes, on="subject_id").with_columns(
        region=pl.col("admin_code").str.slice(0, digits), of_all=pl.col("score").median().over(group)
    )
    return (
        frame.drop_nulls("region")
        .group_by(*group, "region", maintain_order=True)
        .agg(
            subjects=pl.len(),
            median=pl.col("score").median(),
            best=pl.col("score").max(),
            worst=pl.col("score").min(),
            to_peers=(pl.col("score").median() - pl.col("of_all").first()).round(6),
            few=pl.len() < FEW,
        )
        .sort(*group, "to_peers", "region", descending=[False, False, True, False])
        .to_dicts()
    )
