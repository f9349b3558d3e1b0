"""The command ``simulate``: a plan played forward before its orders go out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from changtong.backlog_command import Attribute, LookBack, instant_of, read_backlog_of
from changtong.command_options import AsJson, Folder, Language, Out
from changtong.console import StepProgress, print_result, say
from changtong.errors import InputError, Problem, UsageError
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.events.log import EventLog
    from changtong.events.starting_backlog import StartingBacklog
    from changtong.network.model import Network
    from changtong.outages import Outage
    from changtong.simulation.replications import Replications
    from changtong.simulation.result import Simulation
    from changtong.simulation.timetable import RouteChange

BACKLOG_FILE = "starting_backlog.csv"
WARM_UP_H = 120.0
NOMINAL_START = "2026-01-01T00:00+08:00"
"""Where no outage has a time of its own the date does not matter: hours count from midnight."""


def simulate_network(
    net: Folder,
    output: Out,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="PLAN/",
            help="Play this plan: its sort plan, and its outages unless others are given.",
        ),
    ] = None,
    close: Annotated[
        list[str] | None, typer.Option("--close", metavar="SITE", help="Close a site; may be repeated.")
    ] = None,
    outages: Annotated[
        Path | None, typer.Option("--outages", metavar="FILE", help="Outages, TOML or CSV (docs/outages.md).")
    ] = None,
    takes_effect: Annotated[
        float, typer.Option("--takes-effect", min=0.0, help="Hours until the plan's sort plan is in force.")
    ] = 0.0,
    lasts: Annotated[
        float | None,
        typer.Option(
            "--lasts",
            min=0.1,
            help="Hours after which outages without an end are over, and today's sort plan is back.",
        ),
    ] = None,
    hours: Annotated[float, typer.Option("--hours", min=0.1, help="Hours to simulate.")] = 168.0,
    step: Annotated[float, typer.Option("--step", min=0.05, max=24.0, help="Hours of a step.")] = 1.0,
    warm_up: Annotated[
        float | None,
        typer.Option(
            "--warm-up",
            min=0.0,
            help="Hours before, with today's plan: they fill it. 120; none with --backlog-from.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="TIME", help="When it begins, with a zone; default: midnight."),
    ] = None,
    backlog: Annotated[
        Path | None,
        typer.Option("--backlog", metavar="FILE", help="CSV of what waits at first (docs/simulation.md)."),
    ] = None,
    backlog_from: Annotated[
        Path | None,
        typer.Option(
            "--backlog-from", metavar="LOG/", help="What waits at first, and is on its way, by a scan log."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Instant of --backlog-from; it is the start, too."),
    ] = None,
    attribute: Attribute = None,
    look_back: LookBack = 30,
    replications: Annotated[
        int,
        typer.Option("--replications", min=0, help="Also play it N times with demand and capacities drawn."),
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws: same seed, same result.")] = 1,
    language: Annotated[
        Language | None,
        typer.Option(
            "--language",
            help="Language the page opens in, and of the words printed; by default zh there, en here.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a network forward, hour by hour: backlogs, what is late, where it bursts, when it clears."""
    from changtong.network.io import check_replaceable, read_network
    from changtong.simulation.backlog import load_backlog
    from changtong.simulation.result import RUN_FOLDER

    check_replaceable(output, **RUN_FOLDER)
    _check_backlog(backlog, backlog_from, at, attribute, start, warm_up)
    source = None if backlog_from is None else _log_at(backlog_from, at or start or "")
    compiled = prepare_kernels(say, "simulation")
    network = read_network(net)
    wrong = _outages(network, plan, close, outages)
    logged = None
    if source is not None:
        logged = _backlog_of_log(*source, network, attribute, look_back)
    begins = _start(start, wrong, lasts) if logged is None else logged.at
    if lasts is not None and begins is not None:
        end = begins + timedelta(hours=lasts)
        wrong = tuple(one if one.end is not None else replace(one, end=end) for one in wrong)
    if backlog is not None:
        load_backlog(backlog)  # a file that cannot be read is told before anything is compiled
    compiled()
    from changtong.report.simulation_words import simulation_words
    from changtong.simulation.simulate import SimulationSettings

    options: dict[str, Any] = {
        "routes": _changes(network, plan, takes_effect, lasts, hours),
        "settings": SimulationSettings(
            hours=hours, step_h=step, warm_up_h=_warm_up(warm_up, logged), start=begins
        ),
        "backlog": backlog if logged is None else logged.frame,
    }
    opens: Literal["zh", "en"] = "en" if language is Language.en else "zh"
    result = _run(network, wrong, output, opens, options)
    facts, many = json.loads(result.to_json()), None
    if replications:
        many = _run_many(network, wrong, options, replications, seed)
        _add_to_folder(result, many, output, opens)
        facts["replications"] = many.summary()
    if logged is not None:
        logged.save(output / BACKLOG_FILE)
        facts["starting_backlog"] = logged.summary()
    page = output / "report.html"
    facts |= {"folder": str(output), "report": str(page)}
    words = simulation_words(result, many, language="zh" if language is Language.zh else "en")
    print_result(facts, f"{words}\n  → {page}", as_json=as_json)
    raise typer.Exit(0 if result.summary()["holds"] else 1)


