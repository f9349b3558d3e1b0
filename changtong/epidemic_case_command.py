"""Commands of epidemic control that read a scan log, a list of risk areas, or everything at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, Folder, Language, PageLanguage
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.events_command import KeyFile, find_key
from changtong.kernels import prepare_kernels
from changtong.registers_options import Registers, Token, desk_of

if TYPE_CHECKING:
    from changtong.epidemic.case import Case

At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="At this instant, local unless it has an offset; now by default."
    ),
]
Rules = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FOLDER/", help="Tables of your own instead of the shipped ones."),
]


def open_case_of_log(
    log: Annotated[Path, typer.Argument(metavar="LOG/", help="A scan log.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="CASE/", help="Site lists, tasks, a decision; replaced.")
    ],
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Whose the tasks are: a user or an organisation.")
    ],
    site: Annotated[str | None, typer.Option("--site", help="The contaminated site.")] = None,
    item: Annotated[
        str | None, typer.Option("--item", help="The contaminated item: id or pseudonym.")
    ] = None,
    receptacle: Annotated[str | None, typer.Option("--receptacle", help="Or this bag or cage.")] = None,
    vehicle: Annotated[str | None, typer.Option("--vehicle", help="Or this vehicle.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Begin of the window, in the log's zone.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the window.")] = None,
    steps: Annotated[int, typer.Option("--steps", help="Most meetings on the way.")] = 1,
    through: Annotated[
        str, typer.Option("--through", help="Where things meet: site, receptacle, vehicle, with commas.")
    ] = "receptacle,vehicle",
    linger_h: Annotated[
        float, typer.Option("--linger-h", help="Hours a place stays exposed after an exposed item left.")
    ] = 0.0,
    opened: Annotated[
        str | None, typer.Option("--opened", metavar="TIME", help="When the case was opened; now by default.")
    ] = None,
    case_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Of the case.")] = None,
    owners: Annotated[
        Path | None, typer.Option("--owners", metavar="FILE.csv", help="site_id and owner, over --owner.")
    ] = None,
    rules: Rules = None,
    key: KeyFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Trace onward and hand out what each site must do; with registers the tasks are registered there."""
    from changtong.epidemic.case import CASE_ID, OWNER_SCHEMA, read_case_tasks
    from changtong.epidemic.tables import TableReader, instant
    from changtong.events.log import open_log
    from changtong.studies import run_study

    if not owner.strip():
        raise UsageError("--owner NAME: say whose the tasks are.")
    if case_id is not None and not CASE_ID.fullmatch(case_id):
        raise UsageError(
            f"--id {case_id!r} will not do: up to 64 letters, digits, dots, dashes, underscores."
        )
    reader = TableReader(rules)
    tasks = read_case_tasks(reader)
    table = reader.table(owners, OWNER_SCHEMA, ("site_id", "owner"), key=("site_id",))
    reader.finish()
    source = open_log(log)
    opened_at = instant(opened, source.zone, option="--opened")
    if registers is not None:  # a token that does not fit is told before the work, not after
        with desk_of(registers, token) as desk, desk.work(writes=False):
            pass
    registered: list[int] = []

    def register(made: Case) -> None:
        from changtong.supervision_records.task_register import update_task_register

        with desk_of(str(registers), token) as desk:
            kept = update_task_register(desk, made.decision(), made.decision().decided_on)
        registered.append(kept.registered)

    prepare_kernels(say, "scan log")()
    progress = StageProgress("Tracing")
    try:
        study = run_study(
            "epidemic-case", source, folder=output, site=site, item=item, receptacle=receptacle,
            vehicle=vehicle, start=from_, end=to,
            steps=steps, linger_h=linger_h, key=lambda: find_key(source, key),
            through=[part.strip() for part in through.split(",") if part.strip()],
            opened_at=opened_at, tasks=tasks, owner=owner, case_id=case_id,
            owners=dict(table.select("site_id", "owner").iter_rows()),
            before_saving=None if registers is None else register,
        )  # fmt: skip
    finally:
        progress.close()
    made = study.result
    facts = made.to_json() | {"folder": str(output)}
    text = f"{made}\n  → {output}"
    if registered:
        facts["registered"] = registered[0]
        text += f"\n{registered[0]} tasks registered"
    print_result(facts, text, as_json=as_json)


def propose_from_list(
    areas: Annotated[
        Path,
        typer.Argument(
            metavar="LIST.csv", help="date, level, province, city, county; snapshot, n_communities."
        ),
    ],
    net: Folder,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="The last list before it; the whole list by default."),
    ] = None,
    rules: Rules = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER/", help="states.csv, unplaced.csv; replaced."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose states for the sites in a list's counties: to be looked at, and ordered by who may."""
    from changtong.epidemic.settings import read_settings
    from changtong.epidemic.tables import TableReader, instant
    from changtong.network.io import read_network
    from changtong.studies import run_study

    reader = TableReader(rules)
    zone = read_settings(reader).zone
    reader.finish()
    network = read_network(net)
    made = run_study(
        "risk-areas", network, folder=output, risk_list=areas, rules_folder=rules,
        at=None if at is None else instant(at, zone),
    ).result  # fmt: skip
    where = {} if output is None else {"folder": str(output)}
    print_result(made.to_json() | where, str(made) + (f"\n  → {output}" if output else ""), as_json=as_json)


def epidemic_page(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER/", help="Tables of epidemic control.")],
    net: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PAGE.html", help="The page.")],
    at: At = None,
    collected: Annotated[
        Path | None,
        typer.Option("--from", metavar="COLLECTED/", help="Inspections: measures and months due."),
    ] = None,
    scans: Annotated[
        Path | None, typer.Option("--scans", metavar="SCANS.csv", help="Scans of international mail.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="PLAN/", help="How many passes this plan uses.")
    ] = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write one page: sites by state on the map, what is missing, what settles, passes, crossings."""
    from changtong.epidemic.epidemic_folder import read_epidemic
    from changtong.epidemic.tables import instant
    from changtong.network.io import read_network
    from changtong.studies import run_study

    if output.suffix != ".html":
        raise UsageError(f"{output.name}: the file must end in .html.", "unknown-ending")
    known = read_epidemic(folder)
    when = instant(at, known.settings.zone)
    made = run_study(
        "epidemic-picture", known, language=language.value, network=read_network(net), at=when, file=output,
        rules_folder=folder, collected=collected, scans=scans, plan=plan,
    ).result  # fmt: skip
    print_result(made.to_json() | {"file": str(output)}, f"{made}\n  → {output}", as_json=as_json)
