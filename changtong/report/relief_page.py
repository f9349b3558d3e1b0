"""The page of relief policies: who gets what, what is missing, until when; by policy and by firm."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup, escape

from changtong.report.charts import draw_bar, draw_parts, key_of
from changtong.report.figures_page import figures_page
from changtong.report.texts import Both, Language, money, named, same, text, whole
from changtong.workforce.relief_match import ReliefMatch
from changtong.workforce.relief_rules import Policies, Policy

MOST_FIRMS = 60
MOST_DETAILS = 120
PARTS = {"qualifies": "good", "could": "maybe", "not": "no", "not_in_force": "rest"}
"""Status -> class of its part of a bar."""


def relief_page(made: ReliefMatch, policies: Policies, *, language: Language = "zh") -> str:
    """Return the page as text: one file that loads nothing.

    Parameters
    ----------
    made : ReliefMatch
    policies : Policies
        Those that firms were matched with.
    language : {"zh", "en"}
        The language it opens in; both are in it.
    """
    known = {one.id: one for one in policies.policies}
    titles = {name: Both(one.title_zh, one.title_en) for name, one in known.items()}
    parts = [_policies(made, known), _firms(made), _details(made, titles)]
    notes = [text("relief.how"), *(_source(one) for one in policies.policies)]
    return figures_page(
        language,
        text("relief.title"),
        made.day.isoformat(),
        _headline(made, titles),
        [part for part in parts if part["rows"]],
        text("relief.sources"),
        notes,
    )


def _headline(made: ReliefMatch, titles: dict[str, Both]) -> list[Both]:
    fit, could = (made.rows.filter(pl.col("status") == name) for name in ("qualifies", "could"))
    lines = [
        text(
            "relief.head", day=made.day.isoformat(), firms=whole(made.rows["firm_id"].n_unique()),
            policies=whole(made.calendar.height), fit=whole(fit.height), could=whole(could.height),
            sum=money(float(fit["amount_cny"].sum())), more=money(float(could["amount_cny"].sum())),
        )
    ]  # fmt: skip
    if unknown := fit["amount_cny"].null_count():
        lines.append(text("relief.unknown", count=whole(unknown)))
    open_ones = made.rows.filter(pl.col("status") != "not_in_force").sort("apply_by", "policy_id")
    if open_ones.is_empty():
        lines.append(text("relief.none_open"))
    else:
        next_one = open_ones.row(0, named=True)
        lines.append(
            text(
                "relief.soonest", day=next_one["apply_by"].isoformat(), days=next_one["days_left"],
                title=titles[next_one["policy_id"]],
            )
        )  # fmt: skip
    if unsure := made.calendar.filter(pl.col("provenance") != "official").height:
        lines.append(text("relief.not_official", count=unsure))
    return lines


def _policies(made: ReliefMatch, known: dict[str, Policy]) -> dict[str, Any]:
    rows = []
    for one in made.calendar.iter_rows(named=True):
        mine = made.rows.filter(pl.col("policy_id") == one["policy_id"])
        counts = {name: int((mine["status"] == name).sum()) for name in PARTS}
        left = whole(one["days_left"]) if one["days_left"] >= 0 else text("relief.over")
        if made.day < known[one["policy_id"]].begins:
            left = text("relief.not_begun")
        rows.append(
            [
                Both(one["title_zh"], one["title_en"]), one["apply_by"].isoformat(), left,
                *(whole(count) for count in counts.values()), _sum(one["amount_cny"], one["amounts_unknown"]),
                draw_parts([(PARTS[name], count) for name, count in counts.items()]),
            ]
        )  # fmt: skip
    heads = [
        text("relief.policy"), text("relief.until"), text("relief.days_left"),
        *(text(f"relief.{name}") for name in PARTS), text("relief.sum"), text("relief.bar"),
    ]  # fmt: skip
    return {
        "title": text("relief.policies"), "heads": heads, "rows": rows, "kind": "stacked",
        "chart": key_of([(cls, text(f"relief.{name}")) for name, cls in PARTS.items()]),
    }  # fmt: skip


def _firms(made: ReliefMatch) -> dict[str, Any]:
    fit, could = (pl.col("status") == name for name in ("qualifies", "could"))
    table = (
        made.rows.group_by("firm_id", "name", maintain_order=True)
        .agg(
            fit.sum().alias("fit"),
            could.sum().alias("could"),
            pl.col("amount_cny").filter(fit).sum().alias("sum"),
            pl.col("amount_cny").filter(fit).null_count().alias("sum_unknown"),
            pl.col("amount_cny").filter(could).sum().alias("more"),
            pl.col("amount_cny").filter(could).null_count().alias("more_unknown"),
            pl.col("apply_by").filter(fit | could).min().alias("until"),
        )
        .sort("sum", "more", "firm_id", descending=[True, True, False])
    )
    most = max(table["sum"].max() or 0.0, 1.0)
    rows = [
        [
            _firm(one), whole(one["fit"]), _sum(one["sum"], one["sum_unknown"]), draw_bar(one["sum"] / most),
            whole(one["could"]), _sum(one["more"], one["more_unknown"]),
            one["until"].isoformat() if one["until"] else "–",
        ]
        for one in table.head(MOST_FIRMS).iter_rows(named=True)
    ]  # fmt: skip
    heads = [
        text("relief.firm"), text("relief.firm_fit"), text("relief.firm_sum"), text("relief.of_most"),
        text("relief.firm_could"), text("relief.firm_more"), text("relief.firm_until"),
    ]  # fmt: skip
    note = text("relief.firms_note")
    if table.height > MOST_FIRMS:
        note = text("relief.firms_more", shown=MOST_FIRMS, total=whole(table.height))
    return {"title": text("relief.firms"), "heads": heads, "rows": rows, "note": note, "kind": "stacked"}


def _details(made: ReliefMatch, titles: dict[str, Both]) -> dict[str, Any]:
    table = made.rows.filter(pl.col("status").is_in(["qualifies", "could"])).sort(
        "apply_by", pl.col("status") != "qualifies", pl.col("amount_cny"), "firm_id",
        descending=[False, False, True, False], nulls_last=True,
    )  # fmt: skip
    rows = [
        [
            _firm(one), titles[one["policy_id"]], _status(one["status"]),
            text("relief.amount_unknown") if one["amount_cny"] is None else whole(one["amount_cny"]),
            one["apply_by"].isoformat(), whole(one["days_left"]),
            Both(one["missing_zh"], one["missing_en"])
            if one["missing_en"] else text("relief.nothing_missing"),
        ]
        for one in table.head(MOST_DETAILS).iter_rows(named=True)
    ]  # fmt: skip
    heads = [
        text("relief.firm"), text("relief.policy"), text("relief.status"), text("relief.sum"),
        text("relief.until"), text("relief.days_left"), text("relief.missing"),
    ]  # fmt: skip
    note = text("relief.details_note")
    if table.height > MOST_DETAILS:
        note = text("relief.details_more", shown=MOST_DETAILS, total=whole(table.height))
    return {
        "title": text("relief.details"), "heads": heads, "rows": rows, "note": note, "words": [1, 2, 6],
        "kind": "stacked",
    }  # fmt: skip


def _sum(amount: float, unknown: int) -> Both | str:
    """Say a sum; where some of it is not known, that it is more."""
    if not unknown:
        return whole(amount)
    return text("relief.and_more", amount=whole(amount)) if amount else text("relief.amount_unknown")


def _firm(row: dict[str, Any]) -> Both:
    name, firm = row["name"], row["firm_id"]
    return Both(f"{name}（{firm}）", f"{name} ({firm})") if name else same(firm)


def _status(name: str) -> Markup:
    cls = "tag-official" if name == "qualifies" else "tag-derived"
    return Markup('<span class="tag {}">{}</span>').format(cls, escape(text(f"relief.status_{name}")))


def _source(one: Policy) -> Both:
    return text(
        "relief.source", title=Both(one.title_zh, one.title_en),
        source=Both(one.source_zh or one.source, one.source),
        provenance=named("workforce_provenance", one.provenance), begins=one.begins.isoformat(),
        ends=one.last_day.isoformat(),
    )  # fmt: skip
