"""Commands of safety supervision: forms on phones and what comes back, hazards, visits, campaigns, tasks."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Language, PageLanguage, parse_day
from changtong.console import print_result, say
from changtong.errors import InputError, UsageError
from changtong.registers_options import Registers, Token, desk_of
from changtong.safety_versions_command import settle_versions, show_versions

if TYPE_CHECKING:
    from changtong.safety.form import Form
    from changtong.safety.supervision import Supervision

safety = typer.Typer(
    help="Inspections, hazards, visits, campaigns, tasks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FormName = Annotated[str, typer.Argument(metavar="FORM", help="A form's id, or a TOML file.")]
Version = Annotated[
    str | None, typer.Option("--form-version", metavar="V", help="Not the newest, but this one.")
]
FormsFolder = Annotated[
    Path | None, typer.Option("--forms", metavar="FOLDER/", help="Forms of your own, as TOML files.")
]


RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE.toml", help="Rules of your own instead of the example."),
]
Files = Annotated[
    Path | None,
    typer.Option("--files", metavar="FOLDER/", help="Files of attachments; beside a SQLite file."),
]


def folder_or_registers(output: Path | None, registers: str | None) -> Path:
    """Return the folder it goes into; where it goes into registers, none that counts.

    Parameters
    ----------
    output : Path or None
    registers : str or None

    Raises
    ------
    UsageError
        Both are given, or neither.
    """
    if (output is None) == (registers is None):
        raise UsageError("Give either -o FOLDER/ or --registers STORE.")
    return output or Path()


def not_with_registers(registers: str | None, **options: object) -> None:
    """Tell wrong use: options that are for folders of files only.

    Parameters
    ----------
    registers : str or None
    **options : object
        By their names.

    Raises
    ------
    UsageError
    """
    given = [f"--{name.rstrip('_')}" for name, value in options.items() if value is not None]
    if registers is not None and given:
        raise UsageError(f"{', '.join(given)} cannot be used with --registers: these hold it themselves.")


@safety.callback()
def group() -> None:
    """Inspections, hazards, visits, campaigns, tasks."""


@safety.command("forms", short_help="Which forms there are, and where each comes from.")
def list_forms(forms: FormsFolder = None, as_json: AsJson = False) -> None:
    """List the forms: those of the package and your own; every problem of your own at once."""
    from changtong.safety.form_file import read_forms, shipped_forms

    known = {(f.id, f.version): f for f in (*shipped_forms(), *(read_forms(forms) if forms else ()))}
    rows = [_facts(form) for form in known.values()]
    lines = [
        f"{row['id']:<16} {row['version']:<8} {row['items']:>3} items"
        f"  {row['provenance']:<10} {row['title_zh']}"
        for row in rows
    ]
    print_result({"forms": rows}, "\n".join(lines), as_json=as_json)


def _facts(form: Form) -> dict[str, Any]:
    keys = ("id", "version", "title_zh", "title_en", "provenance", "source", "notes_zh", "notes_en", "digest")
    return {key: getattr(form, key) for key in keys} | {"items": len(form.items)}


def find_form_of(name: str, version: str | None, forms: Path | None) -> Form:
    """Return a form by its id or its file.

    Parameters
    ----------
    name : str
    version : str or None
    forms : Path or None
        Folder of forms beside the shipped ones.
    """
    from changtong.safety.form_file import find_form, read_form, read_forms

    if name.endswith(".toml"):
        return read_form(name)
    return find_form(name, version, more=read_forms(forms) if forms else ())


@safety.command("form", short_help="A form as one page for phones, or as a JSON schema.")
def make_form(
    name: FormName,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE.html", help="The page; .json: the schema of a filled form."
        ),
    ],
    sites: Annotated[
        Path | None,
        typer.Option("--sites", metavar="FILE.csv", help="site_id and name, offered while typing."),
    ] = None,
    version: Version = None,
    forms: FormsFolder = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write a form as one page that works without a network, to be opened on a phone."""
    if output.suffix not in (".html", ".json"):
        raise UsageError(f"{output.name}: the file must end in .html or .json.", "unknown-ending")
    form = find_form_of(name, version, forms)
    if output.suffix == ".json":
        from changtong.safety.collection import put_file
        from changtong.safety.form_schema import form_schema

        put_file(output, (json.dumps(form_schema(form), ensure_ascii=False, indent=1) + "\n").encode())
    else:
        from changtong.report.inspection_form import write_inspection_form

        write_inspection_form(form, output, language=language.value, sites=_sites(sites))
    said = f"{form.title_zh} {form.version} ({form.provenance}), {len(form.items)} items → {output}"
    print_result(_facts(form) | {"file": str(output)}, said, as_json=as_json)


def _sites(path: Path | None) -> tuple[tuple[str, str], ...]:
    if path is None:
        return ()
    from changtong.safety.supervision import read_site_names

    return read_site_names(path)


