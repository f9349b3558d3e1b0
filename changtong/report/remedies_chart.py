"""What each remedy costs and saves as a picture: none above and to the left of the line."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from changtong.report.charts import round_up
from changtong.report.texts import Both, text, whole

WIDE, HIGH = 640, 400
LEFT, RIGHT, TOP, BASE = 66, 616, 18, 356
DECADE = (1, 2, 5)


def draw_savings(table: pl.DataFrame, says: dict[str, Both]) -> Markup:
    """Draw pieces saved over money, money on a logarithmic scale.

    Parameters
    ----------
    table : polars.DataFrame
        Of a :class:`~changtong.resilience.remedy_result.Remedies`.
    says : dict
        What each remedy is called.
    """
    known = table.filter(pl.col("expected_after").is_not_null() & (pl.col("cost_cny_per_day") > 0.0))
    if not known.height:
        return Markup("")
    cost = known["cost_cny_per_day"].to_list()
    saved = (known["expected_before"] - known["expected_after"]).to_list()
    low, high = _ends(cost)
    top, step = round_up(max(*saved, 1.0))

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log(value / low) / math.log(high / low)

    def y(value: float) -> float:
        return BASE - (BASE - TOP) * max(0.0, value) / top

    parts = [
        f'<svg class="chart savings" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{escape(str(text("remedies.chart")))}">',
        *_axes(low, high, top, step, x, y),
        _frontier(known, x, y),
    ]
    for row, money, pieces in reversed(list(zip(known.iter_rows(named=True), cost, saved, strict=True))):
        parts.append(_mark(row, says, x(money), y(pieces), pieces))
    return Markup("".join([*parts, "</svg>"]))


def _mark(row: dict[str, Any], says: dict[str, Both], x: float, y: float, pieces: float) -> str:
    said = escape(str(says.get(row["remedy"], row["remedy"])))
    title = f"<title>{row['rank']}. {said}: {whole(pieces)}</title>"
    kind = f"dot {escape(row['kind'])}" + (" best" if row["efficient"] else "")
    shape = f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="6">{title}</circle>'
    if row["efficient"]:
        shape += f'<text class="count" x="{x:.1f}" y="{y - 9:.1f}">{row["rank"]}</text>'
    return shape


def _frontier(known: pl.DataFrame, x: Any, y: Any) -> str:
    """Draw what can be saved at most for each sum, in steps."""
    best = known.filter(pl.col("efficient")).sort("cost_cny_per_day")
    if not best.height:
        return ""
    path, level = "", 0.0
    for row in best.iter_rows(named=True):
        saved = row["expected_before"] - row["expected_after"]
        if saved <= level:
            continue
        at = x(row["cost_cny_per_day"])
        path += (f"M{at:.1f} {y(0.0):.1f}" if not path else f"H{at:.1f}") + f"V{y(saved):.1f}"
        level = saved
    return f'<path class="frontier" d="{path}H{RIGHT}"/>'


def _axes(low: float, high: float, top: float, step: float, x: Any, y: Any) -> list[str]:
    parts = []
    for k in range(round(top / step) + 1):
        at = y(k * step)
        kind = "axis" if k == 0 else "grid"
        parts.append(f'<line class="{kind}" x1="{LEFT}" x2="{RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="side" x="{LEFT - 8}" y="{at + 4:.1f}">{whole(k * step)}</text>')
    ticks = [m * 10.0**e for e in range(-2, 13) for m in DECADE]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    inside = inside if len(inside) <= 9 else [tick for tick in inside if str(tick)[0] == "1"]
    for tick in inside:
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{BASE + 18}">{whole(tick)}</text>')
    return parts


def _ends(cost: list[float]) -> tuple[float, float]:
    """Return the ends of the money axis: the ticks below and above all costs."""
    ticks = [m * 10.0**e for e in range(-4, 14) for m in DECADE]
    low = max(tick for tick in ticks if tick < 0.9 * min(cost))
    return low, min(tick for tick in ticks if tick > 1.1 * max(cost))
