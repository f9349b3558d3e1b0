"""The report page and the order sheets: complete, safe, self-contained, and true to the plan's frames."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from changtong.errors import UsageError
from changtong.report import write_orders, write_plan_report
from changtong.report.map_data import PageLimits
from changtong.report.orders_page import render_orders
from changtong.report.plan_report import render_plan_report
from changtong.report.plan_view import plan_number, read_situation
from changtong.report.texts import LANGUAGES, money, percent, read_texts, rough, text, whole
from tests.browser import CHROMIUM, FRAME, opened
from tests.fake_plans import CHINA_TIME, FakePlan, frame, national_plan, small_plan, without_outage
from tests.pages import Page

MADE_AT = datetime(2026, 7, 20, 3, 1, tzinfo=CHINA_TIME)
SVG_NAME_SPACE = "http://www.w3.org/2000/svg"
REPORT = resources.files("changtong.report")
FILES = (
    "plan.html.j2", "orders.html.j2", "stress.html.j2", "page.js", "details.js", "map.js", "stress.js",
    "style.css", "orders.css", "stress.css", "simulation.html.j2", "geography.js", "playback.js",
    "remedies.html.j2", "forecast.html.j2", "forecast.css", "forecast.js",
    "daily.html.j2", "daily.css", "county.html.j2", "county.css", "county.js", "route_sheets.html.j2",
    "route_sheets.css", "inspection.html.j2", "inspection.css", "inspection.js", "inspection_sync.js",
    "assessment.html.j2", "versions.html.j2", "outlets.html.j2", "outlets.css", "case.html.j2", "case.css",
    "warnings.html.j2", "warnings.css", "epidemic.html.j2", "epidemic.css", "workforce.html.j2",
    "figures.html.j2", "base.html.j2", "cells.html.j2",
)  # fmt: skip


@cache
def small_page() -> Page:
    return Page(render_plan_report(small_plan(), made_at=MADE_AT))


@cache
def national() -> tuple[FakePlan, str]:
    plan = national_plan()
    return plan, render_plan_report(plan, made_at=MADE_AT)


# --- wording -----------------------------------------------------------------------------


def test_every_text_is_in_both_languages_with_the_same_places() -> None:
    for key, said in read_texts().items():
        if key in ("unit.share", "unit.legs"):
            continue
        assert said.zh.strip(), key
        assert said.en.strip(), key
        places = [sorted(re.findall(r"\{(\w+)\}", wording)) for wording in (said.zh, said.en)]
        assert places[0] == places[1], key


def test_every_text_asked_for_exists_and_none_is_left_over() -> None:
    sources = "\n".join(REPORT.joinpath(name).read_text(encoding="utf-8") for name in FILES)
    letters = REPORT.parent / "data_requests"  # its answer is a document as well
    sources += "\n".join(
        path.read_text(encoding="utf-8")
        for place in (REPORT, letters)
        for path in Path(str(place)).glob("*.py")
    )
    known = read_texts()
    asked = set(
        re.findall(r"""(?:\bt|\btext|\bsay|\baria|\bth)\(\s*["']([a-z_]+\.[a-z_A-Z-]+)["']""", sources)
    )
    asked |= set(re.findall(r'data-(?:text|placeholder)="([a-z_]+\.[a-z_]+)"', sources))
    assert not asked - set(known)
    by_code = re.compile(
        r"(status|termination|objective|unit|reason|action|note|basis|kind|state)\.|js\.(l|d|filter|unserved)_"
        r"|sheet\..*_head|loads\.(top_|.*_chart)|bottlenecks\.(site|leg)$|assumptions\.(official|derived|assumed)$"
        r"|run\.(n|w|is|c|r|s|fault)_|play\.(sites_(grown|burst)|under_way|most)$"
        r"|stress_(status|level)\.|provenance\.|remedies\.(kind|price|forecast)_"
        r"|daily_(name|state|note|class)\.|county_(event|reason|why)\.|tier\.|county\.(line_|.*_long$|detour_factor$)"
        r"|coverage_(asks|band|blocked|words)\.|coverage\.(by|times_by)_|forecast_(event|name|note)\.|forecast\.(kind_|(more|less|alike|sites?|legs?)$)"
        r"|inspection\.(provenance_|field_)|(inspection|assess)_unit\."
        r"|case_(state|action|task)\.|request_answer\.(grant|partly|refuse)$"
        r"|assess_(line|why|why_not|counted|criterion|note|kind|state|stage|level)\."
        r"|warn_(level|state|from|exposed|provenance|problem)\.|workforce_(severity|kind|law|provenance|first)\.|epidemic_word\."
        r"|ticket_(state|whose)\.|ticket\.limit_|relief\.(qualifies$|could$|not$|not_in_force$|status_)"
        r"|duty\.(points|nights|weekends|holidays|expected|on_time|absent)$"
    )
    assert not [key for key in known if key not in sources and not by_code.match(key)]


def test_numbers_are_said_as_people_say_them() -> None:
    assert (rough(23_456_789).zh, rough(23_456_789).en) == ("2,345.7 万", "23.46 million")
    assert (rough(303_000_000).zh, rough(850).zh, rough(850).en) == ("3.03 亿", "850 ", "850")
    assert (money(600).zh, money(600).en) == ("600 元", "CNY 600")
    assert [whole(value) for value in (None, float("nan"), 0.2, 1234.5, -0.01, 0.0)] == [
        "–", "–", "0.2", "1,234", "0", "0",
    ]  # fmt: skip
    assert [percent(share) for share in (0.0008, 1.0, 0.985, 1e-9, None)] == [
        "0.08 %",
        "100 %",
        "98.5 %",
        "0 %",
        "–",
    ]
    assert text("headline.legs_change", count="7").en == "7 legs change."


# --- what the page says ------------------------------------------------------------------


def test_the_head_says_what_is_shut_and_what_becomes_of_the_pieces() -> None:
    situation = read_situation(small_plan())
    assert situation.closed_sites == ["H"]
    assert (situation.stranded_pieces, situation.lost_pieces, situation.rerouted_pieces) == (850, 50, 800)
    assert situation.exact
    said = small_page().said
    for sentence in (
        "郑州转运中心停运。",
        "郑州转运中心 is shut.",
        "受影响 850 件/天：800 件改道可达，50 件暂时无法寄递。",
        "Of 850 pieces a day hit, 800 still get through by another way and 50 cannot be served.",
        "120 more a day arrive late. It costs CNY 600 a day more (33.3 %). 7 legs change.",
        "Proved to be within 0.08 % of the best possible.",
        "2026-07-20 03:00 (UTC+08:00)",
        "暴雨 storm",
    ):
        assert sentence in said


def test_several_closures_are_counted_as_an_upper_limit() -> None:
    plan = small_plan()
    share = np.array([1.0, 1.0, 0.0, 0.0, 0.5])
    loads = plan.site_loads.with_columns(
        capacity_pieces=pl.Series([None, None, 0.0, 0.0, 600.0], dtype=pl.Float64),
        baseline_pieces=pl.Series([800.0, 500.0, 850.0, 350.0, 700.0]),
    )
    hit = replace(plan, effect=replace(plan.effect, site_share=share), site_loads=loads)
    situation = read_situation(hit)
    assert situation.stranded_pieces == 850 + 350 + 100
    assert not situation.exact
    said = Page(render_plan_report(hit, made_at=MADE_AT)).said
    assert "郑州转运中心 and 开封 are shut." in said
    assert "株洲转运中心 runs at 50.0 % of its capacity." in said
    assert "at most 1,300 pieces a day hit" in said


def test_a_lower_cost_is_no_gain_where_less_is_moved() -> None:
    plan = small_plan()
    cheaper = plan.objectives.with_columns(
        value=pl.when(pl.col("objective") == "cost").then(900.0).otherwise(pl.col("value"))
    )
    page = Page(render_plan_report(replace(plan, objectives=cheaper), made_at=MADE_AT))
    assert "It costs CNY 900 a day less (50.0 %), as less is moved." in page.said
    assert not [tag for tag, named in page.elements if "better" in (named.get("class") or "").split()]
    served = cheaper.with_columns(
        value=pl.when(pl.col("objective") == "unserved").then(0.0).otherwise(pl.col("value"))
    )
    page = Page(render_plan_report(replace(plan, objectives=served), made_at=MADE_AT))
    assert "It costs CNY 900 a day less (50.0 %)." in page.said
    assert [tag for tag, named in page.elements if "better" in (named.get("class") or "").split()]


def test_closed_legs_strand_what_they_carry_today() -> None:
    plan = small_plan()
    leg_share = np.ones(7)
    leg_share[0] = 0.0
    cut = replace(plan, effect=replace(plan.effect, site_share=np.ones(5), leg_share=leg_share))
    situation = read_situation(cut)
    assert (situation.n_closed_legs, situation.stranded_pieces) == (1, 800)
    assert "Legs closed: 1." in Page(render_plan_report(cut, made_at=MADE_AT)).said


def test_tables_hold_the_numbers_of_the_frames() -> None:
    plan, page = small_plan(), small_page()
    rows = page.values["numbers"][1:]
    for row, measure in zip(rows, plan.objectives.iter_rows(named=True), strict=True):
        expected = [measure["baseline_value"], measure["value"], measure["value"] - measure["baseline_value"]]
        if measure["lower_bound"] is not None:
            expected.append(measure["lower_bound"])
        assert row == pytest.approx(expected)
    for row, entry in zip(page.values["classes"][1:], plan.classes.iter_rows(named=True), strict=True):
        assert row == pytest.approx(
            [
                entry["demand_pieces"],
                entry["unserved_pieces"],
                entry["late_pieces"],
                entry["mean_h"],
                entry["served_pieces"] / entry["demand_pieces"],
            ]
        )
    assert page.values["top-legs"][1] == [0.0, 800.0, 800.0, 0.0, 1.0]
    assert page.values["unserved-reasons"][1] == [50.0, 1.0]
    assert page.values["bottleneck-table"][1:] == [
        [500.0, 500.0, 0.0, 1.25, 125.0],
        [800.0, 1200.0, 0.0, 0.5],
    ]
    assert page.values["stand-ins"][1:] == [[40.0]]
    assert page.values["relays"][1:] == [[33.5, 12.0]]
    by_action = {
        row[0]: values
        for row, values in zip(page.tables["order-actions"], page.values["order-actions"], strict=True)
    }
    assert by_action["改发Send"] == [2.0, 1.0, 800.0, 0.0]
    assert by_action["加开班次Extra trips"] == [1.0, 1.0, 800.0, 8.0]


def test_embedded_columns_are_the_frames() -> None:
    plan, data = small_plan(), small_page().embedded()
    legs = data["legs"]
    drawn = {
        (data["sites"]["id"][a], data["sites"]["id"][b]): (before, after)
        for a, b, before, after in zip(legs["from"], legs["to"], legs["before"], legs["after"], strict=True)
    }
    wanted = plan.leg_flows.select(
        pl.col("from_site", "to_site").cast(pl.String), "baseline_pieces", "planned_pieces"
    )
    assert drawn == {(a, b): (before, after) for a, b, before, after in wanted.iter_rows()}
    assert data["sites"]["share"] == {"2": 0.0}
    assert data["changes"]["pieces"] == [500, 500, 300, 300]
    assert data["changes"]["was"].count(-1) == 2
    assert sum(data["orders"]["n"]) == 3
    assert data["unserved"] == {"from": {"3": 50}, "to": {"2": 50}}


def test_assumed_numbers_are_flagged_first() -> None:
    table = next(
        rows for rows in small_page().tables.values() if [r[0] for r in rows[1:2]] == ["legs.vehicle_pieces"]
    )
    assert "假定assumed" in table[1][1]
    plan = small_plan()
    unknown = plan.network.with_tables(legs=plan.network.legs.drop("vehicle_pieces"))
    page = Page(render_plan_report(replace(plan, network=unknown), made_at=MADE_AT))
    assert page.values["bottleneck-table"][1] == [500.0, 500.0, 0.0, 1.25, 1.25 * 4000]
    assert "假定assumed" in page.tables["bottleneck-table"][1][-1]


def test_full_legs_without_a_price_show_by_what_they_hold() -> None:
    plan = small_plan()
    held = plan.unserved.with_columns(
        reason=pl.lit("full-leg"), blocked_by=pl.lit("A>Z"), pieces=pl.lit(70.0)
    )
    free = [frame.with_columns(shadow_price_cny=pl.lit(0.0)) for frame in (plan.leg_flows, plan.site_loads)]
    page = Page(
        render_plan_report(
            replace(plan, leg_flows=free[0], site_loads=free[1], unserved=held), made_at=MADE_AT
        )
    )
    planned, capacity = (
        free[0]
        .filter(pl.col("from_site") == "A", pl.col("to_site") == "Z")
        .select("planned_pieces", "capacity_pieces")
        .row(0)
    )
    assert page.values["bottleneck-table"][1:] == [[planned, capacity, 70.0, 0.0, 0.0]]


def test_a_normal_day_and_missing_numbers_read_well() -> None:
    said = Page(render_plan_report(without_outage(), made_at=MADE_AT)).said
    for sentence in (
        "Nothing is shut or slowed",
        "No pieces are hit.",
        "Everything is served.",
        "There are no orders.",
    ):
        assert sentence in said
    plan = small_plan()
    blank = pl.lit(None, dtype=pl.Float64)
    unknown = replace(
        plan,
        gap_share=None,
        lower_bound_cny=None,
        objective_cny=None,
        objectives=plan.objectives.with_columns(baseline_value=blank, lower_bound=blank),
        leg_flows=plan.leg_flows.with_columns(baseline_pieces=blank),
        site_loads=plan.site_loads.with_columns(baseline_pieces=blank),
        network=plan.network.with_tables(sites=plan.network.sites.select("site_id")),
    )
    page = Page(render_plan_report(unknown, made_at=MADE_AT))
    assert "There is no proof" in page.said
    assert page.embedded()["kind"] == "schematic"
    assert page.embedded()["legs"]["after"].count(0) == 0  # legs without any pieces are not drawn


def test_the_same_plan_gives_the_same_page_and_number() -> None:
    again = render_plan_report(small_plan(), made_at=MADE_AT)
    assert again == render_plan_report(small_plan(), made_at=MADE_AT)
    plan = small_plan()
    assert plan_number(plan) == plan_number(small_plan())
    assert plan_number(replace(plan, orders=plan.orders.head(2))) != plan_number(plan)


# --- self-contained and safe -------------------------------------------------------------


@pytest.mark.parametrize("make", [small_plan, without_outage])
def test_nothing_is_asked_from_outside(make: object) -> None:
    plan = make()  # type: ignore[operator]
    for html in (render_plan_report(plan, made_at=MADE_AT), render_orders(plan)):
        assert set(re.findall(r"https?://[^\s\"'`)]+", html)) <= {SVG_NAME_SPACE}
        assert "@import" not in html
        assert not re.search(r"url\(|\bfetch\(|XMLHttpRequest|WebSocket|importScripts|import\(", html)
        for tag, attributes in Page(html).elements:
            assert tag not in ("link", "img", "iframe", "object", "embed", "form", "base")
            assert "src" not in attributes
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
            href = attributes.get("href")
            assert href is None or href.startswith("#")


def test_policy_allows_exactly_the_inline_scripts_and_styles() -> None:
    for html in (render_plan_report(small_plan(), made_at=MADE_AT), render_orders(small_plan())):
        page = Page(html)
        policy = next(
            a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy is not None
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        kinds = [a.get("type") for t, a in page.elements if t == "script"]
        scripts = zip(page.inline["script"], kinds, strict=True)
        run = [part for part, kind in scripts if kind != "application/json"]
        digests = re.findall(r"'sha256-([^']+)'", policy)
        wanted = [
            base64.b64encode(hashlib.sha256(p.encode()).digest()).decode() for p in run + page.inline["style"]
        ]
        assert sorted(digests) == sorted(wanted)


NASTY = {
    "A": "<script>alert(1)</script>",
    "B": '"><img src=x onerror=alert(2)>',
    "H": "</script><script>alert(3)</script><!--",
    "K": '=HYPERLINK("http://evil")',
    "Z": "{{ 7*7 }} & <b>'bold'</b> \u2028",
}


def test_foreign_names_stay_text() -> None:
    plan = replace(small_plan(names=NASTY), name="<i>plan</i>", outages=())
    page = Page(render_plan_report(plan, made_at=MADE_AT))
    assert [tag for tag, _ in page.elements if tag == "script"] == ["script"] * 4
    assert "img" not in [tag for tag, _ in page.elements]
    assert all("alert(" not in script for script in page.inline["script"][1:])
    assert page.embedded()["sites"]["name"] == [NASTY[i] for i in "ABHKZ"]
    assert NASTY["H"] in page.said
    sheets = Page(render_orders(plan))
    assert not [tag for tag, _ in sheets.elements if tag in ("script", "img")]
    assert NASTY["A"] in sheets.said
    assert "{{ 7*7 }}" in sheets.said


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="language"):
        write_plan_report(small_plan(), tmp_path / "a.html", language="de")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="time zone"):
        write_plan_report(small_plan(), tmp_path / "a.html", made_at=datetime(2026, 1, 1))
    with pytest.raises(UsageError, match="time zone"):
        write_orders(small_plan(), tmp_path, valid_from=datetime(2026, 1, 1))
    assert not list(tmp_path.iterdir())


