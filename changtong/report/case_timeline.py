"""The timeline of an emergency case: levels as bands, entries as dots, times that were missed as lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from changtong.emergency.case_status import CaseStatus
from changtong.report.texts import Both, text

WIDTH, LEFT, RIGHT, TOP, ROW = 960, 118, 20, 26, 30
ROWS = ("level", "report", "task", "site", "measure")
MOST_DOTS = 400
STEPS_MIN = (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14400, 43200, 129600)


def draw_timeline(status: CaseStatus) -> Markup:
    """Draw a case from when it was known to the instant it is looked at.

    Parameters
    ----------
    status : CaseStatus
    """
    case, zone = status.case, ZoneInfo(status.case.zone)
    begin = case.known_at
    end = max(status.at, begin + timedelta(minutes=10))
    height = TOP + ROW * len(ROWS) + 30

    def x(at: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((at - begin) / (end - begin))

    title = escape(str(text("case.timeline")))
    parts = [f'<svg class="chart timeline" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">']
    parts += _ticks(begin, end, zone, height, x)
    parts += _bands(status, end, x)
    for number, key in enumerate(ROWS):
        y = TOP + ROW * number + ROW / 2
        parts.append(f'<line class="track" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts += _words(LEFT - 8, y + 4, _names()[key], "side")
    parts += _missed(status, x)
    parts += _dots(status, x)
    parts.append("</svg>")
    return Markup("".join(parts))


def _names() -> dict[str, Both]:
    return {
        "level": text("case.level"), "report": text("case.clock"), "task": text("case.task"),
        "site": text("case.site"), "measure": text("case.measure"),
    }  # fmt: skip


def _words(x: float, y: float, said: Both, style: str) -> list[str]:
    return [
        f'<text class="{style}" lang="{language}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
        for language, words in (("zh-CN", said.zh), ("en", said.en))
    ]


def _ticks(begin: datetime, end: datetime, zone: ZoneInfo, height: float, x: object) -> list[str]:
    """Return lines at round local times, at most eight."""
    assert callable(x)
    minutes = (end - begin) / timedelta(minutes=1)
    step = next((one for one in STEPS_MIN if minutes / one <= 8), int(minutes / 8) + 1)
    local = begin.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    first = int((local - midnight) / timedelta(minutes=step)) + 1
    parts = []
    for number in range(first, first + 10):
        at = midnight + timedelta(minutes=step * number)
        if at >= end:
            break
        place = f"{x(at):.1f}"
        parts.append(f'<line class="tick" x1="{place}" x2="{place}" y1="{TOP - 4}" y2="{height - 26}"/>')
        said = (
            f"{at:%m-%d}"
            if step >= 1440
            else f"{at:%m-%d %H:%M}"
            if at.hour + at.minute == 0
            else f"{at:%H:%M}"
        )
        parts.append(f'<text class="edge" x="{place}" y="{height - 8}">{said}</text>')
    return parts


def _bands(status: CaseStatus, end: datetime, x: object) -> list[str]:
    assert callable(x)
    case = status.case
    until = case.ended_at or end
    spans = (
        zip(case.levels, [*(one.at for one in case.levels[1:]), until], strict=True) if case.levels else ()
    )
    parts = []
    for one, stop in spans:
        if one.level == "none" or stop <= one.at:
            continue
        wide = max(x(min(stop, end)) - x(one.at), 2.0)
        left = x(one.at)
        place = f'x="{left:.1f}" y="{TOP + 3}" width="{wide:.1f}" height="{ROW - 6}"'
        parts.append(f'<rect class="band level-{one.level}" {place}/>')
        if wide > 22:
            place = f'x="{left + wide / 2:.1f}" y="{TOP + ROW / 2 + 4}"'
            parts.append(f'<text class="band-name" {place}>{one.level}</text>')
    return parts


def _missed(status: CaseStatus, x: object) -> list[str]:
    assert callable(x)
    dues: list[tuple[str, datetime]] = [
        ("report", one.due)
        for one in status.clocks
        if one.state in ("late", "overdue") and one.due is not None
    ]
    dues += [("task", one.task.due) for one in status.tasks if one.was_late]
    parts = []
    for key, due in dues[:MOST_DOTS]:
        y = TOP + ROW * ROWS.index(key)
        place = f"{x(due):.1f}"
        parts.append(f'<line class="missed" x1="{place}" x2="{place}" y1="{y + 5}" y2="{y + ROW - 5}"/>')
    return parts


def _dots(status: CaseStatus, x: object) -> list[str]:
    assert callable(x)
    rows = {"inject": "measure"}
    parts = []
    chosen: Sequence[tuple[str, datetime]] = [
        (rows.get(one.action, one.action), one.at)
        for one in status.case.entries
        if one.at >= status.case.known_at
    ]
    for key, at in chosen[-MOST_DOTS:]:
        if key in ROWS and key != "level":
            y = TOP + ROW * ROWS.index(key) + ROW / 2
            parts.append(f'<circle class="dot" cx="{x(at):.1f}" cy="{y}" r="4.5"/>')
    return parts
