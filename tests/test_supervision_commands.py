"""The commands of safety supervision on registers; visits and campaigns of what a user may see."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import polars as pl
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
from safety_cases import filled, uuid, write_file
from supervision_cases import office

from changtong.cli import main
from changtong.rights.scope import Scope
from changtong.safety.campaign import campaign_progress, read_campaign
from changtong.safety.hazard_rules import read_hazard_rules
from changtong.safety.supervision import read_supervision
from changtong.storage.store import Desk, Store
from changtong.supervision_records.supervision_tables import read_register_supervision

RULES = read_hazard_rules()
EXAMPLE = Path(__file__).parent.parent / "examples" / "safety"
Ready = tuple[list[str], dict[str, Desk], Desk]


@pytest.fixture
def ready(small: tuple[Store, Desk], place: str, tmp_path: Path) -> Ready:
    """How a command reaches the registers as li, the desks, the administrator's."""
    store, admin = small
    desks = office(store, admin)
    for name, desk in desks.items():
        (tmp_path / f"{name}.token").write_text(desk._token + "\n", "utf-8")
    return ["--registers", place, "--token", str(tmp_path / "li.token")], desks, admin


def ran(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    assert main(["safety", *arguments, "--json"]) == code, capsys.readouterr()
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    made: dict[str, object] = json.loads(said.out)
    return made


def test_an_office_uses_nothing_but_registers(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, _, admin = ready
    files = ["--files", str(tmp_path / "files")]
    export = str(write_file(tmp_path / "a.json", filled(1, begun_at="2026-03-02T09:00:00+08:00")))
    made = ran(capsys, "collect", export, *where, *files)
    assert (made["read"], made["new"], made["hazards_opened"], made["photos_new"]) == (1, 1, 1, 1)
    assert ran(capsys, "collect", export, *where, *files)["known"] == 1
    shown = ran(capsys, "hazards", *where, "--date", "2026-03-30")
    (due,) = shown["due"]  # type: ignore[misc]
    assert (due["what"], due["days_overdue"], due["escalate_to_en"]) == ("assign", 26, "city regulator")
    actions = tmp_path / "actions.csv"
    actions.write_text(
        f"hazard_id,at,action,owner,text\n{due['hazard_id']},2026-03-03T09:00:00+08:00,assign,wu,\n", "utf-8"
    )
    shown = ran(capsys, "hazards", *where, "--actions", str(actions), "--date", "2026-03-30")
    (due,) = shown["due"]  # type: ignore[misc]
    assert (shown["from_actions"], due["what"], due["who"], due["due_on"]) == (
        1,
        "rectify",
        "wu",
        "2026-03-17",
    )
    assert main(["safety", "hazards", *where, "--date", "2026-03-30"]) == 0
    assert "1 being mended" in capsys.readouterr().out
    text = f"hazard_id,at,action\n{due['hazard_id']},2026-03-04T09:00:00+08:00,pass\n"
    actions.write_text(text, "utf-8")
    told = ran(capsys, "hazards", *where, "--actions", str(actions), code=2)
    assert told["problems"][0]["code"] == "wrong-state"  # type: ignore[index]
    decision = tmp_path / "decision.toml"
    text = (EXAMPLE / "decision.toml").read_text("utf-8")
    for before, after in (("甲县局-01", "wu"), ("甲县局-02", "sd-ns"), ("乙县局-01", "fc-ft")):
        text = text.replace(before, after)
    decision.write_text(text, "utf-8")
    made = ran(capsys, "tasks", str(decision), *where, "--date", "2026-03-12", "-o", str(tmp_path / "T"))
    assert (made["registered"], len(made["tasks"]), made["events_taken"]) == (3, 3, 0)  # type: ignore[arg-type]
    assert pl.read_csv(tmp_path / "T" / "counts.csv").height == 3
    events = tmp_path / "events.csv"
    events.write_text("task_id,at,action,evidence\nT1,2026-03-09T09:00:00+08:00,report,list\n", "utf-8")
    made = ran(capsys, "tasks", str(decision), *where, "--events", str(events), "--date", "2026-03-12")
    assert (made["registered"], made["events_taken"], made["tasks"][0]["state"]) == (0, 1, "reported")  # type: ignore[index]
    made = ran(capsys, "campaign", "guns", *where, "--date", "2026-03-30")
    assert made["regions"][-1]["sites"] == 3  # type: ignore[index]
    inspectors = tmp_path / "teams"
    inspectors.mkdir()
    (inspectors / "inspectors.csv").write_text(
        "inspector_id,lon,lat\nli,114.05,22.54\nwu,114.05,22.54\n", "utf-8"
    )
    made = ran(
        capsys, "visits", str(inspectors), *where, "--begin", "2026-04-06", "--days", "5",
        "-o", str(tmp_path / "V"), "--iterations", "20",
    )  # fmt: skip
    with (tmp_path / "V" / "visits.csv").open(encoding="utf-8-sig") as file:
        rows = {row["site_id"]: row for row in csv.DictReader(file)}
    assert (rows["S1"]["open_general"], rows["S1"]["last_visit"]) == ("1", "2026-03-02")
    (inspectors / "opening_hours.csv").write_text(
        "site_id,weekdays,opens,closes\nS1,3,13:15,17:00\nS2,1234567,,\nS9,1,09:00,12:00\n", "utf-8"
    )
    made = ran(
        capsys, "visits", str(inspectors), *where, "--begin", "2026-04-06", "--days", "5",
        "-o", str(tmp_path / "V"), "--iterations", "20", code=1,
    )  # fmt: skip
    with (tmp_path / "V" / "visits.csv").open(encoding="utf-8-sig") as file:
        rows = {row["site_id"]: row for row in csv.DictReader(file)}
    assert rows["S1"]["day"] == "2026-04-08"
    assert rows["S1"]["leaves"] >= "13:55"
    assert (made["left_by_reason"], made["hours_of_unknown_sites"]) == ({"shut": 1}, ["S9"])
    assert admin.verify_audit(with_records=True).whole


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("collect {a}", "either"),
        ("collect {a} -o {new} {where}", "either"),
        ("hazards {where} -o {new}", "either"),
        ("hazards {where} --from {new}", "--from"),
        ("campaign guns", "SUPERVISION"),
        ("campaign guns {a} {where}", "needs no folder"),
        ("campaign guns {where} --ledger {new}", "--ledger"),
        ("hazards --registers {place}", "--token"),
        ("visits {new} {where} --begin 2026-04-06 -o {other}", "no such folder"),
    ],
)
def test_wrong_use_is_told(
    ready: Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, said: str
) -> None:
    where, _, _ = ready
    names = {"a": str(tmp_path / "a"), "new": str(tmp_path / "new"), "other": str(tmp_path / "other")}
    text = command.format(where=" ".join(where), place=where[1], **names)
    told = ran(capsys, *text.split(), code=2)
    assert said in json.dumps(told, ensure_ascii=False)
    assert not (tmp_path / "new").exists()


