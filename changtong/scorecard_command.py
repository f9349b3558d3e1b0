"""The commands ``scorecard``: values from what the system knows, and cards that live in the registers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Out, parse_day
from changtong.console import StageProgress, print_result, say
from changtong.errors import UsageError
from changtong.kernels import prepare_kernels
from changtong.registers_options import RegistersStore, TokenFile, open_desk
from changtong.scorecard_notice_command import notice, receive
from changtong.scorecard_options import CardId, Department, Note, Reason, Subject, Values, Version

if TYPE_CHECKING:
    from changtong.storage.records import Record
    from changtong.storage.store import Desk, Store

scorecard = typer.Typer(
    help="Scorecards: values from what the system knows; self-reports, marks, appeals in the registers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="SCORECARD/", help="A scorecard folder.")]


@scorecard.callback()
def group() -> None:
    """Scorecards: values from what the system knows; self-reports, marks, appeals in the registers."""


@scorecard.command(short_help="Where values and findings may come from.")
def sources(as_json: AsJson = False) -> None:
    """List where values of indicators and findings of rules may come from: the words for ``source``."""
    from changtong.assessment.value_sources import value_sources

    listed = [one.to_dict() for one in value_sources().values()]
    lines = [
        f"{one['source']:<46} {one['unit'] or 'finding':<11} {one['name_zh']} ({one['name_en']}): "
        f"{one['numerator']}{' / ' + one['denominator'] if one['denominator'] else ''}"
        for one in listed
    ]
    print_result({"sources": listed}, "\n".join(lines), as_json=as_json)


@scorecard.command(short_help="Compute values from the scan log, tasks, hazards, registers.")
def fill(
    folder: Folder,
    output: Out,
    log: Annotated[Path | None, typer.Option("--log", metavar="LOG/", help="A scan log.")] = None,
    counts: Annotated[
        list[Path] | None,
        typer.Option("--counts", metavar="COUNTS.csv", help="counts.csv of `safety tasks`; again for each."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="LEDGER/", help="A hazard ledger; else the registers'.")
    ] = None,
    collected: Annotated[
        Path | None,
        typer.Option("--from", metavar="COLLECTED/", help="Collected inspections; else the registers'."),
    ] = None,
    county: Annotated[
        list[str] | None,
        typer.Option("--county", metavar="SUBJECT=COUNTY/", help="A subject's county; again for each."),
    ] = None,
    registers: Annotated[
        str | None, typer.Option("--registers", metavar="STORE", help="The registers.")
    ] = None,
    token: Annotated[
        Path | None, typer.Option("--token", metavar="FILE", help="The token, with --registers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute what the card says comes from the system, with what each number was made of."""
    from changtong.assessment.card_folder import read_scorecard
    from changtong.assessment.card_writer import check_card_folder
    from changtong.events.log import open_log
    from changtong.scorecards.known_counts import Inputs
    from changtong.studies import run_study

    if (registers is None) != (token is None):
        raise UsageError("--registers and --token belong together.")
    check_card_folder(output)
    card = read_scorecard(folder, to_fill=True)
    opened = None if log is None else open_log(log)
    if opened is not None:
        prepare_kernels(say, "scan log")()
    store: Store | None = None
    desk: Desk | None = None
    if registers is not None and token is not None:
        store, desk = open_desk(registers, token)
    progress = StageProgress("Computing values")
    try:
        inputs = Inputs(opened, tuple(counts or ()), ledger, collected, desk, _counties(county or []))
        made = run_study("scorecard-fill", card, folder=output, inputs=inputs, watch=progress).result
    finally:
        progress.close()
        if store is not None:
            store.close()
    print_result(made.summary() | {"folder": str(output)}, f"{made}\n  → {output}", as_json=as_json)


def _counties(given: list[str]) -> dict[str, tuple[Path, ...]]:
    """Return the county folders of each subject."""
    found: dict[str, tuple[Path, ...]] = {}
    for text in given:
        subject, equals, folder = text.partition("=")
        if not equals or not subject.strip() or not folder.strip():
            raise UsageError(f"--county {text!r}: expected SUBJECT=COUNTY/.")
        found[subject.strip()] = (*found.get(subject.strip(), ()), Path(folder.strip()))
    return found


