"""A kept card as people read it, its versions, and what changed from one to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from changtong._tables import ASSESSMENT_SET, CARD_TABLES
from changtong.assessment.scorecard import CardHead
from changtong.storage.records import Record
from changtong.storage.seen_assessments import see_card
from changtong.storage.store import Desk

OF_HEADING = ("card_id", "name_zh", "name_en", "version", "year", "provenance", "source", "note", "note_en")
WEIGHTIEST = {
    "sections": "weight", "indicators": "max_points", "rules": "points", "bands": "from_points",
    "departments": "weight", "pass_through": "deductions_permille",
}  # fmt: skip
"""Table of a card -> the column that tells of a row added or removed what it is worth."""

IDENTITY = ("card_id", "version", "year")
"""Of a head: what makes two cards two; it is no change."""


@dataclass(frozen=True)
class KeptCard:
    """A card of the registers without who is assessed by it.

    Attributes
    ----------
    record : Record
    versions : tuple of Record
        All that one may see of this card and organisation, the oldest kept first, itself among them.
    """

    record: Record
    versions: tuple[Record, ...]

    @property
    def later(self) -> str | None:
        """The version of the same year that was kept last, where it is a later one than this."""
        newest = [one for one in self.versions if one["year"] == self.record["year"]][-1]
        return None if newest.id == self.record.id else newest.id

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values: head, tables of the card, versions."""
        tables = tables_of(self.record)
        points = sum(float(row["max_points"]) for row in tables["indicators"])
        return heading_of(self.record) | {
            "head": dict(self.record["card"]["head"]), **tables, "points": points, "later": self.later,
            "versions": [heading_of(one) for one in self.versions],
        }  # fmt: skip

    def __str__(self) -> str:
        head, tables = self.record["card"]["head"], tables_of(self.record)
        lines = [
            f"{self.record.id}: {head['name_zh']} {head['year']}, version {head['version']}"
            f" ({head['provenance']}: {head['source']})",
        ]
        if self.later:
            lines.append(f"  a later version of this year is kept: {self.later}")
        lines += [
            f"  {row['indicator_id']:<24} {row['max_points']:g} points, {row['scoring']}  {row['name_zh']}"
            for row in tables["indicators"]
        ]
        lines += [
            f"  {row['rule_id']:<24} {row['effect']} {row.get('points', 0):g}  {row['name_zh']}"
            for row in tables["rules"]
        ]
        return "\n".join(lines)


def heading_of(record: Record) -> dict[str, Any]:
    """Return what a list says of a card: names, version, where it is from, when and whose.

    Parameters
    ----------
    record : Record
        Of the register ``scorecard``.
    """
    head = record["card"]["head"]
    return {"card": record.id, **{name: head.get(name, "") for name in OF_HEADING}} | {
        "subjects": record["subjects"], "organisation": record.organisation,
        "kept_at": record.created_at.isoformat(), "marks_are_blind": record["marks_shown_at"] is None,
    }  # fmt: skip


def tables_of(record: Record) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of the card itself: sections, indicators, rules, bands, departments, pass_through.

    Parameters
    ----------
    record : Record
    """
    kept = record["card"]["tables"]
    return {name: [dict(row) for row in kept.get(name, ())] for name in CARD_TABLES}


def read_kept_card(desk: Desk, card_id: str) -> KeptCard:
    """Return a card for who may see it, or is assessed by it.

    Parameters
    ----------
    desk : Desk
    card_id : str

    Raises
    ------
    NotFoundError
    """
    record = see_card(desk, card_id)
    same = [
        one
        for one in desk.every("scorecard")
        if one["card_id"] == record["card_id"] and one.organisation == record.organisation
    ]
    if all(one.id != record.id for one in same):
        same.append(record)
    return KeptCard(record, tuple(sorted(same, key=lambda one: (one.created_at, one.id))))


@dataclass(frozen=True)
class CardChanges:
    """What changed from one card to another.

    Attributes
    ----------
    before, after : Record
    rows : tuple of dict
        ``table`` (``head`` of the card's own words), ``key``, ``name_zh``, ``name_en``, ``change``
        (added, removed, changed), ``column``, ``before``, ``after``: a row a cell that changed; of a row
        that was added or removed what it is worth.
    """

    before: Record
    after: Record
    rows: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "before": heading_of(self.before), "after": heading_of(self.after),
            "changes": [dict(row) for row in self.rows],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.before.id} → {self.after.id}"]
        for row in self.rows:
            what = f" {row['column']}: {row['before']} → {row['after']}" if row["column"] else ""
            lines.append(f"  {row['change']:<8} {row['table']} {row['key']}{what}")
        return "\n".join(lines if self.rows else [*lines, "  nothing changed"])


def compare_cards(desk: Desk, before: str, after: str) -> CardChanges:
    """Return what changed from one kept card to another: of the card, not of who is assessed by it.

    Parameters
    ----------
    desk : Desk
    before, after : str

    Raises
    ------
    NotFoundError
    """
    one, other = see_card(desk, before), see_card(desk, after)
    heads = [_head_row(record["card"]["head"]) for record in (one, other)]
    rows = _changed("head", "", *heads)
    tables, others = tables_of(one), tables_of(other)
    for name in CARD_TABLES:
        rows += _of_table(name, tables[name], others[name])
    return CardChanges(one, other, tuple(rows))


def _head_row(head: Mapping[str, Any]) -> dict[str, Any]:
    whole = {name: item.default for name, item in CardHead.__dataclass_fields__.items()} | dict(head)
    return {name: value for name, value in whole.items() if name not in IDENTITY}


def _of_table(
    table: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    (key,) = ASSESSMENT_SET.tables[table].primary_key
    old, new = ({str(row[key]): row for row in rows} for rows in (before, after))
    made = []
    for name in dict.fromkeys((*old, *new)):
        if name in old and name in new:
            made += _changed(table, name, old[name], new[name])
        else:
            row, change = (old[name], "removed") if name in old else (new[name], "added")
            side, worth = ("before" if name in old else "after"), WEIGHTIEST[table]
            told = {"column": worth, side: row[worth]} if worth in row else {}
            made.append(_row(table, name, row, change) | told)
    return made


def _changed(
    table: str, key: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return [
        _row(table, key, after, "changed")
        | {"column": name, "before": before.get(name), "after": after.get(name)}
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _row(table: str, key: str, row: Mapping[str, Any], change: str) -> dict[str, Any]:
    return {
        "table": table, "key": key, "name_zh": row.get("name_zh"), "name_en": row.get("name_en"),
        "change": change, "column": None, "before": None, "after": None,
    }  # fmt: skip