@safety.command("check", short_help="Filled forms: what is wrong, what is missing, what they found.")
def check_forms(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="Filled forms as a phone exported them.")],
    forms: FormsFolder = None,
    as_json: AsJson = False,
) -> None:
    """Check a file of filled forms without taking it in; exit code 1 where something is wrong or missing."""
    from changtong.safety.filled import check_filled
    from changtong.safety.form_file import find_form, read_forms
    from changtong.safety.received import read_received

    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "missing-file") from error
    found = read_received(content, file.name)
    if found.refused and not found.inspections:
        raise InputError([problem for _, why in found.refused for problem in why])
    own = read_forms(forms) if forms else ()
    made: list[dict[str, Any]] = []
    lines: list[str] = []
    for one in found.inspections:
        named = one.filled["form"]
        check = check_filled(find_form(named["id"], named["version"], more=own), one.filled)
        made.append({"inspection_id": one.filled["inspection_id"], **check.to_json()})
        lines.append(f"{one.filled['inspection_id']}  {named['id']} {named['version']}: {check}")
    refused = [problem.to_dict() for _, why in found.refused for problem in why]
    lines += [f"  {problem}" for _, why in found.refused for problem in why]
    print_result({"inspections": made, "refused": refused}, "\n".join(lines), as_json=as_json)
    if refused or not all(one["complete"] for one in made):
        raise typer.Exit(1)


@safety.command("collect", short_help="Filled forms from phones into one folder, each exactly once.")
def collect_forms(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files that phones exported.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER/", help="The collection; what is new is added to it."),
    ] = None,
    forms: FormsFolder = None,
    keep_position: Annotated[
        bool, typer.Option("--keep-position", help="Leave in photos what cameras wrote, position included.")
    ] = False,
    registers: Registers = None,
    token: Token = None,
    attached: Files = None,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """Take filled forms in; exit code 1 where something was set aside or two versions are in conflict."""
    from changtong.safety.collect import collect

    folder = folder_or_registers(output, registers)
    if registers is not None:
        from changtong.safety.hazard_rules import read_hazard_rules
        from changtong.supervision_records.inspection_register import collect_into_registers

        with desk_of(registers, token, attached) as desk:
            taken = collect_into_registers(
                desk, files, read_hazard_rules(rules), forms_folder=forms, keep_position=keep_position
            )
        print_result(taken.to_json(), str(taken), as_json=as_json)
        if not taken.whole:
            raise typer.Exit(1)
        return
    made = collect(files, folder, forms_folder=forms, keep_position=keep_position)
    print_result(made.to_json() | {"folder": str(folder)}, f"{made}\n  → {folder}", as_json=as_json)
    if made.set_aside or made.photos_set_aside or not made.collection.conflicts.is_empty():
        raise typer.Exit(1)


Day = Annotated[str | None, typer.Option("--date", metavar="DATE", help="As of this day; today by default.")]


def day_of(text: str | None) -> date:
    """Return a day given, or today.

    Parameters
    ----------
    text : str or None
    """
    return date.today() if text is None else parse_day(text, "--date")


@safety.command("hazards", short_help="The hazard ledger: findings and actions in, what is due out.")
def update_hazards(
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="LEDGER/", help="The ledger; it is made where there is none."),
    ] = None,
    collected: Annotated[
        Path | None,
        typer.Option("--from", metavar="COLLECTED/", help="Inspections whose findings are hazards."),
    ] = None,
    actions: Annotated[
        Path | None,
        typer.Option("--actions", metavar="FILE.csv", help="What was assigned, mended, re-checked."),
    ] = None,
    ahead: Annotated[
        int, typer.Option("--ahead", metavar="N", min=0, help="Show what is due in the next N days, too.")
    ] = 0,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    day: Day = None,
    as_json: AsJson = False,
) -> None:
    """Bring findings and actions into the ledger; every action is checked, all are taken or none."""
    from changtong.safety.hazard_rules import read_hazard_rules
    from changtong.safety.ledger_folder import update_ledger

    folder = folder_or_registers(output, registers)
    not_with_registers(registers, from_=collected)
    if registers is not None:
        from changtong.supervision_records.hazard_register import update_hazard_register

        with desk_of(registers, token) as desk:
            known = read_hazard_rules(rules)
            kept = update_hazard_register(desk, known, day_of(day), actions=actions, ahead_days=ahead)
        print_result(kept.to_json(), str(kept), as_json=as_json)
        return
    made = update_ledger(
        folder, read_hazard_rules(rules), day_of(day), collection=collected, actions=actions, ahead_days=ahead
    )
    print_result(made.to_json() | {"folder": str(folder)}, f"{made}\n  → {folder}", as_json=as_json)