@scorecard.command(short_help="Put a card into the registers.")
def keep(
    folder: Folder, registers: RegistersStore, token: TokenFile, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Put a card with all who are assessed into the registers; a changed one is kept as another version."""
    from changtong.assessment.card_folder import read_scorecard
    from changtong.scorecards.statements import keep_card

    card = read_scorecard(folder)
    store, desk = open_desk(registers, token)
    with store:
        made = keep_card(desk, card, reason)
    print_result({"card": made.id, "subjects": made["subjects"]}, made.id, as_json=as_json)


@scorecard.command("list", short_help="Cards that are kept.")
def list_cards(registers: RegistersStore, token: TokenFile, as_json: AsJson = False) -> None:
    """List the cards that one may see, with version, where they come from and when they were kept."""
    from changtong.scorecards.card_versions import heading_of

    store, desk = open_desk(registers, token)
    with store:
        rows = [heading_of(one) for one in desk.every("scorecard")]
    lines = [
        f"{row['card']}  {row['name_zh']}, version {row['version']} ({row['provenance']}),"
        f" {row['subjects']} assessed, kept {row['kept_at'][:10]}"
        for row in rows
    ]
    print_result({"cards": rows}, "\n".join(lines) or "no cards", as_json=as_json)


@scorecard.command(short_help="A kept card: items, points, source, versions.")
def show(registers: RegistersStore, card: CardId, token: TokenFile, as_json: AsJson = False) -> None:
    """Show a card: items, points, evidence wanted, rules, source, and whether a later version is kept."""
    from changtong.scorecards.card_versions import read_kept_card

    store, desk = open_desk(registers, token)
    with store:
        found = read_kept_card(desk, card)
    print_result(found.to_json(), str(found), as_json=as_json)


@scorecard.command(short_help="What changed from one kept card to another.")
def compare(
    registers: RegistersStore,
    card: CardId,
    since: Annotated[str, typer.Option("--since", metavar="ID", help="The earlier card.")],
    token: TokenFile,
    as_json: AsJson = False,
) -> None:
    """Tell what changed of the card itself: rows added and removed, cells changed."""
    from changtong.scorecards.card_versions import compare_cards

    store, desk = open_desk(registers, token)
    with store:
        found = compare_cards(desk, since, card)
    print_result(found.to_json(), str(found), as_json=as_json)


@scorecard.command(short_help="How far everybody on a card is, and who has handed in.")
def status(registers: RegistersStore, card: CardId, token: TokenFile, as_json: AsJson = False) -> None:
    """Tell the stage of each that is assessed, with its version, and which departments are waited for."""
    from changtong.scorecards.card_records import status_of
    from changtong.storage.scorecards import read_marking

    store, desk = open_desk(registers, token)
    with store:
        facts = status_of(read_marking(desk, card))
    waited = facts["waiting_for"]
    lines = [
        f"{row['subject_id']:<20} {row['stage']:<12} version {row['version']}  {row['name']}"
        for row in facts["assessed"]
    ]
    lines.append(f"waiting for: {', '.join(waited)}" if waited else "all departments have handed in")
    print_result(facts, "\n".join(lines), as_json=as_json)


def _say(
    stage: str, registers: str, card: str, token: Path, subject: str, *, as_json: bool, **said: Any
) -> None:
    """Put down what is said at a stage."""
    from changtong.scorecards.statements import VALUE_COLUMNS, read_rows, say

    path = said.pop("path")
    values = None if path is None else read_rows(path, VALUE_COLUMNS, ("indicator_id", "value"))
    store, desk = open_desk(registers, token)
    with store:
        made = say(desk, card, subject, stage, values=values, **said)
    _tell(made, as_json=as_json)


def _tell(made: Record, *, as_json: bool) -> None:
    facts = {"subject_id": made["subject_id"], "stage": made["state"], "version": made.version}
    text = f"{made['subject_id']}: {made['state']}, version {made.version}"
    print_result(facts, text, as_json=as_json)


@scorecard.command("report", short_help="A self-report, by who is assessed.")
def self_report(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subject: Subject,
    values: Values = None,
    note: Note = "",
    version: Version = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Hand in a self-report; it may be handed in anew until it is reviewed."""
    _say("self_report", registers, card, token, subject, as_json=as_json, path=values, note=note,
         version=version, reason=reason)  # fmt: skip


@scorecard.command(short_help="A review, by those who assess.")
def review(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subject: Subject,
    values: Values = None,
    note: Note = "",
    version: Version = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Review what was reported; values given here take the place of those reported."""
    _say("review", registers, card, token, subject, as_json=as_json, path=values, note=note,
         version=version, reason=reason)  # fmt: skip


@scorecard.command(short_help="An appeal, by who is assessed.")
def appeal(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subject: Subject,
    values: Values = None,
    facts: Annotated[
        list[str] | None, typer.Option("--fact", metavar="ID", help="A finding it disputes; again for each.")
    ] = None,
    note: Note = "",
    version: Version = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Appeal against the review; what it claims counts once it is decided, disputed findings are marked."""
    _say("appeal", registers, card, token, subject, as_json=as_json, path=values, facts=facts or (),
         note=note, version=version, reason=reason)  # fmt: skip


@scorecard.command(short_help="The final word, by those who assess.")
def decide(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subject: Subject,
    values: Values = None,
    withdraw: Annotated[
        list[str] | None,
        typer.Option("--withdraw", metavar="FACT", help="A finding that counts no more; again for each."),
    ] = None,
    note: Note = "",
    version: Version = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Decide; who reviewed it does not decide on the appeal against it, and nobody on their own."""
    _say("final", registers, card, token, subject, as_json=as_json, path=values, facts=withdraw or (),
         note=note, version=version, reason=reason)  # fmt: skip


@scorecard.command(short_help="Marks of one's own department: put down, or shown.")
def mark(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    department: Department,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[MARKS.csv]", help="subject_id, indicator_id, points, evidence, version; none: show."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put down marks, all or none, blind until every department has handed in; or show one's own."""
    from changtong.scorecards.statements import MARK_COLUMNS, own_marks, read_rows
    from changtong.scorecards.statements import mark as put_down

    marks = None if file is None else read_rows(file, MARK_COLUMNS, ("subject_id", "points"))
    store, desk = open_desk(registers, token)
    with store:
        if marks is None:
            found = own_marks(desk, card, department)
            print_result({"marks": found.to_dicts()}, found.write_csv().strip(), as_json=as_json)
            return
        count = put_down(desk, card, department, marks)
    print_result({"marked": count}, f"{count} marked", as_json=as_json)


@scorecard.command("hand-in", short_help="One's own department is done.")
def hand_in(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    department: Department,
    sets_none: Annotated[
        bool, typer.Option("--sets-none", help="It gives no marks, and the others' count.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say that one's own department is done; with the last one the marks of all are shown."""
    from changtong.scorecards.statements import hand_in as done

    store, desk = open_desk(registers, token)
    with store:
        shown = done(desk, card, department, sets_none=sets_none)
    text = "handed in; the marks of all are shown now" if shown else "handed in; others are waited for"
    print_result({"department": department, "marks_are_shown": shown}, text, as_json=as_json)


@scorecard.command(short_help="Marks of all departments, once shown, and where they disagree.")
def disagreements(registers: RegistersStore, card: CardId, token: TokenFile, as_json: AsJson = False) -> None:
    """Show the marks of all departments and where they disagree; nothing until all have handed in."""
    from changtong.scorecards.statements import shown_marks

    store, desk = open_desk(registers, token)
    with store:
        found = shown_marks(desk, card)
    waiting = list(found.waiting_for)
    facts = {
        "card": card, "waiting_for": waiting, "marks": found.marks.to_dicts(),
        "disagreements": found.disagreements.to_dicts(),
    }  # fmt: skip
    apart = found.disagreements.write_csv().strip() if found.disagreements.height else "no disagreements"
    text = f"{found.marks.write_csv().strip()}\n\n{apart}"
    print_result(facts, f"waiting for: {', '.join(waiting)}" if waiting else text, as_json=as_json)


@scorecard.command(short_help="A card of the registers as a folder.")
def export(
    registers: RegistersStore, card: CardId, token: TokenFile, output: Out, as_json: AsJson = False
) -> None:
    """Write a card as a scorecard folder, which gives the same scores; blind marks are not in it."""
    from changtong.assessment.card_writer import check_card_folder, write_scorecard
    from changtong.scorecards.statements import read_card

    check_card_folder(output)
    store, desk = open_desk(registers, token)
    with store:
        found = read_card(desk, card)
    write_scorecard(found, output)
    facts = {"card": card, "folder": str(output), "subjects": found.subjects.height}
    print_result(facts, f"{card}: {found.subjects.height} assessed → {output}", as_json=as_json)


@scorecard.command(short_help="Rectifications of gaps into their register.")
def rectify(
    registers: RegistersStore,
    card: CardId,
    token: TokenFile,
    subjects: Annotated[
        list[str] | None,
        typer.Option("--subject", metavar="SUBJECT", help="Only of this one; again for each."),
    ] = None,
    causes: Annotated[
        list[str] | None,
        typer.Option("--cause", metavar="CAUSE", help="Only this gap, as fact:F1; again for each."),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Day of the assessment; the year's last.")
    ] = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, help="Until the deadline.")] = 30,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Of one subject at most.")] = 20,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Put the gaps that bring most into the register of rectifications, each once, to be followed there."""
    from changtong.scorecards.rectify import rectify as put_down

    day = None if on is None else parse_day(on, "--on")
    store, desk = open_desk(registers, token)
    with store:
        made = put_down(
            desk, card, subjects=tuple(subjects or ()), causes=tuple(causes or ()), on=day, days=days,
            most=most, reason=reason,
        )  # fmt: skip
    rows = [{"id": one.id, "gap": one["gap"], "title": one["title"]} for one in made]
    lines = [f"{row['id']}  {row['gap']}" for row in rows]
    print_result({"added": rows}, "\n".join(lines) or "nothing new", as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    scorecard.command(short_help="Issue a notice of a result, and write it.")(notice)
    scorecard.command(short_help="A notice has been received, by who is assessed.")(receive)
    app.add_typer(
        scorecard,
        name="scorecard",
        short_help="Values of scorecards; cards in the registers, marks, appeals.",
    )
