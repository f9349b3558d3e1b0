"""What a footprint's page says first: how much, for each piece delivered, of what, and how sure."""

from __future__ import annotations

from math import floor, log10
from typing import Any

import polars as pl

from changtong.footprint.result import Footprint
from changtong.report.texts import Both, joined, money, percent, text, whole

KG_PER_T = 1000.0
LOPSIDED = 1.1
"""How many times as far a range must reach to the one side as to the other for a word on why."""

DIGITS = 6
"""Decimals of a tonne at most: a gram."""


def tonnes(kg: float | None) -> str | Both:
    """Say kilograms as tonnes, small ones to three digits; in words where not known.

    Examples
    --------
    >>> tonnes(43.21), tonnes(1_234_567.0), tonnes(0.0)
    ('0.0432', '1,235', '0')
    """
    if kg is None:
        return text("carbon.not_known")
    value = kg / KG_PER_T
    if value <= 0.0 or value >= 100.0:
        return whole(value)
    digits = min(DIGITS, max(0, 2 - floor(log10(value))))
    return f"{value:.{digits}f}"


def carbon_headline(footprint: Footprint) -> list[Both]:
    """Return the lines above the tables."""
    s = footprint.summary()
    pieces = whole(s["moved_pieces"])
    lines = [
        text(
            "carbon.total", carbon=tonnes(s["kgco2e"]), low=tonnes(s["low_kgco2e"]),
            high=tonnes(s["high_kgco2e"]), grams=whole(s["g_per_piece"]), pieces=pieces,
        ),
        _undelivered(s),
        text("carbon.moved", tkm=whole(s["activity_tkm"])),
        text(
            "carbon.halves", ttw=tonnes(s["ttw_kgco2e"]), wtt=tonnes(s["wtt_kgco2e"]),
            hubs=_with_unit(s["hubs_kgco2e"]),
        ),
        text("carbon.modes", modes=_shares(footprint)),
        *_empty_running(footprint),
        *_lopsided(footprint, s),
    ]  # fmt: skip
    if s["cost_cny"] is not None and s["kgco2e"] > 0.0:
        each = s["cost_cny"] / s["kgco2e"] * KG_PER_T
        lines.append(text("carbon.cost", cost=money(s["cost_cny"]), each=whole(each)))
    if s["hubs_unknown"]:
        passed = whole(s["hubs_known"] + s["hubs_unknown"])
        lines.append(text("carbon.unknown", sites=whole(s["hubs_unknown"]), passed=passed))
    if s["pieces_on_unknown_legs"] >= 0.5:
        lines.append(text("carbon.off_road", pieces=whole(s["pieces_on_unknown_legs"])))
    return lines


def _undelivered(s: dict[str, Any]) -> Both:
    """Say what is not delivered, and so not in the grams for each piece."""
    if s["held_pieces"] + s["lost_pieces"] < 0.5:
        return text("carbon.all_delivered")
    return text("carbon.undelivered", held=whole(s["held_pieces"]), lost=whole(s["lost_pieces"]))


def _with_unit(kg: float | None) -> Both:
    return text("carbon.not_known") if kg is None else text("carbon.so_many_t", tonnes=tonnes(kg))


def _shares(footprint: Footprint) -> Both:
    """List the modes and hubs with their shares, the most first."""
    rows = footprint.breakdown.filter(pl.col("by") == "mode")
    some = []
    for row in rows.sort("share", descending=True, nulls_last=True, maintain_order=True).to_dicts():
        share = text("carbon.not_known") if row["share"] is None else percent(row["share"])
        some.append(Both(row["name_zh"], row["name_en"]) + " " + share)
    return joined(some)


def _empty_running(footprint: Footprint) -> list[Both]:
    """Say how much comes from empty running, and of how much that cannot be told."""
    rows = {
        row["name"]: row for row in footprint.breakdown.filter(pl.col("by") == "empty_running").to_dicts()
    }
    lines = []
    if "empty" in rows:
        empty = rows["empty"]
        lines.append(text("carbon.empty", tonnes=tonnes(empty["kgco2e"]), share=percent(empty["share"])))
    hidden = sum(rows[name]["kgco2e"] or 0.0 for name in ("included", "not_stated") if name in rows)
    if hidden > 0.0:
        lines.append(text("carbon.empty_hidden", tonnes=tonnes(hidden)))
    return lines


def _lopsided(footprint: Footprint, s: dict[str, Any]) -> list[Both]:
    """Say why the range reaches further to the one side, where it does."""
    down, up = s["kgco2e"] - s["low_kgco2e"], s["high_kgco2e"] - s["kgco2e"]
    if max(down, up) <= LOPSIDED * min(down, up) or max(down, up) <= 0.0:
        return []
    skew = pl.col("down_kgco2e") ** 2 - pl.col("up_kgco2e") ** 2
    most = footprint.inputs.sort(skew if up > down else -skew).row(0, named=True)
    end = text("carbon.lower_end" if up > down else "carbon.upper_end")
    return [
        text(
            "carbon.lopsided", down=tonnes(down), up=tonnes(up),
            input=Both(most["name_zh"], most["name_en"]), end=end, low=percent(most["down_share"]),
            high=percent(most["up_share"]),
        )
    ]  # fmt: skip
