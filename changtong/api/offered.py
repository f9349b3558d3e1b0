"""The studies that the API offers: what each takes, checked whole before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from changtong.errors import InputError, NotFoundError, Problem
from changtong.outage_files import KNOWN

MOST_OUTAGES = 5_000


@dataclass(frozen=True)
class Parameter:
    """A number that a study takes.

    Attributes
    ----------
    name : str
    least, most : float
    default : float
    unit : str
    says : str
        What it does.
    """

    name: str
    least: float
    most: float
    default: float
    unit: str
    says: str


@dataclass(frozen=True)
class Offer:
    """A study with what it takes.

    Attributes
    ----------
    name : str
        As `run_study` knows it.
    command : str
        The command that does the same.
    says : str
    parameters : tuple of Parameter
    """

    name: str
    command: str
    says: str
    parameters: tuple[Parameter, ...]

    def described(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        inputs = [
            {"name": "network", "type": "id of a network", "required": True},
            {"name": "outages", "type": "list of outages", "required": False, "columns": list(KNOWN)},
        ]
        told = {"name": self.name, "command": self.command, "says": self.says, "inputs": inputs}
        return told | {"parameters": [asdict(one) for one in self.parameters]}


_OF_PLANS = (
    Parameter("gap_share", 0.0, 1.0, 1e-3, "share", "Proved gap at which to stop."),
    Parameter("seconds", 0.1, 3600.0, 30.0, "s", "Time limit for the flow."),
    Parameter(
        "stability_cny", 0.0, 1e6, 0.05, "CNY a piece",
        "What a piece weighs that leaves its site by another leg than today.",
    ),
    Parameter(
        "hour_cny", 0.0, 1e6, 0.0005, "CNY an hour", "On large networks, what an hour of a piece weighs."
    ),
)  # fmt: skip

OFFERS = {
    offer.name: offer
    for offer in (
        Offer("plan", "changtong plan", "Re-route around what is shut or slowed.", _OF_PLANS),
        Offer(
            "plan-verified", "changtong plan --verify",
            "Re-route, play the plan forward, and plan again where it does not hold.", _OF_PLANS,
        ),
    )
}  # fmt: skip


def offer_of(name: str) -> Offer:
    """Return a study that is offered.

    Raises
    ------
    NotFoundError
    """
    if name in OFFERS:
        return OFFERS[name]
    near = get_close_matches(name, OFFERS, n=1)
    hint = f" Did you mean {near[0]}?" if near else f" There are {', '.join(OFFERS)}."
    raise NotFoundError(f"This study is not offered.{hint}")


def checked_parameters(offer: Offer, given: Mapping[str, object]) -> dict[str, float]:
    """Return all parameters, those not given as they are by default.

    Raises
    ------
    InputError
        ``unknown-column``, ``wrong-type``, ``out-of-range``; all at once.
    """
    known = {one.name: one for one in offer.parameters}
    problems = [_unknown(name, tuple(known)) for name in given.keys() - known.keys()]
    values = {one.name: one.default for one in offer.parameters}
    for name, value in given.items():
        if name not in known:
            continue
        one = known[name]
        column, expected = f"parameters.{name}", f"{one.least:g} to {one.most:g} ({one.unit})"
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(Problem("wrong-type", "This is no number.", column=column, expected=expected))
        elif not one.least <= value <= one.most:
            problems.append(Problem("out-of-range", f"{value!r}.", column=column, expected=expected))
        else:
            values[name] = float(value)
    if problems:
        raise InputError(sorted(problems, key=lambda problem: str(problem.column)))
    return values


def _unknown(name: str, known: tuple[str, ...]) -> Problem:
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
    return Problem(
        "unknown-column", f"{name[:40]!r} is not known.", column=f"parameters.{name[:40]}", hint=hint
    )


def check_outage_shapes(outages: list[dict[str, Any]]) -> None:
    """Refuse outages that could name a file; the rest is checked against the network when the run begins.

    Raises
    ------
    InputError
        ``bad-area``: an area is GeoJSON itself here, never the name of a file.
    """
    problems = [
        Problem("bad-area", "The area is no GeoJSON.", "outages", number, "area", expected="a JSON object")
        for number, outage in enumerate(outages, 1)
        if not isinstance(outage.get("area"), dict | None)
    ]
    if problems:
        raise InputError(problems)
