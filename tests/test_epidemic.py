"""Epidemic control: states, passes, gates, settling, crossings, months, measures, cases, risk areas."""

# ruff: noqa: E501
from __future__ import annotations

import csv
import json
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.cli import main
from changtong.epidemic.case import CaseTask, open_case
from changtong.epidemic.crossings import POST_SCHEMA, PRESENCE_SCHEMA, ZONE_SCHEMA, find_crossings
from changtong.epidemic.epidemic_folder import Epidemic, read_epidemic
from changtong.epidemic.monthly import inspections_due
from changtong.epidemic.pass_use import plan_use
from changtong.epidemic.passes import plate_key, shown_plate
from changtong.epidemic.settling import SCAN_SCHEMA, read_scans, settle
from changtong.epidemic.settling_rules import SettlingRule
from changtong.epidemic.state_outages import state_outages
from changtong.epidemic.tables import TableReader
from changtong.errors import InputError
from changtong.network.io import read_network
from changtong.outage_files import read_outages, write_outages
from changtong.outages import Outage, apply_outages
from changtong.safety.collect import collect
from changtong.safety.decision import read_decision
from changtong.studies import run_study

HERE = Path(__file__).parent.parent
EXAMPLE, TINY = HERE / "examples" / "epidemic", HERE / "examples" / "tiny"
pytestmark = pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the examples are not here: needs a checkout")
AT = datetime.fromisoformat("2022-05-12T10:00+08:00")
DAY0 = datetime.fromisoformat("2022-05-10T08:00+08:00")


def hours(count: float) -> datetime:
    return DAY0 + timedelta(hours=count)


def folder(tmp_path: Path, **tables: str) -> Path:
    """A folder of tables, a row a line."""
    place = tmp_path / "EPIDEMIC"
    place.mkdir(exist_ok=True)
    for name, text in tables.items():
        (place / f"{name}.csv").write_text(text.strip() + "\n", "utf-8")
    return place


