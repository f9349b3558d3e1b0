"""The commands ``outlets``: months from days, the index, the early warning and its test."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson, Language, PageLanguage
from changtong.console import print_result
from changtong.errors import InputError, Problem, UsageError

if TYPE_CHECKING:
    import polars as pl

    from changtong.outlets.index_rules import IndexRules

outlets = typer.Typer(
    help="How stable outlets stand, why, and which may stop.", no_args_is_help=True, rich_markup_mode=None
)
Months = Annotated[
    Path, typer.Argument(metavar="MONTHS", help="Months of outlets, CSV or Parquet (docs/outlets.md).")
]
RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE.toml", help="Your own weights, scales and bands.")
]
Absent = Annotated[
    str | None,
    typer.Option("--absent", metavar="WHAT", help="What a month without a row is: unknown or stopped."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FOLDER/", help="Tables and a page; an older result is replaced."),
]
SHOWN = 10


def _rules(file: Path | None, absent: str | None) -> IndexRules:
    from changtong.outlets.index_rules import ABSENT, read_index_rules

    rules = read_index_rules(file)
    if absent is None:
        return rules
    if absent not in ABSENT:
        raise UsageError(f"--absent {absent!r} is not known; expected one of {', '.join(ABSENT)}.")
    return rules.with_absent(absent)


def _shown(frame: pl.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in columns} for row in frame.head(SHOWN).iter_rows(named=True)]


@outlets.command("index", short_help="The stability index of each outlet, with the reasons.")
def show_index(
    months: Months,
    output: Output = None,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="As of this month; the last by default.")
    ] = None,
    rules: RulesFile = None,
    absent: Absent = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Score outlets; the least stable come first."""
    from changtong.outlets.outlet_months import read_outlet_months
    from changtong.outlets.stability import OTHER_BANDS
    from changtong.studies import run_study

    used = _rules(rules, absent)
    known = read_outlet_months(months)
    study = run_study("outlet-index", known, folder=output, language=language.value, rules=used, month=month)
    result = study.result
    table, facts = result.table(), result.summary()
    names = {one.id: getattr(one, language.value) for one in used.bands}
    names |= {name: said[language.value] for name, said in OTHER_BANDS.items()}
    lines = [f"{facts['month']}: {facts['outlets']} outlets, rules {facts['rules']}"]
    lines.append("  ".join(f"{names.get(name, name)} {count}" for name, count in facts["bands"].items()))
    for row in table.filter(~table["band"].is_in(["stopped", "no_data"])).head(SHOWN).iter_rows(named=True):
        index = "–" if row["index"] is None else f"{row['index']:.1f}"
        lines.append(f"  {row['outlet_id']}  {index}  {row[f'reasons_{language.value}']}")
    columns = ["outlet_id", "index", "low", "high", "band", "reasons_zh", "reasons_en"]
    where = {} if output is None else {"folder": str(output)}
    print_result(
        facts | {"least_stable": _shown(table, columns)} | where, _with_place(lines, output), as_json=as_json
    )


@outlets.command("warn", short_help="Which outlets may stop within the next months.")
def warn(
    months: Months,
    output: Output = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="YYYY-MM", help="Last month that is known; later rows do not count."),
    ] = None,
    rules: RulesFile = None,
    absent: Absent = None,
    language: PageLanguage = Language.zh,
    as_json: AsJson = False,
) -> None:
    """Warn of outlets; the probability is learned from the months given. Exit code 0 whatever it finds."""
    from changtong.outlets.outlet_months import read_outlet_months
    from changtong.studies import run_study

    used = _rules(rules, absent)
    known = read_outlet_months(months)
    study = run_study(
        "outlet-warnings", known, folder=output, language=language.value, rules=used, until=until
    )
    result = study.result
    facts, horizon = result.summary(), used.warning.horizon_months
    lines = [
        f"{facts['month']}: {facts['warned']} of {facts['outlets']} outlets are warned of; about "
        f"{facts['expected_stops']:g} of all are expected to stop within {horizon} months",
        f"learned from {facts['learned_rows']:,} outlet-months, "
        f"{facts['learned_stops']:,} followed by a stop",
    ]
    for row in result.table.head(SHOWN).iter_rows(named=True):
        mark = "!" if row["is_warned"] else " "
        chance = f"{row[f'chance_{horizon}'] * 100:.0f} %"
        lines.append(f"{mark} {row['outlet_id']}  {chance:>5}  {row[f'reasons_{language.value}']}")
    columns = [name for name in result.table.columns if name not in ("trace", "name", "firm", "month")]
    where = {} if output is None else {"folder": str(output)}
    print_result(
        facts | {"likeliest": _shown(result.table, columns)} | where,
        _with_place(lines, output),
        as_json=as_json,
    )


