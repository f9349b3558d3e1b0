"""Commands of epidemic control: states, outages, measures, settling, crossings, cases, passes, staff."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Folder, parse_day
from changtong.console import print_result
from changtong.epidemic_case_command import At, epidemic_page, open_case_of_log, propose_from_list
from changtong.errors import UsageError
from changtong.registers_options import Registers, Token, desk_of
from changtong.safety_command import FormsFolder

if TYPE_CHECKING:
    from changtong.epidemic.epidemic_folder import Epidemic
    from changtong.network.model import Network

epidemic = typer.Typer(
    help="Epidemic control: site states, measures, settling, cases, passes, whitelists.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Place = Annotated[
    Path | None, typer.Argument(metavar="FOLDER/", help="Tables of epidemic control (docs/epidemic.md).")
]
Day = Annotated[str | None, typer.Option("--date", metavar="DATE", help="As of this day; today by default.")]
Into = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FOLDER/", help="Tables as CSV; replaced.")
]
Net = Annotated[Path | None, typer.Option("--net", metavar="NET/", help="A network folder.")]


def _folder(folder: Path | None, registers: str | None, token: Path | None) -> Epidemic:
    """Return what is known, from a folder, or from registers and what a folder adds to them."""
    from changtong.epidemic.epidemic_folder import read_epidemic

    if registers is not None:
        from changtong.supervision_records.epidemic_tables import read_register_epidemic

        with desk_of(registers, token) as desk:
            return read_register_epidemic(desk, folder)
    if folder is None:
        raise UsageError("Give a folder FOLDER/, or --registers STORE.")
    return read_epidemic(folder)


def _network(path: Path | None) -> Network | None:
    from changtong.network.io import read_network

    return None if path is None else read_network(path)


def _at(text: str | None, known: Epidemic) -> datetime:
    from changtong.epidemic.tables import instant

    return instant(text, known.settings.zone)


def _run(name: str, known: Epidemic, output: Path | None, as_json: bool, **options: Any) -> Any:
    """Run an analysis and show it; return its result."""
    from changtong.studies import run_study

    result = run_study(name, known, folder=output, **options).result
    where = {} if output is None else {"folder": str(output)}
    text = str(result) if output is None else f"{result}\n  → {output}"
    print_result(result.to_json() | where, text, as_json=as_json)
    return result


@epidemic.callback()
def group() -> None:
    """Epidemic control: site states, measures, settling, cases, passes, whitelists."""


@epidemic.command("states", short_help="The state of each site at an instant, and what comes next.")
def show_states(
    folder: Place = None,
    at: At = None,
    output: Into = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show which sites are open, restricted, in closed loop, closed."""
    known = _folder(folder, registers, token)
    _run("epidemic-states", known, output, as_json, at=_at(at, known))


