"""The command ``carbon-frontier``: plans between the cheapest and the cleanest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from changtong.carbon_command import OwnFactors
from changtong.command_options import AsJson, Folder, Gap, Language, PageLanguage, Seconds
from changtong.console import StepProgress, print_result, say
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


def carbon_frontier(
    net: Folder,
    output: Output,
    close: Close = None,
    outages: Outages = None,
    capacity_share: CapacityShare = 0.0,
    at: At = None,
    points: Points = 9,
    open_share: Open = 0.01,
    factors: OwnFactors = None,
    gap: Gap = 1e-3,
    seconds: Seconds = 30.0,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Find what each tonne of carbon avoided costs, plan by plan, from the cheapest to the cleanest."""
    from changtong.carbon_frontier import FRONTIER_FOLDER
    from changtong.footprint.factors import read_factors
    from changtong.network.io import check_replaceable, read_network
    from changtong.plan_options import read_moment
    from changtong.planning.result import PlanSettings
    from changtong.studies import run_study

    check_share(capacity_share, close)
    moment = read_moment(at)
    check_replaceable(output, **FRONTIER_FOLDER)
    used = read_factors(factors)
    network = read_network(net)
    counted = given_outages(network, close, capacity_share, outages, moment)
    prepare_kernels(say)()
    bar = StepProgress("Planning between cost and carbon")
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
            progress=bar,
        )
    finally:
        bar.close()
    text = f"{study.result}\n  → {output / 'report.html'}"
    print_result(json.loads(study.result.to_json()) | {"folder": str(output)}, text, as_json=as_json)
