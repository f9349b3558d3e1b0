"""The same simulation many times, with demand and capacities drawn at random: medians and bands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from changtong.errors import UsageError
from changtong.network.model import Network
from changtong.outages import Outage
from changtong.simulation.machine import varied
from changtong.simulation.result import BANDS, Simulation
from changtong.simulation.simulate import Game, Progress, SimulationSettings, play, prepare
from changtong.simulation.timetable import RouteChange

Floats = NDArray[np.float64]

LOW, HIGH = 0.1, 0.9
"""Ends of the band: 80 % of the replications lie between."""


@dataclass(frozen=True)
class Spread:
    """How far demand and capacities differ from what the network states; all assumed.

    Each factor is lognormal with mean 1; the number is its coefficient of variation (standard
    deviation over mean).

    Attributes
    ----------
    site_demand : float
        Of what begins at each site, the same over the whole time.
    day_demand : float
        Of what is accepted on each day, the same everywhere.
    sorting : float
        Of what each site sorts.
    carrying : float
        Of what each leg carries.
    """

    site_demand: float = 0.1
    day_demand: float = 0.05
    sorting: float = 0.05
    carrying: float = 0.05

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0.0 <= value <= 2.0:
                raise UsageError(f"{name} is {value!r}; expected a coefficient of variation from 0 to 2.")


@dataclass(frozen=True)
class Replications:
    """Many runs of one simulation.

    Frames: ``runs`` (one row a replication: the summary's numbers), ``hours`` (hour; median, low
    and high of pieces waiting, of those in the queue, which are not held by order, and of those
    delivered), ``classes`` (delivered and late pieces), ``sites``
    (peak, share of replications in which the site burst or was still growing, hour it cleared).
    ``low`` and ``high`` hold 80 % of the replications between them.
    """

    name: str
    seed: int
    spread: Spread
    runs: pl.DataFrame
    hours: pl.DataFrame
    classes: pl.DataFrame
    sites: pl.DataFrame
    runtime_s: float

    def summary(self) -> dict[str, Any]:
        """Return medians and bands of the numbers a person decides by."""
        out: dict[str, Any] = {"name": self.name, "replications": self.runs.height, "seed": self.seed}
        for column in ("delivered_pieces", "late_pieces", "peak_waiting_pieces", "waiting_pieces", "mean_h"):
            values = self.runs[column].drop_nulls()
            out |= {
                column: values.median(),
                f"{column}_low": values.quantile(LOW, "linear"),
                f"{column}_high": values.quantile(HIGH, "linear"),
            }
        out["holds_share"] = float(self.runs["holds"].cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]
        return out | {"spread": asdict(self.spread), "runtime_s": self.runtime_s}

    def write(self, folder: Path) -> None:
        """Write the frames to the folder of the run, as ``replications_….csv``."""
        for name in BANDS:
            getattr(self, name).write_csv(folder / f"replications_{name}.csv", include_bom=True)

    def __str__(self) -> str:
        s = self.summary()
        lines = [
            f"{self.name}: {s['replications']} replications in {self.runtime_s:.1f} s, seed {self.seed}",
            "                           median    80 % between",
        ]
        for column, label in (
            ("delivered_pieces", "delivered"),
            ("late_pieces", "late"),
            ("peak_waiting_pieces", "most waiting"),
            ("waiting_pieces", "waiting at the end"),
        ):
            band = f"{s[column + '_low']:,.0f} and {s[column + '_high']:,.0f}"
            lines.append(f"  {label:<20}{s[column]:>14,.0f}    {band}")
        lines.append(f"  holds in {s['holds_share']:.0%} of the replications")
        worst = self.sites.filter(pl.col("trouble_share") > 0.0).head(5)
        lines += [
            f"    {row['site_id']}: in trouble in {row['trouble_share']:.0%}, peak {row['peak_median']:,.0f}"
            f" ({row['peak_low']:,.0f} to {row['peak_high']:,.0f})"
            for row in worst.iter_rows(named=True)
        ]
        return "\n".join(lines)


def simulate_replications(
    network: Network,
    outages: Sequence[Outage] = (),
    *,
    routes: Sequence[RouteChange] = (),
    settings: SimulationSettings | None = None,
    spread: Spread | None = None,
    replications: int = 20,
    seed: int = 1,
    backlog: pl.DataFrame | str | Path | None = None,
    progress: Progress | None = None,
    name: str | None = None,
) -> Replications:
    """Simulate many times with demand and capacities drawn at random.

    Parameters
    ----------
    network, outages, routes, settings, backlog, name
        As for :func:`changtong.simulation.simulate.simulate`.
    spread : Spread, optional
    replications : int
        At least 2.
    seed : int
        Same seed, same result.
    progress : callable, optional
        Called with (replications done, replications in all).

    Returns
    -------
    Replications
    """
    if replications < 2:
        raise UsageError(f"{replications} replications make no band; expected 2 at least.")
    begin, spread = time.perf_counter(), spread or Spread()
    game = prepare(network, outages, routes, settings or SimulationSettings(), backlog)
    found: list[Simulation] = []
    for number in range(replications):
        machine = varied(game.machine, *_factors(game, spread, np.random.default_rng([seed, number])))
        found.append(play(game, machine, None, name or network.name, time.perf_counter()))
        if progress is not None:
            progress(number + 1, replications)
    runs = pl.DataFrame([one.summary() for one in found], infer_schema_length=None)
    return Replications(
        name=name or network.name,
        seed=seed,
        spread=spread,
        runs=runs.drop("name", "runtime_s").with_row_index("replication", offset=1),
        hours=_hour_bands(found),
        classes=_bands(
            [one.classes for one in found], ["service_class"], ["delivered_pieces", "late_pieces"]
        ),
        sites=_site_bands(found),
        runtime_s=time.perf_counter() - begin,
    )


def _factors(game: Game, spread: Spread, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
    """Draw the factors of one replication: sites' demand, steps' demand, sorting, carrying."""
    clock, n = game.clock, game.network.sites.height
    day = ((clock.first_hour + np.arange(clock.n_steps) * clock.step_h) // 24.0).astype(int)
    days = _lognormal(rng, spread.day_demand, int(day.max()) + 1)
    return (
        _lognormal(rng, spread.site_demand, n),
        days[day],
        _lognormal(rng, spread.sorting, n),
        _lognormal(rng, spread.carrying, game.network.legs.height),
    )


def _lognormal(rng: np.random.Generator, variation: float, size: int) -> Floats:
    """Draw factors with mean 1 and a coefficient of variation."""
    sigma = np.sqrt(np.log1p(variation**2))
    return np.asarray(np.exp(rng.normal(-0.5 * sigma**2, sigma, size)), np.float64)


def _hour_bands(found: list[Simulation]) -> pl.DataFrame:
    queue = pl.col("waiting_pieces") - pl.col("held_pieces")
    frames = [one.hours.with_columns(queue.alias("queue_pieces")) for one in found]
    return _bands(frames, ["hour"], ["waiting_pieces", "queue_pieces", "delivered_pieces"])


def _bands(frames: list[pl.DataFrame], keys: list[str], columns: list[str]) -> pl.DataFrame:
    """Return median and band of columns over frames with the same keys."""
    out = frames[0].select(keys)
    for column in columns:
        values = np.array([frame[column].to_numpy() for frame in frames], np.float64)
        low, middle, high = np.quantile(values, [LOW, 0.5, HIGH], axis=0)
        stem = column.removesuffix("_pieces")
        out = out.with_columns(
            pl.Series(f"{stem}_median", middle),
            pl.Series(f"{stem}_low", low),
            pl.Series(f"{stem}_high", high),
        )
    return out


def _site_bands(found: list[Simulation]) -> pl.DataFrame:
    frames = [
        one.sites.with_columns(
            burst=(pl.col("burst_hours") > 0.0).cast(pl.Float64),
            still=(pl.col("growing") & ~pl.col("closed_at_end")).cast(pl.Float64),
        )
        for one in found
    ]
    out = _bands([frame.rename({"peak_pieces": "peak"}) for frame in frames], ["site_id"], ["peak"])
    burst = np.mean([frame["burst"].to_numpy() for frame in frames], axis=0)
    still = np.mean([frame["still"].to_numpy() for frame in frames], axis=0)
    both = [np.maximum(frame["burst"].to_numpy(), frame["still"].to_numpy()) for frame in frames]
    clears = np.array([frame["clears_h"].fill_null(np.inf).to_numpy() for frame in frames])
    grew = np.array([frame["grows_h"].is_not_null().to_numpy() for frame in frames])
    hour = np.where(grew, clears, 0.0)
    middle, high = (np.quantile(hour, q, axis=0, method="higher") for q in (0.5, HIGH))
    out = out.with_columns(
        pl.col("site_id").cast(pl.String),
        pl.Series("burst_share", burst),
        pl.Series("growing_share", still),
        pl.Series("trouble_share", np.mean(both, axis=0)),
        pl.Series("clears_h_median", np.where(np.isfinite(middle), middle, np.nan), nan_to_null=True),
        pl.Series("clears_h_high", np.where(np.isfinite(high), high, np.nan), nan_to_null=True),
    )
    return out.sort("trouble_share", "peak_median", "site_id", descending=[True, True, False])