def test_tables_hold_what_a_user_may_see_and_no_more(
    ready: Ready, small: tuple[Store, Desk], tmp_path: Path
) -> None:
    where, desks, admin = ready
    store, _ = small
    li = desks["li"]
    details = {"pieces_per_day": 900, "needs": ["machinery", "fire"], "campaigns": "guns"}
    li.add("site", {"site_id": "S4", "name": "d", "status": "planned"}, organisation="sd-ns")
    li.add("site", {"site_id": "S5", "name": "e", "details": details}, organisation="sd-ns")
    from changtong.supervision_records.inspection_register import collect_into_registers

    sent = [filled(1), filled(2, finished=False), filled(3, site_id="S3")]
    collect_into_registers(li, [write_file(tmp_path / "a.json", *sent)], RULES)
    known = read_register_supervision(li, RULES)
    assert known.sites["site_id"].sort().to_list() == ["S1", "S2", "S3", "S5"]
    five = known.sites.filter(site_id="S5").row(0, named=True)
    assert (five["pieces_per_day"], five["needs"], five["campaigns"]) == (900.0, "machinery;fire", "guns")
    assert known.inspections.sort("inspection_id").rows() == [
        (uuid(1), "S1", date(2026, 3, 2), 1, None), (uuid(3), "S3", date(2026, 3, 2), 1, None),
    ]  # fmt: skip
    firm = person(store, admin, "shun", "sd", ("duty_officer", Scope("/sd/")))
    theirs = read_register_supervision(firm, RULES)
    assert theirs.sites["site_id"].sort().to_list() == ["S1", "S2", "S5"]
    assert theirs.inspections.is_empty()  # a firm does not see the authority's visits
    assert theirs.hazards["site_id"].unique().sort().to_list() == ["S1", "S2"]


def test_a_campaign_of_registers_is_that_of_the_same_tables_as_files(ready: Ready, tmp_path: Path) -> None:
    where, desks, _ = ready
    from changtong.supervision_records.inspection_register import collect_into_registers

    collect_into_registers(
        desks["li"],
        [write_file(tmp_path / "a.json", *(filled(k, site_id=f"S{k % 2 + 1}") for k in range(1, 5)))],
        RULES,
    )
    known = read_register_supervision(desks["li"], RULES)
    folder = tmp_path / "S"
    folder.mkdir()
    for name in ("sites", "inspections", "hazards"):
        getattr(known, name).write_csv(folder / f"{name}.csv")
    campaign, day = read_campaign("guns"), date(2026, 3, 30)
    ours, files = (campaign_progress(one, campaign, day) for one in (known, read_supervision(folder)))
    assert ours.regions.equals(files.regions)
    assert ours.finds.equals(files.finds)
    assert ours.to_visit.equals(files.to_visit)