def faults(place: Path) -> dict[str, list[Any]]:
    with pytest.raises(InputError) as caught:
        read_epidemic(place)
    made: dict[str, list[Any]] = {}
    for one in caught.value.problems:
        made.setdefault(one.code, []).append((one.file, one.row, one.column))
    return made


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main(["epidemic", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


STATES = "site_id,state,from,until,reason,authority,capacity_share\n"


def test_states_follow_each_other_and_open_ends_close(tmp_path: Path) -> None:
    place = folder(tmp_path, site_states=STATES + "A,受限,2022-05-01T00:00+08:00,,,,\n"
                   "A,Closed-loop,2022-05-03T00:00+08:00,2022-05-04T00:00+08:00,,,\n"
                   "B,closed,2022-05-03T00:00+08:00,,,office,0.25")  # fmt: skip
    book = read_epidemic(place).book
    zone = DAY0.tzinfo
    at = [
        datetime(2022, 5, 2, 23, 59, 59, tzinfo=zone),
        datetime(2022, 5, 3, tzinfo=zone),
        datetime(2022, 5, 4, tzinfo=zone),
    ]
    assert [{site: spell.state for site, spell in book.at(one).items()} for one in at] == [
        {"A": "restricted"}, {"A": "closed_loop", "B": "closed"}, {"B": "closed"},
    ]  # fmt: skip
    made = state_outages(read_epidemic(place), read_network(TINY), at[1])
    assert {(one.sites, one.capacity_share) for one in made.outages} == {(("A",), 0.7), (("B",), 0.25)}


def test_every_fault_of_states_is_told_at_once(tmp_path: Path) -> None:
    place = folder(tmp_path, site_states=STATES + "A,closed,2022-05-01T00:00+08:00,2022-05-05T00:00+08:00,,x,\n"
                   "A,restricted,2022-05-04T00:00+08:00,,,x,\n"  # overlaps
                   "B,shut,2022-05-01T00:00+08:00,,,,\n"  # no state
                   "C,closed,2022-05-01T00:00+08:00,,,,\n"  # nobody ordered it
                   "D,closed,2022-05-01T00:00+08:00,2022-05-02T00:00+08:00,,x,\n"
                   "D,open,2022-05-02T00:00+08:00,,,x,\n"  # not in one step
                   "E,open,2022-05-02,,,,\n"  # no zone
                   "F,open,2022-05-03T00:00+08:00,2022-05-02T00:00+08:00,,,\n"
                   "G,restricted,2022-05-03T00:00+08:00,,,,1.5")  # fmt: skip
    found = faults(place)
    file = "site_states.csv"
    assert found["overlapping-states"] == [(file, 2, "from")]
    assert found["unknown-state"] == [(file, 3, "state")]
    assert found["missing-value"] == [(file, 4, "authority")]
    assert found["bad-transition"] == [(file, 6, "state")]
    assert found["wrong-type"] == [(file, 7, "from")]
    assert found["times-reversed"] == [(file, 8, "until")]
    assert found["out-of-range"] == [(file, 9, "capacity_share")]


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 4) | st.none()),
        min_size=1,
        max_size=5,
        unique_by=lambda s: s[0],
    )
)
@settings(max_examples=examples(20), deadline=None)
def test_overlaps_are_found_by_brute_force(
    tmp_path_factory: pytest.TempPathFactory, spans: list[Any]
) -> None:
    rows = [
        f"A,restricted,{hours(b).isoformat()},{hours(b + n).isoformat() if n else ''},,," for b, n in spans
    ]
    place = folder(tmp_path_factory.mktemp("x"), site_states=STATES + "\n".join(rows))
    begins = sorted(b for b, _ in spans)
    clash = any(n is not None and any(b < other < b + n for other in begins) for b, n in spans)
    if clash:
        assert set(faults(place)) == {"overlapping-states"}
        return
    book = read_epidemic(place).book
    for hour in range(15):
        last = max((s for s in spans if s[0] <= hour), default=None)
        held = last is not None and (last[1] is None or hour < last[0] + last[1])
        assert ("A" in book.at(hours(hour))) == held


def test_outages_are_those_written_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, known = read_network(TINY), read_epidemic(EXAMPLE)
    made = state_outages(known, network, AT)
    write_outages(made.outages, tmp_path / "o.toml", remark="\n".join(map(str, made.notes)))
    assert read_outages(tmp_path / "o.toml", network) == made.outages
    by_hand = (
        Outage("b", ("B",), capacity_share=0.5), Outage("c", ("C",)), Outage("h", ("H1",), capacity_share=0.75),
        Outage("south", ("B", "H2"), passes_per_day=3, pieces_per_pass=40),
        Outage("h1", ("H1",), passes_per_day=2),
        # P1 brings 2 × 40, P2 and the vehicle of P3 and P4 4,000 each
        Outage("all", ("B", "H1", "H2"), passes_per_day=4, pieces_per_pass=8080 / 4),
        Outage("s", ("H1",), extra_h=48),
    )  # fmt: skip
    one, two = apply_outages(network, made.outages), apply_outages(network, by_hand)
    for name in ("site_share", "leg_share", "site_extra_h", "leg_extra_h"):
        assert (getattr(one, name) == getattr(two, name)).all()
    limits = [[(sorted(x.leg_rows.tolist()), x.pieces_per_day) for x in e.entry_limits] for e in (one, two)]
    assert limits[0] == limits[1]
    # what holds ends with the first change in it: a pass, a person
    ends = {one.label: one.end for one in made.outages if one.end is not None}
    assert ends["闭环 Closed-loop: H1"] == datetime.fromisoformat("2022-05-13T00:00+08:00")
    assert ends["通行证 passes: H1"] == datetime.fromisoformat("2022-05-14T00:00+08:00")
    words = ("outages", str(EXAMPLE), str(TINY), "--at", "2022-05-12T10:00", "-o", str(tmp_path / "c.toml"))
    code, facts = run(capsys, *words)
    assert (code, facts["outages"]) == (0, made.to_json()["outages"])
    assert read_outages(tmp_path / "c.toml", network) == made.outages


