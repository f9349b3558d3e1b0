"""The page of a frontier between cost and carbon: what each tonne avoided costs, drawn and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from changtong.carbon_frontier import KG_PER_T, Frontier
from changtong.report.carbon_headline import tonnes
from changtong.report.figures_page import figures_page
from changtong.report.page import write_page
from changtong.report.texts import Both, Language, money, percent, text, whole

WIDE, HIGH = 640, 400
LEFT, RIGHT, TOP, BASE = 74, 616, 18, 352
MILLION = 1e6


def write_frontier_report(frontier: Frontier, path: str | Path, *, language: Language = "zh") -> Path:
    """Write the page to a file.

    Parameters
    ----------
    frontier : Frontier
    path : path
    language : {"zh", "en"}
        The language it opens in.
    """
    heads = [
        text("frontier.point"), text("frontier.cost"), text("frontier.carbon"), text("frontier.each"),
        text("frontier.price"), text("frontier.unserved"), text("frontier.gap"),
    ]  # fmt: skip
    rows = [_row(row) for row in frontier.points.iter_rows(named=True)]
    page = figures_page(
        language,
        text("frontier.title"),
        frontier.name,
        _lines(frontier),
        [
            {
                "title": text("frontier.chart"),
                "chart": draw_frontier(frontier),
                "note": text("frontier.legend"),
            },
            {"title": text("frontier.table"), "heads": heads, "rows": rows},
        ],
        text("frontier.method"),
        [text("frontier.iso"), text("frontier.factors", version=frontier.factors), text("frontier.flow")],
    )
    return write_page(path, page)


def _lines(frontier: Frontier) -> list[Both]:
    s, points = frontier.summary(), frontier.points
    first, last = s["cheapest"], s["cleanest"]
    lines = [
        text("frontier.head", count=points.height),
        text("frontier.least", cost=money(first["cost_cny"]), carbon=tonnes(first["kgco2e"])),
    ]
    if points.height > 1:
        second = points.row(1, named=True)
        lines += [
            text(
                "frontier.clean", cost=money(last["cost_cny"]), carbon=tonnes(last["kgco2e"]),
                share=percent(s["most_avoided_share"]), price=whole(s["cny_per_t_to_the_cleanest"]),
            ),
            text(
                "frontier.first", price=whole(second["cny_per_t_avoided"]),
                carbon=tonnes(first["kgco2e"] - second["kgco2e"]),
            ),
            text("frontier.open", share=percent(frontier.gap_share)),
        ]  # fmt: skip
    unserved = points["unserved_pieces"].to_list()
    apart = max(unserved) - min(unserved)
    if apart >= 0.5:
        lines.append(text("frontier.behind", pieces=whole(apart)))
    if frontier.dropped:
        lines.append(text("frontier.dropped", count=frontier.dropped, solves=frontier.solves))
    return lines


def _row(row: dict[str, Any]) -> list[str | Both]:
    return [
        str(row["point"]),
        whole(row["cost_cny"]),
        tonnes(row["kgco2e"]),
        whole(row["cny_per_t_avoided"]),
        whole(row["price_cny_per_t"]),
        whole(row["unserved_pieces"]),
        percent(row["gap_share"]),
    ]


def draw_frontier(frontier: Frontier) -> Markup:
    """Draw cost over carbon: the plans, the line through them, and what is proved."""
    carbon = frontier.points["kgco2e"].to_numpy() / KG_PER_T
    cost = frontier.points["cost_cny"].to_numpy() / MILLION
    xs, lows, x_step = _axis(carbon.min(), carbon.max())
    ys, low, y_step = _axis(cost.min(), cost.max())

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - lows) / (xs - lows)

    def y(value: float) -> float:
        return BASE - (BASE - TOP) * (value - low) / (ys - low)

    parts = [
        f'<svg class="chart savings" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{escape(str(text("frontier.chart")))}">'
    ]
    for value in np.arange(low, ys + y_step / 2, y_step):
        at = y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="side" x="{LEFT - 8}" y="{at + 4:.1f}">{_tick(value, y_step)}</text>')
    for value in np.arange(lows, xs + x_step / 2, x_step):
        parts.append(f'<text class="tick" x="{x(value):.1f}" y="{BASE + 18}">{_tick(value, x_step)}</text>')
    parts.append(_proved(frontier, carbon, low, x, y))
    way = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(carbon, cost, strict=True))
    parts.append(f'<polyline class="axis" fill="none" points="{way}"/>')
    for k, (a, b) in enumerate(zip(carbon, cost, strict=True), 1):
        title = f"<title>{k}: {a:,.1f} t, {whole(b * MILLION)} CNY</title>"
        parts.append(
            f'<circle class="dot capacity best" cx="{x(a):.1f}" cy="{y(b):.1f}" r="6">{title}</circle>'
        )
        parts.append(f'<text class="count" x="{x(a) + 12:.1f}" y="{y(b) - 8:.1f}">{k}</text>')
    return Markup("".join([*parts, "</svg>"]))


def _proved(frontier: Frontier, carbon: Any, low: float, x: Any, y: Any) -> str:
    """Draw the greatest of the proved lines between the ends."""
    at = np.linspace(carbon.min(), carbon.max(), 200)
    lines = [
        (one.least - one.carbon_weight * at * KG_PER_T) / one.cost_weight / MILLION for one in frontier.lines
    ]
    proved = np.maximum(low, np.max(lines, axis=0))
    way = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in zip(at, proved, strict=True))
    return f'<path class="frontier" d="M{way}"/>'


def _axis(least: float, most: float) -> tuple[float, float, float]:
    """Return the ends of an axis, the upper first, and the step between its marks."""
    span = max(most - least, 1e-3 * abs(most), 1e-9)
    size = 10.0 ** np.floor(np.log10(span))
    step = next(m * size for m in (0.2, 0.5, 1.0, 2.0, 5.0) if span / (m * size) <= 6.0)
    low, high = step * np.floor(least / step - 0.2), step * np.ceil(most / step + 0.2)
    return float(high), float(max(0.0, low)), float(step)


def _tick(value: float, step: float) -> str:
    digits = max(0, -int(np.floor(np.log10(step))))
    return f"{value:,.{digits}f}"
