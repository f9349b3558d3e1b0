"""Withdrawals acknowledged: a plan that nothing replaces tells its sites to stop; they say they read it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from issued_cases import BY_PHONE, both, code_of, issued, people, plan_folder, proposed
from registers_cases import (  # noqa: F401
    cheap_hashes,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.errors import ConflictError
from changtong.response_records.issued_orders import (
    Answer,
    acknowledge_order,
    every_row,
    list_orders,
    read_order,
    refuse_order,
)
from changtong.response_records.issued_plans import (
    changes_of_plan,
    read_plan,
    verify_plan_log,
    withdraw_plan,
)
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store, open_store, upgrade_store


@pytest.fixture
def desks(small: tuple[Store, Desk]) -> dict[str, Desk]:  # noqa: F811
    return people(*small)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return plan_folder(tmp_path / "plan")


def stops(desk: Desk, plan: str) -> tuple[int, int, int]:
    """Return how many wait, were seen and are overdue."""
    answers = read_plan(desk, plan)["answers"]
    return answers["stop_waits"], answers["stop_seen"], answers["stop_overdue"]


def test_from_a_withdrawal_until_every_site_has_read_it(desks: dict[str, Desk], folder: Path) -> None:
    li, wu, ft = desks["li"], desks["wu"], desks["ft"]
    plan = issued(desks, folder, within_min=30)
    assert refuse_order(ft, plan, "B", Answer("no lorry"))["may"] == ["acknowledge"]
    assert stops(li, plan) == (0, 0, 0)
    withdrawn = withdraw_plan(li, plan, "A is open again")
    assert (withdrawn["answers"]["withdrawn"], stops(li, plan)) == (2, (2, 0, 0))
    assert stops(ft, plan) == (1, 0, 0)  # its own only
    order = read_order(ft, plan, "B")
    waits = datetime.fromisoformat(order["stop_due_at"]) - datetime.fromisoformat(order["withdrawn_at"])
    assert (waits, order["may"], order["stop_seen_at"]) == (timedelta(minutes=30), ["acknowledge"], None)
    assert [one["site"] for one in list_orders(li, plan, state="stop_waits")[0]] == ["B", "H1"]
    read = acknowledge_order(ft, plan, "B", Answer("lorry called back"), withdrawal=True)
    assert (read["state"], read["stop_seen_by"], read["stop_words"], read["may"]) == (
        "withdrawn", "ft", "lorry called back", [],
    )  # fmt: skip
    # what was answered to the orders stays, and the log tells which state they had
    assert (read["words"], read["answered_by"], read["stop_said_by"]) == ("no lorry", "ft", None)
    assert stops(li, plan) == (1, 1, 0)
    assert code_of(lambda: acknowledge_order(wu, plan, "H1", withdrawal=True)) == "said-by-missing"
    by_phone = acknowledge_order(wu, plan, "H1", BY_PHONE, withdrawal=True)
    assert (by_phone["stop_said_by"], by_phone["said_by"]) == ("王*", None)
    assert stops(li, plan) == (0, 2, 0)
    assert [one["site"] for one in list_orders(li, plan, state="stop_seen")[0]] == ["B", "H1"]
    assert list_orders(li, plan, state="stop_waits") == ([], "")
    assert read_plan(li, plan)["state"] == "withdrawn"  # nothing is completed by it
    assert [one["stop_seen_at"] for one in every_row(li, plan)] == [
        read["stop_seen_at"], read["stop_seen_at"], read["stop_seen_at"], by_phone["stop_seen_at"],
    ]  # fmt: skip
    _, changes = changes_of_plan(li, plan, 0)
    assert [(one["action"], one["by"], one.get("site")) for one in changes[-4:]] == [
        ("cannot", "ft", "B"), ("withdrawn", "li", None), ("stop_acknowledged", "ft", "B"),
        ("stop_acknowledged", "wu", "H1"),
    ]  # fmt: skip
    assert [one["site"] for one in changes_of_plan(ft, plan, 0)[1] if "site" in one] == ["B", "B"]
    assert verify_plan_log(li, plan).whole
    assert desks["admin"].verify_audit(with_records=True).whole


def test_said_twice_it_counts_once_and_a_second_person_is_told_who(
    desks: dict[str, Desk], folder: Path
) -> None:
    plan = issued(desks, folder)
    withdraw_plan(desks["li"], plan, "A is open again")
    first = acknowledge_order(desks["ft"], plan, "B", withdrawal=True)
    assert acknowledge_order(desks["ft"], plan, "B", withdrawal=True) == first
    with pytest.raises(ConflictError, match="withdrawal of these orders was acknowledged by ft"):
        acknowledge_order(desks["li"], plan, "B", BY_PHONE, withdrawal=True)
    # that it cannot be done is no answer to a withdrawal
    with pytest.raises(ConflictError, match="were withdrawn by"):
        refuse_order(desks["ft"], plan, "B", Answer("no lorry"))
    answers = [
        lambda who=who: acknowledge_order(desks[who], plan, "H1", BY_PHONE, withdrawal=True)
        for who in ("li", "wu")
    ]
    told = both(*answers)
    by = read_order(desks["li"], plan, "H1")["stop_seen_by"]
    assert told[0].startswith(f"The withdrawal of these orders was acknowledged by {by} at ")
    assert told[1] == "done"
    assert stops(desks["li"], plan) == (0, 2, 0)
    assert verify_plan_log(desks["li"], plan).whole


def test_who_acknowledges_orders_has_not_read_that_they_were_withdrawn(
    desks: dict[str, Desk], folder: Path
) -> None:
    plan, ft = issued(desks, folder), desks["ft"]
    with pytest.raises(ConflictError, match="were not withdrawn"):
        acknowledge_order(ft, plan, "B", withdrawal=True)
    acknowledge_order(ft, plan, "B")
    withdraw_plan(desks["li"], plan, "A is open again")
    for desk, site in ((ft, "B"), (desks["wu"], "H1")):
        with pytest.raises(ConflictError, match="were withdrawn by"):
            acknowledge_order(desk, plan, site, BY_PHONE)
    assert stops(desks["li"], plan) == (2, 0, 0)


def test_who_may_acknowledge_a_withdrawal(desks: dict[str, Desk], folder: Path) -> None:
    plan = issued(desks, folder)
    withdraw_plan(desks["li"], plan, "A is open again")
    for name, site, code in (
        ("vi", "B", "not-allowed"), ("pan", "B", "not-allowed"), ("bei", "B", "not-found"),
        ("ft", "H1", "not-found"),
    ):  # fmt: skip
        assert (
            code_of(lambda n=name, s=site: acknowledge_order(desks[n], plan, s, BY_PHONE, withdrawal=True))
            == code
        ), name
    assert code_of(lambda: list_orders(desks["bei"], plan, state="stop_waits")) == "not-found"
    may = {name: read_order(desks[name], plan, "B")["may"] for name in ("vi", "pan", "li", "ins")}
    assert may == {"vi": [], "pan": [], "li": ["acknowledge"], "ins": ["acknowledge"]}
    acknowledge_order(desks["li"], plan, "B", BY_PHONE, withdrawal=True)
    order = next(one for one in desks["li"].every("issued_order") if one["site"] == "B")
    assert order["stop_said_by"] == "王*"
    revealed = desks["li"].reveal("issued_order", order.id, "who said so")
    assert (revealed["stop_said_by"], revealed["said_by"]) == ("王强", None)


def test_withdrawals_nobody_has_read_in_time_are_overdue(
    desks: dict[str, Desk],
    folder: Path,
    small: tuple[Store, Desk],  # noqa: F811
) -> None:
    plan = issued(desks, folder, within_min=30)
    withdraw_plan(desks["li"], plan, "A is open again")
    table = registers["issued_order"]
    with small[0].engine.begin() as connection:  # half an hour and a minute go by
        due = datetime.fromisoformat(read_order(desks["li"], plan, "B")["stop_due_at"])
        connection.execute(table.update().values(stop_due_at=due - timedelta(minutes=31)))
    assert stops(desks["li"], plan) == (2, 0, 2)
    assert read_plan(desks["li"], plan)["answers"]["overdue"] == 0
    shown = list_orders(desks["li"], plan, state="stop_overdue")[0]
    assert [(one["site"], one["stop_overdue"], one["overdue"]) for one in shown] == [
        ("B", True, False), ("H1", True, False),
    ]  # fmt: skip
    assert acknowledge_order(desks["ft"], plan, "B", withdrawal=True)["stop_overdue"] is False
    assert stops(desks["li"], plan) == (1, 1, 1)


def test_of_a_plan_that_was_replaced_nothing_more_is_asked(desks: dict[str, Desk], folder: Path) -> None:
    former = issued(desks, folder)
    acknowledge_order(desks["ft"], former, "B")
    plan = issued(desks, folder, replaces=former)
    assert stops(desks["li"], former) == (0, 0, 0)
    order = read_order(desks["ft"], former, "B")
    assert (order["state"], order["stop_due_at"], order["may"]) == ("withdrawn", None, [])
    with pytest.raises(ConflictError, match="were withdrawn by"):
        acknowledge_order(desks["ft"], former, "B", withdrawal=True)
    # the one that replaced it is withdrawn: B has the same to do, and is told to stop all the same
    assert read_order(desks["ft"], plan, "B")["state"] == "acknowledged"
    withdraw_plan(desks["li"], plan, "A is open again")
    assert stops(desks["li"], plan) == (2, 0, 0)
    assert acknowledge_order(desks["ft"], plan, "B", withdrawal=True)["stop_seen_by"] == "ft"


def test_a_plan_that_was_never_out_asks_no_site(desks: dict[str, Desk], folder: Path) -> None:
    plan = proposed(desks["li"], folder)
    withdraw_plan(desks["li"], plan, "not needed")
    assert stops(desks["li"], plan) == (0, 0, 0)


def test_orders_withdrawn_before_version_0011_ask_for_nothing(
    desks: dict[str, Desk],
    folder: Path,
    tmp_path: Path,
    place: str,  # noqa: F811
    small: tuple[Store, Desk],  # noqa: F811
) -> None:
    store, admin = small
    old, running = issued(desks, folder), issued(desks, folder)
    acknowledge_order(desks["ft"], old, "B")
    # as 0010 withdrew: without a time until which that is to be acknowledged
    from changtong.response_records import issued_plans
    from changtong.storage.records import change_record

    def as_before(work, kind, record, version, values, *more, **named):  # type: ignore[no-untyped-def]
        kept = {name: value for name, value in values.items() if name != "stop_due_at"}
        return change_record(work, kind, record, version, kept, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(issued_plans, "change_record", as_before)
        withdraw_plan(desks["li"], old, "A is open again")
    with store.engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_issued_orders_stop_seen_by"))
        for name in ("stop_due_at", "stop_seen_at", "stop_seen_by", "stop_said_by", "stop_words"):
            connection.execute(sa.text(f"ALTER TABLE issued_orders DROP COLUMN {name}"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0010'"))
    assert upgrade_store(place) == ("0011",)
    with open_store(place, files=tmp_path / "files") as again:
        li, ft = again.desk(desks["li"]._token), again.desk(desks["ft"]._token)
        assert again.desk(admin._token).verify_audit(with_records=True).whole
        assert stops(li, old) == (0, 0, 0)
        assert read_order(ft, old, "B")["may"] == []
        with pytest.raises(ConflictError, match="were withdrawn by"):
            acknowledge_order(ft, old, "B")
        # what was out then, and is withdrawn now, is to be acknowledged
        withdraw_plan(li, running, "A is open again")
        assert acknowledge_order(ft, running, "B", withdrawal=True)["stop_seen_by"] == "ft"
        assert stops(li, running) == (1, 1, 0)
        assert again.desk(admin._token).verify_audit(with_records=True).whole