def test_a_site_the_network_has_not_is_told(tmp_path: Path) -> None:
    place = folder(tmp_path, site_states=STATES + "H9,closed,2022-05-01T00:00+08:00,,,x,")
    with pytest.raises(InputError, match="unknown-site") as caught:
        state_outages(read_epidemic(place), read_network(TINY), AT)
    assert (caught.value.problems[0].file, caught.value.problems[0].row) == ("site_states.csv", 1)


PASSES = "pass_id,vehicle,areas,sites,valid_from,valid_until,revoked_at,trips_per_day\n"
AREAS = "area_id,sites,from,until\nX,B;H2,2022-05-01T00:00+08:00,2022-06-01T00:00+08:00\n"


def passes_per_day(place: Path, at: datetime = AT) -> int | None:
    made = state_outages(read_epidemic(place), read_network(TINY), at)
    return next((one.passes_per_day for one in made.outages if one.passes_per_day is not None), None)


def test_who_may_enter_is_counted_at_the_instant(tmp_path: Path) -> None:
    rows = "P1,沪A·11111,X,,2022-05-01T00:00+08:00,2022-05-12T10:00+08:00,,5\n"  # ends at this very instant
    rows += "P2,沪A22222,X,,2022-05-12T10:00+08:00,2022-05-20T00:00+08:00,,1\n"  # begins at it
    rows += (
        "P3,沪a 22222,,B,2022-05-01T00:00+08:00,2022-05-20T00:00+08:00,,3\n"  # the same vehicle, most trips
    )
    rows += "P4,沪A33333,,H1,2022-05-01T00:00+08:00,2022-05-20T00:00+08:00,,7\n"  # elsewhere
    rows += "P5,沪A44444,X,,2022-05-01T00:00+08:00,2022-05-20T00:00+08:00,2022-05-12T09:00+08:00,7"  # revoked
    place = folder(tmp_path, areas=AREAS, passes=PASSES + rows)
    assert passes_per_day(place) == 3
    assert passes_per_day(place, AT - timedelta(seconds=1)) == 5 + 3
    assert passes_per_day(folder(tmp_path, passes=PASSES.strip())) == 0  # none is valid: nobody enters
    (place / "passes.csv").unlink()
    assert passes_per_day(place) is None
    assert "no passes are known" in state_outages(read_epidemic(place), read_network(TINY), AT).notes[0].en


def test_plates_are_compared_and_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plate_key("京A·12345") == plate_key("京Ａ 12345") != plate_key("京A12346")
    assert shown_plate("京A12345") == "京A*****"
    words = ("passes", str(EXAMPLE), "--at", "2022-05-12T10:00", "--net", str(TINY))
    code, facts = run(capsys, *words, "--trips", str(EXAMPLE / "trips.csv"), "-o", str(tmp_path / "out"))
    assert code == 1
    assert {(one["trip_id"], one["fault"]) for one in facts["faults"]} == {
        ("2", "out_of_goods"), ("3", "expired"), ("4", "no_pass"), ("5", "out_of_area"), ("7", "too_many_trips"),
    }  # fmt: skip
    assert [(one["pass_id"], one["other_pass_id"]) for one in facts["duplicates"]] == [("P3", "P4")]
    assert {one["pass_id"] for one in facts["ending"]} == {"P2", "P5"}
    written = "".join(path.read_text("utf-8-sig") for path in (tmp_path / "out").iterdir()) + json.dumps(
        facts
    )
    assert "T0001" not in written
    assert "T0003" not in written