@safety.command("tasks", short_help="A decision's tasks: who is due, late, done in time.")
def show_tasks(
    decision: Annotated[Path, typer.Argument(metavar="DECISION.toml", help="A decision with its tasks.")],
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE.csv", help="What was reported, accepted, extended."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER/", help="Tables: counts, totals, what is due."),
    ] = None,
    registers: Registers = None,
    token: Token = None,
    day: Day = None,
    as_json: AsJson = False,
) -> None:
    """See the tasks of a decision through: reminders, what is late, and counts for an assessment."""
    from changtong.safety.decision import read_decision
    from changtong.safety.task_report import report_tasks
    from changtong.safety.tasks import read_task_events, see_through

    plan = read_decision(decision)
    where = {} if output is None else {"folder": str(output)}
    if registers is not None:
        from changtong.supervision_records.task_register import update_task_register

        with desk_of(registers, token) as desk:
            kept = update_task_register(desk, plan, day_of(day), events=events or ())
        if output is not None:
            kept.report.save(output)
        print_result(kept.to_json() | where, str(kept), as_json=as_json)
        return
    book = see_through(plan, read_task_events(events) if events else ())
    made = report_tasks(book, day_of(day))
    if output is not None:
        made.save(output)
    print_result(made.to_json() | where, str(made), as_json=as_json)


def known_supervision(
    folder: Path | None,
    collected: Path | None,
    ledger: Path | None,
    registers: str | None,
    token: Path | None,
) -> Supervision:
    """Return what is known, from a folder, or from registers and a folder of what these do not hold.

    Parameters
    ----------
    folder, collected, ledger : Path or None
    registers : str or None
    token : Path or None
    """
    from changtong.safety.supervision import read_supervision

    not_with_registers(registers, from_=collected, ledger=ledger)
    if registers is not None:
        from changtong.safety.hazard_rules import read_hazard_rules
        from changtong.supervision_records.supervision_tables import read_register_supervision

        with desk_of(registers, token) as desk:
            return read_register_supervision(desk, read_hazard_rules(), folder)
    if folder is None:
        raise UsageError("Give a folder SUPERVISION/, or --registers STORE.")
    return read_supervision(folder, collection=collected, ledger=ledger)


@safety.command("visits", short_help="Who visits what this week: what is due first, then the most risk.")
def plan_week(
    folder: Annotated[
        Path, typer.Argument(metavar="SUPERVISION/", help="sites.csv, inspectors.csv and what else is known.")
    ],
    begin: Annotated[str, typer.Option("--begin", metavar="DATE", help="First day.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="VISITS/", help="Tables and a map file; replaced.")
    ],
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, help="How many days.")] = 7,
    collected: Annotated[
        Path | None, typer.Option("--from", metavar="COLLECTED/", help="Inspections that were made.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="LEDGER/", help="A hazard ledger.")
    ] = None,
    running: Annotated[
        list[str] | None,
        typer.Option("--campaign", metavar="ID", help="A campaign that runs; may be repeated."),
    ] = None,
    random_share: Annotated[
        float,
        typer.Option("--random-share", min=0.0, max=1.0, help="Of the visits, drawn at random (双随机)."),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw and the search; on record.")] = 0,
    iterations: Annotated[
        int | None, typer.Option("--iterations", metavar="N", min=1, help="Steps of the search for routes.")
    ] = None,
    rules: RulesFile = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Plan visits; exit code 1 where a visit that is due could not be planned."""
    from changtong.safety.visit_rules import read_visit_rules
    from changtong.studies import run_study

    supervision = known_supervision(folder, collected, ledger, registers, token)
    say(f"Planning visits to {supervision.sites.height:,} sites …")
    more: dict[str, Any] = {} if iterations is None else {"iterations": iterations}
    study = run_study(
        "visits",
        supervision,
        folder=output,
        seed=seed,
        begin=parse_day(begin, "--begin"),
        days=days,
        rules=read_visit_rules(rules),
        running=tuple(running or ()),
        random_share=random_share,
        **more,
    )
    made = study.result
    print_result(made.to_json() | {"folder": str(output)}, f"{made}\n  → {output}", as_json=as_json)
    if made.left["due"].any():
        raise typer.Exit(1)


@safety.command("campaign", short_help="How far a campaign is, region by region, and what it found.")
def show_campaign(
    name: Annotated[
        str, typer.Argument(metavar="CAMPAIGN", help="guns, drugs, personal-data, or a TOML file.")
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[SUPERVISION/]", help="sites.csv, inspections.csv, hazards.csv."),
    ] = None,
    collected: Annotated[
        Path | None, typer.Option("--from", metavar="COLLECTED/", help="Inspections that were made.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="LEDGER/", help="A hazard ledger.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER/", help="Tables; replaced.")
    ] = None,
    registers: Registers = None,
    token: Token = None,
    day: Day = None,
    as_json: AsJson = False,
) -> None:
    """Tell the progress of a campaign: sites visited against the target, finds, what is left."""
    from changtong.safety.campaign import read_campaign
    from changtong.studies import run_study

    if registers is not None and folder is not None:
        raise UsageError("With --registers a campaign needs no folder.")
    supervision = known_supervision(folder, collected, ledger, registers, token)
    study = run_study("campaign", supervision, folder=output, campaign=read_campaign(name), day=day_of(day))
    where = {} if output is None else {"folder": str(output)}
    print_result(study.result.to_json() | where, str(study.result), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    safety.command("versions", short_help="Two versions of an inspection in conflict, side by side.")(
        show_versions
    )
    safety.command("settle", short_help="A version made from those in conflict: one, or row by row.")(
        settle_versions
    )
    app.add_typer(safety, name="safety")
