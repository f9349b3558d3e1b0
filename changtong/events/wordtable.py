"""Kernels that number the words of a column as they come."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.hashing import siphash
from changtong.flows.trees import JIT

_U = np.uint64


@njit(**JIT)
def number(buf, starts, lengths, first, table, hashes, begins, arena, count, out):
    """Number the words from row ``first``; return the row at which room ran out, or the rows."""
    mask = table.shape[0] - 1
    for i in range(first, starts.shape[0]):
        n = lengths[i]
        if n <= 0:
            out[i] = -1
            continue
        s = starts[i]
        h = siphash(_U(0), _U(0), buf, s, n)
        at = np.int64(h & _U(0x7FFFFFFFFFFFFFFF)) & mask
        while True:
            w = table[at]
            if w < 0:
                k = count[0]
                if k + 1 >= begins.shape[0] or 2 * (k + 1) > table.shape[0] or begins[k] + n > arena.shape[0]:
                    return i
                table[at] = k
                hashes[k] = h
                for b in range(n):
                    arena[begins[k] + b] = buf[s + b]
                begins[k + 1] = begins[k] + n
                count[0] = k + 1
                out[i] = k
                break
            if hashes[w] == h and begins[w + 1] - begins[w] == n:
                same = True
                for b in range(n):
                    if arena[begins[w] + b] != buf[s + b]:
                        same = False
                        break
                if same:
                    out[i] = w
                    break
            at = (at + 1) & mask
    return starts.shape[0]


@njit(**JIT)
def fill(table, hashes, count):
    mask = table.shape[0] - 1
    for k in range(count):
        at = np.int64(hashes[k] & _U(0x7FFFFFFFFFFFFFFF)) & mask
        while table[at] >= 0:
            at = (at + 1) & mask
        table[at] = k