def test_what_a_plan_uses_is_held_against_the_passes() -> None:
    known, network = read_epidemic(EXAMPLE), read_network(TINY)
    gates = state_outages(known, network, AT).gates
    flows = pl.DataFrame(
        {
            "from_site": ["H1", "D", "B", "A"],
            "to_site": ["H2", "H2", "H2", "H1"],
            "planned_pieces": [100.0, 20.0, 50.0, 10.0],
        }
    )
    use = {row["gate_id"]: row for row in plan_use(gates, flows).iter_rows(named=True)}
    assert (use["south"]["entering_pieces"], use["south"]["passes_used"], use["south"]["bottleneck"]) == (
        120.0,
        3,
        True,
    )
    assert (use["H1"]["entering_pieces"], use["H1"]["passes_used"], use["H1"]["bottleneck"]) == (
        10.0,
        1,
        False,
    )


def scans(*rows: tuple[float, str, str, str | None, str | None]) -> pl.DataFrame:
    made = [(hours(at), *rest) for at, *rest in rows]
    return pl.DataFrame(made, list(SCAN_SCHEMA), orient="row").cast(dict(SCAN_SCHEMA))  # type: ignore[arg-type]


RULES = (SettlingRule("310000", 24.0, 12.0, None, None, 10.0, 1.0),)


def settled(at: float, *rows: Any, **more: Any) -> tuple[dict[str, Any], set[Any]]:
    made = settle(scans(*rows), RULES, {"X": "310115"}, hours(at), **more)
    things = {row["id"]: row for row in made.things.iter_rows(named=True)}
    return things, {
        (row["id"], row["violation"], row["hours_short"]) for row in made.violations.iter_rows(named=True)
    }


def test_settling_by_hand() -> None:
    rows = [
        (0, "arrive", "X", None, "R1"), (0, "receive", "X", "a", "R1"), (25, "unpack", "X", None, "R1"),
        (0, "arrive", "X", None, "R2"), (10, "unpack", "X", "b", "R2"),  # 14 h early
        (1, "receive", "X", "c", None),  # came loose: both spans
        (2, "arrive", "X", None, "R3"), (20, "depart", "X", None, "R3"),  # closed, 6 h early
    ]  # fmt: skip
    things, wrong = settled(30, *rows)
    assert {name: row["release"] for name, row in things.items()} == {
        "R1": hours(24), "a": hours(37), "R2": hours(24), "b": hours(36), "c": hours(37), "R3": hours(26),
    }  # fmt: skip
    assert {name for name, row in things.items() if row["state"] == "settling"} == {"a", "b", "c"}
    assert wrong == {("R2", "bag_opened_early", 14.0), ("R3", "bag_left_early", 6.0)}
    more = [
        (35, "disinfect", "X", "a", None), (36.5, "depart", "X", "a", None),  # half an hour early
        (36, "sort", "X", "b", None), (37, "pack", "X", "c", "OUT"), (38, "depart", "X", None, "OUT"),
    ]  # fmt: skip
    things, wrong = settled(40, *rows, *more)
    assert {one for one in wrong if one[0] in "abc"} == {
        ("a", "left_early", 0.5), ("b", "not_disinfected", None), ("c", "not_disinfected", None),
    }  # fmt: skip
    assert things["c"]["state"] == "gone"
    assert "OUT" not in things


def test_what_goes_out_or_is_not_known_is_not_judged() -> None:
    rows = [
        (0, "receive", "S", "home", None), (5, "receive", "X", "home", None), (6, "depart", "X", "home", None),
        (0, "accept", "X", "RA123456785CN", None), (1, "depart", "X", "RA123456785CN", None),
        (0, "depart", "X", "late", None),
    ]  # fmt: skip
    things, wrong = settled(9, *rows, home=["S"])
    assert (things, wrong) == ({}, set())
    assert settle(scans(*rows), RULES, {"X": "310115"}, hours(9), home=["S"]).sites[
        "arrival_unknown"
    ].to_list() == [1]
    assert settled(9, *rows)[1] >= {("home", "left_early", 35.0)}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), min_size=1, max_size=8))
