"""Networks and work for the tests of stress tests; imported by worker processes too."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import polars as pl

from changtong.executors.work import Row, Work, attempt
from changtong.flows.problem import FlowProblem
from changtong.network.model import Network, build_network
from changtong.resilience.cases import Case, Task
from changtong.resilience.today import Today


def today_of(problem: FlowProblem) -> Today:
    """Return today's plan of a bare flow problem."""
    question = SimpleNamespace(problem=problem)
    return Today(question, unserved_cny=1.0, seconds=10.0, threads=1)  # type: ignore[arg-type]


def ring(n: int = 6, *, capacity: float = 30.0, operator: bool = True) -> Network:
    """Return a ring of sites with a hub in the middle: two ways for everything."""
    ids = [f"S{k}" for k in range(n)] + ["HUB"]
    legs = [(ids[k], ids[(k + 1) % n]) for k in range(n)] + [(ids[k], "HUB") for k in range(n)]
    legs += [(b, a) for a, b in legs]
    sites = pl.DataFrame(
        {
            "site_id": ids,
            "name": [f"site {k}" for k in range(n)] + ["<b>hub</b>"],
            "lon": [110.0 + k for k in range(n + 1)],
            "lat": [30.0 + (k % 3) for k in range(n + 1)],
            "admin_code": ["410100"] * 3 + ["420100"] * (n - 2),
        }
    )
    if operator:
        sites = sites.with_columns(
            operator=pl.Series(["one", "two"] * (n // 2) + ["one"] * (n % 2) + ["hub"])
        )
    demand = [(a, b, 5.0 + k) for k, (a, b) in enumerate((a, b) for a in ids[:n] for b in ids[:n] if a != b)]
    return build_network(
        {
            "sites": sites,
            "legs": pl.DataFrame(
                {
                    "from_site": [a for a, _ in legs],
                    "to_site": [b for _, b in legs],
                    "cost_cny_per_piece": [1.0 + 0.1 * k for k in range(len(legs))],
                    "capacity_pieces_per_day": [capacity] * len(legs),
                }
            ),
            "demand": pl.DataFrame(demand, schema=["from_site", "to_site", "pieces_per_day"], orient="row"),
        },
        name="ring",
    )


def site_case(row: int) -> Case:
    """Return the closure of one site."""
    return Case(f"site:{row}", "site", f"site {row}", (row,))


@dataclass(frozen=True)
class Echo:
    """Answers with the case's name; fails or kills its process where told to."""

    fails: tuple[str, ...] = ()
    kills: tuple[str, ...] = ()

    def portable(self) -> Echo:
        """Return itself."""
        return self

    def __call__(self, task: Task) -> Row:
        """Answer."""
        if task.case.name in self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if task.case.name in self.fails:
            raise ValueError(f"no answer to {task.case.name}")
        return {"status": "plan", "said": task.case.name}


class Counting:
    """Works in this process, counts, and stops or fails where told to."""

    def __init__(self, *, stop_after: int = 10**9, fails: tuple[str, ...] = ()) -> None:
        self.asked: list[str] = []
        self.stop_after, self.fails = stop_after, fails

    def run(self, work: Work[Task], tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        for task in tasks:
            if len(self.asked) >= self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(task.case.name)
            yield task, attempt(Echo(fails=self.fails) if task.case.name in self.fails else work, task)
