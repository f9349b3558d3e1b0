"""Administration over the API: organisations, users, roles; one's own sessions, tokens, second factor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, Field

from changtong.api.answers import (
    Asked,
    Id,
    IfMatch,
    Key,
    Once,
    Reasoned,
    RecordId,
    Word,
    Words,
    plain_row,
    tag_of,
    version_of,
)
from changtong.api.people import Asks, Caller, Serves
from changtong.api.problems import ChangedError
from changtong.errors import ConflictError, NotFoundError, UsageError
from changtong.rights.decide import Role, kinds_and_actions, rights_table
from changtong.rights.organisations import PARENTS
from changtong.rights.scope import Scope
from changtong.storage import people
from changtong.storage.people import NewOrganisation, User
from changtong.storage.safety_settings import FACTOR_FOR, is_resting, second_factor_for
from changtong.storage.work import FACTOR_SETTING, Work

router = APIRouter(prefix="/api/v1", tags=["administration"])
own = APIRouter(prefix="/api/v1/session", tags=["session"])

UserName = Annotated[str, Path(pattern=r"^[^\s\x00/]{1,64}$", description="Name the user signs in with.")]
Password = Annotated[str, Field(min_length=1, max_length=1000)]
OrganisationKind = Literal[
    "nation", "province", "city", "county", "headquarters", "branch", "franchise", "outlet"
]
assert set(OrganisationKind.__args__) == set(PARENTS)  # type: ignore[attr-defined]
RoleName = Literal["viewer", "duty_officer", "planner", "inspector", "assessor", "administrator"]
assert set(RoleName.__args__) == set(Role.__members__)  # type: ignore[attr-defined]


class OrganisationAsked(Asked):
    """An organisation to be added."""

    name_zh: Word = Field(min_length=1)
    kind: OrganisationKind
    admin_code: Annotated[str, Field(pattern=r"^\d{6,12}$")]
    parent: Id | None = Field(default=None, description="The one above; none: a new topmost one.")
    name_en: Word = ""
    department: Word = Field(default="", description="postal, police, transport …")
    id: Id | None = None


class Move(Reasoned):
    """Where an organisation stands from now on."""

    parent: Id


class HandOverAll(Asked):
    """Who takes all records of an organisation."""

    to: Id
    reason: Words = Field(default="", description="Why; no names of persons. A dry run needs none.")
    dry_run: bool = Field(default=False, description="Only tell what would be handed over.")


class UserAsked(Asked):
    """A user to be added, who changes the password at the first sign-in."""

    name: Word = Field(min_length=1)
    password: Password
    organisation: Id


class UserChange(Asked):
    """What changes of a user; sessions and tokens end."""

    is_active: bool | None = None
    password: Password | None = Field(default=None, description="A new first password.")
    clear_second_factor: bool = False


class GrantAsked(Asked):
    """A role, where it holds and until when."""

    role: RoleName
    organisation: Id | None = Field(default=None, description="It and all below; else every organisation.")
    region: Annotated[str, Field(pattern=r"^(\d{6,12})?$")] = Field(
        default="", description="GB/T 2260: 440000 is the province; else every region."
    )
    everywhere: bool = Field(default=False, description="Every organisation in every region: must be said.")
    until: AwareDatetime | None = None
    reason: Words = ""


class TokenAsked(Asked):
    """A token for a program that works as oneself."""

    label: Word = Field(min_length=1, description="What it is for.")
    days: int = Field(ge=1, le=366)
    password: Password = Field(description="One's own, again: a session left open makes no way in.")


class SecondFactorAsked(Asked):
    """A second factor of one's own."""

    password: Password = Field(description="One's own, again.")


class Code(Asked):
    """Six digits of the second factor."""

    code: str = Field(min_length=6, max_length=6, pattern=r"^\d{6}$")


FactorFor = Literal["nobody", "administrators", "everybody"]
assert FactorFor.__args__ == FACTOR_FOR  # type: ignore[attr-defined]


class SettingsChange(Asked):
    """What changes of how people get in; what is left out stays."""

    idle_minutes: int | None = Field(
        default=None, ge=1, le=people.MOST_IDLE_MINUTES, description="A session unused so long is over."
    )
    second_factor_for: FactorFor | None = Field(
        default=None, description="Whose roles rest until they have turned one on."
    )


