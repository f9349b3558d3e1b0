"""The command ``carbon-frontier``: plans between the cheapest and the cleanest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from changtong.carbon_command import OwnFactors
from changtong.command_options import AsJson, Folder, Gap, Language, PageLanguage, Seconds
from changtong.console import StepProgress, print_result, say
from changtong.errors import UsageError
from changtong.kernels import prepare_kernels
from changtong.plan_command import At, CapacityShare, Close, Outages, check_share, given_outages

Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FRONTIER/", help="Where to write; an older one is replaced."),
]
Points = Annotated[int, typer.Option("--points", min=2, max=200, help="Plans at most.")]
Open = Annotated[
    float,
    typer.Option(
        "--open", min=0.0, max=1.0, help="Stop when this share of the box between the ends is open."
    ),
]


Plans = Annotated[
    Path | None,
    typer.Option(
        "--plans",
        metavar="FOLDER/",
        help="Keep each plan as a plan folder in it, planned once more with its sort plan; an older one is"
        " replaced.",
    ),
]


def carbon_frontier(
    net: Folder,
    output: Output,
    close: Close = None,
    outages: Outages = None,
    capacity_share: CapacityShare = 0.0,
    at: At = None,
    points: Points = 9,
    open_share: Open = 0.01,
    plans: Plans = None,
    factors: OwnFactors = None,
    gap: Gap = 1e-3,
    seconds: Seconds = 30.0,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Find what each tonne of carbon avoided costs, plan by plan, from the cheapest to the cleanest."""
    from changtong.carbon_frontier import FRONTIER_FOLDER
    from changtong.carbon_frontier_plans import FRONTIER_PLANS_FOLDER
    from changtong.footprint.factors import read_factors
    from changtong.network.io import check_replaceable, read_network
    from changtong.plan_options import read_moment
    from changtong.planning.result import PlanSettings
    from changtong.studies import run_study

    check_share(capacity_share, close)
    moment = read_moment(at)
    check_replaceable(output, **FRONTIER_FOLDER)
    if plans is not None:
        check_replaceable(plans, **FRONTIER_PLANS_FOLDER)
        if output.resolve() == plans.resolve():
            raise UsageError("-o and --plans name the same folder: give two.")
    used = read_factors(factors)
    network = read_network(net)
    counted = given_outages(network, close, capacity_share, outages, moment)
    prepare_kernels(say)()
    bars = [StepProgress("Planning between cost and carbon")]

    def keeping(done: int, total: int) -> None:
        if not done:
            bars.append(StepProgress("Keeping the plans"))
        bars[-1](done, total)

    try:
        study = run_study(
            "carbon-frontier",
            network,
            counted,
            folder=output,
            language=language.value,
            points=points,
            gap_share=open_share,
            factors=used,
            settings=PlanSettings(gap_share=gap, seconds=seconds),
            progress=bars[0],
            plans=plans,
            plans_progress=keeping,
        )
    finally:
        for bar in bars:
            bar.close()
    text = f"{study.result}\n  → {output / 'report.html'}"
    said = json.loads(study.result.to_json()) | {"folder": str(output)}
    if plans is not None:
        said["plans_folder"] = str(plans)
        text += f"\n  → {plans / 'plan-1'} …"
    print_result(said, text, as_json=as_json)
