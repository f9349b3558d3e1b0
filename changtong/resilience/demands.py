"""Demands to be ready for: multiples of today's, or a forecast with its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from changtong.errors import InputError, Problem, UsageError
from changtong.forecast.result import COLUMNS, Forecast
from changtong.network.model import Network
from changtong.structure import column

THREE_POINTS = {"low_pieces": 0.3, "pieces": 0.4, "high_pieces": 0.3}
"""Weights of the 10 %, 50 % and 90 % points of a forecast: their mean is near the distribution's
(Swanson's rule; Hurst, Brown and Swanson, AAPG Bulletin 84, 2000)."""

NAMES = {"low_pieces": "forecast low", "pieces": "forecast", "high_pieces": "forecast high"}


@dataclass(frozen=True)
class Demand:
    """One demand to be ready for.

    Attributes
    ----------
    name : str
    factor : float
        Of all pieces of today's demand.
    by_origin : mapping of str to float
        Factors by the site where pieces begin, instead of ``factor``.
    weight : float
        How likely it is, relative to the others.
    """

    name: str
    factor: float = 1.0
    by_origin: Mapping[str, float] = field(default_factory=dict)
    weight: float = 1.0

    def applied(self, network: Network) -> Network:
        """Return the network with this demand."""
        if self.factor == 1.0 and not self.by_origin:
            return network
        factor: pl.Expr = pl.lit(self.factor)
        if self.by_origin:
            here = pl.col("from_site").cast(pl.String)
            names, values = list(self.by_origin), list(self.by_origin.values())
            factor = here.replace_strict(names, values, default=self.factor, return_dtype=pl.Float64)
        pieces = pl.col("pieces_per_day")
        scaled = (pieces * factor).cast(network.demand.schema["pieces_per_day"]).alias("pieces_per_day")
        return network.with_tables(demand=network.demand.with_columns(scaled))

    def pieces(self, network: Network) -> float:
        """Return the pieces a day of the network with this demand."""
        return float(self.applied(network).demand["pieces_per_day"].cast(pl.Float64).sum())


def as_demands(given: Sequence[float | Demand]) -> tuple[Demand, ...]:
    """Return demands; a number is a multiple of today's.

    Raises
    ------
    InputError
        None, a factor or weight that cannot be meant, two of one name.
    """
    made = tuple(one if isinstance(one, Demand) else Demand(f"×{one:g}", float(one)) for one in given)
    factors = [factor for one in made for factor in (one.factor, *one.by_origin.values())]
    weights = [one.weight for one in made]
    sound = all(0.0 <= value < math.inf for value in (*factors, *weights)) and sum(weights) > 0.0
    if not made or not sound or not all(one.factor > 0.0 for one in made):
        message = f"{list(given)!r}: demand factors lie above 0."
        raise InputError([Problem("out-of-range", message, expected="numbers such as 0.9, 1, 1.2")])
    names = [one.name for one in made]
    if len(set(names)) < len(names):
        raise UsageError(f"{', '.join(names)}: a demand stands there twice.")
    return made


def demands_of_forecast(
    network: Network, forecast: Forecast | pl.DataFrame | str | Path
) -> tuple[Demand, ...]:
    """Return what a forecast expects of a day, and the two ends of its interval of 80 %.

    What leaves a site on a mean day of the forecast, over what leaves it today, is the factor of
    the pieces that begin there. At an end all sites are at theirs together: wider than the truth,
    since errors of sites cancel in part.

    Parameters
    ----------
    network : Network
        With today's flow on its legs, as a learned network has it.
    forecast : Forecast, frame or path
        As ``changtong forecast`` writes it.

    Raises
    ------
    InputError
        It is no forecast, none of its sites is in the network, or the network has no flow.
    """
    rows = _site_rows(forecast)
    flow = column(network.legs, "flow_pieces_per_day", 0.0)
    ends = network.legs.select(pl.col("from_site").cast(pl.String).alias("site"), today=pl.Series(flow))
    today = ends.group_by("site").agg(pl.col("today").sum()).filter(pl.col("today") > 0.0)
    if not today.height:
        message = "the network does not say what its legs carry today: a forecast cannot be compared with it."
        raise InputError([Problem("missing-value", message, "legs", None, "flow_pieces_per_day")])
    joined = rows.join(today, on="site", how="inner")
    if not joined.height:
        message = "no site of the forecast sends anything in this network today."
        raise InputError([Problem("matches-nothing", message, "forecast", expected="sites of the network")])
    made = []
    for name, weight in THREE_POINTS.items():
        whole = float(joined[name].sum()) / float(joined["today"].sum())
        factors = dict(joined.select("site", pl.col(name) / pl.col("today")).iter_rows())
        made.append(Demand(NAMES[name], max(whole, 1e-6), factors, weight))
    return tuple(made)


def _site_rows(forecast: Forecast | pl.DataFrame | str | Path) -> pl.DataFrame:
    """Return what leaves each site on a mean day: site, pieces, low_pieces, high_pieces."""
    if isinstance(forecast, str | Path):
        forecast = _read(Path(forecast))
    frame = forecast.frame if isinstance(forecast, Forecast) else forecast
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        message = f"{', '.join(missing)} is missing."
        raise InputError([Problem("missing-column", message, "forecast", expected=", ".join(COLUMNS))])
    sends = (pl.col("kind") == "site") & pl.col("from_site").is_not_null() & (pl.col("from_site") != "")
    means = [pl.col(name).cast(pl.Float64).mean() for name in THREE_POINTS]
    return frame.filter(sends).group_by(pl.col("site").cast(pl.String)).agg(means)


def _read(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise InputError([Problem("missing-file", "the file does not exist.", file=str(path))])
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError([Problem("unreadable-file", f"{error}", file=path.name)]) from error
