"""Shortest in-trees on the core: every distance to every exit core, and who is next.

A first run is Dijkstra with a 4-ary heap (Johnson 1975). Later runs, at prices a
little different, walk the former tree and then correct labels in its order until
nothing changes: a few passes over the legs, several times faster, and exact.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import njit

from changtong.flows.kernel_cache import kernel_folder

numba.config.CACHE_DIR = str(kernel_folder())  # type: ignore[attr-defined]  # read when a kernel is declared

UNREACHED = 1e15
"""Distance of what cannot be reached; a leg at this cost or above is never used."""

JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
FLAT: dict[str, Any] = {**JIT, "_nrt": False}
"""For kernels that allocate nothing: no reference counts on the arrays passed along."""


@njit(**FLAT)
def _dijkstra(t, lay, arc_cost, dist, nxt, heap, pos):
    n = dist.shape[0]
    for i in range(n):
        dist[i] = UNREACHED
        nxt[i] = -1
        pos[i] = -1
    dist[t] = 0.0
    heap[0] = t
    pos[t] = 0
    m = 1
    while m > 0:
        i = heap[0]
        m -= 1
        pos[i] = -2
        if m > 0:
            x = heap[m]
            dx = dist[x]
            j = 0
            while True:
                c = 4 * j + 1
                if c >= m:
                    break
                b = c
                db = dist[heap[c]]
                for k in range(c + 1, min(c + 4, m)):
                    if dist[heap[k]] < db:
                        b = k
                        db = dist[heap[k]]
                if db >= dx:
                    break
                heap[j] = heap[b]
                pos[heap[j]] = j
                j = b
            heap[j] = x
            pos[x] = j
        if i != t and not lay.passes[i]:
            continue
        di = dist[i]
        for q in range(lay.in_ptr[i], lay.in_ptr[i + 1]):
            u = lay.in_tail[q]
            if pos[u] == -2:
                continue
            a = lay.in_arc[q]
            d = di + arc_cost[a]
            if d < dist[u]:
                dist[u] = d
                nxt[u] = a
                p = pos[u]
                if p < 0:
                    p = m
                    m += 1
                while p > 0:
                    f = (p - 1) >> 2
                    if dist[heap[f]] <= d:
                        break
                    heap[p] = heap[f]
                    pos[heap[p]] = p
                    p = f
                heap[p] = u
                pos[u] = p


@njit(**FLAT)
def _tree_order(t, nxt, head, order, first, sibling):
    n = nxt.shape[0]
    for i in range(n):
        first[i] = -1
    for i in range(n):
        if nxt[i] >= 0 and i != t:
            h = head[nxt[i]]
            sibling[i] = first[h]
            first[h] = i
    order[0] = t
    k = 1
    q = 0
    while q < k:
        c = first[order[q]]
        q += 1
        while c >= 0:
            order[k] = c
            k += 1
            c = sibling[c]
    return k


@njit(**JIT)
def in_trees(lo, hi, lay, arc_cost, out_cost, dist, nxt, warm):
    """Fill ``dist[k, i]`` and ``nxt[k, i]`` (leg) for exit cores ``lo`` … ``hi``-1.

    ``out_cost`` is ``arc_cost[lay.out_arc]``: the same prices in the order they are read.
    With ``warm`` the rows hold the trees of a former call for the same legs.
    """
    n = dist.shape[1]
    heap = np.empty(n, np.int32)
    pos = np.empty(n, np.int32)
    order = np.empty(n, np.int32)
    sibling = np.empty(n, np.int32)
    for k in range(lo, hi):
        t = lay.exit_core[k]
        d = dist[k]
        nx = nxt[k]
        if not warm:
            _dijkstra(t, lay, arc_cost, d, nx, heap, pos)
            continue
        m = _tree_order(t, nx, lay.arc_core_head, order, heap, sibling)
        for q in range(1, m):
            i = order[q]
            d[i] = min(UNREACHED, d[lay.arc_core_head[nx[i]]] + arc_cost[nx[i]])
        changed = True
        while changed:
            changed = False
            for q in range(1, m):
                i = order[q]
                best = d[i] - 1e-12 * d[i]
                b = -1
                for e in range(lay.out_ptr[i], lay.out_ptr[i + 1]):
                    h = lay.out_head[e]
                    c = d[h] + out_cost[e]
                    if c < best and (h == t or lay.passes[h]):
                        best = c
                        b = e
                if b >= 0:
                    d[i] = best
                    nx[i] = lay.out_arc[b]
                    changed = True