@settings(max_examples=examples(20), deadline=None)
def test_room_is_the_most_at_one_time(stays: list[tuple[int, int]]) -> None:
    rows = []
    for k, (begin, length) in enumerate(stays):
        rows += [(begin, "arrive", "X", None, f"R{k}"), (begin + length, "depart", "X", None, f"R{k}")]
    made = settle(scans(*rows), RULES, {"X": "310115"}, hours(60), space_m2={"X": 2.0})
    spans = [(begin, begin + min(length, 24)) for begin, length in stays]
    most = max(sum(b <= hour < e for b, e in spans) for hour in range(60))
    assert made.sites["peak_m2"].to_list() == [pytest.approx(most)]
    assert made.sites["short_m2"].to_list() == [pytest.approx(max(most - 2, 0))]


ZONES = pl.DataFrame(
    [("X", "in", "inside"), ("X", "out", "outside"), ("X", "mid", "buffer")], ZONE_SCHEMA, orient="row"
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pq"), st.sampled_from(["in", "out", "mid"]), st.integers(0, 9), st.integers(1, 5)
        ),
        max_size=6,
    ),
    st.integers(0, 3),
)
@settings(max_examples=examples(50), deadline=None)
def test_crossings_are_found_by_brute_force(spans: list[tuple[str, str, int, int]], apart: int) -> None:
    rows = [(who, "X", zone, hours(b), hours(b + n)) for who, zone, b, n in spans]
    seen = pl.DataFrame(rows, dict(PRESENCE_SCHEMA), orient="row")
    found = find_crossings(ZONES, pl.DataFrame(schema=POST_SCHEMA), seen, apart_h=apart)
    count = 0
    for k, (who, zone, b, n) in enumerate(spans):
        for who2, zone2, b2, n2 in spans[k + 1 :]:
            gap = (b2 - (b + n)) if b <= b2 else (b - (b2 + n2))
            count += who == who2 and {zone, zone2} == {"in", "out"} and gap < apart
    assert found.height == count


def test_posts_and_presence_of_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    code, facts = run(capsys, "crossings", str(EXAMPLE))
    assert (code, facts["by_kind"]) == (1, {"no_post": 1, "posts": 1, "wrong_side": 1})
    assert (
        {(one["person"], one["crossing"]) for one in facts["crossings"]}
        if isinstance(facts["crossings"], list)
        else True
    )


def test_months_over_leap_days_and_the_year() -> None:
    visits = pl.DataFrame(
        {"site_id": ["A", "A", "A"], "on": [date(2023, 12, 31), date(2024, 2, 29), date(2024, 3, 31)]}
    )
    frame = inspections_due({"A": date(2023, 12, 15), "B": date(2024, 3, 1)}, visits, date(2024, 3, 30))
    states = [
        (row["site_id"], row["month"], row["state"], row["days_left"]) for row in frame.iter_rows(named=True)
    ]
    assert states == [
        ("A", "2023-12", "done", None), ("A", "2024-01", "missed", None), ("A", "2024-02", "done", None),
        ("A", "2024-03", "due", 1), ("B", "2024-03", "due", 1),
    ]  # fmt: skip
    assert inspections_due(["A"], visits, date(2024, 3, 31))["state"].to_list()[-1] == "done"
    assert inspections_due(["A"], visits, date(2024, 2, 29), since=date(2024, 2, 1), per_month=2)[
        "state"
    ].to_list() == ["due"]


