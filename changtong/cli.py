"""The command line. Heavy modules load inside the commands, so that --help is quick."""

from __future__ import annotations

import copy
import functools
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.alerts_command import register as register_alerts
from changtong.assess_command import register as register_assess
from changtong.backlog_command import register as register_backlog
from changtong.carbon_command import carbon
from changtong.carbon_frontier_command import carbon_frontier
from changtong.command_options import AsJson, Folder, Language, Out, PageLanguage, Seconds, parse_day
from changtong.console import StageProgress, explain, explain_plainly, print_result, say, say_in_chinese
from changtong.data_requests_command import register as register_data_requests
from changtong.duty_command import register as register_duty
from changtong.emergency_command import register as register_emergency
from changtong.epidemic_command import register as register_epidemic
from changtong.errors import ChangtongError, InternalError, UsageError
from changtong.events_command import register as register_events
from changtong.export_command import register as register_export
from changtong.forecast_command import forecast
from changtong.issued_command import register as register_issued
from changtong.kernels import prepare_kernels
from changtong.outlets_command import register as register_outlets
from changtong.plan_command import check_output, finish_plan, plan, run_plan
from changtong.privacy_commands import register as register_privacy
from changtong.privacy_record_commands import register as register_privacy_records
from changtong.registers_command import register as register_registers
from changtong.relief_command import register as register_relief
from changtong.remedies_command import register as register_remedies
from changtong.report_command import register as register_report
from changtong.rights_tickets_command import register as register_rights_tickets
from changtong.rural_command import register as register_rural
from changtong.safety_command import register as register_safety
from changtong.scan_commands import register as register_scans
from changtong.scorecard_command import register as register_scorecards
from changtong.serve_command import serve
from changtong.simulate_command import simulate_network
from changtong.stress_command import register as register_stress
from changtong.vault_command import register as register_vault
from changtong.warnings_command import warnings
from changtong.work_command import work
from changtong.workforce_command import register as register_workforce

if TYPE_CHECKING:
    from changtong.network.model import Network

app = typer.Typer(
    name="changtong",
    help="Changtong 畅通: keeps postal and express networks moving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half the time of the coloured one
)


WHOLE = {"serve", "work"}
"""Commands that look at all the others: the server offers them, its workers run them."""

STOPPED = 130
"""Exit code after Ctrl-C, as the command line's own library returns it."""