@epidemic.command("outages", short_help="Site states, passes, staff and settling as outages for the planner.")
def make_outages(
    folder: Place,
    net: Folder,
    at: At = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.toml", help="Outages for plan --outages."),
    ] = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make outages of what holds at an instant; exit code 1 where nothing changes anything."""
    from changtong.studies import run_study

    if output is not None and output.suffix != ".toml":
        raise UsageError(f"{output.name}: the file must end in .toml.", "unknown-ending")
    known = _folder(folder, registers, token)
    network = _network(net)
    when = _at(at, known)
    made = run_study("epidemic-outages", known, network=network, at=when).result
    if not made.outages:
        print_result(
            made.to_json(), f"{made}\nNothing changes any site: no file is written.", as_json=as_json
        )
        raise typer.Exit(1)
    where = {}
    if output is not None:
        run_study("epidemic-outages", known, network=network, at=when, file=output)
        where = {"file": str(output)}
    print_result(made.to_json() | where, str(made) + (f"\n  → {output}" if output else ""), as_json=as_json)


@epidemic.command("checklist", short_help="Measures by kind of site: what is missing where.")
def show_checklist(
    folder: Place,
    collected: Annotated[
        Path, typer.Argument(metavar="COLLECTED/", help="Inspections, as safety collect takes them in.")
    ],
    day: Day = None,
    forms: FormsFolder = None,
    output: Into = None,
    as_json: AsJson = False,
) -> None:
    """Count the measures of each site by its last inspection; exit code 1 where any is missing."""
    from changtong.epidemic.measures import read_site_forms
    from changtong.epidemic.tables import TableReader
    from changtong.safety.collection import read_collection
    from changtong.safety.form_file import read_forms

    known = _folder(folder, None, None)
    if known.sites.is_empty():
        raise UsageError("There is no sites.csv with sites and their kinds in the folder.", "missing-file")
    own = tuple(read_forms(forms)) if forms else ()
    reader = TableReader(folder)
    by_kind = read_site_forms(reader, own)
    reader.finish()
    made = _run(
        "epidemic-checklist",
        known,
        output,
        as_json,
        forms=by_kind,
        collection=read_collection(collected, forms=own),
        day=_today(day, known),
        more=own,
    )
    if made.facts["missing"]:
        raise typer.Exit(1)


def _today(day: str | None, known: Epidemic) -> date:
    return _at(None, known).date() if day is None else parse_day(day, "--date")


@epidemic.command(
    "settling", short_help="International mail: what settles, what is free, what left too early."
)
def show_settling(
    folder: Place,
    scans: Annotated[
        Path, typer.Argument(metavar="SCANS.csv", help="at, code, site_id, item_id, receptacle_id.")
    ],
    at: At = None,
    net: Net = None,
    output: Into = None,
    as_json: AsJson = False,
) -> None:
    """Compute when bags and items are free; exit code 1 where any left or was worked on too early."""
    from changtong.epidemic.settling import read_scans
    from changtong.epidemic.tables import TableReader

    known = _folder(folder, None, None)
    if not known.has_settling_rules:
        raise UsageError(
            "There is no settling_rules.csv in the folder: settling hours are set locally. "
            "Examples: changtong/epidemic/settling_rules.csv.",
            "missing-file",
        )
    reader = TableReader()
    frame = read_scans(reader, scans)
    reader.finish()
    made = _run(
        "epidemic-settling", known, output, as_json, scans=frame, at=_at(at, known), network=_network(net)
    )
    if made.facts["violations"]:
        raise typer.Exit(1)


@epidemic.command("crossings", short_help="Fixed posts: who crosses between inside and outside.")
def show_crossings(folder: Place, output: Into = None, as_json: AsJson = False) -> None:
    """Find crossings in posts and presence; exit code 1 where there are any."""
    made = _run("epidemic-crossings", _folder(folder, None, None), output, as_json)
    if made.facts["found"]:
        raise typer.Exit(1)


@epidemic.command("inspections-due", short_help="International sites: monthly inspections made, due, missed.")
def show_due(
    folder: Place = None,
    collected: Annotated[
        Path | None,
        typer.Option("--from", metavar="COLLECTED/", help="Inspections, as safety collect takes them in."),
    ] = None,
    visits: Annotated[
        Path | None,
        typer.Option("--inspections", metavar="FILE.csv", help="site_id and on, a row an inspection."),
    ] = None,
    day: Day = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="The first month looked at.")
    ] = None,
    form: Annotated[
        str, typer.Option("--form", metavar="ID", help="With --from: the form that counts.")
    ] = "international",
    net: Net = None,
    output: Into = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Tell which months of which site lack their inspection; exit code 1 where one was missed."""
    from changtong.epidemic.measures import collected_visits, read_visits

    known = _folder(folder, registers, token)
    frames = []
    if collected is not None:
        from changtong.safety.collection import read_collection

        found = collected_visits(read_collection(collected), known.settings.zone)
        frames.append(found.filter(found["form_id"] == form).select("site_id", "on"))
    if visits is not None:
        frames.append(read_visits(visits))
    if not frames:
        raise UsageError("Give --from COLLECTED/ or --inspections FILE.csv.")
    import polars as pl

    made = _run(
        "epidemic-inspections-due",
        known,
        output,
        as_json,
        visits=pl.concat(frames),
        day=_today(day, known),
        since=None if since is None else parse_day(since, "--since"),
        network=_network(net),
    )
    if made.facts["by_state"]["missed"]:
        raise typer.Exit(1)


@epidemic.command("passes", short_help="Vehicle passes: valid, ending, twice, out of scope, used by a plan.")
def show_passes(
    folder: Place = None,
    at: At = None,
    net: Net = None,
    trips: Annotated[
        Path | None,
        typer.Option("--trips", metavar="FILE.csv", help="at, vehicle or pass_id, site_id, goods."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="PLAN/", help="How many passes this plan uses.")
    ] = None,
    output: Into = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show passes; exit code 1 where trips do not fit their passes."""
    from changtong.epidemic.pass_use import read_leg_flows, read_trips
    from changtong.epidemic.tables import TableReader

    if (trips is not None or plan is not None) and net is None:
        raise UsageError("--trips and --plan need --net NET/: which sites lie in an area.")
    known = _folder(folder, registers, token)
    reader = TableReader()
    made_trips = None if trips is None else read_trips(reader, trips)
    reader.finish()
    made = _run(
        "epidemic-passes",
        known,
        output,
        as_json,
        at=_at(at, known),
        network=_network(net),
        trips=made_trips,
        leg_flows=None if plan is None else read_leg_flows(plan),
    )
    if "faults" in made.tables and made.tables["faults"].height:
        raise typer.Exit(1)


@epidemic.command("firms", short_help="Whitelisted firms: valid, ending soon, with their passes.")
def show_firms(
    folder: Place = None,
    at: At = None,
    output: Into = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show which firms are whitelisted at an instant."""
    known = _folder(folder, registers, token)
    _run("epidemic-firms", known, output, as_json, at=_at(at, known))


@epidemic.command("staff", short_help="Who may work where, and the capacity it gives in closed loop.")
def show_staff(
    folder: Place = None,
    at: At = None,
    output: Into = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show how many may work at each site, against those it needs."""
    known = _folder(folder, registers, token)
    _run("epidemic-staff", known, output, as_json, at=_at(at, known))


def register(app: typer.Typer) -> None:
    """Add the group."""
    epidemic.command("case", short_help="A trace as site lists and tasks: hold, disinfect, test, notify.")(
        open_case_of_log
    )
    epidemic.command("risk-areas", short_help="A list of risk areas as states proposed for sites.")(
        propose_from_list
    )
    epidemic.command("page", short_help="The whole picture on one page.")(epidemic_page)
    app.add_typer(epidemic, name="epidemic")
