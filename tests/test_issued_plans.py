"""Issued plans: proposed by one, approved by another, issued, answered by every site; replaced."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from issued_cases import BY_PHONE, ORDERS, SINCE, both, code_of, issued, people, plan_folder, proposed
from registers_cases import (  # noqa: F401
    DIES,
    cheap_hashes,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.errors import ConflictError, DeniedError, InputError, NotFoundError, UsageError
from changtong.response_records import issued_plans
from changtong.response_records.issued_orders import (
    Answer,
    acknowledge_order,
    every_row,
    list_orders,
    read_order,
    refuse_order,
)
from changtong.response_records.issued_plans import (
    Proposal,
    approve_plan,
    changes_of_plan,
    issue_plan,
    list_plans,
    propose_plan,
    read_plan,
    verify_plan_log,
    withdraw_plan,
)
from changtong.response_records.plan_files import read_plan_folder
from changtong.storage.schema import registers
from changtong.storage.store import Desk, Store


@pytest.fixture
def desks(small: tuple[Store, Desk]) -> dict[str, Desk]:  # noqa: F811
    return people(*small)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return plan_folder(tmp_path / "plan")


def test_from_proposed_to_completed(desks: dict[str, Desk], folder: Path) -> None:
    li, wu, ft = desks["li"], desks["wu"], desks["ft"]
    plan = proposed(li, folder)
    made = read_plan(wu, plan)
    assert (made["state"], made["sites"], made["counts"]) == (
        "proposed", 2, {"stop": 1, "extra-trip": 1, "send": 1, "hold": 1},
    )  # fmt: skip
    assert made["plan_id"] == "Six sites-1"
    assert made["notes"][0]["code"] == "leaves-unserved"
    # who approves sees what will go out; those whom it will concern see nothing yet
    assert [one["site"] for one in list_orders(wu, plan)[0]] == ["B", "H1"]
    assert len(read_order(wu, plan, "B")["rows"]) == 3
    assert code_of(lambda: read_plan(ft, plan)) == "not-found"
    assert code_of(lambda: approve_plan(li, plan)) == "second-person-needed"
    assert code_of(lambda: issue_plan(li, plan)) == "bad-state"
    assert approve_plan(wu, plan)["approved_by"] == "wu"
    assert issue_plan(li, plan)["answers"] == {
        "sent": 2, "acknowledged": 0, "cannot": 0, "withdrawn": 0, "late": 0, "overdue": 0,
        "stop_waits": 0, "stop_seen": 0, "stop_overdue": 0,
    }  # fmt: skip
    seen = read_plan(ft, plan)
    assert (seen["seen"], seen["numbers"], seen["answers"]["sent"]) == ("orders", None, 1)
    assert [one["site"] for one in list_orders(ft, plan)[0]] == ["B"]
    order = read_order(ft, plan, "B")
    assert [row["action"] for row in order["rows"]] == ["extra-trip", "send", "hold"]
    assert order["rows"][1]["words"] == {
        "zh": "将发往丙县的邮件快件改发南转运中心（每日40件）：改道而来",
        "en": "Send pieces for 丙县 by 南转运中心 (40 pieces a day): re-routed",
    }
    assert acknowledge_order(ft, plan, "B")["state"] == "acknowledged"
    assert read_plan(li, plan)["state"] == "issued"
    refused = refuse_order(wu, plan, "H1", Answer("no lorry", "王强"))
    assert (refused["state"], refused["words"], refused["said_by"]) == ("cannot", "no lorry", "王*")
    assert read_plan(li, plan)["state"] == "issued"
    acknowledge_order(wu, plan, "H1", BY_PHONE)
    done = read_plan(li, plan)
    assert (done["state"], done["answers"]["acknowledged"]) == ("completed", 2)
    _, changes = changes_of_plan(li, plan, 0)
    assert [(one["action"], one["by"]) for one in changes] == [
        ("proposed", "li"), ("approved", "wu"), ("issued", "li"), ("acknowledged", "ft"), ("cannot", "wu"),
        ("acknowledged", "wu"), ("completed", "wu"),
    ]  # fmt: skip
    assert [one["action"] for one in changes_of_plan(ft, plan, 0)[1] if "site" in one] == ["acknowledged"]
    assert verify_plan_log(li, plan).whole
    assert desks["admin"].verify_audit(with_records=True).whole
    with pytest.raises(ConflictError, match="acknowledged by ft"):
        acknowledge_order(li, plan, "B", BY_PHONE)
    acknowledge_order(ft, plan, "B")  # said twice by the same person it counts once
    rows = list(every_row(li, plan))
    assert [(row["site"], row["action"]) for row in rows] == [
        ("B", "extra-trip"), ("B", "send"), ("B", "hold"), ("H1", "stop"),
    ]  # fmt: skip


def test_plans_that_are_refused(tmp_path: Path, folder: Path) -> None:
    assert len(read_plan_folder(folder).digest) == 64
    loads = "from_site,to_site,planned_pieces,capacity_pieces\n"
    for what, code, change in (
        ("status", "plan-not-feasible", lambda at: plan_folder(at, status="infeasible")),
        ("above", "plan-fails-check", lambda at: (at / "leg_flows.csv").write_text(f"{loads}B,H2,201,200\n")),
        ("unserved", "plan-fails-check", lambda at: plan_folder(at, unserved_pieces=200.0)),
        ("held", "plan-fails-check", lambda at: (at / "unserved.csv").write_text("pieces\n150\n")),
        ("played", "plan-fails-check", lambda at: (at / "verification.csv").write_text("holds\nfalse\n")),
        ("nothing", "no-orders", lambda at: plan_folder(at, ())),
        ("study", "missing-file", lambda at: (at / "study.json").unlink()),
        ("json", "unreadable-file", lambda at: (at / "plan.json").write_text("{")),
        ("column", "missing-column", lambda at: (at / "orders.csv").write_text("site,action\nB,stop\n")),
        ("folder", "not-a-plan-folder", lambda at: (at / "plan.json").unlink()),
    ):
        at = plan_folder(tmp_path / what)
        change(at)  # type: ignore[no-untyped-call]
        assert code_of(lambda at=at: read_plan_folder(at)) == code, what  # type: ignore[misc]
    held = plan_folder(tmp_path / "holds")
    (held / "verification.csv").write_text("holds\nfalse\ntrue\n")
    assert read_plan_folder(held).orders == 4


def test_what_is_wrong_with_a_proposal_is_told_at_once(desks: dict[str, Desk], folder: Path) -> None:
    plan = read_plan_folder(folder)
    with pytest.raises(InputError) as caught:
        propose_plan(desks["li"], plan, Proposal(" ", SINCE.replace(tzinfo=None), within_min=0))
    assert [one.code for one in caught.value.problems] == ["missing-value", "out-of-range", "bad-instant"]
    said = Proposal("A shut", SINCE, key="k1")
    first, is_new = propose_plan(desks["li"], plan, said)
    again, is_new_again = propose_plan(desks["li"], plan, said)
    assert (is_new, is_new_again, first["id"]) == (True, False, again["id"])
    assert propose_plan(desks["wu"], plan, said)[0]["id"] != first["id"]  # keys are each person's own
    own = Proposal("A shut", SINCE, record_id="plan-1")
    assert propose_plan(desks["li"], plan, own)[0]["id"] == "plan-1"
    assert code_of(lambda: propose_plan(desks["wu"], plan, own)) == "duplicate-record"
    other = Proposal("B shut", SINCE, key="k1")
    assert code_of(lambda: propose_plan(desks["li"], plan, other)) == "key-reused"


def test_a_replacement_tells_each_site_what_differs(
    desks: dict[str, Desk], tmp_path: Path, folder: Path
) -> None:
    li, ft = desks["li"], desks["ft"]
    former = issued(desks, folder)
    acknowledge_order(ft, former, "B")
    acknowledge_order(li, former, "H1", BY_PHONE)
    # B: one trip more than before, C by H2 as before though fewer pieces, nothing held; C is new
    trip, send, _, stop = ORDERS
    changed = (
        {**trip, "trips": 2}, {**send, "pieces": 39}, stop,
        {"site": "C", "action": "send", "destination": "B", "next_site": "H1", "pieces": 5},
    )  # fmt: skip
    plan = issued(desks, plan_folder(tmp_path / "again", changed, number="Six sites-2"), replaces=former)
    over = read_plan(li, former)
    assert (over["state"], over["replaced_by"], over["answers"]["withdrawn"]) == ("withdrawn", plan, 2)
    rows = {row["told"]: row for row in read_order(ft, plan, "B")["rows"]}
    assert sorted((row["told"], row["action"]) for row in read_order(ft, plan, "B")["rows"]) == [
        ("new", "extra-trip"), ("withdrawn", "extra-trip"), ("withdrawn", "hold"),
    ]  # fmt: skip
    assert rows["withdrawn"]["words"]["zh"].startswith("撤回：")
    whole = read_order(ft, plan, "B", whole=True)["rows"]
    assert [row["action"] for row in whole if row["told"] == "same"] == ["send"]
    states = {one["site"]: (one["state"], one["told"]) for one in list_orders(li, plan)[0]}
    assert states == {
        "B": ("sent", {"new": 1, "same": 1, "withdrawn": 2}),
        "C": ("sent", {"new": 1, "same": 0, "withdrawn": 0}),
        "H1": ("acknowledged", {"new": 0, "same": 1, "withdrawn": 0}),
    }
    assert {row["told"] for row in read_order(ft, former, "B")["rows"]} == {"withdrawn"}
    with pytest.raises(ConflictError, match="were withdrawn by"):
        acknowledge_order(ft, former, "B")
    # a third: C has nothing to do any more and is told so; B had not acknowledged: all is new to it
    third = issued(desks, plan_folder(tmp_path / "third", changed[:3], number="Six sites-3"), replaces=plan)
    assert {one["site"]: one["told"] for one in list_orders(li, third)[0]} == {
        "B": {"new": 2, "same": 0, "withdrawn": 2},
        "C": {"new": 0, "same": 0, "withdrawn": 1},
        "H1": {"new": 0, "same": 1, "withdrawn": 0},
    }
    # and a fourth: C has not said that it has read this, and is told again; then it is done with
    acknowledge_order(ft, third, "B")
    fourth = issued(desks, plan_folder(tmp_path / "third", changed[:3]), replaces=third)
    assert {one["site"]: one["told"] for one in list_orders(li, fourth)[0]} == {
        "B": {"new": 0, "same": 2, "withdrawn": 0},
        "C": {"new": 0, "same": 0, "withdrawn": 1},
        "H1": {"new": 0, "same": 1, "withdrawn": 0},
    }
    assert [row["told"] for row in read_order(li, third, "C")["rows"]] == ["withdrawn"]
    acknowledge_order(li, fourth, "C", BY_PHONE)
    assert read_plan(li, fourth)["state"] == "completed"
    fifth = issued(desks, plan_folder(tmp_path / "third", changed[:3]), replaces=fourth)
    assert [one["site"] for one in list_orders(li, fifth)[0]] == ["B", "H1"]
    assert read_plan(li, fifth)["state"] == "completed"
    with pytest.raises(ConflictError, match="withdrawn by li"):
        proposed(li, folder, replaces=former)
    assert desks["admin"].verify_audit(with_records=True).whole
    assert all(verify_plan_log(li, one).whole for one in (former, plan, third))


def test_a_plan_that_was_replaced_is_not_replaced_again(desks: dict[str, Desk], folder: Path) -> None:
    former = issued(desks, folder)
    one, other = (proposed(desks["li"], folder, replaces=former) for _ in range(2))
    for plan in (one, other):
        approve_plan(desks["wu"], plan)
    issue_plan(desks["li"], one)
    with pytest.raises(ConflictError, match="replaced already"):
        issue_plan(desks["li"], other)
    assert read_plan(desks["li"], other)["state"] == "approved"
    assert read_plan(desks["li"], one)["state"] == "issued"


@pytest.mark.parametrize("until", ["proposed", "approved", "issued", "completed"])
def test_a_plan_is_withdrawn_with_a_reason(desks: dict[str, Desk], folder: Path, until: str) -> None:
    plan = proposed(desks["li"], folder)
    if until != "proposed":
        approve_plan(desks["wu"], plan)
    if until in ("issued", "completed"):
        issue_plan(desks["wu"], plan)
    if until == "completed":
        for site in ("B", "H1"):
            acknowledge_order(desks["wu"], plan, site, BY_PHONE)
    assert read_plan(desks["li"], plan)["state"] == until
    assert code_of(lambda: withdraw_plan(desks["li"], plan, " ")) == "reason-missing"
    made = withdraw_plan(desks["li"], plan, "A is open again")
    assert (made["state"], made["withdrawn_by"], made["withdrawn_reason"]) == (
        "withdrawn", "li", "A is open again",
    )  # fmt: skip
    assert made["answers"]["withdrawn"] == (2 if until in ("issued", "completed") else 0)
    for do in (approve_plan, issue_plan, lambda desk, one: withdraw_plan(desk, one, "again")):
        with pytest.raises(ConflictError, match="withdrawn by li"):
            do(desks["wu"], plan)  # type: ignore[no-untyped-call]
    assert [one["id"] for one in list_plans(desks["li"], state="withdrawn")[0]] == [plan]
    assert list_plans(desks["li"], state=until)[0] == []


def test_late_answers_are_counted_by_the_clock(
    desks: dict[str, Desk],
    folder: Path,
    small: tuple[Store, Desk],  # noqa: F811
) -> None:
    plan = issued(desks, folder, within_min=30)
    table = registers["issued_order"]
    made = read_plan(desks["li"], plan)
    assert made["due_at"] > made["issued_at"]
    with small[0].engine.begin() as connection:  # half an hour and a minute go by
        due = datetime.fromisoformat(made["due_at"]) - timedelta(minutes=31)
        connection.execute(table.update().values(due_at=due))
    assert read_plan(desks["li"], plan)["answers"]["overdue"] == 2
    assert [one["site"] for one in list_orders(desks["li"], plan, state="overdue")[0]] == ["B", "H1"]
    acknowledge_order(desks["ft"], plan, "B")
    answers = read_plan(desks["li"], plan)["answers"]
    assert (answers["late"], answers["overdue"], answers["acknowledged"]) == (1, 1, 1)


def test_who_may_do_what(desks: dict[str, Desk], folder: Path) -> None:
    plan = read_plan_folder(folder)
    for name in ("vi", "ins", "admin"):
        assert (
            code_of(lambda name=name: propose_plan(desks[name], plan, Proposal("x", SINCE))) == "not-allowed"
        )  # type: ignore[misc]
    mine = proposed(desks["pan"], folder)
    for name, code in {
        "vi": "not-allowed",
        "admin": "not-allowed",
        "bei": "not-found",
        "ft": "not-found",
    }.items():
        for do in (approve_plan, issue_plan, lambda desk, one: withdraw_plan(desk, one, "x")):
            assert code_of(lambda do=do, name=name: do(desks[name], mine)) == code, name  # type: ignore[misc, no-untyped-call]
    approve_plan(desks["li"], mine)
    issue_plan(desks["pan"], mine)
    # other provinces: not there, whatever they ask
    bei = desks["bei"]
    for ask in (
        lambda: read_plan(bei, mine),
        lambda: list_orders(bei, mine),
        lambda: read_order(bei, mine, "B"),
        lambda: list(every_row(bei, mine)),
        lambda: changes_of_plan(bei, mine, 0),
        lambda: acknowledge_order(bei, mine, "B", BY_PHONE),
        lambda: refuse_order(bei, mine, "H1", Answer("no", "x")),
        lambda: verify_plan_log(bei, mine),
        lambda: proposed(bei, folder, replaces=mine),
    ):
        assert code_of(ask) == "not-found"
    assert list_plans(bei) == ([], "")
    # the outlet: its own orders only
    assert code_of(lambda: read_order(desks["ft"], mine, "H1")) == "not-found"
    assert code_of(lambda: acknowledge_order(desks["ft"], mine, "H1", BY_PHONE)) == "not-found"
    assert [one["id"] for one in list_plans(desks["ft"])[0]] == [mine]
    assert code_of(lambda: acknowledge_order(desks["vi"], mine, "B", BY_PHONE)) == "not-allowed"
    assert code_of(lambda: acknowledge_order(desks["pan"], mine, "B", BY_PHONE)) == "not-allowed"
    assert code_of(lambda: acknowledge_order(desks["li"], mine, "B")) == "said-by-missing"
    assert code_of(lambda: acknowledge_order(desks["li"], mine, "H1")) == "said-by-missing"
    assert code_of(lambda: refuse_order(desks["ins"], mine, "B", Answer(" "))) == "reason-missing"
    assert refuse_order(desks["ins"], mine, "B", Answer("no staff"))["answered_by"]
    order = next(one for one in desks["li"].every("issued_order") if one["site"] == "B")
    acknowledge_order(desks["li"], mine, "B", BY_PHONE)
    assert desks["li"].reveal("issued_order", order.id, "who said so")["said_by"] == "王强"
    for kind in ("issued_plan", "issued_order", "issued_entry"):
        with pytest.raises(UsageError, match="not added as such"):
            desks["li"].add(kind, {})
    with pytest.raises(InputError, match="kept-by-ledger"):
        desks["li"].change("issued_order", order.id, order.version + 1, {"state": "sent"})


def test_a_plan_tells_each_what_they_may_do_with_it(desks: dict[str, Desk], folder: Path) -> None:
    plan = proposed(desks["pan"], folder)
    steps = {
        "approve": approve_plan,
        "issue": issue_plan,
        "withdraw": lambda desk, one, check: withdraw_plan(desk, one, "x", check=check),
    }

    def refuse(row: object) -> None:
        raise UsageError("the right is there")

    def may() -> dict[str, list[str]]:
        told = {name: read_plan(desks[name], plan)["may"] for name in ("pan", "li", "vi")}
        for name, those in told.items():  # nothing is told that is refused
            for step in those:
                with pytest.raises(UsageError, match="the right is there"):
                    steps[step](desks[name], plan, check=refuse)
        return told

    nothing: dict[str, list[str]] = {"vi": []}
    assert may() == {"pan": ["withdraw"], "li": ["approve", "withdraw"], **nothing}
    approve_plan(desks["li"], plan)
    assert may() == {"pan": ["issue", "withdraw"], "li": ["issue", "withdraw"], **nothing}
    issue_plan(desks["pan"], plan)
    assert may() == {"pan": ["withdraw"], "li": ["withdraw"], **nothing}
    assert read_plan(desks["ft"], plan)["may"] == []
    withdraw_plan(desks["li"], plan, "A is open again")
    assert may() == {"pan": [], "li": [], **nothing}


def test_of_two_at_once_one_does_it_and_the_other_is_told_who(desks: dict[str, Desk], folder: Path) -> None:
    plan = proposed(desks["pan"], folder)
    second, first = both(*(lambda who=who: approve_plan(desks[who], plan) for who in ("li", "wu")))
    made = read_plan(desks["li"], plan)
    assert first == "done"
    assert second.startswith(f"This plan was approved by {made['approved_by']} at ")
    second, first = both(*(lambda who=who: issue_plan(desks[who], plan) for who in ("li", "wu")))
    assert second.startswith(f"This plan was issued by {read_plan(desks['li'], plan)['issued_by']} at ")
    answers = [lambda who=who: acknowledge_order(desks[who], plan, "H1", BY_PHONE) for who in ("li", "wu")]
    second, first = both(*answers, lambda: acknowledge_order(desks["ft"], plan, "B"))[0], "done"
    by = read_order(desks["li"], plan, "H1")["answered_by"]
    assert second.startswith(f"These orders were acknowledged by {by} at ")
    assert read_plan(desks["li"], plan)["state"] == "completed"
    assert verify_plan_log(desks["li"], plan).whole
    assert desks["admin"].verify_audit(with_records=True).whole


KILLED = f"""{DIES}
from changtong.response_records.issued_plans import issue_plan
from changtong.storage.store import open_store
place, files, token, plan = sys.argv[1:-1]
with open_store(place, files=files) as store:
    issue_plan(store.desk(token), plan)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 3])
