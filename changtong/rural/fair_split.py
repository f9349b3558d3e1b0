"""A fair split of what firms save together: the Shapley value of the cost of every coalition.

Shapley (1953): what a firm pays is what it adds to a coalition's cost, meaned over all orders in which firms
could join. A coalition's cost is that of its own plan, made with a short search, and so an upper bound; it
is made consistent before it is split (:func:`consistent`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

Coalition = frozenset[str]


def coalitions_needed(firms: Sequence[str], *, exact_firms: int, orders: int, seed: int) -> list[Coalition]:
    """Return the coalitions whose cost is needed, without the empty one: all, or those of sampled orders."""
    if len(firms) <= exact_firms:
        return [frozenset(some) for size in range(1, len(firms) + 1) for some in combinations(firms, size)]
    needed: dict[Coalition, None] = {}
    for order in sampled_orders(firms, orders, seed):
        for size in range(1, len(order) + 1):
            needed[frozenset(order[:size])] = None
    return sorted(needed, key=lambda some: (len(some), sorted(some)))


def sampled_orders(firms: Sequence[str], orders: int, seed: int) -> list[tuple[str, ...]]:
    """Return orders of joining: drawn, each with its reverse, so that what is drawn leans to no side."""
    rng = np.random.default_rng(seed)
    found: list[tuple[str, ...]] = []
    for _ in range(max(1, orders // 2)):
        order = tuple(firms[int(k)] for k in rng.permutation(len(firms)))
        found += [order, order[::-1]]
    return found


def consistent(cost: Mapping[Coalition, float], kept: Coalition | None = None) -> dict[Coalition, float]:
    """Return costs no coalition could better with another's plan.

    A coalition pays at most what its parts pay apart (it may plan apart), and at most what a larger one
    pays (whose plan serves it as well). Both are worked until nothing changes. The cost of ``kept`` stays as
    it is: that of a plan that will be paid.

    Examples
    --------
    >>> a, b = frozenset("A"), frozenset("B")
    >>> consistent({a: 3.0, b: 2.0, a | b: 6.0})[a | b]
    5.0
    """
    found = dict(cost)
    order = sorted(found, key=lambda some: (len(some), sorted(some)))
    while True:
        before = dict(found)
        for whole in order:
            if whole == kept:
                continue
            for part in order:
                if part < whole and whole - part in found:
                    found[whole] = min(found[whole], found[part] + found[whole - part])
        for some in (one for one in reversed(order) if one != kept):
            found[some] = min([found[some], *(found[other] for other in order if some < other)])
        if found == before:
            return found


def shapley(firms: Sequence[str], cost: Callable[[Coalition], float]) -> dict[str, float]:
    """Return what each firm pays: the mean of what it adds over all orders.

    Parameters
    ----------
    firms : sequence of str
    cost : callable
        Coalition -> cost; the empty one costs nothing and is not asked for.

    Examples
    --------
    >>> shapley(["A", "B"], lambda some: {1: 3.0, 2: 4.0}[len(some)])
    {'A': 2.0, 'B': 2.0}
    """
    count = len(firms)
    found = dict.fromkeys(firms, 0.0)
    for firm in firms:
        others = [f for f in firms if f != firm]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for some in combinations(others, size):
                before = cost(frozenset(some)) if some else 0.0
                found[firm] += weight * (cost(frozenset((*some, firm))) - before)
    return found


def sampled_shapley(
    firms: Sequence[str], cost: Callable[[Coalition], float], *, orders: int, seed: int
) -> dict[str, float]:
    """Return what each firm pays, meaned over sampled orders; sums to the cost of all together as well."""
    drawn = sampled_orders(firms, orders, seed)
    found = dict.fromkeys(firms, 0.0)
    for order in drawn:
        before = 0.0
        for size, firm in enumerate(order, 1):
            now = cost(frozenset(order[:size]))
            found[firm] += (now - before) / len(drawn)
            before = now
    return found
