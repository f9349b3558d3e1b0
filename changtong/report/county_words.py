"""How days, times, pieces and vehicles of a county plan are said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from changtong.report.texts import Both, text, whole

DAYS = {
    "1": ("一", "Mon"),
    "2": ("二", "Tue"),
    "3": ("三", "Wed"),
    "4": ("四", "Thu"),
    "5": ("五", "Fri"),
    "6": ("六", "Sat"),
    "7": ("日", "Sun"),
}


def say_days(weekdays: str) -> Both:
    """Say days of the week: "135" is 周一、三、五 and Mon, Wed, Fri."""
    if weekdays == "1234567":
        return Both(zh="每天", en="every day")
    if len(weekdays) == 6:
        (missing,) = set(DAYS) - set(weekdays)
        return Both(zh=f"每天（周{DAYS[missing][0]}除外）", en=f"every day but {DAYS[missing][1]}")
    if len(weekdays) > 2 and weekdays in "1234567":
        first, last = DAYS[weekdays[0]], DAYS[weekdays[-1]]
        return Both(zh=f"周{first[0]}至周{last[0]}", en=f"{first[1]} to {last[1]}")
    return Both(
        zh="周" + "、".join(DAYS[day][0] for day in weekdays), en=", ".join(DAYS[day][1] for day in weekdays)
    )


def say_clock(time: str | None) -> str:
    """Say a time of the day in hours and minutes."""
    return "–" if time is None else time[:5]


def say_vehicle(kind: str, number: int, tier: str, buses: Mapping[str, str]) -> Both:
    """Say which vehicle it is: its type and number; a bus by its name."""
    if tier == "bus":
        name = buses.get(kind) or kind
        return Both(name, name)
    return Both(zh=f"{kind} ", en=f"{kind} ") + text("route_sheet.number", number=number)


def bus_names(buses: Any) -> dict[str, str]:
    """Return bus -> name of its line."""
    return {bus: name for bus, name in buses.select("bus_id", "name").iter_rows() if name}


def say_pieces(value: float) -> str:
    """Say pieces of a stop; none is a dash."""
    return "–" if value < 0.05 else whole(value)
