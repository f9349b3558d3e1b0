"""Commands about a county's delivery: check, make, import, coverage, cold chain, produce projects, harvest.

They are attached below ``rural``; see `register`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Out
from changtong.console import print_result
from changtong.errors import InputError, UsageError

if TYPE_CHECKING:
    from changtong.rural.county import County
    from changtong.rural.county_plan import CountyPlan

CountyFolder = Annotated[Path, typer.Argument(metavar="COUNTY/", help="A county folder.")]
PlanFolder = Annotated[
    Path | None,
    typer.Option("--plan", metavar="ROUTES/", help="Routes of a plan of this county, or one of its answers."),
]


REGISTER = typer.Argument(
    metavar="REGISTER.csv", help="project, product, admin_code, level, year, pieces, income_cny."
)
RegisterFile = Annotated[Path, REGISTER]
Thresholds = Annotated[
    Path | None,
    typer.Option("--thresholds", metavar="FILE.csv", help="Volumes instead of the published ones."),
]


class SecondAmount(StrEnum):
    """What the second number of VROOM's amounts is."""

    cold = "cold"


def check(county: CountyFolder, as_json: AsJson = False) -> None:
    """Check a county folder; every problem in one report."""
    from changtong.rural.county_folder import check_county

    report = check_county(county)
    print_result(json.loads(report.to_json()), str(report), as_json=as_json)
    if report.errors:
        raise typer.Exit(1)


