"""Commands of the registers: making and keeping them, people and their roles, and the audit."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson
from changtong.console import print_result, say
from changtong.errors import UsageError

if TYPE_CHECKING:
    from changtong.storage.store import Desk, Store

registers = typer.Typer(
    help="Registers: sites, inspections, hazards, tasks; who may do what.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
audit = typer.Typer(help="The audit of the registers.", no_args_is_help=True, rich_markup_mode=None)

Place = Annotated[
    str,
    typer.Argument(metavar="STORE", help="A file, or postgresql://user@host/name (password: PGPASSFILE)."),
]
Files = Annotated[
    Path | None,
    typer.Option("--files", metavar="FOLDER/", help="Files of attachments; beside a SQLite file."),
]
TokenFile = Annotated[
    Path, typer.Option("--token", metavar="FILE", help="The token of who does it, as `sign-in` wrote it.")
]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Read the password from a file, - for standard input."
    ),
]
NewFolder = Annotated[
    Path, typer.Option("-o", "--output", metavar="FOLDER/", help="Where to write; it is not there yet.")
]


@registers.callback()
def group() -> None:
    """Registers: sites, inspections, hazards, tasks; who may do what."""


@audit.callback()
def audit_group() -> None:
    """The audit of the registers."""


def read_password(source: str | None, what: str = "Password", *, twice: bool = False) -> str:
    """Return a password from a file, from standard input, or asked for; never from an option's value.

    Raises
    ------
    UsageError
        ``no-password``: nobody can be asked.
    """
    if source is not None:
        try:
            text = sys.stdin.readline() if source == "-" else Path(source).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{source}: the password cannot be read.", "no-password") from None
        return text.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody can be asked here: give --password-file FILE, or - for standard input.", "no-password"
        )
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))


def read_token(path: Path) -> str:
    """Return the token of a file.

    Raises
    ------
    UsageError
        ``no-token``.
    """
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"{path}: the token cannot be read; `registers sign-in` makes one.", "no-token"
        ) from None


def open_desk(place: str, token: Path, files: Path | None = None) -> tuple[Store, Desk]:
    """Open registers for the holder of a token."""
    from changtong.storage.store import open_store

    store = open_store(place, files=files)
    try:
        return store, store.desk(read_token(token))
    except BaseException:
        store.close()
        raise


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def write_token(path: Path, token: str) -> None:
    """Write a token where only its owner reads it.

    Raises
    ------
    UsageError
        The file is there.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already: it was left as it is.") from None
    with open(handle, "w", encoding="utf-8") as file:
        file.write(token + "\n")


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


@registers.command("sign-in", short_help="A token, from name and password.")
def sign_in(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who signs in.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where the token is written.")
    ],
    password_file: PasswordFile = None,
    code: Annotated[
        str, typer.Option("--code", metavar="DIGITS", help="Of the second factor; it serves once.")
    ] = "",
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=0, max=366, help="A token for so long; 0: twelve hours.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Sign in; the token is written to a file that only its owner can read."""
    from changtong.storage.store import open_store

    if output.exists():
        raise UsageError(f"{output} is there already: it was left as it is.")
    with open_store(place) as store:
        session = store.sign_in(name, read_password(password_file), code)
        if days:
            desk = store.desk(session.token)
            session = desk.make_token("command line", timedelta(days=days))
            desk.sign_out()
    write_token(output, session.token)
    if session.must_change:
        say("Change the password first: `registers password`.")
    ends = session.expires_at.isoformat(timespec="minutes")
    print_result({"token_file": str(output), "expires_at": ends}, f"{output}: until {ends}", as_json=as_json)


@registers.command("sign-out", short_help="End a token.")
def sign_out(place: Place, token: TokenFile, as_json: AsJson = False) -> None:
    """End a token at once, and delete its file."""
    store, desk = open_desk(place, token)
    with store:
        desk.sign_out()
    token.unlink()
    print_result({"signed_out": True}, "signed out", as_json=as_json)


