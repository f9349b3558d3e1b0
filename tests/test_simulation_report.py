"""The page of a simulation: true to the frames, complete, safe, self-contained, and it plays."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from changtong.cli import main
from changtong.errors import UsageError
from changtong.network.io import write_network
from changtong.network.model import Network, build_network
from changtong.outages import Outage, close_sites
from changtong.planning.plan import plan
from changtong.report import simulation_charts, simulation_view
from changtong.report.simulation_data import (
    FULL,
    PlayLimits,
    pack_bits,
    pack_pieces,
    read_backlog,
    unpack_bits,
    unpack_pieces,
)
from changtong.report.simulation_report import render_simulation_report, write_simulation_report
from changtong.report.simulation_view import Clock
from changtong.report.texts import LANGUAGES
from changtong.routes import routes_in_force
from changtong.simulation.result import Simulation
from changtong.simulation.simulate import SimulationSettings, simulate
from changtong.simulation.timetable import RouteChange
from changtong.studies import run_study
from tests.browser import CHROMIUM, FRAME, opened
from tests.fake_plans import CHINA_TIME
from tests.pages import Page

START = datetime(2026, 7, 20, tzinfo=CHINA_TIME)
MADE_AT = datetime(2026, 7, 20, 3, 1, tzinfo=CHINA_TIME)
EVEN = (1.0,) * 24
NASTY = {
    "A": "<script>alert(1)</script>",
    "B": '"><img src=x onerror=alert(2)>',
    "G": "</script><script>alert(3)</script><!--",
    "H": "{{ 7*7 }} & <b>'bold'</b> \u2028.",
}


def two_hubs(*, names: dict[str, str] | None = None, placed: bool = True) -> Network:
    """A → B by H, 10 pieces an hour, or by G, at most 5; A can hold 100."""
    legs = [("A", "H"), ("H", "B"), ("A", "G"), ("G", "B")]
    sites = pl.DataFrame(
        {
            "site_id": list("AHGB"),
            "name": [(names or {}).get(site, site) for site in "AHGB"],
            "hold_pieces": [100.0, None, None, None],
        }
    )
    if placed:
        places = {"lon": [113.3, 113.0, 115.9, 118.8], "lat": [23.1, 28.2, 28.7, 32.1]}
        sites = sites.with_columns(**{name: pl.Series(values) for name, values in places.items()})
    return build_network(
        {
            "sites": sites,
            "legs": pl.DataFrame(
                {
                    "from_site": [a for a, _ in legs],
                    "to_site": [b for _, b in legs],
                    "travel_h": [1.0, 1.0, 2.0, 2.0],
                    "cost_cny_per_piece": [1.0, 1.0, 1.2, 1.2],
                    "capacity_pieces_per_day": [300.0, 300.0, 120.0, 120.0],
                    "flow_pieces_per_day": [240.0, 240.0, 0.0, 0.0],
                }
            ),
            "demand": pl.DataFrame({"from_site": ["A"], "to_site": ["B"], "pieces_per_day": [240.0]}),
            "service_classes": pl.DataFrame(
                {"service_class": ["post"], "rank": [1], "promise_h": [20.0], "share": [1.0]}
            ),
        },
        name="two hubs",
    )


def play(network: Network, *, planned: bool = True, begins: datetime | None = START) -> Simulation:
    """H is shut for a day; the plan takes effect after six hours."""
    outages = close_sites(network, ["H"])
    changes: tuple[RouteChange, ...] = ()
    if planned:
        back = RouteChange(24.0, routes_in_force(network))
        changes = (RouteChange(6.0, plan(network, outages).routes()), back)
    if begins is not None:
        end = begins + timedelta(hours=24)
        outages = tuple(replace(one, label="storm", start=begins, end=end) for one in outages)
    chosen = SimulationSettings(hours=96.0, warm_up_h=24.0, time_of_day=EVEN, start=begins)
    return simulate(network, outages, routes=changes, settings=chosen)


@cache
def run() -> Simulation:
    return play(two_hubs())


@cache
def quiet() -> Simulation:
    settings_ = SimulationSettings(hours=48.0, warm_up_h=48.0)
    return simulate(two_hubs(), settings=settings_)


@cache
def html() -> str:
    return render_simulation_report(run(), made_at=MADE_AT)


@cache
def page() -> Page:
    return Page(html())


# --- what the page says ------------------------------------------------------------------


def test_the_numbers_at_the_head_are_those_of_the_result() -> None:
    s, rows = run().summary(), page().values["run-numbers"][1:]
    peak_h = float(run().hours["hour"][run().hours["waiting_pieces"].arg_max()])
    burst_h = run().sites["burst_from_h"].min()
    wanted = [
        [s["accepted_pieces"]], [s["delivered_pieces"]], [s["late_pieces"]], [s["mean_h"]],
        [s["peak_waiting_pieces"], peak_h], [s["waiting_pieces"], 96.0], [s["held_pieces"], 96.0],
        [s["under_way_pieces"] + s["handled_pieces"], 96.0], [s["sites_grown"]],
        [s["cleared_h"], s["cleared_h"]], [s["sites_growing"], 96.0], [1.0, burst_h],
    ]  # fmt: skip
    assert [len(row) for row in rows] == [len(row) for row in wanted]
    for row, expected in zip(rows, wanted, strict=True):
        assert row == pytest.approx(expected)


def test_the_head_says_whether_it_holds_and_when_what_happens() -> None:
    said = page().said
    for sentence in (
        "The plan does not hold: 1 open site gets more than it can hold.",
        "方案守不住：1\u00a0个运行中的站点超出可暂存量。",
        "H is shut. Hours 0 to 24 (07-20 00:00 to 07-21 00:00).",
        "2026-07-20 00:00 (UTC+08:00)",
    ):
        assert sentence in said
    events = page().tables["events"][1:]
    peak_h, cleared = run().hours["waiting_pieces"].arg_max(), run().summary()["cleared_h"]
    hours = [row[0].split(" ")[0] for row in events]
    burst_h = f"{run().sites['burst_from_h'].min():g}"
    assert hours == sorted(["0", "6", "24", "24", f"{peak_h + 1}", burst_h, f"{cleared:g}"], key=float)
    by_what = {row[-1]: (row[0], row[1]) for row in events}
    assert by_what["新流向生效A new sort plan takes effect"] == ("6 07-20 06:00", "2")
    assert by_what["恢复平日流向Today’s sort plan is back"] == ("24 07-21 00:00", "3")
    assert by_what["开始：stormBegins: storm"] == ("0 07-20 00:00", "1")
    assert by_what["结束：stormEnds: storm"] == ("24 07-21 00:00", "3")
    assert by_what["首次超出可暂存量：AFirst site above what it can hold: A"][1] == ""


def test_what_is_assumed_is_labelled() -> None:
    assert "假定assumed" not in page().tables["run-numbers"][1][0]  # the hours of the day were given
    table = {row[0]: row[1] for row in page().tables["assumption-table"]}
    assert table["收寄时间Time of acceptance"] == "给定given"
    assert table["发车时间Times of departure"] == "假定assumed"
    standard = Page(render_simulation_report(quiet(), made_at=MADE_AT))
    assert "假定assumed" in standard.tables["run-numbers"][1][0]
    assert standard.tables["assumption-table"][1][:2] == ["收寄时间Time of acceptance", "假定assumed"]


def test_tables_hold_the_numbers_of_the_frames() -> None:
    stages = ["mean_h", "p80_h", "p95_h", "first_site_h", "on_the_way_h", "last_line_h", "delivery_h"]
    rows = page().values["class-table"][1:]
    for row, entry in zip(rows, run().classes.iter_rows(named=True), strict=True):
        pieces = [entry[f"{name}_pieces"] for name in ("accepted", "delivered", "due", "late")]
        share = 1.0 - entry["late_pieces"] / entry["due_pieces"]
        hours = [entry[name] for name in stages]
        assert row == pytest.approx([*pieces, share, entry["open_pieces"], *hours])
        assert sum(hours[3:]) == pytest.approx(hours[0])
    site = run().sites.row(by_predicate=pl.col("site_id").cast(pl.String) == "A", named=True)
    names = (
        "peak_pieces",
        "peak_above_pieces",
        "peak_h",
        "grows_h",
        "clears_h",
        "closed_hours",
        "hold_pieces",
        "burst_hours",
    )
    wanted = [site[name] for name in (*names, "end_pieces", "held_end_pieces")]
    assert page().values["site-table"][1] == pytest.approx(wanted)
    legs = {(row["from_site"], row["to_site"]): row for row in run().legs.iter_rows(named=True)}
    order = [tuple(row[0].split(" → ")) for row in page().tables["leg-table"][1:]]
    assert sorted(order) == sorted(legs)
    names = ("carried_pieces", "offered_pieces", "load_share", "left_end_pieces", "busiest_step_pieces")
    for pair, row in zip(order, page().values["leg-table"][1:], strict=True):
        assert row == pytest.approx([legs[pair][name] for name in names])
    shares = [legs[pair]["load_share"] for pair in order]
    assert shares == sorted(shares, reverse=True)


def test_a_usual_week_reads_well() -> None:
    calm = Page(render_simulation_report(quiet(), made_at=MADE_AT))
    for sentence in (
        "The network holds: no open site gets more than it can hold, and no backlog is still growing",
        "Nothing is shut or slowed.",
        "No backlog grows anywhere.",
    ):
        assert sentence in calm.said
    assert "site-table" not in calm.tables
    assert calm.embedded()["play"]["site"] == []
    never = Page(render_simulation_report(play(two_hubs(), planned=False, begins=None), made_at=MADE_AT))
    faults = "1 open site gets more than it can hold; 1 backlog is still growing at the end."
    assert faults in never.said
    assert "still growing" in "".join(never.tables["site-table"][1])
    assert "第 4 天 23:00" in never.embedded()["when"]["zh"]
    assert never.embedded()["when"]["en"][0] == "day 1 01:00"


# --- frames that the result has for the page ------------------------------------------------


def test_phases_say_what_holds_when() -> None:
    rows = run().phases.select("from_h", "to_h", "sites_closed", "routes_change", "routes_as_today").rows()
    assert rows == [
        (0.0, 6.0, 1, False, True),
        (6.0, 24.0, 1, True, False),
        (24.0, 96.0, 0, True, True),
    ]
    assert run().limited.with_columns(pl.col("site_id").cast(pl.String)).rows() == [
        (0.0, 6.0, "H", 0.0),
        (6.0, 24.0, "H", 0.0),
    ]


def test_the_usual_is_what_waits_when_nothing_is_wrong() -> None:
    calm = read_backlog(quiet())
    assert calm.waiting.max() > 1.0
    assert calm.usual == pytest.approx(calm.waiting, abs=0.6)  # rows below half a piece are left out
    assert not calm.grown.any()


# --- what the scripts play ----------------------------------------------------------------------


@given(
    arrays.arrays(
        np.float64, st.tuples(st.integers(0, 4), st.integers(1, 30)), elements=st.floats(0.0, 2e9, width=32)
    )
)
@settings(max_examples=examples(150), deadline=None, derandomize=True)
def test_packing_keeps_small_and_large_numbers(values: np.ndarray) -> None:
    back = unpack_pieces(pack_pieces(values), values.shape)
    top = values.max(initial=0.0)
    bound = np.sqrt(values * top) / FULL + top / FULL**2 + 1e-3
    assert (np.abs(back - values) <= bound).all()
    odd = np.floor(values) % 2 == 1
    assert np.array_equal(unpack_bits(pack_bits(odd), odd.shape), odd)


def test_the_frames_embedded_are_those_of_the_result() -> None:
    data = page().embedded()
    playing, hours = data["play"], data["hours"]
    assert hours == run().hours["hour"].to_list()
    ids = [data["sites"]["id"][row] for row in playing["site"]]
    grown = run().sites.filter(pl.col("grows_h").is_not_null())
    assert sorted(ids) == sorted(grown["site_id"].cast(pl.String))
    shape = (len(ids), len(hours))
    waiting, above = (unpack_pieces(playing[name], shape) for name in ("waiting", "above"))
    more, over = (unpack_bits(playing[name], shape) for name in ("grown", "burst"))
    held = unpack_pieces(playing["held"], (len(playing["holding"]), len(hours)))
    assert [ids[row] for row in playing["holding"]] == ["A"]
    for row, site_id in enumerate(ids):
        here = run().backlog.filter(pl.col("site_id").cast(pl.String) == site_id)
        per_hour = here.group_by("hour").agg(pl.col("waiting_pieces", "held_pieces").sum())
        pieces = {hour: (waits, holds) for hour, waits, holds in per_hour.iter_rows()}
        wanted = np.array([pieces.get(hour, (0.0, 0.0)) for hour in hours])
        assert waiting[row] == pytest.approx(wanted[:, 0] - wanted[:, 1], abs=0.02)
        site = run().sites.row(by_predicate=pl.col("site_id").cast(pl.String) == site_id, named=True)
        assert above[row].max() == pytest.approx(site["peak_above_pieces"], abs=0.6)
        at = np.flatnonzero(more[row])
        assert (hours[at[0]], hours[at[-1] + 1]) == (site["grows_h"], site["clears_h"])
        assert over[row].sum() == site["burst_hours"]
        if site_id == "A":
            assert held[0] == pytest.approx(wanted[:, 1], abs=0.02)
            assert held.max() > 50.0
    totals = data["totals"]
    lines = run().hours["waiting_pieces"] - run().hours["held_pieces"]
    assert totals["waiting"] == np.rint(lines.to_numpy()).tolist()
    assert totals["grown"] == more.sum(axis=0).tolist()
    assert totals["burst"] == over.sum(axis=0).tolist()
    assert [(phase["from"], phase["shut"]) for phase in data["phases"]] == [
        (0.0, [1]),
        (6.0, [1]),
        (24.0, []),
    ]


def test_long_runs_are_thinned_and_say_so() -> None:
    limits = PlayLimits(frames=10, sites=0)
    short = Page(render_simulation_report(run(), made_at=MADE_AT, limits=limits))
    data = short.embedded()
    assert data["hours"] == [float(hour) for hour in [*range(10, 91, 10), 96]]
    assert data["frameH"] == 10.0
    assert data["play"]["site"] == []
    assert "Every 10th step is a frame." in short.said
    assert "This page plays the 0 of them that grow most." in short.said
    slider = next(a for t, a in short.elements if a.get("type") == "range")
    assert slider["max"] == "9"


def test_without_coordinates_a_diagram_plays() -> None:
    data = Page(render_simulation_report(play(two_hubs(placed=False)), made_at=MADE_AT)).embedded()
    assert data["kind"] == "schematic"
    assert data["land"] == []
    assert len(set(zip(data["sites"]["x"], data["sites"]["y"], strict=True))) == 4


# --- charts -----------------------------------------------------------------------------------


def test_curves_and_shades_stand_where_the_frames_say() -> None:
    chart = re.search(r'<svg class="hours large".*?</svg>', html(), re.DOTALL)
    assert chart is not None
    left, right = (float(re.search(rf'data-{side}="([\d.]+)"', chart[0])[1]) for side in ("left", "right"))  # type: ignore[index]
    path = re.search(r'class="line s-waiting" d="M([^"]+)"', chart[0])
    assert path is not None
    points = np.array([[float(part) for part in point.split(" ")] for point in path[1].split("L")])
    hours, waits = run().hours["hour"].to_numpy(), run().hours["waiting_pieces"].to_numpy()
    waits = waits - run().hours["held_pieces"].to_numpy()
    assert points[:, 0] == pytest.approx(left + (right - left) * hours / 96.0, abs=0.06)
    base = simulation_charts.HIGH - simulation_charts.BOTTOM
    assert waits.max() == pytest.approx(
        147.5, rel=1e-4
    )  # 150 at hour 24, of them 75 held; then 10 come, 12.5 go
    assert "150</text>" in chart[0]  # the uppermost line
    assert base - points[:, 1] == pytest.approx(waits * (base - simulation_charts.TOP) / 150.0, abs=0.06)
    shade = re.search(r'class="outage" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', chart[0])
    assert shade is not None
    assert float(shade[1]) == pytest.approx(left)
    assert float(shade[2]) == pytest.approx((right - left) * 24.0 / 96.0, abs=0.06)
    marks = re.findall(r'class="change" x1="([\d.]+)"', chart[0])
    wanted = [left + (right - left) * hour / 96 for hour in (0, 6, 24)]
    assert [float(x) for x in marks] == pytest.approx(wanted, abs=0.06)


def test_grid_lines_and_days_are_round() -> None:
    for most in (0.7, 3.0, 42.0, 999.0, 1.3e8):
        step = simulation_charts.nice_step(most)
        assert float(f"{step:.1e}"[:3]) in (1.0, 2.0, 2.5, 5.0)
        assert most / 4 <= step <= most
    short = simulation_charts.short_pieces
    assert [(said.zh, said.en) for said in map(short, (0.0, 950.0, 12_000.0, 2.5e6, 1.2e8))] == [
        ("0", "0"), ("950", "950"), ("1.2 万", "12k"), ("250 万", "2.5M"), ("1.2 亿", "120M"),
    ]  # fmt: skip
    afternoon = Clock(datetime(2026, 12, 30, 15, 30, tzinfo=CHINA_TIME))
    days = simulation_charts.day_ticks(96.0, afternoon, 8)
    assert [(hour, said.en) for hour, said in days] == [
        (8.5, "12-31"), (32.5, "01-01"), (56.5, "01-02"), (80.5, "01-03"),
    ]  # fmt: skip
    assert [afternoon.say(hour).en[-5:] for hour, _ in days] == ["00:00"] * 4
    numbered = [(hour, said.en) for hour, said in simulation_charts.day_ticks(72.0, Clock(None), 8)]
    assert numbered == [(0.0, "day 1"), (24.0, "day 2"), (48.0, "day 3")]
    few = simulation_charts.day_ticks(12.0, afternoon, 8)
    assert [said.zh for _, said in few] == ["18:00", "21:00", "00:00", "03:00"]


def test_outages_are_shown_as_they_were_simulated() -> None:
    network = two_hubs()
    late = Outage("late", sites=("H",), start=START + timedelta(hours=10), end=START + timedelta(hours=999))
    endless = Outage("endless", sites=("G",), capacity_share=0.5)
    chosen = SimulationSettings(hours=24.0, warm_up_h=0.0, start=START)
    spans = simulation_view.outage_spans(simulate(network, (late, endless), settings=chosen))
    assert [(span.labels, span.from_h, span.to_h) for span in spans] == [
        (("endless",), 0.0, 24.0),
        (("late",), 10.0, 24.0),
    ]


# --- self-contained, safe, both languages --------------------------------------------------------


def test_nothing_is_asked_from_outside() -> None:
    assert set(re.findall(r"https?://[^\s\"'`)]+", html())) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|\bfetch\(|XMLHttpRequest|WebSocket|importScripts|import\(|@import", html())
    for tag, attributes in page().elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "form", "base")
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(
        a["content"] for _, a in page().elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    parts = page().inline["script"][1:] + page().inline["style"]
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    assert sorted(re.findall(r"'sha256-([^']+)'", policy)) == sorted(digests)


def test_every_text_is_in_both_languages() -> None:
    for said in page().embedded()["texts"].values():
        assert said["zh"].strip()
        assert said["en"].strip()
    languages = [named.get("lang") for tag, named in page().elements if tag in ("span", "tspan")]
    assert languages.count("zh-CN") == languages.count("en") > 80
    inside = re.findall(r'<span lang="zh-CN">([^<]*)</span><span lang="en">([^<]*)</span>', html())
    assert len(inside) > 80
    assert not [pair for pair in inside if not pair[0].strip() or not pair[1].strip()]
    assert not [en for _, en in inside if re.search(r"[\u4e00-\u9fff]", en)]


def test_links_lead_somewhere_and_ids_are_unique() -> None:
    ids = [a["id"] for _, a in page().elements if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {a["href"] for t, a in page().elements if t == "a"} <= {f"#{name}" for name in ids}


def test_foreign_names_stay_text() -> None:
    nasty = replace(play(two_hubs(names=NASTY)), name="<i>run</i>")
    safe = Page(render_simulation_report(nasty, made_at=MADE_AT))
    assert [tag for tag, _ in safe.elements if tag == "script"] == ["script"] * 4
    assert not [tag for tag, _ in safe.elements if tag in ("img", "i")]
    assert all("alert(" not in script for script in safe.inline["script"][1:])
    assert safe.embedded()["sites"]["name"] == [NASTY[site] for site in "AHGB"]
    assert NASTY["H"] in safe.said


def test_without_scripts_everything_but_the_map_is_there() -> None:
    hidden = [a.get("id") for _, a in page().elements if "hidden" in a]
    assert "map" in hidden
    assert not {"charts", "small", "classes", "sites", "legs"} & set(hidden)
    bare = re.sub(r"<script.*?</script>", "", html(), flags=re.DOTALL)
    assert Page(bare).values == page().values


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="language"):
        write_simulation_report(run(), tmp_path / "a.html", language="de")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="time zone"):
        write_simulation_report(run(), tmp_path / "a.html", made_at=datetime(2026, 1, 1))
    assert not list(tmp_path.iterdir())


def test_the_same_run_gives_the_same_page() -> None:
    assert render_simulation_report(run(), made_at=MADE_AT) == html()


# --- where it is written ----------------------------------------------------------------------------


def test_a_study_and_the_command_write_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, folder = two_hubs(), tmp_path / "run"
    chosen = SimulationSettings(hours=24.0, warm_up_h=0.0)
    run_study("simulate", network, folder=folder, settings=chosen, language="en")
    first = Page((folder / "report.html").read_text("utf-8"))
    assert first.elements[0][1]["data-language"] == "en"
    assert {"phases.csv", "limited.csv", "usual.csv"} <= {path.name for path in folder.iterdir()}
    write_network(network, tmp_path / "net")
    code = main(
        ["simulate", str(tmp_path / "net"), "-o", str(folder), "--close", "H", "--hours", "12", "--json"]
    )
    facts = json.loads(capsys.readouterr().out)
    assert code == 1  # it does not hold
    assert facts["report"] == str(folder / "report.html")
    assert "H is shut" in Page((folder / "report.html").read_text("utf-8")).said


# --- in a browser ------------------------------------------------------------------------------------

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@needs_chromium
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scripts_run_under_the_policy(tmp_path: Path, language: str) -> None:
    path = write_simulation_report(
        play(two_hubs(names=NASTY)), tmp_path / "report.html", made_at=MADE_AT, language="en"
    )
    seen = Page(opened(f"{path.as_uri()}#language={language}&hour=20&site=A", tmp_path))
    assert seen.elements[0][1]["data-language"] == language
    for words in {
        "zh": ("07-20 20:00 第 20 小时", "超出可暂存量", "停运"),
        "en": ("07-20 20:00 Hour 20", "above what it can hold", "shut"),
    }[language]:
        assert words in seen.said
    assert NASTY["A"] in seen.said
    canvas = next(a for t, a in seen.elements if t == "canvas")
    assert int(str(canvas["width"])) > 300
    cursors = [float(str(a["x1"])) for t, a in seen.elements if t == "line" and a.get("class") == "now"]
    wide = simulation_charts.WIDE - 12 - simulation_charts.LEFT
    assert simulation_charts.LEFT + wide * 20 / 96 in [pytest.approx(x, abs=0.1) for x in cursors]
    assert not [t for t, _ in seen.elements if t == "img"]


PLAYED = """<body><iframe src="{address}" width="1280" height="900"></iframe><p id="said"></p><script>
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
addEventListener("load", async () => {{
  const page = document.querySelector("iframe").contentDocument, said = [];
  const [hour, canvas, play] = ["hour", "canvas", "play"].map((id) => page.getElementById(id));
  page.defaultView.requestAnimationFrame = (act) => setTimeout(() => act(performance.now()), 16);
  const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
  await wait(500);
  said.push(hour.value);
  press("ArrowRight"); said.push(hour.value);
  press("ArrowUp"); said.push(hour.value);
  press("End"); said.push(hour.value);
  page.querySelector('[data-hour="6.0"]').click(); said.push(hour.value);
  press(" ");
  await wait(1500);
  press(" ");
  const paused = hour.value;
  await wait(500);
  said.push(hour.value === paused ? "paused" : "plays on", Number(paused) > 5 ? "played" : "stood");
  said.push(play.getAttribute("aria-label"));
  document.getElementById("said").textContent = `did ${{said.join(" ")}} end`;
}});
</script></body>"""


@needs_chromium
def test_it_stands_still_until_asked_and_obeys_the_keys(tmp_path: Path) -> None:
    path = write_simulation_report(run(), tmp_path / "report.html", made_at=MADE_AT, language="en")
    outer = tmp_path / "outer.html"
    outer.write_text(PLAYED.format(address=f"{path.as_uri()}#language=en&hour=20"), "utf-8")
    said = opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files", "--window-size=1400,1000")
    found = re.search(r"did (.*?) end", said)
    assert found is not None
    assert found[1] == "19 20 44 95 5 paused played Play"


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_telephone_and_a_desk(tmp_path: Path, width: int) -> None:
    names = {"A": "黔西南布依族苗族自治州分拣中心", "H": "Averyveryverylongnameofatransfercentre"}
    path = write_simulation_report(
        play(two_hubs(names=names)), tmp_path / "report.html", made_at=MADE_AT, language="en"
    )
    outer = tmp_path / "outer.html"
    outer.write_text(FRAME.format(address=path.as_uri(), width=width), "utf-8")
    said = opened(outer.as_uri(), tmp_path, "--allow-file-access-from-files", "--window-size=1400,1000")
    found = re.search(r"wide (\d+) of (\d+)", said)
    assert found is not None
    assert int(found[1]) <= int(found[2]) == width
