"""Line drawings of benchmarks as SVG: the horizontal axis by powers of ten, the vertical too or from 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 420, 70, 230, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""After Okabe and Ito: told apart with every common colour blindness."""


@dataclass(frozen=True)
class Line:
    """What is drawn: its name, points, colour and dashes (told apart without colours as well)."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashes: str = ""


def draw(
    lines: Sequence[Line],
    file: Path,
    title: str,
    *,
    say_x: Callable[[float], str],
    say_y: Callable[[float], str],
    linear: bool = False,
) -> None:
    """Draw lines; with ``linear`` the vertical axis begins at 0, else both go by powers of ten."""
    every = [point for line in lines for point in line.points]
    x_low, x_high = floor(log10(min(x for x, _ in every))), ceil(log10(max(x for x, _ in every)))
    if linear:
        most = max(y for _, y in every)
        step = next(s * 10.0**e for e in range(-3, 6) for s in (1, 2, 5) if most / (s * 10.0**e) <= 6.0)
        marks = [step * k for k in range(ceil(most / step) + 1)]
    else:
        marks = [
            10.0**k
            for k in range(floor(log10(min(y for _, y in every))), ceil(log10(max(y for _, y in every))) + 1)
        ]

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (log10(x) - x_low) / max(1, x_high - x_low) * (WIDTH - LEFT - RIGHT)
        high = y / marks[-1] if linear else log10(y / marks[0]) / log10(marks[-1] / marks[0])
        return round(across, 1), round(TOP + (1.0 - high) * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22">{title}</text>',
    ]
    for power in range(x_low, x_high + 1):
        x, bottom = at(10.0**power, marks[0])
        parts.append(f'<path d="M{x} {TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{say_x(10.0**power)}</text>')
    for mark in marks:
        x, y = at(10.0**x_low, mark)
        parts.append(f'<path d="M{x} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end">{say_y(mark)}</text>')
    ends = []
    for line in lines:
        points = [at(*point) for point in line.points]
        if not points:
            continue
        path = "M" + "L".join(f"{x} {y}" for x, y in points)
        parts.append(
            f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dashes}"/>'
        )
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{line.colour}"/>' for x, y in points]
        ends.append((points[-1][1], points[-1][0], line.name, line.colour))
    place = float(HEIGHT)
    for y, x, name, colour in sorted(
        ends, reverse=True
    ):  # names one above the other where lines end close together
        place = min(y + 4, place - 17)
        parts.append(f'<text x="{x + 10}" y="{place}" fill="{colour}">{name}</text>')
    file.write_text("\n".join([*parts, "</svg>", ""]), "utf-8")
