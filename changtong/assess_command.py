"""The command ``assess``: everybody's score on a scorecard, with a page, tables and notices."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson, Language, Out, PageLanguage, parse_day
from changtong.console import print_result


def assess(
    scorecard: Annotated[Path, typer.Argument(metavar="SCORECARD/", help="A scorecard folder.")],
    output: Out,
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
    from changtong.assessment.card_folder import read_scorecard
    from changtong.assessment.result import ASSESSMENT_FOLDER
    from changtong.network.io import check_replaceable

    check_replaceable(output, **ASSESSMENT_FOLDER)
    card = read_scorecard(scorecard)
    from changtong.studies import run_study

    study = run_study(
        "assessment",
        card,
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


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Scores of a scorecard, with ranking, reasons, gaps and notices.")(assess)
