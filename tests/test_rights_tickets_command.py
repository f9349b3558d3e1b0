"""The commands of rights tickets on registers: the office, the firm that answers, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    small,
    small_database,
    small_file,
)

from changtong.cli import main
from changtong.errors import DeniedError, InputError, NotFoundError, UsageError
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store

CITY = Scope(region="440300")
OUTLET = Scope("/sd/sd-gd/sd-sz/sd-ns/")
PEOPLE: dict[str, tuple[str, tuple[tuple[str, Scope], ...]]] = {
    "li": ("spb-sz", (("inspector", CITY),)),
    "vi": ("spb-sz", (("viewer", CITY),)),
    "plan": ("spb-sz", (("planner", CITY), ("assessor", CITY))),
    "bei": ("spb-bj", (("inspector", Scope(region="110000")),)),
    "boss": ("sd-ns", (("inspector", OUTLET), ("duty_officer", OUTLET))),
    "hr": ("sd-ns", (("viewer", OUTLET),)),
    "zhao": ("sd-ns", (("viewer", OUTLET),)),
    "qian": ("fc-ft", (("viewer", Scope("/fc/fc-ft/")),)),
}
PDF = b"%PDF-1.7 pay slip of somebody"


class Office:
    """The registers as commands reach them, and the people's tokens."""

    def __init__(self, store: Store, admin: Desk, place: str, folder: Path) -> None:  # noqa: F811
        self.store, self.admin, self.place, self.folder = store, admin, place, folder
        self.desks = {"admin": admin} | {
            name: person(store, admin, name, organisation, *roles)
            for name, (organisation, roles) in PEOPLE.items()
        }
        for name, desk in self.desks.items():
            (folder / f"{name}.token").write_text(desk._token + "\n", "utf-8")
        self.said, self.slip = folder / "said.txt", folder / "slip.pdf"
        self.said.write_text("工资已于2月1日支付赵小明\n", "utf-8-sig")
        self.slip.write_bytes(PDF)
        (folder / "person.json").write_text(
            json.dumps({"name": "赵小明", "phone": "13812345678", "text": "两个月没发工资"}), "utf-8"
        )

    def who(self, name: str) -> list[str]:
        return ["--registers", self.place, "--token", str(self.folder / f"{name}.token")]


