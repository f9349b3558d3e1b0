"""The command line. Heavy modules load inside the commands, so that --help is quick."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.console import FlowProgress, StageProgress, explain, explain_plainly, print_result, say
from changtong.errors import ChangtongError, InputError, InternalError, UsageError
from changtong.kernels import prepare_kernels
from changtong.stress_command import register as register_stress

if TYPE_CHECKING:
    from changtong.network.model import Network
    from changtong.outages import Outage
    from changtong.planning.result import Plan, PlanSettings

app = typer.Typer(
    name="changtong",
    help="Changtong 畅通: keeps postal and express networks moving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half the time of the coloured one
)


STOPPED = 130
"""Exit code after Ctrl-C, as the command line's own library returns it."""


class Language(StrEnum):
    """Language of pages."""

    zh = "zh"
    en = "en"


Folder = Annotated[Path, typer.Argument(metavar="NET/", help="A network folder.")]
Out = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; an older result is replaced."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, nothing else, on standard output.")
]
Gap = Annotated[
    float, typer.Option("--gap", min=0.0, max=1.0, help="Proved gap at which to stop (0.001 = 0.1 %).")
]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Time limit for the flow.")]
PageLanguage = Annotated[Language, typer.Option("--language", help="Language pages open in.")]


@app.command(short_help="The national network, its busiest hub closed: plan and report.")
def demo(
    output: Out = Path("changtong-demo"),
    close: Annotated[
        str | None, typer.Option("--close", metavar="SITE", help="Close this site instead.")
    ] = None,
    language: PageLanguage = Language.zh,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the report.")] = False,
    seconds: Seconds = 20.0,
    as_json: AsJson = False,
) -> None:
    """Run the main job: the national network, its busiest hub closed, the plan and its report."""
    _check_output(output, "plan")
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
    result = _run(network, outages, output, language=language, settings=settings)
    code = _finish(result, output, as_json=as_json)
    report = (output / "report.html").resolve()
    say(f"Open the report in a browser: {report.as_uri()}")
    if not no_open and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name == "nt"):
        import webbrowser

        webbrowser.open(report.as_uri())
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


def _check_output(output: Path, kind: str) -> None:
    """Refuse a folder that may not be replaced, before any work is done for it."""
    from changtong.network.io import NETWORK_FOLDER, check_replaceable
    from changtong.planning.result import PLAN_FOLDER

    check_replaceable(output, **(PLAN_FOLDER if kind == "plan" else NETWORK_FOLDER))


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

    _check_output(output, "network")
    network = _build(level, year)
    write_network(network, output, format="parquet" if level == "county" else "csv")
    facts = _size(network) | {"folder": str(output)}
    print_result(
        facts, f"{network.name}: {facts['sites']:,} sites, {facts['legs']:,} legs → {output}", as_json=as_json
    )


@app.command(short_help="A network from leg-day volumes.")
def learn(
    volumes: Annotated[Path, typer.Argument(metavar="VOLUMES", help="date, from_site, to_site, pieces.")],
    output: Out,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Days before this one.")
    ] = None,
    capacity: Annotated[str, typer.Option("--capacity", help="max, or a quantile such as 0.95.")] = "max",
    as_json: AsJson = False,
) -> None:
    """Learn a network from leg-day volumes; says what such data cannot tell."""
    from changtong.network.io import write_network
    from changtong.network.learn import LIMITS, learn_network

    _check_output(output, "network")
    most: float | str = "max"
    if capacity != "max":
        try:
            most = float(capacity)
        except ValueError:
            most = -1.0
        if not 0.0 <= most <= 1.0:
            raise UsageError(f"--capacity {capacity!r} is neither max nor a quantile, 0 to 1.")
    network = learn_network(volumes, until=until, capacity=most, name=volumes.name)
    write_network(network, output)
    facts = _size(network) | {"folder": str(output), "cannot_tell": [note for _, _, note in LIMITS]}
    lines = "".join(f"\n  not in the data: {note}" for _, _, note in LIMITS)
    text = f"{network.name}: {facts['sites']:,} sites, {facts['legs']:,} legs → {output}{lines}"
    print_result(facts, text, as_json=as_json)


@app.command(short_help="Every problem of a network folder, in one report.")
def check(net: Folder, as_json: AsJson = False) -> None:
    """Check a network folder; every problem in one report."""
    from changtong.network.checks import check_network

    report = check_network(net)
    print(report.to_json() if as_json else str(report))
    if report.errors:
        raise typer.Exit(1)


