"""The command ``warnings``: what is in force, what it threatens, and the outages it proposes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Folder, Gap, Language, PageLanguage, Seconds, Within
from changtong.console import print_result, say
from changtong.errors import InputError, Problem, UsageError

if TYPE_CHECKING:
    from changtong.emergency.threat_result import Threats
    from changtong.emergency.threats import WarningInputs
    from changtong.emergency.warning_rules import WarningRules
    from changtong.network.model import Network
    from changtong.planning.result import PlanSettings


class Status(StrEnum):
    """Which messages count."""

    actual = "actual"
    exercise = "exercise"


Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SOURCE]…", help="CAP files, folders, zip archives, saved feeds, https addresses."
    ),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="At this instant: now (as if not given), or with zone."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FOLDER/", help="Tables, proposed outages, a page with a map."),
]
PlanFolder = Annotated[
    Path | None, typer.Option("--plan", metavar="PLAN/", help="Plan with the proposed outages, too.")
]
PlanAt = Annotated[
    str | None,
    typer.Option(
        "--plan-at", metavar="TIME",
        help="Plan for what is in force then; by default --at, or the first outage's beginning.",
    ),
]  # fmt: skip
TrackFiles = Annotated[
    list[Path] | None,
    typer.Option("--track", metavar="FILE", help="A storm's track: CSV, GeoJSON, ATCF deck, CMA best track."),
]
PolygonFiles = Annotated[
    list[Path] | None,
    typer.Option("--polygons", metavar="FILE", help="GeoJSON polygons (WGS 84) of a flood or another event."),
]
Event = Annotated[str, typer.Option("--event", help="What polygons are of, where they do not say it.")]
Contacts = Annotated[
    Path | None, typer.Option("--contacts", metavar="FILE.csv", help="Whom to call; personal data.")
]
ShowPeople = Annotated[
    bool, typer.Option("--show-people", help="With --json: names and numbers of those to call, too.")
]
RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE.toml", help="Your own rules instead of the example.")
]
CountedStatus = Annotated[
    Status, typer.Option("--status", help="exercise: messages of a drill, and no others.")
]


def warnings(
    net: Folder,
    sources: Sources = None,
    at: At = None,
    output: Output = None,
    plan: PlanFolder = None,
    plan_at: PlanAt = None,
    track: TrackFiles = None,
    polygons: PolygonFiles = None,
    event: Event = "flood",
    contacts: Contacts = None,
    show_people: ShowPeople = False,
    rules: RulesFile = None,
    status: CountedStatus = Status.actual,
    gap: Gap = 1e-3,
    seconds: Seconds = 30.0,
    within: Within = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Say which warnings are in force, what they threaten, whom to call, and propose outages.

    Exit code 1 where a message could not be read and was set aside, or a plan serves nothing.
    """
    moment = _moment(at, "--at") or datetime.now().astimezone().replace(microsecond=0)
    plan_moment = _moment(plan_at, "--plan-at")
    _check_use(sources, track, polygons, plan, plan_at, contacts, show_people=show_people, as_json=as_json)
    _check_folders(output, plan)
    from changtong.emergency.warning_rules import read_warning_rules
    from changtong.network.io import read_network

    used = read_warning_rules(rules)
    compiled = _compiling() if plan is not None else None
    network = read_network(net)
    inputs = _inputs(
        network, used, moment, sources or [], track or [], polygons or [],
        {"event": event, "status": status.value.capitalize()}, contacts,
    )  # fmt: skip
    result = _run(network, inputs, moment, used, status.value.capitalize(), output, language)
    facts, text = result.summary(show_people=show_people), str(result)
    if output is not None:
        facts |= {"folder": str(output)}
        text += f"\n  → {output / 'report.html'}"
    code = 1 if result.read.set_aside else 0
    if plan is not None and compiled is not None:
        compiled()
        from changtong.planning.result import PlanSettings

        settings = PlanSettings(gap_share=gap, seconds=seconds, within_s=within)
        said, words, served = _plan(network, result, plan, plan_moment, language, settings)
        facts, text = facts | {"plan": said}, f"{text}\n{words}"
        code = code if served else 1
    print_result(facts, text, as_json=as_json)
    raise typer.Exit(code)


def _moment(text: str | None, option: str) -> datetime | None:
    from changtong.plan_options import read_moment

    try:
        return read_moment(text)
    except UsageError as error:
        raise UsageError(str(error).replace("--at", option, 1), error.code) from error


