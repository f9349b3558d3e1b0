"""Which stand-in takes a closed site's area over is a decision of the plan.

Closing a site does not make the pieces of its region disappear. Between the closed site and
each open stand-in lies a take-over way: pieces for the region end there by the stand-in, pieces
from it begin there. The ways exist in the flow problem only, behind the network's own legs; a
stand-in's sorting capacity counts what it takes over like any other piece.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.flows.problem import FlowProblem
from changtong.network.model import Network
from changtong.outages import Effect

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

SCHEMA = {
    "site": pl.String, "stand_in": pl.String, "pieces": pl.Float64, "share": pl.Float64,
    "spare_pieces": pl.Float64, "distance_km": pl.Float64, "basis": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class TakeOvers:
    """Take-over ways, in the order in which they follow the network's legs.

    Attributes
    ----------
    n_legs : int
        Legs of the network; way ``k`` is leg ``n_legs + k`` of the problem.
    site, stand_in : array of int, (ways,)
        The closed site and who takes its area over.
    collects : array of bool, (ways,)
        True where pieces begin in the area, False where they end there.
    most : array, (ways,)
        Pieces a day the stand-in may take at most.
    basis : tuple of str
        ``given`` or ``inferred``.
    """

    n_legs: int
    site: Ints
    stand_in: Ints
    collects: NDArray[np.bool_]
    most: Floats
    basis: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.site)

    def added_to(self, problem: FlowProblem) -> FlowProblem:
        """Return the problem with these ways behind its legs, and the taken sites open to them.

        Real legs at such a site hold nothing, and nothing passes it.
        """
        if not len(self):
            return problem
        taken = np.unique(self.site)
        at_taken = np.isin(problem.leg_tail, taken) | np.isin(problem.leg_head, taken)
        site_capacity, transit = problem.site_capacity.copy(), np.array(problem.transit, bool)
        site_capacity[taken] = np.inf
        transit[taken] = False
        tail = np.where(self.collects, self.site, self.stand_in).astype(np.int32)
        head = np.where(self.collects, self.stand_in, self.site).astype(np.int32)
        return replace(
            problem,
            leg_tail=np.concatenate([problem.leg_tail, tail]),
            leg_head=np.concatenate([problem.leg_head, head]),
            leg_cost=np.concatenate([problem.leg_cost, np.zeros(len(self))]),
            leg_capacity=np.concatenate([np.where(at_taken, 0.0, problem.leg_capacity), self.most]),
            site_capacity=site_capacity,
            transit=transit,
        )

    def frame(self, network: Network, flow: Floats, spare: Floats, ends: Floats) -> pl.DataFrame:
        """Return who takes what over: ``SCHEMA``, the largest first.

        Parameters
        ----------
        flow : array, (ways,)
            Pieces a day on each way.
        spare : array, (sites,)
            Pieces a day each site could sort beyond the plan; infinite where not stated.
        ends : array, (sites,)
            Pieces a day that begin or end at each site.
        """
        ids = np.array(network.site_ids)
        frame = pl.DataFrame(
            {
                "site": ids[self.site],
                "stand_in": ids[self.stand_in],
                "pieces": np.asarray(flow, np.float64),
                "basis": list(self.basis),
                "whole": ends[self.site],
                "spare_pieces": np.minimum(spare[self.stand_in], 1e15),
            }
        )
        return (
            frame.group_by("site", "stand_in", maintain_order=True)
            .agg(pl.col("pieces").sum(), pl.col("basis", "whole", "spare_pieces").first())
            .filter(pl.col("pieces") > 1e-3)
            .with_columns(
                (pl.col("pieces") / pl.col("whole")).alias("share"),
                pl.lit(None, pl.Float64).alias("distance_km"),
            )
            .sort("site", "pieces", descending=[False, True])
            .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        )


def no_take_overs(n_legs: int) -> TakeOvers:
    """Return none at all."""
    none = np.empty(0, np.int32)
    return TakeOvers(n_legs, none, none, np.empty(0, bool), np.empty(0), ())


def open_areas(network: Network, effect: Effect) -> pl.DataFrame:
    """Return site, stand_in (row numbers), share, basis for closed sites with open stand-ins.

    What the user gave wins: a site with a given stand-in has no inferred ones.
    """
    schema = {"site": pl.Int32, "stand_in": pl.Int32, "share": pl.Float64, "basis": pl.String}
    if network.areas is None or network.areas.height == 0 or not len(effect.closed_sites):
        return pl.DataFrame(schema=schema)
    is_open = effect.site_share > 0.0
    frame = network.areas.select(
        pl.col("site", "stand_in").to_physical().cast(pl.Int32), "share", pl.col("basis").cast(pl.String)
    ).with_columns(pl.col("share").fill_null(1.0), pl.col("basis").fill_null("given"))
    site, other = frame["site"].to_numpy(), frame["stand_in"].to_numpy()
    usable = ~is_open[site] & is_open[other] & (site != other) & (frame["share"].to_numpy() > 0.0)
    given = (pl.col("basis") == "given").any().over("site")
    return frame.filter(pl.Series(usable)).filter((pl.col("basis") == "given") | ~given)


def find_take_overs(
    network: Network, effect: Effect, transit: NDArray[np.bool_], begins: Floats, ends: Floats
) -> TakeOvers:
    """Return the take-over ways of every closed site whose stand-ins may pass pieces on.

    Parameters
    ----------
    transit : array of bool, (sites,)
        Sites that pass pieces on; a stand-in that does not is left to :func:`relief.redirect`.
    begins, ends : array, (sites,)
        Pieces a day that begin and end at each site.
    """
    areas = open_areas(network, effect)
    n_legs = network.legs.height
    if areas.height == 0:
        return no_take_overs(n_legs)
    passes = pl.Series("passes", transit[areas["stand_in"].to_numpy()])
    areas = areas.with_columns(passes).filter(pl.col("passes").all().over("site"))
    parts = []
    for collects, pieces in ((False, ends), (True, begins)):
        volume = pieces[areas["site"].to_numpy()] if areas.height else np.empty(0)
        part = areas.with_columns(pl.Series("volume", volume), pl.lit(collects).alias("collects"))
        parts.append(part.filter(pl.col("volume") > 0.0))
    every = pl.concat(parts)
    share = every["share"].to_numpy()
    most = np.where(share < 1.0, share * every["volume"].to_numpy(), np.inf)
    return TakeOvers(
        n_legs,
        every["site"].to_numpy().astype(np.int32),
        every["stand_in"].to_numpy().astype(np.int32),
        every["collects"].to_numpy().astype(bool),
        most.astype(np.float64),
        tuple(every["basis"].to_list()),
    )
