"""What processes run in the tests of compiled kernels: where spawned ones find it."""

from __future__ import annotations

import os
import sys
from multiprocessing.synchronize import Barrier

from changtong import kernels

COMPILE = """
import os, sys, time
parent, end = os.getppid(), time.monotonic() + float(sys.argv[3])
with open(sys.argv[1], "a") as file: file.write(sys.argv[2] + chr(10))
while time.monotonic() < end and os.getppid() == parent:  # a killed one leaves no process behind
    time.sleep(0.05)
"""


def prepare(folder: str, seconds: float, barrier: Barrier | None, lines: list[str]) -> None:
    """Prepare the planner's kernels, with a compiler that only notes that it ran, and keep what is said."""
    os.environ["NUMBA_CACHE_DIR"] = folder
    kernels._command = lambda part: [sys.executable, "-c", COMPILE, f"{folder}/ran", part, str(seconds)]
    if barrier is not None:
        barrier.wait()
    kernels.prepare_kernels(lines.append)()
