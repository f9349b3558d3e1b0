"""Which records of which register are erased when: rules as data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.errors import InputError, Problem
from changtong.privacy.retention import RetentionRule, read_sections, rule_of
from changtong.storage.definitions import REGISTERS, register_columns, state_column

STAMPS = ("created_at", "updated_at")


@dataclass(frozen=True)
class ErasureRule:
    """How long the records of one register are kept.

    Attributes
    ----------
    register : str
    since : str
        Column with the instant from which the time counts.
    states : tuple of str
        Only records in one of these; empty where the register has no states.
    retention : RetentionRule
        How long, on what basis, from which source.
    """

    register: str
    since: str
    states: tuple[str, ...]
    retention: RetentionRule


def read_erasure_rules(path: str | os.PathLike[str]) -> dict[str, ErasureRule]:
    """Read rules of erasure: a section for each register, as of retention, with ``since`` and ``states``.

    Parameters
    ----------
    path : path
        TOML.

    Raises
    ------
    InputError
        ``bad-retention``, with every problem of the file.
    """
    place = Path(path)
    problems: list[Problem] = []
    made: dict[str, ErasureRule] = {}
    for name, part in read_sections(place).items():
        if name in REGISTERS:
            made[name] = _rule(name, part, place.name, problems)
        else:
            text = f"There is no register {name!r}."
            problems.append(_wrong(text, place.name, name, ", ".join(REGISTERS)))
    if not made and not problems:
        problems.append(_wrong("The file has no rule.", place.name, None, ", ".join(REGISTERS)))
    if problems:
        raise InputError(problems)
    return made


def _wrong(message: str, file: str, name: str | None, expected: str) -> Problem:
    return Problem("bad-retention", message, file, None, name, expected=expected)


def _rule(register: str, part: Any, file: str, problems: list[Problem]) -> ErasureRule:
    rest = dict(part) if isinstance(part, Mapping) else part
    since, states = (rest.pop(name, None) if isinstance(rest, dict) else None for name in ("since", "states"))
    columns = register_columns(register)
    instants = [name for name, column in columns.items() if column.type == "instant"]
    if since not in (*instants, *STAMPS):
        problems.append(
            _wrong(
                "since names no instant of this register.", file, register, ", ".join((*instants, *STAMPS))
            )
        )
    known = columns[state_column(register)].choices if state_column(register) else ()
    given = tuple(states) if isinstance(states, list) else ()
    if known and (not given or not set(map(str, given)) <= set(known)):
        problems.append(
            _wrong("states does not say which records are done with.", file, register, ", ".join(known))
        )
    if not known and states is not None:
        problems.append(_wrong("This register has no states.", file, register, "no states"))
    retention = rule_of(register, rest, file, problems)
    if retention.delete_after_days is None:
        problems.append(_wrong("delete_after_days is missing.", file, register, "a whole number of days"))
    return ErasureRule(register, str(since), tuple(map(str, given)), retention)
