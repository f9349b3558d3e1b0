"""What every analysis takes of a network: capacities, classes, pairs by class, who passes pieces on."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import InputError, Problem
from changtong.network.model import Network

Floats = NDArray[np.float64]

TIME_OF_DAY = (
    0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.6, 1.5, 3.5, 5.5, 6.5, 6.5, 5.0, 5.5, 7.0, 8.0, 9.0, 10.0, 9.5, 8.0, 6.0,
    4.0, 2.1, 1.0,
)  # fmt: skip
"""Share of a day's pieces accepted in each hour, in percent: assumed, most in the afternoon."""


def column(frame: pl.DataFrame, name: str, default: float) -> Floats:
    """Return a column's numbers; ``default`` where it is absent or a cell is empty."""
    if name not in frame.columns:
        return np.full(frame.height, default)
    return frame[name].cast(pl.Float64).fill_null(default).to_numpy().astype(np.float64)


def site_capacity(network: Network) -> Floats:
    """Return pieces a day each site can sort; infinite where not stated."""
    per_hour = column(network.sites, "sort_pieces_per_h", np.inf)
    return per_hour * column(network.sites, "sort_hours_per_day", 20.0)


def pass_through(network: Network) -> NDArray[np.bool_]:
    """Return which sites pieces of others may pass."""
    sites = network.sites
    by_kind = np.ones(sites.height, bool)
    if "kind" in sites.columns:
        by_kind = (
            ~sites["kind"]
            .cast(pl.String)
            .is_in(["village", "outlet", "customer"])
            .fill_null(False)
            .to_numpy()
        )
    if "transit" not in sites.columns:
        return by_kind
    return np.where(
        sites["transit"].is_null().to_numpy(), by_kind, sites["transit"].fill_null(True).to_numpy()
    ).astype(bool)


def class_table(network: Network) -> pl.DataFrame:
    """Return the service classes by rank; one class ``ordinary`` where there is no table."""
    table = network.service_classes
    if table.height == 0:
        table = pl.DataFrame({"service_class": ["ordinary"], "rank": [1]})
    defaults = {"name": pl.String, "name_zh": pl.String, "promise_h": pl.Float64, "share": pl.Float64}
    for name, kind in defaults.items():
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, kind).alias(name))
    table = table.sort("rank")
    if table["share"].null_count() == table.height:
        share = [0.0] * (table.height - 1) + [1.0]
        table = table.with_columns(pl.Series("share", share))
    return table.with_columns(pl.col("share").fill_null(0.0))


def pairs_by_class(
    network: Network, classes: pl.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.floating], Floats | None]:
    """Return sorted pair keys (from * sites + to), pieces, and the common class shares."""
    demand = network.demand
    n = network.sites.height
    key = demand["from_site"].to_physical().to_numpy().astype(np.int64) * n
    key += demand["to_site"].to_physical().to_numpy()
    pieces = demand["pieces_per_day"].to_numpy()
    share = classes["share"].to_numpy().astype(np.float64)
    plain = "service_class" not in demand.columns or demand["service_class"].null_count() == demand.height
    if plain and (len(key) < 2 or np.all(key[1:] > key[:-1])):
        return key, pieces[:, None], share / share.sum()
    keys, inverse = np.unique(key, return_inverse=True)
    if plain:
        return keys, np.bincount(inverse, pieces, len(keys)).astype(np.float64)[:, None], share / share.sum()
    names = classes["service_class"].cast(pl.String).to_list()
    known = demand["service_class"].cast(pl.String)
    rank = known.replace_strict({name: k for k, name in enumerate(names)}, default=-1, return_dtype=pl.Int64)
    if (rank == -1).any() and known.filter(rank == -1).drop_nulls().len():
        wrong = known.filter(rank == -1).drop_nulls().unique().to_list()
        raise InputError(
            [
                Problem(
                    "unknown-class", f"{w!r} is not a service class.", "demand", expected=", ".join(names)
                )
                for w in wrong
            ]
        )
    table = np.zeros((len(keys), len(names)))
    code = rank.fill_null(-1).to_numpy()
    given = code >= 0
    np.add.at(table, (inverse[given], code[given]), pieces[given])
    if not given.all():
        table += np.bincount(inverse[~given], pieces[~given], len(keys))[:, None] * (share / share.sum())
    return keys, table, None
