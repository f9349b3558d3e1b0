"""Kernels that tell keys seen before: a blocked Bloom filter, and an exact hash table."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.flows.trees import JIT

_U = np.uint64
_TOGETHER = 32


@njit(**JIT)
def _place(key, blocks):
    """Return the block of a key, and the bits of it, six a word."""
    h = _U(key)
    x = h * _U(0x9E3779B97F4A7C15)
    x ^= x >> _U(32)
    y = (h ^ (h >> _U(29))) * _U(0xBF58476D1CE4E5B9)
    return np.int64(((x & _U(0xFFFFFFFF)) * blocks) >> _U(32)), y ^ (y >> _U(31))


@njit(**JIT)
def add(blocks, keys, seen):
    """Add keys; mark those the filter may have had before. Eight bits in one line of 64 bytes.

    What is returned means nothing: it keeps the compiler from leaving out the looks ahead, which bring many
    lines near at once instead of one after another.
    """
    n = _U(blocks.shape[0])
    at = np.empty(_TOGETHER, np.int64)
    bits = np.empty(_TOGETHER, np.uint64)
    ahead = _U(0)
    for first in range(0, keys.shape[0], _TOGETHER):
        some = min(_TOGETHER, keys.shape[0] - first)
        for i in range(some):
            at[i], bits[i] = _place(keys[first + i], n)
            ahead |= blocks[at[i], 0]
        for i in range(some):
            b, y = at[i], bits[i]
            missing = _U(0)
            for w in range(8):
                bit = _U(1) << (y & _U(63))
                y >>= _U(6)
                missing |= bit & ~blocks[b, w]
                blocks[b, w] |= bit
            seen[first + i] = missing == _U(0)
    return ahead


@njit(**JIT)
def look(blocks, keys, seen):
    n = _U(blocks.shape[0])
    for i in range(keys.shape[0]):
        b, y = _place(keys[i], n)
        old = True
        for w in range(8):
            bit = _U(1) << (y & _U(63))
            y >>= _U(6)
            if blocks[b, w] & bit == _U(0):
                old = False
                break
        seen[i] = old


@njit(**JIT)
def _bucket(key, mask):
    x = _U(key) * _U(0x9E3779B97F4A7C15)
    return np.int64(x >> _U(20)) & mask


@njit(**JIT)
def put(table, keys, first):
    """Put keys in a hash table (0: free); mark in ``first`` the first row of each key."""
    mask = table.shape[0] - 1
    for i in range(keys.shape[0]):
        at = _bucket(keys[i], mask)
        first[i] = True
        while table[at] != 0:
            if table[at] == keys[i]:
                first[i] = False
                break
            at = (at + 1) & mask
        table[at] = keys[i]


@njit(**JIT)
def find(table, found, keys):
    """Mark the places of a hash table whose keys are among ``keys``."""
    mask = table.shape[0] - 1
    for i in range(keys.shape[0]):
        at = _bucket(keys[i], mask)
        while table[at] != 0:
            if table[at] == keys[i]:
                found[at] = True
                break
            at = (at + 1) & mask


@njit(**JIT)
def places(table, found, keys, out):
    mask = table.shape[0] - 1
    for i in range(keys.shape[0]):
        at = _bucket(keys[i], mask)
        while table[at] != keys[i]:
            at = (at + 1) & mask
        out[i] = found[at]
