"""A plan as the report reads it: its shape, what went wrong, and the few numbers that say it all."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.network.model import Network

FULL_SHARE = 0.95


class PlanLike(Protocol):
    """What the report needs of a plan; see the planner's ``Plan`` for the columns."""

    @property
    def name(self) -> str: ...
    @property
    def network(self) -> Network: ...
    @property
    def outages(self) -> Sequence[Any]: ...
    @property
    def effect(self) -> Any: ...
    @property
    def settings(self) -> Any: ...
    @property
    def status(self) -> Any: ...
    @property
    def termination(self) -> Any: ...
    @property
    def objective_cny(self) -> float | None: ...
    @property
    def lower_bound_cny(self) -> float | None: ...
    @property
    def gap_share(self) -> float | None: ...
    @property
    def runtime_s(self) -> float: ...
    @property
    def objectives(self) -> pl.DataFrame: ...
    @property
    def classes(self) -> pl.DataFrame: ...
    @property
    def leg_flows(self) -> pl.DataFrame: ...
    @property
    def site_loads(self) -> pl.DataFrame: ...
    @property
    def unserved(self) -> pl.DataFrame: ...
    @property
    def sort_plan(self) -> pl.DataFrame: ...
    @property
    def orders(self) -> pl.DataFrame: ...
    @property
    def stand_ins(self) -> pl.DataFrame: ...
    @property
    def relay_points(self) -> pl.DataFrame: ...


@dataclass(frozen=True, slots=True)
class Measure:
    """One objective before and after; any of the numbers may be unknown."""

    name: str
    unit: str
    value: float | None
    lower_bound: float | None
    before: float | None

    @property
    def change(self) -> float | None:
        """After less before."""
        return None if self.value is None or self.before is None else self.value - self.before


@dataclass(frozen=True)
class Situation:
    """What is wrong and what becomes of it.

    Attributes
    ----------
    closed_sites, slowed_sites : list of str
        Ids, the busiest first.
    lowest_share : float
        The smallest capacity share among the slowed sites.
    n_closed_legs, n_slowed_legs : int
        Legs hit themselves, not counting those that end at a closed site.
    stranded_pieces : float
        Pieces a day that today begin, end or pass where capacity is now missing: for
        each site and leg hit, today's load above what it can still take. Exact for one
        closure, counted once per place (so an upper limit) for several.
    exact : bool
        Whether ``stranded_pieces`` counts every piece once.
    lost_pieces : float
        Pieces a day unserved beyond those unserved today, at most ``stranded_pieces``.

    """

    closed_sites: list[str]
    slowed_sites: list[str]
    lowest_share: float
    n_closed_legs: int
    n_slowed_legs: int
    stranded_pieces: float
    exact: bool
    lost_pieces: float

    @property
    def rerouted_pieces(self) -> float:
        """Pieces a day that were stranded and still get through."""
        return max(0.0, self.stranded_pieces - self.lost_pieces)


def text_column(frame: pl.DataFrame, column: str) -> list[str | None]:
    """Return a column of ids as plain text."""
    return frame[column].cast(pl.String).to_list()


def code_of(value: object) -> str:
    """Return the text of an Enum member or of anything else."""
    return str(getattr(value, "value", value))


def site_names(network: Network) -> dict[str, str]:
    """Return a name for every site id, no two alike.

    A site without a name has its id; sites that share one (China has four districts
    called 鼓楼区) have their id added, so that no order can be misread.
    """
    ids = [str(site_id) for site_id in text_column(network.sites, "site_id")]
    given = text_column(network.sites, "name") if "name" in network.sites.columns else ids
    names = [name or site_id for site_id, name in zip(ids, given, strict=True)]
    times = Counter(names)
    return {
        site_id: name if times[name] == 1 else f"{name} ({site_id})"
        for site_id, name in zip(ids, names, strict=True)
    }


def names_with_ids(network: Network) -> dict[str, str]:
    """Return what people call each site: its name with its id, or the id alone."""
    ids = network.site_ids
    if "name" not in network.sites.columns:
        return dict(zip(ids, ids, strict=True))
    called = network.sites["name"].cast(pl.String).to_list()
    return {
        site: f"{name} ({site})" if name and name != site else site
        for site, name in zip(ids, called, strict=True)
    }