def test_measures_missing_come_from_the_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collect([EXAMPLE / "filled.json"], tmp_path / "COLLECTED")
    words = (str(EXAMPLE), str(tmp_path / "COLLECTED"), "--date")
    code, facts = run(capsys, "checklist", *words, "2022-05-12")
    assert code == 1
    assert {(one["site_id"], one["item_id"]) for one in facts["missing_measures"]} == {
        ("H1", "apart"), ("H2", "teams"), ("H2", "isolate"),
    }  # fmt: skip
    assert facts["by_state"] == {"inspected": 2, "never_inspected": 4}
    assert run(capsys, "checklist", *words, "2022-05-10")[1]["by_state"] == {
        "inspected": 1,
        "never_inspected": 5,
    }
    code, facts = run(
        capsys, "inspections-due", str(EXAMPLE), "--from", str(tmp_path / "COLLECTED"), "--date", "2022-05-31"
    )
    assert (code, facts["by_state"]) == (1, {"done": 1, "due": 0, "missed": 4})
    page = tmp_path / "page.html"
    words = (str(EXAMPLE), str(TINY), "--at", "2022-05-12T10:00", "--from", str(tmp_path / "COLLECTED"))
    assert run(capsys, "page", *words, "--scans", str(EXAMPLE / "scans.csv"), "-o", str(page))[0] == 0
    text = page.read_text("utf-8")
    assert all(word in text for word in ("北转运中心", "是否设有临时隔离区", "总包提前开拆"))
    assert "T0001" not in text
    assert "受限 Restricted: " not in text  # one language at a time, and sites by their names
    assert '<span lang="en">Closed-loop: 北转运中心 H1</span>' in text
    assert '<span lang="zh-CN">凭通行证进入：北转运中心 H1</span>' in text


def traced() -> Any:
    ms = int(DAY0.timestamp() * 1000)
    receiving = pl.DataFrame(
        {
            "site_id": ["A", "B", None],
            "items": [3, 2, 1],
            "not_delivered": [3, 0, 1],
            "last_seen_ms": [ms, ms, ms],
        }
    )
    sites = pl.DataFrame({"site_id": ["A", "C"], "from_ms": [ms, ms], "to_ms": [ms + 1, None]})
    items = pl.DataFrame(
        {
            "item": range(6),
            "last_site_id": ["A", "A", "A", "B", "B", None],
            "state": ["x"] * 6,
            "last_ms": [ms] * 6,
            "exposed_ms": [ms - 60_000] * 6,
            "step": [0] * 6,
            "tied_to": [None, 0, 0, 0, 0, 0],
            "via": [None] * 6,
            "container": [None, 7, 7, 7, 7, 7],
            "overlap_s": [None, 90.0, 90.0, 90.0, 90.0, 90.0],
        }
    )
    return SimpleNamespace(receiving=receiving, sites=sites, items=items, summary=lambda: {"items": 6})


def test_a_case_gives_each_site_its_tasks(tmp_path: Path) -> None:
    tasks = tuple(
        CaseTask(name, when, due, "封", 'say "it"', "assumed")
        for name, when, due in (
            ("hold", "undelivered", 4.0),
            ("clean", "exposed", 20.0),
            ("tell", "delivered", 24.0),
        )
    )
    made = open_case(traced(), "c1", DAY0, tasks, owner="gd", owners={"C": "li"})
    assert {(row["id"], row["owner"], row["items"]) for row in made.tasks.iter_rows(named=True)} == {
        ("hold-A", "gd", 3), ("clean-A", "gd", 3), ("tell-B", "gd", 2), ("clean-C", "li", 0),
    }  # fmt: skip
    assert {row["id"]: row["deadline"] for row in made.tasks.iter_rows(named=True)}["clean-A"] == date(
        2022, 5, 11
    )
    made.save(tmp_path / "CASE")
    assert read_decision(tmp_path / "CASE" / "decision.toml") == made.decision()
    assert sorted(path.name for path in (tmp_path / "CASE" / "lists").iterdir()) == ["A.csv", "B.csv"]
    smaller = open_case(traced(), "c1", DAY0, tasks[:1], owner="gd")
    smaller.save(tmp_path / "CASE")
    assert len(read_decision(tmp_path / "CASE" / "decision.toml").tasks) == 1


