"""What the plan command is asked: its options read, and remarks on what they do."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches

from changtong.errors import Problem, UsageError
from changtong.network.model import Network
from changtong.outage_files import read_time
from changtong.outages import Outage, apart, unlimited_places


def read_objectives(text: str) -> tuple[str, ...]:
    """Return the objectives in their order; each one known and named once."""
    known = ("unserved", "late", "cost", "carbon", "changed_legs", "max_load")
    order = tuple(part.strip().lower().replace("-", "_") for part in text.split(",") if part.strip())
    for name in order:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"--objectives: {name!r} is unknown; known are {', '.join(known)}.{hint}")
    if not order or len(set(order)) < len(order):
        raise UsageError(f"--objectives {text!r}: name one at least, each once: {', '.join(known)}.")
    return order


def read_moment(text: str | None) -> datetime | None:
    """Return the instant of ``--at``: now, or a time with a zone."""
    if text is None:
        return None
    if text.strip().lower() == "now":
        return datetime.now().astimezone().replace(microsecond=0)
    moment = read_time(text)
    if moment is None:
        raise UsageError(
            f"--at {text!r} is no time with a zone: write now, or 2026-07-20T03:00+08:00.",
            "time-without-zone",
        )
    return moment


def nothing_shut(wrong: tuple[Outage, ...], moment: datetime | None) -> Problem:
    """Return the problem of a plan for which nothing is shut."""
    if not wrong or moment is None:
        return Problem("no-outage", "Nothing is shut.", expected="--close SITE or --outages FILE")
    later = sorted(one.start for one in wrong if one.start is not None and one.start > moment)
    hint = f"The next begins at {later[0].isoformat()}." if later else "All have ended."
    message = f"Of {len(wrong)} outages none is in force at {moment.isoformat()}."
    return Problem("no-outage", message, expected="another --at, or no --at to count them all", hint=hint)


def time_notes(wrong: tuple[Outage, ...], counted: tuple[Outage, ...], moment: datetime | None) -> list[str]:
    """Say what the times of the outages do to this plan."""
    if moment is not None:
        left = [one.label for one in wrong if one not in counted]
        text = f"at {moment.isoformat()}: {len(counted)} of {len(wrong)} outages in force"
        return [text + (f"; left out: {', '.join(left)}" if left else "")]
    notes = []
    pair = apart(counted)
    if pair is not None:
        notes.append(
            f'"{pair[0].label}" ends before "{pair[1].label}" begins; the plan holds with both.'
            " --at TIME counts only what is in force then."
        )
    now = datetime.now().astimezone()
    past = [one.label for one in counted if one.end is not None and one.end <= now]
    if past:
        notes.append(f"ended already, counted all the same: {', '.join(past)}. --at now leaves them out.")
    return notes


def slow_notes(network: Network, counted: tuple[Outage, ...]) -> list[str]:
    """Say which slow-downs change nothing, for want of a capacity to take a share of."""
    notes = []
    for outage in counted:
        places = unlimited_places(network, outage)
        if places:
            shown = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
            notes.append(f'"{outage.label}": no capacity is known for {shown}; a share of it slows nothing.')
    return notes
