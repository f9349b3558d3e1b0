"""The command ``plan``: re-route around what is shut or slowed; and how a plan is run and shown."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Folder, Gap, Language, Out, PageLanguage, Seconds, Within
from changtong.console import FlowProgress, print_result, say
from changtong.errors import InputError, UsageError
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.network.model import Network
    from changtong.outages import Outage
    from changtong.planning.result import Plan, PlanSettings
    from changtong.verification import Verified

TRADE_OFF_CNY = (0.0, 0.1, 1.0, 10.0, 100.0)
"""Stabilities of the sort plans that --trade-off compares, CNY a piece."""


Close = Annotated[list[str] | None, typer.Option("--close", metavar="SITE", help="A site that is shut.")]
Outages = Annotated[Path | None, typer.Option("--outages", metavar="FILE", help="TOML or CSV of outages.")]
CapacityShare = Annotated[float, typer.Option("--capacity-share", help="What --close leaves, 0 to 1.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Count only what is in force then: now, or with zone."),
]
Objectives = Annotated[str, typer.Option("--objectives", help="Order of the objectives.")]
Stability = Annotated[
    float,
    typer.Option("--stability", min=0.0, help="CNY a piece for leaving today's sort plan: 0 least cost."),
]
TradeOff = Annotated[
    bool,
    typer.Option(
        "--trade-off",
        help="Further sort plans from least cost to fewest changes, as trade_off.csv; each takes as"
        " long as the sort plan.",
    ),
]
HourCny = Annotated[
    float,
    typer.Option(
        "--hour-cny",
        min=0.0,
        help="On large networks, CNY an hour of a piece weighs where late stands before cost:"
        " more buys speed for all, for more changed legs (0.05 is much).",
    ),
]
LateCny = Annotated[
    float | None,
    typer.Option(
        "--late-cny",
        min=0.0,
        help="On large networks, most a piece may cost more for being on time; by default, what the"
        " gap asked for leaves is spent on it.",
    ),
]
ProveUnserved = Annotated[
    bool,
    typer.Option("--prove-unserved", help="On large networks, spend time left on proving what must stay."),
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Play the plan forward, and plan again where it does not hold."),
]


def plan(
    net: Folder,
    output: Out,
    close: Close = None,
    outages: Outages = None,
    capacity_share: CapacityShare = 0.0,
    at: At = None,
    objectives: Objectives = "unserved,late,cost,carbon,changed_legs,max_load",
    stability: Stability = 0.05,
    trade_off: TradeOff = False,
    hour_cny: HourCny = 0.0005,
    late_cny: LateCny = None,
    prove_unserved: ProveUnserved = False,
    verify: Verify = False,
    gap: Gap = 1e-3,
    seconds: Seconds = 30.0,
    within: Within = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Plan how pieces move while sites, legs or areas are shut or slowed.

    Every outage of the file counts, whenever it is; with --at those in force at that time.
    """
    from changtong.plan_options import read_moment, read_objectives

    order, moment = read_objectives(objectives), read_moment(at)
    check_share(capacity_share, close)
    check_output(output, "plan")
    from changtong.network.io import read_network
    from changtong.planning.result import PlanSettings

    network = read_network(net)
    wrong = _outages(network, close, capacity_share, outages)
    counted = _counted(network, wrong, moment)
    notes = _compile_and_note(network, wrong, counted, moment, verify=verify)
    settings = PlanSettings(
        gap_share=gap,
        seconds=seconds,
        within_s=within,
        hour_cny=hour_cny,
        late_cny=late_cny,
        stability_cny=stability,
        trade_off_cny=TRADE_OFF_CNY if trade_off else (),
        prove_unserved=prove_unserved,
    )
    result, verified = run_plan(
        network,
        counted,
        output,
        verify=verify,
        language=language,
        settings=settings,
        objectives=order,
        valid_from=moment,
    )
    more = {
        "at": None if moment is None else moment.isoformat(),
        "left_out": [one.label for one in wrong if one not in counted],
        "notes": notes,
    }
    raise typer.Exit(finish_plan(result, output, as_json=as_json, more=more, verified=verified))


