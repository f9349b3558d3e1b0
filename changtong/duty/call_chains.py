"""Reads call chains: whom a call goes to, and after how many minutes without an answer."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from changtong.duty.staff import CallChain, CallStep
from changtong.errors import Problem
from changtong.network.findings import NearestNames

LONGEST_MIN = 7 * 24 * 60
KEYS = ("after_min", "posts", "people")


def read_chains(
    path: Path, posts: Collection[str], people: Collection[str]
) -> tuple[tuple[CallChain, ...], list[Problem]]:
    """Return the chains of a TOML file, none where there is no file, and what is wrong with them.

    Parameters
    ----------
    path : Path
    posts, people : collection of str
        Ids that are known.
    """
    if not path.is_file():
        return (), []
    problems: list[Problem] = []

    def tell(message: str, where: str, expected: str = "", hint: str = "") -> None:
        problems.append(Problem("bad-call-chain", message, path.name, None, where, expected, hint))

    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return (), [Problem("bad-call-chain", f"the file cannot be read ({error}).", path.name)]
    listed = content.get("chains", [])
    if not isinstance(listed, list) or not listed or set(content) - {"chains", "provenance", "notes"}:
        tell("chains are missing, or something else is there.", "chains", "[[chains]] with id and steps")
        return (), problems
    made: list[CallChain] = []
    for number, chain in enumerate(listed, 1):
        where = f"chains {number}"
        name = chain.get("id") if isinstance(chain, dict) else None
        steps = chain.get("steps") if isinstance(chain, dict) else None
        if not isinstance(name, str) or not name.strip() or not isinstance(steps, list) or not steps:
            tell("id or steps are missing.", where, "an id, and [[chains.steps]]")
            continue
        if name in {one.chain_id for one in made}:
            tell(f'"{name}" is there already.', where, "another id")
        read = [_step(step, f"{name}, step {k}", posts, people, tell) for k, step in enumerate(steps, 1)]
        whole = [step for step in read if step is not None]
        after = [step.after_min for step in whole]
        if after != sorted(set(after)):
            tell("after_min must rise from step to step.", name, "each step later than the one before")
        made.append(CallChain(name, tuple(whole)))
    return tuple(made), problems


def _step(
    step: Any, where: str, posts: Collection[str], people: Collection[str], tell: Any
) -> CallStep | None:
    if not isinstance(step, dict) or set(step) - set(KEYS):
        tell("something unknown is there.", where, "one of " + ", ".join(KEYS))
        return None
    after = step.get("after_min")
    if isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= LONGEST_MIN:
        tell(f"after_min {after!r} is not allowed.", where, f"minutes, from 0 to {LONGEST_MIN}")
        return None
    lists: dict[str, tuple[str, ...]] = {}
    for key, known in (("posts", posts), ("people", people)):
        given = step.get(key, [])
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            tell(f"{key} is no list of ids.", where, "as " + key + ' = ["officer"]')
            return None
        nearest = NearestNames(sorted(known))
        for one in given:
            if one not in known:
                tell(f'{key}: "{one}" is not there.', where, f"an id of {key}", nearest.hint(one))
        lists[key] = tuple(given)
    if not lists["posts"] and not lists["people"]:
        tell("nobody is called.", where, "posts, or people")
    return CallStep(float(after), **lists)
