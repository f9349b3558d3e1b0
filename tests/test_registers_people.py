"""Signing in, passwords, second factors; who gives whom which role."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import argon2
import pyotp
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from registers_cases import (  # noqa: F401
    ADMIN,
    OWN,
    WORDS,
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage import passwords, sign_in
from changtong.storage.passwords import check_password
from changtong.storage.people import NewOrganisation
from changtong.storage.schema import attempts, passes, recovery_codes, users
from changtong.storage.sign_in import matching_step
from changtong.storage.store import Desk, Store

WRONG = "seven wrong words in a row"


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises((DeniedError, InputError, UsageError, NotFoundError)) as caught:
        call()
    if isinstance(caught.value, InputError):
        return caught.value.problems[0].code
    return caught.value.code


def move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    shifted = datetime.now(UTC) + by
    monkeypatch.setattr(sign_in, "now", lambda: shifted.replace(microsecond=0))


def test_names_are_met_whatever_their_case_and_unknown_ones_tell_nothing(small: tuple[Store, Desk]) -> None:
    store, _ = small
    assert store.sign_in(" Admin ", ADMIN).user_id
    unknown = [
        code_of(lambda: store.sign_in("nobody", WRONG)),
        code_of(lambda: store.sign_in("admin", WRONG)),
    ]
    assert unknown == ["sign-in-failed", "sign-in-failed"]
    with pytest.raises(DeniedError) as one, store.engine.connect():
        store.sign_in("nobody", WRONG)
    with pytest.raises(DeniedError) as two:
        store.sign_in("admin", WRONG)
    assert str(one.value) == str(two.value)


def test_unknown_names_take_as_long(small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = small
    dear = argon2.PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", dear)
    store.sign_in("admin", ADMIN)  # its hash is renewed with these settings
    checked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noted(self: argon2.PasswordHasher, kept: str, password: str) -> bool:
        checked.append(kept.split("$")[3])
        return verify(self, kept, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    for name in ("admin", "nobody"):
        code_of(lambda name=name: store.sign_in(name, WRONG))  # type: ignore[misc]
    assert checked == ["m=8192,t=2,p=1", "m=8192,t=2,p=1"]


def test_a_hash_of_older_settings_is_renewed(
    small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = small

    def kept() -> str:
        with store.engine.connect() as connection:
            return str(connection.execute(sa.select(users.c.password_hash)).scalar_one())

    before = kept()
    store.sign_in("admin", ADMIN)
    assert kept() == before
    monkeypatch.setattr(
        passwords, "hasher", argon2.PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    )
    store.sign_in("admin", ADMIN)
    assert "m=128,t=2,p=1" in kept()
    store.sign_in("admin", ADMIN)


@pytest.mark.parametrize("name", ["admin", "nobody"])
def test_lock_out_grows_and_ends(
    small: tuple[Store, Desk], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = small
    codes = [code_of(lambda: store.sign_in(name, WRONG)) for _ in range(6)]
    assert codes == ["sign-in-failed"] * 5 + ["sign-in-locked"]
    assert code_of(lambda: store.sign_in(name, ADMIN)) == "sign-in-locked"
    waited = timedelta()
    for delay in (2, 4, 8, 16):
        waited += timedelta(seconds=delay - 1)
        move_clock(monkeypatch, waited - timedelta(seconds=1))
        assert code_of(lambda: store.sign_in(name, WRONG)) == "sign-in-locked"
        waited += timedelta(seconds=2)
        move_clock(monkeypatch, waited)
        assert code_of(lambda: store.sign_in(name, WRONG)) == "sign-in-failed"
    move_clock(monkeypatch, waited + timedelta(minutes=16))
    if name == "admin":
        store.sign_in(name, ADMIN)
        with store.engine.connect() as connection:
            assert connection.execute(sa.select(attempts)).first() is None


def test_guesses_at_once_do_not_escape_the_count(small: tuple[Store, Desk]) -> None:
    store, _ = small
    said: list[str] = []

    def guess() -> None:
        try:
            store.sign_in("admin", WRONG)
        except DeniedError as error:
            said.append(error.code)

    many = [threading.Thread(target=guess) for _ in range(20)]
    for one in many:
        one.start()
    for one in many:
        one.join()
    assert (said.count("sign-in-failed"), said.count("sign-in-locked")) == (5, 15)


def test_an_attempt_that_waited_counts_from_when_its_turn_came(
    small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = small
    real, ahead = sign_in.writing, [timedelta()]

    @contextmanager
    def slow(engine: sa.Engine) -> Iterator[sa.Connection]:
        with real(engine) as connection:
            ahead[0] += timedelta(seconds=30)  # what waiting for the lock took
            yield connection

    monkeypatch.setattr(sign_in, "writing", slow)
    monkeypatch.setattr(sign_in, "now", lambda: datetime.now(UTC) + ahead[0])
    assert code_of(lambda: store.sign_in("admin", WRONG)) == "sign-in-failed"
    with store.engine.connect() as connection:
        counted = connection.execute(sa.select(attempts.c.at)).scalar_one()
    assert counted > datetime.now(UTC) + timedelta(seconds=20)


def test_sessions_end_and_only_hashes_are_kept(small: tuple[Store, Desk]) -> None:
    store, _ = small
    session = store.sign_in("admin", ADMIN)
    desk = store.desk(session.token)
    with store.engine.connect() as connection:
        kept = str(connection.execute(sa.select(passes)).all()) + str(
            connection.execute(sa.select(users)).all()
        )
    assert session.token not in kept
    assert ADMIN not in kept
    desk.sign_out()
    assert code_of(desk.users) == "session-over"
    assert code_of(lambda: store.desk("guess")) == "session-over"
    token = store.desk(store.sign_in("admin", ADMIN).token).make_token("backup", timedelta(days=3))
    assert timedelta(days=2) < token.expires_at - datetime.now(UTC) < timedelta(days=4)
    with store.engine.begin() as connection:
        connection.execute(passes.update().values(expires_at=datetime.now(UTC) - timedelta(milliseconds=2)))
    assert code_of(lambda: store.desk(token.token)) == "session-over"
    desk = store.desk(store.sign_in("admin", ADMIN).token)
    for lasts in (timedelta(0), timedelta(days=367)):
        assert code_of(lambda lasts=lasts: desk.make_token("x", lasts)) == "bad-usage"  # type: ignore[misc]


def test_a_first_password_must_be_changed_and_all_other_sessions_end(small: tuple[Store, Desk]) -> None:
    store, admin = small
    admin.add_user("li", WORDS, "spb-sz")
    admin.give("li", "viewer", Scope(region="440300"))
    session = store.sign_in("li", WORDS)
    assert session.must_change
    desk = store.desk(session.token)
    other = store.desk(store.sign_in("li", WORDS).token)
    assert code_of(lambda: desk.page("site")) == "password-must-change"
    assert code_of(lambda: desk.change_password(WRONG, OWN)) == "sign-in-failed"
    assert code_of(lambda: desk.change_password(WORDS, WORDS)) == "weak-password"
    assert code_of(lambda: desk.change_password(WORDS, "short")) == "weak-password"
    token = store.desk(store.sign_in("li", WORDS).token)
    desk.change_password(WORDS, OWN)
    assert desk.page("site").records == ()
    for ended in (other, token):
        assert code_of(lambda ended=ended: ended.page("site")) == "session-over"  # type: ignore[misc]
    assert code_of(lambda: store.sign_in("li", WORDS)) == "sign-in-failed"
    assert store.desk(store.sign_in("li", OWN).token).page("site").records == ()


def test_who_is_shut_out_is_out_at_once(small: tuple[Store, Desk]) -> None:
    store, admin = small
    li = person(store, admin, "li", "spb-sz", ("viewer", Scope(region="440300")))
    version = next(user.version for user in admin.users() if user.name == "li")
    with pytest.raises(ConflictError):
        admin.change_user("li", version + 1, is_active=False)
    admin.change_user("li", version, is_active=False)
    assert code_of(lambda: li.page("site")) == "session-over"
    assert code_of(lambda: store.sign_in("li", OWN)) == "sign-in-failed"
    admin.change_user("li", version + 1, is_active=True, password=WORDS)
    assert store.sign_in("li", WORDS).must_change


def test_second_factor(small: tuple[Store, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    store, admin = small
    made = admin.begin_second_factor()
    assert "secret" not in repr(made)
    assert made.secret not in repr(made)
    store.sign_in("admin", ADMIN)  # not on before it was confirmed
    totp = pyotp.TOTP(made.secret)
    assert code_of(lambda: admin.confirm_second_factor("000000x")) == "sign-in-failed"
    first = totp.now()
    admin.confirm_second_factor(first)
    assert code_of(admin.begin_second_factor) == "bad-usage"
    assert code_of(lambda: store.sign_in("admin", ADMIN)) == "second-factor-needed"
    assert code_of(lambda: store.sign_in("admin", ADMIN, first)) == "sign-in-failed"  # it was used
    later = totp.at(datetime.now(UTC) + timedelta(seconds=30))
    assert store.sign_in("admin", ADMIN, later).token
    assert code_of(lambda: store.sign_in("admin", ADMIN, later)) == "sign-in-failed"
    assert store.sign_in("admin", ADMIN, made.recovery[3]).token
    assert code_of(lambda: store.sign_in("admin", ADMIN, made.recovery[3])) == "sign-in-failed"
    with store.engine.connect() as connection:
        kept = str(connection.execute(sa.select(recovery_codes)).all())
    assert made.recovery[0] not in kept
    desk = store.desk(store.sign_in("admin", ADMIN, made.recovery[0]).token)
    version = next(user.version for user in desk.users() if user.name == "admin")
    desk.change_user("admin", version, clear_second_factor=True)
    assert store.sign_in("admin", ADMIN).token


def test_codes_of_a_second_factor() -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    at = datetime(2026, 6, 1, 8, tzinfo=UTC)
    step = int(at.timestamp()) // 30
    totp = pyotp.TOTP(secret)
    for away, expected in ((-2, None), (-1, step - 1), (0, step), (1, step + 1), (2, None)):
        assert matching_step(secret, totp.generate_otp(step + away), 0, at) == expected
    assert matching_step(secret, totp.generate_otp(step), step, at) is None
    for wrong in ("", "12345", "1234567", "abcdef", "１２３４５６"):
        assert matching_step(secret, wrong, 0, at) is None


@pytest.mark.parametrize(
    "password",
    ["", "short", "eleven sign", "123456789012", "aaaaaaaaaaaa", "passwordpassword", "Password2024!!",
     "qwertyuiop12",
     "admin123456789", "woaini1314520", "li-has-a-long-one", "abcdefghijklmnop", "youzheng@12345", "x" * 257,
     "1q2w3e4r5t6y", "football1234", "Trustno1trustno1", "liverpoolfc1", "Iloveyou12345", "a1b2c3d4e5f6",
     "P@ssw0rd123456", "changtong2026!", "asdfghjkl;12345", "987654321098", "k7$mq!k7$mq!", "1sah-il#93kVwq"],
)  # fmt: skip
def test_weak_passwords_are_refused_without_being_told(password: str) -> None:
    with pytest.raises(InputError, match="weak-password") as caught:
        check_password(password, "li-has")
    assert len(password) < 5 or password not in str(caught.value)


@pytest.mark.parametrize(
    "password",
    ["three green vans at dawn", "北风吹过七座山和两条河流啊", "tK9#vQ2m!xLw"],
)
def test_good_passwords_are_taken(password: str) -> None:
    check_password(password, "li")


def test_a_password_is_more_than_the_name_of_the_organisation() -> None:
    with pytest.raises(InputError, match="weak-password"):
        check_password("Harbour Post Office 2026", "li", ["海港邮局", "Harbour Post Office"])
    with pytest.raises(InputError, match="weak-password"):
        check_password("广东省邮政管理局12345", "li", ["广东省邮政管理局", None])
    check_password("zephyrt0wn0akdale", "li")
    with pytest.raises(InputError, match="weak-password"):
        check_password("zephyrt0wn0akdale", "li", ["Zephyrtown Oakdale"])
    check_password("harbour post office sells green kites", "li", ["Harbour Post Office"])


@given(st.text(min_size=0, max_size=40), st.text(max_size=10))
def test_any_password_is_taken_or_refused_with_one_code(password: str, name: str) -> None:
    codes = set()
    try:
        check_password(password, name)
    except InputError as error:
        codes = {problem.code for problem in error.problems}
    assert codes <= {"weak-password"}
    assert codes or len(password) >= passwords.LEAST_SIGNS


def test_roles_are_given_within_ones_own_scope_and_the_users_organisation(small: tuple[Store, Desk]) -> None:
    store, admin = small
    gd = person(store, admin, "gd", "spb-gd", ("administrator", Scope(region="440000")))
    firm = person(store, admin, "boss", "sd", ("administrator", Scope("/sd/")))
    gd.add_user("li", WORDS, "spb-sz")
    gd.give("li", "inspector", Scope(region="440300"))
    for desk, name, scope in [
        (gd, "li", Scope(region="110000")), (gd, "li", Scope()), (gd, "li", Scope(region="440000")),
        (gd, "gd", Scope()), (firm, "boss", Scope("/fc/")), (firm, "boss", Scope(region="310000")),
    ]:  # fmt: skip
        with pytest.raises(DeniedError) as caught:
            desk.give(name, "administrator", scope)
        assert caught.value.code == "bad-scope"
    assert code_of(lambda: gd.give("li", "king", Scope(region="440300"))) == "unknown-role"
    assert code_of(lambda: gd.give("li", "viewer", Scope(region="4"))) == "bad-value"
    assert code_of(lambda: gd.give("boss", "viewer", Scope(region="440300"))) == "not-found"
    assert code_of(lambda: firm.give("li", "viewer", Scope("/sd/"))) == "not-found"
    past = datetime(2026, 1, 1, tzinfo=UTC)
    assert code_of(lambda: gd.give("li", "viewer", Scope(region="440300"), past)) == "bad-usage"
    with pytest.raises(DeniedError):
        gd.add_user("zhang", WORDS, "spb")  # what stands above is seen, and no more
    assert code_of(lambda: firm.add_user("zhang", WORDS, "fc")) == "not-found"
    firm.add_user("zhang", WORDS, "sd-ns")
    firm.give("zhang", "viewer", Scope("/sd/sd-gd/sd-sz/sd-ns/"))
    assert {user.name for user in firm.users()} == {"boss", "zhang"}
    assert [grant["role"] for grant in firm.grants("zhang")] == ["viewer"]
    assert code_of(lambda: firm.grants("li")) == "not-found"
    assert code_of(lambda: firm.take_back("nothing")) == "not-found"
    assert admin.verify_audit().whole


def test_a_role_until_an_instant(small: tuple[Store, Desk]) -> None:
    store, admin = small
    admin.add_user("li", WORDS, "spb-sz")
    admin.give("li", "viewer", Scope(region="440300"), datetime.now(UTC) + timedelta(seconds=1.5))
    store.desk(store.sign_in("li", WORDS).token).change_password(WORDS, OWN)
    desk = store.desk(store.sign_in("li", OWN).token)
    assert desk.page("site").records == ()
    time.sleep(1.6)
    assert code_of(lambda: desk.page("site")) == "not-allowed"


def test_organisations_stand_where_they_can(small: tuple[Store, Desk]) -> None:
    _, admin = small
    cases = [
        (NewOrganisation("x", "outlet", "440305", "spb"), "bad-organisation"),
        (NewOrganisation("x", "branch", "440305"), "bad-organisation"),
        (NewOrganisation("x", "city", "440305", "nothing"), "not-found"),
        (NewOrganisation("x", "outlet", "440305", "sd", id="sd-ns"), "duplicate-record"),
        (NewOrganisation("x", "outlet", "440305", "sd", id="a/b"), "bad-value"),
    ]
    for new, code in cases:
        assert code_of(lambda new=new: admin.add_organisation(new)) == code  # type: ignore[misc]
    assert admin.organisation_path("sd-ns") == "/sd/sd-gd/sd-sz/sd-ns/"


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 65, "a\nb", "a\0b"])
def test_names_that_are_none(small: tuple[Store, Desk], name: str) -> None:
    _, admin = small
    assert code_of(lambda: admin.add_user(name, WORDS, "spb")) == "bad-value"


def test_a_name_is_given_once(small: tuple[Store, Desk]) -> None:
    _, admin = small
    admin.add_user("Li", WORDS, "spb")
    assert code_of(lambda: admin.add_user("lI", WORDS, "spb")) == "duplicate-record"


def test_organisations_are_shown_level_by_level(small: tuple[Store, Desk]) -> None:
    store, admin = small
    assert [row["id"] for row in admin.organisations()] == ["fc", "sd", "spb"]
    assert [row["id"] for row in admin.organisations("spb")] == ["spb-bj", "spb-gd"]
    branch = person(store, admin, "b", "sd-gd", ("viewer", Scope("/sd/sd-gd/")))
    assert [row["id"] for row in branch.organisations()] == ["sd"]  # its own line, and nothing beside
    assert [row["id"] for row in branch.organisations("sd-gd")] == ["sd-sz"]