RISK = "date,snapshot,level,province,city,county,n_communities\n"


def risk_network(tmp_path: Path) -> Path:
    place = tmp_path / "NET"
    shutil.copytree(TINY, place)
    rows = list(csv.DictReader((place / "sites.csv").read_text("utf-8").splitlines()))
    codes = {"A": "410181", "B": "310115", "C": "441900", "D": "110105"}
    for row in rows:
        row["admin_code"] = codes.get(row["site_id"], row["admin_code"])
    with (place / "sites.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return place


def test_a_list_of_risk_areas_becomes_states(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = [
        ("2022-05-01", "2022050120", "high,河南省,郑州市,巩义市,1"), ("2022-05-02", "2022050220", "高风险,河南省,郑州市,巩义市,2"),
        ("2022-05-02", "2022050220", "middle,上海市,上海市,浦东新区,3"), ("2022-05-02", "2022050220", "high,北京市,朝阳区,酒仙桥街道,10"),
        ("2022-05-02", "2022050220", "middle,广东省,东莞市,凤岗镇,1"), ("2022-05-02", "2022050220", "high,陕西省,西安市,高新区,5"),
        ("2022-05-03", "2022050320", "low,上海市,上海市,浦东新区,3"),
    ]  # fmt: skip
    path = tmp_path / "list.csv"
    path.write_bytes((RISK + "\n".join(f"{d},{s},{rest}" for d, s, rest in days)).encode("gb18030"))
    net = str(risk_network(tmp_path))
    code, facts = run(
        capsys, "risk-areas", str(path), net, "--at", "2022-05-03T08:00", "-o", str(tmp_path / "now")
    )
    assert (code, facts["by_state"]) == (0, {"closed": 1, "closed_loop": 1, "restricted": 2})
    assert [one["county"] for one in facts["unplaced"]] == ["高新区"]
    code, facts = run(capsys, "risk-areas", str(path), net, "-o", str(tmp_path / "all"))
    place = folder(tmp_path)
    shutil.copy(tmp_path / "all" / "states.csv", place / "site_states.csv")
    book = read_epidemic(place).book
    spells = {
        site: [(s.state, s.begin.isoformat(), s.end and s.end.isoformat()) for s in book.spells[site]]
        for site in "AB"
    }
    assert spells["A"] == [("closed_loop", "2022-05-01T12:00:00+00:00", "2022-05-03T12:00:00+00:00")]
    assert spells["B"] == [("restricted", "2022-05-02T12:00:00+00:00", "2022-05-03T12:00:00+00:00")]


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("passes", PASSES + "P1,沪A1,Z,,2022-05-01T00:00+08:00,2022-05-02T00:00+08:00,,1", "unknown-area"),
        ("passes", PASSES + "P1,沪A1,,B,2022-05-01T00:00+08:00,2022-05-02T00:00+08:00,,500", "out-of-range"),
        ("passes", PASSES + "P1,沪A1,,,2022-05-01T00:00+08:00,2022-05-02T00:00+08:00,,1", "missing-value"),
        ("passes", "pass_id,vehicle\nP1,x", "missing-column"),
        ("passes", PASSES + "P1,沪A1,,B,2022-05-01T00:00+08:00,2022-05-02T00:00+08:00,,1\n" * 2, "duplicate-row"),
        ("passes", PASSES.replace("revoked_at", "revoked_att"), "unknown-column"),
        ("staff", "person,site_id,valid_from,valid_until\n张小明,A,2022-05-01T00:00+08:00,2022-06-01T00:00+08:00", "personal-data"),
        ("posts", "person,site_id,post,zone,from\nS1,X,p,in,2022-05-01T00:00+08:00", "unknown-zone"),
        ("zones", "site_id,zone,side\nX,a,up", "unknown-value"),
        ("settling_rules", "place,bag_h,item_h,provenance\n310000,24,24,example\n310000,48,0,example", "duplicate-row"),
        ("site_states", "", "empty-file"),
        ("sites", "site_id,international\nA,maybe", "wrong-type"),
    ],
)  # fmt: skip
def test_wrong_tables_are_told(tmp_path: Path, name: str, text: str, code: str) -> None:
    place = folder(tmp_path, **{"sites": "site_id\nA"} | {name: text})
    found = faults(place)
    assert code in found
    if code == "personal-data":
        with pytest.raises(InputError) as caught:
            read_epidemic(place)
        assert "张小明" not in str(caught.value)


