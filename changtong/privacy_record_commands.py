"""Commands for records of persons: keys and pseudonyms, retention, extracts, breaches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.command_options import AsJson, read_instant
from changtong.console import print_result
from changtong.errors import InputError, Problem, UsageError
from changtong.written_files import write_beside

KeysFile = Annotated[Path, typer.Option("--keys", metavar="KEYS", help="File of keys (docs/privacy.md).")]
OutFile = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write.")]
RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE.toml", help="Other rules than the built-in ones.")
]

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
retention = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@keys.command("new", short_help="Make a file with a first key.")
def keys_new(file: Annotated[Path, typer.Argument(metavar="KEYS")], as_json: AsJson = False) -> None:
    """Make a file of keys that only its owner can read: keep it apart from the data, and a copy of it."""
    from changtong.privacy.key_file import new_keys

    _told(new_keys(file), as_json=as_json)


@keys.command("rotate", short_help="Retire the active key, make a new one.")
def keys_rotate(file: Annotated[Path, typer.Argument(metavar="KEYS")], as_json: AsJson = False) -> None:
    """Retire the active key and make a new one."""
    from changtong.privacy.key_file import rotate_keys

    _told(rotate_keys(file), as_json=as_json)


@keys.command("drop", short_help="Forget a retired key.")
def keys_drop(
    file: Annotated[Path, typer.Argument(metavar="KEYS")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="k1, for example.")],
    as_json: AsJson = False,
) -> None:
    """Forget a retired key: what was sealed with it can never be read again."""
    from changtong.privacy.key_file import drop_key

    _told(drop_key(file, name), as_json=as_json)


def _told(made: Any, *, as_json: bool) -> None:
    shown = [{"name": key.name, "state": key.state, "made_at": key.made_at} for key in made.keys]
    lines = [f"{one['name']}  {one['state']:<8} {one['made_at']}" for one in shown]
    print_result({"keys": shown}, "\n".join(lines), as_json=as_json)


def pseudonymise(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet.")],
    output: OutFile,
    key_file: KeysFile,
    columns: Annotated[list[str], typer.Option("--column", metavar="COLUMN", help="Columns to replace.")],
    reversible: Annotated[
        bool, typer.Option("--reversible", help="Sealed, to be given back with a right.")
    ] = False,
    reseal: Annotated[
        bool, typer.Option("--reseal", help="The columns are sealed: bring all under the active key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put keyed pseudonyms in the place of values: one-way ones, or sealed ones."""
    from changtong.privacy.key_file import read_keys
    from changtong.privacy.pseudonyms import pseudonymise_column, reseal_column
    from changtong.privacy.table_file import read_table, write_table

    frame = read_table(file, columns)
    known = read_keys(key_file)
    changed = 0
    for name in columns:
        if reseal:
            made, count = reseal_column(frame[name], known)
            changed += count
        else:
            made = pseudonymise_column(frame[name], known, reversible=reversible)
            changed += int(made.is_not_null().sum())
        frame = frame.with_columns(made.alias(name))
    write_table(frame, output)
    facts = {"file": str(output), "rows": frame.height, "values": changed, "key": known.active.name}
    text = f"{changed:,} values of {frame.height:,} rows under {known.active.name} → {output}"
    print_result(facts, text, as_json=as_json)


@retention.command("rules", short_help="The rules there are, and their sources.")
def retention_rules(rules: RulesFile = None, as_json: AsJson = False) -> None:
    """List the rules, with their basis and source."""
    from dataclasses import asdict

    from changtong.privacy.retention import read_retention

    known = list(read_retention(rules).values())
    lines = []
    for one in known:
        period = "open" if one.delete_after_days is None else f"{one.delete_after_days} days"
        lines.append(
            f"{one.name}: {one.name_zh}, deleted after {period} ({one.provenance}: {one.basis}; {one.source})"
        )
    print_result({"rules": [asdict(one) for one in known]}, "\n".join(lines), as_json=as_json)


@retention.command("delete", short_help="Delete what is due; with a certificate.")
def retention_delete(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, Parquet or SQLite.")],
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help="Of the rules.")],
    column: Annotated[str, typer.Option("--column", metavar="COLUMN", help="When a record was made.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who deletes.")],
    key_file: KeysFile,
    output: OutFile,
    table: Annotated[str, typer.Option("--table", metavar="TABLE", help="Of SQLite.")] = "",
    now: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="With a zone; now unless told.")
    ] = None,
    rules: RulesFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete the records that are due, so that the file no longer holds them, and certify it."""
    from changtong.privacy.deletion import delete_due
    from changtong.privacy.key_file import read_keys
    from changtong.privacy.retention import named_rule, read_retention

    if output.exists():
        raise UsageError(f"{output} is there already: a certificate is not written over.")
    write_beside(output, "")  # what cannot be certified is not deleted
    try:
        made = delete_due(
            file, column, named_rule(read_retention(rules), rule), keys=read_keys(key_file), table=table,
            now=read_instant(now) or datetime.now(UTC), by=by,
        )  # fmt: skip
    except BaseException:
        output.unlink()
        raise
    write_beside(output, json.dumps(made.to_json(), ensure_ascii=False, indent=1) + "\n")
    print_result(made.to_json(), str(made), as_json=as_json)


@retention.command("verify", short_help="Check a certificate.")
def retention_verify(
    certificate: Annotated[Path, typer.Argument(metavar="CERTIFICATE")],
    key_file: KeysFile,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Is it still as the deletion left it?")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that a certificate is as it was sealed; exit code 1: the file has changed since."""
    from changtong.privacy.deletion import check_certificate, read_certificate
    from changtong.privacy.key_file import read_keys

    told = read_certificate(certificate)
    same = check_certificate(told, read_keys(key_file), file)
    text = f"{told}\nThe seal is right."
    if file is not None:
        text += f" The file is {'as it was left' if same else 'another now'}."
    facts = {"file_unchanged": None if file is None else same, **told.to_json()}
    print_result(facts, text, as_json=as_json)
    if not same:
        raise typer.Exit(1)


