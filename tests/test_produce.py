"""Produce projects: thresholds, growth, wrong rows, and a county at harvest."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from coverage_cases import four_villages

from changtong.errors import InputError, NotFoundError, UsageError
from changtong.rural.county import County
from changtong.rural.county_folder import build_county, check_county
from changtong.rural.produce import at_harvest, produce_projects

REGISTER = """project,product,admin_code,level,year,pieces,income_cny
apples,apples,610500,city,2021,5000000,40000000
apples,apples,610500,city,2022,8000000,64000000
apples,apples,610500,city,2023,10000000,
pears,pears,610524,county,2022,1500000,9000000
pears,pears,610524,county,2023,1599999,9600000
dates,dates,610525,county,2021,0,0
dates,dates,610525,county,2023,2500000,20000000
"""


def read(tmp_path: Path, text: str = REGISTER) -> Path:
    file = tmp_path / "register.csv"
    file.write_text(text)
    return file


def test_projects_against_the_published_thresholds(tmp_path: Path) -> None:
    found = produce_projects(read(tmp_path))
    rows = found.projects.select("project", "year", "state", "short_by_pieces", "growth_share").rows()
    assert rows == [
        ("apples", 2021, "below", 5e6, None),
        ("apples", 2022, "near", 2e6, pytest.approx(0.6)),
        ("apples", 2023, "reached", 0.0, pytest.approx(0.25)),
        ("dates", 2021, "below", 2e6, None),
        ("dates", 2023, "reached", 0.0, None),  # 2022 is missing: no growth year on year
        ("pears", 2022, "below", 5e5, None),
        ("pears", 2023, "below", 400_001.0, pytest.approx(99_999 / 1_500_000)),
    ]
    per_piece = found.projects["income_cny_per_piece"].to_list()
    assert per_piece[:4] == [8.0, 8.0, None, None]
    assert found.projects["growth_needed_share"][0] == pytest.approx(1.0)
    assert found.projects["growth_needed_share"][3] is None
    assert found.years.row(-1) == (2023, "county", 2, 1, 0, 4_099_999.0, 29_600_000.0)
    facts = json.loads(found.to_json())
    assert (facts["projects"], facts["reached"], facts["near"], facts["below"]) == (3, 2, 0, 1)
    assert [row["project"] for row in facts["latest"]] == ["apples", "dates", "pears"]
    assert {row["kind"] for row in facts["thresholds"]} == {"official"}
    assert "2 of 3 reached" in str(found)


def test_thresholds_are_data(tmp_path: Path) -> None:
    own = pl.DataFrame(
        {
            "level": ["city", "county"],
            "pieces_per_year": [1e6, 5e6],
            "near_share": [None, 0.5],
            "kind": ["assumed", "assumed"],
        }
    )
    found = produce_projects(read(tmp_path), own)
    assert found.latest.select("project", "state").rows() == [
        ("apples", "reached"),
        ("dates", "near"),
        ("pears", "below"),
    ]


def test_wrong_rows_are_all_told(tmp_path: Path) -> None:
    text = REGISTER + (
        "apples,apples,610500,city,2023,1,\n"
        "figs,figs,6105,city,2023,1,\n"
        "figs2,figs,610500,county,2023,1,\n"
        "nuts,nuts,610500,town,2023,1,\n"
        "nuts,nuts,610500,city,2023,-1,\n"
        "pears,pears,610525,county,2024,5,\n"
    )
    with pytest.raises(InputError) as caught:
        produce_projects(read(tmp_path, text))
    assert {(p.code, p.row) for p in caught.value.problems} == {
        ("duplicate-project", 8),
        ("bad-admin-code", 9),
        ("bad-admin-code", 10),
        ("unknown-level", 11),
        ("negative", 12),
        ("level-changed", 13),
    }


def sums(county: County) -> tuple[float, float, float]:
    out, cold = pl.col("outbound_pieces_per_day"), pl.col("outbound_cold_share")
    row = county.pieces.select(
        out.sum(), cold=(out * cold).sum(), inbound=pl.col("inbound_pieces_per_day").sum()
    )
    return row.row(0)  # type: ignore[return-value]


def test_a_county_at_harvest_has_the_pieces_of_the_peak(tmp_path: Path) -> None:
    report = produce_projects(read(tmp_path))
    county = four_villages()
    made = at_harvest(county, report, "dates", peak_weeks=5, peak_share=0.7, cold_share=0.4, firm="post")
    each_day = 2_500_000 * 0.7 / 35
    assert made.pieces_per_day == pytest.approx(each_day)
    assert made.cold_pieces_per_day == pytest.approx(each_day * 0.4)
    # people 1000, 500, 300, 200
    assert made.villages["pieces_per_day"].to_list() == pytest.approx(
        [each_day * k / 20 for k in (10, 5, 3, 2)]
    )
    before, after = sums(county), sums(made.county)
    assert after == pytest.approx((before[0] + each_day, before[1] + each_day * 0.4, before[2]))
    assert made.county.pieces.filter(pl.col("firm") == "red").equals(
        county.pieces.filter(pl.col("firm") == "red")
    )
    assert made.county.pieces["cold_h"].drop_nulls().unique().to_list() == [24.0]
    assert "dates at harvest" in made.county.name
    assert made.county.provenance["note"][-1].startswith("dates at harvest: 50,000 pieces a day for 5 weeks")
    again = build_county(made.county.tables(), made.county.name)
    assert again.pieces.equals(made.county.pieces, null_equal=True)
    assert ("warning", "cold-without-space") in check_county(made.county).counts


def test_firms_share_the_harvest_as_they_share_what_is_sent(tmp_path: Path) -> None:
    report = produce_projects(read(tmp_path))
    county = four_villages()
    made = at_harvest(county, report, "dates", villages=["A", "B"])
    more = made.county.pieces.join(
        county.pieces, on=["site_id", "firm"], suffix="_old", maintain_order="left"
    )
    more = more.select(
        "site_id", "firm", more=pl.col("outbound_pieces_per_day") - pl.col("outbound_pieces_per_day_old")
    ).filter(pl.col("more") > 1e-9)
    day = made.pieces_per_day
    assert more.rows() == [
        ("A", "post", pytest.approx(day * 2 / 3)),  # red sends nothing from A
        ("B", "post", pytest.approx(day / 6)),  # nobody sends from B: evenly
        ("B", "red", pytest.approx(day / 6)),
    ]


def test_a_new_firm_and_a_shorter_limit(tmp_path: Path) -> None:
    report = produce_projects(read(tmp_path))
    county = four_villages()
    county = county.with_tables(pieces=county.pieces.with_columns(cold_h=pl.lit(6.0)))
    made = at_harvest(county, report, "dates", villages=["C"], firm="blue", cold_h=12).county
    blue = made.pieces.filter(pl.col("firm") == "blue").row(0, named=True)
    assert (blue["site_id"], blue["inbound_pieces_per_day"], blue["cold_h"]) == ("C", 0.0, 12.0)
    post = at_harvest(county, report, "dates", villages=["C"], firm="post", cold_h=12).county.pieces
    assert post.filter(pl.col("site_id") == "C")["cold_h"].to_list() == [6.0]
    post = at_harvest(county, report, "dates", villages=["C"], firm="post", cold_h=3).county.pieces
    assert post.filter(pl.col("site_id") == "C")["cold_h"].to_list() == [3.0]  # the harvest's is shorter
    assert check_county(made).ok


def test_harvests_that_cannot_be_are_refused(tmp_path: Path) -> None:
    report = produce_projects(read(tmp_path))
    county = four_villages()
    with pytest.raises(NotFoundError, match="figs"):
        at_harvest(county, report, "figs")
    with pytest.raises(NotFoundError, match="'Z'"):
        at_harvest(county, report, "dates", villages=["Z"])
    with pytest.raises(UsageError, match="peak weeks"):
        at_harvest(county, report, "dates", peak_weeks=0)
    with pytest.raises(UsageError, match="cold share"):
        at_harvest(county, report, "dates", cold_share=1.5)
    bare = county.with_tables(pieces=county.pieces.filter(pl.col("site_id") != "D"))
    with pytest.raises(UsageError, match="No firm has pieces at D"):
        at_harvest(bare, report, "dates")
