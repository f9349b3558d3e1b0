"""Commands for personal data: mask a file, find what leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson
from changtong.console import StepProgress, print_result
from changtong.errors import UsageError

OutFile = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write.")]


def mask(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, Parquet, JSON lines or XLSX.")],
    output: OutFile,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="KIND=COLUMN",
            help="What a column holds: name, phone, address, id_number, bank_card, plate, email, passport,"
            " all; text masks finds within, keep leaves it.",
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE.toml", help="Other rules (docs/privacy.md).")
    ] = None,
    no_header: Annotated[bool, typer.Option("--no-header", help="The first row is data already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a copy of a file with personal data masked by GB/T 41833; says what each column was taken for."""
    from changtong.privacy.mask_file import mask_file
    from changtong.privacy.mask_rules import read_mask_rules

    given: dict[str, str] = {}
    for one in columns or []:
        kind, sign, column = one.partition("=")
        if not sign or not column:
            raise UsageError(f"--column {one!r} is not KIND=COLUMN.")
        if given.setdefault(column, kind) != kind:
            raise UsageError(f"--column names {column!r} twice.")
    progress = _Megabytes("Masking")
    try:
        made = mask_file(
            file, output, columns=given, rules=None if rules is None else read_mask_rules(rules),
            has_header=not no_header, progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    print_result(made.to_json(), str(made), as_json=as_json)


def find_personal_data(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Files and folders.")],
    least: Annotated[
        str, typer.Option("--least", metavar="LEVEL", help="Confidence that counts: low, medium or high.")
    ] = "medium",
    as_json: AsJson = False,
) -> None:
    """Find personal data in files and folders; shows masked excerpts. Exit code 1: something found."""
    from changtong.privacy.find_personal_data import find_personal_data as find

    progress = _Megabytes("Looking")
    try:
        found = find(paths, least=least, progress=progress)
    finally:
        progress.close()
    print_result(found.to_json(), str(found), as_json=as_json)
    if found.found:
        raise typer.Exit(1)


class _Megabytes:
    """Progress in megabytes with the time left."""

    def __init__(self, what: str) -> None:
        self.line = StepProgress(f"{what}, kB")

    def __call__(self, done: int, total: int) -> None:
        self.line(done // 1000, max(1, total // 1000))

    def close(self) -> None:
        self.line.close()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="A copy of a file with personal data masked.")(mask)
    app.command("find-personal-data", short_help="Personal data in files and folders.")(find_personal_data)
