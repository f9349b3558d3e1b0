"""Charts over the hours as SVG, drawn with classes only (the page's policy allows no inline styles)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from changtong.report.simulation_data import Backlog
from changtong.report.simulation_view import Clock, Event, Span, say_hour
from changtong.report.texts import Both, rough, same, text
from changtong.simulation.replications import Replications
from changtong.simulation.result import Simulation

Floats = NDArray[np.float64]

WIDE, HIGH = 560, 290
LEFT, TOP, BOTTOM = 70, 26, 30
SMALL_WIDE, SMALL_HIGH, SMALL_BOTTOM = 300, 118, 20
SMALL_MULTIPLES = 10
SHOWN_HOLD = 2.0
"""A holding limit above this many peaks is said, not drawn: it would flatten the curve."""

MOST_POINTS = 700


@dataclass(frozen=True)
class Frame:
    """Where hours and pieces stand in a chart."""

    left: float
    right: float
    top: float
    base: float
    last_h: float
    most: float

    def x(self, hour: float) -> float:
        """Return where an hour stands."""
        return self.left + (self.right - self.left) * hour / self.last_h

    def y(self, pieces: float) -> float:
        """Return where a number of pieces stands."""
        return self.base - (self.base - self.top) * pieces / self.most

    def path(self, hours: Floats, values: Floats, *, closed: bool = False) -> str:
        """Return the path of a line, or of the area below it."""
        step = -(-len(hours) // MOST_POINTS)
        keep = np.unique(np.append(np.arange(0, len(hours), step), len(hours) - 1))
        points = [f"{self.x(h):.1f} {self.y(v):.1f}" for h, v in zip(hours[keep], values[keep], strict=True)]
        line = "M" + "L".join(points)
        if closed:
            begin, end = self.x(float(hours[0])), self.x(float(hours[-1]))
            line += f"L{end:.1f} {self.base:.1f}L{begin:.1f} {self.base:.1f}Z"
        return line


def nice_step(most: float, steps: int = 4) -> float:
    """Return a round distance between grid lines: 1, 2, 2.5 or 5 times a power of ten."""
    raw = max(most, 1e-9) / steps
    power = 10.0 ** math.floor(math.log10(raw))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= raw * (1 - 1e-9))


def short_pieces(value: float) -> Both:
    """Say a number of pieces in few signs: 120 万, 1.2M."""

    def cut(units: tuple[tuple[str, float], ...]) -> str:
        unit, size = next((pair for pair in units if value >= pair[1]), ("", 1.0))
        number = value / size
        return (f"{number:.3g}" if number < 1000 else f"{number:,.0f}") + unit

    return Both(zh=cut(((" 亿", 1e8), (" 万", 1e4))), en=cut((("M", 1e6), ("k", 1e3))))


def svg_text(said: Both, x: float, y: float, name: str) -> str:
    """Write a text in both languages; the page shows one."""
    if said.zh == said.en:
        inner = str(escape(said.zh))
    else:
        inner = f'<tspan lang="zh-CN">{escape(said.zh)}</tspan><tspan lang="en">{escape(said.en)}</tspan>'
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}">{inner}</text>'


def day_ticks(last_h: float, clock: Clock, most: int) -> list[tuple[float, Both]]:
    """Return the hours at which days begin (or, of a short run, every few hours), and their names."""
    first = -clock.begins % 24.0
    if last_h - first < 36.0:
        every = next(step for step in (0.25, 1.0, 3.0, 6.0, 12.0) if last_h / step <= most)
        begin = -clock.begins % every
        hours = np.arange(begin, last_h + 1e-6, every)
        return [(float(h), same(clock.say(float(h)).zh.split(" ")[-1])) for h in hours]
    midnights = np.arange(first, last_h - 1e-6, 24.0)
    stride = -(-len(midnights) // most)
    shift = 0 if first == 0.0 else 1
    return [(float(h), clock.day(i + shift)) for i, h in enumerate(midnights)][::stride]


def _background(
    frame: Frame, spans: Sequence[Span], clock: Clock, most: int = 8, room: float = 48
) -> list[str]:
    """Return the shades of outages and the days; ``room`` is what the name of one takes."""
    parts = []
    for span in spans:
        begin, end = frame.x(span.from_h), frame.x(span.to_h)
        parts.append(
            f'<rect class="outage" x="{begin:.1f}" y="{frame.top:.1f}" width="{max(1.0, end - begin):.1f}" '
            f'height="{frame.base - frame.top:.1f}"/>'
        )
    for hour, said in day_ticks(frame.last_h, clock, most):
        x = frame.x(hour)
        parts.append(f'<line class="day" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.base}"/>')
        if x + room <= frame.right + 8:
            parts.append(svg_text(said, x + 2, frame.base + 15, "day-name"))
    return parts


def draw_grid(frame: Frame, step: float) -> list[str]:
    """Return the lines of a grid and what they stand for."""
    parts = []
    for k in range(round(frame.most / step) + 1):
        y = frame.y(k * step)
        name = "axis" if k == 0 else "grid"
        parts.append(f'<line class="{name}" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(svg_text(short_pieces(k * step), frame.left - 6, y + 4, "level"))
    return parts


def _marks(frame: Frame, events: Sequence[Event]) -> list[str]:
    parts, numbers = [], {event.hour: event.mark for event in events if event.mark is not None}
    for hour, mark in numbers.items():
        x = frame.x(hour)
        parts.append(
            f'<line class="change" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top - 8}" y2="{frame.base}"/>'
        )
        parts.append(f'<circle class="mark" cx="{x:.1f}" cy="{frame.top - 14}" r="8"/>')
        parts.append(f'<text class="mark-number" x="{x:.1f}" y="{frame.top - 10}">{mark}</text>')
    return parts


def _open_svg(frame: Frame, wide: float, high: float, title: Both, name: str) -> str:
    return (
        f'<svg class="hours {name}" viewBox="0 0 {wide:g} {high:g}" role="img" '
        f'aria-label="{escape(str(title))}" data-left="{frame.left:g}" data-right="{frame.right:g}" '
        f'data-wide="{wide:g}" data-last="{frame.last_h:g}">'
    )


def _now(frame: Frame) -> str:
    return f'<line class="now" x1="-9" x2="-9" y1="{frame.top}" y2="{frame.base}"/>'


def draw_hours(
    run: Simulation, lines: Sequence[tuple[str, Floats]], *, title: Both, clock: Clock,
    spans: Sequence[Span], events: Sequence[Event], band: tuple[Floats, Floats] | None = None,
) -> Markup:  # fmt: skip
    """Draw lines over the hours of a run, each with the class of its style, over a band if there is one."""
    hours = run.hours["hour"].to_numpy()
    tops = [values for _, values in lines] + ([] if band is None else [band[1]])
    most = max([float(values.max(initial=0.0)) for values in tops] + [1.0])
    step = nice_step(most)
    frame = Frame(LEFT, WIDE - 12, TOP, HIGH - BOTTOM, float(hours[-1]), step * math.ceil(most / step - 1e-9))
    parts = [_open_svg(frame, WIDE, HIGH, title, "large")]
    parts += _background(frame, spans, clock) + draw_grid(frame, step) + _marks(frame, events)
    if band is not None:
        low, high = band
        lower = frame.path(hours[::-1], low[::-1])
        parts.append(f'<path class="rep-band" d="{frame.path(hours, high)}L{lower[1:]}Z"/>')
    parts += [f'<path class="line {name}" d="{frame.path(hours, values)}"/>' for name, values in lines]
    return Markup("".join([*parts, _now(frame), "</svg>"]))


def hour_charts(
    run: Simulation, backlog: Backlog, clock: Clock, spans: Sequence[Span], events: Sequence[Event],
    many: Replications | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the charts of the whole network: what waits, what is under way, what comes in and goes out.

    Where it was played many times the median and the band of 80 % stand with what waits.
    """
    step_h = float(run.settings.step_h)

    def column(name: str, scale: float = 1.0) -> Floats:
        return np.asarray(run.hours[f"{name}_pieces"].to_numpy() * scale, np.float64)

    waits = [
        ("s-usual", backlog.usual.sum(axis=1)),
        ("s-held", column("held")),
        ("s-waiting", column("waiting") - column("held")),
    ]
    bands: dict[str, tuple[Floats, Floats]] = {}
    if many is not None:
        low, middle, high = (
            np.asarray(many.hours[f"queue_{end}"].to_numpy(), np.float64) for end in ("low", "median", "high")
        )
        bands["waiting"] = (low, high)
        waits.insert(2, ("s-median", middle))
    moves = [("s-under-way", column("under_way"))]
    rate = [("s-accepted", column("accepted", 1 / step_h)), ("s-delivered", column("delivered", 1 / step_h))]
    made = []
    for key, lines in (("waiting", waits), ("under_way", moves), ("rate", rate)):
        title = text(f"run.c_{key}")
        band = bands.get(key)
        drawn = draw_hours(run, lines, title=title, clock=clock, spans=spans, events=events, band=band)
        names = [(name, text(f"run.{name.replace('-', '_')}")) for name, _ in reversed(lines)]
        made.append({"title": title, "svg": drawn, "key": names, "band": band is not None})
    return made