def _outages(
    network: Network, close: list[str] | None, capacity_share: float, outages: Path | None
) -> tuple[Outage, ...]:
    """Return the outages of ``--close`` and of the file."""
    from changtong.outage_files import read_outages
    from changtong.outages import close_sites

    wrong: tuple[Outage, ...] = close_sites(network, close, capacity_share=capacity_share) if close else ()
    return wrong if outages is None else wrong + read_outages(outages, network)


def _counted(network: Network, wrong: tuple[Outage, ...], moment: datetime | None) -> tuple[Outage, ...]:
    """Return the outages in force at the moment, all without one; one at least, or a site shut by status."""
    from changtong.outages import closed_by_status, in_force
    from changtong.plan_options import nothing_shut

    counted = wrong if moment is None else in_force(wrong, moment)
    if not counted and not closed_by_status(network):
        raise InputError([nothing_shut(wrong, moment)])
    return counted


def check_share(capacity_share: float, close: list[str] | None) -> None:
    """Refuse a share of capacity without a site that keeps it."""
    if capacity_share != 0.0 and not close:
        raise UsageError("--capacity-share goes with --close; in a file it is the column capacity_share.")


def given_outages(
    network: Network,
    close: list[str] | None,
    capacity_share: float,
    outages: Path | None,
    moment: datetime | None,
) -> tuple[Outage, ...]:
    """Return the outages that count of ``--close`` and of the file; none where none were given."""
    if not close and outages is None:
        return ()
    return _counted(network, _outages(network, close, capacity_share, outages), moment)


def _compile_and_note(
    network: Network,
    wrong: tuple[Outage, ...],
    counted: tuple[Outage, ...],
    moment: datetime | None,
    *,
    verify: bool,
) -> list[str]:
    """Compile what planning needs, and meanwhile say what is odd about the outages; return what was said."""
    from changtong.plan_options import slow_notes, time_notes

    compiled = prepare_kernels(say)
    notes = time_notes(wrong, counted, moment) + slow_notes(network, counted)
    for note in notes:
        say(f"note: {note}")
    compiled()
    if verify:
        prepare_kernels(say, "simulation")()
    return notes


def check_output(output: Path, kind: str) -> None:
    """Refuse a folder that may not be replaced, before any work is done for it."""
    from changtong.network.io import NETWORK_FOLDER, check_replaceable
    from changtong.planning.result import PLAN_FOLDER

    check_replaceable(output, **(PLAN_FOLDER if kind == "plan" else NETWORK_FOLDER))


def run_plan(
    network: Network,
    outages: tuple[Outage, ...],
    output: Path,
    *,
    language: Language,
    settings: PlanSettings,
    objectives: tuple[str, ...] | None = None,
    valid_from: datetime | None = None,
    verify: bool = False,
) -> tuple[Plan, Verified | None]:
    """Run a plan as a study, with progress; with ``verify`` played forward too."""
    from changtong.studies import run_study

    bar = FlowProgress(settings.seconds, settings.gap_share)
    options: dict[str, Any] = {} if objectives is None else {"objectives": objectives}
    try:
        study = run_study(
            "plan-verified" if verify else "plan",
            network,
            outages,
            folder=output,
            language=language.value,
            settings=settings,
            progress=bar,
            valid_from=valid_from,
            **options,
        )
    finally:
        bar.close()
    if verify:
        return study.result.plan, study.result
    return study.result, None


def finish_plan(
    result: Plan,
    output: Path,
    *,
    as_json: bool,
    more: dict[str, Any] | None = None,
    verified: Verified | None = None,
) -> int:
    """Print the plan; return 1 where it serves nothing, or does not hold when played forward; else 0."""
    summary, text = result.summary(), str(result)
    if verified is not None:
        summary |= {"verified": verified.summary()}
        text += f"\n{verified}"
    print_result(
        summary | {"folder": str(output)} | (more or {}),
        f"{text}\n  → {output / 'report.html'}",
        as_json=as_json,
    )
    served = summary["demand_pieces"] - summary["unserved_pieces"]
    if summary["demand_pieces"] == 0:
        say("note: the network has no demand; there is nothing to plan.")
    elif served < 0.5:
        say("There is no good answer: nothing at all can be served; every site has orders to hold.")
        return 1
    return 0 if verified is None or verified.holds else 1
