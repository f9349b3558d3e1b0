"""A piece of work that can travel to another process: what it is asked, and how it fails."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

Row = dict[str, Any]


Task = TypeVar("Task")
"""What one call is asked; can be pickled."""

Asked = TypeVar("Asked", contravariant=True)


class Work(Protocol[Asked]):
    """What is done with a task; can be pickled."""

    def __call__(self, task: Asked) -> Row:
        """Return what was found, by column."""
        ...

    def portable(self) -> Work[Asked]:
        """Return the same for a machine that does not share this one's files."""
        ...


class Executor(Protocol):
    """Where tasks run. The one method is all a cluster has to offer."""

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Yield every task with its row, in any order; take tasks one by one, as they can run."""
        ...


def attempt(work: Callable[[Task], Row], task: Task) -> Row:
    """Work on a task; an error becomes a row that says what it was."""
    try:
        return work(task)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return failed(f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})")


def failed(message: str) -> Row:
    """Return the row of a task that failed."""
    return {"status": "failed", "error": message}


@contextmanager
def closing_rows(found: Iterator[tuple[Task, Row]]) -> Iterator[Iterator[tuple[Task, Row]]]:
    """Hand an executor's rows on; whoever stops reading early ends the work behind them."""
    try:
        yield found
    finally:
        close = getattr(found, "close", None)
        if close is not None:
            close()
