"""A text as arrays of its characters, with where each begins in bytes: decoded once, when first asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]


class TextSigns:
    """The characters of a text, a line break behind them.

    Most parts of most texts hold nothing that could be a name or an address: they are never decoded.

    Parameters
    ----------
    raw : bytes
        Valid UTF-8.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def text(self) -> str:
        """The characters as one text."""
        return self.raw.decode() + "\n"

    @cached_property
    def codes(self) -> NDArray[np.uint32]:
        """The number of each character."""
        return np.frombuffer(self.text.encode("utf-32-le"), np.uint32)

    @cached_property
    def classed(self) -> NDArray[np.uint16]:
        """The number of each character up to U+FFFF, by which tables are read; U+FFFF for those above."""
        return np.minimum(self.codes, 0xFFFF).astype(np.uint16)

    @cached_property
    def _leads(self) -> NDArray[np.bool_]:
        return np.frombuffer(self.raw + b"\n", np.int8) >= -64  # no byte that continues a character

    @cached_property
    def places(self) -> Longs:
        """Byte at which each character begins; that of the line break is the length of the text."""
        return np.flatnonzero(self._leads)

    @cached_property
    def _count(self) -> NDArray[np.int32]:
        return np.cumsum(self._leads, dtype=np.int32)

    def first_from(self, byte: Longs) -> Longs:
        """Return the first characters that begin at some bytes or behind."""
        return self._count[byte].astype(np.int64) - self._leads[byte]

    def last_up_to(self, byte: Longs) -> Longs:
        """Return the characters that begin at some bytes, or hold them."""
        return self._count[byte].astype(np.int64) - 1
