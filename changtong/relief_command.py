"""The commands ``relief``: policies checked, and firms matched with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from changtong.command_options import AsJson, Language, PageLanguage, check_page_file, parse_day
from changtong.console import print_result
from changtong.errors import UsageError
from changtong.registers_options import Registers, Token

if TYPE_CHECKING:
    from changtong.workforce.relief_match import ReliefFirms, ReliefMatch

relief = typer.Typer(
    help="Relief policies (惠企政策) and the firms that qualify.", no_args_is_help=True, rich_markup_mode=None
)
OwnPolicies = Annotated[
    Path | None, typer.Option("--policies", metavar="FILE.toml", help="Your own policies; those shipped.")
]


OwnFirms = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FIRMS.csv]",
        help="Firms and their facts; with --registers facts the registers do not hold, by organisation.",
    ),
]
OfDay = Annotated[
    str | None, typer.Option("--date", metavar="DATE", help="As of this day; today in China by default.")
]


def _matched(
    firms: Path | None, policies: Path | None, day: str | None, registers: str | None, token: Path | None
) -> tuple[ReliefFirms, ReliefMatch]:
    """Return firms, of a file or the registers, and what they are matched with."""
    from changtong.studies import run_study
    from changtong.workforce.relief_match import ReliefFirms, read_firms
    from changtong.workforce.relief_rules import read_policies

    known = read_policies(policies)
    on: date | None = None if day is None else parse_day(day, "--date")
    if registers is not None:
        from changtong.registers_options import desk_of
        from changtong.workforce_records.relief_firms import register_firms

        with desk_of(registers, token) as desk:
            subject = ReliefFirms(register_firms(desk, known, firms), known)
    elif firms is None or token is not None:
        raise UsageError("Give FIRMS.csv, or --registers STORE with --token FILE.")
    else:
        subject = ReliefFirms(read_firms(firms, known), known)
    return subject, run_study("relief-match", subject, day=on).result


@relief.command("match", short_help="Which firm qualifies for what, and what is missing.")
def match(
    firms: OwnFirms = None,
    policies: OwnPolicies = None,
    day: OfDay = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.csv", help="A row a firm and policy, as CSV."),
    ] = None,
    registers: Registers = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Match firms with policies: qualifies, could with what is missing, not; deadlines and sums."""
    from changtong.spreadsheets import without_formulas
    from changtong.written_files import write_beside

    made = _matched(firms, policies, day, registers, token)[1]
    if output is not None:
        write: Callable[[Path], object] = lambda place: without_formulas(made.rows).write_csv(  # noqa: E731
            place, include_bom=True
        )
        write_beside(output, write)
    where = {} if output is None else {"file": str(output)}
    print_result(made.to_json() | where, str(made), as_json=as_json)


@relief.command("page", short_help="The same as a page: by policy, by firm, what is missing.")
def page(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="Where to write.")],
    firms: OwnFirms = None,
    policies: OwnPolicies = None,
    day: OfDay = None,
    registers: Registers = None,
    token: Token = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Write what firms qualify for, what is missing, until when and how much, as one page."""
    from changtong.report.relief_page import relief_page
    from changtong.written_files import write_beside

    check_page_file(output)
    subject, made = _matched(firms, policies, day, registers, token)
    write_beside(output, relief_page(made, subject.policies, language=language.value))
    print_result({"file": str(output)}, f"→ {output}", as_json=as_json)


@relief.command("check", short_help="Policies: what is wrong with them, and which facts they ask for.")
def check(
    policies: Annotated[
        Path | None, typer.Argument(metavar="[POLICIES.toml]", help="Policies; by default those shipped.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file of policies; every problem is told at once."""
    from changtong.workforce.relief_rules import read_policies

    known = read_policies(policies)
    rows = [
        {
            "id": one.id, "title_zh": one.title_zh, "title_en": one.title_en, "begins": str(one.begins),
            "ends": str(one.ends), "apply_by": str(one.last_day), "provenance": one.provenance,
            "source": one.source,
        }
        for one in known.policies
    ]  # fmt: skip
    lines = [
        f"{one['id']} [{one['provenance']}] {one['begins']} to {one['ends']}: {one['title_zh']}"
        for one in rows
    ]
    lines.append(f"facts: {', '.join(known.facts)}")
    print_result({"policies": rows, "facts": list(known.facts)}, "\n".join(lines), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(relief, name="relief")
