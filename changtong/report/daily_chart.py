"""The chart of the daily report: accepted and delivered by the hours of the day, as SVG without styles."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from changtong.report.simulation_charts import nice_step, short_pieces, svg_text
from changtong.report.texts import same, text, whole

WIDE, HIGH = 560, 220
LEFT, RIGHT, TOP, BASE = 52, 552, 12, 192
HOURS = 24


def draw_hours(accepted: Sequence[float], delivered: Sequence[float]) -> Markup:
    """Draw two bars for each hour that is over; nothing where nothing happened.

    Parameters
    ----------
    accepted, delivered : sequence of float
        By hour of the day, equally many.
    """
    most = max([*accepted, *delivered, 0.0])
    if most <= 0:
        return Markup("")
    step = nice_step(most)
    top = step * math.ceil(most / step - 1e-9)
    hours = max(HOURS, len(accepted))
    slot = (RIGHT - LEFT) / hours
    parts = [
        f'<svg class="hours" viewBox="0 0 {WIDE} {HIGH}" role="img" '
        f'aria-label="{escape(str(text("daily.hours")))}">'
    ]
    for k in range(round(top / step) + 1):
        y = BASE - (BASE - TOP) * k * step / top
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(svg_text(short_pieces(k * step), LEFT - 6, y + 4, "level"))
    width = slot / 2 - 1.5
    for hour, pair in enumerate(zip(accepted, delivered, strict=True)):
        said = text("daily.hour_bar", hour=hour, accepted=whole(pair[0]), delivered=whole(pair[1]))
        parts.append(f"<g><title>{escape(str(said))}</title>")
        for k, (pieces, name) in enumerate(zip(pair, ("accepted", "delivered"), strict=True)):
            height = (BASE - TOP) * pieces / top
            x = LEFT + hour * slot + 1 + k * (width + 1)
            parts.append(
                f'<rect class="bar-{name}" x="{x:.1f}" y="{BASE - height:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}"/>'
            )
        parts.append("</g>")
    for hour in range(0, hours + 1, 3):
        parts.append(svg_text(same(f"{hour}:00"), LEFT + hour * slot, BASE + 18, "hour"))
    return Markup("".join([*parts, "</svg>"]))
