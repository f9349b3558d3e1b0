"""Values of a card from the scan log, the registers, ledgers and tasks: counted by hand down to the score."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from assessment_cases import card, deduct, head
from log_cases import log_of
from registers_cases import (  # noqa: F401
    cheap_hashes,
    person,
    place,
    postgres,
    site,
    small,
    small_database,
    small_file,
)

from changtong.assessment.assess import assess
from changtong.assessment.card_folder import read_scorecard
from changtong.assessment.scorecard import CardHead, Scorecard
from changtong.assessment.value_sources import value_sources
from changtong.errors import InputError, UsageError
from changtong.events.engine import EVENT_COLUMNS
from changtong.events.log import EventLog
from changtong.report.assessment_report import assessment_page
from changtong.rights.scope import Scope
from changtong.rural.county_folder import read_county
from changtong.rural.coverage import coverage
from changtong.scorecards.fill import Filled, fill_scorecard
from changtong.scorecards.known_counts import Inputs
from changtong.scorecards.scan_values import count_scans
from changtong.scorecards.statements import keep_card, read_card
from changtong.storage.people import NewOrganisation
from changtong.storage.store import Desk, Store

HERE = Path(__file__).parent.parent
AT = datetime(2026, 1, 6, 1, tzinfo=UTC)
SCANS = """
1 05-04T10:00 S1 accept register
2 05-04T11:00 S1 accept register
3 05-05T10:00 S1 accept
4 05-05T12:00 S2 accept register
5 05-05T13:00 S3 accept
6 05-06T09:00 S3 accept
"""
"""S1: 2 of 3 registered, S2: 1 of 1, S3: 0 of 2."""

COUNTS = """task_id,decision_id,subject,deadline,outcome
T1,D,sz,2025-03-01,on_time
T2,D,sz,2025-04-01,late
T3,D,sz,2025-05-01,overdue
T4,D,sz,2025-05-01,cancelled
T5,D,gd,2025-06-01,on_time
T6,D,gd,2024-06-01,overdue
T7,D,nowhere,2025-06-01,on_time
"""


def scans(folder: Path) -> EventLog:
    """Return the log of SCANS."""
    rows = []
    for line in SCANS.split("\n"):
        if line:
            item, at, where, *codes = line.split()
            at_ms = int(datetime.fromisoformat(f"2025-{at}:00+08:00").timestamp() * 1000)
            rows += [{"at_ms": at_ms, "code": c, "site_id": where, "item": int(item)} for c in codes]
    frame = pl.DataFrame(rows).with_row_index("row_key")
    whole = frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in EVENT_COLUMNS.items()
    )
    return log_of(whole, folder)


def linear(
    indicator_id: str, source: str, points: float, zero: float = 0.0, **more: object
) -> dict[str, object]:
    return {
        "indicator_id": indicator_id, "section_id": "s", "name_zh": indicator_id, "max_points": points,
        "scoring": "linear", "zero_at": zero, "full_at": 1.0, "unit": "share", "source": source, **more,
    }  # fmt: skip


def region_card(about: CardHead | None = None, **more: object) -> Scorecard:
    """A province, two cities of it; one of these has nothing in it."""
    tables: dict[str, object] = {
        "subjects": [
            {"subject_id": "gd", "name": "甲省", "level": "province", "organisation": "spb-gd"},
            {"subject_id": "sz", "name": "乙市", "level": "city", "parent_id": "gd",
             "organisation": "spb-sz"},
            {"subject_id": "zh", "name": "丙市", "level": "city", "parent_id": "gd", "admin_code": "440400",
             "organisation": "spb-zh"},
        ],
        "sections": [{"section_id": "s", "name_zh": "部分"}],
        "indicators": [
            linear("real-name", "scan-log:registered_share", 20.0, 0.5),
            linear("tasks", "tasks:on_time_share", 9.0),
            linear("hazards", "hazards:closed_in_time_share", 12.0),
        ],
        "rules": [
            deduct("major", 2.0, source="hazards:major_not_in_time"),
            deduct("general", 1.0, source="hazards:general_not_in_time"),
        ],
    }  # fmt: skip
    return card(about or head(decimals=6), **tables | more)  # type: ignore[arg-type]


def stocked(small: tuple[Store, Desk]) -> Desk:
    """Put three sites and three hazards into the registers; return the desk of who sees them all."""
    store, admin = small
    admin.add_organisation(NewOrganisation("珠海局", "city", "440400", "spb-gd", id="spb-zh"))
    region = Scope(region="440000")
    roles = [("inspector", region), ("planner", region), ("assessor", region)]
    desk = person(store, admin, "all", "spb-gd", *roles)
    ids = {}
    for name, organisation, code in (
        ("S1", "sd-ns", "440305"),
        ("S2", "fc-ft", "440304"),
        ("S3", "sd-gd", "440100"),
    ):
        values = site(name[1]) | {"filing_no": "F-1" if name == "S1" else None}
        ids[name] = desk.add("site", values, organisation=organisation, admin_code=code).id
    for name, where, grade, deadline in (
        ("H1", "S1", "major", "2025-03-10T00:00:00+08:00"),
        ("H2", "S2", "general", "2025-04-01T00:00:00+08:00"),
        ("H3", "S3", "major", "2025-04-10T00:00:00+08:00"),
    ):
        hazard = desk.add(
            "hazard",
            {
                "site": ids[where],
                "title": "x",
                "grade": grade,
                "deadline": deadline,
                "found_at": "2025-02-01T00:00:00Z",
            },
            record_id=name,
        )
        if name == "H1":
            hazard = desk.change("hazard", name, hazard.version, {"state": "rectified"})
            done = {"state": "closed", "recheck_at": "2025-03-09T12:00:00+08:00"}
            desk.change("hazard", name, hazard.version, done)
    return desk


def filled(small: tuple[Store, Desk], folder: Path) -> Filled:
    (folder / "counts.csv").write_text(COUNTS, "utf-8")
    inputs = Inputs(log=scans(folder / "LOG"), counts=(folder / "counts.csv",), desk=stocked(small))
    return fill_scorecard(region_card(), inputs, at=AT)


def test_from_log_registers_and_tasks_to_the_score_by_hand(small: tuple[Store, Desk], tmp_path: Path) -> None:
    """sz: 3/4 registered, 1/3 tasks, 1/2 hazards, H2 late; gd: 3/6, 1/1, 1/3, H3 late; zh: nothing known."""
    made = filled(small, tmp_path)
    found = {
        (str(row["subject_id"]), str(row["indicator_id"])): (
            row["numerator"],
            row["denominator"],
            row["why_not"],
        )
        for row in made.card.computed.iter_rows(named=True)
    }
    assert found == {
        ("gd", "real-name"): (3.0, 6.0, None),
        ("sz", "real-name"): (3.0, 4.0, None),
        ("zh", "real-name"): (None, None, "no_sites"),
        ("gd", "tasks"): (1.0, 1.0, None),
        ("sz", "tasks"): (1.0, 3.0, None),
        ("zh", "tasks"): (None, None, "no_data"),
        ("gd", "hazards"): (1.0, 3.0, None),
        ("sz", "hazards"): (1.0, 2.0, None),
        ("zh", "hazards"): (None, None, "no_sites"),
    }
    facts = {
        (row["fact_id"], str(row["subject_id"]), str(row["rule_id"]), row["date"])
        for row in made.card.facts.iter_rows(named=True)
    }
    assert facts == {("H2", "sz", "general", "2025-04-01"), ("H3", "gd", "major", "2025-04-10")}
    assert {(str(one["subject_id"]), one["why_not"]) for one in made.summary()["missing"]} == {
        ("zh", "no_sites"), ("zh", "no_data"),
    }  # fmt: skip
    result = assess(made.card)
    assert {one: result.score_of(one) for one in ("gd", "sz", "zh")} == {
        "gd": 0 + 9 + 3.999996 - 2, "sz": 10 + 2.999997 + 6 - 1, "zh": 0.0,
    }  # fmt: skip
    behind = made.card.computed_from.filter(
        (pl.col("subject_id") == "sz") & (pl.col("indicator_id") == "hazards")
    )
    assert behind.select("item_id", "what", "numerator").rows() == [
        ("H2", "not in time", 0.0),
        ("H1", "in time", 1.0),
    ]
    assert any("1 tasks are of subjects that are not on the card (nowhere)" in note for note in made.notes)
    assert "3 of 365 days have scans" in made.card.computed["note"].to_list()
    # saved and read again: the same card; filled once more: the same values
    made.save(tmp_path / "filled")
    again = read_scorecard(tmp_path / "filled")
    assert again.digest() == made.card.digest()
    assert assess(again).to_json() == result.to_json()
    # and kept in the registers
    kept = keep_card(stocked_desk(small), again)
    assert assess(read_card(stocked_desk(small), kept.id)).scores.equals(result.scores)


def stocked_desk(small: tuple[Store, Desk]) -> Desk:
    from registers_cases import OWN

    return small[0].desk(small[0].sign_in("all", OWN).token)


def test_the_evidence_is_one_click_away_and_adds_up(small: tuple[Store, Desk], tmp_path: Path) -> None:
    made = filled(small, tmp_path)
    for row in made.card.computed.filter(pl.col("value").is_not_null()).iter_rows(named=True):
        behind = made.card.computed_from.filter(
            (pl.col("subject_id") == row["subject_id"]) & (pl.col("indicator_id") == row["indicator_id"])
        )
        assert behind["numerator"].sum() == row["numerator"]
        assert behind["denominator"].sum() == row["denominator"]
        assert behind.height == row["items"]
        assert len(row["digest"]) == 64
    page = assessment_page(assess(made.card))
    assert "3 / 4" in page
    assert "H2" in page
    assert made.card.computed["digest"].drop_nulls()[0] in page
    assert "未知所属网点" in page
    assert ">no_sites<" not in page  # said in words


def test_without_inputs_everything_is_missing_and_nothing_is_zero() -> None:
    made = fill_scorecard(region_card(), Inputs(), at=AT)
    assert made.card.values.is_empty()
    assert set(made.card.computed["why_not"]) == {"no_input"}
    assert "give --log LOG/" in set(made.card.computed["note"])
    assert len(made.notes) == 2
    assert len(str(made).splitlines()) == 1 + 9 + 2
    with pytest.raises(UsageError) as caught:
        fill_scorecard(card(subjects=[{"subject_id": "a", "name": "a", "level": "x"}],
            sections=[{"section_id": "s", "name_zh": "s"}], rules=[deduct("r", 1.0)]), Inputs())  # fmt: skip
    assert caught.value.code == "nothing-to-fill"


def test_a_value_by_hand_stands_and_what_was_computed_is_computed_anew(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text(COUNTS, "utf-8")
    by_hand = [
        {"subject_id": "sz", "indicator_id": "tasks", "stage": "review", "value": 0.9, "source": "looked at"}
    ]
    reported = [{"subject_id": "gd", "indicator_id": "tasks", "stage": "self_report", "value": 0.1}]
    one = region_card(values=by_hand + reported)
    inputs = Inputs(counts=(tmp_path / "counts.csv",))
    made = fill_scorecard(one, inputs, at=AT)
    rows = {(str(r["subject_id"]), r["stage"]): r["value"] for r in made.card.values.iter_rows(named=True)}
    assert rows == {("sz", "review"): 0.9, ("gd", "self_report"): 0.1, ("gd", "review"): 1.0}
    assert any("sz tasks: a value given by hand" in note for note in made.notes)
    assert fill_scorecard(made.card, inputs, at=AT).card.digest() == made.card.digest()
    assert fill_scorecard(made.card, Inputs(), at=AT).card.values.height == 2


def test_the_period_of_the_card_is_what_counts(tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text(COUNTS, "utf-8")
    one = region_card(head(decimals=6, begin="2025-04-01", end="2025-06-30"))
    made = fill_scorecard(one, Inputs(counts=(tmp_path / "counts.csv",)), at=AT).card.computed
    row = made.filter((pl.col("subject_id") == "sz") & (pl.col("indicator_id") == "tasks")).row(0, named=True)
    assert (row["numerator"], row["denominator"], row["begin"]) == (0.0, 2.0, "2025-04-01")
    with pytest.raises(InputError, match="no span of 2025"):
        region_card(head(begin="2025-04-01", end="2024-06-30"))


def test_days_add_up_to_the_period(tmp_path: Path) -> None:
    """Shares of a period are items over items: 3/6 here, where the mean of the days' shares is another."""
    log = scans(tmp_path / "LOG")
    found = count_scans(
        log, ["scan-log:registered_share", "scan-log:accepted_pieces"], date(2025, 5, 4), date(2025, 5, 6)
    )
    share = found["scan-log:registered_share"]
    counted = share.items.select("key", "numerator", "denominator").iter_rows()
    assert {key: both for key, *both in counted} == {
        "S1": [2, 3], "S2": [1, 1], "S3": [0, 2],
    }  # fmt: skip
    assert share.note == ""
    pieces = found["scan-log:accepted_pieces"].items
    assert dict(pieces.select("key", "numerator").iter_rows()) == {"S1": 3, "S2": 1, "S3": 2}
    assert pieces["denominator"].null_count() == 3


