"""What an outage strands before anything is planned, counted by hand on six sites."""

from __future__ import annotations

import polars as pl
import pytest
from network_cases import TINY

from changtong.errors import InputError
from changtong.network.io import read_network
from changtong.outages import Outage, close_sites
from changtong.stranded import stranded_by


def test_what_begins_or_ends_at_a_shut_site_is_counted_once_and_by_class() -> None:
    network = read_network(TINY)
    found = stranded_by(network, close_sites(network, ["A"]))
    either = (pl.col("from_site").cast(pl.String) == "A") | (pl.col("to_site").cast(pl.String) == "A")
    pieces = float(network.demand.filter(either)["pieces_per_day"].sum())
    assert pieces > 0
    assert found.pieces_begin_or_end == pytest.approx(pieces)
    assert sum(found.pieces_by_class.values()) == pytest.approx(pieces)
    assert found.sites_shut == ("A",)
    legs = network.legs.select(pl.col("from_site", "to_site").cast(pl.String)).rows()
    assert set(found.legs_shut) == {f"{a}>{b}" for a, b in legs if "A" in (a, b)}


def test_what_is_slowed_strands_nothing() -> None:
    network = read_network(TINY)
    found = stranded_by(network, close_sites(network, ["A"], capacity_share=0.5))
    assert (found.sites_shut, found.legs_shut, found.sites_slowed) == ((), (), 1)
    assert found.pieces_begin_or_end == found.pieces_pass == 0.0


def test_a_site_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="unknown-site"):
        stranded_by(read_network(TINY), (Outage("x", sites=("none",)),))
