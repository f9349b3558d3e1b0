"""The page of a footprint: how much, of what, where most, and how it was reckoned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from changtong.footprint.result import Footprint
from changtong.network.model import Network
from changtong.report.carbon_headline import carbon_headline, tonnes
from changtong.report.charts import draw_bar
from changtong.report.figures_page import figures_page
from changtong.report.page import write_page
from changtong.report.plan_view import names_with_ids
from changtong.report.texts import Both, Language, percent, same, text, whole

ROWS = 20


def write_carbon_report(
    footprint: Footprint, network: Network, path: str | Path, *, language: Language = "zh"
) -> Path:
    """Write the page to a file.

    Parameters
    ----------
    footprint : Footprint
    network : Network
        For the names of sites.
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    names = names_with_ids(network)
    parts = [*_breakdowns(footprint), _made_of(footprint)]
    if footprint.inputs["up_share"].null_count() < footprint.inputs.height:
        parts.append(_range(footprint))
    parts += [_legs(footprint, names), _lanes(footprint, names)]
    if footprint.sites["kgco2e"].sum() > 0.0:
        parts.append(_sites(footprint, names))
    if footprint.packaging is not None:
        parts.append(_packaging(footprint.packaging))
    said = footprint.statement
    notes = [Both(zh, en) for zh, en in zip(_sentences(said["zh"]), _sentences(said["en"]), strict=True)]
    page = figures_page(
        language,
        text("carbon.title"),
        footprint.name,
        carbon_headline(footprint),
        parts,
        text("carbon.method"),
        notes,
    )
    return write_page(path, page)


def _sentences(statement: str) -> list[str]:
    return [line.strip() for line in statement.splitlines() if line.strip()]


def _made_of(footprint: Footprint) -> dict[str, Any]:
    rows = []
    unknown = (pl.col("part") == "hubs") & pl.col("kgco2e").is_null()
    table = footprint.total.filter((pl.col("name") != "all") | unknown)
    for row in table.sort("kgco2e", descending=True, nulls_last=True).iter_rows(named=True):
        called = Both(row["name_zh"], row["name_en"])
        rows.append([called, tonnes(row["kgco2e"]), _span(row), percent(row["share"]), _bar(row["share"])])
    heads = [
        text("carbon.part"), text("carbon.tonnes"), text("carbon.span"), text("carbon.share"), same(""),
    ]  # fmt: skip
    return {"title": text("carbon.parts"), "heads": heads, "rows": rows}


def _breakdowns(footprint: Footprint) -> list[dict[str, Any]]:
    return [
        _by(footprint, "mode", text("carbon.by_mode"), text("carbon.mode"), text("carbon.note_mode")),
        _by(footprint, "level", text("carbon.by_level"), text("carbon.level"), text("carbon.note_level")),
        _by(
            footprint, "empty_running", text("carbon.by_empty_running"), text("carbon.empty_running"),
            text("carbon.note_empty_running"),
        ),
    ]  # fmt: skip


def _by(footprint: Footprint, by: str, title: Both, head: Both, note: Both) -> dict[str, Any]:
    """Return one breakdown; what is not known is said, not shown as 0."""
    rows = []
    table = footprint.breakdown.filter(pl.col("by") == by)
    for row in table.sort("kgco2e", descending=True, nulls_last=True, maintain_order=True).to_dicts():
        called = Both(row["name_zh"], row["name_en"])
        if by == "level":
            count = whole(row["elements"])
            leg = row["part"] == "leg"
            called += text("carbon.of_leg", count=count) if leg else text("carbon.of_hub", count=count)
        if row["unknown"]:
            called = called + text("carbon.without", count=whole(row["unknown"]))
        rows.append([called, tonnes(row["kgco2e"]), _span(row), percent(row["share"]), _bar(row["share"])])
    heads = [head, text("carbon.tonnes"), text("carbon.span"), text("carbon.share"), same("")]
    return {"title": title, "note": note, "heads": heads, "rows": rows}


