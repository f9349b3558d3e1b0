"""Where cases run: in this process, in local processes, or on a Dask, Ray or Spark cluster there is."""

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
from itertools import islice
from pathlib import Path
from typing import Any

from changtong.errors import UsageError
from changtong.resilience.work import Executor, Row, Task, Work, attempt, failed

PACKAGE = Path(__file__).resolve().parent.parent

AHEAD = 2
"""Tasks a cluster is given at a time, for each of its workers: the rest are not held in memory."""


class InProcess:
    """One case after another in this process."""

    def run(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Work on every task in turn."""
        for task in tasks:
            yield task, attempt(work, task)


@dataclass(frozen=True)
class LocalProcesses:
    """Processes on this machine, each with one case at a time.

    A process that dies fails the case it was at; another takes its place.

    Attributes
    ----------
    processes : int
        0: one for each core.
    """

    processes: int = 0

    def run(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Keep every process busy until the tasks are done."""
        count = self.processes or os.cpu_count() or 1
        with tempfile.TemporaryDirectory(prefix="changtong-") as folder:
            file = Path(folder) / "work"
            file.write_bytes(pickle.dumps(work, protocol=5))
            crew = _Crew(file, iter(tasks))
            try:
                yield from crew.rows(count)
            finally:
                crew.dismiss()


@dataclass
class _Crew:
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
                [sys.executable, "-m", "changtong.resilience.worker", str(self.file)],
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


def _ask(process: subprocess.Popen[bytes], task: Task) -> Row:
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


@dataclass(frozen=True)
class DaskCluster:
    """An existing Dask cluster.

    Attributes
    ----------
    client : distributed.Client
    """

    client: Any

    def run(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Keep a few tasks for each worker on the cluster."""
        from distributed import as_completed

        client, waiting = self.client, iter(tasks)
        shared = client.scatter(work.portable(), broadcast=True, hash=False)
        width = AHEAD * max(1, sum(client.nthreads().values()))
        asked: dict[Any, Task] = {}
        done = as_completed()

        def send(count: int) -> None:
            for task in islice(waiting, count):
                future = client.submit(attempt, shared, task, pure=False)
                asked[future] = task
                done.add(future)

        send(width)
        for future in done:
            task = asked.pop(future)
            error = future.exception()
            yield task, failed(f"the cluster: {error!r}") if error is not None else future.result()
            send(1)


@dataclass(frozen=True)
class RayCluster:
    """An existing Ray cluster.

    Attributes
    ----------
    ray : module, optional
        ``ray``, connected; imported where not given.
    """

    ray: Any = None

    def run(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Keep a few tasks for each core on the cluster."""
        ray, waiting = self.ray or _imported("ray"), iter(tasks)
        shared, remote = ray.put(work.portable()), ray.remote(attempt)
        width = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        asked: dict[Any, Task] = {}
        while True:
            for task in islice(waiting, width - len(asked)):
                asked[remote.remote(shared, task)] = task
            if not asked:
                return
            ready, _ = ray.wait(list(asked), num_returns=1)
            for one in ready:
                task = asked.pop(one)
                try:
                    row = ray.get(one)
                except Exception as error:
                    row = failed(f"the cluster: {error!r}")
                yield task, row


@dataclass(frozen=True)
class SparkCluster:
    """An existing Spark cluster.

    Spark runs a job's tasks together, so cases go in rounds: a round ends with its slowest case.

    Attributes
    ----------
    context : pyspark.SparkContext
    """

    context: Any

    def run(self, work: Work, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Send round after round of as many tasks as run at once."""
        shared, waiting = self.context.broadcast(work.portable()), iter(tasks)
        width = max(1, int(self.context.defaultParallelism))
        while batch := list(islice(waiting, width)):
            try:
                rows = (
                    self.context.parallelize(batch, len(batch))
                    .map(lambda task: attempt(shared.value, task))
                    .collect()
                )
            except Exception as error:
                rows = [failed(f"the cluster: {type(error).__name__}: {error}")] * len(batch)
            yield from zip(batch, rows, strict=True)


def _imported(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = "dask[distributed]" if module == "distributed" else module
        raise UsageError(f"{module} is not installed: pip install {package}.", "no-cluster") from error


def executor_named(text: str) -> Executor:
    """Return the executor a setting names.

    ``local`` or ``local:4`` (processes), ``here`` (this process), ``dask:tcp://host:8786``,
    ``ray`` or ``ray:ADDRESS``, ``spark`` or ``spark:spark://host:7077``.

    Raises
    ------
    UsageError
        It names none, its package is not installed, or the cluster does not answer.
    """
    kind, _, rest = text.strip().partition(":")
    if kind == "here" and not rest:
        return InProcess()
    if kind == "local" and (not rest or rest.isdigit()):
        return LocalProcesses(int(rest or 0))
    if kind in ("dask", "ray", "spark"):
        module = _imported({"dask": "distributed", "ray": "ray", "spark": "pyspark"}[kind])
        try:
            if kind == "dask":
                return DaskCluster(module.Client(rest or None, timeout="10s"))
            if kind == "ray":
                if not module.is_initialized():
                    module.init(address=rest or "auto", log_to_driver=False)
                return RayCluster(module)
            conf = module.SparkConf().setAppName("changtong")
            return SparkCluster(module.SparkContext.getOrCreate(conf.setMaster(rest) if rest else conf))
        except Exception as error:
            raise UsageError(f"{text}: {kind} does not answer: {error}", "no-cluster") from error
    expected = "here, local, local:N, dask:ADDRESS, ray, ray:ADDRESS, spark or spark:MASTER"
    raise UsageError(f"{text!r} is no executor; expected {expected}.")
