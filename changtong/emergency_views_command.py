"""Commands of emergency plans and cases that look and write documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Folder, Language, PageLanguage, read_instant
from changtong.console import print_result
from changtong.emergency_options import (
    AsOf,
    At,
    By,
    CaseName,
    Document,
    EntryId,
    PlanName,
    case_named,
    who,
)
from changtong.errors import UsageError
from changtong.registers_options import Registers, Token

if TYPE_CHECKING:
    from changtong.emergency.case import Case


def list_plans(as_json: AsJson = False) -> None:
    """List the plans of the package: all are examples, none is official."""
    from changtong.emergency.plan_facts import plan_heading
    from changtong.emergency.plan_file import find_plan, shipped_names

    plans = [find_plan(name) for name in shipped_names()]
    facts = [plan_heading(plan) for plan in plans]
    print_result({"plans": facts}, "\n".join(map(str, plans)), as_json=as_json)


def check_plan(
    plan: PlanName,
    show_people: Annotated[
        bool, typer.Option("--show-people", help="Names and numbers of contacts, too: personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a plan, every problem at once, and say what it holds and where it comes from."""
    from changtong.emergency.plan_facts import plan_facts
    from changtong.emergency.plan_file import find_plan

    found = find_plan(plan)
    facts = plan_facts(found, show_people=show_people)
    lines = [str(found)]
    lines += [
        f"  {row['level']:<4}{row['terms_zh']}  [{row['provenance']}] {row['source']}"
        for row in facts["conditions"]
    ]
    lines += [
        f"  {row['minutes']:g} min {row['form']}: {row['zh']}  [{row['provenance']}] {row['source']}"
        for row in facts["clocks"]
    ]
    lines += [
        "  " + " ".join(str(value) for key, value in one.items() if key not in ("levels", "order"))
        for one in facts["contacts"]
    ]
    print_result(facts, "\n".join(lines), as_json=as_json)


def _now(case: Case, at: datetime | None) -> datetime:
    """Return the instant as of which a case is shown: the one given; a drill's newest entry, or now."""
    if at is not None:
        return at
    return max(one.at for one in case.entries) if case.event.get("clock") == "own" else datetime.now(UTC)


def _asked(case: str, at: str | None, registers: str | None, token: Path | None) -> tuple[Case, datetime]:
    instant = read_instant(at)
    if registers is None and instant is None:
        from changtong.emergency.case_folder import read_case

        plain = read_case(case)
        if plain.event.get("clock") == "own":  # a look lets nothing happen
            return plain, _now(plain, None)
    found = case_named(case, registers, token, at=instant)
    return found, _now(found, instant)