def make(
    output: Out,
    india: Annotated[
        str | None, typer.Option("--india", metavar="DISTRICT", help="A district of India, as SATARA.")
    ] = None,
    county: Annotated[
        str | None,
        typer.Option("--county", metavar="CODE", help="A county of the built-in network, as 610524."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is made up.")] = 0,
    villages: Annotated[
        int | None, typer.Option("--villages", metavar="N", help="With --county: how many.")
    ] = None,
    stations: Annotated[
        int | None, typer.Option("--stations", metavar="N", help="With --county: how many.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a county folder from a source; without one the small made-up county."""
    from changtong.network.io import check_replaceable
    from changtong.rural.county_folder import COUNTY_FOLDER, write_county

    if india is not None and county is not None:
        raise UsageError("Give --india or --county: one of the two.")
    if county is None and (villages is not None or stations is not None):
        raise UsageError("--villages and --stations belong to --county.")
    check_replaceable(output, **COUNTY_FOLDER)
    made = _source(india, county, seed, villages, stations)
    write_county(made, output)
    print_result(_county_facts(made, output), f"{made}\n  →  {output}", as_json=as_json)


def _county_facts(made: County, folder: Path) -> dict[str, Any]:
    kinds = dict(made.sites["kind"].value_counts().iter_rows())
    return {
        "name": made.name,
        "folder": str(folder),
        "stations": kinds.get("township", 0),
        "villages": kinds.get("village", 0),
        "firms": list(made.firms),
        "bus_runs": made.buses.height,
        "inbound_pieces_per_day": float(made.pieces["inbound_pieces_per_day"].sum()),
        "outbound_pieces_per_day": float(made.pieces["outbound_pieces_per_day"].sum()),
    }


def _source(
    india: str | None, county: str | None, seed: int, villages: int | None, stations: int | None
) -> County:
    from changtong.rural.sources import india_district, reference_county, small_county

    if india is not None:
        return india_district(india, seed=seed)
    if county is not None:
        return reference_county(county, seed=seed, villages=villages, stations=stations)
    return small_county()


def import_problem(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM.json", help="A VROOM problem.")],
    output: Out,
    second_amount: Annotated[
        SecondAmount | None,
        typer.Option("--second-amount", help="What the second number of amounts is, where nothing says it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a county folder from a VROOM problem: its depot is the hub, each place it visits a village."""
    from changtong.network.io import check_replaceable
    from changtong.rural.county_folder import COUNTY_FOLDER, write_county
    from changtong.rural.vroom import read_vroom

    check_replaceable(output, **COUNTY_FOLDER)
    made = read_vroom(problem, second_amount=None if second_amount is None else second_amount.value)
    warnings = _warnings(made)
    write_county(made, output)
    said = f"{made}\n  →  {output}" + _say_warnings(warnings)
    print_result(_county_facts(made, output) | {"warnings": warnings}, said, as_json=as_json)


def _warnings(made: County) -> list[str]:
    """Return the codes of what is worth a look in a county; what a folder may not hold is refused."""
    from changtong.rural.county_folder import check_county

    report = check_county(made)
    if report.errors:
        raise InputError(report.errors)
    return sorted({code for severity, code in report.counts if severity == "warning"})


def _say_warnings(codes: list[str]) -> str:
    return f"\n  worth a look: {', '.join(codes)} (changtong rural check)" if codes else ""


def show_coverage(
    county: CountyFolder,
    plan: PlanFolder = None,
    definition: Annotated[
        Path | None,
        typer.Option("--definition", metavar="FILE.toml", help="When a village counts as served."),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="Order next steps by cost for villages or people.")
    ] = "villages",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER/", help="Where to write tables; older ones are replaced."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which villages are served, and with a plan the cheapest next steps."""
    from changtong.rural.county_folder import read_county
    from changtong.rural.coverage_definition import read_definition

    place = read_county(county)
    asking = read_definition(definition)
    routes = None if plan is None else read_routes(plan)
    from changtong.studies import run_study

    study = run_study("county-coverage", place, plan=routes, definition=asking, measure=by, folder=output)
    found, steps = study.result
    facts, text = found.summary(), str(found)
    if steps is not None:
        facts |= {"next_steps": steps.summary()}
        text += f"\n{steps}"
    if study.folder is not None:
        facts |= {"folder": str(study.folder)}
        text += f"\n  → {study.folder}"
    print_result(facts, text, as_json=as_json)


def read_routes(folder: Path) -> CountyPlan:
    """Read the plan of a folder of routes: with buses where there are any, else the shared one."""
    from changtong.rural.result_folder import choose_plan, read_result

    return choose_plan(read_result(folder))


def cold(
    readings: Annotated[Path, typer.Argument(metavar="READINGS.csv", help="item_id, at, celsius, product.")],
    limits: Annotated[
        Path | None,
        typer.Option(
            "--limits", metavar="FILE.csv", help="Limits of each product instead of the built-in ones."
        ),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--zone", metavar="ZONE", help="Zone of times without one, as Asia/Shanghai."),
    ] = None,
    plan: PlanFolder = None,
    as_json: AsJson = False,
) -> None:
    """Hold temperature readings against limits; exit 1 where something was out of them."""
    from changtong.rural.cold_chain import cold_chain

    route = None if plan is None else read_routes(plan)
    found = cold_chain(readings, limits, route, zone=zone)
    print_result(found.summary(), str(found), as_json=as_json)
    if (found.items["state"] == "out").any():
        raise typer.Exit(1)


def produce(register_file: RegisterFile, thresholds: Thresholds = None, as_json: AsJson = False) -> None:
    """Hold produce projects against the volume thresholds."""
    from changtong.rural.produce import produce_projects

    found = produce_projects(register_file, thresholds)
    print_result(found.summary(), str(found), as_json=as_json)


def harvest(
    county: CountyFolder,
    register_file: RegisterFile,
    project: Annotated[
        str, typer.Option("--project", metavar="NAME", help="Whose last year's pieces are added.")
    ],
    output: Out,
    peak_weeks: Annotated[int, typer.Option("--peak-weeks", metavar="N", help="Weeks of the harvest.")] = 4,
    peak_share: Annotated[
        float, typer.Option("--peak-share", metavar="SHARE", help="Of the year's pieces in these weeks.")
    ] = 0.5,
    cold_share: Annotated[
        float, typer.Option("--cold-share", metavar="SHARE", help="Of these pieces that must be kept cold.")
    ] = 0.5,
    cold_hours: Annotated[
        float, typer.Option("--cold-hours", metavar="H", help="How long cold ones may be under way.")
    ] = 24.0,
    villages: Annotated[
        list[str] | None,
        typer.Option("--village", metavar="ID", help="Where it grows; again for each; all without it."),
    ] = None,
    firm: Annotated[
        str | None,
        typer.Option(
            "--firm", metavar="NAME", help="Who carries it; without it as firms share what is sent."
        ),
    ] = None,
    thresholds: Thresholds = None,
    as_json: AsJson = False,
) -> None:
    """Write the county folder of a produce project's peak weeks, to be planned as any other."""
    from changtong.network.io import check_replaceable
    from changtong.rural.county_folder import COUNTY_FOLDER, read_county, write_county
    from changtong.rural.produce import at_harvest, produce_projects

    if output.resolve() == county.resolve():
        raise UsageError(f"-o {output} is the county itself: write the harvest into another folder.")
    check_replaceable(output, **COUNTY_FOLDER)
    made = at_harvest(
        read_county(county),
        produce_projects(register_file, thresholds),
        project,
        peak_weeks=peak_weeks,
        peak_share=peak_share,
        cold_share=cold_share,
        cold_h=cold_hours,
        villages=villages or None,
        firm=firm,
    )
    warnings = _warnings(made.county)
    write_county(made.county, output)
    facts = made.summary() | {"folder": str(output), "warnings": warnings}
    print_result(facts, f"{made}\n  →  {output}{_say_warnings(warnings)}", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="Every problem of a county folder, in one report.")(check)
    app.command(short_help="A county folder from a district of India or the built-in network.")(make)
    app.command("import", short_help="A county folder from a VROOM problem.")(import_problem)
    app.command("coverage", short_help="Which villages are served, and the cheapest next steps.")(
        show_coverage
    )
    app.command(short_help="Temperature readings against limits.")(cold)
    app.command(short_help="Produce projects against their volume thresholds.")(produce)
    app.command(short_help="A county folder with the pieces of a produce project's peak weeks.")(harvest)
