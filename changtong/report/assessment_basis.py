"""What a computed value was made of, one click away from it: counts, items, input with its digest, when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from changtong.assessment.result import Assessment
from changtong.assessment.value_sources import value_sources
from changtong.report.daily_words import foreign
from changtong.report.texts import Both, has_text, joined, named, same, text, whole

MOST_SHOWN = 40
"""Items shown behind one value; the others are in the table ``computed_from``."""


class Basis:
    """The computed values of a result by subject and indicator.

    Parameters
    ----------
    result : Assessment
    """

    def __init__(self, result: Assessment) -> None:
        card = result.card
        keys = pl.col("subject_id", "indicator_id").cast(pl.String)
        self.result = result
        self.rows: dict[tuple[str, str], dict[str, Any]] = {
            (row["subject_id"], row["indicator_id"]): row
            for row in card.computed.with_columns(keys).iter_rows(named=True)
        }
        self.items: dict[tuple[Any, ...], pl.DataFrame] = {}
        if card.computed_from.height:
            items = card.computed_from.with_columns(keys)
            self.items = items.partition_by("subject_id", "indicator_id", as_dict=True)
        self.columns = {str(name): place for place, name in enumerate(card.indicators["indicator_id"])}

    def of(self, subject: str, indicator: str | None) -> dict[str, Any] | None:
        """Return what stands behind a value as the page shows it; None where it was not computed.

        Parameters
        ----------
        subject : str
        indicator : str or None
        """
        row = self.rows.get((subject, indicator or ""))
        if row is None or not self._counts(subject, row):
            return None
        source = value_sources().get(row["source"])
        title = same(row["source"]) if source is None else Both(source.name_zh, source.name_en)
        facts = [
            (text("assess.basis_source"), Both(f"{title.zh} {row['source']}", f"{title.en} {row['source']}")),
            (text("assess.basis_period"), same(f"{row['begin']} – {row['end']}")),
            (text("assess.basis_input"), same(foreign(row["input"] or "–"))),
            (text("assess.basis_digest"), same(row["digest"] or "–")),
            (text("assess.basis_at"), same(row["computed_at"])),
        ]
        if row["note"]:
            facts.append((text("assess.basis_note"), same(foreign(row["note"]))))
        items = self.items.get((subject, indicator))
        shown = [] if items is None else [_item(one) for one in items.head(MOST_SHOWN).iter_rows(named=True)]
        more = 0 if items is None else items.height - len(shown)
        return {
            "said": _said(row),
            "facts": facts,
            "items": shown,
            "more": text("assess.basis_more", count=whole(more)) if more else None,
        }

    def _counts(self, subject: str, row: Mapping[str, Any]) -> bool:
        """Tell whether the value that counts is the computed one, or none counts."""
        at = int(self.result.points.rows[self.result.row_of(subject), self.columns[row["indicator_id"]]])
        return at < 0 or self.result.card.values["source"][at] == row["source"]


def _said(row: Mapping[str, Any]) -> Both:
    """Say a value as what was counted of how many, or why there is none."""
    if row["value"] is None:
        return text("assess.basis_none", why=named("assess_why_not", row["why_not"]))
    part = _number(row["numerator"])
    return same(part if row["denominator"] is None else f"{part} / {_number(row['denominator'])}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.10g}"


def _item(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": foreign(one["item_id"]),
        "what": _how(one["what"] or ""),
        "count": _said({"value": 0, **one}),
    }


def _how(what: str) -> Both:
    """Say how an item was counted."""
    if what.startswith("lacks "):
        lacking = what.removeprefix("lacks ").split(", ")
        return text("assess.basis_lacks", what=joined([named("assess_criterion", one) for one in lacking]))
    key = f"assess_counted.{what.replace(' ', '_')}"
    return text(key) if has_text(key) else same(foreign(what))
