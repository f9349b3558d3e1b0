"""Charts of a forecast over its days as SVG: history, forecast, interval, marked days, closures.

What is chosen on the page is drawn by ``forecast.js`` alike; classes and sizes are shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from changtong.report.forecast_view import Series, Span, View
from changtong.report.simulation_charts import Frame, draw_grid, nice_step, short_pieces, svg_text
from changtong.report.texts import same, text

Floats = NDArray[np.float64]

SHOWN_PAST = 91
WIDE, HIGH = 1120, 340
SMALL_WIDE, SMALL_HIGH, SMALL_PAST = 300, 120, 56
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 44, 26
NAME_ROWS = (14, 29)
LETTER = 6.6


@dataclass(frozen=True)
class Window:
    """The days drawn: from which on, and where the forecast begins among them."""

    first: int
    n_past: int
    n_days: int


def draw_total(view: View) -> Markup:
    """Draw all legs together, with the names of marked days."""
    window = _window(view, SHOWN_PAST)
    one = view.total
    most = max(_most(one, window), 1.0)
    step = nice_step(most)
    top = step * math.ceil(most / step - 1e-9)
    frame = Frame(LEFT, WIDE - RIGHT, TOP, HIGH - BOTTOM, float(window.n_days), top)
    parts = [
        f'<svg class="days large" viewBox="0 0 {WIDE} {HIGH}" role="img" tabindex="0" data-series="0" '
        f'data-first="{window.first}" data-left="{LEFT}" data-right="{WIDE - RIGHT}" data-wide="{WIDE}" '
        f'aria-label="{escape(str(text("forecast.total")))}">'
    ]
    parts += _marks(frame, view.spans, window) + draw_grid(frame, step) + _ticks(frame, view, window)
    parts += _names(frame, view.spans, window) + _curves(frame, one, window)
    parts.append(f'<line class="now" x1="-9" x2="-9" y1="{TOP}" y2="{frame.base}"/>')
    return Markup("".join([*parts, "</svg>"]))


def draw_small(view: View, one: Series) -> Markup:
    """Draw one series in little room."""
    window = _window(view, SMALL_PAST)
    most = max(_most(one, window), 1.0)
    frame = Frame(4, SMALL_WIDE - 4, 16, SMALL_HIGH - 18, float(window.n_days), most * 1.02)
    parts = [
        f'<svg class="days small" viewBox="0 0 {SMALL_WIDE} {SMALL_HIGH}" role="img" '
        f'aria-label="{escape(str(one.name))}">'
    ]
    parts += _marks(frame, view.spans, window)
    parts.append(f'<line class="axis" x1="4" x2="{frame.right}" y1="{frame.base}" y2="{frame.base}"/>')
    parts += _curves(frame, one, window)
    most_said = text("forecast.at_most", pieces=short_pieces(most))
    parts.append(svg_text(most_said, 4, 11, "level-small"))
    for day in (0, window.n_past):
        said = same(f"{view.days[window.first + day]:%m-%d}")
        parts.append(svg_text(said, frame.x(day), SMALL_HIGH - 4, "day-name"))
    return Markup("".join([*parts, "</svg>"]))


def _window(view: View, past: int) -> Window:
    first = max(0, view.n_past - past)
    return Window(first, view.n_past - first, len(view.days) - first)


def _most(one: Series, window: Window) -> float:
    past = one.past[window.first :]
    return max([float(x) for x in (*past[np.isfinite(past)], *one.high, *one.ahead)], default=1.0)


def _marks(frame: Frame, spans: Sequence[Span], window: Window) -> list[str]:
    """Return the shades of marked days; make-up days are ticks at the foot."""
    parts = []
    for span in spans:
        first, last = span.first - window.first, span.last - window.first
        if last < 0:
            continue
        begin, end = frame.x(max(0, first)), frame.x(last + 1)
        if span.kind == "make-up":
            x, y = (begin + end) / 2, frame.base
            parts.append(f'<path class="make-up" d="M{x:.1f} {y - 7:.1f}l4 7h-8z"/>')
            continue
        parts.append(
            f'<rect class="mark-{span.kind}" x="{begin:.1f}" y="{frame.top:.1f}" '
            f'width="{end - begin:.1f}" height="{frame.base - frame.top:.1f}"/>'
        )
        if span.main is not None and span.main >= window.first:
            x = frame.x(span.main - window.first + 0.5)
            parts.append(
                f'<line class="main-day" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.base}"/>'
            )
    return parts


def _names(frame: Frame, spans: Sequence[Span], window: Window) -> list[str]:
    """Return the names of marked days above the chart, where there is room in one of two rows."""
    parts, taken = [], [-1e9] * len(NAME_ROWS)
    for span in spans:
        if span.last < window.first or span.kind == "make-up":
            continue
        at = span.main if span.main is not None and span.main >= window.first else None
        middle = (max(span.first, window.first) + span.last + 1) / 2 if at is None else at + 0.5
        half = LETTER * max(len(span.name.en), 2 * len(span.name.zh)) / 2
        x = min(max(frame.x(middle - window.first), frame.left + half), frame.right - half)
        row = next((k for k, end in enumerate(taken) if end + 6 <= x - half), None)
        if row is None:
            continue
        taken[row] = x + half
        parts.append(svg_text(span.name, x, NAME_ROWS[row], f"mark-name name-{span.kind}"))
    return parts


def _ticks(frame: Frame, view: View, window: Window) -> list[str]:
    """Return the names of some Mondays below the chart."""
    parts = []
    mondays = [k for k in range(window.n_days) if view.days[window.first + k].weekday() == 0]
    for k in mondays[:: -(-len(mondays) // 12)]:
        x = frame.x(k)
        parts.append(f'<line class="day" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.base}" y2="{frame.base + 4}"/>')
        parts.append(svg_text(same(f"{view.days[window.first + k]:%m-%d}"), x, frame.base + 17, "day-name"))
    return parts


def _curves(frame: Frame, one: Series, window: Window) -> list[str]:
    """Return closures, band, history and forecast; a day stands in the middle of its place."""
    n = window.n_past
    past, middle = one.past[window.first :], np.arange(window.n_days) + 0.5
    parts = []
    for first, last in _runs(one.shut[window.first :]):
        begin, end = frame.x(first), frame.x(last + 1)
        parts.append(
            f'<rect class="mark-shut" x="{begin:.1f}" y="{frame.top:.1f}" width="{end - begin:.1f}" '
            f'height="{frame.base - frame.top:.1f}"/>'
        )
    upper = [f"{frame.x(h):.1f} {frame.y(v):.1f}" for h, v in zip(middle[n:], one.high, strict=True)]
    lower = [f"{frame.x(h):.1f} {frame.y(v):.1f}" for h, v in zip(middle[n:], one.low, strict=True)]
    parts.append(f'<path class="f-band" d="M{"L".join(upper + lower[::-1])}Z"/>')
    x = frame.x(n)
    parts.append(f'<line class="begin" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.base}"/>')
    for first, last in _runs(np.isfinite(past)):
        here = slice(first, last + 1)
        points = [f"{frame.x(h):.1f} {frame.y(v):.1f}" for h, v in zip(middle[here], past[here], strict=True)]
        parts.append(f'<path class="f-past" d="M{"L".join(points if len(points) > 1 else points * 2)}"/>')
    points = [f"{frame.x(h):.1f} {frame.y(v):.1f}" for h, v in zip(middle[n:], one.ahead, strict=True)]
    parts.append(f'<path class="f-ahead" d="M{"L".join(points if len(points) > 1 else points * 2)}"/>')
    return parts


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and last place of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
