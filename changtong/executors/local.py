"""Tasks run in this process, or in processes of this machine."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from changtong.executors.cores import usable_cores
from changtong.executors.work import Row, Task, Work, attempt, failed

PACKAGE = Path(__file__).resolve().parent.parent


class InProcess:
    """One task after another in this process."""

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Work on every task in turn."""
        for task in tasks:
            yield task, attempt(work, task)


@dataclass(frozen=True)
class LocalProcesses:
    """Processes on this machine, each with one task at a time.

    A process that dies fails the task it was at; another takes its place.

    Attributes
    ----------
    processes : int
        0: one for each core.
    """

    processes: int = 0

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Keep every process busy until the tasks are done."""
        count = self.processes or usable_cores()
        with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
            file = Path(folder) / "work"
            file.write_bytes(pickle.dumps(work, protocol=5))
            crew = _Crew(file, iter(tasks))
            try:
                yield from crew.rows(count)
            finally:
                crew.dismiss()


@dataclass
class _Crew(Generic[Task]):
    """The threads that feed the processes, and the processes."""

    file: Path
    tasks: Iterator[Task]
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: queue.Queue[tuple[Task, Row] | BaseException | None] = field(default_factory=queue.Queue)
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    over: bool = False

    def rows(self, count: int) -> Iterator[tuple[Task, Row]]:
        threads = [threading.Thread(target=self._feed, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        left = len(threads)
        while left:
            found = self.done.get()
            if found is None:
                left -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found

    def dismiss(self) -> None:
        """End the processes that still run: nobody waits for their rows."""
        with self.lock:
            self.over = True
            for process in self.running:
                process.kill()

    def _next(self) -> Task | None:
        with self.lock:
            return None if self.over else next(self.tasks, None)

    def _feed(self) -> None:
        process: subprocess.Popen[bytes] | None = None
        try:
            while (task := self._next()) is not None:
                if process is None:
                    process = self._hire()
                    if process is None:
                        break
                try:
                    row = _ask(process, task)
                except (EOFError, OSError, pickle.UnpicklingError):
                    row = failed(_how_it_died(process))
                    self._part(process)
                    process = None
                self.done.put((task, row))
        except BaseException as error:  # of the iterator of tasks: whoever reads the rows must see it
            self.done.put(error)
        if process is not None:
            self._part(process)
        self.done.put(None)

    def _hire(self) -> subprocess.Popen[bytes] | None:
        path = os.pathsep.join([str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH", "")])])
        with self.lock:
            if self.over:
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "changtong.executors.worker", str(self.file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is for the one who reads the rows
            )
            self.running.add(process)
            return process

    def _part(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        process.wait()
        with self.lock:
            self.running.discard(process)


def _ask(process: subprocess.Popen[bytes], task: Any) -> Row:
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump(task, process.stdin, protocol=5)
    process.stdin.flush()
    row: Row = pickle.load(process.stdout)
    return row


def _how_it_died(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        return "its process stopped answering"
    return f"its process was ended by signal {-code}" if code < 0 else f"its process ended with code {code}"
