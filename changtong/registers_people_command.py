"""Commands of the registers about people: signing in, organisations, users and their roles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from changtong.command_options import AsJson
from changtong.console import print_result, say
from changtong.errors import UsageError
from changtong.registers_options import (
    PasswordFile,
    Place,
    TokenFile,
    Why,
    open_desk,
    read_password,
    registers,
    shown_value,
)

if TYPE_CHECKING:
    from changtong.storage.store import Desk


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
        desk = store.desk(store.sign_in(name, old, code).token)
        desk.change_password(old, new)
        desk.sign_out()
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


@registers.command(short_help="Organisations one may see, as a tree.")
def organisations(place: Place, token: TokenFile, as_json: AsJson = False) -> None:
    """List the organisations one may see, each below the one it belongs to."""
    store, desk = open_desk(place, token)
    with store:
        found = list(_tree(desk, None, 0))
    lines = [f"{'  ' * n}{e['id']}  {e['name_zh']}  {e['kind']}  {e['admin_code']}" for n, e in found]
    print_result({"organisations": [e for _, e in found]}, "\n".join(lines) or "nothing", as_json=as_json)


def _tree(desk: Desk, parent: str | None, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
    for each in desk.organisations(parent):
        yield depth, each
        yield from _tree(desk, each["id"], depth + 1)


@registers.command("move-organisation", short_help="An organisation under another parent.")
def move_organisation(
    place: Place,
    organisation: Annotated[str, typer.Argument(metavar="ID", help="Which.")],
    token: TokenFile,
    parent: Annotated[str, typer.Option("--parent", metavar="ID", help="The one it stands below then.")],
    reason: Why,
    as_json: AsJson = False,
) -> None:
    """Move an organisation with all below it; records and scopes follow, roles that no longer fit end."""
    store, desk = open_desk(place, token)
    with store:
        made = desk.move_organisation(organisation, parent, reason)
    print_result(made.to_json(), str(made), as_json=as_json)


@registers.command("idle-time", short_help="When sessions nobody uses end.")
def idle_time(
    place: Place,
    token: TokenFile,
    minutes: Annotated[
        int | None, typer.Option("--minutes", metavar="N", help="Set it: 1 to 720; shown without.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show, or set, after how many minutes a session that nobody uses is over; tokens have no such limit."""
    store, desk = open_desk(place, token)
    with store:
        found = desk.idle_minutes(minutes)
    print_result({"idle_minutes": found}, f"{found} min", as_json=as_json)


@registers.command("second-factor-for", short_help="Of whom a second factor is asked.")
def ask_second_factor(
    place: Place,
    token: TokenFile,
    who: Annotated[
        str | None,
        typer.Option(
            "--set", metavar="WHO", help="nobody, administrators or everybody; turn on your own first."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show, or set, of whom a second factor is asked: their roles rest while it is off."""
    from changtong.storage.safety_settings import second_factor_for

    store, desk = open_desk(place, token)
    with store, desk.work(writes=who is not None) as work:
        found = second_factor_for(work, who)
    print_result({"second_factor_for": found}, f"A second factor is asked of {found}.", as_json=as_json)


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
            roles = [{key: shown_value(value) for key, value in grant.items()} for grant in desk.grants(name)]
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
