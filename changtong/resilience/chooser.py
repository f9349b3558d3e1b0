"""Which case is planned next, and when the worst are known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from changtong.executors.work import Row
from changtong.resilience.cases import Task
from changtong.resilience.journal import Journal
from changtong.resilience.result import MEASURES, StressSettings


class Running(Protocol):
    """What is asked of the test at work."""

    settings: StressSettings
    journal: Journal
    begin: float
    tolerance: float

    def rows(self) -> dict[str, Row]:
        """Return what is known of each case."""
        ...


class Chooser:
    """Says which case is planned next, and when no other can be among the worst.

    Cases come by what they may lose at most. Once that is no more than the k-th largest figure found,
    the k worst are known. Executors may ask from several threads.
    """

    def __init__(self, run: Running, tasks: list[Task], *, best_first: bool) -> None:
        self.run, self.tasks, self.best_first = run, tasks, best_first
        self.at, self.made = 0, 0
        self.stopped_by_limit = False
        self._lock = threading.Lock()
        _, self._most = bound_columns(run.settings.measure)
        self._value = MEASURES[run.settings.measure]
        self._figures: dict[str, float] = {}
        if best_first:
            for name, row in run.rows().items():
                if row.get(self._value) is not None:
                    self._figures[name] = row[self._value]
        self._last = self._kth()

    def __iter__(self) -> Iterator[Task]:
        return self

    def __next__(self) -> Task:
        with self._lock:
            limit = self.run.settings.limit_s
            late = limit is not None and time.perf_counter() - self.run.begin > limit
            if self.at >= len(self.tasks) or self._nothing_worse(self.tasks[self.at]):
                raise StopIteration
            if late or (self.best_first and self.at >= self.run.settings.most_plans):
                self.stopped_by_limit = True
                raise StopIteration
            self.at += 1
            return self.tasks[self.at - 1]

    def note(self, task: Task, row: Row) -> None:
        """Count a result."""
        with self._lock:
            self.made += 1
            if row.get(self._value) is not None:
                self._figures[task.case.name] = row[self._value]
                self._last = self._kth()

    def share(self) -> float:
        """Return about how much of the work is done."""
        with self._lock:
            left = sum(not self._nothing_worse(task) for task in self.tasks[self.at :])
            left += self.at - self.made
            return self.made / max(1, self.made + left)

    def _kth(self) -> float:
        k = self.run.settings.worst
        if not self.best_first or len(self._figures) < k:
            return -1.0
        return sorted(self._figures.values(), reverse=True)[k - 1]

    def _nothing_worse(self, task: Task) -> bool:
        if self._last < 0.0:
            return False
        bound = self.run.journal.get("bound", task.case.name)
        return bound is not None and bound[self._most] <= self._last + self.run.tolerance


def bound_columns(measure: str) -> tuple[str, str]:
    """Return the columns of the proved least and most."""
    return (
        ("unserved_least", "unserved_most") if measure == "unserved" else ("loss_least_cny", "loss_most_cny")
    )
