"""Tasks run on a Dask, Ray or Spark cluster there is; and the executor a setting names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from changtong.errors import UsageError
from changtong.executors.local import InProcess, LocalProcesses
from changtong.executors.work import Executor, Row, Task, Work, attempt, failed

AHEAD = 2
"""Tasks a cluster is given at a time, for each of its workers: the rest are not held in memory."""


@dataclass(frozen=True)
class DaskCluster:
    """An existing Dask cluster.

    Attributes
    ----------
    client : distributed.Client
    """

    client: Any

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
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

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
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

    Spark runs a job's tasks together, so tasks go in rounds: a round ends with its slowest task.

    Attributes
    ----------
    context : pyspark.SparkContext
    """

    context: Any

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
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