def _check_backlog(
    backlog: Path | None,
    backlog_from: Path | None,
    at: str | None,
    attribute: str | None,
    start: str | None,
    warm_up: float | None,
) -> None:
    """Refuse options that contradict one another."""
    if backlog_from is None:
        if at is not None or attribute is not None:
            raise UsageError("--at and --destination-attribute belong to --backlog-from LOG/.")
        return
    if backlog is not None:
        raise UsageError("Give --backlog FILE or --backlog-from LOG/: one of the two.")
    if (at is None) == (start is None):
        raise UsageError("--backlog-from LOG/ needs --at TIME, which is the start of the simulation as well.")
    if warm_up:
        raise UsageError(
            "With --backlog-from the log fills the network: a warm-up would count its pieces twice."
        )


def _log_at(path: Path, at: str) -> tuple[EventLog, datetime]:
    """Open a log and read the instant: told wrong before anything is compiled."""
    from changtong.events.log import open_log

    log = open_log(path)
    return log, instant_of(log, at)


def _backlog_of_log(
    log: EventLog, at: datetime, network: Network, attribute: str | None, look_back_days: int
) -> StartingBacklog:
    """Read the backlog of a log, and tell how it was placed."""
    prepare_kernels(say, "scan log")()
    found = read_backlog_of(log, network, at, attribute, look_back_days)
    say(str(found))
    return found


def _warm_up(given: float | None, logged: StartingBacklog | None) -> float:
    if given is not None:
        return given
    return WARM_UP_H if logged is None else 0.0


def _changes(
    network: Network, plan: Path | None, takes_effect: float, lasts: float | None, hours: float
) -> tuple[RouteChange, ...]:
    """Return when the plan's routes take effect, and today's again."""
    from changtong.planning.result import ROUTES_FILE
    from changtong.routes import read_routes, routes_in_force
    from changtong.simulation.timetable import RouteChange

    if plan is None:
        return ()
    changes = [RouteChange(takes_effect, read_routes(plan / ROUTES_FILE))]
    if lasts is not None and takes_effect < lasts < hours:
        changes.append(RouteChange(lasts, routes_in_force(network)))
    return tuple(changes)


def _run(
    network: Network,
    wrong: tuple[Outage, ...],
    output: Path,
    language: Literal["zh", "en"],
    options: dict[str, Any],
) -> Simulation:
    from changtong.studies import run_study

    bar = StepProgress("  simulating, steps")
    try:
        study = run_study(
            "simulate", network, wrong, folder=output, language=language, progress=bar, **options
        )
    finally:
        bar.close()
    result: Simulation = study.result
    return result


def _run_many(
    network: Network, wrong: tuple[Outage, ...], options: dict[str, Any], number: int, seed: int
) -> Replications:
    """Play it many times."""
    from changtong.studies import run_study

    bar = StepProgress("  replications")
    try:
        study = run_study(
            "replications", network, wrong, replications=number, seed=seed, progress=bar, **options
        )
    finally:
        bar.close()
    many: Replications = study.result
    return many


def _add_to_folder(run: Simulation, many: Replications, folder: Path, language: Literal["zh", "en"]) -> None:
    """Put the bands beside the run's frames, and into its page."""
    from changtong.report import write_simulation_report

    many.write(folder)
    write_simulation_report(run, folder / "report.html", language=language, replications=many)


def _outages(
    network: Network, plan: Path | None, close: list[str] | None, outages: Path | None
) -> tuple[Outage, ...]:
    """Return the outages given; without any, those of the plan."""
    from changtong.outage_files import read_outages
    from changtong.outages import close_sites

    wrong: tuple[Outage, ...] = close_sites(network, close) if close else ()
    if outages is not None:
        wrong += read_outages(outages, network)
    if not wrong and plan is not None:
        wrong = planned_outages(plan)
    return wrong


def planned_outages(plan: Path) -> tuple[Outage, ...]:
    """Return the outages a plan folder was made for.

    Raises
    ------
    InputError
        The folder has no readable ``study.json``.
    """
    from changtong.outages import Outage

    path = plan / "study.json"
    try:
        rows = json.loads(path.read_text("utf-8"))["outages"]
        return tuple(Outage(**_typed(row)) for row in rows)
    except (OSError, KeyError, TypeError, ValueError) as error:
        message = f"{path.name} cannot be read: {error}"
        expected = "a folder that changtong plan has written"
        raise InputError([Problem("not-a-plan-folder", message, str(path), expected=expected)]) from error


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    made = dict(row)
    for name in ("start", "end"):
        if made.get(name) is not None:
            made[name] = datetime.fromisoformat(made[name])
    for name in ("sites", "admin_codes"):
        made[name] = tuple(made.get(name) or ())
    made["legs"] = tuple((a, b) for a, b in made.get("legs") or ())
    return made


def _start(text: str | None, wrong: tuple[Outage, ...], lasts: float | None) -> datetime | None:
    """Return when the simulation begins: as said, or with the first outage that has a time."""
    from changtong.outage_files import read_time

    if text is not None:
        moment = read_time(text)
        if moment is None:
            raise UsageError(
                f"--start {text!r} is no time with a zone: 2026-07-20T03:00+08:00.", "time-without-zone"
            )
        return moment
    times = [one.start or one.end for one in wrong if one.start or one.end]
    if times:
        first = min(time for time in times if time is not None)
        return first.replace(minute=0, second=0, microsecond=0)
    return datetime.fromisoformat(NOMINAL_START) if lasts is not None else None
