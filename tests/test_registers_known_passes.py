"""Who holds a token, remembered: the same answer as the registers give, at every moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from registers_cases import (  # noqa: F401
    OWN,
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.rights.decide import Role
from changtong.rights.scope import Scope
from changtong.storage.known_passes import KnownPasses
from changtong.storage.rows import now
from changtong.storage.store import Desk, Store
from changtong.storage.work import SEEN_EVERY, Pass


@pytest.fixture
def known(small: tuple[Store, Desk]) -> Iterator[KnownPasses]:
    made = KnownPasses(small[0].engine)
    yield made
    made.close()


@pytest.fixture
def file(small: tuple[Store, Desk]) -> tuple[Store, Desk]:
    """The small registers as a file: PostgreSQL has nothing remembered."""
    if not remembers(small[0]):
        pytest.skip("PostgreSQL tells no such thing: nothing is remembered")
    return small


def looked_up(known: KnownPasses, store: Store, token: str) -> Pass:
    """Read a pass as the server does, and have it remembered."""
    version = known.version()
    with Desk(store.engine, token, None).work(writes=False) as work:
        known.keep(token, work.holds, version)
        return work.holds


SHUTS_OUT = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE users SET is_active = 0")
db.commit()
"""


def remembers(store: Store) -> bool:
    return bool(store.engine.dialect.name == "sqlite")


def test_what_was_read_is_remembered_while_nothing_is_written(
    small: tuple[Store, Desk], known: KnownPasses
) -> None:
    store, admin = small
    person(store, admin, "zhou", "spb", ("viewer", Scope()))
    token = store.sign_in("zhou", OWN).token
    assert known.get(token, now()) is None
    holds = looked_up(known, store, token)
    for _ in range(3):
        assert known.get(token, now()) == (holds if remembers(store) else None)
    assert known.get(token + "x", now()) is None
    assert [grant.role for grant in holds.person.grants] == [Role("viewer")]


@pytest.mark.parametrize("what", ["give", "take back", "shut out", "sign out", "another person"])
def test_with_anything_written_it_is_read_anew(
    small: tuple[Store, Desk], known: KnownPasses, what: str
) -> None:
    store, admin = small
    person(store, admin, "zhou", "spb", ("viewer", Scope()))
    token = store.sign_in("zhou", OWN).token
    looked_up(known, store, token)
    if what == "give":
        admin.give("zhou", "planner", Scope())
    elif what == "take back":
        admin.take_back(admin.grants("zhou")[0]["id"])
    elif what == "shut out":
        admin.change_user("zhou", next(u.version for u in admin.users() if u.name == "zhou"), is_active=False)
    elif what == "sign out":
        store.desk(token).sign_out()
    else:
        admin.add_user("mallory", OWN, "spb")
    assert known.get(token, now()) is None


def test_what_another_process_writes_counts_as_well(file: tuple[Store, Desk]) -> None:
    store, admin = file
    person(store, admin, "zhou", "spb", ("viewer", Scope()))
    token = store.sign_in("zhou", OWN).token
    known = KnownPasses(store.engine)
    looked_up(known, store, token)
    assert known.get(token, now()) is not None
    subprocess.run([sys.executable, "-c", SHUTS_OUT, store.place], check=True)
    assert known.get(token, now()) is None
    known.close()


def test_a_pass_that_ends_or_is_to_be_noted_is_looked_up(file: tuple[Store, Desk]) -> None:
    store, admin = file
    person(store, admin, "zhou", "spb", ("viewer", Scope()))
    known = KnownPasses(store.engine)
    token = store.sign_in("zhou", OWN).token
    holds = looked_up(known, store, token)
    assert known.get(token, holds.seen_at + SEEN_EVERY - timedelta(seconds=1)) == holds
    assert known.get(token, holds.seen_at + SEEN_EVERY) is None
    program = store.desk(token).make_token("a machine", timedelta(hours=1)).token
    made = looked_up(known, store, program)
    assert known.get(program, now() + timedelta(minutes=50)) == made
    assert known.get(program, made.expires_at) is None
    known.close()


def test_what_was_written_between_is_not_taken_for_known(file: tuple[Store, Desk]) -> None:
    store, admin = file
    person(store, admin, "zhou", "spb", ("viewer", Scope()))
    token = store.sign_in("zhou", OWN).token
    known = KnownPasses(store.engine)
    version = known.version()
    with Desk(store.engine, token, None).work(writes=False) as work:
        holds = work.holds
    admin.take_back(admin.grants("zhou")[0]["id"])
    known.keep(token, holds, version)
    assert known.get(token, now()) is None
    known.close()


def test_a_password_that_somebody_else_has_set_is_never_remembered(file: tuple[Store, Desk]) -> None:
    store, admin = file
    admin.add_user("fresh", OWN, "spb")
    token = store.sign_in("fresh", OWN).token
    known = KnownPasses(store.engine)
    version = known.version()
    with Desk(store.engine, token, None).work(writes=False, any_password=True) as work:
        known.keep(token, work.holds, version)
    assert known.get(token, now()) is None
    known.close()
