"""check_network: every kind of problem, at its place, with what to do, in one report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from network_cases import TINY, write_texts

from changtong.network.checks import CheckReport, check_network
from changtong.network.connections import reachable_bits, trace_sort_plan, unreachable_rows
from changtong.network.findings import LISTED_ROWS
from changtong.network.io import read_network, write_network

BROKEN = {
    "sites.csv": (
        "site_id,name,kind,lon,lat,sort_pieces_per_h,status,colour,opens\n"
        "A,甲,county,113.4,34.8,20,open,red,\n"
        "B,乙,county,114.1,30.2,-20,open,red,\n"  # negative
        "C,丙,hub,114.0,34.0,20,open,red,\n"  # unknown kind
        "D,丁,county,31.0,113.8,20,opne,red,\n"  # swapped for sure, unknown status
        "E,戊,county,43.8,87.6,0,open,red,\n"  # swapped by the others (Ürümqi), sorts nothing
        "F,己,county,113.0,,20,open,red,\n"  # half a position
        "G,庚,county,113.0,33.0,inf,open,red,8am\n"  # not finite, no time
        "A,again,county,113.0,33.0,20,open,red,\n"  # duplicate
        ",nobody,county,113.0,33.0,20,open,red,\n"  # no id
        "H,辛,county,0,0,20,open,red,\n"  # in the Atlantic
        "V,壬,village,200,33.0,20,open,red,\n"  # out of range
        "I,alone,county,113.0,33.0,20,open,red,\n"  # no leg
        ",,,,,,,,\n"  # blank
    ),
    "legs.csv": (
        "from_site,to_site,mode,travel_h,departures_per_day,capacity_pieces_per_day,flow_pieces_per_day\n"
        "A,B,road,2,1,100,50\n"
        "A,B,,2,1,100,\n"  # the same pair by the default mode
        "A,B,rail,2,1,100,\n"  # another mode: no duplicate
        "B,B,road,2,1,100,\n"  # to itself
        "B,X,road,2,1,100,\n"  # unknown site
        "B,C,road,two,1,0,\n"  # wrong type, carries nothing
        "C,D,road,,0,100,\n"  # no hours, no departure
        "D ,E,boat,2,1,100,200\n"  # space, unknown mode, flow beyond capacity
        "F,G,road,2,1,100,\n"
        "H,V,road,2,1,100,\n"
        "V,A,road,2,1,100,\n"
    ),
    "demand.csv": (
        "from site,to_site,service_class,pieces_per_day\n"  # from_site is meant
        "A,B,,10\n"
        "A,B,,20\n"  # duplicate
        "A,B,urgent,10\n"
        "A,C,urgnet,10\n"  # unknown class
        "G,A,,7\n"  # no path
        "H,B,,5\n"  # only through a village
        'A,E,,"1,000"\n'  # thousands separator
    ),
    "service_classes.csv": "service_class,rank,share\nurgent,1,0.5\nnormal,1,0.4\nslow,,\nlast,2.5,\n",
    "sort_plan.csv": (
        "site,destination,next_site\n"
        "A,E,B\n"
        "B,E,C\n"
        "C,E,B\n"  # loop, and no leg C-B
        "A,D,B\n"  # B says nothing of D
        "A,G,G\n"  # no leg
        "B,B,C\n"  # leaves its destination
    ),
    "areas.csv": "site,stand_in,share\nA,B,1.5\nA,A,0.5\n",
}

EXPECTED = {
    ("error", "duplicate-demand"): 1,
    ("error", "duplicate-leg"): 1,
    ("error", "duplicate-rank"): 1,
    ("error", "duplicate-site"): 1,
    ("error", "missing-column"): 1,
    ("error", "missing-value"): 2,
    ("error", "negative"): 1,
    ("error", "not-finite"): 1,
    ("error", "out-of-range"): 2,
    ("error", "self-loop"): 2,
    ("error", "shares-sum"): 1,
    ("error", "sort-plan-loop"): 2,
    ("error", "sort-plan-missing-leg"): 2,
    ("error", "sort-plan-stops"): 1,
    ("error", "swapped-coordinates"): 1,
    ("error", "unknown-class"): 1,
    ("error", "unknown-site"): 1,
    ("error", "unknown-value"): 3,
    ("error", "wrong-type"): 4,
    ("warning", "blank-row"): 1,
    ("warning", "flow-over-capacity"): 1,
    ("warning", "half-position"): 1,
    ("warning", "isolated-site"): 1,
    ("warning", "missing-cost"): 1,
    ("warning", "missing-hours"): 1,
    ("warning", "no-departures"): 1,
    ("warning", "no-path"): 2,
    ("warning", "odd-position"): 1,
    ("warning", "spaces-trimmed"): 1,
    ("warning", "swapped-coordinates"): 1,
    ("warning", "unknown-column"): 1,
    ("warning", "zero-capacity"): 2,
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> CheckReport:
    """One of each problem."""
    return check_network(write_texts(tmp_path_factory.mktemp("broken"), BROKEN))


def places(report: CheckReport, code: str) -> list[tuple[str | None, int | None, str | None]]:
    return [(p.file, p.row, p.column) for p in report.problems if p.code == code]


def test_every_problem_is_found_and_nothing_else(broken: CheckReport) -> None:
    assert dict(broken.counts) == EXPECTED


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("duplicate-site", ("sites.csv", 8, "site_id")),
        ("duplicate-leg", ("legs.csv", 2, "from_site")),
        ("duplicate-demand", ("demand.csv", 2, "from_site")),
        ("unknown-site", ("legs.csv", 5, "to_site")),
        ("unknown-class", ("demand.csv", 4, "service_class")),
        ("negative", ("sites.csv", 2, "sort_pieces_per_h")),
        ("not-finite", ("sites.csv", 7, "sort_pieces_per_h")),
        ("missing-column", ("demand.csv", 0, "from_site")),
        ("no-path", ("demand.csv", 5, "to_site")),
        ("sort-plan-stops", ("sort_plan.csv", 4, "next_site")),
        ("isolated-site", ("sites.csv", 12, "site_id")),
        ("flow-over-capacity", ("legs.csv", 8, "flow_pieces_per_day")),
        ("no-departures", ("legs.csv", 7, "departures_per_day")),
        ("blank-row", ("sites.csv", 13, None)),
        ("shares-sum", ("service_classes.csv", None, "share")),
    ],
)
def test_place(broken: CheckReport, code: str, place: tuple[str, int, str]) -> None:
    found = places(broken, code)
    assert found == [place]


def test_places_of_several(broken: CheckReport) -> None:
    assert places(broken, "swapped-coordinates") == [("sites.csv", 4, "lat"), ("sites.csv", 5, "lat")]
    assert places(broken, "sort-plan-loop") == [
        ("sort_plan.csv", 2, "next_site"),
        ("sort_plan.csv", 6, "next_site"),
    ]
    assert places(broken, "sort-plan-missing-leg") == [
        ("sort_plan.csv", 3, "next_site"),
        ("sort_plan.csv", 5, "next_site"),
    ]
    assert places(broken, "self-loop") == [("legs.csv", 4, "to_site"), ("areas.csv", 2, "stand_in")]
    assert sorted(places(broken, "wrong-type")) == [
        ("demand.csv", 7, "pieces_per_day"),
        ("legs.csv", 6, "travel_h"),
        ("service_classes.csv", 4, "rank"),
        ("sites.csv", 7, "opens"),
    ]


def test_hints_and_messages(broken: CheckReport) -> None:
    by_code = {problem.code: problem for problem in broken.problems}
    assert by_code["missing-column"].hint == 'The column "from site" seems to be meant: name it from_site.'
    assert by_code["unknown-class"].hint == 'Did you mean "urgent"?'
    hints = {problem.message: problem.hint for problem in broken.problems if problem.code == "unknown-value"}
    assert hints['"opne" is unknown.'] == 'Did you mean "open"?'
    assert "12 pieces a day" in by_code["no-path"].message
    assert "G → A, H → B" in by_code["no-path"].message
    loops = [problem.message for problem in broken.problems if problem.code == "sort-plan-loop"]
    assert loops == ["pieces for E go round: B → C → B.", "pieces for B leave it again for C."]


def test_report_reads_on_one_screen_and_as_json(broken: CheckReport) -> None:
    text = str(broken)
    assert len(text.splitlines()) <= 45
    assert f"{len(broken.errors)} errors" in text.splitlines()[0]
    assert "error duplicate-site ×1" in text
    assert not broken.ok
    content = json.loads(broken.to_json())
    assert content["ok"] is False
    assert len(content["problems"]) == len(broken.problems) == len(broken.errors) + len(broken.warnings)
    assert {"code", "file", "row", "column", "expected", "hint", "severity", "message"} == set(
        content["problems"][0]
    )
    assert content["files"]["sites.csv"] == "utf-8, commas"


def test_tiny_example_has_no_problem() -> None:
    report = check_network(TINY)
    assert report.problems == ()
    assert report.ok
    assert str(report).startswith("Six sites: 0 errors, 0 warnings")
    assert check_network(read_network(TINY)).problems == ()


def test_parquet_and_csv_give_the_same_findings(tmp_path: Path) -> None:
    network = read_network(TINY)
    worse = network.with_tables(
        legs=network.legs.with_columns(
            capacity_pieces_per_day=pl.when(pl.col("from_site") == "A")
            .then(-1.0)
            .otherwise("capacity_pieces_per_day")
        ).filter(pl.col("to_site") != "B")
    )
    reports = [check_network(worse)]
    reports += [
        check_network(write_network(worse, tmp_path / kind, format=kind)) for kind in ("csv", "parquet")
    ]
    assert len({json.dumps(sorted(map(str, report.counts.items()))) for report in reports}) == 1
    assert reports[0].counts == {
        ("error", "negative"): 1,
        ("error", "sort-plan-missing-leg"): 1,
        ("warning", "no-path"): 1,
    }


def test_no_sites_no_legs_no_demand(tmp_path: Path) -> None:
    def codes(**texts: str) -> Counter[str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        report = check_network(write_texts(folder, {f"{name}.csv": text for name, text in texts.items()}))
        return Counter(problem.code for problem in report.problems)

    legs, demand = "from_site,to_site\n", "from_site,to_site,pieces_per_day\n"
    assert codes(sites="site_id\n", legs=legs, demand=demand) == {"empty-table": 3}
    assert codes(sites="site_id\nA\n", legs=legs, demand=demand) == {"empty-table": 2, "isolated-site": 1}
    assert codes(legs=legs) == {"missing-table": 1, "empty-table": 2}
    assert codes(site="site_id\nA\n", legs=legs)["missing-table"] == 1
    single = codes(sites="site_id\nA\n", legs=legs, demand=demand + "A,A,5\n")
    assert single == {"empty-table": 1, "isolated-site": 1}  # a site reaches itself


def test_a_file_of_a_similar_name_is_pointed_out(tmp_path: Path) -> None:
    report = check_network(
        write_texts(tmp_path, {"sites.csv": "site_id\nA\n", "leg.csv": "from_site,to_site\n"})
    )
    (problem,) = (problem for problem in report.warnings if problem.code == "unknown-table")
    assert (problem.file, problem.hint) == ("leg.csv", 'Did you mean "legs"?')


def test_leading_zeros_lost_in_a_spreadsheet_are_pointed_out(tmp_path: Path) -> None:
    texts = {"sites.csv": "site_id\n00120\n", "legs.csv": "from_site,to_site\n120,00120\n"}
    problem = check_network(write_texts(tmp_path, texts)).errors[0]
    assert problem.hint == 'Did you mean "00120"?'


def test_thousands_of_wrong_cells_are_counted_and_the_first_listed(tmp_path: Path) -> None:
    rows = LISTED_ROWS + 500
    sites = "site_id,lon\n" + "".join(f"s{row},east\n" for row in range(rows))
    report = check_network(
        write_texts(tmp_path, {"sites.csv": sites, "legs.csv": "from_site,to_site\ns0,s1\n"})
    )
    assert report.counts["error", "wrong-type"] == rows
    assert len(report.errors) == LISTED_ROWS + 1
    assert report.errors[-1].message == "… and 500 more rows like these"


def test_rows_after_left_out_ones_keep_their_numbers(tmp_path: Path) -> None:
    legs = "from_site,to_site,capacity_pieces_per_day\nX,A,1\n,,\nA,B,0\n"
    report = check_network(write_texts(tmp_path, {"sites.csv": "site_id\nA\nB\n", "legs.csv": legs}))
    assert places(report, "zero-capacity") == [("legs.csv", 3, "capacity_pieces_per_day")]


def test_sort_plan_of_a_class_falls_back_on_the_common_one(tmp_path: Path) -> None:
    network = read_network(TINY)
    plan = network.sort_plan
    assert plan is not None
    own = pl.DataFrame(
        {"site": ["A"], "destination": ["B"], "next_site": ["H1"], "service_class": ["daily_life"]}
    )
    both = pl.concat([plan.with_columns(pl.all().cast(pl.String)), own], how="diagonal")
    assert check_network(network.with_tables(sort_plan=both)).ok
    alone = check_network(network.with_tables(sort_plan=own))
    assert alone.counts == {("error", "sort-plan-stops"): 1}


def _reaches(sites: int, legs: list[tuple[int, int]], transit: list[bool], origin: int) -> set[int]:
    """Plain search, independent of the code under test."""
    seen, todo = {origin}, [origin]
    while todo:
        site = todo.pop()
        if site != origin and not transit[site]:
            continue
        for tail, head in legs:
            if tail == site and head not in seen:
                seen.add(head)
                todo.append(head)
    return seen


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data(), sites=st.integers(1, 12))
def test_reachability_agrees_with_a_plain_search(data: st.DataObject, sites: int) -> None:
    site = st.integers(0, sites - 1)
    leg = st.tuples(site, site).filter(lambda ends: ends[0] != ends[1])
    legs = data.draw(st.lists(leg, max_size=24)) if sites > 1 else []
    transit = data.draw(st.lists(st.booleans(), min_size=sites, max_size=sites))
    tail = np.array([leg[0] for leg in legs], np.int64)
    head = np.array([leg[1] for leg in legs], np.int64)
    bits = reachable_bits(sites, tail, head, np.array(transit))
    origin, destination = (part.ravel() for part in np.divmod(np.arange(sites * sites), sites))
    missed = set(unreachable_rows(bits, origin, destination).tolist())
    for one in range(sites):
        reached = _reaches(sites, legs, transit, one)
        assert {pair % sites for pair in missed if pair // sites == one} == set(range(sites)) - reached


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data(), sites=st.integers(2, 9))
def test_sort_plan_tracing_agrees_with_following_each_row(data: st.DataObject, sites: int) -> None:
    site = st.integers(0, sites - 1)
    plan = data.draw(
        st.dictionaries(st.tuples(site, site).filter(lambda key: key[0] != key[1]), site, max_size=30)
    )
    here, aim = (np.array([key[part] for key in plan], np.int64) for part in (0, 1))
    following = np.array(list(plan.values()), np.int64)
    faults = trace_sort_plan(sites, here, aim, following)
    keys, on_loops, stops = list(plan), set(), set()
    for row, (start, end) in enumerate(keys):
        now, seen = start, [start]
        while now != end and (now, end) in plan:
            now = plan[now, end]
            if now in seen:
                on_loops.update(keys.index((step, end)) for step in seen[seen.index(now) :])
                break
            seen.append(now)
        if plan[start, end] != end and (plan[start, end], end) not in plan:
            stops.add(row)
    assert set(faults.stops.tolist()) == stops
    assert {row for loop in faults.loops for row in loop.tolist()} == on_loops
