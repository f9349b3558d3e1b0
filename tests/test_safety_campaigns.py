"""Campaigns: targets and finds by region, and a table that adds up."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_safety_visits import supervision

from changtong.cli import main
from changtong.errors import InputError, UsageError
from changtong.safety.campaign import SHIPPED, Campaign, campaign_progress, read_campaign
from changtong.safety.supervision import read_supervision
from changtong.studies import run_study

EXAMPLE = Path(__file__).parent.parent / "examples" / "safety"
COUNTS = ("sites", "target_sites", "visited", "visits", "missing", "finds", "finds_open", "finds_closed")
DAY = date(2026, 3, 20)
CAMPAIGN = Campaign(
    "c",
    "测试",
    "Test",
    "synthetic",
    "of a test",
    date(2026, 3, 1),
    date(2026, 3, 31),
    ("contraband",),
    ("outlet",),
)


def rows(progress: Any) -> dict[str, dict[str, Any]]:
    return {row["region"]: row for row in progress.regions.to_dicts()}


def test_only_what_belongs_to_the_campaign_counts() -> None:
    sites = [{"site_id": s, "admin_code": "610502"} for s in "ABCDE"]
    sites += [{"site_id": "T", "kind": "transfer", "admin_code": "610502"}]
    sites += [{"site_id": "X", "admin_code": "610502", "status": "closed"}, {"site_id": "N"}]
    visits = [
        {"site_id": "A", "on": date(2026, 3, 1)}, {"site_id": "A", "on": date(2026, 3, 20), "campaign": "c"},
        {"site_id": "B", "on": date(2026, 2, 28)}, {"site_id": "C", "on": date(2026, 3, 21)},
        {"site_id": "D", "on": date(2026, 3, 5), "campaign": "other"},
        {"site_id": "T", "on": date(2026, 3, 5)},
    ]  # fmt: skip
    found = {"site_id": "A", "kind": "contraband", "grade": "general", "found_on": date(2026, 3, 5)}
    hazards = [
        found | {"hazard_id": "1", "state": "open"}, found | {"hazard_id": "2", "state": "closed"},
        found | {"hazard_id": "3", "state": "withdrawn"},
        found | {"hazard_id": "4", "state": "open", "kind": "fire"},
        found | {"hazard_id": "5", "state": "open", "found_on": date(2026, 2, 5)},
        found | {"hazard_id": "6", "state": "open", "site_id": "T"},
    ]  # fmt: skip
    progress = campaign_progress(supervision(sites, None, visits, hazards), CAMPAIGN, DAY)
    assert rows(progress)["610502"] == {
        "region": "610502", "sites": 5, "target_sites": 5, "visited": 1, "visits": 2, "share": 0.2,
        "missing": 4, "finds": 2, "finds_open": 1, "finds_closed": 1, "reached": False,
    }  # fmt: skip
    assert rows(progress)["unknown"]["sites"] == 1
    assert progress.finds["hazard_id"].to_list() == ["1", "2"]
    assert progress.to_visit["site_id"].to_list() == ["B", "C", "D", "E", "N"]
    after = campaign_progress(supervision(sites, None, visits, hazards), CAMPAIGN, date(2026, 12, 1))
    assert rows(after)["610502"]["visited"] == 2  # C within the campaign; nothing after its end counts


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["610502", "610522", "440100"]), st.integers(0, 3), st.integers(0, 2)),
        max_size=30,
    ),
    st.floats(0.05, 1.0),
    st.sampled_from([2, 4, 6]),
)
def test_the_table_adds_up(made: list[tuple[str, int, int]], share: float, digits: int) -> None:
    sites = [{"site_id": f"S{k}", "admin_code": code} for k, (code, _, _) in enumerate(made)]
    visits = [{"site_id": f"S{k}", "on": DAY} for k, (_, count, _) in enumerate(made) for _ in range(count)]
    hazards = [
        {
            "hazard_id": f"H{k}-{n}",
            "site_id": f"S{k}",
            "kind": "contraband",
            "grade": "general",
            "found_on": DAY,
        }
        | {"state": "closed" if n else "open"}
        for k, (_, _, count) in enumerate(made)
        for n in range(count)
    ]
    campaign = replace(CAMPAIGN, target_share=share, region_digits=digits)
    table = rows(campaign_progress(supervision(sites, None, visits, hazards), campaign, DAY))
    total = table.pop("all")
    for name in COUNTS:
        assert total[name] == sum(row[name] for row in table.values()), name
    assert (total["sites"], total["visits"], total["finds"]) == (len(sites), len(visits), len(hazards))
    for row in [*table.values(), total]:
        assert row["finds"] == row["finds_open"] + row["finds_closed"]
        assert row["reached"] == (row["missing"] == 0)
        assert row["share"] is None or 0 <= row["share"] <= 1
    for row in table.values():
        assert row["sites"] * share - 1e-6 <= row["target_sites"] < row["sites"] * share + 1


def test_a_region_ahead_does_not_hide_one_behind() -> None:
    sites = [{"site_id": s, "admin_code": "610502"} for s in "AB"] + [
        {"site_id": s, "admin_code": "610522"} for s in "CD"
    ]
    visits = [{"site_id": s, "on": DAY} for s in "AB"]
    campaign = replace(CAMPAIGN, target_share=0.5, targets=(("610522", 1.0),))
    table = rows(campaign_progress(supervision(sites, None, visits), campaign, DAY))
    assert (table["610502"]["share"], table["610502"]["visited"], table["610522"]["target_sites"]) == (
        1.0,
        2,
        2,
    )
    assert table["all"]["share"] == pytest.approx(1 / 3)  # two visited of three aimed at, one of them beyond
    assert table["all"]["missing"] == 2


def test_shipped_campaigns_say_that_they_are_examples() -> None:
    for name in SHIPPED:
        campaign = read_campaign(name)
        assert campaign.id == name
        assert campaign.provenance in ("example", "synthetic")


def test_every_fault_of_a_campaign_is_told(tmp_path: Path) -> None:
    text = 'id = "c"\ntitle_zh = "x"\ntitle_en = "x"\nprovenance = "synthetic"\nbegin = 2026-03-02\n'
    text += 'end = 2026-03-01\nhazard_kinds = ["magic"]\ntarget_share = 1.5\nregion_digits = 5\n'
    text += "[targets]\nxy = 0.5\n"
    (tmp_path / "c.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_campaign(tmp_path / "c.toml")
    assert {p.column for p in caught.value.problems} == {
        "source", "end", "hazard_kinds", "target_share", "region_digits", "xy",
    }  # fmt: skip
    with pytest.raises(InputError, match="bad-campaign"):
        read_campaign(tmp_path)
    for name in ("gun", tmp_path / "none.toml"):  # what there is is told, not what the machine says
        with pytest.raises(
            InputError, match=r"no such campaign\. Expected: guns, drugs, personal-data, or a"
        ):
            read_campaign(name)


def test_python_and_command_line_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["safety", "campaign", "guns", str(EXAMPLE), "--date", "2026-03-09"]
    assert main([*ask, "-o", str(tmp_path / "G"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    study = run_study(
        "campaign", read_supervision(EXAMPLE), campaign=read_campaign("guns"), day=date(2026, 3, 9)
    )
    assert study.result.to_json() == {k: v for k, v in facts.items() if k != "folder"}
    assert pl.read_csv(tmp_path / "G" / "regions.csv").height == len(facts["regions"])
    total = facts["regions"][-1]
    assert (total["sites"], total["visited"], total["finds"], total["finds_open"]) == (24, 3, 2, 1)
    assert main(ask) == 0
    assert "not reached" in capsys.readouterr().out
    with pytest.raises(UsageError, match="draws nothing"):
        run_study("campaign", read_supervision(EXAMPLE), seed=1, campaign=read_campaign("guns"), day=DAY)
