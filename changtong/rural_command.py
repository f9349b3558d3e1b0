"""Commands of rural delivery: two-echelon routing instances, and the group that all of them are in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong import county_commands, county_output_command, county_plan_command
from changtong.command_options import AsJson
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.kernels import prepare_kernels

rural = typer.Typer(
    help="Routes of county, township and village.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DEFAULT_S = 10.0


@rural.callback()
def group() -> None:
    """Routes of county, township and village."""


@rural.command(short_help="Solve a two-echelon routing instance.")
def solve(
    instance: Annotated[
        Path, typer.Argument(metavar="INSTANCE.dat", help="Trucks, city freighters, stores, customers.")
    ],
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds", metavar="N", help="Time limit by the clock; 10, or none where --iterations is given."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, help="What the random numbers begin with.")
    ] = 1,
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", metavar="N", min=1, help="Most steps; same seed, same plan."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; older routes are replaced."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Solve a two-echelon routing instance: trucks to satellites, city freighters to customers."""
    if seconds is not None and not 0 < seconds < float("inf"):
        raise UsageError(f"--seconds {seconds}: expected a number above 0.")
    if seconds is None and iterations is None:
        seconds = DEFAULT_S
    from changtong.rural.two_echelon import check_routes_folder
    from changtong.rural.two_echelon_file import read_two_echelon

    if output is not None:
        check_routes_folder(output)
    given = read_two_echelon(instance)
    prepare_kernels(say, "rural")()
    from changtong.rural.two_echelon_search import load_kernels, solve_two_echelon

    load_kernels()
    progress = StageProgress(f"Routing {given.name}")
    try:
        result = solve_two_echelon(
            given, seconds=seconds, seed=seed, iterations=iterations, progress=progress
        )
    finally:
        progress.close()
    if output is not None:
        result.save(output)
    where = "" if output is None else f"\n  → {output}"
    print_result(result.summary(), f"{result}{where}", as_json=as_json)
    if not result.feasible:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    county_commands.register(rural)
    county_plan_command.register(rural)
    county_output_command.register(rural)
    app.add_typer(rural, name="rural", short_help="Routes of county, township and village.")
