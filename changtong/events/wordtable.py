"""Kernels that number the words of a column as they come."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.loads import load, load_few, same_bytes
from changtong.flows.trees import JIT

_U = np.uint64
_MIX = _U(0x9E3779B97F4A7C15)
_LONG = _U(1 << 63)


@njit(**JIT)
def _name(buf, start, n):
    """Return a number for a word: its own up to seven bytes, else a hash, the highest bit set.

    It need not withstand an enemy: a column has few words.
    """
    if n < 8:
        return load_few(buf, start, n) | _U(n) << _U(56)
    h = _U(n)
    whole = n // 8
    for w in range(whole):
        h = (h ^ load(buf, np.int64(start + 8 * w))) * _MIX
        h ^= h >> _U(32)
    h = (h ^ load_few(buf, start + 8 * whole, n - 8 * whole)) * _MIX
    return h ^ (h >> _U(32)) | _LONG


@njit(**JIT)
def _slot(name, mask):
    x = name * _MIX
    return np.int64((x ^ (x >> _U(32))) & _U(mask))


@njit(**JIT)
def number(buf, starts, lengths, first, table, names, begins, arena, count, out):
    """Number the words from row ``first``; return the row at which room ran out, or the rows."""
    mask = table.shape[0] - 1
    for i in range(first, starts.shape[0]):
        n = lengths[i]
        if n <= 0:
            out[i] = -1
            continue
        s = starts[i]
        name = _name(buf, s, n)
        at = _slot(name, mask)
        while True:
            w = table[at]
            if w < 0:
                k = count[0]
                if k + 1 >= begins.shape[0] or 2 * (k + 1) > table.shape[0] or begins[k] + n > arena.shape[0]:
                    return i
                table[at] = k
                names[k] = name
                for b in range(n):
                    arena[begins[k] + b] = buf[s + b]
                begins[k + 1] = begins[k] + n
                count[0] = k + 1
                out[i] = k
                break
            if names[w] == name and (n < 8 or _is_word(arena, begins, w, buf, s, n)):
                out[i] = w
                break
            at = (at + 1) & mask
    return starts.shape[0]


@njit(**JIT)
def _is_word(arena, begins, w, buf, start, n):
    return begins[w + 1] - begins[w] == n and same_bytes(arena, begins[w], buf, start, n)


@njit(**JIT)
def fill(table, names, count):
    mask = table.shape[0] - 1
    for k in range(count):
        at = _slot(names[k], mask)
        while table[at] >= 0:
            at = (at + 1) & mask
        table[at] = k