@outlets.command("evaluate", short_help="The warning tested on months held out, beside simple rules.")
def evaluate(
    months: Months,
    split: Annotated[
        str | None, typer.Option("--split", metavar="YYYY-MM", help="Last month learned from; two thirds.")
    ] = None,
    output: Output = None,
    rules: RulesFile = None,
    absent: Absent = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the intervals; on record.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn from earlier months, test on later ones: ranking, calibration, lead, false warnings."""
    from changtong.outlets.outlet_months import read_outlet_months
    from changtong.studies import run_study

    used = _rules(rules, absent)
    known = read_outlet_months(months)
    study = run_study("outlet-evaluation", known, folder=output, seed=seed, rules=used, split=split)
    where = {} if output is None else {"folder": str(output)}
    print_result(study.result.to_json() | where, _with_place([str(study.result)], output), as_json=as_json)


@outlets.command("months", short_help="Months of outlets from days of the scan log and registers.")
def make_months(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.csv", help="The table of months.")],
    days: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[INDICATORS/…]", help="Folders that changtong indicators wrote, one a day."),
    ] = None,
    registers: Annotated[
        list[Path] | None,
        typer.Option(
            "--with", metavar="FILE", help="What else is known by outlet and month; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put together the table that index, warn and evaluate read."""
    from changtong.outlets.months_of_days import months_of_days
    from changtong.spreadsheets import without_formulas
    from changtong.written_files import write_beside

    if not days and not registers:
        raise UsageError("Give folders of indicators, or --with FILE.")
    made = months_of_days(_read_days(days or []), registers or [])
    write_beside(output, lambda place: without_formulas(made.table).write_csv(place, include_bom=True))
    facts = made.summary()
    text = f"{facts['rows']} rows of {facts['outlets']} outlets, {facts['days']} days of the log → {output}"
    if facts["months_left_out"]:
        text += f"\n  too few days known, left out: {', '.join(facts['months_left_out'])}"
    if made.no_outlets:
        named = ", ".join(made.no_outlets[:10]) + (" …" if len(made.no_outlets) > 10 else "")
        text += f"\n  {len(made.no_outlets)} sites accept and deliver nothing, left out: {named}"
    print_result(facts | {"file": str(output)}, text, as_json=as_json)


def _read_days(folders: list[Path]) -> list[tuple[date, pl.DataFrame]]:
    import polars as pl

    made: dict[date, pl.DataFrame] = {}
    problems: list[Problem] = []
    for folder in folders:
        try:
            day = date.fromisoformat(json.loads((folder / "indicators.json").read_text("utf-8"))["day"])
            values = pl.read_parquet(folder / "values.parquet")
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            text = f"{folder} is no folder of indicators."
            problems.append(
                Problem("not-indicators", text, folder.name, expected="one of changtong indicators")
            )
            continue
        if day in made:
            problems.append(
                Problem("duplicate-day", f"{day} is there twice.", folder.name, hint="Give a day once.")
            )
        made[day] = values
    if problems:
        raise InputError(problems)
    return sorted(made.items())


def _with_place(lines: list[str], output: Path | None) -> str:
    return "\n".join(lines if output is None else [*lines, f"  → {output}"])


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(outlets, name="outlets")
