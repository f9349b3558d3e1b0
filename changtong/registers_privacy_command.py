"""Commands of the registers about personal data: looked at, searched for, held and erased."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from changtong.command_options import AsJson
from changtong.console import print_result
from changtong.errors import UsageError
from changtong.registers_options import (
    Files,
    KeysFile,
    Kind,
    Place,
    RecordId,
    TokenFile,
    Why,
    open_desk,
    read_token,
    registers,
    shown_record,
    shown_value,
)


@registers.command(short_help="Personal data of one record, on record.")
def reveal(
    place: Place,
    kind: Kind,
    record: RecordId,
    token: TokenFile,
    reason: Why,
    columns: Annotated[
        list[str] | None, typer.Option("--column", metavar="COLUMN", help="Only this one; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a record with its personal data; who, when, why and which columns go on record before."""
    store, desk = open_desk(place, token)
    with store:
        found = shown_record(desk.reveal(kind, record, reason, columns or None))
    lines = [f"{name}: {value}" for name, value in found.items() if value is not None]
    print_result(found, "\n".join(lines), as_json=as_json)


@registers.command("reveal-pseudonyms", short_help="Values behind sealed pseudonyms, on record.")
def reveal_pseudonyms(
    place: Place,
    token: TokenFile,
    key_file: KeysFile,
    field: Annotated[
        str, typer.Option("--field", metavar="NAME", help="Column they were sealed for, and of --table.")
    ],
    reason: Why,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[PSEUDONYM…]", help="Sealed values (k1~…).")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="FILE", help="Instead: the column of a CSV or Parquet file."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where the table with values goes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give values back, with the right of the registers and a reason; each look is an entry of the audit."""
    from changtong.privacy.key_file import read_keys
    from changtong.storage.pseudonym_looks import reveal_pseudonyms as look

    if (table is None) == (not values) or (table is None) != (output is None):
        raise UsageError("Give pseudonyms, or --table FILE with -o FILE.")
    keys = read_keys(key_file)
    store, desk = open_desk(place, token)
    with store:
        if table is None or output is None:
            found = look(desk, keys, field, values or [], reason)
            pairs = dict(zip(values or [], found, strict=True))
            text = "\n".join(f"{one}  {value}" for one, value in pairs.items())
            print_result({"field": field, "values": pairs}, text, as_json=as_json)
            return
        count = _reveal_table(table, output, field, lambda sealed: look(desk, keys, field, sealed, reason))
    facts = {"field": field, "file": str(output), "values": count}
    print_result(facts, f"{count:,} values → {output}", as_json=as_json)


def _reveal_table(table: Path, output: Path, field: str, look: Callable[[list[str]], list[str]]) -> int:
    """Write a table with the values behind one column; return how many different ones were opened."""
    import polars as pl

    from changtong.privacy.table_file import read_table, write_table

    if output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    frame = read_table(table, [field])
    sealed = [one for one in frame[field].cast(pl.String).unique(maintain_order=True) if one]
    values = dict(zip(sealed, look(sealed), strict=True))
    made = pl.Series(field, [values.get(one, one) for one in frame[field].cast(pl.String)], pl.String)
    write_table(frame.with_columns(made), output, private=True)
    return len(values)


@registers.command("find-personal-data", short_help="Where none is declared: titles, notes, attachments.")
def find_personal_data(
    place: Place,
    token: TokenFile,
    least: Annotated[
        str, typer.Option("--least", metavar="LEVEL", help="Confidence that counts: low, medium or high.")
    ] = "medium",
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Find personal data in columns not declared personal and in attachments, masked. Exit code 1: found."""
    from changtong.storage.personal_search import find_in_registers

    store, desk = open_desk(place, token, files)
    with store:
        found = find_in_registers(store, desk, least=least)
    print_result(found.to_json(), str(found), as_json=as_json)
    if found.found.found:
        raise typer.Exit(1)


@registers.command(short_help="Keep a record from being erased.")
def hold(
    place: Place, kind: Kind, record: RecordId, token: TokenFile, reason: Why, as_json: AsJson = False
) -> None:
    """Put a legal hold on a record: neither it nor what belongs to it is erased until the hold is lifted."""
    store, desk = open_desk(place, token)
    with store:
        made = desk.hold(kind, record, reason)
    print_result({"hold": made}, made, as_json=as_json)


@registers.command(short_help="Lift a legal hold.")
def lift(
    place: Place,
    hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="Its id, as `holds` shows it.")],
    token: TokenFile,
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Lift a legal hold; what is due is erased the next time."""
    store, desk = open_desk(place, token)
    with store:
        desk.lift(hold_id, reason)
    print_result({"lifted": hold_id}, "lifted", as_json=as_json)


@registers.command(short_help="The legal holds in force.")
def holds(place: Place, token: TokenFile, as_json: AsJson = False) -> None:
    """List the legal holds in force on records one may see holds of."""
    store, desk = open_desk(place, token)
    with store:
        found = [{name: shown_value(value) for name, value in one.items()} for one in desk.holds()]
    lines = [f"{one['id']}  {one['kind']} {one['record']}: {one['reason']}" for one in found]
    print_result({"holds": found}, "\n".join(lines) or "none", as_json=as_json)


@registers.command(short_help="Erase what is due by rule; with a certificate.")
def erase(
    place: Place,
    token: TokenFile,
    rules: Annotated[Path, typer.Option("--rules", metavar="FILE.toml", help="A section for each register.")],
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="Its begin, UTC, is the instant; now without."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be erased.")] = False,
    second: Annotated[
        Path | None, typer.Option("--second", metavar="FILE", help="Token of the second person who agrees.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--keys", metavar="KEYS", help="Their active key seals the certificate.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where the certificate goes.")
    ] = None,
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Erase the records that are due, with their files; run it again after a crash to end what was begun."""
    from changtong.privacy.key_file import read_keys
    from changtong.storage import erasure
    from changtong.storage.erasure_rules import read_erasure_rules

    known, at = read_erasure_rules(rules), _begin_of(date)
    if not dry_run and (second is None or key_file is None or output is None):
        raise UsageError("Erasing needs --second, --keys and -o; --dry-run needs none of them.")
    store, desk = open_desk(place, token, files)
    with store:
        if second is None or key_file is None or output is None or dry_run:
            tried = erasure.try_erasure(store, desk, known, at)
            print_result(tried.to_json(), str(tried), as_json=as_json)
            return
        if output.exists():
            raise UsageError(f"{output} is there already: a certificate is not written over.")
        other = store.desk(read_token(second))
        made = erasure.erase(store, desk, other, known, at, read_keys(key_file), output)
    print_result(made.to_json(), str(made), as_json=as_json)


def _begin_of(date: str | None) -> datetime:
    if date is None:
        return datetime.now(UTC)
    try:
        return datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--date {date!r} is no date; expected 2026-11-27.") from None


@registers.command("verify-erasure", short_help="Check the certificate of an erasure.")
def verify_erasure(
    certificate: Annotated[Path, typer.Argument(metavar="CERTIFICATE", help="As `erase` wrote it.")],
    key_file: KeysFile,
    as_json: AsJson = False,
) -> None:
    """Check that the certificate of an erasure is as it was sealed."""
    from changtong.privacy.key_file import read_keys
    from changtong.storage.erasure import check_erasure, read_erasure_certificate

    told = read_erasure_certificate(certificate)
    check_erasure(told, read_keys(key_file))
    print_result(told.to_json(), f"{told}\nThe seal is right.", as_json=as_json)


@registers.command(short_help="Remove files that no attachment has.")
def sweep(place: Place, token: TokenFile, files: Files = None, as_json: AsJson = False) -> None:
    """Overwrite and remove the files that a crash has left without an attachment."""
    store, desk = open_desk(place, token, files)
    with store:
        count = desk.sweep()
    print_result({"files": count}, f"{count:,} files removed", as_json=as_json)