def test_files_beside_the_page_are_linked(tmp_path: Path) -> None:
    path = write_plan_report(
        small_plan(), tmp_path / "new" / "report.html", files=["orders.html"], language="en"
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert [a["href"] for t, a in page.elements if t == "a" and a.get("class") == "file"] == ["orders.html"]
    assert page.elements[0][1]["data-language"] == "en"


# --- the size of a country ---------------------------------------------------------------


def test_a_national_page_is_small_and_says_what_it_leaves_out() -> None:
    plan, html = national()
    assert len(html.encode()) < 6_000_000
    page = Page(html)
    data = page.embedded()
    assert len(data["sites"]["id"]) == 3300
    shown, total = (
        len(data["legs"]["from"]),
        plan.leg_flows.filter((pl.col("baseline_pieces") > 0) | (pl.col("planned_pieces") > 0)).height,
    )
    assert shown == PageLimits().legs < total
    assert f"{shown:,} of {total:,} legs drawn" in page.said
    changed = plan.leg_flows.filter(pl.col("change") != "same").height
    assert sum(code != 0 for code in data["legs"]["change"]) == changed  # every changed leg is drawn
    assert (len(data["changes"]["site"]), data["changes"]["total"]) == (20_000, 300_000)


def test_limits_keep_the_sites_that_matter() -> None:
    plan, _ = national()
    limits = PageLimits(sites=200, legs=500, sort_changes=10, orders=10)
    data = Page(render_plan_report(plan, made_at=MADE_AT, limits=limits)).embedded()
    assert len(data["sites"]["id"]) == 200
    assert plan.network.site_ids[0] in data["sites"]["id"]  # the closed hub
    assert len(data["legs"]["from"]) == 500
    assert max(data["legs"]["from"] + data["legs"]["to"]) < 200
    assert max(data["changes"]["site"]) < 200


# --- orders ------------------------------------------------------------------------------


def read_csv(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))


