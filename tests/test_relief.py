"""Relay points: where, and supplied from whom. All sites lie on one meridian: 1° is 111.195 km."""

import polars as pl
import pytest

from changtong.network.model import Network, build_network
from changtong.outages import Outage, close_sites
from changtong.planning.plan import plan
from changtong.planning.result import PlanSettings

DEGREE_KM = 111.195


def country(*, extra: list[tuple[str, str]] | None = None) -> Network:
    """H1 (30°) and H2 (34°) are hubs; A (31°), D (31.5°) hang on H1 and on each other, B (35°) on H2."""
    both = [("A", "H1"), ("D", "H1"), ("A", "D"), ("H1", "H2"), ("B", "H2")]
    legs = both + [(b, a) for a, b in both] + (extra or [])
    demand = [("A", "B", 10.0), ("B", "A", 5.0), ("D", "B", 2.0), ("H2", "B", 40.0)]
    return build_network(
        {
            "sites": pl.DataFrame(
                {
                    "site_id": ["A", "B", "D", "H1", "H2"],
                    "lon": [110.0] * 5,
                    "lat": [31.0, 35.0, 31.5, 30.0, 34.0],
                    "transit": [True, False, True, True, True],
                }
            ),
            "legs": pl.DataFrame(legs, schema=["from_site", "to_site"], orient="row").with_columns(
                cost_cny_per_piece=pl.lit(1.0)
            ),
            "demand": pl.DataFrame(demand, schema=["from_site", "to_site", "pieces_per_day"], orient="row"),
        },
        name="meridian",
    )


def relays(network: Network, outages: tuple[Outage, ...]) -> list[tuple[str, float, str | None, float]]:
    made = plan(network, outages, settings=PlanSettings(gap_share=1e-4))
    return [(a, round(b, 3), c, d) for a, b, c, d in made.relay_points.iter_rows()]


def test_relays_stand_at_the_cut_off_end_and_are_fed_from_what_is_still_connected() -> None:
    network = country()
    found = relays(network, close_sites(network, ["H1"]))
    # A and D still reach each other, but that part is not the network: H2 is; B loses nothing itself
    assert found == [
        ("A", 15.0, "H2", pytest.approx(3.0 * DEGREE_KM, rel=1e-4)),
        ("D", 2.0, "H2", pytest.approx(2.5 * DEGREE_KM, rel=1e-4)),
    ]


def test_a_relay_is_not_fed_from_a_site_it_has_an_open_leg_to() -> None:
    network = country(extra=[("D", "H2")])  # D can send to H2, nothing can reach D or A from there
    closed = close_sites(network, ["H1"])
    assert relays(network, closed) == [("A", 5.0, "H2", pytest.approx(3.0 * DEGREE_KM, rel=1e-4))]
    shut = (*closed, Outage("leg", legs=(("A", "D"),)))
    assert [row[:3] for row in relays(network, shut)] == [("A", 15.0, "H2")]
