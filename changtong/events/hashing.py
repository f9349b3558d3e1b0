"""Kernels that make keys of fields and of rows (SipHash-2-4), and check the digits of ids."""

from __future__ import annotations

import numpy as np
from numba import njit

from changtong.events.fields import is_clean
from changtong.events.loads import load, load_few
from changtong.flows.trees import JIT

_U = np.uint64


@njit(**JIT)
def _rotate(x, b):
    return (x << _U(b)) | (x >> _U(64 - b))


@njit(**JIT)
def _rounds(v0, v1, v2, v3, n):
    for _ in range(n):
        v0 += v1
        v1 = _rotate(v1, 13)
        v1 ^= v0
        v0 = _rotate(v0, 32)
        v2 += v3
        v3 = _rotate(v3, 16)
        v3 ^= v2
        v0 += v3
        v3 = _rotate(v3, 21)
        v3 ^= v0
        v2 += v1
        v1 = _rotate(v1, 17)
        v1 ^= v2
        v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


@njit(**JIT)
def siphash(k0, k1, buf, start, length):
    """Return SipHash-2-4 of ``length`` bytes of ``buf`` from ``start``."""
    v0 = k0 ^ _U(0x736F6D6570736575)
    v1 = k1 ^ _U(0x646F72616E646F6D)
    v2 = k0 ^ _U(0x6C7967656E657261)
    v3 = k1 ^ _U(0x7465646279746573)
    whole = length // 8
    for w in range(whole):
        m = load(buf, np.int64(start + 8 * w))
        v3 ^= m
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 2)
        v0 ^= m
    m = _U(length & 255) << _U(56) | load_few(buf, start + 8 * whole, length - 8 * whole)
    v3 ^= m
    v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 2)
    v0 ^= m
    v2 ^= _U(255)
    v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 4)
    return v0 ^ v1 ^ v2 ^ v3


@njit(**JIT)
def siphash_words(k0, k1, words, n):
    """Return SipHash-2-4 of the first ``n`` 64-bit numbers of ``words``."""
    v0 = k0 ^ _U(0x736F6D6570736575)
    v1 = k1 ^ _U(0x646F72616E646F6D)
    v2 = k0 ^ _U(0x6C7967656E657261)
    v3 = k1 ^ _U(0x7465646279746573)
    for w in range(n):
        m = words[w]
        v3 ^= m
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 2)
        v0 ^= m
    m = _U((8 * n) & 255) << _U(56)
    v3 ^= m
    v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 2)
    v0 ^= m
    v2 ^= _U(255)
    v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 4)
    return v0 ^ v1 ^ v2 ^ v3


@njit(**JIT)
def hash_fields(k0, k1, buf, starts, lengths, out, bad):
    """Fill the key of each field, 0 where it is empty; mark the fields that are no sound id."""
    for i in range(starts.shape[0]):
        n = lengths[i]
        bad[i] = False
        if n <= 0:
            out[i] = 0
            continue
        if not is_clean(buf, starts[i], n):
            bad[i] = True
            out[i] = 0
            continue
        key = np.int64(siphash(k0, k1, buf, starts[i], n))
        out[i] = key if key != 0 else 1


@njit(**JIT)
def row_keys(k0, k1, ids, at_ms, attributes, words, hashes, event, out):
    """Fill the key of each row, never 0: SipHash of its ids and all it says, or of its event's id.

    ``ids``, ``words`` and ``hashes`` are tuples of columns; ``words`` are numbers into ``hashes``, from the
    end where negative. A column of one row is that of all rows.
    """
    n = len(ids) + len(words) + 3
    row = np.zeros(n, np.uint64)
    for i in range(out.shape[0]):
        for k in range(len(ids)):
            row[k] = _U(_at(ids[k], i))
        named = _at(event, i)
        first = len(ids)
        if named != 0:
            row[first : n - 1] = _U(0)
        else:
            row[first] = _U(_at(at_ms, i))
            row[first + 1] = _U(_at(attributes, i))
            for k in range(len(words)):
                row[first + 2 + k] = _U(hashes[k][_at(words[k], i)])
        row[n - 1] = _U(named)
        h = np.int64(siphash_words(k0, k1, row, n))
        out[i] = h if h != 0 else 1


@njit(**JIT)
def _at(column, i):
    return column[i] if column.shape[0] > 1 else column[0]


@njit(**JIT)
def wrong_s10(buf, starts, lengths, out):
    """Mark what has the form of an S10 number (UPU S10: two letters, nine digits, two letters)
    without its check digit: weights 8 6 4 2 3 5 9 7, eleven less the rest; 10 is 0, 11 is 5."""
    for i in range(starts.shape[0]):
        out[i] = False
        if lengths[i] != 13:
            continue
        s = starts[i]
        form = True
        for k in (0, 1, 11, 12):
            b = buf[s + k] & 0xDF
            form = form and 65 <= b <= 90
        for k in range(2, 11):
            form = form and 48 <= buf[s + k] <= 57
        if not form:
            continue
        total = 0
        for k, weight in enumerate((8, 6, 4, 2, 3, 5, 9, 7)):
            total += weight * (buf[s + 2 + k] - 48)
        digit = 11 - total % 11
        digit = 0 if digit == 10 else 5 if digit == 11 else digit
        out[i] = digit != buf[s + 10] - 48
