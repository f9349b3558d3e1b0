"""Measures by kind of site: what the last inspection of each site found missing, what was never seen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from changtong.epidemic.tables import TableReader, shipped
from changtong.errors import NotFoundError
from changtong.safety.collection import Collection
from changtong.safety.form import NOT_APPLICABLE, Form, Item, is_asked, is_bad
from changtong.safety.form_file import find_form

FILE = "site_forms.csv"
SCHEMA: dict[str, pl.DataType] = {
    "site_kind": pl.String(),
    "form_id": pl.String(),
    "provenance": pl.String(),
    "source": pl.String(),
}
MEASURE_SCHEMA: dict[str, Any] = {
    "site_id": pl.String, "form_id": pl.String, "item_id": pl.String, "number": pl.String, "state": pl.String,
    "zh": pl.String, "en": pl.String, "answer": pl.String, "note": pl.String, "inspected_on": pl.Date,
    "basis": pl.String, "provenance": pl.String,
}  # fmt: skip
COUNT_SCHEMA: dict[str, Any] = {
    "site_id": pl.String, "kind": pl.String, "form_id": pl.String, "asked": pl.Int64, "met": pl.Int64,
    "missing": pl.Int64, "unanswered": pl.Int64, "inspected_on": pl.Date, "state": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """What is missing at which site.

    Attributes
    ----------
    measures : polars.DataFrame
        A row a site and item of its form: ``state`` is met, missing (a bad answer), unanswered, recorded
        (answers that are neither good nor bad, as texts and numbers without limits), not_applicable.
    counts : polars.DataFrame
        A row a site: ``state`` is inspected, never_inspected, no_form.
    """

    measures: pl.DataFrame
    counts: pl.DataFrame

    @property
    def missing(self) -> pl.DataFrame:
        """The measures that are missing."""
        return self.measures.filter(pl.col("state") == "missing")

    def to_json(self) -> dict[str, Any]:
        """Return the counts as one JSON object."""
        by_state = dict(self.counts.group_by("state").len().sort("state").iter_rows())
        days = pl.col("inspected_on").cast(pl.String)
        return {
            "sites": self.counts.height,
            "by_state": by_state,
            "missing": self.missing.height,
            "counts": self.counts.with_columns(days).to_dicts(),
            "missing_measures": self.missing.with_columns(days).to_dicts(),
        }

    def __str__(self) -> str:
        facts = self.to_json()
        said = ", ".join(f"{state} {count}" for state, count in facts["by_state"].items())
        lines = [f"Measures at {facts['sites']} sites ({said}); missing {facts['missing']}"]
        for row in self.missing.iter_rows(named=True):
            lines.append(f"  {row['site_id']} {row['form_id']} {row['number']}: {row['zh']} / {row['en']}")
        never = self.counts.filter(pl.col("state") == "never_inspected")["site_id"].to_list()
        lines += [f"  never inspected: {', '.join(never)}"] if never else []
        return "\n".join(lines)


def read_site_forms(reader: TableReader, forms: Sequence[Form] = ()) -> dict[str, Form]:
    """Return the form of each kind of site.

    Parameters
    ----------
    reader : TableReader
    forms : sequence of Form
        Beside the shipped ones.
    """
    path = reader.place(FILE) or shipped(FILE)
    frame = reader.table(path, SCHEMA, ("site_kind", "form_id", "provenance"), key=("site_kind",))
    made = {}
    for row in frame.iter_rows(named=True):
        try:
            made[row["site_kind"]] = find_form(row["form_id"], None, more=tuple(forms))
        except NotFoundError as error:
            reader.add("unknown-form", str(error), FILE, row["row"], "form_id")
    return made


def count_measures(
    sites: Mapping[str, str | None],
    forms: Mapping[str, Form],
    collection: Collection,
    day: date,
    *,
    zone: str = "Asia/Shanghai",
    more: Sequence[Form] = (),
) -> Measures:
    """Count the measures of each site by its last inspection with the form of its kind.

    Parameters
    ----------
    sites : mapping
        Site -> kind.
    forms : mapping
        Kind -> form.
    collection : Collection
        Inspections as collected from phones. Of versions in conflict what either found missing is missing.
    day : date
        Later inspections are not looked at.
    zone : str
    more : sequence of Form
        Beside the shipped ones: forms of one's own.
    """
    last = _last_inspections(collection, day, zone)
    rows: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    for site, kind in sites.items():
        form = forms.get(kind or "")
        count: dict[str, Any] = {"site_id": site, "kind": kind, "form_id": form.id if form else None}
        count |= dict.fromkeys(("asked", "met", "missing", "unanswered"), 0)
        if form is None:
            counts.append(count | {"inspected_on": None, "state": "no_form"})
            continue
        found = last.get((site, form.id))
        if found is None:
            counts.append(count | {"inspected_on": None, "state": "never_inspected"})
            continue
        on, version, digests = found
        used = form if version == form.version else find_form(form.id, version, more=tuple(more))
        items = _states(used, [_answers(collection, digest) for digest in digests])
        for item, state, value, note in items:
            rows.append(
                {
                    "site_id": site, "form_id": used.id, "item_id": item.id, "number": item.number,
                    "state": state, "zh": item.zh, "en": item.en, "answer": None if item.personal else value,
                    "note": None if item.personal else note, "inspected_on": on,
                    "basis": item.basis or item.source,
                    "provenance": item.provenance,
                }
            )  # fmt: skip
        states = [state for _, state, _, _ in items]
        count |= {name: states.count(name) for name in ("met", "missing", "unanswered")}
        counts.append(count | {"asked": len(items), "inspected_on": on, "state": "inspected"})
    return Measures(pl.DataFrame(rows, MEASURE_SCHEMA), pl.DataFrame(counts, COUNT_SCHEMA))


def day_in(zone: str, text: str | None) -> date | None:
    """Return the day of an instant in a zone; of a text without an offset its own day.

    Parameters
    ----------
    zone : str
    text : str or None

    Examples
    --------
    >>> str(day_in("Asia/Shanghai", "2022-03-31T17:00:00+00:00"))
    '2022-04-01'
    """
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at.date() if at.tzinfo is None else at.astimezone(ZoneInfo(zone)).date()


def collected_visits(collection: Collection, zone: str) -> pl.DataFrame:
    """Return finished inspections: ``site_id``, ``form_id``, ``on`` in a zone.

    Parameters
    ----------
    collection : Collection
    zone : str
    """
    kept = collection.inspections.filter(
        pl.col("finished") & (pl.col("state") != "superseded") & (pl.col("site_id") != "")
    ).unique("inspection_id", keep="last", maintain_order=True)
    rows = [
        (site, form, on)
        for site, form, at in kept.select("site_id", "form_id", "begun_at").iter_rows()
        if (on := day_in(zone, at)) is not None
    ]
    return pl.DataFrame(rows, {"site_id": pl.String, "form_id": pl.String, "on": pl.Date}, orient="row")


VISIT_SCHEMA: dict[str, pl.DataType] = {"site_id": pl.String(), "on": pl.Date()}


def read_visits(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Return inspections of a file: ``site_id`` and ``on``, a row an inspection.

    Parameters
    ----------
    path : path
    """
    reader = TableReader()
    frame = reader.table(path, VISIT_SCHEMA, ("site_id", "on"))
    reader.finish()
    return frame.select("site_id", "on")


