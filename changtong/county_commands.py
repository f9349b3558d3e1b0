"""Commands about a county's delivery: check, make, coverage, cold chain, produce projects.

They are attached below ``rural``; see `register`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, Out
from changtong.console import print_result
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.rural.county import County
    from changtong.rural.county_plan import CountyPlan

CountyFolder = Annotated[Path, typer.Argument(metavar="COUNTY/", help="A county folder.")]
PlanFolder = Annotated[
    Path | None,
    typer.Option("--plan", metavar="ROUTES/", help="Routes of a plan of this county, or one of its answers."),
]


def check(county: CountyFolder, as_json: AsJson = False) -> None:
    """Check a county folder; every problem in one report."""
    from changtong.rural.county_folder import check_county

    report = check_county(county)
    print(report.to_json() if as_json else str(report))
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
    kinds = dict(made.sites["kind"].value_counts().iter_rows())
    facts = {
        "name": made.name,
        "folder": str(output),
        "stations": kinds.get("township", 0),
        "villages": kinds.get("village", 0),
        "firms": list(made.firms),
        "bus_runs": made.buses.height,
        "inbound_pieces_per_day": float(made.pieces["inbound_pieces_per_day"].sum()),
        "outbound_pieces_per_day": float(made.pieces["outbound_pieces_per_day"].sum()),
    }
    print_result(facts, f"{made}\n  →  {output}", as_json=as_json)


def _source(
    india: str | None, county: str | None, seed: int, villages: int | None, stations: int | None
) -> County:
    from changtong.rural.sources import india_district, reference_county, small_county

    if india is not None:
        return india_district(india, seed=seed)
    if county is not None:
        return reference_county(county, seed=seed, villages=villages, stations=stations)
    return small_county()


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
    as_json: AsJson = False,
) -> None:
    """Show which villages are served, and with a plan the cheapest next steps."""
    from changtong.rural.county_folder import read_county
    from changtong.rural.coverage_definition import read_definition

    place = read_county(county)
    asking = read_definition(definition)
    routes = None if plan is None else read_routes(plan)
    from changtong.studies import run_study

    study = run_study("county-coverage", place, plan=routes, definition=asking, measure=by)
    found, steps = study.result
    facts, text = found.summary(), str(found)
    if steps is not None:
        facts |= {"next_steps": steps.summary()}
        text += f"\n{steps}"
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


def produce(
    register_file: Annotated[
        Path,
        typer.Argument(
            metavar="REGISTER.csv", help="project, product, admin_code, level, year, pieces, income_cny."
        ),
    ],
    thresholds: Annotated[
        Path | None,
        typer.Option("--thresholds", metavar="FILE.csv", help="Volumes instead of the published ones."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold produce projects against the volume thresholds."""
    from changtong.rural.produce import produce_projects

    found = produce_projects(register_file, thresholds)
    print_result(found.summary(), str(found), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="Every problem of a county folder, in one report.")(check)
    app.command(short_help="A county folder from a district of India or the built-in network.")(make)
    app.command("coverage", short_help="Which villages are served, and the cheapest next steps.")(
        show_coverage
    )
    app.command(short_help="Temperature readings against limits.")(cold)
    app.command(short_help="Produce projects against their volume thresholds.")(produce)