@router.get("/organisations")
def list_organisations(
    asks: Asks,
    parent: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = None,
    tree: Annotated[bool, Query(description="With all below, each after the one it belongs to.")] = False,
) -> dict[str, Any]:
    """List the organisations directly below one, or the topmost, that one may see."""
    found = _tree(asks, parent) if tree else asks.desk.organisations(parent)
    return {"organisations": list(found)}


def _tree(asks: Caller, parent: str | None) -> Iterator[dict[str, Any]]:
    with asks.desk.work(writes=False, snapshot=True) as work:
        waiting = list(reversed(people.list_organisations(work, parent)))
        while waiting:
            one = waiting.pop()
            yield one
            waiting += reversed(people.list_organisations(work, one["id"]))


@router.post("/organisations", status_code=201)
def add_organisation(
    asks: Asks, serves: Serves, asked: OrganisationAsked, idempotency_key: Key = ""
) -> Response:
    """Add an organisation below another one, or a new topmost one."""
    once = Once(asks, serves, idempotency_key, "organisation", asked)
    name = asked.id or once.id() or ""
    new = NewOrganisation(
        asked.name_zh, asked.kind, asked.admin_code, asked.parent, asked.name_en, asked.department, name
    )

    def make() -> dict[str, Any]:
        if once.was_begun:
            there = [one for one in asks.desk.organisations(asked.parent) if one["id"] == name]
            if there:
                return {"id": name}
        return {"id": asks.desk.add_organisation(new)}

    return once.answer(make)


@router.post("/organisations/{record_id}/move")
def move_organisation(asks: Asks, record_id: RecordId, asked: Move) -> dict[str, Any]:
    """Move an organisation with all below it; records and scopes follow, roles that no longer fit end."""
    return asks.desk.move_organisation(record_id, asked.parent, asked.reason).to_json()


@router.post("/organisations/{record_id}/hand-over")
def hand_over_all(asks: Asks, record_id: RecordId, asked: HandOverAll) -> dict[str, Any]:
    """Hand all records of an organisation over to another one."""
    return asks.desk.hand_over_all(record_id, asked.to, asked.reason, dry_run=asked.dry_run).to_json()


def _facts(user: User) -> dict[str, Any]:
    return {
        "id": user.id, "name": user.name, "organisation": user.organisation, "is_active": user.is_active,
        "second_factor": user.second_factor, "version": user.version,
    }  # fmt: skip


@router.get("/users")
def list_users(asks: Asks) -> dict[str, Any]:
    """List the users that one may see, by name."""
    return {"users": [_facts(one) for one in asks.desk.users()]}


@router.post("/users", status_code=201)
def add_user(asks: Asks, response: Response, asked: UserAsked) -> dict[str, Any]:
    """Add a user, who changes the password at the first sign-in. Names are there once: no key is needed."""
    made = asks.desk.add_user(asked.name, asked.password, asked.organisation)
    response.headers["ETag"] = tag_of(made.version)
    return _facts(made)


@router.get("/users/{name}")
def read_user(asks: Asks, response: Response, name: UserName) -> dict[str, Any]:
    """Read a user; the version is the ETag that a change names in If-Match."""
    found = next((one for one in asks.desk.users() if one.name == name.casefold()), None)
    if found is None:
        raise NotFoundError("There is no user of this name that you may see.")
    response.headers["ETag"] = tag_of(found.version)
    return _facts(found)


@router.patch("/users/{name}")
def change_user(
    asks: Asks, response: Response, name: UserName, asked: UserChange, if_match: IfMatch = ""
) -> dict[str, Any]:
    """Shut a user out or in, set a first password anew, take the second factor off."""
    version = version_of(if_match)
    try:
        made = asks.desk.change_user(
            name, version, is_active=asked.is_active, password=asked.password,
            clear_second_factor=asked.clear_second_factor,
        )  # fmt: skip
    except ConflictError as error:
        now = error.current
        raise ChangedError(str(error), _facts(now) if isinstance(now, User) else None) from None
    response.headers["ETag"] = tag_of(made.version)
    return _facts(made)


@router.get("/users/{name}/grants")
def list_grants(asks: Asks, name: UserName) -> dict[str, Any]:
    """List a user's roles, with their ids, scopes and ends."""
    return {"grants": [plain_row(one) for one in asks.desk.grants(name)]}


