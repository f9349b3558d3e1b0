"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Language(StrEnum):
    """Language of pages."""

    zh = "zh"
    en = "en"


Folder = Annotated[Path, typer.Argument(metavar="NET/", help="A network folder.")]
Out = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; an older result is replaced."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, nothing else, on standard output.")
]
Gap = Annotated[
    float, typer.Option("--gap", min=0.0, max=1.0, help="Proved gap at which to stop (0.001 = 0.1 %).")
]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Time limit for the flow.")]
PageLanguage = Annotated[Language, typer.Option("--language", help="Language pages open in.")]