def test_every_other_source_counts(small: tuple[Store, Desk], tmp_path: Path) -> None:
    desk = stocked(small)
    sources = {
        "filed": "registers:filed_sites_share", "visited": "inspections:visited_sites_share",
        "villages": "county:village_coverage_share",
    }  # fmt: skip
    counts = {
        "visits": "inspections:visits",
        "overdue": "hazards:overdue_hazards",
        "found": "hazards:major_found",
    }
    indicators = [linear(key, source, 5.0) for key, source in sources.items()]
    indicators += [
        linear(key, source, 5.0, unit=value_sources()[source].unit, full_at=9.0)
        for key, source in counts.items()
    ]
    s1 = next(one.id for one in desk.every("site") if one["site_id"] == "S1")
    visit = {"site": s1, "form_id": "fire", "form_version": "1", "planned_at": "2025-07-01T08:00:00+08:00",
             "finished_at": "2025-07-01T09:00:00+08:00", "state": "finished"}  # fmt: skip
    desk.add("inspection", visit)
    county = HERE / "examples" / "county"
    made = fill_scorecard(
        region_card(indicators=indicators), Inputs(desk=desk, counties={"sz": (county,)}), at=AT
    )
    found = {
        (str(row["subject_id"]), str(row["indicator_id"])): (row["numerator"], row["denominator"])
        for row in made.card.computed.iter_rows(named=True)
        if row["value"] is not None
    }
    villages = coverage(read_county(county)).villages
    both = (float(villages["served"].sum()), float(villages.height))
    assert found == {
        ("sz", "filed"): (1.0, 2.0), ("gd", "filed"): (1.0, 3.0),
        ("sz", "visited"): (1.0, 2.0), ("gd", "visited"): (1.0, 3.0),
        ("sz", "villages"): both, ("gd", "villages"): both,
        ("sz", "visits"): (1.0, None), ("gd", "visits"): (1.0, None),
        ("sz", "overdue"): (1.0, None), ("gd", "overdue"): (2.0, None),
        ("sz", "found"): (1.0, None), ("gd", "found"): (2.0, None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "unit", "code"),
    [("scan-log:nothing", "share", "unknown-source"),
     ("hazards:major_not_in_time", "share", "unknown-source"),
     ("tasks:on_time_share", "%", "bad-scorecard")],
)  # fmt: skip
def test_sources_are_those_of_the_list(source: str, unit: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        region_card(indicators=[linear("x", source, 1.0, unit=unit)])
    assert {problem.code for problem in caught.value.problems} == {code}
