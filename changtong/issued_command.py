"""The commands ``issued``: plans proposed, approved, issued as orders, answered, withdrawn."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.command_options import AsJson, read_instant
from changtong.console import print_result
from changtong.errors import UsageError
from changtong.registers_options import Place, TokenFile, desk_of
from changtong.written_files import write_beside

issued = typer.Typer(
    help="Plans issued: a second person approves, sites acknowledge.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PlanId = Annotated[str, typer.Argument(metavar="ID", help="Of the issued plan.")]
Site = Annotated[str, typer.Argument(metavar="SITE", help="Id of a site.")]
State = Annotated[str, typer.Option("--state", metavar="STATE", help="Only those in this state.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=500, help="Rows.")]
After = Annotated[str, typer.Option("--after", metavar="MARK", help="Go on where the page before ended.")]
SaidBy = Annotated[
    str | None,
    typer.Option(
        "--said-by-file",
        metavar="FILE",
        help="Who at the site said so, where it is not yours: a file, - for standard input.",
    ),
]


@issued.callback()
def group() -> None:
    """Plans issued: a second person approves, sites acknowledge."""


def _said(plan: Mapping[str, Any]) -> str:
    """Return a plan in a few lines."""
    lines = [f"{plan['id']}: {plan['title']}", f"  {plan['state']}, {plan['plan_id']} of {plan['network']}"]
    for what in ("proposed", "approved", "issued", "withdrawn"):
        if plan[f"{what}_at"]:
            lines.append(f"  {what} by {plan[f'{what}_by']} at {plan[f'{what}_at']}")
    if plan["withdrawn_reason"]:
        lines.append(f"  because {plan['withdrawn_reason']}")
    if plan["replaced_by"]:
        lines.append(f"  replaced by {plan['replaced_by']}")
    lines.append(f"  counts from {plan['valid_from']}")
    lines += [f"  {note['says']}" for note in plan["notes"]]
    if plan["issued_at"]:
        answers = dict(plan["answers"])
        waits, seen, overdue = (answers.pop(f"stop_{name}") for name in ("waits", "seen", "overdue"))
        told = ", ".join(f"{count:,} {name}" for name, count in answers.items() if count)
        until = "" if plan["withdrawn_at"] else f"; to answer until {plan['due_at']}"
        lines.append(f"  sites: {told}{until}")
        if waits or seen:
            late = f"; {overdue:,} overdue" if overdue else ""
            lines.append(f"  the withdrawal: acknowledged by {seen:,} of {waits + seen:,} sites{late}")
    return "\n".join(lines)


def _said_order(order: Mapping[str, Any]) -> str:
    name = f" {order['site_name']}" if order["site_name"] else ""
    before = ", answered" if order["state"] == "withdrawn" else ""
    by = f"{before} by {order['answered_by']} at {order['answered_at']}" if order["answered_at"] else ""
    late = ", overdue" if order["overdue"] else ""
    words = f": {order['words']}" if order["words"] else ""
    stop = f"; {_said_stop(order)}" if order["stop_due_at"] else ""
    return f"{order['site']}{name}: {order['state']}{by}{late}{words}{stop}"


def _said_stop(order: Mapping[str, Any]) -> str:
    """Return who has acknowledged the withdrawal of an order, or until when somebody is to."""
    if order["stop_seen_at"]:
        words = f": {order['stop_words']}" if order["stop_words"] else ""
        return f"the withdrawal was acknowledged by {order['stop_seen_by']} at {order['stop_seen_at']}{words}"
    late = ", overdue" if order["stop_overdue"] else ""
    return f"the withdrawal is to be acknowledged until {order['stop_due_at']}{late}"


@issued.command("list", short_help="Plans that one may see, the newest first.")
def list_issued(
    place: Place, token: TokenFile, state: State = "", limit: Limit = 50, after: After = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List plans, those too whose orders are for one's own sites."""
    from changtong.response_records.issued_plans import list_plans

    with desk_of(place, token) as desk:
        found, following = list_plans(desk, state=state, limit=limit, after=after)
    lines = [f"{one['id']}  {one['state']:<10}{one['title']}" for one in found]
    if following:
        lines.append(f"more: --after {following}")
    facts = {"issued_plans": found, "next": following or None}
    print_result(facts, "\n".join(lines) or "nothing", as_json=as_json)


