"""Options of the commands about cards in the registers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CardId = Annotated[
    str, typer.Option("--card", metavar="ID", help="The card in the registers, as `scorecard keep` told.")
]
Subject = Annotated[str, typer.Option("--subject", metavar="SUBJECT", help="Who is assessed.")]
Department = Annotated[
    str, typer.Option("--department", metavar="ID", help="One's own department on the card.")
]
Values = Annotated[
    Path | None,
    typer.Option("--values", metavar="VALUES.csv", help="indicator_id, value, evidence, source."),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What is said; no names of persons.")]
Version = Annotated[
    int | None,
    typer.Option("--version", metavar="N", min=1, help="Of the assessment as it was read; else as it is."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")]