@registers.command(short_help="Change one's own password.")
def password(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose.")],
    old_file: Annotated[
        str | None,
        typer.Option("--old-password-file", metavar="FILE", help="The old one, instead of asking."),
    ] = None,
    new_file: Annotated[
        str | None,
        typer.Option("--new-password-file", metavar="FILE", help="The new one, instead of asking."),
    ] = None,
    code: Annotated[str, typer.Option("--code", metavar="DIGITS", help="Of the second factor.")] = "",
    as_json: AsJson = False,
) -> None:
    """Change one's own password; all sessions and tokens of this user end."""
    from changtong.storage.store import open_store

    with open_store(place) as store:
        old = read_password(old_file, "Old password")
        new = read_password(new_file, "New password", twice=True)
        store.desk(store.sign_in(name, old, code).token).change_password(old, new)
    print_result({"changed": True}, "The password is changed; sign in anew.", as_json=as_json)


@registers.command("second-factor", short_help="Turn on codes of an authenticator.")
def second_factor(
    place: Place,
    token: TokenFile,
    code: Annotated[
        str,
        typer.Option("--code", metavar="DIGITS", help="Confirm with a first code: from then on it is on."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make the secret and recovery codes, told once; then confirm with a first code."""
    store, desk = open_desk(place, token)
    with store:
        if code:
            desk.confirm_second_factor(code)
            print_result({"second_factor": True}, "The second factor is on.", as_json=as_json)
            return
        made = desk.begin_second_factor()
    facts = {"secret": made.secret, "uri": made.uri, "recovery": list(made.recovery)}
    lines = [f"secret: {made.secret}", made.uri, "recovery codes, each serves once:", *made.recovery]
    print_result(facts, "\n".join(lines), as_json=as_json)


@registers.command("add-organisation", short_help="An authority or a part of a firm.")
def add_organisation(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Chinese name.")],
    token: TokenFile,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="nation, province, city, county, headquarters, branch, franchise, outlet."
        ),
    ],
    admin_code: Annotated[str, typer.Option("--admin-code", metavar="CODE", help="GB/T 2260.")],
    parent: Annotated[str | None, typer.Option("--parent", metavar="ID", help="The one above.")] = None,
    organisation_id: Annotated[str, typer.Option("--organisation-id", metavar="ID", help="Its id.")] = "",
    department: Annotated[str, typer.Option("--department", help="postal, police, transport …")] = "",
    as_json: AsJson = False,
) -> None:
    """Add an organisation below another one, or a new topmost one."""
    from changtong.storage.people import NewOrganisation

    new = NewOrganisation(name, kind, admin_code, parent, "", department, organisation_id)
    store, desk = open_desk(place, token)
    with store:
        made = desk.add_organisation(new)
    print_result({"organisation": made}, made, as_json=as_json)


@registers.command("add-user", short_help="A user of an organisation.")
def add_user(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name to sign in with.")],
    token: TokenFile,
    organisation: Annotated[str, typer.Option("--organisation", metavar="ID", help="Whose user it is.")],
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a user with a first password, which is changed at the first sign-in."""
    store, desk = open_desk(place, token)
    with store:
        made = desk.add_user(
            name, read_password(password_file, f"First password of {name}", twice=True), organisation
        )
    print_result({"user": made.id, "name": made.name}, f"{made.name} is {made.id}", as_json=as_json)


@registers.command("change-user", short_help="Shut a user out, or help one back in.")
def change_user(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which user.")],
    token: TokenFile,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="May sign in, or may not.")
    ] = None,
    new_password: Annotated[bool, typer.Option("--new-password", help="Set a first password anew.")] = False,
    password_file: PasswordFile = None,
    clear: Annotated[
        bool, typer.Option("--clear-second-factor", help="Take the second factor off: the telephone is lost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shut a user out, set a password anew, or take the second factor off; sessions and tokens end."""
    word = read_password(password_file, f"First password of {name}", twice=True) if new_password else None
    store, desk = open_desk(place, token)
    with store:
        version = next((user.version for user in desk.users() if user.name == name.strip().casefold()), 0)
        made = desk.change_user(name, version, is_active=active, password=word, clear_second_factor=clear)
    text = f"{made.name}: {'active' if made.is_active else 'shut out'}"
    print_result({"name": made.name, "is_active": made.is_active}, text, as_json=as_json)


@registers.command(short_help="Users, and the roles of one.")
def users(
    place: Place,
    token: TokenFile,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one's roles.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the users one may see, or the roles of one of them."""
    store, desk = open_desk(place, token)
    with store:
        if name is not None:
            roles = [
                {
                    key: (value.isoformat() if isinstance(value, datetime) else value)
                    for key, value in grant.items()
                }
                for grant in desk.grants(name)
            ]
            lines = [
                f"{r['id']}  {r['role']:<14} {r['path']} {r['region'] or '-'} {r['until'] or ''}".rstrip()
                for r in roles
            ]
            print_result({"grants": roles}, "\n".join(lines) or "no roles", as_json=as_json)
            return
        found = [
            {"name": user.name, "organisation": user.organisation, "is_active": user.is_active,
             "second_factor": user.second_factor}
            for user in desk.users()
        ]  # fmt: skip
    shown = [f"{u['name']:<20} {u['organisation']}{'' if u['is_active'] else '  (shut out)'}" for u in found]
    print_result({"users": found}, "\n".join(shown), as_json=as_json)


@registers.command(short_help="Give a user a role with a scope.")
def give(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which user.")],
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE", help="viewer, duty_officer, planner, inspector, assessor, administrator."
        ),
    ],
    token: TokenFile,
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", metavar="ID", help="It and all below; else every organisation."),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            "--region", metavar="CODE", help="GB/T 2260: 440000 is the province; else every region."
        ),
    ] = "",
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="An instant with its offset from UTC.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")] = "",
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Every organisation in every region: must be said.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a user a role, where it holds and until when; nobody gives more than they have."""
    from changtong.rights.scope import Scope

    if not everywhere and organisation is None and not region:
        raise UsageError("Say where the role holds: --organisation, --region, or --everywhere.")
    try:
        end = None if until is None else datetime.fromisoformat(until)
    except ValueError:
        raise UsageError(f"--until {until!r} is no instant; expected 2027-01-01T00:00+08:00.") from None
    if region and not region.isdigit():
        raise UsageError(f"--region {region!r} is no administrative code.")
    store, desk = open_desk(place, token)
    with store:
        path = "/" if organisation is None else desk.organisation_path(organisation)
        made = desk.give(name, role, Scope(path, region), end, reason)
    print_result({"grant": made}, made, as_json=as_json)


@registers.command("take-back", short_help="Take a role back.")
def take_back(
    place: Place,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Its id, as `users NAME` shows it.")],
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a role back; it ends at once."""
    store, desk = open_desk(place, token)
    with store:
        desk.take_back(grant, reason)
    print_result({"taken_back": grant}, "taken back", as_json=as_json)