def _range(footprint: Footprint) -> dict[str, Any]:
    """Return what the range comes from; inputs without an interval stand in the method."""
    rows = [
        [Both(row["name_zh"], row["name_en"]), f"−{percent(row['down_share'])}",
         f"+{percent(row['up_share'])}", tonnes(row["down_kgco2e"]), tonnes(row["up_kgco2e"])]
        for row in footprint.inputs.filter(pl.col("up_share").is_not_null()).to_dicts()
    ]  # fmt: skip
    heads = [
        text("carbon.input"), text("carbon.may_down"), text("carbon.may_up"), text("carbon.down"),
        text("carbon.up"),
    ]  # fmt: skip
    return {
        "title": text("carbon.range"), "note": text("carbon.range_note"), "heads": heads, "rows": rows,
    }  # fmt: skip


def _bar(share: float | None) -> Any:
    return same("") if share is None else draw_bar(share)


def _span(row: dict[str, Any]) -> str | Both:
    if row["low_kgco2e"] is None:
        return same("")
    return f"{tonnes(row['low_kgco2e'])} – {tonnes(row['high_kgco2e'])}"


def _legs(footprint: Footprint, names: dict[str, str]) -> dict[str, Any]:
    rows = [
        [_way(row, names), whole(row["pieces_per_day"]), whole(row["travelled_km"]), tonnes(row["kgco2e"]),
         _span(row), whole(row["g_per_piece"])]
        for row in _most(footprint.legs)
    ]  # fmt: skip
    heads = [
        text("carbon.leg"), text("carbon.pieces"), text("carbon.km"), text("carbon.tonnes"),
        text("carbon.span"), text("carbon.grams"),
    ]  # fmt: skip
    return {"title": text("carbon.legs"), "heads": heads, "rows": rows}


def _lanes(footprint: Footprint, names: dict[str, str]) -> dict[str, Any]:
    rows = [
        [_way(row, names), whole(row["pieces_per_day"]), whole(row["travelled_km"]), tonnes(row["kgco2e"]),
         whole(row["g_per_piece"])]
        for row in _most(footprint.lanes)
    ]  # fmt: skip
    heads = [
        text("carbon.lane"), text("carbon.pieces"), text("carbon.km"), text("carbon.tonnes"),
        text("carbon.grams"),
    ]  # fmt: skip
    return {"title": text("carbon.lanes"), "heads": heads, "rows": rows}


def _sites(footprint: Footprint, names: dict[str, str]) -> dict[str, Any]:
    rows = [
        [names[str(row["site_id"])], whole(row["pieces_per_day"]), tonnes(row["kgco2e"]), _span(row)]
        for row in _most(footprint.sites)
    ]
    heads = [text("carbon.site"), text("carbon.pieces"), text("carbon.tonnes"), text("carbon.span")]
    return {"title": text("carbon.sites"), "heads": heads, "rows": rows}


def _packaging(table: pl.DataFrame) -> dict[str, Any]:
    rows = []
    for row in table.iter_rows(named=True):
        share = row["unit"] == "share"
        met = same("–") if row["met"] is None else text("carbon.yes") if row["met"] else text("carbon.no")
        value, target = (percent(row[name]) if share else whole(row[name]) for name in ("value", "target"))
        rows.append([Both(row["name_zh"], row["name_en"]), str(row["year"]), value, target, met])
    heads = [
        text("carbon.indicator"), text("carbon.year"), text("carbon.value"), text("carbon.target"),
        text("carbon.met"),
    ]  # fmt: skip
    return {"title": text("carbon.packaging"), "heads": heads, "rows": rows}


def _most(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return (
        frame.filter(pl.col("kgco2e") > 0.0)
        .top_k(ROWS, by="kgco2e")
        .sort("kgco2e", descending=True)
        .to_dicts()
    )


def _way(row: dict[str, Any], names: dict[str, str]) -> str:
    return f"{names[str(row['from_site'])]} → {names[str(row['to_site'])]}"
