"""One thing added under one demand: all closures planned again, in whatever process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from changtong.executors.local import InProcess
from changtong.executors.work import Executor, Row
from changtong.network.model import Network
from changtong.resilience.additions import Remedy
from changtong.resilience.cases import Case, Task
from changtong.resilience.demands import Demand
from changtong.resilience.result import StressSettings
from changtong.resilience.stress import stress_test

AS_IT_IS = -1
"""Number of the remedy that adds nothing."""


@dataclass(frozen=True, slots=True)
class Trial(Task):
    """One remedy under one demand.

    Attributes
    ----------
    remedy : int
        Which; ``AS_IT_IS`` for none.
    demand : int
    """

    remedy: int = AS_IT_IS
    demand: int = 0


def make_trials(remedies: Sequence[Remedy], demands: Sequence[Demand]) -> list[Trial]:
    """Return every remedy under every demand, the network as it is first.

    A trial is named by all that its rows depend on beside the network, the closures and the settings.
    """
    made = []
    for number, remedy in [(AS_IT_IS, None), *enumerate(remedies)]:
        what = "as it is" if remedy is None else f"{remedy.name} {remedy.build!r}"
        for d, demand in enumerate(demands):
            case = Case(f"{what} @ {demand!r}", "remedy", what)
            made.append(Trial(case, remedy=number, demand=d))
    return made


@dataclass(frozen=True)
class TrialWork:
    """Builds a remedy in and plans every closure.

    Attributes
    ----------
    network : Network
    cases : tuple of Case
    remedies : tuple of Remedy
    demands : tuple of Demand
    settings : StressSettings
    executor : Executor
        Where the closures of a trial are planned.
    """

    network: Network
    cases: tuple[Case, ...]
    remedies: tuple[Remedy, ...]
    demands: tuple[Demand, ...]
    settings: StressSettings
    executor: Executor = InProcess()

    def portable(self) -> TrialWork:
        """Return itself: it holds no files."""
        return self

    def __call__(self, task: Task) -> Row:
        """Return the pieces each closure leaves behind, and what is left behind with nothing shut.

        Rows of the old network are rows of the new one.
        """
        assert isinstance(task, Trial)
        network = self.network
        if task.remedy != AS_IT_IS:
            network = self.remedies[task.remedy].build(network)
        network = self.demands[task.demand].applied(network)
        result = stress_test(network, list(self.cases), settings=self.settings, executor=self.executor)
        if result.failed.height:
            raise RuntimeError(str(result.failed["error"][0]))
        left = result.cases.select(pl.coalesce("unserved_pieces", "unserved_least")).to_series()
        return {
            "left": [float(value) for value in left],
            "left_open": result.today["unserved_pieces"],
            "method": result.method,
        }
