"""The page of a footprint: what it says, in words, and on a telephone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from footprint_cases import TINY, chain, folder
from pages import Page

from browser import CHROMIUM, FRAME, opened
from changtong.cli import main
from changtong.footprint.estimate import estimate_carbon
from changtong.footprint.factors import read_factors
from changtong.footprint.names import KINDS
from changtong.network.io import read_network
from changtong.outages import close_sites
from changtong.planning.plan import plan
from changtong.report.texts import text
from changtong.studies import run_study

SCROLLING = """<body><iframe src="{address}" width="390" height="900"></iframe><p id="said"></p><script>
addEventListener("load", () => setTimeout(() => {{
  const boxes = [...document.querySelector("iframe").contentDocument.querySelectorAll(".scroll")];
  const wide = boxes.filter(box => box.scrollWidth > box.clientWidth).length;
  document.getElementById("said").textContent = `${{wide}} tables wider of ${{boxes.length}}`;
}}, 1000));
</script></body>"""


def test_the_page_tells_figures_lanes_and_packaging(tmp_path: Path) -> None:
    observed = tmp_path / "packaging.csv"
    observed.write_text("indicator,year,value,source\nslim_tape,2020,0.5,example\n", "utf-8")
    out = tmp_path / "CARBON"
    command = ["carbon", str(TINY), "-o", str(out), "--packaging", str(observed), "--language", "zh"]
    assert main(command) == 0
    html = (out / "report.html").read_text("utf-8")
    page = Page(html)
    assert 'data-language="zh"' in html
    made = estimate_carbon(read_network(TINY))
    assert f"{made.summary()['activity_tkm']:,.0f}" in page.said
    first = made.lanes.sort("kgco2e", descending=True).row(0, named=True)
    assert f"{first['from_site']}" in page.said
    packaging = list(page.tables.values())[-1]
    assert packaging[1][1:] == ["2020", "50.0 %", "90.0 %", "否no"]  # half of the parcels, nine tenths wanted


def test_the_page_says_names_and_what_is_not_known(tmp_path: Path) -> None:
    run_study("carbon", read_network(TINY), folder=tmp_path / "OUT")
    page = Page((tmp_path / "OUT" / "report.html").read_text("utf-8"))
    assert "hgv_" not in page.said
    assert "柴油单体货车（3.5 至 7.5 吨）" in page.said
    assert "Rigid lorry 3.5 to 7.5 t, diesel" in page.said
    assert "hubs not known" in page.said
    assert "6 of the 6 sites that pieces pass have no figure" in page.said
    by_mode, by_level = list(page.tables.values())[:2]
    assert [row[1] for row in by_mode[1:]] == ["0.180", "未知not known"]
    assert by_mode[2][0] == "场地作业，其中 6 个没有数据hubs, 6 without a figure"
    assert [row[0].split("（")[0] for row in by_level[1:]] == [
        "转运中心 – 转运中心", "转运中心 – 县级站点", "转运中心", "县级站点",
    ]  # fmt: skip


def test_the_page_says_why_the_range_is_lopsided(tmp_path: Path) -> None:
    """The lorry's figure is the greatest of its source: nothing lies above, and half lies below."""
    network = read_network(TINY)
    run_study("carbon", network, folder=tmp_path / "OUT")
    said = Page((tmp_path / "OUT" / "report.html").read_text("utf-8")).said
    assert "above all because Rigid lorry 3.5 to 7.5 t, diesel lies near the upper end" in said
    table = read_factors().transport
    value = pl.col("ttw") + pl.col("wtt")
    even = dataclasses.replace(
        read_factors(), transport=table.with_columns(low=value * 0.9, high=value * 1.1)
    )
    run_study("carbon", network, folder=tmp_path / "EVEN", factors=even)
    assert "above all because" not in Page((tmp_path / "EVEN" / "report.html").read_text("utf-8")).said


def test_what_is_not_delivered_is_in_the_headline(tmp_path: Path) -> None:
    network = read_network(TINY)
    made = plan(network, close_sites(network, ["H1"]))
    run_study("carbon", network, plan=made, folder=tmp_path / "OUT")
    said = Page((tmp_path / "OUT" / "report.html").read_text("utf-8")).said
    assert "Not delivered: 240 pieces held, 0 without a way" in said
    assert "60 pieces delivered" in said
    run_study("carbon", network, folder=tmp_path / "ALL")
    assert "No piece is held" in Page((tmp_path / "ALL" / "report.html").read_text("utf-8")).said


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_fits_a_phone(tmp_path: Path) -> None:
    network = read_network(TINY)
    long = network.sites.with_columns(
        name=pl.lit("义乌市稠江街道国际邮件处理中心") + pl.col("site_id").cast(pl.String)
    )
    run_study("carbon", network.with_tables(sites=long), folder=tmp_path / "OUT")
    page = tmp_path / "OUT" / "report.html"
    outer = tmp_path / "outer.html"
    outer.write_text(FRAME.format(address=page.as_uri(), width=390), "utf-8")
    assert "wide 390 of 390" in opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files")
    scrolling = SCROLLING.format(address=page.as_uri())
    outer.write_text(scrolling, "utf-8")
    assert "0 tables wider" in opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files")


def test_words_of_kinds_are_those_of_the_pages() -> None:
    assert {kind: text(f"kind.{kind}") for kind in KINDS} == KINDS


def test_parts_on_the_page_add_up_to_the_total(tmp_path: Path) -> None:
    """Hubs of both kinds stand by themselves: no row is the sum of others."""
    made = run_study("carbon", chain(), folder=tmp_path / "OUT", factors=folder(tmp_path)).result
    tables = list(Page((tmp_path / "OUT" / "report.html").read_text("utf-8")).tables.values())
    assert made.summary()["kgco2e"] == pytest.approx(55.703)
    for table in tables[:4]:  # by mode, by level, by empty running, parts
        assert sum(float(row[1]) for row in table[1:]) == pytest.approx(0.0557, abs=3e-4)
