"""Counties to begin with: a small one made by hand, districts of India, counties of the built-in network."""

from __future__ import annotations

from importlib.resources import files

import polars as pl

from changtong.rural.county import COUNTY_TABLES, County
from changtong.rural.county_folder import build_county
from changtong.rural.county_of_network import reference_county
from changtong.rural.india import india_district

__all__ = ["india_district", "reference_county", "small_county"]


def small_county() -> County:
    """Return a made-up county: a hub, three stations, twelve villages, two firms, one bus.

    It has vehicles of each firm and of anybody, a lorry, electric vans, a van with cold space, villages that
    are visited on two to seven days, cold goods both ways, and two listed roads. ``examples/county`` is the
    same as a folder.

    Examples
    --------
    >>> small_county().firms
    ('post', 'sunda')
    """
    folder = files("changtong.rural").joinpath("small")
    tables = {
        name: pl.read_csv(folder.joinpath(f"{name}.csv").read_bytes(), infer_schema=False)
        for name in COUNTY_TABLES
    }
    return build_county(tables, "Qingshan, a small made-up county")
