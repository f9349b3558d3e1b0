"""The command ``rural plan``: plan a county's delivery, the three answers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Out
from changtong.console import print_result, say

County = Annotated[Path, typer.Argument(metavar="COUNTY/", help="A county folder.")]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", min=0.1, help="About the most to take; by default work is counted, not time."),
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same plan.")]


def plan_county_command(
    county: County, output: Out, seconds: Seconds = None, seed: Seed = 0, as_json: AsJson = False
) -> None:
    """Plan a county's delivery: each firm alone, all together, and with parcels on buses.

    Which stations to open, who serves which village on which days, and the routes of both levels.
    What cannot be served is named, village by village.
    """
    from changtong.network.io import check_replaceable
    from changtong.rural.county_folder import read_county
    from changtong.rural.plan_county import plan_county
    from changtong.rural.result_write import RESULT_FOLDER

    facts = RESULT_FOLDER
    check_replaceable(output.resolve(), is_ours=facts["is_ours"], what=facts["what"], code=facts["code"])
    result = plan_county(read_county(county), seconds=seconds, seed=seed)
    folder = result.save(output)
    print_result(result.summary() | {"folder": str(folder)}, str(result), as_json=as_json)
    say(f"Written to {folder}.")


def register(app: typer.Typer) -> None:
    """Add the command to the application ``rural``."""
    app.command("plan", short_help="Plan a county's delivery.")(plan_county_command)
