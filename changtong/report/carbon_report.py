"""The page of a footprint: how much, of what, where most, and how it was reckoned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from changtong.footprint.result import Footprint
from changtong.network.model import Network
from changtong.report.charts import draw_bar
from changtong.report.figures_page import figures_page
from changtong.report.page import write_page
from changtong.report.plan_view import names_with_ids
from changtong.report.texts import Both, Language, money, percent, same, text, whole

ROWS = 20
KG_PER_T = 1000.0


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
    parts = [_made_of(footprint), _legs(footprint, names), _lanes(footprint, names)]
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
        _headline(footprint),
        parts,
        text("carbon.method"),
        notes,
    )
    return write_page(path, page)


def _sentences(statement: str) -> list[str]:
    return [line.strip() for line in statement.splitlines() if line.strip()]


def _t(kg: float | None) -> str:
    return whole(None if kg is None else kg / KG_PER_T)


def _span(row: dict[str, Any]) -> str:
    return f"{_t(row['low_kgco2e'])} – {_t(row['high_kgco2e'])}"


def _headline(footprint: Footprint) -> list[Both]:
    s = footprint.summary()
    lines = [
        text(
            "carbon.total", carbon=_t(s["kgco2e"]), low=_t(s["low_kgco2e"]), high=_t(s["high_kgco2e"]),
            grams=whole(s["g_per_piece"]),
        ),
        text(
            "carbon.moved", pieces=whole(s["moved_pieces"]), tkm=whole(s["activity_tkm"]),
            held=whole(s["held_pieces"]),
        ),
        text(
            "carbon.halves", ttw=_t(s["ttw_kgco2e"]), wtt=_t(s["wtt_kgco2e"]), hubs=_t(s["hubs_kgco2e"])
        ),
    ]  # fmt: skip
    if s["cost_cny"] is not None and s["kgco2e"] > 0.0:
        each = s["cost_cny"] / s["kgco2e"] * KG_PER_T
        lines.append(text("carbon.cost", cost=money(s["cost_cny"]), each=whole(each)))
    if s["hubs_unknown"]:
        lines.append(text("carbon.unknown", sites=whole(s["hubs_unknown"])))
    if s["pieces_on_unknown_legs"] >= 0.5:
        lines.append(text("carbon.off_road", pieces=whole(s["pieces_on_unknown_legs"])))
    return lines


def _made_of(footprint: Footprint) -> dict[str, Any]:
    rows = []
    table = footprint.total.filter((pl.col("name") != "all") | (pl.col("part") == "hubs"))
    for row in table.sort("kgco2e", descending=True).iter_rows(named=True):
        called = text("carbon.hubs") if row["name"] == "all" else same(row["name"])
        rows.append([called, _t(row["kgco2e"]), _span(row), percent(row["share"]), draw_bar(row["share"])])
    heads = [
        text("carbon.part"), text("carbon.tonnes"), text("carbon.span"), text("carbon.share"), same(""),
    ]  # fmt: skip
    return {"title": text("carbon.parts"), "heads": heads, "rows": rows}


def _legs(footprint: Footprint, names: dict[str, str]) -> dict[str, Any]:
    rows = [
        [_way(row, names), whole(row["pieces_per_day"]), whole(row["travelled_km"]), _t(row["kgco2e"]),
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
        [_way(row, names), whole(row["pieces_per_day"]), whole(row["travelled_km"]), _t(row["kgco2e"]),
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
        [names[str(row["site_id"])], whole(row["pieces_per_day"]), _t(row["kgco2e"]), _span(row)]
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
