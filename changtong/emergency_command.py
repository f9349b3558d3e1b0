"""Commands of emergency cases: what is done with one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, read_instant
from changtong.emergency_drill_command import evaluate_drill, run_drill
from changtong.emergency_options import (
    ZONE,
    At,
    By,
    CaseName,
    EntryId,
    PlanName,
    Reason,
    Seen,
    Text,
    emergency,
    read_pairs,
    show_case,
    who,
    write_entry,
)
from changtong.emergency_views_command import (
    check_plan,
    list_cases,
    list_plans,
    show_status,
    verify_case,
    write_case_page,
    write_outages,
    write_review,
    write_situation_report,
)
from changtong.errors import UsageError
from changtong.registers_options import Registers, Token


@emergency.callback()
def group() -> None:
    """Emergency plans, cases and drills."""


@emergency.command("open", short_help="An event opens a case: the plan proposes a level.")
def open_case(
    plan: PlanName,
    event: Annotated[
        str,
        typer.Option(
            "--event",
            metavar="TEXT|FILE",
            help="What happened, or a .json or .toml file: a warning, an alert.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="CASE/", help="The case's folder; not there yet.")
    ] = None,
    measured: Annotated[
        list[str] | None,
        typer.Option("--measure", metavar="NAME=VALUE", help="What is known; may be repeated."),
    ] = None,
    sites: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="SITE=STATE", help="potential or confirmed; may be repeated."),
    ] = None,
    known: Annotated[
        str | None, typer.Option("--known", metavar="TIME", help="When the event was known; --at by default.")
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option("--pick", metavar="ID", help="Warning or alert of a file that holds several."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Of the case; made of the time by default.")
    ] = None,
    organisation: Annotated[
        str | None, typer.Option("--organisation", metavar="ID", help="With --registers: whose case it is.")
    ] = None,
    by: By = None,
    at: At = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Open a case: what the plan proposes, with its reason, waits for a person; reporting times run."""
    from changtong.emergency.case_event import read_event
    from changtong.emergency.case_folder import first_entry, make_case_folder
    from changtong.emergency.opening import Opened, open_with
    from changtong.emergency.plan_file import find_plan

    if (output is None) == (registers is None):
        raise UsageError("Give either -o CASE/ or --registers STORE.")
    if registers is None and organisation is not None:
        raise UsageError("--organisation is for --registers.")
    told = Opened(
        plan=find_plan(plan), event=read_event(event, pick=pick),
        measures=read_pairs(measured or (), "--measure"), sites=read_pairs(sites or (), "--site"),
        at=read_instant(at), known_at=read_instant(known, "--known"), case_id=name or "", zone=ZONE,
    )  # fmt: skip
    by_name = who(by, registers)
    if registers is not None:
        from changtong.emergency_records.case_register import open_register_case
        from changtong.registers_options import desk_of

        with desk_of(registers, token) as desk:
            case = open_register_case(desk, told, organisation=organisation)
    else:
        assert output is not None
        now = datetime.now(UTC)
        data, begun = open_with(told, by=by_name, now=now)
        case = make_case_folder(output, [first_entry(data, at=begun, by=by_name, now=now)])
    show_case(case, case.opened_at, as_json=as_json, more={} if output is None else {"folder": str(output)})


