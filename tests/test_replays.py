"""The replays: they run and balance, every known outcome is compared or explained, their page is true."""

from __future__ import annotations

import gzip
import importlib
import json
import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import pytest

from changtong import Network, Outage, in_force, plan, read_network

HERE = Path(__file__).parent.parent
FOLDER = HERE / "examples" / "replays"
CASES = ("shanghai-2022", "henan-2021", "hubei-2016")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the examples are not here: needs a checkout")


def example(name: str) -> ModuleType:
    """Import a module of the replays as their command does: from its own folder."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def facts() -> dict[str, dict[str, Any]]:
    """Every replay at city level, run once."""
    replay = example("replay")
    return {name: replay.run(name)[0] for name in CASES}


def tiny(*, transit: bool) -> Network:
    """The six sites; county unit A passes pieces on, or does not."""
    network = read_network(HERE / "examples" / "tiny")
    at_a = pl.col("site_id").cast(pl.String) == "A"
    sites = network.sites.with_columns(transit=pl.when(at_a).then(transit).otherwise(pl.col("transit")))
    return network.with_tables(sites=sites)


@pytest.mark.parametrize("transit", [True, False])
def test_a_part_has_its_share_of_the_pieces_and_nothing_is_lost(transit: bool) -> None:
    parts = example("replay_parts")
    network = tiny(transit=transit)
    made = parts.cut_parts(network, [parts.Part("F1", "410100", 0.25)])  # A begins 160 a day and ends 80
    assert made.demand["pieces_per_day"].sum() == pytest.approx(300.0)
    inside = made.demand.filter(pl.col("from_site") == "A-F1")["pieces_per_day"].sum()
    assert inside == pytest.approx(0.25 * 160.0)
    assert plan(made).value("unserved") == pytest.approx(0.0)
    shut = plan(made, [Outage("flood", admin_codes=("F1",))])
    assert shut.value("unserved") == pytest.approx(0.25 * (160.0 + 80.0))
    assert parts.in_region(made, "410100") == {"A", "A-F1", "H1"}


def test_a_part_of_a_leaf_shares_its_legs_and_rates() -> None:
    parts = example("replay_parts")
    made = parts.cut_parts(tiny(transit=False), [parts.Part("F1", "410181", 0.25)])
    legs = made.legs.filter(pl.col("to_site") == "H1").select(
        pl.col("from_site").cast(pl.String), "capacity_pieces_per_day"
    )
    room = dict(legs.iter_rows())
    assert room["A"] == pytest.approx(225.0)
    assert room["A-F1"] == pytest.approx(75.0)
    rate = dict(made.sites.select(pl.col("site_id").cast(pl.String), "sort_pieces_per_h").iter_rows())
    assert rate["A"] + rate["A-F1"] == pytest.approx(20.0)


@pytest.mark.parametrize("name", CASES)
def test_every_known_outcome_is_compared_or_explained(name: str) -> None:
    cases, figures = example("replay_case"), example("replay_figures")
    case = cases.read_case(name)
    page = (HERE / "docs" / "replays.md").read_text("utf-8")
    known = cases.known_outcomes(case)
    assert known["id"].is_unique().all()
    for row in known.iter_rows(named=True):
        assert row["kind"] in {"official", "derived", "assumed"}, row["id"]
        assert f"\n- **{row['source']}** " in page, row["source"]
        if row["computed"]:
            assert hasattr(figures.Figures, row["computed"]), row["id"]
            begin, until = (datetime.fromisoformat(row[key]) for key in ("from", "until"))
            assert case.start <= begin < until <= case.end, row["id"]
        else:
            assert row["explained"], row["id"]


@pytest.mark.parametrize("name", CASES)
def test_every_part_has_a_provenance_and_every_source_is_on_the_page(name: str) -> None:
    case = example("replay_case").read_case(name)
    page = (HERE / "docs" / "replays.md").read_text("utf-8")
    rows = pl.read_csv(case.folder / "provenance.csv", infer_schema_length=0)
    items = dict(rows.select("item", "value").iter_rows())
    for part in case.parts:
        assert float(items[part.code]) == part.share
    days = {"shanghai-2022": 31, "henan-2021": 365, "hubei-2016": 366}[name]
    assert float(items["volume"]) == pytest.approx(case.pieces_per_day * days)
    assert set(rows["kind"]) <= {"official", "derived", "assumed"}
    for source in rows["source"].drop_nulls():
        for key in re.findall(r"\b[SL]\d+\b", source):
            assert f"\n- **{key}** " in page, key
    assert rows.filter(pl.col("kind") == "official")["source"].null_count() == 0


def test_phases_are_cut_where_outages_begin_and_end() -> None:
    cases = example("replay_case")
    case = cases.read_case("shanghai-2022")
    stage = cases.set_up(case, "city")
    open_share = []
    for phase in cases.phases_of(case, stage.outages):
        middle = case.start + timedelta(hours=0.5 * (phase.begin + phase.end))
        assert phase.outages == in_force(stage.outages, middle)
        shut = {code for outage in phase.outages for code in outage.admin_codes}
        open_share.append(1.0 - sum(part.share for part in case.parts if part.code in shut))
    wanted = [1.0, 0.667, 0.1, 16 / 60, 20 / 60, 28 / 60, 1.0]
    assert open_share == pytest.approx(wanted, abs=1e-3)


def test_volumes_are_means_over_phases() -> None:
    figures, cases = example("replay_figures"), example("replay_case")
    start = datetime.fromisoformat("2022-04-01T00:00:00+08:00")
    case = replace(cases.read_case("shanghai-2022"), start=start, hours=96.0)
    first = figures.Served(cases.Phase(0.0, 48.0, ()), 100.0, 10.0, 20.0, 0.0)
    then = figures.Served(cases.Phase(48.0, 96.0, ()), 80.0, 4.0, 11.0, 0.0)
    empty = pl.DataFrame({"hour": [1.0], "site_id": ["A"], "waiting_pieces": [0.0]})
    still = SimpleNamespace(backlog=empty, hours=empty.select("hour"))
    stage = SimpleNamespace(region={"A"})
    made = figures.Figures(figures.Played(case, stage, (first, then), first, {}, still))
    day = timedelta(days=1)
    assert made.of("nation_sent", start + day, start + 3 * day) == (None, 180.0)
    assert made.of("region_sent", start + 2 * day, start + 3 * day) == (None, 4.0)
    assert made.of("region_share", start + 2 * day, start + 4 * day) == (None, 0.5)
    assert made.of("nation_change", start, start + 4 * day) == (None, pytest.approx(-0.1))
    assert made.of("nation_recovery", start + 2 * day, start + 4 * day) == (None, pytest.approx(-0.2))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_replay_balances_and_its_plans_are_proved(name: str, facts: dict[str, dict[str, Any]]) -> None:
    found = facts[name]
    pieces = 30e6 * 24  # far fewer than any replay moves
    for run in found["what_if"].values():
        assert run["imbalance_pieces"] < 1e-6 * pieces
        assert run["region_peak_pieces"] > 0.0
    for phase in found["phases"]:
        assert phase["plan_gap_share"] <= 0.001
        assert (phase["nation_change"] < -1e-6) == bool(phase["outages"])
    assert found["what_if"]["kept"]["held_peak_pieces"] == 0.0
    assert found["what_if"]["planned"]["held_peak_pieces"] > 0.0


def cell(text: str) -> float | None:
    """Return the number of a table's cell."""
    text = text.strip().replace(",", "").replace("−", "-").lstrip("≈>< ")
    if text in {"", "-"}:
        return None
    return float(text.rstrip("%")) / 100.0 if text.endswith("%") else float(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_page_says_what_the_replay_computes(name: str, facts: dict[str, dict[str, Any]]) -> None:
    page = (HERE / "docs" / "replays.md").read_text("utf-8")
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = {
        cells[0].strip(" `"): cells
        for line in section.splitlines()
        if len(cells := line.strip("|").split("|")) >= 5
    }
    compared = [row for row in facts[name]["outcomes"] if row["computed"]]
    assert compared
    for row in compared:
        told = [cell(text) for text in rows[row["id"]][2:5]]
        for said, value in zip(told, (row["value"], row["kept"], row["planned"]), strict=True):
            assert (said is None) == (value is None), row["id"]
            if said is not None:
                assert said == pytest.approx(value, rel=0.02, abs=0.002), row["id"]
    for run, what in facts[name]["what_if"].items():
        told = [cell(text) for text in rows[f"{name} {run}"][1:5]]
        keys = ("region_peak_pieces", "nation_peak_pieces", "held_peak_pieces", "clear_after_h")
        for said, key in zip(told, keys, strict=True):
            if said is None or what[key] is None:
                assert said is None, (run, key)
                assert what[key] is None, (run, key)
            else:
                assert said == pytest.approx(what[key], rel=0.02, abs=2.0), (run, key)


@pytest.mark.slow
def test_the_same_call_gives_the_same_result(
    facts: dict[str, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = example("replay")
    assert replay.main(["hubei-2016", "--json", "-o", str(tmp_path / "run")]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == json.loads(json.dumps(facts["hubei-2016"]))
    kept = {path.name for path in (tmp_path / "run").iterdir()}
    assert kept == {"replay.json", "outcomes.csv", "phases.csv", "backlog_kept.csv", "backlog_planned.csv"}


def test_a_wrong_call_is_told_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay = example("replay")
    (tmp_path / "letter.txt").write_text("mine", "utf-8")
    assert replay.main(["hubei-2016", "-o", str(tmp_path)]) == 2
    assert "something else" in capsys.readouterr().err
    assert replay.main(["hubei-2016", "--risk-areas", str(tmp_path)]) == 2
    assert "daily_county.csv.gz" in capsys.readouterr().err
    assert replay.main(["hubei-2016", "--delay", "-1"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_risk_areas_become_outages_by_the_stated_rule(tmp_path: Path) -> None:
    cases, risk = example("replay_case"), example("replay_risk_areas")
    case = cases.read_case("shanghai-2022")
    stage = cases.set_up(case, "city")
    rows = [
        "2022-04-20,high,吉林省,长春市,绿园区,500",
        "2022-04-21,middle,吉林省,长春市,绿园区,200",
        "2022-04-21,middle,吉林省,长春市,宽城区,400",
        "2022-04-21,low,吉林省,长春市,宽城区,9000",
        "2022-06-20,middle,上海市,上海市,黄浦区,100",
    ]
    text = "\n".join(["date,level,province,city,county,n_communities", *rows])
    (tmp_path / risk.FILE).write_bytes(gzip.compress(text.encode()))
    people = dict(risk.city_people(stage.network).select("city", "people").iter_rows())
    changchun, shanghai = risk.risk_area_outages(tmp_path, stage, case)
    assert changchun.admin_codes == ("220100",)
    assert changchun.share_left == pytest.approx(1.0 - 600 * risk.PEOPLE / people["长春"])
    assert changchun.start == datetime.fromisoformat("2022-04-01T03:00:00+08:00")
    assert shanghai.share_left == pytest.approx(1.0 - 100 * risk.PEOPLE / people["上海"])
