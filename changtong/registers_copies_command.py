"""Commands of the registers as a whole: made, upgraded, copied, exported, and their audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from changtong.command_options import AsJson
from changtong.console import print_result
from changtong.registers_options import (
    Files,
    Kind,
    NewFolder,
    PasswordFile,
    Place,
    RecordId,
    TokenFile,
    audit,
    open_desk,
    read_password,
    registers,
)


@registers.command(short_help="Empty registers, with the first administrator.")
def create(
    place: Place,
    administrator: Annotated[
        str,
        typer.Option("--administrator", metavar="NAME", help="Name the first administrator signs in with."),
    ],
    organisation: Annotated[
        str, typer.Option("--organisation", metavar="NAME", help="Name of the topmost organisation.")
    ],
    kind: Annotated[
        str, typer.Option("--kind", help="nation, province, city, county, or headquarters of a firm.")
    ] = "nation",
    admin_code: Annotated[
        str,
        typer.Option("--admin-code", metavar="CODE", help="Its place by GB/T 2260; 000000 is the nation."),
    ] = "000000",
    organisation_id: Annotated[
        str, typer.Option("--organisation-id", metavar="ID", help="Its id; made where none is given.")
    ] = "",
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Make empty registers; the password is asked for, or read from a file. There is no default one."""
    from changtong.storage.people import NewOrganisation
    from changtong.storage.store import create_store

    top = NewOrganisation(organisation, kind, admin_code, id=organisation_id)
    password = read_password(password_file, f"Password of {administrator}", twice=True)
    with create_store(place, administrator, password, top) as store:
        shown = store.place
    facts = {"store": shown, "administrator": administrator, "organisation": organisation}
    print_result(facts, f"Registers made: {shown}; {administrator} administers them", as_json=as_json)


@registers.command(short_help="Bring registers to the newest version.")
def upgrade(place: Place, as_json: AsJson = False) -> None:
    """Bring registers to the version of this program, with all data in place; make a backup before."""
    from changtong.storage.store import upgrade_store

    gone = upgrade_store(place)
    text = f"Upgraded: {' → '.join(gone)}" if gone else "Already the newest version."
    print_result({"versions": list(gone)}, text, as_json=as_json)


@registers.command(short_help="Copy registers while others work.")
def backup(
    place: Place, output: NewFolder, token: TokenFile, files: Files = None, as_json: AsJson = False
) -> None:
    """Copy registers and files of attachments, whole and of one instant, while others go on working."""
    from changtong.storage.backup import make_backup

    store, desk = open_desk(place, token, files)
    with store:
        made = make_backup(store, desk, output)
    print_result(made.to_json(), str(made), as_json=as_json)


@registers.command(short_help="Registers from a backup, verified.")
def restore(
    folder: Annotated[Path, typer.Argument(metavar="BACKUP/", help="As `backup` wrote it.")],
    place: Annotated[
        str,
        typer.Option("--to", metavar="STORE", help="A file not there yet, or an empty PostgreSQL database."),
    ],
    files: Files = None,
    as_json: AsJson = False,
) -> None:
    """Make registers from a backup of either database; every file and the chain of the audit are verified."""
    from changtong.storage.backup import restore as make_again

    found, check = make_again(folder, place, files=files)
    facts = found.to_json() | {"entries": check.entries}
    rows = sum(found.rows.values())
    print_result(facts, f"{rows:,} rows restored; {check}", as_json=as_json)


@registers.command(short_help="Everything as open files.")
def export(
    place: Place,
    output: NewFolder,
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")],
    format: Annotated[str, typer.Option("--format", help="csv, or jsonl for JSON lines.")] = "csv",
    personal: Annotated[
        bool, typer.Option("--personal", help="With the columns that may hold personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write every table as a CSV or JSON lines, with a schema; no hashes, secrets or tokens."""
    from changtong.storage.export import export_all

    store, desk = open_desk(place, token)
    with store:
        counts = export_all(store, desk, output, reason, format=format, personal=personal)
    text = f"{sum(counts.values()):,} rows in {len(counts)} tables → {output}"
    print_result({"folder": str(output), "rows": counts}, text, as_json=as_json)


@audit.command(short_help="Find any altered or missing entry.")
def verify(
    place: Place,
    token: TokenFile,
    head: Annotated[
        str | None, typer.Option("--head", metavar="HEAD", help="A head noted earlier: must be in the chain.")
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="Also that each record is as its last entry left it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go through the audit from its begin; whatever was altered, put in, taken out or moved is named."""
    store, desk = open_desk(place, token)
    with store:
        found = desk.verify_audit(head, with_records=records)
    print_result(found.to_json(), str(found), as_json=as_json)
    if not found.whole:
        raise typer.Exit(1)


@audit.command(short_help="What was done with one record.")
def entries(place: Place, kind: Kind, record: RecordId, token: TokenFile, as_json: AsJson = False) -> None:
    """List the entries of one record, oldest first: when, who, what was done, what changed, and why."""
    from changtong.storage.records import check_kind
    from changtong.storage.schema import from_ms

    store, desk = open_desk(place, token)
    with store:
        found = desk.audit_entries(check_kind(kind), record)
        names = {user.id: user.name for user in desk.users()}
    rows = [
        {"n": e["n"], "at": from_ms(e["at"]).isoformat(), "by": names.get(e["actor"], e["actor"]),
         "action": e["action"], "detail": json.loads(e["detail"]), "reason": e["reason"]}
        for e in found
    ]  # fmt: skip
    lines = [
        "  ".join(
            (f"{r['n']}", r["at"][:16], r["by"], r["action"], *_changes(kind, r["detail"]), r["reason"])
        ).rstrip()
        for r in rows
    ]
    print_result({"entries": rows}, "\n".join(lines) or "nothing", as_json=as_json)


def _changes(kind: str, detail: dict[str, Any]) -> list[str]:
    """Return what an entry tells of a change: values before and after, and the names of other columns."""
    from changtong.storage.definitions import register_columns
    from changtong.storage.schema import from_ms

    instants = {name for name, column in register_columns(kind).items() if column.type == "instant"}
    said = []
    for name, pair in detail.get("values", {}).items():
        was, now = (
            from_ms(value).isoformat() if name in instants and value is not None else value for value in pair
        )
        said.append(f"{name}: {now}" if was is None else f"{name}: {was} → {now}")
    return [*said, *detail.get("texts", ())]