def test_wrong_calls_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "states", str(tmp_path / "none"))[1]["error"] == "bad-input"
    assert run(capsys, "states", str(TINY.parent))[1]["problems"][0]["code"] == "not-an-epidemic-folder"
    assert run(capsys, "states", str(EXAMPLE), "--at", "soon")[0] == 2
    assert run(capsys, "states")[0] == 2
    assert run(capsys, "passes", str(EXAMPLE), "--trips", "x.csv")[0] == 2
    assert run(capsys, "outages", str(EXAMPLE), str(TINY), "-o", "x.csv")[1]["error"] == "unknown-ending"
    nothing = folder(tmp_path, site_states=STATES.strip())
    target = tmp_path / "o.toml"
    assert run(capsys, "outages", str(nothing), str(TINY), "-o", str(target))[0] == 1
    assert not target.exists()


def test_the_doorway_gives_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    known: Epidemic = read_epidemic(EXAMPLE)
    study = run_study("epidemic-staff", known, at=AT, folder=tmp_path / "STAFF")
    assert run(capsys, "staff", str(EXAMPLE), "--at", "2022-05-12T10:00")[1] == study.result.to_json()
    assert run(capsys, "firms", str(EXAMPLE), "--at", AT.isoformat())[1]["by_state"] == {
        "expiring": 1,
        "valid": 1,
    }
    assert (tmp_path / "STAFF" / "study.json").is_file()


def test_scans_and_trips_are_read_in_every_form(tmp_path: Path) -> None:
    texts = pl.read_csv(EXAMPLE / "scans.csv", infer_schema_length=0)
    texts.write_parquet(tmp_path / "texts.parquet")
    instants = texts.with_columns(pl.col("at").str.to_datetime("%+", time_zone="UTC", strict=False))
    if instants["at"].null_count():  # to the minute, as people write it
        at = pl.col("at").str.replace(r"([+-]\d{2}:\d{2})$", ":00${1}").str.to_datetime("%+", time_zone="UTC")
        instants = texts.with_columns(at)
    instants.with_columns(pl.col("at").dt.convert_time_zone("Asia/Shanghai")).write_parquet(
        tmp_path / "instants.parquet"
    )
    plain = (EXAMPLE / "scans.csv").read_text("utf-8-sig")
    (tmp_path / "gbk.csv").write_bytes(plain.replace("disinfect", "消毒").encode("gb18030"))
    (tmp_path / "bom.csv").write_text(plain, "utf-8-sig")
    expected = scans_of(EXAMPLE / "scans.csv")
    for name in ("texts.parquet", "instants.parquet", "gbk.csv", "bom.csv"):
        assert scans_of(tmp_path / name).equals(expected), name
    (tmp_path / "wrong.parquet").write_bytes(b"PAR1 no table")
    texts.with_columns(pl.lit("2022-05-12 08:00").alias("at")).write_parquet(tmp_path / "naive.parquet")
    for name, code in (("wrong.parquet", "unreadable-file"), ("naive.parquet", "wrong-type")):
        with pytest.raises(InputError) as caught:
            scans_of(tmp_path / name)
        assert {problem.code for problem in caught.value.problems} == {code}


def scans_of(path: Path) -> pl.DataFrame:
    reader = TableReader()
    frame = read_scans(reader, path)
    reader.finish()
    return frame