Last = dict[tuple[str, str], tuple[date, str, list[str]]]


def _last_inspections(collection: Collection, day: date, zone: str) -> Last:
    """Return of each site and form the last finished inspection: its day, form version, revisions."""
    newest: dict[tuple[str, str], tuple[datetime, str]] = {}
    facts: dict[str, list[dict[str, Any]]] = {}
    kept = collection.inspections.filter(pl.col("finished") & (pl.col("state") != "superseded"))
    for row in kept.iter_rows(named=True):
        on = day_in(zone, row["begun_at"])
        if on is None or on > day or not row["form_known"]:
            continue
        at = datetime.fromisoformat(row["begun_at"])
        at = at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))
        facts.setdefault(row["inspection_id"], []).append(row)
        key = (row["site_id"], row["form_id"])
        newest[key] = max(newest.get(key, (at, row["inspection_id"])), (at, row["inspection_id"]))
    made: Last = {}
    for (site, form), (_, inspection) in newest.items():
        rows = [row for row in facts[inspection] if (row["site_id"], row["form_id"]) == (site, form)]
        on = day_in(zone, rows[0]["begun_at"])
        assert on is not None
        made[site, form] = (on, rows[0]["form_version"], [row["digest"] for row in rows])
    return made


def _answers(collection: Collection, digest: str) -> dict[str, dict[str, Any]]:
    rows = collection.answers.filter(pl.col("digest") == digest)
    return {row["item_id"]: row for row in rows.iter_rows(named=True)}


def _states(
    form: Form, versions: Sequence[Mapping[str, dict[str, Any]]]
) -> list[tuple[Item, str, str | None, str | None]]:
    """Return each item asked with its state: the worst of all versions."""
    worst = ("not_applicable", "recorded", "met", "unanswered", "missing")
    made: dict[str, tuple[Item, str, str | None, str | None]] = {}
    for answers in versions:
        for item in form.items:
            if not is_asked(form, item, answers):
                continue
            one = answers.get(item.id)
            value = None if one is None else one["value"]
            state = _state(item, value)
            before = made.get(item.id)
            if before is None or worst.index(state) > worst.index(before[1]):
                made[item.id] = (item, state, value, None if one is None else one["note"])
    return list(made.values())


def _state(item: Item, value: str | None) -> str:
    if value is None or value == "":
        return "unanswered" if item.required else "not_applicable"
    if value == NOT_APPLICABLE:
        return "not_applicable"
    if item.kind == "number":
        if item.below is None and item.above is None:
            return "recorded"
        return "missing" if is_bad(item, float(value)) else "met"
    if is_bad(item, value):
        return "missing"
    return "met" if item.bad else "recorded"
