"""Small charts as SVG, drawn with classes only (the page's policy allows no inline styles)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from markupsafe import Markup, escape

from changtong.report.texts import Both, text, whole

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0 + 1e-6)
LABELS = ("50–60", "60–70", "70–80", "80–90", "90–95", "95–100", "&gt;100")  # HTML
LEVELS = ("mid", "mid", "mid", "high", "high", "full", "full")
WIDTH, HEIGHT, BASE = 520, 190, 150


def count_loads(shares: pl.Series) -> tuple[list[int], int, int]:
    """Count load shares per bin from 50 % up; also those below 50 % and those without a limit."""
    known = shares.drop_nulls().to_numpy()
    counts = np.histogram(known, bins=[*EDGES, np.inf])[0]
    return [int(count) for count in counts], int((known < EDGES[0]).sum()), int(shares.null_count())


def draw_load_chart(*, before: pl.Series, after: pl.Series, title: Both) -> tuple[Markup, Both]:
    """Draw how many sites or legs are loaded how much, before (outline) and after (filled).

    Parameters
    ----------
    before, after : polars.Series
        Load shares; null where there is no limit.
    title : Both
        Read out by screen readers.

    Returns
    -------
    tuple
        The SVG, and a sentence on what it leaves out.

    """
    counts_before, low_before, _ = count_loads(before)
    counts_after, low_after, unlimited = count_loads(after)
    tallest = max([*counts_before, *counts_after, 1])
    slot = WIDTH / len(LABELS)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(str(title))}">',
        f'<line class="axis" x1="0" y1="{BASE}" x2="{WIDTH}" y2="{BASE}"/>',
    ]
    for i, (label, level) in enumerate(zip(LABELS, LEVELS, strict=True)):
        left = i * slot + 8
        for k, (count, kind) in enumerate(
            ((counts_before[i], "was"), (counts_after[i], f"is level-{level}"))
        ):
            height = 120 * count / tallest
            x = left + k * (slot - 16) / 2
            width = (slot - 16) / 2 - 2
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{BASE - height:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}"><title>{label} %: {count:,}</title></rect>'
                f'<text class="count" x="{x + width / 2:.1f}" y="{BASE - height - 4:.1f}">'
                f"{short(count)}</text>"
            )
        parts.append(f'<text class="tick" x="{i * slot + slot / 2:.1f}" y="{BASE + 16}">{label}</text>')
    parts.append("</svg>")
    note = text("loads.low", before=whole(low_before), after=whole(low_after), unlimited=whole(unlimited))
    return Markup("".join(parts)), note


def short(count: int) -> str:
    """Say a count in at most four signs."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 99_950 else f"{count / 1000:.0f}k"


def draw_bar(share: float, level: str = "mid") -> Markup:
    """Draw a bar for a table cell."""
    width = max(0.0, min(1.0, share)) * 100
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-back" width="100" height="8"/>'
        f'<rect class="level-{escape(level)}" width="{width:.2f}" height="8"/></svg>'
    )


def draw_parts(parts: Sequence[tuple[str, float]]) -> Markup:
    """Draw what a whole is made of as one bar for a table cell; the numbers stand beside it.

    Parameters
    ----------
    parts : sequence of tuple
        Class and size of each part, from the left.
    """
    total = sum(size for _, size in parts)
    left, made = 0.0, []
    for name, size in parts:
        width = 100.0 * size / total if total > 0 else 0.0
        made.append(f'<rect class="{escape(name)}" x="{left:.2f}" width="{width:.2f}" height="8"/>')
        left += width
    return Markup(
        f'<svg class="parts" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(made)}</svg>"
    )


def key_of(names: Sequence[tuple[str, Both]]) -> Markup:
    """Say what the colours of a bar mean.

    Parameters
    ----------
    names : sequence of tuple
        Class and meaning of each part.
    """
    said = (
        Markup('<span><span class="key {}"></span>{}</span>').format(name, escape(one)) for name, one in names
    )
    return Markup('<p class="chart-key">{}</p>').format(Markup(" ").join(said))


def draw_fate(rerouted: float, lost: float) -> Markup:
    """Draw what becomes of the pieces hit: re-routed against lost, as one bar."""
    total = rerouted + lost
    if total <= 0:
        return Markup("")
    split = 600 * rerouted / total
    return Markup(
        f'<svg class="fate" viewBox="0 0 600 18" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(str(text("bar.title")))}">'
        f'<rect class="fate-rerouted" x="0" width="{split:.1f}" height="18"/>'
        f'<rect class="fate-lost" x="{split:.1f}" width="{600 - split:.1f}" height="18"/></svg>'
    )


def round_up(most: float) -> tuple[float, float]:
    """Return a round number above ``most``, and the step that divides it into a few."""
    size = 10.0 ** math.floor(math.log10(most))
    step = next(m * size for m in (0.2, 0.5, 1.0, 2.0) if most / (m * size) <= 6.0)
    return step * math.ceil(most / step - 1e-9), step