@pytest.fixture
def office(
    small: tuple[Store, Desk],  # noqa: F811
    place: str,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Office:
    """With two tickets: T1 about sd-ns, T2 about fc-ft."""
    made = Office(*small, place, tmp_path)
    for ticket, firm in (("T1", "sd-ns"), ("T2", "fc-ft")):
        ran(
            capsys, made, "li", "open", "--id", ticket, "--kind", "pay", "--firm", firm,
            "--person", str(tmp_path / "person.json"), "--at", "2024-02-05T09:00+08:00",
        )  # fmt: skip
    return made


def ran(
    capsys: pytest.CaptureFixture[str], office: Office, who: str, *arguments: str, code: int = 0
) -> dict[str, Any]:
    """Run a command as somebody; return what it printed, which never holds what is masked."""
    ended = main(["rights-tickets", *arguments, *office.who(who), "--json"])
    said = capsys.readouterr()
    assert ended == code, said
    assert not [one for one in ("Traceback", "赵小明", "12345678", "工资") if one in said.out + said.err]
    made: dict[str, Any] = json.loads(said.out)
    return made


def answer(office: Office, action: str, ticket: str = "T1", *more: str) -> list[str]:
    files = ["--files", str(office.folder / "files")]
    return ["answer", ticket, "--action", action, "--text", str(office.said), *more, *files]


def told(made: dict[str, Any]) -> tuple[set[str], str]:
    """Return codes and text of an error."""
    codes = {one["code"] for one in made.get("problems", [])} or {made["error"]}
    return codes, json.dumps(made, ensure_ascii=False)


def test_an_office_follows_a_ticket_by_command(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = ran(capsys, office, "li", "status", "T1", "--at", "2024-02-06T09:00+08:00")["tickets"]
    assert (shown["state"], shown["organisation"], shown["name"]) == ("received", "spb-sz", "赵**")
    late = ran(capsys, office, "li", "overdue", "--at", "2024-03-12T09:00+08:00", code=1)
    assert late["overdue"] == 2
    made = ran(capsys, office, "li", "move", "T1", "--action", "accept", "--at", "2024-02-06T09:00+08:00")
    assert made["state"] == "accepted"
    ran(capsys, office, "li", "move", "T1", "--action", "transfer", "--to", "劳动仲裁委",
        "--at", "2024-02-07T09:00+08:00")  # fmt: skip
    counted = ran(capsys, office, "vi", "statistics", "--least", "1")
    assert {(one["firm_id"], one["tickets"]) for one in counted["rows"] if one["kind"] == "pay"} == {
        ("sd-ns", 1), ("fc-ft", 1), ("all", 2),
    }  # fmt: skip
    assert main(["rights-tickets", "status", *office.who("li")]) == 0
    said = capsys.readouterr().out
    assert "T1  pay  sd-ns  transferred" in said
    assert office.admin.verify_audit(with_records=True).whole


def test_the_firms_handler_replies_shows_evidence_and_proposes(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ran(capsys, office, "li", "assign", "T1", "--handler", "hr", "--courier", "zhao")
    assert (made["handler"], made["has_courier"]) == ("hr", True)
    made = ran(capsys, office, "hr", *answer(office, "reply"))
    assert made["state"] == "received"
    ran(capsys, office, "li", "move", "T1", "--action", "accept")
    accepted = made["since"]
    (before,) = ran(capsys, office, "li", "status", "T1")["tickets"]
    made = ran(capsys, office, "hr", *answer(office, "evidence", "T1", "--file", str(office.slip)))
    (file,) = made["events"][-1]["files"]
    made = ran(capsys, office, "hr", *answer(office, "propose"))
    (after,) = ran(capsys, office, "li", "status", "T1")["tickets"]
    assert [(one["action"], one["by"]) for one in after["events"]] == [
        ("reply", "hr"), ("accept", "li"), ("evidence", "hr"), ("propose", "hr"),
    ]  # fmt: skip
    # an answer of the firm leaves the state, and starts no clock anew
    assert (after["state"], after["since"]) == ("accepted", before["since"])
    assert after["since"] > accepted
    assert [one["due"] for one in after["clocks"]] == [one["due"] for one in before["clocks"]]
    # who sees the ticket sees the file, for a reason; nobody else knows of it
    for who in ("li", "hr", "zhao"):
        got = office.folder / f"{who}.pdf"
        fetch = ["evidence", "T1", file, "-o", str(got), "--files", str(office.folder / "files")]
        assert ran(capsys, office, who, *fetch, "--reason", " ", code=2)["error"] == "reason-missing"
        ran(capsys, office, who, *fetch, "--reason", "to compare")
        assert got.read_bytes() == PDF
        seen = office.desks[who].reveal("rights_ticket", "T1", "to read", ["events"])
        assert seen["events"][0]["reason"] == "工资已于2月1日支付赵小明"
    got = office.folder / "none.pdf"
    for who in ("vi", "plan", "bei", "boss", "qian"):
        fetch = ["evidence", "T1", file, "-o", str(got), "--reason", "curious"]
        assert ran(capsys, office, who, *fetch, code=2)["error"] == "not-found"
        assert not got.exists()
    for desk in office.desks.values():
        with pytest.raises(NotFoundError):
            desk.get("attachment", file)
        with pytest.raises((NotFoundError, DeniedError)):
            desk.content(file, "curious")
        try:
            assert list(desk.every("attachment")) == []
        except DeniedError:
            continue
    fetch = ["evidence", "T2", file, "-o", str(got), "--reason", "x"]
    assert ran(capsys, office, "li", *fetch, code=2)["error"] == "not-found"
    ran(capsys, office, "li", "move", "T1", "--action", "settle")
    for action in ("reply", "propose"):
        assert told(ran(capsys, office, "hr", *answer(office, action), code=2))[0] == {"wrong-state"}
    entries = office.admin.audit_entries("rights_ticket", "T1")
    assert [one["action"] for one in entries].count("change") == 6
    assert "赵小明" not in json.dumps(entries, default=str, ensure_ascii=False)
    assert office.admin.verify_audit(with_records=True).whole


def test_nobody_else_answers_for_a_firm(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, office, "li", "move", "T1", "--action", "accept")
    ran(capsys, office, "li", "assign", "T1", "--handler", "hr", "--courier", "zhao")
    ran(capsys, office, "li", "assign", "T2", "--handler", "qian")
    # the office, and the courier, see the ticket and do not speak for the firm
    for who in ("li", "zhao"):
        assert ran(capsys, office, who, *answer(office, "propose"), code=2)["error"] == "not-allowed"
    said = ["--action", "reply", "--reason", "x"]
    assert ran(capsys, office, "li", "move", "T1", *said, code=2)["error"] == "not-allowed"
    for who in ("vi", "plan", "bei", "boss", "qian"):
        assert ran(capsys, office, who, *answer(office, "reply"), code=2)["error"] == "not-found"
    # a handler has their firm's tickets only, and only those that are theirs
    (shown,) = ran(capsys, office, "hr", "status")["tickets"]
    assert shown["ticket_id"] == "T1"
    assert ran(capsys, office, "hr", *answer(office, "reply", "T2"), code=2)["error"] == "not-found"
    assert ran(capsys, office, "hr", "move", "T1", "--action", "settle", code=2)["error"] == "not-allowed"
    ran(capsys, office, "li", "assign", "T1", "--handler", "")
    assert ran(capsys, office, "hr", *answer(office, "reply"), code=2)["error"] == "not-found"
    tried = [one["action"] for one in office.admin.audit_entries("rights_ticket", "T1")]
    assert tried.count("refused:answer") == 3
    assert tried.count("refused:decide") == 1
    assert ran(capsys, office, "li", "status", "T1")["tickets"][0]["events"][-1]["action"] == "accept"


def test_a_handler_whose_outlet_leaves_the_firm_sees_and_answers_no_longer(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    about = ["--kind", "pay", "--firm", "sd-sz", "--id", "T3", "--at", "2024-02-05T09:00+08:00"]
    ran(capsys, office, "li", "open", *about)
    ran(capsys, office, "li", "assign", "T3", "--handler", "hr")  # of an outlet below this firm
    ran(capsys, office, "hr", *answer(office, "reply", "T3"))
    office.admin.move_organisation("sd-ns", "fc", "sold")
    office.admin.give("hr", "viewer", Scope("/fc/sd-ns/"))
    assert ran(capsys, office, "hr", *answer(office, "reply", "T3"), code=2)["error"] == "not-found"
    assert ran(capsys, office, "hr", "status")["tickets"] == []
    assert list(office.desks["hr"].every("rights_ticket")) == []


def test_slips_of_an_answer_are_told_at_once_and_write_nothing(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(capsys, office, "li", "assign", "T1", "--handler", "hr")
    slip, empty, odd = str(office.slip), office.folder / "empty.txt", office.folder / "odd.bin"
    empty.write_text(" \n", "utf-8")
    odd.write_bytes(b"MZ\x90\0" + bytes(50))
    cases: list[tuple[list[str], set[str], str]] = [
        (answer(office, "settle"), {"bad-usage"}, "reply, evidence, propose"),
        (answer(office, "propose"), {"wrong-state"}, "the ticket is received"),
        (answer(office, "evidence"), {"bad-action"}, "1 to 10 files"),
        (answer(office, "reply", "T1", "--file", slip), {"bad-action"}, "with evidence only"),
        (answer(office, "evidence", "T1", *["--file", slip] * 11), {"bad-action"}, "11 files"),
        (answer(office, "evidence", "T1", "--file", str(odd)), {"bad-attachment"}, "not kept"),
        (answer(office, "evidence", "T1", "--file", "none.pdf"), {"bad-ticket"}, "none.pdf"),
        (["answer", "T1", "--action", "reply", "--text", str(empty)], {"bad-action"}, "needs a reason"),
        (["answer", "T1", "--action", "reply", "--text", "none.txt"], {"bad-ticket"}, "none.txt"),
        (answer(office, "reply", "T9"), {"not-found"}, "T9"),
    ]
    for arguments, codes, part in cases:
        found, text = told(ran(capsys, office, "hr", *arguments, code=2))
        assert found == codes, text
        assert part in text
    both = told(ran(capsys, office, "hr", *answer(office, "propose", "T1", "--file", slip), code=2))[0]
    assert both == {"wrong-state", "bad-action"}
    with pytest.raises(UsageError, match="own-way|not added as such"):
        office.desks["li"].attach("rights_ticket", "T1", "x.pdf", PDF)
    assert office.desks["li"].get("rights_ticket", "T1").version == 2
    assert not [one for one in (office.folder / "files").rglob("*") if one.is_file()]


def test_slips_of_the_office_are_explained(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    cases = [
        ("li", "status T9", "not-found"),
        ("bei", "status T1", "not-found"),
        ("hr", "assign T1 --handler hr", "not-found"),
        ("admin", "status", "not-allowed"),
        ("vi", "move T1 --action accept", "not-found"),
        ("vi", "open --kind pay --firm sd-ns", "not-allowed"),
        ("li", "open --kind pay --firm nobody", "bad-ticket"),
        ("li", "open --kind wages --firm sd-ns", "bad-ticket"),
        ("li", "open --kind pay --firm sd-ns --courier nobody", "bad-ticket"),
        ("li", f"open --kind pay --firm sd-ns --at {soon}", "bad-ticket"),
        ("li", "open --kind pay --firm sd-ns --id T1", "duplicate-record"),
        ("li", "open --kind pay --firm sd-ns --by li", "bad-usage"),
        ("li", "open FOLDER --kind pay --firm sd-ns", "bad-usage"),
        ("li", "assign T1 --handler qian", "bad-ticket"),
        ("li", "assign T1 --handler nobody", "bad-ticket"),
        ("li", "assign T1", "bad-ticket"),
        ("li", "move T1 --action settle", "wrong-state"),
        ("li", "move T1 --action approve", "bad-action"),
        ("li", "move T1 --action reject", "bad-action"),
        ("li", "move T1 --action accept --at 2024-02-04T09:00+08:00", "bad-action"),
        ("li", "move T1 --action accept --at soon", "bad-instant"),
        ("li", "move T1 --action accept --at 2024-02-06T09:00", "bad-instant"),
        ("li", f"move T1 --action accept --at {soon}", "bad-ticket"),
        ("li", "move FOLDER T1 --action accept", "bad-usage"),
    ]
    for who, command, code in cases:
        found, text = told(ran(capsys, office, who, *command.split(), code=2))
        assert found == {code}, (command, text)
    with pytest.raises(InputError, match="kept-by-ledger"):
        office.desks["li"].change("rights_ticket", "T1", 1, {"state": "closed"})
    versions = {one.id: one.version for one in office.desks["li"].every("rights_ticket")}
    assert versions == {"T1": 1, "T2": 1}
