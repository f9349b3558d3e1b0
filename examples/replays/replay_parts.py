"""Cut a part off sites: the share of a unit's pieces that begins and ends where all is shut.

An outage of a share of a site's capacity is made up for by its headroom. An outlet under water is
not: nobody else has its pieces. So a part of a site becomes a site of its own, which an outage
can shut: by its code in front of the unit's (``admin_codes = ["F1"]``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from changtong import Network, build_network

ENDS = ("from_site", "to_site")


@dataclass(frozen=True)
class Part:
    """A share of the pieces of every unit of a region.

    Attributes
    ----------
    code : str
        Stands in front of the unit's code.
    of : str
        GB/T 2260 code of the region, zeros at the end standing for all of it.
    share : float
        Of the pieces that begin or end in each unit, 0 to 1.
    """

    code: str
    of: str
    share: float


def in_region(network: Network, region: str) -> set[str]:
    """Return the ids of a region's sites, parts included."""
    digits = region.rstrip("0")
    code = pl.col("admin_code").cast(pl.String).str.replace(r"^F[0-9]-", "")
    found = network.sites.filter(code.str.starts_with(digits))
    return set(found["site_id"].cast(pl.String))


def cut_parts(network: Network, parts: Sequence[Part]) -> Network:
    """Return the network with parts as sites of their own.

    A part of a site that passes pieces on hangs on it by a leg each way, without limit and without
    time. A part of a site that passes nothing on has its share of that site's legs and rates. The
    sort plan is left out: the cheapest ways, which it holds in the built-in network, count.

    Parameters
    ----------
    network : Network
    parts : sequence of Part
        Shares of one region must not add up to more than 1.
    """
    sites = network.sites.with_columns(pl.col("site_id", "admin_code").cast(pl.String))
    senders = set(network.demand["from_site"].unique().cast(pl.String))
    pieces = [_split(sites, senders, part) for part in parts if part.share > 0.0]
    if not pieces:
        return network
    made = pl.concat(pieces)
    rest = made.group_by("parent").agg(share=1.0 - pl.col("share").sum())
    weights = pl.concat(
        [
            made.select("parent", "site_id", "share"),
            rest.select("parent", site_id=pl.col("parent"), share=pl.col("share")),
        ]
    )
    tables = {
        "sites": _sites(sites, made, rest),
        "legs": _legs(network, made, rest),
        "demand": _demand(network, weights),
        "service_classes": network.service_classes.with_columns(pl.col("service_class").cast(pl.String)),
        "provenance": network.provenance,
    }
    return build_network(tables, network.name)


def _split(sites: pl.DataFrame, senders: set[str], part: Part) -> pl.DataFrame:
    """Return the parts of one kind: parent, site_id, share, transit (of the parent), admin_code."""
    units = sites.filter(
        pl.col("admin_code").str.starts_with(part.of.rstrip("0")) & pl.col("site_id").is_in(list(senders))
    )
    return units.select(
        parent="site_id",
        site_id=pl.col("site_id") + f"-{part.code}",
        share=pl.lit(part.share),
        transit="transit",
        admin_code=pl.lit(f"{part.code}-") + pl.col("admin_code"),
    )


def _sites(sites: pl.DataFrame, made: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    leaf = ~pl.col("transit")
    scaled = [
        pl.when(leaf).then(pl.col(name) * pl.col("share")).alias(name)
        for name in ("sort_pieces_per_h", "hold_pieces")
    ]
    new = (
        made.join(sites.drop("transit", "admin_code"), left_on="parent", right_on="site_id")
        .with_columns(*scaled, population=pl.col("population") * pl.col("share"))
        .with_columns(
            kind=pl.lit("outlet"),
            handling_h=pl.when(leaf).then(pl.col("handling_h")).otherwise(0.0),
            transit=pl.lit(False),
        )
    )
    old = sites.join(rest, left_on="site_id", right_on="parent", how="left", maintain_order="left")
    kept = [
        pl.when(leaf & pl.col("share").is_not_null())
        .then(pl.col(name) * pl.col("share"))
        .otherwise(pl.col(name))
        .alias(name)
        for name in ("sort_pieces_per_h", "hold_pieces")
    ]
    old = old.with_columns(*kept).select(sites.columns)
    return pl.concat([old, new.select(sites.columns)], how="vertical_relaxed")


def _legs(network: Network, made: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    legs = network.legs.with_columns(pl.col(*ENDS).cast(pl.String))
    leaves = made.filter(~pl.col("transit"))
    amounts = ["capacity_pieces_per_day", "flow_pieces_per_day"]
    out = [legs]
    for end in ENDS:
        keys = leaves.select(pl.col("parent").alias(end), "site_id", "share")
        copies = legs.join(keys, on=end).with_columns(
            pl.col("site_id").alias(end), pl.col(amounts) * pl.col("share")
        )
        out.append(copies.select(legs.columns))
        less = rest.filter(pl.col("parent").is_in(leaves["parent"].implode())).rename({"parent": end})
        out[0] = (
            out[0]
            .join(less, on=end, how="left", maintain_order="left")
            .with_columns(pl.col(amounts) * pl.col("share").fill_null(1.0))
            .select(legs.columns)
        )
    hung = made.filter(pl.col("transit"))
    free = {"mode": "road", "distance_km": 0.0, "travel_h": 0.0, "cost_cny_per_piece": 0.0}
    for tail, head in (("parent", "site_id"), ("site_id", "parent")):
        out.append(
            hung.select(
                pl.col(tail).alias("from_site"),
                pl.col(head).alias("to_site"),
                *(pl.lit(value).alias(name) for name, value in free.items()),
                kgco2e_per_piece=pl.lit(0.0),
            )
        )
    return pl.concat(out, how="diagonal_relaxed")


def _demand(network: Network, weights: pl.DataFrame) -> pl.DataFrame:
    pieces = network.demand.schema["pieces_per_day"]
    parts = weights.filter(pl.col("site_id") != pl.col("parent"))["site_id"]
    ids = pl.Enum([*network.site_ids, *parts])
    demand = network.demand.with_columns(pl.col(*ENDS).cast(ids))
    names = weights.with_columns(pl.col("parent", "site_id").cast(ids))
    for end in ENDS:
        touched = pl.col(end).is_in(names["parent"].unique().implode())
        spread = (
            demand.filter(touched)
            .join(names.rename({"parent": end}), on=end)
            .with_columns(
                pl.col("site_id").alias(end),
                pieces_per_day=(pl.col("pieces_per_day") * pl.col("share")).cast(pieces),
            )
        )
        demand = pl.concat([demand.filter(~touched), spread.select(demand.columns)])
    return demand.filter(pl.col("pieces_per_day") > 0.0)
