"""What ``stress`` and ``remedies`` share: which closures are meant, where they are worked on, progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.console import StageProgress, say
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.network.model import Network
    from changtong.resilience.cases import Case

Close = Annotated[
    str | None,
    typer.Option("--close", metavar="KINDS", help="sites, legs, provinces, operators; several by comma."),
]
Areas = Annotated[
    Path | None, typer.Option("--areas", metavar="FILE", help="GeoJSON of polygons: close the sites in each.")
]
Sets = Annotated[
    Path | None, typer.Option("--sets", metavar="FILE", help="TOML or CSV of outages: close each in turn.")
]
OperatorColumn = Annotated[
    str, typer.Option("--operator-column", help="Column of sites that names the operator.")
]
Anew = Annotated[bool, typer.Option("--anew", help="Forget what the folder holds.")]
PlanSeconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Time limit of one plan.")]
PlanGap = Annotated[float, typer.Option("--gap", min=1e-5, max=0.5, help="Proved gap of a plan.")]


@dataclass(frozen=True)
class Closures:
    """The options that say what is closed, as given."""

    close: str | None
    areas: Path | None
    sets: Path | None
    operator_column: str

    @property
    def given(self) -> bool:
        """Whether any was given."""
        return bool(self.close) or self.areas is not None or self.sets is not None

    def cases(self, network: Network, otherwise: Sequence[str] = ("sites",)) -> tuple[Case, ...]:
        """Return the cases; those of the kinds ``otherwise`` where nothing was given."""
        from changtong.resilience.cases import make_cases

        kinds = [part.strip() for part in (self.close or "").split(",") if part.strip()]
        if not kinds and self.areas is None and self.sets is None:
            kinds = list(otherwise)
        return make_cases(
            network, kinds, areas=self.areas, sets=self.sets, operator_column=self.operator_column
        )


STAGES = {
    "today": "Planning with nothing more shut",
    "bounds": "Bounding every closure",
    "plans": "Planning closures",
    "recovery": "Playing the worst forward",
    "single sites": "Planning single sites",
    "combinations": "Planning combinations",
    "candidates": "Looking for what holds pieces back",
    "remedies": "Trying remedies",
}


class Stages:
    """A line of progress with the time left, for each stage in turn."""

    def __init__(self) -> None:
        self.stage = ""
        self.line: StageProgress | None = None

    def __call__(self, stage: str, share: float) -> None:
        if stage != self.stage:
            self.close()
            self.stage, self.line = stage, StageProgress(STAGES.get(stage, stage))
        if self.line is not None:
            self.line("", share)

    def close(self) -> None:
        """End the line."""
        if self.line is not None:
            self.line.close()
        self.line = None


def compile_for_stress(*, recovery: bool) -> None:
    """Compile what a stress test runs, with a message, where it is not compiled yet."""
    simulation = prepare_kernels(say, "simulation") if recovery else None
    prepare_kernels(say)()
    prepare_kernels(say, "stress test")()  # these call the planner's
    if simulation is not None:
        simulation()