def read_measures(plan: PlanLike) -> dict[str, Measure]:
    """Return the objectives by name, in the order of the plan."""
    return {
        row["objective"]: Measure(
            name=row["objective"],
            unit=row["unit"] or "",
            value=_number(row["value"]),
            lower_bound=_number(row["lower_bound"]),
            before=_number(row["baseline_value"]),
        )
        for row in plan.objectives.iter_rows(named=True)
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def leg_ends(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the site rows at both ends of the network's legs."""
    return rows_of(network, network.legs["from_site"]), rows_of(network, network.legs["to_site"])


def rows_of(network: Network, ids: pl.Series) -> NDArray[np.int64]:
    """Return the row in ``network.sites`` of each id (-1 for null)."""
    return ids.cast(network.site_type).to_physical().cast(pl.Int64).fill_null(-1).to_numpy().astype(np.int64)


def read_situation(plan: PlanLike) -> Situation:
    """Work out from the effect and the loads what is shut, hit and lost."""
    network = plan.network
    site_share = np.asarray(plan.effect.site_share, dtype=np.float64)
    leg_share = np.asarray(plan.effect.leg_share, dtype=np.float64)
    before = np.zeros(len(site_share))
    room = np.full(len(site_share), np.inf)
    at = rows_of(network, plan.site_loads["site_id"])
    before[at] = plan.site_loads["baseline_pieces"].fill_null(0).to_numpy()
    room[at] = plan.site_loads["capacity_pieces"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    room = np.where(site_share == 0, 0.0, room)
    hit = site_share < 1
    start, end = leg_ends(network)
    leg_hit = (leg_share < 1) & (site_share[start] == 1) & (site_share[end] == 1)
    stranded_sites = np.where(hit, np.maximum(before - room, 0), 0)
    stranded_legs = _stranded_legs(plan, leg_hit, leg_share)
    order = np.argsort(-before, kind="stable")
    ids = network.site_ids
    measures = read_measures(plan)
    unserved = measures.get("unserved")
    lost = plan.unserved["pieces"].sum() if unserved is None or unserved.value is None else unserved.value
    lost = max(0.0, float(lost or 0) - float((unserved.before if unserved else None) or 0))
    stranded = float(stranded_sites.sum() + stranded_legs)
    return Situation(
        closed_sites=[ids[row] for row in order if site_share[row] == 0],
        slowed_sites=[ids[row] for row in order if 0 < site_share[row] < 1],
        lowest_share=float(site_share[hit & (site_share > 0)].min(initial=1.0)),
        n_closed_legs=int((leg_hit & (leg_share == 0)).sum()),
        n_slowed_legs=int((leg_hit & (leg_share > 0)).sum()),
        stranded_pieces=max(stranded, lost),
        exact=int((stranded_sites > 0).sum()) + int(leg_hit.sum()) <= 1,
        lost_pieces=lost,
    )


def _stranded_legs(plan: PlanLike, leg_hit: NDArray[np.bool_], leg_share: NDArray[np.float64]) -> float:
    if not leg_hit.any():
        return 0.0
    hit = (
        plan.network.legs.select(pl.col("from_site", "to_site").cast(pl.String))
        .with_columns(share=pl.Series(leg_share), hit=pl.Series(leg_hit))
        .filter("hit")
        .join(
            plan.leg_flows.with_columns(pl.col("from_site", "to_site").cast(pl.String)),
            on=["from_site", "to_site"],
        )
    )
    room = pl.when(pl.col("share") == 0).then(0.0).otherwise(pl.col("capacity_pieces").fill_null(np.inf))
    over = (pl.col("baseline_pieces").fill_null(0.0) - room).clip(lower_bound=0)
    return float(hit.select(over.sum()).item())


def plan_number(plan: PlanLike) -> str:
    """Return an id for the plan: its name and a digest of what it orders (so equal plans are equal)."""
    digest = hashlib.sha256()
    for frame in (plan.orders, plan.leg_flows.select("from_site", "to_site", "planned_pieces")):
        digest.update(frame.with_columns(pl.col(pl.Float64).round(3)).write_csv().encode())
    return f"{plan.name}-{digest.hexdigest()[:8]}"


def read_settings(settings: object) -> dict[str, object]:
    """Return settings as names and values."""
    if settings is None:
        return {}
    if isinstance(settings, Mapping):
        return dict(settings)
    if is_dataclass(settings) and not isinstance(settings, type):
        return asdict(settings)
    return {"settings": settings}
