"""Rules about who serves with whom: qualifications, new with experienced, pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from changtong.duty.question import Question, cliques

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class CrewRules:
    """The rules as sets of people and slots.

    Attributes
    ----------
    qualified : tuple of (int, array, int)
        In this slot at least so many of these people.
    newcomers, experienced : array
        Where somebody new serves, somebody experienced must be in the crew; empty where that is no rule.
    crews : tuple of array
        The slots of each crew.
    never : tuple of (int, int, array)
        Two people of whom only one may be in any of these slots, which are at the same time.
    avoid, together : tuple of (int, int, array)
        Two people and the slots of a crew: both should not be there; the first should not be there
        without the second.
    """

    qualified: tuple[tuple[int, Ints, int], ...]
    newcomers: Ints
    experienced: Ints
    crews: tuple[Ints, ...]
    never: tuple[tuple[int, int, Ints], ...]
    avoid: tuple[tuple[int, int, Ints], ...]
    together: tuple[tuple[int, int, Ints], ...]


def crew_rules(question: Question) -> CrewRules:
    """Return the rules of a question.

    Parameters
    ----------
    question : Question
    """
    folder, slots = question.folder, question.slots
    people = folder.people
    number = {one.person_id: k for k, one in enumerate(people)}
    crews = tuple(np.flatnonzero(slots.crew == crew) for crew in np.unique(slots.crew))
    has: dict[str, Ints] = {
        name: np.array([k for k, one in enumerate(people) if name in one.qualifications], np.int64)
        for post in folder.posts
        for name, _ in post.qualified
    }
    qualified = tuple(
        (slot, has[name], least)
        for slot, post in enumerate(slots.post)
        for name, least in folder.posts[post].qualified
    )
    levels = np.array([one.level for one in people])
    new, old = np.flatnonzero(levels == "new"), np.flatnonzero(levels == "experienced")
    if not folder.new_with_experienced:
        new = np.empty(0, np.int64)
    at_once = [np.flatnonzero(one) for one in cliques(slots.begin, slots.end)]
    alone = set(range(len(slots.day))) - {int(k) for one in at_once for k in one}
    at_once += [np.array([k], np.int64) for k in sorted(alone)]
    pairs: dict[str, list[tuple[int, int, Ints]]] = {"never": [], "avoid": [], "together": []}
    for pair in folder.pairs:
        both = number[pair.first], number[pair.second]
        pairs[pair.rule] += [(*both, one) for one in (at_once if pair.rule == "never" else crews)]
    return CrewRules(
        qualified, new, old, crews, tuple(pairs["never"]), tuple(pairs["avoid"]), tuple(pairs["together"])
    )
