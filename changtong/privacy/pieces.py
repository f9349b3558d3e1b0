"""Pieces of a text around places of interest, read as signs: one decoding for all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]


class Pieces(NamedTuple):
    """Pieces, one after the other, a line break behind each.

    Attributes
    ----------
    text : str
    signs : array of uint32
        The characters of ``text``.
    begin, end : array of int64
        Of each piece, in signs.
    low : array of int64
        Of each piece, in bytes of the text it is from.
    size : array of int64
        Bytes of the signs before each sign, and of all.
    """

    text: str
    signs: NDArray[np.uint32]
    begin: Longs
    end: Longs
    low: Longs
    size: Longs


def pieces_of(raw: bytes, low: Longs, high: Longs) -> Pieces:
    """Return pieces of a text in valid UTF-8; characters cut in two at a border are left out."""
    data = np.frombuffer(raw, np.uint8)
    last = max(len(data) - 1, 0)
    for _ in range(3):
        low = low + ((low < high) & (data[np.minimum(low, last)] & 0xC0 == 0x80))
        high = high - ((low < high) & (high <= last) & (data[np.minimum(high, last)] & 0xC0 == 0x80))
    joined = b"\n".join([raw[a:b] for a, b in zip(low.tolist(), high.tolist(), strict=True)]) + b"\n"
    text = joined.decode()
    signs = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    leads = (np.frombuffer(joined, np.uint8) & 0xC0) != 0x80
    size = np.append(np.flatnonzero(leads), len(joined))
    first = np.cumsum(high - low + 1) - (high - low + 1)
    count = np.add.reduceat(leads, first, dtype=np.int64) if len(first) else first
    begin = np.cumsum(count) - count
    return Pieces(text, signs, begin, begin + count - 1, low, size)
