"""Outages: what they touch, how they combine, what a tired person gets told."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from changtong.errors import InputError, NotFoundError
from changtong.network.io import read_network
from changtong.network.model import Network
from changtong.outage_files import read_outages
from changtong.outages import Outage, apply_outages, close_sites, inside_area

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