def test_orders_csv_adds_up(tmp_path: Path) -> None:
    plan = small_plan()
    table, _ = write_orders(plan, tmp_path / "orders")
    rows = read_csv(table)
    assert len(rows) == len(plan.orders)
    assert sum(float(row["pieces"]) for row in rows) == plan.orders["pieces"].sum()
    assert [row["site"] for row in rows] == plan.orders["site"].cast(pl.String).to_list()
    assert rows[0]["destination_name"] == "宝鸡"
    assert rows[0]["next_site_name"] == "株洲转运中心"
    assert rows[0]["valid_from"] == "2026-07-20T03:00+08:00"
    assert rows[0]["plan_id"] == plan_number(plan)
    assert (rows[0]["action"], rows[0]["action_zh"]) == ("send", "改发")
    assert (rows[2]["trips"], rows[2]["destination"], rows[2]["from_h"]) == ("8.0", "", "2.0")
    assert rows[4]["note_en"] == "the destination is closed"


def test_excel_runs_no_formula_from_a_name(tmp_path: Path) -> None:
    table, _ = write_orders(small_plan(names=NASTY), tmp_path)
    for row in read_csv(table):
        assert not [
            v for k, v in row.items() if v[:1] in ("=", "+", "-", "@", "\t") and k not in ("pieces", "trips")
        ]
    assert read_csv(table)[1]["destination_name"] == "'" + NASTY["K"]


