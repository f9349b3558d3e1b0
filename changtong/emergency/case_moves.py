"""Which actions a case takes in the state it is in, for those who are offered them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from changtong.emergency.case import Case

AT_ANY_TIME = ("measure", "site", "report", "note", "situation_report")
MOVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "open": ("level", "task", *AT_ANY_TIME, "end"),
        "responding": ("level", "task", "add_task", *AT_ANY_TIME, "suspend", "end"),
        "suspended": ("task", *AT_ANY_TIME, "resume", "end"),
        "ended": (*AT_ANY_TIME, "close"),
        "closed": (),
    }
)
"""State of a case -> actions that may be taken, as `case_rules` decides entry by entry."""


def moves(case: Case) -> tuple[str, ...]:
    """Return the actions that a case takes in its state; whether an entry is right is seen when it is made.

    Parameters
    ----------
    case : Case
    """
    return MOVES[case.state]
