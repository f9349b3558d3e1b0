"""The command ``assess``: everybody's score on a scorecard, with a page, tables and notices."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, Language, Out, PageLanguage, parse_day
from changtong.console import print_result
from changtong.errors import UsageError
from changtong.registers_options import open_desk

if TYPE_CHECKING:
    from changtong.assessment.scorecard import Scorecard

Registers = Annotated[
    str | None, typer.Option("--registers", metavar="STORE", help="Read the card from these registers.")
]
CardThere = Annotated[
    str | None, typer.Option("--card", metavar="ID", help="The card there, with --registers.")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token", metavar="FILE", help="The token, with --registers.")
]


def assess(
    output: Out,
    scorecard: Annotated[
        Path | None, typer.Argument(metavar="[SCORECARD/]", help="A scorecard folder; or --registers.")
    ] = None,
    registers: Registers = None,
    card: CardThere = None,
    token: TokenFile = None,
    closing: Annotated[
        list[str] | None,
        typer.Option(
            "--closing",
            metavar="GAP",
            help="What if closed: fact:ID or indicator:SUBJECT:ID; again for each, closed together.",
        ),
    ] = None,
    within: Annotated[
        float,
        typer.Option("--within", metavar="SHARE", min=0.0, max=1.0, help="How far weights move; 0: not."),
    ] = 0.2,
    draws: Annotated[
        int, typer.Option("--draws", metavar="N", min=1, help="How often they are drawn.")
    ] = 500,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Of the draws.")] = 0,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="Day of the assessment; 31 December of the card's year."),
    ] = None,
    notices: Annotated[
        list[str] | None,
        typer.Option("--notice", metavar="SUBJECT", help="Write a notice (DOCX) to it; again for each."),
    ] = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Score everybody on a scorecard: ranking, reasons, gaps, what-if, rectifications, notices."""
    day: date | None = None if on is None else parse_day(on, "--on")
    from changtong.assessment.result import ASSESSMENT_FOLDER
    from changtong.network.io import check_replaceable

    check_replaceable(output, **ASSESSMENT_FOLDER)
    found = _card(scorecard, registers, card, token)
    from changtong.studies import run_study

    study = run_study(
        "assessment",
        found,
        folder=output,
        language=language.value,
        seed=seed,
        closing=tuple(closing or ()),
        within=within,
        draws=draws,
        on=day,
        notices=tuple(notices or ()),
    )
    where = output / "report.html"
    facts = study.result.summary() | {"folder": str(output), "report": str(where)}
    print_result(facts, f"{study.result}\n  → {where}", as_json=as_json)


def _card(folder: Path | None, registers: str | None, card: str | None, token: Path | None) -> Scorecard:
    """Read the card from its folder, or from the registers."""
    if folder is not None:
        if registers is not None or card is not None or token is not None:
            raise UsageError("Give SCORECARD/, or --registers with --card and --token: one of the two.")
        from changtong.assessment.card_folder import read_scorecard

        return read_scorecard(folder)
    if registers is None or card is None or token is None:
        raise UsageError("Give SCORECARD/, or --registers STORE --card ID --token FILE.")
    from changtong.scorecards.statements import read_card

    store, desk = open_desk(registers, token)
    with store:
        return read_card(desk, card)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Scores of a scorecard, with ranking, reasons, gaps and notices.")(assess)
