"""A solver kept as it stood after the plan of today: every case begins from the same state.

Its arrays lie in one file that processes map copy-on-write, so that all of them share the pages
nobody writes, and a case's changes vanish with it. What is sent to other machines carries the
arrays with it instead. Pickle protocol 5 hands the arrays over outside the stream (PEP 574).
"""

from __future__ import annotations

import mmap
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

from changtong.flows.flow import FlowSolver

ALIGNED = 64


@dataclass(frozen=True)
class Frozen:
    """A solver on ice.

    Attributes
    ----------
    state : bytes
        The pickled solver without its arrays.
    spans : tuple of (int, int)
        Where each array lies in ``file`` or ``inline``: offset and bytes.
    file : str or None
        File of the arrays, on this machine.
    inline : bytes or None
        The arrays themselves, for other machines.
    """

    state: bytes
    spans: tuple[tuple[int, int], ...]
    file: str | None
    inline: bytes | None = None

    def thaw(self) -> FlowSolver:
        """Return the solver as it was, in memory of its own."""
        if self.inline is not None:
            memory: mmap.mmap | bytearray = bytearray(self.inline)
        else:
            assert self.file is not None
            with open(self.file, "rb") as stream:
                memory = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        view = memoryview(memory)
        solver: FlowSolver = pickle.loads(
            self.state, buffers=[view[start : start + size] for start, size in self.spans]
        )
        return solver

    def portable(self) -> Frozen:
        """Return the same with its arrays inside, for a machine that does not see the file."""
        if self.file is None:
            return self
        return replace(self, file=None, inline=Path(self.file).read_bytes())


def freeze(solver: FlowSolver, file: Path) -> Frozen:
    """Keep a solver's state in a file; it prices on one thread from then on.

    Parameters
    ----------
    solver : FlowSolver
        Its threads are ended: they cannot be kept.
    file : Path
        Written; must outlive what thaws from it.
    """
    solver.pricing.run_single()
    buffers: list[pickle.PickleBuffer] = []
    state = pickle.dumps(solver, protocol=5, buffer_callback=buffers.append)
    spans = []
    with file.open("wb") as stream:
        for buffer in buffers:
            raw = buffer.raw()
            spans.append((stream.tell(), raw.nbytes))
            stream.write(raw)
            stream.write(b"\0" * (-stream.tell() % ALIGNED or (ALIGNED if not raw.nbytes else 0)))
    return Frozen(state, tuple(spans), str(file))