def extract(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet.")],
    output: OutFile,
    quasi: Annotated[
        list[str],
        typer.Option(
            "--coarser",
            metavar="COLUMN=HOW",
            help="admin, time, text, or band:5,10,20; once for each column.",
        ),
    ],
    k: Annotated[int, typer.Option("--k", min=2, help="Rows that are alike, at least.")] = 5,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="COLUMN", help="Given out as it is.")
    ] = None,
    sensitive: Annotated[
        str | None,
        typer.Option("--sensitive", metavar="COLUMN", help="Of those kept: must differ in a group."),
    ] = None,
    unlike: Annotated[int, typer.Option("--unlike", min=1, help="Values of it in each group, at least.")] = 1,
    suppress: Annotated[
        float, typer.Option("--suppress", min=0.0, max=0.99, help="Share of rows that may be left out.")
    ] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Give out an extract in which nobody stands alone: columns coarser, small groups left out."""
    from changtong.privacy.extracts import extract as make
    from changtong.privacy.extracts import parse_hierarchy
    from changtong.privacy.table_file import read_table, write_table

    given, problems = {}, []
    for one in quasi:
        name, sign, how = one.partition("=")
        try:
            if not sign or name in given:
                raise UsageError(f"--coarser {one!r} is not COLUMN=HOW, or names a column twice.")
            given[name] = parse_hierarchy(how)
        except UsageError as error:
            problems.append(Problem(error.code, str(error)))
    if problems:
        raise InputError(problems)
    frame = read_table(file, [*given, *(keep or [])])
    made = make(frame, given, k, keep=keep or [], sensitive=sensitive, unlike=unlike, suppress_share=suppress)
    write_table(made.frame, output)
    print_result(made.to_json() | {"file": str(output)}, f"{made}\n→ {output}", as_json=as_json)


def breach(
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When it became known, with a zone.")],
    now: Annotated[str | None, typer.Option("--now", metavar="TIME", help="Now unless told.")] = None,
    done: Annotated[
        list[str] | None, typer.Option("--done", metavar="STEP=TIME", help="A step that is done.")
    ] = None,
    records: Annotated[
        list[str] | None, typer.Option("--records", metavar="SORT=N", help="trails, transactions or other.")
    ] = None,
    steps: Annotated[
        Path | None, typer.Option("--steps", metavar="FILE.toml", help="Other steps than the built-in ones.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What must be done after a breach, by when, and what is overdue. Exit code 1: something is."""
    from changtong.privacy.breach import breach_clock

    problems: list[Problem] = []
    known = _time(at, "--at", problems), _time(now, "--now", problems)
    pairs = _pairs(done, "--done", problems).items()
    made = {name: _time(time, f"--done {name}", problems) for name, time in pairs}
    counts = {}
    for name, count in _pairs(records, "--records", problems).items():
        if not (count.isascii() and count.isdigit() and len(count) < 16):
            text = f"--records {name}={count!r} is no count; expected SORT=N."
            problems.append(Problem("bad-usage", text))
        else:
            counts[name] = int(count)
    if problems:
        raise InputError(problems)
    clock = breach_clock(*known, done=made, records=counts, path=steps)
    print_result(clock.to_json(), str(clock), as_json=as_json)
    if clock.overdue:
        raise typer.Exit(1)


def _pairs(given: list[str] | None, option: str, problems: list[Problem]) -> dict[str, str]:
    made = {}
    for one in given or []:
        name, sign, value = one.partition("=")
        if not sign or name in made:
            text = f"{option} {one!r} is not NAME=VALUE, or comes twice."
            problems.append(Problem("bad-usage", text))
        else:
            made[name] = value
    return made


def _time(text: str | None, option: str, problems: list[Problem]) -> datetime:
    try:
        return read_instant(text, option) or datetime.now(UTC)
    except UsageError as error:
        problems.append(Problem(error.code, str(error)))
        return datetime.now(UTC)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="Keyed pseudonyms in the place of values.")(pseudonymise)
    app.add_typer(keys, name="keys", short_help="Keys of pseudonyms: make, rotate, drop.")
    app.add_typer(retention, name="retention", short_help="What is due: rules, deletion, certificates.")
    app.command(short_help="An extract in which nobody stands alone.")(extract)
    app.command(short_help="What must be done after a breach, and by when.")(breach)
