"""What an outage strands, before anything is planned: counted from demand and today's flow, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network
from changtong.outages import Outage, apply_outages
from changtong.structure import class_table, column

Floats = NDArray[np.float64]

SHUT = 1e-9
"""A share of capacity below which nothing gets through."""


@dataclass(frozen=True)
class Stranded:
    """What outages hit, on a day like today.

    Attributes
    ----------
    sites_shut, legs_shut : tuple of str
        Ids; legs as ``from>to``. Legs of a shut site are shut, too.
    sites_slowed, legs_slowed : int
    pieces_begin_or_end : float
        Pieces a day that begin or end at a shut site: no other way helps them.
    pieces_by_class : dict
        The same by service class, by rank.
    pieces_pass : float
        Pieces a day today's flow brings through shut sites and over shut legs, which need another way; each
        place counts what passes it, so one that passes two counts twice.
    flow_known : bool
        Whether the network tells today's flow; where not, ``pieces_pass`` is 0 and says nothing.
    """

    sites_shut: tuple[str, ...]
    legs_shut: tuple[str, ...]
    sites_slowed: int
    legs_slowed: int
    pieces_begin_or_end: float
    pieces_by_class: dict[str, float]
    pieces_pass: float
    flow_known: bool

    def to_json(self) -> dict[str, Any]:
        """Return it in JSON's own types."""
        told = asdict(self)
        return told | {"sites_shut": list(self.sites_shut), "legs_shut": list(self.legs_shut)}


def stranded_by(network: Network, outages: Sequence[Outage]) -> Stranded:
    """Count what outages strand; all of them count, whenever they begin.

    Parameters
    ----------
    network : Network
        Its sites of status ``closed`` are shut as well.
    outages : sequence of Outage

    Raises
    ------
    InputError
        An outage that names what is not there.
    """
    effect = apply_outages(network, outages)
    n = network.sites.height
    tail, head = (
        network.legs[name].to_physical().to_numpy().astype(np.int64) for name in ("from_site", "to_site")
    )
    shut = effect.site_share <= SHUT
    leg_shut = (effect.leg_share <= SHUT) | shut[tail] | shut[head]
    start, end = (
        network.demand[name].to_physical().to_numpy().astype(np.int64) for name in ("from_site", "to_site")
    )
    pieces = network.demand["pieces_per_day"].cast(pl.Float64).to_numpy()
    hit = np.flatnonzero(shut[start] | shut[end])
    classes, add = pieces_by_class(network, hit)
    known = "flow_pieces_per_day" in network.legs.columns
    passing = 0.0
    if known:
        flow = column(network.legs, "flow_pieces_per_day", 0.0)
        ends = np.bincount(end[hit], pieces[hit], n)
        into = np.bincount(head, flow, n)
        passing = float(np.clip(into - ends, 0.0, None)[shut].sum())
        passing += float(flow[leg_shut & ~shut[tail] & ~shut[head]].sum())
    ids = network.site_ids
    return Stranded(
        sites_shut=tuple(ids[row] for row in np.flatnonzero(shut)),
        legs_shut=tuple(f"{ids[tail[row]]}>{ids[head[row]]}" for row in np.flatnonzero(leg_shut)),
        sites_slowed=int(((effect.site_share < 1.0) & ~shut).sum()),
        legs_slowed=int(((effect.leg_share < 1.0) & ~leg_shut).sum()),
        pieces_begin_or_end=float(pieces[hit].sum()),
        pieces_by_class=dict(zip(classes, add(pieces[hit]).tolist(), strict=True)),
        pieces_pass=passing,
        flow_known=known,
    )


def pieces_by_class(
    network: Network, rows: NDArray[np.int64]
) -> tuple[list[str], Callable[[Floats], Floats]]:
    """Return the classes by rank, and a function that adds pieces of rows of the demand up by class.

    Pieces of rows that name no class, or none that is known, count by the classes' shares.

    Parameters
    ----------
    network : Network
    rows : array of int64
    """
    table = class_table(network)
    names = table["service_class"].cast(pl.String).to_list()
    share = table["share"].to_numpy().astype(float)
    share = share / share.sum() if share.sum() > 0.0 else np.full(len(names), 1.0 / len(names))
    demand = network.demand
    if "service_class" not in demand.columns or demand["service_class"].null_count() == demand.height:
        return names, lambda hit: float(hit.sum()) * share
    number = {name: k for k, name in enumerate(names)}
    said = demand["service_class"].gather(rows).cast(pl.String)
    code = said.replace_strict(number, default=len(names), return_dtype=pl.Int64).fill_null(len(names))
    places = code.to_numpy()

    def add(hit: Floats) -> Floats:
        total = np.bincount(places, hit, len(names) + 1)
        split: Floats = total[:-1] + total[-1] * share
        return split

    return names, add