@app.command(short_help="Re-route around what is shut or slowed.")
def plan(
    net: Folder,
    output: Out,
    close: Annotated[
        list[str] | None, typer.Option("--close", metavar="SITE", help="A site that is shut.")
    ] = None,
    outages: Annotated[
        Path | None, typer.Option("--outages", metavar="FILE", help="TOML or CSV of outages.")
    ] = None,
    capacity_share: Annotated[
        float, typer.Option("--capacity-share", help="What --close leaves, 0 to 1.")
    ] = 0.0,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Count only what is in force then: now, or with zone."),
    ] = None,
    objectives: Annotated[
        str, typer.Option("--objectives", help="Order of the objectives.")
    ] = "unserved,late,cost,carbon,changed_legs,max_load",
    stability: Annotated[
        float,
        typer.Option("--stability", min=0.0, help="CNY a piece for leaving today's sort plan: 0 least cost."),
    ] = 0.05,
    trade_off: Annotated[
        bool,
        typer.Option(
            "--trade-off",
            help="Further sort plans from least cost to fewest changes, as trade_off.csv; each takes as"
            " long as the sort plan.",
        ),
    ] = False,
    hour_cny: Annotated[
        float,
        typer.Option(
            "--hour-cny",
            min=0.0,
            help="On large networks, CNY an hour of a piece weighs where late stands before cost:"
            " more buys speed for all, for more changed legs (0.05 is much).",
        ),
    ] = 0.0005,
    late_cny: Annotated[
        float | None,
        typer.Option(
            "--late-cny",
            min=0.0,
            help="On large networks, most a piece may cost more for being on time; by default, what the"
            " gap asked for leaves is spent on it.",
        ),
    ] = None,
    prove_unserved: Annotated[
        bool,
        typer.Option(
            "--prove-unserved", help="On large networks, spend time left on proving what must stay."
        ),
    ] = False,
    gap: Gap = 1e-3,
    seconds: Seconds = 30.0,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Plan how pieces move while sites, legs or areas are shut or slowed.

    Every outage of the file counts, whenever it is; with --at those in force at that time.
    """
    from changtong.plan_options import read_moment, read_objectives

    order, moment = read_objectives(objectives), read_moment(at)
    if capacity_share != 0.0 and not close:
        raise UsageError("--capacity-share goes with --close; in a file it is the column capacity_share.")
    _check_output(output, "plan")
    from changtong.network.io import read_network
    from changtong.outage_files import read_outages
    from changtong.outages import close_sites, closed_by_status, in_force
    from changtong.plan_options import nothing_shut, slow_notes, time_notes
    from changtong.planning.result import PlanSettings

    network = read_network(net)
    wrong: tuple[Outage, ...] = (
        close_sites(network, close or (), capacity_share=capacity_share) if close else ()
    )
    if outages is not None:
        wrong += read_outages(outages, network)
    counted = wrong if moment is None else in_force(wrong, moment)
    if not counted and not closed_by_status(network):
        raise InputError([nothing_shut(wrong, moment)])
    compiled = prepare_kernels(say)
    notes = time_notes(wrong, counted, moment) + slow_notes(network, counted)
    for note in notes:
        say(f"note: {note}")
    compiled()
    result = _run(
        network,
        counted,
        output,
        language=language,
        settings=PlanSettings(
            gap_share=gap,
            seconds=seconds,
            hour_cny=hour_cny,
            late_cny=late_cny,
            stability_cny=stability,
            trade_off_cny=(0.0, 0.1, 1.0, 10.0, 100.0) if trade_off else (),
            prove_unserved=prove_unserved,
        ),
        objectives=order,
        valid_from=moment,
    )
    more = {
        "at": None if moment is None else moment.isoformat(),
        "left_out": [one.label for one in wrong if one not in counted],
        "notes": notes,
    }
    raise typer.Exit(_finish(result, output, as_json=as_json, more=more))


def _run(
    network: Network,
    outages: tuple[Outage, ...],
    output: Path,
    *,
    language: Language,
    settings: PlanSettings,
    objectives: tuple[str, ...] | None = None,
    valid_from: datetime | None = None,
) -> Plan:
    from changtong.studies import run_study

    bar = FlowProgress(settings.seconds, settings.gap_share)
    options: dict[str, Any] = {} if objectives is None else {"objectives": objectives}
    try:
        study = run_study(
            "plan",
            network,
            outages,
            folder=output,
            language="en" if language is Language.en else "zh",
            settings=settings,
            progress=bar,
            valid_from=valid_from,
            **options,
        )
    finally:
        bar.close()
    result: Plan = study.result
    return result


def _finish(result: Plan, output: Path, *, as_json: bool, more: dict[str, Any] | None = None) -> int:
    """Print the plan; return 1 where it serves nothing, else 0."""
    summary = result.summary()
    print_result(
        summary | {"folder": str(output)} | (more or {}),
        f"{result}\n  → {output / 'report.html'}",
        as_json=as_json,
    )
    served = summary["demand_pieces"] - summary["unserved_pieces"]
    if summary["demand_pieces"] == 0:
        say("note: the network has no demand; there is nothing to plan.")
    elif served < 0.5:
        say("There is no good answer: nothing at all can be served; every site has orders to hold.")
        return 1
    return 0


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


register_stress(app)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0 done, 1 no good answer, 2 wrong use or input, 3 ours."""
    arguments = sys.argv[1:] if argv is None else argv
    as_json = "--json" in arguments
    run: Callable[..., Any] = typer.main.get_command(app).main
    try:
        code = run(args=arguments, prog_name="changtong", standalone_mode=False)
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
