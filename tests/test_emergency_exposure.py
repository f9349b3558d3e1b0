"""What warnings threaten in a network: places by hand, and on the other side of the world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from how_many import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from changtong.emergency.cap import Area, Info, Key, Message
from changtong.emergency.exposure import exposure
from changtong.emergency.in_force import Warned, in_force
from changtong.emergency.warned_areas import inside_warned_area
from changtong.network.model import Network, build_network

NOON = datetime(2026, 7, 20, 12, tzinfo=UTC)
BOX = ((112.0, 34.0), (114.0, 34.0), (114.0, 36.0), (112.0, 36.0), (112.0, 34.0))


def three() -> Network:
    """A at 110, B at 116, C in the box at 113, D nowhere; A > B passes the box."""
    return build_network(
        {
            "sites": pl.DataFrame(
                {
                    "site_id": ["A", "B", "C", "D"],
                    "lon": [110.0, 116.0, 113.0, None],
                    "lat": [35.0, 35.0, 35.0, None],
                }
            ),
            "legs": pl.DataFrame(
                {
                    "from_site": ["A", "A", "C", "A", "B"],
                    "to_site": ["B", "C", "B", "D", "A"],
                    "flow_pieces_per_day": [7.0, 5.0, None, 1.0, 3.0],
                }
            ),
            "demand": pl.DataFrame(
                {"from_site": ["A", "A", "C"], "to_site": ["B", "C", "B"], "pieces_per_day": [7.0, 5.0, 2.0]}
            ),
        },
        name="three",
    )


def warning(*areas: Area) -> Warned:
    info = Info(
        "zh-CN",
        ("Met",),
        "暴雨",
        "Expected",
        "Severe",
        "Likely",
        expires=NOON + timedelta(hours=6),
        areas=areas,
    )
    message = Message(Key("met@cn", "1", NOON), "Actual", "Alert", "Public", infos=(info,))
    (found,) = in_force([message], NOON).now
    return found


def test_sites_inside_and_legs_that_end_or_pass_there() -> None:
    found = exposure(three(), [warning(Area("box", polygons=(BOX,)))])
    (site,) = found.sites.iter_rows(named=True)
    assert (site["site_id"], site["begin_pieces"], site["end_pieces"]) == ("C", 2.0, 5.0)
    assert (site["warning"], site["severity"], site["ends"]) == ("1", "Severe", NOON + timedelta(hours=6))
    legs = found.legs.select("from_site", "to_site", "exposed", "flow_pieces").rows()
    assert legs == [
        ("A", "B", "passes", 7.0),
        ("A", "C", "end", 5.0),
        ("C", "B", "end", None),
        ("B", "A", "passes", 3.0),
    ]
    assert tuple(note.en for note in found.notes) == (
        "1 sites have no position: they count as outside.",
        "暴雨 (1): it names no colour; severity Severe, taken as orange (assumed).",
    )


def test_a_circle_is_measured_in_kilometres() -> None:
    lon, lat = np.array([113.0, 113.0, np.nan]), np.array([35.0, 35.2, 35.0])  # 22.2 km apart
    assert inside_warned_area(lon, lat, Area("c", circles=((113.0, 35.0, 22.0),))).tolist() == [
        True,
        False,
        False,
    ]
    assert inside_warned_area(lon, lat, Area("c", circles=((113.0, 35.0, 22.5),))).tolist() == [
        True,
        True,
        False,
    ]


def test_codes_without_a_shape_are_told_and_no_warning_gives_empty_tables() -> None:
    found = exposure(three(), [warning(Area("郑州", geocodes=(("adcode", "410100"),)))])
    assert found.sites.height == 0
    assert any("no site has an admin_code in 410100" in note.en for note in found.notes)
    foreign = exposure(three(), [warning(Area("Fairfax", geocodes=(("SAME", "410100"),)))])
    assert any("only codes (SAME); not looked at" in note.en for note in foreign.notes)
    nothing = exposure(three(), [])
    assert (nothing.sites.schema, nothing.legs.schema) == (found.sites.schema, found.legs.schema)


@pytest.mark.parametrize("lons", [(179.0, -179.0), (179.0, 181.0 - 360.0)])
def test_a_polygon_across_the_180th_meridian(lons: tuple[float, float]) -> None:
    west, east = lons
    ring = ((west, 50.0), (east, 50.0), (east, 52.0), (west, 52.0), (west, 50.0))
    lon, lat = np.array([179.5, -179.5, 0.0, 178.0, -178.0]), np.full(5, 51.0)
    assert inside_warned_area(lon, lat, Area("x", polygons=(ring,))).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]


@settings(max_examples=examples(50), deadline=None, derandomize=True)
@given(st.floats(-180.0, 180.0), st.floats(-60.0, 60.0), st.floats(0.5, 20.0))
def test_a_box_anywhere_holds_what_is_near_its_middle(lon: float, lat: float, half: float) -> None:
    """The same box moved round the world: inside is what differs by less than its half width."""

    def turned(value: float) -> float:
        return (value + 180.0) % 360.0 - 180.0

    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    ring = tuple((turned(lon + half * x), lat + half * y) for x, y in corners)
    offsets = np.array([-1.5, -0.9, 0.0, 0.9, 1.5]) * half
    places = np.array([turned(lon + offset) for offset in offsets])
    found = inside_warned_area(places, np.full(5, lat), Area("box", polygons=(ring,)))
    assert found.tolist() == [False, True, True, True, False]