def show_status(
    case: CaseName, at: AsOf = None, registers: Registers = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show a case at an instant; exit code 1 where something is overdue or a level waits for a person."""
    from changtong.emergency.case_status import status

    made = status(*_asked(case, at, registers, token))
    print_result(made.to_json(), str(made), as_json=as_json)
    if made.overdue or made.to_confirm:
        raise typer.Exit(1)


def list_cases(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER…]", help="Cases, or folders that hold them.")
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Closed ones, too.")] = False,
    drills: Annotated[bool, typer.Option("--drills", help="Drills, and no real cases.")] = False,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List cases; drills only where they are asked for, and never together with real ones."""
    from changtong.emergency.case import facts_of
    from changtong.emergency.case_folder import is_case, read_case
    from changtong.emergency.case_status import status

    if registers is not None:
        from changtong.emergency_records.case_register import list_register_cases
        from changtong.registers_options import desk_of

        if folders or drills:
            raise UsageError("Registers hold no drills, and folders are not theirs: give one or the other.")
        with desk_of(registers, token) as desk:
            rows = list_register_cases(desk, all_of_them=all_of_them)
    else:
        if not folders:
            raise UsageError("Give FOLDER…, or --registers STORE.")
        missing = [str(one) for one in folders if not one.is_dir()]
        if missing:
            raise UsageError(f"There is no folder {', '.join(missing)}.", "missing-file")
        places = [
            sub
            for one in folders
            for sub in ([one] if is_case(one) else sorted(one.iterdir()))
            if is_case(sub)
        ]
        found = [(place, read_case(place)) for place in places]
        rows = [
            facts_of(case)
            | status(case, max(_now(case, None), case.opened_at)).counts()
            | {"folder": str(place)}
            for place, case in found
            if case.is_drill == drills and (all_of_them or case.state != "closed")
        ]
    marks = {True: "DRILL 演练  ", False: ""}
    lines = [
        f"{marks[row['is_drill']]}{row['case_id']}  {row['state']}, level {row['level']}{_open(row)}"
        f"  {row['title']}"
        for row in rows
    ]
    print_result({"cases": rows}, "\n".join(lines) or "no cases", as_json=as_json)


def _open(row: Mapping[str, Any]) -> str:
    if row["open_tasks"] is None:
        return ""
    return f", {row['open_tasks']} open, {row['overdue']} overdue"


def verify_case(
    case: CaseName,
    head: Annotated[
        str,
        typer.Option("--head", metavar="N:SEAL", help="One that was noted elsewhere: tells a cut-off end."),
    ] = "",
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Go through the log: altered, missing, swapped entries are named; exit code 1 where there are any."""
    from changtong.emergency.case_folder import verify_folder

    if registers is not None:
        from changtong.emergency_records.case_register import verify_register_case
        from changtong.registers_options import desk_of

        with desk_of(registers, token) as desk:
            check = verify_register_case(desk, case, head)
    else:
        check = verify_folder(case, head)
    print_result(check.to_json(), str(check), as_json=as_json)
    if not check.whole:
        raise typer.Exit(1)


def _check_document(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".docx"):
        raise UsageError(f"{path.name}: the file must end in .html or .docx.", "unknown-ending")


def write_case_page(
    case: CaseName,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PAGE.html", help="The page; replaced.")],
    at: AsOf = None,
    language: PageLanguage = Language.zh,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write a case as one page: timeline, clocks, tasks by department, sites, log."""
    from changtong.emergency.case_status import status
    from changtong.report.case_documents import case_page, write_document

    if output.suffix.lower() != ".html":
        raise UsageError(f"{output.name}: the page must end in .html.", "unknown-ending")
    made = status(*_asked(case, at, registers, token))
    write_document(case_page(made), output, language=language.value)
    print_result({"file": str(output), "case_id": made.case.case_id}, f"→ {output}", as_json=as_json)


def write_situation_report(
    case: CaseName,
    output: Document,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="PLAN/", help="A plan folder: its figures are in the report."),
    ] = None,
    indicators: Annotated[
        Path | None,
        typer.Option("--indicators", metavar="FILE.json", help="What `changtong indicators --json` printed."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", min=1, metavar="N", help="Write one that is on record again; no new one."),
    ] = None,
    language: PageLanguage = Language.zh,
    by: By = None,
    at: At = None,
    entry: EntryId = "",
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Put the next situation report on record, and write it: what is new, and how it stands."""
    from changtong.emergency.case_actions import number_report
    from changtong.emergency.case_folder import add_entry
    from changtong.emergency.case_log import head_of
    from changtong.emergency.drill import release
    from changtong.emergency.situation_figures import read_figures
    from changtong.report.case_documents import situation_report_again, write_document
    from changtong.written_files import check_writable

    _check_document(output)
    if number is not None:
        if plan or indicators or by or at or entry:
            raise UsageError("--number writes what is on record: no --plan, --indicators, --by, --at.")
        found, _ = _asked(case, None, registers, token)
        write_document(situation_report_again(found, number), output, language=language.value)
        facts = {"file": str(output), "case_id": found.case_id, "number": number, "is_new": False}
        print_result(facts, f"situation report {number} of {found.case_id} → {output}", as_json=as_json)
        return
    name, happened = who(by, registers), read_instant(at)
    figures = read_figures(plan, indicators)
    check_writable(output)  # a number that is on record stays there, even where there is no document
    if registers is not None:
        from changtong.emergency_records.case_register import add_case_entry
        from changtong.registers_options import desk_of

        with desk_of(registers, token) as desk:
            written = add_case_entry(desk, case, number_report(figures), at=happened, entry_id=entry)
    else:
        release(case, happened)
        written = add_entry(case, number_report(figures), by=name, at=happened, entry_id=entry)
    number = int(written.entry.data["number"])
    write_document(situation_report_again(written.case, number), output, language=language.value)
    facts = {
        "file": str(output),
        "case_id": written.case.case_id,
        "number": number,
        "is_new": written.is_new,
        "head": head_of(written.case.entries),
    }
    print_result(facts, f"situation report {number} of {written.case.case_id} → {output}", as_json=as_json)


def write_review(
    case: CaseName,
    output: Document,
    language: PageLanguage = Language.zh,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write the review of a case that has ended: times against deadlines, what was late, lessons."""
    from changtong.emergency.case_review import review
    from changtong.report.case_documents import review_document, write_document

    _check_document(output)
    found, _ = _asked(case, None, registers, token)
    made = review(found)
    write_document(review_document(made), output, language=language.value)
    print_result(made.to_json() | {"file": str(output)}, f"{made}\n  → {output}", as_json=as_json)


def write_outages(
    case: CaseName,
    network: Folder,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE.toml", help="For `changtong plan --outages`; replaced."),
    ],
    at: AsOf = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write the confirmed sites of a case as outages for the planner; exit code 1 where there are none."""
    from changtong.emergency.case import as_of
    from changtong.emergency.case_outages import case_outages
    from changtong.network.io import read_network
    from changtong.outage_files import write_outages as write_file

    if output.suffix.lower() != ".toml":
        raise UsageError(f"{output.name}: the file must end in .toml.", "unknown-ending")
    found, instant = _asked(case, at, registers, token)
    outages = case_outages(as_of(found, instant), read_network(network))
    sites = [site for one in outages for site in one.sites]
    facts = {"file": str(output) if outages else None, "outages": len(outages), "sites": sites}
    if not outages:
        print_result(facts, "no site is confirmed", as_json=as_json)
        raise typer.Exit(1)
    write_file(
        outages, output, remark=f"{'DRILL 演练 ' if found.is_drill else ''}{found.case_id}: {found.title}"
    )
    print_result(facts, f"{len(sites)} sites in {len(outages)} outages → {output}", as_json=as_json)
