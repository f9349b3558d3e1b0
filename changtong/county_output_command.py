"""Commands for the outputs of a county plan: sheets, files, the page, what harvest needs; VROOM's answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.command_options import AsJson, Language, PageLanguage
from changtong.console import print_result
from changtong.errors import UsageError


class RouteFormat(StrEnum):
    """Format of exported routes."""

    gpx = "gpx"
    geojson = "geojson"
    csv = "csv"
    vroom = "vroom"


class VroomForm(StrEnum):
    """How villages are told to VROOM."""

    jobs = "jobs"
    shipments = "shipments"


Routes = Annotated[Path, typer.Argument(metavar="ROUTES/", help="A folder with a county's plans.")]
Answer = Annotated[
    str | None,
    typer.Option(
        "--answer",
        metavar="NAME",
        help="shared, with_buses or a firm; without it with_buses where there is one, else shared.",
    ),
]


def sheets(
    routes: Routes,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write.")],
    answer: Answer = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write route sheets to print: a page for each vehicle and pattern of days."""
    from changtong.report import write_route_sheets
    from changtong.rural.result_folder import choose_plan, read_result
    from changtong.rural.timetables import vehicle_days

    result = read_result(routes)
    plan = choose_plan(result, answer)
    page = write_route_sheets(plan, result.county, output, language=language.value)
    count = len(vehicle_days(plan))
    facts = {"answer": plan.name, "sheets": count, "file": str(page)}
    print_result(
        facts, f"{result.county.name}, {plan.name}: {count:,} route sheets → {page}", as_json=as_json
    )


def export_routes(
    routes: Routes,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="PATH", help="A file; for csv, and for one GPX file a trip, a folder."
        ),
    ],
    route_format: Annotated[
        RouteFormat, typer.Option("--format", help="GPX 1.1, GeoJSON, CSV tables or a VROOM problem.")
    ],
    answer: Answer = None,
    weekday: Annotated[
        int, typer.Option("--weekday", min=1, max=7, help="Day of the VROOM problem, 1 = Monday.")
    ] = 1,
    form: Annotated[
        VroomForm, typer.Option("--form", help="Villages as jobs, or as shipments that allow reloading.")
    ] = VroomForm.jobs,
    matrices: Annotated[
        bool, typer.Option("--matrices/--no-matrices", help="Put distances and times into the VROOM problem.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Write the routes for other programs; a VROOM problem is one day of the local level."""
    from changtong.rural.result_folder import choose_plan, read_result

    if route_format is RouteFormat.csv and output.suffix:
        raise UsageError(f"-o {output}: expected a folder, CSV is several tables.")
    if route_format in (RouteFormat.geojson, RouteFormat.vroom) and not output.suffix:
        raise UsageError(f"-o {output}: expected a file, for example {output}.json.")
    result = read_result(routes)
    plan, county = choose_plan(result, answer), result.county
    facts: dict[str, Any] = {"answer": plan.name, "format": route_format.value}
    if route_format is RouteFormat.vroom:
        from changtong.rural.vroom import write_vroom

        detour = result.settings.get("detour_factor")
        known = {"detour_factor": float(detour)} if isinstance(detour, int | float) else {}
        made = write_vroom(
            county, output, plan=plan, weekday=weekday, form=form.value, matrices=matrices, **known
        )
        files = [output]
        facts |= {"weekday": weekday, "notes": list(made.notes)}
    else:
        from changtong.rural.route_files import write_csv_tables, write_gpx, write_routes_geojson

        if route_format is RouteFormat.gpx:
            files = write_gpx(plan, county, output)
        elif route_format is RouteFormat.geojson:
            files = [write_routes_geojson(plan, county, output)]
        else:
            files = write_csv_tables(plan, county, output)
    facts["files"] = [str(path) for path in files]
    said = f"{county.name}, {plan.name}: {plan.routes.height:,} trips → {output}"
    if facts.get("notes"):
        said += f"\n  not told to VROOM: {', '.join(facts['notes'])} (docs/county-output.md)"
    print_result(facts, said, as_json=as_json)


def report_county(
    routes: Routes,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="REPORT.html", help="The page; an older one is replaced."),
    ],
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write the report page: the three answers side by side, who gains what, map, timetables."""
    from changtong.report import write_county_report
    from changtong.rural.result_folder import read_result

    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o {output}: expected a name that ends in .html.")
    result = read_result(routes)
    page = write_county_report(result, output, language=language.value)
    print_result({"report": str(page)}, f"{result.county.name} → {page}", as_json=as_json)


def needs(
    now: Annotated[Path, typer.Argument(metavar="NOW/", help="A folder with a county's plans, as it is.")],
    harvest: Annotated[
        Path, typer.Argument(metavar="HARVEST/", help="One with the plans of the same county at harvest.")
    ],
    answer: Answer = None,
    as_json: AsJson = False,
) -> None:
    """Show what the delivery plan needs more at harvest: vehicles, cold space, stations, money, time."""
    from changtong.rural.harvest_needs import needs_at_harvest
    from changtong.rural.result_folder import choose_plan, read_result

    first, second = read_result(now), read_result(harvest)
    before, after = choose_plan(first, answer), choose_plan(second, answer)
    if before.name != after.name:
        said = f"{now} answers with {before.name} and {harvest} with {after.name}"
        raise UsageError(f"{said}: name one that both have with --answer, for example shared.")
    found = needs_at_harvest(before, after, first.county, second.county)
    one, two = ({"seed": result.seed, **result.settings} for result in (first, second))
    other = sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key))
    said = f"\n  planned with another {', '.join(other)}" if other else ""
    print_result(found.summary() | {"settings_differ": other}, f"{found}{said}", as_json=as_json)


def import_routes(
    solution: Annotated[Path, typer.Argument(metavar="SOLUTION.json", help="What VROOM answered.")],
    problem: Annotated[
        Path, typer.Argument(metavar="PROBLEM.json", help="The problem that was solved, as export wrote it.")
    ],
    county: Annotated[
        Path, typer.Argument(metavar="COUNTY/", help="The county folder the problem was made from.")
    ],
    weekdays: Annotated[
        str, typer.Option("--weekdays", help="Days on which the routes are driven, 1 = Monday.")
    ] = "1234567",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write tables as CSV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the routes VROOM answered with, priced by the county; with -o write them as tables."""
    from changtong.rural.county_folder import read_county
    from changtong.rural.route_files import with_site_names, write_frames
    from changtong.rural.vroom import read_vroom_solution

    if output is not None and output.suffix:
        raise UsageError(f"-o {output}: expected a folder, CSV is several tables.")
    place = read_county(county)
    found = read_vroom_solution(solution, problem, place, weekdays=weekdays)
    facts = found.summary() | {"weekdays": weekdays}
    said = str(found)
    if output is not None:
        files = write_frames(with_site_names(found.tables(), place), output)
        facts |= {"files": [str(path) for path in files]}
        said += f"\n  →  {output}"
    print_result(facts, said, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("sheets", short_help="Route sheets of a county plan, to print.")(sheets)
    app.command("export", short_help="Routes as GPX, GeoJSON, CSV or a VROOM problem.")(export_routes)
    app.command("report", short_help="The report page of a county plan.")(report_county)
    app.command("needs", short_help="What harvest needs more: vehicles, cold space, stations, money.")(needs)
    app.command("import-routes", short_help="VROOM's answer as routes, priced by the county.")(import_routes)
