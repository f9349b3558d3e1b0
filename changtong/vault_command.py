"""Commands of the vault: who may resolve pseudonyms, and resolving them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from changtong.command_options import AsJson, parse_day
from changtong.console import print_result, say
from changtong.errors import UsageError
from changtong.events_command import KeyFile, find_key
from changtong.kernels import prepare_kernels

if TYPE_CHECKING:
    from changtong.events.log import EventLog
    from changtong.events.vault.rights import Right
    from changtong.events.vault.store import Vault

KeyedLog = Annotated[Path, typer.Argument(metavar="LOG/", help="The scan log the vault belongs to.")]
VaultFile = Annotated[
    Path | None, typer.Option("--vault", metavar="FILE", help="The vault with the ids (docs/vault.md).")
]
RightFile = Annotated[
    Path | None, typer.Option("--right", metavar="FILE", help="The right to resolve, as `rights` wrote it.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why ids are wanted; kept in the vault's record.")
]


def open_vault_of(log: EventLog, vault: Path | None, key: Path | None) -> Vault:
    """Open the vault of a log with the log's key.

    Raises
    ------
    UsageError
        No vault is named, ``vault-needs-key``, ``no-key``, ``wrong-key``.
    """
    from changtong.events.keys import PLAIN_KEY
    from changtong.events.vault.store import open_vault

    if vault is None:
        raise UsageError("Name the vault with --vault.")
    return open_vault(vault, find_key(log, key) if log.keyed else PLAIN_KEY)


def right_of(path: Path | None) -> Right | None:
    """Read the right given, if any."""
    from changtong.events.vault.rights import read_right

    return None if path is None else read_right(path)


def resolve(
    log: KeyedLog,
    pseudonyms: Annotated[
        list[str] | None,
        typer.Argument(metavar="PSEUDONYM…", help="p…, or numbers of a trace's tables, these after --."),
    ] = None,
    vault: VaultFile = None,
    right: RightFile = None,
    reason: Reason = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the record and every id instead; resolve nothing.")
    ] = False,
    head: Annotated[
        str | None, typer.Option("--head", metavar="SEAL", help="With --verify: a head noted earlier.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="With --verify: the record.")
    ] = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give pseudonyms back their ids: with the key, a right and a reason, and on record."""
    from changtong.events.log import open_log
    from changtong.events.vault.resolve import resolve as give_back

    if verify and pseudonyms:
        raise UsageError("--verify resolves nothing: leave the pseudonyms out.")
    if not verify and (head is not None or output is not None):
        raise UsageError("--head and -o belong to --verify.")
    if not verify and not pseudonyms:
        raise UsageError("Give the pseudonyms to resolve, or --verify.")
    with open_vault_of(open_log(log), vault, key) as opened:
        if verify:
            _verify(opened, head, output, as_json=as_json)
            return
        found = give_back(opened, pseudonyms or [], right_of(right), reason)
    print_result(found.to_json(), str(found), as_json=as_json)
    if found.missing:
        raise typer.Exit(1)


def _verify(vault: Vault, head: str | None, output: Path | None, *, as_json: bool) -> None:
    """Check the record and the ids; write the record where it is wanted."""
    prepare_kernels(say, "scan log")()
    record = vault.check_record(head)
    if output is not None:
        beside = output.with_name(f".{output.name}.new")
        vault.record().write_csv(beside, include_bom=True)
        beside.replace(output)
    ids = vault.check()
    facts = {"entries": record.entries, "looks": record.looks, "head": record.head, "ids": ids}
    text = (
        f"{record.entries:,} entries of the record are as they were written, {record.looks:,} of them looks\n"
        f"head: {record.head or '(empty)'}\n{ids:,} ids are as they were written"
    )
    print_result(facts, text, as_json=as_json)


def rights(
    log: KeyedLog,
    vault: VaultFile = None,
    grant: Annotated[
        str | None, typer.Option("--grant", metavar="NAME", help="Give a right to this person or desk.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Last day of the right, in the log's zone.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where the right is written, with its token."),
    ] = None,
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="NAME", help="Take this right back.")
    ] = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give, take back and list the rights to resolve pseudonyms; needs the key."""
    from changtong.events.log import open_log
    from changtong.events.vault.rights import write_right

    if grant is not None and (revoke is not None or until is None or output is None):
        raise UsageError("--grant needs --until and -o, and no --revoke.")
    if grant is None and (until is not None or output is not None):
        raise UsageError("--until and -o belong to --grant.")
    opened_log = open_log(log)
    end = None if until is None else _end_of(parse_day(until, "--until"), opened_log.zone)
    if output is not None and output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    with open_vault_of(opened_log, vault, key) as opened:
        if grant is not None and end is not None and output is not None:
            write_right(opened.grant(grant, end), output)
            say(f"The right is in {output}: hand it over by a safe way, and keep no copy.")
        if revoke is not None:
            opened.revoke(revoke)
        table = opened.rights()
    shown = [
        {"name": name, "until": _shown(until_ms, opened_log.zone), "is_over": is_over}
        for name, until_ms, is_over in table.iter_rows()
    ]
    lines = [
        f"to the end of {_last_day(until_ms, opened_log.zone)}  {name}{'  (over)' if is_over else ''}"
        for name, until_ms, is_over in table.iter_rows()
    ]
    print_result({"rights": shown}, "\n".join(lines) or "no rights", as_json=as_json)


def _end_of(day: date, zone: str) -> datetime:
    """Return when the day after begins."""
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone))


def _last_day(until_ms: int, zone: str) -> str:
    """Return the day whose end a right was given to, or the instant where it ends within a day."""
    end = datetime.fromtimestamp(until_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    if end == datetime(end.year, end.month, end.day, tzinfo=end.tzinfo):
        return (end.date() - timedelta(days=1)).isoformat()
    return end.isoformat(timespec="minutes")


def _shown(at_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(short_help="Who may have pseudonyms resolved.")(rights)
    app.command(short_help="Pseudonyms back to ids: with key, right and reason.")(resolve)
