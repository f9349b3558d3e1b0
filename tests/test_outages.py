"""Outages: what they touch, how they combine, what a tired person gets told."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from changtong.errors import InputError, NotFoundError
from changtong.network.io import read_network
from changtong.network.model import Network
from changtong.network.polygons import inside_area
from changtong.outage_files import read_outages
from changtong.outages import (
    Outage,
    apart,
    apply_outages,
    close_sites,
    sites_of,
    unlimited_places,
)

TINY = Path(__file__).parent.parent / "examples" / "tiny"
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]],
}


@pytest.fixture(scope="module")
def tiny() -> Network:
    return read_network(TINY)


def test_smallest_share_and_longest_hours_win(tiny: Network) -> None:
    site = tiny.site_ids[0]
    effect = apply_outages(
        tiny,
        [
            Outage("half", sites=(site,), capacity_share=0.5, extra_h=24),
            Outage("third", sites=(site,), capacity_share=0.3, extra_h=2),
        ],
    )
    assert effect.site_share[0] == 0.3
    assert effect.site_extra_h[0] == 24
    assert (effect.site_share[1:] == 1).all()
    assert effect.why["label"].to_list() == ["half", "third"]


def test_polygon_with_a_hole() -> None:
    inside = inside_area(np.array([0.5, 1.5, 5.0]), np.array([0.5, 1.5, 0.5]), SQUARE)
    assert inside.tolist() == [True, False, False]


def test_entry_limit_holds_the_legs_that_enter(tiny: Network) -> None:
    site = tiny.site_ids[0]
    effect = apply_outages(tiny, [Outage("passes", sites=(site,), passes_per_day=3, pieces_per_pass=100)])
    limit = effect.entry_limits[0]
    assert limit.pieces_per_day == 300
    entering = tiny.legs[limit.leg_rows.tolist()]
    assert entering["to_site"].cast(pl.String).unique().to_list() == [site]
    assert effect.site_share[0] == 1.0


def test_unknown_site_gets_a_near_name(tiny: Network) -> None:
    wrong = tiny.site_ids[0] + "x"
    with pytest.raises(NotFoundError, match=tiny.site_ids[0]):
        close_sites(tiny, [wrong])


def test_all_problems_of_a_file_at_once(tiny: Network, tmp_path: Path) -> None:
    file = tmp_path / "outages.toml"
    file.write_text(
        '[[outage]]\nsites = ["nowhere"]\nstart = "2026-07-20T03:00"\ncapacity_share = 1.5\ncapcity = 2\n',
        "utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_outages(file, tiny)
    codes = sorted(problem.code for problem in caught.value.problems)
    assert codes == ["out-of-range", "time-without-zone", "unknown-column", "unknown-site"]


def test_csv_and_toml_say_the_same(tiny: Network, tmp_path: Path) -> None:
    a, b = tiny.site_ids[:2]
    (tmp_path / "o.csv").write_text(f"label,sites,capacity_share\nflood,{a};{b},0.25\n", "utf-8")
    (tmp_path / "o.toml").write_text(
        f'[[outage]]\nlabel = "flood"\nsites = ["{a}", "{b}"]\ncapacity_share = 0.25\n', "utf-8"
    )
    assert read_outages(tmp_path / "o.csv", tiny) == read_outages(tmp_path / "o.toml", tiny)


def refused(network: Network, tmp_path: Path, text: str, name: str = "o.toml") -> list[tuple[str, str]]:
    """Return code and hint of every problem a file is refused with."""
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        read_outages(tmp_path / name, network)
    return [(problem.code, problem.hint) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ('sitse = ["A"]', "unknown-column", "Did you mean sites?"),
        ('admin_codes = ["999999"]', "matches-nothing", ""),
        ('admin_codes = ["410182"]', "matches-nothing", "Did you mean 410181"),
        ('legs = ["H1>D"]', "unknown-leg", "From H1 there is"),
        ('legs = ["H1-D"]', "bad-leg", ""),
        ('sites = ["A"]\ncapacity_share = "50%"', "out-of-range", "Write 0.5."),
        ('sites = ["A"]\npasses_per_day = 1.5', "wrong-type", ""),
        ('sites = ["A"]\nextra_h = -1', "out-of-range", ""),
        ('sites = ["A"]\nextra_h = nan', "out-of-range", ""),
        ('sites = ["A"]\nstart = 2026-07-20T03:00:00', "time-without-zone", ""),
        (
            'sites = ["A"]\nstart = 2026-07-20T03:00:00+08:00\nend = 2026-07-20T02:00:00+08:00',
            "times-reversed",
            "",
        ),
        ('area = "nowhere.geojson"', "missing-file", ""),
        ('area = \'{"type": "Point", "coordinates": [1, 2]}\'', "bad-area", ""),
        ('label = "somewhere"', "no-place", ""),
    ],
)
def test_a_slip_gets_its_own_answer(tiny: Network, tmp_path: Path, text: str, code: str, hint: str) -> None:
    found = refused(tiny, tmp_path, f"[[outage]]\n{text}\n")
    assert [name for name, _ in found] == [code]
    assert hint in found[0][1]


def test_files_that_are_no_outages(tiny: Network, tmp_path: Path) -> None:
    assert refused(tiny, tmp_path, "[outages]\n")[0][0] == "unknown-column"
    assert refused(tiny, tmp_path, "")[0][0] == "empty-table"
    assert refused(tiny, tmp_path, "[[outage")[0][0] == "unreadable-file"
    assert refused(tiny, tmp_path, "<html>,,,\n,", "o.csv")[0][0] == "missing-column"
    assert refused(tiny, tmp_path, "{}", "o.json")[0][0] == "unreadable-file"
    with pytest.raises(InputError, match="does not exist"):
        read_outages(tmp_path / "gone.csv", tiny)


def box(west: float, south: float, east: float, north: float) -> dict[str, object]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_an_area_from_a_file_beside_it_and_one_the_wrong_way_round(tiny: Network, tmp_path: Path) -> None:
    feature = {"type": "Feature", "geometry": box(113.3, 34.7, 113.7, 34.9), "properties": {}}
    collection = {"type": "FeatureCollection", "features": [feature]}
    (tmp_path / "zone.geojson").write_text(json.dumps(collection), "utf-8")
    (tmp_path / "o.csv").write_text("label,area\nzone,zone.geojson\n", "utf-8")
    zone = read_outages(tmp_path / "o.csv", tiny)[0]
    assert np.flatnonzero(sites_of(tiny, zone)).tolist() == [0, 4]  # A and H1
    turned = json.dumps(box(34.7, 113.3, 34.9, 113.7))
    found = refused(tiny, tmp_path, f"[[outage]]\narea = '{turned}'\n")
    assert found == [("matches-nothing", "Longitude and latitude seem to be swapped.")]


@pytest.mark.parametrize(
    ("code", "sites"),
    [("410000", "ACH"), ("41", "ACH"), ("410100", "AH"), ("410181", "A"), ("410000000000", "ACH")],
)
def test_a_code_covers_its_unit(tiny: Network, code: str, sites: str) -> None:
    inside = sites_of(tiny, Outage("area", admin_codes=(code,)))
    named = "".join(site[0] for site, within in zip(tiny.site_ids, inside, strict=True) if within)
    assert named == sites


def test_settling_and_passes_leave_a_site_open_unless_said(tiny: Network) -> None:
    assert Outage("shut", sites=("A",)).share_left == 0.0
    assert Outage("settling", sites=("A",), extra_h=24).share_left == 1.0
    assert Outage("passes", sites=("A",), passes_per_day=3).share_left == 1.0
    assert Outage("both", sites=("A",), extra_h=24, capacity_share=0.0).share_left == 0.0


def test_python_callers_are_refused_like_files(tiny: Network) -> None:
    wrong = [
        Outage("x", sites=("Z9",)),
        Outage("x", legs=(("A", "B"),)),
        Outage("x", area=box(0, 0, 1, 1)),
        Outage("x", sites=("A",), capacity_share=float("nan")),
        Outage("x"),
    ]
    for outage in wrong:
        with pytest.raises(InputError):
            apply_outages(tiny, [outage])


def test_a_share_of_an_unknown_capacity_is_noticed(tiny: Network) -> None:
    sites = tiny.sites.with_columns(
        pl.when(pl.col("site_id") != "A").then(pl.col("sort_pieces_per_h")).alias("sort_pieces_per_h")
    )
    legs = tiny.legs.with_columns(pl.lit(None, pl.Float64).alias("capacity_pieces_per_day"))
    loose = tiny.with_tables(sites=sites, legs=legs)
    half = Outage("half", sites=("A", "B"), legs=(("C", "D"),), capacity_share=0.5)
    assert unlimited_places(loose, half) == ["A", "C>D"]
    assert unlimited_places(tiny, half) == []
    assert unlimited_places(loose, Outage("shut", sites=("A",))) == []


def test_outages_that_never_meet_are_noticed() -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 7, 20, hour, tzinfo=UTC)

    morning, noon = Outage("a", end=at(8)), Outage("b", start=at(8), end=at(14))
    day = Outage("c", start=at(6), end=at(20))
    assert apart([morning, day]) is None
    assert apart([noon, day]) is None
    assert apart([day, morning, noon]) == (morning, noon)
    assert apart([Outage("d"), morning]) is None


def test_a_csv_from_chinese_excel(tiny: Network, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_bytes("label,sites,capacity_share\n大雾,北转运中心,0.5\n".encode("gbk"))
    assert read_outages(tmp_path / "o.csv", tiny) == (Outage("大雾", sites=("H1",), capacity_share=0.5),)