def test_one_sheet_per_site_with_everything_it_must_do() -> None:
    page = Page(render_orders(small_plan(), start=datetime(2026, 7, 20, 3, tzinfo=CHINA_TIME)))
    sheets = [a["id"] for t, a in page.elements if t == "article"]
    assert sheets == ["site-1", "site-4"]
    rows = [row for table in page.tables.values() for row in table]
    why = "原下一站停运the usual next site is closed"
    pieces, trips, since = "件/天Pieces/day", "班次Trips", "自From"  # shown beside the number on a telephone
    assert ["株洲转运中心", "2: 宝鸡、开封", f"{pieces} 800", "–", f"{since} 07-20 03:00", why] in rows
    assert [
        "株洲转运中心",
        "–",
        f"{pieces} 800",
        f"{trips} +8",
        f"{since} 07-20 05:00",
        "",
    ] in rows  # two hours after the start
    assert [
        "–",
        "郑州转运中心",
        f"{pieces} 50",
        f"{since} 07-20 03:00",
        "目的地停运the destination is closed",
    ] in rows
    assert "签字" in page.said
    assert not page.inline["script"]


def test_sites_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    plan = small_plan(names={"B": "鼓楼区", "K": "鼓楼区"})
    assert "2: 鼓楼区 (B)、鼓楼区 (K)" in [
        cell for row in Page(render_orders(plan)).tables["table-0"] for cell in row
    ]
    rows = read_csv(write_orders(plan, tmp_path)[0])
    assert (rows[0]["destination_name"], rows[1]["destination_name"]) == ("鼓楼区 (B)", "鼓楼区 (K)")
    names = Page(render_plan_report(plan, made_at=MADE_AT)).embedded()["sites"]["name"]
    assert len(set(names)) == len(names)