@app.command(short_help="The national network, its busiest hub closed: plan and report.")
def demo(
    output: Out = Path("changtong-demo"),
    close: Annotated[
        str | None, typer.Option("--close", metavar="SITE", help="Close this site instead.")
    ] = None,
    language: PageLanguage = Language.zh,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the report.")] = False,
    app_too: Annotated[
        bool | None,
        typer.Option("--app/--no-app", help="End with the web app; by default at a terminal."),
    ] = None,
    seconds: Seconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Run the main job: the national network, its busiest hub closed, the plan, its report, the web app."""
    check_output(output, "plan")
    compiled = prepare_kernels(say)
    from changtong.network.reference import busiest_hub
    from changtong.outages import close_sites

    network = _build("county", 2022)
    site = close or busiest_hub(network)
    outages = close_sites(network, [site])
    compiled()
    say(f"Planning with {_named(network, outages[0].sites[0])} closed (at most {seconds:g} s for the flow) …")
    from changtong.planning.result import PlanSettings

    settings = PlanSettings(gap_share=1e-3, seconds=seconds)
    result, _ = run_plan(network, outages, output, language=language, settings=settings)
    code = finish_plan(result, output, as_json=as_json)
    report = (output / "report.html").resolve()
    say(f"Open the report in a browser: {report.as_uri()}")
    opens = not no_open and bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name == "nt"
    )
    if opens:
        import webbrowser

        webbrowser.open(report.as_uri())
    place = output.with_name(f"{output.name}-app")
    if app_too is None:
        app_too = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    if app_too:
        from changtong.demo_app import serve_demo

        code = max(code, serve_demo(network, place, say, browser=opens))
    elif not as_json:
        say("With --app it ends with the web app.")
    raise typer.Exit(code)


def _build(level: str, year: int) -> Network:
    from changtong.network.reference import reference_network

    progress = StageProgress(f"Building the network of China, {level} level")
    try:
        return reference_network(level=level, year=year, progress=progress)
    finally:
        progress.close()


def _named(network: Network, site: str) -> str:
    if "name" not in network.sites.columns:
        return site
    name = network.sites["name"][network.site_ids.index(site)]
    return f"{name} ({site})" if name and name != site else site


@app.command(short_help="Write the built-in network of China.")
def reference(
    output: Out,
    level: Annotated[
        str, typer.Option("--level", help="county (3,200 sites) or city (400 sites).")
    ] = "county",
    year: Annotated[int, typer.Option("--year", help="Published volume of this year.")] = 2022,
    as_json: AsJson = False,
) -> None:
    """Write the built-in network of China to a folder."""
    from changtong.network.io import write_network

    check_output(output, "network")
    network = _build(level, year)
    write_network(network, output, format="parquet" if level == "county" else "csv")
    facts = _size(network) | {"folder": str(output)}
    print_result(
        facts, f"{network.name}: {facts['sites']:,} sites, {facts['legs']:,} legs → {output}", as_json=as_json
    )


@app.command(short_help="A network from leg-day volumes or scans.")
def learn(
    output: Out,
    volumes: Annotated[
        Path | None, typer.Argument(metavar="[VOLUMES]", help="date, from_site, to_site, pieces.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", metavar="LOG/", help="Learn from the scans of a log instead.")
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", help="Days of scans that count.")] = 7,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Days before this one.")
    ] = None,
    capacity: Annotated[str, typer.Option("--capacity", help="max, or a quantile such as 0.95.")] = "max",
    leg_days: Annotated[
        bool, typer.Option("--leg-days", help="With --events: from the leg-day volumes of the log alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Learn a network from leg-day volumes or scans; says what such data cannot tell."""
    from changtong.network.io import write_network

    if (volumes is None) == (events is None):
        raise UsageError("Give leg volumes, or --events LOG/: one of the two.")
    if leg_days and events is None:
        raise UsageError("--leg-days belongs to --events LOG/.")
    check_output(output, "network")
    if volumes is None:
        network, limits = _learn_events(events, until, days, capacity, leg_days=leg_days)
    else:
        network, limits = _learn_volumes(volumes, until, capacity)
    write_network(network, output)
    facts = _size(network) | {"folder": str(output), "cannot_tell": limits}
    lines = "".join(f"\n  not in the data: {note}" for note in limits)
    text = f"{network.name}: {facts['sites']:,} sites, {facts['legs']:,} legs → {output}{lines}"
    print_result(facts, text, as_json=as_json)


def _learn_events(
    log: Path | None, until: str | None, days: int, capacity: str, *, leg_days: bool
) -> tuple[Network, list[str]]:
    """Learn from a log; return what its scans, or its leg-day volumes, do not tell, too."""
    from changtong.events.learn_scans import LIMITS, learn_from_leg_days, learn_from_scans
    from changtong.events.log import open_log
    from changtong.network.learn import LIMITS as VOLUME_LIMITS

    if log is None:
        raise UsageError("Give --events LOG/.")
    last = None if until is None else parse_day(until, "--until")
    opened = open_log(log)
    if not leg_days and not opened.days and opened.volume_days:
        say("The log has leg-day volumes and no scan: learning from those.")
        leg_days = True
    if leg_days:
        network = learn_from_leg_days(opened, until=last, capacity=_capacity(capacity), name=log.name)
        return network, [note for _, _, note in VOLUME_LIMITS]
    network = learn_from_scans(opened, until=last, days=days, name=log.name)
    return network, [note for _, _, kind, note in LIMITS if kind == "assumed"]


def _learn_volumes(volumes: Path, until: str | None, capacity: str) -> tuple[Network, list[str]]:
    """Learn from leg volumes; return what these do not tell, too."""
    from changtong.network.learn import LIMITS, learn_network

    network = learn_network(volumes, until=until, capacity=_capacity(capacity), name=volumes.name)
    return network, [note for _, _, note in LIMITS]


def _capacity(text: str) -> float | str:
    """Return a capacity rule: ``max``, or a quantile."""
    if text == "max":
        return "max"
    try:
        most = float(text)
    except ValueError:
        most = -1.0
    if not 0.0 <= most <= 1.0:
        raise UsageError(f"--capacity {text!r} is neither max nor a quantile, 0 to 1.")
    return most


app.command(short_help="Volumes of every leg and site some weeks ahead.")(forecast)
register_events(app)
register_scans(app)
register_vault(app)
register_export(app)
register_report(app)
register_alerts(app)


@app.command(short_help="Every problem of a network folder, in one report.")
def check(net: Folder, as_json: AsJson = False) -> None:
    """Check a network folder; every problem in one report."""
    from changtong.network.checks import check_network

    report = check_network(net)
    print_result(json.loads(report.to_json()), str(report), as_json=as_json)
    if report.errors:
        raise typer.Exit(1)


app.command(short_help="Re-route around what is shut or slowed.")(plan)
app.command(short_help="Carbon of every leg, lane, site and plan, by ISO 14083.")(carbon)
app.command(short_help="Plans between the cheapest and the cleanest; what a tonne costs.")(carbon_frontier)
app.command(short_help="Warnings, storm tracks, floods: what they threaten, outages to propose.")(warnings)
app.command("simulate", short_help="Play a plan forward: backlogs, what is late, when it clears.")(
    simulate_network
)
register_backlog(app)
register_assess(app)
register_scorecards(app)
register_stress(app)
register_remedies(app)
register_rural(app)
register_safety(app)
register_outlets(app)
register_relief(app)
register_rights_tickets(app)
register_data_requests(app)
register_emergency(app)
register_epidemic(app)
register_issued(app)
register_duty(app)
register_workforce(app)
register_privacy(app)
register_privacy_records(app)
register_registers(app)
app.command(short_help="The API, for people who sign in.")(serve)
app.command(short_help="Compute what a server has queued in PostgreSQL.")(work)


def _size(network: Network) -> dict[str, Any]:
    import polars as pl

    pieces = network.demand.select(pl.col("pieces_per_day").cast(pl.Float64).sum()).item()
    return {
        "name": network.name,
        "sites": network.sites.height,
        "legs": network.legs.height,
        "demand_rows": network.demand.height,
        "pieces_per_day": float(pieces),
    }


@functools.cache
def _commands(word: str) -> typer.core.TyperGroup:
    """Return the command or group of this name, alone; for any other word all names, groups without content.

    Making all options of all commands takes longer than many a command does.
    """
    if word in WHOLE:
        return typer.main.get_group(app)
    names: dict[int, str | None]
    names = {id(info): info.name or _dashed(info.callback) for info in app.registered_commands}
    names |= {id(info): typer.main.solve_typer_info_defaults(info).name for info in app.registered_groups}
    part = copy.copy(app)
    if word in names.values():
        part.registered_commands = [info for info in app.registered_commands if names[id(info)] == word]
        part.registered_groups = [info for info in app.registered_groups if names[id(info)] == word]
    else:
        part.registered_groups = [_without_commands(info) for info in app.registered_groups]
    return typer.main.get_group(part)


def _dashed(callback: Callable[..., Any] | None) -> str:
    return typer.main.get_command_name(getattr(callback, "__name__", ""))


def _without_commands(group: typer.models.TyperInfo) -> typer.models.TyperInfo:
    emptied, made = copy.copy(group.typer_instance), copy.copy(group)
    if emptied is not None:
        emptied.registered_commands, emptied.registered_groups = [], []
    made.typer_instance = emptied
    return made


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0 done, 1 no good answer, 2 wrong use or input, 3 ours."""
    arguments = sys.argv[1:] if argv is None else argv
    as_json = "--json" in arguments
    try:
        code = _commands(arguments[0] if arguments else "").main(
            args=arguments, prog_name="changtong", standalone_mode=False
        )
        sys.stdout.flush()
    except InternalError as error:
        explain(error, as_json=as_json)
        return 3
    except ChangtongError as error:
        explain(error, as_json=as_json)
        return 2
    except BrokenPipeError:
        # the reader of our output has gone (| head): nothing is wrong, and nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        explain_plainly("cannot-write", f"{place}{error.strerror or error}", as_json=as_json)
        return 2
    except Exception as error:
        return _explain_other(error, as_json=as_json)
    if code == STOPPED:
        explain_plainly("stopped", "stopped before there was a result.", as_json=as_json)
    return code if isinstance(code, int) else 0


def _explain_other(error: Exception, *, as_json: bool) -> int:
    """Explain wrong use as the command line's own library words it; anything else is ours."""
    if hasattr(error, "exit_code"):
        if as_json and hasattr(error, "format_message"):
            explain_plainly("bad-usage", error.format_message(), as_json=True)
        elif hasattr(error, "show"):
            error.show()
            say_in_chinese("bad-usage")
        return int(error.exit_code)
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = (
        f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}\n"
        "This is a fault of Changtong, not yours; please report it with the command and the"
        " network. CHANGTONG_TRACE=1 shows where it came from."
    )
    explain_plainly("internal", message, as_json=as_json)
    if os.environ.get("CHANGTONG_TRACE"):
        traceback.print_exception(error)
    return 3
