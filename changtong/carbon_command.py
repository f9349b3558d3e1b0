"""The command ``carbon``: greenhouse gases of a network's day, or a plan's, by ISO 14083."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Folder, Language
from changtong.console import print_result, say
from changtong.kernels import prepare_kernels


class Distance(StrEnum):
    """Transport activity distance."""

    shortest_feasible = "shortest_feasible"
    great_circle = "great_circle"


class LoadRule(StrEnum):
    """How emissions of a leg are shared out."""

    tonne_km = "tonne_km"
    piece = "piece"


Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="CARBON/", help="Where to write; an older one is replaced.")
]
OfPlan = Annotated[
    Path | None, typer.Option("--plan", metavar="PLAN/", help="Of this plan instead of the routes in force.")
]
OwnFactors = Annotated[
    Path | None,
    typer.Option(
        "--factors", metavar="FOLDER/", help="Your own tables over those shipped (docs/footprint.md)."
    ),
]
Basis = Annotated[Distance, typer.Option("--distance", help="Distance that counts first.")]
Rule = Annotated[LoadRule, typer.Option("--load-rule", help="By weight and distance, or all pieces alike.")]
Observed = Annotated[
    Path | None,
    typer.Option("--packaging", metavar="FILE", help="CSV of packaging indicators, beside their targets."),
]
Spoken = Annotated[
    Language,
    typer.Option("--language", help="Language of the statement that is printed, and that the page opens in."),
]


def carbon(
    net: Folder,
    output: Output,
    plan: OfPlan = None,
    factors: OwnFactors = None,
    distance: Basis = Distance.shortest_feasible,
    load_rule: Rule = LoadRule.tonne_km,
    packaging: Observed = None,
    language: Spoken = Language.en,
    as_json: AsJson = False,
) -> None:
    """Estimate the carbon of every leg, lane, site and the whole day, with a statement of method."""
    from changtong.footprint.factors import read_factors
    from changtong.footprint.result import CARBON_FOLDER
    from changtong.network.io import check_replaceable, read_network
    from changtong.studies import run_study

    check_replaceable(output, **CARBON_FOLDER)
    used = read_factors(factors)  # told before anything is compiled
    compiled = prepare_kernels(say, "footprint")
    network = read_network(net)
    compiled()
    study = run_study(
        "carbon",
        network,
        folder=output,
        language=language.value,
        plan=plan,
        factors=used,
        distance=distance.value,
        allocation=load_rule.value,
        packaging=packaging,
    )
    result = study.result
    text = f"{result}\n\n{result.statement[language.value]}  → {output / 'report.html'}"
    print_result(json.loads(result.to_json()) | {"folder": str(output)}, text, as_json=as_json)
