"""Scores of one level drawn: this year filled, last year hollow, lines where bands begin."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from changtong.report.texts import Both

WIDTH, ROW, LEFT, RIGHT, TOP = 480, 26, 128, 60, 22


def draw_scores(rows: list[dict[str, Any]], bands: list[tuple[float, Both]], title: Both) -> Markup:
    """Draw scores as dots on one scale.

    Parameters
    ----------
    rows : list of dict
        ``name``, ``score``, ``said`` and ``last`` of each, in the order of the ranking.
    bands : list of (points, name)
        Where bands begin.
    title : Both
        Read out by screen readers.
    """
    values = [row["score"] for row in rows] + [row["last"] for row in rows if row["last"] is not None]
    low, high = _range(values, [points for points, _ in bands])
    height = TOP + ROW * len(rows) + 22

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)

    head = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(str(title))}"'
    parts = [f'<svg class="chart scores" {head}>']
    for points, name in bands:
        if low < points < high:
            at = f"{x(points):.1f}"
            parts.append(f'<line class="band-line" x1="{at}" x2="{at}" y1="{TOP - 4}" y2="{height - 20}"/>')
            for language, words in (("zh-CN", name.zh), ("en", name.en)):
                place = f'lang="{language}" x="{at}" y="{TOP - 9}"'
                parts.append(f'<text class="band-name" {place}>{escape(f"{words} {points:g}")}</text>')
    for number, row in enumerate(rows):
        y, now = TOP + ROW * number + ROW / 2, f"{x(row['score']):.1f}"
        parts.append(f'<line class="track" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="side" x="{LEFT - 10}" y="{y + 4}">{escape(_short(row["name"]))}</text>')
        if row["last"] is not None:
            then = f"{x(row['last']):.1f}"
            parts.append(f'<line class="move" x1="{then}" x2="{now}" y1="{y}" y2="{y}"/>')
            parts.append(f'<circle class="last" cx="{then}" cy="{y}" r="4.5"/>')
        parts.append(f'<circle class="now" cx="{now}" cy="{y}" r="5.5"/>')
        parts.append(f'<text class="value" x="{WIDTH - RIGHT + 10}" y="{y + 4}">{escape(row["said"])}</text>')
    for value in (low, high):
        parts.append(f'<text class="edge" x="{x(value):.1f}" y="{height - 5}">{value:g}</text>')
    parts.append("</svg>")
    return Markup("".join(parts))


def _short(name: str) -> str:
    """Cut a name so that it fits beside the chart; a Chinese sign takes the room of two."""
    room, cut = 0, 0
    for cut, sign in enumerate(name, 1):
        room += 2 if sign > "\u2e7f" else 1
        if room > 17:
            return name[: cut - 1] + "…"
    return name[:cut]


def _range(values: list[float], bands: list[float]) -> tuple[float, float]:
    """Return a range of round numbers that holds all scores and the nearest begin of a band on each side."""
    low, high = min(values), max(values)
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if (high - low) / size <= 12)
    near = [points for points in bands if low - 3 * step <= points <= high + 3 * step]
    low, high = min([low, *near]), max([high, *near])
    return (low // step - 1) * step, (high // step + 1) * step