def test_sheets_without_a_start_leave_a_line_to_fill_in() -> None:
    said = Page(render_orders(replace(small_plan(), outages=()))).said
    assert "（手填）" in said
    assert "立即" in said
    assert "2 h after the start" in said
    assert "There are no orders" in Page(render_orders(without_outage())).said


def test_an_unknown_action_is_shown_as_it_is() -> None:
    plan = small_plan()
    orders = frame(
        plan.network,
        {
            "site": ["A"],
            "action": ["divert"],
            "destination": ["B"],
            "next_site": ["Z"],
            "pieces": [1.0],
            "trips": [None],
            "note_code": ["new-code"],
            "from_h": [None],
        },
    )
    said = Page(render_orders(replace(plan, orders=orders))).said
    assert "divert" in said
    assert "new-code" in said


# --- in a browser ------------------------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scripts_run_under_the_policy(tmp_path: Path, language: str) -> None:
    path = write_plan_report(small_plan(names=NASTY), tmp_path / "report.html", made_at=MADE_AT)
    page = Page(opened(f"{path.as_uri()}#language={language}", tmp_path))
    assert page.elements[0][1]["data-language"] == language
    assert page.elements[0][1]["lang"] == {"zh": "zh-CN", "en": "en"}[language]
    assert len(page.tables["changes-table"]) == 1 + 4
    assert page.tables["changes-table"][1][0] == NASTY["A"]
    legend = {"zh": "停运站点", "en": "closed site"}[language]
    assert legend in page.said
    canvas = next(a for t, a in page.elements if t == "canvas")
    assert int(str(canvas["width"])) > 300
    assert not [t for t, _ in page.elements if t == "img"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_a_telephone_and_a_desk(tmp_path: Path, width: int) -> None:
    plan = small_plan(
        names={"A": "黔西南布依族苗族自治州分拣中心", "Z": "Averyveryverylongnameofatransfercentre"}
    )
    report = write_plan_report(plan, tmp_path / "report.html", made_at=MADE_AT, language="en")
    _, orders = write_orders(plan, tmp_path)
    for page in (report, orders):
        outer = tmp_path / f"outer-{page.name}"
        outer.write_text(FRAME.format(address=page.as_uri(), width=width), "utf-8")
        said = opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files", "--window-size=1400,1000")
        found = re.search(r"wide (\d+) of (\d+)", said)
        assert found is not None, page.name
        assert int(found[1]) <= int(found[2]), (page.name, found[0])
        assert int(found[2]) == width, (page.name, found[0])
