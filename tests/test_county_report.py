"""The page of a county's delivery: true to the result, safe, self-contained, for telephone and desk."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections import Counter
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from changtong.errors import UsageError
from changtong.report import county_map, write_county_report
from changtong.report.county_coverage import coverage_section
from changtong.report.county_report import county_report_page
from changtong.report.county_view import answers, best_answer, figure_rows, say_why, split_rows
from changtong.report.texts import LANGUAGES, Both, named, percent, same, text, whole
from changtong.rural.county_plan import CountyResult, alone_total
from changtong.rural.coverage import coverage
from changtong.rural.coverage_definition import read_definition
from changtong.rural.coverage_steps import next_steps
from changtong.rural.impossible import REASONS
from tests.browser import CHROMIUM, FRAME, opened
from tests.county_results import Book, small_result
from tests.pages import Page

NASTY = {
    "V1": "</script><script>alert(1)</script>",
    "T1": '"><img src=x onerror=alert(2)>',
    "V8": "{{ 7*7 }}",
}
RESULT = small_result()


@cache
def html(language: str = "zh") -> str:
    return county_report_page(RESULT, language=language)  # type: ignore[arg-type]


@cache
def page() -> Page:
    return Page(html())


def test_the_answers_are_summed_by_hand() -> None:
    alone, shared, buses = answers(RESULT)
    first, second = RESULT.alone.values()
    assert alone.cost_cny == first.cost_cny + second.cost_cny
    assert (alone.vehicles, shared.vehicles, buses.vehicles) == (8, 4, 4)
    assert (alone.villages, shared.villages, buses.villages) == (7, 7, 7)  # a village of both counts once
    assert (alone.stations, shared.stations) == (first.stations.height + second.stations.height, 2)
    assert alone.stations == alone_total(RESULT.alone)["stations"]  # as on the command line
    assert {one.unserved_pieces for one in (alone, shared, buses)} == {49.0}
    assert shared.grams_per_piece == pytest.approx(1000 * RESULT.shared.kgco2e / RESULT.shared.pieces)  # type: ignore[operator]
    assert best_answer(RESULT).key == "with_buses"


def test_a_station_that_is_served_itself_is_no_village() -> None:
    own = RESULT.shared.villages.head(1).with_columns(pl.lit("T1").alias("site_id"))
    villages = pl.concat([RESULT.shared.villages, own])
    other = dataclasses.replace(RESULT, shared=dataclasses.replace(RESULT.shared, villages=villages))
    assert answers(other)[1].villages == 7


def test_the_table_says_the_figures_and_the_changes() -> None:
    rows = {row[0]: row[1:] for row in page().tables["figures"]}
    alone, shared, buses = answers(RESULT)
    cost = rows[str(text("county.cost").zh) + str(text("county.cost").en)]
    assert cost[0] == whole(alone.cost_cny)
    assert cost[1] == f"{whole(shared.cost_cny)} −{100 * (1 - shared.cost_cny / alone.cost_cny):.1f} %"
    assert cost[2].startswith(whole(buses.cost_cny))
    head = page().tables["figures"][0]
    assert ["least cost" in cell for cell in head] == [False, False, False, True]


def test_each_firm_sees_what_it_gains() -> None:
    rows = page().tables["split"][1:]
    for row, (firm, alone, part, saving, *_) in zip(rows, RESULT.split.iter_rows(), strict=True):
        assert (row[0], row[2], row[3]) == (firm, whole(alone), whole(part))
        assert row[4] == f"{whole(saving)} {100 * saving / alone:.1f} %"


def test_the_split_is_drawn_to_one_scale() -> None:
    split = pl.DataFrame({"firm": ["a", "b"], "alone_cny": [100.0, 50.0], "shared_cny": [40.0, 60.0],
                          "saving_cny": [60.0, -10.0]})  # fmt: skip
    drawn = [
        re.findall(r'class="(part|own)"[^/]*? width="([\d.]+)"', str(row["svg"])) for row in split_rows(split)
    ]
    assert [{name: float(width) for name, width in one} for one in drawn] == [
        {"part": 39.6, "own": 99.0}, {"part": 59.4, "own": 49.5},
    ]  # fmt: skip
    assert split_rows(split)[1]["saves"] == "−10"
    assert split_rows(split.clear()) == []


def test_what_is_not_served_is_named_with_its_reason_and_its_answers() -> None:
    section = re.search(r'<section id="unserved">.*?</section>', html(), re.DOTALL)
    assert section is not None
    rows = next(iter(Page(section[0]).tables.values()))[1:]
    assert [row[0] for row in rows] == ["曼里坪村"] * 2
    assert "没有可用冷藏空间" in rows[0][1]
    assert "Beyond every vehicle's range" in rows[1][1]
    assert "128.4 km there and back" in rows[1][1]
    # Chinese readers are told in Chinese, whatever the plan's own words are
    chinese = re.sub(r'<span lang="en">.*?</span>', "", section[0], flags=re.DOTALL)
    assert "都超出所有车辆的续航里程" in chinese
    assert "there and back" not in chinese
    assert "共同配送＋客货邮" in rows[1][4]
    assert rows[1][3] == "49"


@pytest.mark.parametrize("code", [*REASONS, "vroom-unassigned"])
def test_every_code_has_its_sentence(code: str) -> None:
    assert named("county_reason", code) != same(code)
    why = say_why(code, None)
    assert re.fullmatch(r"[\u4e00-\u9fff，、：。]+", why.zh.removeprefix("VROOM "))
    assert why.en == REASONS.get(code, why.en)
    assert say_why(code, "its own words") == Both(why.zh, "its own words")


def test_the_words_of_an_unknown_code_are_shown_as_they_are() -> None:
    assert say_why("landslide", "塌方") == same("塌方")
    assert say_why("landslide", None) == same("")


def layers() -> list[str]:
    return re.split(r'<g class="layer', re.search(r'<svg id="county-map".*?</svg>', html(), re.DOTALL)[0])[1:]  # type: ignore[index]


def test_the_map_shows_each_village_by_colour_and_shape_of_what_serves_it() -> None:
    drawn = layers()
    assert len(drawn) == 4
    assert [layer.startswith('"') for layer in drawn] == [True, False, False, False]  # one is shown
    buses = Counter(re.findall(r'<path class="([\w -]+)" d="([^"]+)"><title>', drawn[0]))
    kinds = Counter(kind for kind, _ in buses.elements() if not kind.startswith("line"))
    assert kinds == {"village c0": 1, "village c1": 3, "village c2": 2, "bus-stop": 1, "lost": 1,
                     "station open": 2, "station shut": 1, "hub": 1}  # fmt: skip
    by_kind = {kind: path for kind, path in buses if kind.startswith("village")}
    assert len(set(by_kind.values())) == 3  # each colour has a shape of its own
    lines = Counter(kind for kind, _ in buses.elements() if kind.startswith("line"))
    assert lines == {
        "line trunk": 1,
        "line bus": 1,
        "line local c0": 1,
        "line local c1": 2,
        "line local c2": 2,
    }
    assert "天桥沟村 ← 车村镇, 每天 / every day" in drawn[0]
    assert "河北村 ← 嵩阳–旧县 城乡公交" in drawn[0]
    shared = re.findall(r'<path class="(bus-stop|village c2)"', drawn[1])
    assert shared == ["village c2"] * 3


def test_a_small_budget_of_marks_leaves_answers_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(county_map, "MOST_MARKS", 30)
    plans = [(text("county.shared"), RESULT.shared)] * 5
    made = county_map.draw_county(RESULT.county, plans)
    assert (len(made.layers), made.left_out) == (2, 3)


def test_the_timetables_are_those_of_the_best_answer() -> None:
    section = re.search(r'<section id="timetables">.*?</section>', html(), re.DOTALL)
    assert section is not None
    tables = list(Page(section[0]).tables.values())
    assert len(tables) == 3
    # two kinds of days at the first station: with the trip of Monday, Wednesday, Friday, and without
    daily = ["07:29", "07:56", "08:36", "10:06"]
    said = [row[0] for row in tables[1][1:]]
    assert said == [
        "周一、三、五Mon, Wed, Fri",
        *daily,
        "11:30",
        "12:38",
        "周二、四、六、日Tue, Thu, Sat, Sun",
        *daily,
    ]
    assert tables[2][2][2].startswith("嵩阳–旧县 城乡公交")
    assert tables[1][2][3].startswith("346")


def test_assumed_figures_and_settings_are_named() -> None:
    assert "stop_min" in page().said
    assert "made by hand" not in page().said  # derived, not assumed
    assert "绕行系数（假设）" in page().said


def test_an_unknown_emission_gives_no_figure() -> None:
    shared = dataclasses.replace(RESULT.shared, kgco2e=None)
    made = answers(dataclasses.replace(RESULT, shared=shared))
    rows = figure_rows(made)
    assert [cell["said"] for cell in rows[4]["cells"]][1] == "–"
    assert text("county.unknown_carbon").zh not in html()
    assert text("county.unknown_carbon").zh in county_report_page(dataclasses.replace(RESULT, shared=shared))


def heading_of(result: CountyResult) -> str:
    return re.search(r"<h1>(.*?)</h1>", county_report_page(result), re.DOTALL)[1]  # type: ignore[index]


def test_the_heading_tells_a_loss_and_nothing_to_gain() -> None:
    alone = answers(RESULT)[0].cost_cny
    dear = dataclasses.replace(
        RESULT, with_buses=None, shared=dataclasses.replace(RESULT.shared, cost_cny=alone + 90)
    )
    assert "多花 90 元" in heading_of(dear)
    alike = dataclasses.replace(
        RESULT, with_buses=None, shared=dataclasses.replace(RESULT.shared, cost_cny=alone)
    )
    assert "不省钱" in heading_of(alike)
    assert "并用客车带货每周省" in heading_of(RESULT)


def test_answers_that_leave_different_pieces_are_told() -> None:
    assert text("county.unequal").zh not in html()
    more = RESULT.shared.unserved.with_columns(pl.lit(500.0).alias("pieces_per_week"))
    other = dataclasses.replace(RESULT, shared=dataclasses.replace(RESULT.shared, unserved=more))
    assert text("county.unequal").zh in county_report_page(other)


def test_a_county_without_firms_buses_or_trips_has_a_page() -> None:
    empty = Book(RESULT.county, "shared").plan()
    bare = CountyResult(RESULT.county, {}, empty, None, RESULT.split.clear(), 0, 0.0)
    made = Page(county_report_page(bare))
    assert "split" not in made.tables
    assert len(made.tables["figures"][0]) == 2


def test_coverage_is_that_of_the_command_and_its_steps_are_drawn() -> None:
    plan = best_answer(RESULT).plans[0]
    asked = dataclasses.replace(read_definition(), min_visits_per_week=7, max_pickup_km=None)
    found, steps = coverage(RESULT.county, plan, asked), next_steps(RESULT.county, plan, asked)
    assert steps.steps.height  # or there is nothing to draw
    section = coverage_section(RESULT.county, plan, asked)
    assert percent(found.village_share) in section["heading"].zh
    assert len(section["steps"]) == min(steps.steps.height, 40)
    assert str(section["curve"]).count("H") >= steps.points.height - 1
    visits = section["groups"][0]["rows"]
    assert sum(int(row["villages"]) for row in visits) == found.villages.height
    made = county_report_page(RESULT, definition=asked)
    assert section["heading"].zh in made
    assert "coverage-curve" in made


def test_names_are_text_and_nothing_may_run_or_load() -> None:
    raw = county_report_page(small_result(NASTY))
    made = Page(raw)
    assert sum(tag == "script" for tag, _ in made.elements) == 3
    assert not {"img", "link", "iframe", "object"} & {tag for tag, _ in made.elements}
    assert not [
        name for _, given in made.elements for name in given if name.startswith("on") or name == "style"
    ]
    assert not re.search(r'(?:src|href)="(?!#)', raw)
    assert "{{ 7*7 }}" in made.said
    policy = str(next(given["content"] for _, given in made.elements if given.get("http-equiv")))
    for kind, parts in (("script", made.inline["script"][1:]), ("style", made.inline["style"])):
        digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
        assert f"{kind}-src " + " ".join(f"'sha256-{digest}'" for digest in digests) in policy
    assert policy.startswith("default-src 'none'")


def test_both_languages_are_on_the_page_and_it_opens_in_the_one_asked_for(tmp_path: Path) -> None:
    for language in LANGUAGES:
        path = write_county_report(RESULT, tmp_path / language / "r.html", language=language)
        assert f'data-language="{language}"' in path.read_text("utf-8")
    with pytest.raises(UsageError):
        write_county_report(RESULT, tmp_path / "fr.html", language="fr")  # type: ignore[arg-type]
    assert not (tmp_path / "fr.html").exists()


ASK = """<body><iframe src="r.html#language=en" width="1200" height="900"></iframe><p id="said"></p><script>
addEventListener("load", () => setTimeout(() => {
  const page = document.querySelector("iframe").contentDocument;
  const shown = () => [...page.querySelectorAll(".layer:not(.off)")].map((g) => g.dataset.layer).join("+");
  const map = page.getElementById("county-map");
  const out = [shown(), page.getElementById("answer").options[0].textContent, page.documentElement.lang];
  page.getElementById("answer").value = "1";
  page.getElementById("answer").dispatchEvent(new Event("change"));
  out.push(shown());
  page.getElementById("zoom-in").click();
  out.push(map.getAttribute("viewBox").split(" ")[2], map.style.getPropertyValue("--k"));
  page.getElementById("home").click();
  out.push(map.getAttribute("viewBox").split(" ")[2]);
  document.getElementById("said").textContent = JSON.stringify(out);
}, 1000));
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_map_changes_answer_and_size(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text(html(), "utf-8")
    (tmp_path / "ask.html").write_text(ASK, "utf-8")
    said = Page(opened(f"file://{tmp_path}/ask.html", tmp_path, "--allow-file-access-from-files")).said
    assert '["0","Shared, with buses","en","1","625","0.625","1000"]' in said


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "language"), [(390, "en"), (390, "zh"), (1280, "en")])
def test_the_page_fits_a_telephone_and_a_desk(tmp_path: Path, width: int, language: str) -> None:
    (tmp_path / "r.html").write_text(html(language), "utf-8")
    (tmp_path / "frame.html").write_text(FRAME.format(address="r.html", width=width), "utf-8")
    said = Page(opened(f"file://{tmp_path}/frame.html", tmp_path, "--allow-file-access-from-files")).said
    assert f"wide {width} of {width}" in said