def _check_use(
    sources: list[str] | None, track: list[Path] | None, polygons: list[Path] | None, plan: Path | None,
    plan_at: str | None, contacts: Path | None, *, show_people: bool, as_json: bool,
) -> None:  # fmt: skip
    if not (sources or track or polygons):
        raise UsageError("Give a SOURCE of messages, or --track FILE, or --polygons FILE.")
    if plan_at is not None and plan is None:
        raise UsageError("--plan-at goes with --plan PLAN/.")
    if show_people and (contacts is None or not as_json):
        raise UsageError("--show-people goes with --contacts FILE.csv and --json.")


def _check_folders(output: Path | None, plan: Path | None) -> None:
    from changtong.emergency.threat_result import WARNINGS_FOLDER
    from changtong.network.io import check_replaceable

    if output is not None:
        check_replaceable(output, **WARNINGS_FOLDER)
    if plan is not None:
        from changtong.planning.result import PLAN_FOLDER

        check_replaceable(plan, **PLAN_FOLDER)
        if output is not None and output.resolve() == plan.resolve():
            raise UsageError("-o and --plan name the same folder: give two.")


def _compiling() -> Callable[[], object]:
    from changtong.kernels import prepare_kernels

    return prepare_kernels(say)


def _inputs(
    network: Network, rules: WarningRules, at: datetime, sources: list[str], tracks: list[Path],
    polygons: list[Path], of_polygons: dict[str, str], contacts: Path | None,
) -> WarningInputs:  # fmt: skip
    """Read all that is given; every problem of every file at once."""
    from changtong.emergency.contacts import read_contacts
    from changtong.emergency.fetching import Fetcher
    from changtong.emergency.message_sources import Messages, read_messages
    from changtong.emergency.polygon_files import read_polygons
    from changtong.emergency.threats import WarningInputs
    from changtong.emergency.track_files import read_tracks

    problems: list[Problem] = []

    def tried(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except InputError as error:
            problems.extend(error.problems)
            return otherwise

    found = tried(partial(read_messages, sources, Fetcher()), Messages())
    storms = [one for file in tracks for one in tried(partial(read_tracks, file, rules.radii), ())]
    shapes = [one for file in polygons for one in tried(partial(read_polygons, file, at, **of_polygons), ())]
    people = None if contacts is None else tried(partial(read_contacts, contacts, network), None)
    if problems:
        raise InputError(problems)
    return WarningInputs(tuple(found.messages), tuple(storms), tuple(shapes), found, people)


def _run(
    network: Network, inputs: WarningInputs, at: datetime, rules: WarningRules, status: str,
    output: Path | None, language: Language,
) -> Threats:  # fmt: skip
    from changtong.emergency.threats import ThreatSettings
    from changtong.studies import run_study

    study = run_study(
        "warnings", network, folder=output, language=language.value,
        at=at, inputs=inputs, rules=rules, settings=ThreatSettings(status=status),
    )  # fmt: skip
    result: Threats = study.result
    return result


def _plan(
    network: Network,
    result: Threats,
    folder: Path,
    moment: datetime | None,
    language: Language,
    settings: PlanSettings,
) -> tuple[dict[str, Any], str, bool]:
    """Plan for a moment with the proposed outages; return facts, words, and whether anything is served."""
    from changtong.outages import in_force
    from changtong.plan_command import run_plan

    when = moment or planned_moment(result)
    counted = in_force(result.outages, when) if when is not None else ()
    if when is None or not counted:
        said = "no plan: nothing is proposed" + ("." if when is None else f" at {result.local(when)}.")
        return {"folder": None, "reason": said}, f"  {said}", True
    made, _ = run_plan(network, counted, folder, language=language, settings=settings, valid_from=when)
    summary = made.summary()
    left = len(result.outages) - len(counted)
    facts = summary | {
        "folder": str(folder),
        "at": result.local(when),
        "outages": len(counted),
        "left_out": left,
    }
    words = (
        f"Plan for {result.local(when)}: {len(counted)} proposed outages in force, {left} left out\n{made}"
    )
    served = summary["demand_pieces"] == 0 or summary["demand_pieces"] - summary["unserved_pieces"] >= 0.5
    return facts, f"{words}\n  → {folder / 'report.html'}", served


def planned_moment(result: Threats) -> datetime | None:
    """Return the moment a plan is for: the asked one, or the first beginning where nothing is in force yet.

    Parameters
    ----------
    result : Threats
    """
    from changtong.outages import in_force

    if in_force(result.outages, result.at):
        return result.at
    begins = [one.start for one in result.outages if one.start is not None and one.start > result.at]
    return min(begins, default=None)
