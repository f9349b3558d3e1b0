"""Commands of drills: play a script, evaluate what was done, plan on the copy of the network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Language, PageLanguage, read_instant
from changtong.console import print_result, say
from changtong.emergency_options import AsOf, By, show_case, who
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.emergency.case import Case
    from changtong.planning.result import Plan


def run_drill(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT.toml", help="What happens, what is expected.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DRILL/", help="The drill's folder; not there yet.")
    ],
    begins: Annotated[
        str | None,
        typer.Option("--begins", metavar="TIME", help="A clock of its own; else the real one."),
    ] = None,
    actions: Annotated[
        Path | None,
        typer.Option("--actions", metavar="FILE.csv", help="With --begins: what was done, and when."),
    ] = None,
    name: Annotated[str | None, typer.Option("--id", metavar="ID", help="Of the drill's case.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Begin a drill: from here on the commands of cases are for its folder, marked as a drill everywhere."""
    from changtong.emergency.drill import start_drill
    from changtong.emergency.drill_script import read_script
    from changtong.emergency.played_file import read_played

    begin = read_instant(begins, "--begins")
    if actions is not None and begin is None:
        raise UsageError("--actions needs --begins: what was done has instants of the drill's own clock.")
    read = read_script(script)
    played = () if actions is None or begin is None else read_played(actions, begin)
    file = "" if actions is None else actions.name
    case = start_drill(
        read, output, begins=begin, by=who(by, None), played=played, file=file, case_id=name or ""
    )
    show_case(case, case.opened_at, as_json=as_json, more={"folder": str(output)})


def evaluate_drill(
    drill: Annotated[Path, typer.Argument(metavar="DRILL/", help="A drill's folder.")],
    network: Annotated[
        Path | None,
        typer.Option("--network", metavar="NET/", help="The network: a plan is computed on a copy of it."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The report: .html or .docx; replaced."),
    ] = None,
    plan_folder: Annotated[
        Path | None, typer.Option("--plan-into", metavar="PLAN/", help="Where to write that plan; replaced.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="Time limit for the plan's flow.")
    ] = 20.0,
    at: AsOf = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Evaluate a drill; exit code 1 where an expected action was late or missed."""
    from changtong.emergency.drill import read_drill
    from changtong.emergency.drill_evaluation import evaluate

    if output is not None and output.suffix.lower() not in (".html", ".docx"):
        raise UsageError(f"{output.name}: the file must end in .html or .docx.", "unknown-ending")
    if plan_folder is not None and network is None:
        raise UsageError("--plan-into needs --network NET/.")
    case, script = read_drill(drill)
    own = case.event.get("clock") == "own"
    last = max(one.at for one in case.entries)
    instant = read_instant(at) or (last if own else datetime.now(UTC))
    made = evaluate(case, script, instant)
    planned = None if network is None else _plan(made.status.case, network, plan_folder, seconds, language)
    facts = made.to_json() | {"plan": None if planned is None else _figures(planned)}
    text = str(made)
    if planned is not None:
        text += f"\n{planned}"
    if output is not None:
        from changtong.report.case_documents import drill_document, write_document

        write_document(
            drill_document(made, None if planned is None else planned.summary()),
            output,
            language=language.value,
        )
        facts["file"] = str(output)
        text += f"\n  → {output}"
    print_result(facts, text, as_json=as_json)
    if made.count("late") or made.count("missed"):
        raise typer.Exit(1)


def _figures(planned: Plan) -> dict[str, Any]:
    keys = (
        "status",
        "gap_share",
        "demand_pieces",
        "unserved_pieces",
        "late_pieces",
        "cost_cny",
        "changed_legs",
        "outages",
    )
    return {key: value for key, value in planned.summary().items() if key in keys}


def _plan(case: Case, network: Path, folder: Path | None, seconds: float, language: Language) -> Plan | None:
    """Return the plan for the sites that the drill says are shut; the network's folder is only read."""
    from changtong.emergency.case_outages import case_outages
    from changtong.kernels import prepare_kernels
    from changtong.network.io import read_network
    from changtong.planning.result import PlanSettings
    from changtong.studies import run_study

    read = read_network(network)
    outages = case_outages(case, read)
    if not outages:
        say("No site is confirmed in this drill: there is nothing to plan around.")
        return None
    compiled = prepare_kernels(say)
    compiled()
    settings = PlanSettings(gap_share=1e-3, seconds=seconds)
    study = run_study(
        "plan",
        read,
        outages,
        folder=folder,
        language=language.value,
        settings=settings,
    )
    planned: Plan = study.result
    return planned
