"""Plans to issue: a small one made by hand, and the people of an issue."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from registers_cases import person

from changtong.errors import ChangtongError, ConflictError, InputError
from changtong.response_records.issued_orders import Answer
from changtong.response_records.issued_plans import Proposal, approve_plan, issue_plan, propose_plan
from changtong.response_records.plan_files import read_plan_folder
from changtong.rights.scope import Scope
from changtong.storage.store import Desk, Store

SINCE = datetime(2026, 6, 1, 8, tzinfo=UTC)
PROVINCE, CITY = Scope(region="440000"), Scope(region="440300")
OUTLET = Scope("/fc/fc-ft/")
BY_PHONE = Answer(said_by="王强")

COLUMNS = (
    "plan_id,valid_from,valid_until,site,site_name,action,action_zh,destination,destination_name,service_class,"
    "next_site,next_site_name,pieces,trips,leg_pieces,leg_trips,from_h,note_code,note_zh,note_en,blocked_by"
)

# A is shut: H1 stops sending to it, B holds what is for it and sends what is for C by H2, with a trip more
ORDERS: tuple[dict[str, Any], ...] = (
    {"site": "B", "action": "extra-trip", "next_site": "H2", "pieces": 40, "trips": 1, "leg_pieces": 140,
     "leg_trips": 2, "note_code": "beyond-timetable"},
    {"site": "B", "action": "send", "destination": "C", "next_site": "H2", "pieces": 40,
     "note_code": "re-routed"},
    {"site": "B", "action": "hold", "destination": "A", "service_class": "ordinary", "pieces": 80,
     "note_code": "destination-closed"},
    {"site": "H1", "action": "stop", "next_site": "A", "pieces": 80, "trips": -1, "leg_pieces": 0,
     "leg_trips": 0, "note_code": "next-closed"},
)  # fmt: skip
NAMES = {"A": "甲县", "B": "乙县", "C": "丙县", "H1": "北转运中心", "H2": "南转运中心"}


def plan_folder(
    folder: Path,
    orders: Sequence[Mapping[str, Any]] = ORDERS,
    *,
    number: str = "Six sites-1",
    **summary: Any,
) -> Path:
    """Write a plan folder by hand: what issuing reads of one, and no more."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [COLUMNS]
    for order in orders:
        row: dict[str, Any] = {"plan_id": number, **order}
        row |= {
            f"{name}_name": NAMES.get(order.get(name, ""), "")
            for name in ("site", "destination", "next_site")
        }
        lines.append(",".join(str(row.get(name, "")) for name in COLUMNS.split(",")))
    (folder / "orders.csv").write_text("\ufeff" + "\n".join(lines) + "\n", "utf-8")
    held = sum(one["pieces"] for one in orders if one["action"] == "hold")
    facts = {
        "name": "Six sites", "status": "optimal", "termination": "gap_reached", "gap_share": 0.0,
        "demand_pieces": 300.0, "unserved_pieces": float(held), "late_pieces": 0.0, "outages": ["A shut"],
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(facts | summary), "utf-8")
    (folder / "study.json").write_text(json.dumps({"study": "plan", "network": "Six sites"}), "utf-8")
    loads = "planned_pieces,capacity_pieces\n"
    (folder / "leg_flows.csv").write_text(f"from_site,to_site,{loads}B,H2,140,200\nH1,A,0,\n", "utf-8")
    (folder / "site_loads.csv").write_text(f"site_id,{loads}B,180,400\n", "utf-8")
    (folder / "unserved.csv").write_text(f"from_site,to_site,pieces\nB,A,{held}\n", "utf-8")
    return folder


def people(store: Store, admin: Desk) -> dict[str, Desk]:
    """Two officers, a planner and a looker of the province, one of another, and the outlet of site B.

    Site B is in the register, of the outlet in Futian; H1 is in none.
    """
    officer = ("duty_officer", PROVINCE)
    desks = {
        "li": person(store, admin, "li", "spb-gd", officer),
        "wu": person(store, admin, "wu", "spb-gd", officer),
        "pan": person(store, admin, "pan", "spb-gd", ("planner", PROVINCE)),
        "vi": person(store, admin, "vi", "spb-gd", ("viewer", PROVINCE)),
        "bei": person(store, admin, "bei", "spb-bj", ("duty_officer", Scope(region="110000"))),
        "ft": person(store, admin, "ft", "fc-ft", ("duty_officer", OUTLET)),
        "ins": person(store, admin, "ins", "fc-ft", ("inspector", OUTLET)),
        "admin": admin,
    }
    desks["li"].add("site", {"site_id": "B", "name": "乙县"}, organisation="fc-ft", record_id="site-b")
    return desks


def proposed(desk: Desk, folder: Path, **more: Any) -> str:
    """Propose a plan folder; return the id."""
    said = Proposal(**({"title": "A shut", "valid_from": SINCE} | more))
    return str(propose_plan(desk, read_plan_folder(folder), said)[0]["id"])


def issued(desks: Mapping[str, Desk], folder: Path, **more: Any) -> str:
    """Propose, approve and issue a plan folder; return the id."""
    plan = proposed(desks["li"], folder, **more)
    approve_plan(desks["wu"], plan)
    issue_plan(desks["li"], plan)
    return plan


HOUR = timedelta(hours=1)


def code_of(do: Callable[[], Any]) -> str:
    """Return the code of the error that it raises, of input that of the first problem."""
    with pytest.raises(ChangtongError) as caught:
        do()
    return caught.value.problems[0].code if isinstance(caught.value, InputError) else caught.value.code


def both(*do: Callable[[], Any]) -> list[str]:
    """Do things at once; return what came of each."""
    said: list[str] = []
    gate = threading.Barrier(len(do))

    def one(what: Callable[[], Any]) -> None:
        gate.wait()
        try:
            what()
            said.append("done")
        except ConflictError as error:
            said.append(str(error))

    threads = [threading.Thread(target=one, args=(what,)) for what in do]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)
