"""Which kinds of people can make up a crew together: the hull of all rules of a crew at once.

One rule alone is described well by its own row; two together are not: half a newcomer and half an
experienced colleague, neither with the radio licence, beside somebody who has it, keep both rows and are
no mix of crews that keep both. So the kinds of people of a crew are counted, and their counts are a mix of
compositions that keep every rule. Crews are small: few heads, few kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import NDArray

from changtong.duty.crews import CrewRules
from changtong.duty.question import Question
from changtong.duty.staff import Post

MANY = 3000
"""Compositions of a crew from which on they are left out; its rules then stand alone."""

Ints = NDArray[np.int64]
Kind = tuple[str, frozenset[str]]


@dataclass(frozen=True)
class Compositions:
    """What a crew can be made up of.

    Attributes
    ----------
    members : tuple of (int, array)
        For each part: a slot and people of one kind.
    counts : array, (compositions, parts)
        Heads of each part.
    """

    members: tuple[tuple[int, Ints], ...]
    counts: Ints

    def lets(self, first: int, second: int) -> bool:
        """Tell whether two people can be in the crew at the same time.

        Parameters
        ----------
        first, second : int
        """
        one = [k for k, (_, people) in enumerate(self.members) if first in people]
        other = [k for k, (_, people) in enumerate(self.members) if second in people]
        return any(
            bool((self.counts[:, a] >= 2).any())
            if a == b
            else bool((self.counts[:, [a, b]] >= 1).all(axis=1).any())
            for a in one
            for b in other
        )


def compositions(question: Question, crews: CrewRules) -> Iterator[Compositions]:
    """Yield the compositions of each crew that has rules.

    Parameters
    ----------
    question : Question
    crews : CrewRules
    """
    new, old = set(crews.newcomers.tolist()), set(crews.experienced.tolist() if len(crews.newcomers) else ())
    for slots in crews.crews:
        posts = [question.folder.posts[question.slots.post[slot]] for slot in slots]
        heads = [post.heads for post in posts]
        if sum(heads) < 2 or not (new or any(post.qualified for post in posts)):
            continue
        parts: list[list[tuple[Kind, Ints]]] = []
        for slot, post in zip(slots, posts, strict=True):
            asked = frozenset(name for name, _ in post.qualified)
            parts.append(_kinds(question, int(slot), asked, new, old))
        choices = [
            list(combinations_with_replacement(range(len(kinds)), count))
            for kinds, count in zip(parts, heads, strict=True)
        ]
        if any(not one for one in choices) or np.prod([float(len(one)) for one in choices]) > MANY:
            continue
        made = [
            row
            for choice in product(*choices)
            if (row := _row(choice, parts)) is not None and _keeps(choice, parts, posts, bool(new))
        ]
        members = tuple(
            (int(slot), people) for slot, kinds in zip(slots, parts, strict=True) for _, people in kinds
        )
        if made:  # nothing that keeps the rules: the rows of the rules say so
            yield Compositions(members, np.array(made, np.int64))


def _kinds(
    question: Question, slot: int, asked: frozenset[str], new: set[int], old: set[int]
) -> list[tuple[Kind, Ints]]:
    by: dict[Kind, list[int]] = {}
    for person in np.flatnonzero(question.may[:, slot]):
        level = "new" if person in new else "experienced" if person in old else ""
        has = question.folder.people[person].qualifications & asked
        by.setdefault((level, has), []).append(int(person))
    return [
        (kind, np.array(people, np.int64)) for kind, people in sorted(by.items(), key=lambda one: str(one[0]))
    ]


def _row(choice: tuple[tuple[int, ...], ...], parts: list[list[tuple[Kind, Ints]]]) -> list[int] | None:
    """Return the heads of each part; None where a kind has too few people."""
    row: list[int] = []
    for chosen, kinds in zip(choice, parts, strict=True):
        for number, (_, people) in enumerate(kinds):
            count = chosen.count(number)
            if count > len(people):
                return None
            row.append(count)
    return row


def _keeps(
    choice: tuple[tuple[int, ...], ...],
    parts: list[list[tuple[Kind, Ints]]],
    posts: list[Post],
    newcomers: bool,
) -> bool:
    levels: list[str] = []
    for chosen, kinds, post in zip(choice, parts, posts, strict=True):
        there = [kinds[number][0] for number in chosen]
        levels += [level for level, _ in there]
        for name, least in post.qualified:
            if sum(name in has for _, has in there) < least:
                return False
    return not newcomers or "new" not in levels or "experienced" in levels
