"""Commands of the workforce: rosters, their check, workload and its fairness, hours and rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage, parse_day
from changtong.console import StepProgress, print_result

workforce = typer.Typer(
    help="Rosters, workload, hours and rest.", no_args_is_help=True, rich_markup_mode=None
)

FolderOf = Annotated[
    Path, typer.Argument(metavar="FOLDER/", help="Tables of a workforce (docs/workforce.md).")
]
RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE.toml", help="Rules instead of the folder's or the example's."),
]
Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="RESULT/", help="Where to write; an older result is replaced."),
]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day.")]


@workforce.callback()
def group() -> None:
    """Rosters, workload, hours and rest."""


@workforce.command("roster", short_help="Rosters from hourly volumes, with the least that was proved.")
def roster(
    folder: FolderOf,
    output: Output,
    centre: Annotated[
        list[str] | None, typer.Option("--centre", metavar="ID", help="Only this centre; may be repeated.")
    ] = None,
    begin: From = None,
    end: To = None,
    quantile: Annotated[
        float,
        typer.Option("--quantile", help="Of forecast days to staff for: 0.9 is exceeded one day in ten."),
    ] = 0.5,
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="About, for all centres.")] = 120.0,
    rules: RulesFile = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Make rosters; exit code 1 where pieces cannot be sorted in time, with centre, day and hour."""
    first, last = (None if d is None else parse_day(d, o) for d, o in ((begin, "--from"), (end, "--to")))
    from changtong.studies import run_study
    from changtong.workforce.roster_result import check_roster_folder
    from changtong.workforce.workforce_folder import read_workforce

    check_roster_folder(output)
    known = read_workforce(folder, rules=rules, needs=("hourly",))
    progress = StepProgress("Rosters")
    try:
        study = run_study(
            "roster", known, folder=output, language=language.value, sites=tuple(centre or ()), begin=first,
            end=last, quantile=quantile, seconds=seconds, progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    made = study.result
    page = str(output / "report.html")
    print_result(
        made.to_json() | {"folder": str(output), "report": page}, f"{made}\n  → {page}", as_json=as_json
    )
    if not made.complete:
        raise typer.Exit(1)


@workforce.command("check", short_help="Check rosters once more, also after changes by hand.")
def check(
    rostered: Annotated[Path, typer.Argument(metavar="ROSTER/", help="A folder of workforce roster.")],
    as_json: AsJson = False,
) -> None:
    """Check rosters against volumes and rules; exit code 1 where something is wrong."""
    from changtong.workforce.roster_check import check_roster
    from changtong.workforce.roster_result import read_roster

    tables, rules = read_roster(rostered)
    faults = check_roster(tables, rules.to_dict())
    text = "\n".join(faults[:50]) if faults else f"{tables['centres'].height} centres: nothing is wrong"
    more = f"\n… and {len(faults) - 50} more" if len(faults) > 50 else ""
    print_result({"faults": list(faults), "right": not faults}, text + more, as_json=as_json)
    if faults:
        raise typer.Exit(1)


@workforce.command(
    "workload", short_help="Workload of couriers: fairness, outliers, and what would even it out."
)
def workload(
    folder: FolderOf,
    output: Output,
    begin: From = None,
    end: To = None,
    moves: Annotated[
        int, typer.Option("--moves", metavar="N", min=0, help="At most so many areas change hands an outlet.")
    ] = 3,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Measure the fairness of workloads by outlet, and propose which areas to move."""
    first, last = (None if d is None else parse_day(d, o) for d, o in ((begin, "--from"), (end, "--to")))
    from changtong.studies import run_study
    from changtong.workforce.workforce_folder import read_workforce

    known = read_workforce(folder, needs=("deliveries",))
    study = run_study(
        "workload", known, folder=output, language=language.value, begin=first, end=last, moves=moves
    )
    made = study.result
    page = str(output / "report.html")
    print_result(
        made.to_json() | {"folder": str(output), "report": page}, f"{made}\n  → {page}", as_json=as_json
    )


@workforce.command("hours", short_help="Attendance beside the law's limits: who breaks which, when.")
def hours(
    folder: FolderOf,
    output: Output,
    limits: Annotated[
        Path | None,
        typer.Option("--limits", metavar="FILE.toml", help="Limits instead of those of the Labour Law."),
    ] = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Check hours and rest; exit code 1 where a limit is broken."""
    from changtong.studies import run_study
    from changtong.workforce.hour_limits import read_hour_limits
    from changtong.workforce.workforce_folder import read_workforce

    used = read_hour_limits(limits)
    known = read_workforce(folder, needs=("attendance",))
    made = run_study("hours", known, folder=output, language=language.value, limits=used).result
    page = str(output / "report.html")
    facts = made.to_json() | {"folder": str(output), "report": page}
    print_result(facts, f"{made}\n  → {page}", as_json=as_json)
    if made.breaches.height:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to an app.

    Parameters
    ----------
    app : typer.Typer
    """
    app.add_typer(workforce, name="workforce")