def small_charts(
    run: Simulation, backlog: Backlog, names: dict[str, str], clock: Clock, spans: Sequence[Span]
) -> list[dict[str, Any]]:
    """Return a chart for each of the sites whose backlog grew most."""
    row_of = {site_id: row for row, site_id in enumerate(run.network.site_ids)}
    made = []
    for site in run.grown_sites(SMALL_MULTIPLES).iter_rows(named=True):
        row, name = row_of[str(site["site_id"])], names[str(site["site_id"])]
        waiting, usual = backlog.waiting[:, row], backlog.usual[:, row]
        hold = site["hold_pieces"]
        svg = _small(run, (waiting, usual), hold, title=same(name), clock=clock, spans=spans)
        peak = text("run.small_peak", pieces=rough(site["peak_pieces"]), hour=say_hour(site["peak_h"]))
        room = text("run.no_hold") if hold is None else text("run.small_hold", pieces=rough(hold))
        made.append(
            {"name": name, "peak": peak, "room": room, "svg": svg, "burst": site["burst_hours"] > 0.0}
        )
    return made


def _small(
    run: Simulation, curves: tuple[Floats, Floats], hold: float | None, *, title: Both, clock: Clock,
    spans: Sequence[Span],
) -> Markup:  # fmt: skip
    waiting, usual = curves
    hours, peak = run.hours["hour"].to_numpy(), float(waiting.max(initial=1.0))
    drawn_hold = hold is not None and hold <= SHOWN_HOLD * peak
    most = max(peak, float(usual.max()), hold if drawn_hold and hold is not None else 0.0, 1.0) * 1.04
    base = SMALL_HIGH - SMALL_BOTTOM
    frame = Frame(4, SMALL_WIDE - 4, 6, base, float(hours[-1]), most)
    parts = [_open_svg(frame, SMALL_WIDE, SMALL_HIGH, title, "small")]
    parts += _background(frame, spans, clock, most=4, room=38)
    parts.append(f'<line class="axis" x1="4" x2="{frame.right}" y1="{base}" y2="{base}"/>')
    parts.append(f'<path class="area" d="{frame.path(hours, waiting, closed=True)}"/>')
    parts.append(f'<path class="line s-usual" d="{frame.path(hours, usual)}"/>')
    if hold is not None and drawn_hold:
        y = frame.y(hold)
        over = np.maximum(waiting, hold)
        if bool((waiting > hold).any()):
            parts.append(f'<path class="over" d="{_over(frame, hours, over, hold)}"/>')
        parts.append(f'<line class="hold" x1="4" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<path class="line s-waiting" d="{frame.path(hours, waiting)}"/>')
    return Markup("".join([*parts, _now(frame), "</svg>"]))


def _over(frame: Frame, hours: Floats, over: Floats, hold: float) -> str:
    """Return the area between a curve and the holding limit below it."""
    begin, end, y = frame.x(float(hours[0])), frame.x(float(hours[-1])), frame.y(hold)
    return f"{frame.path(hours, over)}L{end:.1f} {y:.1f}L{begin:.1f} {y:.1f}Z"


def draw_strip(backlog: Backlog, spans: Sequence[Span]) -> Markup:
    """Draw what waits above the usual in the network as a strip above the slider of the hours."""
    hours, values = backlog.hours, backlog.above.sum(axis=1)
    last = float(hours[-1])
    frame = Frame(0, 600, 1, 40, last, max(float(values.max()), 1.0))
    rects = "".join(
        f'<rect class="outage" x="{frame.x(span.from_h):.1f}" y="0" height="40" '
        f'width="{max(1.0, frame.x(span.to_h) - frame.x(span.from_h)):.1f}"/>'
        for span in spans
    )
    return Markup(
        '<svg class="strip" viewBox="0 0 600 40" preserveAspectRatio="none" aria-hidden="true">'
        f'{rects}<path class="area" d="{frame.path(hours, values, closed=True)}"/></svg>'
    )
