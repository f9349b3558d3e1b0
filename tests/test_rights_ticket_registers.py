"""Rights tickets in the registers: the folder's states and clocks, who sees what, every look on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.errors import DeniedError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.backup import make_backup, restore
from changtong.storage.erasure import try_erasure
from changtong.storage.erasure_rules import read_erasure_rules
from changtong.storage.export import export_all
from changtong.storage.pages import Query
from changtong.storage.personal_search import find_in_registers
from changtong.storage.rows import now
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store, open_store
from changtong.studies import run_study
from changtong.workforce.relief_match import ReliefFirms
from changtong.workforce.relief_rules import read_policies
from changtong.workforce.rights_ticket_folder import move_in_folder, open_ticket, ticket_facts
from changtong.workforce.rights_ticket_rules import read_ticket_rules
from changtong.workforce.rights_tickets import RightsTicket, TicketEvent, due_clocks
from changtong.workforce_records.relief_firms import register_firms
from changtong.workforce_records.ticket_register import (
    assign_register_ticket,
    counted_register_tickets,
    move_register_ticket,
    open_register_ticket,
    read_register_tickets,
)

CITY = Scope(region="440300")
OUTLET = Scope("/sd/sd-gd/sd-sz/sd-ns/")
RULES = read_ticket_rules()
RECEIVED = datetime(2024, 2, 5, 1, tzinfo=UTC)  # a Monday in China; the Spring Festival is at hand


def said(ticket_id: str = "T1", **more: Any) -> RightsTicket:
    given: dict[str, Any] = {
        "id": ticket_id, "kind": "pay", "firm_id": "sd-ns", "received_at": RECEIVED, "by": "li",
        "ended_on": date(2024, 1, 31), "name": "赵小明", "phone": "13812345678", "text": "两个月没发工资",
    }  # fmt: skip
    return RightsTicket(**(given | more))


@pytest.fixture
def people(small: tuple[Store, Desk]) -> dict[str, Desk]:
    store, admin = small
    return {
        "admin": admin,
        "li": person(store, admin, "li", "spb-sz", ("inspector", CITY)),
        "vi": person(store, admin, "vi", "spb-sz", ("viewer", CITY)),
        "plan": person(store, admin, "plan", "spb-sz", ("planner", CITY)),
        "bei": person(store, admin, "bei", "spb-bj", ("inspector", Scope(region="110000"))),
        "boss": person(store, admin, "boss", "sd-ns", ("inspector", OUTLET), ("duty_officer", OUTLET)),
        "hr": person(store, admin, "hr", "sd-ns", ("viewer", OUTLET)),
        "zhao": person(store, admin, "zhao", "sd-ns", ("viewer", OUTLET)),
        "qian": person(store, admin, "qian", "fc-ft", ("viewer", Scope("/fc/fc-ft/"))),
    }


def counted(desk: Desk, least: int) -> pl.DataFrame:
    made: pl.DataFrame = run_study(
        "rights-statistics", counted_register_tickets(desk), least=least
    ).result.rows
    return made


STEPS = (
    ("accept", "", "", 24),
    ("reject", "too late", "", 25),  # not possible any more
    ("mediate", "", "", 48),
    ("transfer", "", "劳动仲裁委", 72),
    ("settle", "", "", 96),
    ("close", "", "", 97),
    ("reopen", "", "", 98),  # wants a reason
    ("reopen", "nothing was paid", "", 99),
)


def test_a_ticket_goes_the_way_it_goes_in_a_folder(people: dict[str, Desk], tmp_path: Path) -> None:
    li = people["li"]
    made = open_register_ticket(li, said(), RULES)
    kept = open_ticket(tmp_path / "t", lambda _: said(region="440300"), RULES)

    def clocks(ticket: RightsTicket) -> list[Any]:
        return [
            (one.clock.id, one.due, one.stage, one.days_left)
            for one in due_clocks([ticket], RULES, RECEIVED + timedelta(days=20), all_running=True)
        ]

    assert ticket_facts(made.ticket) == ticket_facts(kept)
    # five working days, without the Spring Festival, with the Sunday worked for it: 6 to 9 and 18 February
    assert [str(one.last_day) for one in due_clocks([made.ticket], RULES, RECEIVED, all_running=True)][0] == (
        "2024-02-18"
    )

    def both(action: str, reason: str, to: str, when: datetime) -> Iterator[tuple[Any, Any]]:
        event = TicketEvent(when, action, "li", reason, to)
        for do in (
            lambda: move_register_ticket(li, "T1", action, reason=reason, to=to, at=when).ticket,
            lambda: move_in_folder(tmp_path / "t", "T1", event, RULES),
        ):
            try:
                ticket = do()
                yield facts(ticket), clocks(ticket)
            except InputError as error:
                yield str(error), []

    def facts(ticket: RightsTicket) -> dict[str, Any]:
        """Instants as such: a folder keeps the offset that was given."""
        made = ticket_facts(ticket)
        for one in (made, *made["events"]):
            for name in {"at", "since", "received_at"} & set(one):
                one[name] = datetime.fromisoformat(one[name])
        return made

    for action, reason, to, hours in STEPS:
        there, here = both(action, reason, to, RECEIVED + timedelta(hours=hours))
        assert there == here, action
    (last,) = read_register_tickets(li)
    assert [one.action for one in last.ticket.events] == [
        "accept", "mediate", "transfer", "settle", "close", "reopen",
    ]  # fmt: skip
    assert last.ticket.state == li.get("rights_ticket", "T1")["state"] == "reopened"
    assert people["admin"].verify_audit(with_records=True).whole


def test_only_whom_it_concerns_sees_a_ticket(people: dict[str, Desk]) -> None:
    li = people["li"]
    open_register_ticket(li, said(), RULES)
    open_register_ticket(li, said("T2", firm_id="fc-ft", name="钱"), RULES)

    def seen(who: str) -> list[str]:
        try:
            found = [one.ticket.id for one in read_register_tickets(people[who])]
        except DeniedError:
            return ["denied"]
        pages = [one.id for one in people[who].every("rights_ticket", Query(limit=1, newest_first=False))]
        assert pages == found  # the list of the registers shows the same
        for one in ("T1", "T2"):
            if one in found:
                assert people[who].get("rights_ticket", one).id == one
            else:
                with pytest.raises(NotFoundError):
                    people[who].get("rights_ticket", one)
                with pytest.raises(NotFoundError):
                    read_register_tickets(people[who], one)
        return found

    before = {who: seen(who) for who in people}
    assert before == {
        "admin": ["denied"], "li": ["T1", "T2"], "vi": [], "plan": [], "bei": [], "boss": [], "hr": [],
        "zhao": [], "qian": [],
    }  # fmt: skip
    assign_register_ticket(li, "T1", handler="hr", courier="zhao")
    after = {who: seen(who) for who in people}
    assert after == before | {"hr": ["T1"], "zhao": ["T1"]}  # not the outlet's head, not the other firm
    # they see it, and do nothing to it
    for who in ("hr", "zhao"):
        for action in ("accept", "close"):
            with pytest.raises(DeniedError):
                move_register_ticket(people[who], "T1", action)
        with pytest.raises(DeniedError):
            assign_register_ticket(people[who], "T1", handler="boss")
    with pytest.raises(NotFoundError):
        move_register_ticket(people["boss"], "T1", "close")
    assign_register_ticket(li, "T1", handler="", reason="left the firm")
    assert seen("hr") == []
    assert [one["action"] for one in people["admin"].audit_entries("rights_ticket", "T1")][:3] == [
        "add", "change", "refused:change",
    ]  # fmt: skip


def test_personal_data_are_masked_and_every_look_is_on_record(
    small: tuple[Store, Desk], people: dict[str, Desk]
) -> None:
    store, _ = small
    li, admin = people["li"], people["admin"]
    open_register_ticket(li, said(), RULES, courier="zhao")
    move_register_ticket(li, "T1", "reject", reason="赵小明 was no employee")
    shown = str([ticket_facts(one.ticket) for one in read_register_tickets(li)])
    shown += "".join(str(dict(one.values)) for one in li.every("rights_ticket"))
    shown += str(admin.audit_entries("rights_ticket", "T1"))
    for secret in ("赵小明", "12345678", "工资"):
        assert secret not in shown
    for who in ("li", "zhao"):
        seen = people[who].reveal("rights_ticket", "T1", "to call back", ["name", "phone"])
        assert (seen["name"], seen["phone"], seen["text"]) == ("赵小明", "13812345678", "***")
    with pytest.raises(UsageError, match="reason-missing|Say why"):
        people["zhao"].reveal("rights_ticket", "T1", " ")
    for who in ("vi", "boss", "bei"):
        with pytest.raises(NotFoundError):
            people[who].reveal("rights_ticket", "T1", "curious")
    looks = [one for one in admin.audit_entries("rights_ticket", "T1") if one["action"] == "reveal"]
    assert len(looks) == 2
    found = find_in_registers(store, admin)
    declared = found.declared.filter(pl.col("table") == "rights_tickets")
    assert dict(declared.select("column", "values").iter_rows()) == {
        "courier": 1, "name": 1, "phone": 1, "text": 1, "events": 1,
    }  # fmt: skip
    assert "rights_tickets" not in found.finds["table"].to_list()


def test_open_tickets_are_held_when_others_are_erased_and_copies_have_all(
    small: tuple[Store, Desk], people: dict[str, Desk], tmp_path: Path
) -> None:
    store, admin = small
    li = people["li"]
    for one in ("T1", "T2"):
        open_register_ticket(li, said(one), RULES, courier="zhao")
    move_register_ticket(li, "T1", "reject", reason="no employee")
    rules = tmp_path / "rules.toml"
    rules.write_text(
        """[rights_ticket]