@issued.command(short_help="A plan with the counts of its answers, or the orders of one site.")
def show(
    place: Place,
    plan: PlanId,
    token: TokenFile,
    site: Annotated[str | None, typer.Option("--site", metavar="SITE", help="The orders of a site.")] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="With --site: also what stays as it was before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a plan, or what one site has to do."""
    from changtong.response_records.issued_orders import read_order
    from changtong.response_records.issued_plans import read_plan

    if whole and site is None:
        raise UsageError("--whole belongs to --site SITE.")
    with desk_of(place, token) as desk:
        if site is None:
            facts = read_plan(desk, plan)
            text = _said(facts)
        else:
            facts = read_order(desk, plan, site, whole=whole)
            rows = [f"  {row['words']['zh']}\n    {row['words']['en']}" for row in facts["rows"]]
            text = "\n".join([_said_order(facts), *rows])
    print_result(facts, text, as_json=as_json)


@issued.command(short_help="Sites with orders and what they answered; all orders as CSV.")
def orders(
    place: Place,
    plan: PlanId,
    token: TokenFile,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Write all orders here.")
    ] = None,
    state: State = "",
    limit: Limit = 100,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """List the sites of a plan, or write every order of it as a table."""
    from changtong.response_records.issued_orders import every_row, list_orders

    with desk_of(place, token) as desk:
        if output is not None:
            from changtong.response_records.orders_table import orders_csv

            write_beside(output, orders_csv(every_row(desk, plan)))
            print_result({"file": str(output)}, f"→ {output}", as_json=as_json)
            return
        found, following = list_orders(desk, plan, state=state, limit=limit, after=after)
    lines = [_said_order(one) for one in found]
    if following:
        lines.append(f"more: --after {following}")
    facts = {"orders": found, "next": following or None}
    print_result(facts, "\n".join(lines) or "nothing", as_json=as_json)


@issued.command(short_help="Propose the plan of a folder.")
def propose(
    place: Place,
    folder: Annotated[Path, typer.Argument(metavar="PLAN/", help="A plan folder.")],
    token: TokenFile,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What it is for, in a line.")],
    valid_from: Annotated[
        str | None, typer.Option("--valid-from", metavar="T", help="From when its orders count; now.")
    ] = None,
    within: Annotated[
        int, typer.Option("--within", metavar="MINUTES", help="Minutes within which sites answer.")
    ] = 60,
    replaces: Annotated[
        str, typer.Option("--replaces", metavar="ID", help="A plan it withdraws when it is issued.")
    ] = "",
    plan_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="An id of your own for the issued plan.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Propose a plan: another person approves it."""
    from changtong.response_records.issued_plans import Proposal, propose_plan
    from changtong.response_records.plan_files import read_plan_folder

    since = read_instant(valid_from, "--valid-from") or datetime.now(UTC)
    plan = read_plan_folder(folder)
    with desk_of(place, token) as desk:
        facts, _ = propose_plan(desk, plan, Proposal(title, since, within, replaces, record_id=plan_id))
    print_result(facts, _said(facts), as_json=as_json)


@issued.command(short_help="Approve a plan that another person has proposed.")
def approve(place: Place, plan: PlanId, token: TokenFile, as_json: AsJson = False) -> None:
    """Approve a plan, as another person than who proposed it."""
    from changtong.response_records.issued_plans import approve_plan

    with desk_of(place, token) as desk:
        facts = approve_plan(desk, plan)
    print_result(facts, _said(facts), as_json=as_json)


@issued.command(short_help="Issue an approved plan: its orders go out.")
def issue(place: Place, plan: PlanId, token: TokenFile, as_json: AsJson = False) -> None:
    """Issue a plan; what it replaces is withdrawn."""
    from changtong.response_records.issued_plans import issue_plan

    with desk_of(place, token) as desk:
        facts = issue_plan(desk, plan)
    print_result(facts, _said(facts), as_json=as_json)


@issued.command(short_help="Withdraw a plan: its orders count no longer.")
def withdraw(
    place: Place,
    plan: PlanId,
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; no names of persons.")],
    as_json: AsJson = False,
) -> None:
    """Withdraw a plan, with a reason."""
    from changtong.response_records.issued_plans import withdraw_plan

    with desk_of(place, token) as desk:
        facts = withdraw_plan(desk, plan, reason)
    print_result(facts, _said(facts), as_json=as_json)


@issued.command(short_help="Acknowledge the orders of a site, or that they were withdrawn.")
def acknowledge(
    place: Place,
    plan: PlanId,
    site: Site,
    token: TokenFile,
    said_by: SaidBy = None,
    words: Annotated[
        str, typer.Option("--words", metavar="TEXT", help="A remark; no names of persons.")
    ] = "",
    withdrawal: Annotated[
        bool, typer.Option("--withdrawal", help="It was read that the orders were withdrawn.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Acknowledge orders: they were read and will be done; or with an option that they were withdrawn."""
    from changtong.response_records.issued_orders import Answer, acknowledge_order

    answer = Answer(words, _name(said_by))
    with desk_of(place, token) as desk:
        facts = acknowledge_order(desk, plan, site, answer, withdrawal=withdrawal)
    print_result(facts, _said_order(facts), as_json=as_json)


@issued.command(short_help="Say that a site cannot do what it was ordered.")
def cannot(
    place: Place,
    plan: PlanId,
    site: Site,
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; no names of persons.")],
    said_by: SaidBy = None,
    as_json: AsJson = False,
) -> None:
    """Say that a site cannot do it, and why; it may acknowledge later all the same."""
    from changtong.response_records.issued_orders import Answer, refuse_order

    answer = Answer(reason, _name(said_by))
    with desk_of(place, token) as desk:
        facts = refuse_order(desk, plan, site, answer)
    print_result(facts, _said_order(facts), as_json=as_json)


@issued.command(short_help="Go through the log of a plan.")
def verify(
    place: Place,
    plan: PlanId,
    token: TokenFile,
    head: Annotated[str, typer.Option("--head", metavar="N:SEAL", help="A head that was noted.")] = "",
    as_json: AsJson = False,
) -> None:
    """Name whatever is wrong with the log of a plan; the exit code is 1 where anything is."""
    from changtong.response_records.issued_plans import verify_plan_log

    with desk_of(place, token) as desk:
        found = verify_plan_log(desk, plan, head)
    facts = found.to_json()
    facts["plan"] = facts.pop("case_id")
    print_result(facts, str(found), as_json=as_json)
    if not found.whole:
        raise typer.Exit(1)


def _name(source: str | None) -> str:
    """Return a name from a file: a command line can be seen by others."""
    if source is None:
        return ""
    try:
        text = sys.stdin.readline() if source == "-" else Path(source).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{source}: the name cannot be read.", "unreadable-file") from None
    return text.strip()


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(issued, name="issued")