def test_killed_while_it_issues_all_orders_are_out_or_none(
    desks: dict[str, Desk],
    tmp_path: Path,
    folder: Path,
    place: str,  # noqa: F811
    after: int,
) -> None:
    former = issued(desks, folder)
    plan = proposed(desks["li"], folder, replaces=former)
    approve_plan(desks["wu"], plan)
    arguments = (place, str(tmp_path / "files"), desks["li"]._token, plan, str(after))
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True)
    assert ended.returncode == 9, ended.stderr
    assert read_plan(desks["li"], plan)["state"] == "approved"
    assert read_plan(desks["li"], former)["answers"]["sent"] == 2
    assert sum(1 for _ in desks["li"].every("issued_order")) == 2
    issue_plan(desks["li"], plan)
    assert read_plan(desks["li"], former)["state"] == "withdrawn"
    assert desks["admin"].verify_audit(with_records=True).whole


def test_orders_of_many_sites_are_kept_in_parts(
    desks: dict[str, Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issued_plans, "PART_SIGNS", 400)
    stop = {"action": "stop", "next_site": "H1", "pieces": 1, "trips": -1}
    many = [{**stop, "site": f"S{number:02}"} for number in range(9)]
    plan = issued(desks, plan_folder(tmp_path / "many", many))
    assert sum(1 for one in desks["li"].every("issued_entry") if one["action"] == "orders") == 9
    pages, after = [], ""
    while True:
        page, after = list_orders(desks["li"], plan, limit=4, after=after)
        pages.append([one["site"] for one in page])
        if not after:
            break
    assert pages == [["S00", "S01", "S02", "S03"], ["S04", "S05", "S06", "S07"], ["S08"]]


def test_plans_come_page_by_page_the_newest_first(desks: dict[str, Desk], folder: Path) -> None:
    made = [proposed(desks["li"], folder) for _ in range(3)]
    page, after = list_plans(desks["vi"], limit=2)
    assert [one["id"] for one in page] == [made[2], made[1]]
    page, after = list_plans(desks["vi"], limit=2, after=after)
    assert ([one["id"] for one in page], after) == ([made[0]], "")
    assert code_of(lambda: list_plans(desks["vi"], state="gone")) == "bad-usage"


def test_a_log_that_was_altered_is_found(
    desks: dict[str, Desk],
    folder: Path,
    small: tuple[Store, Desk],  # noqa: F811
) -> None:
    plan = issued(desks, folder)
    table = registers["issued_entry"]
    with small[0].engine.begin() as connection:
        last = (table.c.plan == plan, table.c.n == 1)
        connection.execute(table.update().where(*last).values(content={"title": "other"}))
    assert [one.what for one in verify_plan_log(desks["li"], plan).findings] == ["altered"]
    assert not desks["admin"].verify_audit(with_records=True).whole


def test_errors_are_ours(desks: dict[str, Desk], folder: Path) -> None:
    with pytest.raises(NotFoundError):
        read_plan(desks["li"], "nothing")
    with pytest.raises(DeniedError):
        list_plans(Desk(desks["li"]._engine, "wrong", None))
    assert timedelta(0) < timedelta(minutes=issued_plans.MOST_WITHIN_MIN)