name_zh = "工单"
basis = "a decision"
provenance = "example"
source = "made up"
since = "received_at"
states = ["rejected", "received"]
delete_after_days = 30
""",
        "utf-8",
    )
    (told,) = try_erasure(store, admin, read_erasure_rules(rules), now()).registers
    assert (told["erased"], told["held"]) == (1, {"open_record": 1})
    export_all(store, admin, tmp_path / "open", reason="a copy")
    text = (tmp_path / "open" / "rights_tickets.csv").read_text("utf-8-sig")
    assert "T1" in text
    assert not [one for one in ("赵小明", "12345678", "工资", "no employee") if one in text]
    make_backup(store, admin, tmp_path / "copy")
    _, check = restore(tmp_path / "copy", tmp_path / "again.sqlite", files=tmp_path / "again.files")
    assert check.whole
    with open_store(tmp_path / "again.sqlite") as again, again.engine.connect() as connection:
        rows = connection.execute(sa.select(registers["rights_ticket"].c.name)).all()
    assert [row.name for row in rows] == ["赵小明", "赵小明"]


def test_statistics_need_no_ticket_and_tell_no_small_counts(people: dict[str, Desk]) -> None:
    li = people["li"]
    for k in range(7):
        open_register_ticket(li, said(f"A{k}"), RULES)
    open_register_ticket(li, said("B", firm_id="fc-ft"), RULES)
    for who in ("li", "vi", "plan"):
        rows = counted(people[who], 5).to_dicts()
        told = {(one["firm_id"], one["kind"]): one["tickets"] for one in rows}
        assert told[("fc-ft", "pay")] is None
        assert None in (told[("sd-ns", "pay")], told[("all", "pay")])
        all_told = counted(people[who], 1).to_dicts()
        assert {(one["firm_id"], one["tickets"]) for one in all_told if one["kind"] == "pay"} == {
            ("sd-ns", 7), ("fc-ft", 1), ("all", 8),
        }  # fmt: skip
    for who in ("bei", "boss"):
        assert counted(people[who], 1)["tickets"].sum() == 0
    with pytest.raises(DeniedError):
        counted(people["admin"], 1)


def test_wrong_input_is_told_at_once_and_writes_nothing(people: dict[str, Desk]) -> None:
    li = people["li"]
    soon = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(InputError) as wrong:
        open_register_ticket(
            li,
            said(kind="工资", firm_id="nobody", received_at=soon, text="x" * 4001),
            RULES,
            courier="无此人",
        )
    assert {one.column for one in wrong.value.problems} == {"kind", "firm_id", "at", "text", "courier"}
    with pytest.raises(InputError, match="six digits"):
        open_register_ticket(li, said(region="深圳"), RULES)
    with pytest.raises(InputError, match="no id"):
        open_register_ticket(li, said("工单 1"), RULES)
    for who in ("vi", "boss", "bei", "admin"):
        with pytest.raises((DeniedError, InputError)):
            open_register_ticket(people[who], said(), RULES, organisation="spb-sz")
    assert read_register_tickets(li) == ()
    open_register_ticket(li, said(), RULES)
    with pytest.raises(InputError, match="duplicate-record"):
        open_register_ticket(li, said(), RULES)
    for given in ({"handler": "qian"}, {"handler": "无此人"}, {}):
        with pytest.raises(InputError, match="bad-ticket"):
            assign_register_ticket(li, "T1", **given)
    with pytest.raises(InputError, match="bad-action"):
        move_register_ticket(li, "T1", "受理")
    with pytest.raises(InputError, match="still to come"):
        move_register_ticket(li, "T1", "accept", at=soon)
    with pytest.raises(UsageError, match="not added as such"):
        li.add("rights_ticket", {"kind": "pay"})
    record = li.get("rights_ticket", "T1")
    with pytest.raises(InputError, match="kept-by-ledger"):
        li.change("rights_ticket", "T1", record.version, {"state": "closed"})
    assert li.get("rights_ticket", "T1").version == 1


def test_firms_of_the_registers_are_matched_with_what_is_missing_said(
    people: dict[str, Desk], tmp_path: Path
) -> None:
    policies = read_policies()
    firms = register_firms(people["li"], policies)
    assert [(one.id, dict(one.facts)) for one in firms] == [
        ("fc-ft", {"region": "440304"}), ("sd-ns", {"region": "440305"}), ("sd-sz", {"region": "440300"}),
    ]  # fmt: skip
    day = policies.policies[0].begins
    rows = run_study("relief-match", ReliefFirms(firms, policies), day=day).result.rows
    assert "qualifies" not in rows["status"].to_list()
    assert all(one["missing_zh"] for one in rows.to_dicts() if one["status"] == "could")
    assert "could" in rows["status"].to_list()
    file = tmp_path / "facts.csv"
    file.write_text("firm_id,name,region,size\nsd-ns,别名,110000,micro\n", "utf-8")
    known = {one.id: one for one in register_firms(people["li"], policies, file)}
    assert known["sd-ns"].facts == {"region": "440305", "size": "micro"}  # what the registers say, stands
    assert known["sd-ns"].name == "顺达南山网点"
    assert [one.id for one in register_firms(people["boss"], policies)] == ["sd-ns"]
    file.write_text("firm_id,size\nsd-ns,巨大\nspb-sz,micro\nsd,micro\n", "utf-8")
    with pytest.raises(InputError) as wrong:
        register_firms(people["li"], policies, file)
    assert [one.code for one in wrong.value.problems] == ["unknown-firm", "unknown-firm"]
    saved = run_study("relief-match", ReliefFirms(firms, policies), day=day, folder=tmp_path / "match")
    assert {one.name for one in (tmp_path / "match").iterdir()} == {
        "relief-match.json", "matches.csv", "calendar.csv", "study.json",
    }  # fmt: skip
    again = run_study("relief-match", ReliefFirms(firms, policies), day=day)
    assert saved.input_digest == again.input_digest
    other = ReliefFirms(tuple(known.values()), policies)
    assert run_study("relief-match", other, day=day).input_digest != again.input_digest