@registers.command("list", short_help="A page of a register.")
def list_records(
    place: Place,
    kind: Annotated[str, typer.Argument(metavar="REGISTER", help="site, inspection, hazard, task …")],
    token: TokenFile,
    state: Annotated[str | None, typer.Option("--state", help="Only records in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=500, help="Rows.")] = 50,
    after: Annotated[
        str, typer.Option("--after", metavar="MARK", help="Go on where the page before ended.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List a page of a register: what one may see, newest first, without personal data."""
    from changtong.storage.pages import Query
    from changtong.storage.records import check_kind

    where = {} if state is None else {"status" if kind == "site" else "state": state}
    store, desk = open_desk(place, token)
    with store:
        page = desk.page(check_kind(kind), Query(where=where, limit=limit, after=after))
    rows = [
        {"id": record.id, "organisation": record.organisation, "admin_code": record.admin_code,
         "version": record.version}
        | {name: _plain(value) for name, value in record.values.items()}
        for record in page.records
    ]  # fmt: skip
    lines = ["  ".join(str(value) for value in row.values() if value is not None) for row in rows]
    if page.next:
        lines.append(f"more: --after {page.next}")
    print_result({"records": rows, "next": page.next}, "\n".join(lines) or "nothing", as_json=as_json)


@registers.command(short_help="Add the records of a CSV file.")
def load(
    place: Place,
    kind: Annotated[str, typer.Argument(metavar="REGISTER", help="site, inspection, hazard, task …")],
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A column for each attribute; UTF-8.")],
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the audit.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add the records of a file, all or none; every problem of the file is told at once."""
    store, desk = open_desk(place, token)
    with store:
        count = desk.load(kind, file, reason)
    print_result({"added": count}, f"{count:,} records added", as_json=as_json)


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


def register(app: typer.Typer) -> None:
    """Add the groups."""
    app.add_typer(registers, name="registers", short_help="Registers of sites, inspections, hazards; users.")
    app.add_typer(audit, name="audit", short_help="Verify the audit of the registers.")