@emergency.command("level", short_help="Confirm the proposed level, or set another with a reason.")
def level(
    case: CaseName,
    wanted: Annotated[str, typer.Argument(metavar="LEVEL", help="I, II, III, IV, or none.")],
    reason: Reason = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Set the level: its tasks are assigned, those of the level before that are not its own are withdrawn."""
    from changtong.emergency.case_actions import set_level

    write_entry(case, set_level(wanted, reason), by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("measure", short_help="Give measures of the event their values.")
def measure_values(
    case: CaseName,
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE…", help="As deaths=0; unknown takes one back.")
    ],
    text: Text = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say what is known by now; the plan may propose another level, which a person sets."""
    from changtong.emergency.case_actions import measure

    made = measure(dict(read_pairs(values, "NAME=VALUE")), text)
    write_entry(case, made, by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("task", short_help="A task is accepted, done, impossible, opened again, or added.")
def task_step(
    case: CaseName,
    task: Annotated[str, typer.Argument(metavar="TASK", help="Its id.")],
    do: Annotated[str, typer.Argument(metavar="DO", help="accept, done, impossible, reopen, or add.")],
    text: Text = "",
    department: Annotated[
        str | None, typer.Option("--department", metavar="ID", help="With add: whose task it is.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="With add: what is to be done.")
    ] = None,
    within: Annotated[
        float | None, typer.Option("--within", metavar="MIN", help="With add: minutes until it is due.")
    ] = None,
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of a task; its time counts against when it was due."""
    from changtong.emergency.case_actions import add_task, do_task

    given = (department, title, within)
    if do == "add":
        if department is None or title is None or within is None:
            raise UsageError("A task is added with --department, --title and --within.")
        made = add_task(task, department, title, within)
    elif any(one is not None for one in given):
        raise UsageError("--department, --title and --within are for add.")
    else:
        made = do_task(task, do, text)
    write_entry(case, made, by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("site", short_help="A site is potential, confirmed, restored or cleared.")
def site_state(
    case: CaseName,
    site: Annotated[str, typer.Argument(metavar="SITE", help="Its id.")],
    state: Annotated[str, typer.Argument(metavar="STATE", help="potential, confirmed, restored, cleared.")],
    capacity_share: Annotated[
        float | None,
        typer.Option(
            "--capacity-share", metavar="X", help="With confirmed: what it can still do; 0 by default."
        ),
    ] = None,
    text: Text = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say in which state a site is: potential, then confirmed or cleared; confirmed, then restored."""
    from changtong.emergency.case_actions import change_site

    if capacity_share is not None and state != "confirmed":
        raise UsageError("--capacity-share is for a site that is confirmed.")
    made = change_site(site, state, text, capacity_share)
    write_entry(case, made, by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("report", short_help="Record that an oral or written report was given.")
def report_given(
    case: CaseName,
    clock: Annotated[
        str, typer.Argument(metavar="CLOCK", help="The reporting time it answers, or - for another report.")
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="TEXT", help="Whom it went to; the plan's words by default.")
    ] = "",
    form: Annotated[
        str | None,
        typer.Option("--form", metavar="FORM", help="oral or written; as the plan asks by default."),
    ] = None,
    text: Text = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop a reporting clock: a report was given at this instant."""
    from changtong.emergency.case_actions import give_report

    made = give_report("" if clock == "-" else clock, text, to, form)
    write_entry(case, made, by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("note", short_help="Write something into the log.")
def write_note(
    case: CaseName,
    words: Annotated[str, typer.Argument(metavar="TEXT", help="No names of persons.")],
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write something into the log that changes nothing."""
    from changtong.emergency.case_actions import note

    write_entry(case, note(words), by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("suspend", short_help="The response waits: tasks too, reporting times do not.")
def suspend_case(
    case: CaseName,
    reason: Reason = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Suspend the response; what is open is due later by as long."""
    from changtong.emergency.case_actions import suspend

    write_entry(case, suspend(reason), by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("resume", short_help="The response goes on.")
def resume_case(
    case: CaseName,
    reason: Reason = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a response that was suspended."""
    from changtong.emergency.case_actions import resume

    write_entry(case, resume(reason), by, at, entry, registers, token, seen=seen, as_json=as_json)


@emergency.command("end", short_help="The response ends: every condition of the plan is answered.")
def end_case(
    case: CaseName,
    reason: Reason = "",
    met: Annotated[
        list[str] | None,
        typer.Option("--met", metavar="ID", help="A condition of the end that is met; may be repeated."),
    ] = None,
    although: Annotated[
        str, typer.Option("--although", metavar="TEXT", help="Why it ends although not all of them are met.")
    ] = "",
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """End the response; sites may still be restored and reports given until the case is closed."""
    from changtong.emergency.case_actions import end

    write_entry(
        case, end(reason, met or (), although), by, at, entry, registers, token, seen=seen, as_json=as_json
    )


@emergency.command("close", short_help="Close a case that has ended, with what was learnt.")
def close_case(
    case: CaseName,
    lessons: Annotated[
        list[str] | None, typer.Option("--lesson", metavar="TEXT", help="What was learnt; may be repeated.")
    ] = None,
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    seen: Seen = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Close a case: nothing is written to it afterwards; `emergency review` makes the closing review."""
    from changtong.emergency.case_actions import close

    write_entry(case, close(lessons or ()), by, at, entry, registers, token, seen=seen, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    add = emergency.command
    add("plans", short_help="Which plans there are.")(list_plans)
    add("check", short_help="A plan: what is wrong with it, or what it says.")(check_plan)
    add("status", short_help="A case at an instant: level, clocks, tasks, sites.")(show_status)
    add("list", short_help="Cases of folders or registers.")(list_cases)
    add("verify", short_help="Whether the log is as it was written.")(verify_case)
    add("page", short_help="A case as a page: timeline, clocks, tasks, sites.")(write_case_page)
    add("situation-report", short_help="The next situation report, as HTML or DOCX.")(write_situation_report)
    add("review", short_help="The closing review: times against deadlines, what was late.")(write_review)
    add("outages", short_help="Confirmed sites as outages for the planner.")(write_outages)
    add("drill", short_help="A drill: a scripted case on a copy of the network.")(run_drill)
    add("evaluate", short_help="A drill's evaluation: expected actions, plan, what stays unserved.")(
        evaluate_drill
    )
    app.add_typer(emergency, name="emergency")