@router.post("/users/{name}/grants", status_code=201)
def give_role(
    asks: Asks, serves: Serves, name: UserName, asked: GrantAsked, idempotency_key: Key = ""
) -> Response:
    """Give a role with a scope; nobody gives more than they have."""
    if not asked.everywhere and asked.organisation is None and not asked.region:
        raise UsageError("Say where the role holds: organisation, region, or everywhere.")
    once = Once(asks, serves, idempotency_key, "grant", name, asked)

    def give() -> dict[str, Any]:
        path = "/" if asked.organisation is None else asks.desk.organisation_path(asked.organisation)
        scope = Scope(path, asked.region)
        return {"id": asks.desk.give(name, asked.role, scope, asked.until, asked.reason)}

    return once.answer(give)


@router.post("/grants/{record_id}/take-back", status_code=204)
def take_role_back(asks: Asks, record_id: RecordId, asked: Reasoned) -> None:
    """Take a role back; it ends at once."""
    asks.desk.take_back(record_id, asked.reason)


@router.get("/roles")
def list_roles(asks: Asks) -> dict[str, Any]:
    """List the roles, and how far each may do what to which kind of record."""
    table = rights_table()
    return {
        "roles": [
            {
                "role": role.value,
                "rights": [
                    {
                        "kind": kind,
                        "action": action,
                        "reach": [one.value for one in table[kind, action, role]],
                    }
                    for kind, action in kinds_and_actions()
                    if (kind, action, role) in table
                ],
            }
            for role in Role
        ]
    }


@router.get("/settings")
def read_settings(asks: Asks) -> dict[str, Any]:
    """Read after how many idle minutes a session ends, and of whom a second factor is asked."""
    with asks.desk.work(writes=False) as work:
        return _settings(work)


def _settings(work: Work) -> dict[str, Any]:
    return {"idle_minutes": people.idle_minutes(work), FACTOR_SETTING: second_factor_for(work)}


@router.patch("/settings")
def change_settings(asks: Asks, asked: SettingsChange) -> dict[str, Any]:
    """Set them, for all."""
    with asks.desk.work(writes=True) as work:
        if asked.idle_minutes is not None:
            people.idle_minutes(work, asked.idle_minutes)
        if asked.second_factor_for is not None:
            second_factor_for(work, asked.second_factor_for)
        return _settings(work)


@own.get("/passes")
def list_passes(asks: Asks) -> dict[str, Any]:
    """List one's own sessions and tokens in force, without what opens them."""
    with asks.desk.work(writes=False) as work:
        return {"passes": [plain_row(one) for one in people.list_passes(work)]}


@own.delete("/passes", status_code=204)
def end_other_passes(asks: Asks) -> None:
    """End all of one's own sessions and tokens but the one that asks."""
    with asks.desk.work(writes=True) as work:
        people.end_other_passes(work)


@own.get("/user")
def read_own_user(asks: Asks) -> dict[str, Any]:
    """Read oneself as a user; `rests`: roles of one's own do, until a second factor is on."""
    with asks.desk.work(writes=False) as work:
        return _facts(people.own_user(work)) | {"rests": is_resting(work)}


@own.delete("/passes/{record_id}", status_code=204)
def end_pass(asks: Asks, record_id: RecordId) -> None:
    """End one of one's own sessions or tokens."""
    with asks.desk.work(writes=True) as work:
        people.end_pass_named(work, record_id)


@own.post("/tokens", status_code=201)
def make_token(asks: Asks, serves: Serves, asked: TokenAsked) -> dict[str, Any]:
    """Make a token for a program that works as oneself; it is told once."""
    _again(asks, serves, asked.password)
    made = asks.desk.make_token(asked.label, timedelta(days=asked.days))
    return {"token": made.token, "expires_at": made.expires_at.isoformat()}


@own.post("/second-factor", status_code=201)
def begin_second_factor(asks: Asks, serves: Serves, asked: SecondFactorAsked) -> dict[str, Any]:
    """Make a secret and recovery codes, told once; the second factor is on once a code was confirmed."""
    _again(asks, serves, asked.password)
    made = asks.desk.begin_second_factor()
    return {"secret": made.secret, "uri": made.uri, "recovery": list(made.recovery)}


@own.post("/second-factor/confirm", status_code=204)
def confirm_second_factor(asks: Asks, serves: Serves, asked: Code) -> None:
    """Turn the second factor on, with a first code."""
    serves.sign_ins.take(asks.person.user_id)  # a code is a guess, too
    asks.desk.confirm_second_factor(asked.code)


def _again(asks: Caller, serves: Serves, password: str) -> None:
    """Ask for one's own password again, at the pace of signing in."""
    serves.sign_ins.take(asks.person.user_id)
    asks.desk.check_password(password)
